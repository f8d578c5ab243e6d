"""jit: record a function once, and run the recorded Program from then on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from functrace import tree
from functrace.errors import ArgumentError, OperandError
from functrace.higher_order.programs import (
    Pullback,
    batched,
    closed,
    output_types,
    pushed_forward,
    record_program,
    residual_form,
    transposed,
)
from functrace.ir.primitive import Primitive
from functrace.ir.program import Program
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.linear import zeros_of_type
from functrace.tracing import as_operand, bind
from functrace.transforms.batch import axes_in_scope, named_axis, names_of_indices
from functrace.transforms.evaluate import run_program
from functrace.transforms.transpose import LinearValue

P = ParamSpec("P")
R = TypeVar("R")


class Call(Primitive):
    """Run a Program that is kept as one operation. Parameter: ``program``."""

    multiple_outputs = True
    holds_programs = True

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Evaluate the Program."""
        return tuple(run_program(params["program"], inputs))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The types of the Program's outputs."""
        return output_types(params["program"])

    def push_forward(
        self, inputs: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Run the Program in forward mode."""
        program: Program = params["program"]
        is_active = tuple(tangent is not None for tangent in tangents)
        pushed = pushed_forward(program, is_active)
        given = [tangent for tangent in tangents if tangent is not None]
        results = bind(self, *inputs, *given, **{**params, "program": pushed.program})
        count = len(program.outputs)
        found = iter(results[count:])
        return results[:count], tuple(next(found) if on else None for on in pushed.has_tangent)

    def keep_residuals(
        self, inputs: Sequence[Any], needed: Sequence[Any], params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Run the forward half of the Program; the backward half waits in a pullback."""
        program: Program = params["program"]
        form = residual_form(program, tuple(need is not None for need in needed))
        results = bind(self, *inputs, program=form.forward)
        count = len(program.outputs)

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            given = [
                zeros_of_type(atom.type) if cotangent is None else cotangent
                for cotangent, atom, takes in zip(
                    cotangents, program.outputs, form.takes_cotangent, strict=True
                )
                if takes
            ]
            found = iter(bind(self, *results[count:], *given, program=form.backward))
            return [next(found) if gives else None for gives in form.gives_cotangent]

        return results[:count], Pullback(self.name, pull_back)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose, where the Program is linear in the inputs whose values are not known."""
        program: Program = params["program"]
        is_linear = tuple(isinstance(x, LinearValue) for x in inputs)
        body, mask = transposed(program, is_linear)
        given = [
            zeros_of_type(atom.type) if part is None else part
            for part, atom in zip(cotangent, program.outputs, strict=True)
        ]
        known = [x for x, linear in zip(inputs, is_linear, strict=True) if not linear]
        found = iter(bind(self, *known, *given, **{**params, "program": body}))
        parts = iter([next(found) if present else None for present in mask])
        return [next(parts) if linear else None for linear in is_linear]

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Run the Program for all examples at once."""
        form = batched(params["program"], size, axes)
        return bind(self, *inputs, **{**params, "program": form.program}), form.axes


call = Call("jit")


class Entry(NamedTuple):
    """What jit keeps for one structure and types of arguments.

    Attributes:
        program: The recorded function.
        structure: The structure of its output.
        captured: The names of the axes of which the Program takes the numbers of the examples.
    """

    program: Program
    structure: tree.Structure
    captured: tuple[Hashable, ...]


def jit(
    f: Callable[P, R],
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
) -> Callable[P, R]:
    """Make a function that is recorded once, and run from its recording from then on.

    The function is called on tracers of which only shapes and dtypes are known, once for each tree
    structure and types of its arguments and each value of the static ones. Python code in it runs
    only then: printing, appending to lists, and reading the clock happen once.

    Args:
        f: A function of trees of arrays.
        static_argnums: The positions of arguments that are not traced, but are plain Python
            values: options, shapes, functions. They must be hashable.
        static_argnames: The names of such arguments, where they are passed by keyword.

    Returns:
        A function with the arguments and results of ``f``.

    Raises:
        UnknownValueError: ``f`` asks Python for the value of an array.
        ArgumentError: A static argument cannot be hashed, or another is no array.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> fast = ft.jit(lambda x: np.sin(x) ** 2)
        >>> fast(0.0)
        np.float64(0.0)
    """
    positions, names = _static_parameters(f, static_argnums, static_argnames)
    cache: dict[Hashable, Entry] = {}

    @wraps(f)
    def compiled(*args: P.args, **kwargs: P.kwargs) -> R:
        static, function, dynamic = _without_static(f, positions, names, args, kwargs)
        leaves, structure = tree.flatten(dynamic)
        try:
            leaves = [as_operand(leaf) for leaf in leaves]
        except (OperandError, ValueError, TypeError):
            raise _not_an_array(f, leaves, structure) from None
        types = tuple(type_of(leaf) for leaf in leaves)
        key = (structure, types, static, axes_in_scope())
        recorded = cache.get(key)
        if recorded is None:
            called = _of_args_and_kwargs(function)
            body, out_structure = record_program(called, structure, types)
            program, captured = closed(body)
            # Captured values belong to this call alone, but for the numbers of examples: another
            # call finds its own under the same names.
            names_of_captured = names_of_indices(captured)
            recorded = Entry(program, out_structure, names_of_captured or ())
            if names_of_captured is not None:
                cache[key] = recorded
        else:
            captured = [named_axis(name).index for name in recorded.captured]
        outputs = bind(call, *leaves, *captured, program=recorded.program)
        return recorded.structure.unflatten(list(outputs))

    return compiled


def _of_args_and_kwargs(f: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(f)
    def called(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return f(*args, **kwargs)

    return called


def _not_an_array(
    f: Callable[..., Any], leaves: Sequence[Any], structure: tree.Structure
) -> ArgumentError:
    for leaf, path in zip(leaves, structure.paths(), strict=True):
        try:
            as_operand(leaf)
        except (OperandError, ValueError, TypeError):
            return ArgumentError(
                f"{getattr(f, '__name__', 'A function')} under jit was called with a "
                f"{type(leaf).__qualname__} at {tree.keystr(path)} of (args, kwargs), which is "
                "no array and no number.",
                advice="Name the argument by static_argnums or static_argnames.",
            )
    raise AssertionError("one of the leaves was no operand")


def _static_parameters(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None,
    argnames: str | Iterable[str] | None,
) -> tuple[frozenset[int], frozenset[str]]:
    """Positions and names of the static parameters; each is found by both where possible."""
    positions = set(() if argnums is None else (argnums,) if isinstance(argnums, int) else argnums)
    names = set(() if argnames is None else (argnames,) if isinstance(argnames, str) else argnames)
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return frozenset(positions), frozenset(names)
    by_position = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for position in list(positions):
        if -len(by_position) <= position < len(by_position):
            positions.discard(position)
            positions.add(position % len(by_position))
            names.add(by_position[position])
        elif not takes_any:
            raise ArgumentError(
                f"static_argnums names argument {position}, but "
                f"{getattr(f, '__name__', 'the function')} has {len(by_position)}."
            )
    positions.update(index for index, name in enumerate(by_position) if name in names)
    return frozenset(positions), frozenset(names)


def _without_static(
    f: Callable[..., Any],
    positions: frozenset[int],
    names: frozenset[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Hashable, Callable[..., Any], tuple[tuple[Any, ...], dict[str, Any]]]:
    """The static arguments, the function of the others, and these others."""
    if not positions and not names:
        return (), f, (args, kwargs)
    static_args = tuple((i, args[i]) for i in sorted(positions) if i < len(args))
    static_kwargs = tuple((name, kwargs[name]) for name in sorted(names) if name in kwargs)
    static = tuple((key, type(value), value) for key, value in (*static_args, *static_kwargs))
    try:
        hash(static)
    except TypeError:
        unhashable = [str(key) for key, _, value in static if not _is_hashable(value)]
        raise ArgumentError(
            f"The static argument {', '.join(unhashable)} cannot be hashed.",
            advice="Give static arguments as tuples, strings or numbers, not as lists, dicts or "
            "arrays.",
        ) from None
    fixed = dict(static_args)

    def function(*dynamic: Any, **options: Any) -> Any:
        rest = iter(dynamic)
        merged = [fixed[i] if i in fixed else next(rest) for i in range(len(args))]
        return f(*merged, **options, **dict(static_kwargs))

    dynamic_args = tuple(x for i, x in enumerate(args) if i not in fixed)
    dynamic_kwargs = {name: x for name, x in kwargs.items() if name not in names}
    return static, function, (dynamic_args, dynamic_kwargs)


def _is_hashable(x: Any) -> bool:
    try:
        hash(x)
    except TypeError:
        return False
    return True
