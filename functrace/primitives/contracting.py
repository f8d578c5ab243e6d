"""Contractions: matrix products and everything that `numpy.einsum` writes with two operands.

There is one primitive, `contract`, with the subscripts as its parameter: ``"ij,jk->ik"`` is the
product of two matrices. Every label stands in at least two of the three places (the operands and
the output) and at most once in each, so both derivatives of a contraction are contractions again:
the two places that a derivative knows become the operands, and the third its output.

What is to be done for some subscripts is worked out once, as a `Plan`. A call then looks the plan
up and runs it: nothing about a string is computed twice.
"""

from __future__ import annotations

import operator
import string
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from functrace.errors import ShapeMismatchError
from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType, Shape, result_dtype
from functrace.primitives.linear import add_tangents, cast_to, conform, dtype_of, shape_of, widen
from functrace.tracing import (
    UFUNCS,
    as_operand,
    bind,
    implements,
    reject_out,
    source_of,
    user_place,
)

LABELS = string.ascii_letters
"""The labels of axes, as in `numpy.einsum`."""


class Plan(NamedTuple):
    """What is to be done for some subscripts.

    Attributes:
        first: The labels of the first operand.
        second: The labels of the second operand.
        output: The labels of the output.
        run: Computes the contraction of two NumPy arrays.
        pull_first: Subscripts that make the first operand's cotangent of the output's cotangent
            and the second operand.
        pull_second: Subscripts that make the second operand's cotangent of the first operand
            and the output's cotangent.
    """

    first: str
    second: str
    output: str
    run: Callable[[Any, Any], Any]
    pull_first: str
    pull_second: str


PLANS: dict[str, Plan] = {}
"""The plans that were made so far; how many there can be, the user's program decides."""


def plan_of(subscripts: str) -> Plan:
    """The plan for subscripts, made at its first use.

    Raises:
        ValueError: The subscripts are no contraction of two operands, or a label does not stand
            in two of the three places.
    """
    plan = PLANS.get(subscripts)
    if plan is None:
        operands, _, output = subscripts.partition("->")
        first, _, second = operands.partition(",")
        for label in {*first, *second, *output}:
            counts = [part.count(label) for part in (first, second, output)]
            if max(counts) > 1 or sum(counts) < 2 or not label.isalpha():
                raise ValueError(f"{subscripts!r} is no contraction of two operands")
        plan = PLANS[subscripts] = Plan(
            first,
            second,
            output,
            _runner(first, second, output),
            f"{output},{second}->{first}",
            f"{first},{output}->{second}",
        )
    return plan


# How it is run: by BLAS, after at most one rearrangement of each operand


def _runner(first: str, second: str, output: str) -> Callable[[Any, Any], Any]:
    """What computes a contraction of NumPy arrays."""
    batch = [label for label in output if label in first and label in second]
    rows = [label for label in output if label in first and label not in second]
    columns = [label for label in output if label in second and label not in first]
    summed = [label for label in first if label in second and label not in output]
    if not summed:
        return _product_runner(first, second, output)
    if rows and columns and output.index(columns[-1]) < output.index(rows[-1]):
        # With the operands exchanged, the product's own memory has the output's order.
        exchanged = _runner(second, first, output)
        return lambda x, y: exchanged(y, x)
    simple = {
        (tuple(rows + summed), tuple(summed + columns)): lambda x, y: x.dot(y),
        (tuple(summed + rows), tuple(summed + columns)): lambda x, y: x.T.dot(y),
        (tuple(rows + summed), tuple(columns + summed)): lambda x, y: x.dot(y.T),
        (tuple(summed + rows), tuple(columns + summed)): lambda x, y: x.T.dot(y.T),
    }.get((tuple(first), tuple(second)))
    few = not batch and max(len(rows), len(columns), len(summed)) == 1
    if simple is not None and few and list(output) == rows + columns:
        return simple
    return _general_runner(first, second, output, batch, rows, columns, summed)


