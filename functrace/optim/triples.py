"""Optimizers as three functions, as ``jax.example_libraries.optimizers`` has them.

``init_fn(params)`` makes a state, ``update_fn(step, gradients, state)`` the next one, and
``params_fn(state)`` takes the parameters out of it. The sources of the formulas stand with
`functrace.optim`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.errors import ArgumentError
from functrace.optim.base import Schedule
from functrace.optim.transformations import clip_by_global_norm
from functrace.optim.tree import norm, number_for, zeros_like
from functrace.primitives.linear import shape_of
from functrace.tracing.operands import as_operand, strong_operand
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import flatten, leaves, unflatten


class OptimizerState(NamedTuple):
    """The parameters, and trees of what is kept of each.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import triples
        >>> optimizer = triples.momentum(0.5, mass=0.75)
        >>> optimizer.init_fn(np.array([3.0]))
        OptimizerState(params=array([3.]), kept=(array([0.]),))
    """

    params: Any
    kept: tuple[Any, ...]


class Optimizer(NamedTuple):
    """The three functions.

    Example:
        >>> from functrace.optim import triples
        >>> optimizer = triples.sgd(0.5)
        >>> state = optimizer.init_fn(8.0)
        >>> for step in range(3):
        ...     state = optimizer.update_fn(step, optimizer.params_fn(state), state)
        >>> float(optimizer.params_fn(state))
        1.0
    """

    init_fn: Callable[[Any], OptimizerState]
    update_fn: Callable[[Any, Any, OptimizerState], OptimizerState]
    params_fn: Callable[[OptimizerState], Any]


def _optimizer(count: int, step: Callable[..., tuple[Any, ...]]) -> Optimizer:
    """An optimizer of a function of one parameter.

    Args:
        count: How many arrays are kept of it, which begin with zeros.
        step: Takes the number of the step, the gradient, the parameter, and these; returns the
            parameter, and these.
    """

    def init(params: Any) -> OptimizerState:
        params = map_leaves(strong_operand, params)
        return OptimizerState(params, tuple(zeros_like(params) for _ in range(count)))

    def update(i: Any, gradients: Any, state: OptimizerState) -> OptimizerState:
        found, structure = flatten(state.params)
        kept = (leaves(tree) for tree in state.kept)
        rows = [step(i, *x) for x in zip(leaves(gradients), found, *kept, strict=True)]
        trees = (unflatten(structure, [row[n] for row in rows]) for n in range(count + 1))
        params, *others = trees
        return OptimizerState(params, tuple(others))

    return Optimizer(init, update, lambda state: state.params)


def _moved(x: Any, size: Any, direction: Any) -> Any:
    return x - number_for(size, x) * direction


def sgd(step_size: Any) -> Optimizer:
    """Gradient descent.

    Example:
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.sgd(0.5)
        >>> float(get_params(update(0, 2.0, init(3.0))))
        2.0
    """
    size = make_schedule(step_size)
    return _optimizer(0, lambda i, g, x: (_moved(x, size(i), g),))


def momentum(step_size: Any, mass: Any) -> Optimizer:
    """``m = mass * m + g``, ``x - step_size * m``.

    Example:
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.momentum(0.5, mass=0.5)
        >>> state = update(1, 1.0, update(0, 1.0, init(3.0)))
        >>> float(get_params(state))
        1.75
    """
    size = make_schedule(step_size)

    def step(i: Any, g: Any, x: Any, m: Any) -> tuple[Any, ...]:
        m = mass * m + g
        return _moved(x, size(i), m), m

    return _optimizer(1, step)


def nesterov(step_size: Any, mass: Any) -> Optimizer:
    """``m = mass * m + g``, ``x - step_size * (mass * m + g)``.

    Example:
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.nesterov(0.5, mass=0.5)
        >>> float(get_params(update(0, 1.0, init(3.0))))
        2.25
    """
    size = make_schedule(step_size)

    def step(i: Any, g: Any, x: Any, m: Any) -> tuple[Any, ...]:
        m = mass * m + g
        return _moved(x, size(i), mass * m + g), m

    return _optimizer(1, step)


def adagrad(step_size: Any, momentum: Any = 0.9) -> Optimizer:
    """``x - step_size * m``, where m averages ``g / sqrt(v)``, and v is the sum of ``g**2``.

    Example:
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.adagrad(0.5, momentum=0.5)
        >>> float(get_params(update(0, 7.0, init(3.0))))
        2.75
    """
    size = make_schedule(step_size)

    def step(i: Any, g: Any, x: Any, v: Any, m: Any) -> tuple[Any, ...]:
        v = v + g * g
        m = (1 - momentum) * (g / np.sqrt(np.where(np.greater(v, 0), v, 1))) + momentum * m
        return _moved(x, size(i), m), v, m

    return _optimizer(2, step)


def rmsprop(step_size: Any, gamma: Any = 0.9, eps: Any = 1e-8) -> Optimizer:
    """``v = gamma * v + (1 - gamma) * g**2``, ``x - step_size * g / sqrt(v + eps)``.

    Example:
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.rmsprop(0.5, gamma=0.75)
        >>> round(float(get_params(update(0, 7.0, init(3.0)))), 3)
        2.0
    """
    size = make_schedule(step_size)

    def step(i: Any, g: Any, x: Any, v: Any) -> tuple[Any, ...]:
        v = gamma * v + (1 - gamma) * g * g
        return _moved(x, size(i), g / np.sqrt(v + eps)), v

    return _optimizer(1, step)


def rmsprop_momentum(
    step_size: Any, gamma: Any = 0.9, eps: Any = 1e-8, momentum: Any = 0.9
) -> Optimizer:
    """As `rmsprop`, by steps ``m = momentum * m + step_size * g / sqrt(v + eps)``.

    Example:
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.rmsprop_momentum(0.5, gamma=0.75)
        >>> round(float(get_params(update(0, 7.0, init(3.0)))), 3)
        2.0
    """
    size = make_schedule(step_size)

    def step(i: Any, g: Any, x: Any, v: Any, m: Any) -> tuple[Any, ...]:
        v = gamma * v + (1 - gamma) * g * g
        m = momentum * m + number_for(size(i), x) * g / np.sqrt(v + eps)
        return x - m, v, m

    return _optimizer(2, step)


def adam(step_size: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Optimizer:
    """``m / (1 - b1**t) / (sqrt(v / (1 - b2**t)) + eps)`` with averages of g and its square.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.adam(0.5)
        >>> get_params(update(0, np.array([7.0, -2.0]), init(np.zeros(2)))).round(3)
        array([-0.5,  0.5])
    """
    size = make_schedule(step_size)

    def step(i: Any, g: Any, x: Any, m: Any, v: Any) -> tuple[Any, ...]:
        m, v = (1 - b1) * g + b1 * m, (1 - b2) * g * g + b2 * v
        above = m / number_for(1 - b1 ** (i + 1), x)
        below = np.sqrt(v / number_for(1 - b2 ** (i + 1), x)) + eps
        return _moved(x, size(i), above / below), m, v

    return _optimizer(2, step)


def adamax(step_size: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Optimizer:
    """``m / (1 - b1**t) / (v + eps)`` with ``v = max(b2 * v, abs(g))``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.adamax(0.5)
        >>> get_params(update(0, np.array([7.0, -2.0]), init(np.zeros(2)))).round(3)
        array([-0.5,  0.5])
    """
    size = make_schedule(step_size)

    def step(i: Any, g: Any, x: Any, m: Any, v: Any) -> tuple[Any, ...]:
        m, v = (1 - b1) * g + b1 * m, np.maximum(b2 * v, np.abs(g))
        return _moved(x, size(i) / (1 - b1 ** (i + 1)), m / (v + eps)), m, v

    return _optimizer(2, step)


# Schedules


def sm3(step_size: Any, momentum: Any = 0.9) -> Optimizer:
    """As `adagrad`, with one number in place of v for each place along each axis.

    For an element the least of those of its places counts, and for a place the largest of what its
    elements have then (Anil, Gupta, Koren and Singer, 2019).

    Example:
        >>> import numpy as np
        >>> from functrace.optim import triples
        >>> init, update, get_params = triples.sm3(0.5, momentum=0.0)
        >>> gradient = np.array([[7.0, -2.0], [0.0, 1.0]])
        >>> get_params(update(0, gradient, init(np.zeros((2, 2))))).round(3)
        array([[-0.5,  0.5],
               [ 0. , -0.5]])
    """
    size = make_schedule(step_size)

    def init(params: Any) -> OptimizerState:
        params = map_leaves(strong_operand, params)
        largest = map_leaves(lambda x: [np.zeros_like(side) for side in _sides(x)], params)
        return OptimizerState(params, (zeros_like(params), largest))

    def update(i: Any, gradients: Any, state: OptimizerState) -> OptimizerState:
        found, structure = flatten(state.params)
        rows: list[tuple[Any, Any, Any]] = []
        of_each = structure.flatten_up_to(state.kept[1])
        given = zip(leaves(gradients), found, leaves(state.kept[0]), of_each, strict=True)
        for g, x, average, sides in given:
            total = sides[0]
            for side in sides[1:]:
                total = np.minimum(total, side)
            total = total + g * g
            share = np.where(np.greater(total, 0), 1 / np.sqrt(np.where(total > 0, total, 1)), 0)
            m = (1 - momentum) * (g * share) + momentum * average
            rows.append((_moved(x, size(i), m), m, _sides(total)))
        params, averages, largest = (
            unflatten(structure, [row[n] for row in rows]) for n in range(3)
        )
        return OptimizerState(params, (averages, largest))

    return Optimizer(init, update, lambda state: state.params)


def _sides(x: Any) -> list[Any]:
    """The largest elements at each place along each axis, as arrays that broadcast with all."""
    rank = len(shape_of(x))
    rest = (tuple(axis for axis in range(rank) if axis != kept) for kept in range(rank))
    return [np.max(x, axis=axes, keepdims=True) for axes in rest] or [x]


def make_schedule(scalar_or_schedule: Any) -> Schedule:
    """A schedule of a number; a schedule as it is.

    Raises:
        ArgumentError: It is neither.

    Example:
        >>> from functrace.optim import triples
        >>> triples.make_schedule(0.5)(10), triples.make_schedule(lambda i: 1 / (i + 1))(3)
        (0.5, 0.25)
    """
    if callable(scalar_or_schedule):
        return scalar_or_schedule
    if shape_of(as_operand(scalar_or_schedule)):
        raise ArgumentError("The size of a step is a number, or a function of the step.")
    return constant(scalar_or_schedule)


def constant(step_size: Any) -> Schedule:
    """The same at each step.

    Example:
        >>> from functrace.optim import triples
        >>> triples.constant(0.5)(10)
        0.5
    """
    return lambda i: step_size


def exponential_decay(step_size: Any, decay_steps: Any, decay_rate: Any) -> Schedule:
    """``step_size * decay_rate**(i / decay_steps)``.

    Example:
        >>> from functrace.optim import triples
        >>> rate = triples.exponential_decay(1.0, decay_steps=10, decay_rate=0.5)
        >>> rate(0), rate(10), rate(20)
        (1.0, 0.5, 0.25)
    """
    return lambda i: step_size * decay_rate ** (i / decay_steps)


def inverse_time_decay(
    step_size: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False
) -> Schedule:
    """``step_size / (1 + decay_rate * i / decay_steps)``, the quotient rounded down in stairs.

    Example:
        >>> from functrace.optim import triples
        >>> rate = triples.inverse_time_decay(1.0, decay_steps=10, decay_rate=1.0)
        >>> rate(0), rate(10), rate(30)
        (1.0, 0.5, 0.25)
    """
    if staircase:
        return lambda i: step_size / (1 + decay_rate * np.floor(i / decay_steps))
    return lambda i: step_size / (1 + decay_rate * i / decay_steps)


def polynomial_decay(
    step_size: Any, decay_steps: Any, final_step_size: Any, power: Any = 1.0
) -> Schedule:
    """``(1 - i / decay_steps)**power * (step_size - final_step_size) + final_step_size``.

    Example:
        >>> from functrace.optim import triples
        >>> rate = triples.polynomial_decay(1.0, decay_steps=10, final_step_size=0.5)
        >>> [float(rate(i)) for i in (0, 5, 10, 20)]
        [1.0, 0.75, 0.5, 0.5]
    """

    def schedule(i: Any) -> Any:
        left = (1 - np.minimum(i, decay_steps) / decay_steps) ** power
        return left * (step_size - final_step_size) + final_step_size

    return schedule


def piecewise_constant(boundaries: Sequence[Any], values: Sequence[Any]) -> Schedule:
    """The first value up to the first boundary, and so on.

    Raises:
        ArgumentError: There is not one value more than there are boundaries.

    Example:
        >>> from functrace.optim import triples
        >>> rate = triples.piecewise_constant([10, 20], [1.0, 0.5, 0.25])
        >>> [float(rate(i)) for i in (0, 10, 11, 21)]
        [1.0, 1.0, 0.5, 0.25]
    """
    if len(boundaries) != len(values) - 1:
        raise ArgumentError("There is one value more than there are boundaries.")
    ends, numbers = np.asarray(boundaries), np.asarray(values)

    def schedule(i: Any) -> Any:
        return np.sum(np.where(np.equal(np.arange(numbers.size), np.sum(i > ends)), numbers, 0))

    return schedule


# Gradients


def l2_norm(tree: Any) -> Any:
    """The Euclidean length of all elements together.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import triples
        >>> float(triples.l2_norm({"w": np.array([3.0, 0.0]), "b": np.array([4.0])}))
        5.0
    """
    return norm(tree)


def clip_grads(grad_tree: Any, max_norm: Any) -> Any:
    """Gradients whose length is at most ``max_norm``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import triples
        >>> triples.clip_grads(np.array([3.0, 4.0]), 1.0)
        array([0.6, 0.8])
    """
    return clip_by_global_norm(max_norm).update(grad_tree, ())[0]
