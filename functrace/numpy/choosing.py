"""``x[mask]`` where only shape and dtype of the mask are known.

How many elements are chosen is not known then, so that the result has no shape. But code such as
``x[mask] = f(x[mask])`` needs none where ``f`` works element by element, and neither does a sum:
`Chosen` keeps an array of the full size until it is written back through the same mask, or reduced.
The mask may stand among slices and numbers, as in ``x[:, mask]`` and ``x[mask, 0]``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from math import prod
from typing import Any, NamedTuple, NoReturn

import numpy as np

from functrace.errors import UnknownValueError
from functrace.ir.types import Shape, type_of
from functrace.primitives.indexing import Index
from functrace.primitives.linear import cast_to, dtype_of, in_dtype, known_value, shape_of
from functrace.primitives.requiring import require
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
_SUMS = {np.sum, np.mean, np.prod, np.any, np.all, np.var, np.std}
_EXTREMES = {np.max: "maximum", np.amax: "maximum", np.min: "minimum", np.amin: "minimum"}
"""Those that need an element, and what NumPy calls them where there is none."""

_METHODS = {function.__name__: function for function in (*_SUMS, np.max, np.min)}


class Within(NamedTuple):
    """An index that holds one mask of unknown values among numbers, slices and new axes.

    Attributes:
        mask: The mask.
        others: The index that takes all elements where the mask is, in as many axes as it has.
        place: The first of these axes in what that reads.
        axis: Which axis of the result the chosen elements are along.
    """

    mask: Tracer
    others: Index
    place: int
    axis: int

    def rows(self, x: Any) -> Any:
        """What the other items read, with one axis in place of the mask's."""
        view = self.view(x)
        return view if self.mask.ndim == 1 else np.reshape(view, self._flat(shape_of(view)))

    def view(self, x: Any) -> Any:
        """What the other items read."""
        return x if self.is_whole else x[self.others]

    @property
    def is_whole(self) -> bool:
        """Whether the other items read everything, as it is."""
        return all(type(item) is slice and item == slice(None) for item in self.others)

    def _flat(self, shape: Shape) -> Shape:
        behind = self.place + self.mask.ndim
        return (*shape[: self.place], prod(self.mask.shape), *shape[behind:])

    def written(self, x: Any, value: Any) -> Any | None:
        """What `view` is after ``x[index] = value``; None where the shape of the value is unknown.

        Args:
            x: The array.
            value: Numbers that are the same for each chosen element, or a `Chosen`.

        Raises:
            UnknownValueError: What was chosen was so by another mask.
        """
        view = self.view(x)
        rank = len(shape_of(view)) - self.mask.ndim + 1
        full = value.full if isinstance(value, Chosen) else value
        shape = (1,) * (rank - len(shape_of(full))) + shape_of(full)
        if len(shape) > rank:
            return None
        if isinstance(value, Chosen):
            if not (_is_same_mask(self.mask, value.mask) and value.axis == self.axis - rank):
                raise unknown_mask(self.mask)
        elif shape[self.axis] != 1:
            return None
        if shape != shape_of(full):
            full = np.reshape(full, shape)
        if self.axis != self.place:
            full = np.moveaxis(full, self.axis, self.place)
        if self.mask.ndim > 1:
            own = self.mask.shape if isinstance(value, Chosen) else (1,) * self.mask.ndim
            at, shape = self.place, shape_of(full)
            full = np.reshape(full, (*shape[:at], *own, *shape[at + 1 :]))
        if any(own not in (1, n) for own, n in zip(shape_of(full), shape_of(view), strict=True)):
            np.broadcast_to(full, shape_of(view))  # which raises an error
        behind = len(shape_of(view)) - self.place - self.mask.ndim
        wide = np.reshape(self.mask, self.mask.shape + (1,) * behind)
        dtype = dtype_of(x)
        return in_dtype(np.where(wide, cast_to(full, dtype), view), dtype)


def within(index: Any, shape: Shape) -> Within | None:
    """The parts of an index that holds one mask of unknown values, and no other array."""
    items = list(index) if type(index) is tuple else [index]
    where = [n for n, item in enumerate(items) if is_unknown_mask(item)]
    if len(where) != 1:
        return None
    number = where[0]
    mask: Tracer = known_value(items[number])
    numbers: list[int] = []
    for n, item in enumerate(items):
        if isinstance(item, int | np.integer) and not isinstance(item, bool):
            items[n] = int(item)
            numbers.append(n)
        elif n != number and not (item is None or item is Ellipsis or isinstance(item, slice)):
            return None
    if sum(item is Ellipsis for item in items) > 1:
        return None
    used = mask.ndim + sum(isinstance(item, slice | int) for item in items)
    place = axis = 0
    for item in items[:number]:
        length = len(shape) - used if item is Ellipsis else 1
        place += 0 if isinstance(item, int) else length
        axis += 0 if item is None else length
    if mask.shape != shape[axis : axis + mask.ndim]:
        return None
    arrays = [*numbers, number]  # NumPy broadcasts numbers with the mask's positions
    is_together = max(arrays) - min(arrays) == len(arrays) - 1
    items[number : number + 1] = [slice(None)] * mask.ndim
    return Within(mask, tuple(items), place, place if is_together else 0)


def is_unknown_mask(x: Any) -> bool:
    """Whether one item of an index is a mask of which only shape and dtype are known."""
    if not isinstance(x, Tracer) or x.dtype.kind != "b" or not x.ndim:
        return False
    return isinstance(known_value(x), Tracer)