def _product_runner(first: str, second: str, output: str) -> Callable[[Any, Any], Any]:
    """What computes a contraction that sums over nothing: a product with broadcasting."""

    def prepared(labels: str) -> Callable[[Any], Any]:
        order = _permutation(labels, [label for label in output if label in labels])
        index = tuple(slice(None) if label in labels else None for label in output)
        if order is None:
            return lambda x: x[index]
        return lambda x: x.transpose(order)[index]

    prepare_first, prepare_second = prepared(first), prepared(second)

    def product(x: Any, y: Any) -> Any:
        return prepare_first(x) * prepare_second(y)  # of two 0-d arrays NumPy makes a scalar

    return product


def _general_runner(
    first: str,
    second: str,
    output: str,
    batch: list[str],
    rows: list[str],
    columns: list[str],
    summed: list[str],
) -> Callable[[Any, Any], Any]:
    """What computes a contraction as one product of (stacks of) matrices."""
    order_first = _permutation(first, batch + rows + summed)
    order_second = _permutation(second, batch + summed + columns)
    order_output = _permutation("".join(batch + rows + columns), list(output))
    stack, row_count = len(batch), len(rows)
    summed_count = len(summed)
    keep_first = row_count == summed_count == 1
    keep_second = len(columns) == summed_count == 1

    def product_of_matrices(x: Any, y: Any) -> Any:
        if order_first is not None:
            x = x.transpose(order_first)
        if order_second is not None:
            y = y.transpose(order_second)
        row_shape: Shape = x.shape[stack : stack + row_count]
        column_shape: Shape = y.shape[stack + summed_count :]
        inner: Shape = x.shape[stack + row_count :]
        if inner != y.shape[stack : stack + summed_count]:
            raise ValueError(f"the axes {''.join(summed)} have different lengths")
        length = prod(inner)
        if not keep_first:
            x = x.reshape((*x.shape[:stack], prod(row_shape), length))
        if not keep_second:
            y = y.reshape((*y.shape[:stack], length, prod(column_shape)))
        product = x @ y if stack else x.dot(y)
        if not keep_first or not keep_second:
            product = product.reshape(product.shape[:stack] + row_shape + column_shape)
        if order_output is not None:
            return product.transpose(order_output)
        return product if output else product[()]

    return product_of_matrices


def _permutation(labels: str, wanted: list[str]) -> tuple[int, ...] | None:
    """The order of axes that brings labels into another order; None where they are in it."""
    order = tuple(labels.index(label) for label in wanted)
    return None if order == tuple(range(len(order))) else order


# The primitive


class Contract(Primitive):
    """The sum of products of two operands over the axes that the output does not have.

    Axes that have one label have one length. Only where the label stands in all three places may
    one operand have length 1 there, which is broadcast.
    """

    def run(self, x: Any, y: Any, *, subscripts: str) -> Any:
        """Run the plan."""
        plan = PLANS.get(subscripts) or plan_of(subscripts)
        if type(x) is not np.ndarray:
            x = np.asarray(x)
        if type(y) is not np.ndarray:
            y = np.asarray(y)
        return plan.run(x, y)

    def infer(self, x: ArrayType, y: ArrayType, *, subscripts: str) -> ArrayType:
        """The lengths of the output's labels, and the promoted dtype."""
        plan = plan_of(subscripts)
        lengths: dict[str, int] = {}
        for labels, type in ((plan.first, x), (plan.second, y)):
            if len(labels) != len(type.shape):
                raise ValueError(f"{type} does not have the axes {labels!r}")
            for label, length in zip(labels, type.shape, strict=True):
                known = lengths.get(label, length)
                broadcasts = 1 in (known, length) and label in plan.output
                if known != length and not broadcasts:
                    raise ValueError(f"the axes {label!r} have lengths {known} and {length}")
                lengths[label] = known if length == 1 else length
        shape = tuple(lengths[label] for label in plan.output)
        return ArrayType(shape, result_dtype(x, y))

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, subscripts: str
    ) -> Any:
        """Linear in each operand."""
        total = None
        if tangents[0] is not None:
            term = bind(self, tangents[0], inputs[1], subscripts=subscripts)
            total = widen(term, output)
        if tangents[1] is not None:
            term = bind(self, inputs[0], tangents[1], subscripts=subscripts)
            total = add_tangents(total, widen(term, output))
        return total

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        subscripts: str,
    ) -> Sequence[Any]:
        """The cotangent contracted with the other operand."""
        plan = PLANS.get(subscripts) or plan_of(subscripts)
        x, y = inputs
        first = second = None
        if needed[0] is not None:
            first = _applied(cotangent, y, plan.pull_first)
            if not _fits(first, x):
                first = conform(first, x)
        if needed[1] is not None:
            second = _applied(x, cotangent, plan.pull_second)
            if not _fits(second, y):
                second = conform(second, y)
        return first, second

    def batch(
        self,
        size: int,
        inputs: Sequence[Any],
        axes: Sequence[int | None],
        *,
        subscripts: str,
    ) -> tuple[Any, Any]:
        """One label more."""
        ranks = tuple(len(shape_of(x)) for x in inputs)
        batched = _batched_subscripts(subscripts, ranks, tuple(axes))
        return bind(self, *inputs, subscripts=batched), 0


