"""Orders: argsort, and sorting, whose derivative follows the elements to their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType
from functrace.primitives.indexing import take_along
from functrace.tracing import as_operand, bind, implements


class ArgSort(Primitive):
    """The indices that sort along an axis."""

    locally_constant = True

    def run(self, x: Any, *, axis: int, kind: Any) -> Any:
        """Sort."""
        return np.argsort(x, axis, kind)

    def infer(self, x: ArrayType, *, axis: int, kind: Any) -> ArrayType:
        """One index for each element."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType(x.shape, np.dtype(np.intp))

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Zero."""
        return None

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """Zero."""
        return (None,)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], *, axis: int, kind: Any
    ) -> Any:
        """Sort in all examples."""
        (x,), (batch_axis,) = inputs, axes
        x = np.moveaxis(x, batch_axis, 0) if batch_axis else x
        return bind(self, x, axis=axis + 1, kind=kind), 0


argsort_primitive = ArgSort("argsort")


def _kind(kind: Any, order: Any, stable: Any) -> Any:
    """The sorting method that the arguments of `numpy.sort` ask for."""
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    if stable is None:
        return kind
    if kind is not None:
        raise ValueError("`kind` and keyword parameters can't be provided at the same time.")
    return "stable" if stable else None


@implements(np.argsort)
def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """As `numpy.argsort`."""
    kind = _kind(kind, order, stable)
    if axis is None or a.ndim == 0:
        if axis not in (None, 0, -1):
            normalize_axis_index(axis, a.ndim)
        a, axis = np.ravel(a), 0
    return bind(argsort_primitive, a, axis=normalize_axis_index(axis, a.ndim), kind=kind)


@implements(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """As `numpy.sort`."""
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, a.ndim)
    # The order is needed for the derivative anyway, and each element has one place in it.
    order = bind(argsort_primitive, a, axis=axis, kind=_kind(kind, order, stable))
    return take_along(a, order, axis, unique=True)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """As `numpy.lexsort`: one stable sort after another, the last key being the first to count."""
    rows = [as_operand(key) for key in keys]
    if not rows:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    axis = normalize_axis_index(axis, np.ndim(rows[0]))
    order: Any = None
    for key in rows:
        ranked = key if order is None else take_along(key, order, axis)
        step = bind(argsort_primitive, ranked, axis=axis, kind="stable")
        order = step if order is None else take_along(order, step, axis)
    return order
