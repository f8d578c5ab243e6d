"""Large arrays that are kept from call to call, and what is known of memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import functrace as ft
from functrace.backends.memory import MOST_KEPT_BY_ALL, Storage, Value, Workspace, key_of, size_of
from functrace.backends.numpy_source import Written
from functrace.ir.types import ANY_LENGTH, ArrayType
from tests.backends.sources import require_plan, require_same, written


def test_large_arrays_are_kept_unless_they_are_returned():
    text = """
    def program(a: float64[10000]):
        b: float64[10000] = sin(a)
        c: float64[10000] = cos(a)
        d: float64 = sum(b, axes=None, keepdims=False, dtype=None)
        return c, d
    """
    require_plan(
        text,
        """
        given a: float64[10000] in m0
        b = sin a: into w1
        c = cos a: into m2
        d = sum b: scalar
        release w1
        return c, d
        """,
    )


N = 20_000


def chain(x):
    y = np.sin(x) * x
    z = np.cos(y) + x * 2.0
    w = np.exp(-z * z)
    return z, w[::2], np.sum(y), np.cumsum(w) * y


def test_what_was_returned_is_not_written_by_later_calls():
    function = written(chain, np.ones(N))
    assert "workspace.take()" in function.source
    first, second = np.linspace(0, 1, N), np.linspace(1, 2, N)
    outputs = function.run(first)
    copies = [np.array(x) for x in outputs]
    others = function.run(second)
    for x, copy, y, expected in zip(outputs, copies, others, chain(second), strict=True):
        np.testing.assert_array_equal(x, copy)
        np.testing.assert_allclose(y, expected, rtol=1e-12)
        assert not np.may_share_memory(x, y) or not np.ndim(x)


def test_calls_that_overlap_have_arrays_of_their_own():
    x = np.linspace(0, 1, N)
    seen = []

    def look(y):
        if len(seen) < 3:
            seen.append(1)
            inner.extend(function.run(y))
        return y

    def f(x):
        y = np.sin(x) * x
        z = ft.pure_callback(look, ft.ShapeDtypeStruct((N,), np.float64), np.cos(x))
        return y * z + np.exp(y)

    inner = []
    function = written(f, x)
    (result,) = function.run(x)
    np.testing.assert_allclose(result, np.sin(x) * x * np.cos(x) + np.exp(np.sin(x) * x))


def test_threads_have_arrays_of_their_own():
    function = written(chain, np.ones(N))
    inputs = [np.linspace(k, k + 1, N) for k in range(4)]

    def work(x):
        expected = chain(x)
        for _ in range(25):
            for found, y in zip(function.run(x), expected, strict=True):
                np.testing.assert_allclose(found, y, rtol=1e-12)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, inputs))


def test_an_error_leaves_the_next_call_as_it_was():
    def f(x, i):
        y = np.sin(x) * 2.0
        return np.sum(y[i]) + y[0]

    x = np.ones(N)
    function = written(f, x, np.array([0]))
    (expected,) = function.run(x, np.array([1]))
    with pytest.raises(IndexError):
        function.run(x, np.array([N]))
    assert function.run(x, np.array([1])) == (expected,)


def test_residuals_of_loops_are_kept_and_carries_are_not():
    def f(w, xs):
        def step(h, x):
            h = np.tanh(h * w + x)
            return h, np.sin(h) * x

        h, ys = ft.scan(step, xs[0], xs)
        return np.sum(ys * ys) + np.sum(h)

    w, xs = np.linspace(0, 1, N), np.linspace(0, 1, 4 * N).reshape(4, N)
    program = ft.make_ir(ft.grad(f, (0, 1)))(w, xs)
    assert "workspace.take()" in Written(program, frozenset(), "program").source
    require_same(program, [w, xs])
    function = Written(program, frozenset(), "program")
    first = function.run(w, xs)
    copies = [x.copy() for x in first]
    function.run(w * 2, xs - 1)
    for x, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


def test_no_more_is_kept_than_there_may_be(monkeypatch):
    monkeypatch.setattr("functrace.backends.plan.MOST_KEPT", 8 * N - 1)
    assert "workspace" not in written(chain, np.ones(N)).source


def test_memory_knows_the_values_in_it():
    storage = Storage(True, 24)
    whole, part = (Value(ArrayType((n,), np.dtype(float)), storage) for n in (3, 1))
    for value in (whole, part, part):
        storage.enter(value)
    assert storage.users == 3
    assert storage.views_besides(whole) == [part]
    storage.leave(part)
    assert storage.views_besides(whole) == [part]
    storage.leave(part)
    assert storage.views_besides(whole) == []
    storage.users += 1  # a block that follows needs it, too
    assert storage.views_besides(whole) is None


def test_what_can_be_written_over_what():
    def key(*shape, dtype=float):
        return key_of(ArrayType(shape, np.dtype(dtype)))

    assert key(2, 3) == key(2, 3) is not None
    assert len({key(2, 3), key(3, 2), key(6), key(2, 3, dtype=np.float32)}) == 4
    assert key() is key(ANY_LENGTH, 3) is None


@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (4, 5)])
def test_sizes_are_numpys(shape):
    for dtype in (np.float64, np.float32, np.bool_, np.complex128):
        assert size_of(ArrayType(shape, np.dtype(dtype))) == np.zeros(shape, dtype).nbytes


def test_a_workspace_is_for_one_call_at_a_time():
    before = Workspace.kept_by_all
    workspace = Workspace([ArrayType((3, 2), np.dtype(np.float32)), ArrayType((5,), np.dtype(int))])
    assert workspace.size == 24 + 40
    first, second = workspace.take(), workspace.take()
    assert [(x.shape, x.dtype) for x in first] == [((3, 2), np.float32), ((5,), int)]
    assert not any(np.shares_memory(x, y) for x in first for y in second)
    workspace.give(first)
    workspace.give(second)  # one is kept
    assert Workspace.kept_by_all == before + workspace.size
    assert workspace.take() is first
    assert workspace.take() is not second
    workspace.give(first)
    del workspace
    assert Workspace.kept_by_all == before


def test_all_functions_together_keep_no_more_than_there_may_be(monkeypatch):
    workspace = Workspace([ArrayType((3,), np.dtype(float))])
    arrays = workspace.take()
    monkeypatch.setattr(Workspace, "kept_by_all", MOST_KEPT_BY_ALL - workspace.size + 1)
    workspace.give(arrays)
    assert workspace.take() is not arrays
