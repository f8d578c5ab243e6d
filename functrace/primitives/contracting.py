"""Contractions: matrix products and everything that `numpy.einsum` writes with two operands.

There is one primitive, `contract`, with the subscripts as its parameter: ``"ij,jk->ik"`` is the
product of two matrices. Every label stands in at least two of the three places (the operands and
the output) and at most once in each, so both derivatives of a contraction are contractions again:
the two places that a derivative knows become the operands, and the third its output.

What is to be done for some subscripts is worked out once, as a `Plan`. A call then looks the plan
up and runs it: nothing about a string is computed twice.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.types import ANY_LENGTH, ArrayType, Shape, result_dtype
from functrace.primitives.linear import add_tangents, conform, shape_of, widen
from functrace.primitives.zero_products import all_finite
from functrace.tracing.tracer import Tracer, bind

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
        is_outer = len(first) == len(second) == 1 and first + second == output
        return _outer if is_outer else _product_runner(first, second, output)
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


_FEW, _MANY = 1 << 12, 1 << 18
"""Between these sizes BLAS fills short rows in a third of NumPy's time, and with one thread."""


def _outer(x: Any, y: Any) -> Any:
    """What computes an outer product, of which BLAS makes the zeros positive, as in matrices."""
    if _FEW < x.size * y.size <= _MANY and _is_tall(x, y, x.size, y.size):
        return x.reshape(-1, 1).dot(y.reshape(1, -1))
    return x[:, None] * y


def _is_tall(x: Any, y: Any, rows: int, columns: int) -> bool:
    """Whether the outer product of two vectors, or of their types, has short rows."""
    return x.dtype == y.dtype and x.dtype.char in "fd" and 1 < columns <= min(rows, 256)


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


# How it is written: the same for shapes that are known


def contraction_code(
    first: str, second: str, output: str, x: ArrayType, y: ArrayType, result: ArrayType
) -> Code | None:
    """The code of a contraction; None where an operand may have to be broadcast.

    Args:
        first: The labels of the first operand.
        second: The labels of the second operand.
        output: The labels of the output.
        x: The type of the first operand.
        y: The type of the second operand.
        result: The type of the output.
    """
    lengths = dict(zip(output, result.shape, strict=True)) | dict(zip(first, x.shape, strict=True))
    if any(lengths[label] != n for label, n in zip(second, y.shape, strict=True)) or any(
        lengths[label] != n for label, n in zip(output, result.shape, strict=True)
    ):
        return None
    batch = [label for label in output if label in first and label in second]
    rows = [label for label in output if label in first and label not in second]
    columns = [label for label in output if label in second and label not in first]
    summed = [label for label in first if label in second and label not in output]
    if not summed:
        is_outer = len(first) == len(second) == 1 and first + second == output
        if is_outer and _is_tall(x, y, *result.shape):
            n, m = result.shape
            outer = f"{{0}}.reshape(({n}, 1)).dot({{1}}.reshape((1, {m}))"
            return Code(
                f"{outer})",
                f"{outer}, {{out}})",
                needs_contiguous=True,
                is_contiguous=True,
                product=(n, m, 1),
            )
        left, right = _lined_up("{0}", first, output), _lined_up("{1}", second, output)
        if not output:
            return Code("{0} * {1}")
        return Code(f"{left} * {right}", f"np.multiply({left}, {right}, {{out}})")
    a, b = "{0}", "{1}"
    if rows and columns and output.index(columns[-1]) < output.index(rows[-1]):
        first, second, rows, columns, a, b = second, first, columns, rows, b, a
    left = _as_matrices(a, first, batch, rows, summed, lengths)
    right = _as_matrices(b, second, batch, summed, columns, lengths)
    m, n, k = (prod(lengths[label] for label in labels) for labels in (rows, columns, summed))
    sizes = (m, n, k)
    shape = result.shape
    natural = batch + rows + columns
    merged = [*(lengths[label] for label in batch)]
    if rows:
        merged.append(prod(lengths[label] for label in rows))
    if columns:
        merged.append(prod(lengths[label] for label in columns))
    needs_reshape = tuple(merged) != tuple(lengths[label] for label in natural)
    permutation = _permutation("".join(natural), list(output))
    if batch:
        # Stacks of matrices: vectors need the axis that matmul expects.
        if not rows:
            left = f"{left}[..., None, :]"
        if not columns:
            right = f"{right}[..., None]"
        expression = f"np.matmul({left}, {right})"
        if not rows or not columns:
            needs_reshape = True
    else:
        expression = f"{left}.dot({right})"
    if needs_reshape:
        expression += f".reshape({tuple(lengths[label] for label in natural)})"
    if permutation is not None:
        expression += f".transpose({permutation})"
    if needs_reshape or permutation is not None or not shape:
        return Code(expression, is_contiguous=permutation is None, product=sizes)
    into = f"{expression[:-1]}, {{out}})"
    return Code(expression, into, needs_contiguous=True, is_contiguous=True, product=sizes)


