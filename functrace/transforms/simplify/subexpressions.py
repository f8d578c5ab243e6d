"""Computing once what is computed twice."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.primitives.elementwise import add, multiply
from functrace.transforms.simplify.rewriting import Scope, is_known, rewrite

LARGEST_COMPARED = 64
"""Constants with more elements are the same only if they are the same object."""

_COMMUTATIVE = {add, multiply}  # exactly so in floating-point arithmetic; maximum is not, for zeros


def share_subexpressions(program: Program) -> Program:
    """Leave out equations that apply the same primitive to the same inputs as an earlier one.

    Small constants are the same if dtype, shape and bits are, and large ones if they are one
    object; Programs among the parameters if they are alike. Equations with effects all stay.

    Args:
        program: The Program.

    Returns:
        The Program without them; the same Program, if there are none.
    """
    keys = _Keys()
    known: dict[Hashable, int] = {}

    def step(equation: Equation, scope: Scope) -> None:
        key = None if equation.has_effect else keys.of_equation(equation)
        earlier = None if key is None else known.get(key)
        if earlier is None:
            if key is not None:
                known[key] = len(scope.equations)
            scope.append(equation)
            return
        first = scope.equations[earlier]
        if first.is_silent and not equation.is_silent:
            first = scope.equations[earlier] = first.replaced()
            first.is_silent = False
        for variable, same in zip(equation.outputs, first.outputs, strict=True):
            scope.replace(variable, same)

    return rewrite(program, step)


class _Keys:
    """Makes keys that are equal for what is the same."""

    def __init__(self) -> None:
        self.alike: dict[Hashable, Program] = {}
        self.kept: list[Any] = []  # what is known by its id must live as long

    def of_equation(self, equation: Equation) -> Hashable:
        inputs = [
            atom if isinstance(atom, Variable) else constant_key(atom) for atom in equation.inputs
        ]
        if equation.primitive in _COMMUTATIVE:
            inputs.sort(key=hash)
        if not equation.params:
            return (equation.primitive, *inputs)
        params = [(name, self.of_parameter(x)) for name, x in equation.params.items()]
        return (equation.primitive, *inputs, *sorted(params, key=_name))

    def of_parameter(self, x: Any) -> Hashable:
        kind = type(x)
        if isinstance(x, tuple):
            return (kind, *map(self.of_parameter, x))  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(x, slice):
            return (kind, *map(self.of_parameter, (x.start, x.stop, x.step)))
        if kind in (float, complex):
            return (kind, repr(x))
        if isinstance(x, Program):
            representative = self.alike.setdefault(self.of_program(x), x)
            return (kind, id(representative))
        try:
            hash(x)
        except TypeError:
            self.kept.append(x)
            return (kind, id(x))
        return (kind, x)

    def of_program(self, program: Program) -> Hashable:
        """What two Programs have in common that differ in the names of variables only."""
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
                *((key, self.of_parameter(x)) for key, x in equation.params.items()),
                equation.is_silent,
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
