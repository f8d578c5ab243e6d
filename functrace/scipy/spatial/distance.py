"""Distances of vectors, and of all pairs of rows, by the names of ``scipy.spatial.distance``.

Where two vectors are the same, a distance has a corner: the derivative there is zero, so that
`cdist` of points with themselves can be differentiated. The functions of two vectors take stacks
of them, too: they work along the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.primitives.linear import dtype_of, in_dtype, known_value, shape_of, stop_gradient
from functrace.scipy.special import rel_entr
from functrace.solvers.functions import is_traced
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import names_of_scipy, scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import Tracer


def _vectors(u: Any, v: Any, w: Any = None) -> tuple[Any, Any]:
    """Two vectors, or stacks of them, and weights that fit and are not negative."""
    u, v = as_operand(u), as_operand(v)
    if not shape_of(u) or not shape_of(v):
        raise ValueError("Input vector should be 1-D.")
    if dtype_of(u).kind == "c" or dtype_of(v).kind == "c":
        raise TypeError("`u` and `v` must be real.")
    known = None if w is None else known_value(as_operand(w))
    if known is not None and not isinstance(known, Tracer) and np.any(np.less(known, 0)):
        raise ValueError("Input weights should be all non-negative")
    return u, v


def _root(x: Any) -> Any:
    """The square root, whose derivative at zero is zero."""
    is_positive = np.greater(x, 0)
    return np.where(is_positive, np.sqrt(np.where(is_positive, x, 1.0)), 0.0)[()]


def _total(terms: Any, w: Any) -> Any:
    return np.sum(terms if w is None else w * terms, axis=-1)


def minkowski(u: Any, v: Any, p: float = 2, w: Any = None) -> Any:
    """The p-norm of the difference; with weights ``sum(w * abs(u - v)**p)**(1 / p)``.

    Args:
        u: Real numbers, shape (..., n).
        v: As ``u``.
        p: The order, which is positive; `numpy.inf` for the largest difference.
        w: Weights that are not negative, shape (n,); None for ones.

    Example:
        >>> from functrace.scipy.spatial.distance import minkowski
        >>> minkowski([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], 1)
        np.float64(2.0)
    """
    u, v = _vectors(u, v, w)
    if p <= 0:
        raise ValueError("p must be greater than 0")
    difference = u - v
    if w is not None:
        w = as_operand(w)
        difference = (np.not_equal(w, 0) if p == math.inf else _power(w, 1 / p)) * difference
    return np.linalg.norm(difference, ord=p, axis=-1)


def _power(w: Any, exponent: float) -> Any:
    """A power, whose derivative at zero is zero."""
    return _root(w) if exponent == 0.5 else np.power(w, exponent)


def euclidean(u: Any, v: Any, w: Any = None) -> Any:
    """The length of the difference.

    Args:
        u: Real numbers, shape (..., n).
        v: As ``u``.
        w: Weights of the squares, shape (n,); None for ones.

    Example:
        >>> from functrace.scipy.spatial.distance import euclidean
        >>> euclidean([0.0, 0.0], [3.0, 4.0])
        np.float64(5.0)
    """
    return minkowski(u, v, 2, w)


def sqeuclidean(u: Any, v: Any, w: Any = None) -> Any:
    """The squared length of the difference; arguments as of `euclidean`.

    Example:
        >>> from functrace.scipy.spatial.distance import sqeuclidean
        >>> sqeuclidean([0.0, 0.0], [3.0, 4.0])
        np.float64(25.0)
    """
    u, v = _vectors(u, v, w)
    difference = (u - v) * 1.0
    return _total(difference * difference, w)


def cityblock(u: Any, v: Any, w: Any = None) -> Any:
    """The sum of the absolute differences; arguments as of `euclidean`.

    Example:
        >>> from functrace.scipy.spatial.distance import cityblock
        >>> cityblock([0.0, 0.0], [3.0, -4.0])
        np.float64(7.0)
    """
    u, v = _vectors(u, v, w)
    return _total(np.abs(u - v), w)


def chebyshev(u: Any, v: Any, w: Any = None) -> Any:
    """The largest absolute difference; what has the weight zero does not count.

    Example:
        >>> from functrace.scipy.spatial.distance import chebyshev
        >>> chebyshev([0.0, 0.0], [3.0, -4.0])
        np.float64(4.0)
    """
    u, v = _vectors(u, v, w)
    size = np.abs(u - v)
    return np.max(size if w is None else np.greater(w, 0) * size, axis=-1)


def correlation(u: Any, v: Any, w: Any = None, centered: bool = True) -> Any:
    """One less the correlation of the components.

    Args:
        u: Real numbers, shape (..., n).
        v: As ``u``.
        w: Weights of the components, shape (n,); None for the same ones.
        centered: Whether the means are taken away first.

    Example:
        >>> from functrace.scipy.spatial.distance import correlation
        >>> correlation([1.0, 2.0, 3.0], [6.0, 4.0, 2.0]).round(6)
        np.float64(2.0)
    """
    u, v = _vectors(u, v, w)
    if w is not None:
        w = w / np.sum(w)
    if centered:
        count = None if w is not None else shape_of(u)[-1]
        u, v = (
            x - (_total(x, w) if count is None else _total(x, w) / count)[..., None] for x in (u, v)
        )
    sizes = np.sqrt(_total(1.0 * u * u, w) * _total(1.0 * v * v, w))
    distance = 1.0 - _total(u * v, w) / sizes
    known = stop_gradient(distance)
    return distance + (np.clip(known, 0.0, 2.0) - known)  # what rounding adds is taken away


def cosine(u: Any, v: Any, w: Any = None) -> Any:
    """One less the cosine of the angle; arguments as of `correlation`.

    Example:
        >>> from functrace.scipy.spatial.distance import cosine
        >>> cosine([1.0, 0.0], [0.0, 1.0])
        np.float64(1.0)
    """
    return correlation(u, v, w, centered=False)


def seuclidean(u: Any, v: Any, V: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The length of the difference, each component divided by its standard deviation.

    Args:
        u: Real numbers, shape (..., n).
        v: As ``u``.
        V: The variances, shape (n,).

    Example:
        >>> from functrace.scipy.spatial.distance import seuclidean
        >>> seuclidean([1.0, 0.0], [0.0, 0.0], [0.25, 1.0])
        np.float64(2.0)
    """
    return euclidean(u, v, 1 / as_operand(V))


