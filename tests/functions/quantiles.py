"""Rows of medians and quantiles."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, given, row

_DISTINCT = Input((2, 5), DISTINCT)
_WITH_NAN = Input(value=np.array([[0.3, np.nan, 2.0], [1.1, 0.2, np.nan], [-0.9, 2.2, 0.4]]))
_WEIGHTS = Input(value=np.array([[0.5, 1.0, 0.25, 2.0, 0.3], [0.7, 3.0, 1.1, 0.6, 1.5]]))
row(
    "np.median",
    call(_DISTINCT),
    call(_DISTINCT, axis=1, keepdims=True),
    call(Input((2, 4), DISTINCT), 1),
)
row(
    "np.nanmedian",
    call(_DISTINCT),
    call(_DISTINCT, axis=1, keepdims=True),
    call(_WITH_NAN, 0),
)
for _name, _of in (("quantile", 1), ("percentile", 100)):
    for _prefix in ("", "nan"):
        row(
            f"np.{_prefix}{_name}",
            call(_WITH_NAN if _prefix else _DISTINCT, 0.3 * _of),
            call(_DISTINCT, Input(value=np.array([0.2, 0.55]) * _of), axis=1),
            call(_DISTINCT, [0.33 * _of], 1, keepdims=True, method="hazen"),
            call(_DISTINCT, 0.62 * _of, axis=given((1, 0)), method="midpoint"),
            call(_DISTINCT, 0.3 * _of, 1, weights=_WEIGHTS, method="inverted_cdf"),
        )
