"""Elementwise primitives: NumPy's arithmetic, with broadcasting.

Each primitive states, for each input, the linear map ``t -> t * d(output)/d(input)`` as a function
of ``t``, the output and the inputs. Such a map is diagonal, so the same function serves forward
mode (``t`` a tangent) and reverse mode (``t`` a cotangent). Broadcasting and promotion, and their
adjoints, are the family's business.

Complex numbers: the maps are complex-linear, and reverse mode applies them without conjugation,
which is the convention of JAX and autograd. Where the output is real (``abs``) or the input is,
the family takes the real part.

Derivatives: Abramowitz and Stegun, Handbook of Mathematical Functions, chapters 4 and 6; the
values at kinks are those of ``docs/promises.md``.
"""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy import float64

from functrace.errors import OperandError
from functrace.ir.emission import Code, Namer, Operand, Operands, array_constant
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.types import (
    ANY_LENGTH,
    UNKNOWN,
    ArrayType,
    broadcast_shapes,
    promotion_operand,
    result_dtype,
)
from functrace.primitives.choosing import MANY, by_bits, choose
from functrace.primitives.linear import (
    LocallyConstant,
    conform,
    dtype_of,
    move_batch_axis,
    shape_of,
    widen,
)
from functrace.tracing import numpy_warnings
from functrace.tracing.tables import UFUNCS
from functrace.tracing.tracer import Tracer, bind

SYMBOLS: dict[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.mod: "%",
    operator.pow: "**",
    operator.neg: "-",
    operator.pos: "+",
    operator.abs: "abs",
    operator.floordiv: "//",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
    operator.and_: "&",
    operator.or_: "|",
    operator.xor: "^",
    operator.invert: "~",
    operator.lshift: "<<",
    operator.rshift: ">>",
}
"""How Python writes its operators."""

ON_INTEGERS = frozenset({
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.neg, operator.pos, operator.abs, operator.invert, operator.lshift,
    operator.rshift, divmod,
})  # fmt: skip
"""Python's operators for which True is 1 and False is 0: ``True + True`` is 2."""

WEAK_COMPLEX = ArrayType((), np.dtype(np.complex128), weak=True)

PYTHON = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "negative": "-{0}",
    "positive": "+{0}",
    "absolute": "abs({0})",
    "square": "{0} * {0}",
    "tanh": "math.tanh({0})",
    "arctan": "math.atan({0})",
    "arctan2": "math.atan2({0}, {1})",
    "maximum": "({0} if {0} >= {1} or {0} != {0} else {1})",
    "minimum": "({0} if {0} <= {1} or {0} != {0} else {1})",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "logical_and": "bool({0} and {1})",
    "logical_or": "bool({0} or {1})",
    "logical_not": "not {0}",
}
"""What Python's floats do in place of a ufunc's loop over float64, in a third of the time. The
results differ by rounding only; a sum or a product that overflows gives no warning."""

PYTHON_WITHIN = {
    "divide": ("{0} / {1}", "{1}"),
    "reciprocal": ("1.0 / {0}", "{0}"),
    "exp": ("math.exp({0})", "{0} < 709.0"),
    "expm1": ("math.expm1({0})", "{0} < 709.0"),
    "log": ("math.log({0})", "{0} > 0.0"),
    "log1p": ("math.log1p({0})", "{0} > -1.0"),
    "sqrt": ("math.sqrt({0})", "{0} >= 0.0"),
    "sin": ("math.sin({0})", "-1e300 < {0} < 1e300"),
    "cos": ("math.cos({0})", "-1e300 < {0} < 1e300"),
    "tan": ("math.tan({0})", "-1e300 < {0} < 1e300"),
    "sinh": ("math.sinh({0})", "-700.0 < {0} < 700.0"),
    "cosh": ("math.cosh({0})", "-700.0 < {0} < 700.0"),
}
"""The same, with where it holds: elsewhere Python raises errors, and NumPy is asked."""

PYTHON_OF_BOOLEANS = {
    "logical_and": "{0} and {1}",
    "logical_or": "{0} or {1}",
    "logical_not": "not {0}",
    "bitwise_and": "{0} and {1}",
    "bitwise_or": "{0} or {1}",
    "bitwise_xor": "{0} != {1}",
    "invert": "not {0}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
}
"""The same for a ufunc's loop over booleans. Python's arithmetic takes them for integers."""

PYTHON_TRUTH = {name: PYTHON[name] for name in ("logical_and", "logical_or", "logical_not")}
"""The same for numbers of other types, which such a loop takes for booleans."""

PartialMap = Callable[..., Any]
"""``(t, output, *inputs) -> t * d(output)/d(input)``."""


ZeroKeeper = Callable[[Sequence[Any], Sequence[bool]], "tuple[Any, Any] | None"]
"""What `Primitive.keep_zeros` does for inputs of which some are marked."""


