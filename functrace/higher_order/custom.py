"""custom_jvp and custom_vjp: functions whose derivative the user gives.

A call of such a function is one operation. Where nothing asks for a derivative it runs the
function; forward and reverse mode call the user's rules in its place. One rule is enough: the
other mode transposes it. On values the function and the rules run as ordinary Python; where a
value is not known the function is recorded first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from functrace import tree
from functrace.errors import (
    ArgumentError,
    CustomRuleError,
    FunctraceError,
    MissingRuleError,
    NonlinearRuleError,
)
from functrace.higher_order.branching import innermost_value
from functrace.higher_order.programs import (
    Pullback,
    closed,
    output_types,
    record_program,
)
from functrace.ir.primitive import Primitive
from functrace.ir.program import Program
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.linear import zeros_for, zeros_of_type
from functrace.tracing import (
    UNKNOWN,
    ProgramRecording,
    Tracer,
    as_operand,
    bind,
    source_of,
    user_place,
)
from functrace.transforms.batch import vmap
from functrace.transforms.evaluate import run_program
from functrace.transforms.transpose import transpose_program

P = ParamSpec("P")
R = TypeVar("R")


class Application:
    """A function with its rules, for arguments of one structure: everything in terms of leaves.

    Attributes:
        name: The function's name, for messages.
        run: Takes the leaves of the arguments, returns those of the output.
        jvp: Takes the leaves and their tangents, returns the output's leaves and their tangents;
            None if the user gave no such rule.
        forward: Takes the leaves, returns the output's leaves and the residuals, a tree.
        backward: Takes the residuals and the output's cotangents, returns one cotangent for each
            leaf, None for zero.
        captured: How many of the leaves, the last ones, are values that the function took from
            around it. Its rules cannot know of them.
    """

    def __init__(
        self,
        name: str,
        run: Callable[..., Any],
        jvp: Callable[..., Any] | None,
        forward: Callable[..., Any] | None,
        backward: Callable[..., Any] | None,
        captured: int = 0,
    ) -> None:
        self.name = name
        self.run = run
        self.jvp = jvp
        self.forward = forward
        self.backward = backward
        self.captured = captured
        self._types: dict[Any, tuple[ArrayType, ...]] = {}

    def __str__(self) -> str:
        return f"<function {self.name}>"

    def require_constant(self, derivatives: Sequence[Any]) -> None:
        """Check that nothing is asked of the captured leaves.

        Raises:
            CustomRuleError: One of them is differentiated.
        """
        count = len(derivatives) - self.captured
        if any(derivative is not None for derivative in derivatives[count:]):
            raise captured_error(self.name)

    def output_types(self, types: tuple[ArrayType, ...]) -> tuple[ArrayType, ...]:
        """The types of the output's leaves."""
        if types not in self._types:
            arguments = tree.structure((0,) * len(types))
            recorded = record_program(self.run, arguments, types)
            self._types[types] = output_types(recorded.program)
        return self._types[types]


def captured_error(name: str) -> CustomRuleError:
    """The error for a custom function that uses differentiated values from around it."""
    return CustomRuleError(
        f"{name} uses a differentiated value that is none of its arguments; its rules cannot know "
        "of it.",
        source_of(user_place(2)),
        "Pass the value as an argument.",
    )


