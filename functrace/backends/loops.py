"""Loops in generated source: a `Loop` as a for loop or a while loop.

The body is written inside the loop. What the trips hand on and what is stacked has memory of its
own; single numbers are Python's where the function prefers them (`Form`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.memory import Form, Storage, Value
from functrace.backends.writer import Writer, from_array, new_doubles
from functrace.ir.program import Program, Variable, output_types
from functrace.ir.structure import Loop
from functrace.ir.types import ANY_LENGTH, ArrayType, row_type, with_axis
from functrace.tracing.tracer import Tracer

MOST_NUMBERS = 2**20
"""So many numbers a loop hands to another as Python's objects, which take 32 bytes each."""


WriteBlock = Callable[[Writer, Program, Sequence[Value]], list[Value]]
"""Writes the statements of a Program: `functrace.backends.blocks.write_block`."""


def write_scan(
    writer: Writer, loop: Loop[Value], outputs: Sequence[ArrayType], write_block: WriteBlock
) -> list[Value]:
    """Write a for loop; returns what the outputs are."""
    body, constants, carry, rows, _, length, reverse = loop
    writer.preferred(constants)
    carries = carried(writer, carry, body.inputs[len(constants) :])
    types = output_types(body)[len(carry) :]
    count = f"len({rows[0].text})" if length is None else str(length)
    if length is None and types:
        count, text = writer.name(), count
        writer.line(f"{count} = {text}")
    read = row_reader(writer, rows, body.inputs[len(constants) + len(carry) :])
    stacks = stacks_for(writer, types, count, length)
    trip = writer.name()
    trips = [f"range({count})", *(source for _, source in read.zipped)]
    order = ", ".join(f"reversed({source})" if reverse else source for source in trips)
    targets = ", ".join([trip, *(target for target, _ in read.zipped)])
    with writer.indented(f"for {targets} in {f'zip({order})' if read.zipped else order}:"):
        for name, source in read.indexed:
            writer.line(f"{name} = {source}[{trip}]")
        for name, source in read.numbers:
            writer.line(f"{name} = {source}.item({trip})")
        results = write_block(writer, body, [*constants, *carries, *read.values])
        new_carry, stacked_results = results[: len(carry)], results[len(carry) :]
        write_rows(writer, stacks, stacked_results, trip)
        lists = [
            (stack, x)
            for stack, x in zip(stacks, stacked_results, strict=True)
            if stack.kind is StackKind.LIST
        ]
        writer.assign(
            [*(value.text for value in carries), *(f"{stack.name}[{trip}]" for stack, _ in lists)],
            [*new_carry, *(x for _, x in lists)],
            leaving=results,
        )
    return [
        *(writer.made(value.text, type) for value, type in zip(carries, outputs, strict=False)),
        *(stack.value(type) for stack, type in zip(stacks, outputs[len(carry) :], strict=True)),
    ]


def write_while(
    writer: Writer, loop: Loop[Value], outputs: Sequence[ArrayType], write_block: WriteBlock
) -> list[Value]:
    """Write a while loop; returns what the outputs are."""
    body, constants, carry, _, condition, *_ = loop
    assert condition is not None
    carries = carried(writer, carry, body.inputs[len(constants) :])
    types = output_types(body)[len(carry) :]
    stacks = [writer.name() for _ in types]
    for stack in stacks:
        writer.line(f"{stack} = []")
    with writer.indented("while True:"):
        with writer.held(carries):
            (goes_on,) = write_block(writer, condition, [*constants, *carries])
        with writer.indented(f"if not {goes_on.text}:"):
            writer.line("break")
        writer.leave([goes_on])
        results = write_block(writer, body, [*constants, *carries])
        parts = [writer.name() for _ in types]
        writer.assign([*(value.text for value in carries), *parts], results)
        for stack, part in zip(stacks, parts, strict=True):
            writer.line(f"{stack}.append({part})")
    for stack, type in zip(stacks, types, strict=True):
        write_join(writer, stack, type)
    names = [*(value.text for value in carries), *stacks]
    values = [writer.made(name, type) for name, type in zip(names, outputs, strict=True)]
    for carried_last, value in zip(carries, values, strict=False):
        # The condition has handed it out in the trip that was not made.
        if value.storage is not None and carried_last.storage is not None:
            value.storage.is_owned = carried_last.storage.is_owned
    return values


