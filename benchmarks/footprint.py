"""What functrace costs those who do not differentiate.

Claims: outside every transformation a call costs what NumPy's own costs, within 0.3 us; importing
functrace takes at most 60 ms beyond importing NumPy; the wheel is smaller than 1 MB.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import functrace as ft
from benchmarks.harness import Contestants, Suite, command_line, measure, progress, table

ROOT = Path(__file__).parent.parent

suite = Suite()


def plain_calls(x: Any, kind: str) -> None:
    """Workloads that call NumPy outside every transformation."""

    @suite.workload(f"np.sin of {kind}")
    def sin() -> Contestants:
        wrapped, own = ft.numpy.sin, np.sin
        return {"functrace.numpy": lambda: wrapped(x), "numpy": lambda: own(x)}

    @suite.workload(f"np.array of a list of {kind}")
    def array() -> Contestants:
        items = [x, x, x]
        wrapped, own = ft.numpy.array, np.array
        return {"functrace.numpy": lambda: wrapped(items), "numpy": lambda: own(items)}


plain_calls(np.float64(0.5), "one number")
plain_calls(np.ones(10), "ten numbers")


def import_times(rounds: int) -> str:
    """Import in fresh processes, with bytecode cached, alternating with NumPy alone."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(ROOT)

    def milliseconds(module: str) -> float:
        code = f"import time; s = time.perf_counter(); import {module}; "
        code += "print((time.perf_counter() - s) * 1e3)"
        command = [sys.executable, "-c", code]
        printed = subprocess.run(  # noqa: S603  (this interpreter, on the code above)
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout
        return float(printed)

    with tempfile.TemporaryDirectory() as cache:
        environment["PYTHONPYCACHEPREFIX"] = cache
        milliseconds("functrace")  # writes the bytecode
        pairs = [
            (milliseconds("numpy"), milliseconds("functrace"))
            for _ in progress(range(rounds), "imports")
        ]
    added = statistics.median(ours - numpys for numpys, ours in pairs)
    alone = statistics.median(numpys for numpys, _ in pairs)
    return f"import: NumPy alone {alone:.0f} ms, functrace adds {added:.1f} ms (target: 60)"


def wheel_size() -> str:
    """Build the wheel and weigh it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (this interpreter)
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            return f"wheel: not built ({(done.stderr or done.stdout).strip().splitlines()[-1]})"
        return f"wheel: {wheels[0].stat().st_size / 1024:.0f} KiB (target: 1464)"


if __name__ == "__main__":
    arguments = command_line(__doc__)
    results = [measure(workload, arguments.rounds) for workload in suite.workloads]
    print(f"Calls outside every transformation\n\n{table(results)}\n")
    print(import_times(arguments.rounds))
    print(wheel_size())
