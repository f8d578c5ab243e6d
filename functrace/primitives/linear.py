"""What the families share: linear primitives, and fitting a cotangent to its input.

The two families here say most derivative rules of functrace once for both modes. A linear
primitive states its transpose; an elementwise one (``elementwise.py``) its partial derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy import float64, ndarray

from functrace import tree
from functrace.errors import MissingRuleError, UnknownValueError
from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.types import UNKNOWN, WEAK_DTYPES, ArrayType, Shape, native, type_of
from functrace.tracing.entrances import at_entrance
from functrace.tracing.places import source_of, user_place
from functrace.tracing.recording import require_usable
from functrace.tracing.sharing import new_memory
from functrace.tracing.tracer import Tracer, bind


def shape_of(x: Any) -> Shape:
    """The shape of an array, a scalar or a tracer."""
    return getattr(x, "shape", ())


def dtype_of(x: Any) -> np.dtype[Any]:
    """The dtype of an array, a scalar or a tracer; of a Python scalar the one it has alone."""
    weak = WEAK_DTYPES.get(type(x))
    return x.dtype if weak is None else weak


def known_value(x: Any) -> Any:
    """The plain array behind a tracer, or the innermost tracer whose value is unknown.

    For uses that have no derivative: indices, masks, comparisons.
    """
    while isinstance(x, Tracer) and x.value is not UNKNOWN:
        require_usable(x)
        x = x.value
    return x


CHOSEN = "Keep the shape and choose the values, as in np.where(mask, x, 0)."


def known_choice(x: Any, request: str, advice: str = CHOSEN, decides: str = "shape") -> Any:
    """The values of an array that decides a shape or a dtype; raises where they are unknown."""
    x = known_value(x)
    if isinstance(x, Tracer):
        raise UnknownValueError(
            f"{request} is a traced {x.type}, of which only shape and dtype are known; the "
            f"{decides} of the result depends on the values.",
            source_of(user_place(2)),
            advice,
        )
    return x


def conform(cotangent: Any, primal: Any) -> Any:
    """Fit a cotangent to its input: the adjoint of NumPy's broadcasting and promotion.

    Args:
        cotangent: Of the shape to which the input was broadcast and the dtype to which it was
            promoted.
        primal: The input.

    Returns:
        The cotangent summed over broadcast axes and cast to the input's dtype; of a complex
        cotangent for a real input, the real part.

    Example:
        >>> import numpy as np
        >>> from functrace.extend import conform
        >>> conform(np.ones((3, 2)), np.zeros(2))
        array([3., 3.])
    """
    # The commonest cases first: nothing to do.
    kind = type(cotangent)
    if kind is ndarray:
        if (
            type(primal) is ndarray
            and cotangent.shape == primal.shape
            and cotangent.dtype is primal.dtype
        ):
            return cotangent
    elif kind is float64 and (type(primal) is float64 or type(primal) is float):
        return cotangent
    if kind is Tracer:
        inner, like = cotangent, primal
        while type(value := inner.value) is Tracer:  # as `innermost` does, without a call
            inner = value
        if type(like) is Tracer:
            while type(like_value := like.value) is Tracer:
                like = like_value
            if value is UNKNOWN is like_value:
                own, wanted = inner.known_as.type, like.known_as.type
                if own is wanted or (own.shape == wanted.shape and own.dtype is wanted.dtype):
                    return cotangent
            like = like_value
        if (
            type(value) is type(like) is np.ndarray
            and value.shape == like.shape
            and value.dtype is like.dtype
        ):
            return cotangent
    shape = shape_of(primal)
    if cotangent.shape != shape:
        cotangent = sum_to_shape(cotangent, shape)
    dtype = native(dtype_of(primal))
    return cotangent if cotangent.dtype == dtype else cast_to(cotangent, dtype)


LONGEST_BY_BLAS = {"f": 2**14, "d": 2**16}
"""Up to how many elements BLAS adds up as a product with ones, by the dtype's character. NumPy adds
in pairs where the elements lie side by side, which is more exact for very many of them."""

THREADED = 8192
"""Of more numbers at once BLAS would divide a sum among threads, and wait for them."""


@lru_cache(maxsize=64)
def ones(count: int, dtype: np.dtype[Any]) -> Any:
    """Ones, for sums that BLAS takes."""
    result = np.ones(count, dtype)
    result.flags.writeable = False
    return result


def sum_to_shape(x: Any, shape: Shape) -> Any:
    """Sum over the axes along which an array of this shape was broadcast to become ``x``.

    Leading axes of length 1 that ``x`` does not have are put back: assigning drops them.
    """
    if type(x) is np.ndarray and x.flags.c_contiguous:
        by_blas = _sum_by_blas(x.shape, shape, x.dtype)
        if by_blas is not None:
            return by_blas(x)
    extra = len(x.shape) - len(shape)
    if extra < 0:
        x = np.reshape(x, (1,) * -extra + x.shape)
    elif extra:
        x = np.add.reduce(x, axis=tuple(range(extra)))
    stretched = tuple(
        axis for axis, length in enumerate(shape) if length == 1 and x.shape[axis] != 1
    )
    return np.add.reduce(x, axis=stretched, keepdims=True) if stretched else x


@lru_cache(maxsize=1024)
def _sum_by_blas(own: Shape, shape: Shape, dtype: np.dtype[Any]) -> Callable[[Any], Any] | None:
    """How BLAS sums what `sum_to_shape` does, in a quarter of NumPy's time; None if it does not.

    It takes sums over the first axes, or over the last one, of numbers in row-major order.
    """
    extra = len(own) - len(shape)
    size, count = math.prod(own), math.prod(own[: max(extra, 0)])
    longest = LONGEST_BY_BLAS.get(dtype.char, 0) if dtype.isnative else 0
    if extra > 0 and own[extra:] == shape:
        if not 1 < count <= (longest if shape else min(longest, THREADED)):
            return None
        weights = ones(count, dtype)
        if len(own) == extra + 1 <= 2:
            return weights.dot
        rows = (count, size // count) if shape else (count,)
        return lambda x: weights.dot(x.reshape(rows)).reshape(shape)[()]
    if extra == 0 and shape == (*own[:-1], 1) and 1 < own[-1] <= longest:
        rows = (size // own[-1], own[-1])
        column = ones(own[-1], dtype)[:, None]
        if len(own) == 2:
            return lambda x: x.dot(column)
        return lambda x: x.reshape(rows).dot(column).reshape(shape)
    return None


def widen(tangent: Any, output: Any) -> Any:
    """Fit a tangent to the output to which it belongs: broadcasting and promotion themselves."""
    if (
        type(tangent) is type(output) is np.ndarray
        and tangent.shape == output.shape
        and tangent.dtype is output.dtype
    ):
        return tangent
    shape, dtype = shape_of(output), dtype_of(output)
    if tangent.shape != shape:
        tangent = np.broadcast_to(tangent, shape)
    return tangent if tangent.dtype == dtype else cast_to(tangent, dtype)


def zeros_of_type(type: ArrayType) -> Any:
    """Zeros of a type; none along an axis whose length is not known."""
    return np.zeros([max(length, 0) for length in type.shape], type.dtype)[()]


def zeros_for(x: Any) -> Any:
    """A zero tangent or cotangent for a value, in the byte order of the machine."""
    return zeros_of_type(type_of(x).tangent)


def add_tangents(x: Any, y: Any) -> Any:
    """The sum of two tangents or cotangents, of which None is zero."""
    if x is None:
        return y
    return x if y is None else x + y


def writable(x: Any) -> Any:
    """A result that its user may write: views that repeat their elements are copied."""
    return x.copy() if type(x) is np.ndarray and not x.flags.writeable else x


def as_scalar(x: Any) -> Any:
    """A result without axes as a scalar, for functions that NumPy ends with ``[()]``."""
    if shape_of(x) or (isinstance(x, Tracer) and not x.is_array):
        return x
    return x[()]


def in_front(x: Any, axis: int | None) -> Any:
    """A batched input with its batch axis in front; one that is not batched as it is."""
    return np.moveaxis(x, axis, 0) if axis else x


def in_each(size: int, x: Any, axis: int | None) -> Any:
    """An input with the batch axis in front; one that all examples share is repeated."""
    return np.broadcast_to(x, (size, *shape_of(x))) if axis is None else in_front(x, axis)


def move_batch_axis(x: Any, axis: int, rank: int) -> Any:
    """Bring the batch axis to the front and the axes of one example up to ``rank``."""
    x = in_front(x, axis)
    missing = rank + 1 - len(x.shape)
    return np.reshape(x, x.shape[:1] + (1,) * missing + x.shape[1:]) if missing > 0 else x


class Linear(Primitive):
    """A primitive that is linear in its first input, and whose other inputs are mere indices.

    The tangent goes through the primitive itself, the cotangent through its transpose: each
    derivative is stated once.
    """

    warns = False
    is_linear = True
    linear_in = (0,)
    keeps_nan = True
    batches_at_once = True

    def read_back(self, needed: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
        """The transpose is given the first input's type, and the others."""
        if not self.is_own and type(self).vjp is not Linear.vjp:
            return super().read_back(needed)
        return (False, *(True,) * (len(needed) - 1)), False

    def transpose(self, cotangent: Any, input: ArrayType, *rest: Any, **params: Any) -> Any:
        """The adjoint of the primitive, applied to a cotangent.

        Args:
            cotangent: Of the output's shape.
            input: The type of the first input, which is the type of the result.
            rest: The other inputs.
            params: The primitive's parameters.
        """
        raise MissingRuleError.of(self.name, "transpose")

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """A linear function is its own derivative."""
        if tangents[0] is None:
            return None
        return bind(self, tangents[0], *inputs[1:], **params)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The transpose."""
        result = None
        if needed[0] is not None:
            result = self.transpose(cotangent, type_of(inputs[0]), *inputs[1:], **params)
        return (result, *(None,) * (len(inputs) - 1))


class LocallyConstant(Primitive):
    """A primitive whose derivative is zero wherever it has one."""

    locally_constant = True

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Zero."""
        return None

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """Zero."""
        return (None,) * len(inputs)


