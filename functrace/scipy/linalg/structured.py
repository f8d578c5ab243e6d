"""Matrices that are made of a few numbers: the names of ``scipy.linalg``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.matrices.stacks import conjugate
from functrace.primitives.linear import dtype_of, in_dtype, shape_of
from functrace.primitives.requiring import require
from functrace.scipy.linalg.operands import together
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand, strong_operand
from functrace.tracing.optional import scipy_module


def column_and_row(c_or_cr: Any) -> tuple[Any, Any]:
    """The first column and the first row of a Toeplitz matrix, of the pair or of the column."""
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    c = np.atleast_1d(as_operand(c))
    r = conjugate(c) if r is None else np.atleast_1d(as_operand(r))
    return c, r


def by_differences(values: Any, rows: int, columns: int, sign: int = -1) -> Any:
    """The matrices whose element ``(i, j)`` depends on ``j - i``, or on ``i + j``.

    Args:
        values: Shape (..., rows + columns - 1), from the lower left corner to the upper right one,
            or from the upper left one to the lower right one.
        rows: How many.
        columns: How many.
        sign: -1 for the difference, 1 for the sum.
    """
    first = rows - 1 if sign < 0 else 0
    places = first + sign * np.arange(rows)[:, None] + np.arange(columns)
    return values[..., places]


def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrices with constant diagonals, from the first column and the first row.

    Args:
        c: Shape (..., m): the first column.
        r: Shape (..., n): the first row, whose first element is not read; None for the conjugate
            of ``c``.

    Returns:
        Shape (..., m, n), of the dtype of both.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.toeplitz([1, 2, 3], [1, 4])
        array([[1, 4],
               [2, 1],
               [3, 2]])
    """
    c, r = column_and_row((c, r))
    c, r = together(c, r, core=1)
    values = np.concatenate([c[..., ::-1], r[..., 1:]], axis=-1)
    return by_differences(values, shape_of(c)[-1], shape_of(r)[-1])


def circulant(c: Any) -> Any:
    """The matrices whose columns are the first one, each moved down by one more place.

    Args:
        c: Shape (..., n): the first column.

    Returns:
        Shape (..., n, n).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.circulant([1, 2, 3])
        array([[1, 3, 2],
               [2, 1, 3],
               [3, 2, 1]])
    """
    c = np.atleast_1d(as_operand(c))
    place = np.arange(shape_of(c)[-1])
    return c[..., (place[:, None] - place) % max(len(place), 1)]


