"""The solution of an equation as an operation: what the functions of ``implicit.py`` record.

A `Root` and a `LinearSolve` hold what is solved as Programs, and how as a Program too, or, where
it cannot be recorded, as a function that is called on values. Their derivatives look at what is
solved only.

Sources: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), chapter 15; Blondel et
al., Efficient and modular implicit differentiation (arXiv:2105.15183).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import depth
from functrace.errors import MissingRuleError, NonlinearRuleError
from functrace.ir.primitive import Primitive, Values
from functrace.ir.program import Program, input_types, output_types
from functrace.ir.structure import Run, T
from functrace.ir.types import ArrayType, with_axis
from functrace.primitives.linear import in_each, zeros_of_type
from functrace.tracing.tracer import bind
from functrace.transforms.evaluate import run_program
from functrace.transforms.masks import instantiated, scattered, selected
from functrace.transforms.programs import (
    Pullback,
    batched,
    pushed_forward,
    residual_form,
    transposed,
    with_interface,
)
from functrace.transforms.transpose import LinearValue


class HostFunction:
    """A function that is called as it is, on NumPy values, whenever an operation runs.

    Attributes:
        function: Takes leaves, returns leaves.
        types: The types of its outputs.
    """

    def __init__(
        self, name: str, function: Callable[..., Sequence[Any]], types: Sequence[ArrayType]
    ) -> None:
        self.name = name
        self.function = function
        self.types = tuple(types)

    def __str__(self) -> str:
        return f"<function {self.name}>"

    def __call__(self, *inputs: Any) -> Sequence[Any]:
        """Call the function, which may lead to such a call again."""
        depth.enter()
        try:
            return self.function(*inputs)
        finally:
            depth.leave()


Solver = Program | HostFunction
"""Takes constants and leaves; returns the solution's leaves, and then the auxiliary data's."""


def _called(solver: Solver, inputs: Sequence[Any]) -> tuple[Any, ...]:
    if isinstance(solver, Program):
        return tuple(run_program(solver, inputs))
    return tuple(solver(*inputs))


def _solver_types(solver: Solver) -> tuple[ArrayType, ...]:
    return output_types(solver) if isinstance(solver, Program) else solver.types


def _batched_solver(solver: Solver, size: int, axes: Sequence[int | None]) -> Solver:
    """The solver for many examples: of all at once, or of one after the other if it must be."""
    if isinstance(solver, Program):
        return batched(solver, size, axes, (True,) * len(solver.outputs)).program

    return one_by_one(solver, size, axes)


def one_by_one(host: HostFunction, size: int, axes: Sequence[int | None]) -> HostFunction:
    """A function that calls another for one example after the other, and stacks the results."""

    def for_each(*inputs: Any) -> list[Any]:
        results = [
            host(
                *(
                    x if axis is None else np.take(x, number, axis)
                    for x, axis in zip(inputs, axes, strict=True)
                )
            )
            for number in range(size)
        ]
        if not results:
            return [zeros_of_type(with_axis(type, 0, 0)) for type in host.types]
        return [np.stack(parts) for parts in zip(*results, strict=True)]

    return HostFunction(host.name, for_each, [with_axis(t, size, 0) for t in host.types])


class Implicit(Primitive):
    """What the two primitives here share.

    Parameters: ``constants``, the number of inputs that the Programs' functions captured, which
    come first; ``solve``. The other inputs are the leaves of a vector like the solution.
    """

    multiple_outputs = True
    holds_programs = True

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Run[T] | None:
        """The solver is run, where it is recorded."""
        solve = params["solve"]
        return Run(solve, inputs) if isinstance(solve, Program) else None

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Call or evaluate the solver."""
        return _called(params["solve"], inputs)

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The types of the solver's outputs."""
        return _solver_types(params["solve"])

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Solve for all examples at once; each has a solution of its own."""
        first = params["constants"]
        constant_axes = tuple(axes[:first])
        vector = [
            in_each(size, x, axis) for x, axis in zip(inputs[first:], axes[first:], strict=True)
        ]
        new = dict(params)
        for name, part in params.items():
            if isinstance(part, Program | HostFunction):
                count = len(part.inputs) - first if isinstance(part, Program) else len(vector)
                new[name] = _batched_solver(part, size, (*constant_axes, *(0,) * count))
        outputs = bind(self, *inputs[:first], *vector, **new)
        return outputs, (0,) * len(outputs)


def _pushed_constants(
    program: Program, constants: Sequence[Any], tangents: Sequence[Any], x: Sequence[Any]
) -> list[Any]:
    """The tangents of a Program's outputs that come from its constants, ``x`` held."""
    mask = (*(tangent is not None for tangent in tangents), *(False,) * len(x))
    wanted = (True,) * len(program.outputs)
    pushed = pushed_forward(program, mask, wanted).program
    given = [tangent for tangent in tangents if tangent is not None]
    return run_program(pushed, [*constants, *x, *given])[len(program.outputs) :]


