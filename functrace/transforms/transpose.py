"""The transpose of a linear function, and with it the derivative rule that a primitive lacks.

A pullback is linear in the cotangent, and its transpose is the pushforward of tangents; a
pushforward is linear in the tangents, and its transpose is the pullback. So of a primitive's two
rules `jvp` and `vjp` one is enough: the other one is recorded as a Program and transposed.

To transpose a linear Program, walk it in reverse as reverse mode does. The derivative of a linear
operation does not depend on the value at which it is taken, so the values that depend on the
input need not be known. `LinearValue` stands for them: it has a type, and a rule that asks it for
more shows that the function was not linear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from functrace.errors import FunctraceError, MissingRuleError, NonlinearRuleError, RuleOutputError
from functrace.ir.primitive import Primitive
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType, Shape, type_of
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.tracer import bind
from functrace.transforms.zeros import ZeroKeeping


class LinearValue:
    """A value of which a linear function may use the type only.

    Attributes:
        type: Its shape and dtype.
    """

    __slots__ = ("type",)

    def __init__(self, type: ArrayType) -> None:
        self.type = type

    @property
    def shape(self) -> Shape:
        """The lengths of the axes."""
        return self.type.shape

    @property
    def dtype(self) -> Any:
        """The dtype."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.type.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.type.size

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NonlinearRuleError("A function that must be linear depends on its input's value.")

    __array__ = __array_ufunc__ = __array_function__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _refuse
    __neg__ = __abs__ = __bool__ = __float__ = __complex__ = __int__ = __index__ = _refuse
    __getitem__ = __iter__ = __len__ = _refuse


def transpose_program(
    program: Program, cotangents: Sequence[Any], known: Mapping[Variable, Any] | None = None
) -> list[Any]:
    """Apply the transpose of a linear Program.

    Args:
        program: A Program that is linear in its inputs together, but for those that are known.
        cotangents: One for each output, None for zero.
        known: The values of the inputs in which it is not linear.

    Returns:
        One cotangent for each linear input, None for zero.

    Raises:
        NonlinearRuleError: The Program is not linear.
    """
    values: dict[Variable, Any] = dict(known or {})
    inputs = [variable for variable in program.inputs if variable not in values]
    linear: set[Variable] = set(inputs)
    values.update((v, LinearValue(v.type)) for v in inputs)

    def read(atom: Atom) -> Any:
        return atom.value if isinstance(atom, Constant) else values[atom]

    # What does not depend on the inputs is computed; what does is kept for the way back.
    kept: list[Equation] = []
    for equation in program.equations:
        primitive = equation.primitive
        if any(atom in linear for atom in equation.inputs):
            if primitive.has_effect and not equation.outputs:
                continue  # it would print a value that the transpose never computes
            if primitive.locally_constant:
                raise NonlinearRuleError(
                    f"A function that must be linear applies {primitive.name} to its input.",
                    equation.source,
                )
            kept.append(equation)
            linear.update(equation.outputs)
            values.update((v, LinearValue(v.type)) for v in equation.outputs)
        else:
            output = bind(primitive, *map(read, equation.inputs), **equation.params)
            outputs = output if primitive.multiple_outputs else (output,)
            values.update(zip(equation.outputs, outputs, strict=True))

    found: dict[Variable, Any] = {}

    def add(atom: Atom, cotangent: Any) -> None:
        if cotangent is not None and isinstance(atom, Variable) and atom in linear:
            found[atom] = found[atom] + cotangent if atom in found else cotangent

    for atom, cotangent in zip(program.outputs, cotangents, strict=True):
        add(atom, cotangent)
    # As on the way back of reverse mode, where a choice makes zeros these are to stay.
    with ZeroKeeping() as keeping:
        for equation in reversed(kept):
            primitive = equation.primitive
            parts = [found.pop(variable, None) for variable in equation.outputs]
            if all(part is None for part in parts):
                continue
            needed = [True if atom in linear else None for atom in equation.inputs]
            outputs = tuple(map(read, equation.outputs))
            is_tuple = primitive.multiple_outputs
            try:
                cotangents = vjp_of(
                    primitive,
                    tuple(parts) if is_tuple else parts[0],
                    [read(atom) for atom in equation.inputs],
                    outputs if is_tuple else outputs[0],
                    needed,
                    equation.params,
                )
            except NonlinearRuleError as error:
                if error.where is None:
                    raise NonlinearRuleError(
                        f"A function that must be linear applies {primitive.name} to its input "
                        "in a way that is not linear.",
                        equation.source,
                    ) from None
                raise
            if primitive.makes_zeros:
                cotangents = [*map(keeping.mark, cotangents)]
            for atom, cotangent in zip(equation.inputs, cotangents, strict=True):
                add(atom, cotangent)
        return [keeping.value_of(found.get(variable)) for variable in inputs]


def record_linear(f: Callable[..., Sequence[Any]], types: Sequence[ArrayType]) -> Program:
    """Record a rule, as a function of the tangents or cotangents that it is linear in."""
    with ProgramRecording(holds_effects=False) as recording:
        inputs = [recording.input(ArrayType(type.shape, type.dtype)) for type in types]
        return recording.program(f(*inputs))


