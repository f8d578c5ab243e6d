"""Parts of optimizers: how gradients are scaled, by the names and formulas of ``optax``.

In the formulas g is the gradient at step t, m and v are moving averages, and the update stands on
the left. A transformation says what it does to one leaf.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.factories import says_how_made
from functrace.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Schedule,
    empty,
    identity,
    needed,
    no_steps,
    of_each,
    safe_increment,
    stateless,
)
from functrace.optim.tree import (
    bias_correction,
    cast,
    full_like,
    norm,
    number_for,
    squares,
    update_infinity_moment,
    update_moment,
    update_moment_per_elem_norm,
    zeros_like,
)
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.random.continuous import normal
from functrace.random.keys import key as key_of
from functrace.random.keys import split
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import flatten, leaves, unflatten

# By numbers


@says_how_made
def scale(step_size: Any) -> GradientTransformation:
    """``step_size * g``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale(-0.5)
        >>> tx.update(np.array([2.0, 4.0]), tx.init(np.zeros(2)))[0]
        array([-1., -2.])
    """
    return of_each(lambda g: number_for(step_size, g) * g)


class ScaleByScheduleState(NamedTuple):
    """How many steps there were.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_schedule(optim.linear_schedule(1.0, 0.0, 10)).init(1.0)
        ScaleByScheduleState(count=array(0, dtype=int32))
    """

    count: Any


@says_how_made
def scale_by_schedule(step_size_fn: Schedule) -> GradientTransformation:
    """``step_size_fn(t) * g``, where t counts from 0.

    Example:
        >>> from functrace import optim
        >>> tx = optim.scale_by_schedule(lambda count: 1 / (1 + count))
        >>> state, found = tx.init(0.0), []
        >>> for _ in range(3):
        ...     updates, state = tx.update(6.0, state)
        ...     found.append(float(updates))
        >>> found
        [6.0, 3.0, 2.0]
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        size = step_size_fn(state.count)
        updates = map_leaves(lambda g: number_for(size, g) * g, updates)
        return updates, ScaleByScheduleState(safe_increment(state.count))

    return GradientTransformation(lambda params: ScaleByScheduleState(no_steps()), update)


@says_how_made
def scale_by_learning_rate(
    learning_rate: Any = None, *, flip_sign: bool = True
) -> GradientTransformation:
    """``-learning_rate * g``, by a number or a schedule; None leaves g as it is.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_learning_rate(0.5)
        >>> tx.update(np.array([2.0, -4.0]), tx.init(np.zeros(2)))[0]
        array([-1.,  2.])
    """
    sign = -1 if flip_sign else 1
    if learning_rate is None:
        return identity()
    if callable(learning_rate):
        schedule: Schedule = learning_rate
        return scale_by_schedule(lambda count: sign * schedule(count))
    return scale(sign * learning_rate)


@says_how_made
def scale_by_sign() -> GradientTransformation:
    """``sign(g)`` (Bernstein et al., signSGD, ICML 2018).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_sign()
        >>> tx.update(np.array([3.0, 0.0, -5.0]), tx.init(np.zeros(3)))[0]
        array([ 1.,  0., -1.])
    """
    return of_each(np.sign)


# By averages


class TraceState(NamedTuple):
    """The sum of gradients that fade.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.trace(0.9).init(np.ones(2))
        TraceState(trace=array([0., 0.]))
    """

    trace: Any


@says_how_made
def trace(
    decay: Any, nesterov: bool = False, accumulator_dtype: Any = None
) -> GradientTransformation:
    """``m = g + decay * m``: momentum (Polyak, 1964).

    Args:
        decay: What is left after a step.
        nesterov: Whether the update is ``g + decay * m`` (Nesterov, 1983; Sutskever et al., 2013).
        accumulator_dtype: Of the sum; None for that of the parameters.

    Example:
        >>> from functrace import optim
        >>> tx = optim.trace(0.5)
        >>> state, found = tx.init(0.0), []
        >>> for _ in range(3):
        ...     updates, state = tx.update(1.0, state)
        ...     found.append(float(updates))
        >>> found
        [1.0, 1.5, 1.75]
    """

    def step(g: Any, m: Any) -> Any:
        return g + number_for(decay, m) * m

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        moved = map_leaves(step, updates, state.trace)
        result = map_leaves(step, updates, moved) if nesterov else moved
        return result, TraceState(cast(moved, accumulator_dtype))

    return GradientTransformation(
        lambda params: TraceState(zeros_like(params, accumulator_dtype)), update
    )


class EmaState(NamedTuple):
    """How many steps there were, and the average.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.ema(0.9).init(np.ones(2))
        EmaState(count=array(0, dtype=int32), ema=array([0., 0.]))
    """

    count: Any
    ema: Any


@says_how_made
def ema(decay: Any, debias: bool = True, accumulator_dtype: Any = None) -> GradientTransformation:
    """``m = decay * m + (1 - decay) * g``, divided by ``1 - decay**t`` if ``debias``.

    Example:
        >>> from functrace import optim
        >>> tx = optim.ema(0.5, debias=False)
        >>> state, found = tx.init(0.0), []
        >>> for _ in range(3):
        ...     updates, state = tx.update(1.0, state)
        ...     found.append(float(updates))
        >>> found
        [0.5, 0.75, 0.875]
    """

    def init(params: Any) -> EmaState:
        return EmaState(no_steps(), zeros_like(params, accumulator_dtype))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        average = update_moment(updates, state.ema, decay, 1)
        result = bias_correction(average, decay, count) if debias else average
        return result, EmaState(count, cast(average, accumulator_dtype))

    return GradientTransformation(init, update)


class ScaleByRssState(NamedTuple):
    """The sum of squares.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.scale_by_rss(0.25).init(np.ones(2))
        ScaleByRssState(sum_of_squares=array([0.25, 0.25]))
    """

    sum_of_squares: Any


