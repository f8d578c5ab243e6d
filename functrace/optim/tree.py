"""Arithmetic of trees of arrays, leaf by leaf; each leaf keeps its dtype.

The names are those of ``optax.tree``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any
from typing import cast as cast_type

import numpy as np

from functrace.errors import ArgumentError
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.random.continuous import normal
from functrace.random.keys import split
from functrace.tracing.operands import as_operand, is_weak
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import flatten, leaves, unflatten


def number_for(x: Any, leaf: Any) -> Any:
    """A number in the dtype of the leaf that it meets, which would become a double otherwise.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.number_for(np.float64(0.5), np.ones(2, np.float32))
        np.float32(0.5)
    """
    x = as_operand(x)
    dtype = dtype_of(leaf)
    return x if is_weak(x) or dtype.kind not in "fc" else cast_to(x, dtype)


def squares(x: Any) -> Any:
    """``abs(x)**2``, also of complex numbers.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.squares(np.array([3 + 4j, 2j]))
        array([25.,  4.])
    """
    return np.square(np.real(x)) + np.square(np.imag(x)) if dtype_of(x).kind == "c" else x * x


def full_like(tree: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Arrays of one value, of the shapes and dtypes of the leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.full_like({"w": np.zeros(2), "b": np.float32(0)}, 7)
        {'b': array(7., dtype=float32), 'w': array([7., 7.])}
    """
    return map_leaves(lambda x: np.full(shape_of(x), fill_value, dtype or dtype_of(x)), tree)


def zeros_like(tree: Any, dtype: Any = None) -> Any:
    """Zeros of the shapes and dtypes of the leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.zeros_like({"w": np.array([1.0, 2.0]), "b": 3.0})
        {'b': array(0.), 'w': array([0., 0.])}
    """
    return full_like(tree, 0, dtype)


def ones_like(tree: Any, dtype: Any = None) -> Any:
    """Ones of the shapes and dtypes of the leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.ones_like({"w": np.array([0.0, 2.0]), "b": 3.0})
        {'b': array(1.), 'w': array([1., 1.])}
    """
    return full_like(tree, 1, dtype)


def add(tree_x: Any, tree_y: Any, *other_trees: Any) -> Any:
    """The sums of leaves, of two trees or more.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.add({"w": np.array([1.0, 2.0]), "b": 3.0}, {"w": np.array([4.0, 5.0]), "b": 6.0})
        {'b': 9.0, 'w': array([5., 7.])}
    """
    return map_leaves(lambda *xs: reduce(operator.add, xs), tree_x, tree_y, *other_trees)


def sub(tree_x: Any, tree_y: Any) -> Any:
    """The differences of leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.sub({"w": np.array([1.0, 2.0]), "b": 3.0}, {"w": np.array([1.0, 1.0]), "b": 1.0})
        {'b': 2.0, 'w': array([0., 1.])}
    """
    return map_leaves(operator.sub, tree_x, tree_y)


def mul(tree_x: Any, tree_y: Any) -> Any:
    """The products of leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.mul({"w": np.array([1.0, 2.0]), "b": 3.0}, {"w": np.array([2.0, 2.0]), "b": 3.0})
        {'b': 9.0, 'w': array([2., 4.])}
    """
    return map_leaves(operator.mul, tree_x, tree_y)


def div(tree_x: Any, tree_y: Any) -> Any:
    """The quotients of leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.div({"w": np.array([1.0, 2.0]), "b": 3.0}, {"w": np.array([2.0, 2.0]), "b": 2.0})
        {'b': 1.5, 'w': array([0.5, 1. ])}
    """
    return map_leaves(operator.truediv, tree_x, tree_y)


def scale(scalar: Any, tree: Any) -> Any:
    """The leaves times a number.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.scale(0.5, {"w": np.array([1.0, 2.0]), "b": np.float64(4.0)})
        {'b': np.float64(2.0), 'w': array([0.5, 1. ])}
    """
    return map_leaves(lambda x: number_for(scalar, x) * x, tree)


