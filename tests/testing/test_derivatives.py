"""functrace.testing itself: that it measures well, and that it notices each kind of mistake."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, MissingRuleError
from functrace.extend import ArrayType, Elementwise, Primitive, bind, wrap
from functrace.testing import (
    CHECKS,
    check_grads,
    check_primitive,
    check_rules,
    complex_step,
    numerical_gradient,
    numerical_jvp,
)

# Numerical derivatives


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_numerical_jvp_is_accurate_at_every_scale(scale):
    x = scale * np.array([0.3, 1.0, -2.0])
    t = np.array([1.0, -0.5, 2.0])
    found = numerical_jvp(lambda x: (x / scale) ** 3, (x,), (t,))
    np.testing.assert_allclose(found, 3 * (x / scale) ** 2 * t / scale, rtol=1e-9)


def test_numerical_jvp_has_a_step_for_each_leaf():
    f = lambda tree: np.sin(tree["small"]) + np.sqrt(tree["large"])
    at = {"small": 0.1, "large": 1e12}
    found = numerical_jvp(f, (at,), ({"small": 1.0, "large": 1e12},))
    np.testing.assert_allclose(found, np.cos(0.1) + 0.5e6, rtol=1e-9)


def test_numerical_jvp_measures_in_double_precision():
    x = np.float32([0.5, 1.5])
    found = numerical_jvp(np.exp, (x,), (np.float32([1, 1]),))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.exp(x.astype(float)), rtol=1e-10)


def test_numerical_jvp_of_single_precision_inside():
    found = numerical_jvp(lambda x: np.sin(x.astype(np.float32)), (np.ones(2),), (np.ones(2),))
    np.testing.assert_allclose(found, np.cos([1, 1]), rtol=1e-3)


def test_numerical_jvp_of_trees_with_integers():
    found = numerical_jvp(
        lambda x, n: {"power": x**n, "count": n}, (np.array(2.0), 3), (np.array(1.0), None)
    )
    assert found["power"] == pytest.approx(12)
    assert found["count"] is None


def test_numerical_jvp_of_complex_numbers_is_real_linear():
    z, t = 1 + 2j, 0.5 - 1j
    assert numerical_jvp(np.conj, (z,), (t,)) == pytest.approx(np.conj(t))
    assert numerical_jvp(np.exp, (z,), (t,)) == pytest.approx(np.exp(z) * t)


def test_numerical_gradient_is_grad():
    def f(tree, y):
        return np.sum(tree["w"] ** 2 * y) + abs(tree["z"]) ** 2

    tree = {"w": np.array([[1.0, 2.0]]), "z": 1 + 2j, "n": 3}
    y = np.array([0.5, 3.0])
    found = numerical_gradient(f, tree, y, argnums=(0, 1))
    expected = ft.grad(f, (0, 1), allow_int=True)(tree, y)
    assert found[0]["n"] is expected[0]["n"] is None
    np.testing.assert_allclose(found[0]["w"], expected[0]["w"])
    np.testing.assert_allclose(found[0]["z"], expected[0]["z"])
    np.testing.assert_allclose(found[1], expected[1])
    last = numerical_gradient(f, tree, y, argnums=-1)
    np.testing.assert_allclose(last, expected[1])


def test_complex_step_is_exact():
    x, t = np.array([0.3, 2.0]), np.array([1.0, -2.0])
    f = lambda tree: np.exp(tree["x"]) / tree["x"]
    found = complex_step(f, ({"x": x},), ({"x": t},))
    np.testing.assert_allclose(found, t * np.exp(x) * (x - 1) / x**2, rtol=1e-14)


def test_complex_step_refuses_what_it_cannot_do():
    with pytest.raises(ArgumentError, match="real arguments"):
        complex_step(np.exp, (1j,), (1.0,))
    with pytest.raises(ArgumentError, match="output of the function is real"):
        complex_step(np.abs, (1.0,), (1.0,))


# Checking functions


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
    if not hasattr(ft, "jvp"):
        with pytest.raises(ArgumentError, match="no forward mode"):
            check_grads(np.sin, (1.0,), modes=("fwd", "rev"))
        return
    check_grads(lambda x, y: np.sin(x) * y, (np.ones(3), 2.0), modes=("fwd", "rev"))
    wrong = wrap(np.sin, jvp=lambda inputs, tangents, out: 2 * tangents[0] * np.cos(inputs[0]))
    with pytest.raises(AssertionError, match="The jvp by args"):
        check_grads(wrong, (1.0,), modes="fwd", order=1)


# Checking primitives

_numbers = itertools.count()


def cube_with(**changes):
    """A right primitive x**3, but for the rules that are given."""

    class Cube(Primitive):
        def run(self, x):
            return x * x * x

        def infer(self, x):
            return ArrayType(x.shape, x.dtype)

        def jvp(self, inputs, tangents, output):
            (x,) = inputs
            return None if tangents[0] is None else 3 * x * x * tangents[0]

        def vjp(self, cotangent, inputs, output, needed):
            (x,) = inputs
            return (3 * x * x * cotangent,)

        def batch(self, size, inputs, axes):
            return bind(self, *inputs), axes[0]

    for name, rule in changes.items():
        setattr(Cube, name, rule)
    return Cube(f"testing_cube_{next(_numbers)}")


X = np.array([[0.5, 1.5, -2.0]])


def test_a_right_primitive_passes_every_check():
    assert check_primitive(cube_with(), X) == dict.fromkeys(CHECKS, "passed")


def _writes(self, x):
    y = x * x * x
    x[0] = 7
    return y


def _forgets_second(self, cotangent, inputs, output, needed):
    return (3 * ft.stop_gradient(inputs[0] ** 2) * cotangent,)


MISTAKES = {
    "writes its input": ({"run": _writes}, "input 0 was written"),
    "returns its input": ({"run": lambda self, x: x}, "output 0 is a view of input 0"),
    "another shape": (
        {"infer": lambda self, x: ArrayType(x.shape[1:], x.dtype)},
        "'infer' of .*the types differ",
    ),
    "another dtype": (
        {"infer": lambda self, x: ArrayType(x.shape, np.dtype("float32"))},
        "inferred  float32",
    ),
    "a wrong jvp": (
        {"jvp": lambda self, inputs, tangents, output: 2 * inputs[0] ** 2 * tangents[0]},
        "'jvp' of .*by input 0, of output 0, is wrong",
    ),
    "a jvp of another shape": (
        {"jvp": lambda self, inputs, tangents, output: np.sum(tangents[0])},
        "the tangent of output 0, a float64\\[1, 3\\], is a float64",
    ),
    "a wrong vjp": (
        {"vjp": lambda self, cotangent, inputs, output, needed: (cotangent,)},
        "'vjp' of .*the cotangent of input 0 is wrong",
    ),
    "a vjp of zero": (
        {"vjp": lambda self, cotangent, inputs, output, needed: (None,)},
        "the cotangent of input 0 is wrong",
    ),
    "a vjp of another shape": (
        {"vjp": lambda self, cotangent, inputs, output, needed: (np.sum(cotangent),)},
        "the cotangent of input 0, a float64\\[1, 3\\], is a float64",
    ),
    "too many cotangents": (
        {"vjp": lambda self, cotangent, inputs, output, needed: (cotangent, None)},
        "returned 2 cotangents",
    ),
    "a wrong second derivative": ({"vjp": _forgets_second}, "of the pullback by args"),
    "another batch axis": (
        {"batch": lambda self, size, inputs, axes: (bind(self, *inputs), 1)},
        "'batch' of .*wrong for the batch axes",
    ),
    "a batch of one": (
        {"batch": lambda self, size, inputs, axes: (self.run(inputs[0][:1]), 0)},
        "wrong for the batch axes",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_noticed(mistake):
    rules, message = MISTAKES[mistake]
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        check_primitive(cube_with(**rules), X.copy())


def test_an_exception_in_a_rule_says_what_was_checked():
    def fails(self, size, inputs, axes):
        raise ZeroDivisionError("oh")

    with pytest.raises(ZeroDivisionError) as caught:
        check_primitive(cube_with(batch=fails), X)
    assert any("checking 'batch' of testing_cube" in note for note in caught.value.__notes__)


def test_missing_rules_are_reported():
    report = check_primitive(cube_with(jvp=Primitive.jvp, vjp=Primitive.vjp), X)
    for check in ("jvp", "vjp", "transpose", "second order"):
        assert "rule" in report[check]
    assert report["batch"] == "passed"
    report = check_primitive(cube_with(batch=Primitive.batch), X)
    assert "has no batch rule" in report["batch"]


@pytest.mark.parametrize("missing", ["jvp", "vjp"])
def test_the_derived_rule_is_checked(missing):
    report = check_primitive(cube_with(**{missing: getattr(Primitive, missing)}), X)
    assert {report[check] for check in ("jvp", "vjp", "transpose", "second order")} == {"passed"}


def test_a_rule_that_cannot_be_transposed_is_reported():
    def opaque(self, cotangent, inputs, output, needed):
        return (np.array(cotangent.tolist()) * 3 * inputs[0] ** 2,)

    report = check_rules(cube_with(jvp=Primitive.jvp, vjp=opaque), [X], order=1)
    assert report["vjp"] == "passed"
    assert "cannot be transposed" in report["jvp"]


def test_a_primitive_that_cannot_run_is_an_error():
    with pytest.raises(MissingRuleError):
        check_primitive(cube_with(run=Primitive.run), X)


def test_checks_can_be_skipped_and_limited():
    cube = cube_with(vjp=_forgets_second)
    report = check_rules(cube, [X], order=1, skip={"batch": "too slow"})
    assert report["second order"] == "skipped: order=1"
    assert report["batch"] == "skipped: too slow"


def test_integers_have_no_derivative():
    report = check_primitive("add", np.array([1, 2]), np.array([3, 4]))
    assert report["vjp"] == report["jvp"] == "nothing to differentiate"
    assert report["batch"] == "passed"


def test_several_outputs():
    class SinCos(Primitive):
        multiple_outputs = True

        def run(self, x):
            return np.sin(x), np.cos(x)

        def infer(self, x):
            return x, x

        def jvp(self, inputs, tangents, output):
            return output[1] * tangents[0], -output[0] * tangents[0]

        def vjp(self, cotangent, inputs, output, needed):
            sine, cosine = cotangent
            total = 0 if sine is None else sine * output[1]
            return (total if cosine is None else total - cosine * output[0],)

        def batch(self, size, inputs, axes):
            return bind(self, *inputs), (axes[0], axes[0])

    report = check_primitive(SinCos("testing_sin_cos"), np.array([0.3, 2.0]))
    assert report == dict.fromkeys(CHECKS, "passed")


def test_elementwise_primitives_of_users():
    softplus = Elementwise(
        "testing_softplus",
        np.exp,
        lambda t, out, x: t / (1 + np.exp(-x)),
        run=lambda x: np.log1p(np.exp(x)),
    )
    for x in (0.5, np.float32(0.5), X, np.zeros((0, 2)), X.astype(np.float32)):
        check_primitive(softplus, x)
