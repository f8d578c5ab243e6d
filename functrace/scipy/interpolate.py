"""Functions of ``scipy.interpolate``: splines and grids, in their data and at traced points.

Where no value is traced SciPy computes them. Derivatives are those of the piece that a point is
in; at a node, of the piece to its right. Which piece that is counts as fixed.

Names of ``scipy.interpolate`` that are not defined here are SciPy's own, for plain values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.errors import ArgumentError
from functrace.matrices.tridiagonal import tridiagonal_solve
from functrace.numpy.taking import take
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of
from functrace.scipy.bsplines import (
    BSpline,  # noqa: F401  # pyright: ignore[reportUnusedImport]  (a name of this module)
    as_column,
    floating,
    in_place_of_axis,
    make_interp_spline,
    required,
    samples,
)
from functrace.solvers.functions import is_traced
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import names_of_scipy, scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind

LARGEST_DENSE_SYSTEM = 100
"""Up to so many nodes the slopes of a spline are found with a whole matrix."""


def _scipy(name: str) -> Any:
    return scipy_module("interpolate", f"functrace.scipy.interpolate.{name}")


def _places(nodes: Any, x: Any) -> Any:
    """The number of the interval in which each point is; the first or last one outside."""
    last = shape_of(nodes)[0] - 2
    return np.clip(np.searchsorted(known_value(nodes), known_value(x), "right") - 1, 0, last)


# Splines


class PPoly:
    """A piecewise polynomial, as ``scipy.interpolate.PPoly``.

    Attributes:
        c: The coefficients, shape (k, m, ...), from the highest power of the distance from the
            beginning of a piece.
        x: The ends of the pieces, shape (m + 1,).
        extrapolate: Whether the first and last piece go on outside; "periodic" to repeat them.
        axis: The axis of the values along which they are interpolated.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy import interpolate
        >>> p = interpolate.PPoly([[2.0, 1.0], [0.0, 2.0]], [0.0, 1.0, 3.0])
        >>> print(p(0.5), p(2.0), ft.grad(p)(0.5))
        1.0 3.0 2.0
    """

    def __init__(self, c: Any, x: Any, extrapolate: Any = None, axis: int = 0) -> None:
        """Keep them."""
        self.c, self.x = floating(c), floating(x)
        self.extrapolate = True if extrapolate is None else extrapolate
        self.axis = axis
        required(np.ndim(self.x) == 1, "x must be 1-dimensional")
        required(
            shape_of(self.c)[1] == shape_of(self.x)[0] - 1, "number of coefficients != len(x)-1"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {shape_of(self.x)[0] - 1} pieces>"

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The values, or derivatives of an order, at some points.

        Args:
            x: The points, of any shape.
            nu: The order of the derivative; of a negative one the integral.
            extrapolate: As the attribute, which it is by default.

        Returns:
            An array with the shape of ``x`` in place of the axis of interpolation.
        """
        how = self.extrapolate if extrapolate is None else extrapolate
        if nu < 0:
            return self.antiderivative(-nu)(x, extrapolate=how)
        if not is_traced(self.c, self.x, x):
            return self._of_scipy()(x, nu, how)
        shape = np.shape(x)
        points = np.reshape(floating(x), (-1,))
        if how == "periodic":
            begin, width = self.x[0], self.x[-1] - self.x[0]
            turns = np.floor((known_value(points) - known_value(begin)) / known_value(width))
            points = points - turns * width
        place = _places(self.x, points)
        distance = np.reshape(points - take(self.x, place), (-1,) + (1,) * (np.ndim(self.c) - 2))
        order = shape_of(self.c)[0]
        result: Any = None
        for number in range(order - nu):
            power = order - 1 - number
            factor = float(math.perm(power, nu))
            part = factor * take(self.c[number], place, axis=0)
            result = part if result is None else result * distance + part
        if result is None:
            result = 0.0 * take(self.c[0], place, axis=0)
        if how is False:
            ends = known_value(self.x)
            known = known_value(points)
            outside = np.logical_or(known < ends[0], known > ends[-1])
            column = np.reshape(outside, shape_of(distance))
            result = np.where(column, np.nan, result)
        return in_place_of_axis(result, shape, self.axis)

    def _of_scipy(self) -> Any:
        return _scipy("PPoly").PPoly.construct_fast(self.c, self.x, self.extrapolate, self.axis)

    def _with(self, c: Any) -> PPoly:
        found = PPoly(c, self.x, self.extrapolate, self.axis)
        if self.extrapolate == "periodic":
            found.extrapolate = False
        return found

    def derivative(self, nu: int = 1) -> PPoly:
        """The derivative of an order, a piecewise polynomial."""
        if nu < 0:
            return self.antiderivative(-nu)
        order = shape_of(self.c)[0]
        if nu >= order:
            c = np.zeros_like(self.c[:1])
        else:
            factors = [float(math.perm(order - 1 - n, nu)) for n in range(order - nu)]
            column = np.reshape(np.array(factors), (-1,) + (1,) * (np.ndim(self.c) - 1))
            c = self.c[: order - nu] * column if nu else self.c
        return PPoly(c, self.x, self.extrapolate, self.axis)

    def antiderivative(self, nu: int = 1) -> PPoly:
        """The integral from the beginning, ``nu`` times, a piecewise polynomial."""
        if nu <= 0:
            return self.derivative(-nu)
        found = self
        for _ in range(nu):
            order = shape_of(found.c)[0]
            column = np.reshape(np.arange(order, 0, -1.0), (-1,) + (1,) * (np.ndim(found.c) - 1))
            c = found.c / column
            widths = np.reshape(np.diff(found.x), (-1,) + (1,) * (np.ndim(c) - 2))
            whole: Any = 0.0
            for row in range(order):
                whole = (whole + c[row]) * widths
            starts = np.concatenate([np.zeros_like(whole[:1]), np.cumsum(whole, axis=0)[:-1]])
            found = found._with(np.concatenate([c, starts[None]]))
        return found

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from one number to another."""
        how = self.extrapolate if extrapolate is None else extrapolate
        if not is_traced(self.c, self.x, a, b):
            return self._of_scipy().integrate(a, b, how)
        whole = self.antiderivative()
        if how != "periodic":
            return whole(b, extrapolate=how) - whole(a, extrapolate=how)
        begin, end = self.x[0], self.x[-1]
        width = end - begin

        def from_begin(x: Any) -> Any:
            turns = np.floor(known_value(x - begin) / known_value(width))
            return turns * whole(end) + whole(x - turns * width)

        return from_begin(floating(b)) - from_begin(floating(a))

    def solve(self, y: Any = 0.0, discontinuity: bool = True, extrapolate: Any = None) -> Any:
        """Where it has a value, by SciPy; of plain values."""
        if is_traced(self.c, self.x, y):
            raise ArgumentError(
                "The roots of a traced spline are not known: how many there are depends on values.",
                source_of(user_place(1)),
                "Find one of them by functrace.scipy.optimize.brentq.",
            )
        return self._of_scipy().solve(y, discontinuity, extrapolate)

    def roots(self, discontinuity: bool = True, extrapolate: Any = None) -> Any:
        """Where it is zero, by SciPy; of plain values."""
        return self.solve(0.0, discontinuity, extrapolate)


class CubicHermiteSpline(PPoly):
    """The cubics with these values and slopes, as ``scipy.interpolate.CubicHermiteSpline``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.interpolate import CubicHermiteSpline
        >>> x = np.array([0.0, 1.0])
        >>> middle = lambda slope: CubicHermiteSpline(x, x, np.stack([slope, 1.0]))(0.5)
        >>> print(ft.grad(middle)(1.0))
        0.125
    """

    def __init__(self, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None) -> None:
        """Make it.

        Args:
            x: The nodes, which rise, shape (n,).
            y: The values there, with ``n`` of them along an axis.
            dydx: The slopes, like the values.
            axis: That axis.
            extrapolate: As `PPoly` has it.
        """
        x, y, axis = samples(x, y, axis)
        slopes = np.moveaxis(floating(dydx), axis, 0)
        required(shape_of(slopes) == shape_of(y), "The shapes of `y` and `dydx` must be identical.")
        super().__init__(_hermite(x, y, slopes), x, extrapolate, axis)


def _hermite(x: Any, y: Any, slopes: Any) -> Any:
    """The coefficients of cubics with these values and slopes."""
    widths = as_column(np.diff(x), y)
    chord = np.diff(y, axis=0) / widths
    bend = (slopes[:-1] + slopes[1:] - 2 * chord) / widths
    return np.stack([bend / widths, (chord - slopes[:-1]) / widths - bend, slopes[:-1], y[:-1]])


class CubicSpline(CubicHermiteSpline):
    """The cubic spline through data, as ``scipy.interpolate.CubicSpline``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.interpolate import CubicSpline
        >>> x = np.array([0.0, 1.0, 2.0, 3.0])
        >>> print(*np.round([CubicSpline(x, x**3)(1.5), ft.grad(CubicSpline(x, x**3))(1.5)], 9))
        3.375 6.75
        >>> print(ft.grad(lambda y: CubicSpline(x, y)(1.5))(x))
        [-0.0625  0.5625  0.5625 -0.0625]
    """

    def __init__(
        self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None
    ) -> None:
        """Make it.

        Args:
            x: The nodes, which rise, shape (n,).
            y: The values there, with ``n`` of them along an axis.
            axis: That axis.
            bc_type: What holds at the ends: "not-a-knot", "periodic", "clamped", "natural", or
                for each end one of these or a pair of an order, 1 or 2, and a derivative.
            extrapolate: As `PPoly` has it.
        """
        if extrapolate is None:
            extrapolate = "periodic" if isinstance(bc_type, str) and bc_type == "periodic" else True
        if not is_traced(x, y, bc_type):
            found = _scipy("CubicSpline").CubicSpline(x, y, axis, bc_type, extrapolate)
            PPoly.__init__(self, found.c, found.x, extrapolate, found.axis)
            return
        x, y, axis = samples(x, y, axis)
        slopes = _spline_slopes(x, y, _conditions(bc_type, y))
        PPoly.__init__(self, _hermite(x, y, slopes), x, extrapolate, axis)


def _conditions(bc_type: Any, y: Any) -> list[Any]:
    """What holds at each end: a name, or an order and a derivative."""
    if isinstance(bc_type, str):
        if bc_type == "periodic":
            known = known_value(y)
            if not is_traced(known):
                required(
                    np.allclose(known[0], known[-1], rtol=1e-15, atol=1e-15),
                    "The first and last `y` point must be identical (within machine precision) "
                    "when bc_type='periodic'.",
                )
        bc_type = (bc_type, bc_type)
    elif len(bc_type) != 2:
        raise ValueError("`bc_type` must contain 2 elements to specify start and end conditions.")
    elif any(isinstance(one, str) and one == "periodic" for one in bc_type):
        raise ValueError("'periodic' `bc_type` is defined for both curve ends.")
    found: list[Any] = []
    zero = np.zeros(shape_of(y)[1:])
    for one in bc_type:
        if isinstance(one, str):
            if one not in ("clamped", "natural", "not-a-knot", "periodic"):
                raise ValueError(f"bc_type={one} is not allowed.")
            found.append({"clamped": (1, zero), "natural": (2, zero)}.get(one, one))
            continue
        order, value = one
        if order not in (1, 2):
            raise ValueError("The specified derivative order must be 1 or 2.")
        if np.shape(value) != np.shape(zero):
            raise ValueError(f"`deriv_value` shape {np.shape(value)} is not {np.shape(zero)}.")
        found.append((order, floating(value)))
    return found


def _spline_slopes(x: Any, y: Any, conditions: Sequence[Any]) -> Any:
    """The slopes at the nodes with which second derivatives have no jumps.

    Source: de Boor, A Practical Guide to Splines (Springer 1978), chapter IV.
    """
    count = shape_of(x)[0]
    dx = np.diff(x)
    h = as_column(dx, y)
    chord = np.diff(y, axis=0) / h
    begin, end = conditions
    if count == 2:
        begin, end = ((1, chord[0]) if isinstance(c, str) else c for c in (begin, end))
    if count == 3 and isinstance(begin, str) and isinstance(end, str):
        if begin == "periodic":
            slope = np.sum(chord / h, 0) / np.sum(1.0 / h, 0)
            return np.broadcast_to(slope, shape_of(y))
        middle = (h[1] * chord[0] + h[0] * chord[1]) / (h[0] + h[1])
        return np.stack([2 * chord[0] - middle, middle, 2 * chord[1] - middle])
    inner = 3 * (h[1:] * chord[:-1] + h[:-1] * chord[1:])
    if begin == "periodic":
        return _periodic_slopes(dx, h, chord, inner, y)
    one, none = np.ones(1), np.zeros(1)
    diagonals, right = [], []
    # At the end, all is as at the beginning, from the other side.
    sides = (
        (begin, dx[:2], h[:2], chord[:2], 1.0),
        (end, dx[::-1][:2], h[::-1][:2], chord[::-1][:2], -1.0),
    )
    for condition, widths, column, chords, sign in sides:
        if condition == "not-a-knot":
            reach = column[0] + column[1]
            value = (
                (column[0] + 2 * reach) * column[1] * chords[0] + column[0] ** 2 * chords[1]
            ) / reach
            diagonals.append((widths[1:2], widths[0:1] + widths[1:2]))
        elif condition[0] == 1:
            value = condition[1]
            diagonals.append((one, none))
        else:
            bend: Any = condition[1]
            value = -0.5 * sign * bend * column[0] ** 2 + 3 * chords[0] * column[0]
            diagonals.append((2 * widths[0:1], widths[0:1]))
        right.append(np.broadcast_to(value, shape_of(y)[1:]))
    (first, above_first), (last, below_last) = diagonals
    on = np.concatenate([first, 2 * (dx[:-1] + dx[1:]), last])
    above = np.concatenate([above_first, dx[:-1], none])
    below = np.concatenate([none, dx[1:], below_last])
    b = np.concatenate([right[0][None], inner, right[1][None]])
    return _tridiagonal(below, on, above, b)


def _tridiagonal(below: Any, on: Any, above: Any, b: Any) -> Any:
    """The solution of a system with three diagonals, for any further axes."""
    count = shape_of(on)[0]
    columns = np.reshape(b, (count, -1))
    if count <= LARGEST_DENSE_SYSTEM:
        matrix = np.diag(on) + np.diag(above[:-1], 1) + np.diag(below[1:], -1)
        found = np.linalg.solve(matrix, columns)
    else:
        found = bind(tridiagonal_solve, below, on, above, columns)
    return np.reshape(found, shape_of(b))


def _periodic_slopes(dx: Any, h: Any, chord: Any, inner: Any, y: Any) -> Any:
    """The slopes of a periodic spline; the last one, which is the first, is left out at first."""
    count = shape_of(dx)[0]
    first = 3 * (h[0] * chord[-1] + h[-1] * chord[0])
    b = np.concatenate([first[None], inner])
    before = np.roll(dx, 1)
    cycle = np.roll(np.eye(count), 1, axis=1)
    matrix = np.diag(2 * (before + dx)) + before[:, None] * cycle + dx[:, None] * cycle.T
    found = np.reshape(np.linalg.solve(matrix, np.reshape(b, (count, -1))), shape_of(b))
    return np.concatenate([found, found[:1]])


class PchipInterpolator(CubicHermiteSpline):
    """The monotone cubic through data, as ``scipy.interpolate.PchipInterpolator``.

    Source: Fritsch and Butland, A method for constructing local monotone piecewise cubic
    interpolants (SIAM J. Sci. Stat. Comput. 5, 1984).

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.interpolate import PchipInterpolator
        >>> print(ft.grad(PchipInterpolator([0.0, 1.0, 2.0], [0.0, 1.0, 4.0]))(1.0))
        1.5
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: Any = None) -> None:
        """Make it.

        Args:
            x: The nodes, which rise, shape (n,).
            y: The real values there, with ``n`` of them along an axis.
            axis: That axis.
            extrapolate: As `PPoly` has it.
        """
        x, y, axis = samples(x, y, axis)
        if dtype_of(y).kind == "c":
            raise ValueError("`PchipInterpolator` only works with real values for `y`.")
        PPoly.__init__(self, _hermite(x, y, _pchip_slopes(x, y)), x, extrapolate, axis)


