"""Arrays from around them that the bodies of loops and the branches of choices write.

A body is recorded once, so what it writes into an array from around it is written once, and not at
each trip. That makes no difference where each trip finds the array as the one before has left it,
or does not look, as at a buffer that is filled anew. Where it does, no recording means what NumPy
means.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from functrace.errors import ArrayWriteError, FunctraceError, LeakedTracerError
from functrace.ir.program import Program
from functrace.ir.types import UNKNOWN
from functrace.tracing.places import Place, source_of
from functrace.tracing.program_recording import is_made_alike
from functrace.tracing.reaching import reached
from functrace.tracing.recording import identity_of
from functrace.tracing.refusals import place_raised
from functrace.tracing.tracer import Tracer
from functrace.tracing.views import Overwritten, State, root_of

T = TypeVar("T")

Written = list[State]


def recorded_with_writes(
    f: Callable[..., Any], record: Callable[[Callable[..., Any]], tuple[T, Program]]
) -> T:
    """Record a body that may write into arrays from around it.

    What it can reach is watched while it is recorded. If it writes, it is recorded twice, and must
    be the same both times, without reading traced values that the time before has left there.

    Args:
        f: The body.
        record: Records what it is given, which calls the body; returns the result, and the Program
            in it.

    Raises:
        ArrayWriteError: Each trip would find other elements. The arrays are as they were before.
    """
    around = _Surroundings(f)
    if not around.arrays and not around.states:
        return record(f)[0]
    try:
        with around.protected():
            return record(around.unwritten(f))[0]
    except _WriteError as error:
        place = error.place

    def trip(*args: Any) -> Any:
        around.end_written()
        return f(*args)

    before = [x.copy("K") for x in around.arrays]
    is_same = False
    try:
        with around.protected(buffers_only=True):
            first = record(trip)[1]
            between = around.contents()
            result, second = record(trip)
        is_same = _alike(between, around.contents()) and _do_the_same(first, second)
        if is_same:
            around.end_written()
            return result
    except (LeakedTracerError, _WriteError):
        pass
    finally:
        if not is_same:
            around.restore()
            for x, elements in zip(around.arrays, before, strict=True):
                np.copyto(x, elements)
    raise ArrayWriteError(
        "The body of a loop changes an array from around it, which the next trip would find "
        "changed. It is recorded once for all trips, in which the array is written once.",
        source_of(place),
        "Make the array within the body, or let the loop carry it: the body takes it, writes into "
        "it and returns it.",
    )


def recorded_without_writes(f: Callable[..., Any], record: Callable[[], T]) -> tuple[T, Written]:
    """Record a branch, which may not be taken: afterwards the arrays around it are as before.

    Returns:
        What was recorded, and the traced arrays from around it that it has written.

    Raises:
        ArrayWriteError: It writes into a plain array.
    """
    around = _Surroundings(f)
    try:
        with around.protected():
            result = record()
            written = around.written()
            around.require_unwritten_buffers()
    except _WriteError as error:
        raise ArrayWriteError(
            "A branch changes an ordinary array from around it. All branches are recorded, also "
            "the one that will not be taken.",
            source_of(error.place),
            "Make the array within the branch, or return the new elements and write them outside.",
        ) from None
    finally:
        around.restore()
    return result, written


class _WriteError(Exception):
    """A function has written into an array, or has tried to."""

    def __init__(self, place: Place | None) -> None:
        super().__init__()
        self.place = place


class _Surroundings:
    """The arrays that a function can reach and write.

    Attributes:
        arrays: The plain ones.
        states: The traced ones that are no views, with what they stand for; buffers included.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.arrays: list[np.ndarray] = []
        self.states: list[State] = []
        roots: set[int] = set()
        for x in reached(f):
            if type(x) is np.ndarray and x.flags.writeable:
                self.arrays.append(x)
            elif type(x) is Tracer and x.shape:
                root = root_of(x)
                if id(root) not in roots and root.recording.is_open:
                    roots.add(id(root))
                    self.states.append(State(root))

    @contextmanager
    def protected(self, buffers_only: bool = False) -> Generator[None]:
        """Let nothing be written into plain arrays; buffers that are written stand for copies then.

        Where this fails, the traced arrays are as they were before.

        Raises:
            _WriteError: It was tried.
        """
        buffers = [s.value for s in self.states if s.is_buffer and s.value.flags.writeable]
        protected = buffers if buffers_only else [*self.arrays, *buffers]
        for x in protected:
            x.flags.writeable = False
        is_done = False
        try:
            yield
            is_done = True
        except ValueError as error:
            if "read-only" not in str(error) or isinstance(error, FunctraceError):
                raise
            raise _WriteError(place_raised(error.__traceback__)[0]) from error
        finally:
            _let_write(protected)
            if not is_done:
                self.restore()

    def unwritten(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """A function that must not write into the traced arrays either."""

        def call(*args: Any) -> Any:
            result = f(*args)
            for state in self.written():
                raise _WriteError(state.tracer.place)
            return result

        return call

    def require_unwritten_buffers(self) -> None:
        """Check that no array was written that was plain before."""
        for state in self.written():
            if state.is_buffer:
                raise _WriteError(state.tracer.place)

    def written(self) -> Written:
        """The traced arrays that do not stand any more for what they stood for."""
        return [state for state in self.states if state.is_out_of_date]

    def end_written(self) -> None:
        """Let nothing read the traced values that were written."""
        end(self.written())

    def contents(self) -> list[np.ndarray | None]:
        """What the plain arrays hold now, and the buffers that are plain still."""
        held = [s.tracer.value if s.tracer.recording.is_plain else None for s in self.states]
        return [None if x is None else x.copy("K") for x in [*self.arrays, *held]]

    def restore(self) -> None:
        """Let the traced arrays stand for what they stood for."""
        for state in self.written():
            state.restore()


def end(written: Written) -> None:
    """Let arrays not be read any more, where what they hold is known to nobody but a Program."""
    for state in written:
        if not state.tracer.recording.is_plain:
            state.tracer.recording = Overwritten(state)


def _let_write(arrays: list[np.ndarray]) -> None:
    """Let arrays be written again: those that own their memory first."""
    for x in sorted(arrays, key=lambda x: x.base is not None):
        if not x.flags.writeable:
            x.flags.writeable = True


def _alike(some: list[np.ndarray | None], others: list[np.ndarray | None]) -> bool:
    return all(
        x is other is None
        or (
            x is not None
            and other is not None
            and np.array_equal(x, other, equal_nan=x.dtype.kind in "fc")
        )
        for x, other in zip(some, others, strict=True)
    )


def _do_the_same(first: Program, second: Program) -> bool:
    """Whether two recordings of one function differ in no constant, nor in anything else."""
    constants = [[x.value for x in program.constants()] for program in (first, second)]
    if str(first) != str(second) or len(constants[0]) != len(constants[1]):
        return False
    return all(_is_same(a, b) for a, b in zip(*constants, strict=True))


def _is_same(a: Any, b: Any) -> bool:
    """Whether two constants are the same; of what was computed outside, by the same operations."""
    if not isinstance(a, Tracer) or not isinstance(b, Tracer):
        return not isinstance(a, Tracer | Program) and bool(np.array_equal(a, b))
    if identity_of(a) == identity_of(b):
        return True
    if a.value is not UNKNOWN or b.value is not UNKNOWN:
        return a.value is not UNKNOWN and _is_same(a.value, b.value)
    return is_made_alike(a, b, _is_same)
