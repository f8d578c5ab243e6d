"""BLAS on one thread: what is found, that it is restored, and when it is done."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from functools import wraps
from itertools import permutations

import numpy as np
import pytest

import functrace as ft
from functrace.backends import threads
from functrace.backends.threads import Team, blas_threads, team_for

found = blas_threads()
needs_blas = pytest.mark.skipif(found is None, reason="this BLAS cannot be asked")


@pytest.fixture
def exchange():
    """The function of NumPy's BLAS, with a limit of two threads for the test."""
    previous = found.exchange(2)
    yield found.exchange
    found.exchange(previous)


def now(exchange):
    count = exchange(1)
    exchange(count)
    return count


def on_one_thread(f):
    """The function as a `Team` runs it while the cores are busy."""
    team = Team(found.exchange, 0)
    team.alone_until = math.inf

    @wraps(f)
    def limited(*args):
        entered = team.enter()
        try:
            return f(*args)
        finally:
            team.leave(entered)

    return limited


def test_the_blas_of_numpys_wheels_is_found():
    config = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    if config["name"] != "scipy-openblas":
        pytest.skip("NumPy was built with another BLAS")
    assert found is not None
    assert found.library == "openblas"


@needs_blas
def test_it_is_numpys_blas_and_no_other(exchange):
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def counts():
        return {
            info["filepath"]: info["num_threads"]
            for info in threadpoolctl.threadpool_info()
            if info["user_api"] == "blas" and "numpy" in info["filepath"]
        }

    if not counts():
        pytest.skip("NumPy's BLAS is not in a folder of NumPy's")
    assert set(counts().values()) == {2}
    assert set(on_one_thread(counts)().values()) == {1}
    assert set(counts().values()) == {2}


@needs_blas
def test_a_call_has_one_thread_and_the_users_number_comes_back(exchange):
    inside = on_one_thread(lambda: now(exchange))
    assert inside() == 1
    assert now(exchange) == 2
    assert on_one_thread(lambda: (inside(), now(exchange)))() == (1, 1)  # one within another
    assert now(exchange) == 2


@needs_blas
def test_a_limit_of_the_users_stays(exchange):
    exchange(1)
    assert on_one_thread(lambda: now(exchange))() == 1
    assert now(exchange) == 1


@needs_blas
def test_errors_restore(exchange):
    def fail():
        assert now(exchange) == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        on_one_thread(fail)()
    assert now(exchange) == 2


@needs_blas
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_blocks_that_overlap_restore_in_every_order(exchange, order):
    if found.library != "openblas":
        pytest.skip("each thread has its own number")
    inside = [threading.Event() for _ in order]
    leave = [threading.Event() for _ in order]

    def stay(number):
        inside[number].set()
        leave[number].wait(10)

    stayers = [threading.Thread(target=on_one_thread(stay), args=(n,)) for n in range(3)]
    for stayer, event in zip(stayers, inside, strict=True):
        stayer.start()
        event.wait(10)
    assert now(exchange) == 1
    for number in order:
        leave[number].set()
        stayers[number].join(10)
    assert now(exchange) == 2


@needs_blas
def test_many_threads_at_once(exchange):
    a = np.random.default_rng(0).normal(size=(96, 96))
    expected = a @ a
    multiply = on_one_thread(lambda: a @ a)

    def work():
        for _ in range(200):
            np.testing.assert_allclose(multiply(), expected, rtol=1e-12)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert now(exchange) == 2


@needs_blas
def test_an_exchange_takes_less_than_a_microsecond(exchange):
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(1000):
            exchange(1)
        best = min(best, (time.perf_counter() - start) / 1000)
    assert best < 1e-6


class Functions:
    """Stands for a library: attributes are its functions."""

    def __init__(self, **functions):
        for name, function in functions.items():
            setattr(self, name, Function(function))


class Function:
    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        return self.function(*args)


class State:
    count = 4

    def get(self):
        return self.count

    def put(self, count):
        self.count = count

    def both(self, count):
        previous, self.count = self.count, count
        return previous


def with_library(monkeypatch, functions):
    monkeypatch.setattr(threads, "_libraries", lambda: iter([Functions(**functions)]))
    return blas_threads.__wrapped__()


@pytest.mark.parametrize("prefix", ["", "scipy_"])
@pytest.mark.parametrize("suffix", ["", "64_", "_64"])
def test_every_name_of_openblas(monkeypatch, prefix, suffix):
    state = State()
    functions = {
        f"{prefix}openblas_get_num_threads{suffix}": state.get,
        f"{prefix}openblas_set_num_threads{suffix}": state.put,
        f"{prefix}openblas_get_parallel{suffix}": lambda: 1,
    }
    old = with_library(monkeypatch, functions)
    assert old.exchange(1) == 4
    assert old.exchange(4) == 1
    new = with_library(monkeypatch, {**functions, "openblas_set_num_threads_local": state.both})
    assert new.exchange(1) == 4
    assert state.count == 1


