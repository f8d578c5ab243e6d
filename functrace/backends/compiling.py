"""From a recorded Program to a function of plain arrays: the seam behind which backends stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from functrace.backends.numpy_source import Written
from functrace.ir.program import Program, Variable
from functrace.transforms.evaluate import run_program
from functrace.transforms.simplify import simplify

OFTEN = 32
"""From so many runs on compiling an equation takes less time than evaluating it each time."""

FIRST = 150
"""How many evaluations of an equation take as long as what compiling takes in any case."""


class Executable(NamedTuple):
    """A Program made ready to run.

    Attributes:
        run: Takes the Program's inputs, plain arrays or scalars that fit their types, and returns
            the outputs as a tuple. It writes no input but those that were donated, and no output
            shares memory with an input or another output.
        program: The Program that it runs: the given one, simplified.
        source: What runs, as text that a person can read.
    """

    run: Callable[..., tuple[Any, ...]]
    program: Program
    source: str


def compiled(
    program: Program, donated: frozenset[int] = frozenset(), name: str = "program"
) -> Executable:
    """Make a Program ready to run; once for each Program and donation.

    Args:
        program: A Program without captured tracers.
        donated: The numbers of the inputs whose memory may be overwritten and returned.
        name: The name of the function in the source, if it can be one.
    """
    written = _written(program, donated, name)
    return Executable(written.run, simplify(program), written.source)


def _written(
    program: Program, donated: frozenset[int] = frozenset(), name: str = "program"
) -> Written:
    # Without the simplified Program, which may be the Program itself: it must not hold itself.
    key = ("compiled", donated)
    if key not in program.derived:
        arrays = array_outputs(program)
        program.derived[key] = Written(simplify(program), donated, name, arrays)
    return program.derived[key]


def array_outputs(program: Program) -> frozenset[int]:
    """The numbers of the outputs that NumPy makes arrays though they have no axes.

    In all that is computed with them they are numbers, also where a Program is simplified; only
    who gets them back can see the difference.
    """
    wanted = {atom for atom in program.outputs if not atom.type.shape}
    if not wanted:
        return frozenset()
    found: set[Variable] = set()
    for equation in program.equations:
        if wanted.isdisjoint(equation.outputs):
            continue
        primitive = equation.primitive
        if primitive.makes_arrays:
            found.update(equation.outputs)
        elif primitive.holds_programs:
            body = primitive.inlined([atom.type for atom in equation.inputs], equation.params)
            if body is not None:
                found.update(equation.outputs[number] for number in array_outputs(body))
    return frozenset(n for n, atom in enumerate(program.outputs) if atom in found)


def runner(program: Program, runs: int) -> Callable[..., Sequence[Any]]:
    """What runs a Program that is about to be run some times: evaluation, unless that is often.

    Args:
        program: A Program without captured tracers.
        runs: How often; what was said before counts as well.

    Returns:
        A function of the Program's inputs, plain arrays or scalars.
    """
    so_far = program.derived.get("runs", 0) + runs
    program.derived["runs"] = so_far
    count = len(program.equations)
    if count and so_far >= OFTEN + FIRST / count:
        return _written(program).run
    return lambda *inputs: run_program(program, inputs)


def run_again(program: Program, inputs: Sequence[Any]) -> Sequence[Any]:
    """Run a Program that a user keeps: compiled from its second time on.

    The first time it may be one of those that are made for one call.
    """
    if "runs" in program.derived:
        return _written(program).run(*inputs)
    return runner(program, 1)(*inputs)
