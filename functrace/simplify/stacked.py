"""What is taken out of a short vector is what was put into it.

Functions of several numbers are often written for a vector of them: it is stacked, taken apart,
stacked anew. To make an array and to index it costs more than to compute with its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program
from functrace.ir.types import ArrayType
from functrace.primitives import indexing, shaping
from functrace.simplify.rewriting import Scope, rewrite

LONGEST = 32
"""Longer vectors are taken apart where they are."""

FEW = 8
"""Of so many elements arithmetic is done one by one; NumPy does more of them sooner at once."""


def read_stacked(program: Program) -> Program:
    """Let readers of a vector's elements read what the vector was made of."""
    outputs = frozenset(program.outputs)

    def step(equation: Equation, scope: Scope) -> None:
        found = _read(equation, scope)
        if found is None:
            scope.append(equation)
            return
        kept = [
            variable in outputs and not _is_number(atom, scope)
            for variable, atom in zip(equation.outputs, found, strict=True)
        ]
        if any(kept):  # the caller gets a scalar, and this may be an array without axes
            scope.append(equation)
        for variable, atom, stays in zip(equation.outputs, found, kept, strict=True):
            if not stays:
                scope.replace(variable, atom)

    return rewrite(program, step)


def _read(equation: Equation, scope: Scope) -> Sequence[Atom] | None:
    """What stands for the outputs of an equation that reads elements of a vector."""
    primitive = equation.primitive
    if primitive is shaping.unstack_primitive:
        (x,) = equation.inputs
        return _elements(x, scope, equation) if x.type.ndim == 1 else None
    if primitive in (indexing.element, indexing.getitem_primitive):
        if len(equation.inputs) != 1 or equation.outputs[0].type.shape:
            return None
        index = equation.params["index"]
        x = equation.inputs[0]
        if x.type.ndim != 1 or len(index) != 1 or not isinstance(index[0], int | np.integer):
            return None
        elements = _elements(x, scope, equation)
        return None if elements is None else [elements[index[0]]]
    if primitive is shaping.reshape_primitive and not equation.outputs[0].type.shape:
        x = equation.inputs[0]
        return _elements(x, scope, equation) if x.type.ndim == 1 else None
    return None


def _elements(x: Atom, scope: Scope, reader: Equation) -> list[Atom] | None:
    """The elements of a vector, if they are known; those of arithmetic are written on demand."""
    if not _is_short(x.type) or not _is_known(x, scope):
        return None
    return _written(x, scope, reader)


def _is_short(type: ArrayType) -> bool:
    return type.ndim == 1 and 0 <= type.shape[0] <= LONGEST


def _is_known(x: Atom, scope: Scope) -> bool:
    """Whether there are numbers that a short vector is made of."""
    made = scope.definitions.get(x)
    if made is None or not _is_short(x.type):
        return False
    primitive = made.primitive
    if primitive is shaping.stack_primitive:
        return all(atom.type == ArrayType((), x.type.dtype) for atom in made.inputs)
    if primitive is shaping.concatenate_primitive:
        return all(a.type.dtype == x.type.dtype and _is_known(a, scope) for a in made.inputs)
    if primitive is shaping.reshape_primitive:
        (a,) = made.inputs
        return a.type == ArrayType((), x.type.dtype) or (a.type.ndim == 1 and _is_known(a, scope))
    if primitive is shaping.split_primitive:
        return _is_known(made.inputs[0], scope)
    if primitive is indexing.getitem_primitive:
        is_slice = len(made.inputs) == 1 and [type(i) for i in made.params["index"]] == [slice]
        return is_slice and _is_known(made.inputs[0], scope)
    if primitive.is_elementwise and not primitive.multiple_outputs and x.type.dtype.kind == "f":
        vectors = [a for a in made.inputs if a.type.shape]
        return (
            bool(vectors)
            and x.type.shape[0] <= FEW
            and all(a.type.shape == x.type.shape and _is_known(a, scope) for a in vectors)
        )
    return False


def _written(x: Atom, scope: Scope, reader: Equation) -> list[Atom]:
    """The elements of a vector that is known."""
    made = scope.definitions[x]
    primitive = made.primitive
    if primitive is shaping.stack_primitive:
        return list(made.inputs)
    if primitive is shaping.concatenate_primitive:
        return [e for a in made.inputs for e in _written(a, scope, reader)]
    if primitive is shaping.reshape_primitive:
        (a,) = made.inputs
        return _written(a, scope, reader) if a.type.shape else [a]
    if primitive is shaping.split_primitive:
        stops = [0, *made.params["boundaries"], None]
        number = made.outputs.index(x)
        return _written(made.inputs[0], scope, reader)[stops[number] : stops[number + 1]]
    if primitive is indexing.getitem_primitive:
        return _written(made.inputs[0], scope, reader)[made.params["index"][0]]
    key: Any = ("elements", x)
    if key not in scope.histories:
        columns = [
            _written(a, scope, reader) if a.type.shape else [a] * x.type.shape[0]
            for a in made.inputs
        ]
        scope.histories[key] = [
            scope.emit(made, primitive, *row, **made.params) for row in zip(*columns, strict=True)
        ]
    return scope.histories[key]


def _is_number(atom: Atom, scope: Scope) -> bool:
    """Whether what stands for an element is a scalar, not an array without axes."""
    if isinstance(atom, Constant):
        return not isinstance(atom.value, np.ndarray)
    made = scope.definitions.get(atom)
    return made is not None and (
        made.primitive.makes_scalars or made.primitive is shaping.unstack_primitive
    )
