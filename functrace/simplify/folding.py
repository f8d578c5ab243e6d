"""Computing beforehand what depends on constants only."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.ir.program import Constant, Equation, Program
from functrace.ir.types import type_of
from functrace.simplify.rewriting import Scope, is_known, rewrite

LARGEST_FOLDED = 4096
"""A result with more elements is computed each time, unless it is smaller than its inputs."""

_PLAIN = (bool, int, float, complex, str, type(None), type(Ellipsis), slice, np.dtype)


def fold_constants(program: Program) -> Program:
    """Compute the equations all of whose inputs are constants.

    Not computed are effects, operations that hold Programs or Python functions, what raises an
    error or warns, as it does in each call, and large results that are made of little, as by
    broadcasting. The constant has the type that the variable had: what was weak stays weak.

    Args:
        program: The Program.

    Returns:
        The Program without these equations; the same Program, if there are none.
    """
    with np.errstate(all="raise", under="ignore"):
        return rewrite(program, _folded)


def _folded(equation: Equation, scope: Scope) -> None:
    is_constant = all(map(is_known, equation.inputs)) and not equation.raises
    results = _results(equation) if is_constant else None
    if results is None:
        scope.append(equation)
        return
    for variable, value in zip(equation.outputs, results, strict=True):
        scope.replace(variable, Constant(value))


def _results(equation: Equation) -> tuple[Any, ...] | None:
    """The outputs of an equation of constants, or None where they are not to be computed."""
    primitive = equation.primitive
    if primitive.holds_programs or primitive.has_effect or not _are_plain(equation.params.values()):
        return None
    size = sum(variable.type.size for variable in equation.outputs)
    if size > LARGEST_FOLDED and size > sum(atom.type.size for atom in equation.inputs):
        return None
    values = [atom.value for atom in equation.inputs if isinstance(atom, Constant)]
    try:
        found = primitive.run(*values, **equation.params)
        results = tuple(found) if primitive.multiple_outputs else (found,)
        types = [type_of(value) for value in results]
    except Exception:  # noqa: BLE001  (whatever it is, it shall be raised when the Program runs)
        return None
    return results if types == [variable.type for variable in equation.outputs] else None


def _are_plain(values: Any) -> bool:
    """Whether parameters are data only: a function among them might do anything."""
    return all(
        _are_plain(value) if isinstance(value, tuple) else isinstance(value, _PLAIN)
        for value in values
    )