def _pchip_slopes(x: Any, y: Any) -> Any:
    h = as_column(np.diff(x), y)
    chord = np.diff(y, axis=0) / h
    if shape_of(x)[0] == 2:
        return np.concatenate([chord, chord])
    known = known_value(chord)
    is_flat = known[1:] * known[:-1] <= 0
    one, two = (np.where(is_flat, 1.0, part) for part in (chord[:-1], chord[1:]))
    before, after = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    inner = np.where(is_flat, 0.0, (before + after) / (before / one + after / two))

    def at_end(h0: Any, h1: Any, m0: Any, m1: Any) -> Any:
        slope = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
        is_turned = np.sign(known_value(slope)) != np.sign(known_value(m0))
        is_steep = np.logical_and(
            np.sign(known_value(m0)) != np.sign(known_value(m1)),
            np.abs(known_value(slope)) > 3 * np.abs(known_value(m0)),
        )
        return np.where(is_turned, 0.0, np.where(is_steep, 3 * m0, slope))

    first = at_end(h[0], h[1], chord[0], chord[1])
    last = at_end(h[-1], h[-2], chord[-1], chord[-2])
    return np.concatenate([first[None], inner, last[None]])


# Interpolation between samples

KINDS = (
    "linear",
    "slinear",
    "zero",
    "previous",
    "next",
    "nearest",
    "nearest-up",
    "quadratic",
    "cubic",
)


