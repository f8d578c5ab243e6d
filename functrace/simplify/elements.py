"""Arrays that are written and read element by element, at indexes that are known.

Such an array is a table of numbers: what is read is the number that was written there, and the
array itself is made where somebody asks for all of it. So a loop over elements in Python computes
with numbers, and so does the way back, which adds to elements of the cotangent.

Where parts of an array are read as well it stays one. But what is read of it early, is not written
any more, and is used late, is read of its last state: then the array can be written in its own
place, and the part need not be kept beside it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from functrace.primitives import elementwise, indexing, shaping
from functrace.simplify.rewriting import Scope, is_known
from functrace.simplify.writes import WRITES, is_basic, is_small

Version = tuple["Table", int]
"""An array as it is after so many writes."""


class Table:
    """An array of which single elements are written, one after the other.

    Attributes:
        base: The array before all writes.
        count: How many writes there are.
        accesses: How often an element is written or read.
        whole: How many elements are read otherwise.
        written: For each place the numbers of writes, and what was written.
        first: The number at each place before all writes, where it was read.
        asked: After how many writes the array is read.
        made: The array then.
    """

    def __init__(self, base: Atom) -> None:
        self.base = base
        self.count = 0
        self.accesses = 0
        self.whole = 0
        self.written: dict[int, tuple[list[int], list[Atom]]] = {}
        self.first: dict[int, Atom] = {}
        self.asked: set[int] = set()
        self.made: dict[int, Atom] = {}

    @property
    def pays(self) -> bool:
        """Whether numbers are less work than the array."""
        return self.accesses >= self.whole


def replace_elements(program: Program, versions: dict[Atom, Version] | None = None) -> Program:
    """Compute with numbers in place of arrays that are written element by element.

    Args:
        program: The Program.
        versions: What `tables_of` finds in it, if that is known.

    Returns:
        The Program without these writes; the same Program, if there are none.
    """
    versions = tables_of(program) if versions is None else versions
    return _Elements(program, versions).program() if versions else program


def tables_of(program: Program) -> dict[Atom, Version]:
    """The arrays in a Program that are states of a table."""
    versions: dict[Atom, Version] = {}
    known = versions.keys()
    for equation in program.equations:
        if equation.primitive in WRITES and _writes_number(equation):
            base = equation.inputs[0]
            table, count = versions.get(base, (None, 0))
            if table is None or count < table.count:
                _read_whole(versions, [base])
                table = Table(base)
            table.count += 1
            table.accesses += 1
            versions[equation.outputs[0]] = table, table.count
        elif not known.isdisjoint(equation.inputs):
            if _is_element(equation):
                versions[equation.inputs[0]][0].accesses += 1
            else:
                _read_whole(versions, equation.inputs)
    _read_whole(versions, program.outputs)
    return {atom: version for atom, version in versions.items() if version[0].pays}


def _read_whole(versions: dict[Atom, Version], atoms: Iterable[Atom]) -> None:
    for atom in atoms:
        table, count = versions.get(atom, (None, 0))
        if table is not None and count not in table.asked:
            table.asked.add(count)
            table.whole += atom.type.size


def _writes_number(equation: Equation) -> bool:
    """Whether a number is written, or added, at one place."""
    x, value, *arrays = equation.inputs
    if arrays or value.type.shape or not _is_at_place(equation):
        return False
    if equation.primitive is indexing.index_add and x.type.dtype.kind not in "iufc":
        return False
    if isinstance(value, Constant):
        return is_known(value) and _as_element(value, x.type) is not None
    return value.type.dtype == x.type.dtype and not value.type.weak


def _is_element(equation: Equation) -> bool:
    """Whether one element is read."""
    return (
        equation.primitive in (indexing.element, indexing.getitem_primitive)
        and len(equation.inputs) == 1
        and _is_at_place(equation)
    )


def _is_at_place(equation: Equation) -> bool:
    of, index = equation.inputs[0].type, equation.params["index"]
    return 0 < len(index) == of.ndim and all(type(item) is int for item in index) and is_small(of)


def _as_element(value: Constant, type: ArrayType) -> Constant | None:
    """A number as an element of an array; None where it cannot be one."""
    element = np.zeros((), type.dtype)
    try:
        element[()] = value.value
    except (TypeError, ValueError, OverflowError):
        return None
    return Constant(element[()])


class _Elements:
    """Writes a Program with numbers in place of tables."""

    def __init__(self, program: Program, versions: dict[Atom, Version]) -> None:
        self.scope = Scope(program)
        self.versions = versions
        known = versions.keys()
        for equation in program.equations:
            inputs = [self.scope.read(atom) for atom in equation.inputs]
            written = versions.get(equation.outputs[0]) if equation.outputs else None
            if written is not None:
                self.write(equation, inputs[1], *written)
            elif known.isdisjoint(inputs):
                self.append(equation, inputs)
            elif _is_element(equation):
                table, count = versions[inputs[0]]
                place = _place(equation)
                self.scope.replace(equation.outputs[0], self.element(equation, table, count, place))
            else:
                self.append(equation, [self.whole(atom, equation) for atom in inputs])

    def program(self) -> Program:
        """The Program."""
        scope, original = self.scope, self.scope.original
        for atom in original.outputs:
            if atom in self.versions:
                assert isinstance(atom, Variable)
                scope.replace(atom, self.whole(atom, original.equations[-1]))
        return scope.program()

    def append(self, equation: Equation, inputs: list[Atom]) -> None:
        is_same = all(x is y for x, y in zip(inputs, equation.inputs, strict=True))
        self.scope.append(equation if is_same else equation.replaced(inputs=inputs))

    def write(self, equation: Equation, value: Atom, table: Table, count: int) -> None:
        """Note what is written."""
        place = _place(equation)
        type = equation.outputs[0].type
        if isinstance(value, Constant):
            element = _as_element(value, type)
            assert element is not None
            value = element
        if equation.primitive is indexing.index_add:
            before = self.element(equation, table, count - 1, place)
            value = self.scope.emit(equation, elementwise.add, before, value)
        numbers, values = table.written.setdefault(place, ([], []))
        numbers.append(count)
        values.append(value)

    def element(self, like: Equation, table: Table, count: int, place: int) -> Atom:
        """The number at a place after so many writes."""
        numbers, values = table.written.get(place, ([], []))
        last = bisect_right(numbers, count)
        if last:
            return values[last - 1]
        if place not in table.first:
            table.first[place] = self.first(like, table, place)
        return table.first[place]

    def first(self, like: Equation, table: Table, place: int) -> Atom:
        """The number at a place before all writes."""
        base = self.whole(self.scope.read(table.base), like)
        index = tuple(map(int, np.unravel_index(place, base.type.shape)))
        if isinstance(base, Constant) and is_known(base):
            return Constant(base.value[index])
        return self.scope.emit(like, indexing.element, base, index=index)

    def whole(self, atom: Atom, like: Equation) -> Atom:
        """What stands for an array."""
        if atom not in self.versions:
            return atom
        table, count = self.versions[atom]
        if count not in table.made:
            table.made[count] = self.made(like, table, count, atom.type)
        return table.made[count]

    def made(self, like: Equation, table: Table, count: int, type: ArrayType) -> Atom:
        """Make an array of its elements."""
        places = [place for place, (numbers, _) in table.written.items() if numbers[0] <= count]
        if 2 * len(places) >= type.size:
            elements = [self.element(like, table, count, place) for place in range(type.size)]
            stack = self.scope.emit(like, shaping.stack_primitive, *elements, axis=0)
            if type.ndim == 1:
                return stack
            return self.scope.emit(like, shaping.reshape_primitive, stack, shape=type.shape)
        whole = self.whole(self.scope.read(table.base), like)
        for place in places:
            index = tuple(map(int, np.unravel_index(place, type.shape)))
            value = self.element(like, table, count, place)
            whole = self.scope.emit(like, indexing.index_update, whole, value, index=index)
        return whole


def _place(equation: Equation) -> int:
    """The number of an element, in row-major order."""
    place = 0
    for item, length in zip(equation.params["index"], equation.inputs[0].type.shape, strict=True):
        place = place * length + item % length
    return place


# Parts that are used late


class _Line:
    """An array that is written at indexes which are known, one write after the other.

    Attributes:
        last: The number of the last write at each element.
        end: The array after all writes, and the number of the equation that makes it.
    """

    def __init__(self, type: ArrayType) -> None:
        self.last = np.zeros(type.shape, np.int32)
        self.count = 0
        self.end: tuple[Atom, int] | None = None


def read_last_states(program: Program) -> Program:
    """Read parts of arrays which are used late when all writes into these are done.

    Args:
        program: The Program.

    Returns:
        The Program with such reads; the same Program, if there are none.
    """
    late = _late(program)
    if not late:
        return program
    scope = Scope(program)
    again: dict[Atom, Atom] = {}
    for number, equation in enumerate(program.equations):
        inputs = list(equation.inputs)
        for place, atom in enumerate(inputs):
            if atom in late:
                read, (whole, end) = late[atom]
                if number > end:
                    if atom not in again:
                        again[atom] = scope.emit(read, read.primitive, whole, **read.params)
                    inputs[place] = again[atom]
        is_same = all(x is y for x, y in zip(inputs, equation.inputs, strict=True))
        scope.append(equation if is_same else equation.replaced(inputs=inputs))
    return Program(program.inputs, scope.equations, program.outputs)


def _late(program: Program) -> dict[Atom, tuple[Equation, tuple[Atom, int]]]:
    """Parts that are used after the last write: the read, and the array after that."""
    lines: dict[Atom, tuple[_Line, int]] = {}
    reads: dict[Atom, tuple[Equation, _Line, int]] = {}
    used: dict[Atom, int] = {}
    for number, equation in enumerate(program.equations):
        for atom in equation.inputs:
            if atom in reads:
                used[atom] = number
        if not equation.inputs:
            continue
        x = equation.inputs[0]
        if equation.primitive in WRITES and is_basic(equation, 2) and is_small(x.type):
            line, count = lines.get(x, (None, 0))
            if line is None or count < line.count:
                line = _Line(x.type)
            line.count += 1
            line.last[equation.params["index"]] = line.count
            line.end = equation.outputs[0], number
            lines[equation.outputs[0]] = line, line.count
        elif (
            x in lines
            and equation.primitive is indexing.getitem_primitive
            and equation.outputs[0].type.shape
            and is_basic(equation, 1)
        ):
            reads[equation.outputs[0]] = equation, *lines[x]
    late: dict[Atom, tuple[Equation, tuple[Atom, int]]] = {}
    for atom, number in used.items():
        equation, line, count = reads[atom]
        assert line.end is not None
        is_late = number > line.end[1] and count < line.count
        if is_late and line.last[equation.params["index"]].max(initial=0) <= count:
            late[atom] = equation, line.end
    return late
