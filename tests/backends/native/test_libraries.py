from __future__ import annotations

import ctypes

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from functrace.backends.native.libraries import has_routines, routine, routines


def test_a_routine_is_found_by_its_name():
    found = routine("gemm", "double")
    if found is None:
        pytest.skip("NumPy brings no OpenBLAS along")
    assert routines({found.name}) == {found.name: found.address}
    whole = ctypes.c_int64
    product = ctypes.CFUNCTYPE(
        None, *[ctypes.c_int] * 3, *[whole] * 3, ctypes.c_double, *[ctypes.c_void_p, whole] * 2,
        ctypes.c_double, ctypes.c_void_p, whole,
    )(found.address)  # fmt: skip
    x, y, out = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4), np.empty((2, 4))
    product(
        101, 111, 111, 2, 4, 3, 1.0, x.ctypes.data, 3, y.ctypes.data, 4, 0.0, out.ctypes.data, 4
    )
    np.testing.assert_allclose(out, x @ y)


def test_what_is_not_called_is_not_asked_for():
    assert routines(set()) == {}


def test_other_routines_and_their_types():
    if routine("gemm", "double") is None:
        pytest.skip("NumPy brings no OpenBLAS along")
    found = routine("gesv", "float")
    assert found is not None
    assert found.name == "library.sgesv"
    assert routines({"library.sgesv"}) == {found.name: found.address}
    assert routine("nothing", "float") is None
    assert not has_routines("float", "gemm", "nothing")
