"""Rules of derivatives that are recorded: what one has recorded once is written again.

A loop that is recorded trip by trip asks for the derivatives of the same operations on the same
types again and again. To call a rule on tracers takes several times as long as to write down the
equations that come of it, and these are known from the last time: a rule of functrace's own depends
on the types of what it is given, on numbers and on parameters. Where it asks for more (how an array
lies in memory, or whether a value without axes is an array), makes a view, or is given an array
that is known, it is called as ever.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.program import Constant, Equation, Handling, Variable
from functrace.ir.types import UNKNOWN, ArrayType
from functrace.tracing.operands import PLAIN_SCALARS
from functrace.tracing.places import Place, recorded_source
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.recording import Recording
from functrace.tracing.tracer import Tracer, new_tracer


class _Step(NamedTuple):
    """An equation that a rule records.

    Attributes:
        primitive: Its primitive.
        inputs: The numbers of values, or constants.
        params: Its parameters, but for an index that is that of the row.
        type: The type of its output.
        handling: Its handling of errors.
        is_at_index: Whether it has the index of the row.
    """

    primitive: Primitive
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    type: ArrayType
    handling: Handling
    is_at_index: bool


class _Known(NamedTuple):
    """What a rule does for rows of one kind.

    Attributes:
        steps: What it records.
        parts: What it returns: None; the number of what it was given; or the number of a value and
            whether there may be zeros in it that are to stay.
        held: The numbers among what it was given, of which zeros are told by their identity.
    """

    steps: list[_Step]
    parts: list[int | tuple[int, bool] | None]
    held: Sequence[Any]


class RepeatedRules:
    """What rules have recorded on one walk back.

    Args:
        keeping: The recording whose tracers may hold zeros that are to stay, if there is one.
    """

    def __init__(self, keeping: Recording | None) -> None:
        self.keeping = keeping
        self._home: Any = None
        self._known: dict[Hashable, _Known | None] = {}
        self._watched: tuple[Any, ...] | None = None

    def known(
        self,
        primitive: Primitive,
        given: tuple[Any, ...],
        needed: tuple[Any, ...] | None,
        params: dict[str, Any],
        place: Place | None,
    ) -> list[Any] | None:
        """Record what a rule has recorded for another row.

        Args:
            primitive: The row's primitive.
            given: What the rule is given: cotangents, values of inputs, the output.
            needed: For each part, None if nobody needs it; None for what adds to a sum.
            params: The row's parameters.
            place: The row's place.

        Returns:
            What the rule would return; None where it must be called, and `learn` be told of it.
        """
        self._watched = None
        home, keeping = self._home, self.keeping
        if home is None:
            innermost = given[0]
            if type(innermost) is Tracer and innermost.recording is keeping:
                innermost = innermost.value
            if type(innermost) is not Tracer or type(innermost.recording) is not ProgramRecording:
                return None
            home = self._home = innermost.recording
        key: list[Any] = [primitive, needed and tuple([number is None for number in needed])]
        values: list[Any] = []
        seen: dict[Variable, int] = {}
        for x in given:
            if type(x) is Tracer:
                if x.recording is keeping:
                    key.append(True)
                    x = x.value  # noqa: PLW2901
                    if type(x) is not Tracer:
                        return None
                if x.recording is not home:
                    return None
                variable = x.known_as
                if (number := seen.setdefault(variable, len(values))) < len(values):
                    key.append(number)
                elif x.memory is not None:
                    key.append(False)
                key.append(variable.type)
                values.append(variable)
            elif (kind := type(x)) in PLAIN_SCALARS:
                key.append(kind)
                # Zeros that are equal may differ in sign.
                key.append(x if x and kind is not complex else id(x))
                values.append(x)
            else:
                return None
        index = None
        if params:
            index = params.get("index") if len(params) == 1 else None
        if index is None:
            for name, x in params.items():
                if not _is_exact(x):
                    return None
                key.append((name, x))
        else:
            for item in index:
                if (kind := type(item)) is slice:
                    key.append((item.start, item.stop, item.step))
                elif kind is int:  # where in the array it is the rule does not ask
                    key.append(None)
                else:
                    return None
        known = self._known.get(row := tuple(key), self)
        if known is self:
            self._watched = row, given, values, index, len(home.equations), home.questions
        elif known is not None:
            return self._again(known, given, values, index, place)
        return None

    def _again(
        self, known: Any, given: Sequence[Any], values: list[Any], index: Any, place: Place | None
    ) -> list[Any]:
        """Write down what is known."""
        home = self._home
        equations, source = home.equations, recorded_source(place)
        for primitive, inputs, params, type_, handling, is_at_index in known.steps:
            atoms = [values[x] if type(x) is int else x for x in inputs]
            variable = Variable(type_)
            values.append(variable)
            if is_at_index:
                params = {**params, "index": index}  # noqa: PLW2901
            equations.append(Equation(primitive, atoms, params, [variable], source, handling))
        parts: list[Any] = []
        for part in known.parts:
            if type(part) is tuple:
                number, is_marked = part
                x = new_tracer(home, UNKNOWN, values[number], place)
                parts.append(new_tracer(self.keeping, x, None, place) if is_marked else x)  # pyright: ignore[reportArgumentType]
            else:
                parts.append(part if part is None else given[part])
        return parts

    def learn(self, parts: Any) -> None:
        """Keep what a rule has recorded, if nothing else can come of it for other rows.

        Args:
            parts: What it has returned.
        """
        if self._watched is None:
            return
        row, given, values, index, before, asked = self._watched
        self._watched, home = None, self._home
        self._known[row] = None
        if home.questions != asked or not isinstance(parts, list | tuple):
            return
        numbers: dict[Any, int] = {}
        for number, x in enumerate(values):
            if type(x) is Variable:
                numbers.setdefault(x, number)
        steps: list[_Step] = []
        for equation in home.equations[before:]:
            step = _step(equation, numbers, index)
            if step is None:
                return
            steps.append(step)
            numbers[equation.outputs[0]] = len(values) + len(steps) - 1
        found: list[Any] = []
        for part in parts:
            told = None if part is None else self._told(part, given, numbers)
            if told is None and part is not None:
                return
            found.append(told)
        held = [x for x in values if type(x) is not Variable]
        self._known[row] = _Known(steps, found, held)

    def _told(
        self, part: Any, given: Sequence[Any], numbers: dict[Any, int]
    ) -> int | tuple[int, bool] | None:
        """Which value a part is; None where that cannot be said."""
        for number, x in enumerate(given):
            if part is x:
                return number
        if type(part) is not Tracer or part.memory is not None:
            return None
        is_marked = part.recording is self.keeping
        if is_marked:
            part = part.value
        if type(part) is not Tracer or part.recording is not self._home or part.memory is not None:
            return None
        number = numbers.get(part.known_as)
        return None if number is None else (number, is_marked)


def _is_exact(x: Any) -> bool:
    """Whether a parameter is the same as what it is equal to: numbers with a point may not be."""
    if type(x) is tuple:
        return all(map(_is_exact, x))
    return x is None or type(x) in (str, int, bool) or isinstance(x, np.dtype)


def _step(equation: Equation, numbers: dict[Any, int], index: Any) -> _Step | None:
    """An equation with the numbers of what it reads; None if it may be another one elsewhere."""
    primitive, params = equation.primitive, equation.params
    if (
        primitive.multiple_outputs
        or primitive.makes_views
        or primitive.may_hold_programs
        or primitive.has_effect
    ):
        return None
    is_at_index = "index" in params
    if is_at_index and params["index"] is not index:
        return None
    inputs: list[Any] = []
    for atom in equation.inputs:
        if isinstance(atom, Constant):
            if type(atom.value) is Tracer:
                return None
            inputs.append(atom)
        elif atom in numbers:
            inputs.append(numbers[atom])
        else:
            return None
    (output,) = equation.outputs
    handling = equation.handling
    return _Step(primitive, tuple(inputs), params, output.type, handling, is_at_index)
