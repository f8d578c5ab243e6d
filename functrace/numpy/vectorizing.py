"""Functions of the user's, applied to each element or each row of traced values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.numpy.making import asarray, holds_tracer
from functrace.primitives.linear import known_value
from functrace.tracing.entrances import entrance, is_recording
from functrace.tracing.implementing import implements
from functrace.tracing.tables import FUNCTIONS
from functrace.tracing.tracer import Tracer
from functrace.transforms.batch import vmap


class vectorize:  # noqa: N801  (NumPy's name)
    """As `numpy.vectorize`, for traced values too.

    On plain arrays it is NumPy's. Of traced values the function is called with one element (or
    one core, under ``signature``) after the other where they are known, so that it may have
    branches; under `jit` and `vmap`, where they are not, it is mapped by `vmap`.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ramp = ft.numpy.vectorize(lambda x, slope: slope * x if x > 0 else 0.0)
        >>> ft.grad(lambda x: ramp(x, 3.0).sum())(np.array([-1.0, 2.0]))
        array([0., 3.])
    """

    def __init__(
        self,
        pyfunc: Any = None,
        otypes: Any = None,
        doc: str | None = None,
        excluded: Iterable[int | str] | None = None,
        cache: bool = False,
        signature: str | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "otypes": otypes, "doc": doc, "excluded": excluded, "cache": cache,
            "signature": signature,
        }  # fmt: skip
        self.pyfunc = pyfunc
        self.signature = signature
        self.excluded = set(excluded or ())
        self.otypes = otypes
        if pyfunc is not None:
            self._plain = np.vectorize(pyfunc, **self._options)
            self.__name__ = getattr(pyfunc, "__name__", type(self).__name__)
            self.__doc__ = doc or getattr(pyfunc, "__doc__", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function, or, as a decorator with options, take it."""
        if self.pyfunc is None:
            return vectorize(args[0], **self._options)
        if not holds_tracer([*args, *kwargs.values()]):
            return self._plain(*args, **kwargs)
        keys: list[int | str] = [*range(len(args)), *kwargs]
        given = dict(zip(keys, [*args, *kwargs.values()], strict=True))
        mapped = [key for key in keys if key not in self.excluded]

        def function(*parts: Any) -> Any:
            values = {**given, **dict(zip(mapped, parts, strict=True))}
            named = {key: values[key] for key in kwargs}
            return self.pyfunc(*(values[i] for i in range(len(args))), **named)

        return self.mapped(function, [asarray(given[key]) for key in mapped])

    def mapped(
        self, function: Callable[..., Any], operands: list[Any], takes_nothing: bool = False
    ) -> Any:
        """The results for all elements; ``takes_nothing`` if there may be none of them."""
        ranks = [0] * len(operands)
        if self.signature is not None:
            ranks = self._core_ranks([np.shape(x) for x in operands])
        stacks = [np.shape(x)[: np.ndim(x) - k] for x, k in zip(operands, ranks, strict=True)]
        stack = np.broadcast_shapes(*stacks)
        size = int(np.prod(stack))
        if not size and not takes_nothing and self.otypes is None:
            raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
        rows = []
        for x, k in zip(operands, ranks, strict=True):
            core = np.shape(x)[np.ndim(x) - k :]
            rows.append(np.reshape(np.broadcast_to(x, stack + core), (size, *core)))
        is_known = all(not isinstance(known_value(x), Tracer) for x in operands)
        if is_known and size:
            outputs = [function(*(x[i] for x in rows)) for i in range(size)]
            if isinstance(outputs[0], tuple):
                found: Any = tuple(map(_stacked, zip(*outputs, strict=True)))
            else:
                found = _stacked(outputs)
        else:
            found = vmap(function)(*rows)
        parts = found if isinstance(found, tuple) else (found,)
        results = [np.reshape(x, stack + np.shape(x)[1:]) for x in parts]
        if self.otypes is not None:
            results = [x.astype(t) for x, t in zip(results, self.otypes, strict=True)]
        return tuple(results) if isinstance(found, tuple) else results[0]

    def _core_ranks(self, shapes: Sequence[tuple[int, ...]]) -> list[int]:
        """How many axes belong to one core of each operand.

        Raises:
            ValueError: The operands do not fit the signature.
        """
        text = str(self.signature).partition("->")[0]
        cores = [re.findall(r"\w+", core) for core in re.findall(r"\((.*?)\)", text)]
        if len(cores) != len(shapes):
            raise ValueError(f"the signature {self.signature} does not fit {len(shapes)} operands")
        lengths: dict[str, int] = {}
        for core, shape in zip(cores, shapes, strict=True):
            if len(shape) < len(core):
                raise ValueError(
                    f"{len(shape)}-dimensional argument does not have enough dimensions for all "
                    f"core dimensions ({', '.join(core)})"
                )
            for name, length in zip(core, shape[len(shape) - len(core) :], strict=True):
                if lengths.setdefault(name, length) != length:
                    raise ValueError(
                        f"inconsistent size for core dimension {name!r}: {length} vs "
                        f"{lengths[name]}"
                    )
        return [len(core) for core in cores]


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, **identity: Any) -> Any:
    """As `numpy.frompyfunc`, for traced values too.

    On plain arrays it is NumPy's, with results of objects. Traced values are never objects: of
    them the function's results are of the dtype that it returns.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> squares = ft.numpy.frompyfunc(lambda x: x * x, 1, 1)
        >>> ft.grad(lambda x: squares(x).sum())(np.array([1.0, 2.0]))
        array([2., 4.])
    """
    plain = np.frompyfunc(func, nin, nout, **identity)
    traced = vectorize(func)

    @wraps(func)
    def call(*args: Any, **options: Any) -> Any:
        if not holds_tracer(args):
            return plain(*args, **options)
        if len(args) != nin or options:
            raise TypeError(f"with traced values it takes {nin} arrays, and nothing else")
        return traced.mapped(func, [*map(asarray, args)], takes_nothing=True)

    def of_traced(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            is_traced = holds_tracer([*args, *options.values()])
            return (
                method(call, *args, **options)
                if is_traced
                else getattr(plain, name)(*args, **options)
            )

        return called

    vars(call).update({name: getattr(plain, name) for name in dir(plain) if name[0] != "_"})
    methods = {"accumulate": _accumulated, "reduce": _reduced, "outer": _outer} if nin == 2 else {}
    vars(call).update({name: of_traced(name, method) for name, method in methods.items()})
    return call


def _accumulated(function: Callable[..., Any], array: Any, axis: int = 0) -> Any:
    """As ``accumulate`` of a ufunc, one step after the other."""
    x = asarray(array)
    rows = np.moveaxis(x, axis, 0)
    found = [rows[:1]]
    for i in range(1, len(rows)):
        found.append(function(found[-1], rows[i : i + 1]))
    return np.moveaxis(np.concatenate(found), 0, axis)


def _reduced(
    function: Callable[..., Any], array: Any, axis: int | None = 0, keepdims: bool = False
) -> Any:
    """As ``reduce`` of a ufunc, one step after the other."""
    x = asarray(array)
    rows = np.moveaxis(x, axis, 0) if axis is not None else np.ravel(x)
    total = rows[0]
    for i in range(1, len(rows)):
        total = function(total, rows[i])
    if not keepdims:
        return total
    return np.expand_dims(total, tuple(range(x.ndim)) if axis is None else axis)


def _outer(function: Callable[..., Any], a: Any, b: Any) -> Any:
    """As ``outer`` of a ufunc."""
    a, b = asarray(a), asarray(b)
    return function(np.reshape(a, a.shape + (1,) * b.ndim), b)


def _stacked(items: Sequence[Any]) -> Any:
    return np.stack([asarray(item) for item in items])


# Functions of rows


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """As `numpy.apply_along_axis`.

    The function is called with one row after the other where they are known, and else is mapped by
    `vmap`.
    """
    arr = asarray(arr)
    axis = normalize_axis_index(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    rest = rows.shape[:-1]
    if 0 in rest:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    rows = np.reshape(rows, (math.prod(rest), rows.shape[-1]))

    def function(row: Any) -> Any:
        return asarray(func1d(row, *args, **kwargs))

    if isinstance(known_value(arr), Tracer):
        results = vmap(function)(rows)
    else:
        results = np.stack([function(row) for row in rows])
    own = np.shape(results)[1:]
    results = np.reshape(results, (*rest, *own))
    places = range(len(rest), len(rest) + len(own))
    return np.moveaxis(results, places, range(axis, axis + len(own)))


def calling_users(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `functrace.numpy` that calls one of the user's, which may use traced values.

    Those among the arguments are seen without; what the user's function closes over is not.
    """
    implementation = FUNCTIONS[getattr(np, function.__name__)]

    @entrance
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        is_seen = not is_recording() or holds_tracer([*args, *kwargs.values()])
        return (function if is_seen else implementation)(*args, **kwargs)

    return call


CALLING_USERS = ("apply_along_axis", "piecewise")
"""The names of such functions."""


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """As `numpy.apply_over_axes`."""
    a = result = asarray(a)
    for axis in np.atleast_1d(axes).tolist():
        place = axis + a.ndim if axis < 0 else axis
        found = func(result, place)
        if found.ndim != result.ndim:
            found = np.expand_dims(found, place)
            if found.ndim != result.ndim:
                raise ValueError("function is not returning an array of the correct shape")
        result = found
    return result
