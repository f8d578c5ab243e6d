"""Writing LLVM's language: instructions, blocks, loops, and which accesses may overlap."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.folding import Folding
from functrace.backends.native.parallel import PARALLEL, is_there
from functrace.backends.native.sharing import Shared, names_given, type_of_value

REGISTERS = {
    "float64": "double", "float32": "float", "bool": "i1",
    "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "i8", "uint16": "i16", "uint32": "i32", "uint64": "i64",
}  # fmt: skip
"""The types of LLVM in which numbers are computed, by NumPy's names."""


LOOPS = 1_000_000
"""The number of the first loop among the notes to LLVM; those before are of memory."""


@cache
def register_type(dtype: np.dtype[Any]) -> str:
    """The type of a number in a register."""
    return REGISTERS[dtype.name]


@cache
def memory_type(dtype: np.dtype[Any]) -> str:
    """The type of a number in memory: booleans take a byte."""
    return "i8" if dtype.kind == "b" else REGISTERS[dtype.name]


def literal(value: Any, dtype: np.dtype[Any]) -> str:
    """A number as LLVM writes it."""
    if dtype.kind == "f":
        # Numbers of single precision are written as those of double precision that they are.
        (bits,) = struct.unpack("<Q", struct.pack("<d", float(np.asarray(value, dtype)[()])))
        return f"0x{bits:016X}"
    if dtype.kind == "b":
        return "true" if value else "false"
    return str(int(np.asarray(value).astype(dtype)))


FEWEST = 50_000
"""Loops over fewer elements are never divided among threads."""

FEWEST_TRIPS = 16
"""Nor those of fewer trips: the pieces would differ too much."""

WORTH = 20_000_000
"""So many instructions, before vectors are made of them, take half a millisecond and more, which is
twenty times what a thread costs."""

LINES = 20
"""So many instructions a mathematical function has."""


class Memory(NamedTuple):
    """Some memory that a function reads or writes, none of which is part of another one.

    Attributes:
        pointer: Where it begins.
        tag: What tells LLVM which it is.
    """

    pointer: str
    tag: int


def _nothing(condition: str) -> None:
    """Refuse nothing."""


