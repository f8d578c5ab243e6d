"""From a machine function to a builtin of Python's whose body is machine code, too.

A machine function knows addresses only::

    i32 kernel(ptr inputs, ptr outputs, ptr memory)

What Python calls is one piece of code for all of them (`functrace.backends.native.entry`), with a
table for each: what its inputs and outputs are. It reads arrays and scalars straight from their
objects, makes the arrays of the outputs, lets the machine function fill them, and returns them. Two
things are not for machine code, and call Python:

- An argument does not lie as it should: in another order or byte order, unaligned. `prepared` makes
  one that does, and the same code is entered again.
- An argument is something else altogether (a subclass, a tracer, an array of another shape), or
  the machine function found an error, or it set one of the floating point status flags that NumPy
  warns of. What it computed is let go, and the function that NumPy runs is called with the same
  arguments: values, errors and warnings are its own.

All that is read while the function runs belongs to its caller, which holds the arguments; what is
written belongs to the call. So any number of threads may be in one function, with or without a GIL.
Only large working memory is handed from call to call (`Memory`), by one exchange.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from functools import cache, partial
from operator import is_
from typing import Any, Final, NamedTuple

import numpy as np

from functrace.backends.memory import MOST_KEPT, MOST_KEPT_BY_ALL, Workspace
from functrace.backends.native.entry import (
    IS_LONG,
    IS_SINGLE,
    ON_STACK,
    RECORD,
    TABLE,
    Given,
    Made,
    text,
)
from functrace.backends.native.machine import Module
from functrace.backends.native.objects import PYTHON, runtime
from functrace.ir.types import ArrayType


class Output(NamedTuple):
    """An output of a machine function.

    Attributes:
        type: Its type; a weak one becomes Python's number.
        is_array: Whether it is an array though it has no axes, and not a scalar.
    """

    type: ArrayType
    is_array: bool = False


_free: Final = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("PyMem_RawFree", ctypes.pythonapi))


class Memory:
    """Large working memory that a function keeps from call to call.

    A call takes what is there and leaves nothing, so that one that overlaps with it has its own.
    What is kept counts as a `Workspace`.

    Attributes:
        slot: The address of the memory, if there is some.
        size: Its bytes.
    """

    def __init__(self, size: int) -> None:
        self.slot = ctypes.c_void_p()
        self.size = size
        Workspace.kept_by_all += size

    def __del__(self) -> None:
        """Let go of it, with the function."""
        Workspace.kept_by_all -= self.size
        _free(self.slot)


def _memory(size: int) -> Memory | None:
    """Where memory is kept; None where there is no need, or too much is kept already."""
    fits = size <= MOST_KEPT and Workspace.kept_by_all + size <= MOST_KEPT_BY_ALL
    return Memory(size) if size > ON_STACK and fits else None


# Records of the table

_Record = tuple[int, int, int, int, tuple[int, ...]]
"""Kind, number, NumPy's object, Python's class, shape. These objects live for ever."""

_NEVER: Final = 0xFFFFFFFF  # the number of no dtype: it is no array
_NONE: Final = 0  # no class


def _given(type: ArrayType) -> _Record:
    """An input that may be given as anything that has its value."""
    shape, cls, of_python = type.shape, type.dtype.type, PYTHON.get(type.dtype)
    if shape:
        return Given.ARRAY, type.dtype.num, _NONE, _NONE, shape
    if of_python is int or of_python is bool:
        kind = Given.INTEGER if of_python is int else Given.TRUTH
        return kind, type.dtype.num, id(cls), _NONE, shape
    return Given.NUMBER, type.dtype.num, id(cls), id(of_python or cls), shape


def _given_as(type: ArrayType, cls: type) -> _Record:
    """An input that is given as one class only."""
    if cls is np.ndarray:
        return Given.ARRAY, type.dtype.num, _NONE, _NONE, type.shape
    if cls is int or cls is bool:
        return Given.INTEGER if cls is int else Given.TRUTH, _NEVER, _NONE, _NONE, ()
    return Given.NUMBER, _NEVER, id(cls), _NONE, ()


def _made(output: Output) -> _Record:
    (shape, dtype, weak), cls = output.type, output.type.dtype.type
    if shape or output.is_array:
        # An equal dtype may be an object of its own, which goes.
        return Made.ARRAY, dtype.num, id(np.dtype(cls)), _NONE, shape
    if weak:
        kinds = {"b": Made.TRUTH, "i": Made.INTEGER, "f": Made.FLOAT, "c": Made.COMPLEX}
        return kinds[dtype.kind], dtype.itemsize, _NONE, _NONE, shape
    kind = Made.NUMPY_TRUTH if dtype.kind == "b" else Made.SCALAR
    return kind, dtype.itemsize, id(cls), _NONE, shape


# The builtin


@cache
def entries() -> Module:
    """What Python calls, as machine code."""
    return Module(text())


class _Method(ctypes.Structure):
    """A PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_void_p),
    )


_FASTCALL: Final = 0x0080

_new_builtin: Final = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
)(("PyCFunction_NewEx", ctypes.pythonapi))


