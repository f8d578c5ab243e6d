"""Explicit Runge-Kutta methods with steps of their own choice, written in functrace.

They choose steps as SciPy's ``solve_ivp`` does, so that both take the same ones. A Program of
them is compiled with the user's function in it, and maps many examples at once.

Sources: Dormand and Prince, A family of embedded Runge-Kutta formulae (J. Comput. Appl. Math. 6,
1980); Shampine, Some practical Runge-Kutta formulas (Math. Comput. 46, 1986), the interpolant;
Bogacki and Shampine, A 3(2) pair of Runge-Kutta formulas (Appl. Math. Lett. 2, 1989); Hairer,
Norsett and Wanner, Solving Ordinary Differential Equations I (2nd ed., Springer 1993), II.4, the
control of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.compiling import compiled
from functrace.control.choices import cond
from functrace.control.loops import scan, while_loop
from functrace.ir.types import type_of
from functrace.primitives.linear import dtype_of, shape_of
from functrace.solvers.functions import is_traced, recorded
from functrace.solvers.initial_values import Dynamics, pull_by_intervals
from functrace.transforms.evaluate import run_program

SAFETY, LEAST, LARGEST = 0.9, 0.2, 10.0
"""Of the factor by which the next step is longer: a margin, and its limits."""


SHORTEST = 2e-15
"""Of a time, how short a step from there may be: ten times what doubles tell apart."""


class Tableau(NamedTuple):
    """The coefficients of a method whose last stage is the first one of the next step.

    Attributes:
        nodes: Where in the step each stage stands, from the second on.
        stages: What each of them adds up of all stages, by rows.
        weights: What the step adds up.
        errors: What the estimate of the error adds up.
        interpolant: The interpolant's powers, from the first on, of each stage, by rows.
        order: The order of the estimate.
    """

    nodes: Any
    stages: Any
    weights: Any
    errors: Any
    interpolant: Any
    order: int


def _rows(*rows: list[float]) -> Any:
    """Rows of one length, filled up with zeros."""
    width = len(rows[-1]) + 1
    return np.array([[*row, *[0.0] * (width - len(row))] for row in rows])


_RK45_STAGES = _rows(
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
)

RK45 = Tableau(
    np.array([1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1]),
    _RK45_STAGES,
    _RK45_STAGES[-1],
    np.array([-71 / 57600, 0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40]),
    np.array(
        [
            [1, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432],
            [0, 0, 0, 0],
            [0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799],
            [0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072],
            [0, 127303824393 / 49829197408, -318862633887 / 49829197408, 3.5219323679207912],
            [0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844],
            [0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423],
        ]
    ),
    4,
)

_RK23_STAGES = _rows([1 / 2], [0, 3 / 4], [2 / 9, 1 / 3, 4 / 9])

RK23 = Tableau(
    np.array([1 / 2, 3 / 4, 1]),
    _RK23_STAGES,
    _RK23_STAGES[-1],
    np.array([5 / 72, -1 / 12, -1 / 9, 1 / 8]),
    np.array([[1, -4 / 3, 5 / 9], [0, 1, -2 / 3], [0, 4 / 3, -8 / 9], [0, -1, 1]]),
    2,
)


class Tolerances(NamedTuple):
    """How a method chooses its steps.

    Attributes:
        rtol: The error of a step that is allowed, relative to the state.
        atol: The same, absolute: a number, or one for each number of the state.
        longest: The longest step.
        first: The first step; None to choose it.
        most: How many steps there may be between two times, or None.
    """

    rtol: Any = 1e-3
    atol: Any = 1e-6
    longest: float = np.inf
    first: float | None = None
    most: int | None = None


class _Vectors:
    """How a method computes with states: as vectors."""

    def apart(self, y: Any) -> Any:
        """A state as it is kept."""
        return y

    def together(self, y: Any) -> Any:
        """A state as the vector that the user's function takes."""
        return y

    def none(self, y: Any, count: int) -> Any:
        """So many stages, before any has been computed."""
        return np.zeros_like(y, shape=(count, *shape_of(y)))

    def with_stage(self, stages: Any, number: int, slope: Any) -> Any:
        """Stages with one more."""
        stages[number] = slope
        return stages

    def begun(self, stages: Any, slope: Any) -> Any:
        """Stages of a new step."""
        stages = np.zeros_like(stages)
        stages[0] = slope
        return stages

    def sum(self, weights: Any, stages: Any, factor: Any) -> Any:
        """What the stages add up to."""
        return (weights @ stages) * _like(factor, stages)

    def moved(self, y: Any, change: Any) -> Any:
        """A state further."""
        return y + change

    def norm(self, x: Any, scale: Any) -> Any:
        """The root of the mean square, of numbers that are divided by their scales."""
        scaled = x / scale
        if dtype_of(scaled).kind == "c":
            scaled = np.abs(scaled)
        return np.sqrt(scaled @ scaled) / shape_of(x)[0] ** 0.5

    def scale(self, sizes: Sequence[Any], tolerances: Tolerances) -> Any:
        """The error that is allowed, beside states of these sizes."""
        largest = np.abs(sizes[0])
        for y in sizes[1:]:
            largest = np.maximum(largest, np.abs(y))
        return tolerances.atol + largest * tolerances.rtol


