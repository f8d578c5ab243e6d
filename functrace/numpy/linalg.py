"""Functions of ``numpy.linalg``, which take lists of traced values too.

Example:
    >>> import functrace as ft
    >>> from functrace.numpy.linalg import norm
    >>> ft.grad(lambda t: norm([3.0, t]))(4.0)
    np.float64(0.8)
"""

# pyright: reportWildcardImportFromLibrary=false
# ruff: noqa: F403

from typing import TYPE_CHECKING

from numpy import linalg as _original

from functrace.numpy.lists import attributes_of as _attributes_of

if TYPE_CHECKING:
    from numpy.linalg import *

__all__ = list(_original.__all__)  # pyright: ignore[reportUnsupportedDunderAll]


__getattr__ = _attributes_of(_original, globals())


def __dir__() -> list[str]:
    return sorted(__all__)
