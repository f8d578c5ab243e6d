"""Continuous distributions, by the names and arguments of ``jax.random``.

Each draws from a key of `functrace.random.key`: the same numbers for the same key, whatever
transforms the function. Where nothing else is said, what is drawn has derivatives by the
parameters of its distribution.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.numpy.reshaping import lengths_of
from functrace.primitives.linear import as_scalar
from functrace.random.drawing import random_normal, random_split, random_uniform
from functrace.random.keys import used
from functrace.random.requests import floating, floating_or_complex, parameters
from functrace.tracing.entrances import entrances
from functrace.tracing.tracer import bind


def uniform(
    key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0
) -> Any:
    """Uniform numbers in ``[minval, maxval)``.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.
        minval: The least number; it broadcasts to the shape.
        maxval: What all numbers are below; it broadcasts to the shape.

    Returns:
        An array of this shape and dtype. Between 0 and 1 they are multiples of 2**-53, in single
        precision of 2**-24, the same to the bit on every machine.

    Raises:
        RandomKeyError: It is no key.

    Example:
        >>> import functrace as ft
        >>> ft.random.uniform(ft.random.key(0), (2,), minval=-1.0)
        array([...])
    """
    dtype = floating(dtype)
    unit = _uniform(used(key), lengths_of(shape), dtype)
    if type(minval) is float and type(maxval) is float and (minval, maxval) == (0.0, 1.0):
        return unit
    minval, maxval = parameters(dtype, minval, maxval)
    found = minval + unit * (maxval - minval)
    return as_scalar(np.where(np.equal(found, maxval), minval, found))  # which it was rounded to


def normal(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Standard normal numbers.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given; or a complex one, for numbers whose
            real and imaginary parts are independent, of variance 1/2 each.

    Returns:
        An array of this shape and dtype. The numbers are the same to the bit on every machine.

    Raises:
        RandomKeyError: It is no key.

    Example:
        >>> import functrace as ft
        >>> ft.random.normal(ft.random.key(0), (2, 3)).shape
        (2, 3)
    """
    return _normal(used(key), lengths_of(shape), floating_or_complex(dtype))


def _split(key: Any, count: int) -> Any:
    return bind(random_split, key, shape=(count, 2), dtype=np.dtype(np.uint64))


def _uniform(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    return bind(random_uniform, key, shape=shape, dtype=dtype)


def _normal(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if dtype.kind != "c":
        return bind(random_normal, key, shape=shape, dtype=dtype)
    real = np.dtype(f"f{dtype.itemsize // 2}")
    parts = (bind(random_normal, part, shape=shape, dtype=real) for part in _split(key, 2))
    x, y = (part * real.type(np.sqrt(0.5)) for part in parts)
    return x + dtype.type(1j) * y


globals().update(entrances(globals()))
