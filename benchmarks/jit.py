"""Compiled derivatives: functrace, NumPy written by hand, JAX, PyTorch and autograd.

Claim: a derivative under `ft.jit` takes about the time of the derivative that someone writes by
hand with NumPy, and less than every library that runs eagerly. JAX compiles to machine code, and
needs longer for it: the first call is measured too, on functions and caches that are fresh. This is
the NumPy backend; that of machine code is measured by `benchmarks.native`.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import functrace as ft
from benchmarks.harness import (
    Claim,
    Result,
    Workload,
    aligned,
    draw,
    matching,
    measure,
    plot,
    progress,
    shown_failures,
    shown_ratio,
    shown_time,
    with_unit,
)
from benchmarks.peers import Peer, installed
from benchmarks.workloads import WORKLOADS, Problem, contestants

COLUMNS = {
    "functrace jit": "functrace jit",
    "functrace": "functrace",
    "by hand": "by hand",
    "JAX jit": "JAX jit",
    "JAX jit of NumPy": "JAX jit, NumPy in",
    "JAX": "JAX",
    "torch": "PyTorch",
    "autograd": "autograd",
}
RIVALS = ("by hand", "JAX jit", "torch", "autograd")
FIRST_CALLS = 3
NOISE = 0.05  # the share of a call that cannot be told from its noise

Times = dict[str, list[float]]


def first_calls(
    problem: Problem,
    peers: Sequence[Peer],
    repetitions: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Times, Times]:
    """What a first call takes beyond a later one, and the later one: for those that compile.

    The least that is told of a first call is `NOISE` of a later one.
    """
    inputs = problem.inputs()
    firsts: Times = {}
    laters: Times = {}
    for _ in range(repetitions):
        for peer in peers:
            arrays = peer.arrays(inputs)
            peer.clear_caches()
            derivative = problem.derivative_with(peer)
            fast = None if derivative is None else peer.jit(derivative)
            if fast is None:
                continue
            call = peer.call(fast, arrays)
            gc.collect()
            first = timed(call, clock)
            later = statistics.median(timed(call, clock) for _ in range(5))
            # What is a small part of the call is lost in its noise.
            beyond = max(first - later, NOISE * later)
            firsts.setdefault(peer.name, []).append(beyond)
            laters.setdefault(peer.name, []).append(later)
    return firsts, laters


def timed(call: Any, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds for one call."""
    start = clock()
    call()
    return clock() - start


def report(arguments: argparse.Namespace) -> str:
    """Time all workloads, and say what is won and what is lost."""
    peers = list(installed(arguments.threads))
    results: list[Result] = []
    firsts: list[Times] = []
    ft.config.backend = "numpy"  # else machine code would take over meanwhile
    for problem in progress(matching(WORKLOADS, arguments.only), "jit"):
        workload = Workload(
            problem.name,
            lambda: contestants(problem, peers),  # noqa: B023  (called in this turn of the loop)
            tolerance=problem.tolerance,
        )
        results.append(measure(workload, arguments.rounds, threads=arguments.threads))
        firsts.append(first_calls(problem, peers, FIRST_CALLS)[0])
    parts = [
        "Medians of one call, and what the first call takes beyond it (at least 5 % of it):",
        times(results, firsts, arguments.format),
        "functrace jit's time as a share of the others', with quartiles (below 1: it is faster):",
        ratios(results, arguments.format),
        "\n".join(f"- {line}" for line in summary(results)),
    ]
    if arguments.plot:
        drawn = [
            plot(results, "Derivatives under jit", arguments.plot, RIVALS),
            draw_first_calls(results, firsts, arguments),
        ]
        print(f"\nDrawn in {', '.join(map(str, drawn))}")
    return "\n\n".join(parts)


def times(results: Sequence[Result], firsts: Sequence[Times], form: str) -> str:
    """A row for each workload: the medians of all, and of first calls."""
    compiling = list(dict.fromkeys(name for first in firsts for name in first))
    rows = [
        [
            result.workload.name,
            *(shown_time(result, name, missing="-") for name in COLUMNS),
            *(
                with_unit(statistics.median(first[name])) if name in first else "-"
                for name in compiling
            ),
        ]
        for result, first in zip(results, firsts, strict=True)
    ]
    headers = ["workload", *COLUMNS.values(), *(f"first call, {name}" for name in compiling)]
    return "\n".join([aligned(rows, headers, form), *shown_failures(results)])


def ratios(results: Sequence[Result], form: str) -> str:
    """A row for each workload: the ratios to all others."""
    others = [name for name in COLUMNS if name != "functrace jit"]
    rows = [
        [result.workload.name, *(shown_ratio(result, name, missing="-") for name in others)]
        for result in results
    ]
    return aligned(rows, ["workload", *(f"/ {COLUMNS[name]}" for name in others)], form)


def summary(results: Sequence[Result]) -> list[str]:
    """What is lost to each rival, by how much, and how often none is."""
    lines: list[str] = []
    for rival in ("functrace", *RIVALS):
        shares = {
            result.workload.name: statistics.median(result.ratios(rival))
            for result in results
            if rival in result.seconds
        }
        if not shares:
            continue
        slower = sorted((share, name) for name, share in shares.items() if share > 1)[::-1]
        lost = "; ".join(f"{name} ({share:.2f})" for share, name in slower)
        middle = statistics.geometric_mean(shares.values())
        lines.append(
            f"Beside {COLUMNS[rival]}: faster in {len(shares) - len(slower)} of {len(shares)}, "
            f"geometric mean of the ratios {middle:.2f}. Slower in: {lost or 'none'}."
        )
    return lines


def draw_first_calls(
    results: Sequence[Result],
    firsts: Sequence[Times],
    arguments: argparse.Namespace,
) -> Any:
    """First calls of all that compile, in milliseconds."""
    compiling = list(dict.fromkeys(name for first in firsts for name in first))
    series = {
        name: [[seconds * 1e3 for seconds in first.get(name, [])] for first in firsts[::-1]]
        for name in compiling
    }
    names = [result.workload.name for result in results[::-1]]
    title, meaning = "First calls under jit", "milliseconds beyond a later call"
    return draw(series, names, title, meaning, arguments.plot, middle=None)


CLAIM = Claim("jit", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
