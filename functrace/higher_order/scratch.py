"""Plain arrays that the bodies of loops and the branches of choices write.

A body is recorded once, so what it writes into an ordinary array is written once, and not at each
trip. That makes no difference where each trip finds the array as the one before has left it, as a
buffer that is filled anew with the same. Where it does, no recording means what NumPy means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from functrace.errors import ArrayWriteError, FunctraceError
from functrace.ir.program import Constant, Equation, Program
from functrace.ir.types import UNKNOWN
from functrace.places import source_of
from functrace.reaching import reached
from functrace.refusals import place_raised
from functrace.tracing import Place, Tracer, identity_of
from functrace.views import outdate, root_of

T = TypeVar("T")

DEEPEST = 12
"""So many operations that were recorded twice outside of a body are compared, one on the other."""


def recorded_with_writes(f: Callable[..., Any], record: Callable[[], tuple[T, Program]]) -> T:
    """Record a body that may write into arrays from around it.

    They are write-protected while it is recorded. If it writes, it is recorded twice, and must be
    the same both times.

    Args:
        f: The body.
        record: Records it; returns the result, and the Program in it.

    Raises:
        ArrayWriteError: Each trip would find other elements. The arrays are as they were before.
    """
    arrays, buffers = _writable(f)
    values = [x.value for x in buffers]
    protected = [*arrays, *values]
    try:
        return _without_writes(lambda: record()[0], arrays, buffers)
    except _WriteError as error:
        place = error.place
    before = [x.copy("K") for x in protected]
    first = record()[1]
    between = [x.copy("K") for x in (*arrays, *(x.value for x in buffers))]
    result, second = record()
    after = [*arrays, *(x.value for x in buffers)]
    if _alike(between, after) and _do_the_same(first, second):
        return result
    _put_back(buffers, values)
    for x, elements in zip(protected, before, strict=True):
        np.copyto(x, elements)
    raise ArrayWriteError(
        "The body of a loop changes an ordinary array, which the next trip would find changed. It "
        "is recorded once for all trips, in which the array is written once.",
        source_of(place),
        "Make the array within the body, or let the loop carry it: the body takes it, writes into "
        "it and returns it.",
    )


def recorded_without_writes(f: Callable[..., Any], record: Callable[[], T]) -> T:
    """Record a branch, which must not write into arrays from around it: it may not be taken.

    Raises:
        ArrayWriteError: It does.
    """
    try:
        return _without_writes(record, *_writable(f))
    except _WriteError as error:
        raise ArrayWriteError(
            "A branch changes an ordinary array from around it. All branches are recorded, also "
            "the one that will not be taken.",
            source_of(error.place),
            "Make the array within the branch, or return the new elements and write them outside.",
        ) from None


class _WriteError(Exception):
    """A function has tried to write into an array, or has written into a buffer."""

    def __init__(self, place: Place | None) -> None:
        super().__init__()
        self.place = place


def _without_writes(record: Callable[[], T], arrays: list[np.ndarray], buffers: list[Tracer]) -> T:
    """Record a function while arrays are write-protected."""
    if not arrays and not buffers:
        return record()
    values = [x.value for x in buffers]
    protected = [*arrays, *values]
    for x in protected:
        x.flags.writeable = False
    try:
        result = record()
    except ValueError as error:
        if "read-only" not in str(error) or isinstance(error, FunctraceError):
            raise
        _put_back(buffers, values)
        raise _WriteError(place_raised(error.__traceback__)[0]) from error
    finally:
        _release(protected)
    if any(x.value is not value for x, value in zip(buffers, values, strict=True)):
        _put_back(buffers, values)
        raise _WriteError(None)
    return result


def _writable(f: Callable[..., Any]) -> tuple[list[np.ndarray], list[Tracer]]:
    """The arrays and buffers that a function can reach and write, each once."""
    arrays: list[np.ndarray] = []
    buffers: dict[int, Tracer] = {}
    for x in reached(f):
        if type(x) is np.ndarray and x.flags.writeable:
            arrays.append(x)
        elif type(x) is Tracer and x.recording.is_plain:
            root = root_of(x)
            if type(root.value) is np.ndarray and root.value.flags.writeable:
                buffers[id(root)] = root
    return arrays, list(buffers.values())


def _release(arrays: list[np.ndarray]) -> None:
    """Let arrays be written again: those that own their memory first."""
    for x in sorted(arrays, key=lambda x: x.base is not None):
        if not x.flags.writeable:
            x.flags.writeable = True


def _put_back(buffers: list[Tracer], values: list[np.ndarray]) -> None:
    for x, value in zip(buffers, values, strict=True):
        if x.value is not value:
            x.value = value
            outdate(x)


def _alike(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(
        np.array_equal(x, other, equal_nan=x.dtype.kind in "fc")
        for x, other in zip(some, others, strict=True)
    )


def _do_the_same(first: Program, second: Program) -> bool:
    """Whether two recordings of one function differ in no constant, nor in anything else."""
    constants = [[x.value for x in program.constants()] for program in (first, second)]
    if str(first) != str(second) or len(constants[0]) != len(constants[1]):
        return False
    return all(_is_same(a, b, DEEPEST) for a, b in zip(*constants, strict=True))


def _is_same(a: Any, b: Any, steps: int) -> bool:
    """Whether two constants are the same; of what was computed outside, by the same operations."""
    if not isinstance(a, Tracer) or not isinstance(b, Tracer):
        return not isinstance(a, Tracer | Program) and bool(np.array_equal(a, b))
    if identity_of(a) == identity_of(b):
        return True
    if a.value is not UNKNOWN or b.value is not UNKNOWN:
        return a.value is not UNKNOWN and _is_same(a.value, b.value, steps)
    made: list[dict[Any, Equation]] = [
        {output: e for e in getattr(x.recording, "equations", ()) for output in e.outputs}
        for x in (a, b)
    ]
    return _is_made_alike(a.variable, b.variable, made[0], made[1], steps)


def _is_made_alike(
    a: Any, b: Any, first: dict[Any, Equation], second: dict[Any, Equation], steps: int
) -> bool:
    """Whether two variables are the same, or made of the same by the same operations."""
    if a is b:
        return True
    if isinstance(a, Constant) and isinstance(b, Constant):
        return _is_same(a.value, b.value, steps)
    one, other = first.get(a), second.get(b)
    if one is None or other is None or not steps or one.primitive is not other.primitive:
        return False
    same_place = one.outputs.index(a) == other.outputs.index(b)
    alike = same_place and len(one.inputs) == len(other.inputs) and not one.programs
    return (
        alike
        and repr(one.params) == repr(other.params)
        and all(
            _is_made_alike(x, y, first, second, steps - 1)
            for x, y in zip(one.inputs, other.inputs, strict=True)
        )
    )
