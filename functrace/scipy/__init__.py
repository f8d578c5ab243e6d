"""Functions of SciPy, on traced values too."""

from functrace.scipy import linalg, optimize, special

__all__ = ["linalg", "optimize", "special"]
