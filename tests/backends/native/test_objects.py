from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest

from functrace.backends.native import objects
from functrace.backends.native.objects import RUNTIME, is_supported, runtime


@pytest.fixture
def afresh():
    is_supported.cache_clear()
    yield
    is_supported.cache_clear()


@pytest.mark.usefixtures("afresh")
def test_the_processors_of_most_people_are_supported():
    usual = ("x86_64", "AMD64", "aarch64", "arm64")
    assert is_supported() == (platform.machine() in usual)


@pytest.mark.usefixtures("afresh")
@pytest.mark.parametrize("part", objects.ARRAY._fields)
def test_arrays_that_lie_otherwise_are_refused(part, monkeypatch):
    wrong = {part: objects.HEADER + 24}
    monkeypatch.setattr(objects, "ARRAY", objects.ARRAY._replace(**wrong))
    assert not is_supported()


@pytest.mark.usefixtures("afresh")
@pytest.mark.parametrize("part", objects.DTYPE._fields)
def test_dtypes_that_lie_otherwise_are_refused(part, monkeypatch):
    wrong = {part: objects.HEADER + 16}
    monkeypatch.setattr(objects, "DTYPE", objects.DTYPE._replace(**wrong))
    assert not is_supported()


@pytest.mark.usefixtures("afresh")
@pytest.mark.parametrize("name", ["CLASS", "ITEMS", "CHARACTERS", "HEADER"])
def test_other_objects_that_lie_otherwise_are_refused(name, monkeypatch):
    monkeypatch.setattr(objects, name, getattr(objects, name) - 8)
    assert not is_supported()


@pytest.mark.usefixtures("afresh")
def test_other_machines_are_refused(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not is_supported()


@pytest.mark.skipif(not is_supported(), reason="no machine code here")
def test_the_runtime_is_what_its_names_say():
    addresses = dict(zip(RUNTIME, runtime(), strict=True))
    assert all(addresses.values())
    assert addresses["ndarray"] == id(np.ndarray)
    new_scalar = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_ssize_t)
    assert new_scalar(addresses["new_scalar"])(np.float64, 0) == 0.0
