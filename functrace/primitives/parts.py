"""Functions that take each number apart: `numpy.modf`, `numpy.frexp` and `numpy.divmod`.

Of the two parts one is a whole number, which is locally constant; the other one has a derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Types, Values
from functrace.ir.types import ArrayType, broadcast_shapes
from functrace.primitives.broadcasting import Elementwise, PartialMap, resolved_dtypes
from functrace.primitives.linear import conform, widen
from functrace.tracing.tables import UFUNCS


class Parts(Elementwise):
    """A NumPy ufunc with two outputs, of which one is locally constant.

    Attributes:
        varies: The number of the other output, of which the partials are derivatives. They are
            given both: ``(t, outputs, *inputs)``.
    """

    multiple_outputs = True

    def __init__(
        self, ufunc: np.ufunc, varies: int, *partials: PartialMap, run: Any = None, **traits: Any
    ) -> None:
        """Name the primitive as its ufunc.

        Args:
            ufunc: The ufunc.
            varies: The number of the output that varies.
            partials: Its derivatives, one for each input.
            run: The function of Python's that it is too, which makes Python scalars of such.
            traits: The attributes of `Primitive` in which it differs from what its class says.
        """
        super().__init__(
            ufunc.__name__, ufunc, *partials, run=run or ufunc, keeps_weak=run is not None, **traits
        )
        self.is_fresh = self.is_total = True
        self.keeps_nan = False  # whole numbers have none
        self.varies = varies
        self.constant_outputs = frozenset({1 - varies})
        UFUNCS[ufunc] = self

    def infer(self, *types: ArrayType) -> Any:
        """The broadcast shape, and the dtypes that the ufunc chooses."""
        return self._inferred_parts(types)

    @lru_cache(maxsize=4096)  # noqa: B019  (primitives live as long as functrace)
    def _inferred_parts(self, types: tuple[ArrayType, ...]) -> tuple[ArrayType, ...]:
        shape = broadcast_shapes(*(type.shape for type in types))
        weak = self.keeps_weak and all(type.weak for type in types)
        dtypes = resolved_dtypes(self.ufunc, self.operands(types))
        return tuple(ArrayType(shape, dtype, weak) for dtype in dtypes[self.ufunc.nin :])

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The ufunc, on arrays with arrays to write to; of numbers of Python's its own function."""
        if outputs[0].weak:
            return Code("divmod({0}, {1})")
        call = f"np.{self.ufunc.__name__}({', '.join(self.places(names, inputs))}"
        if not outputs[0].shape:
            return Code(f"{call})")
        into = f"{call}, out=({{out[0]}}, {{out[1]}}))"
        return Code(f"{call})", into, in_place=True, is_contiguous=None)

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """The sum of the maps, for the output that varies."""
        total = None
        for tangent, partial in zip(tangents, self.partials, strict=True):
            if tangent is not None:
                term = widen(partial(tangent, output, *inputs), output[self.varies])
                total = term if total is None else total + term
        return (None, total) if self.varies else (total, None)

    def vjp(self, cotangent: Any, inputs: Values, output: Any, needed: Values) -> Values:
        """Each map applied to the cotangent of the output that varies."""
        t = cotangent[self.varies]
        return [
            None if t is None or need is None else conform(partial(t, output, *inputs), x)
            for need, partial, x in zip(needed, self.partials, inputs, strict=True)
        ]

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Line up the batch axes in front; broadcasting does the rest."""
        output, axis = super().batch(size, inputs, axes, **params)
        return output, (axis, axis)


divmod_primitive = Parts(
    np.divmod,
    1,
    lambda t, out, x, y: t,
    lambda t, out, x, y: -t * out[0],
    run=divmod,
    warns=True,
)
modf = Parts(np.modf, 0, lambda t, out, x: t)
frexp = Parts(np.frexp, 0, lambda t, out, x: np.ldexp(t, -out[1]))
