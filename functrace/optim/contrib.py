"""Optimizers that find their own rates, and others of ``optax.contrib``, by its names and formulas.

In the formulas g is the gradient at step t, p are the parameters, and the update stands on the
left. Where a number of all parameters is kept it has the smallest of their dtypes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from functrace.control.collectives import pmean
from functrace.errors import ArgumentError
from functrace.factories import says_how_made
from functrace.optim.base import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    apply_updates,
    identity,
    needed,
    no_steps,
    safe_increment,
    stateless,
    with_extra_args_support,
)
from functrace.optim.combining import MaskedNode, add_decayed_weights, chain, partition
from functrace.optim.optimizers import adamw, sgd
from functrace.optim.schedules import warmup_constant_schedule
from functrace.optim.transformations import (
    ScaleByAdamState,
    per_example_global_norm_clip,
    scale_by_learning_rate,
    scale_by_rms,
    trace,
)
from functrace.optim.tree import (
    add,
    add_scale,
    bias_correction,
    cast,
    dtype,
    norm,
    number_for,
    ones_like,
    scale,
    sub,
    update_moment,
    update_moment_per_elem_norm,
    vdot,
    where,
    zeros_like,
)
from functrace.optim.tree import sum as total
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.random.continuous import normal
from functrace.random.keys import key as key_of
from functrace.random.keys import split
from functrace.tracing.operands import as_operand
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import flatten, unflatten


def _number(x: Any, params: Any) -> Any:
    """A number in the smallest dtype of the parameters."""
    return cast_to(as_operand(x), dtype(params, "lowest"))


def _rate(learning_rate: Any, count: Any) -> Any:
    """A learning rate, or what its schedule gives."""
    return learning_rate(count) if callable(learning_rate) else learning_rate


# Averages in place of schedules


class ScheduleFreeState(NamedTuple):
    """What `schedule_free` keeps: z and the weights of the average.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.schedule_free_sgd(0.1).init(2.0).z)
        2.0
    """

    b1: Any
    weight_sum: Any
    step_count: Any
    max_lr: Any
    base_optimizer_state: Any
    z: Any


@says_how_made
def schedule_free(
    base_optimizer: GradientTransformation,
    learning_rate: Any,
    b1: Any = 0.9,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """An average of all steps in place of a schedule (Defazio et al., Schedule-Free, 2024).

    The gradient is that at ``y = (1 - b1) * z + b1 * x``: z takes the steps, x is their average,
    and the parameters are y. `schedule_free_eval_params` gives x.

    Args:
        base_optimizer: What makes steps of gradients, without momentum.
        learning_rate: Its learning rate, a number or a schedule; it weighs the average.
        b1: How near y is to x: what the momentum is elsewhere.
        weight_lr_power: Of the greatest learning rate so far, as a weight.
        state_dtype: Of z; None for that of the parameters.

    Example:
        >>> import functrace as ft
        >>> optimizer = ft.optim.contrib.schedule_free(ft.optim.sgd(0.5), 0.5)
        >>> y, state = 4.0, optimizer.init(4.0)
        >>> for _ in range(100):
        ...     updates, state = optimizer.update(y - 3.0, state, y)
        ...     y = ft.optim.apply_updates(y, updates)
        >>> round(float(ft.optim.contrib.schedule_free_eval_params(state, y)), 2)
        3.0
    """
    inner = with_extra_args_support(base_optimizer)

    def init(params: Any) -> ScheduleFreeState:
        zero = _number(0, params)
        first = inner.init(params)
        b1_kept = _number(b1, params)
        z = cast(params, state_dtype)
        return ScheduleFreeState(b1_kept, zero, no_steps() + np.int32(1), zero, first, z)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        rate = cast_to(as_operand(_rate(learning_rate, state.step_count)), dtype_of(state.max_lr))
        most = np.maximum(state.max_lr, rate)
        weight = number_for(most**weight_lr_power, state.max_lr)
        weights = state.weight_sum + weight
        # Nothing is averaged before the first rate that is not 0.
        none = np.equal(weights, 0)
        share = np.where(none, number_for(0, weights), weight / np.where(none, 1, weights))
        steps, after = inner.update(updates, state.base_optimizer_state, needed(params), **extra)
        z = apply_updates(state.z, steps)
        x = _average(params, state.z, b1)
        x = map_leaves(lambda x, z: x + number_for(share, x) * (z - x), x, z)
        new = map_leaves(lambda x, z: number_for(b1, x) * x + number_for(1 - b1, x) * z, x, z)
        kept = state._replace(
            weight_sum=weights,
            step_count=safe_increment(state.step_count),
            max_lr=most,
            base_optimizer_state=after,
            z=z,
        )
        return sub(new, params), kept

    return GradientTransformationExtraArgs(init, update)


def _average(y: Any, z: Any, b1: Any) -> Any:
    return map_leaves(lambda y, z: (y - number_for(1 - b1, y) * z) / number_for(b1, y), y, z)


def schedule_free_eval_params(state: Any, params: Any) -> Any:
    """The average of the steps of `schedule_free`: the parameters to evaluate with.

    Raises:
        ArgumentError: The state is none of `schedule_free`.

    Example:
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.schedule_free_sgd(0.5)
        >>> float(contrib.schedule_free_eval_params(optimizer.init(4.0), 4.0))
        4.0
    """
    if not hasattr(state, "z") or not hasattr(state, "b1"):
        raise ArgumentError(f"The average is in the state of schedule_free, not in {state!r:.60}.")
    return _average(params, state.z, state.b1)


@says_how_made
def schedule_free_sgd(
    learning_rate: Any = 1.0,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    weight_decay: Any = None,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """Gradient descent by `schedule_free`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.schedule_free_sgd(0.5)
        >>> x = np.array([2.0, -4.0])
        >>> optimizer.update(np.array([1.0, 1.0]), optimizer.init(x), x)[0]
        array([-0.5, -0.5])
    """
    rate = _warmed_up(learning_rate, warmup_steps)
    decay = identity() if weight_decay is None else add_decayed_weights(weight_decay)
    return schedule_free(chain(decay, sgd(rate)), rate, b1, weight_lr_power, state_dtype)


@says_how_made
def schedule_free_adamw(
    learning_rate: Any = 0.0025,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """AdamW by `schedule_free`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.schedule_free_adamw(0.5)
        >>> x = np.array([2.0, -4.0])
        >>> optimizer.update(np.array([1.0, -3.0]), optimizer.init(x), x)[0].round(6)
        array([-0.5,  0.5])
    """
    rate = _warmed_up(learning_rate, warmup_steps)
    inner = chain(
        scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        add_decayed_weights(weight_decay),
        scale_by_learning_rate(rate),
    )
    return schedule_free(inner, rate, b1, weight_lr_power, state_dtype)


def _warmed_up(learning_rate: Any, steps: int | None) -> Any:
    return learning_rate if steps is None else warmup_constant_schedule(0, learning_rate, steps)


# Rates that are found while training


class ProdigyState(NamedTuple):
    """What `prodigy` keeps: moments, where it began, and the estimate of the rate.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.prodigy().init(1.0).estim_lr)
        1e-06
    """

    exp_avg: Any
    exp_avg_sq: Any
    grad_sum: Any
    params0: Any
    estim_lr: Any
    numerator_weighted: Any
    count: Any


@says_how_made
def prodigy(
    learning_rate: Any = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    beta3: Any = None,
    eps: Any = 1e-8,
    estim_lr0: Any = 1e-6,
    estim_lr_coef: Any = 1.0,
    weight_decay: Any = 0.0,
    safeguard_warmup: bool = False,
) -> GradientTransformationExtraArgs:
    """Adam whose rate is an estimate d of the distance to go (Mishchenko and Defazio, 2023).

    ``d = maximum(d, coef * r / sum(abs(s)))``, with ``s = beta3 * s + d * rate * g / d_0`` and
    ``r = beta3 * r + d * rate * g @ (p_0 - p) / d_0``, of gradients ``d * g``.

    Args:
        learning_rate: What d is multiplied by: 1, or a schedule from 1 on.
        betas: What is left of the moments after a step.
        beta3: What is left of r and s; None for the root of the second of them.
        eps: What is added to the root, times d.
        estim_lr0: The first d: less than any distance.
        estim_lr_coef: A factor of the estimate.
        weight_decay: How fast weights decay by themselves.
        safeguard_warmup: Whether s leaves the rate out.

    Example:
        >>> import functrace as ft
        >>> optimizer = ft.optim.contrib.prodigy()
        >>> x, state = 5.0, optimizer.init(5.0)
        >>> for _ in range(300):
        ...     updates, state = optimizer.update(2 * (x - 2.0), state, x)
        ...     x = ft.optim.apply_updates(x, updates)
        >>> round(float(x), 1)
        2.0
    """
    beta1, beta2 = betas
    beta3 = beta2**0.5 if beta3 is None else beta3

    def init(params: Any) -> ProdigyState:
        zeros, zero = zeros_like(params), _number(0, params)
        first = _number(estim_lr0, params)
        return ProdigyState(zeros, zeros, zeros, params, first, zero, no_steps())

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        count, d = safe_increment(state.count), state.estim_lr
        corrected = (1 - beta2**count) ** 0.5 / (1 - beta1**count)
        rate = number_for(d * _rate(learning_rate, state.count) * corrected, d)
        seen = scale(d, updates)
        first = update_moment(seen, state.exp_avg, beta1, 1)
        second = update_moment(seen, state.exp_avg_sq, beta2, 2)
        weight = (d if safeguard_warmup else rate) / estim_lr0
        s = add_scale(scale(beta3, state.grad_sum), weight, seen)
        moved = vdot(updates, sub(state.params0, needed(params)))
        r = beta3 * state.numerator_weighted + d / estim_lr0 * rate * moved
        estimate = estim_lr_coef * r / total(map_leaves(np.abs, s))
        after = np.maximum(d, number_for(estimate, d))
        steps = map_leaves(
            lambda m, v, p: (
                -number_for(rate, p)
                * (number_for(weight_decay, p) * p + m / (np.sqrt(v) + number_for(after * eps, v)))
            ),
            first,
            second,
            params,
        )
        kept = ProdigyState(first, second, s, state.params0, after, number_for(r, d), count)
        return steps, kept

    return GradientTransformationExtraArgs(init, update)


class DAdaptAdamWState(NamedTuple):
    """What `dadapt_adamw` keeps: moments and the estimate of the rate.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.dadapt_adamw().init(1.0).estim_lr)
        1e-06
    """

    exp_avg: Any
    exp_avg_sq: Any
    grad_sum: Any
    estim_lr: Any
    numerator_weighted: Any
    count: Any


@says_how_made
def dadapt_adamw(
    learning_rate: Any = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    estim_lr0: Any = 1e-6,
    weight_decay: Any = 0.0,
) -> GradientTransformationExtraArgs:
    """AdamW whose rate is an estimate d of the distance to go (Defazio and Mishchenko, 2023).

    ``d = maximum(d, r / ((1 - b) * sum(abs(s))))``, where r and s are averages, with weight
    ``b = sqrt(beta2)``, of ``d * rate * g @ s / (sqrt(v) + eps)`` and of ``d * rate * g``.

    Example:
        >>> import functrace as ft
        >>> optimizer = ft.optim.contrib.dadapt_adamw()
        >>> x, state = 5.0, optimizer.init(5.0)
        >>> for _ in range(300):
        ...     updates, state = optimizer.update(2 * (x - 2.0), state, x)
        ...     x = ft.optim.apply_updates(x, updates)
        >>> abs(float(x) - 2.0) < 0.2
        True
    """
    beta1, beta2 = betas
    b = beta2**0.5

    def init(params: Any) -> DAdaptAdamWState:
        zeros, zero = zeros_like(params), _number(0, params)
        first = _number(estim_lr0, params)
        return DAdaptAdamWState(zeros, zeros, zeros, first, zero, no_steps())

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        count, d = safe_increment(state.count), state.estim_lr
        corrected = (1 - beta2**count) ** 0.5 / (1 - beta1**count)
        rate = number_for(d * _rate(learning_rate, state.count) * corrected, d)
        weighted = map_leaves(
            lambda s, v: s / (np.sqrt(v) + number_for(eps, v)), state.grad_sum, state.exp_avg_sq
        )
        moved = scale(rate, updates)
        first = update_moment(moved, state.exp_avg, beta1, 1)
        second = update_moment(updates, state.exp_avg_sq, beta2, 2)
        s = update_moment(moved, state.grad_sum, b, 1)
        r = b * state.numerator_weighted + (1 - b) * rate * vdot(updates, weighted)
        estimate = r / ((1 - b) * total(map_leaves(np.abs, s)))
        steps = map_leaves(
            lambda m, v, p: (
                -number_for(weight_decay * rate, p) * p - m / (np.sqrt(v) + number_for(eps, v))
            ),
            first,
            second,
            needed(params),
        )
        after = np.maximum(d, number_for(estimate, d))
        return steps, DAdaptAdamWState(first, second, s, after, number_for(r, d), count)

    return GradientTransformationExtraArgs(init, update)


class DoGState(NamedTuple):
    """What `dog` keeps: where it began, how far it came, and the squares of gradients.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.scale_by_dog(("distance", 0.5)).init(1.0).max_dist)
        0.5
    """

    is_init_step: Any
    init_params: Any
    max_dist: Any
    sum_sq_norm_grads: Any


@says_how_made
def scale_by_dog(
    init_step: tuple[Literal["distance", "learning_rate", "heuristic"], Any], eps: Any = 1e-8
) -> GradientTransformation:
    """``max(norm(p - p_0)) / sqrt(sum(norm(g)**2) + eps) * g`` (Ivgi et al., DoG, 2023).

    Args:
        init_step: ("distance", r) begins with r for the distance, ("heuristic", a) with
            ``a * (1 + norm(p_0))``, and ("learning_rate", rate) with this factor of the first g.
        eps: What is added to the sum.

    Raises:
        ArgumentError: There is no such way to begin.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_dog(("distance", 0.5))
        >>> tx.update(np.array([3.0, 4.0]), tx.init(np.zeros(2)), np.zeros(2))[0].round(6)
        array([0.3, 0.4])
    """
    kind, value = init_step
    if kind not in ("distance", "heuristic", "learning_rate"):
        raise ArgumentError(
            f"init_step={init_step!r} begins with none of 'distance', 'heuristic', 'learning_rate'."
        )

    def init(params: Any) -> DoGState:
        first = {"distance": value, "learning_rate": 0}.get(kind)
        first = value * (1 + norm(params)) if first is None else first
        zero = _number(0, params)
        return DoGState(np.array(True), params, _number(first, params), zero)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        far = number_for(norm(sub(state.init_params, needed(params))), state.max_dist)
        most = np.maximum(state.max_dist, far)
        squares = state.sum_sq_norm_grads + number_for(norm(updates, squared=True), most)
        rate = most / np.sqrt(squares + number_for(eps, squares))
        if kind == "learning_rate":
            rate = np.where(state.is_init_step, number_for(value, rate), rate)
        return scale(rate, updates), DoGState(np.array(False), state.init_params, most, squares)

    return GradientTransformation(init, update)


@says_how_made
def dog(
    learning_rate: Any = 1.0,
    init_step: tuple[Literal["distance", "learning_rate", "heuristic"], Any] = ("heuristic", 1e-6),
    eps: Any = 1e-8,
    weight_decay: Any = None,
    mask: Any = None,
) -> GradientTransformation:
    """Distance over gradients: see `scale_by_dog`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.dog(init_step=("distance", 0.5))
        >>> optimizer.update(np.array([3.0, 4.0]), optimizer.init(np.zeros(2)), np.zeros(2))[0]
        array([-0.3, -0.4])
    """
    decay = identity() if weight_decay is None else add_decayed_weights(weight_decay, mask)
    return chain(decay, scale_by_dog(init_step, eps), scale_by_learning_rate(learning_rate))


class DoWGState(NamedTuple):
    """What `dowg` keeps: where it began, weighted squares of gradients, and the squared distance.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.scale_by_dowg().init(1.0).estim_sq_dist)
        0.0001
    """

    init_params: Any
    weighted_sq_norm_grads: Any
    estim_sq_dist: Any


@says_how_made
def scale_by_dowg(init_estim_sq_dist: Any = None, eps: Any = 1e-4) -> GradientTransformation:
    """``r / (sqrt(v) + eps) * g``, ``v = v + r * norm(g)**2`` (Khaled et al., DoWG, 2023).

    r is the greatest of all ``norm(p - p_0)**2``; at first ``init_estim_sq_dist``, or else eps.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_dowg(init_estim_sq_dist=0.25, eps=0.0)
        >>> tx.update(np.array([3.0, 4.0]), tx.init(np.zeros(2)), np.zeros(2))[0]
        array([0.3, 0.4])
    """

    def init(params: Any) -> DoWGState:
        first = eps if init_estim_sq_dist is None else init_estim_sq_dist
        return DoWGState(params, _number(0, params), _number(first, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        moved = norm(sub(state.init_params, needed(params)), squared=True)
        far = np.maximum(state.estim_sq_dist, number_for(moved, state.estim_sq_dist))
        square = number_for(norm(updates, squared=True), far)
        weighted = far * square + state.weighted_sq_norm_grads
        rate = far / (np.sqrt(weighted) + number_for(eps, weighted))
        return scale(rate, updates), DoWGState(state.init_params, weighted, far)

    return GradientTransformation(init, update)


@says_how_made
def dowg(
    learning_rate: Any = 1.0,
    init_estim_sq_dist: Any = None,
    eps: Any = 1e-4,
    weight_decay: Any = None,
    mask: Any = None,
) -> GradientTransformation:
    """Distance over weighted gradients: see `scale_by_dowg`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.dowg(init_estim_sq_dist=0.25, eps=0.0)
        >>> optimizer.update(np.array([3.0, 4.0]), optimizer.init(np.zeros(2)), np.zeros(2))[0]
        array([-0.3, -0.4])
    """
    decay = identity() if weight_decay is None else add_decayed_weights(weight_decay, mask)
    tx = scale_by_dowg(init_estim_sq_dist, eps)
    return chain(decay, tx, scale_by_learning_rate(learning_rate))


class COCOBState(NamedTuple):
    """What `cocob` keeps of each element: the bets of a gambler, and what they won.

    Example:
        >>> from functrace.optim import contrib
        >>> contrib.scale_by_cocob().init(1.0).reward
        array(0.)
    """

    init_particles: Any
    cumulative_gradients: Any
    scale: Any
    subgradients: Any
    reward: Any


@says_how_made
def scale_by_cocob(alpha: Any = 100.0, eps: Any = 1e-8) -> GradientTransformation:
    """Coin betting, which needs no rate (Orabona and Tommasi, COCOB-Backprop, 2017).

    ``p = p_0 - c / (l * maximum(a + l, alpha * l)) * (l + r)``, where c and a are the sums of g and
    of ``abs(g)``, l is the greatest ``abs(g)``, and ``r = maximum(r - g * (p - p_0), 0)``.

    Args:
        alpha: How small the first steps are.
        eps: The least l.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_cocob(alpha=4.0)
        >>> x = np.array([1.0, 2.0])
        >>> tx.update(np.array([3.0, -5.0]), tx.init(x), x)[0]
        array([-0.25,  0.25])
    """

    def init(params: Any) -> COCOBState:
        zeros = zeros_like(params)
        return COCOBState(params, zeros, scale(eps, ones_like(params)), zeros, zeros)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        size = map_leaves(lambda s, g: np.maximum(s, np.abs(g)), state.scale, updates)
        sums = map_leaves(lambda a, g: a + np.abs(g), state.subgradients, updates)
        moved = sub(needed(params), state.init_particles)
        won = map_leaves(
            lambda r, g, d: np.maximum(r - g * d, number_for(0, r)), state.reward, updates, moved
        )
        theta = sub(state.cumulative_gradients, updates)
        steps = map_leaves(
            lambda d, c, s, a, r: (
                c / (s * np.maximum(a + s, number_for(alpha, s) * s)) * (s + r) - d
            ),
            moved,
            theta,
            size,
            sums,
            won,
        )
        return steps, COCOBState(state.init_particles, theta, size, sums, won)

    return GradientTransformation(init, update)


@says_how_made
def cocob(
    learning_rate: Any = 1.0,
    alpha: Any = 100.0,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """Coin betting: see `scale_by_cocob`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.cocob(alpha=4.0)
        >>> x = np.array([1.0, 2.0])
        >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(x), x)[0]
        array([-0.25,  0.25])
    """
    return chain(
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate, flip_sign=False),
        scale_by_cocob(alpha, eps),
    )


class MechanicState(NamedTuple):
    """What `mechanize` keeps: bets on the size of the steps, for some rates of forgetting.

    Example:
        >>> from functrace import optim
        >>> optim.contrib.mechanize(optim.sgd(1.0)).init(1.0).s
        array([1.e-06, 1.e-06, 1.e-06, 1.e-06, 1.e-06, 1.e-06])
    """

    base_optimizer_state: Any
    count: Any
    r: Any
    m: Any
    v: Any
    s: Any
    x0: Any


@says_how_made
def mechanize(
    base_optimizer: GradientTransformation,
    weight_decay: Any = 0.01,
    eps: Any = 1e-8,
    s_init: Any = 1e-6,
    num_betas: int = 6,
) -> GradientTransformationExtraArgs:
    """A factor s of an optimizer's steps, found while training (Cutkosky et al., Mechanic, 2023).

    ``p = p_0 + sum(s) * (all steps so far)``, where each s, for ``beta = 1 - 0.1**k``, is the
    wealth of a gambler who bets on ``h = g @ (p_0 - p) / sum(s)``.

    Args:
        base_optimizer: The optimizer, of learning rate 1.
        weight_decay: How much of the parameters is added to g, of the length of g.
        eps: What divisors are kept from 0 by.
        s_init: The first s.
        num_betas: How many of them there are.

    Example:
        >>> import functrace as ft
        >>> optimizer = ft.optim.contrib.mechanize(ft.optim.sgd(1.0), s_init=1e-3)
        >>> x, state = 5.0, optimizer.init(5.0)
        >>> for _ in range(300):
        ...     updates, state = optimizer.update(2 * (x - 2.0), state, x)
        ...     x = ft.optim.apply_updates(x, updates)
        >>> abs(float(x) - 2.0) < 0.3
        True
    """
    inner = with_extra_args_support(base_optimizer)

    def init(params: Any) -> MechanicState:
        zeros = np.zeros(num_betas, dtype(params, "lowest"))
        first = np.full(num_betas, s_init, zeros.dtype)
        return MechanicState(inner.init(params), no_steps(), zeros, zeros, zeros, first, params)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        params = needed(params)
        steps, after = inner.update(updates, state.base_optimizer_state, params, **extra)
        start = where(np.equal(state.count, 0), params, state.x0)
        size = np.sum(state.s)
        decay = weight_decay * size * norm(updates) / (norm(params) + eps)
        updates = add_scale(updates, decay, params)
        before = scale(1 / (size + eps), sub(start, params))
        delta = sub(before, steps)
        h = number_for(vdot(updates, before), state.m)
        betas = np.array([1 - 0.1**k for k in range(1, num_betas + 1)], dtype_of(state.s))
        m = np.maximum(betas * state.m, np.abs(h) + number_for(eps, h))
        v = betas**2 * state.v + h * h
        r = betas * state.r + np.clip(h, -state.m, state.m) * state.s
        wealth = number_for(s_init / num_betas, m) * m + np.maximum(r, number_for(0, r))
        s = wealth / (np.sqrt(v) + number_for(eps, v))
        new = add_scale(start, -np.sum(s), delta)
        count = safe_increment(state.count)
        return sub(new, params), MechanicState(after, count, r, m, v, s, start)

    return GradientTransformationExtraArgs(init, update)


class MomoState(NamedTuple):
    """What `momo` keeps: averages of gradients, of losses, and a bound below the loss.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.momo(lower_bound=0.5).init(1.0).lb)
        0.5
    """

    exp_avg: Any
    barf: Any
    gamma: Any
    lb: Any
    count: Any


@says_how_made
def momo(
    learning_rate: Any = 1.0,
    beta: Any = 0.9,
    lower_bound: Any = 0.0,
    weight_decay: Any = 0.0,
    adapt_lower_bound: bool = False,
) -> GradientTransformationExtraArgs:
    """Momentum whose rate is bounded by a model of the loss (Schaipp et al., MoMo, 2023).

    ``-minimum(rate, maximum(f + d @ p - c - bound, 0) / norm(d)**2) * d``, where d, f and c are
    averages of g, of the loss, and of ``g @ p``; each step is given the loss as ``value``.

    Args:
        learning_rate: The greatest rate, a number or a schedule.
        beta: What is left of the averages after a step.
        lower_bound: What no loss is less than.
        weight_decay: How fast weights decay by themselves.
        adapt_lower_bound: Whether the bound is estimated.

    Example:
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.momo(10.0)
        >>> updates, _ = optimizer.update(8.0, optimizer.init(4.0), 4.0, value=16.0)
        >>> float(updates)
        -2.0
    """

    def init(params: Any) -> MomoState:
        zero, bound = _number(0, params), _number(lower_bound, params)
        return MomoState(zeros_like(params), zero, zero, bound, no_steps())

    def update(
        updates: Any, state: Any, params: Any = None, *, value: Any, **extra: Any
    ) -> tuple[Any, Any]:
        params, alpha = needed(params), _rate(learning_rate, state.count)
        b = np.where(np.equal(state.count, 0), 0.0, beta)
        average = update_moment(updates, state.exp_avg, b, 1)
        loss = number_for(b * state.barf + (1 - b) * value, state.barf)
        gamma = number_for(b * state.gamma + (1 - b) * vdot(updates, params), loss)
        found = _Model(average, average, params, loss, gamma)
        rate, bound = found.step(alpha, 1, state.lb, weight_decay, lower_bound, adapt_lower_bound)
        steps = found.updates(alpha, rate, weight_decay)
        count = safe_increment(state.count)
        return steps, MomoState(average, loss, gamma, bound, count)

    return GradientTransformationExtraArgs(init, update)


class MomoAdamState(NamedTuple):
    """What `momo_adam` keeps: moments, averages of losses, and a bound below the loss.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.momo_adam(lower_bound=0.5).init(1.0).lb)
        0.5
    """

    exp_avg: Any
    exp_avg_sq: Any
    barf: Any
    gamma: Any
    lb: Any
    count: Any


@says_how_made
def momo_adam(
    learning_rate: Any = 0.01,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    lower_bound: Any = 0.0,
    weight_decay: Any = 0.0,
    adapt_lower_bound: bool = False,
) -> GradientTransformationExtraArgs:
    """Adam whose rate is bounded by a model of the loss: see `momo` (Schaipp et al., 2023).

    Example:
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.momo_adam(10.0)
        >>> updates, _ = optimizer.update(8.0, optimizer.init(4.0), 4.0, value=16.0)
        >>> round(float(updates), 6)
        -2.0
    """

    def init(params: Any) -> MomoAdamState:
        zeros, zero = zeros_like(params), _number(0, params)
        return MomoAdamState(zeros, zeros, zero, zero, _number(lower_bound, params), no_steps())

    def update(
        updates: Any, state: Any, params: Any = None, *, value: Any, **extra: Any
    ) -> tuple[Any, Any]:
        params, alpha = needed(params), _rate(learning_rate, state.count)
        count = safe_increment(state.count)
        loss = number_for(b1 * state.barf + (1 - b1) * value, state.barf)
        average = update_moment(updates, state.exp_avg, b1, 1)
        second = update_moment(updates, state.exp_avg_sq, b2, 2)
        roots = map_leaves(np.sqrt, bias_correction(second, b2, count))
        scaled = map_leaves(lambda m, v: m / (number_for(eps, v) + v), average, roots)
        gamma = number_for(b1 * state.gamma + (1 - b1) * vdot(updates, params), loss)
        found, began = _Model(average, scaled, params, loss, gamma), 1 - b1**count
        rate, bound = found.step(
            alpha, began, state.lb, weight_decay, lower_bound, adapt_lower_bound
        )
        steps = found.updates(alpha, rate, weight_decay)
        return steps, MomoAdamState(average, second, loss, gamma, bound, count)

    return GradientTransformationExtraArgs(init, update)


class _Model(NamedTuple):
    """A plane through the averages, of which a step goes down to the bound of the loss."""

    average: Any
    scaled: Any
    params: Any
    loss: Any
    gamma: Any

    def step(
        self, alpha: Any, began: Any, bound: Any, decay: Any, lower: Any, adapt: bool
    ) -> tuple[Any, Any]:
        """The rate of this step, and the bound of the next one."""
        square = vdot(self.average, self.scaled)
        product, grown = vdot(self.average, self.params), 1 + alpha * decay
        after = bound
        if adapt:
            cap = grown * (self.loss - self.gamma) + product
            half = np.maximum(cap / (2 * began * grown), lower)
            bound = np.where(np.less(cap, grown * began * bound), half, bound)
        height = np.maximum(grown * (self.loss - began * bound - self.gamma) + product, 0)
        flat = np.less_equal(square, np.finfo(np.float64).eps)
        rate = np.where(flat, 0, height / np.where(flat, 1, square))
        rate = np.minimum(alpha / began, rate)
        if adapt:
            found = (self.loss + product - self.gamma - 0.5 * rate * square) / began
            after = number_for(np.maximum(found, lower), after)
        return rate, after

    def updates(self, alpha: Any, rate: Any, decay: Any) -> Any:
        """What is added to the parameters."""
        kept = alpha * decay / (1 + alpha * decay)
        return map_leaves(
            lambda d, p: -number_for(kept, p) * p - number_for(rate, d) * d,
            self.scaled,
            self.params,
        )


class ReduceLROnPlateauState(NamedTuple):
    """What `reduce_on_plateau` keeps: the factor, the best loss, and how long it has been the best.

    Example:
        >>> from functrace.optim import contrib
        >>> float(contrib.reduce_on_plateau().init(1.0).scale)
        1.0
    """

    scale: Any
    best_value: Any
    plateau_count: Any
    cooldown_count: Any
    count: Any
    avg_value: Any


@says_how_made
def reduce_on_plateau(
    factor: float = 0.1,
    patience: Any = 10,
    rtol: float = 1e-4,
    atol: float = 0.0,
    cooldown: Any = 0,
    accumulation_size: Any = 1,
    min_scale: Any = 0.0,
) -> GradientTransformationExtraArgs:
    """A factor of the updates, made smaller where the loss gets no better; after an optimizer.

    Each step is given the loss as ``value``.

    Args:
        factor: What the factor is multiplied by: between 0 and 1.
        patience: After how many rounds without a better loss.
        rtol: A loss is better if it is less than the best one by this share of it,
        atol: and by this much.
        cooldown: For how many rounds after that the factor stays.
        accumulation_size: How many losses a round has, whose mean counts.
        min_scale: The least factor.

    Raises:
        ArgumentError: The factor or the tolerances are of no use.

    Example:
        >>> from functrace.optim import contrib
        >>> tx = contrib.reduce_on_plateau(factor=0.5, patience=2)
        >>> state, found = tx.init(1.0), []
        >>> for value in [3.0, 2.0, 2.0, 2.0, 2.0, 1.0]:
        ...     updates, state = tx.update(8.0, state, value=value)
        ...     found.append(float(updates))
        >>> found
        [8.0, 8.0, 8.0, 4.0, 4.0, 4.0]
    """
    if not 0 < factor < 1:
        raise ArgumentError(f"factor={factor} is not between 0 and 1.")
    if min(rtol, atol) < 0 or max(rtol, atol) == 0 or rtol > 1:
        raise ArgumentError(
            f"Of rtol={rtol} and atol={atol} none is negative, one is positive, and rtol at most 1."
        )

    def init(params: Any) -> ReduceLROnPlateauState:
        kept = dtype(params, "highest")
        return ReduceLROnPlateauState(
            _number(1, params),
            np.array(np.inf, kept),
            no_steps(),
            no_steps(),
            no_steps(),
            np.zeros((), kept),
        )

    def update(
        updates: Any, state: Any, params: Any = None, *, value: Any, **extra: Any
    ) -> tuple[Any, Any]:
        count = safe_increment(state.count)
        mean = number_for((state.count * state.avg_value + value) / count, state.avg_value)
        whole = np.equal(count, accumulation_size)
        better = np.less(mean, (1 - rtol) * state.best_value - atol)
        zero = np.int32(0)
        waited = np.where(better, zero, safe_increment(state.plateau_count))
        cooling = np.greater(state.cooldown_count, 0)
        due = ~cooling & np.equal(waited, patience)
        least = number_for(min_scale, state.scale)
        size = np.maximum(state.scale * np.where(due, number_for(factor, least), 1), least)
        size = number_for(np.where(cooling, state.scale, size), state.scale)
        cooled = np.where(cooling, state.cooldown_count - np.int32(1), zero)
        cooled = np.where(due, np.int32(cooldown), cooled)
        of_round = ReduceLROnPlateauState(
            size,
            np.where(better, mean, state.best_value),
            np.where(due | cooling, zero, waited),
            cooled,
            zero,
            mean * 0,
        )
        state = where(whole, of_round, state._replace(count=count, avg_value=mean))
        return scale(state.scale, updates), state

    return GradientTransformationExtraArgs(init, update)


# Other averages


class MadgradState(NamedTuple):
    """What `madgrad` keeps: sums of gradients and of their squares, and where it began.

    Example:
        >>> from functrace.optim import contrib
        >>> contrib.scale_by_madgrad(0.1).init(1.0).x0
        1.0
    """

    count: Any
    grad_sum_sq: Any
    s: Any
    x0: Any


@says_how_made
def scale_by_madgrad(
    learning_rate: Any, momentum: float = 0.9, eps: float = 1e-6
) -> GradientTransformation:
    """Dual averages with a cube root in the place of the root (Defazio and Jelassi, MADGRAD, 2021).

    ``p = momentum * p + (1 - momentum) * (p_0 - s / (cbrt(v) + eps))``, where s and v are the sums
    of ``w * g`` and ``w * g**2`` with ``w = (learning_rate + eps) * sqrt(t)``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_madgrad(1.0, momentum=0.5, eps=0.0)
        >>> x = np.zeros(2)
        >>> tx.update(np.array([8.0, -1.0]), tx.init(x), x)[0]
        array([-1. ,  0.5])
    """

    def init(params: Any) -> MadgradState:
        return MadgradState(no_steps(), zeros_like(params), zeros_like(params), params)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        rate = _rate(learning_rate, state.count) + eps
        weight = rate * np.sqrt(state.count + np.int32(1))
        squares = add_scale(state.grad_sum_sq, weight, map_leaves(np.square, updates))
        s = add_scale(state.s, weight, updates)
        moved = map_leaves(
            lambda x, s, v, p: (
                number_for(1 - momentum, p) * (x - s / (np.cbrt(v) + number_for(eps, v)) - p)
            ),
            state.x0,
            s,
            squares,
            needed(params),
        )
        return moved, MadgradState(safe_increment(state.count), squares, s, state.x0)

    return GradientTransformation(init, update)


@says_how_made
def madgrad(
    learning_rate: Any, momentum: float = 0.9, weight_decay: float = 0.0, eps: float = 1e-6
) -> GradientTransformation:
    """Momentumized, adaptive, dual averaged gradients: see `scale_by_madgrad`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.madgrad(1.0, momentum=0.5, eps=0.0)
        >>> x = np.zeros(2)
        >>> optimizer.update(np.array([8.0, -1.0]), optimizer.init(x), x)[0]
        array([-1. ,  0.5])
    """
    return chain(add_decayed_weights(weight_decay), scale_by_madgrad(learning_rate, momentum, eps))


class ScaleByAdemamixState(NamedTuple):
    """What `ademamix` keeps: a fast and a slow average of gradients, and one of their squares.

    Example:
        >>> from functrace.optim import contrib
        >>> contrib.scale_by_ademamix().init(1.0).m2
        array(0.)
    """

    count: Any
    count_m2: Any
    m1: Any
    m2: Any
    nu: Any


@says_how_made
def scale_by_ademamix(
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: Any = 0.9999,
    alpha: Any = 6.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
) -> GradientTransformation:
    """``(m1 / (1 - b1**t) + alpha * m2) / (sqrt(v / (1 - b2**t)) + eps)``.

    Pagliardini, Ablin and Grangier, The AdEMAMix optimizer: better, faster, older, 2024.

    Args:
        b1: What is left of m1, the fast average, after a step.
        b2: What is left of v after a step.
        b3: What is left of m2, the slow average, after a step; a number or a schedule.
        alpha: The weight of m2, a number or a schedule.
        eps: What is added to the root,
        eps_root: and below it.
        mu_dtype: Of the moments; None for that of the parameters.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_ademamix(b3=0.75, alpha=4.0)
        >>> tx.update(np.array([3.0, -5.0]), tx.init(np.zeros(2)))[0].round(6)
        array([ 2., -2.])
    """

    def init(params: Any) -> ScaleByAdemamixState:
        zeros = zeros_like(params, mu_dtype)
        return ScaleByAdemamixState(no_steps(), no_steps(), zeros, zeros, zeros)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        slow, weight = _rate(b3, state.count_m2), _rate(alpha, state.count_m2)
        m1 = update_moment(updates, state.m1, b1, 1)
        m2 = update_moment(updates, state.m2, slow, 1)
        v = update_moment_per_elem_norm(updates, state.nu, b2, 2)
        count = safe_increment(state.count)
        found = map_leaves(
            lambda m1, m2, v: (
                (m1 + number_for(weight, m2) * m2)
                / (np.sqrt(v + number_for(eps_root, v)) + number_for(eps, v))
            ),
            bias_correction(m1, b1, count),
            m2,
            bias_correction(v, b2, count),
        )
        return found, ScaleByAdemamixState(count, safe_increment(state.count_m2), m1, m2, v)

    return GradientTransformation(init, update)


@says_how_made
def ademamix(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: Any = 0.9999,
    alpha: Any = 5.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """Adam with a slow average beside the fast one: see `scale_by_ademamix`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.ademamix(0.1, b3=0.75, alpha=4.0)
        >>> x = np.zeros(2)
        >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(x), x)[0].round(6)
        array([-0.2,  0.2])
    """
    return chain(
        scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root, mu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


class ScaleBySimplifiedAdEMAMixState(NamedTuple):
    """What `simplified_ademamix` keeps: momentum, and an average of squares.

    Example:
        >>> from functrace.optim import contrib
        >>> contrib.scale_by_simplified_ademamix().init(1.0).m
        array(0.)
    """

    t: Any
    m: Any
    n: Any


@says_how_made
def scale_by_simplified_ademamix(
    b1: Any = 0.99, b2: Any = 0.95, alpha: Any = 0.0, eps: Any = 1e-8, eps_root: Any = 0.0
) -> GradientTransformation:
    """``(m + alpha * g) / (sqrt(v / (1 - b2**t)) + eps)``, where ``m = b1 * m + g``.

    Morwani et al., Connections between schedule-free optimizers, AdEMAMix, and accelerated SGD
    variants, 2025.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_simplified_ademamix(alpha=1.0)
        >>> tx.update(np.array([3.0, -5.0]), tx.init(np.zeros(2)))[0].round(6)
        array([ 2., -2.])
    """

    def init(params: Any) -> ScaleBySimplifiedAdEMAMixState:
        return ScaleBySimplifiedAdEMAMixState(no_steps(), zeros_like(params), zeros_like(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        weight, count = _rate(alpha, state.t), safe_increment(state.t)
        m = add_scale(updates, b1, state.m)
        v = update_moment(updates, state.n, b2, 2)
        found = map_leaves(
            lambda m, g, v: (
                (m + number_for(weight, g) * g)
                / (np.sqrt(v + number_for(eps_root, v)) + number_for(eps, v))
            ),
            m,
            updates,
            bias_correction(v, b2, count),
        )
        return found, ScaleBySimplifiedAdEMAMixState(count, m, v)

    return GradientTransformation(init, update)


@says_how_made
def simplified_ademamix(
    learning_rate: Any,
    b1: Any = 0.99,
    b2: Any = 0.95,
    alpha: Any = 0.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """Adam with momentum as sgd has it: see `scale_by_simplified_ademamix`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.simplified_ademamix(0.1, alpha=1.0)
        >>> x = np.zeros(2)
        >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(x), x)[0].round(6)
        array([-0.2,  0.2])
    """
    return chain(
        scale_by_simplified_ademamix(b1, b2, alpha, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


def _quarter_power(count: Any) -> Any:
    return count**0.25


@says_how_made
def scale_by_adopt(
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = _quarter_power,
) -> GradientTransformation:
    """``m = b1 * m + (1 - b1) * clip(g / maximum(sqrt(v), eps))``, with v of the step before.

    Taniguchi et al., ADOPT: modified Adam can converge with any beta_2 with the optimal rate, 2024.

    Args:
        b1: What is left of m after a step.
        b2: What is left of v after a step.
        eps: The least root.
        mu_dtype: Of m; None for that of the parameters.
        nesterov: Whether the average is taken once more.
        use_clipping: Whether what is averaged is limited,
        clip_value_fn: to this function of the number of steps before.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_adopt(b1=0.5)
        >>> g = np.array([3.0, -5.0])
        >>> updates, state = tx.update(g, tx.init(np.zeros(2)))
        >>> tx.update(g, state)[0]
        array([ 0.5, -0.5])
    """

    def init(params: Any) -> ScaleByAdamState:
        return ScaleByAdamState(no_steps(), zeros_like(params, mu_dtype), zeros_like(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        began = np.greater(state.count, 0)
        kept, left = np.where(began, b1, 1.0), np.where(began, b2, 0.0)
        limit = clip_value_fn(state.count) if use_clipping else np.inf

        def seen(g: Any, v: Any) -> Any:
            divided = g / np.maximum(np.sqrt(v), number_for(eps, v))
            most = number_for(limit, divided)
            return np.clip(divided, -most, most) if use_clipping else divided

        new = map_leaves(seen, updates, state.nu)
        v = update_moment_per_elem_norm(updates, state.nu, left, 2)
        m = update_moment(new, state.mu, kept, 1)
        found = update_moment(new, m, kept, 1) if nesterov else m
        return found, ScaleByAdamState(safe_increment(state.count), cast(m, mu_dtype), v)

    return GradientTransformation(init, update)


@says_how_made
def adopt(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = _quarter_power,
) -> GradientTransformation:
    """Adam that converges with any b2: see `scale_by_adopt`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.adopt(0.1)
        >>> x = np.array([1.0, -2.0])
        >>> g, state = np.array([3.0, -5.0]), optimizer.init(x)
        >>> for _ in range(2):
        ...     updates, state = optimizer.update(g, state, x)
        >>> updates
        array([-0.01,  0.01])
    """
    first = scale_by_adopt(
        b1,
        b2,
        eps,
        mu_dtype,
        nesterov=nesterov,
        use_clipping=use_clipping,
        clip_value_fn=clip_value_fn,
    )
    return chain(first, scale_by_learning_rate(learning_rate))


# Matrices


class MuonDimensionNumbers(NamedTuple):
    """Which axes of an array are the rows and the columns of the matrix that `muon` takes it for.

    Axes that are neither are those of a stack.

    Example:
        >>> from functrace.optim import contrib
        >>> contrib.MuonDimensionNumbers()
        MuonDimensionNumbers(reduction_axis=0, output_axis=1)
    """

    reduction_axis: Any = 0
    output_axis: Any = 1


class MuonState(NamedTuple):
    """What `muon` keeps: momentum, and the coefficients of its polynomials.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> contrib.scale_by_muon().init(np.ones((2, 3))).ns_coeffs
        array([ 3.4445, -4.775 ,  2.0315])
    """

    count: Any
    mu: Any
    ns_coeffs: Any


COEFFICIENTS = {
    "standard": (3.4445, -4.7750, 2.0315),
    "dion": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}
"""Of the polynomials ``a x + b x**3 + c x**5``, one for all steps or one for each."""


def _is_choice(x: Any) -> bool:
    return x is None or isinstance(x, MuonDimensionNumbers | MaskedNode)


def _as_matrices(x: Any, numbers: MuonDimensionNumbers) -> tuple[Any, Callable[[Any], Any]]:
    """A stack of matrices with no more rows than columns, and the way back to the array."""
    shape = shape_of(x)
    rows, columns = (
        tuple(axis % len(shape) for axis in ((axes,) if isinstance(axes, int) else axes))
        for axes in numbers
    )
    others = tuple(axis for axis in range(len(shape)) if axis not in rows + columns)
    if len(shape) < 2 or {*rows} & {*columns}:
        raise ArgumentError(f"An array of shape {shape} has no rows and columns by {numbers}.")
    order = (*others, *rows, *columns)
    sizes = [int(np.prod([shape[axis] for axis in axes])) for axes in (others, rows, columns)]
    stack = np.reshape(np.transpose(x, order), sizes)
    is_tall = sizes[1] > sizes[2]

    def back(y: Any) -> Any:
        y = np.swapaxes(y, -1, -2) if is_tall else y
        return np.transpose(np.reshape(y, [shape[axis] for axis in order]), np.argsort(order))

    return np.swapaxes(stack, -1, -2) if is_tall else stack, back


def _orthogonal(
    x: Any,
    numbers: MuonDimensionNumbers,
    coefficients: Any,
    steps: int,
    preconditioning: str,
    eps: Any,
) -> Any:
    """Nearly the orthogonal factor of a matrix, by the iteration of Newton and Schulz."""
    x, back = _as_matrices(x, numbers)
    if preconditioning in ("frobenius", "spectral"):
        order = "fro" if preconditioning == "frobenius" else 2
        size = np.linalg.norm(x, order, axis=(-2, -1), keepdims=True)
        x = x / (size + number_for(eps, size))
    square = x @ np.conj(np.swapaxes(x, -1, -2))
    if preconditioning in ("aol", "schatten"):
        if preconditioning == "aol":
            size = np.sum(np.abs(square), axis=-1, keepdims=True)
        else:
            size = np.linalg.norm(square, "fro", axis=(-2, -1), keepdims=True)
        x = x / np.sqrt(np.maximum(size, number_for(eps, size)))
    coefficients = cast_to(as_operand(coefficients), dtype_of(x))
    for step in range(steps):
        a, b, c = coefficients if len(shape_of(coefficients)) == 1 else coefficients[step]
        square = x @ np.conj(np.swapaxes(x, -1, -2))
        x = a * x + (b * square + c * square @ square) @ x
    return back(x)


@says_how_made
def scale_by_muon(
    ns_coeffs: Any = COEFFICIENTS["standard"],
    ns_steps: int = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Literal["frobenius", "spectral", "aol", "schatten"] = "frobenius",
    weight_dimension_numbers: Any = None,
) -> GradientTransformation:
    """Nearly the orthogonal factor of the momentum of a matrix (Jordan et al., Muon, 2024).

    Args:
        ns_coeffs: The coefficients a, b and c of ``x = a x + (b x x^T + c (x x^T)^2) x``, or those
            of each step.
        ns_steps: How often this is done.
        beta: What is left of the momentum after a step.
        eps: What is added to the length.
        mu_dtype: Of the momentum; None for that of the parameters.
        nesterov: Whether the momentum is that of the next step.
        adaptive: Whether the factor is multiplied by its product with the momentum.
        preconditioning: By what matrices are divided at first: their Frobenius or spectral norm; or
            the roots of the sums of rows ("aol") or of the Frobenius norm ("schatten") of
            ``x x^T``.
        weight_dimension_numbers: A `MuonDimensionNumbers` for all, or a tree of them, or a function
            that makes one of the updates; None for matrices.

    Raises:
        ArgumentError: There is no such preconditioning; coefficients are no triples, or too few; an
            array has no rows and columns.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.scale_by_muon(ns_steps=20, ns_coeffs=(1.5, -0.5, 0.0))
        >>> x = np.array([[3.0, 0.0], [0.0, -0.5]])
        >>> tx.update(x, tx.init(x))[0].round(6) + 0.0
        array([[ 1.,  0.],
               [ 0., -1.]])
    """
    if preconditioning not in ("frobenius", "spectral", "aol", "schatten"):
        raise ArgumentError(f"preconditioning={preconditioning!r} is not known.")
    coefficients = np.asarray(ns_coeffs)
    if coefficients.ndim not in (1, 2) or coefficients.shape[-1] != 3:
        raise ArgumentError(f"ns_coeffs of shape {coefficients.shape} are not of shape ([n,] 3).")
    if coefficients.ndim == 2:
        if len(coefficients) > ns_steps:
            raise ArgumentError(f"{len(coefficients)} triples of ns_coeffs are for as many steps.")
        ns_steps = len(coefficients)

    def init(params: Any) -> MuonState:
        kept = coefficients.astype(dtype(params, "lowest"))
        return MuonState(no_steps(), zeros_like(params, mu_dtype), kept)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        chosen = weight_dimension_numbers
        chosen = chosen(updates) if callable(chosen) else chosen
        chosen = MuonDimensionNumbers() if chosen is None else chosen
        mu = update_moment(updates, state.mu, beta, 1)
        count = safe_increment(state.count)
        if nesterov:
            ahead = bias_correction(mu, beta, safe_increment(count))
            seen = update_moment(bias_correction(updates, beta, count), ahead, beta, 1)
        else:
            seen = bias_correction(mu, beta, count)

        def found(numbers: Any, part: Any) -> Any:
            given = (numbers, state.ns_coeffs, ns_steps, preconditioning, eps)
            return map_leaves(lambda x: _orthogonal(x, *given), part)

        factors = map_leaves(found, chosen, seen, is_leaf=_is_choice)
        if adaptive:
            factors = map_leaves(lambda x, y: np.sum(np.conj(x) * y) * y, seen, factors)
        return factors, MuonState(count, cast(mu, mu_dtype), state.ns_coeffs)

    return GradientTransformation(init, update)


def _by_shape(chosen: Any, consistent_rms: Any) -> GradientTransformation:
    """Updates of matrices times a number that their shape gives."""

    def scaled(numbers: Any, part: Any) -> Any:
        def of(x: Any) -> Any:
            rows, columns = (
                np.prod(
                    [shape_of(x)[axis] for axis in ((axes,) if isinstance(axes, int) else axes)]
                )
                for axes in numbers
            )
            if consistent_rms is None:
                return number_for(np.sqrt(max(1, columns / rows)), x) * x
            return number_for(np.sqrt(max(rows, columns)) * consistent_rms, x) * x

        return map_leaves(of, part)

    return stateless(
        lambda updates, params: map_leaves(scaled, chosen, updates, is_leaf=_is_choice)
    )


@says_how_made
def muon(
    learning_rate: Any,
    ns_coeffs: Any = COEFFICIENTS["standard"],
    ns_steps: int = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = None,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Literal["frobenius", "spectral", "aol", "schatten"] = "frobenius",
    adam_b1: Any = 0.9,
    adam_b2: Any = 0.999,
    adam_eps_root: Any = 0.0,
    adam_weight_decay: Any = 0.0,
    adam_learning_rate: Any = None,
    muon_weight_dimension_numbers: Any = None,
    consistent_rms: Any = None,
) -> GradientTransformation:
    """Muon for matrices, and Adam for all other parameters: see `scale_by_muon`.

    Args:
        learning_rate: A number or a schedule.
        ns_coeffs: As for `scale_by_muon`, or "standard", or "dion".
        ns_steps: As for `scale_by_muon`.
        beta: As for `scale_by_muon`.
        eps: As for `scale_by_muon`; that of Adam, too.
        weight_decay: How fast matrices decay by themselves,
        weight_decay_mask: and which.
        mu_dtype: Of the momentum.
        nesterov: As for `scale_by_muon`, and for Adam.
        adaptive: As for `scale_by_muon`.
        preconditioning: As for `scale_by_muon`.
        adam_b1: Of `adamw`, as are the other ones with this beginning.
        adam_b2: See there.
        adam_eps_root: See there.
        adam_weight_decay: See there.
        adam_learning_rate: See there; None for the same.
        muon_weight_dimension_numbers: A tree of `MuonDimensionNumbers`, with None for Adam, of the
            structure of the parameters or the beginning of it; or a function that makes one.
        consistent_rms: Updates are multiplied by ``sqrt(max(rows, columns))`` times this; None for
            ``sqrt(max(1, columns / rows))``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.muon(0.1, ns_coeffs=(1.5, -0.5, 0.0), ns_steps=20)
        >>> params = {"w": np.ones((2, 2)), "b": np.ones(2)}
        >>> gradients = {"w": np.array([[3.0, 0.0], [0.0, -0.5]]), "b": np.array([1.0, -1.0])}
        >>> optimizer.update(gradients, optimizer.init(params), params)[0]["w"].round(6) + 0.0
        array([[-0.1,  0. ],
               [ 0. ,  0.1]])
    """
    if isinstance(ns_coeffs, str):
        if ns_coeffs not in COEFFICIENTS:
            raise ArgumentError(f"ns_coeffs={ns_coeffs!r} is none of {list(COEFFICIENTS)}.")
        ns_coeffs = COEFFICIENTS[ns_coeffs]
    given = muon_weight_dimension_numbers

    def choices(params: Any) -> Any:
        """Rows and columns of each parameter, and None for those of Adam."""
        if given is None:
            matrix = MuonDimensionNumbers()
            return map_leaves(lambda x: matrix if len(shape_of(x)) == 2 else None, params)
        beginning = given(params) if callable(given) else given
        return map_leaves(
            lambda numbers, part: map_leaves(lambda x: numbers, part),
            beginning,
            params,
            is_leaf=_is_choice,
        )

    def made(params: Any) -> GradientTransformation:
        chosen = choices(params)
        labels = map_leaves(lambda x: "muon" if x else "adam", chosen, is_leaf=_is_choice)
        chosen = map_leaves(lambda x: x or MaskedNode(), chosen, is_leaf=_is_choice)
        matrices = chain(
            scale_by_muon(
                ns_coeffs,
                ns_steps,
                beta,
                eps,
                mu_dtype,
                nesterov=nesterov,
                adaptive=adaptive,
                preconditioning=preconditioning,
                weight_dimension_numbers=chosen,
            ),
            _by_shape(chosen, consistent_rms),
            add_decayed_weights(weight_decay, weight_decay_mask),
            scale_by_learning_rate(learning_rate),
        )
        rate = learning_rate if adam_learning_rate is None else adam_learning_rate
        others = adamw(
            rate,
            adam_b1,
            adam_b2,
            eps,
            adam_eps_root,
            mu_dtype,
            adam_weight_decay,
            nesterov=nesterov,
        )
        return partition({"muon": matrices, "adam": others}, labels)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return made(updates).update(updates, state, params)

    return GradientTransformation(lambda params: made(params).init(params), update)


# Sharpness


NormalizeState = EmptyState


@says_how_made
def normalize() -> GradientTransformation:
    """``g / norm(g)``, of all gradients together.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.normalize()
        >>> tx.update(np.array([3.0, 4.0]), tx.init(np.zeros(2)))[0]
        array([0.6, 0.8])
    """
    return stateless(lambda updates, params: scale(1 / norm(updates), updates))


class SAMState(NamedTuple):
    """What `sam` keeps: steps since it was where it looks from, states, and that place.

    Example:
        >>> from functrace import optim
        >>> optim.contrib.sam(optim.sgd(0.1), optim.sgd(0.05)).init(2.0).cache
        2.0
    """

    steps_since_sync: Any
    opt_state: Any
    adv_state: Any
    cache: Any


@says_how_made
def sam(
    optimizer: GradientTransformation,
    adv_optimizer: GradientTransformation,
    sync_period: int = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
    batch_axis_name: str | None = None,
) -> GradientTransformationExtraArgs:
    """Sharpness-aware: the gradient of where the loss is worst nearby (Foret et al., SAM, 2021).

    ``sync_period - 1`` steps of ``adv_optimizer`` climb; the gradient there makes the step of
    ``optimizer`` from where they began.

    Args:
        optimizer: What goes down.
        adv_optimizer: What goes up: ``chain(normalize(), sgd(rho))`` in the paper.
        sync_period: How many gradients there are for each step.
        reset_state: Whether climbing begins anew each time.
        opaque_mode: Whether one call makes all these steps, by the function ``grad_fn(params, i)``
            that it is given; else each gradient is a call, and parameters climb in between.
        batch_axis_name: Over which mapped axis gradients are averaged in between; for one call.

    Raises:
        ArgumentError: There is no gradient in a period; a call for all steps has no ``grad_fn``.

    Example:
        >>> from functrace import optim
        >>> up = optim.chain(optim.contrib.normalize(), optim.sgd(0.5))
        >>> optimizer = optim.contrib.sam(optim.sgd(0.25), up, opaque_mode=True)
        >>> slope = lambda x, i=0: 2 * x
        >>> updates, _ = optimizer.update(slope(3.0), optimizer.init(3.0), 3.0, grad_fn=slope)
        >>> float(updates)
        -1.75
    """
    if sync_period < 1:
        raise ArgumentError(
            f"sync_period={sync_period}: there is one gradient in a period at least."
        )

    def init(params: Any) -> SAMState:
        first, up = optimizer.init(params), adv_optimizer.init(params)
        return SAMState(no_steps(), first, up, None if opaque_mode else params)

    def climbed(gradients: Any, state: Any, params: Any) -> tuple[Any, Any]:
        updates, state = adv_optimizer.update(gradients, state, params)
        return scale(-1, updates), state

    def by_calls(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        params, count = needed(params), state.steps_since_sync
        last = np.equal(count, sync_period - 1)
        up, up_state = climbed(updates, state.adv_state, params)
        down, down_state = optimizer.update(updates, state.opt_state, state.cache)
        down = add(sub(state.cache, params), down)
        cache = where(np.equal(count, 0), params, state.cache)
        again = adv_optimizer.init(params) if reset_state else state.adv_state
        kept = SAMState(
            np.mod(count + np.int32(1), np.int32(sync_period)),
            where(last, down_state, state.opt_state),
            where(last, again, up_state),
            cache,
        )
        return where(last, down, up), kept

    def at_once(
        updates: Any, state: Any, params: Any = None, *, grad_fn: Any = None, **extra: Any
    ) -> tuple[Any, Any]:
        if grad_fn is None:
            raise ArgumentError(
                "A step that climbs by itself needs a function of gradients.",
                advice="Give it: optimizer.update(gradients, state, params, grad_fn=grad_fn).",
            )
        place, up_state = needed(params), state.adv_state
        for step in range(sync_period - 1):
            up, up_state = climbed(updates, up_state, place)
            place = apply_updates(place, up)
            updates = grad_fn(place, step)
            if batch_axis_name is not None:
                updates = pmean(updates, batch_axis_name)
        up_state = adv_optimizer.init(params) if reset_state else up_state
        updates, down_state = optimizer.update(updates, state.opt_state, params)
        return updates, SAMState(no_steps(), down_state, up_state, None)

    return GradientTransformationExtraArgs(init, at_once if opaque_mode else by_calls)


# Privacy


class DifferentiallyPrivateAggregateState(NamedTuple):
    """The key of the next noise.

    Example:
        >>> from functrace.optim import contrib
        >>> contrib.differentially_private_aggregate(1.0, 1.0, key=0).init(1.0).rng_key.shape
        (2,)
    """

    rng_key: Any


@says_how_made
def differentially_private_aggregate(
    l2_norm_clip: Any, noise_multiplier: Any, key: Any = None, *, seed: int | None = None
) -> GradientTransformation:
    """The mean of limited gradients of examples, and noise.

    Abadi et al., Deep learning with differential privacy, 2016.

    Args:
        l2_norm_clip: The greatest length of the gradient of one example.
        noise_multiplier: The standard deviation of the noise of the sum, in these lengths.
        key: A key of `functrace.random`, or a number.
        seed: A number in place of a key.

    Returns:
        A transformation of gradients with an axis of examples before the others, as
        `functrace.vmap` of a gradient returns them.

    Raises:
        ArgumentError: There is no key, or two.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> tx = contrib.differentially_private_aggregate(1.0, 0.0, key=0)
        >>> tx.update(np.array([[3.0, 4.0], [0.5, 0.0]]), tx.init(np.zeros(2)))[0]
        array([0.55, 0.4 ])
    """
    if (key is None) == (seed is None):
        raise ArgumentError("Noise has one key: give it as key=..., or a number as seed=....")
    first: Any = seed if key is None else key
    first = key_of(first) if np.ndim(first) == 0 else first

    def init(params: Any) -> DifferentiallyPrivateAggregateState:
        return DifferentiallyPrivateAggregateState(first)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        sums, _ = per_example_global_norm_clip(updates, l2_norm_clip)
        found, structure = flatten(sums)
        count = shape_of(flatten(updates)[0][0])[0]
        after, *keys = split(state.rng_key, len(found) + 1)
        noisy = [
            (g + number_for(l2_norm_clip * noise_multiplier, g) * _noise(key, g)) / count
            for key, g in zip(keys, found, strict=True)
        ]
        return unflatten(structure, noisy), DifferentiallyPrivateAggregateState(after)

    return GradientTransformation(init, update)


def _noise(key: Any, x: Any) -> Any:
    return normal(key, shape_of(x), dtype_of(x))


@says_how_made
def dpsgd(
    learning_rate: Any,
    l2_norm_clip: Any,
    noise_multiplier: Any,
    seed: int,
    momentum: Any = None,
    nesterov: bool = False,
) -> GradientTransformation:
    """Gradient descent by `differentially_private_aggregate`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import contrib
        >>> optimizer = contrib.dpsgd(0.5, 1.0, 0.0, seed=0)
        >>> optimizer.update(np.array([[3.0, 4.0], [0.5, 0.0]]), optimizer.init(np.zeros(2)))[0]
        array([-0.275, -0.2  ])
    """
    return chain(
        differentially_private_aggregate(l2_norm_clip, noise_multiplier, seed=seed),
        identity() if momentum is None else trace(momentum, nesterov),
        scale_by_learning_rate(learning_rate),
    )
