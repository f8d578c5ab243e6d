"""Loops on several cores: the same bits as on one, and nothing that stays behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import functrace as ft

pytest.importorskip("llvmlite")

from functrace.backends.native import elements, lowering, parallel, writing

pytestmark = pytest.mark.skipif(not parallel.is_there(), reason="there are no threads to be had")


@pytest.fixture(autouse=True)
def restored():
    before = ft.config.threads
    yield
    ft.config.threads = before


@pytest.fixture
def always(monkeypatch):
    """Every loop is divided that can be."""
    monkeypatch.setattr(elements, "FEWEST", 2)
    monkeypatch.setattr(lowering, "FEW", 2)
    monkeypatch.setattr(writing, "WORTH", 0)
    ft.config.threads = 3


def softmax(x):
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def chain(x):
    """So many operations that loops are functions of their own."""
    for _ in range(4):
        x = np.tanh(x) * np.exp(-x * x) + np.sin(x)
    return np.sum(x)


def of_three_axes(x):
    cube = np.stack([x, np.sin(x), -x], axis=1)
    return np.sum(cube, axis=(0, 2)), np.max(cube, axis=(1, 2)), np.sum(cube * 2.0, axis=(0, 1))


FUNCTIONS = {
    "elements": lambda x: np.exp(x) * x + np.sin(x),
    "a number": lambda x: x * np.sum(x),
    "rows": softmax,
    "columns": lambda x: np.sum(x, axis=0),
    "transposed": lambda x: x.T * 2.0 + 1.0,
    "booleans": lambda x: np.where(x > 0.1, x, -x) > 0.2,
    "single": lambda x: np.tanh(x.astype(np.float32) - np.mean(x.astype(np.float32))),
    "places": lambda x: x[np.arange(5 * len(x)) % len(x)],
    "two results": lambda x: np.divmod(x, 0.3),
    "in a loop": lambda x: ft.fori_loop(0, 3, lambda _, y: np.cos(y) * x, x),
    "gradient": ft.grad(lambda x: np.sum(np.tanh(x) * x)),
    "long gradient": ft.value_and_grad(chain),
    "everything": lambda x: (np.sum(np.sin(x)), np.max(np.sin(x)), np.sin(x), np.any(x > 2.0)),
    "three axes": of_three_axes,
    "integers": lambda x: np.sum((x * 10.0).astype(np.int32), axis=0),
}


@pytest.mark.thinned
@pytest.mark.parametrize("shape", [(2, 1), (3, 7), (64, 33), (1, 20_000), (900, 3)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_those_of_one_thread(always, name, shape):
    f = FUNCTIONS[name]
    x = np.random.default_rng(0).normal(size=shape)
    fast = ft.jit(f, backend="native")
    results = []
    for ft.config.threads in (1, 2, 3, 7, 1000):
        results += [ft.tree.leaves(fast(x)) for _ in range(3)]
    for result in results:
        assert all(map(np.array_equal, result, results[0]))
    for found, expected in zip(results[0], ft.tree.leaves(f(x)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_only_what_takes_long_is_divided():
    for name, few, many in (("elements", 10_000, 1_000_000), ("long gradient", 3000, 100_000)):
        fast = ft.jit(FUNCTIONS[name], backend="native")
        assert "@parallel" not in fast.llvm(np.ones(few))
        assert "@parallel" in fast.llvm(np.ones(many))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sin(x)),
        lambda x: np.sum(np.sin(x), axis=0),
        lambda x: np.sum(np.sin(x), axis=1),
        lambda x: np.sum(np.sin(x.reshape(4, -1)), axis=1),
        lambda x: np.sum(np.sin(x.reshape(4, -1)), axis=0),
        ft.grad(chain),
    ],
)
def test_loops_of_every_kind_are_divided(f):
    assert ft.jit(f, backend="native").llvm(np.ones((3000, 200))).count("call i32 @parallel") == 1


def test_what_other_threads_find_is_told(always):
    fast = ft.jit(lambda x: 1.0 / x, backend="native")
    x = np.ones(1000)
    assert "@parallel" in fast.llvm(x)
    for place in (0, 500, 999):
        zero = x.copy()
        zero[place] = 0.0
        for _ in range(5):
            with pytest.warns(RuntimeWarning, match="divide by zero"):
                assert np.isinf(fast(zero)[place])
    np.testing.assert_array_equal(fast(x), x)


def test_what_a_thread_refuses_is_done_by_numpy(always):
    fast = ft.jit(lambda x: x.astype(np.int32) + 1, backend="native")
    x = np.arange(1000.0)
    assert "@parallel" in fast.llvm(x)
    for ft.config.threads in (1, 3):
        np.testing.assert_array_equal(fast(x), np.arange(1, 1001))
        for place in (0, 500, 999):
            large = x.copy()
            large[place] = 1e10
            with pytest.warns(RuntimeWarning, match="invalid value"):
                fast(large)


def tasks() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="where they cannot be counted")
def test_no_thread_stays(always):
    fast = ft.jit(FUNCTIONS["elements"], backend="native")
    x = np.linspace(0.0, 1.0, 10_000)
    before = tasks()
    for _ in range(50):
        fast(x)
    end = time.monotonic() + 10.0
    while tasks() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert tasks() <= before


def test_many_threads_call_it(always):
    fast = ft.jit(FUNCTIONS["elements"], backend="native")
    inputs = [np.linspace(0.0, n, 5000) for n in range(10)]
    expected = [fast(x) for x in inputs]
    wrong = []

    def call(number):
        results = (fast(inputs[number]) for _ in range(30))
        wrong.extend(x for x in results if not np.array_equal(x, expected[number]))

    threads = [threading.Thread(target=call, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="where processes do not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_was_forked_has_threads_of_its_own(always):
    fast = ft.jit(FUNCTIONS["elements"], backend="native")
    x = np.linspace(0.0, 1.0, 10_000)
    expected = fast(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if all(np.array_equal(fast(x), expected) for _ in range(20)) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
