"""Elementwise functions: kinks by name, values, dtypes, complex derivatives, keywords of ufuncs."""

from __future__ import annotations

import operator
from itertools import product

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.errors import OperandError
from functrace.extend import PRIMITIVES, type_of
from functrace.primitives.elementwise import product_or_zero_primitive, quotient_or_zero_primitive
from functrace.testing import check_grads, numerical_gradient
from functrace.tracing.tables import UFUNCS
from tests.agreement import assert_like_numpy

# Kinks


def test_absolute_has_derivative_0_at_0():
    assert ft.grad(np.abs)(0.0) == 0
    assert ft.grad(np.fabs)(0.0) == 0
    assert ft.grad(np.abs)(0j) == 0


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_ties_share_equally(f):
    assert ft.grad(f, (0, 1))(1.0, 1.0) == (0.5, 0.5)
    gradients = ft.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(np.zeros(3), 0.0)
    np.testing.assert_array_equal(gradients[0], [0.5, 0.5, 0.5])
    assert gradients[1] == 1.5


def test_relu_has_half_the_derivative_at_0_as_a_maximum_and_none_as_a_choice():
    assert ft.grad(lambda x: np.maximum(x, 0.0))(0.0) == 0.5
    assert ft.grad(lambda x: np.where(x > 0, x, 0.0))(0.0) == 0


def test_nan_loses_in_fmax_and_wins_in_maximum():
    assert ft.grad(np.fmax, (0, 1))(np.nan, 1.0) == (0, 1)
    assert ft.grad(np.fmin, (0, 1))(1.0, np.nan) == (1, 0)


def test_hypot_has_derivative_0_at_0():
    assert ft.grad(np.hypot, (0, 1))(0.0, 0.0) == (0, 0)


def test_roots_have_infinite_derivatives_at_0():
    assert ft.grad(np.sqrt)(0.0) == np.inf
    assert ft.grad(np.cbrt)(0.0) == np.inf
    assert ft.grad(lambda x: x**0.5)(0.0) == np.inf


def test_powers_at_0():
    assert ft.grad(lambda x: x**0)(0.0) == 0
    assert ft.grad(lambda x: np.power(x, 0.0))(0.0) == 0
    assert ft.grad(lambda x: x ** np.int64(0))(0.0) == 0
    assert ft.grad(lambda x: x**1)(0.0) == 1
    assert ft.grad(lambda x: x**2)(0.0) == 0
    assert ft.grad(ft.grad(lambda x: x**2))(0.0) == 2
    assert ft.grad(lambda y: 0.0**y)(2.0) == 0
    assert ft.grad(np.power, (0, 1))(0.0, 0.0) == (0, 0)
    assert ft.grad(np.power, (0, 1))(0.0, 1.0) == (1, 0)


def test_negative_bases_have_a_derivative_by_the_base():
    assert ft.grad(lambda x: x**3)(-2.0) == 12
    assert ft.grad(np.power)(-2.0, 3.0) == 12
    assert ft.grad(lambda x: x**-1)(-2.0) == -0.25


@pytest.mark.parametrize("f", [np.logaddexp, np.logaddexp2])
def test_logaddexp_at_infinities(f):
    gradient = ft.grad(f, (0, 1))
    assert gradient(np.inf, np.inf) == (0.5, 0.5)
    assert gradient(-np.inf, -np.inf) == (0.5, 0.5)
    assert gradient(-np.inf, 0.0) == (0, 1)
    assert gradient(np.inf, 0.0) == (1, 0)


def test_arctan2_of_zeros_is_finite_behind_a_choice():
    def f(y, x):
        return np.where(x > 0, np.arctan2(y, x), 0.0)

    assert ft.grad(f, (0, 1))(0.0, 0.0) == (0, 0)


