"""Other shapes for the same elements: reshape, transpose, broadcast, flip, join, split, pad.

All of these are linear. Adjoint pairs stand side by side: broadcasting and summing, joining and
splitting, padding and slicing, taking a diagonal and making a diagonal matrix. The rest of NumPy's
functions that rearrange arrays are compositions of these primitives and of indexing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from functrace.errors import ArrayWriteError, UnsupportedFunctionError
from functrace.ir.primitive import Primitive
from functrace.ir.types import WEAK_KINDS, ArrayType, Shape, type_of
from functrace.primitives.linear import (
    Linear,
    cast_to,
    dtype_of,
    move_batch_axis,
    shape_of,
    sum_to_shape,
    zeros_for,
)
from functrace.tracing import (
    UNKNOWN,
    Tracer,
    as_operand,
    bind,
    implements,
    reject_out,
    require_usable,
    source_of,
    user_place,
)

F = TypeVar("F", bound=Callable[..., Any])

Axes = tuple[int, ...]


def implements_named(*names: str) -> Callable[[F], F]:
    """As `implements`, for NumPy functions that only some of its versions have."""
    return implements(*(getattr(np, name) for name in names if hasattr(np, name)))


def known_value(x: Any) -> Any:
    """The plain array behind a tracer, or the innermost tracer whose value is unknown.

    For uses that have no derivative: indices, masks, comparisons.
    """
    while isinstance(x, Tracer) and x.value is not UNKNOWN:
        require_usable(x)
        x = x.value
    return x


# Reshape


class Reshape(Linear):
    """The same elements, in row-major order, in another shape."""

    makes_views = True

    def run(self, x: Any, *, shape: Shape) -> Any:
        """Reshape."""
        return x.reshape(shape) if type(x) is np.ndarray else np.reshape(x, shape)

    def infer(self, x: ArrayType, *, shape: Shape) -> ArrayType:
        """The shape, if it holds as many elements."""
        if math.prod(shape) != x.size or min(shape, default=0) < 0:
            raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
        return ArrayType(shape, x.dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, shape: Shape) -> Any:
        """Reshape back."""
        return bind(self, cotangent, shape=input.shape)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], *, shape: Shape
    ) -> Any:
        """Reshape all examples, with the batch axis in front."""
        return bind(self, _in_front(inputs[0], axes[0]), shape=(size, *shape)), 0


reshape_primitive = Reshape("reshape")


def _in_front(x: Any, axis: int | None) -> Any:
    """A batched input with its batch axis in front."""
    return x if not axis else np.moveaxis(x, axis, 0)


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
    return bind(reshape_primitive, a, shape=(a.size,))


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
    return _each(arys, lambda x: _reshaped(x, (1,) * (2 - np.ndim(x)) + shape_of(x)))


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """As `numpy.atleast_3d`."""

    def three_axes(x: Any) -> Any:
        shape = shape_of(x)
        if len(shape) < 2:
            shape = (1, *(shape or (1,)))
        return _reshaped(x, shape + (1,) * (3 - len(shape)))

    return _each(arys, three_axes)


# Transpose


class Transpose(Linear):
    """The axes in another order: axis ``i`` of the output is ``permutation[i]``."""

    makes_views = True

    def run(self, x: Any, *, permutation: Axes) -> Any:
        """Transpose."""
        return x.transpose(permutation) if type(x) is np.ndarray else np.transpose(x, permutation)

    def infer(self, x: ArrayType, *, permutation: Axes) -> ArrayType:
        """The lengths in another order."""
        if sorted(permutation) != list(range(x.ndim)):
            raise ValueError(
                f"axes {permutation} are no permutation of the axes of shape {x.shape}"
            )
        return ArrayType(tuple(x.shape[axis] for axis in permutation), x.dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, permutation: Axes) -> Any:
        """The inverse permutation."""
        return bind(self, cotangent, permutation=_inverse(permutation))

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> Any:
        """The batch axis comes out in front."""
        (batch_axis,) = axes
        assert batch_axis is not None
        shifted = tuple(axis + (axis >= batch_axis) for axis in params["permutation"])
        return bind(self, inputs[0], permutation=(batch_axis, *shifted)), 0


@lru_cache(maxsize=1024)
def _inverse(axes: Axes) -> Axes:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


transpose_primitive = Transpose("transpose")


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


class BroadcastTo(Linear):
    """Repeated along new axes, and along axes of length 1."""

    makes_views = True

    def run(self, x: Any, *, shape: Shape) -> Any:
        """Broadcast; the result cannot be written."""
        return np.broadcast_to(x, shape)

    def infer(self, x: ArrayType, *, shape: Shape) -> ArrayType:
        """The shape, if the input broadcasts to it."""
        if np.broadcast_shapes(x.shape, shape) != shape:
            raise ValueError(f"shape {x.shape} does not broadcast to {shape}")
        return ArrayType(shape, x.dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, shape: Shape) -> Any:
        """Sum over what was repeated."""
        return sum_to_shape(cotangent, input.shape)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], *, shape: Shape
    ) -> Any:
        """Broadcast all examples, with the batch axis in front."""
        assert axes[0] is not None
        x = move_batch_axis(inputs[0], axes[0], len(shape))
        return bind(self, x, shape=(size, *shape)), 0


broadcast_to_primitive = BroadcastTo("broadcast_to")


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """As `numpy.broadcast_to`."""
    lengths = tuple(map(operator.index, shape)) if np.iterable(shape) else (operator.index(shape),)
    return bind(broadcast_to_primitive, array, shape=lengths)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """As `numpy.broadcast_arrays`."""
    arrays = [as_operand(x) for x in args]
    shape = np.broadcast_shapes(*map(shape_of, arrays))
    return tuple(x if shape_of(x) == shape else np.broadcast_to(x, shape) for x in arrays)


@implements(np.meshgrid)
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


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:  # noqa: N803  (NumPy's name)
    """As `numpy.tile`."""
    repeats = tuple(map(operator.index, reps)) if np.iterable(reps) else (operator.index(reps),)
    rank = max(A.ndim, len(repeats))
    repeats = (1,) * (rank - len(repeats)) + repeats
    lengths = (1,) * (rank - A.ndim) + A.shape
    pairs = list(zip(repeats, lengths, strict=True))
    apart = np.reshape(A, tuple(length for _, n in pairs for length in (1, n)))
    copies = np.broadcast_to(apart, tuple(length for pair in pairs for length in pair))
    return np.reshape(copies, tuple(times * n for times, n in pairs)).copy()


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """As `numpy.repeat`; the repeats must be known."""
    a = as_operand(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    if not isinstance(a, Tracer):
        return np.repeat(a, _known_whole(repeats, "The number of repeats"), axis)
    axis = normalize_axis_index(axis, a.ndim)
    counts = np.asarray(_known_whole(repeats, "The number of repeats"))
    n = a.shape[axis]
    if counts.size != 1:
        return np.take(a, np.repeat(np.arange(n), counts), axis)
    (count,) = counts.reshape(1).tolist()
    if not isinstance(count, int) or count < 0:
        np.repeat(np.arange(n), counts)  # raises NumPy's error
    before, after = a.shape[:axis], a.shape[axis + 1 :]
    apart = np.reshape(a, (*before, n, 1, *after))
    copies = np.broadcast_to(apart, (*before, n, count, *after))
    return np.reshape(copies, (*before, n * count, *after)).copy()


def _known_whole(x: Any, request: str) -> Any:
    """The values of what decides a shape; raises where they are unknown."""
    x = known_value(x)
    if isinstance(x, Tracer):
        x._known(request)  # pyright: ignore[reportPrivateUsage]
    return x


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """As `numpy.resize`: repeated, or cut off, in row-major order."""
    shape = (
        tuple(map(operator.index, new_shape))
        if np.iterable(new_shape)
        else (operator.index(new_shape),)
    )
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    size = math.prod(shape)
    if a.size == 0 or size == 0:
        return np.zeros_like(a, shape=shape)
    return np.reshape(np.take(np.ravel(a), np.arange(size) % a.size), shape)


# Flip and roll


class Flip(Linear):
    """The elements in reverse order along some axes."""

    makes_views = True

    def run(self, x: Any, *, reverse: Axes) -> Any:
        """Flip."""
        return np.flip(x, reverse)

    def infer(self, x: ArrayType, *, reverse: Axes) -> ArrayType:
        """The same type."""
        normalize_axis_tuple(reverse, x.ndim)
        return ArrayType(x.shape, x.dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, reverse: Axes) -> Any:
        """Flip back."""
        return bind(self, cotangent, reverse=reverse)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> Any:
        """Flip all examples."""
        x = _in_front(inputs[0], axes[0])
        return bind(self, x, reverse=tuple(axis + 1 for axis in params["reverse"])), 0


flip_primitive = Flip("flip")


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """As `numpy.flip`."""
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


class Roll(Linear):
    """The elements moved along some axes; what leaves at one end comes in at the other."""

    def run(self, x: Any, *, shifts: Axes, along: Axes) -> Any:
        """Roll."""
        return np.roll(x, shifts, along)

    def infer(self, x: ArrayType, *, shifts: Axes, along: Axes) -> ArrayType:
        """The same type."""
        normalize_axis_tuple(along, x.ndim, allow_duplicate=True)
        return ArrayType(x.shape, x.dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, shifts: Axes, along: Axes) -> Any:
        """Roll back."""
        return bind(self, cotangent, shifts=tuple(-shift for shift in shifts), along=along)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> Any:
        """Roll all examples."""
        x = _in_front(inputs[0], axes[0])
        shifted = tuple(axis + 1 for axis in params["along"])
        return bind(self, x, shifts=params["shifts"], along=shifted), 0


roll_primitive = Roll("roll")


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """As `numpy.roll`; the shifts must be known."""
    if axis is None:
        return np.reshape(np.roll(np.ravel(a), shift, 0), a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    shifts, places = np.broadcast_arrays(_known_whole(shift, "A shift"), axes)
    if shifts.ndim > 1:
        raise ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    return bind(roll_primitive, a, shifts=tuple(shifts.tolist()), along=tuple(places.tolist()))


# Join and split


class Joining(Primitive):
    """A function that puts its inputs side by side: linear in all of them."""

    def parts(self, x: Any, shapes: Sequence[Shape], *, axis: int) -> list[Callable[[], Any]]:
        """For each input, what takes its part out of the output."""
        raise NotImplementedError

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Join the tangents."""
        if all(tangent is None for tangent in tangents):
            return None
        filled = [
            zeros_for(x) if tangent is None else tangent
            for x, tangent in zip(inputs, tangents, strict=True)
        ]
        return bind(self, *filled, **params)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """Take the cotangent apart."""
        parts = self.parts(cotangent, [shape_of(x) for x in inputs], **params)
        result: list[Any] = []
        for x, need, part in zip(inputs, needed, parts, strict=True):
            dtype = dtype_of(x)
            if need is None or dtype.kind not in "fc":
                result.append(None)
            else:
                result.append(part() if dtype == cotangent.dtype else cast_to(part(), dtype))
        return result

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], *, axis: int
    ) -> Any:
        """Join along the next axis; inputs without a batch axis are repeated."""
        moved = [
            np.broadcast_to(x, (size, *shape_of(x))) if place is None else _in_front(x, place)
            for x, place in zip(inputs, axes, strict=True)
        ]
        return bind(self, *moved, axis=axis + 1), 0


