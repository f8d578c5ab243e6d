"""The checker: what it lets through, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ProgramCheckError
from functrace.extend import PRIMITIVES, ArrayType, Primitive
from functrace.ir.checking import check, inferred_types
from functrace.ir.program import Constant, Equation, Program, Variable

F = ArrayType((3,), np.dtype(np.float64))
SIN = PRIMITIVES["sin"]


def test_a_good_program_is_returned():
    program = ft.make_ir(ft.grad(lambda x: np.sum(np.sin(x) * x)))(np.ones(3))
    assert check(program) is program


def test_constants_may_be_read_everywhere():
    b = Variable(F)
    check(Program([], [Equation(SIN, [Constant(np.ones(3))], {}, [b])], [b, Constant(1.0)]))


def test_a_variable_that_is_read_first():
    a, b = Variable(F), Variable(F)
    program = Program([], [Equation(SIN, [a], {}, [b])], [b])
    with pytest.raises(ProgramCheckError, match=r"read before it is written(.|\n)*equation 0, sin"):
        check(program)


def test_a_variable_that_is_written_twice():
    a, b = Variable(F), Variable(F)
    twice = [Equation(SIN, [a], {}, [b]), Equation(SIN, [a], {}, [b])]
    with pytest.raises(ProgramCheckError, match=r"written twice(.|\n)*equation 1"):
        check(Program([a], twice, [b]))
    with pytest.raises(ProgramCheckError, match=r"written twice(.|\n)*equation 0"):
        check(Program([a], [Equation(SIN, [a], {}, [a])], [a]))
    with pytest.raises(ProgramCheckError, match=r"written twice(.|\n)*the inputs"):
        check(Program([a, a], [], [a]))


def test_an_output_that_is_never_written():
    with pytest.raises(ProgramCheckError, match="An output is never written"):
        check(Program([Variable(F)], [], [Variable(F)]))


@pytest.mark.parametrize(
    "type",
    [
        ArrayType((2,), np.dtype(np.float64)),
        ArrayType((3,), np.dtype(np.float32)),
        ArrayType((3,), np.dtype(np.float64), weak=True),
    ],
)
def test_a_wrong_type(type):
    a, b = Variable(F), Variable(type)
    with pytest.raises(ProgramCheckError, match=r"but the primitive infers float64\[3\]"):
        check(Program([a], [Equation(SIN, [a], {}, [b])], [b]))


def test_a_wrong_number_of_outputs():
    a, b, c = Variable(F), Variable(F), Variable(F)
    with pytest.raises(ProgramCheckError, match=r"types float64\[3\], float64\[3\], but"):
        check(Program([a], [Equation(SIN, [a], {}, [b, c])], [b]))


def test_inputs_that_do_not_fit_the_primitive():
    a, b = Variable(F), Variable(ArrayType((2,), F.dtype))
    with pytest.raises(ValueError, match="broadcast"):
        check(Program([a, b], [Equation(PRIMITIVES["add"], [a, b], {}, [Variable(F)])], []))


def test_programs_in_parameters_are_checked():
    class Holder(Primitive):
        def infer(self, x, *, body):
            return x

    holder = Holder("checking_holder")
    a, b, inside, result = Variable(F), Variable(F), Variable(F), Variable(F)
    bad = Program([inside], [Equation(SIN, [Variable(F)], {}, [result])], [result])
    with pytest.raises(ProgramCheckError, match="read before it is written"):
        check(Program([a], [Equation(holder, [a], {"body": bad}, [b])], [b]))
    outer = Program([inside], [Equation(SIN, [a], {}, [result])], [result])  # reads a from outside
    check(Program([a], [Equation(holder, [a], {"body": outer}, [b])], [b]))


def test_inferred_types():
    a, b = Variable(F), Variable(F)
    assert inferred_types(Equation(SIN, [a], {}, [b])) == (F,)


def test_the_advice_blames_the_maker():
    with pytest.raises(ProgramCheckError, match="Whatever made this Program is wrong"):
        check(Program([], [], [Variable(F)]))