class Elementwise(Primitive):
    """A function of each element, with NumPy's broadcasting and promotion.

    Attributes:
        ufunc: The NumPy ufunc that decides the output's dtype.
        partials: One map for each input; empty where the function is locally constant.
    """

    is_elementwise = True
    is_total = True
    batches_at_once = True
    makes_scalars = True

    def __init__(
        self,
        name: str,
        dtype_of: np.ufunc,
        *partials: PartialMap,
        run: Callable[..., Any],
        keeps_weak: bool = False,
        keep: ZeroKeeper | None = None,
        **traits: Any,
    ) -> None:
        """Name the primitive.

        Args:
            name: The name.
            dtype_of: The NumPy ufunc whose output dtype this function has.
            partials: One for each input; none at all for a locally constant function.
            run: What computes it.
            keeps_weak: Whether ``run`` makes Python scalars of Python scalars, as Python's
                operators do.
            keep: Applies it so that zeros stay, where it is a product of its inputs.
            traits: The attributes of `Primitive` in which it differs from what its class says. Of
                NumPy's ufuncs and Python's operators it is known that they make new arrays, do not
                fail, and make nan of nan.
        """
        is_ufunc = isinstance(run, np.ufunc)
        if run in SYMBOLS or (is_ufunc and getattr(np, run.__name__, None) is run):
            traits = {"is_total": True, "keeps_nan": bool(partials), **traits}
        if run in SYMBOLS or is_ufunc:
            traits = {"is_fresh": True, **traits}
        super().__init__(name, **{"reads_constants": bool(partials), **traits})
        self.keep = keep
        self.is_linear = 0 < len(partials) == len(self.linear_in)
        self.ufunc = dtype_of
        self.partials = partials
        self.locally_constant = not partials
        self.run: Callable[..., Any] = run
        self.keeps_weak = keeps_weak

    def is_total_for(self, types: Types, params: dict[str, Any]) -> bool:
        """But for powers of integers, whose exponents must not be negative."""
        is_whole = all(type.dtype.kind in "biu" for type in types)
        return self.is_total and not (self.ufunc is np.power and is_whole)

    def infer(self, *types: ArrayType) -> ArrayType:
        """The broadcast shape, and the dtype that the ufunc chooses."""
        return self._inferred(types)

    @lru_cache(maxsize=4096)  # noqa: B019  (primitives live as long as functrace)
    def _inferred(self, types: tuple[ArrayType, ...]) -> ArrayType:
        shape = broadcast_shapes(*(type.shape for type in types))
        weak = all(type.weak for type in types)
        dtype = ufunc_dtype(self.ufunc, self.operands(types))
        return ArrayType(shape, dtype, weak and self.keeps_weak)

    def operands(self, types: Sequence[ArrayType]) -> tuple[Any, ...]:
        """What stands for inputs of these types where NumPy chooses a loop."""
        if not all(type.weak for type in types):
            return tuple(promotion_operand(type) for type in types)
        operands = tuple(type.dtype for type in types)
        if self.run in ON_INTEGERS:
            operands = tuple(np.dtype(np.int64) if x == np.bool_ else x for x in operands)
        return operands

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """NumPy's ufuncs keep the order that all inputs have."""
        result = super().order_of_axes(orders, types, rank, params)
        found = {order for order, type in zip(orders, types, strict=True) if type.ndim > 1}
        if result is None and len(found) == 1 and UFUNCS.get(self.ufunc) is self:
            (order,) = found
            return order if order is not None and len(order) == rank else None
        return result

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The operator or the ufunc, on arrays with an array to write to."""
        symbol = SYMBOLS.get(self.run)
        ufunc = self.ufunc
        if symbol is None and self.run is not ufunc:
            return None
        places = [f"{{{number}}}" for number in range(len(inputs))]
        function = f"np.{ufunc.__name__}"
        if symbol is None:
            expression = f"{function}({', '.join(places)})"
        elif len(places) == 1:
            expression = f"{symbol}({places[0]})" if symbol == "abs" else f"{symbol}{places[0]}"
        else:
            expression = f"{places[0]} {symbol} {places[1]}"
        (type,) = outputs
        if not type.shape:
            if symbol is not None and not type.weak and inputs[0].type == WEAK_COMPLEX:
                # Python's complex numbers take NumPy's floats for Python's.
                expression = f"{function}({', '.join(places)})"
            return self._of_numbers(expression, names, inputs, type)
        if self.name != "power":  # whose operator knows the exponents 2, 1/2 and -1
            known = self.places(names, inputs)
            if known != places:
                places, expression = known, f"{function}({', '.join(known)})"
        elif inputs[1].is_scalar_constant:
            return Code(expression, is_contiguous=None)
        # NumPy asks for the keyword where a third array could be meant as one more to compare.
        keyword = "out=" if self.name in ("maximum", "minimum") else ""
        return Code(
            expression,
            f"{function}({', '.join(places)}, {keyword}{{out}})",
            in_place=True,
            is_contiguous=None,
        )

    def _of_numbers(
        self, expression: str, names: Namer, inputs: Sequence[Operand], type: ArrayType
    ) -> Code:
        """The code for single numbers: also for Python's, where NumPy's loop runs on such."""
        code = Code(expression)
        if type.weak:
            return code  # the operator is Python's own, with its errors
        operands = self.operands([operand.type for operand in inputs])
        loop = {dtype.char for dtype in input_dtypes(self.ufunc, operands)}
        if loop == {"?"}:
            booleans = all(operand.type.dtype == np.bool_ for operand in inputs)
            table = PYTHON_OF_BOOLEANS if booleans else PYTHON_TRUTH
            return code._replace(python=table.get(self.name))
        numbers = [as_float(names, operand, n) for n, operand in enumerate(inputs)]
        if loop != {"d"} or None in numbers:
            return code
        if self.name in PYTHON:
            return code._replace(python=PYTHON[self.name].format(*numbers))
        if self.name not in PYTHON_WITHIN:
            return code
        expression, condition = (part.format(*numbers) for part in PYTHON_WITHIN[self.name])
        arguments = ", ".join(map(str, numbers))
        symbol = SYMBOLS.get(self.run)
        if symbol is None:
            loud = f"float(np.{self.ufunc.__name__}({arguments}))"
        else:
            loud = f"float(np.float64({numbers[0]}) {symbol} {numbers[1]})"
        silent = f"{names.function(f'numpy_{self.name}', silently(self.run))}({arguments})"
        return code._replace(
            python=f"({expression} if {condition} else {loud})",
            silent=f"({expression} if {condition} else {silent})",
        )

    def places(self, names: Namer, inputs: Sequence[Operand]) -> list[str]:
        """What stands for the inputs in a call on arrays: numbers as NumPy would convert them."""
        places = [f"{{{number}}}" for number in range(len(inputs))]
        if any(operand.is_scalar_constant for operand in inputs):
            operands = tuple(promotion_operand(operand.type) for operand in inputs)
            dtypes = input_dtypes(self.ufunc, operands)
            for number, (operand, dtype) in enumerate(zip(inputs, dtypes, strict=True)):
                if operand.is_scalar_constant:
                    array = array_constant(names, operand.value, dtype)
                    places[number] = array or places[number]
        return places

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """The sum of the maps, each applied to its tangent."""
        if self.locally_constant:
            return None
        total = None
        # As in reverse mode: partials may divide by zero where the tangent is zero.
        begun = None if self.is_linear else numpy_warnings.begin_silence()
        try:
            if len(inputs) == 1:  # written out as in `vjp`
                (tangent,), (partial,) = tangents, self.partials
                if tangent is not None:
                    total = widen(partial(tangent, output, inputs[0]), output)
            else:
                for tangent, partial in zip(tangents, self.partials):  # noqa: B905  (as many)
                    if tangent is not None:
                        term = widen(partial(tangent, output, *inputs), output)
                        total = term if total is None else total + term
        finally:
            if begun is not None:
                numpy_warnings.end_of_rule(begun)
        return total

    def vjp(self, cotangent: Any, inputs: Values, output: Any, needed: Values) -> Values:
        """Each map applied to the cotangent, and fitted to the input."""
        partials = self.partials
        if not partials:
            return (None,) * len(inputs)
        # Written out for one and two inputs: on small arrays the loop below takes twice as long.
        # So is what `conform` finds for numbers.
        if len(inputs) == 1:
            (x,) = inputs
            part = partials[0](cotangent, output, x)
            if type(part) is not float64 or type(x) is not float64:
                part = conform(part, x)
            return (part,)
        if len(inputs) == 2:
            x, y = inputs
            first, second = needed
            by_x, by_y = partials
            if first is not None:
                first = by_x(cotangent, output, x, y)
                if type(first) is not float64 or type(x) is not float64:
                    first = conform(first, x)
            if second is not None:
                second = by_y(cotangent, output, x, y)
                if type(second) is not float64 or type(y) is not float64:
                    second = conform(second, y)
            return first, second
        parts: list[Any] = []
        for need, partial, x in zip(needed, partials, inputs):  # noqa: B905  (as many, or it costs)
            if need is None:
                parts.append(None)
            else:
                parts.append(conform(partial(cotangent, output, *inputs), x))
        return parts

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Products, quotients and what is like them keep zeros by other primitives."""
        return None if self.keep is None else self.keep(inputs, marked)

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Line up the batch axes in front; broadcasting does the rest."""
        ranks = [
            len(shape_of(x)) - (axis is not None) for x, axis in zip(inputs, axes, strict=True)
        ]
        rank = max(ranks)
        moved = [
            x if axis is None else move_batch_axis(x, axis, rank)
            for x, axis in zip(inputs, axes, strict=True)
        ]
        return bind(self, *moved, **params), 0


def as_float(names: Namer, operand: Operand, number: int) -> str | None:
    """An input as a number that NumPy converts to float64, as Python's float.

    Args:
        names: Gives names to constants.
        operand: The input, a single number.
        number: Its number.

    Returns:
        A template; None for numbers that are not real, or too large.
    """
    if operand.type.dtype == np.float64:
        return f"{{{number}}}"
    if operand.type.dtype.kind not in "biuf" or operand.type.dtype.itemsize > 8:
        return None
    if not operand.is_scalar_constant:
        return f"float({{{number}}})"
    try:
        return names.constant(float(operand.value))
    except OverflowError:
        return None


_NOT_WEAK_IN_PROMOTION = {bool: np.dtype(np.bool_)}


@lru_cache(maxsize=4096)
def ufunc_dtype(ufunc: np.ufunc, operands: tuple[Any, ...]) -> np.dtype[Any]:
    """The dtype of a ufunc's (first) output for operands given as dtypes or Python types."""
    return resolved_dtypes(ufunc, operands)[ufunc.nin]


