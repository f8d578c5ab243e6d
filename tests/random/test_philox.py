"""Philox: the vectors of its authors, and NumPy's own words."""

from __future__ import annotations

import numpy as np
import pytest

from functrace.random.philox import blocks, words

VECTORS = [
    ("0" * 16, "0" * 16, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    ("f" * 16, "f" * 16, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
    (
        "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89",
        "452821e638d01377 be5466cf34e90c6c",
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
]
"""Counter, key and block: the rows "philox4x64 10" of the vectors that come with Random123."""


def hexadecimal(text, count):
    found = [np.array([int(word, 16)], np.uint64) for word in text.split()]
    return tuple(found * count if len(found) == 1 else found)


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_blocks_are_those_of_the_authors(counter, key, expected):
    found = blocks(hexadecimal(key, 2), hexadecimal(counter, 4))
    assert " ".join(f"{int(word[0]):016x}" for word in found) == expected


@pytest.mark.parametrize("count", [1, 3, 4, 7, 48, 70_001])
def test_words_in_a_row_are_those_of_numpy(count):
    key = np.array([12345, 2**64 - 1], np.uint64)
    found = np.empty(count, np.uint64)
    for part, word in words(key[np.newaxis], count, (7, 2, 1)):
        found[part] = word
    numpys = np.random.Philox(key=key, counter=[0, 7, 2, 1])
    np.testing.assert_array_equal(found, numpys.random_raw(count))


@pytest.mark.parametrize("count", [1, 4, 6, 60])
def test_many_keys_have_the_words_that_each_has_alone(count):
    keys = np.random.default_rng(0).integers(0, 2**63, (50, 2)).astype(np.uint64)
    firsts = np.arange(50, dtype=np.uint64)
    found = np.empty(50 * count, np.uint64)
    for part, word in words(keys, count, (firsts, 3, 0)):
        found[part] = word
    for row, key, first in zip(found.reshape(50, count), keys, firsts, strict=True):
        (alone,) = (word for _, word in words(key[np.newaxis], count, (first, 3, 0)))
        np.testing.assert_array_equal(row, alone)
