"""functrace.testing itself: that it measures well, and that it notices each kind of mistake."""

from __future__ import annotations

import numpy as np
import pytest

from functrace.errors import ArgumentError
from functrace.extend import wrap
from functrace.testing import check_grads


def test_right_gradients_pass():
    check_grads(lambda x: x @ x, (np.arange(3.0),), order=3)
    check_grads(lambda t, n: {"y": t["x"] ** n, "n": n}, ({"x": np.ones(2)}, 3))
    check_grads(lambda x: np.float32(2) * x, (np.float32([1, 2]),))
    check_grads(lambda z: z * np.conj(z), (np.array([1 + 1j]),))
    check_grads(lambda x: (), (1.0,))
    check_grads(np.sin, (np.zeros((0, 3)),))


def wrong_sine():
    return wrap(np.sin, vjp=lambda ct, out, x: ct * np.cos(x) * 1.001)


def test_a_wrong_gradient_is_named_with_leaf_numbers_and_direction():
    f = wrong_sine()
    with pytest.raises(AssertionError) as caught:
        check_grads(lambda t: t["a"] + f(t["b"][1]), ({"a": 1.0, "b": (0.0, np.ones(2))},))
    message = str(caught.value)
    assert "The vjp by args[0]['b'][1], a float64[2], is wrong" in message
    for word in ("functrace", "numerical", "tangent", "cotangents"):
        assert word in message


def test_a_wrong_second_derivative_is_noticed_at_the_second_order_only():
    sine = wrong_sine()
    cube = wrap(lambda x: x**3, vjp=lambda ct, out, x: ct * 3 * (x * x + 0 * sine(x)))
    check_grads(cube, (2.0,))
    wrong = wrap(np.cos, vjp=lambda ct, out, x: -ct * sine(x))
    check_grads(wrong, (0.5,), order=1)
    with pytest.raises(AssertionError, match="of the pullback by args"):
        check_grads(wrong, (0.5,), order=2)


def test_tolerances_can_be_given():
    with pytest.raises(AssertionError):
        check_grads(wrong_sine(), (0.5,), order=1)
    check_grads(wrong_sine(), (0.5,), order=1, rtol=0.01)
    check_grads(wrong_sine(), (0.5,), order=1, atol=0.01)


def test_a_function_that_differs_when_traced_is_noticed():
    f = lambda x: x * (2.0 if isinstance(x, np.ndarray) else 3.0)
    with pytest.raises(AssertionError, match="another value when it is traced"):
        check_grads(f, (np.ones(2),))


def test_modes_have_names():
    with pytest.raises(ArgumentError, match="'backwards'"):
        check_grads(np.sin, (1.0,), modes="backwards")


def test_forward_mode():
    check_grads(lambda x, y: np.sin(x) * y, (np.ones(3), 2.0), modes=("fwd", "rev"))
    wrong = wrap(np.sin, jvp=lambda inputs, tangents, out: 2 * tangents[0] * np.cos(inputs[0]))
    with pytest.raises(AssertionError, match="The jvp by args"):
        check_grads(wrong, (1.0,), modes="fwd", order=1)
