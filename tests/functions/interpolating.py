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
    is_complex=False,
    why="a grid is real",
)
