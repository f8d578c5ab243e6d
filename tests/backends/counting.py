"""A backend for tests: it runs one equation after the other, and counts them."""

from __future__ import annotations

from collections import Counter

import numpy as np

import functrace as ft
from functrace.backends import Backend, Executable, register
from functrace.backends.compiling import compiled
from functrace.control.looping import while_primitive
from functrace.ir.program import Constant
from functrace.ir.structure import structure_of
from functrace.primitives import elementwise, linear, shaping


class Counting(Backend):
    """Multiplies, reshapes and loops itself, and leaves all else to NumPy.

    It is as careless as it may be: it never looks at what is donated, and hands out views of what
    it was given, and its constants.

    Attributes:
        counts: How often each primitive was applied.
        compiles: The names of what it compiled.
    """

    name = "counting"

    def __init__(self):
        self.counts = Counter()
        self.compiles = []
        self.lowerings = {
            elementwise.multiply: lambda equation: np.multiply,
            shaping.reshape_primitive: self.reshaping,
            linear.copy: lambda equation: lambda x: x,
            while_primitive: self.looping,
        }

    def compile(self, program, donated, name):
        self.compiles.append(name)
        program = self.simplified(program)
        steps = [(equation, self.lower(equation)) for equation in program.equations]

        def run(*inputs):
            values = dict(zip(program.inputs, inputs, strict=True))

            def read(atom):
                return atom.value if isinstance(atom, Constant) else values[atom]

            for equation, step in steps:
                self.counts[equation.primitive.name] += 1
                outputs = step(*map(read, equation.inputs))
                values.update(zip(equation.outputs, outputs, strict=True))
            return tuple(map(read, program.outputs))

        return Executable(run, f"# counted\n{ft.to_text(program)}")

    def reshaping(self, equation):
        if not equation.outputs[0].type.shape:
            return None
        return lambda x: np.reshape(x, equation.params["shape"])

    def looping(self, equation):
        """A loop with a condition, as data: nothing here knows the primitive's parameters."""
        loop = structure_of(equation)
        first, last = len(loop.constants), len(loop.carries)
        if len(loop.body.outputs) != last:
            return None
        goes_on = compiled(loop.condition, backend=self.name).run
        body = compiled(loop.body, backend=self.name).run

        def run(*inputs):
            constants, carry = inputs[:first], inputs[first:]
            while goes_on(*constants, *carry)[0]:
                carry = body(*constants, *carry)
            return carry

        return run


COUNTING = Counting()
register(COUNTING)

X = np.linspace(0.1, 1.2, 6).reshape(2, 3)
ROWS = np.linspace(0.99, 1.0, 300)


def counted():
    """How often each primitive was applied since this was asked last."""
    counts = dict(COUNTING.counts)
    COUNTING.counts.clear()
    return counts