class MachineFunction:
    """A machine function, and what builtins need of it.

    Attributes:
        name: What builtins are called.
        inputs: The types of the inputs.
        outputs: The outputs.
    """

    def __init__(
        self,
        address: int,
        name: str,
        inputs: Sequence[ArrayType],
        outputs: Sequence[Output],
        by_numpy: Callable[..., Any],
        *,
        is_silent: Callable[[int], bool] = lambda _: False,
        memory: int = 0,
        is_long: bool = False,
        keep: Sequence[Any] = (),
    ) -> None:
        """Take all together.

        Args:
            address: The address of the machine function. It returns 0 if all went well.
            name: What builtins are called.
            inputs: The types of the inputs, with dtypes of
                `functrace.backends.native.objects.DTYPES`.
            outputs: The outputs.
            by_numpy: Takes the same arguments and returns the tuple of outputs, by NumPy.
            is_silent: Whether the results are right, and nobody is to hear of it, where the machine
                function raised some of the processor's flags.
            memory: How many bytes of working memory the machine function asks for. They are aligned
                to 64 bytes, and may hold anything.
            is_long: Whether the machine function runs for so long that other threads should have
                the GIL meanwhile.
            keep: What must live as long as a builtin, such as what owns the machine code.
        """
        self.name = name
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self._by_numpy = by_numpy
        self._is_silent = is_silent
        self._label = ctypes.create_string_buffer(name.encode())
        self._memory = _memory(memory)
        self._options = IS_LONG * is_long
        slot = 0 if self._memory is None else ctypes.addressof(self._memory.slot)
        self._head = (address, memory, ctypes.addressof(self._label), slot)
        self._keep = (self._label, self._memory, *keep)

    def callable(self) -> Callable[..., tuple[Any, ...]]:
        """A builtin of the inputs.

        Returns:
            A function of arrays and scalars, to the tuple of outputs. These share no memory with
            anything.

        Raises:
            TypeError: When it is called with another number of arguments.
        """
        table = self._table([_given(type) for type in self.inputs], self._options)
        return self._builtin(
            "call", table, partial(prepared, self.inputs), self._by_numpy, self._is_silent
        )

    def checked(self, classes: Sequence[type], miss: object) -> Callable[..., Any]:
        """A builtin as `functrace.backends.backend.Checking` has it."""
        return self._builtin("call", *self._strict(classes, miss), self._by_numpy, self._is_silent)

    def guard(
        self, classes: Sequence[type], miss: object, unless: list[Any], is_single: bool
    ) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
        """A builtin as `functrace.backends.backend.Checking` has it."""
        by_numpy = partial(_only, self._by_numpy) if is_single else self._by_numpy
        strict = self._strict(classes, miss, IS_SINGLE * is_single)
        return self._builtin("guard", *strict, by_numpy, self._is_silent, unless, miss)

    def _strict(
        self, classes: Sequence[type], miss: object, options: int = 0
    ) -> tuple[bytes, Callable[..., Any]]:
        records = [_given_as(*kind) for kind in zip(self.inputs, classes, strict=True)]
        table = self._table(records, self._options | options)
        return table, partial(_prepared_or, miss, self.inputs, tuple(classes))

    def _table(self, inputs: list[_Record], options: int) -> bytes:
        address, memory, label, slot = self._head
        records = inputs + [_made(output) for output in self.outputs]
        lengths: list[int] = []
        begin = TABLE.size + RECORD.size * len(records)
        counts = len(self.inputs), len(self.outputs)
        where = ctypes.addressof(runtime())
        parts = [TABLE.pack(where, address, *counts, memory, options, label, slot)]
        for kind, number, of_numpy, of_python, shape in records:
            where = begin + 8 * len(lengths)
            lengths += shape
            parts.append(RECORD.pack(kind, number, of_numpy, of_python, len(shape), where))
        return b"".join([*parts, struct.pack(f"{len(lengths)}q", *lengths)])

    def _builtin(self, entry: str, *state: Any) -> Any:
        code = entries()
        method = _Method(ctypes.addressof(self._label), code.address(entry), _FASTCALL, None)
        # The entry reads the first ones by their position. The builtin refers to this tuple, and
        # nothing in it to the builtin: both go with the last reference.
        return _new_builtin(ctypes.addressof(method), (*state, method, code, self._keep), None)


def _only(function: Callable[..., tuple[Any, ...]], *args: Any) -> Any:
    (output,) = function(*args)
    return output


def prepared(types: Sequence[ArrayType], *args: Any) -> tuple[Any, ...] | None:
    """Arguments that lie as machine code takes them, with the same values.

    Args:
        types: The types of the inputs.
        *args: As many arguments.

    Returns:
        The arguments, some of them copied; None if one is of another type or class, or nothing
        is to be done about them.
    """
    made = tuple(map(_prepared, types, args))
    if any(x is None for x in made) or all(map(is_, made, args)):
        return None
    return made


def _prepared(type_: ArrayType, x: Any) -> Any:
    """One argument; None if it is of another type or class."""
    dtype, kind = type_.dtype, type(x)
    if kind is np.ndarray:
        if x.shape != type_.shape or dtype not in (x.dtype, x.dtype.newbyteorder("=")):
            return None
        fit = np.array(x, dtype, order="C", copy=None)
        fit = fit if fit.flags.aligned else fit.copy()
        return fit if fit.dtype.num == dtype.num else fit.view(dtype)
    if type_.shape:
        return None
    if kind is dtype.type or kind is PYTHON.get(dtype):
        return x
    if isinstance(x, np.generic) and kind.__module__ == "numpy" and x.dtype == dtype:
        return dtype.type(x)
    return None


def _prepared_or(
    miss: object, types: Sequence[ArrayType], classes: Sequence[type], *args: Any
) -> Any:
    """As `prepared`, where arguments are of these classes and have exactly the inputs' types."""
    for type_, cls, x in zip(types, classes, args, strict=True):
        if type(x) is not cls:
            return miss
        if cls is np.ndarray and (x.shape != type_.shape or x.dtype != type_.dtype):
            return miss
    return prepared(types, *args)
