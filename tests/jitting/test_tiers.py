"""Tiers: when machine code takes over from NumPy's source, when it does not, and when it goes."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import traceback
from types import BuiltinFunctionType

import numpy as np
import pytest

import functrace as ft
from functrace.backends.backend import Executable
from functrace.errors import ArgumentError
from functrace.ir.program import Program
from functrace.jitting import recordings, tiers
from functrace.jitting.guards import Allowance
from functrace.jitting.recordings import Recordings
from functrace.jitting.tiers import REFUSALS, TRIALS, Tier, median
from functrace.transforms.static_arguments import named_parameters


class Recording:
    """A recording whose executables do nothing, and what is asked of it."""

    def __init__(self, failing=None):
        self.program = Program([], [], [])
        self.used = []
        self.failing = failing
        self.tell = []

    def compiled_by(self, backend):
        if backend == "native" and self.failing:
            raise self.failing
        return Executable(tuple, backend, refusing=self.tell.append)

    def use(self, executable):
        self.used.append(executable.source)


class Native:
    saving = math.inf

    def saved(self, program):
        return self.saving


@pytest.fixture
def native(monkeypatch):
    """A backend of which it is told what it saves; to compile by it takes a second."""
    native = Native()
    monkeypatch.setattr(tiers, "backend_named", lambda name: native)
    monkeypatch.setattr(tiers, "cost_of", lambda program: 1.0)
    monkeypatch.setattr(tiers, "LEAST_SAVED", 0.1)
    monkeypatch.setattr(tiers, "SLOWER", 1.0)
    return native


def run(tier, recording, seconds, times=1):
    for _ in range(times):
        tier.ran(recording, seconds)


def test_machine_code_comes_when_its_cost_was_spent(native):
    tier, recording = Tier(), Recording()
    run(tier, recording, 0.3, 3)
    assert not recording.used
    run(tier, recording, 0.3)
    assert recording.used == ["native"]
    assert tier.is_on_trial
    run(tier, recording, 0.1, TRIALS)
    assert recording.used == ["native", "native"]
    assert tier.is_settled
    run(tier, recording, 9.0, 10)
    assert recording.used == ["native", "native"]


def test_calls_that_nobody_saw_count(native):
    tier, recording = Tier(), Recording()
    tier.allowance.add(lambda calls: iter(()))  # all that were allowed were made
    calls = 0
    while not recording.used:
        run(tier, recording, 1e-5)
        calls += 1 + tier.allowance.given
        assert calls < 1e6
    # A second of ten microseconds each.
    assert 0.9e5 < calls < 1.3e5


def test_a_first_call_that_took_long_does_not_count_for_others(native):
    tier, recording = Tier(), Recording()
    tier.allowance.add(lambda calls: iter(()))
    run(tier, recording, 0.1)
    run(tier, recording, 1e-6)
    assert tier.spent < 0.11


@pytest.mark.parametrize("saving", [0.0, 0.02])
def test_what_saves_little_is_not_compiled(native, saving):
    native.saving = saving
    tier, recording = Tier(), Recording()
    run(tier, recording, 0.3, 4)
    assert recording.used == ["numpy"]
    assert tier.is_settled
    assert "save little" in tier.explained(recording.program)


def test_what_takes_long_to_compile_is_not_compiled(native, monkeypatch):
    monkeypatch.setattr(tiers, "cost_of", lambda program: tiers.MOST_COST + 1)
    tier, recording = Tier(), Recording()
    run(tier, recording, 0.3)
    assert recording.used == ["numpy"]
    assert "take too long" in tier.explained(recording.program)


@pytest.mark.parametrize("error", [RuntimeError("LLVM"), ArgumentError("none"), ImportError("no")])
def test_what_cannot_be_compiled_stays_without_an_error(native, error):
    tier, recording = Tier(), Recording(error)
    run(tier, recording, 0.3, 4)
    assert recording.used == ["numpy"]
    assert str(error) in tier.explained(recording.program)


def test_an_interrupt_is_none_of_these(native):
    tier, recording = Tier(), Recording(KeyboardInterrupt())
    run(tier, recording, 0.3, 3)
    with pytest.raises(KeyboardInterrupt):
        run(tier, recording, 0.3)
    recording.failing = None
    run(tier, recording, 0.3)
    assert recording.used == ["native"]


def test_slower_machine_code_goes_for_good(native):
    tier, recording = Tier(), Recording()
    run(tier, recording, 0.3, 4)
    run(tier, recording, 0.2, TRIALS // 2)
    run(tier, recording, 0.4, TRIALS - TRIALS // 2)
    assert recording.used == ["native", "numpy"]
    assert tier.is_settled
    for tell in recording.tell:
        for _ in range(1000):
            tell()
    assert recording.used == ["native", "numpy"]


def test_machine_code_that_numpy_must_help_often_is_tried_again(native):
    tier, recording = Tier(), Recording()
    run(tier, recording, 0.3, 4)
    run(tier, recording, 0.1, TRIALS)
    (tell,) = recording.tell
    for _ in range(REFUSALS - 1):
        tell()
    assert tier.is_settled
    tell()
    assert tier.is_on_trial
    run(tier, recording, 0.1, TRIALS)  # still faster than the source
    assert tier.is_settled
    for _ in range(2 * REFUSALS - 1):
        tell()
    assert tier.is_settled
    tell()
    run(tier, recording, 0.4, TRIALS)
    assert recording.used[-1] == "numpy"
    assert tier.is_settled


def test_one_thread_compiles_and_others_go_on(native):
    tier, recording = Tier(), Recording()
    run(tier, recording, 0.3, 3)
    begun, go_on = threading.Event(), threading.Event()
    compiled_by = recording.compiled_by

    def slow(backend):
        begun.set()
        go_on.wait(10)
        return compiled_by(backend)

    recording.compiled_by = slow
    thread = threading.Thread(target=run, args=(tier, recording, 0.3))
    thread.start()
    begun.wait(10)
    run(tier, recording, 0.3, 5)
    assert not recording.used
    go_on.set()
    thread.join()
    assert recording.used == ["native"]


def test_the_median():
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert median([3.0, 1.0]) == 1.0


def test_an_allowance_counts_what_passes():
    allowance = Allowance()
    left = []

    def guard(number):
        left.append(iter(()))

        def renew(calls):
            before, left[number] = left[number], calls
            return before

        return renew

    allowance.renew(5)
    for number in range(2):
        allowance.add(guard(number))
    assert sum(1 for _ in left[0]) == 5
    next(left[1])
    assert allowance.renew(7) == 6
    assert allowance.renew(0) == 0
    assert next(left[1], None) is None


# With all there is


@pytest.fixture
def early(monkeypatch):
    """Machine code after the first call, if there is any, and it stays."""
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(tiers, "cost_of", lambda program: 0.0)
    monkeypatch.setattr(tiers, "LEAST_SAVED", 0.0)
    monkeypatch.setattr(tiers, "SLOWER", math.inf)
    before, ft.config.backend = ft.config.backend, "auto"
    yield
    ft.config.backend = before


def recorded(f):
    nothing = named_parameters(f, None, None, "static_argnums")
    return Recordings(f, nothing, nothing, "auto")


def test_a_settled_function_is_as_if_the_backend_had_been_named(early):
    def f(x):
        return np.sin(x) * x

    calls = recorded(f)
    for _ in range(3 + TRIALS):
        assert calls.call((0.5,), {}) == pytest.approx(f(0.5))
    assert type(calls.first) is BuiltinFunctionType
    assert calls.first((0.5,), {}) == pytest.approx(f(0.5))


def test_guards_count_until_then(early, monkeypatch):
    calls = recorded(lambda x: x * 2.0)
    monkeypatch.setattr(tiers, "cost_of", lambda program: 1.0)
    calls.call((0.5,), {})
    (entry,) = calls._entries.values()
    allowance = entry.tier.allowance
    allowance.renew(3)
    assert [calls.first((0.5,), {}) for _ in range(5)] == [1.0] * 3 + [recordings.MISS] * 2
    assert calls.call((np.float64(0.5),), {}) == 1.0
    assert calls.call((0.5,), {}) == 1.0


def test_what_runs_is_told(early):
    fast = ft.jit(ft.grad(lambda x: np.sum(np.exp(x) * x)))
    x = np.arange(3.0)
    assert "were spent in this so far" in fast.explain(x)
    assert "np." in fast.source(x)
    fast(x)
    assert "on trial" in fast.explain(x)
    assert "for each" in fast.source(x)
    for _ in range(TRIALS):
        fast(x)
    assert "stays as it is: machine code and NumPy took" in fast.explain(x)
    assert "define" in fast.llvm(x)


def test_machine_code_is_shown_before_it_runs(early, monkeypatch):
    monkeypatch.setattr(tiers, "cost_of", lambda program: 1.0)
    fast = ft.jit(lambda x: np.exp(x) * x)
    assert "define" in fast.llvm(1.0)
    assert fast.assembly(1.0)
    assert "np." in fast.source(1.0)


def test_named_backends_stay(early):
    x = np.arange(3.0)
    fast = ft.jit(lambda x: np.sum(np.exp(x) * x), backend="numpy")
    for _ in range(20):
        fast(x)
    assert "np." in fast.source(x)
    assert "spent" not in fast.explain(x)
    free = ft.jit(lambda x: np.sum(np.exp(x) * x))
    with ft.config.using(backend="numpy"):
        for _ in range(20):
            free(x)
        assert "np." in free.source(x)


def test_everything_around_a_call_stays_as_it_is(early):
    @ft.jit(static_argnames="n")
    def power(tree, n, *, scale=1.0):
        return {"y": scale * tree["x"] ** n, "n": tree["x"][0]}

    written = ft.jit(lambda x, y: x * 2.0 + y, donate_argnums=0)
    x = np.arange(3.0)
    for _ in range(20):
        for n in (2, 3):
            result = power({"x": x}, n, scale=2.0)
            np.testing.assert_array_equal(result["y"], 2.0 * x**n)
            assert type(result["n"]) is np.float64
        np.testing.assert_array_equal(written(x.copy(), x), 3.0 * x)
        gradient = ft.grad(lambda x: np.sum(power({"x": x}, 2)["y"]))(x)
        np.testing.assert_array_equal(gradient, 2 * x)
    assert power.cache_info().misses <= 4


def test_a_function_compiled_ahead_goes_over_too(early):
    compiled = ft.jit(lambda x: np.sum(np.exp(x) * x)).lower(np.ones(3)).compile()
    expected = 3 * math.e
    for _ in range(20):
        assert compiled(np.ones(3)) == pytest.approx(expected)
    assert "for each" in compiled.source


def test_errors_and_warnings_are_those_of_the_users_lines(early):
    @ft.jit
    def fast(x, index):
        return np.log(x[index]) * 2.0  # this line

    x = np.array([1.0, 2.0, 0.0])
    for _ in range(20):
        assert fast(x, 1) == 2 * np.log(2.0)
    with pytest.raises(IndexError) as caught:
        fast(x, 3)
    lines = [frame.line for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any("this line" in (line or "") for line in lines)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        fast(x, 2)


def test_results_that_overflow_bring_the_source_back(early, monkeypatch):
    fast = ft.jit(lambda x: np.sum(np.exp(x)) * 0.5)
    x = np.full(10, 1.0)
    for _ in range(2 * TRIALS):
        fast(x)
    monkeypatch.setattr(tiers, "SLOWER", 0.0)  # whatever the clock says
    with np.errstate(over="ignore"):
        for _ in range(REFUSALS + TRIALS + 5):
            assert fast(1000.0 * x) == math.inf
    assert "np." in fast.source(x)


def test_threads_call_while_it_is_compiled(early):
    fast = ft.jit(ft.grad(lambda x: np.sum(np.tanh(x) * x)))
    x = np.linspace(-1.0, 1.0, 50)
    expected = ft.grad(lambda x: np.sum(np.tanh(x) * x))(x)
    failures = []

    def call():
        try:
            for _ in range(200):
                np.testing.assert_allclose(fast(x), expected, rtol=1e-12)
        except Exception as error:  # noqa: BLE001  (the test fails by it)
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_without_llvmlite_nothing_is_watched(monkeypatch):
    monkeypatch.setattr(recordings, "may_be_native", lambda: False)
    fast = ft.jit(lambda x: x * 2.0, backend="auto")
    assert fast(1.0) == 2.0
    assert "llvmlite is not installed" in fast.explain(1.0)


def test_llvmlite_is_not_imported_before_it_is_needed():
    code = (
        "import sys, numpy as np, functrace as ft\n"
        "fast = ft.jit(lambda x: np.sin(x) * x)\n"
        "for _ in range(100): fast(1.0)\n"
        "fast.explain(1.0)\n"
        "assert 'llvmlite' not in sys.modules\n"
        "assert ft.config.backend == 'auto'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
