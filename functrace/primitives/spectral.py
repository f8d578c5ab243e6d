"""Eigenvalues and singular values, and the vectors that belong to them.

The vectors of equal values are not determined: any rotation of them would do as well. A function
that does not depend on the choice, such as ``V sqrt(w) V^H``, has a derivative there all the same.
It is a limit, ``(f(w_j) - f(w_i)) / (w_j - w_i)``, and what is at hand is 0 / 0.

*Forward mode* knows the direction in which the matrix moves, so it takes those vectors among the
possible ones to which the vectors of the moved matrix tend (`EighAlong`, `SvdAlong`): they make
the tangent diagonal where values are equal, and 0 / 0 is multiplied by zero.

*Reverse mode* knows no direction. Here the equal values are told apart to first order: they get
tangents (`separation`) in a recording that only the walk back sees, so each cotangent arrives
with its slope, and the limit is the quotient of the slopes (de l'Hospital). Where the numerator
itself is not zero, the function depends on the choice, and its derivative is nan.

Second derivatives are right where the first one takes no such limit; where it does, they are nan.

The factorizations have their vectors among the outputs twice. The rules use the second ones, and
users get the first ones, of which alone a derivative can be nan because of the choice.

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
from functrace.tracing import bind

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


def _reciprocal(x: Any) -> Any:
    """``1 / x``, and 0 where x is zero."""
    is_zero = np.equal(x, 0)
    return np.where(is_zero, 0, 1 / np.where(is_zero, 1, x))


def _differences(x: Any) -> Any:
    """``x_j - x_i`` at ``ij``."""
    return x[..., None, :] - x[..., :, None]


def _sums(x: Any) -> Any:
    return x[..., None, :] + x[..., :, None]


def _pairs_of(mask: Any) -> Any:
    """Where both of two are marked."""
    return np.logical_and(mask[..., None, :], mask[..., :, None])


def _others(equal: Any) -> Any:
    """The pairs of equal values without each value's pair with itself."""
    return np.logical_and(equal, np.logical_not(np.eye(shape_of(equal)[-1], dtype=bool)))


def _touched(mask: Any) -> Any:
    """The elements in whose row or column something is marked."""
    marked = np.any(mask, axis=-1)
    return np.logical_or(marked[..., None, :], marked[..., :, None])


def _quotient(
    numerator: Any, slope: Any, denominator: Any, apart: Any, is_limit: Any, scale: Any
) -> Any:
    """A quotient, and its limit where numerator and denominator are zero.

    Args:
        numerator: A matrix.
        slope: The slopes of its elements as the values are told apart; None for zero.
        denominator: Of the same shape.
        apart: The slope of the denominator.
        is_limit: Where the denominator is zero, but for pairs that are not to be looked at.
        scale: A matrix from which the size of the rounding in the numerator can be told.
    """
    regular = numerator * _reciprocal(np.where(is_limit, 0, denominator))
    if slope is not None:
        ends = np.logical_and(is_limit, np.ones(shape_of(slope), bool))
        limit = bind(once, slope * _reciprocal(np.where(is_limit, apart, 0)), ends)
        regular = np.where(is_limit, limit, regular)
    depends = np.logical_and(is_limit, bind(exceeding, numerator, scale))
    return np.where(depends, dtype_of(regular).type(np.nan), regular)


def _for_users(turned: Any, seen: Any, others: Any, ends: Any) -> Any:
    """How the vectors that users see turn.

    It is not known between equal values whose vectors do not fit the direction, and it has no
    further derivative at all values that something is equal to.
    """
    depends = np.logical_and(others, bind(exceeding, seen, seen))
    turned = np.where(depends, dtype_of(turned).type(np.nan), turned)
    return bind(once, turned, _touched(ends))


def _skew(x: Any) -> Any:
    """The part of a matrix that turns orthonormal vectors; None is zero."""
    return None if x is None else (x - adjoint(x)) / 2


def _conjugate(x: Any) -> Any:
    return np.conj(x) if is_complex(x) else x


def _times(left: Any, cotangent: Any) -> Any:
    """A product with the conjugate of a cotangent, of which None is zero."""
    return None if cotangent is None else left @ _conjugate(cotangent)


def _times_matrix(left: Any, x: Any) -> Any:
    return None if x is None else left @ x


def _of_vectors(cotangents: Sequence[Any]) -> tuple[Any, Any]:
    """The cotangents of the left and the right singular vectors as columns, conjugated."""
    left, right = _sum(*cotangents[::3]), _sum(*cotangents[2::2])
    return (
        None if left is None else _conjugate(left),
        None if right is None else right.mT,
    )


def _outside(basis: Any, x: Any) -> Any:
    """The part of vectors that is orthogonal to all columns of a basis."""
    return x - basis @ (adjoint(basis) @ x)


def _sum(*parts: Any) -> Any:
    """The sum of parts of which None is zero."""
    total = None
    for part in parts:
        total = add_tangents(total, part)
    return total


def _subtracted(x: Any, y: Any) -> Any:
    return x if y is None else add_tangents(x, -y)


