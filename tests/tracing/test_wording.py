"""Errors speak of what the user wrote: of an operator, or of a function and its arguments."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace import errors
from functrace.scipy import integrate, optimize


def in_grad(f, x):
    return lambda: ft.grad(lambda x: np.sum(f(x)))(x)


def in_ir(f, x):
    return lambda: ft.make_ir(f)(x)


B = np.ones(5)


@pytest.mark.parametrize("under", [in_grad, in_ir, lambda f, x: lambda: ft.jit(f)(x)])
@pytest.mark.parametrize(
    ("f", "written"),
    [
        (lambda x: x @ B, "`@` does not take inputs of float64[3, 4], float64[5]"),
        (lambda x: B @ x, "`@` does not take inputs of float64[5], float64[3, 4]"),
        (lambda x: np.matmul(B, x), "np.matmul does not take inputs of float64[5], float64[3, 4]"),
        (lambda x: np.dot(x, B), "np.dot does not take inputs of float64[3, 4], float64[5]"),
        (lambda x: np.inner(x, B), "np.inner does not take inputs of float64[3, 4], float64[5]"),
        (lambda x: np.vdot(x, B), "np.vdot does not take inputs of float64[3, 4], float64[5]"),
        (lambda x: x.dot(B), "the method dot does not take inputs of float64[3, 4], float64[5]"),
        (
            lambda x: ft.numpy.dot(x, B),
            "functrace.numpy.dot does not take inputs of float64[3, 4], float64[5]",
        ),
        (lambda x: x + B, "`+` does not take inputs of float64[3, 4], float64[5]"),
        (lambda x: B - x, "`-` does not take inputs of float64[5], float64[3, 4]"),
        (lambda x: B.tolist() * x, "`*` does not take inputs of float64[5], float64[3, 4]"),
        (lambda x: x / x[:2], "`/` does not take inputs of float64[3, 4], float64[2, 4]"),
        (lambda x: x < B, "`<` does not take inputs of float64[3, 4], float64[5]"),
        (lambda x: np.add(x, B), "np.add does not take inputs of float64[3, 4], float64[5]"),
        (
            lambda x: np.maximum(B, x),
            "np.maximum does not take inputs of float64[5], float64[3, 4]",
        ),
        (
            lambda x: np.where(x > 0, x, B),
            "np.where does not take inputs of bool[3, 4], float64[3, 4], float64[5]",
        ),
        (
            lambda x: np.concatenate([x, B]),
            "np.concatenate does not take inputs of float64[3, 4], float64[5]",
        ),
        (
            lambda x: np.linalg.solve(x, B),
            "np.linalg.solve does not take inputs of float64[3, 4], float64[5]",
        ),
        (lambda x: np.reshape(x, (5, 5)), "np.reshape does not take inputs of float64[3, 4]"),
        (lambda x: x.reshape(5, 5), "the method reshape does not take inputs of float64[3, 4]"),
        (lambda x: x[7], "`[]` does not take inputs of float64[3, 4]"),
        (lambda x: np.linalg.norm(x - B), "`-` does not take inputs of float64[3, 4], float64[5]"),
        (
            lambda x: np.clip(x, B, B),
            "np.clip does not take inputs of float64[3, 4], float64[5], float64[5]",
        ),
        (lambda x: scipy.special.xlogy(x, B), "xlogy does not take inputs of float64[3, 4], flo"),
    ],
)
def test_an_error_speaks_of_what_was_written(f, written, under):
    with pytest.raises(errors.FunctraceError) as caught:
        under(f, np.ones((3, 4)))()
    assert caught.value.what.startswith(written), caught.value.what
    assert "contract" not in str(caught.value)


def test_an_error_of_a_composed_function_does_not_speak_of_its_parts():
    for f in (np.cov, np.outer, np.kron, np.convolve, np.polyval):
        for run in (in_grad, in_ir):
            try:
                run(lambda x, f=f: np.sum(f(x, B[:0])), np.ones((3, 4)))()
            except errors.FunctraceError as error:
                assert f"{f.__name__}" in error.what  # noqa: PT017
            except (ValueError, TypeError) as error:
                assert any(f.__name__ in note for note in error.__notes__)  # noqa: PT017


def test_values_that_numpy_refuses_are_told_of_by_what_was_written():
    with pytest.raises(np.linalg.LinAlgError) as caught:
        ft.grad(lambda x: np.sum(np.linalg.inv(x)))(np.zeros((2, 2)))
    assert caught.value.__notes__[0].startswith("in np.linalg.inv of float64[2, 2]\n")


@pytest.mark.parametrize("under", [in_grad, in_ir])
@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (lambda x: x[7], errors.IndexRangeError),
        (lambda x: np.sum(x, axis=5), errors.AxisRangeError),
        (lambda x: x + B, errors.ShapeMismatchError),
    ],
)
def test_an_error_is_of_the_kind_of_numpys(f, kind, under):
    x = np.ones((3, 4))
    with pytest.raises(Exception) as numpys:  # noqa: PT011
        f(x)
    with pytest.raises(kind) as caught:
        under(f, x)()
    bases = (IndexError, np.exceptions.AxisError, ValueError)
    for base in bases:
        if isinstance(numpys.value, base):
            assert isinstance(caught.value, base)
            break


def of_two(x, y):
    return np.sum((x - y) ** 2)


class OfTwo:
    def __call__(self, x, y):
        return of_two(x, y)

    def method(self, x, y):
        return of_two(x, y)


@pytest.mark.parametrize("of_the_user", [of_two, OfTwo(), OfTwo().method, partial(of_two)])
@pytest.mark.parametrize(
    ("called", "name"),
    [
        (lambda f, x: optimize.minimize(f, x).x, "functrace.scipy.optimize.minimize"),
        (lambda f, x: optimize.root(f, x).x, "functrace.scipy.optimize.root"),
        (lambda f, x: integrate.quad(f, 0.0, x[0])[0], "functrace.scipy.integrate.quad"),
        (lambda f, x: np.apply_along_axis(f, 0, x), "np.apply_along_axis"),
    ],
)
@pytest.mark.parametrize("under", [in_grad, in_ir])
def test_arguments_that_do_not_fit_a_function_of_the_users(of_the_user, called, name, under):
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'") as caught:
        under(lambda x: called(of_the_user, x), np.ones(3))()
    assert not isinstance(caught.value, errors.FunctraceError)
    assert f"It is called so by {name}, at " in caught.value.__notes__[0]


def test_arguments_that_do_not_fit_a_function_of_functraces():
    with pytest.raises(TypeError) as caught:
        ft.grad(lambda x: optimize.minimize(x0=x).x)(1.0)
    assert "It is called so" not in "".join(getattr(caught.value, "__notes__", ()))
