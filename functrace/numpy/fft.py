"""Functions of ``numpy.fft``, which take lists of traced values too.

Example:
    >>> import functrace as ft
    >>> from functrace.numpy.fft import rfft
    >>> ft.grad(lambda t: abs(rfft([t, 1.0])[0]))(2.0)
    np.float64(1.0)
"""

# pyright: reportWildcardImportFromLibrary=false
# ruff: noqa: F403

from typing import TYPE_CHECKING, Any

from numpy import fft as _original

from functrace.numpy.lists import accepting_lists_of as _accepting_lists_of

if TYPE_CHECKING:
    from numpy.fft import *

__all__ = list(_original.__all__)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _accepting_lists_of(_original, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
