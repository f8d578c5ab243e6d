"""Which Programs are compiled, which are evaluated, and what is done for every backend."""

from __future__ import annotations

import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import functrace as ft
from functrace.backends.compiling import FIRST, OFTEN, compiled, run_again, runner
from tests.backends.counting import COUNTING, X, counted


def program_of(f, *args):
    return ft.make_ir(f)(*args)


def is_compiled(program):
    return ("compiled", "numpy", frozenset()) in program.derived


def test_a_program_is_compiled_once():
    program = program_of(lambda x: np.sin(x) * 2.0, 1.0)
    assert compiled(program).run is compiled(program).run
    assert compiled(program).run is not compiled(program, frozenset([0])).run
    assert compiled(program).run(1.0) == (np.sin(1.0) * 2.0,)


@pytest.mark.numpy_backend
def test_programs_are_compiled_once_they_have_run_often():
    program = program_of(lambda x: np.sin(x) * 2.0, 1.0)
    enough = OFTEN + FIRST // len(program.equations)
    assert list(runner(program, enough - 1)(1.0)) == [np.sin(1.0) * 2.0]
    assert not is_compiled(program)
    assert list(runner(program, 1)(1.0)) == [np.sin(1.0) * 2.0]
    assert is_compiled(program)


@pytest.mark.numpy_backend
def test_programs_that_are_run_again_are_compiled_the_second_time():
    program = program_of(lambda x: np.sin(x) * 2.0, 1.0)
    for expected in (False, True):
        assert list(run_again(program, [1.0])) == [np.sin(1.0) * 2.0]
        assert is_compiled(program) == expected


def test_long_loops_compile_their_bodies_without_jit():
    def step(c, x):
        return np.tanh(c * x + 0.5), c

    xs = np.linspace(0, 1, 400)
    found = ft.scan(step, np.ones(3), xs)
    carry, stack = np.ones(3), []
    for x in xs:
        stack.append(carry)
        carry = np.tanh(carry * x + 0.5)
    np.testing.assert_allclose(found[0], carry, rtol=1e-12)
    np.testing.assert_allclose(found[1], stack, rtol=1e-12)


# The seam, by a backend that does as little as may be


KNOWN = np.arange(3.0)

