"""Transformations put together, chosen by parameter, or held back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import partial, wraps
from typing import Any, NamedTuple

import numpy as np

from functrace.control.choices import cond
from functrace.errors import ArgumentError
from functrace.factories import says_how_made
from functrace.optim.base import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    Schedule,
    needed,
    no_steps,
    safe_increment,
    set_to_zero,
    with_extra_args_support,
)
from functrace.optim.tree import norm, number_for, zeros_like
from functrace.tracing.places import source_of, user_place
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import leaves


@says_how_made
def chain(*args: GradientTransformation) -> GradientTransformationExtraArgs:
    """One transformation after the other; the state is the tuple of theirs.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.5))
        >>> updates, _ = optimizer.update([3.0, 4.0], optimizer.init([0.0, 0.0]))
        >>> [round(float(u), 3) for u in updates]
        [-0.3, -0.4]
    """
    each = [with_extra_args_support(tx) for tx in args]

    def init(params: Any) -> Any:
        return tuple(tx.init(params) for tx in each)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        if len(state) != len(each):
            raise ArgumentError(
                f"The state is that of {len(state)} transformations, and there are {len(each)}.",
                source_of(user_place(0)),
                "Make it by the init of the same chain.",
            )
        after: list[Any] = []
        for tx, before in zip(each, state, strict=True):
            updates, new = tx.update(updates, before, params, **extra)
            after.append(new)
        return updates, tuple(after)

    return GradientTransformationExtraArgs(init, update)


@says_how_made
def named_chain(*args: tuple[str, GradientTransformation]) -> GradientTransformationExtraArgs:
    """As `chain`, with a dict of states by names.

    Raises:
        ArgumentError: Two have the same name.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.named_chain(("sum", optim.trace(0.9)), ("rate", optim.scale(-0.5)))
        >>> state = optimizer.init(0.0)
        >>> updates, state = optimizer.update(2.0, state)
        >>> float(updates), state["sum"]
        (-1.0, TraceState(trace=np.float64(2.0)))
    """
    each = {name: with_extra_args_support(tx) for name, tx in args}
    if len(each) < len(args):
        raise ArgumentError(f"Two of {[name for name, _ in args]} have the same name.")

    def init(params: Any) -> Any:
        return {name: tx.init(params) for name, tx in each.items()}

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        after: dict[str, Any] = {}
        for name, tx in each.items():
            updates, after[name] = tx.update(updates, state[name], params, **extra)
        return updates, after

    return GradientTransformationExtraArgs(init, update)


# For some parameters


class MaskedNode(NamedTuple):
    """Stands where a leaf is left out.

    Example:
        >>> from functrace import optim
        >>> optim.masked(optim.trace(0.9), [True, False]).init([1.0, 2.0]).inner_state
        TraceState(trace=[array(0.), MaskedNode()])
    """


class MaskedState(NamedTuple):
    """The state of the transformation of what is not left out.

    Example:
        >>> from functrace import optim
        >>> optim.masked(optim.scale(0.5), [True, False]).init([1.0, 2.0])
        MaskedState(inner_state=EmptyState())
    """

    inner_state: Any


@says_how_made
def masked(inner: GradientTransformation, mask: Any) -> GradientTransformationExtraArgs:
    """A transformation of some leaves; the updates of the others stay as they are.

    Args:
        inner: The transformation.
        mask: A tree of truth values, of the structure of the parameters or the beginning of it; or
            a function that makes one of them.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.masked(optim.scale(-0.5), {"w": True, "b": False})
        >>> params = {"w": np.array([2.0, 4.0]), "b": np.array([1.0])}
        >>> optimizer.update(params, optimizer.init(params))[0]
        {'b': array([1.]), 'w': array([-1., -2.])}
    """
    tx = with_extra_args_support(inner)

    def without(tree: Any, kept: Any) -> Any:
        return map_leaves(lambda keep, part: part if keep else MaskedNode(), kept, tree)

    def init(params: Any) -> MaskedState:
        return MaskedState(tx.init(without(params, mask(params) if callable(mask) else mask)))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        kept = mask(updates) if callable(mask) else mask
        inner_params = None if params is None else without(params, kept)
        found, after = tx.update(without(updates, kept), state.inner_state, inner_params, **extra)
        result = map_leaves(lambda keep, new, old: new if keep else old, kept, found, updates)
        return result, MaskedState(after)

    return GradientTransformationExtraArgs(init, update)


@says_how_made
def where_masked(tx: GradientTransformation, mask: Any) -> GradientTransformation:
    """The transformation for what a mask tells; None and True are for all."""
    return tx if mask is None or mask is True else masked(tx, mask)


class PartitionState(NamedTuple):
    """The states of the transformations, by their labels.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.partition({"slow": optim.sgd(0.1), "fast": optim.sgd(1.0)}, "slow")
        >>> list(optimizer.init(1.0).inner_states)
        ['slow', 'fast']
    """

    inner_states: Mapping[Hashable, Any]


@says_how_made
def partition(
    transforms: Mapping[Any, GradientTransformation], param_labels: Any
) -> GradientTransformationExtraArgs:
    """One of several transformations for each leaf.

    Args:
        transforms: The transformations by labels.
        param_labels: A tree of labels, of the structure of the parameters or the beginning of it;
            or a function that makes one of them.

    Raises:
        ArgumentError: There is no transformation for a label; when parameters are given.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizers = {"slow": optim.sgd(0.5), "fast": optim.sgd(1.0)}
        >>> optimizer = optim.partition(optimizers, {"w": "slow", "b": "fast"})
        >>> params = {"w": np.zeros(2), "b": np.zeros(1)}
        >>> gradients = {"w": np.array([2.0, 4.0]), "b": np.array([1.0])}
        >>> optimizer.update(gradients, optimizer.init(params))[0]
        {'b': array([-1.]), 'w': array([-1., -2.])}
    """

    def each(tree: Any) -> dict[Any, GradientTransformationExtraArgs]:
        labels = param_labels(tree) if callable(param_labels) else param_labels
        unknown = set(leaves(labels)) - set(transforms)
        if unknown:
            raise ArgumentError(
                f"There are no transformations for {sorted(map(repr, unknown))}.",
                source_of(user_place(1)),
            )
        return {
            label: masked(tx, map_leaves(lambda own, label=label: own == label, labels))
            for label, tx in transforms.items()
        }

    def init(params: Any) -> PartitionState:
        return PartitionState({label: tx.init(params) for label, tx in each(params).items()})

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        after: dict[Any, Any] = {}
        for label, tx in each(updates).items():
            updates, after[label] = tx.update(updates, state.inner_states[label], params, **extra)
        return updates, PartitionState(after)

    return GradientTransformationExtraArgs(init, update)


multi_transform = partition
"""As `partition`."""


@says_how_made
def freeze(mask: Any) -> GradientTransformation:
    """Zeros in place of the updates where a mask is true.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.chain(optim.sgd(0.5), optim.freeze({"w": True, "b": False}))
        >>> params = {"w": np.array([2.0, 4.0]), "b": np.array([1.0])}
        >>> optimizer.update(params, optimizer.init(params), params)[0]
        {'b': array([-0.5]), 'w': array([0., 0.])}
    """
    return masked(set_to_zero(), mask)


class WeightDecaySchedule(NamedTuple):
    """How many steps there were.

    Example:
        >>> from functrace import optim
        >>> optim.add_decayed_weights(optim.constant_schedule(0.1)).init(1.0)
        WeightDecaySchedule(count=array(0, dtype=int32))
    """

    count: Any


@says_how_made
def add_decayed_weights(weight_decay: Any = 0.0, mask: Any = None) -> GradientTransformation:
    """``g + weight_decay * p``: what pulls parameters p to 0 (Krogh and Hertz, 1991).

    Args:
        weight_decay: A number, or a schedule.
        mask: For which leaves, see `masked`; None for all.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> decay = optim.add_decayed_weights(0.5)
        >>> params = np.array([2.0, -4.0])
        >>> decay.update(np.array([1.0, 1.0]), decay.init(params), params)[0]
        array([ 2., -1.])
    """

    def init(params: Any) -> Any:
        return WeightDecaySchedule(no_steps()) if callable(weight_decay) else EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        size, after = weight_decay, state
        if callable(weight_decay):
            size, after = (
                weight_decay(state.count),
                WeightDecaySchedule(safe_increment(state.count)),
            )
        result = map_leaves(lambda g, p: g + number_for(size, p) * p, updates, needed(params))
        return result, after

    return where_masked(GradientTransformation(init, update), mask)


# At some steps


class ApplyIfFiniteState(NamedTuple):
    """How many steps in a row were not finite, whether the last one was, how many were not.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.apply_if_finite(optim.sgd(0.5), 3)
        >>> _, state = optimizer.update(np.nan, optimizer.init(1.0))
        >>> int(state.notfinite_count), bool(state.last_finite), int(state.total_notfinite)
        (1, False, 1)
    """

    notfinite_count: Any
    last_finite: Any
    total_notfinite: Any
    inner_state: Any


@says_how_made
def apply_if_finite(
    inner: GradientTransformation, max_consecutive_errors: int
) -> GradientTransformationExtraArgs:
    """Leave out steps with an infinite or nan gradient, unless there are too many in a row.

    Args:
        inner: The transformation.
        max_consecutive_errors: After how many steps in a row the next is done as it is.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> optimizer = optim.apply_if_finite(optim.sgd(0.5), 3)
        >>> state = optimizer.init(np.zeros(2))
        >>> updates, state = optimizer.update(np.array([1.0, np.nan]), state)
        >>> updates
        array([0., 0.])
        >>> updates, state = optimizer.update(np.array([1.0, 2.0]), state)
        >>> updates
        array([-0.5, -1. ])
    """
    tx = with_extra_args_support(inner)

    def init(params: Any) -> ApplyIfFiniteState:
        return ApplyIfFiniteState(no_steps(), np.ones((), bool), no_steps(), tx.init(params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        is_finite: Any = np.True_
        for g in leaves(updates):
            is_finite = np.logical_and(is_finite, np.all(np.isfinite(g)))
        in_row = np.where(is_finite, np.int32(0), safe_increment(state.notfinite_count))[()]
        total = safe_increment(state.total_notfinite)
        found, after = cond(
            np.logical_or(is_finite, np.greater(in_row, max_consecutive_errors)),
            lambda updates, before: tx.update(updates, before, params, **extra),
            lambda updates, before: (map_leaves(np.zeros_like, updates), before),
            updates,
            state.inner_state,
        )
        total = np.where(is_finite, state.total_notfinite, total)[()]
        return found, ApplyIfFiniteState(in_row, is_finite, total, after)

    return GradientTransformationExtraArgs(init, update)


class ConditionallyTransformState(NamedTuple):
    """The inner state, and how many steps there were.

    Example:
        >>> from functrace import optim
        >>> optim.conditionally_transform(optim.sgd(0.5), lambda step: step > 2).init(1.0).step
        array(0, dtype=int32)
    """

    inner_state: Any
    step: Any


class ConditionallyMaskState(NamedTuple):
    """How many steps there were, and the inner state.

    Example:
        >>> from functrace import optim
        >>> optim.conditionally_mask(optim.sgd(0.5), lambda step: step > 2).init(1.0).step
        array(0, dtype=int32)
    """

    step: Any
    inner_state: Any


def _where_due(
    inner: GradientTransformation,
    is_due: Callable[..., Any],
    forward_extra_args: bool,
    otherwise: Callable[[Any], Any],
    kind: Callable[..., Any],
) -> GradientTransformationExtraArgs:
    tx = with_extra_args_support(inner)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        found, after = cond(
            is_due(state.step, **(extra if forward_extra_args else {})),
            lambda updates, before: tx.update(updates, before, params, **extra),
            lambda updates, before: (otherwise(updates), before),
            updates,
            state.inner_state,
        )
        return found, kind(step=safe_increment(state.step), inner_state=after)

    return GradientTransformationExtraArgs(
        lambda params: kind(step=no_steps(), inner_state=tx.init(params)), update
    )


@says_how_made
def conditionally_transform(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> GradientTransformationExtraArgs:
    """A transformation at some steps; at the others the updates stay as they are.

    Args:
        inner: The transformation.
        should_transform_fn: Whether it is for the step of a number, from 0 on.
        forward_extra_args: Whether the function takes the further keywords of ``update`` too.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.conditionally_transform(optim.scale(0.5), lambda step: step % 2 == 0)
        >>> state, found = optimizer.init(0.0), []
        >>> for _ in range(3):
        ...     updates, state = optimizer.update(4.0, state)
        ...     found.append(float(updates))
        >>> found
        [2.0, 4.0, 2.0]
    """
    kind = ConditionallyTransformState
    return _where_due(inner, should_transform_fn, forward_extra_args, lambda u: u, kind)


@says_how_made
def conditionally_mask(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> GradientTransformationExtraArgs:
    """As `conditionally_transform`, with zeros at the other steps.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.conditionally_mask(optim.scale(0.5), lambda step: step % 2 == 0)
        >>> state, found = optimizer.init(0.0), []
        >>> for _ in range(3):
        ...     updates, state = optimizer.update(4.0, state)
        ...     found.append(float(updates))
        >>> found
        [2.0, 0.0, 2.0]
    """
    kind = ConditionallyMaskState
    zeros = partial(map_leaves, np.zeros_like)
    return _where_due(inner, should_transform_fn, forward_extra_args, zeros, kind)


class ApplyEvery(NamedTuple):
    """The step within a round, and the sum of updates.

    Example:
        >>> from functrace import optim
        >>> optim.apply_every(4).init(1.0)
        ApplyEvery(count=array(0, dtype=int32), grad_acc=array(0.))
    """

    count: Any
    grad_acc: Any


@says_how_made
def apply_every(k: int = 1) -> GradientTransformation:
    """The sum of k updates at each k-th step, and zeros at the others.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.apply_every(3)
        >>> state, found = optimizer.init(0.0), []
        >>> for gradient in [1.0, 2.0, 3.0, 4.0]:
        ...     updates, state = optimizer.update(gradient, state)
        ...     found.append(float(updates))
        >>> found
        [0.0, 0.0, 6.0, 0.0]
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        goes_on, is_last = np.not_equal(state.count, 0), np.equal(state.count, k - 1)
        total = map_leaves(
            lambda g, old: g + np.where(goes_on, old, 0 * old)[()], updates, state.grad_acc
        )
        result = map_leaves(lambda x: np.where(is_last, x, 0 * x)[()], total)
        return result, ApplyEvery(safe_increment(state.count) % np.int32(k), total)

    return GradientTransformation(lambda params: ApplyEvery(no_steps(), zeros_like(params)), update)


