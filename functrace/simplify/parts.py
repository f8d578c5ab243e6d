"""Laws of what is read and written at an index."""

from __future__ import annotations

from functrace.ir.program import Atom, Equation
from functrace.primitives import elementwise, indexing, shaping
from functrace.simplify.constants import are_same, number_of
from functrace.simplify.indices import (
    are_alike,
    full_index,
    has_same_index,
    merged_index,
    relative_index,
)
from functrace.simplify.rewriting import Scope, has_unknown_length
from functrace.simplify.writes import last_write

NEAR_WRITE = 16

SMALL_WRITE = 4096
"""What was written is used in place of what is read if fewer other writes came between, or if it
has no more bytes than that: what is larger would be kept for long beside the array."""


def whole_range(equation: Equation, scope: Scope) -> Atom | None:
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


def merged_indices(equation: Equation, scope: Scope) -> Equation | None:
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


def part_of_joined(equation: Equation, scope: Scope) -> Atom | None:
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


def reshaping_index(equation: Equation, scope: Scope) -> Equation | None:
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


def sum_of_scatters(equation: Equation, scope: Scope) -> Equation | None:
    """At one index: what both add is added first, up to the order where an index is repeated."""
    first, second = (scope.used_once_by(x, indexing.scatter_add) for x in equation.inputs)
    if first is None or second is None or first.params != second.params:
        return None
    if first.inputs[0].type.dtype != second.inputs[0].type.dtype:
        return None
    if not are_same(first.inputs[1:], second.inputs[1:]):
        return None
    total = scope.emit(equation, elementwise.add, first.inputs[0], second.inputs[0])
    return first.replaced(inputs=[total, *first.inputs[1:]], outputs=equation.outputs)


def added_to_scatter(equation: Equation, scope: Scope) -> Equation | None:
    """What is put into zeros at a place, and added to there, is added first: zeros change nothing.

    So reverse mode adds in place where one array is read twice; together they may be a difference.
    """
    made = scope.used_once_by(equation.inputs[0], indexing.scatter_add)
    if made is None or len(made.inputs) > 1 or len(equation.inputs) > 2:
        return None
    first, second = made.inputs[0], equation.inputs[1]
    if made.params["index"] != equation.params["index"] or first.type != second.type:
        return None
    total = scope.emit(equation, elementwise.add, first, second)
    return made.replaced(inputs=[total], outputs=equation.outputs)


def added_at_index(equation: Equation, scope: Scope) -> Equation | None:
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


def what_was_written(equation: Equation, scope: Scope) -> Equation | Atom | None:
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


def written_as_it_was(equation: Equation, scope: Scope) -> Atom | None:
    """To write what was read at the same place changes nothing."""
    x, value = equation.inputs[:2]
    made = scope.definitions.get(value)
    if made is None or not made.primitive.reads_part:
        return None
    is_same = made.inputs[0] is x and are_alike(made.inputs[1:], equation.inputs[2:])
    return x if is_same and made.params["index"] == equation.params["index"] else None


def written_over(equation: Equation, scope: Scope) -> Equation | None:
    """What is written over before it is read need not be written."""
    made = scope.used_once_by(equation.inputs[0], indexing.index_update)
    if made is None or made.params["index"] != equation.params["index"]:
        return None
    if not are_alike(made.inputs[2:], equation.inputs[2:]):
        return None
    return equation.replaced(inputs=[made.inputs[0], *equation.inputs[1:]])


def added_to_zeros(equation: Equation, scope: Scope) -> Equation | None:
    """What is added to zeros is written there; the sign of zeros changes."""
    made = scope.used_once_by(equation.inputs[0], indexing.index_update)
    if made is None or not has_same_index(made, equation):
        return None
    if number_of(made.inputs[1], scope) != 0 or (
        equation.inputs[1].type.dtype != made.inputs[0].type.dtype
    ):
        return None
    return equation.replaced(
        primitive=indexing.index_update, inputs=[made.inputs[0], *equation.inputs[1:]]
    )
