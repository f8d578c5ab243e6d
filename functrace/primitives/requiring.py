"""What values must be, where NumPy looks at them and raises an error."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Values
from functrace.ir.types import ArrayType
from functrace.primitives.linear import Linear, in_each, known_value
from functrace.tracing.tracer import Tracer, bind

_ERRORS: dict[str, Any] = {**vars(builtins), "LinAlgError": np.linalg.LinAlgError}


class Require(Linear):
    """The first input as it is, if the second one, a condition, holds everywhere."""

    is_fresh = True
    keeps_arrays = True

    def run(self, x: Any, condition: Any, *, error: str, message: str) -> Any:
        """Copy, or raise an exception."""
        if not np.all(condition):
            raise _ERRORS[error](message)
        return x.copy() if isinstance(x, np.ndarray) else x

    def infer(self, x: ArrayType, condition: ArrayType, **params: str) -> ArrayType:
        """The type of the first input."""
        return x

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """The tangent as it is: that of nothing if the condition does not hold."""
        return tangents[0]

    def transpose(self, cotangent: Any, input: ArrayType, *rest: Any, **params: str) -> Any:
        """The cotangent as it is."""
        return cotangent

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any) -> Any:
        """The condition must hold in all examples."""
        return bind(self, in_each(size, inputs[0], axes[0]), inputs[1], **params), 0


require_primitive = Require("require")


def require(x: Any, condition: Any, message: str, error: type[Exception] = ValueError) -> Any:
    """A value that is right only where a condition holds: where it does not, an error is raised.

    Where the condition is known that is done at once, and else where the values are.

    Args:
        x: What the condition is asked for.
        condition: Booleans, of any shape.
        message: What the error says.
        error: Its class, one of Python's or `numpy.linalg.LinAlgError`.
    """
    known = known_value(condition)
    if isinstance(known, Tracer):
        return bind(require_primitive, x, known, error=error.__name__, message=message)
    if not np.all(known):
        raise error(message)
    return x
