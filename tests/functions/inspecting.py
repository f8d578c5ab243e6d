"""Rows of questions about arrays, and comparisons."""

from __future__ import annotations

import numpy as np

from tests.functions.rows import call, constant

for _name in ("ndim", "shape"):
    constant(f"np.{_name}", call((2, 3)), call(()))
constant("np.size", call((2, 3)), call(()), call((2, 3), axis=1))
for _name in ("tril_indices_from", "triu_indices_from", "diag_indices_from"):
    constant(f"np.{_name}", call((3, 3)))
constant("np.result_type", call((2, 3), np.float32), call((), 1.0))
constant("np.common_type", call((2, 3), (3,)))
for _name in ("iscomplexobj", "isrealobj", "isreal", "iscomplex"):
    constant(f"np.{_name}", call((2, 3)), call(()))
constant("np.isclose", call((2, 3), (3,)), call((2, 3), 0.5, atol=0.7, equal_nan=True))
constant("np.allclose", call((2, 3), (3,)), call((2, 3), 0.5, 0.7, 3.0))
constant("np.array_equal", call((2, 3), (2, 3)), call((2,), (2,), equal_nan=True))
constant("np.array_equiv", call((2, 3), (3,)))
