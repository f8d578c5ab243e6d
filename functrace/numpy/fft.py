"""Functions of ``numpy.fft``, which take lists of traced values too.

Example:
    >>> import functrace as ft
    >>> from functrace.numpy.fft import rfft
    >>> ft.grad(lambda t: abs(rfft([t, 1.0])[0]))(2.0)
    np.float64(1.0)
"""

# pyright: reportWildcardImportFromLibrary=false
# ruff: noqa: F403

from typing import TYPE_CHECKING

from numpy import fft as _original

from functrace.numpy.lists import attributes_of as _attributes_of

if TYPE_CHECKING:
    from numpy.fft import *

__all__ = list(_original.__all__)  # pyright: ignore[reportUnsupportedDunderAll]


__getattr__ = _attributes_of(_original, globals())


def __dir__() -> list[str]:
    return sorted(__all__)
