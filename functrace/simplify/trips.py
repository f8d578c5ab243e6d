"""What a scan can do for all trips at once, before or after its loop.

An operation on a small array takes NumPy less time than to begin with it. What need not be done
trip by trip is therefore done on stacks of all trips: sums over the trips, what only goes to
stacked outputs, and what depends on rows alone. And what each trip reads again is laid once as it
is read quickest. Results are the same up to rounding.

The steps take a `Loop`, as `functrace.simplify.loops` does, and say what makes the former
outputs of the new ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable, handled_within
from functrace.ir.structure import Loop
from functrace.ir.types import ArrayType, Shape
from functrace.primitives import contracting, elementwise, reducing, shaping
from functrace.primitives.linear import in_front, row_major
from functrace.simplify.dead_code import live_equations
from functrace.simplify.loops import is_total
from functrace.simplify.rewriting import Scope, has_unknown_length, is_known, use_counts
from functrace.tracing.program_recording import ProgramRecording

FEWEST_TRIPS = 4
"""Loops with fewer trips stay as they are."""

LARGEST_STACKS = 2**26
"""How many bytes the stacks may take that one step adds to a loop: 64 MB."""

FEWEST_ROWS = 4
"""To fewer rows than these a row is added as it is."""

LARGEST_MATRIX, MATRIX_BY_TRIP = 2**18, 2**10
"""How many elements a matrix may have that is laid anew for a loop, in all and for each trip: to
copy an element takes a nanosecond, and a trip gains a microsecond and more."""

SMALL_ROW = 512
"""Up to so many elements for each trip an operation is done for all trips at once: what NumPy takes
to begin with an operation is longer than what more memory takes."""

MEDIUM_ROW, MEDIUM_STACK = 4096, 2**20
"""As much for rows of medium size, if the stack has at most so many bytes: it stays in caches."""

LARGEST_REGION = 500
"""The best place to stack is looked for among at most so many equations."""

Finish = Callable[[Sequence[Atom]], list[Atom]]
"""Makes the outputs of a loop of those of the better loop, by equations after it."""


@dataclass
class Regrouped:
    """A loop that does less in its trips.

    Attributes:
        loop: The loop.
        steps: What makes the former outputs, last step first.
    """

    loop: Loop[Atom]
    steps: list[Finish]

    def atoms(self, made: Sequence[Variable]) -> list[Atom]:
        """What stands for each output of the former loop."""
        outputs: list[Atom] = list(made)
        for finish in self.steps:
            outputs = finish(outputs)
        return outputs


def regrouped(loop: Loop[Atom], like: Equation, scope: Scope) -> Regrouped | None:
    """Do for all trips at once what need not be done trip by trip.

    Args:
        loop: A scan without anything that `improved` leaves out.
        like: The loop's equation, in front of which others may be written.
        scope: Where these are written.

    Returns:
        The better loop; None where there is nothing to do, or where the length is not known.
    """
    length = loop.length
    if length is None or length < FEWEST_TRIPS:
        return None
    strong = with_strong_rows(loop)
    for start in (loop,) if strong is None else (strong, loop):
        better, steps = start, list[Finish]()
        for step in (_Sums, _Stacks, _Rows, _Laid):
            found = step(better, length, like, scope).result()
            if found is not None:
                better, finish = found
                steps.insert(0, finish)
        if steps:
            return Regrouped(better, steps)
    return None


def with_strong_rows(loop: Loop[Atom]) -> Loop[Atom] | None:
    """The loop with NumPy's integers in place of Python's as rows, where it computes the same.

    A counter is Python's, which is right whatever it meets, and quick with single numbers; but
    only of NumPy's there are stacks. They are the same where all that meets them has their dtype,
    or one that theirs does not change, and where nothing grows beyond 64 bits.
    """
    body = loop.body
    largest: dict[Atom, int] = {}
    for variable, row in zip(loop.inside.rows, loop.rows, strict=True):
        if variable.type.weak and variable.type.dtype == np.int64:
            if not isinstance(row, Constant) or not is_known(row) or not row.value.size:
                return None
            largest[variable] = max(abs(int(row.value.min())), abs(int(row.value.max())))
    if not largest:
        return None
    instead: dict[Atom, Variable] = {x: Variable(x.type.strong) for x in largest}
    equations: list[Equation] = []
    for equation in body.equations:
        if instead.keys().isdisjoint(equation.inputs):
            equations.append(equation)
            continue
        inputs = [instead.get(x, x) for x in equation.inputs]
        outputs = list(equation.outputs)
        if equation.primitive.holds_programs or len(outputs) != 1:
            return None
        found = equation.primitive.infer(*(x.type for x in inputs), **equation.params)
        if found != outputs[0].type:
            size = _largest_of(equation, largest)
            if size is None or found != outputs[0].type.strong:
                return None
            largest[outputs[0]] = size
            outputs = [instead.setdefault(outputs[0], Variable(found))]
        equations.append(equation.replaced(inputs=inputs, outputs=outputs))
    if not instead.keys().isdisjoint(body.outputs[: len(loop.carries)]):
        return None
    inputs = [instead.get(x, x) for x in body.inputs]
    outputs = [instead.get(x, x) for x in body.outputs]
    return loop._replace(body=Program(inputs, equations, outputs))


def _largest_of(equation: Equation, largest: dict[Atom, int]) -> int | None:
    """How far from zero an integer can be, given this of others; None where that is too far."""
    sizes = [
        abs(x.value) if isinstance(x, Constant) and isinstance(x.value, int) else largest.get(x)
        for x in equation.inputs
    ]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    if equation.primitive is elementwise.multiply:
        size = known[0] * known[1]
    elif equation.primitive in (elementwise.add, elementwise.subtract, elementwise.negative):
        size = sum(known)
    else:
        return None
    return size if size < 2**63 else None


class _Step:
    """What the steps share: a loop, and what its body's variables are."""

    def __init__(self, loop: Loop[Atom], length: int, like: Equation, scope: Scope) -> None:
        self.loop = loop
        self.body = loop.body
        self.length = length
        self.like = like
        self.scope = scope
        own = loop.inside
        self.count = len(loop.carries)
        self.fixed = dict[Atom, Atom](zip(own.constants, loop.constants, strict=True))
        self.carried = own.carries
        self.rows = dict[Atom, Atom](zip(own.rows, loop.rows, strict=True))
        self.made_by: dict[Atom, Equation] = {
            v: equation for equation in loop.body.equations for v in equation.outputs
        }

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        """The better loop, and what makes the former outputs."""
        raise NotImplementedError

    def bytes(self, type: ArrayType) -> int:
        """What a stack of this takes."""
        return self.length * type.size * type.dtype.itemsize

    def fits(self, type: ArrayType) -> bool:
        """Whether an operation with this result is better done for all trips at once."""
        if type.weak or has_unknown_length(type):
            return False
        total = self.bytes(type)
        if type.size <= SMALL_ROW:
            return total <= LARGEST_STACKS
        return type.size <= MEDIUM_ROW and total <= MEDIUM_STACK

    def varies(self, atom: Atom) -> bool:
        """Whether something may be another value in each trip."""
        return not isinstance(atom, Constant) and atom not in self.fixed

    def can_move(self, equation: Equation) -> bool:
        """Whether an equation can be, and is better, computed for all trips at once."""
        if not _can_be_in_all_trips(equation):
            return False
        if not all(self.fits(output.type) for output in equation.outputs):
            return False
        if equation.primitive.is_elementwise:
            types = [
                ArrayType((self.length, *atom.type.shape), atom.type.dtype)
                if isinstance(atom, Variable)
                else atom.type
                for atom in equation.inputs
            ]
            given = [
                ArrayType((self.length,), type.dtype) if type.shape else type for type in types
            ]
            found = equation.primitive.infer(*given, **equation.params)
            return found.dtype == equation.outputs[0].type.dtype
        return True

    def write(self, equation: Equation, stacks: dict[Atom, Atom]) -> None:
        """Write an equation for all trips, and note the stacks of its results."""
        inputs = [stacks.get(atom, self.fixed.get(atom, atom)) for atom in equation.inputs]
        is_stack = [atom in stacks for atom in equation.inputs]
        if not self.like.handling <= equation.handling:
            equation = equation.replaced()
            equation.handling = handled_within(self.like.handling, equation.handling)
        results = in_all_trips(equation, inputs, is_stack, self.length, self.scope)
        stacks.update(zip(equation.outputs, results, strict=True))

    def with_body(
        self, outputs: Sequence[Atom], carries: Sequence[int], equations: Sequence[Equation]
    ) -> Loop[Atom]:
        """The loop with other outputs, with some of its carries, and without dead code."""
        kept = [self.carried[number] for number in carries]
        inputs = [*self.fixed, *kept, *self.rows]
        return self.loop._replace(
            carries=[self.loop.carries[number] for number in carries],
            body=Program([v for v in inputs if isinstance(v, Variable)], equations, outputs),
        )


