"""Rows of interpolation."""

from __future__ import annotations

import numpy as np

from tests.cases import POSITIVE, Input
from tests.functions.rows import call, row

_GRID = np.array([0.0, 1.0, 2.5, 4.0])
row(
    "np.interp",
    call(Input((2, 3), POSITIVE), _GRID, (4,)),
    call(Input((3,), POSITIVE), Input(value=_GRID), (4,), left=0.5),
    call(Input((3,), POSITIVE), _GRID, (4,), period=3.7),
    is_complex=False,
    dtypes=("float32", "int64", "uint8", "bool"),
    why="a grid is real; of complex points NumPy drops the imaginary parts, with a warning",
)
