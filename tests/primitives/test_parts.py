"""Numbers in parts: special values, dtypes, and what generated code does with the two outputs."""

import warnings

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.backends.numpy_source import plan_function
from tests.agreement import assert_same_class, leaves

UNARY = [np.modf, np.frexp]
DTYPES = ["float16", "float32", "float64", "int32", "uint8", "bool"]
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 2.5, -2.5, np.inf, -np.inf, np.nan, 5e-324, 1e308])


def require_identical(found, expected):
    """Require the same values (signs of zeros too), dtypes and classes."""
    assert len(leaves(found)) == len(leaves(expected))
    for x, y in zip(leaves(found), leaves(expected), strict=True):
        assert_same_class(x, y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_array_equal(x, y)
        if np.asarray(x).dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(x), np.signbit(y))


def traced_in_all_ways(f, *args):
    """What a function gives traced: its values known, recorded, and one example at a time."""
    yield ft.vjp(f, *args)[0]
    yield ft.jvp(f, args, tuple(np.zeros(np.shape(x)) for x in args))[0]
    yield ft.jit(f)(*args)


@pytest.mark.parametrize("function", UNARY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_dtypes_are_numpys(function, dtype):
    xs = np.array([0, 1, 3, 100]).astype(dtype)
    for x in (xs, xs[1], xs[:0], np.array(xs[2]), xs.reshape(2, 2).T):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                expected = function(x)
            except TypeError:
                with pytest.raises(TypeError):
                    ft.jit(function)(x)
                continue
        require_identical(ft.jit(function)(x), tuple(expected))
        require_identical(ft.jit(getattr(fnp, function.__name__))(x), tuple(expected))


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("int8", "int64"), ("uint8", "int8")])
def test_quotients_and_remainders_are_numpys(dtypes):
    x = np.array([[7, 5, 3], [-7, 9, 0]]).astype(dtypes[0])
    y = np.array([2, -3, 5]).astype(dtypes[1])
    require_identical(ft.jit(np.divmod)(x, y), tuple(np.divmod(x, y)))
    require_identical(ft.jit(divmod)(x, y), tuple(np.divmod(x, y)))
    require_identical(ft.jit(lambda x: divmod(x, 3))(x), tuple(np.divmod(x, 3)))
    require_identical(ft.jit(lambda x: np.divmod(9, x))(y), tuple(np.divmod(9, y)))
    mapped = ft.vmap(np.divmod, in_axes=(1, 0), out_axes=(1, 0))(x, y)
    require_identical(mapped[0], np.divmod(x, y)[0])
    require_identical(mapped[1], np.divmod(x, y)[1].T)


@pytest.mark.parametrize("x", [7.5, 7, True, np.float32(7.5), np.arange(3), np.ones(2)])
def test_the_operator_is_one_operation(x):
    for f in (lambda x: divmod(x, 3), lambda x: divmod(7.5, x + 1)):
        program = ft.make_ir(f)(x)
        assert program.equations[-1].primitive.name == "divmod"
        assert len(program.equations) <= 2
        found, expected = ft.jit(f)(x), f(x)
        assert [type(part) for part in found] == [type(part) for part in expected]
        require_identical(found, expected)


@pytest.mark.parametrize(
    "function", [*UNARY, lambda x: np.divmod(x, 0.75), lambda x: np.ldexp(x, 3)]
)
def test_special_values(function):
    with np.errstate(all="ignore"):
        expected = function(SPECIAL)
        for found in traced_in_all_ways(function, SPECIAL):
            require_identical(found, tuple(expected) if isinstance(expected, tuple) else expected)


def test_slopes():
    x = np.array([0.0, 1.5, -2.25, 1e-300, 3e300])
    assert ft.grad(lambda x: np.sum(np.modf(x)[0]))(x).tolist() == [1.0] * 5
    assert ft.grad(lambda x: np.sum(np.modf(x)[1]))(x).tolist() == [0.0] * 5
    exponents = np.frexp(x)[1]
    slopes = ft.grad(lambda x: np.sum(np.frexp(x)[0]))(x)
    np.testing.assert_array_equal(slopes, np.ldexp(1.0, -exponents))
    assert ft.grad(lambda x: np.sum(np.ldexp(x, -3)))(x).tolist() == [0.125] * 5
    by_y = ft.grad(lambda y: np.divmod(7.5, y)[1])(2.0)
    assert by_y == ft.grad(lambda y: np.remainder(7.5, y))(2.0) == -3.0


def test_a_number_is_put_together_of_its_parts():
    def f(x):
        mantissa, exponent = np.frexp(x)
        return np.sum(np.ldexp(mantissa, exponent) ** 2)

    x = np.array([0.3, -5.0, 1e-8])
    for grad in (ft.grad(f), ft.jit(ft.grad(f))):
        np.testing.assert_allclose(grad(x), 2 * x, rtol=1e-15)
    np.testing.assert_allclose(ft.hessian(f)(x), 2 * np.eye(3), rtol=1e-15)


def test_arguments_out_and_where():
    def f(x):
        whole, rest = fnp.zeros(3), fnp.ones(3)
        np.divmod(x, 2.0, out=(whole, rest), where=x > 1)
        return whole, rest

    x = np.array([0.5, 3.5, 5.0])
    require_identical(ft.jit(f)(x), (np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.5, 1.0])))


@pytest.mark.numpy_backend
@pytest.mark.parametrize("size", [3, 10_000])
def test_generated_code_writes_both_parts_into_given_memory(size):
    def f(x):
        fraction, whole = np.modf(x * 1.5)
        return np.sum(fraction * whole) + np.sum(whole)

    program = ft.make_ir(f)(np.ones(size))
    kind = "m" if size < 1000 else "w"
    assert f"c, d = modf b: over {kind}1, into {kind}2" in str(plan_function(program))
    fast, x = ft.jit(f), np.linspace(-3.0, 7.0, size)
    for _ in range(2):
        np.testing.assert_allclose(fast(x), f(x), rtol=1e-12)
    assert "out=(b, " in fast.source(x)
