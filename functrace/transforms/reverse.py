"""Reverse mode: vector-Jacobian products and gradients.

The function runs on tracers of a `Tape`, whose rows `backward` then walks in reverse. Both call
`bind` through the rules that they run, so what they compute can be recorded by an outer
transformation: that is all there is to derivatives of derivatives.

Sources: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), chapter 3; the view of
a transformation as an interpreter follows JAX's autodidax.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, overload

import numpy as np
from numpy import float64

from functrace import tree
from functrace.errors import RuleOutputError
from functrace.ir.types import type_of
from functrace.primitives.linear import zeros_for
from functrace.tracebacks import boundary, leave_out_own_frames
from functrace.tracing.operands import as_operand
from functrace.tracing.sharing import ALONE, owns_its_memory
from functrace.tracing.tracer import (
    Tracer,
    as_scalar_result,
)
from functrace.transforms.arguments import (
    Argnums,
    checked_argnums,
    checked_cotangents,
    differentiated_arguments,
    primal_name,
    require_inexact,
    seed_of,
    split_aux,
)
from functrace.transforms.backward import pull_back
from functrace.transforms.calling import call_apart, owned
from functrace.transforms.linear_functions import Domain, LinearFunction
from functrace.transforms.tape import Tape
from functrace.transforms.transformed import require_callable, transformed
from functrace.transforms.zeros import may_hold_zeros

P = ParamSpec("P")
R = TypeVar("R")
Aux = TypeVar("Aux")


@overload
def vjp(
    fun: Callable[..., R], *primals: Any, has_aux: Literal[False] = False
) -> tuple[R, Callable[[Any], tuple[Any, ...]]]: ...
@overload
def vjp(
    fun: Callable[..., tuple[R, Aux]], *primals: Any, has_aux: Literal[True]
) -> tuple[R, Callable[[Any], tuple[Any, ...]], Aux]: ...
@overload
def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool) -> Any: ...
@boundary
def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function, and make its pullback.

    Args:
        fun: The function; its arguments and its output are trees of arrays.
        primals: Its arguments. Cotangents come back for the floating-point leaves; where a leaf
            holds integers its place holds None.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data, which is handed
            on and not differentiated.

    Returns:
        ``(output, pullback)``, or ``(output, pullback, auxiliary data)``. The pullback takes a
        cotangent of the output's structure, shapes and dtypes, and returns a tuple with one
        cotangent for each primal. It can be called more than once, and is a tree, whose leaves are
        the arrays that it needs: it can be returned from a jitted function, and passed to one.

    Raises:
        NonFloatLeafError: A leaf of the arguments is neither an array nor a number.
        CotangentError: By the pullback, where a cotangent does not fit the output.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> y, pullback = ft.vjp(np.sin, 0.0)
        >>> pullback(np.float64(2.0))
        (np.float64(2.0),)
    """
    require_callable(fun, "vjp", "fun")
    leaves, structure = tree.flatten(primals)

    def name_of(index: int) -> str:
        return primal_name(fun, structure.paths()[index])

    is_active = require_inexact(leaves, name_of, allow_int=True)
    leaves = [*map(as_operand, leaves)]
    with Tape(outlives=True, lets_go=True) as tape:
        inputs = tape.lifted(leaves, is_active)
        output, aux = split_aux(call_apart(fun, structure.unflatten(inputs)), has_aux)
        out_leaves, out_structure = tree.flatten(output)
        outputs = [*map(tape.output, out_leaves)]
        values = [owned(value) for value, _ in outputs]
        aux = tree.map(lambda x: owned(tape.value_of(x)), aux)
        out_variables = [variable for _, variable in outputs]
    types = [type_of(value) for value in values]

    @boundary
    def pullback(cotangent: Any) -> Any:
        given = checked_cotangents(cotangent, out_structure, types)
        cotangents: list[Any] = [None] * tape.variables
        for variable, part in zip(out_variables, given, strict=True):
            if variable is not None and part is not None:
                so_far = cotangents[variable]
                cotangents[variable] = part if so_far is None else so_far + part
        pull_back(
            tape,
            cotangents,
            once=False,
            is_traced=any(type(x) is Tracer for x in given),
            has_zeros=any(map(may_hold_zeros, given)),
        )
        return structure.unflatten(gradients(leaves, is_active, cotangents))

    result = out_structure.unflatten(values)
    domain = Domain(out_structure, tuple(types), checked_cotangents, is_tuple=False)
    name = f"pullback of {getattr(fun, '__name__', 'a function')}"
    linear = LinearFunction(name, pullback, domain, leaves)
    return (result, linear, aux) if has_aux else (result, linear)


