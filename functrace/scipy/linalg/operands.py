"""Matrices and right-hand sides as SciPy takes them: dtypes, finite numbers, stacks.

SciPy's functions of matrices compute in the precision of a routine of LAPACK, which they choose by
the dtypes of all arguments. ``overwrite_a`` and its like are taken everywhere, and without effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.errors import UnsupportedFunctionError
from functrace.primitives.linear import cast_to, dtype_of, in_dtype, known_value, shape_of
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import Tracer

_SINGLE = frozenset("?bBhHef")


def precision(*xs: Any) -> np.dtype[Any]:
    """The dtype of LAPACK's in which SciPy computes with arrays."""
    chars = [dtype_of(x).char for x in xs]
    is_double = any(char not in _SINGLE and char != "F" for char in chars)
    is_complex = any(char in "FDG" for char in chars)
    return np.dtype(("D" if is_double else "F") if is_complex else ("d" if is_double else "f"))


def double(*xs: Any) -> np.dtype[Any]:
    """Double precision, real or complex."""
    return np.result_type(precision(*xs), np.float64)


def inexact(*xs: Any) -> np.dtype[Any]:
    """The precision of what is not whole; whole numbers are doubles."""
    found = np.result_type(*(dtype_of(x) for x in xs))
    return precision(np.empty(0, found if found.kind in "fc" else np.float64))


def operands(
    *xs: Any,
    check_finite: bool = True,
    dtype: Callable[..., np.dtype[Any]] = precision,
) -> Any:
    """Arguments as operands of one dtype.

    Args:
        xs: Arrays, or what can be made one.
        check_finite: Whether to look for what is not finite among known values.
        dtype: Chooses the dtype.

    Returns:
        The operand, or the list of several.

    Raises:
        ValueError: There is an infinity or a nan.
    """
    found = [as_operand(x) for x in xs]
    if check_finite:
        for x in found:
            known = known_value(x)
            if not isinstance(known, Tracer) and not np.all(np.isfinite(known)):
                raise ValueError("array must not contain infs or NaNs")
    common = dtype(*found)
    found = [in_dtype(x, common) for x in found]
    return found[0] if len(found) == 1 else found


def square(x: Any, name: str = "a") -> Any:
    """A stack of square matrices.

    Raises:
        ValueError: It is none.
    """
    shape = shape_of(x)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"expected square matrices {name}, got shape {shape}")
    return x


def is_vector(x: Any) -> bool:
    """Whether a right-hand side is one vector, and no stack of matrices."""
    return len(shape_of(x)) == 1


def with_vectors(solve: Callable[[Any], Any], b: Any) -> Any:
    """The solution for right-hand sides that are matrices, or one vector."""
    return solve(b[:, None])[..., 0] if is_vector(b) else solve(b)


def together(*xs: Any, core: int | tuple[int, ...] = 2) -> list[Any]:
    """Arrays with the same leading axes.

    Args:
        xs: The arrays.
        core: How many axes at the end belong to one example: of all, or of each.
    """
    counts = (core,) * len(xs) if isinstance(core, int) else core
    shapes = [shape_of(x) for x in xs]
    ends = [len(shape) - count for shape, count in zip(shapes, counts, strict=True)]
    stack = np.broadcast_shapes(*(shape[:end] for shape, end in zip(shapes, ends, strict=True)))
    return [
        x if shape[:end] == stack else np.broadcast_to(x, (*stack, *shape[end:]))
        for x, shape, end in zip(xs, shapes, ends, strict=True)
    ]


def real_where_known(x: Any, *of: Any) -> Any:
    """The real part of a complex result of real arguments, if it is known to be real.

    So SciPy gives it. Where only types are known, it stays complex.
    """
    known = known_value(x)
    if any(dtype_of(a).kind == "c" for a in of) or isinstance(known, Tracer) or np.any(known.imag):
        return x
    return np.real(x)


def only_values(name: str, why: str, instead: str, *xs: Any) -> None:
    """Refuse traced arguments.

    Raises:
        UnsupportedFunctionError: One is.
    """
    if any(isinstance(x, Tracer) for x in xs):
        raise UnsupportedFunctionError(
            f"functrace.scipy.linalg.{name} was called on a traced value: {why}",
            source_of(user_place(2)),
            instead,
        )


def as_known(x: Any, dtype: np.dtype[Any]) -> Any:
    """An operand in a dtype, whatever it is."""
    return cast_to(as_operand(x), dtype)
