"""Functions of ``scipy.cluster`` on traced values."""

from functrace.scipy.cluster import vq
from functrace.tracing.optional import names_of_scipy

__all__ = ["vq"]

__getattr__ = names_of_scipy("cluster")
