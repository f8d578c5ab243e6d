"""Keys: made, split, folded, and what is none."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import functrace as ft
from functrace import random
from functrace.errors import ArgumentError, RandomKeyError


def test_a_seed_is_the_words_of_its_key():
    assert random.key(5).tolist() == [5, 0]
    assert random.key(-1).tolist() == [2**64 - 1, 0]
    assert random.key((3 << 64) + 4).tolist() == [4, 3]
    for seed in (np.int32(5), np.uint64(5), np.array(5), True + 4):
        made = random.PRNGKey(seed)
        assert made.tolist() == [5, 0]
        assert made.dtype == np.uint64
    np.testing.assert_array_equal(random.key(np.int64(-1)), random.key(-1))


def test_seeds_may_be_traced():
    keys = ft.vmap(random.key)(np.arange(4))
    np.testing.assert_array_equal(keys, [random.key(seed) for seed in range(4)])
    np.testing.assert_array_equal(ft.jit(random.key)(9), random.key(9))


def test_splitting_gives_an_array_of_keys():
    key = random.key(0)
    assert random.split(key).shape == (2, 2)
    assert random.split(key, (2, 3)).shape == (2, 3, 2)
    np.testing.assert_array_equal(random.split(key, 5)[:3], random.split(key, 3))


def test_keys_that_are_split_are_independent():
    keys = random.split(random.key(3), 200)
    assert np.unique(keys).size == keys.size
    draws = ft.vmap(lambda key: random.normal(key, (1000,)))(keys)
    within = np.corrcoef(draws)[np.triu_indices(200, 1)]
    # Of independent numbers it is about normal, with the standard deviation 1 / sqrt(1000).
    assert abs(within.std() * np.sqrt(1000) - 1) < 0.02
    assert abs(within).max() < 5.5 / np.sqrt(1000)
    parents = random.normal(random.key(3), (1000,))
    assert abs(np.corrcoef(parents, draws)[0, 1:]).max() < 4.5 / np.sqrt(1000)


def test_folding_depends_on_key_and_number():
    key = random.key(0)
    numbers = [0, 1, 2**32, 2**63, 2**64 - 1]
    folded = [random.fold_in(key, number) for number in numbers]
    assert np.unique(folded).size == 2 * len(numbers)
    np.testing.assert_array_equal(random.fold_in(key, -1), folded[-1])
    np.testing.assert_array_equal(random.fold_in(key, np.int8(1)), folded[1])
    assert not np.array_equal(random.fold_in(random.key(1), 0), folded[0])
    steps = np.arange(60)
    mapped = ft.vmap(random.fold_in, in_axes=(None, 0))(key, steps)
    np.testing.assert_array_equal(mapped, [random.fold_in(key, step) for step in steps])
    scanned = ft.jit(lambda k: ft.scan(lambda c, i: (c, random.fold_in(k, i)), 0, steps)[1])(key)
    np.testing.assert_array_equal(scanned, mapped)


def test_keys_are_carried_by_loops():
    def step(key, _):
        key, other = random.split(key)
        return key, random.normal(other)

    key, expected = random.key(1), []
    for _ in range(5):
        key, number = step(key, None)
        expected.append(number)
    last, found = ft.jit(lambda key: ft.scan(step, key, None, 5))(random.key(1))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(last, key)


def test_words_of_keys():
    keys = random.split(random.key(0), 3)
    assert random.key_data(keys) is keys
    assert random.wrap_key_data(keys, impl="philox4x64") is keys
    assert random.key_impl(keys) == "philox4x64"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: random.normal(3), "^3 is no key"),
        (lambda: random.normal(None), "^None is no key"),
        (lambda: random.normal(np.random.default_rng(0)), "^A Generator is no key"),
        (lambda: random.normal(np.zeros(2, np.uint32)), "shape .2,. and dtype uint32 is no key"),
        (lambda: random.normal(np.zeros(3, np.uint64)), "is no key"),
        (
            lambda: random.normal(random.split(random.key(0), 3)),
            "^3 keys, an array of shape .3, 2.",
        ),
        (lambda: ft.jit(random.normal)(np.zeros(2)), "float64 is no key"),
        (lambda: random.key(0.5), "^0.5 is no seed"),
        (lambda: random.key(np.arange(3)), "is no seed"),
        (lambda: random.fold_in(random.key(0), 0.5), "^0.5 is no integer to fold"),
        (lambda: random.fold_in(random.key(0), np.arange(3)), "no integer to fold"),
        (lambda: random.fold_in(0, 0), "^0 is no key"),
        (lambda: random.key_data([1, 2]), "^A list holds no keys"),
    ],
)
def test_what_is_no_key_is_refused(make, message):
    with pytest.raises(RandomKeyError, match=message) as caught:
        make()
    assert "test_keys.py" in str(caught.value)


def test_other_generators_are_refused():
    with pytest.raises(ArgumentError, match="philox4x64"):
        random.key(0, impl="threefry2x32")


def test_threads_do_not_disturb_each_other():
    expected = [random.normal(random.key(seed), (70_000,)) for seed in range(4)]
    found = [None] * 4

    def draw(seed):
        found[seed] = random.normal(random.key(seed), (70_000,))

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found, expected)
