"""Rows of functions that make arrays."""

from __future__ import annotations

import numpy as np

from tests.cases import BOOLEANS, POSITIVE, Input
from tests.functions.rows import call, constant, given, row

row("np.full", call(given((2, 3)), (3,)), call(2, ()), own=True)
for _name in ("zeros_like", "ones_like"):
    constant(f"np.{_name}", call((2, 3)), call((2, 3), dtype="complex64", shape=(3, 1)))
row("np.full_like", call((2, 3), (3,)), call((2, 3), 1.5, dtype="float32"), own=True)
row("np.copy", call((2, 3)), call((2, 3), order="F"))
row("np.copyto", call((2, 3), (3,)), call((2, 3), (2, 1), where=Input((3,), BOOLEANS)), writes=True)
row(
    "np.linspace",
    call((), (), 4),
    call((3,), (2, 1), num=3, endpoint=False, axis=-1),
    call((), 2.0, retstep=True),
)
row(
    "np.logspace",
    call((), (), 4),
    call((3,), (2, 1), num=3, base=2.0),
    call((), (2,), 3, base=Input((2, 1), POSITIVE), axis=1),
)
row(
    "np.geomspace",
    call(Input((), POSITIVE), Input((), POSITIVE), 4),
    call(Input((3,), POSITIVE), Input((2, 1), POSITIVE), num=3, endpoint=False, axis=-1),
    call(Input((2,), POSITIVE), 5.0, 1),
)
for _name in ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"):
    row(f"np.{_name}", call((2, 3)), call([(), ()]), call((2, 3), dtype="complex64"), own=True)
row("np.r_", call((2,), (3,)), call((), 1.5), own=True, use=lambda r_, *arrays: r_[arrays])
row("np.c_", call((3,), (3,)), call((2, 3), (2, 1)), own=True, use=lambda c_, *arrays: c_[arrays])
for _name in ("mgrid", "ogrid"):
    row(f"np.{_name}", call(()), use=lambda grid, end: grid[0:end:3j])
row("np.fromfunction", call(lambda i, x: i * x, given((3,)), x=Input(())))
constant("np.empty_like", call((2, 3)), use=lambda empty_like, x: empty_like(x).shape)
constant("np.can_cast", call((2, 3), np.float32))
constant("np.iterable", call((2, 3)), call(()))
constant("np.isfortran", call((2, 3)), call((3,)))
row("np.require", call((2, 3)), call((2, 3), "float32", "F"), own=True)
row("np.asarray_chkfinite", call((2, 3)), call((2, 3), "complex128"), own=True)
