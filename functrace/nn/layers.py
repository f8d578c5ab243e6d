"""Layers as pure functions: of parameters, which are trees of arrays, and of inputs.

For each layer that has parameters, ``init_...`` draws them; what it returns is a dict of arrays, to
be differentiated, saved or looked at like any other. The last axis holds the features, and all
axes before it are examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace import random
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.nn import initializers
from functrace.nn.attention import dot_product_attention
from functrace.nn.initializers import Initializer
from functrace.nn.normalizing import standardize
from functrace.primitives.linear import dtype_of, shape_of
from functrace.scipy.special import floating
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand

Parameters = dict[str, Any]

FIRST_WEIGHTS = initializers.lecun_normal()
FIRST_FEATURES = initializers.variance_scaling(1.0, "fan_in", "normal", -1, -2)


def init_dense(
    key: Any,
    inputs: int,
    outputs: int,
    *,
    bias: bool = True,
    weight: Initializer = FIRST_WEIGHTS,
    dtype: Any = np.float64,
) -> Parameters:
    """Parameters of `dense`: a ``weight`` of shape (inputs, outputs), and a ``bias`` of zeros.

    Args:
        key: A key of `functrace.random`.
        inputs: How many features an input has.
        outputs: How many features an output has.
        bias: Whether there is a bias.
        weight: What draws the weight.
        dtype: Of the parameters.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> params = ft.nn.init_dense(ft.random.key(0), 3, 2)
        >>> ft.nn.dense(params, np.ones((5, 3))).shape
        (5, 2)
    """
    return with_bias({"weight": weight(key, (inputs, outputs), dtype)}, bias, outputs, dtype)


def with_bias(
    params: Parameters, bias: bool, features: int | tuple[int, ...], dtype: Any
) -> Parameters:
    """Parameters, and a bias of zeros if there is one."""
    return {**params, "bias": np.zeros(features, dtype)} if bias else params


def plus_bias(params: Parameters, y: Any) -> Any:
    """What a layer gives, and its bias if it has one."""
    return y + params["bias"] if "bias" in params else y


def dense(params: Parameters, x: Any) -> Any:
    """``x @ weight + bias``.

    Args:
        params: See `init_dense`.
        x: Of shape (..., inputs).

    Returns:
        An array of shape (..., outputs).

    Raises:
        ShapeMismatchError: The inputs have another number of features than the weight.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> params = {"weight": np.array([[1.0, 2.0], [3.0, 4.0]]), "bias": np.array([0.5, -0.5])}
        >>> nn.dense(params, np.array([1.0, 1.0]))
        array([4.5, 5.5])
    """
    x, weight = as_operand(x), params["weight"]
    check_features("weight", weight, x)
    return plus_bias(params, x @ weight)


def check_features(name: str, weight: Any, x: Any) -> None:
    """Refuse an input whose features are not those of parameters: one of them would be repeated.

    Raises:
        ShapeMismatchError: The numbers of features differ.
    """
    if shape_of(x)[-1:] != shape_of(weight)[:1]:
        raise ShapeMismatchError(
            f"A {name} of shape {shape_of(weight)} takes {shape_of(weight)[0]} features; the "
            f"input's shape is {shape_of(x)}."
        )


def init_embedding(
    key: Any,
    count: int,
    features: int,
    *,
    weight: Initializer = FIRST_FEATURES,
    dtype: Any = np.float64,
) -> Parameters:
    """Parameters of `embedding`: a ``weight`` of shape (count, features).

    Args:
        key: A key of `functrace.random`.
        count: How many things there are.
        features: How many features each of them has.
        weight: What draws the weight; features of variance ``1 / features`` if nothing is given.
        dtype: Of the parameters.

    Example:
        >>> import functrace as ft
        >>> params = ft.nn.init_embedding(ft.random.key(0), 1000, 16)
        >>> params["weight"].shape, params["weight"].std().round(2)
        ((1000, 16), np.float64(0.25))
    """
    return {"weight": weight(key, (count, features), dtype)}


def embedding(params: Parameters, numbers: Any) -> Any:
    """The features of the things with these numbers: rows of the weight.

    Args:
        params: See `init_embedding`.
        numbers: An array of integers.

    Returns:
        An array of the shape of ``numbers`` with an axis of features behind.

    Raises:
        ArgumentError: The numbers are no integers.
        IndexError: There is no thing of this number.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> params = {"weight": np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])}
        >>> nn.embedding(params, np.array([2, 0]))
        array([[4., 5.],
               [0., 1.]])
    """
    numbers = as_operand(numbers)
    if dtype_of(numbers).kind not in "iu":
        raise ArgumentError(f"What is embedded has a number, an integer, not {dtype_of(numbers)}.")
    return as_operand(params["weight"])[numbers]


def init_layer_norm(features: int, *, dtype: Any = np.float64) -> Parameters:
    """Parameters of `layer_norm` and `group_norm`: a ``scale`` of ones, a ``bias`` of zeros.

    Example:
        >>> from functrace import nn
        >>> nn.init_layer_norm(2)
        {'scale': array([1., 1.]), 'bias': array([0., 0.])}
    """
    return {"scale": np.ones(features, dtype), "bias": np.zeros(features, dtype)}


def layer_norm(params: Parameters, x: Any, *, epsilon: float = 1e-5) -> Any:
    """Features of mean 0 and variance 1 in each example, scaled and shifted (Ba et al., 2016).

    Args:
        params: See `init_layer_norm`.
        x: Of shape (..., features).
        epsilon: What is added to the variance.

    Raises:
        ShapeMismatchError: The input has another number of features than the parameters.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.layer_norm(nn.init_layer_norm(2), np.array([[1.0, 3.0], [10.0, 30.0]])).round(3)
        array([[-1.,  1.],
               [-1.,  1.]])
    """
    return _scaled(params, standardize(floating(x), epsilon=epsilon))


def _scaled(params: Parameters, x: Any) -> Any:
    check_features("scale", params["scale"], x)
    return x * params["scale"] + params["bias"]


def init_rms_norm(features: int, *, dtype: Any = np.float64) -> Parameters:
    """Parameters of `rms_norm`: a ``scale`` of ones.

    Example:
        >>> from functrace import nn
        >>> nn.init_rms_norm(2)
        {'scale': array([1., 1.])}
    """
    return {"scale": np.ones(features, dtype)}


def rms_norm(params: Parameters, x: Any, *, epsilon: float = 1e-6) -> Any:
    """Features with a mean square of 1 in each example, scaled (Zhang and Sennrich, 2019).

    Args:
        params: See `init_rms_norm`.
        x: Of shape (..., features).
        epsilon: What is added to the mean square.

    Raises:
        ShapeMismatchError: The input has another number of features than the parameters.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.rms_norm(nn.init_rms_norm(2), np.array([1.0, 7.0])).round(3)
        array([0.2, 1.4])
    """
    x = floating(x)
    check_features("scale", params["scale"], x)
    return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + epsilon) * params["scale"]


def group_norm(params: Parameters, x: Any, groups: int, *, epsilon: float = 1e-5) -> Any:
    """Groups of features of mean 0 and variance 1 in each example (Wu and He, 2018).

    Args:
        params: See `init_layer_norm`.
        x: Of shape (examples, ..., features): the mean is over all axes but the first, too.
        groups: How many groups of neighbouring features there are.
        epsilon: What is added to the variance.

    Raises:
        ShapeMismatchError: The features cannot be divided so.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> x = np.array([[1.0, 3.0, 10.0, 30.0]])
        >>> nn.group_norm(nn.init_layer_norm(4), x, groups=2).round(3)
        array([[-1.,  1., -1.,  1.]])
    """
    x = floating(x)
    shape = shape_of(x)
    if len(shape) < 2 or groups < 1 or shape[-1] % groups:
        raise ShapeMismatchError(
            f"An array of shape {shape} cannot have its last axis divided into {groups} groups, "
            f"with an axis of examples before it."
        )
    divided = np.reshape(x, (*shape[:-1], groups, shape[-1] // groups))
    axes = (*range(1, len(shape) - 1), len(shape))
    return _scaled(params, np.reshape(standardize(divided, axes, epsilon=epsilon), shape))


def init_batch_norm(features: int, *, dtype: Any = np.float64) -> tuple[Parameters, Parameters]:
    """Parameters of `batch_norm`, and its first statistics: a ``mean`` of 0, a ``variance`` of 1.

    Returns:
        Two dicts; the second one is no parameter: it is not differentiated, but handed on.

    Example:
        >>> from functrace import nn
        >>> params, statistics = nn.init_batch_norm(2)
        >>> statistics
        {'mean': array([0., 0.]), 'variance': array([1., 1.])}
    """
    statistics = {"mean": np.zeros(features, dtype), "variance": np.ones(features, dtype)}
    return init_layer_norm(features, dtype=dtype), statistics


def batch_norm(
    params: Parameters,
    statistics: Parameters,
    x: Any,
    *,
    training: bool,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
) -> tuple[Any, Parameters]:
    """Features of mean 0 and variance 1 over a batch, scaled and shifted (Ioffe and Szegedy, 2015).

    Args:
        params: See `init_batch_norm`.
        statistics: The mean and the variance of features seen so far.
        x: Of shape (..., features).
        training: Whether the batch's own mean and variance are used, and remembered; otherwise
            those of ``statistics`` are.
        momentum: What share of the statistics is kept.
        epsilon: What is added to the variance.

    Returns:
        An array of the shape of ``x``, and new statistics. With ``value_and_grad(...,
        has_aux=True)`` a loss hands these out.

    Raises:
        ShapeMismatchError: The input has another number of features than the parameters.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> params, statistics = nn.init_batch_norm(1)
        >>> y, statistics = nn.batch_norm(params, statistics, [[1.0], [3.0]], training=True)
        >>> y.round(3)
        array([[-1.],
               [ 1.]])
        >>> statistics
        {'mean': array([0.2]), 'variance': array([1.])}
    """
    x = floating(x)
    check_features("scale", params["scale"], x)
    if not training:
        normal = standardize(x, -1, statistics["mean"], statistics["variance"], epsilon)
        return _scaled(params, normal), statistics
    axes = tuple(range(len(shape_of(x)) - 1))
    mean = np.mean(x, axis=axes)
    variance = np.mean(np.square(x - mean), axis=axes)
    seen = {
        "mean": momentum * statistics["mean"] + (1 - momentum) * mean,
        "variance": momentum * statistics["variance"] + (1 - momentum) * variance,
    }
    return _scaled(params, standardize(x, axes, mean, variance, epsilon)), seen


def dropout(key: Any, x: Any, rate: float, *, training: bool = True) -> Any:
    """Zeros in place of some elements, drawn at random, and the others scaled up for them.

    Args:
        key: A key of `functrace.random`: a new one for each call.
        x: An array.
        rate: What share becomes 0: at least 0, and less than 1 unless all is dropped.
        training: Whether anything is dropped.

    Returns:
        An array of the shape of ``x``, of the same mean (Srivastava et al., 2014).

    Raises:
        ArgumentError: The rate is no share.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> y = ft.nn.dropout(ft.random.key(0), np.ones(1000), 0.5)
        >>> np.unique(y), y.mean().round(1)
        (array([0., 2.]), np.float64(1.0))
        >>> ft.nn.dropout(ft.random.key(0), np.ones(3), 0.5, training=False)
        array([1., 1., 1.])
    """
    x = floating(x)
    if np.ndim(rate) or not 0 <= rate <= 1:
        raise ArgumentError(f"rate={rate} is no share of elements: it is between 0 and 1.")
    if not training or rate == 0:
        return x
    if rate == 1:
        return x * 0
    kept = random.bernoulli(key, 1 - rate, shape_of(x))
    return np.where(kept, x / (1 - rate), dtype_of(x).type(0))


def init_attention(
    key: Any,
    features: int,
    heads: int,
    *,
    size: int | None = None,
    bias: bool = True,
    weight: Initializer = FIRST_WEIGHTS,
    dtype: Any = np.float64,
) -> Parameters:
    """Parameters of `attention`: those of four layers, ``query``, ``key``, ``value``, ``output``.

    Args:
        key: A key of `functrace.random`.
        features: How many features inputs and outputs have.
        heads: How many heads there are.
        size: How many features a head has; None for ``features // heads``.
        bias: Whether the layers have biases.
        weight: What draws the weights.
        dtype: Of the parameters.

    Raises:
        ArgumentError: The heads cannot share the features evenly.

    Example:
        >>> import functrace as ft
        >>> params = ft.nn.init_attention(ft.random.key(0), features=6, heads=2)
        >>> {name: layer["weight"].shape for name, layer in params.items()}
        {'query': (6, 2, 3), 'key': (6, 2, 3), 'value': (6, 2, 3), 'output': (2, 3, 6)}
    """
    if size is None:
        if features % heads:
            raise ArgumentError(
                f"{heads} heads cannot share {features} features evenly.",
                advice="Say the size of a head.",
            )
        size = features // heads
    names, keys = ("query", "key", "value"), random.split(key, 4)
    params: Parameters = {}
    for name, own in zip(names, keys, strict=False):
        drawn = weight(own, (features, heads * size), dtype).reshape(features, heads, size)
        params[name] = with_bias({"weight": drawn}, bias, (heads, size), dtype)
    drawn = weight(keys[3], (heads * size, features), dtype).reshape(heads, size, features)
    params["output"] = with_bias({"weight": drawn}, bias, features, dtype)
    return params


def attention(
    params: Parameters,
    query: Any,
    key: Any = None,
    value: Any = None,
    *,
    mask: Any = None,
    is_causal: bool = False,
) -> Any:
    """What each place of a sequence reads of the places of another (Vaswani et al., 2017).

    Args:
        params: See `init_attention`.
        query: Of shape (..., places, features).
        key: Of shape (..., other places, features); None for ``query``, which reads itself then.
        value: Of the shape of ``key``; None for ``key``.
        mask: What may be read, of a shape that broadcasts to (..., heads, places, other places).
        is_causal: Whether a place reads those before it and itself only.

    Returns:
        An array of the shape of ``query``.

    Raises:
        ShapeMismatchError: An input has another number of features than the parameters.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> params = ft.nn.init_attention(ft.random.key(0), features=6, heads=2)
        >>> x = ft.random.normal(ft.random.key(1), (5, 6))
        >>> y = ft.nn.attention(params, x, is_causal=True)
        >>> y.shape, np.allclose(y[:2], ft.nn.attention(params, x[:2], is_causal=True))
        ((5, 6), True)
    """
    key = query if key is None else key
    value = key if value is None else value
    heads = (_heads(params[n], x) for n, x in (("query", query), ("key", key), ("value", value)))
    read = dot_product_attention(*heads, mask=mask, is_causal=is_causal)
    output = params["output"]
    return plus_bias(output, np.einsum("...hs,hsf->...f", read, output["weight"]))


def _heads(params: Parameters, x: Any) -> Any:
    """Features for each head, of shape (..., places, heads, size)."""
    x = floating(x)
    check_features("weight", params["weight"], x)
    return plus_bias(params, np.einsum("...f,fhs->...hs", x, params["weight"]))


globals().update(entrances(globals()))
