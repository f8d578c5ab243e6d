"""A report of gradients, parameter by parameter: what vanishes, explodes, or is dead.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from functrace import tree
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.types import type_of
from functrace.primitives.contracting import CONTRACTIONS
from functrace.texts import html_table, text_table
from functrace.tracebacks import boundary
from functrace.tracing.expressions import line_at
from functrace.tracing.places import source_of
from functrace.transforms.arguments import parameter_name
from functrace.transforms.backward import backward
from functrace.transforms.following import (
    FollowingTape,
    all_cotangents,
    inexact_inputs,
    outputs_of,
)
from functrace.transforms.reverse import value_and_grad
from functrace.transforms.tape import Row as Recorded
from functrace.transforms.transformed import require_callable, transformed
from functrace.tree.showing import norm

VANISHING = 1e-5
"""A gradient is vanishing whose mean square is so small beside that of the largest one."""
EXPLODING = 1.0
"""A gradient is exploding that would change its parameters by so much of themselves in a step."""


class Row(NamedTuple):
    """What is known of one array of parameters.

    Attributes:
        name: How the user would write it: ``params['W1']``.
        shape: Of the array.
        value: The norm of the array.
        gradient: The norm of its gradient.
        zeros: The share of zeros in the gradient.
        dead: How many units get no gradient at all: columns of a matrix by which examples are
            multiplied, rows of one that multiplies them, filters.
        ratio: By how much of itself a step of the given rate changes the array.
        verdict: In words what is wrong; empty where nothing is.
    """

    name: str
    shape: tuple[int, ...]
    value: float
    gradient: float
    zeros: float
    dead: int
    ratio: float
    verdict: str


class Stop(NamedTuple):
    """An operation whose derivative is zero, wholly or for some units: of a dead layer, say.

    Attributes:
        operation: The name of the primitive.
        place: The user's file and line, and the function; empty where it is not known.
        line: That line of code.
        parameter: The array of parameters that was used last before.
        units: How many units have a derivative of zero for all examples.
        of: Of how many; 0 where all numbers have.
        times: How often the operation is done so.
    """

    operation: str
    place: str
    line: str
    parameter: str
    units: int
    of: int
    times: int

    def __str__(self) -> str:
        what = f"{self.units} of {self.of} units get no gradient" if self.of else "no gradient gets"
        often = f", {self.times} times" if self.times > 1 else ""
        at = f", at {self.place}" if self.place else ""
        return f"{what} through {self.operation} after {self.parameter}{often}{at}: {self.line}"


class GradientReport:
    """A table with a row for each array of parameters, which prints and shows itself.

    Attributes:
        loss: The value of the loss.
        rows: In the order of the leaves.
        rate: The rate that update ratios are of.
        stops: The operations that let no gradient through, where a gradient has zeros.
    """

    HEADERS = "parameters", "shape", "norm", "gradient", "zeros", "dead", "update", ""

    def __init__(
        self, loss: Any, rows: Sequence[Row], rate: float, stops: Sequence[Stop] = ()
    ) -> None:
        self.loss = loss
        self.rows = list(rows)
        self.rate = rate
        self.stops = list(stops)

    @property
    def faults(self) -> dict[str, str]:
        """The verdicts by the names of the arrays, of those where something is wrong."""
        return {row.name: row.verdict for row in self.rows if row.verdict}

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                row.name,
                "x".join(map(str, row.shape)) or "number",
                f"{row.value:.3g}",
                f"{row.gradient:.3g}",
                f"{row.zeros:.0%}",
                str(row.dead) if row.dead else "",
                f"{row.ratio:.1e}",
                row.verdict,
            )
            for row in self.rows
        ]

    def __str__(self) -> str:
        title = f"loss {self.loss:.6g}; updates of the rate {self.rate:g}"
        table = text_table(self.HEADERS, self._cells(), left=(0, 7))
        return "\n".join([title, table, *map(str, self.stops)])

    def __repr__(self) -> str:
        return f"<gradient report of {len(self.rows)} arrays, {len(self.faults)} with a fault>"

    def _repr_html_(self) -> str:
        title = f"loss {self.loss:.6g}; updates of the rate {self.rate:g}"
        stops = html_table(("no gradient",), [(str(stop),) for stop in self.stops])
        table = html_table(self.HEADERS, self._cells())
        return f"<p>{title}</p>{table}" + (stops if self.stops else "")

    def plot(self, axes: Any) -> None:
        """Draw norms on axes of matplotlib's: of gradients as bars, of values as dots.

        Where something is wrong the bar is red. Norms that are zero, or not finite, have no place
        on the logarithmic scale and are left out.
        """
        names = [row.name for row in self.rows]
        places = range(len(names))
        norms, values = (
            [x if np.isfinite(x) else 0.0 for x in found]
            for found in zip(*((row.gradient, row.value) for row in self.rows), strict=True)
        )
        colours = ["tab:red" if row.verdict else "tab:blue" for row in self.rows]
        axes.barh(places, norms, color=colours, label="gradient")
        axes.plot(values, places, "o", color="0.5", label="value")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        if any(norms) or any(values):
            axes.set_xscale("log")
        axes.set(xlabel="norm", title="gradients; faults in red")
        axes.legend()


@boundary
def gradient_report(
    loss: Callable[..., Any], argnums: int = 0, *, rate: float = 1e-2, has_aux: bool = False
) -> Callable[..., GradientReport]:
    """Make a function that tells of each array of parameters how its gradient is.

    Args:
        loss: A scalar function, as `grad` takes it.
        argnums: The argument with the parameters.
        rate: The learning rate of the updates that are told of.
        has_aux: Whether the loss returns a pair of its value and other data.

    Returns:
        A function of the arguments of ``loss`` that returns a `GradientReport`: for each array its
        norm and that of its gradient, the share of zeros in the gradient, how many units (columns
        of ``W`` in ``x @ W``, rows in ``W @ x``, filters) get none at all, the ratio of an update
        of gradient descent to the array; and in words what is wrong: a gradient that is not finite,
        that is zero, that is vanishing beside the others, or that would change the parameters by
        all that they are. Where a gradient has zeros, ``report.stops`` has the operations and lines
        that let none through: those of dead units. Print it, or let a notebook show it;
        ``report.plot(axes)`` draws it, ``report.faults`` has the words alone.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def loss(params, x):
        ...     h = np.maximum(x @ params["V"] - 100.0, 0)
        ...     return np.sum((h @ params["w"] - 1.0) ** 2)
        >>> params = {"V": np.ones((2, 3)), "w": np.ones(3)}
        >>> print(ft.gradient_report(loss)(params, np.ones((4, 2))))
        loss 4; updates of the rate 0.01
        parameters   shape  norm  gradient  zeros  dead   update
        params['V']    2x3  2.45         0   100%     3  0.0e+00  no gradient: it is zero everywhere
        params['w']      3  1.73         0   100%        0.0e+00  no gradient: it is zero everywhere
        no gradient gets through maximum after params['V'], at ... in loss: h = np.maximum(...
    """
    require_callable(loss, "gradient_report")
    differentiated: Any = value_and_grad(loss, argnums, has_aux=has_aux)

    @transformed(loss, gradient_report)
    @boundary
    def report(*args: Any, **options: Any) -> GradientReport:
        value, gradient = differentiated(*args, **options)
        value = value[0] if has_aux else value
        name = parameter_name(loss, argnums)
        leaves = tree.leaves_with_path(args[argnums])
        found = tree.leaves(gradient)
        norms = [norm(g) for g in found]
        means = [x / max(np.size(g), 1) ** 0.5 for x, g in zip(norms, found, strict=True)]
        largest = max(filter(np.isfinite, means), default=0.0)
        followed: _Followed | None = None
        if any(np.any(np.equal(g, 0)) for g in found):
            with suppress(Exception):  # what was compared may be taken for plain NumPy's
                followed = _follow(loss, argnums, args, options)
        units = {} if followed is None else followed.units()
        rows = [
            _row(f"{name}{tree.keystr(path)}", leaf, g, mean, largest, rate, units.get(number, -1))
            for number, ((path, leaf), g, mean) in enumerate(zip(leaves, found, means, strict=True))
        ]
        with_zeros = {number: row for number, row in enumerate(rows) if row.zeros}
        stops = [] if followed is None else _stops(followed, with_zeros)
        return GradientReport(value, rows, rate, stops)

    return report


def _row(
    name: str, leaf: Any, gradient: Any, mean: float, largest: float, rate: float, units: int
) -> Row:
    value, size = norm(leaf), norm(gradient)
    is_zero = np.equal(gradient, 0)
    axes = _other_axes(np.ndim(gradient), units)
    dead = int(np.sum(np.all(is_zero, axis=axes))) if axes and is_zero.size else 0
    ratio = rate * size / value if value else 0.0
    return Row(
        name, np.shape(leaf), value, size, float(np.mean(is_zero)) if is_zero.size else 0.0,
        dead, ratio, _verdict(size, mean, largest, ratio, dead, np.shape(gradient), units),
    )  # fmt: skip


def _other_axes(rank: int, units: int) -> tuple[int, ...]:
    """All axes but that of the units."""
    return tuple(axis for axis in range(rank) if axis != units % rank)


def _verdict(
    size: float,
    mean: float,
    largest: float,
    ratio: float,
    dead: int,
    shape: Sequence[int],
    units: int,
) -> str:
    if not np.isfinite(size):
        return "not finite: functrace.find_nan() says where it comes from"
    if not size:
        return "no gradient: it is zero everywhere" if 0 not in shape else ""
    if mean < VANISHING * largest:
        return "vanishing beside the others"
    if ratio > EXPLODING:
        return "exploding: an update is larger than the parameters"
    return f"{dead} of {shape[units]} units get no gradient" if dead else ""


# Where gradients stop


class _FlatTape(FollowingTape):
    """A tape of the operations within loops and jitted functions, each with its line."""

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run what holds Programs equation by equation, and keep a row of all else."""
        if primitive.holds_programs and not primitive.calls_python:
            return primitive.interpret(inputs, params)
        return super().record(primitive, inputs, params)


class _Followed(NamedTuple):
    """A loss that was computed on a tape.

    Attributes:
        tape: The tape, of which the first variables are the arrays of parameters.
        value: The loss.
        variable: Its variable; None if it is a constant.
    """

    tape: _FlatTape
    value: Any
    variable: int | None

    def units(self) -> dict[int, int]:
        """The axis of the units in arrays of parameters: that of a product, where that has one."""
        found = filter(None, (_product(row, self.tape.inputs) for row in self.tape.rows))
        return {parameter: axis for parameter, axis, _ in found}


def _product(row: Recorded, parameters: int) -> tuple[int, int, int] | None:
    """The parameters in a product, the axis of the units in them, and that in the result."""
    if row[0].name not in CONTRACTIONS:
        return None
    operands, _, output = row[3]["subscripts"].partition("->")
    first, second = operands.split(",")
    for number, own, other in zip(row[2], (first, second), (second, first), strict=True):
        labels = [label for label in own if label in output and label not in other]
        if number is not None and number < parameters and len(labels) == 1:
            return number, own.index(labels[0]), output.index(labels[0])
    return None


def _follow(
    loss: Callable[..., Any], argnums: int, args: Sequence[Any], options: Mapping[str, Any]
) -> _Followed:
    leaves, structure = tree.flatten(args[argnums])
    position = range(len(args))[argnums]
    with _FlatTape(outlives=True) as tape:
        parameters = structure.unflatten(tape.lifted(leaves, [True] * len(leaves)))
        result = loss(*args[:position], parameters, *args[position + 1 :], **options)
        return _Followed(tape, *tape.output(tree.leaves(result)[0]))


def _stops(followed: _Followed, with_zeros: Mapping[int, Row]) -> list[Stop]:
    """The operations with a derivative of zero, after the parameters that are told of."""
    tape, value, variable = followed
    if variable is None:
        return []
    read = _read_for(variable, tape.rows)
    rows = [row for row in tape.rows if not read.isdisjoint(outputs_of(row))]
    passing = {n for row in rows if not row[0].locally_constant for n in inexact_inputs(row)}
    passing.discard(None)
    seeds = {variable: np.ones_like(value)[()]} if type_of(value).is_inexact else {}
    cotangents = all_cotangents(tape, seeds)
    found: dict[tuple[Any, ...], Stop] = {}
    last: int | None = None
    units = -1
    for row in tape.rows:
        used = [x for x in row[2] if x is not None and x < tape.inputs]
        last = used[-1] if used else last
        product = _product(row, tape.inputs)
        units = units if product is None else product[2] - np.ndim(row[4])
        about = None if last is None else with_zeros.get(last)
        if about is None or read.isdisjoint(outputs_of(row)):
            continue
        if row[0].locally_constant and (about.gradient or not passing.isdisjoint(row[2])):
            continue  # rounding or a comparison beside other ways does no harm
        counts = _without_derivative(row, [cotangents[n] for n in outputs_of(row)], units)
        if counts is None:
            continue
        source = source_of(row[6])
        key = row[0].name, source, last, counts
        times = found[key].times + 1 if key in found else 1
        found[key] = Stop(
            PRIMITIVES.get(row[0].name, row[0]).name,
            "" if source is None else str(source),
            "" if source is None else line_at((source.code, source.instruction)).strip(),
            about.name, *counts, times,
        )  # fmt: skip
    return [*found.values()]


def _read_for(variable: int, rows: Sequence[Recorded]) -> set[int]:
    """The variables of whose numbers one is computed, those left out that only choose numbers."""
    found = {variable}
    for row in reversed(rows):
        if not found.isdisjoint(outputs_of(row)):
            variables, numbers = row[2], inexact_inputs(row)
            if (row[0].name == "select" or "index" in row[3]) and any(
                n is not None for n in numbers
            ):
                variables = numbers
            found.update(n for n in variables if n is not None)
    return found


def _without_derivative(
    row: Recorded, cotangents: Sequence[Any], units: int
) -> tuple[int, int] | None:
    """How many units of an operation have a derivative of zero, of how many; None if none has.

    Some have one for the cotangents alone that come back to them.
    """
    outputs = (row[4],) if isinstance(row[5], int) else row[4]
    if row[0].locally_constant:
        return (0, 0) if any(map(np.size, outputs)) else None
    seeds = [_seed(x) for x in outputs]
    if all(seed is None for seed in seeds):
        return None
    active = _pulled_back(row, seeds)
    if not _any(active) or (_any(cotangents) and not _any(_pulled_back(row, cotangents))):
        return 0, 0
    shape: tuple[int, ...] = np.shape(outputs[0])
    axes = _other_axes(len(shape), units) if -units <= len(shape) else ()
    are_several = any(shape[axis] > 1 for axis in axes)
    if not (are_several and row[0].is_elementwise) or any(np.shape(x) != shape for x in active):
        return None
    dead = int(np.sum(np.all([np.all(np.equal(x, 0), axis=axes) for x in active], axis=0)))
    return (dead, shape[units]) if dead else None


def _pulled_back(row: Recorded, seeds: Sequence[Any]) -> list[Any]:
    """The cotangents of an operation's inputs, for these of its outputs."""
    primitive, values, _, params, output, number, place = row
    count = len(values)
    own = tuple(None if n is None else i for i, n in enumerate(inexact_inputs(row)))
    cotangents: list[Any] = [None] * count + list(seeds)
    after = count if isinstance(number, int) else tuple(range(count, len(cotangents)))
    backward([(primitive, values, own, params, output, after, place)], cotangents, False)
    return [cotangents[i] for i in own if i is not None]


def _any(values: Sequence[Any]) -> bool:
    """Whether there is a number that is not zero."""
    return any(np.any(x) for x in values if x is not None)


def _seed(output: Any) -> Any:
    """A cotangent of which no two numbers are the same, so that no sum of them is zero."""
    array = np.asarray(output)
    if not array.size or array.dtype.kind not in "fc":
        return None
    return np.cos(np.arange(1.0, array.size + 1)).reshape(array.shape).astype(array.dtype)[()]
