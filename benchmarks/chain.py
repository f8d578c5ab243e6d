"""Gradients of long chains, and of many: what time and memory grow with.

Claims: the cost of an operation does not depend on how many there are, in time or in memory; no
length of a program exceeds Python's recursion limit; gradients leave no memory behind.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import autograd
import numpy as np
from tabulate import tabulate

import functrace as ft
from benchmarks.harness import command_line, progress

LENGTHS = (10**4, 10**5, 10**6)
LONGEST_FOR_AUTOGRAD = 10**5
GRADIENTS = 10_000


def chain(length: int) -> Callable[[Any], Any]:
    """A function of so many additions, each of the last one's result."""

    def f(x: Any) -> Any:
        y = x
        for _ in range(length):
            y = y + x
        return y

    return f


def traced_memory(call: Callable[[], Any]) -> int:
    """The most bytes that Python and NumPy held at once during a call, beyond those before it."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before


def microseconds(call: Callable[[], Any]) -> float:
    """The time of a call."""
    gc.collect()
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e6


def long_chains(rounds: int) -> str:
    """Time and peak memory for each addition, in functrace and in autograd."""
    rows: list[list[Any]] = []
    for length in progress(LENGTHS, "chains"):
        f, x = chain(length), np.float64(1.0)
        ours, theirs = ft.grad(f), autograd.grad(f)
        assert ours(x) == length + 1
        times: dict[str, list[float]] = {"plain": [], "functrace": [], "autograd": []}
        for _ in range(max(1, min(rounds, 10**6 // length, 5))):
            times["plain"].append(microseconds(lambda: f(x)) / length)  # noqa: B023
            times["functrace"].append(microseconds(lambda: ours(x)) / length)  # noqa: B023
            if length <= LONGEST_FOR_AUTOGRAD:
                times["autograd"].append(microseconds(lambda: theirs(x)) / length)  # noqa: B023
        row: list[Any] = [length, *(np.median(t) if t else None for t in times.values())]
        if length <= LONGEST_FOR_AUTOGRAD:  # tracing memory makes everything slow
            row.append(traced_memory(lambda: ours(x)) / length)  # noqa: B023
            row.append(traced_memory(lambda: theirs(x)) / length)  # noqa: B023
        rows.append(row)
    headers = ["additions", "plain, us", "functrace, us", "autograd, us"]
    headers += ["functrace, bytes", "autograd, bytes"]
    return tabulate(rows, headers, tablefmt="github", floatfmt=".2f", missingval="not run")


def resident_bytes() -> int | None:
    """The memory of this process, where the system tells it as Linux does."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else None


def many_gradients() -> str:
    """Memory before and after many gradients, with the collector off: nothing may need it."""
    w = {"W": np.ones((8, 8)), "b": np.ones(8)}
    gradient = ft.grad(lambda w: ((np.ones(8) @ w["W"] + w["b"]) ** 2).sum())
    for _ in range(100):
        gradient(w)  # fills the caches that are filled once
    gc.collect()
    gc.disable()
    resident = resident_bytes()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in progress(range(GRADIENTS), "gradients"):
        gradient(w)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    resident_after = resident_bytes()
    cyclic = gc.collect()
    gc.enable()
    lines = [f"{GRADIENTS} gradients, with the garbage collector off:"]
    lines.append(f"  memory of Python and NumPy grew by {after - before} bytes")
    if resident is not None and resident_after is not None:
        lines.append(
            f"  memory of the process grew by {(resident_after - resident) / 1024:.0f} KiB"
        )
    lines.append(f"  the collector then found {cyclic} objects in cycles")
    return "\n".join(lines)


if __name__ == "__main__":
    arguments = command_line(__doc__)
    print(f"Chains of additions: for each addition\n\n{long_chains(arguments.rounds)}\n")
    print(many_gradients())
