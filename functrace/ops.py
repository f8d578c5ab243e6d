"""The names of ``jax.ops``: rows combined by the number of the segment that each belongs to.

Segments may stand in any order, and may have no rows. What is differentiated are the rows; numbers
of segments may be traced.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.numpy.reducing import lowest
from functrace.numpy.ufunc_methods import written_at
from functrace.numpy.updating import index_mode
from functrace.primitives.indexing import INDICES, scatter_add
from functrace.primitives.linear import dtype_of, known_choice, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def segment_sum(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
) -> Any:
    """The sum of the rows of each segment.

    Args:
        data: An array of one or more axes, whose first one counts the rows.
        segment_ids: The number of each row's segment: as many integers. Rows whose number is not
            in range belong to no segment.
        num_segments: How many segments there are; None for one more than the largest number, which
            must be known then.
        indices_are_sorted: Taken, and without effect.
        unique_indices: Taken, and without effect.
        bucket_size: Taken, and without effect.
        mode: What a number out of range means: None or "drop" that the row belongs to no segment,
            "clip" that it belongs to the nearest one.

    Returns:
        An array of the dtype of ``data``, whose first axis counts the segments. The sum of no rows
        is 0.

    Raises:
        ShapeMismatchError: There are not as many numbers as rows.
        ArgumentError: Numbers of segments are no integers.
        ValueError: There is no such mode.
        UnknownValueError: ``num_segments`` is None, and the numbers are traced.

    Example:
        >>> import numpy as np
        >>> from functrace import ops
        >>> ops.segment_sum(np.array([1.0, 2.0, 4.0]), np.array([2, 0, 2]))
        array([2., 0., 5.])
    """
    rows, numbers, count = _segments(data, segment_ids, num_segments, mode)
    shape = (count + 1, *shape_of(rows)[1:])
    sums = bind(scatter_add, rows, numbers, index=(INDICES,), shape=shape)
    return sums[:-1]


def _segments(data: Any, segment_ids: Any, count: int | None, mode: Any) -> tuple[Any, Any, int]:
    """The rows, their segments, and how many there are; one more is for what is dropped."""
    rows, numbers = as_operand(data), as_operand(segment_ids)
    shape = shape_of(rows)
    if not shape or shape_of(numbers) != shape[:1]:
        raise ShapeMismatchError(
            f"Rows of shape {shape} have numbers of segments of shape {shape_of(numbers)}.",
            advice="Give one number for each row, along the first axis.",
        )
    if dtype_of(numbers).kind not in "iu":
        raise ArgumentError(f"Numbers of segments are integers, not {dtype_of(numbers)}.")
    if count is None:
        known = known_choice(
            numbers, "The largest number of a segment", "Give num_segments, as a plain integer."
        )
        count = int(np.max(known, initial=-1)) + 1
    if index_mode(mode, "drop", wraps=False) == "clip":
        return rows, np.clip(numbers, 0, max(count - 1, 0)), count
    is_inside = np.logical_and(np.greater_equal(numbers, 0), np.less(numbers, count))
    return rows, np.where(is_inside, numbers, count), count


def _combining(
    name: str,
    purpose: str,
    shown: str,
    ufunc: np.ufunc,
    first: Callable[[np.dtype[Any]], Any],
):
    """A function that combines the rows of each segment by a ufunc of two operands.

    Args:
        name: Its name.
        purpose: Its docstring, without the reference to `segment_sum` and the example.
        shown: What the example prints.
        ufunc: What combines two rows.
        first: What no rows give, of a dtype.
    """

    def function(
        data: Any,
        segment_ids: Any,
        num_segments: int | None = None,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        bucket_size: int | None = None,
        mode: Any = None,
    ) -> Any:
        rows, numbers, count = _segments(data, segment_ids, num_segments, mode)
        shape, dtype = shape_of(rows), dtype_of(rows)
        size = math.prod(shape[1:])
        start = np.full((count + 1) * size, first(dtype), dtype)
        places = np.reshape(numbers, (-1, 1)) * size + np.arange(size)
        found = written_at(ufunc, start, np.ravel(places), np.ravel(rows))
        return np.reshape(found, (count + 1, *shape[1:]))[:-1]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{purpose} See `segment_sum`.

    Example:
        >>> import numpy as np
        >>> from functrace import ops
        >>> ops.{name}(np.array([3.0, 2.0, 4.0]), np.array([1, 0, 1]))
        {shown}
    """
    return function


segment_prod = _combining(
    "segment_prod",
    "The product of the rows of each segment, of no rows 1.",
    "array([ 2., 12.])",
    np.multiply,
    lambda dtype: 1,
)
segment_max = _combining(
    "segment_max",
    "The largest of the rows of each segment; of no rows the smallest value of the dtype.",
    "array([2., 4.])",
    np.maximum,
    lambda dtype: lowest(dtype, 1),
)
segment_min = _combining(
    "segment_min",
    "The smallest of the rows of each segment; of no rows the largest value of the dtype.",
    "array([2., 3.])",
    np.minimum,
    lambda dtype: lowest(dtype, -1),
)


globals().update(entrances(globals()))


def __dir__() -> list[str]:
    return sorted(__all__)
