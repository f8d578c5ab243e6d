"""The grammar of recorded programs.

::

    Program   = (inputs: Variable*, equations: Equation*, outputs: Atom*)
    Equation  = (primitive, inputs: Atom*, params: name -> value, outputs: Variable*, source)
    Atom      = Variable(type) | Constant(value, type)

A value among the parameters is a number, a string, a dtype, a tuple of these; or a Program, or a
tuple of Programs, of which ``functrace.ir.structure`` says what is done with them::

    Structure = Run(program) | Choice(index, branches, operands)
              | Loop(body, constants, carries, rows, condition, length, reverse)

Every variable is written once, by one equation or as an input, before it is read. A Program is
data: it prints as text in Python's own syntax, which ``functrace.ir.parsing`` reads back;
``functrace.ir.checking`` checks it; and the transformations are loops over its equations.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count, product
from keyword import iskeyword
from os import PathLike
from types import CodeType
from typing import Any, BinaryIO, ClassVar, NamedTuple, TypeVar, cast

import numpy as np

from functrace import depth
from functrace.errors import LoadError, ProgramCheckError
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.types import ArrayType, type_of
from functrace.texts import html_text
from functrace.tracebacks import boundary
from functrace.tree.sameness import identity

T = TypeVar("T")


class Source(NamedTuple):
    """A place in the user's code: which instruction of which function."""

    code: CodeType
    instruction: int
    scope: str = ""
    """The names of the scopes around it (see `functrace.named_scope`), with / between them."""
    derivative: Derivative | None = None
    """What a rule was asked for when the equation was recorded, of equations that a rule made."""

    @classmethod
    def of_line(cls, file: str, line: int, function: str, scope: str = "") -> Source:
        """A place of which no more is known than a text says: a file, a line, and a function."""
        code = _ANYWHERE.replace(
            co_filename=file, co_firstlineno=line, co_name=function, co_qualname=function
        )
        return cls(code, -1, scope)

    @property
    def file(self) -> str:
        """The file's path."""
        return self.code.co_filename

    @property
    def line(self) -> int:
        """The line's number; computed when asked for, since most places never are."""
        if self.instruction < 0:
            return self.code.co_firstlineno
        for start, end, line in self.code.co_lines():
            if start <= self.instruction < end and line is not None:
                return line
        return self.code.co_firstlineno

    @property
    def bare(self) -> Source:
        """The place alone, by which a rule's equations stand with the operation's own."""
        return self if self.derivative is None else self._replace(derivative=None)

    @property
    def short(self) -> str:
        """The file's name and the line, and the scope, as they stand beside an equation."""
        return short_place(self.file, self.line) + (f" in {self.scope}" if self.scope else "")

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.code.co_name}"

    def __repr__(self) -> str:
        return f"<source {self.short}>"


class Derivative(NamedTuple):
    """Of what, and in which direction, a rule was asked for the derivative."""

    operation: str
    direction: str
    """"backward" or "tangent"."""
    place: tuple[Any, ...] | None
    """Where the operation stands: a Source, or the first parts of one."""

    @property
    def source(self) -> Source | None:
        """Where the operation stands."""
        return None if self.place is None else Source(*self.place)


def short_place(file: str, line: int) -> str:
    """The name of a file, or the cell of a notebook, and the line."""
    name = _cell(file) or file.replace(chr(92), "/").rpartition("/")[2]
    # It ends a line of text, and must not begin another one.
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return f"{shown}:{line}"