@says_how_made
def scale_by_rss(initial_accumulator_value: Any = 0.1, eps: Any = 1e-7) -> GradientTransformation:
    """``g / sqrt(v + eps)``, where v is the sum of all squares (Duchi et al., JMLR 12, 2011).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_rss(initial_accumulator_value=0.0)
        >>> updates, state = tx.update(np.array([3.0, -3.0]), tx.init(np.zeros(2)))
        >>> updates, state = tx.update(np.array([4.0, 0.0]), state)
        >>> updates.round(3)
        array([0.8, 0. ])
    """

    def scaled(g: Any, v: Any) -> Any:
        is_any = np.greater(v, 0)
        root = np.sqrt(np.where(is_any, v + number_for(eps, v), 1))
        return np.where(is_any, g / root, 0 * g)[()]

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        total = map_leaves(lambda g, v: squares(g) + v, updates, state.sum_of_squares)
        return map_leaves(scaled, updates, total), ScaleByRssState(total)

    return GradientTransformation(
        lambda params: ScaleByRssState(full_like(params, initial_accumulator_value)), update
    )


class ScaleByRmsState(NamedTuple):
    """The average of squares.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.scale_by_rms().init(np.ones(2))
        ScaleByRmsState(nu=array([0., 0.]))
    """

    nu: Any


class ScaleByRmsWithCountState(NamedTuple):
    """How many steps there were, and the average of squares.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_rms(bias_correction=True).init(1.0)
        ScaleByRmsWithCountState(count=array(0, dtype=int32), nu=array(0.))
    """

    count: Any
    nu: Any


def _over_root(g: Any, v: Any, eps: Any, eps_in_sqrt: bool) -> Any:
    eps = number_for(eps, v)
    return g / np.sqrt(v + eps) if eps_in_sqrt else g / (np.sqrt(v) + eps)


