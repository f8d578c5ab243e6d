"""Rows of norms."""

from __future__ import annotations

import numpy as np

from tests.cases import REGULAR, Input
from tests.functions.rows import call, row

row(
    "np.linalg.norm",
    call((3,)),
    call((2, 3)),
    call((2, 3), 1, 0),
    call((2, 3), np.inf, axis=1, keepdims=True),
    call(Input((2, 2), REGULAR), 2),
    call(Input((2, 2), REGULAR), "nuc"),
    call((2, 3), 3, axis=1),
)
row(
    "np.linalg.vector_norm",
    call((2, 3)),
    call((2, 3), axis=1, ord=1),
    call((2, 3), keepdims=True, ord=3),
)
row(
    "np.linalg.matrix_norm",
    call((2, 3)),
    call(Input((2, 2, 2), REGULAR), ord=1),
    call((2, 3), keepdims=True),
    since="2.3",
)
