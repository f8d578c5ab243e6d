"""linearize and linear_transpose: linear functions, recorded once to be applied often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace import tree
from functrace.ir.types import ArrayType, type_of
from functrace.tracing import ProgramRecording, as_operand
from functrace.transforms.arguments import checked_cotangents, checked_tangents
from functrace.transforms.evaluate import run_program
from functrace.transforms.reverse import vjp
from functrace.transforms.transpose import transpose_program


def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function, and record its derivative there as a linear function.

    Args:
        f: The function; its arguments and its output are trees of floating-point arrays.
        primals: Its arguments.
        has_aux: Whether ``f`` returns a pair of the output and auxiliary data.

    Returns:
        ``(output, pushforward)``, or ``(output, pushforward, auxiliary data)``. The pushforward
        takes one tangent for each primal and returns the output's tangent, without evaluating
        ``f`` again.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> y, pushforward = ft.linearize(np.sin, 0.0)
        >>> pushforward(2.0)
        np.float64(2.0)
    """
    leaves, structure = tree.flatten(primals)
    types = [type_of(x) for x in leaves]
    # The pullback is linear, and its transpose is the pushforward. Forward mode alone would not
    # do: an operation that holds a Program computes output and tangent together.
    output, pullback, *aux = vjp(f, *primals, has_aux=has_aux)
    out_leaves, out_structure = tree.flatten(output)
    out_types = [type_of(x).strong for x in out_leaves]
    with ProgramRecording() as recording:
        cotangents = [recording.input(t) if t.is_inexact else None for t in out_types]
        parts = structure.flatten_up_to(pullback(out_structure.unflatten(cotangents)))
        backward = recording.program([part for part in parts if part is not None])
    is_active = [part is not None for part in parts]
    with ProgramRecording() as recording:
        inputs = [
            recording.input(type.strong) for type, on in zip(types, is_active, strict=True) if on
        ]
        found = transpose_program(backward, inputs)
        program = recording.program(
            [
                _zeros(type) if part is None else part
                for part, type in zip(found, filter(_is_inexact, out_types), strict=True)
            ]
        )

    def pushforward(*tangents: Any) -> Any:
        given = checked_tangents(tuple(tangents), leaves, structure)
        full = [
            _zeros(type) if x is None else x
            for x, type, on in zip(given, types, is_active, strict=True)
            if on
        ]
        pushed = iter(run_program(program, full))
        return out_structure.unflatten([next(pushed) if t.is_inexact else None for t in out_types])

    return (output, pushforward, *aux)


def _is_inexact(type: ArrayType) -> bool:
    return type.is_inexact


def _zeros(type: ArrayType) -> Any:
    return np.zeros(type.shape, type.dtype)[()]


def linear_transpose(f: Callable[..., Any], *primals: Any) -> Callable[[Any], Any]:
    """Make the transpose of a linear function.

    Args:
        f: A function that is linear in its arguments together; trees of arrays.
        primals: Arguments of which only structure, shapes and dtypes count.

    Returns:
        A function of a tree like the output of ``f``. It returns a tuple with one tree for each
        argument.

    Raises:
        NonlinearRuleError: ``f`` is not linear.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.linear_transpose(lambda x: x[::-1] * 2.0, np.zeros(2))(np.array([1.0, 5.0]))
        (array([10.,  2.]),)
    """
    leaves, structure = tree.flatten(primals)
    types = [type_of(as_operand(x)).strong for x in leaves]
    with ProgramRecording() as recording:
        inputs = [recording.input(type) for type in types]
        outputs, out_structure = tree.flatten(f(*structure.unflatten(inputs)))
        program = recording.program([as_operand(x) for x in outputs])
    out_types = [atom.type for atom in program.outputs]

    def transposed(cotangent: Any) -> Any:
        given = checked_cotangents(cotangent, out_structure, out_types)
        parts = transpose_program(program, given)
        return structure.unflatten(
            [
                _zeros(type) if part is None else part
                for part, type in zip(parts, types, strict=True)
            ]
        )

    return transposed
