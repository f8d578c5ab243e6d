"""Forward mode: Jacobian-vector products.

The function runs on tracers that carry a tangent beside their value. Each operation is computed at
once, one recording further out, and its primitive pushes the tangents of the inputs forward to the
output. Nothing is kept: there is no tape, so the memory needed does not grow with the length of
the function. A value whose tangent is zero is no tracer at all, but a constant.

Source: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), chapter 3.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError, FunctraceError, MissingRuleError
from functrace.ir.primitive import Primitive
from functrace.ir.program import programs_in, with_programs
from functrace.ir.types import type_of
from functrace.primitives.linear import zeros_for
from functrace.tracebacks import boundary
from functrace.tracing.layouts import copied_close
from functrace.tracing.numpy_warnings import in_force, placed_again
from functrace.tracing.operands import as_operand
from functrace.tracing.places import (
    begin_derivative,
    begin_rule,
    derivative_here,
    end_derivative,
    end_rule,
    is_users_error,
    recorded_place,
    source_of,
    user_place,
)
from functrace.tracing.recording import (
    ValueRecording,
    require_further_out,
    require_usable,
    youngest_birth,
)
from functrace.tracing.sharing import ALONE, owns_its_memory, share_memory, share_parts
from functrace.tracing.tracer import Tracer, again, as_scalar_result, bind, new_tracer, plain
from functrace.tracing.wording import raise_explained
from functrace.transforms.arguments import checked_tangents, primal_name, require_inexact, split_aux
from functrace.transforms.calling import apart, call_apart, owned
from functrace.transforms.evaluate import without_effects
from functrace.transforms.limits import as_found, limit_of, told_apart
from functrace.transforms.transformed import require_callable
from functrace.transforms.transpose import jvp_from_vjp, jvp_of
from functrace.transforms.zeros import ZeroKeeping, are_finite, may_hold_zeros

R = TypeVar("R")
Aux = TypeVar("Aux")


class TangentRecording(ValueRecording):
    """Pushes tangents forward. What it knows a tracer by is the tracer's tangent.

    Attributes:
        has_zeros: Whether there may be zeros in tangents which are to stay: some were given, or
            an operation made them.
        tells_apart: Whether there was a factorization with values that may be equal.
        keeping: Marks tangents in which there may be such zeros.
        written: The identities of arrays that were written in place; others may have them by now.
    """

    def __init__(self) -> None:
        self.keeping = ZeroKeeping()  # further out than this: tangents are
        super().__init__()
        self.has_zeros = False
        self.tells_apart = False
        self.written: set[int] = set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        self.keeping.is_open = False

    def lift(self, value: Any) -> Tracer:
        """A tracer with tangent zero, which can be written."""
        return new_tracer(self, value, zeros_of(value))

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Compute an operation one recording further out, and the tangent of its output."""
        if in_force() is not self.setting:
            if not self.is_open:
                return again(primitive, inputs, params)
            self.setting = placed_again()  # the function has told NumPy how to handle errors
        run, jvp, is_simple, is_linear, makes_zeros, makes_views, has_plain_rules = (
            primitive.pushed or primitive.at_push()
        )
        values: list[Any] = []
        tangents: list[Any] = []
        is_traced = is_nested = False
        for value in inputs:
            tangent = None
            if type(value) is Tracer:
                if value.recording is self:
                    value, tangent = value.value, value.known_as  # noqa: PLW2901
                    if type(tangent) is Tracer:
                        is_nested = True
                elif value.recording.is_plain:
                    value = value.value  # noqa: PLW2901
                if type(value) is Tracer:  # of an outer recording, perhaps: a constant here
                    is_traced = is_nested = True
            values.append(value)
            tangents.append(tangent)
        if is_nested and self.has_zeros:
            tangents = [self.keeping.mark(t) if may_hold_zeros(t) else t for t in tangents]
        if not is_simple:
            return self._record_of_many(primitive, inputs, values, tangents, params)
        place = begun = derivative = None
        try:
            if is_traced:
                output = bind(primitive, *values, **params)
                place = output.place if type(output) is Tracer else None
            else:
                try:
                    output = run(*values, **params)
                except (ValueError, TypeError, IndexError) as error:
                    raise_explained(error, primitive, values, params)
            place = place or recorded_place(3)
            if is_nested:
                around = derivative_here()
                derivative = begin_derivative(primitive, params, "tangent", place, around)
                begun = begin_rule(place) if has_plain_rules else None
            try:
                tangent = jvp(values, tangents, output, **params)
            except MissingRuleError as error:
                if not error.is_of(primitive.name, "jvp"):
                    raise
                tangent = jvp_from_vjp(primitive, values, tangents, output, params)
        except FunctraceError as error:
            error.at(source_of(place or user_place(3)))
            raise
        finally:
            if begun is not None:
                end_rule(begun)
            if derivative is not None:
                end_derivative(derivative)
        if makes_zeros or (self.has_zeros and not is_linear):
            tangent = self._with_zeros(
                primitive, values, tangents, output, tangent, params, makes_zeros
            )
        if tangent is None:
            return output
        tracer = Tracer()  # as `new_tracer` does, sooner
        tracer.recording = self
        tracer.value = output
        tracer.known_as = tangent
        tracer.place = place
        tracer.memory = tracer.base = None
        if makes_views:
            if primitive.reads_part and id(values[0]) in self.written:
                self._read_apart(tracer, values[0])
            share_memory(inputs[0], tracer, primitive, params)
        return tracer

    def record_over(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """As `record`; in place where nobody else refers to the array, and to its tangent."""
        tracer, *rest = inputs
        if not (
            self.is_open
            and primitive.writes_over
            and tracer.recording is self
            and type(tracer.value) is type(tracer.known_as) is np.ndarray
            and in_force() is self.setting
        ):
            return self.record(primitive, inputs, params)
        values: list[Any] = []
        tangents: list[Any] = []
        for x in rest:
            is_own = type(x) is Tracer and x.recording is self
            value, tangent = (x.value, x.known_as) if is_own else (x, None)
            if type(value) is Tracer or type(tangent) is Tracer:
                return self.record(primitive, inputs, params)
            values.append(value)
            tangents.append(tangent)
        array, tangent = tracer.value, tracer.known_as
        pushed = tangent.dtype.type(0) if tangents[0] is None else tangents[0]
        references = sys.getrefcount(array), sys.getrefcount(tangent)
        try:
            output = _written(primitive, array, values, params, references[0])
        except (ValueError, TypeError, IndexError) as error:
            raise_explained(error, primitive, (array, *values), params)
        tangent = _written(primitive, tangent, (pushed, *values[1:]), params, references[1])
        self.has_zeros = True
        self.written |= {id(output), id(tangent)}
        return new_tracer(self, output, tangent, recorded_place(2))

    def _read_apart(self, tracer: Tracer, array: Any) -> None:
        """Let what is read of an array that is written refer to no memory of that.

        Where most of the array is read it stays as it is: to copy all before the next write takes
        no longer than what is done with it.
        """
        output, tangent = tracer.value, tracer.known_as
        if type(output) is type(tangent) is np.ndarray and 2 * output.nbytes <= array.nbytes:
            tracer.value = output if output.base is None else copied_close(output)
            tracer.known_as = tangent if tangent.base is None else copied_close(tangent)

    def _record_of_many(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        values: Sequence[Any],
        tangents: Sequence[Any],
        params: dict[str, Any],
    ) -> Any:
        """As `record`, for what has several outputs, or none that has a tangent."""
        if primitive.is_transparent:
            return tuple(inputs) if primitive.multiple_outputs else inputs[0]
        makes_zeros = primitive.makes_zero_tangents
        place = derivative = None
        try:
            holds = primitive.holds_programs
            output: Any = None if holds else bind(primitive, *values, **params)
            if primitive.locally_constant and not holds:
                return output
            place = recorded_place(4)
            around = derivative_here()
            derivative = begin_derivative(primitive, params, "tangent", place, around)
            if holds:
                output, tangent = _pushed(primitive, values, tangents, params)
                require_further_out([*output, *tangent], self)
                programs = programs_in(params)
                makes_zeros = makes_zeros or any(program.makes_zeros for program in programs)
                self.tells_apart = self.tells_apart or any(x.may_coincide for x in programs)
            else:
                if primitive.may_coincide:
                    output = told_apart(primitive, output)
                    self.tells_apart = True
                tangent = jvp_of(primitive, values, tangents, output, params)
        except FunctraceError as error:
            error.at(source_of(place or recorded_place(4)))
            raise
        finally:
            if derivative is not None:
                end_derivative(derivative)
        if makes_zeros or self.has_zeros:
            tangent = self._with_zeros(
                primitive, values, tangents, output, tangent, params, makes_zeros
            )
        outputs = tuple(
            value if part is None else new_tracer(self, value, part, place)
            for value, part in zip(output, tangent, strict=True)
        )
        if primitive.makes_views:
            share_parts(inputs[0], outputs, primitive, params)
        return outputs

    def _with_zeros(
        self,
        primitive: Primitive,
        values: Sequence[Any],
        tangents: Sequence[Any],
        output: Any,
        tangent: Any,
        params: dict[str, Any],
        makes_zeros: bool,
    ) -> Any:
        """An output's tangent (or tuple of them) with zeros that stay zero.

        Where its numbers are known they are looked at, and if need be computed again with care.
        Where they are not, or are to be differentiated further, the tangent is marked.
        """
        self.has_zeros = True
        if type(tangent) is Tracer:  # as most are, where there is one
            return self.keeping.mark(tangent) if makes_zeros else tangent
        parts = tangent if primitive.multiple_outputs else (tangent,)
        if any(type(part) is Tracer for part in parts):
            if makes_zeros:
                parts = tuple(map(self.keeping.mark, parts))
        elif not are_finite(parts):
            marked = [*map(self.keeping.mark, tangents)]
            try:
                if primitive.holds_programs:
                    tangent = primitive.push_forward(values, marked, params)[1]
                else:
                    tangent = jvp_of(primitive, values, marked, output, params)
            except Exception as error:
                if not is_users_error(error):
                    raise
                return tangent  # a rule of the user's can only take arrays
            parts = tangent if primitive.multiple_outputs else (tangent,)
            parts = tuple(map(self.keeping.value_of, parts))
        return parts if primitive.multiple_outputs else parts[0]

    def value_of(self, x: Any) -> Any:
        """What a value returned by the function is, one recording further out."""
        value = super().value_of(x)
        return as_found(value, self.tells_apart) if type(value) is Tracer else value

    def makes_zeros(self, x: Any) -> bool:
        """Whether there may be zeros in the tangent of a value that are to stay."""
        is_ours = isinstance(x, Tracer) and x.recording is self
        return is_ours and self.keeping.marks(limit_of(x.known_as, self.tells_apart))

    def tangent_of(self, x: Any) -> Any:
        """The tangent of a value returned by the function; zeros for a constant."""
        if isinstance(x, Tracer) and x.recording is self:
            return self.keeping.value_of(limit_of(x.known_as, self.tells_apart))
        return zeros_of(x)


def _written(
    primitive: Primitive,
    array: np.ndarray,
    others: Sequence[Any],
    params: dict[str, Any],
    references: int,
) -> Any:
    """What a write makes of an array of a tracer, to which there are so many references."""
    is_alone = references == ALONE + 1 and owns_its_memory(array)
    return (primitive.run_over if is_alone else primitive.run)(array, *others, **params)


def _pushed(
    primitive: Primitive, values: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]
) -> tuple[Any, Any]:
    """The output and tangent of a primitive that holds Programs."""
    known = youngest_birth(values)
    if youngest_birth(tangents) <= known:
        return primitive.push_forward(values, tangents, params)
    pushed = primitive.push_later(values, tangents, params)
    if pushed is None:
        pushed = primitive.push_forward(values, tangents, with_programs(params, without_effects))
        if youngest_birth(pushed[0]) > known:
            return bind(primitive, *values, **params), pushed[1]
    return pushed


