"""A function and its gradient as Programs, with the value and the gradient of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from functrace import tree
from functrace.drawing.pictures import name_of
from functrace.errors import ArgumentError, FunctraceError
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import type_of
from functrace.primitives.linear import add_tangents, zeros_for
from functrace.tracing.operands import as_operand
from functrace.tracing.places import runs_equations, source_of
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.tracer import bind
from functrace.transforms.arguments import leaf_names
from functrace.transforms.evaluate import record_program, run_program, without_effects
from functrace.transforms.following import all_cotangents
from functrace.transforms.tape import Tape

Path = tuple[int, ...]
"""Which equation of a Program: its number, after those of the calls that it is in."""


@dataclass(frozen=True)
class Input:
    """An argument, or an array in one.

    Attributes:
        name: How the user would write it: ``params['w']``.
        value: Its value.
        has_gradient: Whether it is made of floating-point numbers.
    """

    name: str
    value: Any
    has_gradient: bool


@dataclass(frozen=True)
class Gradient:
    """The Program of a gradient, with the backward values of all steps.

    Attributes:
        program: Takes the inputs, and then the seeds; returns the results and the gradients.
        whole: The same with all backward values as its results.
        seeds: The values of the seeds, which choose a number among several results.
        outputs: Of which results they choose.
        numbers: Of each step, and for each input under the number of it alone, which of the results
            of `whole` its backward values are; None for zero.
        values: The results of `whole` for the given inputs.
    """

    program: Program
    whole: Program
    seeds: Sequence[Any]
    outputs: Sequence[int]
    numbers: Mapping[Path | int, Sequence[int | None]]
    values: Sequence[Any]


@dataclass(frozen=True)
class Explored:
    """What there is to see of a function.

    Attributes:
        program: What was recorded.
        inputs: The Program's inputs.
        is_decided: Whether Python has asked for values, so that the Program holds only where it
            would decide in the same way.
        results: How the user would write each result: ``result['loss']``.
        values: Of each step what it gives.
        gradient: None where there is none.
    """

    program: Program
    inputs: Sequence[Input]
    is_decided: bool
    results: Sequence[str]
    values: Mapping[Path, Sequence[Any]]
    gradient: Gradient | None


def explored(f: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]) -> Explored:
    """Record a function for these arguments, run it, and walk back.

    Raises:
        ArgumentError: No argument is an array or a number.
    """
    leaves, structure = tree.flatten((tuple(args), dict(options)))
    operands = [_operand(leaf) for leaf in leaves]
    places = [place for place, operand in enumerate(operands) if operand is not None]
    if not places:
        raise ArgumentError("explore needs an argument that is an array or a number.")
    names = leaf_names(f, structure)
    inputs = [
        Input(names[place], operands[place], type_of(operands[place]).is_inexact)
        for place in places
    ]
    keys: list[str] = []

    def on_inputs(*given: Any) -> Any:
        filled = list(leaves)
        for place, x in zip(places, given, strict=True):
            filled[place] = x
        positional, keywords = structure.unflatten(filled)
        found, paths = tree.flatten_with_path(f(*positional, **keywords))
        keys[:] = [f"result{tree.keystr(path)}" for path, _ in found]
        return paths.unflatten([leaf for _, leaf in found])

    on_inputs.__name__ = name_of(f)
    values = [x.value for x in inputs]
    try:
        types = [*map(type_of, values)]
        arguments = tree.structure(tuple(values))
        program = record_program(on_inputs, arguments, types, like=values).program
        is_decided = False
    except (
        FunctraceError
    ):  # of a function that cannot be recorded by types, or is wrong: then again
        program = _on_values(on_inputs, inputs)
        inputs = [x for x in inputs if x.has_gradient]
        values = [x.value for x in inputs]
        is_decided = True
    found: dict[Path, Sequence[Any]] = {}
    _run(program, values, (), found)
    gradient = _gradient(program, inputs)
    return Explored(program, inputs, is_decided, tuple(keys), found, gradient)


def _operand(leaf: Any) -> Any:
    """An argument as an operand; None for what is none, such as a string."""
    try:
        return as_operand(leaf)
    except TypeError:
        return None


def _on_values(f: Callable[..., Any], inputs: Sequence[Input]) -> Program:
    """What a function does for these values, of which Python may know each."""
    with Tape(outlives=True) as tape:
        lifted = tape.lifted([x.value for x in inputs], [x.has_gradient for x in inputs])
        outputs = [tape.output(x) for x in tree.leaves(f(*lifted))]
    variables: dict[int | None, Variable] = {}

    def new(number: int, value: Any) -> Variable:
        variables[number] = Variable(type_of(value))
        return variables[number]

    given = [new(number, x.value) for number, x in enumerate(x for x in inputs if x.has_gradient)]
    equations: list[Equation] = []
    for primitive, values, numbers, params, output, number, place in tape.rows:
        pairs = zip(numbers, values, strict=True)
        atoms = [variables[n] if n in variables else Constant(value) for n, value in pairs]
        made = [(number, output)] if type(number) is int else zip(number, output, strict=True)
        # A row may hold the way back of one application in place of the primitive.
        primitive = PRIMITIVES.get(primitive.name, primitive)  # noqa: PLW2901
        equations.append(
            Equation(primitive, atoms, params, [new(*one) for one in made], source_of(place))
        )
    returned = [variables[n] if n in variables else Constant(as_operand(x)) for x, n in outputs]
    return Program(given, equations, returned)


def is_call(equation: Equation) -> bool:
    """Whether an equation is the call of a jitted function, whose steps are steps too."""
    return equation.primitive.name == "jit"


@runs_equations("equation")
def _run(
    program: Program, inputs: Sequence[Any], path: Path, found: dict[Path, Sequence[Any]]
) -> list[Any]:
    """Run a Program, and calls in it step by step; note what each equation gives."""
    values: dict[Variable, Any] = dict(zip(program.inputs, inputs, strict=True))

    def read(atom: Atom) -> Any:
        return values[atom] if isinstance(atom, Variable) else atom.value

    for number, equation in enumerate(program.equations):
        given = [*map(read, equation.inputs)]
        here = (*path, number)
        if is_call(equation):
            outputs = _run(equation.params["program"], given, here, found)
        else:
            output = bind(equation.primitive, *given, **equation.params)
            outputs = output if equation.primitive.multiple_outputs else [output]
        found[here] = outputs
        values.update(zip(equation.outputs, outputs, strict=True))
    return [*map(read, program.outputs)]


def _gradient(program: Program, inputs: Sequence[Input]) -> Gradient | None:
    """The Program of the gradient by all inputs that can have one; None where there is none."""
    with ProgramRecording() as recording:
        given = [recording.input(variable.type) for variable in program.inputs]
        steps: dict[Path, Sequence[Any]] = {}
        with Tape() as tape:
            lifted = tape.lifted(given, [x.has_gradient for x in inputs])
            returned = [*map(tape.output, _run(program, lifted, (), steps))]
            variables: dict[Path | int, list[int | None]] = {
                path: [tape.output(x)[1] for x in made] for path, made in steps.items()
            }
        active = [number for number, x in enumerate(inputs) if x.has_gradient]
        variables.update((number, [place]) for place, number in enumerate(active))
        outputs = [n for n, (_, variable) in enumerate(returned) if variable is not None]
        outputs = [n for n in outputs if program.outputs[n].type.is_inexact]
        if not outputs:
            return None
        types = [program.outputs[n].type.strong for n in outputs]
        seeds: list[Any] = []
        if len(program.outputs) == 1 and types[0].shape == ():
            seed_tracers: list[Any] = [np.ones((), types[0].dtype)[()]]
        else:
            seeds = [np.zeros(type.shape, type.dtype) for type in types]
            first = next((seed for seed in seeds if seed.size), None)
            if first is None:
                return None
            first.flat[0] = 1
            seed_tracers = [recording.input(type) for type in types]
        by_variable: dict[int, Any] = {}
        for n, seed in zip(outputs, seed_tracers, strict=True):
            variable = returned[n][1]
            assert variable is not None
            by_variable[variable] = add_tangents(by_variable.get(variable), seed)
        cotangents = all_cotangents(tape, by_variable)
        known = [x for x in cotangents if x is not None]
        gradients = [
            zeros_for(inputs[n].value) if cotangents[v] is None else cotangents[v]
            for v, n in enumerate(active)
        ]
        whole = recording.program([*(x for x, _ in returned), *gradients, *known])
    count = len(returned) + len(gradients)
    program = Program(whole.inputs, whole.equations, whole.outputs[:count])
    whole = Program(whole.inputs, whole.equations, whole.outputs[count:])
    values = run_program(without_effects(whole), [*(x.value for x in inputs), *seeds])
    numbers = iter(range(len(known)))
    by_variable_number = [None if x is None else next(numbers) for x in cotangents]
    found = {
        key: [None if n is None else by_variable_number[n] for n in made]
        for key, made in variables.items()
    }
    return Gradient(program, whole, seeds, outputs, found, values)
