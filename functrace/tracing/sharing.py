"""Memory: which traced arrays are views of one another.

What a write into one of them means to the others is told in tracing/views.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.tracing.traced_array import TracedArray


def _references_of_one_variable() -> int:
    array = np.empty(1)
    return sys.getrefcount(array)


ALONE = _references_of_one_variable()
"""What `sys.getrefcount` says of an array to which only one variable refers."""


def owns_its_memory(array: np.ndarray) -> bool:
    """Whether an array is no view, and can be written."""
    flags = array.flags  # which counts as a reference to it
    return flags.owndata and flags.writeable


class Memory:
    """Shared by all traced arrays that are views of the same memory.

    Attributes:
        views: Weak references to those that are a view of another one.
        most: How many of these there may be before those that are gone are forgotten.
        layout: An array whose elements lie in memory as those of the one that all are views of,
            where that was a plain array before; else None.
        home: The recording to which that array belonged before values of a younger one were
            written into it; else None.
    """

    __slots__ = ("home", "layout", "most", "views")

    views: list[ref[Any]]
    most: int
    layout: Any
    home: Any

    def forget(self) -> None:
        """Forget the views that are gone."""
        views = self.views
        views[:] = [entry for entry in views if entry() is not None]
        self.most = 2 * len(views) + 16


def new_memory(layout: Any = None) -> Memory:
    """Memory of its own, for one array: made as tracers are."""
    memory = Memory()
    memory.views = []
    memory.most = 16
    memory.layout = layout
    memory.home = None
    return memory


def share_memory(
    base: Any,
    view: Any,
    function: Primitive | Callable[..., Any],
    params: dict[str, Any],
    part: int = 0,
) -> None:
    """Note that an output of a primitive, or of a function of primitives, is a view of its input.

    Of a function's output nothing can be written.
    """
    memory = base.memory
    if memory is None:
        # What NumPy makes of a scalar is an array of its own.
        if type(base.value) is not np.ndarray and not base.is_array:
            return
        memory = base.memory = new_memory()
    view.memory = memory
    view.base = base
    view.made_by = function, params, part
    views = memory.views
    if len(views) >= memory.most:
        memory.forget()
    views.append(ref(view))


def share_parts(
    base: Any, outputs: Sequence[Any], primitive: Primitive, params: dict[str, Any]
) -> None:
    """Note that the outputs of a primitive are views of its input, but for scalars."""
    for part, view in enumerate(outputs):
        if isinstance(view, TracedArray) and view.shape:
            share_memory(base, view, primitive, params, part)
