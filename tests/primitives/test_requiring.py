"""Values that must be something."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.primitives.requiring import require


def positive(x):
    return require(2 * x, x > 0, "not positive", ZeroDivisionError)


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit, ft.vmap, lambda f: ft.jit(ft.vmap(f))])
def test_the_error_comes_where_the_values_are(transform):
    np.testing.assert_array_equal(transform(positive)(np.ones(2)), [2, 2])
    with pytest.raises(ZeroDivisionError, match="not positive"):
        transform(positive)(np.array([1.0, -1.0]))


def test_a_known_condition_is_not_recorded():
    with pytest.raises(ZeroDivisionError, match="not positive"):
        ft.grad(positive)(-1.0)
    program = ft.make_ir(lambda x: require(x, np.ones(2, bool), "never"))(1.0)
    assert not program.equations


def test_one_example_that_does_not_hold_is_enough():
    mapped = ft.vmap(lambda x, is_so: require(x, is_so, "not so"), in_axes=(None, 0))
    np.testing.assert_array_equal(mapped(1.0, np.ones(3, bool)), np.ones(3))
    with pytest.raises(ValueError, match="not so"):
        mapped(1.0, np.array([True, False, True]))
