"""Plain arrays that traced values can be written into.

NumPy's own array cannot hold a traced value. A buffer is a tracer whose value is a NumPy array that
is known and belongs to no transformation: `PLAIN`, the oldest of all recordings, computes with such
arrays at once, and what it computes are buffers too. So a buffer behaves as its array does until a
traced value is written into it. Then it comes to belong to the recording of that value, as any
traced array that is written does, and so do the views of it.

`functrace.numpy` makes buffers where a transformation runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from functrace.errors import ArrayWriteError
from functrace.ir.primitive import Primitive
from functrace.tracing.entrances import is_recording
from functrace.tracing.places import source_of, user_place
from functrace.tracing.recording import Recording, require_usable
from functrace.tracing.sharing import share_memory
from functrace.tracing.tables import FUNCTIONS
from functrace.tracing.tracer import Tracer, new_tracer, run
from functrace.tracing.views import outdate, root_of

BORROWED = "borrowed"
"""Stands for a buffer's variable where its memory belongs to an array of the user's."""

_WRITING = {np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask}


class Plain(Recording):
    """Computes with known arrays, and records nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.is_plain = True
        self.birth = 0

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run an operation; arrays that come out of it are buffers."""
        values = [x.value if type(x) is Tracer else x for x in inputs]
        output = run(primitive, values, params)
        outputs = output if primitive.multiple_outputs else (output,)
        buffers = tuple([_as_buffer(x) for x in outputs])
        if primitive.makes_views and type(values[0]) is np.ndarray:
            for part, x in enumerate(buffers):
                if type(x) is Tracer and np.may_share_memory(x.value, values[0]):
                    share_memory(inputs[0], x, primitive, params, part)
        return buffers if primitive.multiple_outputs else buffers[0]

    def lift(self, value: Any) -> Tracer:
        """A buffer with a copy of a value."""
        return new_tracer(self, np.array(value), None)

    def as_constant(self, tracer: Tracer) -> Any:
        """The array, which whoever keeps it copies, as any array of the user's."""
        return tracer.value

    def attribute(self, tracer: Tracer, name: str) -> Any:
        """An attribute of the array that traced arrays have not."""
        require_writable(tracer)
        found = getattr(tracer.value, name)
        if not callable(found):
            return _unwritable(found) if isinstance(found, np.ndarray) else found

        def method(*args: Any, **options: Any) -> Any:
            result = self.call(found, args, options)
            shared = type(result) is Tracer and np.may_share_memory(result.value, tracer.value)
            return _unwritable(result.value) if shared else result

        return method

    def as_array(self, tracer: Tracer, dtype: Any, copy: bool | None) -> np.ndarray:
        """The array, in the same memory as NumPy's `asarray` gives it, or a copy."""
        value = tracer.value
        if copy or (dtype is not None and np.dtype(dtype) != value.dtype):
            return np.array(value, dtype, copy=copy)
        memory = root_of(tracer).value
        lender = _lenders.setdefault(id(memory), _Lender(memory))
        return np.asarray(_Lent(lender, value))

    def call(
        self, function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        """What NumPy gives for the arrays; NotImplemented where one of the arguments is traced."""
        given: dict[int, Any] = {}  # what is handed to NumPy, by its array
        try:
            values = [_plain(x, given) for x in args]
            keywords = {name: _plain(x, given) for name, x in options.items()}
            for x in (options.get("out"), args[0] if function in _WRITING else None):
                for target in x if isinstance(x, tuple) else (x,):
                    if isinstance(target, Tracer):
                        require_writable(target)
        except _TracedArgumentError:
            return NotImplemented
        values = [_plain(x, given) for x in args]
        keywords = {name: _plain(x, given) for name, x in options.items()}
        result = function(*values, **keywords)
        if _shares(result, given):
            implementation = FUNCTIONS.get(function)
            if implementation is not None:
                return implementation(*args, **options)  # which knows what is a view of what
            result = _unwritable(result)
        return _wrapped(result, given)


PLAIN = Plain()


class _Lender:
    """Lives as long as arrays that `numpy.asarray` has made of a buffer, or views of these."""

    def __init__(self, memory: np.ndarray) -> None:
        self._memory = memory  # which keeps its identity


class _Lent:
    """What NumPy makes an array of: the owner of that array's memory."""

    def __init__(self, lender: _Lender, value: np.ndarray) -> None:
        self._lender = lender
        self.__array_interface__ = value.__array_interface__


_lenders: WeakValueDictionary[int, _Lender] = WeakValueDictionary()
"""By the identity of a buffer's memory."""


class _TracedArgumentError(Exception):
    """One of the arguments is traced."""


def _plain(x: Any, given: dict[int, Any]) -> Any:
    """An argument with arrays in place of buffers."""
    if isinstance(x, Tracer):
        require_usable(x)
        if not x.recording.is_plain:
            raise _TracedArgumentError
        given[id(x.value)] = x
        return x.value
    if type(x) is np.ndarray:
        given[id(x)] = x
    if type(x) in (list, tuple):
        return type(x)([_plain(item, given) for item in x])
    return x


def _shares(result: Any, given: dict[int, Any]) -> bool:
    """Whether a result is a view of what NumPy was given."""
    if isinstance(result, tuple | list):
        return any(_shares(x, given) for x in result)
    return (
        type(result) is np.ndarray
        and id(result) not in given
        and any(
            isinstance(x, Tracer) and np.may_share_memory(result, x.value) for x in given.values()
        )
    )


def _unwritable(result: Any) -> Any:
    """Copies that cannot be written, of views of which nothing would be known."""
    if isinstance(result, tuple | list):
        return type(result)([_unwritable(x) for x in result])
    if type(result) is np.ndarray:
        result = result.copy()
        result.flags.writeable = False
    return result


def _wrapped(result: Any, given: dict[int, Any]) -> Any:
    """A result with buffers in place of arrays, but for the arrays that were given."""
    if isinstance(result, tuple):
        parts = [_wrapped(x, given) for x in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    if isinstance(result, list):
        return [_wrapped(x, given) for x in result]
    known = given.get(id(result))
    return _as_buffer(result) if known is None else known


def _as_buffer(x: Any, variable: Any = None) -> Any:
    is_array = type(x) is np.ndarray and x.dtype.kind in "biufc"
    return new_tracer(PLAIN, x, variable) if is_array else x


def buffer(x: Any) -> Any:
    """An array of its own as one that traced values can be written into."""
    return _as_buffer(x)


def buffer_where_traced(x: Any, is_borrowed: bool = False) -> Any:
    """An array as a buffer where a transformed function is running, else as it is.

    Args:
        x: The array, or a tuple or list of such.
        is_borrowed: Whether its memory belongs to an array of the user's.
    """
    if not is_recording():
        return x
    if isinstance(x, tuple | list):
        return type(x)([buffer_where_traced(part) for part in x])
    return _as_buffer(x, BORROWED if is_borrowed else None)


def require_writable(tracer: Tracer) -> None:
    """See that a buffer can be written in place: what a recording keeps is left to it."""
    require_usable(tracer)
    root = root_of(tracer)
    is_kept = root.recording is PLAIN and not root.value.flags.writeable
    if is_kept and root.known_as is None and id(root.value) not in _lenders:
        root.value = root.value.copy("K")
        outdate(root)
        require_usable(tracer)


def write_plainly(tracer: Tracer, index: Any, value: Any) -> bool:
    """``x[index] = value`` for a buffer, where neither is traced; False where one is."""
    try:
        index, value = _plain(index, {}), _plain(value, {})
    except _TracedArgumentError:
        return False
    require_writable(tracer)
    tracer.value[index] = value
    return True


def require_own(tracer: Tracer) -> None:
    """Check that a traced value may be written into a buffer.

    Raises:
        ArrayWriteError: Its memory belongs to an array of the user's, which cannot hold the value.
    """
    root = root_of(tracer)
    if root.recording is not PLAIN:
        return
    if id(root.value) in _lenders:
        raise ArrayWriteError(
            "A traced value is written into an array of which np.asarray has made an ordinary "
            "NumPy array, which shares its memory, is still in use and cannot hold the value.",
            source_of(user_place(1)),
            "Write functrace.numpy.asarray(x) in place of np.asarray(x), or make a copy: "
            "np.array(x).",
        )
    if root.known_as is BORROWED:
        raise ArrayWriteError(
            "A traced value is written into an array that functrace.numpy.asarray made of an "
            "ordinary NumPy array, which shares its memory and cannot hold the value.",
            source_of(user_place(1)),
            "Make a copy to write into: functrace.numpy.array(x) in place of "
            "functrace.numpy.asarray(x).",
        )
