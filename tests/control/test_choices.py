"""cond and switch, where the choice is known and where it is not."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.transforms import comparing

MODES = {
    "plain": lambda f: f,
    "jit": ft.jit,
    "known under jit": lambda f: lambda *args: ft.jit(lambda: f(*args))(),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (np.ones_like(x),))[0],
    "vjp": lambda f: lambda x: ft.vjp(f, x)[0],
    "vmap": lambda f: lambda x: ft.vmap(f)(np.stack([x]))[0],
}


def test_a_known_choice_calls_one_function_on_values():
    calls = []
    branch = lambda name: lambda x: (calls.append((name, isinstance(x, float))), x)[1]
    assert ft.cond(True, branch("yes"), branch("no"), 1.0) == 1.0
    assert calls == [("yes", True), ("no", False)]  # the other one is called for its types
    assert ft.grad(lambda x: ft.cond(x > 0, branch("yes"), branch("no"), x))(-1.0) == 1.0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("x", [np.float64(2.0), np.float64(-2.0), np.float32(2.0), np.float32(-2)])
def test_a_choice_has_one_dtype_in_every_mode(mode, x):
    f = MODES[mode](lambda x: ft.cond(x > 0, lambda x: x, lambda x: 0, x))
    y = f(x)
    assert y == max(x, 0)
    assert y.dtype == x.dtype
    assert isinstance(y, np.generic)


@pytest.mark.parametrize("x", [2.0, -2.0])
def test_the_gradient_of_a_choice_of_a_python_number(x):
    f = lambda x: ft.cond(x > 0, lambda x: x, lambda x: 0, x)
    for gradient in (ft.grad(f), ft.jit(ft.grad(f)), ft.grad(ft.jit(f))):
        assert gradient(x) == (x > 0)
    g = lambda x: ft.switch(1 + (x > 0), [lambda x: 1, lambda x: 2, lambda x: x * x], x)
    for gradient in (ft.grad(g), ft.jit(ft.grad(g)), ft.grad(ft.jit(g))):
        assert gradient(x) == (4.0 if x > 0 else 0.0)


WRONG_BRANCHES = {
    "structure": (lambda x: (x, x), errors.BranchOutputError),
    "keys": (lambda x: {"a": x}, errors.BranchOutputError),
    "nothing": (lambda x: None, errors.BranchOutputError),
    "shape": (lambda x: x * np.ones(2), errors.BranchOutputError),
    "dtype": (lambda x: np.floor(x).astype(np.int64), errors.BranchOutputError),
    "bool": (lambda x: x > 0, errors.BranchOutputError),
    "complex": (lambda x: x + 1j * x, errors.BranchOutputError),
    "no array": (lambda x: "text", errors.OperandError),
    "what it does": (lambda x: (x * np.ones(2)) @ np.ones(3), ValueError),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("takes_it", [True, False])
@pytest.mark.parametrize("kind", WRONG_BRANCHES)
def test_branches_that_do_not_fit_are_refused_in_every_mode(mode, takes_it, kind):
    wrong, error = WRONG_BRANCHES[kind]
    by_cond = lambda x: ft.cond(x > 0, wrong, np.sin, x)
    by_switch = lambda x: ft.switch(1 * (x > 0), [np.sin, wrong], x)
    for f in (by_cond, by_switch):
        with pytest.raises(error):
            MODES[mode](f)(np.float64(1.0 if takes_it else -1.0))


def test_a_branch_that_is_not_taken_may_fail_for_values_that_are_not_its_own():
    n = 0
    assert ft.cond(n != 0, lambda: 1.0 / n, lambda: 5.0) == 5.0
    x = np.zeros(2)
    np.testing.assert_array_equal(ft.cond(x.any(), lambda: 1.0 / x, lambda: x + 3), [3, 3])
    assert ft.cond(True, lambda x: x, lambda x: x if x > 0 else -x, -2.0) == -2.0
    product = lambda n: ft.cond(n > 1, lambda n: n * product(n - 1), lambda n: 1, n)
    assert product(5) == 120


@pytest.mark.parametrize("index", [-3, 0, 1, 2, 9])
def test_an_index_out_of_range_takes_the_nearest_branch(index):
    branches = [lambda x: x, lambda x: x * 10, lambda x: x * 100]
    expected = 10.0 ** min(max(index, 0), 2)
    f = lambda i: ft.switch(i, branches, 1.0)
    assert f(index) == expected
    assert ft.jit(f)(index) == expected
    assert ft.vmap(f)(np.array([index])) == expected


def test_a_number_as_condition():
    f = ft.jit(lambda p: ft.cond(p, lambda: 1.0, lambda: 2.0))
    assert [f(p) for p in (0, 3, 0.0, 0.5, True, False)] == [2, 1, 2, 1, 1, 2]


def test_trees_of_operands_and_outputs():
    positive = lambda p, x: {"a": p["w"] * x, "b": (x, None)}
    negative = lambda p, x: {"a": p["w"], "b": (-x, None)}
    f = lambda p, x: ft.cond(x > 0, positive, negative, p, x)
    p = {"w": np.ones(2)}
    for x in (2.0, -3.0):
        for result in (f(p, x), ft.jit(f)(p, x)):
            np.testing.assert_array_equal(result["a"], [max(x, 1.0)] * 2)
            assert result["b"] == (abs(x), None)


def test_python_scalars_take_the_dtype_of_the_other_branch():
    x = np.float32(2.0)
    f = ft.jit(lambda x: ft.cond(x > 0, lambda x: x, lambda x: 0.0, x))
    assert f(x).dtype == np.float32
    g = ft.jit(lambda p: ft.cond(p, lambda: 1, lambda: 2.5))
    assert (g(True), g(False)) == (1.0, 2.5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("one", "other"), [(1, True), (2, 2.0), (0.0, -0.0)])
def test_branches_whose_keys_are_equal_and_not_the_same_are_refused(mode, one, other):
    f = lambda x: ft.cond(x > 0, lambda: {one: x}, lambda: {other: x})
    with pytest.raises(errors.BranchOutputError, match="structure"):
        MODES[mode](f)(np.float64(1.0))
    nan = float("nan")
    same = lambda x: sum(ft.cond(x > 0, lambda: {nan: x}, lambda: {nan: 2 * x}).values())
    assert MODES[mode](same)(np.float64(1.0)) == 1.0


def test_branches_that_differ_are_refused():
    run = lambda a, b: ft.jit(lambda x: ft.cond(x > 0, a, b, x))(1.0)
    with pytest.raises(errors.BranchOutputError, match="structure") as caught:
        run(lambda x: (x, x), lambda x: x)
    assert "test_choices.py" in str(caught.value)
    with pytest.raises(errors.BranchOutputError, match=r"float64, branch 1 float64\[2\]"):
        run(lambda x: x * np.ones(2), np.sin)
    with pytest.raises(errors.BranchOutputError, match="branch 1 int64"):
        run(lambda x: np.floor(x).astype(np.int64), np.sin)


def test_conditions_that_are_no_scalar_are_refused():
    with pytest.raises(errors.ArgumentError, match=r"scalar, not of type bool\[2\]"):
        ft.cond(np.array([True, False]), np.sin, np.cos, 1.0)
    with pytest.raises(errors.ArgumentError, match="must be an integer"):
        ft.switch(1.5, [np.sin, np.cos], 1.0)
    with pytest.raises(errors.ArgumentError, match="without a branch"):
        ft.switch(0, [])


# Branches that are compared are recorded once for all that cannot differ


SIZE = 3


class Scaled:
    def __init__(self, scale):
        self.scale = scale

    def choose(self, x):
        return ft.cond(np.sum(x) > 0, lambda: x, lambda: self.scale * x)


def test_a_branch_that_is_not_taken_is_recorded_once():
    calls = []

    def other(x):
        calls.append(type(x))
        return x * 2.0

    for x in (1.0, 2.0, 3.0):
        ft.cond(x > 0, np.sin, other, x)
    assert len(calls) == 3  # it holds a list, which might change
    weights = {"w": np.ones(2)}
    before = len(comparing._known)
    for x in (1.0, 2.0, 3.0):
        ft.cond(x > 0, lambda w: w + weights["w"], lambda w: w * 2.0 * weights["w"], np.ones(2) * x)
    assert len(comparing._known) <= before + 1


def test_what_a_branch_holds_is_compared_as_it_is():
    def choose(x, held):
        return ft.cond(np.sum(x) > 0, lambda: x, lambda: x * held)

    x = np.ones(2, np.float32)
    for held in (2.0, np.float32(2.0), np.ones(2, np.float32), [np.float32(1.0)] * 2):
        assert choose(x, np.asarray(held) if isinstance(held, list) else held).dtype == np.float32
    for held in (np.float64(2.0), np.ones(2), np.ones((3, 2), np.float32), 1j):
        with pytest.raises(errors.BranchOutputError):
            choose(x, held)
    assert choose(x, 2.0).dtype == np.float32

    def sized(x, n):
        return ft.cond(np.sum(x) > 0, lambda: x, lambda: np.zeros(n))

    def by_default(x, n):
        def zeros(n=n):
            return np.zeros(n)

        return ft.cond(np.sum(x) > 0, lambda: x, zeros)

    for f in (sized, by_default):
        for n in (3, 4, 3):
            f(np.ones(n), n)
            with pytest.raises(errors.BranchOutputError):
                f(np.ones(n), n + 1)


def test_globals_and_attributes_of_branches_may_change(monkeypatch):
    f = lambda x: ft.cond(np.sum(x) > 0, lambda x: x, lambda x: np.zeros(SIZE), x)
    f(np.ones(3))
    monkeypatch.setitem(globals(), "SIZE", 4)
    with pytest.raises(errors.BranchOutputError):
        f(np.ones(3))
    scaled = Scaled(np.float32(2.0))
    scaled.choose(np.ones(2, np.float32))
    scaled.scale = np.float64(2.0)
    with pytest.raises(errors.BranchOutputError):
        scaled.choose(np.ones(2, np.float32))


def test_functions_in_branches_are_told_apart():
    def apply(f, x):
        return ft.cond(np.sum(x) > 0, lambda: x, lambda: f(x))

    for f in (np.sin, np.cos, lambda x: x * 2.0, lambda x: x + 1.0, ft.jit(np.sin), abs):
        assert apply(f, np.ones(2)).shape == (2,)
    for f in (np.sum, lambda x: x[:1], ft.jit(np.sum), lambda x: np.sum(abs(x))):
        with pytest.raises(errors.BranchOutputError):
            apply(f, np.ones(2))


REFUSED = {
    "a division": lambda x, k: ft.cond(k > 0, lambda: x, lambda: x + 1 / (k - 1)),
    "a choice": lambda x, k: ft.switch(
        k, [lambda: 1 / k + x, lambda: ft.cond(k < 0, lambda: 1 / (k - 1) + x, lambda: x)]
    ),
    "a loop": lambda x, k: ft.cond(
        k > 0, lambda: x, lambda: ft.fori_loop(0, 2, lambda i, c: c + 1 / (k - 1), x)
    ),
    "a gradient": lambda x, k: ft.cond(k > 0, lambda: x, lambda: ft.grad(lambda x: x / (k - 1))(x)),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "mode", [ft.jit, lambda f: ft.jit(ft.grad(f)), lambda f: ft.grad(ft.jit(f))]
)
def test_what_is_not_taken_is_not_done_to_captured_values(name, mode):
    f = REFUSED[name]
    assert mode(f)(2.0, 1) in (f(2.0, 1), 1.0)


def test_what_a_branch_does_to_captured_values_stands_in_it():
    def f(x, k):
        return ft.cond(k > 0, lambda: np.sin(x) * 2.0, lambda: np.cos(x))

    program = ft.make_ir(f)(1.0, 1)
    assert [e.primitive.name for e in program.equations] == ["greater", "switch"]
    inner = ft.make_ir(lambda x, k: ft.grad(lambda x: f(x, k))(x))(1.0, 1)
    assert {"sin", "cos"}.isdisjoint(e.primitive.name for e in inner.equations)


@pytest.mark.parametrize("k", [-1, 1])
def test_derivatives_pass_through_what_branches_captured(k):
    def f(x, k):
        y = np.sin(x)
        return ft.cond(
            k > 0, lambda: np.sum(y * x), lambda: np.sum(ft.cond(k < -1, lambda: y, lambda: y**2))
        )

    x = np.linspace(0.5, 1.5, 3)
    expected = ft.grad(f)(x, k)
    for g in (
        ft.jit(ft.grad(f)),
        ft.grad(ft.jit(f)),
        ft.grad(lambda x, k: ft.jit(lambda k: f(x, k))(k)),
    ):
        np.testing.assert_allclose(g(x, k), expected)
    each = ft.vmap(lambda k: ft.grad(f)(x, k))(np.array([k, -k]))
    np.testing.assert_allclose(each, [expected, ft.grad(f)(x, -k)])


def test_values_that_are_known_outside_are_known_in_branches():
    def f(x):
        def scaled(z):
            return ft.cond(z > 0, lambda: (x * 2.0 if x * 2.0 > 1 else x) * z, lambda: z)

        return ft.jit(scaled)(1.0)

    assert ft.grad(f)(3.0) == 2.0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("transform", [lambda g: g, ft.jit], ids=["plain", "jit"])
def test_gradients_of_branches_in_another_byte_order(transform, sign):
    def total(x):
        y = ft.cond(sign * x[0] > 0, lambda x: np.tanh(x) * 0.9, lambda x: x, x)
        return np.sum(np.sin(y)) + 0.01 * np.sum(x)

    x = np.linspace(0.1, 1.3, 5)
    found, expected = (transform(ft.grad(total))(x) for x in (x.astype(">f8"), x.astype("<f8")))
    assert found.dtype.str == expected.dtype.str
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("transform", [lambda g: g, ft.jit], ids=["plain", "jit"])
def test_gradients_of_what_one_branch_reads_in_another_byte_order(transform, sign):
    def total(x):
        y = ft.cond(sign * x[0] > 0, lambda y: np.tanh(x) * 0.9, lambda y: y, x * 2.0)
        return np.sum(ft.cond(sign * x[0] > 0, np.ones_like, np.sin, x)) + np.sum(y)

    x = np.linspace(0.1, 1.3, 5)
    found, expected = (transform(ft.grad(total))(x) for x in (x.astype(">f8"), x.astype("<f8")))
    assert found.dtype.str == expected.dtype.str
    np.testing.assert_allclose(found, expected, rtol=1e-13)
