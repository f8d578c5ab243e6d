"""Continuous distributions, by the names and arguments of ``jax.random``.

Each draws from a key of `functrace.random.key`: the same numbers for the same key, whatever
transforms the function. Where nothing else is said, what is drawn has derivatives by the
parameters of its distribution.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.ir.types import Shape
from functrace.numpy.reshaping import lengths_of
from functrace.primitives import special
from functrace.primitives.linear import as_scalar, shape_of, stop_gradient
from functrace.random.drawing import KEY, random_normal, random_split, random_uniform
from functrace.random.keys import used
from functrace.random.rejecting import random_loggamma
from functrace.random.requests import common_shape, floating, floating_or_complex, parameters
from functrace.random.slopes import follow_betalogit, follow_loggamma
from functrace.random.tails import (
    follow_truncated_normal,
    follow_wald,
    random_truncated_normal,
)
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind


def uniform(
    key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0
) -> Any:
    """Uniform numbers in ``[minval, maxval)``.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.
        minval: The least number; it broadcasts to the shape.
        maxval: What all numbers are below; it broadcasts to the shape.

    Returns:
        An array of this shape and dtype. Between 0 and 1 they are multiples of 2**-53, in single
        precision of 2**-24, the same to the bit on every machine.

    Raises:
        RandomKeyError: It is no key.
        ShapeMismatchError: A bound does not broadcast to the shape.

    Example:
        >>> import functrace as ft
        >>> ft.random.uniform(ft.random.key(0), (2,), minval=-1.0)
        array([...])
    """
    dtype, shape = floating(dtype), lengths_of(shape)
    minval, maxval = as_operand(minval), as_operand(maxval)
    common_shape(shape, minval, maxval)
    unit = _uniform(used(key), shape, dtype)
    if type(minval) is float and type(maxval) is float and (minval, maxval) == (0.0, 1.0):
        return unit
    minval, maxval = parameters(dtype, minval, maxval)
    found = minval + unit * (maxval - minval)
    return as_scalar(np.where(np.equal(found, maxval), minval, found))  # which it was rounded to


def normal(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Standard normal numbers.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given; or a complex one, for numbers whose
            real and imaginary parts are independent, of variance 1/2 each.

    Returns:
        An array of this shape and dtype. The numbers are the same to the bit on every machine.

    Raises:
        RandomKeyError: It is no key.

    Example:
        >>> import functrace as ft
        >>> ft.random.normal(ft.random.key(0), (2, 3)).shape
        (2, 3)
    """
    return _normal(used(key), lengths_of(shape), floating_or_complex(dtype))


def _split(key: Any, count: int) -> Any:
    return bind(random_split, key, shape=(count, 2), dtype=KEY)


