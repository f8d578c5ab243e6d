"""Derivatives of functions, held against finite differences.

These are taken in double precision, also where the arguments are of a smaller one.

Complex numbers follow the convention of `functrace.grad`: a cotangent ``c`` belongs to a tangent
``t`` through the real part of ``sum(c * t)``, without conjugation.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError
from functrace.ir.types import type_of
from functrace.testing.comparing import agree, fail, pairing, random, shown, tolerances, widened
from functrace.tracebacks import boundary
from functrace.transforms.reverse import vjp
from functrace.transforms.transformed import require_callable

# Numerical derivatives


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


# Comparing


# Checking the derivatives of functions


@boundary
def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: str | Sequence[str] = ("rev",),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Check the derivatives of a function against finite differences.

    As ``jax.test_util.check_grads``. Along random directions, always the same ones, the
    derivative by each floating or complex leaf of the arguments is compared with
    `numerical_jvp`; for the second order the same is done for the pullback, and so on.

    Args:
        f: A function of trees of arrays, to a tree of arrays. Keep the arguments away from kinks
            and jumps.
        args: Its arguments, as a tuple.
        order: Up to which order.
        modes: "rev" for reverse mode, "fwd" for forward mode, or both.
        atol: The absolute tolerance; by default a tenth of the relative one.
        rtol: The tolerance relative to the sum of the sizes of the terms; by default 1e-6 in
            double, 2e-3 in single and 3e-2 in half precision.
        eps: The step of the differences.

    Raises:
        AssertionError: A derivative is wrong. The message names the leaf of the arguments, the
            two numbers and the direction.
        ArgumentError: A mode has another name, or this version of functrace does not have it.

    Example:
        >>> import numpy as np
        >>> check_grads(lambda x, y: {"z": np.sin(x) * y}, (np.ones(3), 2.0), order=2)
        >>> check_grads(np.floor, (0.5,))
    """
    require_callable(f, "check_grads", "f")
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    forward: Callable[..., Any] | None = None
    for mode in modes:
        if mode not in ("fwd", "rev"):
            raise ArgumentError(f"modes holds {mode!r}.", advice='Its names are "fwd" and "rev".')
        if mode == "fwd":
            # By name: what the package offers decides, and nothing here imports upward.
            forward = getattr(sys.modules["functrace"], "jvp", None)
            if forward is None:
                raise ArgumentError(
                    "This version of functrace has no forward mode to check.",
                    advice='Write modes=("rev",).',
                )
    leaves, structure = tree.flatten(tuple(args))
    names = [f"args{tree.keystr(path)}" for path in structure.paths()]
    active = [number for number, leaf in enumerate(leaves) if type_of(leaf).is_inexact]

    def flat(*values: Any) -> list[Any]:
        """The function from the leaves that can be differentiated to those that can."""
        arguments = list(leaves)
        for number, value in zip(active, values, strict=True):
            arguments[number] = value
        outputs = tree.leaves(f(*structure.unflatten(arguments)))
        return [y for y in outputs if type_of(y).is_inexact]

    checker = _GradientChecker(modes, forward, [names[n] for n in active], atol, rtol, eps)
    checker.check(flat, [leaves[n] for n in active], order, "")