@lru_cache(maxsize=4096)
def input_dtypes(ufunc: np.ufunc, operands: tuple[Any, ...]) -> tuple[np.dtype[Any], ...]:
    """The dtypes to which a ufunc converts operands given as dtypes or Python types."""
    return resolved_dtypes(ufunc, operands)[: ufunc.nin]


def resolved_dtypes(ufunc: np.ufunc, operands: tuple[Any, ...]) -> tuple[np.dtype[Any], ...]:
    """The dtypes of the loop that a ufunc runs: of its inputs, then of its outputs."""
    operands = tuple(_NOT_WEAK_IN_PROMOTION.get(operand, operand) for operand in operands)
    return ufunc.resolve_dtypes((*operands, *(None,) * ufunc.nout))


def of_ufunc(
    ufunc: np.ufunc,
    *partials: PartialMap,
    run: Callable[..., Any] | None = None,
    keep: ZeroKeeper | None = None,
    warns: bool = False,
    **traits: Any,
) -> Elementwise:
    """The primitive that a NumPy ufunc means on tracers.

    Args:
        ufunc: The NumPy ufunc.
        partials: One map for each input; none at all for a locally constant function.
        run: Python's operator for it, if there is one: faster on scalars.
        keep: Applies it so that zeros stay, where it is a product of its inputs.
        warns: Whether NumPy may warn of divisions by zero and invalid values for finite inputs.
        traits: Other attributes of `Primitive`.
    """
    primitive = Elementwise(
        ufunc.__name__, ufunc, *partials,
        run=run or ufunc, keeps_weak=run is not None, keep=keep, warns=warns, **traits,
    )  # fmt: skip
    UFUNCS[ufunc] = primitive
    return primitive


