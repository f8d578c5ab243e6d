"""`find_nan` and `checked`: planted faults are found with their lines, and nothing else changes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import functrace as ft
from functrace.errors import NotFiniteError
from functrace.extend import PRIMITIVES


def root(x):
    return np.sum(np.sqrt(x))  # here the derivative is infinite


def logarithm(x):
    y = x * 2
    return np.sum(np.log(y - 2))  # here is a nan


def overflow(x):
    return np.sum(np.exp(x * 1000.0))  # here it overflows


def in_a_loop(x):
    def body(carry, row):
        carry = np.sqrt(carry - row)  # here is a nan in a loop
        return carry, None

    return ft.scan(body, np.sum(x), np.array([0.0, 0.5, 3.0]))[0]


def in_a_branch(x):
    total = np.sum(x)
    return ft.cond(total > 0, lambda t: t / (t - t), lambda t: t, total)  # here in a branch


def arcs(x):
    return np.sum(np.arcsin(x))  # here the way back fails


PLANTED = {
    "root": (root, [1.0, 0.0], "here the derivative is infinite", {"backward", "tangent"}),
    "logarithm": (logarithm, [2.0, 0.5], "here is a nan", {"forward"}),
    "overflow": (overflow, [0.0, 1.0], "here it overflows", {"forward"}),
    "in_a_loop": (in_a_loop, [1.0, 1.0], "here is a nan in a loop", {"forward"}),
    "in_a_branch": (in_a_branch, [1.0, 1.0], "here in a branch", {"forward"}),
    "arcs": (arcs, [0.5, 1.0], "here the way back fails", {"backward", "tangent"}),
}
MODES = {
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "vmap of grad": lambda f: lambda x: ft.vmap(ft.grad(f))(x[np.newaxis]),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (np.ones_like(x),)),
    "second derivative": lambda f: ft.grad(lambda x: np.sum(ft.grad(f)(x))),
    "jit": ft.jit,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_found(name, mode):
    f, x, comment, directions = PLANTED[name]
    if mode == "jit" and "backward" in directions:
        return  # there is nothing to find in the value
    x = np.array(x)
    transformed = MODES[mode](f)
    finding, result = ft.checked(transformed)(x)
    assert comment in finding.line, finding
    assert finding.direction in (directions if mode != "jit" else {"forward"}) | {"backward"}
    assert "test_finding.py:" in finding.place
    with np.errstate(all="ignore"):
        for found, expected in zip(
            ft.tree.leaves(result), ft.tree.leaves(transformed(x)), strict=True
        ):
            np.testing.assert_allclose(found, expected)
    with pytest.raises(NotFiniteError, match=r"test_finding\.py"), ft.find_nan():
        transformed(x)


def test_the_message_says_what_and_where():
    with pytest.raises(NotFiniteError) as caught, ft.find_nan():
        ft.grad(root)(np.array([1.0, 0.0]))
    message = str(caught.value)
    assert message.startswith("The derivative of sqrt, on the way back, made an infinite number")
    assert "float64[2] from 0 to 1" in message
    assert message.count("test_finding.py") == 1
    assert "np.where" in message


def test_nothing_is_found_where_all_is_finite():
    def f(x):
        safe = np.where(x > 0, x, 1.0)
        return np.sum(np.where(x > 0, np.log(safe), 0.0))

    x = np.array([0.0, 2.0])
    finding, gradient = ft.checked(ft.grad(f))(x)
    assert finding is None
    np.testing.assert_array_equal(gradient, [0, 0.5])
    with ft.find_nan():
        np.testing.assert_array_equal(ft.jit(ft.grad(f))(x), [0, 0.5])


def test_what_comes_in_is_not_found():
    finding, value = ft.checked(ft.grad(np.sin))(np.nan)
    assert finding is None
    assert np.isnan(value)


def test_infinite_numbers_can_be_left_alone():
    assert ft.checked(ft.vmap(np.log), infinite=False)(np.zeros(2))[0] is None
    finding, _ = ft.checked(ft.vmap(np.log), infinite=False)(-np.ones(2))
    assert finding.found == "nan"
    assert finding.operation == "log"


def state():
    return {name: dict(primitive.__dict__) for name, primitive in PRIMITIVES.items()}


def kept(names):
    return {
        name: {k: v for k, v in d.items() if k in ("run", "vjp", "jvp")}
        for name, d in names.items()
    }


def test_everything_is_as_before_afterwards():
    before = kept(state())
    with pytest.raises(NotFiniteError), ft.find_nan():
        ft.grad(root)(0.0)
    with ft.find_nan(), ft.find_nan(infinite=False):
        ft.grad(np.sin)(0.0)
    assert kept(state()) == before
    with np.errstate(all="ignore"):
        assert ft.grad(root)(0.0) == np.inf


def test_other_threads_are_not_stopped():
    found = []

    def run():
        with np.errstate(all="ignore"):
            found.append(ft.grad(root)(0.0))

    with ft.find_nan():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert found == [np.inf]


def test_names_and_signatures_are_kept():
    assert ft.checked(root).__name__ == "root"
    with pytest.raises(TypeError, match="checked"):
        ft.checked(3)
