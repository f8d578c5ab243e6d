"""What is checked of each distribution: a row says where, SciPy is the truth for values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.stats

import functrace as ft
from functrace.scipy import stats
from functrace.testing import check_grads, numerical_jvp

DENSITIES = ("pdf", "logpdf", "pmf", "logpmf")
SUMS = ("cdf", "logcdf", "sf", "logsf")
QUANTILES = ("ppf", "isf")
MOMENTS = ("mean", "var", "std", "entropy", "median", "support", "stats")

WIDE = np.array(
    [
        -np.inf,
        -1e300,
        -1e4,
        -38.0,
        -5.0,
        -1.0,
        -0.5,
        -1e-10,
        0.0,
        1e-300,
        1e-10,
        0.3,
        0.5,
        1.0,
        1.5,
        2.0,
        3.0,
        5.0,
        2 * np.pi,
        7.0,
        20.0,
        38.0,
        400.0,
        1e10,
        1e300,
        np.inf,
        np.nan,
    ]
)
CHANCES = np.array([0, 1e-300, 1e-20, 1e-5, 0.2, 0.5, 0.7, 1 - 1e-10, 1, -0.1, 1.1, np.nan])


class Row(NamedTuple):
    """A distribution, and where it is checked.

    Attributes:
        name: The distribution.
        shapes: Allowed shapes.
        inside: Numbers within the support of the standard form, at which it is smooth.
        wrong: Shapes that are not allowed.
        lacks: Methods that it has not.
        counted: Positions of shapes that are whole numbers, without a derivative.
    """

    name: str
    shapes: tuple[float, ...] = ()
    inside: Sequence[float] = (0.2, 0.6, 1.7)
    wrong: tuple[float, ...] = ()
    lacks: tuple[str, ...] = ()
    counted: tuple[int, ...] = ()

    @property
    def ours(self) -> Any:
        return getattr(stats, self.name)

    @property
    def is_discrete(self) -> bool:
        return hasattr(self.ours, "pmf")

    def methods(self) -> list[str]:
        """The methods that take a number."""
        densities = DENSITIES[2:] if self.is_discrete else DENSITIES[:2]
        return [name for name in (*densities, *SUMS, *QUANTILES) if name not in self.lacks]

    def at(self, method: str) -> Any:
        """Where derivatives are checked."""
        return np.array([0.1, 0.45, 0.8] if method in QUANTILES else self.inside)

    def moved(self) -> tuple[tuple[float, ...], float, float]:
        """Parameters with a location and a scale."""
        return (*self.shapes, 0.25) if self.is_discrete else (*self.shapes, 0.25, 1.5)


def as_scipy(row: Row, method: str) -> None:
    """Values, dtypes and classes are those of SciPy, wherever and for any parameters."""
    ours, theirs = getattr(row.ours, method), getattr(getattr(scipy.stats, row.name), method)
    places = (2.0,) if row.is_discrete else (0.5, 2.0)
    parameters = [row.shapes, (*row.shapes, *places)]
    parameters += [] if row.is_discrete else [(*row.shapes, 0.5, -1.0)]
    parameters += [row.wrong] if row.wrong else []
    for given in parameters:
        x = CHANCES if method in QUANTILES else WIDE
        found = ours(x, *given)
        with np.errstate(all="ignore"):
            expected = theirs(x, *given)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        small = 1e-15 if "log" in method else 1e-300
        bad = ~np.isclose(found, expected, rtol=1e-12, atol=small, equal_nan=True)
        if (
            method in QUANTILES and "cdf" not in row.lacks
        ):  # or as exact as the probability of what was found
            back = getattr(row.ours, {"ppf": "cdf", "isf": "sf"}[method])(found, *given)
            bad &= ~np.isclose(back, x, rtol=1e-9)
        if "log" in method:  # where SciPy loses all digits
            is_lost = ~np.isfinite(expected) | np.isclose(found, expected, rtol=1e-3)
            begin = np.log(getattr(row.ours, "far_below", 0.0) or 1e-260)
            bad &= ~(is_lost & np.isfinite(found) & (found < begin))
        # SciPy adds and subtracts infinities; a sum is 1 at its end, whatever the parameters are.
        bad &= ~(np.isinf(x) & (np.isnan(expected) | np.isnan(found)))
        if method == "logcdf" and row.wrong == given:
            bad &= ~np.isnan(found)
        message = f"{method}{given} at {x[bad]}: {found[bad]}, in SciPy {expected[bad]}"
        assert not bad.any(), message
        assert type(ours(0.5, *given)) is type(theirs(0.5, *given))
    for dtype in (np.float32, np.int64):
        x = np.ones((2, 1), dtype)
        assert ours(x, *row.shapes).dtype == np.float64


def moments_as_scipy(row: Row) -> None:
    """So are the moments, of parameters that are broadcast; and the frozen distribution."""
    column = np.array([[0.5], [1.0]])
    places = (np.round(column),) if row.is_discrete else (column, np.array([2.0, 3.0, 4.0]))
    for method in MOMENTS:
        if method in row.lacks or (method in ("std", "stats") and "var" in row.lacks):
            continue
        for given in (row.shapes, (*row.shapes, *places)):
            found = np.array(getattr(row.ours, method)(*given))
            with np.errstate(invalid="ignore"):
                expected = np.array(getattr(getattr(scipy.stats, row.name), method)(*given))
            if not np.isnan(expected).all() or not np.isinf(row.shapes).any():
                np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)
    if not {"var", "skew"} & set(row.lacks):
        found = row.ours.stats(*row.moved(), moments="mvsk")
        expected = getattr(scipy.stats, row.name).stats(*row.moved(), moments="mvsk")
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    frozen = row.ours(*row.shapes, loc=1.0)
    method = row.methods()[0]
    expected = getattr(getattr(scipy.stats, row.name)(*row.shapes, loc=1.0), method)(2.0)
    np.testing.assert_allclose(getattr(frozen, method)(2.0), expected, rtol=1e-12)
    assert row.name in repr(frozen)


def arguments(row: Row, method: str) -> tuple[Any, list[Any]]:
    """The method of what it has a derivative by, and that."""
    given = [np.float64(x) for x in row.moved()]
    kept = {n: x for n, x in enumerate(given) if n in row.counted or np.isinf(x)}
    if row.is_discrete:
        kept[len(given) - 1] = np.float64(1.0)
    x = row.at(method)
    if method not in QUANTILES:
        x = x + 1.0 if row.is_discrete else x * given[-1] + given[-2]
    if row.is_discrete and method not in QUANTILES:
        kept[-1] = x

    def f(*inputs: Any) -> Any:
        rest = iter(inputs)
        x, *parameters = (kept[n] if n in kept else next(rest) for n in range(-1, len(given)))
        return getattr(row.ours, method)(x, *parameters)

    return f, [value for n, value in enumerate([x, *given], -1) if n not in kept]


def derivatives(row: Row, method: str) -> None:
    """Both modes agree with differences; compiled functions and maps agree with the function."""
    f, inputs = arguments(row, method)
    rng = np.random.default_rng(0)
    tangents = [rng.normal(size=np.shape(x)) for x in inputs]
    value, tangent = ft.jvp(f, inputs, tangents)
    if not (row.is_discrete and method in QUANTILES):
        np.testing.assert_allclose(
            tangent, numerical_jvp(f, inputs, tangents), rtol=1e-6, atol=1e-8
        )
    again, pull = ft.vjp(f, *inputs)
    np.testing.assert_array_equal(value, again)
    weights = rng.normal(size=np.shape(value))
    pulled = sum(np.sum(c * t) for c, t in zip(pull(weights), tangents, strict=True))
    np.testing.assert_allclose(pulled, np.sum(weights * tangent), rtol=1e-10, atol=1e-13)
    compiled = ft.jit(f)(*inputs)
    assert (type(compiled), compiled.dtype) == (type(value), value.dtype)
    np.testing.assert_allclose(compiled, value, rtol=1e-13)
    if np.ndim(inputs[0]) and not row.is_discrete:
        mapped = ft.vmap(f, in_axes=(0, *(None for _ in inputs[1:])))(*inputs)
        np.testing.assert_allclose(mapped, value, rtol=1e-13)


def second_derivatives(row: Row) -> None:
    """Derivatives of derivatives agree with differences."""
    for method in ("logpmf", "logcdf") if row.is_discrete else ("logpdf", "logcdf", "ppf"):
        if method not in row.lacks:
            f, inputs = arguments(row, method)
            check_grads(f, inputs, order=2, modes=("fwd", "rev"))


def outside(row: Row) -> None:
    """Outside of the support nothing depends on anything, and no derivative is nan."""
    low, high = row.ours.support(*row.shapes)
    x = np.array([low - 1.0, *row.inside, high + 1.0])
    x = np.where(np.isfinite(x), x, row.inside[0])
    for method in () if row.is_discrete else (*DENSITIES[:2], *SUMS):
        f = lambda x, *shapes, method=method: getattr(row.ours, method)(x, *shapes)
        finite = tuple(n for n, shape in enumerate((0.0, *row.shapes)) if np.isfinite(shape))
        slopes = ft.jit(ft.jacrev(f, argnums=finite))(x, *row.shapes)
        for slope in slopes:
            assert np.isfinite(slope).all()
            for place, end in ((0, low), (-1, high)):
                assert not (np.isfinite(end) and slope[place].any()), method


def tests_of(rows: list[Row]) -> dict[str, Any]:
    """The tests that all families are put to, for the namespace of a file of tests."""
    methods = [(row, method) for row in rows for method in row.methods()]
    names = [f"{row.name}-{method}" for row, method in methods]
    each_method = pytest.mark.parametrize(("row", "method"), methods, ids=names)
    each_row = pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])

    @each_method
    def test_values_are_those_of_scipy(row, method):
        as_scipy(row, method)

    @pytest.mark.thinned
    @each_method
    def test_derivatives(row, method):
        derivatives(row, method)

    @pytest.mark.slow
    @each_row
    def test_second_derivatives(row):
        second_derivatives(row)

    @each_row
    def test_moments_and_ends(row):
        moments_as_scipy(row)
        outside(row)

    made = (
        test_values_are_those_of_scipy, test_derivatives, test_second_derivatives,
        test_moments_and_ends,
    )  # fmt: skip
    return {test.__name__: test for test in made}
