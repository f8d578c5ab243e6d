"""A tree of arrays as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.texts import html_table, text_table
from functrace.tree.keys import keystr
from functrace.tree.traversing import leaves_with_path


class Leaf(NamedTuple):
    """What is known of a leaf.

    Attributes:
        path: The keys that lead to it, as the user would write them.
        shape: Of the array; () for a number.
        dtype: Its name; that of the class, of what is neither an array nor a number.
        nbytes: How many bytes the numbers take.
        norm: The root of the sum of squares; None where it is none of numbers.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    norm: float | None


class Table:
    """The leaves of a tree, which print and show themselves."""

    HEADERS = "leaf", "shape", "dtype", "bytes", "norm"

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self.leaves = list(leaves)

    @property
    def nbytes(self) -> int:
        """How many bytes all leaves take."""
        return sum(leaf.nbytes for leaf in self.leaves)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return sum(int(np.prod(leaf.shape)) for leaf in self.leaves if leaf.norm is not None)

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [
            (
                leaf.path or "(the tree itself)",
                "x".join(map(str, leaf.shape)) or "-",
                leaf.dtype,
                f"{leaf.nbytes:,}",
                "-" if leaf.norm is None else f"{leaf.norm:.4g}",
            )
            for leaf in self.leaves
        ]
        return [*rows, (f"{len(rows)} leaves", f"{self.size:,}", "", f"{self.nbytes:,}", "")]

    def __str__(self) -> str:
        return text_table(self.HEADERS, self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html_table(self.HEADERS, self._rows())


def show(tree: Any) -> Table:
    """Show what is in a tree: shapes, dtypes, bytes and norms of its leaves.

    Args:
        tree: Any tree; parameters, for example.

    Returns:
        A table, which prints itself, and which a notebook shows; ``table.leaves`` has its rows.

    Example:
        >>> import numpy as np
        >>> from functrace import tree
        >>> tree.show({"W": np.ones((3, 4)), "rate": 0.5})
        leaf      shape    dtype  bytes   norm
        ['W']       3x4  float64     96  3.464
        ['rate']      -  float64      8    0.5
        2 leaves     13             104
    """
    return Table([_leaf(keystr(path), leaf) for path, leaf in leaves_with_path(tree)])


def _leaf(path: str, leaf: Any) -> Leaf:
    dtype = getattr(leaf, "dtype", None)
    if isinstance(dtype, np.dtype) and not isinstance(leaf, np.ndarray | np.generic):
        return Leaf(path, tuple(leaf.shape), f"{dtype} traced", 0, None)
    if not isinstance(leaf, np.ndarray | np.generic | bool | int | float | complex):
        return Leaf(path, (), type(leaf).__name__, 0, None)
    array = np.asarray(leaf)
    size = norm(array) if array.dtype.kind in "biufc" else None
    return Leaf(path, array.shape, str(array.dtype), array.nbytes, size)


def norm(x: Any) -> float:
    """The root of the sum of squares, in double precision, also where the squares overflow."""
    array = np.asarray(x)
    numbers = array.astype(np.result_type(array.dtype, float)).ravel()
    with np.errstate(over="ignore", under="ignore"):
        found = float(np.linalg.norm(numbers))
        largest = np.abs(numbers).max(initial=0.0)
        if found in (0.0, np.inf) and 0 < largest < np.inf:
            found = float(largest * np.linalg.norm(numbers / largest))
    return found
