"""The stages of a jitted function, to look at: recorded, compiled, and what each costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from functrace import tree
from functrace.backends.backend import AUTO, NATIVE
from functrace.backends.compiling import simplified
from functrace.errors import ArgumentError, ArrayConversionError, OperandError
from functrace.ir.program import Equation, Program, Source, equation_texts
from functrace.ir.types import ArrayType, type_of
from functrace.jitting.guards import MISS, Guard
from functrace.jitting.recordings import Entry, Recordings
from functrace.texts import Text, html_table, html_text
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer
from functrace.transforms.arguments import leaf_names
from functrace.transforms.shapes import ShapeDtypeStruct
from functrace.transforms.static_arguments import dynamic_positions

R_co = TypeVar("R_co", covariant=True)


class EquationCost(NamedTuple):
    """What one equation costs.

    Attributes:
        text: The equation.
        source: The user's line.
        operations: How many operations on numbers it takes.
        bytes: How many bytes its inputs and outputs have; none where the output is a view.
        inside: The costs of the Programs that it holds, such as the body of a loop, run once each.
    """

    text: str
    source: Source | None
    operations: int
    bytes: int
    inside: tuple[Cost, ...]

    def __repr__(self) -> str:
        return f"<cost of {self.text}: {self.operations:,} operations, {self.bytes:,} bytes>"


class Cost:
    """What a Program costs, equation by equation; it prints as a table.

    The numbers are counted, not measured: how many operations a primitive takes, its
    ``operations`` says. Those of a ``scan`` are of all trips; those of a ``while_loop`` are of one,
    and those of a choice of the dearest branch. The equations inside these are shown further to
    the right, for one trip each; they are part of the number above them.

    Attributes:
        equations: The cost of each equation.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> cost = ft.jit(lambda a, b: np.sum(a @ b)).lower(np.ones((3, 4)), np.ones((4, 5))).cost()
        >>> cost.operations
        135
        >>> print(cost)  # doctest: +ELLIPSIS
        operations  bytes  equation
               120    376  c: float64[3, 5] = contract(a, b, subscripts='ij,jk->ik')  # ...
                15    128  d: float64 = sum(c, axes=None, keepdims=False, dtype=None)  # ...
               135    504  in total
    """

    def __init__(self, program: Program) -> None:
        self.equations = [
            EquationCost(
                text, equation.source, equation.operations, _bytes(equation), _inside(equation)
            )
            for text, equation in zip(equation_texts(program), program.equations, strict=True)
        ]

    @property
    def operations(self) -> int:
        """How many operations on numbers it takes together."""
        return sum(cost.operations for cost in self.equations)

    @property
    def bytes(self) -> int:
        """How many bytes the equations read and write together."""
        return sum(cost.bytes for cost in self.equations)

    def __str__(self) -> str:
        rows = [("operations", "bytes", "equation"), *self._rows("")]
        rows.append((f"{self.operations:,}", f"{self.bytes:,}", "in total"))
        first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join(f"{a:>{first}}  {b:>{second}}  {text}" for a, b, text in rows)

    def _rows(self, indent: str) -> Iterator[tuple[str, str, str]]:
        for cost in self.equations:
            text = indent + cost.text
            if cost.source is not None:
                text += f"  # {cost.source.short}"
            yield f"{cost.operations:,}", f"{cost.bytes:,}", text
            for inside in cost.inside:
                yield from inside._rows(indent + "    ")

    def __repr__(self) -> str:
        return f"<cost: {self.operations:,} operations, {self.bytes:,} bytes>"

    def _repr_html_(self) -> str:
        rows = [*self._rows(""), (f"{self.operations:,}", f"{self.bytes:,}", "in total")]
        return html_table(("operations", "bytes", "equation"), rows)


def _bytes(equation: Equation) -> int:
    """What an equation reads and writes, as it is seen from outside."""
    if equation.primitive.makes_views:
        return 0
    return sum(
        abs(atom.type.size) * atom.type.dtype.itemsize
        for atom in (*equation.inputs, *equation.outputs)
    )


def _inside(equation: Equation) -> tuple[Cost, ...]:
    """The costs of the Programs that an equation holds."""
    return tuple(map(Cost, equation.programs))


class Compiled(Generic[R_co]):
    """A jitted function for arguments of one structure and types, compiled.

    Attributes:
        program: What runs.
        in_tree: The structure of the pair of positional and keyword arguments that are not static.
        out_tree: The structure of the result.
    """

    def __init__(self, name: str, entry: Entry, arguments: Sequence[str]) -> None:
        self._name = name
        self._arguments = arguments
        self._entry = entry
        self._guard: Guard | None = None
        self.program = simplified(entry.program, entry.key.backend)
        self.in_tree = entry.key.structure
        self.out_tree = entry.structure

    @property
    def source(self) -> str:
        """The text of what runs."""
        return Text(str(self._entry.executable.source))

    def cost(self) -> Cost:
        """What the Program that runs costs."""
        return Cost(self.program)

    def text(self, kind: str) -> str:
        """Another text of what runs: ``"llvm"``, ``"assembly"``, or ``"explanation"``.

        Raises:
            ArgumentError: The backend makes no such text.
        """
        entry = self._entry
        make = entry.executable.texts.get(kind)
        if make is None and entry.tier is not None:
            make = entry.compiled_by(NATIVE).texts.get(kind)
        if make is None:
            raise ArgumentError(
                f"The backend {self._entry.key.backend!r} makes no text of the kind {kind!r}.",
                advice='Compile to machine code by jit(f, backend="native").',
            )
        if kind != "explanation" or entry.key.backend != AUTO:
            return Text(make())
        if entry.tier is None:
            return Text(f"There is no machine code, as llvmlite is not installed.\n{make()}")
        return Text(f"{entry.tier.explained(entry.program)}\n{make()}")

    def __call__(self, *args: Any, **kwargs: Any) -> R_co:
        """Call the function, without its static arguments.

        Raises:
            ArgumentError: The arguments have another structure or other types, or are traced.
        """
        if self._guard is not None:
            result = self._guard(args, kwargs)
            if result is not MISS:
                return result
        entry = self._entry
        given, structure = tree.flatten((args, kwargs))
        if structure != entry.key.structure:
            difference = tree.first_difference(entry.key.structure, (args, kwargs))
            raise ArgumentError(
                f"{self._name} was compiled for (args, kwargs) of another structure. {difference}"
            )
        leaves = [self._operand(leaf, number) for number, leaf in enumerate(given)]
        outputs = entry.call(leaves)
        self._guard = entry.new_guard(given) or self._guard
        return entry.structure.unflatten(list(outputs))

    def _operand(self, leaf: Any, number: int) -> Any:
        expected = self._entry.key.types[number]
        try:
            leaf = as_operand(leaf)
            found: Any = type_of(leaf)
        except (OperandError, ArrayConversionError):
            found = type(leaf).__qualname__
        if type(leaf) is Tracer:
            raise ArgumentError(
                f"{self._name} was compiled, so no transformation can look into it; it was called "
                "on a traced value.",
                advice="Transform the function under jit itself, and compile what comes out.",
            )
        if found != expected:
            raise ArgumentError(
                f"{self._name} was compiled for the argument {self._arguments[number]} of type "
                f"{expected}, and was called with {found}.",
                advice="Call the jitted function itself, which is compiled again where it must be.",
            )
        return leaf

    def __repr__(self) -> str:
        return f"<compiled {self._name}: {len(self.program.equations)} equations>"

    def _repr_html_(self) -> str:
        return html_text(self.source)


class Lowered(Generic[R_co]):
    """A jitted function, recorded for arguments of one structure and types.

    Attributes:
        program: The recorded Program.
        in_tree: The structure of the pair of positional and keyword arguments that are not static.
        out_tree: The structure of the result.
    """

    def __init__(self, name: str, entry: Entry, arguments: Sequence[str]) -> None:
        self._name = name
        self._arguments = arguments
        self._entry = entry
        self.program = entry.program
        self.in_tree = entry.key.structure
        self.out_tree = entry.structure

    def as_text(self) -> str:
        """The recorded Program as text."""
        return str(self.program)

    def cost(self) -> Cost:
        """What the recorded Program costs."""
        return Cost(self.program)

    def compile(self) -> Compiled[R_co]:
        """Compile the Program."""
        return Compiled(self._name, self._entry, self._arguments)

    def __repr__(self) -> str:
        return f"<lowered {self._name}: {len(self.program.equations)} equations>"

    def _repr_html_(self) -> str:
        return html_text(self.as_text())


def lower(recordings: Recordings, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Lowered[Any]:
    """Record a function for arguments like these, in which `ShapeDtypeStruct` stands for arrays.

    Raises:
        ArgumentError: An argument is no array, or the function captured a traced value.
    """
    entry, captured = recordings.entry(recordings.key(args, kwargs, _described))
    name = getattr(recordings.function, "__name__", "The function")
    if captured:
        raise ArgumentError(
            f"{name} captures a traced value, so that it cannot be compiled for itself.",
            advice="Pass the value as an argument.",
        )
    key = entry.key
    positions = dynamic_positions(key.static, key.structure.children()[0].num_children)
    return Lowered(name, entry, leaf_names(recordings.function, key.structure, positions))


def _described(leaf: Any) -> ArrayType | None:
    """The type that an argument describes, if it does."""
    if isinstance(leaf, ShapeDtypeStruct):
        return ArrayType(leaf.shape, leaf.dtype)
    return None
