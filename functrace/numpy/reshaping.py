"""The same elements in another shape or order, with NumPy's signatures.

Reshape and new axes, transpose, broadcasting, flips and rolls, diagonals and triangles.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from functrace.errors import UnsupportedFunctionError
from functrace.ir.types import Shape
from functrace.primitives.linear import as_scalar, cast_to, dtype_of, known_value, shape_of
from functrace.primitives.shaping import (
    broadcast_to_primitive,
    diagonal_primitive,
    flip_primitive,
    from_diagonal,
    reshape_primitive,
    roll_primitive,
    transpose_primitive,
)
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements, implements_named
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.refusals import LENGTHS
from functrace.tracing.tables import FUNCTIONS
from functrace.tracing.tracer import Tracer, bind, leaves_to_others
from functrace.tracing.views import as_raveled, lies_as

# Other shapes


def lengths_of(shape: Any) -> Shape:
    """A shape that is given as a sequence, or as the length of its only axis."""
    if np.iterable(shape):
        return tuple(map(operator.index, shape))
    return (operator.index(shape),)


def _resolved(shape: Any, x: Any) -> Shape:
    """A shape with the length -1 filled in; one that cannot be stays, for reshape to refuse."""
    if type(shape) is int:
        shape = (shape,)
    if type(shape) is not tuple or any(type(length) is not int for length in shape):
        lengths = shape if isinstance(shape, tuple | list | np.ndarray) else (shape,)
        shape = tuple(operator.index(length) for length in lengths)
    if -1 not in shape:
        return shape
    rest, size = -math.prod(shape), x.size
    if shape.count(-1) > 1 or rest <= 0 or size % rest:
        return shape
    return tuple(size // rest if length == -1 else length for length in shape)


def _rejects_memory_order(order: str, rank: int) -> None:
    """Raise where a result would depend on the order in memory, which tracers do not have."""
    if order not in ("C", "F") and rank > 1:
        raise UnsupportedFunctionError(
            f"order={order!r} asks for the order in memory, which a traced array does not have.",
            source_of(user_place(2)),
            "Write order='C' or order='F'.",
        )


@implements(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    """As `numpy.reshape`; ``order`` is one of ``"C"`` and ``"F"``."""
    if shape is None:
        if newshape is None:
            raise TypeError("reshape() missing 1 required positional argument: 'shape'")
        shape = newshape
    shape = _resolved(shape, a)
    if order == "C":
        result = bind(reshape_primitive, a, shape=shape)
    else:
        _rejects_memory_order(order, a.ndim)
        result = np.transpose(bind(reshape_primitive, np.transpose(a), shape=shape[::-1]))
    return result.copy() if copy else result


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """As `numpy.ravel`; ``order`` is one of ``"C"`` and ``"F"``."""
    if order != "C":
        _rejects_memory_order(order, a.ndim)
        if order == "F":
            a = np.transpose(a)
    return as_raveled(bind(reshape_primitive, a, shape=(a.size,)))


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """As `numpy.expand_dims`."""
    axis = axis if isinstance(axis, tuple | list) else (axis,)
    rank = a.ndim + len(axis)
    new = normalize_axis_tuple(axis, rank)
    lengths = iter(a.shape)
    shape = tuple(1 if axis in new else next(lengths) for axis in range(rank))
    return bind(reshape_primitive, a, shape=shape)


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """As `numpy.squeeze`."""
    shape = a.shape
    if axis is None:
        return bind(reshape_primitive, a, shape=tuple(n for n in shape if n != 1))
    if not shape and not isinstance(axis, tuple) and axis in (0, -1):
        return a
    removed = normalize_axis_tuple(axis, len(shape))
    if any(shape[axis] != 1 for axis in removed):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    kept = tuple(n for axis, n in enumerate(shape) if axis not in removed)
    return bind(reshape_primitive, a, shape=kept)


def _each(arrays: Sequence[Any], function: Callable[[Any], Any]) -> Any:
    """NumPy's result for one array or several."""
    results = tuple(function(as_operand(x)) for x in arrays)
    return results[0] if len(results) == 1 else results


def _reshaped(x: Any, shape: Shape) -> Any:
    return x if isinstance(x, Tracer) and x.shape == shape else np.reshape(x, shape)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """As `numpy.atleast_1d`."""
    return _each(arys, lambda x: _reshaped(x, shape_of(x) or (1,)))


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """As `numpy.atleast_2d`."""
    if len(arys) == 1 and _is_asked_by_sparse(arys[0]):
        held = np.empty((1, 1), object)
        held[0, 0] = arys[0]
        return held
    return _each(arys, lambda x: _reshaped(x, (1,) * (2 - np.ndim(x)) + shape_of(x)))


