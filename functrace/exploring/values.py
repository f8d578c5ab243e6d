"""Values and Programs as data that JSON can write."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.drawing.graphs import summary
from functrace.drawing.svg import blocks
from functrace.ir.program import Atom, ElidedValue, Equation, Program, Variable
from functrace.ir.structure import Choice, Loop, Structure, structure_of
from functrace.ir.types import ArrayType

MOST_NUMBERS = 4096
"""Programs whose inputs and constants have more numbers together are not computed by the page."""
MOST_COMPUTED = 200_000
"""Nor are those whose equations make more."""
MOST_SHOWN = 64
"""Of larger arrays the page shows what they are about."""

Data = dict[str, Any]


def number_data(x: Any) -> Any:
    """A number; what JSON has no literals for is a string."""
    if isinstance(x, bool | np.bool_):
        return int(x)
    if isinstance(x, int | np.integer):
        return int(x) if abs(int(x)) <= 2**53 else str(x)
    if isinstance(x, float | np.floating):
        return float(x) if math.isfinite(x) else str(float(x))
    return str(x)


def array_data(x: Any, most: int = MOST_SHOWN) -> Data:
    """An array: its type, with its numbers where these are few, else with what it is about."""
    array = np.asarray(x)
    data: Data = {"shape": array.shape, "dtype": array.dtype.name}
    if array.size <= most:
        return {**data, "data": [number_data(number) for number in array.ravel().tolist()]}
    picture = np.round(blocks(array), 3)
    return {**data, "about": summary(array), "heat": picture.tolist()}


def numbers_in(program: Program) -> int:
    """How many numbers the inputs and constants of a Program and of those in it have."""
    programs = [program, *program.nested()]
    constants = sum(constant.type.size for inner in programs for constant in inner.constants())
    return sum(max(v.type.size, 0) for v in program.inputs) + constants


def computed_in(program: Program) -> int:
    """How many numbers its equations make, those in loops once."""
    return sum(
        max(variable.type.size, 0)
        for inner in [program, *program.nested()]
        for equation in inner.equations
        for variable in equation.outputs
    )


def program_data(program: Program, is_call: Callable[[Equation], bool]) -> Data:
    """A Program as data for ``evaluate.js``.

    Args:
        program: The Program.
        is_call: Of which equations the page shows the values inside.
    """
    numbers: dict[Variable, int] = {}

    def of_atom(atom: Atom) -> Any:
        if isinstance(atom, Variable):
            return numbers.setdefault(atom, len(numbers))
        if isinstance(atom.value, ElidedValue):
            return type_data(atom.type)
        return array_data(atom.value, MOST_NUMBERS)

    def of_output(variable: Variable) -> Data:
        return {"id": of_atom(variable), **type_data(variable.type)}

    def of_structure(structure: Structure[Atom], equation: Equation) -> Data:
        if isinstance(structure, Loop):
            condition = structure.condition
            return {
                "kind": "loop",
                "body": of_program(structure.body),
                "condition": None if condition is None else of_program(condition),
                "constants": [*map(of_atom, structure.constants)],
                "carries": [*map(of_atom, structure.carries)],
                "rows": [*map(of_atom, structure.rows)],
                "length": structure.length,
                "reverse": structure.reverse,
            }
        if isinstance(structure, Choice):
            return {
                "kind": "choice",
                "index": of_atom(structure.index),
                "branches": [*map(of_program, structure.branches)],
                "operands": [*map(of_atom, structure.operands)],
                "examples": structure.examples,
                "axes": structure.axes,
            }
        return {
            "kind": "run",
            "program": of_program(structure.program),
            "inputs": [*map(of_atom, structure.inputs)],
            "isCall": is_call(equation),
        }

    def of_equation(equation: Equation) -> Data:
        data: Data = {
            "name": equation.primitive.name,
            "inputs": [*map(of_atom, equation.inputs)],
            "outputs": [*map(of_output, equation.outputs)],
        }
        structure = structure_of(equation) if equation.primitive.holds_programs else None
        if structure is not None:
            return {**data, "structure": of_structure(structure, equation)}
        return {**data, "params": {key: _parameter(x) for key, x in equation.params.items()}}

    def of_program(program: Program) -> Data:
        return {
            "inputs": [*map(of_atom, program.inputs)],
            "equations": [*map(of_equation, program.equations)],
            "outputs": [*map(of_atom, program.outputs)],
        }

    return of_program(program)


def type_data(type: ArrayType) -> Data:
    """A type."""
    return {"shape": type.shape, "dtype": type.dtype.name}


def _parameter(x: Any) -> Any:
    """A parameter as ``evaluate.js`` reads it; None where it reads none of the kind."""
    if isinstance(x, slice):
        return {"slice": [x.start, x.stop, x.step]}
    if isinstance(x, tuple | list):
        return [*map(_parameter, x)]
    if x is Ellipsis:
        return "..."
    if isinstance(x, bool | str) or x is None:
        return x
    if isinstance(x, int | float | np.integer | np.floating):
        return number_data(x)
    return str(x)
