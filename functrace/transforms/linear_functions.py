"""Linear functions that are trees: pullbacks, pushforwards and transposes as values.

What `vjp` and its relatives return is a function with the arrays that it needs, its residuals. So
that it can go wherever arrays go, out of a jitted function and into another one, around a loop,
through a map, it is a container: the residuals are its leaves, and what is done with them, a
Program, is its structure. That is recorded when somebody asks for the leaves; until then the
function is called as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace import tree
from functrace.ir.program import Constant, Program, Variable
from functrace.ir.types import ArrayType
from functrace.primitives.linear import zeros_of_type
from functrace.tracebacks import leave_out_own_frames
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.recording import identity_of
from functrace.tracing.tracer import Tracer
from functrace.transforms.calling import apart
from functrace.transforms.evaluate import run_program


class Domain(NamedTuple):
    """What a linear function takes.

    Attributes:
        structure: The structure of the argument.
        types: The types of its leaves. Those that are not inexact have no tangents, and none is
            asked for.
        check: Takes an argument, the structure and the types; returns the leaves of the argument,
            None for zero.
        is_tuple: Whether the argument is the tuple of all that the function is called with.
    """

    structure: tree.Structure
    types: tuple[ArrayType, ...]
    check: Callable[[Any, tree.Structure, Sequence[ArrayType]], Sequence[Any]]
    is_tuple: bool


class Form:
    """What a linear function does with its residuals. Those that do the same are equal.

    Attributes:
        name: What the function is called.
        domain: What it takes.
        program: Takes the residuals and the inexact leaves of the argument; returns those leaves
            of the result that are not None.
        gives: The structure of the result.
        is_given: Which leaves of the result are not None.
    """

    def __init__(
        self,
        name: str,
        domain: Domain,
        program: Program,
        gives: tree.Structure,
        is_given: tuple[bool, ...],
    ) -> None:
        self.name = name
        self.domain = domain
        self.program = program
        self.gives = gives
        self.is_given = is_given

    @property
    def _identity(self) -> Any:
        return self.domain, self.gives, self.is_given, self.program.identity

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Form) and self._identity == other._identity)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return self.name

    def apply(self, residuals: Sequence[Any], argument: Any) -> Any:
        """Apply the linear function that has these residuals."""
        structure, types, check, _ = self.domain
        given = [
            zeros_of_type(type.tangent) if x is None else x
            for x, type in zip(check(argument, structure, types), types, strict=True)
            if type.is_inexact
        ]
        results = run_program(self.program, [*residuals, *given])
        fresh = iter(apart(results, [*residuals, *given]))
        return self.gives.unflatten([next(fresh) if on else None for on in self.is_given])


class LinearFunction:
    """A linear function, whose leaves are the residuals that it needs."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        domain: Domain,
        primals: Sequence[Any] = (),
        parts: tuple[Form, tuple[Any, ...]] | None = None,
    ) -> None:
        """Make a tree of a function.

        Args:
            name: What it is called.
            function: What it does; it can be recorded.
            domain: What it takes.
            primals: Where it is the derivative. Python's numbers among these are residuals, too,
                while others belong to the formulas.
            parts: Its form and its residuals, where these are known.
        """
        self._name = name
        self._function = function
        self._domain = domain
        self._primals = primals
        self._parts = parts

    def __call__(self, *arguments: Any) -> Any:
        """Apply the function."""
        try:
            return self._function(*arguments)
        except Exception as error:
            leave_out_own_frames(error)
            raise

    def __repr__(self) -> str:
        return f"<{self._name}>"

    def __reduce__(self) -> Any:
        form, residuals = self.taken_apart()
        return put_together, (form, residuals)

    def taken_apart(self) -> tuple[Form, tuple[Any, ...]]:
        """The form and the residuals."""
        if self._parts is None:
            self._parts = self._record()
        return self._parts

    def _record(self) -> tuple[Form, tuple[Any, ...]]:
        structure, types, _, is_tuple = self._domain
        with ProgramRecording(holds_effects=False) as recording:
            argument = structure.unflatten(
                [recording.input(type.tangent) if type.is_inexact else None for type in types]
            )
            result = self._function(*argument) if is_tuple else self._function(argument)
            leaves, gives = tree.flatten(result, is_leaf=_is_none)
            recorded = recording.program([x for x in leaves if x is not None])
        program, residuals = _with_residuals(recorded, self._primals)
        is_given = tuple(x is not None for x in leaves)
        return Form(self._name, self._domain, program, gives, is_given), residuals


def put_together(form: Form, residuals: Sequence[Any]) -> LinearFunction:
    """The linear function of this form with these residuals, which may be anything."""

    def function(*arguments: Any) -> Any:
        argument = arguments if form.domain.is_tuple else _only(*arguments)
        return form.apply(residuals, argument)

    parts = form, tuple(residuals)
    return LinearFunction(form.name, function, form.domain, parts=parts)


def _taken_apart(function: LinearFunction) -> tuple[tuple[Any, ...], Form]:
    form, residuals = function.taken_apart()
    return residuals, form


tree.register(LinearFunction, _taken_apart, put_together)


def _only(argument: Any) -> Any:
    return argument


def _is_none(x: Any) -> bool:
    return x is None


def _with_residuals(program: Program, primals: Sequence[Any]) -> tuple[Program, tuple[Any, ...]]:
    """Make inputs of the values that a Program holds, and what it captured."""
    numbers = {id(x) for x in primals if isinstance(x, float | complex)}
    residuals: dict[Any, tuple[Variable, Any]] = {}
    for constant in program.constants():
        value = constant.value
        if isinstance(value, np.ndarray | np.generic | Tracer) or id(value) in numbers:
            residuals.setdefault(_key(value), (Variable(constant.type), value))

    def opened(atom: Any) -> Any:
        if isinstance(atom, Constant) and _key(atom.value) in residuals:
            return residuals[_key(atom.value)][0]
        return atom

    equations = [e.replaced(inputs=[opened(a) for a in e.inputs]) for e in program.equations]
    inputs = [variable for variable, _ in residuals.values()]
    outputs = [opened(atom) for atom in program.outputs]
    values = tuple(value for _, value in residuals.values())
    return Program([*inputs, *program.inputs], equations, outputs), values


def _key(value: Any) -> Any:
    return identity_of(value) if isinstance(value, Tracer) else id(value)
