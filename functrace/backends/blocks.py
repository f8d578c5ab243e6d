"""Planning the equations of a Program: one step for each, and what becomes of memory between."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import depth
from functrace.backends.memory import SMALL, Form, Free, Key, Storage, Value, key_of, size_of
from functrace.backends.names import Names
from functrace.backends.plan import (
    As,
    CloseBlock,
    Compute,
    ComputeNumber,
    Move,
    OpenHandling,
    Release,
)
from functrace.backends.planner import Planner
from functrace.backends.structures import is_planned, plan_structure
from functrace.errors import PrimitiveError
from functrace.ir.emission import Code, Operand
from functrace.ir.program import (
    DIVISION,
    NOTHING,
    Atom,
    Constant,
    Equation,
    Handling,
    Program,
    Variable,
    handled_within,
)
from functrace.ir.structure import structure_of
from functrace.ir.types import ANY_LENGTH, UNKNOWN, ArrayType, type_of

NEAR = 24
"""For so many equations an array that is free waits for one that can be written over it."""


def plan_block(planner: Planner, program: Program, inputs: Sequence[Value]) -> list[Value]:
    """Plan the steps of a Program.

    Args:
        planner: Makes the plan.
        program: The Program.
        inputs: What its inputs are.

    Returns:
        What its outputs are. Each still counts as a user of its memory.
    """
    depth.enter()
    try:
        _Block(planner, program, inputs).plan()
    finally:
        depth.leave()
    return [planner.value(atom) for atom in program.outputs]


def reading_first(program: Program, codes: Sequence[Code | None]) -> list[int] | None:
    """An order of the equations in which parts of arrays are read before these are written over.

    Where all that an array is needed for after a write are parts of it, of half of its size at
    most, they are read before: then the write need not be into a copy of the array.

    Args:
        program: The Program.
        codes: The code of each equation, None for one that writes several statements.

    Returns:
        The numbers of the equations; None where they stay in their order.
    """
    equations = program.equations
    writes = [number for number, code in enumerate(codes) if code and code.takes_over and code.then]
    if not writes:
        return None
    uses: dict[Atom, list[int]] = {}
    made: dict[Atom, int] = {}
    for number, equation in enumerate(equations):
        for atom in dict.fromkeys(equation.inputs):
            if isinstance(atom, Variable):
                uses.setdefault(atom, []).append(number)
        for variable in equation.outputs:
            made[variable] = number
    for atom in program.outputs:
        uses.setdefault(atom, []).append(-1)
    places: dict[int, int] = {}  # before which write a read is to be done
    for number in writes:
        written = equations[number].inputs[0]
        later = [use for use in uses.get(written, ()) if use > number or use < 0]
        if later and all(
            use > 0
            and equations[use].primitive.reads_part
            and all(made.get(atom, -1) < number for atom in equations[use].inputs)
            for use in later
        ):
            size = sum(size_of(equations[use].outputs[0].type) for use in later)
            if 2 * size <= size_of(written.type):
                places.update((use, number) for use in later if use not in places)
    if not places:
        return None
    moved: dict[int, list[int]] = {}
    for use in sorted(places):
        moved.setdefault(places[use], []).append(use)
    order: list[int] = []
    for number in range(len(equations)):
        order.extend(moved.get(number, ()))
        if number not in places:
            order.append(number)
    return order


class _Block:
    """Plans the equations of one Program."""

    def __init__(self, planner: Planner, program: Program, inputs: Sequence[Value]) -> None:
        self.planner = planner
        self.free: dict[Key, list[Free]] = {}
        self.expiring: dict[int, list[tuple[Key, Free]]] = {}
        codes = [self._code(equation) for equation in program.equations]
        order = reading_first(program, codes)
        if order is not None:
            equations = [program.equations[number] for number in order]
            program = Program(program.inputs, equations, program.outputs)
            codes = [codes[number] for number in order]
        self.program = program
        self.codes = codes
        self.takes_infinity = _takes_infinity_within(program)
        self.wanted: dict[Key, list[int]] = {}
        for number, (equation, code) in enumerate(zip(program.equations, codes, strict=True)):
            if code is not None and code.into is not None:
                for variable in equation.outputs:
                    key = key_of(variable.type)
                    if key is not None:
                        self.wanted.setdefault(key, []).append(number)
        used = {atom for equation in program.equations for atom in equation.inputs}
        used.update(program.outputs)
        for variable, value in zip(program.inputs, inputs, strict=True):
            planner.enter(variable, value)
            if variable not in used:
                planner.leave([value])

    def _code(self, equation: Equation) -> Code | None:
        primitive = equation.primitive
        if primitive.holds_programs and is_planned(self.planner, structure_of(equation)):
            return None
        code = self._known_code(equation)
        if code.product is not None:
            self.planner.products.append(code.product)
        return code

    def _known_code(self, equation: Equation) -> Code:
        """The code of an equation; once for all of ours that differ only in variables."""
        if equation.params or not equation.primitive.is_own:
            return self._new_code(equation)
        key = (
            equation.primitive,
            *(
                atom.type if isinstance(atom, Variable) else (atom.type, id(atom.value))
                for atom in equation.inputs
            ),
        )
        codes = self.planner.codes
        code = codes.get(key)
        if code is None:
            code = codes[key] = self._new_code(equation)
        return code

    def _new_code(self, equation: Equation) -> Code:
        primitive = equation.primitive
        operands = [
            Operand(atom.type, atom.value if isinstance(atom, Constant) else UNKNOWN)
            for atom in equation.inputs
        ]
        types = [variable.type for variable in equation.outputs]
        names = self.planner.names
        code = primitive.numpy_code(names, operands, types, **equation.params)
        code = code or called(names, equation)
        return code if code.is_fresh is not None else code._replace(is_fresh=primitive.is_fresh)

    def plan(self) -> None:
        """Plan all equations."""
        planner = self.planner
        endings = self.program.last_uses()
        around = planner.handling
        for number, (equation, code) in enumerate(
            zip(self.program.equations, self.codes, strict=True)
        ):
            handling = handled_within(around, equation.handling)
            if handling != planner.handling and self._may_warn(equation, code, handling):
                planner.source = None
                self._close(around)
                if handling != around:
                    planner.add(OpenHandling(handling))
                    planner.depth += 1
                    planner.handling = handling
            planner.source = equation.source
            if code is None:
                self._structured(equation)
            elif code.python is not None and planner.prefers_python and not equation.raises:
                self._number(equation, code, code.python)
            else:
                self._simple(equation, code, endings[number], number)
            self._let_go(endings[number], number)
        planner.source = None
        self._close(around)

    def _close(self, around: Handling) -> None:
        planner = self.planner
        if planner.handling != around:
            planner.add(CloseBlock())
            planner.depth -= 1
            planner.handling = around

    def _may_warn(self, equation: Equation, code: Code | None, handling: Handling) -> bool:
        """Whether it may make a difference here that errors are handled in another way."""
        if {handling, self.planner.handling} != {NOTHING, DIVISION}:
            return True
        if code is not None and code.python is not None and self.planner.prefers_python:
            return False  # there is a template that is silent by itself
        return may_warn(equation) or (self.takes_infinity and _is_arithmetic(equation))

    def _structured(self, equation: Equation) -> None:
        planner = self.planner
        structure = structure_of(equation)
        assert structure is not None
        types = [variable.type for variable in equation.outputs]
        outputs = plan_structure(planner, structure.map(planner.value), types, plan_block)
        for variable, value in zip(equation.outputs, outputs, strict=True):
            planner.enter(variable, value)

    def _number(self, equation: Equation, code: Code, template: str) -> None:
        planner = self.planner
        inputs = [planner.value(atom) for atom in equation.inputs]
        for value in inputs:
            if value.form is not Form.PYTHON:
                planner.python(value) if not value.type.shape else planner.numpy(value)
        if equation.handling >= DIVISION and code.silent is not None:
            template = code.silent
        (variable,) = equation.outputs
        output = Value(variable.type, form=Form.PYTHON)
        planner.add(ComputeNumber(equation, template, inputs, output))
        planner.enter(variable, output)

    def _simple(
        self, equation: Equation, code: Code, ending: Sequence[Variable], number: int
    ) -> None:
        planner = self.planner
        inputs = [planner.value(atom) for atom in equation.inputs]
        if code.takes_over and code.then:
            self._move_views(inputs[0], ending)
        ways = self._ways(equation, code, inputs)
        over: list[Value | None] = []
        outputs: list[Value] = []
        storages: list[Storage | None] = []
        for variable in equation.outputs:
            type = variable.type
            target = self._target(code, inputs, type, ending, over)
            if target is None:
                storage = self._storage(code, inputs, type)
                writable, contiguous = _is_writable(code, inputs), True
                if not code.is_contiguous:
                    contiguous = _contiguity(code, inputs, type, storage)
            else:
                storage, writable = target.storage, True
                contiguous = code.needs_contiguous or target.is_contiguous
            over.append(target)
            storages.append(storage)
            outputs.append(Value(type, storage, writable, contiguous))
        planner.add(Compute(equation, code, inputs, ways, outputs, storages, over))
        for variable, value in zip(equation.outputs, outputs, strict=True):
            planner.enter(variable, value)
        if not code.is_fresh and not code.is_view:
            planner.hand_out(inputs)

    def _ways(
        self, equation: Equation, code: Code, inputs: Sequence[Value]
    ) -> list[As | None] | None:
        """What is made of each input; None where all are read as they are."""
        if all(value.form is Form.NUMPY for value in inputs):
            return None
        return [
            None if _may_stay(value, code, equation) else self.planner.numpy(value)
            for value in inputs
        ]

    def _storage(self, code: Code, inputs: Sequence[Value], type: ArrayType) -> Storage | None:
        """The memory of a new result."""
        # A number has memory as well: it may be an array without axes.
        storage = inputs[0].storage if code.is_view and inputs else None
        if storage is None and (code.is_view or not code.is_fresh):
            return Storage(False, 0)
        return storage or (None if type.weak else self.planner.new_storage(type))

    def _target(
        self,
        code: Code,
        inputs: Sequence[Value],
        type: ArrayType,
        ending: Sequence[Variable],
        taken: Sequence[Value | None],
    ) -> Value | None:
        """An array that a result may be written to: an input that ends here, or a free one."""
        key = key_of(type)
        if key is None or not (code.into is not None or code.takes_over):
            return None
        if code.takes_over or code.in_place:
            dying: dict[Storage, int] = {}
            for variable in ending:
                value = self.planner.values.get(variable)  # an output has none yet
                if value is not None and value.storage is not None:
                    dying[value.storage] = dying.get(value.storage, 0) + 1
            for value in inputs[:1] if code.takes_over else inputs:
                storage = value.storage
                if (
                    storage is not None
                    and storage.is_owned
                    and value.is_writable
                    and value.form is Form.NUMPY
                    and dying.get(storage) == storage.users
                    and key_of(value.type) == key
                    and 2 * size_of(type) >= storage.size
                    and value not in taken
                    and not any(other.storage is storage and other is not value for other in inputs)
                ):
                    return value
        return None if code.into is None else self._waiting(key, code.needs_contiguous)

    def _waiting(self, key: Key, needs_contiguous: bool = False) -> Value | None:
        """An array that nobody needs any more, the last one first."""
        waiting = self.free.get(key, [])
        for number in range(len(waiting) - 1, -1, -1):
            # Where it is not kept and may lie in another order, the result has new memory.
            if waiting[number].value.is_contiguous is not False or not needs_contiguous:
                return waiting.pop(number).value
        return None

    def _move_views(self, written: Value, ending: Sequence[Variable]) -> None:
        """Copy what is still needed of an array that ends here, so that it can be written.

        That is done where less is copied than the array itself.
        """
        storage = written.storage
        if storage is None or not storage.is_owned or not written.is_writable:
            return
        values = self.planner.values
        ends = sum(values.get(variable) is written for variable in ending)
        if not ends or ends != storage.holders.get(written):
            return
        views = storage.views_besides(written)
        if not views or any(view.form is not Form.NUMPY for view in views):
            return
        if 2 * sum(size_of(view.type) for view in views) > size_of(written.type):
            return
        for view in views:
            self._move(view, storage)

    def _move(self, view: Value, storage: Storage) -> None:
        """Copy a view into memory of its own."""
        key = key_of(view.type)
        over = None if key is None else self._waiting(key)
        own = None if over is None else over.storage
        own = own or self.planner.new_storage(view.type)
        count = storage.holders.pop(view)
        storage.users -= count
        own.users += count
        own.holders[view] = count
        view.storage, view.is_writable = own, True
        view.is_contiguous = True if over is None else over.is_contiguous
        self.planner.add(Move(view, own, over))

    def _let_go(self, ending: Sequence[Variable], number: int) -> None:
        """Free the memory of variables that nobody needs after this equation."""
        planner = self.planner
        gone: list[Storage] = []
        for variable in ending:
            value = planner.values.pop(variable)
            storage = value.storage
            if storage is None:
                continue
            storage.leave(value)
            if not storage.users and not self._waits(value, storage, number):
                gone.append(storage)
        for key, free in self.expiring.pop(number, ()):
            waiting = self.free[key]
            if free in waiting:
                waiting.remove(free)
                if free.value.storage is not None:
                    gone.append(free.value.storage)
        gone = [storage for storage in gone if storage.is_owned and storage.size >= SMALL]
        if gone:
            planner.add(Release(gone))

    def _waits(self, value: Value, storage: Storage, number: int) -> bool:
        """Keep an array for a later equation that can be written over it, if one is near."""
        key = key_of(value.type)
        if (
            key is None
            or not storage.is_owned
            or not value.is_writable
            or value.form is not Form.NUMPY
            or size_of(value.type) != storage.size
        ):
            return False
        wanted = self.wanted.get(key, [])
        # The others that wait come first.
        place = bisect_right(wanted, number) + len(self.free.get(key, ()))
        if place >= len(wanted) or (wanted[place] - number > NEAR and storage.size >= SMALL):
            return False
        free = Free(value, wanted[place] + 1)
        self.free.setdefault(key, []).append(free)
        self.expiring.setdefault(free.until, []).append((key, free))
        return True


def _may_stay(value: Value, code: Code, equation: Equation) -> bool:
    """Whether a number of Python's may stand where NumPy's is meant: if it changes no dtype."""
    if value.form is not Form.PYTHON:
        return value.form is Form.NUMPY
    if value.type.weak:
        return True
    if code.takes_python:  # whole numbers are not made of Python's infinities
        return equation.outputs[0].type.is_inexact or value.type.dtype.kind == "b"
    return code.in_place and all(atom.type.dtype == value.type.dtype for atom in equation.inputs)


def _is_writable(code: Code, inputs: Sequence[Value]) -> bool:
    """Whether a new result may be written: a view, if what it is a view of may be."""
    return code.is_writable and (not code.is_view or inputs[0].is_writable)


def _contiguity(
    code: Code, inputs: Sequence[Value], type: ArrayType, storage: Storage | None
) -> bool | None:
    """Whether a new result lies in row-major order, as all inputs of its shape do."""
    if code.is_contiguous is None:
        full = [value for value in inputs if value.type.shape == type.shape]
        if full and all(value.is_contiguous for value in full):
            return True
        if code.is_view:
            return None if inputs[0].is_contiguous is None else False
    is_kept_so = code.into is not None and storage is not None and storage.is_large
    return None if is_kept_so else False


def _takes_infinity(equation: Equation) -> bool:
    """Whether infinite numbers are in the ordinary use of an operation, or of one within it."""
    programs = equation.programs
    return equation.primitive.takes_infinity or any(map(_takes_infinity_within, programs))


def _takes_infinity_within(program: Program) -> bool:
    return program.derive(
        "takes infinity",
        lambda: any(map(_takes_infinity, program.equations)) or _leaves_infinity_out(program),
    )


def _leaves_infinity_out(program: Program) -> bool:
    """Whether infinite numbers go into a bounded function, and into a product on the way back.

    Its derivative is zero there. It is multiplied with what is infinite only where a value of the
    way forward is a factor: in ``x * tanh(x)`` it is, and in layers of a network it is not.
    """
    if not any(equation.primitive.is_bounded for equation in program.equations):
        return False
    forward: set[Atom] = {*program.inputs}
    for equation in program.equations:
        primitive = equation.primitive
        if not equation.handling >= DIVISION:
            if not primitive.is_bounded:
                forward.update(equation.outputs)
        elif (
            primitive.is_bilinear
            and primitive.is_elementwise
            and not forward.isdisjoint(equation.inputs)
        ):
            return True
    return False


def _is_arithmetic(equation: Equation) -> bool:
    """Whether it adds or multiplies, so that infinite inputs may make an invalid value."""
    primitive = equation.primitive
    if equation.programs:
        return any(map(_is_arithmetic_within, equation.programs))
    if primitive.is_bilinear:
        return True
    if len(primitive.linear_inputs(len(equation.inputs))) > 1:
        return not primitive.makes_zeros  # as a choice does, which adds nothing
    (output, *_), (first, *_) = equation.outputs, equation.inputs or equation.outputs
    return primitive.is_linear and not primitive.makes_views and output.type.size < first.type.size


def _is_arithmetic_within(program: Program) -> bool:
    return program.derive("is arithmetic", lambda: any(map(_is_arithmetic, program.equations)))


def may_warn(equation: Equation) -> bool:
    """Whether NumPy may warn of divisions by zero and invalid values for finite inputs."""
    structure = structure_of(equation)
    if structure is None:
        return equation.primitive.warns
    return any(map(_may_warn_within, structure.programs))


def _may_warn_within(program: Program) -> bool:
    return program.derive("may warn", lambda: any(map(may_warn, program.equations)))


def called(names: Names, equation: Equation) -> Code:
    """The code of a primitive that says nothing itself: a call of its `run`."""
    primitive = equation.primitive
    types = [variable.type for variable in equation.outputs]
    run = primitive.compiled_run if primitive.is_own else _checked(equation, types)
    name = names.function(primitive.name, run)
    arguments = [f"{{{number}}}" for number in range(len(equation.inputs))]
    arguments += [f"{key}={names.parameter(value)}" for key, value in equation.params.items()]
    into = None
    if primitive.takes_out and primitive.is_fresh and all(map(key_of, types)):
        outs = [f"{{out[{number}]}}" for number in range(len(types))]
        out = f"({', '.join(outs)},)" if primitive.multiple_outputs else "{out}"
        into = f"{name}({', '.join([*arguments, f'out={out}'])})"
    return Code(
        f"{name}({', '.join(arguments)})",
        into,
        is_view=primitive.makes_views,
        is_writable=not primitive.makes_views,
    )


def _checked(equation: Equation, types: Sequence[ArrayType]) -> Callable[..., Any]:
    """What runs a primitive of the user's, and sees that its output has the types it inferred.

    Of several outputs some may be given no memory to write to, for which it makes an array.
    """
    primitive, source = equation.primitive, equation.source

    def failure(what: str, advice: str) -> PrimitiveError:
        return PrimitiveError(
            f"The primitive {primitive.name!r} {what}",
            source,
            f"{advice}; functrace.testing.check_primitive compares the two.",
        )

    def run(*inputs: Any, out: Any = None, **params: Any) -> Any:
        if out is not None:
            if primitive.multiple_outputs:
                out = tuple(
                    np.empty(type.shape, type.dtype) if x is None else x
                    for x, type in zip(out, types, strict=True)
                )
            params["out"] = out
        output = primitive.run(*inputs, **params)
        outputs = output if primitive.multiple_outputs else (output,)
        found = [type_of(x) for x in outputs]
        if len(found) != len(types) or not all(map(_fits, found, types)):
            raise failure(
                f"computed {', '.join(map(str, found))}, but its infer rule says "
                f"{', '.join(map(str, types))}.",
                "Let infer return the types of what run returns",
            )
        if out is not None:
            given = out if primitive.multiple_outputs else (out,)
            if any(x is not y for x, y in zip(outputs, given, strict=True)):
                raise failure(
                    "was given arrays to write to, but its run rule returned others.",
                    "Let run compute into the arrays of its keyword out and return them, or state "
                    "takes_out = False",
                )
        return output

    return run


def _fits(found: ArrayType, inferred: ArrayType) -> bool:
    """Whether an array has the type that was inferred, in which a length may be unknown."""
    return (
        found.dtype == inferred.dtype
        and len(found.shape) == len(inferred.shape)
        and all(n in (m, ANY_LENGTH) for m, n in zip(found.shape, inferred.shape, strict=True))
    )
