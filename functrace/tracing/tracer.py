"""Where Python meets recording: tracers, recordings, and NumPy's protocols.

A transformation calls the user's function on tracers. A `Tracer` is a variable of one `Recording`;
its value, if known, lives one recording further out. An operation on tracers comes to `bind`,
which hands it to the youngest recording among its inputs; without tracers the operation runs at
once on NumPy. Recordings are ordered by their birth: there is no global stack, so threads and
generators cannot confuse them. A tracer of an older recording that is met inside a younger one is
a constant there, which is what keeps the derivatives of nested transformations apart.

A recording either follows values (``functrace.transforms.reverse.Tape``: each output is computed
by binding one recording further out, so ``if x > 0:`` works) or keeps types only
(`ProgramRecording`: what it records is a Program).
"""

from __future__ import annotations

import ast
import dis
import inspect
import math
import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import update_wrapper, wraps
from itertools import count
from types import CodeType, FrameType, TracebackType
from typing import Any, ClassVar, NoReturn, Self, TypeVar, cast, final
from weakref import ref

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from functrace import depth, tree
from functrace.errors import (
    ArrayConversionError,
    ArrayWriteError,
    AxisRangeError,
    CustomRuleError,
    FunctraceError,
    IndexRangeError,
    LeakedTracerError,
    LostDerivativeError,
    OperandError,
    PrimitiveError,
    ShapeMismatchError,
    UnknownValueError,
    UnsupportedFunctionError,
)
from functrace.ir.immutable import ImmutableArrays
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import NOTHING, Atom, Constant, Equation, Program, Source, Variable
from functrace.ir.types import UNKNOWN, WEAK_DTYPES, ArrayType, Shape, type_of
from functrace.tracebacks import leave_out_own_frames
from functrace.tracing import numpy_warnings
from functrace.tracing.creations import how_to_write, writes_by_method
from functrace.tracing.draws import watch_that_runs
from functrace.tracing.expressions import (
    expression_at,
    frame_of,
    index_written,
    line_at,
    numpy_name,
    reads_an_item,
    stores_an_item,
    value_of,
)
from functrace.tracing.places import (
    ARRAY_LIBRARIES,
    NUMPY_FOLDER,
    OWN_FOLDER,
    Place,
    is_library,
    is_users_error,
    recorded_place,
    source_here,
    source_in,
    source_of,
    user_place,
)
from functrace.tracing.refusals import (
    DRAWS,
    INTEGERS,
    LENGTHS,
    NUMBERS,
    PANDAS,
    SLICES,
    Refusal,
    advice_on_branch,
    advice_on_index,
    advice_on_number,
    is_of_container,
    is_of_draw,
    is_of_table,
    place_raised,
    remedy_for,
)

# Recordings

_births = count(1)


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
    """

    is_plain: ClassVar[bool] = False

    birth: int
    is_open: bool
    around: Recording | None = None
    refusal: Refusal | None = None
    follows_values: ClassVar[bool] = False
    begun: Any = None
    setting: Any = None

    def __init__(self) -> None:
        self.birth = next(_births)
        self.is_open = True

    def __enter__(self) -> Self:
        self.around = _running.get()
        _running.set(self)
        if self.around is not None:
            depth.enter()
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
        _running.set(self.around)
        if self.around is not None:
            depth.leave()
            self.around = None
        if self.begun is not None:
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
                elif is_of_table(traceback, Tracer):
                    error.advising(PANDAS)
            return
        instead: FunctraceError | None = None
        try:
            raised = place_raised(traceback)[0]
            if refusal is not None and refusal.place and refusal.place[:2] == raised:
                raise refusal.error.with_traceback(traceback) from None
            hidden = error.__cause__ if isinstance(error, SystemError) else None
            if isinstance(hidden, FunctraceError):  # raised below a function written in C
                instead = hidden
            instead = instead or is_of_container(error, Tracer)
            if instead is None and is_of_table(traceback, Tracer):
                instead = UnsupportedFunctionError(
                    f"A table of pandas's, or of xarray's, met a traced value: {error}.",
                    source_of(raised),
                    PANDAS,
                )
            instead = instead or _said_of_a_call(error)
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

    def record_over(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """As `record`, where the first input stands for the output from then on."""
        return self.record(primitive, inputs, params)

    def lift(self, value: Any) -> Tracer:
        """A tracer of this recording that stands for a constant, so that it can be written."""
        raise NotImplementedError

    def settle(self, tracer: Tracer) -> None:
        """Make a tracer usable whose recording is not open: one that has ended cannot."""
        raise leaked([tracer])

    def as_constant(self, tracer: Tracer) -> Any:
        """What a younger recording keeps of a tracer: a copy, as it may be written later."""
        return tracer.twin()

    def attribute(self, tracer: Tracer, name: str) -> Any:
        """What a plain array has and a traced one has not."""
        raise NotImplementedError

    def as_array(self, tracer: Tracer, dtype: Any, copy: bool | None) -> np.ndarray:
        """The plain array that a tracer stands for."""
        raise NotImplementedError

    def call(
        self, function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        """What NumPy gives where all arrays are plain; NotImplemented where one is traced."""
        return NotImplemented


_running: ContextVar[Recording | None] = ContextVar("running", default=None)


running_recording = _running.get
"""The recording whose function is running, the innermost one; None if none is."""


def is_recording() -> bool:
    """Whether a transformed function is running, so that whatever it calls may use its tracers."""
    return _running.get() is not None


def bind(primitive: Primitive, *inputs: Any, **params: Any) -> Any:
    """Apply a primitive: record it where an input is traced, run it on NumPy where none is.

    Args:
        primitive: The operation.
        inputs: Arrays, scalars or tracers.
        params: The primitive's static parameters.

    Returns:
        The output, or the tuple of outputs.

    Raises:
        ShapeMismatchError: The shapes do not fit together.
        OperandError: An input is of a dtype that the primitive does not take.
        IndexRangeError: An index lies outside its axis.
        Exception: Whatever NumPy raises for inputs whose types fit, but not their values: a
            singular matrix is a ``LinAlgError`` here too.
    """
    youngest: Recording | None = None
    for x in inputs:
        if type(x) is Tracer:
            recording = x.recording
            if recording is not youngest and (youngest is None or recording.birth > youngest.birth):
                youngest = recording
    if youngest is not None:
        return youngest.record(primitive, inputs, params)
    return run(primitive, inputs, params)


def bind_over(primitive: Primitive, *inputs: Any, **params: Any) -> Any:
    """As `bind`, where the first input, which is traced, stands for the output from then on.

    What it stood for need not be kept, but where something else needs it.
    """
    youngest: Recording = inputs[0].recording
    for x in inputs:
        if type(x) is Tracer and x.recording.birth > youngest.birth:
            youngest = x.recording
    return youngest.record_over(primitive, inputs, params)


def run(primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Run a primitive on inputs of which none is traced. The errors are those of `bind`."""
    try:
        return primitive.run(*inputs, **params)
    except (ValueError, TypeError, IndexError) as error:
        raise_explained(error, primitive, inputs, params)


def raise_explained(
    error: Exception, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
) -> NoReturn:
    """Raise what NumPy said of a primitive's inputs in the words of functrace."""
    if isinstance(error, FunctraceError):
        raise error
    types = [type_of(x) for x in inputs]
    if not is_users_error(error):
        refusal = _refusal(primitive, types, params)
        if refusal is not None or isinstance(error, IndexError):
            raise explained(refusal or error, primitive, types) from error
    name, types = _written_here() or (primitive.name, types)
    error.add_note(f"in {name} of {_shown(types)}\n  at {source_here(1)}")
    raise error


def _refusal(
    primitive: Primitive, types: Sequence[ArrayType], params: dict[str, Any]
) -> Exception | None:
    """What a primitive says of inputs of these types; None if they fit, so that values do not."""
    try:
        primitive.infer(*types, **params)
    except NotImplementedError:  # it does not say, so its error is left alone
        return None
    except (ValueError, TypeError, IndexError) as error:
        return error
    return None


def _shown(types: Sequence[ArrayType]) -> str:
    return ", ".join(map(str, types)) or "no inputs"


def explained(error: Exception, primitive: Primitive, types: Sequence[ArrayType]) -> FunctraceError:
    """The error of functrace for what NumPy, or a rule, said of an operation's inputs.

    It speaks of what the user wrote: of ``@``, or of a function of NumPy's and its arguments, where
    the primitive is but a part of that.
    """
    if isinstance(error, FunctraceError):
        return error.at(source_here(2))
    name, given = _written_here() or (primitive.name, types)
    return _in_words(error, name, given, source_here(2))


def _in_words(
    error: Exception, name: str, types: Sequence[ArrayType], where: Source | None
) -> FunctraceError:
    """The error of functrace's that is of the kind of one of NumPy's, and says what it says."""
    text = str(error).strip().rstrip(".")
    kind: type[FunctraceError] = ShapeMismatchError
    if isinstance(error, np.exceptions.AxisError):
        kind = AxisRangeError
    elif isinstance(error, IndexError):
        kind = IndexRangeError
    elif isinstance(error, TypeError):
        kind = OperandError
    return kind(f"{name} does not take inputs of {_shown(types)}: {text}.", where)


