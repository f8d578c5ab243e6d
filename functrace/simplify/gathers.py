"""Rows of products: which are read is known before they are computed.

Of ``(a @ b)[:, rows]`` only the columns ``b[:, rows]`` are needed.
"""

from __future__ import annotations

from functrace.ir.program import Atom, Equation
from functrace.primitives import contracting, elementwise, reducing, shaping, zero_products
from functrace.primitives.indexing import INDICES, gather
from functrace.simplify.rewriting import Scope, has_unknown_length

FEWER = 2
"""So many times more rows there are than are read."""

_PRODUCTS = (contracting.contract, contracting.contract_or_zero)

_TERMS = (
    elementwise.add, elementwise.subtract, elementwise.multiply, elementwise.negative,
    zero_products.kept_product,
)  # fmt: skip


def gathered_before(equation: Equation, scope: Scope) -> Atom | None:
    """What is read of sums of products is read of their factors, if there are far fewer rows."""
    if len(equation.inputs) != 2:
        return None
    x, rows = equation.inputs
    index = equation.params["index"]
    axis = index.index(INDICES)
    others = (*index[:axis], *index[axis + 1 :])
    if rows.type.ndim != 1 or any(item != slice(None) for item in others):
        return None
    if has_unknown_length(x.type) or not 0 < FEWER * rows.type.size <= x.type.shape[axis]:
        return None
    if not _saves(x, axis, scope):
        return None
    return _read_of(x, axis, equation, scope)


def _saves(atom: Atom, axis: int, scope: Scope) -> bool:
    """Whether there is a product among what has made a value."""
    parts = _factors(atom, axis, scope)
    if parts is None:
        return False
    equation, axes = parts
    return equation.primitive in _PRODUCTS or any(
        own is not None and _saves(x, own, scope)
        for x, own in zip(equation.inputs, axes, strict=True)
    )


def _read_of(atom: Atom, axis: int, reading: Equation, scope: Scope) -> Atom:
    """The rows of a value, computed of those of what it was made of."""
    rows = reading.inputs[1]
    parts = _factors(atom, axis, scope)
    if parts is None:
        index = (*(slice(None),) * axis, INDICES)
        return scope.emit(reading, gather, atom, rows, index=index, unique=reading.params["unique"])
    equation, axes = parts
    inputs = [
        x if own is None else _read_of(x, own, reading, scope)
        for x, own in zip(equation.inputs, axes, strict=True)
    ]
    params = equation.params
    if equation.primitive is shaping.reshape_primitive:
        shape = params["shape"]
        params = {"shape": (*shape[:axis], rows.type.size, *shape[axis + 1 :])}
    return scope.emit(equation, equation.primitive, *inputs, **params)


def _factors(atom: Atom, axis: int, scope: Scope) -> tuple[Equation, list[int | None]] | None:
    """What has made a value that nothing else reads, and which axes of its inputs an axis is.

    None if it is not made row by row of what it has along this axis.
    """
    equation = scope.definitions.get(atom)
    if equation is None or scope.uses.get(atom) != 1 or len(equation.outputs) != 1:
        return None
    primitive, params = equation.primitive, equation.params
    types = [x.type for x in equation.inputs]
    shape = atom.type.shape
    if primitive in _TERMS:
        own = [axis - len(shape) + type.ndim for type in types]
        return equation, [
            n if n >= 0 and type.shape[n] != 1 else None for n, type in zip(own, types, strict=True)
        ]
    if primitive in _PRODUCTS:
        operands, _, output = params["subscripts"].partition("->")
        found = [labels.split(output[axis]) for labels in operands.split(",")]
        if any(len(parts) > 2 for parts in found):
            return None
        return equation, [len(parts[0]) if len(parts) == 2 else None for parts in found]
    if primitive is shaping.transpose_primitive:
        return equation, [params["permutation"][axis]]
    if primitive is reducing.sum_primitive:
        return _of_sum(equation, axis)
    if primitive is shaping.reshape_primitive:
        # Only axes of length 1 come and go.
        if [n for n in types[0].shape if n != 1] != [n for n in shape if n != 1]:
            return None
        place = sum(n != 1 for n in shape[:axis])
        return equation, [[n for n, length in enumerate(types[0].shape) if length != 1][place]]
    return None


def _of_sum(equation: Equation, axis: int) -> tuple[Equation, list[int | None]] | None:
    axes, rank = equation.params["axes"], equation.inputs[0].type.ndim
    if axes is None or equation.params["keepdims"]:
        return None
    summed = {n % rank for n in axes}
    return equation, [[n for n in range(rank) if n not in summed][axis]]
