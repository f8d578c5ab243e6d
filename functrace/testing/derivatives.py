"""Derivatives of functions, held against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError
from functrace.ir.types import type_of
from functrace.testing.comparing import agree, fail, pairing, random, shown, tolerances
from functrace.testing.numerical import numerical_jvp
from functrace.testing.suspects import suspect
from functrace.tracebacks import boundary
from functrace.transforms.forward import jvp
from functrace.transforms.reverse import vjp
from functrace.transforms.transformed import require_callable


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
        AssertionError: A derivative is wrong. The message names an entry of the arguments by which
            it is, the two numbers, the rule that is wrong (the operation, and where the rule and
            the operation are written), and the direction.
        ArgumentError: A mode has another name.

    Example:
        >>> import numpy as np
        >>> check_grads(lambda x, y: {"z": np.sin(x) * y}, (np.ones(3), 2.0), order=2)
        >>> check_grads(np.floor, (0.5,))
    """
    require_callable(f, "check_grads", "f")
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    for mode in modes:
        if mode not in ("fwd", "rev"):
            raise ArgumentError(f"modes holds {mode!r}.", advice='Its names are "fwd" and "rev".')
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

    checker = _GradientChecker(modes, [names[n] for n in active], atol, rtol, eps)
    checker.check(flat, [leaves[n] for n in active], order, "")


class _GradientChecker:
    """The recursion of `check_grads`, over a function from leaves to a list of leaves."""

    def __init__(
        self,
        modes: Sequence[str],
        names: Sequence[str],
        atol: float | None,
        rtol: float | None,
        eps: float | None,
    ) -> None:
        self.modes = modes
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

        def numerical(alone: Sequence[Any]) -> tuple[float, float]:
            return pairing(cotangents, numerical_jvp(f, leaves, alone, self.eps))

        slopes = [numerical(_alone(leaves, n, t)) for n, t in enumerate(tangents)]

        def compare(what: str, mode: str, derivative: Derivative) -> None:
            types = [type_of(x) for x in (*leaves, *cotangents)]
            rtol, atol = tolerances(types, self.rtol, self.atol)
            for number, (tangent, (expected, scale)) in enumerate(
                zip(tangents, slopes, strict=True)
            ):
                found, own = derivative(_alone(leaves, number, tangent))
                tolerance = atol + rtol * min(scale, own)
                if agree(found, expected, tolerance):
                    continue
                index, alone = _worst_entry(leaves, number, tangent, derivative, numerical)
                entry = f"{self.names[number]}{[*index] if index else ''}"
                fail(
                    f"The {what} by {self.names[number]}, a {type_of(leaves[number])}, is wrong:",
                    entry=entry,
                    functrace=f"{derivative(alone)[0]:.10g}",
                    numerical=f"{numerical(alone)[0]:.10g}",
                    rule=str(suspect(f, leaves, mode) or "each operation's own rule is right"),
                    tolerance=f"{tolerance:.3g}",
                    tangent=shown(tangent),
                    cotangents=shown(list(cotangents)),
                )

        if "rev" in self.modes:
            gradients = self.gradients(f, leaves, cotangents, expected, of)
            compare(f"vjp{of}", "vjp", lambda alone: pairing(gradients, alone))
            self.check(_pullback_of(f, cotangents), leaves, order - 1, f"{of} of the pullback")
        if "fwd" in self.modes:

            def push(given: Sequence[Any]) -> Any:
                full = [
                    np.zeros_like(x) if t is None else t for x, t in zip(leaves, given, strict=True)
                ]
                return jvp(f, tuple(leaves), tuple(full))[1]

            def pushed(*leaves: Any) -> list[Any]:
                return jvp(f, leaves, tuple(tangents))[1]

            compare(f"jvp{of}", "jvp", lambda alone: pairing(cotangents, push(alone)))
            self.check(pushed, leaves, order - 1, f"{of} of the jvp")

    def gradients(
        self,
        f: Callable[..., Any],
        leaves: Sequence[Any],
        cotangents: Sequence[Any],
        expected: Sequence[Any],
        of: str,
    ) -> Sequence[Any]:
        """What the pullback gives; the value, shapes and dtypes are compared here."""
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
        for name, leaf, gradient in zip(self.names, leaves, gradients, strict=True):
            x, given = type_of(leaf), type_of(gradient)
            if (given.shape, given.dtype) != (x.shape, x.dtype):
                fail(f"The vjp{of} by {name}, a {x}, is a {given}.")
        return gradients


Derivative = Callable[[Sequence[Any]], tuple[float, float]]
"""Of one number, along tangents of all leaves; and the scale of its errors."""


def _alone(leaves: Sequence[Any], number: int, tangent: Any) -> list[Any]:
    """Tangents of all leaves, zero but for one."""
    return [tangent if n == number else None for n in range(len(leaves))]


def _worst_entry(
    leaves: Sequence[Any],
    number: int,
    tangent: Any,
    derivative: Derivative,
    numerical: Derivative,
) -> tuple[tuple[int, ...], list[Any]]:
    """An entry of a leaf by which the derivative is wrong: its index, and the tangents along it.

    The leaf is halved again and again: where a derivative is wrong along a sum of tangents, it is
    along one of them.
    """
    entries = np.arange(np.size(tangent))
    flat = np.ravel(tangent)

    def along(entries: np.ndarray) -> list[Any]:
        part = np.zeros_like(flat)
        part[entries] = flat[entries]
        return _alone(leaves, number, part.reshape(np.shape(tangent))[()])

    def error(entries: np.ndarray) -> float:
        given = along(entries)
        found = abs(derivative(given)[0] - numerical(given)[0])
        return found if np.isfinite(found) else np.inf

    while len(entries) > 1:
        entries = max(np.array_split(entries, 2), key=error)
    flat = flat / np.where(flat, np.abs(flat) if flat.dtype.kind == "c" else flat, 1)
    index = tuple(map(int, np.unravel_index(entries[0], np.shape(tangent))))
    return index, along(entries)


def _pullback_of(f: Callable[..., Any], shift: Sequence[Any]) -> Callable[..., Any]:
    """The pullback as a function, with a cotangent that depends on the arguments too."""

    def pulled(*leaves: Any) -> list[Any]:
        outputs, pullback = vjp(f, *leaves)
        return list(pullback([y + _in_dtype_of(s, y) for y, s in zip(outputs, shift, strict=True)]))

    return pulled


def _in_dtype_of(x: Any, y: Any) -> Any:
    return np.asarray(x, type_of(y).dtype)[()]
