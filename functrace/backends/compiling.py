"""From a recorded Program to a function of plain arrays: the seam behind which backends stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from functrace.backends.backend import Backend, Executable, backend_named, chosen, register
from functrace.backends.classes import classes_of_outputs
from functrace.backends.numpy_backend import AutoBackend, NumPyBackend
from functrace.collecting import collecting_less_often
from functrace.ir.program import Equation, Program
from functrace.ir.structure import structure_of
from functrace.tracing.tracer import Tracer
from functrace.transforms.calling import apart
from functrace.transforms.evaluate import run_program
from functrace.transforms.limits import EqualValues

OFTEN = 32
"""From so many runs on compiling an equation takes less time than evaluating it each time."""

FIRST = 150
"""How many evaluations of an equation take as long as what compiling takes in any case."""

register(NumPyBackend())
register(AutoBackend())


def compiled(
    program: Program,
    donated: frozenset[int] = frozenset(),
    name: str = "program",
    backend: str | None = None,
) -> Executable:
    """Make a Program ready to run; once for each Program, donation and backend.

    What runs writes no input but those that were donated, and no output shares memory with an
    input, another output or a constant.

    Args:
        program: A Program without captured tracers.
        donated: The numbers of the inputs whose memory may be overwritten and returned.
        name: The name of the function in the source, if it can be one.
        backend: The name of the backend; by default the one that is asked here.
    """
    if not _tells_apart(program):
        return _executable(program, backend or chosen(), donated, name)
    # It may have to be run once more.
    made = _executable(program, backend or chosen(), frozenset(), name)
    return made._replace(run=_run(program, made), checking=None)


def simplified(program: Program, backend: str | None = None) -> Program:
    """A Program as a backend simplifies it before it compiles it."""
    return backend_named(backend or chosen()).passes(program)


def _run(program: Program, executable: Executable) -> Callable[..., tuple[Any, ...]]:
    """What was compiled; where it finds equal values, or is given tracers, evaluation."""
    if not _tells_apart(program):
        return executable.run

    def run(*inputs: Any) -> tuple[Any, ...]:
        if not program.has_effect and not any(type(x) is Tracer for x in inputs):
            try:
                return executable.run(*inputs)
            except EqualValues:
                pass
        outputs = run_program(program, inputs)
        # They are no parts of anything, as those of what was compiled are not.
        return tuple(x.copy() if type(x) is np.ndarray else x for x in outputs)

    return run


def _tells_apart(program: Program) -> bool:
    """Whether its source looks for equal values, in what is written in place, too."""

    def is_told(equation: Equation) -> bool:
        primitive = equation.primitive
        if not primitive.may_hold_programs:
            return primitive.tells_apart
        structure = structure_of(equation)
        bodies = equation.programs if structure is None else structure.programs
        return primitive.tells_apart or any(map(_tells_apart, bodies))

    return program.derive("source tells apart", lambda: any(map(is_told, program.equations)))


def _executable(
    program: Program,
    backend: str,
    donated: frozenset[int] = frozenset(),
    name: str = "program",
) -> Executable:
    key = ("compiled", backend, donated)
    if key not in program.derived:
        asked = backend_named(backend)
        with collecting_less_often:
            made = asked.compile(program, donated, name)
        if not asked.separates:
            run = _separating(made.run, program, donated, asked)
            made = made._replace(run=run, checking=None)
        program.derived[key] = made
    return program.derived[key]


def _separating(
    run: Callable[..., tuple[Any, ...]], program: Program, donated: frozenset[int], backend: Backend
) -> Callable[..., tuple[Any, ...]]:
    """As a function of a backend, with outputs of NumPy's classes in memory of their own."""
    classes = classes_of_outputs(program)
    types = [atom.type for atom in program.outputs]
    lent = [number for number in range(len(program.inputs)) if number not in donated]
    constants = arrays_in(backend.passes(program))

    def run_apart(*inputs: Any) -> tuple[Any, ...]:
        outputs = list(run(*inputs))
        for number, type in enumerate(types):
            if type.shape:
                continue
            output = np.asarray(outputs[number], type.dtype)
            if type.weak:
                outputs[number] = output.item()
            elif not classes.get(number, isinstance(outputs[number], np.ndarray)):
                outputs[number] = output[()]
            else:
                outputs[number] = output
        return tuple(apart(outputs, [*(inputs[number] for number in lent), *constants]))

    return run_apart


def arrays_in(program: Program) -> list[np.ndarray]:
    """The arrays that a Program and those in it hold as constants, and as parameters."""
    arrays = [
        constant.value for constant in program.constants() if isinstance(constant.value, np.ndarray)
    ]
    for equation in program.equations:
        for parameter in equation.params.values():
            parts: Any = parameter if isinstance(parameter, tuple) else (parameter,)
            arrays += [part for part in parts if isinstance(part, np.ndarray)]
        for inner in equation.programs:
            arrays += arrays_in(inner)
    return arrays


evaluating: ContextVar[object] = ContextVar("evaluating", default=False)
"""Whether Programs are run equation by equation, however often: somebody looks at each of them."""


def runner(program: Program, runs: int) -> Callable[..., Sequence[Any]]:
    """What runs a Program that is about to be run some times: evaluation, unless that is often.

    Args:
        program: A Program without captured tracers.
        runs: How often; what was said before counts as well.

    Returns:
        A function of the Program's inputs, plain arrays or scalars.
    """
    if evaluating.get():
        return lambda *inputs: run_program(program, inputs)
    so_far = program.derived.get("runs", 0) + runs
    program.derived["runs"] = so_far
    count = len(program.equations)
    if count and so_far >= OFTEN + FIRST / count:
        return _run(program, _executable(program, chosen()))
    return lambda *inputs: run_program(program, inputs)


def interpreter(program: Program, runs: int, inputs: Sequence[Any]) -> Callable[..., Sequence[Any]]:
    """As `runner`, where some of the inputs may be tracers: then it is evaluation."""
    if any(type(x) is Tracer for x in inputs):
        return lambda *inputs: run_program(program, inputs)
    return runner(program, runs)


def run_again(program: Program, inputs: Sequence[Any], backend: str | None = None) -> Sequence[Any]:
    """Run a Program that a user keeps: compiled from its second time on.

    The first time it may be one of those that are made for one call.
    """
    if "runs" in program.derived and not evaluating.get():
        return _run(program, _executable(program, backend or chosen()))(*inputs)
    return runner(program, 1)(*inputs)
