"""Checks of primitives: that they pass what is right, and notice each kind of mistake."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace.errors import MissingRuleError
from functrace.extend import ArrayType, Elementwise, Primitive, bind
from functrace.testing import (
    CHECKS,
    check_primitive,
    check_rules,
)

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