class MultiStepsState(NamedTuple):
    """The step within a round, the number of rounds, the inner state, the mean so far, and more.

    The last is what the function says that tells which gradients are left out.

    Example:
        >>> from functrace import optim
        >>> state = optim.MultiSteps(optim.sgd(0.5), 4).init(1.0)
        >>> int(state.mini_step), int(state.gradient_step), state.acc_grads
        (0, 0, array(0.))
    """

    mini_step: Any
    gradient_step: Any
    inner_opt_state: Any
    acc_grads: Any
    skip_state: Any = ()


def skip_not_finite(updates: Any, gradient_step: Any, params: Any) -> tuple[Any, Any]:
    """For `MultiSteps`: leave out gradients that are infinite or nan somewhere.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> is_left_out, state = optim.skip_not_finite(np.array([1.0, np.nan]), 0, None)
        >>> bool(is_left_out), int(state["num_not_finite"])
        (True, 1)
    """
    number = sum((np.sum(~np.isfinite(g)) for g in leaves(updates)), start=np.int64(0))
    is_left_out = np.greater(number, 0)
    return is_left_out, {"should_skip": is_left_out, "num_not_finite": number}


def skip_large_updates(
    updates: Any, gradient_step: Any, params: Any, max_squared_norm: float
) -> tuple[Any, Any]:
    """For `MultiSteps`, with `functools.partial`: leave out gradients that are long, or nan.

    Example:
        >>> import numpy as np
        >>> from functrace import optim
        >>> is_left_out, state = optim.skip_large_updates(np.array([3.0, 4.0]), 0, None, 24.0)
        >>> bool(is_left_out), float(state["norm_squared"])
        (True, 25.0)
    """
    square = norm(updates, squared=True)
    is_left_out = ~np.less(square, max_squared_norm)
    return is_left_out, {"should_skip": is_left_out, "norm_squared": square}