def _lined_up(text: str, labels: str, output: str) -> str:
    """An operand with the axes of the output, those that it lacks of length 1."""
    order = _permutation(labels, [label for label in output if label in labels])
    if order is not None:
        text += ".T" if order == (1, 0) else f".transpose({order})"
    if len(labels) == len(output):
        return text
    return f"{text}[{', '.join(':' if label in labels else 'None' for label in output)}]"


def _as_matrices(
    text: str,
    labels: str,
    batch: list[str],
    rows: list[str],
    columns: list[str],
    lengths: dict[str, int],
) -> str:
    """An operand as (stacks of) matrices; vectors where there are no rows or no columns."""
    if not batch and rows and columns and list(labels) == columns + rows and len(labels) > 2:
        # BLAS reads the transpose as it lies; to put its axes in order would copy it.
        merged = tuple(prod(lengths[label] for label in group) for group in (columns, rows))
        return f"{text}.reshape({merged}).T"
    order = _permutation(labels, batch + rows + columns)
    if order is not None:
        text += ".T" if order == (1, 0) else f".transpose({order})"
    if len(rows) <= 1 and len(columns) <= 1:
        return text
    shape = [lengths[label] for label in batch]
    if rows:
        shape.append(prod(lengths[label] for label in rows))
    if columns:
        shape.append(prod(lengths[label] for label in columns))
    return f"{text}.reshape({tuple(shape)})"


# The primitive