contract = Contract("contract")


def _applied(x: Any, y: Any, subscripts: str) -> Any:
    """A contraction; of two plain arrays without the detour, as most of reverse mode is."""
    if type(x) is type(y) is np.ndarray:
        return (PLANS.get(subscripts) or plan_of(subscripts)).run(x, y)
    return bind(contract, x, y, subscripts=subscripts)


def _fits(cotangent: Any, primal: Any) -> bool:
    """Whether a cotangent of a plain array has its shape and dtype."""
    return (
        type(primal) is np.ndarray
        and cotangent.shape == primal.shape
        and cotangent.dtype == primal.dtype
    )


@lru_cache(maxsize=4096)
def _batched_subscripts(
    subscripts: str, ranks: tuple[int, ...], axes: tuple[int | None, ...]
) -> str:
    """Subscripts with a new label at the batch axes of the operands and in front of the output."""
    plan = plan_of(subscripts)
    new = next(label for label in LABELS if label not in subscripts)
    operands: list[str] = []
    for labels, rank, axis in zip((plan.first, plan.second), ranks, axes, strict=True):
        place = None if axis is None else axis % rank
        operands.append(labels if place is None else labels[:place] + new + labels[place:])
    return f"{operands[0]},{operands[1]}->{new}{plan.output}"


# NumPy's functions


_matmul_subscripts: dict[tuple[int, int], str] = {}


def _new_matmul_subscripts(first: int, second: int) -> str:
    """The subscripts of ``x @ y`` for operands of these ranks, none of them 0."""
    stack = max(first, second, 2) - 2
    rest = LABELS[: LABELS.index("i")] + LABELS[LABELS.index("l") :]
    x = rest[stack - max(first - 2, 0) : stack] + ("ij" if first > 1 else "j")
    y = rest[stack - max(second - 2, 0) : stack] + ("jk" if second > 1 else "j")
    output = rest[:stack] + "i" * (first > 1) + "k" * (second > 1)
    return _matmul_subscripts.setdefault((first, second), f"{x},{y}->{output}")


def matmul(x: Any, y: Any) -> Any:
    """As `numpy.matmul`."""
    ranks = len(shape_of(x)), len(shape_of(y))
    subscripts = _matmul_subscripts.get(ranks)
    if subscripts is None:
        if 0 in ranks:
            raise ShapeMismatchError(
                f"matmul does not take a scalar; the operands have shapes {shape_of(x)} and "
                f"{shape_of(y)}.",
                source_of(user_place(2)),
                "Multiply by a scalar with * instead.",
            )
        subscripts = _new_matmul_subscripts(*ranks)
    return bind(contract, x, y, subscripts=subscripts)


UFUNCS[np.matmul] = matmul


@implements(np.linalg.matmul)
def matmul_function(x1: Any, x2: Any, /) -> Any:
    """As `numpy.linalg.matmul`."""
    return np.matmul(x1, x2)


@lru_cache(maxsize=1024)
def _dot_subscripts(first: int, second: int) -> str:
    """The subscripts of ``np.dot`` for operands of these ranks, none of them 0."""
    x = LABELS[1:first] + "a"
    rest = LABELS[first : first + second - 1]
    y = rest[:-1] + "a" + rest[-1:]
    return f"{x},{y}->{LABELS[1:first]}{rest}"


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """As `numpy.dot`."""
    reject_out(out)
    a, b = _strong_operand(a), _strong_operand(b)
    ranks = len(shape_of(a)), len(shape_of(b))
    if 0 in ranks:
        return np.multiply(a, b)
    return bind(contract, a, b, subscripts=_dot_subscripts(*ranks))


