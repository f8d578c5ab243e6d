"""What NumPy's functions warn of in Python, they warn of on traced values: at the user's line."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import functrace as ft

NAN = np.nan
ROWS = np.array([[NAN, NAN, NAN], [1.0, 2.0, NAN]])
NANS, NONE, ONE, NO_ROWS = np.array([NAN, NAN]), np.zeros(0), np.array([1.5]), np.zeros((0, 3))
FIRST, NOWHERE = np.array([True, False, False]), np.zeros(3, bool)

OF_VALUES = {
    "nanmax": (np.nanmax, NANS),
    "nanmax of rows": (lambda x: np.nanmax(x, axis=1), ROWS),
    "nanmin of rows": (lambda x: np.nanmin(x, axis=1, keepdims=True), ROWS),
    "nanmean": (np.nanmean, NANS),
    "nanmean of nothing": (np.nanmean, NONE),
    "nanmean of columns": (lambda x: np.nanmean(x, axis=0), ROWS),
    "nanmean of one": (np.nanmean, np.float64(NAN)),
    "nanmean where": (lambda x: np.nanmean(x, axis=1, where=FIRST), ROWS),
    "nanvar": (lambda x: np.nanvar(x, axis=1), ROWS),
    "nanvar given the mean": (lambda x: np.nanvar(x, axis=1, mean=np.ones((2, 1))), ROWS),
    "nanstd": (lambda x: np.nanstd(x, axis=1, ddof=2), ROWS),
    "nanstd of one": (lambda x: np.nanstd(x, ddof=1), ONE),
}
OF_SHAPES = {
    "mean": (np.mean, NONE),
    "mean, as a method": (lambda x: x.mean(), NONE),
    "mean of no rows": (lambda x: np.mean(x, axis=0), NO_ROWS),
    "mean where": (lambda x: np.mean(x, axis=1, where=NOWHERE), np.ones((2, 3))),
    "var": (np.var, NONE),
    "var of one": (lambda x: np.var(x, ddof=1), ONE),
    "var where": (lambda x: np.var(x, axis=1, where=FIRST, ddof=1), np.ones((2, 3))),
    "std": (lambda x: x.std(ddof=3), ONE),
    "std of no rows": (lambda x: np.std(x, axis=0), NO_ROWS),
    "average": (np.average, NONE),
    "median": (np.median, NONE),
    "cov": (lambda x: np.cov(x, ddof=5), np.array([1.0, 2.0, 3.0])),
    "astype": (lambda x: x.astype(float), np.array([1.0 + 2.0j])),
    "np.astype": (lambda x: np.astype(x, np.int64), np.array([1.0 + 2.0j])),
}
SILENT = {
    "mean of no columns": (lambda x: np.mean(x, axis=0), np.zeros((3, 0))),
    "var": (lambda x: np.var(x, ddof=1), np.array([1.0, 2.0])),
    "nanmax with an initial value": (lambda x: np.nanmax(x, initial=-1.0), NANS),
    "nansum": (np.nansum, NANS),
    "nanmean": (lambda x: np.nanmean(x, axis=0), ROWS[:, :2]),
    "astype of complex": (lambda x: x.astype(np.complex64), np.array([1.0j])),
    "astype to bool": (lambda x: x.astype(bool), np.array([1.0j])),
}
EAGER = {
    "vjp": lambda f: lambda x: ft.vjp(f, x),
    "grad": lambda f: ft.grad(lambda x: 1.0 * np.sum(np.real(f(x)))),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (np.ones_like(x),)),
    "grad of grad": lambda f: ft.grad(
        lambda x: np.sum(np.real(ft.grad(lambda y: 1.0 * np.sum(np.real(f(y))))(x)))
    ),
}


def messages(call, x):
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        call(x)
    return caught


@pytest.mark.parametrize("mode", EAGER)
@pytest.mark.parametrize(("f", "x"), [*OF_VALUES.values(), *OF_SHAPES.values()])
def test_numpy_warns_in_python(f, x, mode):
    (expected,) = messages(f, x)
    (found,) = messages(EAGER[mode](f), x)
    assert (str(found.message), found.category) == (str(expected.message), expected.category)
    assert found.filename == __file__


@pytest.mark.parametrize("mode", EAGER)
@pytest.mark.parametrize(("f", "x"), SILENT.values())
def test_numpy_is_silent(f, x, mode):
    assert not messages(f, x)
    assert not messages(EAGER[mode](f), x)


@pytest.mark.parametrize(("f", "x"), OF_SHAPES.values())
def test_what_the_shape_tells_is_warned_of_when_a_function_is_recorded(f, x):
    fast = ft.jit(f)
    (found,) = messages(fast, x)
    assert found.filename == __file__
    assert not messages(fast, x)


@pytest.mark.parametrize(("f", "x"), OF_VALUES.values())
def test_what_values_tell_is_not_known_where_they_are_not(f, x):
    assert not messages(ft.jit(f), x)
    assert not messages(ft.vmap(f), x[None])
