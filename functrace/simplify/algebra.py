"""Laws of arithmetic and of shapes, as far as they hold exactly.

A rule is a function of an equation and the `Scope`. It returns the atom that stands for the
equation's output, or an equation that makes the same output in another way, or None where it does
not apply. `RULES` lists the laws of single primitives; those of all that are elementwise, or keep
values, follow from what a primitive says of itself. A rule need not check the type of what it
returns: `simplify_algebra` takes nothing that has another shape, dtype or weakness than the output.
The line after a rule's name says why it is exact.

"Exact" is meant for each bit of a value, signed zeros, infinities and nans included, but not for
the sign and the payload of a nan. Rules that hold up to rounding, or but for the sign of a zero,
say so: powers, sums of what is repeated, of multiples and of products, multiples of multiples,
adding at an index, and the order in which contractions add.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.program import Atom, Constant, Equation, Program
from functrace.ir.types import ArrayType
from functrace.primitives import contracting, elementwise, indexing, linear, reducing, shaping
from functrace.simplify.indices import (
    are_alike,
    full_index,
    has_same_index,
    merged_index,
    relative_index,
)
from functrace.simplify.rewriting import Scope, has_unknown_length, inferred_type, is_known, rewrite
from functrace.simplify.writes import last_write

Rule = Callable[[Equation, Scope], "Equation | Atom | None"]

LARGEST_POWER = 8
"""Up to this exponent a power is written as products."""

LARGEST_NEGATED = 4096
"""A constant with more elements is not negated beforehand, which takes memory."""

MODERATE = 2.0**16
"""Factors from 1 to this are moved: behind a sum, for example. What is infinite after the product
in its new place was infinite in the old one as well."""

SMALLEST_MATRIX = 256
"""Stacks of matrices with fewer elements are multiplied and summed, not contracted."""

LARGEST_SINGLE_SUM = 4096
"""In single precision BLAS adds up at most so many products."""

_DEEPEST_PRODUCT = 3  # how many products within products are looked at for a sign

_FULL = (np.dtype(np.float32), np.dtype(np.float64))  # precisions in which factors are moved

NEAR_WRITE = 16
SMALL_WRITE = 4096
"""What was written is used in place of what is read if fewer other writes came between, or if it
has no more bytes than that: what is larger would be kept for long beside the array."""

_ATTEMPTS = 8  # how many rules are applied to one equation, one after the other, in one pass


def simplify_algebra(program: Program, laws: Laws | None = None) -> Program:
    """Apply rules to each equation.

    Args:
        program: The Program.
        laws: The rules; by default those of this file that hold whatever runs the Program.

    Returns:
        The simplified Program; the same Program, if no rule applies. Equations that nothing uses
        any more are still in it.
    """
    step = partial(_simplified, LAWS if laws is None else laws)
    return rewrite(program, step, counts_uses=True)


def _simplified(laws: Laws, equation: Equation, scope: Scope) -> None:
    for _ in range(_ATTEMPTS):
        better = _improved(laws, equation, scope)
        if better is None:
            break
        if not isinstance(better, Equation):
            scope.replace(equation.outputs[0], better)
            return
        equation = better
    scope.append(equation)


def _improved(laws: Laws, equation: Equation, scope: Scope) -> Equation | Atom | None:
    """What the first rule that applies makes of an equation."""
    outputs = equation.outputs
    for rule in laws[equation.primitive, bool(outputs and outputs[0].type.shape)]:
        better = rule(equation, scope)
        if better is None:
            continue
        if isinstance(better, Equation):
            type = inferred_type(better.primitive, better.inputs, better.params)
        else:
            type = better.type
        if type == outputs[0].type:
            return better
    return None


class Laws(dict[tuple[Primitive, bool], tuple[Rule, ...]]):
    """The rules of each primitive, with those that hold for its family.

    The keys also say whether its output has axes: only then is there something to broadcast.
    """

    def __init__(self, rules: Mapping[Primitive, tuple[Rule, ...]]) -> None:
        super().__init__()
        self.rules = rules

    def __missing__(self, key: tuple[Primitive, bool]) -> tuple[Rule, ...]:
        primitive, has_axes = key
        rules = self.rules.get(primitive, ())
        if primitive.is_elementwise and has_axes:
            rules = (*ELEMENTWISE, *rules)
        if primitive.keeps_values:
            rules = (*rules, _same_values)
        self[key] = rules
        return rules


# What constants are


def _number(atom: Atom, scope: Scope) -> Any:
    """The value of a constant all of whose elements are the same; None for any other atom."""
    found = scope.uniform(atom)
    return None if found is None else found.value


def _is_one(atom: Atom, scope: Scope) -> bool:
    value = _number(atom, scope)
    return value is not None and bool(value == 1)


def _is_zero(atom: Atom, scope: Scope, *, negative: bool) -> bool:
    """Whether a constant is the integer 0, or the floating-point zero with this sign."""
    value = _number(atom, scope)
    if value is None or value != 0 or isinstance(value, complex | np.complexfloating):
        return False
    return not isinstance(value, float | np.floating) or bool(np.signbit(value)) is negative


def _is_finite_nonzero(atom: Atom) -> bool:
    """Whether a constant has neither zeros, nor infinities, nor nans."""
    if not isinstance(atom, Constant) or not is_known(atom):
        return False
    return bool(np.all(np.isfinite(atom.value)) and np.all(atom.value))


def _has_no_zeros(atom: Atom) -> bool:
    return isinstance(atom, Constant) and is_known(atom) and bool(np.all(atom.value))


def _negated(atom: Atom) -> Constant | None:
    """The negative of a constant of real floating-point numbers."""
    if not isinstance(atom, Constant) or not is_known(atom):
        return None
    if atom.type.dtype.kind != "f" or atom.type.size > LARGEST_NEGATED:
        return None
    return Constant(-atom.value, atom.type)


def _other_inputs(equation: Equation, number: int, atom: Atom) -> list[Atom]:
    """The inputs of an equation with one of them replaced."""
    inputs = list(equation.inputs)
    inputs[number] = atom
    return inputs


# All elementwise primitives


def _scalar_constants(equation: Equation, scope: Scope) -> Equation | None:
    """Each element meets the same number as before; the other inputs already give the shape."""
    if len(equation.inputs) == 1 or equation.primitive.differs_for_scalars:
        return None
    for number, atom in enumerate(equation.inputs):
        if isinstance(atom, Constant) and atom.type.shape:
            scalar = scope.uniform(atom)
            if scalar is not None:
                better = equation.replaced(inputs=_other_inputs(equation, number, scalar))
                if _has_output_type(better):
                    return better
    return None


def _repeated(atom: Atom, equation: Equation, scope: Scope) -> Atom | None:
    """What was broadcast to give this atom.

    A Python scalar has a dtype of its own when it was broadcast, and takes on that of the others
    where it was not. In comparisons that does not show in the output's dtype.
    """
    made = scope.made_by(atom, shaping.broadcast_to_primitive)
    if made is None:
        return None
    (x,) = made.inputs
    return None if x.type.weak and atom.type.dtype != equation.outputs[0].type.dtype else x


def _without_broadcasting(equation: Equation, scope: Scope) -> Equation | None:
    """The primitive broadcasts its inputs by itself, in the same way."""
    if len(equation.inputs) == 1:
        return None
    for number, atom in enumerate(equation.inputs):
        repeated = _repeated(atom, equation, scope)
        if repeated is not None:
            better = equation.replaced(inputs=_other_inputs(equation, number, repeated))
            if _has_output_type(better):
                return better
    return None


def _before_broadcasting(equation: Equation, scope: Scope) -> Equation | None:
    """What is repeated is computed once before. Complex scalars are rounded otherwise."""
    if equation.primitive.differs_for_scalars or any(
        atom.type.dtype.kind == "c" for atom in (*equation.inputs, *equation.outputs)
    ):
        return None
    inputs: list[Atom] = []
    for atom in equation.inputs:
        repeated = _repeated(atom, equation, scope)
        inputs.append(atom if repeated is None else repeated)
    output = equation.outputs[0].type
    if inputs == list(equation.inputs) or has_unknown_length(output):
        return None
    type = inferred_type(equation.primitive, inputs, equation.params)
    if type is None or type.size >= output.size or type != output._replace(shape=type.shape):
        return None
    if _may_warn_of_overflow(type):
        return None
    once = scope.emit(equation, equation.primitive, *inputs, **equation.params)
    return equation.replaced(
        primitive=shaping.broadcast_to_primitive, inputs=[once], params={"shape": output.shape}
    )


def _may_warn_of_overflow(type: ArrayType) -> bool:
    """Whether NumPy warns where integers wrap around, as it does of scalars, but not of arrays."""
    return not type.shape and not type.weak and type.dtype.kind in "iu"


def _has_output_type(equation: Equation) -> bool:
    found = inferred_type(equation.primitive, equation.inputs, equation.params)
    return found == equation.outputs[0].type


# Arithmetic


def _times_one(equation: Equation, scope: Scope) -> Atom | None:
    """``x * 1`` is x, but for complex x: there ``inf * (1 + 0j)`` has a nan in it."""
    if equation.outputs[0].type.dtype.kind != "c":
        for factor, x in (equation.inputs, equation.inputs[::-1]):
            if _is_one(factor, scope):
                return x
    return None


def _over_one(equation: Equation, scope: Scope) -> Atom | None:
    """``x / 1`` is x, but for complex x."""
    x, divisor = equation.inputs
    return x if equation.outputs[0].type.dtype.kind != "c" and _is_one(divisor, scope) else None


def _to_the_one(equation: Equation, scope: Scope) -> Atom | None:
    """``x**1`` is x."""
    x, exponent = equation.inputs
    return x if equation.outputs[0].type.dtype.kind != "c" and _is_one(exponent, scope) else None


def _minus_zero(equation: Equation, scope: Scope) -> Atom | None:
    """``x - 0.0`` is x, -0.0 included; ``x - (-0.0)`` makes 0.0 of -0.0."""
    x, zero = equation.inputs
    return x if _is_zero(zero, scope, negative=False) else None


def _plus_zero(equation: Equation, scope: Scope) -> Atom | None:
    """``x + (-0.0)`` is x, as is ``x + 0`` of integers; ``x + 0.0`` makes 0.0 of -0.0."""
    kind = equation.outputs[0].type.dtype.kind
    for zero, x in (equation.inputs, equation.inputs[::-1]):
        if kind in "iub":
            if _is_zero(zero, scope, negative=False):
                return x
        elif kind == "f" and zero.type.dtype.kind == "f" and _is_zero(zero, scope, negative=True):
            return x
    return None


def _minuend(atom: Atom, equation: Equation, scope: Scope) -> Atom | None:
    """What was negated to give this atom, in the dtype of the equation's output.

    In another dtype it would be something else: the negative of an unsigned 1 is 255.
    """
    made = scope.made_by(atom, elementwise.negative)
    if made is None or atom.type.dtype != equation.outputs[0].type.dtype:
        return None
    return made.inputs[0]


def _negated_product(
    atom: Atom, equation: Equation, scope: Scope, depth: int = _DEEPEST_PRODUCT
) -> Atom | None:
    """The product x * y where the atom is (-x) * y, which is its negative exactly.

    The factor may be such a product in turn.
    """
    made = scope.used_once_by(atom, elementwise.multiply)
    if made is None or atom.type != equation.outputs[0].type or atom.type.dtype.kind != "f":
        return None
    for number, factor in enumerate(made.inputs):
        taken = _minuend(factor, equation, scope)
        if taken is None and depth:
            taken = _negated_product(factor, equation, scope, depth - 1)
        if taken is not None:
            inputs = _other_inputs(made, number, taken)
            if inferred_type(made.primitive, inputs, {}) == atom.type:
                return scope.emit(made, made.primitive, *inputs)
    return None


def _plus_negative(equation: Equation, scope: Scope) -> Equation | None:
    """``x + (-y)`` is ``x - y``: so IEEE 754 defines subtraction, and integers wrap around."""
    for x, y in (equation.inputs, equation.inputs[::-1]):
        taken = _minuend(y, equation, scope) or _negated_product(y, equation, scope)
        if taken is not None:
            return equation.replaced(primitive=elementwise.subtract, inputs=[x, taken])
    return None


def _minus_negative(equation: Equation, scope: Scope) -> Equation | None:
    """``x - (-y)`` is ``x + y``, as above."""
    x, y = equation.inputs
    taken = _minuend(y, equation, scope) or _negated_product(y, equation, scope)
    if taken is None:
        return None
    return equation.replaced(primitive=elementwise.add, inputs=[x, taken])


def _double_negative(equation: Equation, scope: Scope) -> Atom | None:
    """``-(-x)`` is x: a bit is flipped twice, and integers wrap around."""
    (x,) = equation.inputs
    return _minuend(x, equation, scope) or _negated_product(x, equation, scope)


def _negative_factors(equation: Equation, scope: Scope) -> Equation | None:
    """``(-x) * (-y)`` is ``x * y``, as are quotients: signs are apart from magnitudes."""
    if equation.outputs[0].type.dtype.kind != "f":
        return None
    given = [_minuend(atom, equation, scope) for atom in equation.inputs]
    inputs = [atom for atom in given if atom is not None]
    return equation.replaced(inputs=inputs) if len(inputs) == len(given) else None


def _negative_factor(equation: Equation, scope: Scope) -> Equation | None:
    """``(-x) * c`` is ``x * (-c)``, as are quotients: signs are apart from magnitudes."""
    x, y = equation.inputs
    if equation.outputs[0].type.dtype.kind != "f":
        return None  # of a complex zero only both signs together can change
    for negated, constant, is_swapped in ((x, y, False), (y, x, True)):
        taken = _minuend(negated, equation, scope)
        factor = None if taken is None else _negated(constant)
        if taken is not None and factor is not None:
            inputs = [factor, taken] if is_swapped else [taken, factor]
            return equation.replaced(inputs=inputs)
    return None


def _negative_of_product(equation: Equation, scope: Scope) -> Equation | None:
    """``-(x * c)`` is ``x * (-c)``, as are quotients: rounding is the same for both signs."""
    made = scope.used_once_by(equation.inputs[0], elementwise.multiply) or scope.used_once_by(
        equation.inputs[0], elementwise.divide
    )
    if made is None or made.outputs[0].type.dtype.kind != "f":
        return None
    for number, atom in enumerate(made.inputs):
        factor = _negated(atom)
        if factor is not None:
            return equation.replaced(
                primitive=made.primitive, inputs=_other_inputs(made, number, factor)
            )
    return None


def _as_products(equation: Equation, scope: Scope) -> Equation | None:
    """``x**2`` is ``x * x``; higher powers are so up to the rounding of at most three products.

    Integers wrap around in the same way. NumPy's own power is slower by an order of magnitude, and
    products are shared with those in the derivative.
    """
    x, exponent = equation.inputs
    value = _number(exponent, scope)
    type = equation.outputs[0].type
    if value is None or isinstance(value, complex | np.complexfloating):
        return None
    if x.type != type or not 2 <= value <= LARGEST_POWER or value != int(value):
        return None
    if type.dtype.kind not in "fiu" or (value > 2 and type.dtype == np.float16):
        return None  # NumPy squares complex zeros with other signs, and rounds half floats once
    if _may_warn_of_overflow(type):
        return None
    return _power(equation, scope, x, int(value))


def _power(equation: Equation, scope: Scope, x: Atom, exponent: int) -> Equation:
    """Multiply the squares, squares of squares, ... that the exponent's bits name."""
    factors: list[Atom] = []
    square = factor = x
    while exponent > 1:
        if exponent % 2:
            factors.insert(0, square)
        exponent //= 2
        factor = square
        if exponent > 1 or factors:
            square = scope.emit(equation, elementwise.multiply, factor, factor)
    inputs: list[Atom] = [square, factors.pop(0)] if factors else [factor, factor]
    while factors:
        inputs = [scope.emit(equation, elementwise.multiply, *inputs), factors.pop(0)]
    return equation.replaced(primitive=elementwise.multiply, inputs=inputs)


