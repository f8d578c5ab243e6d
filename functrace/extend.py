"""For authors of primitives: everything that a primitive is written with.

A primitive is a subclass of `Primitive` (or of a family, `Linear` or `Elementwise`) with its rules
as methods, exactly as the built-in ones are written; ``docs/add_a_primitive.md`` walks through
one. To give a derivative to a function that is already there, `wrap` is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from functrace.errors import MissingRuleError, RuleOutputError
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.elementwise import Elementwise
from functrace.primitives.linear import Linear, conform
from functrace.tracing import as_operand, bind, implements

__all__ = [
    "PRIMITIVES",
    "ArrayType",
    "Elementwise",
    "Linear",
    "Primitive",
    "bind",
    "conform",
    "implements",
    "type_of",
    "wrap",
]

_numbers = count(1)


class WrappedFunction(Primitive):
    """A function of arrays as a primitive, with the rules that its author gave."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        jvp: Callable[..., Any] | None,
        vjp: Callable[..., Any] | None,
        infer: Callable[..., Any] | None,
    ) -> None:
        """Name the primitive and keep the rules."""
        super().__init__(name)
        self.function = function
        self.given_jvp = jvp
        self.given_vjp = vjp
        self.given_infer = infer

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Call the function."""
        return self.function(*inputs, **params)

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """Ask the given rule; without one, call the function on ones and look at the result."""
        if self.given_infer is not None:
            return self.given_infer(*types, **params)
        probes = [np.ones(type.shape, type.dtype)[()] for type in types]
        with np.errstate(all="ignore"):
            result = type_of(self.function(*probes, **params))
        return ArrayType(result.shape, result.dtype)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Call the given rule, with zeros for tangents that are zero."""
        if self.given_jvp is None:
            raise MissingRuleError.of(self.name, "jvp")
        full = [
            np.zeros_like(x) if tangent is None else tangent
            for x, tangent in zip(inputs, tangents, strict=True)
        ]
        return self.given_jvp(inputs, full, output, **params)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """Call the given rule, and check what it returns against the inputs."""
        if self.given_vjp is None:
            raise MissingRuleError.of(self.name, "vjp")
        result = self.given_vjp(cotangent, output, *inputs, **params)
        parts = result if isinstance(result, tuple | list) else (result,)
        if len(parts) != len(inputs):
            raise RuleOutputError(
                f"The vjp rule of {self.name!r} returned {len(parts)} cotangents for "
                f"{len(inputs)} inputs."
            )
        for number, (part, x) in enumerate(zip(parts, inputs, strict=True)):
            if part is not None and needed[number] is not None:
                given, expected = type_of(part), type_of(x)
                if given.shape != expected.shape:
                    raise RuleOutputError(
                        f"The vjp rule of {self.name!r} returned a cotangent of shape "
                        f"{given.shape} for input {number} of shape {expected.shape}."
                    )
        return parts


def wrap(
    function: Callable[..., Any],
    *,
    jvp: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    infer: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Callable[..., Any]:
    """Give a derivative to a NumPy or SciPy function that functrace cannot trace.

    Args:
        function: A function of arrays that returns an array, and does not change its inputs. Its
            positional arguments are the inputs; keyword arguments are parameters, which are not
            differentiated.
        vjp: ``vjp(cotangent, output, *inputs, **params)`` returns one cotangent for each input
            (or a tuple of them), of the input's shape; None for zero. Written with NumPy
            functions that have derivatives it gives higher derivatives too.
        jvp: ``jvp(inputs, tangents, output, **params)`` returns the output's tangent.
        infer: ``infer(*types, **params)`` returns the `ArrayType` of the output. Without it the
            function is called on arrays of ones to learn its output's type where a Program is
            recorded.
        name: The name in printed Programs; by default the function's own.

    Returns:
        A function that does the same on arrays, and is recorded as one operation on tracers.

    Raises:
        RuleOutputError: In reverse mode, where ``vjp`` does not return one cotangent for each
            input, of its shape.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> sinc = ft.extend.wrap(
        ...     np.sinc, vjp=lambda ct, out, x: ct * (np.cos(np.pi * x) - out) / x
        ... )
        >>> ft.grad(sinc)(0.5).round(6)
        np.float64(-1.273240)
    """
    base = name or getattr(function, "__name__", "function")
    base = base if base.isidentifier() else "function"
    unique = base if name is not None else f"wrapped_{base}_{next(_numbers)}"
    primitive = WrappedFunction(unique, function, jvp, vjp, infer)

    def wrapped(*inputs: Any, **params: Any) -> Any:
        return bind(primitive, *map(as_operand, inputs), **params)

    wrapped.__name__ = wrapped.__qualname__ = base
    wrapped.__doc__ = function.__doc__
    return wrapped
