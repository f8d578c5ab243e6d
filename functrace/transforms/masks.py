"""What is known of tangents and cotangents of a Program: which are zero."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from functrace.ir.types import ANY_LENGTH, type_of
from functrace.primitives.linear import zeros_of_type
from functrace.primitives.zero_products import product_or_zero
from functrace.transforms.zeros import marked_alike

Mask = tuple[bool, ...]


def zeros_as(x: Any) -> Any:
    """Zeros of a value's type, even if its length is not known yet; as cotangents lie."""
    type = type_of(x)
    if ANY_LENGTH in type.shape:
        return product_or_zero(0.0, x)
    return zeros_of_type(type.tangent)


def instantiated(
    cotangents: Sequence[Any],
    likes: Sequence[Any],
    mask: Sequence[bool] | None = None,
    beside: Sequence[Any] = (),
) -> list[Any]:
    """The cotangents at the places of a mask, or at all, with zeros in place of None.

    Where there may be zeros that are to stay in those beside them, these are such zeros, too.
    """
    return [
        marked_alike(zeros_as(like), beside) if cotangent is None else cotangent
        for cotangent, like, on in zip(cotangents, likes, mask or repeat(True), strict=False)
        if on
    ]


def scattered(values: Sequence[Any], mask: Sequence[bool]) -> list[Any]:
    """The values at the places of a mask, None elsewhere."""
    found = iter(values)
    return [next(found) if on else None for on in mask]


def selected(values: Sequence[Any], mask: Sequence[bool]) -> list[Any]:
    """The values at the places of a mask."""
    return [value for value, on in zip(values, mask, strict=True) if on]


def zero_or_none(mask: Mask) -> tuple[int | None, ...]:
    """Axis 0 at the places of a mask."""
    return tuple(0 if on else None for on in mask)