class Concatenate(Joining):
    """The inputs one after another along an axis that they have."""

    def run(self, *inputs: Any, axis: int) -> Any:
        """Concatenate."""
        return np.concatenate(inputs, axis)

    def infer(self, *types: ArrayType, axis: int) -> ArrayType:
        """The shapes of all, with the lengths along the axis added up."""
        first = types[0].shape
        if not first:
            raise ValueError("zero-dimensional arrays cannot be concatenated")
        normalize_axis_index(axis, len(first))
        before, after = first[:axis], first[axis + 1 :]
        for type in types:
            if type.ndim != len(first) or (type.shape[:axis], type.shape[axis + 1 :]) != (
                before,
                after,
            ):
                raise ValueError(
                    "all the input array dimensions except for the concatenation axis must match "
                    "exactly"
                )
        length = sum(type.shape[axis] for type in types)
        return ArrayType((*before, length, *after), np.result_type(*(type.dtype for type in types)))

    def parts(self, x: Any, shapes: Sequence[Shape], *, axis: int) -> list[Callable[[], Any]]:
        """Slices."""
        before = (slice(None),) * axis
        stop = 0
        result: list[Callable[[], Any]] = []
        for shape in shapes:
            start, stop = stop, stop + shape[axis]
            index = (*before, slice(start, stop))
            result.append(lambda index=index: x[index])
        return result


