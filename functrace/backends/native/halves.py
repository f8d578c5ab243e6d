"""Which halves of matrices are zero, and which nobody reads: products take less for that.

A Cholesky factor and the inverse of a triangle are zero in one half, and so is what is multiplied
with a constant mask. A product from which such a mask cuts one half is needed in the other only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from functrace.backends.native.elementwise import computes
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.primitives.contracting import CONTRACTIONS, Plan, plan_of

Halves = frozenset[str]
"""In which triangles all lies that counts: ``"lower"``, ``"upper"``, or both of them."""

NONE: Halves = frozenset()
BOTH: Halves = frozenset({"lower", "upper"})

PRODUCTS = frozenset({"multiply", "kept_product", "product_or_zero", "zero_product"})
LINES = frozenset({"add", "subtract", "negative"})
"""What is zero where all operands are."""


class Known(NamedTuple):
    """What is known of the matrices of a Program.

    Attributes:
        zero: In which triangles the values lie that are not zero.
        read: In which triangles what is read lies.
    """

    zero: dict[Variable, Halves]
    read: dict[Variable, Halves]


def known(program: Program) -> Known:
    """What is known of the matrices of a Program; it is kept with it."""
    return program.derive("halves of matrices", lambda: _known(program))


def turned(halves: Halves) -> Halves:
    """Those of the transpose."""
    return halves if len(halves) != 1 else BOTH - halves


def _known(program: Program) -> Known:
    zero: dict[Variable, Halves] = {}
    for equation in program.equations:
        halves = _zero(equation, lambda atom: of(atom, zero))
        if halves:
            zero.update(dict.fromkeys(equation.outputs, halves))
    read: dict[Variable, Halves] = dict.fromkeys(
        (atom for atom in program.outputs if isinstance(atom, Variable)), NONE
    )
    for equation in reversed(program.equations):
        for atom in equation.inputs:
            if isinstance(atom, Variable) and atom.type.ndim >= 2:
                halves = _read(equation, atom, read)
                read[atom] = read.get(atom, BOTH) & halves
    return Known(zero, read)


def of(atom: Atom, zero: dict[Variable, Halves]) -> Halves:
    """In which triangles lies what is not zero."""
    if isinstance(atom, Variable):
        return zero.get(atom, NONE)
    assert isinstance(atom, Constant)
    return _of_constant(atom)


def _of_constant(atom: Constant) -> Halves:
    """The triangles of a mask: finite numbers."""
    if atom.type.ndim < 2 or atom.type.dtype.kind not in "bif":
        return NONE
    value = np.asarray(atom.value)
    if min(value.shape[-2:]) < 2 or not np.isfinite(value).all():
        return NONE
    cut = {"lower": np.tril, "upper": np.triu}
    return frozenset(half for half, f in cut.items() if np.array_equal(f(value), value))


def _zero(equation: Equation, of: Callable[[Atom], Halves]) -> Halves:
    name, inputs, params = equation.primitive.name, equation.inputs, equation.params
    shape = equation.outputs[0].type.shape if equation.outputs else ()
    if len(shape) < 2:
        return NONE
    if name == "cholesky":
        return frozenset({"lower"})
    if name == "inverse_of_triangle":
        return frozenset({"lower" if params["lower"] else "upper"})
    if name == "transpose":
        return _turned_by(params["permutation"], of(inputs[0]))
    if name in PRODUCTS:
        masks = [of(x) for x in inputs if x.type.shape[-2:] == shape[-2:]]
        return frozenset().union(*masks)
    if name in LINES:
        if any(x.type.shape[-2:] != shape[-2:] for x in inputs):
            return NONE
        return BOTH.intersection(*map(of, inputs))
    if name == "select":
        condition, x, y = inputs
        if _is_zero(y) and condition.type.shape[-2:] == shape[-2:]:
            return of(condition) | (of(x) if x.type.shape[-2:] == shape[-2:] else NONE)
        return NONE
    if name in CONTRACTIONS:
        found = matrices(plan_of(params["subscripts"]))
        return found.of_product(*map(of, inputs)) if found else NONE
    return NONE


def _read(equation: Equation, atom: Variable, read: dict[Variable, Halves]) -> Halves:
    """In which triangles lies what an operation reads of one of its inputs."""
    name, inputs, params = equation.primitive.name, equation.inputs, equation.params
    shape = atom.type.shape[-2:]
    if name == "transpose":
        halves = read.get(equation.outputs[0], BOTH)
        return _turned_by(params["permutation"], halves)
    if not computes(equation) or equation.outputs[0].type.shape[-2:] != shape:
        return NONE
    halves = read.get(equation.outputs[0], BOTH)
    others = [x for x in inputs if isinstance(x, Constant) and x.type.shape[-2:] == shape]
    if name in PRODUCTS:
        return halves.union(*map(_of_constant, others))
    if name == "select" and atom is inputs[1] and atom is not inputs[2] and others:
        return halves | (_of_constant(others[0]) if others[0] is inputs[0] else NONE)
    return halves


def _turned_by(permutation: Sequence[int], halves: Halves) -> Halves:
    rank = len(permutation)
    if tuple(permutation[-2:]) == (rank - 1, rank - 2):
        return turned(halves)
    return halves if tuple(permutation[-2:]) == (rank - 2, rank - 1) else NONE


def _is_zero(atom: Atom) -> bool:
    return isinstance(atom, Constant) and not np.any(atom.value)


class Labels(NamedTuple):
    """The labels of a product of two matrices, or of stacks of them."""

    row: str
    column: str
    summed: str
    plan: Plan

    def oriented(self, halves: Halves, part: str, first: str) -> Halves:
        """The halves of an operand, or of the output, whose rows this label counts."""
        return halves if part[-2] == first else turned(halves)

    def of_product(self, x: Halves, y: Halves) -> Halves:
        """In which halves the product lies."""
        x = self.oriented(x, self.plan.first, self.row)
        y = self.oriented(y, self.plan.second, self.summed)
        return self.oriented(x & y, self.plan.output, self.row)


def matrices(plan: Plan) -> Labels | None:
    """The labels, if all is of matrices in the last two axes of operands and output."""
    x, y, out = set(plan.first[-2:]), set(plan.second[-2:]), set(plan.output[-2:])
    rows, columns, summed = x & out, y & out, x & y
    if not len(rows) == len(columns) == len(summed) == 1 or not len(x) == len(y) == len(out) == 2:
        return None
    others = (plan.first[:-2] + plan.second[:-2], plan.output[:-2])
    if set(others[0]) != set(others[1]):
        return None
    return Labels(rows.pop(), columns.pop(), summed.pop(), plan)
