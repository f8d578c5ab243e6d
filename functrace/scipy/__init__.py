"""Functions of SciPy, on traced values too."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functrace.scipy import (
        cluster,
        fft,
        integrate,
        interpolate,
        linalg,
        ndimage,
        optimize,
        signal,
        sparse,
        spatial,
        special,
        stats,
    )

__all__ = [
    "cluster",
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "optimize",
    "signal",
    "sparse",
    "spatial",
    "special",
    "stats",
]


def __getattr__(name: str) -> Any:
    """A part, imported when it is asked for: who needs one need not wait for the others."""
    if name in __all__:
        return import_module(f"functrace.scipy.{name}")
    raise AttributeError(f"module 'functrace.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