def _square(equation: Equation, scope: Scope) -> Equation | None:
    """NumPy squares by ``x * x``, but for the signs of complex zeros."""
    x = equation.inputs[0]
    if x.type.dtype.kind == "c" or _may_warn_of_overflow(x.type):
        return None
    return equation.replaced(primitive=elementwise.multiply, inputs=[x, x])


def _multiple_of_double(equation: Equation, scope: Scope) -> Equation | None:
    """``c * (x + x)`` is ``(2 * c) * x`` for abs(c) >= 1: to double is exact.

    Where x + x is infinite, so are both. (For a smaller c only the first would be.)
    """
    for factor, double in (equation.inputs, equation.inputs[::-1]):
        made = scope.used_once_by(double, elementwise.add)
        if made is None or made.inputs[0] is not made.inputs[1] or not _is_moderate(factor, scope):
            continue
        (x, _), type = made.inputs, double.type
        if type.dtype in _FULL and x.type == type == equation.outputs[0].type:
            value: Any = scope.uniform(factor)
            twice = Constant(value.value * 2)
            if factor.type.dtype.kind == "f" and twice.type == value.type:
                return equation.replaced(inputs=[twice, x])
    return None


def _double_of_multiple(equation: Equation, scope: Scope) -> Equation | None:
    """``c * x + c * x`` is ``(2 * c) * x``, but for the rounding of the smallest numbers."""
    first, second = equation.inputs
    made = scope.made_by(first, elementwise.multiply)
    if first is not second or made is None or scope.uses.get(first) != 2:
        return None
    if first.type.dtype not in _FULL:
        return None
    for factor, x in (made.inputs, made.inputs[::-1]):
        value = scope.uniform(factor) if _is_moderate(factor, scope) else None
        if value is not None and factor.type.dtype.kind == "f" and x.type == first.type:
            return made.replaced(inputs=[Constant(value.value * 2), x], outputs=equation.outputs)
    return None


