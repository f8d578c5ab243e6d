"""What machine code gives beside what NumPy gives."""

from __future__ import annotations

import warnings

import numpy as np

import functrace as ft
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.kernels import why_not


def outcome(f, *args):
    """The leaves of a result, or the error; and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = ft.tree.leaves(f(*args))
        except np.linalg.LinAlgError as error:
            found = str(error)
    return found, {str(warning.message) for warning in caught}


def as_numpy(f, *args, whole=True):
    """Require the same errors, warnings, classes and dtypes.

    Args:
        f: The function.
        args: Its arguments.
        whole: Whether machine code must compute all of it.

    Returns:
        The pairs of leaves that are to be compared; none of an error.
    """
    if whole:
        assert why_not(decompose(ft.make_ir(f)(*args))) is None
    (found, said), (expected, wanted) = (
        outcome(ft.jit(f, backend=name), *args) for name in ("native", "numpy")
    )
    assert said == wanted
    if isinstance(expected, str):
        assert found == expected
        return []
    pairs = list(zip(found, expected, strict=True))
    for x, y in pairs:
        assert type(x) is type(y)
        assert x.dtype == y.dtype
    return pairs
