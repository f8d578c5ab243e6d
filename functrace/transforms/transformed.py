"""Functions that transformations make of others: how they are called, bound, copied and pickled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import deepcopy
from functools import partial, update_wrapper
from types import MethodType
from typing import Any, ParamSpec, TypeVar

from functrace.errors import NotCallableError
from functrace.ir.program import Program
from functrace.ir.types import type_of
from functrace.tracebacks import boundary
from functrace.tracing.places import named_scope, source_of, user_place

P = ParamSpec("P")
R = TypeVar("R")


def require_callable(f: Any, owner: str, parameter: str | None = None) -> None:
    """Check that a transformation was given a function.

    Args:
        f: What was given.
        owner: The transformation, or the loop or choice.
        parameter: Which of its functions it is, where it takes several things.

    Raises:
        NotCallableError: It cannot be called.
    """
    if callable(f):
        return
    try:
        given = f"a value of type {type_of(f)}"
    except TypeError:
        given = "None" if f is None else f"a {type(f).__qualname__}"
    which = "" if parameter is None else f" as `{parameter}`"
    if isinstance(f, Program):
        raise NotCallableError(
            f"{owner} takes a function{which}, and was given a Program.",
            source_of(user_place(2)),
            "A Program is run by functrace.evaluate; the function of it is "
            "lambda *inputs: functrace.evaluate(program, *inputs).",
        )
    raise NotCallableError(
        f"{owner} takes a function{which}, and was given {given}, which is not callable.",
        source_of(user_place(2)),
        f"Write functrace.{owner}(f)(x), not functrace.{owner}(f(x)): it is the function itself "
        "that is transformed."
        if parameter is None
        else "Give the function itself, not what it returns; lambda *_: value is a function too.",
    )


class Transformed(partial[Any]):
    """A function that a transformation made.

    It is called nearly as fast as a Python function, and is a method in the body of a class, as one
    is. Python pickles functions by their name, which is that of the function that was transformed;
    so this is no Python function, and is pickled as what it was made by.
    """

    made_by: tuple[Callable[..., Any], Any, dict[str, Any]]
    """The transformation, the function that it was applied to, and its options."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind a method."""
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        make, fun, _ = self.made_by
        made = make.__name__
        while isinstance(fun, Transformed):  # of whose name it is
            inner, fun, _ = fun.made_by
            made += f" of {inner.__name__}"
        name = getattr(fun, "__qualname__", None) or repr(fun)
        return f"<{made} of {name} at {id(self):#x}>"

    def __reduce__(self) -> Any:
        return importable_name(self) or (_made, self.made_by)

    def __copy__(self) -> Transformed:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Transformed:
        # Functions are not copied; but an object is whose method was transformed.
        make, fun, options = self.made_by
        copied = deepcopy(fun, memo)
        return self if copied is fun else _made(make, copied, options)


def transformed(fun: Callable[..., Any], make: Callable[..., Any], **options: Any) -> Any:
    """As a decorator: make a `Transformed` with the name of the function that it was made of.

    Args:
        fun: The function that is transformed.
        make: The transformation.
        options: Its keyword arguments.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        made: Any = Transformed(function)
        update_wrapper(made, fun)
        made.made_by = make, fun, options
        return made

    return decorate


@boundary
def named_call(fun: Callable[P, R], *, name: str | None = None) -> Callable[P, R]:
    """Make a function whose equations are named, as in a `named_scope`.

    In a profile of Python, too, its calls stand under the name.

    Args:
        fun: A function.
        name: The name; that of the function, if none is given.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> @ft.named_call
        ... def softplus(x):
        ...     return np.log1p(np.exp(x))
        >>> print(ft.make_ir(softplus)(1.0))  # doctest: +ELLIPSIS
        def program(a: weak_float64):
            b: float64 = exp(a)  # ... in softplus
            c: float64 = log1p(b)  # ... in softplus
            return c
    """
    require_callable(fun, "named_call")
    shown = getattr(fun, "__name__", type(fun).__name__) if name is None else name
    scope = named_scope(shown)

    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with named_scope(shown):
            return fun(*args, **kwargs)

    called.__code__ = called.__code__.replace(co_name=scope.name, co_qualname=scope.name)
    return transformed(fun, named_call, name=name)(boundary(called))


def leaves_arguments_alone(f: Any) -> bool:
    """Whether a function is known not to write into its arguments, as most transformations are."""
    return type(f) is Transformed and f.made_by[0] is not named_call


def _made(make: Callable[..., Any], fun: Any, options: dict[str, Any]) -> Any:
    return make(fun, **options)


def importable_name(x: Any) -> str | None:
    """The name under which an object is found in its module; None if another one is found there.

    What was made by a decorator is found, and is pickled by this name, as functions are.
    """
    found: Any = sys.modules.get(getattr(x, "__module__", None) or "")
    name = getattr(x, "__qualname__", None)
    if found is None or not isinstance(name, str):
        return None
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is x else None
