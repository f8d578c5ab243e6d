"""Computing once what is computed twice."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable, handled_in_one
from functrace.simplify.rewriting import Scope, is_known, rewrite

LARGEST_COMPARED = 64
"""Constants with more elements are the same only if they are the same object."""


def share_subexpressions(program: Program) -> Program:
    """Leave out equations that apply the same primitive to the same inputs as an earlier one.

    Small constants are the same if dtype, shape and bits are, and large ones if they are one
    object; Programs among the parameters if they are alike. Equations with effects all stay.

    Args:
        program: The Program.

    Returns:
        The Program without them; the same Program, if there are none.
    """
    candidates: dict[Hashable, int | dict[Hashable, int]] = {}

    def step(equation: Equation, scope: Scope) -> None:
        earlier = None if equation.has_effect else number_of_alike(equation, scope.equations)
        if earlier is None:
            scope.append(equation)
            return
        first = scope.equations[earlier]
        handling = handled_in_one(first.handling, equation.handling)
        if handling != first.handling:
            first = scope.equations[earlier] = first.replaced()
            first.handling = handling
        for variable, same in zip(equation.outputs, first.outputs, strict=True):
            scope.replace(variable, same)

    def number_of_alike(equation: Equation, equations: Sequence[Equation]) -> int | None:
        """The number of one that does the same; the next one is noted where there is none.

        Keys of parameters are made where the primitive and the inputs are the same.
        """
        key = _key_of_inputs(equation)
        found = candidates.setdefault(key, len(equations))
        if isinstance(found, int):
            if found == len(equations):
                return None
            found = candidates[key] = {_key_of_parameters(equations[found]): found}
        number = found.setdefault(_key_of_parameters(equation), len(equations))
        return None if number == len(equations) else number

    return rewrite(program, step)


class _Alike:
    """Equal for Programs that differ in the names of variables only.

    The hash is kept: that of a tuple is computed each time, through all Programs in a Program.
    What is known by its id in the key lives as long as the Program does, and so as its key.
    """

    __slots__ = ("hash", "key")

    def __init__(self, program: Program) -> None:
        self.key = _key_of_program(program)
        self.hash = hash(self.key)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, _Alike) and self.hash == other.hash and self.key == other.key
        )


def _key_of_inputs(equation: Equation) -> Hashable:
    inputs = [
        atom if isinstance(atom, Variable) else constant_key(atom) for atom in equation.inputs
    ]
    if equation.primitive.commutes:
        inputs.sort(key=hash)
    return (equation.primitive, *inputs)


def _key_of_parameters(equation: Equation) -> Hashable:
    return frozenset((name, key_of_parameter(x)) for name, x in equation.params.items())


def key_of_parameter(x: Any) -> Hashable:
    """What a parameter has in common with others that do the same."""
    kind = type(x)
    if isinstance(x, tuple):
        return (kind, *map(key_of_parameter, x))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(x, slice):
        return (kind, *map(key_of_parameter, (x.start, x.stop, x.step)))
    if kind in (float, complex):
        return (kind, repr(x))
    if isinstance(x, Program):
        return x.derive("alike", lambda: _Alike(x))
    try:
        hash(x)
    except TypeError:
        return (kind, id(x))
    return (kind, x)


def _key_of_program(program: Program) -> Hashable:
    numbers: dict[Atom, int] = {}

    def name(atom: Atom) -> Hashable:
        if isinstance(atom, Constant):
            return constant_key(atom)
        return numbers.setdefault(atom, len(numbers))

    inputs = [(name(variable), variable.type) for variable in program.inputs]
    equations = [
        (
            equation.primitive,
            *map(name, equation.inputs),
            *((key, key_of_parameter(x)) for key, x in equation.params.items()),
            equation.handling,
            *map(name, equation.outputs),
        )
        for equation in program.equations
    ]
    outputs = map(name, program.outputs)
    return (tuple(inputs), tuple(equations), tuple(outputs))


def constant_key(atom: Constant) -> Hashable:
    """What small constants with the same type and bits have in common; else the object."""
    value = atom.value
    if not is_known(atom):
        return atom
    if not isinstance(value, np.ndarray | np.generic):
        return (type(value), repr(value))
    if value.size > LARGEST_COMPARED:
        return (np.ndarray, id(value))
    return (np.ndarray, value.dtype, value.shape, value.tobytes())
