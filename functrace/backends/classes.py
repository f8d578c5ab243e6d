"""Which outputs without axes NumPy makes arrays, and which scalars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.structure import Choice, Loop, Structure, structure_of
from functrace.primitives.indexing import gather

Origin = bool | Variable
"""Whether a value is an array, or the input of whose class it is."""


class Given(NamedTuple):
    """Of the class of an input, by its number."""

    number: int


Classes = Mapping[int, bool | Given]
"""Which outputs without axes are arrays, by number; nothing for those of which it is not known."""


def origins_of_outputs(program: Program) -> dict[int, bool | Given]:
    """As `classes_of_outputs`, and which outputs are of the class of which input."""
    numbers = {variable: number for number, variable in enumerate(program.inputs)}
    return {
        number: found if isinstance(found, bool) else Given(numbers[found])
        for number, found in _origins(program).items()
    }


def classes_of_outputs(program: Program) -> dict[int, bool]:
    """Which outputs without axes NumPy makes arrays, and which scalars.

    In all that is computed with them they are numbers, also where a Program is simplified; only
    who gets them back can see the difference.

    Returns:
        Whether it is an array, by the number of the output; nothing for those that are of the
        class of an input.
    """
    origins = _origins(program)
    return {number: found for number, found in origins.items() if isinstance(found, bool)}


def _origins(program: Program) -> dict[int, Origin]:
    """The origins of outputs without axes, as far as they are known."""
    return program.derive("origins of outputs", lambda: _found_origins(program))


def _found_origins(program: Program) -> dict[int, Origin]:
    wanted = {atom for atom in program.outputs if not atom.type.shape and not atom.type.weak}
    found: dict[Atom, Origin] = {x: x for x in program.inputs if not (x.type.shape or x.type.weak)}
    for equation in reversed(_that_tell(program.equations, wanted)):
        if equation.primitive.holds_programs:
            found.update(_of_bodies(equation, found))
        elif (origin := _of_equation(equation, found)) is not None:
            found.update(dict.fromkeys(equation.outputs, origin))
    found.update({atom: False for atom in wanted if getattr(atom, "is_scalar", False)})
    origins = {
        number: _origin(atom, found)
        for number, atom in enumerate(program.outputs)
        if atom in wanted
    }
    return {number: origin for number, origin in origins.items() if origin is not None}


def _origin(atom: Atom, found: Mapping[Atom, Origin]) -> Origin | None:
    """The origin of a value; nothing is said of Python's numbers."""
    if isinstance(atom, Constant):
        return None if atom.type.weak else isinstance(atom.value, np.ndarray)
    return found.get(atom)


def _that_tell(equations: Sequence[Equation], wanted: Iterable[Atom]) -> list[Equation]:
    """The equations on which it depends, from the last to the first."""
    asked = set(wanted)
    telling: list[Equation] = []
    for equation in reversed(equations) if asked else ():
        if not asked.isdisjoint(equation.outputs):
            telling.append(equation)
            asked.update(equation.inputs[: None if equation.primitive.holds_programs else 1])
    return telling


def _of_bodies(equation: Equation, found: Mapping[Atom, Origin]) -> dict[Atom, Origin]:
    """The origins of outputs that are those of Programs within.

    Where these differ, and one of them makes a scalar, it is one whichever of them is run.
    """
    structure = structure_of(equation)
    if structure is None:
        return {}
    bodies = [_of_body(structure, body, found) for body in structure.results]
    origins: dict[Atom, Origin] = {}
    for number, output in enumerate(equation.outputs):
        given = [body.get(number) for body in bodies]
        if given[0] is not None and all(origin is given[0] for origin in given):
            origins[output] = given[0]
        elif any(origin is False for origin in given):
            origins[output] = False
    return origins


def _of_body(
    structure: Structure[Atom], body: Program, found: Mapping[Atom, Origin]
) -> dict[int, Origin]:
    taken = structure.operands if isinstance(structure, Choice) else structure.inputs
    inputs = [*zip(body.inputs, taken, strict=True)]
    carries: Sequence[tuple[Variable, Atom]] = ()
    if isinstance(structure, Loop):  # another carry's class may be another one after each trip
        first, last = len(structure.constants), len(structure.constants) + len(structure.carries)
        inputs, carries = inputs[:first], inputs[first:last]
    given = {(n, inner): atom for n in range(len(body.outputs)) for inner, atom in inputs}
    given.update({(number, inner): atom for number, (inner, atom) in enumerate(carries)})
    origins: dict[int, Origin] = {}
    for number, origin in _origins(body).items():
        if isinstance(origin, bool):
            origins[number] = origin
        elif (atom := given.get((number, origin))) is not None:
            known = _origin(atom, found)
            if known is not None:
                origins[number] = known
    return origins


def _of_equation(equation: Equation, found: Mapping[Atom, Origin]) -> Origin | None:
    """Of what class NumPy makes outputs without axes; None where nothing tells."""
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
    return True if given.type.shape else _origin(given, found)
