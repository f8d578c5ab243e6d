"""What is said where functions of SciPy's are given traced values."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.sparse.linalg
import scipy.spatial.distance
import scipy.special
import scipy.stats
from scipy.stats import gamma, norm

import functrace as ft
from functrace.errors import UnsupportedFunctionError
from functrace.tracing.twins import remedy_in_scipy

FIVE = np.linspace(0.1, 1.0, 5)
EYE = np.eye(5)
SPLINE = scipy.interpolate.CubicSpline(FIVE, FIVE)
FROZEN = gamma(2.0)


CALLS = {
    "scipy.stats.norm.logpdf": [
        norm.logpdf,
        lambda t: norm.logpdf(t), lambda t: norm.logpdf(FIVE, t), lambda t: norm(t).logpdf(FIVE),
        lambda t: norm.logpdf(FIVE, scale=t[0]),
    ],
    "scipy.stats.gamma.ppf": [lambda t: FROZEN.ppf(t)],
    "scipy.stats.poisson.logpmf": [lambda t: scipy.stats.poisson.logpmf(3, t)],
    "scipy.stats.multivariate_normal.logpdf": [
        lambda t: scipy.stats.multivariate_normal.logpdf(t, FIVE, EYE),
        lambda t: scipy.stats.multivariate_normal(FIVE, EYE).logpdf(t),
    ],
    "scipy.stats.wishart.logpdf": [lambda t: scipy.stats.wishart.logpdf(EYE, t[0] + 5.0, EYE)],
    "scipy.stats.rankdata": [lambda t: scipy.stats.rankdata(t)],
    "scipy.special.logsumexp": [lambda t: scipy.special.logsumexp(t)],
    "scipy.linalg.cho_factor": [lambda t: scipy.linalg.cho_factor(EYE * t)],
    "scipy.linalg.expm": [
        lambda t: scipy.linalg.expm(EYE * t), lambda t: next(map(scipy.linalg.expm, [EYE * t])),
    ],
    "scipy.signal.lfilter": [lambda t: scipy.signal.lfilter([1.0], [1.0, 0.5], t)],
    "scipy.integrate.odeint": [
        lambda t: scipy.integrate.odeint(lambda y, s: -t * y, FIVE, FIVE),
        lambda t: scipy.integrate.odeint(lambda y, s: -y, t, FIVE),
    ],
    "scipy.integrate.quad": [
        lambda t: scipy.integrate.quad(lambda s: s, 0, t[0]),
        lambda t: scipy.integrate.quad(lambda s: s * t[0], 0, 1),
    ],
    "scipy.optimize.minimize": [lambda t: scipy.optimize.minimize(lambda p: np.sum(p**2), t)],
    "scipy.optimize.brentq": [lambda t: scipy.optimize.brentq(lambda p: p - t[0], 0, 1)],
    "scipy.interpolate.CubicSpline": [
        lambda t: scipy.interpolate.CubicSpline(FIVE, t), lambda t: SPLINE(t),
    ],
    "scipy.interpolate.CubicSpline.integrate": [lambda t: SPLINE.integrate(t[0], t[1])],
    "scipy.ndimage.gaussian_filter": [lambda t: scipy.ndimage.gaussian_filter(t, 1.0)],
    "scipy.sparse.linalg.cg": [lambda t: scipy.sparse.linalg.cg(EYE, t)],
    "scipy.spatial.distance.cdist": [lambda t: scipy.spatial.distance.cdist(EYE * t, EYE)],
    "scipy.fft.fft": [lambda t: scipy.fft.fft(t)],
}  # fmt: skip


def refused(transformed, x):
    with pytest.raises(UnsupportedFunctionError) as caught:
        transformed(x)
    return str(caught.value)


@pytest.mark.parametrize("name", CALLS)
def test_the_function_that_was_called_is_named(name):
    for call in CALLS[name]:
        for transformed in (partial(ft.vjp, call), ft.jit(call)):
            text = refused(transformed, FIVE)
            assert text.startswith(f"{name} "), text
            assert "test_twins.py" in text


def test_the_twin_is_named_where_there_is_one():
    text = refused(ft.grad(lambda t: scipy.special.logsumexp(t)), FIVE)
    assert "Write functrace.scipy.special.logsumexp" in text
    assert "import functrace.scipy.special in place of scipy.special" in text
    assert "Write functrace.scipy.fft.fft" in refused(ft.jit(scipy.fft.fft), FIVE)
    between = lambda t: scipy.spatial.distance.directed_hausdorff(t, t)
    assert "functrace.scipy" not in refused(ft.jit(between), EYE)
    assert scipy.special.mathieu_a is ft.scipy.special.mathieu_a  # it is SciPy's own
    of_order = lambda t: scipy.special.mathieu_a(1, t)
    assert "functrace.scipy" not in refused(ft.jit(of_order), FIVE)


def test_what_a_module_hands_on_of_scipys_is_no_twin():
    assert remedy_in_scipy("scipy.optimize.differential_evolution") is None
    assert remedy_in_scipy("scipy.integrate.nquad") is None
    twin = remedy_in_scipy("scipy.optimize.minimize")
    assert "Write functrace.scipy.optimize.minimize" in twin


def test_a_distribution_that_there_is_not_is_told_from_those_that_there_are():
    assert ft.scipy.stats.levy is scipy.stats.levy
    calls = (scipy.stats.levy.logpdf, ft.scipy.stats.levy(1.0).logpdf, scipy.stats.skew)
    for call in calls:
        for transformed in (partial(ft.vjp, call), ft.jit(call)):
            text = refused(transformed, FIVE)
            assert "functrace.scipy.stats has no " in text
            assert "bernoulli, beta, " in text
            assert "functrace.scipy.special" in text
    assert "has no levy. It has" in refused(ft.jit(calls[1]), FIVE)
    with pytest.raises(AttributeError, match="has no attribute 'normal'"):
        _ = ft.scipy.stats.normal


def test_what_the_function_of_the_user_asks_is_of_the_user():
    def f(t):
        return scipy.optimize.brentq(lambda p: p - float(t[0]), 0, 1)

    with pytest.raises(TypeError, match=r"float\(\)"):
        ft.grad(f)(FIVE)


def test_whole_numbers_that_are_known_are_handed_over():
    assert ft.grad(lambda x, n: x * scipy.special.factorial(int(n)))(2.0, 3) == 6.0
