"""closure_convert and custom_gradient: derivative rules and the values that functions close over.

A rule of the user knows the arguments of a function only. `closure_convert` makes arguments of the
traced values that a function takes from around it; `custom_gradient` takes a function that returns
its own pullback, which may close over whatever the function computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from functrace import tree
from functrace.errors import ArgumentError
from functrace.ir.program import input_types
from functrace.ir.types import type_of
from functrace.rules.custom import CustomFunction, custom_vjp
from functrace.tracebacks import boundary
from functrace.tracing.operands import as_operand
from functrace.transforms.evaluate import record_program, run_program
from functrace.transforms.programs import closed
from functrace.transforms.transformed import require_callable

P = ParamSpec("P")
R = TypeVar("R")


@boundary
def closure_convert(
    fun: Callable[..., Any], *example_args: Any
) -> tuple[Callable[..., Any], list[Any]]:
    """Make arguments of the values that a function closes over and that may be differentiated.

    A function that is an argument of a function with derivative rules, as an objective is of a
    solver, often closes over such values. The rules cannot know of them; converted, the function
    takes them as arguments.

    Args:
        fun: The function. It is recorded once, so it must not depend on values by Python's ``if``.
        example_args: Arguments of which only structure, shapes and dtypes count.

    Returns:
        ``(converted, values)``, such that ``converted(*args, *values)`` is ``fun(*args)``. The
        values are the traced floating-point ones that ``fun`` takes from around it.

    Raises:
        ArgumentError: By the converted function, where its arguments do not have the structure,
            shapes and dtypes of the examples.

    Example:
        >>> import functrace as ft
        >>> def shifted(a):
        ...     converted, values = ft.closure_convert(lambda x: (x - a) ** 2, 0.0)
        ...     return converted(0.0, *values)
        >>> ft.grad(shifted)(3.0)
        np.float64(6.0)
    """
    require_callable(fun, "closure_convert", "fun")
    leaves, structure = tree.flatten(example_args)
    types = [type_of(as_operand(x)) for x in leaves]
    recorded = record_program(fun, structure, types)
    program, captured = closed(recorded.program)
    is_value = [type_of(x).is_inexact for x in captured]
    values = [x for x, on in zip(captured, is_value, strict=True) if on]
    name = getattr(fun, "__name__", "the function")

    def converted(*args: Any) -> Any:
        count = len(args) - len(values)
        given, found = tree.flatten(args[:count])
        given = [as_operand(x) for x in given]
        if found != structure:
            raise ArgumentError(
                f"What closure_convert made of {name} was called with arguments of the structure "
                f"{found}, and {len(values)} values; expected {structure}.",
                advice="Call it with arguments like the examples, and the values one by one.",
            )
        for number, (x, type) in enumerate(zip(given, input_types(program), strict=False)):
            actual = type_of(x)
            if actual.shape != type.shape or not (actual.weak or actual.dtype == type.dtype):
                place = tree.keystr(structure.paths()[number])
                raise ArgumentError(
                    f"What closure_convert made of {name} was called with {actual} for the "
                    f"argument{place}; the example was {type}."
                )
        rest = iter(args[count:])
        inner = [next(rest) if on else x for x, on in zip(captured, is_value, strict=True)]
        return recorded.structure.unflatten(run_program(program, [*given, *inner]))

    return converted, values


@boundary
def custom_gradient(fun: Callable[P, tuple[R, Callable[[Any], Any]]]) -> CustomFunction[P, R]:
    """Make a function of one that returns its output and its pullback.

    Args:
        fun: Returns ``(output, pullback)``. The pullback takes a cotangent like the output, and
            returns a tuple with one cotangent for each argument, None for zero; for a single
            argument also that cotangent alone.

    Returns:
        A function that returns the output only, with the pullback as its reverse rule.

    Example:
        >>> import functrace as ft
        >>> @ft.custom_gradient
        ... def half_slope(x):
        ...     return x**2, lambda cotangent: cotangent * x
        >>> half_slope(3.0), ft.grad(half_slope)(3.0)
        (9.0, np.float64(3.0))
    """
    require_callable(fun, "custom_gradient")
    both: Callable[..., Any] = fun

    @wraps(fun)
    def output(*args: P.args, **kwargs: P.kwargs) -> R:
        return both(*args, **kwargs)[0]

    def forward(*args: Any) -> Any:
        output, pullback = both(*args)
        return output, (pullback, len(args))

    def backward(residuals: tuple[Callable[[Any], Any], int], cotangent: Any) -> Sequence[Any]:
        pullback, count = residuals
        parts = pullback(cotangent)
        is_single = count == 1 and not (isinstance(parts, tuple | list) and len(parts) == 1)  # pyright: ignore[reportUnknownArgumentType]
        return (parts,) if is_single else parts  # pyright: ignore[reportUnknownVariableType]

    custom = custom_vjp(output)
    custom.defvjp(forward, backward)
    return custom
