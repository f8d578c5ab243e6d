"""The names of what generated source refers to: constants, functions, parameters."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

RESERVED = frozenset(dir(builtins)).union(
    ("np", "math", "error", "locate", "team", "entered", "workspace", "result"),
)
"""What no variable is called: Python's functions, and what the source begins and ends with."""


class Names:
    """Gives names to values that the source refers to.

    Attributes:
        globals: The values by their names.
    """

    def __init__(self) -> None:
        self.globals: dict[str, Any] = {}
        self._known: dict[Any, str] = {}

    def constant(self, value: Any) -> str:
        """A literal for a Python number, a name for any other value."""
        kind = type(value)
        if kind is bool or kind is int or (kind is float and math.isfinite(value)):
            return repr(value) if value >= 0 and repr(value)[0] != "-" else f"({value!r})"
        key: Any = id(value)
        if isinstance(value, np.ndarray | np.generic) and value.shape == ():
            key = (kind, value.dtype.str, value.tobytes())
        elif kind is float or kind is complex:
            key = (kind, repr(value))
        name = self._known.get(key)
        if name is None:
            name = self._known[key] = f"k{len(self._known)}"
            self.globals[name] = value
        return name

    def function(self, name: str, value: Any) -> str:
        """A name for a function or another object, like the given one."""
        key = ("named", name, id(value))
        known = self._known.get(key)
        if known is None:
            # Variables have names of letters only: an underscore keeps others apart from them.
            known = name if "_" in name else f"{name}_"
            if known in self.globals:
                known = f"{known}_{len(self.globals)}"
            self._known[key] = known
            self.globals[known] = value
        return known

    def parameter(self, value: Any) -> str:
        """A literal for a parameter where Python has one, else a name."""
        if value is None or type(value) is str:
            text = repr(value)
            return text if "{" not in text and "}" not in text else self.constant(value)
        if isinstance(value, tuple) and type(value) is tuple:
            items: Any = value
            parts = [self.parameter(item) for item in items]
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        return self.constant(value)
