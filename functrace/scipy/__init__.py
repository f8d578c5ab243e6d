"""Functions of SciPy, on traced values too."""

from functrace.scipy import optimize, special

__all__ = ["optimize", "special"]