# An operation for all trips


def in_all_trips(
    equation: Equation, inputs: Sequence[Atom], is_stack: Sequence[bool], length: int, scope: Scope
) -> list[Atom]:
    """Write an equation of a loop's body for all trips at once.

    Args:
        equation: The equation.
        inputs: Stacks of its inputs, or the inputs where they are the same in all trips.
        is_stack: Which are stacks.
        length: The number of trips.
        scope: Where it is written.

    Returns:
        The stacks of its outputs.
    """
    primitive, params = equation.primitive, equation.params
    if not primitive.is_elementwise:
        return _batched(equation, inputs, is_stack, length, scope)
    given = list(inputs)
    rank = equation.outputs[0].type.ndim
    for number, (atom, stacked) in enumerate(zip(inputs, is_stack, strict=True)):
        missing = rank + 1 - atom.type.ndim
        if stacked and missing:
            shape = (length, *[1] * missing, *atom.type.shape[1:])
            given[number] = scope.emit(equation, shaping.reshape_primitive, atom, shape=shape)
    return [scope.emit(equation, primitive, *given, **params)]


def _batched(
    equation: Equation, inputs: Sequence[Atom], is_stack: Sequence[bool], length: int, scope: Scope
) -> list[Atom]:
    """Write what the primitive's batch rule does: a trip is an example."""
    primitive = equation.primitive
    axes = [0 if stacked else None for stacked in is_stack]
    with ProgramRecording() as recording:
        given = [recording.input(atom.type) for atom in inputs]
        output, axis = primitive.batch(length, given, axes, **equation.params)
        made = zip(output, axis, strict=True) if primitive.multiple_outputs else [(output, axis)]
        program = recording.program([in_front(value, axis) for value, axis in made])
    known = dict[Atom, Atom](zip(program.inputs, inputs, strict=True))
    for own in program.equations:
        read = [known.get(atom, atom) for atom in own.inputs]
        primitive, params, outputs = own.primitive, own.params, own.outputs
        scope.append(
            equation.replaced(primitive=primitive, inputs=read, params=params, outputs=outputs)
        )
    return [known.get(atom, atom) for atom in program.outputs]


