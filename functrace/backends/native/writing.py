"""Writing LLVM's language: instructions, blocks, loops, and which accesses may overlap."""

from __future__ import annotations

import math
import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.folding import Folding
from functrace.backends.native.parallel import PARALLEL, is_there, piece_of
from functrace.backends.native.sharing import Shared, context_type, names_given, type_of_value

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


WORTH = 8_000_000
"""So many instructions on numbers of 8 bytes, before vectors are made of them, take some 200
microseconds, which is ten times what a thread costs."""


class Memory(NamedTuple):
    """Some memory that a function reads or writes, none of which is part of another one.

    Attributes:
        pointer: Where it begins.
        tag: What tells LLVM which it is.
    """

    pointer: str
    tag: int


class Task:
    """What may be done by several threads, piece by piece.

    Attributes:
        first: The first number of a piece.
        last: The one after its last number.
        memory: The memory that each thread has to itself.
        function: What does a piece, once it is written.
        given: The values from outside that it reads.
    """

    def __init__(self, first: str, last: str, memory: str) -> None:
        self.first = first
        self.last = last
        self.memory = memory
        self.function = ""
        self.given: Sequence[str] = ()


class Writer:
    """The text of one function, written instruction by instruction.

    Values are the names of registers, or literals.

    Attributes:
        block: The block that is being written.
        declarations: What is declared of LLVM's own functions.
        failed: Where a function notes that NumPy is to be asked; None if it never does.
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
        self._whole = self._allocations
        self._is_apart = self._is_task = False
        self._has_threads = is_there()
        self._name = head.partition("@")[2].partition("(")[0]
        self._shared = Shared(self._name, self._note)
        self._hidden: dict[tuple[str, str], str] = {}
        self.folding = Folding(self.hidden)
        self.block = "start"
        self.declarations: set[str] = set()
        self.failed: str | None = None
        self.functions: set[tuple[str, str]] = set()
        self.needs: set[str] = set()
        self.libraries: set[str] = set()

    def another(self, head: str) -> Writer:
        """Begin another function of the same module."""
        other = Writer(head)
        other._loops, other._has_threads = self._loops, False
        other.declarations, other.functions = self.declarations, self.functions
        other.libraries, other.needs = self.libraries, self.needs
        self._others.append(other)
        return other

    def text(self) -> str:
        """The function."""
        body = ["entry:", *self._allocations, "  br label %start", "start:", *self._lines]
        return "\n".join([*self._shared.functions, f"{self._head} {{", *body, "}"])

    def metadata(self) -> str:
        """What the function refers to: memory with different tags never overlaps."""
        lines = ['!0 = !{!"memory"}', '!1 = !{!"llvm.loop.unroll.disable"}']
        lines += [f"!{n} = distinct !{{!{n}, !1{said}}}" for n, said in self._loops.items()]
        for tag in range(1, max(x._tags for x in (self, *self._others)) + 1):
            lines.append(f'!{2 * tag} = !{{!"m{tag}", !0, i64 0}}')
            lines.append(f"!{2 * tag + 1} = !{{!{2 * tag}, !{2 * tag}, i64 0}}")
        return "\n".join(lines)

    @property
    def length(self) -> int:
        """How many lines there are."""
        return len(self._lines)

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
            self._whole.append(f"  store volatile {kind} {value}, ptr {place}")
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
        self._whole.append(f"  {name} = {text}")
        return name

    def above_stack(self, type: str, value: str) -> str:
        """Memory for a number, wherever it is asked for, that is set before all else."""
        name = self.above(f"alloca {type}")
        self._whole.append(f"  store {type} {value}, ptr {name}")
        return name

    def refuse(self, condition: str) -> None:
        """Note that something was true that NumPy does not take."""
        if self.failed is None:
            self.failed = self.above_stack("i32", "0")
        before = self.let(f"load i32, ptr {self.failed}")
        new = self.let(f"zext i1 {condition} to i32")
        self.line(f"store i32 {self.let(f'or i32 {before}, {new}')}, ptr {self.failed}")

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
        if elements < self._apart_from or self._is_apart:
            yield
            return
        with self._function() as (allocations, lines):
            self._is_apart = True
            yield
        self.line(self._shared.call(allocations, lines, self._type))

    @contextmanager
    def _function(self) -> Generator[tuple[list[str], list[str]]]:
        """What is written for another function: what it allocates, and its lines."""
        before = self._allocations, self._lines, self.block, self._is_apart
        self._allocations, self._lines, self.block = [], [], "start"
        yield self._allocations, self._lines
        self._allocations, self._lines, self.block, self._is_apart = before

    def _type(self, name: str) -> str:
        return type_of_value(self._types[name])

    def is_worth_threads(self, instructions: float) -> bool:
        """Whether `task` is for something that takes so many instructions."""
        return self._has_threads and not self._is_task and instructions >= WORTH

    @contextmanager
    def task(self) -> Generator[Task]:
        """What is done by several threads, each for some of the numbers from 0 on.

        No value of it is used outside, and what is done for one number needs nothing that is done
        for another. It is to be `divide`d.
        """
        first, last, memory, failed = (self.name() for _ in range(4))
        self._types |= {first: "phi i64", last: "phi i64", memory: "alloca", failed: "alloca"}
        task = Task(first, last, memory)
        outside = self._whole, self._hidden, self.failed
        with self._function() as (allocations, lines):
            self._whole, self._hidden, self.failed = allocations, {**self._hidden}, failed
            self._is_apart, self._is_task = False, True
            yield task
        self._whole, self._hidden, self.failed = outside
        self._is_task = False
        call = self._shared.call(allocations, lines, self._type)
        own = (first, last, memory, failed)
        task.given = [name for name in names_given(allocations, lines) if name not in own]
        task.function = self._shared.task(call, own, task.given, self._type)

    def divide(self, task: Task, length: int, memory: str = "null", size: int = 0) -> None:
        """Have a task done by threads, all of it.

        Args:
            task: The task.
            length: How many numbers there are.
            memory: Where one thread has memory of its own; the others make theirs.
            size: The bytes of it.
        """
        whole = context_type(map(self._type, task.given))
        context = self.stack(whole)
        for number, name in enumerate(task.given):
            place = self.let(f"getelementptr {whole}, ptr {context}, i64 0, i32 {number}")
            self.line(f"store {self._type(name)} {name}, ptr {place}")
        self.needs.add(PARALLEL)
        self.declarations.add(f"declare i32 @{PARALLEL}(ptr, ptr, i64, i64, ptr, i64)")
        given = f"ptr {task.function}, ptr {context}, i64 {length}, i64 {piece_of(length)}, "
        given += f"ptr {memory}, i64 {size}"
        code = self.let(f"call i32 @{PARALLEL}({given})")
        self.refuse(self.let(f"icmp ne i32 {code}, 0"))

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
