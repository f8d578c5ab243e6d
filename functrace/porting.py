"""What programs for JAX name and NumPy has no need of: a class of all arrays, and devices.

There is one device, the host, and nothing to wait for. These names let such programs run as they
are.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace import tree
from functrace.tracing.tracer import Tracer


class _OfArrays(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, np.ndarray | np.generic | Tracer)


class Array(metaclass=_OfArrays):
    """For annotations and ``isinstance``: NumPy's arrays and scalars, and traced values.

    Nothing is made of it: arrays are NumPy's, and ``isinstance(x, np.ndarray)`` is False where
    ``x`` is traced.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> isinstance(np.ones(2), ft.Array), isinstance([1.0], ft.Array)
        (True, False)
    """


def block_until_ready(x: Any) -> Any:
    """The same tree, once its arrays are computed: NumPy's always are.

    Example:
        >>> import functrace as ft
        >>> ft.block_until_ready([1.0, 2.0])
        [1.0, 2.0]
    """
    return x


def device_get(x: Any) -> Any:
    """The same tree, for which the host has not far to go.

    Example:
        >>> import functrace as ft
        >>> ft.device_get({"a": 1.0})
        {'a': 1.0}
    """
    return x


def device_put(x: Any, device: Any = None) -> Any:
    """The same tree, of NumPy arrays and scalars of its own.

    Args:
        x: A tree of arrays and numbers.
        device: Taken for the sake of JAX's signature.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.device_put({"a": 1.0, "b": np.zeros(2)})
        {'a': np.float64(1.0), 'b': array([0., 0.])}
    """
    return tree.map(lambda leaf: leaf if isinstance(leaf, Tracer) else np.array(leaf)[()], x)
