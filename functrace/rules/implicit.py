"""custom_root, custom_linear_solve, fixed_point: solutions differentiated by what they solve.

The solution ``x`` of ``f(a, x) = 0`` depends on ``a`` as the implicit function theorem says,
however it was found: ``df/dx dx = -df/da da``. So derivatives need no step of the solver again,
only one linear system, in forward mode with ``df/dx`` and in reverse mode with its transpose.

The functions' own captured values (``a`` above) become inputs of one operation (``solving.py``).
Where all values are known the solver is not recorded but called, as ordinary Python on plain NumPy
values: it may use ``if`` and ``while``, or SciPy. The same is done where it cannot be recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.loops import while_loop
from functrace.errors import ArgumentError, FunctraceError
from functrace.ir.program import Program, output_types
from functrace.ir.types import UNKNOWN, ArrayType, result_dtype, type_of
from functrace.primitives.linear import (
    brought_to,
    dtype_of,
    known_value,
    stop_gradient,
)
from functrace.rules.solving import HostFunction, full_transpose, linear_solve, root
from functrace.tracebacks import boundary
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms.arguments import split_aux
from functrace.transforms.batch import vmap
from functrace.transforms.evaluate import record_program, run_program
from functrace.transforms.forward import jvp
from functrace.transforms.programs import closed_together
from functrace.transforms.transformed import require_callable


def _vector(
    result: Any, structure: tree.Structure, types: Sequence[ArrayType], what: str
) -> list[Any]:
    """The leaves of a tree that must be like the solution."""
    found, found_structure = tree.flatten(result)
    if found_structure != structure:
        difference = tree.first_difference(structure, result)
        raise ArgumentError(f"{what} returned a tree of another structure. {difference}")
    return _fitted([as_operand(x) for x in found], types, what)


def _fitted(values: Sequence[Any], types: Sequence[ArrayType], what: str) -> list[Any]:
    """Values in the types that they must have."""
    for found, type in zip(map(type_of, values), types, strict=True):
        if found.shape != type.shape:
            raise ArgumentError(f"{what} returned a {found} where a {type} is needed.")
    return brought_to(types, values)


class _Solver:
    """A user's solver: of a function and leaves, to the leaves of the solution and of aux data."""

    def __init__(
        self,
        owner: str,
        solve: Callable[..., Any],
        structure: tree.Structure,
        types: Sequence[ArrayType],
        has_aux: bool = False,
    ) -> None:
        self.name = getattr(solve, "__name__", "solve")
        self.what = f"The solver {self.name} of {owner}"
        self.solve = solve
        self.structure = structure
        self.types = types
        self.has_aux = has_aux
        self.aux_structure = tree.structure(None)
        self.takes_tracers = False  # whether it was seen to use traced values from around it

    def __call__(self, function: Callable[..., Any], leaves: Sequence[Any]) -> list[Any]:
        result, aux = self.solve(function, self.structure.unflatten(leaves)), None
        if self.has_aux:
            result, aux = split_aux(result, True)
        found = _vector(result, self.structure, self.types, self.what)
        aux_leaves, self.aux_structure = tree.flatten(aux)
        return [*found, *(as_operand(x) for x in aux_leaves)]

    def recorded(self, function: Callable[..., Any]) -> Program | None:
        """The solver as a Program; None where it is no code that can be recorded."""
        try:
            return record_program(
                lambda *leaves: self(function, leaves), _places(len(self.types)), self.types
            ).program
        except (FunctraceError, TypeError, ValueError, AttributeError):
            if self.has_aux:  # then nothing else can tell the types of these data
                raise
            return None

    def on_values(self, function: Program, constants: int) -> HostFunction:
        """The solver as a function that is called when values are there."""

        def called(*inputs: Any) -> list[Any]:
            def of_tree(x: Any) -> Any:
                leaves = [as_operand(leaf) for leaf in tree.leaves(x)]
                results = run_program(function, [*inputs[:constants], *leaves])
                return self.structure.unflatten(results)

            found = self(of_tree, inputs[constants:])
            self.takes_tracers = any(isinstance(x, Tracer) for x in found)
            # What the solver itself took from around it has no part in the derivative.
            found = [known_value(x) for x in found]
            host.types = tuple(map(type_of, found))  # those of auxiliary data are known only now
            return found

        host = HostFunction(self.name, called, self.types)
        return host

    def keep_values(
        self, host: HostFunction, f: Callable[..., Any], function: Program, constants: int
    ) -> None:
        """Let the function of `on_values` work when the values around it can no longer be used.

        A pullback calls a solver late. What the solver took from around it is kept as values.

        Args:
            host: The function.
            f: The function that is solved for.
            function: The same, recorded.
            constants: How many values it captured.
        """
        body = self.recorded(f)
        if body is None:
            return
        (_, closed), captured = _closed([function, body])
        extra = [known_value(x) for x in captured[constants:]]

        def called(*inputs: Any) -> list[Any]:
            given = [*inputs[:constants], *extra, *inputs[constants:]]
            return [known_value(x) for x in run_program(closed, given)]

        host.function = called

    def result(self, outputs: Sequence[Any]) -> Any:
        """What the user gets."""
        count = len(self.types)
        solution = self.structure.unflatten(outputs[:count])
        return (
            (solution, self.aux_structure.unflatten(outputs[count:])) if self.has_aux else solution
        )


