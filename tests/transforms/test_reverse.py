"""Reverse mode: what `grad` and its kin promise, whatever primitives they meet."""

from __future__ import annotations

import contextlib
import functools
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def cube(x):
    return x * x * x


# Derivatives


def test_grad_of_a_scalar_function():
    assert ft.grad(cube)(2.0) == 12.0
    assert ft.grad(ft.grad(cube))(2.0) == 12.0
    assert ft.grad(ft.grad(ft.grad(cube)))(2.0) == 6.0


def test_every_order_of_derivative_of_sine():
    f, expected = np.sin, [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin]
    for derivative in expected:
        f = ft.grad(f)
        assert f(0.7) == pytest.approx(derivative(0.7), rel=1e-14)


def test_value_and_grad_gives_both():
    value, gradient = ft.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 3.0]))
    assert value == 10.0
    np.testing.assert_array_equal(gradient, [2.0, 6.0])


def test_a_function_that_returns_its_input():
    assert ft.value_and_grad(lambda x: x)(2.0) == (2.0, 1.0)


def test_perturbations_are_not_confused():
    # d/dx [x * d/dy (x + y)] = 1; confusing the two derivatives gives 2.
    assert ft.grad(lambda x: x * ft.grad(lambda y: x + y)(1.0))(3.0) == 1.0
    # The example of Siskind and Pearlmutter (2005).
    assert ft.grad(lambda x: x * ft.grad(lambda y: x * y)(2.0))(3.0) == 6.0


def test_a_gradient_inside_a_closure_over_outer_values():
    def outer(x):
        slope = ft.grad(lambda y: np.sin(x * y) * y)(x)
        return slope * x

    step = 1e-5
    numerical = (outer(0.8 + step) - outer(0.8 - step)) / (2 * step)
    assert ft.grad(outer)(0.8) == pytest.approx(numerical, rel=1e-8)


def test_python_control_flow_follows_values():
    def f(x):
        steps = 0
        while x < 100.0:
            x = x * x if x > 3 else x * 3
            steps += 1
        return x / steps

    # 2 -> 6 -> 36 -> 1296 in three steps: here f(x) = (3 x)**4 / 3
    assert ft.value_and_grad(f)(2.0) == (1296 / 3, 4 * 6.0**3)


def test_recursion_and_python_integers():
    def power(x, n):
        return 1.0 if n == 0 else x * power(x, n - 1)

    assert ft.grad(power)(2.0, 10) == 10 * 2.0**9


# Arguments


def test_argnums_select_one_or_several():
    f = lambda x, y, z: x * y**2 * z**3
    assert ft.grad(f, argnums=1)(2.0, 3.0, 1.0) == 12.0
    assert ft.grad(f, argnums=(0, 2))(2.0, 3.0, 1.0) == (9.0, 54.0)
    assert ft.grad(f, argnums=[2])(2.0, 3.0, 1.0) == (54.0,)
    assert ft.grad(f, argnums=-1)(2.0, 3.0, 1.0) == 54.0


def test_arguments_by_keyword():
    def f(x, *, scale=1.0, shift=0.0):
        return scale * x + shift

    assert ft.grad(f)(2.0, scale=5.0) == 5.0
    assert ft.grad(lambda x, y: x * y, argnums=1)(2.0, y=3.0) == 2.0
    assert ft.grad(lambda x, y: x * y)(x=2.0, y=3.0) == 3.0


def test_a_missing_argument_is_named():
    with pytest.raises(errors.ArgumentError, match=r"argnums=2.*called with 1 positional"):
        ft.grad(lambda x, y=1, z=2: x, argnums=2)(1.0)
    with pytest.raises(errors.ArgumentError, match="names an argument twice"):
        ft.grad(lambda x: x, argnums=(0, -1))(1.0)
    with pytest.raises(errors.ArgumentError, match="integers, not 'x'"):
        ft.grad(lambda x: x, argnums=("x",))(1.0)


class Point(NamedTuple):
    x: float
    y: float


def test_any_tree_of_parameters():
    params = {
        "layers": [{"w": np.ones((2, 2)), "b": np.zeros(2)}, (np.float32(1.0), None)],
        "point": Point(1.0, 2.0),
        "ordered": OrderedDict(z=3.0, a=4.0),
    }

    def loss(p):
        h = np.tanh(p["layers"][0]["w"] @ np.ones(2) + p["layers"][0]["b"])
        o = p["ordered"]
        return np.sum(h) * p["layers"][1][0] + p["point"].x * p["point"].y + o["z"] * o["a"]

    gradient = ft.grad(loss)(params)
    assert ft.tree.structure(gradient) == ft.tree.structure(params)
    assert gradient["point"] == Point(2.0, 1.0)
    assert gradient["ordered"] == OrderedDict(z=4.0, a=3.0)
    assert gradient["layers"][1][0].dtype == np.float32
    assert gradient["layers"][0]["w"].shape == (2, 2)