# Products that keep zeros. A zero cotangent or tangent stays zero whatever it is multiplied with,
# so that where(x > 0, sqrt(x), 0) has the derivative 0 at 0, and not 0 * inf = nan.


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


@cache
def silently(run: Callable[..., Any]) -> Callable[..., float]:
    """A function of float64 that does not warn of divisions by zero and invalid values."""

    def function(*numbers: float) -> float:
        begun = numpy_warnings.begin_silence()
        try:
            return float(run(*map(np.float64, numbers)))
        finally:
            numpy_warnings.end(begun)

    return function


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


# Arithmetic


def _keep_in_product(inputs: Sequence[Any], marked: Sequence[bool]) -> tuple[Any, Any] | None:
    t, factor = inputs if marked[0] else reversed(inputs)
    if not isinstance(factor, Tracer) and np.all(np.isfinite(factor)):
        return None
    return bind(kept_product, t, factor), True


def _keep_in_quotient(inputs: Sequence[Any], marked: Sequence[bool]) -> tuple[Any, Any] | None:
    t, divisor = inputs
    is_known = not isinstance(divisor, Tracer)
    if not marked[0] or (is_known and np.all(np.isfinite(divisor) & np.not_equal(divisor, 0))):
        return None
    return bind(kept_quotient, t, divisor), True


add = of_ufunc(
    np.add,
    lambda t, out, x, y: t,
    lambda t, out, x, y: t,
    run=operator.add,
    commutes=True,
    linear_in=(0, 1),
    reads_constants=False,
)
subtract = of_ufunc(
    np.subtract,
    lambda t, out, x, y: t,
    lambda t, out, x, y: -t,
    run=operator.sub,
    linear_in=(0, 1),
    reads_constants=False,
)
multiply = of_ufunc(
    np.multiply,
    lambda t, out, x, y: t * y,
    lambda t, out, x, y: t * x,
    run=operator.mul,
    keep=_keep_in_product,
    commutes=True,
    is_bilinear=True,
)
divide = of_ufunc(
    np.true_divide,
    lambda t, out, x, y: quotient_or_zero(t, y),
    lambda t, out, x, y: -product_or_zero(quotient_or_zero(t, y), out),
    run=operator.truediv,
    keep=_keep_in_quotient,
    warns=True,
    linear_in=(0,),
    product=multiply,
)
for _product in (product_or_zero_primitive, kept_product, zero_product):
    _product.plain = multiply
for _quotient in (quotient_or_zero_primitive, kept_quotient):
    _quotient.plain = divide
