"""Products and quotients in which a zero stays zero.

A zero cotangent or tangent stays zero whatever it is multiplied with, so that
``where(x > 0, sqrt(x), 0)`` has the derivative 0 at 0, and not 0 * inf = nan.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Types, Values
from functrace.primitives.broadcasting import Elementwise, as_float
from functrace.tracing.tracer import bind

SERIAL = 10_000
"""Of more numbers OpenBLAS divides the sum of products among threads, and waits for them."""


def all_finite(x: Any) -> bool:
    """Whether no element is infinite or nan; may say no where the squares overflow."""
    if isinstance(x, float | complex):
        return cmath.isfinite(x)
    # One pass by BLAS, without a temporary array; infinities and nans survive the sum. Unlike `dot`
    # `vdot` does not warn of squares that overflow, which nobody asked for.
    flat = x.ravel("K")
    if flat.size <= SERIAL:
        return cmath.isfinite(np.vdot(flat, flat))
    for start in range(0, flat.size, SERIAL):
        piece = flat[start : start + SERIAL]
        if not cmath.isfinite(np.vdot(piece, piece)):
            return False
    return True


def _run_product_or_zero(t: Any, factor: Any, out: np.ndarray | None = None) -> Any:
    # Zero times what is finite is zero. To look at the factor leaves the product free to be written
    # over either of the two.
    if out is None:
        product = t * factor
        return product if all_finite(product) else np.where(t == 0, 0, product)[()]
    if all_finite(factor):
        return np.multiply(t, factor, out)
    is_zero: Any = np.equal(t, 0)
    np.multiply(t, factor, out)
    if is_zero.shape == out.shape:
        np.putmask(out, is_zero, 0)  # in two thirds of the time that `copyto` takes
    else:
        np.copyto(out, 0, where=is_zero)
    return out


def _run_zero_product(x: Any, y: Any) -> Any:
    product = x * y
    if all_finite(product):
        return product
    return np.where(np.logical_or(x == 0, y == 0), 0, product)[()]


def _run_quotient_or_zero(t: Any, divisor: Any, out: np.ndarray | None = None) -> Any:
    quotient = t / divisor if out is None else np.true_divide(t, divisor, out)
    if all_finite(quotient):
        return quotient
    if out is None:
        return np.where(t == 0, 0, quotient)[()]
    np.copyto(out, 0, where=t == 0)
    return out


def _scalar_product_or_zero(t: Any, factor: Any) -> Any:
    # Numbers of Python's may come as well.
    if t or math.isfinite(factor):
        return t * factor
    with np.errstate(invalid="ignore"):
        return _run_product_or_zero(t, factor)


def _scalar_quotient_or_zero(t: Any, divisor: Any) -> Any:
    if divisor and math.isfinite(divisor):
        return t / divisor
    with np.errstate(divide="ignore", invalid="ignore"):
        return _run_quotient_or_zero(t if hasattr(t, "dtype") else np.float64(t), divisor)


_SCALAR: dict[Any, Callable[..., Any]] = {
    np.multiply: _scalar_product_or_zero,
    np.true_divide: _scalar_quotient_or_zero,
}


_PYTHON_OR_ZERO: dict[Any, str] = {
    np.multiply: "({{0}} and {{0}} * {{1}})",
    np.true_divide: "({{0}} / {{1}} if {{1}} and {{1}} == {{1}} else float({0}({{0}}, {{1}})))",
}


class OrZero(Elementwise):
    """A product or a quotient that is zero wherever the first input is."""

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """The zeros of the first input are structural then; of a product also the second's."""
        x, y = inputs
        if self.ufunc is np.true_divide:
            return (bind(kept_quotient, x, y), True) if marked[0] else None
        return bind(zero_product if marked[1] else kept_product, x, y), True

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The function; for scalars one that needs no care about warnings."""
        if outputs[0].shape or outputs[0].dtype.kind != "f":
            name = names.function(self.name, self.run)
            into = in_place = None
            if outputs[0].shape and all(
                operand.type.dtype == outputs[0].dtype for operand in inputs
            ):
                into, in_place = f"{name}({{0}}, {{1}}, {{out}})", self.ufunc is np.multiply
            return Code(f"{name}({{0}}, {{1}})", into, in_place=bool(in_place), is_contiguous=None)
        name = names.function(f"scalar_{self.name}", _SCALAR[self.ufunc])
        numbers = [as_float(names, operand, n) for n, operand in enumerate(inputs)]
        python = None
        if outputs[0].dtype == np.float64 and None not in numbers:
            python = _PYTHON_OR_ZERO[self.ufunc].format(name).format(*numbers)
        return Code(f"{name}({{0}}, {{1}})", python=python)


product_or_zero_primitive = OrZero(
    "product_or_zero",
    np.multiply,
    lambda t, out, x, factor: product_or_zero(t, factor),
    lambda t, out, x, factor: product_or_zero(x, t),
    run=_run_product_or_zero,
    is_fresh=True,
    is_bilinear=True,
)
quotient_or_zero_primitive = OrZero(
    "quotient_or_zero",
    np.true_divide,
    lambda t, out, x, divisor: quotient_or_zero(t, divisor),
    lambda t, out, x, divisor: -quotient_or_zero(product_or_zero(out, t), divisor),
    run=_run_quotient_or_zero,
    is_fresh=True,
    linear_in=(0,),
    product=product_or_zero_primitive,
)


# The same where the first input may hold zeros that are to stay in what is made of them: see
# `functrace.transforms.zeros`. Their derivatives by the second input are then such zeros, too.

kept_product = OrZero(
    "kept_product",
    np.multiply,
    lambda t, out, x, factor: product_or_zero(t, factor),
    lambda t, out, x, factor: bind(kept_product, x, t),
    run=_run_product_or_zero,
    is_fresh=True,
    is_bilinear=True,
    makes_zeros=True,
    makes_zero_tangents=True,
)
kept_quotient = OrZero(
    "kept_quotient",
    np.true_divide,
    lambda t, out, x, divisor: quotient_or_zero(t, divisor),
    lambda t, out, x, divisor: -bind(kept_quotient, bind(kept_product, out, t), divisor),
    run=_run_quotient_or_zero,
    is_fresh=True,
    linear_in=(0,),
    product=kept_product,
    makes_zeros=True,
    makes_zero_tangents=True,
)
zero_product = Elementwise(
    "zero_product",
    np.multiply,
    lambda t, out, x, y: bind(zero_product, t, y),
    lambda t, out, x, y: bind(zero_product, t, x),
    run=_run_zero_product,
    is_fresh=True,
    commutes=True,
    is_bilinear=True,
    makes_zeros=True,
    makes_zero_tangents=True,
)


def product_or_zero(t: Any, factor: Any) -> Any:
    """``t * factor``, and zero wherever ``t`` is zero, even if the factor is infinite or nan."""
    return bind(product_or_zero_primitive, t, factor)


def quotient_or_zero(t: Any, divisor: Any) -> Any:
    """``t / divisor``, and zero wherever ``t`` is zero, even if the divisor is zero or nan."""
    return bind(quotient_or_zero_primitive, t, divisor)
