"""Settings: what is chosen for all functions that do not say it for themselves."""

from __future__ import annotations

from contextlib import AbstractContextManager

from functrace.backends.backend import backend_named, chosen
from functrace.jitting.recordings import choose_backend, use_backend
from functrace.tracebacks import boundary


class Config:
    """The settings, as attributes of ``functrace.config``.

    An assignment holds for the whole process, from the next call in any thread on. `using` holds
    for a block of code, in the thread or task that runs it, and for nobody else.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.config.backend
        'numpy'
        >>> ft.config.backend = "numpy"
        >>> with ft.config.using(backend="numpy"):
        ...     ft.jit(np.sin)(0.0)
        np.float64(0.0)
    """

    __slots__ = ()

    @property
    def backend(self) -> str:
        """The name of the backend of jitted functions, and of loops that run often without `jit`.

        A function that was compiled by another one is recorded and compiled once more when it is
        called; what the other one made is kept.
        """
        return chosen()

    @backend.setter
    def backend(self, name: str) -> None:
        boundary(choose_backend)(name)

    @boundary
    def using(self, *, backend: str) -> AbstractContextManager[None]:
        """Settings within a context, in this thread or task.

        Calls of jitted functions take some microseconds more there, since nothing that was
        prepared for them looks at settings; ``jit(f, backend=...)`` costs nothing.

        Args:
            backend: The name of the backend.

        Raises:
            ArgumentError: There is none of this name.
        """
        return use_backend(backend_named(backend).name)

    def __repr__(self) -> str:
        return f"<functrace.config: backend={self.backend!r}>"


config = Config()
"""The settings."""
