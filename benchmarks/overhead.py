"""What a call of a compiled function costs beside its work, and what each parameter adds.

Claim: the call of a compiled gradient that has next to nothing to compute costs microseconds, as
JAX's does, and each further array among the parameters adds less than one.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

from benchmarks.harness import (
    Claim,
    Result,
    Workload,
    aligned,
    measure,
    plot,
    progress,
    shown_ratio,
    shown_time,
)
from benchmarks.peers import installed
from benchmarks.workloads import contestants, scalar_function, sum_of_squares

NAMES = ("functrace jit", "by hand", "JAX jit", "JAX jit of NumPy")
FEW, MANY = 1, 6


def report(arguments: argparse.Namespace) -> str:
    """Time calls with one parameter and with six."""
    peers = [peer for peer in installed(arguments.threads) if peer.name in ("functrace", "JAX")]
    problems = (sum_of_squares(FEW), sum_of_squares(MANY), scalar_function())
    results: list[Result] = []
    for problem in progress(problems, "overhead"):
        workload = Workload(
            problem.name,
            lambda: {
                name: call
                for name, call in contestants(problem, peers).items()  # noqa: B023
                if name in NAMES
            },
        )
        results.append(measure(workload, arguments.rounds, threads=arguments.threads))
    present = [name for name in NAMES if name in results[0].seconds]
    rows = [
        [
            result.workload.name,
            *(shown_time(result, name) for name in present),
            *(shown_ratio(result, name) for name in present[1:]),
        ]
        for result in results
    ]
    headers = ["gradient of", *present, *(f"functrace jit / {name}" for name in present[1:])]
    if arguments.plot:
        print(f"\nDrawn in {plot(results, 'Overhead of a call', arguments.plot)}")
    added = ", ".join(f"{name} {each_parameter(results, name):.2f} us" for name in present)
    return f"{aligned(rows, headers, arguments.format)}\n\nEach further parameter adds: {added}."


def each_parameter(results: Sequence[Result], name: str) -> float:
    """Microseconds for each parameter beyond the first: the median of the rounds."""
    few, many = (result.seconds[name] for result in results[:2])
    shares = [(more - less) / (MANY - FEW) for less, more in zip(few, many, strict=False)]
    return statistics.median(shares) * 1e6


CLAIM = Claim("overhead", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