class MultiSteps:
    """One step of an optimizer for each k gradients, by their mean; zeros in between.

    Args:
        opt: The optimizer.
        every_k_schedule: k, or a function that gives it for each round.
        use_grad_mean: Whether their mean is taken, or else their sum.
        should_skip_update_fn: Takes a gradient, the number of rounds and the parameters; returns
            whether the gradient is left out, as if it had not come, and what the state keeps of
            it: `skip_not_finite`, for example.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.MultiSteps(optim.sgd(1.0), every_k_schedule=2)
        >>> x, found = 10.0, []
        >>> state = optimizer.init(x)
        >>> for gradient in [1.0, 3.0, 5.0, 7.0]:
        ...     updates, state = optimizer.update(gradient, state)
        ...     x = optim.apply_updates(x, updates)
        ...     found.append(float(x))
        >>> found
        [10.0, 8.0, 8.0, 2.0]
    """

    def __init__(
        self,
        opt: GradientTransformation,
        every_k_schedule: Any,
        use_grad_mean: bool = True,
        should_skip_update_fn: Callable[..., tuple[Any, Any]] | None = None,
    ) -> None:
        self.inner_opt = with_extra_args_support(opt)
        self._every: Schedule = (
            every_k_schedule if callable(every_k_schedule) else lambda step: every_k_schedule
        )
        self._use_grad_mean = use_grad_mean
        self._skips = should_skip_update_fn or (lambda updates, step, params: (np.False_, ()))

    def init(self, params: Any) -> MultiStepsState:
        """The first state."""
        zeros, rounds = zeros_like(params), no_steps()
        _, skip_state = self._skips(zeros, rounds, params)
        return MultiStepsState(no_steps(), rounds, self.inner_opt.init(params), zeros, skip_state)

    def update(
        self, updates: Any, state: Any, params: Any = None, **extra: Any
    ) -> tuple[Any, MultiStepsState]:
        """The updates after one more gradient, and the next state."""
        every, number = self._every(state.gradient_step), state.mini_step
        is_left_out, skip_state = self._skips(updates, state.gradient_step, params)

        def chosen(condition: Any, new: Any, old: Any) -> Any:
            return np.where(condition, new, old)[()]

        def gathered(g: Any, old: Any) -> Any:
            return old + (g - old) / number_for(number + 1, g) if self._use_grad_mean else old + g

        # What is left out is not computed with: it may be nan.
        updates = map_leaves(lambda g: chosen(is_left_out, np.zeros_like(g), g), updates)
        total = map_leaves(gathered, updates, state.acc_grads)
        found, after = self.inner_opt.update(total, state.inner_opt_state, params, **extra)
        is_last = np.equal(number, np.asarray(every) - 1)
        is_step = is_last & ~is_left_out

        after_mini = chosen(is_last, np.int32(0), safe_increment(number))
        after_round = chosen(is_step, safe_increment(state.gradient_step), state.gradient_step)
        return map_leaves(lambda x: chosen(is_step, x, np.zeros_like(x)), found), MultiStepsState(
            chosen(is_left_out, number, after_mini),
            after_round,
            map_leaves(partial(chosen, is_step), after, state.inner_opt_state),
            map_leaves(
                lambda x, old: chosen(is_left_out, old, chosen(is_last, 0 * old, x)),
                total,
                state.acc_grads,
            ),
            skip_state,
        )

    def has_updated(self, state: MultiStepsState) -> Any:
        """Whether the last update was one of the optimizer's."""
        return np.equal(state.mini_step, 0) & np.greater(state.gradient_step, 0)

    def gradient_transformation(self) -> GradientTransformationExtraArgs:
        """The same as a pair of functions."""
        return GradientTransformationExtraArgs(self.init, self.update)


