"""Derivatives by finite differences, and by steps along the imaginary axis.

They are taken in double precision, also where the arguments are of a smaller one.

Complex numbers follow the convention of `functrace.grad`: a cotangent ``c`` belongs to a tangent
``t`` through the real part of ``sum(c * t)``, without conjugation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError
from functrace.ir.types import type_of
from functrace.testing.comparing import widened


def numerical_jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], eps: float | None = None
) -> Any:
    """The derivative of a function along a direction, by finite differences.

    Central differences with steps h and 2h, extrapolated (Richardson), so that the error is of
    the order of h**4. Each leaf has its own step: the fourth root of the machine precision, times
    the largest element of the leaf where that is above 1.

    Args:
        f: A function of trees of arrays. It is called on float64 and complex128 in place of
            smaller floating dtypes.
        primals: The arguments.
        tangents: One tree for each argument, like it; None, or anything, where the argument holds
            integers.
        eps: The step, in place of the one described.

    Returns:
        The tangent of the output: a tree like the output, of float64 or complex128, with None
        where the output holds integers.

    Example:
        >>> import numpy as np
        >>> t = numerical_jvp(lambda x, y: x * y["z"], (3.0, {"z": 2.0}), (1.0, {"z": 1.0}))
        >>> t.round(6)
        np.float64(5.0)
    """
    leaves, structure = tree.flatten(tuple(primals))
    directions = structure.flatten_up_to(tuple(tangents))
    leaves = [widened(x) for x in leaves]
    center, out_structure = tree.flatten(f(*structure.unflatten(leaves)))
    is_inexact = [type_of(y).is_inexact for y in center]
    total = [
        np.zeros(type_of(y).shape, np.result_type(type_of(y).dtype, np.float64))[()] if on else None
        for y, on in zip(center, is_inexact, strict=True)
    ]
    precisions = [np.finfo(type_of(y).dtype).eps for y in center if type_of(y).is_inexact]
    precision = float(max(precisions, default=np.finfo(np.float64).eps))
    for number, (x, direction) in enumerate(zip(leaves, directions, strict=True)):
        if direction is None or not type_of(x).is_inexact or not np.any(direction):
            continue
        t = widened(direction)
        step = _step(x, t, precision) if eps is None else eps / float(np.max(np.abs(t)))

        def moved(factor: float, number: int = number, x: Any = x, t: Any = t) -> list[Any]:
            arguments = [*leaves[:number], (x + factor * t)[()], *leaves[number + 1 :]]
            return tree.leaves(f(*structure.unflatten(arguments)))

        values = [moved(factor * step) for factor in (1, -1, 2, -2)]
        with np.errstate(all="ignore"):
            for place, (near, below, far, far_below) in enumerate(zip(*values, strict=True)):
                if is_inexact[place]:
                    inner = widened(near) - widened(below)
                    outer = widened(far) - widened(far_below)
                    total[place] = total[place] + (8 * inner - outer) / (12 * step)
    return out_structure.unflatten(total)


def _step(x: Any, t: Any, precision: float) -> float:
    """A power of two, so that adding it to numbers around 1 is exact."""
    size = max(1.0, float(np.max(np.abs(x))))
    return 2.0 ** round(math.log2(precision**0.25 * size / float(np.max(np.abs(t)))))


def complex_step(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The derivative of a real analytic function along a direction, exact to rounding.

    It is the imaginary part of ``f(x + iht) / h`` for a tiny h (Squire and Trapp, SIAM Review 40,
    1998): nothing is subtracted, so nothing cancels. ``f`` must be made of functions that are
    analytic and take complex numbers: not of ``abs``, ``maximum``, ``where`` with conditions on
    the argument, or conjugation.

    Args:
        f: A function of trees of real arrays.
        primals: The arguments.
        tangents: One tree for each argument, like it.

    Returns:
        The tangent of the output.

    Raises:
        ArgumentError: An argument is complex, or the output stays real.

    Example:
        >>> import numpy as np
        >>> complex_step(np.exp, (1.0,), (1.0,)) == np.exp(1.0)
        np.True_
    """
    leaves, structure = tree.flatten(tuple(primals))
    directions = structure.flatten_up_to(tuple(tangents))
    step = 2.0**-80
    moved: list[Any] = []
    for x, t in zip(leaves, directions, strict=True):
        kind = type_of(x).dtype.kind
        if kind == "c":
            raise ArgumentError("complex_step takes derivatives by real arguments only.")
        moved.append(widened(x) + 1j * step * widened(t) if kind == "f" else x)

    def derivative(y: Any) -> Any:
        if type_of(y).dtype.kind != "c":
            raise ArgumentError(
                "The output of the function is real although its argument was complex: it is not "
                "made of analytic functions.",
                advice="Use numerical_jvp.",
            )
        return y.imag / step

    return tree.map(derivative, f(*structure.unflatten(moved)))


def numerical_gradient(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    eps: float | None = None,
) -> Any:
    """The gradient of a function, element by element, by finite differences.

    Args:
        f: A function of trees of arrays whose output is one real number.
        args: Its arguments.
        argnums: The position, or positions, of the arguments to differentiate.
        eps: The step of the differences, in place of that of `numerical_jvp`.

    Returns:
        What ``functrace.grad(f, argnums)(*args)`` returns, in double precision.

    Example:
        >>> import numpy as np
        >>> numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, 2.0])).round(6)
        array([2., 4.])
    """
    if not isinstance(argnums, int):
        return tuple(numerical_gradient(f, *args, argnums=n, eps=eps) for n in argnums)
    position = range(len(args))[argnums]
    leaves, structure = tree.flatten(args[position])

    def of_leaves(*leaves: Any) -> Any:
        argument = structure.unflatten(leaves)
        return f(*args[:position], argument, *args[position + 1 :])

    gradient: list[Any] = []
    for number, leaf in enumerate(leaves):
        type = type_of(leaf)
        if not type.is_inexact:
            gradient.append(None)
            continue
        units = (1.0,) if type.dtype.kind == "f" else (1.0, 1j)
        result = np.zeros(type.shape, np.result_type(type.dtype, np.float64))
        for index in np.ndindex(type.shape):
            for unit in units:
                tangents: list[Any] = [None] * len(leaves)
                tangents[number] = np.zeros_like(result)
                tangents[number][index] = unit
                slope = numerical_jvp(of_leaves, leaves, tangents, eps)
                result[index] += slope / unit if unit == 1.0 else slope * -unit
        gradient.append(result[()])
    return structure.unflatten(gradient)
