"""Which outputs without axes NumPy makes arrays, and which scalars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program
from functrace.ir.structure import structure_of
from functrace.primitives.indexing import gather


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
    found: dict[Atom, bool] = {
        atom: isinstance(atom.value, np.ndarray) for atom in wanted if isinstance(atom, Constant)
    }
    for equation in reversed(_that_tell(program.equations, wanted)):
        if equation.primitive.holds_programs:
            found.update(_classes_by_bodies(equation))
        elif (is_array := _makes_arrays(equation, found)) is not None:
            found.update(dict.fromkeys(equation.outputs, is_array))
    found.update({atom: False for atom in wanted if getattr(atom, "is_scalar", False)})
    return {n: found[atom] for n, atom in enumerate(program.outputs) if atom in found}


def _that_tell(equations: Sequence[Equation], wanted: Iterable[Atom]) -> list[Equation]:
    """The equations on which it depends, from the last to the first."""
    asked = set(wanted)
    telling: list[Equation] = []
    for equation in reversed(equations) if asked else ():
        if not asked.isdisjoint(equation.outputs):
            telling.append(equation)
            asked.update(equation.inputs[:1])
    return telling


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
    if primitive is gather:
        return Ellipsis in equation.params["index"]
    if primitive.makes_scalars:
        return False
    if primitive.multiple_outputs or not (primitive.makes_views or primitive.keeps_arrays):
        return None
    given = equation.inputs[0]
    if isinstance(given, Constant) and not given.type.weak:
        return isinstance(given.value, np.ndarray)
    return True if given.type.shape else found.get(given)
