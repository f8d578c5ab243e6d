"""Products of vectors and matrices, each as a contraction with subscripts."""

from __future__ import annotations

import operator
import string
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from functrace.errors import ShapeMismatchError
from functrace.primitives.contracting import LABELS, contract
from functrace.primitives.linear import as_array, as_scalar, dtype_of, shape_of
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.operands import strong_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tables import UFUNCS
from functrace.tracing.tracer import bind
from functrace.tracing.views import lies_as

# Products of two operands


_matmul_subscripts: dict[tuple[int, int], str] = {}


def _new_matmul_subscripts(first: int, second: int) -> str:
    """The subscripts of ``x @ y`` for operands of these ranks, none of them 0."""
    stack = max(first, second, 2) - 2
    rest = LABELS[: LABELS.index("i")] + LABELS[LABELS.index("l") :]
    x = rest[stack - max(first - 2, 0) : stack] + ("ij" if first > 1 else "j")
    y = rest[stack - max(second - 2, 0) : stack] + ("jk" if second > 1 else "j")
    output = rest[:stack] + "i" * (first > 1) + "k" * (second > 1)
    return _matmul_subscripts.setdefault((first, second), f"{x},{y}->{output}")


def matmul(x: Any, y: Any) -> Any:
    """As `numpy.matmul`."""
    ranks = len(shape_of(x)), len(shape_of(y))
    subscripts = _matmul_subscripts.get(ranks)
    if subscripts is None:
        if 0 in ranks:
            raise ShapeMismatchError(
                f"matmul does not take a scalar; the operands have shapes {shape_of(x)} and "
                f"{shape_of(y)}.",
                source_of(user_place(2)),
                "Multiply by a scalar with * instead.",
            )
        subscripts = _new_matmul_subscripts(*ranks)
    return bind(contract, x, y, subscripts=subscripts)


UFUNCS[np.matmul] = matmul


@implements(np.linalg.matmul)
def matmul_function(x1: Any, x2: Any, /) -> Any:
    """As `numpy.linalg.matmul`."""
    return np.matmul(x1, x2)


@lru_cache(maxsize=1024)
def _dot_subscripts(first: int, second: int) -> str:
    """The subscripts of ``np.dot`` for operands of these ranks, none of them 0."""
    x = LABELS[1:first] + "a"
    rest = LABELS[first : first + second - 1]
    y = rest[:-1] + "a" + rest[-1:]
    return f"{x},{y}->{LABELS[1:first]}{rest}"


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """As `numpy.dot`."""
    reject_out(out)
    a, b = strong_operand(a), strong_operand(b)
    ranks = len(shape_of(a)), len(shape_of(b))
    if 0 in ranks:
        return np.multiply(a, b)
    return bind(contract, a, b, subscripts=_dot_subscripts(*ranks))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """As `numpy.vdot`: the sum of products of all elements, with the first ones conjugated."""
    a, b = np.ravel(strong_operand(a)), np.ravel(strong_operand(b))
    return bind(contract, _conjugated(a), b, subscripts="a,a->")


def _conjugated(x: Any) -> Any:
    return np.conjugate(x) if dtype_of(x).kind == "c" else x


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """As `numpy.inner`."""
    a, b = strong_operand(a), strong_operand(b)
    first, second = len(shape_of(a)), len(shape_of(b))
    if first == 0 or second == 0:
        return np.multiply(a, b)
    x, y = LABELS[1:first], LABELS[first : first + second - 1]
    return bind(contract, a, b, subscripts=f"{x}a,{y}a->{x}{y}")


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """As `numpy.outer`."""
    reject_out(out)
    a, b = np.ravel(strong_operand(a)), np.ravel(strong_operand(b))
    return bind(contract, a, b, subscripts="i,j->ij")


@implements(np.linalg.outer)
def outer_of_vectors(x1: Any, x2: Any, /) -> Any:
    """As `numpy.linalg.outer`."""
    if len(shape_of(x1)) != 1 or len(shape_of(x2)) != 1:
        raise ValueError(
            f"Input arrays must be one-dimensional, but they are {shape_of(x1)} and {shape_of(x2)}."
        )
    return outer(x1, x2)