def test_openmps_number_counts_where_openblas_uses_openmp(monkeypatch):
    state, other = State(), State()
    functions = {
        "openblas_get_num_threads": other.get,
        "openblas_set_num_threads": other.put,
        "openblas_get_parallel": lambda: 2,
    }
    assert with_library(monkeypatch, functions) is None
    functions |= {"omp_get_max_threads": state.get, "omp_set_num_threads": state.put}
    exchange = with_library(monkeypatch, functions).exchange
    assert exchange(1) == 4
    assert (state.count, other.count) == (1, 4)


def test_mkl(monkeypatch):
    state = State()
    state.count = 0  # no number of this thread's own
    found = with_library(monkeypatch, {"MKL_Set_Num_Threads_Local": state.both})
    assert found.library == "mkl"
    assert found.exchange(1) == 0
    assert found.exchange(0) == 1


def test_nothing_is_done_for_other_libraries(monkeypatch):
    assert with_library(monkeypatch, {}) is None
    single = {"openblas_get_parallel": lambda: 0}
    assert with_library(monkeypatch, single) is None
    monkeypatch.setattr(threads, "blas_threads", lambda: None)
    assert team_for([(100, 100, 100)], 2_000_000) is None


def test_a_numpy_without_the_module_is_left_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "numpy._core._multiarray_umath")
    assert list(threads._libraries()) == []


def test_a_fresh_process_can_use_it():
    script = (
        "import functrace as ft, numpy as np; x = np.ones((100, 100)); "
        "f = ft.jit(lambda x: x @ x); assert 'team.enter' in f.source(x); print(f(x).sum())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == 100.0**3


# When threads are used


class Machine:
    """A clock, and calls that take the time they are told to."""

    def __init__(self, operations=0):
        self.now = 100.0
        self.threads = 4
        self.team = Team(self.exchange, operations, lambda: self.now)

    def exchange(self, count):
        previous, self.threads = self.threads, count
        return previous

    def call(self, seconds):
        """One call; returns on how many threads it ran."""
        entered = self.team.enter()
        used = self.threads
        self.now += seconds
        self.team.leave(entered)
        assert self.threads == 4
        return used


def test_quiet_cores_are_used():
    machine = Machine()
    assert {machine.call(200e-6 * (1 + number % 3 / 4)) for number in range(1000)} == {4}


def test_a_call_that_waits_is_followed_by_calls_on_one_thread():
    machine = Machine()
    for _ in range(10):
        machine.call(200e-6)
    assert machine.call(20e-3) == 4
    used = [machine.call(300e-6) for _ in range(5000)]
    assert used[0] == 1
    alone = used.index(4) * 300e-6
    assert 0.9 < alone < 1.1  # fifty times of what was lost
    assert set(used[used.index(4) :]) == {4}


def test_at_most_a_fiftieth_of_the_time_is_lost_on_busy_cores():
    machine = Machine()
    machine.call(200e-6)
    start, calls = machine.now, 0
    while machine.now < start + 60:
        machine.call(20e-3 if machine.now >= machine.team.alone_until else 300e-6)
        calls += 1
    assert (machine.now - start) / calls < 1.05 * 300e-6


def test_cores_that_are_busy_from_the_beginning():
    machine = Machine(operations=14_000_000)
    assert machine.call(20e-3) == 4  # more than so many operations can take
    assert machine.call(300e-6) == 1


@pytest.mark.parametrize(
    ("sizes", "watches"),
    [
        ([], False),
        ([(32, 16, 8)], False),  # too small for threads
        ([(128, 128, 64), (2, 2, 2)], True),
        ([(1, 1000, 10)], True),
        ([(1, 100, 10)], False),
        ([(128, 128, 64), (1000, 1000, 1000)], False),  # too large to wait for
        ([(-1, 2, 2)], False),
    ],
)
def test_which_functions_are_watched(monkeypatch, sizes, watches):
    state = State()
    monkeypatch.setattr(
        threads, "blas_threads", lambda: threads.BlasThreads("openblas", state.both)
    )
    assert (team_for(sizes, 0) is not None) == watches


def test_functions_that_do_not_take_as_long_each_time_are_not_watched():
    x = np.ones((100, 100))
    f = ft.jit(lambda x: ft.while_loop(lambda c: np.sum(c) < 5.0, lambda c: c @ x, x))
    assert "team" not in f.source(x)


def test_watched_functions_give_the_same_and_let_errors_through():
    x = np.random.default_rng(0).normal(size=(100, 100))
    f = ft.jit(lambda x: np.linalg.inv((x @ x) * 0.0))
    with pytest.raises(np.linalg.LinAlgError):
        f(x)
    np.testing.assert_allclose(ft.jit(lambda x: x @ x)(x), x @ x)
