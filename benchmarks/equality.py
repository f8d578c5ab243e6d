"""Whether a compiled derivative gives the numbers of the one that is not compiled.

Claim: for every workload the two differ by at most 1e-12 in float64 and 1e-5 in float32, relative
to the largest number of each array. Beside it stands how far the derivative by hand, and JAX's,
are from functrace's.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

from benchmarks.harness import Claim, aligned, draw, matching, progress
from benchmarks.peers import installed
from benchmarks.workloads import WORKLOADS, contestants
from functrace import tree

COMPARED = ("functrace", "by hand", "JAX jit")


def difference(actual: Any, expected: Any) -> float:
    """The largest difference, relative to the largest number of its array."""
    return max(
        float(np.max(np.abs(np.asarray(a) - b)) / max(float(np.max(np.abs(b))), 1e-300))
        for a, b in zip(tree.leaves(actual), tree.leaves(expected), strict=True)
    )


def report(arguments: argparse.Namespace) -> str:
    """Compare the results of one call."""
    peers = [peer for peer in installed(arguments.threads) if peer.name in ("functrace", "JAX")]
    rows: list[list[str]] = []
    series: dict[str, list[list[float]]] = {name: [] for name in COMPARED}
    failing: list[str] = []
    chosen = matching(WORKLOADS, arguments.only)
    for problem in progress(chosen, "equality"):
        calls = contestants(problem, peers)
        ours = calls["functrace jit"]()
        found = {name: difference(calls[name](), ours) for name in COMPARED if name in calls}
        holds = found["functrace"] <= problem.own_tolerance
        if not holds:
            failing.append(problem.name)
        numbers = [f"{found[name]:.1e}" if name in found else "-" for name in COMPARED]
        verdict = f"{'within' if holds else 'BEYOND'} {problem.own_tolerance:.0e}"
        rows.append([problem.name, *numbers, verdict])
        for name in COMPARED:
            # No difference at all has no place on a logarithmic axis.
            series[name].insert(0, [max(found[name], 1e-18)] if name in found else [])
    headers = ["workload", "without jit", *COMPARED[1:], "jit beside without"]
    if arguments.plot:
        names = [problem.name for problem in chosen[::-1]]
        title, meaning = "Differences from functrace jit", "relative difference (1e-18: none)"
        shown = dict(zip(headers[1:], series.values(), strict=False))
        print(f"\nDrawn in {draw(shown, names, title, meaning, arguments.plot, middle=None)}")
    if failing:
        print(f"Beyond the tolerance: {'; '.join(failing)}", file=sys.stderr)
    return aligned(rows, headers, arguments.format)


CLAIM = Claim("equality", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
