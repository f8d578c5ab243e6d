"""Tangents and cotangents that are zero stay zero, whatever they are multiplied with.

Where a choice drops a value, the cotangent of that value is zero, exactly and structurally: so is
everything that the chain rule makes of it. NumPy's product of zero and an infinite derivative is
nan, though. `ZeroKeeping` is the recording whose tracers are the tangents and cotangents in which
there may be such zeros. What is bilinear, a product, a quotient or a contraction, is done to them
by a primitive that keeps zeros (`Primitive.keep_zeros`); everything else is done as it is. The
rules of primitives know nothing of it.

A sum of two terms is zero for this reason only if both are, so a sum with a term that is no tracer
of this recording is none either. That is why most of a program needs no care: a mask inside a
softmax does not make the network in front of it slower.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.ir.primitive import Primitive
from functrace.ir.types import UNKNOWN, type_of
from functrace.primitives.linear import known_value
from functrace.primitives.zero_products import all_finite
from functrace.tracing.places import user_place
from functrace.tracing.recording import Recording, leaked
from functrace.tracing.sharing import ALONE, owns_its_memory
from functrace.tracing.tracer import Tracer, bind, bind_over, is_alone_further_out, new_tracer


class ZeroKeeping(Recording):
    """Applies bilinear operations so that the zeros of its tracers stay. It keeps nothing."""

    def value_of(self, x: Any) -> Any:
        """A value without its mark."""
        return x.value if self.marks(x) else x

    def mark(self, x: Any) -> Any:
        """Say that there may be zeros in a tangent or cotangent, which are to stay."""
        if type(x) is Tracer:
            if x.recording.birth >= self.birth or x.dtype.kind not in "fc":
                return x  # it is marked, or not ours to mark
            return new_tracer(self, x, None, x.place)
        if x is None or not type_of(x).is_inexact:
            return x
        return new_tracer(self, x, None, user_place(2))

    def marks(self, x: Any) -> bool:
        """Whether a value is marked."""
        return isinstance(x, Tracer) and x.recording is self

    def lift(self, value: Any) -> Tracer:
        """A tracer that can be written; what is written into it may hold zeros."""
        return new_tracer(self, value, None)

    def record_over(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """As `record`; in place where nobody else refers to the array that is written."""
        tracer = inputs[0]
        if (
            self.is_open
            and primitive.writes_over
            and type(tracer) is Tracer
            and tracer.recording is self
            and not (type(array := tracer.value) is Tracer and array.value is UNKNOWN)
        ):
            rest = [self.value_of(x) for x in inputs[1:]]
            if is_alone_further_out(array, ALONE + 2):
                return self.mark(bind_over(primitive, array, *rest, **params))
            if (
                type(array) is np.ndarray
                and sys.getrefcount(array) == ALONE + 1
                and owns_its_memory(array)
                and not any(type(x) is Tracer for x in rest)
            ):
                return self.mark(primitive.run_over(array, *rest, **params))
        return self.record(primitive, inputs, params)

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply an operation, and mark what it makes."""
        if not self.is_open:
            raise leaked(inputs)
        marked: list[bool] = []
        values: list[Any] = []
        for x in inputs:  # `marks` and `value_of`, written out: walks back come here
            on = type(x) is Tracer and x.recording is self
            marked.append(on)
            values.append(x.value if on else x)
        found = primitive.keep_zeros(values, marked, params)
        if found is None:
            output = bind(primitive, *values, **params)
            is_sum = primitive.is_elementwise and primitive.is_linear
            are_marked: Any = not is_sum or all(
                on or _is_zero(x) for x, on in zip(values, marked, strict=True)
            )
        else:
            output, are_marked = found
        if not primitive.multiple_outputs:
            if not are_marked or primitive.locally_constant:
                return output
            if type(output) is Tracer and output.recording.birth < self.birth:
                if output.dtype.kind in "fc":  # `mark`, written out
                    return new_tracer(self, output, None, output.place)
                return output
            return self.mark(output)
        if isinstance(are_marked, bool):
            are_marked = (are_marked,) * len(output)
        return tuple(
            self.mark(part) if on else part for part, on in zip(output, are_marked, strict=True)
        )


def _is_zero(x: Any) -> bool:
    """Whether it is known that every element is zero."""
    return not isinstance(x, Tracer) and not np.any(x)


def keeping_zeros_of(f: Callable[[Sequence[Any]], Any], given: Sequence[Any]) -> Any:
    """A linear function of tangents or cotangents, with the zeros in them kept."""
    with ZeroKeeping() as keeping:
        return tree.map(keeping.value_of, f([*map(keeping.mark, given)]))


def may_hold_zeros(x: Any) -> bool:
    """Whether a given tangent or cotangent, None for zero, is known to hold a zero."""
    if isinstance(x, np.ndarray):
        return bool(np.count_nonzero(x) < x.size)  # in a tenth of the time that `np.all` takes
    return x is not None and type(x) is not Tracer and not x


def marked_alike(x: Any, others: Iterable[Any]) -> Any:
    """Zeros that stand beside tangents or cotangents, marked if any of these is."""
    for other in others:
        if isinstance(other, Tracer) and isinstance(other.recording, ZeroKeeping):
            return other.recording.mark(x)
    return x


def are_finite(values: Iterable[Any]) -> bool:
    """Whether all derivatives whose values are known are finite; None is zero."""
    known = (known_value(x) for x in values if x is not None)
    return all(isinstance(x, Tracer) or all_finite(x) for x in known)


def is_unknown(x: Any) -> bool:
    """Whether it is traced by types alone, so that nobody sees its elements yet."""
    return isinstance(known_value(x), Tracer)
