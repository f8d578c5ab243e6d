"""What rules ask of constants: which number they are, whether it may be moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.ir.program import Atom, Constant, Equation
from functrace.ir.types import ArrayType
from functrace.simplify.rewriting import Scope, inferred_type, is_known

Rule = Callable[[Equation, Scope], "Equation | Atom | None"]

LARGEST_NEGATED = 4096
"""A constant with more elements is not negated beforehand, which takes memory."""

MODERATE = 2.0**16
"""Factors from 1 to this are moved: behind a sum, for example. What is infinite after the product
in its new place was infinite in the old one as well."""

FULL = (np.dtype(np.float32), np.dtype(np.float64))  # precisions in which factors are moved


def number_of(atom: Atom, scope: Scope) -> Any:
    """The value of a constant all of whose elements are the same; None for any other atom."""
    found = scope.uniform(atom)
    return None if found is None else found.value


def is_one(atom: Atom, scope: Scope) -> bool:
    """Whether a constant is 1 everywhere."""
    value = number_of(atom, scope)
    return value is not None and bool(value == 1)


def is_zero(atom: Atom, scope: Scope, *, negative: bool) -> bool:
    """Whether a constant is the integer 0, or the floating-point zero with this sign."""
    value = number_of(atom, scope)
    if value is None or value != 0 or isinstance(value, complex | np.complexfloating):
        return False
    return not isinstance(value, float | np.floating) or bool(np.signbit(value)) is negative


def is_finite_nonzero(atom: Atom) -> bool:
    """Whether a constant has neither zeros, nor infinities, nor nans."""
    if not isinstance(atom, Constant) or not is_known(atom):
        return False
    return bool(np.all(np.isfinite(atom.value)) and np.all(atom.value))


def has_no_zeros(atom: Atom) -> bool:
    """Whether it is a constant no element of which is zero."""
    return isinstance(atom, Constant) and is_known(atom) and bool(np.all(atom.value))


def negative_of(atom: Atom) -> Constant | None:
    """The negative of a constant of real floating-point numbers."""
    if not isinstance(atom, Constant) or not is_known(atom):
        return None
    if atom.type.dtype.kind != "f" or atom.type.size > LARGEST_NEGATED:
        return None
    return Constant(-atom.value, atom.type)


def other_inputs(equation: Equation, number: int, atom: Atom) -> list[Atom]:
    """The inputs of an equation with one of them replaced."""
    inputs = list(equation.inputs)
    inputs[number] = atom
    return inputs


def has_output_type(equation: Equation) -> bool:
    """Whether the primitive infers the type that the output has."""
    found = inferred_type(equation.primitive, equation.inputs, equation.params)
    return found == equation.outputs[0].type


def is_moderate(atom: Atom, scope: Scope) -> bool:
    """Whether a constant is a number that may be moved: see `MODERATE`."""
    return is_float_within(number_of(atom, scope), 1.0)


def is_float_within(value: Any, least: float) -> bool:
    """Whether a value is a number, not of half precision, of a size between these limits."""
    is_number = type(value) in (int, float, np.float32, np.float64)
    return is_number and bool(least <= abs(value) <= MODERATE)


def are_same(first: Sequence[Atom], second: Sequence[Atom]) -> bool:
    """Whether atoms are the same objects, one by one."""
    return len(first) == len(second) and all(x is y for x, y in zip(first, second, strict=True))


def may_warn_of_overflow(type: ArrayType) -> bool:
    """Whether NumPy warns where integers wrap around, as it does of scalars, but not of arrays."""
    return not type.shape and not type.weak and type.dtype.kind in "iu"
