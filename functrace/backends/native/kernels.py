"""A Program as machine code, and as one operation of another Program."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from functrace.backends.backend import Executable, Source
from functrace.backends.native import parallel
from functrace.backends.native.calling import MachineFunction, Output
from functrace.backends.native.elementwise import computes, is_known
from functrace.backends.native.entry import kinds_of, poll_text
from functrace.backends.native.libraries import routines
from functrace.backends.native.lowering import Kernel
from functrace.backends.native.machine import Loaded, Module
from functrace.backends.native.mathematics import definitions
from functrace.backends.native.nests import REDUCTIONS, blocks, is_reduction, is_view
from functrace.backends.native.objects import runtime
from functrace.backends.native.operations import ALONE, LIMITS
from functrace.backends.native.parallel import PARALLEL
from functrace.backends.native.stored import Needs, save
from functrace.backends.native.tables import LongKernel, is_long
from functrace.backends.native.tiles import tiled
from functrace.backends.numpy_passes import simplify
from functrace.backends.numpy_source import Written
from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Primitive, Types
from functrace.ir.program import Atom, Equation, Program, input_types, output_types
from functrace.ir.structure import Choice, structure_of
from functrace.ir.types import ANY_LENGTH, ArrayType

KERNEL = "kernel"
"""The name of a machine function in its module."""

DEEPEST = 32
"""So deep Programs lie within each other at most: each takes some of Python's stack."""

LONG = 100_000
"""What takes so many operations lets other threads run meanwhile."""

# Which Programs


def why_not(program: Program) -> str | None:
    """Why a Program is not computed by machine code; None where it is.

    Args:
        program: A Program as `decompose` leaves it.
    """
    return program.derive("why not native", lambda: _why_not(program))


def _why_not(program: Program) -> str | None:
    for atom in (*program.inputs, *program.outputs):
        if (why := _of_type(atom)) is not None:
            return why
    for equation in program.equations:
        if (why := why_not_equation(equation)) is not None:
            return why
    return None


def why_not_equation(equation: Equation) -> str | None:
    """Why an operation is not computed by machine code; None where it is."""
    name = equation.primitive.name
    for atom in (*equation.inputs, *equation.outputs):
        if (why := _of_type(atom)) is not None:
            return f"{name}: {why}"
    structure = structure_of(equation)
    if structure is not None:
        if isinstance(structure, Choice) and structure.index.type.dtype.kind not in "bi":
            return f"{name} chooses by {structure.index.type}"
        if depth_of(equation) > DEEPEST:
            return f"{name} holds Programs within Programs, {DEEPEST} and more"
        return next((why for inner in structure.programs if (why := why_not(inner))), None)
    if equation.has_effect or not equation.primitive.is_own:
        return f"{name} is run by Python"
    if is_view(equation) or name in ALONE:
        return LIMITS.get(name, _why_not_indexed)(equation)
    if is_reduction(equation):
        dtype, source = equation.outputs[0].type.dtype, equation.inputs[0].type.dtype
        fits = source == dtype or dtype.kind in "fb" or source.kind in "biu"
        return None if fits else f"{name} of {source}"
    if computes(equation):
        return None
    types = ", ".join(str(atom.type) for atom in equation.inputs)
    return f"there is no machine code for {name} of {types}"


def depth_of(equation: Equation) -> int:
    """How deep Programs lie within each other in an operation."""
    structure = structure_of(equation)
    if structure is None:
        return 0

    def deepest(program: Program) -> int:
        depths = (depth_of(inner) for inner in program.equations)
        return program.derive("depth", lambda: max(depths, default=0))

    return 1 + max(map(deepest, structure.programs))


def _why_not_indexed(equation: Equation) -> str | None:
    count = sum(isinstance(item, str) for item in equation.params.get("index", ()))
    for atom in equation.inputs[len(equation.inputs) - count :]:
        if atom.type.dtype.kind not in "iu" or atom.type.dtype.itemsize != 8:
            return f"{equation.primitive.name} at an index of type {atom.type}"
    return None


def _of_type(atom: Atom) -> str | None:
    type = atom.type
    if ANY_LENGTH in type.shape:
        return "a length is known only when a loop has run"
    return None if is_known(type.dtype) else f"there are numbers of type {type.dtype}"


# Which results hold though flags were raised

EXACTLY, SILENTLY = 2, 1
"""What `holds` says."""

