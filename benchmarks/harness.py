"""Time several ways to compute the same numbers, side by side.

What the harness does, and why the numbers can be trusted on a machine that does other things too:

- All contestants of a workload run in one process and in turn: A B C, then B C A, and so on. What
  slows the machine down for a while slows down all of them.
- Each sample repeats the call until it lasts long enough to be timed (`SAMPLE_SECONDS`).
- The ratio of two contestants is taken within each round; reported are the median of these ratios
  and their quartiles. It does not change when the machine is slower in one round than in the next.
- Before anything is timed, the contestants' results must agree.
- The garbage collector stays on, because what an implementation allocates is part of what it
  costs. It is run before each sample, so that nobody pays for what another left behind.
- BLAS runs on one thread: how it shares the cores with others is not what is measured here.

A workload is a function that makes the contestants: a dict from names to functions without
arguments. The first contestant is the one that the ratios are about.
"""

from __future__ import annotations

import argparse
import gc
import math
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from functrace import tree

OUTPUT = Path(__file__).parent / "output"
SAMPLE_SECONDS = 0.01
WORKLOAD_SECONDS = 12.0  # a workload ends after this time, once it has had MINIMUM_ROUNDS
MINIMUM_ROUNDS = 5

Contestants = dict[str, Callable[[], Any]]


@dataclass
class Workload:
    """One thing to compute, in several ways.

    Attributes:
        name: What the tables call it.
        contestants: Makes the contestants; inputs are made here, outside what is timed.
        target: The share of the second contestant's time that the first aims to stay below.
        tolerance: How closely the results must agree.
    """

    name: str
    contestants: Callable[[], Contestants]
    target: float | None = None
    tolerance: float = 1e-9


@dataclass
class Result:
    """What was measured of a workload.

    Attributes:
        workload: The workload.
        seconds: For each contestant, the time of one call in each round.
        failures: For each contestant that cannot do it, what it said.
    """

    workload: Workload
    seconds: dict[str, list[float]]
    failures: dict[str, str] = field(default_factory=dict)

    def ratios(self, peer: str) -> list[float]:
        """The first contestant's time as a share of a peer's, in each round."""
        ours, *_ = self.seconds.values()
        return [own / other for own, other in zip(ours, self.seconds[peer], strict=True)]


class Suite:
    """Workloads that are run and shown together."""

    def __init__(self) -> None:
        self.workloads: list[Workload] = []

    def workload(
        self, name: str, target: float | None = None, tolerance: float = 1e-9
    ) -> Callable[[Callable[[], Contestants]], Callable[[], Contestants]]:
        """Enter the decorated function as a workload."""

        def enter(contestants: Callable[[], Contestants]) -> Callable[[], Contestants]:
            self.workloads.append(Workload(name, contestants, target, tolerance))
            return contestants

        return enter

    def main(self, title: str, description: str | None) -> None:
        """Read the command line, run the workloads, and show what was measured."""
        arguments = command_line(description)
        pattern = re.compile(arguments.only, re.IGNORECASE)
        chosen = [workload for workload in self.workloads if pattern.search(workload.name)]
        if not chosen:
            names = "\n  ".join(workload.name for workload in self.workloads)
            sys.exit(f"No workload's name matches {arguments.only!r}. There are:\n  {names}")
        results = [measure(workload, arguments.rounds) for workload in progress(chosen, title)]
        print(f"\n{title}\n\n{table(results)}")
        if arguments.plot:
            print(f"\nDrawn in {plot(results, title)}")
        broken = [result for result in results if next(iter(result.failures), None) == "functrace"]
        if broken:
            sys.exit(f"{len(broken)} workloads failed in functrace itself.")


