"""Distributions of ``scipy.stats``, and functions of samples, on traced values too.

They are called as SciPy's: ``norm.logpdf(x, loc, scale)``, ``norm(loc, scale).logpdf(x)``. All have
derivatives in ``x`` and in the parameters. docs/stats.md lists what there is; other
names are SciPy's own, for values that are not traced.

Example:
    >>> import functrace as ft
    >>> from functrace.scipy.stats import norm
    >>> print(ft.grad(norm.logpdf, argnums=(0, 2))(1.0, 0.0, 2.0))
    (np.float64(-0.25), np.float64(-0.375))
"""

from functrace.scipy.stats.circular import vonmises, wrapcauchy
from functrace.scipy.stats.discrete import bernoulli, betabinom, binom, geom, nbinom, poisson
from functrace.scipy.stats.elementary import (
    cauchy,
    expon,
    gumbel_l,
    gumbel_r,
    laplace,
    logistic,
    pareto,
    rayleigh,
    uniform,
    weibull_min,
)
from functrace.scipy.stats.gamma_like import beta, chi2, f, gamma, gennorm, invgamma, t
from functrace.scipy.stats.multivariate import (
    dirichlet,
    invwishart,
    multinomial,
    multivariate_normal,
    multivariate_t,
    wishart,
)
from functrace.scipy.stats.normals import exponnorm, halfnorm, lognorm, norm, skewnorm, truncnorm
from functrace.scipy.stats.samples import gaussian_kde, mode, rankdata, sem, zscore
from functrace.tracing.optional import names_of_scipy

__all__ = [
    "bernoulli",
    "beta",
    "betabinom",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "exponnorm",
    "f",
    "gamma",
    "gaussian_kde",
    "gennorm",
    "geom",
    "gumbel_l",
    "gumbel_r",
    "halfnorm",
    "invgamma",
    "invwishart",
    "laplace",
    "logistic",
    "lognorm",
    "mode",
    "multinomial",
    "multivariate_normal",
    "multivariate_t",
    "nbinom",
    "norm",
    "pareto",
    "poisson",
    "rankdata",
    "rayleigh",
    "sem",
    "skewnorm",
    "t",
    "truncnorm",
    "uniform",
    "vonmises",
    "weibull_min",
    "wishart",
    "wrapcauchy",
    "zscore",
]

__getattr__ = names_of_scipy("stats")
