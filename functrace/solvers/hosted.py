"""SciPy's methods for initial value problems, called on values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.ir.types import ArrayType
from functrace.primitives.linear import dtype_of, shape_of
from functrace.solvers import runge_kutta
from functrace.solvers.functions import is_unknown, on_values
from functrace.solvers.initial_values import Dynamics
from functrace.tracing.optional import scipy_module

RECORDED = {"RK45": runge_kutta.RK45, "RK23": runge_kutta.RK23}
"""The methods that are recorded where values are unknown."""


class Hosted:
    """A method of SciPy's, as one of `functrace.solvers.initial_values`."""

    def __init__(self, name: Any, options: dict[str, Any], count: int) -> None:
        """Keep what it is.

        Args:
            name: A method of ``solve_ivp``, or "odeint".
            options: SciPy's.
            count: How many numbers there are in the states that tolerances are for.
        """
        self.name = name
        self.options = options
        self.count = count

    def recorded(self, *inputs: Any) -> runge_kutta.Method | None:
        """What computes it where values are unknown, if that can be recorded."""
        tableau = RECORDED.get(self.name) if isinstance(self.name, str) else None
        if tableau is None or not is_unknown(inputs):
            return None
        tolerances = runge_kutta.Tolerances(
            max(float(self.options.get("rtol", 1e-3)), 100 * float(np.finfo(float).eps)),
            self.options.get("atol", 1e-6),
            self.options.get("max_step", np.inf),
            self.options.get("first_step"),
        )
        return runge_kutta.Method(tableau, tolerances, self.count)

    def solve(self, f: Dynamics, y0: Any, ts: Any, constants: Sequence[Any]) -> Any:
        """The states at some times."""
        recorded = self.recorded(y0, ts, *constants)
        if recorded is not None:
            return recorded.solve(f, y0, ts, constants)

        def host(y0: Any, ts: Any, *constants: Any) -> list[Any]:
            fast = f.compiled()
            options = self.widened(len(y0), self.options)
            if self.name == "odeint":
                odeint = scipy_module("integrate", "functrace.scipy.integrate.odeint").odeint
                return [odeint(lambda t, y: fast(t, y, *constants), y0, ts, tfirst=True, **options)]
            at = lambda t, y: fast(np.float64(t), y, *constants)  # noqa: E731
            return [_states_at(self.name, at, y0, ts, options)]

        type = ArrayType((*shape_of(ts), *shape_of(y0)), dtype_of(y0))
        return on_values(host, [type], [y0, ts, *constants])[0]

    def pull(self, f: Dynamics, y0: Any, ts: Any, ys: Any, g: Any, constants: Sequence[Any]) -> Any:
        """The cotangents of the first state and of the constants.

        The states between the times are those of SciPy's dense output: where an equation is stiff
        they cannot be found backwards.
        """
        recorded = self.recorded(y0, ts, g, *constants)
        if recorded is not None:
            return recorded.pull(f, y0, ts, ys, g, constants)
        adjoint, n = f.adjoint(), f.count

        def host(y0: Any, ts: Any, g: Any, *constants: Any) -> list[Any]:
            forward, back = f.compiled(), adjoint.compiled()
            name, options = self.name, self.options
            if name == "odeint":
                name, options = "LSODA", _of_lsoda(options)
            total = np.zeros(adjoint.count - n, dtype_of(y0))
            total[:n] = g[-1]
            states: Any = None
            if ts[0] != ts[-1]:
                states = _solved(
                    name,
                    lambda t, y: forward(np.float64(t), y, *constants),
                    (ts[0], ts[-1]),
                    y0,
                    {**self.widened(n, options), "dense_output": True},
                ).sol
            options = self.widened(len(total), options)

            def slope(t: Any, p: Any) -> Any:
                return back(np.float64(t), np.concatenate([states(t), p]), *constants)[n:]

            for i in range(len(ts) - 1, 0, -1):
                if ts[i] != ts[i - 1]:
                    found = _solved(name, slope, (ts[i], ts[i - 1]), total, options)
                    total = found.y[:, -1]
                total[:n] += g[i - 1]
            return [total]

        type = ArrayType((adjoint.count - n,), dtype_of(y0))
        return on_values(host, [type], [y0, ts, g, *constants])[0]

    def widened(self, size: int, options: dict[str, Any]) -> dict[str, Any]:
        """Options with tolerances for states of more numbers than they were given for."""
        found = dict(options)
        for name in options.keys() & {"rtol", "atol"}:
            given = options[name]
            if given is not None and np.ndim(given) and len(given) < size:
                found[name] = np.append(given, np.full(size - len(given), np.min(given)))
        return found


def _of_lsoda(options: dict[str, Any]) -> dict[str, Any]:
    """The options of ``odeint`` for the same solver in ``solve_ivp``."""
    found = {name: options.get(name) for name in ("rtol", "atol")}
    found = {name: 1.49012e-8 if x is None else x for name, x in found.items()}
    return {**found, "max_step": options["hmax"]} if options.get("hmax") else found


def _solved(method: Any, f: Any, span: Any, y0: Any, options: dict[str, Any]) -> Any:
    """SciPy's solution, which must get to the end."""
    integrate = scipy_module("integrate", "functrace.scipy.integrate.solve_ivp")
    found = integrate.solve_ivp(f, span, y0, method, **options)
    if not found.success:
        raise RuntimeError(f"solve_ivp did not get to {span[1]}: {found.message}")
    return found


def _states_at(
    method: Any, f: Callable[..., Any], y0: Any, ts: Any, options: dict[str, Any]
) -> Any:
    """The states at times that rise or fall, some of which may be the same."""
    distinct, places = np.unique(ts, return_inverse=True)
    if len(distinct) < 2:
        return np.broadcast_to(y0, (len(ts), len(y0)))
    if ts[-1] < ts[0]:
        distinct, places = distinct[::-1], len(distinct) - 1 - places
    if np.any(np.diff(places) < 0):
        raise ArgumentError("The times of an initial value problem must rise, or fall.")
    found = _solved(method, f, (ts[0], ts[-1]), y0, {**options, "t_eval": distinct})
    return found.y.T[places]