class Writer:
    """The text of one function, written instruction by instruction.

    Values are the names of registers, or literals.

    Attributes:
        block: The block that is being written.
        declarations: What is declared of LLVM's own functions.
        refuse: Writes that NumPy is to be asked where a condition holds.
        needs: Which functions of ours that are no operations are called.
        functions: Which mathematical functions are called, each with the type of its numbers.
        folding: What LLVM may know of the registers.
    """

    def __init__(self, head: str, apart_from: float = math.inf) -> None:
        """Begin a function.

        Args:
            head: Its first line, without the brace.
            apart_from: Loops over so many elements are functions of their own.
        """
        self._apart_from = apart_from
        self._head = head
        self._allocations: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._tags = 0
        self._loops: dict[int, str] = {}
        self._others: list[Writer] = []
        self._types: dict[str, str] = {}
        self._outer: list[str] | None = None
        self._tasks: list[str] = []
        self._is_divided = is_there()
        self._name = head.partition("@")[2].partition("(")[0]
        self._shared = Shared(self._name, self._note)
        self._hidden: dict[tuple[str, str], str] = {}
        self.folding = Folding(self.hidden)
        self.block = "start"
        self.declarations: set[str] = set()
        self.refuse: Callable[[str], None] = _nothing
        self.functions: set[tuple[str, str]] = set()
        self.needs: set[str] = set()
        self.libraries: set[str] = set()

    def another(self, head: str) -> Writer:
        """Begin another function of the same module."""
        other = Writer(head)
        other._loops, other._is_divided = self._loops, False
        other.declarations, other.functions = self.declarations, self.functions
        other.libraries, other.needs = self.libraries, self.needs
        self._others.append(other)
        return other

    def text(self) -> str:
        """The function."""
        body = ["entry:", *self._allocations, "  br label %start", "start:", *self._lines]
        others = [*self._shared.functions, *self._tasks]
        return "\n".join([*others, f"{self._head} {{", *body, "}"])

    def metadata(self) -> str:
        """What the function refers to: memory with different tags never overlaps."""
        lines = ['!0 = !{!"memory"}', '!1 = !{!"llvm.loop.unroll.disable"}']
        lines += [f"!{n} = distinct !{{!{n}, !1{said}}}" for n, said in self._loops.items()]
        for tag in range(1, max(x._tags for x in (self, *self._others)) + 1):
            lines.append(f'!{2 * tag} = !{{!"m{tag}", !0, i64 0}}')
            lines.append(f"!{2 * tag + 1} = !{{!{2 * tag}, !{2 * tag}, i64 0}}")
        return "\n".join(lines)

    # Names

    def name(self) -> str:
        """A new name of a register."""
        self._count += 1
        return f"%v{self._count}"

    def tag(self) -> int:
        """A new number for memory."""
        self._tags += 1
        return self._tags

    # Instructions

    def line(self, text: str) -> None:
        """Write an instruction without a value."""
        self._lines.append(f"  {text}")

    def let(self, text: str) -> str:
        """Write an instruction with a value."""
        text, constants = self.folding.safe(text)
        name = self.name()
        self._types[name] = text
        self._lines.append(f"  {name} = {text}")
        self.folding.note(name, constants)
        return name

    def hidden(self, kind: str, value: str) -> str:
        """A floating point number of which LLVM knows nothing."""
        if not value.startswith("%"):
            return self._unknown(kind, value)
        whole = {"double": "i64", "float": "i32"}[kind]
        bits = self.let(f"bitcast {kind} {value} to {whole}")
        bits = self.let(f"xor {whole} {bits}, {self._unknown(whole, '0')}")
        return self.let(f"bitcast {whole} {bits} to {kind}")

    def _unknown(self, kind: str, value: str) -> str:
        """A constant of which LLVM does not know that it is one."""
        if (kind, value) not in self._hidden:
            place = self.above(f"alloca {kind}")
            self._whole().append(f"  store volatile {kind} {value}, ptr {place}")
            self._hidden[kind, value] = self.above(f"load volatile {kind}, ptr {place}")
        return self._hidden[kind, value]

    def call(self, function: str, type: str, *arguments: tuple[str, str]) -> str:
        """Call one of LLVM's own functions, which is declared."""
        given = ", ".join(f"{kind} {value}" for kind, value in arguments)
        kinds = ", ".join(kind for kind, _ in arguments)
        self.declarations.add(f"declare {type} @{function}({kinds})")
        return self.let(f"call {type} @{function}({given})")

    def stack(self, type: str, count: int = 1, align: int = 0) -> str:
        """Memory for as long as the function runs."""
        name = self.name()
        self._types[name] = "alloca"
        aligned = f", align {align}" if align else ""
        self._allocations.append(f"  {name} = alloca [{count} x {type}]{aligned}")
        return name

    def above(self, text: str) -> str:
        """A value that is there from the beginning of the function."""
        name = self.name()
        self._types[name] = text
        self._whole().append(f"  {name} = {text}")
        return name

    def above_stack(self, type: str, value: str) -> str:
        """Memory for a number, wherever it is asked for, that is set before all else."""
        name = self.above(f"alloca {type}")
        self._whole().append(f"  store {type} {value}, ptr {name}")
        return name

    def _whole(self) -> list[str]:
        """What stands at the beginning of the whole function."""
        return self._allocations if self._outer is None else self._outer

    def load(self, dtype: np.dtype[Any], pointer: str, tag: int) -> str:
        """A number out of memory."""
        kind = memory_type(dtype)
        value = self.let(f"load {kind}, ptr {pointer}, align {dtype.itemsize}{tagged(tag)}")
        self.folding.get(value, tag)
        # Booleans that are views of other numbers may be any byte.
        return self.let(f"icmp ne i8 {value}, 0") if dtype.kind == "b" else value

    def store(self, dtype: np.dtype[Any], value: str, pointer: str, tag: int) -> None:
        """A number into memory."""
        if dtype.kind == "b":
            value = self.let(f"zext i1 {value} to i8")
        self.folding.put(value, tag)
        kind = memory_type(dtype)
        self.line(f"store {kind} {value}, ptr {pointer}, align {dtype.itemsize}{tagged(tag)}")

    def address(self, dtype: np.dtype[Any], pointer: str, place: str) -> str:
        """The address of an element."""
        if place == "0":
            return pointer
        return self.let(f"getelementptr inbounds {memory_type(dtype)}, ptr {pointer}, i64 {place}")

    def add(self, x: str, y: str) -> str:
        """The sum of two places, which are far from the largest integer."""
        if "0" in (x, y):
            return y if x == "0" else x
        if not x.startswith("%") and not y.startswith("%"):
            return str(int(x) + int(y))
        return self.let(f"add nsw i64 {x}, {y}")

    def times(self, x: str, factor: int) -> str:
        """A multiple of a place."""
        if factor in (0, 1):
            return x if factor else "0"
        if not x.startswith("%"):
            return str(int(x) * factor)
        return self.let(f"mul nsw i64 {x}, {factor}")

    # Blocks

    def label(self) -> str:
        """A new name of a block."""
        self._count += 1
        return f"b{self._count}"

    def begin(self, label: str) -> None:
        """Begin a block."""
        self._lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        """Go on with another block."""
        self.line(f"br label %{label}")

    @contextmanager
    def loop(self, count: str, first: str = "0", *, plain: bool = False) -> Generator[str]:
        """What is done for each number from the first one to the last before ``count``.

        There is at least one such number. No vectors are made of a plain loop.
        """
        before, label, after = self.block, self.label(), self.label()
        self.jump(label)
        self.begin(label)
        number, following = self.name(), self.name()
        self._types[number] = "phi i64"
        place = len(self._lines)
        yield number
        self._lines.insert(
            place, f"  {number} = phi i64 [ {first}, %{before} ], [ {following}, %{self.block} ]"
        )
        self.line(f"{following} = add nuw nsw i64 {number}, 1")
        test = self.let(f"icmp slt i64 {following}, {count}")
        # Short loops are written out here, where it pays; LLVM would write out far too many.
        self.line(f"br i1 {test}, label %{label}, label %{after}, !llvm.loop !{self._note(plain)}")
        self.begin(after)

    def _note(self, plain: bool = False) -> int:
        """A number for what is said of a loop."""
        number = LOOPS + len(self._loops)
        self._loops[number] = ', !{!"llvm.loop.vectorize.enable", i1 false}' if plain else ""
        return number

    @contextmanager
    def apart(self, elements: int) -> Generator[None]:
        """What may be written as a function of its own: no value of it is used outside.

        Args:
            elements: How many elements it is done for.
        """
        if elements < self._apart_from or self._outer is not None:
            yield
            return
        lines, allocations, block = self._lines, self._allocations, self.block
        self._lines, self._allocations, self._outer = [], [], allocations
        self.block = "start"
        yield
        inner, own = self._lines, self._allocations
        self._lines, self._allocations, self._outer, self.block = lines, allocations, None, block
        self.line(self._shared.call(own, inner, lambda name: type_of_value(self._types[name])))

    @contextmanager
    def divided(self, length: int, elements: int) -> Generator[tuple[str, str]]:
        """What may be done by several threads, each from a first number to one before a last.

        No value of it is used outside, and what is done for one number needs nothing that is done
        for another.

        Args:
            length: How many numbers there are in all.
            elements: How many elements they are of.
        """
        is_long = elements >= FEWEST and length >= FEWEST_TRIPS
        if not is_long or self._outer is not None or not self._is_divided:
            yield "0", str(length)
            return
        lines, allocations, block, refuse = (
            self._lines, self._allocations, self.block, self.refuse,
        )  # fmt: skip
        refused: list[str] = []
        self._lines, self._allocations, self._outer = [], [], allocations
        self.block, self.refuse = "start", lambda x: (refused.append(x), refuse(x))[1]
        yield "%first", "%last"
        inner, own = self._lines, self._allocations
        self._lines, self._allocations, self._outer = lines, allocations, None
        self.block, self.refuse = block, refuse
        task, context = self._task(own, inner)
        called = sum("call" in line for line in inner)
        if refused or elements * (len(inner) + LINES * called) < WORTH:
            self.line(f"call void {task}(ptr {context}, i64 0, i64 {length})")
            return
        self.needs.add(PARALLEL)
        self.declarations.add(f"declare i32 @{PARALLEL}(ptr, ptr, i64)")
        raised = self.let(f"call i32 @{PARALLEL}(ptr {task}, ptr {context}, i64 {length})")
        self.refuse(self.let(f"icmp ne i32 {raised}, 0"))

    def _task(self, allocations: Sequence[str], lines: Sequence[str]) -> tuple[str, str]:
        """Lines as a function of a context, a first and a last number; and the context."""
        given = [
            (name, type_of_value(self._types[name])) for name in names_given(allocations, lines)
        ]
        whole = f"{{ {', '.join([kind for _, kind in given])} }}"
        context = self.stack(whole)
        loads: list[str] = []
        for number, (name, kind) in enumerate(given):
            place = self.let(f"getelementptr {whole}, ptr {context}, i64 0, i32 {number}")
            self.line(f"store {kind} {name}, ptr {place}")
            where = f"getelementptr {whole}, ptr %context, i64 0, i32 {number}"
            loads += [f"  %at{number} = {where}", f"  {name} = load {kind}, ptr %at{number}"]
        task = f"@{self._name}.task.{len(self._tasks)}"
        head = f"define internal void {task}(ptr %context, i64 %first, i64 %last) noinline {{"
        body = ["entry:", *allocations, *loads, "  br label %start", "start:", *lines]
        self._tasks.append("\n".join([head, *body, "  ret void", "}"]))
        return task, context

    @contextmanager
    def when(self, condition: str) -> Generator[None]:
        """What is done if something is true."""
        inside, after = self.label(), self.label()
        self.line(f"br i1 {condition}, label %{inside}, label %{after}")
        self.begin(inside)
        yield
        self.jump(after)
        self.begin(after)


def tagged(tag: int) -> str:
    """What is noted beside an access, for LLVM: which memory it is to."""
    return f", !tbaa !{2 * tag + 1}" if tag else ""


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """How far elements are from each other along each axis, in row-major order."""
    strides: list[int] = []
    step = 1
    for length in reversed(shape):
        strides.append(step)
        step *= length
    return tuple(reversed(strides))
