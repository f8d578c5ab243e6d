"""What loops compute for nothing, or again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from functrace.ir.program import Atom, Constant, Equation, Program, Variable, handled_within
from functrace.ir.structure import Loop
from functrace.ir.types import ArrayType
from functrace.primitives import shaping
from functrace.simplify.dead_code import remove_dead_code
from functrace.simplify.rewriting import Scope, has_unknown_length, is_known
from functrace.simplify.subexpressions import constant_key


@dataclass
class Improved:
    """A better loop.

    Attributes:
        loop: The loop.
        outputs: For each output of the former loop what stands for it: an atom, or the number of
            an output of the better loop, or None where nothing uses it.
    """

    loop: Loop[Atom]
    outputs: list[Atom | int | None]

    def atoms(self, made: Sequence[Variable]) -> list[Atom | None]:
        """What stands for each output, given the outputs of the better loop."""
        return [made[x] if isinstance(x, int) else x for x in self.outputs]


def improved(
    loop: Loop[Atom], used: Sequence[bool], like: Equation, scope: Scope
) -> Improved | None:
    """Improve a loop.

    Args:
        loop: The loop.
        used: Which of its outputs, the carries and then the stacks, something uses.
        like: The loop's equation, in front of which others may be written.
        scope: Where these are written.

    Returns:
        The better loop; None where there is nothing to improve.
    """
    return _Improvement(loop, used, like, scope).result()


class _Improvement:
    """The work of `improved`."""

    def __init__(
        self, loop: Loop[Atom], used: Sequence[bool], like: Equation, scope: Scope
    ) -> None:
        self.loop = loop
        self.used = used
        self.like = like
        self.scope = scope
        self.own = loop.inside
        # What a body's variable is outside, where it is the same in each trip.
        self.outside: dict[Atom, Atom] = {}
        # What stands for a variable inside the body, and which stands for all with one value.
        self.inside: dict[Atom, Atom] = {}
        self.first_given: dict[Atom, Variable] = {}

    def result(self) -> Improved | None:
        loop, own = self.loop, self.own
        needed = self.needed_inputs()
        is_needed = [v in needed for v in own.carries]
        fixed = [on and self.is_fixed(number) for number, on in enumerate(is_needed)]
        kept = [on and not same for on, same in zip(is_needed, fixed, strict=True)]
        for variable, atom in zip(own.constants, loop.constants, strict=True):
            self.note_constant(variable, atom)
        for number in _places(fixed):
            self.note_constant(own.carries[number], loop.carries[number])
        row_kept = self.note_rows(needed)
        hoisted = self.hoist(loop.body)
        outputs, stacks = self.outputs(kept, fixed)
        body = self.rewritten(
            loop.body,
            [
                *(loop.body.outputs[number] for number in _places(kept)),
                *(loop.body.outputs[len(kept) + number] for number in stacks),
            ],
            hoisted,
        )
        test, test_hoisted = None, dict[Variable, Variable]()
        if loop.condition is not None:
            self.note_condition(loop.condition)
            test_hoisted = self.hoist(loop.condition)
            test = self.rewritten(loop.condition, loop.condition.outputs, test_hoisted)
        entries = self.constants(body, hoisted, test, test_hoisted)
        is_same = (
            not hoisted
            and not test_hoisted
            and len(entries) == len(loop.constants)
            and all(kept)
            and all(row_kept)
            and outputs == list(range(len(outputs)))
        )
        if is_same:
            return None
        carried = [own.carries[number] for number in _places(kept)]
        rows = [own.rows[number] for number in _places(row_kept)]
        body = Program(
            [*(variable for _, variable, _ in entries), *carried, *rows],
            body.equations,
            body.outputs,
        )
        if test is not None:
            others = own.split(test.inputs).carries
            carried = [others[number] for number in _places(kept)]
            inputs = [*(variable for _, _, variable in entries), *carried]
            test = Program(inputs, test.equations, test.outputs)
        better = loop._replace(
            body=body,
            constants=[atom for atom, _, _ in entries],
            carries=[loop.carries[number] for number in _places(kept)],
            rows=[loop.rows[number] for number in _places(row_kept)],
            condition=test,
        )
        return Improved(better, outputs)

    def constants(
        self,
        body: Program,
        hoisted: dict[Variable, Variable],
        test: Program | None,
        test_hoisted: dict[Variable, Variable],
    ) -> list[tuple[Atom, Variable, Variable]]:
        """The constants that are read: what is given, and their variables in body and condition."""
        read = atoms_read(body)
        given = dict[Atom, Atom](zip(self.own.constants, self.loop.constants, strict=True))
        own = self.own.inputs
        test_inputs: Sequence[Variable | None] = [None] * len(own)
        if test is not None:
            read |= atoms_read(test)
            test_inputs = test.inputs
        candidates: list[tuple[Variable | None, Variable | None]] = [
            *zip_longest(own, test_inputs),
            *((variable, None) for variable in hoisted),
            *((None, variable) for variable in test_hoisted),
        ]
        entries: list[tuple[Atom, Variable, Variable]] = []
        for one, other in candidates:
            for variable in (one, other):
                atom = (
                    None if variable is None else self.outside.get(variable) or given.get(variable)
                )
                if atom is not None and (one in read or other in read):
                    fresh = Variable(atom.type)
                    entries.append((atom, one or fresh, other or Variable(atom.type)))
                    break
        return entries

    # What is needed

    def needed_inputs(self) -> set[Atom]:
        """The inputs of the body on which an output that is used, an effect or the end depends."""
        body = self.loop.body
        made_by = {v: equation for equation in body.equations for v in equation.outputs}
        place = {v: k for k, v in enumerate(self.own.carries)}
        waiting: list[Atom] = [
            atom for atom, is_used in zip(body.outputs, self.used, strict=True) if is_used
        ]
        for equation in body.equations:
            if equation.has_effect:
                waiting.extend(equation.inputs)
        uses = zip(self.own.carries, self.used, strict=False)
        waiting.extend(v for v, is_used in uses if is_used)
        if self.loop.condition is not None:
            read = atoms_read(remove_dead_code(self.loop.condition))
            inputs = zip(self.own.inputs, self.loop.condition.inputs, strict=False)
            waiting.extend(own for own, other in inputs if other in read)
        needed: set[Atom] = set()
        while waiting:
            atom = waiting.pop()
            if atom in needed:
                continue
            needed.add(atom)
            if atom in made_by:
                waiting.extend(made_by[atom].inputs)
            elif atom in place:
                waiting.append(body.outputs[place[atom]])
        return needed

    # What is the same in each trip

    def is_fixed(self, number: int) -> bool:
        """Whether a carry has the same value in each trip, and the type that it is given with."""
        variable = self.own.carries[number]
        given, returned = self.loop.carries[number], self.loop.body.outputs[number]
        if not given.type == variable.type == returned.type:
            return False
        if returned is variable:
            return True
        if isinstance(returned, Constant) and isinstance(given, Constant):
            return constant_key(returned) == constant_key(given)
        constants = zip(self.own.constants, self.loop.constants, strict=True)
        return any(returned is own and given is atom for own, atom in constants)

    def note_constant(self, variable: Variable, atom: Atom) -> None:
        """Note what is given for a variable that is the same in each trip."""
        if atom.type != variable.type:
            return
        self.outside[variable] = atom
        if isinstance(atom, Constant) and is_known(atom):
            self.inside[variable] = atom
        else:
            one = self.first_given.setdefault(atom, variable)
            if one is not variable:
                self.inside[variable] = one

    def note_condition(self, condition: Program) -> None:
        """Note of the condition's variables what was noted of the body's."""
        same = dict[Atom, Atom](zip(self.own.inputs, condition.inputs, strict=True))
        for own, other in same.items():
            if own in self.outside:
                self.outside[other] = self.outside[own]
            if own in self.inside:
                instead = self.inside[own]
                self.inside[other] = same.get(instead, instead)

    def note_rows(self, needed: set[Atom]) -> list[bool]:
        """Which rows stay. Equal rows are taken once, and a row that repeats is a constant."""
        kept: list[bool] = []
        known: dict[Any, Variable] = {}
        for variable, atom in zip(self.own.rows, self.loop.rows, strict=True):
            stays = variable in needed
            if stays and (repeated := self.repeated(atom, variable.type)) is not None:
                self.note_constant(variable, repeated)
                stays = variable not in self.outside
            if stays and variable is not known.setdefault((atom, variable.type), variable):
                self.inside[variable] = known[(atom, variable.type)]
                stays = False
            kept.append(stays)
        if self.loop.needs_row and not any(kept):
            kept[0] = True
            self.inside.pop(self.own.rows[0], None)
            self.outside.pop(self.own.rows[0], None)
        return kept

    def repeated(self, atom: Atom, type: ArrayType) -> Atom | None:
        """The one row of which all rows are copies."""
        if isinstance(atom, Constant):
            uniform = self.scope.uniform(atom)
            if uniform is None or not atom.type.shape or not atom.type.shape[0]:
                return None
            return Constant(atom.value[0])
        made = self.scope.made_by(atom, shaping.broadcast_to_primitive)
        return made.inputs[0] if made is not None and made.inputs[0].type == type else None

    def hoist(self, program: Program) -> dict[Variable, Variable]:
        """Write in front of the loop what depends on constants only and cannot fail.

        Returns:
            For each variable that is computed outside, the one outside.
        """
        found: dict[Variable, Variable] = {}
        for equation in program.equations:
            given = [
                atom if isinstance(atom, Constant) else self.outside.get(atom)
                for atom in equation.inputs
            ]
            inputs = [atom for atom in given if atom is not None]
            if len(inputs) < len(given) or not is_total(equation):
                continue
            outputs = [Variable(variable.type) for variable in equation.outputs]
            moved = equation.replaced(inputs=inputs, outputs=outputs)
            moved.handling = handled_within(self.like.handling, equation.handling)
            self.scope.append(moved)
            for inner, outer in zip(equation.outputs, outputs, strict=True):
                found[inner] = self.outside[inner] = outer
        return found

    # Putting together

    def outputs(
        self, carry_kept: Sequence[bool], fixed: Sequence[bool]
    ) -> tuple[list[Atom | int | None], list[int]]:
        """What stands for each output, and which stacks stay."""
        result: list[Atom | int | None] = []
        number = 0
        for carry, keep, is_fixed in zip(self.loop.carries, carry_kept, fixed, strict=True):
            result.append(carry if is_fixed else number if keep else None)
            number += keep
        count = len(carry_kept)
        stacks = self.loop.body.outputs[count:]
        kept: list[int] = []
        known: dict[Atom, int] = {}
        for place, (atom, is_used) in enumerate(zip(stacks, self.used[count:], strict=True)):
            if not is_used:
                result.append(None)
                continue
            there = self.stacked_already(atom, self.like.outputs[count + place].type)
            instead = self.read(atom)
            if there is not None:
                result.append(there)
            elif instead in known:
                result.append(known[instead])
            else:
                known[instead] = number
                result.append(number)
                kept.append(place)
                number += 1
        return result, kept

    def stacked_already(self, atom: Atom, type: ArrayType) -> Atom | None:
        """The stack, where it is a row of the loop, or where the same is stacked in each trip."""
        for variable, row in zip(self.own.rows, self.loop.rows, strict=True):
            if variable is atom and row.type == type and self.loop.length is not None:
                return row
        constant = atom if isinstance(atom, Constant) else self.outside.get(atom)
        if constant is None or self.loop.length is None or has_unknown_length(type):
            return None
        return self.scope.emit(
            self.like, shaping.broadcast_to_primitive, constant, shape=type.shape
        )

    def read(self, atom: Atom) -> Atom:
        """What stands for an atom in the body."""
        return self.inside.get(atom, atom)

    def rewritten(
        self, program: Program, outputs: Sequence[Atom], hoisted: dict[Variable, Variable]
    ) -> Program:
        """The equations that stay for these outputs, with what stands for their inputs."""
        equations: list[Equation] = []
        for equation in program.equations:
            if equation.outputs and equation.outputs[0] in hoisted:
                continue
            inputs = [self.read(atom) for atom in equation.inputs]
            same = all(x is y for x, y in zip(inputs, equation.inputs, strict=True))
            equations.append(equation if same else equation.replaced(inputs=inputs))
        return remove_dead_code(
            Program(program.inputs, equations, [self.read(atom) for atom in outputs])
        )


def _places(mask: Sequence[bool]) -> list[int]:
    return [number for number, on in enumerate(mask) if on]


def atoms_read(program: Program) -> set[Atom]:
    """What equations and outputs of a Program read."""
    read: set[Atom] = set(program.outputs)
    for equation in program.equations:
        read.update(equation.inputs)
    return read


# What may be computed although the loop might not run


def is_total(equation: Equation) -> bool:
    """Whether an equation cannot fail, whatever the values of its inputs are.

    It may divide by zero, but neither raise an error, nor wait, nor call Python.
    """
    types = [atom.type for atom in equation.inputs]
    outputs = [variable.type for variable in equation.outputs]
    if any(map(has_unknown_length, (*types, *outputs))):
        return False
    if any(isinstance(atom, Variable) and atom.type.weak for atom in equation.inputs):
        return False  # Python's own arithmetic divides by zero with an error
    if all(type.weak for type in (*types, *outputs)):
        return False
    return equation.primitive.is_total_for(types, equation.params)
