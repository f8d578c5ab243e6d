"""Settings: what the environment sets when a process begins."""

from __future__ import annotations

import pytest

from functrace.backends.settings import Settings


@pytest.mark.parametrize(("given", "keeps"), [(None, True), ("1", True), ("0", False)])
def test_the_environment_turns_the_cache_off(monkeypatch, given, keeps):
    monkeypatch.delenv("FUNCTRACE_CACHE", raising=False)
    if given is not None:
        monkeypatch.setenv("FUNCTRACE_CACHE", given)
    assert Settings().cache is keeps
