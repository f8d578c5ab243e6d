"""Rows of arrays as sets."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, constant, known

_DISTINCT = Input((2, 3), DISTINCT)
_SOME = Input(value=np.array([0.1, 5.0, -0.15]))
_OTHERS = Input(value=np.array([0.2, 5.0, -0.3]))
_TIES = Input(value=np.array([2, 0, 1, 2, 0]))
known(
    "np.unique",
    call(_DISTINCT),
    call(_DISTINCT, return_index=True, return_counts=True),
    call(_DISTINCT, axis=1),
)
for _name in ("all", "counts", "inverse"):
    known(f"np.unique_{_name}", call(_DISTINCT), call(_TIES))
known(
    "np.unique_values",
    call(_DISTINCT),
    call(_TIES),
    is_complex=False,
    why="the order of complex numbers jumps",
)
known("np.union1d", call(_DISTINCT, _OTHERS), call(_TIES, _OTHERS))
known("np.intersect1d", call(_DISTINCT, _SOME), call(_DISTINCT, _SOME, True, return_indices=True))
known("np.setdiff1d", call(_DISTINCT, _SOME), call(_TIES, _SOME))
known(
    "np.setxor1d",
    call(_DISTINCT, _OTHERS),
    call(_OTHERS, _DISTINCT, assume_unique=True),
    since="2.1",
)
constant("np.isin", call((2, 3), (4,)), call(_TIES, [0, 1]), call(_TIES, _TIES, invert=True))
