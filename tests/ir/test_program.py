"""Programs as text: what people see."""

from __future__ import annotations

import keyword
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, ProgramCheckError, ShapeMismatchError
from functrace.extend import PRIMITIVES, ArrayType, Primitive
from functrace.ir.program import (
    Constant,
    Equation,
    Program,
    Source,
    Variable,
    to_text,
    variable_names,
)

X = np.array([0.5, 1.0, 2.0])


def text(f, *args):
    return to_text(ft.make_ir(f)(*args), sources=False)


def test_a_program():
    assert text(lambda x, s: np.sin(x) * 2.0 + s, X, 1.0) == (
        "def program(a: float64[3], b: weak_float64):\n"
        "    c: float64[3] = sin(a)\n"
        "    d: float64[3] = multiply(c, 2.0)\n"
        "    e: float64[3] = add(d, b)\n"
        "    return e"
    )


def test_the_gradient_is_a_program_too():
    assert text(ft.grad(lambda x: np.sin(x) ** 2), np.float64(1.0)) == (
        "def program(a: float64):\n"
        "    b: float64 = sin(a)\n"
        "    c: float64 = power(b, 2)\n"
        "    d: float64 = add(b, b)\n"
        "    e: float64 = multiply(float64(1.0), d)\n"
        "    f: float64 = cos(a)\n"
        "    g: float64 = multiply(e, f)\n"
        "    return g"
    )


def test_no_inputs_no_outputs():
    assert text(lambda: ()) == "def program():\n    return ()"


def test_several_outputs_and_constants_among_them():
    assert text(lambda x: (x, 1.5, np.float32(2), True), 0.5) == (
        "def program(a: weak_float64):\n    return (a, 1.5, float32(2.0), True)"
    )


def test_parameters():
    assert text(lambda x: x.astype(np.float32), X) == (
        "def program(a: float64[3]):\n    b: float32[3] = cast(a, dtype=float32)\n    return b"
    )
    assert "round(a, decimals=-2)" in text(lambda x: np.round(x, -2), X)


def test_small_constants_are_written_and_large_ones_left_out():
    small = text(lambda x: x + np.array([[1.0], [-0.0]]), 1.0)
    assert "add(a, array(((1.0,), (-0.0,)), float64[2, 1]))" in small
    program = ft.make_ir(lambda x: x + np.arange(13.0))(1.0)
    assert "add(a, array(..., float64[13]))" in str(program)
    assert "array((0.0, 1.0, " in to_text(program, elide=False)


def test_a_constant_is_one_object_however_often_it_is_used():
    c = np.arange(3.0)
    program = ft.make_ir(lambda x: (x + c) * c)(1.0)
    assert len(list(program.constants())) == 1


def test_values_of_outer_transformations_are_captured():
    seen = []

    def f(x):
        seen.append(to_text(ft.make_ir(lambda y: y * x)(2.0), sources=False))
        return x

    ft.grad(f)(1.0)
    assert "multiply(a, captured(weak_float64))" in seen[0]


def test_the_source_is_beside_each_equation():
    program = ft.make_ir(lambda x: np.sin(x))(1.0)
    source = program.equations[0].source
    assert isinstance(source, Source)
    assert Path(source.file).name == "test_program.py"
    assert str(program).splitlines()[1].endswith(f"= sin(a)  # test_program.py:{source.line}")
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[source.line - 1]
    assert "np.sin(x)" in line
    assert str(source).endswith("in <lambda>")


def test_names_of_variables():
    names = list(islice(variable_names(), 20000))
    assert names[:3] == ["a", "b", "c"]
    assert names[25:28] == ["z", "aa", "ab"]
    assert len(set(names)) == len(names)
    assert not any(keyword.iskeyword(name) for name in names)
    assert not {"inf", "nan"} & set(names)


def test_several_outputs_of_one_equation():
    class Both(Primitive):
        multiple_outputs = True

        def run(self, x):
            return x + 1, np.sum(x)

        def infer(self, x):
            return x, ArrayType((), x.dtype)

    both = Both("printing_both")
    program = ft.make_ir(lambda x: ft.extend.bind(both, x)[1])(X)
    expected = (
        "def program(a: float64[3]):\n"
        "    b: float64[3]; c: float64; (b, c) = printing_both(a)\n"
        "    return c"
    )
    assert to_text(program, sources=False) == expected
    assert to_text(ft.parse(expected), sources=False) == expected
    assert ft.evaluate(program, X) == [3.5]


def test_programs_inside_of_programs():
    class Call(Primitive):
        def run(self, x, *, body, times):
            for _ in range(times):
                (x,) = ft.evaluate(body, x)
            return x

        def infer(self, x, *, body, times):
            return body.outputs[0].type

    call = Call("printing_call")
    body = ft.make_ir(lambda x: np.sin(x) * 2.0)(X)
    program = ft.make_ir(lambda x: ft.extend.bind(call, x + 1.0, body=body, times=2))(X)
    expected = (
        "def program(a: float64[3]):\n"
        "    b: float64[3] = add(a, 1.0)\n"
        "    def body(c: float64[3]):\n"
        "        d: float64[3] = sin(c)\n"
        "        e: float64[3] = multiply(d, 2.0)\n"
        "        return e\n"
        "    f: float64[3] = printing_call(b, body=body, times=2)\n"
        "    return f"
    )
    assert to_text(program, sources=False) == expected
    parsed = ft.parse(expected)
    assert to_text(parsed, sources=False) == expected
    np.testing.assert_array_equal(ft.evaluate(parsed, X)[0], ft.evaluate(program, X)[0])


