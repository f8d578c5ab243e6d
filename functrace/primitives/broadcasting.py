"""The family of elementwise primitives: ufuncs, with broadcasting and promotion.

Each primitive states, for each input, the linear map ``t -> t * d(output)/d(input)`` as a function
of ``t``, the output and the inputs. Such a map is diagonal, so the same function serves forward
mode (``t`` a tangent) and reverse mode (``t`` a cotangent). Broadcasting and promotion, and their
adjoints, are the family's business.

Complex numbers: the maps are complex-linear, and reverse mode applies them without conjugation,
which is the convention of JAX and autograd. Where the output is real (``abs``) or the input is,
the family takes the real part.
"""

from __future__ import annotations

import inspect
import operator
import sys
from collections.abc import Callable, Sequence
from dis import get_instructions
from functools import cache, lru_cache
from types import CodeType
from typing import Any

import numpy as np
from numpy import float64

from functrace.ir.emission import Code, Namer, Operand, Operands, array_constant
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.types import (
    ArrayType,
    broadcast_shapes,
    promotion_operand,
)
from functrace.primitives.linear import (
    conform,
    move_batch_axis,
    shape_of,
    widen,
)
from functrace.tracing import numpy_warnings
from functrace.tracing.tables import UFUNCS
from functrace.tracing.tracer import bind

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
        over: The same maps where they can write their result over ``t``, an array that nobody else
            has: of large arrays that takes a third of the time, as there is one less to go through.
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
        over: Sequence[PartialMap | None] = (),
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
            over: For each input the map that writes over ``t``, or None.
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
        self.over = over
        self.may_write_over = bool(over)
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

    def read_back(self, needed: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
        """What the maps of these inputs mention."""
        if not self.is_own or type(self).vjp is not Elementwise.vjp:
            return super().read_back(needed)
        count = len(needed)
        read = [
            _mentioned(partial, 2 + count)
            for partial, is_needed in zip(self.partials, needed, strict=True)
            if is_needed
        ]
        output, *inputs = (any(places) for places in zip(*read, strict=True))
        return tuple(inputs), output

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

    def vjp_over(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """As `vjp`; the last map writes over the cotangent, unless a part before it is that."""
        count = len(inputs)
        last = max(number for number in range(count) if needed[number] is not None)
        over = self.over[last]
        if over is None or cotangent.shape != output.shape or cotangent.dtype != output.dtype:
            return self.vjp(cotangent, inputs, output, needed)
        parts: list[Any] = [None] * count
        references = sys.getrefcount(cotangent)
        for number in range(last):
            if needed[number] is not None:
                part = self.partials[number](cotangent, output, *inputs)
                parts[number] = conform(part, inputs[number])
                part = None
        if sys.getrefcount(cotangent) > references:
            over = self.partials[last]
        parts[last] = conform(over(cotangent, output, *inputs), inputs[last])
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


def _mentioned(partial: PartialMap, count: int) -> list[bool]:
    """Which of its arguments a map makes use of, but for the first one: as its code tells."""
    code: CodeType | None = getattr(partial, "__code__", None)
    if code is None or code.co_argcount != count or code.co_flags & _TAKES_MORE:
        return [True] * (count - 1)
    names = set[str](code.co_cellvars)
    for instruction in get_instructions(code):
        found = instruction.argval
        names.update(found if isinstance(found, tuple) else (found,))
    return [name in names for name in code.co_varnames[1:count]]


_TAKES_MORE = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


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
    over: Sequence[PartialMap | None] = (),
    warns: bool = False,
    **traits: Any,
) -> Elementwise:
    """The primitive that a NumPy ufunc means on tracers.

    Args:
        ufunc: The NumPy ufunc.
        partials: One map for each input; none at all for a locally constant function.
        run: Python's operator for it, if there is one: faster on scalars.
        keep: Applies it so that zeros stay, where it is a product of its inputs.
        over: For each input the map that writes over ``t``, or None.
        warns: Whether NumPy may warn of divisions by zero and invalid values for finite inputs.
        traits: Other attributes of `Primitive`.
    """
    primitive = Elementwise(
        ufunc.__name__, ufunc, *partials,
        run=run or ufunc, keeps_weak=run is not None, keep=keep, over=over, warns=warns,
        **traits,
    )  # fmt: skip
    UFUNCS[ufunc] = primitive
    return primitive


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
