"""Searches along a line for the size of a step, and L-BFGS, whose steps want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from functrace.control.choices import cond
from functrace.control.loops import scan, while_loop
from functrace.errors import ArgumentError
from functrace.factories import says_how_made
from functrace.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    needed,
    no_steps,
    safe_increment,
)
from functrace.optim.tree import add_scale, get, norm, scale, sub, where, zeros_like
from functrace.primitives.linear import cast_to, dtype_of
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.transforms.reverse import value_and_grad
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import leaves


def _real_dtype(params: Any) -> np.dtype[Any]:
    """That of sizes and values: of the first leaf, or of its real part."""
    first = next((dtype_of(as_operand(x)) for x in leaves(params)), np.dtype(np.float64))
    return np.finfo(first).dtype if first.kind in "fc" else np.dtype(np.float64)


def _slope(gradient: Any, direction: Any) -> Any:
    """The derivative along a direction; gradients of complex numbers are conjugate, as in JAX."""
    products = map_leaves(lambda g, u: np.real(np.vdot(np.conj(g), u)), gradient, direction)
    return sum(leaves(products), start=0.0)


def _error(x: Any) -> Any:
    """By how much a condition ``x <= 0`` is missed; nan misses it by infinity."""
    return np.where(np.isnan(x), np.inf, np.maximum(x, 0))[()]


# Armijo's condition alone


class BacktrackingLinesearchInfo(NamedTuple):
    """How many steps were tried, and by how much the last one missed Armijo's condition.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_backtracking_linesearch(15).init(1.0).info.decrease_error
        array(inf)
    """

    num_linesearch_steps: Any
    decrease_error: Any


class ScaleByBacktrackingLinesearchState(NamedTuple):
    """The size of the last step, the value and the gradient after it, and how it was found.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_backtracking_linesearch(15).init(1.0).learning_rate
        array(1.)
    """

    learning_rate: Any
    value: Any
    grad: Any
    info: BacktrackingLinesearchInfo


@says_how_made
def scale_by_backtracking_linesearch(
    max_backtracking_steps: int,
    slope_rtol: float = 1e-4,
    decrease_factor: float = 0.8,
    increase_factor: float = 1.5,
    max_learning_rate: float = 1.0,
    atol: float = 0.0,
    rtol: float = 0.0,
    store_grad: bool = False,
) -> GradientTransformationExtraArgs:
    """The first of shrinking steps that lowers the function enough (Armijo, 1966).

    A step of size s along u from x is taken if
    ``f(x + s * u) <= (1 + rtol) * f(x) + slope_rtol * s * slope + atol``. If none is, the last one
    is; if that gives nan or infinity, none.

    Args:
        max_backtracking_steps: How often the step is made smaller.
        slope_rtol: Which part of what the slope promises is wanted.
        decrease_factor: What the step is multiplied with.
        increase_factor: With how much more than the last step the next search begins.
        max_learning_rate: The largest step.
        atol: An absolute tolerance.
        rtol: A relative tolerance.
        store_grad: Whether the gradient after the step is kept, for `value_and_grad_from_state`.

    Returns:
        A transformation whose ``update`` takes the keywords ``value`` and ``grad``, those of the
        function at the parameters, ``value_fn``, the function, and others that go to the function.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.chain(optim.sgd(1.0), optim.scale_by_backtracking_linesearch(15))
        >>> f = lambda x: 2 * np.sum(x**2)
        >>> x = np.array([3.0, 4.0])
        >>> updates, state = optimizer.update(
        ...     4 * x, optimizer.init(x), x, value=f(x), grad=4 * x, value_fn=f
        ... )
        >>> round(float(state[1].learning_rate), 3), f(x) > f(x + updates)
        (0.41, np.True_)
    """

    def init(params: Any) -> ScaleByBacktrackingLinesearchState:
        infinity = np.asarray(np.inf, _real_dtype(params))
        return ScaleByBacktrackingLinesearchState(
            np.ones_like(infinity),
            infinity,
            zeros_like(params) if store_grad else None,
            BacktrackingLinesearchInfo(no_steps(), infinity),
        )

    def update(
        updates: Any,
        state: Any,
        params: Any = None,
        *,
        value: Any,
        grad: Any,
        value_fn: Callable[..., Any],
        **extra: Any,
    ) -> tuple[Any, ScaleByBacktrackingLinesearchState]:
        x, dtype = needed(params), _real_dtype(params)
        slope = _slope(grad, updates)

        def goes_on(search: Any) -> Any:
            number, _, _, error = search
            return (error > atol) & (number <= max_backtracking_steps)

        def trip(search: Any) -> Any:
            number, size, _, _ = search
            size = np.where(np.equal(number, 0), size, decrease_factor * size)[()]
            new = value_fn(add_scale(x, size, updates), **extra)
            error = _error(new - (1 + rtol) * value - size * slope_rtol * slope)
            return safe_increment(number), *(cast_to(n, dtype) for n in (size, new, error))

        first = np.minimum(increase_factor * state.learning_rate, max_learning_rate)
        start = (no_steps(), *(cast_to(as_operand(n), dtype) for n in (first, value, np.inf)))
        number, size, new, error = while_loop(goes_on, trip, start)
        size = np.where(np.isinf(error), 0 * size, size)[()]
        moved = scale(size, updates)
        after = None
        if store_grad:
            after = value_and_grad(value_fn)(add_scale(x, 1, moved), **extra)[1]
        info = BacktrackingLinesearchInfo(number, error)
        return moved, ScaleByBacktrackingLinesearchState(size, new, after, info)

    return GradientTransformationExtraArgs(init, update)


# Wolfe's conditions


class ZoomLinesearchInfo(NamedTuple):
    """How many steps were tried, and by how much the last one missed Wolfe's two conditions.

    Example:
        >>> from functrace import optim
        >>> int(optim.scale_by_zoom_linesearch(15).init(1.0).info.num_linesearch_steps)
        0
    """

    num_linesearch_steps: Any
    decrease_error: Any
    curvature_error: Any


class ScaleByZoomLinesearchState(NamedTuple):
    """The size of the last step, the value and the gradient after it, and how it was found.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_zoom_linesearch(15).init(1.0).value
        array(inf)
    """

    learning_rate: Any
    value: Any
    grad: Any
    info: ZoomLinesearchInfo


class _Point(NamedTuple):
    """A step along the line, with the value of the function after it and its slope."""

    size: Any
    value: Any
    slope: Any


class _Search(NamedTuple):
    """What is known on the way: the step tried last, the two that good ones lie between.

    ``low`` has the lower value of the two, ``reference`` is the end that was left last, and
    ``safe`` is the best one of those that lower the function enough.
    """

    info: ZoomLinesearchInfo
    is_bracketed: Any
    is_done: Any
    is_failed: Any
    at: _Point
    grad: Any
    low: _Point
    high: _Point
    reference: _Point
    safe: _Point
    safe_grad: Any


def _between(low: _Point, high: _Point, reference: _Point) -> Any:
    """The lowest point of a cubic, else of a parabola, if it is well inside; else the middle.

    The cubic has the slope of the low end and the values of all three (Nocedal and Wright, p. 59).
    """
    length, middle = abs(high.size - low.size), (low.size + high.size) / 2

    def quotient(x: Any, y: Any) -> Any:
        return x / np.where(np.equal(y, 0), 1, y)

    def is_inside(size: Any, margin: float) -> Any:
        return abs(size - middle) < (0.5 - margin) * length

    b, c = high.size - low.size, reference.size - low.size
    is_known = np.isfinite(high.value) & np.isfinite(reference.value)
    rise_b, rise_c = (
        np.where(is_known, end.value - low.value - low.slope * x, 0)
        for end, x in ((high, b), (reference, c))
    )
    below = (b * c) ** 2 * (b - c)
    third = quotient(c**2 * rise_b - b**2 * rise_c, below)
    second = quotient(b**3 * rise_c - c**3 * rise_b, below)
    radical = second**2 - 3 * third * low.slope
    cubic = low.size + quotient(np.sqrt(np.maximum(radical, 0)) - second, 3 * third)
    is_cubic = is_known & np.not_equal(below * third, 0) & (radical >= 0) & is_inside(cubic, 0.2)
    bend = quotient(rise_b, b**2)
    parabola = low.size - quotient(low.slope, 2 * bend)
    is_parabola = is_known & np.not_equal(bend, 0) & is_inside(parabola, 0.1)
    return np.where(is_cubic, cubic, np.where(is_parabola, parabola, middle))[()]


@says_how_made
def scale_by_zoom_linesearch(
    max_linesearch_steps: int,
    max_learning_rate: float | None = None,
    tol: float = 0.0,
    increase_factor: float = 2.0,
    slope_rtol: float = 1e-4,
    curv_rtol: float = 0.9,
    approx_dec_rtol: float | None = 1e-6,
    stepsize_precision: float = 1e-5,
    initial_guess_strategy: str = "keep",
) -> GradientTransformationExtraArgs:
    """A step by Wolfe's conditions (Nocedal and Wright, Numerical optimization, 3.5 and 3.6).

    The step grows until good ones lie between two that were tried, and what is between them is made
    smaller. Good is one that lowers the function enough, as in `scale_by_backtracking_linesearch`,
    and whose slope is at most ``curv_rtol`` of the first one. Where values hardly change any more
    slopes tell whether it is lowered enough (Hager and Zhang, Algorithm 851, 2006).

    Args:
        max_linesearch_steps: How many steps are tried.
        max_learning_rate: The largest step; None for any.
        tol: By how much the conditions may be missed.
        increase_factor: By how much the step grows.
        slope_rtol: Which part of what the slope promises is wanted.
        curv_rtol: Which part of the slope may be left.
        approx_dec_rtol: Which part of the value counts as hardly changed; None for none.
        stepsize_precision: How near to each other the two steps may come.
        initial_guess_strategy: "one" to begin with a step of 1, "keep" with the last one.

    Returns:
        A transformation whose ``update`` takes the keywords of that of
        `scale_by_backtracking_linesearch`.

    Raises:
        ArgumentError: The strategy has another name.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.chain(optim.sgd(1.0), optim.scale_by_zoom_linesearch(15))
        >>> f = lambda x: 2 * np.sum(x**2)
        >>> x = np.array([3.0, 4.0])
        >>> updates, state = optimizer.update(
        ...     4 * x, optimizer.init(x), x, value=f(x), grad=4 * x, value_fn=f
        ... )
        >>> float(state[1].learning_rate), x + updates
        (0.25, array([0., 0.]))
    """
    if initial_guess_strategy not in ("one", "keep"):
        raise ArgumentError(f"{initial_guess_strategy!r} is neither 'one' nor 'keep'.")

    def init(params: Any) -> ScaleByZoomLinesearchState:
        infinity = np.asarray(np.inf, _real_dtype(params))
        info = ZoomLinesearchInfo(no_steps(), infinity, infinity)
        return ScaleByZoomLinesearchState(
            np.ones_like(infinity), infinity, zeros_like(params), info
        )

    def decrease_error(point: _Point, first: _Point) -> Any:
        error = point.value - first.value - slope_rtol * point.size * first.slope
        if approx_dec_rtol is not None:
            by_slope = point.slope - (2 * slope_rtol - 1) * first.slope
            change = point.value - first.value - approx_dec_rtol * abs(first.value)
            error = np.minimum(error, np.maximum(by_slope, change))
        return _error(error)

    def update(
        updates: Any,
        state: Any,
        params: Any = None,
        *,
        value: Any,
        grad: Any,
        value_fn: Callable[..., Any],
        **extra: Any,
    ) -> tuple[Any, ScaleByZoomLinesearchState]:
        x, dtype = needed(params), _real_dtype(params)

        def number(n: Any) -> Any:
            return cast_to(as_operand(n), dtype)

        def point(*numbers: Any) -> _Point:
            return _Point(*map(number, numbers))

        first = point(0.0, value, _slope(grad, updates))
        guess = number(1.0) if initial_guess_strategy == "one" else state.learning_rate

        def trip(search: _Search) -> _Search:
            count, is_zoom = search.info.num_linesearch_steps, search.is_bracketed
            larger = np.where(np.equal(count, 0), guess, increase_factor * search.at.size)
            is_largest = np.False_
            if max_learning_rate is not None:
                is_largest = ~is_zoom & (larger >= max_learning_rate)
                larger = np.minimum(larger, max_learning_rate)
            inside = _between(search.low, search.high, search.reference)
            size = number(np.where(is_zoom, inside, larger)[()])
            new, after = value_and_grad(value_fn)(add_scale(x, size, updates), **extra)
            at = point(size, new, _slope(after, updates))
            lowered = number(decrease_error(at, first))
            curved = number(_error(abs(at.slope) - curv_rtol * abs(first.slope)))
            is_good = np.maximum(lowered, curved) <= tol

            is_safe = (lowered <= tol) & (~is_zoom | (at.value < search.safe.value))
            safe, safe_grad = where(is_safe, (at, after), (search.safe, search.safe_grad))

            best = where(is_zoom, search.low, search.at)
            goes_on = is_zoom | np.greater(count, 0)
            is_high = (lowered > 0) | ((at.value >= best.value) & goes_on)
            ahead = np.where(is_zoom, search.high.size - search.low.size, 1)
            turns = ~is_high & (at.slope * ahead >= 0)
            behind = where(is_zoom, search.high, at)
            low = where(is_high | ~(is_zoom | turns), best, at)
            high = where(is_high, at, where(turns, best, behind))
            left = where(is_high | turns, search.high, search.low)
            is_bracketed = is_zoom | is_high | turns | is_good

            is_done = is_good | (is_largest & ~is_bracketed)
            is_short = is_zoom & (abs(search.high.size - search.low.size) <= stepsize_precision)
            is_last = np.greater_equal(count, max_linesearch_steps - 1)
            is_failed = (is_last | (is_short & (safe.size > 0))) & ~is_done
            return _Search(
                ZoomLinesearchInfo(safe_increment(count), lowered, curved),
                is_bracketed,
                is_done,
                is_failed,
                at,
                after,
                low,
                high,
                where(is_zoom, left, low),
                safe,
                safe_grad,
            )

        infinite = ZoomLinesearchInfo(no_steps(), number(np.inf), number(np.inf))
        begin = _Search(
            infinite, np.False_, np.False_, np.False_, first, grad, *[first] * 4, safe_grad=grad
        )
        search = while_loop(lambda s: ~(s.is_done | s.is_failed), trip, begin)
        is_safer = search.is_failed & (
            (search.safe.size > 0) | np.isinf(search.info.decrease_error)
        )
        at, after = where(is_safer, (search.safe, search.safe_grad), (search.at, search.grad))
        result = ScaleByZoomLinesearchState(at.size, at.value, after, search.info)
        return scale(at.size, updates), result

    return GradientTransformationExtraArgs(init, update)


def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """As `functrace.value_and_grad`, by what the last search along a line found, if it did.

    Args:
        value_fn: The function.

    Returns:
        A function that takes the arguments of ``value_fn``, and the state of the optimizer as the
        keyword ``state``.

    Raises:
        ArgumentError: The state has no value or no gradient; when it is given.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> f = lambda x: np.sum((x - 1) ** 4)
        >>> optimizer, x = optim.lbfgs(), np.zeros(2)
        >>> state = optimizer.init(x)
        >>> for _ in range(20):
        ...     value, grad = optim.value_and_grad_from_state(f)(x, state=state)
        ...     updates, state = optimizer.update(
        ...         grad, state, x, value=value, grad=grad, value_fn=f
        ...     )
        ...     x = optim.apply_updates(x, updates)
        >>> x.round(2)
        array([1., 1.])
    """

    def found(params: Any, *args: Any, state: Any, **options: Any) -> tuple[Any, Any]:
        value, grad = get(state, "value"), get(state, "grad")
        if value is None or grad is None:
            raise ArgumentError(
                "The state has no value or no gradient.",
                source_of(user_place(0)),
                "Search lines by scale_by_zoom_linesearch, or with store_grad=True.",
            )

        def computed(params: Any) -> tuple[Any, Any]:
            new, grad = value_and_grad(value_fn)(params, *args, **options)
            return cast_to(as_operand(new), dtype_of(value)), grad

        return cond(np.isfinite(value), lambda params: (value, grad), computed, params)

    return found


# L-BFGS


class ScaleByLBFGSState(NamedTuple):
    """The last step, and the changes of parameters and gradients at those before, newest last.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_lbfgs(memory_size=2).init(1.0).diff_params_memory
        array([0., 0.])
    """

    count: Any
    params: Any
    updates: Any
    diff_params_memory: Any
    diff_updates_memory: Any
    weights_memory: Any


@says_how_made
def scale_by_lbfgs(
    memory_size: int = 10, scale_init_precond: bool = True
) -> GradientTransformation:
    """Gradients times an estimate of the inverse Hessian (Liu and Nocedal, 1989).

    Args:
        memory_size: How many steps before are remembered.
        scale_init_precond: Whether the estimate begins with a multiple of the identity, from the
            last step, in place of the identity.

    Raises:
        ArgumentError: ``memory_size`` is below 1.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> hessian = np.diag([1.0, 4.0])
        >>> tx, x = optim.scale_by_lbfgs(), np.array([1.0, 1.0])
        >>> state = tx.init(x)
        >>> for _ in range(8):
        ...     updates, state = tx.update(hessian @ x, state, x)
        ...     x = x - updates
        >>> bool(abs(x).max() < 1e-6)
        True
    """
    if memory_size < 1:
        raise ArgumentError(f"memory_size={memory_size!r} is below 1.")

    def inner(x: Any, y: Any) -> Any:
        return sum(leaves(map_leaves(lambda x, y: np.real(np.vdot(x, y)), x, y)), start=0.0)

    def inverse(x: Any) -> Any:
        return np.where(np.equal(x, 0), 0, 1 / np.where(np.equal(x, 0), 1, x))[()]

    def init(params: Any) -> ScaleByLBFGSState:
        zeros = zeros_like(params)
        memory = map_leaves(lambda x: np.zeros((memory_size, *x.shape), x.dtype), zeros)
        weights = np.zeros(memory_size, _real_dtype(params))
        return ScaleByLBFGSState(no_steps(), zeros, zeros, memory, memory, weights)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, ScaleByLBFGSState]:
        is_later = np.greater(state.count, 0)

        def remember(memory: Any, new: Any) -> Any:
            new = np.where(is_later, new, 0)[None]
            return np.concatenate([memory[1:], cast_to(new, dtype_of(memory))])

        moved, turned = sub(needed(params), state.params), sub(updates, state.updates)
        product = inner(turned, moved)
        memory = map_leaves(
            remember,
            (state.diff_params_memory, state.diff_updates_memory, state.weights_memory),
            (moved, turned, inverse(product)),
        )

        def back(direction: Any, step: Any) -> Any:
            moved, turned, weight = step
            part = weight * inner(moved, direction)
            return add_scale(direction, -part, turned), part

        def forth(direction: Any, step: Any) -> Any:
            (moved, turned, weight), part = step
            return add_scale(direction, part - weight * inner(turned, direction), moved), None

        size = 1.0
        if scale_init_precond:
            square = norm(turned, squared=True)
            later = np.where(np.greater(square, 0), product * inverse(square), 1)
            size = np.where(is_later, later, np.minimum(1, inverse(norm(updates))))[()]
        result, parts = scan(back, map_leaves(as_operand, updates), memory, reverse=True)
        result, _ = scan(forth, scale(size, result), (memory, parts))
        return result, ScaleByLBFGSState(safe_increment(state.count), params, updates, *memory)

    return GradientTransformation(init, update)
