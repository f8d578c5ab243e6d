"""Functions of ``scipy.integrate``: differential equations, integrals and sums, with derivatives.

SciPy finds the values. Derivatives of solutions of differential equations are solutions of others
(``functrace/solvers/initial_values.py``), found by the same method with the same tolerances, and
are about as exact as the values. Under ``jit``, "RK45" and "RK23" are loops that are compiled with
the user's function in them, and take SciPy's steps; all other methods are SciPy's, called when the
values are known. ``functrace.experimental.ode.odeint`` is compiled always.

Names of ``scipy.integrate`` that are not defined here are SciPy's own, for plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace import tree
from functrace.errors import ArgumentError, MissingRuleError, UnknownValueError
from functrace.ir.types import ArrayType
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of, stop_gradient
from functrace.rules.implicit import custom_root
from functrace.solvers.functions import (
    DOUBLE,
    Function,
    Vector,
    array_of,
    is_plain_list,
    is_traced,
    is_unknown,
    on_values,
    scalar,
)
from functrace.solvers.hosted import Hosted
from functrace.solvers.initial_values import Dynamics, states
from functrace.solvers.quadrature import Integrand, integral
from functrace.solvers.solutions import elementwise
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import names_of_scipy, scipy_module
from functrace.tracing.places import source_of, user_place

TIME = ArrayType((), DOUBLE)


def _scipy(name: str) -> Any:
    return scipy_module("integrate", f"functrace.scipy.integrate.{name}")


# Differential equations


class _State:
    """The state of a differential equation: a tree as a vector."""

    def __init__(self, y0: Any, asked: str) -> None:
        y0 = array_of(y0) if is_plain_list(y0) else y0
        leaves = tree.leaves(y0)
        if leaves and any(dtype_of(as_operand(leaf)).kind == "c" for leaf in leaves):
            self.flat, unravel = tree.ravel(tree.map(_as_complex, y0))
            self.flat = as_operand(self.flat)
            self.of = lambda x: tree.ravel(tree.map(_as_complex, x))[0]
            self.tree = unravel
            self.shapes = [np.shape(leaf) for leaf in leaves]
            self.structure = tree.structure(y0)
        else:
            vector = Vector(y0, asked)
            self.flat, self.tree, self.shapes = vector.flat, vector.tree, vector.shapes
            self.of = lambda x: vector.of(x, f"What the function under {asked} returned")
            self.structure = vector.structure
        self.count = shape_of(self.flat)[0]
        self.type = ArrayType((self.count,), dtype_of(self.flat))

    def derivative(self, x: Any, asked: str) -> Any:
        """What the user's function returned, as a vector."""
        if self.structure == tree.LEAF and not isinstance(x, dict):
            # Of one array SciPy takes whatever has as many numbers, as lists of them.
            x = array_of(x)
            if int(np.prod(np.shape(x), dtype=int)) == self.count:
                return cast_to(np.reshape(x, (-1,)), self.type.dtype)
            raise ArgumentError(
                f"The function under {asked} returned {np.shape(x)} numbers for a state of "
                f"{self.count}.",
                advice="Return the derivative of each number of the state.",
            )
        return self.of(x)

    def trees(self, ys: Any, axis: int) -> Any:
        """States by rows as a tree, in whose leaves the times are counted along an axis."""
        if self.structure == tree.LEAF and len(self.shapes[0]) <= 1:
            return ys if axis == 0 else ys.T
        leaves: list[Any] = []
        start = 0
        for shape in self.shapes:
            size = int(np.prod(shape, dtype=int))
            part = np.reshape(ys[:, start : start + size], (-1, *shape))
            start += size
            leaves.append(part if axis == 0 else np.moveaxis(part, 0, -1))
        return self.structure.unflatten(leaves)


