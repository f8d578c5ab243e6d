"""cond and switch: one of several functions, chosen by a value.

Where the choice is known the chosen function is called, and the others are recorded for the types
of their outputs only, so that a choice means the same whether it is known or not. Otherwise all of
them are recorded, and the choice becomes one operation that runs one Program. When the choice is
made separately for each of many examples (``vmap`` of ``cond``), each branch runs once, on those
examples that take it: a branch that is valid only for its own examples never sees another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, compress
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.compiling import interpreter
from functrace.backends.runtime import stacked
from functrace.control.collectives import combines_examples
from functrace.ir.primitive import Primitive, Values
from functrace.ir.program import (
    Constant,
    Equation,
    Program,
    Variable,
    input_types,
    output_types,
)
from functrace.ir.structure import Choice, T, nearest
from functrace.ir.types import ANY_LENGTH, ArrayType, with_axis
from functrace.primitives.linear import dtype_of, in_each, shape_of, zeros_for
from functrace.primitives.shaping import stack_primitive, unstack_primitive
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms.batch import batch_program
from functrace.transforms.calling import apart
from functrace.transforms.masks import Mask, scattered
from functrace.transforms.programs import (
    Kept,
    Pullback,
    batched,
    for_cotangents,
    keeping_zeros,
    linear_form,
    pushed_forward,
    residual_form,
    transposed,
    with_interface,
)
from functrace.transforms.transpose import LinearValue

# Parameters: ``branches`` are the Programs. Where these combine examples, and derivatives
# are taken, `chosen_inputs` and `chosen_outputs` may be there too: see `Chosen`.


def joint_types(branches: Sequence[Program]) -> tuple[ArrayType, ...]:
    """The types of the outputs of whichever Program is run.

    They are the same for all, but that a length which one does not know may be known to another.
    """
    first, *others = map(output_types, branches)
    if not any(ANY_LENGTH in type.shape for types in others for type in types):
        return first
    return tuple(
        ArrayType(
            tuple(ANY_LENGTH if ANY_LENGTH in lengths else lengths[0] for lengths in shapes),
            types[0].dtype,
        )
        for types in zip(first, *others, strict=True)
        for shapes in [list(zip(*(type.shape for type in types), strict=True))]
    )


class Chosen(NamedTuple):
    """What is chosen where each of many examples chooses for itself, and branches combine them.

    Then every branch sees all examples, those too that do not choose it. For these the outputs
    that are *chosen* do not count; other outputs are added up, as residuals are, of which each
    belongs to one branch. In the same way an input that is chosen is zero there, as the cotangent
    of a chosen output is. So the derivatives are those of `np.where` between the branches.

    Attributes:
        inputs: For each input of the Programs, whether it is chosen.
        outputs: For each output.
    """

    inputs: Mask
    outputs: Mask

    def unless(self, apart: bool) -> Chosen:
        """What goes without saying, if examples have a part in their own branches only."""
        if not apart:
            return self
        return Chosen((False,) * len(self.inputs), (True,) * len(self.outputs))


def choice_of(params: dict[str, Any]) -> Chosen:
    """What is chosen by these parameters; without a word of it all outputs, and no inputs."""
    first = params["branches"][0]
    return Chosen(
        params.get("chosen_inputs", (False,) * len(first.inputs)),
        params.get("chosen_outputs", (True,) * len(first.outputs)),
    )


def choice_params(choice: Chosen) -> dict[str, Any]:
    """The parameters that say what is chosen, where that does not go without saying."""
    if all(choice.outputs) and not any(choice.inputs):
        return {}
    return {"chosen_inputs": choice.inputs, "chosen_outputs": choice.outputs}


def sees_all(params: dict[str, Any]) -> bool:
    """Whether each branch must see all examples, those too that do not choose it."""
    return "chosen_outputs" in params or any(map(combines_examples, params["branches"]))


def _union(masks: Sequence[Mask]) -> Mask:
    return tuple(any(column) for column in zip(*masks, strict=True))


MOST_HANDED_ON = 16
"""So many residuals of one type a branch hands on one by one for what is in it."""


def handing_on_stacks(first: Program, second: Program, count: int) -> tuple[Program, Program]:
    """Stack what the first half of a branch hands on for what is in it, where that is much.

    Choices within each other would else take the square of their number: each hands on what all
    of those in it keep.

    Args:
        first: Returns ``count`` outputs, and residuals.
        second: Takes the residuals, and more.
        count: How many outputs there are.

    Returns:
        The same halves, where residuals of one type that an operation with Programs has made are
        one, if there are more than a few.
    """
    residuals = first.outputs[count:]
    made_within = {v for e in first.equations if e.primitive.holds_programs for v in e.outputs}
    alike: dict[ArrayType, list[int]] = {}
    for number, atom in enumerate(residuals):
        if atom in made_within and not atom.type.weak and ANY_LENGTH not in atom.type.shape:
            alike.setdefault(atom.type, []).append(number)
    many = [numbers for numbers in alike.values() if len(numbers) > MOST_HANDED_ON]
    if not many:
        return first, second
    stacking: list[Equation] = []
    unstacking: list[Equation] = []
    for numbers in many:
        parts = [residuals[number] for number in numbers]
        stack = Variable(with_axis(parts[0].type, len(parts), 0))
        stacking.append(Equation(stack_primitive, parts, {"axis": 0}, [stack]))
        given, taken = Variable(stack.type), [second.inputs[number] for number in numbers]
        unstacking.append(Equation(unstack_primitive, [given], {"axis": 0}, taken))
    is_stacked = set(chain.from_iterable(many))
    single = [number for number in range(len(residuals)) if number not in is_stacked]
    return (
        Program(
            first.inputs,
            [*first.equations, *stacking],
            [
                *first.outputs[:count],
                *(residuals[number] for number in single),
                *(equation.outputs[0] for equation in stacking),
            ],
        ),
        Program(
            [
                *(second.inputs[number] for number in single),
                *(v for e in unstacking for v in e.inputs if isinstance(v, Variable)),
                *second.inputs[len(residuals) :],
            ],
            [*unstacking, *second.equations],
            second.outputs,
        ),
    )


class Halves(NamedTuple):
    """Branches in two halves: what the second ones take of the first ones are the residuals.

    Attributes:
        first: Take the inputs of the branches; return their outputs and residuals.
        second: Take residuals, operands, and what else is given.
        residuals: How many residuals there are.
        operands: The numbers of the operands that second halves take.
    """

    first: list[Program]
    second: list[Program]
    residuals: int
    operands: list[int]


def in_halves(
    branches: Sequence[Program],
    first: Sequence[Program],
    second: Sequence[Program],
    given: tuple[Sequence[ArrayType], Sequence[Sequence[int]]],
    found: tuple[Sequence[ArrayType], Sequence[Sequence[int]]],
    *,
    apart: bool,
) -> Halves:
    """Let halves of branches be branches again, which have the same inputs and outputs.

    Residuals of different branches share places where their types are the same: one branch runs.
    A residual that is an operand is not returned: the second half can be given the operand. So
    choices within each other hand on as little as they can.

    Args:
        branches: The branches.
        first: For each what takes its inputs, and returns its outputs and residuals.
        second: For each what takes its residuals and other inputs.
        given: The types of these others for all branches; and for each branch the numbers of its
            own among them.
        found: In the same way the types of the outputs of the second half.
        apart: Whether only the branch that is chosen has a part in the residuals; else those of
            all branches are added up, and none shares its place.
    """
    count = len(branches[0].outputs)
    if apart:
        pairs = zip(first, second, strict=True)
        first, second = zip(*(handing_on_stacks(*pair, count) for pair in pairs), strict=True)
    types: list[ArrayType] = []
    operands: dict[int, int] = {}
    places: list[list[int]] = []  # of each branch's residuals; those of operands are negative
    for half in first:
        number_of = {variable: number for number, variable in enumerate(half.inputs)}
        free: dict[ArrayType, Iterator[int]] = {}
        if apart:
            for type in {t for t in types if ANY_LENGTH not in t.shape}:
                free[type] = iter([n for n, t in enumerate(types) if t == type])
        own: list[int] = []
        for atom in half.outputs[count:]:
            number = None if isinstance(atom, Constant) else number_of.get(atom)
            if number is not None:
                own.append(~operands.setdefault(number, len(operands)))
                continue
            place = next(free.get(atom.type, iter(())), None)
            if place is None:
                place = len(types)
                types.append(atom.type)
            own.append(place)
        places.append(own)
    forward = [
        with_interface(
            Program(
                half.inputs,
                half.equations,
                [
                    *half.outputs[:count],
                    *(x for x, n in zip(half.outputs[count:], own, strict=True) if n >= 0),
                ],
            ),
            input_types(half),
            range(len(branches[0].inputs)),
            [*joint_types(branches), *types],
            [*range(count), *(count + n for n in own if n >= 0)],
        )
        for half, own in zip(first, places, strict=True)
    ]
    kept = len(types) + len(operands)
    operand_types = [branches[0].inputs[number].type for number in operands]
    then = [
        with_interface(
            half,
            [*types, *operand_types, *given[0]],
            [*(n if n >= 0 else len(types) + ~n for n in own), *(kept + i for i in taken)],
            found[0],
            returned,
        )
        for half, own, taken, returned in zip(second, places, given[1], found[1], strict=True)
    ]
    return Halves(forward, then, len(types), list(operands))


class Switch(Primitive):
    """Run one of several Programs. The first input is the number of the branch."""

    multiple_outputs = True
    holds_programs = True
    makes_zeros = makes_zero_tangents = True

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Choice[T]:
        """One choice."""
        return Choice(inputs[0], params["branches"], inputs[1:])

    def from_structure(
        self, structure: Choice[T], params: dict[str, Any]
    ) -> tuple[Sequence[T], dict[str, Any]] | None:
        """Nothing where parameters say of each operand and output what is chosen."""
        if "chosen_outputs" in params:
            return None
        new = {**params, "branches": tuple(structure.branches)}
        if structure.examples is not None:
            new["operand_axes"] = tuple(structure.axes)
        return [structure.index, *structure.operands], new

    def run(self, index: Any, *operands: Any, **params: Any) -> Any:
        """Evaluate the chosen Program; an index out of range chooses the nearest branch."""
        branches = params["branches"]
        chosen = branches[nearest(index, len(branches))]
        return tuple(apart(interpreter(chosen, 1, operands)(*operands), operands))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The types of the Programs' outputs, which are the same for all."""
        return joint_types(params["branches"])

    def bind_like(
        self,
        index: Any,
        inputs: Values,
        branches: Sequence[Program],
        params: dict[str, Any],
        choice: Chosen,
    ) -> Any:
        """Choose among other Programs as this application chooses among its own."""
        return bind(self, index, *inputs, branches=tuple(branches), **choice_params(choice))

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Choose among the Programs in forward mode."""
        branches = params["branches"]
        is_active = tuple(tangent is not None for tangent in tangents[1:])
        mask = _union([pushed_forward(branch, is_active).has_tangent for branch in branches])
        pushed = [pushed_forward(branch, is_active, mask).program for branch in branches]
        given = [tangent for tangent in tangents[1:] if tangent is not None]
        chosen = choice_of(params)
        choice = Chosen(
            (*chosen.inputs, *compress(chosen.inputs, is_active)),
            (*chosen.outputs, *compress(chosen.outputs, mask)),
        )
        results = self.bind_like(inputs[0], [*inputs[1:], *given], pushed, params, choice)
        count = len(branches[0].outputs)
        return results[:count], tuple(scattered(results[count:], mask))

    def push_later(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Run what needs no tangents of the chosen Program, and then what does."""
        branches = params["branches"]
        is_active = tuple(tangent is not None for tangent in tangents[1:])
        forms = [linear_form(branch, is_active) for branch in branches]
        mask = _union([form.has_tangent for form in forms])
        types = [v.type.tangent for v, on in zip(branches[0].inputs, is_active, strict=True) if on]
        out_types = [
            type.tangent for type, on in zip(joint_types(branches), mask, strict=True) if on
        ]
        apart = not sees_all(params)
        halves = in_halves(
            branches,
            [form.forward for form in forms],
            [form.linear for form in forms],
            (types, [range(len(types))] * len(forms)),
            (out_types, [_numbers_within(form.has_tangent, mask) for form in forms]),
            apart=apart,
        )
        outputs, residuals, chosen_residuals = self.run_first(inputs, halves, params, apart)
        chosen = choice_of(params)
        choice = Chosen(
            (*chosen_residuals, *compress(chosen.inputs, is_active)),
            tuple(compress(chosen.outputs, mask)),
        )
        given = [*residuals, *(tangent for tangent in tangents if tangent is not None)]
        pushed = self.bind_like(inputs[0], given, halves.second, params, choice)
        return outputs, tuple(scattered(pushed, mask))

    def run_first(
        self, inputs: Sequence[Any], halves: Halves, params: dict[str, Any], apart: bool
    ) -> tuple[Sequence[Any], list[Any], Mask]:
        """Run the first half of the chosen Program.

        Returns:
            The outputs; what the second half is given: residuals, then operands; and which of
            these are chosen.
        """
        count = len(params["branches"][0].outputs)
        chosen = choice_of(params)
        # Residuals are chosen where examples that do not choose a branch have no part in it.
        outputs = (*chosen.outputs, *(apart for _ in range(halves.residuals)))
        choice = Chosen(chosen.inputs, outputs)
        results = self.bind_like(inputs[0], inputs[1:], halves.first, params, choice)
        return (
            results[:count],
            [*results[count:], *(inputs[1 + number] for number in halves.operands)],
            (*(False,) * halves.residuals, *(chosen.inputs[number] for number in halves.operands)),
        )

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Run the forward half of the chosen Program; its backward half waits in a pullback."""
        branches = params["branches"]
        is_active = tuple(need is not None for need in needed[1:])
        forms = [residual_form(branch, is_active) for branch in branches]
        takes = _union([form.takes_cotangent for form in forms])
        gives = _union([form.gives_cotangent for form in forms])
        given_types = [
            type.tangent for type, on in zip(joint_types(branches), takes, strict=True) if on
        ]
        found_types = [
            v.type.tangent for v, on in zip(branches[0].inputs, gives, strict=True) if on
        ]
        apart = not sees_all(params)
        halves = in_halves(
            branches,
            [form.forward for form in forms],
            [form.backward for form in forms],
            (given_types, [_numbers_within(form.takes_cotangent, takes) for form in forms]),
            (found_types, [_numbers_within(form.gives_cotangent, gives) for form in forms]),
            apart=apart,
        )
        outputs, residuals, chosen_residuals = self.run_first(inputs, halves, params, apart)
        chosen = choice_of(params)
        choice = Chosen(
            (*chosen_residuals, *compress(chosen.outputs, takes)),
            tuple(compress(chosen.inputs, gives)),
        ).unless(apart)

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            second, given, kept = for_cotangents(
                halves.second, residuals, cotangents, outputs, takes
            )
            own = choice._replace(inputs=tuple(compress(choice.inputs, kept)))
            found = self.bind_backward(inputs, given, second, gives, params, own)
            return [None, *scattered(found, gives)]

        kept = None
        if apart and type(inputs[0]) is not Tracer and np.shape(inputs[0]) == ():
            taken = nearest(inputs[0], len(branches))
            kept = Kept(residuals[: halves.residuals], halves.first[taken], halves.second[taken], 0)
        return outputs, Pullback(self.name, pull_back, makes_zeros=True, kept=kept)

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Choose among the Programs with zeros that stay."""
        kept = [keeping_zeros(branch, tuple(marked[1:])) for branch in params["branches"]]
        programs, masks = zip(*kept, strict=True)
        return bind(self, *inputs, **{**params, "branches": programs}), _union(masks)

    def bind_backward(
        self,
        inputs: Values,
        given: Values,
        branches: Sequence[Program],
        gives: Mask,
        params: dict[str, Any],
        choice: Chosen,
    ) -> Any:
        """Run the backward half that belongs to the branch that was chosen."""
        return self.bind_like(inputs[0], given, branches, params, choice)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The transpose, where the Programs are linear in the inputs whose values are not known."""
        branches = params["branches"]
        is_linear = tuple(isinstance(x, LinearValue) for x in inputs[1:])
        masks = [transposed(branch, is_linear)[1] for branch in branches]
        mask = _union(masks)
        linear_types = [x.type for x in inputs[1:] if isinstance(x, LinearValue)]
        types = [type.tangent for type, on in zip(linear_types, mask, strict=True) if on]
        adapted: list[Program] = []
        for branch, own in zip(branches, masks, strict=True):
            program = transposed(branch, is_linear)[0]
            every = range(len(program.inputs))
            adapted.append(
                with_interface(
                    program, input_types(program), every, types, _numbers_within(own, mask)
                )
            )
        given = [
            zeros_for(x) if part is None else part
            for part, x in zip(cotangent, output, strict=True)
        ]
        is_known = [not linear for linear in is_linear]
        known = list(compress(inputs[1:], is_known))
        chosen = choice_of(params)
        choice = Chosen(
            (*compress(chosen.inputs, is_known), *chosen.outputs),
            tuple(compress(compress(chosen.inputs, is_linear), mask)),
        ).unless(not sees_all(params))
        parts = self.bind_like(inputs[0], [*known, *given], adapted, params, choice)
        return [None, *scattered(scattered(parts, mask), is_linear)]

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Choose once for all examples, or, where the choice is batched, for each of them."""
        branches = params["branches"]
        if axes[0] is None:
            operand_axes = tuple(axes[1:])
            forms = [batched(branch, size, operand_axes) for branch in branches]
            mask = _union([tuple(axis is not None for axis in form.axes) for form in forms])
            programs = [batched(branch, size, operand_axes, mask).program for branch in branches]
            choice = choice_params(choice_of(params))
            outputs = bind(self, *inputs, branches=tuple(programs), **choice)
            return outputs, tuple(0 if on else None for on in mask)
        return choose_each(size, inputs, axes, params)


