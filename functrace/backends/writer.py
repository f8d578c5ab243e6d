"""What source is written with: lines, names, and the forms in which it holds values."""

from __future__ import annotations

import builtins
import math
from array import array
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.memory import (
    LARGE,
    MOST_KEPT,
    SMALL,
    Form,
    Key,
    Storage,
    Value,
    is_double,
    key_of,
    size_of,
)
from functrace.errors import ProgramCheckError
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.program import Atom, ElidedValue, Source, Variable, variable_names
from functrace.ir.types import ArrayType

OPERATIONS = frozenset(PRIMITIVES)
"""The primitives of one operation, which the source calls by their names."""

RESERVED = OPERATIONS.union(
    dir(builtins),
    ("np", "math", "error", "locate", "team", "entered", "workspace", "result"),
)
"""What no variable is called: the primitives, Python's functions, and what the source begins and
ends with."""


class Insight(NamedTuple):
    """What can be said of a function only when it has been written, and then helps to write it.

    Attributes:
        kept: The numbers of the large arrays that are not handed out, in the order in which they
            are made: they are kept from call to call.
        inside: The numbers of the loops' outputs that only loops read: they need be no arrays.
    """

    kept: frozenset[int]
    inside: frozenset[int]


class Writer:
    """Writes the source of one function.

    Attributes:
        lines: The lines so far.
        places: For each line the place in the user's code.
        globals: What the source refers to by name.
        values: What the variables are that are needed now.
        prefers_python: Whether numbers are held as Python's floats.
        products: The sizes of the matrix products.
        workspace: The names and types of the arrays that are kept from call to call.
    """

    def __init__(self, insight: Insight | None = None) -> None:
        """Begin, with what a first `Writer` of the same Program has found out."""
        self.lines: list[str] = []
        self.places: list[Source | None] = []
        self.globals: dict[str, Any] = {}
        self._indent = ""
        self._opened: list[int] = []
        self._source: Source | None = None
        self._comments: dict[Source, str] = {}
        self._fresh = (name for name in variable_names() if name not in RESERVED)
        self._constants: dict[Any, str] = {}
        self.values: dict[Variable, Value] = {}
        self.prefers_python = False
        self.products: list[tuple[int, int, int]] = []
        self._insight = insight or Insight(frozenset(), frozenset())
        self._large: list[Storage] = []
        self._numbers: list[Storage] = []
        self.workspace: list[tuple[str, ArrayType]] = []
        self._idle: dict[Key, list[str]] = {}

    # Text

    def line(self, text: str) -> None:
        """Write a line, with the user's line beside it."""
        source = self._source
        if source is not None:
            comment = self._comments.get(source)
            if comment is None:
                comment = f"  # {source.short}"
                self._comments[source] = comment
            text += comment
        self.lines.append(self._indent + text)
        self.places.append(source)

    def open(self, line: str) -> None:
        """Write a line that opens a block."""
        self.line(line)
        self._indent += "    "
        self._opened.append(len(self.lines))

    def close(self) -> None:
        """End a block."""
        if self._opened.pop() == len(self.lines):
            self.line("pass")
        self._indent = self._indent[4:]

    @contextmanager
    def indented(self, opening: str) -> Generator[None]:
        """Write a line that opens a block, and what follows inside the block."""
        self.open(opening)
        yield
        self.close()

    @property
    def depth(self) -> int:
        """How many blocks are open."""
        return len(self._opened)

    def name(self) -> str:
        """A name that nothing has yet."""
        return next(self._fresh)

    def constant(self, value: Any) -> str:
        """A literal for a Python number, a name for any other value."""
        kind = type(value)
        if kind is bool or kind is int or (kind is float and math.isfinite(value)):
            return repr(value) if value >= 0 and repr(value)[0] != "-" else f"({value!r})"
        key: Any = id(value)
        if isinstance(value, np.ndarray | np.generic) and value.shape == ():
            key = (kind, value.dtype.str, value.tobytes())
        elif kind is float or kind is complex:
            key = (kind, repr(value))
        name = self._constants.get(key)
        if name is None:
            name = self._constants[key] = f"k{len(self._constants)}"
            self.globals[name] = value
        return name

    def function(self, name: str, value: Any) -> str:
        """A name for a function or another object, like the given one."""
        key = ("named", name, id(value))
        known = self._constants.get(key)
        if known is None:
            # Variables have names of letters only: an underscore keeps others apart from them.
            known = name if name in OPERATIONS or "_" in name else f"{name}_"
            if known in self.globals:
                known = f"{known}_{len(self.globals)}"
            self._constants[key] = known
            self.globals[known] = value
        return known

    def parameter(self, value: Any) -> str:
        """A literal for a parameter where Python has one, else a name."""
        if value is None or type(value) is str:
            text = repr(value)
            return text if "{" not in text and "}" not in text else self.constant(value)
        if isinstance(value, tuple) and type(value) is tuple:
            items: Any = value
            parts = [self.parameter(item) for item in items]
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        return self.constant(value)

    # Memory

    def insert(self, number: int, text: str) -> None:
        """Write a line before others that are there already, as deep as the next one."""
        self.lines.insert(number, self._indent + text)
        self.places.insert(number, None)

    def insight(self) -> Insight:
        """What is known now that all is written."""
        inner = [number for number, storage in enumerate(self._large) if not storage.escapes]
        total = sum(self._large[number].size for number in inner)
        inside = [number for number, value in enumerate(self._numbers) if not value.escapes]
        return Insight(frozenset(inner if total <= MOST_KEPT else ()), frozenset(inside))

    def stays_inside(self, storage: Storage) -> bool:
        """Whether only loops read the numbers that a loop puts into this memory."""
        self._numbers.append(storage)
        return len(self._numbers) - 1 in self._insight.inside

    def kept(self, type: ArrayType) -> str | None:
        """A name for an array of the workspace, if the next large array is to be one."""
        key = key_of(type)
        if key is None or size_of(type) < LARGE or len(self._large) not in self._insight.kept:
            return None
        idle = self._idle.get(key)
        if idle:
            return idle.pop()
        name = self.name()
        self.workspace.append((name, type))
        return name

    def new_storage(self, type: ArrayType, name: str, is_kept: bool = False) -> Storage:
        """Memory that the function made, under a name."""
        storage = Storage(True, size_of(type))
        storage.names.append(name)
        storage.kept_as = type if is_kept else None
        if key_of(type) is not None and storage.size >= LARGE:
            self._large.append(storage)
        return storage

    def released(self, storage: Storage) -> list[str]:
        """The names to delete once nothing needs memory any more."""
        key = None if storage.kept_as is None else key_of(storage.kept_as)
        if key is not None:
            self._idle.setdefault(key, []).append(storage.names[0])
            return []
        return storage.names if storage.size >= SMALL and storage.is_owned else []

    def separate(self, values: Sequence[Value]) -> list[str]:
        """Texts for values of which none shares memory with another, nor with an input."""
        own: dict[Storage, int] = {}
        for value in dict.fromkeys(values):
            if value.storage is not None:
                own[value.storage] = own.get(value.storage, 0) + 1
        # Memory that something else needs as well is shared, and what is returned twice is, once.
        taken = {storage for storage, count in own.items() if storage.users > count}
        return [self._separated(value, taken) for value in values]

    def _separated(self, value: Value, taken: set[Storage]) -> str:
        text = self.numpy(value)
        storage = value.storage
        if storage is None:
            return text
        shared = not storage.is_owned or storage in taken or not value.is_writable
        taken.add(storage)
        if not value.type.shape:
            return f"{self.function('fresh_copy', fresh_copy)}({text})" if shared else text
        # A small part of large memory would keep all of it.
        if shared or 2 * size_of(value.type) < storage.size:
            return f"{text}.copy()"
        storage.escapes = True
        return text

    # Values

    def numpy(self, value: Value) -> str:
        """A text for a value as NumPy's array or scalar, or as Python's where its type is weak."""
        if value.form is Form.PYTHON and not value.type.weak:
            kind = "np.bool_" if value.type.dtype.kind == "b" else "np.float64"
            return f"{kind}({value.text})"
        if value.form is Form.DOUBLES:
            name = self.name()
            self.line(f"{name} = {self.function('as_array', as_array)}({value.text})")
            value.text, value.form = name, Form.NUMPY
            if value.storage is not None:
                value.storage.escapes = True
        return value.text

    def python(self, value: Value) -> str:
        """A text for a value as Python's number, if it is a number that Python's float holds."""
        if value.form is Form.NUMPY and is_double(value.type) and value.type.weak:
            value.form = Form.PYTHON
        elif value.form is Form.NUMPY and is_double(value.type):
            name = self.name()
            self.line(f"{name} = float({value.text})")
            value.text, value.form, value.storage = name, Form.PYTHON, None
        return value.text

    def preferred(self, values: Sequence[Value]) -> None:
        """Bring values into the form that blocks are to find them in, before these begin."""
        for value in values:
            if value.form is Form.DOUBLES:
                self.numpy(value)
            elif self.prefers_python:
                self.python(value)

    def form_of(self, type: ArrayType) -> Form:
        """The form in which blocks hand on values of a type."""
        is_python = is_double(type) and (type.weak or self.prefers_python)
        return Form.PYTHON if is_python else Form.NUMPY

    def assign(
        self, names: Sequence[str], values: Sequence[Value], leaving: Sequence[Value] | None = None
    ) -> None:
        """Give names to outputs of a block, each with memory of its own, in preferred form.

        Args:
            names: The names.
            values: What they are given to.
            leaving: All outputs of the block, if there are more.
        """
        texts = self.separate(values)
        for number, value in enumerate(values):
            if self.form_of(value.type) is Form.PYTHON:
                is_python = value.form is Form.PYTHON
                texts[number] = value.text if is_python else f"float({value.text})"
        self.leave(values if leaving is None else leaving)
        pairs = [(name, text) for name, text in zip(names, texts, strict=True) if name != text]
        if pairs:
            targets, sources = zip(*pairs, strict=True)
            self.line(f"{', '.join(targets)} = {', '.join(sources)}")

    def copied(self, value: Value) -> str:
        """A text for a value with memory of its own, in preferred form."""
        if self.form_of(value.type) is Form.PYTHON:
            return value.text if value.form is Form.PYTHON else f"float({value.text})"
        if value.storage is None:
            return self.numpy(value)
        if value.type.shape:
            return f"{self.numpy(value)}.copy()"
        return f"{self.function('fresh_copy', fresh_copy)}({value.text})"

    def made(self, name: str, type: ArrayType) -> Value:
        """What a name is that was given to memory of its own, in preferred form."""
        if self.form_of(type) is Form.PYTHON or type.weak:
            return Value(name, type, form=self.form_of(type))
        return Value(name, type, self.new_storage(type, name))

    @contextmanager
    def held(self, values: Sequence[Value]) -> Generator[None]:
        """Keep values from being written over by the blocks that follow."""
        storages = [value.storage for value in values if value.storage is not None]
        for storage in storages:
            storage.users += 1
        yield
        for storage in storages:
            storage.users -= 1

    def value(self, atom: Atom) -> Value:
        """What a variable or a constant is."""
        if isinstance(atom, Variable):
            return self.values[atom]
        value = atom.value
        if isinstance(value, ElidedValue):
            raise ProgramCheckError(
                f"The value of a constant of type {atom.type} is not in the text from which the "
                "Program was parsed.",
                advice="Print the Program with functrace.to_text(program, elide=False).",
            )
        if self.prefers_python and isinstance(value, np.float64):
            return Value(self.constant(float(value)), atom.type, form=Form.PYTHON)
        storage = Storage(False, 0) if isinstance(value, np.ndarray) else None
        form = Form.PYTHON if isinstance(value, float) and atom.type.weak else Form.NUMPY
        return Value(self.constant(value), atom.type, storage, form=form)

    def enter(self, variable: Variable, value: Value) -> None:
        """Note what a variable is."""
        self.values[variable] = value
        if value.storage is not None:
            value.storage.enter(value)

    def hand_out(self, values: Sequence[Value]) -> None:
        """Note that somebody may keep values, or return them as results of their own."""
        for value in values:
            if value.storage is not None:
                value.storage.is_owned = False
                value.storage.escapes = True

    def leave(self, values: Sequence[Value]) -> None:
        """Note that variables are no longer needed; each once, though it be returned twice."""
        for value in dict.fromkeys(values):
            if value.storage is not None:
                value.storage.leave(value)

    def at(self, source: Source | None) -> None:
        """Note the place in the user's code for the lines that follow."""
        self._source = source


# Functions that the source calls


def new_doubles(length: int) -> array[float]:
    """Memory for numbers, which are read and written one by one."""
    return array("d", bytes(8 * length))


def from_array(x: Any) -> array[float]:
    """The numbers of an array, in memory from which they are read one by one."""
    return array("d", x.tobytes())


def as_array(numbers: array[float]) -> Any:
    """The same memory as an array of NumPy."""
    return np.frombuffer(numbers) if numbers else np.empty(0)


def fresh_copy(x: Any) -> Any:
    """A value that shares no memory: scalars as they are, arrays without axes as copies."""
    return x.copy() if isinstance(x, np.ndarray) else x
