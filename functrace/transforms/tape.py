"""The tape of reverse mode: what a function does, kept for the walk back.

A function runs on tracers of a `Tape`. A tape follows values: each operation is computed at once,
and the tape keeps a row with what its derivative rule will need. `functrace.transforms.backward`
walks the rows in reverse.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any

import numpy as np
from numpy import ndarray

from functrace.errors import FunctraceError
from functrace.ir.immutable import ImmutableArrays
from functrace.ir.primitive import Primitive
from functrace.ir.program import programs_in
from functrace.ir.types import type_of
from functrace.tracing.layouts import copied, copied_close
from functrace.tracing.numpy_warnings import in_force, placed_again
from functrace.tracing.places import (
    Place,
    begin_rule,
    end_rule,
    frame_above,
    place_here,
    source_of,
    users_files,
)
from functrace.tracing.recording import (
    ValueRecording,
    require_further_out,
    require_usable,
)
from functrace.tracing.sharing import ALONE, owns_its_memory, share_memory, share_parts
from functrace.tracing.tracer import (
    Tracer,
    again,
    bind,
    bind_over,
    is_alone_further_out,
    new_tracer,
    run,
)
from functrace.tracing.wording import raise_explained
from functrace.transforms.calling import owned
from functrace.transforms.forward import TangentRecording
from functrace.transforms.keeping import COPIED_BYTES, KeptArrays
from functrace.transforms.limits import as_found, limit_of, told_apart

Row = tuple[
    Primitive, tuple[Any, ...], tuple["int | None", ...], dict[str, Any], Any, Any, "Place | None"
]
"""One recorded operation: the primitive, its inputs' values, their variables (None for constants),
the parameters, the output's value, its variable, and the place in the user's code. Where a
primitive has several outputs, the values and variables are tuples.

No part is a list: the garbage collector looks at every list again and again, which on a long tape
takes as long as all the rest, but loses interest in tuples of numbers and arrays."""


_NOTHING: frozenset[int] = frozenset()

LET_GO_BYTES = 1 << 15
"""Larger arrays are let go where the walk back reads types only: the sooner their memory is used
again, the less of it the processor's caches have to hold."""


