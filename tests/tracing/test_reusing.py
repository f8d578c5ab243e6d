"""Keys that are used twice."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import random
from functrace.errors import ArgumentError, KeyReuseError


@pytest.fixture(autouse=True)
def strict():
    with ft.config.using(key_reuse="error"):
        yield


def test_drawing_twice_is_an_error_that_says_where():
    key = random.key(0)
    random.normal(key)
    with pytest.raises(KeyReuseError, match=r"before, at .*test_reusing.py:\d+(.|\n)*split"):
        random.uniform(key, (3,))
    with pytest.raises(KeyReuseError):
        random.split(random.key(0))


def test_what_comes_of_splitting_is_new():
    first, second = random.split(random.key(0))
    random.normal(first)
    random.normal(second)
    for step in range(3):
        random.normal(random.fold_in(first, step))


def test_clones_may_be_used_again():
    key = random.key(0)
    assert random.normal(key) == random.normal(random.clone(key))


def test_by_traced_keys_too():
    def twice(key):
        return random.normal(key) + random.normal(key)

    with pytest.raises(KeyReuseError):
        ft.jit(twice)(random.key(1))
    with pytest.raises(KeyReuseError):
        ft.vmap(twice)(random.split(random.key(2)))

    def once(key):
        key, other = random.split(key)
        return random.normal(key) + random.normal(other) + random.normal(random.clone(key))

    fast = ft.jit(once)
    assert fast(random.key(1)) == fast(random.key(1))


def test_by_derivatives_the_values_tell():
    key = random.key(4)
    slope = ft.grad(lambda x: x * random.normal(key))
    slope(1.0)
    with pytest.raises(KeyReuseError):
        slope(1.0)


def test_it_is_a_setting():
    key = random.key(0)
    random.normal(key)
    with ft.config.using(key_reuse="allow"):
        random.normal(key)
        assert ft.config.key_reuse == "allow"
    with ft.config.using(key_reuse="error"):
        random.normal(key)  # what was used is forgotten at each setting
    with pytest.raises(ArgumentError, match="'allow', 'error'"), ft.config.using(key_reuse="no"):
        pass


def test_it_is_allowed_where_nobody_says_otherwise():
    with ft.config.using(key_reuse="allow"):
        ft.config.key_reuse = "error"
    try:
        key = random.key(5)
        random.normal(key)
        with pytest.raises(KeyReuseError):
            random.normal(key)
    finally:
        ft.config.key_reuse = "allow"
    assert np.isfinite(random.normal(key))
