from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.backends.compiling import compiled
from functrace.errors import ArgumentError
from tests.backends.native.functions import FUNCTIONS, WHOLE

pytest.importorskip("llvmlite")


def both(f, *args):
    """What machine code makes of arguments, and what NumPy does."""
    return ft.jit(f, backend="native")(*args), ft.jit(f, backend="numpy")(*args)


def assert_same(found, expected):
    found, expected = ft.tree.leaves(found), ft.tree.leaves(expected)
    for x, y in zip(found, expected, strict=True):
        assert type(x) is type(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        exact = np.asarray(x).dtype.kind != "f"
        rtol = 0 if exact else 1e-5 if np.asarray(x).dtype.itemsize == 4 else 1e-12
        scale = 0 if exact else rtol * np.max(np.abs(y), initial=0, where=np.isfinite(y))
        np.testing.assert_allclose(x, y, rtol=rtol, atol=scale)


@pytest.mark.thinned
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(name):
    f, *args = FUNCTIONS[name]
    assert_same(*both(f, *args))


@pytest.mark.thinned
@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - WHOLE))
def test_gradients(name):
    f, *args = FUNCTIONS[name]

    def loss(*inputs):
        return sum(np.sum(x * x) for x in ft.tree.leaves(f(*inputs)) if x.dtype.kind == "f")

    wanted = [n for n, x in enumerate(args) if np.asarray(x).dtype.kind == "f"]
    assert_same(*both(ft.value_and_grad(loss, argnums=tuple(wanted)), *args))


def test_what_machine_code_does_not_know_is_numpys():
    def f(a, x):
        y = np.tanh(a @ x) * np.exp(-x)
        return np.linalg.eigvalsh(a + a.T) * (y * y + np.sin(y)), np.fft.rfft(np.cos(y) * y)

    a = np.random.default_rng(0).normal(size=(4, 4)) + 4.0 * np.eye(4)
    assert_same(*both(ft.value_and_grad(lambda a, x: np.sum(f(a, x)[0])), a, np.ones(4)))
    assert "kernel" in ft.jit(f, backend="native").source(a, np.ones(4))


def test_indices_out_of_range_are_numpys_errors():
    f = ft.jit(lambda x, i: np.take(x, i) * 2.0 + 1.0, backend="native")
    assert f(np.arange(3.0), np.array([-3, 2])).tolist() == [1.0, 5.0]
    with pytest.raises(IndexError, match="out of bounds"):
        f(np.arange(3.0), np.array([0, 3]))


def test_warnings_are_numpys():
    f = ft.jit(lambda x: np.log(x) * 2.0 + np.sin(x) * x, backend="native")
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        assert f(np.array([0.0, 1.0]))[0] == -np.inf


def test_arrays_that_a_loop_writes_are_not_those_of_the_caller():
    def f(a):
        def body(i, a):
            a = fnp.array(a)
            a[i] = a[i - 1] + a[i] * 2.0
            return a

        return ft.fori_loop(1, 5, body, a)

    a = np.arange(5.0)
    assert_same(*both(f, a))
    assert a.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_the_backend_is_asked_for_by_name():
    with ft.config.using(backend="native"):
        assert ft.config.backend == "native"


def test_what_computes_what_is_told():
    def f(a, x):
        y = np.tanh(a @ x) * np.exp(-x) + x
        return np.linalg.eigvalsh(a) * y * y + np.sin(y)

    a, x = np.eye(3), np.ones(3)
    told = ft.jit(f, backend="native").explain(a, x)
    assert "machine code, " in told
    assert "NumPy: eigh" in told
    assert "there is no machine code for eigh" in told
    assert "test_backend.py" in told
    whole = ft.jit(lambda x: np.sin(x) * x, backend="native")
    assert "NumPy" not in whole.explain(x)
    assert "@kernel(" in whole.llvm(x)
    assert "kernel" in whole.assembly(x)
    assert "NumPy runs all" in ft.jit(np.sin, backend="numpy").explain(x)
    with pytest.raises(ArgumentError, match="makes no text"):
        ft.jit(np.sin, backend="numpy").llvm(x)


