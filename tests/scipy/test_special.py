"""Functions under SciPy's names: dtypes, kinds of numbers, refusals; sums of exponentials."""

from __future__ import annotations

import doctest
import inspect

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace.scipy import special
from functrace.testing import check_grads
from tests.functions.special import COMPOSED, PAGE, page

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


@pytest.mark.thinned
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


@pytest.mark.parametrize("b", [None, np.array([1.0, -2.0, 0.5])])
def test_sums_of_exponentials_of_some_terms(b):
    x, where = np.array([0.3, np.nan, 1.2]), np.array([True, False, True])
    expected = scipy.special.logsumexp(x[where], b=None if b is None else b[where])
    f = lambda x: special.logsumexp(x, b=b, where=where)
    np.testing.assert_allclose((f(x), ft.jit(f)(x)), expected, rtol=1e-14)
    assert ft.grad(f)(x)[1] == 0
    assert special.logsumexp(x, where=False) == -np.inf


COMPOSITES = [
    ("polygamma", lambda f, x: f.polygamma(2, x)),
    ("zeta", lambda f, x: f.zeta(x, 2.0)),
    ("multigammaln", lambda f, x: f.multigammaln(x, 3)),
    ("lambertw", lambda f, x: f.lambertw(x, 0).real),
    ("sph_harm_y", lambda f, x: f.sph_harm_y(3, -2, x, 2 * x).real),
    ("spherical_jn", lambda f, x: f.spherical_jn(2, x)),
    ("spherical_jn_d", lambda f, x: f.spherical_jn(2, x, derivative=True)),
    ("spherical_yn_d", lambda f, x: f.spherical_yn(0, x, True)),
    ("spherical_in_d", lambda f, x: f.spherical_in(1, x, True)),
    ("spherical_kn_d", lambda f, x: f.spherical_kn(1, x, True)),
    ("comb", lambda f, x: f.comb(x, 2)),
    ("comb_repetition", lambda f, x: f.comb(x, 2, repetition=True)),
    ("comb_impossible", lambda f, x: f.comb(x - 3, 2)),
    ("perm", lambda f, x: f.perm(x, 2)),
    ("factorial", lambda f, x: f.factorial(x)),
    ("sinc", lambda f, x: f.sinc(x)),
    ("softplus", lambda f, x: f.softplus(x)),
    ("jvp", lambda f, x: f.jvp(1.5, x, 2)),
    ("kvp", lambda f, x: f.kvp(1.5, x, 1)),
    ("assoc_laguerre", lambda f, x: f.assoc_laguerre(x, 3, 0.5)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call"), COMPOSITES, ids=[row[0] for row in COMPOSITES])
def test_functions_that_are_no_ufuncs(name, call):
    x = np.array([2.2, 2.7])
    ours = lambda x: call(special, x)
    expected = np.asarray(call(scipy.special, x))
    for found in (ours(x), ft.jit(ours)(x), ft.vjp(ours, x)[0], ft.vmap(ours)(x)):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        assert found.dtype == expected.dtype
    assert type(ft.jit(ours)(2.2)) is type(ours(2.2))
    check_grads(ours, (x,), order=2)


def test_functions_that_scipy_composes_of_ufuncs_take_traced_values():
    for name in COMPOSED - {"assoc_laguerre"}:
        f = getattr(scipy.special, name)
        check_grads(lambda x: np.real(f(1.5, x, 1)), (np.array([1.2, 2.7]),), order=1)


def test_whole_numbers_are_exact_and_traced_ones_are_not():
    assert special.comb(10, 3, exact=True) == 120
    assert special.perm(10, 3, exact=True) == 720
    assert special.factorial(20, exact=True) == 2432902008176640000
    assert ft.jit(special.comb)(10, 3) == pytest.approx(120)
    assert ft.jit(special.factorial)(np.arange(-1, 4)).tolist() == [0, 1, 1, 2, 6]
    np.testing.assert_array_equal(special.bernoulli(4), scipy.special.bernoulli(4))
    with pytest.raises(ValueError, match=r"dimension|not met"):
        special.multigammaln(0.5, 3)
    with pytest.raises(TypeError, match=r"no dimension 1\.5"):
        ft.grad(lambda a: special.multigammaln(a, 1.5))(3.0)


def test_bessel_functions_of_all_orders_under_jaxs_name():
    z = np.array([0.7, 2.0])
    expected = np.stack([scipy.special.jv(v, z) for v in range(4)])
    np.testing.assert_array_equal(special.bessel_jn(z, v=3), expected)
    check_grads(lambda z: special.bessel_jn(z, v=3), (z,), order=2)


def test_names_are_those_of_scipy():
    assert set(scipy.special.__all__) <= set(dir(special))
    assert special.mathieu_a is scipy.special.mathieu_a
    assert special.gammainc is special.gammainc
    assert special.gammainc.__name__ == "gammainc"
    with pytest.raises(AttributeError, match="has no attribute 'gammaink'"):
        special.gammaink  # noqa: B018


DOCUMENTED = [
    name
    for name in dir(special)
    if name in scipy.special.__all__ and getattr(special, name) is not getattr(scipy.special, name)
]


@pytest.mark.parametrize("module", ["functrace.scipy.special", "scipy.special"])
@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_example_of_a_function_holds_of_it_and_of_scipys_own(name, module):
    text = inspect.getdoc(getattr(special, name)) or ""
    text = text.replace("from functrace.scipy.special", f"from {module}")
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert len(example.examples) >= 2, "give it an example, or a call in the table"
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=report.append)
    assert not report, "".join(report)


@pytest.mark.skipif(
    not hasattr(scipy.special, "log_wright_bessel"), reason="names of an older version of SciPy"
)
def test_the_table_of_the_documentation_is_that_of_the_functions():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.functions.special"


def test_the_native_backend_leaves_special_functions_to_scipy():
    pytest.importorskip("llvmlite")
    f = ft.jit(lambda x: np.sum(scipy.special.gammainc(1.5, x) * 2 + x), backend="native")
    x = np.array([0.3, 2.0])
    assert f(x) == pytest.approx(np.sum(scipy.special.gammainc(1.5, x) * 2 + x), rel=1e-14)
    assert "gammainc" in str(f.explain(x))
