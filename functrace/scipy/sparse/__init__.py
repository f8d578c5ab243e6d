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
