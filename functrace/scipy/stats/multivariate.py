"""Distributions of vectors and matrices.

Definitions: SciPy's documentation of ``scipy.stats``. Of the normal and the t distribution leading
axes of the parameters are batches, which SciPy does not have.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.errors import ShapeMismatchError, UnsupportedFunctionError
from functrace.matrices.factoring import cholesky
from functrace.matrices.systems import solve_triangular
from functrace.primitives.linear import shape_of, stop_gradient
from functrace.scipy import special
from functrace.scipy.stats.families import (
    INFINITY,
    Frozen,
    all_of,
    choose,
    drawn,
    holds,
    missing,
    piecewise,
    real,
    register_frozen,
)
from functrace.tracing.entrances import enter_by_methods
from functrace.tracing.optional import scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.traced_array import TracedArray
from functrace.tracing.tracer import Tracer, bind

_LOG_2PI = math.log(2 * math.pi)


class Multivariate:
    """A family of distributions of vectors or matrices.

    Attributes:
        name: What SciPy calls it.
    """

    def __init__(self, name: str) -> None:
        """Name the family."""
        self.name = name

    def __call__(self, *args: Any, **kwds: Any) -> Frozen:
        """The distribution with these parameters, whose methods take the rest."""
        return Frozen(self, args, kwds)

    def __repr__(self) -> str:
        return f"<functrace.scipy.stats.{self.name}>"

    def __getattr__(self, name: str) -> Any:
        raise missing(self.name, name)

    def rvs(self, *args: Any, **kwds: Any) -> Any:
        """Random vectors or matrices, drawn by SciPy; parameters must not be traced."""
        return drawn(self.name, "rvs", args, kwds)

    def _misfit(self, what: str) -> ShapeMismatchError:
        return ShapeMismatchError(f"{self.name}: {what}.", source_of(user_place(2)))


def _required(condition: Any, what: str) -> Any:
    """A condition on values; where it is known that it does not hold everywhere, an error.

    Raises:
        ValueError: It does not hold, as SciPy raises it.
    """
    if not isinstance(condition, Tracer) and not np.all(condition):
        raise ValueError(what)
    return condition


def _squeezed(x: Any) -> Any:
    """A result as SciPy gives it: without axes of length 1."""
    return np.squeeze(x)[()]


def _log_determinant(factor: Any) -> Any:
    """Of the matrix with this Cholesky factor."""
    return 2.0 * np.sum(np.log(np.diagonal(factor, axis1=-2, axis2=-1)), axis=-1)


def _divided(factor: Any, x: Any) -> Any:
    """The matrices ``x`` divided by a triangular factor, from the left."""
    return bind(solve_triangular, factor, x, lower=True, unit_diagonal=False)


def _whitened(factor: Any, deviation: Any) -> Any:
    """Vectors, along the last axis, divided by a triangular factor."""
    if len(shape_of(factor)) > 2:
        return _divided(factor, deviation[..., None])[..., 0]
    columns = np.reshape(deviation, (-1, shape_of(deviation)[-1])).T
    return np.reshape(_divided(factor, columns).T, shape_of(deviation))


class Elliptical(Multivariate):
    """A family with a location and a positive definite matrix."""

    def _located(self, location: Any, matrix: Any) -> tuple[Any, Any]:
        """The location as vectors and the matrix as matrices of the same size."""
        matrix = real(1.0 if matrix is None else matrix, self.name)
        rank = len(shape_of(matrix))
        if location is None:
            location = np.zeros(shape_of(matrix)[-1] if rank > 1 else 1)
        location = real(location, self.name)
        if not shape_of(location):
            location = np.reshape(location, (1,))
        size = shape_of(location)[-1]
        if rank == 0 or (rank == 1 and size == 1):
            matrix = np.reshape(matrix, (-1, 1, 1))[0] * np.eye(size)
        elif rank == 1:
            matrix = matrix[:, None] * np.eye(len(matrix))
        if shape_of(matrix)[-2:] != (size, size):
            raise self._misfit(
                f"a matrix of shape {shape_of(matrix)} does not fit a vector of length {size}"
            )
        return location, matrix

    def _deviation(self, x: Any, location: Any) -> Any:
        x = real(x, self.name)
        size = shape_of(location)[-1]
        if len(shape_of(x)) == 0 or (len(shape_of(x)) == 1 and size == 1):
            x = np.reshape(x, (-1, 1))
        if shape_of(x)[-1] != size:
            raise self._misfit(f"x has vectors of length {shape_of(x)[-1]} in place of {size}")
        return x - location

    def _measured(self, deviation: Any, matrix: Any, allow_singular: bool) -> tuple[Any, Any, Any]:
        """The squared distance, the logarithm of the determinant, and the rank."""
        if not allow_singular:
            factor = bind(cholesky, matrix)
            distance = np.sum(np.square(_whitened(factor, deviation)), axis=-1)
            return distance, _log_determinant(factor), shape_of(matrix)[-1]
        values, vectors = np.linalg.eigh(matrix)
        largest = np.max(np.abs(values), axis=-1, keepdims=True)
        counted = np.greater(values, 1e6 * np.finfo(np.float64).eps * largest)
        along = np.sum(np.swapaxes(vectors, -1, -2) * deviation[..., None, :], axis=-1)
        kept = np.where(counted, values, 1.0)
        distance = np.sum(np.where(counted, np.square(along) / kept, 0.0), axis=-1)
        outside = np.any(np.logical_and(~counted, np.greater(np.abs(along), 1e-8)), axis=-1)
        distance = np.where(outside, INFINITY, distance)
        return distance, np.sum(np.log(kept), axis=-1), np.sum(counted, axis=-1)


class MultivariateNormal(Elliptical):
    """The normal distribution of vectors.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.stats import multivariate_normal
        >>> multivariate_normal.logpdf([0.0, 0.0], mean=[0.0, 2.0], cov=np.eye(2)).round(3)
        np.float64(-3.838)
    """

    def __call__(
        self, mean: Any = None, cov: Any = 1, allow_singular: bool = False
    ) -> FrozenNormal:
        """The distribution with this mean and covariance."""
        return FrozenNormal(self, (mean, cov), {"allow_singular": allow_singular})

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The logarithm of the density.

        Args:
            x: Vectors, along the last axis.
            mean: Their mean, 0 by default.
            cov: The covariance: a matrix, of which the lower triangle is read, its diagonal, or a
                number for a multiple of the identity.
            allow_singular: Whether the matrix may be singular; then the density is that in the
                subspace, and zero outside.

        Returns:
            A number for each vector.

        Raises:
            LinAlgError: The matrix is not positive definite.

        Example:
            >>> import numpy as np
            >>> from functrace.scipy.stats import multivariate_normal
            >>> print(multivariate_normal.logpdf(np.zeros(2), cov=np.eye(2)).round(6))
            -1.837877
        """
        mean, cov = self._located(mean, cov)
        deviation = self._deviation(x, mean)
        distance, log_determinant, rank = self._measured(deviation, cov, allow_singular)
        return _squeezed(-0.5 * (rank * _LOG_2PI + log_determinant + distance))

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The density: see `logpdf`."""
        return np.exp(self.logpdf(x, mean, cov, allow_singular))

    def entropy(self, mean: Any = None, cov: Any = 1) -> Any:
        """The entropy in nats."""
        _, cov = self._located(mean, cov)
        log_determinant = _log_determinant(bind(cholesky, cov))
        return _squeezed(0.5 * (shape_of(cov)[-1] * (_LOG_2PI + 1.0) + log_determinant))

    def cdf(self, x: Any, mean: Any = None, cov: Any = 1, **options: Any) -> Any:
        """The probability that no component exceeds that of ``x``, by SciPy's integration.

        Raises:
            UnsupportedFunctionError: An argument is traced.
        """
        if any(isinstance(y, TracedArray) for y in (x, mean, cov)):
            raise UnsupportedFunctionError(
                f"{self.name}.cdf is found by random numbers, and has no derivative here.",
                source_of(user_place(1)),
                "Of one component write functrace.scipy.stats.norm.cdf; of independent ones the "
                "product of these.",
            )
        stats = scipy_module("stats", f"functrace.scipy.stats.{self.name}.cdf")
        return stats.multivariate_normal.cdf(x, mean, cov, **options)


class FrozenNormal(Frozen):
    """A normal distribution of vectors, with its mean and its covariance."""

    @property
    def mean(self) -> Any:
        """The mean, a vector."""
        return self.dist._located(*self.args)[0]

    @property
    def cov(self) -> Any:
        """The covariance, a matrix."""
        return self.dist._located(*self.args)[1]


class MultivariateT(Elliptical):
    """Student's t distribution of vectors.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.stats import multivariate_t
        >>> multivariate_t.pdf([0.0, 0.0], [0.0, 0.0], np.eye(2), df=3.0).round(3)
        np.float64(0.159)
    """

    def logpdf(self, x: Any, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:
        """The logarithm of the density.

        Args:
            x: Vectors, along the last axis.
            loc: Their center, 0 by default.
            shape: A positive definite matrix, its diagonal, or a number.
            df: The degrees of freedom; if they are infinite, the distribution is normal.

        Returns:
            A number for each vector.
        """
        loc, shape = self._located(loc, shape)
        df = real(df, self.name)
        distance, log_determinant, size = self._measured(self._deviation(x, loc), shape, False)
        scale = 0.5 * (size * _LOG_2PI + log_determinant)
        is_finite = np.isfinite(df)

        def heavy(distance: Any, df: Any) -> Any:
            ratio = special.gammaln(0.5 * (df + size)) - special.gammaln(0.5 * df)
            ratio = ratio - 0.5 * size * np.log(0.5 * df)
            return ratio - 0.5 * (df + size) * np.log1p(distance / df)

        return _squeezed(piecewise(is_finite, heavy, -0.5 * distance, distance, df) - scale)

    def pdf(self, x: Any, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:
        """The density: see `logpdf`."""
        return np.exp(self.logpdf(x, loc, shape, df))

    def entropy(self, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:
        """The entropy in nats; with infinitely many degrees of freedom that of the normal one."""
        _, shape = self._located(loc, shape)
        size = shape_of(shape)[-1]
        spread = 0.5 * (size * _LOG_2PI + _log_determinant(bind(cholesky, shape)))
        df = real(df, self.name)

        def heavy(df: Any) -> Any:
            half, whole = 0.5 * df, 0.5 * (df + size)
            slope = whole * (special.digamma(whole) - special.digamma(half))
            ratio = special.gammaln(half) - special.gammaln(whole)
            return ratio + 0.5 * size * np.log(half) + slope

        return _squeezed(spread + piecewise(np.isfinite(df), heavy, 0.5 * size, df))


class Dirichlet(Multivariate):
    """The Dirichlet distribution of vectors of probabilities.

    Example:
        >>> from functrace.scipy.stats import dirichlet
        >>> dirichlet.pdf([0.2, 0.3, 0.5], [1.0, 1.0, 1.0]).round(3)
        np.float64(2.0)
        >>> dirichlet.mean([1.0, 1.0, 2.0])
        array([0.25, 0.25, 0.5 ])
    """

    def _alpha(self, alpha: Any) -> tuple[Any, Any]:
        """The parameters, and whether all are positive."""
        alpha = real(alpha, self.name)
        if len(shape_of(alpha)) != 1:
            raise self._misfit(f"alpha has the shape {shape_of(alpha)}, and must be a vector")
        positive = np.all(np.greater(alpha, 0))
        return alpha, _required(positive, "All parameters must be greater than 0")

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """The logarithm of the density.

        Args:
            x: Probabilities, along the first axis; the last one may be left out.
            alpha: Positive numbers, one for each probability.

        Returns:
            A number for each vector; nan for what is found to be no vector of probabilities only
            when it runs.

        Raises:
            ValueError: ``x`` does not sum up to 1, has a negative element, or one that is zero
                where its ``alpha`` is below 1.
        """
        alpha, valid = self._alpha(alpha)
        x = real(x, self.name)
        missing = len(alpha) - (shape_of(x) or (0,))[0]
        if missing not in (0, 1) or len(shape_of(x)) > 2:
            raise self._misfit(f"x of shape {shape_of(x)} does not fit {len(alpha)} parameters")
        if missing:
            x = np.concatenate([x, 1.0 - np.sum(x, axis=0, keepdims=True)])
        powers = (alpha if len(shape_of(x)) == 1 else alpha[:, None]) - 1.0
        valid = np.logical_and(valid, _in_simplex(stop_gradient(x), powers))
        with np.errstate(all="ignore"):
            density = np.sum(special.xlogy(powers, x), axis=0) - _log_multivariate_beta(alpha)
        return _squeezed(choose(valid, density, np.nan))

    def pdf(self, x: Any, alpha: Any) -> Any:
        """The density: see `logpdf`."""
        return np.exp(self.logpdf(x, alpha))

    def mean(self, alpha: Any) -> Any:
        """The mean of each probability."""
        alpha, _ = self._alpha(alpha)
        return _squeezed(alpha / np.sum(alpha))

    def var(self, alpha: Any) -> Any:
        """The variance of each probability."""
        alpha, _ = self._alpha(alpha)
        total = np.sum(alpha)
        return _squeezed(alpha * (total - alpha) / (total * total * (total + 1.0)))

    def cov(self, alpha: Any) -> Any:
        """The covariance matrix."""
        alpha, _ = self._alpha(alpha)
        total = np.sum(alpha)
        mean = alpha / total
        return _squeezed((np.diag(mean) - np.outer(mean, mean)) / (total + 1.0))

    def entropy(self, alpha: Any) -> Any:
        """The entropy in nats."""
        alpha, _ = self._alpha(alpha)
        total = np.sum(alpha)
        parts = np.sum((alpha - 1.0) * special.digamma(alpha))
        whole = (total - len(alpha)) * special.digamma(total)
        return _squeezed(_log_multivariate_beta(alpha) + whole - parts)


def _in_simplex(x: Any, powers: Any) -> Any:
    """Whether vectors along the first axis hold probabilities whose powers are finite."""
    positive = _required(
        np.all(np.greater_equal(x, 0), axis=0),
        "Each entry in 'x' must be greater than or equal to zero.",
    )
    finite = _required(
        ~np.any(np.logical_and(np.equal(x, 0), np.less(powers, 0)), axis=0),
        "Each entry in 'x' must be greater than zero if its alpha is less than one.",
    )
    complete = _required(
        np.less_equal(np.abs(np.sum(x, axis=0) - 1.0), 1e-9),
        "The input vector 'x' must lie within the normal simplex.",
    )
    return all_of((positive, finite, complete))


def _log_multivariate_beta(alpha: Any) -> Any:
    return np.sum(special.gammaln(alpha)) - special.gammaln(np.sum(alpha))


class Multinomial(Multivariate):
    """The counts of outcomes in ``n`` trials, each of which has outcome ``i`` by ``p[i]``.

    Example:
        >>> from functrace.scipy.stats import multinomial
        >>> multinomial.pmf([1, 1], 2, [0.5, 0.5]).round(3)
        np.float64(0.5)
    """

    def _chances(self, n: Any, p: Any) -> tuple[Any, Any, Any]:
        """The trials, the probabilities, and whether they are such."""
        n, p = real(n, self.name), real(p, self.name)
        rest = 1.0 - np.sum(p[..., :-1], axis=-1, keepdims=True)
        misses = np.greater(np.abs(1.0 - np.sum(p, axis=-1, keepdims=True)), 1.5e-6)
        if not holds(~misses):  # the last one is what is left, as in SciPy
            p = np.concatenate([p[..., :-1], np.where(misses, rest, p[..., -1:])], axis=-1)
        valid = np.all(np.logical_and(np.greater_equal(p, 0), np.less_equal(p, 1)), axis=-1)
        whole = np.logical_and(np.greater_equal(n, 0), np.equal(n, np.floor(n)))
        return n, p, np.logical_and(valid, whole)

    def logpmf(self, x: Any, n: Any, p: Any) -> Any:
        """The logarithm of the probability.

        Args:
            x: Counts, along the last axis.
            n: How many trials.
            p: Probabilities, along the last axis.

        Returns:
            A number for each vector: minus infinity where the counts are no whole numbers, or do
            not sum up to ``n``; nan where ``p`` holds no probabilities.
        """
        n, p, valid = self._chances(n, p)
        x = stop_gradient(real(x, self.name))
        if shape_of(x)[-1:] != shape_of(p)[-1:]:
            raise self._misfit(f"x of shape {shape_of(x)} does not fit p of shape {shape_of(p)}")
        is_count = np.logical_and(np.greater_equal(x, 0), np.equal(x, np.floor(x)))
        possible = np.logical_and(np.all(is_count, axis=-1), np.equal(np.sum(x, axis=-1), n))
        with np.errstate(all="ignore"):
            parts = special.xlogy(x, p) - special.gammaln(x + 1.0)
            mass = special.gammaln(n + 1.0) + np.sum(parts, axis=-1)
            mass = choose(valid, choose(possible, mass, -INFINITY), np.nan)
        return mass[()]

    def pmf(self, x: Any, n: Any, p: Any) -> Any:
        """The probability: see `logpmf`."""
        return np.exp(self.logpmf(x, n, p))

    def mean(self, n: Any, p: Any) -> Any:
        """The mean counts."""
        n, p, valid = self._chances(n, p)
        return choose(valid[..., None], n[..., None] * p, np.nan)[()]

    def cov(self, n: Any, p: Any) -> Any:
        """The covariance matrix."""
        n, p, valid = self._chances(n, p)
        single = p[..., :, None] * (np.eye(shape_of(p)[-1]) - p[..., None, :])
        return choose(valid[..., None, None], n[..., None, None] * single, np.nan)[()]


class OfMatrices(Multivariate):
    """A family of positive definite matrices with degrees of freedom and a scale."""

    def _scaled(self, df: Any, scale: Any) -> tuple[Any, Any, Any]:
        """The degrees of freedom, the scale matrix, and whether there are enough of them."""
        scale = real(scale, self.name)
        if len(shape_of(scale)) < 2:
            scale = np.diag(np.reshape(scale, (-1,)))
        size = shape_of(scale)[0]
        if shape_of(scale) != (size, size):
            raise self._misfit(f"a scale of shape {shape_of(scale)} is no square matrix")
        df = real(df, self.name)
        enough = np.greater(df, size - 1)
        what = "Degrees of freedom must be greater than the dimension of scale matrix minus 1."
        return df, scale, _required(enough, what)

    def _matrices(self, x: Any, size: int) -> Any:
        """The matrices as a stack; SciPy has several of them along the last axis."""
        x = real(x, self.name)
        rank = len(shape_of(x))
        if rank == 0:
            x = x * np.eye(size)
        elif rank == 1:
            x = np.reshape(x, (-1, 1, 1)) if size == 1 else np.diag(x)
        elif rank == 3:
            x = np.moveaxis(x, -1, 0)
        if shape_of(x)[-2:] != (size, size) or rank > 3:
            raise self._misfit(f"x of shape {shape_of(x)} does not fit a scale of size {size}")
        return x

    def logpdf(self, x: Any, df: Any, scale: Any) -> Any:
        """The logarithm of the density.

        Args:
            x: A positive definite matrix, or several of them along the last axis.
            df: The degrees of freedom, more than the size of the matrices less 1.
            scale: A positive definite matrix, its diagonal, or a number.

        Returns:
            A number for each matrix.

        Raises:
            LinAlgError: A matrix is not positive definite.
            ValueError: There are too few degrees of freedom.
        """
        df, scale, valid = self._scaled(df, scale)
        x = self._matrices(x, shape_of(scale)[0])
        density = self._log_density(bind(cholesky, x), df, bind(cholesky, scale))
        return _squeezed(choose(valid, density, np.nan))

    def _log_density(self, factor: Any, df: Any, scale: Any) -> Any:
        """The logarithm of the density by Cholesky factors of matrices and scale."""
        raise NotImplementedError

    def pdf(self, x: Any, df: Any, scale: Any) -> Any:
        """The density: see `logpdf`."""
        return np.exp(self.logpdf(x, df, scale))


def _log_norm(df: Any, scale: Any) -> Any:
    """The logarithm of the integral that both families share, but for the scale."""
    size = shape_of(scale)[-1]
    gammas = special.gammaln(0.5 * (np.reshape(df, (-1,)) - np.arange(size)))
    constant = size * (size - 1) / 4 * math.log(math.pi)
    return 0.5 * df * size * math.log(2) + constant + np.sum(gammas)


class Wishart(OfMatrices):
    """The distribution of the sum of ``df`` outer squares of normal vectors.

    Example:
        >>> from functrace.scipy.stats import wishart
        >>> wishart.mean(3, [[2.0]])
        np.float64(6.0)
        >>> wishart.pdf([[2.0]], 2, [[1.0]]).round(3)
        np.float64(0.184)
    """

    def _log_density(self, factor: Any, df: Any, scale: Any) -> Any:
        size = shape_of(scale)[-1]
        trace = np.sum(
            np.square(_divided(np.broadcast_to(scale, shape_of(factor)), factor)), axis=(-2, -1)
        )
        powers = 0.5 * (df - size - 1.0) * _log_determinant(factor) - 0.5 * df * _log_determinant(
            scale
        )
        return powers - 0.5 * trace - _log_norm(df, scale)

    def mean(self, df: Any, scale: Any) -> Any:
        """The mean."""
        df, scale, _ = self._scaled(df, scale)
        return _squeezed(df * scale)

    def var(self, df: Any, scale: Any) -> Any:
        """The variance of each element."""
        df, scale, _ = self._scaled(df, scale)
        diagonal = np.diagonal(scale)
        return _squeezed(df * (np.square(scale) + np.outer(diagonal, diagonal)))

    def entropy(self, df: Any, scale: Any) -> Any:
        """The entropy in nats."""
        df, scale, valid = self._scaled(df, scale)
        factor = bind(cholesky, scale)
        size = shape_of(scale)[-1]
        slopes = np.sum(special.digamma(0.5 * (np.reshape(df, (-1,)) - np.arange(size))))
        spread = 0.5 * (size + 1.0) * (_log_determinant(factor) + size * math.log(2))
        gammas = _log_norm(df, factor) - 0.5 * df * size * math.log(2)
        found = spread + gammas - 0.5 * (df - size - 1.0) * slopes + 0.5 * df * size
        return _squeezed(choose(valid, found, np.nan))


class InverseWishart(OfMatrices):
    """The distribution of the inverse of a Wishart matrix.

    Example:
        >>> from functrace.scipy.stats import invwishart
        >>> invwishart.pdf([[1.0]], 2, [[1.0]]).round(3)
        np.float64(0.303)
    """

    def _log_density(self, factor: Any, df: Any, scale: Any) -> Any:
        size = shape_of(scale)[-1]
        trace = np.sum(
            np.square(_divided(factor, np.broadcast_to(scale, shape_of(factor)))), axis=(-2, -1)
        )
        powers = 0.5 * df * _log_determinant(scale) - 0.5 * (df + size + 1.0) * _log_determinant(
            factor
        )
        return powers - 0.5 * trace - _log_norm(df, scale)

    def mean(self, df: Any, scale: Any) -> Any:
        """The mean; nan where there is none."""
        df, scale, _ = self._scaled(df, scale)
        size = shape_of(scale)[-1]
        return _squeezed(choose(np.greater(df, size + 1), scale / (df - size - 1.0), np.nan))


register_frozen(FrozenNormal)
enter_by_methods(Multivariate, asked=("call",))
for _family in (
    MultivariateNormal,
    MultivariateT,
    Dirichlet,
    Multinomial,
    OfMatrices,
    Wishart,
    InverseWishart,
):
    enter_by_methods(_family)

multivariate_normal = MultivariateNormal("multivariate_normal")
multivariate_t = MultivariateT("multivariate_t")
dirichlet = Dirichlet("dirichlet")
multinomial = Multinomial("multinomial")
wishart = Wishart("wishart")
invwishart = InverseWishart("invwishart")