def _negative_of_double(equation: Equation, scope: Scope) -> Equation | None:
    """``-(x + x)`` is ``-2 * x``: to double is exact."""
    made = scope.used_once_by(equation.inputs[0], elementwise.add)
    type = equation.outputs[0].type
    if made is None or made.inputs[0] is not made.inputs[1] or type.dtype.kind != "f":
        return None
    factor = Constant(type.dtype.type(-2))
    return equation.replaced(primitive=elementwise.multiply, inputs=[factor, made.inputs[0]])


def _multiple_of_multiple(equation: Equation, scope: Scope) -> Equation | None:
    """``c * (d * x)`` is ``(c * d) * x`` up to rounding, for factors of moderate size.

    With abs(c) >= 1 both are infinite where d * x is; with abs(d) <= 1 that never is.
    """
    type = equation.outputs[0].type
    for factor, inner in (equation.inputs, equation.inputs[::-1]):
        made = scope.used_once_by(inner, elementwise.multiply)
        if made is None or inner.type != type or type.dtype not in _FULL:
            continue
        for other, x in (made.inputs, made.inputs[::-1]):
            numbers = [_number(c, scope) for c in (factor, other)]
            if x.type != type or not all(_is_float_within(c, 1 / MODERATE) for c in numbers):
                continue
            c, d = map(float, numbers)
            if abs(c) >= 1 or abs(d) <= 1:
                return equation.replaced(inputs=[Constant(type.dtype.type(c * d)), x])
    return None


