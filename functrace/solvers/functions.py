"""Functions of users as solvers need them: of vectors, recorded once, and compiled for values.

A solver such as those of SciPy calls the function that it is given, and its derivatives, on NumPy
arrays. That function may close over traced values. So it is recorded: its Program takes these as
inputs, is called on traced values by the rules of the solution, and on plain ones, compiled, by
the solver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.looping import known_body
from functrace.errors import (
    ArgumentError,
    ArrayConversionError,
    UnknownValueError,
    UnsupportedFunctionError,
)
from functrace.ir.program import Atom, Constant, Program, Variable, output_types
from functrace.ir.types import UNKNOWN, ArrayType, type_of
from functrace.jitting.jit import jit
from functrace.primitives.linear import cast_to, dtype_of, in_dtype, known_value
from functrace.rules.callbacks import pure_callback
from functrace.simplify.dead_code import remove_dead_code
from functrace.tracing.operands import as_operand
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer
from functrace.transforms.evaluate import record_program, run_program
from functrace.transforms.programs import closed
from functrace.transforms.shapes import ShapeDtypeStruct

DOUBLE = np.dtype(np.float64)


class Function:
    """A function of arrays.

    Attributes:
        captured: The traced values, and the arrays, that it takes from around it.
        is_recorded: Whether it could be; a function that asks Python for values, or hands them to
            other libraries, can not, and is called as it is, on values.
    """

    def __init__(self, f: Callable[..., Any], *types: ArrayType, args: Sequence[Any] = ()) -> None:
        """Record the function.

        Args:
            f: Takes arrays, and then ``args``; returns a tree of arrays.
            types: The types of the arrays.
            args: What it takes more. Numbers among it become inputs, too, so that the function is
                the same for others.
        """
        self.f = (lambda *x: f(*x, *args)) if args else f
        self.captured: list[Any] = []
        self.is_recorded = False
        leaves, structure = tree.flatten(tuple(args))
        moving = [n for n, leaf in enumerate(leaves) if _is_number(leaf)]

        def of_numbers(*inputs: Any) -> Any:
            full = list(leaves)
            for n, x in zip(moving, inputs[len(types) :], strict=True):
                full[n] = x
            return f(*inputs[: len(types)], *structure.unflatten(full))

        numbers = [leaves[n] for n in moving]
        try:
            try:
                program, self.structure = _recorded(of_numbers, (*types, *map(type_of, numbers)))
            except _NOT_RECORDED:  # it may ask for these numbers, which are known
                if not numbers:
                    raise
                numbers = []
                program, self.structure = _recorded(self.f, types)
        except _NOT_RECORDED as error:
            self.refusal = error
            return
        program, captured = closed(program)
        program, arrays = _with_arrays_as_inputs(program)
        self.captured = [*numbers, *captured, *arrays]
        self.program = known_body(program)
        self.is_recorded = True

    def given(self, captured: Sequence[Any]) -> Callable[..., Any]:
        """The function with other values for what it captured."""
        if not self.is_recorded:
            return self.f
        return lambda *x: self.structure.unflatten(run_program(self.program, [*x, *captured]))

    def __call__(self, *x: Any) -> Any:
        """Call it, on traced values too."""
        return self.given(self.captured)(*x)

    def shapes(self, *x: Any) -> list[tuple[int, ...]]:
        """The shapes of the leaves that it returns for such arguments."""
        if self.is_recorded:
            return [type.shape for type in output_types(self.program)]
        return [np.shape(leaf) for leaf in tree.leaves(self.f(*x))]

    def compiled(
        self, name: str, transform: Callable[..., Any], captured: Sequence[Any]
    ) -> Callable[..., Any]:
        """What a transformation makes of it, for plain values.

        Args:
            name: Of the transformation, by which what is compiled is known.
            transform: The transformation.
            captured: Plain values of what it captured.
        """
        if not self.is_recorded:
            return self._uncompiled(transform(self.f))
        key = ("of a solver", name, self.structure)
        fast = self.program.derived.get(key)
        if fast is None:
            fast = jit(lambda captured, *x: transform(self.given(captured))(*x))
            self.program.derived[key] = fast
        captured = list(captured)
        return lambda *x: fast(captured, *x)

    def _uncompiled(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def called(*x: Any) -> Any:
            result = f(*x)
            if is_traced(result):  # it closes over traced values, so it has to be recorded
                raise self.refusal
            return result

        return called


_NOT_RECORDED = (UnknownValueError, UnsupportedFunctionError, ArrayConversionError)
"""What is raised where a function asks Python for values, or hands them to another library."""


def _recorded(f: Callable[..., Any], types: Sequence[ArrayType]) -> tuple[Program, tree.Structure]:
    found = record_program(f, tree.structure((0,) * len(types)), types)
    # An estimate of an error that nobody reads is a call of SciPy, which has no derivative.
    return remove_dead_code(found.program), found.structure


def _is_number(x: Any) -> bool:
    """Whether it is a plain number with a point; whole ones may be sizes."""
    return isinstance(x, float)


def recorded(f: Callable[..., Any], *types: ArrayType) -> Program:
    """The Program of a function of arrays, which takes nothing that is traced from around it."""
    return _recorded(f, types)[0]


def _with_arrays_as_inputs(program: Program) -> tuple[Program, list[Any]]:
    """A Program that takes arrays that are its constants as inputs, so that others are the same."""
    inputs: dict[int, Variable] = {}
    arrays: list[Any] = []

    def moved(atom: Atom) -> Atom:
        if not isinstance(atom, Constant) or not isinstance(atom.value, np.ndarray):
            return atom
        if id(atom.value) not in inputs:
            inputs[id(atom.value)] = Variable(atom.type)
            arrays.append(atom.value)
        return inputs[id(atom.value)]

    equations = [e.replaced(inputs=[moved(a) for a in e.inputs]) for e in program.equations]
    outputs = [moved(atom) for atom in program.outputs]
    return Program([*program.inputs, *inputs.values()], equations, outputs), arrays


def is_traced(*values: Any) -> bool:
    """Whether any leaf of these trees is traced."""
    return any(isinstance(x, Tracer) for x in tree.leaves(values))


def is_unknown(*values: Any) -> bool:
    """Whether the value of any leaf of these trees is unknown, as under ``jit``."""
    return any(innermost_value(x) is UNKNOWN for x in tree.leaves(values))


def on_values(
    host: Callable[..., Any], types: Sequence[ArrayType], inputs: Sequence[Any]
) -> list[Any]:
    """Call a function on the values of these inputs, now or when they are known.

    Args:
        host: Takes plain values, returns a sequence of them.
        types: The types of what it returns.
        inputs: What it is called on.
    """
    inputs = [known_value(as_operand(x)) for x in inputs]
    if not is_traced(inputs):
        return [np.asarray(x, t.dtype)[()] for x, t in zip(host(*inputs), types, strict=True)]
    said = [ShapeDtypeStruct(type.shape, type.dtype) for type in types]

    def called(*values: Any) -> list[Any]:
        return [np.asarray(x, t.dtype)[()] for x, t in zip(host(*values), types, strict=True)]

    return pure_callback(called, said, *inputs, vmap_method="sequential")


def pieces(flat: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """A vector in pieces, one for each array of these shapes."""
    if len(shapes) < 2:
        return [flat] * len(shapes)
    sizes = [int(np.prod(shape, dtype=int)) for shape in shapes]
    return np.split(flat, np.cumsum(sizes[:-1]).tolist())


def array_of(x: Any) -> Any:
    """An array; of a list that holds traced numbers, too."""
    if isinstance(x, list | tuple):
        return np.stack([array_of(part) for part in x]) if x else np.zeros(0)
    return as_operand(x)


class Vector:
    """A tree of real numbers as one vector of float64, as SciPy's solvers take it.

    Attributes:
        flat: The vector.
        type: Its type.
    """

    def __init__(self, x: Any, asked: str) -> None:
        """Join the leaves.

        Args:
            x: The tree. A number, and a list or tuple of nothing but numbers (or of such lists),
                is an array, as for SciPy.
            asked: The function and argument that it is, for messages.
        """
        if is_plain_list(x):
            x = array_of(x)
        self.leaves, self.structure = tree.flatten(x)
        if self.structure == tree.LEAF and np.ndim(as_operand(self.leaves[0])) == 0:
            self.leaves = [np.reshape(as_operand(self.leaves[0]), (1,))]
        self.leaves = [as_operand(leaf) for leaf in self.leaves]
        for leaf, path in zip(self.leaves, self.structure.paths(), strict=True):
            if type_of(leaf).dtype.kind not in "biuf":
                type = type_of(leaf).strong
                raise ArgumentError(
                    f"{asked}{tree.keystr(path)} is a {type}, but must be real numbers.",
                    advice="Give the real and the imaginary part as two arrays.",
                )
        self.shapes = [type_of(leaf).shape for leaf in self.leaves]
        self.dtypes = [
            dtype if dtype.kind == "f" else DOUBLE
            for dtype in (type_of(leaf).strong.dtype for leaf in self.leaves)
        ]
        self.flat = self.joined(self.leaves)
        self.type = ArrayType(np.shape(self.flat), DOUBLE)

    def joined(self, leaves: Sequence[Any]) -> Any:
        """Leaves as one vector."""
        if not leaves:
            return np.zeros(0)
        parts = [np.reshape(cast_to(as_operand(leaf), DOUBLE), (-1,)) for leaf in leaves]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def of(self, x: Any, asked: str) -> Any:
        """The vector of another tree like this one, in which a number stands for a whole leaf.

        A number, or an array of the one shape there is, stands for all leaves.
        """
        if tree.structure(x) == tree.LEAF or is_plain_list(x):
            leaves = [x] * len(self.leaves)
        else:
            try:
                leaves = self.structure.flatten_up_to(x)
            except ValueError as error:
                raise ArgumentError(f"{asked} is no tree like the parameters. {error}") from None
        full: list[Any] = []
        for leaf, shape, path in zip(leaves, self.shapes, self.structure.paths(), strict=True):
            try:
                full.append(np.broadcast_to(as_operand(leaf), shape))
            except ValueError:
                raise ArgumentError(
                    f"{asked}{tree.keystr(path)} has the shape {np.shape(leaf)}, which does not "
                    f"fit {shape}, that of the parameters."
                ) from None
        return self.joined(full)

    def tree(self, flat: Any) -> Any:
        """A vector as a tree, with the shapes and dtypes of the leaves."""
        leaves: list[Any] = []
        for part, shape, dtype in zip(
            pieces(flat, self.shapes), self.shapes, self.dtypes, strict=True
        ):
            leaf = in_dtype(part, dtype)
            leaves.append(leaf if len(shape) == 1 else np.reshape(leaf, shape)[()])
        return self.structure.unflatten(leaves)


def is_plain_list(x: Any) -> bool:
    """Whether it is what NumPy makes an array of numbers of."""
    if type(x) not in (list, tuple) or not x:
        return False
    return all(
        is_plain_list(part)
        or isinstance(part, bool | int | float | complex | np.generic)
        or (isinstance(part, Tracer) and not np.ndim(part))
        for part in x
    )


def scalar(x: Any, asked: str) -> Any:
    """What a function returned, once it is known to be one number, as SciPy sees it."""
    leaves = tree.leaves(x)
    if len(leaves) == 1 and tree.structure(x) == tree.LEAF:
        leaf = as_operand(leaves[0])
        kind = dtype_of(leaf).kind
        if int(np.prod(np.shape(leaf), dtype=int)) == 1 and kind in "biuf":
            return cast_to(np.reshape(leaf, ())[()], DOUBLE)
        what = str(type_of(leaf))
    else:
        what = f"a tree like {tree.structure(x)}"
    raise ArgumentError(
        f"{asked} returned {what}, but must return one real number.",
        advice="Reduce it to one number, for instance by np.sum or np.mean.",
    )
