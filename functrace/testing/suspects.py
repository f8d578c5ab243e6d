"""Which rule is wrong where a derivative is: each operation's own is held against differences."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.errors import LeakedTracerError
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import Program, Source
from functrace.ir.structure import Choice, Loop, Run, nearest
from functrace.ir.types import type_of
from functrace.rules.custom_call import Application
from functrace.testing.comparing import agree, pairing, random, tolerances
from functrace.testing.numerical import numerical_jvp
from functrace.tracing.places import Place, source_of
from functrace.tracing.tracer import bind
from functrace.transforms.evaluate import run_program
from functrace.transforms.forward import jvp
from functrace.transforms.reverse import vjp
from functrace.transforms.tape import Tape

Operation = tuple[Primitive, Sequence[Any], Sequence["int | None"], dict[str, Any], "Place | None"]
"""A primitive, its inputs, which of them are variables, its parameters, and the user's place."""


class Suspect(NamedTuple):
    """An operation whose derivative rule disagrees with finite differences.

    Attributes:
        operation: The name of the primitive, or of the user's function with rules.
        mode: "jvp" or "vjp".
        rule: Where the rule is written: file, line, and function.
        place: The user's line that applies the operation; empty where it is not known.
        error: By how many times of what is tolerated it is wrong.
    """

    operation: str
    mode: str
    rule: str
    place: str
    error: float

    def __str__(self) -> str:
        applied = f", applied at {self.place}" if self.place else ""
        return f"the {self.mode} rule of {self.operation}, at {self.rule}{applied}"


def suspect(f: Callable[..., Sequence[Any]], leaves: Sequence[Any], mode: str) -> Suspect | None:
    """The operation in a function whose rule is most wrong; None if all are right.

    Args:
        f: A function from floating-point or complex leaves to a list of such.
        leaves: Its arguments.
        mode: Which rules are looked at, "jvp" or "vjp".
    """
    found = _suspects(f, leaves, mode)
    return max(found, key=lambda one: one.error, default=None)


def _suspects(
    f: Callable[..., Sequence[Any]], leaves: Sequence[Any], mode: str
) -> Iterator[Suspect]:
    with Tape(outlives=True) as tape:
        f(*tape.lifted(leaves, [type_of(x).is_inexact for x in leaves]))
    for primitive, values, variables, params, _, _, place in tape.rows:
        # A row may hold the way back of one application in place of the primitive.
        primitive = PRIMITIVES.get(primitive.name, primitive)  # noqa: PLW2901
        operation = primitive, values, variables, params, place
        try:
            wrong = _checked(operation, mode)
        except LeakedTracerError:
            continue  # it closes over values of the tape, and cannot be applied again
        if wrong is not None:
            inside = [*_inside(operation, mode)] if primitive.holds_programs else []
            yield from inside or [wrong]


def _checked(operation: Operation, mode: str) -> Suspect | None:
    """The operation itself, if its rule is wrong for one of the inputs."""
    primitive, values, variables, params, place = operation
    rng = np.random.default_rng(0)
    worst, input = 0.0, -1
    for number, (x, variable) in enumerate(zip(values, variables, strict=True)):
        if variable is None or not type_of(x).is_inexact:
            continue

        def applied(moved: Any, number: int = number) -> list[Any]:
            given = [*values[:number], moved, *values[number + 1 :]]
            output = bind(primitive, *given, **params)
            outputs = output if primitive.multiple_outputs else (output,)
            return [y for y in outputs if type_of(y).is_inexact]

        error = _error(applied, x, mode, rng)
        if error > worst:
            worst, input = error, number
    if input < 0:
        return None
    function = params.get("function")
    is_users = isinstance(function, Application)
    name = function.name if is_users else primitive.name
    given = {}
    if is_users and function.custom is not None:
        given = {"jvp": function.custom._jvp, "vjp": function.custom._backward}
    rule = _rule(primitive, given, mode, input)
    where = str(source_of(place) or "")
    return Suspect(name, mode, str(Source(rule.__code__, -1)), where, worst)