def _strong_operand(x: Any) -> Any:
    """An operand of a function that makes arrays of Python scalars, in their own dtype."""
    x = as_operand(x)
    return dtype_of(x).type(x) if isinstance(x, bool | int | float | complex) else x


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """As `numpy.vdot`: the sum of products of all elements, with the first ones conjugated."""
    a, b = np.ravel(_strong_operand(a)), np.ravel(_strong_operand(b))
    return bind(contract, _conjugated(a), b, subscripts="a,a->")


def _conjugated(x: Any) -> Any:
    return np.conjugate(x) if dtype_of(x).kind == "c" else x


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """As `numpy.inner`."""
    a, b = _strong_operand(a), _strong_operand(b)
    first, second = len(shape_of(a)), len(shape_of(b))
    if first == 0 or second == 0:
        return np.multiply(a, b)
    x, y = LABELS[1:first], LABELS[first : first + second - 1]
    return bind(contract, a, b, subscripts=f"{x}a,{y}a->{x}{y}")


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """As `numpy.outer`."""
    reject_out(out)
    a, b = np.ravel(_strong_operand(a)), np.ravel(_strong_operand(b))
    return bind(contract, a, b, subscripts="i,j->ij")


@implements(np.linalg.outer)
def outer_of_vectors(x1: Any, x2: Any, /) -> Any:
    """As `numpy.linalg.outer`."""
    if len(shape_of(x1)) != 1 or len(shape_of(x2)) != 1:
        raise ValueError(
            f"Input arrays must be one-dimensional, but they are {shape_of(x1)} and {shape_of(x2)}."
        )
    return outer(x1, x2)


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """As `numpy.tensordot`."""
    a, b = _strong_operand(a), _strong_operand(b)
    first, second = shape_of(a), shape_of(b)
    try:
        of_a, of_b = axes
    except TypeError:
        of_a, of_b = range(len(first) - axes, len(first)), range(axes)
    of_a = [operator.index(axis) for axis in np.atleast_1d(of_a)]
    of_b = [operator.index(axis) for axis in np.atleast_1d(of_b)]
    fits = len(of_a) == len(of_b) and all(
        -len(first) <= i < len(first) and -len(second) <= j < len(second) and first[i] == second[j]
        for i, j in zip(of_a, of_b, strict=True)
    )
    if not fits:
        raise ShapeMismatchError(
            f"tensordot cannot sum over the axes {of_a} and {of_b} of operands with the shapes "
            f"{first} and {second}.",
            source_of(user_place(2)),
        )
    x = list(LABELS[: len(first)])
    y = list(LABELS[len(first) : len(first) + len(second)])
    for i, j in zip(of_a, of_b, strict=True):
        y[j] = x[i]
    output = "".join(label for label in x + y if (label in x) != (label in y))
    return bind(contract, a, b, subscripts=f"{''.join(x)},{''.join(y)}->{output}")


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """As `numpy.kron`."""
    a, b = _strong_operand(a), _strong_operand(b)
    rank = max(len(shape_of(a)), len(shape_of(b)))
    first = (1,) * (rank - len(shape_of(a))) + shape_of(a)
    second = (1,) * (rank - len(shape_of(b))) + shape_of(b)
    x = np.reshape(a, tuple(n for length in first for n in (length, 1)))
    y = np.reshape(b, tuple(n for length in second for n in (1, length)))
    return np.reshape(x * y, tuple(m * n for m, n in zip(first, second, strict=True)))


def _vector_products(name: str, subscripts: Callable[[int, int], str], *, conjugates: bool) -> None:
    """Enter one of NumPy's products of stacks of vectors and matrices, where NumPy has it."""
    ufunc = getattr(np, name, None)
    if ufunc is None:
        return

    def product(x: Any, y: Any) -> Any:
        first = _conjugated(x) if conjugates else x
        return bind(contract, first, y, subscripts=subscripts(len(shape_of(x)), len(shape_of(y))))

    product.__name__ = name
    UFUNCS[ufunc] = product


