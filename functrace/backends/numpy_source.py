"""From a Program to straight-line Python source over NumPy.

Each equation becomes one statement, with the user's line beside it, in the order of the Program.
Three things make it as fast as code written by hand: results are written over arrays that nobody
needs any more, what is a view in NumPy stays one, and memory is let go as early as possible.
Primitives say themselves what they are in NumPy (`Primitive.numpy_code`); loops and branches
write themselves by `Writer` (`Primitive.write_numpy`).
"""

from __future__ import annotations

import itertools
import linecache
import math
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from keyword import iskeyword
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.memory import (
    LARGE,
    MOST_KEPT,
    SMALL,
    Form,
    Free,
    Key,
    Storage,
    Value,
    Workspace,
    is_double,
    key_of,
    size_of,
)
from functrace.backends.threads import team_for
from functrace.errors import FunctraceError, ProgramCheckError
from functrace.ir.emission import UNKNOWN, Code, Operand
from functrace.ir.primitive import PRIMITIVES, Primitive, is_built_in
from functrace.ir.program import (
    Atom,
    Constant,
    ElidedValue,
    Equation,
    Program,
    Source,
    Variable,
    variable_names,
)
from functrace.ir.types import ArrayType

NEAR = 24
"""For so many equations an array that is free waits for one that can be written over it."""

SEVERAL = 4
"""From so many operations on single numbers on these are Python's floats: to convert them for the
first operation, and back after the last one, takes as long as two operations of NumPy's."""

DEEPEST = 12
"""Loops and branches nested deeper than this are functions of their own: Python allows 20."""

_RESERVED = frozenset(PRIMITIVES) | {
    "np",
    "math",
    "float",
    "range",
    "len",
    "error",
    "locate",
    "reversed",
    "min",
}
_numbers = itertools.count(1)


class Written:
    """A function that was written from a Program.

    Attributes:
        source: Its text.
        run: The function.
    """

    def __init__(self, program: Program, donated: frozenset[int], name: str) -> None:
        if not name.isidentifier() or iskeyword(name) or name in _RESERVED:
            name = "program"
        writer = Writer()
        self.source = writer.function_of(program, donated, name)
        insight = writer.insight()
        if insight.kept or insight.inside:
            writer = Writer(insight)
            self.source = writer.function_of(program, donated, name)
        self.run = _made(name, self.source, writer)


def _made(name: str, source: str, writer: Writer) -> Callable[..., tuple[Any, ...]]:
    """Compile the source, so that errors show its lines and those of the user."""
    file = f"<functrace {name} {next(_numbers)}>"
    code = compile(source, file, "exec", dont_inherit=True)
    places = writer.places
    namespace: dict[str, Any] = {
        "np": np,
        "math": math,
        **writer.globals,
        "locate": partial(locate, file, places),
    }
    made: dict[str, Any] = {}
    exec(code, namespace, made)  # noqa: S102 (the source was written here, from a checked Program)
    run = made[name]
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    weakref.finalize(run, linecache.cache.pop, file, None)
    return run


