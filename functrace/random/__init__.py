"""Random numbers as functions of keys, by the names and arguments of ``jax.random``.

The same key gives the same numbers, traced, mapped, compiled and not. Keys are plain arrays.
"""

from functrace.random.continuous import normal, uniform
from functrace.random.discrete import bits
from functrace.random.keys import (
    PRNGKey,
    clone,
    fold_in,
    key,
    key_data,
    key_impl,
    split,
    wrap_key_data,
)

__all__ = [
    "PRNGKey", "bits", "clone", "fold_in", "key", "key_data", "key_impl", "normal", "split",
    "uniform", "wrap_key_data",
]  # fmt: skip
