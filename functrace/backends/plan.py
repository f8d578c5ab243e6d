"""The plan of a Program's run: what is computed into which memory, in the order of the steps.

::

    Plan = inputs, steps
    step = Compute | ComputeNumber      an equation, into memory or to a number of Python's
         | Convert | Assign             a value in another form; the value of a name
         | Move | Release               memory is copied from, or let go
         | OpenHandling ... CloseBlock
         | OpenBranch ... CloseBlock
         | OpenFor ... CloseLoop
         | OpenWhile ... Test ... CloseLoop
         | Return

It is made in one walk over the equations. What is known only at the end of the walk is asked for
when the plan is carried out: which large arrays are not handed out, and are kept from call to call
(`Plan.kept`), and which numbers only loops read (`Stack.stays_inside`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from functrace.backends.memory import MOST_KEPT, Storage, Value
from functrace.backends.names import Names
from functrace.ir.emission import Code
from functrace.ir.program import Equation, Handling, Source, variable_names
from functrace.ir.types import UNKNOWN, ArrayType

MOST_NUMBERS = 2**20
"""So many numbers a loop hands to another as Python's objects, which take 32 bytes each."""


class As(Enum):
    """What is made of a value where it is read."""

    INT = "an integer of Python's"
    LENGTH = "the length of its first axis"
    FLOAT = "a float of Python's"
    FLOAT64 = "a float64 of NumPy's"
    BOOL = "a boolean of NumPy's"
    COPY = "a copy"
    FRESH = "a copy if it is an array"
    SCALAR = "the scalar in an array without axes"
    ARRAY = "an array without axes"
    NUMBERS = "its numbers one by one"
    SHARED = "an array of these numbers"


class Read(NamedTuple):
    """A value, what is made of it, one after another, and of whose class it is to be at last."""

    value: Value
    ways: tuple[As, ...] = ()
    like: Value | None = None


class Compute(NamedTuple):
    """Compute an equation.

    Attributes:
        equation: The equation.
        code: What computes it.
        inputs: The inputs.
        ways: What is made of each input; None where all are read as they are.
        outputs: The outputs.
        storages: Their memory; None for numbers.
        over: What they are written over; None for what has new memory, or that of an input.
    """

    equation: Equation
    code: Code
    inputs: Sequence[Value]
    ways: Sequence[As | None] | None
    outputs: Sequence[Value]
    storages: Sequence[Storage | None]
    over: Sequence[Value | None]


class ComputeNumber(NamedTuple):
    """Compute an equation with numbers of Python's; the template says how."""

    equation: Equation
    template: str
    inputs: Sequence[Value]
    output: Value


class Convert(NamedTuple):
    """Hold a value in another form from now on: what is made of a value, or of itself."""

    output: Value
    read: Read


class Assign(NamedTuple):
    """Give values to names that are there, all at once."""

    outputs: Sequence[Value]
    reads: Sequence[Read]


class Move(NamedTuple):
    """Copy a view into memory of its own, new or that of an array which nobody needs."""

    view: Value
    storage: Storage
    over: Value | None


class Release(NamedTuple):
    """Let go of memory, or use it for the next array that is kept from call to call."""

    storages: Sequence[Storage]


class OpenHandling(NamedTuple):
    """Let NumPy handle errors so in what follows."""

    handling: Handling


class CloseBlock(NamedTuple):
    """End what the last step of this kind has begun."""


class RowKind(Enum):
    """How a loop reads the row of a trip."""

    INDEXED = "a part of an array"
    ITEM = "a number of Python's out of an array"
    NUMBER = "one of numbers of Python's"


class Row(NamedTuple):
    """What a loop takes one row of in each trip: the row, what has it, and how it is read."""

    value: Value
    source: Value
    kind: RowKind


class StackKind(Enum):
    """Where a loop puts an output, trip by trip."""

    ARRAY = "a row of an array"
    NUMBERS = "a place among numbers of Python's"
    LIST = "a list, since its length is not known"


class Stack(NamedTuple):
    """Where a loop puts one of its outputs, trip by trip.

    Attributes:
        value: What all of them are after the loop.
        type: The type of the output of one trip.
        kind: What it is.
        are_few: Whether numbers are so few that they may be Python's objects.
    """

    value: Value
    type: ArrayType
    kind: StackKind
    are_few: bool = False

    @property
    def stays_inside(self) -> bool:
        """Whether only loops read these numbers, so that they need be in no array."""
        storage = self.value.storage
        return self.are_few and storage is not None and not storage.escapes