class ValueRecording(Recording):
    """A recording that follows values: each output is computed one recording further out."""

    follows_values = True

    def settle(self, tracer: Tracer) -> None:
        """Let an array that is older than this recording stand for what was written into it."""
        memory, value = tracer.memory, tracer.value
        if memory is None or memory.home is None or tracer.base is not None:
            raise leaked([tracer])
        if not isinstance(value, Tracer):
            if not memory.home.is_open:
                raise leaked([tracer])
            value = memory.home.lift(value)
        require_usable(value)
        tracer.recording, tracer.value = value.recording, value.value
        tracer.variable, tracer.place = value.variable, value.place

    def value_of(self, x: Any) -> Any:
        """What a value returned by the function is, one recording further out."""
        if not isinstance(x, Tracer):
            return x
        require_usable(x)
        if x.recording.is_plain:
            return x.value.copy()
        return x.value if x.recording is self else x


class ProgramRecording(Recording):
    """Records a Program from types alone; the values stay unknown.

    Attributes:
        inputs: The Program's inputs so far.
        equations: The equations so far.
        holds_effects: Whether what is done for its effect waits for the Program to run, even where
            none of its inputs is traced. If not, the function is running on values as well, and
            it is done at once.
        layouts: For inputs whose elements do not lie in row-major order: an array that lies so, or
            `UNKNOWN`.
        row_major: The inputs of which it was asked how they lie, and taken that it is in this
            order, or whether they are arrays without axes, and taken that they are scalars: the
            Program holds for no others.
        recopied: The variables that stand for copies in an order of their own, too.
        made_by: What has made each variable, of as many equations as `looked_at` says.
        orders: The axes of variables in the order in which they lie in memory, as far as it was
            asked: see tracing/views.py.
    """

    def __init__(self, holds_effects: bool = True) -> None:
        super().__init__()
        self.holds_effects = holds_effects
        self.inputs: list[Variable] = []
        self.equations: list[Equation] = []
        self.layouts: dict[Variable, Any] = {}
        self.row_major: set[Variable] = set()
        self.recopied: set[Variable] = set()
        self.made_by: dict[Any, Equation] = {}
        self.orders: dict[Any, tuple[int, ...] | None] = {}
        self.looked_at = 0
        self._captured = ImmutableArrays()
        self._constants: dict[int, Constant] = {}  # by the copy that they hold
        self._handling_outside = numpy_warnings.handling()

    def input(self, type: ArrayType, layout: Any = None) -> Tracer:
        """A tracer for a new input of the Program.

        Args:
            type: Its type.
            layout: An array that lies in memory as it does; None for row-major order, as long as
                nobody says something else; `UNKNOWN` where it may lie in any way.
        """
        variable = Variable(type)
        self.inputs.append(variable)
        tracer = new_tracer(self, UNKNOWN, variable, user_place(2))
        if layout is not None:
            self.layouts[variable] = layout
            if layout is not UNKNOWN:
                tracer.memory = new_memory(layout)
        return tracer

    def atom(self, value: Any) -> Atom:
        """What stands for a value in the Program: its variable, or a constant."""
        if isinstance(value, Tracer):
            require_usable(value)
            if value.recording is self:
                return value.variable
            value = value.recording.as_constant(value)
        if type(value) is not int and (watch := watch_that_runs()) is not None:
            watch.look()
        if not isinstance(value, np.ndarray):
            return Constant(value)
        kept = self._captured.of(value)  # as it is now: its owner may write it later
        constant = self._constants.get(id(kept))
        if constant is None:
            constant = self._constants[id(kept)] = Constant(kept)
        return constant

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record one equation; its outputs are typed by the primitive's infer rule."""
        atoms = [
            x.variable if type(x) is Tracer and x.recording is self else self.atom(x)
            for x in inputs
        ]
        place = recorded_place(3)
        types = [atom.type for atom in atoms]
        try:
            inferred = primitive.infer(*types, **params)
        except FunctraceError as error:
            error.at(source_here(1))
            raise
        except (ValueError, TypeError, IndexError) as error:
            if is_users_error(error):
                error.add_note(f"in {primitive.name} of {_shown(types)}\n  at {source_here(1)}")
                raise
            raise explained(error, primitive, types) from error
        if not self.is_open:
            return again(primitive, inputs, params)
        if not primitive.has_plain_rules:
            _require_types(primitive, inferred)
        handling = numpy_warnings.handling()
        if handling is not self._handling_outside:
            handling -= self._handling_outside
        else:
            handling = NOTHING
        source = source_of(place)
        if primitive.multiple_outputs:
            variables = [Variable(type) for type in inferred]
            self.equations.append(Equation(primitive, atoms, params, variables, source, handling))
            outputs = tuple(new_tracer(self, UNKNOWN, variable, place) for variable in variables)
            if primitive.makes_views:
                share_parts(inputs[0], outputs, primitive, params)
            return outputs
        variable = Variable(inferred)
        self.equations.append(Equation(primitive, atoms, params, [variable], source, handling))
        output = new_tracer(self, UNKNOWN, variable, place)
        if primitive.makes_views:
            share_memory(inputs[0], output, primitive, params)
        return output

    def equations_by_output(self) -> dict[Any, Equation]:
        """What has made each variable."""
        for equation in self.equations[self.looked_at :]:
            self.made_by.update(dict.fromkeys(equation.outputs, equation))
        self.looked_at = len(self.equations)
        return self.made_by

    def is_array(self, atom: Atom) -> bool:
        """Whether a value is an array in NumPy, and no scalar.

        Inputs are taken to be scalars where nothing else is known, and this is noted.
        """
        made_by = self.equations_by_output()
        while not atom.type.shape:
            equation = made_by.get(atom)
            if isinstance(atom, Constant):
                return type(atom.value) is np.ndarray
            if equation is None:
                if atom not in self.layouts:
                    self.row_major.add(atom)
                return isinstance(self.layouts.get(atom), np.ndarray)
            primitive = equation.primitive
            is_part = primitive.multiple_outputs  # the elements of an array are scalars
            if (
                primitive.makes_arrays
                or is_part
                or not (primitive.makes_views or primitive.keeps_arrays)
            ):
                return primitive.makes_arrays
            atom = equation.inputs[0]
        return True

    def lift(self, value: Any) -> Tracer:
        """A tracer that stands for a constant: the output of an equation that copies it."""
        return self.record(PRIMITIVES["copy"], (value,), {})

    def program(self, outputs: Sequence[Any]) -> Program:
        """The Program from the inputs to these outputs."""
        return Program(self.inputs, self.equations, [self.atom(x) for x in outputs])


def _require_types(primitive: Primitive, inferred: Any) -> None:
    """Check what the infer rule of a primitive returned."""
    types: Any = inferred if primitive.multiple_outputs else (inferred,)
    if isinstance(types, list | tuple) and all(isinstance(type, ArrayType) for type in types):
        return
    wanted = "a tuple of ArrayTypes, one for each output" if primitive.multiple_outputs else ""
    wanted = wanted or "the ArrayType of its output"
    raise PrimitiveError(
        f"The infer rule of {primitive.name!r} returned {inferred!r:.80}; expected {wanted}.",
        source_here(2),
        "Return functrace.extend.ArrayType(shape, dtype).",
    )


def as_scalar_result(x: Any) -> Any:
    """A derivative without axes as a scalar, or noted as one in a Program; all else as it is."""
    if type(x) is np.ndarray and not x.shape:
        return x[()]
    known = x
    while type(known) is Tracer and known.value is not UNKNOWN:
        known = known.value
    if type(known) is Tracer and not known.shape:
        known.variable.is_scalar = True
    return x


def recording_of_effects() -> ProgramRecording | None:
    """The innermost running recording whose Program is to have the effects; None if none runs."""
    recording = _running.get()
    while recording is not None:
        if isinstance(recording, ProgramRecording) and recording.holds_effects:
            return recording
        recording = recording.around
    return None


def identity_of(tracer: Tracer) -> Any:
    """What two tracers for the same value have in common."""
    variable = tracer.variable
    if isinstance(variable, int | Variable):
        return tracer.recording.birth, variable
    # In forward mode it is a tangent, which x and x + 1 share.
    return tracer.recording.birth, id(tracer.value), id(variable)


def youngest_birth(values: Iterable[Any]) -> int:
    """The birth of the youngest recording among traced values; 0 if nothing is traced."""
    return max((x.recording.birth for x in values if isinstance(x, Tracer)), default=0)


# Memory: which traced arrays are views of one another. What a write into one of them means to the
# others is told in tracing/views.py.


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

    views: list[ref[Tracer]]
    most: int
    layout: Any
    home: Recording | None

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


def _copied_in(value: Any, order: Any) -> Any:
    """A value that is known, as a copy in this order of memory; the same where it lies so."""
    if type(value) is Tracer:
        return value.copy(order)
    if type(value) is not np.ndarray:
        return value
    flags = value.flags
    lies = {"C": flags.c_contiguous, "F": flags.f_contiguous}.get(order, flags.forc)
    return value if lies else value.copy(order)


