"""Rows of medians and quantiles."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, row

_DISTINCT = Input((2, 5), DISTINCT)
row(
    "np.median",
    call(_DISTINCT),
    call(_DISTINCT, axis=1, keepdims=True),
    call(Input((2, 4), DISTINCT), 1),
)
row(
    "np.quantile",
    call(_DISTINCT, 0.3),
    call(_DISTINCT, Input(value=np.array([0.2, 0.55])), axis=1),
    call(_DISTINCT, [0.3], 1, keepdims=True, method="lower"),
)
row(
    "np.percentile",
    call(_DISTINCT, 30.0),
    call(_DISTINCT, Input(value=np.array([20.0, 55.0])), axis=1),
)