class Copy(Linear):
    """The same values as a new variable."""

    is_fresh = True
    keeps_arrays = True
    keeps_values = True
    is_total = True

    def run(self, x: Any) -> Any:
        """Return a copy, which may be written."""
        return x.copy() if isinstance(x, np.ndarray) else x

    def infer(self, x: ArrayType) -> ArrayType:
        """The same type."""
        return x

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Memory of its own where an array is to be written, else nothing to do."""
        return Code("{0}.copy()") if inputs[0].type.shape else None

    def transpose(self, cotangent: Any, input: ArrayType) -> Any:
        """The cotangent as it is."""
        return cotangent

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None]) -> Any:
        """Copy the whole batch."""
        return bind(self, *inputs), axes[0]


copy = Copy("copy")


class RowMajor(Copy):
    """A copy for those who read it again and again: what it is a copy of is no substitute."""

    keeps_values = False


row_major = RowMajor("row_major")


class AsArray(Copy):
    """The same values as an array of its own, also where it has no axes."""

    makes_arrays = True

    def run(self, x: Any) -> Any:
        """Copy into an array."""
        return np.array(x)

    def infer(self, x: ArrayType) -> ArrayType:
        """The type of an array: a strong one."""
        return x.strong

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's function."""
        is_double = inputs[0].type == ArrayType((), np.dtype(np.float64))
        return Code("np.array({0})", python="{0}" if is_double else None)


