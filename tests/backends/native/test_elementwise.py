from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.native.elementwise import BOOLEANS, REAL, WHOLE
from functrace.ir.primitive import PRIMITIVES
from functrace.tracing.tracer import bind

pytest.importorskip("llvmlite")

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -2.5, 1e-300, np.inf, -np.inf, np.nan]
BEYOND = {"direction": "is asked of sizes only"}


def assert_as_numpy(name, args):
    """A primitive by machine code and by NumPy: values, dtypes and warnings."""
    primitive = PRIMITIVES[name]

    def f(*inputs):
        return bind(primitive, *inputs)

    def run(backend):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = ft.jit(f, backend=backend)(*args)
            except (TypeError, ValueError, ArithmeticError) as error:
                return type(error), None
        return result, {str(warning.message) for warning in caught}

    (found, said), (expected, wanted) = run("native"), run("numpy")
    if isinstance(expected, type):
        assert found is expected
        return
    assert found.dtype == expected.dtype
    single = expected.dtype.itemsize == 4
    np.testing.assert_allclose(found, expected, rtol=1e-6 if single else 1e-14)
    if expected.dtype.kind == "f":
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))
    assert said == wanted


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(REAL.keys() - BEYOND.keys()))
def test_real_numbers(name, dtype):
    x, y = (np.ravel(a).astype(dtype) for a in np.meshgrid(SPECIAL, SPECIAL))
    count = PRIMITIVES[name].ufunc.nin
    with np.errstate(all="ignore"):
        assert_as_numpy(name, (x, y)[:count])


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.sampled_from(["int8", "int64", "uint8", "uint32"]),
    st.integers(0, 2**32),
)
def test_integers(name, dtype, seed):
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    args = [rng.integers(info.min, info.max, 5, dtype, endpoint=True) for _ in range(2)]
    if "shift" in name:
        args[1] = rng.integers(0, 80, 5).astype(dtype)
    assert_as_numpy(name, args[: PRIMITIVES[name].ufunc.nin])


@pytest.mark.parametrize("name", sorted(BOOLEANS))
def test_booleans(name):
    x, y = np.array([False, False, True, True]), np.array([False, True, False, True])
    assert_as_numpy(name, (x, y)[: PRIMITIVES[name].ufunc.nin])


@pytest.mark.parametrize("exponent", [0, 0.5, -1, 1, 2, 3, 2.5, -0.5, 7])
def test_powers(exponent):
    x = np.array(SPECIAL)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for f in (lambda x: x**exponent, lambda x: np.power(2.5, x) + np.power(x, exponent)):
            np.testing.assert_allclose(
                ft.jit(f, backend="native")(x), ft.jit(f)(x), rtol=1e-14, err_msg=str(exponent)
            )


@pytest.mark.parametrize("target", ["float32", "float64", "int64", "bool", "uint8", "int16"])
@pytest.mark.parametrize("source", ["float32", "float64", "int64", "bool", "uint8", "int16"])
def test_conversions(source, target):
    x = np.array([0, 1, 2, 100, 127], source)
    found = ft.jit(lambda x: x.astype(target), backend="native")(x)
    np.testing.assert_array_equal(found, x.astype(target), strict=True)
