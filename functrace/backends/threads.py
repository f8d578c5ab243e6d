"""Keeping small matrix products on one thread.

NumPy hands matrix products to a BLAS library, which divides all but the smallest among threads, one
for each core. Waking the threads and waiting for the last of them is worth it on cores that have
nothing else to do. Where another process has a core, the product waits until the scheduler gives
the thread on that core its turn, which takes milliseconds: training steps that take 0.3 ms on one
thread, and 0.2 ms on two with quiet cores, were measured to take 20 ms in the mean. A product that
one thread finishes in microseconds has little to win and all of that to lose, so calls whose
products are all small are made on one thread.

BLAS libraries are asked by their own functions, through ctypes. In OpenBLAS built with threads of
its own (NumPy's wheels) the number of threads belongs to the process; in MKL, and in OpenBLAS built
with OpenMP, to the thread. Of other libraries nothing is known, and nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, wraps
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

SMALL_PRODUCT = 2**21
"""The most multiplications of a matrix product that one thread is to do, 128 * 128 * 128.

Measured with OpenBLAS 0.3.31 on two cores. One thread needs 40 µs for it in float32 and 84 µs in
float64; two threads on quiet cores, half of that. (Below 64 * 64 * 64 OpenBLAS itself uses one.)
With one core kept busy, two threads need 5 ms in the mean, a hundred times of what they can win,
and for 160 * 160 * 160 they need 40 ms. Much larger products lose as much by waiting, but there a
machine of many cores, if they are quiet, would lose most of its speed.
"""


def products_are_small(sizes: Iterable[tuple[int, int, int]]) -> bool:
    """Whether matrix products are all so small that one thread is to do them.

    Args:
        sizes: For each product the lengths m, n, k: (m, k) @ (k, n). A vector has m or n of 1; of
            stacked matrices, those of one matrix count, since NumPy multiplies one after the other.
            An unknown length is -1.

    Returns:
        False too if there is no product at all, or if a length is unknown: then the threads are to
        be left alone.

    Example:
        >>> products_are_small([(128, 128, 64), (128, 10, 64)])
        True
        >>> products_are_small([(128, 128, 64), (256, 512, 784)])
        False
    """
    found = list(sizes)
    return bool(found) and all(
        min(m, n, k) >= 0 and m * n * k <= SMALL_PRODUCT for m, n, k in found
    )


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

    Generated code does with it what `on_one_thread` does::

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


def on_one_thread(f: Callable[P, R]) -> Callable[P, R]:
    """Make a function that keeps BLAS on one thread while it runs, or return it as it is.

    Args:
        f: Any function. It is returned itself where nothing is to be done: BLAS cannot be asked.

    Example:
        >>> import numpy as np
        >>> on_one_thread(np.dot)(np.ones(2), np.ones(2))
        np.float64(2.0)
    """
    threads = blas_threads()
    if threads is None:
        return f
    exchange = threads.exchange

    @wraps(f)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        previous = exchange(1)
        try:
            return f(*args, **kwargs)
        finally:
            if previous != 1:
                exchange(previous)

    return limited


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
