"""eval_shape: what a function returns, in shapes and dtypes, without computing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace import tree
from functrace.higher_order.callbacks import ShapeDtypeStruct, has_shape_and_dtype
from functrace.higher_order.programs import output_types, record_program
from functrace.ir.types import ArrayType, type_of
from functrace.tracebacks import boundary
from functrace.tracing import as_operand
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
    recorded = record_program(lambda args, kwargs: fun(*args, **kwargs), structure, types)
    return recorded.structure.unflatten(
        [ShapeDtypeStruct(type.shape, type.dtype) for type in output_types(recorded.program)]
    )
