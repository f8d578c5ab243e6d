"""Networks put together of pairs, as ``jax.example_libraries.stax`` does it.

A layer is a pair: ``init_fun(rng, input_shape)`` returns the shape of its output and its first
parameters, and ``apply_fun(params, inputs, **kwargs)`` applies it; `serial` and `parallel` make one
layer of several. Programs that are written so port by their import.

>>> import numpy as np
>>> import functrace as ft
>>> from functrace.nn import stax
>>> init, apply = stax.serial(stax.Dense(8), stax.Relu, stax.Dense(2), stax.LogSoftmax)
>>> shape, params = init(ft.random.key(0), (-1, 4))
>>> shape, apply(params, np.ones((5, 4))).shape
((-1, 2), (5, 2))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functrace import lax, random, tree
from functrace.errors import ArgumentError
from functrace.factories import how_made, says_how_made
from functrace.nn import activations, normalizing
from functrace.nn.initializers import Initializer, glorot_normal, normal, ones, zeros
from functrace.nn.normalizing import standardize
from functrace.primitives.linear import dtype_of, shape_of
from functrace.transforms.shapes import ShapeDtypeStruct, eval_shape

elu, gelu, leaky_relu, relu = (
    activations.elu, activations.gelu, activations.leaky_relu, activations.relu,
)  # fmt: skip
selu, sigmoid, softplus = activations.selu, activations.sigmoid, activations.softplus
softmax, log_softmax = normalizing.softmax, normalizing.log_softmax
glorot, randn, logsoftmax = glorot_normal, normal, log_softmax
"""Functions that programs name as stax's."""

Shape = Any
"""A tuple of lengths, or a list of such where there are several inputs; -1 for any length."""


class Layer(NamedTuple):
    """The two functions.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> layer = stax.Dense(2)
        >>> shape, params = layer.init_fun(ft.random.key(0), (-1, 4))
        >>> shape, layer.apply_fun(params, np.ones((5, 4))).shape
        ((-1, 2), (5, 2))
    """

    init_fun: Callable[[Any, Shape], tuple[Shape, Any]]
    apply_fun: Callable[..., Any]

    def __repr__(self) -> str:
        return f"<layer {how_made(self.apply_fun) or 'of two functions'}>"


def _layer(draw: Callable[[Any, Any], Any], apply: Callable[..., Any]) -> Layer:
    """A layer whose output's shape is what applying it gives."""

    def init_fun(rng: Any, input_shape: Shape) -> tuple[Shape, Any]:
        params = draw(rng, input_shape)
        return _output_shape(apply, params, input_shape), params

    return Layer(init_fun, apply)


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple) and all(isinstance(n, int | np.integer) for n in x)


def _output_shape(apply: Callable[..., Any], params: Any, input_shape: Shape) -> Shape:
    """The shape of the output, with -1 again for the examples whose number is not known."""
    given = tree.leaves(input_shape, is_leaf=_is_shape)
    is_open = any(shape[:1] == (-1,) for shape in given)

    def described(shape: Any) -> ShapeDtypeStruct:
        return ShapeDtypeStruct(tuple(1 if n == -1 else n for n in shape), np.float64)

    inputs = tree.map(described, input_shape, is_leaf=_is_shape)
    found = eval_shape(lambda p, x: apply(p, x, rng=random.key(0)), params, inputs)
    return tree.map(lambda x: (-1, *x.shape[1:]) if is_open else tuple(x.shape), found)


def _nothing(rng: Any, input_shape: Shape) -> Any:
    return ()


@says_how_made
def Dense(  # noqa: N802  (stax's names are those of classes)
    out_dim: int,
    W_init: Initializer | None = None,  # noqa: N803
    b_init: Initializer | None = None,
) -> Layer:
    """A product with a matrix, and a bias; the parameters are the pair of both.

    Example:
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> init, apply = stax.Dense(2)
        >>> shape, (weight, bias) = init(ft.random.key(0), (-1, 4))
        >>> shape, weight.shape, bias.shape
        ((-1, 2), (4, 2), (2,))
    """
    weight, bias = W_init or glorot_normal(), b_init or normal()

    def draw(rng: Any, input_shape: Shape) -> Any:
        first, second = random.split(rng)
        return weight(first, (input_shape[-1], out_dim)), bias(second, (out_dim,))

    return _layer(draw, lambda params, inputs, **_: inputs @ params[0] + params[1])