# Products and quotients that keep zeros. Where nothing is infinite or nan, they are the plain ones;
# where something is, the sign of a zero that they keep is not stated.


def _plain_product(equation: Equation, scope: Scope) -> Equation | None:
    """Times a finite constant, or of a constant without zeros, no zero needs to be kept."""
    t, factor = equation.inputs
    if _has_no_zeros(t) or _is_finite_nonzero(factor):
        return equation.replaced(primitive=elementwise.multiply)
    return None


def _plain_quotient(equation: Equation, scope: Scope) -> Equation | None:
    """By a finite constant other than zero, or of a constant without zeros."""
    t, divisor = equation.inputs
    if _has_no_zeros(t) or _is_finite_nonzero(divisor):
        return equation.replaced(primitive=elementwise.divide)
    return None


def _product_of_choice(equation: Equation, scope: Scope) -> Equation | None:
    """Times a choice of zero or a number: the choice of zero or the number's product.

    What is not chosen needs no care then. The number is 1 at most, so that nothing overflows there.
    The zeros' sign is that of the choice.
    """
    t, factor = equation.inputs
    made = scope.used_once_by(t, elementwise.select)
    if made is None or t.type.shape != equation.outputs[0].type.shape:
        return None
    condition, *alternatives = made.inputs
    for number, atom in enumerate(alternatives):
        value, other = _number(atom, scope), _number(alternatives[1 - number], scope)
        if other is None or other != 0 or not _is_float_within(value, 0.0):
            continue
        if 0 < abs(value) <= 1:
            is_factor = value == 1 and factor.type == equation.outputs[0].type
            alternatives[number] = (
                factor if is_factor else scope.emit(equation, elementwise.multiply, atom, factor)
            )
            return equation.replaced(
                primitive=elementwise.select, inputs=[condition, *alternatives]
            )
    return None


# Choices


def _known_choice(equation: Equation, scope: Scope) -> Atom | None:
    """Where the condition is known, or both alternatives are one, there is no choice."""
    condition, x, y = equation.inputs
    if x is y and not has_unknown_length(equation.outputs[0].type):
        return x
    value = _number(condition, scope)
    return None if value is None else x if value else y


def _same_choice(equation: Equation, scope: Scope) -> Equation | None:
    """The second choice by one condition is made as the first was."""
    condition, x, y = equation.inputs
    if has_unknown_length(equation.outputs[0].type):
        return None
    for number, atom in ((1, x), (2, y)):
        made = scope.made_by(atom, elementwise.select)
        if made is not None and made.inputs[0] is condition:
            chosen = made.inputs[number]
            if chosen.type.dtype == atom.type.dtype:
                return equation.replaced(inputs=_other_inputs(equation, number, chosen))
    return None