def locate(file: str, places: Sequence[Source | None], error: Exception) -> None:
    """Say in an error that left generated source which line of the user's it belongs to."""
    line = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == file:
            line = step.tb_lineno
            break
        step = step.tb_next
    if line is None or (isinstance(error, FunctraceError) and error.where is not None):
        return
    place = places[line - 1]
    if place is not None:
        error.add_note(f"recorded at {place}")


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
    """

    def __init__(self, insight: Insight | None = None) -> None:
        """Begin, with what a first `Writer` of the same Program has found out."""
        self.lines: list[str] = []
        self.places: list[Source | None] = []
        self.globals: dict[str, Any] = {}
        self._indent = ""
        self._opened: list[int] = []
        self._source: Source | None = None
        self._comments: dict[tuple[CodeType, int], str] = {}
        self._fresh = (name for name in variable_names() if name not in _RESERVED)
        self._constants: dict[Any, str] = {}
        self.values: dict[Variable, Value] = {}
        self.prefers_python = False
        self.products: list[tuple[int, int, int]] = []
        self._insight = insight or Insight(frozenset(), frozenset())
        self._large: list[Storage] = []
        self._numbers: list[Storage] = []
        self._workspace: list[tuple[str, ArrayType]] = []
        self._idle: dict[Key, list[str]] = {}

    # Text

    def line(self, text: str) -> None:
        """Write a line, with the user's line beside it."""
        source = self._source
        if source is not None:
            comment = self._comments.get((source.code, source.instruction))
            if comment is None:
                file = source.file.replace(chr(92), "/").rpartition("/")[2]
                comment = f"  # {file}:{source.line}"
                self._comments[source.code, source.instruction] = comment
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
            known = name if name not in self.globals else f"{name}_{len(self.globals)}"
            self._constants[key] = known
            self.globals[known] = value
        return known

    def parameter(self, value: Any) -> str:
        """A literal for a parameter where Python has one, else a name."""
        if value is None or isinstance(value, str):
            text = repr(value)
            return text if "{" not in text and "}" not in text else self.constant(value)
        if isinstance(value, tuple) and type(value) is tuple:
            items: Any = value
            parts = [self.parameter(item) for item in items]
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        return self.constant(value)

    # Functions

    def function_of(self, program: Program, donated: frozenset[int], name: str) -> str:
        """The source of a function that runs a Program."""
        self.prefers_python = count_of_numbers(program) >= SEVERAL
        inputs: list[Value] = []
        for number, variable in enumerate(program.inputs):
            storage = Storage(number in donated, size_of(variable.type))
            value = Value(self.name(), variable.type, storage)
            if variable.type.weak and is_double(variable.type):
                value.form, value.storage = Form.PYTHON, None
            inputs.append(value)
        with self.indented(f"def {name}({', '.join(value.text for value in inputs)}):"):
            start = len(self.lines)
            with self.indented("try:"):
                outputs = self.block(program, inputs)
                self._source = None
                texts = self.separate(outputs)
                if self._workspace:
                    self.line(f"workspace.give(({self._workspace_names()}))")
                self.line(f"return ({', '.join(texts)}{',' if len(texts) == 1 else ''})")
            with self.indented("except Exception as error:"):
                self.line("locate(error)")
                self.line("raise")
            if self._workspace:
                self.globals["workspace"] = Workspace([type for _, type in self._workspace])
                self.insert(start, f"{self._workspace_names()} = workspace.take()")
            team = team_for(self.products, program.operations) if self.products else None
            if team is not None and takes_as_long_each_time(program):
                self.globals["team"] = team
                self.insert(start, "entered = team.enter()")
                with self.indented("finally:"):
                    self.line("team.leave(entered)")
        return "\n".join(self.lines) + "\n"

    def insert(self, number: int, text: str) -> None:
        """Write a line before others that are there already, as deep as the next one."""
        self.lines.insert(number, self._indent + text)
        self.places.insert(number, None)

    def _workspace_names(self) -> str:
        return "".join(f"{name}, " for name, _ in self._workspace).rstrip()

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
        self._workspace.append((name, type))
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
        storage = value.storage
        if storage is None or value.form is Form.DOUBLES:
            return self.numpy(value)
        shared = not storage.is_owned or storage in taken or not value.is_writable
        taken.add(storage)
        if not value.type.shape:
            return f"{self.function('fresh', fresh)}({value.text})" if shared else value.text
        # A small part of large memory would keep all of it.
        if shared or 2 * size_of(value.type) < storage.size:
            return f"{value.text}.copy()"
        storage.escapes = True
        return value.text

    # Programs

    def block(self, program: Program, inputs: Sequence[Value]) -> list[Value]:
        """Write the statements of a Program.

        Args:
            program: The Program.
            inputs: What its inputs are.

        Returns:
            What its outputs are. Each still counts as a user of its memory.
        """
        _Block(self, program, inputs).write()
        return [self.value(atom) for atom in program.outputs]

    def inlined(self, program: Program, inputs: Sequence[Value]) -> list[Value]:
        """Write the statements of a Program that stands for itself; its outputs may be views."""
        outputs = self.block(program, inputs)
        self.leave(outputs)
        return outputs

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
        if value.form is Form.NUMPY and is_double(value.type):
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
        return f"{self.function('fresh', fresh)}({value.text})"

    def made(self, name: str, type: ArrayType) -> Value:
        """What a name is that was given to memory of its own, in preferred form."""
        if not type.shape:
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
            value.storage.users += 1

    def leave(self, values: Sequence[Value]) -> None:
        """Note that variables are no longer needed; each once, though it be returned twice."""
        for value in dict.fromkeys(values):
            if value.storage is not None:
                value.storage.users -= 1

    def at(self, source: Source | None) -> None:
        """Note the place in the user's code for the lines that follow."""
        self._source = source


