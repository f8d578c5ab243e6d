"""Ordinary differential equations, with the names of ``jax.experimental.ode``.

The solver is functrace's own, without SciPy: the method of Dormand and Prince, with SciPy's control
of steps. Under ``jit`` it is compiled with the user's function in it, the way back too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.linear import cast_to, dtype_of, in_dtype, shape_of
from functrace.solvers.functions import Function, array_of, pieces
from functrace.solvers.initial_values import Dynamics, states
from functrace.solvers.runge_kutta import RK45, Method, Tolerances
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.transforms.batch import vmap


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: float = np.inf,
    hmax: float = np.inf,
) -> Any:
    """Solve ``dy/dt = func(y, t, *args)``, as ``jax.experimental.ode.odeint``.

    Args:
        func: The derivative of the state, a tree like it.
        y0: The state at the first time: a tree of real or complex arrays.
        t: The times, a vector of floats that rises or falls.
        args: More arguments, trees of arrays, by which the solution can be differentiated, as by
            what ``func`` closes over.
        rtol: The relative error that is allowed.
        atol: The absolute error that is allowed.
        mxstep: The largest number of steps from one time to the next; what is not reached is nan.
        hmax: The longest step.

    Returns:
        A tree like ``y0``, with one more axis in front, for the times.

    Raises:
        ArgumentError: ``func`` returns another tree or other shapes, or ``t`` is no vector of
            floats.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.experimental.ode import odeint
        >>> decay = lambda y, t, rate: -rate * y
        >>> last = lambda rate: odeint(decay, 1.0, np.array([0.0, 2.0]), rate)[-1]
        >>> print(last(0.5).round(6), ft.grad(last)(0.5).round(6))
        0.367879 -0.735759
    """
    ts = as_operand(t)
    if np.ndim(ts) != 1 or dtype_of(ts).kind != "f":
        raise ArgumentError(
            f"The times of odeint are {type_of(ts)}, but must be a vector of floats.",
            source_of(user_place(2)),
        )
    leaves, structure = tree.flatten(tree.map(_floating, y0))
    shapes = [shape_of(leaf) for leaf in leaves]
    dtypes = [dtype_of(leaf) for leaf in leaves]
    flat = _joined(leaves)

    def state(flat: Any) -> Any:
        found = [
            in_dtype(part if len(shape) == 1 else np.reshape(part, shape)[()], dtype)
            for part, shape, dtype in zip(pieces(flat, shapes), shapes, dtypes, strict=True)
        ]
        return structure.unflatten(found)

    def f(t: Any, y: Any, *args: Any) -> Any:
        slope = func(state(y), t, *args)
        if structure == tree.LEAF and isinstance(slope, list | tuple):
            slope = array_of(slope)
        found = [shape_of(as_operand(leaf)) for leaf in tree.leaves(slope)]
        if tree.structure(slope) != structure or found != shapes:
            raise ArgumentError(
                f"The function under odeint returned a tree like {tree.structure(slope)} with the "
                f"shapes {found}; the state is one like {structure} with the shapes {shapes}.",
                advice="Return the derivative of each number of the state.",
            )
        return in_dtype(_joined(tree.leaves(slope)), dtype_of(flat))

    function = Function(f, ArrayType((), dtype_of(ts)), type_of(flat), args=args)
    if not function.is_recorded:
        raise function.refusal
    most = None if mxstep == np.inf else int(mxstep)
    tolerances = Tolerances(float(rtol), float(atol), float(hmax), None, most)
    method = Method(RK45, tolerances, shape_of(flat)[0])
    ys = states(method, Dynamics(function.program), flat, ts, *function.captured)
    return vmap(state)(ys)


def _joined(leaves: Sequence[Any]) -> Any:
    """Arrays as one vector."""
    parts = [np.reshape(as_operand(leaf), (-1,)) for leaf in leaves]
    if not parts:
        return np.zeros(0)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _floating(x: Any) -> Any:
    x = as_operand(x)
    return x if dtype_of(x).kind in "fc" else cast_to(x, np.dtype(np.float64))


globals().update(entrances(globals()))
