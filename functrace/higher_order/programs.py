"""Programs made from Programs: what the rules of primitives that hold Programs are built from.

Each function records a transformation of a Program into a new Program, once: what was derived from
a Program is kept with it. Programs that primitives hold are closed: values that they would capture
from outside become inputs (`closed`), because a recording sees the inputs of an operation only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from functrace.tracing import ProgramRecording, Tracer
from functrace.transforms.batch import batch_program
from functrace.transforms.evaluate import evaluate
from functrace.transforms.forward import TangentRecording
from functrace.transforms.reverse import Tape, backward, consumed
from functrace.transforms.transpose import transpose_program

T = TypeVar("T")
Mask = tuple[bool, ...]


def derived(program: Program, key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """What was made from a Program under this key before, or else what is made now."""
    if key not in program.derived:
        program.derived[key] = make()
    return program.derived[key]


def closed(program: Program) -> tuple[Program, list[Any]]:
    """Turn the tracers that a Program captured into inputs.

    Returns:
        The Program with one more input for each captured tracer, and these tracers.
    """
    inputs: dict[Any, Variable] = {}
    captured: list[Tracer] = []

    def close(atom: Atom) -> Atom:
        if not isinstance(atom, Constant) or not isinstance(atom.value, Tracer):
            return atom
        tracer = atom.value
        variable = tracer.variable
        name = variable if isinstance(variable, int | Variable) else id(variable)
        key = (tracer.recording.birth, name)
        if key not in inputs:
            inputs[key] = Variable(atom.type)
            captured.append(tracer)
        return inputs[key]

    equations = [
        Equation(e.primitive, [close(a) for a in e.inputs], e.params, e.outputs, e.source)
        for e in program.equations
    ]
    outputs = [close(atom) for atom in program.outputs]
    if not captured:
        return program, []
    return Program([*program.inputs, *inputs.values()], equations, outputs), captured


def output_types(program: Program) -> tuple[ArrayType, ...]:
    """The types of a Program's outputs."""
    return tuple(atom.type for atom in program.outputs)


class PushedForward(NamedTuple):
    """A Program in forward mode.

    Attributes:
        program: Takes the inputs and the tangents of those that have one; returns the outputs and
            the tangents of those that have one.
        has_tangent: Which outputs have a tangent; those of the others are zero.
    """

    program: Program
    has_tangent: Mask


def pushed_forward(program: Program, is_active: Mask) -> PushedForward:
    """The Program in forward mode, for tangents at the active inputs."""

    def make() -> PushedForward:
        with ProgramRecording() as outer:
            primals = [outer.input(v.type) for v in program.inputs]
            tangents = {
                index: outer.input(strong_type(program.inputs[index].type))
                for index, active in enumerate(is_active)
                if active
            }
            with TangentRecording() as inner:
                inputs = [
                    Tracer(inner, x, tangents[index]) if index in tangents else x
                    for index, x in enumerate(primals)
                ]
                outputs = evaluate(program, *inputs)
                values = [inner.value_of(x) for x in outputs]
                mask = [isinstance(x, Tracer) and x.recording is inner for x in outputs]
                pushed = [inner.tangent_of(x) for x, on in zip(outputs, mask, strict=True) if on]
            return PushedForward(outer.program([*values, *pushed]), tuple(mask))

    return derived(program, ("pushed forward", is_active), make)


class ResidualForm(NamedTuple):
    """A Program in reverse mode, as two Programs.

    Attributes:
        forward: Takes the inputs; returns the outputs and the residuals.
        backward: Takes the residuals and the cotangents of the outputs that have one; returns
            the cotangents of the inputs that have one.
        takes_cotangent: Which outputs depend on the active inputs.
        gives_cotangent: Which inputs get a cotangent; those of the others are zero.
    """

    forward: Program
    backward: Program
    takes_cotangent: Mask
    gives_cotangent: Mask


