"""Eigenvalues and singular values, and the vectors that belong to them.

The vectors of equal values are not determined: any rotation of them would do as well. A function
that does not depend on the choice, such as ``V sqrt(w) V^H``, has a derivative there all the same.
It is the limit of the derivatives at values that differ a little (`Spectral.separated`), which is
taken where the function is differentiated (``transforms/limits.py``): the rules here only say, by
`limit`, where a derivative must have one.

Values count as equal if they differ by no more than the rounding of the factorization, or by so
little that a quotient by their distance would lose more digits than it has.

Sources: Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation (2008); Townsend, Differentiating the singular value decomposition (2016); Magnus,
On differentiating eigenvalues and eigenvectors (Econometric Theory 1, 1985); Kato, Perturbation
theory for linear operators, chapter 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from functrace.errors import MissingRuleError
from functrace.ir.types import ArrayType
from functrace.matrices.stacks import (
    OfMatrices,
    adjoint,
    conjugate,
    counted,
    diagonal,
    factor_dtype,
    from_triangle,
    is_complex,
    like,
    operations_of_eigh,
    operations_of_svd,
    real_dtype,
    require_matrix,
    require_square,
    triangle_of,
    undefined,
    undefined_cotangent,
)
from functrace.primitives.broadcasting import Elementwise
from functrace.primitives.linear import (
    Copy,
    LocallyConstant,
    add_tangents,
    conform,
    dtype_of,
    shape_of,
    stop_gradient,
)
from functrace.tracing.tracer import Tracer, bind

# Which values are equal, and which are zero


def _rounding(values: Any) -> Any:
    """By how much computed values may be wrong, as an array that broadcasts against them."""
    largest = np.max(np.abs(values), axis=-1, keepdims=True, initial=0)
    return 16 * math.sqrt(values.shape[-1]) * np.finfo(values.dtype).eps * largest


_CLOSE = {"f": 1e-4, "d": 1e-8}
"""Up to which distance, relative to the larger one, two values are taken for equal."""


def _are_apart(values: Any) -> Any:
    """Which of sorted values differ from the one before.

    A quotient by their distance has an error of the rounding over it, while to take them for equal
    is wrong by the distance.
    """
    distances, sizes = np.abs(np.diff(values, axis=-1)), np.abs(values)
    close = _CLOSE[values.dtype.char] * np.maximum(sizes[..., 1:], sizes[..., :-1])
    return ~(distances <= np.maximum(close, _rounding(values)))


def _are_far_apart(values: Any, from_zero: bool) -> bool:
    """Whether it is seen at a glance that all of one matrix differ: that is what most do."""
    if values.ndim != 1 or not 0 < len(values) <= 1000:  # of more the rounding is larger
        return False
    sizes = values.tolist()  # which is sorted
    least = sizes[-1] if from_zero else math.inf
    steps = [abs(x - y) for x, y in pairwise(sizes)]
    largest = max(map(abs, sizes), default=0.0)
    return min(steps, default=math.inf) > _CLOSE[values.dtype.char] * largest < least


def _labels(values: Any) -> Any:
    """Numbers of the groups of equal values, which are sorted."""
    is_apart = _are_apart(values)
    return np.cumsum(np.concatenate([np.zeros_like(is_apart[..., :1]), is_apart], -1), -1)


def _equal(values: Any) -> Any:
    if values.shape[-1] < 2:
        return np.ones((*values.shape, values.shape[-1]), bool)
    labels = _labels(values)
    return labels[..., :, None] == labels[..., None, :]


def _vanishing(values: Any) -> Any:
    return np.abs(values) <= _rounding(values)


class Equal(OfMatrices, LocallyConstant):
    """Which pairs of sorted values are equal."""

    def run(self, values: Any) -> Any:
        """Compare neighbours, since the values are sorted."""
        return _equal(values)

    def infer(self, values: ArrayType) -> ArrayType:
        """A square of booleans."""
        return ArrayType((*values.shape, values.shape[-1]), np.dtype(bool))


class Vanishing(OfMatrices, LocallyConstant):
    """Which values are zero."""

    def run(self, values: Any) -> Any:
        """Compare with the rounding."""
        return _vanishing(values)

    def infer(self, values: ArrayType) -> ArrayType:
        """A boolean for each."""
        return ArrayType(values.shape, np.dtype(bool))


equal_values = Equal("equal_values")
vanishing = Vanishing("vanishing")


def extreme(values: Any, index: int) -> Any:
    """The first or the last of sorted values; those that equal it share its derivative."""
    is_equal = bind(equal_values, values)[..., index, :]
    shares = is_equal / np.sum(is_equal, axis=-1, keepdims=True).astype(dtype_of(values))
    return np.sum(shares * values, axis=-1)


def settled(values: Any) -> Any:
    """Values that are no longer differentiated where they are zero: that is a kink of norms."""
    return np.where(bind(vanishing, values), stop_gradient(values), values)


# What the rules are written with


class Limit(Copy):
    """A value or derivative in the limit of equal values (``transforms/limits.py``)."""

    def transpose(self, cotangent: Any, input: ArrayType, *rest: Any, **params: Any) -> Any:
        """Itself."""
        return bind(self, cotangent)


class AsFound(Copy):
    """A value that a function returns, with the vectors that were found, where it is computed."""

    is_transparent = True


limit = Limit("limit")
as_found = AsFound("as_found")

inverse_of_gap = Elementwise(
    "inverse_of_gap", np.reciprocal, lambda t, out, x: -t * out * out, run=np.reciprocal
)
"""One by a distance of values: of all divisions this is the one that may be by what vanishes with
the distance (``transforms/limits.py``)."""


def _in_the_limit(x: Any) -> Any:
    return bind(limit, x) if type(x) is Tracer else x


def _reciprocal(x: Any) -> Any:
    return bind(inverse_of_gap, x)


def _reciprocal_differences(x: Any) -> Any:
    """One by ``x_j - x_i`` at ``ij``, and 0 on the diagonal."""
    eye = like(np.eye(shape_of(x)[-1]), x)
    return _reciprocal(x[..., None, :] - x[..., :, None] + eye) - eye


def _reciprocal_sums(x: Any) -> Any:
    return _reciprocal(x[..., None, :] + x[..., :, None])


def _symmetric(x: Any) -> Any:
    return (x + adjoint(x)) / 2


def _skew(x: Any) -> Any:
    return (x - adjoint(x)) / 2


def _outside(basis: Any, x: Any) -> Any:
    """The part of vectors that is orthogonal to all columns of a basis."""
    return x - basis @ (adjoint(basis) @ x)


def _diagonal_matrix(x: Any) -> Any:
    return x[..., None, :] * like(np.eye(shape_of(x)[-1]), x)


class Separated(NamedTuple):
    """The outputs of a factorization with equal values.

    Attributes:
        choices: Two choices of the vectors, the one that was found and another one; with values
            that are exactly equal where they are taken for equal.
        distances: What is to be added to the values to tell equal ones apart, as multiples of a
            small number.
    """

    choices: tuple[Sequence[Any], Sequence[Any]]
    distances: Any


class Spectral(OfMatrices):
    """A factorization with values that may be equal, whose vectors are then not determined.

    Attributes:
        from_zero: Whether values that are zero are such a case, too.
    """

    multiple_outputs = True
    may_coincide = True
    from_zero: ClassVar[bool]

    def turned(self, output: Sequence[Any], labels: Any, vanish: Any) -> Sequence[Any]:
        """Other vectors that the factorization might have found.

        Args:
            output: The outputs.
            labels: The numbers of the groups of equal values.
            vanish: Which values are zero.
        """
        raise MissingRuleError.of(self.name, "turned")

    def separated(self, output: Sequence[Any]) -> Separated | None:
        """What tells equal values apart; None where there are none.

        Args:
            output: The outputs, which are known.
        """
        values = output[self.values_at]
        if _are_far_apart(values, self.from_zero):
            return None
        vanish = _vanishing(values) if self.from_zero else np.zeros_like(values, bool)
        if not vanish.any() and (values.shape[-1] < 2 or _are_apart(values).all()):
            return None
        equal, labels = _equal(values), _labels(values)
        count = np.sum(equal, axis=-1)
        mean = np.sum(np.where(equal, values[..., None, :], 0), axis=-1) / count
        shared = np.where(vanish, 0, np.where(count > 1, mean, values)).astype(values.dtype)
        number = np.where((count > 1) | vanish, np.sum(np.tril(equal), axis=-1), 0)
        size = np.max(np.abs(values), axis=-1, keepdims=True, initial=0)
        distances = (number * np.where(size > 0, size, 1)).astype(values.dtype)
        choices = [list(output), list(self.turned(output, labels, vanish))]
        for choice in choices:
            choice[self.values_at] = shared
        return Separated((choices[0], choices[1]), distances)


@lru_cache(maxsize=64)
def _rotation(size: int, complex: bool, number: int = 0) -> Any:
    """An orthogonal (or unitary) matrix like any other."""
    generator = np.random.default_rng([size, number])
    matrix = generator.normal(size=(size, size))
    if complex:
        matrix = matrix + 1j * generator.normal(size=(size, size))
    return np.linalg.qr(matrix).Q


class Eigh(Spectral):
    """Eigenvalues, in ascending order, and eigenvectors of Hermitian matrices.

    Parameters: ``lower``, which triangle is read.
    """

    values_at = 0
    from_zero = False

    def run(self, a: Any, *, lower: bool) -> Any:
        """Factor."""
        return tuple(np.linalg.eigh(a, "L" if lower else "U"))

    def infer(self, a: ArrayType, *, lower: bool) -> Any:
        """Real eigenvalues, and the matrices of eigenvectors."""
        require_square(a)
        dtype = factor_dtype(a)
        return ArrayType(a.shape[:-1], real_dtype(dtype)), ArrayType(a.shape, dtype)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 8.3: the symmetric QR algorithm, with eigenvectors."""
        return counted(inputs, operations_of_eigh)

    def turned(self, output: Sequence[Any], labels: Any, vanish: Any) -> Sequence[Any]:
        """Rotate the vectors of each group."""
        values, vectors = output[0], output[1].copy()
        for index in np.ndindex(values.shape[:-1]):
            for start, stop in _groups(labels[index]):
                turn = _rotation(stop - start, is_complex(vectors))
                vectors[index][:, start:stop] = vectors[index][:, start:stop] @ turn
        return values, vectors

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, lower: bool
    ) -> Any:
        """First-order perturbation (Giles, section 3.1, for Hermitian matrices).

        Of complex eigenvectors the phase of each is held: only what does not depend on these
        phases has a derivative at all.
        """
        if tangents[0] is None:
            return None, None
        values, vectors = output
        tangent = from_triangle(_in_the_limit(tangents[0]), lower)
        seen = adjoint(vectors) @ tangent @ vectors
        return np.real(diagonal(seen)), vectors @ (seen * _reciprocal_differences(values))

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        lower: bool,
    ) -> Sequence[Any]:
        """The transpose of `jvp`."""
        (weights, by_vectors), (values, vectors) = cotangent, output
        middle = None if weights is None else _diagonal_matrix(weights)
        if by_vectors is not None:
            turning = adjoint(vectors) @ conjugate(by_vectors) * _reciprocal_differences(values)
            middle = add_tangents(middle, _symmetric(turning))
        result = _in_the_limit(conjugate(vectors @ middle @ adjoint(vectors)))
        return (conform(triangle_of(result, lower), inputs[0]),)


