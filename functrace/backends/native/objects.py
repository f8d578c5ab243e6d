"""How objects of Python and NumPy lie in memory, and where machine code finds those that it uses.

Offsets are those of the running interpreter: headers are larger in a build without the GIL, tuples
since Python 3.14. `is_supported` compares all that is assumed here with real objects.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache
from importlib import import_module
from typing import Any, Final, NamedTuple

import numpy as np

HEADER: Final = object.__basicsize__
"""How many bytes come before what an object holds."""

CLASS: Final = HEADER - 8
"""Where an object has the address of its class: in the last word of its header."""

ITEMS: Final = tuple.__basicsize__
"""Where a tuple has its items."""

CHARACTERS: Final = bytes.__basicsize__ - 1
"""Where bytes have theirs."""


class _Array(NamedTuple):
    """Where an array has its parts."""

    data: int = HEADER
    ndim: int = HEADER + 8
    shape: int = HEADER + 16
    dtype: int = HEADER + 40
    flags: int = HEADER + 48


class _DType(NamedTuple):
    """Where a dtype has its parts (since NumPy 2)."""

    byteorder: int = HEADER + 10
    number: int = HEADER + 12


ARRAY: Final = _Array()
DTYPE: Final = _DType()

FIT: Final = 0x0001 | 0x0100
"""The flags of an array that lies as machine code takes it: C_CONTIGUOUS and ALIGNED."""

SWAPPED: Final = ord(">" if sys.byteorder == "little" else "<")
"""The byte order that a dtype must not have."""

PYTHON: Final[dict[np.dtype[Any], type]] = {
    np.dtype(np.bool_): bool,
    np.dtype(np.int64): int,
    np.dtype(np.float64): float,
    np.dtype(np.complex128): complex,
}
"""Python's own class for what a dtype holds, if there is one."""

DTYPES: Final = frozenset(
    np.dtype(name)
    for name in (
        *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
)
"""The dtypes of which machine code reads and makes arrays and scalars."""

MACHINES: Final = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm", "arm64": "arm"}
"""The processors whose floating point status is known, by what they are called."""


# What is assumed


@cache
def is_supported() -> bool:
    """Whether machine code can deal with the objects of this interpreter, on this processor."""
    return (
        sys.implementation.name == "cpython"
        and ctypes.sizeof(ctypes.c_void_p) == 8
        and platform.machine().lower() in MACHINES
        and all(map(_lies_as_assumed, _arrays()))
        and all(_holds(dtype.type(1)) for dtype in DTYPES)
        and all(map(_holds, (2.5, 2.5j)))
        and _word(("item", None), ITEMS) == id("item")
        and all(_word(x, HEADER) == len(x) for x in ((2, 3, 4), [2, 3], {}, {2: 3}))
        and ctypes.string_at(id(b"bytes") + CHARACTERS, 6) == b"bytes\0"
        and len({_allocator(dtype.type) for dtype in DTYPES}) == 1
    )


def _word(x: Any, offset: int) -> int:
    return ctypes.c_uint64.from_address(id(x) + offset).value


def _half(x: Any, offset: int) -> int:
    return ctypes.c_int32.from_address(id(x) + offset).value


def _arrays() -> list[np.ndarray]:
    whole = np.arange(24.0).reshape(2, 3, 4)
    unaligned = np.frombuffer(bytes(17), np.uint8)[1:].view(np.float64)
    return [whole, whole[1, ::2], whole.T, whole.astype(">f4"), np.array(True), unaligned]


def _lies_as_assumed(x: np.ndarray) -> bool:
    lengths = (ctypes.c_int64 * x.ndim).from_address(_word(x, ARRAY.shape)) if x.ndim else ()
    return (
        _word(x, CLASS) == id(np.ndarray)
        and _word(x, ARRAY.data) == x.ctypes.data
        and _half(x, ARRAY.ndim) == x.ndim
        and tuple(lengths) == x.shape
        and _word(x, ARRAY.dtype) == id(x.dtype)
        and _half(x.dtype, DTYPE.number) == x.dtype.num
        and chr(_word(x.dtype, DTYPE.byteorder) & 0xFF) == x.dtype.byteorder
        and (_half(x, ARRAY.flags) & FIT == FIT) == (x.flags.c_contiguous and x.flags.aligned)
    )


def _holds(x: Any) -> bool:
    value = np.asarray(x)
    return ctypes.string_at(id(x) + HEADER, value.itemsize) == value.tobytes()


def _allocator(cls: type) -> int:
    """The address of the function that makes an empty scalar of a class."""
    slot = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_int)
    return slot(("PyType_GetSlot", ctypes.pythonapi))(cls, 47) or 0  # Py_tp_alloc


# What machine code uses

_OBJECTS: Final[dict[str, Any]] = {
    "TypeError": TypeError,
    "None": None,
    "True": True,
    "False": False,
    "numpy.True": np.True_,
    "numpy.False": np.False_,
    "int": int,
    "tuple": tuple,
    "ndarray": np.ndarray,
}

_FUNCTIONS: Final = (
    "Py_IncRef",
    "Py_DecRef",
    "PyTuple_New",
    "PyFloat_FromDouble",
    "PyComplex_FromDoubles",
    "PyLong_FromLongLong",
    "PyLong_AsLongLongAndOverflow",
    "PyObject_Vectorcall",
    "PyErr_Format",
    "PyErr_NoMemory",
    "PyErr_CheckSignals",
    "PyGILState_Ensure",
    "PyGILState_Release",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyMem_RawMalloc",
    "PyMem_RawFree",
)

RUNTIME: Final = (*_OBJECTS, *_FUNCTIONS, "new_array", "new_scalar")
"""The names of objects and functions, in the order of `runtime`."""


@cache
def runtime() -> ctypes.Array[ctypes.c_uint64]:
    """The addresses of what machine code uses; no other address of this process is in it.

    The last two are ``PyArray_NewFromDescr``, and what makes a scalar of NumPy's.
    """
    functions = [getattr(ctypes.pythonapi, name) for name in _FUNCTIONS]
    addresses = [
        *map(id, _OBJECTS.values()),
        *(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions),
        _numpy_function(94),
        _allocator(np.float64),
    ]
    return (ctypes.c_uint64 * len(addresses))(*addresses)


def _numpy_function(number: int) -> int:
    """An address from the table of NumPy's C API, in which none ever moves."""
    capsule = import_module("numpy._core._multiarray_umath")._ARRAY_API
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    table = pointer(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, None)
    return ctypes.c_uint64.from_address(table + 8 * number).value