def _pulled_constants(
    program: Program,
    constants: Sequence[Any],
    needed: Sequence[Any],
    x: Sequence[Any],
    cotangents: Sequence[Any],
) -> list[Any]:
    """The cotangents of a Program's constants, ``x`` held."""
    mask = (*(need is not None for need in needed), *(False,) * len(x))
    form = residual_form(program, mask)
    residuals = run_program(form.forward, [*constants, *x])[len(program.outputs) :]
    given = selected(cotangents, form.takes_cotangent)
    found = run_program(form.backward, [*residuals, *given])
    return scattered(found, form.gives_cotangent)[: len(constants)]


def full_transpose(program: Program, constants: int) -> Program:
    """The transpose of a Program that is linear but for its constants, with every output."""

    def make() -> Program:
        count = len(program.inputs) - constants
        body, mask = transposed(program, (*(False,) * constants, *(True,) * count))
        present = [number for number, on in enumerate(mask) if on]
        types = [type.strong for type in input_types(program)[constants:]]
        return with_interface(body, input_types(body), range(len(body.inputs)), types, present)

    return program.derive(("full transpose", constants), make)


class Root(Implicit):
    """The root of a Program.

    Parameters besides those of `Implicit`: ``f``, which takes constants and ``x``;
    ``tangent_solve``, which takes constants, ``x`` and ``y`` and solves ``df/dx v = y`` for ``v``.
    """

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Solve ``df/dx dx = -df/da da``."""
        outputs = bind(self, *inputs, **params)
        first, f = params["constants"], params["f"]
        x = outputs[: len(f.outputs)]
        nothing = (None,) * (len(outputs) - len(x))
        if all(tangent is None for tangent in tangents[:first]):
            return outputs, (None,) * len(outputs)
        right = _pushed_constants(f, inputs[:first], tangents[:first], x)
        found = run_program(params["tangent_solve"], [*inputs[:first], *x, *right])
        return outputs, (*(-part for part in found), *nothing)

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Solve the transposed system, and pull its solution back through ``df/da``."""
        outputs = bind(self, *inputs, **params)
        first, f = params["constants"], params["f"]
        x = outputs[: len(f.outputs)]

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            nothing = [None] * (len(inputs) - first)
            if all(ct is None for ct in cotangents[: len(x)]):
                return [*(None,) * first, *nothing]
            given = instantiated(cotangents[: len(x)], x)
            solve = full_transpose(params["tangent_solve"], first + len(x))
            right = run_program(solve, [*inputs[:first], *x, *given])
            right = [-part for part in right]
            return [*_pulled_constants(f, inputs[:first], needed[:first], x, right), *nothing]

        return outputs, Pullback(self.name, pull_back)


class LinearSolve(Implicit):
    """The solution of a linear system that is given by a Program.

    Parameters besides those of `Implicit`: ``matvec``, which takes constants and ``x``;
    ``transpose_solve``, the solver of the transposed system, or None.
    """

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """From ``A dx = db - dA x``."""
        outputs = bind(self, *inputs, **params)
        first, matvec = params["constants"], params["matvec"]
        x = outputs[: len(matvec.outputs)]
        right = instantiated(tangents[first:], x)
        if any(tangent is not None for tangent in tangents[:first]):
            moved = _pushed_constants(matvec, inputs[:first], tangents[:first], x)
            right = [b - part for b, part in zip(right, moved, strict=True)]
        found = bind(self, *inputs[:first], *right, **params)[: len(x)]
        return outputs, (*found, *(None,) * (len(outputs) - len(x)))

    def transposed_solution(
        self, constants: Sequence[Any], cotangents: Sequence[Any], params: dict[str, Any]
    ) -> Sequence[Any]:
        """The solution of the transposed system."""
        if params["transpose_solve"] is None:
            raise MissingRuleError(
                "custom_linear_solve was differentiated in reverse mode, but was given no "
                "transpose_solve."
            )
        return bind(
            self,
            *constants,
            *cotangents,
            matvec=full_transpose(params["matvec"], len(constants)),
            solve=params["transpose_solve"],
            transpose_solve=params["solve"],
            constants=len(constants),
        )[: len(cotangents)]

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """From the transposed system; its solution is the cotangent of ``b``."""
        outputs = bind(self, *inputs, **params)
        first, matvec = params["constants"], params["matvec"]
        x = outputs[: len(matvec.outputs)]

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            if all(ct is None for ct in cotangents[: len(x)]):
                return [None] * len(inputs)
            given = instantiated(cotangents[: len(x)], x)
            right = self.transposed_solution(inputs[:first], given, params)
            parts: list[Any] = [None] * first
            if any(need is not None for need in needed[:first]):
                minus = [-part for part in right]
                parts = _pulled_constants(matvec, inputs[:first], needed[:first], x, minus)
            return [*parts, *right]

        return outputs, Pullback(self.name, pull_back)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The transpose, where the right-hand side alone is not known."""
        first = params["constants"]
        count = len(inputs) - first
        if any(isinstance(x, LinearValue) for x in inputs[:first]):
            raise NonlinearRuleError(
                "A function that must be linear solves a system whose matrix depends on its input."
            )
        given = instantiated(cotangent[:count], inputs[first:])
        return [*(None,) * first, *self.transposed_solution(inputs[:first], given, params)]


root = Root("custom_root")
linear_solve = LinearSolve("custom_linear_solve")
