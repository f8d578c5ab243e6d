"""Other shapes for the same elements: reshape, transpose, broadcast, flip, join, split, pad.

All of these are linear. Adjoint pairs stand side by side: broadcasting and summing, joining and
splitting, padding and slicing, taking a diagonal and making a diagonal matrix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from functrace.ir.emission import Code, Namer, Operands, view, zeros_with
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.types import ANY_LENGTH, ArrayType, Shape, native
from functrace.primitives.linear import (
    Linear,
    cast_to,
    dtype_of,
    in_each,
    in_front,
    move_batch_axis,
    shape_of,
    sum_to_shape,
    zeros_for,
)
from functrace.tracing.tracer import bind

Axes = tuple[int, ...]

LARGE = 10_000
"""From so many elements on, a view that repeats them is cheaper to make than an array."""


# Reshape


class Reshape(Linear):
    """The same elements, in row-major order, in another shape."""

    is_total = True
    makes_views = True
    may_copy = True

    def run(self, x: Any, *, shape: Shape) -> Any:
        """Reshape."""
        return x.reshape(shape) if type(x) is np.ndarray else np.reshape(x, shape)

    def infer(self, x: ArrayType, *, shape: Shape) -> ArrayType:
        """The shape, if it holds as many elements."""
        if math.prod(shape) != x.size or min(shape, default=0) < 0:
            raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
        return ArrayType(shape, x.dtype)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The method; scalars have none."""
        shape = params["shape"]
        if not inputs[0].type.shape:
            return view(f"np.reshape({{0}}, {shape})")
        return Code(f"{{0}}.reshape({shape})", is_view=True, is_contiguous=None)

    def transpose(self, cotangent: Any, input: ArrayType, *, shape: Shape) -> Any:
        """Reshape back."""
        return bind(self, cotangent, shape=input.shape)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, *, shape: Shape
    ) -> Values:
        """The transpose; of an ordinary array by a shorter way."""
        if type(cotangent) is np.ndarray:
            return (cotangent.reshape(shape_of(inputs[0])),)
        return super().vjp(cotangent, inputs, output, needed, shape=shape)

    def written_back(self, input: Any, view: Any, *, shape: Shape) -> Any:
        """Reshape back."""
        return bind(self, view, shape=shape_of(input))

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, shape: Shape) -> Any:
        """Reshape all examples, with the batch axis in front."""
        return bind(self, in_front(inputs[0], axes[0]), shape=(size, *shape)), 0


reshape_primitive = Reshape("reshape")


# Transpose