def _can_be_in_all_trips(equation: Equation) -> bool:
    """Whether `in_all_trips` can write an equation, and nothing in it can fail."""
    primitive = equation.primitive
    if not equation.outputs or not is_total(equation):
        return False
    types = [output.type for output in equation.outputs]
    if any(
        not type.shape and (primitive.differs_for_scalars or type.dtype.kind == "c")
        for type in types
    ):
        return False  # of scalars NumPy computes these in another way
    return primitive.is_elementwise or (
        primitive.batches_at_once and all(atom.type.size for atom in equation.inputs)
    )


# Sums over all trips


@dataclass
class _Term:
    """What a carry is increased by in each trip.

    Attributes:
        atom: The term.
        sign: Whether it is subtracted.
        parts: What is to be stacked: the term, or what it is summed from, or two operands.
        equation: The sum or contraction of the parts that is done after the loop.
    """

    atom: Atom
    is_negative: bool
    parts: list[Atom]
    equation: Equation | None


class _Sums(_Step):
    """Carries to which something is added in each trip, and which nothing else reads.

    What is added is stacked and summed after the loop. Of contractions the operands are stacked:
    then one large contraction takes the place of many small ones. The sign of a zero may change.
    """

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        body, count = self.body, self.count
        self.uses = use_counts(body)
        self.user: dict[Atom, Equation] = {}
        for equation in body.equations:
            for atom in equation.inputs:
                if self.uses[atom] == 1 and isinstance(atom, Variable):
                    self.user[atom] = equation
        stacked = dict[Atom, int]()
        for number, atom in enumerate(body.outputs[count:]):
            stacked.setdefault(atom, number)
        former = len(body.outputs) - count
        free = LARGEST_STACKS
        found: dict[int, list[_Term]] = {}
        added: list[Atom] = []
        for number, variable in enumerate(self.carried):
            terms = self.terms(variable, body.outputs[number], self.loop.carries[number])
            if terms is None:
                continue
            parts = dict.fromkeys(
                part
                for term in terms
                for part in term.parts
                if part not in self.rows and part not in stacked and self.varies(part)
            )
            size = sum(part.type.size for part in parts)
            memory = sum(self.bytes(part.type) for part in parts)
            if size > MEDIUM_ROW + variable.type.size or memory > free:
                continue
            free -= memory
            found[number] = terms
            for part in parts:
                stacked[part] = former + len(added)
                added.append(part)
        if not found:
            return None
        kept = [number for number in range(count) if number not in found]
        outputs = [*(body.outputs[number] for number in kept), *body.outputs[count:], *added]
        loop = self.with_body(outputs, kept, live_equations(body.equations, outputs))

        def finish(made: Sequence[Atom]) -> list[Atom]:
            stacks = made[len(kept) :]
            carries: dict[int, Atom] = dict(zip(kept, made, strict=False))
            known = {
                **{atom: stacks[number] for atom, number in stacked.items()},
                **self.rows,
            }
            for number, terms in found.items():
                carries[number] = self.total(self.loop.carries[number], terms, known)
            return [*(carries[number] for number in range(count)), *stacks[:former]]

        return loop, finish

    def terms(self, variable: Variable, output: Atom, given: Atom) -> list[_Term] | None:
        """What a carry is increased by, if that is all that happens to it."""
        dtype = variable.type.dtype
        if not given.type == variable.type == output.type or dtype.kind not in "fc":
            return None
        if dtype == np.float16 or variable.type.weak:
            return None
        terms: list[_Term] = []
        atom: Atom = variable
        while atom is not output:
            user = self.user.get(atom)
            if user is None or self.uses[atom] != 1:
                return None
            x, y = user.inputs if len(user.inputs) == 2 else (atom, atom)
            if user.primitive is elementwise.add:
                term = y if x is atom else x
            elif user.primitive is elementwise.subtract and x is atom:
                term = y
            else:
                return None
            found = self.term(term, variable.type, user.primitive is elementwise.subtract)
            if found is None:
                return None
            terms.append(found)
            atom = user.outputs[0]
            if atom.type != variable.type:
                return None
        return terms if terms and self.uses[output] == 1 else None

    def term(self, atom: Atom, type: ArrayType, is_negative: bool) -> _Term | None:
        if atom.type.dtype != type.dtype or not self.can_be_stacked(atom):
            return None
        equation = self.made_by.get(atom)
        if equation is not None and self.uses[atom] == 1:
            parts = list(equation.inputs)
            if all(map(self.can_be_stacked, parts)) and (
                equation.primitive is contracting.contract
                or (
                    equation.primitive is reducing.sum_primitive
                    and equation.params["dtype"] is None
                    and parts[0].type.dtype == type.dtype
                    and parts[0].type.shape
                    and (parts[0] in self.rows or parts[0].type.size <= MEDIUM_ROW)
                )
            ):
                return _Term(atom, is_negative, parts, equation)
        return _Term(atom, is_negative, [atom], None) if atom.type.size <= SMALL_ROW else None

    def can_be_stacked(self, atom: Atom) -> bool:
        return self.varies(atom) and not atom.type.weak and not has_unknown_length(atom.type)

    def total(self, start: Atom, terms: Sequence[_Term], stacks: dict[Atom, Atom]) -> Atom:
        """Write the sum of all terms in all trips."""
        value = self.scope.uniform(start)
        total: Atom | None = start
        if value is not None and value.value == 0 and not terms[0].is_negative:
            total = None  # 0 + x is x, but for the sign of a zero
        for term in terms:
            amount = self.sum(term, [stacks[part] for part in term.parts])
            if total is None and amount.type == start.type:
                total = amount
                continue
            primitive = elementwise.subtract if term.is_negative else elementwise.add
            total = self.scope.emit(self.like, primitive, start if total is None else total, amount)
        assert total is not None
        return total

    def sum(self, term: _Term, stacks: Sequence[Atom]) -> Atom:
        """Write the sum of one term in all trips."""
        equation = term.equation
        if equation is None:
            axes = (0,) if term.atom.type.shape else None
            params = {"axes": axes, "keepdims": False, "dtype": None}
            return self.scope.emit(self.like, reducing.sum_primitive, *stacks, **params)
        if equation.primitive is contracting.contract:
            plan = contracting.plan_of(equation.params["subscripts"])
            label = next(x for x in contracting.LABELS if x not in equation.params["subscripts"])
            subscripts = f"{label}{plan.first},{label}{plan.second}->{plan.output}"
            return self.scope.emit(equation, contracting.contract, *stacks, subscripts=subscripts)
        axes, keepdims = equation.params["axes"], equation.params["keepdims"]
        rank = equation.inputs[0].type.ndim
        named = tuple(range(rank)) if axes is None else axes
        summed = (0, *(axis + 1 for axis in named))
        params = {"axes": None if len(summed) == rank + 1 else summed, "keepdims": False}
        total = self.scope.emit(equation, reducing.sum_primitive, *stacks, **params, dtype=None)
        if not keepdims:
            return total
        shape = term.atom.type.shape
        return self.scope.emit(equation, shaping.reshape_primitive, total, shape=shape)