as_array_primitive = AsArray("as_array")


def as_array(x: Any) -> Any:
    """A copy as an array that can be written in place, where NumPy makes one of a number too."""
    result = bind(as_array_primitive, x)
    if type(result) is Tracer and result.memory is None:
        result.memory = new_memory()
    return result


class Cast(Linear):
    """Another dtype, for values that keep their derivative. Complex to real takes the real part.

    In the convention of `grad` for complex numbers the adjoint of taking the real part is to see
    a real cotangent as complex, and the other way round: the transpose is a cast back.
    """

    is_fresh = True
    keeps_arrays = True
    is_elementwise = True

    def is_total_for(self, types: Types, params: dict[str, Any]) -> bool:
        """A scalar that is no whole number is none in Python's either."""
        return bool(types[0].shape) or params["dtype"].kind in "fc"

    def run(self, x: Any, *, dtype: np.dtype[Any]) -> Any:
        """Cast."""
        if dtype.kind not in "cb" and dtype_of(x).kind == "c":
            x = x.real
        return x.astype(dtype) if isinstance(x, np.ndarray) else dtype.type(x)

    def infer(self, x: ArrayType, *, dtype: np.dtype[Any]) -> ArrayType:
        """The same shape, and the dtype."""
        return ArrayType(x.shape, dtype)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's conversion."""
        dtype = params["dtype"]
        if not inputs[0].type.shape or (
            dtype.kind not in "cb" and inputs[0].type.dtype.kind == "c"
        ):
            return None
        return Code(f"{{0}}.astype({names.constant(dtype)})", is_contiguous=None)

    def transpose(self, cotangent: Any, input: ArrayType, *, dtype: np.dtype[Any]) -> Any:
        """Cast back; integers take no cotangent."""
        return bind(self, cotangent, dtype=native(input.dtype)) if input.is_inexact else None

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], *, dtype: np.dtype[Any]
    ) -> Any:
        """Cast the whole batch."""
        return bind(self, *inputs, dtype=dtype), axes[0]


