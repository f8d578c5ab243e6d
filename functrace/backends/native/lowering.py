"""From a Program to a machine function, in LLVM's language.

A kernel is a function of addresses::

    i32 kernel(ptr inputs, ptr outputs, ptr memory)

``inputs`` and ``outputs`` are arrays of the addresses of data that lies in row-major order, and
``memory`` is what it is lent for arrays in between. It returns 0, or another number where it could
not do what NumPy does: then NumPy is to do it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any

import numpy as np

from functrace.backends.native.elements import Elements, Fold, copy, fill
from functrace.backends.native.elementwise import Expressions, compute, converted, instructions_of
from functrace.backends.native.entry import INTERRUPTED, POLL
from functrace.backends.native.halves import Known, known
from functrace.backends.native.joining import around, joins, parts_of
from functrace.backends.native.memory import Places, Slot, View, load, store
from functrace.backends.native.nests import Alone, Block, Nest, blocks, is_reduction, is_view
from functrace.backends.native.parallel import PARALLEL
from functrace.backends.native.tiles import tiled
from functrace.backends.native.writing import Writer, literal, memory_type, strides_of
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.structure import Choice, Loop, Run, structure_of
from functrace.ir.types import ArrayType, Shape
from functrace.primitives.indexing import Layout, layout

Value = str | View
"""A number in a register, or an array in memory."""

PATIENCE = 1 << 22
"""After about so many operations a loop looks whether it is to be interrupted."""

LONG, VERY_LONG = 48, 300
"""Of Programs of so many operations loops over elements are functions of their own."""

STRETCHED = 64
"""A factor with so many times fewer elements is looked at before it is multiplied with others."""

FEW = 1000
"""So many elements are no matter for several threads."""

MOVED = 3
"""To read or write a number takes as long as so many instructions."""

EMBEDDED = 1 << 12
"""Constant arrays of up to so many bytes stand in the text."""


class Kernel:
    """The text of the machine function of a Program.

    Attributes:
        name: The name of the function.
        text: The function, and what it needs in front of it.
        globals: What stands in front of it.
        size: The bytes of memory that a call is lent.
        constants: The arrays that are not in the text, by the names of the globals there.
        libraries: Which routines of libraries it calls.
        functions: Which mathematical functions it calls, each with the type of its numbers.
        is_divided: Whether it calls `functrace.backends.native.parallel.PARALLEL`.
        polls: Whether it calls `functrace.backends.native.entry.POLL`.
    """

    def __init__(self, program: Program, name: str, alone: Alones) -> None:
        """Write the function.

        Args:
            program: A Program all of which can be written.
            name: The name of the function.
            alone: What writes the operations that are computed by themselves, by their names.
        """
        self.alone = alone
        head = (
            f"define i32 @{name}(ptr noalias %inputs, ptr noalias %outputs, "
            "ptr noalias align 64 %memory)"
        )
        self.write = Writer(head, _apart_from(_count(program)))
        self.places = Places(self.write, "%memory")
        self.globals: list[str] = []
        self.name = name
        self.constants: dict[str, np.ndarray] = {}
        self.polls = False
        self._program(program)
        self.size = self.places.size
        self.functions = self.write.functions
        self.libraries = self.write.libraries
        self.is_divided = PARALLEL in self.write.needs
        parts = [*self.globals, *sorted(self.write.declarations), self.write.text()]
        self.text = "\n".join([*parts, self.write.metadata()])

    # The whole

    def _program(self, program: Program) -> None:
        inputs: list[Value] = []
        for number, variable in enumerate(program.inputs):
            pointer = self.pointer("%inputs", number)
            view = self.array(pointer, variable.type)
            inputs.append(view if variable.type.shape else load(self.write, view, "0"))
        targets = [
            self.array(self.pointer("%outputs", number), atom.type)
            for number, atom in enumerate(program.outputs)
        ]
        self.block(program, inputs, targets)
        self.end()

    def end(self) -> None:
        """End the function."""
        write = self.write
        if write.failed is None:
            write.line("ret i32 0")
        else:
            failed = write.let(f"load i32, ptr {write.failed}")
            write.line(f"ret i32 {failed}")

    @contextmanager
    def function(self, head: str) -> Generator[Writer]:
        """Another function of the module, which returns what a kernel does.

        Args:
            head: Its first line, without the brace; ``%memory`` is what it is lent.
        """
        outer = self.write, self.places
        self.write = outer[0].another(head)
        self.places = Places(self.write, "%memory")
        yield self.write
        self.write, self.places = outer

    @contextmanager
    def memory(self, pointer: str) -> Generator[Places]:
        """What is written meanwhile has its arrays there."""
        outer = self.places
        self.places = Places(self.write, pointer)
        yield self.places
        self.places = outer

    def pointer(self, array: str, number: int) -> str:
        """One of the addresses that the function is given."""
        write = self.write
        place = write.above(f"getelementptr inbounds ptr, ptr {array}, i64 {number}")
        return write.above(f"load ptr, ptr {place}, align 8")

    def array(self, pointer: str, type: ArrayType) -> View:
        """An array in memory of its own, in row-major order."""
        tag = self.write.tag()
        return View(pointer, tag, type.shape, strides_of(type.shape), type.dtype)

    def fail(self, condition: str) -> None:
        """Note that something was true that NumPy does not take."""
        self.write.refuse(condition)

    def leave_if_failed(self) -> None:
        """Leave if something was true until now that NumPy does not take."""
        write = self.write
        if write.failed is not None:
            failed = write.let(f"load i32, ptr {write.failed}")
            with write.when(write.let(f"icmp ne i32 {failed}, 0")):
                write.line(f"ret i32 {failed}")
                write.begin(write.label())

    def poll(self) -> None:
        """Let Python handle signals; where that raises an error, leave."""
        write = self.write
        self.polls = True
        with write.when(write.let(f"call i1 @{POLL}()")):
            write.line(f"ret i32 {INTERRUPTED}")
            write.begin(write.label())

    # Blocks

    def block(
        self,
        program: Program,
        inputs: Sequence[Value],
        targets: Sequence[View | None],
        owned: frozenset[int] = frozenset(),
    ) -> list[Value]:
        """Write a Program.

        Args:
            program: The Program.
            inputs: What it is given.
            targets: Where its outputs are to be; None for those that may be anywhere.
            owned: The tags of memory of inputs that may be written over.

        Returns:
            The outputs.
        """
        program = tiled(program)
        block = blocks(program)
        emission = Emission(self, program, block, inputs, targets, owned)
        return emission.outputs()

    # Values

    def constant(self, value: Any, type: ArrayType) -> Value:
        """A constant; large ones are outside of the text."""
        if not type.shape:
            return literal(value, type.dtype)
        array = np.ascontiguousarray(value, type.dtype)
        name = f"@{self.name}.c{len(self.globals)}"
        kind = memory_type(type.dtype)
        if array.nbytes <= EMBEDDED:
            words = [
                literal(x, type.dtype) if type.dtype.kind != "b" else str(int(x))
                for x in array.flat
            ]
            data = (
                f"[{', '.join(f'{kind} {word}' for word in words)}]" if words else "zeroinitializer"
            )
            self.globals.append(
                f"{name} = internal unnamed_addr constant [{array.size} x {kind}] {data}, align 64"
            )
        else:
            name = self.outside(f"c{len(self.globals)}", array)
        view = self.array(name, type)
        if array.nbytes <= EMBEDDED:
            self.write.folding.fill(array, view.tag)
        return view

    def outside(self, name: str, array: np.ndarray) -> str:
        """A constant array that is not in the text."""
        name = f"{self.name}.{name}"
        kind = memory_type(array.dtype)
        self.globals.append(f"@{name} = external constant [{array.size} x {kind}], align 8")
        self.constants[name] = array
        return f"@{name}"


# Programs


class Emission:
    """A Program as it is written, step by step."""

    def __init__(
        self,
        kernel: Kernel,
        program: Program,
        block: Block,
        inputs: Sequence[Value],
        targets: Sequence[View | None],
        owned: frozenset[int],
    ) -> None:
        self.kernel = kernel
        self.write = kernel.write
        self.take = kernel.places
        self._program = program
        self.owned = owned
        self._targets = targets
        self.values: dict[Atom, Value] = dict(zip(program.inputs, inputs, strict=True))
        self.sources = sources_of(program)
        self.last = last_uses(program, block, self.sources)
        self.aims: dict[Variable, View] = {}
        for atom, target in zip(program.outputs, targets, strict=True):
            if isinstance(atom, Variable) and target is not None and atom.type.shape:
                self.aims.setdefault(atom, target)
        self._aim_back()
        self._joins = joins(program.equations, program.outputs)
        self.placed: set[Atom] = set()
        self._finite: set[Atom] = set()
        self.held: dict[Variable, Slot] = {}
        self.now = 0
        for self.now, step in enumerate(block.steps):
            match step.does:
                case Nest():
                    self._nest(step.does)
                case Alone(equation):
                    self._alone(equation)
                case None:
                    pass
            for equation in step.views:
                self._view(equation)
            self._release()

    def _aim_back(self) -> None:
        """Let what is written into for an output be where the output is to be."""
        if not self.aims:
            return
        readers = Counter(atom for e in self._program.equations for atom in e.inputs)
        readers.update(self._program.outputs)
        made = {v for e in self._program.equations if not is_view(e) for v in e.outputs}
        for equation in reversed(self._program.equations):
            aim = self.aims.get(equation.outputs[0]) if equation.outputs else None
            if aim is None or equation.primitive.name not in ("index_add", "index_update"):
                continue
            x = equation.inputs[0]
            if not isinstance(x, Variable) or readers[x] > 1 or x not in made or x in self.aims:
                continue
            if x.type.dtype == aim.dtype and x.type.shape == aim.shape:
                self.aims[x] = aim

    @property
    def halves(self) -> Known:
        """What is known of the matrices."""
        return known(self._program)

    def outputs(self) -> list[Value]:
        """The outputs, each where it is to be."""
        results: list[Value] = []
        for atom, target in zip(self._program.outputs, self._targets, strict=True):
            value = self.value(atom)
            if target is not None:
                if isinstance(value, str):
                    store(self.write, target, value)
                elif value.pointer != target.pointer:
                    copy(self.write, value, target)
            results.append(value)
        for slot in self.held.values():
            self.take.give_back(slot)
        return results

    def value(self, atom: Atom) -> Value:
        """A value, which has been computed."""
        if isinstance(atom, Constant) and atom not in self.values:
            self.values[atom] = self.kernel.constant(atom.value, atom.type)
        return self.values[atom]

    def view(self, atom: Atom) -> View:
        """A value as an array: a number that is in a register is put into memory."""
        value = self.value(atom)
        if isinstance(value, View):
            return value
        view = self.cell(atom)
        store(self.write, view, value)
        return view

    def number(self, atom: Atom) -> str:
        """A value without axes, in a register."""
        value = self.value(atom)
        return value if isinstance(value, str) else load(self.write, value, "0")

    def place(self, variable: Variable) -> View:
        """Memory for a result."""
        aim = self.aims.get(variable) or self._aim_in(variable)
        if aim is not None:
            view = aim
        else:
            view = self.take.take(variable.type.shape, variable.type.dtype)
            assert view.slot is not None
            self.held[variable] = view.slot
        self.values[variable] = view
        return view

    def _aim_in(self, variable: Variable) -> View | None:
        """Where a result is to be that is only a part of another array; None for any other."""
        equation = self._joins.get(variable)
        parts = None if equation is None else parts_of(equation)
        if equation is None or parts is None:
            return None
        part = parts[[*equation.inputs].index(variable)].view(self.write, self.whole(equation))
        if not part.is_contiguous:
            return None
        self.placed.add(variable)
        return part

    def whole(self, equation: Equation) -> View:
        """Memory for an array that is made of others, with zeros around a single one."""
        (output,) = equation.outputs
        known = self.values.get(output)
        if isinstance(known, View):
            return known
        view = self.place(output)
        if equation.primitive.name in ("pad", "scatter_add"):
            zero = literal(0, view.dtype)
            parts = parts_of(equation)
            pieces = None if parts is None else around(view.shape, parts[0])
            if pieces is None:
                fill(self.write, view, zero)
            else:
                for piece in pieces:
                    fill(self.write, piece.view(self.write, view), zero)
        return view

    def taken(self, x: Atom, output: Variable, others: Sequence[Atom]) -> View | None:
        """The memory of an array that a result may be written over; None where there is none.

        Args:
            x: The array.
            output: The result, of the same shape.
            others: What is read while the result is written.
        """
        source = self.value(x)
        if not isinstance(source, View) or not isinstance(x, Variable) or output in self.aims:
            return None
        if source.dtype != output.type.dtype or source.shape != output.type.shape:
            return None
        root = x
        while root in self.sources:
            root = self.sources[root]
        owner = next((v for v in self.held if self.held[v] is source.slot), None)
        is_ours = owner is not None or source.tag in self.owned
        is_apart = all(self.view(atom).tag != source.tag for atom in others if atom.type.shape)
        if not (is_ours and is_apart and source.is_contiguous):
            return None
        if self.last.get(root, -1) > self.now:
            return None
        if owner is not None:
            self.held[output] = self.held.pop(owner)
        self.values[output] = source
        return source

    def _release(self) -> None:
        """Let go of memory that no later step reads."""
        for variable in [v for v in self.held if self.last.get(v, -1) <= self.now]:
            self.take.give_back(self.held.pop(variable))

    # Elementwise operations and reductions

    def _nest(self, nest: Nest) -> None:
        domain = nest.domain
        made = {variable for equation in nest.equations for variable in equation.outputs}
        reads: dict[Atom, View] = {}
        numbers: dict[Atom, str] = {}
        for equation in nest.equations:
            for atom in equation.inputs:
                if atom in made or atom in reads or atom in numbers:
                    continue
                value = self.value(atom)
                if isinstance(value, str):
                    numbers[atom] = value
                else:
                    reads[atom] = value.stretched(domain)
        equations = [self._plain(equation, nest, made) for equation in nest.equations]
        reductions = [equation for equation in equations if is_reduction(equation)]
        stored = [
            variable
            for equation in equations
            for variable in equation.outputs
            if variable in nest.stored and not is_reduction(equation)
        ]
        if not domain:  # numbers only
            known = {**numbers, **{a: load(self.write, v, "0") for a, v in reads.items()}}
            for equation in nest.equations:
                self._compute(equation, known)
            self.values.update({v: known[v] for v in made})
            return
        writes = [self.place(variable) for variable in stored]
        folds = [self._fold(equation) for equation in reductions]

        def body(loaded: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
            known: dict[Atom, str] = {**numbers, **dict(zip(reads, loaded, strict=True))}
            folded: list[str] = []
            for equation in equations:
                self._compute(equation, known)
                if is_reduction(equation):
                    folded.append(known[equation.outputs[0]])
            return [known[variable] for variable in stored], folded

        given = [*reads.values()]
        cost = _cost(nest, len(given) + len(writes))
        results = Elements(
            self.write, domain, given, writes, folds, body, cost=cost, memory=self.take
        ).results
        for equation, result in zip(reductions, results, strict=True):
            (variable,) = equation.outputs
            if not variable.type.shape:
                assert result is not None
                self.values[variable] = result

    def is_finite(self, x: Atom) -> bool:
        """Whether a value is known to be finite, or left to NumPy."""
        return x in self._finite or (isinstance(x, Constant) and bool(np.all(np.isfinite(x.value))))

    def require_finite(self, x: Atom) -> None:
        """Leave it to NumPy where a value is not finite."""
        if self.is_finite(x):
            return
        self._finite.add(x)
        view, write = self.view(x), self.write
        e = Expressions(write, view.dtype)

        def wild(numbers: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
            size = e.intrinsic("fabs", numbers[0])
            return [], [write.let(f"fcmp uge {e.kind} {size}, {e.number(np.inf)}")]

        truth = self.kernel.array(write.stack("i8"), ArrayType((), np.dtype(bool)))
        rank = len(view.shape)
        target = truth._replace(shape=(1,) * rank, strides=(0,) * rank)
        fold = Fold("any", target.dtype, target, frozenset(range(rank)))
        (found,) = Elements(write, view.shape, [view], [], [fold], wild).results
        if found is not None:
            self.kernel.fail(found)

    def _plain(self, equation: Equation, nest: Nest, made: AbstractSet[Atom]) -> Equation:
        """A product that keeps zeros as a plain one, where the other factor is small and finite."""
        if equation.primitive.name not in ("kept_product", "product_or_zero"):
            return equation
        factor = equation.inputs[1]
        if factor in made or factor.type.dtype.kind != "f":
            return equation
        if STRETCHED * factor.type.size > math.prod(nest.domain):
            return equation
        self.require_finite(factor)
        return equation.replaced(primitive=PRIMITIVES["multiply"])

    def _compute(self, equation: Equation, known: dict[Atom, str]) -> None:
        (output,) = equation.outputs
        if is_reduction(equation):  # what is combined
            (x,) = equation.inputs
            known[output] = converted(self.write, known[x], x.type.dtype, output.type.dtype)
            return
        operands = [known[atom] for atom in equation.inputs]
        known[output] = compute(self.write, equation, operands)

    def _fold(self, equation: Equation) -> Fold:
        (x,), (output,) = equation.inputs, equation.outputs
        rank = x.type.ndim
        axes = equation.params["axes"]
        reduced = frozenset(range(rank) if axes is None else (axis % rank for axis in axes))
        dtype = output.type.dtype
        kept = [1 if axis in reduced else length for axis, length in enumerate(x.type.shape)]
        if output.type.shape:
            target = self.place(output)
        else:
            target = self.kernel.array(
                self.write.stack(memory_type(dtype), align=8), ArrayType((), dtype)
            )
        steps = iter(strides_of([n for axis, n in enumerate(x.type.shape) if axis not in reduced]))
        strides = tuple(0 if axis in reduced else next(steps) for axis in range(rank))
        target = target._replace(shape=tuple(kept), strides=strides)
        return Fold(equation.primitive.name, dtype, target, reduced)

    # Views

    def _view(self, equation: Equation) -> None:
        source, *_ = equation.inputs
        (output, *others) = equation.outputs
        value = self.value(source)
        name = equation.primitive.name
        if isinstance(value, str) and not output.type.shape and not others:
            self.values[output] = value
            return
        view = self.view(source)
        made = viewed(view, equation)
        if made is None and name == "reshape":
            whole = self.take.take(view.shape, view.dtype)
            assert whole.slot is not None
            self.held[output] = whole.slot
            copy(self.write, view, whole)
            view = whole
            made = viewed(view, equation)
        if made is None:
            numbers = [self.number(x) for x in equation.inputs[1:]]
            made = [(0, self.indexed(view, equation.params["index"], numbers))]
        for variable, (offset, part) in zip(equation.outputs, made, strict=True):
            found = self.shifted(part, str(offset))._replace(shape=variable.type.shape)
            self.values[variable] = found if found.shape else load(self.write, found, "0")

    def shifted(self, view: View, offset: str) -> View:
        """The same strides from another place on."""
        return view._replace(pointer=self.write.address(view.dtype, view.pointer, offset))

    def indexed(self, view: View, index: tuple[Any, ...], numbers: Sequence[str]) -> View:
        """The part at an index of integers, slices and numbers that are known when it runs."""
        found = layout(index, len(view.shape))
        offset, shape, strides = sliced(view, found)
        place = str(offset)
        for axis, number in zip(found.indexed, numbers, strict=True):
            inside = self.inside(number, view.shape[axis])
            place = self.write.add(place, self.write.times(inside, view.strides[axis]))
        moved = self.shifted(view, place)
        return moved._replace(shape=tuple(shape), strides=tuple(strides))

    def inside(self, number: str, length: int) -> str:
        """A place along an axis; negative ones count from the end, others are errors."""
        write = self.write
        negative = write.let(f"icmp slt i64 {number}, 0")
        turned = write.let(f"add i64 {number}, {length}")
        place = write.let(f"select i1 {negative}, i64 {turned}, i64 {number}")
        outside = write.let(f"icmp uge i64 {place}, {length}")
        self.kernel.fail(outside)
        return write.let(f"select i1 {outside}, i64 0, i64 {place}")

    def picked(self, source: View, found: Layout, numbers: Sequence[str], place: str) -> str:
        """The place of an element, from that of its part and the numbers in arrays of indices."""
        write = self.write
        for axis, number in zip(found.indexed, numbers, strict=True):
            inside = self.inside(number, source.shape[axis])
            place = write.add(place, write.times(inside, source.strides[axis]))
        return place

    def diagonal(self, view: View, offset: int) -> View:
        """The diagonal of the last two axes; the shape is the caller's business."""
        *others, down, right = view.strides
        start = offset * right if offset >= 0 else -offset * down
        return self.shifted(view, str(start))._replace(strides=(*others, down + right))

    # All else

    def _alone(self, equation: Equation) -> None:
        structure = structure_of(equation)
        match structure:
            case Run():
                inputs = [self.value(atom) for atom in structure.inputs]
                self._run(equation, structure.program, inputs)
            case Choice():
                self._choose(equation, structure)
            case Loop():
                Trips(self, equation, structure)
            case None:
                self.kernel.alone[equation.primitive.name](self, equation)

    def _run(self, equation: Equation, program: Program, inputs: Sequence[Value]) -> None:
        targets = [self.place(v) if v.type.shape else None for v in equation.outputs]
        outputs = self.kernel.block(program, inputs, targets)
        for variable, value in zip(equation.outputs, outputs, strict=True):
            if not variable.type.shape:
                self.values[variable] = value

    def _choose(self, equation: Equation, choice: Choice[Atom]) -> None:
        write = self.write
        inputs = [self.value(atom) for atom in choice.operands]
        targets = [self.cell(v) if not v.type.shape else self.place(v) for v in equation.outputs]
        if choice.examples is None:
            self._branch(self.number(choice.index), choice, inputs, targets)
        elif choice.examples:
            # The index may be one for all.
            indices = self.view(choice.index).stretched((choice.examples,))
            with write.loop(str(choice.examples)) as number:
                given = [
                    self.row(view, number, variable) if axis is not None else view
                    for view, axis, variable in zip(
                        inputs, choice.axes, choice.branches[0].inputs, strict=True
                    )
                ]
                rows = [self.part(target, number) for target in targets]
                index = load(write, self.part(indices, number))
                self._branch(index, choice, given, rows)
        for variable, target in zip(equation.outputs, targets, strict=True):
            if not variable.type.shape:
                self.values[variable] = load(self.write, target, "0")

    def part(self, view: View, number: str) -> View:
        """A part along the first axis."""
        moved = self.shifted(view, self.write.times(number, view.strides[0]))
        return moved._replace(shape=view.shape[1:], strides=view.strides[1:])

    def row(self, value: Value, number: str, variable: Variable) -> Value:
        """A part along the first axis, as what a Program takes."""
        assert isinstance(value, View)
        part = self.part(value, number)
        return part if variable.type.shape else load(self.write, part)

    def _branch(
        self, index: str, choice: Choice[Atom], inputs: Sequence[Value], targets: Sequence[View]
    ) -> None:
        """Write the branches, one of which is run."""
        write = self.write
        index = converted(write, index, choice.index.type.dtype, np.dtype(np.int64))
        labels = [write.label() for _ in choice.branches]
        after = write.label()
        index = write.call("llvm.smax.i64", "i64", ("i64", index), ("i64", "0"))
        cases = " ".join(f"i64 {n}, label %{label}" for n, label in enumerate(labels[:-1]))
        write.line(f"switch i64 {index}, label %{labels[-1]} [ {cases} ]")
        for label, branch in zip(labels, choice.branches, strict=True):
            write.begin(label)
            self.kernel.block(branch, inputs, targets)
            write.jump(after)
        write.begin(after)

    def cell(self, atom: Atom) -> View:
        """Memory for a number, which LLVM keeps in a register."""
        pointer = self.write.stack(memory_type(atom.type.dtype))
        return self.kernel.array(pointer, atom.type)