def _convolution(
    convolve: Callable[..., Any],
    dimension_numbers: tuple[str, str, str],
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: Any,
    weight: Initializer | None,
    bias: Initializer | None,
) -> Layer:
    lhs, rhs, out = dimension_numbers
    steps = strides or (1,) * len(filter_shape)
    of_weight = weight or glorot_normal(rhs.index("I"), rhs.index("O"))
    of_bias = bias or normal(1e-6)

    def draw(rng: Any, input_shape: Shape) -> Any:
        window = iter(filter_shape)
        lengths = {"O": out_chan, "I": input_shape[lhs.index("C")]}
        shape = [lengths[axis] if axis in lengths else next(window) for axis in rhs]
        first, second = random.split(rng)
        return of_weight(first, shape), of_bias(second, [out_chan if a == "C" else 1 for a in out])

    def apply(params: Any, inputs: Any, **_: Any) -> Any:
        weight, bias = params
        y = convolve(inputs, weight, steps, padding, dimension_numbers=dimension_numbers)
        return y + bias

    return _layer(draw, apply)


@says_how_made
def GeneralConv(  # noqa: N802
    dimension_numbers: tuple[str, str, str],
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    W_init: Initializer | None = None,  # noqa: N803
    b_init: Initializer | None = None,
) -> Layer:
    """A convolution, with its axes where ``dimension_numbers`` says, and a bias.

    Example:
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> init, apply = stax.GeneralConv(("NHWC", "HWIO", "NHWC"), 8, (3, 3), padding="SAME")
        >>> shape, (weight, bias) = init(ft.random.key(0), (-1, 28, 28, 1))
        >>> shape, weight.shape
        ((-1, 28, 28, 8), (3, 3, 1, 8))
    """
    given = dimension_numbers, out_chan, filter_shape, strides, padding, W_init, b_init
    return _convolution(lax.conv_general_dilated, *given)


@says_how_made
def GeneralConvTranspose(  # noqa: N802
    dimension_numbers: tuple[str, str, str],
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    W_init: Initializer | None = None,  # noqa: N803
    b_init: Initializer | None = None,
) -> Layer:
    """A transposed convolution, with its axes where ``dimension_numbers`` says, and a bias.

    Example:
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> init, apply = stax.GeneralConvTranspose(("NHC", "HIO", "NHC"), 8, (3,), (2,), "SAME")
        >>> shape, (weight, bias) = init(ft.random.key(0), (-1, 14, 2))
        >>> shape, weight.shape
        ((-1, 28, 8), (3, 2, 8))
    """
    given = dimension_numbers, out_chan, filter_shape, strides, padding, W_init, b_init
    return _convolution(lax.conv_transpose, *given)


Conv = partial(GeneralConv, ("NHWC", "HWIO", "NHWC"))
Conv1DTranspose = partial(GeneralConvTranspose, ("NHC", "HIO", "NHC"))
ConvTranspose = partial(GeneralConvTranspose, ("NHWC", "HWIO", "NHWC"))


