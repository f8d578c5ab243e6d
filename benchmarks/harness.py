"""Time several ways to compute the same numbers, side by side.

What the harness does, and why the numbers can be trusted on a machine that does other things too:

- All contestants of a workload run in one process and in turn: A B C, then B C A, and so on. What
  slows the machine down for a while slows down all of them.
- Each sample repeats the call until it lasts long enough to be timed (`SAMPLE_SECONDS`).
- The ratio of two contestants is taken within each round; reported are the median of these ratios
  and their quartiles. It does not change when the machine is slower in one round than in the next.
- Before anything is timed, the contestants' results must agree.
- The garbage collector stays on, because what an implementation allocates is part of what it
  costs. It is run before each sample, so that nobody pays for what another left behind; the
  objects of imported modules are frozen, so that nobody pays for a large library beside it.
- BLAS runs on one thread where no other library has threads of its own: how it shares the cores
  with others is not what is measured there. Beside JAX and PyTorch every library, NumPy's BLAS
  among them, has the threads that it takes by itself.
- A contestant that needs more than a second for a call is timed in the first rounds only.

A workload is a function that makes the contestants: a dict from names to functions without
arguments. The first contestant is the one that the ratios are about.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import importlib.metadata
import math
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate, tabulate_formats
from threadpoolctl import threadpool_info, threadpool_limits
from tqdm import tqdm

import functrace as ft
from functrace import tree

OUTPUT = Path(__file__).parent / "output"
README = Path(__file__).parent / "README.md"
LIBRARIES = {
    "numpy": "NumPy",
    "jax": "JAX",
    "torch": "PyTorch",
    "autograd": "autograd",
}
SAMPLE_SECONDS = 0.01
WORKLOAD_SECONDS = 12.0  # a workload ends after this time, once it has had MINIMUM_ROUNDS
MINIMUM_ROUNDS = 5
SLOW_SECONDS = 1.0  # a contestant whose call takes longer is timed in SLOW_ROUNDS only
SLOW_ROUNDS = 3

Contestants = dict[str, Callable[[], Any]]


@dataclass
class Workload:
    """One thing to compute, in several ways.

    Attributes:
        name: What the tables call it.
        contestants: Makes the contestants; inputs are made here, outside what is timed.
        target: The share of the second contestant's time that the first aims to stay below.
        tolerance: How closely the results must agree.
        compares: Whether the contestants compute the same, so that the results must agree.
    """

    name: str
    contestants: Callable[[], Contestants]
    target: float | None = None
    tolerance: float = 1e-9
    compares: bool = True


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

    def median(self, name: str) -> float:
        """A contestant's median time."""
        return statistics.median(self.seconds[name])

    def ratios(self, peer: str) -> list[float]:
        """The first contestant's time as a share of a peer's, in each round that both had."""
        ours, *_ = self.seconds.values()
        return [own / other for own, other in zip(ours, self.seconds[peer], strict=False)]


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
        chosen = matching(self.workloads, arguments.only)
        results = [
            measure(workload, arguments.rounds, arguments.threads or 1)
            for workload in progress(chosen, title)
        ]
        print(f"\n{title}\n\n{table(results, arguments.format)}")
        if arguments.plot:
            print(f"\nDrawn in {plot(results, title, arguments.plot)}")
        broken = [result for result in results if next(iter(result.failures), None) == "functrace"]
        if broken:
            sys.exit(f"{len(broken)} workloads failed in functrace itself.")


def command_line(description: str | None) -> argparse.Namespace:
    """What the command line asks for, by the options that the scripts have in common."""
    parser = common_options(description)
    arguments = parser.parse_args()
    if arguments.write and (arguments.only or arguments.format not in ("github", "pipe")):
        parser.error("--write is for whole tables in Markdown: without --only and --format.")
    return arguments