SINGULAR = {
    "sqrt": np.sqrt,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": lambda x: np.log1p(x - 1),
    "1/x": lambda x: 1 / x,
    "reciprocal": np.reciprocal,
    "x**0.5": lambda x: x**0.5,
    "x**-1.5": lambda x: x**-1.5,
    "x**array": lambda x: np.power(x, np.full(2, 0.5)),
    "cbrt": np.cbrt,
    "arcsin": lambda x: np.arcsin(1 - x),
    "arccos": lambda x: np.arccos(1 - x),
    "arccosh": lambda x: np.arccosh(1 + x),
    "arctanh": lambda x: np.arctanh(1 - x),
    "arctan2": lambda x: np.arctan2(x, x),
    "log of sqrt": lambda x: np.log(np.sqrt(x)),
    "sqrt of sum": lambda x: np.sqrt(x + x),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_zero_cotangents_stay_zero_through_singular_points(name):
    def f(x):
        with np.errstate(all="ignore"):  # the forward pass may warn, as NumPy does; we may not
            values = SINGULAR[name](x)
        return np.sum(np.where(x > 0, values, 0.0))

    at = np.array([0.0, 0.25])
    first = ft.grad(f)(at)
    second = ft.grad(lambda x: np.sum(ft.grad(f)(x)))(at)
    assert first[0] == second[0] == 0
    inside = np.array([0.25, 0.25])
    np.testing.assert_array_equal(first[1], ft.grad(f)(inside)[1])
    assert np.isfinite(second[1])


# Values


def _logaddexp2(x, y):
    return mpmath.log(mpmath.mpf(2) ** x + mpmath.mpf(2) ** y, 2)


REFERENCES = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "logaddexp2": _logaddexp2,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "arctan2": mpmath.atan2,
    "hypot": mpmath.hypot,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "arccosh": mpmath.acosh,
    "arcsinh": mpmath.asinh,
    "arctanh": mpmath.atanh,
    "tan": mpmath.tan,
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "power": mpmath.power,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "log2": lambda x: mpmath.log(x, 2),
    "log10": mpmath.log10,
    "tanh": mpmath.tanh,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_values_and_derivatives_to_many_digits(name):
    primitive = PRIMITIVES[name]
    count = len(primitive.partials)
    at = {"arccosh": (1.75,)}.get(name, (0.625, 0.3125)[:count])
    with mpmath.workdps(40):
        value = float(REFERENCES[name](*at))
        slopes = [
            float(mpmath.diff(REFERENCES[name], at, tuple(int(i == n) for i in range(count))))
            for n in range(count)
        ]

    def f(*xs):
        return ft.extend.bind(primitive, *xs)

    found, gradients = ft.value_and_grad(f, tuple(range(count)))(*at)
    np.testing.assert_allclose(found, value, rtol=4e-16)
    np.testing.assert_allclose(gradients, slopes, rtol=2e-15)


def test_sigmoid_keeps_its_precision_and_does_not_overflow():
    sigmoid = PRIMITIVES["sigmoid"]
    values = sigmoid.run(np.array([-800.0, -40.0, 0.0, 40.0, 800.0]))
    np.testing.assert_allclose(values, [0, 4.248354255291589e-18, 0.5, 1, 1], rtol=1e-15)
    assert ft.grad(lambda x: ft.extend.bind(sigmoid, x))(-40.0) == pytest.approx(4.248354255e-18)


# Dtypes

DTYPES = "?bBhHiIlLqQefdgFDG"


@pytest.mark.thinned
@pytest.mark.parametrize(
    "ufunc", [u for u in UFUNCS if u.signature is None], ids=lambda ufunc: ufunc.__name__
)
def test_every_ufunc_infers_the_dtypes_of_numpy(ufunc):
    operands = [np.ones(2, code) for code in DTYPES]
    operands += [np.float32(1), np.int64(1), True, 1, 1.0, 1j]
    with np.errstate(all="ignore"):
        for inputs in product(operands, repeat=ufunc.nin):
            try:
                expected = ufunc(*inputs)
            except TypeError:
                with pytest.raises(TypeError):
                    ft.make_ir(ufunc)(*inputs)
                continue
            expected = expected if isinstance(expected, tuple) else (expected,)
            outputs = ft.make_ir(ufunc)(*inputs).outputs
            assert [atom.type for atom in outputs] == list(map(type_of, expected)), inputs


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2.0 * x + 1,
        lambda x: x**2,
        lambda x: 1 / (x - 3.5),
        lambda x: np.maximum(x, 0.0),
        lambda x: np.where(x > 0.5, x, 1.0),
        lambda x: np.hypot(x, 2),
        lambda x: np.clip(x, 0, 0.5),
        lambda x: abs(-x) % 1.0,
    ],
)
def test_single_precision_stays_single_with_python_scalars(f):
    x = np.float32([0.25, 0.75])
    assert f(x).dtype == np.float32
    assert ft.make_ir(f)(x).outputs[0].type.dtype == np.float32
    gradient = ft.grad(lambda x: np.sum(f(x)))(x)
    assert gradient.dtype == np.float32
    assert ft.grad(f)(np.float32(0.25)).dtype == np.float32


