"""Eigenvalues and singular values, and the vectors that belong to them.

The vectors of equal values are not determined: any rotation of them would do as well. A function
that does not depend on the choice, such as ``V sqrt(w) V^H``, has a derivative there all the same.
It is the limit of the derivatives at values that differ a little (`Separation`), which is taken
where the function is differentiated (``transforms/limits.py``): the rules here know nothing of it.

*Forward mode* knows the direction in which the matrix moves, so it takes those vectors among the
possible ones to which the vectors of the moved matrix tend (`EighAlong`, `SvdAlong`).

Values count as equal if they differ by no more than the rounding of the factorization.

Sources: Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation (2008); Townsend, Differentiating the singular value decomposition (2016); Magnus,
On differentiating eigenvalues and eigenvectors (Econometric Theory 1, 1985); Kato, Perturbation
theory for linear operators, chapter 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from functrace.errors import MissingRuleError
from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType
from functrace.primitives.elementwise import Elementwise
from functrace.primitives.factoring import (
    OfMatrices,
    adjoint,
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
)
from functrace.primitives.linear import (
    LocallyConstant,
    add_tangents,
    conform,
    dtype_of,
    in_each,
    in_front,
    known_value,
    shape_of,
    stop_gradient,
)
from functrace.tracing.tracer import bind

# Which values are equal, and which are zero


def _rounding(values: Any) -> Any:
    """By how much computed values may be wrong, as an array that broadcasts against them."""
    largest = np.max(np.abs(values), axis=-1, keepdims=True, initial=0)
    return 16 * math.sqrt(values.shape[-1]) * np.finfo(values.dtype).eps * largest


def _labels(values: Any) -> Any:
    """Numbers of the groups of equal values, which are sorted."""
    is_apart = np.abs(np.diff(values, axis=-1)) > _rounding(values)
    return np.cumsum(np.concatenate([np.zeros_like(is_apart[..., :1]), is_apart], -1), -1)


def _equal(values: Any) -> Any:
    if values.shape[-1] < 2:
        return np.ones((*values.shape, values.shape[-1]), bool)
    labels = _labels(values)
    return labels[..., :, None] == labels[..., None, :]


def _vanishing(values: Any) -> Any:
    return np.abs(values) <= _rounding(values)


class OfValues(OfMatrices, LocallyConstant):
    """Something of sorted values that is not differentiated. All inputs have the same stack."""

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Put the batch axis in front of the leading axes; NumPy broadcasts the others."""
        moved = [in_front(x, axis) for x, axis in zip(inputs, axes, strict=True)]
        return bind(self, *moved, **params), 0


class Equal(OfValues):
    """Which pairs of values are equal."""

    def run(self, values: Any) -> Any:
        """Compare neighbours, since the values are sorted."""
        return _equal(values)

    def infer(self, values: ArrayType) -> ArrayType:
        """A square of booleans."""
        return ArrayType((*values.shape, values.shape[-1]), np.dtype(bool))


class Vanishing(OfValues):
    """Which values are zero."""

    def run(self, values: Any) -> Any:
        """Compare with the rounding."""
        return _vanishing(values)

    def infer(self, values: ArrayType) -> ArrayType:
        """A boolean for each."""
        return ArrayType(values.shape, np.dtype(bool))


class Separation(OfValues):
    """Tangents that tell equal values apart, 0 for those that are alone.

    Parameters: ``from_zero``, whether values that are zero are to leave zero too.
    """

    def run(self, values: Any, *, from_zero: bool) -> Any:
        """Count within each group, from 1."""
        equal = _equal(values)
        number = np.sum(np.tril(equal), axis=-1)
        is_shared = np.sum(equal, axis=-1) > 1
        if from_zero:
            is_shared |= _vanishing(values)
        return np.where(is_shared, number, 0).astype(values.dtype)

    def infer(self, values: ArrayType, *, from_zero: bool) -> ArrayType:
        """One for each."""
        return ArrayType(values.shape, values.dtype)


