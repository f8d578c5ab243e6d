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

from functrace import tree
from functrace.errors import MissingRuleError, OperandError, PrimitiveError, RuleOutputError
from functrace.ir.emission import Code
from functrace.ir.primitive import PRIMITIVES, Primitive, protect_names
from functrace.ir.types import ArrayType, type_of
from functrace.places import is_users_error, source_of, user_place
from functrace.primitives.elementwise import Elementwise
from functrace.primitives.linear import Linear, cast_to, conform
from functrace.tracing import Tracer, as_operand, bind, implements

__all__ = [
    "PRIMITIVES",
    "ArrayType",
    "Code",
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
        """Call the function; what it returns becomes an array of its own, or a NumPy scalar."""
        result = self.function(*inputs, **params)
        if type(result) is np.ndarray:
            # A view would let a write into the result change an input, which no one could trace.
            is_view = any(type(x) is np.ndarray and np.may_share_memory(result, x) for x in inputs)
            return result.copy() if is_view else result
        array = None if isinstance(result, tuple) else np.asarray(result)
        if array is None or array.dtype.kind not in "biufc":
            raise PrimitiveError(
                f"{self.name} returned a {type(result).__qualname__}, not an array of numbers.",
                source_of(user_place(2)),
                "Return one array. A function with several outputs is written as a Primitive "
                "with multiple_outputs = True (docs/add_a_primitive.md).",
            )
        return array[()]

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """Ask the given rule; without one, call the function on ones and look at the result."""
        if self.given_infer is not None:
            return self.given_infer(*types, **params)
        probes = [np.ones(type.shape, type.dtype)[()] for type in types]
        try:
            with np.errstate(all="ignore"):
                return type_of(self.run(*probes, **params))
        except Exception as error:
            shown = ", ".join(map(str, types))
            if is_users_error(error):
                error.add_note(
                    f"in {self.name}, called on ones of {shown} to learn the type of its output; "
                    "functrace.extend.wrap(..., infer=lambda *types: ArrayType(shape, dtype)) "
                    "gives it"
                )
                raise
            if type(error) in (ValueError, TypeError, IndexError):
                raise  # so it is with shapes or dtypes that do not fit
            raise MissingRuleError(
                f"The primitive {self.name!r} has no infer rule, and its function fails on ones "
                f"of {shown}: {type(error).__name__}: {error}",
                advice="Give the type of the output: "
                "functrace.extend.wrap(..., infer=lambda *types: ArrayType(shape, dtype)).",
            ) from error

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Call the given rule, with zeros for tangents that are zero, and check its result."""
        if self.given_jvp is None:
            raise MissingRuleError.of(self.name, "jvp")
        full = [
            np.zeros_like(x) if tangent is None else tangent
            for x, tangent in zip(inputs, tangents, strict=True)
        ]
        tangent = self.given_jvp(inputs, full, output, **params)
        return self._checked(tangent, output, "jvp", "a tangent", "the output")

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
        return [
            None if need is None else self._checked(part, x, "vjp", "a cotangent", f"input {n}")
            for n, (part, x, need) in enumerate(zip(parts, inputs, needed, strict=True))
        ]

    def _checked(self, part: Any, like: Any, rule: str, what: str, of: str) -> Any:
        """A rule's result in the dtype of the value that it belongs to, if its shape fits."""
        if part is None:
            return None
        given, expected = type_of(part), type_of(like)
        if given.shape != expected.shape:
            raise RuleOutputError(
                f"The {rule} rule of {self.name!r} returned {what} of shape {given.shape} for "
                f"{of} of shape {expected.shape}."
            )
        return part if given.dtype == expected.dtype else cast_to(part, expected.dtype)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Call the function for each example: nothing is known of it that would be faster."""
        moved = [
            x if axis is None else np.moveaxis(x, axis, 0)
            for x, axis in zip(inputs, axes, strict=True)
        ]
        results = [
            bind(
                self,
                *(x if a is None else x[i] for x, a in zip(moved, axes, strict=True)),
                **params,
            )
            for i in range(size)
        ]
        if results:
            return np.stack(results), 0
        types = [type_of(x) for x in moved]
        shapes = [t.shape if a is None else t.shape[1:] for t, a in zip(types, axes, strict=True)]
        examples = [ArrayType(s, t.dtype) for s, t in zip(shapes, types, strict=True)]
        output = self.infer(*examples, **params)
        return np.zeros((0, *output.shape), output.dtype), 0


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
        vjp: ``vjp(cotangent, output, *inputs, **params)`` returns the cotangent of the input, or
            a tuple with one for each input, of the input's shape; None for zero. Written with
            NumPy functions that have derivatives it gives higher derivatives too.
        jvp: ``jvp(inputs, tangents, output, **params)`` returns the output's tangent, of the
            output's shape. The tangents are one array for each input.
        infer: ``infer(*types, **params)`` returns the `ArrayType` of the output. Without it the
            function is called on arrays of ones to learn its output's type where a Program is
            recorded.
        name: The name in printed Programs; by default the function's own.

    Returns:
        A function that does the same on arrays, and is recorded as one operation on tracers. Its
        attribute ``primitive`` can be given to `functrace.testing.check_primitive`.

    Raises:
        PrimitiveError: There is neither ``vjp`` nor ``jvp``, or the name cannot be one.
        RuleOutputError: Later, where a rule returns something of another number or shape.
        OperandError: Later, where a keyword argument holds a traced value.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> sinc = ft.extend.wrap(
        ...     np.sinc, vjp=lambda ct, out, x: ct * (np.cos(np.pi * x) - out) / x
        ... )
        >>> ft.grad(sinc)(0.5).round(6)
        np.float64(-1.27324)
    """
    if vjp is None and jvp is None:
        raise PrimitiveError(
            "functrace.extend.wrap needs a derivative, vjp or jvp.",
            advice="Where the derivative is zero, say so: vjp=lambda ct, out, x: None.",
        )
    base = getattr(function, "__name__", "function") if name is None else name
    base = base if name is not None or base.isidentifier() else "function"
    unique = base if name is not None else f"wrapped_{base}_{next(_numbers)}"
    primitive = WrappedFunction(unique, function, jvp, vjp, infer)

    def wrapped(*inputs: Any, **params: Any) -> Any:
        for key, value in params.items():
            if any(isinstance(leaf, Tracer) for leaf in tree.leaves(value)):
                raise OperandError(
                    f"{base} was given a traced value as the keyword argument {key!r}, which is "
                    "not differentiated.",
                    source_of(user_place(1)),
                    "Pass it by position, or without its derivative: functrace.stop_gradient(x).",
                )
        return bind(primitive, *map(as_operand, inputs), **params)

    wrapped.__name__ = wrapped.__qualname__ = base
    wrapped.__doc__ = function.__doc__
    wrapped.primitive = primitive  # pyright: ignore[reportFunctionMemberAccess]
    return wrapped


# Whoever defines a primitive imports functrace, and with it this file, first. (The families above
# bring all of functrace's first-order primitives with them.)
protect_names()
