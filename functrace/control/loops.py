"""Loops under JAX's names: scan, while_loop and fori_loop.

Outside every transformation they are Python loops. Inside, anything may be traced: the init, the
rows, and whatever the functions close over. So the functions are recorded, once, and the loop is
one operation on all that they take; where none of that is traced, it runs at once. A function that
cannot be recorded, since it asks for values, is called trip by trip as long as they are known.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Literal, TypeVar

import numpy as np

from functrace import tree
from functrace.backends.compiling import evaluating
from functrace.control.bodies import next_carry, recorded_body, require_same
from functrace.control.checkpoint import checkpoint as remat
from functrace.control.looping import after_no_trip, known_body, scan_primitive, while_primitive
from functrace.errors import (
    ArgumentError,
    ArrayConversionError,
    CarryError,
    OperandError,
    ShapeMismatchError,
)
from functrace.ir.program import Program, output_types
from functrace.ir.types import UNKNOWN, ArrayType, native, result_dtype, row_type, type_of
from functrace.primitives.linear import brought_to, cast_to, in_dtype
from functrace.tracebacks import boundary
from functrace.tracing.draws import unheeded_draws
from functrace.tracing.entrances import is_recording
from functrace.tracing.layouts import copied
from functrace.tracing.operands import as_operand
from functrace.tracing.places import Place, source_of, user_place
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms.calling import owned
from functrace.transforms.comparing import TYPE_ERRORS
from functrace.transforms.evaluate import Recorded, record_program
from functrace.transforms.programs import closed_together
from functrace.transforms.scratch import recorded_with_writes
from functrace.transforms.transformed import require_callable

Checkpoint = int | Literal["sqrt"] | None
"""How often a loop keeps its carry for reverse mode."""

MOST_ROWS = 10**7
"""To so many a counter's values are the rows of an array; beyond, memory would run out first."""


@boundary
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    checkpoint: Checkpoint = None,
) -> tuple[Any, Any]:
    """Go along the first axis of arrays, handing a carry from row to row.

    As this Python code, with ``np.stack`` leaf by leaf::

        ys = []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, np.stack(ys)

    Args:
        f: Takes the carry and one row; returns the next carry and one row of the result.
        init: The first carry, a tree of arrays. It keeps its structure, shapes and dtypes.
        xs: A tree of arrays of which the first axes have the same length; None where ``f`` needs
            no rows.
        length: The number of trips, needed where ``xs`` holds no array.
        reverse: Whether to go from the last row to the first; rows of the result stay at their
            places.
        unroll: Taken for the sake of JAX's signature; it does not change the result.
        checkpoint: How often reverse mode keeps a carry: None for each trip, a number of trips,
            or "sqrt" for as many as there are carries kept. What lies between is computed again
            on the way back, from one kept carry at a time.

    Returns:
        The last carry, and the stacked rows of the result.

    Raises:
        CarryError: ``f`` returns a carry of another structure, shape or dtype, or no pair.
        ArgumentError: The lengths differ, or none is known; or an argument makes no sense.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
        (np.float64(6.0), array([0., 1., 3.]))
    """
    require_callable(f, "scan", "f")
    _require_unroll(unroll, "scan")
    rows, row_structure = tree.flatten(xs)
    rows = [as_operand(x) for x in rows]
    trips = _trips(rows, row_structure, length)
    carry, carry_structure = tree.flatten(init)
    carry = [as_operand(x) for x in carry]
    first, xs = carry_structure.unflatten(carry), row_structure.unflatten(rows)
    if checkpoint is not None and trips:
        return _scan_in_segments(f, first, xs, trips, _stride(checkpoint, trips), reverse)
    return _either(
        lambda: _scan_recorded(f, first, xs, None, trips, reverse),
        lambda: _scan_values(f, first, rows, row_structure, trips, reverse),
        (*carry, *rows),
    )


T = TypeVar("T")

