"""Measure every claim about `jit` and the functions; with `--write`, bring README.md up to date.

python -m benchmarks --write --plot
"""

from __future__ import annotations

from benchmarks import busy, equality, gradient_cost, jit, overhead, surface, training, unrolled
from benchmarks.harness import command_line

if __name__ == "__main__":
    arguments = command_line(__doc__)
    for script in (jit, overhead, gradient_cost, unrolled, busy, equality, surface, training):
        script.CLAIM.main(arguments)
