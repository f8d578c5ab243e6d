"""A traced array as data: what is known of it, and NumPy's functions as its methods."""

from __future__ import annotations

import operator
from importlib import import_module
from typing import Any

import numpy as np

from functrace.errors import (
    LeakedTracerError,
    OperandError,
    ShapeMismatchError,
)
from functrace.ir.types import UNKNOWN, WEAK_DTYPES, ArrayType, Shape, type_of
from functrace.tracing.entrances import at_entrance, enter_by_methods, entrance
from functrace.tracing.places import Place, source_of, user_place
from functrace.tracing.tables import FUNCTIONS

_INSTEAD = {
    "resize": "It has as many elements as it was made with. In place of x.resize(shape) write "
    "y = functrace.numpy.zeros(shape), y.flat[:n] = x.ravel()[:n], and y in place of x; to repeat "
    "the elements, x = np.resize(x, shape).",
    "byteswap": "A traced array has no bytes: return it from the transformed function.",
    "getfield": "A traced array has no bytes: x.real and x.imag are its parts.",
    "setfield": "A traced array has no bytes: x.real = v and x.imag = v write its parts.",
    "ctypes": "It has no memory of its own: return it from the transformed function.",
    "data": "It has no memory of its own: return it from the transformed function.",
    "setflags": "A traced array can always be written: leave x.setflags(write=False) out.",
    "tobytes": "Return it from the transformed function, and call tobytes on what comes back.",
    "tofile": "Return it from the transformed function, and write what comes back.",
    "dump": "Return it from the transformed function, and write what comes back.",
    "dumps": "Return it from the transformed function, and call dumps on what comes back.",
}
"""What to write for what a traced array has not."""