def test_python_scalars_as_arguments_stay_weak():
    def f(x, s):
        return np.sum(x * s + (s + 1) * 2)

    x = np.float32([1, 2])
    assert f(x, 2.0).dtype == np.float32
    program = ft.make_ir(f)(x, 2.0)
    assert program.outputs[0].type.dtype == np.float32
    assert ft.evaluate(program, x, 2.0)[0].dtype == np.float32
    value, gradients = ft.value_and_grad(f, (0, 1))(x, 2.0)
    assert value.dtype == gradients[0].dtype == np.float32
    assert gradients[1].dtype == np.float64


def test_numpy_functions_make_weak_scalars_strong():
    x = np.float32([1, 2])
    f = lambda x, s: x + np.sin(s)
    assert f(x, 2.0).dtype == np.float64
    assert ft.make_ir(f)(x, 2.0).outputs[0].type.dtype == np.float64


def test_gradients_of_numbers_are_scalars():
    for f in (np.maximum, lambda x, y: np.where(x > y, x, y), np.add, np.hypot):
        gradients = ft.grad(f, (0, 1))(1.0, 1.0)
        assert [type(gradient) for gradient in gradients] == [np.float64, np.float64]


# Complex numbers

Z = np.array([0.3 + 0.4j, -1.2 + 0.7j, 0.8 - 0.5j])


def test_gradient_convention_of_complex_numbers():
    # df/dx - i df/dy
    assert ft.grad(lambda z: np.real(z) ** 2 + 3 * np.imag(z))(1 + 1j) == 2 - 3j


@pytest.mark.parametrize(
    "f",
    [
        np.abs,
        np.real,
        np.imag,
        np.conjugate,
        np.angle,
        np.exp,
        np.sign,
        np.square,
        lambda z: np.angle(z, deg=True),
        lambda z: z.real * z.imag,
        lambda z: np.abs(z) ** 3,
        lambda z: z * np.conj(z),
        lambda z: np.log(z) / z,
        lambda z: z**2.5,
        lambda z: 2.0**z,
        lambda z: np.where(z.real > 0, z, 1j * z),
        lambda z: np.abs(z) * np.exp(1j * np.angle(z)),
        lambda z: z.astype(float),
    ],
)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_complex_derivatives(f):
    check_grads(f, (Z,), order=2)
    real_valued = lambda z: np.sum(np.real(f(z) * (1 - 0.5j)))
    np.testing.assert_allclose(ft.grad(real_valued)(Z), numerical_gradient(real_valued, Z))


@pytest.mark.parametrize("f", [np.exp, np.sin, np.log, np.sqrt, np.tanh, lambda z: z**3])
def test_holomorphic_derivatives(f):
    z = 0.3 + 0.4j
    h = 1e-4
    expected = (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h)
    np.testing.assert_allclose(ft.grad(f, holomorphic=True)(z), expected, rtol=1e-10)


@pytest.mark.parametrize(
    "f", [np.add, np.subtract, np.multiply, np.divide, np.power, lambda x, z: np.where(True, x, z)]
)
def test_real_and_complex_operands_mix(f):
    x = np.array([0.5, 1.5, 2.5])
    check_grads(f, (x, Z), order=2)
    check_grads(lambda x, z: f(2.0, z) + f(x, 1j), (x, Z), order=2)
    gradients = ft.grad(lambda x, z: np.sum(np.real(f(x, z))), (0, 1))(x, Z)
    assert [gradient.dtype for gradient in gradients] == [np.float64, np.complex128]


# Python's operators


def test_python_operators_on_numbers():
    x = 0.7
    for f in (
        lambda x: 1 + x - 2 * x / 3,
        lambda x: 2**x + x**2 + 1 / x,
        lambda x: -abs(-x) + +x,
        lambda x: 5 % x + x % 0.3,
        lambda x: (x > 0.5) * x,
        lambda x: x if x > 0.5 else -x,
    ):
        check_grads(f, (x,), order=2)


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # from Python 3.12 on
@pytest.mark.parametrize("x", [True, False])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "pow", "lshift", "and_", "neg", "invert"])
def test_operators_of_python_booleans_are_those_of_python(name, x):
    apply = getattr(operator, name)
    count = 1 if name in ("neg", "invert") else 2

    def f(*args):
        found = apply(*args)
        return found, found * np.array([3], np.int8)

    args = (x,) * count
    expected = f(*args)
    found = ft.jit(f)(*args)
    assert type(found[0]) is type(expected[0])
    assert found[0] == expected[0]
    assert found[1] == expected[1]
    types = [atom.type.dtype for atom in ft.make_ir(f)(*args).outputs]
    assert types == [np.asarray(x).dtype for x in expected]


