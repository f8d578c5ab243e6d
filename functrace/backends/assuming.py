"""Programs that assume that all is finite, and say where it is not.

Products that keep zeros (`functrace.transforms.zeros`) look at their result, and stand in the way
of simplification. They differ from plain ones only where a zero meets something infinite or nan:
there the plain product is nan. So plain ones are written in their place, and only what comes out
at the end is looked at. Where that is not finite, the call is made again, with the products that
keep zeros. Before that, something in between is tried, for missing data: along a chain of products
each zero of the first cotangent is to stay, so these are written once more where the chain ends.

That is sound since everything between a plain product and the look at it maps each nan to nan, or
to what it would be for any number: each element that is finite at the end is the right one. What
does not (a comparison, say) is only given what was looked at before. A loop does so if its body
does, which is then written in the same way, and nothing is looked at in its trips.
"""

from __future__ import annotations

from cmath import isfinite
from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np

from functrace.backends.numpy_passes import simplify
from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import PRIMITIVES, Primitive, Types
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.structure import Loop, structure_of
from functrace.ir.types import ArrayType
from functrace.primitives import elementwise
from functrace.primitives.zero_products import SERIAL, all_finite
from functrace.simplify.rewriting import Scope, inferred_type, is_known
from functrace.tracing.numpy_warnings import begin_calling

LOOK = 6000
"""To look at an array takes as long as to look at so many elements, and at those that it has."""


class NotAsAssumed(Exception):  # noqa: N818  (it is none: the call is made again)
    """Something is not finite where it was assumed to be, or NumPy has something to say of it."""


def begin_assuming() -> Any:
    """Stop where NumPy would warn, until `end_of_rule`: the careful run will warn."""
    return begin_calling(_stop)


def _stop(error: str, flag: int) -> NoReturn:
    raise NotAsAssumed(error)


class RequireFinite(Primitive):
    """The input itself, of which all elements are finite. No recorded Program names it."""

    makes_views = True
    warns = False

    def __init__(self) -> None:
        self.name = "require_finite"

    def run(self, x: Any) -> Any:
        """Look at all elements."""
        return looked_at(x)

    def infer(self, x: ArrayType) -> ArrayType:
        """The same type."""
        return x

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """A call, unless a number of Python's is finite."""
        type = outputs[0]
        is_row = type.ndim == 1 and 0 < type.size <= SERIAL and type.dtype.char in "fdFD"
        look = row_looked_at if is_row else looked_at
        call = f"{names.function(self.name, look)}({{0}})"
        is_double = type == ArrayType((), np.dtype(np.float64))
        python = f"({{0}} if math.isfinite({{0}}) else {call})" if is_double else None
        return Code(call, python=python, is_view=True, is_contiguous=None)


require_finite = RequireFinite()
_equal = PRIMITIVES["equal"]


def looked_at(x: Any) -> Any:
    """The same array or number, if it is finite.

    Raises:
        NotAsAssumed: An element is not.
    """
    is_half = isinstance(x, np.ndarray) and x.dtype == np.float16  # whose squares overflow soon
    if not (np.isfinite(x).all() if is_half else all_finite(x)):
        raise NotAsAssumed
    return x


def row_looked_at(x: Any) -> Any:
    """The same for an array with one axis, of no more elements than `SERIAL`."""
    if not isfinite(np.vdot(x, x)):
        raise NotAsAssumed
    return x


def assuming_finite(program: Program) -> Program | None:
    """The Program with plain products, and with looks at what comes of them.

    Args:
        program: The Program.

    Returns:
        A Program with the same inputs and outputs, whose run may raise `NotAsAssumed`; None where
        that is no faster, or where it must not be run twice.
    """
    program = simplify.first(program)  # what it makes plain, or leaves out, is not looked at
    if (
        not any(e.primitive.plain for part in (program, *program.nested()) for e in part.equations)
        or program.has_effect
        or _is_noticed(program)
    ):
        return None
    writing = _Assuming(program)
    return writing.result if writing.saved > writing.spent else None


