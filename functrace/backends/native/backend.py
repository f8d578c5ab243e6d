"""The backend that compiles Programs to machine code, and leaves to NumPy what it cannot."""

from __future__ import annotations

import math
from collections.abc import Callable

from functrace.backends.backend import Backend, Executable, register
from functrace.backends.classes import Classes, classes_of_outputs, origins_of_outputs
from functrace.backends.native.clusters import Cluster, clusters
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.kernels import (
    Compiled,
    executable,
    is_whole,
    native,
    texts_of,
    why_not,
    why_not_equation,
)
from functrace.backends.native.objects import is_supported
from functrace.backends.native.operations import ALONE
from functrace.backends.native.stored import key_of, load
from functrace.backends.native.tables import is_long
from functrace.backends.numpy_passes import simplify
from functrace.backends.numpy_source import Written
from functrace.ir.program import Equation, Program
from functrace.simplify import pipeline, reroll


def find_loops(program: Program) -> Program:
    """Find loops: of machine code they cost nothing, and to compile their trips takes much time.

    Of a long Program every step is a row of a table. That takes no more than trips do, but an array
    that short loops hand on to each other is copied by each.
    """
    saved = len(program.equations) // 100 if is_long(program) else 50
    return reroll(program, smallest=200, saved=saved, large=0)


class NativeBackend(Backend):
    """Whole Programs as machine code; else as few parts of them as there can be."""

    name = "native"
    passes = pipeline(loops=find_loops)
    separates = True

    def compile(self, program: Program, donated: frozenset[int], name: str) -> Executable:
        """Compile the Program, or its parts, which the source for NumPy calls."""
        classes = classes_of_outputs(program)
        # What is made must not hold the Program, which holds it.
        same = Program(program.inputs, program.equations, program.outputs)
        key = key_of(program, classes)
        found = load(key) if key else None
        if found is not None:
            made = Compiled(lambda: self._simple(same), same, name, classes, found)
            return executable(made, name)
        simple = self._simple(program)
        if why_not(simple) is None and is_whole(simple, classes):
            if key is None:  # it may hold what is known by its identity, a rule of the user's
                key = key_of(simple, classes)
                found = load(key) if key else None
            return executable(Compiled(lambda: simple, same, name, classes, found, key), name)
        origins = origins_of_outputs(program)
        parted = in_parts(simple, origins)
        written = Written(simplify(parted), donated, name, origins)
        kernels = [e.params["kernel"] for e in parted.equations if e.primitive is native]
        others = [(e, _why(e)) for e in parted.equations if e.primitive is not native]

        def refusing(tell: Callable[[], None]) -> None:
            for kernel in kernels:
                kernel.refusing.append(tell)

        texts = texts_of(kernels, others)
        return Executable(written.run, written.source, texts=texts, refusing=refusing)

    def saved(self, program: Program) -> float:
        """What NumPy takes for calls of its own, and for passes over memory, where it is replaced.

        A loop saves whatever it takes: NumPy needs microseconds for each of its trips.
        """
        return sum(map(_saved, self._simple(program).equations))

    def _simple(self, program: Program) -> Program:
        return program.derive("simple", lambda: decompose(self.simplified(program)))


def in_parts(program: Program, classes: Classes) -> Program:
    """A Program in which parts are operations that machine code does.

    Args:
        program: The Program.
        classes: Which outputs without axes are arrays, and which are not. Others are left to NumPy,
            which makes of them what it will.
    """
    unsure = {
        atom
        for number, atom in enumerate(program.outputs)
        if not (atom.type.shape or atom.type.weak or number in classes)
    }
    for equation in reversed(program.equations) if unsure else ():
        if not unsure.isdisjoint(equation.outputs):
            unsure.update(atom for atom in equation.inputs if not atom.type.shape)

    def is_native(equation: Equation) -> bool:
        return why_not_equation(equation) is None and unsure.isdisjoint(equation.outputs)

    parts = clusters(program, is_native)
    equations = [_call(part) if isinstance(part, Cluster) else part for part in parts]
    return Program(program.inputs, equations, program.outputs)


def _why(equation: Equation) -> str:
    """Why NumPy runs an operation."""
    return why_not_equation(equation) or "so few operations are not worth a call of machine code"


CALL = 1e-6
"""The seconds that NumPy takes for an operation, whatever it does."""

BYTES = 1e10
"""How many bytes NumPy reads and writes in a second."""


def _saved(equation: Equation) -> float:
    if why_not_equation(equation) is not None or equation.primitive.makes_views:
        return 0.0
    if equation.primitive.holds_programs:
        return math.inf
    if (
        equation.primitive.name in ALONE
    ):  # what is computed by itself is read and written all the same
        return CALL
    atoms = (*equation.inputs, *equation.outputs)
    return CALL + sum(atom.type.size * atom.type.dtype.itemsize for atom in atoms) / BYTES


def _call(part: Cluster) -> Equation:
    """The operation that computes a part."""
    program = part.program()
    key = key_of(program, {})
    found = load(key) if key else None
    params = {"kernel": Compiled(lambda: program, program, "kernel", {}, found, key)}
    source = part.equations[0].source
    return Equation(native, part.inputs, params, part.outputs, source)


if is_supported():
    register(NativeBackend())