# What only goes to stacks


class _Stacks(_Step):
    """Stacked outputs that are better computed of other stacks, after the loop.

    Where to stack is a minimal cut: between the outputs and what only the loop can compute. A
    variable costs what stacking it costs, and if nothing else in the loop needs it, computing it.
    Arrays that the loop computes anyway are not computed again; single numbers and views are.
    """

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        body, count = self.body, self.count
        carries, stacks = body.outputs[:count], body.outputs[count:]
        wanted = [v for v in dict.fromkeys(stacks) if self.varies(v) and v not in self.rows]
        if not wanted:
            return None
        in_loop = self.needed_in_loop(carries, wanted)
        cut = self.cut(wanted, in_loop)
        if cut is None:
            return None
        computed = _between(body.equations, wanted, {*cut, *self.rows})
        outputs = [*carries, *cut]
        loop = self.with_body(outputs, range(count), live_equations(body.equations, outputs))

        def finish(made: Sequence[Atom]) -> list[Atom]:
            known: dict[Atom, Atom] = {**self.rows, **dict(zip(cut, made[count:], strict=True))}
            for equation in computed:
                self.write(equation, known)
            return [*made[:count], *(self.stack_of(atom, known) for atom in stacks)]

        return loop, finish

    def stack_of(self, atom: Atom, known: dict[Atom, Atom]) -> Atom:
        """The stack of an output."""
        if atom in known:
            return known[atom]
        constant = self.fixed.get(atom, atom)
        shape = (self.length, *constant.type.shape)
        return self.scope.emit(self.like, shaping.broadcast_to_primitive, constant, shape=shape)

    def needed_in_loop(self, carries: Sequence[Atom], wanted: Sequence[Atom]) -> set[Atom]:
        """What carries, effects, and what cannot be computed after the loop need."""
        needed = set[Atom](self.carried)

        def note(atoms: Iterable[Atom]) -> None:
            waiting = list(atoms)
            while waiting:
                atom = waiting.pop()
                if atom not in needed:
                    needed.add(atom)
                    if atom in self.made_by:
                        waiting.extend(self.made_by[atom].inputs)

        note(carries)
        for equation in self.body.equations:
            if equation.has_effect:
                note(equation.inputs)
        seen = set[Atom]()
        waiting = list(wanted)
        while waiting:
            atom = waiting.pop()
            if atom in seen or atom not in self.made_by:
                continue
            seen.add(atom)
            if self.is_computable(atom):
                waiting.extend(self.made_by[atom].inputs)
            else:
                note([atom])
        return needed

    def is_computable(self, atom: Atom) -> bool:
        """Whether something can be computed of stacks after the loop."""
        equation = self.made_by.get(atom)
        return equation is not None and self.can_move(equation)

    def is_view(self, atom: Atom) -> bool:
        """Whether something is made without a look at its elements."""
        equation = self.made_by.get(atom)
        return equation is not None and equation.primitive.makes_views

    def cut(self, wanted: Sequence[Atom], in_loop: set[Atom]) -> list[Atom] | None:
        """What to stack instead of what is wanted; None where nothing is better.

        Each variable has two nodes: is it needed after the loop, and is it computed there? What is
        on the source's side of a minimal cut, is; and what the cut goes through, is what it costs.
        """
        graph = _Graph()
        waiting = list(wanted)
        is_wanted, seen = set[Atom](waiting), set[Atom](waiting)
        now = sum(_stacking(atom.type) for atom in wanted)
        for atom in wanted:
            graph.edge(_SOURCE, (atom, "needed"), _UNLIMITED)
        while waiting:
            if len(seen) > LARGEST_REGION:
                return None
            atom = waiting.pop()
            needed, computed = (atom, "needed"), (atom, "computed")
            is_movable = self.is_computable(atom)
            stacking = _UNLIMITED
            if atom in is_wanted or self.fits(atom.type):
                stacking = _stacking(atom.type)
            if atom not in in_loop:
                only_here = _computing(self.made_by[atom])
                now += only_here
                stacking += only_here
                graph.edge(_SOURCE, needed, only_here)
            graph.edge(needed, computed, stacking)
            is_array = atom.type.shape and not self.is_view(atom)
            if not is_movable or (atom in in_loop and is_array):
                graph.edge(computed, _SINK, _UNLIMITED)
                continue
            graph.edge(computed, _SINK, self.computing_in_stacks(self.made_by[atom]))
            for x in self.made_by[atom].inputs:
                if not self.varies(x) or x in self.rows:
                    continue
                graph.edge(computed, (x, "needed"), _UNLIMITED)
                if atom not in in_loop and x not in in_loop:
                    # What the loop computes of it needs it in the loop.
                    graph.edge((x, "computed"), computed, _UNLIMITED)
                if x not in seen:
                    seen.add(x)
                    waiting.append(x)
        cost, near = graph.minimal_cut()
        if cost >= now:
            return None
        found = [x for x in seen if (x, "needed") in near and (x, "computed") not in near]
        if sum(self.bytes(x.type) for x in found if x not in is_wanted) > LARGEST_STACKS:
            return None
        place = {v: number for number, v in enumerate((*self.body.inputs, *self.made_by))}
        return sorted(found, key=place.__getitem__)

    def computing_in_stacks(self, equation: Equation) -> int:
        """What it costs for each trip to apply a primitive to stacks."""
        if equation.primitive.makes_views:
            return 3_000 // self.length
        size = max(atom.type.size for atom in (*equation.inputs, *equation.outputs))
        return 10_000 // self.length + 8 * size


