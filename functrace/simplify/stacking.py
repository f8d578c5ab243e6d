"""What only goes to the stacks of a loop, computed after it where that is better."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from functrace.ir.program import Atom, Equation
from functrace.ir.structure import Loop
from functrace.primitives import shaping
from functrace.simplify.dead_code import live_equations
from functrace.simplify.steps import LARGEST_STACKS, Finish, Step, computing_cost, stacking_cost

LARGEST_REGION = 500
"""The best place to stack is looked for among at most so many equations."""


class Stacks(Step):
    """Stacked outputs that are better computed of other stacks, after the loop.

    Where to stack is a minimal cut: between the outputs and what only the loop can compute. A
    variable costs what stacking it costs, and if nothing else in the loop needs it, computing it.
    Arrays that the loop computes anyway are not computed again; single numbers and views are.
    """

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        """The loop with other stacks."""
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
        now = sum(stacking_cost(atom.type) for atom in wanted)
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
                stacking = stacking_cost(atom.type)
            if atom not in in_loop:
                only_here = computing_cost(self.made_by[atom])
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