remainder = of_ufunc(
    np.remainder,
    lambda t, out, x, y: t,
    lambda t, out, x, y: -t * np.floor_divide(x, y),
    run=operator.mod,
    warns=True,
)
fmod = of_ufunc(
    np.fmod,
    lambda t, out, x, y: t,
    lambda t, out, x, y: -t * np.trunc(np.divide(x, y)),
    warns=True,
)
ldexp = of_ufunc(np.ldexp, lambda t, out, x, i: np.ldexp(t, i), lambda t, out, x, i: None)
negative = of_ufunc(np.negative, lambda t, out, x: -t, run=operator.neg, linear_in=(0,))
positive = of_ufunc(
    np.positive, lambda t, out, x: t, run=operator.pos, linear_in=(0,), keeps_values=True
)


def _power_by_base(t: Any, out: Any, x: Any, y: Any) -> Any:
    if type(y) is int or type(y) is float:  # a known exponent, which is never differentiated
        if y == 2:
            return t * (x + x)  # exactly 2 x; a sum is faster than a product with a number
        if y >= 1:
            return t * (y * x ** (y - 1))
        if y == 0:
            return product_or_zero(0.0, t)
        return product_or_zero(t, y * np.power(x, y - 1.0))
    # x**0 is 1 for every x, with derivative 0.
    return product_or_zero(t, product_or_zero(y, bind(power_in_rule, x, y - 1)))


def _power_by_exponent(t: Any, out: Any, x: Any, y: Any) -> Any:
    # At 0**0, where a power jumps from 1 to 0, its derivative by y is 0 by convention, as in JAX.
    if type(x) is int:
        x = float(x)  # one of more than 64 bits is no number to np.where
    return _power_in_rule_by_exponent(t, out, np.where(np.equal(y, 0) & np.equal(x, 0), 1, x), y)


def _power_in_rule_by_exponent(t: Any, out: Any, x: Any, y: Any) -> Any:
    # 0**y is 0 for every y > 0, so its derivative by y is 0 although log(0) is infinite. Where
    # y > 1 so is the derivative of that by x, but it would be computed from the logarithm.
    is_flat = np.logical_and(np.equal(x, 0), np.greater(np.real(y), 1))
    return bind(zero_product, t, product_or_zero(out, np.log(np.where(is_flat, 1, x))))


def _python_power(x: Any, y: Any) -> Any:
    """A power of Python's numbers whose type was recorded before the numbers were known."""
    result = x**y
    if type(result) is type(y):  # which is the type of x as well
        return result
    if type(x) is int:
        advice = "Give x as a float."
    else:
        advice = "Write np.power(x, y), which gives nan here, or give x as a complex number."
    raise OperandError(
        f"{x} ** {y} is {result} in Python, of type {type(result).__name__}, but x ** y was "
        f"recorded for all numbers of type {type(x).__name__}.",
        advice=advice,
    )