def _opposite_choice(equation: Equation, scope: Scope) -> Equation | None:
    """``where(not c, x, y)`` is ``where(c, y, x)``."""
    condition, x, y = equation.inputs
    made = scope.made_by(condition, elementwise.logical_not)
    if made is None or made.inputs[0].type.dtype.kind != "b":
        return None
    return equation.replaced(inputs=[made.inputs[0], y, x])


# Shapes


def _same_values(equation: Equation, scope: Scope) -> Atom:
    """A copy has the values of the original, and no equation writes into either."""
    return equation.inputs[0]


def _same_shape(equation: Equation, scope: Scope) -> Atom | None:
    """A reshape, broadcast or cast to the type that a value has already changes nothing."""
    return equation.inputs[0]


def _merged_reshapes(equation: Equation, scope: Scope) -> Equation | None:
    """The order of elements stays in each reshape, hence in both together."""
    return _of_same_primitive(equation, scope)


def _merged_broadcasts(equation: Equation, scope: Scope) -> Equation | None:
    """What is repeated twice is repeated."""
    return _of_same_primitive(equation, scope)


def _of_same_primitive(equation: Equation, scope: Scope) -> Equation | None:
    made = scope.made_by(equation.inputs[0], equation.primitive)
    return None if made is None else equation.replaced(inputs=made.inputs)


def _cast_back(equation: Equation, scope: Scope) -> Atom | None:
    """A cast to a floating dtype that holds all values of the former, and back."""
    made = scope.made_by(equation.inputs[0], linear.cast)
    if made is None:
        return None
    (x,) = made.inputs
    holds_all = np.can_cast(x.type.dtype, made.params["dtype"], "safe")
    return x if x.type.dtype.kind in "fc" and holds_all else None


def _identity_transpose(equation: Equation, scope: Scope) -> Atom | None:
    """All axes stay where they are."""
    permutation = equation.params["permutation"]
    return equation.inputs[0] if permutation == tuple(range(len(permutation))) else None


def _merged_transposes(equation: Equation, scope: Scope) -> Equation | None:
    """Axis i is the inner transpose's axis p[i], which is its input's axis q[p[i]]."""
    made = scope.made_by(equation.inputs[0], equation.primitive)
    if made is None:
        return None
    inner = made.params["permutation"]
    permutation = tuple(inner[axis] for axis in equation.params["permutation"])
    return equation.replaced(inputs=made.inputs, params={"permutation": permutation})


def _transposed_contraction(equation: Equation, scope: Scope) -> Equation | None:
    """A contraction names the axes of its output in any order; only its rounding may differ."""
    made = scope.used_once_by(equation.inputs[0], contracting.contract)
    if made is None:
        return None
    operands, _, output = made.params["subscripts"].partition("->")
    permuted = "".join(output[axis] for axis in equation.params["permutation"])
    return made.replaced(params={"subscripts": f"{operands}->{permuted}"}, outputs=equation.outputs)


def _contraction_of_transposes(equation: Equation, scope: Scope) -> Equation | None:
    """A contraction names the axes of its operands in any order; only its rounding may differ."""
    operands, _, output = equation.params["subscripts"].partition("->")
    labels = operands.split(",")
    inputs = list(equation.inputs)
    for number, atom in enumerate(inputs):
        made = scope.made_by(atom, shaping.transpose_primitive)
        if made is not None:
            order = made.params["permutation"]
            inner = sorted(range(len(order)), key=order.__getitem__)
            labels[number] = "".join(labels[number][axis] for axis in inner)
            inputs[number] = made.inputs[0]
    if inputs == list(equation.inputs):
        return None
    return equation.replaced(
        inputs=inputs, params={"subscripts": f"{labels[0]},{labels[1]}->{output}"}
    )


def _whole_range(equation: Equation, scope: Scope) -> Atom | None:
    """Slices from the beginning to the end, by steps of one."""
    (x,) = equation.inputs
    axis = 0
    for item in equation.params["index"]:
        if item is Ellipsis:
            axis += x.type.ndim - len(equation.params["index"]) + 1
            continue
        if not isinstance(item, slice):
            return None
        length = x.type.shape[axis]
        if item != slice(None) and (length < 0 or item.indices(length) != (0, length, 1)):
            return None
        axis += 1
    return x


def _reshaped_sum(equation: Equation, scope: Scope) -> Equation | None:
    """Where the lengths of 1 are taken away again that a sum kept, it need not keep them."""
    for primitive in (reducing.sum_primitive, reducing.mean_primitive):
        made = scope.used_once_by(equation.inputs[0], primitive)
        if made is not None and made.params["keepdims"]:
            params = {**made.params, "keepdims": False}
            if inferred_type(primitive, made.inputs, params) == equation.outputs[0].type:
                return made.replaced(params=params, outputs=equation.outputs)
    return None


def _merged_indices(equation: Equation, scope: Scope) -> Equation | None:
    """Of a part by slices and numbers, a part by such is a part of the whole."""
    if len(equation.inputs) != 1:
        return None
    made = scope.made_by(equation.inputs[0], indexing.getitem_primitive)
    if made is None or len(made.inputs) != 1:
        return None
    (x,) = made.inputs
    if has_unknown_length(x.type):
        return None
    index = merged_index(x.type.shape, made.params["index"], equation.params["index"])
    return None if index is None else equation.replaced(inputs=[x], params={"index": index})