@boundary
def value_and_grad(
    fun: Callable[P, R],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnum: Argnums | None = None,
) -> Callable[P, tuple[R, Any]]:
    """Make a function that computes a value and its gradient.

    Args:
        fun: A function of trees of arrays whose output is one real number (one complex number
            under ``holomorphic``).
        argnums: The position, or positions, of the arguments to differentiate. Such an argument
            may also be passed by keyword.
        has_aux: Whether ``fun`` returns a pair of the output and auxiliary data, which is handed
            on and not differentiated.
        holomorphic: Whether ``fun`` is complex differentiable; then the arguments and the output
            must be complex, and the gradient is the complex derivative.
        allow_int: Whether the differentiated arguments may hold integers, whose gradient is None.
        argnum: Another name of ``argnums``, that of autograd.

    Returns:
        A function with the arguments of ``fun`` that returns ``(value, gradient)``, or
        ``((value, auxiliary data), gradient)``. The gradient has the structure, shapes and
        dtypes of the argument; for several ``argnums`` it is a tuple of such. For a complex
        argument ``x + iy`` and a real output ``f`` it is ``df/dx - i df/dy``, as in JAX and
        autograd: step along its conjugate.

    Raises:
        NonScalarOutputError: The output is not one number.
        NonFloatLeafError: A differentiated argument holds something else than floating-point
            numbers.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def loss(params, x):
        ...     return np.sum((x @ params["w"] + params["b"]) ** 2)
        >>> params = {"w": np.array([1.0, 2.0]), "b": 0.5}
        >>> value, gradient = ft.value_and_grad(loss)(params, np.eye(2))
        >>> value
        np.float64(8.5)
        >>> gradient
        {'b': np.float64(8.0), 'w': array([3., 5.])}
    """
    require_callable(fun, "value_and_grad")
    argnums = argnums if argnum is None else argnum
    return _differentiated(fun, value_and_grad, argnums, has_aux, holomorphic, allow_int)


@boundary
def grad(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnum: Argnums | None = None,
) -> Callable[P, Any]:
    """Make a function that computes the gradient of a function.

    The arguments, the errors, and the meaning of the gradient are those of `value_and_grad`.

    Returns:
        A function with the arguments of ``fun`` that returns the gradient, or
        ``(gradient, auxiliary data)`` under ``has_aux``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.grad(lambda x: x**3)(2.0)
        np.float64(12.0)
        >>> ft.grad(ft.grad(np.sin))(np.pi / 2)
        np.float64(-1.0)
    """
    require_callable(fun, "grad")
    argnums = argnums if argnum is None else argnum
    return _differentiated(fun, grad, argnums, has_aux, holomorphic, allow_int)


def _differentiated(
    fun: Callable[..., Any],
    make: Callable[..., Any],
    argnums: Argnums,
    has_aux: bool,
    holomorphic: bool,
    allow_int: bool,
) -> Any:
    """What `value_and_grad` or `grad` makes of a function."""
    argnums = checked_argnums(argnums)
    gives_value = make is value_and_grad

    @transformed(
        fun,
        make,
        argnums=argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
        allow_int=allow_int,
    )
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        try:
            arguments, leaves, structure, is_active = differentiated_arguments(
                fun, argnums, args, kwargs, holomorphic, allow_int
            )
            tape = Tape(lets_go=True)
            try:
                with tape:
                    if allow_int:
                        leaves = [
                            x if on else owned(x) for x, on in zip(leaves, is_active, strict=True)
                        ]
                    inputs = tape.lifted(leaves, is_active)
                    given = inputs[0] if structure is tree.LEAF else structure.unflatten(inputs)
                    output = arguments.call(given, None if allow_int else inputs)
                    aux = None
                    if has_aux:
                        output, aux = split_aux(output, has_aux)
                        aux = tree.map(lambda x: owned(tape.value_of(x)), aux)
                    value, variable = tape.output(output)
                seed = seed_of(value, fun, holomorphic)
                cotangents: list[Any] = [None] * tape.variables
                if variable is not None:
                    cotangents[variable] = seed  # d(value)/d(value) = 1: here the walk begins
                    pull_back(tape, cotangents, once=True)
                if tape.kept is not None:
                    tape.kept.require_unchanged()
                inputs = given = output = None  # they may hold what is released
            finally:
                if tape.kept is not None:
                    tape.kept.release()
            found = gradients(leaves, is_active, cotangents)
            gradient = found[0] if structure is tree.LEAF else structure.unflatten(found)
            if gives_value:
                return ((value, aux), gradient) if has_aux else (value, gradient)
            return (gradient, aux) if has_aux else gradient
        except Exception as error:
            leave_out_own_frames(error)
            raise

    return differentiated


def gradients(
    primals: Sequence[Any], is_active: Sequence[bool], cotangents: list[Any]
) -> list[Any]:
    """The inputs' cotangents as the user gets them, taken out of the list.

    Missing ones become zeros. Each array is one of its own, which may be written: neither a view,
    nor the same as another, nor one that is in other hands, such as those of a user's rule. It lies
    in row-major order.
    """
    result: list[Any] = []
    number = 0
    for primal, active in zip(primals, is_active):  # noqa: B905  (as many, or it costs)
        if not active:
            result.append(None)
            continue
        gradient = cotangents[number]
        cotangents[number] = None
        number += 1
        if type(gradient) is float64 and (type(primal) is float64 or type(primal) is float):
            pass
        elif gradient is None:
            gradient = zeros_for(primal)
        elif gradient.shape != getattr(primal, "shape", ()):
            raise RuleOutputError(
                f"A vjp rule gave a gradient of shape {np.shape(gradient)} for an argument of "
                f"shape {np.shape(primal)}.",
                advice="functrace.testing.check_primitive(primitive, *inputs) tells whether a "
                "primitive's rules are right.",
            )
        elif type(gradient) is np.ndarray:
            if not gradient.shape:
                gradient = gradient[()]
            elif (
                sys.getrefcount(gradient) > ALONE
                or not owns_its_memory(gradient)
                or not gradient.flags.c_contiguous
            ):
                gradient = gradient.copy()
        elif type(gradient) is Tracer:
            gradient = as_scalar_result(gradient.copy())
        result.append(gradient)
    return result
