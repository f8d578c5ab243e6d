"""Solutions of initial value problems, with derivatives by other such problems.

For ``dy/dt = f(t, y, a)`` from ``y(t0) = y0``, forward mode solves for the sensitivities, the
tangents ``s`` of ``y`` at fixed times, together with ``y``::

    ds/dt = f_y s + f_a da,    s(t0) = dy0 - f(t0, y0) dt0,    dy(t) = s(t) + f(t, y) dt

Reverse mode solves the adjoint problem from the last time to the first: with the cotangents ``g``
of the states at the times ``t_i``, which ``p`` jumps by there::

    dp/dt = -f_y^T p,    da = integral of f_a^T p,    dy0 = p(t0),    dt_i = f(t_i, y_i) . g_i

Both are solved by the method that solves for ``y``, with its tolerances, and are differentiated
likewise.

Sources: Pontryagin et al., The Mathematical Theory of Optimal Processes (1962); Cao, Li, Petzold
and Serban, Adjoint sensitivity analysis for differential-algebraic equations (SIAM J. Sci. Comput.
24, 2003); Chen et al., Neural ordinary differential equations (arXiv:1806.07366).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from functrace.control.loops import scan
from functrace.ir.program import Program, input_types
from functrace.ir.types import ArrayType, type_of
from functrace.jitting.jit import jit
from functrace.primitives.linear import dtype_of, shape_of
from functrace.rules.custom import CustomFunction
from functrace.solvers.functions import recorded
from functrace.transforms.batch import vmap
from functrace.transforms.evaluate import run_program
from functrace.transforms.forward import jvp
from functrace.transforms.reverse import vjp


class Dynamics:
    """The right side of a differential equation: a Program of time, state and constants.

    Attributes:
        program: It returns the derivative of the state, a vector like it.
        count: How many numbers the state has.
        varied: For each constant, whether it may be differentiated by.
    """

    def __init__(self, program: Program) -> None:
        """Keep the Program."""
        self.program = program
        _, state, *constants = input_types(program)
        self.count = state.shape[0]
        self.state = state
        self.varied = [type.is_inexact for type in constants]

    def __call__(self, t: Any, y: Any, *constants: Any) -> Any:
        """The derivative of the state."""
        return run_program(self.program, [t, y, *constants])[0]

    def compiled(self) -> Callable[..., Any]:
        """The same, for plain values."""
        return self.program.derive("dynamics", lambda: jit(self.__call__))

    def only_varied(self, constants: Sequence[Any]) -> list[Any]:
        """The constants that may be differentiated by."""
        return [a for a, on in zip(constants, self.varied, strict=True) if on]

    def with_varied(self, constants: Sequence[Any], moving: Sequence[Any]) -> list[Any]:
        """The constants with others for those that may be differentiated by."""
        others = iter(moving)
        return [next(others) if on else a for a, on in zip(constants, self.varied, strict=True)]

    def parts(self, flat: Any, constants: Sequence[Any]) -> list[Any]:
        """Cotangents of the constants, out of a vector that has those of the state first."""
        found: list[Any] = []
        place = self.count
        for a, on in zip(constants, self.varied, strict=True):
            if not on:
                found.append(None)
                continue
            size = _size(type_of(a))
            part = np.reshape(flat[place : place + size], shape_of(a))[()]
            place += size
            found.append((np.real(part) if dtype_of(a).kind == "f" else part).astype(dtype_of(a)))
        return found

    def sensitive(self) -> Dynamics:
        """Of states that are followed by their tangents; constants are, too."""

        def f(t: Any, z: Any, *given: Any) -> Any:
            y, s = np.split(z, [self.count])
            constants = given[: len(self.varied)]
            moves = given[len(self.varied) :]
            tangents = self.with_varied([None] * len(self.varied), moves)
            return np.concatenate(
                jvp(lambda y, *a: self(t, y, *a), (y, *constants), (s, *tangents))
            )

        types = input_types(self.program)
        moves = [type.strong for type, on in zip(types[2:], self.varied, strict=True) if on]
        return self._derived("sensitive", f, self.count, [*types[2:], *moves])

    def adjoint(self) -> Dynamics:
        """Of states that are followed by their cotangents, and by those of the constants."""

        def f(t: Any, z: Any, *constants: Any) -> Any:
            y, p, _ = np.split(z, [self.count, 2 * self.count])

            def at(y: Any, *moving: Any) -> Any:
                return self(t, y, *self.with_varied(constants, moving))

            slope, pull_back = vjp(at, y, *self.only_varied(constants))
            back = pull_back(-p)
            return np.concatenate([slope, *(_raveled(x, dtype_of(y)) for x in back)])

        types = input_types(self.program)[2:]
        more = sum(_size(type) for type, on in zip(types, self.varied, strict=True) if on)
        return self._derived("adjoint", f, self.count + more, types)

    def _derived(
        self, name: str, f: Callable[..., Any], more: int, constants: Sequence[ArrayType]
    ) -> Dynamics:
        def make() -> Dynamics:
            state = ArrayType((self.count + more,), self.state.dtype)
            time = input_types(self.program)[0]
            return Dynamics(recorded(f, time, state, *constants))

        return self.program.derive(f"{name} dynamics", make)


def _size(type: ArrayType) -> int:
    return int(np.prod(type.shape, dtype=int))


def _raveled(x: Any, dtype: Any) -> Any:
    flat = np.reshape(x, (-1,))
    return flat if dtype_of(flat) == dtype else flat.astype(dtype)


class Method(Protocol):
    """How an initial value problem is solved on values."""

    def solve(self, f: Dynamics, y0: Any, ts: Any, constants: Sequence[Any]) -> Any:
        """The states at some times, which rise or fall, by rows."""
        ...

    def pull(self, f: Dynamics, y0: Any, ts: Any, ys: Any, g: Any, constants: Sequence[Any]) -> Any:
        """The cotangents of the first state and of the varied constants, one vector.

        Args:
            f: The right side.
            y0: The first state.
            ts: The times.
            ys: The states there.
            g: The cotangents of these.
            constants: What ``f`` takes more.
        """
        ...


def _states(method: Method, f: Dynamics, y0: Any, ts: Any, *constants: Any) -> Any:
    """The solution of an initial value problem at some times, by rows."""
    return method.solve(f, y0, ts, constants)


states: Any = CustomFunction(_states, (0, 1))


@states.defjvp
def _states_jvp(method: Method, f: Dynamics, primals: Any, tangents: Any) -> tuple[Any, Any]:
    (y0, ts, *constants), (dy0, dts, *moves) = primals, tangents
    ys = states(method, f, y0, ts, *constants)
    start = dy0 - f(ts[0], y0, *constants) * _as_state(dts[0], y0)
    given = f.only_varied(moves)
    both = states(
        method, f.sensitive(), np.concatenate([y0, start]), ts, *constants, *given
    )  # fmt: skip
    slopes = vmap(lambda t, y: f(t, y, *constants))(ts, ys)
    return ys, both[:, f.count :] + slopes * _as_state(dts, y0)[:, None]


def _states_forward(method: Method, f: Dynamics, y0: Any, ts: Any, *constants: Any) -> Any:
    ys = states(method, f, y0, ts, *constants)
    return ys, (y0, ts, ys, constants)


def _states_backward(method: Method, f: Dynamics, residuals: Any, g: Any) -> Any:
    y0, ts, ys, constants = residuals
    back = pulled(method, f, y0, ts, ys, g, *constants)
    slopes = vmap(lambda t, y: f(t, y, *constants))(ts, ys)
    moves = np.real(np.sum(slopes * g, axis=1)).astype(dtype_of(ts))
    first = -np.real(np.sum(slopes[0] * (back[: f.count] - g[0]))).astype(dtype_of(ts))
    return (back[: f.count], np.concatenate([first[None], moves[1:]]), *f.parts(back, constants))


states.defvjp(_states_forward, _states_backward)


def _pulled(method: Method, f: Dynamics, y0: Any, ts: Any, ys: Any, g: Any, *constants: Any) -> Any:
    """The cotangents of the first state and of the constants, for those of the states.

    Its derivatives are those of the sensitivities, pulled back: to move along ``dx`` what a
    function ``F`` pulls back is to pull back ``F'(x) dx``. ``ys`` is known by the rest.
    """
    return method.pull(f, y0, ts, ys, g, constants)


pulled: Any = CustomFunction(_pulled, (0, 1))


@pulled.defjvp
def _pulled_jvp(method: Method, f: Dynamics, primals: Any, tangents: Any) -> tuple[Any, Any]:
    (y0, ts, ys, g, *constants), (dy0, dts, _, dg, *moves) = primals, tangents

    def solved(y0: Any, ts: Any, *moving: Any) -> Any:
        return states(method, f, y0, ts, *f.with_varied(constants, moving))

    at = (y0, ts, *f.only_varied(constants))
    direction = (dy0, dts, *f.only_varied(moves))
    _, pull_back = vjp(lambda *x: jvp(solved, x, direction), *at)
    state, _, *others = pull_back((dg, g))
    change = np.concatenate([state, *(_raveled(part, dtype_of(y0)) for part in others)])
    return pulled(method, f, y0, ts, ys, g, *constants), change


def _pulled_forward(
    method: Method, f: Dynamics, y0: Any, ts: Any, ys: Any, g: Any, *constants: Any
) -> Any:
    return pulled(method, f, y0, ts, ys, g, *constants), (y0, ts, g, constants)


def _pulled_backward(method: Method, f: Dynamics, residuals: Any, u: Any) -> Any:
    y0, ts, g, constants = residuals
    moves = f.only_varied(f.parts(u, constants))

    def sensitivities(y0: Any, ts: Any, *moving: Any) -> Any:
        start = np.concatenate([y0, u[: f.count]])
        given = f.with_varied(constants, moving)
        return states(method, f.sensitive(), start, ts, *given, *moves)[:, f.count :]

    found, pull_back = vjp(sensitivities, y0, ts, *f.only_varied(constants))
    state, times, *others = pull_back(g)
    return (state, times, None, found, *f.with_varied([None] * len(constants), others))


pulled.defvjp(_pulled_forward, _pulled_backward)


def pull_by_intervals(
    method: Method, f: Dynamics, y0: Any, ts: Any, ys: Any, g: Any, constants: Sequence[Any]
) -> Any:
    """The cotangents, as `Method.pull`, by solutions of the adjoint problem with the state in it.

    It begins anew from the state at each time, so that the state stays as exact as it is.
    """
    adjoint, n = f.adjoint(), f.count
    end = np.concatenate([g[-1], np.zeros_like(y0, shape=adjoint.count - 2 * n)])
    if shape_of(ts)[0] < 2:
        return end

    def interval(carry: Any, row: Any) -> tuple[Any, None]:
        y, before, t, t_before = row
        z = np.concatenate([y, carry])
        z = method.solve(adjoint, z, np.stack([t, t_before]), constants)[1, n:]
        return np.concatenate([z[:n] + before, z[n:]]), None

    rows = (ys[:0:-1], g[-2::-1], ts[:0:-1], ts[-2::-1])
    return scan(interval, end, rows)[0]


def _as_state(x: Any, y: Any) -> Any:
    """Numbers in the dtype of a state."""
    return x if dtype_of(x) == dtype_of(y) else x.astype(dtype_of(y))
