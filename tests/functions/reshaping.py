"""Rows of other shapes and orders of axes."""

from __future__ import annotations

from tests.cases import Domain, Input
from tests.functions.rows import call, constant, given, row

_NUMBER = Input((), Domain("NUMBER", lambda rng, s, d: rng.integers(-2, 3, s), "i"))

row("np.reshape", call((2, 3), given((3, 2))), call((2, 3), -1, order="F"))
row("np.ravel", call((2, 3)), call((2, 3), order="F"))
row("np.expand_dims", call((2, 3), 1), call((3,), axis=(0, 2)))
row("np.squeeze", call((1, 3, 1)), call((1, 3, 1), axis=0))
for _name in ("atleast_1d", "atleast_2d", "atleast_3d"):
    row(f"np.{_name}", call((2, 3)), call(()), call((), (3,)))
row("np.transpose", call((2, 3)), call((2, 3, 4), axes=(2, 0, 1)))
row("np.permute_dims", call((2, 3)), call((2, 3, 4), axes=(2, 0, 1)))
row("np.matrix_transpose", call((2, 3)), call((2, 3, 4)))
row("np.swapaxes", call((2, 3, 4), 0, 2))
row("np.moveaxis", call((2, 3, 4), 0, -1), call((2, 3, 4), source=(0, 1), destination=(1, 2)))
row("np.rollaxis", call((2, 3, 4), 2), call((2, 3, 4), 0, 2))
row("np.broadcast_to", call((3,), given((2, 3))), call((2, 1), given((2, 3))))
row("np.broadcast_arrays", call((3,), (2, 1)), call((2, 3)))
row("np.meshgrid", call((3,), (2,)), call((3,), (2,), indexing="ij", sparse=True), call((2,)))
row("np.flip", call((2, 3)), call((2, 3), axis=1), call((2, 3), (0, 1)))
row("np.fliplr", call((2, 3)))
row("np.flipud", call((2, 3)))
row("np.rot90", call((2, 3)), call((2, 3), k=2), call((2, 3, 2), 3, axes=(0, 2)))
row("np.roll", call((2, 3), 1), call((2, 3), shift=(1, 2), axis=(0, 1)), call((3,), -2, 0))
row("np.diagonal", call((3, 3)), call((2, 3, 4), offset=1, axis1=2, axis2=0))
row("np.diag", call((3,)), call((2, 3)), call((3,), k=-1))
row("np.diagflat", call((3,)), call((2, 2), 1))
row("np.trace", call((2, 3)), call((3, 3, 2), offset=-1), call((2, 3, 3), 0, 1, 2))
constant("np.eye", call(3, 4, _NUMBER), call(3, k=_NUMBER, dtype="float32"), own=True)
constant("np.tri", call(3, 4, _NUMBER), call(3, k=_NUMBER, dtype="bool"), own=True, since="2.4")
row("np.tril", call((3, 3)), call((2, 3), k=1), call((2, 3, 3), -1))
row("np.triu", call((3, 3)), call((2, 3), k=1), call((2, 3, 3), -1))
row("np.linalg.matrix_transpose", call((2, 3)), call((2, 3, 4)))