class Power(Elementwise):
    """``x ** y``. Of -inf, ``x**0.5`` is inf where NumPy takes a scalar, and nan in an array."""

    differs_for_scalars = True

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The operator, but where what it gives depends on the values."""
        x, y = inputs
        (type,) = outputs
        depends = type.weak and x.type.dtype.kind + y.type.dtype.kind in ("ii", "ff")
        if depends and (y.value is UNKNOWN or y.value < 0 or y.value % 1):
            return Code(f"{names.function('python_power', _python_power)}({{0}}, {{1}})")
        return super().numpy_code(names, inputs, outputs, **params)


power = Power(
    "power", np.power, _power_by_base, _power_by_exponent, run=operator.pow, keeps_weak=True
)
UFUNCS[np.power] = power
power_in_rule = Power(
    "power_in_rule", np.power, _power_by_base, _power_in_rule_by_exponent, run=np.power
)


square = of_ufunc(np.square, lambda t, out, x: t * (x + x))
reciprocal = of_ufunc(
    np.reciprocal, lambda t, out, x: -product_or_zero(quotient_or_zero(t, x), out), warns=True
)
sqrt = of_ufunc(np.sqrt, lambda t, out, x: quotient_or_zero(t, 2 * out), warns=True)
cbrt = of_ufunc(np.cbrt, lambda t, out, x: quotient_or_zero(quotient_or_zero(t, 3 * out), out))


SMALL = 500
"""Up to so many complex numbers one division takes less time than two of real ones."""


def _run_direction(x: Any, size: Any) -> Any:
    """The part of the direction along which something of a size lies: ``x / size``.

    It is 0 where the size is 0. Of infinite parts none is larger than another, and the finite ones
    beside them count nothing.
    """
    shape = shape_of(x)
    if not shape and not shape_of(size) and math.isfinite(size):
        return x / size if size else x * size
    divisor = np.where(size == 0, np.inf, size)
    is_finite = all_finite(size)
    if not is_finite:  # they are put in at the end
        divisor = np.where(np.isinf(x), 1, divisor)
    is_complex = dtype_of(x).kind == "c"
    if is_complex and shape == shape_of(size) and x.size > SMALL:
        # Part by part, in a third of the time of a division of complex numbers.
        ratio: Any = np.empty(shape, np.result_type(x, divisor))
        np.divide(x.real, divisor, ratio.real)
        np.divide(x.imag, divisor, ratio.imag)
    else:
        ratio = (x / divisor)[()]
    if is_finite:
        return ratio
    at_infinity = np.where(np.isinf(x.real), np.sign(x.real), 0)
    if is_complex:
        at_infinity = at_infinity + 1j * np.where(np.isinf(x.imag), np.sign(x.imag), 0)
    return np.where(np.isinf(size), at_infinity, ratio).astype(ratio.dtype)[()]


direction = Elementwise(
    "direction",
    np.divide,
    lambda t, out, x, size: bind(direction, t, size),
    lambda t, out, x, size: -bind(direction, t * out, size),
    run=_run_direction,
    is_fresh=True,
    warns=False,
)


def _absolute_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind != "c":
        return t * np.sign(x)
    return t * np.conjugate(bind(direction, x, out))


absolute = of_ufunc(np.absolute, _absolute_map, run=operator.abs)
fabs = of_ufunc(np.fabs, lambda t, out, x: t * np.sign(x))
hypot = of_ufunc(
    np.hypot,
    lambda t, out, x, y: t * bind(direction, x, out),
    lambda t, out, x, y: t * bind(direction, y, out),
    takes_infinity=True,
)
copysign = of_ufunc(
    np.copysign,
    lambda t, out, x, y: t * (np.sign(x) * np.copysign(1, y).astype(t.dtype)),
    lambda t, out, x, y: product_or_zero(0.0, t),
    keeps_nan=False,
)
nextafter = of_ufunc(
    np.nextafter,
    lambda t, out, x, y: t,  # but for the last digit it is x
    lambda t, out, x, y: product_or_zero(0.0, t),
)
heaviside = of_ufunc(
    np.heaviside,
    lambda t, out, x, y: product_or_zero(0.0, t),
    lambda t, out, x, y: np.where(np.equal(x, 0), t, 0),
)

# Exponentials and logarithms

exp = of_ufunc(np.exp, lambda t, out, x: t * out, takes_infinity=True)
exp2 = of_ufunc(np.exp2, lambda t, out, x: t * (out * math.log(2)), takes_infinity=True)
expm1 = of_ufunc(np.expm1, lambda t, out, x: t * (out + 1), takes_infinity=True)
log = of_ufunc(np.log, lambda t, out, x: quotient_or_zero(t, x), warns=True)
log2 = of_ufunc(np.log2, lambda t, out, x: quotient_or_zero(t * (1 / math.log(2)), x), warns=True)
log10 = of_ufunc(
    np.log10, lambda t, out, x: quotient_or_zero(t * (1 / math.log(10)), x), warns=True
)
log1p = of_ufunc(np.log1p, lambda t, out, x: quotient_or_zero(t, x + 1), warns=True)


def _is_moderate(x: Any) -> bool:
    """Whether all elements are small enough that adding log(2) changes them in any precision."""
    flat = x.ravel("K")
    return bool(abs(np.vdot(flat, flat)) < 1e10)  # one pass by BLAS; false where it is nan


def _share(base: Callable[[Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """The share of x in the sum of two exponentials; of equal infinities each has one half."""

    def share(x: Any, y: Any, out: Any) -> Any:
        if type(out) is np.ndarray and _is_moderate(out):
            return base(x - out)  # out is larger than x and y, and all are finite or -inf
        alone = base(np.where(x == out, 0, x - out))
        return np.where(np.logical_and(x == out, y == out), 0.5, alone)

    return share


_share_of_e, _share_of_2 = _share(np.exp), _share(np.exp2)

logaddexp = of_ufunc(
    np.logaddexp,
    lambda t, out, x, y: t * _share_of_e(x, y, out),
    lambda t, out, x, y: t * _share_of_e(y, x, out),
    takes_infinity=True,
)
logaddexp2 = of_ufunc(
    np.logaddexp2,
    lambda t, out, x, y: t * _share_of_2(x, y, out),
    lambda t, out, x, y: t * _share_of_2(y, x, out),
    takes_infinity=True,
)


def _run_sigmoid(x: Any) -> Any:
    # exp of a negative number cannot overflow, and both branches keep full relative precision.
    small = np.exp(-np.abs(x))
    return (np.where(x >= 0, 1, small) / (1 + small))[()]


sigmoid = Elementwise(
    "sigmoid",
    np.exp,
    lambda t, out, x: t * (out * (1 - out)),
    run=_run_sigmoid,
    is_fresh=True,
    is_bounded=True,
    keeps_nan=True,
)

# Trigonometric and hyperbolic functions

sin = of_ufunc(np.sin, lambda t, out, x: t * np.cos(x))
cos = of_ufunc(np.cos, lambda t, out, x: t * -np.sin(x))
tan = of_ufunc(np.tan, lambda t, out, x: t * (1 + out * out), warns=True)


# The square of a large number overflows where the derivative does not: so where numbers can be
# large, these are products and quotients of what is about as large as x.


def over_both(t: Any, first: Any, second: Any) -> Any:
    """Divided by the one and then by the other, whose product might overflow."""
    return quotient_or_zero(quotient_or_zero(t, first), second)


def _over_root_of_difference(t: Any, x: Any) -> Any:
    """Divided by ``sqrt(1 - x**2)``, on the branch of the inverse sine."""
    if dtype_of(x).kind == "c":
        # Not 1 - x: on the branch cut the sign of the imaginary zero tells the side.
        return over_both(t, np.sqrt(-(x - 1)), np.sqrt(1 + x))
    return quotient_or_zero(t, np.sqrt(1 - x * x))


def _arctan_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        return over_both(t, 1 + x * 1j, 1 - x * 1j)
    size = np.hypot(x, 1)
    return over_both(t, size, size)


def _arcsinh_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        return over_both(t, np.sqrt(1 + x * 1j), np.sqrt(-(x * 1j - 1)))
    return t / np.hypot(x, 1)


def _arctanh_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        return over_both(t, 1 - x, 1 + x)
    return quotient_or_zero(t, 1 - x * x)


def _turn(t: Any, part: Any, size: Any) -> Any:
    return bind(zero_product, quotient_or_zero(part, size), quotient_or_zero(t, size))


arcsin = of_ufunc(np.arcsin, lambda t, out, x: _over_root_of_difference(t, x), warns=True)
arccos = of_ufunc(np.arccos, lambda t, out, x: -_over_root_of_difference(t, x), warns=True)
arctan = of_ufunc(np.arctan, _arctan_map, warns=True, is_bounded=True)  # of complex numbers
arctan2 = of_ufunc(
    np.arctan2,
    lambda t, out, y, x: _turn(t, x, np.hypot(x, y)),
    lambda t, out, y, x: -_turn(t, y, np.hypot(x, y)),
    is_bounded=True,
)
sinh = of_ufunc(np.sinh, lambda t, out, x: t * np.cosh(x))
cosh = of_ufunc(np.cosh, lambda t, out, x: t * np.sinh(x))
tanh = of_ufunc(np.tanh, lambda t, out, x: t * (1 - out * out), is_bounded=True)
arcsinh = of_ufunc(np.arcsinh, _arcsinh_map)
arccosh = of_ufunc(
    np.arccosh,
    lambda t, out, x: quotient_or_zero(quotient_or_zero(t, np.sqrt(x - 1)), np.sqrt(x + 1)),
    warns=True,
)
arctanh = of_ufunc(np.arctanh, _arctanh_map, warns=True)
deg2rad = of_ufunc(np.deg2rad, lambda t, out, x: t * (math.pi / 180))
rad2deg = of_ufunc(np.rad2deg, lambda t, out, x: t * (180 / math.pi))
UFUNCS[np.radians] = deg2rad
UFUNCS[np.degrees] = rad2deg

# Complex numbers. Each map is linear over the real numbers; the family takes the real part where
# the output (or the input) is real: imag(z) is the real part of -1j * z.

conjugate = of_ufunc(np.conjugate, lambda t, out, x: np.conjugate(t), linear_in=(0,))


class _OfParts(Elementwise):
    """The complex number of a real and an imaginary part.

    The sum ``x + y * 1j`` is another one where ``y`` is infinite, as 0 times infinity is nan, or
    where ``x`` is a negative zero.
    """

    def infer(self, *types: ArrayType) -> ArrayType:
        """The complex dtype with parts of the dtype of both."""
        type = super().infer(*types)
        return type._replace(dtype=np.result_type(type.dtype, np.complex64))


def _run_of_parts(x: Any, y: Any) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    dtype = np.result_type(x.dtype, y.dtype, np.complex64)
    result = np.empty(np.broadcast_shapes(x.shape, y.shape), dtype)
    result.real, result.imag = x, y
    return result[()]


# t comes first in these products: 1j * np.float64(1) is a complex number of Python's.
complex_of = _OfParts(
    "complex_of",
    np.add,
    lambda t, out, x, y: t,
    lambda t, out, x, y: t * 1j,
    run=_run_of_parts,
    linear_in=(0, 1),
    is_fresh=True,
    keeps_nan=True,
)


class RealValued(Elementwise):
    """A real function of a complex number."""

    def infer(self, *types: ArrayType) -> ArrayType:
        """The dtype of the parts of a complex number."""
        (type,) = types
        return ArrayType(type.shape, np.finfo(type.dtype).dtype)


class Part(RealValued):
    """The real or the imaginary part: a view of the complex array, a number of Python's of one."""

    makes_views = True
    makes_scalars = False
    warns = False
    linear_in = (0,)
    keeps_nan = True

    def infer(self, *types: ArrayType) -> ArrayType:
        """As of other functions, weak where the number is."""
        return super().infer(*types)._replace(weak=types[0].weak)

    def written_back(self, input: Any, view: Any) -> Any:
        """The numbers of the two parts."""
        if self is real:
            return bind(complex_of, view, np.imag(input))
        return bind(complex_of, np.real(input), view)


