"""Recording a function into a Program, and evaluating a Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from functrace import depth, tree
from functrace.collecting import collecting_less_often
from functrace.depth import RecordedLevel
from functrace.errors import (
    ArgumentError,
    ArrayConversionError,
    FunctraceError,
    OperandError,
    ScalarWriteError,
)
from functrace.ir.program import (
    NOTHING,
    Constant,
    ElidedValue,
    Equation,
    Program,
    Variable,
    elided,
    name_variables,
    with_programs,
)
from functrace.ir.types import ArrayType, type_of
from functrace.tracebacks import boundary
from functrace.tracing import numpy_warnings
from functrace.tracing.draws import watching_draws
from functrace.tracing.layouts import layout_of
from functrace.tracing.operands import as_operand
from functrace.tracing.places import runs_equations, source_of, user_place
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.tracer import bind
from functrace.tracing.views import layouts_of
from functrace.transforms.arguments import operands
from functrace.transforms.calling import apart
from functrace.transforms.transformed import require_callable, transformed

P = ParamSpec("P")


@boundary
def make_ir(f: Callable[P, Any]) -> Callable[P, Program]:
    """Make a function that records what ``f`` does into a Program.

    Args:
        f: A function of trees of arrays; all its arguments are traced, by type only.

    Returns:
        A function with the arguments of ``f``, of which only structure, shapes and dtypes count.
        It returns the Program, whose inputs and outputs are the leaves of the trees.

    Raises:
        UnknownValueError: ``f`` asks Python for the value of an array.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> program = ft.make_ir(lambda x: np.sin(x) * 2)(np.ones(3))
        >>> print(ft.make_ir(lambda x: np.sin(x) * 2.0)(np.ones(3)))  # doctest: +ELLIPSIS
        def program(a: float64[3]):
            b: float64[3] = sin(a)  # ...
            c: float64[3] = multiply(b, 2.0)  # ...
            return c
    """
    require_callable(f, "make_ir")
    on_tracers: Callable[..., Any] = f

    @transformed(f, make_ir)
    @boundary
    def record(*args: Any, **kwargs: Any) -> Program:
        leaves, structure = tree.flatten((args, kwargs))
        advice = "Give arrays and numbers, and let the function take anything else from around it."
        given = operands(f, leaves, structure, "make_ir", advice)
        with collecting_less_often, ProgramRecording() as recording:
            tracers = [recording.input(type_of(x), _layout(x)) for x in given]
            traced_args, traced_kwargs = structure.unflatten(tracers)
            with watching_draws(f):
                outputs = tree.leaves(on_tracers(*traced_args, **traced_kwargs))
            for x in outputs:
                _require_array(x, f)
            program = recording.program(outputs)
        name_variables(program)
        return program

    return record


def _layout(x: Any) -> np.ndarray | None:
    """How an argument lies in memory; None for row-major order and for scalars."""
    return layout_of(x) if isinstance(x, np.ndarray) else None


def _require_array(x: Any, f: Callable[..., Any]) -> None:
    try:
        type_of(x)
    except FunctraceError:
        raise
    except TypeError:
        raise OperandError(
            f"{getattr(f, '__name__', 'The function')} returned a {type(x).__qualname__}, which is "
            "no array and no number.",
            advice="Return arrays, numbers, and containers of them.",
        ) from None


@boundary
def evaluate(program: Program, *inputs: Any) -> list[Any]:
    """Run a Program, equation by equation.

    Args:
        program: What to run.
        inputs: One array or scalar for each input of the Program, or tracers.

    Returns:
        The outputs.

    Raises:
        ArgumentError: The inputs do not fit the Program's.
        ProgramCheckError: The Program was parsed from a text that leaves out constants.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.evaluate(ft.make_ir(np.sin)(0.0), 0.0)
        [np.float64(0.0)]
    """
    if len(inputs) != len(program.inputs):
        raise ArgumentError(
            f"The Program has {len(program.inputs)} inputs, but {len(inputs)} were given."
        )
    for number, (variable, x) in enumerate(zip(program.inputs, inputs, strict=True)):
        try:
            given = type_of(x)
        except TypeError:
            raise ArgumentError(
                f"Input {number} of the Program has the type {variable.type}, and was given a "
                f"{type(x).__qualname__}, which is no array and no number.",
                source_of(user_place(1)),
                "Give one array or number for each input: the leaves of the arguments, in the "
                "order of functrace.tree.leaves.",
            ) from None
        if (given.shape, given.dtype) != (variable.type.shape, variable.type.dtype):
            raise ArgumentError(
                f"Input {number} of the Program has the type {variable.type}, not {given}."
            )
    return apart(run_program(program, [*map(as_operand, inputs)]), inputs)


@runs_equations("equation")
def run_program(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """Run a Program on inputs that are known to fit. As `evaluate` else."""
    values: dict[Variable, Any] = dict(zip(program.inputs, inputs, strict=True))

    def read(atom: Variable | Constant) -> Any:
        if isinstance(atom, Variable):
            return values[atom]
        if isinstance(atom.value, ElidedValue):
            raise elided(atom)
        return atom.value

    handling = NOTHING
    begun = numpy_warnings.begin()
    depth.enter()
    try:
        for equation, ending in zip(program.equations, program.last_uses(), strict=True):
            primitive, params = equation.primitive, equation.params
            if equation.handling is not handling and equation.handling != handling:
                numpy_warnings.end(begun)
                handling = equation.handling
                begun = numpy_warnings.begin_handling(handling)
            try:
                output = bind(primitive, *map(read, equation.inputs), **params)
            except FunctraceError as error:
                error.at(equation.source)
                raise
            outputs = output if primitive.multiple_outputs else (output,)
            values.update(zip(equation.outputs, outputs, strict=True))
            for variable in ending:
                del values[variable]
    finally:
        depth.leave()
        numpy_warnings.end(begun)
    return [read(atom) for atom in program.outputs]


def without_effects(program: Program) -> Program:
    """A Program that computes the same, and prints nothing."""
    equations: list[Equation] = []
    for equation in program.equations:
        if equation.primitive.has_effect and not equation.outputs:
            continue
        if equation.has_effect:
            params = with_programs(equation.params, without_effects)
            equations.append(equation.replaced(params=params))
        else:
            equations.append(equation)
    if len(equations) == len(program.equations) and all(
        new is old for new, old in zip(equations, program.equations, strict=True)
    ):
        return program
    return Program(program.inputs, equations, program.outputs)


_recorded_level = RecordedLevel(lambda: source_of(user_place(3)))


class Recorded(NamedTuple):
    """A recorded function of trees.

    Attributes:
        program: Takes the leaves of the arguments, and returns the leaves of the output.
        structure: The structure of the output.
        row_major: The numbers of the inputs for which the Program holds in this order only.
        layouts: How the outputs lie in memory, by `layouts_of`, where the inputs are said to lie
            in some way, or where it matters.
    """

    program: Program
    structure: tree.Structure
    row_major: tuple[int, ...] = ()
    layouts: Sequence[Any] = ()


def record_program(
    f: Callable[..., Any],
    arguments: tree.Structure,
    types: Sequence[ArrayType],
    layouts: Sequence[Any] | None = None,
    like: Sequence[Any] = (),
) -> Recorded:
    """Record a function, called with positional arguments of this structure and these types.

    The Program may capture tracers: it is not closed yet.

    Args:
        f: The function.
        arguments: The structure of its arguments.
        types: The types of their leaves.
        layouts: How these lie in memory, as `layouts_of` says it; by default in row-major order.
        like: The leaves, where they are known: if it matters how they lie, and they do not lie in
            row-major order, the function is recorded once more.
    """
    try:
        recorded = _recorded(f, arguments, types, layouts)
    except ScalarWriteError:  # but what is an array may be written
        layouts = layouts_of(like)
        if all(layout is None for layout in layouts):
            raise
        return _recorded(f, arguments, types, layouts)
    if like and recorded.row_major:
        layouts = layouts_of(like)
        if any(layouts[number] is not None for number in recorded.row_major):
            return _recorded(f, arguments, types, layouts)
    return recorded


def _recorded(
    f: Callable[..., Any],
    arguments: tree.Structure,
    types: Sequence[ArrayType],
    layouts: Sequence[Any] | None,
) -> Recorded:
    with _recorded_level, ProgramRecording() as recording:
        lying = layouts or [None] * len(types)
        inputs = [recording.input(*given) for given in zip(types, lying, strict=True)]
        outputs, structure = tree.flatten(f(*arguments.unflatten(inputs)))
        program = recording.program([_as_output(x, f) for x in outputs])
        row_major = [n for n, x in enumerate(recording.inputs) if x in recording.row_major]
        lie = layouts_of(outputs) if row_major or layouts else ()
        return Recorded(program, structure, tuple(row_major), lie)


def _as_output(x: Any, f: Callable[..., Any]) -> Any:
    try:
        return as_operand(x)
    except (OperandError, ArrayConversionError):
        raise OperandError(
            f"{getattr(f, '__name__', 'A function')} was recorded, and returned a "
            f"{type(x).__qualname__}, which is no array and no number.",
            advice="Return arrays, numbers, and containers of them.",
        ) from None