def zeros_of(x: Any) -> Any:
    """The zero tangent of a value; None for a value that can have no tangent."""
    return zeros_for(x) if type_of(x).is_inexact else None


@overload
def jvp(
    fun: Callable[..., R],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: Literal[False] = False,
) -> tuple[R, Any]: ...
@overload
def jvp(
    fun: Callable[..., tuple[R, Aux]],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: Literal[True],
) -> tuple[R, Any, Aux]: ...
@overload
def jvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool
) -> Any: ...
@boundary
def jvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> Any:
    """Evaluate a function and push tangents forward through it.

    Args:
        fun: The function; its arguments and its output are trees of arrays.
        primals: Its arguments, as a tuple or list.
        tangents: One for each argument, of the same structure, shapes and dtypes. A leaf that is
            None is a zero tangent, and stands at the leaves that hold integers.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data, which is handed
            on and not differentiated.

    Returns:
        ``(output, output tangent)``, or ``(output, output tangent, auxiliary data)``. The output
        tangent has the structure of the output; where that holds integers it holds None.

    Raises:
        TangentError: A tangent does not fit its argument.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.jvp(np.sin, (0.0,), (2.0,))
        (np.float64(0.0), np.float64(2.0))
    """
    require_callable(fun, "jvp", "fun")
    primals = _arguments(primals, "primals")
    tangents = _arguments(tangents, "tangents")
    leaves, structure = tree.flatten(tuple(primals))

    def name_of(index: int) -> str:
        return primal_name(fun, structure.paths()[index])

    is_active = require_inexact(leaves, name_of, allow_int=True)
    given = checked_tangents(tuple(tangents), structure, [type_of(x) for x in leaves], fun)
    with TangentRecording() as recording:
        recording.has_zeros = any(map(may_hold_zeros, given))
        inputs = [
            x
            if not is_on or tangent is None
            else new_tracer(recording, plain(as_operand(x)), tangent)
            for x, tangent, is_on in zip(leaves, given, is_active, strict=True)
        ]
        arguments = structure.unflatten(inputs)
        if all(type(x) is Tracer and x.recording is recording for x in inputs):  # its own, then
            output = fun(*arguments)
        else:
            output = call_apart(fun, arguments)
        output, aux = split_aux(output, has_aux)
        results, out_structure = tree.flatten(output)
        others, aux_structure = tree.flatten(aux)
        for x in (*results, *others):
            if isinstance(x, Tracer):
                require_usable(x)  # a view whose array was written is made again
        pushed = [as_scalar_result(recording.tangent_of(x)) for x in results]
        # What is no tracer of this function may be any array of the user's.
        values = [
            recording.value_of(x)
            if isinstance(x, Tracer) and x.recording is recording
            else owned(recording.value_of(x))
            for x in (*results, *others)
        ]
    count = len(results)
    found = apart([*pushed, *values], (*leaves, *given))
    out_tangents = out_structure.unflatten(found[:count])
    output = out_structure.unflatten(found[count : 2 * count])
    if not has_aux:
        return output, out_tangents
    return output, out_tangents, aux_structure.unflatten(found[2 * count :])


def _arguments(given: Any, name: str) -> Sequence[Any]:
    """The arguments of the function, or their tangents, once they are known to be a tuple."""
    if isinstance(given, tuple | list):
        return given  # pyright: ignore[reportUnknownVariableType]
    try:
        kind = f"a value of type {type_of(given)}"
    except TypeError:
        kind = f"a {type(given).__qualname__}"
    raise ArgumentError(
        f"jvp takes the {name} as a tuple with one entry for each argument, and was given {kind}.",
        source_of(user_place(2)),
        "Write functrace.jvp(f, (x,), (v,)).",
    )
