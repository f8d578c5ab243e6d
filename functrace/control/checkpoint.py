"""checkpoint: keep little in the forward pass of reverse mode, and compute the rest again.

The function becomes one operation. Its forward pass keeps the inputs, and what the policy names;
the pullback runs the function once more from these, recording this time, and then walks back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, ParamSpec, TypeVar

from functrace import tree
from functrace.control.call import Call
from functrace.errors import ArgumentError
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.program import Equation, Program, Variable
from functrace.ir.structure import Run, T
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.contracting import contract, plan_of
from functrace.primitives.linear import Copy
from functrace.tracebacks import boundary
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.tracer import bind
from functrace.transforms.arguments import operands
from functrace.transforms.calling import apart
from functrace.transforms.evaluate import record_program, run_program, without_effects
from functrace.transforms.masks import Mask, scattered
from functrace.transforms.programs import (
    Kept,
    Pullback,
    closed,
    for_cotangents,
    linear_form,
    residual_form,
)
from functrace.transforms.static_arguments import (
    dynamic_positions,
    named_parameters,
    separated,
    with_static,
)
from functrace.transforms.transformed import require_callable, transformed

P = ParamSpec("P")
R = TypeVar("R")
Policy = Callable[[Equation], bool]
"""Tells of an equation of the forward pass whether its outputs are kept."""


class Name(Copy):
    """The same values, under a name by which a policy can keep them. Parameter: ``name``."""

    def run(self, x: Any, *, name: str) -> Any:
        """Return a copy, which may be written."""
        return super().run(x)

    def infer(self, x: ArrayType, *, name: str) -> ArrayType:
        """The same type."""
        return x

    def transpose(self, cotangent: Any, input: ArrayType, *, name: str) -> Any:
        """The cotangent as it is."""
        return cotangent

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, name: str) -> Any:
        """Name the whole batch."""
        return bind(self, *inputs, name=name), axes[0]


name_primitive = Name("checkpoint_name")


def checkpoint_name(x: Any, name: str) -> Any:
    """Give values a name, so that ``checkpoint_policies.save_only_these_names`` can keep them.

    Args:
        x: A tree of arrays.
        name: The name.

    Returns:
        The same values.

    Example:
        >>> import functrace as ft
        >>> ft.checkpoint_name(2.0, "hidden")
        2.0
    """
    return tree.map(lambda leaf: bind(name_primitive, as_operand(leaf), name=name), x)


class checkpoint_policies:  # noqa: N801  (JAX's name)
    """Which values of its forward pass `checkpoint` keeps for the way back.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> policy = ft.checkpoint_policies.dots_saveable
        >>> layer = ft.checkpoint(lambda w, x: np.tanh(x @ w), policy=policy)
        >>> ft.grad(lambda w: np.sum(layer(w, np.eye(2))))(np.zeros((2, 2)))
        array([[1., 1.],
               [1., 1.]])
    """

    @staticmethod
    def everything_saveable(equation: Equation) -> bool:  # noqa: ARG004  (a policy)
        """Keep all: nothing is computed again."""
        return True

    @staticmethod
    def nothing_saveable(equation: Equation) -> bool:  # noqa: ARG004  (a policy)
        """Keep only the inputs: everything is computed again."""
        return False

    @staticmethod
    def dots_saveable(equation: Equation) -> bool:
        """Keep the results of contractions, which cost most to compute again."""
        return equation.primitive is contract

    checkpoint_dots = dots_saveable

    @staticmethod
    def dots_with_no_batch_dims_saveable(equation: Equation) -> bool:
        """Keep the results of contractions that are not one for each of many examples."""
        if equation.primitive is not contract:
            return False
        plan = plan_of(equation.params["subscripts"])
        return not set(plan.first) & set(plan.second) & set(plan.output)

    checkpoint_dots_with_no_batch_dims = dots_with_no_batch_dims_saveable

    @staticmethod
    def save_only_these_names(*names_which_can_be_saved: str) -> Policy:
        """Keep the values that were named so by `checkpoint_name`."""
        return partial(_has_name, frozenset(names_which_can_be_saved))

    @staticmethod
    def save_any_names_but_these(*names_not_to_save: str) -> Policy:
        """Keep the values that were named by `checkpoint_name`, but for these."""
        return partial(_has_another_name, frozenset(names_not_to_save))

    @staticmethod
    def save_anything_except_these_names(*names_not_to_save: str) -> Policy:
        """Keep all values, but for those that were named so by `checkpoint_name`."""
        return partial(_has_no_such_name, frozenset(names_not_to_save))

    @staticmethod
    def save_from_both_policies(policy_1: Policy, policy_2: Policy) -> Policy:
        """Keep what one of two policies keeps, or the other."""
        return partial(_is_kept_by_one, policy_1, policy_2)


def _has_name(names: frozenset[str], equation: Equation) -> bool:
    return equation.primitive is name_primitive and equation.params["name"] in names


def _has_another_name(names: frozenset[str], equation: Equation) -> bool:
    return equation.primitive is name_primitive and equation.params["name"] not in names


def _has_no_such_name(names: frozenset[str], equation: Equation) -> bool:
    return not _has_name(names, equation)


def _is_kept_by_one(policy_1: Policy, policy_2: Policy, equation: Equation) -> bool:
    return policy_1(equation) or policy_2(equation)


class Remat(Call):
    """Run a Program, and in reverse mode run it twice. Parameters: ``program``, ``policy``."""

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Evaluate the Program: it is recorded for this call alone, so compiling does not pay."""
        return tuple(run_program(params["program"], inputs))

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Run[T]:
        """What is computed again must not be shared with what was computed before."""
        return super().structure(inputs, params)._replace(is_apart=True)

    def portable(self, types: Types, params: dict[str, Any]) -> tuple[Primitive, dict[str, Any]]:
        """The Program without the policy, which is Python."""
        return self, {**params, "policy": None}

    def push_later(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Run what needs no tangents, keep what the policy names, and compute the rest again."""
        program, policy = params["program"], params["policy"]
        is_active = tuple(tangent is not None for tangent in tangents)
        form = linear_form(program, is_active)
        count = len(program.outputs)
        forward, linear = program.derive(
            ("remat of tangents", is_active, policy),
            lambda: divided(form.forward, count, form.linear, policy),
        )
        results = bind(self, *inputs, program=forward, policy=policy)
        given = [tangent for tangent in tangents if tangent is not None]
        pushed = bind(self, *inputs, *results[count:], *given, program=linear, policy=policy)
        return results[:count], tuple(scattered(pushed, form.has_tangent))

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Run the Program and keep what the policy names; a pullback will run it again."""
        program, policy = params["program"], params["policy"]
        plan = remat_plan(program, tuple(need is not None for need in needed), policy)
        results = bind(self, *inputs, program=plan.forward, policy=policy)
        count = len(program.outputs)

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            first, takes = [*inputs, *results[count:]], plan.takes_cotangent
            (backward,), given, _ = for_cotangents(
                [plan.backward], first, cotangents, results[:count], takes
            )
            found = bind(self, *given, program=backward, policy=policy)
            return scattered(found, plan.gives_cotangent)

        kept = Kept(results[count:], plan.forward, plan.backward, len(inputs))
        pullback = Pullback(self.name, pull_back, makes_zeros=program.makes_zeros, kept=kept)
        return results[:count], pullback


remat = Remat("checkpoint")


class RematPlan:
    """How a Program is run in reverse mode when only some of its values are kept.

    Attributes:
        forward: Takes the inputs; returns the outputs and the kept values.
        backward: Takes the inputs, the kept values, and the cotangents of the outputs that have
            one; returns the cotangents of the inputs that have one.
        takes_cotangent: Which outputs depend on the active inputs.
        gives_cotangent: Which inputs get a cotangent.
    """

    def __init__(self, program: Program, is_active: Mask, policy: Policy | None) -> None:
        """Divide the work."""
        form = residual_form(program, is_active)
        self.takes_cotangent = form.takes_cotangent
        self.gives_cotangent = form.gives_cotangent
        self.forward, self.backward = divided(
            form.forward, len(program.outputs), form.backward, policy
        )


def divided(
    forward: Program, count: int, then: Program, policy: Policy | None
) -> tuple[Program, Program]:
    """Divide work anew, so that only what a policy names goes from one Program to the next.

    Args:
        forward: Returns ``count`` outputs, and residuals.
        count: How many outputs it has.
        then: Takes the residuals, and more inputs.
        policy: What may be kept; None for nothing.

    Returns:
        A Program like ``forward``, which returns the outputs and the kept values; and one that
        takes the inputs, the kept values and the other inputs of ``then``, and computes the
        residuals again.
    """
    residuals = forward.outputs[count:]
    # A value is kept if the policy says so of its equation; the rest is computed again.
    # What has a name is kept before it gets it, because that is what rules have read.
    kept = [
        v
        for e in forward.equations
        if policy is not None and policy(e)
        for v in (e.inputs if e.primitive is name_primitive else e.outputs)
        if isinstance(v, Variable) and v not in forward.inputs
    ]
    kept = list(dict.fromkeys(kept))
    needed = equations_for(forward, residuals, kept)
    outputs = [*forward.outputs[:count], *needed.kept]
    first = Program(
        forward.inputs, equations_for(forward, outputs, (), effects=True).equations, outputs
    )
    with ProgramRecording() as recording:
        inputs = [recording.input(v.type) for v in forward.inputs]
        saved = [recording.input(v.type) for v in needed.kept]
        given = [recording.input(v.type) for v in then.inputs[len(residuals) :]]
        again = Program([*forward.inputs, *needed.kept], needed.equations, [*residuals])
        values = run_program(without_effects(again), [*inputs, *saved])
        return first, recording.program(run_program(then, [*values, *given]))


class Recomputation(NamedTuple):
    """How values are computed again.

    Attributes:
        kept: The kept values that it reads.
        equations: What it computes, in order.
    """

    kept: list[Variable]
    equations: list[Equation]


def equations_for(
    program: Program, wanted: Sequence[Any], kept: Sequence[Variable], *, effects: bool = False
) -> Recomputation:
    """The equations that compute these values from the inputs and the kept values.

    With ``effects`` those that do something beside computing stay as well.
    """
    sought = {atom for atom in wanted if isinstance(atom, Variable)}
    is_kept = set(kept)
    equations: list[Equation] = []
    used: set[Variable] = sought & is_kept
    for equation in reversed(program.equations):
        is_sought = any(v in sought and v not in is_kept for v in equation.outputs)
        if not is_sought and not (effects and equation.has_effect):
            continue
        equations.append(equation)
        reads = {atom for atom in equation.inputs if isinstance(atom, Variable)}
        sought |= reads
        used |= reads & is_kept
    equations.reverse()
    rewritten = {v for equation in equations for v in equation.outputs}
    return Recomputation([v for v in kept if v in used and v not in rewritten], equations)


def remat_plan(program: Program, is_active: Mask, policy: Policy | None) -> RematPlan:
    """The plan for a Program, the inputs that need cotangents, and a policy."""
    key = ("remat", is_active, policy)
    return program.derive(key, lambda: RematPlan(program, is_active, policy))


@boundary
def checkpoint(
    fun: Callable[P, R],
    *,
    prevent_cse: bool = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Iterable[str] = (),
) -> Callable[P, R]:
    """Make a function whose intermediate values are not kept for reverse mode.

    Its gradient costs about one more forward pass, and the memory of its inputs instead of that
    of everything computed in it.

    Args:
        fun: A function of trees of arrays. It is recorded, so it must not look at values.
        prevent_cse: Taken for the sake of JAX's signature; it does not change the result.
        policy: Which values are kept all the same, one of `checkpoint_policies`; by default none.
        static_argnums: The positions of arguments that are not traced.
        static_argnames: The names of arguments that are not traced.

    Returns:
        A function with the arguments and results of ``fun``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> block = ft.checkpoint(lambda x: np.sin(np.sin(x)))
        >>> ft.grad(block)(0.0)
        np.float64(1.0)
    """
    require_callable(fun, "checkpoint")
    if policy is not None and not callable(policy):
        names = ", ".join(name for name in vars(checkpoint_policies) if not name.startswith("_"))
        raise ArgumentError(
            f"policy={policy!r} is no policy.",
            source_of(user_place(1)),
            f"Give None, or one of functrace.checkpoint_policies: {names}.",
        )
    keep = checkpoint_policies.nothing_saveable if policy is None else policy
    parameters = named_parameters(fun, static_argnums, static_argnames, "static_argnums")

    @transformed(
        fun,
        checkpoint,
        prevent_cse=prevent_cse,
        policy=policy,
        static_argnums=static_argnums,
        static_argnames=static_argnames,
    )
    @boundary
    def rematerialised(*args: P.args, **kwargs: P.kwargs) -> R:
        static, *dynamic = separated(parameters, args, kwargs)
        leaves, structure = tree.flatten(tuple(dynamic))
        leaves = operands(
            fun,
            leaves,
            structure,
            "checkpoint",
            "Name the argument by static_argnums or static_argnames.",
            dynamic_positions(static, len(dynamic[0])),
        )
        called = with_static(fun, static)
        recorded = record_program(called, structure, [*map(type_of, leaves)], like=leaves)
        program, captured = closed(recorded.program)
        outputs = bind(remat, *leaves, *captured, program=program, policy=keep)
        return recorded.structure.unflatten(apart(outputs, leaves))

    return rematerialised
