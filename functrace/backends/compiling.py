"""From a recorded Program to a function of plain arrays: the seam behind which backends stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from functrace.backends.assuming import NotAsAssumed, assuming_finite, begin_assuming
from functrace.backends.numpy_source import Written
from functrace.collecting import collecting_less_often
from functrace.ir.program import Atom, Equation, Program
from functrace.ir.structure import structure_of
from functrace.simplify import simplify, simplify_first
from functrace.tracing.numpy_warnings import end_of_rule
from functrace.tracing.tracer import Tracer
from functrace.transforms.evaluate import run_program
from functrace.transforms.limits import EqualValues

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
        given: The Program.
        source: What runs, as text that a person can read.
    """

    run: Callable[..., tuple[Any, ...]]
    given: Program
    source: str

    @property
    def program(self) -> Program:
        """The Program that it runs: the given one, simplified."""
        return simplify(self.given)


def compiled(
    program: Program, donated: frozenset[int] = frozenset(), name: str = "program"
) -> Executable:
    """Make a Program ready to run; once for each Program and donation.

    Args:
        program: A Program without captured tracers.
        donated: The numbers of the inputs whose memory may be overwritten and returned.
        name: The name of the function in the source, if it can be one.
    """
    if _tells_apart(program):  # it may have to be run once more
        donated = frozenset()
    written = _written(program, donated, name)
    return Executable(_run(program, written), program, written.source)


def _run(program: Program, written: Written | Assuming) -> Callable[..., tuple[Any, ...]]:
    """What was compiled; where it finds equal values, or is given tracers, evaluation."""
    if not _tells_apart(program):
        return written.run

    def run(*inputs: Any) -> tuple[Any, ...]:
        if not program.has_effect and not any(type(x) is Tracer for x in inputs):
            try:
                return written.run(*inputs)
            except EqualValues:
                pass
        return tuple(run_program(program, inputs))

    return run


def _tells_apart(program: Program) -> bool:
    """Whether its source looks for equal values, in what is written in place, too."""

    def is_told(equation: Equation) -> bool:
        structure = structure_of(equation)
        bodies = equation.programs if structure is None else structure.programs
        return equation.primitive.tells_apart or any(map(_tells_apart, bodies))

    return program.derive("source tells apart", lambda: any(map(is_told, program.equations)))


def _written(
    program: Program, donated: frozenset[int] = frozenset(), name: str = "program"
) -> Written | Assuming:
    key = ("compiled", donated)
    if key not in program.derived:
        with collecting_less_often:
            classes = classes_of_outputs(program)
            assuming = None if donated else assuming_finite(program)
            if assuming is None:
                # It does not hold the Program, which may be the given one: that must not hold
                # itself.
                written = Written(simplify(program), donated, name, classes)
            else:
                written = Assuming(program, assuming, name, classes)
        program.derived[key] = written
    return program.derived[key]


class Assuming:
    """A function that assumes that all is finite, until it finds that something is not.

    Attributes:
        source: The text of what runs as long as the assumption holds.
        run: The function.
    """

    def __init__(
        self, program: Program, assuming: Program, name: str, classes: Mapping[int, bool]
    ) -> None:
        """Write the function.

        Args:
            program: What is to be run.
            assuming: The same, made by `assuming_finite`.
            name: The name of the function.
            classes: As for `Written`.
        """
        hopeful = Written(simplify_first(assuming), frozenset(), name, classes)
        # One of its own, for the same reason.
        program = Program(program.inputs, program.equations, program.outputs)
        assumed = hopeful.run
        careful: Callable[..., tuple[Any, ...]] | None = None

        def run(*inputs: Any) -> tuple[Any, ...]:
            nonlocal careful
            if careful is None:
                begun = begin_assuming()
                try:
                    return assumed(*inputs)
                except NotAsAssumed:
                    pass
                finally:
                    end_of_rule(begun)
                careful = Written(simplify(program), frozenset(), name, classes).run
            return careful(*inputs)

        self.source = hopeful.source
        self.run: Callable[..., tuple[Any, ...]] = run


def classes_of_outputs(program: Program) -> dict[int, bool]:
    """Which outputs without axes NumPy makes arrays, and which scalars.

    In all that is computed with them they are numbers, also where a Program is simplified; only
    who gets them back can see the difference.

    Returns:
        Whether it is an array, by the number of the output; nothing for those that are of the
        class of an input.
    """
    return program.derive("classes of outputs", lambda: _classes(program))


def _classes(program: Program) -> dict[int, bool]:
    wanted = {atom for atom in program.outputs if not atom.type.shape and not atom.type.weak}
    found: dict[Atom, bool] = {}
    for equation in program.equations if wanted else ():
        if all(variable.type.shape for variable in equation.outputs):
            continue
        if equation.primitive.holds_programs:
            found.update(_classes_by_bodies(equation))
        elif (is_array := _makes_arrays(equation, found)) is not None:
            found.update(dict.fromkeys(equation.outputs, is_array))
    found.update({atom: False for atom in wanted if getattr(atom, "is_scalar", False)})
    return {n: found[atom] for n, atom in enumerate(program.outputs) if atom in found}


def _classes_by_bodies(equation: Equation) -> dict[Atom, bool]:
    """The classes of outputs that are those of Programs within: where all of these agree."""
    structure = structure_of(equation)
    if structure is None:
        return {}
    classes = [set(classes_of_outputs(body).items()) for body in structure.results]
    agreed = set.intersection(*classes)
    return {equation.outputs[number]: is_array for number, is_array in agreed}


def _makes_arrays(equation: Equation, found: dict[Atom, bool]) -> bool | None:
    """Whether NumPy makes arrays of outputs without axes; None where nothing tells."""
    primitive = equation.primitive
    if primitive.makes_arrays:
        return True
    if primitive.makes_scalars:
        return False
    if primitive.multiple_outputs or not (primitive.makes_views or primitive.keeps_arrays):
        return None
    given = equation.inputs[0]
    return True if given.type.shape else found.get(given)


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
        return _run(program, _written(program))
    return lambda *inputs: run_program(program, inputs)


def interpreter(program: Program, runs: int, inputs: Sequence[Any]) -> Callable[..., Sequence[Any]]:
    """As `runner`, where some of the inputs may be tracers: then it is evaluation."""
    if any(type(x) is Tracer for x in inputs):
        return lambda *inputs: run_program(program, inputs)
    return runner(program, runs)


def run_again(program: Program, inputs: Sequence[Any]) -> Sequence[Any]:
    """Run a Program that a user keeps: compiled from its second time on.

    The first time it may be one of those that are made for one call.
    """
    if "runs" in program.derived:
        return _run(program, _written(program))(*inputs)
    return runner(program, 1)(*inputs)