class _Numbers(_Vectors):
    """The same one by one, for a few numbers: NumPy takes as long for two as for a hundred."""

    def apart(self, y: Any) -> Any:
        return tuple(np.unstack(y))

    def together(self, y: Any) -> Any:
        return np.stack(y)

    def none(self, y: Any, count: int) -> Any:
        return (tuple(0 * x for x in y),) * count

    def with_stage(self, stages: Any, number: int, slope: Any) -> Any:
        return (*stages[:number], slope, *stages[number + 1 :])

    def begun(self, stages: Any, slope: Any) -> Any:
        return (slope, *stages[1:])

    def sum(self, weights: Any, stages: Any, factor: Any) -> Any:
        terms = [(float(w), stage) for w, stage in zip(weights, stages, strict=True) if w]
        total = [terms[0][0] * x for x in terms[0][1]]
        for weight, stage in terms[1:]:
            total = [sum + weight * x for sum, x in zip(total, stage, strict=True)]
        return tuple(sum * factor for sum in total)

    def moved(self, y: Any, change: Any) -> Any:
        return tuple(x + part for x, part in zip(y, change, strict=True))

    def norm(self, x: Any, scale: Any) -> Any:
        total = 0.0
        for part, size in zip(x, scale, strict=True):
            scaled = part / size
            total = total + scaled * scaled
        return np.sqrt(total) / len(x) ** 0.5

    def scale(self, sizes: Sequence[Any], tolerances: Tolerances) -> Any:
        each = np.broadcast_to(tolerances.atol, (len(sizes[0]),))
        found: list[Any] = []
        for n, atol in enumerate(each):
            largest = np.abs(sizes[0][n])
            for y in sizes[1:]:
                largest = np.maximum(largest, np.abs(y[n]))
            found.append(atol + largest * tolerances.rtol)
        return tuple(found)


FEW = 12
"""So many numbers are computed with one by one."""


class _State(NamedTuple):
    """Where a method stands.

    Attributes:
        t: The time.
        y: The state.
        slope: Its derivative.
        length: How long the next step is to be; nan where there is none.
        is_after_failure: Whether a step from here was too long.
        before: The time before the last step.
        start: The state there.
        stages: The stages of that step.
        count: How many steps there were since the last time that was asked for.
    """

    t: Any
    y: Any
    slope: Any
    length: Any
    is_after_failure: Any
    before: Any
    start: Any
    stages: Any
    count: Any


def solve(
    f: Callable[[Any, Any], Any], y0: Any, ts: Any, method: Tableau, tolerances: Tolerances
) -> Any:
    """The solution of ``dy/dt = f(t, y)`` at some times.

    Args:
        f: The derivative, of a number and a vector.
        y0: The state at the first time, a vector.
        ts: The times, which rise or fall.
        method: Its coefficients.
        tolerances: How it chooses steps.

    Returns:
        The states, by rows; nan from where the steps became too short, or too many.
    """
    count = shape_of(ts)[0]
    if count < 2 or not shape_of(y0)[0]:
        return np.broadcast_to(y0, (count, *shape_of(y0)))
    is_few = shape_of(y0)[0] <= FEW and dtype_of(y0) == np.float64
    by = _Numbers() if is_few else _Vectors()
    steps = _Steps(f, method, tolerances, by, ts[0], ts[-1], np.finfo(dtype_of(y0)).dtype)
    begun = steps.begin(by.apart(y0))
    if count == 2:
        last = steps.until(begun, ts[-1])
        return np.stack([y0, steps.reached(last, ts[-1], by.together(last.y))])

    def at(state: Any, target: Any) -> tuple[Any, Any]:
        state = steps.until(_State(*state), target)
        y = by.together(steps.between(state, target))
        return tuple(state), steps.reached(state, target, y)

    _, found = scan(at, tuple(begun), ts[1:])
    return np.concatenate([y0[None], found])