_ARITHMETIC = frozenset({
    "add", "subtract", "multiply", "divide", "reciprocal", "negative", "positive", "absolute",
    "square", "sqrt", "root", "select", "maximum", "minimum", "clip", "greater", "greater_equal",
    "less", "less_equal", "equal", "not_equal", "isnan", "isfinite", "isinf", "signbit",
    "logical_and", "logical_or", "logical_not", "cast", "copysign", "floor", "ceil", "trunc",
    "rint", "kept_product", "product_or_zero", "kept_quotient", "quotient_or_zero",
    "zero_product", "contract", "contract_or_zero", "stack", "concatenate", "pad", "gather",
    "index_update", "index_add", "scatter_add", *REDUCTIONS,
})  # fmt: skip
"""What raises the processor's flags as NumPy's loops do, and computes on."""

_FUNCTIONS = frozenset({
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh", "arctan", "arcsin", "arccos",
    "arctanh", "cbrt", "hypot", "erf", "erfc", "ndtr", "entr", "expit", "sigmoid", "log_expit",
    "logit", "xlogy", "xlog1py", "sign", "heaviside", "fmax", "fmin", "deg2rad", "rad2deg",
})  # fmt: skip
"""Functions whose results are right wherever they raise a flag."""


def holds(program: Program) -> int:
    """Whether results are right though flags were raised.

    Returns:
        `EXACTLY` if the flags are those that NumPy would find, `SILENTLY` if some are of another
        kind, 0 if results may be wrong then.
    """
    found = EXACTLY
    for equation in program.equations:
        name = equation.primitive.name
        if equation.programs:
            found = min(found, *map(holds, equation.programs))
        elif name in _FUNCTIONS:
            found = min(found, SILENTLY)
        elif not is_view(equation) and name not in _ARITHMETIC:
            return 0
    return found


KINDS = ("divide", "over", "invalid")
"""What flags tell, as `numpy.errstate` calls it."""

_DIVISIONS = frozenset({"divide", "reciprocal", "kept_quotient", "quotient_or_zero"})


def heard(program: Program) -> set[str]:
    """The kinds of flags that an operation may raise without being told to ignore them."""
    found: set[str] = set()
    for equation in program.equations:
        if equation.programs:
            found.update(*map(heard, equation.programs))
        elif not is_view(equation):
            divides = equation.primitive.name not in _ARITHMETIC - _DIVISIONS
            may = KINDS if divides else KINDS[1:]
            found.update(kind for kind in may if f"{kind}=ignore" not in equation.handling)
    return found


# What runs them


class Compiled:
    """A Program as machine code.

    Attributes:
        types: The types of the inputs, and of the outputs.
        refusing: What is called whenever NumPy runs the Program in its place.
    """

    def __init__(
        self,
        program: Callable[[], Program],
        like: Program,
        name: str,
        classes: Mapping[int, bool],
        found: tuple[bytes, Needs] | None = None,
        key: str | None = None,
    ) -> None:
        """Take all together; it is written and compiled when it is first needed.

        Args:
            program: Makes the Program, for which `why_not` is None.
            like: A Program of the same inputs and outputs.
            name: The name of the function.
            classes: Which outputs without axes are arrays.
            found: The object file and what it needs, if they are there already.
            key: What they are to be kept under otherwise, if they are.
        """
        self._make = program
        self._name = name
        self._classes = classes
        self._found = found
        self._key = key
        self.types = input_types(like), output_types(like)
        self.refusing: list[Callable[[], None]] = []

    @cached_property
    def program(self) -> Program:
        """The Program."""
        return self._make()

    @cached_property
    def _kernel(self) -> Kernel | LongKernel:
        program = self.program
        return (LongKernel if is_long(program) else Kernel)(program, KERNEL, ALONE)

    @property
    def text(self) -> str:
        """In LLVM's language."""
        return self._kernel.text

    @cached_property
    def needs(self) -> Needs:
        """What must be known to run it."""
        if self._found is not None:
            return self._found[1]
        kernel, is_long = self._kernel, self.program.operations > LONG
        return Needs(
            kernel.size,
            is_long,
            kernel.is_divided,
            kernel.polls,
            holds(self.program),
            sorted(heard(self.program)),
            frozenset(kernel.libraries),
            kernel.constants,
        )

    @cached_property
    def module(self) -> Module:
        """The machine code, with its text."""
        kernel = self._kernel
        text = f"{definitions(kernel.functions)}\n{kernel.text}"
        return Module(text + poll_text() if kernel.polls else text, self._addresses)

    @property
    def _addresses(self) -> dict[str, int]:
        needs = self.needs
        addresses = {name: x.ctypes.data for name, x in needs.constants.items()}
        addresses |= routines(set(needs.libraries))
        if needs.is_divided:
            addresses[PARALLEL] = parallel.address()
        if needs.polls:
            addresses["runtime"] = ctypes.addressof(runtime())
        return addresses

    @cached_property
    def function(self) -> MachineFunction:
        """The machine function."""
        found, needs, types = self._found, self.needs, self.types
        loaded = self.module if found is None else Loaded(found[0], self._addresses)
        if found is None and self._key is not None:
            save(self._key, self.module.key, needs)
        outputs = [
            Output(type, self._classes.get(number, False)) for number, type in enumerate(types[1])
        ]
        return MachineFunction(
            loaded.address(KERNEL),
            self._name,
            types[0],
            outputs,
            _ByNumPy(self._make, self._name, outputs, self.refusing),
            is_silent=self.is_silent,
            memory=needs.size,
            is_long=needs.is_long,
            keep=(loaded, needs.constants),
        )

    def is_silent(self, flags: int) -> bool:
        """Whether results are right with these flags raised, and the user ignores what they tell.

        Functions of ours raise flags of other kinds than NumPy's. So all must be ignored there.
        """
        holds, heard = self.needs.holds, self.needs.heard
        if not holds:
            return False
        modes = np.geterr()
        kinds = kinds_of(flags) if holds == EXACTLY else KINDS
        return all(kind not in heard or modes[kind] == "ignore" for kind in kinds)

    @cached_property
    def run(self) -> Callable[..., tuple[Any, ...]]:
        """Takes the inputs, and returns the tuple of outputs."""
        return self.function.callable()

    def __str__(self) -> str:
        return str(blocks(self.program if is_long(self.program) else tiled(self.program)))