def _part_of_joined(equation: Equation, scope: Scope) -> Atom | None:
    """What was joined along an axis is there between its bounds."""
    if len(equation.inputs) != 1:
        return None
    made = scope.made_by(equation.inputs[0], shaping.concatenate_primitive)
    if made is None:
        return None
    axis = made.params["axis"]
    shape = made.outputs[0].type.shape
    index = full_index(shape, equation.params["index"])
    if index is None:
        return None
    for number, item in enumerate(index):
        whole = range(shape[number])
        taken = whole[item]
        if not isinstance(taken, range) or (number != axis and taken != whole):
            return None
    taken, start = range(shape[axis])[index[axis]], 0
    for x in made.inputs:
        if taken == range(start, start + x.type.shape[axis]):
            return x
        start += x.type.shape[axis]
    return None


def _reshaping_index(equation: Equation, scope: Scope) -> Equation | None:
    """Where all elements are taken, in their order, or added to zeros, axes come and go only.

    Of a scatter the sign of zeros changes.
    """
    if len(equation.inputs) != 1 or any(
        item is not None and item is not Ellipsis and item != slice(None)
        for item in equation.params["index"]
    ):
        return None
    shape = equation.outputs[0].type.shape
    if has_unknown_length(equation.outputs[0].type):
        return None
    return equation.replaced(primitive=shaping.reshape_primitive, params={"shape": shape})


def _sum_of_broadcast(equation: Equation, scope: Scope) -> Equation | None:
    """Equal terms are one term times n, up to rounding; 0.0 is added, as no sum is -0.0."""
    made = scope.made_by(equation.inputs[0], shaping.broadcast_to_primitive)
    output = equation.outputs[0]
    if made is None or output.type.dtype != made.outputs[0].type.dtype:
        return None
    if equation.params["dtype"] is not None or output.type.dtype.kind not in "fi":
        return None
    (x,) = made.inputs
    shape = made.params["shape"]
    extra = len(shape) - x.type.ndim
    axes = equation.params["axes"]
    summed = set(range(len(shape)) if axes is None else axes)
    repeated = {
        axis
        for axis, length in enumerate(shape)
        if axis < extra or x.type.shape[axis - extra] != length
    }
    count = int(np.prod([shape[axis] for axis in repeated]))
    if not repeated <= summed or count == 0 or output.type.dtype == np.float16:
        return None
    if _may_warn_of_overflow(output.type):
        return None
    own = tuple(axis - extra for axis in sorted(summed - repeated))
    if own:
        x = scope.emit(equation, reducing.sum_primitive, x, axes=own, keepdims=True, dtype=None)
    if x.type.shape != output.type.shape or x.type.weak:
        x = scope.emit(equation, shaping.reshape_primitive, x, shape=output.type.shape)
    number = Constant(output.type.dtype.type(count))
    if output.type.dtype.kind == "i" or own:
        return equation.replaced(primitive=elementwise.multiply, inputs=[x, number], params={})
    product = scope.emit(equation, elementwise.multiply, x, number)
    zero = Constant(output.type.dtype.type(0))
    return equation.replaced(primitive=elementwise.add, inputs=[product, zero], params={})


def _sum_of_negative(equation: Equation, scope: Scope) -> Equation | None:
    """The sum of -x is that of x with the sign turned, as are the running totals."""
    made = _summed(equation, elementwise.negative, scope)
    if made is None or equation.outputs[0].type.dtype.kind not in "fc":
        return None
    total = scope.emit(equation, equation.primitive, *made.inputs, **equation.params)
    return equation.replaced(primitive=elementwise.negative, inputs=[total], params={})


def _sum_of_multiple(equation: Equation, scope: Scope) -> Equation | None:
    """The sum of c * x is c times the sum, up to rounding, for known c of moderate size."""
    made = _summed(equation, elementwise.multiply, scope)
    if made is None or equation.outputs[0].type.dtype.kind != "f":
        return None
    for factor, x in (made.inputs, made.inputs[::-1]):
        if _is_moderate(factor, scope) and x.type == made.outputs[0].type:
            total = scope.emit(equation, equation.primitive, x, **equation.params)
            return equation.replaced(
                primitive=elementwise.multiply, inputs=[total, factor], params={}
            )
    return None


def _summed(equation: Equation, primitive: Primitive, scope: Scope) -> Equation | None:
    """The equation that made what only this sum reads, if the sum is smaller and of its dtype."""
    made = scope.used_once_by(equation.inputs[0], primitive)
    if made is None or equation.params["dtype"] is not None:
        return None
    before, after = made.outputs[0].type, equation.outputs[0].type
    is_smaller = not has_unknown_length(before) and after.size < before.size
    return made if is_smaller and before.dtype == after.dtype != np.float16 else None


def _is_moderate(atom: Atom, scope: Scope) -> bool:
    """Whether a constant is a number that may be moved: see `MODERATE`."""
    return _is_float_within(_number(atom, scope), 1.0)


def _is_float_within(value: Any, least: float) -> bool:
    """Whether a value is a number, not of half precision, of a size between these limits."""
    is_number = type(value) in (int, float, np.float32, np.float64)
    return is_number and bool(least <= abs(value) <= MODERATE)