def test_representations_are_short():
    program = ft.make_ir(np.sin)(X)
    assert repr(program) == "<program of 1 equations>"
    assert repr(Constant(1.5)) == "1.5"
    assert repr(PRIMITIVES["sin"]) == "<primitive sin>"


def test_a_cell_of_a_notebook_is_called_as_the_notebook_calls_it(monkeypatch):
    cells = {"/tmp/kernel_1/2.py": ("Cell", "In[3]")}
    shell = SimpleNamespace(compile=SimpleNamespace(format_code_name=cells.get))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    cell = compile("def f(x):\n    return np.sin(x)", "/tmp/kernel_1/2.py", "exec")
    namespace = {"np": np}
    exec(cell, namespace)
    program = ft.make_ir(namespace["f"])(X)
    assert program.equations[0].source.short == "In[3]:2"
    assert ft.parse(str(program)).equations[0].source.short == "In[3]:2"
    memory = ft.tape_memory(lambda x: np.sum(namespace["f"](x)))(np.ones(3))
    assert "In[3]:2" in str(memory)
    assert ft.make_ir(np.sin)(X).equations[0].source.short.startswith("test_program.py:")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert program.equations[0].source.short == "2.py:2"


# Recording and evaluating


def test_arguments_of_a_recorded_function_are_trees():
    program = ft.make_ir(lambda t, *, k: {"y": t["a"] * k, "z": t["b"]})({"a": X, "b": 1}, k=2.0)
    assert [str(v.type) for v in program.inputs] == ["float64[3]", "weak_int64", "weak_float64"]
    y, z = ft.evaluate(program, X, 1, 2.0)
    np.testing.assert_array_equal(y, 2 * X)
    assert z == 1


def test_evaluate_needs_fitting_inputs():
    program = ft.make_ir(np.add)(X, 1.0)
    with pytest.raises(ArgumentError, match="has 2 inputs, but 1 were given"):
        ft.evaluate(program, X)
    with pytest.raises(ArgumentError, match=r"Input 0 .* has the type float64\[3\], not float64"):
        ft.evaluate(program, np.float64(1), 1.0)
    with pytest.raises(ArgumentError, match=r"not float32\[3\]"):
        ft.evaluate(program, X.astype(np.float32), 1.0)


def test_evaluate_needs_every_constant():
    program = ft.parse(str(ft.make_ir(lambda x: x + np.zeros(20))(1.0)))
    with pytest.raises(ProgramCheckError, match=r"float64\[20\] is not in the text.*(\n.*)*elide"):
        ft.evaluate(program, 1.0)


def test_evaluate_says_where_a_failing_equation_was_recorded():
    a, b = Variable(ArrayType((2,), np.dtype(float))), Variable(ArrayType((3,), np.dtype(float)))
    recorded = ft.make_ir(lambda x: x + x)(np.ones(2)).equations[0]
    output = Variable(a.type)
    equation = Equation(recorded.primitive, [a, b], {}, [output], recorded.source)
    with pytest.raises(ShapeMismatchError, match="add does not take inputs of"):
        ft.evaluate(Program([a, b], [equation], [output]), np.ones(2), np.ones(3))


def test_evaluating_tracers_records_again():
    program = ft.make_ir(lambda x: np.sin(x) * 2.0)(X)
    gradient = ft.grad(lambda x: ft.evaluate(program, x)[0].sum())(X)
    np.testing.assert_allclose(gradient, 2 * np.cos(X))


def test_a_jitted_gradient_is_as_silent_as_the_gradient():
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 0)), 0))

    x = np.array([0.0, 1.0])
    program = ft.make_ir(ft.grad(f))(x)
    assert [e.handling for e in program.equations if e.primitive.name == "sqrt"] == [set()]
    assert all(e.handling for e in program.equations if e.primitive.name == "quotient_or_zero")
    # Warnings are errors in this test suite.
    np.testing.assert_array_equal(ft.jit(ft.grad(f))(x), [0.0, 0.5])
    np.testing.assert_array_equal(ft.jit(ft.jit(ft.grad(f)))(x), [0.0, 0.5])
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        ft.jit(ft.value_and_grad(lambda x: np.sum(np.log(x) + x)))(x)


def test_variables_and_equations_print_with_the_names_of_the_text():
    program = ft.make_ir(lambda x: np.sin(x) * x)(np.ones(3))
    lines = str(program).splitlines()
    assert repr(program.inputs[0]) == "a: float64[3]"
    assert [f"    {equation!r}" for equation in program.equations] == lines[1:-1]
    assert repr(Variable(program.inputs[0].type)) == "<variable float64[3]>"
    assert repr(Constant(2.5)) == "2.5"


def test_what_holds_a_program_prints_as_its_own_line():
    program = ft.make_ir(lambda x: ft.scan(lambda c, _: (np.sin(c), None), x, None, 3)[0])(1.0)
    lines = str(program).splitlines()
    (equation,) = program.equations[-1:]
    assert f"    {equation!r}" == lines[-2]
    (inner,) = equation.params["body"].equations
    assert f"        {inner!r}" in lines
