"""Activations: functions of each element, with the arguments and the formulas of ``jax.nn``.

They keep the dtype of a floating array; integers become doubles.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.lax.elementwise import logistic
from functrace.primitives.linear import as_scalar, dtype_of, in_dtype
from functrace.scipy import special
from functrace.scipy.special import floating
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand


def _choose(condition: Any, x: Any, y: Any) -> Any:
    return as_scalar(np.where(condition, x, y))


def identity(x: Any) -> Any:
    """The array itself.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.identity(np.array([-1.0, 2.0]))
        array([-1.,  2.])
    """
    return as_operand(x)


def relu(x: Any) -> Any:
    """``max(x, 0)``, whose derivative at 0 is 0.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.grad(lambda x: np.sum(ft.nn.relu(x)))(np.array([-1.0, 0.0, 2.0]))
        array([0., 0., 1.])
    """
    x = as_operand(x)
    # Of nan neither part is chosen by a comparison that is true, so that it stays nan.
    return _choose(np.less_equal(x, 0), dtype_of(x).type(0), x)


def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``, whose derivatives at 0 and at 6 are 0.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.relu6(np.array([-1.0, 3.0, 8.0]))
        array([0., 3., 6.])
    """
    x = relu(x)
    return _choose(np.greater_equal(x, 6), dtype_of(x).type(6), x)


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.sigmoid(np.array([-np.inf, 0.0, np.log(3.0)])).round(3)
        array([0.  , 0.5 , 0.75])
    """
    return logistic(floating(x))


def log_sigmoid(x: Any) -> Any:
    """``log(1 / (1 + exp(-x)))``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.log_sigmoid(np.array([-100.0, 0.0])).round(3)
        array([-100.   ,   -0.693])
    """
    x = floating(x)
    return in_dtype(special.log_expit(x), dtype_of(x))


def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.tanh(np.array([-np.inf, 0.0, np.log(2.0)])).round(3)
        array([-1. ,  0. ,  0.6])
    """
    return np.tanh(floating(x))


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.softplus(np.array([-100.0, 0.0, 100.0])).round(3)
        array([  0.   ,   0.693, 100.   ])
    """
    return -log_sigmoid(-floating(x))


def squareplus(x: Any, b: Any = 4) -> Any:
    """``(x + sqrt(x**2 + b)) / 2``: smooth where ``b`` is positive.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.squareplus(np.array([0.0, 1.5]))
        array([1., 2.])
    """
    x = floating(x)
    is_right = np.greater_equal(x, 0)
    root = np.sqrt(np.square(x) + b)
    # To the left x and the root have nearly the same size.
    total = root + _choose(is_right, x, -x)
    left = b / _choose(is_right, dtype_of(x).type(1), total)
    return _choose(is_right, total, left) / 2


def sparse_plus(x: Any) -> Any:
    """0 below -1, ``x`` above 1, and ``(x + 1)**2 / 4`` between them.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.sparse_plus(np.array([-2.0, 0.0, 3.0]))
        array([0.  , 0.25, 3.  ])
    """
    x = floating(x)
    between = (np.clip(x, -1, 1) + 1) ** 2 / 4
    return _choose(np.less_equal(x, -1), dtype_of(x).type(0), _choose(np.less(x, 1), between, x))


def sparse_sigmoid(x: Any) -> Any:
    """``(x + 1) / 2`` between -1 and 1, 0 below and 1 above.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.sparse_sigmoid(np.array([-2.0, 0.5, 3.0]))
        array([0.  , 0.75, 1.  ])
    """
    return np.clip((floating(x) + 1) * 0.5, 0, 1)


def soft_sign(x: Any) -> Any:
    """``x / (1 + abs(x))``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.soft_sign(np.array([-1.0, 0.0, 3.0]))
        array([-0.5 ,  0.  ,  0.75])
    """
    x = floating(x)
    return x / (np.abs(x) + 1)


def silu(x: Any) -> Any:
    """``x * sigmoid(x)``, which is `swish` as well.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.silu(np.array([0.0, 2.0, 30.0])).round(3)
        array([ 0.   ,  1.762, 30.   ])
    """
    x = floating(x)
    return x * logistic(x)


def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.mish(np.array([0.0, 1.0, 30.0])).round(3)
        array([ 0.   ,  0.865, 30.   ])
    """
    x = floating(x)
    return x * np.tanh(softplus(x))