unrolled: ContextVar[list[tuple[Place | None, Exception]] | None]
unrolled = ContextVar("unrolled", default=None)
"""Where somebody wants to know: the loops that are called trip by trip, and why."""


def _either(
    record: Callable[[], Callable[[], T]], call: Callable[[], T], values: Sequence[Any]
) -> T:
    """Loop as one operation, or in Python.

    Args:
        record: Records the functions; returns what applies the operation.
        call: Calls the functions trip by trip.
        values: The leaves of what the loop begins with.
    """
    is_plain = not is_recording() and not any(isinstance(x, Tracer) for x in values)
    if is_plain and not evaluating.get():  # else each operation is looked at, in loops too
        return call()
    try:
        apply = record()
    except CarryError:
        raise
    except Exception as error:
        # It may ask for values, by `if` or through another package. If not, it fails again.
        if any(innermost_value(x) is UNKNOWN for x in values):
            raise
        noted = unrolled.get()
        if noted is not None:
            noted.append((user_place(2), error))
    else:
        return apply()
    return call()


def _scan_recorded(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any,
    row_types: Sequence[ArrayType] | None,
    trips: int,
    reverse: bool,
    name: str = "scan",
) -> Callable[[], tuple[Any, Any]]:
    """Scan as one operation: what applies it to the recorded function.

    The types of the rows need be given only where the function takes them as Python numbers.
    """
    rows, row_structure = tree.flatten(xs)
    rows = [in_dtype(x, native(x.dtype)) if x.ndim == 1 else x for x in rows]  # as scalars are
    carry, carry_structure = tree.flatten(init)
    row_types = row_types or [row_type(type_of(x)) for x in rows]
    carry, recorded, pair = recorded_body(
        lambda carry, row: _pair(f(carry, row)),
        carry,
        carry_structure,
        (row_structure, row_types, rows),
        name,
    )
    (program,), captured = closed_together([recorded.program])
    program = known_body(_constants_first(program, len(captured)))
    count = len(carry)

    def apply() -> tuple[Any, Any]:
        outputs = bind(
            scan_primitive,
            *captured,
            *carry,
            *rows,
            body=program,
            constants=len(captured),
            carries=count,
            length=trips,
            reverse=bool(reverse),
        )
        return carry_structure.unflatten(outputs[:count]), pair[1].unflatten(outputs[count:])

    return apply


def _require_unroll(unroll: Any, name: str) -> None:
    """Check an argument that changes nothing here, so that what JAX refuses is refused."""
    if unroll is None or isinstance(unroll, bool | np.bool_):
        return
    if not isinstance(unroll, int | np.integer) or unroll < 1:
        raise ArgumentError(
            f"{name} was called with unroll={unroll!r}.",
            source_of(user_place(3)),
            "Give True, False, or a number of trips from 1 on; it does not change the result.",
        )


def _trips(rows: Sequence[Any], structure: tree.Structure, length: int | None) -> int:
    lengths: dict[str, int] = {}
    for x, path in zip(rows, structure.paths(), strict=True):
        shape = type_of(x).shape
        if not shape:
            raise ArgumentError(f"scan was given the scalar xs{tree.keystr(path)}: it has no rows.")
        lengths[f"xs{tree.keystr(path)}"] = shape[0]
    if length is not None:
        given: Any = length
        if isinstance(given, Tracer):
            operator.index(given)  # which says what to do where its value is unknown
        if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 0:
            raise ArgumentError(
                f"length={length!r} is no number of trips.",
                source_of(user_place(3)),
                "Give an integer that is known, of 0 or more.",
            )
        lengths["length"] = int(length)
    if not lengths:
        raise ArgumentError("scan was given no arrays and no length.", advice="Give length=.")
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ArgumentError(f"The lengths of scan differ: {found}.")
    return next(iter(lengths.values()))


