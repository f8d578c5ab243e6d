"""Random arithmetic on zeros of both signs, infinities and nans: no bit of a result changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from functrace.simplify.rewriting import inferred_type
from tests.simplify.helpers import assert_same_bits, special_values

DTYPES = ["float64", "float32", "int64", "int8", "uint8", "bool", "complex128"]
SHAPES = [(), (3,), (2, 1), (2, 3)]
NUMBERS = [0, 1, -1, 2, 0.0, -0.0, 1.0, -1.0, 0.5, np.inf, np.nan, True, False]
ONE = ["negative", "positive", "copy", "logical_not", "square", "absolute", "cast", "reshape"]
TWO = ["add", "subtract", "multiply", "divide", "maximum", "add", "subtract", "multiply", "power"]


class Arithmetic:
    """Draws a Program, equation by equation."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.equations: list[Equation] = []
        self.inputs = [self.fresh() for _ in range(3)]
        self.pool: list[Variable] = list(self.inputs)

    def fresh(self) -> Variable:
        dtype = np.dtype(self.rng.choice(DTYPES))
        shape = SHAPES[self.rng.integers(len(SHAPES))]
        weak = not shape and dtype in (np.float64, np.int64) and self.rng.random() < 0.3
        return Variable(ArrayType(shape, dtype, weak))

    def atom(self) -> Atom:
        if self.rng.random() < 0.3:
            number = NUMBERS[self.rng.integers(len(NUMBERS))]
            if self.rng.random() < 0.6 and not isinstance(number, bool):
                return Constant(number)
            dtype = np.asarray(number).dtype
            return Constant(np.full(SHAPES[self.rng.integers(len(SHAPES))], number, dtype)[()])
        return self.pool[-1 - int(len(self.pool) * self.rng.random() ** 2)]

    def step(self) -> None:
        choice = self.rng.random()
        params = {}
        if choice < 0.35:
            inputs = [self.atom()]
            name = str(self.rng.choice(ONE))
            if name == "cast":
                dtype = np.dtype(self.rng.choice(["float64", "float32", "complex128"]))
                params = {"dtype": dtype}
            elif name == "reshape":
                shape = inputs[0].type.shape
                params = {"shape": (1, *shape) if self.rng.random() < 0.5 else shape}
        elif choice < 0.45:
            name, inputs = "broadcast_to", [self.atom()]
            params = {"shape": (2, 3)}
        elif choice < 0.55:
            name, inputs = "select", [self.atom(), self.atom(), self.atom()]
        else:
            inputs = [self.atom(), self.atom()]
            name = str(self.rng.choice(TWO))
            if name == "power":
                is_python = inputs[0].type.weak  # whose roots of negative numbers are complex
                inputs[1] = Constant([1, 2, 1.0, 2.0, 0.5][self.rng.integers(5 - is_python)])
        if name in ("power", "square") and inputs[0].type.dtype == np.bool_:
            return  # of an array NumPy makes int8 then, and int64 of a scalar
        type = inferred_type(PRIMITIVES[name], inputs, params)
        if type is not None:
            output = Variable(type)
            self.equations.append(Equation(PRIMITIVES[name], inputs, params, [output]))
            self.pool.append(output)


@settings(derandomize=True, deadline=None, max_examples=200, database=None)
@given(st.integers(0, 2**20))
def test_no_bit_changes(seed):
    arithmetic = Arithmetic(np.random.default_rng(seed))
    for _ in range(25):
        arithmetic.step()
    program = Program(arithmetic.inputs, arithmetic.equations, arithmetic.pool[-8:])
    found = ft.check(simplify(program))
    for number in range(3):
        inputs = [special_values(v.type, seed + 7 * number) for v in program.inputs]
        with np.errstate(all="ignore"):
            try:
                expected = ft.evaluate(program, *inputs)
            except (ArithmeticError, ValueError):
                continue  # Python's own arithmetic, or a negative power of an integer
            assert_same_bits(ft.evaluate(found, *inputs), expected)
