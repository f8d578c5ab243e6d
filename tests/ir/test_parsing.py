"""Reading Programs back: every kind of constant and parameter, and every refusal."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ParseError, ProgramCheckError
from functrace.extend import PRIMITIVES, Primitive
from functrace.ir.program import Constant, ElidedValue, Equation, Program, Variable, to_text

PARTS = [0.0, -0.0, 1.5, -1.5, np.nan, np.inf, -np.inf, 1e300]

SCALARS = [True, False, 0, 3, -3, *PARTS]
SCALARS += [complex(x, y) for x, y in product(PARTS, PARTS)]
SCALARS += [np.bool_(True), np.int8(-3), np.uint64(2**64 - 1), np.float16(0.1), np.float32(0.1)]
SCALARS += [np.float64(x) for x in PARTS] + [np.float32(x) for x in PARTS[:-1]]
SCALARS += [np.complex128(complex(x, y)) for x, y in product(PARTS, PARTS)]
SCALARS += [np.complex64(1 - 0.5j)]

ARRAYS = [
    np.array(2.5),
    np.array(True),
    np.array(PARTS),
    np.array([complex(x, y) for x, y in product(PARTS[:4], PARTS[:4])])[:12],
    np.zeros((0, 3)),
    np.zeros((3, 0), np.int8),
    np.array([[True], [False]]),
    np.arange(12, dtype=np.int16).reshape(3, 2, 2),
    np.array([2**64 - 1], np.uint64),
    np.array([0.1], np.float32),
]

if np.dtype(np.longdouble) != np.float64:  # on some systems they are one dtype with one name
    SCALARS += [np.longdouble("1.1"), np.clongdouble("1.1-2j")]
    ARRAYS += [np.array(["1.1", "nan"], np.longdouble)]


def copying(value):
    constant = Constant(value)
    output = Variable(constant.type)
    return Program([], [Equation(PRIMITIVES["copy"], [constant], {}, [output])], [constant, output])


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalars(value):
    program = copying(value)
    parsed = ft.parse(str(program))
    assert str(parsed) == str(program)
    found = parsed.outputs[0].value
    assert type(found) is type(value)
    assert repr(found) == repr(value)  # tells signed zeros and kinds of nan apart


@pytest.mark.parametrize("value", ARRAYS, ids=repr)
def test_arrays(value):
    program = copying(value)
    parsed = ft.parse(str(program))
    assert str(parsed) == str(program)
    found = parsed.outputs[0].value
    assert isinstance(found, np.ndarray)
    assert (found.dtype, found.shape) == (value.dtype, value.shape)
    assert repr(found.tolist()) == repr(value.tolist())


def test_large_arrays_are_left_out_or_complete():
    value = np.linspace(0, 1, 200).reshape(20, 10)
    program = copying(value)
    shortened = ft.parse(str(program))
    assert isinstance(shortened.outputs[0].value, ElidedValue)
    assert str(shortened) == str(program)
    complete = ft.parse(to_text(program, elide=False))
    np.testing.assert_array_equal(complete.outputs[0].value, value)


def test_captured_values_stay_captured():
    text = "def program(a: float64):\n    return (a, captured(float32[2]))"
    assert str(ft.parse(text)) == text


class AnyParameters(Primitive):
    def run(self, x, **params):
        return x

    def infer(self, x, **params):
        return x


any_parameters = AnyParameters("parsing_any_parameters")

PARAMETERS = [
    None, True, 3, -3, 1.5, -0.0, np.inf, -1j, complex(-0.0, 1), "text", 'with "quotes"\n', ...,
    np.dtype(np.float32), np.dtype(bool), (), (1,), (1, (2, None)), slice(None, -1, 2),
    (slice(1, None, None), ..., None, 0), (np.dtype(int), "x"),
]  # fmt: skip


@pytest.mark.parametrize("value", PARAMETERS, ids=repr)
def test_parameters(value):
    program = ft.make_ir(lambda x: ft.extend.bind(any_parameters, x, p=value, q=1))(1.0)
    text = to_text(program, sources=False)
    parsed = ft.parse(text)
    assert to_text(parsed) == text
    found = parsed.equations[0].params["p"]
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    assert parsed.equations[0].params["q"] == 1


def test_parameters_that_are_numpy_scalars_become_pythons():
    program = ft.make_ir(lambda x: ft.extend.bind(any_parameters, x, p=np.float64(1.5)))(1.0)
    parsed = ft.parse(to_text(program, sources=False))
    assert type(parsed.equations[0].params["p"]) is float


@pytest.mark.slow
def test_a_long_program_does_not_confuse_names_with_numbers():
    def f(x):
        for _ in range(6600):  # until a variable would be called inf
            x = x * 1.0
        return x + np.inf

    program = ft.make_ir(f)(np.float64(1.0))
    parsed = ft.parse(str(program))
    assert ft.evaluate(parsed, np.float64(1.0)) == [np.inf]


REFUSALS = {
    "sin(a)": "written as one definition",
    "x = ": "This text is not a Program: invalid syntax",
    "def program(a):\n    return a": "Line 1: the input 'a' has no type",
    "def program(a: text):\n    return a": "there is no dtype 'text'",
    "def program(a: object):\n    return a": "the dtype 'object' is not numeric",
    "def program(a: float64[-1]):\n    return a": r"`float64\[-1\]` is no type",
    "def program(a: float64[n]):\n    return a": r"`float64\[n\]` is no type",
    "def program(a: 3):\n    return a": "`3` is no type",
    "def program(a: float64):\n    b: float64 = sin(a)": "has no `return`",
    "def program(a: float64):\n    return a\n    b: float64 = sin(a)": "must be the last line",
    "def program(a: float64):\n    b = sin(a)\n    return b": r"Line 2: `b = sin\(a\)` is no eq",
    "def program(a: float64):\n    b: float64 = a\n    return b": "`b: float64 = a` is no equation",
    "def program(a: float64):\n    b: float64 = sine(a)\n    return b": "no primitive 'sine'",
    "def program(a: float64):\n    b: float64 = a.sin(a)\n    return b": "no primitive 'a.sin'",
    "def program(a: float64):\n    b: float64 = sin(c)\n    return b": "c is read before it is",
    "def program(a: float64):\n    b: float64 = sin(a, a)\n    return b": "sin does not take these",
    "def program(a: float64):\n    b: float64 = sin(a, p=1)\n    return b": "sin does not take",
    "def program(a: float64):\n    b: float32 = sin(a)\n    return b": "b has the type float64",
    "def program(a: float64):\n    b: float64; c: float64; (b, c) = sin(a)\n    return b": (
        "sin has 1 outputs, not 2"
    ),
    "def program(a: float64):\n    (b,) = sin(a)\n    return b": "the text says None",
    "def program():\n    return 'text'": "`'text'` is neither a variable nor a constant",
    "def program():\n    return -'text'": "`'text'` is no number",
    "def program():\n    return 1 + 'text'": "`'text'` is no number",
    "def program():\n    return 2 * 3": r"`2 \* 3` is not a parameter's value",
    "def program():\n    return float64('text')": "is no constant",
    "def program():\n    return int8(1000)": "is no constant",
    "def program():\n    return array((1.0, 2.0), float64[3])": "is no constant",
    "def program():\n    return array((1.0, (2.0, 3.0)), float64[3])": "is no constant",
    "def program():\n    return array((1.0, 2.0))": "is neither|no constant|no dtype",
    "def program():\n    return open('file')": "there is no dtype 'open'",
    "def program(a: float64):\n    b: float64 = round(a, decimals=open)\n    return b": "no dtype",
}


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text):
    with pytest.raises(ParseError, match=REFUSALS[text]):
        ft.parse(text)


def test_parse_errors_advise():
    with pytest.raises(ParseError, match="exactly as printing a Program writes it"):
        ft.parse("")


def holds_programs(x):
    def body(carry, row):
        return np.sin(carry) * row, carry

    last, rows = ft.scan(body, x, np.arange(3.0))
    return ft.cond(last > 0, lambda: last, lambda: np.sum(rows))


@pytest.mark.parametrize(
    "function",
    [np.sin, holds_programs, ft.grad(holds_programs), ft.jit(ft.grad(holds_programs))],
    ids=["one operation", "loops and choices", "their gradient", "a function in it"],
)
def test_lines_are_read_back(function):
    program = ft.make_ir(function)(1.0)
    assert "  # test_parsing.py:" in str(program)
    assert str(ft.parse(str(program))) == str(program)
    assert str(ft.parse(to_text(program, sources=False))) == to_text(program, sources=False)


def test_a_place_is_what_the_comment_says():
    text = "def program(a: float64):\n    b: float64 = sin(a)  # my model.py:12\n    return b"
    source = ft.parse(f"\n\n{text}\n").equations[0].source
    assert (source.file, source.line) == ("my model.py", 12)
    other = text.replace("my model.py:12", "what I think of it")
    assert ft.parse(other).equations[0].source is None


def test_the_name_of_a_file_does_not_end_its_comment():
    source = compile("def f(x):\n    return x + x", "two\nlines.py", "exec")
    namespace = {}
    exec(source, namespace)
    program = ft.make_ir(namespace["f"])(1.0)
    assert str(ft.parse(str(program))) == str(program)
    assert ft.jit(namespace["f"])(1.0) == 2.0


def of_custom_jvp():
    f = ft.custom_jvp(np.sin)
    f.defjvp(lambda primals, tangents: (np.sin(primals[0]), tangents[0] * 2.0))
    return f


def of_custom_vjp():
    f = ft.custom_vjp(np.sin)
    f.defvjp(lambda x: (np.sin(x), x), lambda x, cotangent: (cotangent * x,))
    return f


def of_custom_vmap():
    f = ft.custom_vmap(np.sin)
    f.def_vmap(lambda size, mapped, x: (np.sin(x), mapped[0]))
    return f


def printing(x):
    ft.debug.print("{}", x)
    return np.sin(x)


CALLING_PYTHON = {
    "custom_jvp": of_custom_jvp(),
    "custom_vjp": of_custom_vjp(),
    "custom_vmap": of_custom_vmap(),
    "pure_callback": lambda x: ft.pure_callback(np.sin, 1.0, x),
    "debug.print": printing,
    "checkpoint": ft.checkpoint(np.sin),
    "in a loop": lambda x: ft.scan(lambda c, _: (of_custom_jvp()(c), None), x, None, length=2)[0],
    "in a branch": lambda x: ft.cond(x > 0.0, of_custom_vjp(), np.sin, x),
}


RUNS = {
    "evaluate": lambda f, x: f(x),
    "jit": lambda f, x: ft.jit(f)(x),
    "grad": lambda f, x: ft.grad(f)(x),
    "vmap": lambda f, x: ft.vmap(f)(np.stack([x]))[0],
}


@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize("name", CALLING_PYTHON)
def test_what_calls_python_is_read_and_refuses_to_run(name, how):
    function = CALLING_PYTHON[name]
    program = ft.make_ir(function)(0.3)
    again = ft.parse(ft.to_text(program, elide=False))
    assert str(again) == str(program)
    refusal, found = None, None
    try:
        found = RUNS[how](lambda x: ft.evaluate(again, x)[0], 0.3)
    except ProgramCheckError as error:
        refusal = str(error)
    if refusal is None:  # what it needs is all in the text
        np.testing.assert_allclose(found, RUNS[how](function, 0.3))
    else:
        assert "program.save" in refusal


@pytest.mark.parametrize("levels", [98, 99, 120])
@pytest.mark.usefixtures("unchecked")
def test_definitions_within_more_of_each_other_than_python_reads(levels):
    f = np.sin
    for _ in range(levels):
        f = lambda x, f=f: ft.cond(x > 0, lambda x: f(x * 1.5), np.cos, x)
    program = ft.make_ir(f)(1.0)
    text = str(program)
    again = ft.parse(text)
    assert str(again) == text
    assert ft.evaluate(again, 0.01) == ft.evaluate(program, 0.01)
    lines = text.split("\n")
    number = next(number for number, line in enumerate(lines) if " sin(" in line)
    unknown = lines[number].replace(" sin(", " none(")
    for line, message in ((unknown, "there is no primitive"), (f" {lines[number]}", "indent")):
        broken = "\n".join([*lines[:number], line, *lines[number + 1 :]])
        with pytest.raises(ParseError, match=message) as raised:
            ft.parse(broken)
        assert str(number + 1) in str(raised.value).partition("\n")[0]


def test_a_program_that_two_others_hold_is_written_at_both_places():
    count = lambda x: ft.while_loop(lambda i: i < 3, lambda i: i + 1, x)
    program = ft.make_ir(lambda x: ft.cond(x > 0, lambda x: count(x) * 2, lambda x: count(x), x))(
        1.0
    )
    assert str(ft.parse(str(program))) == str(program)