def _inexact(x: Any) -> Any:
    """Floating-point or complex numbers as they are, others in double precision."""
    x = as_operand(x)
    return x if dtype_of(x).kind in "fc" else cast_to(x, np.dtype(np.float64))


class interp1d:  # noqa: N801  (SciPy's name)
    """A function through samples, as ``scipy.interpolate.interp1d``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.interpolate import interp1d
        >>> f = interp1d([0.0, 1.0, 3.0], [0.0, 2.0, 3.0])
        >>> print(f(2.0), ft.grad(f)(2.0))
        2.5 0.5
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        kind: str | int = "linear",
        axis: int = -1,
        copy: bool = True,
        bounds_error: bool | None = None,
        fill_value: Any = np.nan,
        assume_sorted: bool = False,
    ) -> None:
        """Make it.

        Args:
            x: The nodes, shape (n,).
            y: The values there, with ``n`` of them along an axis.
            kind: "linear", "nearest", "nearest-up", "previous", "next", "zero", "quadratic" or
                "cubic"; or the degree of a B-spline.
            axis: That axis.
            copy: Nothing is made of it.
            bounds_error: Whether points that are known to be outside are refused; by default, if
                there is no ``fill_value``.
            fill_value: What there is outside; a pair for below and above; or "extrapolate".
            assume_sorted: Whether the nodes rise.

        Raises:
            ArgumentError: There is no such kind.
        """
        if isinstance(kind, int):
            kind, degree = f"of degree {kind}", kind
        else:
            degree = {"quadratic": 2, "cubic": 3}.get(kind)
        if degree is None and kind not in KINDS:
            raise ArgumentError(
                f"interp1d was asked for the kind {kind!r}; there is {', '.join(KINDS)}, "
                "or a degree.",
                source_of(user_place(1)),
                "For smooth curves use CubicSpline or PchipInterpolator.",
            )
        # SciPy computes these as B-splines, which are of double precision; the others keep a dtype.
        is_spline = degree is not None or kind in ("zero", "slinear")
        self._as_floats = floating if is_spline else _inexact
        x, y = self._as_floats(x), self._as_floats(y)
        required(np.ndim(x) == 1, "the x array must have exactly one dimension.")
        self.axis = normalize_axis_index(axis, np.ndim(y))
        y = np.moveaxis(y, self.axis, 0)
        if shape_of(y)[0] != shape_of(x)[0]:
            raise ValueError("x and y arrays must be equal in length along interpolation axis.")
        if not assume_sorted:
            order = np.argsort(known_value(x), kind="mergesort")
            x, y = take(x, order), take(y, order, axis=0)
        self.x, self.values, self.kind = x, y, kind
        self.goes_on = isinstance(fill_value, str)
        if self.goes_on and fill_value != "extrapolate":
            raise ValueError("fill_value must be a number, a pair, or 'extrapolate'.")
        is_given = (
            self.goes_on
            or is_traced(fill_value)
            or not (
                np.ndim(fill_value) == 0
                and not isinstance(fill_value, tuple)
                and np.isnan(fill_value)
            )
        )
        self.bounds_error = not is_given if bounds_error is None else bounds_error
        if self.goes_on and bounds_error:
            raise ValueError("Cannot extrapolate and raise at the same time.")
        self.fill = fill_value if isinstance(fill_value, tuple) else (fill_value, fill_value)
        self.spline = None if degree is None else make_interp_spline(x, y, degree)

    def __repr__(self) -> str:
        return f"<interp1d of {shape_of(self.x)[0]} samples, {self.kind}>"

    @property
    def y(self) -> Any:
        """The values."""
        return np.moveaxis(self.values, 0, self.axis)

    def __call__(self, x: Any) -> Any:
        """The values at some points.

        Args:
            x: The points, of any shape.

        Raises:
            ValueError: A point is known to be outside, and ``bounds_error`` holds.
        """
        shape = np.shape(x)
        points = np.reshape(self._as_floats(x), (-1,))
        known, nodes = known_value(points), known_value(self.x)
        outside = [known < nodes[0], known > nodes[-1]]
        if self.bounds_error:
            required(
                np.logical_not(outside[0]), "A value in x_new is below the interpolation range."
            )
            required(
                np.logical_not(outside[1]), "A value in x_new is above the interpolation range."
            )
        result = self._inside(points, known, nodes)
        if not self.goes_on:
            for is_out, fill in zip(outside, self.fill, strict=True):
                if is_traced(is_out) or np.any(is_out):
                    filled = np.where(as_column(is_out, result), fill, result)
                    is_alike = dtype_of(filled).kind == dtype_of(result).kind
                    result = cast_to(filled, dtype_of(result)) if is_alike else filled
        return in_place_of_axis(result, shape, self.axis)

    def _inside(self, points: Any, known: Any, nodes: Any) -> Any:
        last = shape_of(self.x)[0] - 1
        if self.spline is not None:
            return self.spline(points)
        if self.kind in ("linear", "slinear"):
            # At a node, SciPy takes the piece to the left; the values are the same.
            place = _places(self.x, points)
            x0, x1 = take(self.x, place), take(self.x, place + 1)
            y0, y1 = take(self.values, place, axis=0), take(self.values, place + 1, axis=0)
            slope = (y1 - y0) / as_column(x1 - x0, y0)
            return slope * as_column(points - x0, y0) + y0
        if self.kind in ("previous", "zero"):
            place = np.searchsorted(nodes, known, "right") - 1
        elif self.kind == "next":
            place = np.searchsorted(nodes, known, "left")
        else:
            middles = nodes[:-1] + np.diff(nodes) / 2.0
            side = "left" if self.kind == "nearest" else "right"
            place = np.searchsorted(middles, known, side)
        found = take(self.values, np.clip(place, 0, last), axis=0)
        if self.goes_on and self.kind in ("previous", "zero", "next"):
            # There is none before the first node, nor after the last one.
            is_none = known > nodes[-1] if self.kind == "next" else known < nodes[0]
            found = np.where(as_column(is_none, found), np.nan, found)
        return found


class RegularGridInterpolator:
    """Interpolation on a grid, as ``scipy.interpolate.RegularGridInterpolator``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.interpolate import RegularGridInterpolator
        >>> x, y = np.linspace(0.0, 1.0, 3), np.linspace(0.0, 2.0, 4)
        >>> f = RegularGridInterpolator((x, y), x[:, None] * y)
        >>> print(f([[0.2, 1.0]]), ft.grad(lambda p: f(p)[0])(np.array([0.2, 1.0])))
        [0.2] [1.  0.2]
    """

    def __init__(
        self,
        points: Any,
        values: Any,
        method: str = "linear",
        bounds_error: bool = True,
        fill_value: Any = np.nan,
    ) -> None:
        """Keep the grid.

        Args:
            points: For each axis its nodes, which rise or fall.
            values: The values, with an axis for each of these, and any further axes.
            method: "linear" or "nearest".
            bounds_error: Whether points that are known to be outside are refused.
            fill_value: What there is outside otherwise; None to go on as at the edge.

        Raises:
            ArgumentError: The method is another one.
        """
        self.method = _grid_method(method)
        self.bounds_error, self.fill_value = bounds_error, fill_value
        values = self.values = _inexact(values)
        grid = [floating(nodes) for nodes in points]
        required(
            len(grid) <= np.ndim(values),
            f"There are {len(grid)} point arrays, but values has {np.ndim(values)} dimensions",
        )
        for axis, nodes in enumerate(grid):
            known = known_value(nodes)
            required(np.ndim(nodes) == 1, f"The points in dimension {axis} must be 1-dimensional")
            if shape_of(nodes)[0] != shape_of(values)[axis]:
                raise ValueError(
                    f"There are {shape_of(nodes)[0]} points and {shape_of(values)[axis]} values in "
                    f"dimension {axis}"
                )
            if not is_traced(known) and len(known) > 1 and known[0] > known[-1]:
                grid[axis], known = nodes[::-1], known[::-1]
                self.values = np.flip(self.values, axis)
            required(
                np.diff(known) > 0,
                f"The points in dimension {axis} must be strictly ascending or descending",
            )
        self.grid = tuple(grid)

    def __repr__(self) -> str:
        sizes = " x ".join(str(shape_of(nodes)[0]) for nodes in self.grid)
        return f"<RegularGridInterpolator of {sizes} nodes, {self.method}>"

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """The values at some points.

        Args:
            xi: The points, shape (..., d); or a tuple of their coordinates, which broadcast.
            method: Another one than the grid's.

        Returns:
            An array of shape (...), and the further axes of the values.

        Raises:
            ValueError: A point is known to be outside, and ``bounds_error`` holds.
        """
        method = self.method if method is None else _grid_method(method)
        count = len(self.grid)
        if isinstance(xi, tuple):
            coordinates = list(np.broadcast_arrays(*(floating(x) for x in xi)))
        else:
            xi = np.stack([floating(x) for x in xi]) if isinstance(xi, list) else floating(xi)
            if np.ndim(xi) < 2:
                xi = np.reshape(xi, (-1, count) if count > 1 or np.ndim(xi) < 1 else (-1, 1))
            coordinates = [xi[..., n] for n in range(shape_of(xi)[-1])]
        if len(coordinates) != count:
            raise ValueError(
                f"The requested sample points xi have dimension {len(coordinates)} but this "
                f"RegularGridInterpolator has dimension {count}"
            )
        shape = np.shape(coordinates[0])
        coordinates = [np.reshape(x, (-1,)) for x in coordinates]
        outside: Any = np.False_
        places: list[Any] = []
        shares: list[Any] = []
        for axis, (nodes, x) in enumerate(zip(self.grid, coordinates, strict=True)):
            ends, known = known_value(nodes), known_value(x)
            is_in = np.logical_and(known >= ends[0], known <= ends[-1])
            if self.bounds_error:
                is_nan = np.isnan(known)
                required(
                    np.logical_or(is_in, is_nan),
                    f"One of the requested xi is out of bounds in dimension {axis}",
                )
            outside = np.logical_or(outside, np.logical_or(known < ends[0], known > ends[-1]))
            if shape_of(nodes)[0] == 1:
                places.append(np.zeros(shape_of(x), int))
                shares.append(None)
                continue
            place = _places(nodes, x)
            begin = take(nodes, place)
            places.append(place)
            shares.append((x - begin) / (take(nodes, place + 1) - begin))
        if method == "linear":
            result = self._linear(places, shares)
        else:
            nearest = [
                place if share is None else np.where(known_value(share) <= 0.5, place, place + 1)
                for place, share in zip(places, shares, strict=True)
            ]
            result = self._at(nearest)
        if not self.bounds_error and self.fill_value is not None:
            result = np.where(as_column(outside, result), self.fill_value, result)
        is_nan = np.isnan(sum(map(known_value, coordinates)))
        if is_traced(is_nan) or np.any(is_nan):
            result = np.where(as_column(is_nan, result), np.nan, result)
        return np.reshape(result, (*shape, *shape_of(result)[1:]))

    def _at(self, places: Sequence[Any]) -> Any:
        """The values at nodes."""
        shape = shape_of(self.values)
        index: Any = 0
        for place, length in zip(places, shape, strict=False):
            index = index * length + place
        return take(np.reshape(self.values, (-1, *shape[len(places) :])), index, axis=0)

    def _linear(self, places: Sequence[Any], shares: Sequence[Any]) -> Any:
        """The sum over the corners of each cell."""
        sides = [(0,) if share is None else (0, 1) for share in shares]
        total: Any = None
        for corner in itertools.product(*sides):
            weight: Any = 1.0
            for side, share in zip(corner, shares, strict=True):
                if share is not None:
                    weight = weight * (share if side else 1 - share)
            part = self._at([place + side for place, side in zip(places, corner, strict=True)])
            part = part * as_column(weight, part) if np.ndim(weight) else part
            total = part if total is None else total + part
        return total


def _grid_method(method: str) -> str:
    if method not in ("linear", "nearest"):
        raise ArgumentError(
            f"RegularGridInterpolator was asked for the method {method!r}; there is linear and "
            "nearest.",
            source_of(user_place(2)),
            "Take the data out of the tracing, or interpolate axis by axis with CubicSpline.",
        )
    return method


def interpn(
    points: Any,
    values: Any,
    xi: Any,
    method: str = "linear",
    bounds_error: bool = True,
    fill_value: Any = np.nan,
) -> Any:
    """Interpolation on a grid at some points, as ``scipy.interpolate.interpn``.

    Args:
        points: For each axis its nodes.
        values: The values, with an axis for each of these, and any further axes.
        xi: The points, shape (..., d); or a tuple of their coordinates, which broadcast.
        method: "linear" or "nearest".
        bounds_error: Whether points that are known to be outside are refused.
        fill_value: What there is outside otherwise; None to go on as at the edge.

    Returns:
        An array of shape (...), and the further axes of the values.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.interpolate import interpn
        >>> x = np.linspace(0.0, 1.0, 3)
        >>> print(interpn((x, x), x[:, None] + x, np.array([0.2, 0.3])))
        [0.5]
    """
    return RegularGridInterpolator(points, values, method, bounds_error, fill_value)(xi)


globals().update(entrances(globals()))
__getattr__ = names_of_scipy("interpolate")
