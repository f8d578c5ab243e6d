"""Settings for all functions: who sees what is set, and what is refused."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

import functrace as ft
from tests.backends.counting import COUNTING

ONES = np.ones(3)


@pytest.fixture(autouse=True)
def restored():
    """The settings are those of the beginning after each test, which counts anew."""
    COUNTING.counts.clear()
    COUNTING.compiles.clear()
    yield
    ft.config.backend = "numpy"


def double(x):
    return 2.0 * x


def counted():
    count = COUNTING.counts.total()
    COUNTING.counts.clear()
    return count


def test_an_assignment_holds_from_the_next_call_on():
    fast = ft.jit(double)
    for _ in range(3):
        fast(ONES)
    assert counted() == 0
    ft.config.backend = "counting"
    assert ft.config.backend == "counting"
    for _ in range(3):
        fast(ONES)
    assert counted() == 3
    ft.config.backend = "numpy"
    fast(ONES)
    assert counted() == 0


def test_what_each_backend_made_is_kept():
    traces = []
    fast = ft.jit(lambda x: (traces.append(1), double(x))[1])
    for name in ("numpy", "counting") * 3:
        ft.config.backend = name
        for _ in range(3):
            np.testing.assert_array_equal(fast(ONES), 2 * ONES)
    assert len(traces) == 2
    assert fast.cache_info().misses == fast.cache_info().currsize == 2
    assert COUNTING.compiles == ["<lambda>"]


def test_a_context_holds_inside_of_it():
    fast = ft.jit(double)
    fast(ONES)
    with ft.config.using(backend="counting"):
        assert ft.config.backend == "counting"
        fast(ONES)
        with ft.config.using(backend="numpy"):
            fast(ONES)
        fast(ONES)
        assert "# counted" in fast.source(ONES)
    assert counted() == 2
    fast(ONES)
    assert counted() == 0
    assert ft.config.backend == "numpy"


def test_a_context_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), ft.config.using(backend="counting"):
        raise ZeroDivisionError
    assert ft.config.backend == "numpy"
    ft.jit(double)(ONES)
    assert counted() == 0


def test_a_context_is_of_one_thread_and_an_assignment_of_all():
    fast = ft.jit(double)
    fast(ONES)
    seen = []

    def look():
        seen.append(ft.config.backend)
        fast(ONES)

    def in_another_thread():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    with ft.config.using(backend="counting"):
        in_another_thread()
        assert (seen.pop(), counted()) == ("numpy", 0)
    ft.config.backend = "counting"
    in_another_thread()
    assert (seen.pop(), counted()) == ("counting", 1)


def test_threads_in_contexts_of_their_own_do_not_disturb_each_other():
    fast = ft.jit(double)
    steps = threading.Barrier(2)
    found = {}

    def work(name, leaves_first):
        with ft.config.using(backend=name):
            steps.wait()
            found[name, "inside"] = ft.config.backend
            fast(ONES)
            steps.wait()
            if not leaves_first:
                steps.wait()
        if leaves_first:
            steps.wait()
        found[name, "after"] = ft.config.backend

    threads = [
        threading.Thread(target=work, args=args) for args in [("counting", True), ("numpy", False)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {
        ("counting", "inside"): "counting",
        ("numpy", "inside"): "numpy",
        ("counting", "after"): "numpy",
        ("numpy", "after"): "numpy",
    }
    assert fast.cache_info().currsize == 2


def test_a_function_that_names_its_backend_asks_nobody():
    by_numpy, by_counting = ft.jit(double, backend="numpy"), ft.jit(double, backend="counting")
    for name in ("numpy", "counting"):
        ft.config.backend = name
        by_numpy(ONES)
        assert counted() == 0
        by_counting(ONES)
        assert counted() == 1
    with ft.config.using(backend="counting"):
        by_numpy(ONES)
    assert counted() == 0
    assert by_numpy.cache_info().misses == by_counting.cache_info().misses == 1


def test_arguments_of_several_kinds_follow_the_setting():
    fast = ft.jit(double)
    kinds = [ONES, np.ones(2), 1.0, np.float64(1.0)]
    for name, expected in [("numpy", 0), ("counting", 8), ("numpy", 0)]:
        ft.config.backend = name
        for x in kinds * 2:
            fast(x)
        assert counted() == expected


def test_loops_without_jit_follow_the_setting():
    def loop(start):
        return ft.scan(lambda c, x: (c * x, c), start, np.linspace(0.99, 1.0, 300))[0]

    expected = ft.grad(loop)(1.0)
    assert counted() == 0
    with ft.config.using(backend="counting"):
        np.testing.assert_allclose(ft.grad(loop)(1.0), expected, rtol=1e-14)
    assert COUNTING.counts["multiply"] >= 600  # forward, and on the way back


UNKNOWN = (
    r"(?s)There is no backend 'fortran'\..*test_config\.py:\d+.*"
    r"There are these: 'auto', 'counting', 'native', 'numpy'[.,]"
)


def test_an_unknown_name_is_refused_at_once():
    with pytest.raises(ft.errors.ArgumentError, match=UNKNOWN):
        ft.jit(double, backend="fortran")
    with pytest.raises(ft.errors.ArgumentError, match=UNKNOWN):
        ft.jit(backend="fortran")
    with pytest.raises(ft.errors.ArgumentError, match=UNKNOWN):
        ft.config.backend = "fortran"
    with pytest.raises(ft.errors.ArgumentError, match=UNKNOWN):
        ft.config.using(backend="fortran")
    assert ft.config.backend == "numpy"
    with pytest.raises(ft.errors.ArgumentError, match=r"There is no backend \['numpy'\]"):
        ft.config.backend = ["numpy"]


def test_there_is_no_other_setting():
    with pytest.raises(AttributeError):
        ft.config.backends = "numpy"
    with pytest.raises(TypeError, match="unexpected keyword argument 'device'"):
        ft.config.using(device="cpu")
    shown = f"backend='numpy', cache=False, threads={ft.config.threads}, key_reuse='allow'"
    shown += ", language='en'"
    assert repr(ft.config) == f"<functrace.config: {shown}>"


def test_a_miss_by_another_backend_is_explained(caplog):
    fast = ft.jit(double)
    fast(ONES)
    with caplog.at_level(logging.WARNING, "functrace.jit"), ft.explain_cache_misses():
        ft.config.backend = "counting"
        fast(ONES)
    assert "because the backend is 'counting'; before, 'numpy'." in caplog.text


def test_the_cache_on_disk_is_turned_on_and_off():
    before = ft.config.cache
    try:
        ft.config.cache = True
        assert ft.config.cache is True
        ft.config.cache = 0
        assert ft.config.cache is False
    finally:
        ft.config.cache = before


def test_the_number_of_threads_is_one_at_least():
    before = ft.config.threads
    try:
        ft.config.threads = 3
        assert ft.config.threads == 3
        for wrong in (0, -1, 2.0, None):
            with pytest.raises(ft.errors.ArgumentError, match="must be 1 or more"):
                ft.config.threads = wrong
        assert ft.config.threads == 3
    finally:
        ft.config.threads = before