def _is_asked_by_sparse(x: Any) -> bool:
    """Whether a sparse matrix, as of SciPy 1.13, asks so what its other operand is.

    A method of it that a user called would go on, to a sparse matrix that holds traced values.

    Raises:
        UnsupportedFunctionError: It is such a method.
    """
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while caller is not None and caller.f_globals.get("__name__", "").startswith("functrace."):
        caller = caller.f_back
    if leaves_to_others(caller, x):
        return True
    if caller is not None and caller.f_globals.get("__name__") == "scipy.sparse._compressed":
        np.asarray(x)  # is refused by the name of the method
    return False


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """As `numpy.atleast_3d`."""

    def three_axes(x: Any) -> Any:
        shape = shape_of(x)
        if len(shape) < 2:
            shape = (1, *(shape or (1,)))
        return _reshaped(x, shape + (1,) * (3 - len(shape)))

    return _each(arys, three_axes)


# The axes in another order


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """As `numpy.transpose`."""
    rank = a.ndim
    if axes is None:
        return bind(transpose_primitive, a, permutation=tuple(range(rank - 1, -1, -1)))
    axes = normalize_axis_tuple(axes, rank)
    if len(axes) != rank:
        raise ValueError("axes don't match array")
    return bind(transpose_primitive, a, permutation=axes)


implements_named("permute_dims")(transpose)


