"""custom_jvp and custom_vjp: functions whose derivative the user gives.

A call of such a function is one operation. Where nothing asks for a derivative it runs the
function; forward and reverse mode call the user's rules in its place. One rule is enough: the
other mode transposes it. On values the function and the rules run as ordinary Python; where a
value is not known the function is recorded first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, update_wrapper
from itertools import islice
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar, cast, overload

import numpy as np

from functrace import depth, tree
from functrace.errors import (
    ArgumentError,
    AxisNameError,
    CustomRuleError,
    FunctraceError,
    MissingRuleError,
    NonlinearRuleError,
    OperandError,
    UnknownValueError,
)
from functrace.higher_order.branching import innermost_value
from functrace.higher_order.programs import (
    Pullback,
    batched,
    closed,
    closed_together,
    in_front,
    output_types,
    record_program,
)
from functrace.higher_order.ruleless import ruleless
from functrace.ir.primitive import Primitive
from functrace.ir.program import Program
from functrace.ir.types import UNKNOWN, ArrayType, type_of
from functrace.primitives.linear import zeros_for, zeros_of_type
from functrace.tracebacks import boundary
from functrace.tracing import (
    ProgramRecording,
    Tracer,
    as_operand,
    bind,
    identity_of,
    is_recording,
    new_memory,
    source_of,
    user_place,
)
from functrace.transforms.arguments import fits, operands, parameter_name
from functrace.transforms.batch import NamedAxis, batch_program, named_axes, vmap, with_named_axes
from functrace.transforms.calling import call_apart, owned
from functrace.transforms.evaluate import run_program
from functrace.transforms.transformed import importable_name, require_callable
from functrace.transforms.transpose import LinearValue, transpose_program
from functrace.views import layouts_of

P = ParamSpec("P")
R = TypeVar("R")
Self_ = TypeVar("Self_")
Rest = ParamSpec("Rest")


@dataclass(frozen=True)
class CustomVJPPrimal:
    """What ``fwd`` takes for each leaf of the arguments under ``defvjp(..., symbolic_zeros=True)``.

    Attributes:
        value: The leaf.
        perturbed: Whether a derivative by it is asked for.
    """

    value: Any
    perturbed: bool


PullBack = Callable[[Sequence[Any], Sequence[Any]], "list[Any]"]
"""Takes the residuals and the outputs' cotangents; gives a cotangent for each leaf, None for zero.
"""


class Residuals(NamedTuple):
    """What the forward half of a reverse rule keeps.

    Attributes:
        traced: The residuals that are traced values: those that a map maps.
        pull_back: The backward half; it holds the other residuals.
        is_opaque: Whether it holds objects that may hold traced values unseen, as functions do.
    """

    traced: list[Any]
    pull_back: PullBack
    is_opaque: bool


class Application:
    """A function with its rules, for arguments of one structure: everything in terms of leaves.

    The leaves are those of the arguments, and after them hidden ones: values that the function or
    its rules took from around them, and the numbers of the examples of named maps. There is no
    derivative by hidden leaves.

    Attributes:
        name: The function's name, for messages.
        run: Takes the leaves, returns those of the output.
        jvp: Takes the leaves and their tangents, returns the output's leaves and their tangents;
            None if the user gave no such rule.
        forward: Takes the leaves, and which of them are differentiated; returns the output's
            leaves and the `Residuals`.
        hidden: How many of the leaves, the last ones, are hidden.
        numbers: The positions of the hidden leaves that are numbers of examples.
        of_rules: The positions of those that the rules take, and the function does not.
        leaves: The leaves that it is applied to, while it is: a function may depend on how they
            lie in memory.
        layouts: How they do, by `layouts_of`, if that makes a difference.
    """

    leaves: Sequence[Any] = ()
    layouts: Sequence[Any] = ()

    def __init__(
        self,
        name: str,
        run: Callable[..., Any],
        jvp: Callable[..., Any] | None,
        forward: Callable[[Sequence[Any], Sequence[bool]], tuple[Any, Residuals]] | None,
        hidden: int = 0,
        numbers: frozenset[int] = frozenset(),
        of_rules: frozenset[int] = frozenset(),
    ) -> None:
        self.name = name
        self.run = run
        self.jvp = jvp
        self.forward = forward
        self.hidden = hidden
        self.numbers = numbers
        self.of_rules = of_rules
        self._programs: dict[Any, Program] = {}

    def __str__(self) -> str:
        return f"<function {self.name}>"

    def is_constant(self, derivatives: Sequence[Any]) -> bool:
        """Whether no argument is differentiated, so that the function is called and no rule.

        Raises:
            CustomRuleError: A hidden leaf is, that what is called would have to know of.
        """
        count = len(derivatives) - self.hidden
        active = [number for number, x in enumerate(derivatives) if x is not None]
        is_constant = all(number in self.of_rules for number in active)
        if not is_constant and any(number >= count for number in active):
            raise captured_error(self.name)
        return is_constant

    def place(self, inputs: Sequence[Any]) -> None:
        """Let values for the leaves lie in memory as the leaves do: rules depend on it, too."""
        for x, layout in zip(inputs, self.layouts, strict=False):
            if type(x) is Tracer and x.memory is None and isinstance(layout, np.ndarray):
                x.memory = new_memory(layout)

    def program(self, types: tuple[ArrayType, ...]) -> Program:
        """The function as a Program; it may capture tracers."""
        if types not in self._programs:
            arguments = tree.structure((0,) * len(types))
            recorded = record_program(self.run, arguments, types, like=self.leaves)
            self._programs[types] = recorded.program
            if recorded.layouts and not recorded.row_major:
                self.layouts = layouts_of(self.leaves)
        return self._programs[types]


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
    calls_python = True
    holds_programs = True
    makes_zero_tangents = True  # by the user's rules, perhaps

    def run(self, *inputs: Any, function: Application) -> Any:
        """Call the function itself."""
        return tuple(function.run(*inputs))

    def infer(self, *types: ArrayType, function: Application) -> Any:
        """Record the function and look at its outputs."""
        return output_types(function.program(types))

    def inlined(self, types: Sequence[ArrayType], params: dict[str, Any]) -> Any:
        """The recorded function: its rules are needed no more."""
        return params["function"].program(tuple(types))

    def portable(
        self, types: Sequence[ArrayType], params: dict[str, Any]
    ) -> tuple[Primitive, dict[str, Any]]:
        """The recorded function, without its rules."""
        function: Application = params["function"]
        name = "".join(c if c.isalnum() else "_" for c in function.name)
        return ruleless, {"program": function.program(tuple(types)), "function": name}

    def push_forward(
        self, inputs: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Call the jvp rule, or transpose the vjp rule."""
        function: Application = params["function"]
        if function.is_constant(tangents):
            outputs = bind(self, *inputs, function=function)
            return outputs, (None,) * len(outputs)
        function.place(inputs)
        if function.jvp is not None:
            outputs, pushed = function.jvp(inputs, tangents)
            return tuple(outputs), tuple(pushed)
        if function.forward is None:
            raise MissingRuleError.of(function.name, "jvp")
        outputs, residuals = function.forward(inputs, [t is not None for t in tangents])
        types = [type_of(x).strong for x in outputs]
        active = [number for number, type in enumerate(types) if type.is_inexact]

        def pullback(*cotangents: Any) -> Sequence[Any]:
            full: list[Any] = [None] * len(types)
            for number, cotangent in zip(active, cotangents, strict=True):
                full[number] = cotangent
            parts = residuals.pull_back(residuals.traced, full)
            return [
                0.0 if part is None else part
                for part, tangent in zip(parts, tangents, strict=True)
                if tangent is not None
            ]

        program = _recorded_linear(function, "vjp", pullback, [types[n] for n in active])
        given = [tangent for tangent in tangents if tangent is not None]
        found = _transposed_rule(function, "vjp", program, given)
        pushed: list[Any] = [None] * len(types)
        for number, part in zip(active, found, strict=True):
            pushed[number] = part
        return tuple(outputs), tuple(pushed)

    def keep_residuals(
        self, inputs: Sequence[Any], needed: Sequence[Any], params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Call the forward half of the vjp rule, or record the jvp rule, to be transposed."""
        function: Application = params["function"]
        if function.is_constant(needed):
            outputs = bind(self, *inputs, function=function)
            nothing = [None] * len(inputs)
            return outputs, Pullback(self.name, lambda cts: nothing, frozenset(range(len(outputs))))
        function.place(inputs)
        if function.forward is not None:
            outputs, residuals = function.forward(inputs, [need is not None for need in needed])
            traced, pull_back = residuals.traced, residuals.pull_back
            pullback = Pullback(self.name, lambda cts: pull_back(traced, cts), makes_zeros=True)
            return tuple(outputs), pullback
        if function.jvp is None:
            raise MissingRuleError.of(function.name, "vjp")
        jvp = function.jvp
        active = [number for number, need in enumerate(needed) if need is not None]
        outputs: list[Any] = []
        types: list[ArrayType] = []
        constant: set[int] = set()

        def pushforward(*tangents: Any) -> Sequence[Any]:
            full: list[Any] = [None] * len(inputs)
            for number, tangent in zip(active, tangents, strict=True):
                full[number] = tangent
            primal, pushed = jvp(inputs, full)
            outputs.extend(primal)
            types.extend(type_of(x).strong for x in primal)
            constant.update(number for number, part in enumerate(pushed) if part is None)
            return [0.0 if part is None else part for part in pushed]

        program = _recorded_linear(
            function, "jvp", pushforward, [type_of(inputs[n]).strong for n in active]
        )

        def pull_back_jvp(cotangents: Sequence[Any]) -> Sequence[Any]:
            given = [
                ct if type.is_inexact else None for ct, type in zip(cotangents, types, strict=True)
            ]
            parts: list[Any] = [None] * len(inputs)
            found = _transposed_rule(function, "jvp", program, given)
            for number, part in zip(active, found, strict=True):
                parts[number] = part
            return parts

        pullback = Pullback(self.name, pull_back_jvp, frozenset(constant), makes_zeros=True)
        return tuple(outputs), pullback

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose of the function itself, where it is applied to tangents, say."""
        function: Application = params["function"]
        types = tuple(x.type if isinstance(x, LinearValue) else type_of(x) for x in inputs)
        program, captured = closed(function.program(types))
        known = {
            variable: x
            for variable, x in zip(program.inputs, [*inputs, *captured], strict=True)
            if not isinstance(x, LinearValue)
        }
        parts = iter(transpose_program(program, cotangent, known))
        return [next(parts) if isinstance(x, LinearValue) else None for x in inputs]

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Call the function for all examples, with rules for all examples."""
        function: Application = params["function"]
        outputs = bind(self, *inputs, function=_batched(function, size, tuple(axes)))
        if any(axis is not None and n not in function.numbers for n, axis in enumerate(axes)):
            return outputs, (0,) * len(outputs)
        # Examples can only differ here by their numbers. An output that is the same for all, as a
        # sum over examples is, stays one; by the contract its derivative is the same, too.
        types = tuple(
            type if axis is None else _of_one(type, axis)
            for type, axis in zip(map(type_of, inputs), axes, strict=True)
        )
        program, captured = closed(function.program(types))
        found = batched(program, size, (*axes, *[None] * len(captured))).axes
        return (
            tuple(x[0] if axis is None else x for x, axis in zip(outputs, found, strict=True)),
            tuple(None if axis is None else 0 for axis in found),
        )


custom_call = CustomCall("custom_call")


def _recorded_linear(
    function: Application,
    rule: str,
    f: Callable[..., Sequence[Any]],
    types: Sequence[ArrayType],
) -> Program:
    """Record the rule that was given, to be transposed into the one that was not."""
    try:
        with ProgramRecording(holds_effects=False) as recording:
            inputs = [recording.input(type) for type in types]
            return recording.program(f(*inputs))
    except (NonlinearRuleError, CustomRuleError, ArgumentError, AxisNameError):
        raise
    except FunctraceError as error:
        raise NonlinearRuleError(
            f"{_why_transposed(function, rule)} it cannot be traced: {error.what}", error.where
        ) from error


def _transposed_rule(
    function: Application, rule: str, program: Program, cotangents: Sequence[Any]
) -> list[Any]:
    """Apply the transpose of the rule that was given."""
    try:
        return transpose_program(program, cotangents)
    except NonlinearRuleError as error:
        raise NonlinearRuleError(
            f"{_why_transposed(function, rule)} it is not linear: {error.what}", error.where
        ) from error


def _why_transposed(function: Application, rule: str) -> str:
    other = "vjp" if rule == "jvp" else "jvp"
    return f"{function.name} has no {other} rule, and its {rule} rule cannot be transposed, because"


def _batched(function: Application, size: int, axes: tuple[int | None, ...]) -> Application:
    """The function and its rules for many examples, with outputs' examples along axis 0."""

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

    def forward(leaves: Sequence[Any], perturbed: Sequence[bool]) -> tuple[Any, Residuals]:
        kept: list[Residuals] = []

        def one(*leaves: Any) -> list[Any]:
            outputs, residuals = function.forward(leaves, perturbed)  # pyright: ignore[reportOptionalCall]
            if residuals.is_opaque:
                residuals = _transparent(residuals, [type_of(x).strong for x in outputs])
            kept.append(residuals)
            return [*outputs, *residuals.traced]

        values, value_axes = _mapped(one, size, leaves, axes)
        residuals = kept[0]
        count = len(values) - len(residuals.traced)
        outputs = [
            in_front(x, axis, size)
            for x, axis in zip(values[:count], value_axes[:count], strict=True)
        ]
        traced_axes = value_axes[count:]

        def pull_back(traced: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
            present = [cotangent is not None for cotangent in cotangents]
            given = [cotangent for cotangent in cotangents if cotangent is not None]
            has_part: list[bool] = []

            def one(*inputs: Any) -> list[Any]:
                found = iter(inputs[len(traced) :])
                parts = residuals.pull_back(
                    inputs[: len(traced)], [next(found) if on else None for on in present]
                )
                has_part[:] = [part is not None for part in parts]
                return [part for part in parts if part is not None]

            found, found_axes = _mapped(
                one, size, [*traced, *given], [*traced_axes, *[0] * len(given)]
            )
            each = iter(in_front(x, axis, size) for x, axis in zip(found, found_axes, strict=True))
            parts = [next(each) if on else None for on in has_part]
            return [
                part
                if part is None
                else np.sum(part, axis=0)
                if axis is None
                else np.moveaxis(part, 0, axis)
                for part, axis in zip(parts, axes, strict=True)
            ]

        return outputs, Residuals(values[count:], pull_back, is_opaque=False)

    return Application(
        function.name,
        run,
        None if function.jvp is None else jvp,
        None if function.forward is None else forward,
        function.hidden,
        function.numbers,
        function.of_rules,
    )


def _mapped(
    f: Callable[..., list[Any]], size: int, inputs: Sequence[Any], axes: Sequence[int | None]
) -> tuple[list[Any], list[int | None]]:
    """Map a function of leaves; of each output, its batch axis too, None where all are the same."""
    with ProgramRecording() as recording:
        given = [
            x if axis is None else recording.input(_of_one(type_of(x), axis))
            for x, axis in zip(inputs, axes, strict=True)
        ]
        program = recording.program([as_operand(x) for x in f(*given)])
    batched_inputs = [x for x, axis in zip(inputs, axes, strict=True) if axis is not None]
    return batch_program(program, size, batched_inputs, [axis for axis in axes if axis is not None])


def _of_one(type: ArrayType, axis: int) -> ArrayType:
    """The type of one example."""
    return ArrayType((*type.shape[:axis], *type.shape[axis + 1 :]), type.dtype)


def _transparent(residuals: Residuals, types: Sequence[ArrayType]) -> Residuals:
    """The same residuals as traced values and a Program, which outlive the recording around."""
    pull_back = residuals.pull_back
    body, captured, present = _recorded_pull_back(
        lambda cotangents: pull_back(residuals.traced, cotangents), types
    )
    return Residuals(captured, _pull_back_by(body, present, types), is_opaque=False)


def _recorded_pull_back(
    pull_back: Callable[[Sequence[Any]], Sequence[Any]], types: Sequence[ArrayType]
) -> tuple[Program, list[Any], list[bool]]:
    """Record a pullback.

    Returns:
        A Program that takes the cotangents, of those outputs that can have one, and what it
        captured; what it captured; and for which leaves it gives cotangents.
    """
    with ProgramRecording() as recording:
        cotangents = [recording.input(type) if type.is_inexact else None for type in types]
        parts = pull_back(cotangents)
        program = recording.program([part for part in parts if part is not None])
    body, captured = closed(program)
    return body, captured, [part is not None for part in parts]


def _pull_back_by(body: Program, present: Sequence[bool], types: Sequence[ArrayType]) -> PullBack:
    """The pullback that such a Program computes."""

    def pull_back(traced: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        given = [
            zeros_of_type(type) if cotangent is None else cotangent
            for cotangent, type in zip(cotangents, types, strict=True)
            if type.is_inexact
        ]
        found = iter(run_program(body, [*given, *traced]))
        return [next(found) if on else None for on in present]

    return pull_back


class UsesYoungerValue(Exception):  # noqa: N818  (a signal, which the user never sees)
    """Arguments are known, but the function takes a value from a younger recording around it."""


class CustomFunction(Generic[P, R]):
    """A function with derivative rules that the user gives."""

    def __init__(
        self,
        f: Callable[P, R],
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ) -> None:
        """Wrap the function.

        Args:
            f: The function, of trees of arrays.
            nondiff_argnums: The positions of arguments that are no arrays, or are never
                differentiated: functions, strings, options. Rules get them first.
            nondiff_argnames: The names of more such arguments.

        Raises:
            ArgumentError: The function has no parameter of such a name.
        """
        update_wrapper(self, f)
        self._f = f
        numbers = [nondiff_argnums] if isinstance(nondiff_argnums, int) else nondiff_argnums
        names = [nondiff_argnames] if isinstance(nondiff_argnames, str) else nondiff_argnames
        self._static = (*numbers, *(_position(f, name) for name in names))
        self._jvp: Callable[..., Any] | None = None
        self._forward: Callable[..., Any] | None = None
        self._backward: Callable[..., Any] | None = None
        self._symbolic_tangents = False
        self._symbolic_cotangents = False

    def __repr__(self) -> str:
        return f"<{name_of(self._f)}, a function with derivative rules of its own>"

    @boundary
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
        require_callable(jvp, "defjvp", "jvp")
        self._jvp = jvp
        self._symbolic_tangents = symbolic_zeros
        return jvp

    @boundary
    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Give one forward rule for each argument; the tangents are added.

        Args:
            jvps: ``jvp(tangent, output, *primals)`` returns the output's tangent for a tangent of
                that argument; None where the derivative is zero.

        Raises:
            ArgumentError: The function has arguments that are not differentiated, or it is called
                with another number of arguments than there are rules.
        """
        if self._static:
            raise ArgumentError(
                f"{name_of(self._f)} has arguments that are not differentiated, which defjvps "
                "cannot pass on.",
                advice="Give the rule with defjvp.",
            )

        def jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            function: Any = self
            if len(jvps) != len(primals):
                raise ArgumentError(
                    f"{name_of(self._f)} has {len(primals)} arguments, but defjvps was given "
                    f"{len(jvps)} rules."
                )
            output = function(*primals)
            total: Any = None
            for rule, tangent in zip(jvps, tangents, strict=True):
                if rule is not None and tangent is not None:
                    part = rule(tangent, output, *primals)
                    total = part if total is None else tree.map(np.add, total, part)
            return output, tree.map(np.zeros_like, output) if total is None else total

        self.defjvp(jvp)

    @boundary
    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Give the reverse rule.

        Args:
            fwd: Takes the arguments of the function; returns the output and the residuals, a tree
                of whatever ``bwd`` will need.
            bwd: ``bwd(*nondiff, residuals, cotangent)`` returns a tuple with one cotangent for
                each argument that is not in ``nondiff_argnums``, a tree like the argument; None
                stands for zero, for the argument or for any part of it.
            symbolic_zeros: Whether ``fwd`` takes a `CustomVJPPrimal` for each leaf of the
                arguments, which says whether it is differentiated, and ``bwd`` cotangents that
                are zero as None, not as arrays of zeros.
            optimize_remat: For programs written for JAX, where it lets ``checkpoint`` call the
                function in place of ``fwd`` if both give the same output. It changes nothing here.
        """
        require_callable(fwd, "defvjp", "fwd")
        require_callable(bwd, "defvjp", "bwd")
        self._forward, self._backward = fwd, bwd
        self._symbolic_cotangents = symbolic_zeros

    def __reduce_ex__(self, protocol: Any) -> Any:
        # By name where it is found, which is that of the function.
        return importable_name(self) or super().__reduce_ex__(protocol)

    @overload
    def __get__(
        self: CustomFunction[Concatenate[Self_, Rest], R], instance: Self_, owner: type[Self_], /
    ) -> Callable[Rest, R]: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> CustomFunction[P, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # As functions do: accessed on an object, a method with the object as first argument.
        function: Any = self
        return function if instance is None else partial(function, instance)

    @boundary
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function.

        Raises:
            MissingRuleError: It has no derivative rule yet.
            CustomRuleError: A rule returned a wrong structure, shape or dtype.
        """
        name = name_of(self._f)
        if self._jvp is None and self._backward is None:
            raise MissingRuleError(
                f"{name} has no derivative rule yet.",
                advice="Give one with defjvp or defvjp before the function is called.",
            )
        positional = positional_arguments(self._f, args, kwargs)
        static = {n % len(positional) if n < 0 else n for n in self._static}
        fixed = [positional[n] for n in sorted(static)]
        dynamic = tuple(x for n, x in enumerate(positional) if n not in static)
        leaves, structure = tree.flatten(dynamic)
        moving = [n for n in range(len(positional)) if n not in static]
        leaves = operands(
            self._f,
            leaves,
            tree.structure((dynamic, {})),
            "custom derivative rules",
            "Name the argument by nondiff_argnums.",
            moving,
        )
        call = _Call(self, name, len(positional), static, fixed, structure)
        depth.enter()
        try:
            return _called(call, leaves)
        finally:
            depth.leave()


def _called(call: _Call, leaves: list[Any]) -> Any:
    """The output of a call, which is recorded first where values are not known."""
    if call.traced_fixed or any(innermost_value(x) is UNKNOWN for x in leaves):
        return call.record(leaves)
    if not is_recording():
        return call.apply(leaves)
    traced = [x.recording.birth for x in leaves if isinstance(x, Tracer)]
    youngest = call.youngest = max(traced, default=0)
    is_around = any(x.recording.birth >= youngest for x in call.taken())
    if is_around or (traced and named_axes()):
        # The function or a rule takes values from around it, or combines a map's examples.
        try:
            return call.record(leaves)
        except UnknownValueError:  # it needs the values, so it is called on them
            call.youngest = youngest
    try:
        return call.apply(leaves)
    except UsesYoungerValue:
        return call.record(leaves)


_no_functions: tuple[Any, ...] = ()
_being_recorded: ContextVar[tuple[Any, ...]] = ContextVar("_being_recorded", default=_no_functions)
"""The custom functions whose rules are being recorded, once for each time."""

RECORDED_ORDERS = 2
"""How many derivatives there are of rules that close over the values of a map and call their
function. Each records the rule once more."""


class _Call:
    """One call of a custom function: its rules in terms of leaves, with their results checked.

    Attributes:
        traced_fixed: The traced values among the arguments that are not differentiated. They are
            hidden leaves.
        youngest: The birth of the youngest recording of an argument, if the call is not recorded.
    """

    def __init__(
        self,
        custom: Any,
        name: str,
        count: int,
        static: set[int],
        fixed: Sequence[Any],
        arguments: tree.Structure,
    ) -> None:
        self.custom = custom
        self.name = name
        self.count = count
        self.static = static
        self.fixed, self.fixed_structure = tree.flatten(list(fixed))
        self.places = [n for n, x in enumerate(self.fixed) if innermost_value(x) is UNKNOWN]
        self.traced_fixed = [self.fixed[n] for n in self.places]
        self.arguments = arguments
        self.structure = tree.LEAF
        self.expected: tuple[ArrayType, ...] | None = None
        self.axes: list[tuple[Hashable, int]] = []
        self.youngest: int | None = None

    def apply(self, leaves: Sequence[Any]) -> Any:
        """Call the function on values."""
        application = Application(
            self.name,
            self.run,
            None if self.custom._jvp is None else self.jvp,
            None if self.custom._backward is None else self.forward,
        )
        application.leaves = leaves
        outputs = bind(custom_call, *leaves, function=application)
        application.leaves = ()
        if not any(isinstance(x, Tracer) for x in leaves):
            self.require_older(outputs)
        return self.structure.unflatten(list(outputs))

    def record(self, leaves: Sequence[Any]) -> Any:
        """Record the function, and make what it captures, and its rules, hidden leaves."""
        self.youngest = None
        visible = [*leaves, *self.traced_fixed]
        types = [type_of(x) for x in visible]
        arguments = tree.structure((0,) * len(visible))
        recorded = record_program(self.run, arguments, types, like=visible)
        structure = self.structure  # of the output, as the function returned it just now
        self.expected = output_types(recorded.program)
        axes = named_axes()
        numbers = [axis.index for axis in axes.values()]
        captured = closed(recorded.program)[1]
        jvp: _RecordedJvp | None = None
        reverse: _RecordedReverse | None = None
        custom, active = self.custom, _being_recorded.get()
        is_closure = any(
            all(x.variable is not n.variable for n in numbers) for x in (*captured, *self.taken())
        )
        has_traced = any(isinstance(x, Tracer) for x in visible)  # else no rule is ever called
        if is_closure and has_traced and active.count(custom) < RECORDED_ORDERS:
            # The rules will be called when what is captured can no longer be used, so they are
            # recorded as well. They may call the function, whose rules are recorded there again.
            before = _being_recorded.set((*active, custom))
            try:
                jvp, reverse = self.recorded_jvp(types), self.recorded_reverse(types)
            finally:
                _being_recorded.reset(before)
        rules = [rule.program for rule in (jvp, reverse) if rule is not None]
        taken = {*map(identity_of, (*captured, *numbers))}
        (body, *programs), captured = closed_together([recorded.program, *rules])
        self.axes = [(name, axis.size) for name, axis in axes.items()]
        hidden = [*self.traced_fixed, *captured, *numbers]
        is_number = [any(x.variable is n.variable for n in numbers) for x in hidden]
        closed_rules = iter(programs)
        has_jvp, has_vjp = self.custom._jvp is not None, self.custom._backward is not None
        application = Application(
            self.name,
            partial(_run_body, body),
            partial(jvp.call, next(closed_rules)) if jvp else self.jvp if has_jvp else None,
            partial(reverse.call, next(closed_rules))
            if reverse
            else self.forward
            if has_vjp
            else None,
            len(hidden),
            frozenset(len(leaves) + n for n, on in enumerate(is_number) if on),
            frozenset(
                n for n, x in enumerate(captured, len(visible)) if identity_of(x) not in taken
            ),
        )
        if recorded.layouts and not recorded.row_major:
            application.layouts = layouts_of(visible)
        outputs = bind(custom_call, *leaves, *hidden, function=application)
        return structure.unflatten(list(outputs))

    def taken(self) -> list[Tracer]:
        """The traced values that it closes over, as far as can be seen without a call."""
        custom = self.custom
        found: list[Tracer] = []
        functions = [custom._f, custom._jvp, custom._forward, custom._backward]
        _find_taken([*self.fixed, *functions], found, set())
        return found

    def recorded_jvp(self, types: Sequence[ArrayType]) -> _RecordedJvp | None:
        """The jvp rule as a Program; None if there is none, or it cannot be recorded."""
        if self.custom._jvp is None:
            return None
        active = [n for n in range(self.arguments.num_leaves) if types[n].is_inexact]
        try:
            with ProgramRecording() as recording:
                inputs = [recording.input(type) for type in types]
                tangents: list[Any] = [None] * len(types)
                for number in active:
                    tangents[number] = recording.input(types[number].strong)
                outputs, pushed = self.jvp(inputs, tangents)
                present = [part is not None for part in pushed]
                program = recording.program([*outputs, *(x for x in pushed if x is not None)])
        except Exception:  # noqa: BLE001  (the rule may never be called; if it is, it fails then)
            return None
        return _RecordedJvp(program, list(types), active, present)

    def recorded_reverse(self, types: Sequence[ArrayType]) -> _RecordedReverse | None:
        """The vjp rule as a Program; None if there is none, or it cannot be recorded."""
        if self.custom._backward is None:
            return None
        try:
            with ProgramRecording() as recording:
                inputs = [recording.input(type) for type in types]
                outputs, residuals = self.forward(inputs, [type.is_inexact for type in types])
                out_types = [type_of(x).strong for x in outputs]
                body, kept, present = _recorded_pull_back(
                    partial(residuals.pull_back, residuals.traced), out_types
                )
                program = recording.program([*outputs, *kept])
        except Exception:  # noqa: BLE001  (as above)
            return None
        return _RecordedReverse(program, len(types), body, present, out_types)

    def scope(self, numbers: Sequence[Any]) -> AbstractContextManager[None]:
        """The named axes around the call, with these numbers of the example."""
        if not self.axes or not numbers:
            return nullcontext()
        axes = {
            name: NamedAxis(number, size)
            for (name, size), number in zip(self.axes, numbers, strict=True)
        }
        return with_named_axes(axes)

    def fixed_arguments(self, traced: Sequence[Any]) -> list[Any]:
        """The arguments that are not differentiated, with these values for the traced ones."""
        fixed = list(self.fixed)
        for place, x in zip(self.places, traced, strict=True):
            fixed[place] = x
        return self.fixed_structure.unflatten(fixed)

    def divided(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """The leaves of the arguments, the values in fixed arguments, the numbers of examples."""
        count, end = self.arguments.num_leaves, self.arguments.num_leaves + len(self.places)
        numbers = inputs[len(inputs) - len(self.axes) :] if len(inputs) > end else []
        return list(inputs[:count]), list(inputs[count:end]), list(numbers)

    def all_arguments(self, leaves: Sequence[Any], traced: Sequence[Any]) -> list[Any]:
        dynamic = iter(self.arguments.unflatten(list(leaves)))
        fixed = iter(self.fixed_arguments(traced))
        return [next(fixed if n in self.static else dynamic) for n in range(self.count)]

    def run(self, *inputs: Any) -> list[Any]:
        leaves, traced, _ = self.divided(inputs)
        result = call_apart(self.custom._f, self.all_arguments(leaves, traced))
        outputs, self.structure = tree.flatten(result)
        return [owned(as_operand(x)) for x in outputs]

    def jvp(self, inputs: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        leaves, traced, numbers = self.divided(inputs)
        given = [
            zeros_for(x)
            if tangent is None and type_of(x).is_inexact and not self.custom._symbolic_tangents
            else tangent
            for x, tangent in zip(leaves, tangents[: len(leaves)], strict=True)
        ]
        with self.scope(numbers):
            result = call_apart(
                self.custom._jvp,
                [
                    *self.fixed_arguments(traced),
                    self.arguments.unflatten(leaves),
                    self.arguments.unflatten(given),
                ],
            )
        output, pushed = self.pair("jvp", result, "(output, tangent)")
        outputs, structure = self.outputs("jvp", output)
        try:
            parts = structure.flatten_up_to(pushed)
            is_like = all(part is None or tree.structure(part) == tree.LEAF for part in parts)
        except FunctraceError:
            parts, is_like = [], False
        if not is_like:
            raise self.wrong(
                "jvp", f"a tangent like {tree.structure(pushed)}", f"one like {structure}"
            )
        self.require_older(parts, given)
        types = [type_of(x) for x in outputs]
        return outputs, self.checked("jvp", parts, types, structure, _output_name)

    def forward(
        self, inputs: Sequence[Any], perturbed: Sequence[bool]
    ) -> tuple[list[Any], Residuals]:
        leaves, traced, numbers = self.divided(inputs)
        input_types = [type_of(x) for x in leaves]
        given = leaves
        if self.custom._symbolic_cotangents:
            given = [
                CustomVJPPrimal(x, on and type.is_inexact)
                for x, on, type in zip(leaves, perturbed, input_types)  # noqa: B905  (hidden ones)
            ]
        with self.scope(numbers):
            result = call_apart(self.custom._forward, self.all_arguments(given, traced))
        output, kept = self.pair("fwd", result, "(output, residuals)")
        outputs, structure = self.outputs("fwd", output)
        output_types = [type_of(x) for x in outputs]
        residuals, residual_structure = tree.flatten(kept)
        residuals = [owned(x) for x in residuals]
        self.require_older(residuals)
        places = [n for n, x in enumerate(residuals) if isinstance(x, Tracer)]
        hidden = len(inputs) - len(leaves)

        def pull_back(values: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
            full = list(residuals)
            for place, x in zip(places, values):  # noqa: B905  (the other values come after them)
                full[place] = x
            rest = values[len(places) :]
            parts = self.backward(
                residual_structure.unflatten(full),
                cotangents,
                (structure, output_types, input_types),
                (rest[: len(traced)], rest[len(traced) :]),
            )
            return [*parts, *[None] * hidden]

        return outputs, Residuals(
            [*(residuals[n] for n in places), *traced, *numbers],
            pull_back,
            any(not isinstance(x, _TRANSPARENT) for x in residuals),
        )

    def backward(
        self,
        residuals: Any,
        cotangents: Sequence[Any],
        known: tuple[tree.Structure, Sequence[ArrayType], Sequence[ArrayType]],
        hidden: tuple[Sequence[Any], Sequence[Any]],
    ) -> list[Any]:
        structure, output_types, input_types = known
        traced, numbers = hidden
        full = [
            zeros_of_type(type.strong)
            if cotangent is None and type.is_inexact and not self.custom._symbolic_cotangents
            else cotangent
            for cotangent, type in zip(cotangents, output_types, strict=True)
        ]
        with self.scope(numbers):
            found = call_apart(
                self.custom._backward,
                [*self.fixed_arguments(traced), residuals, structure.unflatten(full)],
            )
        expected = self.arguments.num_children
        if not isinstance(found, tuple | list):
            raise self.wrong("bwd", described(found), f"a tuple of {expected}")
        if len(found) != expected:  # pyright: ignore[reportUnknownArgumentType]
            raise self.wrong("bwd", f"{len(found)} cotangents", f"{expected}, one an argument")  # pyright: ignore[reportUnknownArgumentType]
        parts: list[Any] = []
        for number, (part, child) in enumerate(
            zip(found, self.arguments.children(), strict=True)  # pyright: ignore[reportUnknownArgumentType]
        ):
            try:
                parts += _parts_of(part, child)
            except FunctraceError:
                raise self.wrong(
                    "bwd",
                    f"for {self.argument_name((tree.SequenceKey(number),))} a cotangent like "
                    f"{tree.structure(part)}",
                    f"one like {child}",
                ) from None
        return self.checked("bwd", parts, input_types, self.arguments, self.argument_name)

    def pair(self, rule: str, result: Any, what: str) -> tuple[Any, Any]:
        """What a rule returned, once it is known to be two things."""
        if not isinstance(result, tuple | list) or len(result) != 2:  # pyright: ignore[reportUnknownArgumentType]
            raise self.wrong(rule, described(result), f"a pair {what}")
        first, second = result
        return first, second

    def outputs(self, rule: str, output: Any) -> tuple[list[Any], tree.Structure]:
        """The leaves of an output that a rule returned, once they are known to fit."""
        leaves, structure = tree.flatten(output)
        try:
            leaves = [owned(as_operand(x)) for x in leaves]
        except OperandError:
            like = [described(x) for x in leaves]
            raise self.wrong(rule, f"an output of {', '.join(like)}", "arrays or numbers") from None
        self.require_older(leaves)
        if self.expected is None:
            self.structure = structure
            return leaves, structure
        if structure != self.structure:
            raise self.wrong(
                rule, f"an output like {structure}", f"one like the function's, {self.structure}"
            )
        for number, (x, expected) in enumerate(zip(leaves, self.expected, strict=True)):
            given = type_of(x)
            if not fits(given, expected):
                path = tree.keystr(structure.paths()[number])
                raise self.wrong(
                    rule, f"{given} for the output{path}", f"{expected}, as the function returns"
                )
        return leaves, structure

    def require_older(self, values: Sequence[Any], given: Sequence[Any] = ()) -> None:
        """Check that a rule used no value of a recording younger than those of the arguments.

        Args:
            values: What the rule returned.
            given: What it was given beside the arguments, which may be younger.

        Raises:
            UsesYoungerValue: It used one that is not known, of a map for example, and can be
                recorded there.
            CustomRuleError: It used one that is differentiated.
        """
        if self.youngest is None:
            return
        others = {x.recording for x in given if isinstance(x, Tracer)}
        for x in values:
            if not isinstance(x, Tracer) or x.recording in others:
                continue
            if x.recording.birth > self.youngest:
                if isinstance(x.recording, ProgramRecording):
                    raise UsesYoungerValue
                raise captured_error(self.name)

    def checked(
        self,
        rule: str,
        parts: Sequence[Any],
        types: Sequence[ArrayType],
        structure: tree.Structure,
        name_of: Callable[[Sequence[Any]], str],
    ) -> list[Any]:
        """Tangents or cotangents, once they are known to fit."""
        checked: list[Any] = []
        for number, (part, expected) in enumerate(zip(parts, types, strict=True)):
            if part is None or not expected.is_inexact:
                checked.append(None)
                continue
            try:
                given = type_of(part)
            except TypeError:
                name = name_of(structure.paths()[number])
                raise self.wrong(
                    rule, f"{described(part)} for {name}", f"{expected.strong}"
                ) from None
            if not fits(given, expected):
                name = name_of(structure.paths()[number])
                raise self.wrong(rule, f"{given} for {name}", f"{expected.strong}")
            plain = given.weak and not isinstance(part, Tracer)
            checked.append(expected.dtype.type(part) if plain else owned(as_operand(part)))
        return checked

    def wrong(self, rule: str, given: str, expected: str) -> CustomRuleError:
        return CustomRuleError(
            f"The {rule} rule of {self.name} returned {given}; expected {expected}.",
            advice=_TO_RETURN[rule],
        )

    def argument_name(self, path: Sequence[Any]) -> str:
        """How the user would write the leaf at this path of the arguments that have derivatives."""
        positions = [n for n in range(self.count) if n not in self.static]
        name = parameter_name(self.custom._f, positions[path[0].idx])
        return f"the argument {name}{tree.keystr(tuple(path[1:]))}"


def _output_name(path: Sequence[Any]) -> str:
    return f"the output{tree.keystr(tuple(path))}"


_TO_RETURN = {
    "jvp": "Return (output, tangent like the output) from it.",
    "fwd": "Return (output, residuals) from it.",
    "bwd": "Return a tuple from it, with one cotangent like each argument; None stands for zero.",
}
"""What each rule is to return."""


MOST = 1000
"""Nothing looks for traced values in containers with more entries, which are data, or in more
objects."""


def _find_taken(values: Iterable[Any], found: list[Tracer], seen: set[int]) -> None:
    """Add the tracers among these values, and among those that functions and objects hold."""
    for x in values:
        if isinstance(x, Tracer):
            found.append(x)
            continue
        if isinstance(x, _TRANSPARENT) or id(x) in seen or len(seen) > MOST:
            continue
        seen.add(id(x))
        if isinstance(x, FunctionType):
            cells = [cell.cell_contents for cell in x.__closure__ or () if _is_filled(cell)]
            _find_taken(cells, found, seen)
        elif isinstance(x, partial):
            _find_taken((x.func, *x.args, *x.keywords.values()), found, seen)
        elif isinstance(x, MethodType):
            _find_taken((x.__func__, x.__self__), found, seen)
        elif isinstance(x, tuple | list):
            _find_taken(x[:MOST], found, seen)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(x, dict):
            _find_taken(islice(x.values(), MOST), found, seen)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif not isinstance(x, type | ModuleType):
            _find_taken(getattr(x, "__dict__", {}).values(), found, seen)


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (asked for the error)
    except ValueError:  # of a name that has no value yet
        return False
    return True


_TRANSPARENT = (Tracer, np.ndarray, np.generic, np.dtype, bool, int, float, complex, str, bytes)
"""Residuals that hold no traced values unseen."""


class _RecordedJvp(NamedTuple):
    """A jvp rule as a Program of the leaves, of tangents for the active ones, and of captures."""

    program: Program
    types: list[ArrayType]
    active: list[int]
    present: list[bool]

    def call(self, program: Program, inputs: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Run the Program, once it is closed, as a rule in terms of leaves."""
        count = len(self.types)
        given = [
            zeros_of_type(self.types[n].strong) if tangents[n] is None else tangents[n]
            for n in self.active
        ]
        captured = inputs[count : len(program.inputs) - len(given)]
        results = run_program(program, [*inputs[:count], *given, *captured])
        outputs = len(results) - sum(self.present)
        pushed = iter(results[outputs:])
        return results[:outputs], [next(pushed) if on else None for on in self.present]


class _RecordedReverse(NamedTuple):
    """A vjp rule as two Programs: one of leaves and captures, one of cotangents and residuals."""

    program: Program
    count: int
    body: Program
    present: list[bool]
    types: list[ArrayType]

    def call(
        self, program: Program, inputs: Sequence[Any], perturbed: Sequence[bool]
    ) -> tuple[Any, Residuals]:
        """Run the Program, once it is closed, as a forward half in terms of leaves."""
        results = run_program(program, inputs[: len(program.inputs)])
        present = [*self.present, *[False] * (len(inputs) - self.count)]
        outputs = len(self.types)
        pull_back = _pull_back_by(self.body, present, self.types)
        return results[:outputs], Residuals(results[outputs:], pull_back, is_opaque=False)


def _run_body(body: Program, *leaves: Any) -> list[Any]:
    return run_program(body, leaves[: len(body.inputs)])


def _parts_of(cotangent: Any, argument: tree.Structure) -> list[Any]:
    """The leaves of an argument's cotangent; None for those of a part that is None.

    Raises:
        TreeStructureError: It has another structure.
    """
    leaves, prefix = tree.flatten(cotangent, is_leaf=lambda x: x is None)
    if prefix == argument:
        return leaves
    parts: list[Any] = []
    subtrees = prefix.flatten_up_to(argument.unflatten(range(argument.num_leaves)))
    for leaf, subtree in zip(leaves, subtrees, strict=True):
        below = tree.structure(subtree)
        if leaf is not None:
            below.flatten_up_to(leaf)
        parts += [leaf] * below.num_leaves
    return parts


def described(x: Any) -> str:
    """What a rule returned in place of something else, for a message."""
    kind = type(x).__qualname__
    if isinstance(x, tuple | list):
        return f"a {kind} of {len(cast('Sequence[Any]', x))}"
    try:
        return str(type_of(x))
    except TypeError:
        return "None" if x is None else f"a {kind}"


def name_of(f: Callable[..., Any]) -> str:
    """A function's name, for messages."""
    return getattr(f, "__name__", "custom function")


def _position(f: Callable[..., Any], name: str) -> int:
    """The position of the parameter of this name."""
    try:
        parameters = list(inspect.signature(f).parameters)
    except ValueError:
        raise ArgumentError(
            f"{name_of(f)} has no signature, and so no parameter {name!r}.",
            advice="Give the positions of such arguments by nondiff_argnums.",
        ) from None
    if name not in parameters:
        raise ArgumentError(f"{name_of(f)} has no parameter {name!r}.")
    return parameters.index(name)


def positional_arguments(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments as positional ones, with defaults filled in."""
    if isinstance(f, np.ufunc) and not kwargs:
        return args  # some versions of NumPy give it a signature, with ``out``, which is no input
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except ValueError:
        if kwargs:
            raise ArgumentError(
                "This function has no signature, so its arguments cannot be passed by keyword."
            ) from None
        return args
    if bound.kwargs:
        raise ArgumentError(
            f"The keyword-only arguments {sorted(bound.kwargs)} cannot be differentiated.",
            advice="Make them positional parameters, or bind them with functools.partial.",
        )
    bound.apply_defaults()  # those of keyword-only parameters are left to the function
    return bound.args


@boundary
def custom_jvp(
    fun: Callable[P, R],
    nondiff_argnums: int | Sequence[int] = (),
    nondiff_argnames: str | Sequence[str] = (),
) -> CustomFunction[P, R]:
    """Make a function whose forward rule is given by ``defjvp``; reverse mode transposes it.

    Args:
        fun: The function, of trees of arrays.
        nondiff_argnums: The positions of arguments that are not differentiated.
        nondiff_argnames: The names of more such arguments.

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
    require_callable(fun, "custom_jvp")
    return CustomFunction(fun, nondiff_argnums, nondiff_argnames)


@boundary
def custom_vjp(
    fun: Callable[P, R],
    nondiff_argnums: int | Sequence[int] = (),
    nondiff_argnames: str | Sequence[str] = (),
) -> CustomFunction[P, R]:
    """Make a function whose reverse rule is given by ``defvjp``; forward mode transposes it.

    Args:
        fun: The function, of trees of arrays.
        nondiff_argnums: The positions of arguments that are not differentiated.
        nondiff_argnames: The names of more such arguments.

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
    require_callable(fun, "custom_vjp")
    return CustomFunction(fun, nondiff_argnums, nondiff_argnames)
