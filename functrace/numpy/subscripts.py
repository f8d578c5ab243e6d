"""`numpy.einsum`: its subscripts are brought into the form that `contract` has.

An einsum becomes a list of steps: diagonals and sums of single operands, and contractions of two.
The steps follow from the subscripts and the shapes alone, and are found once for each of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from functrace.errors import ShapeMismatchError
from functrace.ir.types import Shape
from functrace.primitives.contracting import LABELS, contract
from functrace.primitives.linear import as_array, as_scalar, cast_to, dtype_of, shape_of
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.operands import strong_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind
from functrace.tracing.views import lies_as


@implements(np.einsum)
@lies_as(np.einsum, keeps_rows=False, of_types=True)
def einsum(
    *operands: Any,
    out: Any = None,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
    optimize: Any = False,
) -> Any:
    """As `numpy.einsum`; several operands are contracted in the order that takes least work."""
    reject_out(out)
    text, arrays = _operands_of(operands)
    arrays = [strong_operand(x) for x in arrays]
    if dtype is not None:
        arrays = [cast_to(x, np.dtype(dtype)) for x in arrays]
    path = None
    if isinstance(optimize, list | tuple) and optimize and optimize[0] == "einsum_path":
        path = tuple(tuple(step) for step in optimize[1:])
    shapes = tuple(map(shape_of, arrays))
    steps = _schedule(text, shapes, path)
    dtypes = {dtype_of(x) for x in arrays}
    if len(dtypes) > 1 and (len(steps) > 1 or len(arrays) > 2):
        # What is summed before it meets the others must not overflow, nor be a boolean.
        joint = np.result_type(*dtypes)
        arrays = [x if dtype_of(x) == joint else cast_to(x, joint) for x in arrays]
    values: list[Any] = arrays  # the operands, and behind them the result of each step
    for step, numbers, parameter in steps:
        values.append(step(*(values[number] for number in numbers), parameter))
    result = values[-1]
    if shape_of(result):
        return result
    if optimize is not False and _is_array(text, shapes, _hashable(optimize)):
        return as_array(result)
    return as_scalar(result)


def _hashable(optimize: Any) -> Any:
    return tuple(map(_hashable, optimize)) if isinstance(optimize, list | tuple) else optimize


@lru_cache(maxsize=1024)
def _is_array(text: str, shapes: tuple[Shape, ...], optimize: Any) -> bool:
    """Whether NumPy gives a result without axes as an array: where it ends with a `tensordot`."""
    zero = np.zeros(())
    stand_ins = [np.broadcast_to(zero, shape) for shape in shapes]
    path, _ = np.einsum_path(text, *stand_ins, optimize=optimize)
    small = [np.zeros([min(length, 2) for length in shape]) for shape in shapes]
    return isinstance(np.einsum(text, *small, optimize=path), np.ndarray)


# The operands


def _operands_of(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """The subscripts as one string, and the arrays, from either form of arguments."""
    if not operands:
        raise ValueError("must specify the einstein sum subscripts string and at least one operand")
    if isinstance(operands[0], str):
        return operands[0], list(operands[1:])
    arrays, sublists = list(operands[::2]), list(operands[1::2])
    output = None
    if len(arrays) > len(sublists):
        output = arrays.pop()
    numbers = sorted({i for part in [*sublists, output or []] for i in part if i is not Ellipsis})
    letter = dict(zip(numbers, LABELS[26:] + LABELS[:26], strict=False))

    def text(sublist: Sequence[Any]) -> str:
        return "".join("..." if i is Ellipsis else letter[i] for i in sublist)

    joined = ",".join(map(text, sublists))
    return (joined if output is None else f"{joined}->{text(output)}"), arrays


def _labelled(text: str, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The labels of each operand and of the output, with letters in place of ellipses.

    Raises:
        ValueError: The subscripts do not fit the operands.
    """
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise ValueError(
            f"einsum subscripts {text!r} are for {len(terms)} operands, but there are {len(ranks)}"
        )
    free = "".join(label for label in LABELS if label not in text)
    most = 0
    for number, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        named = len(term.replace("...", ""))
        hidden = rank - named
        if hidden < 0 or (hidden and "..." not in term):
            raise ValueError(
                f"einsum subscripts {term!r} do not fit operand {number}, which has {rank} axes"
            )
        most = max(most, hidden if "..." in term else 0)
    ellipsis = free[:most]
    full = tuple(
        term.replace("...", ellipsis[most - (rank - len(term.replace("...", ""))) :])
        for term, rank in zip(terms, ranks, strict=True)
    )
    if arrow:
        output = output.replace("...", ellipsis)
    else:
        joined = "".join(full)
        once = sorted({c for c in joined if joined.count(c) == 1 and c not in ellipsis})
        output = ellipsis + "".join(once)
    for label in output:
        if output.count(label) > 1 or not any(label in term for term in full):
            raise ValueError(
                f"einsum subscripts {text!r}: the output label {label!r} appears twice, or in no "
                "operand"
            )
    for term in full:
        if not all(label in LABELS for label in term):
            raise ValueError(f"einsum subscripts {text!r}: labels must be letters")
    return full, output


def _lengths(terms: Sequence[str], shapes: Sequence[Shape]) -> dict[str, int]:
    """The length that each label stands for.

    Raises:
        ValueError: Axes with the same label have different lengths, none of them 1.
    """
    lengths: dict[str, int] = {}
    for labels, shape in zip(terms, shapes, strict=True):
        for label, length in zip(labels, shape, strict=True):
            known = lengths.get(label, 1)
            same_operand = labels.count(label) > 1 and shape[labels.index(label)] != length
            if same_operand or (known != length and 1 not in (known, length)):
                raise ShapeMismatchError(
                    f"einsum: the label {label!r} stands for axes of the lengths "
                    f"{shape[labels.index(label)] if same_operand else known} and {length}; "
                    f"the operands have shapes {', '.join(map(str, shapes))}.",
                    source_of(user_place(2)),
                )
            lengths[label] = length if known == 1 else known
    return lengths


