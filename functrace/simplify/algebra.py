"""Laws of arithmetic and of shapes, as far as they hold exactly, and the table of all laws.

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

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.program import Atom, Constant, Equation, Program
from functrace.primitives import (
    contracting,
    elementwise,
    indexing,
    linear,
    reducing,
    shaping,
    zero_products,
)
from functrace.simplify.constants import (
    FULL,
    MODERATE,
    Rule,
    has_no_zeros,
    has_output_type,
    is_finite_nonzero,
    is_float_within,
    is_moderate,
    is_one,
    is_zero,
    may_warn_of_overflow,
    negative_of,
    number_of,
    other_inputs,
)
from functrace.simplify.gathers import gathered_before
from functrace.simplify.parts import (
    added_at_index,
    added_to_scatter,
    added_to_zeros,
    merged_indices,
    part_of_joined,
    reshaping_index,
    sum_of_scatters,
    what_was_written,
    whole_range,
    written_as_it_was,
    written_over,
)
from functrace.simplify.rewriting import Scope, has_unknown_length, inferred_type, rewrite
from functrace.simplify.sums import (
    contraction_of_multiple,
    reshaped_sum,
    sum_of_broadcast,
    sum_of_multiple,
    sum_of_negative,
)

LARGEST_POWER = 8
"""Up to this exponent a power is written as products."""


_DEEPEST_PRODUCT = 3  # how many products within products are looked at for a sign


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


# All elementwise primitives


def _scalar_constants(equation: Equation, scope: Scope) -> Equation | None:
    """Each element meets the same number as before; the other inputs already give the shape."""
    if len(equation.inputs) == 1 or equation.primitive.differs_for_scalars:
        return None
    for number, atom in enumerate(equation.inputs):
        if isinstance(atom, Constant) and atom.type.shape:
            scalar = scope.uniform(atom)
            if scalar is not None:
                better = equation.replaced(inputs=other_inputs(equation, number, scalar))
                if has_output_type(better):
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
            better = equation.replaced(inputs=other_inputs(equation, number, repeated))
            if has_output_type(better):
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
    if may_warn_of_overflow(type):
        return None
    once = scope.emit(equation, equation.primitive, *inputs, **equation.params)
    return equation.replaced(
        primitive=shaping.broadcast_to_primitive, inputs=[once], params={"shape": output.shape}
    )


# Arithmetic


def _times_one(equation: Equation, scope: Scope) -> Atom | None:
    """``x * 1`` is x, but for complex x: there ``inf * (1 + 0j)`` has a nan in it."""
    if equation.outputs[0].type.dtype.kind != "c":
        for factor, x in (equation.inputs, equation.inputs[::-1]):
            if is_one(factor, scope):
                return x
    return None


def _over_one(equation: Equation, scope: Scope) -> Atom | None:
    """``x / 1`` is x, but for complex x."""
    x, divisor = equation.inputs
    return x if equation.outputs[0].type.dtype.kind != "c" and is_one(divisor, scope) else None


def _to_the_one(equation: Equation, scope: Scope) -> Atom | None:
    """``x**1`` is x."""
    x, exponent = equation.inputs
    return x if equation.outputs[0].type.dtype.kind != "c" and is_one(exponent, scope) else None


def _minus_zero(equation: Equation, scope: Scope) -> Atom | None:
    """``x - 0.0`` is x, -0.0 included; ``x - (-0.0)`` makes 0.0 of -0.0."""
    x, zero = equation.inputs
    return x if is_zero(zero, scope, negative=False) else None


def _plus_zero(equation: Equation, scope: Scope) -> Atom | None:
    """``x + (-0.0)`` is x, as is ``x + 0`` of integers; ``x + 0.0`` makes 0.0 of -0.0."""
    kind = equation.outputs[0].type.dtype.kind
    for zero, x in (equation.inputs, equation.inputs[::-1]):
        if kind in "iub":
            if is_zero(zero, scope, negative=False):
                return x
        elif kind == "f" and zero.type.dtype.kind == "f" and is_zero(zero, scope, negative=True):
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
            inputs = other_inputs(made, number, taken)
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
        factor = None if taken is None else negative_of(constant)
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
        factor = negative_of(atom)
        if factor is not None:  # NumPy is told of it what it was told of the product
            inputs = other_inputs(made, number, factor)
            return made.replaced(inputs=inputs, outputs=equation.outputs)
    return None


def _as_products(equation: Equation, scope: Scope) -> Equation | None:
    """``x**2`` is ``x * x``; higher powers are so up to the rounding of at most three products.

    Integers wrap around in the same way. NumPy's own power is slower by an order of magnitude, and
    products are shared with those in the derivative.
    """
    x, exponent = equation.inputs
    value = number_of(exponent, scope)
    type = equation.outputs[0].type
    if value is None or isinstance(value, complex | np.complexfloating):
        return None
    if x.type != type or not 2 <= value <= LARGEST_POWER or value != int(value):
        return None
    if type.dtype.kind not in "fiu" or (value > 2 and type.dtype == np.float16):
        return None  # NumPy squares complex zeros with other signs, and rounds half floats once
    if may_warn_of_overflow(type):
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
    if x.type.dtype.kind == "c" or may_warn_of_overflow(x.type):
        return None
    return equation.replaced(primitive=elementwise.multiply, inputs=[x, x])


def _multiple_of_double(equation: Equation, scope: Scope) -> Equation | None:
    """``c * (x + x)`` is ``(2 * c) * x`` for abs(c) >= 1: to double is exact.

    Where x + x is infinite, so are both. (For a smaller c only the first would be.)
    """
    for factor, double in (equation.inputs, equation.inputs[::-1]):
        made = scope.used_once_by(double, elementwise.add)
        if made is None or made.inputs[0] is not made.inputs[1] or not is_moderate(factor, scope):
            continue
        (x, _), type = made.inputs, double.type
        if type.dtype in FULL and x.type == type == equation.outputs[0].type:
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
    if first.type.dtype not in FULL:
        return None
    for factor, x in (made.inputs, made.inputs[::-1]):
        value = scope.uniform(factor) if is_moderate(factor, scope) else None
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
        if made is None or inner.type != type or type.dtype not in FULL:
            continue
        for other, x in (made.inputs, made.inputs[::-1]):
            numbers = [number_of(c, scope) for c in (factor, other)]
            if x.type != type or not all(is_float_within(c, 1 / MODERATE) for c in numbers):
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
    if has_no_zeros(t) or is_finite_nonzero(factor):
        return equation.replaced(primitive=elementwise.multiply)
    return None


def _plain_quotient(equation: Equation, scope: Scope) -> Equation | None:
    """By a finite constant other than zero, or of a constant without zeros."""
    t, divisor = equation.inputs
    if has_no_zeros(t) or is_finite_nonzero(divisor):
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
        value, other = number_of(atom, scope), number_of(alternatives[1 - number], scope)
        if other is None or other != 0 or not is_float_within(value, 0.0):
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
    value = number_of(condition, scope)
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
                return equation.replaced(inputs=other_inputs(equation, number, chosen))
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
        sum_of_scatters,
        added_at_index,
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
    zero_products.product_or_zero_primitive: (_times_one, _plain_product, _product_of_choice),
    zero_products.quotient_or_zero_primitive: (_over_one, _plain_quotient),
    zero_products.kept_product: (_times_one, _plain_product, _product_of_choice),
    zero_products.kept_quotient: (_over_one, _plain_quotient),
    elementwise.select: (_known_choice, _same_choice, _opposite_choice),
    linear.cast: (_same_shape, _cast_back),
    linear.cast_to_whole: (_same_shape,),
    shaping.reshape_primitive: (_same_shape, _merged_reshapes, reshaped_sum),
    shaping.transpose_primitive: (_identity_transpose, _merged_transposes, _transposed_contraction),
    shaping.broadcast_to_primitive: (_same_shape, _merged_broadcasts),
    indexing.getitem_primitive: (
        whole_range,
        reshaping_index,
        merged_indices,
        part_of_joined,
        what_was_written,
    ),
    indexing.element: (merged_indices, what_was_written),
    indexing.gather: (what_was_written, gathered_before),
    indexing.index_update: (written_as_it_was, written_over),
    indexing.index_add: (added_to_zeros, added_to_scatter),
    indexing.scatter_add: (reshaping_index,),
    reducing.sum_primitive: (sum_of_broadcast, sum_of_negative, sum_of_multiple),
    reducing.mean_primitive: (sum_of_negative, sum_of_multiple),
    contracting.contract: (_contraction_of_transposes, contraction_of_multiple),
}
"""For each primitive its rules, in the order in which they are tried."""

LAWS = Laws(RULES)
