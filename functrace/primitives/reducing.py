"""Reductions: sums, products, extremes and what is made of them, with NumPy's signatures.

The sum and the mean are linear; their transpose spreads the cotangent over the reduced axes. The
other reductions state both modes. The axes are a parameter in one normal form: None for all of
them, else an ascending tuple of numbers that are not negative.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.errors import AxisRangeError
from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType, Shape
from functrace.primitives.elementwise import Elementwise
from functrace.primitives.linear import Linear, cast_to, dtype_of, shape_of
from functrace.tracing import (
    UFUNC_METHODS,
    Tracer,
    bind,
    implements,
    reject_out,
    source_of,
    user_place,
)

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


_LARGE = 10_000
"""From so many elements on, a view of one number is cheaper to make than an array of it."""


def spread(x: Any, shape: Shape, axes: Axes, keepdims: bool) -> Any:
    """Repeat what a reduction left along the reduced axes: the transpose of the sum."""
    is_number = axes is None and not keepdims and isinstance(x, np.generic)
    if is_number and math.prod(shape) < _LARGE:
        # The commonest case: the derivative of a loss that is a sum or a mean.
        whole = np.empty(shape, x.dtype)
        whole.fill(x)
        return whole if shape else x
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


# Sums


class Sum(Linear):
    """The sum over axes, accumulated in ``dtype`` (None: the one that NumPy chooses)."""

    def run(self, x: Any, *, axes: Axes, keepdims: bool, dtype: Any) -> Any:
        """Add up, in NumPy's order of pairs."""
        return _add_up(x, axes, dtype, None, keepdims)

    def infer(self, x: ArrayType, *, axes: Axes, keepdims: bool, dtype: Any) -> ArrayType:
        """The shape without the axes; small integers widen as in NumPy."""
        return ArrayType(reduced_shape(x.shape, axes, keepdims), dtype or sum_dtype(x.dtype))

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
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose; of an ordinary array by a shorter way, as most losses end in a sum."""
        x = inputs[0]
        if type(x) is not np.ndarray or x.dtype.kind not in "fc" or params["dtype"] is not None:
            return super().vjp(cotangent, inputs, output, needed, **params)
        axes, shape = params["axes"], x.shape
        return (spread(self.share(cotangent, shape, axes), shape, axes, params["keepdims"]),)

    def batch(
        self, size: int, inputs: Sequence[Any], batch_axes: Sequence[int | None], **params: Any
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
    return dtype


class Mean(Sum):
    """The mean over axes, accumulated in ``dtype`` (None: the input's, which is no integer)."""

    def run(self, x: Any, *, axes: Axes, keepdims: bool, dtype: Any) -> Any:
        """Add up and divide."""
        total = _add_up(x, axes, dtype, None, keepdims)
        return total / (np.size(x) if axes is None else reduced_count(np.shape(x), axes))

    def share(self, cotangent: Any, shape: Shape, axes: Axes) -> Any:
        """One part of as many as there are elements."""
        return cotangent / (reduced_count(shape, axes) or 1)


sum_primitive = Sum("sum")
mean_primitive = Mean("mean")


# Other reductions


class Reduction(Primitive):
    """A reduction by a ufunc.

    Attributes:
        ufunc: The ufunc of two elements that reduces them all.
    """

    def __init__(self, name: str, ufunc: np.ufunc) -> None:
        """Name the primitive, and the ufunc."""
        super().__init__(name)
        self.ufunc = ufunc
        self._reduce: Any = ufunc.reduce

    def run(self, x: Any, *, axes: Axes, keepdims: bool) -> Any:
        """Reduce."""
        return self._reduce(x, axes, None, None, keepdims)

    def infer(self, x: ArrayType, *, axes: Axes, keepdims: bool) -> ArrayType:
        """The shape without the axes, and the ufunc's dtype."""
        if self.ufunc.identity is None and reduced_count(x.shape, axes) == 0:
            raise ValueError(
                f"zero-size array to reduction operation {self.ufunc.__name__} which has no "
                "identity"
            )
        return ArrayType(reduced_shape(x.shape, axes, keepdims), self.dtype(x.dtype))

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype of the output from the input's."""
        return dtype

    def batch(
        self, size: int, inputs: Sequence[Any], batch_axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Leave the batch axis out of the reduced ones."""
        return batch_reduction(self, inputs, batch_axes, *_axes_and_keepdims(params), **params)


class WeightedReduction(Reduction):
    """A reduction whose output depends on each element by a factor."""

    def factors(self, x: Any, output: Any, axes: Axes) -> Any:
        """d(output)/d(element) for each element; the output is lined up with the input."""
        raise NotImplementedError

    def jvp(
        self,
        inputs: Sequence[Any],
        tangents: Sequence[Any],
        output: Any,
        *,
        axes: Axes,
        keepdims: bool,
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
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        axes: Axes,
        keepdims: bool,
    ) -> Sequence[Any]:
        """The cotangent, times each element's factor."""
        (x,) = inputs
        shape = shape_of(x)
        factors = self.factors(x, lined_up(output, shape, axes, keepdims), axes)
        return (lined_up(cotangent, shape, axes, keepdims) * factors,)


class Extreme(WeightedReduction):
    """The largest or the smallest element. Elements that are equal share the derivative."""

    def factors(self, x: Any, output: Any, axes: Axes) -> Any:
        """One divided by the number of winners; zero for the others."""
        # The extreme of numbers with a nan among them is nan; then each nan is a winner.
        wins = np.logical_or(np.equal(x, output), np.not_equal(x, x))
        count = np.add.reduce(wins, axis=axes, keepdims=True)
        return cast_to(wins / count, dtype_of(x))


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

    def run(self, x: Any, *, axes: Axes, keepdims: bool) -> Any:
        """Take the largest element out of the sum."""
        largest = np.maximum.reduce(x, axis=axes, keepdims=True, initial=-np.inf)
        shift = np.where(np.isfinite(largest), largest, 0)
        with np.errstate(divide="ignore"):  # log(0) is the right answer where all are -inf
            total = np.log(_add_up(np.exp(x - shift), axes, None, None, True)) + shift
        return total if keepdims else np.reshape(total, reduced_shape(x.shape, axes, False))[()]

    def infer(self, x: ArrayType, *, axes: Axes, keepdims: bool) -> ArrayType:
        """The shape without the axes."""
        return ArrayType(reduced_shape(x.shape, axes, keepdims), x.dtype)

    def factors(self, x: Any, output: Any, axes: Axes) -> Any:
        """The softmax. Infinities that are the largest elements share it equally."""
        if not isinstance(output, Tracer) and np.all(np.isfinite(output)):
            return np.exp(x - output)
        with np.errstate(invalid="ignore"):
            parts = np.exp(np.where(np.equal(x, output), 0, x - output))
        total = np.add.reduce(parts, axis=axes, keepdims=True)
        return parts / np.where(np.isinf(output), total, 1)


logsumexp_primitive = LogSumExp("logsumexp", np.logaddexp)


class Predicate(Reduction):
    """Whether any element, or every one, is true."""

    locally_constant = True

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Booleans."""
        return np.dtype(np.bool_)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Zero."""
        return None

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """Zero."""
        return (None,)


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
        self, size: int, inputs: Sequence[Any], batch_axes: Sequence[int | None], **params: Any
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


root = Elementwise("root", np.sqrt, _root_map, run=np.sqrt)


# NumPy's functions


def is_given(x: Any) -> bool:
    """Whether a keyword such as ``initial`` was given; NumPy's own mark for absence counts not."""
    return x is not None and x is not np._NoValue  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]


def _is_true(keepdims: Any) -> bool:
    """Whether ``keepdims`` was given as true."""
    return keepdims is True or (keepdims is not False and is_given(keepdims) and bool(keepdims))


@implements(np.sum)
def sum_of(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.sum`."""
    reject_out(out)
    if where is not True:
        a = np.where(where, a, dtype_of(a).type(0))
    total = bind(
        sum_primitive,
        a,
        axes=None if axis is None else normal_axes(axis, len(shape_of(a))),
        keepdims=_is_true(keepdims),
        dtype=None if dtype is None else np.dtype(dtype),
    )
    return total + initial if is_given(initial) else total


@implements(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """As `numpy.mean`."""
    reject_out(out)
    own = dtype_of(a)
    wanted = None if dtype is None else np.dtype(dtype)
    if wanted is None and own.kind not in "fc":
        wanted = np.dtype(np.float64)
    halves = wanted is None and own == np.float16  # NumPy adds these up in single precision
    if halves:
        wanted = np.dtype(np.float32)
    if where is True:
        axes = None if axis is None else normal_axes(axis, len(shape_of(a)))
        result = bind(mean_primitive, a, axes=axes, keepdims=_is_true(keepdims), dtype=wanted)
    else:
        count = _count_where(where, shape_of(a), axis, keepdims)
        result = _divided(sum_of(a, axis, wanted, None, keepdims, None, where), count)
    return cast_to(result, own) if halves else result


def _divided(total: Any, count: Any) -> Any:
    """A total divided by an integer or an array of them, in the total's dtype."""
    result = total / count
    return result if result.dtype == total.dtype else cast_to(result, total.dtype)


def _count_where(where: Any, shape: Shape, axis: Any, keepdims: bool) -> Any:
    """How many elements are counted in each reduction."""
    if where is True:
        return reduced_count(shape, normal_axes(axis, len(shape)))
    return np.add.reduce(np.broadcast_to(where, shape), axis=axis, keepdims=keepdims)


@implements(np.prod)
def product_of(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.prod`."""
    reject_out(out)
    if where is not True:
        a = np.where(where, a, dtype_of(a).type(1))
    if dtype is not None:
        a = cast_to(a, np.dtype(dtype))
    axes = normal_axes(axis, len(shape_of(a)))
    product = bind(prod_primitive, a, axes=axes, keepdims=_is_true(keepdims))
    return product * initial if is_given(initial) else product


def _lowest(dtype: np.dtype[Any], sign: int) -> Any:
    """The value that never wins a maximum (minus infinity), or with sign -1 a minimum."""
    if dtype.kind in "fc":
        return dtype.type(-sign * math.inf)
    if dtype.kind == "b":
        return dtype.type(sign < 0)
    return np.iinfo(dtype).min if sign > 0 else np.iinfo(dtype).max


def _extreme(
    primitive: Primitive,
    sign: int,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
) -> Any:
    reject_out(out)
    if where is not True:
        if not is_given(initial):
            raise ValueError(
                f"reduction operation {primitive.name} does not have an identity, so to use a "
                "where mask one has to specify 'initial'"
            )
        dtype = dtype_of(a)
        a = np.where(where, a, dtype.type(_lowest(dtype, sign)))
    axes = normal_axes(axis, len(shape_of(a)))
    choose = np.maximum if sign > 0 else np.minimum
    if not is_given(initial):
        return bind(primitive, a, axes=axes, keepdims=_is_true(keepdims))
    shape = shape_of(a)
    if reduced_count(shape, axes) == 0:
        left = reduced_shape(shape, axes, _is_true(keepdims))
        return np.broadcast_to(cast_to(initial, dtype_of(a)), left)
    return choose(bind(primitive, a, axes=axes, keepdims=_is_true(keepdims)), initial)


@implements(np.max, np.amax)
def max_of(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.max`; elements that are equal share the derivative."""
    return _extreme(max_primitive, 1, a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin)
def min_of(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.min`; elements that are equal share the derivative."""
    return _extreme(min_primitive, -1, a, axis, out, keepdims, initial, where)


@implements(np.ptp)
def peak_to_peak(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As `numpy.ptp`."""
    return max_of(a, axis, out, keepdims) - min_of(a, axis, None, keepdims)


def _argument(primitive: Primitive, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    reject_out(out)
    rank = len(shape_of(a))
    axes = None if axis is None else (normal_axis(axis, rank),)
    return bind(primitive, a, axes=axes, keepdims=_is_true(keepdims))


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.argmax`."""
    return _argument(argmax_primitive, a, axis, out, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.argmin`."""
    return _argument(argmin_primitive, a, axis, out, keepdims)


@implements(np.any)
def any_of(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """As `numpy.any`."""
    reject_out(out)
    if where is not True:
        a = np.logical_and(a, where)
    axes = normal_axes(axis, len(shape_of(a)))
    return bind(any_primitive, a, axes=axes, keepdims=_is_true(keepdims))


@implements(np.all)
def all_of(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """As `numpy.all`."""
    reject_out(out)
    if where is not True:
        a = np.logical_or(a, np.logical_not(where))
    axes = normal_axes(axis, len(shape_of(a)))
    return bind(all_primitive, a, axes=axes, keepdims=_is_true(keepdims))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.count_nonzero`."""
    return np.add.reduce(np.not_equal(a, 0), axis=axis, keepdims=keepdims)


def _logsumexp_reduce(array: Any, axis: Any = 0, keepdims: bool = False) -> Any:
    axes = normal_axes(axis, len(shape_of(array)))
    return bind(logsumexp_primitive, array, axes=axes, keepdims=_is_true(keepdims))


def _reduce_method(function: Callable[..., Any], *, takes: Sequence[str]) -> Callable[..., Any]:
    """The method ``reduce`` of a ufunc from NumPy's function; its axis is the first one."""

    def reduce(
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        reject_out(out[0] if isinstance(out, tuple) else out)
        options = {
            "dtype": dtype,
            "initial": initial if is_given(initial) else None,
            "where": None if where is True else where,
        }
        given = {key: value for key, value in options.items() if value is not None}
        unknown = [key for key in given if key not in takes]
        if unknown:
            raise TypeError(f"reduce of a traced array does not take {unknown[0]}= here")
        return function(array, axis=axis, keepdims=keepdims, **given)

    return reduce


for _ufunc, _function, _takes in (
    (np.add, sum_of, ("dtype", "initial", "where")),
    (np.multiply, product_of, ("dtype", "initial", "where")),
    (np.maximum, max_of, ("initial", "where")),
    (np.minimum, min_of, ("initial", "where")),
    (np.logical_or, any_of, ("where",)),
    (np.logical_and, all_of, ("where",)),
    (np.logaddexp, _logsumexp_reduce, ()),
):
    UFUNC_METHODS[_ufunc, "reduce"] = _reduce_method(_function, takes=_takes)


# Moments


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.var`."""
    reject_out(out)
    if is_given(correction):
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    own = dtype_of(a)
    halves = dtype is None and own == np.float16
    if dtype is not None:
        a = cast_to(a, np.dtype(dtype))
    elif halves or own.kind not in "fc":
        a = cast_to(a, np.dtype(np.float32 if halves else np.float64))
    if not is_given(mean):
        mean = np.mean(a, axis=axis, keepdims=True, where=where)
    result = _mean_square(a - mean, axis, keepdims, where, ddof)
    return cast_to(result, own) if halves else result


def _mean_square(deviation: Any, axis: Any, keepdims: bool, where: Any, ddof: Any) -> Any:
    """The sum of squares, divided by their number less ``ddof``."""
    total = sum_of(_squared_size(deviation), axis, None, None, keepdims, None, where)
    count = _count_where(where, shape_of(deviation), axis, keepdims) - ddof
    return _divided(total, max(count, 0) if where is True else np.maximum(count, 0))


def _squared_size(x: Any) -> Any:
    """The square of each element's absolute value."""
    return np.real(x * np.conjugate(x)) if dtype_of(x).kind == "c" else x * x


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.std`; where all elements are equal its derivative is 0."""
    return bind(
        root,
        var(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction),
    )


@implements(np.average)
def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """As `numpy.average`."""
    shape = shape_of(a)
    if weights is None:
        result = np.mean(a, axis=axis, keepdims=keepdims)
        total: Any = dtype_of(result).type(reduced_count(shape, normal_axes(axis, len(shape))))
    else:
        weights = _lined_up_weights(weights, shape, axis)
        promoted = np.result_type(dtype_of(a), dtype_of(weights))
        if dtype_of(a).kind in "iub":
            promoted = np.result_type(promoted, np.float64)
        total = sum_of(np.broadcast_to(weights, shape), axis, promoted, None, keepdims)
        if not isinstance(total, Tracer) and np.any(total == 0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        result = sum_of(a * weights, axis, promoted, None, keepdims) / total
    if not returned:
        return result
    return result, np.broadcast_to(total, shape_of(result))


def _lined_up_weights(weights: Any, shape: Shape, axis: Any) -> Any:
    """Weights of the shape of the reduced axes, in the rank of the array."""
    if not isinstance(weights, Tracer):
        weights = np.asarray(weights)
    if weights.shape == shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    rank = len(shape)
    axes = [normal_axis(each, rank) for each in (axis if isinstance(axis, tuple) else (axis,))]
    if weights.shape != tuple(shape[each] for each in axes):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    weights = np.transpose(weights, np.argsort(axes))
    return np.reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(shape)))


# Reductions that leave out nan


def _without_nan(a: Any, value: Any) -> Any:
    """The array with another value in place of nan."""
    dtype = dtype_of(a)
    return np.where(np.isnan(a), dtype.type(value), a) if dtype.kind in "fc" else a


def _counted(a: Any, where: Any) -> Any:
    """Which elements count: those that ``where`` names and that are not nan."""
    if dtype_of(a).kind not in "fc":
        return where
    numbers = np.logical_not(np.isnan(a))
    return numbers if where is True else np.logical_and(numbers, where)


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nansum`."""
    return sum_of(_without_nan(a, 0), axis, dtype, out, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nanprod`."""
    return product_of(_without_nan(a, 1), axis, dtype, out, keepdims, initial, where)


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """As `numpy.nanmean`."""
    if dtype_of(a).kind not in "fc":
        return mean(a, axis, dtype, out, keepdims, where=where)
    count = _count_where(_counted(a, where), shape_of(a), axis, keepdims)
    return _divided(nansum(a, axis, dtype, out, keepdims, None, where), count)


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.nanvar`."""
    if dtype_of(a).kind not in "fc":
        options = {"where": where, "mean": mean, "correction": correction}
        return var(a, axis, dtype, out, ddof, keepdims, **options)
    reject_out(out)
    if dtype is not None:
        a = cast_to(a, np.dtype(dtype))
    if not is_given(mean):
        mean = nanmean(a, axis, keepdims=True, where=where)
    # The mean of nothing is nan, and nothing of it is used: so no derivative goes through it.
    counted = _counted(a, where)
    deviation = np.where(counted, a - mean, dtype_of(a).type(0))
    ddof = correction if is_given(correction) else ddof
    return _mean_square(deviation, axis, keepdims, counted, ddof)


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.nanstd`; where all elements are equal its derivative is 0."""
    options = {"where": where, "mean": mean, "correction": correction}
    return bind(root, nanvar(a, axis, dtype, out, ddof, keepdims, **options))


def _nan_extreme(
    sign: int, a: Any, axis: Any, out: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    function = max_of if sign > 0 else min_of
    if dtype_of(a).kind not in "fc":
        return function(a, axis, out, keepdims, initial, where)
    lowest = _lowest(dtype_of(a), sign)
    result = function(np.where(np.isnan(a), lowest, a), axis, out, keepdims, initial, where)
    none = all_of(np.isnan(a), axis, None, keepdims, where=where)
    return result if is_given(initial) else np.where(none, np.nan, result)


@implements(np.nanmax)
def nanmax(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nanmax`."""
    return _nan_extreme(1, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nanmin`."""
    return _nan_extreme(-1, a, axis, out, keepdims, initial, where)


# Norms


def _vector_norm(x: Any, order: Any, axis: Any, keepdims: bool) -> Any:
    """The norm of vectors along one axis (or, for order 2, of all elements along axes)."""
    if order is None or order == 2:
        return bind(root, np.add.reduce(_squared_size(x), axis=axis, keepdims=keepdims))
    if order == math.inf:
        return np.maximum.reduce(np.abs(x), axis=axis, keepdims=keepdims)
    if order == -math.inf:
        return np.minimum.reduce(np.abs(x), axis=axis, keepdims=keepdims)
    if order == 0:
        unequal = cast_to(np.not_equal(x, 0), dtype_of(np.abs(x)))
        return np.add.reduce(unequal, axis=axis, keepdims=keepdims)
    if order == 1:
        return np.add.reduce(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    total = np.add.reduce(np.abs(x) ** order, axis=axis, keepdims=keepdims)
    # At zero this is a kink as well: the power's own derivative would be infinite there.
    is_zero = np.equal(total, 0)
    safe = np.where(is_zero, dtype_of(total).type(1), total) ** (1 / order)
    return np.where(is_zero, dtype_of(total).type(0 if order > 0 else math.inf), safe)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    if order in (None, "fro", "f"):
        return _vector_norm(x, 2, axes, keepdims)
    if order in (2, -2, "nuc"):
        values = np.linalg.svd(np.moveaxis(x, axes, (-2, -1)), compute_uv=False)
        if order == "nuc":
            result = np.add.reduce(values, axis=-1)
        else:
            extreme = np.maximum if order == 2 else np.minimum
            result = extreme.reduce(values, axis=-1)
        return np.reshape(result, reduced_shape(x.shape, axes, True)) if keepdims else result
    sums = {1: 0, -1: 0, math.inf: 1, -math.inf: 1}
    if order not in sums:
        raise ValueError("Invalid norm order for matrices.")
    summed = axes[sums[order]]
    totals = np.add.reduce(np.abs(x), axis=summed, keepdims=True)
    extreme = np.maximum if order > 0 else np.minimum
    return extreme.reduce(totals, axis=axes, keepdims=keepdims)  # one has length 1 already


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As `numpy.linalg.norm`; the derivative of a norm at zero is 0."""
    if dtype_of(x).kind not in "fc":
        x = cast_to(x, np.dtype(np.float64))
    rank = len(shape_of(x))
    if axis is None:
        if ord is None or (ord in ("f", "fro") and rank == 2) or (ord == 2 and rank == 1):
            return _vector_norm(x, 2, None, keepdims)
        axis = tuple(range(rank))
    elif not isinstance(axis, tuple):
        axis = (axis,)
    axis = tuple(normal_axis(each, rank) for each in axis)
    if len(axis) == 1:
        return _vector_norm(x, ord, axis[0], keepdims)
    if len(axis) == 2:
        if axis[0] == axis[1]:
            raise ValueError("Duplicate axes given.")
        return _matrix_norm(x, ord, axis, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """As `numpy.linalg.vector_norm`."""
    if dtype_of(x).kind not in "fc":
        x = cast_to(x, np.dtype(np.float64))
    return _vector_norm(x, ord, axis, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """As `numpy.linalg.matrix_norm`."""
    return norm(x, ord, (-2, -1), keepdims)
