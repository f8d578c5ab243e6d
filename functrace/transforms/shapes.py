"""eval_shape: what a function returns, in shapes and dtypes, without computing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError
from functrace.ir.program import output_types
from functrace.ir.types import ArrayType, type_of
from functrace.tracebacks import boundary
from functrace.tracing.draws import unheeded_draws
from functrace.tracing.operands import as_operand
from functrace.transforms.evaluate import record_program
from functrace.transforms.transformed import require_callable


@boundary
def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The shapes and dtypes of what a function returns. Nothing is computed.

    Args:
        fun: A function of trees of arrays.
        args: Its arguments; of arrays only the shape and dtype count, so anything that has a
            ``shape`` and a ``dtype`` stands for one, as `ShapeDtypeStruct` does.
        kwargs: Arguments by keyword.

    Returns:
        A tree like the output, with a `ShapeDtypeStruct` for each array.

    Raises:
        UnknownValueError: ``fun`` asks Python for the value of an array.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> x = ft.ShapeDtypeStruct((1000, 2000), np.float32)
        >>> ft.eval_shape(lambda x: {"gram": x.T @ x}, x)
        {'gram': ShapeDtypeStruct(shape=(2000, 2000), dtype=dtype('float32'))}
    """
    require_callable(fun, "eval_shape", "fun")
    leaves, structure = tree.flatten((args, kwargs), is_leaf=has_shape_and_dtype)
    types = [
        ArrayType(tuple(x.shape), np.dtype(x.dtype))
        if has_shape_and_dtype(x)
        else type_of(as_operand(x))
        for x in leaves
    ]
    with unheeded_draws():
        recorded = record_program(lambda args, kwargs: fun(*args, **kwargs), structure, types)
    return recorded.structure.unflatten(
        [ShapeDtypeStruct(type.shape, type.dtype) for type in output_types(recorded.program)]
    )


@dataclass(frozen=True, init=False)
class ShapeDtypeStruct:
    """The shape and dtype of an array that is not there yet.

    Example:
        >>> import numpy as np
        >>> ShapeDtypeStruct((2, 3), np.float32)
        ShapeDtypeStruct(shape=(2, 3), dtype=dtype('float32'))
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @boundary
    def __init__(self, shape: Sequence[int], dtype: Any) -> None:
        if dtype is None:
            raise ArgumentError("A ShapeDtypeStruct needs a dtype.")
        object.__setattr__(self, "shape", tuple(shape))
        object.__setattr__(self, "dtype", np.dtype(dtype))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]


def has_shape_and_dtype(x: Any) -> bool:
    """Whether an object tells what an array is like."""
    return hasattr(x, "shape") and hasattr(x, "dtype")