class _ByNumPy:
    """What NumPy makes of a Program: where it warns, and of bad indices."""

    def __init__(
        self,
        program: Callable[[], Program],
        name: str,
        outputs: Sequence[Output],
        refusing: Sequence[Callable[[], None]],
    ) -> None:
        self._make = program
        self._refusing = refusing
        self._name = name
        self._classes = {number: output.is_array for number, output in enumerate(outputs)}

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        for tell in self._refusing:
            tell()
        return self._written.run(*inputs)

    @cached_property
    def _written(self) -> Written:
        return Written(simplify(self._make()), frozenset(), self._name, self._classes)


class Native(Primitive):
    """A part of a Program that machine code computes.

    Parameters: ``kernel``, which is `Compiled`.
    """

    multiple_outputs = True
    is_fresh = True
    makes_scalars = True

    def run(self, *inputs: Any, kernel: Compiled) -> Any:
        """Run it."""
        return kernel.run(*inputs)

    def infer(self, *types: ArrayType, kernel: Compiled) -> Any:
        """The types of the Program's outputs."""
        return tuple(kernel.types[1])

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Those of the Program."""
        return params["kernel"].program.operations

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """A call."""
        name = names.function("kernel", params["kernel"].run)
        places = ", ".join(f"{{{number}}}" for number in range(len(inputs)))
        return Code(f"{name}({places})", is_contiguous=True, is_fresh=True)


native = Native("native")


def is_whole(program: Program, classes: Mapping[int, bool]) -> bool:
    """Whether no output is of the class of an input, so that machine code can be all there is.

    Args:
        program: A Program for which `why_not` is None.
        classes: Which outputs without axes are arrays, and which are not.
    """
    return not any(
        atom in program.inputs or not (atom.type.shape or atom.type.weak or number in classes)
        for number, atom in enumerate(program.outputs)
    )


def executable(made: Compiled, name: str) -> Executable:
    """What runs a whole Program as machine code."""
    source = Source(lambda: f"def {name}({len(made.types[0])} inputs):\n{made}\n")
    texts = texts_of([made], [])
    return Executable(made.run, source, made.function, texts, made.refusing.append)


def texts_of(
    kernels: Sequence[Compiled], others: Sequence[tuple[Equation, str]]
) -> Mapping[str, Callable[[], str]]:
    """The texts of machine code.

    Args:
        kernels: The parts of a Program that it computes.
        others: The operations that NumPy runs, and why.
    """

    def explanation() -> str:
        lines: list[str] = []
        for kernel in kernels:
            program, size = kernel.program, kernel.needs.size
            lines.append(
                f"machine code, {len(program.equations)} equations, {program.operations:,} "
                f"operations on numbers, {size:,} bytes of memory for arrays in between:"
            )
            lines += [f"  {line}" for line in str(kernel).split("\n")]
        for equation, why in others:
            where = f"  # {equation.source.short}" if equation.source else ""
            lines.append(f"NumPy: {equation.primitive.name}, as {why}{where}")
        return "\n".join(lines) + "\n"

    return {
        "explanation": explanation,
        "llvm": lambda: "\n".join(kernel.module.llvm_text for kernel in kernels),
        "assembly": lambda: "\n".join(kernel.module.assembly for kernel in kernels),
    }
