"""What a tape holds for the way back: each array once, with what made it and what needs it.

A tape's rows refer to inputs and outputs of operations; rows of loops, choices and jitted functions
hold residuals besides, in their pullbacks. Arrays that somebody else holds too, such as the
arguments, are not the tape's: what is the tape's is gone when its rows are.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import CellType, CodeType, FrameType, FunctionType, MethodType
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import Atom, Constant, Equation, Program, Source, Variable
from functrace.ir.structure import Choice, Loop, Run, structure_of
from functrace.ir.types import ArrayType, type_of
from functrace.tracing.places import is_library, source_of
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.tracer import bind
from functrace.transforms.arguments import differentiated_arguments
from functrace.transforms.programs import Kept, Pullback, residual_form
from functrace.transforms.tape import Row, Tape

Call = tuple[CodeType, int]
"""A function of the user's, and a number for this call of it."""


class Made(NamedTuple):
    """What is made in a Program.

    Attributes:
        program: The Program.
        equation: The equation in it.
        variable: Which one of its outputs.
        carries: The Program's inputs that the trip before has made, if it is run in trips.
        trips: In how many.
    """

    program: Program
    equation: Equation
    variable: Variable
    carries: Sequence[Variable]
    trips: float = 1.0


@dataclass(eq=False)
class Held:
    """Memory that is kept for the way back.

    Attributes:
        nbytes: How many bytes.
        type: Shape and dtype of an array that lies there.
        operation: What made it; "argument" and "constant" for what no operation did.
        source: The user's line that made it, or first read it; None where it is not known.
        maker: The row that made it, or first read it.
        holders: The rows that hold it.
        needed: The operations whose derivatives need it.
        readers: Where these are, of what was recorded in a Program; else None.
        inside: The equation of a Program that made it, if one did.
    """

    nbytes: int
    type: ArrayType
    operation: str
    source: Source | None
    maker: int
    holders: set[int] = field(default_factory=set[int])
    needed: set[str] = field(default_factory=set[str])
    readers: set[Source] | None = None
    inside: Made | None = None


class Holding:
    """What one tape holds.

    Attributes:
        held: The memory, in the order in which it was made.
        sources: The user's line of each row; None where it is not known.
        calls: For each row the calls of the user's functions that it was made in, from that of the
            function itself to the innermost one.
        users: For each row the rows that were given what it made.
        missing: For each row the rows that made what it was given and nobody holds, and how many
            bytes that was.
    """

    def __init__(self, f: Callable[..., Any], argnums: Any, args: Any, kwargs: Any) -> None:
        """Run a function as its gradient would."""
        arguments, leaves, structure, is_active = differentiated_arguments(
            f, argnums, args, kwargs, holomorphic=False, allow_int=True
        )
        tape = _WatchedTape()
        try:
            with tape:
                given = structure.unflatten(tape.lifted(leaves, is_active))
                output = arguments.call(given)
            del given, output
            made_by = _made_by(tape)
            found, memory = _held(tape, made_by)
            self.sources = [source_of(row[6]) for row in tape.rows]
            self.calls = tape.calls
            self.users, self.missing = _read(tape, made_by)
            is_own = {i for i, x in memory.items() if tape.kept and tape.kept.holds(x)}
        finally:
            if tape.kept is not None:
                tape.kept.release()
        watched = {number: ref(array) for number, array in memory.items()}
        memory.clear()
        tape.rows.clear()
        tape.frames.clear()
        self.held = [
            one for number, one in found.items() if number in is_own or watched[number]() is None
        ]


