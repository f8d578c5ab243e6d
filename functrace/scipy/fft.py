"""Fourier, cosine and sine transforms of traced values, by the names of ``scipy.fft``.

Makhoul, A fast cosine transform in one and two dimensions, IEEE Transactions on Acoustics, Speech
and Signal Processing, 1980, has the formulas. Fourier transforms are NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.primitives.cosines import INVERSE, trigonometric_transform
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import names_of_scipy
from functrace.tracing.tracer import bind

_NORMS = {None: "backward", "backward": "backward", "ortho": "ortho", "forward": "forward"}
_OTHER = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _sized(x: Any, n: int | None) -> Any:
    """An array with n elements along the last axis: cut off, or followed by zeros."""
    length = shape_of(x)[-1]
    if n is None or n == length:
        return x
    if n < length:
        return x[..., :n]
    return np.pad(x, [*[(0, 0)] * (len(shape_of(x)) - 1), (0, n - length)])


def _end_scale(function: str, type: int, n: int, dtype: Any, of_result: bool) -> Any:
    """By what the orthogonal transform scales the elements at an end, of its result or before.

    None where it scales nothing.
    """
    which = {
        ("dct", 1): slice(0, None, max(n - 1, 1)),
        ("dct", 2): slice(0, 1) if of_result else None,
        ("dct", 3): None if of_result else slice(0, 1),
        ("dst", 2): slice(n - 1, n) if of_result else None,
        ("dst", 3): None if of_result else slice(n - 1, n),
    }.get((function, type))
    if which is None:
        return None
    scale = np.ones(n, np.dtype(dtype).char.lower())
    scale[which] = math.sqrt(0.5) if of_result else math.sqrt(2.0)
    return scale


def _transformed(
    function: str, x: Any, type: int, n: Any, axis: int, norm: str, orthogonalize: bool | None
) -> Any:
    """A transform with any norm, by the orthogonal one: its factor and ends are taken back."""
    if type not in INVERSE:
        raise ValueError(f"invalid type: {type}")
    x = as_operand(x)
    dtype = dtype_of(x)
    if dtype.char not in "fdFD":
        x = cast_to(x, np.dtype(np.float32 if dtype.char == "e" else np.float64))
    axis = normalize_axis_index(axis, len(shape_of(x)))
    x = _sized(np.moveaxis(x, axis, -1), n)
    length = shape_of(x)[-1]
    extra = {("dct", 1): -1, ("dst", 1): 1}.get((function, type), 0)
    factor = math.sqrt(2.0 * (length + extra))
    as_it_is = norm == "ortho" if orthogonalize is None else orthogonalize
    before, after = (
        None if as_it_is else _end_scale(function, type, length, dtype_of(x), of_result)
        for of_result in (False, True)
    )
    x = x if before is None else x / before
    x = bind(trigonometric_transform, x, function=function, type=type)
    x = x if after is None else x / after
    x = x if norm == "ortho" else x * factor if norm == "backward" else x / factor
    return np.moveaxis(x, -1, axis)


def _norm(norm: str | None, inverse: bool) -> str:
    if norm not in _NORMS:
        raise ValueError(f"Invalid norm value {norm!r}, should be 'backward', 'ortho' or 'forward'")
    return _OTHER[_NORMS[norm]] if inverse else _NORMS[norm]


def _along_one(function: str, inverse: bool) -> Callable[..., Any]:
    """``dct`` and its like."""

    def transform(
        x: Any,
        type: int = 2,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        kind = INVERSE.get(type, type) if inverse else type
        return _transformed(function, x, kind, n, axis, _norm(norm, inverse), orthogonalize)

    return transform


def _along_several(function: str, inverse: bool) -> Callable[..., Any]:
    """``dctn`` and its like."""

    def transform(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        orthogonalize: bool | None = None,
    ) -> Any:
        x = as_operand(x)
        rank = len(shape_of(x))
        sizes = None if s is None else np.atleast_1d(s).tolist()
        if axes is None:
            along = list(range(rank))[-len(sizes) :] if sizes else range(rank)
        else:
            along = np.atleast_1d(axes).tolist()
        if sizes is not None and len(sizes) != len(along):
            raise ValueError("when given, axes and shape arguments have to be of the same length")
        kind = INVERSE.get(type, type) if inverse else type
        for axis, n in zip(along, sizes or [None] * len(along), strict=True):
            x = _transformed(function, x, kind, n, axis, _norm(norm, inverse), orthogonalize)
        return x

    return transform


def _of_numpy(name: str) -> Callable[..., Any]:
    """A Fourier transform of NumPy's that takes SciPy's arguments."""
    function = getattr(np.fft, name)

    def transform(
        x: Any,
        *args: Any,
        overwrite_x: bool = False,
        workers: int | None = None,
        plan: Any = None,
        **options: Any,
    ) -> Any:
        return function(as_operand(x), *args[:3], **options)

    return transform


_DESCRIPTIONS = {
    "dct": "The discrete cosine transform",
    "idct": "The inverse of `dct`",
    "dst": "The discrete sine transform",
    "idst": "The inverse of `dst`",
}
_IN_PLANE = "array([[10.+0.j, -2.+0.j],", "       [-4.+0.j,  0.+0.j]])"
_EXAMPLES = {  # what each function is given, and the lines of its result
    "dct": ("[1, 1, 1, 1]", "array([8., 0., 0., 0.])"),
    "idct": ("[8, 0, 0, 0]", "array([1., 1., 1., 1.])"),
    "dst": ("[1, -1]", "array([0., 4.])"),
    "idst": ("[0, 4]", "array([ 1., -1.])"),
    "dctn": ("[[1, 1], [1, 1]]", "array([[16.,  0.],", "       [ 0.,  0.]])"),
    "idctn": ("[[16, 0], [0, 0]]", "array([[1., 1.],", "       [1., 1.]])"),
    "dstn": ("[[1, -1], [-1, 1]]", "array([[ 0.,  0.],", "       [ 0., 16.]])"),
    "idstn": ("[[0, 0], [0, 16]]", "array([[ 1., -1.],", "       [-1.,  1.]])"),
    "fft": ("[1, 2]", "array([ 3.+0.j, -1.+0.j])"),
    "ifft": ("[3, -1]", "array([1.+0.j, 2.+0.j])"),
    "rfft": ("[1, 2]", "array([ 3.+0.j, -1.+0.j])"),
    "irfft": ("[3, -1]", "array([1., 2.])"),
    "hfft": ("[1, 2]", "array([ 3., -1.])"),
    "ihfft": ("[3, -1]", "array([1.-0.j, 2.-0.j])"),
    **dict.fromkeys(("fft2", "rfft2", "fftn", "rfftn"), ("[[1, 2], [3, 4]]", *_IN_PLANE)),
    **dict.fromkeys(
        ("ifft2", "ifftn"),
        ("[[10, -2], [-4, 0]]", "array([[1.+0.j, 2.+0.j],", "       [3.+0.j, 4.+0.j]])"),
    ),
    **dict.fromkeys(
        ("irfft2", "irfftn"), ("[[10, -2], [-4, 0]]", "array([[1., 2.],", "       [3., 4.]])")
    ),
}


def _published(name: str, transform: Callable[..., Any], text: str) -> Callable[..., Any]:
    transform.__name__ = transform.__qualname__ = name
    transform.__code__ = transform.__code__.replace(co_name=name, co_qualname=name)
    given, *shown = _EXAMPLES[name]
    lines = "\n        ".join((f">>> fft.{name}({given}).round(3)", *shown))
    transform.__doc__ = (
        f"{text}\n\n    Example:\n        >>> from functrace.scipy import fft\n"
        f"        {lines}\n    "
    )
    return transform


for _name, _text in _DESCRIPTIONS.items():
    _function, _inverse = _name.removeprefix("i"), _name[0] == "i"
    globals()[_name] = _published(
        _name,
        _along_one(_function, _inverse),
        f"{_text} of types 1 to 4, as ``scipy.fft.{_name}``.",
    )
    globals()[f"{_name}n"] = _published(
        f"{_name}n",
        _along_several(_function, _inverse),
        f"{_text} along several axes, as ``scipy.fft.{_name}n``.",
    )
for _name in (
    "fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "fftn",
    "ifftn", "rfftn", "irfftn",
):  # fmt: skip
    globals()[_name] = _published(_name, _of_numpy(_name), f"As ``numpy.fft.{_name}``.")


def fftshift(x: Any, axes: Any = None) -> Any:
    """As ``numpy.fft.fftshift``.

    Example:
        >>> from functrace.scipy import fft
        >>> fft.fftshift([0, 1, -2, -1])
        array([-2, -1,  0,  1])
    """
    return np.fft.fftshift(as_operand(x), axes)


def ifftshift(x: Any, axes: Any = None) -> Any:
    """As ``numpy.fft.ifftshift``.

    Example:
        >>> from functrace.scipy import fft
        >>> fft.ifftshift([-2, -1, 0, 1])
        array([ 0,  1, -2, -1])
    """
    return np.fft.ifftshift(as_operand(x), axes)


globals().update(entrances(globals()))
__getattr__ = names_of_scipy("fft")
