"""Rows of where elements are."""

from __future__ import annotations

import numpy as np

from tests.cases import Domain, Input
from tests.functions.rows import call, constant, given, known

_TIES = Input(value=np.array([2, 0, 1, 2, 0]))
_PLACES = Input((2, 3), Domain("PLACES", lambda rng, s, d: rng.integers(0, 6, s), "i"))
_ROWS = Input((3,), Domain("ROWS", lambda rng, s, d: rng.integers(0, 2, s), "i"))
known("np.nonzero", call((2, 3)), call(_TIES))
known("np.argwhere", call((2, 3)), call(_TIES))
known("np.flatnonzero", call((2, 3)), call(_TIES))
known(
    "np.trim_zeros",
    call(Input(value=np.array([0, 3, 0, 1, 0]))),
    call((3,), "f"),
    call(Input(value=np.array([[0, 0], [0, 2]])), axis=1),
    since="2.2",
)
constant("np.count_nonzero", call((2, 3)), call((2, 3), axis=1, keepdims=True), since="2.3")
constant(
    "np.unravel_index",
    call(_PLACES, given((2, 3))),
    call(_PLACES, given((3, 1, 2)), order="F"),
    call(_PLACES, 6),
)
constant(
    "np.ravel_multi_index",
    call([_ROWS, _ROWS], given((2, 3))),
    call([_PLACES, _PLACES], given((2, 3)), mode="wrap", order="F"),
    call([_PLACES, _PLACES], given((2, 3)), mode=given(("clip", "wrap"))),
)
