"""Derivatives of functions with steps, by noise; names of ``optax.perturbations``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.optim.tree import number_for, random_like
from functrace.optim.tree import sum as total
from functrace.primitives.linear import stop_gradient
from functrace.random.continuous import gumbel, normal
from functrace.random.keys import split
from functrace.transforms.batch import vmap
from functrace.tree.mapping import map as map_leaves


class Normal:
    """Normal noise.

    Example:
        >>> import functrace as ft
        >>> noise = ft.optim.perturbations.Normal()
        >>> noise.sample(ft.random.key(0), (3,)).shape, float(noise.log_prob(2.0))
        ((3,), -2.0)
    """

    def sample(self, key: Any, sample_shape: tuple[int, ...] = (), dtype: Any = float) -> Any:
        """Random numbers."""
        return normal(key, sample_shape, dtype)

    def log_prob(self, inputs: Any) -> Any:
        """The logarithm of the density, but for a constant."""
        return -0.5 * np.square(inputs)


class Gumbel:
    """Noise of Gumbel, of which the greatest of scores is drawn by their softmax.

    Example:
        >>> import functrace as ft
        >>> noise = ft.optim.perturbations.Gumbel()
        >>> noise.sample(ft.random.key(0), (3,)).shape, float(noise.log_prob(0.0))
        ((3,), -1.0)
    """

    def sample(self, key: Any, sample_shape: tuple[int, ...] = (), dtype: Any = float) -> Any:
        """Random numbers."""
        return gumbel(key, sample_shape, dtype)

    def log_prob(self, inputs: Any) -> Any:
        """The logarithm of the density."""
        return -inputs - np.exp(-inputs)


def make_perturbed_fun(
    fun: Callable[[Any], Any],
    num_samples: int = 1000,
    sigma: Any = 0.1,
    noise: Any = Gumbel(),  # noqa: B008
    use_baseline: bool = True,
) -> Callable[[Any, Any], Any]:
    """The mean of a function over noise: smooth, with derivatives where the function has steps.

    Berthet et al., Learning with differentiable perturbed optimizers, 2020. The derivative is that
    of the density, and not of the function.

    Args:
        fun: A function of a tree of arrays, which returns a tree.
        num_samples: How often noise is drawn.
        sigma: How strong it is.
        noise: What draws it: a `Normal`, a `Gumbel`, or what has their methods.
        use_baseline: Whether the value without noise is subtracted where derivatives are estimated,
            which makes them less noisy.

    Returns:
        A function of a key and of the tree.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> first = lambda scores: ft.nn.one_hot(np.argmax(scores), 2)
        >>> soft = ft.optim.perturbations.make_perturbed_fun(first, 10_000, sigma=1.0)
        >>> scores = np.log(np.array([0.2, 0.8]))
        >>> soft(ft.random.key(0), scores).round(1)
        array([0.2, 0.8])
        >>> slope = ft.grad(lambda scores: soft(ft.random.key(0), scores)[1])(scores)
        >>> slope.round(1)
        array([-0.2,  0.2])
    """

    def mean(key: Any, x: Any) -> Any:
        fixed = map_leaves(stop_gradient, x)
        baseline = fun(fixed) if use_baseline else None

        def of_one(key: Any) -> Any:
            drawn = random_like(key, fixed, noise.sample)
            moved = map_leaves(lambda x, z: x + number_for(sigma, z) * z, fixed, drawn)
            # The noise that would lead from x to the same place.
            needed = map_leaves(lambda x, y: (y - x) / number_for(sigma, y), x, moved)
            density = total(map_leaves(noise.log_prob, needed))
            # One, with the derivative of the density.
            weight = np.exp(density - stop_gradient(density))
            found = map_leaves(lambda y: number_for(weight, y) * y, fun(moved))
            if not use_baseline:
                return found
            return map_leaves(lambda y, b: y + number_for(1 - weight, y) * b, found, baseline)

        found = vmap(of_one)(split(key, num_samples))
        return map_leaves(lambda y: np.mean(y, axis=0), found)

    return mean
