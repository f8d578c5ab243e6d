"""What a backend is given, what is done for it, and which of them is asked."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
from functrace.backends import Backend, backend, register
from functrace.backends.backend import backend_named, chosen, default, set_default, using
from functrace.errors import ArgumentError
from functrace.primitives.elementwise import multiply
from tests.backends.counting import COUNTING, ROWS, Counting, X, counted


def test_what_it_does_not_lower_is_numpys(monkeypatch):
    seen = []
    own = {**COUNTING.lowerings, multiply: lambda _: lambda x, y: seen.append(1) or x * y}
    monkeypatch.setattr(COUNTING, "lowerings", own)
    fast = ft.jit(lambda x: np.tanh(x * 2.0).reshape(6).sum(), backend="counting")
    assert fast(X) == pytest.approx(np.tanh(X * 2).sum(), rel=1e-14)
    assert seen == [1]
    assert counted() == {"multiply": 1, "tanh": 1, "reshape": 1, "sum": 1}


def test_loops_that_it_leaves_to_numpy_run_their_bodies_by_it():
    fast = ft.jit(
        lambda x: ft.scan(lambda c, r: (np.sin(c) * r, None), x, ROWS)[0],
        backend="counting",
    )
    fast(1.0)
    found = counted()
    assert (found["scan"], found["sin"], found["multiply"]) == (1, 300, 300)


def test_loops_are_data_to_it():
    fast = ft.jit(
        lambda x: ft.while_loop(lambda c: c < 100.0, lambda c: c * 2.0, x), backend="counting"
    )
    assert fast(1.0) == 128.0
    assert counted() == {"while_loop": 1, "less": 8, "multiply": 7}


def test_errors_of_its_own_lowerings_stand_there_too(monkeypatch):
    def fail(x, y):
        raise OverflowError("too large")

    monkeypatch.setattr(COUNTING, "lowerings", {multiply: lambda _: fail})

    def f(x):
        return ft.scan(lambda c, r: (c * r, None), x, ROWS)[0]

    def g(x):
        return x * 3.0

    for function in (f, g):
        with pytest.raises(OverflowError, match="too large") as caught:
            ft.jit(function, backend="counting")(2.0)
        place = f"{Path(__file__).name}:{function.__code__.co_firstlineno + 1}"
        assert [note for note in caught.value.__notes__ if place in note] == caught.value.__notes__


def test_names_of_backends_are_unique():
    register(COUNTING)  # once more is no harm
    with pytest.raises(ft.errors.ArgumentError, match="There is a backend 'counting' already"):
        register(Counting())
    assert repr(COUNTING) == "<backend counting>"


def test_what_a_backend_must_do_is_to_compile():
    with pytest.raises(NotImplementedError):
        Backend().compile(ft.make_ir(np.sin)(1.0), frozenset(), "program")


def test_a_name_that_no_backend_has():
    for choose in (backend_named, set_default):
        with pytest.raises(ft.errors.ArgumentError, match="no backend 'nmupy'") as caught:
            choose("nmupy")
        assert "'counting'" in str(caught.value)
        assert "'numpy'" in str(caught.value)
    with pytest.raises(ft.errors.ArgumentError), using("nmupy"):
        pass
    assert chosen() == default()


def test_another_backend_is_asked_within_a_context_and_in_one_thread():
    seen = []
    with using("counting"):
        thread = threading.Thread(target=lambda: seen.append(chosen()))
        thread.start()
        thread.join()
        seen.append(chosen())
        with using("numpy"):
            seen.append(chosen())
        seen.append(chosen())
    assert seen == [default(), "counting", "numpy", "counting"]
    assert chosen() == default()


def test_what_is_simplified_is_never_the_given_program():
    for f in (np.sin, lambda x: np.negative(-x)):
        program = ft.make_ir(f)(X)
        for _ in range(2):
            found = COUNTING.simplified(program)
            assert found is not program
            assert len(found.equations) == (f is np.sin)
            np.testing.assert_array_equal(ft.evaluate(found, X)[0], f(X))


def test_where_machine_code_knows_no_objects_there_is_no_native_backend(monkeypatch):
    pytest.importorskip("llvmlite")
    backend_named("native")
    monkeypatch.delitem(backend._registered, "native")
    with pytest.raises(ArgumentError, match="does not know this interpreter"):
        backend_named("native")
