"""What a plan is made with: the steps so far, what the variables are now, and in which form."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from functrace.backends.memory import Form, Storage, Value, is_double, size_of
from functrace.backends.names import Names
from functrace.backends.plan import As, Convert, Plan, Read, Step
from functrace.ir.emission import Code
from functrace.ir.program import NOTHING, Atom, ElidedValue, Handling, Source, Variable, elided
from functrace.ir.types import ArrayType


class Planner:
    """Makes the plan of one function.

    Attributes:
        values: What the variables are that are needed now.
        names: Gives names to what the steps refer to.
        codes: The codes so far of equations without parameters, by what tells these apart.
        prefers_python: Whether numbers are held as Python's floats.
        products: The sizes of the matrix products.
        source: The place in the user's code for the steps that follow.
        depth: How many blocks are open.
        handling: How NumPy handles errors there.
    """

    def __init__(self, prefers_python: bool) -> None:
        self.values: dict[Variable, Value] = {}
        self.names = Names()
        self.codes: dict[Any, Code] = {}
        self.prefers_python = prefers_python
        self.products: list[tuple[int, int, int]] = []
        self.source: Source | None = None
        self.depth = 0
        self.handling: Handling = NOTHING
        self._steps: list[tuple[Source | None, Step]] = []
        self._large: list[Storage] = []

    def add(self, step: Step) -> None:
        """Add a step, for the place in the user's code that is current."""
        self._steps.append((self.source, step))

    @contextmanager
    def block(self, opening: Step) -> Generator[None]:
        """Add a step that opens a block; the last one within is to close it."""
        self.add(opening)
        self.depth += 1
        yield
        self.depth -= 1

    def plan(self, inputs: Sequence[Value], given: Sequence[Value]) -> Plan:
        """The plan of all steps, for a function of these inputs."""
        return Plan(inputs, given, self._steps, self.names, self.products, self._large)

    # Memory

    def new_storage(self, type: ArrayType) -> Storage:
        """Memory that the function makes."""
        storage = Storage(True, size_of(type), type)
        if storage.is_large:
            self._large.append(storage)
        return storage

    def new_value(self, type: ArrayType) -> Value:
        """A value in memory of its own, in preferred form."""
        form = self.form_of(type)
        storage = None if form is Form.PYTHON or type.weak else self.new_storage(type)
        return Value(type, storage, form=form)

    def hand_out(self, values: Sequence[Value]) -> None:
        """Note that somebody may keep values, or return them as results of their own."""
        for value in values:
            if value.storage is not None:
                value.storage.is_owned = False
                value.storage.escapes = True

    @contextmanager
    def held(self, values: Sequence[Value]) -> Generator[None]:
        """Keep values from being written over by the blocks that follow."""
        storages = [value.storage for value in values if value.storage is not None]
        for storage in storages:
            storage.users += 1
        yield
        for storage in storages:
            storage.users -= 1

    # Variables

    def value(self, atom: Atom) -> Value:
        """What a variable or a constant is."""
        if isinstance(atom, Variable):
            return self.values[atom]
        value = atom.value
        if isinstance(value, ElidedValue):
            raise elided(atom)
        if self.prefers_python and isinstance(value, np.float64):
            return Value(atom.type, form=Form.PYTHON, constant=float(value))
        storage = Storage(False, 0) if isinstance(value, np.ndarray) else None
        form = Form.PYTHON if isinstance(value, float) and atom.type.weak else Form.NUMPY
        return Value(atom.type, storage, form=form, constant=value)

    def enter(self, variable: Variable, value: Value) -> None:
        """Note what a variable is."""
        self.values[variable] = value
        if value.storage is not None:
            value.storage.enter(value)

    def leave(self, values: Sequence[Value]) -> None:
        """Note that variables are no longer needed; each once, though it be returned twice."""
        for value in dict.fromkeys(values):
            if value.storage is not None:
                value.storage.leave(value)

    # Forms

    def form_of(self, type: ArrayType) -> Form:
        """The form in which blocks hand on values of a type."""
        is_python = is_double(type) and (type.weak or self.prefers_python)
        return Form.PYTHON if is_python else Form.NUMPY

    def numpy(self, value: Value) -> As | None:
        """How a value is read as NumPy's array or scalar, or as Python's where it is weak."""
        if value.form is Form.PYTHON and not value.type.weak:
            return As.BOOL if value.type.dtype.kind == "b" else As.FLOAT64
        if value.form is Form.NUMBERS:
            self.add(Convert(value, Read(value, (As.SHARED,))))
            value.form = Form.NUMPY
            if value.storage is not None:
                value.storage.escapes = True
        return None

    def python(self, value: Value) -> None:
        """Hold a value as Python's number, if it is a number that Python's float holds."""
        if value.form is Form.NUMPY and is_double(value.type):
            if not value.type.weak:
                self.add(Convert(value, Read(value, (As.FLOAT,))))
                value.storage = None
            value.form = Form.PYTHON

    def preferred(self, values: Sequence[Value]) -> None:
        """Bring values into the form that blocks are to find them in, before these begin."""
        for value in values:
            if value.form is Form.NUMBERS:
                self.numpy(value)
            elif self.prefers_python:
                self.python(value)

    # Reading

    def read(self, value: Value, *ways: As) -> Read:
        """A value as NumPy's, and what is made of it."""
        first = self.numpy(value)
        return Read(value, ways if first is None else (first, *ways))

    def copied(self, value: Value) -> Read:
        """How a value is read into memory of its own, in preferred form."""
        if self.form_of(value.type) is Form.PYTHON:
            return as_float(value)
        if value.storage is None:
            return self.read(value)
        return self.read(value, As.COPY) if value.type.shape else Read(value, (As.FRESH,))

    def assigned(self, values: Sequence[Value]) -> list[Read]:
        """How outputs of a block are read, each with memory of its own, in preferred form."""
        reads = self.separate(values)
        return [
            as_float(value) if self.form_of(value.type) is Form.PYTHON else read
            for value, read in zip(values, reads, strict=True)
        ]

    def separate(self, values: Sequence[Value]) -> list[Read]:
        """How values are read so that none shares memory with another, nor with an input."""
        own: dict[Storage, int] = {}
        for value in dict.fromkeys(values):
            if value.storage is not None:
                own[value.storage] = own.get(value.storage, 0) + 1
        # Memory that something else needs as well is shared, and what is returned twice is, once.
        taken = {storage for storage, count in own.items() if storage.users > count}
        return [self._separated(value, taken) for value in values]

    def _separated(self, value: Value, taken: set[Storage]) -> Read:
        storage = value.storage
        if storage is None:
            return self.read(value)
        shared = not storage.is_owned or storage in taken or not value.is_writable
        taken.add(storage)
        if not value.type.shape:
            return self.read(value, As.FRESH) if shared else self.read(value)
        # A small part of large memory would keep all of it.
        if shared or 2 * size_of(value.type) < storage.size:
            return self.read(value, As.COPY)
        storage.escapes = True
        return self.read(value)


def as_float(value: Value) -> Read:
    """How a number is read as Python's."""
    return Read(value) if value.form is Form.PYTHON else Read(value, (As.FLOAT,))
