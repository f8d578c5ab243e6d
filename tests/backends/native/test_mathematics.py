"""Mathematical functions as machine code: how exact they are, and what they do at the ends."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from mpmath import mp, mpf

from functrace.backends.native.mathematics import ARGUMENTS, FUNCTIONS, definitions
from tests.backends.native import accuracy
from tests.backends.native.loops import TYPES, assembly, run

DTYPES = [np.float64, np.float32]
both = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
each = pytest.mark.parametrize("name", sorted(FUNCTIONS))


def reference(name):
    """NumPy's function, or one that is made of its."""
    return accuracy.NUMPY.get(name) or getattr(np, accuracy.NAMES.get(name, name))


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


@each
@both
def test_loops_become_vectors(name, dtype):
    text = assembly(name, TYPES[np.dtype(dtype)])
    assert "call" not in text
    if "avx" in text or "%ymm" in text or "%xmm" in text:
        assert "%ymm" in text or "%zmm" in text
        assert "pd\t" in text or "ps\t" in text


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


LEFT_TO_NUMPY = {
    "sin": lambda x: abs(x) > 6e4,
    "cos": lambda x: abs(x) > 6e4,
    "tan": lambda x: abs(x) > 6e4,
    "arctan": lambda x: abs(x) > np.finfo(x.dtype).max / 3,
    "arctan2": lambda x, y: np.maximum(abs(x), abs(y)) > np.finfo(x.dtype).max / 3,
    "pow": lambda x, y: abs(float(y)) > 1e306,
}
"""Where functions raise flags though NumPy does not warn."""


@each
@both
def test_ends_and_flags_are_those_of_numpy(name, dtype):
    f = reference(name)
    count = FUNCTIONS[name].__code__.co_argcount
    points = ends(dtype)
    if count == 2:
        points = np.append(points[::4], points[-2:])
    grids = np.meshgrid(*[points] * count)
    for case in zip(*[x.ravel() for x in grids], strict=True):
        arguments = [np.full(19, x) for x in case]  # a vector, and a rest
        with np.errstate(all="ignore"):
            true = f(*[x[:1] for x in arguments])[0]
        result, is_flagged = run(name, *arguments)
        where = f"{name}{case}: {result[0]}, NumPy {true}"
        if is_flagged:
            left = LEFT_TO_NUMPY.get(name)
            allowed = not np.isfinite(case).all() or (left is not None and left(*case))
            if not allowed and name not in accuracy.NUMPY:
                with pytest.raises(FloatingPointError), np.errstate(all="raise", under="ignore"):
                    f(*[x[:1] for x in arguments])
            continue
        if name not in accuracy.NUMPY:
            with np.errstate(all="raise", under="ignore"):
                f(*[x[:1] for x in arguments])
        for value in result[[0, -1]]:
            assert np.isnan(value) == np.isnan(true), where
            if not np.isnan(true):
                assert np.signbit(value) == np.signbit(true), where
                np.testing.assert_array_max_ulp(value, true, 4)


def test_a_definition_is_written_once():
    text = definitions([("exp", "double"), ("exp", "float"), ("exp", "double")])
    assert text.count("define internal double @exp.f64(double %x) alwaysinline {") == 1
    assert text.count("define") == 2
    assert len(ARGUMENTS) >= 2


@pytest.mark.slow
@each
@both
def test_ten_million_points(name, dtype):
    rng = np.random.default_rng(2)
    for _ in range(20):
        worst = accuracy.greatest_error(name, dtype, 500_000, rng)
        assert worst <= accuracy.BOUND[dtype]
