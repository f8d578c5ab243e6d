"""`map`, and scans whose function is associative: what needs no trip after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.choices import call_in_sight
from functrace.control.loops import scan
from functrace.errors import (
    ArgumentError,
)
from functrace.ir.types import type_of
from functrace.tracebacks import boundary
from functrace.tracing.operands import as_operand
from functrace.transforms.transformed import require_callable


@boundary
def map_rows(f: Callable[[Any], Any], xs: Any) -> Any:
    """Apply a function to one row after another; `vmap` does all rows at once.

    Args:
        f: A function of one row.
        xs: A tree of arrays of which the first axes have the same length.

    Returns:
        The stacked results.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> map_rows(lambda x: x * x, np.arange(3.0))
        array([0., 1., 4.])
    """
    require_callable(f, "map", "f")
    return scan(lambda _, x: ((), f(x)), (), xs)[1]


@boundary
def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All partial results of an associative operation, in a logarithmic number of steps.

    Args:
        fn: An associative operation on trees of arrays, elementwise along ``axis``.
        elems: A tree of arrays of one length along ``axis``.
        reverse: Whether to begin at the end.
        axis: Along which axis.

    Returns:
        A tree like ``elems``: entry k is the result over the entries up to k.

    Raises:
        ArgumentError: An array does not have the axis, or the lengths differ.

    Source: Blelloch, Prefix sums and their applications, CMU-CS-90-190 (1990).

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.associative_scan(np.multiply, np.array([1.0, 2.0, 3.0, 4.0]))
        array([ 1.,  2.,  6., 24.])
    """
    require_callable(fn, "associative_scan", "fn")
    leaves, structure = tree.flatten(elems)
    leaves = [as_operand(x) for x in leaves]
    for x, path in zip(leaves, structure.paths(), strict=True):
        rank = type_of(x).ndim
        if not -rank <= axis < rank:
            raise ArgumentError(
                f"associative_scan was asked for axis {axis} of elems{tree.keystr(path)}, "
                f"which has {rank} axes."
            )
    leaves = [np.moveaxis(x, axis, 0) for x in leaves]
    if reverse:
        leaves = [np.flip(x, 0) for x in leaves]
    lengths = {x.shape[0] for x in leaves}
    if len(lengths) > 1:
        raise ArgumentError(f"The lengths of associative_scan differ: {sorted(lengths)}.")

    def combine(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        moved = [structure.unflatten([np.moveaxis(x, 0, axis) for x in part]) for part in (a, b)]
        return [np.moveaxis(x, axis, 0) for x in tree.leaves(call_in_sight(fn, moved))]

    def partial_results(parts: list[Any]) -> list[Any]:
        count = parts[0].shape[0]
        if count < 2:
            return parts
        pairs = combine([x[:-1:2] for x in parts], [x[1::2] for x in parts])
        odd = partial_results(pairs)
        even = [x[:1] for x in parts]
        if count > 2:
            before = [x[: (count - 1) // 2] for x in odd]
            rest = combine(before, [x[2::2] for x in parts])
            even = [np.concatenate([a, b]) for a, b in zip(even, rest, strict=True)]
        return [_interleaved(a, b) for a, b in zip(even, odd, strict=True)]

    found = partial_results(leaves) if leaves else leaves
    if reverse:
        found = [np.flip(x, 0) for x in found]
    return structure.unflatten([np.moveaxis(x, 0, axis) for x in found])


def _interleaved(even: Any, odd: Any) -> Any:
    """The rows of two arrays in turn; the first may have one more."""
    count = odd.shape[0]
    both = np.reshape(np.stack([even[:count], odd], axis=1), (2 * count, *odd.shape[1:]))
    return np.concatenate([both, even[count:]]) if even.shape[0] > count else both