@says_how_made
def scale_by_rms(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """``v = decay * v + (1 - decay) * g**2``, ``g / sqrt(v + eps)`` (Tieleman and Hinton, 2012).

    Args:
        decay: What is left after a step.
        eps: Is added below the root, or to it.
        initial_scale: The first v.
        eps_in_sqrt: Whether it is added below the root.
        bias_correction: Whether v is divided by ``1 - decay**t``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_rms(decay=0.75)
        >>> updates, state = tx.update(np.array([3.0, -5.0]), tx.init(np.zeros(2)))
        >>> updates.round(3), state.nu
        (array([ 2., -2.]), array([2.25, 6.25]))
    """

    def init(params: Any) -> Any:
        nu = full_like(params, initial_scale)
        return ScaleByRmsWithCountState(no_steps(), nu) if bias_correction else ScaleByRmsState(nu)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        nu = hat = update_moment_per_elem_norm(updates, state.nu, decay, 2)
        after: Any = ScaleByRmsState(nu)
        if bias_correction:
            after = ScaleByRmsWithCountState(safe_increment(state.count), nu)
            hat = _corrected(nu, decay, after.count)
        return map_leaves(lambda g, v: _over_root(g, v, eps, eps_in_sqrt), updates, hat), after

    return GradientTransformation(init, update)


_corrected = bias_correction


class ScaleByRStdDevState(NamedTuple):
    """The averages of gradients and of squares.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.scale_by_stddev().init(np.ones(2))
        ScaleByRStdDevState(mu=array([0., 0.]), nu=array([0., 0.]))
    """

    mu: Any
    nu: Any


class ScaleByRStdDevWithCountState(NamedTuple):
    """How many steps there were, and the averages of gradients and of squares.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_stddev(bias_correction=True).init(1.0)
        ScaleByRStdDevWithCountState(count=array(0, dtype=int32), mu=array(0.), nu=array(0.))
    """

    count: Any
    mu: Any
    nu: Any


@says_how_made
def scale_by_stddev(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """``g / sqrt(v - m**2 + eps)`` with averages m and v of g and its square (Graves, 2013).

    The arguments are those of `scale_by_rms`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_stddev(decay=0.5)
        >>> updates, state = tx.update(np.array([3.0, -5.0]), tx.init(np.zeros(2)))
        >>> updates.round(3)
        array([ 2., -2.])
    """

    def init(params: Any) -> Any:
        mu, nu = zeros_like(params), full_like(params, initial_scale)
        if bias_correction:
            return ScaleByRStdDevWithCountState(no_steps(), mu, nu)
        return ScaleByRStdDevState(mu, nu)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        mu = m = update_moment(updates, state.mu, decay, 1)
        nu = v = update_moment_per_elem_norm(updates, state.nu, decay, 2)
        after: Any = ScaleByRStdDevState(mu, nu)
        if bias_correction:
            after = ScaleByRStdDevWithCountState(safe_increment(state.count), mu, nu)
            m, v = (_corrected(x, decay, after.count) for x in (mu, nu))
        variance = map_leaves(lambda m, v: v - squares(m), m, v)
        return map_leaves(lambda g, v: _over_root(g, v, eps, eps_in_sqrt), updates, variance), after

    return GradientTransformation(init, update)


# The family of Adam


class ScaleByAdamState(NamedTuple):
    """How many steps there were, and the averages of gradients and of squares.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_adam().init(1.0)
        ScaleByAdamState(count=array(0, dtype=int32), mu=array(0.), nu=array(0.))
    """

    count: Any
    mu: Any
    nu: Any


ScaleByBeliefState = ScaleByAdamState


def _ratio(m: Any, v: Any, eps: Any, eps_root: Any) -> Any:
    if not (isinstance(eps_root, int | float) and eps_root == 0):
        v = v + number_for(eps_root, v)
    return m / (np.sqrt(v) + number_for(eps, v))


def _ratios(mu: Any, nu: Any, eps: Any, eps_root: Any) -> Any:
    return map_leaves(lambda m, v: _ratio(m, v, eps, eps_root), mu, nu)


def _first_moment(updates: Any, mu: Any, b1: Any, count: Any, nesterov: bool) -> Any:
    """M without its bias, or Dozat's look one step ahead."""
    if not nesterov:
        return bias_correction(mu, b1, count)
    ahead = bias_correction(mu, b1, safe_increment(count))
    return update_moment(bias_correction(updates, b1, count), ahead, b1, 1)


def _adam_init(params: Any, mu_dtype: Any = None) -> ScaleByAdamState:
    return ScaleByAdamState(no_steps(), zeros_like(params, mu_dtype), zeros_like(params))


@says_how_made
def scale_by_adam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Kingma and Ba, Adam, ICLR 2015; with Nesterov's momentum by Dozat, 2016.

    ``m = b1 * m + (1 - b1) * g``, ``v = b2 * v + (1 - b2) * g**2``,
    ``(m / (1 - b1**t)) / (sqrt(v / (1 - b2**t) + eps_root) + eps)``; and for Nesterov's
    ``b1 * m / (1 - b1**(t + 1)) + (1 - b1) * g / (1 - b1**t)`` above.

    Args:
        b1: What is left of m after a step.
        b2: What is left of v after a step.
        eps: Is added to the root.
        eps_root: Is added below the root, so that it has a derivative where v is 0.
        mu_dtype: Of m; None for that of the parameters.
        nesterov: Whether m looks one step ahead.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_adam(b1=0.5, b2=0.75)
        >>> updates, state = tx.update(np.array([4.0, -2.0]), tx.init(np.zeros(2)))
        >>> updates.round(3), state.mu, state.nu
        (array([ 1., -1.]), array([ 2., -1.]), array([4., 1.]))
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        above = _first_moment(updates, mu, b1, count, nesterov)
        result = _ratios(above, bias_correction(nu, b2, count), eps, eps_root)
        return result, ScaleByAdamState(count, cast(mu, mu_dtype), nu)

    return GradientTransformation(lambda params: _adam_init(params, mu_dtype), update)


class ScaleByAmsgradState(NamedTuple):
    """As of Adam, and the largest averages of squares so far.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> state = optim.scale_by_amsgrad().init(np.ones(2))
        >>> state.nu_max
        array([0., 0.])
    """

    count: Any
    mu: Any
    nu: Any
    nu_max: Any


@says_how_made
def scale_by_amsgrad(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformation:
    """Adam by the largest v so far (Reddi et al., On the convergence of Adam, ICLR 2018).

    Example:
        >>> from functrace import optim
        >>> tx = optim.scale_by_amsgrad()
        >>> _, state = tx.update(4.0, tx.init(0.0))
        >>> _, state = tx.update(0.0, state)
        >>> round(float(state.nu_max), 3)
        16.0
    """

    def init(params: Any) -> ScaleByAmsgradState:
        return ScaleByAmsgradState(*_adam_init(params, mu_dtype), zeros_like(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        m = bias_correction(mu, b1, count) if bias_correction_mu else mu
        v = bias_correction(nu, b2, count) if bias_correction_nu else nu
        largest = map_leaves(np.maximum, state.nu_max, v)
        after = ScaleByAmsgradState(count, cast(mu, mu_dtype), nu, largest)
        return _ratios(m, largest, eps, eps_root), after

    return GradientTransformation(init, update)


@says_how_made
def scale_by_adamax(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> GradientTransformation:
    """``(m / (1 - b1**t)) / v`` with ``v = max(b2 * v, abs(g) + eps)`` (Kingma and Ba, 2015).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_adamax(b2=0.5)
        >>> updates, state = tx.update(np.array([4.0, -2.0]), tx.init(np.zeros(2)))
        >>> updates.round(3), state.nu.round(3)
        (array([ 1., -1.]), array([4., 2.]))
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_infinity_moment(updates, state.nu, b2, eps)
        result = map_leaves(lambda m, v: m / v, bias_correction(mu, b1, count), nu)
        return result, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(_adam_init, update)


@says_how_made
def scale_by_belief(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam by how far g is from m: ``v = b2 * v + (1 - b2) * (g - m)**2 + eps_root``.

    Zhuang et al., AdaBelief optimizer, NeurIPS 2020.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_belief(b1=0.5)
        >>> updates, state = tx.update(np.array([4.0, -2.0]), tx.init(np.zeros(2)))
        >>> updates.round(3)
        array([ 2., -2.])
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        mu = update_moment(updates, state.mu, b1, 1)
        away = map_leaves(lambda g, m: g - m, updates, mu)
        nu = update_moment_per_elem_norm(away, state.nu, b2, 2)
        nu = map_leaves(lambda v: v + number_for(eps_root, v), nu)
        above = _first_moment(updates, mu, b1, count, nesterov)
        result = _ratios(above, bias_correction(nu, b2, count), eps, 0.0)
        return result, ScaleByBeliefState(count, mu, nu)

    return GradientTransformation(_adam_init, update)


@says_how_made
def scale_by_yogi(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-3,
    eps_root: Any = 0.0,
    initial_accumulator_value: Any = 1e-6,
) -> GradientTransformation:
    """Adam with ``v = v - (1 - b2) * sign(v - g**2) * g**2`` (Zaheer et al., NeurIPS 2018).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_yogi(b2=0.75, initial_accumulator_value=0.0)
        >>> updates, state = tx.update(np.array([4.0, -2.0]), tx.init(np.zeros(2)))
        >>> updates.round(2), state.nu
        (array([ 1., -1.]), array([4., 1.]))
    """

    def init(params: Any) -> ScaleByAdamState:
        first = full_like(params, initial_accumulator_value)
        return ScaleByAdamState(no_steps(), first, first)

    def moved(g: Any, v: Any) -> Any:
        square = squares(g)
        return v - number_for(1 - b2, v) * np.sign(v - square) * square

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        mu, nu = update_moment(updates, state.mu, b1, 1), map_leaves(moved, updates, state.nu)
        m, v = bias_correction(mu, b1, count), bias_correction(nu, b2, count)
        return _ratios(m, v, eps, eps_root), ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


@says_how_made
def scale_by_radam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam, whose step is as long as v is certain (Liu et al., RAdam, ICLR 2020).

    With ``end = 2 / (1 - b2) - 1`` and ``rho = end - 2 * t * b2**t / (1 - b2**t)`` the update of
    Adam is multiplied by ``sqrt((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho))``
    from the threshold on; before it is m without bias.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_radam()
        >>> updates, state = tx.update(np.array([4.0, -2.0]), tx.init(np.zeros(2)))
        >>> updates.round(3)
        array([ 4., -2.])
    """
    end = 2 / (1 - b2) - 1

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        mu = update_moment(updates, state.mu, b1, 1)
        nu = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        power = b2**count
        rho = end - 2 * count * power / (1 - power)
        is_certain = np.greater_equal(rho, threshold)
        safe = np.where(is_certain, rho, end)
        factor = np.sqrt((safe - 4) * (safe - 2) * end / ((end - 4) * (end - 2) * safe))
        above = _first_moment(updates, mu, b1, count, nesterov)
        ratios = _ratios(above, bias_correction(nu, b2, count), eps, eps_root)
        result = map_leaves(
            lambda m, u: np.where(is_certain, number_for(factor, u) * u, m)[()], above, ratios
        )
        return result, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(_adam_init, update)


class ScaleByAdanState(NamedTuple):
    """Averages of gradients, of their differences and of squares; the gradient; the step.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> state = optim.scale_by_adan().init(np.ones(2))
        >>> state.m, int(state.t)
        (array([0., 0.]), 0)
    """

    m: Any
    v: Any
    n: Any
    g: Any
    t: Any


@says_how_made
def scale_by_adan(
    b1: Any = 0.98, b2: Any = 0.92, b3: Any = 0.99, eps: Any = 1e-8, eps_root: Any = 0.0
) -> GradientTransformation:
    """Xie et al., Adan: Adaptive Nesterov momentum, 2022; d is the difference of gradients.

    ``m`` averages g by b1, ``v`` averages d by b2, ``n`` averages ``(g + (1 - b2) * d)**2`` by b3;
    ``(m + (1 - b2) * v) / (sqrt(n + eps_root) + eps)``, all without their bias.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_adan()
        >>> updates, state = tx.update(np.array([4.0, -2.0]), tx.init(np.zeros(2)))
        >>> updates.round(3)
        array([ 1., -1.])
    """

    def init(params: Any) -> ScaleByAdanState:
        m, v, n, g = (zeros_like(params) for _ in range(4))
        return ScaleByAdanState(m, v, n, g, no_steps())

    def ahead(x: Any, y: Any) -> Any:
        return x + number_for(1 - b2, y) * y

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        is_first, t = np.equal(state.t, 0), safe_increment(state.t)
        away = map_leaves(lambda g, old: np.where(is_first, 0 * g, g - old)[()], updates, state.g)
        m, v = update_moment(updates, state.m, b1, 1), update_moment(away, state.v, b2, 1)
        n = update_moment_per_elem_norm(map_leaves(ahead, updates, away), state.n, b3, 2)
        above = map_leaves(ahead, bias_correction(m, b1, t), bias_correction(v, b2, t))
        result = _ratios(above, bias_correction(n, b3, t), eps, eps_root)
        return result, ScaleByAdanState(m, v, n, updates, t)

    return GradientTransformation(init, update)


class ScaleByLionState(NamedTuple):
    """How many steps there were, and the average of gradients.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_lion().init(1.0)
        ScaleByLionState(count=array(0, dtype=int32), mu=array(0.))
    """

    count: Any
    mu: Any


@says_how_made
def scale_by_lion(
    b1: Any = 0.9,
    b2: Any = 0.99,
    mu_dtype: Any = None,
    *,
    mode: Literal["hard", "smooth", "refined"] = "hard",
    smooth_beta: Any = 1.0,
) -> GradientTransformation:
    """``sign(b1 * m + (1 - b1) * g)``, ``m = b2 * m + (1 - b2) * g`` (Chen et al., Lion, 2023).

    Args:
        b1: The weight of m in the update.
        b2: What is left of m after a step.
        mu_dtype: Of m; None for that of the parameters.
        mode: "smooth" takes ``tanh(smooth_beta * x)`` for the sign of x, "refined" x itself where
            it is less than 1.
        smooth_beta: The slope of the smooth one.

    Raises:
        ArgumentError: There is no such mode.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_lion(b2=0.75)
        >>> updates, state = tx.update(np.array([4.0, -2.0]), tx.init(np.zeros(2)))
        >>> updates, state.mu
        (array([ 1., -1.]), array([ 1. , -0.5]))
    """
    modes = {
        "hard": np.sign,
        "smooth": lambda x: np.tanh(number_for(smooth_beta, x) * x),
        "refined": lambda x: np.where(np.less(np.abs(x), 1), x, np.sign(x))[()],
    }
    if mode not in modes:
        raise ArgumentError(f"mode={mode!r} is none of {', '.join(map(repr, modes))}.")

    def init(params: Any) -> ScaleByLionState:
        return ScaleByLionState(no_steps(), zeros_like(params, mu_dtype))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        result = map_leaves(modes[mode], update_moment(updates, state.mu, b1, 1))
        mu = cast(update_moment(updates, state.mu, b2, 1), mu_dtype)
        return result, ScaleByLionState(safe_increment(state.count), mu)

    return GradientTransformation(init, update)


class ScaleByAdaDeltaState(NamedTuple):
    """The averages of squares of gradients and of updates.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_adadelta().init(1.0)
        ScaleByAdaDeltaState(e_g=array(0.), e_x=array(0.))
    """

    e_g: Any
    e_x: Any


@says_how_made
def scale_by_adadelta(rho: Any = 0.9, eps: Any = 1e-6) -> GradientTransformation:
    """``g * sqrt(x + eps) / sqrt(v + eps)``, averages of squares of updates and gradients.

    Zeiler, ADADELTA: an adaptive learning rate method, 2012.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_adadelta(rho=0.75, eps=0.01)
        >>> updates, state = tx.update(np.array([30.0, -50.0]), tx.init(np.zeros(2)))
        >>> updates.round(3)
        array([ 0.2, -0.2])
    """

    def scaled(g: Any, v: Any, x: Any) -> Any:
        return np.sqrt(x + number_for(eps, x)) / np.sqrt(v + number_for(eps, v)) * g

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        e_g = update_moment(updates, state.e_g, rho, 2)
        result = map_leaves(scaled, updates, e_g, state.e_x)
        return result, ScaleByAdaDeltaState(e_g, update_moment(result, state.e_x, rho, 2))

    return GradientTransformation(
        lambda params: ScaleByAdaDeltaState(zeros_like(params), zeros_like(params)), update
    )


class ScaleByNovogradState(NamedTuple):
    """How many steps there were, the average of gradients, and that of squared norms.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.scale_by_novograd().init(np.ones(2))
        ScaleByNovogradState(count=array(0, dtype=int32), mu=array([0., 0.]), nu=array(0.))
    """

    count: Any
    mu: Any
    nu: Any


@says_how_made
def scale_by_novograd(
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mu_dtype: Any = None,
) -> GradientTransformation:
    """Ginsburg et al., NovoGrad, 2019; of each leaf p the squared norm has an average v.

    ``v = b2 * v + (1 - b2) * norm(g)**2``, at first the squared norm itself;
    ``m = b1 * m + g / (sqrt(v + eps_root) + eps) + weight_decay * p``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_novograd()
        >>> x = np.zeros(2)
        >>> updates, state = tx.update(np.array([3.0, -4.0]), tx.init(x), x)
        >>> updates.round(3), float(state.nu)
        (array([ 0.6, -0.8]), 25.0)
    """

    def init(params: Any) -> ScaleByNovogradState:
        nu = map_leaves(lambda p: np.zeros((), dtype_of(p)), params)
        return ScaleByNovogradState(no_steps(), zeros_like(params, mu_dtype), nu)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count, is_first = safe_increment(state.count), np.equal(state.count, 0)

        def average(g: Any, v: Any) -> Any:
            square, kept = np.sum(squares(g)), number_for(b2, v)
            return np.where(is_first, square, (1 - kept) * square + kept * v)[()]

        def moved(g: Any, m: Any, v: Any, p: Any) -> Any:
            step = _ratio(g, v, eps, eps_root) + number_for(weight_decay, p) * p
            return number_for(b1, m) * m + step

        nu = map_leaves(average, updates, state.nu)
        mu = cast(map_leaves(moved, updates, state.mu, nu, needed(params)), mu_dtype)
        return mu, ScaleByNovogradState(count, mu, nu)

    return GradientTransformation(init, update)


class ScaleByRpropState(NamedTuple):
    """The size of each step, and the last steps.

    Example:
        >>> from functrace import optim
        >>> optim.scale_by_rprop(0.5).init(1.0)
        ScaleByRpropState(step_sizes=array(0.5), prev_updates=array(0.))
    """

    step_sizes: Any
    prev_updates: Any


@says_how_made
def scale_by_rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> GradientTransformation:
    """``size * sign(g)``, whose size grows while the sign stays, and shrinks where it changes.

    Riedmiller and Braun, RPROP, ICNN 1993: a step against the last one is left out. (That of optax
    0.2.8 does each step one step later.)

    Example:
        >>> from functrace import optim
        >>> tx = optim.scale_by_rprop(1.0)
        >>> state, found = tx.init(0.0), []
        >>> for gradient in [-3.0, -1.0, 1.0]:
        ...     updates, state = tx.update(gradient, state)
        ...     found.append(float(updates))
        >>> found
        [-1.0, -1.2, 0.0]
    """

    def resized(g: Any, size: Any, last: Any) -> Any:
        factor = number_for(np.where(np.greater(g * last, 0), eta_plus, eta_minus), g)
        limited = np.clip(size * factor, number_for(min_step_size, g), number_for(max_step_size, g))
        return np.where(np.equal(g * last, 0), size, limited)[()]

    def step(g: Any, size: Any, last: Any) -> Any:
        return np.where(np.less(g * last, 0), 0 * g, size * np.sign(g))[()]

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        sizes = map_leaves(resized, updates, state.step_sizes, state.prev_updates)
        result = map_leaves(step, updates, sizes, state.prev_updates)
        return result, ScaleByRpropState(sizes, result)

    return GradientTransformation(
        lambda params: ScaleByRpropState(full_like(params, learning_rate), zeros_like(params)),
        update,
    )


class ScaleBySM3State(NamedTuple):
    """The largest sums of squares along each axis, and the average of updates.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.scale_by_sm3().init(np.ones((2, 3))).mu
        [array([0., 0.]), array([0., 0., 0.])]
    """

    mu: Any
    nu: Any


@says_how_made
def scale_by_sm3(b1: Any = 0.9, b2: Any = 1.0, eps: Any = 1e-8) -> GradientTransformation:
    """Anil et al., Memory-efficient adaptive optimization, NeurIPS 2019.

    Of each axis the largest sums of squares are kept; ``v`` is the least of them, and the square of
    g; the update is the average of ``g / sqrt(v + eps)`` by b1.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_sm3(b1=0.0)
        >>> g = np.array([[3.0, -3.0], [4.0, 0.0]])
        >>> updates, state = tx.update(g, tx.init(np.zeros((2, 2))))
        >>> updates.round(3)
        array([[ 1., -1.],
               [ 1.,  0.]])
        >>> state.mu
        [array([ 9., 16.]), array([16.,  9.])]
    """

    def kept(x: Any) -> list[Any]:
        rank = len(shape_of(x))
        if rank < 2:
            return [x] * rank
        others = [tuple(n for n in range(rank) if n != axis) for axis in range(rank)]
        return [np.max(x, axes, initial=0) for axes in others]

    def total(g: Any, parts: list[Any]) -> Any:
        rank = len(shape_of(g))
        least: Any = None
        for axis, part in enumerate(parts):
            spread = np.reshape(part, [-1 if n == axis else 1 for n in range(rank)])
            least = spread if least is None else np.minimum(least, spread)
        weight = 1.0 if b2 == 1.0 else 1 - b2
        return weight * g * g + (0 if least is None else b2 * least)

    def scaled(g: Any, v: Any) -> Any:
        is_any = np.greater(v, 0)
        root = np.sqrt(np.where(is_any, v + number_for(eps, v), 1))
        return np.where(is_any, g / root, 0 * g)[()]

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        sums = map_leaves(total, updates, state.mu)
        nu = update_moment(map_leaves(scaled, updates, sums), state.nu, b1, 1)
        return nu, ScaleBySM3State(map_leaves(kept, sums), nu)

    return GradientTransformation(
        lambda params: ScaleBySM3State(map_leaves(kept, zeros_like(params)), zeros_like(params)),
        update,
    )


class ScaleByOptimisticGradientState(NamedTuple):
    """Whether there was no step before, and the last gradient.

    Example:
        >>> from functrace import optim
        >>> state = optim.scale_by_optimistic_gradient().init(1.0)
        >>> bool(state.is_initial_step), state.previous_gradient
        (True, array(0.))
    """

    is_initial_step: Any
    previous_gradient: Any


@says_how_made
def scale_by_optimistic_gradient(alpha: Any = 1.0, beta: Any = 1.0) -> GradientTransformation:
    """``(alpha + beta) * g - beta * last`` (Mokhtari et al., AISTATS 2020).

    Example:
        >>> from functrace import optim
        >>> tx = optim.scale_by_optimistic_gradient()
        >>> state, found = tx.init(0.0), []
        >>> for gradient in [4.0, 3.0, 2.0]:
        ...     updates, state = tx.update(gradient, state)
        ...     found.append(float(updates))
        >>> found
        [4.0, 2.0, 1.0]
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        def step(g: Any, last: Any) -> Any:
            last = np.where(state.is_initial_step, g, last)[()]
            return number_for(alpha + beta, g) * g - number_for(beta, g) * last

        result = map_leaves(step, updates, state.previous_gradient)
        return result, ScaleByOptimisticGradientState(np.zeros((), bool), updates)

    return GradientTransformation(
        lambda params: ScaleByOptimisticGradientState(np.ones((), bool), zeros_like(params)), update
    )


class FactoredState(NamedTuple):
    """How many steps there were, and averages of squares: of rows, of columns, of elements.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> state = optim.scale_by_factored_rms(min_dim_size_to_factor=2).init(np.ones((3, 4)))
        >>> state.v_row, state.v_col, state.v
        (array([0., 0., 0.]), array([0., 0., 0., 0.]), array([0.]))
    """

    count: Any
    v_row: Any
    v_col: Any
    v: Any


@says_how_made
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Any = 0.8,
    step_offset: Any = 0,
    min_dim_size_to_factor: int = 128,
    epsilon: Any = 1e-30,
) -> GradientTransformation:
    """``g / sqrt(v)``, where v is ``row * column / mean(row)`` of averages of ``g**2 + epsilon``.

    Shazeer and Stern, Adafactor, ICML 2018; the averages decay by ``1 - t**-decay_rate``.

    Args:
        factored: Whether large matrices are; else, and for all others, v is kept as it is.
        decay_rate: The exponent of the decay.
        step_offset: What t counts from.
        min_dim_size_to_factor: What is large: the two longest axes have this length.
        epsilon: Is added to squares.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_factored_rms(min_dim_size_to_factor=2)
        >>> x = np.zeros((2, 2))
        >>> updates, state = tx.update(np.array([[1.0, -2.0], [3.0, 6.0]]), tx.init(x))
        >>> updates.round(3)
        array([[ 1., -1.],
               [ 1.,  1.]])
        >>> state.v_row, state.v_col
        (array([ 2.5, 22.5]), array([ 5., 20.]))
    """

    def axes_of(x: Any) -> tuple[int, int] | None:
        """The second longest axis, and the longest."""
        shape = shape_of(x)
        if not factored or len(shape) < 2:
            return None
        *_, second, longest = np.argsort(shape).tolist()
        return (second, longest) if shape[second] >= min_dim_size_to_factor else None

    def first(p: Any) -> tuple[Any, Any, Any]:
        axes, dtype, unused = axes_of(p), dtype_of(p), np.zeros(1, dtype_of(p))
        if axes is None:
            return unused, unused, np.zeros(shape_of(p), dtype)
        short = (tuple(np.delete(shape_of(p), axis).tolist()) for axis in reversed(axes))
        row, column = (np.zeros(shape, dtype) for shape in short)
        return row, column, unused

    def init(params: Any) -> FactoredState:
        found, structure = flatten(params)
        each = [first(p) for p in found]
        v_row, v_col, v = (unflatten(structure, [x[n] for x in each]) for n in range(3))
        return FactoredState(no_steps(), v_row, v_col, v)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        decay = 1 - (state.count - step_offset + 1.0) ** -decay_rate

        def average(old: Any, new: Any) -> Any:
            weight = number_for(decay, old)
            return weight * old + (1 - weight) * new

        def step(g: Any, row: Any, column: Any, v: Any) -> tuple[Any, Any, Any, Any]:
            axes, square = axes_of(g), squares(g) + number_for(epsilon, g)
            if axes is None:
                v = average(v, square)
                return g / np.sqrt(v), row, column, v
            second, longest = axes
            row = average(row, np.mean(square, axis=longest))
            column = average(column, np.mean(square, axis=second))
            inner = second - (second > longest)
            weight = np.sqrt(np.mean(row, axis=inner, keepdims=True) / row)
            by_row, by_column = np.expand_dims(weight, longest), np.expand_dims(column, second)
            return g * by_row / np.sqrt(by_column), row, column, v

        found, structure = flatten(updates)
        state_leaves = (leaves(x) for x in (state.v_row, state.v_col, state.v))
        each = [step(*x) for x in zip(found, *state_leaves, strict=True)]
        result, *averages = (unflatten(structure, [x[n] for x in each]) for n in range(4))
        return result, FactoredState(safe_increment(state.count), *averages)

    return GradientTransformation(init, update)


# By the sizes of parameters and updates


def _safe_norm(x: Any, least: Any) -> Any:
    """The norm, or a number that it is not below; there the derivative is 0."""
    square = np.sum(squares(x))
    is_small = np.less_equal(square, number_for(least * least, x))
    return np.where(is_small, number_for(least, x), np.sqrt(np.where(is_small, 1, square)))[()]


def _safe_rms(x: Any, least: Any) -> Any:
    square = (np.mean if math.prod(shape_of(x)) else np.sum)(squares(x))  # 0 of nothing
    is_small = np.less_equal(square, number_for(least * least, x))
    return np.where(is_small, number_for(least, x), np.sqrt(np.where(is_small, 1, square)))[()]


@says_how_made
def scale_by_trust_ratio(
    min_norm: Any = 0.0, trust_coefficient: Any = 1.0, eps: Any = 0.0
) -> GradientTransformation:
    """``g * trust_coefficient * norm(p) / (norm(g) + eps)`` for each leaf p.

    You et al., LAMB, ICLR 2020. Where one of the norms is 0 it is g.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_trust_ratio()
        >>> params = np.array([0.0, 10.0])
        >>> tx.update(np.array([3.0, 4.0]), tx.init(params), params)[0]
        array([6., 8.])
    """

    def step(g: Any, p: Any) -> Any:
        of_p, of_g = _safe_norm(p, min_norm), _safe_norm(g, min_norm)
        is_zero = np.equal(of_p, 0) | np.equal(of_g, 0)
        below = np.where(is_zero, 1, of_g + number_for(eps, g))
        ratio = np.where(is_zero, 1, number_for(trust_coefficient, g) * of_p / below)
        return g * number_for(ratio, g)

    return stateless(lambda updates, params: map_leaves(step, updates, needed(params)))


@says_how_made
def scale_by_param_block_norm(min_scale: Any = 1e-3) -> GradientTransformation:
    """``g * norm(p)`` for each leaf p, where the norm is no less than ``min_scale``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_param_block_norm()
        >>> params = np.array([3.0, 4.0])
        >>> tx.update(np.array([1.0, -2.0]), tx.init(params), params)[0]
        array([  5., -10.])
    """
    return stateless(
        lambda updates, params: map_leaves(
            lambda g, p: g * _safe_norm(p, min_scale), updates, needed(params)
        )
    )


@says_how_made
def scale_by_param_block_rms(min_scale: Any = 1e-3) -> GradientTransformation:
    """``g * sqrt(mean(p**2))`` for each leaf p, where the root is no less than ``min_scale``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.scale_by_param_block_rms()
        >>> params = np.array([3.0, -3.0])
        >>> tx.update(np.array([1.0, -2.0]), tx.init(params), params)[0]
        array([ 3., -6.])
    """
    return stateless(
        lambda updates, params: map_leaves(
            lambda g, p: g * _safe_rms(p, min_scale), updates, needed(params)
        )
    )


@says_how_made
def normalize_by_update_norm(scale_factor: Any = 1.0, eps: Any = 1e-6) -> GradientTransformation:
    """All updates divided by ``(norm of all + eps) / scale_factor``.

    Example:
        >>> from functrace import optim
        >>> tx = optim.normalize_by_update_norm()
        >>> updates, _ = tx.update([3.0, 4.0], tx.init([0.0, 0.0]))
        >>> [round(float(u), 3) for u in updates]
        [0.6, 0.8]
    """

    def change(updates: Any, params: Any) -> Any:
        length = (norm(updates) + eps) / scale_factor
        return map_leaves(lambda g: g / number_for(length, g), updates)

    return stateless(change)


@says_how_made
def centralize() -> GradientTransformation:
    """Without the mean of all axes but the first (Yong et al., Gradient centralization, 2020).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.centralize()
        >>> tx.update(np.array([[1.0, 3.0], [5.0, 5.0]]), tx.init(np.zeros((2, 2))))[0]
        array([[-1.,  1.],
               [ 0.,  0.]])
    """

    def change(g: Any) -> Any:
        rank = len(shape_of(g))
        return g - np.mean(g, axis=tuple(range(1, rank)), keepdims=True) if rank > 1 else g

    return of_each(change)


# Within limits


@says_how_made
def clip(max_delta: Any) -> GradientTransformation:
    """Each element of g within ``-max_delta`` and ``max_delta``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.clip(1.0)
        >>> tx.update(np.array([0.5, 3.0, -7.0]), tx.init(np.zeros(3)))[0]
        array([ 0.5,  1. , -1. ])
    """
    return of_each(lambda g: np.clip(g, -number_for(max_delta, g), number_for(max_delta, g)))


@says_how_made
def clip_by_block_rms(threshold: Any) -> GradientTransformation:
    """Each leaf divided by ``max(1, sqrt(mean(g**2)) / threshold)``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.clip_by_block_rms(1.0)
        >>> tx.update([np.array([4.0, -4.0]), np.array([0.5, 0.5])], tx.init([0.0, 0.0]))[0]
        [array([ 1., -1.]), array([0.5, 0.5])]
    """

    def change(g: Any) -> Any:
        size = _safe_rms(g, 0.0) / number_for(threshold, g)
        return g / np.maximum(size, dtype_of(size).type(1))

    return of_each(change)


@says_how_made
def clip_by_global_norm(max_norm: Any) -> GradientTransformation:
    """All leaves times ``max_norm / norm of all`` where that is less than 1.

    Pascanu, Mikolov and Bengio, On the difficulty of training recurrent networks, ICML 2013.

    Example:
        >>> from functrace import optim
        >>> tx = optim.clip_by_global_norm(1.0)
        >>> updates, _ = tx.update([3.0, 4.0], tx.init([0.0, 0.0]))
        >>> [round(float(u), 3) for u in updates]
        [0.6, 0.8]
    """

    def change(updates: Any, params: Any) -> Any:
        square = norm(updates, squared=True)
        is_short = np.less(square, np.square(max_norm))
        length = np.sqrt(np.where(is_short, 1, square))

        def clipped(g: Any) -> Any:
            return np.where(is_short, g, g / number_for(length, g) * number_for(max_norm, g))[()]

        return map_leaves(clipped, updates)

    return stateless(change)


def per_example_global_norm_clip(grads: Any, l2_norm_clip: Any) -> tuple[Any, Any]:
    """The sum of gradients of examples, each of them no longer than a limit (Abadi et al., 2016).

    Args:
        grads: A tree of arrays whose first axis is that of the examples, as `functrace.vmap` of a
            gradient returns it.
        l2_norm_clip: The greatest length of the gradient of an example, all leaves together.

    Returns:
        The sums, without the axis of examples, and how many gradients were longer.

    Raises:
        ShapeMismatchError: The leaves have not one number of examples.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.per_example_global_norm_clip([np.array([[3.0, 4.0], [0.5, 0.0]])], 1.0)
        ([array([1.1, 0.8])], np.int64(1))
    """
    shapes = [shape_of(g) for g in leaves(grads)]
    if () in shapes or len({shape[0] for shape in shapes}) > 1:
        raise ShapeMismatchError(
            f"Gradients of examples have an axis of examples first; these are of shapes {shapes}.",
            advice="They are those of functrace.vmap(functrace.grad(loss), (None, 0)).",
        )
    rows = [np.reshape(squares(g), (shape_of(g)[0], -1)) for g in leaves(grads)]
    lengths = np.sqrt(sum(np.sum(row, axis=1) for row in rows))
    is_long = np.greater(lengths, l2_norm_clip)
    factors = np.where(is_long, l2_norm_clip / np.where(is_long, lengths, 1), 1)
    sums = map_leaves(lambda g: np.tensordot(number_for(factors, g), g, axes=1), grads)
    return sums, np.sum(is_long)


def per_example_layer_norm_clip(
    grads: Any, global_l2_norm_clip: Any, uniform: bool = True
) -> tuple[Any, Any]:
    """As `per_example_global_norm_clip`, for each leaf by itself (McMahan et al., 2018).

    Args:
        grads: A tree of arrays whose first axis is that of the examples.
        global_l2_norm_clip: The greatest length of the gradient of an example. Its square is shared
            out among the leaves,
        uniform: evenly, or else by their sizes.

    Returns:
        The sums, and a tree of how many gradients were longer.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.per_example_layer_norm_clip([np.array([[3.0, 4.0], [0.5, 0.0]])], 1.0)
        ([array([1.1, 0.8])], [np.int64(1)])
    """
    found, structure = flatten(grads)
    sizes = [1 if uniform else math.prod(shape_of(g)[1:]) for g in found]
    limits = [global_l2_norm_clip * (size / sum(sizes)) ** 0.5 for size in sizes]
    pairs = [per_example_global_norm_clip(g, n) for g, n in zip(found, limits, strict=True)]
    sums, counts = zip(*pairs, strict=True)
    return unflatten(structure, list(sums)), unflatten(structure, list(counts))


def unitwise_norm(x: Any, axis: Any = None) -> Any:
    """The norms of the weights of each unit: of vectors their own, of matrices the columns'."""
    rank = len(shape_of(x))
    if axis is None and rank > 5:
        raise ArgumentError(f"An array of {rank} axes has no units.", advice="Say the axis.")
    is_small = sum(length != 1 for length in shape_of(x)) <= 1
    if axis is None and not is_small:
        axis = {2: 0, 3: 0, 4: (0, 1, 2), 5: (0, 1, 2, 3)}[rank]
    square = np.sum(squares(x), axis=axis, keepdims=True)
    is_zero = np.equal(square, 0)
    root = np.where(is_zero, 0, np.sqrt(np.where(is_zero, 1, square)))
    return np.broadcast_to(root, shape_of(x))


@says_how_made
def adaptive_grad_clip(clipping: Any, eps: Any = 1e-3, axis: Any = None) -> GradientTransformation:
    """Of each unit g no longer than ``clipping`` times its weights p, or than ``eps``.

    Brock et al., High-performance large-scale image recognition without normalization, 2021.

    Args:
        clipping: How long g is at most, in lengths of p.
        eps: The least length that p is taken to have.
        axis: Over which axes the weights of a unit are; None for all of a vector, the first one of
            two or three axes, and all but the last one of four or five.

    Raises:
        ArgumentError: There are more axes, and it is not said which.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.adaptive_grad_clip(0.1)
        >>> params = np.array([0.0, 10.0])
        >>> tx.update(np.array([3.0, 4.0]), tx.init(params), params)[0].round(3)
        array([0.6, 0.8])
    """

    def change(g: Any, p: Any) -> Any:
        length, weight = unitwise_norm(g, axis), unitwise_norm(p, axis)
        longest = number_for(clipping, g) * np.maximum(weight, number_for(eps, g))
        below = np.maximum(length, number_for(1e-6, g))
        return np.where(np.less(length, longest), g, g * (longest / below))[()]

    return stateless(lambda updates, params: map_leaves(change, updates, needed(params)))


@says_how_made
def zero_nans() -> GradientTransformation:
    """Zeros where g is nan.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.zero_nans()
        >>> tx.update(np.array([1.0, np.nan, np.inf]), tx.init(np.zeros(3)))[0]
        array([ 1.,  0., inf])
    """
    return of_each(lambda g: np.where(np.isnan(g), 0 * np.nan_to_num(g), g)[()])


@says_how_made
def keep_params_nonnegative() -> GradientTransformation:
    """Updates after which no parameter is negative.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.keep_params_nonnegative()
        >>> params = np.array([1.0, 1.0])
        >>> tx.update(np.array([-0.5, -3.0]), tx.init(params), params)[0]
        array([-0.5, -1. ])
    """
    return stateless(
        lambda updates, params: map_leaves(
            lambda g, p: np.where(np.less(p + g, 0), -p, g)[()], updates, needed(params)
        )
    )


# Additions


class AddNoiseState(NamedTuple):
    """How many steps there were, and a key.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> state = optim.add_noise(eta=0.01, gamma=0.55, key=0).init(np.ones(2))
        >>> int(state.count)
        0
    """

    count: Any
    rng_key: Any


@says_how_made
def add_noise(eta: Any, gamma: Any, key: Any) -> GradientTransformation:
    """``g + sqrt(eta / t**gamma) * noise`` (Neelakantan et al., Adding gradient noise, 2014).

    Args:
        eta: The variance of the noise in the first step.
        gamma: How fast it falls.
        key: A key of `functrace.random`, or a seed.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> tx = optim.add_noise(eta=0.01, gamma=0.55, key=0)
        >>> updates, state = tx.update(np.ones(1000), tx.init(np.zeros(1000)))
        >>> updates.mean().round(2), updates.std().round(2)
        (np.float64(1.0), np.float64(0.1))
    """
    first = key_of(key) if isinstance(key, int) else key

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        size = np.sqrt(eta / count**gamma)
        key, other = split(state.rng_key)
        found, structure = flatten(updates)
        keys = split(other, len(found))
        result = [
            g + number_for(size, g) * cast_to(normal(keys[n], shape_of(g)), dtype_of(g))
            for n, g in enumerate(found)
        ]
        return unflatten(structure, result), AddNoiseState(count, key)

    return GradientTransformation(lambda params: AddNoiseState(no_steps(), first), update)


@says_how_made
def scale_by_polyak(
    f_min: Any = 0.0, max_learning_rate: Any = 1.0, eps: Any = 0.0, variant: str = "sps"
) -> GradientTransformationExtraArgs:
    """``g * min((value - f_min) / (norm(g)**2 + eps), max_learning_rate)``.

    Loizou et al., Stochastic Polyak step-size, AISTATS 2021. The update takes ``value``, that of
    the loss, by its keyword.

    Args:
        f_min: The least value of the loss.
        max_learning_rate: The longest step.
        eps: Is added to the squared norm.
        variant: "sps", or "sps+" for a gap that is not negative.

    Raises:
        ArgumentError: There is no such variant.

    Example:
        >>> from functrace import optim
        >>> tx = optim.scale_by_polyak()
        >>> float(tx.update(8.0, tx.init(4.0), 4.0, value=16.0)[0])
        2.0
    """
    if variant not in ("sps", "sps+"):
        raise ArgumentError(f"variant={variant!r} is neither 'sps' nor 'sps+'.")

    def update(
        updates: Any, state: Any, params: Any = None, *, value: Any, **extra: Any
    ) -> tuple[Any, Any]:
        below = norm(updates, squared=True) + eps
        gap = value - f_min if variant == "sps" else np.maximum(value - f_min, 0)
        is_zero = np.less_equal(below, np.finfo(float).eps)
        step = np.where(
            is_zero, 0, np.minimum(gap / np.where(is_zero, 1, below), max_learning_rate)
        )
        return map_leaves(lambda g: number_for(step, g) * g, updates), state

    return GradientTransformationExtraArgs(empty, update)
