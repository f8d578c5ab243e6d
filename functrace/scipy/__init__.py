"""Functions of SciPy, on traced values too."""

from functrace.scipy import integrate, interpolate, linalg, optimize, special, stats

__all__ = ["integrate", "interpolate", "linalg", "optimize", "special", "stats"]
