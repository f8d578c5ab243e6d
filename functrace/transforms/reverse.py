"""Reverse mode: vector-Jacobian products, gradients, Jacobians by rows.

The function runs on tracers of a `Tape`. A tape follows values: each operation is computed at
once, and the tape keeps a row with what its derivative rule will need. Then `backward` walks the
rows in reverse. It carries one cotangent for each variable, d(loss)/d(variable), which is complete
when the walk arrives at the row that made the variable, because every use of a variable comes
after its making. The row's primitive turns the cotangent of its output into cotangents of its
inputs, and these are added up.

Both loops call `bind` through the rules that they run, so what they compute can be recorded by an
outer transformation: that is all there is to derivatives of derivatives.

Sources: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), chapter 3; the view of
a transformation as an interpreter follows JAX's autodidax.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, overload

import numpy as np
from numpy import float64, ndarray

from functrace import tree
from functrace.errors import FunctraceError, MissingRuleError, RuleOutputError
from functrace.ir.immutable import ImmutableArrays
from functrace.ir.primitive import Primitive
from functrace.ir.program import programs_in
from functrace.ir.types import type_of
from functrace.primitives.elementwise import all_finite
from functrace.primitives.linear import known_value, zeros_for
from functrace.tracebacks import boundary, leave_out_own_frames
from functrace.tracing import numpy_warnings
from functrace.tracing.layouts import copied, copied_close
from functrace.tracing.numpy_warnings import in_force, placed_again
from functrace.tracing.operands import as_operand
from functrace.tracing.places import (
    Place,
    begin_derivative,
    begin_rule,
    derivative_here,
    end_derivative,
    end_rule,
    frame_above,
    is_users_error,
    place_here,
    runs_equations,
    source_of,
    users_files,
)
from functrace.tracing.recording import (
    ValueRecording,
    require_further_out,
    require_usable,
    running_recording,
)
from functrace.tracing.sharing import ALONE, owns_its_memory, share_memory, share_parts
from functrace.tracing.tracer import (
    Tracer,
    again,
    as_scalar_result,
    bind,
    bind_over,
    is_alone_further_out,
    new_tracer,
    run,
)
from functrace.tracing.wording import raise_explained
from functrace.transforms.arguments import (
    Argnums,
    checked_argnums,
    checked_cotangents,
    differentiated_arguments,
    primal_name,
    require_inexact,
    seed_of,
    split_aux,
)
from functrace.transforms.calling import call_apart, owned
from functrace.transforms.forward import TangentRecording
from functrace.transforms.keeping import COPIED_BYTES, KeptArrays
from functrace.transforms.limits import as_found, limit_of, told_apart
from functrace.transforms.linear_functions import Domain, LinearFunction
from functrace.transforms.transformed import require_callable, transformed
from functrace.transforms.transpose import vjp_from_jvp
from functrace.transforms.zeros import ZeroKeeping, may_hold_zeros

P = ParamSpec("P")
R = TypeVar("R")
Aux = TypeVar("Aux")

Row = tuple[
    Primitive, tuple[Any, ...], tuple["int | None", ...], dict[str, Any], Any, Any, "Place | None"
]
"""One recorded operation: the primitive, its inputs' values, their variables (None for constants),
the parameters, the output's value, its variable, and the place in the user's code. Where a
primitive has several outputs, the values and variables are tuples.

No part is a list: the garbage collector looks at every list again and again, which on a long tape
takes as long as all the rest, but loses interest in tuples of numbers and arrays."""


_NOTHING: frozenset[int] = frozenset()


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
        written: The variables that writing in place made, of whose elements no row may keep any.
    """

    def __init__(self, outlives: bool = False) -> None:
        """Keep copies of large arrays too, if the tape ``outlives`` the call of its function."""
        ValueRecording.__init__(self)  # as by `super()`, which takes longer
        self.rows: list[Row] = []
        self.variables = self.inputs = self.zeros_until = 0
        self.is_nested = self.tells_apart = False
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


