"""Laws of sums and contractions. They hold up to the order in which terms are added."""

from __future__ import annotations

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.program import Atom, Constant, Equation
from functrace.primitives import contracting, elementwise, reducing, shaping
from functrace.simplify.constants import is_moderate, may_warn_of_overflow, other_inputs
from functrace.simplify.rewriting import Scope, has_unknown_length, inferred_type

SMALLEST_MATRIX = 256
"""Stacks of matrices with fewer elements are multiplied and summed, not contracted."""

LARGEST_SINGLE_SUM = 4096
"""In single precision BLAS adds up at most so many products."""


def reshaped_sum(equation: Equation, scope: Scope) -> Equation | None:
    """Where the lengths of 1 are taken away again that a sum kept, it need not keep them."""
    for primitive in (reducing.sum_primitive, reducing.mean_primitive):
        made = scope.used_once_by(equation.inputs[0], primitive)
        if made is not None and made.params["keepdims"]:
            params = {**made.params, "keepdims": False}
            if inferred_type(primitive, made.inputs, params) == equation.outputs[0].type:
                return made.replaced(params=params, outputs=equation.outputs)
    return None


def sum_of_broadcast(equation: Equation, scope: Scope) -> Equation | None:
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
    if may_warn_of_overflow(output.type):
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


def sum_of_negative(equation: Equation, scope: Scope) -> Equation | None:
    """The sum of -x is that of x with the sign turned, as are the running totals."""
    made = _summed(equation, elementwise.negative, scope)
    if made is None or equation.outputs[0].type.dtype.kind not in "fc":
        return None
    total = scope.emit(equation, equation.primitive, *made.inputs, **equation.params)
    return equation.replaced(primitive=elementwise.negative, inputs=[total], params={})


def sum_of_multiple(equation: Equation, scope: Scope) -> Equation | None:
    """The sum of c * x is c times the sum, up to rounding, for known c of moderate size."""
    made = _summed(equation, elementwise.multiply, scope)
    if made is None or equation.outputs[0].type.dtype.kind != "f":
        return None
    for factor, x in (made.inputs, made.inputs[::-1]):
        if is_moderate(factor, scope) and x.type == made.outputs[0].type:
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


def contraction_of_multiple(equation: Equation, scope: Scope) -> Equation | None:
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
            inputs = other_inputs(equation, number, negated.inputs[0])
            total = scope.emit(equation, equation.primitive, *inputs, **equation.params)
            return equation.replaced(primitive=elementwise.negative, inputs=[total], params={})
        made = scope.used_once_by(atom, elementwise.multiply)
        pairs = [] if made is None else [made.inputs, made.inputs[::-1]]
        double = scope.used_once_by(atom, elementwise.add)
        if double is not None and double.inputs[0] is double.inputs[1]:
            pairs.append((Constant(output.dtype.type(2)), double.inputs[0]))
        for factor, x in pairs:
            if is_moderate(factor, scope) and x.type == atom.type:
                inputs = other_inputs(equation, number, x)
                total = scope.emit(equation, equation.primitive, *inputs, **equation.params)
                return equation.replaced(
                    primitive=elementwise.multiply, inputs=[total, factor], params={}
                )
    return None
