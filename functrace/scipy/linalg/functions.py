"""Functions of matrices: the names of ``scipy.linalg``.

Where the result of a real matrix is complex or not by its values (`logm`, `sqrtm` and what is
computed by them), it is real where these are known to make it so; where only types are known, as
under ``jit``, it is complex.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.matrices import functions
from functrace.matrices.stacks import is_complex
from functrace.primitives.linear import dtype_of, known_choice, shape_of
from functrace.scipy.linalg.operands import (
    double,
    inexact,
    only_values,
    operands,
    real_where_known,
    square,
    together,
)
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import scipy_module
from functrace.tracing.refusals import STATIC
from functrace.tracing.tracer import bind


def _matrix(a: Any, dtype: Callable[..., np.dtype[Any]] = inexact) -> Any:
    return square(operands(np.atleast_2d(as_operand(a)), check_finite=False, dtype=dtype), "A")


def expm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The exponentials of square matrices.

    Args:
        A: Shape (..., n, n).

    Returns:
        The same shape; whole numbers become doubles.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy import linalg
        >>> linalg.expm(np.array([[0.0, 1.0], [0.0, 0.0]]))
        array([[1., 1.],
               [0., 1.]])
        >>> ft.grad(lambda t: linalg.expm(t * np.eye(2))[0, 0])(0.0)
        np.float64(1.0)
    """
    return bind(functions.exponential, _matrix(A))


def expm_frechet(
    A: Any,  # noqa: N803  (SciPy's names)
    E: Any,  # noqa: N803
    method: str | None = None,
    compute_expm: bool = True,
    check_finite: bool = True,
) -> Any:
    """The derivative of `expm` at matrices in directions, in double precision.

    Args:
        A: Shape (..., n, n).
        E: The directions, of the same shape; leading axes broadcast.
        method: "SPS" or "blockEnlarge", both without effect.
        compute_expm: Whether the exponential is returned too, before it.
        check_finite: Whether to look for infinities and nans among known values.

    Source: Al-Mohy and Higham, Computing the Fréchet derivative of the matrix exponential (2009).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.expm_frechet([[0.0]], [[3.0]])
        (array([[1.]]), array([[3.]]))
    """
    if method not in (None, "SPS", "blockEnlarge"):
        raise ValueError(f"Unknown implementation {method}")
    a, e = (operands(x, check_finite=check_finite, dtype=double) for x in (A, E))
    if shape_of(square(a, "A"))[-2:] != shape_of(square(e, "E"))[-2:]:
        raise ValueError("expected A and E to be the same shape")
    a, e = together(a, e)
    found = bind(functions.frechet, a, e, function="expm")
    return (bind(functions.exponential, a), found) if compute_expm else found


def logm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The principal logarithms of square matrices, in double precision.

    Args:
        A: Shape (..., n, n), without eigenvalues that are zero.

    Returns:
        The same shape. Of a real matrix it is real if the values are known and none is complex, as
        in SciPy; under ``jit``, where only types are known, it is always complex: write
        ``.real`` there, where no eigenvalue is negative.

    Source: Al-Mohy, Higham and Relton, Computing the Fréchet derivative of the matrix logarithm
    and estimating the condition number (SIAM J. Sci. Comput. 35, 2013).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.logm([[1.0, 2.0], [0.0, 1.0]]).round(3)
        array([[0., 2.],
               [0., 0.]])
    """
    a = _matrix(A, double)
    return real_where_known(bind(functions.logarithm, a), a)


def sqrtm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The principal square roots of square matrices.

    Args:
        A: Shape (..., n, n). It has a derivative where no eigenvalue is zero.

    Returns:
        The same shape. Of a real matrix it is real if the values are known and none is complex, as
        in SciPy; under ``jit``, where only types are known, it is always complex: write
        ``.real`` there, where no eigenvalue is negative.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.sqrtm(np.array([[4.0, 0.0], [0.0, 9.0]]))
        array([[2., 0.],
               [0., 3.]])
    """
    a = _matrix(A)
    return real_where_known(bind(functions.square_root, a), a)


