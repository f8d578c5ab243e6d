"""Reductions: sums, products, extremes, predicates and indices of extremes.

The sum and the mean are linear; their transpose spreads the cotangent over the reduced axes. The
other reductions state both modes. The axes are a parameter in one normal form: None for all of
them, else an ascending tuple of numbers that are not negative.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.errors import AxisRangeError
from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.types import ANY_LENGTH, ArrayType, Shape, native, type_of
from functrace.primitives.broadcasting import Elementwise
from functrace.primitives.linear import (
    LONGEST_BY_BLAS,
    THREADED,
    Linear,
    LocallyConstant,
    cast_to,
    dtype_of,
    in_each,
    ones,
    shape_of,
)
from functrace.primitives.shaping import LARGE
from functrace.primitives.zero_products import all_finite
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import Tracer, bind

_add_up: Any = np.add.reduce  # half as long a way as that through np.sum

Axes = tuple[int, ...] | None
"""The reduced axes: None for all, else ascending and not negative."""


def normal_axes(axis: Any, rank: int) -> Axes:
    """The axes that NumPy's argument ``axis`` names, in normal form.

    Raises:
        AxisRangeError: There is no such axis.
        ValueError: An axis is named twice.
    """
    if axis is None:
        return None
    if not isinstance(axis, tuple):
        only = normal_axis(axis, rank)
        return None if rank == 1 else (only,)
    axes = sorted({normal_axis(each, rank) for each in axis})
    if len(axes) != len(axis):
        raise ValueError(f"an axis is named twice in {axis}")
    return None if len(axes) == rank else tuple(axes)


def normal_axis(axis: Any, rank: int) -> int:
    """One axis, counted from the front.

    Raises:
        AxisRangeError: There is no such axis.
    """
    index = operator.index(axis)
    if not -rank <= index < rank:
        raise AxisRangeError(
            f"axis {index} is out of bounds for an array of dimension {rank}.",
            source_of(user_place(2)),
        )
    return index % rank


def reduced_shape(shape: Shape, axes: Axes, keepdims: bool) -> Shape:
    """The shape that a reduction leaves of a shape."""
    if keepdims:
        return tuple(1 if axes is None or i in axes else n for i, n in enumerate(shape))
    return () if axes is None else tuple(n for i, n in enumerate(shape) if i not in axes)


def reduced_count(shape: Shape, axes: Axes) -> int:
    """How many elements are reduced to one."""
    return math.prod(shape) if axes is None else math.prod(shape[axis] for axis in axes)


def lined_up(x: Any, shape: Shape, axes: Axes, keepdims: bool) -> Any:
    """What a reduction left of an array of this shape, with the rank of that array again."""
    return x if keepdims or axes is None else np.reshape(x, reduced_shape(shape, axes, True))


def spread(x: Any, shape: Shape, axes: Axes, keepdims: bool) -> Any:
    """Repeat what a reduction left along the reduced axes: the transpose of the sum."""
    if shape and isinstance(x, (np.generic, np.ndarray)) and math.prod(shape) < LARGE:
        whole = np.empty(shape, x.dtype)
        if type(x) is not np.ndarray:
            whole.fill(x)
        elif keepdims or axes is None:
            whole[...] = x
        else:
            whole[...] = x.reshape(reduced_shape(shape, axes, True))
        return whole
    return np.broadcast_to(lined_up(x, shape, axes, keepdims), shape)


def batch_reduction(
    primitive: Primitive,
    inputs: Sequence[Any],
    batch_axes: Sequence[int | None],
    axes: Axes,
    keepdims: bool,
    **params: Any,
) -> tuple[Any, Any]:
    """Reduce each example of a batch, by the axes of one example."""
    (x,), (axis,) = inputs, batch_axes
    rank = len(shape_of(x)) - 1
    place = (axis or 0) % (rank + 1)
    named = tuple(i + (i >= place) for i in (range(rank) if axes is None else axes))
    output = bind(primitive, x, axes=named, keepdims=keepdims, **params)
    gone = 0 if keepdims else sum(i < place for i in named)
    return output, place - gone


def reduction_code(
    ufunc: str,
    type: ArrayType,
    names: Namer,
    *,
    axes: Axes,
    keepdims: bool,
    dtype: Any = None,
) -> Code | None:
    """The code of a reduction by a ufunc."""
    if not type.shape:
        return None
    axis = axes[0] if axes is not None and len(axes) == 1 else axes
    kind = "None" if dtype is None else names.constant(dtype)
    call = f"{ufunc}.reduce({{0}}, {axis!r}"
    expression = f"{call}, {kind}, None, True)" if keepdims else f"{call}, {kind})"
    if keepdims is False and dtype is None:
        expression = f"{call})"
    return Code(expression, f"{call}, {kind}, {{out}}, {keepdims!r})")


# Sums


def sum_code(
    names: Namer, type: ArrayType, *, axes: Axes, keepdims: bool, dtype: Any
) -> Code | None:
    """The code of a sum: a product with ones, which takes BLAS a fifth of NumPy's time.

    That is so for floating numbers, where the summed axes are neighbours. Measured on arrays from
    32 by 16 to 512 by 784, and for the axis between others from 8 by 16 by 32 to 25 by 1,000 by
    10; the error is that of NumPy's sum, or less.
    """
    shape = type.shape
    rank = len(shape)
    summed = tuple(range(rank)) if axes is None else axes
    count = reduced_count(shape, axes)
    are_neighbours = bool(summed) and summed == tuple(range(summed[0], summed[0] + len(summed)))
    is_first, is_last = summed[:1] == (0,), summed[-1:] == (rank - 1,)
    if (
        dtype is not None
        or ANY_LENGTH in shape
        or not are_neighbours
        or not 1 < count <= LONGEST_BY_BLAS.get(type.dtype.char, 0)
        or (len(summed) == rank and count > THREADED)
    ):
        return reduction_code("np.add", type, names, axes=axes, keepdims=keepdims, dtype=dtype)
    weights = names.function(f"ones_{count}", ones(count, type.dtype))
    rest = math.prod(shape) // count
    result = reduced_shape(shape, axes, keepdims)
    if len(summed) == rank:
        operand = "{0}" if rank == 1 else f"{{0}}.reshape(({count},))"
        call = f"{operand}.dot({weights})"
        rest_shape = ()
    elif is_first:
        operand = "{0}" if rank == 2 else f"{{0}}.reshape(({count}, {rest}))"
        call, rest_shape = f"{weights}.dot({operand})", (rest,)
    elif is_last:
        operand = "{0}" if rank == 2 else f"{{0}}.reshape(({rest}, {count}))"
        call, rest_shape = f"{operand}.dot({weights})", (rest,)
    else:
        before, after = math.prod(shape[: summed[0]]), math.prod(shape[summed[-1] + 1 :])
        operand = "{0}" if rank == 3 else f"{{0}}.reshape(({before}, {count}, {after}))"
        call, rest_shape, rest = f"np.matmul({weights}, {operand})", (before, after), after
    product = (1, rest, count)
    if result != rest_shape:
        reshaped = f"np.full({result}, {call})" if rest_shape == () else f"{call}.reshape({result})"
        return Code(reshaped, is_contiguous=True, product=product)
    into = f"{call[:-1]}, {{out}})" if result else None
    return Code(call, into, needs_contiguous=True, is_contiguous=True, product=product)


class Sum(Linear):
    """The sum over axes, accumulated in ``dtype`` (None: the one that NumPy chooses)."""

    is_fresh = True
    makes_scalars = True
    is_total = True

    def run(self, x: Any, *, axes: Axes, keepdims: bool, dtype: Any) -> Any:
        """Add up, in NumPy's order of pairs."""
        return _add_up(x, axes, dtype, None, keepdims)

    def infer(self, x: ArrayType, *, axes: Axes, keepdims: bool, dtype: Any) -> ArrayType:
        """The shape without the axes; small integers widen as in NumPy."""
        return ArrayType(reduced_shape(x.shape, axes, keepdims), dtype or sum_dtype(x.dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """An addition for each element."""
        return abs(inputs[0].size)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """A product with ones, or the ufunc's method."""
        return sum_code(names, inputs[0].type, **params)

    def share(self, cotangent: Any, shape: Shape, axes: Axes) -> Any:
        """The cotangent of each element that went into one sum."""
        return cotangent

    def transpose(
        self, cotangent: Any, input: ArrayType, *, axes: Axes, keepdims: bool, dtype: Any
    ) -> Any:
        """Every element gets its share of the cotangent."""
        if not input.is_inexact:
            return None
        share = self.share(cotangent, input.shape, axes)
        whole = spread(share, input.shape, axes, keepdims)
        return whole if dtype is None or dtype == input.dtype else cast_to(whole, input.dtype)

    def vjp(
        self,
        cotangent: Any,
        inputs: Values,
        output: Any,
        needed: Values,
        *,
        axes: Axes,
        keepdims: bool,
        dtype: Any,
    ) -> Values:
        """The transpose; of an ordinary array by a shorter way, as most losses end in a sum."""
        x = inputs[0]
        if type(x) is not np.ndarray or x.dtype.kind not in "fc" or dtype is not None:
            return super().vjp(
                cotangent, inputs, output, needed, axes=axes, keepdims=keepdims, dtype=dtype
            )
        shape = x.shape
        return (spread(self.share(cotangent, shape, axes), shape, axes, keepdims),)

    def batch(
        self, size: int, inputs: Values, batch_axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Leave the batch axis out of the reduced ones."""
        return batch_reduction(self, inputs, batch_axes, *_axes_and_keepdims(params), **params)


def _axes_and_keepdims(params: dict[str, Any]) -> tuple[Axes, bool]:
    """Take the parameters of every reduction out of all parameters."""
    return params.pop("axes"), params.pop("keepdims")


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a sum or a product: booleans and small integers become NumPy's default ones."""
    if dtype.kind == "b" or (dtype.kind == "i" and dtype.itemsize < np.dtype(np.int_).itemsize):
        return np.dtype(np.int_)
    if dtype.kind == "u" and dtype.itemsize < np.dtype(np.uint).itemsize:
        return np.dtype(np.uint)
    return native(dtype)


class Mean(Sum):
    """The mean over axes, accumulated in ``dtype`` (None: the input's, which is no integer)."""

    warns = True  # of the mean of nothing

    def run(self, x: Any, *, axes: Axes, keepdims: bool, dtype: Any) -> Any:
        """Add up and divide."""
        total = _add_up(x, axes, dtype, None, keepdims)
        if axes is None:
            return total / (x.size if type(x) is np.ndarray else np.size(x))
        return total / reduced_count(np.shape(x), axes)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The sum, divided by the number of elements."""
        type, axes = inputs[0].type, params["axes"]
        if ANY_LENGTH in type.shape:
            return None
        count = reduced_count(type.shape, axes)
        code = sum_code(names, type, **params)
        if code is None:
            return None
        return Code(f"{code.expression} / {count}", product=code.product)

    def share(self, cotangent: Any, shape: Shape, axes: Axes) -> Any:
        """One part of as many as there are elements."""
        return cotangent / (reduced_count(shape, axes) or 1)


sum_primitive = Sum("sum")
mean_primitive = Mean("mean")


# Other reductions


def has_short_rows(shape: Shape, dtype: np.dtype[Any], axes: Axes) -> bool:
    """Whether short rows along the last axis are reduced: faster if they are made columns before.

    Measured at 0.1 to 0.9 of the time for rows of up to 56 elements where the array stays in a
    core's cache, and for rows of up to 100 bytes in larger ones; from 64 elements on it is slower.
    """
    if len(shape) < 2 or axes != (len(shape) - 1,) or ANY_LENGTH in shape:
        return False
    rows, length = math.prod(shape[:-1]), shape[-1]
    is_near = rows * length * dtype.itemsize <= 2**18
    return rows >= 32 and 0 < length <= (56 if is_near else 100 // dtype.itemsize)


def columns_of(x: Any) -> Any:
    """The rows along the last axis, each as a column of a new matrix."""
    return x.reshape(-1, x.shape[-1]).T.copy()


def has_few_rows(shape: Shape, axes: Axes) -> bool:
    """Whether few rows are reduced along the first axes, as where windows are.

    If they are long, one after the other takes 0.1 to 0.3 of NumPy's time along such axes.
    """
    if axes is None or axes != tuple(range(len(axes))):
        return False
    return 1 < math.prod(shape[: len(axes)]) <= 64 and len(axes) < len(shape)


def reduce_few_rows(ufunc: np.ufunc, x: Any, count: int, keepdims: bool, out: Any = None) -> Any:
    """Reduce an array along its first axes, row by row.

    Args:
        ufunc: What two rows are combined by.
        x: The array, of two rows at least.
        count: How many axes are reduced.
        keepdims: Whether they stay, with a length of 1.
        out: An array that the result is written into.
    """
    first, second, *others = itertools.product(*map(range, x.shape[:count]))
    if out is None:
        out = np.empty(reduced_shape(x.shape, tuple(range(count)), keepdims), x.dtype)
    total = out.reshape(x.shape[count:])
    ufunc(x[first], x[second], out=total)
    for index in others:
        ufunc(total, x[index], out=total)
    return out


class Reduction(Primitive):
    """A reduction by a ufunc.

    Attributes:
        ufunc: The ufunc of two elements that reduces them all.
    """

    is_fresh = True
    makes_scalars = True

    def __init__(self, name: str, ufunc: np.ufunc) -> None:
        """Name the primitive, and the ufunc."""
        super().__init__(name)
        self.ufunc = ufunc
        self._reduce: Any = ufunc.reduce

    def run(self, x: Any, *, axes: Axes, keepdims: bool) -> Any:
        """Reduce."""
        is_large = type(x) is np.ndarray and x.size >= LARGE
        if is_large and axes is not None and self._goes_by_rows(type_of(x), axes):
            return reduce_few_rows(self.ufunc, x, len(axes), keepdims)
        return self._reduce(x, axes, None, None, keepdims)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The ufunc's method."""
        if self.run.__func__ is not Reduction.run:
            return None
        type, axes, ufunc = inputs[0].type, params["axes"], f"np.{self.ufunc.__name__}"
        if ANY_LENGTH not in type.shape and type.size >= LARGE and self._goes_by_rows(type, axes):
            function = names.function("reduce_few_rows", reduce_few_rows)
            call = f"{function}({ufunc}, {{0}}, {len(axes)}, {params['keepdims']}"
            return Code(f"{call})", f"{call}, {{out}})", needs_contiguous=True, is_contiguous=True)
        if has_short_rows(type.shape, type.dtype, axes):
            (output,) = outputs
            rows = "{0}" if type.ndim == 2 else f"{{0}}.reshape({(-1, type.shape[-1])})"
            text = f"{ufunc}.reduce({rows}.T.copy(), 0)"
            return Code(text if output.ndim == 1 else f"{text}.reshape({output.shape})")
        return reduction_code(ufunc, type, names, **params)

    def _goes_by_rows(self, type: ArrayType, axes: Axes) -> bool:
        """Whether few rows are combined, in the dtype that they have."""
        return has_few_rows(type.shape, axes) and self.dtype(type.dtype) == type.dtype

    def infer(self, x: ArrayType, *, axes: Axes, keepdims: bool) -> ArrayType:
        """The shape without the axes, and the ufunc's dtype."""
        if self.ufunc.identity is None and reduced_count(x.shape, axes) == 0:
            raise ValueError(
                f"zero-size array to reduction operation {self.ufunc.__name__} which has no "
                "identity"
            )
        return ArrayType(reduced_shape(x.shape, axes, keepdims), self.dtype(x.dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """One for each element."""
        return abs(inputs[0].size)

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype of the output from the input's."""
        return native(dtype)

    def batch(
        self, size: int, inputs: Values, batch_axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Leave the batch axis out of the reduced ones."""
        return batch_reduction(self, inputs, batch_axes, *_axes_and_keepdims(params), **params)


class WeightedReduction(Reduction):
    """A reduction whose output depends on each element by a factor."""

    def factors(self, x: Any, output: Any, axes: Axes) -> Any:
        """d(output)/d(element) for each element; the output is lined up with the input."""
        raise NotImplementedError

    def jvp(
        self, inputs: Values, tangents: Values, output: Any, *, axes: Axes, keepdims: bool
    ) -> Any:
        """The sum of the tangents, each times its factor."""
        if tangents[0] is None:
            return None
        (x,) = inputs
        factors = self.factors(x, lined_up(output, shape_of(x), axes, keepdims), axes)
        return np.add.reduce(tangents[0] * factors, axis=axes, keepdims=keepdims)

    def vjp(
        self,
        cotangent: Any,
        inputs: Values,
        output: Any,
        needed: Values,
        *,
        axes: Axes,
        keepdims: bool,
    ) -> Values:
        """The cotangent, times each element's factor."""
        (x,) = inputs
        shape = shape_of(x)
        factors = self.factors(x, lined_up(output, shape, axes, keepdims), axes)
        return (lined_up(cotangent, shape, axes, keepdims) * factors,)


class Winners(LocallyConstant):
    """Which elements are the extremes of theirs, and how many of them there are.

    The inputs are the elements, and the extremes, lined up with them. The extreme of numbers with a
    nan among them is nan; then each nan is a winner. The numbers are of the elements' dtype, as
    they divide something.
    """

    multiple_outputs = True
    is_fresh = True
    makes_scalars = True
    is_total = True
    warns = False

    def run(self, x: Any, output: Any, *, axes: Axes) -> Any:
        """Compare, and count."""
        wins = _wins(x, output)
        return wins, self.counted(wins, dtype_of(x), axes)

    def counted(self, wins: Any, dtype: np.dtype[Any], axes: Axes) -> Any:
        """How many win, for elements of this dtype."""
        if not 0 < reduced_count(wins.shape, axes) < 256:
            count = np.add.reduce(wins, axes, keepdims=True)
        elif wins.size >= LARGE and has_few_rows(wins.shape, axes):
            count = reduce_few_rows(np.add, wins.view(np.uint8), len(axes or ()), True)
        else:  # bytes are added in a tenth of the time
            count = np.add.reduce(wins.view(np.uint8), axes, np.uint8, keepdims=True)
        return count.astype(_dtype_of_counts(dtype))

    def infer(self, x: ArrayType, output: ArrayType, *, axes: Axes) -> Any:
        """The shape of the elements, and that without the reduced axes."""
        counts = reduced_shape(x.shape, axes, True)
        return ArrayType(x.shape, np.dtype(bool)), ArrayType(counts, _dtype_of_counts(x.dtype))

    def batch(
        self, size: int, inputs: Values, batch_axes: Sequence[int | None], *, axes: Axes
    ) -> Any:
        """Compare in all examples."""
        x, output = (in_each(size, *pair) for pair in zip(inputs, batch_axes, strict=True))
        rank = len(shape_of(x)) - 1
        if axes is None:
            axes = tuple(range(rank))
            output = np.reshape(output, (size, *(1,) * rank))
        return bind(self, x, output, axes=tuple(axis + 1 for axis in axes)), (0, 0)


def _wins(x: Any, output: Any) -> Any:
    """Which elements are the extremes of theirs; a look at nan only where some extreme is."""
    wins = np.equal(x, output)
    return wins if all_finite(output) else np.logical_or(wins, np.not_equal(x, x))


def _dtype_of_counts(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.finfo(dtype).dtype if dtype.kind in "fc" else np.dtype(np.float64)


winners = Winners("winners")


class Extreme(Reduction):
    """The largest or the smallest element. Elements that are equal share the derivative."""

    makes_zeros = True
    marks_unknown = False

    def _winners(self, x: Any, output: Any, axes: Axes) -> tuple[Any, Any]:
        """Which elements are the largest (or smallest), and how many of them there are."""
        if isinstance(x, Tracer) or isinstance(output, Tracer):
            return bind(winners, x, output, axes=axes)
        wins = _wins(x, output)
        if np.count_nonzero(wins) == output.size:  # each extreme is one element, or more
            return wins, 1
        return wins, winners.counted(wins, dtype_of(x), axes)

    def jvp(
        self, inputs: Values, tangents: Values, output: Any, *, axes: Axes, keepdims: bool
    ) -> Any:
        """The mean of the winners' tangents; of the others even infinite ones count nothing."""
        if tangents[0] is None:
            return None
        (x,) = inputs
        wins, count = self._winners(x, lined_up(output, shape_of(x), axes, keepdims), axes)
        share = np.where(wins, tangents[0], 0) / count
        if share.dtype != dtype_of(x):
            share = cast_to(share, dtype_of(x))
        return np.add.reduce(share, axis=axes, keepdims=keepdims)

    def vjp(
        self,
        cotangent: Any,
        inputs: Values,
        output: Any,
        needed: Values,
        *,
        axes: Axes,
        keepdims: bool,
    ) -> Values:
        """The cotangent, shared among the winners."""
        (x,) = inputs
        shape, dtype = shape_of(x), dtype_of(x)
        wins, count = self._winners(x, lined_up(output, shape, axes, keepdims), axes)
        is_single = type(count) is int
        share = lined_up(cotangent, shape, axes, keepdims)
        if not is_single:
            share = share / count
        if share.dtype != dtype:
            share = cast_to(share, dtype)
        if is_single and not share.shape and type(share) is not Tracer:
            part = np.zeros(shape, dtype)
            part.flat[wins.argmax()] = share
            return (part,)
        return (np.where(wins, share, 0),)


max_primitive = Extreme("max", np.maximum)
min_primitive = Extreme("min", np.minimum)


class Product(WeightedReduction):
    """The product over axes."""

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """As of a sum."""
        return sum_dtype(dtype)

    def factors(self, x: Any, output: Any, axes: Axes) -> Any:
        """The product of all other elements."""
        if not any(isinstance(value, Tracer) for value in (x, output)):
            size = np.abs(output)
            normal = np.isfinite(size) & (size >= np.finfo(size.dtype).tiny)
            if np.all(normal):  # no element is zero, and nothing was lost
                return output / x
        shape = shape_of(x)
        reduced = tuple(range(len(shape))) if axes is None else axes
        front = tuple(range(len(reduced)))
        moved = np.moveaxis(x, reduced, front)
        kept = moved.shape[len(reduced) :]
        others = products_of_others(np.reshape(moved, (reduced_count(shape, axes), *kept)))
        return np.moveaxis(np.reshape(others, moved.shape), front, reduced)


def products_of_others(x: Any) -> Any:
    """For each element along the first axis, the product of all the others.

    There is no division, so zeros need no exception: neighbours are multiplied in pairs, the same
    is done with half as many pairs, and each element's product is that of the other pairs times
    its own neighbour.
    """
    count, *rest = x.shape
    if count <= 1:
        return np.ones(x.shape, x.dtype)
    odd = count % 2
    if odd:
        x = np.concatenate([x, np.ones((1, *rest), x.dtype)])
    pairs = np.reshape(x, (-1, 2, *rest) if x.size else ((count + odd) // 2, 2, *rest))
    first, second = pairs[:, 0], pairs[:, 1]
    others = products_of_others(first * second)
    result = np.reshape(np.stack([others * second, others * first], 1), x.shape)
    return result[:count] if odd else result


prod_primitive = Product("prod", np.multiply)


class LogSumExp(WeightedReduction):
    """The logarithm of the sum of exponentials, which neither overflows nor loses small terms."""

    takes_infinity = True

    def run(self, x: Any, *, axes: Axes, keepdims: bool) -> Any:
        """Take the largest element out of the sum."""
        shape = shape_of(x)
        output = reduced_shape(shape, axes, keepdims)
        if has_short_rows(shape, dtype_of(x), axes):
            x, axes = columns_of(x), (0,)
        largest = np.maximum.reduce(x, axis=axes, keepdims=True, initial=-np.inf)
        if all_finite(largest):
            total = np.log(_add_up(np.exp(x - largest), axes, None, None, True)) + largest
        else:
            shift = np.where(np.isfinite(largest), largest, 0)
            with np.errstate(divide="ignore"):  # log(0) is the right answer where all are -inf
                total = np.log(_add_up(np.exp(x - shift), axes, None, None, True)) + shift
        return total.reshape(output)[()]

    def infer(self, x: ArrayType, *, axes: Axes, keepdims: bool) -> ArrayType:
        """The shape without the axes."""
        return ArrayType(reduced_shape(x.shape, axes, keepdims), native(x.dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """For each element a comparison, a difference, an exponential and an addition."""
        return 4 * abs(inputs[0].size)

    def factors(self, x: Any, output: Any, axes: Axes) -> Any:
        """The softmax. Infinities that are the largest elements share it equally."""
        if not isinstance(output, Tracer) and np.all(np.isfinite(output)):
            return np.exp(x - output)
        with np.errstate(invalid="ignore"):
            parts = np.exp(np.where(np.equal(x, output), 0, x - output))
        total = np.add.reduce(parts, axis=axes, keepdims=True)
        return parts / np.where(np.isinf(output), total, 1)


logsumexp_primitive = LogSumExp("logsumexp", np.logaddexp)


class Predicate(LocallyConstant, Reduction):
    """Whether any element, or every one, is true."""

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Booleans."""
        return np.dtype(np.bool_)


any_primitive = Predicate("any", np.logical_or)
all_primitive = Predicate("all", np.logical_and)


class ArgumentOfExtreme(Predicate):
    """The index of the first largest or smallest element along one axis."""

    def __init__(self, name: str, ufunc: np.ufunc, run: Callable[..., Any]) -> None:
        """Name the primitive and what computes it."""
        super().__init__(name, ufunc)
        self.function = run

    def run(self, x: Any, *, axes: Axes, keepdims: bool) -> Any:
        """Find the index."""
        return self.function(x, None if axes is None else axes[0], keepdims=keepdims)

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Indices."""
        return np.dtype(np.intp)

    def infer(self, x: ArrayType, *, axes: Axes, keepdims: bool) -> ArrayType:
        """The shape without the axis."""
        if reduced_count(x.shape, axes) == 0:
            raise ValueError(f"attempt to get {self.name} of an empty sequence")
        return super().infer(x, axes=axes, keepdims=keepdims)

    def batch(
        self, size: int, inputs: Values, batch_axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Where the index counts all elements, line up the elements of each example."""
        if params["axes"] is not None:
            return super().batch(size, inputs, batch_axes, **params)
        moved = np.moveaxis(inputs[0], batch_axes[0] or 0, 0)
        rest = moved.shape[1:]
        flat = np.reshape(moved, (size, math.prod(rest)))
        output = bind(self, flat, axes=(1,), keepdims=False)
        return np.reshape(output, (size, *(1,) * len(rest))) if params["keepdims"] else output, 0


argmax_primitive = ArgumentOfExtreme("argmax", np.maximum, np.argmax)
argmin_primitive = ArgumentOfExtreme("argmin", np.minimum, np.argmin)

# The square root in a norm or a standard deviation. Where all elements are equal (or zero) this
# is a kink, and the derivative there is 0, as that of abs.


def _root_map(t: Any, out: Any, x: Any) -> Any:
    return np.where(out == 0, 0, t / np.where(out == 0, 1, 2 * out))


root = Elementwise("root", np.sqrt, _root_map, run=np.sqrt, warns=True, takes_infinity=True)
