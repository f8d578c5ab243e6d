"""Long first axes in tiles: what one loop leaves is in the cache when the next one reads it.

Operations that do the same for each row of long arrays (elementwise ones, reductions of rows,
products of rows with a matrix) are joined to one operation, `Tiles`: a Program for some rows, which
is run for one tile after the other. Sums over all rows are added up from tile to tile. So softmax,
layers of a network, or a Jacobian of each of many observations pass over memory once.

The last tile ends with the last row: it begins with some that the one before had, too. What they
give is the same; from sums they are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native import halves
from functrace.backends.native.elementwise import computes
from functrace.backends.native.nests import Alone, Block, Nest, is_reduction
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType, Shape
from functrace.primitives.contracting import CONTRACTIONS, plan_of
from functrace.primitives.indexing import layout

LARGE = 1 << 22
"""So many bytes of arrays do not stay in the cache from one loop to the next."""

HELD = 1 << 18
"""So many bytes has a tile of all arrays."""

LEAST, MOST = 32, 1024
"""So many rows has a tile at least and at most."""

ALIGNED = 8
"""The rows of a tile are a multiple of so many."""

SMALL = 1 << 18
"""Matrices of more bytes, which all rows are multiplied with, are a library's business."""

EVERYTHING = slice(None)


class Tiles(Primitive):
    """A Program for some rows, run for all of them, tile by tile.

    Parameters: ``program``; ``length``, of all rows; ``size``, of a tile; ``rows``, which inputs
    are given row by row; ``totals``, for each output what combines those of the tiles, or None
    where it is made row by row; ``is_masked``, whether the Program's last input tells which rows
    are new.
    """

    holds_programs = True
    multiple_outputs = True


tiles = Tiles("tiles")


class Use(NamedTuple):
    """How an operation uses rows.

    Attributes:
        rows: Of which inputs it takes one row for each row that it makes.
        total: What combines all rows to its output; None where it makes rows.
    """

    rows: Sequence[bool]
    total: str | None = None


def tiled(program: Program) -> Program:
    """A Program in which operations on rows are joined; it is kept with the Program."""
    return program.derive("in tiles", lambda: _tiled(program))


def _tiled(program: Program) -> Program:
    length = _longest(program)
    if not length:
        return program
    parts = _parts(program, length)
    readers: dict[Variable, set[int]] = {}
    for number, part in parts.items():
        for equation in part:
            for atom in equation.inputs:
                if isinstance(atom, Variable):
                    readers.setdefault(atom, set()).add(number)
    for atom in program.outputs:
        if isinstance(atom, Variable):
            readers.setdefault(atom, set()).add(OUTSIDE)
    equations: list[Equation] = []
    for number in sorted(parts):
        part = parts[number]
        wanted = {v for v, numbers in readers.items() if numbers - {number}}
        joined = None if number % 2 else _joined(part, length, wanted)
        equations += part if joined is None else [joined]
    if len(equations) == len(program.equations):
        return program
    return Program(program.inputs, equations, program.outputs)


OUTSIDE = -2
"""The number of what reads a Program's outputs."""


def _bytes(type: ArrayType) -> int:
    return type.size * type.dtype.itemsize


def _longest(program: Program) -> int:
    """The first axis of most of the memory; 0 where there is none that is worth it."""
    sizes: dict[int, int] = {}
    for equation in program.equations:
        for variable in equation.outputs:
            shape = variable.type.shape
            if shape and shape[0] >= 2 * LEAST:
                sizes[shape[0]] = sizes.get(shape[0], 0) + _bytes(variable.type)
    length = max(sizes, key=lambda n: sizes[n], default=0)
    return length if length and sizes[length] >= LARGE else 0


