"""Profiles: the line that takes the time is the one that is named, whatever runs it."""

from __future__ import annotations

import math
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
from functrace.jitting import profiling, tiers

HERE = __file__
X = np.linspace(0.1, 0.5, 200_000)


def model(x):
    y = x + 1.0
    z = np.sin(y) ** 3.7 + np.cos(y) ** 1.3  # the heavy line
    return np.sum(z)


def line_of(words):
    lines = Path(HERE).read_text(encoding="utf-8").splitlines()
    return next(number for number, text in enumerate(lines, 1) if words in text)


HEAVY = line_of("# the heavy line")


def profiled(f, seconds=0.15):
    with ft.profile(show=False) as report:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            f()
    return report


def share(report, lines):
    taken = sum(x.seconds for x in report.lines if x.file == HERE and x.line in lines)
    return taken / report.seconds


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f,
        ft.grad,
        lambda f: lambda x: ft.jvp(f, (x,), (x,)),
        lambda f: ft.jit(f, backend="numpy"),
        lambda f: ft.jit(ft.grad(f), backend="numpy"),
    ],
    ids=["plain", "grad", "jvp", "jit", "jit of grad"],
)
def test_the_heavy_line_is_found(transform):
    fast = transform(model)
    fast(X)
    report = profiled(lambda: fast(X))
    assert share(report, [HEAVY]) > 0.6
    first = report.lines[0]
    assert first.text.endswith("# the heavy line")
    assert 0.5 < sum(line.seconds for line in report.lines) / report.seconds <= 1.01


def test_machine_code_tells_the_lines_that_it_is_made_of():
    pytest.importorskip("llvmlite")
    fast = ft.jit(model, backend="native")
    fast(X)
    report = profiled(lambda: fast(X))
    first = report.lines[0]
    assert (first.text, first.file, first.line) == ("machine code of model", "", 0)
    assert first.seconds > 0.6 * report.seconds
    assert f"its operations: test_profiling.py:{HEAVY}" in str(report)


def test_it_is_printed(capsys):
    with ft.profile():
        for _ in range(20):
            model(X)
    printed = capsys.readouterr().out
    assert "seconds, by line" in printed
    assert f"test_profiling.py:{HEAVY}  z = np.sin(y)" in printed


def test_nothing_is_left_behind():
    threads, interval = threading.active_count(), sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError), ft.profile(show=False) as report:
        1 / 0  # noqa: B018
    assert report.seconds > 0
    assert threading.active_count() == threads
    assert sys.getswitchinterval() == pytest.approx(interval)


def test_only_the_own_thread_is_looked_at():
    go_on = threading.Event()

    def busy():
        while not go_on.is_set():
            model(X)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        report = profiled(lambda: time.sleep(0.01))
    finally:
        go_on.set()
        thread.join()
    assert share(report, [HEAVY]) == 0.0


def test_long_reports_are_cut(monkeypatch):
    monkeypatch.setattr(profiling, "MOST_OF_KERNEL", 2)

    def long(x):
        x = np.sin(x)
        x = np.cos(x)
        x = np.exp(x)
        return np.tanh(x)

    parts = profiling._parts(ft.make_ir(long)(X))
    assert len(parts) == 3
    assert parts[-1] == "and those of 2 more lines"


def test_what_went_over_to_machine_code_is_told(monkeypatch):
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(tiers, "cost_of", lambda program: 0.0)
    monkeypatch.setattr(tiers, "LEAST_SAVED", 0.0)
    monkeypatch.setattr(tiers, "SLOWER", math.inf)
    fast = ft.jit(model, backend="auto")
    for _ in range(10):
        fast(X)
    report = profiled(lambda: fast(X), 0.1)
    assert report.lines[0].text == "machine code of model"


def test_what_is_shown():
    report = profiled(lambda: model(X), 0.02)
    assert repr(report).startswith("<profile: 0.")
    assert report._repr_html_().startswith("<pre>0.")


def test_loops_in_machine_code_are_told_by_the_lines_of_their_bodies():
    pytest.importorskip("llvmlite")

    def trip(x, row):
        x = np.sin(x) * row + np.cos(x) ** 3.7  # the work of a trip
        return x * 0.9, None

    fast = ft.jit(lambda x: np.sum(ft.scan(trip, x, np.ones(20))[0]), backend="native")
    fast(X)
    report = str(profiled(lambda: fast(X)))
    found = [line for line in report.splitlines() if "of its operations" in line]
    assert f"test_profiling.py:{line_of('# the work of a trip')}" in found[0]
    assert sum(int(line.split("%")[0]) for line in found) >= 98