def sum_of_products(equation: Equation, scope: Scope) -> Equation | None:
    """A sum of products is a contraction, up to the order in which its terms are added.

    BLAS computes it without the memory for the factors' product. Where an axis that stays belongs
    to both factors, it is called for each element of it: there, matrices must not be tiny. In
    single precision BLAS adds up many numbers less precisely than NumPy does, which adds in pairs.
    """
    made = _summed(equation, elementwise.multiply, scope)
    if made is None:
        return None
    output, product = equation.outputs[0].type, made.outputs[0].type
    if output.dtype.kind != "f" or output.dtype.itemsize not in (4, 8):
        return None
    if any(x.type.dtype != output.dtype or x.type.weak for x in made.inputs):
        return None
    axes = equation.params["axes"]
    summed = set(range(product.ndim) if axes is None else axes)
    count = int(np.prod([product.shape[axis] for axis in summed]))
    if not 1 < count <= (LARGEST_SINGLE_SUM if output.dtype == np.float32 else count):
        return None
    if product.ndim > len(contracting.LABELS):
        return None
    labels: list[str] = []
    for x in made.inputs:
        first = product.ndim - x.type.ndim
        own = [axis for axis in range(first, product.ndim) if x.type.shape[axis - first] != 1]
        labels.append("".join(contracting.LABELS[axis] for axis in own))
    result = "".join(
        label
        for axis, label in enumerate(contracting.LABELS[: product.ndim])
        if axis not in summed and product.shape[axis] != 1
    )
    free = 1
    for axis, label in enumerate(contracting.LABELS[: product.ndim]):
        is_in_both = label in labels[0] and label in labels[1]
        if axis in summed and product.shape[axis] != 1 and not is_in_both:
            return None
        if axis not in summed and not is_in_both:
            free *= product.shape[axis]
    is_batch = any(label in labels[0] and label in labels[1] for label in result)
    if is_batch and (free == 1 or free * count < SMALLEST_MATRIX):
        return None
    operands: list[Atom] = []
    for x in made.inputs:
        shape = tuple(length for length in x.type.shape if length != 1)
        is_same = shape == x.type.shape
        operands.append(
            x if is_same else scope.emit(made, shaping.reshape_primitive, x, shape=shape)
        )
    subscripts = f"{labels[0]},{labels[1]}->{result}"
    total: Atom = scope.emit(equation, contracting.contract, *operands, subscripts=subscripts)
    if equation.primitive is reducing.mean_primitive:
        total = scope.emit(equation, elementwise.divide, total, Constant(output.dtype.type(count)))
    return equation.replaced(
        primitive=shaping.reshape_primitive, inputs=[total], params={"shape": output.shape}
    )


def _contraction_of_multiple(equation: Equation, scope: Scope) -> Equation | None:
    """A factor of moderate size, or a sign, belongs to the operand or to what is made of it.

    It is applied where it is less work; only the rounding differs.
    """
    output = equation.outputs[0].type
    if output.dtype.kind != "f" or has_unknown_length(output) or output.dtype == np.float16:
        return None
    for number, atom in enumerate(equation.inputs):
        if atom.type.dtype != output.dtype or atom.type.size <= output.size:
            continue
        negated = scope.used_once_by(atom, elementwise.negative)
        if negated is not None:
            inputs = _other_inputs(equation, number, negated.inputs[0])
            total = scope.emit(equation, equation.primitive, *inputs, **equation.params)
            return equation.replaced(primitive=elementwise.negative, inputs=[total], params={})
        made = scope.used_once_by(atom, elementwise.multiply)
        pairs = [] if made is None else [made.inputs, made.inputs[::-1]]
        double = scope.used_once_by(atom, elementwise.add)
        if double is not None and double.inputs[0] is double.inputs[1]:
            pairs.append((Constant(output.dtype.type(2)), double.inputs[0]))
        for factor, x in pairs:
            if _is_moderate(factor, scope) and x.type == atom.type:
                inputs = _other_inputs(equation, number, x)
                total = scope.emit(equation, equation.primitive, *inputs, **equation.params)
                return equation.replaced(
                    primitive=elementwise.multiply, inputs=[total, factor], params={}
                )
    return None


# Adding at an index


def _sum_of_scatters(equation: Equation, scope: Scope) -> Equation | None:
    """At one index: what both add is added first, up to the order where an index is repeated."""
    first, second = (scope.used_once_by(x, indexing.scatter_add) for x in equation.inputs)
    if first is None or second is None or first.params != second.params:
        return None
    if first.inputs[0].type.dtype != second.inputs[0].type.dtype:
        return None
    if not _are_same(first.inputs[1:], second.inputs[1:]):
        return None
    total = scope.emit(equation, elementwise.add, first.inputs[0], second.inputs[0])
    return first.replaced(inputs=[total, *first.inputs[1:]], outputs=equation.outputs)


def _added_at_index(equation: Equation, scope: Scope) -> Equation | None:
    """Adding zeros changes nothing but the sign of a zero, as where reverse mode adds in place."""
    x, y = equation.inputs
    for whole, part in ((x, y), (y, x)):
        made = scope.used_once_by(part, indexing.scatter_add)
        if made is not None and whole.type == part.type == equation.outputs[0].type:
            params = {name: value for name, value in made.params.items() if name != "shape"}
            return equation.replaced(
                primitive=indexing.index_add, inputs=[whole, *made.inputs], params=params
            )
    return None


# What was written at an index


def _what_was_written(equation: Equation, scope: Scope) -> Equation | Atom | None:
    """What was written last at a place is there; writes to other places do not change it.

    Writes elsewhere are looked through where they lead to what was written, or to what the Program
    was given, which nothing writes over.
    """
    if has_unknown_length(equation.inputs[0].type):
        return None
    found = last_write(equation, scope)
    if found is None:
        return None
    write, array, distance = found
    if write is not None:
        is_update = write.primitive is indexing.index_update
        value = write.inputs[1].type
        is_near = distance < NEAR_WRITE or value.size * value.dtype.itemsize <= SMALL_WRITE
        return _read_of(write, equation, scope) if is_update and is_near else None
    if array is equation.inputs[0] or array in scope.definitions:
        return None
    return equation.replaced(inputs=[array, *equation.inputs[1:]])