def test_an_empty_tree():
    assert ft.value_and_grad(lambda p, x: x)({}, 2.0) == (2.0, {})
    assert ft.grad(lambda p: 1.0)(None) is None


def test_has_aux():
    f = lambda x: (x**2, {"x": x, "name": "aux", "twice": 2 * x})
    (value, aux), gradient = ft.value_and_grad(f, has_aux=True)(3.0)
    assert (value, gradient) == (9.0, 6.0)
    assert aux == {"x": 3.0, "name": "aux", "twice": 6.0}
    assert ft.grad(f, has_aux=True)(3.0) == (6.0, aux)


def test_aux_of_a_nested_gradient_keeps_the_outer_derivative():
    def outer(x):
        _, aux = ft.grad(lambda y: (x * y, x * y), has_aux=True)(2.0)
        return aux

    assert ft.grad(outer)(5.0) == 2.0


def test_aux_must_be_a_pair():
    with pytest.raises(errors.AuxiliaryError, match="not a pair"):
        ft.grad(lambda x: x, has_aux=True)(1.0)


def test_allow_int_gives_none():
    f = lambda p: p["x"] * p["n"]
    assert ft.grad(f, allow_int=True)({"x": 2.0, "n": 3}) == {"x": 3.0, "n": None}
    with pytest.raises(errors.NonFloatLeafError, match=r"p\['n'\]"):
        ft.grad(f)({"x": 2.0, "n": 3})


def test_functions_keep_their_name_and_signature():
    def loss(params, x):
        """The loss."""
        return x

    for transformed in (ft.grad(loss), ft.value_and_grad(loss), ft.jacrev(loss)):
        assert transformed.__name__ == "loss"
        assert transformed.__doc__ == "The loss."
        assert transformed.__wrapped__ is loss
    assert ft.grad(functools.partial(lambda a, x: a * x, 2.0))(1.0) == 2.0


# Values given back


def test_dtypes_are_numpys():
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        x = np.ones(3, dtype)
        value, gradient = ft.value_and_grad(lambda x: np.sum(x * 2.0 + 1))(x)
        assert value.dtype == gradient.dtype == dtype
        assert type(value) is type(np.sum(x))


def test_a_python_scalar_stays_weak():
    x = np.ones(3, np.float32)
    value, gradient = ft.value_and_grad(lambda a: np.sum(a * x))(2.0)
    assert value.dtype == np.float32
    assert gradient.dtype == np.float64


def test_mixed_precision_gives_each_its_own():
    f = lambda x, y: np.sum(x * y)
    gx, gy = ft.grad(f, argnums=(0, 1))(np.ones(2, np.float32), np.ones(2, np.float64))
    assert (gx.dtype, gy.dtype) == (np.float32, np.float64)


def test_gradients_are_arrays_of_their_own():
    x, y = np.ones(3), np.full(3, 2.0)
    gx, gy = ft.grad(lambda x, y: np.sum(x + y), argnums=(0, 1))(x, y)
    gx *= 5
    np.testing.assert_array_equal(gy, np.ones(3))
    np.testing.assert_array_equal(x, np.ones(3))

    _, pullback = ft.vjp(lambda x: x, x)
    cotangent = np.ones(3)
    (result,) = pullback(cotangent)
    result += 1
    np.testing.assert_array_equal(cotangent, np.ones(3))


def test_what_vjp_returned_may_be_written_before_the_pullback_is_called():
    x = np.array([0.0, 1.0])

    def residual_gradient(x):
        y, pullback, hidden = ft.vjp(lambda x: (np.exp(x), np.exp(2 * x)), x, has_aux=True)
        y -= 3.0  # the rule of exp is made of its output
        hidden[0] = 0.0
        return pullback(y)[0]

    expected = lambda x: (np.exp(x) - 3) * np.exp(x)
    np.testing.assert_allclose(residual_gradient(x), expected(x))
    for transform in (ft.grad, lambda f: ft.jit(ft.grad(f))):
        found = transform(lambda x: np.sum(residual_gradient(x)))(x)
        np.testing.assert_allclose(found, ft.grad(lambda x: np.sum(expected(x)))(x))
    y, _ = ft.vjp(lambda x: x, x)
    y[0] = 9.0
    np.testing.assert_array_equal(x, [0.0, 1.0])


def test_zero_sized_and_zero_dimensional_arrays():
    gradient = ft.grad(lambda x: np.sum(np.sin(x)))(np.zeros((0, 3)))
    assert gradient.shape == (0, 3)
    gradient = ft.grad(lambda x: x * 2.0)(np.array(3.0))
    assert gradient == 2.0
    assert np.shape(gradient) == ()


