"""Rows of orders."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, constant, row

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
constant(
    "np.searchsorted",
    call(Input(value=np.array([-1.0, 0.5, 1.0])), (2, 3)),
    call(Input(value=np.array([-1.0, 0.5, 1.0])), 0.5, side="right"),
)
_EDGES = np.array([-1.0, 0.5, 1.0])
constant(
    "np.digitize",
    call((2, 3), Input(value=_EDGES)),
    call((2, 3), Input(value=_EDGES[::-1]), right=True),
)
row("np.sort_complex", call(_DISTINCT), call(Input((4,), DISTINCT)))