def command_line(description: str | None) -> argparse.Namespace:
    """The options that the scripts have in common."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="samples of each contestant")
    parser.add_argument("--only", default="", metavar="PATTERN", help="workloads that match this")
    parser.add_argument("--plot", action="store_true", help="draw the ratios into output/")
    return parser.parse_args()


def progress(items: Sequence[Any], title: str) -> Iterable[Any]:
    """The items, with a progress bar where someone is watching."""
    return tqdm(items, desc=title, leave=False, disable=not sys.stderr.isatty())


# Measuring


def measure(workload: Workload, rounds: int) -> Result:
    """Check that the contestants agree, then time them in turn."""
    contestants, failures = agreeing(workload)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    if "functrace" in failures or not order:
        return Result(workload, {}, failures)
    with threadpool_limits(1):
        repeats = {name: repeats_for(call) for name, call in contestants.items()}
        end = time.perf_counter() + WORKLOAD_SECONDS
        for number in range(rounds):
            if number >= MINIMUM_ROUNDS and time.perf_counter() > end:
                break
            for name in order:
                seconds[name].append(sample(contestants[name], repeats[name]))
            order.append(order.pop(0))
    return Result(workload, seconds, failures)


def agreeing(workload: Workload) -> tuple[Contestants, dict[str, str]]:
    """The contestants that can do it, once their results are known to agree; and the others."""
    able: Contestants = {}
    failures: dict[str, str] = {}
    expected: list[Any] = []
    for name, call in workload.contestants().items():
        try:
            leaves = tree.leaves(call())
        except Exception as error:  # noqa: BLE001  (a peer may raise anything for what it lacks)
            failures[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            continue
        able[name] = call
        expected = expected or leaves
        for actual, desired in zip(leaves, expected, strict=True):
            scale = float(np.max(np.abs(desired), initial=0.0))
            np.testing.assert_allclose(
                actual,
                desired,
                rtol=workload.tolerance,
                atol=workload.tolerance * scale,
                err_msg=f"{workload.name}: {name} gives something else",
            )
    return able, failures


def repeats_for(call: Callable[[], Any]) -> int:
    """How often to repeat a call in one sample."""
    repeats = 1
    while True:
        elapsed = sample(call, repeats) * repeats
        if elapsed >= SAMPLE_SECONDS / 2:
            return max(1, math.ceil(repeats * SAMPLE_SECONDS / elapsed))
        repeats *= 4


def sample(call: Callable[[], Any], repeats: int) -> float:
    """Seconds for one call, from one sample."""
    gc.collect()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


# Showing


def table(results: Sequence[Result]) -> str:
    """The results as a table in Markdown: times, ratios with quartiles, and the targets."""
    names = list(dict.fromkeys(name for result in results for name in all_contestants(result)))
    ours, *peers = names
    rows = [
        [
            result.workload.name,
            *(shown_time(result, name) for name in names),
            *(shown_ratio(result, peer) for peer in peers),
            shown_target(result, peers),
        ]
        for result in results
    ]
    headers = ["workload", *names, *(f"{ours} / {peer}" for peer in peers), "target"]
    alignment = ["left"] + ["right"] * (len(headers) - 1)
    shown = tabulate(rows, headers, tablefmt="github", colalign=alignment)
    failures = [
        f"{result.workload.name}: {name} fails with {message}"
        for result in results
        for name, message in result.failures.items()
    ]
    return "\n".join([shown, *([""] if failures else []), *failures])


def all_contestants(result: Result) -> list[str]:
    """The names of a workload's contestants, those that failed too."""
    return [*result.seconds, *result.failures]


def shown_time(result: Result, name: str) -> str:
    """The median time of a contestant, with a unit."""
    if name in result.failures:
        return "fails"
    times = result.seconds.get(name)
    return "" if times is None else with_unit(statistics.median(times))


def with_unit(seconds: float) -> str:
    """A time with three digits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:#.3g}".rstrip(".") + f" {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def shown_ratio(result: Result, peer: str) -> str:
    """The median ratio to a peer, with quartiles."""
    if peer not in result.seconds:
        return ""
    ratios = result.ratios(peer)
    if len(ratios) < 2:
        return f"{ratios[0]:.2f}"
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def shown_target(result: Result, peers: Sequence[str]) -> str:
    """The target and whether it was met."""
    target = result.workload.target
    if target is None or not peers or peers[0] not in result.seconds:
        return ""
    met = statistics.median(result.ratios(peers[0])) <= target
    return f"{'met' if met else 'MISSED'}: {target:.2f}"


def plot(results: Sequence[Result], title: str) -> Path:
    """Draw the ratio to each peer in every round, and return the file's path."""
    import matplotlib as mpl  # noqa: PLC0415  (only --plot needs it)

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  (after the choice of backend)

    timed = [result for result in results if result.seconds][::-1]
    peers = list(dict.fromkeys(peer for result in timed for peer in list(result.seconds)[1:]))
    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.3 * len(timed)), layout="constrained")
    for number, peer in enumerate(peers):
        for row, result in enumerate(timed):
            if peer in result.seconds:
                ratios = result.ratios(peer)
                heights = [row + 0.2 * number] * len(ratios)
                label = f"time as a share of {peer}'s" if row == len(timed) - 1 else None
                axes.plot(ratios, heights, ".", color=f"C{number}", alpha=0.5, label=label)
                middle = statistics.median(ratios)
                axes.plot(middle, row + 0.2 * number, "|", color=f"C{number}", markersize=12)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.axvline(1 / 3, color="gray", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_yticks(range(len(timed)), [result.workload.name for result in timed])
    axes.set_xlabel("ratio of times (left of 1: functrace is faster)")
    axes.set_title(title)
    axes.legend(loc="lower right")
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / (re.sub(r"\W+", "_", title).strip("_").lower() + ".png")
    figure.savefig(path, dpi=120)
    return path
