"""Planning runs, choices and loops: what is several steps, with blocks in them.

What the trips of a loop hand on and what is stacked has memory of its own; single numbers are
Python's where the function prefers them (`Form`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeGuard

import numpy as np

from functrace.backends.memory import Form, Storage, Value
from functrace.backends.plan import (
    MOST_NUMBERS,
    As,
    Assign,
    CloseBlock,
    CloseLoop,
    Convert,
    OpenBranch,
    OpenFor,
    OpenWhile,
    Read,
    Row,
    RowKind,
    Stack,
    StackKind,
    Test,
)
from functrace.backends.planner import Planner, as_float
from functrace.ir.program import Program, Variable, output_types
from functrace.ir.structure import Choice, Loop, Run, Structure, T
from functrace.ir.types import ANY_LENGTH, ArrayType, row_type

NUMBER = ArrayType((), np.dtype(int), weak=True)
"""The type of a number of trips, and of the number of a trip."""

PlanBlock = Callable[[Planner, Program, Sequence[Value]], list[Value]]
"""Plans the steps of a Program: `functrace.backends.blocks.plan_block`."""


DEEPEST = 12
"""Loops and branches nested deeper than this are functions of their own: Python allows 20."""


def is_planned(planner: Planner, structure: Structure[T] | None) -> TypeGuard[Structure[T]]:
    """Whether what holds Programs is several steps here, and not called."""
    if structure is None or planner.depth >= DEEPEST:
        return False
    return not isinstance(structure, Choice) or structure.examples is None


def plan_structure(
    planner: Planner,
    structure: Structure[Value],
    outputs: Sequence[ArrayType],
    plan_block: PlanBlock,
) -> Sequence[Value]:
    """Plan the steps of what holds Programs.

    Args:
        planner: Makes the plan.
        structure: What is done, with what the inputs are.
        outputs: The types of the outputs.
        plan_block: Plans the steps of a Program.

    Returns:
        What the outputs are.
    """
    match structure:
        case Run(program, inputs):
            planner.preferred(inputs)
            results = plan_block(planner, program, inputs)
            planner.leave(results)  # it stands for itself, so they may be views
            return results
        case Choice():
            planner.preferred([structure.index, *structure.operands])
            return _plan_choice(planner, structure, outputs, plan_block)
        case Loop(condition=None):
            return _plan_for(planner, structure, outputs, plan_block)
        case Loop():
            planner.preferred(structure.inputs)
            return _plan_while(planner, structure, outputs, plan_block)


def _plan_choice(
    planner: Planner, choice: Choice[Value], outputs: Sequence[ArrayType], plan_block: PlanBlock
) -> list[Value]:
    """Plan a block for each of the branches."""
    index = Value(NUMBER)
    planner.add(Convert(index, Read(choice.index, (As.INT,))))
    values = [planner.new_value(type) for type in outputs]
    count = len(choice.branches)
    for number, branch in enumerate(choice.branches):
        with planner.block(OpenBranch(index, number, count, values)):
            results = plan_block(planner, branch, choice.operands)
            planner.add(Assign(values, planner.assigned(results)))
            planner.leave(results)
            planner.add(CloseBlock())
    return values


def _plan_for(
    planner: Planner, loop: Loop[Value], outputs: Sequence[ArrayType], plan_block: PlanBlock
) -> list[Value]:
    """Plan a loop over rows; returns what the outputs are."""
    body, constants, carries, rows, _, length, reverse = loop
    planner.preferred(constants)
    variables = body.inputs[len(constants) :]
    carried = _carried(planner, carries, variables)
    types = output_types(body)[len(carries) :]
    count = _count(planner, rows, length, bool(types))
    taken = _rows(planner, rows, variables[len(carries) :])
    stacks = _stacks(planner, outputs[len(carries) :], types, length)
    opening = OpenFor(count, Value(NUMBER), reverse, taken, stacks)
    with planner.block(opening):
        inputs = [*constants, *carried, *(row.value for row in taken)]
        results = plan_block(planner, body, inputs)
        last = _close(planner, opening, carried, results, outputs)
    return [*last, *(stack.value for stack in stacks)]


def _plan_while(
    planner: Planner, loop: Loop[Value], outputs: Sequence[ArrayType], plan_block: PlanBlock
) -> list[Value]:
    """Plan a loop that a condition ends; returns what the outputs are."""
    body, constants, carries, _, condition, *_ = loop
    assert condition is not None
    carried = _carried(planner, carries, body.inputs[len(constants) :])
    types = output_types(body)[len(carries) :]
    stacks = [
        Stack(planner.new_value(whole), type, StackKind.LIST)
        for whole, type in zip(outputs[len(carries) :], types, strict=True)
    ]
    opening = OpenWhile(stacks)
    with planner.block(opening):
        with planner.held(carried):
            (goes_on,) = plan_block(planner, condition, [*constants, *carried])
        planner.add(Test(goes_on))
        planner.leave([goes_on])
        results = plan_block(planner, body, [*constants, *carried])
        last = _close(planner, opening, carried, results, outputs)
    for value, inside in zip(last, carried, strict=True):
        # The condition has handed it out in the trip that was not made.
        if value.storage is not None and inside.storage is not None:
            value.storage.is_owned = inside.storage.is_owned
    return [*last, *(stack.value for stack in stacks)]


def _close(
    planner: Planner,
    opening: OpenFor | OpenWhile,
    carried: Sequence[Value],
    results: Sequence[Value],
    outputs: Sequence[ArrayType],
) -> list[Value]:
    """Plan the end of a trip; returns what the carries are after the loop."""
    pairs = [*zip(opening.stacks, results[len(carried) :], strict=True)]
    placed = {stack: _row_read(planner, stack, x) for stack, x in pairs if not _is_list(stack)}
    lists = [(stack, x) for stack, x in pairs if _is_list(stack)]
    reads = planner.assigned([*results[: len(carried)], *(x for _, x in lists)])
    planner.leave(results)
    placed.update(zip((stack for stack, _ in lists), reads[len(carried) :], strict=True))
    stacked = [placed[stack] for stack in opening.stacks]
    last = [planner.new_value(type) for _, type in zip(carried, outputs, strict=False)]
    planner.add(CloseLoop(opening, carried, reads[: len(carried)], stacked, last))
    return last


def _is_list(stack: Stack) -> bool:
    return stack.kind is StackKind.LIST


def _row_read(planner: Planner, stack: Stack, x: Value) -> Read:
    """How an output of a trip is read into its place."""
    if stack.kind is StackKind.NUMBERS:
        return as_float(x)
    return planner.read(x) if x.type.shape else Read(x)


def _carried(
    planner: Planner, values: Sequence[Value], variables: Sequence[Variable]
) -> list[Value]:
    """Plan names for what a loop hands from trip to trip, with memory of its own."""
    carried: list[Value] = []
    for value, variable in zip(values, variables, strict=False):
        name = planner.new_value(variable.type)
        planner.add(Convert(name, planner.copied(value)))
        carried.append(name)
    return carried


def _count(planner: Planner, rows: Sequence[Value], length: int | None, is_used: bool) -> Read:
    """The number of trips, with a name if it is used more than once."""
    if length is not None:
        return Read(Value(NUMBER, constant=length))
    count = Read(rows[0], (As.LENGTH,))
    if not is_used:
        return count
    name = Value(NUMBER)
    planner.add(Convert(name, count))
    return Read(name)


def _rows(planner: Planner, rows: Sequence[Value], variables: Sequence[Variable]) -> list[Row]:
    """Bring rows into a form from which a loop reads, for these variables of its body."""
    taken: list[Row] = []
    for row, variable in zip(rows, variables, strict=True):
        type = row_type(row.type, variable.type.weak)
        form = planner.form_of(type)
        storage = row.storage if type.shape else None  # a number is no view
        source = row
        if form is Form.NUMPY:
            planner.numpy(row)
            kind = RowKind.ITEM if type.weak else RowKind.INDEXED
        else:
            kind = RowKind.NUMBER
            if row.form is not Form.NUMBERS:
                source = Value(row.type, form=Form.NUMBERS)
                planner.add(Convert(source, Read(row, (As.NUMBERS,))))
        taken.append(Row(Value(type, storage, form=form), source, kind))
    return taken


def _stacks(
    planner: Planner, wholes: Sequence[ArrayType], types: Sequence[ArrayType], length: int | None
) -> list[Stack]:
    """Where a loop puts outputs of these types, which are of the others all together."""
    are_numbers = [planner.form_of(type.strong) is Form.PYTHON for type in types]
    are_few = length is not None and length * sum(are_numbers) <= MOST_NUMBERS
    stacks: list[Stack] = []
    for whole, type, is_number in zip(wholes, types, are_numbers, strict=True):
        if is_number:
            value = Value(whole, Storage(True, 0), form=Form.NUMBERS)
            stacks.append(Stack(value, type, StackKind.NUMBERS, are_few))
            continue
        is_list = ANY_LENGTH in type.shape
        value = Value(whole, planner.new_storage(whole), is_contiguous=not is_list)
        stacks.append(Stack(value, type, StackKind.LIST if is_list else StackKind.ARRAY))
    return stacks