class OpenFor(NamedTuple):
    """Begin a loop over rows.

    Attributes:
        count: The number of trips.
        trip: The number of the trip.
        reverse: Whether from the last row to the first.
        rows: What it takes rows of.
        stacks: What it makes, trip by trip.
    """

    count: Read
    trip: Value
    reverse: bool
    rows: Sequence[Row]
    stacks: Sequence[Stack]


class OpenWhile(NamedTuple):
    """Begin a loop that a `Test` ends."""

    stacks: Sequence[Stack]


class Test(NamedTuple):
    """End the loop unless a value is true."""

    value: Value


class CloseLoop(NamedTuple):
    """End what a trip does: put the outputs where they belong, and hand the carries on.

    Attributes:
        opening: The step that began the loop.
        carries: What trips hand on.
        reads: What these are in the next trip.
        stacked: What goes onto the stacks.
        outputs: What the carries are after the loop.
    """

    opening: OpenFor | OpenWhile
    carries: Sequence[Value]
    reads: Sequence[Read]
    stacked: Sequence[Read]
    outputs: Sequence[Value]


class OpenBranch(NamedTuple):
    """Begin one of several branches, among which a number chooses.

    Attributes:
        index: The number that chooses; out of range, the nearest.
        number: The number of the branch.
        count: How many there are.
        outputs: What they give values to. The first one gives names to these.
    """

    index: Value
    number: int
    count: int
    outputs: Sequence[Value]


class Return(NamedTuple):
    """Return values."""

    reads: Sequence[Read]


Step = (
    Compute
    | ComputeNumber
    | Convert
    | Assign
    | Move
    | Release
    | OpenHandling
    | CloseBlock
    | OpenFor
    | OpenWhile
    | Test
    | CloseLoop
    | OpenBranch
    | Return
)


class Plan:
    """What a function does to run a Program.

    Attributes:
        inputs: What it is given.
        given: The same as they were given, where the steps hold them in another form.
        steps: What it does, each with the place in the user's code that it is for.
        names: The names of what the codes in it refer to.
        products: The sizes of the matrix products.
        kept: The memory that is kept from call to call.
    """

    def __init__(
        self,
        inputs: Sequence[Value],
        given: Sequence[Value],
        steps: Sequence[tuple[Source | None, Step]],
        names: Names,
        products: Sequence[tuple[int, int, int]],
        large: Sequence[Storage],
    ) -> None:
        """Note the steps, and decide what of the large memory is kept.

        Args:
            inputs: As above.
            given: As above.
            steps: As above.
            names: As above.
            products: As above.
            large: The memory that is large enough to be kept.
        """
        self.inputs = inputs
        self.given = given
        self.steps = steps
        self.names = names
        self.products = products
        inner = [storage for storage in large if not storage.escapes]
        total = sum(storage.size for storage in inner)
        self.kept = frozenset(inner if total <= MOST_KEPT else ())

    def __str__(self) -> str:
        """One line for each step, with a name for each value and a number for all memory."""
        return str(_Text(self))


