"""What signals are filtered and windowed with: correlation, and the functions of window functions.

Derivatives of a cardinal sine or of a Bessel function are functions of the same kind, of another
order. So the order is an input, and the rules hold for derivatives of any order.

Bessel functions: Abramowitz and Stegun, Handbook of Mathematical Functions, sections 9.6 and 9.7.
Derivatives of ``sin(y) / y``: the n-th is ``(sin(y + n pi / 2) - n f) / y`` with the one before it,
``f``, by the product rule for ``y * (sin(y) / y)``; near zero, where this cancels, Taylor's series.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive, Values
from functrace.ir.types import ArrayType
from functrace.primitives.broadcasting import Elementwise
from functrace.primitives.linear import add_tangents, conform, in_front, shape_of
from functrace.primitives.special import Loops
from functrace.tracing.tracer import bind

# Functions of each element


def _by_order(f: Callable[[int, Any], Any], orders: Any, x: Any) -> Any:
    """Compute ``f(order, x)`` in double precision, for each element with its order."""
    x = np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64)
    orders = orders.real
    if orders.size == 1:
        return f(int(orders.flat[0]), x).reshape(np.broadcast_shapes(orders.shape, x.shape))
    orders, x = np.broadcast_arrays(orders, x)
    result = np.empty(x.shape, x.dtype)
    for order in np.unique(orders):
        result[orders == order] = f(int(order), x[orders == order])
    return result


def _of_order(
    name: str, loops: str, derivative: Callable[..., Any], f: Callable[[int, Any], Any]
) -> Elementwise:
    """A function of a whole number, which is not differentiated, and of another number."""
    adapted: Any = Loops(loops)
    return Elementwise(
        name,
        adapted,
        lambda t, out, order, x: None,
        lambda t, out, order, x: t * derivative(order, x),
        run=adapted.adapted(partial(_by_order, f)),
        is_fresh=True,
        is_total=False,
    )


@cache
def _taylor(order: int) -> tuple[float, list[float]]:
    """Up to where Taylor's series serves, and its coefficients by ``y**2``, from the highest."""
    limit = max(order, 1) / 2
    first = order % 2
    coefficients: list[float] = []
    m, bound = first, 1.0
    while bound > 1e-18:
        k = (order + m) // 2
        coefficients.append((-1) ** k / ((2 * k + 1) * math.factorial(m)))
        m += 2
        bound = limit**m / math.factorial(m)
    return limit, coefficients[::-1]


def _sinc_derivative(order: int, x: Any) -> Any:
    y = np.array(np.pi * x)
    limit, coefficients = _taylor(order)
    is_near = np.abs(y) < limit
    near = y[is_near]
    y[is_near] = 1
    sine, cosine = np.sin(y), np.cos(y)
    result = np.array(sine / y)
    for k in range(1, order + 1):  # in place, as new memory takes longer than what is done with it
        result *= -k
        wave = cosine if k % 2 else sine
        if k % 4 > 1:
            result -= wave
        else:
            result += wave
        result /= y
    if near.size:
        square, total = near * near, coefficients[0]
        for coefficient in coefficients[1:]:
            total = total * square + coefficient
        result[is_near] = near * total if order % 2 else total
    result *= np.pi**order
    return result


def _bessel_i(order: int, x: Any) -> Any:
    size, order = np.abs(x), abs(order)
    limit = max(30, order**2 / 2)
    inner = np.minimum(size, limit)
    half = inner / 2
    total = term = half**order / math.factorial(order)
    square = half * half
    largest = float(np.fmax.reduce(inner, axis=None, initial=0.0))
    for k in range(1, int(1.2 * largest) + 16):
        term = term * square / (k * (k + order))
        total = total + term
    sign = np.where(x < 0, -1, 1) if order % 2 else 1
    if largest < limit:
        return sign * total
    outer = np.maximum(size, limit)
    series = term = np.ones_like(outer)
    for k in range(1, 25):
        term = -term * (4 * order**2 - (2 * k - 1) ** 2) / (8 * k * outer)
        series = series + term
    with np.errstate(over="ignore"):
        far = np.exp(outer) * (series / np.sqrt(2 * np.pi * outer))
    return sign * np.where(size <= limit, total, far)


sinc_derivative = _of_order(
    "sinc_derivative",
    "dd->d ff->f gg->g DD->D FF->F GG->G",
    lambda order, x: bind(sinc_derivative, order + 1, x),
    _sinc_derivative,
)
sinc = Elementwise(
    "sinc",
    np.sin,
    lambda t, out, x: t * bind(sinc_derivative, 1.0, x),
    run=np.sinc,
    is_fresh=True,
)
bessel_i = _of_order(
    "bessel_i",
    "dd->d ff->f gg->g",
    lambda order, x: (bind(bessel_i, order - 1, x) + bind(bessel_i, order + 1, x)) / 2,
    _bessel_i,
)
i0 = Elementwise(
    "i0",
    np.exp,
    lambda t, out, x: t * bind(bessel_i, 1.0, x),
    run=lambda x: np.i0(x)[()],
    is_fresh=True,
)

