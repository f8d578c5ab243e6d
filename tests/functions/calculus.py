"""Rows of differences, sums along an axis, and integrals."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, given, row

row("np.cumsum", call((2, 3)), call((2, 3), axis=1), call((3,), 0, dtype=np.complex128))
row("np.cumulative_sum", call((3,)), call((2, 3), axis=-1, include_initial=True))
row(
    "np.trapezoid",
    call((4,)),
    call((2, 3), Input((3,), DISTINCT)),
    call((3, 2), dx=0.5, axis=0),
    call((2, 3), Input((2, 3), DISTINCT), axis=1),
)
row(
    "np.diff",
    call((4,)),
    call((2, 3), n=2, axis=1),
    call((2, 3), 1, 0),
    call((2, 3), prepend=Input((2, 1)), append=1.5),
    call((3,), n=0),
)
row("np.ediff1d", call((2, 3)), call((4,), 0.5, given((1.0, 2.0))))
row(
    "np.gradient",
    call((4,)),
    call((3, 4), 0.5, axis=1),
    call((4,), Input(value=np.array([0.0, 1.0, 3.0, 3.5]))),
    call((3, 4), 0.5, 2.0, edge_order=2),
)
_HOLES = Input(value=np.array([[1.0, np.nan, -0.5], [2.0, 0.25, np.nan]]))
_ZEROS = Input(value=np.array([[1.0, 0.0, -0.5], [0.0, 0.25, 0.0]]))
row("np.cumprod", call((2, 3)), call((2, 3), axis=1), call(_ZEROS, 1), call((3,), 0, np.complex128))
row("np.cumulative_prod", call((3,)), call((2, 3), axis=-1, include_initial=True))
row("np.nancumsum", call((2, 3)), call(_HOLES, axis=1))
row("np.nancumprod", call((2, 3)), call(_HOLES, axis=1))
