"""``python -m functrace``: what is installed, for reports of faults, and a demonstration.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from typing import Any

import numpy as np

from functrace.backends.backend import NATIVE, backend_named
from functrace.config import config
from functrace.errors import ArgumentError
from functrace.transforms.evaluate import make_ir
from functrace.transforms.reverse import value_and_grad

OPTIONAL = "scipy", "llvmlite", "resvg_py", "jax", "torch", "autograd"


def versions() -> dict[str, str]:
    """What the answer to a report of a fault depends on."""
    built: Any = np.show_config(mode="dicts")
    blas = built["Build Dependencies"]["blas"]
    found = {
        "functrace": str(getattr(sys.modules["functrace"], "__version__", "")),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": f"{platform.system()} {platform.machine()}",
        "NumPy": np.__version__,
        "BLAS": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "cores": str(os.cpu_count()),
        "threads": str(config.threads),
        "backend": config.backend,
        "machine code": _machine_code(),
    }
    for name in OPTIONAL:
        if importlib.util.find_spec(name) is not None:
            found[name] = importlib.metadata.version(name)
    return found


def _machine_code() -> str:
    """Whether there is a backend for it, and why not."""
    try:
        backend_named(NATIVE)
    except ArgumentError as error:
        return error.what
    return "ready"


def demonstration() -> str:
    """A gradient, and the Program that is recorded of it."""

    def loss(w: Any) -> Any:
        return (np.tanh(2.0 * w) - 0.5) ** 2

    program = make_ir(value_and_grad(loss))(0.3)
    value, slope = value_and_grad(loss)(0.3)
    return (
        f"loss(w) = (tanh(2 w) - 0.5)^2 at w = 0.3 is {value:.6f}, its derivative {slope:.6f};\n"
        f"what functrace records of both:\n\n{program}"
    )


def main() -> None:
    """Print both."""
    found = versions()
    width = max(map(len, found))
    lines = [f"{name:<{width}}  {value}" for name, value in found.items()]
    sys.stdout.write("\n".join([*lines, "", demonstration(), ""]))


if __name__ == "__main__":
    main()