def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with constant diagonals from the lower left to the upper right.

    Args:
        c: Shape (m,): the first column; arrays with more axes are flattened.
        r: Shape (n,): the last row, whose first element is not read; None for zeros.

    Returns:
        Shape (m, n).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.hankel([1, 2, 3], [3, 4])
        array([[1, 2],
               [2, 3],
               [3, 4]])
    """
    c = np.ravel(as_operand(c))
    r = np.zeros_like(c) if r is None else np.ravel(as_operand(r))
    values = np.concatenate([c, r[1:]])
    return by_differences(values, shape_of(c)[0], shape_of(r)[0], 1)


def block_diag(*arrs: Any) -> Any:
    """The matrices that have others on their diagonal, and zeros besides.

    Args:
        arrs: Shapes (..., m, n), whose leading axes broadcast; a vector is a row.

    Returns:
        A matrix with the sums of rows and columns, of the dtype of all.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.block_diag([[1, 2]], 3)
        array([[1, 2, 0],
               [0, 0, 3]])
    """
    blocks = [np.atleast_2d(strong_operand(x)) for x in arrs or ([],)]
    blocks = together(*blocks)
    dtype = np.result_type(*map(dtype_of, blocks))
    columns = sum(shape_of(block)[-1] for block in blocks)
    rows: list[Any] = []
    before = 0
    for block in blocks:
        *stack, height, width = shape_of(block)
        after = columns - before - width
        parts = [np.zeros((*stack, height, count), dtype) for count in (before, after)]
        rows.append(np.concatenate([parts[0], in_dtype(block, dtype), parts[1]], axis=-1))
        before += width
    return np.concatenate(rows, axis=-2)


def companion(a: Any) -> Any:
    """The companion matrices of polynomials.

    Args:
        a: Shape (..., n): the coefficients, from that of the highest power, which is not zero.

    Returns:
        Shape (..., n - 1, n - 1).

    Raises:
        ValueError: There is but one coefficient, or a first one is zero.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.companion([1, -3, 2])
        array([[ 3., -2.],
               [ 1.,  0.]])
    """
    a = np.atleast_1d(as_operand(a))
    size = shape_of(a)[-1]
    if size < 2:
        raise ValueError("The length of `a` along the last axis must be at least 2.")
    first = require(
        a[..., :1],
        np.not_equal(a[..., :1], 0),
        "The first coefficient(s) of `a` (i.e. elements of `a[..., 0]`) must not be zero.",
    )
    row = (-a[..., 1:] / (1.0 * first))[..., None, :]
    shape = (*shape_of(a)[:-1], size - 2, size - 1)
    below = np.broadcast_to(np.eye(*shape[-2:], dtype=dtype_of(row)), shape)
    return np.concatenate([row, below], axis=-2)


def fiedler_companion(a: Any) -> Any:
    """Fiedler's companion matrices of polynomials, which have five diagonals.

    Args:
        a: Shape (..., n): the coefficients, from that of the highest power, which is not zero.

    Returns:
        Shape (..., n - 1, n - 1); of one coefficient an empty array.

    Raises:
        ValueError: A first coefficient is zero.

    Source: Fiedler, A note on companion matrices (Linear Algebra and its Applications 372, 2003).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.fiedler_companion([1.0, -16.0, 86.0, -176.0, 105.0])
        array([[  16.,  -86.,    1.,    0.],
               [   1.,    0.,    0.,    0.],
               [   0.,  176.,    0., -105.],
               [   0.,    1.,    0.,    0.]])
    """
    a = np.atleast_1d(as_operand(a))
    size = shape_of(a)[-1] - 1
    if size < 1:
        return np.zeros((0,), dtype_of(a))
    first = require(a[..., :1], np.not_equal(a[..., :1], 0), "Leading coefficient is zero.")
    a = a / (1.0 * first)
    ones, places = np.zeros((size, size), dtype_of(a)), np.zeros((size, size), int)
    places[0, 0] = 1
    for k in range(2, size + 1):  # the coefficient of number k beside the diagonal
        places[(k - 1, k - 2) if k % 2 else (k - 2, k - 1)] = k
    ones[range(0, size - 2, 2), range(2, size, 2)] = 1
    ones[range(3, size, 2), range(1, size - 2, 2)] = 1
    if size > 1:
        ones[1, 0] = 1
    return np.where(places > 0, -a[..., places], ones)


def leslie(f: Any, s: Any) -> Any:
    """The matrices of Leslie's model of a population.

    Args:
        f: Shape (..., n): the fecundities, which are the first row.
        s: Shape (..., n - 1): the survivals, below the diagonal.

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.leslie([0.0, 3.0, 1.0], [0.5, 0.25])
        array([[0.  , 3.  , 1.  ],
               [0.5 , 0.  , 0.  ],
               [0.  , 0.25, 0.  ]])
    """
    f, s = np.atleast_1d(strong_operand(f)), np.atleast_1d(strong_operand(s))
    size = shape_of(f)[-1]
    if size != shape_of(s)[-1] + 1:
        raise ValueError(
            "Incorrect lengths for f and s. The length of s along the last axis must be one less "
            "than the length of f."
        )
    if size == 1:
        raise ValueError("The length of s must be at least 1.")
    f, s = together(f, s, core=1)
    dtype = np.result_type(dtype_of(f), dtype_of(s))
    below = s[..., :, None] * np.eye(size - 1, size, dtype=dtype)
    return np.concatenate([in_dtype(f, dtype)[..., None, :], below], axis=-2)


def fiedler(a: Any) -> Any:
    """The distances between numbers, shape (..., n), as matrices, shape (..., n, n).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.fiedler([1, 4, 6])
        array([[0, 3, 5],
               [3, 0, 2],
               [5, 2, 0]])
    """
    a = np.atleast_1d(as_operand(a))
    if math.prod(shape_of(a)) < 2:
        return np.zeros((shape_of(a)[-1],) * 2) if shape_of(a)[-1] else np.empty(0)
    return np.abs(a[..., :, None] - a[..., None, :])


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """The matrix by which vectors are convolved with another one.

    Args:
        a: Shape (..., m): what they are convolved with.
        n: The length of the vectors.
        mode: "full", "same" or "valid", as in `numpy.convolve`.

    Raises:
        ValueError: There is no such mode, or something is empty.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.convolution_matrix([1, 2], 3)
        array([[1, 0, 0],
               [2, 1, 0],
               [0, 2, 1],
               [0, 0, 2]])
    """
    if n <= 0:
        raise ValueError("n must be a positive integer.")
    a = np.atleast_1d(as_operand(a))
    length = shape_of(a)[-1]
    if not length:
        raise ValueError("len(a) must be at least 1.")
    if mode not in ("full", "valid", "same"):
        raise ValueError("'mode' argument must be one of ('full', 'valid', 'same')")
    nothing = np.zeros((*shape_of(a)[:-1], n - 1), dtype_of(a))
    values = np.concatenate([nothing, a[..., ::-1], nothing], axis=-1)
    whole = by_differences(values[..., : length + 2 * n - 2], length + n - 1, n)
    trim = min(n, length) - 1
    before = {"full": 0, "same": trim // 2, "valid": trim}[mode]
    after = {"full": 0, "same": trim - trim // 2, "valid": trim}[mode]
    return whole[..., before : length + n - 1 - after, :]


def kron(a: Any, b: Any) -> Any:
    """As `numpy.kron`: SciPy's older versions have it.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.kron([[1, 2]], [[1], [10]])
        array([[ 1,  2],
               [10, 20]])
    """
    return np.kron(as_operand(a), as_operand(b))


def khatri_rao(a: Any, b: Any) -> Any:
    """Kronecker's product of each column of one matrix with that of another.

    Args:
        a: Shape (..., m, k).
        b: Shape (..., n, k); leading axes broadcast.

    Returns:
        Shape (..., m * n, k).

    Raises:
        ValueError: They have not as many columns.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.khatri_rao([[1, 2], [3, 4]], [[1, 1], [0, 10]])
        array([[ 1,  2],
               [ 0, 20],
               [ 3,  4],
               [ 0, 40]])
    """
    a, b = as_operand(a), as_operand(b)
    if min(len(shape_of(a)), len(shape_of(b))) < 2:
        raise ValueError("The both arrays should be 2-dimensional.")
    if shape_of(a)[-1] != shape_of(b)[-1]:
        raise ValueError("The number of columns for both arrays should be equal.")
    c = a[..., :, None, :] * b[..., None, :, :]
    *stack, rows, others, columns = shape_of(c)
    return np.reshape(c, (*stack, rows * others, columns))


# Matrices of numbers that are known


def _constant(name: str, size: int, *shown: str) -> Any:
    """A function of SciPy's of sizes, which are known.

    Args:
        name: Its name.
        size: One of which its docstring has the matrix,
        shown: by these lines.
    """

    def made(*args: Any, **options: Any) -> Any:
        linalg = scipy_module("linalg", f"functrace.scipy.linalg.{name}")
        return getattr(linalg, name)(*args, **options)

    made.__name__ = made.__qualname__ = name
    lines = "\n        ".join(shown)
    made.__doc__ = (
        f"As ``scipy.linalg.{name}``: a matrix of constants, whose size is known.\n\n"
        "    Example:\n        >>> from functrace.scipy import linalg\n"
        f"        >>> print(linalg.{name}({size}).round(3))\n        {lines}\n    "
    )
    return made


hadamard = _constant("hadamard", 2, "[[ 1  1]", " [ 1 -1]]")
hilbert = _constant("hilbert", 2, "[[1.    0.5  ]", " [0.5   0.333]]")
invhilbert = _constant("invhilbert", 2, "[[ 4. -6.]", " [-6. 12.]]")
pascal = _constant("pascal", 3, "[[1 1 1]", " [1 2 3]", " [1 3 6]]")
invpascal = _constant("invpascal", 3, "[[ 3 -3  1]", " [-3  5 -2]", " [ 1 -2  1]]")
helmert = _constant("helmert", 2, "[[ 0.707 -0.707]]")
dft = _constant("dft", 2, "[[ 1.+0.j  1.+0.j]", " [ 1.+0.j -1.-0.j]]")

globals().update(entrances(globals()))