def share_memory(
    base: Any,
    view: Tracer,
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
        if type(view) is Tracer and view.shape:
            share_memory(base, view, primitive, params, part)


def again(primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply a primitive to tracers of which one belongs to a recording that has ended.

    Raises:
        LeakedTracerError: That tracer stands for nothing any more.
    """
    for x in inputs:
        if type(x) is Tracer:
            require_usable(x)
    return bind(primitive, *inputs, **params)


def leaked(inputs: Sequence[Any]) -> LeakedTracerError:
    """The error for an operation on a tracer whose recording has ended."""
    for x in inputs:
        if isinstance(x, Tracer) and not x.recording.is_open:
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


def written_within(tracer: Tracer) -> LeakedTracerError:
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


def require_usable(tracer: Tracer) -> None:
    """See that a tracer stands for what its array holds now.

    Raises:
        LeakedTracerError: Its transformation has ended.
        ViewWriteError: Its memory was changed, perhaps, by another array.
    """
    if not tracer.recording.is_open:
        tracer.recording.settle(tracer)


def plain(x: Any) -> Any:
    """A value that stands for a plain array as that array; any other as it is."""
    if type(x) is not Tracer:
        return x
    require_usable(x)
    return x.value if x.recording.is_plain else x


def require_further_out(outputs: Sequence[Any], recording: Recording) -> None:
    """Check that a custom function used no value of the recording that called it.

    Raises:
        CustomRuleError: It did: that value is differentiated, and the rule cannot know of it.
    """
    for x in outputs:
        if isinstance(x, Tracer) and x.recording is recording:
            raise CustomRuleError(
                f"A function with derivative rules of its own used a differentiated {x.type} that "
                "is none of its arguments; its rules cannot know of it.",
                source_of(user_place(3)),
                "Pass the value as an argument.",
            )


# The tables of implementations: what a NumPy function does with tracers

UFUNCS: dict[np.ufunc, Primitive | Callable[..., Any]] = {}
"""For each ufunc, the primitive (or the function of primitives) that it means."""

UFUNC_METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {}
"""For methods such as ``np.add.reduce``, the function that it means."""

NAMED_UFUNCS: dict[str, Primitive | Callable[..., Any]] = {}
"""Ufuncs of other packages (``scipy.special.expit``) by name: they need not be installed."""

FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""For each NumPy function that is no ufunc, an implementation with the same signature.

Besides NumPy's functions: ``operator.getitem`` and ``operator.setitem``; ``setattr`` for the
attribute ``shape``; ``np.flatiter`` for ``flat``; and ``np.ufunc`` for ufuncs' methods and
keywords, called with the ufunc, the method's name, the inputs and the keywords.
"""

_WITHOUT_OUT: dict[Callable[..., Any], Callable[..., Any]] = {}
"""The same, without a look for an argument ``out``: for calls with one or two arguments by
position and none of that name, which are most."""

E = TypeVar("E", bound=FunctraceError)
F = TypeVar("F", bound=Callable[..., Any])


def implements(*functions: Callable[..., Any]) -> Callable[[F], F]:
    """Enter a function as what NumPy's functions mean on tracers.

    The implementation has the signature of NumPy's function and calls `bind`, or other NumPy
    functions, on its arguments; it is also called where only a nested list holds a tracer. That
    of a ufunc is called with the ufunc's operands.
    """

    def enter(implementation: F) -> F:
        for function in functions:
            if isinstance(function, np.ufunc):
                UFUNCS[function] = implementation
            else:
                FUNCTIONS[function] = _writing_out(implementation)
                _WITHOUT_OUT[function] = (
                    FUNCTIONS[function] if _place_of_out(implementation) < 2 else implementation
                )
        return implementation

    return enter


def _place_of_out(implementation: Callable[..., Any]) -> float:
    """The position of the argument ``out``; infinite where it is given by keyword or not at all."""
    code: CodeType | None = getattr(inspect.unwrap(implementation), "__code__", None)
    named = code.co_varnames[: code.co_argcount] if code else ()
    return named.index("out") if "out" in named else math.inf


def _writing_out(implementation: Callable[..., Any]) -> Callable[..., Any]:
    """An implementation that writes its result into a traced array that is its argument ``out``."""
    code: CodeType | None = getattr(inspect.unwrap(implementation), "__code__", None)
    if code is None or "out" not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return implementation
    position = _place_of_out(implementation)

    @wraps(implementation)
    def call(*args: Any, **options: Any) -> Any:
        is_by_position = len(args) > position
        out = args[int(position)] if is_by_position else options.get("out")
        if type(out) is not Tracer:
            return implementation(*args, **options)
        if is_by_position:
            args = (*args[: int(position)], None, *args[int(position) + 1 :])
        else:
            options["out"] = None
        return out.receive(implementation(*args, **options))

    return call


def implements_named(*names: str) -> Callable[[F], F]:
    """As `implements`, for NumPy functions that only some of its versions have."""
    return implements(*(getattr(np, name) for name in names if hasattr(np, name)))


_PLAIN_SCALARS: set[type] = {bool, int, float, complex} | {
    np.dtype(code).type for code in "?bhilqBHILQefdgFDG"
}


def _is_plain(x: Any) -> bool:
    """Whether an operand can be bound as it is."""
    kind = type(x)
    if kind is np.ndarray:
        return x.dtype.kind in "biufc"
    return kind in _PLAIN_SCALARS or isinstance(x, Tracer)


def as_operand(x: Any) -> Any:
    """An operand of an array operation: arrays, scalars and tracers as they are, lists as arrays.

    Raises:
        OperandError: It is no array of numbers.
        ArrayConversionError: It is a list that holds a traced value.
    """
    if _is_plain(x):
        return x
    plain = cast("Sequence[Any]", (bool, int, float, complex))
    for python in plain:
        if isinstance(x, python) and not isinstance(x, np.generic):
            return np.asarray(python(x))[()]  # for NumPy a subclass, as IntEnum, is not weak
    try:
        array: Any = x if isinstance(x, np.ndarray | np.generic) else np.asarray(x)
    except (ValueError, TypeError) as error:
        if isinstance(error, FunctraceError) or is_users_error(error):
            raise
        raise OperandError(
            f"A {type(x).__qualname__} is no array of numbers: {error}", source_of(user_place(2))
        ) from error
    if array.dtype.kind not in "biufc":
        raise OperandError(
            f"An operand of type {type(x).__qualname__} and dtype {array.dtype} is no array of "
            "numbers.",
            source_of(user_place(2)),
        )
    if isinstance(x, np.ma.MaskedArray | np.matrix):
        raise _not_ordinary(type(x))
    return np.asarray(array)


def _not_ordinary(kind: type) -> OperandError:
    """The error for arrays whose operations mean something else than those of `numpy.ndarray`."""
    return OperandError(
        f"A {kind.__qualname__} met a traced value; it is not an ordinary array.",
        source_of(user_place(2)),
        "Convert it first: np.asarray(x), or x.filled(0) where masked elements count as zeros.",
    )


def apply_ufunc(ufunc: np.ufunc, *inputs: Any) -> Any:
    """Apply a ufunc to operands of which at least one is traced."""
    implementation = UFUNCS.get(ufunc)
    if implementation is None:
        implementation = NAMED_UFUNCS.get(ufunc.__name__)
        if implementation is None:
            raise unsupported(f"{ufunc.__name__}")
    if isinstance(implementation, Primitive):
        return bind(implementation, *inputs)
    return implementation(*inputs)


def unsupported(name: str) -> UnsupportedFunctionError:
    """The error for a function that has no implementation on tracers."""
    return UnsupportedFunctionError(
        f"{name} was called on a traced value, and functrace has no rule for it.",
        source_of(user_place(2)),
        remedy_for("", name),
    )


def _operator(ufunc: np.ufunc, x: Any, y: Any) -> Any:
    """A binary operator of Python; it leaves operands that are no arrays to the other side."""
    if not _is_plain(y):
        # Some have operations of their own.
        if _has_operators(y) or _is_repeated(ufunc, x, y):
            return NotImplemented
        if _is_unlike_numbers(y) and ufunc in (np.equal, np.not_equal) and x.is_array:
            return np.full(x.shape, ufunc is np.not_equal)[()]
        try:
            y = as_operand(y)
        except OperandError:
            if isinstance(y, np.ndarray):
                raise
            return NotImplemented
    implementation = UFUNCS[ufunc]
    if isinstance(implementation, Primitive):
        return bind(implementation, x, y)
    return implementation(x, y)


def _has_operators(x: Any) -> bool:
    """Whether NumPy's arrays leave their operators to an object, even if it can be one of them."""
    if isinstance(x, NDArrayOperatorsMixin):
        return True
    if hasattr(x, "__array_ufunc__"):
        return x.__array_ufunc__ is None
    return getattr(x, "__array_priority__", -1.0) > 0.0


def _is_unlike_numbers(x: Any) -> bool:
    """Whether an object, such as None, differs from every element of an array."""
    return isinstance(x, str | bytes) or type(x).__eq__ is object.__eq__


def _is_repeated(ufunc: np.ufunc, x: Any, y: Any) -> bool:
    """Whether a product is one of a whole number and a list: ``n * [0]`` is n zeros."""
    is_sequence = ufunc is np.multiply and type(y) in (list, tuple, str)
    return is_sequence and not x.shape and x.dtype.kind in "biu"


def _reflected(ufunc: np.ufunc, x: Any, y: Any) -> Any:
    """A binary operator whose left operand is no tracer."""
    if type(y) not in _PLAIN_SCALARS:
        if _is_repeated(ufunc, x, y):
            return NotImplemented
        try:
            y = as_operand(y)
        except OperandError:
            if isinstance(y, np.ndarray):
                raise
            return NotImplemented
    implementation = UFUNCS[ufunc]
    if isinstance(implementation, Primitive):
        return x.recording.record(implementation, (y, x), {})
    return implementation(y, x)


def _operators(ufunc: np.ufunc, name: str) -> Any:
    """The methods for a binary operator: with the tracer on the left, on the right, and in place.

    Args:
        ufunc: What the operator means.
        name: The name of the methods, as ``add`` is of ``__add__``.
    """

    def left(self: Tracer, other: Any) -> Any:
        try:
            kind = type(other)
            if (
                other.recording is self.recording
                if kind is Tracer
                else kind in _PLAIN_SCALARS or (kind is np.ndarray and other.dtype.kind in "biufc")
            ):  # what `_operator` would find, sooner
                primitive = UFUNCS[ufunc]
                if isinstance(primitive, Primitive):
                    return self.recording.record(primitive, (self, other), {})
            return _operator(ufunc, self, other)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def right(self: Tracer, other: Any) -> Any:
        try:
            return _reflected(ufunc, self, other)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def in_place(self: Tracer, other: Any) -> Any:
        try:
            result = _operator(ufunc, self, other)
            return self._changed(result)  # pyright: ignore[reportPrivateUsage]
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    return _named(left, name), _named(right, f"r{name}"), _named(in_place, f"i{name}")


def _unary(ufunc: np.ufunc, name: str) -> Any:
    """The method for an operator of one operand, as `_operators` makes those of two."""

    def operator(self: Tracer) -> Any:
        try:
            primitive = UFUNCS[ufunc]
            if isinstance(primitive, Primitive):
                return self.recording.record(primitive, (self,), {})
            return primitive(self)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    return _named(operator, name)


def _named(method: Any, name: str) -> Any:
    """A method of tracers under its name, by which messages and profiles tell it: by its code."""
    own = f"__{name}__"
    method.__name__, method.__qualname__ = own, f"Tracer.{own}"
    method.__code__ = method.__code__.replace(co_name=own, co_qualname=f"Tracer.{own}")
    return method


def at_entrance(error: Exception) -> None:
    """Take functrace's own frames out of the traceback of an error that is about to leave it.

    Within a transformation that is for the transformation to do, which needs to see them; but a
    tracer that has leaked is used outside of the one that it is of. Called as
    `leave_out_own_frames` is; to be ready for it costs nothing.
    """
    if isinstance(error, LeakedTracerError) or not is_recording():
        leave_out_own_frames(error)


def entrance(function: F) -> F:
    """The same function, whose errors leave functrace without its frames: see `at_entrance`.

    Messages tell what the user wrote by the first frame of functrace's after this one.
    """

    def called(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except Exception as error:
            at_entrance(error)
            raise

    return cast("F", update_wrapper(called, function))


_ENTRANCE = entrance(len).__code__


def entrances(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The public functions that a module defines, each as an `entrance`."""
    return {
        name: entrance(value)
        for name, value in namespace.items()
        if inspect.isfunction(value)
        and value.__module__ == namespace["__name__"]
        and not name.startswith("_")
    }


@final
class Tracer:
    """A traced array. It behaves as the array that it stands for, and records what is done to it.

    Attributes:
        recording: The recording to which it belongs.
        value: Its value, one recording further out, or `UNKNOWN`.
        variable: What its recording knows it by.
        place: Where it was made, for messages.
        memory: Shared with its views, once it has any. Only arrays have it: of those without axes
            it tells the arrays, which are written in place, from the scalars.
        base: The traced array of which it is a view, if it is one.
        made_by: The primitive (or function) that made the view from ``base``, its parameters, and
            the number of the output, which is None for what `numpy.ravel` makes.
    """

    __slots__ = (
        "__weakref__", "base", "made_by", "memory", "place", "recording", "value", "variable",
    )  # fmt: skip

    # NumPy's scalars and arrays leave binary operators to __array_ufunc__ below.

    # It has no __init__, which would take as long as all else that makes it: see `new_tracer`.
    recording: Recording
    value: Any
    variable: Any
    place: Place | None
    memory: Memory | None
    base: Tracer | None
    made_by: Any

    # What is known of it

    @property
    def type(self) -> ArrayType:
        """Shape, dtype and weakness."""
        return self.variable.type if self.value is UNKNOWN else type_of(self.value)

    @property
    def shape(self) -> Shape:
        """The lengths of the axes; another shape may be assigned."""
        value = self.value
        return self.variable.type.shape if value is UNKNOWN else getattr(value, "shape", ())

    @shape.setter
    def shape(self, shape: Any) -> None:
        FUNCTIONS[setattr](self, shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that the value has in NumPy."""
        value = self.value
        if value is UNKNOWN:
            return self.variable.type.dtype
        return value.dtype if hasattr(value, "dtype") else WEAK_DTYPES[type(value)]

    @property
    def is_array(self) -> bool:
        """Whether it is an array in NumPy, and no scalar."""
        if self.shape or self.memory is not None:
            return True
        innermost = self
        while type(innermost.value) is Tracer:
            innermost = innermost.value
        if isinstance(innermost.recording, ProgramRecording):
            return innermost.memory is not None or innermost.recording.is_array(innermost.variable)
        return type(innermost.value) is np.ndarray

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.type.size

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """With the axes in reverse order."""
        return FUNCTIONS[np.transpose](self)

    @property
    def mT(self) -> Any:  # noqa: N802  (NumPy's name)
        """With the last two axes swapped."""
        if self.ndim < 2:
            raise ShapeMismatchError(
                f"mT needs two axes or more, not shape {self.shape}.", source_of(user_place(1))
            )
        return FUNCTIONS[np.swapaxes](self, -1, -2)

    @property
    def real(self) -> Any:
        """The real part, which may be assigned."""
        return FUNCTIONS[np.real](self)

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        """The imaginary part, which may be assigned."""
        return FUNCTIONS[np.imag](self)

    @imag.setter
    def imag(self, value: Any) -> None:
        self.imag[...] = value

    @property
    def flat(self) -> Any:
        """Its elements in row-major order, to be read and written by their numbers."""
        return FUNCTIONS[np.flatiter](self)

    @flat.setter
    def flat(self, value: Any) -> None:
        self.flat[:] = value

    # Python asks for the value

    def _refused(self, error: E, place: Place | None) -> E:
        """An error that a request gets, noted for where NumPy hides it behind its own."""
        self.recording.refusal = Refusal(error, place)
        return error

    def _known(self, request: str, advice: str | Callable[[Place | None], str] = NUMBERS) -> Any:
        require_usable(self)
        if self.value is UNKNOWN:
            place = user_place(2)
            names = " and ".join(f"`{name}`" for name in _names_behind(self))
            error = UnknownValueError(
                f"{request} needs the value of a traced {self.type}"
                f"{f' that depends on {names}' if names else ''}, of which only shape and dtype "
                f"are known{_quoted(place)}. It was made at {source_of(self.place)}.",
                source_of(place),
                advice if isinstance(advice, str) else advice(place),
            )
            raise self._refused(error, place)
        return self.value

    def _number(
        self,
        request: str,
        advice: str | Callable[[Place | None], str] = NUMBERS,
        lost: str | None = None,
    ) -> Any:
        """The value, where making it a Python number loses no derivative."""
        place = user_place(2)
        require_usable(self)
        is_refused = self.value is UNKNOWN or self.type.is_inexact
        if not self.recording.is_plain and (
            stores_an_item(place) or (is_refused and writes_by_method(place))
        ):
            raise self._refused(written_into_an_array(self.type, place), place)
        value = self._known(request, advice)
        if self.type.is_inexact and not self.recording.is_plain:
            error = LostDerivativeError(
                f"{request} would turn a traced {self.type} into a plain number, and its "
                "derivative would be lost.",
                source_of(place),
                lost or advice_on_number(place, LostDerivativeError.advice),
            )
            raise self._refused(error, place)
        return value

    def __bool__(self) -> bool:
        return bool(self._known("bool()", advice_on_branch))

    def __float__(self) -> float:
        return float(self._number("float()", advice_on_number))

    def __complex__(self) -> complex:
        return complex(self._number("complex()"))

    def __int__(self) -> int:
        return int(self._whole("int()"))

    def __trunc__(self) -> int:
        return int(self._whole("trunc()"))

    def __floor__(self) -> int:
        return int(np.floor(self._whole("floor()")))

    def __ceil__(self) -> int:
        return int(np.ceil(self._whole("ceil()")))

    def _whole(self, request: str) -> Any:
        """The innermost known value: a whole number has no derivative that could be lost."""
        value = self._known(request)
        return value._whole(request) if isinstance(value, Tracer) else value

    def __index__(self) -> int:
        return operator.index(self._number("An index", advice_on_index, INTEGERS))

    @property
    def at(self) -> NoReturn:
        """Refuse: what JAX writes so is written as an assignment here."""
        found = expression_at(user_place(1))
        name = "x"
        if isinstance(found, ast.Attribute):
            name = ast.unparse(found.value)
        raise AttributeError(
            f"A traced array has no 'at': it is written as an array of NumPy's.\n"
            f"  at {source_of(user_place(1))}\n"
            f"  For y = {name}.at[index].set(value) write y = {name}.copy(), then "
            "y[index] = value; for .add(value) y[index] += value, or np.add.at(y, index, value) "
            "where indices repeat."
        )

    def item(self, *index: Any) -> Any:
        """Refuse: a Python number cannot carry the derivative. Integers that are known pass."""
        value = self._number("item()")
        return value.item(*index) if isinstance(value, np.ndarray | np.generic) else value

    def tolist(self) -> Any:
        """The rows as nested lists of traced scalars."""
        if self.recording.is_plain:
            return self.value.tolist()
        return [row.tolist() if row.ndim else row for row in self] if self.ndim else self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        place = user_place(1)
        try:
            require_usable(self)
        except LeakedTracerError as error:
            at_entrance(error)
            raise
        if self.recording.is_plain:
            return self.recording.as_array(self, dtype, copy)
        if stores_an_item(place) or writes_by_method(place):
            raise self._refused(written_into_an_array(self.type, place), place)
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if caller.f_code.co_filename == _MASKED_ARRAYS:
            raise _not_ordinary(np.ma.MaskedArray)
        # From None: NumPy's functions try again in another way, and would show it twice.
        raise self._refused(self._not_converted(caller, place), place) from None

    def _not_converted(self, caller: Any, place: Place | None) -> FunctraceError:
        """The error where an ordinary array would be made, by what the user called for it."""
        where = source_of(place)
        expression = expression_at(place)
        offered = _offered(expression, place)
        everywhere = f"Write `{offered}`, which takes traced values everywhere, in lists too."
        library = _library_function(caller)
        if library is not None:
            package, name = library
            who = package if "<locals>" in name else f"{package}'s {name}"
            if name in ("fill_diagonal", "place", "put_along_axis"):
                return written_into_an_array(self.type, place)
            what = f"{who} makes an ordinary array of a traced {self.type}, and "
            top = name.partition(".")[0]
            if package == "numpy" and self._is_length_of(top):
                return self._unknown_length(f"np.{top}", place)
            if package == "numpy" and (top in _CLASSES or getattr(np, top, None) in FUNCTIONS):
                return UnsupportedFunctionError(
                    f"{what}NumPy does not hand this argument over to functrace.",
                    where,
                    f"Write functrace.numpy.{top}, which takes traced values everywhere.",
                )
            if offered is not None:
                what = f"{what}NumPy does not look for traced values there."
                return UnsupportedFunctionError(what, where, everywhere)
            what = f"{what}functrace has no rule for it."
            if "<locals>" in name and isinstance(expression, ast.Call):  # of a decorator
                name = ast.unparse(expression.func)
            bare = name.rpartition(".")[2]
            remedy = remedy_for(package, name)
            if package == "scipy" and getattr(np.linalg, bare, None) in FUNCTIONS:
                remedy = f"Write np.linalg.{bare}, which takes traced values."
            return UnsupportedFunctionError(what, where, remedy)
        called = ast.unparse(expression.func) if isinstance(expression, ast.Call) else ""
        if self._is_length_of(called.rpartition(".")[2]):
            return self._unknown_length(called, place)
        if offered is not None:
            return ArrayConversionError(
                f"{offered.partition('(')[0].removeprefix('functrace.')} was given a traced "
                f"{self.type} where NumPy does not look for one, such as in a list.",
                where,
                everywhere,
            )
        if reads_an_item(place):
            found = expression_at(place)
            array, index = "array", "index"
            if isinstance(found, ast.Subscript):
                array, index = ast.unparse(found.value), index_written(found)
            if self.dtype.kind == "b" and self.shape:
                return ArrayConversionError(
                    f"An ordinary NumPy array is indexed by a traced {self.type}, a mask.",
                    where,
                    f"In place of {array}[{index}] keep the shape and choose the values, as in "
                    f"np.where({index}, {array}, 0): how many there are is not known.",
                )
            return ArrayConversionError(
                f"An ordinary NumPy array is indexed by a traced {self.type}.",
                where,
                f"In place of {array}[{index}] write functrace.numpy.asarray({array})[{index}], or "
                "give the array to the function as an argument, so that it is traced too.",
            )
        if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
            method = expression.func.attr
            if hasattr(np.ndarray, method):
                return self._given_to_a_method(method, expression, place)
        return ArrayConversionError(
            f"np.array() or np.asarray() was given a traced {self.type}, or a list that holds one.",
            where,
        )

    def _is_length_of(self, function: str) -> bool:
        return function in _SIZED and self.value is UNKNOWN and not self.shape

    def _unknown_length(self, called: str, place: Place | None) -> UnknownValueError:
        return UnknownValueError(
            f"{called} needs the value of a traced {self.type}, of which only shape and dtype are "
            f"known{_quoted(place)}.",
            source_of(place),
            LENGTHS,
        )

    def _given_to_a_method(
        self, method: str, call: ast.Call, place: Place | None
    ) -> ArrayConversionError:
        """The error where a method of an ordinary array, such as ``A.dot(t)``, got a tracer."""
        array = ast.unparse(cast("ast.Attribute", call.func).value)
        operands = ", ".join(map(ast.unparse, call.args))
        instead = f"functrace.numpy.{method}({array}, {operands})"
        frame = frame_of(place)
        operand = value_of(call.args[0], frame) if frame is not None and call.args else None
        if method == "dot" and isinstance(operand, Tracer):
            instead = f"{array} @ {operands}, or {instead}"
        return ArrayConversionError(
            f"The method {method} of an ordinary NumPy array was given a traced {self.type}.",
            source_of(place),
            f"In place of {array}.{method}({operands}) write {instead}.",
        )

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("len() of unsized object")
        return shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return self._rows() if len(self.shape) == 1 else map(self.__getitem__, range(len(self)))

    def _rows(self) -> Iterator[Any]:
        """The elements, taken at once: a derivative for each of them alone would cost a pass."""
        recording, variable, value = self.recording, self.variable, self.value
        rows = bind(PRIMITIVES["unstack"], self, axis=0) if len(self) else ()
        for index, row in enumerate(rows):
            # An array that is written meanwhile gives the elements that it has then.
            is_written = (
                self.variable is not variable
                or self.value is not value
                or self.recording is not recording
            )
            yield self[index] if is_written else row

    def __contains__(self, x: Any) -> bool:
        return bool(FUNCTIONS[np.any](self == x))

    def __repr__(self) -> str:
        if self.recording.is_plain:
            return repr(self.value)
        value = "" if self.value is UNKNOWN else f", value={self.value!r}"
        return f"Tracer({self.type}{value})"

    def __str__(self) -> str:
        return str(self.value) if self.recording.is_plain else repr(self)

    def __format__(self, specification: str) -> str:
        if not specification or self.value is UNKNOWN:
            return str(self)
        return format(self.value, specification)

    def __hash__(self) -> int:  # none, as arrays: == compares element by element
        raise OperandError(
            f"A traced {self.type} has no hash: it can be no key of a dict, no element of a set, "
            "and no argument of a function that keeps its results.",
            source_of(user_place(2)),
            "Use what is known while the function is recorded as a key: a name, a position, an "
            "argument named by static_argnums. For a table of numbers write "
            "functrace.numpy.asarray(table)[index].",
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        require_usable(self)
        if self.recording.is_plain:
            return self.value.__reduce_ex__(protocol)
        raise LostDerivativeError(
            f"Pickling would turn a traced {self.type} into plain data, and its derivative would "
            "be lost.",
            source_of(user_place(1)),
            "Pickle what the transformation returns, or functrace.stop_gradient(x). Another "
            "process cannot take part in a transformation.",
        )

    def __copy__(self) -> Tracer:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tracer:
        return self.copy()

    def copy(self, order: Any = "C") -> Tracer:
        """The same values in memory of their own."""
        require_usable(self)
        value = self.value
        if self.recording.is_plain:
            return new_tracer(self.recording, value.copy(order), None)
        shape = self.shape
        if shape and value is not UNKNOWN:
            value = _copied_in(value, order)
        result = new_tracer(self.recording, value, self.variable, self.place)
        if not shape:
            if self.memory is not None:
                result.memory = new_memory()  # an array without axes, as this is
        elif (
            order in ("C", "F")
            and len(shape) > 1
            and min(shape) >= 0  # a stack whose length a loop has yet to tell is no user's array
            and type(value) is not np.ndarray
        ):
            result.memory = new_memory(np.empty(shape, bool, order))
            if isinstance(self.recording, ProgramRecording):
                self.recording.recopied.add(self.variable)
                self.recording.orders.pop(self.variable, None)
        return result

    def twin(self) -> Tracer:
        """The same values in memory of their own, in which they lie as here."""
        if self.recording.is_plain:
            return self.copy("K")
        require_usable(self)
        result = new_tracer(self.recording, self.value, self.variable, self.place)
        if self.memory is None:
            return result
        if not self.shape:
            result.memory = new_memory()  # an array without axes, as this is
        elif self.base is None and self.memory.layout is not None:
            result.memory = new_memory(self.memory.layout)
        return result

    # Operators. Changes in place: the tracer comes to stand for another variable.

    __add__, __radd__, __iadd__ = _operators(np.add, "add")
    __sub__, __rsub__, __isub__ = _operators(np.subtract, "sub")
    __mul__, __rmul__, __imul__ = _operators(np.multiply, "mul")
    __truediv__, __rtruediv__, __itruediv__ = _operators(np.true_divide, "truediv")
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operators(np.floor_divide, "floordiv")
    __mod__, __rmod__, __imod__ = _operators(np.remainder, "mod")
    _pow, _rpow, __ipow__ = _operators(np.power, "pow")
    __matmul__, __rmatmul__, __imatmul__ = _operators(np.matmul, "matmul")
    __and__, __rand__, __iand__ = _operators(np.bitwise_and, "and")
    __or__, __ror__, __ior__ = _operators(np.bitwise_or, "or")
    __xor__, __rxor__, __ixor__ = _operators(np.bitwise_xor, "xor")
    __lshift__, __rlshift__, __ilshift__ = _operators(np.left_shift, "lshift")
    __rshift__, __rrshift__, __irshift__ = _operators(np.right_shift, "rshift")
    __lt__ = _operators(np.less, "lt")[0]
    __le__ = _operators(np.less_equal, "le")[0]
    __gt__ = _operators(np.greater, "gt")[0]
    __ge__ = _operators(np.greater_equal, "ge")[0]
    __eq__ = _operators(np.equal, "eq")[0]
    __ne__ = _operators(np.not_equal, "ne")[0]

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, other: Any) -> Any:
        try:
            if self.value is UNKNOWN:
                if self.variable.type.dtype.kind == "b":
                    if type(other) is int and other == 2 and self.shape:
                        return apply_ufunc(np.square, self)  # as NumPy's operator does: an int8
                    return _operator(np.power, _as_base(self, other), other)
                if type(other) is int and other < 0 and self.variable.type.weak:
                    other = float(other)  # 2 ** -1 is a float in Python
            return self._pow(other)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def __rpow__(self, other: Any) -> Any:
        try:
            return self._rpow(_as_base(other, self))
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    __neg__ = _unary(np.negative, "neg")
    __pos__ = _unary(np.positive, "pos")
    __abs__ = _unary(np.absolute, "abs")
    __invert__ = _unary(np.invert, "invert")

    def __round__(self, digits: int | None = None) -> Any:
        if digits is None:
            return round(self._whole("round()"))
        return FUNCTIONS[np.round](self, digits)

    def _changed(self, result: Any) -> Any:
        """What an operator such as ``+=`` leaves behind: scalars do not change in place."""
        return result if result is NotImplemented or not self.is_array else self.receive(result)

    def receive(self, result: Any) -> Tracer:
        """Be written with a result, as the argument ``out`` of NumPy's functions is."""
        FUNCTIONS[operator.setitem](self, ..., self._fitted(result))
        return self

    def _fitted(self, result: Any) -> Tracer:
        """A result in this array's shape and dtype, as writing it in place would give."""
        if result.shape != self.shape:
            raise ShapeMismatchError(
                f"A result of shape {result.shape} does not fit into the traced array of shape "
                f"{self.shape} that is changed in place.",
                source_of(user_place(3)),
            )
        if result.dtype != self.dtype:
            if not np.can_cast(result.dtype, self.dtype, "same_kind"):
                raise OperandError(
                    f"A result of dtype {result.dtype} does not fit into the traced array of "
                    f"dtype {self.dtype} that is changed in place.",
                    source_of(user_place(3)),
                )
            result = result.astype(self.dtype)
        return result

    def __setitem__(self, index: Any, value: Any) -> None:
        try:
            FUNCTIONS[operator.setitem](self, index, value)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def __getitem__(self, index: Any) -> Any:
        try:
            return FUNCTIONS[operator.getitem](self, index)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        recording = self.recording
        if recording.is_plain:
            result = recording.call(getattr(ufunc, method), inputs, options)
            if result is not NotImplemented:
                return result
        if method != "__call__" or options:
            try:
                return FUNCTIONS[np.ufunc](ufunc, method, inputs, options)
            except LeakedTracerError as error:
                at_entrance(error)
                raise
        is_alone = True
        for x in inputs:
            if x is self:
                continue
            if type(x) is Tracer:
                is_alone = is_alone and x.recording is recording
            elif type(x) not in _PLAIN_SCALARS and not _is_plain(x):
                if isinstance(x, NDArrayOperatorsMixin):
                    return NotImplemented
                if x is None and ufunc in (np.equal, np.not_equal):
                    return np.full(self.shape, ufunc is np.not_equal)[()]
                inputs = tuple(map(as_operand, inputs))
        primitive = UFUNCS.get(ufunc)
        if (
            type(self.value) is not np.ndarray
            and getattr(primitive, "keeps_weak", False)
            and all(map(_is_weak, inputs))
        ):
            inputs = (_number(inputs[0]), *inputs[1:])
        if ufunc is np.power:
            inputs = (_as_base(*inputs), inputs[1])
        try:
            if is_alone and isinstance(primitive, Primitive):
                result = recording.record(primitive, inputs, {})  # what bind would find
            else:
                result = apply_ufunc(ufunc, *inputs)
        except LeakedTracerError as error:
            at_entrance(error)
            raise
        return strong(result) if type(result) is Tracer else result

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> Any:
        if self.recording.is_plain:
            result = self.recording.call(function, arguments, options)
            if result is not NotImplemented:
                return result
        table = FUNCTIONS if len(arguments) > 2 or "out" in options else _WITHOUT_OUT
        implementation = table.get(function)
        if implementation is None:
            module = getattr(function, "__module__", "numpy")
            raise unsupported(f"{module}.{function.__name__}")
        try:
            return implementation(*arguments, **options)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    # Methods of arrays, which mean NumPy's functions

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """As `numpy.all`."""
        return FUNCTIONS[np.all](self, axis, out, keepdims)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """As `numpy.any`."""
        return FUNCTIONS[np.any](self, axis, out, keepdims)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        """As `numpy.argmax`."""
        return FUNCTIONS[np.argmax](self, axis, out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        """As `numpy.argmin`."""
        return FUNCTIONS[np.argmin](self, axis, out, keepdims=keepdims)

    def argsort(
        self, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
    ) -> Any:
        """As `numpy.argsort`."""
        return FUNCTIONS[np.argsort](self, axis, kind, order, stable=stable)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
        copy: bool = True,
    ) -> Any:  # fmt: skip
        """As `numpy.ndarray.astype`."""
        if not np.can_cast(self.dtype, np.dtype(dtype), casting):
            raise OperandError(
                f"Cannot cast a traced {self.type} to {np.dtype(dtype)} by the rule {casting!r}.",
                source_of(user_place(1)),
            )
        return FUNCTIONS[np.astype](self, dtype, copy=copy)

    def choose(self, choices: Any, out: Any = None, mode: str = "raise") -> Any:
        """As `numpy.choose`."""
        return FUNCTIONS[np.choose](self, choices, out, mode)

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:
        """As `numpy.clip`."""
        return FUNCTIONS[np.clip](self, min, max, out)

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """As `numpy.compress`."""
        return FUNCTIONS[np.compress](condition, self, axis, out)

    def conj(self) -> Any:
        """As `numpy.ndarray.conj`: of a real array the array itself."""
        return apply_ufunc(np.conjugate, self) if self.dtype.kind == "c" else self

    conjugate = conj

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """As `numpy.cumsum`."""
        return FUNCTIONS[np.cumsum](self, axis, dtype, out)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """As `numpy.diagonal`."""
        return FUNCTIONS[np.diagonal](self, offset, axis1, axis2)

    def dot(self, b: Any, out: Any = None) -> Any:
        """As `numpy.dot`."""
        return FUNCTIONS[np.dot](self, b, out)

    def fill(self, value: Any) -> None:
        """As `numpy.ndarray.fill`."""
        self[...] = value

    def flatten(self, order: str = "C") -> Any:
        """A copy with one axis."""
        return FUNCTIONS[np.ravel](self, order).copy()

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """As `numpy.max`."""
        return FUNCTIONS[np.max](self, axis, out, keepdims, **options)

    def mean(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.mean`."""
        return FUNCTIONS[np.mean](self, axis, dtype, out, keepdims, **options)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """As `numpy.min`."""
        return FUNCTIONS[np.min](self, axis, out, keepdims, **options)

    def nonzero(self) -> Any:
        """As `numpy.nonzero`."""
        return FUNCTIONS[np.nonzero](self)

    def prod(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.prod`."""
        return FUNCTIONS[np.prod](self, axis, dtype, out, keepdims, **options)

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """As `numpy.put`."""
        FUNCTIONS[np.put](self, indices, values, mode)

    def ravel(self, order: str = "C") -> Any:
        """As `numpy.ravel`."""
        return FUNCTIONS[np.ravel](self, order)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """As `numpy.repeat`."""
        return FUNCTIONS[np.repeat](self, repeats, axis)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """As `numpy.reshape`; the lengths may also be separate arguments."""
        return FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order)

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        """As `numpy.round`."""
        return FUNCTIONS[np.round](self, decimals, out)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        """As `numpy.searchsorted`."""
        return FUNCTIONS[np.searchsorted](self, v, side, sorter)

    def sort(
        self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None
    ) -> None:
        """Sort in place, as `numpy.ndarray.sort`."""
        self[...] = FUNCTIONS[np.sort](self, axis, kind, order, stable=stable)

    def partition(self, kth: Any, axis: int = -1, kind: Any = None, order: Any = None) -> None:
        """Partition in place, as `numpy.ndarray.partition`."""
        self[...] = FUNCTIONS[np.partition](self, kth, axis, kind or "introselect", order)

    def argpartition(
        self, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
    ) -> Any:
        """As `numpy.argpartition`."""
        return FUNCTIONS[np.argpartition](self, kth, axis, kind, order)

    def squeeze(self, axis: Any = None) -> Any:
        """As `numpy.squeeze`."""
        return FUNCTIONS[np.squeeze](self, axis)

    def std(
        self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0,
        keepdims: bool = False, **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.std`."""
        return FUNCTIONS[np.std](self, axis, dtype, out, ddof, keepdims, **options)

    def sum(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.sum`."""
        return FUNCTIONS[np.sum](self, axis, dtype, out, keepdims, **options)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """As `numpy.swapaxes`."""
        return FUNCTIONS[np.swapaxes](self, axis1, axis2)

    def take(self, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
        """As `numpy.take`."""
        return FUNCTIONS[np.take](self, indices, axis, out, mode)

    def trace(
        self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
    ) -> Any:
        """As `numpy.trace`."""
        return FUNCTIONS[np.trace](self, offset, axis1, axis2, dtype, out)

    def transpose(self, *axes: Any) -> Any:
        """As `numpy.transpose`; the axes may also be separate arguments."""
        if not axes:
            return FUNCTIONS[np.transpose](self)
        return FUNCTIONS[np.transpose](self, axes[0] if len(axes) == 1 else axes)

    def view(self, dtype: Any = None) -> Any:
        """Another array of the same memory, of the same dtype."""
        if dtype is not None and np.dtype(dtype) != self.dtype:
            raise unsupported("ndarray.view with another dtype")
        return self[...]

    def var(
        self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0,
        keepdims: bool = False, **options: Any,
    ) -> Any:  # fmt: skip
        """As `numpy.var`."""
        return FUNCTIONS[np.var](self, axis, dtype, out, ddof, keepdims, **options)


def new_tracer(
    recording: Recording, value: Any, variable: Any, place: Place | None = None
) -> Tracer:
    """A tracer in memory of its own."""
    tracer = Tracer()
    tracer.recording = recording
    tracer.value = value
    tracer.variable = variable
    tracer.place = place
    tracer.memory = tracer.base = None
    return tracer


# Operators, indexing and NumPy's protocols, on which speed depends, say it for themselves.
_ASKED = (
    "bool", "ceil", "complex", "contains", "copy", "deepcopy", "divmod", "float", "floor", "hash",
    "index", "int", "iter", "rdivmod", "reduce_ex", "round", "trunc",
)  # fmt: skip
for _name, _method in list(vars(Tracer).items()):
    if inspect.isfunction(_method) and (_name[0] != "_" or _name.strip("_") in _ASKED):
        setattr(Tracer, _name, entrance(_method))
    elif isinstance(_method, property):
        _reads = cast("Any", _method.fget)
        if _name not in ("dtype", "ndim", "shape", "size", "type"):  # which are known
            _reads = entrance(_reads)
        setattr(Tracer, _name, property(_reads, _method.fset and entrance(_method.fset)))

tree.assume_leaf(Tracer)


_INSTEAD = {
    "resize": "It has as many elements as it was made with. In place of x.resize(shape) write "
    "y = functrace.numpy.zeros(shape), y.flat[:n] = x.ravel()[:n], and y in place of x; to repeat "
    "the elements, x = np.resize(x, shape).",
    "setflags": "A traced array can always be written: leave x.setflags(write=False) out.",
    "flags": "How it lies in memory is not known. np.ascontiguousarray(x) lies in row-major order.",
    "strides": "How it lies in memory is not known. Its axes have the lengths x.shape.",
    "tobytes": "Return it from the transformed function, and call tobytes on what comes back.",
    "tofile": "Return it from the transformed function, and write what comes back.",
    "dump": "Return it from the transformed function, and write what comes back.",
    "dumps": "Return it from the transformed function, and call dumps on what comes back.",
}
"""What to write for what a traced array has not."""


class _Missing:
    """What an array of NumPy's has and a traced one has not.

    With a `__getattr__` the class Tracer could say the same, and every look-up of any attribute
    of a tracer would take several times as long.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @entrance
    def __get__(self, tracer: Tracer | None, owner: type[Tracer]) -> Any:
        if tracer is None:
            raise AttributeError(self.name)
        if tracer.recording.is_plain:
            return tracer.recording.attribute(tracer, self.name)
        message = f"A traced array has no {self.name!r}, although a NumPy array has it."
        instead = _INSTEAD.get(self.name)
        advice = "" if instead is None else f"\n  {instead}"
        raise AttributeError(f"{message}\n  at {source_of(user_place(1))}{advice}")


for _name in dir(np.ndarray):
    if not _name.startswith("__") and not hasattr(Tracer, _name):
        setattr(Tracer, _name, _Missing(_name))


# What the user wrote, for messages

_OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "getitem": "[]", "setitem": "[] =",
}  # fmt: skip
_ASKED_BY_PYTHON = {"__len__": "len()", "__iter__": "a loop over an array"}
_UFUNC_OPERATORS = {
    "matmul": "@", "add": "+", "subtract": "-", "multiply": "*", "divide": "/",
    "floor_divide": "//", "remainder": "%", "power": "**", "bitwise_and": "&", "bitwise_or": "|",
    "bitwise_xor": "^", "left_shift": "<<", "right_shift": ">>",
}  # fmt: skip


def _written_here() -> tuple[str, list[ArrayType]] | None:
    """What the user called, and the types of its arguments; None while a Program is run.

    The outermost of functrace's frames tells: it is an operator or a method of a traced array, one
    of NumPy's protocols, or a function of functrace's.
    """
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    entry = frame
    while frame is not None and is_library(frame.f_code.co_filename):
        if source_in(frame) is not None:
            return None
        if frame.f_code is not _ENTRANCE:
            entry = frame
        frame = frame.f_back
    return None if frame is None else _written_as(entry, frame)


_OF_NUMBERS = ArrayConversionError, LostDerivativeError, OperandError, UnknownValueError
"""What is said where a function takes a traced value for a plain number."""


def _said_of_a_call(error: BaseException) -> FunctraceError | None:
    """The error for what NumPy, or Python, said of the arguments that a call of the user's gave.

    Args:
        error: What came out of the user's function.

    Returns:
        None for what the user's own code raised, and for what is no mistake in shapes, axes, dtypes
        or in how the function is called.
    """
    if not isinstance(error, ValueError | TypeError | IndexError) or hasattr(error, "__notes__"):
        return None
    place, frame, step = place_raised(error.__traceback__)
    entry = None if step is None else step.tb_next
    if entry is None:
        return None
    if entry.tb_frame.f_code is _ENTRANCE and entry.tb_next is not None:
        entry = entry.tb_next
    written = _written_as(entry.tb_frame, frame)
    if written is None:
        return None
    name, types = written
    text, where = str(error), source_of(place)
    function, _, said = text.partition("() ")
    if isinstance(error, TypeError) and function.isidentifier() and "argument" in said:
        return OperandError(f"{name} {said.rstrip('.')}.", where, _parameters_of(name))
    if not isinstance(error, TypeError | IndexError) and not _OF_SHAPES.search(text):
        error.add_note(f"in {name} of {_shown(types)}\n  at {where}")
        return None
    return _in_words(error, name, types, where)


_OF_SHAPES = re.compile(
    "shape|dimension|ax[ei]s|broadcast|size|length|align|division|operand|-d|sections"
)
"""What NumPy's errors on shapes speak of."""


def _parameters_of(name: str) -> str:
    """How a function of NumPy's, or the method of that name, is called."""
    function: Any = np
    for part in name.removeprefix("the method ").removeprefix("np.").split("."):
        function = getattr(function, part, None)
    try:
        return f"It is called as {function.__name__}{inspect.signature(function)}."
    except (AttributeError, TypeError, ValueError):
        return "See NumPy's documentation for how it is called."


def _written_as(entry: FrameType, frame: FrameType) -> tuple[str, list[ArrayType]] | None:
    """What a frame of the user's called, where functrace was entered by another frame."""
    if not entry.f_code.co_filename.startswith(OWN_FOLDER):
        return None
    code, values = entry.f_code, entry.f_locals
    if code is _ARRAY_UFUNC:
        ufunc, method = values["ufunc"], values["method"]
        symbol = _UFUNC_OPERATORS.get(ufunc.__name__)
        if symbol is not None and _is_an_operator(frame):
            return f"`{symbol}`", _types_in(values["inputs"], with_numbers=True)
        name = f"np.{ufunc.__name__}" if ufunc in UFUNCS else ufunc.__name__
        name += "" if method == "__call__" else f".{method}"
        return name, _types_in(values["inputs"], with_numbers=True)
    if code is _ARRAY_FUNCTION:
        function, arguments = values["function"], values["arguments"]
        name = f"{function.__module__}.{function.__name__}".replace("numpy.", "np.", 1)
        text = next((repr(x) for x in arguments if isinstance(x, str)), None)
        name += "" if text is None else f"({text})"  # the subscripts of einsum, say
        return name, _types_in((arguments, values["options"]))
    arguments = [values.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_qualname.startswith("Tracer."):
        symbol = _OPERATORS.get(code.co_name.strip("_"))
        if symbol is None:  # of the right operand, or in place
            symbol = _OPERATORS.get(code.co_name.strip("_")[1:])
        if code.co_name.startswith("__") and symbol is not None:
            is_reflected = code.co_name[2:3] == "r" and code.co_name != "__rshift__"
            symbol += "=" * (code.co_name[2:3] == "i")
            if is_reflected:
                arguments.reverse()
            return f"`{symbol}`", _types_in(arguments, with_numbers="[" not in symbol)
        name = _ASKED_BY_PYTHON.get(code.co_name, f"the method {code.co_name}")
        return name, _types_in(arguments)
    module: str = entry.f_globals["__name__"]
    wrapped = values.get("function", values.get("ufunc"))
    if module.startswith("functrace.numpy") and "args" in values and wrapped is not None:
        return f"functrace.numpy.{wrapped.__name__}", _types_in((values["args"], values["kwargs"]))
    for public in ("functrace.numpy", "functrace.lax", "functrace.scipy.special"):
        if module.startswith(public):
            return f"{public}.{code.co_name}", _types_in(arguments)
    return None


def _is_an_operator(frame: FrameType) -> bool:
    """Whether what a frame does is a binary operator, not a call."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("BINARY_OP")


def _types_in(arguments: Any, with_numbers: bool = False) -> list[ArrayType]:
    """The types of the arrays among the arguments of a call; of an operator, those of all."""
    if with_numbers:
        return [type_of(as_operand(x)) for x in arguments]
    leaves = tree.leaves(arguments)
    return [type_of(x) for x in leaves if isinstance(x, Tracer | np.ndarray | np.generic)]


_ARRAY_UFUNC = Tracer.__array_ufunc__.__code__
_ARRAY_FUNCTION = Tracer.__array_function__.__code__


def _names_behind(tracer: Tracer) -> list[str]:
    """What the user's function calls a value of unknown value, or the values it was made of."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  (as in user_place)
    while frame is not None and is_library(frame.f_code.co_filename):
        frame = frame.f_back
    recording = tracer.recording
    if frame is None or not isinstance(recording, ProgramRecording):
        return []
    named: dict[Variable, str] = {}
    for name, local in frame.f_locals.items():
        try:
            found = tree.flatten_with_path(local)[0]
        except Exception:  # noqa: BLE001, S112  (no tree: a list in itself, or a broken container)
            continue
        for path, leaf in found:
            value = leaf
            while isinstance(value, Tracer) and isinstance(value.recording, ValueRecording):
                value = value.value  # of what is differentiated: its value, one recording out
            if isinstance(value, Tracer) and value.recording is recording:
                named.setdefault(value.variable, f"{name}{tree.keystr(path)}")
    made_by = {output: e for e in recording.equations for output in e.outputs}
    generation: list[Variable] = [tracer.variable]
    seen: set[Variable] = set()
    while generation:
        names = [named[variable] for variable in generation if variable in named]
        if names:
            return names
        seen.update(generation)
        parents = [atom for v in generation if v in made_by for atom in made_by[v].inputs]
        variables = [atom for atom in dict.fromkeys(parents) if isinstance(atom, Variable)]
        generation = [variable for variable in variables if variable not in seen]
    return []


def _quoted(place: Place | None) -> str:
    """The user's line itself, where its file can be read."""
    text = line_at(place)
    if len(text) > 100:
        found = expression_at(place)
        text = "" if found is None else ast.unparse(found)
    return f", in `{text}`" if text else ""


def _offered(expression: ast.AST | None, place: Place | None) -> str | None:
    """What to write for a call of NumPy's, or an index of its ``r_``, that was refused."""
    frame = frame_of(place)
    if frame is None:
        return None
    if isinstance(expression, ast.Call):
        name = numpy_name(expression.func, frame)
        function: Any = None if name is None else operator.attrgetter(name)(np)
        if name is None or not (isinstance(function, np.ufunc) or function in FUNCTIONS):
            return None
        return (
            f"functrace.numpy.{name}{ast.unparse(expression)[len(ast.unparse(expression.func)) :]}"
        )
    if isinstance(expression, ast.Subscript) and isinstance(expression.value, ast.Attribute):
        name = numpy_name(expression.value, frame)
        if name in ("r_", "c_"):
            return f"functrace.numpy.{name}[{index_written(expression)}]"
    return None


_CLASSES = ("vectorize", "ndenumerate")
"""Classes of NumPy's for which functrace.numpy has what takes traced values."""

# Spelt out, because asking np.ma for its file would import it, which takes milliseconds.
_MASKED_ARRAYS = f"{NUMPY_FOLDER}ma{os.sep}core.py"


_SIZED = frozenset(
    {"arange", "linspace", "logspace", "geomspace", "repeat", "tile", "pad", "resize"}
)
"""Functions of NumPy's whose numbers say how long the result is."""


def _library_function(frame: Any) -> tuple[str, str] | None:
    """The package and the function that the user called, if a frame belongs to one."""
    found = None
    while frame is not None and frame.f_code.co_filename.startswith(ARRAY_LIBRARIES):
        found = frame.f_globals["__name__"].partition(".")[0], frame.f_code.co_qualname
        frame = frame.f_back
    return found


def _is_weak(x: Any) -> bool:
    """Whether a value is a Python scalar, or stands for one."""
    if type(x) is not Tracer:
        return type(x) in WEAK_DTYPES
    return type(x.value) is not np.ndarray and x.type.weak


def _as_base(x: Any, exponent: Any) -> Any:
    """Booleans as numbers to be raised to a power: NumPy's operator gives their squares as int8."""
    dtype = getattr(x, "dtype", None)
    if dtype is None or dtype != np.bool_ or (isinstance(x, Tracer) and x.type.weak):
        return x
    exponent = as_operand(exponent)
    own = WEAK_DTYPES.get(type(exponent)) or exponent.dtype
    return FUNCTIONS[np.astype](x, np.dtype(np.int8) if own.kind == "b" else own)


def _number(x: Any) -> Any:
    """A Python scalar as NumPy's functions take it: 1 / 0 is no error, and overflow is infinite."""
    if isinstance(x, Tracer):
        return strong(x)
    try:
        return WEAK_DTYPES[type(x)].type(x)
    except OverflowError:
        return x


def strong(x: Any) -> Any:
    """A value with the dtype that a NumPy function gives it: no longer a weak Python scalar."""
    kind = type(x.value)
    if kind is np.ndarray or kind is np.float64 or not x.type.weak:
        return x
    return FUNCTIONS[np.astype](x, x.dtype)


def strong_operand(x: Any) -> Any:
    """An operand of a function that makes arrays of Python scalars, in their own dtype."""
    x = as_operand(x)
    if isinstance(x, Tracer):
        return strong(x)
    weak = WEAK_DTYPES.get(type(x))
    return x if weak is None else weak.type(x)


def unknown_bound(type: ArrayType, place: Place | None) -> UnknownValueError:
    """The error for a slice with a bound of unknown value."""
    return UnknownValueError(
        f"A bound of a slice is a traced {type} of unknown value, so that the length of the result "
        "is unknown.",
        source_of(place),
        SLICES,
    )


def reject_out(out: Any) -> None:
    """Raise where a function was given an ``out`` array to write its traced result into."""
    if out is not None:
        place = user_place(2)
        if isinstance(out, Tracer):
            raise ArrayWriteError(
                "The argument `out` names an array for a traced result.",
                source_of(place),
                "Leave out the argument and use the value that is returned.",
            )
        raise written_into_an_array(None, place)


def written_into_an_array(type: ArrayType | None, place: Place | None) -> ArrayWriteError:
    """The error for a traced value, or result, that is written into an array of NumPy's own."""
    what = "A traced result" if type is None else f"A traced {type}"
    found = expression_at(place)
    is_out = isinstance(found, ast.Call) and any(word.arg == "out" for word in found.keywords)
    alternative = " Or leave out the argument `out`, and use what is returned." if is_out else ""
    name, advice = how_to_write(place)
    into = "" if name is None else f"`{name}`, "
    return ArrayWriteError(
        f"{what} is written into {into}an ordinary NumPy array, which cannot hold it.",
        source_of(place),
        f"{advice}{alternative}",
    )