def add_scale(tree_x: Any, scalar: Any, tree_y: Any) -> Any:
    """``x + scalar * y``, leaf by leaf.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.add_scale(np.array([1.0, 2.0]), 0.5, np.array([4.0, 4.0]))
        array([3., 4.])
    """
    return map_leaves(lambda x, y: x + number_for(scalar, y) * y, tree_x, tree_y)


def where(condition: Any, tree_x: Any, tree_y: Any) -> Any:
    """One of two trees, by one truth value.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.where(False, {"w": np.array([1.0, 2.0])}, {"w": np.array([0.0, 0.0])})
        {'w': array([0., 0.])}
    """
    return map_leaves(lambda x, y: np.where(condition, x, y)[()], tree_x, tree_y)


def cast(tree: Any, dtype: Any) -> Any:
    """The leaves in a dtype; None for that which they have.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.cast({"w": np.array([1.0, 2.0])}, np.float32)
        {'w': array([1., 2.], dtype=float32)}
    """
    return tree if dtype is None else map_leaves(lambda x: cast_to(x, np.dtype(dtype)), tree)


def vdot(tree_x: Any, tree_y: Any) -> Any:
    """The sum of the products of all elements.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> float(tree.vdot([np.array([1.0, 2.0]), 3.0], [np.array([4.0, 5.0]), 6.0]))
        32.0
    """
    products = map_leaves(np.vdot, tree_x, tree_y)
    return _total(leaves(products))


def norm(tree: Any, ord: Any = None, squared: bool = False) -> Any:
    """The Euclidean length of all elements together, or another norm of them.

    Args:
        tree: A tree of arrays.
        ord: None or 2 for the Euclidean length, 1 for the sum of absolute values, infinity (or
            "inf") for the greatest of them.
        squared: Whether to return the square of it.

    Raises:
        ArgumentError: There is no such norm.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> x = {"w": np.array([3.0, 0.0]), "b": -4.0}
        >>> float(tree.norm(x)), float(tree.norm(x, 1)), float(tree.norm(x, np.inf))
        (5.0, 7.0, 4.0)
    """
    if ord is None or ord == 2:
        total = _total([np.sum(squares(as_operand(x))) for x in leaves(tree)])
        return total if squared else np.sqrt(total)
    sizes = map_leaves(np.abs, tree)
    if ord == 1:
        size = sum(sizes)
    elif ord in (np.inf, "inf", "infinity"):
        size = reduce(np.maximum, [np.max(as_operand(x)) for x in leaves(sizes)], 0.0)
    else:
        raise ArgumentError(f"ord={ord!r} is none of None, 1, 2 and infinity.")
    return size * size if squared else size


def _total(parts: list[Any]) -> Any:
    return reduce(operator.add, parts) if parts else 0.0