def _stride(checkpoint: Checkpoint, trips: int) -> int:
    stride = math.isqrt(trips - 1) + 1 if checkpoint == "sqrt" else checkpoint
    if not isinstance(stride, int) or isinstance(stride, bool) or stride < 1:
        raise ArgumentError(
            f"checkpoint={checkpoint!r} is no number of trips.",
            advice='Give None, a positive integer, or "sqrt".',
        )
    return min(stride, trips)


def _scan_in_segments(
    f: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    xs: Any,
    trips: int,
    stride: int,
    reverse: bool,
) -> tuple[Any, Any]:
    """Scan over segments of ``stride`` rows, each of which reverse mode computes again."""

    def segment(carry: Any, rows: Any) -> tuple[Any, Any]:
        return _scan_recorded(f, carry, rows, None, stride, reverse)()

    whole = trips // stride * stride
    # The rows that fill no segment are the last ones that the scan comes to.
    first, last = (trips - whole, trips) if reverse else (0, whole)
    main = tree.map(
        lambda x: np.reshape(x[first:last], (whole // stride, stride, *x.shape[1:])), xs
    )
    count = whole // stride
    carry, results = _scan_recorded(remat(segment), carry, main, None, count, reverse)()
    results = tree.map(lambda y: np.reshape(y, (whole, *y.shape[2:])), results)
    if whole == trips:
        return carry, results
    rest = tree.map(lambda x: x[:first] if reverse else x[last:], xs)
    carry, more = _scan_recorded(f, carry, rest, None, trips - whole, reverse)()
    order = (more, results) if reverse else (results, more)
    return carry, tree.map(lambda a, b: np.concatenate([a, b]), *order)


def _pair(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise CarryError(
            f"The function under scan returned a {type(result).__qualname__}, not a pair.",  # pyright: ignore[reportUnknownArgumentType]
            advice="Return (carry, row of the result); None is a row of nothing.",
        )
    return result  # pyright: ignore[reportUnknownVariableType]


def _scan_values(
    f: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    rows: Sequence[Any],
    structure: tree.Structure,
    trips: int,
    reverse: bool,
) -> tuple[Any, Any]:
    """Scan in Python, over values."""
    if not trips:  # what the rows of the result are like, only recording tells
        return _scan_recorded(f, carry, structure.unflatten(rows), None, trips, reverse)()
    results: list[Any] = [None] * trips
    order = range(trips - 1, -1, -1) if reverse else range(trips)

    def call(carry: Any, trip: int) -> tuple[Any, Any]:
        row = structure.unflatten([_own(x[trip]) for x in rows])
        return _pair(_called_apart(f, carry, row))

    for trip in order:
        after, results[trip] = call(carry, trip)
        if trip == order[0]:
            types = require_same(carry, after, "scan")
            leaves, carry_structure = tree.flatten(carry)
            if any(x.dtype != type_of(y).dtype for x, y in zip(types, leaves, strict=True)):
                # Python numbers have the dtype that they take on from the first trip on.
                carry = carry_structure.unflatten(brought_to(types, leaves))
                after, results[trip] = call(carry, trip)
        carry = next_carry(carry, after, "scan")
    return carry, tree.map(_stacked_rows, *results)


def _called_apart(f: Callable[..., Any], carry: Any, *rest: Any) -> Any:
    """Call a body, which may write into its carry, and return the same array in several places."""
    return tree.map(_own, f(tree.map(_own, carry), *rest))


def _own(value: Any) -> Any:
    """The same value in memory of its own, in which it lies as it did."""
    return copied(value) if type(value) is np.ndarray else owned(value)


def _stacked_rows(*rows: Any) -> Any:
    """The rows of one leaf of a result as one array."""
    try:
        operands = [as_operand(x) for x in rows]
    except (OperandError, ArrayConversionError):
        raise OperandError(
            f"The function under scan returned a {type(rows[0]).__qualname__}, which is no array "
            "and no number.",
            source_of(user_place(2)),
            "Return arrays, numbers, and containers of them.",
        ) from None
    shapes = {type_of(x).shape: None for x in operands}
    if len(shapes) > 1:
        found = " and ".join(map(str, shapes))
        raise ShapeMismatchError(
            f"The rows that scan is to stack differ in shape: {found}.", source_of(user_place(2))
        )
    return np.stack(operands)


def _constants_first(program: Any, captured: int) -> Any:
    """A Program with its last inputs, the captured ones, before all others."""
    if not captured:
        return program
    inputs = program.inputs
    return type(program)(
        [*inputs[-captured:], *inputs[:-captured]], program.equations, program.outputs
    )


@boundary
def while_loop(
    cond_fun: Callable[[Any], Any],
    body_fun: Callable[[Any], Any],
    init_val: Any,
    *,
    checkpoint: Checkpoint = None,
) -> Any:
    """Repeat a function on its own result as long as a condition holds.

    Args:
        cond_fun: Takes the carry; returns a boolean scalar.
        body_fun: Takes the carry; returns the next one, of the same structure, shapes and dtypes.
        init_val: The first carry, a tree of arrays.
        checkpoint: How often reverse mode keeps a carry: None for each trip, a number of trips,
            or "sqrt" for ever longer segments, of 1, 2, 3, ... trips. What lies between is
            computed again on the way back, from one kept carry at a time.

    Returns:
        The first carry for which the condition does not hold. It can be differentiated in both
        modes: reverse mode keeps what each trip needs.

    Raises:
        CarryError: ``body_fun`` returns a carry of another structure, shape or dtype.

    Example:
        >>> import functrace as ft
        >>> ft.while_loop(lambda x: x < 100.0, lambda x: x * x, 3.0)
        6561.0
        >>> ft.grad(ft.jit(lambda x: ft.while_loop(lambda x: x < 100.0, lambda x: x * x, x)))(3.0)
        np.float64(17496.0)
    """
    require_callable(cond_fun, "while_loop", "cond_fun")
    require_callable(body_fun, "while_loop", "body_fun")
    carry, structure = tree.flatten(init_val)
    carry = [as_operand(x) for x in carry]
    value = structure.unflatten(carry)
    if checkpoint is not None:
        return _while_in_segments(cond_fun, body_fun, value, checkpoint)
    return _either(
        lambda: _while_recorded(cond_fun, body_fun, value),
        lambda: _while_values(cond_fun, body_fun, value),
        carry,
    )


def _while_values(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], value: Any
) -> Any:
    """Loop in Python, over values."""
    goes_on = cond_fun(value)
    _require_condition(goes_on)
    if not goes_on:
        return _as_after_a_trip(body_fun, value, "while_loop")
    while goes_on:
        value = next_carry(value, _called_apart(body_fun, value), "while_loop")
        goes_on = cond_fun(value)
        if not isinstance(goes_on, bool):
            _require_condition(goes_on)
    return value


def _as_after_a_trip(body_fun: Callable[[Any], Any], value: Any, name: str) -> Any:
    """The first carry of a loop without trips, in the types and classes that a trip would give."""
    carry, structure = tree.flatten(value)
    try:
        with unheeded_draws():
            carry, recorded, _ = recorded_body(body_fun, carry, structure, None, name)
            (program,), captured = closed_together([recorded.program])
            program = _constants_first(program, len(captured))
    except TYPE_ERRORS:
        raise
    except Exception:  # noqa: BLE001  (it cannot be recorded, and will not be called)
        return tree.map(owned, value)
    return structure.unflatten(map(owned, after_no_trip(program, captured, carry)))


def _while_recorded(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], value: Any
) -> Callable[[], Any]:
    """Loop as one operation: what applies it to the recorded functions."""
    structure = tree.structure(value)
    carry = [as_operand(x) for x in tree.leaves(value)]
    carry, body, _ = recorded_body(body_fun, carry, structure, None, "while_loop")
    arguments = tree.structure((0,)).compose(structure)

    def record(call: Callable[[Any], Any]) -> tuple[Recorded, Program]:
        condition = record_program(call, arguments, [type_of(x) for x in carry])
        if condition.row_major:  # what it writes is gone with it; how the next carry lies is open
            unknown = [UNKNOWN] * len(carry)
            condition = record_program(call, arguments, [*map(type_of, carry)], unknown)
        return condition, condition.program

    condition = recorded_with_writes(cond_fun, record)
    types = output_types(condition.program)
    if condition.structure is not tree.LEAF or types[0].shape or types[0].dtype.kind != "b":
        raise _condition_error(types[0] if types else None)
    programs, captured = closed_together([condition.program, body.program])
    first = len(captured)

    def apply() -> Any:
        outputs = bind(
            while_primitive,
            *captured,
            *carry,
            condition=known_body(_constants_first(programs[0], first)),
            body=known_body(_constants_first(programs[1], first)),
            constants=first,
        )
        return structure.unflatten(list(outputs))

    return apply


def _while_in_segments(
    cond_fun: Callable[[Any], Any],
    body_fun: Callable[[Any], Any],
    value: Any,
    checkpoint: Checkpoint,
) -> Any:
    """Loop over segments, each of which reverse mode computes again."""
    grows = checkpoint == "sqrt"
    stride = np.int64(1 if grows else _stride(checkpoint, sys.maxsize))

    @remat
    def segment(state: Any) -> Any:
        length, value = state
        _, value = while_loop(
            lambda inner: np.logical_and(inner[0] < length, cond_fun(inner[1])),
            lambda inner: (inner[0] + 1, body_fun(inner[1])),
            (np.int64(0), value),
        )
        return length + np.int64(grows), value

    return _while_recorded(lambda state: cond_fun(state[1]), segment, (stride, value))()[1]


def _require_condition(goes_on: Any) -> None:
    """Check that a condition that is known is one boolean."""
    leaves, structure = tree.flatten(goes_on)
    types = [type_of(as_operand(x)) for x in leaves]
    if structure is not tree.LEAF or types[0].shape or types[0].dtype.kind != "b":
        raise _condition_error(types[0] if structure is tree.LEAF else None)


def _condition_error(type: ArrayType | None) -> ArgumentError:
    return ArgumentError(
        f"The condition of while_loop must return a boolean scalar, not {type or 'a container'}.",
        source_of(user_place(3)),
        "Return one boolean, for instance by np.any or np.all.",
    )


@boundary
def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any,
    *, unroll: int | bool | None = None,
) -> Any:  # fmt: skip
    """Repeat a function of a counter and a carry.

    Args:
        lower: The first value of the counter, an integer.
        upper: The counter stays below this integer. If both bounds are Python's, the counter is a
            Python number, which takes on the dtype of the arrays that it meets; else it has the
            dtype of the bounds. If both are floats, it is one, too.
        body_fun: Takes the counter and the carry; returns the next carry, of the same structure,
            shapes and dtypes.
        init_val: The first carry, a tree of arrays.
        unroll: Taken for the sake of JAX's signature; it does not change the result.

    Returns:
        The last carry. It can be differentiated in both modes, even where the bounds are traced.

    Raises:
        CarryError: ``body_fun`` returns a carry of another structure, shape or dtype.
        ArgumentError: The bounds are no integers, or ``unroll`` is no number of trips.

    Example:
        >>> import functrace as ft
        >>> ft.fori_loop(1, 5, lambda i, product: product * i, 1.0)
        24.0
    """
    require_callable(body_fun, "fori_loop", "body_fun")
    _require_unroll(unroll, "fori_loop")
    types = [type_of(as_operand(bound)) for bound in (lower, upper)]
    kinds = {type.dtype.kind for type in types}
    for type in types:
        if type.shape != () or type.dtype.kind not in "biuf" or (kinds != {"f"} and "f" in kinds):
            raise ArgumentError(
                f"The bounds of fori_loop must be integers, not {types[0]} and {types[1]}.",
                source_of(user_place(2)),
                "Write int(...) or // around what is no integer.",
            )
    counter = _counter_type(*types)
    known = innermost_value(lower), innermost_value(upper)
    if counter.dtype.kind != "f":
        for bound, least in zip(known, (0, 1), strict=True):
            _require_countable(bound, least, counter)
    if UNKNOWN not in known and kinds != {"f"}:
        first, end = map(int, known)
        if end - first <= MOST_ROWS:
            return _fori_known(range(first, end), counter, body_fun, init_val)
    # A Python number that is not known may not fit into the other bound's dtype, in which no
    # counter would reach it.
    is_open = any(type.weak and bound is UNKNOWN for type, bound in zip(types, known, strict=True))
    is_wide = is_open and not counter.weak and counter.dtype.kind != "f"
    counted = ArrayType((), np.dtype(np.int64)) if is_wide else counter
    as_seen = (lambda i: cast_to(i, counter.dtype)) if is_wide else (lambda i: i)
    _, result = while_loop(
        lambda pair: pair[0] < upper,
        lambda pair: (pair[0] + 1, body_fun(as_seen(pair[0]), pair[1])),
        (lower if type_of(lower) == counted else _as_counter(lower, counted), init_val),
    )
    return result


