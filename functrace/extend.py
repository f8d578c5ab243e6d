"""For authors of primitives, and of what reads Programs: everything that these are written with.

A primitive is a subclass of `Primitive` (or of a family, `Linear` or `Elementwise`) with its rules
as methods, exactly as the built-in ones are written; ``docs/add_a_primitive.md`` walks through
one. To give a derivative to a function that is already there, `wrap` is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import count
from types import CodeType
from typing import Any, TypeVar

import numpy as np

from functrace import tree
from functrace.errors import MissingRuleError, OperandError, PrimitiveError, RuleOutputError
from functrace.ir import primitive as _primitive
from functrace.ir.emission import Code
from functrace.ir.primitive import PRIMITIVES, Values
from functrace.ir.program import Constant, Equation, Program, Source, Variable
from functrace.ir.structure import Choice, Loop, Run, structure_of
from functrace.ir.types import ArrayType, type_of
from functrace.primitives import elementwise as _elementwise
from functrace.primitives import linear as _linear
from functrace.primitives.linear import cast_to, conform
from functrace.tracebacks import boundary
from functrace.tracing.implementing import implements as implements_first
from functrace.tracing.operands import as_operand
from functrace.tracing.places import OWN_FOLDER, is_users_error, source_of, user_place
from functrace.tracing.tracer import Tracer
from functrace.tracing.tracer import bind as bind_primitive
from functrace.transforms.transformed import require_callable

__all__ = [
    "PRIMITIVES",
    "ArrayType",
    "Choice",
    "Code",
    "Constant",
    "Elementwise",
    "Equation",
    "Linear",
    "Loop",
    "Primitive",
    "Program",
    "Run",
    "Variable",
    "bind",
    "conform",
    "implements",
    "structure_of",
    "type_of",
    "wrap",
]

bind = boundary(bind_primitive)

_numbers = count(1)


# Rules of the user's: what they return is checked, so that no slip becomes a wrong number


class _Checked:
    """What is particular to users' primitives: what their derivative rules return is looked at."""

    is_own = False
    is_total = False
    batches_at_once = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, checked in (("jvp", _checked_jvp), ("vjp", _checked_vjp)):
            rule = getattr(cls, name)
            if not hasattr(rule, "__wrapped__"):
                setattr(cls, name, wraps(rule)(checked(rule)))