class InjectHyperparamsState(NamedTuple):
    """How many steps there were, the numbers of an optimizer, and its state.

    Example:
        >>> from functrace import optim
        >>> optim.inject_hyperparams(optim.scale)(0.5).init(1.0).hyperparams
        {'step_size': array(0.5)}
    """

    count: Any
    hyperparams: dict[str, Any]
    inner_state: Any


def inject_hyperparams(
    inner_factory: Callable[..., GradientTransformation], static_args: Any = ()
) -> Callable[..., GradientTransformationExtraArgs]:
    """The same function, whose optimizer has its numbers in its state, where they can be changed.

    Args:
        inner_factory: Makes an optimizer of numbers and schedules.
        static_args: The name, or the names, of arguments that stay outside of the state.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.inject_hyperparams(optim.sgd)(learning_rate=0.5)
        >>> state = optimizer.init(1.0)
        >>> state.hyperparams["learning_rate"] = 0.25
        >>> float(optimizer.update(1.0, state)[0])
        -0.25
    """
    static = {static_args} if isinstance(static_args, str) else set(static_args)
    signature = inspect.signature(inner_factory)

    @wraps(inner_factory)
    def made(*args: Any, **options: Any) -> GradientTransformationExtraArgs:
        bound = signature.bind(*args, **options)
        bound.apply_defaults()
        others, schedules, numbers = {}, {}, {}
        for name, value in bound.arguments.items():
            if name in static or isinstance(value, bool):
                others[name] = value
            elif callable(value):
                schedules[name] = value
            elif isinstance(value, int | float | np.ndarray | np.generic):
                numbers[name] = np.asarray(value)
            else:
                others[name] = value

        def at(count: Any, numbers: dict[str, Any]) -> dict[str, Any]:
            found = {name: schedule(count) for name, schedule in schedules.items()}
            plain = {
                n: np.asarray(x) if isinstance(x, int | float) else x for n, x in found.items()
            }
            return {**numbers, **plain}

        def init(params: Any) -> InjectHyperparamsState:
            values = at(no_steps(), numbers)
            return InjectHyperparamsState(
                no_steps(), values, inner_factory(**others, **values).init(params)
            )

        def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
            values = at(state.count, state.hyperparams)
            tx = with_extra_args_support(inner_factory(**others, **values))
            found, after = tx.update(updates, state.inner_state, params, **extra)
            return found, InjectHyperparamsState(safe_increment(state.count), values, after)

        return GradientTransformationExtraArgs(init, update)

    return made


