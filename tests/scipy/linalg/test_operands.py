"""In which dtypes functions of SciPy's compute."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from functrace.scipy import linalg
from functrace.scipy.linalg.operands import operands, precision, together

NAMES = (
    "inv", "det", "pinv", "svdvals", "eigvalsh", "eigvals", "lu_factor", "qr", "polar", "schur",
    "cosm",
)  # fmt: skip


@pytest.mark.parametrize("dtype", "bBhHiIlLefdgFDG")
def test_dtypes_are_scipys(dtype):
    a = np.array([[4, 1], [1, 3]]).astype(dtype)
    for name in NAMES:
        try:
            expected = getattr(scipy.linalg, name)(a)
        except TypeError:
            continue
        found = getattr(linalg, name)(a)
        pairs = (
            zip(found, expected, strict=True) if type(expected) is tuple else [(found, expected)]
        )
        for x, y in pairs:
            assert x.dtype == y.dtype, name
    for other in "bhifdFD":
        b = np.ones(2, other)
        assert linalg.solve(a, b).dtype == scipy.linalg.solve(a, b).dtype
        found = linalg.solve_triangular(a, b)
        assert found.dtype == scipy.linalg.solve_triangular(a, b).dtype == precision(a, b)


def test_stacks_are_broadcast():
    shapes = [x.shape for x in together(np.ones((2, 1, 3, 3)), np.ones((4, 3, 5)), np.ones((3, 1)))]
    assert shapes == [(2, 4, 3, 3), (2, 4, 3, 5), (2, 4, 3, 1)]
    with pytest.raises(ValueError, match="infs or NaNs"):
        operands(np.array([np.inf]))
    assert np.isinf(operands(np.array([np.inf]), check_finite=False))
