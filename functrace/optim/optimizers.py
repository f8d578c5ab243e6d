"""Optimizers by the names, arguments and formulas of ``optax``.

Each takes its learning rate, a number or a schedule, and returns a `GradientTransformation`. The
formula and its source stand with the part that scales the gradient (`transformations.py`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from functrace.factories import says_how_made
from functrace.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    Schedule,
    identity,
)
from functrace.optim.combining import add_decayed_weights, chain, where_masked
from functrace.optim.searching import scale_by_lbfgs, scale_by_zoom_linesearch
from functrace.optim.transformations import (
    add_noise,
    clip_by_block_rms,
    ema,
    scale,
    scale_by_adadelta,
    scale_by_adam,
    scale_by_adamax,
    scale_by_adan,
    scale_by_amsgrad,
    scale_by_belief,
    scale_by_factored_rms,
    scale_by_learning_rate,
    scale_by_lion,
    scale_by_novograd,
    scale_by_optimistic_gradient,
    scale_by_param_block_rms,
    scale_by_polyak,
    scale_by_radam,
    scale_by_rms,
    scale_by_rprop,
    scale_by_rss,
    scale_by_sign,
    scale_by_sm3,
    scale_by_stddev,
    scale_by_trust_ratio,
    scale_by_yogi,
    trace,
)

DEFAULT_SEARCH = scale_by_zoom_linesearch(max_linesearch_steps=20, initial_guess_strategy="one")


@says_how_made
def sgd(
    learning_rate: Any,
    momentum: Any = None,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
) -> GradientTransformation:
    """Gradient descent, with momentum if it is given: see `trace`.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> optimizer = ft.optim.sgd(0.1, momentum=0.9)
        >>> x = np.array([1.0, -2.0])
        >>> state = optimizer.init(x)
        >>> for _ in range(100):
        ...     updates, state = optimizer.update(2 * x, state)
        ...     x = ft.optim.apply_updates(x, updates)
        >>> bool(abs(x).max() < 0.1)
        True
    """
    first = identity() if momentum is None else trace(momentum, nesterov, accumulator_dtype)
    return chain(first, scale_by_learning_rate(learning_rate))


@says_how_made
def adam(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam: see `scale_by_adam`.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> optimizer = ft.optim.adam(0.1)
        >>> params = {"w": np.ones(2)}
        >>> state = optimizer.init(params)
        >>> updates, state = optimizer.update({"w": np.array([3.0, -5.0])}, state, params)
        >>> updates["w"].round(6)
        array([-0.1,  0.1])
    """
    first = scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    return chain(first, scale_by_learning_rate(learning_rate))


nadam = partial(adam, nesterov=True)


