"""The names of ``jax.custom_batching``, for code that was written for JAX."""

from functrace.rules.custom_batching import custom_vmap, sequential_vmap

__all__ = ["custom_vmap", "sequential_vmap"]
