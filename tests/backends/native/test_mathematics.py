"""Mathematical functions as machine code: how exact they are, and what they do at the ends."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from mpmath import mp, mpf

from functrace.backends.native.mathematics import FUNCTIONS, definitions
from tests.backends.native import accuracy
from tests.backends.native.loops import HAS_EXTENDED, TYPES, arguments_of, assembly, run

DTYPES = [np.float64, np.float32]
both = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
each = pytest.mark.parametrize("name", sorted(FUNCTIONS))


@pytest.mark.thinned
@each
@both
def test_values_are_those_of_mpmath(name, dtype):
    rng = np.random.default_rng(1)
    arguments = accuracy.samples(name, dtype, 200, rng)
    result, is_flagged = run(name, *arguments)
    assert is_flagged == bool(np.isinf(result).any())
    f = accuracy.MPMATH.get(name) or getattr(mp, name)
    worst = 0.0
    with mp.workprec(120):
        for got, *given in zip(result, *arguments, strict=True):
            if np.isinf(got):  # flagged; above
                continue
            true = f(*[mpf(float(x)) for x in given])
            ulp = float(np.spacing(np.abs(dtype(float(true)))))
            worst = max(worst, float(abs(mpf(float(got)) - true) / ulp))
    assert worst <= accuracy.BOUND[dtype]


@pytest.mark.thinned
@each
@both
def test_loops_become_vectors(name, dtype):
    text = assembly(name, TYPES[np.dtype(dtype)])
    assert "call" not in text
    if "%xmm" in text:  # x86
        assert "%ymm" in text or "%zmm" in text


def ends(dtype):
    """Numbers where functions may do something of their own."""
    info = np.finfo(dtype)
    sizes = [
        *[0.0, info.smallest_subnormal, info.smallest_subnormal * 3, info.tiny / 2, info.tiny],
        *[info.eps / 8, info.eps, 1e-5, 0.1, 0.5, 1 - info.epsneg, 1, 1 + info.eps, 1.5, 2, 3, 4],
        *[5, 10, 20, 22, 40, 80, 88, 90, 100, 300, 500, 700, 709.1, 711, 800, 1023.9, 1e4],
        *[2.0**53 - 1, 2.0**53, 2.0**54, info.max**0.5 * 0.99, info.max / 10, info.max, np.inf],
    ]
    values = np.array([*sizes, *[-x for x in sizes]], dtype)
    return np.append(values, dtype(np.nan))


def has_great_quotient(x, y):
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return not abs(x / y) < 2.0 ** (np.finfo(x.dtype).nmant + 1)


LEFT_TO_NUMPY = {
    "sin": lambda x: abs(x) > 6e4,
    "cos": lambda x: abs(x) > 6e4,
    "tan": lambda x: abs(x) > 6e4,
    "arctan": lambda x: abs(x) > np.finfo(x.dtype).max / 3,
    "arctan2": lambda x, y: np.maximum(abs(x), abs(y)) > np.finfo(x.dtype).max / 3,
    "arcsinh": lambda x: abs(x) > np.finfo(x.dtype).max * 0.7,
    "arccosh": lambda x: abs(x) > np.finfo(x.dtype).max * 0.7,
    "gammaln": lambda x: not 0 < x < np.finfo(x.dtype).max / 1000,
    "pow": lambda x, y: abs(float(y)) > 1e306,
    "fmod": has_great_quotient,
    "remainder": has_great_quotient,
    "floor_divide": has_great_quotient,
}
"""Where functions raise flags though NumPy does not warn."""


def numpy_value(name, case):
    """What NumPy's function makes of the numbers, and whether it warns."""
    ones = [np.full(1, x) for x in case]
    with np.errstate(all="ignore"):
        if name in accuracy.NUMPY:  # which warns of no number
            extended = [x.astype(np.longdouble) for x in ones]
            return accuracy.NUMPY[name](*extended)[0].astype(case[0].dtype), False
        f = getattr(np, accuracy.NAMES.get(name, name))
        true = f(*ones)[0]
    try:
        with np.errstate(all="raise", under="ignore"):
            f(*ones)
    except FloatingPointError:
        return true, True
    return true, False


@pytest.mark.thinned
@each
@both
def test_ends_and_flags_are_those_of_numpy(name, dtype):
    if name in accuracy.NUMPY and not HAS_EXTENDED:
        pytest.skip("NumPy has no such function")
    left_to_numpy = LEFT_TO_NUMPY.get(name)
    count = len(arguments_of(name))
    points = ends(dtype)
    if count == 2:
        points = np.append(points[::6], points[-2:])
    for case in zip(*[x.ravel() for x in np.meshgrid(*[points] * count)], strict=True):
        where = f"{name}{case}"
        true, warns = numpy_value(name, case)
        result, is_flagged = run(name, *[np.full(19, x) for x in case])  # a vector, and a rest
        if is_flagged:
            is_left = left_to_numpy is not None and left_to_numpy(*case)
            assert warns or is_left or not np.isfinite(case).all(), where
            continue
        assert not warns, where
        for value in result[[0, -1]]:
            assert np.isnan(value) == np.isnan(true), where
            if not np.isnan(true):
                assert np.signbit(value) == np.signbit(true), where
                np.testing.assert_array_max_ulp(value, true, 4)


def test_a_definition_is_written_once():
    text = definitions([("exp", "double"), ("exp", "float"), ("exp", "double")])
    assert text.count("define internal double @exp.f64(double %x) alwaysinline {") == 1
    assert text.count("define") == 2


@pytest.mark.slow
@pytest.mark.skipif(not HAS_EXTENDED, reason="there is nothing more exact to compare with")
@each
@both
def test_ten_million_points(name, dtype):
    rng = np.random.default_rng(2)
    for _ in range(20):
        worst = accuracy.greatest_error(name, dtype, 500_000, rng)
        assert worst <= accuracy.BOUND[dtype]