class Svd(Spectral):
    """The singular value decomposition ``a = (u * s) @ vh``.

    Parameters: ``full``, whether ``u`` and ``vh`` are square.
    """

    values_at = 1
    from_zero = True

    def run(self, a: Any, *, full: bool) -> Any:
        """Factor."""
        return tuple(np.linalg.svd(a, full_matrices=full))

    def infer(self, a: ArrayType, *, full: bool) -> Any:
        """Real singular values between two matrices."""
        stack, rows, columns = require_matrix(a)
        dtype = factor_dtype(a)
        count = min(rows, columns)
        u = ArrayType((*stack, rows, rows if full else count), dtype)
        vh = ArrayType((*stack, columns if full else count, columns), dtype)
        return u, ArrayType((*stack, count), real_dtype(dtype)), vh

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 8.6: the algorithm of Golub and Reinsch."""
        if params["full"]:
            return counted(inputs, lambda m, n: 4 * m**2 * n + 8 * m * n**2 + 9 * n**3)
        return counted(inputs, operations_of_svd)

    def turned(self, output: Sequence[Any], labels: Any, vanish: Any) -> Sequence[Any]:
        """Rotate the vectors of each group; those of zero on each side on its own."""
        u, s, v = output[0].copy(), output[1], adjoint(output[2]).copy()
        for index in np.ndindex(s.shape[:-1]):
            left, right = u[index], v[index]
            rank = s.shape[-1] - np.count_nonzero(vanish[index])
            for start, stop in _groups(labels[index][:rank]):
                turn = _rotation(stop - start, is_complex(u))
                left[:, start:stop] = left[:, start:stop] @ turn
                right[:, start:stop] = right[:, start:stop] @ turn
            if rank < s.shape[-1]:
                for number, side in enumerate((left, right), 1):
                    free = _complement(side[:, :rank])
                    turn = _rotation(free.shape[1], is_complex(u), number)
                    side[:, rank:] = (free @ turn)[:, : side.shape[1] - rank]
                left[:, rank:] *= -1  # where there is but one, it is its sign that is free
        return u, s, adjoint(v)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, full: bool
    ) -> Any:
        """The derivative of Townsend 2016, for complex matrices as well."""
        if tangents[0] is None:
            return None, None, None
        if full:
            thin = self.jvp(inputs, tangents, _thin(output), full=False)
            return _completed(thin, output, undefined(tangents[0], inputs[0]))
        tangent, (u, s, vh) = _in_the_limit(tangents[0]), output
        rows, columns = shape_of(tangent)[-2:]
        v = adjoint(vh)
        seen = adjoint(u) @ tangent @ v
        skew = _skew(seen)
        by_difference = (seen - skew) * _reciprocal_differences(s)
        by_sum = skew * _reciprocal_sums(s)
        u_tangent, v_tangent = u @ (by_difference + by_sum), v @ (by_difference - by_sum)
        inverse = _reciprocal(s)[..., None, :]
        if rows > columns:
            u_tangent = u_tangent + _outside(u, tangent @ v) * inverse
        if columns > rows:
            v_tangent = v_tangent + _outside(v, adjoint(tangent) @ u) * inverse
        return u_tangent, np.real(diagonal(seen)), adjoint(v_tangent)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        full: bool,
    ) -> Sequence[Any]:
        """The transpose of `jvp`."""
        a, (u, s, vh), (by_u, weights, by_v) = inputs[0], output, cotangent
        rows, columns = shape_of(a)[-2:]
        if full and rows != columns:
            (by_u, rest_u), (by_v, rest_v) = _parted(by_u, columns, -1), _parted(by_v, rows, -2)
            cotangent = by_u, weights, by_v
            (found,) = self.vjp(cotangent, inputs, _thin(output), needed, full=False)
            for rest in (rest_u, rest_v):
                if rest is not None:
                    missing = undefined_cotangent(rest, a, _ONLY_THIN)
                    found = add_tangents(found, conform(missing, a))
            return (found,)
        v = adjoint(vh)
        by_u = None if by_u is None else conjugate(by_u)
        by_v = None if by_v is None else by_v.mT
        middle = None if weights is None else _diagonal_matrix(weights)
        if middle is None and by_u is by_v is None:
            return (None,)
        outside: Any = None
        if by_u is not None or by_v is not None:
            by_difference, by_sum = _reciprocal_differences(s), _reciprocal_sums(s)
            if by_u is not None:
                seen_u = adjoint(u) @ by_u
                middle = add_tangents(middle, _symmetric(seen_u * by_difference))
                middle = middle + _skew(seen_u * by_sum)
            if by_v is not None:
                seen_v = adjoint(v) @ by_v
                middle = add_tangents(middle, _symmetric(seen_v * by_difference))
                middle = middle - _skew(seen_v * by_sum)
            side: Any
            side, basis = (by_u, u) if rows > columns else (by_v, v)
            if rows != columns and side is not None:
                outside = _outside(basis, side * _reciprocal(s)[..., None, :])
        result = u @ middle @ vh
        if outside is not None:
            result = result + (outside @ vh if rows > columns else u @ adjoint(outside))
        return (conform(_in_the_limit(conjugate(result)), a),)


def _groups(labels: Any) -> Iterator[tuple[int, int]]:
    """Where the groups of several equal values start and stop."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(labels)]):
        if stop - start > 1:
            yield start, stop


