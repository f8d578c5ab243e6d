"""Loops found again: equations that a Python loop recorded trip by trip become one scan.

A trip is a run of equations that does what those before it did: the same primitives, at the same
lines, on values of the same types. What it reads then decides what the loop is given:

- what all trips read is a constant;
- what the trip before has made, or one a few trips before, is a carry;
- what was made elsewhere, another one for each trip, are rows: of the stack of an earlier loop,
  from the first to the last or in reverse, as the walk back of a gradient reads the trips of the
  way forward; parts of one array; numbers; or values that are stacked;
- an index that is another one for each trip is a row too, and reading at it is reading a row where
  the array stays the same.

The same operations are done, in the same order. What does not fit stays as it was written: trips
at the beginning and at the end may be unlike the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import (
    NOTHING,
    Atom,
    Constant,
    Equation,
    Program,
    Variable,
)
from functrace.ir.structure import Loop
from functrace.ir.types import ArrayType
from functrace.primitives import indexing, shaping
from functrace.primitives.indexing import INDICES
from functrace.primitives.linear import zeros_of_type
from functrace.simplify.dead_code import remove_dead_code
from functrace.simplify.listing import READING, Listing
from functrace.simplify.recognizing import Before, Finding, Repeat, Stacked
from functrace.simplify.repeats import FEWEST_TRIPS, Numbers
from functrace.simplify.rewriting import has_unknown_length, is_known

SMALLEST = 1500
"""A Program with fewer equations stays as it is: without loops it runs faster, and is compiled in a
moment."""

LEAST_SAVED = 200
"""So many equations a loop has to save."""

LARGE = 20_000
"""From so many equations on, a loop may read and write at another index in each trip: written out,
the index is known, what was written is not read again, and a number is only copied."""

FEWEST_JOINED = 8
"""From so many parts on, what joins them is asked whether they are rows of a stack."""


def reroll(
    program: Program, smallest: int = SMALLEST, saved: int = LEAST_SAVED, large: int = LARGE
) -> Program:
    """Write a scan in place of equations that repeat themselves.

    Args:
        program: The Program.
        smallest: A Program with fewer equations stays as it is.
        saved: How many equations a loop has to save.
        large: In a Program with fewer equations no loop has an index that it computes.

    Returns:
        The Program with loops; the same Program, if there are none, or if it is small.
    """
    if len(program.equations) < smallest:
        return program
    listing = Listing(remove_dead_code(program))
    repeats = Finding(listing, saved, len(program.equations) >= large).repeats()
    return _Writer(listing, repeats).program() if repeats else program


class Part(NamedTuple):
    """A part of a sequence of atoms, another one for each trip.

    Attributes:
        numbers: The atoms' numbers.
        owner: Of which loop they are the same variable in trips one after the other; None else.
        array: Of which array they are rows; None else.
        place: Of a loop, which variable.
        steps: Which trips, or which rows, where they are.
    """

    numbers: Numbers
    owner: Repeat | None = None
    place: Stacked = 0
    array: int | None = None
    steps: slice = slice(None)


class _Writer:
    """Writes a Program with loops in place of trips."""

    def __init__(self, listing: Listing, repeats: Sequence[Repeat]) -> None:
        self.listing = listing
        self.repeats = repeats
        self.owner = np.full(len(listing.made), -1, np.int64)
        self.is_taken = np.zeros(len(listing.kinds), bool)
        for number, repeat in enumerate(repeats):
            self.owner[repeat.base : repeat.base + repeat.width * repeat.trips] = number
            self.is_taken[repeat.start : repeat.stop] = True
        self.makers: Numbers = np.repeat(
            np.arange(len(listing.kinds)), np.diff(listing.first_output)
        )
        self.bases: Numbers = np.array([repeat.base for repeat in repeats])
        self.widths: Numbers = np.array([repeat.width for repeat in repeats])
        self.equations: list[Equation] = []
        self.parts: dict[bytes, list[Part]] = {}
        self.handed: dict[bytes, list[Part]] = {}
        self.joined: dict[int, Numbers] = {}
        # What stands for it
        self.atoms: dict[int, Atom] = {}
        self.sequences: dict[bytes, Atom] = {}

    def program(self) -> Program:
        """The Program with loops."""
        program = self.listing.program
        outputs = [self.listing.number_of(atom) for atom in program.outputs]
        self.note_needs(outputs)
        number = 0
        for repeat in (*self.repeats, None):
            stop = len(program.equations) if repeat is None else repeat.start
            for position in range(number, stop):
                self.write(position)
            if repeat is not None:
                _Rolling(self, repeat).write()
                number = repeat.stop
        return Program(program.inputs, self.equations, self.instead_of(program.outputs, outputs))

    # What is needed

    def note_needs(self, outputs: Sequence[int]) -> None:
        """Find out which values of trips are read elsewhere, alone or as stacks."""
        listing = self.listing
        for position, equation in enumerate(listing.program.equations):
            if (
                not self.is_taken[position]
                and equation.primitive in (shaping.stack_primitive, shaping.concatenate_primitive)
                and len(equation.inputs) >= FEWEST_JOINED
            ):
                self.note_joined(position, equation)
        is_alone = ~self.is_taken
        is_alone[list(self.joined)] = False
        alone = listing.inputs[np.repeat(is_alone, np.diff(listing.first_input))]
        self.note_alone(alone)
        self.note_alone(np.array(outputs, np.int64))
        for repeat in self.repeats:
            elsewhere = repeat.lags < 0
            self.note_alone(repeat.inputs[0, elsewhere & repeat.is_same])
            for place in np.flatnonzero(elsewhere & ~repeat.is_same):
                self.note_sequence(repeat.inputs[:, place])
            for place in np.flatnonzero(repeat.lags > 0).tolist():
                self.note_alone(repeat.inputs[: int(repeat.lags[place]), place])
        self.note_handed()

    def note_alone(self, numbers: Numbers) -> None:
        numbers = numbers[numbers >= 0]
        for number in numbers[self.owner[numbers] >= 0].tolist():
            self.repeats[int(self.owner[number])].needed.add(number)

    def note_joined(self, position: int, equation: Equation) -> None:
        """Note what joins rows of a stack: it is that stack."""
        axis = equation.params["axis"]
        if axis != 0 or len({atom.type for atom in equation.inputs}) > 1:
            return
        first, last = self.listing.first_input[position : position + 2].tolist()
        numbers = self.listing.inputs[first:last]
        if len(self.note_sequence(numbers)) * FEWEST_JOINED <= len(numbers):
            self.joined[position] = numbers

    def note_sequence(self, numbers: Numbers) -> list[Part]:
        """Divide a sequence into parts, and note what they need."""
        key = numbers.tobytes()
        if key not in self.parts:
            self.parts[key] = parts = self.divided(numbers)
            handed = _handed_on(parts)
            if handed is None:
                self.note_parts(parts)
            else:
                self.handed[key] = handed
        return self.parts[key]

    def note_parts(self, parts: Sequence[Part]) -> None:
        """Note what parts of a sequence need."""
        for part in parts:
            if part.owner is not None:
                part.owner.stacks[part.place] = None
            elif part.array is None:
                self.note_alone(part.numbers)
            else:
                self.note_alone(np.array([part.array], np.int64))

    def note_handed(self) -> None:
        """Choose between a variable and what was handed on: one stack is enough."""
        for key, handed in self.handed.items():
            is_stacked = any(
                part.owner is not None and part.place in part.owner.stacks
                for part in self.parts[key]
            )
            if not is_stacked:
                self.parts[key] = handed
            self.note_parts(self.parts[key])

    def divided(self, numbers: Numbers) -> list[Part]:
        """The parts of a sequence."""
        groups, steps = self.groups(numbers)
        distance = np.diff(steps)
        # A part ends where the group changes, and where the distance between steps does.
        ends = np.diff(groups) != 0
        turns = np.zeros(len(ends), bool)
        turns[1:] = (distance[1:] != distance[:-1]) & ~ends[1:] & ~ends[:-1]
        ends |= turns | (np.abs(distance) != 1) & (groups[1:] > 0)
        places = [0, *(np.flatnonzero(ends) + 1).tolist(), len(numbers)]
        parts: list[Part] = []
        for first, last in pairwise(places):
            part, group = numbers[first:last], int(groups[first])
            if group <= 0:
                parts.append(Part(part))
                continue
            begin, end = int(steps[first]), int(steps[last - 1])
            rows = _steps(begin, end)
            owner = int(self.owner[part[0]])
            if owner >= 0:
                repeat = self.repeats[owner]
                place = repeat.place(int(part[0]))[1]
                parts.append(Part(part, owner=repeat, place=place, steps=rows))
            else:
                position = int(self.makers[part[0]])
                array = int(self.listing.inputs[self.listing.first_input[position]])
                parts.append(Part(part, array=array, steps=rows))
        return _merged(parts)

    def groups(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """For each atom of a sequence what it is a row of, as a number above 0, and which row."""
        groups, steps = np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.int64)
        is_made = numbers >= 0
        made = numbers[is_made]
        owners = self.owner[made]
        of_groups, of_steps = np.zeros(len(made), np.int64), np.zeros(len(made), np.int64)
        is_owned = owners >= 0
        if is_owned.any():
            trips, places = np.divmod(
                made[is_owned] - self.bases[owners[is_owned]], self.widths[owners[is_owned]]
            )
            of_groups[is_owned] = 1 + 2 * (self.bases[owners[is_owned]] + places)
            of_steps[is_owned] = trips
        for place in np.flatnonzero(~is_owned):
            row = self.row_read(int(self.makers[made[place]]))
            if row is not None:
                array, step = row
                of_groups[place], of_steps[place] = 2 * (array + len(self.listing.others) + 1), step
        groups[is_made], steps[is_made] = of_groups, of_steps
        return groups, steps

    def row_read(self, position: int) -> tuple[int, int] | None:
        """The array of which an equation reads a row, and the number of the row."""
        equation = self.listing.program.equations[position]
        index = equation.params.get("index")
        if equation.primitive not in READING or not index or type(index[0]) is not int:
            return None
        if len(index) > 1:
            return None
        x = equation.inputs[0]
        if not x.type.shape or has_unknown_length(x.type):
            return None
        array = int(self.listing.inputs[self.listing.first_input[position]])
        return array, index[0] % x.type.shape[0]

    # What is written

    def write(self, position: int) -> None:
        """Write an equation that stays."""
        equation = self.listing.program.equations[position]
        if position in self.joined:
            stack = self.sequence(self.joined[position], equation)
            if equation.primitive is shaping.concatenate_primitive:
                shape = equation.outputs[0].type.shape
                stack = self.emit(equation, shaping.reshape_primitive, [stack], {"shape": shape})
            if stack.type == equation.outputs[0].type:
                self.atoms[int(self.listing.first_output[position])] = stack
                return
        first, last = self.listing.first_input[position : position + 2].tolist()
        numbers = self.listing.inputs[first:last].tolist()
        inputs = self.instead_of(equation.inputs, numbers)
        is_same = all(x is y for x, y in zip(inputs, equation.inputs, strict=True))
        self.equations.append(equation if is_same else equation.replaced(inputs=inputs))

    def instead_of(self, atoms: Sequence[Atom], numbers: Sequence[int]) -> list[Atom]:
        """What stands for atoms; equal constants may be of other classes."""
        return [
            atom if number < 0 else self.atom(number)
            for atom, number in zip(atoms, numbers, strict=True)
        ]

    def emit(
        self,
        like: Equation,
        primitive: Primitive,
        inputs: Sequence[Atom],
        params: dict[str, Any],
    ) -> Variable:
        """Write an equation with one output, at the place of another one."""
        return self.emit_all(like, primitive, inputs, params)[0]

    def emit_all(
        self,
        like: Equation,
        primitive: Primitive,
        inputs: Sequence[Atom],
        params: dict[str, Any],
    ) -> list[Variable]:
        """Write an equation, at the place of another one."""
        inferred = primitive.infer(*(atom.type for atom in inputs), **params)
        types = inferred if primitive.multiple_outputs else (inferred,)
        outputs = [Variable(type) for type in types]
        self.equations.append(Equation(primitive, inputs, params, outputs, like.source, NOTHING))
        return outputs

    def atom(self, number: int) -> Atom:
        """What stands for an atom outside of loops."""
        found = self.atoms.get(number)
        if found is None:
            is_owned = number >= 0 and self.owner[number] >= 0
            found = self.taken_out(number) if is_owned else self.listing.atom(number)
            self.atoms[number] = found
        return found

    def taken_out(self, number: int) -> Atom:
        """The value of a variable in one trip, out of its stack."""
        repeat = self.repeats[int(self.owner[number])]
        trip, place = repeat.place(number)
        stack = repeat.stacks[place]
        assert stack is not None
        like = self.listing.program.equations[int(self.makers[number])]
        type = self.listing.made[number].type
        if type.weak:
            # Only a row of a loop is a Python number once more.
            rows = self.emit(
                like, indexing.getitem_primitive, [stack], {"index": (slice(trip, trip + 1),)}
            )
            row, before = Variable(type), Variable(type)
            once = Loop(Program([before, row], (), [row]), (), [_nothing(type)], [rows], length=1)
            return self.emit_loop(like, once)[0]
        read = indexing.getitem_primitive if type.shape else indexing.element
        return self.emit(like, read, [stack], {"index": (trip,)})

    def emit_loop(self, like: Equation, loop: Loop[Atom]) -> list[Variable]:
        """Write a loop."""
        scan = PRIMITIVES["scan"]
        application = scan.from_structure(loop, {})
        assert application is not None
        return self.emit_all(like, scan, *application)

    def sequence(self, numbers: Numbers, like: Equation) -> Atom:
        """The stack of a sequence of atoms."""
        key = numbers.tobytes()
        if key not in self.sequences:
            parts = [self.part(part, like) for part in self.note_sequence(numbers)]
            self.sequences[key] = (
                parts[0]
                if len(parts) == 1
                else self.emit(like, shaping.concatenate_primitive, parts, {"axis": 0})
            )
        return self.sequences[key]

    def part(self, part: Part, like: Equation) -> Atom:
        """The stack of a part of a sequence."""
        if part.owner is not None:
            whole = part.owner.stacks[part.place]
            assert whole is not None
        elif part.array is not None:
            whole = self.atom(part.array)
        else:
            atoms = [self.atom(number) for number in part.numbers.tolist()]
            if all(map(is_known, atoms)):
                values = [atom.value for atom in atoms if isinstance(atom, Constant)]
                return Constant(np.array(values, atoms[0].type.dtype))
            return self.emit(like, shaping.stack_primitive, atoms, {"axis": 0})
        if part.steps == slice(0, whole.type.shape[0], 1):
            return whole
        return self.emit(like, indexing.getitem_primitive, [whole], {"index": (part.steps,)})


def _steps(first: int, last: int) -> slice:
    """From one row to another one."""
    if first <= last:
        return slice(first, last + 1, 1)
    return slice(first, last - 1 if last else None, -1)


def _merged(parts: Sequence[Part]) -> list[Part]:
    """Neighbours that are no rows, and rows that stand alone, are one part."""
    merged: list[Part] = []
    for part in parts:
        is_alone = part.array is None and part.owner is None
        if part.array is not None and len(part.numbers) < FEWEST_TRIPS:
            part, is_alone = Part(part.numbers), True  # noqa: PLW2901
        last = merged[-1] if merged else None
        if is_alone and last is not None and last.array is None and last.owner is None:
            merged[-1] = Part(np.concatenate([last.numbers, part.numbers]))
        else:
            merged.append(part)
    return merged


def _handed_on(parts: Sequence[Part]) -> list[Part] | None:
    """A sequence of what trips were handed, where it ends or begins with what the first one was.

    So the walk back reads what a trip was given, from the last trip to the first.
    """
    for number, (one, other) in enumerate(pairwise(parts)):
        is_back = one.owner is not None
        part, alone = (one, other) if is_back else (other, one)
        repeat, steps, place = part.owner, part.steps, part.place
        if repeat is None or isinstance(place, Before):
            continue
        if alone.owner is not None or alone.array is not None:
            continue
        count, first = len(part.numbers), int(alone.numbers[0 if is_back else -1])
        is_handed = (repeat.lags == 1) & (repeat.outputs == place) & (repeat.inputs[0] == first)
        if steps != (_steps(count - 1, 0) if is_back else _steps(0, count - 1)):
            continue
        if count in (1, repeat.trips) or not is_handed.any():
            continue
        if is_back:
            rest = alone._replace(numbers=alone.numbers[1:])
            numbers, steps = np.append(part.numbers, first), _steps(count, 0)
        else:
            rest = alone._replace(numbers=alone.numbers[:-1])
            numbers, steps = np.append(first, part.numbers), _steps(0, count)
        joined = Part(numbers, repeat, Before(place, first), steps=steps)
        both = [joined, rest] if is_back else [rest, joined]
        return [*parts[:number], *(p for p in both if len(p.numbers)), *parts[number + 2 :]]
    return None


def _nothing(type: ArrayType) -> Constant:
    """Some value of a type, which nobody reads."""
    zeros = zeros_of_type(type)
    return Constant(zeros.item() if type.weak else zeros)


class _Rolling:
    """Writes one loop."""

    def __init__(self, writer: _Writer, repeat: Repeat) -> None:
        self.writer = writer
        self.repeat = repeat
        listing = writer.listing
        self.like = listing.program.equations[repeat.start]
        self.variables: list[Atom] = [*listing.made[repeat.base : repeat.base + repeat.width]]
        self.constants: dict[int, Variable] = {}
        self.rows: dict[bytes, tuple[Variable, Atom]] = {}
        self.before: list[Atom] = []
        self.carries: list[Variable] = []
        self.after: list[Atom | int] = []
        self.known_carries: dict[Any, int] = {}
        self.last: dict[int, int] = {}

    def write(self) -> None:
        """Write the loop, and what it needs in front of it."""
        writer, repeat = self.writer, self.repeat
        equations: list[Equation] = []
        made = 0
        for equation, places, columns in repeat.trip(writer.listing):
            integers = repeat.integers[:, columns.start : columns.stop]
            if repeat.is_same_index(columns):
                inputs = [self.read(place, equation) for place in places]
                equations.append(equation.replaced(inputs=inputs))
            elif repeat.reads_row(equation, places):
                self.variables[made] = self.row_at(equation, places[0], integers)
            else:
                inputs = [self.read(place, equation) for place in places]
                equations.append(self.indexed(equation, inputs, integers))
            made += len(equation.outputs)
        self.keep_last()
        stacked = [*repeat.stacks]
        given = [self.stacked(place) for place in stacked]
        outputs = [self.variables[x] if isinstance(x, int) else x for x in self.after]
        outputs += given
        rows = [*self.rows.values()]
        body = Program(
            [*self.constants.values(), *self.carries, *(variable for variable, _ in rows)],
            equations,
            outputs,
        )
        loop = Loop(
            body,
            [writer.atom(number) for number in self.constants],
            self.before,
            [atom for _, atom in rows],
            length=repeat.trips,
        )
        results = writer.emit_loop(self.like, loop)
        for place, stack in zip(stacked, results[len(self.carries) :], strict=True):
            repeat.stacks[place] = stack
        first = repeat.base + (repeat.trips - 1) * repeat.width
        for place, carry in self.last.items():
            writer.atoms[first + place] = results[carry]

    def stacked(self, place: Stacked) -> Atom:
        """What is stacked in each trip."""
        if isinstance(place, Before):
            return self.carried(np.array([place.first], np.int64), place.output)
        return self.variables[place]

    def keep_last(self) -> None:
        """See that what is needed of the last trip is a carry, and of others a stack."""
        repeat = self.repeat
        last: list[int] = []
        for number in sorted(repeat.needed):
            trip, place = repeat.place(number)
            if trip < repeat.trips - 1:
                repeat.stacks.setdefault(place)
            else:
                last.append(place)
        for place in last:
            type = self.writer.listing.made[repeat.base + place].type
            if place not in self.last and (type.weak or place not in repeat.stacks):
                self.last[place] = self.carry(_nothing(type), place)

    def carry(self, before: Atom, after: Atom | int) -> int:
        """One more carry; what it is in the next trip may be a variable of the trip."""
        variable = Variable(before.type)
        self.before.append(before)
        self.carries.append(variable)
        self.after.append(after)
        return len(self.carries) - 1

    def read(self, place: int, like: Equation) -> Atom:
        """What stands in the body for what is read at a place."""
        repeat = self.repeat
        lag = int(repeat.lags[place])
        if lag == 0:
            return self.variables[repeat.outputs[place]]
        if lag > 0:
            return self.carried(repeat.inputs[:lag, place], int(repeat.outputs[place]))
        if not repeat.is_same[place]:
            numbers = repeat.inputs[:, place]
            atom = self.writer.listing.atom(int(numbers[0]))
            return self.row(numbers.tobytes(), self.writer.sequence(numbers, like), atom.type)
        number = int(repeat.inputs[0, place])
        atom = self.writer.atom(number)
        if is_known(atom):
            return atom
        if number not in self.constants:
            self.constants[number] = Variable(atom.type)
        return self.constants[number]

    def row(self, key: bytes, stack: Atom, type: ArrayType) -> Variable:
        """The row of a stack."""
        if key not in self.rows:
            self.rows[key] = Variable(type), stack
        return self.rows[key][0]

    def carried(self, first: Numbers, output: int) -> Variable:
        """What stands for a variable of an earlier trip; at first other things are read."""
        key = output, first.tobytes()
        if key not in self.known_carries:
            # From trip to trip a value moves on by one carry.
            after: Atom | int = output
            for number in first[::-1].tolist():
                carry = self.carry(self.writer.atom(number), after)
                if after is output:
                    self.last.setdefault(output, carry)
                after = self.carries[carry]
            self.known_carries[key] = len(self.carries) - 1
        return self.carries[self.known_carries[key]]

    # An index that is another one for each trip

    def row_at(self, equation: Equation, place: int, integers: Numbers) -> Variable:
        """The row that is read, where each trip reads from the same array."""
        number = int(self.repeat.inputs[0, place])
        key = repr((number, equation.params["index"])).encode() + integers.tobytes()
        stack = self.rows_of(self.writer.atom(number), equation, integers)
        return self.row(key, stack, equation.outputs[0].type)

    def rows_of(self, array: Atom, equation: Equation, integers: Numbers) -> Atom:
        """What trips read from an array, stacked: a view of it, if the steps between are equal."""
        index: list[Any] = [*equation.params["index"]]
        axes = [axis for axis, item in enumerate(index) if type(item) is int]
        varying = [
            (axis, integers[:, column] % array.type.shape[axis])
            for column, axis in enumerate(axes)
            if (integers[:, column] != integers[0, column]).any()
        ]
        arrays: list[Atom] = []
        axis, numbers = varying[0]
        step = int(numbers[1] - numbers[0])
        is_even = len(varying) == 1 and step and (np.diff(numbers) == step).all()
        if is_even:
            first, last = int(numbers[0]), int(numbers[-1])
            index[axis] = (
                slice(first, last + 1, step)
                if step > 0
                else slice(first, last - 1 if last else None, step)
            )
            read = indexing.getitem_primitive
            params: dict[str, Any] = {"index": tuple(index)}
            start = sum(type(item) is slice for item in index[:axis])
        else:
            for axis, numbers in varying:
                index[axis] = INDICES
                arrays.append(Constant(numbers))
            read = indexing.gather
            params = {"index": tuple(index), "unique": False}
            start = indexing.layout(tuple(index), array.type.ndim).start
        stack = self.writer.emit(equation, read, [array, *arrays], params)
        if start:
            others = [axis for axis in range(stack.type.ndim) if axis != start]
            stack = self.writer.emit(
                equation, shaping.transpose_primitive, [stack], {"permutation": (start, *others)}
            )
        return stack

    def indexed(self, equation: Equation, inputs: list[Atom], integers: Numbers) -> Equation:
        """An equation with numbers in place of the integers that differ from trip to trip."""
        index: list[Any] = []
        primitive = equation.primitive
        arrays = inputs[2 if primitive in (indexing.index_update, indexing.index_add) else 1 :]
        had_arrays = bool(arrays)
        given = inputs[: len(inputs) - len(arrays)]
        following, columns = iter(arrays), iter(integers.T)
        for item in equation.params["index"]:
            if type(item) is str:
                given.append(next(following))
            elif type(item) is int:
                column = next(columns)
                if (column != column[0]).any():
                    numbers = np.ascontiguousarray(column)
                    type_of_number = ArrayType((), np.dtype(np.int64), weak=True)
                    key = b"integers" + numbers.tobytes()
                    given.append(self.row(key, Constant(numbers), type_of_number))
                    index.append(INDICES)
                    continue
            index.append(item)
        params = {**equation.params, "index": tuple(index)}
        params.setdefault("unique", not had_arrays)
        if primitive in READING:
            primitive = indexing.gather
        return equation.replaced(primitive=primitive, inputs=given, params=params)
