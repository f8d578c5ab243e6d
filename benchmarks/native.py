"""Compiled to machine code: functrace beside JAX and C++.

Claim: a gradient that is compiled whole to machine code, loops included, takes no more than half of
what JAX takes where arrays are small or there are many turns, and comes close to C++ written by
hand.

    python -m benchmarks.native "heat"                 # the rows whose names match
    python -m benchmarks.native "heat" --rounds 30 --threads 1
    python -m benchmarks.native --list                 # the names of all rows

A backend that is not there has a dash, and so has what nobody wrote in C++. Results are compared
before anything is timed: what differs is told and not timed.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import functrace as ft
from benchmarks import machine
from benchmarks.harness import (
    Claim,
    Contestants,
    Result,
    Workload,
    aligned,
    common_options,
    load,
    matching,
    measure,
    progress,
    shown_failures,
    shown_time,
    with_quartiles,
    with_unit,
)
from benchmarks.jit import FIRST_CALLS, NOISE, first_calls
from benchmarks.peers import Functrace, Jax, Peer
from benchmarks.programs.elements import ELEMENTS, SMALL_ELEMENTS
from benchmarks.programs.fitting import FITTING, SMALL_FITTING
from benchmarks.programs.numpy_programs import LOOPS, PROGRAMS, SMALL_PROGRAMS
from benchmarks.programs.recurrent import RECURRENT, SMALL_RECURRENT
from benchmarks.workloads import Problem
from functrace import tree

MACHINE = "C++"
LONG_FIRST_CALL = 2.0  # seconds; such a first call is measured once

Failures = dict[str, str]
Firsts = dict[str, list[float]]
GROUPS = {
    "loops over time": RECURRENT,
    "fitting": FITTING,
    "elements and networks": ELEMENTS,
    "plain NumPy programs": PROGRAMS,
    "Python's loops": LOOPS,
}
ALL = tuple(problem for problems in GROUPS.values() for problem in problems)
SMALL = (*SMALL_RECURRENT, *SMALL_FITTING, *SMALL_ELEMENTS, *SMALL_PROGRAMS)

TARGETS = (
    ("empty loop", {MACHINE: 1.1}),
    ("Lotka-Volterra", {MACHINE: 2.0, "JAX": 1 / 30}),
    ("LSTM", {"JAX": 1.0}),
    ("recurrent network", {"JAX": 0.25}),
    ("heat equation", {"JAX": 0.5, MACHINE: 3.0}),
    ("Kalman|Monte Carlo|Gaussian process", {"JAX": 0.5}),
    ("bundle adjustment|hand tracking|ODE", {"JAX": 1 / 3, MACHINE: 3.0}),
    ("log-sum-exp|k-means|mixture|least squares", {"JAX": 1.1, MACHINE: 1.1}),
    ("scalar function", {"JAX": 0.1}),
    ("Rosenbrock, n = 10$", {"JAX": 1 / 8}),
    ("Rosenbrock, n = 1,000", {"JAX": 1 / 5}),
    ("Rosenbrock, n = 100,000", {"JAX": 1 / 1.5}),
    ("network .* rows|elementwise chain", {"JAX": 1.0}),
)
"""What a row aims for, by its name: the share of each peer's time."""


def backends() -> list[Functrace]:
    """Functrace by each of its backends that are there, the native one first."""
    found: list[Functrace] = []
    for backend in ("native", "numpy"):
        try:
            ft.jit(np.sin, backend=backend)
        except ft.errors.ArgumentError:
            continue
        found.append(Functrace(backend))
    return found


def peers_of(threads: int | None) -> list[Peer]:
    """The backends, and JAX if it is there."""
    peers: list[Peer] = [*backends()]
    with contextlib.suppress(ImportError):
        peers.append(Jax())
    if threads is not None:
        for peer in peers:
            peer.limit_threads(threads)
    return peers