def _uniform(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    return bind(random_uniform, key, shape=shape, dtype=dtype)


def _open(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    """Uniform numbers between 0 and 1, of which none is 0."""
    least = dtype.type(2.0 ** -(np.finfo(dtype).nmant + 2))
    return np.maximum(_uniform(key, shape, dtype), least)


def _normal(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    if dtype.kind != "c":
        return bind(random_normal, key, shape=shape, dtype=dtype)
    real = np.dtype(f"f{dtype.itemsize // 2}")
    parts = (bind(random_normal, part, shape=shape, dtype=real) for part in _split(key, 2))
    x, y = (part * real.type(np.sqrt(0.5)) for part in parts)
    return x + dtype.type(1j) * y


def _signs(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    unit = _uniform(key, shape, np.dtype(np.float32))
    return as_scalar(np.where(np.less(unit, 0.5), dtype.type(-1), dtype.type(1)))


# Of uniform numbers, by the inverse of the distribution function


def _exponential(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    return -np.log(_open(key, shape, dtype))


def exponential(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Exponential numbers of mean 1.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> ft.random.exponential(ft.random.key(0), (10000,)).mean().round(1)
        np.float64(1.0)
    """
    return _exponential(used(key), lengths_of(shape), floating(dtype))


def gumbel(key: Any, shape: Any = (), dtype: Any = None, mode: Any = None) -> Any:
    """Numbers of the Gumbel distribution, ``exp(-x - exp(-x))``.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.
        mode: Has no meaning here: all numbers are as exact as their dtype.

    Example:
        >>> import functrace as ft
        >>> ft.random.gumbel(ft.random.key(0), (10000,)).mean().round(1)  # Euler's constant
        np.float64(0.6)
    """
    return -np.log(_exponential(used(key), lengths_of(shape), floating(dtype)))


def laplace(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Numbers of the Laplace distribution, ``exp(-abs(x)) / 2``.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> np.abs(ft.random.laplace(ft.random.key(0), (10000,))).mean().round(1)
        np.float64(1.0)
    """
    dtype = floating(dtype)
    unit = 2 * _open(used(key), lengths_of(shape), dtype) - 1
    return -np.sign(unit) * np.log1p(-np.abs(unit))


def logistic(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Numbers of the logistic distribution, whose distribution function is `nn.sigmoid`.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> x = ft.random.logistic(ft.random.key(0), (10000,))
        >>> (x < 1).mean().round(1), ft.nn.sigmoid(1.0).round(1)
        (np.float64(0.7), np.float64(0.7))
    """
    unit = _open(used(key), lengths_of(shape), floating(dtype))
    return np.log(unit) - np.log1p(-unit)


def cauchy(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Numbers of the Cauchy distribution, ``1 / (pi * (1 + x**2))``.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> np.median(ft.random.cauchy(ft.random.key(0), (10000,))).round(1) + 0.0
        np.float64(0.0)
    """
    unit = _open(used(key), lengths_of(shape), floating(dtype))
    return np.tan(math.pi * (unit - 0.5))


def rayleigh(key: Any, scale: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Numbers of the Rayleigh distribution, ``x * exp(-x**2 / (2 * scale**2)) / scale**2``.

    Args:
        key: A key.
        scale: Positive numbers.
        shape: Of what is drawn; None for that of the scale.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> x = ft.random.rayleigh(ft.random.key(0), 1.0, (10000,))
        >>> (x**2).mean().round(1)  # 2 * scale**2
        np.float64(2.0)
    """
    (scale,) = parameters(dtype := floating(dtype), scale)
    shape = common_shape(shape, scale)
    return scale * np.sqrt(2 * _exponential(used(key), shape, dtype))


def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Any = (), dtype: Any = None
) -> Any:
    """Numbers of Weibull's distribution, ``x**(c - 1) * exp(-(x / scale)**c)`` but for a factor.

    Args:
        key: A key.
        scale: Positive numbers; they broadcast to the shape.
        concentration: Positive numbers c; they broadcast to the shape.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> x = ft.random.weibull_min(ft.random.key(0), 2.0, 1.0, (10000,))
        >>> x.mean().round(1)  # as 2 times an exponential number
        np.float64(2.0)
    """
    scale, concentration = parameters(dtype := floating(dtype), scale, concentration)
    shape = common_shape(lengths_of(shape), scale, concentration)
    draw = _exponential(used(key), shape, dtype)
    return draw ** (1 / concentration) * scale


def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Numbers of the Pareto distribution from 1 on, ``b * x**(-b - 1)``.

    Args:
        key: A key.
        b: Positive numbers.
        shape: Of what is drawn; None for that of ``b``.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> x = ft.random.pareto(ft.random.key(0), 3.0, (10000,))
        >>> x.min() >= 1, x.mean().round(1)  # b / (b - 1)
        (np.True_, np.float64(1.5))
    """
    (b,) = parameters(dtype := floating(dtype), b)
    return np.exp(_exponential(used(key), common_shape(shape, b), dtype) / b)


def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = None
) -> Any:
    """Numbers whose density rises from one bound to its mode and falls to the other bound.

    Args:
        key: A key.
        left: The lower bound.
        mode: Where the density is largest.
        right: The upper bound.
        shape: Of what is drawn; None for that of the parameters.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> ft.random.triangular(ft.random.key(0), 0.0, 1.0, 5.0, (10000,)).mean().round(1)
        np.float64(2.0)
    """
    left, mode, right = parameters(dtype := floating(dtype), left, mode, right)
    unit = _open(used(key), common_shape(shape, left, mode, right), dtype)
    width = right - left
    is_left = np.less(unit * width, mode - left)
    # The root that is not chosen must not be one of 0, where it has no derivative.
    rising = np.where(is_left, unit * width * (mode - left), 1)
    falling = np.where(is_left, 1, (1 - unit) * width * (right - mode))
    return as_scalar(np.where(is_left, left + np.sqrt(rising), right - np.sqrt(falling)))


# Of normal numbers


def lognormal(key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = None) -> Any:
    """Exponentials of normal numbers.

    Args:
        key: A key.
        sigma: The standard deviations of the normal numbers.
        shape: Of what is drawn; None for that of ``sigma``.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> np.median(ft.random.lognormal(ft.random.key(0), 0.5, (10000,))).round(1)
        np.float64(1.0)
    """
    (sigma,) = parameters(dtype := floating(dtype), sigma)
    return np.exp(sigma * _normal(used(key), common_shape(shape, sigma), dtype))


def maxwell(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Lengths of normal vectors of three elements.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> (ft.random.maxwell(ft.random.key(0), (10000,)) ** 2).mean().round(1)
        np.float64(3.0)
    """
    return _maxwell(used(key), lengths_of(shape), floating(dtype))


def _maxwell(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    return np.sqrt(np.sum(_normal(key, (*shape, 3), dtype) ** 2, axis=-1))


def double_sided_maxwell(key: Any, loc: Any, scale: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Numbers of Maxwell's distribution to both sides of a place.

    Args:
        key: A key.
        loc: The place.
        scale: Positive numbers.
        shape: Of what is drawn for each of the parameters; its axes come before theirs.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> x = ft.random.double_sided_maxwell(ft.random.key(0), 5.0, 1.0, (10000,))
        >>> x.mean().round(1)
        np.float64(5.0)
    """
    loc, scale = parameters(dtype := floating(dtype), loc, scale)
    shape = (*lengths_of(shape), *common_shape(None, loc, scale))
    lengths, sides = _split(used(key), 2)
    return _signs(sides, shape, dtype) * _maxwell(lengths, shape, dtype) * scale + loc


def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Numbers of Wald's distribution, the inverse Gaussian one, of scale 1.

    Michael, Schucany and Haas, Generating random variates using transformations with multiple
    roots, The American Statistician 30 (1976).

    Args:
        key: A key.
        mean: Positive numbers.
        shape: Of what is drawn; None for that of ``mean``.
        dtype: A floating dtype, float64 where none is given.

    Returns:
        An array, whose derivative is that of the quantile.

    Example:
        >>> import functrace as ft
        >>> ft.random.wald(ft.random.key(0), 2.0, (10000,)).mean().round(1)
        np.float64(2.0)
    """
    (mean,) = parameters(dtype := floating(dtype), mean)
    shape, fixed = common_shape(shape, mean), stop_gradient(mean)
    first, second = _split(used(key), 2)
    y = fixed * _normal(first, shape, dtype) ** 2
    x = 2 * fixed / (2 + y + np.sqrt(y * (4 + y)))  # the smaller root, so that nothing cancels
    is_small = np.less_equal(_uniform(second, shape, dtype) * (fixed + x), fixed)
    return bind(follow_wald, as_scalar(np.where(is_small, x, fixed * fixed / x)), mean)


def truncated_normal(key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Standard normal numbers between two bounds, which may be far out.

    Args:
        key: A key.
        lower: What all numbers are above.
        upper: What all numbers are below.
        shape: Of what is drawn; None for that of the bounds.
        dtype: A floating dtype, float64 where none is given.

    Returns:
        An array; nan where the lower bound is not below the upper one.

    Example:
        >>> import functrace as ft
        >>> ft.random.truncated_normal(ft.random.key(0), 50.0, 51.0)
        np.float64(50.0...)
    """
    lower, upper = parameters(dtype := floating(dtype), lower, upper)
    shape = common_shape(shape, lower, upper)
    lows, highs = stop_gradient(lower), stop_gradient(upper)
    x = bind(random_truncated_normal, used(key), lows, highs, shape=shape, dtype=dtype)
    return bind(follow_truncated_normal, x, lower, upper)


# Of gamma numbers


def _loggamma(key: Any, a: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    y = bind(random_loggamma, key, stop_gradient(a), shape=shape, dtype=dtype)
    return bind(follow_loggamma, y, a)


def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Logarithms of gamma numbers, also where these are too small for their dtype.

    Args:
        key: A key.
        a: Positive numbers, the shapes of the distribution; its scale is 1.
        shape: Of what is drawn; None for that of ``a``.
        dtype: A floating dtype, float64 where none is given.

    Returns:
        An array; nan where ``a`` is negative. Its derivative by ``a`` is that of the quantile, by
        implicit differentiation, to about 10 digits.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> np.exp(ft.random.loggamma(ft.random.key(0), 2.0, (10000,))).mean().round(1)
        np.float64(2.0)
        >>> np.isfinite(ft.random.loggamma(ft.random.key(0), 1e-6))
        np.True_
    """
    (a,) = parameters(dtype := floating(dtype), a)
    return _loggamma(used(key), a, common_shape(shape, a), dtype)


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Gamma numbers, ``x**(a - 1) * exp(-x)`` but for a factor.

    Args:
        key: A key.
        a: Positive numbers, the shapes of the distribution; its scale is 1.
        shape: Of what is drawn; None for that of ``a``.
        dtype: A floating dtype, float64 where none is given.

    Returns:
        An array; nan where ``a`` is negative. Its derivative by ``a`` is that of the quantile, by
        implicit differentiation, to about 10 digits.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda a: ft.random.gamma(ft.random.key(0), a))(2.0)
        np.float64(...)
    """
    return np.exp(loggamma(key, a, shape, dtype))


def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Sums of squares of so many normal numbers.

    Args:
        key: A key.
        df: The degrees of freedom, positive numbers.
        shape: Of what is drawn; None for that of ``df``.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> ft.random.chisquare(ft.random.key(0), 3.0, (10000,)).mean().round(1)  # df
        np.float64(3.0)
    """
    (df,) = parameters(dtype := floating(dtype), df)
    return 2 * np.exp(_loggamma(used(key), df / 2, common_shape(shape, df), dtype))


def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Numbers of the F distribution: quotients of means of squares.

    Args:
        key: A key.
        dfnum: The degrees of freedom of the numerator.
        dfden: Those of the denominator.
        shape: Of what is drawn; None for that of the parameters.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> ft.random.f(ft.random.key(0), 4.0, 12.0, (10000,)).mean().round(1)  # 12 / (12 - 2)
        np.float64(1.2)
    """
    dfnum, dfden = parameters(dtype := floating(dtype), dfnum, dfden)
    shape = common_shape(shape, dfnum, dfden)
    above, below = _split(used(key), 2)
    log = _loggamma(above, dfnum / 2, shape, dtype) - _loggamma(below, dfden / 2, shape, dtype)
    return np.exp(log) * (dfden / dfnum)


def t(key: Any, df: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Numbers of Student's t distribution.

    Args:
        key: A key.
        df: The degrees of freedom, positive numbers.
        shape: Of what is drawn; None for that of ``df``.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> ft.random.t(ft.random.key(0), 12.0, (10000,)).var().round(1)  # 12 / (12 - 2)
        np.float64(1.2)
    """
    (df,) = parameters(dtype := floating(dtype), df)
    shape = common_shape(shape, df)
    first, second = _split(used(key), 2)
    scale = np.exp(-_loggamma(second, df / 2, shape, dtype) / 2)
    return _normal(first, shape, dtype) * np.sqrt(df / 2) * scale


def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Beta numbers, ``x**(a - 1) * (1 - x)**(b - 1)`` but for a factor.

    Args:
        key: A key.
        a: Positive numbers.
        b: Positive numbers.
        shape: Of what is drawn; None for that of the parameters.
        dtype: A floating dtype, float64 where none is given.

    Returns:
        An array. Its derivatives are those of the quantile, by implicit differentiation, to about
        10 digits.

    Example:
        >>> import functrace as ft
        >>> ft.random.beta(ft.random.key(0), 2.0, 3.0, (10000,)).mean().round(1)  # a / (a + b)
        np.float64(0.4)
    """
    a, b = parameters(dtype := floating(dtype), a, b)
    shape = common_shape(shape, a, b)
    first, second = _split(used(key), 2)
    logs = (
        bind(random_loggamma, part, stop_gradient(x), shape=shape, dtype=dtype)
        for part, x in ((first, a), (second, b))
    )
    return bind(special.expit, bind(follow_betalogit, operator.sub(*logs), a, b))


def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Vectors of the Dirichlet distribution, whose elements are positive and have the sum 1.

    Args:
        key: A key.
        alpha: An array of shape (..., n) of positive numbers.
        shape: Of what is drawn, without the last axis; None for that of ``alpha``.
        dtype: A floating dtype, float64 where none is given.

    Returns:
        An array of shape ``(*shape, n)``. Its derivatives are those of the gamma numbers, by their
        quantiles, of which the elements are the parts.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> x = ft.random.dirichlet(ft.random.key(0), np.array([1.0, 2.0, 3.0]))
        >>> x.shape, x.sum().round(6)
        ((3,), np.float64(1.0))
    """
    (alpha,) = parameters(dtype := floating(dtype), alpha)
    count = _length(alpha, "alpha")
    wanted = None if shape is None else (*lengths_of(shape), count)
    logs = _loggamma(used(key), alpha, common_shape(wanted, alpha), dtype)
    parts = np.exp(logs - stop_gradient(np.max(logs, axis=-1, keepdims=True)))
    return parts / np.sum(parts, axis=-1, keepdims=True)


def generalized_normal(key: Any, p: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Numbers of the density ``exp(-abs(x)**p)``, but for a factor.

    Args:
        key: A key.
        p: Positive numbers; they broadcast to the shape.
        shape: Of what is drawn.
        dtype: A floating dtype, float64 where none is given.

    Example:
        >>> import functrace as ft
        >>> x = ft.random.generalized_normal(ft.random.key(0), 2.0, (10000,))
        >>> x.var().round(1)  # of exp(-x**2) it is 1 / 2
        np.float64(0.5)
    """
    (p,) = parameters(dtype := floating(dtype), p)
    return _generalized_normal(used(key), p, common_shape(lengths_of(shape), p), dtype)


def _generalized_normal(key: Any, p: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    sizes, sides = _split(key, 2)
    size = np.exp(_loggamma(sizes, 1 / p, shape, dtype) / p)
    return _signs(sides, shape, dtype) * size


# Vectors and matrices


def _length(x: Any, name: str) -> int:
    """The length of the last axis.

    Raises:
        ArgumentError: There is none.
    """
    if not shape_of(x):
        raise ArgumentError(f"{name} has one axis at least, of the elements of a vector.")
    return shape_of(x)[-1]


def ball(key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = None) -> Any:
    """Vectors in the unit ball of a norm, all alike.

    Barthe, Guedon, Mendelson and Naor, A probabilistic approach to the geometry of the l_p^n-ball,
    Annals of Probability 33 (2005).

    Args:
        key: A key.
        d: The number of elements of a vector.
        p: The order of the norm, a positive number.
        shape: Of what is drawn, without the axis of elements.
        dtype: A floating dtype, float64 where none is given.

    Returns:
        An array of shape ``(*shape, d)``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> x = ft.random.ball(ft.random.key(0), 3, shape=(1000,))
        >>> x.shape, np.linalg.norm(x, axis=-1).max() <= 1
        ((1000, 3), np.True_)
    """
    (p,) = parameters(dtype := floating(dtype), p)
    shape = lengths_of(shape)
    first, second = _split(used(key), 2)
    x = _generalized_normal(first, p, (*shape, operator.index(d)), dtype)
    total = np.sum(np.abs(x) ** p, axis=-1) + _exponential(second, shape, dtype)
    return x / np.expand_dims(total ** (1 / p), -1)


def multivariate_normal(
    key: Any, mean: Any, cov: Any, shape: Any = None, dtype: Any = None, method: str = "cholesky"
) -> Any:
    """Normal vectors with a mean and a matrix of covariances.

    Args:
        key: A key.
        mean: An array of shape (..., n).
        cov: An array of shape (..., n, n), symmetric and positive definite; by "eigh" and "svd"
            semidefinite.
        shape: Of what is drawn, without the axis of elements; None for that of the parameters.
        dtype: A floating dtype, float64 where none is given.
        method: How the matrix is factored: "cholesky", "eigh" or "svd".

    Returns:
        An array of shape ``(*shape, n)``.

    Raises:
        ArgumentError: There is no such method, or the shapes do not fit.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> cov = np.array([[1.0, 0.5], [0.5, 1.0]])
        >>> x = ft.random.multivariate_normal(ft.random.key(0), np.zeros(2), cov, (10000,))
        >>> np.cov(x.T).round(1)
        array([[1. , 0.5],
               [0.5, 1. ]])
    """
    mean, cov = parameters(dtype := floating(dtype), mean, cov)
    count = _length(mean, "mean")
    if shape_of(cov)[-2:] != (count, count):
        raise ArgumentError(
            f"cov has the shape {shape_of(cov)}; of vectors of {count} elements it is "
            f"(..., {count}, {count})."
        )
    means, covs = shape_of(mean)[:-1], shape_of(cov)[:-2]
    shape = common_shape(shape, np.empty(means), np.empty(covs))
    if method == "cholesky":
        factor = np.linalg.cholesky(cov)
    elif method == "eigh":
        values, vectors = np.linalg.eigh(cov)
        factor = vectors * np.sqrt(np.maximum(values, 0))[..., np.newaxis, :]
    elif method == "svd":
        vectors, values, _ = np.linalg.svd(cov)
        factor = vectors * np.sqrt(values)[..., np.newaxis, :]
    else:
        raise ArgumentError(f"method={method!r} is none of 'cholesky', 'eigh' and 'svd'.")
    draw = _normal(used(key), (*shape, count), dtype)
    return mean + (factor @ draw[..., np.newaxis])[..., 0]


def orthogonal(key: Any, n: int, shape: Any = (), dtype: Any = None, m: int | None = None) -> Any:
    """Orthogonal matrices, all alike (Haar's measure).

    Mezzadri, How to generate random matrices from the classical compact groups, Notices of the AMS
    54 (2007).

    Args:
        key: A key.
        n: The number of rows.
        shape: Of what is drawn, without the axes of a matrix.
        dtype: A floating or complex dtype, float64 where none is given.
        m: The number of columns; None for as many as rows. Rows or columns, whichever are fewer,
            are orthonormal.

    Returns:
        An array of shape ``(*shape, n, m)``.

    Example:
        >>> import functrace as ft
        >>> q = ft.random.orthogonal(ft.random.key(0), 3)
        >>> (q @ q.T).round(6) + 0.0
        array([[1., 0., 0.],
               [0., 1., 0.],
               [0., 0., 1.]])
    """
    dtype = floating_or_complex(dtype)
    rows = operator.index(n)
    columns = rows if m is None else operator.index(m)
    large, small = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(_normal(used(key), (*lengths_of(shape), large, small), dtype))
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    q = q * (diagonal / np.abs(diagonal))[..., np.newaxis, :]
    return np.swapaxes(q, -1, -2) if rows < columns else q


globals().update(entrances(globals()))