def pull_back(
    tape: Tape,
    cotangents: list[Any],
    *,
    once: bool,
    is_traced: bool = False,
    has_zeros: bool = False,
) -> None:
    """Complete the cotangents of the inputs of a tape, with zeros that stay zero.

    To multiply with care takes time. So where the numbers are known, the walk is done without, and
    if a number that is not finite comes out, once more. Where they are not known, or are to be
    differentiated further in reverse mode, the care begins at the operations that make zeros.

    Args:
        tape: The tape.
        cotangents: For each variable its cotangent so far, None for zero; as `backward` takes it.
        once: Whether the rows may be let go.
        is_traced: Whether a cotangent is.
        has_zeros: Whether there may be zeros in the cotangents which are to stay.
    """
    rows = tape.rows
    is_recorded = is_traced or tape.is_nested
    if not has_zeros and not tape.zeros_until:
        backward(consumed(rows) if once else reversed(rows), cotangents, is_recorded)
        if is_recorded or tape.tells_apart:  # else all are numbers
            tape.settle_inputs(cotangents)
        return
    if is_recorded and not _only_tangents_around():
        pull_back_with_zeros(tape, cotangents, once=once, has_zeros=has_zeros)
        return
    summed: set[int] = set()
    if once and not has_zeros:  # until the first zeros are made no care is needed
        backward(consumed(rows, tape.zeros_until), cotangents, is_recorded, summed=summed)
    found = cotangents.copy()
    for number in tuple(summed):  # what would be added to in place
        x = found[number]
        if type(x) is np.ndarray and x.nbytes <= COPIED_BYTES:
            found[number] = x.copy()
        else:
            summed.remove(number)
    backward(reversed(rows), found, is_recorded, summed=summed)
    tape.settle_inputs(found)
    for x in found:
        if x is not None and not _is_finite(x):
            try:
                pull_back_with_zeros(tape, cotangents, once=once, has_zeros=has_zeros)
            except Exception as error:
                if not is_users_error(error):
                    raise
                break  # a rule of the user's can only take arrays
            return
    cotangents[:] = found


def _only_tangents_around() -> bool:
    """Whether all recordings around know values, and all derivatives that they will ask for."""
    recording = running_recording()
    while isinstance(recording, TangentRecording):
        recording = recording.around
    return recording is None


def _is_finite(x: Any) -> bool:
    """Whether a cotangent, with its tangents, is known to be finite."""
    while type(x) is Tracer:
        if not isinstance(x.recording, TangentRecording) or not _is_finite(x.known_as):
            return False
        x = x.value
    return all_finite(x)


def pull_back_with_zeros(
    tape: Tape, cotangents: list[Any], *, once: bool, has_zeros: bool = False
) -> list[bool]:
    """As `pull_back`, with care from the operations on that make zeros.

    Returns:
        For each variable, whether there may be zeros in its cotangent that are to stay.
    """
    rows = consumed(tape.rows) if once else reversed(tape.rows)
    with ZeroKeeping() as keeping:
        if has_zeros:
            cotangents[:] = map(keeping.mark, cotangents)
        backward(rows, cotangents, True, keeping)
        tape.settle_inputs(cotangents)
        marks = list(map(keeping.marks, cotangents))
        cotangents[:] = map(keeping.value_of, cotangents)
    return marks