def choose_each(
    size: int,
    inputs: Sequence[Any],
    axes: Sequence[int | None],
    params: dict[str, Any],
) -> tuple[Sequence[Any], Sequence[int | None]]:
    """Choose for each of many examples.

    A branch that combines examples must see all of them: then all branches are run on all, and
    the outputs are chosen afterwards, where `Chosen` does not say something else.

    Returns:
        The outputs, and the axis of the examples in each: 0, or None where it is not chosen and
        the same for all.
    """
    moved = [
        x if axis is None else np.moveaxis(x, axis, 0) for x, axis in zip(inputs, axes, strict=True)
    ]
    operand_axes = tuple(None if axis is None else 0 for axis in axes[1:])
    branches = params["branches"]
    if not sees_all(params):
        each = {"examples": size, "operand_axes": operand_axes}
        results = bind(switch_each, *moved, branches=branches, **each)
        return results, (0,) * len(results)
    chosen = choice_of(params)
    last = len(branches) - 1
    index = moved[0]
    found: list[tuple[Any, int | None]] = []
    for number, branch in enumerate(branches):
        takes = index <= 0 if number == 0 else index >= last if number == last else index == number
        operands = list(moved[1:])
        given_axes = list(operand_axes)
        for place, is_chosen in enumerate(chosen.inputs):
            if is_chosen:
                x = in_each(size, operands[place], operand_axes[place])
                operands[place], given_axes[place] = _where(takes, x, _zero_of(x)), 0
        values, value_axes = batch_program(branch, size, operands, given_axes)
        own: list[tuple[Any, int | None]] = []
        for place, (x, axis, is_chosen) in enumerate(
            zip(values, value_axes, chosen.outputs, strict=True)
        ):
            before, axis_before = found[place] if number else (None, None)
            if is_chosen or axis is not None or axis_before is not None:
                x, axis = in_each(size, x, axis), 0  # noqa: PLW2901
                before = in_each(size, before, axis_before) if number else None
            if number:
                x = _where(takes, x, before) if is_chosen else x + before  # noqa: PLW2901
            own.append((x, axis))
        found = own
    return [x for x, _ in found], [axis for _, axis in found]