class Tape(ValueRecording):
    """Records operations together with their values. Its variables are numbers.

    What belongs to the user may be written after it was read, so the tape keeps copies of it, of
    large arrays only where it `outlives` its function.

    Attributes:
        rows: What was recorded, in order.
        variables: How many variables there are so far; the inputs come first.
        inputs: How many of the variables are inputs.
        zeros_until: How many rows there are up to the last one that makes zeros on the way back
            which are to stay. What is read out of the inputs makes none: no operations come before.
        kept: The large arrays that must not be written before the walk back is over, if any.
        is_nested: Whether some of the values may belong to an outer recording.
        tells_apart: Whether there was a factorization with values that may be equal.
        is_large: Whether a large array was met. Rows hold such only where the walk back reads them,
            if nobody looks at the rows otherwise; tapes of small ones pay nothing for that.
        written: The variables that writing in place made, of whose elements no row may keep any.
    """

    def __init__(self, outlives: bool = False, lets_go: bool = False) -> None:
        """Keep copies of large arrays too, if the tape ``outlives`` the call of its function."""
        ValueRecording.__init__(self)  # as by `super()`, which takes longer
        self.rows: list[Row] = []
        self.variables = self.inputs = self.zeros_until = 0
        self.is_nested = self.tells_apart = False
        self.is_large = False
        self._lets_go = lets_go
        self.kept: KeptArrays | None = None
        self.written: frozenset[int] | set[int] = _NOTHING
        self._copies: ImmutableArrays | None = ImmutableArrays() if outlives else None

    def lifted(self, leaves: Sequence[Any], is_active: Sequence[bool]) -> list[Any]:
        """The tape's inputs: tracers in place of the active leaves, and the others as they are."""
        if False in is_active:
            pairs = zip(leaves, is_active, strict=True)
            found = [self.lift(x) if is_on else x for x, is_on in pairs]
        else:
            found = [*map(self.lift, leaves)]
        self.inputs = self.variables
        return found

    def explain(self, error: BaseException, traceback: TracebackType | None) -> None:
        """As any recording, and of an array that must not be written."""
        super().explain(error, traceback)
        if self.kept is not None and isinstance(error, ValueError):
            self.kept.explain(error)

    def lift(self, value: Any) -> Tracer:
        """A tracer for a new variable that no row makes: an input, or a writable constant."""
        variable = self.variables
        self.variables = variable + 1
        if type(value) is Tracer:
            require_usable(value)
            value = self._constant(value)
        if type(value) is ndarray:
            if value.nbytes > LET_GO_BYTES:
                self.is_large = self._lets_go
            if value.nbytes > COPIED_BYTES:
                value = self._kept(value)
            else:
                value = value.__copy__() if value.flags.forc else copied(value)
        tracer = Tracer()  # as `new_tracer` does, sooner
        tracer.recording = self
        tracer.value = value
        tracer.known_as = variable
        tracer.place = tracer.memory = tracer.base = None
        return tracer

    def _kept(self, array: np.ndarray) -> np.ndarray:
        """A large array of the user's as it is now."""
        self.is_large = self._lets_go
        if self.is_nested and self._copies is None and self._is_kept_further_out():
            self._copies = ImmutableArrays()
        if self._copies is not None:
            return self._copies.of(array)
        if self.kept is None:
            self.kept = KeptArrays()
        return self.kept.keep(array)

    def _is_kept_further_out(self) -> bool:
        """Whether a recording around this one keeps copies anyway."""
        recording = self.around
        while isinstance(recording, TangentRecording):
            recording = recording.around
        return recording is not None

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Compute an operation one recording further out, and keep a row of it."""
        if in_force() is not self.setting:
            if not self.is_open:
                return again(primitive, inputs, params)
            self.setting = placed_again()  # the function has told NumPy how to handle errors
        run, reads_constants, is_simple, noted = primitive.recorded or primitive.at_record()
        # What is no tracer of this tape is a constant here, and may be written later: it is copied
        # (by `__copy__`, in the order of memory, as by `copy("K")`, which takes longer).
        variables: tuple[int | None, ...]
        count = len(inputs)
        if count == 2:  # most are; without lists this takes a tenth less
            x, y = inputs
            first = second = None
            kind = type(x)
            if kind is Tracer and x.recording is self:
                first, x = x.known_as, x.value
            else:
                if kind is Tracer:
                    x = self._constant(x)
                    kind = type(x)
                if kind is ndarray and reads_constants:
                    x = x.__copy__() if x.nbytes <= COPIED_BYTES else self._kept(x)
            kind = type(y)
            if kind is Tracer and y.recording is self:
                second, y = y.known_as, y.value
            else:
                if kind is Tracer:
                    y = self._constant(y)
                    kind = type(y)
                if kind is ndarray and reads_constants:
                    y = y.__copy__() if y.nbytes <= COPIED_BYTES else self._kept(y)
            values, variables = (x, y), (first, second)
        elif count == 1 and (tracer := inputs[0]).recording is self:
            values, variables = (tracer.value,), (tracer.known_as,)
        else:
            values, variables = self._known(inputs, reads_constants)
        is_nested = self.is_nested and Tracer in map(type, values)
        if is_simple:
            frame = frame_above(2)  # of operators the user's own
            code = frame.f_code
            is_users = code.co_filename in users_files
            place = (code, frame.f_lasti) if is_users else place_here(3)
            if is_nested:
                begun = begin_rule(place if primitive.has_plain_rules else None)  # found once
                try:
                    output = bind(primitive, *values, **params)
                finally:
                    end_rule(begun)
            else:
                try:
                    # Most have no parameters, and calls without keywords are faster.
                    output = run(*values, **params) if params else run(*values)
                except (ValueError, TypeError, IndexError) as error:
                    raise_explained(error, primitive, values, params)
            number = self.variables
            self.variables = number + 1
            self.rows.append((primitive, values, variables, params, output, number, place))
            tracer = Tracer()  # as `new_tracer` does, sooner
            tracer.recording = self
            tracer.value = output
            tracer.known_as = number
            tracer.place = place
            tracer.memory = tracer.base = None
            if noted is not None:
                makes_zeros, reads_part, makes_views = noted
                if makes_zeros:
                    if reads_part and variables[0] in self.written:
                        self._read_apart(tracer)
                    self._note_zeros(makes_views, variables, values[0], output, len(self.rows))
                if makes_views:
                    share_memory(inputs[0], tracer, primitive, params)
            if self.is_large and (
                (type(output) is ndarray and output.nbytes > LET_GO_BYTES)
                or (type(x := values[0]) is ndarray and x.nbytes > LET_GO_BYTES)
            ):
                self.rows[-1] = _without_unread(self.rows[-1])
            return tracer
        if primitive.locally_constant and primitive.has_plain_rules and not is_nested:
            try:
                return run(*values, **params)  # derivative zero: nothing to walk back through
            except (ValueError, TypeError, IndexError) as error:
                raise_explained(error, primitive, values, params)
        return self._record_other(primitive, inputs, values, variables, params, is_nested)

    def _record_other(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        values: tuple[Any, ...],
        variables: tuple[int | None, ...],
        params: dict[str, Any],
        is_nested: bool,
    ) -> Any:
        """As `record`, of what has several outputs, Programs or no derivative."""
        if primitive.is_transparent:
            return tuple(inputs) if primitive.multiple_outputs else inputs[0]
        rule = primitive  # whose vjp the walk back will call
        if primitive.holds_programs:  # a loop, say, which keeps what its own walk back will need
            try:
                output, rule = primitive.keep_residuals(values, variables, params)
            except FunctraceError as error:
                error.at(source_of(place_here(4)))
                raise
            require_further_out(output, self)
            programs = programs_in(params)
            self.tells_apart = self.tells_apart or any(x.may_coincide for x in programs)
        elif is_nested:
            output = bind(primitive, *values, **params)
        else:
            output = run(primitive, values, params)
        if primitive.locally_constant:  # derivative zero: nothing to walk back through
            return output
        if rule.makes_zeros:
            self._note_zeros(rule.makes_views, variables, values[0], output, len(self.rows) + 1)
        if primitive.may_coincide:
            output = told_apart(primitive, output)
            self.tells_apart = True
        self.is_nested = self.is_nested or Tracer in map(type, output)
        place = place_here(4)
        first = self.variables
        self.variables += len(output)
        numbers = tuple(range(first, self.variables))
        self.rows.append((rule, values, variables, params, output, numbers, place))
        # Whole numbers have no derivative, so they are handed on as they are.
        outputs = tuple(
            new_tracer(self, value, number, place)
            if type_of(value).is_inexact and number - first not in rule.constant_outputs
            else owned(value)
            for value, number in zip(output, numbers, strict=True)
        )
        if primitive.makes_views:
            share_parts(inputs[0], outputs, primitive, params)
        return outputs

    def _note_zeros(
        self,
        makes_views: bool,
        variables: Sequence[int | None],
        input: Any,
        output: Any,
        count: int,
    ) -> None:
        """Note that a row, the last of so many, makes zeros, if rows come before that meet them."""
        for variable in variables:
            if variable is not None and variable >= self.inputs:
                # A view of all elements leaves none out.
                size = getattr(output, "size", 1)
                if not makes_views or size != getattr(input, "size", 0):
                    self.zeros_until = count
                return

    def _constant(self, tracer: Tracer) -> Any:
        """What another recording's tracer is in a row."""
        value = tracer.recording.as_constant(tracer)
        self.is_nested = self.is_nested or type(value) is Tracer
        return value

    def _known(
        self, inputs: Sequence[Any], reads: bool | tuple[bool, ...]
    ) -> tuple[tuple[Any, ...], tuple[int | None, ...]]:
        """The inputs' values and variables."""
        values: list[Any] = []
        variables: list[int | None] = []
        for value in inputs:
            if type(value) is Tracer:
                if value.recording is self:
                    values.append(value.value)
                    variables.append(value.known_as)
                    continue
                value = self._constant(value)  # noqa: PLW2901
            if type(value) is ndarray and (reads if type(reads) is bool else reads[len(values)]):
                is_small = value.nbytes <= COPIED_BYTES
                value = value.__copy__() if is_small else self._kept(value)  # noqa: PLW2901
            values.append(value)
            variables.append(None)
        return tuple(values), tuple(variables)

    def record_over(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """As `record`; in place where nobody else refers to the array that is written.

        The row keeps types in place of that and of what is written.
        """
        tracer, *rest = inputs
        if not (
            self.is_open
            and primitive.writes_over
            and tracer.recording is self
            and in_force() is self.setting
        ):
            return self.record(primitive, inputs, params)
        array = tracer.value
        values: list[Any] = []
        variables: list[int | None] = [tracer.known_as]
        for x in rest:
            is_own = type(x) is Tracer and x.recording is self
            variables.append(x.known_as if is_own else None)
            values.append(x.value if is_own else x)
        is_whole = tracer.base is None
        if type(array) is Tracer or any(type(x) is Tracer for x in values):
            if any(type(x) is Tracer for x in values[1:]) or not all(
                isinstance(x.recording, ValueRecording)
                for x in (array, values[0])
                if type(x) is Tracer
            ):
                return self.record(primitive, inputs, params)
            self.is_nested = True
            is_alone = is_whole and is_alone_further_out(array, ALONE + 2)
            output = (bind_over if is_alone else bind)(primitive, array, *values, **params)
        elif type(array) is np.ndarray:
            references = sys.getrefcount(array)
            is_alone = is_whole and references == ALONE + 1 and owns_its_memory(array)
            try:
                apply = primitive.run_over if is_alone else primitive.run
                output = apply(array, *values, **params)
            except (ValueError, TypeError, IndexError) as error:
                raise_explained(error, primitive, (array, *values), params)
        else:
            return self.record(primitive, inputs, params)
        kept = [_copied_index(x) for x in values[1:]]
        place, number = place_here(2), self.variables
        self.variables = number + 1
        only = _type_of_array(array.shape, array.dtype)
        kept = (only, _without_elements(values[0]), *kept)
        self.rows.append((primitive, kept, tuple(variables), params, only, number, place))
        self._note_zeros(primitive.makes_views, variables, only, only, len(self.rows))
        if not isinstance(self.written, set):
            self.written = set()
        self.written.add(number)
        return new_tracer(self, output, number, place)

    def _read_apart(self, tracer: Tracer) -> None:
        """Let the last row, which reads an array that is written, refer to no memory of that.

        Where most of the array is read it stays as it is: to copy all before the next write takes
        no longer than what is done with it.
        """
        primitive, (array, *arrays), variables, params, output, number, place = self.rows[-1]
        if type(output) is Tracer or (type(output) is np.ndarray and output.base is not None):
            if 2 * output.size > array.size:
                return
            if not isinstance(output, Tracer):
                output = tracer.value = copied_close(output)
            elif output.base is not None:  # nobody writes it there
                recording, value = output.recording, output.value
                output = new_tracer(recording, value, output.known_as, output.place)
                tracer.value = output
        only = _type_of_array(array.shape, array.dtype)
        self.rows[-1] = (primitive, (only, *arrays), variables, params, output, number, place)

    def value_of(self, x: Any) -> Any:
        """What a value returned by the function is, one recording further out."""
        return self.output(x)[0]

    def output(self, x: Any) -> tuple[Any, int | None]:
        """The same, and its variable; None for a constant."""
        variable = None
        if type(x) is Tracer and x.recording is self and self.is_open:
            value, variable = x.value, x.known_as
        else:
            value = super().value_of(x)
            if type(x) is Tracer and x.recording is self:  # it was made again
                variable = x.known_as
        return as_found(value, self.tells_apart) if type(value) is Tracer else value, variable

    def settle_inputs(self, cotangents: list[Any]) -> None:
        """Take the cotangents of the inputs in the limit of equal values."""
        for number in range(self.inputs):
            if type(cotangents[number]) is Tracer:
                cotangents[number] = limit_of(cotangents[number], self.tells_apart)


@lru_cache(maxsize=1024)
def _read_back(primitive: Primitive, needed: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
    return primitive.read_back(needed)


def _without_unread(row: Row) -> Row:
    """A row with types in place of large arrays of which the walk back reads no elements."""
    primitive, values, variables, params, output, number, place = row
    read, reads_output = _read_back(primitive, tuple([x is not None for x in variables]))
    if False in read:
        values = tuple([x if on else _let_go(x) for x, on in zip(values, read, strict=True)])
    if not reads_output:
        output = _let_go(output)
    return primitive, values, variables, params, output, number, place


def _let_go(x: Any) -> Any:
    is_large = type(x) is np.ndarray and x.nbytes > LET_GO_BYTES
    return _type_of_array(x.shape, x.dtype) if is_large else x


@lru_cache(maxsize=256)
def _type_of_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of this type without memory for its elements."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def _without_elements(x: Any) -> Any:
    return _type_of_array(x.shape, x.dtype) if type(x) in (np.ndarray, Tracer) else x


def _copied_index(x: Any) -> Any:
    return x.copy() if type(x) is np.ndarray else x
