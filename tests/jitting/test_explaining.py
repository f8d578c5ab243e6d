"""explain_cache_misses: the messages."""

from __future__ import annotations

import logging
import threading
from typing import NamedTuple

import numpy as np
import pytest

import functrace as ft


class Pair(NamedTuple):
    x: object
    y: object


@pytest.fixture
def messages(caplog):
    caplog.set_level(logging.WARNING, logger="functrace.jit")

    def of(f, *args, **kwargs):
        caplog.clear()
        with ft.explain_cache_misses():
            f(*args, **kwargs)
        assert all(
            (record.name, record.levelno) == ("functrace.jit", logging.WARNING)
            for record in caplog.records
        )
        return [record.getMessage() for record in caplog.records]

    return of


def loss(p, x, n=2, *, scale=1.0):
    return np.sum(x) * n * scale


def test_the_first_call_and_calls_that_are_known(messages):
    f = ft.jit(loss)
    (message,) = messages(f, {"W1": 1.0}, 2.0)
    assert message.startswith("loss, called at ")
    assert "test_explaining.py:" in message
    assert message.endswith(", is recorded: first call.")
    assert messages(f, {"W1": 3.0}, 2.0) == []
    f({"W1": 1.0}, np.ones(3))
    assert messages(f, {"W1": 3.0}, np.ones(3)) == []


def test_other_types(messages):
    f = ft.jit(loss)
    f({"W1": np.ones((3, 2)), "b": 1.0}, np.ones(3))
    (message,) = messages(f, {"W1": np.ones((3, 5)), "b": 1.0}, np.ones(3))
    assert message.endswith(
        "is recorded again, because p['W1'] has the type float64[3, 5]; before, it had "
        "float64[3, 2]."
    )
    (message,) = messages(f, {"W1": np.ones((3, 5)), "b": 1.0}, np.ones(3, np.float32))
    assert message.endswith("x has the type float32[3]; before, it had float64[3].")
    (message,) = messages(f, {"W1": np.ones((3, 2)), "b": np.float64(1)}, np.ones(3))
    assert message.endswith("p['b'] has the type float64; before, it had weak_float64.")
    (message,) = messages(f, {"W1": 1, "b": 1j}, np.ones((7, 7)))
    assert message.count("has the type") == 3


def test_many_leaves(messages):
    f = ft.jit(loss)
    f([np.ones(2)] * 20, 1.0)
    (message,) = messages(f, [np.ones(3)] * 20, 1.0)
    assert message.count("has the type") == 5
    assert message.endswith("and 15 more leaves have other types.")


def test_other_structures(messages):
    f = ft.jit(loss, static_argnames="n")
    f({"W1": Pair(1.0, 2.0)}, 1.0)
    (message,) = messages(f, {"W1": Pair(1.0, None)}, 1.0)
    assert "p has another structure: at ['W1'].y, a leaf was expected" in message
    (message,) = messages(f, {"W1": Pair(1.0, 2.0), "c": 1.0}, 1.0)
    assert "p has another structure: the dict has the unexpected key 'c'" in message
    (message,) = messages(f, {"W1": Pair(1.0, 2.0)}, 1.0, scale=2.0)
    assert "the keywords 'scale' are given; before, (none)" in message
    (message,) = messages(f, {"W1": Pair(1.0, 2.0)}, x=1.0)
    assert "1 positional arguments that are not static are given; before, 2" in message


def test_other_static_arguments(messages):
    f = ft.jit(loss, static_argnums=2)
    f(1.0, 2.0, 3)
    (message,) = messages(f, 1.0, 2.0, 4)
    assert message.endswith("because the static argument n is 4; before, 3.")
    (message,) = messages(f, 1.0, 2.0, True)
    assert "the static argument n is True; before, " in message
    (message,) = messages(f, 1.0, 2.0, n=4)
    assert "the static argument n is given as 4; the static argument n is not given" in message
    g = ft.jit(lambda n, x: x * n, static_argnums=0)
    g(2, np.ones(2))
    (message,) = messages(g, 2, np.ones(3))
    assert "x has the type float64[3]" in message


def test_the_most_similar_call_is_compared_with(messages):
    f = ft.jit(loss)
    f({"a": 1.0, "b": 2.0}, np.ones(3))
    f({"a": 1.0}, np.ones(3))
    f([1.0], np.ones(3))
    (message,) = messages(f, {"a": 1.0, "b": 2}, np.ones(3))
    assert message.endswith("p['b'] has the type weak_int64; before, it had weak_float64.")


def test_named_axes(messages):
    f = ft.jit(lambda x: x * 2)
    f(1.0)
    (message,) = messages(ft.vmap(lambda x: f(1.0) + x, axis_name="i"), np.ones(3))
    assert message.endswith("because the named axes are 'i': 3; before, (none).")


def test_captured_values(messages):
    def outer(a):
        return ft.jit(lambda x: x * a)(2.0)

    first, second = messages(ft.grad(outer), 3.0)
    assert first.endswith("is recorded: first call.")
    assert "captures a traced value (weak_float64" in second
    assert second.endswith("): not kept.")


def test_only_here(messages, caplog):
    f = ft.jit(loss)
    f(1.0, 1.0)
    assert not caplog.records
    with ft.explain_cache_misses():
        other = threading.Thread(target=f, args=(1.0, np.ones(2)))
        other.start()
        other.join()
        with ft.explain_cache_misses(explain=False):
            f(1.0, np.ones(3))
    assert not caplog.records
