"""Bits, integers and choices among few, by the names and arguments of ``jax.random``.

What is counted or chosen has no derivative but zero by the parameters of its distribution; what is
shuffled has the derivative of its elements.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from functrace.control.loops import scan
from functrace.errors import ArgumentError
from functrace.ir.types import Shape
from functrace.numpy.reshaping import lengths_of
from functrace.numpy.taking import take
from functrace.primitives.linear import as_scalar, cast_to, dtype_of, known_choice, shape_of
from functrace.primitives.linear import stop_gradient as constant
from functrace.random.continuous import gumbel, uniform
from functrace.random.drawing import KEY, random_bits, random_split, random_uniform
from functrace.random.keys import used
from functrace.random.rejecting import random_binomial, random_integers, random_poisson
from functrace.random.requests import common_shape, floating, parameters, whole
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind

_DOUBLE, _INTEGER = np.dtype(np.float64), np.dtype(np.int64)


def bits(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Integers of random bits.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A dtype of integers, uint64 where none is given.

    Returns:
        An array of this shape and dtype: the words of Philox 4x64-10, or parts of them.

    Raises:
        RandomKeyError: It is no key.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.random.bits(ft.random.key(0), (2,), np.uint8)
        array([155, 216], dtype=uint8)
    """
    return _bits(used(key), lengths_of(shape), whole(dtype, np.uint64))


def _bits(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    return bind(random_bits, key, shape=shape, dtype=dtype)


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = None) -> Any:
    """Integers from ``minval`` on, below ``maxval``, all alike.

    Args:
        key: A key.
        shape: Of what is drawn.
        minval: The least integer; it broadcasts to the shape.
        maxval: What all integers are below; it broadcasts to the shape.
        dtype: A dtype of integers, int64 where none is given.

    Raises:
        ValueError: ``maxval`` is not above ``minval``, also where compiled code finds it.

    Example:
        >>> import functrace as ft
        >>> ft.random.randint(ft.random.key(0), (5,), 1, 7)
        array([...])
    """
    dtype = whole(dtype)
    return _integers(used(key), lengths_of(shape), minval, maxval, dtype)


def _integers(key: Any, shape: Shape, low: Any, high: Any, dtype: np.dtype[Any]) -> Any:
    limits = np.iinfo(dtype)
    if isinstance(low, int) and isinstance(high, int):
        if low < limits.min or high > limits.max + 1:
            raise ArgumentError(
                f"Integers from {low} on, below {high}, are not all {dtype.name}.",
                source_of(user_place(1)),
            )
        if high - low == 2**64:
            return _bits(key, shape, dtype)
        if high == 2**64:
            return _integers(key, shape, low - 1, high - 1, dtype) + dtype.type(1)
        low, high = (np.uint64(x) if x >= 2**63 else x for x in (low, high))
    low, high = as_operand(low), as_operand(high)
    if dtype_of(low).kind not in "biu" or dtype_of(high).kind not in "biu":
        raise ArgumentError("The bounds of integers are integers.", source_of(user_place(1)))
    common_shape(shape, low, high)
    bounds = (cast_to(x, KEY if dtype_of(x) == KEY else _INTEGER) for x in (low, high))
    return bind(random_integers, key, *bounds, shape=shape, dtype=dtype)


def rademacher(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """-1 and 1, with equal chances.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: The dtype, int64 where none is given.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> np.unique(ft.random.rademacher(ft.random.key(0), (100,)))
        array([-1,  1])
    """
    dtype = np.dtype(np.int64 if dtype is None else dtype)
    byte = _bits(used(key), lengths_of(shape), np.dtype(np.int8))
    return as_scalar(np.where(np.less(byte, 0), dtype.type(-1), dtype.type(1)))


def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, mode: Any = None) -> Any:
    """True, with a chance, and False.

    Args:
        key: A key.
        p: The chances of True.
        shape: Of what is drawn; None for that of ``p``.
        mode: Has no meaning here: all chances are as exact as float64.

    Example:
        >>> import functrace as ft
        >>> ft.random.bernoulli(ft.random.key(0), 0.3, (10000,)).mean().round(1)
        np.float64(0.3)
    """
    p = as_operand(p)
    shape = common_shape(shape, p)
    return np.less(bind(random_uniform, used(key), shape=shape, dtype=_DOUBLE), p)


