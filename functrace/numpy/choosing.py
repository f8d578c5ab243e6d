"""``x[mask]`` where only shape and dtype of the mask are known.

How many elements are chosen is not known then, so that the result has no shape. But code such as
``x[mask] = f(x[mask])`` needs none where ``f`` works element by element: `Chosen` keeps an array of
the full size until it is written back through the same mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NoReturn

import numpy as np

from functrace.errors import UnknownValueError
from functrace.ir.types import type_of
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.tracing.buffers import buffer
from functrace.tracing.implementing import implements
from functrace.tracing.places import source_of, user_place
from functrace.tracing.program_recording import is_made_alike
from functrace.tracing.tables import FUNCTIONS
from functrace.tracing.tracer import Tracer

_BY_ELEMENT = {
    np.angle, np.clip, np.copy, np.imag, np.nan_to_num, np.real, np.round, np.around, np.sinc,
    np.where, np.isclose, np.astype,
}  # fmt: skip


class Chosen(np.lib.mixins.NDArrayOperatorsMixin):
    """The elements of an array that a mask of unknown values chooses.

    Attributes:
        full: An array with these elements in their places. In all other places stands one of them,
            so that whatever is computed of it is of a chosen element.
        mask: The mask, a tracer of unknown value.
    """

    def __init__(self, full: Any, mask: Tracer) -> None:
        self.full = full
        self.mask = mask

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return dtype_of(self.full)

    def _apply(self, function: Callable[..., Any], args: Sequence[Any], options: Any) -> Chosen:
        """A function of each element, with chosen elements in several arguments or numbers."""
        rank = len(shape_of(self.full)) - self.mask.ndim
        operands: list[Any] = []
        for x in args:
            if isinstance(x, Chosen):
                if not _is_same_mask(x.mask, self.mask):
                    raise unknown_mask(self.mask)
                operands.append(x.full)
            elif len(np.shape(x)) > rank:
                raise unknown_mask(self.mask)
            else:
                operands.append(x)
        return Chosen(function(*operands, **options), self.mask)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        (target,) = options.pop("out", (None,))
        if method != "__call__" or options or not (target is None or isinstance(target, Chosen)):
            raise unknown_mask(self.mask)
        result = self._apply(ufunc, inputs, {})
        if target is None:
            return result
        target.full = cast_to(result.full, target.dtype)
        return target

    def __array_function__(
        self, function: Any, types: Any, args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        if function not in _BY_ELEMENT:
            raise unknown_mask(self.mask)
        return self._apply(function, args, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise unknown_mask(self.mask)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise unknown_mask(self.mask)

    def copy(self) -> Chosen:
        """The same elements."""
        return Chosen(self.full, self.mask)

    def astype(self, dtype: Any) -> Chosen:
        """The elements in another dtype."""
        return Chosen(FUNCTIONS[np.astype](self.full, dtype), self.mask)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """As `numpy.clip`."""
        return np.clip(self, min, max)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def __len__(self) -> int:
        raise unknown_mask(self.mask)

    def __getitem__(self, index: Any) -> NoReturn:
        raise unknown_mask(self.mask)

    def __bool__(self) -> bool:
        raise unknown_mask(self.mask)


def chosen_by(x: Any, mask: Tracer) -> Chosen:
    """``x[mask]`` for a mask of unknown values, of the shape of the first axes of ``x``."""
    shape = shape_of(x)
    rest = shape[mask.ndim :]
    if mask.size == 0:
        return Chosen(x, mask)
    first = np.argmax(mask)
    one = np.take(np.reshape(x, (mask.size, *rest)), first, axis=0)
    one = np.where(np.any(mask), one, np.ones((), dtype_of(x)))
    wide = np.reshape(mask, mask.shape + (1,) * len(rest))
    return Chosen(np.where(wide, x, one), mask)


def written_where(x: Any, mask: Tracer, chosen: Chosen) -> Any:
    """``x`` as it is after ``x[mask] = chosen``."""
    if not _is_same_mask(mask, chosen.mask):
        raise unknown_mask(mask)
    wide = np.reshape(mask, mask.shape + (1,) * (len(shape_of(x)) - mask.ndim))
    return np.where(wide, cast_to(chosen.full, dtype_of(x)), x)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """As `numpy.piecewise`; of conditions whose values are unknown each function sees all of ``x``.

    Such a function must compute element by element.
    """
    x = x if isinstance(x, Tracer) else buffer(np.array(x))
    first = condlist[0] if isinstance(condlist, list | tuple) or np.ndim(condlist) else None
    is_one = first is None or (x.ndim != 0 and not isinstance(first, list) and np.ndim(first) == 0)
    masks = [FUNCTIONS[np.astype](mask, bool) if isinstance(mask, Tracer) else np.array(mask, bool)
             for mask in ([condlist] if is_one else condlist)]  # fmt: skip
    if len(masks) == len(funclist) - 1:
        masks.append(np.logical_not(reduce(np.logical_or, masks)))
    elif len(masks) != len(funclist):
        raise ValueError(
            f"with {len(masks)} condition(s), either {len(masks)} or {len(masks) + 1} functions "
            "are expected"
        )
    flat = np.reshape(x, x.shape or 1)
    result: Any = FUNCTIONS[np.zeros_like](flat)
    for given, function in zip(masks, funclist, strict=True):
        mask = np.reshape(given, given.shape or 1)
        if not callable(function):
            result[mask] = function
            continue
        chosen = flat[mask]
        if isinstance(chosen, Chosen) or chosen.size:
            result[mask] = function(chosen, *args, **kw)
    return np.reshape(result, x.shape)


def unknown_mask(mask: Tracer) -> UnknownValueError:
    """The error where the shape of what a mask of unknown values chooses is needed."""
    return UnknownValueError(
        f"An index is a traced {mask.type}, a mask of which the values are unknown, so that the "
        "shape of the result is unknown too.",
        source_of(user_place(2)),
        "Keep the shape and choose the values, as in np.where(mask, x, 0); x[mask] = f(x[mask]) "
        "works where f is computed element by element.",
    )


def _is_same_mask(mask: Tracer, other: Tracer) -> bool:
    """Whether two masks hold the same: they are one, or were computed alike of the same values."""
    return mask.recording is other.recording and is_made_alike(mask, other, _is_same_constant)


def _is_same_constant(a: Any, b: Any) -> bool:
    return type_of(a) == type_of(b) and np.array_equal(a, b)
