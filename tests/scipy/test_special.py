"""Functions under SciPy's names: dtypes, kinds of numbers, refusals; sums of exponentials."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace.scipy import special
from functrace.testing import check_grads

ONE = ["expit", "logit", "log_expit", "entr", "erf", "erfc", "erfinv", "ndtr"]


TWO = ["xlogy", "xlog1py", "rel_entr"]


SUMS = ["logsumexp", "softmax", "log_softmax"]


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_sums_of_exponentials_as_scipy(name, axis):
    x = np.random.default_rng(0).normal(size=(3, 4)) * 100
    expected = getattr(scipy.special, name)(x, axis=axis)
    np.testing.assert_allclose(getattr(special, name)(x, axis=axis), expected, rtol=1e-14)
    f = lambda x: getattr(special, name)(x, axis=axis)
    (traced,) = ft.evaluate(ft.make_ir(f)(x), x)
    np.testing.assert_allclose(traced, expected, rtol=1e-14)
    check_grads(f, (x / 100,), order=2)


@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": 0, "keepdims": True}])
@pytest.mark.parametrize("signed", [False, True])
def test_logsumexp_with_factors(options, signed):
    rng = np.random.default_rng(1)
    x, b = rng.normal(size=(3, 4)) * 10, rng.normal(size=(3, 4))
    b[0, 0] = 0
    if not signed:
        b = np.abs(b)
    options = options | {"return_sign": signed}
    result = special.logsumexp(x, b=b, **options)
    expected = scipy.special.logsumexp(x, b=b, **options)
    np.testing.assert_allclose(result, expected, rtol=1e-13)
    assert np.shape(result) == np.shape(expected)
    f = lambda x, b: special.logsumexp(x, b=b, **options)
    check_grads(lambda x: f(x, b), (x / 10,), order=2)


def test_extreme_exponents_do_not_overflow():
    x = np.array([1000.0, 0.0, -1000.0])
    np.testing.assert_array_equal(special.softmax(x), [1, 0, 0])
    np.testing.assert_array_equal(special.log_softmax(x), [0, -1000, -2000])
    np.testing.assert_array_equal(ft.grad(special.logsumexp)(x), [1, 0, 0])
    gradient = ft.grad(lambda x: special.log_softmax(x)[2])(x)
    np.testing.assert_array_equal(gradient, [-1, 0, 1])
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(special.expit(x)))(x), [0, 0.25, 0])
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(special.log_expit(x)))(x), [0, 0.5, 1])


def test_lists_and_whole_numbers_are_taken():
    assert special.logsumexp([0, 0]) == np.log(2)
    assert special.expit(0) == 0.5
    np.testing.assert_array_equal(special.softmax([1, 1]), [0.5, 0.5])
    assert special.xlogy(2, 1) == 0
    _, sign = special.logsumexp(np.array([-np.inf, -np.inf]), return_sign=True)
    assert sign == 0


DTYPES = "?bBhHiIlLefdgFDG"


def outcome(f, *args):
    """The dtype and the type of a result, or the kind of error."""
    try:
        result = f(*args)
    except TypeError:
        return TypeError
    return result.dtype, type(result)


@pytest.mark.parametrize("name", ONE + TWO)
def test_dtypes_and_refusals_are_those_of_scipy(name):
    ours, theirs = getattr(special, name), getattr(scipy.special, name)
    pairs = [(x,) for x in DTYPES] if name in ONE else [(x, y) for x in DTYPES for y in "?Bidf"]
    for codes in pairs:
        for value in (np.full(2, 0.25), np.float64(0.25)):
            args = [value.astype(code)[()] if code in "fdegFDG" else np.zeros_like(value, code)[()] for code in codes]  # fmt: skip  # noqa: E501
            with np.errstate(all="ignore"):
                expected = outcome(theirs, *args)
                assert outcome(ours, *args) == expected, codes
                assert outcome(ft.jit(ours), *args) == expected, codes
                assert outcome(ft.jit(theirs), *args) == expected, codes
                if expected is not TypeError:
                    got = ours(*args).astype(np.complex128)
                    np.testing.assert_allclose(got, theirs(*args).astype(np.complex128), rtol=1e-6)


def test_python_numbers_are_doubles_as_in_scipy():
    for args in ((2, np.float32(3)), (np.float32(3), 2.0), (2.0, 3), (np.int8(1), 2.0)):
        expected = outcome(scipy.special.xlogy, *args)
        assert outcome(special.xlogy, *args) == expected
        assert outcome(ft.jit(special.xlogy), *args) == expected
    for x in (True, 1, 0.5):
        assert special.erfinv(x).dtype == scipy.special.erfinv(x).dtype


@pytest.mark.parametrize("options", [
    {}, {"b": np.array([1.0, -2.0, 0.5])}, {"b": np.array([1.0, -2j, 0.0])}, {"keepdims": True},
    {"return_sign": True}, {"axis": 0}, {"axis": -1, "b": np.array([2, 1, 3])},
])  # fmt: skip
def test_sums_of_exponentials_of_complex_numbers(options):
    x = np.array([[1 + 10j, 2 - 7j, 700 + 3j], [1 + 10j, 1 + 4j, -900 + 40j]])
    expected = scipy.special.logsumexp(x, **options)
    for f in (special.logsumexp, ft.jit(special.logsumexp, static_argnames=("axis", "keepdims", "return_sign"))):  # fmt: skip  # noqa: E501
        found = f(x, **options)
        for ours, theirs in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    one = special.logsumexp(np.array([1 + 10j]))
    np.testing.assert_allclose(one, 1 + 1j * (10 - 4 * np.pi))
    check_grads(special.logsumexp, (x[:, :2],), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("dtype", ["?", "B", "i", "e", "f", "d", "F", "D"])
def test_dtypes_of_sums_of_exponentials(dtype):
    x = np.array([0, 1, 1]).astype(dtype)
    expected = scipy.special.logsumexp(x)
    for f in (special.logsumexp, ft.jit(special.logsumexp)):
        assert (f(x).dtype, type(f(x))) == (expected.dtype, type(expected))
        np.testing.assert_allclose(f(x), expected, rtol=1e-3)
    for options in ({"b": np.float32([1, -2, 1])}, {"return_sign": True}):
        ours, theirs = special.logsumexp(x, **options), scipy.special.logsumexp(x, **options)
        for one, other in zip(np.atleast_1d(ours), np.atleast_1d(theirs), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3)


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("number", [True, 1, 0.25, 0.25 + 0.5j])
def test_numbers_of_pythons_beside_arrays_as_in_scipy(name, number):
    f, expected = getattr(special, name), getattr(scipy.special, name)
    for dtype in "?bBhilLefdFD":
        x = np.ones(2, dtype)
        for inputs in ((x, number), (number, x), (number, x[0])):
            try:
                wanted = expected(*inputs)
            except TypeError:
                with pytest.raises(TypeError):
                    f(*inputs)
                continue
            for found in (f(*inputs), ft.jit(f)(*inputs)):
                assert found.dtype == wanted.dtype, (dtype, inputs)
                np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_exponentials_of_one_number(name):
    f, expected = getattr(special, name), getattr(scipy.special, name)(0.25)
    for found in (f(0.25), ft.jit(f)(0.25)):
        assert type(found) is type(expected)
        np.testing.assert_allclose(found, expected)


def test_the_derivative_by_a_factor_that_is_zero():
    a, b = np.array([0.0, 1.0, 2000.0]), np.array([1.0, 0.0, 0.0])
    by_factor = ft.grad(lambda b: special.logsumexp(a[:2], b=b))
    np.testing.assert_allclose(by_factor(b[:2]), [1, np.e], rtol=1e-14)
    np.testing.assert_array_equal(ft.grad(lambda a: special.logsumexp(a, b=b))(a), [1, 0, 0])
