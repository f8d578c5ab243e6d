"""NumPy's backend: it is there, writes source, and assumes no more than holds."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends import numpy_backend
from functrace.backends.backend import backend_named, default

NUMPY = backend_named("numpy")


@pytest.mark.numpy_backend
def test_it_is_the_one_that_is_asked():
    assert default() == "numpy"
    found = NUMPY.compile(ft.make_ir(lambda x: np.sin(x) * 2.0)(np.ones(3)), frozenset(), "f")
    assert found.source.startswith("def f(a):")
    x = np.arange(3.0)
    np.testing.assert_array_equal(found.run(x)[0], np.sin(x) * 2.0)


def test_donated_memory_is_written_and_other_is_not():
    program = ft.make_ir(lambda w, g: w - 0.1 * g)(np.ones(3), np.ones(3))
    w, g = np.ones(3), np.ones(3)
    (kept,) = NUMPY.compile(program, frozenset(), "f").run(w, g)
    assert not np.shares_memory(kept, w)
    np.testing.assert_array_equal(w, np.ones(3))
    (new,) = NUMPY.compile(program, frozenset([0]), "f").run(w, g)
    assert np.shares_memory(new, w)
    np.testing.assert_array_equal(new, kept)
    np.testing.assert_array_equal(g, np.ones(3))


def test_outputs_without_axes_are_of_numpys_class():
    x = np.ones((2, 3))
    f = lambda x: (x[..., 0, 0], x[0, 0], np.squeeze(x[:1, :1]) * 1.0, np.sum(x))
    outputs = NUMPY.compile(ft.make_ir(f)(x), frozenset(), "f").run(x)
    assert [type(y) for y in outputs] == [type(y) for y in f(x)]


@pytest.mark.numpy_backend
def test_it_is_started_again_once(monkeypatch):
    starts = []
    begin = numpy_backend.begin_assuming
    monkeypatch.setattr(numpy_backend, "begin_assuming", lambda: starts.append(1) or begin())
    fast = ft.jit(ft.grad(lambda x: np.sum(np.where(x > 20, x, np.log1p(np.exp(x))))))
    for _ in range(3):
        np.testing.assert_array_equal(fast(np.zeros(2)), [0.5, 0.5])
    assert len(starts) == 3
    with np.errstate(all="ignore"):
        for _ in range(3):
            np.testing.assert_array_equal(fast(np.array([1000.0, 0.0])), [1.0, 0.5])
        np.testing.assert_array_equal(fast(np.zeros(2)), [0.5, 0.5])
    assert len(starts) == 3 + 2 + 3