class _WatchedTape(Tape):
    """A tape that knows for each row by which calls of the user's functions it was made."""

    def __init__(self) -> None:
        super().__init__(lets_go=True)
        self.frames: dict[FrameType, int] = {}
        self.calls: list[list[Call]] = []

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        output = super().record(primitive, inputs, params)
        self._take_note()
        return output

    def record_over(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        output = super().record_over(primitive, inputs, params)
        self._take_note()
        return output

    def _take_note(self) -> None:
        if len(self.calls) == len(self.rows):
            return
        frame: FrameType | None = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
        calls: list[Call] = []
        while frame is not None and frame.f_code is not Holding.__init__.__code__:
            if not is_library(frame.f_code.co_filename):
                number = self.frames.setdefault(frame, len(self.frames))
                calls.append((frame.f_code, number))
            frame = frame.f_back
        calls.reverse()
        self.calls += [calls] * (len(self.rows) - len(self.calls))


def _made_by(tape: Tape) -> dict[Any, int]:
    """For each variable the row that made what it shows, which need not hold it itself."""
    found: dict[Any, int] = {}
    for number, row in enumerate(tape.rows):
        outputs = row[5]
        maker = found.get(row[2][0], number) if row[0].makes_views else number
        found.update(dict.fromkeys(outputs if isinstance(outputs, tuple) else (outputs,), maker))
    found.pop(None, None)
    return found


def _stands_for_a_type(x: Any) -> bool:
    """Whether the tape let go of an array of which it holds the type in its place."""
    return isinstance(x, np.ndarray) and x.ndim > 0 and not any(x.strides)


def _read(tape: Tape, made_by: dict[Any, int]) -> tuple[dict[int, set[int]], list[dict[int, int]]]:
    """See `Holding.users` and `Holding.missing`."""
    users: dict[int, set[int]] = {}
    held: set[int] = set()
    missing: list[dict[int, int]] = []
    for number, (_, values, variables, _, output, _, _) in enumerate(tape.rows):
        several = output if isinstance(output, tuple) else (output,)
        if any(isinstance(x, np.ndarray) and not _stands_for_a_type(x) for x in several):
            held.add(number)
        own: dict[int, int] = {}
        for x, variable in zip(values, variables, strict=True):
            maker = made_by.get(variable)
            if maker is None:
                continue
            users.setdefault(maker, set()).add(number)
            if _stands_for_a_type(x):
                own[maker] = x.size * x.itemsize
            elif isinstance(x, np.ndarray):
                held.add(maker)
        missing.append(own)
    for own in missing:
        for maker in held & own.keys():
            del own[maker]
    return users, missing


def _held(tape: Tape, made_by: dict[Any, int]) -> tuple[dict[int, Held], dict[int, np.ndarray]]:
    """What the rows of a tape refer to, and the arrays that own the memory, by their identity."""
    found: dict[int, Held] = {}
    memory: dict[int, np.ndarray] = {}
    needs: dict[Any, set[int]] = {}

    def name_of(number: int) -> str:
        rule = tape.rows[number][0]
        return PRIMITIVES.get(rule.name, rule).name

    def hold(x: Any, row: int, operation: str, maker: int | None = None) -> Held | None:
        if not isinstance(x, np.ndarray) or not x.nbytes:
            return None
        owner = x
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if _stands_for_a_type(owner):
            return None
        if id(owner) not in found:
            maker = row if maker is None else maker
            source = source_of(tape.rows[maker][6])
            found[id(owner)] = Held(owner.nbytes, type_of(x), operation, source, maker)
            memory[id(owner)] = owner
        one = found[id(owner)]
        one.holders.add(row)
        return one

    for number, row in enumerate(tape.rows):
        rule, values, variables, _, output, outputs, _ = row
        name = name_of(number)
        if isinstance(rule, Pullback):
            for x, residual in _residuals(rule):
                one = hold(x, number, name)
                if one is not None and residual is not None and one.inside is None:
                    residual.describe(one)
                elif one is not None:
                    one.needed.add(name)
            needed = set[int]()
        else:
            needed = _needs(row, needs)
        for place, (x, variable) in enumerate(zip(values, variables, strict=True)):
            given = "constant" if variable is None else "argument"
            before = made_by.get(variable)
            one = hold(x, number, given if before is None else name_of(before), before)
            if one is not None and place in needed:
                one.needed.add(name)
        several = output if isinstance(outputs, tuple) else (output,)
        for x in several:
            one = hold(x, number, name)
            if one is not None and -1 in needed:
                one.needed.add(name)
    return found, memory


def _needs(row: Row, known: dict[Any, set[int]]) -> set[int]:
    """The numbers of the inputs that the derivative of a row needs; -1 for its output."""
    primitive, values, variables, params = row[:4]
    types = tuple(map(type_of, values))
    is_active = tuple(
        variable is not None and type.is_inexact
        for variable, type in zip(variables, types, strict=True)
    )
    key = primitive.name, types, is_active, repr(params)
    if key not in known:
        try:
            known[key] = _needs_of(primitive, types, params, is_active)
        except Exception:  # noqa: BLE001  (a rule of the user's, say, that looks at values)
            known[key] = {-1, *range(len(values))}
    return known[key]


def _needs_of(
    primitive: Primitive,
    types: Sequence[ArrayType],
    params: dict[str, Any],
    is_active: tuple[bool, ...],
) -> set[int]:
    with ProgramRecording() as recording:
        inputs = [recording.input(type) for type in types]
        output = bind(primitive, *inputs, **params)
        several = output if primitive.multiple_outputs else (output,)
        program = recording.program(list(several))
    forward = residual_form(program, is_active).forward
    count = len(program.outputs)
    outputs = {atom for atom in forward.outputs[:count] if isinstance(atom, Variable)}
    made_by = {v: equation for equation in forward.equations for v in equation.outputs}
    position = {v: number for number, v in enumerate(forward.inputs)}
    found: set[int] = set()
    waiting = [atom for atom in forward.outputs[count:] if isinstance(atom, Variable)]
    while waiting:
        atom = waiting.pop()
        if atom in outputs:
            found.add(-1)
        elif atom in position:
            found.add(position[atom])
        else:
            waiting += [x for x in made_by[atom].inputs if isinstance(x, Variable)]
    return found


# What pullbacks hold


class _Residual:
    """An output of a Program that is kept for another one."""

    def __init__(self, kept: Kept, number: int, array: Any) -> None:
        self.kept = kept
        self.number = number
        self.array = array

    def describe(self, held: Held) -> None:
        """Say of memory what made it and what needs it."""
        kept = self.kept
        atom = kept.forward.outputs[len(kept.forward.outputs) - len(kept.values) + self.number]
        made = maker(kept.forward, atom, kept.carries)
        if made is not None:
            held.operation = made.equation.primitive.name
            held.source = made.equation.source or held.source
            size = made.variable.type.size * made.variable.type.dtype.itemsize
            held.inside = made._replace(trips=held.nbytes / size if size > 0 else 1.0)
        reading = list(readers(kept.backward, kept.backward.inputs[kept.first + self.number]))
        held.readers = {source.bare for source in reading if source is not None}
        held.needed |= {_operation_at(kept.forward, source) for source in held.readers}


def maker(program: Program, atom: Atom, carries: Sequence[Variable]) -> Made | None:
    """What makes an output of a Program: an equation of it, or of a Program that one holds."""
    for equation in program.equations:
        for number, variable in enumerate(equation.outputs):
            if variable is not atom:
                continue
            structure = structure_of(equation) if equation.programs else None
            for inner in structure.results if structure is not None else ():
                own = structure.inside.carries if isinstance(structure, Loop) else ()
                found = maker(inner, inner.outputs[number], own)
                if found is not None:
                    return found
            return Made(program, equation, variable, carries)
    return None


def readers(program: Program, variable: Variable) -> Iterator[Source | None]:
    """Where the equations stand that read a variable."""
    for equation in program.equations:
        if variable not in equation.inputs:
            continue
        structure = structure_of(equation) if equation.programs else None
        match structure:
            case Run(inner, inputs):
                pairs = [(inner, zip(inner.inputs, inputs, strict=True))]
            case Choice(branches=branches, operands=operands):
                pairs = [(inner, zip(inner.inputs, operands, strict=True)) for inner in branches]
            case Loop():
                pairs = [
                    (structure.body, zip(structure.body.inputs, structure.inputs, strict=True))
                ]
            case _:
                yield equation.source
                continue
        for inner, given in pairs:
            for own, x in given:
                if x is variable:
                    yield from readers(inner, own)


def _operation_at(program: Program, source: Source) -> str:
    """The operation that the user's code applies at a place: the first one there."""
    for equation in program.equations:
        inside = [_operation_at(inner, source) for inner in equation.programs]
        found = next(filter(None, inside), "")
        if found or (equation.source and equation.source.bare) == source:
            return found or equation.primitive.name
    return ""


def _residuals(pullback: Pullback) -> Iterator[tuple[np.ndarray, _Residual | None]]:
    """The arrays in a pullback, with what is known of them."""
    kept = pullback.kept
    known = set[int]()
    if kept is not None:
        for number, x in enumerate(kept.values):
            if isinstance(x, np.ndarray):
                known.add(id(x))
                yield x, _Residual(kept, number, x)
    for x in _arrays_in(pullback.pull_back):
        if id(x) not in known:
            yield x, None


def _arrays_in(root: Any) -> Iterator[np.ndarray]:
    """The arrays that a function holds: in what it closes over, in tuples, lists and objects."""
    seen = set[int]()
    waiting: list[Any] = [root]
    while waiting:
        x = waiting.pop()
        if id(x) in seen or isinstance(x, Program | type | CodeType | Constant):
            continue
        seen.add(id(x))
        if isinstance(x, np.ndarray):
            yield x
        else:
            waiting += _parts(x)


def _parts(x: Any) -> Iterable[Any]:
    match x:
        case FunctionType():
            return [*(x.__closure__ or ()), *(x.__defaults__ or ())]
        case CellType():
            try:
                return [x.cell_contents]
            except ValueError:
                return []
        case MethodType():
            return [x.__self__, x.__func__]
        case partial():
            return [x.func, *x.args, *x.keywords.values()]
        case tuple() | list() | set() | frozenset():
            return x
        case dict():
            return x.values()
        case Primitive():
            return []
        case _:
            is_own = type(x).__module__.startswith("functrace.")
            return vars(x).values() if is_own and hasattr(x, "__dict__") else []
