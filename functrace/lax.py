"""The names of ``jax.lax``, with its arguments and their order, on NumPy arrays.

For code that was written for JAX, and for what NumPy has no name for: loops and branches, slices at
a place that is computed, operations across the examples of a named `functrace.vmap`. Everything
takes plain arrays as well as traced ones.

Differences: operands broadcast and promote as in NumPy, and reductions have the dtypes that NumPy
gives them. Of the options that choose how a number is computed ``precision`` is taken and has no
effect, because NumPy computes as precisely as the dtype is; others are missing.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from enum import Enum, IntEnum
from math import prod
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.choices import cond as _cond
from functrace.control.choices import switch as _switch
from functrace.control.collectives import (
    all_gather,
    all_to_all,
    axis_index,
    axis_size,
    pmax,
    pmean,
    pmin,
    ppermute,
    pshuffle,
    psum,
    psum_scatter,
)
from functrace.control.loops import associative_scan, fori_loop, map_rows, scan, while_loop
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.numpy.sorting import lexsort
from functrace.primitives import special
from functrace.primitives.elementwise import sigmoid
from functrace.primitives.indexing import INDICES, gather, index_update
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of, stop_gradient
from functrace.rules.implicit import custom_linear_solve, custom_root
from functrace.tracebacks import boundary
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms.batch import vmap

__all__ = [
    "DotDimensionNumbers",
    "Precision",
    "RoundingMethod",
    "abs",
    "acos",
    "acosh",
    "add",
    "all_gather",
    "all_to_all",
    "argmax",
    "argmin",
    "asin",
    "asinh",
    "associative_scan",
    "atan",
    "atan2",
    "atanh",
    "axis_index",
    "axis_size",
    "batch_matmul",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "broadcast",
    "broadcast_in_dim",
    "broadcast_shapes",
    "broadcast_to_rank",
    "broadcasted_iota",
    "cbrt",
    "ceil",
    "clamp",
    "collapse",
    "concatenate",
    "cond",
    "conj",
    "convert_element_type",
    "cos",
    "cosh",
    "cumlogsumexp",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "custom_linear_solve",
    "custom_root",
    "div",
    "dot",
    "dot_general",
    "dynamic_index_in_dim",
    "dynamic_slice",
    "dynamic_slice_in_dim",
    "dynamic_update_index_in_dim",
    "dynamic_update_slice",
    "dynamic_update_slice_in_dim",
    "eq",
    "erf",
    "erf_inv",
    "erfc",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "floor",
    "fori_loop",
    "full",
    "full_like",
    "ge",
    "gt",
    "imag",
    "index_in_dim",
    "integer_pow",
    "iota",
    "is_finite",
    "le",
    "log",
    "log1p",
    "logistic",
    "lt",
    "map",
    "max",
    "min",
    "mul",
    "ne",
    "neg",
    "optimization_barrier",
    "pad",
    "pmax",
    "pmean",
    "pmin",
    "pow",
    "ppermute",
    "pshuffle",
    "psum",
    "psum_scatter",
    "pswapaxes",
    "real",
    "reciprocal",
    "reduce",
    "reduce_and",
    "reduce_max",
    "reduce_min",
    "reduce_or",
    "reduce_prod",
    "reduce_sum",
    "reduce_xor",
    "rem",
    "reshape",
    "rev",
    "round",
    "rsqrt",
    "scan",
    "select",
    "select_n",
    "shift_left",
    "shift_right_arithmetic",
    "shift_right_logical",
    "sign",
    "sin",
    "sinh",
    "slice",
    "slice_in_dim",
    "sort",
    "sort_key_val",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stop_gradient",
    "sub",
    "switch",
    "tan",
    "tanh",
    "tile",
    "top_k",
    "transpose",
    "while_loop",
]

_NOT_GIVEN: Any = object()

# Control flow


@boundary
def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    operand: Any = _NOT_GIVEN,
) -> Any:
    """As `functrace.cond`; a single operand may also be given by keyword.

    JAX's older form ``cond(pred, true_operand, true_fun, false_operand, false_fun)``, where each
    function has an operand of its own, is understood as well.

    Example:
        >>> from functrace import lax
        >>> lax.cond(True, lambda x: x + 1, lambda x: x - 1, operand=3)
        4
        >>> lax.cond(False, 3, lambda x: x + 1, 5, lambda x: x - 1)
        4
    """
    if len(operands) == 2 and not (callable(true_fun) and callable(false_fun)):
        first: Any = true_fun
        true_operand, true_fun, false_operand, false_fun = first, false_fun, *operands
        return _cond(
            pred,
            lambda own, _: true_fun(own),
            lambda _, own: false_fun(own),
            true_operand,
            false_operand,
        )
    return _cond(pred, true_fun, false_fun, *_with_keyword(operands, operand))


@boundary
def switch(
    index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, operand: Any = _NOT_GIVEN
) -> Any:
    """As `functrace.switch`; a single operand may also be given by keyword."""
    return _switch(index, branches, *_with_keyword(operands, operand))


def _with_keyword(operands: tuple[Any, ...], operand: Any) -> tuple[Any, ...]:
    if operand is _NOT_GIVEN:
        return operands
    if operands:
        raise ArgumentError("Operands were given both by position and by the keyword operand.")
    return (operand,)


@boundary
def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply a function to one row after another, or to ``batch_size`` rows at once.

    Args:
        f: A function of one row.
        xs: A tree of arrays of which the first axes have the same length.
        batch_size: How many rows are mapped at once by `functrace.vmap`.

    Returns:
        The stacked results.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.map(lambda x: x * x, np.arange(5.0), batch_size=2)
        array([ 0.,  1.,  4.,  9., 16.])
    """
    if batch_size is None:
        return map_rows(f, xs)
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"batch_size={batch_size!r} is no number of rows.")
    leaves = [as_operand(x) for x in tree.leaves(xs)]
    if not leaves:
        raise ArgumentError("map was given no arrays.")
    count = shape_of(leaves[0])[0]
    whole = count // batch_size * batch_size
    mapped = vmap(f)

    def in_batches(x: Any) -> Any:
        return np.reshape(x[:whole], (-1, batch_size, *shape_of(x)[1:]))

    parts: list[Any] = []
    if whole or not count:
        found = map_rows(mapped, tree.map(in_batches, xs))
        parts.append(tree.map(lambda y: np.reshape(y, (whole, *shape_of(y)[2:])), found))
    if whole < count:
        parts.append(mapped(tree.map(lambda x: x[whole:], xs)))
    return tree.map(lambda *rows: np.concatenate(rows), *parts)