class Spread(OfValues):
    """By how much each value differs from the one that stands for all that equal it.

    Parameters: ``from_zero``, whether that is zero for values that are zero.
    """

    def run(self, values: Any, *, from_zero: bool) -> Any:
        """Compare with the mean of each group."""
        equal = _equal(values)
        count = np.sum(equal, axis=-1)
        mean = np.sum(np.where(equal, values[..., None, :], 0), axis=-1) / count
        shared = np.where(count > 1, mean, values).astype(values.dtype)
        if from_zero:
            shared = np.where(_vanishing(values), 0, shared)
        return values - shared

    def infer(self, values: ArrayType, *, from_zero: bool) -> ArrayType:
        """One for each."""
        return ArrayType(values.shape, values.dtype)


class Uneven(OfValues):
    """Which of some weights differ although their values are equal."""

    def run(self, equal: Any, weights: Any) -> Any:
        """Compare the largest with the smallest of each group."""
        highest = np.max(np.where(equal, weights[..., None, :], -np.inf), axis=-1, initial=-np.inf)
        lowest = np.min(np.where(equal, weights[..., None, :], np.inf), axis=-1, initial=np.inf)
        return highest - lowest > _noticeable(weights[..., None])[..., 0]

    def infer(self, equal: ArrayType, weights: ArrayType) -> ArrayType:
        """A boolean for each."""
        return ArrayType(weights.shape, np.dtype(bool))


class Exceeding(OfValues):
    """Where a matrix is not zero, compared to the size of another one."""

    def run(self, x: Any, scale: Any) -> Any:
        """Compare with half of the digits."""
        return np.abs(x) > _noticeable(scale)

    def infer(self, x: ArrayType, scale: ArrayType) -> ArrayType:
        """A boolean for each element."""
        return ArrayType(x.shape, np.dtype(bool))


def _noticeable(scale: Any) -> Any:
    largest = np.max(np.abs(scale), axis=(-2, -1), keepdims=True, initial=0)
    return math.sqrt(np.finfo(scale.dtype).eps) * largest


class Once(Primitive):
    """A matrix that has no further derivative at some of its elements: there it is nan.

    The second input says which.
    """

    def run(self, x: Any, ends: Any) -> Any:
        """The matrix."""
        return x.copy()

    def infer(self, x: ArrayType, ends: ArrayType) -> ArrayType:
        """The same type."""
        return x

    def _ended(self, x: Any, ends: Any) -> Any:
        is_nan = np.logical_and(ends, np.not_equal(x, 0))
        return np.where(is_nan, dtype_of(x).type(np.nan), x)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Nan where the tangent is not zero."""
        return None if tangents[0] is None else self._ended(tangents[0], inputs[1])

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """Nan where the cotangent is not zero."""
        return conform(self._ended(cotangent, inputs[1]), inputs[0]), None

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Put the batch axis in front; NumPy broadcasts."""
        x, ends = (in_front(x, axis) for x, axis in zip(inputs, axes, strict=True))
        if axes[0] is None:
            x = np.broadcast_to(x, shape_of(ends))
        return bind(self, x, ends), 0


class ExceedingInVector(Exceeding):
    """Where a vector is not zero, compared to its own size."""

    def run(self, x: Any) -> Any:
        """Compare with half of the digits."""
        return np.abs(x) > _noticeable(x[..., None])[..., 0]

    def infer(self, x: ArrayType) -> ArrayType:
        """A boolean for each element."""
        return ArrayType(x.shape, np.dtype(bool))


equal_values = Equal("equal_values")
vanishing = Vanishing("vanishing")
separation = Separation("separation")
spread = Spread("spread")
uneven = Uneven("uneven")
exceeding = Exceeding("exceeding")
exceeding_in_vector = ExceedingInVector("exceeding_in_vector")
once = Once("once")


def _are_distinct(values: Any, from_zero: bool) -> bool:
    """Whether values are known to be all different (and not zero)."""
    known = known_value(values)
    if not isinstance(known, np.ndarray):
        return False
    if from_zero and _vanishing(known).any():
        return False
    return known.shape[-1] < 2 or not (np.abs(np.diff(known, axis=-1)) <= _rounding(known)).any()


