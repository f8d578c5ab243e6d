"""Matrix products by the library that NumPy has loaded, called from machine code."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.writing import Writer

NAMES = {"double": "dgemm", "float": "sgemm"}
"""What the products of the two types are called."""


class Routine(NamedTuple):
    """A routine of a library.

    Attributes:
        name: Its name in texts.
        address: Where it is.
        integer: LLVM's type of the numbers that it takes.
    """

    name: str
    address: int
    integer: str


@cache
def routine(type: str) -> Routine | None:
    """The matrix product of CBLAS for numbers of this type; None where it is not found."""
    name = NAMES[type]
    spellings = [(f"scipy_cblas_{name}64_", "i64"), (f"cblas_{name}64_", "i64")]
    for library in _libraries():
        for spelling, integer in spellings:
            if hasattr(library, spelling):
                address = ctypes.cast(getattr(library, spelling), ctypes.c_void_p).value
                if address:
                    return Routine(f"library.{name}", address, integer)
    return None


def _libraries() -> list[Any]:
    """The OpenBLAS that NumPy's wheels bring along."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    inside = Path(np.__file__).parent / ".dylibs"
    found = [*folder.glob("*openblas*"), *inside.glob("*openblas*")]
    return [ctypes.CDLL(str(path)) for path in found]


def routines(functions: set[str]) -> dict[str, int]:
    """The addresses of the routines among the functions that a text declares."""
    known = (routine(type) for type in NAMES)
    return {r.name: r.address for r in known if r is not None and r.name in functions}


def matrix_product(
    write: Writer, type: str, pointers: tuple[str, str, str], axes: tuple[Any, Any, Any]
) -> bool:
    """Write a call of the library.

    Args:
        write: The function.
        type: LLVM's type of the numbers.
        pointers: The addresses of the operands and the output.
        axes: The axes of the rows, of the columns, and of the sums.

    Returns:
        Whether there is such a library, and it takes matrices that lie so.
    """
    found = routine(type)
    row, column, summed = axes
    x, y = _order(row.x, summed.x, row, summed), _order(summed.y, column.y, summed, column)
    if found is None or x is None or y is None or column.out != 1 or row.out < column.length:
        return False
    whole = found.integer
    one, zero = ("1.0", "0.0")
    arguments = [
        "i32 101", f"i32 {x[0]}", f"i32 {y[0]}",
        f"{whole} {row.length}", f"{whole} {column.length}", f"{whole} {summed.length}",
        f"{type} {one}", f"ptr {pointers[0]}", f"{whole} {x[1]}",
        f"ptr {pointers[1]}", f"{whole} {y[1]}", f"{type} {zero}",
        f"ptr {pointers[2]}", f"{whole} {row.out}",
    ]  # fmt: skip
    kinds = ", ".join(argument.split()[0] for argument in arguments)
    write.declarations.add(f"declare void @{found.name}({kinds})")
    write.libraries.add(found.name)
    write.line(f"call void @{found.name}({', '.join(arguments)})")
    return True


def _order(down: int, right: int, first: Any, second: Any) -> tuple[int, int] | None:
    """How CBLAS calls the order of a matrix, and how far its rows are from each other."""
    if right == 1 and down >= second.length:
        return 111, down
    if down == 1 and right >= first.length:
        return 112, right
    return None
