"""Computing once what is computed twice."""

from __future__ import annotations

from collections.abc import Hashable
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
    known: dict[Hashable, int] = {}
    alone: dict[Hashable, int | None] = {}

    def key_of(equation: Equation, scope: Scope) -> Hashable | None:
        if equation.has_effect:
            return None
        inputs = _key_of_inputs(equation)
        if not equation.programs:
            return (inputs, _key_of_parameters(equation))
        # To compare Programs takes time: it is done where two are given the same inputs.
        first = alone.setdefault(inputs, len(scope.equations))
        if first == len(scope.equations):
            return None
        if first is not None:
            known[inputs, _key_of_parameters(scope.equations[first])] = first
            alone[inputs] = None
        return (inputs, _key_of_parameters(equation))

    def step(equation: Equation, scope: Scope) -> None:
        key = key_of(equation, scope)
        earlier = None if key is None else known.get(key)
        if earlier is None:
            if key is not None:
                known[key] = len(scope.equations)
            scope.append(equation)
            return
        first = scope.equations[earlier]
        handling = handled_in_one(first.handling, equation.handling)
        if handling != first.handling:
            first = scope.equations[earlier] = first.replaced()
            first.handling = handling
        for variable, same in zip(equation.outputs, first.outputs, strict=True):
            scope.replace(variable, same)

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
    if not equation.params:
        return ()
    params = [(name, _key_of_parameter(x)) for name, x in equation.params.items()]
    return tuple(sorted(params, key=_name))


def _key_of_parameter(x: Any) -> Hashable:
    kind = type(x)
    if isinstance(x, tuple):
        return (kind, *map(_key_of_parameter, x))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(x, slice):
        return (kind, *map(_key_of_parameter, (x.start, x.stop, x.step)))
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
            *((key, _key_of_parameter(x)) for key, x in equation.params.items()),
            equation.handling,
            *map(name, equation.outputs),
        )
        for equation in program.equations
    ]
    outputs = map(name, program.outputs)
    return (tuple(inputs), tuple(equations), tuple(outputs))


def _name(parameter: tuple[str, Hashable]) -> str:
    return parameter[0]


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
