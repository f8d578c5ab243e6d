"""Looking into functions while they are transformed.

Python's own ``print`` in a function under `jit` or `vmap` runs once, while the function is
recorded, and shows no values. What stands here runs when the values are there, each time:
under `jit` on every call, in loops on every trip, under `vmap` for one example after the other,
under `grad` and `jvp` once, in the forward pass. The order is that of the code.

A call none of whose arguments is traced keeps its place in that order: under `jit` it runs on every
call too.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from functrace.errors import ArgumentError
from functrace.rules.callbacks import debug_callback
from functrace.tracebacks import boundary
from functrace.tracing.places import source_of, user_place
from functrace.transforms.transformed import require_callable


@boundary
def callback(callback: Callable[..., Any], *args: Any, ordered: bool = True, **kwargs: Any) -> None:
    """Call a function for what it does, on the values of traced arrays.

    As ``jax.debug.callback``. Its result is ignored, and it has no part in derivatives.

    Args:
        callback: The function.
        args: What it gets, with NumPy values in place of the traced ones.
        ordered: Taken for the sake of JAX's signature; the calls are always in order.
        kwargs: What it gets by keyword.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> seen = []
        >>> def f(x):
        ...     ft.debug.callback(seen.append, x * x)
        ...     return np.sin(x)
        >>> slopes = ft.vmap(ft.grad(f))(np.array([1.0, 2.0]))
        >>> seen
        [np.float64(1.0), np.float64(4.0)]
    """
    require_callable(callback, "debug.callback", "callback")
    debug_callback(callback, args, kwargs)


class _Checker(string.Formatter):
    """Looks for the places that a text has for its values, without writing any of them."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value

    def check_unused_args(
        self, used_args: set[int | str], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        names = [key for key in (*range(len(args)), *kwargs) if key not in used_args]
        if names:
            raise ArgumentError(
                f"The text of debug.print has no place for {', '.join(map(repr, names))}.",
                source_of(user_place(2)),
                "Write {} or a name in braces for each value, and no f before the text.",
            )


@boundary
def print(fmt: str, *args: Any, ordered: bool = True, **kwargs: Any) -> None:
    """Print the values of traced arrays.

    As ``jax.debug.print``.

    Args:
        fmt: What `str.format` takes, with places for the other arguments.
        args: Values, for ``{}`` and ``{0}``.
        ordered: Taken for the sake of JAX's signature; the lines are always in order.
        kwargs: Values by name.

    Raises:
        ArgumentError: There is no text; or a value has no place in it, as where it is an f-string
            by mistake.

    Example:
        >>> import functrace as ft
        >>> @ft.jit
        ... def f(x):
        ...     ft.debug.print("x = {x:.2f}", x=x)
        ...     return x + 1
        >>> f(1.0) + f(2.0)
        x = 1.00
        x = 2.00
        5.0
    """
    if not isinstance(fmt, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"The first argument of debug.print is a {type(fmt).__qualname__}, not a text with "
            "places for the values.",
            source_of(user_place(1)),
            'Write debug.print("x = {}", x), or debug.print("{x:.2f}", x=x).',
        )
    _Checker().format(fmt, *args, **kwargs)

    def shown(*args: Any, **kwargs: Any) -> None:
        sys.stdout.write(fmt.format(*args, **kwargs) + "\n")

    debug_callback(shown, args, kwargs)