def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = None) -> Any:
    """How often something is tried until it succeeds, the last time included.

    Args:
        key: A key.
        p: The chance of success, above 0.
        shape: Of what is drawn; None for that of ``p``.
        dtype: A dtype of integers, int64 where none is given.

    Example:
        >>> import functrace as ft
        >>> ft.random.geometric(ft.random.key(0), 0.5, (10000,)).mean().round(1)  # 1 / p
        np.float64(2.0)
    """
    (p,), dtype = parameters(_DOUBLE, p), whole(dtype)
    unit = bind(random_uniform, used(key), shape=common_shape(shape, p), dtype=_DOUBLE)
    with np.errstate(divide="ignore"):  # of a chance of 1
        tried = np.floor(np.log1p(-unit) / np.log1p(-p))
    return cast_to(np.minimum(tried + 1, float(np.iinfo(dtype).max // 2)), dtype)


def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Poisson numbers: how often something happens.

    Args:
        key: A key.
        lam: The means.
        shape: Of what is drawn; None for that of ``lam``.
        dtype: A dtype of integers, int64 where none is given.

    Raises:
        ValueError: A mean is negative, nan or too large, also where compiled code finds it.

    Example:
        >>> import functrace as ft
        >>> ft.random.poisson(ft.random.key(0), 4.0, (10000,)).mean().round(1)
        np.float64(4.0)
    """
    (lam,), dtype = parameters(_DOUBLE, lam), whole(dtype)
    shape = common_shape(shape, lam)
    return bind(random_poisson, used(key), constant(lam), shape=shape, dtype=dtype)


def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Binomial numbers: how many of ``n`` trials succeed.

    Args:
        key: A key.
        n: The numbers of trials.
        p: The chances of success.
        shape: Of what is drawn; None for that of the parameters.
        dtype: A floating dtype, float64 where none is given, as in JAX.

    Returns:
        An array; nan where ``n`` is negative, or ``p`` no chance.

    Example:
        >>> import functrace as ft
        >>> ft.random.binomial(ft.random.key(0), 10, 0.3, (10000,)).mean().round(1)  # n * p
        np.float64(3.0)
    """
    (n, p), dtype = parameters(_DOUBLE, n, p), floating(dtype)
    shape = common_shape(shape, n, p)
    return bind(random_binomial, used(key), constant(n), constant(p), shape=shape, dtype=dtype)


def multinomial(key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = None) -> Any:
    """How often each of several outcomes occurs in ``n`` trials.

    Args:
        key: A key.
        n: The numbers of trials, of shape (...).
        p: The chances of the outcomes, of shape (..., outcomes).
        shape: Of what is drawn, with the axis of outcomes; None for that of the parameters.
        dtype: A floating dtype, float64 where none is given, as in JAX.

    Returns:
        An array of counts.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> x = ft.random.multinomial(ft.random.key(0), 100, np.array([0.5, 0.3, 0.2]))
        >>> x.shape, x.sum()
        ((3,), np.float64(100.0))
    """
    (n, p), dtype = parameters(_DOUBLE, n, p), floating(dtype)
    n, p = constant(n), constant(p)
    shape = common_shape(shape, np.empty((*shape_of(n), 1)), p)
    p = np.moveaxis(np.broadcast_to(p, shape), -1, 0)
    left = np.flip(np.cumsum(np.flip(p, 0), axis=0), 0)
    parts = np.clip(p / np.where(np.equal(left, 0), 1, left), 0, 1)
    keys = bind(random_split, used(key), shape=(shape[-1], 2), dtype=KEY)

    def step(rest: Any, part_and_key: Any) -> Any:
        part, key = part_and_key
        drawn = bind(random_binomial, key, rest, part, shape=shape[:-1], dtype=_DOUBLE)
        return rest - drawn, drawn

    _, counts = scan(step, np.broadcast_to(n, shape[:-1]) + 0.0, (parts, keys))
    return cast_to(np.moveaxis(counts, 0, -1), dtype)


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Any = None,
    replace: bool = True,
    mode: Any = None,
) -> Any:
    """Numbers of categories, chosen by the logarithms of their chances (Gumbel's trick).

    Args:
        key: A key.
        logits: The logarithms of chances, but for a constant.
        axis: The axis of categories.
        shape: Of what is drawn: that of ``logits`` without this axis, with axes before it.
        replace: Whether a category may be chosen more than once, along the axes before.
        mode: Has no meaning here.

    Returns:
        An array of int64.

    Raises:
        ArgumentError: More are to be chosen without replacement than there are.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> x = ft.random.categorical(ft.random.key(0), np.log([0.7, 0.2, 0.1]), shape=(10000,))
        >>> (np.bincount(x) / 10000).round(1)
        array([0.7, 0.2, 0.1])
    """
    logits = constant(as_operand(logits))
    logits = cast_to(logits, np.result_type(dtype_of(logits), np.float32))
    rank, count = len(shape_of(logits)), shape_of(logits)[axis]
    axis = axis % rank - rank
    logits = np.moveaxis(logits, axis, -1)
    batch = shape_of(logits)[:-1]
    wanted = batch if shape is None else common_shape(shape, np.empty(batch))
    before = wanted[: len(wanted) - len(batch)]
    if replace:
        noise = gumbel(key, (*wanted, count), dtype_of(logits))
        return np.argmax(noise + logits, axis=-1)
    chosen = math.prod(before)
    if chosen > count:
        raise ArgumentError(
            f"{chosen} of {count} categories cannot be chosen without replacement.",
            source_of(user_place(0)),
        )
    order = np.argsort(-(gumbel(key, shape_of(logits), dtype_of(logits)) + logits), axis=-1)
    return np.reshape(np.moveaxis(order[..., :chosen], -1, 0), wanted)


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """What is along an axis in another order, all orders alike.

    Args:
        key: A key.
        x: An array; or an integer, for the integers below it.
        axis: The axis.
        independent: Whether each vector along the axis has an order of its own.

    Returns:
        An array of the shape of ``x``.

    Raises:
        ArgumentError: It is a number, and no integer.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> x = ft.random.permutation(ft.random.key(0), 5)
        >>> np.sort(x)
        array([0, 1, 2, 3, 4])
    """
    x = as_operand(x)
    if not shape_of(x):
        x = np.arange(_count(x))
    shape = shape_of(x) if independent else (shape_of(x)[axis],)
    order = np.argsort(_bits(used(key), shape, KEY), axis=axis if independent else 0)
    return np.take_along_axis(x, order, axis) if independent else take(x, order, axis)


def _count(x: Any) -> int:
    if dtype_of(x).kind not in "iu":
        raise ArgumentError(
            "Of a number that is no integer nothing can be chosen.", source_of(user_place(1))
        )
    return operator.index(known_choice(x, "The number of elements"))


def choice(
    key: Any,
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: Any = None,
) -> Any:
    """Some of an array's elements, or of the slices along an axis of it.

    Args:
        key: A key.
        a: An array; or an integer, for the integers below it.
        shape: Of what is drawn; it takes the place of the axis.
        replace: Whether something may be chosen more than once.
        p: The chances, one for each; None for equal ones.
        axis: The axis.
        mode: Has no meaning here.

    Raises:
        ArgumentError: There is nothing to choose from, there are fewer than are to be chosen
            without replacement, or not as many chances.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.random.choice(ft.random.key(0), np.array([10, 20, 30]), (3,), replace=False).sum()
        np.int64(60)
    """
    a, shape = as_operand(a), lengths_of(shape)
    if not shape_of(a):
        a = np.arange(_count(a))
    axis = axis % len(shape_of(a))
    count, chosen = shape_of(a)[axis], math.prod(shape)
    if chosen > (count and (chosen if replace else count)):
        raise ArgumentError(
            f"{chosen} of {count} cannot be chosen{'' if replace else ' without replacement'}.",
            source_of(user_place(0)),
        )
    if p is None:
        if replace:
            places = _integers(used(key), (chosen,), 0, max(count, 1), _INTEGER)
        else:
            places = np.argsort(_bits(used(key), (count,), KEY))[:chosen]
    else:
        (p,) = parameters(_DOUBLE, p)
        p = constant(p)
        if shape_of(p) != (count,):
            raise ArgumentError(
                f"The chances have the shape {shape_of(p)}, and there are {count} to choose from.",
                source_of(user_place(0)),
            )
        if replace:
            total = np.cumsum(p)
            unit = total[-1] * (1 - uniform(key, (chosen,)))  # above 0, so that no chance of 0 is
            places = np.searchsorted(total, unit)
        else:
            with np.errstate(divide="ignore"):
                places = np.argsort(-(gumbel(key, (count,)) + np.log(p)))[:chosen]
    kept = shape_of(a)
    return np.reshape(take(a, places, axis), (*kept[:axis], *shape, *kept[axis + 1 :]))


globals().update(entrances(globals()))