def _require_countable(bound: Any, more: int, counter: ArrayType) -> None:
    """Check that a bound, less what it is above the last number, is of the counter's dtype.

    Raises:
        ArgumentError: It is not.
    """
    limits = np.iinfo(counter.dtype)
    if bound is not UNKNOWN and not limits.min <= int(bound) <= limits.max + more:
        raise ArgumentError(
            f"The bound {bound} of fori_loop does not fit into {counter.dtype}, the dtype of the "
            "other one, which the counter has.",
            source_of(user_place(3)),
            "Write int(...) around the other bound, or give it a wider dtype.",
        )


def _counter_type(lower: ArrayType, upper: ArrayType) -> ArrayType:
    """The type of a counter between bounds: a Python number, if both are, or of their dtype."""
    dtype = result_dtype(lower, upper)
    if dtype.kind == "b" or (dtype.kind == "f" and lower.dtype.kind != "f"):  # uint64 and int64
        dtype = np.dtype(np.int64)
    return ArrayType((), dtype, lower.weak and upper.weak)


def _as_counter(lower: Any, counter: ArrayType) -> Any:
    """The first value of a counter; Python's booleans count from 0 or 1."""
    return lower + 0 if counter.weak else cast_to(lower, counter.dtype)


def _fori_known(
    trips: range, counter: ArrayType, body_fun: Callable[[Any, Any], Any], init: Any
) -> Any:
    """Count between bounds that are known."""
    carry, structure = tree.flatten(init)
    carry = [as_operand(x) for x in carry]
    value = structure.unflatten(carry)

    def record() -> Callable[[], Any]:
        rows = np.arange(trips.start, trips.stop, dtype=counter.dtype)
        step = lambda carry, i: (body_fun(i, carry), None)  # noqa: E731
        apply = _scan_recorded(step, value, rows, [counter], len(rows), False, "fori_loop")
        return lambda: apply()[0]

    def call() -> Any:
        carry = value
        number = int if counter.weak else counter.dtype.type
        if not trips:
            first = number(trips.start)
            return _as_after_a_trip(lambda carry: body_fun(first, carry), carry, "fori_loop")
        for i in trips if counter.weak else map(number, trips):
            after = _called_apart(lambda carry: body_fun(i, carry), carry)  # noqa: B023
            carry = next_carry(carry, after, "fori_loop")
        return carry

    return _either(record, call, carry)
