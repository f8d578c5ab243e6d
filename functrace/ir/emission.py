"""How a primitive says what it is in NumPy's own words.

A backend that writes Python source asks each primitive for a `Code`: templates in which ``{0}``,
``{1}``, ... stand for the inputs and ``{out}`` for memory that the result may be written to. Where
a result is written, and when memory is let go, is the backend's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from functrace.ir.types import UNKNOWN, ArrayType


class Operand(NamedTuple):
    """An input as a primitive sees it when it writes its code.

    Attributes:
        type: Its type.
        value: The value of a constant, else `UNKNOWN`.
    """

    type: ArrayType
    value: Any = UNKNOWN

    @property
    def is_scalar_constant(self) -> bool:
        """Whether it is a number that is known now."""
        return not self.type.shape and self.value is not UNKNOWN


Operands = Sequence[Operand]


class Code(NamedTuple):
    """What computes one application of a primitive.

    Attributes:
        expression: Computes the output, or the tuple of outputs.
        into: A statement that computes the output into ``{out}``, an array of its type.
        python: Computes the output, a single float64 or boolean, as Python's number, where inputs
            of these types without axes are Python's too. Those of other types are as ever. None
            where Python's numbers would not give what NumPy's give for these types.
        silent: The same without NumPy's warnings of divisions by zero and invalid values, if it is
            not the same.
        takes_python: Whether numbers among the inputs may be Python's in all templates.
        in_place: Whether ``{out}`` may be one of the inputs.
        needs_contiguous: Whether ``{out}`` must lie in row-major order.
        then: Statements that follow, and write to ``{out}``: the value of ``expression``.
        takes_over: Whether ``expression`` merely copies the first input, so that it can be left
            out where nobody needs that any more.
        is_view: Whether the output shares memory with the first input.
        is_writable: Whether the output may be written.
        is_fresh: Whether the output shares memory with nothing else; None where that is so if it is
            so of what the primitive's `run` returns.
        product: The lengths m, n, k of the matrix product (m, k) @ (k, n) that it is, -1 where a
            length is not known; None where it is none.
        is_contiguous: Whether the output's elements lie in row-major order, one after another;
            None where they lie as those of the inputs do.
    """

    expression: str
    into: str | None = None
    python: str | None = None
    silent: str | None = None
    takes_python: bool = False
    in_place: bool = False
    needs_contiguous: bool = False
    then: tuple[str, ...] = ()
    takes_over: bool = False
    is_view: bool = False
    is_writable: bool = True
    is_fresh: bool | None = None
    is_contiguous: bool | None = False
    product: tuple[int, int, int] | None = None


class Namer(Protocol):
    """What gives names to values that the source refers to."""

    def constant(self, value: Any) -> str:
        """A name or a literal for a value."""
        ...

    def function(self, name: str, value: Any) -> str:
        """A name for a function or another object, like the given one."""
        ...

    def parameter(self, value: Any) -> str:
        """A literal for a parameter where Python has one, else a name."""
        ...


def view(expression: str) -> Code:
    """The code of a primitive whose output is a view of its first input."""
    return Code(expression, is_view=True)


def zeros_with(names: Namer, type: ArrayType, write: str) -> Code:
    """The code of a primitive that makes zeros, and writes something into them."""
    return Code(
        f"np.zeros({type.shape}, {names.constant(type.dtype)})",
        "{out}.fill(0)",
        takes_python=True,
        then=(write,),
        is_contiguous=True,
    )


def written_over(write: str) -> Code:
    """The code of a primitive that writes something into its first input, or into a copy."""
    return Code(
        "{0}.copy()",
        "np.copyto({out}, {0})",
        takes_python=True,
        takes_over=True,
        then=(write,),
    )


def array_constant(names: Namer, value: Any, dtype: np.dtype[Any]) -> str | None:
    """A number as an array without axes, which NumPy combines with arrays in half the time.

    Args:
        names: Gives the name.
        value: A Python or NumPy scalar.
        dtype: What NumPy would convert it to.

    Returns:
        The name, or None where the dtype does not hold the value.
    """
    try:
        return names.constant(np.array(value, dtype))
    except OverflowError:
        return None
