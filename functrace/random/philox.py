"""Philox 4x64-10: random words that are a function of a key and a counter.

Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011. NumPy has it in
C for the words of one key in a row. What is written with arrays here gives the same words for many
keys, or at places far from each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Words = Sequence[Any]
"""Four arrays of 64-bit words: a counter, the lowest word first, or what is made of one."""

MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
"""What is added to the key's words from round to round."""

ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

PART = 1 << 15
"""How many words are made at once."""

_LOOPED_KEYS, _LOOPED_BLOCKS = 40, 12
"""Of so few keys, or of so many blocks of each, NumPy's generator is the faster one."""


def product(x: Any, y: Any) -> tuple[Any, Any]:
    """The high and the low words of products of 64-bit words, by halves of words.

    Args:
        x: One word, or an array as the other one.
        y: An array.
    """
    (x_high, y_high), (x_low, y_low) = (x >> _HALF, y >> _HALF), (x & _LOW, y & _LOW)
    across = x_high * y_low
    middle = (x_low * y_low >> _HALF) + (across & _LOW) + x_low * y_high
    return x_high * y_high + (across >> _HALF) + (middle >> _HALF), x * y


def blocks(key: tuple[Any, Any], counter: Words) -> Words:
    """The four words of each counter.

    Args:
        key: The two words of each key, arrays of uint64.
        counter: The four words of each counter, arrays of uint64 that broadcast with the key's.

    Example:
        >>> import numpy as np
        >>> zero = np.zeros(1, np.uint64)
        >>> [hex(word[0]) for word in blocks((zero, zero), (zero,) * 4)][:2]
        ['0x16554d9eca36314c', '0xdb20fe9d672d0fdc']
    """
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for number in range(ROUNDS):
        high0, low0 = product(MULTIPLIERS[0], c0)
        high1, low1 = product(MULTIPLIERS[1], c2)
        step0, step1 = (np.uint64(step * number & 0xFFFFFFFFFFFFFFFF) for step in STEPS)
        c0, c1, c2, c3 = high1 ^ c1 ^ (k0 + step0), low1, high0 ^ c3 ^ (k1 + step1), low0
    return c0, c1, c2, c3


class _Generators(threading.local):
    """NumPy's generator for each thread, whose state is set before each use."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(key=0)
        self.generator = np.random.Generator(self.philox)

    def begin(self, key: Any, first: int, at: Sequence[int]) -> None:
        """Go to the counter ``(first, *at)`` of a key."""
        state: Any = {
            "bit_generator": "Philox",
            "state": {"counter": [first - 1, *at], "key": key},
            "buffer": (0, 0, 0, 0),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        self.philox.state = state

    def words(self, key: Any, first: int, count: int, at: Sequence[int]) -> Any:
        """Words of one key in a row: from that of the counter ``(first, *at)`` on.

        Args:
            key: An array of two words.
            first: The lowest word of the first counter, which is not 0.
            count: How many words.
            at: The other words of the counters.
        """
        self.begin(key, first, at)
        return self.philox.random_raw(count)


_generators = _Generators()


def is_looped(size: int, count: int) -> bool:
    """Whether so many words of so many keys are made key by key, by NumPy's generator."""
    return size <= _LOOPED_KEYS or -(-count // 4) >= _LOOPED_BLOCKS


def doubles(keys: Any, count: int, at: tuple[int, int, int], out: Any) -> None:
    """Uniform numbers in [0, 1) of each key: of its words the upper 53 bits, as NumPy makes them.

    Args:
        keys: An array of shape (keys, 2).
        count: How many of each.
        at: The other words of the counters.
        out: Where they are written, shape (keys * count,).
    """
    for row, key in enumerate(keys):
        _generators.begin(key, 1, at)
        _generators.generator.random(out=out[row * count : (row + 1) * count])


def words(keys: Any, count: int, at: tuple[Any, int, int]) -> Iterator[tuple[slice, Any]]:
    """Words of each key in a row: those of the counters ``(1, *at)``, ``(2, *at)``, ...

    Args:
        keys: An array of shape (keys, 2).
        count: How many words of each.
        at: The other words of the counters; the first of them is one number or one for each key.

    Yields:
        Parts of an array of shape (keys * count,) that fit into a processor's cache: where each
        stands, and its words, which belong to the caller.
    """
    size, length = len(keys), -(-count // 4)
    if is_looped(size, count):
        for row, (key, first) in enumerate(zip(keys, np.broadcast_to(at[0], size), strict=True)):
            for start in range(0, count, PART):
                stop = min(start + PART, count)
                part = _generators.words(key, 1 + start // 4, stop - start, (first, *at[1:]))
                yield slice(row * count + start, row * count + stop), part
        return
    first = np.broadcast_to(np.asarray(at[0], np.uint64), size)
    rows = max(PART // (4 * length), 1)
    lowest = np.arange(1, length + 1, dtype=np.uint64)
    for start in range(0, size, rows):
        part = slice(start, min(start + rows, size))
        key = keys[part, 0, np.newaxis], keys[part, 1, np.newaxis]
        counter = lowest, first[part, np.newaxis], *(np.array([x], np.uint64) for x in at[1:])
        whole = np.stack(blocks(key, counter), axis=-1).reshape(len(key[0]), -1)
        yield slice(part.start * count, part.stop * count), whole[:, :count].reshape(-1)
