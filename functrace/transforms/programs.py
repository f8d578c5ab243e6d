"""Programs made from Programs: what the rules of primitives that hold Programs are built from.

Each function records a transformation of a Program into a new Program, once: what was derived from
a Program is kept with it. Programs that primitives hold are closed: values that they would capture
from outside become inputs (`closed`), because a recording sees the inputs of an operation only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any, NamedTuple

from functrace.ir.primitive import AtWalkBack, Primitive, Values
from functrace.ir.program import Atom, Constant, Equation, Program, Variable, output_types
from functrace.ir.types import ANY_LENGTH, ArrayType, with_axis
from functrace.primitives import elementwise
from functrace.primitives.linear import cast, cast_to, cast_to_whole, in_each, zeros_of_type
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.recording import identity_of
from functrace.tracing.tracer import Tracer, bind, new_tracer
from functrace.transforms.backward import pull_back_with_zeros
from functrace.transforms.batch import batch_program
from functrace.transforms.evaluate import run_program, without_effects
from functrace.transforms.forward import TangentRecording
from functrace.transforms.masks import Mask, instantiated, selected
from functrace.transforms.tape import Tape
from functrace.transforms.transpose import transpose_program
from functrace.transforms.zeros import ZeroKeeping


def closed(program: Program) -> tuple[Program, list[Any]]:
    """Turn the tracers that a Program captured into inputs.

    Returns:
        The Program with one more input for each captured tracer, and these tracers.
    """
    (program,), captured = closed_together([program])
    return program, captured


def closed_together(programs: Sequence[Program]) -> tuple[list[Program], list[Any]]:
    """Turn the tracers that any of these Programs captured into inputs of all of them.

    Returns:
        The Programs, each with one more input for each captured tracer, and these tracers.
    """
    captured: dict[Any, Tracer] = {}
    for program in programs:
        for constant in program.constants():
            if isinstance(constant.value, Tracer):
                captured.setdefault(identity_of(constant.value), constant.value)
    if not captured:
        return list(programs), []
    return [_closed_over(program, captured) for program in programs], list(captured.values())


def _closed_over(program: Program, captured: dict[Any, Tracer]) -> Program:
    inputs = {key: Variable(tracer.type) for key, tracer in captured.items()}

    def close(atom: Atom) -> Atom:
        if isinstance(atom, Constant) and isinstance(atom.value, Tracer):
            return inputs[identity_of(atom.value)]
        return atom

    equations = [e.replaced(inputs=[close(a) for a in e.inputs]) for e in program.equations]
    outputs = [close(atom) for atom in program.outputs]
    return Program([*program.inputs, *inputs.values()], equations, outputs)


class Kept(NamedTuple):
    """Where residuals come from and go to, for reports.

    Attributes:
        values: The residuals.
        forward: The Program whose last outputs they are.
        backward: The Program that takes them.
        first: The number of the first of them among its inputs.
        carries: The inputs of ``forward`` that the trip before has made, if it is run in trips.
    """

    values: Sequence[Any]
    forward: Program
    backward: Program
    first: int
    carries: Sequence[Variable] = ()


class Pullback(Primitive):
    """The vjp rule of one application of a primitive, with the residuals that it keeps.

    Attributes:
        kept: What is known of the residuals.
    """

    multiple_outputs = True
    calls_python = True  # it may be a rule of the user's

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # as for other objects: nothing of it is kept

    def __init__(
        self,
        name: str,
        pull_back: Callable[[Sequence[Any]], Sequence[Any]],
        constant_outputs: frozenset[int] = frozenset(),
        *,
        makes_zeros: bool = False,
        kept: Kept | None = None,
    ) -> None:
        """Keep the function; it is no primitive that a Program could name."""
        self.kept = kept
        self.walked_back = None
        self.name = name
        self.makes_zeros = makes_zeros
        self.pull_back = pull_back
        self.constant_outputs = constant_outputs

    def at_walk_back(self) -> AtWalkBack:
        """As for any primitive; not kept, as it would hold itself, and the residuals."""
        return self.vjp, False, False, False, self.makes_zeros, False

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """Call the function."""
        return self.pull_back(cotangent)


def with_interface(
    program: Program,
    inputs: Sequence[ArrayType],
    used: Sequence[int],
    outputs: Sequence[ArrayType],
    given: Sequence[int],
) -> Program:
    """The same Program with more inputs, which it ignores, and more outputs, which are zeros.

    Args:
        program: The Program.
        inputs: The types of all inputs.
        used: For each input of the Program, its number among all inputs.
        outputs: The types of all outputs.
        given: For each output of the Program, its number among all outputs.
    """
    own = dict(zip(used, program.inputs, strict=True))
    atoms: dict[int, Atom] = dict(zip(given, program.outputs, strict=True))
    return Program(
        [own.get(number) or Variable(type) for number, type in enumerate(inputs)],
        program.equations,
        [atoms.get(number) or Constant(zeros_of_type(type)) for number, type in enumerate(outputs)],
    )


def with_output_types(program: Program, types: Sequence[ArrayType]) -> Program:
    """The same Program, with outputs of these types: Python scalars take on a dtype."""
    if output_types(program) == tuple(types):
        return program
    equations = list(program.equations)
    outputs: list[Atom] = []
    for atom, type in zip(program.outputs, types, strict=True):
        if atom.type == type:
            outputs.append(atom)
        elif isinstance(atom, Constant):
            outputs.append(Constant(cast_to(atom.value, type.dtype)))
        else:
            variable = Variable(type)
            primitive = cast if type.dtype.kind in "fc" else cast_to_whole
            equations.append(Equation(primitive, [atom], {"dtype": type.dtype}, [variable]))
            outputs.append(variable)
    return Program(program.inputs, equations, outputs)


class PushedForward(NamedTuple):
    """A Program in forward mode.

    Attributes:
        program: Takes the inputs and the tangents of those that have one; returns the outputs and
            the tangents of those that have one.
        has_tangent: Which outputs have a tangent; those of the others are zero.
        has_zeros: Of the tangents, which may hold zeros that are to stay.
    """

    program: Program
    has_tangent: Mask
    has_zeros: Mask


class _Pushed(NamedTuple):
    """Values, the tangents of those that have one, which these are, and which may hold zeros."""

    values: list[Any]
    tangents: list[Any]
    has_tangent: Mask
    has_zeros: Mask


def _pushed(
    program: Program, primals: Sequence[Any], tangents: Sequence[Any], wanted: Mask | None
) -> _Pushed:
    """Run a Program in forward mode; the wanted outputs have a tangent even where it is zero."""
    with TangentRecording() as inner:
        inputs = [
            x if tangent is None else new_tracer(inner, x, tangent)
            for x, tangent in zip(primals, tangents, strict=True)
        ]
        outputs = run_program(program, inputs)
        inner.tells_apart = inner.tells_apart and not program.tells_apart
        values = [inner.value_of(x) for x in outputs]
        mask = wanted or tuple(isinstance(x, Tracer) and x.recording is inner for x in outputs)
        chosen = [x for x, on in zip(outputs, mask, strict=True) if on]
        found = [inner.tangent_of(x) for x in chosen]
        return _Pushed(values, found, mask, tuple(map(inner.makes_zeros, chosen)))


def pushed_forward(program: Program, is_active: Mask, wanted: Mask | None = None) -> PushedForward:
    """The Program in forward mode, for tangents at the active inputs.

    The wanted outputs have a tangent even where it is zero.
    """

    def make() -> PushedForward:
        with ProgramRecording() as outer:
            primals = [outer.input(v.type) for v in program.inputs]
            tangents = [
                outer.input(v.type.tangent) if active else None
                for v, active in zip(program.inputs, is_active, strict=True)
            ]
            found = _pushed(program, primals, tangents, wanted)
            pushed = outer.program([*found.values, *found.tangents])
            return PushedForward(pushed, found.has_tangent, found.has_zeros)

    return program.derive(("pushed forward", is_active, wanted), make)


class LinearForm(NamedTuple):
    """A Program in forward mode, as two Programs: what needs no tangents, and what does.

    Attributes:
        forward: Takes the inputs; returns the outputs and the residuals.
        linear: Takes the residuals and the tangents of the active inputs; returns the tangents of
            those outputs that have one.
        has_tangent: Which outputs have a tangent.
        has_zeros: Of the tangents, which may hold zeros that are to stay.
    """

    forward: Program
    linear: Program
    has_tangent: Mask
    has_zeros: Mask


def linear_form(program: Program, is_active: Mask, wanted: Mask | None = None) -> LinearForm:
    """The Program in forward mode, for tangents that come when its outputs are known.

    The wanted outputs have a tangent even where it is zero.
    """

    def make() -> LinearForm:
        with ProgramRecording() as forward:
            primals = [forward.input(v.type) for v in program.inputs]
            with ProgramRecording(holds_effects=False) as later:
                tangents = [
                    later.input(v.type.tangent) if active else None
                    for v, active in zip(program.inputs, is_active, strict=True)
                ]
                found = _pushed(program, primals, tangents, wanted)
                body, residuals = closed(without_effects(later.program(found.tangents)))
            count = sum(is_active)
            body = Program(
                [*body.inputs[count:], *body.inputs[:count]], body.equations, body.outputs
            )
            first = forward.program([*found.values, *residuals])
            return LinearForm(first, body, found.has_tangent, found.has_zeros)

    return program.derive(("linear form", is_active, wanted), make)


class ResidualForm(NamedTuple):
    """A Program in reverse mode, as two Programs.

    Attributes:
        forward: Takes the inputs; returns the outputs and the residuals.
        backward: Takes the residuals and the cotangents of the outputs that have one; returns
            the cotangents of the inputs that have one.
        takes_cotangent: Which outputs depend on the active inputs.
        gives_cotangent: Which inputs get a cotangent; those of the others are zero.
        has_zeros: For each input, whether there may be zeros in its cotangent that are to stay.
    """

    forward: Program
    backward: Program
    takes_cotangent: Mask
    gives_cotangent: Mask
    has_zeros: Mask


def residual_form(program: Program, is_active: Mask, receives: Mask | None = None) -> ResidualForm:
    """The Program in reverse mode, for cotangents of the active inputs.

    Outputs that receive no cotangent are left out; None says that all of them may.

    The forward pass is recorded, and inside it the backward pass. The residuals are whatever the
    backward pass captures from the forward pass.
    """

    def make() -> ResidualForm:
        with ProgramRecording() as forward:
            primals = [forward.input(v.type) for v in program.inputs]
            with Tape() as tape:
                outputs = run_program(program, tape.lifted(primals, is_active))
                tape.tells_apart = tape.tells_apart and not program.tells_apart
                found = [*map(tape.output, outputs)]
                values = [value for value, _ in found]
                variables = [
                    variable if receives is None or receives[number] else None
                    for number, (_, variable) in enumerate(found)
                ]
            with ProgramRecording() as reverse:
                cotangents: list[Any] = [None] * tape.variables
                for atom, variable in zip(program.outputs, variables, strict=True):
                    if variable is not None:
                        given = reverse.input(atom.type.tangent)
                        so_far = cotangents[variable]
                        cotangents[variable] = given if so_far is None else so_far + given
                marks = pull_back_with_zeros(tape, cotangents, once=True)
                parts: list[Any] = [None] * len(primals)
                has_zeros = [False] * len(primals)
                number = 0
                for index, active in enumerate(is_active):
                    if active:
                        parts[index] = cotangents[number]
                        has_zeros[index] = marks[number]
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
                tuple(has_zeros),
            )

    return program.derive(("residual form", is_active, receives), make)


def keeping_zeros(program: Program, has_zeros: Mask) -> tuple[Program, Mask]:
    """The Program, with zeros that stay in what is made of some inputs.

    Args:
        program: A Program that is linear in these inputs together.
        has_zeros: Which of the inputs are tangents or cotangents with such zeros.

    Returns:
        The Program, and in which of its outputs there may be such zeros.
    """

    def make() -> tuple[Program, Mask]:
        with ProgramRecording() as recording, ZeroKeeping() as keeping:
            inputs = [recording.input(v.type) for v in program.inputs]
            marked = [keeping.mark(x) if on else x for x, on in zip(inputs, has_zeros, strict=True)]
            outputs = run_program(program, marked)
            values = [keeping.value_of(x) for x in outputs]
            return recording.program(values), tuple(map(keeping.marks, outputs))

    return program.derive(("keeping zeros", has_zeros), make)


def of_nonzero(program: Program, is_zero: Mask) -> Program:
    """The Program for the other inputs, where some are zero whatever it is applied to.

    What is linear in inputs of which all are such zeros is one, too, also where it would multiply
    them with what is infinite or nan. It is not computed.

    Args:
        program: A Program that is linear in these inputs together.
        is_zero: Which of the inputs are zero.
    """

    def make() -> Program:
        zeros = set(compress(program.inputs, is_zero))
        instead: dict[Atom, Atom] = {}
        equations: list[Equation] = []

        def read(atom: Atom) -> Atom:
            if atom in zeros:
                return instead.setdefault(atom, Constant(zeros_of_type(atom.type)))
            return instead.get(atom, atom)

        for equation in program.equations:
            primitive, inputs = equation.primitive, equation.inputs
            absent = [atom in zeros for atom in inputs]
            linear = [absent[number] for number in primitive.linear_inputs(len(inputs))]
            if (linear and all(linear)) or (primitive.is_bilinear and any(absent)):
                zeros.update(equation.outputs)
                continue
            if primitive is elementwise.add and any(absent):
                other = inputs[absent.index(False)]
                if other.type == equation.outputs[0].type:
                    instead[equation.outputs[0]] = read(other)
                    continue
            equations.append(equation.replaced(inputs=[read(atom) for atom in inputs]))
        given = [v for v, zero in zip(program.inputs, is_zero, strict=True) if not zero]
        return Program(given, equations, [read(atom) for atom in program.outputs])

    return program.derive(("of nonzero", is_zero), make)


def for_cotangents(
    programs: Sequence[Program],
    first: Sequence[Any],
    cotangents: Sequence[Any],
    likes: Sequence[Any],
    takes: Mask,
) -> tuple[list[Program], list[Any], Mask]:
    """Programs of the way back for the cotangents that there are.

    Args:
        programs: Take the same: other values, then cotangents.
        first: The other values.
        cotangents: Of all outputs; None is zero.
        likes: The outputs.
        takes: Of which outputs the Programs take cotangents.

    Returns:
        The Programs, what each is given, and which of its former inputs it takes.
    """
    taken = selected(cotangents, takes)
    is_zero = (*(False for _ in first), *(cotangent is None for cotangent in taken))
    if not any(is_zero) or any(map(_has_unknown_lengths, programs)):
        given = instantiated(cotangents, likes, takes, cotangents)
        return [*programs], [*first, *given], (True,) * len(is_zero)
    kept = tuple(not zero for zero in is_zero)
    return [of_nonzero(x, is_zero) for x in programs], selected([*first, *taken], kept), kept


def _has_unknown_lengths(program: Program) -> bool:
    def look() -> bool:
        variables = [*program.inputs, *(v for e in program.equations for v in e.outputs)]
        return any(ANY_LENGTH in v.type.shape for v in variables)

    return program.derive("has unknown lengths", look)


def bind_keeping_zeros(
    primitive: Primitive, inputs: Sequence[Any], has_zeros: Mask, params: dict[str, Any]
) -> Sequence[Any]:
    """Apply a primitive, with zeros that stay in what is made of some inputs."""
    if not any(has_zeros):
        return bind(primitive, *inputs, **params)
    with ZeroKeeping() as keeping:
        given = [keeping.mark(x) if on else x for x, on in zip(inputs, has_zeros, strict=True)]
        return tuple(map(keeping.value_of, bind(primitive, *given, **params)))


class Batched(NamedTuple):
    """A Program for many examples at once.

    Attributes:
        program: Takes the inputs, some with one axis more.
        axes: The batch axis of each output; None where all examples share it.
    """

    program: Program
    axes: tuple[int | None, ...]


def batched(
    program: Program, size: int, axes: Sequence[int | None], wanted: Mask | None = None
) -> Batched:
    """The Program for ``size`` examples, with batch axes at these inputs.

    The wanted outputs have their batch axis in front, even where all examples have the same.
    """

    def make() -> Batched:
        with ProgramRecording() as recording:
            inputs = [
                recording.input(v.type if axis is None else with_axis(v.type, size, axis))
                for v, axis in zip(program.inputs, axes, strict=True)
            ]
            outputs, output_axes = batch_program(program, size, inputs, axes)
            for number, wants in enumerate(wanted or ()):
                if wants:
                    outputs[number] = in_each(size, outputs[number], output_axes[number])
                    output_axes[number] = 0
            return Batched(recording.program(outputs), tuple(output_axes))

    return program.derive(("batched", size, tuple(axes), wanted), make)


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
            cotangents = [recording.input(atom.type.tangent) for atom in program.outputs]
            parts = transpose_program(program, cotangents, known)
            present = [part for part in parts if part is not None]
            mask = tuple(part is not None for part in parts)
            return recording.program(present), mask

    return program.derive(("transposed", is_linear), make)
