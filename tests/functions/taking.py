"""Rows of elements by index or by condition."""

from __future__ import annotations

import numpy as np

from tests.cases import BOOLEANS, Domain, Input
from tests.functions.rows import call, constant, given, row

_INDEX = Input(value=np.array([2, 0, -1]))
row(
    "np.take",
    call((4,), _INDEX),
    call((2, 3), _INDEX, axis=1),
    call((2, 3), [[5, 0]]),
    call((2, 3), _INDEX, 1, mode="wrap"),
)
row(
    "np.take_along_axis",
    call((2, 3), Input(value=np.array([[2, 0], [1, 1]])), 1),
    call((4,), _INDEX, axis=None),
)
row("np.compress", call([True, False, True], (3,)), call(np.array([True, False]), (2, 3), axis=0))
row("np.extract", call(np.array([True, False, True]), (3,)))
row("np.select", call([Input((3,), BOOLEANS), Input((3,), BOOLEANS)], [(3,), (3,)], 1.5))
row(
    "np.choose",
    call(Input(value=np.array([0, 1, 1])), [(3,), (3,)]),
    call(Input(value=np.array([3, 1, -1])), [(3,), (3,)], mode="wrap"),
)
constant("np.ix_", call(Input(value=np.array([0, 2])), Input(value=np.array([1]))))
row("np.put_along_axis", call((2, 3), Input(value=np.array([[2], [0]])), (2, 1), 1), writes=True)
row(
    "np.put",
    call((4,), Input(value=np.array([2, 0])), (2,)),
    call((2, 3), [0, 7], (2,), mode="wrap"),
    writes=True,
)
row("np.putmask", call((2, 3), Input((2, 3), BOOLEANS), (2,)), writes=True)
row("np.place", call((4,), np.array([True, False, True, True]), (2,)), writes=True)
row("np.fill_diagonal", call((3, 3), ()), call((3, 3), 2.0, wrap=True), writes=True)
_PLACE = Input((), Domain("PLACE", lambda rng, s, d: rng.integers(-4, 4, s), "i"))
_PLACES = Input((2,), Domain("PLACES", lambda rng, s, d: rng.integers(-4, 5, s), "i"))
row(
    "np.delete",
    call((4,), 1),
    call((2, 4), _PLACE, 1),
    call((2, 3), [0, 2], axis=1),
    call((4,), slice(1, 3)),
)
row(
    "np.insert",
    call((4,), 1, ()),
    call((4,), _PLACES, (2,)),
    call((2, 4), _PLACE, (), 1),
    call((2, 3), [0, 2], (2, 2), axis=1),
)
row("np.lib.stride_tricks.sliding_window_view", call((5,), 3), call((3, 4), given((2, 2))))