def fractional_matrix_power(A: Any, t: float) -> Any:  # noqa: N803  (SciPy's name)
    """Powers of square matrices with a real exponent, which is known.

    Args:
        A: Shape (..., n, n).
        t: The exponent. Where it is to be traced, write ``expm(t * logm(A))``.

    Returns:
        The same shape. Whether it is real is found as for `sqrtm`.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.fractional_matrix_power([[4.0, 0.0], [0.0, 9.0]], 1.5).round(3)
        array([[ 8.,  0.],
               [ 0., 27.]])
    """
    t = known_choice(t, "The exponent of fractional_matrix_power", STATIC, "result")
    a = _matrix(A, double)
    if float(t).is_integer():
        return np.linalg.matrix_power(a, int(t))
    return real_where_known(bind(functions.power, a, t=float(t)), a)


def cosm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The cosines of square matrices, shape (..., n, n).

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.cosm(np.pi * np.eye(2)).round(3)
        array([[-1.,  0.],
               [ 0., -1.]])
    """
    a = _matrix(A)
    if not is_complex(a):
        return np.real(expm(1j * a))
    return 0.5 * (expm(1j * a) + expm(-1j * a))


def sinm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The sines of square matrices, shape (..., n, n).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.sinm([[0.0, 1.0], [0.0, 0.0]]).round(3)
        array([[0., 1.],
               [0., 0.]])
    """
    a = _matrix(A)
    if not is_complex(a):
        return np.imag(expm(1j * a))
    return -0.5j * (expm(1j * a) - expm(-1j * a))


def tanm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The tangents of square matrices, shape (..., n, n).

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.tanm([[np.pi / 4, 1.0], [0.0, np.pi / 4]]).round(3)
        array([[1., 2.],
               [0., 1.]])
    """
    a = _matrix(A)
    return np.linalg.solve(cosm(a), sinm(a))


def coshm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The hyperbolic cosines of square matrices, shape (..., n, n).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.coshm([[1.0, 1.0], [0.0, 1.0]]).round(3)
        array([[1.543, 1.175],
               [0.   , 1.543]])
    """
    a = _matrix(A)
    return 0.5 * (expm(a) + expm(-a))


def sinhm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The hyperbolic sines of square matrices, shape (..., n, n).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.sinhm([[1.0, 1.0], [0.0, 1.0]]).round(3)
        array([[1.175, 1.543],
               [0.   , 1.175]])
    """
    a = _matrix(A)
    return 0.5 * (expm(a) - expm(-a))


def tanhm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The hyperbolic tangents of square matrices, shape (..., n, n).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.tanhm([[1.0, 1.0], [0.0, 1.0]]).round(3)
        array([[0.762, 0.42 ],
               [0.   , 0.762]])
    """
    a = _matrix(A)
    return np.linalg.solve(coshm(a), sinhm(a))


def signm(A: Any) -> Any:  # noqa: N803  (SciPy's name)
    """The matrix signs of square matrices, ``A inv(sqrtm(A @ A))``.

    Args:
        A: Shape (..., n, n), without eigenvalues on the imaginary axis.

    Source: Higham, Functions of Matrices (2008), equation 5.2.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.signm([[2.0, 0.0], [0.0, -3.0]]).round(3)
        array([[ 1.,  0.],
               [ 0., -1.]])
    """
    a = _matrix(A)
    root = bind(functions.square_root, a @ a)
    found = np.linalg.solve(root, a.astype(dtype_of(root)))
    return np.real(found) if not is_complex(a) else found


def funm(A: Any, func: Callable[[Any], Any], disp: bool = True) -> Any:  # noqa: N803  (SciPy's name)
    """A function of a matrix that is not traced, as ``scipy.linalg.funm``.

    Raises:
        UnsupportedFunctionError: The matrix is traced.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.funm(np.array([[1.0, 2.0], [0.0, 3.0]]), np.square).round(3)
        array([[1., 8.],
               [0., 9.]])
    """
    only_values(
        "funm",
        "of a function that is given by its values alone functrace knows no derivative.",
        "Write it by expm, logm, sqrtm or products; or, for a matrix with differing eigenvalues, "
        "w, v = np.linalg.eig(A) and v @ np.diag(func(w)) @ np.linalg.inv(v).",
        A,
    )
    return scipy_module("linalg", "functrace.scipy.linalg.funm").funm(A, func, disp)


globals().update(entrances(globals()))