def carried(writer: Writer, values: Sequence[Value], variables: Sequence[Variable]) -> list[Value]:
    """Write names for what a loop hands from trip to trip, with memory of its own."""
    carries: list[Value] = []
    for value, variable in zip(values, variables, strict=False):
        name = writer.name()
        writer.line(f"{name} = {writer.copied(value)}")
        carries.append(writer.made(name, variable.type))
    return carries


def write_join(writer: Writer, name: str, type: ArrayType) -> None:
    """Write what makes an array of a list of values of a type."""
    join = writer.function("stack_values", stacked)
    writer.line(f"{name} = {join}({name}, {writer.constant(type)})")


# Reading rows


class RowReader(NamedTuple):
    """How a loop reads the rows of a trip.

    Attributes:
        values: What the rows are in the body.
        zipped: The targets of the for statement, and what they run through: numbers of Python's.
        indexed: Names, and the arrays whose rows they are.
        numbers: Names of Python numbers, and the arrays whose elements they are.
    """

    values: list[Value]
    zipped: list[tuple[str, str]]
    indexed: list[tuple[str, str]]
    numbers: list[tuple[str, str]]


def row_reader(writer: Writer, rows: Sequence[Value], variables: Sequence[Variable]) -> RowReader:
    """Bring rows into a form from which a loop reads, for these variables of its body."""
    reader = RowReader([], [], [], [])
    tuples: dict[str, dict[int, str]] = {}
    for row, variable in zip(rows, variables, strict=True):
        type = row_type(row.type, variable.type.weak)
        name = writer.name()
        storage = row.storage if type.shape else None  # a number is no view
        reader.values.append(Value(name, type, storage, form=writer.form_of(type)))
        source = _row_source(writer, row, type)
        if row.form is Form.TUPLES:
            tuples.setdefault(source, {})[row.place[0]] = name
            count = row.place[1]
            names = tuples[source]
            target = f"({', '.join(names.get(place, '_') for place in range(count))},)"
            reader.zipped[:] = [pair for pair in reader.zipped if pair[1] != source]
            reader.zipped.append((target, source))
        elif writer.form_of(type) is Form.PYTHON:
            reader.zipped.append((name, source))
        else:
            (reader.numbers if type.weak else reader.indexed).append((name, source))
    return reader


def _row_source(writer: Writer, row: Value, type: ArrayType) -> str:
    """What a loop reads rows of a type from: numbers one by one from memory made for that."""
    if row.form is Form.TUPLES:
        return row.text
    if writer.form_of(type) is Form.NUMPY:
        return writer.numpy(row)
    if row.form is Form.DOUBLES:
        return row.text
    name = writer.name()
    writer.line(f"{name} = {writer.function('from_array', from_array)}({row.text})")
    return name


# Writing rows


class StackKind(Enum):
    """Where a loop puts an output, trip by trip."""

    ARRAY = "a row of an array"
    DOUBLES = "a place among numbers of Python's in an array.array"
    TUPLES = "a tuple of numbers, together with others: only other loops read it"
    LIST = "a list, since its length is not known"


class Stack(NamedTuple):
    """Where a loop puts one of its outputs, trip by trip.

    Attributes:
        writer: Writes the source.
        name: The name of the memory.
        type: The type of the output of one trip.
        kind: What it is.
        storage: The memory, if its size is known.
        place: The place in a tuple, and how many it has.
    """

    writer: Writer
    name: str
    type: ArrayType
    kind: StackKind
    storage: Storage | None
    place: tuple[int, int] = (0, 1)

    def value(self, type: ArrayType) -> Value:
        """What it is after the loop, an array of a type."""
        if self.kind is StackKind.LIST:
            write_join(self.writer, self.name, self.type)
        storage = self.storage or self.writer.new_storage(type, self.name)
        form = {StackKind.DOUBLES: Form.DOUBLES, StackKind.TUPLES: Form.TUPLES}.get(self.kind)
        value = Value(self.name, type, storage, form=form or Form.NUMPY)
        value.is_contiguous = self.kind is StackKind.ARRAY
        value.place = self.place
        return value


