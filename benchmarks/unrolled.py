"""How long the first call takes where a Python loop is recorded, turn by turn.

Claim: the time of the first call grows in proportion to the length of what is recorded, and stays
below JAX's, which compiles to machine code.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from benchmarks.harness import Claim, aligned, draw, progress, with_quartiles, with_unit
from benchmarks.jit import first_calls
from benchmarks.peers import installed
from benchmarks.workloads import unrolled

TURNS = (10, 100, 1_000)


def report(arguments: argparse.Namespace) -> str:
    """First calls for each length; the longest are measured once unless rounds are many."""
    peers = [peer for peer in installed(arguments.threads) if peer.name in ("functrace", "JAX")]
    rows: list[list[Any]] = []
    series: dict[str, list[list[float]]] = {peer.name: [] for peer in peers}
    for turns in progress(TURNS, "unrolled"):
        firsts, laters = first_calls(unrolled(turns), peers, max(1, min(5, 300 // turns)))
        ratios = [
            ours / theirs
            for ours, theirs in zip(firsts["functrace"], firsts.get("JAX", []), strict=False)
        ]
        rows.append(
            [
                f"{turns:,}",
                *(with_unit(statistics.median(firsts[peer.name])) for peer in peers),
                with_quartiles(ratios) if ratios else "-",
                *(with_unit(statistics.median(laters[peer.name])) for peer in peers),
            ]
        )
        for peer in peers:
            series[peer.name].insert(0, [seconds * 1e3 for seconds in firsts[peer.name]])
    headers = ["turns of ten operations", *(f"first call, {peer.name} jit" for peer in peers)]
    headers += ["functrace / JAX", *(f"later call, {peer.name} jit" for peer in peers)]
    if arguments.plot:
        names = [f"{turns:,} turns" for turns in TURNS[::-1]]
        title, meaning = "First call of an unrolled loop", "milliseconds beyond a later call"
        print(f"\nDrawn in {draw(series, names, title, meaning, arguments.plot, middle=None)}")
    return aligned(rows, headers, arguments.format)


CLAIM = Claim("unrolled", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
