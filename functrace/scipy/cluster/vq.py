"""Vector quantization by the names of ``scipy.cluster.vq``: the nearest of some codes.

Which code is the nearest has no derivative; how far it is has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.numpy.taking import take
from functrace.primitives.linear import dtype_of, known_value, shape_of
from functrace.scipy.linalg.operands import operands
from functrace.tracing.entrances import entrances
from functrace.tracing.optional import names_of_scipy


def _precision(*xs: Any) -> np.dtype[Any]:
    found = np.result_type(*(dtype_of(x) for x in xs))
    return found if found.kind in "fc" else np.dtype(np.float64)


def whiten(obs: Any, check_finite: bool = True) -> Any:
    """Observations divided by the standard deviation of each feature, where that is not zero.

    Args:
        obs: Shape (m, n), an observation in each row.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.cluster.vq import whiten
        >>> whiten(np.array([[1.0, 2.0], [3.0, 2.0]]))
        array([[1., 2.],
               [3., 2.]])
    """
    obs = operands(obs, check_finite=check_finite, dtype=_precision)
    deviation = np.std(obs, axis=0)
    return obs / np.where(np.equal(deviation, 0), 1.0, deviation)


def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """The nearest code of each observation, and how far it is.

    Args:
        obs: Shape (m, n), an observation in each row; or (m,) for numbers.
        code_book: Shape (k, n), a code in each row; or (k,).
        check_finite: Whether to look for infinities and nans among known values.

    Returns:
        The numbers of the codes, int32, and the distances, both of shape (m,).

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.cluster.vq import vq
        >>> codes, points = np.array([0.0, 5.0]), np.array([1.0, 4.5])
        >>> vq(points, codes)
        (array([0, 1], dtype=int32), array([1. , 0.5]))
        >>> ft.grad(lambda codes: np.sum(vq(points, codes)[1]))(codes)
        array([-1.,  1.])
    """
    obs, code_book = operands(obs, code_book, check_finite=check_finite, dtype=_precision)
    rank = len(shape_of(obs))
    if rank != len(shape_of(code_book)):
        raise ValueError("Observation and code_book should have the same rank")
    if rank not in (1, 2):
        raise ValueError("ndim different than 1 or 2 are not supported")
    if rank == 1:
        obs, code_book = obs[:, None], code_book[:, None]
    known = known_value(obs)[:, None] - known_value(code_book)
    code = np.argmin(np.sum(np.real(known * np.conj(known)), axis=-1), axis=-1)
    distance = np.linalg.norm(obs - take(code_book, code, axis=0), axis=-1)
    return code.astype(np.int32), distance


globals().update(entrances(globals()))

__getattr__ = names_of_scipy("cluster.vq")