def keeping_by_masks(program: Program) -> Program | None:
    """The same, but that zeros are kept which run through a chain of products.

    Args:
        program: A Program that `assuming_finite` takes.

    Returns:
        A Program as that of `assuming_finite`; None where there is no such chain.
    """
    writing = _KeepingByMasks(simplify.first(program))
    return writing.result if writing.chained else None


def _is_noticed(program: Program) -> bool:
    """Whether it would be noticed that it is run: it calls the user's code, or bids NumPy speak."""
    return any(
        equation.primitive.calls_python
        or not equation.primitive.is_own
        or not all(how.endswith("=ignore") for how in equation.handling)
        for part in (program, *program.nested())
        for equation in part.equations
    )


class _Assuming:
    """Writes the Program that assumes.

    Attributes:
        result: The Program.
        saved: What looking at the products would have taken, counted in elements.
        spent: What it takes to look at the rest.
    """

    def __init__(self, program: Program, doubtful: Iterable[Atom] = ()) -> None:
        self.saved = 0
        self.spent = LOOK  # to begin with, for NumPy's setting
        self.scope = Scope(program)
        self.doubtful = {*doubtful}
        for equation in program.equations:
            self._write(equation, [self.scope.read(atom) for atom in equation.inputs])
        outputs = [self._as_output(self.scope.read(atom)) for atom in program.outputs]
        self.result = Program(program.inputs, self.scope.equations, outputs)

    def _as_output(self, atom: Atom) -> Atom:
        if atom in self.doubtful:
            return self._looked_at(atom, self.scope.definitions[atom])
        return atom

    def _write(self, equation: Equation, inputs: list[Atom]) -> None:
        primitive = equation.primitive
        structure = structure_of(equation.replaced(inputs=inputs)) if equation.programs else None
        if isinstance(structure, Loop) and self._write_loop(equation, structure):
            return
        plain, output = primitive.plain, equation.outputs[0].type
        if plain is not None and inferred_type(plain, inputs, equation.params) == output:
            primitive = plain
            self.saved += _time_of(output)
            is_repeated = _time_of(inputs[1].type) < abs(output.size)
            if is_repeated and plain is elementwise.multiply and inputs[0] not in self.doubtful:
                # Where the factor is finite, no zero is lost.
                inputs[1] = self._looked_at(inputs[1], equation)
                is_doubtful = not _is_finite(inputs[1], self.scope)
            else:
                is_doubtful = True
        else:
            keeps = primitive.keeps_nan
            for number, atom in enumerate(inputs):
                is_kept = keeps if isinstance(keeps, bool) else keeps[number]
                if atom in self.doubtful and not is_kept:
                    inputs[number] = self._looked_at(atom, equation)
            is_doubtful = False
        self.scope.append(equation.replaced(primitive=primitive, inputs=inputs))
        if is_doubtful or not self.doubtful.isdisjoint(inputs):
            self.doubtful.update(equation.outputs)

    def _write_loop(self, equation: Equation, loop: Loop[Atom]) -> bool:
        """Write a loop whose body assumes too; False where there is something to look at in it."""
        if loop.condition is not None:
            return False
        count = len(loop.carries)
        inputs, carries = loop.body.inputs, loop.inside.carries
        doubtful = {v for v, atom in zip(inputs, loop.inputs, strict=True) if atom in self.doubtful}
        while True:
            try:
                inside = _AssumingInBody(loop.body, doubtful)
            except _MustBeLookedAtError:
                return False
            outputs = inside.result.outputs
            handed_on = {v for v, x in zip(carries, outputs, strict=False) if x in inside.doubtful}
            if handed_on <= doubtful:
                break
            doubtful |= handed_on
        better = loop._replace(body=inside.result)
        application = equation.primitive.from_structure(better, equation.params)
        if not inside.saved or application is None:
            return False
        self.saved += inside.saved * (loop.length or 1)
        self.scope.append(equation.replaced(inputs=application[0], params=application[1]))
        self.doubtful.update(
            v
            for number, (v, x) in enumerate(zip(equation.outputs, outputs, strict=True))
            # A carry of a loop without trips is what it was given.
            if x in inside.doubtful or (number < count and carries[number] in doubtful)
        )
        return True

    def _looked_at(self, atom: Atom, like: Equation) -> Atom:
        """The atom, which is finite if the run comes so far."""
        if not isinstance(atom, Variable) or _is_finite(atom, self.scope):
            return atom
        self.spent += _time_of(atom.type)
        found = self.scope.emit(like, require_finite, atom)
        self.scope.replace(atom, found)
        return found


