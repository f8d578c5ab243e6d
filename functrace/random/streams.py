"""Streams: the words that belong to the elements of what is drawn, and numbers made of them.

An element has words of its own, by its place and by how often it was tried: so what is drawn is the
same however many elements and keys are drawn at once. Uniform and normal numbers are made by
operations that IEEE 754 rounds in one way only, and so are the same to the bit on every machine.

Normal numbers: Marsaglia and Tsang, The ziggurat method for generating random variables, J. Stat.
Software 5 (2000), with 1024 layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from functrace.random.philox import Words, blocks, doubles, is_looped, words

DRAW, SPLIT, FOLD = 0, 1, 2
"""What words are for: the highest word of their counters."""


def units(word: Any, out: Any = None) -> Any:
    """Uniform numbers in [0, 1), multiples of 2**-53, of 64-bit words, which are written over."""
    if out is None:
        out = np.empty(word.shape)
    word >>= np.uint64(11)
    out[...] = word.view(np.int64)  # of which processors make doubles at once
    out *= 2.0**-53
    return out


class Stream:
    """The words of some keys, for as many elements of each.

    Args:
        keys: An array of shape (keys, 2).
        count: How many elements belong to each key.
    """

    def __init__(self, keys: Any, count: int) -> None:
        self.keys, self.count = keys, count
        self.size = len(keys) * count

    def parts(self, lane: int = 0) -> Iterator[tuple[slice, Any]]:
        """One word for each element, part by part.

        Args:
            lane: The number of the word, where an element needs several.
        """
        return words(self.keys, self.count, (0, lane, DRAW))

    def bits(self, width: int = 64, purpose: int = DRAW) -> Any:
        """The bits of each element.

        Args:
            width: How many, 8, 16, 32 or 64.
            purpose: What they are for.

        Returns:
            An array of unsigned integers of shape (size,).
        """
        count = -(-self.count * width // 64)
        found = np.empty(len(self.keys) * count, "<u8")
        for part, word in words(self.keys, count, (0, 0, purpose)):
            found[part] = word
        narrow = found.view(f"<u{width // 8}").reshape(len(self.keys), -1)[:, : self.count]
        return narrow.astype(f"=u{width // 8}", copy=False).reshape(self.size)

    def units(self, lane: int = 0) -> Any:
        """A uniform number in [0, 1) for each element."""
        result = np.empty(self.size)
        if is_looped(len(self.keys), self.count):
            doubles(self.keys, self.count, (0, lane, DRAW), result)
            return result
        for part, word in self.parts(lane):
            units(word, result[part])
        return result

    def blocks_at(self, places: Any, trial: int, lane: int = 0) -> Words:
        """Four words for each of some elements.

        Args:
            places: The elements, by their places among those of all keys.
            trial: How often they were tried before, from 1 on.
            lane: The number of the word that was not accepted.
        """
        row, place = np.divmod(places, max(self.count, 1))
        key = self.keys[row]
        others = (np.array([x], np.uint64) for x in (trial, lane, DRAW))
        return blocks((key[:, 0], key[:, 1]), ((place + 1).astype(np.uint64), *others))

    def again(
        self, values: Any, places: Any, draw: Callable[[Any, Words], tuple[Any, Any]], lane: int = 0
    ) -> None:
        """Draw some elements again until all are accepted, and write them.

        Args:
            values: Of all elements.
            places: Those that were not accepted.
            draw: Gives for some elements and a block for each new values, and whether they are
                accepted.
            lane: As for `blocks_at`.
        """
        trial = 0
        while places.size:
            trial += 1
            found, accepted = draw(places, self.blocks_at(places, trial, lane))
            values[places[accepted]] = found[accepted]
            places = places[~accepted]

    def normals(self, lane: int = 0) -> Any:
        """A standard normal number for each element."""
        width, edge, height = ziggurat()
        result = np.empty(self.size)
        rejected = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
        for part, word in self.parts(lane):
            signed = word.view(np.int64)
            layer = signed & (_LAYERS - 1)
            signed >>= 11
            x = np.multiply(signed, width.take(layer), out=result[part])
            (found,) = (np.abs(x) >= edge.take(layer)).nonzero()
            rejected[0].append(found + part.start)
            rejected[1].append(layer[found])
        places, layer = map(np.concatenate, rejected)
        trial = 0
        while places.size:
            trial += 1
            first, second, third, _ = self.blocks_at(places, trial, lane)
            x, u, v = result[places], units(first), units(second)
            is_tail = layer == 0
            with np.errstate(under="ignore"):
                is_under = height[layer] + u * (height[layer + 1] - height[layer]) < np.exp(
                    -0.5 * x * x
                )
            beyond = -logarithm(1 - u) / _RIGHT
            is_end = -2 * logarithm(1 - v) > beyond * beyond
            x = np.where(is_tail, np.copysign(_RIGHT + beyond, x), x)
            done = np.where(is_tail, is_end, is_under)
            # What lies beside the curve begins anew; the tail is left by its own end only.
            signed = third.view(np.int64)
            fresh = signed & (_LAYERS - 1)
            new = (signed >> 11) * width[fresh]
            x = np.where(done | is_tail, x, new)
            result[places] = x
            layer = np.where(is_tail, 0, fresh)
            places, layer = (
                kept[~done & (is_tail | (np.abs(new) >= edge[fresh]))] for kept in (places, layer)
            )
        return result


_LAYERS = 1024
_RIGHT, _AREA = 4.038849846109504, 0.001226324646353088
"""Where the tail of such a ziggurat begins, and the area of each of its layers."""
_LOWEST = 2.869639270833274518e-4
"""``exp(-_RIGHT**2 / 2)``"""


def logarithm(x: Any, frexp: Callable[[Any], tuple[Any, Any]] = np.frexp) -> Any:
    """The logarithm of positive numbers, the same to the bit on every machine."""
    fraction, exponent = frexp(x)
    is_low = fraction < math.sqrt(0.5)
    fraction = fraction * (1 + is_low)
    ratio = (fraction - 1) / (fraction + 1)
    square, series = ratio * ratio, 0.0
    for odd in range(23, 0, -2):
        series = series * square + 1 / odd
    return 2 * ratio * series + (exponent - is_low) * math.log(2)


@cache
def ziggurat() -> tuple[Any, Any, Any]:
    """The ziggurat of the normal distribution, from its lowest layer to its highest.

    Returns:
        What an integer of 53 bits with its sign is multiplied with in each layer, where the
        next layer ends, and the heights between which the layer lies.
    """
    edges, heights = [_AREA / _LOWEST, _RIGHT], [0.0, _LOWEST]
    for _ in range(_LAYERS - 2):
        heights.append(heights[-1] + _AREA / edges[-1])
        edges.append(math.sqrt(-2 * logarithm(heights[-1], math.frexp)))
    heights.append(1.0)
    edges.append(0.0)
    return np.array(edges[:-1]) * 2.0**-52, np.array(edges[1:]), np.array(heights)
