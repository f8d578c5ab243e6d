"""B-splines: curves of any degree through samples, and what all interpolation shares.

de Boor, A Practical Guide to Splines, chapters IX, X and XIII.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.matrices.banded import banded_solve
from functrace.numpy.taking import take
from functrace.primitives.linear import dtype_of, in_dtype, known_value, shape_of
from functrace.solvers.functions import is_traced
from functrace.tracing.entrances import enter_by_methods, entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind


def floating(x: Any) -> Any:
    """In double precision."""
    x = as_operand(x)
    return in_dtype(x, np.dtype(np.complex128 if dtype_of(x).kind == "c" else np.float64))


def required(condition: Any, message: str) -> None:
    """Raise as SciPy does, where it is known that a condition does not hold."""
    if not is_traced(condition) and not np.all(condition):
        raise ValueError(message)


def as_column(x: Any, y: Any) -> Any:
    """A vector along the first axis of another array."""
    return np.reshape(x, (-1,) + (1,) * (np.ndim(y) - 1))


def samples(x: Any, y: Any, axis: int, least: int = 2) -> tuple[Any, Any, int]:
    """Nodes and values, these along the first axis, once they are known to fit."""
    x, y = floating(x), floating(y)
    if dtype_of(x).kind == "c":
        raise ValueError("`x` must contain real values.")
    axis = normalize_axis_index(axis, np.ndim(y))
    required(np.ndim(x) == 1, "`x` must be 1-dimensional.")
    count = shape_of(x)[0]
    required(count >= least, f"`x` must contain at least {least} elements.")
    if shape_of(y)[axis] != count:
        raise ValueError(f"The length of `y` along `axis`={axis} doesn't match the length of `x`")
    required(np.diff(known_value(x)) > 0, "`x` must be strictly increasing sequence.")
    if not is_traced(known_value(y)):
        required(np.isfinite(known_value(y)), "`y` must contain only finite values.")
    return x, np.moveaxis(y, axis, 0), axis


def in_place_of_axis(result: Any, shape: Sequence[int], axis: int) -> Any:
    """What is at points, along the first axis, with their shape in place of another axis."""
    result = np.reshape(result, (*shape, *shape_of(result)[1:]))
    rest = range(len(shape), np.ndim(result))
    return np.transpose(result, [*rest[:axis], *range(len(shape)), *rest[axis:]])[()]


def _basis(t: Any, x: Any, place: Any, k: int) -> list[Any]:
    """The ``k + 1`` B-splines that are not zero in the intervals of some points (chapter X, 8)."""
    ends = {step: take(t, place + step) for step in range(1 - k, k + 1)}
    values: list[Any] = [np.ones_like(x)]
    for degree in range(1, k + 1):
        values.append(0.0)
        saved: Any = 0.0
        for number in range(degree):
            right, left = ends[number + 1], ends[number + 1 - degree]
            share = values[number] / (right - left)
            values[number] = saved + (right - x) * share
            saved = (x - left) * share
        values[degree] = saved
    return values


def _places(t: Any, k: int, n: int, points: Any) -> Any:
    """The number of the knot that is before each point."""
    place = np.searchsorted(known_value(t)[k : n + 1], known_value(points), "right") - 1
    return np.clip(place, 0, n - k - 1) + k


class BSpline:
    """A sum of B-splines, as ``scipy.interpolate.BSpline``.

    Attributes:
        t: The knots, shape (n + k + 1,).
        c: The coefficients, shape (n, ...).
        k: The degree.
        extrapolate: Whether the first and last piece go on outside; "periodic" to repeat them.
        axis: The axis of the values along which they are interpolated.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.interpolate import make_interp_spline
        >>> spline = make_interp_spline([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 4.0, 9.0], k=2)
        >>> print(spline(1.5).round(6), ft.grad(spline)(1.5).round(6))
        2.25 3.0
    """

    def __init__(self, t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0) -> None:
        """Keep them.

        Raises:
            ValueError: There are too few knots or coefficients, or the knots fall.
        """
        self.t, self.k, self.extrapolate = floating(t), int(k), extrapolate
        c = floating(c)
        self.axis = normalize_axis_index(axis, np.ndim(c))
        self.c = np.moveaxis(c, self.axis, 0) if self.axis else c
        required(self.k >= 0, "Spline order cannot be negative.")
        required(np.ndim(self.t) == 1, "Knot vector must be one-dimensional.")
        n = shape_of(self.t)[0] - self.k - 1
        required(n >= self.k + 1, f"Need at least {2 * self.k + 2} knots for degree {self.k}")
        required(np.diff(known_value(self.t)) >= 0, "Knots must be in a non-decreasing order.")
        required(shape_of(self.c)[0] >= n, "Knots, coefficients and degree are inconsistent.")
        self._n = n

    def __repr__(self) -> str:
        return f"<BSpline of degree {self.k} with {self._n} coefficients>"

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The values, or derivatives of an order, at some points.

        Args:
            x: The points, of any shape.
            nu: The order of the derivative.
            extrapolate: As the attribute, which it is by default.

        Returns:
            An array with the shape of ``x`` in place of the axis of interpolation.
        """
        how = self.extrapolate if extrapolate is None else extrapolate
        if not is_traced(self.t, self.c, x):
            module = scipy_module("interpolate", "functrace.scipy.interpolate.BSpline")
            return module.BSpline.construct_fast(self.t, self.c, self.k, how, self.axis)(x, nu, how)
        if nu:
            return self.derivative(nu)(x, 0, how)
        shape = np.shape(x)
        points = np.reshape(floating(x), (-1,))
        begin, end = self.t[self.k], self.t[self._n]
        if how == "periodic":
            turns = np.floor(known_value(points - begin) / known_value(end - begin))
            points = points - turns * (end - begin)
        place = _places(self.t, self.k, self._n, points)
        basis = _basis(self.t, points, place, self.k)
        parts = [
            as_column(b, self.c) * take(self.c, place + (number - self.k), axis=0)
            for number, b in enumerate(basis)
        ]
        result = sum(parts[1:], parts[0])
        if how is False:
            known = known_value(points)
            outside = np.logical_or(known < known_value(begin), known > known_value(end))
            result = np.where(as_column(outside, result), np.nan, result)
        return in_place_of_axis(result, shape, self.axis)

    def _widths(self) -> Any:
        """The widths of the B-splines, over their degree."""
        k, n = self.k, self._n
        return (self.t[k + 1 : k + 1 + n] - self.t[:n]) / (k + 1)

    def derivative(self, nu: int = 1) -> BSpline:
        """The derivative of an order (chapter X, 15)."""
        spline = self
        for _ in range(nu):
            t, k, n = spline.t, spline.k, spline._n
            if not k:
                return BSpline(t, np.moveaxis(0.0 * spline.c, 0, self.axis), 0, axis=self.axis)
            widths = as_column((t[k + 1 : n + k] - t[1:n]) / k, spline.c)
            is_open = np.greater(known_value(widths), 0)
            steps = np.diff(spline.c[:n], axis=0) / np.where(is_open, widths, 1.0)
            c = np.moveaxis(np.where(is_open, steps, 0.0), 0, self.axis)
            spline = BSpline(t[1:-1], c, k - 1, self.extrapolate, self.axis)
        return spline

    def antiderivative(self, nu: int = 1) -> BSpline:
        """The integral from the first knot, of an order."""
        spline = self
        for _ in range(nu):
            sums = np.cumsum(spline.c[: spline._n] * as_column(spline._widths(), spline.c), axis=0)
            c = np.moveaxis(np.concatenate([np.zeros_like(sums[:1]), sums]), 0, self.axis)
            t = np.concatenate([spline.t[:1], spline.t, spline.t[-1:]])
            how = False if self.extrapolate == "periodic" else self.extrapolate
            spline = BSpline(t, c, spline.k + 1, how, self.axis)
        return spline

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from one number to another."""
        how = self.extrapolate if extrapolate is None else extrapolate
        whole = self.antiderivative()
        begin, end = self.t[self.k], self.t[self._n]
        a, b = floating(a), floating(b)
        if how is False:  # outside it is zero
            a, b = np.clip(a, begin, end), np.clip(b, begin, end)

        def up_to(x: Any) -> Any:
            if how != "periodic":
                return whole(x, extrapolate=True)
            turns = np.floor(known_value(x - begin) / known_value(end - begin))
            ends = whole(end, extrapolate=True) - whole(begin, extrapolate=True)
            return turns * ends + whole(x - turns * (end - begin), extrapolate=True)

        return up_to(b) - up_to(a)


def _knots(x: Any, k: int) -> Any:
    """Those of a curve without conditions at its ends: "not a knot" (chapter XIII)."""
    if k % 2:
        inner = x[(k + 1) // 2 : shape_of(x)[0] - (k + 1) // 2]
    else:
        inner = ((x[1:] + x[:-1]) / 2)[k // 2 : shape_of(x)[0] - 1 - k // 2]
    return np.concatenate([np.repeat(x[:1], k + 1), inner, np.repeat(x[-1:], k + 1)])


_NAMED = {"clamped": 1, "natural": 2}


def _at_end(condition: Any, y: Any) -> list[tuple[int, Any]] | None:
    """The orders and values of the derivatives at an end; None for no condition."""
    if condition is None or condition == "not-a-knot":
        return None
    if isinstance(condition, str):
        if condition not in _NAMED:
            raise ValueError(f"Unknown boundary condition: {condition}")
        return [(_NAMED[condition], np.zeros_like(y[0]))]
    return [(int(order), floating(value)) for order, value in condition]


def make_interp_spline(
    x: Any,
    y: Any,
    k: int = 3,
    t: Any = None,
    bc_type: Any = None,
    axis: int = 0,
    check_finite: bool = True,
) -> BSpline:
    """The B-spline of a degree through samples, as ``scipy.interpolate.make_interp_spline``.

    Args:
        x: The nodes, which rise, shape (n,).
        y: The values there, with ``n`` of them along an axis.
        k: The degree.
        t: The knots; by default those of "not a knot", or the nodes where there are conditions.
        bc_type: The conditions at the ends: "not-a-knot", "natural", "clamped"; or a pair of them,
            or of lists of pairs ``(order, value)`` of derivatives; or "periodic".
        axis: That axis.
        check_finite: Taken, and without effect.

    Raises:
        ValueError: Something does not fit.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.interpolate import make_interp_spline
        >>> x = np.arange(5.0)
        >>> ft.grad(lambda y: make_interp_spline(x, y)(1.5))(x**2).round(4)
        array([-0.0469,  0.5   ,  0.6562, -0.125 ,  0.0156])
    """
    is_periodic = isinstance(bc_type, str) and bc_type == "periodic"
    x, y, axis = samples(x, y, axis, least=2 if is_periodic else max(1, k))
    if is_periodic:
        known = known_value(y)
        fits = is_traced(known) or np.allclose(known[0], known[-1], atol=1e-15)
        required(fits, "First and last points does not match while periodic case expected")
        if k > 1:
            return _periodic(x, y, k, t, axis)
        bc_type = None
    pair = (bc_type, bc_type) if bc_type is None or isinstance(bc_type, str) else bc_type
    left, right = (_at_end(condition, y) for condition in pair)
    if k == 0:
        required(left is right is None, "Too much info for k=0: t and bc_type can only be None.")
        return BSpline(np.concatenate([x, x[-1:]]), np.moveaxis(y, 0, axis), 0, axis=axis)
    if t is None:
        ends = np.repeat(x[:1], k), np.repeat(x[-1:], k)
        given = left is not None or right is not None
        t = np.concatenate([ends[0], x, ends[1]]) if given else _knots(x, k)
    t, left, right = floating(t), left or [], right or []
    n = shape_of(t)[0] - k - 1
    if n - shape_of(x)[0] != len(left) + len(right):
        raise ValueError(
            "The number of derivatives at boundaries does not match: expected "
            f"{n - shape_of(x)[0]}, got {len(left)}+{len(right)}."
        )
    place = _places(t, k, n, x)
    rows = np.stack(_basis(t, x, place, k), -1)
    shape, last = shape_of(y)[1:], n - k - 1
    for conditions, number, begin in ((left, 0, 0), (right, -1, last)):
        unit = BSpline(t, np.eye(n)[:, begin : begin + k + 1], k)
        slopes = [unit(x[number], order)[None] for order, _ in conditions]
        values = [np.broadcast_to(value, shape)[None] for _, value in conditions]
        rows = np.concatenate([*slopes, rows] if not number else [rows, *slopes])
        y = np.concatenate([*values, y] if not number else [y, *values])
    first = np.concatenate([np.zeros(len(left), int), place - k, np.full(len(right), last)])
    c = _solved(rows, first, np.reshape(y, (n, -1)))
    return BSpline(t, np.moveaxis(np.reshape(c, (n, *shape)), 0, axis), k, axis=axis)


def _periodic(x: Any, y: Any, k: int, t: Any, axis: int) -> BSpline:
    """The curve of which knots and coefficients repeat after as many as there are pieces."""
    if t is not None:
        raise NotImplementedError("For a periodic curve the knots t cannot be given.")
    count, shape = shape_of(x)[0] - 1, shape_of(y)[1:]
    inner = x if k % 2 else np.concatenate([x[:1], (x[1:-1] + x[:-2]) / 2, x[-1:]])
    turns, number = np.divmod(np.arange(-k, count + k + 1), count)
    t = take(inner, number) + turns * (x[-1] - x[0])
    place = _places(t, k, count + k, x[:-1])
    matrix: Any = 0.0
    for number, b in enumerate(_basis(t, x[:-1], place, k)):
        column = np.equal((place - k + number)[:, None] % count, np.arange(count))
        matrix = matrix + np.where(column, b[:, None], 0.0)
    c = np.linalg.solve(matrix, np.reshape(y[:-1], (count, -1)))
    c = np.reshape(take(c, np.arange(count + k) % count, axis=0), (count + k, *shape))
    return BSpline(t, np.moveaxis(c, 0, axis), k, "periodic", axis)


def _solved(rows: Any, first: Any, b: Any) -> Any:
    """The solution of a system of which each row has a few elements side by side.

    Args:
        rows: These, shape (n, k + 1).
        first: In which column they begin.
        b: Shape (n, m).
    """
    n, count = shape_of(rows)
    upper = lower = count - 1
    row = np.arange(n) + np.arange(-upper, lower + 1)[:, None]
    inside = np.clip(row, 0, n - 1)
    number = np.arange(n) - take(first, inside)
    is_there = (row == inside) & (number >= 0) & (number < count)
    flat = np.reshape(rows, (-1,))
    ab = np.where(is_there, take(flat, inside * count + np.clip(number, 0, count - 1)), 0.0)
    return bind(banded_solve, ab, b, lower=lower, upper=upper)


enter_by_methods(BSpline, asked=("init", "call"))
globals().update(entrances({"make_interp_spline": make_interp_spline, "__name__": __name__}))
