"""What is written in C++, compiled for this machine where there is a compiler.

`native.cpp` is compiled once for each of its versions, into output/. Its functions are called with
the addresses of arrays that are made beforehand, so that little but the function itself is timed.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = Path(__file__).with_name("native.cpp")
OUTPUT = Path(__file__).parent / "output"
OPTIONS = ("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC")


def compiler() -> str | None:
    """The C++ compiler's path, if there is one."""
    return shutil.which(os.environ.get("CXX", "g++"))


@functools.cache
def library() -> Any:
    """The functions of `native.cpp`.

    Raises:
        RuntimeError: There is no compiler.
    """
    program = compiler()
    if program is None:
        raise RuntimeError("There is no C++ compiler: install g++, or name one by CXX.")
    version = hashlib.sha256(SOURCE.read_bytes() + " ".join(OPTIONS).encode()).hexdigest()[:16]
    path = OUTPUT / f"native-{version}.so"
    if not path.exists():
        OUTPUT.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}.so")
        subprocess.run([program, *OPTIONS, str(SOURCE), "-o", str(made)], check=True)  # noqa: S603
        made.replace(path)
    return ctypes.CDLL(str(path))


def call(name: str, *arguments: Any, result: Any) -> Callable[[], Any]:
    """A call of one of the functions, which always gives the same arrays.

    Args:
        name: The function's name.
        arguments: C-contiguous arrays, those that it fills among them, and Python's numbers.
        result: What the call returns.
    """
    function = getattr(library(), name)
    function.restype = None
    converted: list[Any] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            if not argument.flags.c_contiguous:
                raise ValueError(f"An argument of {name} is not C-contiguous.")
            converted.append(ctypes.c_void_p(argument.ctypes.data))
        elif isinstance(argument, int):
            converted.append(ctypes.c_long(argument))
        else:
            converted.append(ctypes.c_double(argument))

    def run() -> Any:
        function(*converted)
        return result

    # Where the addresses lead stays as long as the call.
    run.arguments = arguments  # type: ignore[attr-defined]
    return run
