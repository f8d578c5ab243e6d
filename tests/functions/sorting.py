"""Rows of orders, sets and counts."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, constant, known, row

_DISTINCT = Input((2, 3), DISTINCT)
_TIES = Input(value=np.array([2, 0, 1, 2, 0]))
constant("np.argsort", call(_DISTINCT), call(_DISTINCT, axis=0), call(_TIES, kind="stable"))
row("np.sort", call(_DISTINCT), call(_DISTINCT, axis=0), call(_DISTINCT, axis=None))
row("np.partition", call(Input((5,), DISTINCT), 2), call(_DISTINCT, 1, axis=0))
constant(
    "np.argpartition",
    call(Input((5,), DISTINCT), 2),
    call(_DISTINCT, 1, axis=0),
    dtypes=("float32", "int64"),
    why="the order within a part is left open",
)
constant("np.lexsort", call([_TIES, Input((5,), DISTINCT)]), call(_DISTINCT, axis=0), own=True)
known("np.nonzero", call((2, 3)), call(_TIES))
known("np.argwhere", call((2, 3)), call(_TIES))
known("np.flatnonzero", call((2, 3)), call(_TIES))
constant("np.isin", call((2, 3), (4,)), call(_TIES, [0, 1]), call(_TIES, _TIES, invert=True))
known("np.unique", call(_DISTINCT), call(_DISTINCT, return_index=True, return_counts=True))
constant(
    "np.searchsorted",
    call(Input(value=np.array([-1.0, 0.5, 1.0])), (2, 3)),
    call(Input(value=np.array([-1.0, 0.5, 1.0])), 0.5, side="right"),
)
constant("np.digitize", call((2, 3), np.array([-1.0, 0.5, 1.0])))
constant("np.count_nonzero", call((2, 3)), call((2, 3), axis=1, keepdims=True))
row("np.bincount", call(np.array([2, 0, 1, 2, 0]), weights=Input((5,)), minlength=4))
