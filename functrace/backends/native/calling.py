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
from functools import partial
from operator import is_
from typing import Any, Final, NamedTuple

import numpy as np

from functrace.backends.memory import MOST_KEPT, MOST_KEPT_BY_ALL, Workspace
from functrace.backends.native.entry import IS_LONG, IS_SINGLE, ON_STACK, RECORD, TABLE, Given, Made
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


# The table of one function

_Record = tuple[int, int, Any, Any, tuple[int, ...]]
"""Kind, number, NumPy's object, Python's class, and shape; all these objects live for ever."""


def _table(
    name: int,
    kernel: int,
    inputs: Sequence[ArrayType],
    outputs: Sequence[Output],
    memory: int,
    options: int,
    kept: int,
) -> bytes:
    counts = len(inputs), len(outputs)
    head = (ctypes.addressof(runtime()), kernel, *counts, memory, options, name, kept)
    records = [_given(type) for type in inputs] + [_made(output) for output in outputs]
    lengths: list[int] = []
    begin = TABLE.size + RECORD.size * len(records)
    parts = [TABLE.pack(*head)]
    for kind, number, of_numpy, of_python, shape in records:
        where = begin + 8 * len(lengths)
        lengths += shape
        parts.append(RECORD.pack(kind, number, id(of_numpy), id(of_python), len(shape), where))
    return b"".join([*parts, struct.pack(f"{len(lengths)}q", *lengths)])


def _given(type: ArrayType) -> _Record:
    shape, cls, of_python = type.shape, type.dtype.type, PYTHON.get(type.dtype)
    if shape:
        kind = Given.ARRAY
    elif of_python is int:
        kind = Given.INTEGER
    elif of_python is bool:
        kind = Given.TRUTH
    else:
        return Given.NUMBER, type.dtype.num, cls, of_python or cls, shape
    return kind, type.dtype.num, cls, cls, shape


def _made(output: Output) -> _Record:
    (shape, dtype, weak), cls = output.type, output.type.dtype.type
    if shape or output.is_array:
        # An equal dtype may be an object of its own, which goes.
        return Made.ARRAY, dtype.num, np.dtype(cls), None, shape
    if weak:
        kinds = {"b": Made.TRUTH, "i": Made.INTEGER, "f": Made.FLOAT, "c": Made.COMPLEX}
        return kinds[dtype.kind], dtype.itemsize, cls, None, shape
    kind = Made.NUMPY_TRUTH if dtype.kind == "b" else Made.SCALAR
    return kind, dtype.itemsize, cls, None, shape


# The builtin


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


def make_callable(
    call: int,
    kernel: int,
    name: str,
    inputs: Sequence[ArrayType],
    outputs: Sequence[Output],
    fallback: Callable[..., Any],
    *,
    memory: int = 0,
    is_single: bool = False,
    is_long: bool = False,
    keep: Sequence[Any] = (),
) -> Callable[..., Any]:
    """Make a builtin from a machine function.

    Args:
        call: The address of ``@call``, made from `functrace.backends.native.entry.text`.
        kernel: The address of the machine function. It returns 0 if all went well.
        name: What the builtin is called.
        inputs: The types of the inputs, with dtypes of `functrace.backends.native.objects.DTYPES`.
        outputs: The outputs.
        fallback: Takes the same arguments and returns the same, by NumPy.
        memory: How many bytes of working memory the machine function asks for. They are aligned
            to 64 bytes, and may hold anything.
        is_single: Whether the one output itself is returned, and not a tuple.
        is_long: Whether the machine function runs for so long that other threads should have the
            GIL meanwhile.
        keep: What must live as long as the builtin, such as what owns the machine code.

    Returns:
        A function of arrays and scalars. It returns the outputs as a tuple, or the only one; they
        share no memory with anything.

    Raises:
        TypeError: When it is called with another number of arguments.
    """
    label = ctypes.create_string_buffer(name.encode())
    options = IS_SINGLE * is_single + IS_LONG * is_long
    kept = _memory(memory)
    slot = 0 if kept is None else ctypes.addressof(kept.slot)
    table = _table(ctypes.addressof(label), kernel, inputs, outputs, memory, options, slot)
    method = _Method(ctypes.addressof(label), call, _FASTCALL, None)
    # What is called reads the first three. The builtin refers to this tuple, and nothing in it to
    # the builtin: both go with the last reference.
    state = (partial(prepared, tuple(inputs)), fallback, table, label, method, kept, *keep)
    return _new_builtin(ctypes.addressof(method), state, None)


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
