"""Rows of methods and attributes of arrays."""

from __future__ import annotations

import numpy as np

from tests.cases import (
    BETWEEN_WHOLE,
    BOOLEANS,
    DISTINCT,
    INTEGERS,
    NATURALS,
    POSITIVE,
    REALS,
    WHOLE_NONZERO,
    Input,
)
from tests.functions.rows import call, constant, given, known, row

_DISTINCT = Input((2, 3), DISTINCT)
_INDEX = Input(value=np.array([2, 0, -1]))
_MASK = np.array([True, False])

# Attributes

row("ndarray.T", call((2, 3)), call(()))
row("ndarray.mT", call((2, 3)), call((2, 3, 4)))
row("ndarray.real", call((2, 3)), call(Input((2, 3), dtype="complex128")))
row("ndarray.imag", call((2, 3)), call(Input((2, 3), dtype="complex128")))
for _name in ("shape", "ndim", "size", "itemsize", "nbytes", "dtype"):
    constant(f"ndarray.{_name}", call((2, 3)), call(()))

constant("ndarray.device", call((2, 3)), call(()), since="2.1")

# Other shapes and orders of axes

row("ndarray.copy", call((2, 3)), call((2, 3), order="F"))
row("ndarray.diagonal", call((3, 3)), call((2, 3, 4), offset=1, axis1=2, axis2=0))
row("ndarray.flatten", call((2, 3)), call((2, 3), "F"))
row("ndarray.ravel", call((2, 3)), call((2, 3), order="F"))
row("ndarray.reshape", call((2, 3), 3, 2), call((2, 3), given((3, 2))), call((2, 3), -1, order="F"))
row("ndarray.squeeze", call((1, 3, 1)), call((1, 3, 1), axis=0))
row("ndarray.swapaxes", call((2, 3, 4), 0, 2))
row("ndarray.transpose", call((2, 3)), call((2, 3, 4), 2, 0, 1), call((2, 3), given((1, 0))))
row("ndarray.repeat", call((2, 3), 2), call((2, 3), 2, axis=1))
row("ndarray.view", call((2, 3)), call((2, 3), np.ndarray), call((2, 4), "c16"))
row("ndarray.to_device", call((2, 3), "cpu"), since="2.1")

# Elements

row(
    "ndarray.choose",
    call(Input(value=np.array([0, 1, 1])), [(3,), (3,)]),
    argnums=(),
    skip={"derivative": "by the choices: np.choose(i, choices)"},
)
row("ndarray.compress", call((2, 3), _MASK, axis=0), call((3,), [True, False, True]))
row(
    "ndarray.take",
    call((4,), _INDEX),
    call((2, 3), _INDEX, axis=1),
    call((3,), _INDEX, mode="clip"),
)
row("ndarray.astype", call((2, 3), np.float64), call((2, 3), "complex64", casting="unsafe"))
row("ndarray.clip", call(DISTINCT, -0.33, 0.4), call((2, 3), (3,), 1.5), call((2, 3), max=0.45))
row("ndarray.conj", call((2, 3)))
row("ndarray.conjugate", call((2, 3)))
constant("ndarray.round", call(BETWEEN_WHOLE), call(BETWEEN_WHOLE, decimals=-1))

# Reductions

row(
    "ndarray.sum", call((2, 3)), call((2, 3), axis=1, keepdims=True), call((2, 3), 0, np.complex128)
)
row("ndarray.mean", call((2, 3)), call((2, 3), axis=1, keepdims=True))
row("ndarray.prod", call((2, 3)), call((2, 3), axis=1, keepdims=True))
row("ndarray.std", call((2, 3)), call((2, 3), axis=1, ddof=1))
row("ndarray.var", call((2, 3)), call((2, 3), axis=1, ddof=1))
row("ndarray.trace", call((2, 3)), call((2, 3, 3), 1, 1, 2))
row("ndarray.cumprod", call((2, 3)), call((2, 3), axis=1))
row("ndarray.cumsum", call((2, 3)), call((2, 3), axis=1))
row(
    "ndarray.dot",
    call((2, 3), (3, 4)),
    call((3,), (3,)),
    skip={"shapes": "NumPy's scalars have no dot"},
)
for _name in ("max", "min"):
    row(f"ndarray.{_name}", call(_DISTINCT), call(_DISTINCT, axis=1, keepdims=True))
for _name in ("argmax", "argmin"):
    constant(f"ndarray.{_name}", call(_DISTINCT), call(_DISTINCT, axis=1, keepdims=True))
for _name in ("all", "any"):
    constant(f"ndarray.{_name}", call((2, 3)), call(Input((2, 3), BOOLEANS), axis=1))

# Orders

constant("ndarray.argsort", call(_DISTINCT), call(_DISTINCT, axis=0))
constant(
    "ndarray.argpartition",
    call(Input((5,), DISTINCT), 2),
    dtypes=("float32", "int64"),
    why="the order within a part is left open",
)
known("ndarray.nonzero", call((2, 3)))
constant("ndarray.searchsorted", call(Input(value=np.array([-1.0, 0.5, 1.0])), (2, 3)))
row("ndarray.sort", call(_DISTINCT), call(_DISTINCT, axis=0), writes=True)
row(
    "ndarray.partition",
    call(Input((5,), DISTINCT), 2),
    call(_DISTINCT, 1, axis=0),
    writes=True,
    dtypes=("float32", "int64"),
    why="the order within a part is left open",
)

# Writing

row("ndarray.fill", call((2, 3), ()), call((3,), 1.5), writes=True, since="2.4")
row("ndarray.put", call((4,), Input(value=np.array([2, 0])), (2,)), writes=True)

# Python's operators

for _name in ("add", "sub", "mul", "truediv", "pow"):
    row(f"ndarray.__{_name}__", call(POSITIVE, POSITIVE), call(Input((3,), POSITIVE), 2))
    row(f"ndarray.__r{_name}__", call(POSITIVE, POSITIVE), call(Input((3,), POSITIVE), 2))
row("ndarray.__mod__", call(BETWEEN_WHOLE, WHOLE_NONZERO))
row("ndarray.__rmod__", call(WHOLE_NONZERO, BETWEEN_WHOLE))
constant("ndarray.__floordiv__", call(BETWEEN_WHOLE, WHOLE_NONZERO))
constant("ndarray.__rfloordiv__", call(WHOLE_NONZERO, BETWEEN_WHOLE))
row("ndarray.__divmod__", call(BETWEEN_WHOLE, WHOLE_NONZERO))
row("ndarray.__matmul__", call((2, 3), (3,)), call((3,), (3,)))
for _name in ("neg", "pos", "abs"):
    row(f"ndarray.__{_name}__", call(REALS))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    constant(f"ndarray.__{_name}__", call(REALS, REALS), call((3,), 0.5))
for _name in ("and", "or", "xor"):
    constant(f"ndarray.__{_name}__", call(INTEGERS, INTEGERS), call(BOOLEANS, BOOLEANS))
for _name in ("lshift", "rshift"):
    constant(f"ndarray.__{_name}__", call(INTEGERS, NATURALS))
constant("ndarray.__invert__", call(INTEGERS), call(BOOLEANS))
row(
    "ndarray.__getitem__",
    call((3,), slice(1, None)),
    call((2, 3), given((1, Ellipsis))),
    call((4,), _INDEX),
)
row(
    "ndarray.__setitem__",
    call((3,), slice(1, None), (2,)),
    call((2, 3), given((1, 0)), 1.5),
    writes=True,
)
