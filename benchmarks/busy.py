"""Small matrix products while another process keeps a core busy.

Claim: a compiled gradient of a small network suffers no more from a busy core than its arithmetic
does. Where a library shares a small product among as many threads as there are cores, all wait for
the thread whose core is taken; here is seen who does. The busy process is started by this script,
and rounds with it and without it take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.harness import (
    Claim,
    Workload,
    agreeing,
    aligned,
    draw,
    freeze,
    progress,
    repeats_for,
    sample,
    with_quartiles,
    with_unit,
)
from benchmarks.peers import installed
from benchmarks.workloads import Problem, classifying_network, contestants

NAMES = ("functrace jit", "functrace", "by hand", "JAX jit", "torch")
ALONE = "by hand, BLAS on one thread"
START_SECONDS = 0.2  # until the busy process is under way


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy."""
    command = [sys.executable, "-c", "while True: pass"]
    process = subprocess.Popen(command)  # noqa: S603  (this interpreter, on the code above)
    try:
        time.sleep(START_SECONDS)
        yield
    finally:
        process.kill()
        process.wait()


def measured(
    problem: Problem, arguments: argparse.Namespace
) -> dict[str, tuple[list[float], list[float]]]:
    """For each contestant, the times of a call in quiet rounds and in busy ones."""
    workload = Workload(
        problem.name,
        lambda: contestants(problem, list(installed(arguments.threads))),
        tolerance=problem.tolerance,
    )
    found, _ = agreeing(workload)
    calls = {name: found[name] for name in NAMES if name in found}
    calls[ALONE] = calls["by hand"]
    repeats = {name: repeats_for(call) for name, call in calls.items()}
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in calls}
    freeze()
    for _ in range(arguments.rounds):
        for is_busy in (False, True):
            with busy_core() if is_busy else contextlib.nullcontext():
                for name, call in calls.items():
                    with threadpool_limits(1 if name == ALONE else arguments.threads, "blas"):
                        seconds[name][is_busy].append(sample(call, repeats[name]))
    return seconds


def report(arguments: argparse.Namespace) -> str:
    """Time the contestants quiet and busy."""
    rows: list[list[str]] = []
    series: dict[str, list[list[float]]] = {}
    names: list[str] = []
    for precision in progress((np.float32, np.float64), "busy"):
        problem = classifying_network((64, 128, 64, 10), 128, precision)
        seconds = measured(problem, arguments)
        series[np.dtype(precision).name] = [
            [loud / quiet for quiet, loud in zip(*pair, strict=True)]
            for pair in reversed(seconds.values())
        ]
        names = [*seconds][::-1]
        rows += [
            [
                f"{name}, {np.dtype(precision).name}",
                with_unit(statistics.median(quiet)),
                with_unit(statistics.median(loud)),
                with_quartiles([b / a for a, b in zip(quiet, loud, strict=True)]),
            ]
            for name, (quiet, loud) in seconds.items()
        ]
    if arguments.plot:
        title, meaning = "Small network beside a busy process", "time when busy / time when quiet"
        print(f"\nDrawn in {draw(series, names, title, meaning, arguments.plot)}")
    headers = ["gradient of network 64-128-64-10, 128 rows", "quiet", "busy", "busy / quiet"]
    return aligned(rows, headers, arguments.format)


CLAIM = Claim("busy", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