class _Steps:
    """The steps of one solution."""

    def __init__(
        self,
        f: Callable[[Any, Any], Any],
        method: Tableau,
        tolerances: Tolerances,
        by: _Vectors,
        begin: Any,
        end: Any,
        dtype: np.dtype[Any],
    ) -> None:
        self.user = f
        self.method = method
        self.tolerances = tolerances
        self.by = by
        self.start, self.end = begin, end
        self.sign = np.where(end < begin, -1.0, 1.0)
        if dtype != np.float64:
            names = ("stages", "weights", "errors")
            narrow = {name: getattr(method, name).astype(dtype) for name in names}
            self.method = method._replace(**narrow)

    def f(self, t: Any, y: Any) -> Any:
        """The user's function of states as they are kept."""
        return self.by.apart(self.user(t, self.by.together(y)))

    def begin(self, y: Any) -> _State:
        """The state at the first time."""
        t, slope = self.start, self.f(self.start, y)
        stages = self.by.none(y, len(self.method.errors))
        first = self.first_step(t, y, slope)
        return _State(t, y, slope, first, np.bool_(False), t, y, stages, np.int64(0))

    def until(self, state: _State, target: Any) -> _State:
        """Steps, until one reaches a time."""
        most = self.tolerances.most

        def is_before(state: Any) -> Any:
            state = _State(*state)
            goes_on = np.logical_and(self.sign * (target - state.t) > 0, state.length > 0)
            return goes_on if most is None else np.logical_and(goes_on, state.count < most)

        state = state._replace(count=np.int64(0))
        return _State(*while_loop(is_before, lambda s: tuple(self.step(_State(*s))), tuple(state)))

    def reached(self, state: _State, target: Any, y: Any) -> Any:
        """A vector, if the steps got to a time."""
        return np.where(self.sign * (target - state.t) > 0, np.nan, y)

    def between(self, state: _State, t: Any) -> Any:
        """The state within the last step."""
        length = state.t - state.before
        x = (t - state.before) / np.where(length == 0, 1.0, length)
        powers = np.cumprod(np.broadcast_to(x, shape_of(self.method.interpolant)[1:]))
        weights = (self.method.interpolant @ powers).astype(self.method.errors.dtype)
        if isinstance(self.by, _Numbers):
            stages = np.stack([np.stack(stage) for stage in state.stages])
            return self.by.moved(state.start, tuple(np.unstack((weights @ stages) * length)))
        return self.by.moved(state.start, self.by.sum(weights, state.stages, length))

    def step(self, state: _State) -> _State:
        """Try one step: further, or where it was too long, with a shorter one to try."""
        by, method, sign = self.by, self.method, self.sign
        t, y = state.t, state.y
        least = SHORTEST * np.abs(t)
        length = np.maximum(state.length, least)
        if self.tolerances.longest != np.inf:
            length = np.minimum(length, self.tolerances.longest)
        after = t + length * sign
        after = np.where(sign * (after - self.end) > 0, self.end, after)
        h = after - t
        length = np.abs(h)
        stages = by.begun(state.stages, state.slope)
        for number, node in enumerate(method.nodes[:-1]):
            point = by.moved(y, by.sum(method.stages[number], stages, h))
            stages = by.with_stage(stages, number + 1, self.f(t + float(node) * h, point))
        moved = by.moved(y, by.sum(method.weights, stages, h))
        slope = self.f(after, moved)
        stages = by.with_stage(stages, len(method.nodes), slope)
        scale = by.scale([y, moved], self.tolerances)
        error = by.norm(by.sum(method.errors, stages, h), scale)
        factor = SAFETY * np.maximum(error, 1e-10) ** (-1.0 / (method.order + 1))
        count = state.count + 1

        def go_on() -> _State:
            longer = length * np.minimum(factor, np.where(state.is_after_failure, 1.0, LARGEST))
            return _State(after, moved, slope, longer, np.bool_(False), t, y, stages, count)

        def try_again() -> _State:
            shorter = length * np.maximum(LEAST, factor)
            # nan, if no step is short enough, or its error cannot be compared.
            shorter = np.where(length <= least, np.nan, shorter)
            return state._replace(length=shorter, is_after_failure=np.bool_(True), count=count)

        return _State(*cond(error < 1, lambda: tuple(go_on()), lambda: tuple(try_again())))

    def first_step(self, t: Any, y: Any, slope: Any) -> Any:
        """How long the first step is to be, by Hairer's rule."""
        by, tolerances = self.by, self.tolerances
        longest = np.minimum(np.abs(self.end - t), tolerances.longest)
        if tolerances.first is not None:
            return np.minimum(np.float64(tolerances.first), longest)
        scale = by.scale([y], tolerances)
        size, speed = by.norm(y, scale), by.norm(slope, scale)
        is_small = np.logical_or(size < 1e-5, speed < 1e-5)
        first = np.where(is_small, 1e-6, 0.01 * size / np.where(is_small, 1.0, speed))
        first = np.minimum(first, longest)
        moved = self.f(t + first * self.sign, by.moved(y, self.once(slope, first * self.sign)))
        bend = by.norm(by.moved(moved, self.once(slope, -1.0)), scale)
        bend = bend / np.where(first == 0, 1.0, first)
        largest = np.maximum(speed, bend)
        is_still = largest <= 1e-15
        power = 1.0 / (self.method.order + 1)
        second = np.where(
            is_still,
            np.maximum(1e-6, first * 1e-3),
            (0.01 / np.where(is_still, 1.0, largest)) ** power,
        )
        return np.minimum(np.minimum(100 * first, second), longest)

    def once(self, slope: Any, factor: Any) -> Any:
        """A slope times a number."""
        if isinstance(self.by, _Numbers):
            return tuple(x * factor for x in slope)
        return slope * _like(factor, slope)