def able(problem: Problem, peers: Sequence[Peer]) -> list[Peer]:
    """Those that are asked to do it."""
    return [peer for peer in peers if not (problem.unrolled and isinstance(peer, Jax))]


def difference(actual: Any, expected: Any) -> float:
    """The largest difference, relative to the largest number of its array."""
    largest = 0.0
    for a, b in zip(tree.leaves(actual), tree.leaves(expected), strict=True):
        if np.shape(a) != np.shape(b):
            return np.inf
        scale = max(float(np.max(np.abs(b), initial=0.0)), 1e-300)
        apart = float(np.max(np.abs(np.asarray(a) - np.asarray(b)), initial=0.0)) / scale
        largest = np.inf if np.isnan(apart) else max(largest, apart)
    return largest


def checked(
    problem: Problem, peers: Sequence[Peer], clock: Callable[[], float] = time.perf_counter
) -> tuple[Contestants, Failures, Firsts]:
    """The contestants whose results are right, what is wrong with the others, and first calls.

    Right is what most have: the expected result is the one that is closest to all others.
    """
    inputs = problem.inputs()
    calls: Contestants = {}
    failures: Failures = {}
    firsts: Firsts = {}
    results: dict[str, Any] = {}
    for peer in able(problem, peers):
        derivative = problem.derivative_with(peer)
        if derivative is None:
            continue
        arrays = peer.arrays(inputs)
        peer.clear_caches()
        call = peer.call(peer.jit(derivative), arrays)
        start = clock()
        try:
            results[peer.name] = tree.map(np.array, call())
        except Exception as error:  # noqa: BLE001  (a backend may raise anything for what it lacks)
            failures[peer.name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            continue
        firsts[peer.name] = [clock() - start]
        calls[peer.name] = call
    if problem.machine is not None and machine.compiler():
        calls[MACHINE] = problem.machine(*inputs)
        results[MACHINE] = tree.map(np.array, calls[MACHINE]())
    apart = {
        name: sorted(difference(result, other) for other in results.values())
        for name, result in results.items()
    }
    # Of those who stand alone, the others' median is far.
    middle = min(apart, key=lambda name: apart[name][len(results) // 2])
    for name, result in results.items():
        far = difference(result, results[middle])
        if far > problem.tolerance:
            failures[name] = f"a wrong result: {far:.1e} from that of {middle}"
            del calls[name]
    return calls, failures, firsts


@dataclass
class Row:
    """What was measured of one workload.

    Attributes:
        problem: The workload.
        result: The times of all, and who failed.
        firsts: What the first calls take beyond later ones.
    """

    problem: Problem
    result: Result
    firsts: Firsts

    def time(self, name: str) -> str:
        """A contestant's median."""
        return shown_time(self.result, name, missing="-")

    def share(self, ours: str, name: str) -> float | None:
        """The median of the first contestant's time as a share of another's."""
        both = ours in self.result.seconds and name in self.result.seconds
        return statistics.median(self.result.ratios(name)) if both else None

    def first(self, name: str) -> str:
        """A first call."""
        found = self.firsts.get(name)
        return with_unit(statistics.median(found)) if found else "-"

    def target(self, ours: str) -> str:
        """Which targets are missed; nothing where there is none."""
        for pattern, targets in TARGETS:
            if re.search(pattern, self.problem.name):
                found = {name: self.share(ours, name) for name in targets}
                missed = [
                    f"{targets[name]:.2f} of {name}"
                    for name, share in found.items()
                    if share is not None and share > targets[name]
                ]
                known = any(share is not None for share in found.values())
                return ("MISSED: " + ", ".join(missed) if missed else "met") if known else ""
        return ""


def measured(problem: Problem, peers: Sequence[Peer], arguments: argparse.Namespace) -> Row:
    """Check and time a workload."""
    clock = time.process_time if arguments.cpu else time.perf_counter
    calls, failures, firsts = checked(problem, peers, clock)
    workload = Workload(problem.name, lambda: calls, compares=False)
    result = measure(workload, arguments.rounds, arguments.threads, clock)
    result.failures.update(failures)
    if any(first[0] > LONG_FIRST_CALL for first in firsts.values()):
        # What beside seconds is a later call, and what is their noise?
        firsts = {
            name: [max(first[0] - result.median(name), NOISE * result.median(name))]
            for name, first in firsts.items()
            if name in result.seconds
        }
    else:
        asked = [peer for peer in able(problem, peers) if peer.name in result.seconds]
        firsts, _ = first_calls(problem, asked, FIRST_CALLS, clock)
    return Row(problem, result, firsts)


def report(arguments: argparse.Namespace) -> str:
    """Time all workloads."""
    peers = peers_of(arguments.threads)
    names = [*(peer.name for peer in peers), MACHINE]
    ours, compiling = names[0], names[:-1]
    headers = ["workload", *names, *(f"/ {name}" for name in names[1:]), "target"]
    headers += [f"first call, {name}" for name in compiling]
    rows: list[Row] = []
    lines: list[list[str]] = []
    for problem in progress(matching(ALL, arguments.only), "native"):
        row = measured(problem, peers, arguments)
        result = row.result
        both = [name if row.share(ours, name) is not None else None for name in names[1:]]
        line = [problem.name, *map(row.time, names)]
        line += [with_quartiles(result.ratios(name)) if name else "-" for name in both]
        line += [row.target(ours), *map(row.first, compiling)]
        if arguments.verbose:
            told = [f"{header}: {shown}" for header, shown in zip(headers, line, strict=True)]
            print("; ".join(told) + load(), *shown_failures([result]), flush=True)
        rows.append(row)
        lines.append(line)
    parts = [
        f"Medians of one call, ratios of {ours} to the others with quartiles, and first calls:",
        aligned(lines, headers, arguments.format),
        "\n".join(shown_failures([row.result for row in rows])),
        "\n".join(f"- {line}" for line in summary(rows, names)),
    ]
    return "\n\n".join(filter(None, parts))


def summary(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """The geometric mean of the ratios, for each group of workloads and each peer."""
    ours, *others = names
    lines: list[str] = []
    for group, problems in GROUPS.items():
        chosen = [row for row in rows if row.problem in problems]
        for name in others:
            found = [share for row in chosen if (share := row.share(ours, name)) is not None]
            if found:
                middle, faster = statistics.geometric_mean(found), sum(share < 1 for share in found)
                lines.append(
                    f"{group}: {ours} beside {name}: faster in {faster} of {len(found)}, geometric "
                    f"mean of the ratios {middle:.2f}."
                )
    for name in names[1:-1]:
        firsts = [
            statistics.median(row.firsts[ours]) / statistics.median(row.firsts[name])
            for row in rows
            if {ours, name} <= row.firsts.keys()
        ]
        if firsts:
            lines.append(
                f"First calls of {ours} beside {name}: geometric mean of the ratios "
                f"{statistics.geometric_mean(firsts):.2f}, at most {max(firsts):.2f}."
            )
    return lines


CLAIM = Claim("native", __doc__, report)


def main() -> None:
    """Read the command line, and measure what it asks for."""
    parser = common_options(__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="workloads that match this")
    parser.add_argument("--list", action="store_true", help="only tell the workloads' names")
    parser.add_argument(
        "--cpu", action="store_true", help="the processor's time, on a machine that does much else"
    )
    parser.add_argument("--verbose", action="store_true", help="each row as soon as it is there")
    arguments = parser.parse_args()
    arguments.only = arguments.only or arguments.pattern
    if arguments.write and arguments.only:
        parser.error("--write is for whole tables.")
    if arguments.list:
        print("\n".join(problem.name for problem in matching(ALL, arguments.only)))
    else:
        CLAIM.main(arguments)


if __name__ == "__main__":
    main()
