"""Rows of functions that choose among functions."""

from __future__ import annotations

import numpy as np

from tests.cases import Input
from tests.functions.rows import call, row

row(
    "np.piecewise",
    call(
        (3,),
        [Input(value=np.array([True, False, False])), np.array([False, True, False])],
        [np.sin, 2.0, np.exp],
    ),
)
