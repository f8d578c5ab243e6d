"""custom_vmap: functions whose map over many examples the user gives.

A call of such a function in a recording of types is one operation. Where `vmap` comes to it, it
calls the user's rule in place of the batch rules of what the function does. Its derivatives are
those of the function; a map of these calls the rule too, and differentiates it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from functrace import depth, tree
from functrace.control.call import Call, call
from functrace.control.checkpoint import remat_plan
from functrace.control.loops import scan
from functrace.errors import CustomRuleError, MissingRuleError
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.program import output_types
from functrace.ir.types import UNKNOWN, ArrayType, type_of, with_axis
from functrace.primitives.linear import in_each
from functrace.rules.custom import FunctionWithRules, positional_arguments
from functrace.rules.custom_rules import described, name_of
from functrace.rules.ruleless import unmapped
from functrace.tracebacks import boundary
from functrace.tracing.operands import as_operand
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import bind
from functrace.transforms.arguments import fits
from functrace.transforms.evaluate import record_program
from functrace.transforms.forward import jvp
from functrace.transforms.masks import Mask, instantiated, scattered
from functrace.transforms.programs import Pullback, closed, pushed_forward
from functrace.transforms.reverse import vjp
from functrace.transforms.transformed import require_callable

P = ParamSpec("P")
R = TypeVar("R")

Rule = Callable[[int, Sequence[bool], Sequence[Any]], tuple[list[Any], list[bool]]]
"""Takes the number of examples, which inputs are mapped, and the inputs, mapped ones along axis 0;
returns the outputs, and which of these are mapped. All in terms of leaves."""


class CustomMap(Call):
    """Run a Program that is mapped by a rule. Parameters: ``program``, ``rule``, ``function``."""

    calls_python = True

    def portable(self, types: Types, params: dict[str, Any]) -> tuple[Primitive, dict[str, Any]]:
        """The Program, without its rule."""
        name = "".join(c if c.isalnum() else "_" for c in params["function"])
        return unmapped, {"program": params["program"], "function": name}

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Run the Program in forward mode, which is mapped by the rule in forward mode."""
        is_active = tuple(tangent is not None for tangent in tangents)
        pushed = pushed_forward(params["program"], is_active)
        rule = partial(_pushed_rule, params["rule"], is_active, pushed.has_tangent)
        given = [tangent for tangent in tangents if tangent is not None]
        params = {**params, "program": pushed.program, "rule": rule}
        results = bind(self, *inputs, *given, **params)
        count = len(pushed.has_tangent)
        return results[:count], tuple(scattered(results[count:], pushed.has_tangent))

    def push_later(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Values and tangents together, as the rule has them."""
        return None

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Keep the inputs: the way back is a function of these, mapped by the rule's pullback."""
        is_active = tuple(need is not None for need in needed)
        plan = remat_plan(params["program"], is_active, None)
        rule = partial(
            _pulled_rule, params["rule"], is_active, plan.takes_cotangent, plan.gives_cotangent
        )
        results = bind(self, *inputs, **params)

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            given = instantiated(cotangents, results, plan.takes_cotangent, cotangents)
            backward = {**params, "program": plan.backward, "rule": rule}
            return scattered(bind(self, *inputs, *given, **backward), plan.gives_cotangent)

        return results, Pullback(self.name, pull_back)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The transpose of the Program, which has no rule of its own."""
        return call.vjp(cotangent, inputs, output, needed, program=params["program"])

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Call the rule."""
        rule: Rule = params["rule"]
        given = [
            x if axis is None else in_each(size, x, axis)
            for x, axis in zip(inputs, axes, strict=True)
        ]
        outputs, is_mapped = rule(size, [axis is not None for axis in axes], given)
        return tuple(outputs), tuple(0 if on else None for on in is_mapped)


custom_map = CustomMap("custom_vmap")


def _pushed_rule(
    rule: Rule,
    is_active: Mask,
    has_tangent: Mask,
    size: int,
    is_mapped: Sequence[bool],
    inputs: Sequence[Any],
) -> tuple[list[Any], list[bool]]:
    """A rule in forward mode: it takes tangents of the active inputs after the inputs."""
    count = len(is_active)
    active = [number for number, on in enumerate(is_active) if on]
    primals, flags = list(inputs[:count]), list(is_mapped[:count])
    tangents: list[Any] = []
    # An input and its tangent are mapped together.
    for number, tangent, on in zip(active, inputs[count:], is_mapped[count:], strict=True):
        tangents.append(_mapped(tangent, on, size) if flags[number] else tangent)
        primals[number] = _mapped(primals[number], flags[number], size) if on else primals[number]
        flags[number] = flags[number] or on
    out_flags: list[bool] = []

    def mapped(*values: Any) -> list[Any]:
        outputs, found = rule(size, flags, _replaced(primals, active, values))
        out_flags[:] = found
        return outputs

    outputs, pushed = jvp(mapped, [primals[number] for number in active], tangents)
    numbers = [number for number, on in enumerate(has_tangent) if on]
    return [*outputs, *(pushed[n] for n in numbers)], [*out_flags, *(out_flags[n] for n in numbers)]


def _pulled_rule(
    rule: Rule,
    is_active: Mask,
    takes_cotangent: Mask,
    gives_cotangent: Mask,
    size: int,
    is_mapped: Sequence[bool],
    inputs: Sequence[Any],
) -> tuple[list[Any], list[bool]]:
    """A rule's pullback: it takes cotangents after the inputs; each example has its own parts."""
    count = len(is_active)
    active = [number for number, on in enumerate(is_active) if on]
    primals, flags = list(inputs[:count]), list(is_mapped[:count])
    for number in active:
        primals[number], flags[number] = _mapped(primals[number], flags[number], size), True
    cotangents = [
        _mapped(x, on, size) for x, on in zip(inputs[count:], is_mapped[count:], strict=True)
    ]

    def mapped(*values: Any) -> list[Any]:
        outputs, found = rule(size, flags, _replaced(primals, active, values))
        each = [_mapped(x, on, size) for x, on in zip(outputs, found, strict=True)]
        return [x for x, takes in zip(each, takes_cotangent, strict=True) if takes]

    _, pullback = vjp(mapped, *(primals[number] for number in active))
    parts = dict(zip(active, pullback(cotangents), strict=True))
    given = [parts[number] for number, gives in enumerate(gives_cotangent) if gives]
    return given, [True] * len(given)


def _mapped(x: Any, is_mapped: bool, size: int) -> Any:
    """A value for each example."""
    return x if is_mapped else np.broadcast_to(x, (size, *np.shape(x)))


def _replaced(values: Sequence[Any], numbers: Sequence[int], by: Sequence[Any]) -> list[Any]:
    replaced = list(values)
    for number, x in zip(numbers, by, strict=True):
        replaced[number] = x
    return replaced


class _UserRule(NamedTuple):
    """The user's rule in terms of leaves, with its result checked.

    Attributes:
        name: The function's name.
        rule: What the user gave.
        arguments: The structure of the arguments.
        output: The structure of the function's output.
        types: The types of its leaves, of one example.
    """

    name: str
    rule: Callable[..., Any]
    arguments: tree.Structure
    output: tree.Structure
    types: tuple[ArrayType, ...]

    def __call__(
        self, size: int, is_mapped: Sequence[bool], inputs: Sequence[Any]
    ) -> tuple[list[Any], list[bool]]:
        count = self.arguments.num_leaves
        if any(is_mapped[count:]):
            raise CustomRuleError(
                f"{self.name} uses a value that differs between examples and is none of its "
                "arguments; its vmap rule cannot know of it.",
                advice="Pass the value as an argument.",
            )
        flags = list(self.arguments.unflatten(is_mapped[:count]))
        result = self.rule(size, flags, *self.arguments.unflatten(inputs[:count]))
        if not isinstance(result, tuple | list) or len(result) != 2:  # pyright: ignore[reportUnknownArgumentType]
            raise self.wrong(described(result), "a pair (output, which of its leaves are mapped)")
        output, out_flags = result  # pyright: ignore[reportUnknownVariableType]
        leaves, structure = tree.flatten(output)
        if structure != self.output:
            raise self.wrong(
                f"an output like {structure}", f"one like the function's, {self.output}"
            )
        found, structure_of_flags = tree.flatten(out_flags)
        if structure_of_flags != structure:
            raise self.wrong(
                f"{structure_of_flags} to say which leaves of the output are mapped",
                f"a boolean for each leaf, {structure}",
            )
        out_mapped = [bool(on) for on in found]
        outputs = [as_operand(x) for x in leaves]
        for number, (x, on, one) in enumerate(zip(outputs, out_mapped, self.types, strict=True)):
            expected = with_axis(one, size, 0) if on else one
            if not fits(type_of(x), expected):
                path = tree.keystr(structure.paths()[number])
                each = f", one for each of {size} examples" if on else ""
                raise self.wrong(f"{type_of(x)} for the output{path}", f"{expected.strong}{each}")
        return outputs, out_mapped

    def wrong(self, given: str, expected: str) -> CustomRuleError:
        return CustomRuleError(
            f"The vmap rule of {self.name} returned {given}; expected {expected}.",
            advice="Return (output, out_batched) from it: the output like the function's, with one "
            "axis more in front where it is mapped, and a tree like it of booleans that say where.",
        )


class MappedFunction(FunctionWithRules[P, R]):
    """A function that `vmap` maps by a rule that the user gives."""

    def __init__(self, fun: Callable[P, R]) -> None:
        """Wrap the function, of trees of arrays."""
        super().__init__(fun)
        self._rule: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        return f"<{name_of(self._f)}, a function with a vmap rule of its own>"

    @boundary
    def def_vmap(self, vmap_rule: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
        """Give the rule; usable as a decorator.

        Args:
            vmap_rule: ``vmap_rule(axis_size, in_batched, *args)`` returns a pair
                ``(output, out_batched)``.
                ``in_batched`` is a list with an entry for each argument, a tree of booleans like
                it: whether a leaf has an axis of examples, which is its first one then.
                ``out_batched`` is a tree of booleans like the output.

        Returns:
            The rule.
        """
        require_callable(vmap_rule, "def_vmap", "vmap_rule")
        self._rule = vmap_rule
        return vmap_rule

    @boundary
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function.

        Raises:
            MissingRuleError: It has no rule yet.
            CustomRuleError: The rule returned a wrong structure, shape or dtype.
        """
        name = name_of(self._f)
        if self._rule is None:
            raise MissingRuleError(
                f"{name} has no vmap rule yet.",
                advice="Give one with def_vmap before the function is called.",
            )
        arguments = positional_arguments(self._f, args, kwargs)
        leaves, structure = tree.flatten(arguments)
        if not any(innermost_value(x) is UNKNOWN for x in leaves):  # no map is around
            depth.enter()
            try:
                return self._f(*args, **kwargs)
            finally:
                depth.leave()
        leaves = [as_operand(x) for x in leaves]
        recorded = record_program(self._f, structure, [*map(type_of, leaves)], like=leaves)
        program, captured = closed(recorded.program)
        types = output_types(recorded.program)
        rule = _UserRule(name, self._rule, structure, recorded.structure, types)
        outputs = bind(custom_map, *leaves, *captured, program=program, rule=rule, function=name)
        return recorded.structure.unflatten(list(outputs))


@boundary
def custom_vmap(fun: Callable[P, R]) -> MappedFunction[P, R]:
    """Make a function whose map over many examples is given by ``def_vmap``.

    The rule must compute what the function gives for each example. It is called where `vmap` maps
    the function, its derivatives (then it is differentiated), or a map of it.

    Args:
        fun: The function, of trees of arrays. Arguments passed by keyword are given to the rule
            by position, and so are defaults.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> @ft.custom_vmap
        ... def solve(a, b):
        ...     return np.linalg.solve(a, b)
        >>> @solve.def_vmap
        ... def solve_many(axis_size, in_batched, a, b):
        ...     a_batched, b_batched = in_batched
        ...     if a_batched or not b_batched:
        ...         a = a if a_batched else np.broadcast_to(a, (axis_size, *a.shape))
        ...         return np.linalg.solve(a, b[..., None])[..., 0], True
        ...     return np.linalg.solve(a, b.T).T, True  # one matrix is factored once
        >>> ft.vmap(solve, in_axes=(None, 0))(2 * np.eye(2), np.ones((3, 2)))
        array([[0.5, 0.5],
               [0.5, 0.5],
               [0.5, 0.5]])
    """
    require_callable(fun, "custom_vmap")
    return MappedFunction(fun)


@boundary
def sequential_vmap(fun: Callable[P, R]) -> MappedFunction[P, R]:
    """Make a function that is called for one example after the other where it is mapped.

    So it takes the memory of one example only, and may use what `vmap` cannot map.

    Args:
        fun: The function, of trees of arrays.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> @ft.sequential_vmap
        ... def total(x):
        ...     return np.sum(x**2)
        >>> ft.vmap(total)(np.ones((3, 2)))
        array([2., 2., 2.])
    """
    require_callable(fun, "sequential_vmap")
    function = MappedFunction(fun)

    @function.def_vmap
    def rule(axis_size: int, in_batched: list[Any], *args: Any) -> tuple[Any, Any]:
        leaves, structure = tree.flatten(list(args))
        is_mapped = tree.leaves(in_batched)
        rows = [x for x, on in zip(leaves, is_mapped, strict=True) if on]
        # Not the function itself: it holds this rule, and would wait for the garbage collector.
        each_again: Any = sequential_vmap(fun)

        def step(carry: None, row: Sequence[Any]) -> tuple[None, Any]:
            each = iter(row)
            given = [next(each) if on else x for x, on in zip(leaves, is_mapped, strict=True)]
            return carry, each_again(*structure.unflatten(given))

        output = scan(step, None, rows, length=axis_size)[1]
        return output, tree.map(lambda _: True, output)

    return function
