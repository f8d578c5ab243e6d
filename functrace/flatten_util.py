"""The name of ``jax.flatten_util``: `functrace.tree.ravel` for code that was written for JAX.

>>> import numpy as np
>>> from functrace.flatten_util import ravel_pytree
>>> flat, unravel = ravel_pytree({"a": np.ones(2), "b": 3.0})
>>> unravel(2 * flat)
{'a': array([2., 2.]), 'b': np.float64(6.0)}
"""

from __future__ import annotations

from functrace import tree

__all__ = ["ravel_pytree"]

ravel_pytree = tree.ravel


def __dir__() -> list[str]:
    return sorted(__all__)