def _complement(vectors: Any) -> Any:
    """Orthonormal columns for the space that some orthonormal columns leave."""
    return np.linalg.qr(vectors, "complete").Q[:, vectors.shape[1] :]


# The full matrices of one that is not square: the vectors that belong to no singular value are any
# basis of what is left.

_ONLY_THIN = (
    "The vectors of the full matrices of svd that belong to no singular value have no derivative; "
    "all of np.linalg.svd(x, full_matrices=False) have one."
)


def _thin(output: Sequence[Any]) -> Sequence[Any]:
    """The vectors that belong to singular values."""
    u, s, vh = output
    count = shape_of(s)[-1]
    return u[..., :count], s, vh[..., :count, :]


def _completed(thin: Sequence[Any], output: Sequence[Any], missing: Any) -> Sequence[Any]:
    """The tangents of the full matrices."""
    u, s, vh = output
    count = shape_of(s)[-1]
    u_tangent, s_tangent, v_tangent = thin
    if shape_of(u)[-1] > count:
        shape = (*shape_of(u)[:-1], shape_of(u)[-1] - count)
        u_tangent = np.concatenate([u_tangent, np.broadcast_to(missing, shape)], axis=-1)
    if shape_of(vh)[-2] > count:
        shape = (*shape_of(vh)[:-2], shape_of(vh)[-2] - count, shape_of(vh)[-1])
        v_tangent = np.concatenate([v_tangent, np.broadcast_to(missing, shape)], axis=-2)
    return u_tangent, s_tangent, v_tangent


def _parted(x: Any, count: int, axis: int) -> tuple[Any, Any]:
    """The first vectors, and the others if there are any."""
    if x is None or shape_of(x)[axis] <= count:
        return x, None
    first, rest = slice(count), slice(count, None)
    return (x[..., first], x[..., rest]) if axis == -1 else (x[..., first, :], x[..., rest, :])


eigh = Eigh("eigh")
svd = Svd("svd")