class Transpose(Linear):
    """The axes in another order: axis ``i`` of the output is ``permutation[i]``."""

    is_total = True
    makes_views = True

    def run(self, x: Any, *, permutation: Axes) -> Any:
        """Transpose."""
        return x.transpose(permutation) if type(x) is np.ndarray else np.transpose(x, permutation)

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """They lie as the input's do."""
        first, permutation = orders[0], params["permutation"]
        return None if first is None else tuple(permutation.index(axis) for axis in first)

    def infer(self, x: ArrayType, *, permutation: Axes) -> ArrayType:
        """The lengths in another order."""
        if sorted(permutation) != list(range(x.ndim)):
            raise ValueError(
                f"axes {permutation} are no permutation of the axes of shape {x.shape}"
            )
        return ArrayType(tuple(x.shape[axis] for axis in permutation), x.dtype)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The method, or the attribute for all axes reversed."""
        order = params["permutation"]
        if not order:
            return None
        is_reversed = order == tuple(reversed(range(len(order))))
        return view("{0}.T" if is_reversed else f"{{0}}.transpose({order})")

    def transpose(self, cotangent: Any, input: ArrayType, *, permutation: Axes) -> Any:
        """The inverse permutation."""
        return bind(self, cotangent, permutation=_inverse(permutation))

    def written_back(self, input: Any, view: Any, *, permutation: Axes) -> Any:
        """The inverse permutation."""
        return bind(self, view, permutation=_inverse(permutation))

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """The batch axis comes out in front."""
        (batch_axis,) = axes
        assert batch_axis is not None
        shifted = tuple(axis + (axis >= batch_axis) for axis in params["permutation"])
        return bind(self, inputs[0], permutation=(batch_axis, *shifted)), 0


@lru_cache(maxsize=1024)
def _inverse(axes: Axes) -> Axes:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


transpose_primitive = Transpose("transpose")


# Broadcast


class BroadcastTo(Linear):
    """Repeated along new axes, and along axes of length 1."""

    is_total = True
    makes_views = True
    makes_arrays = True

    def run(self, x: Any, *, shape: Shape) -> Any:
        """Broadcast; the result cannot be written."""
        return np.broadcast_to(x, shape)

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """Steps of no length have no order."""
        return None

    def infer(self, x: ArrayType, *, shape: Shape) -> ArrayType:
        """The shape, if the input broadcasts to it."""
        if np.broadcast_shapes(x.shape, shape) != shape:
            raise ValueError(f"shape {x.shape} does not broadcast to {shape}")
        return ArrayType(shape, x.dtype)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Small arrays are filled, which takes less time than making such a view."""
        (type,) = outputs
        if ANY_LENGTH in type.shape or not type.shape:
            return None
        if type.size < LARGE:
            return Code(
                f"np.empty({type.shape}, {names.constant(type.dtype)})",
                takes_python=True,
                then=("{out}[...] = {0}",),
                is_fresh=True,
                is_contiguous=True,
            )
        return Code(f"np.broadcast_to({{0}}, {type.shape})", is_view=True, is_writable=False)

    def transpose(self, cotangent: Any, input: ArrayType, *, shape: Shape) -> Any:
        """Sum over what was repeated."""
        return sum_to_shape(cotangent, input.shape)

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, shape: Shape) -> Any:
        """Broadcast all examples, with the batch axis in front."""
        assert axes[0] is not None
        x = move_batch_axis(inputs[0], axes[0], len(shape))
        return bind(self, x, shape=(size, *shape)), 0


broadcast_to_primitive = BroadcastTo("broadcast_to")


# Flip and roll


class Flip(Linear):
    """The elements in reverse order along some axes."""

    is_total = True
    makes_views = True

    def run(self, x: Any, *, reverse: Axes) -> Any:
        """Flip."""
        return np.flip(x, reverse)

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """They lie as the input's do."""
        return orders[0]

    def infer(self, x: ArrayType, *, reverse: Axes) -> ArrayType:
        """The same type."""
        normalize_axis_tuple(reverse, x.ndim)
        return ArrayType(x.shape, x.dtype)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """A slice with a negative step."""
        reverse = {axis % inputs[0].type.ndim for axis in params["reverse"]}
        if not reverse:
            return None
        steps = ["::-1" if axis in reverse else ":" for axis in range(max(reverse) + 1)]
        return view(f"{{0}}[{', '.join(steps)}]")

    def transpose(self, cotangent: Any, input: ArrayType, *, reverse: Axes) -> Any:
        """Flip back."""
        return bind(self, cotangent, reverse=reverse)

    def written_back(self, input: Any, view: Any, *, reverse: Axes) -> Any:
        """Flip back."""
        return bind(self, view, reverse=reverse)

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """Flip all examples."""
        x = in_front(inputs[0], axes[0])
        return bind(self, x, reverse=tuple(axis + 1 for axis in params["reverse"])), 0


flip_primitive = Flip("flip")


class Roll(Linear):
    """The elements moved along some axes; what leaves at one end comes in at the other."""

    is_total = True
    is_fresh = True

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

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """Roll all examples."""
        x = in_front(inputs[0], axes[0])
        shifted = tuple(axis + 1 for axis in params["along"])
        return bind(self, x, shifts=params["shifts"], along=shifted), 0


roll_primitive = Roll("roll")


# Join and split


