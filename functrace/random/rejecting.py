"""What is drawn by rejection: gamma, Poisson and binomial numbers, and integers below a bound.

All elements are tried at once, and those that are not accepted once more, with words of their own.
Logarithms decide what is accepted, so that machines on which these are rounded in another way
may differ in one of 10**15 numbers.

Sources: Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 26 (2000);
Hoermann, The transformed rejection method for generating Poisson random variables, Insurance:
Mathematics and Economics 12 (1993), and The generation of binomial random variates, J. Stat.
Comput. Simul. 46 (1993); Lemire, Fast random integer generation in an interval, ACM TOMACS 29
(2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.random.drawing import Draw
from functrace.random.philox import Words, product
from functrace.random.streams import Stream, units

_FIRST, _SECOND, _AGAIN, _BOOST = range(4)
"""The lanes of a stream: two numbers of the first trial, those of further ones, and one more."""


def _gauss(first: Any, second: Any) -> Any:
    """A normal number of two words (Box and Muller, 1958)."""
    return np.sqrt(-2 * np.log1p(-units(first))) * np.cos(2 * math.pi * units(second))


def _log_gamma(stream: Stream, shape: Any, dtype: np.dtype[Any]) -> Any:
    """The logarithms of gamma numbers, which would be too small themselves for small shapes."""
    shape = shape.astype(np.float64)
    usual = (shape > 0) & (shape < np.inf)
    is_small = usual & (shape < 1)
    d = np.where(usual, shape, 1.0) + is_small - 1 / 3

    def tried(d: Any, z: Any, u: Any) -> tuple[Any, Any]:
        root = np.maximum(1 + z / np.sqrt(9 * d), 1e-300)
        log = 3 * np.log(root)
        cube = root * root * root
        accepted = np.log1p(-u) < 0.5 * z * z + d - d * cube + d * log
        return np.log(d) + log, accepted & (root > 1e-300)

    found, accepted = tried(d, stream.normals(_FIRST), stream.units(_SECOND))
    stream.again(
        found,
        np.flatnonzero(~accepted),
        lambda places, words: tried(d[places], _gauss(*words[:2]), units(words[2])),
        _AGAIN,
    )
    if is_small.any():
        boost = np.log(np.maximum(stream.units(_BOOST), 2.0**-54)[is_small])
        found[is_small] += boost / shape[is_small]
    if not usual.all():
        unusual = np.where(shape == 0, -np.inf, np.where(shape > 0, np.inf, np.nan))
        found = np.where(usual, found, unusual)
    return found.astype(dtype, copy=False)


_STIRLING = 10
_FACTORIALS = np.array([
    math.lgamma(k + 1) - (0.5 * math.log(2 * math.pi) + (k + 0.5) * math.log(k + 1) - (k + 1))
    for k in range(_STIRLING)
])  # fmt: skip


def _stirling(k: Any) -> Any:
    """``log(k!)`` less Stirling's ``log(2 * pi) / 2 + (k + 1/2) * log(k + 1) - (k + 1)``."""
    square = (k + 1) ** 2
    far = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
    return np.where(k < _STIRLING, _FACTORIALS[np.clip(k, 0, _STIRLING - 1).astype(int)], far)


def _searched(u: Any, first: Any, ratio: Callable[[int, Any], Any]) -> Any:
    """The numbers at which distribution functions of small means pass uniform numbers.

    Args:
        u: The uniform numbers.
        first: The probabilities of 0.
        ratio: Gives the quotients of the probabilities of a number and of the one before, for
            some elements.
    """
    found = np.zeros(u.size)
    (places,) = (u >= first).nonzero()
    term, total = first[places], first[places]
    for k in range(1, 120):  # no mean is above 10
        if not places.size:
            break
        found[places] = k
        term = term * ratio(k, places)
        total = total + term
        left = u[places] >= total
        places, term, total = places[left], term[left], total[left]
    return found


