"""What is asked for: shapes and dtypes of what is drawn, and parameters that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.ir.types import Shape
from functrace.numpy.reshaping import lengths_of
from functrace.primitives.linear import cast_to, shape_of
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place


def floating(dtype: Any) -> np.dtype[Any]:
    """A floating dtype; None is float64.

    Raises:
        ArgumentError: It is another one.
    """
    return _of_kinds(dtype, np.float64, "f", "a floating dtype")


def floating_or_complex(dtype: Any) -> np.dtype[Any]:
    """A floating or complex dtype; None is float64."""
    return _of_kinds(dtype, np.float64, "fc", "a floating or complex dtype")


def whole(dtype: Any, default: Any = np.int64) -> np.dtype[Any]:
    """A dtype of integers."""
    return _of_kinds(dtype, default, "iu", "a dtype of integers")


def _of_kinds(dtype: Any, default: Any, kinds: str, what: str) -> np.dtype[Any]:
    found = np.dtype(default if dtype is None else dtype)
    if found.kind not in kinds:
        raise ArgumentError(f"dtype={found.name!r} is not {what}.", source_of(user_place(2)))
    return found


def parameters(dtype: np.dtype[Any], *values: Any) -> list[Any]:
    """Parameters of a distribution as operands of a dtype."""
    return [cast_to(as_operand(x), dtype) for x in values]


def common_shape(shape: Any, *values: Any) -> Shape:
    """The shape of what is drawn.

    Args:
        shape: What was asked for; None for that of the parameters together.
        values: The parameters.

    Raises:
        ShapeMismatchError: The parameters do not broadcast to it.
    """
    shapes = [shape_of(x) for x in values]
    wanted = None if shape is None else lengths_of(shape)
    try:
        common = np.broadcast_shapes(*shapes)
        if wanted is None or np.broadcast_shapes(wanted, common) == wanted:
            return common if wanted is None else wanted
    except ValueError:
        pass
    given = " and ".join(map(str, shapes))
    to = "each other" if wanted is None else f"the shape {wanted} that is asked for"
    raise ShapeMismatchError(
        f"Parameters of shape {given} do not broadcast to {to}.",
        source_of(user_place(2)),
        "Give a shape to which they do, or leave it out.",
    )