class _Block:
    """Writes the equations of one Program."""

    def __init__(self, writer: Writer, program: Program, inputs: Sequence[Value]) -> None:
        self.writer = writer
        self.program = program
        self.free: dict[Key, list[Free]] = {}
        self.codes = [self._code(equation) for equation in program.equations]
        self.wanted: dict[Key, list[int]] = {}
        for number, (equation, code) in enumerate(zip(program.equations, self.codes, strict=True)):
            if code is not None and code.into is not None:
                key = key_of(equation.outputs[0].type)
                if key is not None:
                    self.wanted.setdefault(key, []).append(number)
        used = {atom for equation in program.equations for atom in equation.inputs}
        used.update(program.outputs)
        for variable, value in zip(program.inputs, inputs, strict=True):
            writer.enter(variable, value)
            if variable not in used:
                writer.leave([value])

    def _code(self, equation: Equation) -> Code | None:
        primitive = equation.primitive
        if primitive.writes_itself and self.writer.depth < DEEPEST:
            return None
        operands = [
            Operand(atom.type, atom.value if isinstance(atom, Constant) else UNKNOWN)
            for atom in equation.inputs
        ]
        types = [variable.type for variable in equation.outputs]
        code = primitive.numpy_code(self.writer, operands, types, **equation.params)
        if code is not None and code.product is not None:
            self.writer.products.append(code.product)
        return code or called(self.writer, primitive, len(operands), equation.params)

    def write(self) -> None:
        """Write all equations."""
        writer = self.writer
        endings = self.program.last_uses()
        is_silent = False
        for number, (equation, code) in enumerate(
            zip(self.program.equations, self.codes, strict=True)
        ):
            if self._may_warn(equation, code):
                if is_silent and not equation.is_silent:
                    writer.close()
                    is_silent = False
                elif equation.is_silent and not is_silent:
                    writer.at(None)
                    writer.open('with np.errstate(divide="ignore", invalid="ignore"):')
                    is_silent = True
            writer.at(equation.source)
            if code is None:
                self._structured(equation, endings[number], number)
            else:
                self._simple(equation, code, endings[number], number)
        writer.at(None)
        if is_silent:
            writer.close()

    def _may_warn(self, equation: Equation, code: Code | None) -> bool:
        """Whether NumPy may warn here of divisions by zero and invalid values."""
        is_python = code is not None and code.python is not None and self.writer.prefers_python
        if is_python and not any(atom.type.shape for atom in equation.inputs):
            return False  # Python's numbers give no warnings
        return may_warn(equation)

    def _structured(self, equation: Equation, ending: Sequence[Variable], number: int) -> None:
        writer = self.writer
        inputs = [writer.value(atom) for atom in equation.inputs]
        if not equation.primitive.takes_doubles:
            writer.preferred(inputs)
        outputs = equation.primitive.write_numpy(
            writer, inputs, [v.type for v in equation.outputs], equation.params
        )
        for variable, value in zip(equation.outputs, outputs, strict=True):
            writer.enter(variable, value)
        self._let_go(ending, number)

    def _simple(
        self, equation: Equation, code: Code, ending: Sequence[Variable], number: int
    ) -> None:
        writer = self.writer
        inputs = [writer.value(atom) for atom in equation.inputs]
        if self._is_python(code, inputs, equation):
            texts = [
                writer.numpy(value) if value.type.shape else writer.python(value)
                for value in inputs
            ]
            assert code.python is not None
            (variable,) = equation.outputs
            name = writer.name()
            writer.line(f"{name} = {code.python.format(*texts)}")
            writer.enter(variable, Value(name, variable.type, form=Form.PYTHON))
            self._let_go(ending, number)
            return
        texts = [
            value.text if _may_stay(value, code, inputs) else writer.numpy(value)
            for value in inputs
        ]
        if len(equation.outputs) != 1 or equation.primitive.multiple_outputs:
            self._several(equation, code, inputs, texts)
        else:
            (variable,) = equation.outputs
            target = self._target(code, inputs, variable.type, ending, number)
            writer.enter(variable, self._one(code, inputs, texts, variable.type, target))
        self._let_go(ending, number)

    def _is_python(self, code: Code, inputs: Sequence[Value], equation: Equation) -> bool:
        """Whether a number is to be computed with Python's numbers."""
        if code.python is None or not self.writer.prefers_python:
            return False
        return all(
            value.type.shape
            or value.form is Form.PYTHON
            or is_double(value.type)
            or value.type.dtype.kind == "b"
            or (value.type.weak and value.type.dtype.kind == "i")
            for value in inputs
        )

    def _one(
        self,
        code: Code,
        inputs: Sequence[Value],
        texts: Sequence[str],
        type: ArrayType,
        target: Value | None,
    ) -> Value:
        """Write the statement of an operation with one output."""
        writer = self.writer
        if target is not None:
            if code.takes_over and target is inputs[0]:
                pass
            else:
                assert code.into is not None
                writer.line(code.into.format(*texts, out=target.text))
            result = Value(target.text, type, target.storage, is_contiguous=target.is_contiguous)
        else:
            is_new = code.is_fresh and not code.is_view
            kept = writer.kept(type) if is_new and code.into is not None else None
            if kept is not None and code.into is not None:
                name = kept
                writer.line(code.into.format(*texts, out=name))
            else:
                name = writer.name()
                writer.line(f"{name} = {code.expression.format(*texts)}")
            storage = self._storage(code, inputs, type, name, kept is not None)
            contiguous = True if kept is not None else code.is_contiguous
            if contiguous is None:
                contiguous = _are_contiguous(inputs, type)
            writable = code.is_writable and (not code.is_view or inputs[0].is_writable)
            result = Value(name, type, storage, writable, contiguous)
        for statement in code.then:
            writer.line(statement.format(*texts, out=result.text))
        return result

    def _several(
        self, equation: Equation, code: Code, inputs: Sequence[Value], texts: Sequence[str]
    ) -> None:
        writer = self.writer
        names = [writer.name() for _ in equation.outputs]
        call = code.expression.format(*texts)
        if names:
            writer.line(f"{', '.join(names)}{',' if len(names) == 1 else ''} = {call}")
        else:
            writer.line(call)
        for variable, name in zip(equation.outputs, names, strict=True):
            storage = self._storage(code, inputs, variable.type, name)
            writable = code.is_writable and (not code.is_view or inputs[0].is_writable)
            writer.enter(variable, Value(name, variable.type, storage, writable))

    def _storage(
        self,
        code: Code,
        inputs: Sequence[Value],
        type: ArrayType,
        name: str,
        is_kept: bool = False,
    ) -> Storage | None:
        """The memory of a new result."""
        storage = inputs[0].storage if code.is_view and inputs else None
        if storage is None and (code.is_view or not code.is_fresh):
            storage = Storage(False, 0)
        if storage is not None:
            storage.names.append(name)
            return storage
        return self.writer.new_storage(type, name, is_kept) if type.shape else None

    def _target(
        self,
        code: Code,
        inputs: Sequence[Value],
        type: ArrayType,
        ending: Sequence[Variable],
        number: int,
    ) -> Value | None:
        """An array that the result may be written to: an input that ends here, or a free one."""
        key = key_of(type)
        if key is None or not (code.into is not None or code.takes_over):
            return None
        if code.takes_over or code.in_place:
            dying: dict[Storage, int] = {}
            for variable in ending:
                value = self.writer.values.get(variable)  # an output has none yet
                if value is not None and value.storage is not None:
                    dying[value.storage] = dying.get(value.storage, 0) + 1
            for value in inputs[:1] if code.takes_over else inputs:
                storage = value.storage
                if (
                    storage is not None
                    and storage.is_owned
                    and value.is_writable
                    and value.form is Form.NUMPY
                    and dying.get(storage) == storage.users
                    and key_of(value.type) == key
                    and 2 * size_of(type) >= storage.size
                    and not any(
                        other.storage is storage and other.text != value.text for other in inputs
                    )
                ):
                    return value
        if code.into is None:
            return None
        waiting = self.free.get(key)
        while waiting:
            value = waiting.pop().value
            if value.is_contiguous or not code.needs_contiguous:
                return value
        return None

    def _let_go(self, ending: Sequence[Variable], number: int) -> None:
        """Free the memory of variables that nobody needs after this equation."""
        gone: list[str] = []
        for variable in ending:
            value = self.writer.values.pop(variable)
            storage = value.storage
            if storage is None:
                continue
            storage.users -= 1
            if storage.users:
                continue
            if self._waits(value, storage, number):
                continue
            gone += self.writer.released(storage)
        for key, waiting in list(self.free.items()):
            late = [free for free in waiting if free.until <= number]
            if late:
                self.free[key] = [free for free in waiting if free.until > number]
                for free in late:
                    if free.value.storage is not None:
                        gone += self.writer.released(free.value.storage)
        if gone:
            self.writer.line(f"del {', '.join(dict.fromkeys(gone))}")

    def _waits(self, value: Value, storage: Storage, number: int) -> bool:
        """Keep an array for a later equation that can be written over it, if one is near."""
        key = key_of(value.type)
        if (
            key is None
            or not storage.is_owned
            or not value.is_writable
            or value.form is not Form.NUMPY
            or size_of(value.type) != storage.size
        ):
            return False
        waiting = self.free.setdefault(key, [])
        wanted = self.wanted.get(key, [])
        place = bisect_right(wanted, number) + len(waiting)  # the others that wait come first
        if place >= len(wanted) or (wanted[place] - number > NEAR and storage.size >= SMALL):
            return False
        waiting.append(Free(value, wanted[place] + 1))
        return True