def test_what_llvm_spoils_is_compiled_without_vectors_of_straight_lines():
    def loss(c, xs):
        last, rows = ft.scan(lambda c, x: (np.sin(c) * x + c, c * x), c, xs, reverse=True)
        return np.sum(np.sin(last)) + np.sum(np.sin(rows))

    xs = np.array([[0.3, -0.4], [0.5, 0.6], [-0.7, 0.8]])
    assert_same(*both(ft.grad(loss, argnums=(0, 1)), np.array([0.4, 1.1]), xs))


@pytest.mark.thinned
@pytest.mark.parametrize(
    "f",
    [
        lambda x, i: x[i],
        lambda x, i: x[..., i],
        lambda x, i: x[0].astype(np.float32),
        lambda x, i: ft.lax.dynamic_slice(x, (i,), (1,))[..., 0],
        lambda x, i: i.astype(np.float32),
        lambda x, i: i.copy(),
        lambda x, i: np.where(x > 0, x, -x)[2],
        lambda x, i: np.max(x),
        lambda x, i: ft.cond(i > 1, lambda: x[..., 0], lambda: x[..., 1]),
    ],
)
@pytest.mark.parametrize("i", [np.int64(1), np.array(1)])
def test_numbers_are_of_numpys_classes_beside_what_numpy_does(f, i):
    def both_ways(x, i):
        y = np.sort(x)
        return f(x, i), f(y * y + np.sin(y) * y, i + 0), y

    assert_same(*both(both_ways, np.array([0.4, -1.0, 2.0, 3.0]), i))
    assert_same(*both(f, np.array([0.4, -1.0, 2.0, 3.0]), i))


def test_prints_stay_in_their_order_between_parts(capsys):
    def f(x):
        y = np.tanh(x) * x
        ft.debug.print("first {}", np.sum(y > 0.2))
        z = np.sin(y) * y + x

        def body(c, row):
            ft.debug.print("row {}", np.sum(row > 0.2))
            return c + np.sum(row), c * 2.0

        last, _ = ft.scan(body, 0.0, z)
        ft.debug.print("last {}", last > 0.2)
        return z

    x = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
    printed = []
    for backend in ("native", "numpy"):
        ft.jit(f, backend=backend)(x)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].count("row") == 2


def test_programs_are_copied_without_what_was_compiled():
    x = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
    program = ft.make_ir(lambda x: (np.tanh(x) * x + 1.0, np.sum(np.sin(x) * x, 0)))(x)
    expected = compiled(program, backend="native").run(x)
    for other in (copy.copy(program), copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        assert_same(compiled(other, backend="native").run(x), expected)


@pytest.mark.parametrize("f", [lambda p: p - 0.1, lambda p: np.sort(p - 0.1), lambda p: p])
def test_donated_arrays_may_be_used_again(f):
    def step(p, g):
        return f(p) * g + 0.0 * np.tanh(p), np.sin(p) * g

    fast = ft.jit(step, donate_argnums=0, backend="native")
    p, expected, g = np.ones((30, 20)), np.ones((30, 20)), np.ones((30, 20))
    for _ in range(3):
        (p, other), (expected, expected_other) = fast(p, g), step(expected, g)
        assert_same((p, other), (expected, expected_other))
        assert not np.shares_memory(p, other)
    assert np.all(g == 1.0)


def test_the_bits_do_not_depend_on_the_call_or_on_where_arrays_lie():
    fast = ft.jit(lambda x: (np.sum(np.sin(x)), x @ x.T, np.exp(x)), backend="native")
    x = np.random.default_rng(0).normal(size=(31, 17))
    bits = [y.tobytes() for y in fast(x)]
    for offset in range(0, 64, 8):
        moved = np.empty(x.nbytes + 64, np.uint8)[offset:][: x.nbytes].view(float).reshape(x.shape)
        moved[...] = x
        assert [y.tobytes() for y in fast(moved)] == bits