class CastToWhole(Cast):
    """Another dtype that cannot carry a derivative: integers and booleans."""

    warns = True  # of values that are no whole numbers at all
    locally_constant = True
    keeps_nan = False


cast = Cast("cast")
cast_to_whole = CastToWhole("cast_to_whole")


def cast_to(x: Any, dtype: np.dtype[Any]) -> Any:
    """The same values in a dtype; complex to real takes the real part."""
    return bind(cast if dtype.kind in "fc" else cast_to_whole, x, dtype=dtype)


def in_dtype(x: Any, dtype: np.dtype[Any]) -> Any:
    """The same values in a dtype: what has it already as it is."""
    return x if dtype_of(x) == dtype else cast_to(x, dtype)


def brought_to(types: Types, values: Values) -> list[Any]:
    """Values of the same shapes in the dtypes of types."""
    return [
        x if type_of(x) == type else cast_to(x, type.dtype)
        for x, type in zip(values, types, strict=True)
    ]


class StopGradient(Copy):
    """The same values, with derivative zero."""

    locally_constant = True

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Zero."""
        return None

    def transpose(self, cotangent: Any, input: ArrayType) -> Any:
        """Zero."""
        return None


stop_gradient_primitive = StopGradient("stop_gradient")


def stop_gradient(x: Any) -> Any:
    """The same values, as constants: no derivative flows through them.

    Args:
        x: A tree of arrays, scalars or anything else.

    Returns:
        The tree with the same values. Inside a function under `grad` without `jit` they are
        plain NumPy values, which may also be printed or converted.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: x * ft.stop_gradient(x))(3.0)
        np.float64(3.0)
    """
    try:
        return tree.map(
            lambda leaf: bind(stop_gradient_primitive, leaf) if isinstance(leaf, Tracer) else leaf,
            x,
        )
    except Exception as error:
        at_entrance(error)
        raise
