"""First values of parameters, as ``jax.nn.initializers`` draws them.

Each function returns a function of a key, a shape and a dtype. The key is one of
`functrace.random`, so that parameters can be drawn under `jit` and `vmap`; or a generator of
NumPy's, ``np.random.default_rng(...)``, or an integer to make one of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from functrace import random
from functrace.errors import ArgumentError
from functrace.factories import says_how_made
from functrace.primitives.linear import writable

Shape: TypeAlias = Sequence[int]
Initializer: TypeAlias = Callable[..., Any]
"""Takes a key, a shape and a dtype, which is float64 where none is given."""

__all__ = [
    "Initializer", "constant", "delta_orthogonal", "glorot_normal", "glorot_uniform", "he_normal",
    "he_uniform", "kaiming_normal", "kaiming_uniform", "lecun_normal", "lecun_uniform", "normal",
    "ones", "orthogonal", "truncated_normal", "uniform", "variance_scaling", "xavier_normal",
    "xavier_uniform", "zeros",
]  # fmt: skip


def zeros(key: Any, shape: Shape, dtype: Any = np.float64) -> Any:
    """Zeros. This is an initializer itself.

    Example:
        >>> import functrace as ft
        >>> ft.nn.initializers.zeros(ft.random.key(0), (2, 2))
        array([[0., 0.],
               [0., 0.]])
    """
    return np.zeros(tuple(shape), dtype)


def ones(key: Any, shape: Shape, dtype: Any = np.float64) -> Any:
    """Ones. This is an initializer itself.

    Example:
        >>> import functrace as ft
        >>> ft.nn.initializers.ones(ft.random.key(0), (2, 2))
        array([[1., 1.],
               [1., 1.]])
    """
    return np.ones(tuple(shape), dtype)


@says_how_made
def constant(value: Any, dtype: Any = np.float64) -> Initializer:
    """An array of one value.

    Example:
        >>> import functrace as ft
        >>> ft.nn.initializers.constant(3.0)(ft.random.key(0), (2, 2))
        array([[3., 3.],
               [3., 3.]])
    """

    def init(key: Any, shape: Shape, dtype: Any = dtype) -> Any:
        return writable(np.broadcast_to(np.asarray(value, dtype), tuple(shape)))

    return init


@says_how_made
def uniform(scale: float = 1e-2, dtype: Any = np.float64) -> Initializer:
    """Numbers between 0 and ``scale``, all alike.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> x = ft.nn.initializers.uniform(2.0)(ft.random.key(0), (100, 100))
        >>> x.shape, x.mean().round(1), bool(np.all((0 <= x) & (x < 2)))
        ((100, 100), np.float64(1.0), True)
    """

    def init(key: Any, shape: Shape, dtype: Any = dtype) -> Any:
        return (_uniform(key, tuple(shape), 0.0, 1.0) * scale).astype(dtype)

    return init


def _generator(key: Any) -> np.random.Generator | None:
    """The generator of NumPy's that a key is, or that an integer makes; None for another key."""
    if isinstance(key, int | np.integer | np.random.Generator):
        return np.random.default_rng(key)
    return None


def _uniform(key: Any, shape: tuple[int, ...], low: float, high: float) -> Any:
    generator = _generator(key)
    if generator is None:
        return random.uniform(key, shape, minval=low, maxval=high)
    return generator.uniform(low, high, shape)