def gelu(x: Any, approximate: bool = True) -> Any:
    """``x`` times the normal distribution function of ``x``.

    Args:
        x: An array.
        approximate: Whether to take ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``
            in its place (Hendrycks and Gimpel, 2016).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.gelu(np.array([0.0, 1.0, 30.0]), approximate=False).round(4)
        array([ 0.    ,  0.8413, 30.    ])
        >>> nn.gelu(np.array([0.0, 1.0, 30.0])).round(4)
        array([ 0.    ,  0.8412, 30.    ])
    """
    x = floating(x)
    if approximate:
        # (1 + tanh(u)) / 2 is the logistic function of 2 u, which loses no digits.
        return x * logistic(math.sqrt(8 / math.pi) * (x + 0.044715 * (x * x * x)))
    return 0.5 * x * special.erfc(-x * math.sqrt(0.5))


def leaky_relu(x: Any, negative_slope: Any = 1e-2) -> Any:
    """``x`` where it is not negative, else ``negative_slope * x``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.leaky_relu(np.array([-100.0, 0.0, 2.0]))
        array([-1.,  0.,  2.])
    """
    x = floating(x)
    return _choose(np.greater_equal(x, 0), x, negative_slope * x)


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.elu(np.array([-np.inf, -np.log(2.0), 3.0]))
        array([-1. , -0.5,  3. ])
    """
    x = floating(x)
    is_positive = np.greater(x, 0)
    below = _choose(is_positive, dtype_of(x).type(0), x)
    return _choose(is_positive, x, alpha * np.expm1(below))


def celu(x: Any, alpha: Any = 1.0) -> Any:
    """``x`` where it is positive, else ``alpha * (exp(x / alpha) - 1)``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.celu(np.array([-np.inf, -np.log(4.0), 3.0]), alpha=2.0).round(3)
        array([-2., -1.,  3.])
    """
    x = floating(x)
    is_positive = np.greater(x, 0)
    below = _choose(is_positive, dtype_of(x).type(0), x)
    return _choose(is_positive, x, alpha * np.expm1(below / alpha))


SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
"""With these a layer keeps mean 0 and variance 1 (Klambauer et al., 2017)."""


def selu(x: Any) -> Any:
    """`elu`, scaled so that layers keep mean and variance (Klambauer et al., 2017).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.selu(np.array([-800.0, 0.0, 1.0])).round(3)
        array([-1.758,  0.   ,  1.051])
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


def hard_tanh(x: Any) -> Any:
    """``x`` between -1 and 1, and the nearer of these outside.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.hard_tanh(np.array([-3.0, 0.5, 2.0]))
        array([-1. ,  0.5,  1. ])
    """
    x = floating(x)
    one = dtype_of(x).type(1)
    return _choose(np.greater(x, 1), one, _choose(np.less(x, -1), -one, x))


def hard_sigmoid(x: Any) -> Any:
    """``relu6(x + 3) / 6``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.hard_sigmoid(np.array([-4.0, 0.0, 1.5, 4.0]))
        array([0.  , 0.5 , 0.75, 1.  ])
    """
    return relu6(floating(x) + 3) / 6


def hard_silu(x: Any) -> Any:
    """``x * hard_sigmoid(x)``, which is `hard_swish` as well.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.hard_silu(np.array([-1.0, 1.0, 4.0])).round(3)
        array([-0.333,  0.667,  4.   ])
    """
    x = floating(x)
    return x * hard_sigmoid(x)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half along an axis, times the `sigmoid` of the second half.

    Raises:
        ValueError: The axis has an odd length.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.glu(np.array([4.0, 8.0, 0.0, np.log(3.0)]))
        array([2., 6.])
    """
    first, second = np.split(floating(x), 2, axis)
    return first * logistic(second)


def log1mexp(x: Any) -> Any:
    """``log(1 - exp(-x))`` of positive numbers, without cancellation (Mächler, 2012).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.log1mexp(np.array([1e-20, np.log(2.0)])).round(3)
        array([-46.052,  -0.693])
    """
    x = floating(x)
    is_small = np.less(x, math.log(2))
    one = dtype_of(x).type(1)
    near = np.log(-np.expm1(-_choose(is_small, x, one)))
    far = np.log1p(-np.exp(-_choose(is_small, one, x)))
    return _choose(is_small, near, far)


globals().update(entrances(globals()))
swish, hard_swish = silu, hard_silu
