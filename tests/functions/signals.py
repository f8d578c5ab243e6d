"""Rows of convolution, windows and phases."""

from __future__ import annotations

import numpy as np

from tests.cases import POSITIVE, REALS, Input
from tests.functions.rows import call, elementwise, row

row("np.convolve", call((4,), (3,)), call((4,), (3,), "same"), call((3,), (5,), "valid"))
row("np.correlate", call((4,), (3,)), call((4,), (3,), "full"), call((3,), (5,), mode="same"))
elementwise("np.sinc", REALS)
elementwise("np.i0", REALS)
row("np.kaiser", call(5, Input((), POSITIVE)), call(1, Input((), POSITIVE)), own=True)
row(
    "np.unwrap",
    call(Input(value=np.array([0.0, 4.0, 9.0, 8.5, 1.0]))),
    call(Input((3, 4), REALS), discont=1.0, axis=0, period=1.7),
)
