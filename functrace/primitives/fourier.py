"""Discrete Fourier transforms, whose transposes are transforms.

Of a complex array there is one value for each frequency. Of a real one the values at ``k`` and
``n - k`` are conjugates of each other, so that only the first ``n // 2 + 1`` are kept. Where those
are transformed back, or a cotangent is, all count twice but the first, and the last one of an even
``n``, which are their own conjugates.

Conventions and names of the norms are NumPy's: the factor of the forward transform is 1
(``backward``), ``1 / sqrt(n)`` (``ortho``) or ``1 / n`` (``forward``), and that of the inverse one
is what makes it the inverse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Types, Values
from functrace.ir.types import ArrayType
from functrace.primitives.linear import Linear, cast_to
from functrace.tracing.tracer import bind

Norm = Literal["backward", "ortho", "forward"]

OTHER_DIRECTION: dict[Norm, Norm] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm by which the transform in the other direction has the factor of this one."""


# NumPy's functions of Python spend more time than these, which they call, take for 100 numbers.
try:
    from numpy.fft import _pocketfft_umath as _ufuncs  # pyright: ignore  (private, since NumPy 2.0)
except ImportError:
    _ufuncs = None


@lru_cache(maxsize=256)
def _factor(n: int, norm: Norm, dtype: np.dtype[Any]) -> Any:
    """The factor by which NumPy multiplies, in the dtype in which it does."""
    if norm == "backward":
        return 1
    return np.reciprocal(np.sqrt(n, dtype=dtype) if norm == "ortho" else n, dtype=dtype)


def transform(name: str, x: Any, n: int, axis: int, norm: Norm) -> Any:
    """As one of NumPy's functions ``fft``, ``ifft``, ``rfft`` and ``irfft``.

    Args:
        name: Which.
        x: An array.
        n: The number of points, which is what the array's own length says.
        axis: The axis, not negative.
        norm: The norm.
    """
    if _ufuncs is None:
        return getattr(np.fft, name)(x, n, axis, norm)
    dtype = x.dtype
    real = np.finfo(dtype).dtype if dtype.kind in "fc" else np.dtype(np.float64)
    if name == "irfft":
        ufunc, length, dtype = _ufuncs.irfft, n, real
    elif name == "rfft":
        ufunc = _ufuncs.rfft_n_odd if n % 2 else _ufuncs.rfft_n_even
        length, dtype = n // 2 + 1, np.result_type(dtype, 1j)
    else:
        ufunc, length = getattr(_ufuncs, name), n
        dtype = dtype if dtype.kind == "c" else np.result_type(dtype, 1j)
    shape = x.shape
    out = np.empty_like(x, dtype, shape=(*shape[:axis], length, *shape[axis + 1 :]))
    factor = _factor(n, norm if name[0] != "i" else OTHER_DIRECTION[norm], real)
    if axis == len(shape) - 1:
        return ufunc(x, factor, out)
    return ufunc(x, factor, out, axes=[(axis,), (), (axis,)])


def _require_points(x: ArrayType, axes: Sequence[int]) -> None:
    for axis in axes:
        if x.shape[normalize_axis_index(axis, x.ndim)] == 0:
            raise ValueError("Invalid number of FFT data points (0) specified.")


def _fitted(cotangent: Any, input: ArrayType) -> Any:
    """A cotangent in the dtype of its input; for a real one its real part."""
    return cotangent if cotangent.dtype == input.dtype else cast_to(cotangent, input.dtype)