def _normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Standard normal numbers; complex ones have a variance of 1 in all."""
    if np.dtype(dtype).kind == "c":
        parts = _normal(key, (2, *shape), np.float64) / math.sqrt(2)
        return (parts[0] + 1j * parts[1]).astype(dtype)
    generator = _generator(key)
    found = random.normal(key, shape) if generator is None else generator.standard_normal(shape)
    return found.astype(dtype)


@says_how_made
def normal(stddev: float = 1e-2, dtype: Any = np.float64) -> Initializer:
    """Normal numbers of mean 0 and this standard deviation.

    Example:
        >>> import functrace as ft
        >>> x = ft.nn.initializers.normal(0.5)(ft.random.key(0), (100, 100))
        >>> x.shape, x.std().round(1)
        ((100, 100), np.float64(0.5))
    """

    def init(key: Any, shape: Shape, dtype: Any = dtype) -> Any:
        return _normal(key, tuple(shape), dtype) * np.dtype(dtype).type(stddev)

    return init


@says_how_made
def truncated_normal(
    stddev: float = 1e-2, dtype: Any = np.float64, lower: float = -2.0, upper: float = 2.0
) -> Initializer:
    """Normal numbers between ``lower`` and ``upper`` standard deviations.

    The standard deviation is that before numbers outside are left out.

    Example:
        >>> import functrace as ft
        >>> x = ft.nn.initializers.truncated_normal(0.5)(ft.random.key(0), (100, 100))
        >>> x.shape, bool(abs(x).max() <= 1)
        ((100, 100), True)
    """

    def init(key: Any, shape: Shape, dtype: Any = dtype) -> Any:
        return (_truncated(key, tuple(shape), lower, upper) * stddev).astype(dtype)

    return init


def _truncated(key: Any, shape: tuple[int, ...], lower: float, upper: float) -> Any:
    """Standard normal numbers within bounds: of a generator, those outside are drawn again."""
    if not lower < upper:
        raise ArgumentError(f"There are no numbers between lower={lower} and upper={upper}.")
    generator = _generator(key)
    if generator is None:
        return random.truncated_normal(key, lower, upper, shape)
    numbers = generator.standard_normal(shape)
    while True:
        outside = (numbers < lower) | (numbers > upper)
        count = np.count_nonzero(outside)
        if not count:
            return numbers
        numbers[outside] = generator.standard_normal(count)


def _fans(shape: Shape, in_axis: Any, out_axis: Any, batch_axis: Any) -> tuple[float, float]:
    """How many inputs each output has, and outputs each input."""
    if len(shape) < 2:
        raise ArgumentError(
            f"An array of shape {tuple(shape)} has no axes for inputs and outputs.",
            advice="Variance scaling needs two axes at least.",
        )

    def along(axis: Any) -> int:
        return math.prod(shape[i] for i in np.atleast_1d(axis).astype(int))

    field = math.prod(shape) / along(in_axis) / along(out_axis) / along(batch_axis)
    return along(in_axis) * field, along(out_axis) * field


@says_how_made
def variance_scaling(
    scale: float,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"],
    distribution: Literal["normal", "truncated_normal", "uniform"],
    in_axis: int | Sequence[int] = -2,
    out_axis: int | Sequence[int] = -1,
    batch_axis: Sequence[int] = (),
    dtype: Any = np.float64,
) -> Initializer:
    """Numbers of variance ``scale / n``, where n counts inputs or outputs.

    Args:
        scale: A positive number.
        mode: What n is: the inputs of an output, the outputs of an input, or the arithmetic or
            geometric mean of the two.
        distribution: Of the numbers.
        in_axis: The axis or the axes of inputs.
        out_axis: The axis or the axes of outputs. Other axes are places in a filter, and count for
            both.
        batch_axis: Axes that count for neither.
        dtype: Of the numbers, where the initializer is given none.

    Raises:
        ArgumentError: There is no such mode or distribution; or, when called, a shape of fewer
            than two axes.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> init = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
        >>> init(np.random.default_rng(0), (300, 200)).var().round(4)
        np.float64(0.0033)
    """
    modes: dict[str, Callable[[float, float], float]] = {
        "fan_in": lambda inputs, outputs: inputs,
        "fan_out": lambda inputs, outputs: outputs,
        "fan_avg": lambda inputs, outputs: (inputs + outputs) / 2,
        "fan_geo_avg": lambda inputs, outputs: math.sqrt(inputs * outputs),
    }
    if mode not in modes:
        raise ArgumentError(f"mode={mode!r} is none of {', '.join(map(repr, modes))}.")
    if distribution not in ("normal", "truncated_normal", "uniform"):
        raise ArgumentError(
            f"distribution={distribution!r} is none of 'normal', 'truncated_normal' and 'uniform'."
        )

    def init(key: Any, shape: Shape, dtype: Any = dtype) -> Any:
        shape = tuple(shape)
        variance = scale / max(modes[mode](*_fans(shape, in_axis, out_axis, batch_axis)), 1)
        if distribution == "normal":
            return (_normal(key, shape, dtype) * math.sqrt(variance)).astype(dtype)
        if distribution == "uniform":
            reach = math.sqrt(3 * variance)
            return _uniform(key, shape, -reach, reach).astype(dtype)
        # The standard deviation of what is left between two standard deviations.
        return (_truncated(key, shape, -2, 2) * (math.sqrt(variance) / _LEFT)).astype(dtype)

    return init


_LEFT = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
"""The standard deviation of a standard normal number between -2 and 2."""


def _scaled(scale: float, mode: Any, distribution: Any, name: str, source: str) -> Any:
    """`variance_scaling` with a name of its own."""

    def initializer(
        in_axis: int | Sequence[int] = -2,
        out_axis: int | Sequence[int] = -1,
        batch_axis: Sequence[int] = (),
        dtype: Any = np.float64,
    ) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    initializer.__name__ = initializer.__qualname__ = name
    size = int(25 * scale)
    initializer.__doc__ = (
        f"Numbers of variance {scale} / {mode}, of the distribution {distribution!r} ({source}).\n"
        "\nSee `variance_scaling` for the arguments.\n"
        "\nExample:"
        "\n    >>> import functrace as ft"
        f"\n    >>> init = ft.nn.initializers.{name}()"
        f"\n    >>> init(ft.random.key(0), ({size}, {size})).std().round(1)"
        "\n    np.float64(0.2)"
    )
    return initializer


_GLOROT, _LECUN, _HE = "Glorot and Bengio, 2010", "LeCun et al., 1998", "He et al., 2015"
glorot_uniform = _scaled(1.0, "fan_avg", "uniform", "glorot_uniform", _GLOROT)
glorot_normal = _scaled(1.0, "fan_avg", "truncated_normal", "glorot_normal", _GLOROT)
lecun_uniform = _scaled(1.0, "fan_in", "uniform", "lecun_uniform", _LECUN)
lecun_normal = _scaled(1.0, "fan_in", "truncated_normal", "lecun_normal", _LECUN)
he_uniform = _scaled(2.0, "fan_in", "uniform", "he_uniform", _HE)
he_normal = _scaled(2.0, "fan_in", "truncated_normal", "he_normal", _HE)
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


@says_how_made
def orthogonal(scale: float = 1.0, column_axis: int = -1, dtype: Any = np.float64) -> Initializer:
    """A matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    Args:
        scale: What it is multiplied by.
        column_axis: The axis of columns; all other axes together are rows.
        dtype: Of the numbers, where the initializer is given none.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> q = ft.nn.initializers.orthogonal()(ft.random.key(0), (5, 2))
        >>> np.allclose(q.T @ q, np.eye(2))
        True
    """

    def init(key: Any, shape: Shape, dtype: Any = dtype) -> Any:
        if len(shape) < 2:
            raise ArgumentError(f"An array of shape {tuple(shape)} is no matrix.")
        columns = shape[column_axis]
        rows = math.prod(shape) // max(columns, 1)
        large, small = max(rows, columns), min(rows, columns)
        matrix = _normal(key, (large, small), dtype)
        q, r = np.linalg.qr(matrix)
        diagonal = np.diagonal(r)
        q = q * (diagonal / np.abs(diagonal))  # all orthogonal matrices alike
        if rows < columns:
            q = q.T
        others = [n for axis, n in enumerate(shape) if axis != column_axis % len(shape)]
        return (scale * np.moveaxis(q.reshape(*others, columns), -1, column_axis)).astype(dtype)

    return init


@says_how_made
def delta_orthogonal(
    scale: float = 1.0, column_axis: int = -1, dtype: Any = np.float64
) -> Initializer:
    """Filters that are an orthogonal matrix in their middle and zero elsewhere.

    Of shape (places, ..., inputs, outputs), for one to three axes of places (Xiao et al., 2018).

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> filters = ft.nn.initializers.delta_orthogonal()(ft.random.key(0), (3, 2, 2))
        >>> np.allclose(filters[1] @ filters[1].T, np.eye(2)), bool(filters[[0, 2]].any())
        (True, False)
    """

    def init(key: Any, shape: Shape, dtype: Any = dtype) -> Any:
        if not 3 <= len(shape) <= 5 or shape[-1] < shape[-2]:
            raise ArgumentError(
                f"Filters of shape {tuple(shape)} are not orthogonal in their middle.",
                advice="They have one to three axes of places, and no fewer outputs than inputs.",
            )
        matrix = orthogonal(scale, column_axis, dtype)(key, shape[-2:])
        places = [((n - 1) // 2, n // 2) for n in shape[:-2]]
        filters = np.reshape(matrix, (*[1] * len(places), *shape[-2:]))
        return np.pad(filters, [*places, (0, 0), (0, 0)])

    return init


def __dir__() -> list[str]:
    return sorted(__all__)
