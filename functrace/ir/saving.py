"""Programs in files: computed on one machine, run on another.

A file is a zip without compression: ``manifest.json``, ``program.txt`` with the Program's text, and
``constants/0.npy``, ... In the text a constant is ``constant(0, float64[3])`` for an array,
``scalar(0, float64)`` for a NumPy scalar, ``number(0, weak_float64)`` for a number of Python's that
has no exact literal. Everything has its dtype by name and size, so that nothing depends on a
machine's default integers or byte order.

A file may come from anyone. Reading it builds data: the text must consist of the few tokens that
printing a Program makes, before Python's parser sees it; operations are looked up among functrace's
own; parameters are numbers, strings, dtypes and tuples of these. Nothing is allocated that the file
does not have the bytes for.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from keyword import iskeyword
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from functrace import archives
from functrace.archives import File
from functrace.errors import FunctraceError, LoadError, ParseError, SaveError
from functrace.ir.checking import check
from functrace.ir.parsing import Reader, parse_error
from functrace.ir.primitive import PRIMITIVES, Primitive, all_primitives
from functrace.ir.program import (
    DIVISION,
    HANDLINGS,
    Atom,
    Constant,
    ElidedValue,
    Equation,
    FileFormat,
    Printer,
    Program,
    Source,
    literal,
    titled_programs,
)
from functrace.ir.types import ArrayType

FORMAT = "functrace program"
VERSION = 2
"""The version of the format. A file of a newer one is refused."""

LARGEST_TEXT = 2**24
"""The most bytes of the text and of the manifest: a quarter of a million equations."""
DEEPEST_BRACKETS = 30
LONGEST_NUMBER = 1000
LONGEST_NAME = 200

"""An empty code object: with another file and line it says where an equation was recorded."""


# Writing


def save(program: Program, file: File) -> None:
    """Write a Program to a file; see `Program.save`."""
    writer = _Writer()
    text = "\n".join(writer.definition("program", program, "")) + "\n"
    equations = list(_equations(program))
    places = _places(equations)
    sources = list(dict.fromkeys(places))
    numbers = {source: number for number, source in enumerate(sources)}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "functrace": str(getattr(sys.modules.get("functrace"), "__version__", "")),
        "numpy": np.__version__,
        "integer": np.dtype(np.int_).name,
        "long double": np.finfo(np.longdouble).nmant,
        "sources": [None if source is None else source[:3] for source in sources],
        "scopes": ["" if source is None else source[3] for source in sources],
        "places": [numbers[place] for place in places],
        "handling": {
            how: [number for number, e in enumerate(equations) if how in e.handling]
            for how in sorted(frozenset().union(*(e.handling for e in equations)))
        },
    }
    texts = {MANIFEST: json.dumps(manifest).encode(), TEXT: text.encode()}
    for name, content in texts.items():
        if len(content) > LARGEST_TEXT:
            raise SaveError(
                f"The {name} of this Program of {len(equations)} equations has {len(content)} "
                f"bytes; {LARGEST_TEXT} are the limit.",
                advice="Write its loops with functrace.scan or functrace.fori_loop.",
            )
    if (fault := _fault(text)) is not None:
        raise SaveError(f"The Program's text could not be read back: {fault}.")
    archives.write(file, texts, {_name(n): array for n, array in enumerate(writer.arrays)})


MANIFEST, TEXT = "manifest.json", "program.txt"


def _name(number: int) -> str:
    return f"constants/{number}"


def _equations(program: Program) -> Iterator[Equation]:
    """All equations in the order of the text: those of a Program within one come before it."""
    for equation in program.equations:
        _, params = _portable(equation)
        for _, inner in titled_programs(params):
            yield from _equations(inner)
        yield equation


def _portable(equation: Equation) -> tuple[Primitive, dict[str, Any]]:
    types = [atom.type for atom in equation.inputs]
    return equation.primitive.portable(types, equation.params)


Place = tuple[str, int, str, str]


def _places(equations: Sequence[Equation]) -> list[Place | None]:
    """For each equation the name of the user's file, the line, the function, and the scope.

    Folders are left out: they are the user's own business.
    """
    known: dict[tuple[int, int, str], Place] = {}
    found: list[Place | None] = []
    for source in [equation.source for equation in equations]:
        if source is None:
            found.append(None)
            continue
        key = (id(source.code), source.instruction, source.scope)
        if key not in known:
            names = source.file.replace("\\", "/").rpartition("/")[2], source.code.co_name
            file, function = (re.sub(r"\W", _unless_printable, n)[:LONGEST_NAME] for n in names)
            known[key] = file, source.line, function, source.scope[:LONGEST_NAME]
        found.append(known[key])
    return found


def _unless_printable(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else "?"


class _Writer(Printer):
    """Prints a Program whose constants stand in other files, and refuses what cannot be saved."""

    def __init__(self) -> None:
        super().__init__(sources=False, elide=False)
        self.arrays: list[np.ndarray] = []
        self.numbers: dict[int, int] = {}
        self.values: list[Any] = []  # keeps alive whatever `numbers` knows by its id
        self.where: Source | None = None

    def equation(self, equation: Equation, indent: str) -> Iterator[str]:
        self.where = equation.source
        primitive, params = _portable(equation)
        if PRIMITIVES.get(primitive.name) is not primitive:
            raise SaveError(
                f"The primitive {primitive.name!r} is not the one that is registered under this "
                "name.",
                equation.source,
            )
        yield from super().equation(equation.replaced(primitive=primitive, params=params), indent)
        self.where = None

    def parameter(self, equation: Equation, key: str, value: Any) -> str:
        if not _is_plain(value) or (equation.primitive.is_own and not _is_harmless(value)):
            raise SaveError(
                f"{equation.primitive.name} has as its parameter {key!r} "
                f"{_described(value)}, which cannot be written to a file.",
                equation.source,
            )
        return literal(value)

    def constant(self, constant: Constant) -> str:
        value, type = constant.value, constant.type
        if value.__class__ in (bool, int, float) and type.weak:
            text = literal(value)
            if (value.__class__ is not float or np.isfinite(value)) and len(text) < LONGEST_NUMBER:
                return text
        kinds = {bool: "number", int: "number", float: "number", complex: "number"}
        kind = "scalar" if isinstance(value, np.generic) else kinds.get(value.__class__, "constant")
        is_array = isinstance(value, np.ndarray | np.generic) or kind == "number"
        if not is_array or type.dtype.kind not in "biufc":
            raise SaveError(
                f"The Program holds {_described(value)} of type {type} as a constant, which "
                "cannot be written to a file.",
                self.where,
            )
        return f"{kind}({self._number(value, type)}, {type})"

    def _number(self, value: Any, type: ArrayType) -> int:
        """The number of a constant; those that share a value share it in the file."""
        if id(value) not in self.numbers:
            try:
                array = np.asarray(value, type.dtype.newbyteorder("="))
            except OverflowError:
                raise SaveError(f"The number {value} is too large.", self.where) from None
            self.numbers[id(value)] = len(self.arrays)
            self.values.append(value)
            self.arrays.append(array)
        return self.numbers[id(value)]


def _described(value: Any) -> str:
    if isinstance(value, ElidedValue):
        return "a constant that the text it was parsed from leaves out"
    kind = "a traced value" if isinstance(getattr(value, "type", None), ArrayType) else "an object"
    return f"{kind} ({type(value).__qualname__}: {str(value)[:60]})"


def _is_plain(value: Any) -> bool:
    """Whether a parameter is read back as it is from its literal."""
    if type(value) in (tuple, slice):
        parts = value if type(value) is tuple else (value.start, value.stop, value.step)
        return all(map(_is_plain, parts))
    if isinstance(value, np.dtype):
        return value.kind in "biufc" and value.isnative
    if isinstance(value, np.generic):
        return value.dtype.kind in "biufcU" and not isinstance(value.item(), np.generic)
    return value is None or value is ... or type(value) in (bool, int, float, complex, str)


HARMLESS = r"[\w ,>.-]*"  # compiled when first needed, as the patterns below


def _is_harmless(value: Any) -> bool:
    """Whether the strings in a parameter could not be code, wherever they were written.

    Primitives of functrace take labels, names and options only.
    """
    if type(value) is tuple:
        return all(map(_is_harmless, value))
    return not isinstance(value, str) or re.fullmatch(HARMLESS, value) is not None


# Reading


def load(file: File, primitives: Iterable[Primitive] = ()) -> Program:
    """Read a Program from a file; see `Program.load`."""
    known = {name: primitive for name, primitive in all_primitives().items() if primitive.is_own}
    known.update((primitive.name, primitive) for primitive in primitives)
    if isinstance(file, str | PathLike):
        with Path(file).open("rb") as stream:
            return _load(stream, str(file), known)
    return _load(file, getattr(file, "name", "The file"), known)


def _load(stream: BinaryIO, name: str, known: Mapping[str, Primitive]) -> Program:
    try:
        return _read(stream, known)
    except LoadError:
        raise
    # What a damaged zip, number or parameter can raise, in zipfile, in json, and in the rules of
    # primitives, is not known beforehand, and the file's author may have chosen it.
    except Exception as error:
        what = str(error).partition("\n")[0][:300] or type(error).__name__
        raise LoadError(f"{name} is no saved Program, or it is damaged: {what}") from error


def _read(stream: BinaryIO, known: Mapping[str, Primitive]) -> Program:
    texts, members = archives.read(stream, (MANIFEST, TEXT), LARGEST_TEXT)
    names = [_name(number) for number in range(len(members))]
    _require(set(members) == set(names), "it has other members than a saved Program has")
    arrays = [members[name] for name in names]
    manifest = _manifest(texts[MANIFEST])
    text = texts[TEXT].decode()
    fault = _fault(text)
    _require(fault is None, f"{TEXT}, {fault}")
    reader = _Reader(known, arrays, manifest)
    try:
        program = check(reader.read(text))
    except Exception as error:
        here = np.dtype(np.int_).name
        if here == manifest.integer:
            raise
        what = str(error).partition("\n")[0]
        raise LoadError(
            f"The Program was saved where NumPy's integers are {manifest.integer}, and does not "
            f"fit this machine, where they are {here}: {what}",
            advice="Give integers a dtype, x.astype(np.int64), before the Program is recorded.",
        ) from error
    _require(len(reader.equations) == len(manifest.places), "its equations were not all recorded")
    for equation, place in zip(reader.equations, manifest.places, strict=True):
        equation.source = manifest.sources[place]
    for how, numbers in manifest.handling.items():
        for number in numbers:
            reader.equations[number].handling |= {how}
    return program


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise LoadError(f"This is no saved Program, or it is damaged: {what}.")


class _Manifest(NamedTuple):
    version: int
    integer: str
    long_double: int
    sources: list[Source | None]
    places: list[int]
    handling: dict[str, list[int]]


def _manifest(content: bytes) -> _Manifest:
    found: Any = json.loads(content)
    _require(found.get("format") == FORMAT, f"{MANIFEST} is of another kind")
    version = found["version"]
    _require(version.__class__ is int and version > 0, "it has no version")
    if version > VERSION:
        raise LoadError(
            f"The Program was saved by functrace {found.get('functrace')!s:.40} in version "
            f"{version} of the format; this functrace reads version {VERSION}.",
            advice="Update functrace: pip install --upgrade functrace.",
        )
    scopes = found.get("scopes") or [""] * len(found["sources"])  # older files have none
    sources = [
        None if source is None else _source(*source, scope=scope)
        for source, scope in zip(found["sources"], scopes, strict=True)
    ]
    places: Any = found["places"]
    handling: Any = found.get("handling")
    if handling is None:  # older files name the equations that ignore all errors of division
        handling = dict.fromkeys(sorted(DIVISION), found["silent"])
    _require(set(handling) <= HANDLINGS, "a kind of errors is none")
    numbers = chain(places, *handling.values())
    _require(all(n.__class__ is int and n >= 0 for n in numbers), "an equation's number is none")
    integer, long_double = str(found["integer"])[:40], int(found["long double"])
    return _Manifest(version, integer, long_double, sources, places, handling)


def _source(file: str, line: int, function: str, scope: str) -> Source:
    # Sources stand in comments of generated code: none may begin a line.
    _require(
        all(name.isprintable() and len(name) <= LONGEST_NAME for name in (file, function, scope)),
        "the name of a file is none",
    )
    return Source.of_line(file, line, function, scope)


TOKENS = r"""
    (?P<string> '(?:[^'\\]|\\(?:[\\'"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}))*'
              | "(?:[^"\\]|\\(?:[\\'"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}))*" )
  | (?P<number> (?: [0-9]+\.?[0-9]* | \.[0-9]+ ) (?:e[+-]?[0-9]+)? j? (?!\w) )
  | (?P<name> [^\W\d]\w* (?!['"]) )
  | (?P<dots> \.\.\. )
  | (?P<open> [(\[] )
  | (?P<close> [)\]] )
  | (?P<sign> [+-] )
  | (?P<between> [=,:;] )
  | (?P<space> [ ] )
"""


def _fault(text: str) -> str | None:
    """What is in a text that printing a Program does not write, None if there is nothing.

    What is left can be handed to Python's parser, which otherwise can run out of stack or memory:
    brackets and signs are counted, and calls are not called.
    """
    token_at = re.compile(TOKENS, re.VERBOSE).match
    for line_number, line in enumerate(text.split("\n"), 1):
        depth = position = signs = 0
        last = "space"
        while position < len(line):
            token = token_at(line, position)
            here = f"line {line_number}, column {position + 1}"
            if token is None:
                return f"{here}: unexpected {line[position : position + 20]!r}"
            kind, position = str(token.lastgroup), token.end()
            if kind == "space":
                continue
            if kind == "name" and iskeyword(token[0]):
                if token[0] not in ("def", "return", "None", "True", "False"):
                    return f"{here}: unexpected {token[0]!r}"
            elif kind == "number" and len(token[0]) > LONGEST_NUMBER:
                return f"{here}: a number of {len(token[0])} digits"
            elif kind == "open":
                depth += 1
                if depth > DEEPEST_BRACKETS or last in ("close", "string", "number", "dots"):
                    return f"{here}: unexpected bracket"
            elif kind == "close":
                depth -= 1
                if depth < 0:
                    return f"{here}: unexpected bracket"
            signs = signs + 1 if kind == "sign" else 0 if kind in ("between", "open") else signs
            if signs > 2:
                return f"{here}: unexpected {token[0]!r}"
            last = kind
        if depth:
            return f"line {line_number}: a bracket that is not closed"
    return None


class _Reader(Reader):
    """Reads a text whose constants stand in other files, a line at a time.

    Python's syntax trees take a hundred times the memory of their text; each line's is gone when
    the next is read.
    """

    def __init__(
        self,
        primitives: Mapping[str, Primitive],
        arrays: Sequence[np.ndarray],
        manifest: _Manifest,
    ) -> None:
        super().__init__(primitives, is_closed=True)
        self.arrays = arrays
        self.manifest = manifest
        self.constants: dict[tuple[str, int], Constant] = {}

    def read(self, text: str) -> Program:
        try:
            return self.read_lines(text.removesuffix("\n"))
        except (ParseError, SyntaxError) as error:
            what = re.sub("^Line [0-9]+: ", "", str(error).partition("\n")[0])
            raise LoadError(f"{TEXT}, line {self.position}: {what}") from error

    def constant(self, node: ast.Call, kind: str, number: Any, type: ArrayType) -> Constant:
        if number.__class__ is not int or not 0 <= number < len(self.arrays):
            raise parse_error(node, f"there is no {kind} {number!r}.")
        array = self.arrays[number]
        found = ArrayType(array.shape, array.dtype, type.weak)
        if found != type or type.weak != (kind == "number") or (array.shape and kind != "constant"):
            raise parse_error(node, f"the {kind} {number} has the type {found}, not {type}.")
        if type.dtype.char in "gG" and np.finfo(np.longdouble).nmant != self.manifest.long_double:
            raise LoadError(
                f"The Program has a constant of type {type}, which is another format on this "
                "machine.",
                advice="Record the Program with float64 in place of long double.",
            )
        if (kind, number) not in self.constants:
            values = {"constant": lambda: array, "scalar": lambda: array[()], "number": array.item}
            self.constants[kind, number] = Constant(values[kind](), type)
        return self.constants[kind, number]

    def unknown(self, node: ast.AST, name: str) -> FunctraceError:
        return LoadError(
            f"{TEXT}, line {self.position}: the Program uses a primitive {name!r:.80}, which is "
            "none of functrace's.",
            self._source_here(),
            f"Where it is yours, give it: Program.load(file, primitives=[{name:.80}]). If not, the "
            "file was saved by another version of functrace, or is damaged.",
        )

    def refused(self, node: ast.AST, primitive: Primitive, error: Exception) -> FunctraceError:
        if primitive.is_own:
            return super().refused(node, primitive, error)
        return LoadError(
            f"{TEXT}, line {self.position}: the infer rule of the primitive {primitive.name!r} "
            f"raised {type(error).__name__}: {error}",
            self._source_here(),
            "Give load the primitive with which the Program was saved, and look at this rule.",
        )

    def _source_here(self) -> Source | None:
        """The user's line from which the equation was recorded that is being read."""
        places, number = self.manifest.places, len(self.equations)
        is_known = number < len(places) and places[number] < len(self.manifest.sources)
        return self.manifest.sources[places[number]] if is_known else None

    def before_inference(
        self,
        node: ast.Call,
        primitive: Primitive,
        inputs: Sequence[Atom],
        params: dict[str, Any],
        outputs: int,
    ) -> None:
        if self.manifest.version == 1:  # it has each branch of a choice in a parameter of its own
            numbered = [key for key in params if re.fullmatch(r"branch[0-9]+", key)]
            if numbered and primitive.holds_programs:
                held = {"branches": tuple(params.pop(f"branch{n}") for n in range(len(numbered)))}
                others = dict(params)
                params.clear()
                params.update(held | others)
        if primitive.calls_python:
            raise parse_error(node, f"{primitive.name} calls Python.")
        if primitive.needs_named_axis:
            raise parse_error(node, f"{primitive.name} stands outside of the map with its axis.")
        for atom in inputs:
            if isinstance(atom, Constant) and isinstance(atom.value, ElidedValue):
                raise parse_error(node, "the value of a constant is left out.")
        for key, value in params.items():
            if primitive.is_own and not _is_harmless(value):
                raise parse_error(node, f"{key} has a text that is no name.")
        if not isinstance(params.get("dtype"), np.dtype | None):
            raise parse_error(node, f"{params['dtype']!r} is no dtype.")
        count = primitive.count_of_outputs([atom.type for atom in inputs], params)
        if count not in (None, outputs):
            raise parse_error(node, f"{primitive.name} has {count} outputs, not {outputs}.")


Program.file_format = FileFormat(save, load)
