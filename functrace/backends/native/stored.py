"""Whole Programs as machine code on disk, by what was recorded: found there, nothing is made anew.

To simplify a Program and to write it in LLVM's language takes longer than all else of a first call
for which machine code is on disk. So an entry is kept beside the object file: which one it is, and
what must be known to run it.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native import disk
from functrace.backends.native.libraries import has_routines
from functrace.backends.native.machine import machine
from functrace.backends.native.parallel import is_there
from functrace.backends.settings import settings
from functrace.ir.program import Atom, Program, Variable
from functrace.ir.types import ArrayType

MOST_CONSTANTS = 1 << 23
"""Programs whose constants take more bytes are not kept: to read them takes time as well."""

MOST_PACKED = 1 << 20
"""Nor are those of which they take more on disk."""

MOST_EQUATIONS = 200_000
"""Longer Programs are not looked for: to read them takes about as long as to record them."""

_PLAIN = frozenset([bool, int, float, complex, str, bytes, type(None), type(Ellipsis)])

_WITHOUT_REFERENCES = 2
"""A version of marshal's format in which what is equal is written alike, whoever refers to it."""


class Needs(NamedTuple):
    """What must be known of machine code to run it.

    Attributes:
        size: The bytes of memory that a call is lent.
        is_long: Whether other threads should run meanwhile.
        is_divided: Whether it calls what divides loops among threads.
        polls: Whether it calls what lets Python handle signals.
        holds: Whether results are right though flags were raised.
        heard: Which kinds of flags the function does not ignore.
        libraries: The routines of linear algebra that it calls, by their names.
        constants: The arrays that it reads, by the names of their addresses.
    """

    size: int
    is_long: bool
    is_divided: bool
    polls: bool
    holds: int
    heard: Sequence[str]
    libraries: frozenset[str]
    constants: Mapping[str, np.ndarray]


class _UnknownError(Exception):
    """A Program holds something that is known by its identity only, as a function is."""


def key_of(program: Program, classes: Mapping[int, bool]) -> str | None:
    """What machine code of a Program is kept under; None where it cannot be, or is not to be.

    Args:
        program: A Program as it was recorded.
        classes: Which outputs without axes are arrays.
    """
    if not settings.cache or len(program.equations) > MOST_EQUATIONS:
        return None
    digest = hashlib.sha256(repr((_surroundings(), sorted(classes.items()))).encode())
    try:
        _feed(digest, program)
    except _UnknownError:
        return None
    return f"p{digest.hexdigest()}"


def load(key: str) -> tuple[bytes, Needs] | None:
    """The object file of a Program, and what it needs; None if that is not there."""
    found = disk.load(key)
    if found is None:
        return None
    head, _, rest = found.partition(b"\n")
    told = json.loads(head)
    code = disk.load(told["code"])
    if code is None:
        return None
    packed, begin = zlib.decompress(rest), 0
    arrays: list[np.ndarray] = []
    for dtype, shape in told["arrays"]:
        array = np.empty(shape, dtype)
        array.ravel()[...] = np.frombuffer(packed, dtype, array.size, begin)
        begin += array.nbytes
        arrays.append(array)
    constants = {name: arrays[number] for name, number in told["constants"]}
    libraries = frozenset(told["libraries"])
    return code, Needs(*told["needs"], libraries=libraries, constants=constants)


def save(key: str, code: str, needs: Needs) -> None:
    """Keep what was made of a Program, if it can be kept.

    Args:
        key: What `key_of` says.
        code: What the object file is kept under.
        needs: What must be known of it.
    """
    constants = needs.constants
    if sum(array.nbytes for array in constants.values()) > MOST_CONSTANTS:
        return
    numbers: dict[Any, int] = {}  # of those that differ
    named = [
        (name, numbers.setdefault((x.dtype.str, x.shape, x.tobytes()), len(numbers)))
        for name, x in constants.items()
    ]
    packed = zlib.compress(b"".join(content for _, _, content in numbers), 1)
    if len(packed) > MOST_PACKED:
        return
    told = {
        "code": code,
        "needs": needs[:6],
        "libraries": sorted(needs.libraries),
        "arrays": [(dtype, shape) for dtype, shape, _ in numbers],
        "constants": named,
    }
    disk.save(key, json.dumps(told).encode() + b"\n" + packed)