# Correlation


class Correlate(Primitive):
    """The products of a kernel with the windows of a signal: ``sum(x[k + i] * kernel[i])``.

    The signal is at least as long as the kernel. Parameters: ``mode``, NumPy's: windows within the
    signal (``valid``), as many as it has elements (``same``), or all that meet it (``full``).
    """

    is_total = True
    is_fresh = True
    is_bilinear = True
    keeps_nan = True

    def run(self, x: Any, kernel: Any, *, mode: Any) -> Any:
        """Correlate; NumPy takes the conjugate of the kernel."""
        return np.correlate(x, kernel.conj() if kernel.dtype.kind == "c" else kernel, mode)

    def infer(self, x: ArrayType, kernel: ArrayType, *, mode: str) -> ArrayType:
        """One axis, of the length that the mode says."""
        if not x.ndim == kernel.ndim == 1 or not x.shape[0] >= kernel.shape[0] > 0:
            raise ValueError("takes a signal and a kernel that is not longer, and not empty")
        (length,), (width,) = x.shape, kernel.shape
        lengths = {"valid": length - width + 1, "same": length, "full": length + width - 1}
        return ArrayType((lengths[mode],), np.result_type(x.dtype, kernel.dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A product and a sum for each element of the kernel in each window."""
        return 2 * outputs[0].size * inputs[1].size

    def jvp(self, inputs: Values, tangents: Values, output: Any, *, mode: str) -> Any:
        """The product rule."""
        (x, kernel), (of_x, of_kernel) = inputs, tangents
        by_x = None if of_x is None else bind(self, of_x, kernel, mode=mode)
        by_kernel = None if of_kernel is None else bind(self, x, of_kernel, mode=mode)
        return add_tangents(by_x, by_kernel)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, *, mode: str
    ) -> Values:
        """Correlations of the cotangent: with the reversed kernel, and with the signal."""
        x, kernel = inputs
        if mode == "same":
            beyond = shape_of(kernel)[0] - 1
            cotangent, mode = np.pad(cotangent, (beyond // 2, beyond - beyond // 2)), "full"
        of_x = of_kernel = None
        if mode == "full":
            if needed[0] is not None:
                of_x = correlated(cotangent, np.flip(kernel), "valid")
            if needed[1] is not None:
                of_kernel = np.flip(correlated(cotangent, x, "valid"))
        else:
            if needed[0] is not None:
                of_x = correlated(cotangent, np.flip(kernel), "full")
            if needed[1] is not None:
                of_kernel = correlated(x, cotangent, "valid")
        return (
            None if of_x is None else conform(of_x, x),
            None if of_kernel is None else conform(of_kernel, kernel),
        )

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, mode: str) -> Any:
        """Join signals that share a kernel to one; multiply windows with kernels where not."""
        x, kernel = inputs
        length, width = _length(x, axes[0]), _length(kernel, axes[1])
        beyond = width - 1
        if axes[1] is None:
            flat = np.reshape(np.pad(in_front(x, axes[0]), ((0, 0), (0, beyond))), (-1,))
            flat = bind(self, flat, kernel, mode="full")[: size * (length + beyond)]
            found = np.reshape(flat, (size, length + beyond))
            if mode == "full":
                return found, 0
            start = beyond // 2 if mode == "same" else beyond
            return found[:, start : start + (length if mode == "same" else length - beyond)], 0
        padding = {
            "valid": (0, 0),
            "same": (beyond - beyond // 2, beyond // 2),
            "full": (beyond, beyond),
        }[mode]
        kernels = in_front(kernel, axes[1])
        if axes[0] is None:
            windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, padding), width)
            return windows @ kernels.T, 1
        padded = np.pad(in_front(x, axes[0]), ((0, 0), padding))
        windows = np.lib.stride_tricks.sliding_window_view(padded, width, 1)
        return (windows @ kernels[..., np.newaxis])[..., 0], 0


def _length(x: Any, axis: int | None) -> int:
    return shape_of(x)[1 - axis if axis is not None else 0]


def correlated(x: Any, y: Any, mode: str) -> Any:
    """As `Correlate`, for two arrays of which any may be the longer one."""
    if shape_of(x)[0] < shape_of(y)[0]:
        return np.flip(bind(correlate, y, x, mode=mode))
    return bind(correlate, x, y, mode=mode)


correlate = Correlate("correlate")
