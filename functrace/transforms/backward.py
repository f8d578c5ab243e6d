"""The walk back over a tape, from the cotangents of its outputs to those of its inputs.

`backward` walks the rows in reverse. It carries one cotangent for each variable,
d(loss)/d(variable), which is complete when the walk arrives at the row that made the variable,
because every use of a variable comes after its making. The row's primitive turns the cotangent of
its output into cotangents of its inputs, and these are added up.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np
from numpy import ndarray

from functrace.errors import FunctraceError, MissingRuleError
from functrace.primitives.linear import known_value
from functrace.primitives.zero_products import all_finite
from functrace.tracing import numpy_warnings
from functrace.tracing.places import (
    begin_derivative,
    begin_rule,
    derivative_here,
    end_derivative,
    end_rule,
    is_users_error,
    runs_equations,
    source_of,
)
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.recording import (
    running_recording,
)
from functrace.tracing.sharing import ALONE, owns_its_memory
from functrace.tracing.tracer import (
    Tracer,
    is_alone_further_out,
)
from functrace.transforms.forward import TangentRecording
from functrace.transforms.keeping import COPIED_BYTES
from functrace.transforms.repeating import RepeatedRules
from functrace.transforms.tape import LET_GO_BYTES, Row, Tape
from functrace.transforms.transpose import vjp_from_jvp
from functrace.transforms.zeros import ZeroKeeping


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
    is_large = tape.is_large and not is_recorded
    if not has_zeros and not tape.zeros_until:
        ordered = consumed(rows) if once else reversed(rows)
        backward(ordered, cotangents, is_recorded, is_large=is_large)
        if is_recorded or tape.tells_apart:  # else all are numbers
            tape.settle_inputs(cotangents)
        return
    if is_recorded and not _only_tangents_around():
        pull_back_with_zeros(tape, cotangents, once=once, has_zeros=has_zeros)
        return
    summed: set[int] = set()
    if once and not has_zeros:  # until the first zeros are made no care is needed
        before = consumed(rows, tape.zeros_until)
        backward(before, cotangents, is_recorded, summed=summed, is_large=is_large)
    found = cotangents.copy()
    for number in tuple(summed):  # what would be added to in place
        x = found[number]
        if type(x) is np.ndarray and x.nbytes <= COPIED_BYTES:
            found[number] = x.copy()
        else:
            summed.remove(number)
    backward(reversed(rows), found, is_recorded, summed=summed, is_large=is_large)
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
    is_large: bool = False,
) -> None:
    """Walk rows from the last to the first, and complete the cotangents of the inputs.

    Args:
        rows: The rows of a tape, the last one first.
        cotangents: For each variable its cotangent so far, None for zero. At the end those of
            the inputs are left in it; all others are let go as soon as they were used.
        is_recorded: Whether another recording may record what is done, and so ask for its places.
        keeping: Marks cotangents in which there may be zeros that are to stay, if given.
        summed: The variables whose cotangent is a sum made on this walk, and nobody else's.
        is_large: Whether there may be large arrays, and no traced values among the rows' and the
            cotangents: of such cotangents those that nobody else has are written over.
    """
    summed = set() if summed is None else summed
    rules: Any = RepeatedRules(keeping) if is_recorded else None
    # A rule may divide by zero where the cotangent is zero, and product_or_zero drops the result:
    # what the forward pass computed has given its warnings already.
    begun = numpy_warnings.begin_silence()
    rule = begin_rule(None) if is_recorded else None
    derivative, around = None, derivative_here() if is_recorded else None
    # Who follows values does not note what a derivative is of, but what it runs may be recorded.
    is_noted = is_recorded and not _only_tangents_around()
    repeats: Any = False  # whether what the rule records may be known
    known: list[Any] | None = None
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
            apply, accumulates, writes_over, may_write_over, makes_zeros, has_plain_rules = (
                primitive.walked_back or primitive.at_walk_back()
            )
            try:
                if is_recorded:
                    known = None
                    begin_rule(place if has_plain_rules else None)
                    if is_noted or not has_plain_rules:
                        before = begin_derivative(primitive, params, "backward", place, around)
                        derivative = derivative or before
                    repeats = (
                        has_plain_rules
                        and (params or keeping is not None)  # else it is soon called
                        and type(output) is Tracer
                        and type(output.recording) is ProgramRecording
                    )
                # Of x[0] + x[1] + ... each term's cotangent is zero but in one place: it is added
                # there, where an array of zeros for each term would cost the square of the length.
                if accumulates and variables[0] in summed:
                    total = cotangents[variables[0]]
                    is_array = type(total) is ndarray or type(total) is Tracer
                    if is_array and total.dtype == cotangent.dtype:
                        if repeats:
                            given = (total, cotangent, *inputs[1:])
                            known = rules.known(primitive, given, None, params, place)
                        if known is None:
                            total = primitive.accumulate(total, cotangent, inputs, **params)
                            if repeats:
                                rules.learn((total,))
                        else:
                            (total,) = known
                        if total is not None:
                            cotangents[variables[0]] = total
                            continue
                if repeats:
                    given = (cotangent, output, *inputs)
                    known = rules.known(primitive, given, variables, params, place)
                try:
                    if known is not None:
                        parts = known
                        if writes_over and params:
                            first = variables[0]
                            if first is not None and cotangents[first] is None:
                                summed.add(first)  # as below
                    elif params:
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
                        if (
                            may_write_over
                            and is_large
                            and type(cotangent) is ndarray
                            and cotangent.nbytes > LET_GO_BYTES
                        ):
                            parts = part = total = sum_so_far = None
                            if sys.getrefcount(cotangent) == ALONE and owns_its_memory(cotangent):
                                apply = primitive.vjp_over
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
            if repeats and known is None:
                rules.learn(parts)
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
                    and type(part) is ndarray
                    and part.shape == sum_so_far.shape
                    and part.dtype == sum_so_far.dtype
                    and (
                        number in summed
                        or (
                            is_large
                            and sum_so_far.nbytes > LET_GO_BYTES
                            and sys.getrefcount(sum_so_far) == ALONE + 1  # the list's
                            and owns_its_memory(sum_so_far)
                        )
                    )
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
