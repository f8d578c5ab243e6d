"""Arithmetic of trees of arrays, leaf by leaf; each leaf keeps its dtype.

The names are those of ``optax.tree``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.tracing.operands import as_operand, is_weak
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import leaves


def number_for(x: Any, leaf: Any) -> Any:
    """A number in the dtype of the leaf that it meets, which would become a double otherwise."""
    x = as_operand(x)
    dtype = dtype_of(leaf)
    return x if is_weak(x) or dtype.kind not in "fc" else cast_to(x, dtype)


def squares(x: Any) -> Any:
    """``abs(x)**2``, also of complex numbers."""
    return np.square(np.real(x)) + np.square(np.imag(x)) if dtype_of(x).kind == "c" else x * x


def full_like(tree: Any, value: Any, dtype: Any = None) -> Any:
    """Arrays of one value, of the shapes and dtypes of the leaves."""
    return map_leaves(lambda x: np.full(shape_of(x), value, dtype or dtype_of(x)), tree)


def zeros_like(tree: Any, dtype: Any = None) -> Any:
    """Zeros of the shapes and dtypes of the leaves."""
    return full_like(tree, 0, dtype)


def ones_like(tree: Any, dtype: Any = None) -> Any:
    """Ones of the shapes and dtypes of the leaves."""
    return full_like(tree, 1, dtype)


def add(tree_x: Any, tree_y: Any) -> Any:
    """The sums of leaves."""
    return map_leaves(operator.add, tree_x, tree_y)


def sub(tree_x: Any, tree_y: Any) -> Any:
    """The differences of leaves."""
    return map_leaves(operator.sub, tree_x, tree_y)


def mul(tree_x: Any, tree_y: Any) -> Any:
    """The products of leaves."""
    return map_leaves(operator.mul, tree_x, tree_y)


def div(tree_x: Any, tree_y: Any) -> Any:
    """The quotients of leaves."""
    return map_leaves(operator.truediv, tree_x, tree_y)


def scale(scalar: Any, tree: Any) -> Any:
    """The leaves times a number."""
    return map_leaves(lambda x: number_for(scalar, x) * x, tree)


def add_scale(tree_x: Any, scalar: Any, tree_y: Any) -> Any:
    """``x + scalar * y``, leaf by leaf."""
    return map_leaves(lambda x, y: x + number_for(scalar, y) * y, tree_x, tree_y)


def where(condition: Any, tree_x: Any, tree_y: Any) -> Any:
    """One of two trees, by one truth value."""
    return map_leaves(lambda x, y: np.where(condition, x, y)[()], tree_x, tree_y)


def cast(tree: Any, dtype: Any) -> Any:
    """The leaves in a dtype; None for that which they have."""
    return tree if dtype is None else map_leaves(lambda x: cast_to(x, np.dtype(dtype)), tree)


def vdot(tree_x: Any, tree_y: Any) -> Any:
    """The sum of the products of all elements."""
    products = map_leaves(np.vdot, tree_x, tree_y)
    return _total(leaves(products))


def norm(tree: Any, squared: bool = False) -> Any:
    """The Euclidean length of all elements together, or its square."""
    total = _total([np.sum(squares(as_operand(x))) for x in leaves(tree)])
    return total if squared else np.sqrt(total)


def _total(parts: list[Any]) -> Any:
    return sum(parts[1:], parts[0]) if parts else 0.0


def update_moment(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """``decay * moment + (1 - decay) * update**order``, leaf by leaf."""
    return _decayed(updates, moments, decay, lambda g: g**order if order > 1 else g)


def update_moment_per_elem_norm(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """``decay * moment + (1 - decay) * abs(update)**order``, leaf by leaf."""
    return _decayed(
        updates, moments, decay, lambda g: squares(g) if order == 2 else abs(g) ** order
    )


def _decayed(updates: Any, moments: Any, decay: Any, power: Callable[[Any], Any]) -> Any:
    return map_leaves(
        lambda g, t: number_for(1 - decay, t) * power(g) + number_for(decay, t) * t,
        updates,
        moments,
    )


def bias_correction(moment: Any, decay: Any, count: Any) -> Any:
    """Moments divided by ``1 - decay**count``: as if they had not begun at 0."""
    weight = 1 - decay**count
    return map_leaves(lambda t: t / number_for(weight, t), moment)