@lru_cache(maxsize=64)
def _weights(n: int, twice: float, dtype: np.dtype[Any], columns: int) -> Any:
    """1 for frequencies that are their own conjugates, and ``twice`` for those that count twice."""
    weights = np.full((n // 2 + 1, *(1,) * columns), twice, dtype)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    weights.flags.writeable = False
    return weights


class Transform(Linear):
    """What all transforms share.

    Parameters: ``norm``, one of NumPy's three.
    """

    is_fresh = True
    is_total = True

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """The Cooley-Tukey algorithm: 5 n log2(n) for n complex numbers, half of it for real ones.

        Source: Van Loan, Computational Frameworks for the Fast Fourier Transform, section 1.4.
        """
        longer = max(inputs[0], outputs[0], key=lambda x: x.size)
        along = params["along"] if "along" in params else (params["axis"],)
        levels = sum(math.log2(max(longer.shape[axis], 1)) for axis in along)
        is_complex = inputs[0].dtype.kind == outputs[0].dtype.kind == "c"
        return round((5 if is_complex else 2.5) * abs(longer.size) * levels)


class Fourier(Transform):
    """The transform of complex numbers along axes, from the last one of these to the first.

    Parameters: ``along``, the axes, and whether it is ``inverse``. Its matrix is symmetric, so it
    is its own transpose.
    """

    def run(self, x: Any, *, along: tuple[int, ...], inverse: bool, norm: Norm) -> Any:
        """Transform."""
        if len(along) == 1:
            (axis,) = along
            return transform("ifft" if inverse else "fft", x, x.shape[axis], axis, norm)
        return (np.fft.ifftn if inverse else np.fft.fftn)(x, None, along, norm)

    def infer(
        self, x: ArrayType, *, along: tuple[int, ...], inverse: bool, norm: Norm
    ) -> ArrayType:
        """The same shape, and complex numbers."""
        _require_points(x, along)
        return ArrayType(x.shape, np.result_type(x.dtype, 1j))

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's function, which along several axes has no use for memory."""
        name, along = "ifft" if params["inverse"] else "fft", params["along"]
        if len(along) > 1:
            call = f"np.fft.{name}n({{0}}, None, {along}, {params['norm']!r})"
            return Code(call, is_contiguous=None)
        return _code_along(names, name, inputs[0].type.shape[along[0]], along[0], params["norm"])

    def transpose(self, cotangent: Any, input: ArrayType, **params: Any) -> Any:
        """Itself."""
        return _fitted(bind(self, cotangent, **params), input)

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """Transform all examples."""
        (x,), (batch_axis,) = inputs, axes
        assert batch_axis is not None
        params["along"] = tuple(axis + (axis >= batch_axis) for axis in params["along"])
        return bind(self, x, **params), batch_axis


class AlongOneAxis(Transform):
    """A transform between real numbers and half of their frequencies, along one ``axis``."""

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """Transform all examples."""
        (x,), (batch_axis,) = inputs, axes
        assert batch_axis is not None
        params["axis"] += params["axis"] >= batch_axis
        return bind(self, x, **params), batch_axis


class FourierOfReal(AlongOneAxis):
    """The transform of real numbers, as far as their conjugates do not tell it."""

    def run(self, x: Any, *, axis: int, norm: Norm) -> Any:
        """Transform."""
        return transform("rfft", x, x.shape[axis], axis, norm)

    def infer(self, x: ArrayType, *, axis: int, norm: Norm) -> ArrayType:
        """The frequencies up to half of the length."""
        _require_points(x, (axis,))
        if x.dtype.kind == "c":
            raise TypeError(f"takes real numbers, and these are {x.dtype}: take fft, or x.real")
        shape = (*x.shape[:axis], x.shape[axis] // 2 + 1, *x.shape[axis + 1 :])
        return ArrayType(shape, np.result_type(x.dtype, 1j))

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's function."""
        axis = params["axis"]
        return _code_along(names, "rfft", inputs[0].type.shape[axis], axis, params["norm"])

    def transpose(self, cotangent: Any, input: ArrayType, *, axis: int, norm: Norm) -> Any:
        """The inverse, where what it counts twice counts once."""
        n, real = input.shape[axis], np.finfo(cotangent.dtype).dtype
        weights = _weights(n, 0.5, real, input.ndim - 1 - axis)
        values = np.conj(cotangent) * weights
        norm = OTHER_DIRECTION[norm]
        return _fitted(bind(fourier_to_real, values, axis=axis, n=n, norm=norm), input)


class FourierToReal(AlongOneAxis):
    """The inverse of `FourierOfReal`: ``n`` real numbers of ``n // 2 + 1`` frequencies.

    It sees no imaginary part where a frequency is its own conjugate, which would have none.
    """

    def run(self, x: Any, *, axis: int, n: int, norm: Norm) -> Any:
        """Transform."""
        return transform("irfft", x, n, axis, norm)

    def infer(self, x: ArrayType, *, axis: int, n: int, norm: Norm) -> ArrayType:
        """Real numbers."""
        axis = normalize_axis_index(axis, x.ndim)
        if n < 1 or x.shape[axis] != n // 2 + 1:
            raise ValueError(f"{n} real numbers do not have {x.shape[axis]} frequencies")
        real = np.finfo(x.dtype).dtype if x.dtype.kind == "c" else np.result_type(x.dtype, 1.0)
        return ArrayType((*x.shape[:axis], n, *x.shape[axis + 1 :]), real)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's function."""
        return _code_along(names, "irfft", params["n"], params["axis"], params["norm"])

    def transpose(self, cotangent: Any, input: ArrayType, *, axis: int, n: int, norm: Norm) -> Any:
        """The transform of real numbers, times two where the conjugate counts too."""
        norm = OTHER_DIRECTION[norm]
        values = np.conj(bind(fourier_of_real, cotangent, axis=axis, norm=norm))
        real = np.finfo(values.dtype).dtype
        return _fitted(values * _weights(n, 2.0, real, input.ndim - 1 - axis), input)


def _code_along(names: Namer, name: str, n: int, axis: int, norm: Norm) -> Code | None:
    if n < 0:  # a length that is known when it runs
        return None
    arguments = f"{n}, {axis}, {norm!r}"
    return Code(
        f"{names.function('transform', transform)}({name!r}, {{0}}, {arguments})",
        into=f"np.fft.{name}({{0}}, {arguments}, {{out}})",
        is_contiguous=None,
        is_fresh=True,
    )


fourier = Fourier("fft")
fourier_of_real = FourierOfReal("rfft")
fourier_to_real = FourierToReal("irfft")