@implements_named("matrix_transpose")
def matrix_transpose(x: Any, /) -> Any:
    """As `numpy.matrix_transpose`."""
    if x.ndim < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {x.ndim}")
    return np.swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """As `numpy.swapaxes`."""
    rank = a.ndim
    first, second = normalize_axis_index(axis1, rank), normalize_axis_index(axis2, rank)
    axes = list(range(rank))
    axes[first], axes[second] = second, first
    return bind(transpose_primitive, a, permutation=tuple(axes))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """As `numpy.moveaxis`."""
    rank = a.ndim
    sources = normalize_axis_tuple(source, rank, "source")
    destinations = normalize_axis_tuple(destination, rank, "destination")
    if len(sources) != len(destinations):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    axes = [axis for axis in range(rank) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        axes.insert(place, axis)
    return bind(transpose_primitive, a, permutation=tuple(axes))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """As `numpy.rollaxis`."""
    rank = a.ndim
    axis = normalize_axis_index(axis, rank)
    if not -rank <= start <= rank:
        raise np.exceptions.AxisError(f"'start' arg requires {-rank} <= start < {rank + 1}")
    start += rank * (start < 0)
    return np.moveaxis(a, axis, start - (axis < start))


# Broadcast


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """As `numpy.broadcast_to`."""
    return bind(broadcast_to_primitive, array, shape=lengths_of(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """As `numpy.broadcast_arrays`."""
    arrays = [as_operand(x) for x in args]
    shape = np.broadcast_shapes(*map(shape_of, arrays))
    return tuple(x if shape and shape_of(x) == shape else np.broadcast_to(x, shape) for x in arrays)


@implements(np.meshgrid)
@lies_as(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """As `numpy.meshgrid`."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    rank = len(xi)
    places = list(range(rank))
    if indexing == "xy" and rank > 1:
        places[:2] = 1, 0
    grids = [
        np.reshape(x, (1,) * place + (-1,) + (1,) * (rank - 1 - place))
        for x, place in zip(map(as_operand, xi), places, strict=True)
    ]
    results = grids if sparse else np.broadcast_arrays(*grids)
    return tuple(np.copy(x) if copy else x for x in results)


# Flip and roll


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """As `numpy.flip`."""
    if axis is None and not m.ndim:
        return as_scalar(m)
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return bind(flip_primitive, m, reverse=tuple(axes))


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """As `numpy.fliplr`."""
    if m.ndim < 2:
        raise ValueError("Input must be >= 2-d.")
    return np.flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """As `numpy.flipud`."""
    if m.ndim < 1:
        raise ValueError("Input must be >= 1-d.")
    return np.flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """As `numpy.rot90`."""
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    plane = tuple(normalize_axis_index(axis, m.ndim) for axis in axes)
    if plane[0] == plane[1]:
        raise ValueError("Axes must be different.")
    turns = operator.index(k) % 4
    if turns == 0:
        return np.flip(m, ())
    if turns == 2:
        return np.flip(m, plane)
    if turns == 1:
        return np.swapaxes(np.flip(m, plane[1]), *plane)
    return np.flip(np.swapaxes(m, *plane), plane[1])


def known_numbers(x: Any, request: str) -> Any:
    """The values of numbers such as shifts and repeats; raises where they are unknown."""
    x = known_value(x)
    if isinstance(x, Tracer):
        x._known(request, LENGTHS)  # pyright: ignore[reportPrivateUsage]
    return x


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """As `numpy.roll`."""
    a = as_operand(a)
    if axis is None:
        return np.reshape(roll(np.ravel(a), shift, 0), np.shape(a))
    axes = normalize_axis_tuple(axis, np.ndim(a), allow_duplicate=True)
    is_list = isinstance(shift, list | tuple) and any(isinstance(s, Tracer) for s in shift)
    number = known_value(np.stack(shift) if is_list else as_operand(shift))
    if max(np.ndim(number), np.ndim(axis)) > 1:
        raise ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    if isinstance(number, Tracer):
        if number.dtype.kind not in "iub":
            raise TypeError(f"a shift is a whole number, not of dtype {number.dtype}")
        shifts = np.broadcast_to(number, np.broadcast_shapes(number.shape, (len(axes),)))
        for step, along in zip(shifts, np.broadcast_to(axes, shifts.shape), strict=True):
            length = np.shape(a)[along]
            if length:
                a = FUNCTIONS[np.take](a, (np.arange(length) - step) % length, int(along))
        return a
    shifts, places = np.broadcast_arrays(number, axes)
    return bind(roll_primitive, a, shifts=tuple(shifts.tolist()), along=tuple(places.tolist()))


# Diagonals and triangles


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """As `numpy.diagonal`."""
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    first, second = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    if first == second:
        raise ValueError("axis1 and axis2 cannot be the same")
    if (first, second) != (a.ndim - 2, a.ndim - 1):
        a = np.moveaxis(a, (first, second), (-2, -1))
    return bind(diagonal_primitive, a, offset=operator.index(offset))


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """As `numpy.diag`."""
    if v.ndim == 1:
        k = operator.index(k)
        n = v.shape[0] + abs(k)
        return bind(from_diagonal, v, offset=k, rows=n, columns=n)
    if v.ndim == 2:
        return np.diagonal(v, k)
    raise ValueError("Input must be 1- or 2-d.")


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """As `numpy.diagflat`."""
    return np.diag(np.ravel(v), k)


@implements(np.trace, casts_freely=True)
def trace(
    a: Any, offset: Any = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    """As `numpy.trace`."""
    reject_out(out)
    if not isinstance(offset, Tracer):
        return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    a = np.moveaxis(a, (axis1, axis2), (-2, -1))
    diagonal = eye(*shape_of(a)[-2:], k=offset, dtype=bool)
    return np.sum(np.where(diagonal, a, 0), axis=(-2, -1), dtype=dtype)


def _places_in_rows(N: Any, M: Any, k: Any) -> tuple[Any, Any]:  # noqa: N803  (NumPy's names)
    """The places in the rows of a matrix, and of a diagonal in each row."""
    if np.ndim(k):
        raise TypeError("the number of a diagonal is a single one")
    columns = operator.index(N if M is None else M)
    return np.arange(columns), np.expand_dims(np.arange(operator.index(N)), 1) + k


@implements(np.eye)
def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = float, *_: Any, **__: Any) -> Any:  # noqa: N803
    """As `numpy.eye`, of any diagonal."""
    return cast_to(np.equal(*_places_in_rows(N, M, k)), np.dtype(dtype))


@implements(np.tri)
def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = float, **_: Any) -> Any:  # noqa: N803
    """As `numpy.tri`, below any diagonal."""
    return cast_to(np.less_equal(*_places_in_rows(N, M, k)), np.dtype(dtype))


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """As `numpy.tril`."""
    m = as_operand(m)
    return np.where(_below(m, k), m, np.zeros((), dtype_of(m)))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """As `numpy.triu`."""
    m = as_operand(m)
    return np.where(_below(m, k - 1), np.zeros((), dtype_of(m)), m)


def _below(m: Any, k: Any) -> Any:
    """Which elements of a matrix are on a diagonal or below it."""
    make: Any = tri if isinstance(k, Tracer) else np.tri
    return make(*shape_of(m)[-2:], k=k, dtype=bool)
