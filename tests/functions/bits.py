"""Rows of bits."""

from __future__ import annotations

from tests.cases import BOOLEANS, INTEGERS, Domain, Input
from tests.functions.rows import call, constant

_BYTES = Domain("BYTES", lambda rng, s, d: rng.integers(0, 256, s), "i")
_PACKED = Input((2, 3), _BYTES, dtype="uint8")
constant(
    "np.packbits",
    call(Input((2, 9), BOOLEANS)),
    call(Input((2, 9), BOOLEANS), axis=0),
    call(Input((2, 9), INTEGERS), 1, bitorder="little"),
)
constant(
    "np.unpackbits",
    call(_PACKED),
    call(_PACKED, 0, count=9),
    call(_PACKED, axis=1, count=-3, bitorder="little"),
    skip={"shapes": "NumPy does not clear the bits that it adds to nothing"},
)
