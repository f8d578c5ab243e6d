"""Long Programs: each kind of step is written once, and a table says what is done.

Where a Python loop was recorded trip by trip, and it is no loop that is found again, as where each
trip is longer than the one before, thousands of steps do the same to other numbers. LLVM would
compile each by itself. Here every kind of step is one function, and the machine function a loop
over the rows of a table::

    row = kind, place, place, ..., length, length, ...

A place tells where an operand or a result begins. The lengths are those of the step's loops: steps
that differ in nothing else are of one kind. All that goes from step to step lies in memory.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.lowering import Kernel, last_uses, sliced, sources_of, viewed
from functrace.backends.native.memory import LINE, Cell, View, load
from functrace.backends.native.nests import Alone, Nest, blocks
from functrace.backends.native.writing import Writer, strides_of
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType, Shape
from functrace.primitives import elementwise
from functrace.primitives.indexing import layout
from functrace.simplify.subexpressions import constant_key, key_of_parameter

LONGEST = 1000
"""Programs with more equations are a table."""

PLAIN = frozenset({
    "add", "subtract", "multiply", "divide", "kept_product", "kept_quotient", "maximum", "minimum",
})  # fmt: skip
"""Operations to which any number is as good as any other."""

COMMON = frozenset({0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5})
"""Numbers that stand in the text: few kinds of steps differ in them. Others lie in memory."""

_LENGTH = re.compile(
    r"(= icmp slt i64 %v\d+, )(\d+)(\n  br i1 %v\d+, label %\w+, label %\w+, !llvm)"
)
_LOOP = re.compile(r"!llvm\.loop !\d+")


def is_long(program: Program) -> bool:
    """Whether a Program is written as a table."""
    return len(program.equations) > LONGEST


class Storage:
    """Memory of a table, which one array has at a time.

    Attributes:
        base: The number of the pointer from which it is counted.
        begin: Where it begins, in bytes.
        size: Its bytes, if it is lent.
        owner: Which variable has it; None where it is not lent.
        numbers: Variables that are numbers in it, and not elsewhere.
    """

    __slots__ = ("base", "begin", "numbers", "owner", "size")

    def __init__(self, base: int, begin: int = 0, size: int = 0) -> None:
        self.base = base
        self.begin = begin
        self.size = size
        self.owner: Variable | None = None
        self.numbers: dict[Variable, Part] = {}


class Part(NamedTuple):
    """An array, or a part of one.

    Attributes:
        storage: The memory.
        place: Where the first element lies, in bytes from the base.
        view: How the elements lie; its pointer says nothing.
    """

    storage: Storage
    place: int
    view: View

    def moved(self, offset: int, view: View) -> Part:
        """Another part, which begins so many elements later."""
        return Part(self.storage, self.place + offset * view.dtype.itemsize, view)


class Kind(NamedTuple):
    """Steps that have the same text.

    Attributes:
        number: Stands in the table.
        places: How many places a row has.
        text: The function, with the lengths left out.
        lengths: All lengths that were met.
    """

    number: int
    places: int
    text: str
    lengths: set[tuple[int, ...]]


class LongKernel(Kernel):
    """The text of the machine function of a long Program."""

    def _program(self, program: Program) -> None:
        Table(self, program)


class Table:
    """A Program as it is written, row by row."""

    def __init__(self, kernel: LongKernel, program: Program) -> None:
        self.kernel = kernel
        self.rows: list[int] = []
        self.sources = sources_of(program)
        self.last = last_uses(program, blocks(program), self.sources)
        self.now = 0
        self.values: dict[Atom, Part] = {}
        self.bases: list[str] = []
        self._free: dict[int, list[int]] = defaultdict(list)
        self._ends: dict[int, list[Variable]] = defaultdict(list)
        self._kinds: dict[str, Kind] = {}
        self._known: dict[Any, tuple[Kind, tuple[int, ...]]] = {}
        self._numbers: dict[Any, Part] = {}
        self._pool: list[bytes] = []
        self.memory = Storage(self._base("%memory"))
        self.pool = Storage(self._base(""))
        self.size = 0
        self.scratch = 0
        for number, variable in enumerate(program.inputs):
            storage = Storage(self._base(kernel.pointer("%inputs", number)))
            self.values[variable] = Part(storage, 0, _whole(variable.type))
        self.aims: dict[Atom, Part] = {}
        targets: list[Part] = []
        for number, atom in enumerate(program.outputs):
            storage = Storage(self._base(kernel.pointer("%outputs", number)))
            targets.append(Part(storage, 0, _whole(atom.type)))
            if isinstance(atom, Variable) and atom.type.shape:
                self.aims.setdefault(atom, targets[-1])
        for self.now, step in enumerate(blocks(program).steps):
            match step.does:
                case Nest(domain, equations, stored):
                    self.nest(domain, equations, stored)
                case Alone(equation):
                    self.alone(equation)
                case None:
                    pass
            for equation in step.views:
                self.view(equation)
            self.release()
        for atom, target in zip(program.outputs, targets, strict=True):
            if isinstance(atom, Constant) or self.values[atom].storage is not target.storage:
                self.step([], [atom], [target])
        self.write()

    # Where values lie

    def _base(self, pointer: str) -> int:
        self.bases.append(pointer)
        return len(self.bases) - 1

    def part(self, atom: Atom) -> Part:
        """Where a value lies."""
        if atom not in self.values:
            assert isinstance(atom, Constant)
            if atom.type.shape:
                made = self.kernel.constant(atom.value, atom.type)
                assert isinstance(made, View)
                self.values[atom] = Part(Storage(self._base(made.pointer)), 0, _whole(atom.type))
            else:
                self.values[atom] = self._number(atom)
        return self.values[atom]

    def _number(self, atom: Constant) -> Part:
        """A number that stands in memory."""
        data = np.asarray(atom.value, atom.type.dtype).tobytes()
        key = data, atom.type.dtype
        if key not in self._numbers:
            place = 8 * len(self._pool)
            self._pool.append(data.ljust(8, b"\0"))
            self._numbers[key] = Part(self.pool, place, _whole(atom.type))
        return self._numbers[key]

    def place(self, variable: Variable) -> Part:
        """Memory for a result."""
        part = self.aims.get(variable)
        if part is None:
            type = variable.type
            size = max(type.size * type.dtype.itemsize, 8)
            size = 1 << (size - 1).bit_length() if size < LINE else -(-size // LINE) * LINE
            free = self._free[size]
            if free:
                begin = free.pop()
            else:
                begin = self.size
                if size >= LINE:
                    begin = -(-begin // LINE) * LINE
                self.size = begin + size
            storage = Storage(self.memory.base, begin, size)
            self.give(storage, variable)
            part = Part(storage, begin, _whole(type))
        self.values[variable] = part
        return part

    def give(self, storage: Storage, variable: Variable) -> None:
        """Let a variable have some memory."""
        storage.owner = variable
        self._ends[self.last[variable]].append(variable)

    def release(self) -> None:
        """Let go of memory that no later step reads."""
        for variable in self._ends.pop(self.now, ()):
            storage = self.values[variable].storage
            if storage.owner is variable:
                self.take_out(storage)
                storage.owner = None
                self._free[storage.size].append(storage.begin)

    def take_out(self, storage: Storage) -> None:
        """See that numbers which are needed later lie elsewhere."""
        numbers, storage.numbers = storage.numbers, {}
        for variable, part in numbers.items():
            if self.last[variable] > self.now:
                self.move(variable, part)

    def move(self, variable: Variable, part: Part) -> None:
        """Give a number memory of its own."""
        before = Variable(variable.type)
        self.values[before] = part
        self.step([], [before], [self.place(variable)])
        del self.values[before]

    # What is done

    def nest(self, domain: Shape, equations: Sequence[Equation], stored: set[Variable]) -> None:
        """Elementwise operations and reductions; of numbers, one after the other."""
        if domain:
            made = [v for equation in equations for v in equation.outputs if v in stored]
            self.step(equations, made, [self.place(v) for v in made])
        else:
            for equation in equations:
                self.whole(equation)

    def whole(self, equation: Equation) -> None:
        """An operation that is a step."""
        outputs = equation.outputs
        self.step([equation], outputs, [self.place(v) for v in outputs])

    def alone(self, equation: Equation) -> None:
        """An operation by itself: what is put into parts of arrays, part by part."""
        name, params = equation.primitive.name, equation.params
        (output, *_), inputs = equation.outputs, equation.inputs
        dtype = output.type.dtype
        is_indexed = any(isinstance(item, str) for item in params.get("index", ()))
        if is_indexed or dtype.kind == "b" or any(atom.type.dtype != dtype for atom in inputs):
            self.whole(equation)
        elif name in ("index_update", "index_add"):
            adds = name == "index_add"
            target = self.to_write(inputs[0], inputs[1], output)
            self.put(inputs[1], _at(target, params["index"]), adds=adds)
        elif name == "scatter_add":
            target = self.place(output)
            zero = Constant(output.type.dtype.type(0))
            self.put(zero, target)
            self.put(inputs[0], _at(target, params["index"]))
        elif name in ("stack", "concatenate"):
            target = self.place(output)
            axis, start = params["axis"] % output.type.ndim, 0
            for atom in inputs:
                length = 1 if name == "stack" else atom.type.shape[axis]
                item = start if name == "stack" else slice(start, start + length)
                self.put(atom, _at(target, (*[slice(None)] * axis, item)))
                start += length
        else:
            self.whole(equation)

    def put(self, atom: Atom, target: Part, *, adds: bool = False) -> None:
        """Write a value into a part of an array, or add it to what is there."""
        if not adds:
            self.step([], [atom], [target])
            return
        type = ArrayType(target.view.shape, target.view.dtype)
        before, after = Variable(type), Variable(type)
        self.values[before] = target
        add = Equation(elementwise.add, [before, atom], {}, [after])
        self.step([add], [after], [target])
        del self.values[before]

    def to_write(self, x: Atom, value: Atom, output: Variable) -> Part:
        """An array as it is before it is written: in its own place, if nobody reads it any more."""
        part = self.part(x)
        storage, root = part.storage, x
        while isinstance(root, Variable) and root in self.sources:
            root = self.sources[root]
        is_last = isinstance(root, Variable) and self.last[root] <= self.now
        is_ours = storage.owner is not None
        whole = part.view
        is_apart = not value.type.shape or self.part(value).storage is not storage
        if is_last and is_ours and is_apart and whole.is_contiguous and output not in self.aims:
            self.take_out(storage)
            self.give(storage, output)
            self.values[output] = part
            return part
        target = self.place(output)
        self.put(x, target)
        return target

    def view(self, equation: Equation) -> None:
        """What moves nothing, where that is known."""
        source = equation.inputs[0]
        part = self.part(source)
        if isinstance(source, Variable) and source in part.storage.numbers:
            # What is an array of a number is a view of that, and not of where it was read.
            self.move(source, part.storage.numbers.pop(source))
            part = self.part(source)
        made = viewed(part.view, equation)
        if made is None:
            self.whole(equation)
            return
        for variable, (offset, view) in zip(equation.outputs, made, strict=True):
            self.values[variable] = found = part.moved(offset, view)
            if not variable.type.shape and part.storage.owner is not None:
                part.storage.numbers[variable] = found

    # Rows

    def step(
        self, equations: Sequence[Equation], outputs: Sequence[Atom], targets: Sequence[Part]
    ) -> None:
        """Write a row: compute something, or nothing, and put it somewhere."""
        numbers: dict[Atom, int] = {}
        inputs: list[Atom] = []
        parts: list[Part] = []
        key: list[Any] = []

        def read(atom: Atom, is_kept: bool) -> None:
            number = numbers.get(atom)
            if number is None:
                number = numbers[atom] = len(numbers)
                if is_kept and isinstance(atom, Constant) and not atom.type.shape:
                    key.append((constant_key(atom), atom.type))
                else:
                    inputs.append(atom)
                    parts.append(self.part(atom))
                    key.append((atom.type, *self.seen(parts[-1])))
            key.append(number)

        for equation in equations:
            key.append(equation.primitive)
            is_kept = equation.primitive.name not in PLAIN
            for atom in equation.inputs:
                read(atom, is_kept or _is_common(atom))
            for name, value in equation.params.items():
                key += name, key_of_parameter(value)
            for variable in equation.outputs:
                numbers[variable] = len(numbers)
        for atom, target in zip(outputs, targets, strict=True):
            read(atom, False)
            key.append((target.view.dtype, *self.seen(target)))
            parts.append(target)
        known = tuple(key)
        if known not in self._known:
            self._known[known] = self.made(equations, inputs, outputs, parts)
        kind, lengths = self._known[known]
        self.rows.append(kind.number)
        for part in parts:
            base = part.storage.base
            self.rows.append(part.place if base == 0 else part.place << 16 | base)
        self.rows += lengths

    def seen(self, part: Part) -> tuple[Any, ...]:
        """What the text says of a part."""
        return part.view.shape, part.view.strides, part.storage.base == 0

    def made(
        self,
        equations: Sequence[Equation],
        inputs: Sequence[Atom],
        outputs: Sequence[Atom],
        parts: Sequence[Part],
    ) -> tuple[Kind, tuple[int, ...]]:
        """A kind of steps, and the lengths of its loops in one of them."""
        kernel = self.kernel
        variables = [Variable(atom.type) for atom in inputs]
        instead: dict[Atom, Atom] = dict(zip(inputs, variables, strict=True))
        inner = Program(
            variables,
            [e.replaced(inputs=[instead.get(x, x) for x in e.inputs]) for e in equations],
            [instead.get(x, x) for x in outputs],
        )
        is_number = not any(part.view.shape for part in parts) and not any(
            e.programs for e in equations
        )
        with kernel.function(HEAD) as write:
            views = [
                part.view._replace(
                    pointer=_pointer(write, number + 1, is_own=part.storage.base == 0),
                    tag=0 if is_number else write.tag(),
                    slot=None,
                )
                for number, part in enumerate(parts)
            ]
            given = [
                view if view.shape or not equations else load(write, view)
                for view in views[: len(inputs)]
            ]
            kernel.block(inner, given, views[len(inputs) :])
            kernel.end()
            self.scratch = max(self.scratch, kernel.places.size)
            text = write.text()
        lengths = tuple(int(found[1]) for found in _LENGTH.findall(text))
        alike = _LOOP.sub("!llvm.loop", _LENGTH.sub(r"\1?\3", text))
        kind = self._kinds.get(alike)
        if kind is None:
            attribute = "alwaysinline" if is_number else "noinline"
            text = text.replace("{", f"{attribute} {{", 1)
            kind = Kind(len(self._kinds), len(parts), text, set())
            self._kinds[alike] = kind
        kind.lengths.add(lengths)
        return kind, lengths

    # The text

    def write(self) -> None:
        """Write the functions, and the loop that calls them."""
        kernel, write = self.kernel, self.kernel.write
        name = kernel.name
        begin = -(-self.size // LINE) * LINE
        kernel.places.size = begin + self.scratch
        self.rows.append(len(self._kinds))
        kernel.outside("table", np.array(self.rows, np.int64))
        kernel.outside("numbers", np.frombuffer(b"".join(self._pool) or bytes(8), np.int64))
        self.bases[self.pool.base] = f"@{name}.numbers"
        bases = write.stack("ptr", len(self.bases))
        for number, base in enumerate(self.bases):
            place = write.let(f"getelementptr inbounds ptr, ptr {bases}, i64 {number}")
            write.line(f"store ptr {base}, ptr {place}")
        scratch = write.let(f"getelementptr inbounds i8, ptr %memory, i64 {begin}")
        position = Cell(write, "i64", "0")
        head, after = write.label(), write.label()
        write.jump(head)
        write.begin(head)
        at = position.get()
        row = write.let(f"getelementptr inbounds i64, ptr @{name}.table, i64 {at}")
        number = write.let(f"load i64, ptr {row}")
        labels = [write.label() for _ in self._kinds]
        cases = " ".join(f"i64 {n}, label %{label}" for n, label in enumerate(labels))
        write.line(f"switch i64 {number}, label %{after} [ {cases} ]")
        for label, kind in zip(labels, self._kinds.values(), strict=True):
            function, lengths = _function(name, kind)
            kernel.globals.append(function)
            write.begin(label)
            arguments = f"ptr %memory, ptr {bases}, ptr {row}, ptr {scratch}"
            failed = write.let(f"call i32 @{name}.kind{kind.number}({arguments})")
            position.set(write.let(f"add nuw nsw i64 {at}, {1 + kind.places + lengths}"))
            with write.when(write.let(f"icmp ne i32 {failed}, 0")):
                write.line(f"ret i32 {failed}")
                write.begin(write.label())
            write.jump(head)
        write.begin(after)
        kernel.end()


HEAD = "define internal i32 @?(ptr %arrays, ptr %bases, ptr %row, ptr %memory)"


def _function(name: str, kind: Kind) -> tuple[str, int]:
    """The text of a kind of steps, and how many lengths a row has."""
    text = kind.text.replace("@?", f"@{name}.kind{kind.number}", 1)
    (some, *others) = kind.lengths
    if others:
        numbers = iter(range(len(some)))
        text = _LENGTH.sub(lambda found: f"{found[1]}%n{next(numbers)}{found[3]}", text)
        loads = "\n".join(
            f"  %p{n} = getelementptr inbounds i64, ptr %row, i64 {1 + kind.places + n}\n"
            f"  %n{n} = load i64, ptr %p{n}"
            for n in range(len(some))
        )
        text = text.replace("entry:\n", f"entry:\n{loads}\n", 1)
    return text, len(some)


def _pointer(write: Writer, number: int, *, is_own: bool) -> str:
    """Where an operand begins, as a row tells."""
    place = write.let(f"getelementptr inbounds i64, ptr %row, i64 {number}")
    place = write.let(f"load i64, ptr {place}")
    base = "%arrays"
    if not is_own:
        which = write.let(f"and i64 {place}, 65535")
        base = write.let(f"getelementptr inbounds ptr, ptr %bases, i64 {which}")
        base = write.let(f"load ptr, ptr {base}")
        place = write.let(f"ashr i64 {place}, 16")
    return write.let(f"getelementptr inbounds i8, ptr {base}, i64 {place}")


def _whole(type: ArrayType) -> View:
    return View("", 0, type.shape, strides_of(type.shape), type.dtype)


def _at(part: Part, index: tuple[Any, ...]) -> Part:
    """A part of an array at an index by slices and whole numbers."""
    view = part.view
    offset, shape, strides = sliced(view, layout(index, len(view.shape)))
    return part.moved(offset, view._replace(shape=tuple(shape), strides=tuple(strides)))


def _is_common(atom: Atom) -> bool:
    if not isinstance(atom, Constant) or atom.type.shape:
        return False
    return atom.type.dtype.kind != "f" or float(atom.value) in COMMON
