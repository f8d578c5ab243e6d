"""Bodies of loops: their carries, which keep their types, and how they are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import (
    CarryError,
)
from functrace.ir.program import Program, output_types
from functrace.ir.types import UNKNOWN, ArrayType, common_type, native, type_of
from functrace.primitives.linear import brought_to
from functrace.tracing.draws import watching_draws
from functrace.tracing.layouts import layout_of, lie_alike
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import Tracer
from functrace.tracing.views import layouts_of
from functrace.transforms.evaluate import Recorded, record_program
from functrace.transforms.programs import with_output_types
from functrace.transforms.scratch import recorded_with_writes


def require_same(before: Any, after: Any, name: str) -> list[ArrayType]:
    """The types of a carry; raises where a body returned one unlike that which it was given."""
    leaves, structure = tree.flatten(before)
    others, other_structure = tree.flatten(after)
    if not structure.is_same(other_structure):
        raise _carry_structure_error(structure, other_structure, name)
    return [
        _common_carry_type(type_of(as_operand(old)), type_of(as_operand(new)), path, name)
        for old, new, path in zip(leaves, others, structure.paths(), strict=True)
    ]


def next_carry(before: Any, after: Any, name: str) -> Any:
    """The carry that a body returned, in the types that it has in each trip.

    Raises:
        CarryError: It is unlike the one that the body was given.
    """
    leaves, structure = tree.flatten(before)
    others, other_structure = tree.flatten(after)
    if structure.is_same(other_structure) and all(map(_is_alike, leaves, others)):
        return after
    types = require_same(before, after, name)
    return structure.unflatten(brought_to(types, [*map(as_operand, others)]))


def _is_alike(old: Any, new: Any) -> bool:
    """Whether two values are of one type, as far as a look tells."""
    if type(old) is not type(new) or type(new) is Tracer:
        return False
    return type(new) is not np.ndarray or (new.dtype == old.dtype and new.shape == old.shape)


def _carry_structure_error(
    structure: tree.Structure, after: tree.Structure, name: str
) -> CarryError:
    difference = tree.first_difference(structure, after.unflatten([0] * after.num_leaves))
    # There is none of what is equal, as 1 and True are in a static field.
    return CarryError(
        f"The carry of {name} changes its structure. "
        f"{difference or f'It is {structure} before a trip, and {after} after it.'}",
        source_of(user_place(3)),
    )


def _common_carry_type(
    before: ArrayType, after: ArrayType, path: tree.KeyPath, name: str
) -> ArrayType:
    """The type that a carry has in each trip: booleans and numbers have none together."""
    common = common_type((before, after))
    if common is None or (before.dtype.kind == "b") != (after.dtype.kind == "b"):
        raise CarryError(
            f"The carry{tree.keystr(path)} of {name} has the type {before} before a trip and "
            f"{after} after it.",
            source_of(user_place(4)),
        )
    return common


def recorded_body(
    f: Callable[..., Any],
    carry: list[Any],
    structure: tree.Structure,
    rows: tuple[tree.Structure, Sequence[ArrayType], Sequence[Any]] | None,
    name: str,
) -> tuple[list[Any], Recorded, list[tree.Structure]]:
    """As `_recorded_once`; arrays from around it that the body writes are looked after."""

    def record(call: Callable[..., Any]) -> tuple[Any, Program]:
        result = _recorded_once(f, call, carry, structure, rows, name)
        return result, result[1].program

    return recorded_with_writes(f, record)


def _recorded_once(
    f: Callable[..., Any],
    call: Callable[..., Any],
    carry: list[Any],
    structure: tree.Structure,
    rows: tuple[tree.Structure, Sequence[ArrayType], Sequence[Any]] | None,
    name: str,
) -> tuple[list[Any], Recorded, list[tree.Structure]]:
    """Record a body by what calls it, with the types that its carry has from the first trip on.

    Returns:
        The first carry, cast to these types; the recorded body; and the structures of what it
        returns, the carry's first.
    """
    row_structure, row_types, stacks = rows or (tree.structure(()), [], [])

    def flat(*leaves: Any) -> Any:
        count = structure.num_leaves
        given = [structure.unflatten(leaves[:count])]
        if rows:
            given.append(row_structure.unflatten(leaves[count:]))
        return call(*given)

    flat.__name__ = f"The function under {name}"  # for the message where it returns no arrays
    types = [type_of(x) for x in carry]
    inputs = tree.structure(tuple(range(len(types) + len(row_types))))
    while True:
        with watching_draws(f):
            recorded = record_program(flat, inputs, [*types, *row_types])
        returned = recorded.structure.children() if rows else [recorded.structure]
        if not returned[0].is_same(structure):
            raise _carry_structure_error(structure, returned[0], name)
        after = output_types(recorded.program)[: len(types)]
        common = [
            _common_carry_type(a, b, path, name)
            for a, b, path in zip(types, after, structure.paths(), strict=True)
        ]
        if common == types:
            break
        types = common
        carry = brought_to(types, carry)
    if recorded.row_major:
        recorded = _as_they_lie(recorded, flat, inputs, [*types, *row_types], carry, stacks)
    stacked = [
        ArrayType(type.shape, native(type.dtype), type.weak)  # as `np.stack` has it
        for type in output_types(recorded.program)[len(types) :]
    ]
    program = with_output_types(recorded.program, [*types, *stacked])
    return carry, Recorded(program, recorded.structure), returned


def _as_they_lie(
    recorded: Recorded,
    flat: Callable[..., Any],
    inputs: tree.Structure,
    types: Sequence[ArrayType],
    carry: Sequence[Any],
    stacks: Sequence[Any],
) -> Recorded:
    """A body that depends on how its inputs lie in memory, recorded for how they do.

    Of a carry that lies in another way after a trip nothing is known: the body is refused if it
    depends on that.
    """
    count = len(carry)
    layouts = layouts_of(carry)
    for x, lying in zip(stacks, layouts_of(stacks), strict=True):
        if not isinstance(lying, np.ndarray):
            layouts.append(lying)
        else:  # the rows of what has one axis are scalars
            has_axes = type_of(x).shape[0] and lying.ndim > 1
            layouts.append(layout_of(lying[0]) if has_axes else None)
    while True:
        if any(layout is not None for layout in layouts):
            recorded = record_program(flat, inputs, types, layouts)
        moved = [
            number
            for number, after in enumerate(recorded.layouts[:count])
            if (before := layouts[number]) is not UNKNOWN and not lie_alike(before, after)
        ]
        if not moved:
            return recorded
        for number in moved:
            layouts[number] = UNKNOWN