def vjp_of(
    primitive: Primitive,
    cotangent: Any,
    inputs: Sequence[Any],
    output: Any,
    needed: Sequence[Any],
    params: dict[str, Any],
) -> Sequence[Any]:
    """Pull a cotangent back by the primitive's vjp rule, or by the transpose of its jvp rule.

    Raises:
        MissingRuleError: The primitive has neither.
        NonlinearRuleError: The jvp rule is not linear in the tangents, or cannot be traced.
    """
    try:
        return primitive.vjp(cotangent, inputs, output, needed, **params)
    except MissingRuleError as error:
        if not error.is_of(primitive.name, "vjp"):
            raise
    return vjp_from_jvp(primitive, cotangent, inputs, output, needed, params)


def jvp_of(
    primitive: Primitive,
    inputs: Sequence[Any],
    tangents: Sequence[Any],
    output: Any,
    params: dict[str, Any],
) -> Any:
    """Push tangents forward by the primitive's jvp rule, or by the transpose of its vjp rule.

    Raises:
        MissingRuleError: The primitive has neither.
        NonlinearRuleError: The vjp rule is not linear in the cotangent, or cannot be traced.
    """
    try:
        return primitive.jvp(inputs, tangents, output, **params)
    except MissingRuleError as error:
        if not error.is_of(primitive.name, "jvp"):
            raise
    return jvp_from_vjp(primitive, inputs, tangents, output, params)


def vjp_from_jvp(
    primitive: Primitive,
    cotangent: Any,
    inputs: Sequence[Any],
    output: Any,
    needed: Sequence[Any],
    params: dict[str, Any],
) -> Sequence[Any]:
    """Pull a cotangent back by the transpose of the primitive's jvp rule. As `vjp_of` else."""
    positions = [
        index
        for index, (need, x) in enumerate(zip(needed, inputs, strict=True))
        if need is not None and type_of(x).is_inexact
    ]

    def pushforward(*tangents: Any) -> Sequence[Any]:
        full: list[Any] = [None] * len(inputs)
        for index, tangent in zip(positions, tangents, strict=True):
            full[index] = tangent
        pushed = primitive.jvp(inputs, full, output, **params)
        return _present(pushed if primitive.multiple_outputs else (pushed,), cotangents)

    cotangents = list(cotangent) if primitive.multiple_outputs else [cotangent]
    program = _recorded_rule(
        primitive, "jvp", pushforward, [type_of(inputs[index]) for index in positions]
    )
    found = transpose_program(program, [part for part in cotangents if part is not None])
    result: list[Any] = [None] * len(inputs)
    for index, part in zip(positions, found, strict=True):
        result[index] = part
    return result


def jvp_from_vjp(
    primitive: Primitive,
    inputs: Sequence[Any],
    tangents: Sequence[Any],
    output: Any,
    params: dict[str, Any],
) -> Any:
    """Push tangents forward by the transpose of the primitive's vjp rule. As `jvp_of` else."""
    is_tuple = primitive.multiple_outputs
    outputs: Sequence[Any] = output if is_tuple else (output,)
    types = [type_of(x) for x in outputs]
    active = [index for index, type in enumerate(types) if type.is_inexact]
    needed = [None if tangent is None else True for tangent in tangents]

    def pullback(*cotangents: Any) -> Sequence[Any]:
        full: list[Any] = [None] * len(outputs)
        for index, cotangent in zip(active, cotangents, strict=True):
            full[index] = cotangent
        parts = primitive.vjp(
            tuple(full) if is_tuple else full[0], inputs, output, needed, **params
        )
        return _present(parts, tangents)

    program = _recorded_rule(primitive, "vjp", pullback, [types[index] for index in active])
    given = [tangent for tangent in tangents if tangent is not None]
    found = transpose_program(program, given)
    result: list[Any] = [None] * len(outputs)
    for index, part in zip(active, found, strict=True):
        result[index] = part
    return tuple(result) if is_tuple else result[0]


def _present(parts: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
    """The parts at the places where something is wanted; 0 stands for a part that is None."""
    return [
        0.0 if part is None else part
        for part, want in zip(parts, wanted, strict=True)
        if want is not None
    ]


def _recorded_rule(
    primitive: Primitive,
    rule: str,
    function: Callable[..., Sequence[Any]],
    types: Sequence[ArrayType],
) -> Program:
    """Record the rule that is there, to be transposed into the one that is missing."""
    missing = "vjp" if rule == "jvp" else "jvp"
    try:
        return record_linear(function, types)
    except MissingRuleError as error:
        if error.is_of(primitive.name, rule):
            raise MissingRuleError.of(primitive.name, missing) from None
        raise
    except RuleOutputError:
        raise
    except FunctraceError as error:
        raise NonlinearRuleError(
            f"The primitive {primitive.name!r} has no {missing} rule, and its {rule} rule cannot "
            f"be transposed, because it cannot be traced: {error.what}",
            error.where,
        ) from error