def _as_complex(x: Any) -> Any:
    return cast_to(as_operand(x), np.dtype(np.complex128))


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    args: Any = (),
    *,
    full_output: bool = False,
    rtol: Any = None,
    atol: Any = None,
    tfirst: bool = False,
    **options: Any,
) -> Any:
    """Solve ``dy/dt = func(y, t, *args)`` by LSODA, as ``scipy.integrate.odeint``.

    Args:
        func: The derivative of the state, a tree like it; ``func(t, y, *args)`` under ``tfirst``.
        y0: The state at the first time: a vector, or a tree of real arrays and numbers.
        t: The times, a vector that rises or falls.
        args: More arguments, by which the solution can be differentiated.
        full_output: Whether to return what SciPy tells of its steps, too; not of traced values.
        rtol: The relative error that is allowed.
        atol: The absolute error that is allowed.
        tfirst: Whether ``func`` takes the time first.
        options: More arguments of SciPy's.

    Returns:
        A tree like ``y0``, with one more axis in front, for the times.

    Raises:
        ArgumentError: ``func`` returns another tree or other shapes.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.integrate import odeint
        >>> decay = lambda y, t, rate: -rate * y
        >>> last = lambda rate: odeint(decay, np.ones(1), np.array([0.0, 2.0]), (rate,))[-1, 0]
        >>> print(last(0.5).round(6), ft.grad(last)(0.5).round(6))
        0.367879 -0.735759
    """
    args = args if isinstance(args, tuple) else (args,)
    state = _State(y0, "odeint")
    ts = cast_to(as_operand(t), DOUBLE)

    def f(t: Any, flat: Any, *args: Any) -> Any:
        y = state.tree(flat)
        return state.derivative(func(*((t, y) if tfirst else (y, t)), *args), "odeint")

    function = Function(f, TIME, state.type, args=args)
    options = {"rtol": rtol, "atol": atol, **options}
    if not is_traced(state.flat, ts, function.captured):
        fast = function.compiled("value", _as_it_is, function.captured)
        found = _scipy("odeint").odeint(
            fast, state.flat, ts, tfirst=True, full_output=full_output, **options
        )
        if full_output:
            return state.trees(found[0], 0), *found[1:]
        return state.trees(found, 0)
    _require_recorded(function, full_output, "odeint")
    method = Hosted("odeint", options, state.count)
    ys = states(method, Dynamics(function.program), state.flat, ts, *function.captured)
    return state.trees(ys, 0)


