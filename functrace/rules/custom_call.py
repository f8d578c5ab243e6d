"""The primitive of functions with rules of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace import tree
from functrace.errors import (
    ArgumentError,
    AxisNameError,
    CustomRuleError,
    FunctraceError,
    MissingRuleError,
    NonlinearRuleError,
)
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.program import Program, output_types
from functrace.ir.structure import Run, T
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.linear import in_each, zeros_of_type
from functrace.rules.ruleless import ruleless
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.sharing import new_memory
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import layouts_of
from functrace.transforms.batch import batch_program, vmap
from functrace.transforms.evaluate import record_program, run_program
from functrace.transforms.masks import scattered, selected
from functrace.transforms.programs import Pullback, batched, closed
from functrace.transforms.transpose import LinearValue, transpose_program

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
        custom: The user's function, which has the rules as they were given.
    """

    leaves: Sequence[Any] = ()
    layouts: Sequence[Any] = ()
    custom: Any = None

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

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Run[T]:
        """The recorded function is run: where derivatives have been taken, that is all."""
        types = tuple(x if isinstance(x, ArrayType) else type_of(x) for x in inputs)
        return Run(params["function"].program(types), inputs)

    def run(self, *inputs: Any, function: Application) -> Any:
        """Call the function itself."""
        return tuple(function.run(*inputs))

    def interpret(self, inputs: Values, params: dict[str, Any]) -> Any:
        """Evaluate the recorded function."""
        return tuple(run_program(*self.structure(inputs, params)[:2]))

    def infer(self, *types: ArrayType, function: Application) -> Any:
        """Record the function and look at its outputs."""
        return output_types(function.program(types))

    def portable(self, types: Types, params: dict[str, Any]) -> tuple[Primitive, dict[str, Any]]:
        """The recorded function, without its rules."""
        function: Application = params["function"]
        name = "".join(c if c.isalnum() else "_" for c in function.name)
        return ruleless, {"program": function.program(tuple(types)), "function": name}

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
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
        active = [type.is_inexact for type in types]
        is_given = [tangent is not None for tangent in tangents]

        def pullback(*cotangents: Any) -> Sequence[Any]:
            parts = residuals.pull_back(residuals.traced, scattered(cotangents, active))
            return [0.0 if part is None else part for part in selected(parts, is_given)]

        program = _recorded_linear(function, "vjp", pullback, selected(types, active))
        given = [tangent for tangent in tangents if tangent is not None]
        found = _transposed_rule(function, "vjp", program, given)
        return tuple(outputs), tuple(scattered(found, active))

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
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
        active = [need is not None for need in needed]
        outputs: list[Any] = []
        types: list[ArrayType] = []
        constant: set[int] = set()

        def pushforward(*tangents: Any) -> Sequence[Any]:
            primal, pushed = jvp(inputs, scattered(tangents, active))
            outputs.extend(primal)
            types.extend(type_of(x).strong for x in primal)
            constant.update(number for number, part in enumerate(pushed) if part is None)
            return [0.0 if part is None else part for part in pushed]

        given_types = [type_of(x).strong for x in selected(inputs, active)]
        program = _recorded_linear(function, "jvp", pushforward, given_types)

        def pull_back_jvp(cotangents: Sequence[Any]) -> Sequence[Any]:
            given = [
                ct if type.is_inexact else None for ct, type in zip(cotangents, types, strict=True)
            ]
            return scattered(_transposed_rule(function, "jvp", program, given), active)

        pullback = Pullback(self.name, pull_back_jvp, frozenset(constant), makes_zeros=True)
        return tuple(outputs), pullback

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
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
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
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

    def jvp(leaves: Values, tangents: Values) -> Any:
        present = [tangent is not None for tangent in tangents]

        def one(leaves: Any, given: Any) -> Any:
            return function.jvp(leaves, scattered(given, present))  # pyright: ignore[reportOptionalCall]

        given = [tangent for tangent in tangents if tangent is not None]
        tangent_axes = selected(axes, present)
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
            in_each(size, x, axis)
            for x, axis in zip(values[:count], value_axes[:count], strict=True)
        ]
        traced_axes = value_axes[count:]

        def pull_back(traced: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
            present = [cotangent is not None for cotangent in cotangents]
            given = [cotangent for cotangent in cotangents if cotangent is not None]
            has_part: list[bool] = []

            def one(*inputs: Any) -> list[Any]:
                given = scattered(inputs[len(traced) :], present)
                parts = residuals.pull_back(inputs[: len(traced)], given)
                has_part[:] = [part is not None for part in parts]
                return [part for part in parts if part is not None]

            found, found_axes = _mapped(
                one, size, [*traced, *given], [*traced_axes, *[0] * len(given)]
            )
            each = [in_each(size, x, axis) for x, axis in zip(found, found_axes, strict=True)]
            parts = [
                np.sum(part, axis=0) if axis is None else np.moveaxis(part, 0, axis)
                for part, axis in zip(each, selected(axes, has_part), strict=True)
            ]
            return scattered(parts, has_part)

        return outputs, Residuals(values[count:], pull_back, is_opaque=False)

    made = Application(
        function.name,
        run,
        None if function.jvp is None else jvp,
        None if function.forward is None else forward,
        function.hidden,
        function.numbers,
        function.of_rules,
    )
    made.custom = function.custom
    return made


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
    body, captured, present = recorded_pull_back(
        lambda cotangents: pull_back(residuals.traced, cotangents), types
    )
    return Residuals(captured, pull_back_by(body, present, types), is_opaque=False)


def recorded_pull_back(
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


def pull_back_by(body: Program, present: Sequence[bool], types: Sequence[ArrayType]) -> PullBack:
    """The pullback that such a Program computes."""

    def pull_back(traced: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        given = [
            zeros_of_type(type.tangent) if cotangent is None else cotangent
            for cotangent, type in zip(cotangents, types, strict=True)
            if type.is_inexact
        ]
        return scattered(run_program(body, [*given, *traced]), present)

    return pull_back
