"""vmap against a Python loop over the examples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace import errors

RNG = np.random.default_rng(0)


def affine(p, x):
    return {"y": np.tanh(p["w"] @ x + p["b"]), "n": np.sum(x)}


@pytest.mark.parametrize("w_axis", [None, 0, 1, -1])
@pytest.mark.parametrize("x_axis", [None, 0, -1])
def test_every_choice_of_axes_is_a_loop(w_axis, x_axis):
    w, b, x = RNG.normal(size=(2, 3)), RNG.normal(size=2), RNG.normal(size=3)
    size = 4
    many = lambda a, axis: a if axis is None else np.stack([a * (k + 1) for k in range(size)], axis)
    axes = ({"w": w_axis, "b": 0}, x_axis)
    p = {"w": many(w, w_axis), "b": many(b, 0)}
    result = ft.vmap(affine, axes, out_axes={"y": 1, "n": 0})(p, many(x, x_axis))
    for k in range(size):
        one = affine(
            {"w": w if w_axis is None else w * (k + 1), "b": b * (k + 1)},
            x if x_axis is None else x * (k + 1),
        )
        np.testing.assert_allclose(result["y"][:, k], one["y"], rtol=1e-12)
        np.testing.assert_allclose(result["n"][k], one["n"], rtol=1e-12)


def test_nested_maps_and_gradients():
    x, y = RNG.normal(size=3), RNG.normal(size=(4,))
    table = ft.vmap(ft.vmap(lambda a, b: np.sin(a) * b, (None, 0)), (0, None))(x, y)
    np.testing.assert_allclose(table, np.sin(x)[:, None] * y, rtol=1e-15)
    slopes = ft.vmap(ft.grad(lambda a: np.sin(a) * a))(x)
    np.testing.assert_allclose(slopes, np.cos(x) * x + np.sin(x), rtol=1e-14)
    through = ft.grad(lambda x: np.sum(ft.vmap(np.sin)(x)))(x)
    np.testing.assert_allclose(through, np.cos(x), rtol=1e-14)


def test_a_jacobian_by_rows_at_once():
    f = lambda x: np.tanh(x) * x[::-1]
    x = RNG.normal(size=4)
    _, pullback = ft.vjp(f, x)
    (rows,) = ft.vmap(pullback)(np.eye(4))
    np.testing.assert_allclose(rows, ft.jacrev(f)(x), rtol=1e-14)


def test_arguments_that_are_not_mapped_stay_concrete():
    def f(x, n, flag):
        if flag:  # a Python value
            return x**n
        raise AssertionError

    np.testing.assert_array_equal(ft.vmap(f, (0, None, None))(np.arange(3.0), 2, True), [0, 1, 4])


def test_keyword_arguments_are_mapped_over_their_first_axis():
    result = ft.vmap(lambda x, *, scale: x * scale)(np.ones(3), scale=np.arange(3.0))
    np.testing.assert_array_equal(result, [0, 1, 2])


def test_outputs_that_do_not_depend_on_the_example():
    x = np.arange(3.0)
    np.testing.assert_array_equal(ft.vmap(lambda x: 7.0)(x), [7, 7, 7])
    assert ft.vmap(lambda x: 7.0, out_axes=None)(x) == 7.0
    pair = ft.vmap(lambda x: (x, np.ones(2)), out_axes=(0, 1))(x)
    assert pair[1].shape == (2, 3)
    pair[1][0, 0] = 5.0  # an array of its own
    with pytest.raises(errors.BatchAxisError, match="depends on the example"):
        ft.vmap(lambda x: x, out_axes=None)(x)
    pair = ft.vmap(lambda x: [x, 2.0], out_axes=[0, None])(x)  # a list, where the output is one
    assert pair[1] == 2.0


def test_no_examples_and_no_mapped_argument():
    assert ft.vmap(lambda x: np.sum(x) * 2.0)(np.zeros((0, 3))).shape == (0,)
    assert ft.vmap(lambda: 1.0, axis_size=4)().shape == (4,)
    with pytest.raises(errors.BatchAxisError, match="No argument is mapped"):
        ft.vmap(lambda x: x, in_axes=None)(1.0)


def test_axes_that_do_not_fit():
    f = lambda x, y: x + y
    with pytest.raises(errors.BatchAxisError, match="x has 2 along axis 0, y has 3 along axis 0"):
        ft.vmap(f)(np.ones(2), np.ones(3))
    with pytest.raises(errors.BatchAxisError, match=r"axis 2, but has shape \(2,\)"):
        ft.vmap(f, (2, 0))(np.ones(2), np.ones(2))
    with pytest.raises(errors.BatchAxisError, match="1 entries"):
        ft.vmap(f, (0,))(np.ones(2), np.ones(2))
    with pytest.raises(errors.BatchAxisError, match="tree prefix of the arguments"):
        ft.vmap(f, ({"a": 0}, 0))(np.ones(2), np.ones(2))
    with pytest.raises(errors.BatchAxisError, match="tree prefix of the output"):
        ft.vmap(f, out_axes={"a": 0})(np.ones(2), np.ones(2))
    with pytest.raises(errors.BatchAxisError, match="no axis of output 0"):
        ft.vmap(f, out_axes=3)(np.ones(2), np.ones(2))


def test_an_unknown_value_names_the_line():
    def f(x):
        if x > 0:  # this line
            return x
        return -x

    with pytest.raises(errors.UnknownValueError) as caught:
        ft.vmap(f)(np.ones(2))
    assert f"test_batch.py:{f.__code__.co_firstlineno + 1} in f" in str(caught.value)


def test_contractions_of_every_batching():
    a, b = RNG.normal(size=(5, 2, 3)), RNG.normal(size=(5, 3, 4))
    for a_axis, b_axis in itertools.product((None, 0), (None, 0)):
        if a_axis is b_axis is None:
            continue
        x = a if a_axis == 0 else a[0]
        y = b if b_axis == 0 else b[0]
        result = ft.vmap(np.matmul, (a_axis, b_axis))(x, y)
        np.testing.assert_allclose(result, np.matmul(x, y), rtol=1e-13)


def test_what_is_not_mapped_may_be_anything():
    xs = np.arange(3.0)
    found = ft.vmap(lambda f, x: f(x), (None, 0))(np.sin, xs)
    np.testing.assert_array_equal(found, np.sin(xs))
    options = {"name": "double", "by": 2.0}
    f = lambda options, x: x * options["by"] if options["name"] == "double" else x
    np.testing.assert_array_equal(ft.vmap(f, (None, 0))(options, xs), 2 * xs)
    with pytest.raises(errors.BatchAxisError, match="different lengths"):
        ft.vmap(lambda x, y, f: f(x, y), (0, 0, None))(xs, np.ones(2), np.add)


def test_booleans_are_no_axes():
    with pytest.raises(errors.BatchAxisError, match="not False"):
        ft.vmap(np.sin, in_axes=False)(np.ones(3))
    with pytest.raises(errors.BatchAxisError, match="not True"):
        ft.vmap(np.sin, out_axes=True)(np.ones((3, 2)))


def test_results_can_be_written():
    x = np.ones((200, 100))
    assert ft.vmap(lambda row: np.broadcast_to(row[:, None], (100, 3)))(x).flags.writeable
    assert ft.vmap(ft.grad(lambda row: np.sin(np.sum(row))))(x).flags.writeable
    assert ft.vmap(lambda row: np.zeros(3))(x).flags.writeable
    assert ft.hessian(lambda x: np.sin(np.sum(x)))(np.ones(150)).flags.writeable
    _, tangent = ft.jvp(ft.grad(lambda x: np.sum(x) ** 2), (x,), (x,))
    assert tangent.flags.writeable


def test_a_mapped_gradient_warns_no_more_than_the_gradient():
    root = lambda x: np.where(x > 0, np.sqrt(x), 0.0)
    for f, expected in ((root, 0.0), (np.sqrt, np.inf), (np.cbrt, np.inf)):
        xs = np.zeros(2)
        np.testing.assert_array_equal(ft.vmap(ft.grad(f))(xs), [expected, expected])
        np.testing.assert_array_equal(ft.jit(ft.vmap(ft.grad(f)))(xs), [expected, expected])
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        ft.vmap(lambda x: 1 / x)(np.zeros(2))
