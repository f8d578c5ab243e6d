"""Functions of SciPy, on traced values too."""

from functrace.scipy import integrate, linalg, optimize, special

__all__ = ["integrate", "linalg", "optimize", "special"]
