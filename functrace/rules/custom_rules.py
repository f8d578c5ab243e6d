"""One call of a function with rules of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, cast

import numpy as np

from functrace import tree
from functrace.errors import CustomRuleError, FunctraceError, OperandError
from functrace.ir.primitive import Values
from functrace.ir.program import Program, output_types
from functrace.ir.types import UNKNOWN, ArrayType, type_of
from functrace.primitives.linear import zeros_for, zeros_of_type
from functrace.rules.custom_call import (
    Application,
    Residuals,
    captured_error,
    custom_call,
    pull_back_by,
    recorded_pull_back,
)
from functrace.tracing.operands import as_operand
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.recording import identity_of
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import layouts_of
from functrace.transforms.arguments import fits, parameter_name
from functrace.transforms.batch import NamedAxis, named_axes, with_named_axes
from functrace.transforms.calling import call_apart, owned
from functrace.transforms.evaluate import record_program, run_program
from functrace.transforms.masks import scattered
from functrace.transforms.programs import closed, closed_together


@dataclass(frozen=True)
class CustomVJPPrimal:
    """What ``fwd`` takes for each leaf of the arguments under ``defvjp(..., symbolic_zeros=True)``.

    Attributes:
        value: The leaf.
        perturbed: Whether a derivative by it is asked for.
    """

    value: Any
    perturbed: bool


class UsesYoungerValue(Exception):  # noqa: N818  (a signal, which the user never sees)
    """Arguments are known, but the function takes a value from a younger recording around it."""


_no_functions: tuple[Any, ...] = ()


_being_recorded: ContextVar[tuple[Any, ...]] = ContextVar("_being_recorded", default=_no_functions)
"""The custom functions whose rules are being recorded, once for each time."""


RECORDED_ORDERS = 2
"""How many derivatives there are of rules that close over the values of a map and call their
function. Each records the rule once more."""


class Call:
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
        application.custom, application.leaves = self.custom, leaves
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
            all(x.known_as is not n.known_as for n in numbers) for x in (*captured, *self.taken())
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
        is_number = [any(x.known_as is n.known_as for n in numbers) for x in hidden]
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
        application.custom = self.custom
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
                    tangents[number] = recording.input(types[number].tangent)
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
                body, kept, present = recorded_pull_back(
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
        """What the function is called with."""
        dynamic = iter(self.arguments.unflatten(list(leaves)))
        fixed = iter(self.fixed_arguments(traced))
        return [next(fixed if n in self.static else dynamic) for n in range(self.count)]

    def run(self, *inputs: Any) -> list[Any]:
        """The function itself."""
        leaves, traced, _ = self.divided(inputs)
        result = call_apart(self.custom._f, self.all_arguments(leaves, traced))
        outputs, self.structure = tree.flatten(result)
        return [owned(as_operand(x)) for x in outputs]

    def jvp(self, inputs: Values, tangents: Values) -> tuple[list[Any], list[Any]]:
        """The outputs and tangents that the user's rule gives."""
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
        """The outputs, and what the user's rule keeps for the way back."""
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
        """The cotangents that the user's rule gives."""
        structure, output_types, input_types = known
        traced, numbers = hidden
        full = [
            zeros_of_type(type.tangent)
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
        """The error for what a rule of the user's returned."""
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
            zeros_of_type(self.types[n].tangent) if tangents[n] is None else tangents[n]
            for n in self.active
        ]
        captured = inputs[count : len(program.inputs) - len(given)]
        results = run_program(program, [*inputs[:count], *given, *captured])
        outputs = len(results) - sum(self.present)
        return results[:outputs], scattered(results[outputs:], self.present)


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
        pull_back = pull_back_by(self.body, present, self.types)
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