def _checked_vjp(rule: Callable[..., Any]) -> Callable[..., Any]:
    def vjp(
        self: Any, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        parts = rule(self, cotangent, inputs, output, needed, **params)
        if not isinstance(parts, tuple | list):
            raise _returned(
                self, "vjp", rule, f"{_described(parts)} for {len(inputs)} inputs",
                "Return a tuple with one cotangent for each input, such as (cotangent,).",
            )  # fmt: skip
        if len(parts) != len(inputs):
            raise _returned(
                self, "vjp", rule, f"{len(parts)} cotangents for {len(inputs)} inputs",
                RuleOutputError.advice,
            )  # fmt: skip
        return tuple(
            None if need is None else _fitted(self, "vjp", rule, part, x, f"input {number}")
            for number, (part, x, need) in enumerate(zip(parts, inputs, needed, strict=True))
        )

    return vjp


def _checked_jvp(rule: Callable[..., Any]) -> Callable[..., Any]:
    def jvp(self: Any, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        result = rule(self, inputs, tangents, output, **params)
        if not self.multiple_outputs:
            return _fitted(self, "jvp", rule, result, output, "the output")
        if not isinstance(result, tuple | list) or len(result) != len(output):
            many = isinstance(result, tuple | list)
            raise _returned(
                self, "jvp", rule,
                f"{f'{len(result)} tangents' if many else _described(result)} for "
                f"{len(output)} outputs",
                "Return a tuple with one tangent for each output; None stands for zero.",
            )  # fmt: skip
        return tuple(
            _fitted(self, "jvp", rule, part, y, f"output {number}")
            for number, (part, y) in enumerate(zip(result, output, strict=True))
        )

    return jvp


def _fitted(
    primitive: Any, name: str, rule: Callable[..., Any], part: Any, like: Any, of: str
) -> Any:
    """A rule's result in the dtype of the value that it belongs to, if its shape fits."""
    if part is None:
        return None
    expected = type_of(like)
    if not expected.is_inexact:
        return None  # whole numbers have no derivative
    what = "cotangent" if name == "vjp" else "tangent"
    try:
        given = type_of(part)
    except TypeError:
        raise _returned(
            primitive, name, rule, f"{_described(part)} for {of}, a {expected}",
            f"Return the {what} as an array of the shape {expected.shape}; None stands for zero.",
        ) from None  # fmt: skip
    if given.shape != expected.shape:
        raise _returned(
            primitive, name, rule,
            f"a {what} of shape {given.shape} for {of} of shape {expected.shape}",
            f"Return one {what} for each {'input' if name == 'vjp' else 'output'}, of its shape. "
            "functrace.testing.check_primitive(primitive, *inputs) tells whether rules are right.",
        )  # fmt: skip
    return part if given.dtype == expected.dtype else cast_to(part, expected.dtype)


def _described(x: Any) -> str:
    return f"a {type(x).__qualname__}" if not isinstance(x, Tracer | np.ndarray) else "an array"


def _returned(
    primitive: Any, name: str, rule: Callable[..., Any], what: str, advice: str
) -> RuleOutputError:
    given = getattr(primitive, f"given_{name}", rule)  # a function that was given to `wrap`
    code: CodeType | None = getattr(given, "__code__", None)
    is_theirs = code is not None and not code.co_filename.startswith(OWN_FOLDER)
    where = f" (The rule is at {Source(code, -1)}.)" if code is not None and is_theirs else ""
    return RuleOutputError(
        f"The {name} rule of {primitive.name!r} returned {what}.", advice=advice + where
    )


class Primitive(_Checked, _primitive.Primitive):
    """An operation of your own. What its derivative rules return is checked.

    Example:
        >>> import functrace as ft
        >>> class Squares(ft.extend.Primitive):
        ...     def run(self, x):
        ...         return x * x
        ...
        ...     def infer(self, x):
        ...         return x
        ...
        ...     def jvp(self, inputs, tangents, output):
        ...         return 2 * inputs[0] * tangents[0]
        >>> squares = Squares("squares_of_an_example")
        >>> ft.jvp(lambda x: ft.extend.bind(squares, x), (3.0,), (1.0,))
        (9.0, np.float64(6.0))
    """


class Linear(_Checked, _linear.Linear):
    """A linear operation of your own, which states its transpose. What that returns is checked.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> class Backwards(ft.extend.Linear):
        ...     def run(self, x):
        ...         return x[::-1].copy()
        ...
        ...     def infer(self, x):
        ...         return x
        ...
        ...     def transpose(self, cotangent, input):
        ...         return cotangent[::-1]
        >>> backwards = Backwards("backwards_of_an_example")
        >>> ft.grad(lambda x: ft.extend.bind(backwards, x)[0])(np.array([1.0, 2.0, 3.0]))
        array([0., 0., 1.])
    """


class Elementwise(_Checked, _elementwise.Elementwise):
    """An operation of your own on each element, which states its partial derivatives.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> cubes = ft.extend.Elementwise(
        ...     "cubes_of_an_example", np.exp, lambda t, out, x: t * 3 * x**2, run=lambda x: x**3
        ... )
        >>> ft.grad(lambda x: ft.extend.bind(cubes, x))(2.0)
        np.float64(12.0)
    """


# A function that is there already


_DISPATCHED = np.ufunc | type(np.sum)
"""What hands traced values over: ufuncs, NumPy's and others', and NumPy's other functions."""

F = TypeVar("F", bound=Callable[..., Any])


@boundary
def implements(*functions: Callable[..., Any]) -> Callable[[F], F]:
    """Say what a function of NumPy, or a ufunc of any package, means on traced values.

    Args:
        functions: Functions that ask their arguments, as NumPy's protocols have it: NumPy's own
            functions, and ufuncs. What was entered for them before is replaced.

    Returns:
        A decorator that enters an implementation, and returns it. The implementation has the
        signature of the function (that of a ufunc: its operands) and calls `bind`, or NumPy.

    Raises:
        PrimitiveError: The function never asks: it would be entered to no effect.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> square_of = np.frompyfunc(lambda x: x * x, 1, 1)
        >>> @ft.extend.implements(square_of)
        ... def implementation(x):
        ...     return x**2
        >>> ft.grad(square_of)(3.0)
        np.float64(6.0)
    """
    for function in functions:
        if not isinstance(function, _DISPATCHED):
            name = getattr(function, "__qualname__", repr(function))
            raise PrimitiveError(
                f"{name} does not hand traced values over, so that nothing would be called for it.",
                source_of(user_place(1)),
                "Give it a derivative under a name of your own: functrace.extend.wrap(function, "
                "vjp=...).",
            )
    return implements_first(*functions)


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

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Call the given rule, with zeros for tangents that are zero."""
        if self.given_jvp is None:
            raise MissingRuleError.of(self.name, "jvp")
        full = [
            np.zeros_like(x) if tangent is None else tangent
            for x, tangent in zip(inputs, tangents, strict=True)
        ]
        return self.given_jvp(inputs, full, output, **params)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """Call the given rule; of one input its cotangent may stand alone."""
        if self.given_vjp is None:
            raise MissingRuleError.of(self.name, "vjp")
        result = self.given_vjp(cotangent, output, *inputs, **params)
        return result if isinstance(result, tuple | list) else (result,)

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
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


@boundary
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
    require_callable(function, "extend.wrap", "function")
    if vjp is None and jvp is None:
        raise PrimitiveError(
            "functrace.extend.wrap needs a derivative, vjp or jvp.",
            advice="Where the derivative is zero, say so: vjp=lambda ct, out, x: None.",
        )
    base = getattr(function, "__name__", "function") if name is None else name
    base = base if name is not None or base.isidentifier() else "function"
    unique = base if name is not None else f"wrapped_{base}_{next(_numbers)}"
    primitive = WrappedFunction(unique, function, jvp, vjp, infer)

    @boundary
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


def __dir__() -> list[str]:
    return sorted(__all__)