def optimization_barrier(operand: Any) -> Any:
    """The same values. In JAX the compiler does not look beyond them; here nothing does."""
    return operand


def pswapaxes(x: Any, axis_name: Any, axis: int, *, axis_index_groups: Any = None) -> Any:
    """Exchange an axis with that of the examples, which has the same length.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> f = lambda x: ft.lax.pswapaxes(x, "i", 0)
        >>> ft.vmap(f, axis_name="i")(np.arange(4.0).reshape(2, 2))
        array([[0., 2.],
               [1., 3.]])
    """
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)


# Choices


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """Choose element by element; the condition is a scalar or has the shape of both."""
    shapes = [shape_of(as_operand(x)) for x in (pred, on_true, on_false)]
    if shapes[1] != shapes[2] or shapes[0] not in ((), shapes[1]):
        raise ShapeMismatchError(f"select was given arrays of the shapes {shapes}.")
    return np.where(pred, on_true, on_false)


def select_n(which: Any, *cases: Any) -> Any:
    """Choose among arrays of one shape, element by element, by a number (or a boolean for two).

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.select_n(np.array([2, 0]), np.zeros(2), np.ones(2), np.full(2, 7.0))
        array([7., 0.])
    """
    if not cases:
        raise ArgumentError("select_n was given no cases.")
    which = as_operand(which)
    shapes = [shape_of(as_operand(x)) for x in cases]
    if len(set(shapes)) > 1 or shape_of(which) not in ((), shapes[0]):
        raise ShapeMismatchError(
            f"select_n chooses by an array of shape {shape_of(which)} among the shapes {shapes}."
        )
    if dtype_of(which).kind == "b":
        if len(cases) > 2:
            raise ArgumentError(f"select_n cannot choose among {len(cases)} cases by booleans.")
        options: list[Any] = list(cases)
        return np.where(which, options[-1], options[0])
    result = cases[0]
    for number, case in enumerate(cases[1:], 1):
        result = np.where(np.greater_equal(which, number), case, result)
    return result


def clamp(min: Any, x: Any, max: Any) -> Any:
    """Limit values from below and above. Note the order of the arguments.

    Example:
        >>> from functrace import lax
        >>> lax.clamp(0.0, 3.5, 1.0)
        np.float64(1.0)
    """
    return np.minimum(np.maximum(x, min), max)


# Slices


