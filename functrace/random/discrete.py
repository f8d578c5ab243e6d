"""Bits, integers and choices among few, by the names and arguments of ``jax.random``.

None of them has a derivative but zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.numpy.reshaping import lengths_of
from functrace.random.drawing import random_bits
from functrace.random.keys import used
from functrace.random.requests import whole
from functrace.tracing.entrances import entrances
from functrace.tracing.tracer import bind


def bits(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Integers of random bits.

    Args:
        key: A key.
        shape: Of what is drawn.
        dtype: A dtype of integers, uint64 where none is given.

    Returns:
        An array of this shape and dtype: the words of Philox 4x64-10, or parts of them.

    Raises:
        RandomKeyError: It is no key.
    """
    dtype = whole(dtype, np.uint64)
    return bind(random_bits, used(key), shape=lengths_of(shape), dtype=dtype)


globals().update(entrances(globals()))
