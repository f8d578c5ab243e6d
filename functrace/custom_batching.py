"""The names of ``jax.custom_batching``, for code that was written for JAX."""

from functrace.higher_order.custom_batching import custom_vmap, sequential_vmap

__all__ = ["custom_vmap", "sequential_vmap"]