def slice(
    operand: Any,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """A part of an array, from a start up to a limit along each axis.

    Raises:
        ShapeMismatchError: A start or a limit lies outside its axis, or there are not as many as
            axes.
    """
    operand = as_operand(operand)
    shape = shape_of(operand)
    steps = [1] * len(shape) if strides is None else list(strides)
    starts, limits = list(start_indices), list(limit_indices)
    fits = len(starts) == len(limits) == len(steps) == len(shape)
    if not fits or not builtins.all(
        0 <= a <= b <= n and step > 0
        for a, b, n, step in zip(starts, limits, shape, steps, strict=True)
    ):
        raise ShapeMismatchError(
            f"An array of shape {shape} has no slice from {starts} to {limits} by {steps}."
        )
    return operand[tuple(builtins.slice(*each) for each in zip(starts, limits, steps, strict=True))]


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Any:
    """A part along one axis; negative indices count from its end, None stands for its ends."""
    operand = as_operand(operand)
    axis = _axis(axis, operand)
    index = builtins.slice(start_index, limit_index, stride)
    return operand[(*(builtins.slice(None),) * axis, index)]


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """One row along an axis, which stays with length 1, or goes."""
    operand = as_operand(operand)
    axis = _axis(axis, operand)
    row = operand[(*(builtins.slice(None),) * axis, index)]
    return np.expand_dims(row, axis) if keepdims else row


def _axis(axis: int, operand: Any) -> int:
    return np.lib.array_utils.normalize_axis_index(axis, len(shape_of(operand)))


def _clamped(start: Any, length: int, size: int) -> Any:
    """A start so that a slice of this size lies inside of its axis."""
    start = known_value(as_operand(start))
    if dtype_of(start).kind not in "iu" or shape_of(start) != ():
        raise ArgumentError(f"A start index must be an integer, not {start!r}.")
    if not 0 <= size <= length:
        raise ShapeMismatchError(f"A slice of size {size} does not fit an axis of length {length}.")
    if not isinstance(start, Tracer):
        start = int(start)
        return builtins.min(builtins.max(start + length * (start < 0), 0), length - size)
    if size == length:
        return 0
    start = cast_to(start, np.dtype(np.int64))
    return np.clip(np.where(start < 0, start + length, start), 0, length - size)


def _starts(start_indices: Any, count: int) -> list[Any]:
    if isinstance(start_indices, Tracer | np.ndarray):
        given = [start_indices[k] for k in range(shape_of(start_indices)[0])]
    else:
        given = list(start_indices)
    if len(given) != count:
        raise ShapeMismatchError(f"{len(given)} start indices were given for {count} axes.")
    return given


def dynamic_slice(operand: Any, start_indices: Any, slice_sizes: Sequence[int]) -> Any:
    """A part of known size at a place that may be computed.

    Args:
        operand: An array.
        start_indices: One integer scalar for each axis, or an array of them. Negative ones count
            from the end. As in JAX, a slice that would reach beyond an end is moved inside.
        slice_sizes: The shape of the part.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dynamic_slice(np.arange(5), (4,), (2,))
        array([3, 4])
    """
    operand = as_operand(operand)
    shape, sizes = shape_of(operand), [int(size) for size in slice_sizes]
    starts = _starts(start_indices, len(shape))
    if len(sizes) != len(shape):
        raise ShapeMismatchError(f"{len(sizes)} slice sizes were given for {len(shape)} axes.")
    clamped = [_clamped(*each) for each in zip(starts, shape, sizes, strict=True)]
    whole = builtins.slice(None)
    known: list[Any] = [
        whole if isinstance(start, Tracer) else builtins.slice(start, start + size)
        for start, size in zip(clamped, sizes, strict=True)
    ]
    if any(size != length for size, length in zip(sizes, shape, strict=True)):
        operand = operand[tuple(known)]
    for axis, (start, size) in enumerate(zip(clamped, sizes, strict=True)):
        if isinstance(start, Tracer):
            index = (*(whole,) * axis, INDICES)
            operand = bind(gather, operand, start + np.arange(size), index=index, unique=True)
    return operand


def dynamic_update_slice(operand: Any, update: Any, start_indices: Any) -> Any:
    """An array with a part replaced, at a place that may be computed.

    Args:
        operand: An array, which is not changed.
        update: The new part, of the same rank.
        start_indices: As for `dynamic_slice`.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dynamic_update_slice(np.zeros(4), np.ones(2), (9,))
        array([0., 0., 1., 1.])
    """
    operand, update = as_operand(operand), as_operand(update)
    shape, sizes = shape_of(operand), shape_of(update)
    if len(shape) != len(sizes):
        raise ShapeMismatchError(
            f"An update of shape {sizes} does not have the rank of an array of shape {shape}."
        )
    if dtype_of(update) != dtype_of(operand):
        update = cast_to(update, dtype_of(operand))
    starts = _starts(start_indices, len(shape))
    if not shape:
        return update
    clamped = [_clamped(*each) for each in zip(starts, shape, sizes, strict=True)]
    if not any(isinstance(start, Tracer) for start in clamped):
        slices = [
            builtins.slice(start, start + size) for start, size in zip(clamped, sizes, strict=True)
        ]
        return bind(index_update, operand, update, index=tuple(slices))
    arrays = [
        np.reshape(start + np.arange(size), (1,) * axis + (-1,) + (1,) * (len(shape) - axis - 1))
        for axis, (start, size) in enumerate(zip(clamped, sizes, strict=True))
    ]
    return bind(index_update, operand, update, *arrays, index=(INDICES,) * len(shape), unique=True)


def dynamic_slice_in_dim(operand: Any, start_index: Any, slice_size: int, axis: int = 0) -> Any:
    """As `dynamic_slice` along one axis, with the whole of the others."""
    operand = as_operand(operand)
    axis, sizes = _axis(axis, operand), list(shape_of(operand))
    sizes[axis] = slice_size
    return dynamic_slice(operand, _at(axis, start_index, operand), sizes)


def dynamic_index_in_dim(operand: Any, index: Any, axis: int = 0, keepdims: bool = True) -> Any:
    """One row along an axis, at a place that may be computed; the axis stays, or goes."""
    row = dynamic_slice_in_dim(operand, index, 1, axis)
    return row if keepdims else np.squeeze(row, axis)


def dynamic_update_slice_in_dim(operand: Any, update: Any, start_index: Any, axis: int) -> Any:
    """As `dynamic_update_slice` along one axis, from the beginning of the others."""
    operand = as_operand(operand)
    return dynamic_update_slice(operand, update, _at(_axis(axis, operand), start_index, operand))


def dynamic_update_index_in_dim(operand: Any, update: Any, index: Any, axis: int) -> Any:
    """An array with one row along an axis replaced, at a place that may be computed.

    The new row may have the axis, with length 1, or not.
    """
    operand, update = as_operand(operand), as_operand(update)
    axis = _axis(axis, operand)
    if len(shape_of(update)) != len(shape_of(operand)):
        update = np.expand_dims(update, axis)
    return dynamic_update_slice_in_dim(operand, update, index, axis)


def _at(axis: int, start: Any, operand: Any) -> list[Any]:
    starts: list[Any] = [0] * len(shape_of(operand))
    starts[axis] = start
    return starts


# Products


DotDimensionNumbers = tuple[
    tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]
]
"""((contracted axes of lhs, of rhs), (batch axes of lhs, of rhs))."""