def _hat(u: Any, v: Any, centre: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """A number by Hoermann's table mountain hat, and the height there, as it is transformed."""
    offset = u - 0.5
    side = 0.5 - np.abs(offset)
    safe = np.maximum(side, 1e-300)
    return np.floor((2 * a / safe + b) * offset + centre), v / (a / (safe * safe) + b)


def _accepted(stream: Stream, tried: Callable[..., tuple[Any, Any]], where: Any) -> Any:
    """What is accepted of numbers that are made of two uniform ones, at some places."""
    found, u, v = np.zeros(stream.size), stream.units(_FIRST), stream.units(_SECOND)
    places = np.flatnonzero(where)
    values, accepted = tried(places, u[places], v[places])
    found[places] = values
    stream.again(
        found,
        places[~accepted],
        lambda places, words: tried(places, units(words[0]), units(words[1])),
        _AGAIN,
    )
    return found


def _poisson(stream: Stream, mean: Any, dtype: np.dtype[Any]) -> Any:
    mean = mean.astype(np.float64)
    if not np.all((mean >= 0) & (mean < 2.0**62)):
        raise ValueError("lam < 0, lam is too large or lam is nan")
    is_small = mean < 10
    large = np.where(is_small, 10.0, mean)
    b = 0.931 + 2.53 * np.sqrt(large)
    a = -0.059 + 0.02483 * b
    scale = np.log(1.1239 + 1.1328 / (b - 3.4))

    def tried(places: Any, u: Any, v: Any) -> tuple[Any, Any]:
        mean = large[places]
        k, height = _hat(u, v, mean + 0.43, a[places], b[places])
        inside = k >= 0
        k = np.maximum(k, 0)
        beyond = k + 1 - mean
        log = beyond - k * np.log1p(beyond / mean) - 0.5 * np.log(2 * math.pi * (k + 1))
        with np.errstate(divide="ignore"):
            return k, inside & (np.log(height) + scale[places] <= log - _stirling(k))

    found = np.zeros(stream.size)
    if not is_small.all():
        found = _accepted(stream, tried, ~is_small)
    (places,) = is_small.nonzero()
    small = mean[places]
    found[places] = _searched(
        stream.units(_FIRST)[places], np.exp(-small), lambda k, some: small[some] / k
    )
    return found.astype(dtype)


def _binomial(stream: Stream, count: Any, chance: Any, dtype: np.dtype[Any]) -> Any:
    count, chance = np.floor(count.astype(np.float64)), chance.astype(np.float64)
    usual = (count >= 0) & (count < np.inf) & (chance >= 0) & (chance <= 1)
    n, p = np.where(usual, count, 0.0), np.where(usual, np.minimum(chance, 1 - chance), 0.0)
    is_small = n * p < 10
    large, half = np.where(is_small, 20.0, n), np.where(is_small, 0.5, p)
    deviation = np.sqrt(large * half * (1 - half))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * half
    scale = np.log((2.83 + 5.1 / b) * deviation)
    mode = np.floor((large + 1) * half)

    def tried(places: Any, u: Any, v: Any) -> tuple[Any, Any]:
        n, p, m = large[places], half[places], mode[places]
        k, height = _hat(u, v, n * p + 0.5, a[places], b[places])
        inside = (k >= 0) & (k <= n)
        k = np.clip(k, 0, n)
        odds = p / (1 - p)
        log = (
            (m + 0.5) * np.log((m + 1) / (odds * (n - m + 1)))
            + (n + 1) * np.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * np.log(odds * (n - k + 1) / (k + 1))
            + _stirling(m) + _stirling(n - m) - _stirling(k) - _stirling(n - k)
        )  # fmt: skip
        with np.errstate(divide="ignore"):
            return k, inside & (np.log(height) + scale[places] <= log)

    found = np.zeros(stream.size)
    if not is_small.all():
        found = _accepted(stream, tried, ~is_small)
    (places,) = is_small.nonzero()
    n, p = n[places], p[places]
    odds = p / (1 - p)
    first = np.exp(n * np.log1p(-p))
    u = stream.units(_FIRST)[places]
    found[places] = _searched(u, first, lambda k, some: (n[some] + 1 - k) / k * odds[some])
    found = np.where(chance > 0.5, count - found, found)
    return np.where(usual, found, np.nan).astype(dtype, copy=False)


def _integers(stream: Stream, low: Any, high: Any, dtype: np.dtype[Any]) -> Any:
    if np.any(low >= high):
        raise ValueError("maxval must be above minval: there is no integer to draw")
    first = low.astype(np.uint64)
    bound = high.astype(np.uint64) - first
    found = np.empty(stream.size, np.uint64)
    rejected = [np.empty(0, np.intp)]

    def tried(bound: Any, word: Any) -> tuple[Any, Any]:
        high, low = product(bound, word)
        accepted = low >= bound
        (rare,) = (~accepted).nonzero()  # what is left of 2**64 by the bound is below it
        accepted[rare] = low[rare] >= (np.zeros_like(bound[rare]) - bound[rare]) % bound[rare]
        return high, accepted

    for part, word in stream.parts(_FIRST):
        found[part], accepted = tried(bound[part], word)
        rejected.append(np.flatnonzero(~accepted) + part.start)

    def again(places: Any, words: Words) -> tuple[Any, Any]:
        return tried(bound[places], words[0])

    stream.again(found, np.concatenate(rejected), again, _AGAIN)
    return (first + found).astype(dtype)


random_loggamma = Draw("random_loggamma", _log_gamma)
random_poisson = Draw("random_poisson", _poisson)
random_binomial = Draw("random_binomial", _binomial)
random_integers = Draw("random_integers", _integers)
