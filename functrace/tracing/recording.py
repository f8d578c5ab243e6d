"""One running transformation: what a recording is, and when its tracers stand for something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np

from functrace import depth
from functrace.errors import (
    ArrayConversionError,
    CustomRuleError,
    FunctraceError,
    LeakedTracerError,
    LostDerivativeError,
    OperandError,
    UnknownValueError,
    UnsupportedFunctionError,
)
from functrace.ir.primitive import Primitive
from functrace.ir.program import Variable
from functrace.tracing import numpy_warnings
from functrace.tracing.entrances import running
from functrace.tracing.places import source_of, user_place
from functrace.tracing.refusals import (
    DRAWS,
    PANDAS,
    Refusal,
    is_of_container,
    is_of_draw,
    is_of_table,
    place_raised,
)
from functrace.tracing.traced_array import TracedArray
from functrace.tracing.twins import raised_in_scipy, remedy_for_passed
from functrace.tracing.wording import said_of_a_call

_births = count(1)


_OF_NUMBERS = ArrayConversionError, LostDerivativeError, OperandError, UnknownValueError
"""What is said where a function takes a traced value for a plain number."""


class Recording:
    """One running transformation, to which its tracers belong.

    Attributes:
        birth: Recordings are ordered by this number; the youngest has the largest.
        is_open: Whether the transformed function is still running.
        around: The recording whose function calls the transformed one, while that is running.
        refusal: What its tracers refused last, for where NumPy hides that behind an error of its
            own.
        is_plain: Whether its tracers stand for plain arrays (tracing/buffers.py), and it for no
            transformation.
        follows_values: Whether what is recorded is computed at once, so that NumPy may warn.
        begun: What `numpy_warnings.end` takes, where that is so.
        setting: How NumPy handled errors when it last computed something.
        level: How many recordings that follow values it runs in.
    """

    # No operation waits for what it looks up: Python finds what an object alone has, and its class
    # has not, in a third of the time.
    is_plain: bool
    birth: int
    is_open: bool
    around: Recording | None
    refusal: Refusal | None
    follows_values: ClassVar[bool] = False
    level: int = 0
    begun: Any
    setting: Any

    def __init__(self) -> None:
        self.birth = next(_births)
        self.is_open = True
        self.is_plain = False
        self.around = self.refusal = self.begun = self.setting = None

    def __enter__(self) -> Self:
        self.around = around = running.get()
        if around is not None:
            self.level = around.level + self.follows_values
            depth.require_end(self.level, lambda: source_of(user_place(3)))
            depth.enter()
        running.set(self)
        if self.follows_values:  # and so does NumPy's work, which may warn
            self.begun = numpy_warnings.begin()
            self.setting = numpy_warnings.in_force()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.is_open = False
        self.setting = None  # which is in force nowhere: so a tape need not ask whether it is open
        around = self.around
        running.set(around)
        if around is not None:
            depth.leave()
            self.around = None
        numpy_warnings.end(self.begun)
        if error is not None:
            self.explain(error, traceback)
        self.refusal = None

    def explain(self, error: BaseException, traceback: TracebackType | None) -> None:
        """Say more of what came out of the function, where more is known; or raise it instead."""
        refusal, self.refusal = self.refusal, None
        if isinstance(error, FunctraceError):
            if isinstance(error, _OF_NUMBERS):
                if is_of_draw(traceback):
                    error.advising(DRAWS)
                elif is_of_table(traceback, TracedArray):
                    error.advising(PANDAS)
                elif remedy := remedy_for_passed(place_raised(traceback)[2] or traceback):
                    error.advising(remedy)
            return
        instead: FunctraceError | None = None
        try:
            raised, _, step = place_raised(traceback)
            if refusal is not None and refusal.place and refusal.place[:2] == raised:
                raise refusal.error.with_traceback(traceback) from None
            hidden = error.__cause__ if isinstance(error, SystemError) else None
            if isinstance(hidden, FunctraceError):  # raised below a function written in C
                instead = hidden
            instead = instead or is_of_container(error, TracedArray)
            if instead is None and is_of_table(traceback, TracedArray):
                instead = UnsupportedFunctionError(
                    f"A table of pandas's, or of xarray's, met a traced value: {error}.",
                    source_of(raised),
                    PANDAS,
                )
            instead = instead or raised_in_scipy(error, step or traceback, raised, TracedArray)
            instead = instead or said_of_a_call(error)
            if instead is None and "Tracer(" in str(error) and is_of_draw(traceback):
                where = source_of(place_raised(traceback)[0])
                instead = OperandError(
                    f"numpy.random was given a traced value: {error}.", where, DRAWS
                )
            if instead is not None:
                raise instead.with_traceback(traceback) from error
        finally:  # an error whose traceback holds a name for it would live until it is collected
            del refusal, instead

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record one operation and return its output, or tuple of outputs."""
        raise NotImplementedError

    def call_within(self, f: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Call a function; what it does to tracers whose values are not known is recorded here.

        That is so of those that it has captured, too. Else an operation on them alone would be of
        the recording that they are of, and be done whatever becomes of this one.
        """
        around: list[Recording] = []
        outer = self.around
        while outer is not None:
            around.append(outer)
            outer = outer.around
        while around and around[-1].follows_values:  # these know their values
            around.pop()
        before = [vars(recording).get("record") for recording in around]
        for recording in around:
            recording.record = self.record
        try:
            return f(*args)
        finally:
            for recording, method in zip(around, before, strict=True):
                if method is None:
                    del recording.record
                else:
                    recording.record = method

    def record_over(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """As `record`, where the first input stands for the output from then on."""
        return self.record(primitive, inputs, params)

    def lift(self, value: Any) -> Any:
        """A tracer of this recording that stands for a constant, so that it can be written."""
        raise NotImplementedError

    def settle(self, tracer: Any) -> None:
        """Make a tracer usable whose recording is not open: one that has ended cannot."""
        raise leaked([tracer])

    def is_array(self, variable: Any) -> bool:
        """Whether a variable of unknown value is an array in NumPy, and no scalar."""
        return False

    def names_behind(self, tracer: Any) -> list[str]:
        """What the user's function calls a value of unknown value, or the values it was made of."""
        return []

    def note_copy(self, variable: Any) -> None:
        """Note that a variable stands for a copy in an order of memory of its own, too."""

    def as_constant(self, tracer: Any) -> Any:
        """What a younger recording keeps of a tracer: a copy, as it may be written later."""
        return tracer.twin()

    def attribute(self, tracer: Any, name: str) -> Any:
        """What a plain array has and a traced one has not."""
        raise NotImplementedError

    def as_array(self, tracer: Any, dtype: Any, copy: bool | None) -> np.ndarray:
        """The plain array that a tracer stands for."""
        raise NotImplementedError

    def call(
        self, function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        """What NumPy gives where all arrays are plain; NotImplemented where one is traced."""
        return NotImplemented


running_recording: Callable[[], Recording | None] = running.get
"""The recording whose function is running, the innermost one; None if none is."""


class ValueRecording(Recording):
    """A recording that follows values: each output is computed one recording further out."""

    follows_values = True

    def settle(self, tracer: Any) -> None:
        """Let an array that is older than this recording stand for what was written into it."""
        memory, value = tracer.memory, tracer.value
        if memory is None or memory.home is None or tracer.base is not None:
            raise leaked([tracer])
        if not isinstance(value, TracedArray):
            if not memory.home.is_open:
                raise leaked([tracer])
            value = memory.home.lift(value)
        require_usable(value)
        tracer.recording, tracer.value = value.recording, value.value
        tracer.known_as, tracer.place = value.known_as, value.place

    def value_of(self, x: Any) -> Any:
        """What a value returned by the function is, one recording further out."""
        if not isinstance(x, TracedArray):
            return x
        require_usable(x)
        if x.recording.is_plain:
            return x.value.copy()
        return x.value if x.recording is self else x


def leaked(inputs: Sequence[Any]) -> LeakedTracerError:
    """The error for an operation on a tracer whose recording has ended."""
    for x in inputs:
        if isinstance(x, TracedArray) and not x.recording.is_open:
            if x.memory is not None and x.memory.home is not None:
                return written_within(x)
            what = f"A traced value of type {x.type} is used after the transformation that made it "
            if x.place is not None:
                return LeakedTracerError(f"{what}has ended. It was made", source_of(x.place))
            return LeakedTracerError(
                f"{what}has ended. It was an argument of the transformed function, and is used",
                source_of(user_place(2)),
            )
    return LeakedTracerError("A traced value is used after its transformation has ended.")


def written_within(tracer: Any) -> LeakedTracerError:
    """The error for an array that was written by a function whose recording has ended."""
    return LeakedTracerError(
        f"An array of type {tracer.type} was made outside of a recorded function, such as that of "
        "jit, vmap, checkpoint or a loop, written within it, and is used after it has ended. What "
        "was written is known within the recorded function only. It was written",
        source_of(tracer.place),
        "Return the new values from the inner function, and write them outside: "
        "y[index] = inner(x). A loop carries the array: its body takes it, writes into it and "
        "returns it.",
    )


def require_usable(tracer: Any) -> None:
    """See that a tracer stands for what its array holds now.

    Raises:
        LeakedTracerError: Its transformation has ended.
        ViewWriteError: Its memory was changed, perhaps, by another array.
    """
    if not tracer.recording.is_open:
        tracer.recording.settle(tracer)


def require_further_out(outputs: Sequence[Any], recording: Recording) -> None:
    """Check that a custom function used no value of the recording that called it.

    Raises:
        CustomRuleError: It did: that value is differentiated, and the rule cannot know of it.
    """
    for x in outputs:
        if isinstance(x, TracedArray) and x.recording is recording:
            raise CustomRuleError(
                f"A function with derivative rules of its own used a differentiated {x.type} that "
                "is none of its arguments; its rules cannot know of it.",
                source_of(user_place(3)),
                "Pass the value as an argument.",
            )


def identity_of(tracer: Any) -> Any:
    """What two tracers for the same value have in common."""
    variable = tracer.known_as
    if isinstance(variable, int | Variable):
        return tracer.recording.birth, variable
    # In forward mode it is a tangent, which x and x + 1 share.
    return tracer.recording.birth, id(tracer.value), id(variable)


def youngest_birth(values: Iterable[Any]) -> int:
    """The birth of the youngest recording among traced values; 0 if nothing is traced."""
    return max((x.recording.birth for x in values if isinstance(x, TracedArray)), default=0)