def mahalanobis(u: Any, v: Any, VI: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The root of ``(u - v) @ VI @ (u - v)``.

    Args:
        u: Real numbers, shape (..., n).
        v: As ``u``.
        VI: The inverse of the covariance, shape (n, n).

    Example:
        >>> from functrace.scipy.spatial.distance import mahalanobis
        >>> mahalanobis([1.0, 0.0], [0.0, 0.0], [[4.0, 0.0], [0.0, 1.0]])
        np.float64(2.0)
    """
    u, v = _vectors(u, v)
    difference = u - v
    return _root(np.sum((difference @ as_operand(VI)) * difference, axis=-1))


def canberra(u: Any, v: Any, w: Any = None) -> Any:
    """The sum of ``abs(u - v) / (abs(u) + abs(v))``, where that is no quotient of zeros.

    Example:
        >>> from functrace.scipy.spatial.distance import canberra
        >>> canberra([1.0, 0.0, 3.0], [1.0, 0.0, 1.0])
        np.float64(0.5)
    """
    u, v = _vectors(u, v, w)
    sizes = np.abs(u) + np.abs(v)
    return _total(np.abs(u - v) / np.where(np.equal(sizes, 0), 1.0, sizes), w)


def braycurtis(u: Any, v: Any, w: Any = None) -> Any:
    """The sum of ``abs(u - v)`` by that of ``abs(u + v)``; arguments as of `euclidean`.

    Example:
        >>> from functrace.scipy.spatial.distance import braycurtis
        >>> braycurtis([1.0, 3.0], [1.0, 1.0]).round(3)
        np.float64(0.333)
    """
    u, v = _vectors(u, v, w)
    return _total(np.abs(u - v), w) / _total(np.abs(u + v), w)


def hamming(u: Any, v: Any, w: Any = None) -> Any:
    """The share of the components that differ, which has no derivative but by weights.

    Example:
        >>> from functrace.scipy.spatial.distance import hamming
        >>> hamming([1, 0, 0, 2], [1, 1, 0, 2])
        np.float64(0.25)
    """
    u, v = _vectors(u, v, w)
    differs = 1.0 * np.not_equal(u, v)
    return np.mean(differs, axis=-1) if w is None else _total(differs, w / np.sum(w))


def jensenshannon(
    p: Any, q: Any, base: float | None = None, *, axis: int = 0, keepdims: bool = False
) -> Any:
    """The distance of two distributions by their relative entropies to the mean of both.

    Args:
        p: Probabilities, or numbers in proportion to them.
        q: As ``p``.
        base: Of the logarithm; None for the natural one.
        axis: Along which they stand.
        keepdims: Whether that axis stays, with length 1.

    Example:
        >>> from functrace.scipy.spatial.distance import jensenshannon
        >>> jensenshannon([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], 2.0).round(6)
        np.float64(1.0)
    """
    p, q = (x / np.sum(x, axis=axis, keepdims=True) for x in map(as_operand, (p, q)))
    mean = (p + q) / 2.0
    terms = rel_entr(p, mean) + rel_entr(q, mean)
    total = np.sum(terms, axis=axis, keepdims=keepdims)
    return _root(total / (2.0 if base is None else 2.0 * np.log(base)))


METRICS: dict[str, Callable[..., Any]] = {
    "braycurtis": braycurtis,
    "canberra": canberra,
    "chebyshev": chebyshev,
    "cityblock": cityblock,
    "correlation": correlation,
    "cosine": cosine,
    "euclidean": euclidean,
    "hamming": hamming,
    "jensenshannon": lambda p, q: jensenshannon(p, q, axis=-1),
    "mahalanobis": mahalanobis,
    "minkowski": minkowski,
    "seuclidean": seuclidean,
    "sqeuclidean": sqeuclidean,
}
"""The metrics of traced points."""


def _between(
    asked: str, u: Any, v: Any, points: list[Any], metric: Any, out: Any, options: dict[str, Any]
) -> Any:
    """The distances of points in the last axis of two stacks.

    Args:
        asked: The function that users called.
        u: The one stack.
        v: The other one.
        points: All points, shapes (m, n), for what is estimated from them.
        metric: SciPy's name of a metric, or a function of two vectors.
        out: Must be None.
        options: Of the metric.
    """
    if out is not None:
        raise ArgumentError(
            f"{asked} writes no traced distances into out.", source_of(user_place(2))
        )
    if callable(metric):
        u, v = np.broadcast_arrays(u, v)
        *stack, width = shape_of(u)
        pairs = zip(np.reshape(u, (-1, width)), np.reshape(v, (-1, width)), strict=True)
        found: list[Any] = [metric(*pair, **options) for pair in pairs]
        return np.reshape(np.stack(found), stack) if found else np.zeros(stack)
    name = str(metric).lower()
    if name not in METRICS:
        raise ArgumentError(
            f"{asked} has no metric {metric!r} of traced points.",
            source_of(user_place(2)),
            f"There are {', '.join(METRICS)}, and functions of two vectors.",
        )
    if name == "seuclidean" and options.get("V") is None:
        options = {**options, "V": np.var(np.concatenate(points), axis=0, ddof=1)}
    if name == "mahalanobis" and options.get("VI") is None:
        together = np.concatenate(points)
        count, width = shape_of(together)
        if count <= width:
            raise ValueError(
                f"The number of observations ({count}) is too small; the covariance matrix is "
                f"singular. For observations with {width} dimensions, at least {width + 1} "
                "observations are required."
            )
        options = {**options, "VI": np.linalg.inv(np.atleast_2d(np.cov(together.T))).T}
    return METRICS[name](u, v, **options)


def _points(x: Any, message: str) -> Any:
    x = as_operand(x)
    if len(shape_of(x)) != 2:
        raise ValueError(message)
    if dtype_of(x).kind == "c":
        raise TypeError("Distances are of points with real coordinates.")
    return in_dtype(x, np.dtype(np.float64))


def cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> Any:  # noqa: N803
    """The distances of each row of one matrix from each row of another one.

    Args:
        XA: Points, shape (m, n).
        XB: Points, shape (k, n).
        metric: The name of a metric, as ``"cosine"``, or a function of two vectors.
        out: As of SciPy, for values that are not traced.
        kwargs: What the metric takes: ``w``, ``p``, ``V``, ``VI``, ``base``. Where V and VI are
            needed and not given they are estimated from all points.

    Returns:
        float64, shape (m, k). Where nothing is traced, by SciPy.

    Raises:
        ValueError: The shapes do not fit.
        ArgumentError: There is no such metric of traced points.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.spatial.distance import cdist
        >>> x = np.array([[0.0, 0.0], [3.0, 4.0]])
        >>> cdist(x, x)
        array([[0., 5.],
               [5., 0.]])
        >>> ft.grad(lambda x: cdist(x, x)[0, 1])(x)
        array([[-0.6, -0.8],
               [ 0.6,  0.8]])
    """
    if not is_traced(XA, XB, kwargs):
        distance = scipy_module("spatial.distance", "functrace.scipy.spatial.distance.cdist")
        return distance.cdist(XA, XB, metric, out=out, **kwargs)
    a = _points(XA, "XA must be a 2-dimensional array.")
    b = _points(XB, "XB must be a 2-dimensional array.")
    if shape_of(a)[1] != shape_of(b)[1]:
        raise ValueError("XA and XB must have the same number of columns (i.e. feature dimension.)")
    return _between("cdist", a[:, None], b[None], [a, b], metric, out, kwargs)


def pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> Any:  # noqa: N803
    """The distances of all pairs of rows of a matrix, each pair once.

    Args:
        X: Points, shape (m, n).
        metric: As of `cdist`.
        out: As of SciPy, for values that are not traced.
        kwargs: As of `cdist`.

    Returns:
        float64, shape (m * (m - 1) / 2,), as `squareform` takes it.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy.spatial.distance import pdist
        >>> pdist([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], "cityblock")
        array([7., 1., 6.])
    """
    if not is_traced(X, kwargs):
        distance = scipy_module("spatial.distance", "functrace.scipy.spatial.distance.pdist")
        return distance.pdist(X, metric, out=out, **kwargs)
    x = _points(X, "A 2-dimensional array must be passed.")
    rows, columns = np.triu_indices(shape_of(x)[0], 1)
    return _between("pdist", x[rows], x[columns], [x], metric, out, kwargs)


def squareform(X: Any, force: str = "no", checks: bool = True) -> Any:  # noqa: N803
    """The matrix of the distances of all pairs from what `pdist` gives, or the way back.

    Args:
        X: Shape (m * (m - 1) / 2,), or a symmetric (m, m) with zeros on the diagonal.
        force: "tomatrix" or "tovector", where only that way is meant.
        checks: Whether known matrices are looked at.

    Example:
        >>> from functrace.scipy.spatial.distance import squareform
        >>> squareform([1.0, 2.0, 3.0])
        array([[0., 1., 2.],
               [1., 0., 3.],
               [2., 3., 0.]])
    """
    x = as_operand(X)
    distance = scipy_module("spatial.distance", "functrace.scipy.spatial.distance.squareform")
    known = known_value(x)
    # SciPy says what does not fit, of zeros where values are unknown.
    seen = np.zeros(shape_of(x)) if isinstance(known, Tracer) else known
    found = distance.squareform(seen, force, checks)
    if not is_traced(x):
        return found
    if len(shape_of(x)) == 2:
        return x[np.triu_indices(shape_of(x)[0], 1)]
    places = distance.squareform(np.arange(1.0, shape_of(x)[0] + 1)).astype(int)
    return np.concatenate([np.zeros_like(x[:1]), x])[places] if x.size else found


globals().update(entrances(globals()))

__getattr__ = names_of_scipy("spatial.distance")