class Joining(Primitive):
    """A function that puts its inputs side by side: linear in all of them."""

    is_total = True
    is_fresh = True
    warns = False
    reads_constants = False
    makes_zero_tangents = True  # where what it joins is constant
    keeps_nan = True
    batches_at_once = True

    def linear_inputs(self, count: int) -> Sequence[int]:
        """All of them."""
        return range(count)

    def read_back(self, needed: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
        """Nothing: only how long the inputs are."""
        return (False,) * len(needed), False

    def indices(self, inputs: Sequence[Any], axis: int) -> list[Any]:
        """For each input, where it stands in the output."""
        raise NotImplementedError

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Join the tangents."""
        if all(tangent is None for tangent in tangents):
            return None
        filled = [
            zeros_for(x) if tangent is None else tangent
            for x, tangent in zip(inputs, tangents, strict=True)
        ]
        return bind(self, *filled, **params)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """Take the cotangent apart."""
        result: list[Any] = []
        indices = self.indices(inputs, params["axis"])
        for x, need, index in zip(inputs, needed, indices, strict=True):
            if need is None:
                result.append(None)
                continue
            dtype = dtype_of(x)
            if dtype is cotangent.dtype:
                result.append(cotangent[index])
            elif dtype.kind in "fc":
                result.append(cast_to(cotangent[index], dtype))
            else:
                result.append(None)
        return result

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int) -> Any:
        """Join along the next axis; inputs without a batch axis are repeated."""
        moved = [in_each(size, x, place) for x, place in zip(inputs, axes, strict=True)]
        return bind(self, *moved, axis=axis + 1), 0


class Concatenate(Joining):
    """The inputs one after another along an axis that they have."""

    def run(self, *inputs: Any, axis: int) -> Any:
        """Concatenate."""
        return np.concatenate(inputs, axis)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's function."""
        parts = ", ".join(f"{{{number}}}" for number in range(len(inputs)))
        joined = f"({parts},), {params['axis']!r}"
        if not all(operand.type.shape for operand in inputs):
            return None
        return Code(f"np.concatenate({joined})", f"np.concatenate({joined}, {{out}})")

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

    def indices(self, inputs: Sequence[Any], axis: int) -> list[Any]:
        """Slices of the lengths along the axis."""
        before = (slice(None),) * axis
        stop = 0
        result: list[Any] = []
        for x in inputs:
            start, stop = stop, stop + x.shape[axis]
            result.append((*before, slice(start, stop)))
        return result


class Stack(Joining):
    """The inputs one after another along a new axis."""

    def run(self, *inputs: Any, axis: int) -> Any:
        """Stack."""
        if not shape_of(inputs[0]):
            return np.array(inputs)
        return np.stack(inputs, axis)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """An array of scalars at once; else rows written one by one, as NumPy's own loop does."""
        (type,) = outputs
        if ANY_LENGTH in type.shape:
            return None
        dtype = names.constant(type.dtype)
        parts = [f"{{{number}}}" for number in range(len(inputs))]
        if type.ndim == 1:
            joined = f"np.array(({', '.join(parts)},), {dtype})"
            return Code(joined, takes_python=True, is_contiguous=True)
        before = ":, " * params["axis"]
        return Code(
            f"np.empty({type.shape}, {dtype})",
            then=tuple(f"{{out}}[{before}{number}] = {part}" for number, part in enumerate(parts)),
            is_contiguous=True,
        )

    def infer(self, *types: ArrayType, axis: int) -> ArrayType:
        """The common shape with the new axis."""
        shape = types[0].shape
        if any(type.shape != shape for type in types):
            raise ValueError("all input arrays must have the same shape")
        axis = normalize_axis_index(axis, len(shape) + 1)
        dtype = np.result_type(*(type.dtype for type in types))
        return ArrayType((*shape[:axis], len(types), *shape[axis:]), dtype)

    def indices(self, inputs: Sequence[Any], axis: int) -> list[Any]:
        """The rows along the axis."""
        before = (slice(None),) * axis
        return [(*before, number) for number in range(len(inputs))]


class Separating(Linear):
    """A function that takes its input apart along an axis: the adjoint of joining."""

    is_total = True
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

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
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

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """Take all examples apart."""
        params["axis"] += 1
        outputs = bind(self, in_front(inputs[0], axes[0]), **params)
        return outputs, (0,) * len(outputs)


class Split(Separating):
    """Consecutive pieces along an axis, between given boundaries."""

    makes_views = True

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Slices."""
        before = ":, " * params["axis"]
        stops = ["0", *map(repr, params["boundaries"]), ""]
        parts = [f"{{0}}[{before}{start}:{stop}]" for start, stop in itertools.pairwise(stops)]
        return view(f"({', '.join(parts)},)")

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

    def count_of_outputs(self, types: Sequence[ArrayType], params: dict[str, Any]) -> int | None:
        """As many as the axis is long."""
        return types[0].shape[params["axis"]]

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The rows themselves; of scalars none is a view."""
        before = ":, " * params["axis"]
        parts = [f"{{0}}[{before}{number}]" for number in range(len(outputs))]
        if not parts:
            return Code("()")
        return Code(f"({', '.join(parts)},)", is_view=bool(outputs[0].shape))

    def indices(self, shape: Shape, *, axis: int) -> Sequence[Any]:
        """Whole numbers."""
        before = (slice(None),) * axis
        return [(*before, i) for i in range(shape[axis])] if axis else range(shape[0])

    def infer(self, x: ArrayType, *, axis: int) -> Any:
        """The shape without the axis."""
        normalize_axis_index(axis, x.ndim)
        shape = x.shape[:axis] + x.shape[axis + 1 :]
        type = ArrayType(shape, x.dtype if shape else native(x.dtype))
        return (type,) * x.shape[axis]

    def joined(self, parts: Sequence[Any], *, axis: int) -> Any:
        """Stack."""
        return bind(stack_primitive, *parts, axis=axis)


concatenate_primitive = Concatenate("concatenate")
stack_primitive = Stack("stack")
split_primitive = Split("split")
unstack_primitive = Unstack("unstack")


# Pad


class Pad(Linear):
    """Zeros around the input: ``padding`` has the numbers before and after for each axis."""

    is_total = True
    is_fresh = True
    makes_zero_tangents = True

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

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Zeros, and the input written into them."""
        (type,) = outputs
        padding = params["padding"]
        if ANY_LENGTH in type.shape or min((n for pair in padding for n in pair), default=0) < 0:
            return None
        inside = [
            f"{start}:{start + length}"
            for (start, _), length in zip(padding, inputs[0].type.shape, strict=True)
        ]
        return zeros_with(names, type, f"{{out}}[{', '.join(inside) or '...'}] = {{0}}")

    def transpose(
        self, cotangent: Any, input: ArrayType, *, padding: tuple[tuple[int, int], ...]
    ) -> Any:
        """Cut off the padding."""
        return cotangent[_inside(input.shape, padding)]

    def batch(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        *,
        padding: tuple[tuple[int, int], ...],
    ) -> Any:
        """Pad all examples."""
        return bind(self, in_front(inputs[0], axes[0]), padding=((0, 0), *padding)), 0


def _inside(shape: Shape, padding: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, padding, strict=True))


pad_primitive = Pad("pad")


# Diagonals


class Diagonal(Linear):
    """The diagonal of the last two axes, as the last axis."""

    is_total = True
    makes_views = True

    makes_zeros = True

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

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, offset: int) -> Any:
        """The diagonals of all examples."""
        return bind(self, in_front(inputs[0], axes[0]), offset=offset), 0


class FromDiagonal(Linear):
    """Matrices with the last axis on their diagonal and zeros elsewhere."""

    is_total = True
    is_fresh = True
    makes_zero_tangents = True

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

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """The matrices of all examples."""
        return bind(self, in_front(inputs[0], axes[0]), **params), 0


diagonal_primitive = Diagonal("diagonal")
from_diagonal = FromDiagonal("from_diagonal")
