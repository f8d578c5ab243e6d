"""What says how it was made: functions that functions make, and contexts."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import functrace as ft
from functrace.nn import initializers, stax


def test_functions_say_how_they_were_made():
    assert repr(initializers.normal(0.5)) == "<normal(0.5)>"
    assert repr(initializers.constant(np.ones((3, 2)))) == "<constant(float64[3, 2])>"
    assert repr(ft.optim.constant_schedule(np.float32(0.5))) == "<constant_schedule(0.5)>"
    parts = ft.optim.multi_transform({"a": ft.optim.sgd(0.1)}, lambda params: params)
    assert repr(parts) == "<gradient transformation partition({'a': sgd(0.1)}, <lambda>)>"
    network = stax.serial(stax.Dense(3), stax.Relu, stax.parallel(stax.Dense(1), stax.FanOut(2)))
    assert repr(network) == (
        "<layer serial(Dense(3), elementwise(relu), parallel(Dense(1), FanOut(2)))>"
    )
    assert repr(stax.Dense(3).init_fun) == "<init_fun of Dense(3)>"
    rates = ft.optim.piecewise_constant_schedule(1.0, dict.fromkeys(range(10), 0.5))
    assert len(repr(rates)) > 60


def test_they_are_pickled_and_copied_as_that():
    rate = ft.optim.exponential_decay(1.0, 10, decay_rate=0.5)
    for other in (pickle.loads(pickle.dumps(rate)), copy.deepcopy(rate), copy.copy(rate)):
        assert other(10) == 0.5
        assert repr(other) == repr(rate)
    optimizer = pickle.loads(pickle.dumps(ft.optim.adam(0.1)))
    updates, _ = optimizer.update(1.0, optimizer.init(1.0))
    np.testing.assert_allclose(updates, -0.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ft.find_nan(infinite=False), "find_nan(infinite=False)"),
        (lambda: ft.profile(), "profile()"),
        (lambda: ft.disable_jit(), "disable_jit()"),
        (lambda: ft.full_tracebacks(), "full_tracebacks()"),
        (lambda: ft.explain_cache_misses(), "explain_cache_misses()"),
    ],
)
def test_contexts_say_what_they_are(make, text):
    assert repr(make()) == f"<context {text}>"


def test_contexts_are_decorators_too():
    @ft.find_nan()
    def root(x):
        return ft.grad(np.sqrt)(x)

    for _ in range(2):
        assert root(4.0) == 0.25
        with pytest.raises(ft.errors.NotFiniteError):
            root(0.0)
    with np.errstate(all="ignore"):
        assert ft.grad(np.sqrt)(0.0) == np.inf


def test_other_things_say_what_they_are():
    f = lambda x: np.sum(x**2)
    assert repr(ft.explore(f)).startswith("<explore of test_other_things_say_what_they_are")
    assert repr(ft.testing.gradient_check(f)).startswith("<gradient_check of ")
    assert ft.testing.gradient_check(f, show=False)(np.ones(2))
    assert repr(ft.numpy.r_) == "<r_, which joins what it is indexed by>"
