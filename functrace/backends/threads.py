"""Keeping matrix products on one thread while other processes have the cores.

NumPy hands matrix products to a BLAS library, which divides all but the smallest among threads, one
for each core. Waking the threads and waiting for the last of them is worth it on cores that have
nothing else to do. Where another process has a core, the product waits until the scheduler gives
the thread on that core its turn, which takes milliseconds. The gradient of a small network was
measured (two cores, OpenBLAS 0.3.31, float64, milliseconds a call):

| | one thread | two threads |
|---|---|---|
| both cores quiet | 0.31 | 0.20 |
| one core kept busy | 0.3 to 0.9 | 2 to 37 |

So neither is right always, and a `Team` finds out at each call which is.

BLAS libraries are asked by their own functions, through ctypes. In OpenBLAS built with threads of
its own (NumPy's wheels) the number of threads belongs to the process; in MKL, and in OpenBLAS built
with OpenMP, to the thread. Of other libraries nothing is known, and nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import product
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np


class BlasThreads(NamedTuple):
    """How many threads NumPy's BLAS library uses, and how this is changed.

    Attributes:
        library: What it is: ``openblas``, ``openblas with openmp`` or ``mkl``.
        exchange: Takes a number of threads, makes it the one that counts, and returns the one that
            did before. It takes 0.15 µs.
    """

    library: str
    exchange: Callable[[int], int]


@cache
def blas_threads() -> BlasThreads | None:
    """NumPy's BLAS library, or None if it cannot be asked.

    It is used in this way::

        previous = exchange(1)
        try:
            ...
        finally:
            if previous != 1:
                exchange(previous)

    What was 1 is not written back: it was a limit of the user's, which still stands, or that of
    another Python thread which is inside such a block and will end it. So of threads whose blocks
    overlap, the one that found the user's number restores it, in whatever order they leave, without
    a lock. A block may lose its limit early by this; that costs time and no results.

    A number of the whole process has one weakness. Another thread that itself changes it while a
    block runs, as threadpoolctl does, finds 1 in place of the user's number.
    """
    for library in _libraries():
        found = _mkl(library) or _openblas(library)
        if found is not None:
            return found
    return None


WAKING = 64**3
"""From so many multiplications on OpenBLAS divides a product of matrices among threads."""

WAKING_VECTOR = 9216
"""And one of a matrix and a vector."""

SLICE = 512**3
"""From so many multiplications on a product takes so long that threads are always worth it."""


class Team:
    """Decides, call by call, whether the products of a generated function use BLAS's threads.

    They do, as products in NumPy written by hand would, and so with the same rounding, until a
    call takes far longer than such a call has taken: then the processor cores are busy with
    something else, and threads wait for each other. For fifty times what was lost the function
    runs on one thread; then it tries again. So at most a fiftieth of the time is lost.

    Calls of many Python threads may use one Team: its numbers are only estimates.

    Attributes:
        best: The shortest time of a call with threads, in seconds.
        expected: What a call takes at most, even on a slow machine.
        alone_until: Up to what time products stay on one thread.
    """

    __slots__ = ("alone_until", "best", "clock", "exchange", "expected")

    def __init__(
        self,
        exchange: Callable[[int], int],
        operations: int,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Take the function of `BlasThreads`, and how many operations on numbers a call takes."""
        self.exchange = exchange
        self.clock = clock
        self.best = inf
        self.expected = 2e-3 + operations / 2e9
        self.alone_until = 0.0

    def enter(self) -> tuple[float, int]:
        """Begin a call: the time, and the number of threads that `leave` is to restore, or -1."""
        now = self.clock()
        return (now, self.exchange(1)) if now < self.alone_until else (now, -1)

    def leave(self, entered: tuple[float, int]) -> None:
        """End a call."""
        start, previous = entered
        if previous >= 0:
            if previous != 1:
                self.exchange(previous)
            return
        now = self.clock()
        taken = now - start
        self.best = min(self.best, taken)
        if taken > min(3 * self.best + 1e-4, self.expected):
            lost = taken - min(self.best, self.expected / 10)
            self.alone_until = now + min(max(50 * lost, 0.01), 10.0)
        else:
            self.best *= 1.001  # so that a faster machine of yesterday does not count for ever