class Trips:
    """A loop as it is written."""

    def __init__(self, outside: Emission, equation: Equation, loop: Loop[Atom]) -> None:
        self.kernel = kernel = outside.kernel
        self.write = write = kernel.write
        constants = [outside.value(atom) for atom in loop.constants]
        rows = [outside.view(atom) for atom in loop.rows]
        body = loop.body
        count = len(loop.carries)
        # The carries of a trip lie where the results of the loop are to be.
        results = equation.outputs[:count]
        types = [variable.type for variable in loop.inside.carries]
        carries: list[View] = []
        for number, (atom, variable) in enumerate(zip(loop.carries, results, strict=True)):
            others = [*loop.constants, *loop.rows]
            others += [other for n, other in enumerate(loop.carries) if n != number]
            carry = outside.taken(atom, variable, others) if variable.type.shape else None
            if carry is None:
                carry = outside.place(variable) if variable.type.shape else outside.cell(variable)
                value = outside.value(atom)
                if isinstance(value, str):
                    store(kernel.write, carry, value)
                else:
                    copy(kernel.write, value, carry)
            carries.append(carry)
        stacks = [outside.place(v) for v in equation.outputs[count:]]

        def given() -> list[Value]:
            return [
                *constants,
                *(
                    carry if type.shape else load(kernel.write, carry, "0")
                    for carry, type in zip(carries, types, strict=True)
                ),
            ]

        def trip(index: str) -> None:
            parts = [
                outside.row(row, index, inner)
                for row, inner in zip(rows, loop.inside.rows, strict=True)
            ]
            aims = [None] * count + [outside.part(stack, index) for stack in stacks]
            outputs = kernel.block(body, [*given(), *parts], aims, owned)
            self._hand_on(outputs[:count], carries)

        others = [value.tag for value in (*constants, *rows) if isinstance(value, View)]
        owned = frozenset(carry.tag for carry in carries).difference(others)
        at_once = 1 << (PATIENCE // (1 + body.operations)).bit_length()
        if loop.condition is not None:
            head, inside, after = write.label(), write.label(), write.label()
            write.jump(head)
            write.begin(head)
            (again,) = kernel.block(loop.condition, given(), [None])
            again = load(kernel.write, again, "0") if isinstance(again, View) else again
            write.line(f"br i1 {again}, label %{inside}, label %{after}")
            write.begin(inside)
            self._poll_sometimes(at_once)
            trip("0")
            kernel.leave_if_failed()  # what was computed since may hold the condition for ever
            write.jump(head)
            write.begin(after)
        else:
            length = loop.length if loop.length is not None else rows[0].shape[0]
            last = str(length - 1)
            if length:
                polling = self._polling(length, at_once)
                with polling as (first, stop), write.loop(stop, first) as index:
                    trip(write.let(f"sub nsw i64 {last}, {index}") if loop.reverse else index)
        for variable, carry in zip(results, carries, strict=True):
            if not variable.type.shape:
                outside.values[variable] = load(kernel.write, carry, "0")

    def _poll_sometimes(self, trips: int) -> None:
        """Poll once in so many trips, a power of two; nobody knows how many there will be."""
        write = self.write
        place = write.above_stack("i64", "0")
        count = write.let(f"add i64 {write.let(f'load i64, ptr {place}')}, 1")
        write.line(f"store i64 {count}, ptr {place}")
        due = write.let(f"and i64 {count}, {trips - 1}")
        with write.when(write.let(f"icmp eq i64 {due}, 0")):
            self.kernel.poll()

    @contextmanager
    def _polling(self, length: int, trips: int) -> Generator[tuple[str, str]]:
        """Poll between runs of so many trips, if there are several: from which to which one."""
        write = self.write
        if length <= trips:
            yield "0", str(length)
            return
        with write.loop(str(-(-length // trips))) as run:
            first = write.let(f"mul nuw nsw i64 {run}, {trips}")
            stop = write.let(f"add nuw nsw i64 {first}, {trips}")
            stop = write.call("llvm.smin.i64", "i64", ("i64", stop), ("i64", str(length)))
            yield first, stop
            self.kernel.poll()

    def _hand_on(self, values: Sequence[Value], carries: Sequence[View]) -> None:
        """Put the next carries where the last ones were, all at once."""
        kernel = self.kernel
        moved: list[tuple[Value, View]] = []
        others = {carry.tag for carry in carries}
        read = {value.slot for value in values if isinstance(value, View)}
        copies: list[Slot | None] = []
        for value, carry in zip(values, carries, strict=True):
            if isinstance(value, View) and value.pointer == carry.pointer and value.is_contiguous:
                continue
            # What lies where another carry is going to be is copied first.
            if isinstance(value, View) and value.tag in others:
                apart = kernel.places.take(value.shape, value.dtype, unless=read)
                copies.append(apart.slot)
                copy(kernel.write, value, apart)
                moved.append((apart, carry))
            else:
                moved.append((value, carry))
        for value, carry in moved:
            if isinstance(value, str):
                store(kernel.write, carry, value)
            else:
                copy(kernel.write, value, carry)
        for slot in copies:
            kernel.places.give_back(slot)


def _apart_from(operations: int) -> float:
    """Over how many elements loops are functions of their own, in a Program of this length.

    A call takes as long as some elements, and arrays that are handed on lie in memory. But of a
    function that is too long LLVM makes nothing in time.
    """
    if operations <= LONG:
        return math.inf
    return 64 if operations <= VERY_LONG else 9


def _cost(nest: Nest, moved: int) -> float:
    """How many instructions an element of a nest takes, on numbers of 8 bytes.

    Args:
        nest: The nest.
        moved: How many numbers are read and written at each element.
    """
    if math.prod(nest.domain) < FEW:
        return 0
    operations = sum(
        1 if is_reduction(equation) else instructions_of(equation) for equation in nest.equations
    )
    itemsize = max(v.type.dtype.itemsize for e in nest.equations for v in e.outputs)
    return (operations + MOVED * moved) * itemsize / 8


def _count(program: Program) -> int:
    """The number of operations of a Program and those in it."""
    return len(program.equations) + sum(
        _count(inner) for equation in program.equations for inner in equation.programs
    )


# Which variables lie in the memory of which


def sources_of(program: Program) -> dict[Variable, Variable]:
    """For each view the variable of which it is one, which may be a view as well."""
    sources: dict[Variable, Variable] = {}
    for equation in program.equations:
        source = equation.inputs[0] if equation.inputs else None
        if is_view(equation) and isinstance(source, Variable):
            # Numbers are read at once.
            arrays = [variable for variable in equation.outputs if variable.type.shape]
            sources.update(dict.fromkeys(arrays, source))
    return sources


def last_uses(
    program: Program, block: Block, sources: Mapping[Variable, Variable]
) -> dict[Variable, int]:
    """For each variable the number of the last step that reads it, or a view of it."""
    last: dict[Variable, int] = {}

    def use(atom: Atom | None, number: int) -> None:
        while isinstance(atom, Variable):
            last[atom] = max(last.get(atom, -1), number)
            atom = sources.get(atom)

    for number, step in enumerate(block.steps):
        equations = list(step.views)
        match step.does:
            case Nest(_, own, _):
                equations += own
            case Alone(equation):
                equations.append(equation)
            case None:
                pass
        for equation in equations:
            for atom in equation.inputs:
                use(atom, number)
            for variable in equation.outputs:
                last.setdefault(variable, number)
    for atom in program.outputs:
        use(atom, len(block.steps))
    return last


# Views


def sliced(view: View, found: Layout) -> tuple[int, list[int], list[int]]:
    """Where a part begins, its lengths and its strides, as far as the text tells."""
    offset = 0
    for axis, number in found.integers:
        offset += (number % view.shape[axis]) * view.strides[axis]
    shape: list[int] = []
    strides: list[int] = []
    for item in found.sliced:
        if item is None:
            shape.append(1)
            strides.append(0)
            continue
        axis, part = item
        taken = range(*part.indices(view.shape[axis]))
        if taken:
            offset += taken[0] * view.strides[axis]
        shape.append(len(taken))
        strides.append(taken.step * view.strides[axis])
    return offset, shape, strides


def windowed(view: View, shape: Shape, params: Mapping[str, Any]) -> View:
    """All windows of an array: first their axes, then those of the array, which count them."""
    strides = list(view.strides)
    within: list[int] = []
    for axis, step, dilation in zip(
        params["along"], params["steps"], params["dilations"], strict=True
    ):
        within.append(strides[axis] * dilation)
        strides[axis] *= step
    return view._replace(shape=shape, strides=(*within, *strides))


def viewed(view: View, equation: Equation) -> list[tuple[int, View]] | None:
    """What an operation that moves nothing makes of an array.

    Args:
        view: The array.
        equation: The operation.

    Returns:
        For each output where it begins, in elements from where the array does, and how it lies.
        None where only a call tells, and where elements have to be moved after all.
    """
    name, params = equation.primitive.name, equation.params
    shape, strides = equation.outputs[0].type.shape, view.strides
    offset = 0
    if name in ("split", "unstack"):
        return _divided(view, equation)
    if name in ("getitem", "element"):
        if len(equation.inputs) > 1:
            return None
        offset, _, strides = sliced(view, layout(params["index"], len(view.shape)))
    elif name == "flip":
        strides = list(strides)
        for axis in {axis % len(view.shape) for axis in params["reverse"]}:
            offset += max(view.shape[axis] - 1, 0) * view.strides[axis]
            strides[axis] *= -1
    elif name == "diagonal":
        *others, down, right = strides
        k = params["offset"]
        offset = k * right if k >= 0 else -k * down
        strides = (*others, down + right)
    elif name == "reshape":
        if not view.is_contiguous:
            return None
        strides = strides_of(shape)
    elif name == "windows":
        strides = windowed(view, shape, params).strides
    elif name == "transpose":
        strides = [strides[axis] for axis in params["permutation"]]
    elif name == "broadcast_to":
        strides = view.stretched(shape).strides
    return [(offset, view._replace(shape=shape, strides=tuple(strides)))]


def _divided(view: View, equation: Equation) -> list[tuple[int, View]]:
    """Parts along an axis, or with one element along it, which is left out."""
    axis = equation.params["axis"] % len(view.shape)
    strides, start = view.strides, 0
    is_out = equation.primitive.name == "unstack"
    if is_out:
        strides = (*strides[:axis], *strides[axis + 1 :])
    made: list[tuple[int, View]] = []
    for output in equation.outputs:
        shape = output.type.shape
        made.append((start * view.strides[axis], view._replace(shape=shape, strides=strides)))
        start += 1 if is_out else shape[axis]
    return made


Alones = Mapping[str, Callable[[Emission, Equation], None]]
"""What writes operations that are computed by themselves, by the names of the primitives."""


Limits = Mapping[str, Callable[[Equation], str | None]]
"""What tells why operations of `Alones` are not written after all, by the names of the primitives.
"""