def _read_of(written: Equation, read: Equation, scope: Scope) -> Equation | Atom | None:
    """What a read finds of what was written, if all of it is there."""
    x, value = written.inputs[:2]
    output = read.outputs[0].type
    if value.type.dtype != x.type.dtype or value.type.weak:
        return None
    if has_same_index(written, read):
        if value.type == output:
            return value
        return read.replaced(
            primitive=shaping.broadcast_to_primitive, inputs=[value], params={"shape": output.shape}
        )
    if len(written.inputs) > 2 or len(read.inputs) > 1:
        return None
    index = relative_index(x.type.shape, written.params["index"], read.params["index"])
    if index is None:
        return None
    whole = indexing.indexed_type(x.type, written.params["index"], ())
    if value.type != whole:
        value = scope.emit(written, shaping.broadcast_to_primitive, value, shape=whole.shape)
    is_number = not output.shape and all(isinstance(item, int) for item in index)
    primitive = indexing.element if is_number else indexing.getitem_primitive
    return read.replaced(primitive=primitive, inputs=[value], params={"index": index})


def _written_as_it_was(equation: Equation, scope: Scope) -> Atom | None:
    """To write what was read at the same place changes nothing."""
    x, value = equation.inputs[:2]
    made = scope.definitions.get(value)
    if made is None or not made.primitive.reads_part:
        return None
    is_same = made.inputs[0] is x and are_alike(made.inputs[1:], equation.inputs[2:])
    return x if is_same and made.params["index"] == equation.params["index"] else None


def _written_over(equation: Equation, scope: Scope) -> Equation | None:
    """What is written over before it is read need not be written."""
    made = scope.used_once_by(equation.inputs[0], indexing.index_update)
    if made is None or made.params["index"] != equation.params["index"]:
        return None
    if not are_alike(made.inputs[2:], equation.inputs[2:]):
        return None
    return equation.replaced(inputs=[made.inputs[0], *equation.inputs[1:]])


def _added_to_zeros(equation: Equation, scope: Scope) -> Equation | None:
    """What is added to zeros is written there; the sign of zeros changes."""
    made = scope.used_once_by(equation.inputs[0], indexing.index_update)
    if made is None or not has_same_index(made, equation):
        return None
    if _number(made.inputs[1], scope) != 0 or (
        equation.inputs[1].type.dtype != made.inputs[0].type.dtype
    ):
        return None
    return equation.replaced(
        primitive=indexing.index_update, inputs=[made.inputs[0], *equation.inputs[1:]]
    )


def _are_same(first: Sequence[Atom], second: Sequence[Atom]) -> bool:
    return len(first) == len(second) and all(x is y for x, y in zip(first, second, strict=True))


ELEMENTWISE: tuple[Rule, ...] = (
    _scalar_constants,
    _without_broadcasting,
    _before_broadcasting,
)
"""The rules of all elementwise primitives, where the output has axes."""

RULES: dict[Primitive, tuple[Rule, ...]] = {
    elementwise.add: (
        _plus_zero,
        _plus_negative,
        _sum_of_scatters,
        _added_at_index,
        _double_of_multiple,
    ),
    elementwise.subtract: (_minus_zero, _minus_negative),
    elementwise.multiply: (
        _times_one,
        _negative_factors,
        _negative_factor,
        _multiple_of_double,
        _multiple_of_multiple,
    ),
    elementwise.divide: (_over_one, _negative_factors, _negative_factor),
    elementwise.negative: (_double_negative, _negative_of_product, _negative_of_double),
    elementwise.power: (_to_the_one, _as_products),
    elementwise.square: (_square,),
    elementwise.product_or_zero_primitive: (_times_one, _plain_product, _product_of_choice),
    elementwise.quotient_or_zero_primitive: (_over_one, _plain_quotient),
    elementwise.kept_product: (_times_one, _plain_product, _product_of_choice),
    elementwise.kept_quotient: (_over_one, _plain_quotient),
    elementwise.select: (_known_choice, _same_choice, _opposite_choice),
    linear.cast: (_same_shape, _cast_back),
    linear.cast_to_whole: (_same_shape,),
    shaping.reshape_primitive: (_same_shape, _merged_reshapes, _reshaped_sum),
    shaping.transpose_primitive: (_identity_transpose, _merged_transposes, _transposed_contraction),
    shaping.broadcast_to_primitive: (_same_shape, _merged_broadcasts),
    indexing.getitem_primitive: (
        _whole_range,
        _reshaping_index,
        _merged_indices,
        _part_of_joined,
        _what_was_written,
    ),
    indexing.element: (_merged_indices, _what_was_written),
    indexing.gather: (_what_was_written,),
    indexing.index_update: (_written_as_it_was, _written_over),
    indexing.index_add: (_added_to_zeros,),
    indexing.scatter_add: (_reshaping_index,),
    reducing.sum_primitive: (_sum_of_broadcast, _sum_of_negative, _sum_of_multiple),
    reducing.mean_primitive: (_sum_of_negative, _sum_of_multiple),
    contracting.contract: (_contraction_of_transposes, _contraction_of_multiple),
}
"""For each primitive its rules, in the order in which they are tried."""

LAWS = Laws(RULES)
