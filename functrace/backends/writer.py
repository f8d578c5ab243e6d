"""Writing the source of a `Plan`: lines with the user's places, names, literals."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from functrace.backends.memory import Key, Storage, Value, key_of
from functrace.backends.names import RESERVED
from functrace.backends.plan import (
    MOST_NUMBERS,
    As,
    Assign,
    CloseBlock,
    CloseLoop,
    Compute,
    ComputeNumber,
    Convert,
    Move,
    OpenBranch,
    OpenFor,
    OpenHandling,
    OpenWhile,
    Plan,
    Read,
    Release,
    Return,
    RowKind,
    Stack,
    StackKind,
    Test,
)
from functrace.backends.runtime import (
    as_array,
    fresh_copy,
    from_array,
    in_class_of,
    new_doubles,
    stacked,
)
from functrace.ir.program import DIVISION, Source, variable_names
from functrace.ir.types import UNKNOWN, ArrayType
from functrace.tracing.numpy_warnings import begin_silence, end_silence

TEMPLATES = {
    As.INT: "int({})",
    As.LENGTH: "len({})",
    As.FLOAT: "float({})",
    As.FLOAT64: "np.float64({})",
    As.BOOL: "np.bool_({})",
    As.COPY: "{}.copy()",
    As.SCALAR: "{}[()]",
    As.ARRAY: "np.array({})",
}
"""What reads a value in another form."""

CALLS: dict[As, Callable[[Any], Any]] = {
    As.FRESH: fresh_copy,
    As.NUMBERS: from_array,
    As.SHARED: as_array,
}
"""The functions that do so where NumPy has none."""


class Writer:
    """Writes the source of a function.

    Attributes:
        lines: The lines so far.
        places: For each line the place in the user's code.
        globals: What the source refers to by name.
        products: The sizes of the matrix products.
        workspace: The names and types of the arrays that are kept from call to call.
    """

    def __init__(self, plan: Plan) -> None:
        """Begin, with names for the inputs."""
        self.lines: list[str] = []
        self.places: list[Source | None] = []
        self.workspace: list[tuple[str, ArrayType]] = []
        self.globals = plan.names.globals
        self.products = plan.products
        self._plan = plan
        self._fresh = (name for name in variable_names() if name not in RESERVED)
        self._texts: dict[Value, str] = {}
        self._names: dict[Storage, list[str]] = {}  # that keep memory alive
        self._slots: dict[Storage, str] = {}  # what is kept from call to call
        self._idle: dict[Key | None, list[str]] = {}
        self._tuples: dict[Value, tuple[str, int, int]] = {}  # numbers that only loops read
        self._indent = ""
        self._opened: list[tuple[int, str | None]] = []
        self._bound: list[list[str]] = [[]]  # for each block that is open: names that keep memory
        self._ended: set[str] = set()  # of these, what blocks bound that may not have been run
        self._source: Source | None = None
        self._comments: dict[Source, str] = {}
        for value, given in zip(plan.inputs, plan.given, strict=True):
            self._texts[value] = self._texts[given] = next(self._fresh)
            self._own(value, value.storage)

    def write(self) -> None:
        """Write the steps of the plan."""
        for source, step in self._plan.steps:
            self._source = source
            self._STEPS[type(step)](self, step)

    # Lines

    def line(self, text: str) -> None:
        """Write a line, with the user's line beside it."""
        source = self._source
        if source is not None:
            comment = self._comments.get(source)
            if comment is None:
                comment = f"  # {source.short}"
                self._comments[source] = comment
            text += comment
        self.lines.append(self._indent + text)
        self.places.append(source)

    def insert(self, number: int, text: str) -> None:
        """Write a line before others that are there already, as deep as the next one."""
        self.lines.insert(number, self._indent + text)
        self.places.insert(number, None)

    def open(self, line: str, finally_: str | None = None) -> None:
        """Write a line that opens a block; what is to be done at its end, come what may."""
        self.line(line)
        self._indent += "    "
        self._opened.append((len(self.lines), finally_))
        self._bound.append([])

    def close(self) -> None:
        """End a block."""
        begun, finally_ = self._opened.pop()
        bound = self._bound.pop()
        if finally_ is None:
            self._ended.update(bound)
        else:
            self._bound[-1] += bound
        if begun == len(self.lines):
            self.line("pass")
        self._indent = self._indent[4:]
        if finally_ is not None:
            self.line("finally:")
            self._indent += "    "
            self.line(finally_)
            self._indent = self._indent[4:]

    @contextmanager
    def indented(self, opening: str) -> Generator[None]:
        """Write a line that opens a block, and what follows inside the block."""
        self.open(opening)
        yield
        self.close()

    # Names

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs."""
        return [self._texts[value] for value in self._plan.given]

    def _text(self, value: Value) -> str:
        """The name of a value, or a literal."""
        text = self._texts.get(value)
        if text is None:
            assert value.constant is not UNKNOWN
            text = self._plan.names.constant(value.constant)
        return text

    def _read(self, read: Read) -> str:
        text = self._text(read.value)
        for way in read.ways:
            text = self._as(way, text)
        if read.like is not None:
            return f"{self._called(in_class_of)}({text}, {self._text(read.like)})"
        return text

    def _as(self, way: As, text: str) -> str:
        template = TEMPLATES.get(way)
        if template is not None:
            return template.format(text)
        return f"{self._called(CALLS[way])}({text})"

    def _called(self, function: Callable[..., Any]) -> str:
        return self._plan.names.function(function.__name__, function)

    def _own(self, value: Value, storage: Storage | None) -> None:
        """Note that the name of a value keeps memory alive."""
        if storage is not None:
            self._names.setdefault(storage, []).append(self._texts[value])

    def _name(self, value: Value, storage: Storage | None = None) -> str:
        """Give a name to a value in this memory."""
        name = self._texts[value] = next(self._fresh)
        if storage is not None:
            self._names.setdefault(storage, []).append(name)
            self._bound[-1].append(name)
        return name

    def _slot(self, storage: Storage | None) -> str | None:
        """The name of an array that is kept from call to call, if memory is to be one."""
        if storage is None or storage not in self._plan.kept:
            return None
        assert storage.type is not None
        idle = self._idle.get(key_of(storage.type))
        if idle:
            name = idle.pop()
        else:
            name = next(self._fresh)
            self.workspace.append((name, storage.type))
        self._slots[storage] = name
        return name

    # Steps

    def _compute(self, step: Compute) -> None:
        _, code, inputs, ways, outputs, storages, over = step
        texts = [*map(self._text, inputs)]
        if ways is not None:
            for number, way in enumerate(ways):
                if way is not None:
                    texts[number] = self._as(way, texts[number])
        if len(outputs) != 1 or step.equation.primitive.multiple_outputs:
            self._compute_several(step, texts)
            return
        (output,), (storage,), (target,) = outputs, storages, over
        if target is not None and self._is_fitting(step, target):
            name = self._texts[output] = self._texts[target]
            if not (code.takes_over and target is inputs[0]):
                assert code.into is not None
                self.line(code.into.format(*texts, out=name))
        else:
            name = self._slot(storage) if code.into is not None and target is None else None
            if name is not None and code.into is not None:
                self._texts[output] = name
                self.line(code.into.format(*texts, out=name))
            else:
                name = self._name(output, storage)
                self.line(f"{name} = {code.expression.format(*texts)}")
        for statement in code.then:
            self.line(statement.format(*texts, out=name))

    def _is_fitting(self, step: Compute, target: Value) -> bool:
        """Whether the result of a step may be written over an array, as things have turned out."""
        if not step.code.needs_contiguous or target.is_contiguous:
            return True
        return target.storage in self._slots

    def _compute_several(self, step: Compute, texts: Sequence[str]) -> None:
        _, code, _, _, outputs, storages, over = step
        outs: list[str | None] = []
        for target, storage in zip(over, storages, strict=True):
            if target is not None and self._is_fitting(step, target):
                outs.append(self._texts[target])
            else:
                outs.append(self._slot(storage) if code.into is not None else None)
        call = code.expression.format(*texts)
        if code.into is not None and any(outs):
            call = code.into.format(*texts, out=outs)
        names: list[str] = []
        for output, storage, out in zip(outputs, storages, outs, strict=True):
            if out is None:
                names.append(self._name(output, storage))
            else:
                names.append(out)
                self._texts[output] = out
        listed = f"{', '.join(names)}{',' if len(names) == 1 else ''} = " if names else ""
        self.line(f"{listed}{call}")

    def _compute_number(self, step: ComputeNumber) -> None:
        texts = map(self._text, step.inputs)
        text = step.template.format(*texts)
        self.line(f"{self._name(step.output)} = {text}")

    def _convert(self, step: Convert) -> None:
        text = self._read(step.read)
        output = step.output
        storage = None if output is step.read.value else output.storage
        self.line(f"{self._name(output, storage)} = {text}")

    def _assign(self, step: Assign) -> None:
        self._assign_all([*map(self._text, step.outputs)], step.reads)

    def _assign_all(self, names: Sequence[str], reads: Sequence[Read]) -> None:
        texts = map(self._read, reads)
        pairs = [(name, text) for name, text in zip(names, texts, strict=True) if name != text]
        if pairs:
            targets, sources = zip(*pairs, strict=True)
            self.line(f"{', '.join(targets)} = {', '.join(sources)}")

    def _move(self, step: Move) -> None:
        text = self._text(step.view)
        target = self._slot(step.storage) if step.over is None else self._texts[step.over]
        if target is not None:
            self._texts[step.view] = target
            self.line(f"np.copyto({target}, {text})")
        else:
            self.line(f"{self._name(step.view, step.storage)} = {text}.copy()")

    def _release(self, step: Release) -> None:
        gone: list[str] = []
        for storage in step.storages:
            slot = self._slots.get(storage)
            if slot is None:
                gone += self._names.get(storage, ())
            else:
                assert storage.type is not None
                self._idle.setdefault(key_of(storage.type), []).append(slot)
        bound = [name for name in dict.fromkeys(gone) if name not in self._ended]
        if bound:
            self.line(f"del {', '.join(bound)}")
        perhaps = [name for name in dict.fromkeys(gone) if name in self._ended]
        if perhaps:  # a branch that was not chosen, or a loop without trips, has not bound these
            self.line(f"{' = '.join(perhaps)} = None")

    def _open_handling(self, step: OpenHandling) -> None:
        if step.handling == DIVISION:  # a tenth of the time that np.errstate takes
            begun = next(self._fresh)
            self.line(f"{begun} = {self._called(begin_silence)}()")
            self.open("try:", f"{self._called(end_silence)}({begun})")
            return
        told = (how.partition("=") for how in sorted(step.handling))
        settings = ", ".join(f'{kind}="{mode}"' for kind, _, mode in told)
        self.open(f"with np.errstate({settings}):")

    def _close_block(self, step: CloseBlock) -> None:
        self.close()

    def _open_branch(self, step: OpenBranch) -> None:
        number = step.number
        if not number:
            for output in step.outputs:
                self._name(output, output.storage)
        if number == step.count - 1:
            self.open("else:" if number else "if True:")
        else:
            index = self._text(step.index)
            self.open(f"{'elif' if number else 'if'} {index} <= {number}:")

    def _open_for(self, step: OpenFor) -> None:
        count = self._read(step.count)
        zipped: dict[str, str] = {}  # targets of the for statement, and what they run through
        tuples: dict[str, dict[int, str]] = {}
        indexed: list[tuple[str, str, str]] = []
        for value, source, kind in step.rows:
            name, text = self._name(value), self._text(source)
            if source in self._tuples:
                text, place, length = self._tuples[source]
                names = tuples.setdefault(text, {})
                if place in names:
                    self._texts[value] = names[place]
                names.setdefault(place, name)
                zipped = {target: source for target, source in zipped.items() if source != text}
                name = f"({', '.join(names.get(place, '_') for place in range(length))},)"
            if kind is RowKind.NUMBER:
                zipped[name] = text
            elif kind is RowKind.ITEM and 0 <= source.type.shape[0] <= MOST_NUMBERS:
                zipped[name] = f"{text}.tolist()"
            else:
                reading = "{}[{}]" if kind is RowKind.INDEXED else "{}.item({})"
                indexed.append((name, text, reading))
        self._make_stacks(step.stacks, count)
        trip = self._name(step.trip)
        sources = [f"range({count})", *zipped.values()]
        order = ", ".join(f"reversed({source})" if step.reverse else source for source in sources)
        self.open(f"for {', '.join([trip, *zipped])} in {f'zip({order})' if zipped else order}:")
        for name, text, reading in indexed:
            self.line(f"{name} = {reading.format(text, trip)}")

    def _make_stacks(self, stacks: Sequence[Stack], count: str) -> None:
        """Write what makes the memory for the outputs of a loop with so many trips."""
        inside = [stack.value for stack in stacks if stack.stays_inside]
        if inside:
            name = next(self._fresh)
            self.line(f"{name} = [None] * {count}")
            self._tuples.update(
                (value, (name, place, len(inside))) for place, value in enumerate(inside)
            )
            self._texts.update(dict.fromkeys(inside, name))
        for stack in stacks:
            value = stack.value
            if stack.stays_inside:
                continue
            slot = self._slot(value.storage) if stack.kind is StackKind.ARRAY else None
            if slot is not None:
                self._texts[value] = slot
                continue
            if stack.kind is StackKind.NUMBERS:
                made = f"{self._called(new_doubles)}({count})"
            elif stack.kind is StackKind.LIST:
                made = f"[None] * {count}"
            else:
                shape = ", ".join(map(str, (count, *stack.type.shape)))
                made = f"np.empty(({shape},), {self._plan.names.constant(stack.type.dtype)})"
            self.line(f"{self._name(value, value.storage)} = {made}")

    def _open_while(self, step: OpenWhile) -> None:
        for stack in step.stacks:
            self.line(f"{self._name(stack.value, stack.value.storage)} = []")
        self.open("while True:")

    def _test(self, step: Test) -> None:
        with self.indented(f"if not {self._text(step.value)}:"):
            self.line("break")

    def _close_loop(self, step: CloseLoop) -> None:
        opening = step.opening
        names, reads = [*map(self._text, step.carries)], [*step.reads]
        if isinstance(opening, OpenFor):
            trip = self._text(opening.trip)
            pairs = [*zip(opening.stacks, step.stacked, strict=True)]
            inside = [(stack, read) for stack, read in pairs if stack.stays_inside]
            if inside:
                numbers = ", ".join(self._read(read) for _, read in inside)
                self.line(f"{self._text(inside[0][0].value)}[{trip}] = ({numbers},)")
            for stack, read in pairs:
                place = f"{self._text(stack.value)}[{trip}]"
                if stack.kind is StackKind.LIST:
                    names.append(place)
                    reads.append(read)
                elif stack.kind is StackKind.ARRAY:
                    self.line(f"{place} = {self._read(read)}")
                elif not stack.stays_inside:  # which makes floats of what it is given
                    self.line(f"{place} = {self._text(read.value)}")
            self._assign_all(names, reads)
        else:
            parts = [next(self._fresh) for _ in opening.stacks]
            self._assign_all([*names, *parts], [*reads, *step.stacked])
            for stack, part in zip(opening.stacks, parts, strict=True):
                self.line(f"{self._text(stack.value)}.append({part})")
        self.close()
        for stack in opening.stacks:
            if stack.kind is StackKind.LIST:
                name, type = self._text(stack.value), self._plan.names.constant(stack.type)
                self.line(f"{name} = {self._called(stacked)}({name}, {type})")
        for value, output in zip(step.carries, step.outputs, strict=True):
            self._texts[output] = self._texts[value]
            self._own(output, output.storage)

    def _return(self, step: Return) -> None:
        texts = [*map(self._read, step.reads)]
        returned = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        if self.workspace:  # copies are made before another call may have the arrays
            self.line(f"result = {returned}")
            self.line(f"workspace.give({self.kept})")
            returned = "result"
        self.line(f"return {returned}")

    @property
    def kept(self) -> str:
        """The tuple of the arrays that are kept from call to call."""
        names = [name for name, _ in self.workspace]
        return f"({', '.join(names)}{',' if len(names) == 1 else ''})"

    _STEPS: ClassVar[dict[type, Callable[[Writer, Any], None]]] = {
        Compute: _compute,
        ComputeNumber: _compute_number,
        Convert: _convert,
        Assign: _assign,
        Move: _move,
        Release: _release,
        OpenHandling: _open_handling,
        CloseBlock: _close_block,
        OpenBranch: _open_branch,
        OpenFor: _open_for,
        OpenWhile: _open_while,
        Test: _test,
        CloseLoop: _close_loop,
        Return: _return,
    }