def _parts(program: Program, length: int) -> dict[int, list[Equation]]:
    """The equations by parts: those of even numbers are done row by row."""
    known = halves.known(program)
    triangles = {
        variable
        for found in (known.zero, known.read)
        for variable, triangle in found.items()
        if triangle and min(variable.type.shape[-2:]) > 2 * LEAST
    }
    made_in: dict[Variable, int] = {}
    whole: set[Variable] = set()
    parts: dict[int, list[Equation]] = {}
    for equation in program.equations:
        use = None
        if triangles.isdisjoint((*equation.inputs, *equation.outputs)):
            use = _use(equation, length)
        number = -1 if use is None else 0
        for n, atom in enumerate(equation.inputs):
            before = made_in.get(atom, -1) if isinstance(atom, Variable) else -1
            if use is None:
                earliest = before if before % 2 else before + 1
            elif before % 2:
                earliest = before + 1
            else:
                earliest = before if use.rows[n] and atom not in whole else before + 2
            number = max(number, earliest)
        parts.setdefault(number, []).append(equation)
        for variable in equation.outputs:
            made_in[variable] = number
            if use is not None and use.total is not None:
                whole.add(variable)
    return parts


# How operations use rows


def _use(equation: Equation, length: int) -> Use | None:
    """How an operation uses rows; None where it does not go row by row."""
    if not equation.outputs or equation.has_effect:
        return None
    shape = equation.outputs[0].type.shape
    if is_reduction(equation):
        return _use_of_reduction(equation, length)
    name = equation.primitive.name
    if name in CONTRACTIONS:
        return _use_of_product(equation, length)
    if not shape or any(v.type.shape[:1] != (length,) for v in equation.outputs):
        return None
    if computes(equation):
        rows = [_is_row(atom, length, len(shape)) for atom in equation.inputs]
        return Use(rows) if any(rows) else None
    found = _WAYS.get(name)
    return found(equation, length) if found else None


def _is_row(atom: Atom, length: int, rank: int | None = None) -> bool:
    shape = atom.type.shape
    return shape[:1] == (length,) and (rank is None or len(shape) == rank)


def _use_of_reduction(equation: Equation, length: int) -> Use | None:
    (x,) = equation.inputs
    if not _is_row(x, length):
        return None
    axes = equation.params["axes"]
    rank = x.type.ndim
    over_all = axes is None or 0 in {axis % rank for axis in axes}
    if over_all and (rank == 1 or _bytes(equation.outputs[0].type) > SMALL):
        return None
    return Use([True], equation.primitive.name if over_all else None)


def _use_of_product(equation: Equation, length: int) -> Use | None:
    plan = plan_of(equation.params["subscripts"])
    operands = plan.first, plan.second
    label = next((part[0] for part in operands if part), None)
    for label in {part[0] for part in (*operands, plan.output) if part}:
        places = [part.find(label) for part in operands]
        lengths = {
            atom.type.shape[place]
            for atom, place in zip(equation.inputs, places, strict=True)
            if place >= 0
        }
        if max(places) > 0 or lengths != {length}:
            continue
        rows = [place == 0 for place in places]
        is_small = all(
            _bytes(atom.type) <= SMALL
            for atom, is_row in zip(equation.inputs, rows, strict=True)
            if not is_row
        )
        if plan.output[:1] == label and is_small:
            return Use(rows)
        if label not in plan.output and all(rows) and _bytes(equation.outputs[0].type) <= SMALL:
            return Use(rows, "sum") if equation.outputs[0].type.shape else None
    return None


def _first_is_row(equation: Equation, length: int) -> Use | None:
    rows = [_is_row(equation.inputs[0], length), *(False for _ in equation.inputs[1:])]
    return Use(rows) if rows[0] else None


def _unless(key: str) -> Callable[[Equation, int], Use | None]:
    """Operations along axes that a parameter tells."""

    def use(equation: Equation, length: int) -> Use | None:
        value = equation.params[key]
        rank = equation.inputs[0].type.ndim
        axes = {axis % rank for axis in (value if isinstance(value, tuple) else (value,))}
        return None if 0 in axes else _first_is_row(equation, length)

    return use


