"""Layers that move a window over places: convolutions and pools.

Inputs are of shape (examples, places, ..., features), with one to three axes of places as a rule,
and filters of shape (window, ..., inputs, outputs): the order in which memory is read fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace import lax
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.nn.initializers import Initializer
from functrace.nn.layers import FIRST_WEIGHTS, Parameters, plus_bias, with_bias
from functrace.primitives.linear import dtype_of, shape_of
from functrace.scipy.special import floating
from functrace.tracing.entrances import entrances

Sizes = int | Sequence[int]
Padding = str | Sequence[tuple[int, int]]


def _each(name: str, sizes: Sizes, places: int) -> tuple[int, ...]:
    """A size for each axis of places."""
    found = (sizes,) * places if isinstance(sizes, int) else tuple(sizes)
    if len(found) != places:
        raise ArgumentError(f"{name}={sizes} has not one number for each of {places} axes.")
    return found


def _letters(places: int) -> tuple[str, str, str]:
    """Where the axes are, in the words of `functrace.lax`."""
    axes = "".join(chr(ord("0") + axis) for axis in range(places))
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def init_convolution(
    key: Any,
    window: Sizes,
    inputs: int,
    outputs: int,
    *,
    groups: int = 1,
    bias: bool = True,
    weight: Initializer = FIRST_WEIGHTS,
    dtype: Any = np.float64,
) -> Parameters:
    """Parameters of `convolution`: a ``weight`` of filters, and a ``bias`` of zeros.

    Args:
        key: A key of `functrace.random`.
        window: How many places a filter sees along each axis; one number for a single axis.
        inputs: How many features a place has.
        outputs: How many features a place of the result has.
        groups: Into how many groups the features are divided, none of which sees the others.
        bias: Whether there is a bias.
        weight: What draws the filters.
        dtype: Of the parameters.

    Raises:
        ArgumentError: The features cannot be divided into these groups.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> params = ft.nn.init_convolution(ft.random.key(0), (3, 3), 1, 8)
        >>> images = np.ones((5, 28, 28, 1))
        >>> ft.nn.max_pool(ft.nn.convolution(params, images), (2, 2)).shape
        (5, 14, 14, 8)
    """
    if groups < 1 or inputs % groups or outputs % groups:
        raise ArgumentError(f"{inputs} and {outputs} features are not divided by {groups} groups.")
    window = (window,) if isinstance(window, int) else tuple(window)
    params = {"weight": weight(key, (*window, inputs // groups, outputs), dtype)}
    return with_bias(params, bias, outputs, dtype)


def convolution(
    params: Parameters,
    x: Any,
    *,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    dilation: Sizes = 1,
    groups: int = 1,
) -> Any:
    """Filters moved over places: a cross-correlation, as networks compute it.

    Args:
        params: See `init_convolution`.
        x: Of shape (examples, places, ..., inputs).
        strides: How far it is from one window to the next.
        padding: "SAME" for as many windows as places, divided by the stride; "VALID" for windows
            within the input only; or how many zeros stand before and behind, for each axis.
        dilation: How far two places of a window are apart.
        groups: Into how many groups the features are divided.

    Returns:
        An array of shape (examples, windows, ..., outputs).

    Raises:
        ShapeMismatchError: The input has not the axes or the features of the filters.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> params = {"weight": np.array([-1.0, 1.0]).reshape(2, 1, 1)}
        >>> x = np.array([1.0, 4.0, 9.0, 16.0]).reshape(1, 4, 1)
        >>> nn.convolution(params, x, padding="VALID").ravel()
        array([3., 5., 7.])
    """
    x, weight, places = _checked(params, x, groups)
    y = lax.conv_general_dilated(
        x,
        weight,
        _each("strides", strides, places),
        padding,
        rhs_dilation=_each("dilation", dilation, places),
        dimension_numbers=_letters(places),
        feature_group_count=groups,
    )
    return plus_bias(params, y)


def _checked(params: Parameters, x: Any, groups: int = 1) -> tuple[Any, Any, int]:
    """The input, the filters, and how many axes of places there are."""
    x, weight = floating(x), params["weight"]
    filters = shape_of(weight)
    if len(shape_of(x)) != len(filters) or shape_of(x)[-1] != filters[-2] * groups:
        raise ShapeMismatchError(
            f"Filters of shape {filters} (window, inputs, outputs) take an input of shape "
            f"(examples, {len(filters) - 2} axes of places, {filters[-2] * groups}), "
            f"not {shape_of(x)}."
        )
    return x, weight, len(filters) - 2


def convolution_transpose(
    params: Parameters, x: Any, *, strides: Sizes = 1, padding: Padding = "SAME"
) -> Any:
    """Filters put at each place of a larger result: the way back of a strided convolution.

    Args:
        params: See `init_convolution`.
        x: Of shape (examples, places, ..., inputs).
        strides: How far it is from one filter to the next.
        padding: "SAME" for as many places as in the input, times the stride; "VALID" for all that
            a filter reaches; or what `functrace.lax.conv_transpose` takes.

    Returns:
        An array of shape (examples, places, ..., outputs).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> params = {"weight": np.array([1.0, 10.0]).reshape(2, 1, 1)}
        >>> x = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
        >>> nn.convolution_transpose(params, x, strides=2).ravel()
        array([10.,  1., 20.,  2., 30.,  3.])
    """
    x, weight, places = _checked(params, x)
    strides = _each("strides", strides, places)
    y = lax.conv_transpose(x, weight, strides, padding, dimension_numbers=_letters(places))
    return plus_bias(params, y)


def max_pool(
    x: Any, window: Sizes, *, strides: Sizes | None = None, padding: Padding = "VALID"
) -> Any:
    """The greatest of each window. Where several are, they share the cotangent.

    Args:
        x: Of shape (examples, places, ..., features).
        window: How many places a window has along each axis, or one number for all axes.
        strides: How far it is from one window to the next; None for its size.
        padding: As for `convolution`; padded places are never the greatest.

    Returns:
        An array of shape (examples, windows, ..., features).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> x = np.array([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1)
        >>> nn.max_pool(x, 2).ravel()
        array([5., 3.])
    """
    x = floating(x)
    return _pooled(x, dtype_of(x).type(-np.inf), lax.max, window, strides, padding)


def avg_pool(
    x: Any, window: Sizes, *, strides: Sizes | None = None, padding: Padding = "VALID"
) -> Any:
    """The mean of each window; see `max_pool`. Of padded places none is counted.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> x = np.array([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1)
        >>> nn.avg_pool(x, 2).ravel()
        array([3. , 2.5])
    """
    x = floating(x)
    zero = dtype_of(x).type(0)
    total = _pooled(x, zero, lax.add, window, strides, padding)
    ones = np.ones(shape_of(x), dtype_of(x))
    return total / _pooled(ones, zero, lax.add, window, strides, padding)


def _pooled(
    x: Any, start: Any, combine: Any, window: Sizes, strides: Sizes | None, padding: Padding
) -> Any:
    places = len(shape_of(x)) - 2
    if places < 1:
        raise ShapeMismatchError(
            f"A pool has an input of shape (examples, places, ..., features), not {shape_of(x)}."
        )
    sizes = _each("window", window, places)
    steps = sizes if strides is None else _each("strides", strides, places)
    if not isinstance(padding, str):
        padding = [(0, 0), *padding, (0, 0)]
    return lax.reduce_window(x, start, combine, (1, *sizes, 1), (1, *steps, 1), padding)


globals().update(entrances(globals()))
