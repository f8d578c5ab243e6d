"""Gradient checking: a gradient beside central differences, entry by entry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, overload

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError, NonScalarOutputError
from functrace.ir.types import type_of
from functrace.testing.comparing import tolerances, widened
from functrace.testing.suspects import Suspect, suspect
from functrace.texts import escaped, html_table, text_table
from functrace.tracebacks import boundary
from functrace.transforms.arguments import parameter_name
from functrace.transforms.reverse import grad
from functrace.transforms.transformed import require_callable, transformed
from functrace.tree.showing import norm

IN_DOUBLE = 1e-7
"""Below this relative difference a gradient in double precision is right."""

MOST_ENTRIES = 10
"""How many wrong entries are printed."""


class Entry(NamedTuple):
    """A number of a gradient that is wrong.

    Attributes:
        name: How the user would write the number by which the derivative is: ``params['W'][0, 1]``.
        path: The array that holds it: ``params['W']``.
        index: Its index there.
        analytical: The derivative that is checked.
        numerical: That by central differences.
    """

    name: str
    path: str
    index: tuple[int, ...]
    analytical: Any
    numerical: Any


class Leaf(NamedTuple):
    """An array of parameters, or a number.

    Attributes:
        path: How the user would write it.
        shape: Its shape.
        difference: The relative difference of the two gradients.
        is_right: Whether it is within the tolerance.
    """

    path: str
    shape: tuple[int, ...]
    difference: float
    is_right: bool


class GradientCheck:
    """How far a gradient is from central differences; true if it is right.

    Attributes:
        difference: The relative difference ||a - n|| / (||a|| + ||n||) of all entries together.
        leaves: The same of each array of parameters.
        wrong: The entries that are wrong, beginning with the one that is furthest off.
        analytical: The gradient that was checked.
        numerical: The gradient by central differences, a tree like it.
        suspect: The operation whose derivative rule is wrong, where one is.

    Example:
        >>> import numpy as np
        >>> from functrace.testing import gradient_check
        >>> check = gradient_check(lambda x: np.sum(x**2), np.array([1.0, 2.0]), show=False)
        >>> bool(check), check.wrong
        (True, [])
        >>> check.analytical.round(3)
        array([2., 4.])
    """

    HEADERS = "parameters", "shape", "difference", ""

    def __init__(
        self,
        name: str,
        eps: float,
        leaves: Sequence[Leaf],
        difference: float,
        wrong: Sequence[Entry],
        gradients: tuple[Any, Any],
    ) -> None:
        self.name = name
        self.eps = eps
        self.leaves = list(leaves)
        self.difference = difference
        self.wrong = list(wrong)
        self.analytical, self.numerical = gradients
        self.suspect: Suspect | None = None

    def __bool__(self) -> bool:
        return all(leaf.is_right for leaf in self.leaves)

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [
            (
                leaf.path,
                "x".join(map(str, leaf.shape)) or "number",
                f"{leaf.difference:.2e}",
                "right" if leaf.is_right else "WRONG",
            )
            for leaf in self.leaves
        ]
        return [*rows, ("all", "", f"{self.difference:.2e}", "right" if self else "WRONG")]

    def _remarks(self) -> list[str]:
        shown = [
            f"{one.name}: analytical {one.analytical:.10g}, numerical {one.numerical:.10g}"
            for one in self.wrong[:MOST_ENTRIES]
        ]
        more = len(self.wrong) - len(shown)
        shown += [f"and {more} more entries are wrong"] * (more > 0)
        return [*shown, f"look at {self.suspect}"] if self.suspect else shown

    @property
    def _title(self) -> str:
        formula = "||analytical - numerical|| / (||analytical|| + ||numerical||)"
        return f"gradient of {self.name}: {formula}, eps = {self.eps:g}"

    def __str__(self) -> str:
        table = text_table(self.HEADERS, self._rows(), left=(0, 3))
        return "\n".join([self._title, table, *self._remarks()])

    def __repr__(self) -> str:
        state = "right" if self else f"{len(self.wrong)} wrong"
        return f"<gradient check of {self.name}: {state}, difference {self.difference:.2e}>"

    def _repr_html_(self) -> str:
        remarks = html_table(("wrong",), [(text,) for text in self._remarks()])
        return f"<p>{escaped(self._title)}</p>{html_table(self.HEADERS, self._rows())}" + (
            remarks if self.wrong else ""
        )


@overload
def gradient_check(
    f: Callable[..., Any],
    *,
    argnums: int = 0,
    gradient: Any = None,
    eps: float = 1e-5,
    tolerance: float | None = None,
    show: bool = True,
) -> Callable[..., GradientCheck]: ...
@overload
def gradient_check(
    f: Callable[..., Any],
    first: Any,
    /,
    *args: Any,
    argnums: int = 0,
    gradient: Any = None,
    eps: float = 1e-5,
    tolerance: float | None = None,
    show: bool = True,
) -> GradientCheck: ...
@boundary
def gradient_check(
    f: Callable[..., Any],
    *args: Any,
    argnums: int = 0,
    gradient: Any = None,
    eps: float = 1e-5,
    tolerance: float | None = None,
    show: bool = True,
) -> Any:
    """Compare a gradient with central differences, as one should before one trusts it.

    The measure is the relative difference ``||a - n|| / (||a|| + ||n||)`` of the gradient a and
    the differences ``n = (f(x + eps) - f(x - eps)) / (2 eps)``, taken in double precision. Both
    are computed for every number of the parameters: for what has many, `check_grads` takes less.

    Args:
        f: A function whose output is one real number.
        args: Its arguments; without them a function is returned that takes them.
        argnums: The position of the argument with the parameters, a tree of arrays.
        gradient: What is checked: a gradient that you computed, a tree like the parameters, or a
            function of the arguments that returns one. By default it is ``functrace.grad(f)``.
        eps: The step.
        tolerance: Below it a relative difference is right; by default 1e-7, and 2e-3 for parameters
            in single precision. What rounding alone may make of the differences is right, too.
        show: Whether the result is printed.

    Returns:
        What was found. It is true if the gradient is right; ``check.difference`` is the relative
        difference, ``check.leaves`` has that of each array, and ``check.wrong`` lists the entries
        that are wrong. Where the derivative rule of one operation is wrong it is named.

    Raises:
        NonScalarOutputError: The output is not one number.
        ArgumentError: The gradient is no tree like the parameters, or these hold no floating-point
            number.

    Example:
        >>> import numpy as np
        >>> from functrace.testing import gradient_check
        >>> def loss(params, x):
        ...     return np.sum((x @ params["w"] - params["b"]) ** 2)
        >>> params = {"w": np.array([1.0, 2.0]), "b": 0.5}
        >>> by_hand = {"w": np.array([1.0, 7.0]), "b": -4.0}
        >>> check = gradient_check(loss, params, np.eye(2), gradient=by_hand)
        gradient of loss: ||analytical - numerical|| / (||analytical|| + ||numerical||), eps = 1e-05
        parameters   shape  difference
        params['b']  number  ...  right
        params['w']       2  ...  WRONG
        all                  ...  WRONG
        params['w'][1]: analytical 7, numerical 3
        >>> bool(check)
        False
    """
    require_callable(f, "gradient_check", "f")
    if not args:
        options: dict[str, Any] = {
            "argnums": argnums, "gradient": gradient, "eps": eps, "tolerance": tolerance,
            "show": show,
        }  # fmt: skip
        return transformed(f, gradient_check, **options)(partial(gradient_check, f, **options))
    position = range(len(args))[argnums]
    parameter = args[position]
    checked = gradient
    if checked is None:
        checked = grad(f, position, allow_int=True)
    if callable(checked):
        checked = checked(*args)
    leaves, structure = tree.flatten(parameter)
    name = parameter_name(f, position)
    if not any(type_of(leaf).is_inexact for leaf in leaves):
        raise ArgumentError(
            f"There is no derivative to check: {name} holds no floating-point number.",
            advice="Write 3.0 in place of 3, or np.array([1.0, 2.0]) in place of np.array([1, 2]).",
        )
    try:
        analytical = structure.flatten_up_to(checked)
    except ValueError as error:
        raise ArgumentError(f"The gradient is no tree like the parameters. {error}") from None
    numerical = _central_differences(f, args, position, eps)
    found: list[Leaf] = []
    wrong: list[Entry] = []
    everything: list[tuple[np.ndarray, np.ndarray]] = []
    size = abs(_number(f(*args)))
    rounding = float(np.finfo(float).eps) * (max(1.0, size) if np.isfinite(size) else 1.0) / eps
    for path, leaf, a, n in zip(structure.paths(), leaves, analytical, numerical, strict=True):
        type = type_of(leaf)
        if not type.is_inexact:
            continue
        where = f"{name}{tree.keystr(path)}"
        a = np.asarray(widened(np.zeros(type.shape) if a is None else a))  # noqa: PLW2901
        if a.shape != type.shape:
            raise ArgumentError(
                f"The gradient by {where} has the shape {a.shape}, not {type.shape}."
            )
        everything.append((a.ravel(), n.ravel()))
        limit = tolerance
        if limit is None:
            is_double = np.finfo(type.dtype).bits >= 64
            limit = IN_DOUBLE if is_double else tolerances([type], None, None)[0]
        difference = _relative_difference(a, n)
        size = sum(norm(x[np.isfinite(x)]) for x in (a, n))
        allowed = max(limit * size / max(np.sqrt(a.size), 1), 8 * rounding)
        is_wrong = ~(np.abs(a - n) <= allowed)
        is_right = difference < limit or not is_wrong.any()
        found.append(Leaf(where, type.shape, difference, is_right))
        if not is_right:
            wrong += [
                Entry(f"{where}{list(index) or ''}", where, index, a[index], n[index])
                for index in map(tuple, np.argwhere(is_wrong).tolist())
            ]
    wrong.sort(key=lambda one: -np.nan_to_num(abs(one.analytical - one.numerical), nan=np.inf))
    both = [np.concatenate(parts) for parts in zip(*everything, strict=True)] or [np.zeros(0)] * 2
    check = GradientCheck(
        getattr(f, "__name__", "a function"), eps, found, _relative_difference(*both), wrong,
        (checked, structure.unflatten(numerical)),
    )  # fmt: skip
    if not check and gradient is None:
        check.suspect = _suspect(f, args, position)
    if show:
        sys.stdout.write(f"{check}\n")
    return check


def _relative_difference(a: np.ndarray, n: np.ndarray) -> float:
    size = norm(a) + norm(n)
    return norm(a - n) / size if size else 0.0


def _number(y: Any) -> float:
    """A result, in double precision."""
    array = np.asarray(y)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise NonScalarOutputError(
            f"gradient_check needs a function that returns one real number, not a {type_of(y)}."
        )
    return float(array.reshape(()))


def _central_differences(
    f: Callable[..., Any], args: Sequence[Any], position: int, eps: float
) -> list[Any]:
    """The gradient by each leaf of an argument; None where it holds whole numbers."""
    leaves, structure = tree.flatten(args[position])
    gradients: list[Any] = []
    for number, leaf in enumerate(leaves):
        kind = type_of(leaf).dtype.kind
        if kind not in "fc":
            gradients.append(None)
            continue
        x = np.array(widened(leaf))
        gradient = np.zeros_like(x)

        def value(index: tuple[int, ...], new: Any, number: int = number, x: Any = x) -> float:
            old, x[index] = x[index], new
            moved = [*leaves[:number], x.copy()[()], *leaves[number + 1 :]]
            x[index] = old
            argument = structure.unflatten(moved)
            return _number(f(*args[:position], argument, *args[position + 1 :]))

        for index in np.ndindex(x.shape):
            for unit in (1.0,) if kind == "f" else (1.0, 1j):
                above, below = x[index] + eps * unit, x[index] - eps * unit
                slope = (value(index, above) - value(index, below)) / abs(above - below)
                gradient[index] += slope / unit
        gradients.append(gradient)
    return gradients


def _suspect(f: Callable[..., Any], args: Sequence[Any], position: int) -> Suspect | None:
    leaves, structure = tree.flatten(args[position])
    active = [n for n, leaf in enumerate(leaves) if type_of(leaf).is_inexact]

    def flat(*values: Any) -> list[Any]:
        given = list(leaves)
        for number, value in zip(active, values, strict=True):
            given[number] = value
        return [f(*args[:position], structure.unflatten(given), *args[position + 1 :])]

    return suspect(flat, [leaves[n] for n in active], "vjp")
