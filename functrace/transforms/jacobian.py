"""Jacobians: all derivatives of an array by an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import numpy as np

from functrace import tree
from functrace.ir.types import ArrayType, type_of
from functrace.transforms.arguments import (
    Argnums,
    SelectedArguments,
    require_differentiable_output,
    require_inexact,
)
from functrace.transforms.reverse import vjp

P = ParamSpec("P")


def jacrev(
    f: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[P, Any]:
    """Make a function that computes the Jacobian, row by row in reverse mode.

    Args:
        f: A function of trees of arrays whose output is a tree of real arrays (complex under
            ``holomorphic``).
        argnums: The position, or positions, of the arguments to differentiate.
        has_aux: Whether ``f`` returns a pair of the output and auxiliary data.
        holomorphic: Whether ``f`` is complex differentiable.
        allow_int: Whether the differentiated arguments may hold integers, whose derivative is
            None.

    Returns:
        A function with the arguments of ``f``. Its result has the structure of the output, each
        leaf replaced by a tree of the argument's structure, with leaves of the shape of the
        output followed by the shape of the argument. Under ``has_aux`` it is the pair of this and
        the auxiliary data.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.jacrev(lambda x: x**2)(np.array([1.0, 3.0]))
        array([[2., 0.],
               [0., 6.]])
    """
    argnums = argnums if isinstance(argnums, int) else tuple(argnums)

    @wraps(f)
    def jacobian(*args: P.args, **kwargs: P.kwargs) -> Any:
        arguments = SelectedArguments(f, argnums, args, kwargs)
        leaves, structure = tree.flatten(arguments.selected)

        def name_of(index: int) -> str:
            return arguments.leaf_name(structure.paths()[index])

        is_active = require_inexact(leaves, name_of, holomorphic=holomorphic, allow_int=allow_int)
        output, pullback, *aux = vjp(arguments.call, arguments.selected, has_aux=has_aux)
        out_leaves, out_structure = tree.flatten(output)
        for leaf in out_leaves:
            require_differentiable_output(type_of(leaf), f, holomorphic)
        blocks: list[Any] = []
        for position, leaf in enumerate(out_leaves):
            type = type_of(leaf)
            rows: list[list[Any]] = []
            for element in range(type.size):
                basis = [np.zeros(type_of(x).shape, type_of(x).dtype) for x in out_leaves]
                basis[position].reshape(-1)[element] = 1
                (cotangent,) = pullback(out_structure.unflatten(basis))
                rows.append(structure.flatten_up_to(cotangent))
            columns = zip(*rows, strict=True) if rows else [() for _ in leaves]
            blocks.append(
                structure.unflatten(
                    [
                        _stacked(column, type, type_of(x)) if on else None
                        for column, x, on in zip(columns, leaves, is_active, strict=True)
                    ]
                )
            )
        result = out_structure.unflatten(blocks)
        return (result, aux[0]) if has_aux else result

    return jacobian


def _stacked(rows: Sequence[Any], output: ArrayType, input: ArrayType) -> Any:
    """The rows of one block of a Jacobian as one array."""
    shape = output.shape + input.shape
    if not rows:
        return np.zeros(shape, input.dtype)
    return np.reshape(np.stack(list(rows)), shape)