def _use_of_transpose(equation: Equation, length: int) -> Use | None:
    is_first = equation.params["permutation"][0] == 0
    return _first_is_row(equation, length) if is_first else None


def _use_of_stretched(equation: Equation, length: int) -> Use | None:
    (x,), (output,) = equation.inputs, equation.outputs
    return Use([True]) if _is_row(x, length, output.type.ndim) else None


def _use_of_joined(equation: Equation, length: int) -> Use | None:
    rank = equation.outputs[0].type.ndim
    rows = [_is_row(atom, length) for atom in equation.inputs]
    return Use(rows) if equation.params["axis"] % rank and all(rows) else None


def _begins_with_all(index: Sequence[Any]) -> bool:
    return bool(index) and isinstance(index[0], slice) and index[0] == EVERYTHING


def _use_of_item(equation: Equation, length: int) -> Use | None:
    is_of_rows = _begins_with_all(equation.params["index"])
    numbers = all(not atom.type.shape for atom in equation.inputs[1:])
    return _first_is_row(equation, length) if is_of_rows and numbers else None


def _use_of_written(equation: Equation, length: int) -> Use | None:
    """Values that are written into rows, at places that numbers tell."""
    index, output = equation.params["index"], equation.outputs[0]
    is_new = equation.primitive.name == "scatter_add"
    values, numbers = equation.inputs[0 if is_new else 1], equation.inputs[1 if is_new else 2 :]
    if not _begins_with_all(index) or any(atom.type.shape for atom in numbers):
        return None
    rank = len(layout(index, output.type.ndim).sliced)
    rows = [_is_row(values, length, rank), *(False for _ in numbers)]
    if not is_new:
        rows.insert(0, _is_row(equation.inputs[0], length))
    return Use(rows) if rows[0] else None


_WAYS: dict[str, Callable[[Equation, int], Use | None]] = {
    **dict.fromkeys(("reshape", "as_array", "stop_gradient", "copy", "row_major"), _first_is_row),
    "transpose": _use_of_transpose,
    "broadcast_to": _use_of_stretched,
    "flip": _unless("reverse"),
    "split": _unless("axis"),
    "unstack": _unless("axis"),
    "stack": _use_of_joined,
    "concatenate": _use_of_joined,
    "getitem": _use_of_item,
    **dict.fromkeys(("scatter_add", "index_add", "index_update"), _use_of_written),
}
"""How operations that no nest computes use rows."""


# Joining