real = Part("real", np.conjugate, lambda t, out, x: t, run=operator.attrgetter("real"))
imag = Part("imag", np.conjugate, lambda t, out, x: t * -1j, run=operator.attrgetter("imag"))


def _angle_map(t: Any, out: Any, x: Any) -> Any:
    """``-1j * t / x``; at zero 0, as of `arctan2`."""
    size = np.abs(x)
    along = t * np.conjugate(bind(direction, x, size))
    return bind(direction, along, size) * -1j


angle_primitive = RealValued(
    "angle",
    np.conjugate,
    _angle_map,
    run=np.angle,
    is_fresh=True,
)


# Choices. Ties share the derivative equally.


def _won(is_ahead: Any, is_tie: Any, t: Any) -> Any:
    if type(is_tie) is np.ndarray and not np.count_nonzero(is_tie):
        return bind(select, is_ahead, t, 0)
    return bind(select, is_ahead, t, bind(select, is_tie, t * 0.5, 0))


def _winner(is_ahead: np.ufunc) -> tuple[PartialMap, PartialMap]:
    return (
        lambda t, out, x, y: _won(is_ahead(x, y), x == y, t),
        lambda t, out, x, y: _won(is_ahead(y, x), x == y, t),
    )


maximum = of_ufunc(np.maximum, *_winner(np.greater))
minimum = of_ufunc(np.minimum, *_winner(np.less))


