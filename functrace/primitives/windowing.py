"""Windows of an array, as convolutions and pooling look at it, and their sum back into place.

The two are adjoint: where a window takes an element, its cotangent is added to that element's.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from functrace.ir.primitive import Types, Values
from functrace.ir.types import ANY_LENGTH, ArrayType, Shape
from functrace.primitives.linear import Linear, in_front
from functrace.tracing.tracer import bind

Axes = tuple[int, ...]


def positions(length: int, window: int, step: int, dilation: int) -> int:
    """How many windows there are along an axis."""
    if length == ANY_LENGTH:
        return ANY_LENGTH
    return max((length - (window - 1) * dilation - 1) // step + 1, 0)


class Windows(Linear):
    """All windows of an array: a view, in which an element comes as often as windows hold it.

    The first axes count the elements of a window, for each of ``along`` one. They are followed by
    the axes of the input, of which those count the windows.

    ``lengths`` are those of a window, ``steps`` lead from one window to the next, and ``dilations``
    from one element of a window to the next.
    """

    is_total = True
    makes_views = True
    makes_arrays = True

    def run(self, x: Any, *, along: Axes, lengths: Shape, steps: Axes, dilations: Axes) -> Any:
        """Windows that cannot be written."""
        shape, strides = list(x.shape), list(x.strides)
        within: list[int] = []
        for axis, length, step, dilation in zip(along, lengths, steps, dilations, strict=True):
            within.append(strides[axis] * dilation)
            shape[axis] = positions(shape[axis], length, step, dilation)
            strides[axis] *= step
        return as_strided(x, (*lengths, *shape), (*within, *strides), writeable=False)

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """Windows overlap, so that there is none."""
        return None

    def infer(
        self, x: ArrayType, *, along: Axes, lengths: Shape, steps: Axes, dilations: Axes
    ) -> ArrayType:
        """The lengths of a window, and the input's with the numbers of windows."""
        if not len(along) == len(set(along)) == len(lengths) == len(steps) == len(dilations):
            raise ValueError("each axis has one length of its windows, one step and one dilation")
        if not along or not 0 <= min(along) <= max(along) < x.ndim:
            raise ValueError(f"windows along axes {along} of an array with {x.ndim} axes")
        if min((*lengths, *steps, *dilations), default=1) < 1:
            raise ValueError("lengths of windows, steps and dilations are 1 at least")
        shape = list(x.shape)
        for axis, length, step, dilation in zip(along, lengths, steps, dilations, strict=True):
            shape[axis] = positions(shape[axis], length, step, dilation)
        return ArrayType((*lengths, *shape), x.dtype)

    def transpose(
        self,
        cotangent: Any,
        input: ArrayType,
        *,
        along: Axes,
        lengths: Shape,
        steps: Axes,
        dilations: Axes,
    ) -> Any:
        """Add the windows up, each in its place."""
        sizes = tuple(input.shape[axis] for axis in along)
        return bind(
            sum_of_windows, cotangent, along=along, sizes=sizes, steps=steps, dilations=dilations
        )

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """The batch axis comes behind those of the windows."""
        params["along"] = tuple(axis + 1 for axis in params["along"])
        return bind(self, in_front(inputs[0], axes[0]), **params), len(params["along"])


class SumOfWindows(Linear):
    """The array of which each element is the sum of its values in all windows that hold it.

    The input has the axes of what `Windows` gives; ``sizes`` are the lengths of the output along
    ``along``. What no window holds is zero.
    """

    is_total = True
    is_fresh = True
    makes_zero_tangents = True

    def run(self, x: Any, *, along: Axes, sizes: Shape, steps: Axes, dilations: Axes) -> Any:
        """Add up, for each place in a window, what all windows have there."""
        lengths, shape = x.shape[: len(along)], list(x.shape[len(along) :])
        counts = [shape[axis] for axis in along]
        for axis, size in zip(along, sizes, strict=True):
            shape[axis] = size
        result = np.zeros(shape, x.dtype)
        if not x.size:
            return result
        x = np.ascontiguousarray(x)  # which takes less time than so many strided sums
        index = [slice(None)] * len(shape)
        for place in itertools.product(*map(range, lengths)):
            for axis, number, count, step, dilation in zip(
                along, place, counts, steps, dilations, strict=True
            ):
                start = number * dilation
                index[axis] = slice(start, start + (count - 1) * step + 1, step)
            part = result[tuple(index)]
            np.add(part, x[place], part)
        return result

    def infer(
        self, x: ArrayType, *, along: Axes, sizes: Shape, steps: Axes, dilations: Axes
    ) -> ArrayType:
        """The shape of which there are so many windows."""
        lengths, shape = x.shape[: len(along)], list(x.shape[len(along) :])
        if not len(along) == len(set(along)) == len(sizes) == len(steps) == len(dilations):
            raise ValueError("each axis has one size, one step and one dilation")
        if not along or not 0 <= min(along) <= max(along) < len(shape):
            raise ValueError(f"windows along axes {along} of an array with {len(shape)} axes")
        for axis, size, length, step, dilation in zip(
            along, sizes, lengths, steps, dilations, strict=True
        ):
            if min(length, step, dilation) < 1:
                raise ValueError("lengths of windows, steps and dilations are 1 at least")
            expected = positions(size, length, step, dilation)
            if ANY_LENGTH not in {shape[axis], expected} and shape[axis] != expected:
                raise ValueError(f"{shape[axis]} windows where a length of {size} has {expected}")
            shape[axis] = size
        return ArrayType(tuple(shape), x.dtype)

    def transpose(
        self,
        cotangent: Any,
        input: ArrayType,
        *,
        along: Axes,
        sizes: Shape,
        steps: Axes,
        dilations: Axes,
    ) -> Any:
        """The windows."""
        return bind(
            windows,
            cotangent,
            along=along,
            lengths=input.shape[: len(along)],
            steps=steps,
            dilations=dilations,
        )

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """The batch axis goes in front of the axes of the input of `Windows`."""
        (batch_axis,) = axes
        assert batch_axis is not None
        x = np.moveaxis(inputs[0], batch_axis, len(params["along"]))
        params["along"] = tuple(axis + 1 for axis in params["along"])
        return bind(self, x, **params), 0


windows = Windows("windows")
sum_of_windows = SumOfWindows("sum_of_windows")
