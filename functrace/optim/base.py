"""What an optimizer is: two functions, one for its first state and one for each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from functrace.errors import ArgumentError
from functrace.factories import how_made
from functrace.primitives.linear import cast_to, dtype_of
from functrace.tracing.operands import as_operand, is_weak
from functrace.tracing.places import source_of, user_place
from functrace.tree.mapping import map as map_leaves

Params: TypeAlias = Any
Updates: TypeAlias = Any
OptState: TypeAlias = Any
"""Trees of arrays: parameters, what changes them, and what an optimizer keeps."""

Schedule: TypeAlias = Callable[[Any], Any]
"""A number for each step: a function of how many there were before."""

ScalarOrSchedule: TypeAlias = Any
"""A number, or a schedule."""


class GradientTransformation(NamedTuple):
    """Changes gradients into what is added to parameters, step by step.

    Attributes:
        init: Takes the parameters; returns the first state, a tree of arrays.
        update: Takes gradients, the state, and parameters (None where they are not needed);
            returns updates, and the next state. Further keywords go to those that take them.

    Example:
        >>> import functrace as ft
        >>> optimizer = ft.optim.sgd(0.1)
        >>> state = optimizer.init(1.0)
        >>> updates, state = optimizer.update(0.5, state)
        >>> round(float(ft.optim.apply_updates(1.0, updates)), 3)
        0.95
    """

    init: Callable[[Any], Any]
    update: Callable[..., tuple[Any, Any]]

    def __repr__(self) -> str:
        return f"<gradient transformation {how_made(self.update) or 'of two functions'}>"


class GradientTransformationExtraArgs(GradientTransformation):
    """A `GradientTransformation` whose `update` takes any keywords.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.polyak_sgd()
        >>> isinstance(optimizer, optim.GradientTransformationExtraArgs)
        True
        >>> updates, _ = optimizer.update(8.0, optimizer.init(4.0), 4.0, value=16.0)
        >>> float(updates)
        -2.0
    """


class EmptyState(NamedTuple):
    """The state of what keeps nothing.

    Example:
        >>> from functrace import optim
        >>> optim.sgd(0.1).init(1.0)
        (EmptyState(), EmptyState())
    """


def with_extra_args_support(tx: GradientTransformation) -> GradientTransformationExtraArgs:
    """The same transformation, whose update leaves out the keywords that it does not take.

    Example:
        >>> from functrace import optim
        >>> tx = optim.with_extra_args_support(optim.scale(0.5))
        >>> updates, _ = tx.update(4.0, tx.init(1.0), value=16.0)
        >>> float(updates)
        2.0
    """
    if isinstance(tx, GradientTransformationExtraArgs):
        return tx

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        return tx.update(updates, state, params)

    return GradientTransformationExtraArgs(tx.init, update)


def empty(params: Any) -> EmptyState:
    """The first state of what keeps nothing."""
    return EmptyState()


def stateless(f: Callable[[Any, Any], Any]) -> GradientTransformation:
    """A transformation of updates and parameters that keeps nothing.

    Args:
        f: Takes updates and parameters; returns updates.

    Example:
        >>> from functrace import optim
        >>> tx = optim.stateless(lambda updates, params: updates - 0.5 * params)
        >>> tx.update(3.0, tx.init(2.0), 2.0)
        (2.0, EmptyState())
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return f(updates, params), state

    return GradientTransformation(empty, update)


def stateless_with_tree_map(f: Callable[[Any, Any], Any]) -> GradientTransformation:
    """As `stateless`, of a function of one update and its parameter.

    Example:
        >>> from functrace import optim
        >>> tx = optim.stateless_with_tree_map(lambda g, p: g * abs(p))
        >>> tx.update([1.0, 1.0], tx.init([2.0, -3.0]), [2.0, -3.0])
        ([2.0, 3.0], EmptyState())
    """
    return stateless(lambda updates, params: map_leaves(f, updates, needed(params)))


def of_each(f: Callable[[Any], Any]) -> GradientTransformation:
    """A transformation that changes each update alone."""
    return stateless(lambda updates, params: map_leaves(f, updates))


def identity() -> GradientTransformation:
    """The updates as they are.

    Example:
        >>> from functrace import optim
        >>> optim.identity().update([1.0, -2.0], optim.EmptyState())
        ([1.0, -2.0], EmptyState())
    """
    return stateless(lambda updates, params: updates)


def set_to_zero() -> GradientTransformation:
    """Zeros in place of the updates.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> updates, _ = optim.set_to_zero().update(np.array([1.0, -2.0]), optim.EmptyState())
        >>> updates
        array([0., 0.])
    """
    return of_each(np.zeros_like)


def needed(params: Any) -> Any:
    """Parameters, where a transformation needs them.

    Raises:
        ArgumentError: There are none.
    """
    if params is None:
        raise ArgumentError(
            "This optimizer needs the parameters.",
            source_of(user_place(1)),
            "Give them to each step: optimizer.update(gradients, state, params).",
        )
    return params


def no_steps() -> Any:
    """The number of steps before the first one."""
    return np.zeros((), np.int32)


def safe_increment(count: Any) -> Any:
    """The number of steps after one more; the largest of its dtype stays.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.safe_increment(np.int32(4)), optim.safe_increment(np.int32(2**31 - 1))
        (np.int32(5), np.int32(2147483647))
    """
    largest = np.iinfo(dtype_of(count)).max
    return np.minimum(count, dtype_of(count).type(largest - 1)) + dtype_of(count).type(1)


def apply_updates(params: Any, updates: Any) -> Any:
    """The parameters after a step: ``params + updates``, in the dtypes of the parameters.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> params = {"w": np.array([1.0, 2.0]), "b": np.float32(3.0)}
        >>> optim.apply_updates(params, {"w": np.array([0.5, -0.5]), "b": 0.25})
        {'b': np.float32(3.25), 'w': array([1.5, 1.5])}
    """

    def added(p: Any, u: Any) -> Any:
        p = as_operand(p)
        total = p + u
        is_kept = is_weak(p) or dtype_of(total) == dtype_of(p)
        return total if is_kept else cast_to(total, dtype_of(p))

    return map_leaves(added, params, updates)


def incremental_update(new_tensors: Any, old_tensors: Any, step_size: Any) -> Any:
    """A part of the way from old to new: ``step_size * new + (1 - step_size) * old``.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optim.incremental_update(np.array([1.0, 2.0]), np.array([0.0, 0.0]), 0.25)
        array([0.25, 0.5 ])
    """
    return map_leaves(
        lambda new, old: step_size * new + (1 - step_size) * old, new_tensors, old_tensors
    )


def periodic_update(new_tensors: Any, old_tensors: Any, steps: Any, update_period: Any) -> Any:
    """The new tree at each step whose number the period divides, else the old one.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> new, old = np.array([1.0]), np.array([0.0])
        >>> [optim.periodic_update(new, old, step, 3).item() for step in range(5)]
        [1.0, 0.0, 0.0, 1.0, 0.0]
    """
    is_due = np.equal(np.mod(steps, update_period), 0)
    return map_leaves(lambda new, old: np.where(is_due, new, old)[()], new_tensors, old_tensors)