def _places(count: int) -> tree.Structure:
    return tree.structure((0,) * count)


def _recorded_endomorphism(
    f: Callable[[Any], Any], owner: str, leaves: list[Any], structure: tree.Structure
) -> tuple[list[Any], list[ArrayType], Program]:
    """Record a function whose result is like its argument, which is cast to make it so."""
    arguments = tree.structure((0,)).compose(structure)
    types = [type_of(x).strong for x in leaves]
    while True:
        recorded = record_program(f, arguments, types)
        if recorded.structure != structure:
            example = recorded.structure.unflatten([0] * recorded.structure.num_leaves)
            raise ArgumentError(
                f"The function under {owner} must return a tree like its argument. "
                f"{tree.first_difference(structure, example)}",
                source_of(user_place(3)),
            )
        found = [type.strong for type in output_types(recorded.program)]
        wanted = [ArrayType(a.shape, result_dtype(a, b)) for a, b in zip(types, found, strict=True)]
        if wanted == types:
            break
        types = wanted
    for expected, type, path in zip(types, found, structure.paths(), strict=True):
        if expected != type or not expected.is_inexact:
            raise ArgumentError(
                f"The function under {owner} must return floating-point numbers in the shapes of "
                f"its argument; it returned {type} at its{tree.keystr(path) or ' root'}, for "
                f"{expected}.",
                source_of(user_place(3)),
            )
    cast = brought_to(types, leaves)
    return cast, types, recorded.program


def _captured(programs: Sequence[Program]) -> list[Any]:
    """The tracers that any of these Programs captured."""
    return closed_together(programs)[1]


def _constants_first(program: Program, captured: int) -> Program:
    """A closed Program with its captured inputs before all others."""
    own = len(program.inputs) - captured
    inputs = [*program.inputs[own:], *program.inputs[:own]]
    return Program(inputs, program.equations, program.outputs)


def _closed(programs: Sequence[Program]) -> tuple[list[Program], list[Any]]:
    """Programs that take what any of them captured as their first inputs."""
    bodies, captured = closed_together(programs)
    return [_constants_first(body, len(captured)) for body in bodies], captured


@boundary
def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    tangent_solve: Callable[[Callable[[Any], Any], Any], Any],
    has_aux: bool = False,
) -> Any:
    """Find a root of a function, differentiated by the implicit function theorem.

    As ``jax.lax.custom_root``.

    Args:
        f: The function whose root is sought; its result is a tree like its argument. The values
            that it takes from around it are what the root is differentiated by.
        initial_guess: Where to begin. Derivatives do not depend on it.
        solve: ``solve(f, initial_guess)`` returns the root, a tree like the guess. Where all
            values are known it is called on NumPy values, and may be any Python code; where they
            are not (``jit``, ``vmap``) it is recorded, or if that cannot be done, called later.
        tangent_solve: ``tangent_solve(g, y)`` returns the solution ``x`` of ``g(x) = y``, where
            ``g`` is linear: the derivative of ``f`` at the root. It must be linear in ``y``; for
            scalars it is ``y / g(1.0)``. An iterative one must be wrapped in
            `custom_linear_solve`.
        has_aux: Whether ``solve`` returns a pair of the root and auxiliary data, which is handed
            on and not differentiated.

    Returns:
        The root, or the pair of the root and auxiliary data.

    Raises:
        ArgumentError: ``f`` or a solver returns another structure or shape than the guess has.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def square_root(a):
        ...     def newton(f, x):
        ...         return ft.fori_loop(0, 8, lambda _, x: x - f(x) / (2 * x), x)
        ...
        ...     return ft.custom_root(lambda x: x * x - a, 1.0, newton, lambda g, y: y / g(1.0))
        >>> square_root(9.0)
        np.float64(3.0)
        >>> print(ft.grad(square_root)(9.0), ft.grad(ft.grad(square_root))(9.0))
        0.16666666666666666 -0.009259259259259259
    """
    require_callable(f, "custom_root", "f")
    require_callable(solve, "custom_root", "solve")
    require_callable(tangent_solve, "custom_root", "tangent_solve")
    guess, structure = tree.flatten(initial_guess)
    guess = [as_operand(x) for x in guess]
    guess, types, recorded = _recorded_endomorphism(f, "custom_root", guess, structure)
    solver = _Solver("custom_root", solve, structure, types, has_aux)
    if not any(isinstance(x, Tracer) for x in (*guess, *_captured([recorded]))):
        return stop_gradient(solver.result(solver(f, guess)))

    def linearize_and_solve(*leaves: Any) -> list[Any]:
        x = structure.unflatten(leaves[: len(types)])
        y = structure.unflatten(leaves[len(types) :])
        solution = tangent_solve(lambda v: jvp(f, (x,), (v,))[1], y)
        return _vector(solution, structure, types, "The tangent_solve of custom_root")

    linear = record_program(linearize_and_solve, _places(2 * len(types)), types * 2).program
    programs = [recorded, linear]
    body = None
    if any(innermost_value(x) is UNKNOWN for x in (*guess, *_captured(programs))):
        body = solver.recorded(f)
    closed, captured = _closed([*programs, *([] if body is None else [body])])
    outputs = bind(
        root,
        *captured,
        *guess,
        f=closed[0],
        tangent_solve=closed[1],
        solve=solver.on_values(closed[0], len(captured)) if body is None else closed[2],
        constants=len(captured),
    )
    return solver.result(outputs)