def team_for(sizes: Iterable[tuple[int, int, int]], operations: int) -> Team | None:
    """What watches a function with these products; None where there is nothing to decide.

    Args:
        sizes: For each product the lengths m, n, k, as of `products_are_small`.
        operations: How many operations on numbers a call takes.
    """
    wakes = False
    for m, n, k in sizes:
        if min(m, n, k) < 0 or m * n * k >= SLICE:
            return None
        wakes = wakes or m * n * k >= (WAKING_VECTOR if min(m, n) == 1 else WAKING)
    if not wakes:
        return None
    threads = blas_threads()
    return None if threads is None else Team(threads.exchange, operations)


# Finding the library


def _libraries() -> Iterator[ctypes.PyDLL]:
    """The libraries that may hold the functions of the BLAS that NumPy uses, all loaded already."""
    try:
        core = sys.modules["numpy._core._multiarray_umath"].__file__
        if core is not None and sys.platform != "win32":
            # What a library was linked with is searched with it, so this is NumPy's own BLAS, even
            # if SciPy has brought another. (PyDLL: the calls are too short to release the GIL.)
            yield ctypes.PyDLL(core)
    except (KeyError, AttributeError, OSError):
        return
    if sys.platform == "win32":  # there only the library itself is searched
        names = ["openblas.dll", "libopenblas.dll", "mkl_rt.2.dll", "mkl_rt.1.dll", "mkl_rt.dll"]
        folder = Path(np.__file__).parent.with_name("numpy.libs")
        for name in [*(path.name for path in folder.glob("*openblas*.dll")), *names]:
            handle = ctypes.WinDLL("kernel32").GetModuleHandleW
            handle.argtypes, handle.restype = [ctypes.c_wchar_p], ctypes.c_void_p
            if loaded := handle(name):
                yield ctypes.PyDLL(name, handle=loaded)


def _function(library: ctypes.PyDLL, name: str, *arguments: Any) -> Any:
    """A C function of numbers that returns one, or None if there is none of this name."""
    function = getattr(library, name, None)
    if function is not None:
        function.argtypes, function.restype = arguments, ctypes.c_int
    return function


def _mkl(library: ctypes.PyDLL) -> BlasThreads | None:
    # The name in small letters is Fortran's, which takes a pointer. It returns 0 where this thread
    # had no number of its own, and takes 0 to mean that.
    exchange = _function(library, "MKL_Set_Num_Threads_Local", ctypes.c_int)
    return None if exchange is None else BlasThreads("mkl", exchange)


def _openblas(library: ctypes.PyDLL) -> BlasThreads | None:
    for prefix, suffix in product(("scipy_", ""), ("64_", "_64", "")):
        names = [f"{prefix}openblas_{name}{suffix}" for name in ("get_num_threads", "get_parallel")]
        get, kind = (_function(library, name) for name in names)
        put = _function(library, f"{prefix}openblas_set_num_threads{suffix}", ctypes.c_int)
        if get is None or kind is None or put is None:
            continue
        parallel = kind()
        if parallel == 1:
            name = "openblas_set_num_threads_local"  # which does both, but not in every version
            both = _function(library, f"{prefix}{name}{suffix}", ctypes.c_int)
            both = both or _function(library, name, ctypes.c_int)
            return BlasThreads("openblas", both or _exchange(get, put))
        if parallel == 2:  # of OpenMP; OpenBLAS takes over the number that OpenMP has
            get = _function(library, "omp_get_max_threads")
            put = _function(library, "omp_set_num_threads", ctypes.c_int)
            if get is not None and put is not None:
                return BlasThreads("openblas with openmp", _exchange(get, put))
        return None
    return None


def _exchange(get: Callable[[], int], put: Callable[[int], object]) -> Callable[[int], int]:
    def exchange(count: int) -> int:
        previous = get()
        if previous != count:
            put(count)
        return previous

    return exchange