def common_options(description: str | None) -> argparse.ArgumentParser:
    """The options that the scripts have in common."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="samples of each contestant")
    parser.add_argument("--only", default="", metavar="PATTERN", help="workloads that match this")
    parser.add_argument(
        "--format", default="github", choices=tabulate_formats, help="of the tables", metavar="NAME"
    )
    parser.add_argument(
        "--plot",
        nargs="?",
        type=Path,
        const=OUTPUT,
        metavar="FOLDER",
        help="draw the ratios into this folder, or into output/",
    )
    parser.add_argument(
        "--threads",
        type=int,
        help="of every library (by itself one; beside JAX and PyTorch as many as each takes)",
    )
    parser.add_argument(
        "--write", action="store_true", help="put the results into README.md, where it has a place"
    )
    return parser


def matching(items: Sequence[Any], pattern: str) -> list[Any]:
    """The items whose names match a pattern; if there is none, the program ends and lists them."""
    chosen = [item for item in items if re.search(pattern, item.name, re.IGNORECASE)]
    if not chosen:
        names = "\n  ".join(item.name for item in items)
        sys.exit(f"No workload's name matches {pattern!r}. There are:\n  {names}")
    return chosen


def progress(items: Sequence[Any], title: str) -> Iterable[Any]:
    """The items, with a progress bar where someone is watching."""
    return tqdm(items, desc=title, leave=False, disable=not sys.stderr.isatty())


# Measuring


def measure(
    workload: Workload,
    rounds: int,
    threads: int | None = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    """Check that the contestants agree, then time them in turn.

    Args:
        workload: What to compute.
        rounds: How many samples to take of each contestant.
        threads: How many threads BLAS may take; None for as many as it takes by itself.
        clock: Tells seconds: what passes, or what the processor worked for this process.
    """
    contestants, failures = agreeing(workload)
    freeze()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    if "functrace" in failures or not order:
        return Result(workload, {}, failures)
    with threadpool_limits(threads):
        repeats = {name: repeats_for(call, clock) for name, call in contestants.items()}
        end = time.perf_counter() + WORKLOAD_SECONDS
        for number in range(rounds):
            if number >= MINIMUM_ROUNDS and time.perf_counter() > end:
                break
            for name in order:
                if number < SLOW_ROUNDS or seconds[name][0] < SLOW_SECONDS:
                    seconds[name].append(sample(contestants[name], repeats[name], clock))
            order.append(order.pop(0))
    return Result(workload, seconds, failures)


def freeze() -> None:
    """Take what is there now out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()


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
        if not workload.compares:
            continue
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


def repeats_for(call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> int:
    """How often to repeat a call in one sample."""
    repeats = 1
    while True:
        elapsed = sample(call, repeats, clock) * repeats
        if elapsed >= SAMPLE_SECONDS / 2:
            return max(1, math.ceil(repeats * SAMPLE_SECONDS / elapsed))
        repeats *= 4


def sample(
    call: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds for one call, from one sample."""
    gc.collect()
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats


# Showing


def table(results: Sequence[Result], form: str = "github") -> str:
    """The results as a table: times, ratios with quartiles, and the targets."""
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
    return "\n".join([aligned(rows, headers, form), *shown_failures(results)])


def aligned(rows: Sequence[Sequence[Any]], headers: Sequence[str], form: str) -> str:
    """A table whose first column is text, and whose others are numbers."""
    alignment = ["left"] + ["right"] * (len(headers) - 1)
    return tabulate(rows, headers, tablefmt=form, colalign=alignment, disable_numparse=True)


def shown_failures(results: Sequence[Result]) -> list[str]:
    """A line for each contestant that could not do workloads, after an empty one.

    What fails at many sizes in the same way is said once.
    """
    workloads: dict[str, list[str]] = {}
    for result in results:
        for name, message in result.failures.items():
            failing = workloads.setdefault(f"{name} fails with {message}", [])
            failing.append(result.workload.name)
    failures = [f"{'; '.join(names)}: {failure}" for failure, names in workloads.items()]
    return [*([""] if failures else []), *failures]


def all_contestants(result: Result) -> list[str]:
    """The names of a workload's contestants, those that failed too."""
    return [*result.seconds, *result.failures]


def shown_time(result: Result, name: str, missing: str = "") -> str:
    """The median time of a contestant, with a unit."""
    if name in result.failures:
        return "fails"
    return with_unit(result.median(name)) if name in result.seconds else missing


def with_unit(seconds: float) -> str:
    """A time with three digits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:#.3g}".rstrip(".") + f" {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def shown_ratio(result: Result, peer: str, missing: str = "") -> str:
    """The median ratio to a peer, with quartiles."""
    if not result.seconds or peer not in result.seconds:
        return missing
    return with_quartiles(result.ratios(peer))


def with_quartiles(ratios: Sequence[float]) -> str:
    """The median of ratios, with quartiles."""
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


def plot(
    results: Sequence[Result], title: str, folder: Path, peers: Sequence[str] | None = None
) -> Path:
    """Draw the median ratio to each peer, with quartiles, and return the file's path."""
    timed = [result for result in results if result.seconds][::-1]
    if peers is None:
        peers = list(dict.fromkeys(peer for result in timed for peer in list(result.seconds)[1:]))
    ours = next(iter(timed[0].seconds), "")
    series = {
        f"beside {peer}": [
            result.ratios(peer) if peer in result.seconds else [] for result in timed
        ]
        for peer in peers
    }
    names = [result.workload.name for result in timed]
    return draw(series, names, title, f"ratio of times (left of 1: {ours} is faster)", folder)


def draw(
    series: dict[str, list[list[float]]],
    names: Sequence[str],
    title: str,
    meaning: str,
    folder: Path,
    middle: float | None = 1.0,
) -> Path:
    """Draw samples as medians with quartiles, a row for each name, on a logarithmic axis."""
    import matplotlib as mpl  # noqa: PLC0415  (only --plot needs it)

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  (after the choice of backend)

    spread = 0.16
    height = 1.6 + len(names) * (0.2 + 0.07 * len(series))
    figure, axes = plt.subplots(figsize=(9, height), layout="constrained")
    for number, (label, samples) in enumerate(series.items()):
        found = [(row, values) for row, values in enumerate(samples) if values]
        if not found:
            continue
        quartiles = np.array([np.percentile(values, (25, 50, 75)) for _, values in found])
        rows = np.array([row for row, _ in found]) - spread * (number - (len(series) - 1) / 2)
        low, median, high = quartiles.T
        axes.errorbar(
            median,
            rows,
            xerr=(median - low, high - median),
            fmt="osD^v<>p"[number % 8],
            markersize=4,
            color=f"C{number}",
            label=label,
        )
    if middle is not None:
        axes.axvline(middle, color="black", linewidth=0.8)
    for row in range(len(names) - 1):
        axes.axhline(row + 0.5, color="lightgray", linewidth=0.6)
    axes.set_xscale("log")
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(meaning)
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=2)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"\W+", "_", title).strip("_").lower() + ".png")
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


