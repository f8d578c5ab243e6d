"""Keys: where random numbers come from.

A key is an array of two 64-bit words. It never changes; other keys are made of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, RandomKeyError
from functrace.numpy.reshaping import lengths_of
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.random.drawing import KEY, random_fold_in, random_split
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.reusing import forget_use, note_use
from functrace.tracing.tracer import Tracer, bind

IMPLEMENTATION = "philox4x64"


def _described(x: Any) -> str:
    if isinstance(x, Tracer | np.ndarray | np.generic):
        return f"An array of shape {x.shape} and dtype {x.dtype}"
    return f"{x!r}" if isinstance(x, int | float | None) else f"A {type(x).__qualname__}"


def as_key(key: Any) -> Any:
    """A key that is one.

    Raises:
        RandomKeyError: It is not.
    """
    if isinstance(key, Tracer | np.ndarray) and key.dtype == KEY and key.shape[-1:] == (2,):
        if key.shape == (2,):
            return key
        raise RandomKeyError(
            f"{math.prod(key.shape[:-1])} keys, an array of shape {key.shape}, are no single key.",
            source_of(user_place(1)),
            "Index it, or use functrace.vmap, which draws for each of them.",
        )
    raise RandomKeyError(f"{_described(key)} is no key.", source_of(user_place(1)))


def used(key: Any) -> Any:
    """A key from which something is drawn now: see `as_key`."""
    key = as_key(key)
    note_use(key)
    return key


def _implementation(impl: Any) -> None:
    if impl not in (None, IMPLEMENTATION):
        raise ArgumentError(
            f"impl={impl!r}: keys are those of {IMPLEMENTATION!r}.", source_of(user_place(1))
        )


def key(seed: Any, *, impl: str | None = None) -> Any:
    """The key of a seed.

    Args:
        seed: An integer; one of Python's may have up to 128 bits.
        impl: None, or "philox4x64".

    Returns:
        An array of shape (2,) and dtype uint64: the seed's low word, and its high word.

    Raises:
        RandomKeyError: The seed is no integer.

    Example:
        >>> import functrace as ft
        >>> ft.random.normal(ft.random.key(0), (2,))
        array([...])
    """
    _implementation(impl)
    if isinstance(seed, int):
        mask = (1 << 64) - 1
        return np.array([seed & mask, (seed >> 64 & mask) if seed >= 0 else 0], KEY)
    seed = as_operand(seed)
    if dtype_of(seed).kind not in "biu" or shape_of(seed):
        raise RandomKeyError(
            f"{_described(seed)} is no seed.",
            source_of(user_place(1)),
            "Give one integer; for several keys, functrace.random.split one.",
        )
    word = cast_to(seed, KEY)
    return np.stack([word, np.zeros_like(word)])


PRNGKey = key
"""As `key`."""


def split(key: Any, num: Any = 2) -> Any:
    """Make several keys of one, which is not to be used any more.

    Args:
        key: A key.
        num: How many; a tuple for an array of keys of this shape.

    Returns:
        An array of keys, of shape (num, 2).

    Raises:
        RandomKeyError: It is no key.
        KeyReuseError: It was used before, and ``functrace.config.key_reuse`` is "error".

    Example:
        >>> import functrace as ft
        >>> first, second = ft.random.split(ft.random.key(0))
        >>> ft.random.split(first, 3).shape
        (3, 2)
    """
    return bind(random_split, used(key), shape=(*lengths_of(num), 2), dtype=KEY)


def fold_in(key: Any, data: Any) -> Any:
    """Make a key of a key and an integer, as the number of a step.

    The key may be folded with other integers, too.

    Args:
        key: A key.
        data: An integer, of which the lowest 64 bits count.

    Returns:
        A key.

    Raises:
        RandomKeyError: It is no key, or the data is no integer.

    Example:
        >>> import functrace as ft
        >>> key = ft.random.key(0)
        >>> keys = [ft.random.fold_in(key, step) for step in range(2)]
        >>> ft.random.normal(keys[0]) == ft.random.normal(keys[1])
        np.False_
    """
    key = as_key(key)
    if isinstance(data, int):
        data = np.uint64(data & 0xFFFFFFFFFFFFFFFF)
    data = as_operand(data)
    if dtype_of(data).kind not in "biu" or shape_of(data):
        raise RandomKeyError(
            f"{_described(data)} is no integer to fold into a key.",
            source_of(user_place(0)),
            "Fold one integer; use functrace.vmap for several.",
        )
    return bind(random_fold_in, key, cast_to(data, KEY))


def clone(key: Any) -> Any:
    """The same key, which counts as not used yet: what is drawn from both is equal, as is meant.

    Example:
        >>> import functrace as ft
        >>> key = ft.random.key(0)
        >>> ft.random.normal(key) == ft.random.normal(ft.random.clone(key))
        np.True_
    """
    copied = as_key(key).copy()
    forget_use(copied)
    return copied


def key_data(keys: Any) -> Any:
    """The words of keys: these themselves.

    Example:
        >>> import functrace as ft
        >>> ft.random.key_data(ft.random.key(7))
        array([7, 0], dtype=uint64)
    """
    return wrap_key_data(keys)


def wrap_key_data(key_bits_array: Any, *, impl: str | None = None) -> Any:
    """Keys of their words.

    Args:
        key_bits_array: An array of shape (..., 2) and dtype uint64.
        impl: None, or "philox4x64".

    Raises:
        RandomKeyError: It is no such array.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> words = ft.random.key_data(ft.random.key(7))
        >>> np.array_equal(ft.random.wrap_key_data(words), ft.random.key(7))
        True
    """
    _implementation(impl)
    x = key_bits_array
    if not isinstance(x, Tracer | np.ndarray) or x.dtype != KEY or x.shape[-1:] != (2,):
        raise RandomKeyError(f"{_described(x)} holds no keys.", source_of(user_place(1)))
    return x


def key_impl(keys: Any) -> str:
    """The name of the generator that keys are of.

    Example:
        >>> import functrace as ft
        >>> ft.random.key_impl(ft.random.key(0))
        'philox4x64'
    """
    wrap_key_data(keys)
    return IMPLEMENTATION


globals().update(entrances(globals()))
PRNGKey = key