def _may_stay(value: Value, code: Code, inputs: Sequence[Value]) -> bool:
    """Whether a number of Python's may stand where NumPy's is meant: if it changes no dtype."""
    if value.form is not Form.PYTHON:
        return value.form is Form.NUMPY
    if code.takes_python or value.type.weak:
        return True
    return code.in_place and all(other.type.dtype == value.type.dtype for other in inputs)


def _are_contiguous(inputs: Sequence[Value], type: ArrayType) -> bool:
    """Whether an elementwise result lies in row-major order, as all inputs of its shape do."""
    full = [value for value in inputs if value.type.shape == type.shape]
    return bool(full) and all(value.is_contiguous for value in full)


def may_warn(equation: Equation) -> bool:
    """Whether NumPy may warn of divisions by zero and invalid values for finite inputs."""
    if not equation.primitive.writes_itself:
        return equation.primitive.warns
    return any(
        may_warn(inner)
        for program in equation.params.values()
        if isinstance(program, Program)
        for inner in program.equations
    )


def takes_as_long_each_time(program: Program) -> bool:
    """Whether all calls do the same, as far as one can see: no loop ends by a condition."""
    return all(
        equation.primitive.name != "while_loop"
        and not equation.has_effect
        and all(
            takes_as_long_each_time(inner)
            for inner in equation.params.values()
            if isinstance(inner, Program)
        )
        for equation in program.equations
    )


