"""Settings: what is chosen for all functions that do not say it for themselves."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from functrace.backends.backend import backend_named, chosen
from functrace.backends.settings import LANGUAGES, settings
from functrace.errors import ArgumentError
from functrace.jitting.recordings import choose_backend, use_backend
from functrace.tracebacks import boundary
from functrace.tracing.reusing import choose_reuse, reuse_of_keys, use_reuse


class Config:
    """The settings, as attributes of ``functrace.config``.

    An assignment holds for the whole process, from the next call in any thread on. `using` holds
    for a block of code, in the thread or task that runs it, and for nobody else.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.config.backend = "numpy"
        >>> ft.config.backend
        'numpy'
        >>> with ft.config.using(backend="numpy"):
        ...     ft.jit(np.sin)(0.0)
        np.float64(0.0)
    """

    __slots__ = ()

    @property
    def backend(self) -> str:
        """The name of the backend of jitted functions, and of loops that run often without `jit`.

        A process begins with ``"auto"``: NumPy's source, and machine code for jitted functions
        that have run for some time (`functrace.jit`).

        A function that was compiled by another one is recorded and compiled once more when it is
        called; what the other one made is kept.
        """
        return chosen()

    @backend.setter
    def backend(self, name: str) -> None:
        boundary(choose_backend)(name)

    @property
    def cache(self) -> bool:
        """Whether machine code is kept on disk, and found there: in the user's folder of caches.

        A process begins with it, but for the environment variable ``FUNCTRACE_CACHE=0``.
        """
        return settings.cache

    @cache.setter
    def cache(self, keep: bool) -> None:
        settings.cache = bool(keep)

    @property
    def threads(self) -> int:
        """How many threads may divide a loop over many elements in machine code.

        At first these are as many as there are cores, or ``FUNCTRACE_THREADS`` of the
        environment. Matrix products use those of the BLAS library, which has a number of its own.
        """
        return settings.threads

    @threads.setter
    def threads(self, count: int) -> None:
        boundary(_set_threads)(count)

    @property
    def language(self) -> str:
        """The language of the words in drawings: "en", with which a process begins, or "es".

        Raises:
            ArgumentError: There are no words in it.
        """
        return settings.language

    @language.setter
    def language(self, code: str) -> None:
        boundary(_set_language)(code)

    @property
    def key_reuse(self) -> str:
        """What is done where a key of `functrace.random` is used twice: "allow" it, or "error".

        A key is used where something is drawn from it, and where it is split. What was used is
        forgotten at each assignment. Keys are the same where their numbers are. Of a traced key no
        number is known: where it is used twice in one recording, `jit` and `vmap` raise the error
        as they record; what a recording draws when it runs is not looked at again, nor
        are elements that are taken out of an array of keys twice.
        """
        return reuse_of_keys()

    @key_reuse.setter
    def key_reuse(self, choice: str) -> None:
        boundary(choose_reuse)(choice)

    @boundary
    def using(
        self, *, backend: str | None = None, key_reuse: str | None = None
    ) -> AbstractContextManager[None]:
        """Settings within a context, in this thread or task.

        Calls of jitted functions take some microseconds more where a backend is chosen, since
        nothing that was prepared for them looks at settings; ``jit(f, backend=...)`` costs nothing.

        Args:
            backend: The name of the backend.
            key_reuse: "allow" or "error".

        Raises:
            ArgumentError: There is none of this name.
        """
        chosen_here: list[AbstractContextManager[None]] = []
        if backend is not None:
            chosen_here.append(use_backend(backend_named(backend).name))
        if key_reuse is not None:
            chosen_here.append(use_reuse(key_reuse))
        return _all_of(chosen_here)

    def __repr__(self) -> str:
        names = ("backend", "cache", "threads", "key_reuse", "language")
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"<functrace.config: {shown}>"


@contextmanager
def _all_of(settings: list[AbstractContextManager[None]]) -> Generator[None]:
    with ExitStack() as stack:
        for setting in settings:
            stack.enter_context(setting)
        yield


def _set_threads(count: Any) -> None:
    if not isinstance(count, int) or count < 1:
        raise ArgumentError(
            f"The number of threads must be 1 or more, not {count!r}.",
            advice="Write functrace.config.threads = 1 for loops that are not divided.",
        )
    settings.threads = count


def _set_language(code: Any) -> None:
    if code not in LANGUAGES:
        raise ArgumentError(
            f"Drawings have no words in {code!r}.",
            advice=f"Write functrace.config.language = {' or '.join(map(repr, LANGUAGES))}.",
        )
    settings.language = code


config = Config()
"""The settings."""