def test_complex_gradients_follow_the_convention_of_jax_and_autograd():
    z = 1.0 + 2.0j
    # |z|^2: df/dx - i df/dy = 2x - 2iy
    assert ft.grad(lambda z: np.abs(z) ** 2)(z) == pytest.approx(2 - 4j)
    assert ft.grad(lambda z: np.real(z * z))(z) == pytest.approx(2 * z)
    assert ft.grad(lambda z: z**3, holomorphic=True)(z) == pytest.approx(3 * z**2)


def test_complex_needs_the_right_call():
    with pytest.raises(errors.OutputTypeError, match="real output"):
        ft.grad(lambda z: z * z)(1.0 + 1j)
    with pytest.raises(errors.NonFloatLeafError, match="holomorphic"):
        ft.grad(lambda z: z * z, holomorphic=True)(1.0)
    with pytest.raises(errors.OutputTypeError, match="holomorphic"):
        ft.grad(np.abs, holomorphic=True)(1.0 + 1j)


# vjp


def test_vjp_of_integers_gives_none_there():
    _, pullback = ft.vjp(lambda n, x: n * x, 3, 2.0)
    assert pullback(1.0) == (None, 3.0)


def test_vjp_with_aux():
    y, pullback, aux = ft.vjp(lambda x: (x * x, x), 3.0, has_aux=True)
    assert (y, aux, pullback(1.0)) == (9.0, 3.0, (6.0,))


def test_vjp_inside_grad():
    def f(x):
        y, pullback = ft.vjp(np.sin, x)
        return pullback(y)[0]  # sin(x) cos(x)

    assert ft.grad(f)(0.3) == pytest.approx(np.cos(0.6))


@pytest.mark.parametrize(
    ("cotangent", "says"),
    [
        ((np.ones(3), np.ones(3)), "structure"),
        (np.ones(2), r"float64\[2\].*float64\[3\]"),
        (np.ones(3, np.float32), r"float32\[3\].*float64\[3\]"),
        ("no", "str"),
    ],
)
def test_a_cotangent_that_does_not_fit(cotangent, says):
    _, pullback = ft.vjp(np.sin, np.ones(3))
    with pytest.raises(errors.CotangentError, match=says) as caught:
        pullback(cotangent)
    assert "test_reverse.py" in str(caught.value)


# stop_gradient


def test_stop_gradient():
    assert ft.grad(lambda x: ft.stop_gradient(x) * x)(3.0) == 3.0
    assert ft.grad(lambda x: x * float(ft.stop_gradient(x)))(3.0) == 3.0
    assert ft.grad(ft.grad(lambda x: ft.stop_gradient(x) * x**2))(3.0) == 6.0
    tree = ft.stop_gradient({"a": np.ones(2), "b": "text"})
    assert tree["b"] == "text"


# State: nothing is left behind


def test_an_exception_leaves_everything_working():
    def fails(x):
        y = x * 2
        raise KeyboardInterrupt if y > 3 else ZeroDivisionError

    for value, error in ((1.0, ZeroDivisionError), (2.0, KeyboardInterrupt)):
        with pytest.raises(error):
            ft.grad(fails)(value)
        assert ft.grad(cube)(2.0) == 12.0


def test_a_failing_inner_gradient_can_be_caught():
    def f(x):
        with contextlib.suppress(NameError):
            ft.grad(lambda y: y * x + undefined)(1.0)  # noqa: F821
        return x * x

    assert ft.grad(f)(3.0) == 6.0


# Errors of grad itself


def test_a_non_scalar_output_is_refused():
    def loss(x):
        return x * 2

    with pytest.raises(errors.NonScalarOutputError) as caught:
        ft.grad(loss)(np.ones((2, 3)))
    message = str(caught.value)
    assert "loss" in message
    assert "(2, 3)" in message
    assert "jacrev" in message
    assert "vjp" in message
    with pytest.raises(errors.NonScalarOutputError, match="tuple"):
        ft.grad(lambda x: (x, x))(1.0)
    with pytest.raises(errors.NonScalarOutputError, match="NoneType"):
        ft.grad(lambda x: None)(1.0)


def test_an_integer_output_is_refused():
    with pytest.raises(errors.OutputTypeError, match="int64"):
        ft.grad(lambda x: np.int64(3))(1.0)


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (3, r"p\['w'\]\[0\].*weak_int64"),
        (np.arange(3), r"int64\[3\]"),
        ("text", "str"),
        (np.array(["a"]), "not numeric|str"),
        (np.array([None]), "object"),
        (object(), "object"),
    ],
)
def test_a_leaf_that_is_no_float_is_named(leaf, says):
    with pytest.raises(errors.NonFloatLeafError, match=says):
        ft.grad(lambda p: 1.0)({"w": [leaf]})
