"""SciPy, which need not be installed: it is imported where one of its functions is first used."""

from __future__ import annotations

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
