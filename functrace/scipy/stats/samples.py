"""Functions of samples: ranks, the mode, standard scores, and densities estimated by kernels.

Definitions: SciPy's documentation of ``scipy.stats``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from functrace.errors import ArgumentError
from functrace.matrices.factoring import cholesky
from functrace.matrices.systems import solve_triangular
from functrace.primitives.linear import dtype_of, shape_of, stop_gradient
from functrace.scipy import special
from functrace.scipy.stats.families import not_offered, real
from functrace.tracing.entrances import enter_by_methods, entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind


def _refuse_policy(nan_policy: str, name: str) -> None:
    if nan_policy != "propagate":
        raise not_offered(name, f"nan_policy={nan_policy!r}")


def _runs(x: Any) -> tuple[Any, Any, Any]:
    """Of sorted numbers where the run of equal ones begins, where it ends, and its number."""
    length = shape_of(x)[-1]
    changes = np.not_equal(x[..., 1:], x[..., :-1])
    edge = np.ones((*shape_of(x)[:-1], 1), bool)
    places = np.arange(length)
    starts = np.concatenate([edge, changes], axis=-1)
    start = np.maximum.accumulate(np.where(starts, places, 0), axis=-1)
    ends = np.concatenate([changes, edge], axis=-1)
    backwards = np.where(ends, places, length)[..., ::-1]
    end = np.minimum.accumulate(backwards, axis=-1)[..., ::-1]
    return start, end, np.cumsum(starts, axis=-1)


def rankdata(
    a: Any, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate"
) -> Any:
    """The ranks of numbers, from 1; they have no derivative.

    Args:
        a: An array of real numbers.
        method: The rank of equal numbers: their "average", "min", "max"; "dense", as "min" without
            gaps; "ordinal", in the order in which they stand.
        axis: The axis along which to rank; None for all elements, as one row.
        nan_policy: Only "propagate": with a nan all ranks are nan.

    Returns:
        Ranks, of a shape like ``a``, or one row: integers, but for "average" and for ranks of
        numbers with a point, which may be nan.

    Example:
        >>> from functrace.scipy.stats import rankdata
        >>> rankdata([0, 2, 3, 2])
        array([1. , 2.5, 4. , 2.5])
    """
    _refuse_policy(nan_policy, "rankdata")
    x = stop_gradient(as_operand(a))
    if axis is None:
        x, axis = np.reshape(x, (-1,)), -1
    x = np.moveaxis(x, axis, -1)
    ranks: dict[str, Callable[..., Any]] = {
        "average": lambda start, end, number: 0.5 * (start + end) + 1.0,
        "min": lambda start, end, number: start + 1,
        "max": lambda start, end, number: end + 1,
        "dense": lambda start, end, number: number,
        "ordinal": lambda start, end, number: np.arange(1, shape_of(x)[-1] + 1) + 0 * start,
    }
    if method not in ranks:
        raise ArgumentError(
            f"rankdata has the methods {', '.join(ranks)}, and no {method!r}.",
            source_of(user_place(1)),
        )
    order = np.argsort(x, axis=-1, kind="stable")
    sorted_ranks = ranks[method](*_runs(np.take_along_axis(x, order, axis=-1)))
    result = np.take_along_axis(sorted_ranks, np.argsort(order, axis=-1), axis=-1)
    if dtype_of(x).kind == "f":
        result = np.where(np.any(np.isnan(x), axis=-1, keepdims=True), np.nan, result)
    return np.moveaxis(result, -1, axis)


class ModeResult(NamedTuple):
    """What `mode` returns."""

    mode: Any
    count: Any


def mode(
    a: Any, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False
) -> ModeResult:
    """The most frequent number, of several the smallest, and how often it occurs.

    Args:
        a: An array of real numbers.
        axis: The axis along which to count; None for all elements.
        nan_policy: Only "propagate".
        keepdims: Whether the axis stays, with length 1.

    Example:
        >>> from functrace.scipy.stats import mode
        >>> print(mode([3, 1, 3, 2]))
        ModeResult(mode=np.int64(3), count=np.int64(2))
    """
    _refuse_policy(nan_policy, "mode")
    x = as_operand(a)
    kept = shape_of(x)
    if axis is None:
        x, axis, kept = np.reshape(x, (-1,)), 0, (1,) * len(kept)
    else:
        x, kept = (x, kept) if kept else (np.reshape(x, (1,)), (1,))
        axis %= len(kept)
        kept = (*kept[:axis], 1, *kept[axis + 1 :])
    rows = np.sort(np.moveaxis(x, axis, -1), axis=-1)
    start, end, _ = _runs(stop_gradient(rows))
    counts = end - start + 1
    first = np.argmax(counts, axis=-1)[..., None]
    found = [np.take_along_axis(y, first, axis=-1)[..., 0] for y in (rows, counts)]
    return ModeResult(*(np.reshape(y, kept) if keepdims else y[()] for y in found))


def sem(
    a: Any,
    axis: int | None = 0,
    ddof: int = 1,
    nan_policy: str = "propagate",
    *,
    keepdims: bool = False,
) -> Any:
    """The standard error of the mean: the standard deviation divided by the root of the count.

    Args:
        a: An array of real numbers.
        axis: The axis of the sample; None for all elements.
        ddof: What is subtracted from the count in the variance.
        nan_policy: "propagate", or "omit" to leave out what is nan.
        keepdims: Whether the axis stays, with length 1.

    Example:
        >>> from functrace.scipy.stats import sem
        >>> sem([1.0, 2.0, 3.0]).round(3)
        np.float64(0.577)
    """
    x = as_operand(a)
    if nan_policy == "omit":
        counted = np.sum(np.logical_not(np.isnan(x)), axis=axis, keepdims=keepdims)
        return np.nanstd(x, axis=axis, ddof=ddof, keepdims=keepdims) / np.sqrt(counted)
    _refuse_policy(nan_policy, "sem")
    count = math.prod(shape_of(x)) if axis is None else shape_of(x)[axis]
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims) / math.sqrt(count)


def zscore(a: Any, axis: int | None = 0, ddof: int = 0, nan_policy: str = "propagate") -> Any:
    """How many standard deviations each number is above the mean: see `sem`.

    Example:
        >>> from functrace.scipy.stats import zscore
        >>> zscore([1.0, 2.0, 3.0]).round(3)
        array([-1.225,  0.   ,  1.225])
    """
    _refuse_policy(nan_policy, "zscore")
    x = as_operand(a)
    deviation = x - np.mean(x, axis=axis, keepdims=True)
    return deviation / np.std(x, axis=axis, ddof=ddof, keepdims=True)


class gaussian_kde:  # noqa: N801  (SciPy's name)
    """A density estimated by normal kernels around the points of a sample.

    Args:
        dataset: The points along the last axis; of more than one dimension a row for each.
        bw_method: The factor of the kernels' width: a number, "scott", "silverman", or a function
            of this object.
        weights: Of the points; equal by default.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.stats import gaussian_kde
        >>> kde = gaussian_kde([0.0, 2.0])
        >>> kde([0.0, 1.0, 2.0]).round(3)
        array([0.205, 0.233, 0.205])
        >>> kde.integrate_box_1d(-np.inf, 1.0).round(3)
        np.float64(0.5)
    """

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None) -> None:
        """Find the width of the kernels."""
        data = real(dataset, "gaussian_kde")
        self.dataset = np.reshape(data, (1, -1)) if len(shape_of(data)) < 2 else data
        self.d, self.n = shape_of(self.dataset)
        if self.d * self.n <= 1:
            raise ValueError("`dataset` input should have multiple elements.")
        if weights is None:
            self.weights = np.full(self.n, 1.0 / self.n)
        else:
            weights = real(weights, "gaussian_kde")
            if shape_of(weights) != (self.n,):
                raise ValueError("`weights` input should be of length n")
            self.weights = weights / np.sum(weights)
        self.neff = 1.0 / np.sum(np.square(self.weights))
        self.set_bandwidth(bw_method)

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Choose the factor of the kernels' width: see the class."""
        factor: Any = None
        if bw_method is None or bw_method == "scott":
            factor = self.scotts_factor()
        elif isinstance(bw_method, str):
            if bw_method != "silverman":
                raise ValueError("`bw_method` is 'scott', 'silverman', a number or a function.")
            factor = self.silverman_factor()
        else:
            factor = bw_method(self) if callable(bw_method) else real(bw_method, "gaussian_kde")
        self.factor = factor
        centered = self.dataset - np.sum(self.dataset * self.weights, axis=1, keepdims=True)
        spread = (centered * self.weights) @ centered.T / (1.0 - 1.0 / self.neff)
        self.covariance = spread * self.factor**2
        self._factor = bind(cholesky, self.covariance)

    def scotts_factor(self) -> Any:
        """Scott's rule."""
        return np.power(self.neff, -1.0 / (self.d + 4))

    def silverman_factor(self) -> Any:
        """Silverman's rule."""
        return np.power(self.neff * (self.d + 2.0) / 4.0, -1.0 / (self.d + 4))

    @property
    def inv_cov(self) -> Any:
        """The inverse of the covariance of a kernel."""
        return np.linalg.inv(self.covariance)

    def _points(self, points: Any) -> Any:
        points = real(points, "gaussian_kde")
        if len(shape_of(points)) < 2:
            points = np.reshape(points, (self.d, -1))
        if shape_of(points)[0] != self.d:
            raise ValueError(
                f"points have dimension {shape_of(points)[0]}, dataset has dimension {self.d}"
            )
        return points

    def _log_kernels(self, points: Any, factor: Any) -> Any:
        """The logarithms of the kernels: a row for each point of the sample."""
        away = np.reshape(self.dataset[:, :, None] - points[:, None, :], (self.d, -1))
        white = bind(solve_triangular, factor, away, lower=True, unit_diagonal=False)
        scale = np.sum(np.log(np.diagonal(factor))) + 0.5 * self.d * math.log(2 * math.pi)
        return np.reshape(-0.5 * np.sum(np.square(white), axis=0), (self.n, -1)) - scale

    def evaluate(self, points: Any) -> Any:
        """The density at points, along the last axis."""
        return self.weights @ np.exp(self._log_kernels(self._points(points), self._factor))

    __call__ = pdf = evaluate

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the density at points, along the last axis."""
        kernels = self._log_kernels(self._points(x), self._factor)
        return special.logsumexp(kernels, axis=0, b=self.weights[:, None])

    def integrate_gaussian(self, mean: Any, cov: Any) -> Any:
        """The integral of the density times the normal density with this mean and covariance."""
        mean = np.reshape(real(mean, "gaussian_kde"), (-1,))
        cov = np.reshape(real(cov, "gaussian_kde"), (self.d, self.d))
        if shape_of(mean) != (self.d,):
            raise ValueError(f"mean does not have dimension {self.d}")
        factor = bind(cholesky, self.covariance + cov)
        return np.sum(self.weights * np.exp(self._log_kernels(mean[:, None], factor)[:, 0]))

    def integrate_box_1d(self, low: Any, high: Any) -> Any:
        """The probability between two numbers, for points with one dimension."""
        if self.d != 1:
            raise ValueError("integrate_box_1d() only handles 1D pdfs")
        width = np.sqrt(self.covariance[0, 0])
        ends = [special.ndtr((end - self.dataset[0]) / width) for end in (low, high)]
        return np.sum(self.weights * (ends[1] - ends[0]))

    def integrate_kde(self, other: gaussian_kde) -> Any:
        """The integral of the product with another estimate."""
        if other.d != self.d:
            raise ValueError("KDEs are not the same dimensionality")
        factor = bind(cholesky, self.covariance + other.covariance)
        kernels = np.exp(self._log_kernels(other.dataset, factor))
        return self.weights @ kernels @ other.weights


globals().update(entrances(globals()))
enter_by_methods(gaussian_kde)
