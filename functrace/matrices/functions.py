"""Functions of matrices, computed by SciPy: exponential, logarithm, square root and powers.

The derivative of ``f(a)`` in the direction ``e`` is the block above the diagonal of f of the matrix
``[[a, e], [0, a]]``, for any f that is analytic at the eigenvalues (Mathias). It is linear in ``e``
and an operation of its own (`Frechet`), whose derivatives are of the same kind: the second one is
``f([[a, d], [0, a]])`` differentiated in the direction ``[[e, 0], [0, e]]``, and symmetric in both
directions (Higham and Relton). The transpose is the derivative at the transposed matrix.

Sources: Higham, Functions of Matrices (2008), chapter 3; Mathias, A chain rule for matrix functions
and applications (SIAM J. Matrix Anal. Appl. 17, 1996); Higham and Relton, Higher order Fréchet
derivatives of matrix functions and the level-2 condition number (SIAM J. Matrix Anal. Appl. 35,
2014); Al-Mohy and Higham, Computing the Fréchet derivative of the matrix exponential (SIAM J.
Matrix Anal. Appl. 30, 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.equations import OfSeveral, for_each, sylvester
from functrace.matrices.stacks import OfMatrices, counted, factor_dtype, require_square
from functrace.primitives.linear import conform, shape_of
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind


def block_triangle(a: Any, e: Any) -> Any:
    """The matrices ``[[a, e], [0, a]]``."""
    above = np.concatenate([a, e], axis=-1)
    below = np.concatenate([np.zeros_like(a), a], axis=-1)
    return np.concatenate([above, below], axis=-2)


class OfSquare(OfMatrices):
    """A function of square matrices.

    Attributes:
        function: The name of SciPy's.
        is_complex: Whether results are complex, of real matrices too.
    """

    function: str
    is_complex = True

    def run(self, a: Any, **params: Any) -> Any:
        """By SciPy, one matrix after the other."""
        of_one = getattr(
            scipy_module("linalg", f"functrace.scipy.linalg.{self.function}"), self.function
        )
        type = self.infer(ArrayType(a.shape, a.dtype))
        return for_each(of_one, type, a, **params)

    def infer(self, a: ArrayType, **params: Any) -> ArrayType:
        """The same shape."""
        require_square(a)
        dtype = factor_dtype(a)
        return ArrayType(a.shape, np.result_type(dtype, np.complex64) if self.is_complex else dtype)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """About that of Schur's form, or of a dozen products."""
        return counted(inputs, lambda m, n: 25 * n**3)


class Analytic(OfSquare):
    """One with a derivative by blocks."""

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Mathias's theorem."""
        return bind(frechet, inputs[0], tangents[0], function=self.name, **params)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The derivative at the transposed matrix."""
        (a,) = inputs
        return (conform(bind(frechet, a.mT, cotangent, function=self.name, **params), a),)


class Exponential(Analytic):
    """The exponential, by scaling and squaring."""

    function = "expm"
    is_complex = False

    def run(self, a: Any, **params: Any) -> Any:
        """By SciPy, all at once."""
        linalg = scipy_module("linalg", "functrace.scipy.linalg.expm")
        type = self.infer(ArrayType(a.shape, a.dtype))
        return linalg.expm(a).astype(type.dtype, copy=False) if a.size else np.empty(*type[:2])


class Logarithm(Analytic):
    """The principal logarithm."""

    function = "logm"


class Power(Analytic):
    """A power with a real exponent. Parameters: ``t``, the exponent."""

    function = "fractional_matrix_power"


class SquareRoot(OfSquare):
    """The principal square root."""

    function = "sqrtm"

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """From ``x dx + dx x = da`` (Higham 2008, section 6.1)."""
        return bind(sylvester, output, output, tangents[0])


class Frechet(OfSeveral):
    """The derivative of a function at ``a`` in the direction ``e``.

    Parameters: ``function``, the name of its primitive; and those of it.
    """

    linear_in = (1,)

    def run(self, a: Any, e: Any, *, function: str, **params: Any) -> Any:
        """By Al-Mohy and Higham's algorithm for the exponential, else by blocks."""
        type = self.infer(*(ArrayType(x.shape, x.dtype) for x in (a, e)), function=function)
        if function == "expm":
            linalg = scipy_module("linalg", "functrace.scipy.linalg.expm")
            options = {"compute_expm": False, "check_finite": False}
            return for_each(linalg.expm_frechet, type, a, e, **options)
        size = a.shape[-1]
        a, e = (x.astype(np.result_type(a, e), copy=False) for x in (a, e))
        return FUNCTIONS[function].run(block_triangle(a, e), **params)[..., :size, size:]

    def infer(self, a: ArrayType, e: ArrayType, *, function: str, **params: Any) -> ArrayType:
        """The same shape."""
        if a.shape != e.shape:
            raise ValueError(f"a matrix of shape {a.shape} has no direction of shape {e.shape}")
        dtype = FUNCTIONS[function].infer(a).dtype
        return ArrayType(e.shape, np.result_type(dtype, factor_dtype(e)))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Of a matrix twice as large, half of whose blocks are known."""
        return counted(inputs, lambda m, n: 100 * n**3)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The second derivative, which is symmetric in its directions: linear in the tangent."""
        (a, e), (by_a, by_e) = inputs, tangents
        found = None if by_e is None else bind(self, a, by_e, **params)
        if by_a is None:
            return found
        size, zeros = shape_of(a)[-1], np.zeros_like(by_a)
        twice = np.concatenate(
            [np.concatenate([by_a, zeros], -1), np.concatenate([zeros, by_a], -1)], -2
        )
        second = bind(self, block_triangle(*_alike(a, e)), twice, **params)[..., :size, size:]
        return second if found is None else found + second

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose of `jvp`."""
        a, e = inputs
        by_a = by_e = None
        if needed[1] is not None:
            by_e = conform(bind(self, a.mT, cotangent, **params), e)
        if needed[0] is not None:
            size, zeros = shape_of(a)[-1], np.zeros_like(cotangent)
            corner = np.concatenate(
                [np.concatenate([zeros, cotangent], -1), np.concatenate([zeros, zeros], -1)], -2
            )
            found = bind(self, block_triangle(*_alike(a, e)).mT, corner, **params)
            by_a = conform(found[..., :size, :size] + found[..., size:, size:], a)
        return by_a, by_e


def _alike(a: Any, e: Any) -> tuple[Any, Any]:
    """Two matrices of the same dtype."""
    dtype = np.result_type(a.dtype, e.dtype)
    return tuple(x if x.dtype == dtype else x.astype(dtype) for x in (a, e))  # pyright: ignore[reportReturnType]


exponential = Exponential("expm")
logarithm = Logarithm("logm")
square_root = SquareRoot("sqrtm")
power = Power("fractional_matrix_power")
frechet = Frechet("frechet")

FUNCTIONS: dict[str, Any] = {f.name: f for f in (exponential, logarithm, power)}
"""The primitives by their names."""