def _winner_over_nan(is_ahead: np.ufunc) -> tuple[PartialMap, PartialMap]:
    first, second = _winner(is_ahead)
    return (
        lambda t, out, x, y: bind(select, np.isnan(y), t, first(t, out, x, y)),
        lambda t, out, x, y: bind(select, np.isnan(x), t, second(t, out, x, y)),
    )


fmax = of_ufunc(np.fmax, *_winner_over_nan(np.greater), keeps_nan=False)
fmin = of_ufunc(np.fmin, *_winner_over_nan(np.less), keeps_nan=False)
for _choice in (maximum, minimum, fmax, fmin):
    _choice.makes_zeros = _choice.makes_zero_tangents = True


class Select(Elementwise):
    """``where(condition, x, y)``."""

    is_fresh = True
    makes_zeros = makes_zero_tangents = True
    makes_arrays = True
    makes_scalars = False
    warns = False
    linear_in = (1, 2)
    keeps_nan = (False, True, True)

    def infer(self, *types: ArrayType) -> ArrayType:
        """The broadcast shape, and the dtype to which the two alternatives promote."""
        shape = broadcast_shapes(*(type.shape for type in types))
        return ArrayType(shape, result_dtype(*types[1:]))

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's function, or the choice of bits; of numbers Python's choice."""
        python = None
        type = outputs[0]
        if ANY_LENGTH not in type.shape and type.size >= MANY:
            operands = [x.value if x.is_scalar_constant else x.type for x in inputs]
            if by_bits(*operands):
                name = names.function("choose", choose)
                call = f"{name}({{0}}, {{1}}, {{2}}"
                is_between_two = all(x.type.shape for x in inputs)
                return Code(f"{call})", f"{call}, {{out}})", in_place=not is_between_two)
        if not outputs[0].shape and outputs[0].dtype == np.float64:
            x, y = (as_float(names, inputs[n], n) for n in (1, 2))
            python = None if x is None or y is None else f"({x} if {{0}} else {y})"
        return Code("np.where({0}, {1}, {2})", python=python)


select = Select(
    "select",
    np.logical_and,
    lambda t, out, condition, x, y: t * 0,
    lambda t, out, condition, x, y: bind(select, condition, t, 0),
    lambda t, out, condition, x, y: bind(select, condition, 0, t),
    run=choose,
    reads_constants=(True, False, False),
)


# Locally constant functions

for _ufunc in (
    np.floor, np.ceil, np.trunc, np.rint, np.signbit, np.isfinite, np.isinf, np.isnan, np.isnat,
):  # fmt: skip
    of_ufunc(_ufunc)

of_ufunc(np.spacing)
of_ufunc(np.bitwise_count)

logical_not = of_ufunc(np.logical_not)

for _ufunc in (np.logical_and, np.logical_or, np.logical_xor, np.gcd, np.lcm):
    of_ufunc(_ufunc, commutes=True)

for _ufunc, _operator in {
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
    np.bitwise_xor: operator.xor,
}.items():
    of_ufunc(_ufunc, run=_operator, commutes=True)

for _ufunc, _operator in {
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.invert: operator.invert,
    np.left_shift: operator.lshift,
    np.right_shift: operator.rshift,
}.items():
    of_ufunc(_ufunc, run=_operator)

of_ufunc(np.floor_divide, run=operator.floordiv, warns=True)

sign_primitive = of_ufunc(np.sign)


class Round(LocallyConstant):
    """Rounding to decimals."""

    is_fresh = True
    makes_scalars = True

    def run(self, x: Any, *, decimals: int) -> Any:
        """Round half to even."""
        return np.round(x, decimals)

    def infer(self, x: ArrayType, *, decimals: int) -> ArrayType:
        """The same dtype, except that NumPy makes booleans halves, and refuses them decimals."""
        return ArrayType(x.shape, np.round(np.zeros(1, x.dtype), decimals).dtype)

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Round the whole batch."""
        return bind(self, *inputs, **params), axes[0]


round_primitive = Round("round")
