"""Which operations of a Program are computed together, in one nest of loops.

::

    Block = Step*
    Step  = Nest(domain, equations, stored) | Alone(equation)       each with views after it

A `Nest` visits each element of its domain once, and computes at each what its equations say:
elementwise operations of arrays of this shape, whose results go from one to the next in registers,
and reductions, whose sums are there when all elements have been visited. Results that somebody
else asks for are stored. What is a view in NumPy moves nothing: it is another way to count the
elements of the same memory.

An operation joins the first nest over its domain that comes after all that it reads, or makes what
it reads. So a chain of elementwise operations is one nest, and so are chains that have nothing to
do with each other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from functrace.backends.native.elementwise import computes
from functrace.ir.program import Equation, Program, Variable, variable_names
from functrace.ir.types import Shape

REDUCTIONS = frozenset({"sum", "max", "min", "prod", "all", "any"})
"""What combines elements of a nest with those before."""

VIEWS = frozenset({
    "getitem", "element", "transpose", "broadcast_to", "flip", "reshape", "diagonal",
    "as_array", "stop_gradient", "copy", "row_major", "checkpoint_name", "unstack", "split",
    "windows",
})  # fmt: skip
"""What counts the elements of some memory in another way."""


class Nest(NamedTuple):
    """Loops over all elements of a domain.

    Attributes:
        domain: The shape over which it goes.
        equations: What is computed at each element, in this order.
        stored: What somebody else reads.
    """

    domain: Shape
    equations: list[Equation]
    stored: set[Variable]


class Alone(NamedTuple):
    """An operation that is computed by itself."""

    equation: Equation


class Step(NamedTuple):
    """Something to do, and the views of what is there then."""

    does: Nest | Alone | None
    views: list[Equation]


def is_reduction(equation: Equation) -> bool:
    """Whether an operation combines the elements of a nest."""
    return equation.primitive.name in REDUCTIONS


def is_view(equation: Equation) -> bool:
    """Whether an operation counts elements in another way, as far as numbers tell where."""
    name = equation.primitive.name
    return name in VIEWS and all(not atom.type.shape for atom in equation.inputs[1:])


class Block:
    """The steps of a Program.

    Attributes:
        steps: What is done. The first step does nothing: it has the views of the inputs.
    """

    def __init__(self, program: Program) -> None:
        self.steps: list[Step] = [Step(None, [])]
        self._program = program
        self._made_in: dict[Variable, int] = dict.fromkeys(program.inputs, 0)
        self._domains: dict[Shape, list[int]] = {}
        self._inline: dict[Variable, Shape] = {}
        for equation in program.equations:
            self._add(equation)
        self._store()

    def _add(self, equation: Equation) -> None:
        read = [atom for atom in equation.inputs if isinstance(atom, Variable)]
        if is_view(equation):
            number = max((self._made_in[v] for v in read), default=0)
            self.steps[number].views.append(equation)
        elif is_reduction(equation) or computes(equation):
            reduces = is_reduction(equation)
            domain = (equation.inputs[0] if reduces else equation.outputs[0]).type.shape
            number = self._nest(domain, read)
            nest = self.steps[number].does
            assert isinstance(nest, Nest)
            nest.equations.append(equation)
            if not reduces:
                self._inline[equation.outputs[0]] = domain
        else:
            number = len(self.steps)
            self.steps.append(Step(Alone(equation), []))
        for variable in equation.outputs:
            self._made_in[variable] = number

    def _nest(self, domain: Shape, read: Sequence[Variable]) -> int:
        """The number of the first nest over a domain that can read all this."""
        earliest = 0
        for variable in read:
            is_here = self._inline.get(variable) == domain
            earliest = max(earliest, self._made_in[variable] + (not is_here))
        found = self._domains.setdefault(domain, [])
        place = bisect_left(found, earliest)
        if place < len(found):
            return found[place]
        self.steps.append(Step(Nest(domain, [], set()), []))
        found.append(len(self.steps) - 1)
        return found[-1]

    def _store(self) -> None:
        """Note which results of nests are read outside of them."""
        wanted = {atom for atom in self._program.outputs if isinstance(atom, Variable)}
        for number, step in enumerate(self.steps):
            equations = [*step.views]
            inside: set[Variable] = set()
            match step.does:
                case Nest(domain, own, _):
                    for equation in own:
                        for atom in equation.inputs:
                            if isinstance(atom, Variable) and (
                                self._made_in[atom] != number or self._inline.get(atom) != domain
                            ):
                                wanted.add(atom)
                case Alone(equation):
                    equations.append(equation)
                case None:
                    pass
            for equation in equations:
                wanted.update(a for a in equation.inputs if isinstance(a, Variable))
            wanted |= inside
        for step in self.steps:
            if isinstance(step.does, Nest):
                made = (v for equation in step.does.equations for v in equation.outputs)
                step.does.stored.update(v for v in made if v in wanted)

    def __str__(self) -> str:
        """One line for each step, with names for the variables."""
        names: dict[Variable, str] = {}
        fresh = variable_names()

        def name(atom: object) -> str:
            if isinstance(atom, Variable):
                return names.setdefault(atom, next(fresh)) if atom not in names else names[atom]
            return str(getattr(atom, "value", atom))

        for variable in self._program.inputs:
            name(variable)
        lines: list[str] = []
        for step in self.steps:
            match step.does:
                case Nest(domain, equations, stored):
                    lines.append(f"for each of {'x'.join(map(str, domain)) or 'one'}")
                    lines += [f"  {_line(e, name, stored)}" for e in equations]
                case Alone(equation):
                    lines.append(_line(equation, name))
                    for inner in equation.programs:
                        lines += [f"  {line}" for line in str(blocks(inner)).split("\n")]
                case None:
                    pass
            lines += [f"view {_line(e, name)}" for e in step.views]
        lines.append(f"return {', '.join(map(name, self._program.outputs))}")
        return "\n".join(lines)


def _line(
    equation: Equation, name: Callable[[object], str], stored: AbstractSet[Variable] = frozenset()
) -> str:
    made = ", ".join(name(v) + ("!" if v in stored else "") for v in equation.outputs)
    read = ", ".join(map(name, equation.inputs))
    return f"{made} = {equation.primitive.name} {read}".rstrip()


def blocks(program: Program) -> Block:
    """The steps of a Program; they are kept with it."""
    return program.derive("native steps", lambda: Block(program))
