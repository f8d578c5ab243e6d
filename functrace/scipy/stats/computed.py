"""Distribution functions whose values SciPy computes; their derivatives are stated.

By ``x`` the derivative of a distribution function is the density. By a shape the family states it.
Those of a quantile ``x(q, a)`` follow from ``cdf(x(q, a), a) = q``: ``dx = (dq - slope da) / pdf``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.primitives.broadcasting import Elementwise, PartialMap
from functrace.primitives.linear import shape_of
from functrace.primitives.special import Loops
from functrace.scipy.stats.families import Continuous
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind
from functrace.transforms.forward import jvp


def value_of(name: str, method: str, count: int, *partials: PartialMap) -> Elementwise:
    """A method of a distribution of SciPy's in standard form, as an operation.

    Args:
        name: The distribution.
        method: The method.
        count: How many arguments it takes.
        partials: One for each of them; none for what is locally constant.
    """
    loops: Any = Loops("d" * count + "->d")

    def run(*inputs: Any) -> Any:
        stats = scipy_module("stats", f"functrace.scipy.stats.{name}.{method}")
        with np.errstate(all="ignore"):
            return getattr(getattr(stats, name), method)(*inputs)

    return Elementwise(
        f"{name}_{method}", loops, *partials, run=loops.adapted(run), is_fresh=True,
        takes_infinity=True,
    )  # fmt: skip


def slope_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative of an elementwise function of ``x`` and a shape by the shape."""

    def slope(x: Any, shape: Any) -> Any:
        common = np.broadcast_shapes(shape_of(x), shape_of(shape))
        shape = np.broadcast_to(shape, common)
        return jvp(lambda shape: f(x, shape), (shape,), (np.ones(common)[()],))[1]

    return slope


class Computed(Continuous):
    """A family with one shape, whose distribution function and quantile SciPy computes.

    A family states the derivative of its distribution function by the shape, ``_slope(x, shape)``.
    """

    def __init__(self, name: str) -> None:
        """Name the family, and make its operations."""
        super().__init__(name)
        density, slope = self._pdf, self._slope

        def by_shape(t: Any, x: Any, _: Any, shape: Any) -> Any:
            return -t * (slope(x, shape) / density(x, shape))

        partials: dict[str, tuple[PartialMap, PartialMap]] = {
            "cdf": (
                lambda t, _, x, shape: t * density(x, shape),
                lambda t, _, x, shape: t * slope(x, shape),
            ),
            "sf": (
                lambda t, _, x, shape: -t * density(x, shape),
                lambda t, _, x, shape: -t * slope(x, shape),
            ),
            "ppf": (lambda t, x, _, shape: t / density(x, shape), by_shape),
            "isf": (lambda t, x, _, shape: -t / density(x, shape), by_shape),
        }
        self._values = {key: value_of(name, key, 2, *maps) for key, maps in partials.items()}

    def _cdf(self, x: Any, shape: Any) -> Any:
        return bind(self._values["cdf"], x, shape)

    def _sf(self, x: Any, shape: Any) -> Any:
        return bind(self._values["sf"], x, shape)

    def _ppf(self, q: Any, shape: Any) -> Any:
        return bind(self._values["ppf"], q, shape)

    def _isf(self, q: Any, shape: Any) -> Any:
        return bind(self._values["isf"], q, shape)