def count_of_numbers(program: Program) -> int:
    """How many operations make single numbers of numbers, those of nested Programs included."""
    count = 0
    for equation in program.equations:
        if all(not atom.type.shape for atom in equation.inputs) and any(
            is_double(variable.type) for variable in equation.outputs
        ):
            count += 1
        for inner in equation.params.values():
            if isinstance(inner, Program):
                count += count_of_numbers(inner)
    return count


def called(writer: Writer, primitive: Primitive, count: int, params: dict[str, Any]) -> Code:
    """The code of a primitive that says nothing itself: a call of its `run`."""
    name = writer.function(primitive.name, primitive.run)
    arguments = [f"{{{number}}}" for number in range(count)]
    arguments += [f"{key}={writer.parameter(value)}" for key, value in params.items()]
    return Code(
        f"{name}({', '.join(arguments)})",
        is_view=primitive.makes_views,
        is_writable=not primitive.makes_views,
        is_fresh=is_built_in(primitive) and not primitive.holds_programs,
    )


def doubles(length: int) -> array[float]:
    """Memory for numbers, which are read and written one by one."""
    return array("d", bytes(8 * length))


def from_array(x: Any) -> array[float]:
    """The numbers of an array, in memory from which they are read one by one."""
    return array("d", x.tobytes())


def as_array(numbers: array[float]) -> Any:
    """The same memory as an array of NumPy."""
    return np.frombuffer(numbers) if numbers else np.empty(0)


def fresh(x: Any) -> Any:
    """A value that shares no memory: scalars as they are, arrays without axes as copies."""
    return x.copy() if isinstance(x, np.ndarray) else x
