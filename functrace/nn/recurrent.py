"""Layers that go through a sequence step by step, by `functrace.scan`.

The first axis of a sequence is time, and its last one holds features; those between are examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace import random
from functrace.control.loops import scan
from functrace.nn import initializers
from functrace.nn.activations import sigmoid
from functrace.nn.initializers import Initializer
from functrace.nn.layers import FIRST_WEIGHTS, Parameters, check_features
from functrace.primitives.linear import dtype_of, shape_of
from functrace.scipy.special import floating
from functrace.tracing.entrances import entrances


def _drawn(
    key: Any, inputs: int, size: int, gates: int, weight: Initializer, dtype: Any
) -> Parameters:
    """Weights of some gates side by side: those of the state orthogonal, each by itself."""
    first, second = random.split(key)
    square = initializers.orthogonal()
    of_state = [square(own, (size, size), dtype) for own in random.split(second, gates)]
    return {
        "input": weight(first, (inputs, gates * size), dtype),
        "state": np.concatenate(of_state, axis=1),
        "bias": np.zeros(gates * size, dtype),
    }


def init_lstm(
    key: Any,
    inputs: int,
    size: int,
    *,
    weight: Initializer = FIRST_WEIGHTS,
    dtype: Any = np.float64,
) -> Parameters:
    """Parameters of `lstm`: ``input`` (inputs, 4 size), ``state`` (size, 4 size), ``bias``.

    The four gates stand side by side: input, forget, cell, output. The bias of the forget gate is
    1, so that at first nothing is forgotten (Jozefowicz et al., 2015).

    Args:
        key: A key of `functrace.random`.
        inputs: How many features a step has.
        size: How many features the state has.
        weight: What draws the weight of inputs.
        dtype: Of the parameters.

    Example:
        >>> import functrace as ft
        >>> params = ft.nn.init_lstm(ft.random.key(0), 3, 2)
        >>> {name: x.shape for name, x in params.items()}
        {'input': (3, 8), 'state': (2, 8), 'bias': (8,)}
        >>> params["bias"]
        array([0., 0., 1., 1., 0., 0., 0., 0.])
    """
    params = _drawn(key, inputs, size, 4, weight, dtype)
    params["bias"][size : 2 * size] = 1
    return params


def lstm_step(params: Parameters, state: tuple[Any, Any], x: Any) -> tuple[tuple[Any, Any], Any]:
    """One step of `lstm`: a new state, and its output, which is the first part of it.

    Raises:
        ShapeMismatchError: The input or the state has another number of features than the
            parameters.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> params = ft.nn.init_lstm(ft.random.key(0), 3, 2)
        >>> (output, cell), same = ft.nn.lstm_step(params, (np.zeros(2), np.zeros(2)), np.ones(3))
        >>> output.shape, cell.shape, output is same
        ((2,), (2,), True)
    """
    _check(params, x, *state)
    halved = _halved(params)
    return _lstm_step(halved["state"], state, x @ halved["input"] + halved["bias"])


def _halved(params: Parameters) -> Parameters:
    """Parameters of which one hyperbolic tangent makes all gates.

    A sigmoid is ``(1 + tanh(x / 2)) / 2``, so what the three gates are given is halved here, where
    it costs nothing in each step. Halves are exact. That a gate near 0 keeps the tangent's absolute
    accuracy, not its relative one, is lost in what it is added to.
    """
    return {name: value * _gates(value, 1.0) for name, value in params.items()}


def _gates(x: Any, of_cell: float) -> Any:
    """A half for each gate and a number for the new values of the cell, as wide as ``x``."""
    size = shape_of(x)[-1] // 4
    factors = np.full(4 * size, 0.5, dtype_of(x))
    factors[2 * size : 3 * size] = of_cell
    return factors


def _lstm_step(weight: Any, state: tuple[Any, Any], seen: Any) -> tuple[tuple[Any, Any], Any]:
    """One step, from the halved weight of the state and what the gates are given of the input."""
    output, cell = state
    bent = np.tanh(seen + output @ weight)
    gates = bent * _gates(bent, 1.0) + _gates(bent, 0.0)
    enter, keep, new, leave = np.split(gates, 4, axis=-1)
    cell = keep * cell + enter * new
    output = leave * np.tanh(cell)
    return (output, cell), output


def lstm(
    params: Parameters, xs: Any, state: tuple[Any, Any] | None = None, *, reverse: bool = False
) -> tuple[Any, tuple[Any, Any]]:
    """A long short-term memory over a sequence (Hochreiter and Schmidhuber, 1997; Gers, 2000).

    Args:
        params: See `init_lstm`.
        xs: Of shape (time, ..., inputs).
        state: The output and the cell before the first step, of shape (..., size) each; None for
            zeros.
        reverse: Whether to go from the last step to the first.

    Returns:
        The outputs, of shape (time, ..., size), and the last state.

    Raises:
        ShapeMismatchError: The input or the state has another number of features than the
            parameters.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> params = ft.nn.init_lstm(ft.random.key(0), 3, 8)
        >>> outputs, (output, cell) = ft.nn.lstm(params, np.ones((20, 5, 3)))
        >>> outputs.shape, bool(np.all(outputs[-1] == output))
        ((20, 5, 8), True)
    """
    xs = floating(xs)
    first = (_zeros(params, xs),) * 2 if state is None else state
    _check(params, xs, *first)
    halved = _halved(params)
    # What is seen of the inputs does not wait for the state: one product for all steps.
    seen = xs @ halved["input"] + halved["bias"]
    weight = halved["state"]
    last, outputs = scan(
        lambda state, x: _lstm_step(weight, state, x), first, seen, reverse=reverse
    )
    return outputs, last


def _check(params: Parameters, x: Any, *states: Any) -> None:
    check_features("input weight", params["input"], x)
    for state in states:
        check_features("state weight", params["state"], state)


def _zeros(params: Parameters, xs: Any) -> Any:
    """The first state of a layer that was given none."""
    dtype = np.result_type(dtype_of(xs), dtype_of(params["state"]))
    return np.zeros((*shape_of(xs)[1:-1], shape_of(params["state"])[0]), dtype)


def init_gru(
    key: Any,
    inputs: int,
    size: int,
    *,
    weight: Initializer = FIRST_WEIGHTS,
    dtype: Any = np.float64,
) -> Parameters:
    """Parameters of `gru`: ``input`` (inputs, 3 size), ``state`` (size, 3 size), two biases.

    The three gates stand side by side: reset, update, new. ``state_bias``, of shape (size,), is
    added to what the new gate is given of the state.

    Args:
        key: A key of `functrace.random`.
        inputs: How many features a step has.
        size: How many features the state has.
        weight: What draws the weight of inputs.
        dtype: Of the parameters.

    Example:
        >>> import functrace as ft
        >>> params = ft.nn.init_gru(ft.random.key(0), 3, 2)
        >>> {name: x.shape for name, x in params.items()}
        {'input': (3, 6), 'state': (2, 6), 'bias': (6,), 'state_bias': (2,)}
    """
    return {
        **_drawn(key, inputs, size, 3, weight, dtype),
        "state_bias": np.zeros(size, dtype),
    }


def gru_step(params: Parameters, state: Any, x: Any) -> tuple[Any, Any]:
    """One step of `gru`: a new state, which is the output as well.

    Raises:
        ShapeMismatchError: The input or the state has another number of features than the
            parameters.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> params = ft.tree.map(np.zeros_like, ft.nn.init_gru(ft.random.key(0), 3, 2))
        >>> ft.nn.gru_step(params, np.array([2.0, 4.0]), np.ones(3))
        (array([1., 2.]), array([1., 2.]))
    """
    _check(params, x, state)
    size = shape_of(params["state"])[0]
    of_input = x @ params["input"] + params["bias"]
    of_state = state @ params["state"]
    gates = sigmoid(of_input[..., : 2 * size] + of_state[..., : 2 * size])
    reset, keep = gates[..., :size], gates[..., size:]
    seen = of_state[..., 2 * size :] + params["state_bias"]
    new = np.tanh(of_input[..., 2 * size :] + reset * seen)
    state = keep * state + (1 - keep) * new
    return state, state


def gru(
    params: Parameters, xs: Any, state: Any = None, *, reverse: bool = False
) -> tuple[Any, Any]:
    """A gated recurrent unit over a sequence, in the form that networks' libraries compute.

    That of Cho et al. (2014), whose reset gate is applied after the product with the weights.

    Args:
        params: See `init_gru`.
        xs: Of shape (time, ..., inputs).
        state: The state before the first step, of shape (..., size); None for zeros.
        reverse: Whether to go from the last step to the first.

    Returns:
        The states, of shape (time, ..., size), and the last one.

    Raises:
        ShapeMismatchError: The input or the state has another number of features than the
            parameters.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> params = ft.nn.init_gru(ft.random.key(0), 3, 8)
        >>> outputs, state = ft.nn.gru(params, np.ones((20, 5, 3)))
        >>> outputs.shape, bool(np.all(outputs[-1] == state))
        ((20, 5, 8), True)
    """
    xs = floating(xs)
    state = _zeros(params, xs) if state is None else state
    state, outputs = scan(lambda state, x: gru_step(params, state, x), state, xs, reverse=reverse)
    return outputs, state


globals().update(entrances(globals()))
