"""Rows of reductions."""

from __future__ import annotations

import numpy as np

from tests.cases import BOOLEANS, DISTINCT, Input
from tests.functions.rows import call, constant, row

_DISTINCT = Input((2, 3), DISTINCT)
row(
    "np.sum",
    call((2, 3)),
    call((2, 3), axis=1),
    call((2, 3, 2), axis=(0, 2), keepdims=True),
    call((2, 3), 0, np.complex128),
    call((2, 3), where=Input((3,), BOOLEANS), initial=1.5),
)
row(
    "np.mean",
    call((2, 3)),
    call((2, 3), axis=1, keepdims=True),
    call((2, 3), where=np.array([True, False, True])),
)
row(
    "np.prod", call((2, 3)), call((2, 3), axis=0), call((2, 3), axis=1, where=Input((3,), BOOLEANS))
)
for _name in ("max", "min", "amax", "amin"):
    row(
        f"np.{_name}",
        call(_DISTINCT),
        call(_DISTINCT, axis=1, keepdims=True),
        call(_DISTINCT, 0, initial=0.05, where=np.array([True, False, True])),
    )
row("np.ptp", call(_DISTINCT), call(_DISTINCT, axis=1, keepdims=True))
for _name in ("argmax", "argmin", "nanargmax", "nanargmin"):
    constant(
        f"np.{_name}", call(_DISTINCT), call(_DISTINCT, axis=1), call(_DISTINCT, 0, keepdims=True)
    )
for _name in ("any", "all"):
    constant(f"np.{_name}", call((2, 3)), call(Input((2, 3), BOOLEANS), axis=1, keepdims=True))
