"""Draws the pictures of docs/performance.md from the tables of benchmarks/README.md.

``python docs/performance.py`` writes docs/performance_jit.svg and docs/performance_training.svg.
"""

# ruff: noqa: INP001  (a script)

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "README.md"
GREY = "#7f7f7f"
"""Of letters and lines: to be read on white and on black."""
COLORS = {
    "by hand": "#2f9e44",
    "machine code": "#2f9e44",
    "JAX jit": "#1f83c4",
    "JAX": "#1f83c4",
    "PyTorch": "#e8590c",
    "torch": "#e8590c",
    "autograd": "#9c5fc4",
}
STYLE = {
    "svg.fonttype": "none",  # letters stay letters
    "svg.hashsalt": "functrace",
    "font.family": "sans-serif",
    "font.size": 9,
    **{f"{part}.color": GREY for part in ("text", "xtick", "ytick")},
    **{f"axes.{part}": GREY for part in ("edgecolor", "labelcolor")},
}


def ratios(script: str) -> tuple[str, dict[str, dict[str, float]]]:
    """The date and machine of a script's results, and its ratios: by row, and by the other one."""
    text = RESULTS.read_text(encoding="utf-8")
    block = text.partition(f"<!-- results: {script} -->")[2].partition("<!-- end of results -->")[0]
    stamp = block.strip().partition("\n")[0]
    found: dict[str, dict[str, float]] = {}
    columns: list[str] = []
    for line in block.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = [cell.removeprefix("functrace ").removeprefix("/ ") for cell in cells]
        else:
            for column, cell in zip(columns[1:], cells[1:], strict=True):
                if match := re.match(r"([\d.]+) \(", cell):
                    found.setdefault(cells[0], {})[column] = float(match[1])
    return stamp, found


def draw(script: str, peers: list[str], title: str) -> Figure:
    """A row for each workload, and in it a point for each peer: its time beside functrace's."""
    stamp, rows = ratios(script)
    figure = Figure(figsize=(7.6, 1.0 + 0.26 * len(rows)), layout="constrained")
    axes = figure.subplots()
    names = list(rows)[::-1]
    for peer in peers:
        places = [place for place, name in enumerate(names) if peer in rows[name]]
        times = [1 / max(rows[names[place]][peer], 0.002) for place in places]
        axes.scatter(times, places, s=26, color=COLORS[peer], label=peer, zorder=3)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_yticks(range(len(names)), names)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    date, machine = stamp.split(", ")[:2]
    axes.set_xlabel(f"{title}\n{date}, {machine.partition(' (')[0]}")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    return figure


PICTURES = {
    "performance_jit.svg": ("jit", ["by hand", "JAX jit", "PyTorch", "autograd"]),
    "performance_training.svg": ("training", ["machine code", "JAX", "torch"]),
}
TITLES = {
    "performance_jit.svg": "times as long as functrace jit; left of 1 they are faster",
    "performance_training.svg": "times as long as functrace by NumPy; left of 1 they are faster",
}


def main(folder: Path = HERE) -> None:
    """Write the pictures."""
    with mpl.rc_context(STYLE):
        for name, (script, peers) in PICTURES.items():
            figure = draw(script, peers, TITLES[name])
            figure.savefig(folder / name, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()
