"""What a jitted function keeps: once for each kind of calls, boundedly, and from any thread."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import functrace as ft
from functrace.jitting import recordings
from functrace.jitting.recordings import MOST_GUARDS, MOST_GUARDS_ASKED


def counting(f, **options):
    calls = []

    def counted(*args, **kwargs):
        calls.append(1)
        return f(*args, **kwargs)

    return ft.jit(counted, **options), calls


def test_all_kinds_of_a_type_share_one_recording():
    f, calls = counting(lambda x: x * 2)
    for x in (np.float64(2), np.array(2.0), np.float64(3), np.array(2.0, ">f8").astype("f8")):
        for _ in range(3):
            assert f(x) == 2 * x
    assert len(calls) == 1
    f(2.0)
    f(np.array(2.0, ">f8"))
    assert len(calls) == 3
    assert f.cache_info() == (3, 256, 3)


def test_many_shapes_in_turn():
    f, calls = counting(lambda x: x + len(x))
    sizes = range(1, 3 * MOST_GUARDS_ASKED)
    for _ in range(3):
        for size in sizes:
            np.testing.assert_array_equal(f(np.zeros(size)), np.full(size, size))
    assert len(calls) == len(sizes)


def test_more_python_types_than_guards():
    f, calls = counting(lambda x: x)
    kinds = [np.float64, np.array]
    for number in range(2 * 2**5):
        x = [kinds[number >> bit & 1](1.0) for bit in range(5)]
        assert f(x) == x
    assert len(calls) == 1
    assert MOST_GUARDS < 2**5


def test_the_least_recently_used_recording_goes(monkeypatch):
    monkeypatch.setattr(recordings, "MOST_RECORDINGS", 20)
    f, calls = counting(lambda x: x + 0)
    keep = np.zeros(100)
    for size in range(50):
        f(keep)  # by its guard, of which nobody takes note
        f(np.zeros(size))
    assert len(calls) == 51
    assert f.cache_info().currsize == 20
    f(np.zeros(49))
    f(np.zeros(32))
    assert len(calls) == 51
    f(np.zeros(3))
    assert len(calls) == 52
    for size in range(60, 60 + 19):
        f(np.zeros(size))
    f(keep)
    assert f.cache_info().currsize == 20


def test_clearing():
    f, calls = counting(lambda x: x + 1)
    g, more_calls = counting(lambda x: x + 1)
    f(1.0), g(1.0)
    f.clear_cache()
    assert f.cache_info().currsize == 0
    assert f(1.0) == g(1.0) == 2.0
    assert (len(calls), len(more_calls)) == (2, 1)
    ft.clear_caches()
    f(1.0), g(1.0)
    assert (len(calls), len(more_calls)) == (3, 2)


def test_a_function_that_nobody_holds_is_let_go():
    f, _ = counting(lambda x: x + 1)
    f(1.0)
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


def test_disable_jit():
    seen = []
    f = ft.jit(lambda x: (seen.append(type(x)), x * 2)[1])
    f(1.0)
    assert seen.pop() is not float
    with ft.disable_jit():
        assert f(1.0) == 2.0
        assert seen.pop() is float
        with ft.disable_jit(disable=False):
            f(1.0)
            assert not seen
        assert f(2.0) == 4.0
        other = threading.Thread(target=f, args=(1.0,))
        other.start()
        other.join()
        assert seen == [float]
    f(1.0)
    assert seen == [float]


@pytest.fixture
def eager_switching():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switching")
def test_threads_record_once():
    for _ in range(5):
        calls = []
        start = threading.Barrier(8)

        @ft.jit
        def f(x):
            calls.append(x.shape)
            time.sleep(0.01)
            return np.sum(x) * 2

        def use(number):
            start.wait()
            return [f(np.ones(1 + (number + turn) % 3)) for turn in range(20)]

        with ThreadPoolExecutor(8) as pool:
            for number, results in enumerate(pool.map(use, range(8))):
                assert results == [2.0 * (1 + (number + turn) % 3) for turn in range(20)]
        assert sorted(calls) == [(1,), (2,), (3,)]


def test_an_error_goes_to_the_thread_that_recorded_and_others_try_themselves():
    recorded = threading.Event()
    waiting = threading.Event()
    turns = []

    @ft.jit
    def f(x):
        turns.append(1)
        if len(turns) == 1:
            recorded.set()
            waiting.wait(10)
            time.sleep(0.05)  # the other thread waits by now
            raise RuntimeError("not this time")
        return x * 2

    def second():
        recorded.wait(10)
        waiting.set()
        return f(1.0)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(f, 1.0)
        other = pool.submit(second)
        with pytest.raises(RuntimeError, match="not this time"):
            first.result(10)
        assert other.result(10) == 2.0
    assert len(turns) == 2


def test_functions_that_call_each_other_do_not_wait_for_each_other():
    both_record = threading.Barrier(2)

    def calling(other_name, value):
        def f(x, depth):
            if depth:
                both_record.wait(10)
                return functions[other_name](x, depth=0) + value
            return x + value

        return ft.jit(f, static_argnames="depth")

    functions = {"f": calling("g", 1.0), "g": calling("f", 2.0)}
    # Each records itself at depth 1, then the other one at depth 0, which nobody makes; and again
    # with both depths in the making at once.
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(functions[name], 0.0, depth=1) for name in "fg"]
        assert [future.result(20) for future in found] == [3.0, 3.0]

    start = threading.Barrier(2)
    turns = {"f": 0, "g": 0}

    def mutual(name, other_name):
        def f(x):
            turns[name] += 1
            if turns[name] == 1:
                start.wait(10)
                return mutuals[other_name](x) + 1  # which the other thread is making
            return x

        return ft.jit(f)

    mutuals = {"f": mutual("f", "g"), "g": mutual("g", "f")}
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(mutuals[name], np.zeros(2)) for name in "fg"]
        for future in found:
            future.result(20)


def test_recursion_in_one_thread_does_not_wait():
    depth = []

    @ft.jit
    def f(x):
        depth.append(1)
        return x if len(depth) > 3 else f(x) + 1

    assert f(1.0) == 4.0


def test_static_arguments_that_call_the_function_when_they_are_compared():
    class Odd:
        def __eq__(self, other):
            return f(1.0, None) == 1.0

        def __hash__(self):
            return 1

    f = ft.jit(lambda x, how: x * 1.0, static_argnums=1)
    assert f(2.0, Odd()) == f(2.0, Odd()) == 2.0


def test_an_error_of_numpy_names_the_line():
    f = ft.jit(lambda x: np.linalg.inv(x))
    f(np.eye(2))
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError):
            f(np.zeros((2, 2)))
