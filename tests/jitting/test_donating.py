"""Donated arguments: memory is reused where that changes no number, and only there."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.backends import Backend, Executable, register
from functrace.jitting.donating import fit_for_donation
from functrace.transforms.evaluate import run_program


class Writing(Backend):
    """Writes each result into a donated array of its type, and spoils the rest."""

    name = "writing"

    def __init__(self):
        self.written = []

    def compile(self, program, donated, name):
        program = self.simplified(program)

        def run(*inputs):
            outputs = run_program(program, [np.copy(x) for x in inputs])
            free = [inputs[number] for number in sorted(donated)]
            results = []
            for x in map(np.asarray, outputs):
                place = next(
                    (n for n, y in enumerate(free) if (y.shape, y.dtype) == (x.shape, x.dtype)),
                    None,
                )
                if place is None:
                    results.append(x.copy())
                else:
                    results.append(free.pop(place))
                    results[-1][...] = x
                    self.written.append(results[-1])
            for y in free:
                y[...] = 99
            return tuple(results)

        return Executable(run, str(program))


WRITING = Writing()
register(WRITING)


@pytest.fixture
def writes():
    """Jitted functions write into what they are given; what they wrote."""
    WRITING.written.clear()
    with ft.config.using(backend="writing"):
        yield WRITING.written


def step(p, x, y):
    def loss(p):
        return np.mean((np.tanh(x @ p["W"] + p["b"]) - y) ** 2)

    return {name: p[name] - 0.1 * g for name, g in ft.grad(loss)(p).items()}


def parameters():
    return {"W": np.linspace(-1, 1, 6).reshape(3, 2), "b": np.zeros(2)}


DATA = np.random.default_rng(0).normal(size=(20, 3)), np.ones((20, 2))


@pytest.mark.parametrize("options", [{"donate_argnums": 0}, {"donate_argnames": "p"}])
def test_a_training_loop_reuses_the_memory_of_its_parameters(writes, options):
    fast, plain = ft.jit(step, **options), ft.jit(step)
    p, q = parameters(), parameters()
    p["W"] = p["W"].copy()  # reshape made a view
    first = p["W"], p["b"]
    for turn in range(10):
        rows = slice(turn, turn + 5)
        p = fast(p, DATA[0][rows], DATA[1][rows])
        q = plain(q, DATA[0][rows], DATA[1][rows])
    assert p["W"] is first[0]
    assert p["b"] is first[1]
    np.testing.assert_array_equal(p["W"], q["W"])
    np.testing.assert_array_equal(p["b"], q["b"])


def test_the_real_executables_give_the_same_numbers():
    fast, plain = ft.jit(step, donate_argnums=0), ft.jit(step)
    p, q = parameters(), parameters()
    for _ in range(10):
        p, q = fast(p, *DATA), plain(q, *DATA)
    np.testing.assert_allclose(p["W"], q["W"], rtol=1e-14)


def test_what_is_not_alone_in_its_memory_is_copied(writes):
    f = ft.jit(lambda x, y: (x * 2, y + x[:1]), donate_argnums=0)
    a = np.ones(4)
    for _ in range(3):
        result, other = f(a, a[1:])  # the other argument is a view of it
        assert result is not a
        np.testing.assert_array_equal(a, np.ones(4))
        np.testing.assert_array_equal(other, np.full(3, 2.0))
    result, _ = f(a, a)
    assert result is not a
    result, _ = f(a[:], np.ones(1))  # a view itself
    np.testing.assert_array_equal(a, np.ones(4))
    fixed = np.ones(4)
    fixed.flags.writeable = False
    f(fixed, np.ones(1))
    np.testing.assert_array_equal(fixed, np.ones(4))
    result, _ = f(a, np.ones(1))
    assert result is a


def test_an_array_that_is_given_twice_is_written_once(writes):
    f = ft.jit(lambda x, y: (x + 1, y * 3), donate_argnums=(0, 1))
    for _ in range(3):
        a = np.full(3, 2.0)
        x, y = f(a, a)
        np.testing.assert_array_equal(x, np.full(3, 3.0))
        np.testing.assert_array_equal(y, np.full(3, 6.0))
        a = np.full(3, 2.0)
        x, y = f(a, a[::-1])
        np.testing.assert_array_equal(x, np.full(3, 3.0))
        np.testing.assert_array_equal(y, np.full(3, 6.0))


def test_a_constant_of_the_program_is_not_written(writes):
    for view in (lambda w: w, lambda w: w[1:], lambda w: w[::2]):
        w = np.arange(3.0)
        part = view(w)
        f = ft.jit(lambda x, part=part: (x * 2, np.sum(x) + part), donate_argnums=0)
        for _ in range(3):
            np.testing.assert_array_equal(f(np.ones(3))[1], 3.0 + view(np.arange(3.0)))
        f(w)  # it may be overwritten; what was recorded of it stays
        np.testing.assert_array_equal(f(np.ones(3))[1], 3.0 + view(np.arange(3.0)))
    w = np.arange(3.0)
    inside = ft.jit(lambda x: ft.cond(True, lambda x: x + w, lambda x: x, x), donate_argnums=0)
    np.testing.assert_array_equal(inside(w), 2 * np.arange(3.0))
    np.testing.assert_array_equal(inside(np.ones(3)), 1 + np.arange(3.0))
    w = np.arange(3.0)
    g = ft.jit(lambda x: x * 2, donate_argnums=0)
    assert g(w) is w


def test_memory_that_another_object_shows(writes):
    a = np.ones(4)
    f = ft.jit(lambda x, y: (x * 2, np.sum(y)), donate_argnums=0)
    shown = np.frombuffer(memoryview(a))
    _, total = f(a, shown)
    assert total == 4.0
    np.testing.assert_array_equal(a, np.ones(4))


def test_numbers_and_static_arguments_among_donated_ones(writes):
    f = ft.jit(
        lambda n, p, *, q: {"p": p["a"] * n, "q": q + p["b"]},
        static_argnums=0,
        donate_argnums=1,
        donate_argnames="q",
    )
    for n in (2, 3, 2):
        a, q = np.ones(3), np.ones(2)
        found = f(n, {"a": a, "b": 1.5}, q=q)
        assert found["p"] is a
        assert found["q"] is q
        np.testing.assert_array_equal(a, np.full(3, n))
        np.testing.assert_array_equal(q, np.full(2, 2.5))
        assert f(n, {"a": np.float64(2.0), "b": 1.5}, q=q)["p"] == 2.0 * n


def test_a_transformation_ignores_donation(writes):
    f = ft.jit(lambda x: np.sum(x * x), donate_argnums=0)
    a = np.ones(3)
    np.testing.assert_array_equal(ft.grad(f)(a), np.full(3, 2.0))
    np.testing.assert_array_equal(ft.jit(f)(a), 3.0)
    np.testing.assert_array_equal(a, np.ones(3))


def test_a_compiled_function_is_donated_to_as_well(writes):
    compiled = ft.jit(lambda x: x + 1, donate_argnums=0).lower(np.ones(3)).compile()
    a = np.ones(3)
    for _ in range(3):
        assert compiled(a) is a
    np.testing.assert_array_equal(a, np.full(3, 4.0))


def test_refusals():
    with pytest.raises(errors.ArgumentError, match="static and donated, as x is"):
        ft.jit(lambda x: x, static_argnums=0, donate_argnames="x")
    with pytest.raises(errors.ArgumentError, match="donate_argnums names argument 3"):
        ft.jit(lambda x: x, donate_argnums=3)


def test_the_leaves_that_are_handed_on():
    program = ft.make_ir(lambda a, b, c: (a, b, c))(np.ones(2), np.ones(2), 1.0)
    seen = []
    run = fit_for_donation(lambda *leaves: seen.append(leaves), program, frozenset([0, 1]))
    a, b = np.ones(2), np.ones(2)
    run(a, b, 1.0)
    assert seen[0][0] is a
    assert seen[0][1] is b
    run(a, a, 1.0)
    assert seen[1][0] is a
    assert seen[1][1] is not a


@pytest.mark.numpy_backend
def test_the_real_executables_reuse_memory():
    f = ft.jit(lambda p, g: {name: p[name] - 0.1 * g[name] for name in p}, donate_argnums=0)
    p, g = {"W": np.ones((300, 200)), "b": np.zeros(2000)}, {"W": 1.0, "b": np.ones(2000)}
    first = dict(p)
    for _ in range(4):
        p = f(p, g)
    assert all(p[name] is first[name] for name in p)
    np.testing.assert_allclose(p["W"], 0.6)
    np.testing.assert_allclose(p["b"], -0.4)