def _like(x: Any, y: Any) -> Any:
    """A number that does not widen a vector of less precision."""
    dtype = np.finfo(dtype_of(y)).dtype
    return x if dtype == np.float64 or type(x) is float else x.astype(dtype)


class Method:
    """An explicit method, as one of `functrace.solvers.initial_values`."""

    def __init__(self, tableau: Tableau, tolerances: Tolerances, count: int) -> None:
        """Keep its coefficients, and tolerances for states of so many numbers."""
        self.tableau = tableau
        self.tolerances = tolerances
        self.count = count

    def solve(self, f: Dynamics, y0: Any, ts: Any, constants: Sequence[Any]) -> Any:
        """The states at some times."""
        tolerances = self.tolerances
        atol, size = tolerances.atol, shape_of(y0)[0]
        if np.ndim(atol) and size > self.count:
            atol = np.append(atol, np.full(size - self.count, np.min(atol)))
            tolerances = tolerances._replace(atol=atol)

        def solution(y0: Any, ts: Any, *constants: Any) -> Any:
            return solve(lambda t, y: f(t, y, *constants), y0, ts, self.tableau, tolerances)

        inputs = (y0, ts, *constants)
        if np.ndim(atol):
            return solution(*inputs)
        # Recorded once, so that what is derived and compiled of it is found again.
        types = [type_of(x) for x in inputs]
        key = ("solution", self.tableau.order, tolerances, tuple(types))
        program = f.program.derive(key, lambda: recorded(solution, *types))
        if is_traced(inputs):
            return run_program(program, inputs)[0]
        return compiled(program).run(*inputs)[0]

    def pull(self, f: Dynamics, y0: Any, ts: Any, ys: Any, g: Any, constants: Sequence[Any]) -> Any:
        """The cotangents of the first state and of the constants."""
        return pull_by_intervals(self, f, y0, ts, ys, g, constants)