@runs_equations("place")
def backward(
    rows: Iterable[Row],
    cotangents: list[Any],
    is_recorded: bool,
    keeping: ZeroKeeping | None = None,
    summed: set[int] | None = None,
) -> None:
    """Walk rows from the last to the first, and complete the cotangents of the inputs.

    Args:
        rows: The rows of a tape, the last one first.
        cotangents: For each variable its cotangent so far, None for zero. At the end those of
            the inputs are left in it; all others are let go as soon as they were used.
        is_recorded: Whether another recording may record what is done, and so ask for its places.
        keeping: Marks cotangents in which there may be zeros that are to stay, if given.
        summed: The variables whose cotangent is a sum made on this walk, and nobody else's.
    """
    summed = set() if summed is None else summed
    # A rule may divide by zero where the cotangent is zero, and product_or_zero drops the result:
    # what the forward pass computed has given its warnings already.
    begun = numpy_warnings.begin_silence()
    rule = begin_rule(None) if is_recorded else None
    derivative, around = None, derivative_here() if is_recorded else None
    try:
        for primitive, inputs, variables, params, output, variable, place in rows:
            if type(variable) is int:
                cotangent: Any = cotangents[variable]
                if cotangent is None:  # the loss does not depend on this operation
                    continue
                cotangents[variable] = None
            else:  # of several outputs
                cotangent = tuple(cotangents[number] for number in variable)
                for number in variable:
                    cotangents[number] = None
                if all(part is None for part in cotangent):
                    continue
            apply, accumulates, writes_over, makes_zeros, has_plain_rules = (
                primitive.walked_back or primitive.at_walk_back()
            )
            try:
                # Of x[0] + x[1] + ... each term's cotangent is zero but in one place: it is added
                # there, where an array of zeros for each term would cost the square of the length.
                if accumulates and variables[0] in summed:
                    total = cotangents[variables[0]]
                    is_array = type(total) is ndarray or type(total) is Tracer
                    if is_array and total.dtype == cotangent.dtype:
                        total = primitive.accumulate(total, cotangent, inputs, **params)
                        if total is not None:
                            cotangents[variables[0]] = total
                            continue
                if is_recorded:
                    begin_rule(place if has_plain_rules else None)
                    begun_before = begin_derivative(primitive, params, "backward", place, around)
                    derivative = derivative or begun_before
                try:
                    if params:
                        if writes_over:
                            parts = part = total = sum_so_far = None  # they may be the cotangent
                            if (
                                sys.getrefcount(cotangent) == ALONE and owns_its_memory(cotangent)
                                if type(cotangent) is ndarray
                                else is_alone_further_out(cotangent, ALONE + 1)
                            ):
                                apply = primitive.vjp_over
                            first = variables[0]
                            if first is not None and cotangents[first] is None:
                                summed.add(first)  # a new array, or what was handed on
                        parts = apply(cotangent, inputs, output, variables, **params)
                    else:
                        parts = apply(cotangent, inputs, output, variables)
                except MissingRuleError as error:
                    if not error.is_of(primitive.name, "vjp"):
                        raise
                    parts = vjp_from_jvp(primitive, cotangent, inputs, output, variables, params)
            except FunctraceError as error:
                error.at(source_of(place))
                raise
            except Exception as error:
                name = getattr(params.get("function"), "name", None)  # of the user's, with rules
                name = repr(primitive.name) if name is None else name
                error.add_note(f"in the vjp rule of {name}\n  at {source_of(place)}")
                raise
            if (
                keeping is not None
                and makes_zeros
                and (primitive.marks_unknown or type(known_value(output)) is not Tracer)
            ):
                parts = [*map(keeping.mark, parts)]
            # A variable that was used several times is given a part by each use; the chain rule
            # adds them.
            for number, part in zip(variables, parts):  # noqa: B905  (as many, or it costs)
                if number is None or part is None:  # an input that is constant, or a part of zero
                    continue
                sum_so_far = cotangents[number]
                if sum_so_far is None:
                    cotangents[number] = part
                    if accumulates:  # the rule made it anew
                        summed.add(number)
                elif (
                    type(sum_so_far) is ndarray
                    and number in summed
                    and type(part) is ndarray
                    and part.shape == sum_so_far.shape
                    and part.dtype == sum_so_far.dtype
                ):
                    np.add(sum_so_far, part, sum_so_far)
                else:
                    cotangents[number] = sum_so_far + part
                    summed.add(number)
    finally:
        if rule is not None:
            end_rule(rule)
        if derivative is not None:
            end_derivative(derivative)
        numpy_warnings.end(begun)


def consumed(rows: list[Row], left: int = 0) -> Iterator[Row]:
    """The rows from the last on until some are left, each let go when the next one is taken."""
    return map(list.pop, repeat(rows, len(rows) - left))


@lru_cache(maxsize=256)
def _type_of_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of this type without memory for its elements."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def _without_elements(x: Any) -> Any:
    return _type_of_array(x.shape, x.dtype) if type(x) in (np.ndarray, Tracer) else x


def _copied_index(x: Any) -> Any:
    return x.copy() if type(x) is np.ndarray else x


