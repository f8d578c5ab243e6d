"""Entering what NumPy's functions mean on tracers into the tables."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import wraps
from types import CodeType
from typing import Any, TypeVar

import numpy as np

from functrace.tracing.tables import FUNCTIONS, UFUNCS, WITHOUT_OUT
from functrace.tracing.tracer import Tracer

F = TypeVar("F", bound=Callable[..., Any])


def implements(*functions: Callable[..., Any], casts_freely: bool = False) -> Callable[[F], F]:
    """Enter a function as what NumPy's functions mean on tracers.

    The implementation has the signature of NumPy's function and calls `bind`, or other NumPy
    functions, on its arguments; it is also called where only a nested list holds a tracer. That
    of a ufunc is called with the ufunc's operands.

    Args:
        functions: NumPy's functions.
        casts_freely: Whether NumPy casts the result to any dtype that ``out`` has, as reductions
            do; other functions refuse what would lose more than digits.
    """

    def enter(implementation: F) -> F:
        for function in functions:
            if isinstance(function, np.ufunc):
                UFUNCS[function] = implementation
            else:
                FUNCTIONS[function] = _writing_out(implementation, casts_freely)
                WITHOUT_OUT[function] = (
                    FUNCTIONS[function] if _place_of_out(implementation) < 2 else implementation
                )
        return implementation

    return enter


def _place_of_out(implementation: Callable[..., Any]) -> float:
    """The position of the argument ``out``; infinite where it is given by keyword or not at all."""
    code: CodeType | None = getattr(inspect.unwrap(implementation), "__code__", None)
    named = code.co_varnames[: code.co_argcount] if code else ()
    return named.index("out") if "out" in named else math.inf


def received(out: Tracer, result: Any) -> Any:
    """An array that a result was written into, in whatever dtype that has.

    Imaginary parts do not get lost so: that is refused.
    """
    if result.dtype.kind != "c" or out.dtype.kind == "c":
        result = result.astype(out.dtype)
    return out.receive(result)


def _writing_out(implementation: Callable[..., Any], casts_freely: bool) -> Callable[..., Any]:
    """An implementation that writes its result into a traced array that is its argument ``out``."""
    code: CodeType | None = getattr(inspect.unwrap(implementation), "__code__", None)
    if code is None or "out" not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return implementation
    position = _place_of_out(implementation)

    @wraps(implementation)
    def call(*args: Any, **options: Any) -> Any:
        is_by_position = len(args) > position
        out = args[int(position)] if is_by_position else options.get("out")
        if type(out) is not Tracer:
            return implementation(*args, **options)
        if is_by_position:
            args = (*args[: int(position)], None, *args[int(position) + 1 :])
        else:
            options["out"] = None
        result = implementation(*args, **options)
        return received(out, result) if casts_freely else out.receive(result)

    return call


def implements_named(*names: str, casts_freely: bool = False) -> Callable[[F], F]:
    """As `implements`, for NumPy functions that only some of its versions have."""
    functions = (getattr(np, name) for name in names if hasattr(np, name))
    return implements(*functions, casts_freely=casts_freely)