def stacks_for(
    writer: Writer, types: Sequence[ArrayType], count: str, length: int | None
) -> list[Stack]:
    """Write what makes the memory for the outputs of a loop.

    Args:
        writer: Writes the source.
        types: The types of the outputs of one trip.
        count: The number of trips in the source.
        length: The number of trips, if it is known.
    """
    is_number = [writer.form_of(type.strong) is Form.PYTHON for type in types]
    memories = [Storage(True, 0) if on else None for on in is_number]
    few = length is not None and length * sum(is_number) <= MOST_NUMBERS
    inside = [memory is not None and writer.stays_inside(memory) and few for memory in memories]
    tuples: Storage | None = None
    stacks: list[Stack] = []
    for type, memory, is_inside in zip(types, memories, inside, strict=True):
        if is_inside:
            if tuples is None:
                tuples = Storage(True, 0)
                tuples.names.append(writer.name())
                writer.line(f"{tuples.names[0]} = [None] * {count}")
            place = (sum(stack.kind is StackKind.TUPLES for stack in stacks), sum(inside))
            stacks.append(Stack(writer, tuples.names[0], type, StackKind.TUPLES, tuples, place))
        elif memory is not None:
            name = writer.name()
            memory.names.append(name)
            writer.line(f"{name} = {writer.function('new_doubles', new_doubles)}({count})")
            stacks.append(Stack(writer, name, type, StackKind.DOUBLES, memory))
        elif ANY_LENGTH in type.shape:
            name = writer.name()
            writer.line(f"{name} = [None] * {count}")
            stacks.append(Stack(writer, name, type, StackKind.LIST, None))
        else:
            stacks.append(_stack(writer, type, count, length))
    return stacks


def _stack(writer: Writer, type: ArrayType, count: str, length: int | None) -> Stack:
    known = None if length is None else with_axis(type, length, 0)
    kept = None if known is None else writer.kept(known)
    name = kept or writer.name()
    storage = None if known is None else writer.new_storage(known, name, kept is not None)
    if kept is None:
        shape = ", ".join(map(str, (count, *type.shape)))
        writer.line(f"{name} = np.empty(({shape},), {writer.constant(type.dtype)})")
    return Stack(writer, name, type, StackKind.ARRAY, storage)


def write_rows(
    writer: Writer, stacks: Sequence[Stack], results: Sequence[Value], trip: str
) -> None:
    """Write what puts the outputs of a trip where they belong, but for those in lists."""
    numbers = [
        x.text if x.form is Form.PYTHON else f"float({x.text})"
        for stack, x in zip(stacks, results, strict=True)
        if stack.kind is StackKind.TUPLES
    ]
    if numbers:
        name = next(stack.name for stack in stacks if stack.kind is StackKind.TUPLES)
        writer.line(f"{name}[{trip}] = ({', '.join(numbers)},)")
    for stack, x in zip(stacks, results, strict=True):
        if stack.kind in (StackKind.ARRAY, StackKind.DOUBLES):
            text = writer.numpy(x) if x.type.shape else x.text
            writer.line(f"{stack.name}[{trip}] = {text}")


def stacked(values: Sequence[Any], type: ArrayType) -> Any:
    """Stack values of a type.

    An axis of unknown length becomes as long as the longest needs; what the others lack is zeros.
    Such axes count the trips of a loop that is to be run backward, and one of the stacks says by
    1 which of the trips there were.
    """
    shape = type.shape
    if any(isinstance(x, Tracer) for x in values):
        longest = np.max([np.shape(x) for x in values], axis=0)
        return np.stack([
            np.pad(x, [(0, n - m) for m, n in zip(np.shape(x), longest, strict=True)])
            if ANY_LENGTH in shape
            else x
            for x in values
        ])  # fmt: skip
    if ANY_LENGTH not in shape:
        result = np.empty((len(values), *shape), type.dtype)
        for number, value in enumerate(values):
            result[number] = value
        return result
    longest = np.max([np.shape(x) for x in values], axis=0) if values else np.maximum(shape, 0)
    result = np.zeros((len(values), *longest), type.dtype)
    for number, value in enumerate(values):
        result[(number, *map(slice, np.shape(value)))] = value
    return result
