"""Sparse matrices whose elements may be traced, and the systems that they make.

SciPy's own sparse matrices are constants: ``A @ t`` and ``t @ A`` take them as they are.
"""

from functrace.scipy.sparse import linalg
from functrace.scipy.sparse.arrays import (
    SparseArray,
    coo_array,
    coo_matrix,
    csc_array,
    csc_matrix,
    csr_array,
    csr_matrix,
)
from functrace.tracing.optional import names_of_scipy

__all__ = [
    "SparseArray",
    "coo_array",
    "coo_matrix",
    "csc_array",
    "csc_matrix",
    "csr_array",
    "csr_matrix",
    "linalg",
]

__getattr__ = names_of_scipy("sparse")
