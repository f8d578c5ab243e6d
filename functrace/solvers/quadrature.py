"""Integrals of functions of one number that an integrator finds, with their derivatives.

Of the integral of ``f(x, a)`` from ``low`` to ``high`` the derivative is, by Leibniz' rule,
``f(high, a) dhigh - f(low, a) dlow``, and the integral of ``f_a da``. That is an integral of the
same kind, for each parameter one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from functrace.ir.program import Program, input_types
from functrace.ir.types import ArrayType, type_of
from functrace.jitting.jit import jit
from functrace.primitives.linear import dtype_of, shape_of
from functrace.rules.custom import CustomFunction
from functrace.solvers.functions import recorded
from functrace.transforms.evaluate import run_program
from functrace.transforms.forward import jvp
from functrace.transforms.reverse import vjp


class Integrand:
    """What is integrated: a Program of a number and of constants, which returns a number.

    Attributes:
        program: The Program.
        varied: For each constant, whether it may be differentiated by.
    """

    def __init__(self, program: Program) -> None:
        """Keep the Program."""
        self.program = program
        self.types = input_types(program)
        self.varied = [type.is_inexact for type in self.types[1:]]

    def __call__(self, x: Any, *constants: Any) -> Any:
        """The value."""
        return run_program(self.program, [x, *constants])[0]

    def compiled(self) -> Callable[..., Any]:
        """The same, for plain values."""
        return self.program.derive("integrand", lambda: jit(self.__call__))

    def moving(self) -> Integrand:
        """The tangent of the value, at fixed ``x``; tangents come after the constants."""

        def f(x: Any, *given: Any) -> Any:
            constants = given[: len(self.varied)]
            moves = iter(given[len(self.varied) :])
            tangents = [next(moves) if on else None for on in self.varied]
            return jvp(lambda *a: self(x, *a), tuple(constants), tuple(tangents))[1]

        moves = [type.strong for type, on in zip(self.types[1:], self.varied, strict=True) if on]
        return self._derived("moving integrand", f, [*self.types[1:], *moves])

    def slope(self) -> Integrand:
        """The derivative by one of the constants' numbers; which one is a constant more."""

        def f(x: Any, number: Any, *constants: Any) -> Any:
            moving = [a for a, on in zip(constants, self.varied, strict=True) if on]

            def at(*moving: Any) -> Any:
                others = iter(moving)
                pairs = zip(constants, self.varied, strict=True)
                return self(x, *(next(others) if on else a for a, on in pairs))

            back = vjp(at, *moving)[1](np.float64(1.0))
            return np.concatenate([np.reshape(part, (-1,)) for part in back])[number]

        index = ArrayType((), np.dtype(np.int64))
        return self._derived("slope of integrand", f, [index, *self.types[1:]])

    def _derived(self, name: str, f: Any, constants: Sequence[ArrayType]) -> Integrand:
        return self.program.derive(name, lambda: Integrand(recorded(f, self.types[0], *constants)))


class Integrator(Protocol):
    """How an integral is found on values."""

    def integrate(self, f: Integrand, low: Any, high: Any, constants: Sequence[Any]) -> Any:
        """The integral."""
        ...


def _integral(method: Integrator, f: Integrand, low: Any, high: Any, *constants: Any) -> Any:
    """The integral of a function from one number to another."""
    return method.integrate(f, low, high, constants)


integral: Any = CustomFunction(_integral, (0, 1))


def _at(f: Integrand, x: Any, constants: Sequence[Any]) -> Any:
    """The integrand at a limit; zero at an infinite one, which does not move."""
    is_finite = np.isfinite(x)
    return np.where(is_finite, f(np.where(is_finite, x, 0.0)[()], *constants), 0.0)[()]


def _at_limit(f: Integrand, x: Any, move: Any, constants: Sequence[Any]) -> Any:
    """What a limit adds by its own motion; where it stays, the integrand may have no value."""
    return 0.0 if move is None else _at(f, x, constants) * move


def _integral_jvp(method: Integrator, f: Integrand, primals: Any, tangents: Any) -> tuple[Any, Any]:
    (low, high, *constants), (dlow, dhigh, *moves) = primals, tangents
    value = integral(method, f, low, high, *constants)
    change = _at_limit(f, high, dhigh, constants) - _at_limit(f, low, dlow, constants)
    if any(move is not None for move in moves):
        given = [
            np.zeros_like(x) if move is None else move
            for x, move, on in zip(constants, moves, f.varied, strict=True)
            if on
        ]
        change = change + integral(method, f.moving(), low, high, *constants, *given)
    return value, change


integral.defjvp(_integral_jvp, symbolic_zeros=True)


def _integral_forward(
    method: Integrator, f: Integrand, low: Any, high: Any, *constants: Any
) -> Any:
    return integral(method, f, low, high, *constants), (low, high, constants)


def _integral_backward(method: Integrator, f: Integrand, residuals: Any, g: Any) -> Any:
    low, high, constants = residuals
    cotangents = [-g * _at(f, low, constants), g * _at(f, high, constants)]
    number = 0
    for a, on in zip(constants, f.varied, strict=True):
        if not on:
            cotangents.append(None)
            continue
        size = int(np.prod(type_of(a).shape, dtype=int))
        parts = [
            integral(method, f.slope(), low, high, np.int64(number + n), *constants)
            for n in range(size)
        ]
        number += size
        whole = np.reshape(g * np.stack(parts), shape_of(a))[()] if parts else np.zeros(shape_of(a))
        cotangents.append(whole if dtype_of(a) == np.float64 else whole.astype(dtype_of(a)))
    return tuple(cotangents)


integral.defvjp(_integral_forward, _integral_backward)