def extreme(values: Any, index: int) -> Any:
    """The first or the last of sorted values; those that equal it share its derivative."""
    is_equal = bind(equal_values, values)[..., index, :]
    shares = is_equal / np.sum(is_equal, axis=-1, keepdims=True).astype(dtype_of(values))
    return np.sum(shares * values, axis=-1)


def settled(values: Any) -> Any:
    """Values that are no longer differentiated where they are zero: that is a kink of norms."""
    return np.where(bind(vanishing, values), stop_gradient(values), values)


def _run_inverse(x: Any) -> Any:
    is_zero = np.equal(x, 0)
    return np.where(is_zero, 0, 1 / np.where(is_zero, 1, x))[()].astype(dtype_of(x))


inverse_of_gap = Elementwise(
    "inverse_of_gap", np.reciprocal, lambda t, out, x: -t * out * out, run=_run_inverse
)
"""One by a distance of values, and 0 where it is zero. Of values that are told apart it is a pole
(``transforms/limits.py``): of all divisions this is the one that may be by what vanishes."""


def _reciprocal(x: Any) -> Any:
    return bind(inverse_of_gap, x)


def _differences(x: Any) -> Any:
    """``x_j - x_i`` at ``ij``."""
    return x[..., None, :] - x[..., :, None]


def _sums(x: Any) -> Any:
    return x[..., None, :] + x[..., :, None]


def _symmetric(x: Any) -> Any:
    return (x + adjoint(x)) / 2


def _skew(x: Any) -> Any:
    return (x - adjoint(x)) / 2


def _conjugate(x: Any) -> Any:
    return np.conj(x) if is_complex(x) else x


def _outside(basis: Any, x: Any) -> Any:
    """The part of vectors that is orthogonal to all columns of a basis."""
    return x - basis @ (adjoint(basis) @ x)


def _even(weights: Any, values: Any) -> Any:
    """The cotangents of values, and nan where they differ although the values are equal."""
    unequal = bind(uneven, bind(equal_values, values), weights)
    return np.where(unequal, dtype_of(weights).type(np.nan), weights)


def _diagonal_matrix(x: Any) -> Any:
    return x[..., None, :] * like(np.eye(shape_of(x)[-1]), x)


class Spectral(OfMatrices):
    """A factorization with values that may be equal, whose vectors are then not determined.

    Attributes:
        from_zero: Whether values that are zero are such a case, too.
    """

    multiple_outputs = True
    may_coincide = True
    from_zero: ClassVar[bool]

    def separated(self, output: Sequence[Any]) -> tuple[Any, Any] | None:
        """The values, exactly equal where they are equal, and what tells them apart."""
        values = output[self.values_at]
        if _are_distinct(values, self.from_zero):
            return None
        return (
            values - bind(spread, values, from_zero=self.from_zero),
            bind(separation, values, from_zero=self.from_zero),
        )


