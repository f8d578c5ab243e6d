"""The primitive that runs a Program: what a jitted function is where its arguments are traced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from functrace.backends.compiling import run_again
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.program import Equation, Program, output_types
from functrace.ir.structure import Run, T
from functrace.ir.types import ArrayType
from functrace.primitives.linear import zeros_of_type
from functrace.simplify.inlining import write_in_place
from functrace.simplify.rewriting import Scope, rewrite
from functrace.tracing.tracer import bind
from functrace.transforms.evaluate import run_program
from functrace.transforms.masks import scattered
from functrace.transforms.programs import (
    Kept,
    Pullback,
    batched,
    for_cotangents,
    keeping_zeros,
    linear_form,
    pushed_forward,
    residual_form,
    transposed,
)
from functrace.transforms.transpose import LinearValue


def flat(program: Program) -> Program:
    """A Program with the calls in it written in place, but for what is called more than once.

    Of that all is derived once, however often it is called. A chain of calls is derived as one
    Program: within each other they would hand on to each other what each of them keeps, which is
    the square of their number.
    """

    def make() -> Program:
        counts = Counter([program])
        waiting = [program]
        while waiting:
            called = [
                inner
                for equation in waiting.pop().equations
                if equation.primitive is call
                for inner in equation.programs
            ]
            waiting += [inner for inner in dict.fromkeys(called) if inner not in counts]
            counts.update(called)

        def step(equation: Equation, scope: Scope) -> None:
            if equation.primitive is call and counts[equation.params["program"]] == 1:
                run = call.structure(equation.inputs, equation.params)
                write_in_place(equation, run, scope, step)
            else:
                scope.append(equation)

        return rewrite(program, step)

    return program.derive("flat", make)


class Call(Primitive):
    """Run a Program that is kept as one operation.

    Parameters: ``program``; and ``backend``, the name of the one that runs it, where one was named.
    """

    multiple_outputs = True
    holds_programs = True

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Run[T]:
        """The Program is run."""
        return Run(params["program"], inputs)

    def from_structure(
        self, structure: Run[T], params: dict[str, Any]
    ) -> tuple[Sequence[T], dict[str, Any]] | None:
        """With the other parameters as they are."""
        return structure.inputs, {**params, "program": structure.program}

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Run the Program; compiled from its second time on, as many are made for one call."""
        return tuple(run_again(params["program"], inputs, params.get("backend")))

    def interpret(self, inputs: Values, params: dict[str, Any]) -> Any:
        """Evaluate the Program."""
        return tuple(run_program(params["program"], inputs))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The types of the Program's outputs."""
        return output_types(params["program"])

    def portable(self, types: Types, params: dict[str, Any]) -> tuple[Primitive, dict[str, Any]]:
        """The same, for whatever backend there is where it is read."""
        return self, {"program": params["program"]}

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Run the Program in forward mode."""
        program = flat(params["program"])
        is_active = tuple(tangent is not None for tangent in tangents)
        pushed = pushed_forward(program, is_active)
        given = [tangent for tangent in tangents if tangent is not None]
        results = bind(self, *inputs, *given, **{**params, "program": pushed.program})
        count = len(program.outputs)
        return results[:count], tuple(scattered(results[count:], pushed.has_tangent))

    def push_later(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Run what needs no tangents, and then what does."""
        program = flat(params["program"])
        form = linear_form(program, tuple(tangent is not None for tangent in tangents))
        results = bind(self, *inputs, **{**params, "program": form.forward})
        count = len(program.outputs)
        given = [tangent for tangent in tangents if tangent is not None]
        pushed = bind(self, *results[count:], *given, **{**params, "program": form.linear})
        return results[:count], tuple(scattered(pushed, form.has_tangent))

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Run the forward half of the Program; the backward half waits in a pullback."""
        program = flat(params["program"])
        form = residual_form(program, tuple(need is not None for need in needed))
        results = bind(self, *inputs, **{**params, "program": form.forward})
        count = len(program.outputs)

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            (backward,), given, _ = for_cotangents(
                [form.backward], results[count:], cotangents, results[:count], form.takes_cotangent
            )
            found = bind(self, *given, **{**params, "program": backward})
            return scattered(found, form.gives_cotangent)

        kept = Kept(results[count:], form.forward, form.backward, 0)
        pullback = Pullback(self.name, pull_back, makes_zeros=any(form.has_zeros), kept=kept)
        return results[:count], pullback

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Run the Program with zeros that stay."""
        program, has_zeros = keeping_zeros(flat(params["program"]), tuple(marked))
        return bind(self, *inputs, **{**params, "program": program}), has_zeros

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The transpose, where the Program is linear in the inputs whose values are not known."""
        program = flat(params["program"])
        is_linear = tuple(isinstance(x, LinearValue) for x in inputs)
        body, mask = transposed(program, is_linear)
        given = [
            zeros_of_type(atom.type.tangent) if part is None else part
            for part, atom in zip(cotangent, program.outputs, strict=True)
        ]
        known = [x for x, linear in zip(inputs, is_linear, strict=True) if not linear]
        parts = bind(self, *known, *given, **{**params, "program": body})
        return scattered(scattered(parts, mask), is_linear)

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Run the Program for all examples at once."""
        form = batched(flat(params["program"]), size, axes)
        return bind(self, *inputs, **{**params, "program": form.program}), form.axes


call = Call("jit")
