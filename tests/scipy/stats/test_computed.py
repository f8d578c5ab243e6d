"""Distribution functions whose values SciPy computes."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.scipy import stats
from functrace.scipy.stats.computed import slope_of, value_of
from functrace.testing import numerical_jvp


def test_a_quantile_depends_on_shapes_as_its_inverse_says():
    for family, shape in (
        (stats.t, 3.3),
        (stats.skewnorm, -1.7),
        (stats.vonmises, 2.5),
        (stats.gennorm, 1.4),
    ):
        q = np.array([1e-6, 0.3, 0.99])
        back = lambda shape, family=family, q=q: family.cdf(family.ppf(q, shape), shape)
        value, slope = ft.jvp(back, (shape,), (1.0,))
        np.testing.assert_allclose(value, q, rtol=1e-8)
        np.testing.assert_allclose(slope, 0.0, atol=1e-12)


def test_what_has_no_partials_is_constant():
    quantile = value_of("zipf", "ppf", 2)
    assert quantile.run(0.999, 3.0) == 20.0
    assert ft.grad(lambda q: stats.poisson.ppf(q, 3.0))(0.5) == 0.0


def test_slopes_by_a_shape_are_of_all_elements():
    x, a = np.linspace(0.5, 2.0, 3)[:, None], np.array([1.0, 2.0])
    np.testing.assert_allclose(slope_of(lambda x, a: x**a)(x, a), np.log(x) * x**a)


def test_far_tails():
    f = lambda df: stats.t.logcdf(-1e3, df)
    tangent = ft.jvp(f, (4.0,), (1.0,))[1]
    np.testing.assert_allclose(tangent, numerical_jvp(f, (4.0,), (1.0,)), rtol=1e-6)