def residual_form(program: Program, is_active: Mask) -> ResidualForm:
    """The Program in reverse mode, for cotangents of the active inputs.

    The forward pass is recorded, and inside it the backward pass. The residuals are whatever the
    backward pass captures from the forward pass.
    """

    def make() -> ResidualForm:
        with ProgramRecording() as forward:
            primals = [forward.input(v.type) for v in program.inputs]
            with Tape() as tape:
                inputs = [
                    tape.lift(x) if active else x
                    for x, active in zip(primals, is_active, strict=True)
                ]
                outputs = evaluate(program, *inputs)
                values = [tape.value_of(x) for x in outputs]
                variables = [tape.variable_of(x) for x in outputs]
            with ProgramRecording() as reverse:
                cotangents: list[Any] = [None] * tape.variables
                for atom, variable in zip(program.outputs, variables, strict=True):
                    if variable is not None:
                        given = reverse.input(strong_type(atom.type))
                        so_far = cotangents[variable]
                        cotangents[variable] = given if so_far is None else so_far + given
                backward(consumed(tape.rows), cotangents)
                parts: list[Any] = [None] * len(primals)
                number = 0
                for index, active in enumerate(is_active):
                    if active:
                        parts[index] = cotangents[number]
                        number += 1
                body, residuals = closed(
                    reverse.program([part for part in parts if part is not None])
                )
            count = len(body.inputs) - len(residuals)
            body = Program(
                [*body.inputs[count:], *body.inputs[:count]], body.equations, body.outputs
            )
            return ResidualForm(
                forward.program([*values, *residuals]),
                body,
                tuple(variable is not None for variable in variables),
                tuple(part is not None for part in parts),
            )

    return derived(program, ("residual form", is_active), make)


class Batched(NamedTuple):
    """A Program for many examples at once.

    Attributes:
        program: Takes the inputs, some with one axis more.
        axes: The batch axis of each output; None where all examples share it.
    """

    program: Program
    axes: tuple[int | None, ...]


def batched(program: Program, size: int, axes: Sequence[int | None]) -> Batched:
    """The Program for ``size`` examples, with batch axes at these inputs."""

    def make() -> Batched:
        with ProgramRecording() as recording:
            inputs = [
                recording.input(v.type if axis is None else with_axis(v.type, size, axis))
                for v, axis in zip(program.inputs, axes, strict=True)
            ]
            outputs, output_axes = batch_program(program, size, inputs, axes)
            return Batched(recording.program(outputs), tuple(output_axes))

    return derived(program, ("batched", size, tuple(axes)), make)


def transposed(program: Program, is_linear: Mask) -> tuple[Program, Mask]:
    """The transpose of a Program that is linear in some of its inputs together.

    Returns:
        A Program that takes the other inputs and the cotangents of all outputs, and returns the
        cotangents of those linear inputs that have one; and which of the linear inputs these are.
    """

    def make() -> tuple[Program, Mask]:
        with ProgramRecording() as recording:
            known = {
                variable: recording.input(variable.type)
                for variable, linear in zip(program.inputs, is_linear, strict=True)
                if not linear
            }
            cotangents = [recording.input(strong_type(atom.type)) for atom in program.outputs]
            parts = transpose_program(program, cotangents, known)
            present = [part for part in parts if part is not None]
            mask = tuple(part is not None for part in parts)
            return recording.program(present), mask

    return derived(program, ("transposed", is_linear), make)


def strong_type(type: ArrayType) -> ArrayType:
    """The type of tangents and cotangents for values of a type."""
    return ArrayType(type.shape, type.dtype)


def with_axis(type: ArrayType, size: int, axis: int) -> ArrayType:
    """The type of ``size`` values of a type, counted along an axis."""
    return ArrayType((*type.shape[:axis], size, *type.shape[axis:]), type.dtype)


def zeros_of_type(type: ArrayType) -> Any:
    """Zeros of a type."""
    return np.zeros(type.shape, type.dtype)[()]