def _error(f: Callable[[Any], list[Any]], x: Any, mode: str, rng: np.random.Generator) -> float:
    """How wrong a derivative is, in units of what is tolerated; 0 where it is right."""
    if not np.isfinite(x).all():
        return 0.0  # there are no differences to compare it with
    with np.errstate(all="ignore"):
        outputs = f(x)
        tangent, cotangents = random(rng, type_of(x)), [random(rng, type_of(y)) for y in outputs]
        expected, scale = pairing(cotangents, numerical_jvp(f, (x,), (tangent,)))
        if mode == "jvp":
            found, own = pairing(cotangents, jvp(f, (x,), (tangent,))[1])
        else:
            found, own = pairing(vjp(f, x)[1](cotangents), [tangent])
    rtol, atol = tolerances([*map(type_of, (x, *outputs))], None, None)
    tolerance = atol + rtol * min(scale, own)
    if not np.isfinite(expected) or agree(found, expected, tolerance):
        return 0.0
    return abs(found - expected) / tolerance if np.isfinite(found) else np.inf


def _rule(
    primitive: Primitive, given: dict[str, Callable[..., Any] | None], mode: str, input: int
) -> Any:
    """The function that states the derivative by an input: the rule of the mode, or the other."""
    modes = ("vjp", "jvp") if mode == "vjp" else ("jvp", "vjp")
    for name in modes:
        rule = given.get(name) or getattr(primitive, f"given_{name}", None)
        if rule is not None:
            return _function(rule)
    partials = getattr(primitive, "partials", ())
    if input < len(partials):
        return _function(partials[input])
    others = ("transpose", "keep_residuals", "push_forward", "run")
    for cls in type(primitive).__mro__:
        for name in (*modes, *others):
            if name in vars(cls):
                return _function(vars(cls)[name])
    raise AssertionError(primitive)  # it has `run`


def _function(rule: Any) -> Any:
    """The plain function behind a rule: a method, a partial application, a decorated one."""
    while not hasattr(rule, "__code__"):
        rule = getattr(rule, "func", None) or getattr(rule, "__func__", None) or type(rule).__call__
    return inspect.unwrap(rule)


def _inside(operation: Operation, mode: str) -> Iterator[Suspect]:
    """What is wrong in the Programs that an operation runs for its inputs."""
    primitive, values, _, params, _ = operation
    match primitive.structure(values, params):
        case Run(program, inputs):
            yield from _in_program(program, inputs, mode)
        case Choice(index, branches, operands, examples=None):
            yield from _in_program(branches[nearest(index, len(branches))], operands, mode)
        case Loop() as loop:
            yield from _in_trips(loop, mode)
        case _:
            pass


def _in_program(program: Program, inputs: Sequence[Any], mode: str) -> Iterator[Suspect]:
    active = [n for n, x in enumerate(inputs) if type_of(x).is_inexact]

    def f(*leaves: Any) -> list[Any]:
        given = list(inputs)
        for number, leaf in zip(active, leaves, strict=True):
            given[number] = leaf
        return run_program(program, given)

    return _suspects(f, [inputs[n] for n in active], mode)


def _in_trips(loop: Loop[Any], mode: str) -> Iterator[Suspect]:
    constants, carries = list(loop.constants), list(loop.carries)
    trips = loop.length
    if loop.needs_row:
        trips = len(loop.rows[0])
    trip = 0
    while trip < trips if trips is not None else _goes_on(loop, constants, carries):
        place = trips - 1 - trip if trips is not None and loop.reverse else trip
        given = [*constants, *carries, *(row[place] for row in loop.rows)]
        yield from _in_program(loop.body, given, mode)
        carries = run_program(loop.body, given)[: len(carries)]
        trip += 1


def _goes_on(loop: Loop[Any], constants: Sequence[Any], carries: Sequence[Any]) -> bool:
    return loop.condition is not None and bool(
        run_program(loop.condition, [*constants, *carries])[0]
    )
