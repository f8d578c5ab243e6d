"""What NumPy's functions mean on tracers: tables, filled by the files of the functions.

Whoever calls a function looks it up here; so nothing below the operations knows one by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive

UFUNCS: dict[np.ufunc, Primitive | Callable[..., Any]] = {}
"""For each ufunc, the primitive (or the function of primitives) that it means."""


NAMED_UFUNCS: dict[str, Primitive | Callable[..., Any]] = {}
"""Ufuncs of other packages (``scipy.special.expit``) by name: they need not be installed."""


FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""For each NumPy function that is no ufunc, an implementation with the same signature.

Besides NumPy's functions: ``operator.getitem`` and ``operator.setitem``; ``setattr`` for the
attribute ``shape``; ``np.flatiter`` for ``flat``; and ``np.ufunc`` for ufuncs' methods and
keywords, called with the ufunc, the method's name, the inputs and the keywords.
"""


WITHOUT_OUT: dict[Callable[..., Any], Callable[..., Any]] = {}
"""The same, without a look for an argument ``out``: for calls with one or two arguments by
position and none of that name, which are most."""
