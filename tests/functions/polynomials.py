"""Rows of polynomials."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, POSITIVE, Input
from tests.functions.rows import call, known, row

_COMPLEX = {
    **dict.fromkeys(
        ("values", "spelling", "batch", "compiled gradient", "layout"),
        "compiled roots are complex: see test_polynomials.py",
    ),
    "shapes": "NumPy looks for traced values among the coefficients, of which there may be none",
}
row("np.polyval", call((3,), (2, 3)), call((3,), 0.5))
row("np.polyadd", call((3,), (2,)), call((2,), (4,)), call((), (2,)))
row("np.polysub", call((3,), (2,)), call((2,), (4,)))
row("np.polymul", call((3,), (2,)), call((1,), (4,)))
row(
    "np.polydiv",
    call((5,), (2,)),
    call((2,), (3,)),
    call((3,), (1,)),
    dtypes=("complex128", "int64"),
    why="single precision leaves remainders that are no zeros, by rounding",
)
row("np.polyder", call((4,)), call((4,), 2), call((4,), m=0))
row("np.polyint", call((3,)), call((3,), 2), call((3,), m=2, k=(2,)), call((3,), 1, 0.5))
row("np.vander", call((3,)), call((3,), 2, True), call((3,), N=4))
row("np.poly", call((3,)))
row(
    "np.roots",
    call(Input((4,), DISTINCT)),
    call(Input((2,), POSITIVE)),
    dtypes=(),
    is_complex=False,
    skip=_COMPLEX,
    why="the order of complex roots is LAPACK's",
)
row(
    "np.polyfit",
    call(Input(value=np.linspace(-1.0, 1.2, 6)), (6,), 2),
    call(Input(value=np.linspace(-1.0, 1.2, 6)), (6, 2), 1, w=Input((6,), POSITIVE)),
)
known("np.poly1d", call((3,)), own=True, use=lambda poly1d, c: poly1d(c)(0.5))