class _Text:
    """The text of a plan: memory is m0, m1, ..., or w2 where it is kept from call to call."""

    def __init__(self, plan: Plan) -> None:
        self._kept = plan.kept
        self._names: dict[Value, str] = {}
        self._fresh = variable_names()
        self._memory: dict[Storage, str] = {}
        self._indent = ""
        self._lines: list[str] = []
        inputs = [f"{self._name(value)}{self._type(value)}" for value in plan.inputs]
        self._names.update(
            (x, self._names[y]) for x, y in zip(plan.given, plan.inputs, strict=True)
        )
        self._line(f"given {', '.join(inputs)}")
        for _, step in plan.steps:
            self._step(step)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def _line(self, text: str) -> None:
        self._lines.append(self._indent + text)

    def _name(self, value: Value) -> str:
        if value.constant is not UNKNOWN:
            return str(value.constant) if not value.type.shape else f"constant{value.type.shape}"
        if value not in self._names:
            self._names[value] = next(self._fresh)
        return self._names[value]

    def _list(self, values: Sequence[Value]) -> str:
        return ", ".join(map(self._name, values))

    def _read(self, read: Read) -> str:
        text = self._name(read.value)
        text = "".join(f"{way.value} of " for way in reversed(read.ways)) + text
        return text if read.like is None else f"{text} in the class of {self._name(read.like)}"

    def _reads(self, reads: Sequence[Read]) -> str:
        return ", ".join(map(self._read, reads))

    def _of(self, storage: Storage) -> str:
        """A name for memory."""
        kind = "w" if storage in self._kept else "m"
        return self._memory.setdefault(storage, f"{kind}{len(self._memory)}")

    def _type(self, value: Value) -> str:
        where = "" if value.storage is None else f" in {self._of(value.storage)}"
        return f": {value.type}{where}"

    def _step(self, step: Step) -> None:
        match step:
            case Compute():
                self._compute(step)
            case ComputeNumber(equation, _, inputs, output):
                given = self._list(inputs)
                self._line(f"{self._name(output)} = {equation.primitive.name} {given}: number")
            case Convert(output, read):
                text = self._read(read)
                if output is read.value:
                    self._line(f"{self._name(output)} becomes {text}")
                else:
                    where = f": into {self._of(output.storage)}" if output.storage else ""
                    self._line(f"{self._name(output)} = {text}{where}")
            case Assign(outputs, reads):
                self._line(f"{self._list(outputs)} = {self._reads(reads)}")
            case Move(view, storage, over):
                where = "into" if over is None else "over"
                self._line(f"move {self._name(view)} {where} {self._of(storage)}")
            case Release(storages):
                self._line(f"release {', '.join(map(self._of, storages))}")
            case OpenHandling(handling):
                self._open(f"with {', '.join(sorted(handling))}")
            case CloseBlock():
                self._indent = self._indent[:-2]
            case OpenFor(count, trip, reverse, rows, stacks):
                taken = "".join(
                    f", {self._name(row.value)} of {self._name(row.source)}" for row in rows
                )
                made = "".join(f"; makes {self._stack(stack)}" for stack in stacks)
                order = "down" if reverse else "up"
                self._open(f"for {self._name(trip)} {order} to {self._read(count)}{taken}{made}")
            case OpenWhile(stacks):
                made = "; ".join(f"makes {self._stack(stack)}" for stack in stacks)
                self._open(f"while {made}".rstrip())
            case Test(value):
                self._line(f"test {self._name(value)}")
            case CloseLoop(opening, carries, reads, stacked, outputs):
                for stack, read in zip(opening.stacks, stacked, strict=True):
                    self._line(f"{self._name(stack.value)} takes {self._read(read)}")
                if carries:
                    self._line(f"next {self._list(carries)} = {self._reads(reads)}")
                self._indent = self._indent[:-2]
                self._names.update(
                    (y, self._names[x]) for x, y in zip(carries, outputs, strict=True)
                )
            case OpenBranch(index, number, _, _):
                self._open(f"branch {number} of {self._name(index)}")
            case Return(reads):
                self._line(f"return {self._reads(reads)}")

    def _open(self, text: str) -> None:
        self._line(text)
        self._indent += "  "

    def _stack(self, stack: Stack) -> str:
        name = self._name(stack.value)
        if stack.kind is not StackKind.NUMBERS:
            return f"{name}{self._type(stack.value)}"
        return f"{name}: {'tuples' if stack.stays_inside else 'numbers'}"

    def _compute(self, step: Compute) -> None:
        ways = step.ways or [None] * len(step.inputs)
        given = [
            self._read(Read(value, () if way is None else (way,)))
            for value, way in zip(step.inputs, ways, strict=True)
        ]
        where: list[str] = []
        for output, storage, target in zip(step.outputs, step.storages, step.over, strict=True):
            if storage is None or not output.type.shape:
                where.append("scalar")
            elif target is not None:
                where.append(f"over {self._of(storage)}")
            elif storage in self._memory:
                where.append(f"view of {self._of(storage)}")
            else:
                where.append("shared" if storage.type is None else f"into {self._of(storage)}")
        call = f"{step.equation.primitive.name} {', '.join(given)}".rstrip()
        self._line(f"{self._list(step.outputs)} = {call}: {', '.join(where)}")
