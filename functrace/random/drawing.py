"""What draws from keys: primitives that are functions of keys, and of the numbers that shape them.

Each is computed for many keys at once, and gives each what it gives it alone. None has a derivative
by its own: where what is drawn depends smoothly on numbers, `functrace.random.slopes` says how.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Values
from functrace.ir.types import ArrayType, Shape
from functrace.primitives.linear import LocallyConstant, in_front, move_batch_axis, shape_of
from functrace.random.philox import words
from functrace.random.streams import FOLD, SPLIT, Stream
from functrace.tracing.tracer import bind

KEY = np.dtype(np.uint64)


class Draw(LocallyConstant):
    """Numbers drawn from keys.

    Inputs are keys, of shape (..., 2), and parameters of the distribution, of shapes that
    broadcast to those of the output: the axes of keys, and those of what each of them draws.
    """

    is_fresh = True
    makes_scalars = True
    warns = False

    def __init__(self, name: str, sample: Callable[..., Any]) -> None:
        """Name the primitive.

        Args:
            name: The name.
            sample: Takes a `Stream`, the parameters as arrays of its size, and the dtype; returns
                an array of this size and dtype.
        """
        super().__init__(name)
        self.sample = sample

    def run(self, keys: Any, *parameters: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """Draw for all keys."""
        whole = (*keys.shape[:-1], *shape)
        stream = Stream(keys.reshape(-1, 2), math.prod(shape))
        if not stream.size:
            return np.empty(whole, dtype)
        flat = (np.broadcast_to(x, whole).reshape(-1) for x in parameters)
        return self.sample(stream, *flat, dtype=dtype).reshape(whole)[()]

    def infer(
        self, keys: ArrayType, *parameters: ArrayType, shape: Shape, dtype: np.dtype[Any]
    ) -> ArrayType:
        """As many numbers for each key."""
        if keys.dtype != KEY or keys.shape[-1:] != (2,):
            raise ValueError(f"{keys} is no array of keys")
        whole = (*keys.shape[:-1], *shape)
        if np.broadcast_shapes(whole, *(x.shape for x in parameters)) != whole:
            raise ValueError(f"parameters do not broadcast to the shape {whole}")
        return ArrayType(whole, dtype)

    def batch(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        *,
        shape: Shape,
        dtype: np.dtype[Any],
    ) -> Any:
        """Draw for the keys of all examples; one key for all draws the same for each."""
        keys, *parameters = inputs
        keys = in_front(keys, axes[0])
        if axes[0] is None:
            keys = np.broadcast_to(keys, (size, *shape_of(keys)))
        rank = len(shape_of(keys)) - 2 + len(shape)
        parameters = [
            x if axis is None else move_batch_axis(x, axis, rank)
            for x, axis in zip(parameters, axes[1:], strict=True)
        ]
        return bind(self, keys, *parameters, shape=shape, dtype=dtype), 0


def _bits(stream: Stream, dtype: np.dtype[Any]) -> Any:
    return stream.bits(8 * dtype.itemsize).view(dtype)


def _split(stream: Stream, dtype: np.dtype[Any]) -> Any:
    return stream.bits(purpose=SPLIT)


def _uniform(stream: Stream, dtype: np.dtype[Any]) -> Any:
    if dtype.itemsize >= 8:
        return stream.units().astype(dtype, copy=False)
    width, precision = 8 * dtype.itemsize, np.finfo(dtype).nmant + 1
    bits = stream.bits(width)
    bits >>= width - precision
    return np.multiply(bits, dtype.type(2.0**-precision), dtype=dtype)


def _normal(stream: Stream, dtype: np.dtype[Any]) -> Any:
    return stream.normals().astype(dtype, copy=False)


random_bits = Draw("random_bits", _bits)
random_split = Draw("random_split", _split)
random_uniform = Draw("random_uniform", _uniform)
random_normal = Draw("random_normal", _normal)


class FoldIn(LocallyConstant):
    """A key made of a key and an integer."""

    is_fresh = True
    warns = False
    is_total = True

    def run(self, keys: Any, numbers: Any) -> Any:
        """The first words of the block that has the integer in its counter."""
        found = np.empty(keys.size, KEY)
        flat = numbers.astype(KEY).reshape(-1)
        for part, word in words(keys.reshape(-1, 2), 2, (flat, 0, FOLD)):
            found[part] = word
        return found.reshape(keys.shape)

    def infer(self, keys: ArrayType, numbers: ArrayType) -> ArrayType:
        """A key for each."""
        if keys.dtype != KEY or keys.shape != (*numbers.shape, 2):
            raise ValueError(f"{keys} are no keys for {numbers}")
        return keys

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None]) -> Any:
        """Fold into the keys of all examples."""
        moved = [
            in_front(x, axis) if axis is not None else np.broadcast_to(x, (size, *shape_of(x)))
            for x, axis in zip(inputs, axes, strict=True)
        ]
        return bind(self, *moved), 0


random_fold_in = FoldIn("random_fold_in")
