"""Programs as arrays of numbers: what each equation does, and which atoms it reads."""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType
from typing import Any

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Source, Variable
from functrace.ir.types import ArrayType
from functrace.primitives import indexing
from functrace.simplify.repeats import Numbers
from functrace.simplify.rewriting import has_unknown_length
from functrace.simplify.subexpressions import constant_key, key_of_parameter

READING = (indexing.element, indexing.getitem_primitive)
INDEXING = frozenset(
    (
        *READING,
        indexing.gather,
        indexing.index_update,
        indexing.index_add,
        indexing.scatter_add,
    )
)


class Listing:
    """A Program as arrays of numbers.

    A variable that an equation makes has the number of outputs before it. All other atoms have
    negative numbers, and equal constants the same.

    Attributes:
        program: The Program.
        kinds: What each equation does: the same number for the same primitive at the same place,
            with the same parameters, and inputs and outputs of the same types. Integers in an index
            do not count.
        inputs: The numbers of all inputs, one equation after the other.
        first_input: The place of each equation's first input there, and the end.
        first_output: The number of each equation's first output, and the end.
        integers: The integers in the index of each equation that has one.
        first_integer: The place of each equation's first one there, and the end.
        made: The variables that equations make.
        others: All other atoms, by -1 - number.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.made: list[Variable] = []
        self.others: list[Atom] = []
        # What is known of an atom: its number, and that of its type.
        self._known: dict[Atom, tuple[int, int]] = {}
        self._by_value: dict[int, tuple[Constant, tuple[int, int]]] = {}
        self._by_key: dict[Any, tuple[int, int]] = {}
        self._types: dict[ArrayType, int] = {}
        self._has_odd = False
        for variable in program.inputs:
            self._add(variable)
        self._list(program.equations)

    def _list(self, equations: Sequence[Equation]) -> None:
        kinds: dict[Any, int] = {}
        place_of = _Places().place_of
        known, types, made = self._known, self._types, self.made
        listed: list[int] = []
        inputs: list[int] = []
        integers: list[int] = []
        first_input, first_output, first_integer = [0], [0], [0]
        for equation in equations:
            key: list[Any] = [equation.primitive, equation.handling, place_of(equation.source)]
            for atom in equation.inputs:
                number, of_type = known.get(atom) or self._number(atom)
                inputs.append(number)
                key.append(of_type)
            key.append(None)
            for variable in equation.outputs:
                of_type = types.get(variable.type)
                if of_type is None:
                    of_type = self._type(variable.type)
                known[variable] = len(made), of_type
                made.append(variable)
                key.append(-1 - of_type if getattr(variable, "is_scalar", False) else of_type)
            if equation.params:
                key += _key_of_parameters(equation, integers)
            listed.append(kinds.setdefault(tuple(key), len(kinds)))
            first_input.append(len(inputs))
            first_output.append(len(made))
            first_integer.append(len(integers))
        if self._has_odd:
            for position, equation in enumerate(equations):
                if any(map(_is_odd, (*equation.inputs, *equation.outputs))):
                    listed[position] = len(equations) + position
        self.kinds: Numbers = np.array(listed, np.int64)
        self.inputs: Numbers = np.array(inputs, np.int64)
        self.integers: Numbers = np.array(integers, np.int64)
        self.first_input: Numbers = np.array(first_input, np.int64)
        self.first_output: Numbers = np.array(first_output, np.int64)
        self.first_integer: Numbers = np.array(first_integer, np.int64)

    def _type(self, type: ArrayType) -> int:
        """The number of a type."""
        if type not in self._types:
            self._types[type] = len(self._types)
            self._has_odd |= has_unknown_length(type)
        return self._types[type]

    def _add(self, atom: Atom) -> tuple[int, int]:
        """A new number for an atom, and that of its type."""
        self.others.append(atom)
        found = self._known[atom] = -len(self.others), self._type(atom.type)
        self._has_odd |= _is_odd(atom)
        return found

    def _number(self, atom: Atom) -> tuple[int, int]:
        """The number of an atom that was not met before: it is a constant."""
        if not isinstance(atom, Constant):
            return self._add(atom)
        same = self._by_value.get(id(atom.value))
        if same is not None and same[0].type == atom.type:
            return same[1]
        key = atom.type, constant_key(atom)
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = self._add(atom)
        # The atom is kept, or another value might have the id.
        self._by_value[id(atom.value)] = atom, found
        return found

    def number_of(self, atom: Atom) -> int:
        """The number of an atom."""
        return (self._known.get(atom) or self._number(atom))[0]

    def atom(self, number: int) -> Atom:
        """The atom of a number, in the Program as it is."""
        return self.made[number] if number >= 0 else self.others[-1 - number]


class _Places:
    """What the places of operations have in common that are one in the user's code.

    Python numbers an instruction in another way once it has been run a few times.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], Any] = {}
        self._positions: dict[int, list[Any]] = {}

    def place_of(self, source: Source | None) -> Any:
        """What tells a place from others."""
        if source is None:
            return None
        code, instruction, scope, _ = source
        place = self._places.get((id(code), instruction))
        if place is None:
            place = self._places[id(code), instruction] = self._found(code, instruction)
        return (place, scope) if scope else place

    def _found(self, code: CodeType, instruction: int) -> Any:
        if instruction < 0:
            return id(code), code.co_filename, code.co_firstlineno
        if id(code) not in self._positions:
            self._positions[id(code)] = [*code.co_positions()]
        return id(code), self._positions[id(code)][instruction // 2]


def _is_odd(atom: Atom) -> bool:
    """Whether no stack holds values of an atom's type, or its value."""
    if isinstance(atom, Constant) and type(atom.value) is int:
        return not -(2**63) <= atom.value < 2**63
    return has_unknown_length(atom.type)


def _key_of_parameters(equation: Equation, integers: list[int]) -> list[Any]:
    """What the parameters of equations that do the same have in common; notes integers."""
    key: list[Any] = []
    for name, value in equation.params.items():
        key.append(name)
        if name == "index" and equation.primitive in INDEXING:
            for item in value:
                if type(item) is int:
                    key.append(int)
                    integers.append(item)
                else:
                    key.append(key_of_parameter(item))
        else:
            key.append(key_of_parameter(value))
    return key