class Along(Spectral):
    """The part of a factorization that has chosen its vectors along a direction."""

    def aligned(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The direction is chosen already."""
        return output

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Put the batch axis in front of the leading axes."""
        moved = [in_each(size, x, axis) for x, axis in zip(inputs, axes, strict=True)]
        outputs = bind(self, *moved, **params)
        return outputs, (0,) * len(outputs)


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

    def aligned(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, lower: bool
    ) -> Any:
        """The eigenvectors to which those of the moved matrix tend."""
        if tangents[0] is None or _are_distinct(output[0], self.from_zero):
            return output
        values, vectors = output
        return bind(eigh_along, inputs[0], values, vectors, tangents[0], lower=lower)

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
        seen = adjoint(vectors) @ from_triangle(tangents[0], lower) @ vectors
        turned = seen * _reciprocal(_differences(values))
        return np.real(diagonal(seen)), vectors @ turned

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
        middle = None
        if weights is not None:
            if by_vectors is None and not _are_distinct(values, self.from_zero):
                weights = _even(weights, values)
            middle = _diagonal_matrix(weights)
        if by_vectors is not None:
            turning = adjoint(vectors) @ _conjugate(by_vectors) * _reciprocal(_differences(values))
            middle = add_tangents(middle, _symmetric(turning))
        result = triangle_of(_conjugate(vectors @ middle @ adjoint(vectors)), lower)
        return conform(result, inputs[0]), *(None,) * (len(inputs) - 1)


class EighAlong(Along, Eigh):
    """The factorization of `Eigh` for a matrix that moves in a direction.

    Its inputs are the matrix, the eigenvalues and eigenvectors that were found, and the direction.
    Its derivative is by the matrix alone.
    """

    def run(self, a: Any, values: Any, vectors: Any, direction: Any, *, lower: bool) -> Any:
        """Turn the eigenvectors of equal eigenvalues (Kato, section 2.2.3)."""
        seen = adjoint(vectors) @ from_triangle(direction, lower) @ vectors
        values = np.broadcast_to(values, seen.shape[:-1]).copy()
        vectors = np.broadcast_to(vectors, seen.shape).copy()
        labels = _labels(values)
        for index in np.ndindex(values.shape[:-1]):
            for start, stop in _groups(labels[index]):
                block = np.linalg.eigh(seen[index][start:stop, start:stop])[1]
                vectors[index][:, start:stop] = vectors[index][:, start:stop] @ block
        return values, vectors

    def infer(
        self,
        a: ArrayType,
        values: ArrayType,
        vectors: ArrayType,
        direction: ArrayType,
        *,
        lower: bool,
    ) -> Any:
        """As `Eigh`."""
        return super().infer(a, lower=lower)


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

    def aligned(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, full: bool
    ) -> Any:
        """The singular vectors to which those of the moved matrix tend."""
        if tangents[0] is None or _are_distinct(output[1], self.from_zero):
            return output
        _require_thin(shape_of(inputs[0]), full)
        u, s, vh = output
        return bind(svd_along, inputs[0], u, s, vh, tangents[0], full=full)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, full: bool
    ) -> Any:
        """The derivative of Townsend 2016, for complex matrices as well."""
        if tangents[0] is None:
            return None, None, None
        tangent, (u, s, vh) = tangents[0], output
        rows, columns = shape_of(tangent)[-2:]
        _require_thin((rows, columns), full)
        v = adjoint(vh)
        seen = adjoint(u) @ tangent @ v
        skew = _skew(seen)
        by_difference = (seen - skew) * _reciprocal(_differences(s))
        by_sum = skew * _reciprocal(_sums(s))
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
        _require_thin((rows, columns), full)
        v = adjoint(vh)
        by_u = None if by_u is None else _conjugate(by_u)
        by_v = None if by_v is None else by_v.mT
        distinct = _are_distinct(s, self.from_zero)
        zero: Any = None if distinct else bind(vanishing, s)
        if weights is not None and not distinct and by_u is None and by_v is None:
            # At zero a singular value has a kink, as the absolute value: the derivative is 0.
            kinked = np.logical_and(zero, bind(exceeding_in_vector, weights))
            weights = _even(np.where(kinked, 0, weights), s)
        middle = None if weights is None else _diagonal_matrix(weights)
        outside: Any = None
        if by_u is not None or by_v is not None:
            seen_u: Any = None if by_u is None else adjoint(u) @ by_u
            seen_v: Any = None if by_v is None else adjoint(v) @ by_v
            if seen_u is not None and seen_v is not None and not distinct:
                middle = add_tangents(middle, _of_pairs_at_zero(seen_u, seen_v, s, zero))
            by_difference, by_sum = _reciprocal(_differences(s)), _reciprocal(_sums(s))
            if seen_u is not None:
                middle = add_tangents(middle, _symmetric(seen_u * by_difference))
                middle = middle + _skew(seen_u * by_sum)
            if seen_v is not None:
                middle = add_tangents(middle, _symmetric(seen_v * by_difference))
                middle = middle - _skew(seen_v * by_sum)
            side: Any
            side, basis = (by_u, u) if rows > columns else (by_v, v)
            if rows != columns and side is not None:
                outside = _outside(basis, side * _reciprocal(s)[..., None, :])
        result = u @ middle @ vh
        if outside is not None:
            result = result + (outside @ vh if rows > columns else u @ adjoint(outside))
        return conform(_conjugate(result), a), *(None,) * (len(inputs) - 1)


