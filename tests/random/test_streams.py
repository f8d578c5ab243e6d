"""Streams: what numbers are made of words."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy import stats

from functrace.random.streams import SPLIT, Stream, logarithm, ziggurat

KEYS = np.random.default_rng(1).integers(0, 2**63, (100, 2)).astype(np.uint64)


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_narrow_bits_are_parts_of_words(width):
    whole = Stream(KEYS[:1], 40).bits()
    narrow = Stream(KEYS[:1], 37).bits(width)
    assert narrow.dtype == f"u{width // 8}"
    number = sum(int(word) << 64 * place for place, word in enumerate(whole))
    expected = [number >> width * place & (1 << width) - 1 for place in range(37)]
    assert narrow.tolist() == expected


def test_purposes_have_other_words():
    stream = Stream(KEYS[:1], 100)
    assert not np.intersect1d(stream.bits(), stream.bits(purpose=SPLIT)).size


def test_units_are_the_high_bits():
    stream = Stream(KEYS[:1], 1000)
    expected = [int(word >> np.uint64(11)) / 2**53 for word in stream.bits()]
    assert stream.units().tolist() == expected


@pytest.mark.parametrize("count", [1, 6, 300])
@pytest.mark.parametrize("size", [1, 100])
def test_units_of_many_keys_are_those_of_each(count, size):
    alone = [Stream(key[np.newaxis], count).units() for key in KEYS[:size]]
    np.testing.assert_array_equal(Stream(KEYS[:size], count).units(), np.concatenate(alone))


@pytest.mark.parametrize("count", [1, 6, 300])
def test_normals_of_many_keys_are_those_of_each(count):
    alone = [Stream(key[np.newaxis], count).normals() for key in KEYS]
    np.testing.assert_array_equal(Stream(KEYS, count).normals(), np.concatenate(alone))


def test_a_block_belongs_to_its_place():
    stream = Stream(KEYS[:3], 10)
    together = stream.blocks_at(np.array([3, 17, 29]), 2)
    for number, place in enumerate([3, 17, 29]):
        alone = Stream(KEYS[place // 10][np.newaxis], 10).blocks_at(np.array([place % 10]), 2)
        assert [word[number] for word in together] == [word[0] for word in alone]


def test_the_layers_of_the_ziggurat_have_one_area():
    width, edge, height = ziggurat()
    edges = np.append(width * 2.0**52, 0.0)
    np.testing.assert_array_equal(edges[1:], edge)
    areas = edges[1:-1] * np.diff(height)[1:]
    np.testing.assert_allclose(areas, areas[0], rtol=1e-11)
    np.testing.assert_allclose(height[1:], np.exp(-0.5 * edge**2), rtol=1e-11)
    beyond = math.sqrt(math.pi / 2) * math.erfc(edge[0] / math.sqrt(2))
    assert edge[0] * height[1] + beyond == pytest.approx(areas[0], rel=1e-12)


def test_normals_follow_their_distribution_also_in_the_tail():
    found = Stream(KEYS[:1], 1_000_000).normals()
    assert stats.kstest(found, "norm").pvalue > 0.01
    beyond = np.abs(found[np.abs(found) > 3.5])
    expected = 1_000_000 * 2 * stats.norm.sf(3.5)
    assert abs(beyond.size - expected) < 3 * math.sqrt(expected)
    assert stats.kstest(beyond, lambda x: 1 - stats.norm.sf(x) / stats.norm.sf(3.5)).pvalue > 0.01
    last = np.abs(found[np.abs(found) > ziggurat()[1][0]])
    assert 20 < last.size < 100


def test_the_logarithm_is_exact_to_the_last_digits():
    for x in [1e-300, 2.0**-53, 0.1, 0.5, 0.7071, 0.7072, 0.9, 1 - 2.0**-53, 1.0, 3.7, 1e300]:
        for found in (logarithm(np.array([x]))[0], logarithm(x, math.frexp)):
            assert found == pytest.approx(float(mpmath.log(x)), rel=5e-16, abs=1e-17)
