"""linearize and linear_transpose: linear functions, recorded once to be applied often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

import numpy as np

from functrace import tree
from functrace.errors import CotangentError, NonFloatLeafError, NonlinearRuleError
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.linear import zeros_of_type
from functrace.tracebacks import boundary
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.program_recording import ProgramRecording
from functrace.transforms.arguments import checked_cotangents, checked_tangents
from functrace.transforms.calling import apart, owned
from functrace.transforms.evaluate import run_program, without_effects
from functrace.transforms.forward import jvp
from functrace.transforms.linear_functions import Domain, LinearFunction
from functrace.transforms.transformed import require_callable
from functrace.transforms.transpose import transpose_program

R = TypeVar("R")
Aux = TypeVar("Aux")


@overload
def linearize(
    fun: Callable[..., R], *primals: Any, has_aux: Literal[False] = False
) -> tuple[R, Callable[..., Any]]: ...
@overload
def linearize(
    fun: Callable[..., tuple[R, Aux]], *primals: Any, has_aux: Literal[True]
) -> tuple[R, Callable[..., Any], Aux]: ...
@overload
def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool) -> Any: ...
@boundary
def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function, and record its derivative there as a linear function.

    Args:
        fun: The function; its arguments and its output are trees of floating-point arrays.
        primals: Its arguments.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data.

    Returns:
        ``(output, pushforward)``, or ``(output, pushforward, auxiliary data)``. The pushforward
        takes one tangent for each primal and returns the output's tangent, without evaluating
        ``fun`` again; only loops and branches compute their values along with the tangents, and
        `checkpoint` what its policy does not keep. It is a tree, whose leaves are the arrays that
        it needs: it can be returned from a jitted function, and passed to one.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> y, pushforward = ft.linearize(np.sin, 0.0)
        >>> pushforward(2.0)
        np.float64(2.0)
    """
    require_callable(fun, "linearize", "fun")
    leaves, structure = tree.flatten(primals)
    types = [type_of(x) for x in leaves]
    with ProgramRecording(holds_effects=False) as recording:
        tangents = [recording.input(type.tangent) if type.is_inexact else None for type in types]
        output, pushed, *aux = jvp(fun, primals, structure.unflatten(tangents), has_aux=has_aux)
        out_structure = tree.structure(output)
        parts = out_structure.flatten_up_to(pushed)
        program = recording.program([part for part in parts if part is not None])
    program = without_effects(program)  # these belong to the values
    has_tangent = [part is not None for part in parts]

    @boundary
    def pushforward(*tangents: Any) -> Any:
        given = checked_tangents(tuple(tangents), structure, types, fun)
        full = [
            zeros_of_type(type.tangent) if x is None else x
            for x, type in zip(given, types, strict=True)
            if type.is_inexact
        ]
        pushed = iter(apart(run_program(program, full), full))
        return out_structure.unflatten([next(pushed) if on else None for on in has_tangent])

    output, *aux = tree.map(owned, (output, *aux))
    domain = Domain(structure, tuple(types), checked_tangents, is_tuple=True)
    name = f"pushforward of {getattr(fun, '__name__', 'a function')}"
    return (output, LinearFunction(name, pushforward, domain, leaves), *aux)


@boundary
def linear_transpose(fun: Callable[..., Any], *primals: Any) -> Callable[[Any], Any]:
    """Make the transpose of a linear function.

    Args:
        fun: A function that is linear in its arguments together; trees of arrays. It goes from
            floating-point numbers to such, or from integers to integers: rounding is not linear.
        primals: Arguments of which only structure, shapes and dtypes count: arrays, numbers, or
            anything else that has a ``shape`` and a ``dtype``, as `ShapeDtypeStruct`.

    Returns:
        A function of a tree like the output of ``fun``. It returns a tuple with one tree for each
        argument. It is a tree, whose leaves are the arrays that it needs.

    Raises:
        NonlinearRuleError: ``fun`` is not linear.
        NonFloatLeafError: Some of the arguments and outputs hold integers, and others do not; or
            some hold booleans.
        CotangentError: By the transposed function, where a cotangent does not fit the output.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.linear_transpose(lambda x: x[::-1] * 2.0, np.zeros(2))(np.array([1.0, 5.0]))
        (array([10.,  2.]),)
    """
    require_callable(fun, "linear_transpose", "fun")
    leaves, structure = tree.flatten(primals)
    types = [
        ArrayType(tuple(x.shape), np.dtype(x.dtype))
        if hasattr(x, "shape") and hasattr(x, "dtype")
        else type_of(as_operand(x)).strong
        for x in leaves
    ]
    with ProgramRecording(holds_effects=False) as recording:
        inputs = [recording.input(type) for type in types]
        outputs, out_structure = tree.flatten(fun(*structure.unflatten(inputs)))
        program = recording.program([as_operand(x) for x in outputs])
    out_types = [atom.type for atom in program.outputs]
    _require_one_kind(types, out_types)

    @boundary
    def transposed(cotangent: Any) -> Any:
        checked = checked_cotangents(cotangent, out_structure, out_types)
        for x, type in zip(checked, out_types, strict=True):
            if x is not None and not type.is_inexact and type_of(x).dtype.kind not in "iu":
                raise CotangentError(
                    f"A cotangent of type {type_of(x)} was given for an output of type {type}.",
                    source_of(user_place(2)),
                )
        given = [  # rules expect NumPy's numbers; integers too have a transpose
            type.dtype.type(x) if isinstance(x, bool | int) else x
            for x, type in zip(checked, out_types, strict=True)
        ]
        try:
            parts = transpose_program(program, given)
        except NonlinearRuleError as error:
            raise NonlinearRuleError(
                error.what,
                error.where,
                "Only linear functions have a transpose. For the derivative of another one write "
                "functrace.vjp(f, x), whose pullback is the transpose of its linearization.",
            ) from None
        full = [
            zeros_of_type(type.tangent) if part is None else part
            for part, type in zip(parts, types, strict=True)
        ]
        return structure.unflatten(apart(full, given))

    domain = Domain(out_structure, tuple(out_types), checked_cotangents, is_tuple=False)
    name = f"transpose of {getattr(fun, '__name__', 'a function')}"
    return LinearFunction(name, transposed, domain)


def _require_one_kind(inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> None:
    """Check that a linear function maps real or complex numbers to such, or integers to integers.

    Raises:
        NonFloatLeafError: It does not.
    """
    types = [*inputs, *outputs]
    if all(type.is_inexact for type in types) or all(type.dtype.kind in "iu" for type in types):
        return
    raise NonFloatLeafError(
        f"linear_transpose was given a function from {', '.join(map(str, inputs))} to "
        f"{', '.join(map(str, outputs))}.",
        source_of(user_place(3)),
        "It takes functions from floating-point numbers to such, or from integers to integers: "
        "convert the arguments, x.astype(float), and close over those in which the function is "
        "not linear.",
    )