_Node = Any
_SOURCE, _SINK = "source", "sink"
_UNLIMITED = 10**9


class _Graph:
    """A graph of pipes, to find where the least cuts it in two."""

    def __init__(self) -> None:
        self.free: dict[_Node, dict[_Node, int]] = {_SOURCE: {}, _SINK: {}}

    def edge(self, start: _Node, end: _Node, capacity: int) -> None:
        """Add a pipe."""
        pipes = self.free.setdefault(start, {})
        pipes[end] = pipes.get(end, 0) + capacity
        self.free.setdefault(end, {}).setdefault(start, 0)

    def minimal_cut(self) -> tuple[int, set[_Node]]:
        """What it costs, and the nodes on the source's side: pipes are filled by shortest ways."""
        total = 0
        while True:
            level = self.levels()
            if _SINK not in level:
                return total, set(level)
            pipes = {
                node: [x for x in others if level.get(x, -1) == level[node] + 1]
                for node, others in self.free.items()
                if node in level
            }
            flow = self.fill(pipes)
            while flow:
                total += flow
                flow = self.fill(pipes)

    def levels(self) -> dict[_Node, int]:
        """How far from the source each node is, as far as anything can flow."""
        level: dict[_Node, int] = {_SOURCE: 0}
        waiting = deque([_SOURCE])
        while waiting:
            node = waiting.popleft()
            for other, free in self.free[node].items():
                if free and other not in level:
                    level[other] = level[node] + 1
                    waiting.append(other)
        return level

    def fill(self, pipes: dict[_Node, list[_Node]]) -> int:
        """Let as much as possible flow along one way; pipes that lead nowhere are left out."""
        path: list[_Node] = [_SOURCE]
        while path[-1] != _SINK:
            node = path[-1]
            while pipes[node] and not self.free[node][pipes[node][-1]]:
                pipes[node].pop()
            if pipes[node]:
                path.append(pipes[node][-1])
            else:
                path.pop()
                if not path:
                    return 0
                pipes[path[-1]].pop()
        steps = list(pairwise(path))
        flow = min(self.free[start][end] for start, end in steps)
        for start, end in steps:
            self.free[start][end] -= flow
            self.free[end][start] += flow
        return flow


