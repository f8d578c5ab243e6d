"""Operations written with simpler ones, which a nest of loops computes together with others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.ir.primitive import PRIMITIVES
from functrace.ir.program import Atom, Constant, Equation, Program, Variable, with_programs
from functrace.ir.types import ArrayType
from functrace.primitives import reducing
from functrace.primitives.linear import cast, cast_to_whole
from functrace.simplify.rewriting import Scope, rewrite


def decompose(program: Program) -> Program:
    """Write a Program, and those in it, with simpler operations.

    Returns:
        A Program with the same inputs and types of outputs.
    """
    return program.derive("decomposed", lambda: rewrite(program, _step))


def _step(equation: Equation, scope: Scope) -> None:
    params = with_programs(equation.params, decompose)
    if params is not equation.params:
        equation = equation.replaced(params=params)
    write = _WAYS.get(equation.primitive.name)
    outputs = None if write is None else write(_Steps(scope, equation))
    if outputs is None:
        scope.append(equation)
        return
    for variable, atom in zip(equation.outputs, outputs, strict=True):
        scope.replace(variable, atom)


class _Steps:
    """What writes operations in place of another one."""

    def __init__(self, scope: Scope, equation: Equation) -> None:
        self._scope = scope
        self.equation = equation

    def __call__(self, name: str, *inputs: Atom, **params: Any) -> Variable:
        """An operation."""
        return self._scope.emit(self.equation, PRIMITIVES[name], *inputs, **params)

    def cast(self, x: Atom, dtype: np.dtype[Any]) -> Atom:
        """A value in another dtype."""
        if x.type.dtype == dtype:
            return x
        primitive = cast if dtype.kind in "fc" else cast_to_whole
        return self._scope.emit(self.equation, primitive, x, dtype=dtype)

    def number(self, value: Any, dtype: np.dtype[Any]) -> Constant:
        """A constant."""
        return Constant(dtype.type(value), ArrayType((), dtype))


def _mean(s: _Steps) -> list[Atom] | None:
    (x,) = s.equation.inputs
    (output,) = s.equation.outputs
    params = s.equation.params
    if output.type.dtype.kind != "f":
        return None
    total = s("sum", s.cast(x, output.type.dtype), **{**params, "dtype": None})
    count = reducing.reduced_count(x.type.shape, params["axes"])
    if not count:
        return None
    return [s("divide", total, s.number(count, output.type.dtype))]


def _winners(s: _Steps) -> list[Atom]:
    x, extreme = s.equation.inputs
    count = s.equation.outputs[1].type.dtype
    wins = s(
        "logical_or", s("equal", x, extreme), s("logical_and", s("isnan", extreme), s("isnan", x))
    )
    if x.type.dtype.kind != "f":
        wins = s("equal", x, extreme)
    axes = s.equation.params["axes"]
    return [wins, s("sum", s.cast(wins, count), axes=axes, keepdims=True, dtype=None)]


def _logsumexp(s: _Steps) -> list[Atom] | None:
    (x,) = s.equation.inputs
    (output,) = s.equation.outputs
    dtype = output.type.dtype
    params = s.equation.params
    if reducing.reduced_count(x.type.shape, params["axes"]) == 0 or x.type.dtype.kind != "f":
        return None
    kept = {**params, "keepdims": True}
    largest = s("max", x, **kept)
    shift = s("select", s("isfinite", largest), largest, s.number(0, dtype))
    total = s("sum", s("exp", s("subtract", x, shift)), **kept, dtype=None)
    result = s("add", s("log", total), shift)
    return [s("reshape", result, shape=output.type.shape)]


def _product_pullback(s: _Steps) -> list[Atom]:
    """The recurrence by which the products before each element are multiplied."""
    cotangent, x, products = s.equation.inputs
    axis = s.equation.params["axis"]
    later = s("recurrence", x, cotangent, axis=axis, reverse=True)
    shape = products.type.shape
    if not shape[axis]:
        return [later]
    head = (*shape[:axis], 1, *shape[axis + 1 :])
    ones = Constant(np.ones(head, products.type.dtype), ArrayType(head, products.type.dtype))
    index = (slice(None),) * axis + (slice(None, -1),)
    before = s("concatenate", ones, s("getitem", products, index=index), axis=axis)
    return [s("product_or_zero", later, before)]


_WAYS: dict[str, Callable[[_Steps], list[Atom] | None]] = {
    "mean": _mean,
    "winners": _winners,
    "logsumexp": _logsumexp,
    "product_pullback": _product_pullback,
}