def _of_pairs_at_zero(seen_u: Any, seen_v: Any, s: Any, zero: Any) -> Any:
    """Nan for a pair of vectors at zero that something depends on otherwise than as a pair.

    Such a pair may change its sign on one side alone: so must nothing else.
    """
    scale = np.abs(seen_u) + np.abs(seen_v)
    both = np.logical_and(bind(exceeding, seen_u, scale), zero[..., None, :])
    unlike = bind(exceeding, seen_u - np.conj(seen_v), scale)
    is_pair = np.logical_and(both, np.logical_not(unlike))
    own = np.logical_and(is_pair, np.eye(shape_of(s)[-1], dtype=bool))
    dtype = dtype_of(s).type
    return np.where(own, dtype(np.nan), dtype(0))


class SvdAlong(Along, Svd):
    """The factorization of `Svd` for a matrix that moves in a direction.

    Its inputs are the matrix, its factors that were found, and the direction. Its derivative is by
    the matrix alone.
    """

    def run(self, a: Any, u: Any, s: Any, vh: Any, direction: Any, *, full: bool) -> Any:
        """Turn the vectors of equal singular values; those of zero each side on its own."""
        stack = direction.shape[:-2]
        s = np.broadcast_to(s, (*stack, s.shape[-1])).copy()
        u = np.broadcast_to(u, (*stack, *u.shape[-2:])).copy()
        v = np.broadcast_to(adjoint(vh), (*stack, *vh.shape[:-3:-1])).copy()
        labels, zero = _labels(s), _vanishing(s)
        for index in np.ndindex(stack):
            left, right, moved = u[index], v[index], direction[index]
            rank = s.shape[-1] - np.count_nonzero(zero[index])
            for start, stop in _groups(labels[index][:rank]):
                seen = adjoint(left[:, start:stop]) @ moved @ right[:, start:stop]
                block = np.linalg.eigh(seen + adjoint(seen))[1][:, ::-1]
                left[:, start:stop] = left[:, start:stop] @ block
                right[:, start:stop] = right[:, start:stop] @ block
            if rank < s.shape[-1]:
                free_left, free_right = _complement(left[:, :rank]), _complement(right[:, :rank])
                first, _, second = np.linalg.svd(adjoint(free_left) @ moved @ free_right)
                count = s.shape[-1] - rank
                left[:, rank:] = free_left @ first[:, :count]
                right[:, rank:] = free_right @ adjoint(second)[:, :count]
        return u, s, adjoint(v).copy()

    def infer(
        self,
        a: ArrayType,
        u: ArrayType,
        s: ArrayType,
        vh: ArrayType,
        direction: ArrayType,
        *,
        full: bool,
    ) -> Any:
        """As `Svd`."""
        return super().infer(a, full=full)


def _groups(labels: Any) -> Iterator[tuple[int, int]]:
    """Where the groups of several equal values start and stop."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(labels)]):
        if stop - start > 1:
            yield start, stop


def _complement(vectors: Any) -> Any:
    """Orthonormal columns for the space that some orthonormal columns leave."""
    return np.linalg.qr(vectors, "complete").Q[:, vectors.shape[1] :]


def _require_thin(shape: Sequence[int], full: bool) -> None:
    if full and shape[-2] != shape[-1]:
        # The vectors that belong to no singular value are any basis of what is left.
        raise MissingRuleError(
            "The full matrices of svd have no derivative where the matrix is not square; "
            "those of np.linalg.svd(x, full_matrices=False) have one."
        )


eigh = Eigh("eigh")
eigh_along = EighAlong("eigh_along")
svd = Svd("svd")
svd_along = SvdAlong("svd_along")