class Contract(Primitive):
    """The sum of products of two operands over the axes that the output does not have.

    Axes that have one label have one length. Only where the label stands in all three places may
    one operand have length 1 there, which is broadcast.
    """

    is_fresh = True
    makes_scalars = True
    warns = False
    is_total = True
    is_bilinear = True
    keeps_nan = True
    batches_at_once = True

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
                    raise ValueError(
                        f"axes that are summed or paired have the lengths {known} and {length}"
                    )
                lengths[label] = known if length == 1 else length
        shape = tuple(lengths[label] for label in plan.output)
        return ArrayType(shape, result_dtype(x, y))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], *, subscripts: str
    ) -> int:
        """A product for all labels together, and where axes are summed, an addition to each."""
        plan = plan_of(subscripts)
        lengths: dict[str, int] = {}
        for labels, type in zip((plan.first, plan.second), inputs, strict=True):
            for label, length in zip(labels, type.shape, strict=True):
                lengths[label] = abs(length) if length != 1 else lengths.get(label, 1)
        is_sum = set(lengths) != set(plan.output)
        return math.prod(lengths.values()) * (2 if is_sum else 1)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The product of matrices that `Plan.run` runs, with the shapes written out."""
        if any(ANY_LENGTH in operand.type.shape for operand in inputs):
            return None
        plan = plan_of(params["subscripts"])
        return contraction_code(
            plan.first, plan.second, plan.output, inputs[0].type, inputs[1].type, outputs[0]
        )

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """A contraction that keeps zeros, unless the other operand is known to be finite."""
        t, factor = inputs if marked[0] else reversed(inputs)
        if not isinstance(factor, Tracer) and np.all(np.isfinite(factor)):
            return None
        subscripts: str = params["subscripts"]
        if not marked[0]:
            plan = plan_of(subscripts)
            subscripts = f"{plan.second},{plan.first}->{plan.output}"
        return bind(contract_or_zero, t, factor, subscripts=subscripts), True

    def jvp(self, inputs: Values, tangents: Values, output: Any, *, subscripts: str) -> Any:
        """Linear in each operand."""
        total = None
        if tangents[0] is not None:
            term = bind(self, tangents[0], inputs[1], subscripts=subscripts)
            total = widen(term, output)
        if tangents[1] is not None:
            term = bind(self, inputs[0], tangents[1], subscripts=subscripts)
            total = add_tangents(total, widen(term, output))
        return total

    def read_back(self, needed: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
        """For each operand the other one."""
        first, second = needed
        return (second, first), False

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, *, subscripts: str
    ) -> Values:
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
        self, size: int, inputs: Values, axes: Sequence[int | None], *, subscripts: str
    ) -> tuple[Any, Any]:
        """One label more."""
        ranks = tuple(len(shape_of(x)) for x in inputs)
        batched = _batched_subscripts(subscripts, ranks, tuple(axes))
        return bind(self, *inputs, subscripts=batched), 0


contract = Contract("contract")


class ContractOrZero(Contract):
    """A contraction in which a zero of the first operand times anything is zero.

    Attributes:
        both: Whether a zero of the second operand counts as well.
    """

    makes_zeros = makes_zero_tangents = True
    plain = contract
    keeps_nan = False

    def __init__(self, name: str, *, both: bool) -> None:
        """Name the primitive, and say whose zeros stay."""
        super().__init__(name)
        self.both = both

    def run(self, t: Any, factor: Any, *, subscripts: str) -> Any:
        """The plain contraction, and where anything infinite or nan is in it, one with care."""
        plan = PLANS.get(subscripts) or plan_of(subscripts)
        t, factor = np.asarray(t), np.asarray(factor)
        output = plan.run(t, factor)
        if all_finite(output):
            return output
        return _with_zeros(plan.run, t, factor, output, both=self.both)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """`run` is called."""
        return None

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """It keeps those of the first operand as it is."""
        return (bind(zero_contract, *inputs, **params), True) if marked[1] else None

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, *, subscripts: str
    ) -> Values:
        """As of the plain contraction, with the zeros kept."""
        plan = plan_of(subscripts)
        t, factor = inputs
        first = second = None
        if needed[0] is not None:
            first = conform(bind(self, cotangent, factor, subscripts=plan.pull_first), t)
        if needed[1] is not None:
            second = conform(bind(self, t, cotangent, subscripts=plan.pull_second), factor)
        return first, second


def _with_zeros(
    product: Callable[[Any, Any], Any], t: Any, factor: Any, plain: Any, *, both: bool
) -> Any:
    """A contraction in which zeros of the first operand (or both) stay, by products of numbers.

    What is infinite or nan is left out of the product, and then it is counted which of the terms
    of each sum would have been.
    """
    is_nan = [np.isnan(x) for x in (t, factor)]
    if plain.dtype.kind == "c":  # whose infinities have no order: any makes the sum nan
        is_nan = [~np.isfinite(x) for x in (t, factor)]
    finite = [np.where(np.isfinite(x), x, 0) for x in (t, factor)]
    total = product(*finite)

    def some(x: Any, y: Any) -> Any:
        return product(x.astype(np.float32), y.astype(np.float32)) > 0

    counts = factor != 0 if both else np.ones(factor.shape, bool)
    lost = some(t != 0, is_nan[1]) | some(is_nan[0], counts)
    if plain.dtype.kind != "c":
        above = [x == np.inf for x in (t, factor)]
        below = [x == -np.inf for x in (t, factor)]
        t_above, t_below, factor_above, factor_below = t > 0, t < 0, factor > 0, factor < 0
        rises = some(t_above, above[1]) | some(t_below, below[1])
        rises |= some(above[0], factor_above) | some(below[0], factor_below)
        falls = some(t_above, below[1]) | some(t_below, above[1])
        falls |= some(above[0], factor_below) | some(below[0], factor_above)
        lost |= some(above[0] | below[0], counts & (factor == 0)) | (rises & falls)
        total = np.where(rises, np.inf, np.where(falls, -np.inf, total))
    return np.where(lost, np.nan, total).astype(plain.dtype)[()]


contract_or_zero = ContractOrZero("contract_or_zero", both=False)
zero_contract = ContractOrZero("zero_contract", both=True)

CONTRACTIONS = frozenset(x.name for x in (contract, contract_or_zero, zero_contract))
"""The names of all that have subscripts."""


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
