"""`gradient_check`: the course's measure, by NumPy, and the planted entries and rules."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, NonScalarOutputError
from functrace.extend import wrap
from functrace.testing import gradient_check

X = np.cos(np.arange(10.0)).reshape(5, 2)
PARAMETERS = {
    "W1": np.sin(np.arange(6.0)).reshape(2, 3), "W2": np.ones((3, 1)) / 3, "b": 0.5, "n": 2
}  # fmt: skip


def loss(params, x):
    hidden = np.tanh(x @ params["W1"] + params["b"])
    return np.mean((hidden @ params["W2"] - 1.0) ** params["n"])


def quiet(f, *args, **options):
    return gradient_check(f, *args, show=False, **options)


@pytest.mark.parametrize("f", [loss, ft.jit(loss)], ids=["eager", "jit"])
def test_a_right_gradient_is_right(f):
    check = quiet(f, PARAMETERS, X)
    assert check
    assert [leaf.path for leaf in check.leaves] == ["params['W1']", "params['W2']", "params['b']"]
    assert 0 < check.difference < 1e-9
    assert not check.wrong


def test_the_measure_is_the_quotient_of_norms():
    given = ft.grad(loss, allow_int=True)(PARAMETERS, X)
    given["W1"][1, 2] *= 1.5
    check = quiet(loss, PARAMETERS, X, gradient=given)
    differences = np.zeros((2, 3))
    for index in np.ndindex(2, 3):
        values = []
        for step in (1e-5, -1e-5):
            moved = PARAMETERS["W1"].copy()
            moved[index] += step
            values.append(loss({**PARAMETERS, "W1": moved}, X))
        differences[index] = (values[0] - values[1]) / 2e-5
    norm = np.linalg.norm
    expected = norm(given["W1"] - differences) / (norm(given["W1"]) + norm(differences))
    np.testing.assert_allclose(check.leaves[0].difference, expected, rtol=1e-9)
    np.testing.assert_allclose(check.numerical["W1"], differences, rtol=1e-9)
    assert not check
    assert [leaf.is_right for leaf in check.leaves] == [False, True, True]
    (entry,) = check.wrong
    assert (entry.name, entry.path, entry.index) == ("params['W1'][1, 2]", "params['W1']", (1, 2))
    assert entry.analytical == given["W1"][1, 2]
    np.testing.assert_allclose(entry.numerical, differences[1, 2], rtol=1e-9)
    assert check.suspect is None  # it was computed by hand


def test_it_prints_what_is_wrong(capsys):
    sine = wrap(np.sin, vjp=lambda ct, out, x: ct * np.cos(x) * 1.01)
    check = gradient_check(lambda x: np.sum(sine(x)), np.linspace(0, 1, 12))
    printed = capsys.readouterr().out
    assert printed == f"{check}\n"
    assert "||analytical - numerical|| / (||analytical|| + ||numerical||), eps = 1e-05" in printed
    assert "x[0]: analytical 1.01, numerical 1" in printed
    assert "and 2 more entries are wrong" in printed
    assert "look at the vjp rule of wrapped_sin_" in printed
    assert printed.count("test_gradients.py:") == 2  # of the rule, and of where it is applied
    assert "12 wrong" in repr(check)
    assert "x[0]: analytical 1.01" in check._repr_html_()


def test_arguments_can_be_given_later():
    check = quiet(loss)(PARAMETERS, X)
    assert check
    assert check.difference == quiet(loss, PARAMETERS, X).difference


def test_gradients_of_functions_are_checked():
    assert quiet(lambda x, y: x * y, 2.0, 3.0, argnums=1, gradient=lambda x, y: x)
    check = quiet(lambda x, y: x * y, 2.0, 3.0, gradient=lambda x, y: x)
    assert [e.name for e in check.wrong] == ["x"]


def test_what_hurts():
    assert quiet(lambda x: np.sum(np.sin(x)), X.astype(np.float32))
    assert quiet(lambda z: np.abs(np.sum(z**2)), X[:, 0] + 1j * X[:, 1])
    assert quiet(lambda x: 1.0, np.zeros((0, 2)))
    assert quiet(lambda x: np.sum(x[0]) * 1e8 + 0 * x[1] + 1e-9 * x[2], X[:, 0])  # it is rounded
    with np.errstate(all="ignore"):
        check = quiet(lambda x: np.sum(np.sqrt(x)), np.array([0.0, 1.0]))
    assert [e.index for e in check.wrong] == [(0,)]
    assert quiet(lambda p: p["n"] * p["x"], {"x": 3.0, "n": 2}).leaves[0].path == "p['x']"


def test_infinite_values_are_never_right():
    with np.errstate(all="ignore"):
        for f in (lambda x: np.sum(np.log(x)), lambda x: np.log(np.prod(np.exp(-1 / x)))):
            check = quiet(f, np.array([0.0, 1.0]))
            assert [e.index for e in check.wrong][:1] == [(0,)]


def test_nothing_to_check_is_not_right():
    for given in (3, np.array([1, 2]), {"n": 2}, {}):
        with pytest.raises(ArgumentError, match="holds no floating-point number"):
            quiet(lambda x: 2.0, given, gradient=given)


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="no tree like the parameters"):
        quiet(loss, PARAMETERS, X, gradient=[1.0])
    with pytest.raises(ArgumentError, match=r"a has the shape \(3,\)"):
        quiet(np.sum, X[0], gradient=np.ones(3))
    with pytest.raises(NonScalarOutputError, match="one real number"):
        quiet(lambda x: x, np.ones(2), gradient=np.ones(2))
    with pytest.raises(TypeError, match="gradient_check"):
        quiet(3, np.ones(2))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_large_and_small_gradients(scale):
    f = lambda x: np.sum(np.sin(x)) * scale
    x = np.array([0.5, 1.0])
    assert gradient_check(f, x, show=False).difference < 1e-9
    wrong = gradient_check(f, x, gradient=ft.grad(f)(x) * 1.5, show=False)
    np.testing.assert_allclose(wrong.difference, 0.2, rtol=1e-6)


def test_a_notebook_shows_names_as_they_are():
    f = lambda x: np.sum(x**2)
    assert (
        "<p>gradient of &lt;lambda&gt;: " in gradient_check(f, np.ones(2), show=False)._repr_html_()
    )
