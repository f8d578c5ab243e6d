"""Rows of methods of ufuncs."""

from __future__ import annotations

import numpy as np

from tests.cases import BOOLEANS, DISTINCT, POSITIVE, Input
from tests.functions.rows import call, constant, given, row

row(
    "np.add.reduce",
    call((2, 3)),
    call((2, 3), axis=1, keepdims=True),
    call((2, 3), axis=None, initial=1.5),
)
row("np.multiply.reduce", call((2, 3)), call((2, 3), axis=1, keepdims=True))
row("np.maximum.reduce", call(Input((2, 3), DISTINCT)), call(Input((2, 3), DISTINCT), axis=1))
row("np.minimum.reduce", call(Input((2, 3), DISTINCT)), call(Input((2, 3), DISTINCT), axis=1))
row("np.logaddexp.reduce", call((2, 3)), call((2, 3), axis=1))
constant("np.logical_and.reduce", call((2, 3)), call(Input((2, 3), BOOLEANS), axis=1))
constant("np.logical_or.reduce", call((2, 3)), call(Input((2, 3), BOOLEANS), axis=1))
row("np.add.accumulate", call((2, 3)), call((2, 3), axis=1))
row(
    "np.add.at",
    call((4,), Input(value=np.array([2, 0, 2])), (3,)),
    call((2, 3), given((slice(None), np.array([0, 0]))), (2, 2)),
    writes=True,
)
for _name in ("add", "multiply", "subtract", "divide", "arctan2", "logaddexp", "power", "hypot"):
    row(
        f"np.{_name}.outer",
        call(Input((2,), POSITIVE), Input((3,), POSITIVE)),
        call(Input((2, 2), POSITIVE), 2.0),
    )