class Precision(Enum):
    """How precisely JAX computes products on some devices. NumPy's are of the dtype's precision."""

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


def dot(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: DotDimensionNumbers | None = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The product of vectors and matrices: of the last axis of one with the first of the other.

    With ``dimension_numbers`` it is `dot_general`, which tells what the options mean.
    """
    if dimension_numbers is not None:
        return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)
    lhs, rhs = _in_type_of_product(lhs, rhs, preferred_element_type)
    if not 1 <= len(shape_of(lhs)) <= 2 or not 1 <= len(shape_of(rhs)) <= 2:
        raise ShapeMismatchError(
            f"dot takes vectors and matrices, not shapes {shape_of(lhs)} and {shape_of(rhs)}.",
            advice="Use dot_general or batch_matmul.",
        )
    return _product_in_type(np.dot(lhs, rhs), preferred_element_type)


def _in_type_of_product(lhs: Any, rhs: Any, dtype: Any) -> tuple[Any, Any]:
    """The operands, in the wanted dtype where that holds what they hold and more."""
    lhs, rhs = as_operand(lhs), as_operand(rhs)
    if dtype is not None and np.result_type(dtype_of(lhs), dtype_of(rhs), dtype) == dtype:
        return cast_to(lhs, np.dtype(dtype)), cast_to(rhs, np.dtype(dtype))
    return lhs, rhs


def _product_in_type(product: Any, dtype: Any) -> Any:
    return product if dtype is None else convert_element_type(product, dtype)


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: DotDimensionNumbers,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The sum of products over contracted axes, for each index of the batch axes.

    Args:
        lhs: An array.
        rhs: An array.
        dimension_numbers: ``((lhs contracted, rhs contracted), (lhs batch, rhs batch))``.
        precision: Taken for the sake of JAX's signature; it does not change the result.
        preferred_element_type: The dtype of the result, and that in which products are summed, if
            it is wider than those of the operands.

    Returns:
        An array with the batch axes, then the other axes of ``lhs``, then those of ``rhs``.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dot_general(np.ones((2, 3, 4)), np.ones((2, 4)), (((2,), (1,)), ((0,), (0,)))).shape
        (2, 3)
    """
    lhs, rhs = _in_type_of_product(lhs, rhs, preferred_element_type)
    (lhs_contracted, rhs_contracted), (lhs_batch, rhs_batch) = dimension_numbers
    letters = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    names: list[list[str]] = [[""] * len(shape_of(x)) for x in (lhs, rhs)]
    batch: list[str] = []
    pairs = [(lhs_batch, rhs_batch, True), (lhs_contracted, rhs_contracted, False)]
    for lhs_axes, rhs_axes, is_batch in pairs:
        for i, j in zip(lhs_axes, rhs_axes, strict=True):
            if shape_of(lhs)[i] != shape_of(rhs)[j]:
                raise ShapeMismatchError(
                    f"dot_general pairs axis {i} of shape {shape_of(lhs)} with axis {j} of shape "
                    f"{shape_of(rhs)}."
                )
            names[0][i] = names[1][j] = letter = next(letters)
            if is_batch:
                batch.append(letter)
    free: list[str] = []
    for own in names:
        for axis, name in enumerate(own):
            if not name:
                own[axis] = next(letters)
                free.append(own[axis])
    inputs = ",".join("".join(own) for own in names)
    product = np.einsum(f"{inputs}->{''.join(batch + free)}", lhs, rhs)
    return _product_in_type(product, preferred_element_type)


def batch_matmul(lhs: Any, rhs: Any, precision: Any = None) -> Any:
    """The product of matrices of the same batch shape. ``precision`` does not change it."""
    lhs, rhs = as_operand(lhs), as_operand(rhs)
    if shape_of(lhs)[:-2] != shape_of(rhs)[:-2] or len(shape_of(lhs)) < 2:
        raise ShapeMismatchError(
            f"batch_matmul was given the shapes {shape_of(lhs)} and {shape_of(rhs)}."
        )
    return np.matmul(lhs, rhs)


# Shapes


def broadcast(operand: Any, sizes: Sequence[int]) -> Any:
    """Repeat along new leading axes."""
    operand = as_operand(operand)
    return np.broadcast_to(operand, (*sizes, *shape_of(operand)))


def broadcast_in_dim(
    operand: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int]
) -> Any:
    """Repeat into a shape, in which the operand's axes stand at the given places.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.broadcast_in_dim(np.arange(2), (2, 3), (0,))
        array([[0, 0, 0],
               [1, 1, 1]])
    """
    operand = as_operand(operand)
    places = list(broadcast_dimensions)
    if len(places) != len(shape_of(operand)) or places != sorted(set(places)):
        raise ShapeMismatchError(
            f"broadcast_in_dim was given the places {places} for the axes of an array of shape "
            f"{shape_of(operand)}: they must ascend, one for each axis."
        )
    lined_up = [1] * len(shape)
    for place, length in zip(places, shape_of(operand), strict=True):
        lined_up[place] = length
    return np.broadcast_to(np.reshape(operand, lined_up), tuple(shape))


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """Add leading axes of length 1 up to a rank."""
    x = as_operand(x)
    return np.reshape(x, (1,) * (rank - len(shape_of(x))) + shape_of(x))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape to which all of these broadcast."""
    return np.broadcast_shapes(*(tuple(shape) for shape in shapes))


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Join along an axis."""
    return np.concatenate([as_operand(x) for x in operands], axis=dimension)


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Divide an array along an axis into parts of these sizes.

    Raises:
        ShapeMismatchError: The sizes do not add up to the length of the axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.split(np.arange(4.0), (1, 3))
        [array([0.]), array([1., 2., 3.])]
    """
    operand = as_operand(operand)
    length = shape_of(operand)[_axis(axis, operand)]
    if builtins.min(sizes, default=0) < 0 or sum(sizes) != length:
        raise ShapeMismatchError(f"The sizes {list(sizes)} do not divide an axis of {length}.")
    return np.split(operand, np.cumsum(sizes, dtype=np.int64)[:-1].tolist(), axis)


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """Repeat an array along its axes, so many times along each."""
    if len(reps) < len(shape_of(as_operand(operand))):
        raise ShapeMismatchError(
            f"tile was given {len(reps)} numbers of repetitions for an array of shape "
            f"{shape_of(as_operand(operand))}."
        )
    return np.tile(operand, tuple(reps))


def reshape(
    operand: Any, new_sizes: Sequence[int] | int, dimensions: Sequence[int] | None = None
) -> Any:
    """The same elements in another shape; ``dimensions`` permutes the axes first."""
    operand = as_operand(operand)
    if dimensions is not None:
        operand = np.transpose(operand, tuple(dimensions))
    return np.reshape(operand, new_sizes if isinstance(new_sizes, int) else tuple(new_sizes))


def transpose(operand: Any, permutation: Sequence[int]) -> Any:
    """The axes in another order."""
    return np.transpose(as_operand(operand), tuple(permutation))


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """Reverse along axes."""
    return np.flip(as_operand(operand), tuple(dimensions))


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """Add axes of length 1."""
    return np.expand_dims(as_operand(array), tuple(dimensions))


def squeeze(array: Any, dimensions: Sequence[int]) -> Any:
    """Take axes of length 1 away."""
    return np.squeeze(as_operand(array), tuple(dimensions))


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """Make one axis of those from a first one up to the one before the last."""
    operand = as_operand(operand)
    shape = shape_of(operand)
    start, stop, _ = builtins.slice(start_dimension, stop_dimension).indices(len(shape))
    return np.reshape(operand, (*shape[:start], prod(shape[start:stop]), *shape[stop:]))


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """Put a value around and between the elements.

    Args:
        operand: An array.
        padding_value: A scalar.
        padding_config: For each axis how many to put before and after (negative numbers take
            elements away), and how many between each two.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.pad(np.array([1.0, 2.0, 3.0]), 0.0, [(1, -1, 1)])
        array([0., 1., 0., 2., 0.])
    """
    operand, value = as_operand(operand), as_operand(padding_value)
    shape = shape_of(operand)
    if len(padding_config) != len(shape) or shape_of(value) != ():
        raise ShapeMismatchError(
            f"pad was given {len(padding_config)} triples and a value of shape {shape_of(value)} "
            f"for an array of shape {shape}."
        )
    if dtype_of(value) != dtype_of(operand):
        value = cast_to(value, dtype_of(operand))
    if not shape:
        return operand
    new_shape: list[int] = []
    taken: list[Any] = []
    placed: list[Any] = []
    for (low, high, interior), length in zip(padding_config, shape, strict=True):
        if interior < 0:
            raise ArgumentError(f"pad cannot put {interior} elements between each two.")
        step = interior + 1
        new_length = low + high + builtins.max(length + (length - 1) * interior, 0)
        if new_length < 0:
            raise ShapeMismatchError(f"pad takes more away than the length {length} of an axis.")
        # Element i comes to low + i * step; those that come to lie outside are left out.
        first = builtins.min(builtins.max(-(low // step), 0), length)
        end = builtins.max(builtins.min(-((low - new_length) // step), length), first)
        new_shape.append(new_length)
        taken.append(builtins.slice(first, end))
        start = low + first * step
        stop = start + builtins.max((end - first - 1) * step + 1, 0)
        placed.append(builtins.slice(start, stop, step) if end > first else builtins.slice(0, 0))
    return bind(
        index_update,
        np.broadcast_to(value, tuple(new_shape)),
        operand[tuple(taken)],
        index=tuple(placed),
    )


# New arrays


def iota(dtype: Any, size: int) -> Any:
    """The numbers from 0 up to a size."""
    return np.arange(size, dtype=dtype)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """An array of which the elements count along one axis."""
    return broadcast_in_dim(iota(dtype, shape[dimension]), shape, (dimension % len(shape),)).copy()


def full(shape: Sequence[int] | int, fill_value: Any, dtype: Any = None) -> Any:
    """An array of one value."""
    value = as_operand(fill_value)
    if dtype is not None and dtype_of(value) != np.dtype(dtype):
        value = cast_to(value, np.dtype(dtype))
    return np.broadcast_to(value, shape).copy()


def full_like(
    x: Any, fill_value: Any, dtype: Any = None, shape: Sequence[int] | int | None = None
) -> Any:
    """An array of one value, with the shape and dtype of another one where these are not given."""
    x = as_operand(x)
    return full(
        shape_of(x) if shape is None else shape, fill_value, dtype_of(x) if dtype is None else dtype
    )


def convert_element_type(operand: Any, new_dtype: Any) -> Any:
    """The same values in another dtype."""
    return cast_to(as_operand(operand), np.dtype(new_dtype))


# Reductions


def reduce(
    operands: Any,
    init_values: Any,
    computation: Callable[[Any, Any], Any],
    dimensions: Sequence[int],
) -> Any:
    """Combine all elements along axes by an associative and commutative function of two.

    It takes a logarithmic number of steps, in each of which all pairs are combined at once.

    Args:
        operands: An array, or a tree of arrays of one shape.
        init_values: The scalar, or the tree of scalars, to begin with.
        computation: Takes two scalars, or trees of scalars, and returns the like.
        dimensions: The axes that go.

    Returns:
        A tree like ``operands``.

    Raises:
        ShapeMismatchError: The shapes of the operands differ.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce(np.arange(6.0).reshape(2, 3), 0.0, lax.add, (1,))
        array([ 3., 12.])
    """
    leaves, structure = tree.flatten(operands)
    leaves = [as_operand(x) for x in leaves]
    shapes = {shape_of(x) for x in leaves}
    if len(shapes) != 1:
        raise ShapeMismatchError(f"reduce was given arrays of the shapes {sorted(shapes)}.")
    (shape,) = shapes
    axes = [_axis(axis, leaves[0]) for axis in dimensions]
    kept = [n for axis, n in enumerate(shape) if axis not in axes]
    count = prod(shape[axis] for axis in axes)
    firsts = structure.flatten_up_to(init_values)
    whole = prod(kept)
    each = vmap(computation)

    def combine(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        """All pairs of two stacks of rows."""
        rows = shape_of(a[0])[0]
        flat = [[np.reshape(x, (rows * whole,)) for x in part] for part in (a, b)]
        found = structure.flatten_up_to(each(*(structure.unflatten(part) for part in flat)))
        return [
            np.reshape(convert_element_type(x, dtype_of(leaf)), (rows, whole))
            for x, leaf in zip(found, leaves, strict=True)
        ]

    parts = [np.reshape(np.moveaxis(x, axes, range(len(axes))), (count, whole)) for x in leaves]
    starts = [
        np.broadcast_to(convert_element_type(first, dtype_of(x)), (1, whole))
        for first, x in zip(firsts, leaves, strict=True)
    ]
    while count > 1:
        half = count // 2
        pairs = combine([x[:half] for x in parts], [x[half : 2 * half] for x in parts])
        rest = [x[2 * half :] for x in parts]
        parts = [np.concatenate(both) for both in zip(pairs, rest, strict=True)]
        count -= half
    found = combine(starts, parts) if count else starts
    return structure.unflatten([np.reshape(x, tuple(kept))[()] for x in found])


def reduce_sum(operand: Any, axes: Sequence[int]) -> Any:
    """The sum over axes."""
    return np.sum(as_operand(operand), axis=tuple(axes))


def reduce_prod(operand: Any, axes: Sequence[int]) -> Any:
    """The product over axes."""
    return np.prod(as_operand(operand), axis=tuple(axes))


def reduce_max(operand: Any, axes: Sequence[int]) -> Any:
    """The maximum over axes."""
    return np.max(as_operand(operand), axis=tuple(axes))


def reduce_min(operand: Any, axes: Sequence[int]) -> Any:
    """The minimum over axes."""
    return np.min(as_operand(operand), axis=tuple(axes))


def reduce_and(operand: Any, axes: Sequence[int]) -> Any:
    """Whether all booleans along axes are true."""
    return np.all(_booleans(operand, "reduce_and"), axis=tuple(axes))


def reduce_or(operand: Any, axes: Sequence[int]) -> Any:
    """Whether any boolean along axes is true."""
    return np.any(_booleans(operand, "reduce_or"), axis=tuple(axes))


def reduce_xor(operand: Any, axes: Sequence[int]) -> Any:
    """The exclusive or, along axes: of booleans, or bit by bit of integers."""
    return reduce(operand, dtype_of(as_operand(operand)).type(0), bitwise_xor, axes)


def _booleans(x: Any, name: str) -> Any:
    x = as_operand(x)
    if dtype_of(x).kind != "b":
        raise ArgumentError(f"{name} takes booleans here, not {dtype_of(x)}.")
    return x


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the first largest element along an axis, in a dtype."""
    return cast_to(np.argmax(as_operand(operand), axis=axis), np.dtype(index_dtype))


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the first smallest element along an axis, in a dtype."""
    return cast_to(np.argmin(as_operand(operand), axis=axis), np.dtype(index_dtype))


def cumsum(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The sums so far, along an axis."""
    operand = as_operand(operand)
    if reverse:
        return np.flip(np.cumsum(np.flip(operand, axis), axis), axis)
    return np.cumsum(operand, axis)


