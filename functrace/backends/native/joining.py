"""Arrays that are made of others: where each of those lies in them.

So a part can be computed right where it is to be, and the rest is filled with zeros.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

from functrace.backends.native.memory import View
from functrace.backends.native.writing import Writer
from functrace.ir.program import Equation, Variable
from functrace.ir.types import Shape
from functrace.primitives.indexing import layout


class Part(NamedTuple):
    """Where a part of an array lies in it.

    Attributes:
        starts: Where it begins along each axis.
        lengths: Its lengths along these.
        shape: Its own shape, which may have fewer axes.
        axes: To which axis of the whole each of its axes belongs.
    """

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    shape: Shape
    axes: tuple[int, ...]

    def view(self, write: Writer, whole: View) -> View:
        """The part of an array."""
        offset = sum(s * step for s, step in zip(self.starts, whole.strides, strict=True))
        pointer = write.address(whole.dtype, whole.pointer, str(offset))
        strides = tuple(whole.strides[axis] for axis in self.axes)
        return whole._replace(pointer=pointer, shape=self.shape, strides=strides)


def parts_of(equation: Equation) -> list[Part] | None:
    """Where the inputs lie in the output of an operation that joins them; None if it does not."""
    name, params = equation.primitive.name, equation.params
    shapes = [atom.type.shape for atom in equation.inputs]
    if name in ("stack", "concatenate"):
        return _along(equation.outputs[0].type.shape, params["axis"], shapes, name == "stack")
    if name == "pad":
        starts = tuple(before for before, _ in params["padding"])
        if min((*starts, *(after for _, after in params["padding"])), default=0) < 0:
            return None
        return [Part(starts, shapes[0], shapes[0], tuple(range(len(starts))))]
    if name == "scatter_add" and len(shapes) == 1:
        return _at_index(equation.outputs[0].type.shape, params["index"], shapes[0])
    return None


def _along(whole: Shape, axis: int, shapes: Sequence[Shape], is_stack: bool) -> list[Part]:
    axis %= len(whole)
    axes = tuple(a for a in range(len(whole)) if a != axis or not is_stack)
    parts: list[Part] = []
    start = 0
    for shape in shapes:
        length = 1 if is_stack else shape[axis]
        starts = tuple(start if a == axis else 0 for a in range(len(whole)))
        lengths = tuple(length if a == axis else n for a, n in enumerate(whole))
        parts.append(Part(starts, lengths, shape, axes))
        start += length
    return parts


def _at_index(whole: Shape, index: tuple[Any, ...], shape: Shape) -> list[Part] | None:
    """The part at an index of integers and slices without steps."""
    found = layout(index, len(whole))
    starts, lengths = [0] * len(whole), list(whole)
    for axis, number in found.integers:
        starts[axis], lengths[axis] = number % whole[axis], 1
    axes: list[int] = []
    for item in found.sliced:
        if item is None:
            return None
        axis, part = item
        taken = range(*part.indices(whole[axis]))
        if taken.step != 1:
            return None
        starts[axis], lengths[axis] = taken.start, len(taken)
        axes.append(axis)
    if found.indexed or tuple(lengths[axis] for axis in axes) != shape:
        return None
    return [Part(tuple(starts), tuple(lengths), shape, tuple(axes))]


def around(whole: Shape, part: Part) -> Generator[Part]:
    """What is outside of a part, in pieces."""
    starts, lengths = [0] * len(whole), list(whole)
    for axis, length in enumerate(whole):
        begin, end = part.starts[axis], part.starts[axis] + part.lengths[axis]
        for first, last in ((0, begin), (end, length)):
            if first < last:
                starts[axis], lengths[axis] = first, last - first
                shape = tuple(lengths)
                yield Part(tuple(starts), shape, shape, tuple(range(len(whole))))
        starts[axis], lengths[axis] = begin, end - begin


def joins(equations: Sequence[Equation], outputs: Sequence[Any]) -> dict[Variable, Equation]:
    """By what the variables are joined that nothing else reads."""
    readers: dict[Variable, int] = {}
    joined: dict[Variable, Equation] = {}
    for atom in (*outputs, *(atom for equation in equations for atom in equation.inputs)):
        if isinstance(atom, Variable):
            readers[atom] = readers.get(atom, 0) + 1
    for equation in equations:
        if equation.primitive.name not in JOINING:
            continue
        for atom in equation.inputs:
            dtype = equation.outputs[0].type.dtype
            if isinstance(atom, Variable) and readers[atom] == 1 and atom.type.dtype == dtype:
                joined[atom] = equation
    return joined


JOINING = frozenset({"stack", "concatenate", "pad", "scatter_add"})
"""What makes one array of others."""