@implements(np.tensordot, np.linalg.tensordot)
@lies_as(None)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """As `numpy.tensordot`."""
    a, b = strong_operand(a), strong_operand(b)
    first, second = shape_of(a), shape_of(b)
    try:
        of_a, of_b = axes
    except TypeError:
        of_a, of_b = range(len(first) - axes, len(first)), range(axes)
    of_a = [operator.index(axis) for axis in np.atleast_1d(of_a)]
    of_b = [operator.index(axis) for axis in np.atleast_1d(of_b)]
    fits = len(of_a) == len(of_b) and all(
        -len(first) <= i < len(first) and -len(second) <= j < len(second) and first[i] == second[j]
        for i, j in zip(of_a, of_b, strict=True)
    )
    if not fits:
        raise ShapeMismatchError(
            f"tensordot cannot sum over the axes {of_a} and {of_b} of operands with the shapes "
            f"{first} and {second}.",
            source_of(user_place(2)),
        )
    x = list(LABELS[: len(first)])
    y = list(LABELS[len(first) : len(first) + len(second)])
    for i, j in zip(of_a, of_b, strict=True):
        y[j] = x[i]
    output = "".join(label for label in x + y if (label in x) != (label in y))
    result = bind(contract, a, b, subscripts=f"{''.join(x)},{''.join(y)}->{output}")
    return result if output else as_array(result)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """As `numpy.kron`."""
    a, b = strong_operand(a), strong_operand(b)
    rank = max(len(shape_of(a)), len(shape_of(b)))
    first = (1,) * (rank - len(shape_of(a))) + shape_of(a)
    second = (1,) * (rank - len(shape_of(b))) + shape_of(b)
    x = np.reshape(a, tuple(n for length in first for n in (length, 1)))
    y = np.reshape(b, tuple(n for length in second for n in (1, length)))
    shape = tuple(m * n for m, n in zip(first, second, strict=True))
    return as_scalar(np.reshape(x * y, shape))


# Products of stacks of vectors


def _vector_products(name: str, subscripts: Callable[[int, int], str], *, conjugates: bool) -> None:
    """Enter one of NumPy's products of stacks of vectors and matrices, where NumPy has it."""
    ufunc = getattr(np, name, None)
    if ufunc is None:
        return

    def product(x: Any, y: Any) -> Any:
        first = _conjugated(x) if conjugates else x
        return bind(contract, first, y, subscripts=subscripts(len(shape_of(x)), len(shape_of(y))))

    product.__name__ = name
    UFUNCS[ufunc] = product


def _stacked_subscripts(x: str, y: str, output: str) -> Callable[[int, int], str]:
    """Subscripts by ranks, for cores with these labels and any axes in front of them."""

    @lru_cache(maxsize=1024)
    def subscripts(first: int, second: int) -> str:
        if first < len(x) or second < len(y):
            raise ValueError(f"the operands need {len(x)} and {len(y)} axes or more")
        stack = string.ascii_uppercase[: max(first - len(x), second - len(y))]
        head_x, head_y = stack[len(stack) - first + len(x) :], stack[len(stack) - second + len(y) :]
        return f"{head_x}{x},{head_y}{y}->{stack}{output}"

    return subscripts


_vector_products("vecdot", _stacked_subscripts("i", "i", ""), conjugates=True)
_vector_products("matvec", _stacked_subscripts("ij", "j", "i"), conjugates=False)
_vector_products("vecmat", _stacked_subscripts("i", "ij", "j"), conjugates=True)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As `numpy.linalg.vecdot`."""
    if axis != -1:
        x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    return UFUNCS[np.vecdot](x1, x2)  # pyright: ignore[reportCallIssue]


# Powers and cross products


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Any:
    """As `numpy.linalg.matrix_power`, by squaring."""
    n = operator.index(n)
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeMismatchError(
            f"matrix_power needs square matrices along the last two axes, not the shape {shape}.",
            source_of(user_place(2)),
        )
    if n == 0:
        return np.broadcast_to(np.eye(shape[-1], dtype=dtype_of(a)), shape)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    result: Any = None
    while True:
        if n % 2:
            result = a if result is None else np.matmul(result, a)
        n //= 2
        if n == 0:
            return result
        a = np.matmul(a, a)


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """As `numpy.cross`."""
    if axis is not None:
        axisa, axisb, axisc = axis, axis, axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    lengths = a.shape[-1], b.shape[-1]
    if not set(lengths) <= {2, 3}:
        raise ShapeMismatchError(
            f"cross needs vectors of length 2 or 3, not of the lengths {lengths}.",
            source_of(user_place(2)),
        )
    x, y = ([v[..., i] for i in range(v.shape[-1])] for v in (a, b))
    third = x[0] * y[1] - x[1] * y[0]
    if lengths == (2, 2):
        return third if shape_of(third) else as_array(third)
    if lengths == (2, 3):
        parts = [x[1] * y[2], -(x[0] * y[2]), third]
    elif lengths == (3, 2):
        parts = [-(x[2] * y[1]), x[2] * y[0], third]
    else:
        parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], third]
    return np.moveaxis(np.stack(parts, -1), -1, axisc)


@implements(np.linalg.cross)
def cross_of_vectors(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As `numpy.linalg.cross`."""
    if shape_of(x1)[axis] != 3 or shape_of(x2)[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors.")
    return cross(x1, x2, axis=axis)