# What the README quotes


@dataclass(frozen=True)
class Claim:
    """Something that is said of functrace, and how it is measured.

    Attributes:
        name: The script's name, and that of its place in the README.
        description: What is claimed, for the command line.
        report: Measures it, with the options of the command line, and tells the results in
            Markdown.
    """

    name: str
    description: str | None
    report: Callable[[argparse.Namespace], str]

    def main(self, arguments: argparse.Namespace | None = None) -> None:
        """Measure, print, and write into the README where that is asked for."""
        arguments = arguments or command_line(self.description)
        load_before = load()
        results = self.report(arguments)
        text = f"{circumstances(load_before, arguments.threads)}\n\n{results}"
        print(f"\n{self.name}: {text}\n", flush=True)
        if arguments.write:
            write_into_readme(self.name, text)


def write_into_readme(name: str, text: str) -> None:
    """Replace what stands between the marks of a name."""
    begin, end = f"<!-- results: {name} -->", "<!-- end of results -->"
    before, mark, rest = README.read_text().partition(begin)
    if not mark:
        raise LookupError(f"{README} has no line {begin}")
    _, _, after = rest.partition(end)
    README.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def load() -> str:
    """What else the machine does, where the system tells it."""
    return f" (load average {os.getloadavg()[0]:.1f})" if hasattr(os, "getloadavg") else ""


def circumstances(load_before: str, threads: int | None) -> str:
    """The date, the machine, the versions and the threads."""
    today = dt.datetime.now().astimezone()
    parts = [f"{today.day} {today:%B %Y}", f"{os.cpu_count()} cores of {processor()}{load_before}"]
    parts += [platform.system(), f"Python {platform.python_version()}"]
    parts.append(f"functrace {ft.__version__}")
    for name, shown in LIBRARIES.items():
        if name in sys.modules:
            parts.append(f"{shown} {importlib.metadata.version(name)}")
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    if threads:
        parts.append(f"every library on {threads} thread{'' if threads == 1 else 's'}")
    elif pools:
        parts.append(f"NumPy's BLAS with up to {max(pools)} threads")
        if "torch" in sys.modules:
            own = sys.modules["torch"].get_num_threads()
            parts.append(f"PyTorch with {own}, its default")
    return ", ".join(parts) + "."


def processor() -> str:
    """The processor's name, which Linux tells in a file."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