class _Missing:
    """What an array of NumPy's has and a traced one has not.

    With a `__getattr__` the class Tracer could say the same, and every look-up of any attribute
    of a tracer would take several times as long.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @entrance
    def __get__(self, tracer: Any, owner: type) -> Any:
        if tracer is None:
            raise AttributeError(self.name)
        if tracer.recording.is_plain:
            return tracer.recording.attribute(tracer, self.name)
        message = f"A traced array has no {self.name!r}, although a NumPy array has it."
        instead = _INSTEAD.get(self.name)
        advice = "" if instead is None else f"\n  {instead}"
        raise AttributeError(f"{message}\n  at {source_of(user_place(1))}{advice}")


class TracedArray:
    """What a traced array is, and what it does by NumPy's functions alone.

    Files below the tracer know a traced array by this class.

    Attributes:
        recording: The recording to which it belongs.
        value: Its value, one recording further out, or `UNKNOWN`.
        known_as: What its recording knows it by: a variable.
        place: Where it was made, for messages.
        memory: Shared with its views, once it has any. Only arrays have it: of those without axes
            it tells the arrays, which are written in place, from the scalars.
        base: The traced array of which it is a view, if it is one.
        made_by: The primitive (or function) that made the view from ``base``, its parameters, and
            the number of the output, which is None for what `numpy.ravel` makes.
    """

    __slots__ = (
        "__weakref__", "base", "known_as", "made_by", "memory", "place", "recording", "value",
    )  # fmt: skip

    # There is no __init__, which would take as long as all else that makes one: see `new_tracer`.
    recording: Any
    value: Any
    known_as: Any
    place: Place | None
    memory: Any
    base: Any
    made_by: Any

    # What is known of it

    @property
    def type(self) -> ArrayType:
        """Shape, dtype and weakness."""
        tracer = self.innermost
        return tracer.known_as.type if tracer.value is UNKNOWN else type_of(tracer.value)

    @property
    def shape(self) -> Shape:
        """The lengths of the axes; another shape may be assigned."""
        tracer = self
        while isinstance(value := tracer.value, TracedArray):  # `innermost`: all that is done asks
            tracer = value
        return tracer.known_as.type.shape if value is UNKNOWN else getattr(value, "shape", ())

    @shape.setter
    def shape(self, shape: Any) -> None:
        FUNCTIONS[setattr](self, shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that the value has in NumPy."""
        tracer = self
        while isinstance(value := tracer.value, TracedArray):  # as above
            tracer = value
        if value is UNKNOWN:
            return tracer.known_as.type.dtype
        weak = WEAK_DTYPES.get(type(value))
        return value.dtype if weak is None else weak

    @property
    def innermost(self) -> Any:
        """The tracer behind this one whose value is no tracer."""
        tracer = self
        while isinstance(value := tracer.value, TracedArray):
            tracer = value
        return tracer

    @property
    def is_array(self) -> bool:
        """Whether it is an array in NumPy, and no scalar."""
        if self.shape or self.memory is not None:
            return True
        innermost = self.innermost
        if innermost.value is UNKNOWN:
            return innermost.memory is not None or innermost.recording.is_array(innermost.known_as)
        return type(innermost.value) is np.ndarray

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.type.size

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def flags(self) -> Any:
        """How its elements lie in memory, as `numpy.ndarray.flags` says it."""
        return FUNCTIONS[getattr](self, "flags")

    @property
    def strides(self) -> tuple[int, ...]:
        """The steps in bytes from one element to the next, along each axis."""
        return FUNCTIONS[getattr](self, "strides")

    @property
    def device(self) -> str:
        """Where it is, in the words of the Array API standard."""
        return "cpu"

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """The array itself, which is on the only device: as `numpy.ndarray.to_device`."""
        np.empty(0).to_device(device, stream=stream)  # raises for any other
        return self

    def __array_namespace__(self, *, api_version: Any = None) -> Any:
        """The functions for traced arrays, by their names in the Array API standard."""
        np.empty(0).__array_namespace__(api_version=api_version)  # raises for unknown versions
        return import_module("functrace.numpy")  # above this floor

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """With the axes in reverse order."""
        return FUNCTIONS[np.transpose](self)

    @property
    def mT(self) -> Any:  # noqa: N802  (NumPy's name)
        """With the last two axes swapped."""
        if self.ndim < 2:
            raise ShapeMismatchError(
                f"mT needs two axes or more, not shape {self.shape}.", source_of(user_place(1))
            )
        return FUNCTIONS[np.swapaxes](self, -1, -2)

    @property
    def real(self) -> Any:
        """The real part, which may be assigned."""
        return FUNCTIONS[np.real](self)

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        """The imaginary part, which may be assigned."""
        return FUNCTIONS[np.imag](self)

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise OperandError(
                f"A traced {self.type} has no imaginary part that could be assigned.",
                source_of(user_place(1)),
                "Make it complex first: x = x.astype(complex).",
            )
        self.imag[...] = value

    @property
    def flat(self) -> Any:
        """Its elements in row-major order, to be read and written by their numbers."""
        return FUNCTIONS[np.flatiter](self)

    @flat.setter
    def flat(self, value: Any) -> None:
        self.flat[:] = value

    # Items, and results that are written in place

    def __setitem__(self, index: Any, value: Any) -> None:
        try:
            FUNCTIONS[operator.setitem](self, index, value)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS[operator.getitem](self, index)

    def receive(self, result: Any) -> Any:
        """Be written with a result, as the argument ``out`` of NumPy's functions is."""
        FUNCTIONS[operator.setitem](self, ..., self._fitted(result))
        return self

    def _fitted(self, result: Any) -> Any:
        """A result in this array's shape and dtype, as writing it in place would give."""
        if result.shape != self.shape:
            raise ShapeMismatchError(
                f"A result of shape {result.shape} does not fit into the traced array of shape "
                f"{self.shape} that is changed in place.",
                source_of(user_place(3)),
            )
        if result.dtype != self.dtype:
            if not np.can_cast(result.dtype, self.dtype, "same_kind"):
                raise OperandError(
                    f"A result of dtype {result.dtype} does not fit into the traced array of "
                    f"dtype {self.dtype} that is changed in place.",
                    source_of(user_place(3)),
                )
            result = result.astype(self.dtype)
        return result

    # Methods of arrays, which mean NumPy's functions

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """As `numpy.all`."""
        return FUNCTIONS[np.all](self, axis, out, keepdims)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """As `numpy.any`."""
        return FUNCTIONS[np.any](self, axis, out, keepdims)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        """As `numpy.argmax`."""
        return FUNCTIONS[np.argmax](self, axis, out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        """As `numpy.argmin`."""
        return FUNCTIONS[np.argmin](self, axis, out, keepdims=keepdims)

    def argsort(
        self, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
    ) -> Any:
        """As `numpy.argsort`."""
        return FUNCTIONS[np.argsort](self, axis, kind, order, stable=stable)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
        copy: bool = True,
    ) -> Any:  # fmt: skip
        """As `numpy.ndarray.astype`."""
        if not np.can_cast(self.dtype, np.dtype(dtype), casting):
            raise OperandError(
                f"Cannot cast a traced {self.type} to {np.dtype(dtype)} by the rule {casting!r}.",
                source_of(user_place(1)),
            )
        return FUNCTIONS[np.astype](self, dtype, copy=copy)

    def choose(self, choices: Any, out: Any = None, mode: str = "raise") -> Any:
        """As `numpy.choose`."""
        return FUNCTIONS[np.choose](self, choices, out, mode)

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:
        """As `numpy.clip`."""
        return FUNCTIONS[np.clip](self, min, max, out)

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """As `numpy.compress`."""
        return FUNCTIONS[np.compress](condition, self, axis, out)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """As `numpy.cumprod`."""
        return FUNCTIONS[np.cumprod](self, axis, dtype, out)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """As `numpy.cumsum`."""
        return FUNCTIONS[np.cumsum](self, axis, dtype, out)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """As `numpy.diagonal`."""
        return FUNCTIONS[np.diagonal](self, offset, axis1, axis2)

    def dot(self, b: Any, out: Any = None) -> Any:
        """As `numpy.dot`."""
        return FUNCTIONS[np.dot](self, b, out)

    def fill(self, value: Any) -> None:
        """As `numpy.ndarray.fill`."""
        if np.ndim(value):
            raise OperandError(
                f"fill takes one number, not an array of shape {np.shape(value)}.",
                source_of(user_place(1)),
                "Write x[...] = values.",
            )
        self[...] = value

    def flatten(self, order: str = "C") -> Any:
        """A copy with one axis."""
        return FUNCTIONS[np.ravel](self, order).copy()

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """As `numpy.max`."""
        return FUNCTIONS[np.max](self, axis, out, keepdims, **options)

    def mean(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.mean`."""
        return FUNCTIONS[np.mean](self, axis, dtype, out, keepdims, **options)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """As `numpy.min`."""
        return FUNCTIONS[np.min](self, axis, out, keepdims, **options)

    def nonzero(self) -> Any:
        """As `numpy.nonzero`."""
        return FUNCTIONS[np.nonzero](self)

    def prod(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.prod`."""
        return FUNCTIONS[np.prod](self, axis, dtype, out, keepdims, **options)

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """As `numpy.put`."""
        FUNCTIONS[np.put](self, indices, values, mode)

    def ravel(self, order: str = "C") -> Any:
        """As `numpy.ravel`."""
        return FUNCTIONS[np.ravel](self, order)

    def repeat(
        self, repeats: Any, axis: Any = None, *, total_repeat_length: int | None = None
    ) -> Any:
        """As `numpy.repeat`, and with JAX's keyword for how long the result is."""
        options = {"total_repeat_length": total_repeat_length}
        return FUNCTIONS[np.repeat](self, repeats, axis, **options)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """As `numpy.reshape`; the lengths may also be separate arguments."""
        return FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order)

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        """As `numpy.round`."""
        return FUNCTIONS[np.round](self, decimals, out)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        """As `numpy.searchsorted`."""
        return FUNCTIONS[np.searchsorted](self, v, side, sorter)

    def sort(
        self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None
    ) -> None:
        """Sort in place, as `numpy.ndarray.sort`."""
        self[...] = FUNCTIONS[np.sort](self, axis, kind, order, stable=stable)

    def partition(self, kth: Any, axis: int = -1, kind: Any = None, order: Any = None) -> None:
        """Partition in place, as `numpy.ndarray.partition`."""
        self[...] = FUNCTIONS[np.partition](self, kth, axis, kind or "introselect", order)

    def argpartition(
        self, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
    ) -> Any:
        """As `numpy.argpartition`."""
        return FUNCTIONS[np.argpartition](self, kth, axis, kind, order)

    def squeeze(self, axis: Any = None) -> Any:
        """As `numpy.squeeze`."""
        return FUNCTIONS[np.squeeze](self, axis)

    def std(
        self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0,
        keepdims: bool = False, **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.std`."""
        return FUNCTIONS[np.std](self, axis, dtype, out, ddof, keepdims, **options)

    def sum(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.sum`."""
        return FUNCTIONS[np.sum](self, axis, dtype, out, keepdims, **options)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """As `numpy.swapaxes`."""
        return FUNCTIONS[np.swapaxes](self, axis1, axis2)

    def take(self, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
        """As `numpy.take`."""
        return FUNCTIONS[np.take](self, indices, axis, out, mode)

    def trace(
        self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
    ) -> Any:
        """As `numpy.trace`."""
        return FUNCTIONS[np.trace](self, offset, axis1, axis2, dtype, out)

    def transpose(self, *axes: Any) -> Any:
        """As `numpy.transpose`; the axes may also be separate arguments."""
        if not axes:
            return FUNCTIONS[np.transpose](self)
        return FUNCTIONS[np.transpose](self, axes[0] if len(axes) == 1 else axes)

    def view(self, dtype: Any = None) -> Any:
        """Another array of the same memory, of any dtype."""
        if dtype is np.ndarray or dtype is None or np.dtype(dtype) == self.dtype:
            return self[...] if self.is_array else self
        return FUNCTIONS[np.ndarray.view](self, dtype)

    def var(
        self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0,
        keepdims: bool = False, **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.var`."""
        return FUNCTIONS[np.var](self, axis, dtype, out, ddof, keepdims, **options)


def innermost_value(x: Any) -> Any:
    """The known value behind tracers that follow values, or `UNKNOWN`."""
    return x.innermost.value if isinstance(x, TracedArray) else x


enter_by_methods(TracedArray, known=("dtype", "innermost", "ndim", "shape", "size", "type"))

for _name in dir(np.ndarray):  # some of these the tracer has for itself
    if not _name.startswith("__") and not hasattr(TracedArray, _name):
        setattr(TracedArray, _name, _Missing(_name))
