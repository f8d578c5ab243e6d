"""Settings: what the environment sets when a process begins."""

from __future__ import annotations

import ctypes

import pytest

from functrace.backends.settings import Settings


@pytest.mark.parametrize(("given", "keeps"), [(None, True), ("1", True), ("0", False)])
def test_the_environment_turns_the_cache_off(monkeypatch, given, keeps):
    monkeypatch.delenv("FUNCTRACE_CACHE", raising=False)
    if given is not None:
        monkeypatch.setenv("FUNCTRACE_CACHE", given)
    assert Settings().cache is keeps


@pytest.mark.parametrize("given", [None, "3", "0", "many", ""])
def test_the_environment_sets_the_number_of_threads(monkeypatch, given):
    monkeypatch.delenv("FUNCTRACE_THREADS", raising=False)
    cores = Settings().threads
    assert cores >= 1
    if given is not None:
        monkeypatch.setenv("FUNCTRACE_THREADS", given)
    settings = Settings()
    assert settings.threads == (3 if given == "3" else cores)
    settings.threads = 5
    assert ctypes.c_int64.from_address(settings.address_of_threads).value == 5