def _zero_of(x: Any) -> Any:
    """A zero of the dtype of an array."""
    return np.zeros((), dtype_of(x))


def _where(takes: Any, x: Any, other: Any) -> Any:
    """The values of those examples that choose, and else the others; examples lie along axis 0."""
    shape = (*shape_of(takes), *(1,) * (len(shape_of(x)) - 1))
    return np.where(np.reshape(takes, shape), x, other)


def _numbers_within(own: Mask, union: Mask) -> list[int]:
    """Where the present entries of one mask stand among the present entries of a larger one."""
    numbers: list[int] = []
    number = 0
    for mine, any_of_them in zip(own, union, strict=True):
        if mine:
            numbers.append(number)
        number += any_of_them
    return numbers


class SwitchEach(Switch):
    """Choose for each of ``size`` examples. Operands have their examples along axis 0, or none.

    Parameters: ``examples``, their number; ``operand_axes``, for each operand 0 or None.
    """

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Choice[T]:
        """One choice for each example."""
        one = super().structure(inputs, params)
        return one._replace(examples=params["examples"], axes=params["operand_axes"])

    def run(self, index: Any, *inputs: Any, **params: Any) -> Any:
        """Run each Program on the examples that chose it."""
        branches, size, axes = params["branches"], params["examples"], params["operand_axes"]
        chosen = np.clip(np.asarray(index).astype(np.intp), 0, len(branches) - 1)
        types = joint_types(branches)
        found: list[list[tuple[Any, Any]]] = [[] for _ in types]
        for number, branch in enumerate(branches):
            rows = np.flatnonzero(chosen == number)
            if not rows.size:
                continue
            operands = [
                x if axis is None else x[rows] for x, axis in zip(inputs, axes, strict=True)
            ]
            values, value_axes = batch_program(branch, rows.size, operands, axes)
            for parts, value, axis in zip(found, values, value_axes, strict=True):
                each = np.expand_dims(value, 0) if axis is None else np.moveaxis(value, axis, 0)
                parts.append((rows, each))
        return tuple(_merged(size, parts, type) for parts, type in zip(found, types, strict=True))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The types of the Programs' outputs, with the axis of examples in front."""
        size = params["examples"]
        return tuple(with_axis(type, size, 0) for type in joint_types(params["branches"]))

    def bind_like(
        self,
        index: Any,
        inputs: Values,
        branches: Sequence[Program],
        params: dict[str, Any],
        choice: Chosen,
    ) -> Any:
        """Choose for each example; what came from the operands' own axes tells the new ones."""
        size = params["examples"]
        axes = tuple(
            0 if np.ndim(x) > v.type.ndim else None
            for x, v in zip(inputs, branches[0].inputs, strict=True)
        )
        each = {"examples": size, "operand_axes": axes}
        return bind(self, index, *inputs, branches=tuple(branches), **each)

    def bind_backward(
        self,
        inputs: Values,
        given: Values,
        branches: Sequence[Program],
        gives: Mask,
        params: dict[str, Any],
        choice: Chosen,
    ) -> Any:
        """As for one choice; the cotangents of operands that examples share are summed."""
        found = self.bind_like(inputs[0], given, branches, params, choice)
        shared = [
            axis is None for axis, on in zip(params["operand_axes"], gives, strict=True) if on
        ]
        return [np.sum(x, axis=0) if sums else x for x, sums in zip(found, shared, strict=True)]

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """As for one choice; the cotangents of operands that examples share are summed."""
        one = [inputs[0]]
        for x, axis in zip(inputs[1:], params["operand_axes"], strict=True):
            is_each = isinstance(x, LinearValue) and axis == 0
            one.append(LinearValue(ArrayType(x.shape[1:], x.dtype)) if is_each else x)
        found = super().vjp(cotangent, one, output, needed, **params)
        axes = [None, *params["operand_axes"]]
        return [
            x if x is None or axis == 0 else np.sum(x, axis=0)
            for x, axis in zip(found, axes, strict=True)
        ]

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Count the examples of both axes along one."""
        inner: int = params["examples"]
        own_axes = (0, *params["operand_axes"])
        flat: list[Any] = []
        for x, axis, own in zip(inputs, axes, own_axes, strict=True):
            if axis is None and own is None:
                flat.append(x)
                continue
            full = np.expand_dims(x, 0) if axis is None else np.moveaxis(x, axis, 0)
            full = np.expand_dims(full, 1) if own is None else full
            full = np.broadcast_to(full, (size, inner, *full.shape[2:]))
            flat.append(np.reshape(full, (size * inner, *full.shape[2:])))
        operand_axes = tuple(
            None if axis is None and own is None else 0
            for axis, own in zip(axes[1:], own_axes[1:], strict=True)
        )
        each = {"examples": size * inner, "operand_axes": operand_axes}
        outputs = bind(self, *flat, **{**params, **each})
        split = tuple(np.reshape(x, (size, inner, *x.shape[1:])) for x in outputs)
        return split, (0,) * len(split)


def _merged(size: int, parts: Sequence[tuple[Any, Any]], type: ArrayType) -> Any:
    """Values of ``size`` examples from those of some; as by `stacked` where lengths differ."""
    shape: Any = type.shape
    if any(isinstance(x, Tracer) for _, x in parts):
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        return stacked([x[n] for _, x in parts for n in range(len(x))], type)[order]
    if ANY_LENGTH in shape:
        shape = np.max([np.maximum(shape, 0), *(x.shape[1:] for _, x in parts)], axis=0)
    result = np.zeros((size, *shape), type.dtype)
    for rows, x in parts:
        result[(rows, *map(slice, x.shape[1:]))] = x
    return result


switch_primitive = Switch("switch")
switch_each = SwitchEach("switch_each")
