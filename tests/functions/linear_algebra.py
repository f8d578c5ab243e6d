"""Rows of linear algebra."""

from __future__ import annotations

import numpy as np

from tests.cases import POSITIVE_DEFINITE, REGULAR, Domain, Input
from tests.functions.rows import call, constant, row

_SPREAD = Domain(
    "SPREAD",
    lambda rng, s, d: rng.uniform(-0.3, 0.3, s) + np.eye(*s[-2:]) * np.arange(1, s[-1] + 1),
    imaginary=0.2,
)
"""Matrices with distinct eigenvalues, and distinct singular values."""
_REGULAR_TENSOR = Domain(
    "REGULAR_TENSOR",
    lambda rng, s, d: (rng.uniform(-1, 1, (6, 6)) + 3 * np.eye(6)).reshape(s),
)
_SQUARE = Input((3, 3), REGULAR)
_STACK = Input((2, 2, 2), REGULAR)

row("np.linalg.solve", call(_SQUARE, (3,)), call(_SQUARE, (3, 2)), call(_STACK, (2, 1)))
row("np.linalg.inv", call(_SQUARE), call(_STACK))
row("np.linalg.pinv", call(_SQUARE), call(Input((3, 2), REGULAR)), call(_STACK, rcond=1e-6))
row("np.linalg.tensorsolve", call(Input((2, 3, 6), _REGULAR_TENSOR), (2, 3)))
row("np.linalg.tensorinv", call(Input((6, 2, 3), _REGULAR_TENSOR), ind=1))
row(
    "np.linalg.cholesky",
    call(Input((3, 3), POSITIVE_DEFINITE)),
    call(Input((2, 2, 2), POSITIVE_DEFINITE), upper=True),
)
row(
    "np.linalg.eigh",
    call(Input((3, 3), _SPREAD)),
    call(Input((2, 2, 2), _SPREAD), UPLO="U"),
    is_complex=False,
    why="the phases of complex vectors are chosen by LAPACK",
)
row("np.linalg.eigvalsh", call(Input((3, 3), _SPREAD)), call(Input((2, 2, 2), _SPREAD), "U"))
row(
    "np.linalg.svd",
    call(Input((3, 3), _SPREAD)),
    call(Input((3, 2), _SPREAD), full_matrices=False),
    call(Input((2, 2, 2), _SPREAD), compute_uv=False),
    is_complex=False,
    why="the phases of complex vectors are chosen by LAPACK",
)
row("np.linalg.svdvals", call(Input((3, 2), _SPREAD)))
row("np.linalg.qr", call(_SQUARE), call(Input((3, 2), REGULAR)), call(_STACK, mode="r"))
row("np.linalg.det", call(_SQUARE), call(_STACK))
row("np.linalg.slogdet", call(_SQUARE), call(_STACK))
constant("np.linalg.matrix_rank", call(_SQUARE), call(_STACK))
row(
    "np.linalg.cond",
    call(_SQUARE),
    call(_STACK, "fro"),
    dtypes=("float32", "complex128", "complex64", "int64"),
    why="matrices of few bits are singular",
    since="2.3",
)
row("np.linalg.trace", call((2, 3)), call((2, 3, 3), offset=1))
row("np.linalg.diagonal", call((2, 3)), call((2, 3, 3), offset=-1))
row("np.linalg.matrix_power", call(_SQUARE, 3), call(_STACK, -1), call(_SQUARE, 0))
row("np.linalg.multi_dot", call([(2, 3), (3, 2), (2, 4)]), call([(3,), (3, 2), (2,)]))
_APART = Domain(
    "APART",
    lambda rng, s, d: rng.uniform(-0.1, 0.1, s) + np.eye(*s[-2:]) * np.arange(1, s[-1] + 1),
    imaginary=0.1,
)
"""Matrices with eigenvalues that are far from each other."""
_COMPLEX = {
    "dtypes": ("complex64",),
    "why": "those of real matrices are complex where they are not known to be real",
}
row("np.linalg.eigvals", call(Input((3, 3), _APART, dtype="complex128")), **_COMPLEX)
row(
    "np.linalg.eig",
    call(Input((3, 3), _APART, dtype="complex128")),
    call(Input((2, 2, 2), _APART, dtype="complex128")),
    use=lambda eig, a: (eig(a).eigenvalues, np.abs(eig(a).eigenvectors)),  # without their phases
    **_COMPLEX,
)
row(
    "np.linalg.lstsq",
    call(Input((4, 2), REGULAR), (4,)),
    call(Input((4, 2), REGULAR), (4, 2)),
    dtypes=("float32", "complex128", "complex64", "int64"),
    why="matrices of few bits are singular",
)
