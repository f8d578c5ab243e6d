"""What a compiled gradient costs beside the compiled function.

Claim: a gradient takes a small multiple of its function, whatever the number of parameters, as
reverse mode promises: two to four times where the work is arithmetic.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from benchmarks.harness import (
    Claim,
    Result,
    Workload,
    aligned,
    draw,
    matching,
    measure,
    progress,
    with_quartiles,
    with_unit,
)
from benchmarks.peers import Peer, installed
from benchmarks.workloads import WORKLOADS, Problem


def pair(problem: Problem, peer: Peer) -> dict[str, Callable[[], Any]]:
    """The compiled gradient and the compiled function."""
    arrays = peer.arrays(problem.inputs())
    gradient, function = problem.derivative_with(peer), problem.function(peer)
    assert gradient is not None
    compiled = {"gradient": peer.jit(gradient), "function": peer.jit(function)}
    return {kind: peer.call(fast, arrays) for kind, fast in compiled.items() if fast is not None}


def report(arguments: argparse.Namespace) -> str:
    """Time both for all workloads that are gradients, by every library that compiles."""
    peers = [peer for peer in installed(arguments.threads) if peer.name in ("functrace", "JAX")]
    gradients = [problem for problem in WORKLOADS if problem.derivative == "gradient"]
    chosen = matching(gradients, arguments.only)
    results: dict[str, list[Result]] = {peer.name: [] for peer in peers}
    for problem in progress(chosen, "gradient / function"):
        for peer in peers:
            # The two are different things to compute, so their results are not to be compared.
            workload = Workload(
                problem.name,
                lambda: pair(problem, peer),  # noqa: B023  (called in this turn of the loop)
                compares=False,
            )
            results[peer.name].append(
                measure(workload, arguments.rounds, threads=arguments.threads)
            )
    rows = [
        [problem.name, *(cell for name in results for cell in cells(results[name][number]))]
        for number, problem in enumerate(chosen)
    ]
    headers = ["workload"]
    for name in results:
        headers += [f"{name} function", f"{name} gradient", f"{name} gradient / function"]
    if arguments.plot:
        series = {
            name: [
                result.ratios("function") if result.seconds else []
                for result in results[name][::-1]
            ]
            for name in results
        }
        names = [problem.name for problem in chosen[::-1]]
        title, meaning = "Gradient beside function under jit", "time of gradient / time of function"
        print(f"\nDrawn in {draw(series, names, title, meaning, arguments.plot)}")
    return aligned(rows, headers, arguments.format)


def cells(result: Result) -> list[str]:
    """Both medians, and their ratio with quartiles."""
    if not result.seconds:
        return ["fails"] * 3
    return [
        with_unit(result.median("function")),
        with_unit(result.median("gradient")),
        with_quartiles(result.ratios("function")),
    ]


CLAIM = Claim("gradient_cost", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
