"""Recordings that keep types only: what they record is a Program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import FunctraceError, PrimitiveError
from functrace.ir.immutable import ImmutableArrays
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import (
    DIVISION,
    NOTHING,
    Atom,
    Constant,
    Equation,
    Handling,
    Program,
    Variable,
)
from functrace.ir.types import UNKNOWN, ArrayType
from functrace.tracing import numpy_warnings
from functrace.tracing.draws import watch_that_runs
from functrace.tracing.entrances import running
from functrace.tracing.places import (
    derivative_here,
    is_library,
    is_users_error,
    recorded_place,
    recorded_source,
    source_here,
)
from functrace.tracing.recording import Recording, ValueRecording, require_usable
from functrace.tracing.sharing import new_memory, share_memory, share_parts
from functrace.tracing.tracer import Tracer, again, new_tracer
from functrace.tracing.wording import explained, shown


class ProgramRecording(Recording):
    """Records a Program from types alone; the values stay unknown.

    Attributes:
        inputs: The Program's inputs so far.
        equations: The equations so far.
        holds_effects: Whether what is done for its effect waits for the Program to run, even where
            none of its inputs is traced. If not, the function is running on values as well, and
            it is done at once.
        layouts: For inputs whose elements do not lie in row-major order: an array that lies so, or
            `UNKNOWN`.
        row_major: The inputs of which it was asked how they lie, and taken that it is in this
            order, or whether they are arrays without axes, and taken that they are scalars: the
            Program holds for no others.
        recopied: The variables that stand for copies in an order of their own, too.
        made_by: What has made each variable, of as many equations as `looked_at` says.
        questions: How often it was asked what has made a variable, or told how one lies.
        orders: The axes of variables in the order in which they lie in memory, as far as it was
            asked: see tracing/views.py.
    """

    def __init__(self, holds_effects: bool = True) -> None:
        super().__init__()
        self.holds_effects = holds_effects
        self.inputs: list[Variable] = []
        self.equations: list[Equation] = []
        self.layouts: dict[Variable, Any] = {}
        self.row_major: set[Variable] = set()
        self.recopied: set[Variable] = set()
        self.made_by: dict[Any, Equation] = {}
        self.orders: dict[Any, tuple[int, ...] | None] = {}
        self.looked_at = self.questions = 0
        self._captured = ImmutableArrays()
        self._constants: dict[int, Constant] = {}  # by what they hold: a copy of an array
        self._handling_outside = numpy_warnings.handling()
        self._setting, self._handling = numpy_warnings.in_force(), NOTHING
        self._place = self._derivative = self._source = None  # of the last equation

    def input(self, type: ArrayType, layout: Any = None) -> Tracer:
        """A tracer for a new input of the Program.

        Args:
            type: Its type.
            layout: An array that lies in memory as it does; None for row-major order, as long as
                nobody says something else; `UNKNOWN` where it may lie in any way.
        """
        variable = Variable(type)
        self.inputs.append(variable)
        tracer = new_tracer(self, UNKNOWN, variable, recorded_place(2))
        if layout is not None:
            self.layouts[variable] = layout
            if layout is not UNKNOWN:
                tracer.memory = new_memory(layout)
        return tracer

    def atom(self, value: Any) -> Atom:
        """What stands for a value in the Program: its variable, or a constant."""
        if isinstance(value, Tracer):
            require_usable(value)
            if value.recording is self:
                return value.known_as
            value = value.recording.as_constant(value)
        constant = self._constants.get(id(value))
        if constant is not None and constant.value is value:
            return constant  # it was not drawn since, as it was there before
        if type(value) is not int and (watch := watch_that_runs()) is not None:
            watch.look()
        if not isinstance(value, np.ndarray):
            constant = Constant(value)
            if type(value) is not Tracer:  # which may stand for something else later
                self._constants[id(value)] = constant
            return constant
        kept = self._captured.of(value)  # as it is now: its owner may write it later
        constant = self._constants.get(id(kept))
        if constant is None:
            constant = self._constants[id(kept)] = Constant(kept)
        return constant

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record one equation; its outputs are typed by the primitive's infer rule."""
        atoms: list[Atom] = []
        types: list[ArrayType] = []
        for x in inputs:  # in one loop: lists made by comprehensions take longer
            atom = x.known_as if type(x) is Tracer and x.recording is self else self.atom(x)
            atoms.append(atom)
            types.append(atom.type)
        place = recorded_place(3)
        try:
            inferred = primitive.infer(*types, **params)
        except FunctraceError as error:
            error.at(source_here(1))
            raise
        except (ValueError, TypeError, IndexError) as error:
            if is_users_error(error):
                error.add_note(f"in {primitive.name} of {shown(types)}\n  at {source_here(1)}")
                raise
            raise explained(error, primitive, types) from error
        if not self.is_open:
            return again(primitive, inputs, params)
        if not primitive.has_plain_rules:
            _require_types(primitive, inferred)
        setting = numpy_warnings.in_force()
        if setting is not self._setting:
            self._setting, self._handling = setting, self._handled()
        handling = self._handling
        derivative = derivative_here()
        if place is not self._place or derivative is not self._derivative:
            # What one rule records stands at one place.
            self._place, self._derivative = place, derivative
            self._source = recorded_source(place)
        source = self._source
        if primitive.multiple_outputs:
            variables = [Variable(type) for type in inferred]
            self.equations.append(Equation(primitive, atoms, params, variables, source, handling))
            outputs = tuple(new_tracer(self, UNKNOWN, variable, place) for variable in variables)
            if primitive.makes_views:
                share_parts(inputs[0], outputs, primitive, params)
            return outputs
        variable = Variable(inferred)
        self.equations.append(Equation(primitive, atoms, params, [variable], source, handling))
        output = new_tracer(self, UNKNOWN, variable, place)
        if primitive.makes_views:
            share_memory(inputs[0], output, primitive, params)
        return output

    def _handled(self) -> Handling:
        """How errors are handled here, as far as that is not said outside of the function."""
        handling = numpy_warnings.handling() - self._handling_outside
        if handling == DIVISION and numpy_warnings.is_in_rule():
            return DIVISION  # itself, which tells a rule from a block of the user's
        return handling

    def equations_by_output(self) -> dict[Any, Equation]:
        """What has made each variable."""
        self.questions += 1
        for equation in self.equations[self.looked_at :]:
            for output in equation.outputs:
                self.made_by[output] = equation
        self.looked_at = len(self.equations)
        return self.made_by

    def is_array(self, variable: Any) -> bool:
        """Whether a value is an array in NumPy, and no scalar.

        Inputs are taken to be scalars where nothing else is known, and this is noted.
        """
        made_by = self.equations_by_output()
        atom: Atom = variable
        while not atom.type.shape:
            equation = made_by.get(atom)
            if isinstance(atom, Constant):
                return type(atom.value) is np.ndarray
            if equation is None:
                if atom not in self.layouts:
                    self.row_major.add(atom)
                return isinstance(self.layouts.get(atom), np.ndarray)
            primitive = equation.primitive
            is_part = primitive.multiple_outputs  # the elements of an array are scalars
            if (
                primitive.makes_arrays
                or is_part
                or not (primitive.makes_views or primitive.keeps_arrays)
            ):
                return primitive.makes_arrays
            atom = equation.inputs[0]
        return True

    def note_copy(self, variable: Any) -> None:
        """Note that a variable stands for a copy in an order of memory of its own, too."""
        self.questions += 1
        self.recopied.add(variable)
        self.orders.pop(variable, None)

    def names_behind(self, tracer: Any) -> list[str]:
        """What the user's function calls a value of unknown value, or the values it was made of."""
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  (as in user_place)
        while frame is not None and is_library(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is None:
            return []
        named: dict[Variable, str] = {}
        for name, local in frame.f_locals.items():
            try:
                found = tree.flatten_with_path(local)[0]
            except Exception:  # noqa: BLE001, S112  (no tree: a list in itself, or a broken container)
                continue
            for path, leaf in found:
                value = leaf
                while isinstance(value, Tracer) and isinstance(value.recording, ValueRecording):
                    value = value.value  # of what is differentiated: its value, one recording out
                if isinstance(value, Tracer) and value.recording is self:
                    named.setdefault(value.known_as, f"{name}{tree.keystr(path)}")
        made_by = {output: e for e in self.equations for output in e.outputs}
        generation: list[Variable] = [tracer.known_as]
        seen: set[Variable] = set()
        while generation:
            names = [named[variable] for variable in generation if variable in named]
            if names:
                return names
            seen.update(generation)
            parents = [atom for v in generation if v in made_by for atom in made_by[v].inputs]
            variables = [atom for atom in dict.fromkeys(parents) if isinstance(atom, Variable)]
            generation = [variable for variable in variables if variable not in seen]
        return []

    def lift(self, value: Any) -> Tracer:
        """A tracer that stands for a constant: the output of an equation that copies it."""
        return self.record(PRIMITIVES["copy"], (value,), {})

    def program(self, outputs: Sequence[Any]) -> Program:
        """The Program from the inputs to these outputs."""
        return Program(self.inputs, self.equations, [self.atom(x) for x in outputs])


def _require_types(primitive: Primitive, inferred: Any) -> None:
    """Check what the infer rule of a primitive returned."""
    types: Any = inferred if primitive.multiple_outputs else (inferred,)
    if isinstance(types, list | tuple) and all(isinstance(type, ArrayType) for type in types):
        return
    wanted = "a tuple of ArrayTypes, one for each output" if primitive.multiple_outputs else ""
    wanted = wanted or "the ArrayType of its output"
    raise PrimitiveError(
        f"The infer rule of {primitive.name!r} returned {inferred!r:.80}; expected {wanted}.",
        source_here(2),
        "Return functrace.extend.ArrayType(shape, dtype).",
    )


def recording_of_effects() -> ProgramRecording | None:
    """The innermost running recording whose Program is to have the effects; None if none runs."""
    recording = running.get()
    while recording is not None:
        if isinstance(recording, ProgramRecording) and recording.holds_effects:
            return recording
        recording = recording.around
    return None


def is_made_alike(a: Tracer, b: Tracer, is_same: Callable[[Any, Any], bool]) -> bool:
    """Whether two values that are not known are one, or were made of the same by the same.

    Args:
        a: A value.
        b: Another one; it may be of another recording.
        is_same: Whether two constants are the same.
    """
    one, other = a.recording, b.recording
    if not isinstance(one, ProgramRecording) or not isinstance(other, ProgramRecording):
        return False
    first, second = one.equations_by_output(), other.equations_by_output()
    waiting: list[tuple[Any, Any]] = [(a.known_as, b.known_as)]
    seen: set[tuple[Any, Any]] = set()
    while waiting:
        pair = x, y = waiting.pop()
        if x is y or pair in seen:
            continue
        seen.add(pair)
        if isinstance(x, Constant) and isinstance(y, Constant):
            if not is_same(x.value, y.value):
                return False
            continue
        made, remade = first.get(x), second.get(y)
        if made is None or remade is None or not _do_alike(made, remade):
            return False
        if made.outputs.index(x) != remade.outputs.index(y):
            return False
        waiting.extend(zip(made.inputs, remade.inputs, strict=True))
    return True


def _do_alike(one: Equation, other: Equation) -> bool:
    """Whether two equations do the same to their inputs, as far as that is easily seen."""
    return (
        one.primitive is other.primitive
        and not one.primitive.has_effect
        and not one.programs
        and len(one.inputs) == len(other.inputs)
        and one.params == other.params
    )