class _MustBeLookedAtError(Exception):
    """A body of a loop does not map nan to nan."""


class _AssumingInBody(_Assuming):
    """Writes the body of a loop, of which only the outputs are looked at when it has run."""

    def _as_output(self, atom: Atom) -> Atom:
        return atom

    def _looked_at(self, atom: Atom, like: Equation) -> Atom:
        if atom in self.doubtful:
            raise _MustBeLookedAtError
        return atom


class _KeepingByMasks(_Assuming):
    """Writes the Program in which zeros are written once more at the end of a chain of products.

    Attributes:
        chained: How many products have taken a cotangent from another one.
    """

    def __init__(self, program: Program) -> None:
        self.chained = 0
        self.masks: dict[Atom, Atom] = {}  # by what is not written yet: where zeros are to stay
        self.zeros_of: dict[Atom, Variable] = {}
        super().__init__(program)

    def _write(self, equation: Equation, inputs: list[Atom]) -> None:
        output = equation.outputs[0]
        mask = self._mask_of(equation, inputs)
        if mask is None:
            super()._write(equation, [self._kept(atom, equation) for atom in inputs])
            return
        primitive = equation.primitive.plain or equation.primitive
        self.scope.append(equation.replaced(primitive=primitive, inputs=inputs))
        self.masks[output] = mask

    def _mask_of(self, equation: Equation, inputs: list[Atom]) -> Atom | None:
        """Where the output keeps zeros that can be written later; None where they must be now."""
        primitive, output = equation.primitive, equation.outputs[0].type
        masks = [self.masks.get(atom) for atom in inputs]
        first = inputs[0] if inputs else None
        if not primitive.is_elementwise or first is None:
            return None
        plain = primitive.plain
        if plain is not None and first.type.shape == output.shape != ():
            if masks[1] is not None or inferred_type(plain, inputs, equation.params) != output:
                return None
            self.chained += masks[0] is not None
            return masks[0] or self._zeros(first, equation)
        (mask, *others) = dict.fromkeys(masks)
        if primitive.is_linear and mask is not None and not others:
            return mask
        if primitive.is_bilinear and None in masks:
            other = inputs[masks.index(None)]
            mask = next((each for each in masks if each is not None), None)
            if mask is not None and mask.type.shape == output.shape:
                return mask if _is_finite(other, self.scope) and _is_constant(other) else None
        return None

    def _zeros(self, cotangent: Atom, like: Equation) -> Variable:
        found = self.zeros_of.get(cotangent)
        if found is None:
            zero = Constant(cotangent.type.dtype.type(0))
            found = self.scope.emit(like, _equal, cotangent, zero)
            self.zeros_of[cotangent] = found
        return found

    def _kept(self, atom: Atom, like: Equation) -> Atom:
        """The atom, with its zeros."""
        mask = self.masks.pop(atom, None)
        if mask is None:
            return self.scope.read(atom)
        zero = Constant(atom.type.dtype.type(0))
        kept = self.scope.emit(like, elementwise.select, mask, zero, atom)
        self.doubtful.add(kept)
        assert isinstance(atom, Variable)
        self.scope.replace(atom, kept)
        return kept

    def _as_output(self, atom: Atom) -> Atom:
        if atom in self.masks:
            atom = self._kept(atom, self.scope.definitions[atom])
        return super()._as_output(atom)


def _is_constant(atom: Atom) -> bool:
    return isinstance(atom, Constant)


def _is_finite(atom: Atom, scope: Scope) -> bool:
    if isinstance(atom, Constant):
        return is_known(atom) and bool(np.all(np.isfinite(atom.value)))
    return not atom.type.is_inexact or scope.made_by(atom, require_finite) is not None


def _time_of(type: ArrayType) -> int:
    """How long it takes to look at an array; a number is looked at in no time."""
    return LOOK + abs(type.size) if type.shape else 0
