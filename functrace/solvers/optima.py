"""Optima within bounds and under constraints, as solutions of equations.

Source: Nocedal and Wright, Numerical Optimization (2nd ed., Springer 2006), chapter 12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.primitives.linear import stop_gradient
from functrace.solvers.functions import Function
from functrace.transforms.reverse import vjp


class Limits:
    """Bounds of the parameters of an optimum, and of values that are computed from them.

    At a regular optimum some limits are active: it lies on them, and would move beyond if they
    were not there. These are equations, and the others do not matter. So with the gradient of the
    Lagrangian, ``g = f'(x) - c'(x)^T m``, and the multipliers ``m``, the residual is for each
    parameter its distance from an active bound, else ``g``; and for each constrained value its
    distance from an active limit, else ``m``.

    Attributes:
        bounds: The least and the largest parameters, two vectors, or None.
        constrained: The values ``c(x)``, a vector, or None.
        ends: The least and the largest values.
    """

    def __init__(
        self,
        bounds: tuple[Any, Any] | None = None,
        constrained: Function | None = None,
        ends: tuple[Any, Any] = (0.0, 0.0),
    ) -> None:
        """Keep them."""
        self.bounds = bounds
        self.constrained = constrained
        self.ends = ends

    def residual(self, gradient: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The residual, a function of the parameters, followed by the multipliers if any."""
        constrained = self.constrained

        def of(z: Any) -> Any:
            if constrained is None:
                return _held(z, gradient(z), self.bounds)
            size = np.shape(self.ends[0])[0]
            x, m = z[:-size], z[-size:]
            values, pull_back = vjp(constrained, x)
            first = _held(x, gradient(x) - pull_back(m)[0], self.bounds)
            return np.concatenate([first, _held(values, m, self.ends)])

        return of


NEAR = 1e-4
"""How near, relative to its size, a solver comes to a limit on which an optimum lies."""


def multipliers(
    x: Any,
    gradient: Any,
    bounds: tuple[Any, Any] | None,
    constrained: tuple[Any, Any],
    ends: tuple[Any, Any],
) -> Any:
    """The multipliers at an optimum, of the least squares, where all is known.

    Args:
        x: The parameters.
        gradient: The gradient of what is minimized.
        bounds: Of the parameters.
        constrained: The values that are constrained, and their Jacobian.
        ends: Of these values.
    """
    values, jacobian = constrained
    is_free = np.full(len(x), True)
    if bounds is not None:
        is_free = ~_is_near(x, bounds)
    is_near = _is_near(values, ends)
    found = np.zeros(len(values))
    columns = jacobian[is_near][:, is_free].T
    if columns.size:
        found[is_near] = np.linalg.lstsq(columns, gradient[is_free])[0]
    return found


def _is_near(x: Any, ends: tuple[Any, Any]) -> Any:
    return np.minimum(x - ends[0], ends[1] - x) < NEAR * (1 + np.abs(x))


def _held(x: Any, force: Any, ends: tuple[Any, Any] | None) -> Any:
    """The distance from an end where the force holds ``x`` there, else the force.

    It does if it is larger than the distance: one of the two is zero, but for what a solver leaves.
    """
    if ends is None:
        return force
    lower, upper = ends
    pushed = stop_gradient(force)
    end = np.where(pushed > 0, lower, upper)
    is_held = np.logical_or(np.abs(x - end) < np.abs(pushed), np.equal(lower, upper))
    return np.where(is_held, x - np.where(is_held, end, 0.0), force)