def update_moment(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """``decay * moment + (1 - decay) * update**order``, leaf by leaf.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.update_moment(np.array([4.0, 8.0]), np.array([0.0, 16.0]), 0.75, 1)
        array([ 1., 14.])
    """
    return _decayed(updates, moments, decay, lambda g: g**order if order > 1 else g)


def update_moment_per_elem_norm(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """``decay * moment + (1 - decay) * abs(update)**order``, leaf by leaf.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.update_moment_per_elem_norm(np.array([2.0, 3 + 4j]), np.zeros(2), 0.5, 2)
        array([ 2. , 12.5])
    """
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
    """Moments divided by ``1 - decay**count``: as if they had not begun at 0.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> moment = optim.update_moment(np.array([4.0, 8.0]), np.zeros(2), 0.75, 1)
        >>> moment, optim.bias_correction(moment, 0.75, 1)
        (array([1., 2.]), array([4., 8.]))
    """
    weight = 1 - decay**count
    return map_leaves(lambda t: t / number_for(weight, t), moment)


def get(tree: Any, key: str, default: Any = None) -> Any:
    """What stands under a name in the dicts and named tuples of a tree, a state for example.

    Raises:
        ArgumentError: It stands there more than once.

    Example:
        >>> from functrace import optim
        >>> int(optim.tree.get(optim.adam(0.1).init(1.0), "count"))
        0
    """
    found = _under(tree, key)
    if len(found) > 1:
        raise ArgumentError(f"There are {len(found)} parts that are named {key!r}.")
    return found[0] if found else default


def _under(tree: Any, key: str) -> list[Any]:
    parts: dict[Any, Any] = {}
    if isinstance(tree, dict):
        parts = dict(cast_type("dict[Any, Any]", tree))
    elif isinstance(tree, tuple | list):
        parts = dict(zip(getattr(tree, "_fields", range(len(tree))), tree, strict=True))
    own = [parts[key]] if key in parts else []
    return own + [x for part in parts.values() for x in _under(part, key)]


def set(tree: Any, **values: Any) -> Any:
    """A tree with other values under some names of its dicts and named tuples.

    Raises:
        ArgumentError: There is no such name.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.inject_hyperparams(optim.sgd)(learning_rate=0.5)
        >>> state = optim.tree.set(optimizer.init(1.0), learning_rate=0.25)
        >>> float(optimizer.update(1.0, state)[0])
        -0.25
    """
    missing = [name for name in values if not _under(tree, name)]
    if missing:
        raise ArgumentError(f"There are no parts that are named {missing}.")

    def changed(part: Any) -> Any:
        if isinstance(part, dict):
            named = cast_type("dict[Any, Any]", part)
            return {key: values[key] if key in values else changed(x) for key, x in named.items()}
        if hasattr(part, "_fields"):
            pairs = zip(part._fields, part, strict=True)
            return type(part)(*(values[n] if n in values else changed(x) for n, x in pairs))
        if isinstance(part, tuple | list):
            return type(part)([changed(x) for x in cast_type("list[Any]", part)])
        return part

    return changed(tree)


def sum(tree: Any) -> Any:
    """The sum of all elements.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> float(tree.sum({"w": np.array([1.0, 2.0]), "b": 3.0}))
        6.0
    """
    return _total([np.sum(as_operand(x)) for x in leaves(tree)])


def max(tree: Any) -> Any:
    """The largest of all elements; minus infinity of none.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> float(tree.max({"w": np.array([1.0, 2.0]), "b": 3.0}))
        3.0
    """
    return reduce(np.maximum, [np.max(as_operand(x)) for x in leaves(tree)], -np.inf)


def min(tree: Any) -> Any:
    """The smallest of all elements; infinity of none.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> float(tree.min({"w": np.array([1.0, 2.0]), "b": 3.0}))
        1.0
    """
    return reduce(np.minimum, [np.min(as_operand(x)) for x in leaves(tree)], np.inf)


def size(tree: Any) -> int:
    """The number of all elements.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.size({"w": np.ones((2, 3)), "b": 3.0})
        7
    """
    return reduce(operator.add, [math.prod(shape_of(x)) for x in leaves(tree)], 0)


def real(tree: Any) -> Any:
    """The real parts of leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.real([np.array([1.0 + 2.0j])])
        [array([1.])]
    """
    return map_leaves(np.real, tree)


def conj(tree: Any) -> Any:
    """The conjugate leaves.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.conj([np.array([1.0 + 2.0j])])
        [array([1.-2.j])]
    """
    return map_leaves(np.conj, tree)


def clip(tree: Any, min_value: Any = None, max_value: Any = None) -> Any:
    """The leaves within two numbers; None for no bound.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.clip([np.array([-2.0, 0.5, 3.0])], -1.0, 1.0)
        [array([-1. ,  0.5,  1. ])]
    """
    return map_leaves(lambda x: np.clip(x, min_value, max_value), tree)


def cast_like(tree: Any, other_tree: Any) -> Any:
    """The leaves in the dtypes of those of another tree.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.cast_like([np.array([1.0, 2.0])], [np.float32(0)])
        [array([1., 2.], dtype=float32)]
    """
    return map_leaves(lambda x, y: cast_to(as_operand(x), dtype_of(y)), tree, other_tree)


def allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all elements are close, as of `numpy.allclose`.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> bool(tree.allclose({"w": np.array([1.0])}, {"w": np.array([1.0 + 1e-9])}))
        True
    """
    close = map_leaves(lambda x, y: np.allclose(x, y, rtol, atol, equal_nan), a, b)
    return reduce(np.logical_and, leaves(close), np.True_)


def update_infinity_moment(updates: Any, moments: Any, decay: Any, eps: Any) -> Any:
    """``maximum(abs(update) + eps, decay * moment)``, leaf by leaf.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.update_infinity_moment(np.array([4.0, -1.0]), np.array([2.0, 8.0]), 0.5, 0.0)
        array([4., 4.])
    """
    return map_leaves(
        lambda g, v: np.maximum(np.abs(g) + number_for(eps, v), number_for(decay, v) * v),
        updates,
        moments,
    )


def dtype(tree: Any, mixed_dtype_handler: str | None = None) -> Any:
    """The dtype of the leaves.

    Args:
        tree: A tree of arrays.
        mixed_dtype_handler: What is done where they differ: "promote" for NumPy's common one,
            "highest" or "lowest" for one of theirs to which, or from which, all others are
            promoted; None for an error.

    Returns:
        A dtype; that of Python's numbers where there is no leaf.

    Raises:
        ArgumentError: The leaves differ, and none of them is the one that is asked for.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.dtype([np.ones(2, np.float32), np.float64(1)], "lowest")
        dtype('float32')
    """
    found = list(dict.fromkeys(dtype_of(x) for x in leaves(tree)))
    if not found:
        return np.dtype(float)
    if len(found) == 1:
        return found[0]
    if mixed_dtype_handler == "promote":
        return np.result_type(*found)
    fits: dict[str | None, Callable[[Any, Any], bool]] = {
        "highest": lambda own, other: np.promote_types(own, other) == own,
        "lowest": lambda own, other: np.promote_types(own, other) == other,
    }
    if mixed_dtype_handler in fits:
        fit = fits[mixed_dtype_handler]
        chosen = [own for own in found if all(fit(own, other) for other in found)]
        if chosen:
            return chosen[0]
    raise ArgumentError(
        f"The leaves have the dtypes {', '.join(map(str, found))}.",
        advice='mixed_dtype_handler is "promote", "highest" or "lowest".',
    )


def batch_shape(tree: Any, shape: tuple[int, ...] = ()) -> Any:
    """The leaves, repeated along new first axes.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import tree
        >>> tree.batch_shape({"w": np.array([1.0, 2.0])}, (2,))
        {'w': array([[1., 2.],
               [1., 2.]])}
    """
    return map_leaves(lambda x: np.broadcast_to(x, (*shape, *shape_of(x))), tree)


def split_key_like(rng_key: Any, target_tree: Any) -> Any:
    """A key for each leaf.

    Example:
        >>> import functrace as ft
        >>> keys = ft.optim.tree.split_key_like(ft.random.key(0), {"w": 1.0, "b": 2.0})
        >>> {name: key.shape for name, key in keys.items()}
        {'b': (2,), 'w': (2,)}
    """
    found, structure = flatten(target_tree)
    return unflatten(structure, list(split(rng_key, len(found))))


def random_like(
    rng_key: Any, target_tree: Any, sampler: Callable[..., Any] = normal, dtype: Any = None
) -> Any:
    """Random numbers of the shapes and dtypes of the leaves.

    Args:
        rng_key: A key of `functrace.random`.
        target_tree: A tree of arrays.
        sampler: Takes a key, a shape and a dtype.
        dtype: None for those of the leaves.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> noise = ft.optim.tree.random_like(ft.random.key(0), {"w": np.ones((2, 3), np.float32)})
        >>> noise["w"].shape, noise["w"].dtype
        ((2, 3), dtype('float32'))
    """
    keys = split_key_like(rng_key, target_tree)
    return map_leaves(
        lambda x, key: sampler(key, shape_of(x), dtype or dtype_of(x)), target_tree, keys
    )