def test_powers_of_booleans_have_numpys_dtypes():
    flags = np.array([True, False])
    for f in (lambda x: x**2, lambda x: np.power(x, 2), lambda x: x**3):
        assert_like_numpy(f, flags)
        assert ft.jit(f)(flags).dtype == f(flags).dtype
        assert_like_numpy(f, flags[0])
        assert ft.vmap(f)(flags).dtype == f(flags[0]).dtype
    assert_like_numpy(lambda x: x ** [1, 2], flags)
    assert ft.jit(lambda x: x**2)(True) == 1
    # An exponent that is not known when the types are recorded.
    for f in (ft.jit(lambda x, y: x**y), ft.jit(lambda x, y: np.power(x, y))):
        assert f(flags, 2).dtype == np.int64


def test_powers_of_python_numbers_keep_the_type_that_was_recorded():
    root = ft.jit(lambda x: x**0.5)
    assert root(4.0) == 2.0
    with pytest.raises(OperandError, match=r"-4\.0 \*\* 0\.5 is (?s:.*)np\.power") as raised:
        root(-4.0)
    assert "test_elementwise.py" in raised.value.__notes__[0]
    with pytest.raises(OperandError, match=r"2 \*\* -1 is 0\.5"):
        ft.jit(lambda x, y: x**y)(2, -1)
    with np.errstate(invalid="ignore"):
        assert np.isnan(ft.jit(lambda x: np.power(x, 0.5))(-4.0))
    assert ft.jit(lambda x: x**-1)(2) == ft.jit(lambda x: np.add(x**-1, 0))(2) == 0.5


def test_rounded_booleans_are_halves():
    assert_like_numpy(np.round, np.array([True, False]))
    with pytest.raises(TypeError):
        ft.jit(lambda x: np.round(x, 1))(np.array([True, False]))


HURTING = np.array([0.0, -0.0, 1.0, -2.0, np.inf, -np.inf, np.nan, 1e200, 1e-200])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("memory", ["first", "second", "other"])
@pytest.mark.parametrize("finite", [True, False])
def test_products_that_keep_zeros_in_place_are_those_in_new_memory(memory, finite):
    x, y = (np.ravel(part).copy() for part in np.meshgrid(HURTING, HURTING))
    if finite:
        y[~np.isfinite(y)] = 3.0
    out = {"first": x.copy(), "second": y.copy(), "other": np.empty_like(x)}[memory]
    first, second = out if memory == "first" else x, out if memory == "second" else y
    expected = np.where(x == 0, 0, x * y)
    found = product_or_zero_primitive.run(first, second, out)
    assert found is out
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(product_or_zero_primitive.run(x, y), expected)
    if memory == "other":
        found = quotient_or_zero_primitive.run(x, y, out)
        np.testing.assert_array_equal(found, np.where(x == 0, 0, x / y))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_compiled_choices_behind_chains_keep_zeros():
    def f(x):
        y = np.exp(x) * np.cos(x) / (x - 1.0)
        return np.sum(np.where(np.abs(x) < 5, y * np.sqrt(np.abs(x)) * x, 0.0))

    x = np.array([1000.0, 2.0, np.inf, -3.0, 800.0] * 400)
    found = ft.jit(ft.grad(f))(x)
    np.testing.assert_allclose(found, ft.grad(f)(x), rtol=1e-12)
    assert np.isfinite(found).all()


def test_a_part_that_is_written_leaves_the_other_as_it_is():
    def written(x, y):
        z = x + 0j
        z.real = x
        z.imag = y
        return z

    x, y = np.array([-0.0, 1.0, np.inf]), np.array([np.inf, -0.0, np.nan])
    for way in (ft.jit(written), lambda x, y: ft.vjp(written, x, y)[0]):
        z = way(x, y)
        np.testing.assert_array_equal(z.real, x)
        np.testing.assert_array_equal(z.imag, y)
        np.testing.assert_array_equal(np.signbit(z.real), np.signbit(x))
    filled = ft.jit(lambda z: np.nan_to_num(z, posinf=np.inf))(written(x, y))
    np.testing.assert_array_equal(filled.real, x)