# The steps


Step = tuple[Callable[..., Any], tuple[int, ...], Any]
"""A function, the numbers of the values that it is applied to, and its parameter."""


def _contract_step(x: Any, y: Any, subscripts: str) -> Any:
    return bind(contract, x, y, subscripts=subscripts)


def _diagonal_step(x: Any, axes: tuple[int, int]) -> Any:
    return np.diagonal(x, 0, *axes)


def _sum_step(x: Any, axes: tuple[int, ...]) -> Any:
    return np.add.reduce(x, axis=axes, dtype=dtype_of(x))


def _copy_step(x: Any, _: None) -> Any:
    return x


class _Scheduler:
    """Finds the steps of an einsum from labels and shapes, without any values.

    Attributes:
        steps: The steps so far.
        shapes: The shapes of the operands and of the steps' results.
        terms: For each operand that is left, the number of its value and its labels.
    """

    def __init__(self, terms: Sequence[str], output: str, shapes: Sequence[Shape]) -> None:
        self.steps: list[Step] = []
        self.shapes = list(shapes)
        self.terms = list(enumerate(terms))
        self.output = output
        self.lengths = _lengths(terms, shapes)

    def append(
        self, step: Callable[..., Any], numbers: tuple[int, ...], parameter: Any, labels: str
    ) -> tuple[int, str]:
        """Add a step; its result is a term with these labels."""
        self.steps.append((step, numbers, parameter))
        self.shapes.append(tuple(self.lengths[label] for label in labels))
        return len(self.shapes) - 1, labels

    def without_repeats(self, number: int, labels: str) -> tuple[int, str]:
        """Take the diagonal of a label that stands twice, and drop axes that are broadcast.

        An axis of length 1 whose label stands for more in another place is broadcast; without
        the axis that happens by itself.
        """
        shape = self.shapes[number]
        gone = tuple(i for i, x in enumerate(labels) if shape[i] == 1 and self.lengths[x] != 1)
        if gone:
            labels = "".join(label for i, label in enumerate(labels) if i not in gone)
            number, labels = self.append(np.squeeze, (number,), gone, labels)
        for label in dict.fromkeys(labels):
            while labels.count(label) > 1:
                i = labels.index(label)
                j = labels.index(label, i + 1)
                labels = labels[:i] + labels[i + 1 : j] + labels[j + 1 :] + label
                number, labels = self.append(_diagonal_step, (number,), (i, j), labels)
        return number, labels

    def without_lonely(self, number: int, labels: str, wanted: set[str]) -> tuple[int, str]:
        """Sum over the labels that nobody else has."""
        axes = tuple(i for i, label in enumerate(labels) if label not in wanted)
        if not axes:
            return number, labels
        left = "".join(label for label in labels if label in wanted)
        return self.append(_sum_step, (number,), axes, left)

    def contract(self, positions: Sequence[int]) -> None:
        """Contract some of the terms that are left, and put the result behind the others."""
        taken = [self.terms[i] for i in positions]
        rest = [term for i, term in enumerate(self.terms) if i not in positions]
        result = taken[0]
        for place, other in enumerate(taken[1:], 2):
            later = {*self.output, *(x for _, labels in rest + taken[place:] for x in labels)}
            first, x = self.without_lonely(*result, later | set(other[1]))
            second, y = self.without_lonely(*other, later | set(x))
            kept = "".join(label for label in dict.fromkeys(x + y) if label in later)
            if set(kept) == set(self.output):
                kept = self.output
            result = self.append(_contract_step, (first, second), f"{x},{y}->{kept}", kept)
        self.terms = [*rest, result]

    def finish(self) -> None:
        """Bring the axes of the only term that is left into the output's order."""
        ((number, labels),) = self.terms
        number, labels = self.without_lonely(number, labels, set(self.output))
        if labels != self.output:
            order = tuple(labels.index(label) for label in self.output)
            self.append(np.transpose, (number,), order, self.output)
        elif not self.steps:
            self.append(_copy_step, (number,), None, labels)


@lru_cache(maxsize=1024)
def _schedule(
    text: str, shapes: tuple[Shape, ...], path: tuple[tuple[int, ...], ...] | None
) -> list[Step]:
    """The steps of an einsum."""
    terms, output = _labelled(text.replace(" ", ""), tuple(map(len, shapes)))
    scheduler = _Scheduler(terms, output, shapes)
    scheduler.terms = [scheduler.without_repeats(*term) for term in scheduler.terms]
    count = len(terms)
    if path is None:
        path = ((0, 1),) if count == 2 else ()
        if count > 2:
            path = _best_path([labels for _, labels in scheduler.terms], output, scheduler.lengths)
    for positions in path:
        if len(positions) > 1:
            scheduler.contract(positions)
    scheduler.finish()
    return scheduler.steps


def _best_path(
    terms: Sequence[str], output: str, lengths: dict[str, int]
) -> tuple[tuple[int, ...], ...]:
    """NumPy's choice of an order for several operands, by the number of multiplications."""
    zero = np.zeros(())
    stand_ins = [np.broadcast_to(zero, [lengths[x] for x in labels]) for labels in terms]
    path, _ = np.einsum_path(f"{','.join(terms)}->{output}", *stand_ins, optimize="greedy")
    return tuple(tuple(step) for step in path[1:])
