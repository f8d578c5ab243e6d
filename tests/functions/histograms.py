"""Rows of counts."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, given, row

_DATA = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
_EDGES = Input(value=np.array([-1.0, 0.0, 0.5, 1.3, 2.5]))
_DISTINCT = Input((2, 3), DISTINCT)
row("np.bincount", call(np.array([2, 0, 1, 2, 0]), weights=Input((5,)), minlength=4))
row(
    "np.histogram_bin_edges",
    call(_DISTINCT, 3),
    call(_DISTINCT, bins=_EDGES),
    call(_DISTINCT, 2, given((0, 1))),
)
row(
    "np.histogram",
    call(_DATA, 4, weights=Input((6,))),
    call(_DATA, _EDGES, weights=Input((6,)), density=True),
    call(_DISTINCT, 3, given((-0.55, 0.45)), density=True),
    dtypes=("complex128", "int64", "uint8", "bool"),
    why="sums of single precision are more exact than NumPy's",
)
row(
    "np.histogram2d",
    call(_DATA, _DATA[::-1], [_EDGES, 3], weights=Input((6,))),
    call(_DATA, _DATA[::-1], 2, [[-1, 1], [0, 2]], weights=Input((6,))),
)
row(
    "np.histogramdd",
    call([_DATA, _DATA[::-1]], [_EDGES, 3], weights=Input((6,))),
    call(_DATA.reshape(3, 2), 2, density=True, weights=Input((3,))),
)
