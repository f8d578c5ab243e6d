"""Derivatives of SciPy's functions where formulas go wrong, against mpmath: tails, zeros, poles."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.scipy import special

ROOT_TAU = mpmath.sqrt(2 * mpmath.pi)


def log_ndtr(x):
    return mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


def dawsn(x):
    return mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x)


TAILS = [
    ("erfcx", lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [-3, 0, 2, 6.9, 7.1, 50, 1e4]),
    ("dawsn", dawsn, [-60, -2, 0, 6.9, 7.1, 100]),
    ("log_ndtr", log_ndtr, [-1e4, -40, -5, -1e-3, 0, 3, 8]),
    ("i0e", lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(0, x), [-80, 0.5, 49, 51, 1e4]),
    ("i1e", lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(1, x), [-80, 0.5, 49, 51, 1e4]),
    ("j1", lambda x: mpmath.besselj(1, x), [0, 1e-9, 30]),
    ("i1", lambda x: mpmath.besseli(1, x), [0, 1e-9, 30]),
    ("rgamma", mpmath.rgamma, [-3, -2.5, -1, 0, 0.3, 5]),
    ("gamma", mpmath.gamma, [-2.5, 0.5, 20]),
    ("exprel", lambda x: mpmath.expm1(x) / x if x else mpmath.mpf(1), [-30, -1e-9, 1e-3, 2, 40]),
    ("ellipk", mpmath.ellipk, [-100, -0.5, 0, 1e-9, 0.5, 0.99]),
    ("ellipe", mpmath.ellipe, [-100, -0.5, 0, 1e-9, 0.5, 0.99]),
    ("spence", lambda x: mpmath.polylog(2, 1 - x), [0.3, 1 + 1e-9, 2, 50]),
    ("expi", mpmath.ei, [-2, 0.5, 20]),
    ("ndtri", lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1), [1e-3, 0.5, 0.9]),
    ("digamma", mpmath.digamma, [-2.5, 0.3, 50]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "reference", "points"), TAILS, ids=[row[0] for row in TAILS])
def test_first_and_second_derivatives_everywhere(name, reference, points):
    first = ft.grad(getattr(special, name))
    second = ft.grad(first)
    for x in map(float, points):
        with mpmath.workdps(40):
            expected = [float(mpmath.diff(reference, mpmath.mpf(x), n).real) for n in (1, 2)]
        assert first(x) == pytest.approx(expected[0], rel=2e-12, abs=1e-300), x
        assert second(x) == pytest.approx(expected[1], rel=2e-9, abs=1e-14), x


COMPLEX = [
    ("gamma", mpmath.gamma),
    ("loggamma", mpmath.loggamma),
    ("rgamma", mpmath.rgamma),
    ("digamma", mpmath.digamma),
    ("exp1", mpmath.e1),
    ("dawsn", dawsn),
    ("wofz", lambda z: mpmath.exp(-z * z) * mpmath.erfc(-1j * z)),
    ("erfcx", lambda z: mpmath.exp(z * z) * mpmath.erfc(z)),
    ("log_ndtr", log_ndtr),
    ("spence", lambda z: mpmath.polylog(2, 1 - z)),
    ("lambertw", mpmath.lambertw),
]


@pytest.mark.thinned
@pytest.mark.parametrize(("name", "reference"), COMPLEX, ids=[row[0] for row in COMPLEX])
def test_derivatives_of_complex_numbers(name, reference):
    z = np.array([0.7 + 0.4j, 1.5 - 0.3j])
    f = getattr(special, name)
    slope = lambda z: ft.jvp(f, (z,), (np.ones(2) + 0j,))[1]
    for order, found in ((1, slope(z)), (2, ft.jvp(slope, (z,), (np.ones(2) + 0j,))[1])):
        expected = [complex(mpmath.diff(reference, mpmath.mpmathify(x), order)) for x in z]
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_bessel_functions_of_complex_numbers():
    z = 0.7 + 0.4j
    for name, reference in (
        ("jv", mpmath.besselj), ("yv", mpmath.bessely), ("iv", mpmath.besseli),
        ("kv", mpmath.besselk), ("hankel1", mpmath.hankel1), ("hankel2", mpmath.hankel2),
    ):  # fmt: skip
        found = ft.jvp(lambda z: getattr(special, name)(1.5, z), (z,), (1 + 0j,))[1]
        expected = complex(mpmath.diff(lambda z: reference(1.5, z), mpmath.mpmathify(z)))
        assert found == pytest.approx(expected, rel=1e-12), name


@pytest.mark.parametrize("m", [-1.5, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("phi", [-4.0, 0.0, 0.5, np.pi / 2, 7.0])
def test_incomplete_elliptic_integrals_over_several_periods(phi, m):
    for name, reference in (("ellipkinc", mpmath.ellipf), ("ellipeinc", mpmath.ellipe)):
        found = ft.grad(getattr(special, name), (0, 1))(phi, m)
        with mpmath.workdps(30):
            expected = [float(mpmath.diff(reference, (phi, m), n)) for n in ((1, 0), (0, 1))]
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)


def test_box_cox_transformations_at_the_logarithm():
    y = np.log(3.0)
    assert ft.grad(special.boxcox, (0, 1))(3.0, 0.0) == pytest.approx((1 / 3, y * y / 2))
    assert ft.grad(special.boxcox1p, (0, 1))(2.0, 0.0) == pytest.approx((1 / 3, y * y / 2))
    by_y, by_power = ft.grad(special.inv_boxcox, (0, 1))(y, 0.0)
    assert (by_y, by_power) == pytest.approx((3.0, -3 * y * y / 2))


def test_losses_of_huber_and_divergences_at_their_edges():
    delta = 1.5
    assert ft.grad(special.huber, 1)(delta, np.array(1.5)) == 1.5
    assert ft.grad(special.huber, (0, 1))(delta, -4.0) == (2.5, -1.5)
    assert ft.grad(special.pseudo_huber, (0, 1))(delta, 0.0) == (0.0, 0.0)
    small = ft.grad(special.pseudo_huber)(1.0, 1e-3)
    assert small == pytest.approx(1e-12 / 4, rel=1e-5)  # r**4 / (4 * delta**3)
    assert ft.grad(special.kl_div, (0, 1))(2.0, 2.0) == (0.0, 0.0)


def test_degrees_zero_are_constant():
    x = np.array([-0.5, 0.5])
    for name in ("legendre", "chebyt", "chebyu", "laguerre", "hermite", "hermitenorm"):
        f = getattr(special, f"eval_{name}")
        np.testing.assert_array_equal(ft.jvp(lambda x: f(0, x), (x,), (x,))[1], [0, 0])
    one = ft.grad(lambda x: special.eval_legendre(5, x))(1.0)
    assert one == pytest.approx(15.0)  # n * (n + 1) / 2 at the end of the interval


def test_quantiles_are_the_inverses_of_their_distributions():
    cases = [
        (special.stdtr, special.stdtrit, (3.5, 0.7)),
        (special.chdtrc, special.chdtri, (3.5, 2.7)),
        (special.fdtr, special.fdtri, (3.5, 2.5, 0.7)),
        (special.gdtr, special.gdtrix, (3.5, 2.5, 0.7)),
        (special.betainc, special.betaincinv, (3.5, 2.5, 0.7)),
        (special.pdtr, special.pdtri, (3, 2.5)),
    ]
    for function, inverse, (*parameters, x) in cases:
        last = len(parameters)
        value = function(*parameters, x)
        for n in range(last if function is not special.pdtr else 0):

            def through(p, n=n):
                given = [*parameters[:n], p, *parameters[n + 1 :]]
                return inverse(*given, function(*given, x))

            assert ft.grad(through)(parameters[n]) == pytest.approx(0, abs=1e-9)
        slope = ft.grad(function, last)(*parameters, x)
        assert ft.grad(inverse, last)(*parameters, value) == pytest.approx(1 / slope, rel=1e-9)


@pytest.mark.parametrize("x", [0.5, 49.0, 51.0, 1e4])
def test_scaled_bessel_functions_of_the_second_kind_far_out(x):
    with mpmath.workdps(40):
        zero, one = (mpmath.exp(x) * mpmath.besselk(v, x) for v in (0, 1))
        slopes = zero - one, one - zero - one / x
        bends = slopes[0] - slopes[1], slopes[1] - slopes[0] - slopes[1] / x + one / x**2
    for name, slope, bend in zip(("k0e", "k1e"), slopes, bends, strict=True):
        first = ft.grad(getattr(special, name))
        assert first(x) == pytest.approx(float(slope), rel=2e-13)
        assert ft.grad(first)(x) == pytest.approx(float(bend), rel=2e-10)


def test_airy_functions_satisfy_their_equation():
    x = np.linspace(-3, 3, 7)
    first = lambda x: ft.jvp(lambda x: special.airy(x)[0], (x,), (np.ones(7),))[1]
    second = ft.jvp(first, (x,), (np.ones(7),))[1]
    np.testing.assert_allclose(second, x * special.airy(x)[0], rtol=1e-13)


TRUNCATED = {
    "bdtr": (2, (1.0, 6.0, 0.4)), "bdtrc": (2, (1.0, 6.0, 0.4)), "bdtri": (2, (1.0, 6.0, 0.4)),
    "nbdtr": (2, (2.0, 5.0, 0.4)), "nbdtrc": (2, (2.0, 5.0, 0.4)), "nbdtri": (2, (2.0, 5.0, 0.4)),
    "pdtri": (1, (2.0, 0.4)), "expn": (1, (2.0, 0.7)), "kn": (1, (2.0, 0.7)), "yn": (1, (2.0, 0.7)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*truncated:RuntimeWarning", "ignore:non-integer arg n")
@pytest.mark.parametrize("name", TRUNCATED)
def test_whole_numbers_are_truncated_where_scipy_does_so(name):
    place, whole = TRUNCATED[name]
    # bdtr and its kin round k down; all else is cut off by SciPy.
    more = [x + 0.9 if n < place else x for n, x in enumerate(whole)]
    f = getattr(special, name)
    assert f(*more) == f(*whole)
    assert ft.grad(f, place)(*more) == ft.grad(f, place)(*whole) != 0


def test_inverses_hold_still_at_the_ends():
    for y in (0.0, 1.0):
        assert ft.grad(special.betaincinv, 0)(2.5, 1.5, y) == 0
        assert ft.grad(special.betaincinv, 1)(2.5, 1.5, y) == 0
    assert ft.grad(special.gammaincinv)(2.5, 0.0) == 0


@pytest.mark.parametrize(
    ("x", "df", "nc"),
    [(370.0, 369.0, 1e-3), (2.0, 3.0, 0.0), (130.0, 190.0, 3.0), (9.0, 2.0, 50.0)],
)
def test_the_density_of_the_noncentral_distribution(x, df, nc):
    half, mid = mpmath.mpf(df) / 2, mpmath.mpf(x) / 2
    expected = mid ** (half - 1) * mpmath.exp(-mid - nc / 2) / mpmath.gamma(half)
    expected *= mpmath.hyp0f1(half, mid * nc / 2) / 2
    np.testing.assert_allclose(ft.grad(special.chndtr)(x, df, nc), float(expected), rtol=1e-9)


@pytest.mark.parametrize("v", [-1.0, -2.0, -0.4, 1.5])
@pytest.mark.parametrize("z", [0.3, 4.0])
def test_modified_bessel_functions_by_negative_orders(v, z):
    with mpmath.workdps(30):
        slope = float(mpmath.diff(lambda v: mpmath.besseli(v, z), v))
        bend = float(mpmath.diff(lambda v: mpmath.besseli(v, z), v, 2))
    np.testing.assert_allclose(ft.grad(special.iv)(v, z), slope, rtol=1e-10)
    np.testing.assert_allclose(ft.grad(special.ive)(v, z), slope * np.exp(-z), rtol=1e-10)
    if v > 0:
        np.testing.assert_allclose(ft.grad(ft.grad(special.iv))(v, z), bend, rtol=1e-8)


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-3, 0.9, 3.0])
def test_the_second_integral_of_struves_function(x):
    with mpmath.workdps(30):
        over = lambda x: mpmath.struveh(0, x) / x if x else 2 / mpmath.pi
        slope = float(-over(mpmath.mpf(x)))
        bend = float(-mpmath.diff(over, x)) if x > 1e-10 else 4 * x / (9 * np.pi)
    np.testing.assert_allclose(ft.grad(special.it2struve0)(x), slope, rtol=1e-13)
    np.testing.assert_allclose(ft.grad(ft.grad(special.it2struve0))(x), bend, rtol=1e-10)


def test_numbers_of_python_are_divided_by_zero_as_those_of_numpy_are():
    with np.errstate(all="ignore"):
        assert ft.grad(special.kl_div, 1)(1.0, 0.0) == -np.inf
        assert ft.grad(special.hyp1f1, 2)(1.0, 0.0, 0.5) == np.inf


@pytest.mark.parametrize(
    ("z", "m"),
    [(0.0, 1.0), (0.0, -1.0), (-3.0, 5.0), (-3.0, -2.0), (1e-8, -1.0), (-2.5, 1.3), (2.0, 3.0)],
)
def test_the_pochhammer_symbol_at_poles(z, m):
    with mpmath.workdps(40):
        slope = float(mpmath.diff(lambda z: mpmath.rf(z, m), mpmath.mpf(z)))
    np.testing.assert_allclose(ft.grad(special.poch)(z, m), slope, rtol=1e-9)


@pytest.mark.parametrize("sigma", [0.0, 1e-6, 1e-3, 0.02, 0.4])
@pytest.mark.parametrize(("x", "gamma"), [(0.7, 1.0), (0.0, 0.5), (-2.0, 0.1)])
def test_slopes_of_the_voigt_profile_for_small_widths(x, gamma, sigma):
    def profile(x, sigma, gamma):
        if not sigma:
            return gamma / mpmath.pi / (x * x + gamma * gamma)
        z = (x + 1j * gamma) / (sigma * mpmath.sqrt(2))
        w = mpmath.exp(-z * z) * mpmath.erfc(-1j * z)
        return mpmath.re(w) / (sigma * mpmath.sqrt(2 * mpmath.pi))

    at = x, sigma, gamma
    found = ft.grad(special.voigt_profile, (0, 1, 2))(*at)
    with mpmath.workdps(40):
        if sigma > 1e-4:
            for n, slope in enumerate(found):
                along = lambda y, n=n: profile(*at[:n], y, *at[n + 1 :])
                expected = float(mpmath.diff(along, mpmath.mpf(at[n])))
                np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-15)
        else:
            cauchy = lambda x, gamma: profile(x, 0, gamma)
            by_x, by_gamma = (float(mpmath.diff(cauchy, (x, gamma), n)) for n in ((1, 0), (0, 1)))
            bend = float(mpmath.diff(cauchy, (x, gamma), (2, 0)))
            expected = by_x, sigma * bend, by_gamma
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-15)


def test_what_is_searched_is_constant_at_the_ends_of_the_search():
    assert special.pdtrik(0.5, 0.5) == 0  # of any smaller probability, too
    assert ft.grad(special.pdtrik, (0, 1))(0.5, 0.5) == (0.0, 0.0)
    assert ft.grad(special.pseudo_huber, 1)(0.0, 0.0) == 0.0


@pytest.mark.parametrize("end", [1.0, -1.0])
@pytest.mark.parametrize("m", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("v", [0.0, 1.0, 2.0, 3.0, 4.0])
def test_legendre_functions_have_slopes_at_their_ends(m, v, end):
    if m > v:
        return
    near = end * (1 - 1e-12)
    expected = (special.lpmv(m, v, end) - special.lpmv(m, v, near)) / (end - near)
    found = ft.grad(special.lpmv, 2)(m, v, end)
    if m == 1:
        assert np.isinf(found)
        assert np.sign(found) == np.sign(expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
    np.testing.assert_array_equal(ft.jit(ft.grad(special.lpmv, 2))(m, v, end), found)


def test_the_even_struve_function_is_flat_at_zero():
    assert ft.grad(special.struve, 1)(-1.0, 0.0) == 0
    slope = float(mpmath.diff(lambda x: mpmath.struveh(-1, x), 0.5))
    np.testing.assert_allclose(ft.grad(special.struve, 1)(-1.0, 0.5), slope, rtol=1e-12)
