"""Parameters, location and scale, support and refusals, of any family."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import scipy.stats

import functrace as ft
from functrace.errors import (
    ArgumentError,
    OperandError,
    UnknownValueError,
    UnsupportedFunctionError,
)
from functrace.scipy import stats
from functrace.scipy.stats.families import Family


def test_every_name_is_one_of_scipy():
    for name in stats.__all__:
        assert hasattr(scipy.stats, name)
        assert getattr(stats, name).__doc__


OF_OTHERS = {
    "dirichlet.logpdf": (np.ones(2), np.ones(2)),
    "multinomial.logpmf": (np.ones(2), 2, np.ones(2) / 2),
    "multivariate_normal.logpdf": (np.ones(2), np.ones(2), np.eye(2)),
    "multivariate_t.logpdf": (np.ones(2), np.ones(2), np.eye(2)),
    "wishart.logpdf": (np.eye(2), 3.0, np.eye(2)),
    "invwishart.logpdf": (np.eye(2), 3.0, np.eye(2)),
    **{name: (np.ones(3),) for name in ("gaussian_kde", "mode", "rankdata", "sem", "zscore")},
}


def twin_calls():
    """All functions and what may be given to them."""
    yield from OF_OTHERS.items()
    for name in stats.__all__:
        family = getattr(stats, name)
        if isinstance(family, Family):
            method = "logpmf" if hasattr(family, "pmf") else "logpdf"
            yield f"{name}.{method}", (1.0, *(0.5 for _ in family.shapes))


@pytest.mark.parametrize(
    ("path", "given"), [*twin_calls()], ids=lambda x: x if type(x) is str else ""
)
def test_the_error_of_scipys_own_names_its_twin(path, given):
    theirs = attrgetter(path)(scipy.stats)
    attrgetter(path)(stats)
    for n, x in enumerate(given):
        call = lambda t, n=n: theirs(*given[:n], t, *given[n + 1 :])
        for transformed in (partial(ft.vjp, call), ft.jit(call)):
            with pytest.raises((UnsupportedFunctionError, UnknownValueError)) as caught:
                transformed(np.float64(x))
            assert f"Write functrace.scipy.stats.{path}," in str(caught.value)
            assert "test_families.py" in str(caught.value)


def test_parameters_by_position_and_by_name():
    expected = scipy.stats.beta.logpdf(0.7, 2.0, 3.0, 0.1, 1.5)
    for found in (
        stats.beta.logpdf(0.7, 2.0, 3.0, 0.1, 1.5),
        stats.beta.logpdf(0.7, 2.0, b=3.0, scale=1.5, loc=0.1),
        stats.beta(2.0, 3.0, 0.1, 1.5).logpdf(0.7),
        stats.beta(2.0, b=3.0, loc=0.1, scale=1.5).logpdf(0.7),
        stats.beta.logpdf(x=0.7, a=2.0, b=3.0, loc=0.1, scale=1.5),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: stats.gamma.logpdf(1.0), "gamma misses a. Its parameters are a, loc=0, scale=1"),
        (lambda: stats.gamma(2.0, 0.0, 1.0, 3.0), "gamma got 4 parameters"),
        (lambda: stats.gamma.mean(2.0, a=1.0), "gamma got a twice"),
        (lambda: stats.norm.pdf(0.0, sigma=1.0), "norm has no parameter sigma"),
        (lambda: stats.poisson.pmf(0, 1.0, scale=2.0), "poisson has no parameter scale"),
    ],
)
def test_wrong_parameters_are_told(call, said):
    with pytest.raises(ArgumentError, match=said) as caught:
        call()
    assert "test_families.py" in str(caught.value)


def test_methods_and_options_that_are_not_there():
    with pytest.raises(AttributeError, match=r"functrace\.scipy\.optimize\.minimize"):
        _ = stats.norm.fit
    with pytest.raises(AttributeError, match=r"scipy\.stats\.norm\.moment"):
        _ = stats.norm(0.0).moment
    with pytest.raises(ArgumentError, match='letters of "mvsk"') as caught:
        stats.norm.stats(moments="mean")
    assert "test_families.py" in str(caught.value)
    assert stats.norm.stats(moments="v") == 1.0
    assert stats.expon.stats(moments="kv") == (1.0, 6.0)
    with pytest.raises(OperandError, match="real numbers"):
        stats.norm.pdf(1j)


@pytest.mark.parametrize(
    ("name", "shapes", "places"),
    [
        ("norm", (), (0.3, 1.5)),
        ("gamma", (2.3,), (0.5, 2.0)),
        ("t", (6.5,), (0.5, 2.0)),
        ("pareto", (4.5,), ()),
        ("exponnorm", (1.3,), ()),
        ("binom", (7, 0.3), (2.0,)),
        ("poisson", (3.2,), (-20.0,)),
        ("nbinom", (4.5, 0.3), ()),
        ("geom", (0.2,), ()),
    ],
)
def test_means_of_functions(name, shapes, places):
    ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
    f = lambda x: np.cos(x) + x**2
    named = dict(zip(("loc", "scale"), places, strict=False))
    ends = (2, 4) if places != (-20.0,) else (-18, -15)
    for options in (
        {},
        {"lb": ends[0], "ub": ends[1]},
        {"lb": ends[0], "ub": ends[1], "conditional": True},
    ):
        expected = theirs.expect(f, shapes, **named, **options)
        np.testing.assert_allclose(ours.expect(f, shapes, **named, **options), expected, rtol=1e-9)
        found = ours(*shapes, **named).expect(f, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(ours.expect(args=shapes), ours.mean(*shapes), rtol=1e-9)


def test_means_of_functions_have_derivatives():
    mean = lambda a: stats.gamma.expect(np.log, (a,))
    for slope in (ft.grad(mean), ft.jit(ft.grad(mean)), ft.jacfwd(mean)):
        np.testing.assert_allclose(slope(2.3), scipy.special.polygamma(1, 2.3), rtol=1e-8)
    outer = lambda scale: stats.norm(0.0, scale).expect(lambda x: scale * x**2, lb=0.0)
    np.testing.assert_allclose(ft.grad(outer)(2.0), 1.5 * 2.0**2, rtol=1e-8)
    count = lambda mu: stats.poisson(mu).expect(lambda k: k**2)
    np.testing.assert_allclose(ft.grad(count)(2.3), 1 + 2 * 2.3, rtol=1e-12)
    with pytest.raises(UnknownValueError, match="as lb and ub"):
        ft.jit(count)(2.3)
    known = ft.jit(lambda mu: stats.poisson(mu).expect(lambda k: k**2, 0, 100))
    np.testing.assert_allclose(known(2.3), 2.3 + 2.3**2, rtol=1e-12)


def test_random_numbers_are_for_plain_parameters():
    same = [x.norm(1.0).rvs(size=3, random_state=0) for x in (stats, scipy.stats)]
    np.testing.assert_array_equal(*same)
    with pytest.raises(UnsupportedFunctionError, match=r"functrace\.random"):
        ft.grad(lambda t: stats.norm.rvs(t))(1.0)


def test_numbers_of_any_dtype_are_doubles():
    for x in (1, True, np.float32(1), np.int8(1), [1], np.ones(2, np.float16)):
        found, expected = stats.norm.logpdf(x), scipy.stats.norm.logpdf(x)
        np.testing.assert_allclose(found, expected, rtol=1e-15)
        assert (type(found), found.dtype) == (type(expected), expected.dtype)
        traced = ft.jit(stats.norm.logpdf)(np.asarray(x)[()])
        assert traced.dtype == expected.dtype
    assert ft.grad(stats.norm.logpdf)(np.float32(1)).dtype == np.float32


def test_all_is_broadcast():
    x, loc, scale = np.zeros((3, 1)), np.arange(4.0), np.array([[[1.0]], [[2.0]]])
    for method in ("logpdf", "cdf"):
        found = getattr(stats.norm, method)(x, loc, scale)
        np.testing.assert_allclose(found, getattr(scipy.stats.norm, method)(x, loc, scale))
    assert stats.expon.entropy(loc, scale).shape == (2, 1, 4)
    low, high = stats.uniform.support(loc, scale)
    assert low.shape == high.shape == (2, 1, 4)
    low, high = stats.norm.interval(0.9, loc)
    np.testing.assert_allclose(np.array([low, high]), scipy.stats.norm.interval(0.9, loc))


def test_one_wrong_parameter_spoils_only_its_own_results():
    f = lambda scale: stats.gamma.logpdf(1.0, 2.0, 0.0, scale)
    scale = np.array([1.0, -1.0, 2.0, 0.0])
    for run in (f, ft.jit(f)):
        found = run(scale)
        np.testing.assert_array_equal(np.isnan(found), [False, True, False, True])
    for transform in (ft.jacrev, ft.jacfwd):
        slopes = ft.jit(transform(f))(scale)
        assert np.isfinite(slopes[[0, 2]]).all()


def test_a_step_of_gradient_descent_outside_of_the_support_is_none():
    f = lambda theta: np.sum(stats.uniform.logpdf(np.array([0.1, 0.9]), 0.0, theta))
    assert ft.value_and_grad(f)(0.5)[0] == -np.inf
    assert np.isfinite(ft.grad(f)(0.5))


def test_programs_hold_nothing_that_is_known_to_hold():
    program = ft.make_ir(lambda x: stats.norm.logpdf(x))(np.ones(3))
    assert "select" not in str(program)
    assert len(program.equations) <= 4


TABLES = Path(__file__).parents[3] / "docs" / "stats.md"

EVERYWHERE = [
    "cdf",
    "logcdf",
    "sf",
    "logsf",
    "ppf",
    "isf",
    "median",
    "mean",
    "var",
    "std",
    "stats",
    "entropy",
    "support",
    "interval",
]
OF_VECTORS = ["logpdf", "pdf", "logpmf", "pmf", "cdf", "mean", "var", "cov", "entropy", "rvs"]


def has(family, method):
    """Whether a family states what a method needs."""
    needed = {
        "std": "var",
        "stats": "var",
        "median": "ppf",
        "interval": "ppf",
        "logcdf": "cdf",
        "logsf": "sf",
    }.get(method, method)
    return hasattr(family, f"_{needed}")


def tables():
    """The tables of docs/stats.md."""
    families = {name: getattr(stats, name) for name in stats.__all__}
    single = ["| Distribution | Parameters | Without |", "|---|---|---|"]
    vectors = ["| Distribution of vectors or matrices | Methods |", "|---|---|"]
    for name, family in families.items():
        if isinstance(family, Family):
            names = ", ".join((*family.shapes, *family.others))
            lacks = [f"`{method}`" for method in EVERYWHERE if not has(family, method)]
            single.append(f"| `{name}` | {names} | {', '.join(lacks)} |")
        elif hasattr(family, "name"):
            methods = [f"`{method}`" for method in OF_VECTORS if hasattr(family, method)]
            vectors.append(f"| `{name}` | {', '.join(methods)} |")
    return "\n".join(single), "\n".join(vectors)


def test_the_documentation_lists_what_there_is():
    text = TABLES.read_text(encoding="utf-8")
    for table in tables():
        assert table in text, table


def test_distributions_are_arguments_and_results():
    x = np.array([0.3, 2.0])
    frozen = stats.gamma(2.0, scale=1.5)
    np.testing.assert_allclose(ft.jit(lambda d: d.logpdf(x))(frozen), frozen.logpdf(x))
    slope = ft.grad(lambda d: d.logpdf(0.3))(frozen)
    assert slope.args == (ft.grad(lambda a: stats.gamma.logpdf(0.3, a, scale=1.5))(2.0),)
    normal = stats.multivariate_normal(np.zeros(2), np.eye(2), allow_singular=True)
    again = ft.jit(lambda d: d)(normal)
    assert again.kwds == normal.kwds
    np.testing.assert_allclose(again.logpdf(x), normal.logpdf(x))


ENDS = [
    ("gamma", (0.5,)),
    ("gamma", (1.0,)),
    ("gamma", (1.5,)),
    ("gamma", (3.0,)),
    ("chi2", (1.0,)),
    ("chi2", (4.0,)),
    ("f", (1.0, 3.0)),
    ("f", (4.0, 3.0)),
    ("beta", (0.5, 0.5)),
    ("beta", (1.0, 2.0)),
    ("beta", (2.0, 0.5)),
    ("weibull_min", (0.5,)),
    ("weibull_min", (2.0,)),
    ("pareto", (2.0,)),
    ("expon", ()),
    ("uniform", ()),
    ("halfnorm", ()),
    ("rayleigh", ()),
    ("lognorm", (0.5,)),
    ("invgamma", (2.0,)),
    ("truncnorm", (-1.0, 2.0)),
    ("truncnorm", (0.0, np.inf)),
    ("truncnorm", (3.0, 9.0)),
    ("wrapcauchy", (0.3,)),
    ("norm", ()),
    ("t", (3.0,)),
    ("gumbel_r", ()),
    ("gumbel_l", ()),
]


def in_both_modes(f, x):
    """The derivative, in which both modes agree."""
    pushed, pulled = ft.jvp(f, (x,), (1.0,))[1], ft.grad(f)(x)
    np.testing.assert_allclose(pushed, pulled, rtol=1e-9)
    return pulled


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("name", "shapes"), ENDS)
def test_slopes_at_the_ends_are_those_from_within(name, shapes, compiled):
    ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
    for number, end in enumerate(map(float, theirs.support(*shapes))):
        with np.errstate(all="ignore"):
            density = theirs.pdf(end, *shapes) if np.isfinite(end) else np.float64(0.0)
            quantile = 1.0 / density
        expected = {"ppf": quantile, "isf": -quantile}
        if np.isfinite(end):
            begun, ended = ("logsf", "logcdf") if number else ("logcdf", "logsf")
            sign = -1.0 if number else 1.0
            expected |= {"cdf": density, "sf": -density}
            expected |= {begun: sign * np.inf, ended: -sign * density}
            if not ours.has_ends:  # there it is minus infinity, as outside
                expected[begun] = 0.0
        for method, slope in expected.items():
            formula = getattr(ours, method)
            f = lambda x, formula=formula: formula(x, *shapes)
            if compiled:
                f = ft.jit(f)
            x = end
            if method in ("ppf", "isf"):
                x = float(number if method == "ppf" else 1 - number)
            np.testing.assert_allclose(in_both_modes(f, x), slope, rtol=1e-9, err_msg=method)


@pytest.mark.parametrize(
    ("name", "shapes", "slope"),
    [
        ("gamma", (0.5,), -np.inf),
        ("gamma", (1.0,), -1.0),
        ("gamma", (1.5,), np.inf),
        ("gamma", (2.0,), 1.0),
        ("gamma", (3.0,), 0.0),
        ("chi2", (4.0,), 0.25),
        ("weibull_min", (2.0,), 2.0),
        ("beta", (0.5, 0.5), -np.inf),
        ("beta", (2.0, 2.0), 6.0),
        ("f", (4.0, 3.0), 20 / 3),
        ("rayleigh", (), 1.0),
        ("lognorm", (0.5,), 0.0),
    ],
)
def test_slopes_of_densities_at_zero(name, shapes, slope):
    family = getattr(stats, name)
    np.testing.assert_allclose(in_both_modes(lambda x: family.pdf(x, *shapes), 0.0), slope)
    log = in_both_modes(lambda x: family.logpdf(x, *shapes), 0.0)
    with np.errstate(all="ignore"):
        density = getattr(scipy.stats, name).pdf(0.0, *shapes)
    if not family.has_ends:
        assert log == 0
    elif density in (0.0, np.inf):
        assert log == (np.inf if density == 0 else -np.inf)
    else:
        np.testing.assert_allclose(log, slope / density)


@pytest.mark.parametrize("method", ["pdf", "logpdf", "cdf", "logcdf", "sf", "logsf"])
@pytest.mark.parametrize(("name", "shapes"), ENDS[:16])
def test_slopes_by_parameters_at_the_ends(name, shapes, method):
    formula = getattr(getattr(stats, name), method)
    for end in map(float, getattr(scipy.stats, name).support(*shapes)):
        if not np.isfinite(end):
            continue
        for place, value in enumerate((*shapes, 0.0, 1.0)):
            given = (*shapes, 0.0, 1.0)
            slope = in_both_modes(
                lambda p, place=place, end=end, given=given: formula(
                    end, *given[:place], p, *given[place + 1 :]
                ),
                value,
            )
            assert not np.isnan(slope)
            if end == 0 and method in ("cdf", "sf", "logsf") and place != len(shapes):
                assert slope == 0  # zero is the lower end whatever the shapes and the scale are


def test_second_derivatives_at_the_ends():
    twice = ft.grad(ft.grad(stats.truncnorm.cdf))
    density = stats.truncnorm.pdf(-1.0, -1.0, 2.0)
    np.testing.assert_allclose(twice(-1.0, -1.0, 2.0), density, rtol=1e-12)
    np.testing.assert_allclose(ft.grad(ft.grad(stats.gamma.cdf))(0.0, 1.0), -1.0)
    np.testing.assert_allclose(ft.grad(ft.grad(stats.gamma.pdf))(0.0, 2.0), -2.0)
