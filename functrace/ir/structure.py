"""What is done with the Programs that an equation holds: one is run, one of several, or a loop.

::

    Structure = Run(program, inputs, is_apart)
              | Choice(index, branches, operands, examples, axes)
              | Loop(body, constants, carries, rows, condition, length, reverse)

A primitive that holds Programs says by `Primitive.structure` which of these an application of it
is, and by `Primitive.from_structure` which application does it. What the inputs are is left open
(``T``): atoms where Programs are rewritten, types where they are checked, values where they run,
what stands for these in the source of a backend. So whoever checks, simplifies, batches or writes
a Program sees control flow as data, and no primitive's parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from functrace.errors import ProgramCheckError
from functrace.ir.program import Atom, Equation, Program, Variable, output_types
from functrace.ir.types import ANY_LENGTH, ArrayType, row_type

T = TypeVar("T")
U = TypeVar("U")

Body = tuple[Program, Sequence[ArrayType], Sequence[ArrayType] | None]
"""A Program, the types of what it is given, and those of its first outputs as far as they are
given: as those that are its inputs in the next trip of a loop."""


class Run(NamedTuple, Generic[T]):
    """Run a Program.

    Attributes:
        program: The Program.
        inputs: What it is given.
        is_apart: Whether its equations must not be mixed with those around it, even when
            derivatives have been taken: what is computed again is not to be shared.
    """

    program: Program
    inputs: Sequence[T]
    is_apart: bool = False

    @property
    def programs(self) -> Sequence[Program]:
        """The Programs that are run."""
        return (self.program,)

    @property
    def results(self) -> Sequence[Program]:
        """The Programs whose outputs are its own."""
        return (self.program,)

    @property
    def operations(self) -> int:
        """How many operations on numbers it takes."""
        return self.program.operations

    def map(self, change: Callable[[T], U]) -> Run[U]:
        """The same with something else for each input."""
        inputs = [*map(change, self.inputs)]
        return Run(self.program, inputs, self.is_apart)


def nearest(index: Any, count: int) -> int:
    """Which of so many branches a number names: the nearest, where it is out of range."""
    return min(max(int(index), 0), count - 1)


class Choice(NamedTuple, Generic[T]):
    """Run one of several Programs, or one for each of many examples.

    Attributes:
        index: The number of the Program; out of range, the nearest.
        branches: The Programs, which take the same and return the like.
        operands: What the one that is chosen is given.
        examples: How many examples choose, each for itself; None for one choice.
        axes: Where they do, for each operand the axis of the examples: 0 or None.
    """

    index: T
    branches: Sequence[Program]
    operands: Sequence[T]
    examples: int | None = None
    axes: Sequence[int | None] = ()

    @property
    def programs(self) -> Sequence[Program]:
        """The Programs that are run."""
        return self.branches

    @property
    def results(self) -> Sequence[Program]:
        """The Programs whose outputs are its own, for each example."""
        return self.branches

    @property
    def operations(self) -> int:
        """Those of the branch that takes most, for each example."""
        most = max(branch.operations for branch in self.branches)
        return most * (1 if self.examples is None else self.examples)

    def map(self, change: Callable[[T], U]) -> Choice[U]:
        """The same with something else for each input."""
        operands = [*map(change, self.operands)]
        return Choice(change(self.index), self.branches, operands, self.examples, self.axes)


class Loop(NamedTuple, Generic[T]):
    """Run a Program once for each row, or as long as another one says so.

    Attributes:
        body: Takes constants, carries and one of each row; returns the next carries, and what is
            stacked. A row that it takes as weak is a Python number there.
        constants: What is the same in all trips.
        carries: What each trip hands to the next.
        rows: What each trip takes one row of.
        condition: Takes constants and carries, and says whether there is one more trip; None where
            the number of trips is known, or the rows tell.
        length: The number of trips; None where it is not known.
        reverse: Whether from the last row to the first.
    """

    body: Program
    constants: Sequence[T]
    carries: Sequence[T]
    rows: Sequence[T] = ()
    condition: Program | None = None
    length: int | None = None
    reverse: bool = False

    @property
    def inputs(self) -> list[T]:
        """All that it is given, in order."""
        return [*self.constants, *self.carries, *self.rows]

    @property
    def programs(self) -> Sequence[Program]:
        """The Programs that are run."""
        return (self.body,) if self.condition is None else (self.condition, self.body)

    @property
    def results(self) -> Sequence[Program]:
        """The Program whose outputs are its own, but for stacks."""
        return (self.body,)

    @property
    def operations(self) -> int:
        """Those of all trips, or of one where their number is known only when it has run."""
        test = 0 if self.condition is None else self.condition.operations
        return test + self.body.operations * (1 if self.length is None else self.length)

    @property
    def needs_row(self) -> bool:
        """Whether only the rows tell the number of trips."""
        return self.length is None and self.condition is None

    def split(self, others: Sequence[U]) -> Loop[U]:
        """The same with others in place of what it is given, in order."""
        first = len(self.constants)
        last = first + len(self.carries)
        parts = others[:first], others[first:last], others[last:]
        return Loop(self.body, *parts, self.condition, self.length, self.reverse)

    @property
    def inside(self) -> Loop[Variable]:
        """The same with the variables of the body in place of what is given for them."""
        return self.split(self.body.inputs)

    def map(self, change: Callable[[T], U]) -> Loop[U]:
        """The same with something else for each input."""
        return self.split([*map(change, self.inputs)])


Structure = Run[T] | Choice[T] | Loop[T]


def structure_of(equation: Equation) -> Structure[Atom] | None:
    """What an equation does with the Programs that it holds; None where that is none of these.

    Example:
        >>> import functrace as ft
        >>> from functrace.extend import Loop, structure_of
        >>> program = ft.make_ir(lambda x: ft.fori_loop(0, 3, lambda _, y: 2.0 * y, x))(1.0)
        >>> loop = structure_of(program.equations[-1])
        >>> isinstance(loop, Loop), loop.length
        (True, 3)
    """
    return equation.primitive.structure(equation.inputs, equation.params)


def bodies(structure: Structure[ArrayType]) -> list[Body]:
    """The Programs in a structure, with what they are given.

    Raises:
        ProgramCheckError: Rows are not as many as the trips.
    """
    match structure:
        case Run():
            return [(structure.program, structure.inputs, None)]
        case Choice():
            types = structure.operands
            if structure.examples is not None:
                types = [
                    type if axis is None else ArrayType(type.shape[1:], type.dtype)
                    for type, axis in zip(types, structure.axes, strict=True)
                ]
            made = output_types(structure.branches[0])
            return [(branch, types, made) for branch in structure.branches]
        case Loop():
            return _bodies_of_loop(structure)


def _bodies_of_loop(loop: Loop[ArrayType]) -> list[Body]:
    length = ANY_LENGTH if loop.length is None else loop.length
    known = (length, ANY_LENGTH)
    if not all(row.shape and (length < 0 or row.shape[0] in known) for row in loop.rows):
        raise ProgramCheckError("The rows of a scan are not as many as its trips.")
    given = [*loop.constants, *loop.carries]
    found: list[Body] = [(loop.body, [*given, *map(row_type, loop.rows)], loop.carries)]
    if loop.condition is not None:
        found.append((loop.condition, given, [ArrayType((), np.dtype(bool))]))
    return found