@says_how_made
def BatchNorm(  # noqa: N802
    axis: int | Sequence[int] = (0, 1, 2),
    epsilon: float = 1e-5,
    center: bool = True,
    scale: bool = True,
    beta_init: Initializer = zeros,
    gamma_init: Initializer = ones,
) -> Layer:
    """Normal over the batch, with the batch's own mean and variance always.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> init, apply = stax.BatchNorm(axis=0)
        >>> shape, params = init(ft.random.key(0), (-1, 2))
        >>> apply(params, np.array([[1.0, 10.0], [3.0, 30.0]])).round(3)
        array([[-1., -1.],
               [ 1.,  1.]])
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)

    def draw(rng: Any, input_shape: Shape) -> Any:
        shape = [n for i, n in enumerate(input_shape) if i not in axes]
        first, second = random.split(rng)
        beta = beta_init(first, shape) if center else ()
        return beta, gamma_init(second, shape) if scale else ()

    def apply(params: Any, inputs: Any, **_: Any) -> Any:
        normed = standardize(inputs, axes, epsilon=epsilon)
        shape = [1 if i in axes else n for i, n in enumerate(shape_of(inputs))]
        if scale:
            normed = normed * np.reshape(params[1], shape)
        return normed + np.reshape(params[0], shape) if center else normed

    return _layer(draw, apply)


@says_how_made
def elementwise(fun: Callable[..., Any], **fun_kwargs: Any) -> Layer:
    """A function without parameters, as a layer.

    Example:
        >>> import numpy as np
        >>> from functrace.nn import stax
        >>> init, apply = stax.elementwise(np.clip, a_min=0.0, a_max=1.0)
        >>> apply((), np.array([-1.0, 0.5, 2.0]))
        array([0. , 0.5, 1. ])
    """
    return _layer(_nothing, lambda params, inputs, **_: fun(inputs, **fun_kwargs))


Tanh = elementwise(np.tanh)
Relu = elementwise(activations.relu)
Exp = elementwise(np.exp)
LogSoftmax = elementwise(normalizing.log_softmax, axis=-1)
Softmax = elementwise(normalizing.softmax, axis=-1)
Softplus = elementwise(activations.softplus)
Sigmoid = elementwise(activations.sigmoid)
Elu = elementwise(activations.elu)
LeakyRelu = elementwise(activations.leaky_relu)
Selu = elementwise(activations.selu)
Gelu = elementwise(activations.gelu)


@says_how_made
def _pool(
    combine: Any, first: float, is_mean: bool, window_shape: Sequence[int],
    strides: Sequence[int] | None = None, padding: Any = "VALID", spec: str | None = None,
) -> Layer:  # fmt: skip
    """A pool whose windows have one place in the axes of examples and channels."""
    lengths = iter(window_shape)
    steps = iter(strides or (1,) * len(window_shape))
    spec = spec or "N" + "".join(map(str, range(len(window_shape)))) + "C"
    window = tuple(1 if axis in "NC" else next(lengths) for axis in spec)
    stride = tuple(1 if axis in "NC" else next(steps) for axis in spec)

    def apply(params: Any, inputs: Any, **_: Any) -> Any:
        start = dtype_of(inputs).type(first)
        found = lax.reduce_window(inputs, start, combine, window, stride, padding)
        if not is_mean:
            return found
        counted = np.ones(shape_of(inputs), dtype_of(inputs))
        return found / lax.reduce_window(counted, start, combine, window, stride, padding)

    return _layer(_nothing, apply)


MaxPool = partial(_pool, lax.max, -np.inf, False)
SumPool = partial(_pool, lax.add, 0.0, False)
AvgPool = partial(_pool, lax.add, 0.0, True)

Flatten = _layer(
    _nothing, lambda params, inputs, **_: np.reshape(inputs, (shape_of(inputs)[0], -1))
)
Identity = _layer(_nothing, lambda params, inputs, **_: inputs)
FanInSum = _layer(_nothing, lambda params, inputs, **_: sum(inputs[1:], inputs[0]))


@says_how_made
def FanOut(num: int) -> Layer:  # noqa: N802
    """The input, as many times.

    Example:
        >>> import numpy as np
        >>> from functrace.nn import stax
        >>> init, apply = stax.FanOut(2)
        >>> apply((), np.array([1.0, 2.0]))
        [array([1., 2.]), array([1., 2.])]
    """
    return _layer(_nothing, lambda params, inputs, **_: [inputs] * num)


@says_how_made
def FanInConcat(axis: int = -1) -> Layer:  # noqa: N802
    """Several inputs, one behind the other along an axis.

    Example:
        >>> import numpy as np
        >>> from functrace.nn import stax
        >>> init, apply = stax.FanInConcat()
        >>> apply((), [np.array([1.0, 2.0]), np.array([3.0])])
        array([1., 2., 3.])
    """
    return _layer(_nothing, lambda params, inputs, **_: np.concatenate(inputs, axis))


@says_how_made
def Dropout(rate: float, mode: str = "train") -> Layer:  # noqa: N802
    """What is kept with the probability ``rate``, and scaled up for what is not.

    Applied with ``rng=key``; with ``mode="test"`` all is kept.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> init, apply = stax.Dropout(0.5)
        >>> np.unique(apply((), np.ones(1000), rng=ft.random.key(0)))
        array([0., 2.])
    """

    def apply(params: Any, inputs: Any, *, rng: Any = None, **_: Any) -> Any:
        if mode != "train":
            return inputs
        if rng is None:
            raise ArgumentError(
                "Dropout draws what is kept from a key.",
                advice="Give it: apply_fun(params, inputs, rng=key).",
            )
        kept = random.bernoulli(rng, rate, shape_of(inputs))
        return np.where(kept, inputs / rate, dtype_of(inputs).type(0))

    return _layer(_nothing, apply)


def _keys(rng: Any, count: int) -> Sequence[Any]:
    return [None] * count if rng is None else list(random.split(rng, count))


@says_how_made
def serial(*layers: Any) -> Layer:
    """Layers one after the other.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> init, apply = stax.serial(stax.Dense(8), stax.Relu, stax.Dense(2))
        >>> shape, params = init(ft.random.key(0), (-1, 4))
        >>> shape, apply(params, np.ones((5, 4))).shape
        ((-1, 2), (5, 2))
    """

    def init_fun(rng: Any, input_shape: Shape) -> tuple[Shape, Any]:
        params: list[Any] = []
        for (init, _), key in zip(layers, _keys(rng, len(layers)), strict=True):
            input_shape, drawn = init(key, input_shape)
            params.append(drawn)
        return input_shape, params

    def apply_fun(params: Any, inputs: Any, *, rng: Any = None, **kwargs: Any) -> Any:
        for (_, apply), own, key in zip(layers, params, _keys(rng, len(layers)), strict=True):
            inputs = apply(own, inputs, rng=key, **kwargs)
        return inputs

    return Layer(init_fun, apply_fun)


@says_how_made
def parallel(*layers: Any) -> Layer:
    """Layers side by side, each of which takes one of several inputs.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> init, apply = stax.parallel(stax.Relu, stax.Identity)
        >>> shape, params = init(ft.random.key(0), [(2,), (2,)])
        >>> apply(params, [np.array([-1.0, 2.0]), np.array([-1.0, 2.0])])
        [array([0., 2.]), array([-1.,  2.])]
    """

    def init_fun(rng: Any, input_shape: Shape) -> tuple[Shape, Any]:
        keys = _keys(rng, len(layers))
        drawn = [
            init(key, shape)
            for (init, _), key, shape in zip(layers, keys, input_shape, strict=True)
        ]
        return [shape for shape, _ in drawn], [params for _, params in drawn]

    def apply_fun(params: Any, inputs: Any, *, rng: Any = None, **kwargs: Any) -> Any:
        given = zip(layers, params, inputs, _keys(rng, len(layers)), strict=True)
        return [apply(own, x, rng=key, **kwargs) for (_, apply), own, x, key in given]

    return Layer(init_fun, apply_fun)


@says_how_made
def shape_dependent(make_layer: Callable[[Shape], Any]) -> Layer:
    """A layer that is made for the shape of its input.

    Example:
        >>> import functrace as ft
        >>> from functrace.nn import stax
        >>> half = stax.shape_dependent(lambda shape: stax.Dense(shape[-1] // 2))
        >>> init, apply = half
        >>> init(ft.random.key(0), (-1, 6))[0]
        (-1, 3)
    """

    def init_fun(rng: Any, input_shape: Shape) -> tuple[Shape, Any]:
        found: tuple[Shape, Any] = make_layer(input_shape)[0](rng, input_shape)
        return found

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        shapes = tree.map(shape_of, inputs)
        return make_layer(shapes)[1](params, inputs, **kwargs)

    return Layer(init_fun, apply_fun)