class _GradientChecker:
    """The recursion of `check_grads`, over a function from leaves to a list of leaves."""

    def __init__(
        self,
        modes: Sequence[str],
        forward: Callable[..., Any] | None,
        names: Sequence[str],
        atol: float | None,
        rtol: float | None,
        eps: float | None,
    ) -> None:
        self.modes = modes
        self.forward = forward
        self.names = names
        self.atol = atol
        self.rtol = rtol
        self.eps = eps

    def check(self, f: Callable[..., Any], leaves: Sequence[Any], order: int, of: str) -> None:
        if order < 1:
            return
        rng = np.random.default_rng(0)
        tangents = [random(rng, type_of(x)) for x in leaves]
        expected = f(*leaves)
        cotangents = [random(rng, type_of(y)) for y in expected]
        slopes: list[Any] = []
        for number, tangent in enumerate(tangents):
            alone: list[Any] = [None] * len(leaves)
            alone[number] = tangent
            slopes.append(numerical_jvp(f, leaves, alone, self.eps))
        if "rev" in self.modes:
            self.reverse(f, leaves, tangents, cotangents, expected, slopes, of)
            self.check(_pullback_of(f, cotangents), leaves, order - 1, f"{of} of the pullback")
        if "fwd" in self.modes:
            push = self.push(f, leaves)
            for number, tangent in enumerate(tangents):
                alone = [np.zeros_like(x) for x in leaves]
                alone[number] = tangent
                found, scale = pairing(cotangents, push(alone))
                self.compare(
                    found, cotangents, slopes[number], scale, f"jvp{of}", number, tangent, leaves
                )

            def pushed(*leaves: Any) -> list[Any]:
                return self.push(f, leaves)(tangents)

            self.check(pushed, leaves, order - 1, f"{of} of the jvp")

    def push(self, f: Callable[..., Any], leaves: Sequence[Any]) -> Callable[..., Any]:
        assert self.forward is not None
        forward = self.forward
        return lambda tangents: forward(f, tuple(leaves), tuple(tangents))[1]

    def reverse(
        self,
        f: Callable[..., Any],
        leaves: Sequence[Any],
        tangents: Sequence[Any],
        cotangents: Sequence[Any],
        expected: Sequence[Any],
        slopes: Sequence[Any],
        of: str,
    ) -> None:
        output, pullback = vjp(f, *leaves)
        for y, traced in zip(expected, output, strict=True):
            rtol, atol = tolerances([type_of(y)], None, None)
            if not np.allclose(y, traced, rtol, atol, equal_nan=True):
                fail(
                    f"The function has another value{of} when it is traced:",
                    traced=shown(traced),
                    untraced=shown(y),
                )
        gradients = pullback(list(cotangents))
        for number, (gradient, tangent) in enumerate(zip(gradients, tangents, strict=True)):
            x, given = type_of(leaves[number]), type_of(gradient)
            if (given.shape, given.dtype) != (x.shape, x.dtype):
                fail(f"The vjp{of} by {self.names[number]}, a {x}, is a {given}.")
            found, scale = pairing([gradient], [tangent])
            self.compare(
                found, cotangents, slopes[number], scale, f"vjp{of}", number, tangent, leaves
            )

    def compare(
        self,
        found: float,
        cotangents: Sequence[Any],
        slope: Sequence[Any],
        scale: float,
        what: str,
        number: int,
        tangent: Any,
        leaves: Sequence[Any],
    ) -> None:
        numerical, numerical_scale = pairing(cotangents, slope)
        types = [type_of(x) for x in (*leaves, *cotangents)]
        rtol, atol = tolerances(types, self.rtol, self.atol)
        tolerance = atol + rtol * min(scale, numerical_scale)
        if agree(found, numerical, tolerance):
            return
        fail(
            f"The {what} by {self.names[number]}, a {type_of(leaves[number])}, is wrong:",
            functrace=f"{found!r}",
            numerical=f"{numerical!r}",
            tolerance=f"{tolerance:.3g}",
            tangent=shown(tangent),
            cotangents=shown(list(cotangents)),
        )


def _pullback_of(f: Callable[..., Any], shift: Sequence[Any]) -> Callable[..., Any]:
    """The pullback as a function, with a cotangent that depends on the arguments too."""

    def pulled(*leaves: Any) -> list[Any]:
        outputs, pullback = vjp(f, *leaves)
        return list(pullback([y + _in_dtype_of(s, y) for y, s in zip(outputs, shift, strict=True)]))

    return pulled


def _in_dtype_of(x: Any, y: Any) -> Any:
    return np.asarray(x, type_of(y).dtype)[()]


# Checking the rules of primitives