def _between(
    equations: Sequence[Equation], wanted: Iterable[Atom], given: set[Atom]
) -> list[Equation]:
    """The equations that make something of what is given."""
    needed = {atom for atom in wanted if atom not in given}
    kept: list[Equation] = []
    for equation in reversed(equations):
        if not needed.isdisjoint(equation.outputs):
            needed.update(atom for atom in equation.inputs if atom not in given)
            kept.append(equation)
    return kept[::-1]


# Costs for each trip, in tenths of a nanosecond


def _stacking(type: ArrayType) -> int:
    """What it costs to put a value into a stack, or to read it from there."""
    return 1500 + 3 * type.size if type.shape else 300


def _computing(equation: Equation) -> int:
    """What it costs to apply a primitive."""
    if equation.primitive.makes_views or equation.primitive.reads_part:
        return 1200
    types = [atom.type for atom in (*equation.inputs, *equation.outputs)]
    if not any(type.shape for type in types):
        return 300
    return 4000 + 5 * max(type.size for type in types)


# What depends on rows only


class _Rows(_Step):
    """What a trip computes of its rows alone is computed of all rows before the loop."""

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        body = self.body
        moved: list[Equation] = []
        known = set[Atom](self.rows)
        for equation in body.equations:
            varying = [atom for atom in equation.inputs if self.varies(atom)]
            if varying and known.issuperset(varying) and self.can_move(equation):
                known.update(equation.outputs)
                moved.append(equation)
        if not moved:
            return None
        made = dict.fromkeys(output for equation in moved for output in equation.outputs)
        rest = [e for e in body.equations if made.keys().isdisjoint(e.outputs)]
        used = use_counts(Program((), rest, body.outputs))
        read = [output for output in made if output in used]
        before = use_counts(body)
        gain = sum(map(_computing, moved)) - sum(_stacking(v.type) for v in read)
        gain += sum(_stacking(v.type) for v in self.rows if v in before and v not in used)
        memory = sum(self.bytes(output.type) for output in made)
        if gain <= 0 or memory > LARGEST_STACKS:
            return None
        stacks = dict(self.rows)
        for equation in moved:
            self.write(equation, stacks)
        loop = self.loop._replace(
            rows=[*self.loop.rows, *(stacks[v] for v in read)],
            body=Program([*body.inputs, *read], rest, body.outputs),
        )
        return loop, list


