"""Functions of SciPy, on traced values too."""

from functrace.scipy import special

__all__ = ["special"]