@cache
def _surroundings() -> Sequence[Any]:
    """All that machine code of a Program depends on, beside the Program."""
    code = sorted(_files_in(str(Path(__file__).parents[2])))
    routines = [has_routines(type, "gemm", "getrf", "gesv") for type in ("double", "float")]
    return machine(), np.__version__, code, is_there(), routines


def _files_in(folder: str) -> Iterator[tuple[str, int, int]]:
    """The files of functrace's code, as far as a look at the folders tells."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files_in(entry.path)
            elif entry.name.endswith(".py"):
                status = entry.stat()
                yield entry.path, status.st_size, status.st_mtime_ns


def _feed(digest: Any, program: Program) -> None:
    """Add all that a Program does to a digest, but names and lines."""
    numbers: dict[Atom, int] = {}
    parts: list[Any] = []
    append = parts.append
    types: dict[int, int] = {}  # by identity: most values have one of a few
    kinds: dict[ArrayType, int] = {}
    constants: dict[Atom, tuple[int, Any]] = {}
    handlings: dict[Any, list[str]] = {}
    hashes: dict[int, bytes] = {}

    def of_type(type: ArrayType) -> int:
        number = kinds.get(type)
        if number is None:
            append((type.shape, type.dtype.str, type.weak))  # its number is how many were before
            number = kinds[type] = len(kinds)
        types[id(type)] = number
        return number

    def made(variable: Variable) -> None:
        numbers[variable] = len(numbers)
        type = variable.type
        number = types.get(id(type))
        append(of_type(type) if number is None else number)
        if hasattr(variable, "is_scalar"):
            append(variable.is_scalar)

    def given(atom: Atom) -> None:
        if isinstance(atom, Variable):
            append(numbers[atom])
            return
        told = constants.get(atom)
        if told is None:
            told = constants[atom] = of_type(atom.type), known(atom.value)
        append(told)

    def known(value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is slice:
            return "slice", known(value.start), known(value.stop), known(value.step)
        if kind is tuple or kind is list:
            return kind.__name__, [*map(known, value)]
        if kind is np.ndarray and not value.dtype.hasobject:
            data = hashes.get(id(value))
            if data is None:
                data = hashes[id(value)] = hashlib.sha256(value.tobytes()).digest()
            return value.dtype.str, value.shape, value.flags.f_contiguous, data
        if isinstance(value, np.generic):
            return value.dtype.str, value.tobytes()
        if isinstance(value, type | np.dtype):
            return kind.__name__, repr(value)
        if kind is Program:
            inner = hashlib.sha256()
            _feed(inner, value)
            return "program", inner.digest()
        raise _UnknownError

    for variable in program.inputs:
        made(variable)
    for equation in program.equations:
        primitive, handling = equation.primitive, equation.handling
        if not primitive.is_own or (
            equation.has_effect if primitive.may_hold_programs else primitive.has_effect
        ):
            raise _UnknownError
        append(primitive.name)
        if handling:
            if handling not in handlings:
                handlings[handling] = sorted(handling)
            append(handlings[handling])
        if equation.params:
            append([(name, known(x)) for name, x in sorted(equation.params.items())])
        for atom in equation.inputs:
            number = numbers.get(atom)
            if number is None:
                given(atom)
            else:
                append(number)  # `given`, written out: a Program may have a hundred thousand
        append(None)  # so that inputs are told from outputs
        for variable in equation.outputs:
            made(variable)
    append("returns")
    for atom in program.outputs:
        given(atom)
    digest.update(marshal.dumps(parts, _WITHOUT_REFERENCES))