def _as_it_is(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


def _require_recorded(function: Function, full_output: Any, asked: str) -> None:
    if not function.is_recorded:
        raise function.refusal
    if full_output:
        raise ArgumentError(
            f"{asked} was given full_output, and traced values: what SciPy tells is no array.",
            source_of(user_place(2)),
            "Leave full_output out.",
        )


def solve_ivp(
    fun: Callable[..., Any],
    t_span: Any,
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    **options: Any,
) -> Any:
    """Solve ``dy/dt = fun(t, y, *args)``, as ``scipy.integrate.solve_ivp``.

    Args:
        fun: The derivative of the state, a tree like it.
        t_span: The first and the last time.
        y0: The state at the first time: a vector, of complex numbers too, or a tree.
        method: "RK45", "RK23", "DOP853", "Radau", "BDF" or "LSODA".
        t_eval: The times to return; by default those of SciPy's steps, which count as fixed but
            for the first and the last. Needed where values are unknown, as under ``jit``.
        dense_output: Whether the result's ``sol`` gives the state at any times, traced ones too.
        events: A function ``event(t, y, *args)``, or several, whose zeros are found. They are
            differentiated as zeros; where values are unknown there are none.
        vectorized: Nothing is made of it.
        args: More arguments, by which the solution can be differentiated.
        options: More of SciPy's: ``rtol``, ``atol``, ``max_step``, ``first_step``, ``jac``, ...

    Returns:
        An ``OdeResult``: ``t``; ``y``, a tree like ``y0`` with one more axis at the end; ``sol``,
        ``t_events``, ``y_events``, and what else SciPy tells of. ``y`` is differentiable by
        ``y0``, the times, ``args`` and what ``fun`` closes over.

    Raises:
        ArgumentError: ``fun`` returns another tree or other shapes.
        UnknownValueError: Where values are unknown, there is no ``t_eval``, or there are events.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.integrate import solve_ivp
        >>> fall = lambda t, y: np.stack([y[1], -9.81 + 0 * t])
        >>> ground = lambda t, y: y[0]
        >>> def landing(height):
        ...     start = np.stack([height, 0.0])
        ...     return solve_ivp(fall, (0.0, 9.0), start, events=ground, rtol=1e-9).t_events[0][0]
        >>> print(landing(20.0).round(4), ft.grad(landing)(20.0).round(4))
        2.0193 0.0505
    """
    args = () if args is None else args if isinstance(args, tuple) else tuple(args)
    state = _State(y0, "solve_ivp")
    begin, end = (cast_to(as_operand(x), DOUBLE) for x in t_span)
    wanted = None if t_eval is None else cast_to(as_operand(t_eval), DOUBLE)

    def f(t: Any, flat: Any, *args: Any) -> Any:
        return state.derivative(fun(t, state.tree(flat), *args), "solve_ivp")

    function = Function(f, TIME, state.type, args=args)
    given = [events] if callable(events) else list(events or ())
    watched = [
        Function(
            lambda t, flat, event=event: scalar(
                event(t, state.tree(flat), *args), "An event of solve_ivp"
            ),
            TIME,
            state.type,
        )
        for event in given
    ]
    traced = [f.captured for f in (function, *watched)]
    plain = [state.flat, begin, end, wanted]
    problem = _Problem(state, method, options, function)
    if is_unknown(plain, traced):
        if wanted is None or given:
            raise UnknownValueError(
                "solve_ivp was given values that are unknown, as under jit: how many "
                f"{'events there are' if given else 'steps it takes'} depends on them.",
                source_of(user_place(2)),
                "Leave events out." if given else "Give the times to return as t_eval.",
            )
        times = np.concatenate([begin[None], wanted, end[None]])
        ys = problem.states(times)[1:-1]
        result = {"t": wanted, "y": state.trees(ys, 1), "sol": None, "t_events": None}
        if dense_output:
            result["sol"] = Dense(problem, (begin, end), None)
        return _result(result)
    values, structure = tree.flatten((plain, traced))
    known, captured = structure.unflatten([known_value(x) for x in values])
    watch = []
    for event, of, inside in zip(given, watched, captured[1:], strict=True):
        fast = of.compiled("value", _as_it_is, inside)
        plain_event = lambda t, y, fast=fast: fast(np.float64(t), y)  # noqa: E731
        for name in ("terminal", "direction"):
            if hasattr(event, name):
                setattr(plain_event, name, getattr(event, name))
        watch.append(plain_event)
    fast = function.compiled("value", _as_it_is, captured[0])
    found = _scipy("solve_ivp").solve_ivp(
        lambda t, y: fast(np.float64(t), y),
        (float(known[1]), float(known[2])),
        known[0],
        method,
        known[3],
        dense_output,
        (watch[0] if callable(events) else watch) if given else None,
        **problem.of_user(args),
    )
    if not is_traced(values):
        found.y = state.trees(found.y.T, 1)
        if dense_output:
            found.sol = Dense(problem, (begin, end), found.sol)
        return found
    _require_recorded(function, False, "solve_ivp")
    t_events, y_events = None, None
    if given:
        t_events, y_events = problem.located(found.t_events, watched, begin)
    if wanted is None:
        last = end
        if found.status == 1 and t_events is not None:
            stops = [ts[-1] for ts in t_events if len(ts)]
            last = next(t for t in stops if known_value(t) == found.t[-1])
        times = np.concatenate([begin[None], found.t[1:-1], last[None]])
    else:
        times = wanted[: len(found.t)]
    # SciPy's own end, so that it takes the steps it took.
    stop = [] if found.status == 1 else [end[None]]
    ys = problem.states(np.concatenate([begin[None], times, *stop]))[1 : len(found.t) + 1]
    result = dict(found)
    result.update(t=times, y=state.trees(ys, 1), t_events=t_events, y_events=y_events)
    if dense_output:
        result["sol"] = Dense(problem, (begin, times[-1] if found.status == 1 else end), found.sol)
    return _result(result)


def _result(fields: dict[str, Any]) -> Any:
    """SciPy's class for results, which is that of its minimizers."""
    return scipy_module("optimize", "functrace.scipy.integrate.solve_ivp").OptimizeResult(fields)


class _Problem:
    """An initial value problem that solve_ivp was given."""

    def __init__(
        self, state: _State, method: Any, options: dict[str, Any], function: Function
    ) -> None:
        self.state = state
        self.user = dict(options)
        self.function = function
        kept = {name: x for name, x in options.items() if name not in ("jac", "jac_sparsity")}
        self.method = Hosted(method, kept, state.count)

    def of_user(self, args: Sequence[Any]) -> dict[str, Any]:
        """The options for SciPy."""
        jac = self.user.get("jac")
        if not callable(jac):
            return self.user
        return {**self.user, "jac": lambda t, y: jac(t, y, *args)}

    def states(self, ts: Any) -> Any:
        """The states at times that rise or fall, by rows."""
        if not self.function.is_recorded:
            raise self.function.refusal
        f = Dynamics(self.function.program)
        return states(self.method, f, self.state.flat, ts, *self.function.captured)

    def located(self, found: Any, watched: Sequence[Function], begin: Any) -> tuple[Any, Any]:
        """The times and states of events, as zeros."""

        def located(event: Function, t: Any) -> Any:
            return custom_root(
                lambda t: event(t, self.states(np.stack([begin, t]))[1]),
                np.float64(t),
                lambda _, t: t,
                elementwise,
            )

        times = [
            np.stack([located(event, t) for t in ts]) if len(ts) else np.zeros(0)
            for event, ts in zip(watched, found, strict=True)
        ]
        ys = [
            self.states(np.concatenate([begin[None], ts]))[1:]
            if len(known)
            else np.zeros((0, self.state.count))
            for ts, known in zip(times, found, strict=True)
        ]
        return times, [
            self.state.trees(y, 0) if len(k) else y for y, k in zip(ys, found, strict=True)
        ]


class Dense:
    """The solution at any times, as SciPy's ``OdeSolution``; at traced ones, too.

    Attributes:
        t_min: The least time of the interval.
        t_max: The largest one.
    """

    def __init__(self, problem: _Problem, span: tuple[Any, Any], found: Any) -> None:
        """Keep the problem, its first and last time, and SciPy's solution if there is one."""
        self.problem = problem
        self.span = span
        self.found = found

    def __getattr__(self, name: str) -> Any:
        found = vars(self).get("found")
        if found is None or name.startswith("__"):
            raise AttributeError(name)
        return getattr(found, name)

    def __call__(self, t: Any) -> Any:
        """The state.

        Args:
            t: A number, or a vector of times.

        Returns:
            A tree like the first state, with one more axis at the end for a vector. Outside of
            the interval the equation is solved further, or nan before its beginning.
        """
        problem, (begin, end) = self.problem, self.span
        captured = problem.function.captured
        if not is_traced(t, begin, end, problem.state.flat, captured):
            ys = self.found(t)
            if np.ndim(t) == 0:
                return problem.state.tree(ys)
            return problem.state.trees(ys.T, 1)
        ts = np.reshape(cast_to(as_operand(t), DOUBLE), (-1,))
        sign = np.where(stop_gradient(end < begin), -1.0, 1.0)
        is_before = stop_gradient(sign * (ts - begin) < 0)
        inside = np.where(is_before, begin, ts)
        whole = np.concatenate([begin[None], inside, end[None]])
        order = np.argsort(stop_gradient(sign * whole), stable=True)
        places = np.argsort(order, stable=True)
        ys = np.take(problem.states(np.take(whole, order)), places, axis=0)[1:-1]
        ys = np.where(is_before[:, None], np.nan, ys)
        if np.ndim(t) == 0:
            return problem.state.tree(ys[0])
        return problem.state.trees(ys, 1)


# Integrals of functions


class Quad:
    """SciPy's ``quad``, as a method of `functrace.solvers.quadrature`."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Keep the options."""
        self.options = options

    def integrate(self, f: Integrand, low: Any, high: Any, constants: Sequence[Any]) -> Any:
        """Call it on values."""

        def host(low: Any, high: Any, *constants: Any) -> list[Any]:
            fast = f.compiled()
            found = _scipy("quad").quad(
                lambda x: fast(np.float64(x), *constants), low, high, **self.options
            )
            return [found[0]]

        return on_values(host, [TIME], [low, high, *constants])[0]


def quad(
    func: Callable[..., Any],
    a: Any,
    b: Any,
    args: Any = (),
    full_output: int = 0,
    *,
    points: Any = None,
    weight: Any = None,
    complex_func: bool = False,
    **options: Any,
) -> Any:
    """The integral of a function of one number, as ``scipy.integrate.quad``.

    Args:
        func: ``func(x, *args)`` returns a real number, or a complex one under ``complex_func``.
        a: The lower limit; it may be infinite.
        b: The upper limit.
        args: More arguments, by which the integral can be differentiated.
        full_output: Whether to return what SciPy tells of the integration; not of traced values.
        points: Where the function is not smooth, as SciPy has it; of plain values.
        weight: As SciPy's; not of traced values.
        complex_func: Whether the function is complex.
        options: ``epsabs``, ``epsrel``, ``limit`` and others of SciPy's.

    Returns:
        The integral, which is differentiable by the limits, ``args`` and what ``func`` closes
        over, and an estimate of its error.

    Raises:
        MissingRuleError: A weight was given, and a value is traced.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.integrate import quad
        >>> area = lambda b, s: quad(lambda x: np.exp(-s * x**2), 0.0, b)[0]
        >>> slopes = ft.grad(area, argnums=(0, 1))(1.0, 2.0)
        >>> print(*(slope.round(6) for slope in slopes))
        0.135335 -0.115702
    """
    args = args if isinstance(args, tuple) else (args,)
    if complex_func:
        parts = [
            quad(lambda x, part=part: part(func(x, *args)), a, b, points=points, **options)
            for part in (np.real, np.imag)
        ]
        (real, first), (imaginary, second) = parts
        return real + 1j * imaginary, first + 1j * second
    function = Function(lambda x: scalar(func(x, *args), "The function under quad"), TIME)
    low, high = (cast_to(as_operand(x), DOUBLE) for x in (a, b))
    given = {**options, "points": points, "weight": weight}
    given = {name: value for name, value in given.items() if value is not None}
    if not is_traced(low, high, function.captured, given):
        fast = function.compiled("value", _as_it_is, function.captured)
        return _scipy("quad").quad(
            lambda x: fast(np.float64(x)), low, high, full_output=full_output, **given
        )
    _require_recorded(function, full_output, "quad")
    if weight is not None or is_traced(points):
        raise MissingRuleError(
            f"quad has no derivative with {'a weight' if weight is not None else 'traced points'}.",
            advice="Write the weight as a part of the function."
            if weight is not None
            else "Add the integrals from point to point.",
        )
    value = integral(Quad(given), Integrand(function.program), low, high, *function.captured)
    return value, _error_of_quad(given, function, low, high)


def _error_of_quad(given: dict[str, Any], function: Function, low: Any, high: Any) -> Any:
    """SciPy's estimate of the error."""

    def host(low: Any, high: Any, *captured: Any) -> list[Any]:
        fast = function.compiled("value", _as_it_is, captured)
        return [_scipy("quad").quad(lambda x: fast(np.float64(x)), low, high, **given)[1]]

    inputs = [stop_gradient(x) for x in (low, high, *function.captured)]
    return on_values(host, [TIME], inputs)[0]


def fixed_quad(
    func: Callable[..., Any], a: Any, b: Any, args: Any = (), n: int = 5
) -> tuple[Any, None]:
    """The integral by Gauss' rule of an order, as ``scipy.integrate.fixed_quad``.

    Args:
        func: ``func(x, *args)`` of a vector ``x``; the points are the last axis of the result.
        a: The lower limit, finite.
        b: The upper limit.
        args: More arguments.
        n: How many points there are.

    Returns:
        The integral, and None.

    Example:
        >>> from functrace.scipy import integrate
        >>> print(integrate.fixed_quad(lambda x: x**3, 0.0, 2.0, n=2)[0].round(3))
        4.0
    """
    points, weights = np.polynomial.legendre.leggauss(n)
    args = args if isinstance(args, tuple) else (args,)
    limits = known_value(as_operand(a)), known_value(as_operand(b))
    if any(not is_traced(x) and np.any(np.isinf(x)) for x in limits):
        raise ValueError("Gaussian quadrature is only available for finite limits.")
    x = (b - a) * (points + 1) / 2.0 + a
    return (b - a) / 2.0 * np.sum(weights * func(x, *args), axis=-1), None


# Integrals of samples


def _steps(y: Any, x: Any, dx: Any, axis: int) -> Any:
    """How far samples along an axis are apart, with that axis, or a number."""
    if x is None:
        return dx
    x = as_operand(x)
    if np.ndim(x) == 1:
        steps = np.reshape(np.diff(x), (-1,) + (1,) * (np.ndim(y) - 1 - axis))
    elif np.ndim(x) != np.ndim(y):
        raise ValueError("If given, shape of x must be 1-D or the same as y.")
    else:
        steps = np.diff(x, axis=axis)
    if shape_of(x)[0 if np.ndim(x) == 1 else axis] != shape_of(y)[axis]:
        raise ValueError("If given, length of x along axis must be the same as y.")
    return steps


def _part(x: Any, axis: int, *slice_of: int | None) -> Any:
    return x[(*(slice(None),) * axis, slice(*slice_of))]


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of samples by trapezoids, as ``scipy.integrate.trapezoid``.

    Example:
        >>> from functrace.scipy import integrate
        >>> print(integrate.trapezoid([1.0, 2.0, 3.0]))
        4.0
    """
    return np.trapezoid(as_operand(y), x, dx, axis)


def cumulative_trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """The integrals of samples up to each, as ``scipy.integrate.cumulative_trapezoid``.

    Args:
        y: The samples.
        x: Where they are, a vector or an array like ``y``; by default at equal distances ``dx``.
        dx: The distance.
        axis: The axis of the samples.
        initial: 0 to begin with the integral up to the first sample.

    Returns:
        An array like ``y``, without the first sample if ``initial`` is None.

    Example:
        >>> from functrace.scipy import integrate
        >>> integrate.cumulative_trapezoid([1.0, 2.0, 3.0])
        array([1.5, 4. ])
    """
    y = as_operand(y)
    axis = normalize_axis_index(axis, np.ndim(y))
    if not shape_of(y)[axis]:
        raise ValueError("At least one point is required along `axis`.")
    steps = _steps(y, x, dx, axis)
    found = np.cumsum(steps * (_part(y, axis, 1, None) + _part(y, axis, None, -1)) / 2.0, axis)
    if initial is None:
        return found
    if np.ndim(initial) or initial != 0:
        raise ValueError("`initial` must be `None` or `0`.")
    first = np.zeros_like(found, shape=(*shape_of(y)[:axis], 1, *shape_of(y)[axis + 1 :]))
    return np.concatenate([first, found], axis)


def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of samples by Simpson's rule, as ``scipy.integrate.simpson``.

    Of an even number of samples the last interval is corrected as by K. V. Cartwright, Simpson's
    rule cumulative integration with MS Excel and irregularly-spaced data (J. Math. Sci. Math. Educ.
    12, 2017).

    Args:
        y: The samples.
        x: Where they are, a vector or an array like ``y``; by default at equal distances ``dx``.
        dx: The distance.
        axis: The axis of the samples.

    Returns:
        An array like ``y`` without the axis.

    Example:
        >>> from functrace.scipy import integrate
        >>> print(integrate.simpson([0.0, 1.0, 4.0]).round(3))
        2.667
    """
    y = as_operand(y)
    axis = normalize_axis_index(axis, np.ndim(y))
    count = shape_of(y)[axis]
    steps = _steps(y, x, dx, axis)
    if x is not None:
        steps = np.broadcast_to(steps, (*shape_of(y)[:axis], count - 1, *shape_of(y)[axis + 1 :]))

    def at(number: int, values: Any = y) -> Any:
        return values[(*(slice(None),) * axis, number)]

    def step(number: int) -> Any:
        return steps if x is None else at(number, steps)

    if count == 2:
        return 0.5 * step(-1) * (at(-1) + at(-2))
    odd = count if count % 2 else count - 1
    first, middle, last = (_part(y, axis, n, odd - 2 + n, 2) for n in range(3))
    if x is None:
        total = np.sum(first + 4.0 * middle + last, axis) * (dx / 3.0)
    else:
        before, after = (_part(steps, axis, n, odd - 1, 2) for n in range(2))
        both, ratio = before + after, before / after
        sums = first * (2.0 - 1.0 / ratio) + middle * (both * both / (before * after))
        total = np.sum(both / 6.0 * (sums + last * (2.0 - ratio)), axis)
    if count % 2:
        return total
    h0, h1 = (np.float64(1.0) * step(number) for number in (-2, -1))
    alpha = (2 * h1**2 + 3 * h0 * h1) / (6 * (h1 + h0))
    beta = (h1**2 + 3 * h0 * h1) / (6 * h0)
    eta = h1**3 / (6 * h0 * (h0 + h1))
    return total + alpha * at(-1) + beta * at(-2) - eta * at(-3)


def cumulative_simpson(
    y: Any, *, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """The integrals of samples up to each, as ``scipy.integrate.cumulative_simpson``.

    Args:
        y: The samples.
        x: Where they are, a vector or an array like ``y``; by default at equal distances ``dx``.
        dx: The distance.
        axis: The axis of the samples.
        initial: What to begin with, and to add to each integral.

    Returns:
        An array like ``y``, without the first sample if ``initial`` is None.

    Example:
        >>> from functrace.scipy import integrate
        >>> integrate.cumulative_simpson([0.0, 1.0, 4.0]).round(3)
        array([0.333, 2.667])
    """
    y = as_operand(y)
    axis = normalize_axis_index(axis, np.ndim(y))
    count = shape_of(y)[axis]
    if count < 3:
        found = cumulative_trapezoid(y, x, dx, axis)
    else:
        shape = (*shape_of(y)[:axis], count - 1, *shape_of(y)[axis + 1 :])
        steps = np.broadcast_to(_steps(y, x, dx, axis), shape)
        known = known_value(steps)
        if x is not None and not is_traced(known) and np.any(known <= 0):
            raise ValueError("Input x must be strictly increasing.")
        forward = _parabolas(y, steps, axis)
        backward = np.flip(_parabolas(np.flip(y, axis), np.flip(steps, axis), axis), axis)
        # The first interval of each parabola, its second one, and the last interval of all.
        pairs = np.arange(count - 1) % 2 == 0
        pairs[-1] = False
        column = np.reshape(pairs, (-1,) + (1,) * (np.ndim(y) - 1 - axis))
        nothing = _part(forward, axis, None, 1)
        ahead = np.concatenate([forward, nothing], axis)
        behind = np.concatenate([nothing, backward], axis)
        found = np.cumsum(np.where(column, ahead, behind), axis)
    if initial is None:
        return found
    first = np.broadcast_to(as_operand(initial), (*shape_of(y)[:axis], 1, *shape_of(y)[axis + 1 :]))
    return np.concatenate([first, found + initial], axis)


def _parabolas(y: Any, steps: Any, axis: int) -> Any:
    """The integrals over the first intervals of parabolas through three samples each."""
    first, middle, last = (_part(y, axis, n, shape_of(y)[axis] - 2 + n) for n in range(3))
    before, after = _part(steps, axis, None, -1), _part(steps, axis, 1, None)
    share, ratio = before / (before + after), before / after
    product = share * ratio
    return before / 6 * ((3 - share) * first + (3 + product + share) * middle - product * last)


def romb(y: Any, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of samples by Romberg's rule, as ``scipy.integrate.romb``.

    Args:
        y: The samples, one more than a power of two, at equal distances.
        dx: The distance.
        axis: The axis of the samples.

    Returns:
        An array like ``y`` without the axis.

    Example:
        >>> from functrace.scipy import integrate
        >>> print(integrate.romb([0.0, 1.0, 4.0]).round(3))
        2.667
    """
    y = as_operand(y)
    axis = normalize_axis_index(axis, np.ndim(y))
    intervals = shape_of(y)[axis] - 1
    if intervals < 1 or intervals & (intervals - 1):
        raise ValueError("Number of samples must be one plus a non-negative power of 2.")

    def at(*slice_of: int) -> Any:
        return np.sum(_part(y, axis, *slice_of), axis)

    width = np.float64(intervals) * dx
    row = [width * (at(0, 1) + at(intervals, intervals + 1)) / 2.0]
    step = intervals
    while step > 1:
        half = step // 2
        previous, row = row, [0.5 * (row[0] + width * at(half, intervals, step))]
        for number, x in enumerate(previous):
            row.append(row[-1] + (row[-1] - x) / (4 ** (number + 1) - 1))
        step, width = half, width / 2.0
    return row[-1]


globals().update(entrances(globals()))
__getattr__ = names_of_scipy("integrate")