# What each trip reads again


class _Laid(_Step):
    """Operands that stay the same are laid before the loop as they are read quickest.

    NumPy begins anew with each row to which another one is added. That takes longer than to add
    what lies together, while all of it is in the nearest cache: a bias to 16 rows of 256 numbers
    1.4 microseconds in place of 0.5. And BLAS takes 0.5 to 1 of the time for a matrix that it need
    not read across its rows, as the way back through ``x @ W`` does.
    """

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        self.constants, self.variables = list[Atom](), list[Variable]()
        self.wide: dict[tuple[Atom, Shape], Atom] = {}
        self.matrices: dict[tuple[Atom, shaping.Axes], Atom] = {}
        equations = [self.with_laid_inputs(equation) for equation in self.body.equations]
        if not self.wide and not self.matrices:
            return None
        own = self.loop.inside
        inputs = [*own.constants, *self.variables, *own.carries, *own.rows]
        body = Program(inputs, equations, self.body.outputs)
        constants = [*self.loop.constants, *self.constants]
        return self.loop._replace(constants=constants, body=body), list

    def with_laid_inputs(self, equation: Equation) -> Equation:
        """The equation with other operands where there are better ones."""
        if equation.primitive is contracting.contract:
            return self.with_rows_in_front(equation)
        if not equation.primitive.is_elementwise:
            return equation
        type = equation.outputs[0].type
        if not type.shape or has_unknown_length(type) or not 0 < type.size <= MEDIUM_ROW:
            return equation
        shape = type.shape
        if type.size < FEWEST_ROWS * shape[-1]:
            return equation
        inputs = [
            self.as_wide(atom, shape)
            if self.stays(atom) and atom.type.shape not in ((), shape)
            else atom
            for atom in equation.inputs
        ]
        return equation if inputs == list(equation.inputs) else equation.replaced(inputs=inputs)

    def with_rows_in_front(self, equation: Equation) -> Equation:
        """A product of two matrices, of which one that stays is not read across its rows."""
        plan = contracting.plan_of(equation.params["subscripts"])
        parts = [plan.first, plan.second]
        if [len(part) for part in (*parts, plan.output)] != [2, 2, 2]:
            return equation
        inputs = list(equation.inputs)
        for number, (atom, labels) in enumerate(zip(equation.inputs, parts, strict=True)):
            size = atom.type.size
            limit = min(LARGEST_MATRIX, self.length * MATRIX_BY_TRIP)
            if not self.stays(atom) or not 0 < size <= limit:
                continue
            is_turned = labels[0] == plan.output[1] or labels[1] == plan.output[0]
            outer = self.fixed.get(atom, atom)
            is_view = self.scope.made_by(outer, shaping.transpose_primitive) is not None
            if is_turned != is_view:
                inputs[number] = self.in_order(atom, (1, 0) if is_turned else (0, 1))
                parts[number] = labels[::-1] if is_turned else labels
        if inputs == list(equation.inputs):
            return equation
        subscripts = f"{parts[0]},{parts[1]}->{plan.output}"
        return equation.replaced(inputs=inputs, params={"subscripts": subscripts})

    def stays(self, atom: Atom) -> bool:
        """Whether an operand is the same in all trips, and can be laid anew."""
        if isinstance(atom, Constant):
            return is_known(atom)
        return atom in self.fixed and not has_unknown_length(atom.type)

    def as_wide(self, atom: Atom, shape: Shape) -> Atom:
        """What stands for an operand that is broadcast to this shape."""
        key = atom, shape
        if key not in self.wide:
            if isinstance(atom, Constant):
                self.wide[key] = Constant(np.broadcast_to(atom.value, shape).copy())
            else:
                primitive = shaping.broadcast_to_primitive
                wide = self.scope.emit(self.like, primitive, self.fixed[atom], shape=shape)
                self.wide[key] = self.given(wide)
        return self.wide[key]

    def in_order(self, atom: Atom, permutation: shaping.Axes) -> Atom:
        """What stands for a matrix with its axes in this order, row by row in memory."""
        key = atom, permutation
        if key not in self.matrices:
            if isinstance(atom, Constant):
                self.matrices[key] = Constant(atom.value.transpose(permutation).copy())
            else:
                matrix = self.fixed[atom]
                if permutation == (1, 0):
                    primitive = shaping.transpose_primitive
                    matrix = self.scope.emit(self.like, primitive, matrix, permutation=permutation)
                self.matrices[key] = self.given(self.scope.emit(self.like, row_major, matrix))
        return self.matrices[key]

    def given(self, outer: Variable) -> Variable:
        """The variable in the loop for what was written before it."""
        variable = Variable(outer.type)
        self.constants.append(outer)
        self.variables.append(variable)
        return variable
