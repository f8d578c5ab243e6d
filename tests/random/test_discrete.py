"""Integers and choices, against what is known of their chances."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import functrace as ft
from functrace import random
from functrace.errors import ArgumentError, UnknownValueError

COUNT = 100_000
KEY = random.key(5)


def occurs(found, chances):
    """How often each occurs."""
    expected = np.asarray(chances) / np.sum(chances) * np.size(found)
    observed = np.bincount(np.ravel(found), minlength=expected.size)
    assert stats.chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 0.001
    assert not observed[expected == 0].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_bits(dtype):
    found = random.bits(random.key(0), (COUNT,), dtype)
    assert found.dtype == dtype
    unsigned = found.view(f"u{found.itemsize}")
    means = [(unsigned >> place & 1).mean() for place in range(8 * found.itemsize)]
    np.testing.assert_allclose(means, 0.5, atol=4 * 0.5 / np.sqrt(COUNT))


def test_randint():
    found = random.randint(KEY, (COUNT,), 1, 7)
    assert found.dtype == np.int64
    occurs(found, [0, 1, 1, 1, 1, 1, 1])
    bytes_ = random.randint(KEY, (COUNT,), 0, 256, np.uint8)
    assert bytes_.dtype == np.uint8
    occurs(bytes_, np.ones(256))
    occurs(random.randint(KEY, (COUNT,), -5, -3) + 5, [1, 1])
    several = random.randint(KEY, (1000, 2), np.array([0, 100]), np.array([10, 200]))
    assert (several.min(0) == [0, 100]).all()
    assert (several.max(0) == [9, 199]).all()
    whole = random.randint(KEY, (100,), -(2**63), 2**63)
    assert whole.min() < -(2**62) < 2**62 < whole.max()
    for low in (0, 2**63):
        high = random.randint(KEY, (100,), low, 2**64, np.uint64)
        assert high.min() >= low
        assert high.max() > 2**64 - 2**60


def test_randint_by_traced_bounds():
    found = ft.jit(lambda low, high: random.randint(KEY, (5,), low, high))(3, 9)
    np.testing.assert_array_equal(found, random.randint(KEY, (5,), 3, 9))


def test_randint_of_nothing_is_refused():
    with pytest.raises(ValueError, match="maxval must be above minval"):
        random.randint(KEY, (), 3, 3)
    with pytest.raises(ValueError, match="maxval must be above minval"):
        ft.jit(lambda low: random.randint(KEY, (), low, 3))(7)
    with pytest.raises(ArgumentError, match="not all uint8"):
        random.randint(KEY, (), 0, 300, np.uint8)
    with pytest.raises(ArgumentError, match="integers"):
        random.randint(KEY, (), 0.0, 3)


def test_rademacher_and_bernoulli():
    signs = random.rademacher(KEY, (COUNT,))
    assert signs.dtype == np.int64
    occurs((signs + 1) // 2, [1, 1])
    assert random.rademacher(KEY, (3,), np.float32).dtype == np.float32
    found = random.bernoulli(KEY, 0.3, (COUNT,))
    assert found.dtype == np.bool_
    occurs(found, [0.7, 0.3])
    assert random.bernoulli(KEY, np.array([0.0, 1.0])).tolist() == [False, True]
    assert isinstance(random.bernoulli(KEY), np.bool_)


def test_geometric():
    found = random.geometric(KEY, 0.3, (COUNT,))
    occurs(np.minimum(found, 12), [0, *(0.3 * 0.7**k for k in range(11)), 0.7**11])
    assert random.geometric(KEY, 1.0) == 1


def test_poisson_and_binomial():
    for found, distribution in [
        (random.poisson(KEY, 4.0, (COUNT,)), stats.poisson(4)),
        (random.binomial(KEY, 12, 0.4, (COUNT,)).astype(int), stats.binom(12, 0.4)),
    ]:
        low = [*distribution.pmf(range(12)), distribution.sf(11)]
        occurs(np.minimum(found, 12), low)
    assert random.poisson(KEY, np.ones(3)).dtype == np.int64
    assert random.binomial(KEY, 3, np.ones((2, 1)), (2, 5)).shape == (2, 5)
    fast = ft.jit(lambda lam: random.poisson(KEY, lam))
    with pytest.raises(ValueError, match="lam < 0"):
        fast(-1.0)


def test_what_is_counted_has_no_derivative():
    assert ft.grad(lambda lam: lam * random.poisson(KEY, lam))(3.0) == random.poisson(KEY, 3.0)
    assert ft.grad(lambda p: 0.0 + random.binomial(KEY, 10, p))(0.3) == 0
    assert ft.grad(lambda p: 1.0 * random.bernoulli(KEY, p))(0.3) == 0


def test_multinomial():
    chances = np.array([0.2, 0.0, 0.3, 0.5])
    found = random.multinomial(KEY, 20, chances, shape=(20_000, 4))
    assert (found.sum(-1) == 20).all()
    expected = stats.multinomial(20, chances)
    np.testing.assert_allclose(found.mean(0), expected.mean(), atol=0.07)
    np.testing.assert_allclose(np.cov(found.T), expected.cov(), atol=0.15)
    assert random.multinomial(KEY, np.array([3, 4]), chances, shape=(2, 4)).sum(-1).tolist() == [
        3,
        4,
    ]


CHANCES = np.array([0.1, 0.2, 0.0, 0.7])


def test_categorical():
    with np.errstate(divide="ignore"):
        logits = np.log(CHANCES)
    found = random.categorical(KEY, logits, shape=(COUNT,))
    assert found.dtype == np.int64
    occurs(found, CHANCES)
    rows = np.stack([logits, np.zeros(4)])
    assert random.categorical(KEY, rows).shape == (2,)
    assert random.categorical(KEY, rows, axis=0, shape=(5, 4)).shape == (5, 4)
    fast = ft.jit(lambda key: random.categorical(key, rows, shape=(3, 2)))
    np.testing.assert_array_equal(fast(KEY), random.categorical(KEY, rows, shape=(3, 2)))


def test_categorical_without_replacement():
    found = random.categorical(KEY, np.zeros((2000, 4)), shape=(3, 2000), replace=False)
    assert (np.diff(np.sort(found, 0), axis=0) > 0).all()
    occurs(found, np.ones(4))
    with pytest.raises(ArgumentError, match="5 of 4 categories"):
        random.categorical(KEY, np.zeros(4), shape=(5,), replace=False)


def test_permutation():
    keys = random.split(KEY, 6000)
    found = ft.vmap(lambda key: random.permutation(key, 3))(keys)
    orders = list(itertools.permutations(range(3)))
    occurs(np.array([orders.index(tuple(order)) for order in found.tolist()]), np.ones(6))
    x = np.arange(12.0).reshape(3, 4)
    rows, columns = random.permutation(KEY, x), random.permutation(KEY, x, 1)
    np.testing.assert_array_equal(np.sort(rows, 0), x)
    np.testing.assert_array_equal(rows[:, 1] - rows[:, 0], 1)
    np.testing.assert_array_equal(np.sort(columns, 1), x)
    np.testing.assert_array_equal(columns[1] - columns[0], 4)
    mixed = random.permutation(KEY, x, 1, independent=True)
    np.testing.assert_array_equal(np.sort(mixed, 1), x)
    assert not (mixed[1] - mixed[0] == 4).all()


def test_what_is_shuffled_has_derivatives():
    x = np.arange(4.0)
    order = random.permutation(KEY, 4)
    slope = ft.grad(lambda x: np.sum(random.permutation(KEY, x)[:2]))(x)
    assert np.flatnonzero(slope).tolist() == sorted(order[:2])


def test_choice():
    occurs(random.choice(KEY, 5, (COUNT,)), np.ones(5))
    occurs(random.choice(KEY, 4, (COUNT,), p=CHANCES), CHANCES)
    keys = random.split(KEY, 5000)
    without = ft.vmap(lambda key: random.choice(key, 5, (3,), False))(keys)
    assert (np.diff(np.sort(without)) > 0).all()
    occurs(without, np.ones(5))
    chosen = ft.vmap(lambda key: random.choice(key, 4, (2,), False, CHANCES))(keys)
    occurs(chosen[:, 0], CHANCES)
    assert (chosen != 2).all()
    assert (chosen[:, 0] != chosen[:, 1]).all()
    x = np.arange(6.0).reshape(3, 2)
    assert random.choice(KEY, x, (4, 5)).shape == (4, 5, 2)
    assert random.choice(KEY, x, (4,), axis=1).shape == (3, 4)
    assert random.choice(KEY, x).shape == (2,)
    assert np.shape(random.choice(KEY, 5)) == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: random.choice(KEY, 3, (5,), replace=False), "5 of 3 cannot be chosen without"),
        (lambda: random.choice(KEY, 0, (1,)), "1 of 0 cannot be chosen"),
        (lambda: random.choice(KEY, 3, p=np.ones(2)), "there are 3 to choose from"),
        (lambda: random.choice(KEY, 2.5), "no integer"),
        (lambda: random.permutation(KEY, 2.5), "no integer"),
    ],
)
def test_what_cannot_be_chosen(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_an_unknown_number_of_elements_is_refused():
    with pytest.raises(UnknownValueError, match="number of elements"):
        ft.jit(lambda n: random.permutation(KEY, n))(3)