def _cell(file: str) -> str | None:
    """What IPython calls the cell of which a file's name is made: In[3]."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    name_of = getattr(getattr(shell, "compile", None), "format_code_name", lambda file: None)
    named = name_of(file)
    return named and named[1]


_ANYWHERE = compile("0", "", "eval")


class Variable:
    """A value that a Program will have when it runs. What tells variables apart is identity.

    Attributes:
        type: Shape, dtype and weakness.
        name: What the text of the Program calls it, the last one of several.
        is_scalar: Whether the user gets a scalar of it, although what makes it makes arrays:
            gradients and tangents of numbers are numbers.
    """

    __slots__ = ("is_scalar", "name", "type")

    def __init__(self, type: ArrayType) -> None:
        self.type = type

    def __repr__(self) -> str:
        name = getattr(self, "name", None)
        return f"<variable {self.type}>" if name is None else f"{name}: {self.type}"


class Constant:
    """A value known when the Program was recorded: an array, a scalar, or an outer tracer."""

    __slots__ = ("type", "value")

    def __init__(self, value: Any, type: ArrayType | None = None) -> None:
        self.value = value
        self.type = type_of(value) if type is None else type

    def __repr__(self) -> str:
        return Printer().constant(self)


class ElidedValue:
    """Stands for a constant whose value a text left out; it prints, but does not run."""

    __slots__ = ("captured", "type")

    def __init__(self, type: ArrayType, captured: bool) -> None:
        self.type = type
        self.captured = captured


def elided(atom: Constant) -> ProgramCheckError:
    """The error where the value of a constant is needed that a text left out."""
    return ProgramCheckError(
        f"The value of a constant of type {atom.type} is not in the text from which the "
        "Program was parsed.",
        advice="Print the Program with functrace.to_text(program, elide=False).",
    )


Atom = Variable | Constant

NOTHING: frozenset[str] = frozenset()
Handling = frozenset[str]
"""How NumPy was told to handle some kinds of errors, as ``over=raise``: by the names that
`numpy.errstate` gives to the kinds and to what is done."""
DIVISION: Handling = frozenset({"divide=ignore", "invalid=ignore"})
"""In the rules of derivatives NumPy says nothing of these."""
HANDLINGS: Handling = frozenset(
    f"{kind}={mode}"
    for kind in ("divide", "over", "under", "invalid")
    for mode in ("ignore", "warn", "raise", "print")
)
"""All that there are, but for those that call a function of the user's."""


def handled_within(outer: Handling, inner: Handling) -> Handling:
    """What holds in a block of the user's that is within another one."""
    if not inner or not outer:
        return inner or outer
    kinds = {handling.partition("=")[0] for handling in inner}
    return inner | {h for h in outer if h.partition("=")[0] not in kinds}


def handled_in_one(first: Handling, second: Handling) -> Handling:
    """What holds for an operation that stands for two equal ones: it says what either says."""
    return first & second | {h for h in first ^ second if h.endswith("=raise")}


