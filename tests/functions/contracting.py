"""Rows of products."""

from __future__ import annotations

from tests.functions.rows import call, given, row

row(
    "np.matmul",
    call((2, 3), (3, 4)),
    call((3,), (3,)),
    call((2, 2, 3), (3, 1)),
    call((3,), (2, 3, 2)),
)
row("np.linalg.matmul", call((2, 3), (3, 4)), call((2, 2, 3), (3, 1)))
row("np.dot", call((2, 3), (3, 4)), call((3,), (3,)), call((2, 3), 2.0), call((2, 2, 3), (2, 3, 2)))
row("np.vdot", call((3,), (3,)), call((2, 3), (2, 3)))
row("np.inner", call((3,), (3,)), call((2, 3), (4, 3)), call(2.0, (3,)))
row("np.outer", call((3,), (2,)), call((2, 2), (3,)))
row("np.linalg.outer", call((3,), (2,)))
row(
    "np.tensordot",
    call((2, 3), (3, 2), 1),
    call((2, 3, 4), (4, 3), given(([1, 2], [1, 0]))),
    call((2,), (3,), axes=0),
)
row("np.linalg.tensordot", call((2, 3), (2, 3), axes=2), call((2, 3), (4, 3), axes=((1,), (1,))))
row("np.kron", call((2, 3), (2, 2)), call((3,), (2, 2)), call((2,), (3,)))
row("np.vecdot", call((2, 3), (3,)), call((3, 2), (3, 2), axis=0))
row("np.linalg.vecdot", call((2, 3), (3,)), call((3, 2), (3, 2), axis=0))
row("np.matvec", call((2, 3), (3,)), call((2, 3), (4, 3)))
row("np.vecmat", call((2,), (2, 3)), call((4, 2), (2, 3)))
row("np.cross", call((3,), (2, 3)), call((3, 2), (3, 2), axis=0))
row("np.linalg.cross", call((3,), (2, 3)), call((3, 2), (3, 2), axis=0))
row(
    "np.einsum",
    call("ij,jk->ik", (2, 3), (3, 4)),
    call("ii", (3, 3)),
    call("i,ij,j", (2,), (2, 3), (3,)),
    call("...j,j->...", (2, 3), (3,)),
    call((2, 3), [0, 1], [1, 0]),
)