class Stack(Joining):
    """The inputs one after another along a new axis."""

    def run(self, *inputs: Any, axis: int) -> Any:
        """Stack."""
        if not shape_of(inputs[0]):
            return np.array(inputs)
        return np.stack(inputs, axis)

    def infer(self, *types: ArrayType, axis: int) -> ArrayType:
        """The common shape with the new axis."""
        shape = types[0].shape
        if any(type.shape != shape for type in types):
            raise ValueError("all input arrays must have the same shape")
        axis = normalize_axis_index(axis, len(shape) + 1)
        dtype = np.result_type(*(type.dtype for type in types))
        return ArrayType((*shape[:axis], len(types), *shape[axis:]), dtype)

    def parts(self, x: Any, shapes: Sequence[Shape], *, axis: int) -> list[Callable[[], Any]]:
        """The rows along the axis."""
        before = (slice(None),) * axis
        return [lambda index=(*before, i): x[index] for i in range(len(shapes))]


class Separating(Linear):
    """A function that takes its input apart along an axis: the adjoint of joining."""

    multiple_outputs = True

    def joined(self, parts: Sequence[Any], **params: Any) -> Any:
        """Join the cotangents of the outputs."""
        raise NotImplementedError

    def run(self, x: Any, **params: Any) -> Any:
        """Index the parts."""
        return tuple([x[index] for index in self.indices(x.shape, **params)])

    def indices(self, shape: Shape, **params: Any) -> Sequence[Any]:
        """The basic index of each output."""
        raise NotImplementedError

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Take the tangent apart."""
        (tangent,) = tangents
        return (None,) * len(output) if tangent is None else bind(self, tangent, **params)

    def transpose(self, cotangent: Any, input: ArrayType, **params: Any) -> Any:
        """Join the cotangents."""
        types = self.infer(input, **params)
        return self.joined(
            [
                np.zeros(type.shape, type.dtype) if part is None else part
                for part, type in zip(cotangent, types, strict=True)
            ],
            **params,
        )

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> Any:
        """Take all examples apart."""
        params["axis"] += 1
        outputs = bind(self, _in_front(inputs[0], axes[0]), **params)
        return outputs, (0,) * len(outputs)


class Split(Separating):
    """Consecutive pieces along an axis, between given boundaries."""

    makes_views = True

    def indices(self, shape: Shape, *, boundaries: tuple[int, ...], axis: int) -> Sequence[Any]:
        """Slices."""
        before = (slice(None),) * axis
        stops = (*boundaries, shape[axis])
        return [
            (*before, slice(start, stop))
            for start, stop in zip((0, *boundaries), stops, strict=True)
        ]

    def infer(self, x: ArrayType, *, boundaries: tuple[int, ...], axis: int) -> Any:
        """The lengths between the boundaries."""
        stops = (*boundaries, x.shape[axis])
        if any(start > stop for start, stop in zip((0, *boundaries), stops, strict=True)):
            raise ValueError(f"boundaries {boundaries} are not in order within {x.shape[axis]}")
        return tuple(
            ArrayType((*x.shape[:axis], stop - start, *x.shape[axis + 1 :]), x.dtype)
            for start, stop in zip((0, *boundaries), stops, strict=True)
        )

    def joined(self, parts: Sequence[Any], *, boundaries: tuple[int, ...], axis: int) -> Any:
        """Concatenate."""
        return bind(concatenate_primitive, *parts, axis=axis)


class Unstack(Separating):
    """The rows along an axis, as outputs of their own."""

    makes_views = True

    def indices(self, shape: Shape, *, axis: int) -> Sequence[Any]:
        """Whole numbers."""
        before = (slice(None),) * axis
        return [(*before, i) for i in range(shape[axis])] if axis else range(shape[0])

    def infer(self, x: ArrayType, *, axis: int) -> Any:
        """The shape without the axis."""
        type = ArrayType(x.shape[:axis] + x.shape[axis + 1 :], x.dtype)
        return (type,) * x.shape[axis]

    def joined(self, parts: Sequence[Any], *, axis: int) -> Any:
        """Stack."""
        return bind(stack_primitive, *parts, axis=axis)


concatenate_primitive = Concatenate("concatenate")
stack_primitive = Stack("stack")
split_primitive = Split("split")
unstack_primitive = Unstack("unstack")


def _with_dtype(x: Any, dtype: Any, casting: Any) -> Any:
    """A joined array in the dtype that was asked for."""
    if dtype is None:
        return x
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {x.dtype!r} to {np.dtype(dtype)!r} according to the "
            f"rule {casting!r}"
        )
    return cast_to(x, np.dtype(dtype))


def _concatenate(arrays: Sequence[Any], axis: int) -> Any:
    """Concatenate operands of which some may be tracers."""
    return bind(concatenate_primitive, *arrays, axis=axis)


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:  # fmt: skip
    """As `numpy.concatenate`."""
    reject_out(out)
    operands = [as_operand(x) for x in arrays]
    if axis is None:
        operands, axis = [np.ravel(x) for x in operands], 0
    elif axis < 0 or not shape_of(operands[0]):
        if not shape_of(operands[0]):
            raise ValueError("zero-dimensional arrays cannot be concatenated")
        axis = normalize_axis_index(axis, len(shape_of(operands[0])))
    return _with_dtype(_concatenate(operands, axis), dtype, casting)


implements_named("concat")(concatenate)


@implements(np.stack)
def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    """As `numpy.stack`."""
    reject_out(out)
    operands = [as_operand(x) for x in arrays]
    if not operands:
        raise ValueError("need at least one array to stack")
    axis = normalize_axis_index(axis, np.ndim(operands[0]) + 1)
    if any(shape_of(x) != shape_of(operands[0]) for x in operands):
        raise ValueError("all input arrays must have the same shape")
    return _with_dtype(bind(stack_primitive, *operands, axis=axis), dtype, casting)


def _listed(arrays: Any) -> list[Any]:
    return [as_operand(x) for x in arrays]


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """As `numpy.vstack`."""
    rows = [np.atleast_2d(x) for x in _listed(tup)]
    return _with_dtype(_concatenate(rows, 0), dtype, casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """As `numpy.hstack`."""
    columns = [np.atleast_1d(x) for x in _listed(tup)]
    axis = 0 if columns and np.ndim(columns[0]) == 1 else 1
    return _with_dtype(_concatenate(columns, axis), dtype, casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """As `numpy.dstack`."""
    return _concatenate([np.atleast_3d(x) for x in _listed(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """As `numpy.column_stack`."""
    columns = [x if np.ndim(x) >= 2 else np.reshape(x, (-1, 1)) for x in _listed(tup)]
    return _concatenate(columns, 1)


@implements(np.block)
def block(arrays: Any) -> Any:
    """As `numpy.block`."""

    def depth(nested: Any) -> int:
        if isinstance(nested, tuple):
            raise TypeError("Only lists can be used to arrange blocks, and a tuple is given.")
        if not isinstance(nested, list):
            return 0
        depths = {depth(item) for item in nested}
        if len(depths) != 1:
            raise ValueError("List depths are mismatched, or a list is empty.")
        return depths.pop() + 1

    def rank(nested: Any) -> int:
        return max(map(rank, nested)) if isinstance(nested, list) else np.ndim(nested)

    levels = depth(arrays)
    axes = max(levels, rank(arrays))

    def joined(nested: Any, level: int) -> Any:
        if isinstance(nested, list):
            return np.concatenate([joined(item, level - 1) for item in nested], axes - level)
        shape = np.shape(nested)
        return np.reshape(nested, (1,) * (axes - len(shape)) + shape)

    return joined(arrays, levels)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """As `numpy.append`."""
    return np.concatenate((arr, values), axis)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As `numpy.array_split`; where to split must be known."""
    axis = normalize_axis_index(axis, ary.ndim)
    length = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = operator.index(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        shorter, longer = divmod(length, sections)
        lengths = [shorter + 1] * longer + [shorter] * (sections - longer)
        boundaries = np.cumsum(lengths)[:-1].tolist()
    else:
        boundaries = [operator.index(i) for i in indices_or_sections]
    stops = [*boundaries, length]
    if all(start <= stop for start, stop in zip([0, *boundaries], stops, strict=True)):
        return list(bind(split_primitive, ary, boundaries=tuple(boundaries), axis=axis))
    # Negative boundaries, or such that pieces overlap or lie outside: as NumPy slices them.
    before = (slice(None),) * axis
    ends = [*boundaries, None]
    starts = [0, *boundaries]
    return [ary[(*before, slice(i, j))] for i, j in zip(starts, ends, strict=True)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As `numpy.split`; where to split must be known."""
    if np.ndim(indices_or_sections) == 0:
        length = ary.shape[normalize_axis_index(axis, ary.ndim)]
        if length % operator.index(indices_or_sections):
            raise ValueError("array split does not result in an equal division")
    return np.array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As `numpy.hsplit`."""
    if ary.ndim == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return np.split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As `numpy.vsplit`."""
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return np.split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As `numpy.dsplit`."""
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return np.split(ary, indices_or_sections, 2)


@implements_named("unstack")
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """As `numpy.unstack`."""
    if x.ndim == 0:
        raise ValueError("Input array must be at least 1-d.")
    axis = normalize_axis_index(axis, x.ndim)
    if x.ndim == 1:
        return bind(unstack_primitive, x, axis=0)
    # The rows are views, as those that split makes.
    rows = bind(split_primitive, x, boundaries=tuple(range(1, x.shape[axis])), axis=axis)
    return tuple(np.squeeze(row, axis) for row in rows[: x.shape[axis]])


@implements(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """As `numpy.apply_along_axis`: the function is called for each vector along the axis."""
    arr = as_operand(arr)
    axis = normalize_axis_index(axis, np.ndim(arr))
    vectors = np.moveaxis(arr, axis, -1)
    outer = vectors.shape[:-1]
    if 0 in outer:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    stacked = np.stack([func1d(vectors[i], *args, **kwargs) for i in np.ndindex(outer)])
    inner = stacked.shape[1:]
    result = np.reshape(stacked, outer + inner)
    sources = range(len(outer), len(outer) + len(inner))
    return np.moveaxis(result, sources, range(axis, axis + len(inner)))


# Pad


class Pad(Linear):
    """Zeros around the input: ``padding`` has the numbers before and after for each axis."""

    def run(self, x: Any, *, padding: tuple[tuple[int, int], ...]) -> Any:
        """Write the input into zeros."""
        shape = shape_of(x)
        lengths = [before + n + after for n, (before, after) in zip(shape, padding, strict=True)]
        result = np.zeros(lengths, dtype_of(x))
        result[_inside(shape, padding)] = x
        return result

    def infer(self, x: ArrayType, *, padding: tuple[tuple[int, int], ...]) -> ArrayType:
        """The lengths with the padding."""
        if len(padding) != x.ndim or any(number < 0 for pair in padding for number in pair):
            raise ValueError(f"padding {padding} does not fit the shape {x.shape}")
        shape = tuple(
            before + n + after for n, (before, after) in zip(x.shape, padding, strict=True)
        )
        return ArrayType(shape, x.dtype)

    def transpose(
        self, cotangent: Any, input: ArrayType, *, padding: tuple[tuple[int, int], ...]
    ) -> Any:
        """Cut off the padding."""
        return cotangent[_inside(input.shape, padding)]

    def batch(
        self,
        size: int,
        inputs: Sequence[Any],
        axes: Sequence[int | None],
        *,
        padding: tuple[tuple[int, int], ...],
    ) -> Any:
        """Pad all examples."""
        return bind(self, _in_front(inputs[0], axes[0]), padding=((0, 0), *padding)), 0


def _inside(shape: Shape, padding: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, padding, strict=True))


pad_primitive = Pad("pad")

_INDEXED_MODES = ("edge", "reflect", "symmetric", "wrap")


def _pairs(widths: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """Pad widths as one pair for each axis, with NumPy's rules for short forms."""
    if isinstance(widths, dict):
        pairs: list[Any] = [(0, 0)] * rank
        for axis, width in widths.items():  # pyright: ignore[reportUnknownVariableType]
            pair = tuple(width) if np.iterable(width) else (width, width)
            pairs[normalize_axis_index(axis, rank)] = pair  # pyright: ignore[reportUnknownArgumentType]
        widths = pairs
    array = np.asarray(widths)
    if array.dtype.kind != "i":
        raise TypeError("`pad_width` must be of integral type.")
    if array.size and array.min() < 0:
        raise ValueError("index can't contain negative values")
    if rank == 0:
        return ()
    return tuple((before, after) for before, after in np.broadcast_to(array, (rank, 2)).tolist())


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """As `numpy.pad`, in the modes constant, edge, reflect, symmetric and wrap."""
    padding = _pairs(pad_width, array.ndim)
    if mode == "constant":
        if set(kwargs) - {"constant_values"}:
            raise ValueError(f"unsupported keyword arguments for mode 'constant': {set(kwargs)}")
        return _pad_with_constants(array, padding, kwargs.get("constant_values", 0))
    odd = kwargs.get("reflect_type", "even") != "even" and mode in ("reflect", "symmetric")
    if mode not in _INDEXED_MODES or odd:
        shown = mode if not odd else f"{mode} with reflect_type='odd'"
        raise UnsupportedFunctionError(
            f"numpy.pad was called on a traced value in the mode {shown!r}, and functrace has no "
            "rule for it.",
            source_of(user_place(1)),
            f"The modes that can be traced are constant, {', '.join(_INDEXED_MODES)}.",
        )
    for axis, (length, pair) in enumerate(zip(array.shape, padding, strict=True)):
        if pair != (0, 0):
            if length == 0:
                raise ValueError(
                    f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
                )
            array = np.take(array, np.pad(np.arange(length), pair, mode, **kwargs), axis)
    return array.copy()


def _pad_with_constants(x: Any, padding: tuple[tuple[int, int], ...], values: Any) -> Any:
    if type(values) in (int, float) and values == 0:
        return bind(pad_primitive, x, padding=padding)
    # Axis after axis, so that the corners have the constants of the last axis, as in NumPy.
    if isinstance(values, Tracer):
        constants = np.broadcast_to(values, (x.ndim, 2))
    elif _holds_tracer(values):
        constants = _broadcast_nested(values, x.ndim)
    else:
        constants = np.broadcast_to(np.asarray(values), (x.ndim, 2))
    for axis, (before, after) in enumerate(padding):
        pair = constants[axis]
        parts = [
            np.broadcast_to(
                cast_to(as_operand(pair[i]), x.dtype),
                (*x.shape[:axis], number, *x.shape[axis + 1 :]),
            )
            for i, number in enumerate((before, after))
        ]
        x = np.concatenate([parts[0], x, parts[1]], axis)
    return x


def _holds_tracer(nested: Any) -> bool:
    if isinstance(nested, list | tuple):
        return any(map(_holds_tracer, nested))
    return isinstance(nested, Tracer)


def _broadcast_nested(values: Any, rank: int) -> list[list[Any]]:
    """Constants given as nested tuples that hold tracers, as one pair for each axis."""
    rows = [row if isinstance(row, list | tuple) else None for row in values]
    if None in rows:
        rows = [values]
    pairs: list[Any] = [list(row) * (2 if len(row) == 1 else 1) for row in rows if row is not None]
    return pairs * rank if len(pairs) == 1 else pairs


# Diagonals


class Diagonal(Linear):
    """The diagonal of the last two axes, as the last axis."""

    makes_views = True

    def run(self, x: Any, *, offset: int) -> Any:
        """Take the diagonal; the result cannot be written."""
        return np.diagonal(x, offset, -2, -1)

    def infer(self, x: ArrayType, *, offset: int) -> ArrayType:
        """The length of the diagonal."""
        if x.ndim < 2:
            raise ValueError("diag requires an array of at least two dimensions")
        rows, columns = x.shape[-2:]
        length = min(rows + min(offset, 0), columns - max(offset, 0))
        return ArrayType((*x.shape[:-2], max(length, 0)), x.dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, offset: int) -> Any:
        """The matrix with this diagonal."""
        rows, columns = input.shape[-2:]
        return bind(from_diagonal, cotangent, offset=offset, rows=rows, columns=columns)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], *, offset: int
    ) -> Any:
        """The diagonals of all examples."""
        return bind(self, _in_front(inputs[0], axes[0]), offset=offset), 0


class FromDiagonal(Linear):
    """Matrices with the last axis on their diagonal and zeros elsewhere."""

    def run(self, x: Any, *, offset: int, rows: int, columns: int) -> Any:
        """Write the diagonal into zeros."""
        result = np.zeros((*shape_of(x)[:-1], rows, columns), dtype_of(x))
        # Every (columns + 1)-th element of the flattened matrix lies on one diagonal.
        length = shape_of(x)[-1]
        first = offset if offset >= 0 else -offset * columns
        flat = result.reshape(*shape_of(x)[:-1], rows * columns)
        flat[..., first : first + length * (columns + 1) : columns + 1] = x
        return result

    def infer(self, x: ArrayType, *, offset: int, rows: int, columns: int) -> ArrayType:
        """The shape of the matrices."""
        length = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
        if x.ndim < 1 or x.shape[-1] != length:
            raise ValueError(f"shape {x.shape} is not that of a diagonal of length {length}")
        return ArrayType((*x.shape[:-1], rows, columns), x.dtype)

    def transpose(
        self, cotangent: Any, input: ArrayType, *, offset: int, rows: int, columns: int
    ) -> Any:
        """The diagonal."""
        return bind(diagonal_primitive, cotangent, offset=offset)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> Any:
        """The matrices of all examples."""
        return bind(self, _in_front(inputs[0], axes[0]), **params), 0


diagonal_primitive = Diagonal("diagonal")
from_diagonal = FromDiagonal("from_diagonal")


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


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    """As `numpy.trace`."""
    reject_out(out)
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """As `numpy.tril`."""
    mask = np.tri(*m.shape[-2:], k=k, dtype=bool)
    return np.where(mask, m, np.zeros((), m.dtype))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """As `numpy.triu`."""
    mask = np.tri(*m.shape[-2:], k=k - 1, dtype=bool)
    return np.where(mask, np.zeros((), m.dtype), m)


# New arrays. They are tracers of the recording of the array that they are like, so that traced
# values can be written into them.


def _like(a: Any, dtype: Any, shape: Any) -> ArrayType:
    if shape is None:
        shape = a.shape
    lengths = tuple(map(operator.index, shape)) if np.iterable(shape) else (operator.index(shape),)
    return ArrayType(lengths, a.dtype if dtype is None else np.dtype(dtype))


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.zeros_like`; an array that can be written."""
    type = _like(a, dtype, shape)
    return a.recording.lift(np.zeros(type.shape, type.dtype))


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.ones_like`; an array that can be written."""
    type = _like(a, dtype, shape)
    return a.recording.lift(np.ones(type.shape, type.dtype))


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
    shape: Any = None, *, device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.full_like`; an array that can be written."""
    type = _like(a, dtype, shape)
    fill = as_operand(fill_value)
    if isinstance(fill, Tracer):
        return np.broadcast_to(cast_to(fill, type.dtype), type.shape).copy()
    if not isinstance(a, Tracer):
        return np.full_like(a, fill, dtype, shape=shape)
    return a.recording.lift(np.full(type.shape, fill, type.dtype))


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """As `numpy.copy`."""
    return a.copy()


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """As `numpy.copyto`, into a traced array."""
    if not isinstance(dst, Tracer):
        raise ArrayWriteError(
            "np.copyto writes a traced value into an ordinary NumPy array.",
            source_of(user_place(1)),
        )
    src = as_operand(src)
    if not np.can_cast(type_of(src).dtype, dst.dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {type_of(src).dtype!r} to {dst.dtype!r} according to "
            f"the rule {casting!r}"
        )
    dst[...] = src if where is True else np.where(where, src, dst)


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.linspace`, with traced ends."""
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    intervals = num - 1 if endpoint else num
    start, stop = as_operand(start), as_operand(stop)
    float_dtype = np.result_type(
        *(WEAK_KINDS[t.dtype.kind](0) if t.weak else t.dtype for t in map(type_of, (start, stop))),
        float(num),
    )
    start, stop = cast_to(start, float_dtype), cast_to(stop, float_dtype)
    delta = stop - start
    numbers = np.reshape(np.arange(num, dtype=float_dtype), (num,) + (1,) * delta.ndim)
    step = delta / intervals if intervals > 0 else np.full_like(delta, np.nan)
    samples = numbers * (step if intervals > 0 else delta) + start
    if endpoint and num > 1:
        samples = np.where(numbers == num - 1, stop, samples)
    if axis != 0:
        samples = np.moveaxis(samples, 0, axis)
    if dtype is not None:
        if np.issubdtype(dtype, np.integer):
            samples = np.floor(samples)
        samples = cast_to(samples, np.dtype(dtype))
    return (samples, step) if retstep else samples


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """As `numpy.logspace`, with traced ends or base."""
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(start, stop, base)
        base = np.expand_dims(base, axis)
    exponents = np.linspace(start, stop, num, endpoint, axis=axis)
    powers = np.power(base, exponents)
    return powers if dtype is None else cast_to(powers, np.dtype(dtype))


# Differences

_MISSING: Any = object()


@implements(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = _MISSING, append: Any = _MISSING
) -> Any:
    """As `numpy.diff`."""
    a = as_operand(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if np.ndim(a) == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    if n == 0:
        return a
    axis = normalize_axis_index(axis, np.ndim(a))
    parts = [as_operand(x) for x in (prepend, a, append) if x is not _MISSING]
    if len(parts) > 1:
        one = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
        a = np.concatenate([x if np.ndim(x) else np.broadcast_to(x, one) for x in parts], axis)
    before = (slice(None),) * axis
    difference = np.not_equal if a.dtype == bool else np.subtract
    for _ in range(n):
        a = difference(a[(*before, slice(1, None))], a[(*before, slice(None, -1))])
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """As `numpy.ediff1d`."""
    flat = np.ravel(as_operand(ary))
    parts = [flat[1:] - flat[:-1]]
    if to_begin is not None:
        parts.insert(0, np.ravel(as_operand(to_begin)))
    if to_end is not None:
        parts.append(np.ravel(as_operand(to_end)))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, dtype=dtype_of(flat))


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """As `numpy.gradient`: second-order differences, on even and uneven grids.

    The formulas are those of Fornberg, Generation of Finite Difference Formulas on Arbitrarily
    Spaced Grids, Mathematics of Computation 51 (1988), as NumPy has them.
    """
    f = as_operand(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    spacings: list[Any]
    if not varargs:
        spacings = [1.0] * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        spacings = [varargs[0]] * len(axes)
    elif len(varargs) == len(axes):
        spacings = [as_operand(spacing) for spacing in varargs]
    else:
        raise TypeError("invalid number of arguments")
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    if f.dtype.kind in "biu":
        f = cast_to(f, np.dtype(np.float64))
    results = [
        _gradient_along(f, spacing, axis, edge_order)
        for spacing, axis in zip(spacings, axes, strict=True)
    ]
    return results[0] if len(axes) == 1 else tuple(results)


def _gradient_along(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least "
            "(edge_order + 1) elements are required."
        )
    before = (slice(None),) * axis

    def at(start: int | None, stop: int | None) -> Any:
        return f[(*before, slice(start, stop))]

    if np.ndim(spacing) == 0:
        first = second = last = second_last = spacing
        inner = (at(2, None) - at(None, -2)) / (2.0 * spacing)
    else:
        if np.ndim(spacing) != 1:
            raise ValueError("distances must be either scalars or 1d")
        if shape_of(spacing)[0] != n:
            raise ValueError(
                "when 1d, distances must match the length of the corresponding dimension"
            )
        steps = np.diff(spacing)
        column = (-1,) + (1,) * (f.ndim - 1 - axis)
        left, right = np.reshape(steps[:-1], column), np.reshape(steps[1:], column)
        inner = (
            at(None, -2) * (-right / (left * (left + right)))
            + at(1, -1) * ((right - left) / (left * right))
            + at(2, None) * (left / (right * (left + right)))
        )
        first, last = steps[0], steps[-1]
        second, second_last = (steps[1], steps[-2]) if n > 2 else (first, last)
    if edge_order == 1:
        head = (at(1, 2) - at(0, 1)) / first
        tail = (at(-1, None) - at(-2, -1)) / last
    else:
        a, b, d, e = first, second, second_last, last
        head = (
            at(0, 1) * (-(2 * a + b) / (a * (a + b)))
            + at(1, 2) * ((a + b) / (a * b))
            - at(2, 3) * (a / (b * (a + b)))
        )
        tail = (
            at(-3, -2) * (e / (d * (d + e)))
            - at(-2, -1) * ((e + d) / (d * e))
            + at(-1, None) * ((2 * e + d) / (e * (d + e)))
        )
    return np.concatenate([head, inner, tail], axis)


# What is known without the values


@implements(np.shape)
def shape(a: Any) -> Shape:
    """As `numpy.shape`."""
    return tuple(a.shape)


@implements(np.ndim)
def ndim(a: Any) -> int:
    """As `numpy.ndim`."""
    return len(a.shape)


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """As `numpy.size`."""
    if axis is None:
        return a.size
    return math.prod(a.shape[axis] for axis in normalize_axis_tuple(axis, a.ndim))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """As `numpy.tril_indices_from`."""
    return np.tril_indices_from(np.empty(arr.shape, bool), k)


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """As `numpy.triu_indices_from`."""
    return np.triu_indices_from(np.empty(arr.shape, bool), k)


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """As `numpy.diag_indices_from`."""
    return np.diag_indices_from(np.empty(arr.shape, bool))


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """As `numpy.result_type`."""
    return np.result_type(*map(_promotion_operand, arrays_and_dtypes))


def _promotion_operand(x: Any) -> Any:
    if not isinstance(x, Tracer):
        return x
    return WEAK_KINDS[x.dtype.kind](0) if x.type.weak else x.dtype


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """As `numpy.can_cast`."""
    return np.can_cast(dtype_of(from_), _promotion_operand(to), casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> type:
    """As `numpy.common_type`."""
    return np.common_type(*(np.empty(0, dtype_of(as_operand(x))) for x in arrays))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """As `numpy.iscomplexobj`."""
    return x.dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """As `numpy.isrealobj`."""
    return x.dtype.kind != "c"


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """As `numpy.isreal`."""
    return np.equal(np.imag(x), 0)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """As `numpy.iscomplex`."""
    return np.not_equal(np.imag(x), 0)


# Comparisons of whole arrays


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """As `numpy.isclose`."""
    a, b, rtol, atol = (known_value(as_operand(x)) for x in (a, b, rtol, atol))
    if not any(isinstance(x, Tracer) for x in (a, b, rtol, atol)):
        return np.isclose(a, b, rtol, atol, equal_nan)
    is_finite = np.isfinite(b)
    finite = np.where(is_finite, b, 0)  # inf - inf would warn
    close = np.less_equal(np.abs(a - finite), atol + rtol * np.abs(finite)) & is_finite
    result = close | np.equal(a, b)
    return result | (np.isnan(a) & np.isnan(b)) if equal_nan else result


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    """As `numpy.allclose`."""
    return bool(np.all(np.isclose(a, b, rtol, atol, equal_nan)))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """As `numpy.array_equal`."""
    a1, a2 = (known_value(as_operand(x)) for x in (a1, a2))
    if shape_of(a1) != shape_of(a2):
        return False
    equal = np.equal(a1, a2)
    if equal_nan:
        equal = equal | (np.isnan(a1) & np.isnan(a2))
    return bool(np.all(equal))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> bool:
    """As `numpy.array_equiv`."""
    a1, a2 = (known_value(as_operand(x)) for x in (a1, a2))
    try:
        np.broadcast_shapes(shape_of(a1), shape_of(a2))
    except ValueError:
        return False
    return bool(np.all(np.equal(a1, a2)))
