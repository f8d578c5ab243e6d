"""Sums over all trips of a loop, taken after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from functrace.ir.program import Atom, Equation, Variable
from functrace.ir.structure import Loop
from functrace.ir.types import ArrayType
from functrace.primitives import contracting, elementwise, reducing, shaping
from functrace.simplify.dead_code import live_equations
from functrace.simplify.rewriting import has_unknown_length, use_counts
from functrace.simplify.steps import LARGEST_STACKS, MEDIUM_ROW, SMALL_ROW, Finish, Step


@dataclass
class _Term:
    """What a carry is increased by in each trip.

    Attributes:
        atom: The term.
        sign: Whether it is subtracted.
        parts: What is to be stacked: the term, or what it is summed from, or two operands.
        equation: The sum or contraction of the parts that is done after the loop.
    """

    atom: Atom
    is_negative: bool
    parts: list[Atom]
    equation: Equation | None


class Sums(Step):
    """Carries to which something is added in each trip, and which nothing else reads.

    What is added is stacked and summed after the loop. Of contractions the operands are stacked:
    then one large contraction takes the place of many small ones. The sign of a zero may change.
    """

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        """The loop without such carries."""
        body, count = self.body, self.count
        self.uses = use_counts(body)
        self.user: dict[Atom, Equation] = {}
        for equation in body.equations:
            for atom in equation.inputs:
                if self.uses[atom] == 1 and isinstance(atom, Variable):
                    self.user[atom] = equation
        stacked = dict[Atom, int]()
        for number, atom in enumerate(body.outputs[count:]):
            stacked.setdefault(atom, number)
        former = len(body.outputs) - count
        free = LARGEST_STACKS
        found: dict[int, list[_Term]] = {}
        added: list[Atom] = []
        for number, variable in enumerate(self.carried):
            terms = self.terms(variable, body.outputs[number], self.loop.carries[number])
            if terms is None:
                continue
            parts = dict.fromkeys(
                part
                for term in terms
                for part in term.parts
                if part not in self.rows and part not in stacked and self.varies(part)
            )
            size = sum(part.type.size for part in parts)
            memory = sum(self.bytes(part.type) for part in parts)
            if size > MEDIUM_ROW + variable.type.size or memory > free:
                continue
            free -= memory
            found[number] = terms
            for part in parts:
                stacked[part] = former + len(added)
                added.append(part)
        if not found:
            return None
        kept = [number for number in range(count) if number not in found]
        outputs = [*(body.outputs[number] for number in kept), *body.outputs[count:], *added]
        loop = self.with_body(outputs, kept, live_equations(body.equations, outputs))

        def finish(made: Sequence[Atom]) -> list[Atom]:
            stacks = made[len(kept) :]
            carries: dict[int, Atom] = dict(zip(kept, made, strict=False))
            known = {
                **{atom: stacks[number] for atom, number in stacked.items()},
                **self.rows,
            }
            for number, terms in found.items():
                carries[number] = self.total(self.loop.carries[number], terms, known)
            return [*(carries[number] for number in range(count)), *stacks[:former]]

        return loop, finish

    def terms(self, variable: Variable, output: Atom, given: Atom) -> list[_Term] | None:
        """What a carry is increased by, if that is all that happens to it."""
        dtype = variable.type.dtype
        if not given.type == variable.type == output.type or dtype.kind not in "fc":
            return None
        if dtype == np.float16 or variable.type.weak:
            return None
        terms: list[_Term] = []
        atom: Atom = variable
        while atom is not output:
            user = self.user.get(atom)
            if user is None or self.uses[atom] != 1:
                return None
            x, y = user.inputs if len(user.inputs) == 2 else (atom, atom)
            if user.primitive is elementwise.add:
                term = y if x is atom else x
            elif user.primitive is elementwise.subtract and x is atom:
                term = y
            else:
                return None
            found = self.term(term, variable.type, user.primitive is elementwise.subtract)
            if found is None:
                return None
            terms.append(found)
            atom = user.outputs[0]
            if atom.type != variable.type:
                return None
        return terms if terms and self.uses[output] == 1 else None

    def term(self, atom: Atom, type: ArrayType, is_negative: bool) -> _Term | None:
        """What is added in a trip, if it can be stacked."""
        if atom.type.dtype != type.dtype or not self.can_be_stacked(atom):
            return None
        equation = self.made_by.get(atom)
        if equation is not None and self.uses[atom] == 1:
            parts = list(equation.inputs)
            if all(map(self.can_be_stacked, parts)) and (
                equation.primitive is contracting.contract
                or (
                    equation.primitive is reducing.sum_primitive
                    and equation.params["dtype"] is None
                    and parts[0].type.dtype == type.dtype
                    and parts[0].type.shape
                    and (parts[0] in self.rows or parts[0].type.size <= MEDIUM_ROW)
                )
            ):
                return _Term(atom, is_negative, parts, equation)
        return _Term(atom, is_negative, [atom], None) if atom.type.size <= SMALL_ROW else None

    def can_be_stacked(self, atom: Atom) -> bool:
        """Whether something has a value of its own in each trip, of a known shape and dtype."""
        return self.varies(atom) and not atom.type.weak and not has_unknown_length(atom.type)

    def total(self, start: Atom, terms: Sequence[_Term], stacks: dict[Atom, Atom]) -> Atom:
        """Write the sum of all terms in all trips."""
        value = self.scope.uniform(start)
        total: Atom | None = start
        if value is not None and value.value == 0 and not terms[0].is_negative:
            total = None  # 0 + x is x, but for the sign of a zero
        for term in terms:
            amount = self.sum(term, [stacks[part] for part in term.parts])
            if total is None and amount.type == start.type:
                total = amount
                continue
            primitive = elementwise.subtract if term.is_negative else elementwise.add
            total = self.scope.emit(self.like, primitive, start if total is None else total, amount)
        assert total is not None
        return total

    def sum(self, term: _Term, stacks: Sequence[Atom]) -> Atom:
        """Write the sum of one term in all trips."""
        equation = term.equation
        if equation is None:
            axes = (0,) if term.atom.type.shape else None
            params = {"axes": axes, "keepdims": False, "dtype": None}
            return self.scope.emit(self.like, reducing.sum_primitive, *stacks, **params)
        if equation.primitive is contracting.contract:
            plan = contracting.plan_of(equation.params["subscripts"])
            label = next(x for x in contracting.LABELS if x not in equation.params["subscripts"])
            subscripts = f"{label}{plan.first},{label}{plan.second}->{plan.output}"
            return self.scope.emit(equation, contracting.contract, *stacks, subscripts=subscripts)
        axes, keepdims = equation.params["axes"], equation.params["keepdims"]
        rank = equation.inputs[0].type.ndim
        named = tuple(range(rank)) if axes is None else axes
        summed = (0, *(axis + 1 for axis in named))
        params = {"axes": None if len(summed) == rank + 1 else summed, "keepdims": False}
        total = self.scope.emit(equation, reducing.sum_primitive, *stacks, **params, dtype=None)
        if not keepdims:
            return total
        shape = term.atom.type.shape
        return self.scope.emit(equation, shaping.reshape_primitive, total, shape=shape)