class LookaheadState(NamedTuple):
    """The state of the fast optimizer, and how many steps it made since both were the same.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.lookahead(optim.sgd(0.5), 5, 0.5)
        >>> optimizer.init(optim.LookaheadParams.init_synced(1.0)).steps_since_sync
        array(0, dtype=int32)
    """

    fast_state: Any
    steps_since_sync: Any


class LookaheadParams(NamedTuple):
    """Two parameters: gradients are taken at the fast ones, the slow ones are used.

    Example:
        >>> from functrace import optim
        >>> optim.LookaheadParams.init_synced(1.0)
        LookaheadParams(fast=1.0, slow=1.0)
    """

    fast: Any
    slow: Any

    @classmethod
    def init_synced(cls, params: Any) -> LookaheadParams:
        """Both the same."""
        return cls(params, params)


@says_how_made
def lookahead(
    fast_optimizer: GradientTransformation,
    sync_period: int,
    slow_step_size: Any,
    reset_state: bool = False,
) -> GradientTransformation:
    """Some steps forward, and a part of the way back (Zhang et al., NeurIPS 2019).

    Args:
        fast_optimizer: Makes the steps.
        sync_period: After how many of them the slow parameters go a part of the way to the fast
            ones, and these to where the slow ones are.
        slow_step_size: Which part of the way.
        reset_state: Whether the fast optimizer then begins anew.

    Returns:
        A transformation of gradients at the fast parameters; parameters and updates are
        `LookaheadParams`.

    Raises:
        ArgumentError: ``sync_period`` is below 1, or the parameters are not `LookaheadParams`.

    Example:
        >>> from functrace import optim
        >>> optimizer = optim.lookahead(optim.sgd(1.0), sync_period=2, slow_step_size=0.5)
        >>> params = optim.LookaheadParams.init_synced(8.0)
        >>> state, found = optimizer.init(params), []
        >>> for gradient in (1.0, 3.0):
        ...     updates, state = optimizer.update(gradient, state, params)
        ...     params = optim.apply_updates(params, updates)
        ...     found.append((float(params.fast), float(params.slow)))
        >>> found
        [(7.0, 8.0), (6.0, 6.0)]
    """
    if sync_period < 1:
        raise ArgumentError(f"sync_period={sync_period!r} is below 1.")

    def both(params: Any) -> LookaheadParams:
        if not isinstance(needed(params), LookaheadParams):
            raise ArgumentError(
                "The parameters of lookahead are no LookaheadParams.",
                source_of(user_place(0)),
                "Make them by LookaheadParams.init_synced(params).",
            )
        return params

    def init(params: Any) -> LookaheadState:
        return LookaheadState(fast_optimizer.init(both(params).fast), no_steps())

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, LookaheadState]:
        fast, slow = both(params)
        updates, after = fast_optimizer.update(updates, state.fast_state, fast)
        is_due = np.equal(state.steps_since_sync, sync_period - 1)

        def chosen(new: Any, old: Any) -> Any:
            return np.where(is_due, new, old)[()]

        ahead = map_leaves(lambda p, u, s: p + u - s, fast, updates, slow)
        way = map_leaves(lambda d: chosen(number_for(slow_step_size, d) * d, 0 * d), ahead)
        back = map_leaves(lambda u, d, w: u + chosen(w - d, 0 * d), updates, ahead, way)
        if reset_state:
            after = map_leaves(chosen, fast_optimizer.init(fast), after)
        number = chosen(np.int32(0), safe_increment(state.steps_since_sync))
        return LookaheadParams(back, way), LookaheadState(after, number)

    return GradientTransformation(init, update)
