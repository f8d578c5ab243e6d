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
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import functrace as ft
from benchmarks import machine
from benchmarks.harness import (
    Claim,
    Result,
    Workload,
    aligned,
    common_options,
    load,
    matching,
    measure,
    progress,
    with_quartiles,
    with_unit,
)
from benchmarks.jit import first_calls
from benchmarks.peers import Functrace, Jax, Peer
from benchmarks.programs.elements import ELEMENTS, SMALL_ELEMENTS
from benchmarks.programs.fitting import FITTING, SMALL_FITTING
from benchmarks.programs.numpy_programs import PROGRAMS, SMALL_PROGRAMS
from benchmarks.programs.recurrent import RECURRENT, SMALL_RECURRENT
from benchmarks.workloads import Problem
from functrace import tree

MACHINE = "C++"
LONG_FIRST_CALL = 2.0  # seconds; such a first call is measured once
ALL = (*RECURRENT, *FITTING, *ELEMENTS, *PROGRAMS)
SMALL = (*SMALL_RECURRENT, *SMALL_FITTING, *SMALL_ELEMENTS, *SMALL_PROGRAMS)


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


def contestants(problem: Problem, peers: Sequence[Peer]) -> dict[str, Callable[[], Any]]:
    """A call by every peer, compiled, and of what is written in C++."""
    inputs = problem.inputs()
    calls: dict[str, Callable[[], Any]] = {}
    for peer in able(problem, peers):
        derivative = problem.derivative_with(peer)
        if derivative is not None:
            calls[peer.name] = peer.call(peer.jit(derivative), peer.arrays(inputs))
    if problem.machine is not None and machine.compiler():
        calls[MACHINE] = problem.machine(*inputs)
    return calls


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


def checked(problem: Problem, peers: Sequence[Peer]) -> tuple[dict[str, Any], dict[str, str]]:
    """The contestants whose results are right, and what is wrong with the others.

    Right is what most have: the expected result is the one that is closest to all others.
    """
    calls, failures, results = contestants(problem, peers), {}, {}
    for name, call in list(calls.items()):
        try:
            results[name] = tree.map(np.array, call())
        except Exception as error:  # noqa: BLE001  (a backend may raise anything for what it lacks)
            failures[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            del calls[name]
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
    return calls, failures


def measured(problem: Problem, peers: Sequence[Peer], rounds: int, threads: int | None) -> Result:
    """Check and time a workload."""
    calls, failures = checked(problem, peers)
    workload = Workload(problem.name, lambda: calls, compares=False)
    result = measure(workload, rounds, threads=threads)
    result.failures.update(failures)
    return result


def beginnings(
    problem: Problem, peers: Sequence[Peer], failures: dict[str, str]
) -> dict[str, list[float]]:
    """The first calls of all that compile, beyond a later one: once where they are long."""
    asked = [peer for peer in able(problem, peers) if peer.name not in failures]
    start = time.perf_counter()
    firsts, _ = first_calls(problem, asked, 1)
    if time.perf_counter() - start < LONG_FIRST_CALL:
        more, _ = first_calls(problem, asked, 2)
        for name, seconds in more.items():
            firsts[name] += seconds
    return firsts


def report(arguments: argparse.Namespace) -> str:
    """Time all workloads."""
    peers = peers_of(arguments.threads)
    names = [*(peer.name for peer in peers), MACHINE]
    ours = names[0]
    compiling = names[:-1]
    headers = ["workload", *names, *(f"/ {name}" for name in names[1:])]
    headers += [f"first call, {name}" for name in compiling]
    rows: list[list[str]] = []
    notes: list[str] = []
    shares: dict[str, list[float]] = {}
    for problem in progress(matching(ALL, arguments.only), "native"):
        result = measured(problem, peers, arguments.rounds, arguments.threads)
        firsts = {} if arguments.warm else beginnings(problem, peers, result.failures)
        notes += [f"- {problem.name}: {name}: {why}" for name, why in result.failures.items()]
        row = [problem.name]
        for name in names:
            missing = "fails" if name in result.failures else "-"
            row.append(with_unit(result.median(name)) if name in result.seconds else missing)
        for name in names[1:]:
            both = ours in result.seconds and name in result.seconds
            ratios = result.ratios(name) if both else []
            row.append(with_quartiles(ratios) if ratios else "-")
            if ratios:
                shares.setdefault(name, []).append(statistics.median(ratios))
        row += [
            with_unit(statistics.median(firsts[name])) if name in firsts else "-"
            for name in compiling
        ]
        rows.append(row)
        if arguments.verbose:
            print(
                "; ".join(f"{a}: {b}" for a, b in zip(headers, row, strict=True)) + load(),
                flush=True,
            )
    for name, found in shares.items():
        middle, faster = statistics.geometric_mean(found), sum(share < 1 for share in found)
        notes.append(
            f"- {ours} beside {name}: faster in {faster} of {len(found)}, geometric mean of the "
            f"ratios {middle:.2f}."
        )
    parts = [
        f"Medians of one call, ratios of {ours} to the others with quartiles, and first calls:",
        aligned(rows, headers, arguments.format),
        "\n".join(notes),
    ]
    return "\n\n".join(parts)


CLAIM = Claim("native", __doc__, report)


def main() -> None:
    """Read the command line, and measure what it asks for."""
    parser = common_options(__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="workloads that match this")
    parser.add_argument("--list", action="store_true", help="only tell the workloads' names")
    parser.add_argument("--warm", action="store_true", help="without first calls")
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
