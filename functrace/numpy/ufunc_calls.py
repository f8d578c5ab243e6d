"""What ufuncs' methods and keywords mean on tracers: ``np.add.reduce``, ``out=``, ``where=``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from functrace.errors import OperandError
from functrace.primitives.linear import dtype_of
from functrace.tracing import (
    FUNCTIONS,
    UFUNC_METHODS,
    Tracer,
    apply_ufunc,
    as_operand,
    implements,
    reject_out,
    source_of,
    strong,
    strong_operand,
    unsupported,
    user_place,
)


@implements(np.ufunc)
def call_ufunc(
    ufunc: np.ufunc, method: str, inputs: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Apply a ufunc with keywords, or one of its methods, to operands that hold a tracer."""
    if method == "__call__":
        return _call_with_options(ufunc, *map(as_operand, inputs), **options)
    if method == "outer":
        return _outer(ufunc, *map(strong_operand, inputs), **options)
    if method == "at":
        return _at(ufunc, *inputs)
    implementation = UFUNC_METHODS.get((ufunc, method))
    if implementation is None:
        raise unsupported(f"numpy.{ufunc.__name__}.{method}")
    return implementation(*inputs, **options)


def _call_with_options(
    ufunc: np.ufunc,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: Any = "same_kind",
    order: str = "K",
    subok: bool = True,
) -> Any:
    if dtype is not None:
        inputs = _cast_for(ufunc, inputs, np.dtype(dtype), casting)
    result = apply_ufunc(ufunc, *inputs)
    if isinstance(out, tuple):
        (out,) = out
    if where is not True:
        if out is None:
            raise OperandError(
                f"numpy.{ufunc.__name__} was called with where= but without out=: the elements "
                "that where= leaves out would have no value.",
                source_of(user_place(2)),
                "Write np.where(condition, new, old) around the call.",
            )
        result = np.where(where, result, out)
    if out is None:
        return strong(result) if isinstance(result, Tracer) else result
    if not isinstance(out, Tracer):
        reject_out(out)
    out[...] = result
    return out


def _cast_for(
    ufunc: np.ufunc, inputs: Sequence[Any], dtype: np.dtype[Any], casting: Any
) -> tuple[Any, ...]:
    """The inputs in the dtypes from which a ufunc computes results of a dtype.

    Raises:
        TypeError: It computes none from these inputs, or the rule of casting forbids it.
    """
    if len(inputs) != ufunc.nin:
        return tuple(inputs)  # for the call to refuse
    signature = (*(None,) * ufunc.nin, *(dtype,) * ufunc.nout)
    operands = [dtype_of(strong_operand(x)) for x in inputs]
    wanted = ufunc.resolve_dtypes(
        (*operands, *(None,) * ufunc.nout), signature=signature, casting=casting
    )
    return tuple(
        x if dtype_of(x) == own and not _is_number(x) else FUNCTIONS[np.astype](x, own)
        for x, own in zip(inputs, wanted, strict=False)
    )


def _is_number(x: Any) -> bool:
    return x.type.weak if isinstance(x, Tracer) else not hasattr(x, "dtype")


def _outer(ufunc: np.ufunc, x: Any, y: Any, **options: Any) -> Any:
    x = np.reshape(x, np.shape(x) + (1,) * np.ndim(y))
    return _call_with_options(ufunc, x, y, **options)


def _at(ufunc: np.ufunc, x: Any, index: Any, *operands: Any) -> None:
    if not isinstance(x, Tracer):
        reject_out(x)
    if ufunc is np.add or ufunc is np.subtract:
        addend = operands[0] if ufunc is np.add else -operands[0]
        x[...] = UFUNC_METHODS[np.add, "at"](x, index, addend)
        return
    raise unsupported(f"numpy.{ufunc.__name__}.at")
