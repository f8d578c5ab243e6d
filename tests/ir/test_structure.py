"""Structures: what is done with Programs, known without their primitives' parameters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.errors import ProgramCheckError
from functrace.extend import Choice, Constant, Loop, Run, bind, structure_of
from functrace.ir.program import Equation, Program, Variable, input_types, output_types
from functrace.ir.structure import bodies
from functrace.ir.types import ArrayType

X = np.array([0.5, -1.5, 2.0])


@ft.custom_jvp
def halved(x):
    return x / 2


halved.defjvp(lambda primals, tangents: (primals[0] / 2, tangents[0] / 2))


def rooted(x):
    solve = lambda f, y: ft.fori_loop(0, 30, lambda _, y: y - f(y) / (2 * y), y)
    return ft.custom_root(lambda y: y * y - x, np.ones(3), solve, lambda g, y: y / g(np.ones(3)))


FUNCTIONS = {
    "run": lambda x: ft.jit(np.sin)(x) + 1,
    "apart": lambda x: ft.checkpoint(lambda x: np.sin(np.exp(x)))(x),
    "rule": halved,
    "root": lambda x: rooted(x * x),
    "choice": lambda x: ft.switch(1 + (x[0] > 9), [np.cos, np.sin, np.exp], x),
    "far": lambda x: ft.switch((x[0] * 90).astype(int), [np.cos, np.sin, np.exp], x),
    "each": ft.vmap(lambda x: ft.cond(x > 0, np.sin, lambda x: x * 3, x)),
    "each of two": ft.vmap(
        ft.vmap(lambda x, y: ft.cond(x > y, np.subtract, np.multiply, x, y), (0, None)), (None, 0)
    ),
    "scan": lambda x: ft.scan(lambda c, x: (c * x + X, c - x), np.ones(3), x)[1],
    "back": lambda x: ft.scan(lambda c, x: (c * x, c - x), 1.0, x, reverse=True),
    "counted": lambda x: ft.fori_loop(0, 4, lambda i, x: x * i + 1, x),
    "while": lambda x: ft.while_loop(lambda x: np.sum(x) < 50, lambda x: x + X, x),
    "nested": lambda x: ft.scan(lambda c, x: (FUNCTIONS["each"](c) + x, c), x, x),
}


def recorded(name, transformed):
    f = FUNCTIONS[name]
    args = (X, X[:2]) if name == "each of two" else (X,)
    if transformed == "gradient":
        total = lambda *args: sum(np.sum(leaf) for leaf in ft.tree.leaves(f(*args)))
        try:
            return ft.make_ir(ft.grad(total))(*args), args
        except ft.FunctraceError:
            pytest.skip("there is no gradient")
    program = ft.make_ir(f)(*args)
    return (simplify(program) if transformed == "simplified" else program), args


def run(program, *inputs):
    """Run a Program by its structures, and never by a primitive that holds Programs."""
    values = dict(zip(program.inputs, inputs, strict=True))
    read = lambda atom: atom.value if isinstance(atom, Constant) else values[atom]
    for equation in program.equations:
        structure = structure_of(equation)
        if structure is not None:
            outputs = run_structure(structure.map(read))
        else:
            outputs = bind(equation.primitive, *map(read, equation.inputs), **equation.params)
            outputs = outputs if equation.primitive.multiple_outputs else (outputs,)
        values.update(zip(equation.outputs, outputs, strict=True))
    return [read(atom) for atom in program.outputs]


def run_structure(structure):
    match structure:
        case Run(program, inputs):
            return run(program, *inputs)
        case Choice(index, branches, operands, None):
            return run(branches[min(max(int(index), 0), len(branches) - 1)], *operands)
        case Choice(index, branches, operands, examples, axes):
            own = lambda n: [x if a is None else x[n] for x, a in zip(operands, axes, strict=True)]
            results = [run_structure(Choice(index[n], branches, own(n))) for n in range(examples)]
            return [np.stack(parts) for parts in zip(*results, strict=True)]
        case Loop(body, constants, carries, rows, condition, length, reverse):
            count, trips, weak = len(carries), [], [v.type.weak for v in structure.inside.rows]
            if structure.needs_row:
                length = len(rows[0])
            numbers = itertools.count() if condition is not None else range(length)
            for n in reversed(numbers) if reverse else numbers:
                if condition is not None and not run(condition, *constants, *carries)[0]:
                    break
                row = [x[n].item() if on else x[n] for x, on in zip(rows, weak, strict=True)]
                results = run(body, *constants, *carries, *row)
                carries = results[:count]
                trips.append(results[count:])
            return [*carries, *map(np.stack, zip(*trips[:: -1 if reverse else 1], strict=True))]


@pytest.mark.parametrize("transformed", ["recorded", "simplified", "gradient"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_structures_say_all_that_running_needs(name, transformed):
    program, args = recorded(name, transformed)
    for found, expected in zip(run(program, *args), ft.evaluate(program, *args), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def equations_with(kind):
    for name in FUNCTIONS:
        program, _ = recorded(name, "recorded")
        for part in (program, *program.nested()):
            for equation in part.equations:
                if isinstance(structure_of(equation), kind):
                    yield equation


@pytest.mark.parametrize("kind", [Run, Choice, Loop])
def test_a_primitive_is_applied_as_its_structure_says(kind):
    built = 0
    for equation in equations_with(kind):
        application = equation.primitive.from_structure(structure_of(equation), equation.params)
        if application is not None:
            inputs, params = application
            assert [*inputs] == [*equation.inputs]
            assert params == equation.params
            built += 1
    assert built >= 2


@pytest.mark.parametrize("kind", [Run, Choice, Loop])
def test_bodies_take_and_make_what_is_said(kind):
    for equation in equations_with(kind):
        structure = structure_of(equation)
        found = bodies(structure.map(lambda atom: atom.type))
        assert {id(body) for body, *_ in found} == {id(body) for body in structure.programs}
        for body, given, made in found:
            assert [type.strong for type in given] == [t.strong for t in input_types(body)]
            assert made is None or [*made] == [*output_types(body)[: len(made)]]


def test_kinds():
    kinds = {name: {type(structure_of(e)) for e in recorded(name, "recorded")[0].equations
                    if structure_of(e)} for name in FUNCTIONS}  # fmt: skip
    assert kinds["run"] == kinds["apart"] == kinds["rule"] == kinds["root"] == {Run}
    assert kinds["choice"] == kinds["each"] == {Choice}
    assert kinds["scan"] == kinds["while"] == {Loop}
    examples = {(s.examples, s.axes) for e in equations_with(Choice) for s in [structure_of(e)]}
    assert {(None, ()), (3, (0,)), (6, (0, 0))} <= examples


def test_a_loop_is_divided_by_what_is_given():
    program = Program([Variable(ArrayType((), np.dtype(float))) for _ in range(4)], [], [])
    loop = Loop(program, "ab", "c", "d", reverse=True)
    assert loop.inputs == ["a", "b", "c", "d"]
    assert loop.map(str.upper) == Loop(program, ["A", "B"], ["C"], ["D"], reverse=True)
    assert loop.split(range(4)).rows == range(3, 4)
    assert loop.inside.carries == program.inputs[2:3]
    assert loop.needs_row
    assert not loop._replace(length=3).needs_row


def test_operations_are_counted_by_structure():
    program, _ = recorded("counted", "recorded")
    (loop,) = (structure_of(e) for e in program.equations if structure_of(e))
    assert loop.operations == 4 * loop.body.operations > 0
    choices = [structure_of(e) for e in recorded("each", "recorded")[0].equations]
    (choice,) = (s for s in choices if s)
    assert choice.operations == 3 * max(branch.operations for branch in choice.branches)


def test_rows_are_as_many_as_trips():
    x = Variable(ArrayType((), np.dtype(float)))
    body = Program([x], [], [x])
    bodies(Loop(body, [], [], [ArrayType((3,), x.type.dtype)], length=3))
    for row in (x.type, ArrayType((2,), x.type.dtype)):
        with pytest.raises(ProgramCheckError, match="as many as its trips"):
            bodies(Loop(body, [], [], [row], length=3))


def test_what_holds_no_programs_has_no_structure():
    program = ft.make_ir(np.sin)(X)
    assert isinstance(program.equations[0], Equation)
    assert structure_of(program.equations[0]) is None
