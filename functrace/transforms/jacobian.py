"""Jacobians and Hessians: all derivatives of an array by an array, at once.

The pullback (or the pushforward) is mapped over the unit vectors, so each operation is done once
for all rows (or columns) together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import numpy as np

from functrace import tree
from functrace.ir.types import ArrayType, type_of
from functrace.tracebacks import boundary
from functrace.tracing.draws import draws_of_one_call
from functrace.tracing.tracer import as_scalar_result
from functrace.transforms.arguments import (
    Argnums,
    checked_argnums,
    differentiated_arguments,
    require_differentiable_output,
)
from functrace.transforms.batch import vmap
from functrace.transforms.forward import jvp
from functrace.transforms.reverse import grad, vjp
from functrace.transforms.transformed import require_callable, transformed
from functrace.transforms.zeros import are_finite, is_unknown, keeping_zeros_of

P = ParamSpec("P")


@boundary
def jacrev(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnum: Argnums | None = None,
) -> Callable[P, Any]:
    """Make a function that computes the Jacobian in reverse mode, all rows at once.

    It suits functions with more inputs than outputs.

    Args:
        fun: A function of trees of arrays whose output is a tree of real arrays (complex under
            ``holomorphic``).
        argnums: The position, or positions, of the arguments to differentiate.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data.
        holomorphic: Whether ``fun`` is complex differentiable.
        allow_int: Whether the differentiated arguments may hold integers, whose derivative is
            None.
        argnum: Another name of ``argnums``, that of autograd.

    Returns:
        A function with the arguments of ``fun``. Its result has the structure of the output, each
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
    require_callable(fun, "jacrev")
    argnums = argnums if argnum is None else argnum
    argnums = checked_argnums(argnums)

    @transformed(
        fun,
        jacrev,
        argnums=argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
        allow_int=allow_int,
    )
    @boundary
    def jacobian(*args: P.args, **kwargs: P.kwargs) -> Any:
        arguments, leaves, structure, is_active = differentiated_arguments(
            fun, argnums, args, kwargs, holomorphic, allow_int
        )
        output, pullback, *aux = vjp(arguments.call, arguments.selected, has_aux=has_aux)
        out_leaves, out_structure = tree.flatten(output)
        types = [type_of(leaf) for leaf in out_leaves]
        _require_differentiable_outputs(types, leaves, fun, holomorphic)
        size = sum(type.size for type in types)

        def row(cotangents: Sequence[Any]) -> list[Any]:
            (parts,) = pullback(out_structure.unflatten(list(cotangents)))
            return structure.flatten_up_to(parts)

        def rows_of(basis: Sequence[Any]) -> list[list[Any]]:
            if size == 1:  # a gradient, which needs no mapping
                parts = row([np.reshape(x, x.shape[1:])[()] for x in basis])
                pulled = [None if x is None else np.expand_dims(x, 0) for x in parts]
            else:
                pulled = _mapped(row, basis, size, leaves)
            return _split(pulled, types)

        basis = unit_vectors(types)
        parts = rows_of(basis)
        if not holomorphic and any(map(_is_complex, types)):  # of real arguments
            # By -1j the imaginary part of the output is pulled back, as by 1 the real part is.
            turned = rows_of([_turned(x, -1j) for x in basis])
            parts = [
                _combined(real, imaginary, 1j) if _is_complex(type) else real
                for type, real, imaginary in zip(types, parts, turned, strict=True)
            ]
        blocks = [
            [
                _block(np.reshape(rows, type.shape + np.shape(x))) if on else None
                for rows, x, on in zip(part, leaves, is_active, strict=True)
            ]
            for type, part in zip(types, parts, strict=True)
        ]
        result = out_structure.unflatten([structure.unflatten(block) for block in blocks])
        return (result, aux[0]) if has_aux else result

    return jacobian


@boundary
def jacfwd(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnum: Argnums | None = None,
) -> Callable[P, Any]:
    """Make a function that computes the Jacobian in forward mode, all columns at once.

    It suits functions with no more inputs than outputs. Arguments and result are those of
    `jacrev`.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.jacfwd(lambda x: x**2)(np.array([1.0, 3.0]))
        array([[2., 0.],
               [0., 6.]])
    """
    require_callable(fun, "jacfwd")
    argnums = argnums if argnum is None else argnum
    argnums = checked_argnums(argnums)

    @transformed(fun, jacfwd, argnums=argnums, has_aux=has_aux, holomorphic=holomorphic)
    @boundary
    def jacobian(*args: P.args, **kwargs: P.kwargs) -> Any:
        arguments, leaves, structure, _ = differentiated_arguments(
            fun, argnums, args, kwargs, holomorphic, False
        )
        types = [type_of(x) for x in leaves]
        kept: list[Any] = []

        def column(tangents: Any) -> Any:
            output, pushed, *aux = jvp(
                arguments.call,
                (arguments.selected,),
                (structure.unflatten(tangents),),
                has_aux=has_aux,
            )
            kept[:] = [output, *aux]
            return pushed

        column.__wrapped__ = fun  # pyright: ignore[reportFunctionMemberAccess]  (what runs in it)
        size = sum(type.size for type in types)
        basis = unit_vectors(types)
        columns = _mapped(column, basis, size, leaves)
        output, *aux = kept
        out_leaves, out_structure = tree.flatten(output)
        _require_differentiable_outputs([*map(type_of, out_leaves)], leaves, fun, holomorphic)
        parts = _split(out_structure.flatten_up_to(columns), types)
        if not holomorphic and any(map(_is_complex, types)):  # to real outputs
            # Along 1 the derivative by the real part is found, along 1j that by the imaginary one.
            columns = _mapped(column, [_turned(x, 1j) for x in basis], size, leaves)
            turned = _split(out_structure.flatten_up_to(columns), types)
            parts = [
                _combined(real, imaginary, -1j) if _is_complex(type) else real
                for type, real, imaginary in zip(types, parts, turned, strict=True)
            ]
        blocks = [
            structure.unflatten(
                [
                    _block(
                        np.reshape(np.moveaxis(part[number], 0, -1), np.shape(leaf) + type.shape)
                    )
                    for type, part in zip(types, parts, strict=True)
                ]
            )
            for number, leaf in enumerate(out_leaves)
        ]
        result = out_structure.unflatten(blocks)
        return (result, aux[0]) if has_aux else result

    return jacobian


