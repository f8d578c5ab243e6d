"""The same memory, read as numbers of another dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.errors import ViewWriteError
from functrace.ir.emission import Code, Namer, Operands, view
from functrace.ir.primitive import Types, Values
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.linear import Linear, dtype_of, in_front
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind


class ViewAs(Linear):
    """Complex numbers seen as pairs of real ones, or the other way round."""

    makes_views = True

    def run(self, x: Any, *, dtype: np.dtype[Any]) -> Any:
        """View; of an array whose last axis does not lie in one piece, a copy."""
        whole = dtype.itemsize == x.dtype.itemsize or x.flags.c_contiguous
        return (x if whole else np.ascontiguousarray(x)).view(dtype)

    def infer(self, x: ArrayType, *, dtype: np.dtype[Any]) -> ArrayType:
        """As many bytes along the last axis."""
        own = x.dtype.itemsize
        if own == dtype.itemsize:
            return ArrayType(x.shape, dtype)
        if not x.shape:
            raise ValueError(
                "Changing the dtype of a 0d array is only supported if the itemsize is unchanged"
            )
        length, rest = divmod(x.shape[-1] * own, dtype.itemsize)
        if rest or (own > dtype.itemsize and own % dtype.itemsize):
            raise ValueError(
                f"the last axis holds {x.shape[-1]} numbers of {own} bytes, which are no whole "
                f"number of {dtype.itemsize} bytes"
            )
        return ArrayType((*x.shape[:-1], length), dtype)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The method, where it cannot fail."""
        dtype = params["dtype"]
        if inputs[0].type.weak or inputs[0].type.dtype.itemsize != dtype.itemsize:
            return None
        return view(f"{{0}}.view({names.constant(dtype)})")

    def transpose(self, cotangent: Any, input: ArrayType, *, dtype: np.dtype[Any]) -> Any:
        """Pairs of cotangents: that of ``x + iy`` is the one of x less i times that of y."""
        if dtype.kind == "c":
            return bind(self, np.conjugate(cotangent), dtype=input.dtype)
        return np.conjugate(bind(self, cotangent, dtype=input.dtype))

    def written_back(self, input: Any, view: Any, *, dtype: np.dtype[Any]) -> Any:
        """The view as it was before."""
        return bind(self, view, dtype=input.dtype)

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """The batch axis in front, where it is not the one that changes."""
        return bind(self, in_front(inputs[0], axes[0]), **params), 0


class ViewAsBits(ViewAs):
    """Any numbers seen as others that are made of their bits, which has no derivative."""

    is_linear = False
    linear_in = ()
    keeps_nan = False

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """None."""
        return None

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """None."""
        return (None,)

    def written_back(self, input: Any, view: Any, *, dtype: np.dtype[Any]) -> Any:
        """The view as it was before; floating numbers made of bits would lose their derivative."""
        if dtype_of(input).kind in "fc":
            raise ViewWriteError(
                f"The bits of a traced {type_of(input)} were written, of which the whole array "
                "would lose its derivative.",
                source_of(user_place(2)),
                "Write into a copy of the view.",
            )
        return super().written_back(input, view, dtype=dtype)


view_as = ViewAs("view_as")
view_as_bits = ViewAsBits("view_as_bits")


def viewed(x: Any, dtype: np.dtype[Any]) -> Any:
    """The same memory as numbers of another dtype."""
    kinds = {each.kind: each.itemsize for each in (dtype_of(x), dtype)}
    are_pairs = set(kinds) == {"f", "c"} and 2 * kinds["f"] == kinds["c"]
    return bind(view_as if are_pairs else view_as_bits, x, dtype=dtype)