FUNCTIONS = {
    "elements": (lambda x: np.tanh(x * x) + 1.0, X),
    "an input": (lambda x: x, X),
    "a view": (lambda x: x.reshape(3, 2).T, X),
    "the same twice": (lambda x: (x * 2, x, x.reshape(6), x), X),
    "a constant": (lambda x: (np.arange(3.0) + 0, x), X),
    "a known array": (lambda x: (KNOWN, x * KNOWN, KNOWN[1:]), X),
    "a scalar": (lambda x: (x.sum() * 1.0, x[0, 0], x.max() > 2), X),
    "an array without axes": (
        lambda x: (x[..., 0, 0], np.where(x > 1, x, 0)[0, 0], x[..., 0, 1] * 1),
        X,
    ),
    "a number of Python's": (lambda x: (x * 2, x, 3.0), 1.5),
    "an array without axes given": (lambda x: (x * 1, x, x.reshape(())), np.array(2.0)),
    "a scalar given": (lambda x: (x * 1, x, np.reshape(x, ())), np.float64(2.0)),
    "single precision": (lambda x: (x * 2, x.sum() * 3, x.mean()), X.astype(np.float32)),
    "integers": (lambda x: (x * 2, x // 3, x.sum()), np.arange(6)),
    "booleans": (lambda x: (x & True, ~x, x.any()), np.array([True, False])),
    "complex": (lambda x: (x * 1j, x.real, np.abs(x)), X + 1j),
    "nothing": (lambda x: (x[:0] * 2, np.sum(x[:0])), X),
    "a choice": (lambda x: ft.cond(x.sum() > 2, lambda x: x * 2, lambda x: x, x), X),
    "a scan": (lambda x: ft.scan(lambda c, r: (c * r, c + r), x[0], x), X),
    "a loop": (lambda x: ft.while_loop(lambda c: c.sum() < 99, lambda c: c * 2, x), X),
    "nested loops": (
        lambda x: ft.while_loop(
            lambda c: c.sum() < 99, lambda c: ft.fori_loop(0, 2, lambda i, c: c * 2 + i, c), x
        ),
        X,
    ),
    "a checkpoint": (ft.checkpoint(lambda x: np.sin(x) * 2), X),
    "writing": (lambda x: written(x * 1), X),
    "eigenvalues": (lambda x: np.linalg.eigvalsh(x @ x.T), X),
}


def written(x):
    x[0] = x[1] * 2
    return x


def assert_same(found, expected):
    """Check that two trees have the same values, dtypes and classes."""
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    for x, y in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        assert type(x) is type(y)
        assert getattr(x, "dtype", None) == getattr(y, "dtype", None)
        np.testing.assert_allclose(x, y, rtol=1e-12)


def assert_apart(outputs, *others):
    """Check that no array shares memory with another one, nor is read-only."""
    arrays = [x for x in ft.tree.leaves(outputs) if isinstance(x, np.ndarray)]
    for number, x in enumerate(arrays):
        assert x.flags.writeable
        for y in [*arrays[number + 1 :], *others]:
            assert not np.shares_memory(x, y)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_backend_gives_what_numpy_gives(name):
    f, x = FUNCTIONS[name]
    fast = ft.jit(f, backend="counting")
    expected = ft.jit(f)(x)
    for _ in range(3):  # the last ones by the guard
        found = fast(x)
        assert_same(found, expected)
        assert_apart(found, *[x] * isinstance(x, np.ndarray))
        for y in ft.tree.leaves(found):  # what a caller does with it changes no later call
            if isinstance(y, np.ndarray):
                y[...] = 0
    assert len(COUNTING.compiles) >= 1


@pytest.mark.parametrize("name", ["elements", "a choice", "a scan", "a checkpoint", "writing"])
def test_derivatives_and_maps_of_what_a_backend_compiles(name):
    f, x = FUNCTIONS[name]

    def loss(f):
        return lambda x: sum(np.sum(y * y) for y in ft.tree.leaves(f(x)))

    fast = ft.jit(f, backend="counting")
    expected = ft.grad(loss(f))(x)
    for gradient in (ft.grad(loss(fast)), ft.jit(ft.grad(loss(f)), backend="counting")):
        for _ in range(3):
            np.testing.assert_allclose(gradient(x), expected, rtol=1e-12)
            found = counted()
        assert found
    np.testing.assert_allclose(
        ft.jvp(loss(fast), (x,), (x,))[1], ft.jvp(loss(f), (x,), (x,))[1], rtol=1e-12
    )
    xs = np.stack([x, 2 * x])
    for _ in range(2):
        assert_same(ft.vmap(fast)(xs), ft.vmap(f)(xs))
    assert counted()
    np.testing.assert_allclose(
        ft.jit(ft.vmap(ft.grad(loss(fast))), backend="counting")(xs),
        np.stack([ft.grad(loss(f))(x) for x in xs]),
        rtol=1e-12,
    )


def test_the_function_around_it_decides_what_compiles_a_function():
    inner = ft.jit(lambda x: np.sin(x) * 2, backend="counting")
    outer = ft.jit(lambda x: inner(x) + 1)
    outer(1.0)
    assert not counted()
    ft.jit(lambda x: ft.jit(np.sin, backend="numpy")(x) * 2, backend="counting")(1.0)
    assert counted() == {"sin": 1, "multiply": 1}


def test_donated_memory_may_be_handed_out_and_other_may_not():
    @ft.jit(donate_argnums=0, backend="counting")
    def step(state, x):
        return state.reshape(3, 2), x.reshape(6)

    state, x = X.copy(), X.copy()
    first, second = step(state, x)
    np.testing.assert_array_equal(first, X.reshape(3, 2))
    np.testing.assert_array_equal(second, X.reshape(6))
    assert_apart((first, second), x)
    shared = X.copy()
    assert_apart(step(shared, shared), shared)


def test_errors_stand_at_the_users_lines():
    def solve(x):
        return np.linalg.inv(x * 1.0) + 1

    def look(x, n):
        return (x * 2)[n]

    first = solve.__code__.co_firstlineno
    for backend in ("numpy", "counting"):
        with pytest.raises(np.linalg.LinAlgError) as caught:
            ft.jit(solve, backend=backend)(np.zeros((2, 2)))
        assert f"test_compiling.py:{first + 1} in solve" in "".join(caught.value.__notes__)
        with pytest.raises(IndexError) as caught:
            ft.jit(look, backend=backend)(X, 7)
        found = str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
        assert f"test_compiling.py:{first + 4} in look" in found


def test_warnings_name_the_users_lines_and_are_handled_as_the_function_says():
    def divide(x):
        return x / (x * 0.0)

    def silent(x):
        with np.errstate(all="ignore"):
            return x / (x * 0.0)

    for backend in ("numpy", "counting"):
        fast = ft.jit(divide, backend=backend)
        for _ in range(2):
            with pytest.warns(RuntimeWarning, match="divide by zero") as caught:
                fast(np.ones(2))
            assert [(w.filename, w.lineno) for w in caught] == [
                (__file__, divide.__code__.co_firstlineno + 1)
            ]
        ft.jit(silent, backend=backend)(np.ones(2))
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            fast(np.ones(2))


def test_derivatives_at_equal_eigenvalues():
    def f(x):
        return np.sum(np.linalg.eigh(x)[0] ** 3)

    matrix = np.eye(3)
    expected = ft.grad(f)(matrix)
    fast = ft.jit(ft.grad(f), backend="counting")
    for _ in range(2):
        np.testing.assert_allclose(fast(matrix), expected, atol=1e-12)


def test_effects_happen_once_and_in_order(capsys):
    @ft.jit(backend="counting")
    def f(x):
        ft.debug.print("first {}", x * 2)
        ft.debug.print("second {}", x)
        return x

    f(1.5)
    ft.debug.print("third")
    assert capsys.readouterr().out.split() == ["first", "3.0", "second", "1.5", "third"]


def test_static_arguments_and_stages():
    @ft.jit(static_argnames="n", backend="counting")
    def power(x, n):
        return x**n * 2

    assert power(3.0, n=2) == 18.0
    assert power(3.0, n=3) == 54.0
    lowered = power.lower(3.0, n=2)
    compiled = lowered.compile()
    assert "power(" in str(lowered.program)
    assert compiled.source.startswith("# counted\ndef program(")
    assert power.source(3.0, n=2) == compiled.source
    assert str(compiled.program) == compiled.source.removeprefix("# counted\n")
    assert compiled(3.0) == compiled(3.0) == 18.0
    assert power.cost(3.0, n=2).operations > 0
    assert power.cache_info().misses == 2


@ft.jit(backend="counting")
def doubled(x):
    """Found by its name where it is unpickled."""
    return x * 2


def plain(x):
    return x * 2


def test_a_jitted_function_is_pickled_with_its_backend():
    for fast in (doubled, ft.jit(plain, backend="counting")):
        again = pickle.loads(pickle.dumps(fast))
        assert again(2.0) == 4.0
        assert counted() == {"multiply": 1}


def test_without_jit_nothing_is_compiled():
    with ft.disable_jit():
        assert ft.jit(plain, backend="counting")(2.0) == 4.0
    assert not counted()
    assert not COUNTING.compiles


def test_threads_compile_once():
    fast = ft.jit(lambda x: np.sin(x) * 2, backend="counting")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fast, [1.0] * 50)) == {np.sin(1.0) * 2}
    assert len(COUNTING.compiles) == 1


def test_a_program_in_a_file_is_for_any_backend():
    program = ft.make_ir(ft.jit(plain, backend="counting"))(1.0)
    assert "backend='counting'" in str(program)
    assert str(ft.parse(str(program))) == str(program)
    file = io.BytesIO()
    program.save(file)
    loaded = ft.Program.load(file)
    assert "counting" not in str(loaded)
    assert ft.evaluate(loaded, 2.0) == [4.0]


def test_what_is_evaluated_for_equal_values_is_in_memory_of_its_own():
    def f(a, x):
        w = np.linalg.eigvalsh(a)
        return np.sum(w * w) + 0.01 * np.sum(x)

    for gradient in ft.jit(ft.grad(f, argnums=(0, 1)))(np.eye(3), np.ones(4)):
        assert gradient.flags.writeable
        assert gradient.flags.owndata
