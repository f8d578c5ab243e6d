"""What a traced function computes, beside what NumPy computes."""

from __future__ import annotations

from typing import Any

import numpy as np

import functrace as ft
from functrace.testing import check_grads


def recorded(f: Any, *args: Any) -> Any:
    """The value that a function has when it runs as a recorded Program."""
    (value,) = ft.evaluate(ft.make_ir(f)(*args), *args)
    return value


def assert_like_numpy(f: Any, *args: Any, rtol: float | None = None) -> None:
    """The value, shape and dtype as NumPy's, of the recorded Program and of its types."""
    expected = f(*args)
    program = ft.make_ir(f)(*args)
    (type,) = [atom.type for atom in program.outputs]
    (value,) = ft.evaluate(program, *args)
    assert type.shape == np.shape(expected) == np.shape(value)
    assert type.dtype == np.asarray(expected).dtype == value.dtype
    assert_same_class(value, expected)
    assert_same_class(ft.jit(f)(*args), expected)
    if rtol is None:
        rtol = 1e-5 if type.dtype in (np.float32, np.complex64) else 1e-12
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=1e-12)


def assert_same_class(value: Any, expected: Any) -> None:
    """Both are arrays, or both are scalars."""
    assert isinstance(value, np.ndarray) == isinstance(expected, np.ndarray)


def leaves(output: Any) -> list[Any]:
    return list(output) if isinstance(output, list | tuple) else [output]


def agrees(f: Any, x: Any, grads: bool = True, types_only: bool = True) -> None:
    """Values, shapes and dtypes as NumPy's, traced with values and from types; derivatives."""
    expected = leaves(f(x.copy()))
    kept = x.copy()
    got, _ = ft.vjp(f, x)
    ways = [leaves(got)]
    if types_only:
        ways.append(ft.evaluate(ft.make_ir(f)(x), x))
    for results in ways:
        assert len(results) == len(expected)
        for result, y in zip(results, expected, strict=True):
            assert np.shape(result) == np.shape(y)
            assert np.asarray(result).dtype == np.asarray(y).dtype
            np.testing.assert_allclose(result, y, rtol=1e-14)
            assert_same_class(result, y)
    if grads:
        # A copy, because untraced functions may write their argument.
        check_grads(lambda x: f(x.copy()), (x,), order=2, modes=("rev",))
    np.testing.assert_array_equal(x, kept)


def real(*shape: int) -> Any:
    """Numbers of both signs in an array of a shape."""
    return np.random.default_rng(sum(shape)).uniform(-1.5, 1.5, shape)[()]


def check(f: Any, *args: Any) -> None:
    """The value as NumPy's, and derivatives of both orders and modes."""
    assert_like_numpy(f, *args)
    check_grads(f, args, order=2)
