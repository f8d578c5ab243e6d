"""Rows of functions that are applied to elements or rows of arrays."""

from __future__ import annotations

import numpy as np

from tests.functions.rows import call, given, row


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
row(
    "np.apply_along_axis",
    call(np.sum, 0, (2, 3)),
    call(np.cumsum, -1, (2, 3)),
    call(lambda row, by: np.outer(row, row) * by, 1, (2, 3, 2), 2.0),
)
row(
    "np.apply_over_axes",
    call(np.sum, (2, 3, 2), [0, 2]),
    call(np.mean, (2, 3), -1),
    call(np.cumsum, (2, 3), given((0, 1))),
)