class Equation:
    """One application of a primitive.

    Attributes:
        primitive: What is applied.
        inputs: To what.
        params: The primitive's parameters.
        outputs: The variables that it writes.
        source: The place in the user's code.
        handling: How NumPy was told to handle errors where it was recorded, as far as that was
            something else than around the recorded function; in the rules of derivatives, it was
            to say nothing of divisions.
    """

    __slots__ = ("handling", "inputs", "outputs", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Primitive,
        inputs: Sequence[Atom],
        params: dict[str, Any],
        outputs: Sequence[Variable],
        source: Source | None = None,
        handling: Handling = NOTHING,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.outputs = outputs
        self.source = source
        self.handling = handling

    @property
    def raises(self) -> bool:
        """Whether NumPy is to raise some kinds of errors, as Python's own floats never do."""
        return bool(self.handling) and any(how.endswith("=raise") for how in self.handling)

    def replaced(
        self,
        *,
        primitive: Primitive | None = None,
        inputs: Sequence[Atom] | None = None,
        params: dict[str, Any] | None = None,
        outputs: Sequence[Variable] | None = None,
    ) -> Equation:
        """An equation from the same place, with some parts replaced by others."""
        return Equation(
            self.primitive if primitive is None else primitive,
            self.inputs if inputs is None else inputs,
            self.params if params is None else params,
            self.outputs if outputs is None else outputs,
            self.source,
            self.handling,
        )

    @property
    def programs(self) -> list[Program]:
        """The Programs among the parameters, in order."""
        return programs_in(self.params) if self.primitive.may_hold_programs else []

    @property
    def has_effect(self) -> bool:
        """Whether it must stay though nothing uses its outputs: it prints, or a Program in it."""
        primitive = self.primitive
        return primitive.has_effect or (
            primitive.may_hold_programs and any(program.has_effect for program in self.programs)
        )

    @property
    def makes_zeros(self) -> bool:
        """Whether derivatives of it, or of a Program in it, are zero in places by their meaning."""
        primitive = self.primitive
        return (
            primitive.makes_zeros
            or primitive.makes_zero_tangents
            or any(program.makes_zeros for program in self.programs)
        )

    @property
    def may_coincide(self) -> bool:
        """Whether it is a factorization whose values may be equal, or a Program in it has one."""
        return self.primitive.may_coincide or any(program.may_coincide for program in self.programs)

    @property
    def tells_apart(self) -> bool:
        """Whether it looks for equal values of a factorization, or a Program in it does."""
        return self.primitive.tells_apart or any(program.tells_apart for program in self.programs)

    @property
    def operations(self) -> int:
        """How many operations on numbers it takes, as its primitive says."""
        return self.primitive.operations(
            [atom.type for atom in self.inputs],
            [variable.type for variable in self.outputs],
            **self.params,
        )

    def __repr__(self) -> str:
        return Printer(keeps_names=True).line(self)


def held_programs(value: Any) -> tuple[Program, ...]:
    """The Programs that a parameter holds: it is one, or a tuple of them, or holds none."""
    if isinstance(value, Program):
        return (value,)
    is_tuple = isinstance(value, tuple) and value and isinstance(value[0], Program)
    return cast("tuple[Program, ...]", value) if is_tuple else ()


def titled_programs(params: Mapping[str, Any]) -> Iterator[tuple[str, Program]]:
    """The Programs among parameters, under the names that these have in the text."""
    for key, value in params.items():
        if isinstance(value, Program):
            yield key, value
        elif isinstance(value, tuple):
            for number, program in enumerate(held_programs(value)):
                yield f"{key}_{number}", program


def programs_in(params: Mapping[str, Any]) -> list[Program]:
    """The Programs among parameters, in order."""
    return [program for _, program in titled_programs(params)]


def with_programs(params: dict[str, Any], change: Callable[[Program], Program]) -> dict[str, Any]:
    """Parameters with something else for each Program that they hold; as they are if it is not."""
    changed: dict[str, Any] = {}
    for key, value in params.items():
        if held := held_programs(value):
            found = tuple(map(change, held))
            if any(new is not old for new, old in zip(found, held, strict=True)):
                changed[key] = found if isinstance(value, tuple) else found[0]
    return {**params, **changed} if changed else params


class FileFormat(NamedTuple):
    """How Programs are written to files and read: what ``ir/saving.py`` does.

    It needs what stands above this file, so it enters itself as ``Program.file_format``.
    """

    save: Callable[[Program, str | PathLike[str] | BinaryIO], None]
    load: Callable[[str | PathLike[str] | BinaryIO, Iterable[Primitive]], Program]


_ITSELF = object()
"""Stands among what was derived from a Program for the Program itself."""


class Program:
    """A recorded function: straight-line, typed, without side effects.

    Attributes:
        inputs: The variables that are given.
        equations: What is computed, in order.
        outputs: What is returned.
        derived: What transformations made from this Program, so that it is made once.

    Example:
        >>> import functrace as ft
        >>> program = ft.make_ir(lambda x: x * x)(2.0)
        >>> [equation.primitive.name for equation in program.equations]
        ['multiply']
        >>> ft.evaluate(program, 3.0)
        [9.0]
    """

    __slots__ = ("derived", "equations", "inputs", "outputs")

    file_format: ClassVar[FileFormat]

    def __init__(
        self,
        inputs: Sequence[Variable],
        equations: Sequence[Equation],
        outputs: Sequence[Atom],
    ) -> None:
        self.inputs = tuple(inputs)
        self.equations = tuple(equations)
        self.outputs = tuple(outputs)
        self.derived: dict[Hashable, Any] = {}

    def derive(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made from this Program under a key before, or else what is made now.

        That may be this Program itself. It does not hold itself then, or it would wait for the
        cyclic garbage collector, and with it the arrays among its constants.
        """
        if key not in self.derived:
            depth.enter()
            try:
                made = make()
            finally:
                depth.leave()
            self.derived[key] = _ITSELF if made is self else made
        found = self.derived[key]
        return cast("T", self) if found is _ITSELF else found

    @property
    def identity(self) -> Hashable:
        """What Programs that do the same have in common, which is all but names, lines and places.

        Arrays among the constants and the parameters are the same if they are one object.
        """
        numbers: dict[int, int] = {}

        def of_atom(atom: Atom) -> Hashable:
            if isinstance(atom, Variable):
                return numbers.setdefault(id(atom), len(numbers))
            return "constant", atom.type, of_value(atom.value)

        def of_value(value: Any) -> Hashable:
            if held := held_programs(value):
                return tuple(program.identity for program in held)
            try:
                found = identity(value)
                hash(found)
            except TypeError:  # it lives as long as the Program that is asked
                return type(value), id(value)
            return found

        def make() -> Hashable:
            inputs = tuple((of_atom(v), v.type) for v in self.inputs)
            equations = tuple(
                (
                    e.primitive,
                    e.handling,
                    tuple(map(of_atom, e.inputs)),
                    tuple((name, of_value(x)) for name, x in sorted(e.params.items())),
                    tuple((of_atom(v), v.type) for v in e.outputs),
                )
                for e in self.equations
            )
            return inputs, equations, tuple(map(of_atom, self.outputs))

        return self.derive("identity", make)

    def constants(self) -> Iterator[Constant]:
        """Each constant once, in the order of its first use."""
        seen: set[int] = set()
        for atoms in [*(equation.inputs for equation in self.equations), self.outputs]:
            for atom in atoms:
                if isinstance(atom, Constant) and id(atom) not in seen:
                    seen.add(id(atom))
                    yield atom

    def last_uses(self) -> list[list[Variable]]:
        """For each equation, the variables that nothing needs after it.

        Whoever runs the Program lets go of their values then: memory is reused while the
        processor's caches still hold it.
        """
        if "last uses" not in self.derived:
            needed: set[Atom] = set(self.outputs)
            uses: list[list[Variable]] = []
            for equation in reversed(self.equations):
                ending: list[Variable] = []
                for atom in (*equation.inputs, *equation.outputs):
                    if isinstance(atom, Variable) and atom not in needed:
                        needed.add(atom)
                        ending.append(atom)
                uses.append(ending)
            uses.reverse()
            self.derived["last uses"] = uses
        return self.derived["last uses"]

    @property
    def makes_zeros(self) -> bool:
        """Whether derivatives of an operation in it are zero at some places by their meaning."""
        return self.derive("makes zeros", lambda: any(e.makes_zeros for e in self.equations))

    @property
    def may_coincide(self) -> bool:
        """Whether there is a factorization in it with values that may be equal."""
        return self.derive("may coincide", lambda: any(e.may_coincide for e in self.equations))

    @property
    def tells_apart(self) -> bool:
        """Whether an operation in it looks for equal values."""
        return self.derive("tells apart", lambda: any(e.tells_apart for e in self.equations))

    @property
    def operations(self) -> int:
        """How many operations on numbers it takes."""
        # Kept, as the next: each level of nested Programs asks the one below.
        return self.derive("operations", lambda: sum(e.operations for e in self.equations))

    @property
    def has_effect(self) -> bool:
        """Whether one of the equations must stay though nothing uses its outputs."""
        return self.derive("has effect", lambda: any(e.has_effect for e in self.equations))

    def nested(self, seen: Callable[[Program], Program] | None = None) -> list[Program]:
        """All Programs in it, at any depth: each once, after those that are in it.

        Args:
            seen: What is looked at in place of a Program to find those that are in it.
        """
        found: dict[int, Program] = {}
        waiting: list[tuple[Program, bool]] = [(self, False)]
        while waiting:
            program, is_done = waiting.pop()
            if is_done:
                found.setdefault(id(program), program)
                continue
            equations = (program if seen is None else seen(program)).equations
            inner = [p for e in equations for p in e.programs if id(p) not in found]
            if program is not self:
                waiting.append((program, True))
            waiting += [(p, False) for p in inner]
        return list(found.values())

    @boundary
    def save(self, file: str | PathLike[str] | BinaryIO) -> None:
        """Write the Program to a file, which `load` reads on any machine that has functrace.

        The file is a zip of the Program's text, its constants as ``.npy``, and a manifest; nothing
        in it is pickled. Of the user's files, the names (without folders) and lines of the
        equations are kept. A file that is there is replaced at the end, in one step.

        What is Python is not saved. A function with a derivative rule of the user's keeps its
        values and loses the rule: the loaded Program can be run and mapped, but not differentiated
        there. Of `checkpoint` the policy is lost: a loaded one keeps nothing.

        A Program is pickled in this format, too.

        Args:
            file: A path, or a file open for writing bytes.

        Raises:
            SaveError: The Program calls Python functions, or holds traced values.

        Example:
            >>> import io
            >>> import numpy as np
            >>> import functrace as ft
            >>> file = io.BytesIO()
            >>> ft.make_ir(ft.grad(np.sin))(0.0).save(file)
            >>> ft.evaluate(ft.Program.load(file), 0.0)
            [np.float64(1.0)]
        """
        self.file_format.save(self, file)

    @staticmethod
    @boundary
    def load(
        file: str | PathLike[str] | BinaryIO, *, primitives: Iterable[Primitive] = ()
    ) -> Program:
        """Read a Program that `save` has written.

        Nothing in the file is executed, and it can name no operations but functrace's own: what is
        loaded can do nothing but compute with arrays. It may still compute for long and fill the
        memory when it is run, as any Program may.

        Args:
            file: A path, or a seekable file open for reading bytes.
            primitives: Primitives of your own that the Program may use.

        Returns:
            The Program, checked: each equation's types were inferred again.

        Raises:
            LoadError: This is no saved Program; it is damaged, or it was saved by a newer version,
                or on a machine whose numbers this one does not have.
            OSError: The file cannot be read.
        """
        return Program.file_format.load(file, primitives)

    @boundary
    def __reduce__(self) -> Any:
        file = io.BytesIO()
        self.save(file)
        return _from_bytes, (file.getvalue(), self._users_primitives())

    def __copy__(self) -> Program:
        return self

    def __deepcopy__(self, memo: Any) -> Program:
        return self  # nothing changes it

    def _users_primitives(self) -> tuple[str, ...]:
        """The names of the primitives that are none of functrace's own."""
        used = {e.primitive for p in (self, *self.nested()) for e in p.equations}
        return tuple(sorted(primitive.name for primitive in used if not primitive.is_own))

    def __str__(self) -> str:
        return to_text(self)

    def __repr__(self) -> str:
        return f"<program of {len(self.equations)} equations>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the text, with places in grey."""
        return html_text(str(self))


def _from_bytes(content: bytes, primitives: tuple[str, ...]) -> Program:
    """A Program out of a pickle, which holds it as a file: see `Program.save`."""
    unknown = sorted(set(primitives) - PRIMITIVES.keys())
    if unknown:
        raise LoadError(
            f"The pickled Program uses the primitives {', '.join(unknown)}, which are not there.",
            advice="Import the module that defines them before the Program is unpickled.",
        )
    return Program.load(io.BytesIO(content), primitives=[PRIMITIVES[name] for name in primitives])


# Printing. The text is valid Python syntax, so that Python's own parser reads it back:
#
#     def program(a: float64[2, 3], b: float64[3]):
#         c: float64[2] = contract(a, b, subscripts='ij,j->i')  # model.py:12
#         return c

LARGEST_PRINTED_ARRAY = 12
"""Arrays with more elements are printed as ``array(..., float64[100, 3])``."""


@boundary
def to_text(program: Program, *, sources: bool = True, elide: bool = True) -> str:
    """Print a Program.

    Args:
        program: What to print.
        sources: Whether to write the user's file and line beside each equation.
        elide: Whether to leave out the values of large constants. Without it the text holds the
            whole Program, and what is parsed from it can be run.

    Returns:
        The text, which ``functrace.parse`` reads back.

    Example:
        >>> import functrace as ft
        >>> print(ft.to_text(ft.make_ir(lambda x: x * x)(2.0), sources=False))
        def program(a: weak_float64):
            b: weak_float64 = multiply(a, a)
            return b
    """
    return "\n".join(Printer(sources, elide).definition("program", program, ""))


def name_variables(program: Program) -> None:
    """Give the variables the names that they have in the text of the Program."""
    Printer().name_all(program)


def equation_texts(program: Program) -> list[str]:
    """What `to_text` writes for each equation, without the Programs that it holds."""
    printer = Printer(sources=False, elide=True)
    for variable in program.inputs:
        printer.name(variable)
    return [[*printer.equation(equation, "")][-1] for equation in program.equations]


SPECIAL_NUMBERS = {
    "inf": float("inf"),
    "nan": float("nan"),
    "infj": complex(0, float("inf")),
    "nanj": complex(0, float("nan")),
}
"""What Python prints for numbers that it has no literals for."""


def variable_names() -> Iterator[str]:
    """The names a, b, ..., z, aa, ab, ... without Python's keywords, inf and nan."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    for length in count(1):
        for name in product(letters, repeat=length):
            joined = "".join(name)
            if not iskeyword(joined) and joined not in SPECIAL_NUMBERS:
                yield joined


class Printer:
    """Prints a Program, with a name for each variable.

    Args:
        sources: Whether to write the user's file and line beside each equation.
        elide: Whether to leave out the values of large constants.
        keeps_names: Whether variables are called as they were the last time, if ever.
    """

    def __init__(self, sources: bool = True, elide: bool = True, keeps_names: bool = False) -> None:
        self.sources = sources
        self.elide = elide
        self.keeps_names = keeps_names
        self.names: dict[Variable, str] = {}
        self.fresh = variable_names()

    def name(self, variable: Variable) -> str:
        """The variable's name, a new one at its first use."""
        if self.keeps_names:
            return getattr(variable, "name", "_")
        if variable not in self.names:
            variable.name = self.names[variable] = next(self.fresh)
        return self.names[variable]

    def forget(self, program: Program) -> None:
        """Call variables anew: one Program that is held at two places is written out at each."""
        for variable in program.inputs:
            self.names.pop(variable, None)
        for equation in program.equations:
            for variable in equation.outputs:
                self.names.pop(variable, None)

    def name_all(self, program: Program) -> None:
        """Name what stands in a Program, in the order of its text."""
        self.forget(program)
        for variable in program.inputs:
            self.name(variable)
        for equation in program.equations:
            for atom in equation.inputs:
                if isinstance(atom, Variable):
                    self.name(atom)
            for body in equation.programs:
                self.name_all(body)
            for variable in equation.outputs:
                self.name(variable)

    def definition(self, title: str, program: Program, indent: str) -> Iterator[str]:
        """The lines of a Program."""
        self.forget(program)
        inputs = ", ".join(f"{self.name(v)}: {v.type}" for v in program.inputs)
        yield f"{indent}def {title}({inputs}):"
        inner = indent + "    "
        for equation in program.equations:
            yield from self.equation(equation, inner)
        outputs = ", ".join(self.atom(atom) for atom in program.outputs)
        if len(program.outputs) == 1:
            yield f"{inner}return {outputs}"
        else:
            yield f"{inner}return ({outputs})"

    def equation(self, equation: Equation, indent: str) -> Iterator[str]:
        """The lines of an equation: the Programs that it holds, and then its own."""
        for atom in equation.inputs:
            if isinstance(atom, Variable):
                self.name(atom)  # before what is in the Programs
        for title, program in titled_programs(equation.params):
            yield from self.definition(title, program, indent)
        yield indent + self.line(equation)

    def line(self, equation: Equation) -> str:
        """The line of an equation itself."""
        arguments = [self.atom(atom) for atom in equation.inputs]
        for key, value in equation.params.items():
            titles = ", ".join(title for title, _ in titled_programs({key: value}))
            if not titles:
                titles = self.parameter(equation, key, value)
            elif isinstance(value, tuple):
                titles = f"({titles},)" if len(value) == 1 else f"({titles})"
            arguments.append(f"{key}={titles}")
        call = f"{equation.primitive.name}({', '.join(arguments)})"
        outputs = [(self.name(v), v.type) for v in equation.outputs]
        if len(outputs) == 1 and not equation.primitive.multiple_outputs:
            ((name, type),) = outputs
            text = f"{name}: {type} = {call}"
        else:
            declared = "".join(f"{name}: {type}; " for name, type in outputs)
            targets = ", ".join(name for name, _ in outputs)
            text = f"{declared}({targets}{',' if len(outputs) == 1 else ''}) = {call}"
        if self.sources and equation.source is not None:
            text += f"  # {equation.source.short}"
        return text

    def parameter(self, equation: Equation, key: str, value: Any) -> str:
        """The value of a parameter that is no Program."""
        return literal(value)

    def atom(self, atom: Atom) -> str:
        """A variable's name, or a constant."""
        return self.name(atom) if isinstance(atom, Variable) else self.constant(atom)

    def constant(self, constant: Constant) -> str:
        """A constant's value, or what stands for it."""
        value, type = constant.value, constant.type
        if isinstance(value, np.generic):
            return f"{type.dtype.name}({literal(value)})"
        if isinstance(value, np.ndarray):
            if self.elide and type.size > LARGEST_PRINTED_ARRAY:
                return f"array(..., {type})"
            values = literal(_tuples(value.tolist()))
            return f"array({values}, {type})"
        if type.weak and isinstance(value, bool | int | float | complex):
            return literal(value)
        if isinstance(value, ElidedValue) and not value.captured:
            return f"array(..., {type})"
        return f"captured({type})"


def _tuples(nested: Any) -> Any:
    return tuple(map(_tuples, nested)) if isinstance(nested, list) else nested


def literal(value: Any) -> str:
    """A parameter or a scalar as Python syntax; of other objects what they print, as a string."""
    if isinstance(value, tuple):
        items = [literal(item) for item in value]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.generic):
        item = value.item()  # of long double no number of Python's, hence a string
        return repr(str(item)) if isinstance(item, np.generic) else literal(item)
    if value is Ellipsis:
        return "..."
    if isinstance(value, slice):
        return f"slice({literal(value.start)}, {literal(value.stop)}, {literal(value.step)})"
    if value is None or isinstance(value, bool | int | float | complex | str):
        return repr(value)
    return repr(f"{value}")


def input_types(program: Program) -> tuple[ArrayType, ...]:
    """The types of a Program's inputs."""
    return tuple(variable.type for variable in program.inputs)


def output_types(program: Program) -> tuple[ArrayType, ...]:
    """The types of a Program's outputs."""
    return tuple(atom.type for atom in program.outputs)