def cumprod(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The products so far, along an axis."""
    return associative_scan(np.multiply, as_operand(operand), reverse, _axis(axis, operand))


def cummax(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The maxima so far, along an axis."""
    return associative_scan(np.maximum, as_operand(operand), reverse, _axis(axis, operand))


def cummin(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The minima so far, along an axis."""
    return associative_scan(np.minimum, as_operand(operand), reverse, _axis(axis, operand))


def cumlogsumexp(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The logarithms of the sums of exponentials so far, along an axis."""
    return associative_scan(np.logaddexp, as_operand(operand), reverse, _axis(axis, operand))


# Order


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sort along an axis. Of several arrays the first ``num_keys`` tell the order of all.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.sort((np.array([2, 1, 3]), np.array([0.2, 0.1, 0.3])))
        (array([1, 2, 3]), array([0.1, 0.2, 0.3]))
    """
    if not isinstance(operand, tuple | list):
        return np.sort(as_operand(operand), axis=dimension, stable=is_stable or None)
    arrays = [as_operand(x) for x in operand]  # pyright: ignore[reportUnknownArgumentType]
    if not 1 <= num_keys <= len(arrays):
        raise ArgumentError(f"sort was given {len(arrays)} arrays, and num_keys={num_keys}.")
    order = lexsort(arrays[num_keys - 1 :: -1], axis=dimension)
    return tuple(np.take_along_axis(x, order, axis=dimension) for x in arrays)


def sort_key_val(keys: Any, values: Any, dimension: int = -1, is_stable: bool = True) -> Any:
    """Sort keys along an axis, and values in the same order."""
    return sort((keys, values), dimension, is_stable)


def top_k(operand: Any, k: int, *, axis: int = -1) -> tuple[Any, Any]:
    """The k largest elements along an axis, from the largest on, and their indices.

    Of equal elements the one that comes first is given first; nan counts as the largest.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.top_k(np.array([3.0, 1.0, 3.0, 2.0]), 3)
        (array([3., 3., 2.]), array([0, 2, 3]))
    """
    operand = as_operand(operand)
    length = shape_of(operand)[_axis(axis, operand)] if shape_of(operand) else -1
    if not 0 <= k <= length:
        raise ArgumentError(f"top_k was asked for {k} elements of shape {shape_of(operand)}.")
    ascending = np.argsort(np.flip(operand, axis), axis=axis, stable=True)
    indices = slice_in_dim(length - 1 - np.flip(ascending, axis), 0, k, axis=axis)
    return np.take_along_axis(operand, indices, axis=axis), indices


# Arithmetic: NumPy's own functions, under JAX's names

abs = np.absolute
acos = np.arccos
acosh = np.arccosh
add = np.add
asin = np.arcsin
asinh = np.arcsinh
atan = np.arctan
atan2 = np.arctan2
atanh = np.arctanh
bitwise_and = np.bitwise_and
bitwise_not = np.invert
bitwise_or = np.bitwise_or
bitwise_xor = np.bitwise_xor
cbrt = np.cbrt
ceil = np.ceil
conj = np.conjugate
cos = np.cos
cosh = np.cosh
eq = np.equal
exp = np.exp
exp2 = np.exp2
expm1 = np.expm1
floor = np.floor
ge = np.greater_equal
gt = np.greater
imag = np.imag
is_finite = np.isfinite
le = np.less_equal
log = np.log
log1p = np.log1p
lt = np.less
max = np.maximum
min = np.minimum
mul = np.multiply
ne = np.not_equal
neg = np.negative
pow = np.power
real = np.real
rem = np.fmod
shift_left = np.left_shift
shift_right_arithmetic = np.right_shift
sign = np.sign
sin = np.sin
sinh = np.sinh
sqrt = np.sqrt
square = np.square
sub = np.subtract
tan = np.tan
tanh = np.tanh


def div(x: Any, y: Any) -> Any:
    """The quotient; that of integers is rounded towards zero.

    Example:
        >>> from functrace import lax
        >>> lax.div(-7, 2), lax.div(-7.0, 2.0)
        (np.int64(-3), np.float64(-3.5))
    """
    if dtype_of(as_operand(x)).kind in "iu" and dtype_of(as_operand(y)).kind in "iu":
        return np.floor_divide(np.subtract(x, np.fmod(x, y)), y)
    return np.true_divide(x, y)


def erf(x: Any) -> Any:
    """The error function."""
    return bind(special.erf, as_operand(x))


def erfc(x: Any) -> Any:
    """The complement of the error function, ``1 - erf(x)``, also where that underflows."""
    return bind(special.erfc, as_operand(x))


def erf_inv(x: Any) -> Any:
    """The inverse of the error function."""
    return bind(special.erfinv, as_operand(x))


def integer_pow(x: Any, y: int) -> Any:
    """A power with a known integer exponent."""
    x = as_operand(x)
    return np.reciprocal(np.power(x, -y)) if y < 0 else np.power(x, y)


def logistic(x: Any) -> Any:
    """``1 / (1 + exp(-x))``."""
    return bind(sigmoid, as_operand(x))


def reciprocal(x: Any) -> Any:
    """``1 / x``."""
    return np.true_divide(1, x)


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``."""
    return np.true_divide(1, np.sqrt(x))


class RoundingMethod(IntEnum):
    """What `round` does with what lies in the middle between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x: Any, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """Round to the nearest integer; halves go away from zero, unless another method is given."""
    if rounding_method == RoundingMethod.TO_NEAREST_EVEN:
        return np.rint(x)
    whole = np.trunc(x)
    return np.where(np.absolute(np.subtract(x, whole)) >= 0.5, whole + np.sign(x), whole)[()]


def shift_right_logical(x: Any, y: Any) -> Any:
    """Shift bits to the right, and fill in zeros, whatever the sign."""
    x = as_operand(x)
    dtype = dtype_of(x)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    shifted = np.right_shift(cast_to(x, unsigned), cast_to(as_operand(y), unsigned))
    return cast_to(shifted, dtype)


globals().update(entrances(globals()))
