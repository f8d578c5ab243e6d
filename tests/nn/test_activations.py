"""Activations against their formulas in more digits, and against JAX where it is installed."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace import nn
from functrace.testing import check_grads


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    return mpmath.log(1 + mpmath.exp(x))


FORMULAS = {
    "celu": lambda x: x if x > 0 else mpmath.expm1(x),
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "gelu": lambda x: (
        x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)))
    ),
    "hard_sigmoid": lambda x: min(max(x + 3, 0), 6) / 6,
    "hard_silu": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "hard_swish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "hard_tanh": lambda x: min(max(x, -1), 1),
    "identity": lambda x: x,
    "leaky_relu": lambda x: x if x >= 0 else x / 100,
    "log_sigmoid": lambda x: -softplus(-x),
    "mish": lambda x: x * mpmath.tanh(softplus(x)),
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "selu": lambda x: (
        nn.activations.SELU_SCALE * (x if x > 0 else nn.activations.SELU_ALPHA * mpmath.expm1(x))
    ),
    "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x),
    "soft_sign": lambda x: x / (1 + abs(x)),
    "softplus": softplus,
    "sparse_plus": lambda x: 0 if x < -1 else x if x > 1 else (x + 1) ** 2 / 4,
    "sparse_sigmoid": lambda x: min(max((x + 1) / 2, 0), 1),
    "squareplus": lambda x: (x + mpmath.sqrt(x**2 + 4)) / 2,
    "swish": lambda x: x * sigmoid(x),
    "tanh": mpmath.tanh,
}
POINTS = np.array([-700.0, -30.0, -7.25, -2.3, -0.7, -1e-9, 1e-9, 0.4, 0.9, 1.6, 5.5, 7.0, 800.0])


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_the_formula(name):
    function = getattr(nn, name)
    with mpmath.workdps(400):
        expected = np.array([float(FORMULAS[name](mpmath.mpf(x))) for x in POINTS])
    np.testing.assert_allclose(function(POINTS), expected, rtol=2e-15, atol=1e-300)
    np.testing.assert_allclose(ft.jit(function)(POINTS), function(POINTS), rtol=1e-15)
    single = function(POINTS.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("name", [*FORMULAS, "log1mexp"])
def test_derivatives(name):
    function = getattr(nn, name)
    points = np.array([-4.5, -1.7, -0.4, 0.3, 0.8, 2.2, 6.5])
    points = points[points > 0] if name == "log1mexp" else points
    check_grads(function, (points,), order=2)
    np.testing.assert_array_equal(
        ft.vmap(ft.grad(function))(points), ft.grad(lambda x: np.sum(function(x)))(points)
    )


@pytest.mark.parametrize("name", [*FORMULAS, "log1mexp"])
def test_numbers_empty_arrays_and_integers(name):
    function = getattr(nn, name)
    assert type(function(np.float64(0.5))) is np.float64
    assert type(ft.jit(function)(np.float64(0.5))) is np.float64
    assert function(np.ones((0, 2))).shape == (0, 2)
    if name not in ("identity", "relu", "relu6"):
        assert function(np.array([1, 2])).dtype == np.float64
    assert np.isnan(function(np.array([np.nan]))).all()


def test_kinks_are_those_of_jax():
    at_zero = {"relu": 0.0, "leaky_relu": 1.0, "elu": 1.0, "selu": nn.selu(1.0)}
    for name, slope in at_zero.items():
        if name == "selu":
            slope = nn.activations.SELU_SCALE * nn.activations.SELU_ALPHA
        assert ft.grad(getattr(nn, name))(0.0) == pytest.approx(slope)
    assert ft.grad(nn.hard_tanh)(1.0) == 1.0


def test_options():
    x = np.array([-2.0, -0.5, 1.5])
    np.testing.assert_allclose(nn.elu(x, 0.5), np.where(x > 0, x, 0.5 * np.expm1(x)))
    np.testing.assert_allclose(nn.celu(x, 2.0), np.where(x > 0, x, 2 * np.expm1(x / 2)))
    np.testing.assert_allclose(nn.leaky_relu(x, 0.3), np.where(x > 0, x, 0.3 * x))
    np.testing.assert_allclose(nn.squareplus(x, 0), np.maximum(x, 0))
    exact = [float(v * mpmath.ncdf(v)) for v in x]
    np.testing.assert_allclose(nn.gelu(x, approximate=False), exact, rtol=1e-14)
    check_grads(lambda x: nn.gelu(x, approximate=False), (x,), order=2)
    check_grads(lambda x, alpha: nn.elu(x, alpha), (x, 0.5))


def test_gated_linear_units():
    x = np.linspace(-1, 1, 24).reshape(2, 4, 3)
    np.testing.assert_allclose(nn.glu(x, 1), x[:, :2] * nn.sigmoid(x[:, 2:]))
    np.testing.assert_allclose(nn.glu(x[:, :, :2]), x[..., :1] * nn.sigmoid(x[..., 1:2]))
    check_grads(nn.glu, (x[..., :2],))
    with pytest.raises(ValueError, match="equal division"):
        nn.glu(x)


def test_log1mexp_at_both_ends():
    points = np.array([1e-300, 1e-12, 0.3, np.log(2), 1.0, 40.0])
    with mpmath.workdps(400):
        expected = [float(mpmath.log(-mpmath.expm1(-mpmath.mpf(x)))) for x in points]
    np.testing.assert_allclose(nn.log1mexp(points), expected, rtol=1e-14)


@pytest.mark.parametrize("name", [*FORMULAS, "log1mexp"])
def test_it_is_as_in_jax(name):
    jax = pytest.importorskip("jax")
    points = np.array([-4.5, -1.7, -0.4, 0.0, 0.3, 0.8, 1.0, 2.2, 6.5], np.float32)
    points = points[points > 0] if name == "log1mexp" else points
    theirs = getattr(jax.nn, name)
    np.testing.assert_allclose(getattr(nn, name)(points), theirs(points), rtol=1e-5, atol=1e-6)
    if name not in ("identity", "relu6", "hard_sigmoid", "hard_silu", "hard_swish"):
        slopes = jax.vmap(jax.grad(theirs))(points)
        if name == "sparse_sigmoid":
            return  # whose derivative at 1 JAX takes from one side
        np.testing.assert_allclose(
            ft.vmap(ft.grad(getattr(nn, name)))(points), slopes, rtol=1e-4, atol=5e-6
        )


@pytest.mark.parametrize(
    "f", [nn.softplus, nn.log_sigmoid, nn.sigmoid, nn.silu, nn.relu6, nn.mish, nn.gelu, nn.selu]
)
def test_half_precision_stays(f):
    x = np.array([-3.0, 0.5, 7.0])
    for g in (f, ft.jit(f)):
        found = g(x.astype(np.float16))
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, f(x), rtol=2e-3)


def test_relu6_is_flat_at_both_ends():
    x = np.array([-1.0, 0.0, 3.0, 6.0, 7.0])
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(nn.relu6(x)))(x), [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(nn.relu6(np.array([np.nan, np.inf])), [np.nan, 6])
