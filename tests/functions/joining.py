"""Rows of joining and splitting."""

from __future__ import annotations

from tests.cases import DISTINCT, Input
from tests.functions.rows import call, given, row

row(
    "np.concatenate",
    call([(2, 3), (1, 3)]),
    call([(2, 3), (2, 1)], axis=1),
    call([(2,), (2, 2)], None),
)
row("np.concat", call([(2, 3), (1, 3)]), call([(2, 3), (2, 1)], axis=1))
row("np.stack", call([(2, 3), (2, 3)]), call([(3,), (3,)], axis=-1), call([(), ()]))
for _name in ("vstack", "hstack", "dstack"):
    row(f"np.{_name}", call([(2, 3), (2, 3)]), call([(3,), (3,)]), call([(), ()]))
row("np.column_stack", call([(2, 3), (2,)]), call([(3,), (3,)]))
row("np.block", call([[(2, 3), (2, 1)], [(1, 3), (1, 1)]]), call([(2,), (1,)]), call((2,)))
row("np.append", call((2, 3), (2,)), call((2, 3), (1, 3), axis=0), call((2,), 1.5))
row("np.array_split", call((5,), 3), call((5, 2), [1, 3], axis=0))
row("np.split", call((4,), 2), call((2, 4), [1, 3], axis=1))
row("np.hsplit", call((2, 4), 2), call((4,), [1]))
row("np.vsplit", call((4, 2), 2))
row("np.dsplit", call((2, 1, 4), 2))
row("np.unstack", call((2, 3)), call((2, 3), axis=1))
row("np.tile", call((2, 3), 2), call((3,), given((2, 1, 2))))
row(
    "np.repeat",
    call((2, 3), 2),
    call((2, 3), 2, axis=1),
    call((3,), [1, 0, 2]),
    call((), 3, axis=0),
)
row("np.resize", call((2, 3), given((3, 4))), call((4,), 3))
row(
    "np.pad",
    call((2, 3), 1),
    call((4,), given((1, 2)), mode="reflect"),
    call((2, 3), given(((1, 0), (0, 2))), "edge"),
    call((3,), 2, "wrap"),
    call((3,), 2, constant_values=1.5),
    call((2, 3), 2, "linear_ramp", end_values=0.5),
    call((2, 3), given(((1, 2), (0, 1))), "mean", stat_length=2),
    call(Input((2, 3), DISTINCT), 1, "maximum"),
    call(Input((3, 2), DISTINCT), 1, "median"),
    call((2, 3), given(((2, 1), (4, 3))), "reflect", reflect_type="odd"),
    call((3,), 4, "symmetric", reflect_type="odd"),
)