class Chosen(np.lib.mixins.NDArrayOperatorsMixin):
    """The elements of an array that a mask of unknown values chooses.

    Attributes:
        full: An array with these elements in their places. In all other places stands one of them,
            so that whatever is computed of it is of a chosen element.
        mask: The mask, a tracer of unknown value.
        axis: Along which axis of the array all elements of the mask are counted, from the last.
    """

    def __init__(self, full: Any, mask: Tracer, axis: int) -> None:
        self.full = full
        self.mask = mask
        self.axis = axis

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return dtype_of(self.full)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(shape_of(self.full))

    @property
    def size(self) -> Any:
        """The number of chosen elements."""
        return np.count_nonzero(self.mask) * (prod(shape_of(self.full)) // max(self.mask.size, 1))

    def _apply(self, function: Callable[..., Any], args: Sequence[Any], options: Any) -> Chosen:
        """A function of each element, with chosen elements in several arguments or numbers."""
        operands: list[Any] = []
        for x in args:
            if isinstance(x, Chosen):
                if not (x.axis == self.axis and _is_same_mask(x.mask, self.mask)):
                    raise unknown_mask(self.mask)
                operands.append(x.full)
            elif np.ndim(x) >= -self.axis and np.shape(x)[self.axis] != 1:
                raise unknown_mask(self.mask)
            else:
                operands.append(x)
        return Chosen(function(*operands, **options), self.mask, self.axis)

    def _reduced(self, function: Any, axis: Any = None, **options: Any) -> Any:
        """A reduction, over the chosen elements or of each of them."""
        if options.keys() - {"dtype", "keepdims", "ddof", "correction"}:
            raise unknown_mask(self.mask)
        axes = range(self.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = {n - self.ndim if n >= 0 else n for n in axes}
        if self.axis not in axes:
            behind = 0 if options.get("keepdims") else sum(n > self.axis for n in axes)
            full = function(self.full, axis=axis, **options)
            return Chosen(full, self.mask, self.axis + behind)
        if not prod(shape_of(self.full)):
            return function(self.full, axis=axis, **options)
        wide = np.reshape(self.mask, (-1,) + (1,) * (-self.axis - 1))
        if function in _EXTREMES:
            if self.dtype.kind not in "iuf":
                raise unknown_mask(self.mask)
            options["initial"] = _beyond(self.dtype, _EXTREMES[function])
        result = function(self.full, axis=axis, where=wide, **options)
        if function not in _EXTREMES:
            return result
        name = _EXTREMES[function]
        message = f"zero-size array to reduction operation {name} which has no identity"
        return require(result, np.any(self.mask), message)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        (target,) = options.pop("out", (None,))
        if method != "__call__" or options or not (target is None or isinstance(target, Chosen)):
            raise unknown_mask(self.mask)
        if ufunc.signature is not None:  # not of each element
            raise unknown_mask(self.mask)
        result = self._apply(ufunc, inputs, {})
        if target is None:
            return result
        if shape_of(result.full) != shape_of(target.full):
            np.broadcast_to(result.full, shape_of(target.full))  # which raises an error
        target.full = cast_to(result.full, target.dtype)
        return target

    def __array_function__(
        self, function: Any, types: Any, args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        if function in _SUMS or function in _EXTREMES:
            if len(args) <= 2 and args[0] is self:
                return self._reduced(function, *args[1:], **options)
        elif function is np.size and len(args) == 1 and not options:
            return self.size
        elif function in _BY_ELEMENT:
            return self._apply(function, args, options)
        raise unknown_mask(self.mask)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise unknown_mask(self.mask)

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return partial(self._reduced, _METHODS[name])
        if name.startswith("__"):
            raise AttributeError(name)
        raise unknown_mask(self.mask)

    def copy(self) -> Chosen:
        """The same elements."""
        return Chosen(self.full, self.mask, self.axis)

    def astype(self, dtype: Any) -> Chosen:
        """The elements in another dtype."""
        return Chosen(FUNCTIONS[np.astype](self.full, dtype), self.mask, self.axis)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """As `numpy.clip`."""
        return np.clip(self, min, max)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def __len__(self) -> int:
        raise unknown_mask(self.mask)

    def __getitem__(self, index: Any) -> NoReturn:
        raise unknown_mask(self.mask)

    def __bool__(self) -> bool:
        raise unknown_mask(self.mask)


def _beyond(dtype: np.dtype[Any], name: str) -> Any:
    """What is the maximum, or minimum, of no numbers but itself."""
    if dtype.kind == "f":
        return -np.inf if name == "maximum" else np.inf
    return np.iinfo(dtype).min if name == "maximum" else np.iinfo(dtype).max


def chosen_by(x: Any, index: Within) -> Chosen:
    """``x[index]``."""
    mask, place = index.mask, index.place
    full = index.rows(x)
    if mask.size:
        one = np.take(full, np.argmax(mask), axis=place)
        one = np.where(np.any(mask), one, np.ones((), dtype_of(x)))
        behind = len(shape_of(full)) - place - 1
        wide = np.reshape(mask, (-1,) + (1,) * behind)
        full = np.where(wide, full, np.expand_dims(one, place) if place else one)
    if place != index.axis:
        full = np.moveaxis(full, place, index.axis)
    return Chosen(full, mask, index.axis - len(shape_of(full)))


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
        "works where f is computed element by element, and so do sums, means and extremes.",
    )


def _is_same_mask(mask: Tracer, other: Tracer) -> bool:
    """Whether two masks hold the same: they are one, or were computed alike of the same values."""
    return mask.recording is other.recording and is_made_alike(mask, other, _is_same_constant)


def _is_same_constant(a: Any, b: Any) -> bool:
    return type_of(a) == type_of(b) and np.array_equal(a, b)
