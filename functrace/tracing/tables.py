"""What NumPy's functions mean on tracers: tables, filled by the files of the functions.

Whoever calls a function looks it up here; so nothing below the operations knows one by name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive, all_primitives

UFUNCS: dict[np.ufunc, Primitive | Callable[..., Any]] = {}
"""For each ufunc, the primitive (or the function of primitives) that it means."""


NAMED_UFUNCS: dict[str, Primitive | Callable[..., Any]] = {}
"""Ufuncs of SciPy (``scipy.special.expit``), which need not be installed, by name; and those that
NumPy keeps to itself. `named_ufunc` looks here."""


def named_ufunc(ufunc: np.ufunc) -> Primitive | Callable[..., Any] | None:
    """What a ufunc means by its name, if it is the one of that name of SciPy's or NumPy's."""
    home = home_of(ufunc)
    if home is None:
        return None
    if home.startswith("scipy"):
        all_primitives()
    return NAMED_UFUNCS.get(ufunc.__name__)


def home_of(ufunc: np.ufunc) -> str | None:
    """The module that has a ufunc, of those whose ufuncs are known by their names."""
    for module in ("scipy.special", "scipy.special._ufuncs", "numpy._core.umath"):
        if getattr(sys.modules.get(module), ufunc.__name__, None) is ufunc:
            return module
    return None


def public_name(ufunc: np.ufunc) -> str:
    """What users call a ufunc, with the package: ``scipy.special.jv``."""
    name = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return f"numpy.{name}"
    if not (home_of(ufunc) or "").startswith("scipy"):
        return name
    public = name.lstrip("_")
    is_there = hasattr(sys.modules["scipy.special"], public)
    return f"scipy.special.{public}" if is_there else "A function of scipy.special"


FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""For each NumPy function that is no ufunc, an implementation with the same signature.

Besides NumPy's functions: ``operator.getitem`` and ``operator.setitem``; ``setattr`` for the
attribute ``shape``; ``np.flatiter`` for ``flat``; and ``np.ufunc`` for ufuncs' methods and
keywords, called with the ufunc, the method's name, the inputs and the keywords.
"""


LIKE_ONLY: set[Callable[..., Any]] = set()
"""Those of them that NumPy hands over only where something is to be like a traced array."""


SPARSE: list[Callable[..., Any]] = []
"""The function for operators with one of SciPy's sparse matrices, called with the ufunc, the traced
value, the matrix, and whether the traced value stands on the left."""


WITHOUT_OUT: dict[Callable[..., Any], Callable[..., Any]] = {}
"""The same, without a look for an argument ``out``: for calls with one or two arguments by
position and none of that name, which are most."""