def _joined(part: Sequence[Equation], length: int, wanted: set[Variable]) -> Equation | None:
    """The operation that does a part row by row; None where that is not worth it."""
    whole = Program([], part, [v for e in part for v in e.outputs if v in wanted])
    stored: set[Variable] = set()
    loops = 0
    for step in Block(_with_inputs(whole)).steps:
        loops += step.does is not None
        match step.does:
            case Nest():
                stored |= step.does.stored
            case Alone():
                stored.update(step.does.equation.outputs)
            case None:
                pass
    held = sum(_bytes(v.type) for v in stored if _is_row(v, length))
    if loops < 2 or held < LARGE:
        return None
    uses = [_use(equation, length) for equation in part]
    totals = [use.total for use in uses if use is not None and use.total is not None]
    size = _size(length, HELD * length // held, exact=bool(totals))
    if 2 * size > length:
        return None
    needs_mask = length % size != 0 and not {"sum", "prod"}.isdisjoint(totals)
    return _Body(length, size, needs_mask).equation(part, wanted)


def _with_inputs(program: Program) -> Program:
    """The same, of which nothing is missing."""
    made = {variable for equation in program.equations for variable in equation.outputs}
    read = dict.fromkeys(
        atom
        for equation in program.equations
        for atom in equation.inputs
        if isinstance(atom, Variable) and atom not in made
    )
    return Program([*read], program.equations, program.outputs)


def _size(length: int, wanted: int, *, exact: bool) -> int:
    """The rows of a tile; where sums are wanted best as many in each."""
    wanted = min(max(wanted // ALIGNED * ALIGNED, LEAST), MOST, length)
    if exact:
        fitting = [n for n in range(wanted // 2, 2 * wanted) if length % n == 0]
        if fitting:
            return min(fitting, key=lambda n: (n % ALIGNED != 0, abs(n - wanted)))
    count = -(-length // wanted)
    return min(-(-length // (ALIGNED * count)) * ALIGNED, length)


class _Body:
    """The Program of a tile, as it is written."""

    def __init__(self, length: int, size: int, is_masked: bool) -> None:
        self._length, self._size = length, size
        self._mask = Variable(ArrayType((size,), np.dtype(bool))) if is_masked else None
        self._given: dict[tuple[Atom, bool], Variable] = {}
        self._made: dict[Variable, Variable] = {}
        self._equations: list[Equation] = []

    def equation(self, part: Sequence[Equation], wanted: set[Variable]) -> Equation:
        outputs: list[Variable] = []
        totals: list[str | None] = []
        for equation in part:
            use = _use(equation, self._length)
            assert use is not None
            self._add(equation, use)
            chosen = [v for v in equation.outputs if v in wanted]
            outputs += chosen
            totals += [use.total] * len(chosen)
        inputs = list(self._given.values())
        if self._mask is not None:
            inputs.append(self._mask)
        params = {
            "program": Program(inputs, self._equations, [self._made[v] for v in outputs]),
            "length": self._length,
            "size": self._size,
            "rows": tuple(is_row for _, is_row in self._given),
            "totals": tuple(totals),
            "is_masked": self._mask is not None,
        }
        return Equation(tiles, [atom for atom, _ in self._given], params, outputs, part[0].source)

    def _add(self, equation: Equation, use: Use) -> None:
        inputs = [
            self._read(atom, is_row) for atom, is_row in zip(equation.inputs, use.rows, strict=True)
        ]
        if use.total in ("sum", "prod") and self._mask is not None:
            number = min(range(len(inputs)), key=lambda n: inputs[n].type.size)
            inputs[number] = self._masked(equation, inputs[number], use.total)
        params = equation.params
        if "shape" in params:
            params = {**params, "shape": (self._size, *params["shape"][1:])}
        outputs = [
            Variable(self._part(v.type) if use.total is None else v.type) for v in equation.outputs
        ]
        self._made.update(zip(equation.outputs, outputs, strict=True))
        self._equations.append(equation.replaced(inputs=inputs, params=params, outputs=outputs))

    def _part(self, type: ArrayType) -> ArrayType:
        return ArrayType((self._size, *type.shape[1:]), type.dtype)

    def _read(self, atom: Atom, is_row: bool) -> Atom:
        if isinstance(atom, Variable) and atom in self._made:
            return self._made[atom]
        if isinstance(atom, Constant) and not is_row:
            return atom
        key = atom, is_row
        if key not in self._given:
            self._given[key] = Variable(self._part(atom.type) if is_row else atom.type)
        return self._given[key]

    def _masked(self, equation: Equation, x: Atom, total: str) -> Atom:
        """What changes a total by new rows only."""
        assert self._mask is not None
        shape: Shape = (self._size, *(1 for _ in x.type.shape[1:]))
        mask = Variable(ArrayType(shape, np.dtype(bool)))
        result = Variable(x.type)
        nothing = Constant(x.type.dtype.type(total == "prod"), ArrayType((), x.type.dtype))
        self._equations += [
            Equation(PRIMITIVES["reshape"], [self._mask], {"shape": shape}, [mask]),
            Equation(PRIMITIVES["select"], [mask, x, nothing], {}, [result], equation.source),
        ]
        return result
