"""Functions of ``scipy.spatial`` on traced values."""

from functrace.scipy.spatial import distance
from functrace.tracing.optional import names_of_scipy

__all__ = ["distance"]

__getattr__ = names_of_scipy("spatial")