@overload
def vjp(
    fun: Callable[..., R], *primals: Any, has_aux: Literal[False] = False
) -> tuple[R, Callable[[Any], tuple[Any, ...]]]: ...
@overload
def vjp(
    fun: Callable[..., tuple[R, Aux]], *primals: Any, has_aux: Literal[True]
) -> tuple[R, Callable[[Any], tuple[Any, ...]], Aux]: ...
@overload
def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool) -> Any: ...
@boundary
def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function, and make its pullback.

    Args:
        fun: The function; its arguments and its output are trees of arrays.
        primals: Its arguments. Cotangents come back for the floating-point leaves; where a leaf
            holds integers its place holds None.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data, which is handed
            on and not differentiated.

    Returns:
        ``(output, pullback)``, or ``(output, pullback, auxiliary data)``. The pullback takes a
        cotangent of the output's structure, shapes and dtypes, and returns a tuple with one
        cotangent for each primal. It can be called more than once, and is a tree, whose leaves are
        the arrays that it needs: it can be returned from a jitted function, and passed to one.

    Raises:
        NonFloatLeafError: A leaf of the arguments is neither an array nor a number.
        CotangentError: By the pullback, where a cotangent does not fit the output.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> y, pullback = ft.vjp(np.sin, 0.0)
        >>> pullback(np.float64(2.0))
        (np.float64(2.0),)
    """
    require_callable(fun, "vjp", "fun")
    leaves, structure = tree.flatten(primals)

    def name_of(index: int) -> str:
        return primal_name(fun, structure.paths()[index])

    is_active = require_inexact(leaves, name_of, allow_int=True)
    leaves = [*map(as_operand, leaves)]
    with Tape(outlives=True) as tape:
        inputs = tape.lifted(leaves, is_active)
        output, aux = split_aux(call_apart(fun, structure.unflatten(inputs)), has_aux)
        out_leaves, out_structure = tree.flatten(output)
        outputs = [*map(tape.output, out_leaves)]
        values = [owned(value) for value, _ in outputs]
        aux = tree.map(lambda x: owned(tape.value_of(x)), aux)
        out_variables = [variable for _, variable in outputs]
    types = [type_of(value) for value in values]

    @boundary
    def pullback(cotangent: Any) -> Any:
        given = checked_cotangents(cotangent, out_structure, types)
        cotangents: list[Any] = [None] * tape.variables
        for variable, part in zip(out_variables, given, strict=True):
            if variable is not None and part is not None:
                so_far = cotangents[variable]
                cotangents[variable] = part if so_far is None else so_far + part
        pull_back(
            tape,
            cotangents,
            once=False,
            is_traced=any(type(x) is Tracer for x in given),
            has_zeros=any(map(may_hold_zeros, given)),
        )
        return structure.unflatten(gradients(leaves, is_active, cotangents))

    result = out_structure.unflatten(values)
    domain = Domain(out_structure, tuple(types), checked_cotangents, is_tuple=False)
    name = f"pullback of {getattr(fun, '__name__', 'a function')}"
    linear = LinearFunction(name, pullback, domain, leaves)
    return (result, linear, aux) if has_aux else (result, linear)


@boundary
def value_and_grad(
    fun: Callable[P, R],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnum: Argnums | None = None,
) -> Callable[P, tuple[R, Any]]:
    """Make a function that computes a value and its gradient.

    Args:
        fun: A function of trees of arrays whose output is one real number (one complex number
            under ``holomorphic``).
        argnums: The position, or positions, of the arguments to differentiate. Such an argument
            may also be passed by keyword.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data, which is handed
            on and not differentiated.
        holomorphic: Whether ``fun`` is complex differentiable; then the arguments and the output
            must be complex, and the gradient is the complex derivative.
        allow_int: Whether the differentiated arguments may hold integers, whose gradient is None.
        argnum: Another name of ``argnums``, that of autograd.

    Returns:
        A function with the arguments of ``fun`` that returns ``(value, gradient)``, or
        ``((value, auxiliary data), gradient)``. The gradient has the structure, shapes and
        dtypes of the argument; for several ``argnums`` it is a tuple of such. For a complex
        argument ``x + iy`` and a real output ``f`` it is ``df/dx - i df/dy``, as in JAX and
        autograd: step along its conjugate.

    Raises:
        NonScalarOutputError: The output is not one number.
        NonFloatLeafError: A differentiated argument holds something else than floating-point
            numbers.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def loss(params, x):
        ...     return np.sum((x @ params["w"] + params["b"]) ** 2)
        >>> params = {"w": np.array([1.0, 2.0]), "b": 0.5}
        >>> value, gradient = ft.value_and_grad(loss)(params, np.eye(2))
        >>> value
        np.float64(8.5)
        >>> gradient
        {'b': np.float64(8.0), 'w': array([3., 5.])}
    """
    require_callable(fun, "value_and_grad")
    argnums = argnums if argnum is None else argnum
    return _differentiated(fun, value_and_grad, argnums, has_aux, holomorphic, allow_int)


@boundary
def grad(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnum: Argnums | None = None,
) -> Callable[P, Any]:
    """Make a function that computes the gradient of a function.

    The arguments, the errors, and the meaning of the gradient are those of `value_and_grad`.

    Returns:
        A function with the arguments of ``fun`` that returns the gradient, or
        ``(gradient, auxiliary data)`` under ``has_aux``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.grad(lambda x: x**3)(2.0)
        np.float64(12.0)
        >>> ft.grad(ft.grad(np.sin))(np.pi / 2)
        np.float64(-1.0)
    """
    require_callable(fun, "grad")
    argnums = argnums if argnum is None else argnum
    return _differentiated(fun, grad, argnums, has_aux, holomorphic, allow_int)


def _differentiated(
    fun: Callable[..., Any],
    make: Callable[..., Any],
    argnums: Argnums,
    has_aux: bool,
    holomorphic: bool,
    allow_int: bool,
) -> Any:
    """What `value_and_grad` or `grad` makes of a function."""
    argnums = checked_argnums(argnums)
    gives_value = make is value_and_grad

    @transformed(
        fun,
        make,
        argnums=argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
        allow_int=allow_int,
    )
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        try:
            arguments, leaves, structure, is_active = differentiated_arguments(
                fun, argnums, args, kwargs, holomorphic, allow_int
            )
            tape = Tape()
            try:
                with tape:
                    if allow_int:
                        leaves = [
                            x if on else owned(x) for x, on in zip(leaves, is_active, strict=True)
                        ]
                    inputs = tape.lifted(leaves, is_active)
                    given = inputs[0] if structure is tree.LEAF else structure.unflatten(inputs)
                    output = arguments.call(given, None if allow_int else inputs)
                    aux = None
                    if has_aux:
                        output, aux = split_aux(output, has_aux)
                        aux = tree.map(lambda x: owned(tape.value_of(x)), aux)
                    value, variable = tape.output(output)
                seed = seed_of(value, fun, holomorphic)
                cotangents: list[Any] = [None] * tape.variables
                if variable is not None:
                    cotangents[variable] = seed  # d(value)/d(value) = 1: here the walk begins
                    pull_back(tape, cotangents, once=True)
                if tape.kept is not None:
                    tape.kept.require_unchanged()
                inputs = given = output = None  # they may hold what is released
            finally:
                if tape.kept is not None:
                    tape.kept.release()
            found = gradients(leaves, is_active, cotangents)
            gradient = found[0] if structure is tree.LEAF else structure.unflatten(found)
            if gives_value:
                return ((value, aux), gradient) if has_aux else (value, gradient)
            return (gradient, aux) if has_aux else gradient
        except Exception as error:
            leave_out_own_frames(error)
            raise

    return differentiated


def gradients(
    primals: Sequence[Any], is_active: Sequence[bool], cotangents: list[Any]
) -> list[Any]:
    """The inputs' cotangents as the user gets them, taken out of the list.

    Missing ones become zeros. Each array is one of its own, which may be written: neither a view,
    nor the same as another, nor one that is in other hands, such as those of a user's rule.
    """
    result: list[Any] = []
    number = 0
    for primal, active in zip(primals, is_active):  # noqa: B905  (as many, or it costs)
        if not active:
            result.append(None)
            continue
        gradient = cotangents[number]
        cotangents[number] = None
        number += 1
        if type(gradient) is float64 and (type(primal) is float64 or type(primal) is float):
            pass
        elif gradient is None:
            gradient = zeros_for(primal)
        elif gradient.shape != getattr(primal, "shape", ()):
            raise RuleOutputError(
                f"A vjp rule gave a gradient of shape {np.shape(gradient)} for an argument of "
                f"shape {np.shape(primal)}.",
                advice="functrace.testing.check_primitive(primitive, *inputs) tells whether a "
                "primitive's rules are right.",
            )
        elif type(gradient) is np.ndarray:
            if not gradient.shape:
                gradient = gradient[()]
            elif sys.getrefcount(gradient) > ALONE or not owns_its_memory(gradient):
                gradient = gradient.copy()
        elif type(gradient) is Tracer:
            gradient = as_scalar_result(gradient.copy())
        result.append(gradient)
    return result