@says_how_made
def adamw(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    weight_decay: Any = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam with weights that decay by themselves (Loshchilov and Hutter, ICLR 2019).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adamw(0.1, weight_decay=0.5)
        >>> x = np.array([2.0, -4.0])
        >>> updates, state = optimizer.update(np.array([3.0, 5.0]), optimizer.init(x), x)
        >>> updates.round(3)
        array([-0.2,  0.1])
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


nadamw = partial(adamw, nesterov=True)


@says_how_made
def amsgrad(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformation:
    """AMSGrad: see `scale_by_amsgrad`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.amsgrad(0.1)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.1,  0.1])
    """
    first = scale_by_amsgrad(
        b1, b2, eps, eps_root, mu_dtype, bias_correction_mu, bias_correction_nu
    )
    return chain(first, scale_by_learning_rate(learning_rate))


@says_how_made
def adamax(
    learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8
) -> GradientTransformation:
    """AdaMax: see `scale_by_adamax`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adamax(0.1)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.1,  0.1])
    """
    return chain(scale_by_adamax(b1, b2, eps), scale_by_learning_rate(learning_rate))


@says_how_made
def adamaxw(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    mask: Any = None,
) -> GradientTransformation:
    """AdaMax with weights that decay by themselves, as of `adamw`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adamaxw(0.1, weight_decay=0.5)
        >>> x = np.array([2.0, -4.0])
        >>> updates, state = optimizer.update(np.array([3.0, 5.0]), optimizer.init(x), x)
        >>> updates.round(3)
        array([-0.2,  0.1])
    """
    return chain(
        scale_by_adamax(b1, b2, eps),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@says_how_made
def adabelief(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """AdaBelief: see `scale_by_belief`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adabelief(0.09)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.1,  0.1])
    """
    first = scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov)
    return chain(first, scale_by_learning_rate(learning_rate))


@says_how_made
def yogi(
    learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-3
) -> GradientTransformation:
    """Yogi: see `scale_by_yogi`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.yogi(0.1)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.1,  0.1])
    """
    return chain(scale_by_yogi(b1, b2, eps), scale_by_learning_rate(learning_rate))


@says_how_made
def radam(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """RAdam: see `scale_by_radam`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.radam(0.1)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.3,  0.5])
    """
    first = scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov)
    return chain(first, scale_by_learning_rate(learning_rate))


@says_how_made
def adan(
    learning_rate: Any,
    b1: Any = 0.98,
    b2: Any = 0.92,
    b3: Any = 0.99,
    eps: Any = 1e-8,
    eps_root: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """Adan: see `scale_by_adan`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adan(0.1)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x), x)
        >>> updates.round(3)
        array([-0.1,  0.1])
    """
    return chain(
        scale_by_adan(b1, b2, b3, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@says_how_made
def lion(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.99,
    mu_dtype: Any = None,
    weight_decay: Any = 1e-3,
    mask: Any = None,
) -> GradientTransformation:
    """Lion: see `scale_by_lion`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.lion(0.1, weight_decay=0.5)
        >>> x = np.array([2.0, -4.0])
        >>> updates, state = optimizer.update(np.array([3.0, 5.0]), optimizer.init(x), x)
        >>> updates.round(3)
        array([-0.2,  0.1])
    """
    return chain(
        scale_by_lion(b1, b2, mu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@says_how_made
def rmsprop(
    learning_rate: Any,
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Any = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> GradientTransformation:
    """RMSProp: see `scale_by_rms`, and `scale_by_stddev` for the centered one.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.rmsprop(0.1, decay=0.75)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.2,  0.2])
    """
    scaling = scale_by_stddev if centered else scale_by_rms
    return chain(
        scaling(decay, eps, initial_scale, eps_in_sqrt, bias_correction),
        scale_by_learning_rate(learning_rate),
        identity() if momentum is None else trace(momentum, nesterov),
    )


@says_how_made
def adagrad(
    learning_rate: Any, initial_accumulator_value: Any = 0.1, eps: Any = 1e-7
) -> GradientTransformation:
    """AdaGrad: see `scale_by_rss`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adagrad(0.1, initial_accumulator_value=7.0)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -3.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.075,  0.075])
    """
    first = scale_by_rss(initial_accumulator_value, eps)
    return chain(first, scale_by_learning_rate(learning_rate))


@says_how_made
def adadelta(
    learning_rate: Any = None,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = None,
) -> GradientTransformation:
    """AdaDelta: see `scale_by_adadelta`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adadelta(1.0, rho=0.75, eps=0.01)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([30.0, -50.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.2,  0.2])
    """
    return chain(
        _decay_if_any(weight_decay, weight_decay_mask),
        scale_by_adadelta(rho, eps),
        scale_by_learning_rate(learning_rate),
    )


def _decay_if_any(weight_decay: Any, mask: Any) -> GradientTransformation:
    """As `add_decayed_weights`; it needs no parameters where nothing decays."""
    is_none = isinstance(weight_decay, int | float) and weight_decay == 0
    return identity() if is_none else add_decayed_weights(weight_decay, mask)


@says_how_made
def adafactor(
    learning_rate: Any = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: Any = 0.8,
    decay_offset: Any = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Any = 1.0,
    momentum: Any = None,
    dtype_momentum: Any = None,
    weight_decay_rate: Any = None,
    eps: Any = 1e-30,
    factored: bool = True,
    weight_decay_mask: Any = None,
) -> GradientTransformation:
    """Adafactor: see `scale_by_factored_rms`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.adafactor(0.1)
        >>> x = np.array([2.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x), x)
        >>> updates.round(3)
        array([-0.2,  0.2])
    """
    parts = [scale_by_factored_rms(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps)]
    if clipping_threshold is not None:
        parts.append(clip_by_block_rms(clipping_threshold))
    if learning_rate is not None:
        parts.append(scale_by_learning_rate(learning_rate, flip_sign=False))
    if multiply_by_parameter_scale:
        parts.append(scale_by_param_block_rms())
    if momentum is not None:
        parts.append(ema(momentum, debias=False, accumulator_dtype=dtype_momentum))
    if weight_decay_rate is not None:
        parts.append(add_decayed_weights(weight_decay_rate, weight_decay_mask))
    return chain(*parts, scale(-1))


@says_how_made
def lamb(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> GradientTransformation:
    """LAMB: Adam by the norms of layers (You et al., ICLR 2020), see `scale_by_trust_ratio`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.lamb(0.1)
        >>> x = np.array([3.0, 4.0])
        >>> updates, state = optimizer.update(np.array([7.0, 7.0]), optimizer.init(x), x)
        >>> updates.round(3), np.linalg.norm(updates).round(3)
        (array([-0.354, -0.354]), np.float64(0.5))
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_trust_ratio(),
        scale_by_learning_rate(learning_rate),
    )


@says_how_made
def lars(
    learning_rate: Any,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = True,
    trust_coefficient: Any = 0.001,
    eps: Any = 0.0,
    trust_ratio_mask: Any = True,
    momentum: Any = 0.9,
    nesterov: bool = False,
) -> GradientTransformation:
    """LARS: momentum by the norms of layers (You, Gitman and Ginsburg, 2017).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.lars(0.5, trust_coefficient=0.1)
        >>> x = np.array([0.0, 10.0])
        >>> updates, state = optimizer.update(np.array([3.0, 4.0]), optimizer.init(x), x)
        >>> updates.round(3)
        array([-0.3, -0.4])
    """
    ratio = scale_by_trust_ratio(trust_coefficient=trust_coefficient, eps=eps)
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask),
        where_masked(ratio, trust_ratio_mask),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov),
    )


@says_how_made
def novograd(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
) -> GradientTransformation:
    """NovoGrad: see `scale_by_novograd`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.novograd(0.1)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -4.0]), optimizer.init(x), x)
        >>> updates.round(3)
        array([-0.06,  0.08])
    """
    first = scale_by_novograd(b1, b2, eps, eps_root, weight_decay)
    return chain(first, scale_by_learning_rate(learning_rate))


@says_how_made
def fromage(learning_rate: Any, min_norm: Any = 1e-6) -> GradientTransformation:
    """``p = (p - rate * g * norm(p) / norm(g)) / sqrt(1 + rate**2)`` (Bernstein et al., 2020).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.fromage(0.75)
        >>> x = np.array([0.0, 10.0])
        >>> updates, state = optimizer.update(np.array([3.0, 4.0]), optimizer.init(x), x)
        >>> optim.apply_updates(x, updates).round(3)
        array([-3.6,  3.2])
    """
    if callable(learning_rate):
        rate: Schedule = learning_rate
        return chain(
            scale_by_trust_ratio(min_norm),
            scale_by_learning_rate(lambda count: rate(count) / (1 + rate(count) ** 2) ** 0.5),
            add_decayed_weights(lambda count: 1 / (1 + rate(count) ** 2) ** 0.5 - 1),
        )
    factor = 1 / (1 + learning_rate**2) ** 0.5
    return chain(
        scale_by_trust_ratio(min_norm),
        scale_by_learning_rate(learning_rate * factor),
        add_decayed_weights(factor - 1),
    )


@says_how_made
def noisy_sgd(
    learning_rate: Any, eta: Any = 0.01, gamma: Any = 0.55, key: Any = 0
) -> GradientTransformation:
    """Gradient descent with noise: see `add_noise`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.noisy_sgd(0.1, eta=0.01)
        >>> x = np.zeros(1000)
        >>> updates, state = optimizer.update(np.ones(1000), optimizer.init(x))
        >>> updates.mean().round(2), updates.std().round(2)
        (np.float64(-0.1), np.float64(0.01))
    """
    return chain(add_noise(eta, gamma, key), scale_by_learning_rate(learning_rate))


@says_how_made
def sign_sgd(learning_rate: Any) -> GradientTransformation:
    """Steps of one length by the signs of gradients: see `scale_by_sign`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.sign_sgd(0.1)
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))
        >>> updates
        array([-0.1,  0.1])
    """
    return chain(scale_by_sign(), scale_by_learning_rate(learning_rate))


@says_how_made
def signum(
    learning_rate: Any, beta: Any = 0.9, accumulator_dtype: Any = None
) -> GradientTransformation:
    """Steps of one length by the signs of averages (Bernstein et al., ICML 2018).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.signum(0.1)
        >>> state = optimizer.init(np.zeros(2))
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), state)
        >>> updates, state = optimizer.update(np.array([-1.0, -1.0]), state)
        >>> updates
        array([-0.1,  0.1])
    """
    average = ema(beta, debias=False, accumulator_dtype=accumulator_dtype)
    return chain(average, scale_by_sign(), scale_by_learning_rate(learning_rate))


@says_how_made
def rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> GradientTransformation:
    """Rprop: see `scale_by_rprop`.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.rprop(0.1)
        >>> state, found = optimizer.init(0.0), []
        >>> for gradient in [3.0, 1.0, -1.0]:
        ...     updates, state = optimizer.update(gradient, state)
        ...     found.append(round(float(updates), 3))
        >>> found
        [-0.1, -0.12, 0.0]
    """
    first = scale_by_rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size)
    return chain(first, scale(-1.0))


@says_how_made
def sm3(learning_rate: Any, momentum: Any = 0.9) -> GradientTransformation:
    """SM3: see `scale_by_sm3`.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.sm3(0.1, momentum=0.0)
        >>> state = optimizer.init(np.zeros((2, 2)))
        >>> updates, state = optimizer.update(np.array([[3.0, -3.0], [4.0, 4.0]]), state)
        >>> updates.round(3)
        array([[-0.1,  0.1],
               [-0.1, -0.1]])
    """
    return chain(scale_by_sm3(momentum), scale(-learning_rate))


@says_how_made
def optimistic_gradient_descent(
    learning_rate: Any, alpha: Any = 1.0, beta: Any = 1.0
) -> GradientTransformation:
    """Gradient descent that looks ahead: see `scale_by_optimistic_gradient`.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.optimistic_gradient_descent(0.5)
        >>> state, found = optimizer.init(0.0), []
        >>> for gradient in [4.0, 3.0, 2.0]:
        ...     updates, state = optimizer.update(gradient, state)
        ...     found.append(float(updates))
        >>> found
        [-2.0, -1.0, -0.5]
    """
    first = scale_by_optimistic_gradient(alpha, beta)
    return chain(first, scale_by_learning_rate(learning_rate))


@says_how_made
def optimistic_adam_v2(
    learning_rate: Any,
    *,
    alpha: Any = 1.0,
    beta: Any = 1.0,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    nesterov: bool = True,
) -> GradientTransformation:
    """Adam that looks ahead (Daskalakis et al., Training GANs with optimism, ICLR 2018).

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.optimistic_adam_v2(0.1, nesterov=False)
        >>> x = np.array([1.0, -2.0])
        >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(x))
        >>> updates.round(3)
        array([-0.1,  0.1])
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scale_by_optimistic_gradient(alpha, beta),
        scale_by_learning_rate(learning_rate),
    )


@says_how_made
def polyak_sgd(
    max_learning_rate: Any = 1.0,
    scaling: Any = 1.0,
    f_min: Any = 0.0,
    eps: Any = 0.0,
    variant: str = "sps",
) -> GradientTransformation:
    """Gradient descent by Polyak's step, whose update takes ``value``: see `scale_by_polyak`.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.polyak_sgd()
        >>> x = 4.0
        >>> updates, state = optimizer.update(2 * x, optimizer.init(x), x, value=x**2)
        >>> float(optim.apply_updates(x, updates))
        2.0
    """
    return chain(sgd(scaling), scale_by_polyak(f_min, max_learning_rate, eps, variant))


@says_how_made
def lbfgs(
    learning_rate: Any = None,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch: GradientTransformation | None = DEFAULT_SEARCH,
) -> GradientTransformationExtraArgs:
    """L-BFGS with a search along each step: see `scale_by_lbfgs`, `scale_by_zoom_linesearch`.

    Args:
        learning_rate: A number or a schedule; None for 1.
        memory_size: How many steps before are remembered.
        scale_init_precond: See `scale_by_lbfgs`.
        linesearch: The search; None for none.

    Example:
        >>> import functrace as ft
        >>> f = lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        >>> optimizer = ft.optim.lbfgs()
        >>> def step(carry, _):
        ...     x, state = carry
        ...     value, grad = ft.optim.value_and_grad_from_state(f)(x, state=state)
        ...     updates, state = optimizer.update(
        ...         grad, state, x, value=value, grad=grad, value_fn=f
        ...     )
        ...     return (ft.optim.apply_updates(x, updates), state), value
        >>> x = ft.numpy.array([-1.0, 1.0])
        >>> (x, _), values = ft.scan(step, (x, optimizer.init(x)), None, length=40)
        >>> x.round(4)
        array([1., 1.])
    """
    return chain(
        scale_by_lbfgs(memory_size, scale_init_precond),
        scale_by_learning_rate(1.0 if learning_rate is None else learning_rate),
        identity() if linesearch is None else linesearch,
    )
