"""Rows of what makes functions of arrays out of functions of numbers."""

from __future__ import annotations

import numpy as np

from tests.functions.rows import call, row


def _ramp(x, slope):
    return x * slope + np.sin(x)


row("np.vectorize", call((2, 3), (3,)), own=True, use=lambda vectorize, *xs: vectorize(_ramp)(*xs))
row(
    "np.frompyfunc",
    call((2, 3), (3,)),
    own=True,
    use=lambda frompyfunc, *xs: frompyfunc(_ramp, 2, 1)(*xs).astype(float),
    dtypes=("int64",),
    why="NumPy's results are objects; traced ones have a dtype",
)
row(
    "np.ndenumerate",
    call((2, 3)),
    own=True,
    use=lambda ndenumerate, x: sum(sum(index) * element for index, element in ndenumerate(x)),
)
