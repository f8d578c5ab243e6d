"""SciPy, which need not be installed: it is imported where one of its functions is first used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from functrace.errors import MissingPackageError
from functrace.tracing.places import source_of, user_place


def scipy_module(module: str, asked: str, instead: str = "") -> Any:
    """A module of SciPy's, for a function that computes with it.

    Args:
        module: The part after ``scipy.``, as ``special``.
        asked: The function as users call it, as ``functrace.scipy.special.jv``.
        instead: What may be written in its place without SciPy, if there is such.

    Raises:
        MissingPackageError: SciPy is not installed.

    Example:
        >>> from functrace.tracing.optional import scipy_module
        >>> scipy_module("special", "functrace.scipy.special.jv").__name__
        'scipy.special'
    """
    try:
        return import_module(f"scipy.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "scipy":
            raise  # SciPy is there, and broken
        advice = 'Install it: pip install "functrace[scipy]".'
        raise MissingPackageError(
            f"{asked} computes with SciPy, which is not installed.",
            source_of(user_place(2)),
            f"{advice} Without it write {instead}." if instead else advice,
        ) from None


def names_of_scipy(module: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module that has SciPy's names: others are SciPy's own.

    Args:
        module: The part after ``scipy.``.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.butter(1, 0.5)[0].round(6)
        array([0.5, 0.5])
    """

    def named(name: str) -> Any:
        own = f"functrace.scipy.{module}"
        try:
            if not name.startswith("_"):
                return getattr(scipy_module(module, f"{own}.{name}"), name)
        except AttributeError:
            pass
        raise AttributeError(f"module {own!r} has no attribute {name!r}")

    return named
