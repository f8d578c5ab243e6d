"""Names of ``jax.experimental``, for programs that are ported by their imports."""

from functrace.experimental import ode

__all__ = ["ode"]
