"""Rows of moments, and what leaves out nan."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, POSITIVE, Input
from tests.functions.rows import call, row

_HOLES = Input(value=np.array([[1.0, np.nan, -0.5], [2.0, 0.25, np.nan]]))
for _name in ("var", "std"):
    row(
        f"np.{_name}",
        call((2, 3)),
        call((2, 3), axis=1, ddof=1, keepdims=True),
        call((3, 2), 0, correction=1),
    )
    row(f"np.nan{_name}", call((2, 3)), call(_HOLES, axis=0), call(_HOLES, 1, keepdims=True))
row(
    "np.average",
    call((2, 3)),
    call((2, 3), axis=1, weights=Input((3,), POSITIVE)),
    call((2, 3), 0, Input((2, 3), POSITIVE), returned=True),
)
for _name in ("sum", "prod", "mean"):
    row(f"np.nan{_name}", call((2, 3)), call(_HOLES, axis=1), call(_HOLES, keepdims=True))
for _name in ("max", "min"):
    row(f"np.nan{_name}", call(Input((2, 3), DISTINCT)), call(_HOLES, axis=1))
_REPEATS = Input(value=np.array([1, 2, 1, 3]))
row(
    "np.cov",
    call((2, 4)),
    call((4,), (4,)),
    call((4, 2), rowvar=False, ddof=0),
    call((2, 4), aweights=Input((4,), POSITIVE), fweights=_REPEATS),
    call((2, 4), bias=True, aweights=Input((4,), POSITIVE)),
    since="2.2",
)
row("np.corrcoef", call((2, 4)), call((4,), (4,)), call((4, 2), rowvar=False), since="2.2")