@boundary
def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    transpose_solve: Callable[[Callable[[Any], Any], Any], Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solve a linear system, differentiated by other linear systems.

    As ``jax.lax.custom_linear_solve``.

    Args:
        matvec: The linear function; its result is a tree like its argument. The solution is
            differentiated by the values that it takes from around it, and by ``b``.
        b: The right-hand side, a tree of arrays.
        solve: ``solve(matvec, b)`` returns the ``x`` for which ``matvec(x) = b``. Where all values
            are known it is called on NumPy values, and may be any Python code; where they are
            not (``jit``, ``vmap``) it is recorded, or if that cannot be done, called later.
        transpose_solve: ``transpose_solve(vecmat, b)`` solves the transposed system, of which
            ``vecmat`` is the function. Needed in reverse mode only.
        symmetric: Whether the system is its own transpose; then ``solve`` solves both.
        has_aux: Whether ``solve`` returns a pair of the solution and auxiliary data, which is
            handed on and not differentiated.

    Returns:
        The solution, or the pair of the solution and auxiliary data.

    Raises:
        ArgumentError: ``matvec`` or a solver returns another structure or shape than ``b`` has.
        MissingRuleError: In reverse mode, where there is no ``transpose_solve``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def solution(d, b):
        ...     return ft.custom_linear_solve(
        ...         lambda x: d * x, b, lambda f, b: b / f(np.ones(2)), symmetric=True
        ...     )
        >>> solution(np.array([2.0, 4.0]), np.ones(2))
        array([0.5 , 0.25])
        >>> ft.grad(lambda d: np.sum(solution(d, np.ones(2))))(np.array([2.0, 4.0]))
        array([-0.25  , -0.0625])
    """
    require_callable(matvec, "custom_linear_solve", "matvec")
    require_callable(solve, "custom_linear_solve", "solve")
    right, structure = tree.flatten(b)
    right = [as_operand(x) for x in right]
    name = "custom_linear_solve"
    right, types, recorded = _recorded_endomorphism(matvec, name, right, structure)
    solver = _Solver(name, solve, structure, types, has_aux)
    if not any(isinstance(x, Tracer) for x in (*right, *_captured([recorded]))):
        return stop_gradient(solver.result(solver(matvec, right)))
    other: _Solver | None = None
    if symmetric:
        back = _Solver(name, solve, structure, types, has_aux)
        other = _Solver(name, lambda f, b: _solution_of(back, f, b), structure, types)
    elif transpose_solve is not None:
        other = _Solver(name, transpose_solve, structure, types)
    bodies: list[Program | None] = [None, None]

    def vecmat(x: Any) -> Any:
        leaves = [as_operand(leaf) for leaf in tree.leaves(x)]
        return structure.unflatten(run_program(full_transpose(recorded, 0), leaves))

    if any(innermost_value(x) is UNKNOWN for x in (*right, *_captured([recorded]))):
        bodies = [solver.recorded(matvec), other and other.recorded(vecmat)]
    closed, captured = _closed([recorded, *(body for body in bodies if body is not None)])
    function, *rest = closed
    found = iter(rest)
    count = len(captured)
    solvers: list[Any] = [None if body is None else next(found) for body in bodies]
    if solvers[0] is None:
        solvers[0] = solver.on_values(function, count)
    if solvers[1] is None and other is not None:
        solvers[1] = other.on_values(full_transpose(function, count), count)
    outputs = bind(
        linear_solve,
        *captured,
        *right,
        matvec=function,
        solve=solvers[0],
        transpose_solve=solvers[1],
        constants=count,
    )
    if solver.takes_tracers:
        for one, host, f in zip((solver, other), solvers, (matvec, vecmat), strict=True):
            if one is not None and isinstance(host, HostFunction):
                one.keep_values(host, f, recorded, count)
    return solver.result(outputs)


def _solution_of(solver: _Solver, function: Callable[..., Any], b: Any) -> Any:
    """The solution alone, without auxiliary data."""
    result = solver.solve(function, b)
    return split_aux(result, True)[0] if solver.has_aux else result


LARGEST_DENSE_SYSTEM = 100
"""Up to this many unknowns `fixed_point` solves for derivatives with a matrix."""


@boundary
def fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    tolerance: float | None = None,
    max_steps: int = 10_000,
) -> Any:
    """Repeat ``x = f(x, *args)`` until ``x`` stays the same.

    Derivatives come from the implicit function theorem: they need the fixed point only, not the
    way to it. Up to 100 unknowns they solve a linear system with its matrix; beyond, they repeat a
    linear function, which converges as ``f`` itself does.

    Args:
        f: Its result is a tree like its first argument.
        x0: Where to begin, a tree of arrays. Derivatives do not depend on it.
        args: More arguments, by which the fixed point can be differentiated, as it can by the
            values that ``f`` takes from around it.
        tolerance: It has converged when no element changes by more than this, relative to the
            largest one (or to 1); by default by 1.8e-12 in double and 6.4e-6 in single precision.
        max_steps: After so many steps without converging, the result is nan.

    Returns:
        The fixed point, a tree like ``x0``.

    Raises:
        ArgumentError: ``f`` returns another structure, shape or dtype.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> print(ft.fixed_point(lambda x, a: np.cos(a * x), 1.0, 1.0).round(9))
        0.739085133
        >>> slope = ft.grad(lambda a: ft.fixed_point(lambda x, a: np.cos(a * x), 1.0, a))(1.0)
        >>> print(slope.round(9))
        -0.297474342
    """
    require_callable(f, "fixed_point", "f")

    def residual(x: Any) -> Any:
        return tree.map(np.subtract, f(x, *args), x)

    def iterate(g: Callable[[Any], Any], x: Any) -> Any:
        return _repeated(lambda x: tree.map(np.add, g(x), x), x, tolerance, max_steps)

    def tangent_solve(g: Callable[[Any], Any], y: Any) -> Any:
        leaves = tree.leaves(y)
        size = sum(int(np.prod(x.shape)) for x in leaves)
        if size <= LARGEST_DENSE_SYSTEM and all(dtype_of(x).kind == "f" for x in leaves):
            flat, unravel = tree.ravel(y)
            unit = np.eye(size, dtype=dtype_of(flat))
            columns = vmap(lambda v: tree.ravel(g(unravel(v)))[0])(unit)
            return unravel(np.linalg.solve(columns.T, flat))

        # Of (J - 1) v = y: v is a fixed point of v -> J v - y.
        def solve(g: Callable[[Any], Any], y: Any) -> Any:
            def step(v: Any) -> Any:
                return tree.map(lambda gv, v, y: gv + v - y, g(v), v, y)

            return _repeated(step, tree.map(np.negative, y), tolerance, max_steps, least=0.0)

        return custom_linear_solve(g, y, solve, solve)

    return custom_root(residual, x0, iterate, tangent_solve)


def _repeated(
    step: Callable[[Any], Any],
    x: Any,
    tolerance: float | None,
    max_steps: int,
    least: float = 1.0,
) -> Any:
    """Repeat a function until its argument stays the same; nan where it does not.

    Changes count relative to the largest element, or to ``least`` where that is larger: 0 where the
    function is linear, for then no size is special.
    """
    x = tree.map(as_operand, x)
    finest = max((np.finfo(dtype_of(leaf)).eps for leaf in tree.leaves(x)), default=0.0)
    limit = float(finest) ** 0.75 if tolerance is None else float(tolerance)

    def moves(before: Any, after: Any) -> Any:
        moving: Any = False
        for a, b in zip(tree.leaves(before), tree.leaves(after), strict=True):
            size = np.max(np.abs(b), initial=least)
            # Not "is farther than": nan never comes to rest, nor does it come back.
            moving = np.logical_or(moving, np.max(np.abs(a - b), initial=0.0) > limit * size)
        return moving

    first = step(x)
    _, last, _, still = while_loop(
        lambda state: np.logical_and(state[3], state[2] < max_steps),
        lambda state: _next_state(step, moves, state),
        (x, first, np.int64(1), np.logical_or(moves(x, first), np.bool_(False))),
    )
    return tree.map(lambda leaf: np.where(still, np.nan, leaf).astype(dtype_of(leaf))[()], last)


def _next_state(step: Callable[..., Any], moves: Callable[..., Any], state: Any) -> Any:
    _, x, count, _ = state
    after = step(x)
    return x, after, count + 1, moves(x, after)