class CustomCall(Primitive):
    """Call a function that has derivative rules of its own. Parameter: ``function``."""

    multiple_outputs = True
    holds_programs = True

    def run(self, *inputs: Any, function: Application) -> Any:
        """Call the function itself."""
        return tuple(function.run(*inputs))

    def infer(self, *types: ArrayType, function: Application) -> Any:
        """Record the function and look at its outputs."""
        return function.output_types(types)

    def push_forward(
        self, inputs: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Call the jvp rule, or transpose the vjp rule."""
        function: Application = params["function"]
        function.require_constant(tangents)
        if function.jvp is not None:
            outputs, pushed = function.jvp(inputs, tangents)
            return tuple(outputs), tuple(pushed)
        if function.forward is None or function.backward is None:
            raise MissingRuleError.of(function.name, "jvp")
        outputs, residuals = function.forward(*inputs)
        types = [type_of(x).strong for x in outputs]
        active = [number for number, type in enumerate(types) if type.is_inexact]
        backward = function.backward

        def pullback(*cotangents: Any) -> Sequence[Any]:
            full: list[Any] = [None] * len(types)
            for number, cotangent in zip(active, cotangents, strict=True):
                full[number] = cotangent
            parts = backward(residuals, full)
            return [
                0.0 if part is None else part
                for part, tangent in zip(parts, tangents, strict=True)
                if tangent is not None
            ]

        program = _recorded_linear(function, "vjp", pullback, [types[n] for n in active])
        found = transpose_program(program, [t for t in tangents if t is not None])
        pushed: list[Any] = [None] * len(types)
        for number, part in zip(active, found, strict=True):
            pushed[number] = part
        return tuple(outputs), tuple(pushed)

    def keep_residuals(
        self, inputs: Sequence[Any], needed: Sequence[Any], params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Call the forward half of the vjp rule, or record the jvp rule, to be transposed."""
        function: Application = params["function"]
        function.require_constant(needed)
        if function.forward is not None and function.backward is not None:
            backward = function.backward
            outputs, residuals = function.forward(*inputs)
            return tuple(outputs), Pullback(self.name, lambda cts: backward(residuals, cts))
        if function.jvp is None:
            raise MissingRuleError.of(function.name, "vjp")
        jvp = function.jvp
        active = [number for number, need in enumerate(needed) if need is not None]
        outputs: list[Any] = []
        types: list[ArrayType] = []

        def pushforward(*tangents: Any) -> Sequence[Any]:
            full: list[Any] = [None] * len(inputs)
            for number, tangent in zip(active, tangents, strict=True):
                full[number] = tangent
            primal, pushed = jvp(inputs, full)
            outputs.extend(primal)
            types.extend(type_of(x).strong for x in primal)
            return [0.0 if part is None else part for part in pushed]

        program = _recorded_linear(
            function, "jvp", pushforward, [type_of(inputs[n]).strong for n in active]
        )

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            given = [
                ct if type.is_inexact else None for ct, type in zip(cotangents, types, strict=True)
            ]
            parts: list[Any] = [None] * len(inputs)
            found = transpose_program(program, given)
            for number, part in zip(active, found, strict=True):
                parts[number] = part
            return parts

        return tuple(outputs), Pullback(self.name, pull_back)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Call the function for all examples, with rules for all examples."""
        function = _batched(params["function"], size, tuple(axes))
        outputs = bind(self, *inputs, function=function)
        return outputs, (0,) * len(outputs)


custom_call = CustomCall("custom_call")


def _recorded_linear(
    function: Application,
    rule: str,
    f: Callable[..., Sequence[Any]],
    types: Sequence[ArrayType],
) -> Program:
    """Record the rule that was given, to be transposed into the one that was not."""
    try:
        with ProgramRecording() as recording:
            inputs = [recording.input(type) for type in types]
            return recording.program(f(*inputs))
    except (NonlinearRuleError, CustomRuleError):
        raise
    except FunctraceError as error:
        raise NonlinearRuleError(
            f"{function.name} has no {'vjp' if rule == 'jvp' else 'jvp'} rule, and its {rule} rule "
            f"cannot be transposed, because it cannot be traced: {error.what}",
            error.where,
        ) from error


def _batched(function: Application, size: int, axes: tuple[int | None, ...]) -> Application:
    """The function and its rules for many examples, with outputs' examples along axis 0."""
    mapped = [axis is not None for axis in axes]

    def run(*leaves: Any) -> Any:
        return vmap(lambda *xs: list(function.run(*xs)), axes, 0, axis_size=size)(*leaves)

    def jvp(leaves: Sequence[Any], tangents: Sequence[Any]) -> Any:
        present = [tangent is not None for tangent in tangents]

        def one(leaves: Any, given: Any) -> Any:
            found = iter(given)
            return function.jvp(  # pyright: ignore[reportOptionalCall]
                leaves, [next(found) if on else None for on in present]
            )

        given = [tangent for tangent in tangents if tangent is not None]
        tangent_axes = [axis for axis, on in zip(axes, present, strict=True) if on]
        return vmap(one, (list(axes), tangent_axes), 0, axis_size=size)(list(leaves), given)

    def forward(*leaves: Any) -> Any:
        return vmap(function.forward, axes, 0, axis_size=size)(*leaves)  # pyright: ignore[reportArgumentType]

    def backward(residuals: Any, cotangents: Sequence[Any]) -> Any:
        present = [cotangent is not None for cotangent in cotangents]

        def one(residuals: Any, given: Any) -> Any:
            found = iter(given)
            full = [next(found) if on else None for on in present]
            return function.backward(residuals, full)  # pyright: ignore[reportOptionalCall]

        given = [cotangent for cotangent in cotangents if cotangent is not None]
        parts = vmap(one, (0, 0), 0, axis_size=size)(residuals, given)
        return [
            part
            if part is None
            else np.moveaxis(part, 0, axis)
            if is_mapped and axis is not None
            else np.sum(part, axis=0)
            for part, axis, is_mapped in zip(parts, axes, mapped, strict=True)
        ]

    has_vjp = function.backward is not None
    return Application(
        function.name,
        run,
        None if function.jvp is None else jvp,
        forward if has_vjp else None,
        backward if has_vjp else None,
        function.captured,
    )


class CustomFunction(Generic[P, R]):
    """A function with derivative rules that the user gives."""

    def __init__(self, f: Callable[P, R], nondiff_argnums: Sequence[int] = ()) -> None:
        """Wrap the function.

        Args:
            f: The function, of trees of arrays.
            nondiff_argnums: The positions of arguments that are no arrays, or are never
                differentiated: functions, strings, options. Rules get them first.
        """
        update_wrapper(self, f)
        self._f = f
        self._static = tuple(nondiff_argnums)
        self._jvp: Callable[..., Any] | None = None
        self._forward: Callable[..., Any] | None = None
        self._backward: Callable[..., Any] | None = None
        self._symbolic_zeros = False

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Give the forward rule; usable as a decorator.

        Args:
            jvp: ``jvp(*nondiff, primals, tangents)`` returns the output and its tangent, a tree
                like the output. ``primals`` and ``tangents`` are tuples with one entry for each
                argument that is not in ``nondiff_argnums``.
            symbolic_zeros: Whether tangents that are zero come as None, not as arrays of zeros.

        Returns:
            The rule.
        """
        self._jvp = jvp
        self._symbolic_zeros = symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Give one forward rule for each argument; the tangents are added.

        Args:
            jvps: ``jvp(tangent, output, *primals)`` returns the output's tangent for a tangent of
                that argument; None where the derivative is zero.
        """

        def jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            function: Any = self
            output = function(*primals)
            total: Any = None
            for rule, tangent in zip(jvps, tangents, strict=True):
                if rule is not None:
                    part = rule(tangent, output, *primals)
                    total = part if total is None else tree.map(np.add, total, part)
            return output, tree.map(np.zeros_like, output) if total is None else total

        self._jvp = jvp

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Give the reverse rule.

        Args:
            fwd: Takes the arguments of the function; returns the output and the residuals, a tree
                of whatever ``bwd`` will need.
            bwd: ``bwd(*nondiff, residuals, cotangent)`` returns a tuple with one cotangent for
                each argument that is not in ``nondiff_argnums``, a tree like the argument; None
                stands for zero.
        """
        self._forward, self._backward = fwd, bwd

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # As functions do: accessed on an object, a method with the object as first argument.
        function: Any = self
        return function if instance is None else partial(function, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function.

        Raises:
            MissingRuleError: It has no derivative rule yet.
            CustomRuleError: A rule returned a wrong structure, shape or dtype.
        """
        name = getattr(self._f, "__name__", "custom function")
        if self._jvp is None and self._backward is None:
            raise MissingRuleError(
                f"{name} has no derivative rule yet.",
                advice="Give one with defjvp or defvjp before the function is called.",
            )
        positional = _positional(self._f, args, kwargs)
        static = {n % len(positional) if n < 0 else n for n in self._static}
        fixed = [positional[n] for n in sorted(static)]
        dynamic = tuple(x for n, x in enumerate(positional) if n not in static)
        leaves, structure = tree.flatten(dynamic)
        leaves = [as_operand(leaf) for leaf in leaves]
        call = _Call(self, name, positional, static, fixed, structure)
        body: Program | None = None
        captured: list[Any] = []
        if any(innermost_value(x) is UNKNOWN for x in leaves):
            arguments = tree.structure((0,) * len(leaves))
            recorded = record_program(call.run, arguments, [type_of(x) for x in leaves])
            body, captured = closed(recorded.program)
        application = Application(
            name,
            call.run if body is None else partial(_run_body, body),
            None if self._jvp is None else call.without_captured(call.jvp, len(captured)),
            None if self._backward is None else call.forward_without(len(captured)),
            None if self._backward is None else call.backward_without(len(captured)),
            len(captured),
        )
        outputs = bind(custom_call, *leaves, *captured, function=application)
        return call.structure.unflatten(list(outputs))


def _run_body(body: Program, *leaves: Any) -> list[Any]:
    return run_program(body, leaves)


class _Call:
    """One call of a custom function: its rules in terms of leaves, with their results checked."""

    def __init__(
        self,
        custom: Any,
        name: str,
        positional: Sequence[Any],
        static: set[int],
        fixed: Sequence[Any],
        arguments: tree.Structure,
    ) -> None:
        self.custom = custom
        self.name = name
        self.count = len(positional)
        self.static = static
        self.fixed = list(fixed)
        self.arguments = arguments
        self.structure = tree.LEAF
        self.input_types: list[ArrayType] = []
        self.output_types: list[ArrayType] = []

    def all_arguments(self, leaves: Sequence[Any]) -> list[Any]:
        dynamic = iter(self.arguments.unflatten(list(leaves)))
        fixed = iter(self.fixed)
        return [next(fixed if n in self.static else dynamic) for n in range(self.count)]

    def run(self, *leaves: Any) -> list[Any]:
        outputs, self.structure = tree.flatten(self.custom._f(*self.all_arguments(leaves)))
        return [as_operand(x) for x in outputs]

    def jvp(self, leaves: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        given = [
            zeros_for(x)
            if tangent is None and type_of(x).is_inexact and not self.custom._symbolic_zeros
            else tangent
            for x, tangent in zip(leaves, tangents, strict=True)
        ]
        result = self.custom._jvp(
            *self.fixed, self.arguments.unflatten(list(leaves)), self.arguments.unflatten(given)
        )
        if not isinstance(result, tuple | list) or len(result) != 2:  # pyright: ignore[reportUnknownArgumentType]
            raise self.wrong("jvp", f"a {type(result).__qualname__}", "a pair (output, tangent)")  # pyright: ignore[reportUnknownArgumentType]
        output, pushed = result
        outputs, self.structure = tree.flatten(output)
        outputs = [as_operand(x) for x in outputs]
        try:
            parts = self.structure.flatten_up_to(pushed)
        except FunctraceError:
            raise self.wrong(
                "jvp", f"a tangent like {tree.structure(pushed)}", f"one like {self.structure}"
            ) from None
        types = [type_of(x) for x in outputs]
        return outputs, self.checked("jvp", parts, types, self.structure, "the output")

    def forward(self, *leaves: Any) -> tuple[list[Any], Any]:
        result = self.custom._forward(*self.all_arguments(leaves))
        if not isinstance(result, tuple | list) or len(result) != 2:  # pyright: ignore[reportUnknownArgumentType]
            raise self.wrong("fwd", f"a {type(result).__qualname__}", "a pair (output, residuals)")  # pyright: ignore[reportUnknownArgumentType]
        output, residuals = result
        outputs, self.structure = tree.flatten(output)
        outputs = [as_operand(x) for x in outputs]
        self.input_types = [type_of(x) for x in leaves]
        self.output_types = [type_of(x) for x in outputs]
        return outputs, residuals

    def backward(self, residuals: Any, cotangents: Sequence[Any]) -> list[Any]:
        full = [
            zeros_of_type(type.strong) if cotangent is None and type.is_inexact else cotangent
            for cotangent, type in zip(cotangents, self.output_types, strict=True)
        ]
        found = self.custom._backward(*self.fixed, residuals, self.structure.unflatten(full))
        expected = self.arguments.num_children
        if not isinstance(found, tuple | list):
            raise self.wrong("bwd", f"a {type(found).__qualname__}", f"a tuple of {expected}")
        if len(found) != expected:  # pyright: ignore[reportUnknownArgumentType]
            raise self.wrong("bwd", f"{len(found)} cotangents", f"{expected}, one an argument")  # pyright: ignore[reportUnknownArgumentType]
        parts: list[Any] = []
        for number, (part, child) in enumerate(
            zip(found, self.arguments.children(), strict=True)  # pyright: ignore[reportUnknownArgumentType]
        ):
            if part is None:
                parts += [None] * child.num_leaves
                continue
            try:
                parts += child.flatten_up_to(part)
            except FunctraceError:
                raise self.wrong(
                    "bwd",
                    f"for argument {number} a cotangent like {tree.structure(part)}",
                    f"one like {child}",
                ) from None
        return self.checked("bwd", parts, self.input_types, self.arguments, "the argument")

    def checked(
        self,
        rule: str,
        parts: Sequence[Any],
        types: Sequence[ArrayType],
        structure: tree.Structure,
        of: str,
    ) -> list[Any]:
        """Tangents or cotangents, once they are known to fit."""
        checked: list[Any] = []
        for part, expected, path in zip(parts, types, structure.paths(), strict=True):
            if part is None or not expected.is_inexact:
                checked.append(None)
                continue
            try:
                given = type_of(part)
            except TypeError:
                raise self.wrong(rule, f"a {type(part).__qualname__}", f"{expected}") from None
            fits = given.shape == expected.shape and (given.weak or given.dtype == expected.dtype)
            if not fits:
                raise self.wrong(rule, f"{given} for {of}{tree.keystr(path)}", f"{expected.strong}")
            plain = given.weak and not isinstance(part, Tracer)
            checked.append(expected.dtype.type(part) if plain else as_operand(part))
        return checked

    def wrong(self, rule: str, given: str, expected: str) -> CustomRuleError:
        return CustomRuleError(
            f"The {rule} rule of {self.name} returned {given}; expected {expected}."
        )

    # Captured values come after the leaves of the arguments; rules know nothing of them.

    def without_captured(self, rule: Callable[..., Any], captured: int) -> Callable[..., Any]:
        if not captured:
            return rule

        def jvp(leaves: Sequence[Any], tangents: Sequence[Any]) -> Any:
            count = len(leaves) - captured
            return rule(leaves[:count], tangents[:count])

        return jvp

    def forward_without(self, captured: int) -> Callable[..., Any]:
        return lambda *leaves: self.forward(*leaves[: len(leaves) - captured])

    def backward_without(self, captured: int) -> Callable[..., Any]:
        return lambda kept, cts: [*self.backward(kept, cts), *[None] * captured]


def _positional(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments as positional ones, with defaults filled in."""
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except ValueError:
        if kwargs:
            raise ArgumentError(
                "This function has no signature, so its arguments cannot be passed by keyword."
            ) from None
        return args
    bound.apply_defaults()
    if bound.kwargs:
        raise ArgumentError(
            f"The keyword-only arguments {sorted(bound.kwargs)} cannot be differentiated.",
            advice="Make them positional parameters, or bind them with functools.partial.",
        )
    return bound.args


def custom_jvp(fun: Callable[P, R], nondiff_argnums: Sequence[int] = ()) -> CustomFunction[P, R]:
    """Make a function whose forward rule is given by ``defjvp``; reverse mode transposes it.

    Args:
        fun: The function, of trees of arrays.
        nondiff_argnums: The positions of arguments that are not differentiated.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> @ft.custom_jvp
        ... def log1pexp(x):
        ...     return np.log(1 + np.exp(x))
        >>> @log1pexp.defjvp
        ... def log1pexp_jvp(primals, tangents):
        ...     (x,), (t,) = primals, tangents
        ...     return log1pexp(x), t * (1 - 1 / (1 + np.exp(x)))
        >>> ft.grad(log1pexp)(0.0)
        np.float64(0.5)
    """
    return CustomFunction(fun, nondiff_argnums)


def custom_vjp(fun: Callable[P, R], nondiff_argnums: Sequence[int] = ()) -> CustomFunction[P, R]:
    """Make a function whose reverse rule is given by ``defvjp``; forward mode transposes it.

    Args:
        fun: The function, of trees of arrays.
        nondiff_argnums: The positions of arguments that are not differentiated.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> @ft.custom_vjp
        ... def clip_gradient(low, high, x):
        ...     return x
        >>> clip_gradient.defvjp(
        ...     lambda low, high, x: (x, (low, high)),
        ...     lambda bounds, ct: (None, None, np.clip(ct, *bounds)),
        ... )
        >>> ft.grad(lambda x: clip_gradient(-1.0, 1.0, x) * 5)(2.0)
        np.float64(1.0)
    """
    return CustomFunction(fun, nondiff_argnums)