def _even(weights: Any, values: Any) -> Any:
    """The cotangents of values, and nan where they differ although the values are equal."""
    unequal = bind(uneven, bind(equal_values, values), weights)
    return np.where(unequal, dtype_of(weights).type(np.nan), weights)


def _diagonal_matrix(x: Any) -> Any:
    return x[..., None, :] * like(np.eye(shape_of(x)[-1]), x)


class Spectral(OfMatrices):
    """A factorization with values that may be equal, whose vectors are then not determined.

    Attributes:
        values_at: The number of the output that holds the values.
        from_zero: Whether values that are zero are such a case, too.
    """

    multiple_outputs = True
    may_coincide = True
    values_at: ClassVar[int]
    from_zero: ClassVar[bool]

    def separated(self, output: Any) -> Sequence[Any] | None:
        """The tangents that tell equal values apart; None where none are equal."""
        values = output[self.values_at]
        if _are_distinct(values, self.from_zero):
            return None
        result: list[Any] = [None] * len(output)
        result[self.values_at] = bind(separation, values, from_zero=self.from_zero)
        return result

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The limit, which needs no slopes where all values differ."""
        slopes = (None,) * len(output)
        return self.vjp_at_limit(cotangent, slopes, slopes, inputs, output, needed, **params)


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
    """Eigenvalues, in ascending order, and eigenvectors (twice) of Hermitian matrices.

    Parameters: ``lower``, which triangle is read.
    """

    values_at = 0
    from_zero = False

    def run(self, a: Any, *, lower: bool) -> Any:
        """Factor."""
        values, vectors = np.linalg.eigh(a, "L" if lower else "U")
        return values, vectors, vectors.copy()

    def infer(self, a: ArrayType, *, lower: bool) -> Any:
        """Real eigenvalues, and the matrices of eigenvectors."""
        require_square(a)
        dtype = factor_dtype(a)
        vectors = ArrayType(a.shape, dtype)
        return ArrayType(a.shape[:-1], real_dtype(dtype)), vectors, vectors

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
        values, _, vectors = output
        return bind(eigh_along, inputs[0], values, vectors, tangents[0], lower=lower)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, lower: bool
    ) -> Any:
        """First-order perturbation (Giles, section 3.1, for Hermitian matrices).

        Of complex eigenvectors the phase of each is held: only what does not depend on these
        phases has a derivative at all.
        """
        if tangents[0] is None:
            return None, None, None
        values, _, vectors = output
        seen = adjoint(vectors) @ from_triangle(tangents[0], lower) @ vectors
        values_tangent = np.real(diagonal(seen))
        if _are_distinct(values, self.from_zero):
            tangent = vectors @ (seen * _reciprocal(_differences(values)))
            return values_tangent, tangent, tangent
        others = _others(bind(equal_values, values))
        turned = seen * _reciprocal(np.where(others, 0, _differences(values)))
        return (
            values_tangent,
            vectors @ _for_users(turned, seen, others, others),
            vectors @ turned,
        )

    def vjp_at_limit(
        self,
        cotangents: Any,
        slopes: Any,
        apart: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        lower: bool,
    ) -> Sequence[Any]:
        """The transpose of `jvp`, with the limit of quotients for equal eigenvalues."""
        values, _, vectors = output
        scale = _times(adjoint(vectors), _sum(*cotangents[1:]))
        slope = _times(adjoint(vectors), _sum(*slopes[1:]))
        middle = None
        if cotangents[0] is not None:
            weights = cotangents[0]
            if apart[0] is not None and slope is None:
                weights = _even(weights, values)
            middle = _diagonal_matrix(weights)
        if scale is not None:
            others = _others(bind(equal_values, values))
            turning = _quotient(
                _skew(scale),
                _skew(slope),
                _differences(values),
                None if apart[0] is None else _differences(apart[0]),
                others,
                scale,
            )
            middle = _sum(middle, turning)
        result = _conjugate(vectors @ middle @ adjoint(vectors))
        result = triangle_of(result, lower)
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
        return values, vectors, vectors.copy()

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
    """The singular value decomposition ``a = (u * s) @ vh``, with ``u`` and ``vh`` twice.

    Parameters: ``full``, whether ``u`` and ``vh`` are square.
    """

    values_at = 1
    from_zero = True

    def run(self, a: Any, *, full: bool) -> Any:
        """Factor."""
        u, s, vh = np.linalg.svd(a, full_matrices=full)
        return u, s, vh, u.copy(), vh.copy()

    def infer(self, a: ArrayType, *, full: bool) -> Any:
        """Real singular values between two matrices."""
        stack, rows, columns = require_matrix(a)
        dtype = factor_dtype(a)
        count = min(rows, columns)
        u = ArrayType((*stack, rows, rows if full else count), dtype)
        vh = ArrayType((*stack, columns if full else count, columns), dtype)
        return u, ArrayType((*stack, count), real_dtype(dtype)), vh, u, vh

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
        _, s, _, u, vh = output
        return bind(svd_along, inputs[0], u, s, vh, tangents[0], full=full)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, full: bool
    ) -> Any:
        """The derivative of Townsend 2016, for complex matrices as well."""
        if tangents[0] is None:
            return (None,) * 5
        tangent, (_, s, _, u, vh) = tangents[0], output
        rows, columns = tangent.shape[-2:]
        _require_thin((rows, columns), full)
        v = adjoint(vh)
        seen = adjoint(u) @ tangent @ v
        values_tangent = np.real(diagonal(seen))
        skew = _skew(seen)
        symmetric = seen - skew
        distinct = _are_distinct(s, self.from_zero)
        differences, sums, divisors = _differences(s), _sums(s), s
        others: Any = None
        zero: Any = None
        if not distinct:
            others, zero = _others(bind(equal_values, s)), bind(vanishing, s)
            differences = np.where(others, 0, differences)
            sums = np.where(_pairs_of(zero), 0, sums)
            divisors = np.where(zero, 0, s)
        by_difference = symmetric * _reciprocal(differences)
        by_sum = skew * _reciprocal(sums)
        u_turned, v_turned = by_difference + by_sum, by_difference - by_sum
        inverse = _reciprocal(divisors)[..., None, :]
        u_outside = v_outside = None
        if rows > columns:
            u_outside = _outside(u, tangent @ v) * inverse
        if columns > rows:
            v_outside = _outside(v, adjoint(tangent) @ u) * inverse
        u_tangent = _sum(u @ u_turned, u_outside)
        vh_tangent = adjoint(_sum(v @ v_turned, v_outside))
        if distinct:
            return u_tangent, values_tangent, vh_tangent, u_tangent, vh_tangent
        both_zero = _pairs_of(zero)
        ends = np.logical_or(others, both_zero)
        fitting = np.where(both_zero, seen, symmetric)
        u_shown = _sum(u @ _for_users(u_turned, fitting, others, ends), u_outside)
        v_shown = _sum(v @ _for_users(v_turned, fitting, others, ends), v_outside)
        return u_shown, values_tangent, adjoint(v_shown), u_tangent, vh_tangent

    def vjp_at_limit(
        self,
        cotangents: Any,
        slopes: Any,
        apart: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        full: bool,
    ) -> Sequence[Any]:
        """The transpose of `jvp`, with the limit of quotients for equal singular values."""
        a, (_, s, _, u, vh) = inputs[0], output
        rows, columns = shape_of(a)[-2:]
        _require_thin((rows, columns), full)
        v, separate = adjoint(vh), apart[1]
        weights = cotangents[1]
        by_u, by_v = _of_vectors(cotangents)
        u_slope, v_slope = _of_vectors(slopes)
        has_slope = u_slope is not None or v_slope is not None
        if weights is not None and separate is not None and not has_slope:
            # At zero a singular value has a kink, as the absolute value: the derivative is 0.
            kinked = np.logical_and(bind(vanishing, s), bind(exceeding_in_vector, weights))
            weights = _even(np.where(kinked, 0, weights), s)
        middle = None if weights is None else _diagonal_matrix(weights)
        seen = [_times_matrix(adjoint(basis), x) for basis, x in
                ((u, by_u), (v, by_v), (u, u_slope), (v, v_slope))]  # fmt: skip
        outside: Any = None
        if by_u is not None or by_v is not None:
            scale = _sum(*(None if x is None else np.abs(x) for x in seen[:2]))
            skews = [_skew(x) for x in seen]
            zero = bind(vanishing, s)
            if by_u is not None and by_v is not None:
                # A pair at zero may change its sign on one side alone: so must nothing else.
                both = np.logical_and(bind(exceeding, seen[0], scale), zero[..., None, :])
                unlike = bind(exceeding, seen[0] - np.conj(seen[1]), scale)
                is_pair = np.logical_and(both, np.logical_not(unlike))
                own = np.logical_and(is_pair, np.eye(shape_of(s)[-1], dtype=bool))
                dtype = dtype_of(s).type
                middle = _sum(middle, np.where(own, dtype(np.nan), dtype(0)))
            middle = _sum(
                middle,
                _quotient(
                    _sum(*skews[:2]),
                    _sum(*skews[2:]),
                    _differences(s),
                    None if separate is None else _differences(separate),
                    _others(bind(equal_values, s)),
                    scale,
                ),
                _quotient(
                    _subtracted(*skews[:2]),
                    _subtracted(*skews[2:]),
                    _sums(s),
                    None if separate is None else _sums(separate),
                    _pairs_of(zero),
                    scale,
                ),
            )
            side, slope, basis = (by_u, u_slope, u) if rows > columns else (by_v, v_slope, v)
            if rows != columns and side is not None:
                outside = _quotient(
                    _outside(basis, side),
                    None if slope is None else _outside(basis, slope),
                    s[..., None, :],
                    None if separate is None else separate[..., None, :],
                    zero[..., None, :],
                    side,
                )
        result = u @ middle @ vh
        if outside is not None:
            result = result + (outside @ vh if rows > columns else u @ adjoint(outside))
        return conform(_conjugate(result), a), *(None,) * (len(inputs) - 1)


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
        vh = adjoint(v)
        return u, s, vh.copy(), u.copy(), vh.copy()

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
