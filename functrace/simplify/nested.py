"""Simplifying the Programs that equations hold, and what is done with them.

What an application does is read as a `Structure`; a better one is handed back to its primitive,
which says by which inputs and parameters it is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from functrace.ir.program import (
    Atom,
    Constant,
    Equation,
    Program,
    Variable,
    input_types,
    output_types,
    with_programs,
)
from functrace.ir.structure import Choice, Loop, Run, Structure, nearest, structure_of
from functrace.simplify.dead_code import remove_dead_code
from functrace.simplify.loops import Improved, atoms_read, improved
from functrace.simplify.rewriting import Scope, is_known, rewrite, use_counts
from functrace.simplify.trips import Regrouped, regrouped


def simplify_nested(program: Program, simplify: Callable[[Program], Program]) -> Program:
    """Simplify the Programs among the parameters of a Program's equations.

    Args:
        program: The Program.
        simplify: Simplifies one; it keeps the result, so that none is simplified twice.

    Returns:
        The Program that holds the simplified ones.
    """

    def step(equation: Equation, scope: Scope) -> None:
        params = with_programs(equation.params, simplify)
        scope.append(equation if params is equation.params else equation.replaced(params=params))

    return rewrite(program, step)


def improve_structures(program: Program, *, in_all_trips: bool = False) -> Program:
    """Improve what is done with Programs.

    Loops lose the outputs, carries and rows that nothing uses, and what is the same in all trips is
    computed before them. Runs and choices lose outputs that nothing uses and inputs that are
    constants or not read; of a choice that is known, what is chosen stays.

    Args:
        program: The Program, without dead code.
        in_all_trips: Whether it is better to do something for all trips at once, on stacks, than
            trip by trip.

    Returns:
        The Program with the improved applications; the same Program, if there are none.
    """
    used = use_counts(program)

    def step(equation: Equation, scope: Scope) -> None:
        structure = structure_of(equation)
        atoms: Sequence[Atom | None] | None = None
        if structure is not None:
            is_used = [variable in used for variable in equation.outputs]
            atoms = _improved(equation, structure, is_used, scope, in_all_trips)
        if atoms is None:
            scope.append(equation)
            return
        for variable, atom in zip(equation.outputs, atoms, strict=True):
            if atom is not None:
                scope.replace(variable, atom)

    return rewrite(program, step)


def _improved(
    equation: Equation,
    structure: Structure[Atom],
    used: Sequence[bool],
    scope: Scope,
    in_all_trips: bool,
) -> Sequence[Atom | None] | None:
    """Write a better application; what stands for each output, or None for what nothing uses."""
    better: Structure[Atom]
    found: Improved | Regrouped | Reduced | None
    match structure:
        case Run():
            found = reduced(structure.programs, structure.inputs, used)
            if found is None:
                return None
            inputs = [structure.inputs[number] for number in found.kept]
            better = structure._replace(program=found.programs[0], inputs=inputs)
        case Choice():
            chosen = _chosen(structure)
            if chosen is not None and _fits(chosen, structure.operands, equation):
                return scope.insert(equation, chosen, structure.operands)
            found = reduced(structure.branches, structure.operands, used)
            if found is None:
                return None
            operands = [structure.operands[number] for number in found.kept]
            better = structure._replace(branches=found.programs, operands=operands)
            if structure.axes:
                better = better._replace(axes=[structure.axes[number] for number in found.kept])
        case Loop():
            found = improved(structure, used, equation, scope)
            if found is None and in_all_trips and structure.condition is None:
                found = regrouped(structure, equation, scope)
            if found is None:
                return None
            better = found.loop
    application = equation.primitive.from_structure(better, equation.params)
    if application is None:
        return None
    return found.atoms(scope.emit_all(equation, equation.primitive, *application))


def _chosen(choice: Choice[Atom]) -> Program | None:
    """The branch of a choice that is known."""
    index = choice.index
    if not isinstance(index, Constant) or not is_known(index) or choice.examples is not None:
        return None
    return choice.branches[nearest(index.value, len(choice.branches))]


def _fits(program: Program, operands: Sequence[Atom], equation: Equation) -> bool:
    """Whether a Program takes these operands, and returns what an equation does, types and all."""
    given = tuple(atom.type for atom in operands)
    made = tuple(variable.type for variable in equation.outputs)
    return given == input_types(program) and made == output_types(program)


@dataclass
class Reduced:
    """Programs with the same inputs and outputs, of which fewer are left.

    Attributes:
        programs: The Programs.
        kept: The numbers of the inputs that stay.
        used: Which outputs stay.
    """

    programs: list[Program]
    kept: list[int]
    used: Sequence[bool]

    def atoms(self, made: Sequence[Variable]) -> list[Atom | None]:
        """What stands for each of all outputs, given those that stay."""
        found = iter(made)
        return [next(found) if on else None for on in self.used]


def reduced(
    programs: Sequence[Program], given: Sequence[Atom], used: Sequence[bool]
) -> Reduced | None:
    """Leave out outputs that nothing uses, and inputs that are constants or that nothing reads.

    Args:
        programs: The Programs, of which some primitive runs one on inputs.
        given: What is given for the inputs.
        used: Which of the outputs something uses.

    Returns:
        What is left; None where nothing can be left out.
    """
    better: list[Program] = []
    read: set[int] = set()
    for program in programs:
        instead: dict[Atom, Atom] = {
            variable: atom
            for variable, atom in zip(program.inputs, given, strict=True)
            if is_known(atom) and atom.type == variable.type
        }
        alive = program
        if not all(used):
            outputs = [atom for atom, on in zip(program.outputs, used, strict=True) if on]
            alive = Program(program.inputs, program.equations, outputs)
        alive = remove_dead_code(alive)
        if instead:
            equations = [
                equation.replaced(inputs=[instead.get(atom, atom) for atom in equation.inputs])
                for equation in alive.equations
            ]
            alive = Program(program.inputs, equations, [instead.get(x, x) for x in alive.outputs])
        atoms = atoms_read(alive)
        read.update(number for number, v in enumerate(program.inputs) if v in atoms)
        better.append(alive)
    if all(used) and len(read) == len(given):
        return None
    kept = sorted(read)
    return Reduced(
        [
            Program([program.inputs[number] for number in kept], program.equations, program.outputs)
            for program in better
        ],
        kept,
        used,
    )