jacobian = jacrev


@boundary
def hessian(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnum: Argnums | None = None,
) -> Callable[P, Any]:
    """Make a function that computes the Hessian: forward mode over reverse mode.

    Args:
        fun: A function of trees of arrays; usually its output is one number.
        argnums: The position, or positions, of the arguments to differentiate.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data.
        holomorphic: Whether ``fun`` is complex differentiable.
        argnum: Another name of ``argnums``, that of autograd.

    Returns:
        A function with the arguments of ``fun``: the Jacobian of the Jacobian.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
        array([[6., 2.],
               [2., 0.]])
    """
    require_callable(fun, "hessian")
    argnums = argnums if argnum is None else argnum
    inner = jacrev(fun, argnums, has_aux=has_aux, holomorphic=holomorphic)
    return jacfwd(inner, argnums, has_aux=has_aux, holomorphic=holomorphic)


@boundary
def hvp(f: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Make a function that computes products of the Hessian with a vector.

    Args:
        f: A function of one tree of arrays whose output is one real number.

    Returns:
        ``product(x, v)``, where ``v`` is a tree like ``x``: a tree like ``x``. It costs a small
        multiple of ``f``, however many inputs there are.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.hvp(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]), np.array([1.0, 0.0]))
        array([6., 2.])
    """
    require_callable(f, "hvp")

    @transformed(f, hvp)
    @boundary
    def product(x: Any, v: Any) -> Any:
        return jvp(grad(f), (x,), (v,))[1]

    return product


def _mapped(f: Callable[[Any], Any], basis: Any, size: int, given: Sequence[Any]) -> Any:
    """A linear function of all unit vectors, with their zeros kept where that makes a difference.

    Args:
        f: The function.
        basis: The unit vectors, along the first axis.
        size: How many there are.
        given: The values that the function's own factors are computed from.
    """
    if not any(map(is_unknown, given)):
        with draws_of_one_call():
            found = vmap(f, axis_size=size)(basis)
        parts = tree.leaves(found)
        if are_finite(parts) and not any(map(is_unknown, parts)):
            return found
    with draws_of_one_call():
        return vmap(lambda vectors: keeping_zeros_of(f, vectors), axis_size=size)(basis)


def _block(x: Any) -> Any:
    """A block of a Jacobian as it is returned: in row-major order, and a scalar without axes."""
    if type(x) is np.ndarray and not x.flags.c_contiguous:
        return x.copy()
    return as_scalar_result(x)


def unit_vectors(types: Sequence[ArrayType]) -> list[Any]:
    """Arrays of these types, and along a first axis all unit vectors of them together."""
    size = sum(type.size for type in types)
    vectors: list[Any] = []
    start = 0
    for type in types:
        block = np.zeros((size, type.size), type.dtype)
        block[start : start + type.size] = np.eye(type.size, dtype=type.dtype)
        vectors.append(block.reshape((size, *type.shape)))
        start += type.size
    return vectors


def _is_complex(type: ArrayType) -> bool:
    return type.dtype.kind == "c"


def _require_differentiable_outputs(
    outputs: Sequence[ArrayType], leaves: Sequence[Any], f: Callable[..., Any], holomorphic: bool
) -> None:
    """Check dtypes: a complex output of complex arguments is refused, if it is not holomorphic."""
    is_of_complex = any(_is_complex(type_of(leaf)) for leaf in leaves)
    for type in outputs:
        if holomorphic or is_of_complex or not _is_complex(type):
            require_differentiable_output(type, f, holomorphic)


def _turned(vectors: Any, by: complex) -> Any:
    """Unit vectors of complex numbers in another direction; zeros where numbers are real."""
    return vectors * (by if vectors.dtype.kind == "c" else 0)


def _combined(real: Sequence[Any], imaginary: Sequence[Any], by: complex) -> list[Any]:
    return [None if x is None else x + by * y for x, y in zip(real, imaginary, strict=True)]


def _split(arrays: Sequence[Any], types: Sequence[ArrayType]) -> list[list[Any]]:
    """For each type, the rows of the arrays that belong to its unit vectors."""
    parts: list[list[Any]] = []
    start = 0
    for type in types:
        stop = start + type.size
        parts.append([None if x is None else x[start:stop] for x in arrays])
        start = stop
    return parts