def _stacked_subscripts(x: str, y: str, output: str) -> Callable[[int, int], str]:
    """Subscripts by ranks, for cores with these labels and any axes in front of them."""

    @lru_cache(maxsize=1024)
    def subscripts(first: int, second: int) -> str:
        if first < len(x) or second < len(y):
            raise ValueError(f"the operands need {len(x)} and {len(y)} axes or more")
        stack = string.ascii_uppercase[: max(first - len(x), second - len(y))]
        head_x, head_y = stack[len(stack) - first + len(x) :], stack[len(stack) - second + len(y) :]
        return f"{head_x}{x},{head_y}{y}->{stack}{output}"

    return subscripts


_vector_products("vecdot", _stacked_subscripts("i", "i", ""), conjugates=True)
_vector_products("matvec", _stacked_subscripts("ij", "j", "i"), conjugates=False)
_vector_products("vecmat", _stacked_subscripts("i", "ij", "j"), conjugates=True)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As `numpy.linalg.vecdot`."""
    if axis != -1:
        x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    return UFUNCS[np.vecdot](x1, x2)  # pyright: ignore[reportCallIssue]


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], *, out: Any = None) -> Any:
    """As `numpy.linalg.multi_dot`."""
    reject_out(out)
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    inner_labels = LABELS[1 : len(arrays)]
    terms = [a + b for a, b in zip("a" + inner_labels[:-1], inner_labels, strict=True)]
    last = LABELS[len(arrays)]
    terms.append(inner_labels[-1] + last)
    output = "a" + last
    if len(shape_of(arrays[0])) == 1:
        terms[0], output = terms[0][1:], output[1:]
    if len(shape_of(arrays[-1])) == 1:
        terms[-1], output = terms[-1][:-1], output[:-1]
    return einsum(f"{','.join(terms)}->{output}", *arrays)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Any:
    """As `numpy.linalg.matrix_power`, by squaring."""
    n = operator.index(n)
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeMismatchError(
            f"matrix_power needs square matrices along the last two axes, not the shape {shape}.",
            source_of(user_place(2)),
        )
    if n == 0:
        return np.broadcast_to(np.eye(shape[-1], dtype=dtype_of(a)), shape)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    result: Any = None
    while True:
        if n % 2:
            result = a if result is None else np.matmul(result, a)
        n //= 2
        if n == 0:
            return result
        a = np.matmul(a, a)


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """As `numpy.cross`."""
    if axis is not None:
        axisa, axisb, axisc = axis, axis, axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    lengths = a.shape[-1], b.shape[-1]
    if not set(lengths) <= {2, 3}:
        raise ShapeMismatchError(
            f"cross needs vectors of length 2 or 3, not of the lengths {lengths}.",
            source_of(user_place(2)),
        )
    x, y = ([v[..., i] for i in range(v.shape[-1])] for v in (a, b))
    third = x[0] * y[1] - x[1] * y[0]
    if lengths == (2, 2):
        return third
    if lengths == (2, 3):
        parts = [x[1] * y[2], -(x[0] * y[2]), third]
    elif lengths == (3, 2):
        parts = [-(x[2] * y[1]), x[2] * y[0], third]
    else:
        parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], third]
    return np.moveaxis(np.stack(parts, -1), -1, axisc)


@implements(np.linalg.cross)
def cross_of_vectors(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As `numpy.linalg.cross`."""
    if shape_of(x1)[axis] != 3 or shape_of(x2)[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors.")
    return cross(x1, x2, axis=axis)


# einsum: its subscripts are brought into the form that contract has, one operand after another


@implements(np.einsum)
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
    arrays = [_strong_operand(x) for x in arrays]
    if dtype is not None:
        arrays = [cast_to(x, np.dtype(dtype)) for x in arrays]
    path = None
    if isinstance(optimize, list | tuple) and optimize and optimize[0] == "einsum_path":
        path = tuple(tuple(step) for step in optimize[1:])
    values: list[Any] = arrays  # the operands, and behind them the result of each step
    for step, numbers, parameter in _schedule(text, tuple(map(shape_of, arrays)), path):
        values.append(step(*(values[number] for number in numbers), parameter))
    return values[-1]


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
