"""Matrix products and factorizations by the library that NumPy has loaded, from machine code."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.writing import Writer

PREFIXES = {"double": "d", "float": "s"}
"""How the names of routines for numbers of the two types begin."""


class Routine(NamedTuple):
    """A routine of a library.

    Attributes:
        name: Its name in texts.
        address: Where it is.
    """

    name: str
    address: int


class Block(NamedTuple):
    """A matrix, or a part of one, of which the library is told.

    Attributes:
        pointer: Where it begins.
        down: How far its rows are from each other, in elements.
        right: How far its columns are.
    """

    pointer: str
    down: int
    right: int


@cache
def routine(name: str, type: str) -> Routine | None:
    """A routine for numbers of this type; None where it is not found.

    Args:
        name: The name without the letter of the type: ``"gemm"`` of CBLAS, others of LAPACK.
        type: LLVM's type.
    """
    whole = f"{PREFIXES[type]}{name}"
    core = f"cblas_{whole}64_" if name == "gemm" else f"{whole}_64_"
    for library in _libraries():
        for spelling in (f"scipy_{core}", core):
            if hasattr(library, spelling):
                address = ctypes.cast(getattr(library, spelling), ctypes.c_void_p).value
                if address:
                    return Routine(f"library.{whole}", address)
    return None


@cache
def _libraries() -> list[Any]:
    """The OpenBLAS that NumPy's wheels bring along."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    inside = Path(np.__file__).parent / ".dylibs"
    found = [*folder.glob("*openblas*"), *inside.glob("*openblas*")]
    return [ctypes.CDLL(str(path)) for path in found]


def routines(names: set[str]) -> dict[str, int]:
    """The addresses of routines by their names in texts."""
    types = {letter: type for type, letter in PREFIXES.items()}
    words = [name.removeprefix("library.") for name in names]
    found = [routine(word[1:], types[word[0]]) for word in words]
    return {r.name: r.address for r in found if r is not None}


def has_routines(type: str, *names: str) -> bool:
    """Whether all these routines are there."""
    return all(routine(name, type) is not None for name in names)


def multiply(
    write: Writer,
    type: str,
    blocks: tuple[Block, Block, Block],
    sizes: tuple[str, str, str],
    *,
    factor: float = 1.0,
    kept: float = 0.0,
) -> None:
    """Write ``out = factor * x @ y + kept * out`` as a call of the library, which is there.

    Args:
        write: The function.
        type: LLVM's type of the numbers.
        blocks: ``x``, ``y`` and ``out``. Of each the rows or the columns lie in a row.
        sizes: The rows, the columns, and the terms of a sum: literals or registers.
        factor: Of the product.
        kept: Of what is there before.
    """
    found = routine("gemm", type)
    assert found is not None
    (x, y, out), (rows, columns, summed) = blocks, sizes
    if out.right != 1:  # the transpose of all
        x, y, out = (Block(b.pointer, b.right, b.down) for b in (y, x, out))
        rows, columns = columns, rows
    ways = ["i32 111" if b.right == 1 else "i32 112" for b in (x, y)]
    arguments = [
        "i32 101", *ways, f"i64 {rows}", f"i64 {columns}", f"i64 {summed}",
        f"{type} {factor}", f"ptr {x.pointer}", f"i64 {_apart(x)}",
        f"ptr {y.pointer}", f"i64 {_apart(y)}", f"{type} {kept}",
        f"ptr {out.pointer}", f"i64 {_apart(out)}",
    ]  # fmt: skip
    _call(write, found, arguments)


def _apart(block: Block) -> int:
    return block.down if block.right == 1 else block.right


def call(write: Writer, type: str, name: str, *arguments: int | str) -> str:
    """Write a call of LAPACK, which takes all by address.

    Args:
        write: The function.
        type: LLVM's type of the numbers.
        name: The routine, which is there, without the letter of the type.
        arguments: Numbers, and pointers of arrays.

    Returns:
        What the routine returns as its last argument: 0 where all went well.
    """
    found = routine(name, type)
    assert found is not None
    given: list[str] = []
    places: list[str] = []
    for argument in (*arguments, 0):
        if isinstance(argument, int):
            places.append(write.stack("i64"))
            write.line(f"store i64 {argument}, ptr {places[-1]}")
            given.append(f"ptr {places[-1]}")
        else:
            given.append(f"ptr {argument}")
    _call(write, found, given)
    return write.let(f"load i64, ptr {places[-1]}")


def _call(write: Writer, routine: Routine, arguments: list[str]) -> None:
    kinds = ", ".join(argument.split()[0] for argument in arguments)
    write.declarations.add(f"declare void @{routine.name}({kinds})")
    write.libraries.add(routine.name)
    write.line(f"call void @{routine.name}({', '.join(arguments)})")


def matrix_product(
    write: Writer, type: str, pointers: tuple[str, str, str], axes: tuple[Any, Any, Any]
) -> bool:
    """Write a product as a call of the library.

    Args:
        write: The function.
        type: LLVM's type of the numbers.
        pointers: The addresses of the operands and the output.
        axes: The axes of the rows, of the columns, and of the sums.

    Returns:
        Whether there is such a library, and it takes matrices that lie so.
    """
    row, column, summed = axes
    x = _lies(pointers[0], row.x, summed.x, row.length, summed.length)
    y = _lies(pointers[1], summed.y, column.y, summed.length, column.length)
    out = _lies(pointers[2], row.out, column.out, row.length, column.length)
    if not has_routines(type, "gemm") or x is None or y is None or out is None:
        return False
    sizes = str(row.length), str(column.length), str(summed.length)
    multiply(write, type, (x, y, out), sizes)
    return True


def _lies(pointer: str, down: int, right: int, rows: int, columns: int) -> Block | None:
    """A matrix as CBLAS takes it; None where it does not."""
    fits = (right == 1 and down >= columns) or (down == 1 and right >= rows)
    return Block(pointer, down, right) if fits else None
