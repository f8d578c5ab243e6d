"""All names of ``scipy.special``, with its arguments and values, for traced values too.

SciPy's own ufuncs, such as ``scipy.special.gammainc``, can be called on traced values as well; its
other functions, such as ``scipy.special.logsumexp``, cannot. Lists that hold traced values are
taken here only. From `expit` to `log_softmax` no SciPy is needed; all else computes with it.
docs/special.md lists what has derivatives.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, MissingPackageError
from functrace.ir.types import type_of
from functrace.numpy.making import array, holds_tracer
from functrace.primitives import special
from functrace.primitives.linear import cast_to, dtype_of, shape_of, stop_gradient
from functrace.primitives.reducing import logsumexp_primitive, normal_axes, reduced_shape
from functrace.primitives.scipy_rules import spherical_slope
from functrace.primitives.special import f
from functrace.tracing.entrances import entrance, entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import scipy_module
from functrace.tracing.tables import NAMED_UFUNCS
from functrace.tracing.tracer import Tracer, bind


def _operand(x: Any) -> Any:
    """An array or a number; of a list, also of traced values, an array."""
    return as_operand(array(x) if isinstance(x, list | tuple) and holds_tracer(x) else x)


def floating(x: Any) -> Any:
    """An operand in a floating dtype: what is no number with a point becomes a double."""
    x = _operand(x)
    is_number = hasattr(x, "shape") and not type_of(x).weak  # and none of Python's
    if is_number and dtype_of(x).kind in "fc":
        return x
    return cast_to(x, np.result_type(dtype_of(x), np.float64))


def expit(x: Any) -> Any:
    """The logistic function, ``1 / (1 + exp(-x))``.

    Args:
        x: An array of real numbers.

    Returns:
        An array of the shape of ``x``.

    Example:
        >>> from functrace.scipy.special import expit
        >>> expit(0.0)
        np.float64(0.5)
    """
    return bind(special.expit, _operand(x))


def logit(x: Any) -> Any:
    """The inverse of `expit`, ``log(x / (1 - x))``: infinite at 0 and 1, nan outside.

    Example:
        >>> from functrace.scipy.special import logit
        >>> logit(0.5)
        np.float64(0.0)
    """
    return bind(special.logit, _operand(x))


def log_expit(x: Any) -> Any:
    """The logarithm of `expit`, also where that underflows.

    Example:
        >>> from functrace.scipy.special import log_expit
        >>> log_expit(-1000.0)
        np.float64(-1000.0)
    """
    return bind(special.log_expit, _operand(x))


def xlogy(x: Any, y: Any) -> Any:
    """``x * log(y)``, and 0 where ``x`` is 0.

    Example:
        >>> from functrace.scipy.special import xlogy
        >>> xlogy([0.0, 2.0], [0.0, 1.0])
        array([0., 0.])
    """
    return bind(special.xlogy, _operand(x), _operand(y))


def xlog1py(x: Any, y: Any) -> Any:
    """``x * log1p(y)``, and 0 where ``x`` is 0.

    Example:
        >>> from functrace.scipy.special import xlog1py
        >>> xlog1py(2.0, 1.0).round(3)
        np.float64(1.386)
    """
    return bind(special.xlog1py, _operand(x), _operand(y))


def entr(x: Any) -> Any:
    """The term of an entropy: ``-x * log(x)``, 0 at 0, and minus infinity below 0.

    Example:
        >>> from functrace.scipy.special import entr
        >>> entr(0.5).round(3)
        np.float64(0.347)
    """
    return bind(special.entr, _operand(x))


def rel_entr(x: Any, y: Any) -> Any:
    """The term of a relative entropy: ``x * log(x / y)``.

    It is 0 where ``x`` is 0 and ``y`` is not negative, and infinite outside of this.

    Example:
        >>> from functrace.scipy.special import rel_entr
        >>> rel_entr([0.0, 2.0], [1.0, 1.0]).round(3)
        array([0.   , 1.386])
    """
    return bind(special.rel_entr, _operand(x), _operand(y))


def erf(x: Any) -> Any:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``.

    Args:
        x: An array of real or complex numbers.

    Returns:
        An array of the shape of ``x``.

    Example:
        >>> from functrace.scipy.special import erf
        >>> erf(0.0)
        np.float64(0.0)
    """
    return bind(special.erf, _operand(x))


def erfc(x: Any) -> Any:
    """The complement ``1 - erf(x)``, also where that underflows.

    Example:
        >>> from functrace.scipy.special import erfc
        >>> erfc([0.0, 1.0]).round(3)
        array([1.   , 0.157])
    """
    return bind(special.erfc, _operand(x))


def erfinv(x: Any) -> Any:
    """The inverse of `erf`: infinite at 1 and -1, nan outside.

    Example:
        >>> from functrace.scipy.special import erfinv
        >>> erfinv(0.5).round(3)
        np.float64(0.477)
    """
    return bind(special.erfinv, _operand(x))


def ndtr(x: Any) -> Any:
    """The probability that a standard normal variable is at most ``x``.

    Example:
        >>> from functrace.scipy.special import ndtr
        >>> ndtr([0.0, 1.96]).round(3)
        array([0.5  , 0.975])
    """
    return bind(special.ndtr, _operand(x))


def gammaln(x: Any) -> Any:
    """The logarithm of the absolute value of the gamma function.

    Example:
        >>> from functrace.scipy.special import gammaln
        >>> gammaln(5.0).round(3)  # log(24)
        np.float64(3.178)
    """
    return bind(special.gammaln, _operand(x))


def digamma(z: Any) -> Any:
    """The logarithmic derivative of the gamma function; of complex numbers by SciPy.

    Example:
        >>> from functrace.scipy.special import digamma
        >>> digamma(1.0).round(3)  # minus Euler's constant
        np.float64(-0.577)
    """
    return bind(special.digamma, _operand(z))


psi = digamma


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, which does not overflow.

    Example:
        >>> from functrace.scipy.special import softplus
        >>> softplus([0.0, 100.0]).round(3)
        array([  0.693, 100.   ])
    """
    return np.logaddexp(0, _operand(x))


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False,
    *, where: Any = None,
) -> Any:  # fmt: skip
    """The logarithm of a sum of exponentials, which does not overflow.

    Args:
        a: The exponents, an array of real or complex numbers.
        axis: The axis or axes to sum over; None for all.
        b: Factors of the exponentials, of a shape that broadcasts to that of ``a``.
        keepdims: Whether the summed axes stay, with length 1.
        return_sign: Whether to return the sign of the sum too, and the logarithm of its size.
        where: Which terms count, of a shape that broadcasts to that of ``a``; None for all.

    Returns:
        The logarithm; where the sum is negative, nan. Under ``return_sign`` the pair of the
        logarithm of its absolute value and its sign.

    Example:
        >>> from functrace.scipy.special import logsumexp
        >>> logsumexp([1000.0, 1000.0])
        np.float64(1000.6931471805599)
    """
    a = floating(a)
    if where is not None:
        a = np.where(where, a, -np.inf)
    axes = normal_axes(axis, len(shape_of(a)))
    if b is None and dtype_of(a).kind != "c":
        result = bind(logsumexp_primitive, a, axes=axes, keepdims=bool(keepdims))
        if not return_sign:
            return result
        one = dtype_of(result).type(1)
        return result, np.where(np.isneginf(result), 0 * one, one + 0 * np.isnan(result))
    if b is not None:
        b = floating(b)
        dtype = np.result_type(dtype_of(a), dtype_of(b))
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        a, b = np.broadcast_to(cast_to(a, dtype), shape), cast_to(b, dtype)
        axes = normal_axes(axis, len(shape))
        is_zero = np.equal(b, 0)
        counted = np.where(is_zero, dtype.type(-np.inf), a)
        largest = stop_gradient(np.max(np.real(counted), axis=axes, keepdims=True))
        shift = np.where(np.isfinite(largest), largest, 0)
        # What counts nothing must not overflow; else it stays, for the derivative by its factor.
        overflows = np.greater(np.real(a) - shift, math.log(np.finfo(dtype).max) / 2)
        a = np.where(is_zero & overflows, dtype.type(-np.inf), a)
    else:
        largest = stop_gradient(np.max(np.real(a), axis=axes, keepdims=True))
        shift = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(invalid="ignore"):
        terms = np.exp(a - shift)
    total = np.sum(terms if b is None else b * terms, axis=axes, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.log(np.abs(total) if return_sign else total) + shift
    sign = np.sign(total)
    if not keepdims:
        left = reduced_shape(shape_of(a), axes, False)
        size, sign = np.reshape(size, left)[()], np.reshape(sign, left)[()]
    return (size, sign) if return_sign else size


def softmax(x: Any, axis: Any = None) -> Any:
    """The exponentials of the elements, divided by their sum along an axis (None: all axes).

    Example:
        >>> from functrace.scipy.special import softmax
        >>> softmax([0.0, 0.0])
        array([0.5, 0.5])
    """
    x = floating(x)
    exponentials = np.exp(x - stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """The logarithm of `softmax`, also where that underflows.

    Example:
        >>> from functrace.scipy.special import log_softmax
        >>> log_softmax([0.0, 1000.0])
        array([-1000.,     0.])
    """
    x = floating(x)
    largest = stop_gradient(np.max(x, axis=axis, keepdims=True))
    shifted = x - np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def polygamma(n: Any, x: Any) -> Any:
    """The derivative of order n of `digamma`.

    Args:
        n: Whole numbers, not negative. There is no derivative in them.
        x: Real numbers.

    Returns:
        float64, of the shape to which both broadcast.

    Example:
        >>> from functrace.scipy.special import polygamma
        >>> polygamma(1, 1.0).round(12)
        np.float64(1.644934066848)
    """
    return f.polygamma(_operand(n), _operand(x))


def zeta(x: Any, q: Any = None, out: None = None) -> Any:
    """Riemann's zeta function, or with q Hurwitz's, which has a derivative in q.

    Example:
        >>> from functrace.scipy.special import zeta
        >>> zeta(2.0, 2.0).round(12)
        np.float64(0.644934066848)
    """
    if out is not None:
        raise ArgumentError("zeta writes into no array: leave out=, and take what it returns.")
    if q is None:
        return f.riemann_zeta(_operand(x))
    return f.zeta(_operand(x), _operand(q))


def multigammaln(a: Any, d: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension d.

    Args:
        a: Real numbers larger than ``(d - 1) / 2``.
        d: A positive whole number.

    Raises:
        ValueError: The numbers are known, and one is too small; or d is no whole number.

    Example:
        >>> from functrace.scipy.special import multigammaln
        >>> multigammaln(2.0, 2).round(12)
        np.float64(0.451582705289)
    """
    a = _operand(a)
    if not isinstance(a, Tracer):
        return _scipy("multigammaln")(a, d)
    if np.ndim(d) or np.floor(d) != d:
        raise ArgumentError(f"multigammaln has no dimension {d!r}: it is a positive whole number.")
    halves = [gammaln(a - j / 2) for j in range(int(d))]
    return d * (d - 1) * 0.25 * math.log(math.pi) + sum(halves[1:], halves[0])


def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Lambert's W function, of which ``w * exp(w) = z``, on its branch k.

    Example:
        >>> from functrace.scipy.special import lambertw
        >>> lambertw(1.0).real.round(12)
        np.float64(0.56714329041)
    """
    return f.lambertw(_operand(z), _operand(k))


def sph_harm_y(
    n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None, n_max: int | None = None
) -> Any:
    """Spherical harmonics.

    Args:
        n: The degrees, whole numbers.
        m: The orders, whole numbers.
        theta: The polar angles.
        phi: The azimuths.
        diff_n: 0; derivatives are for `functrace.jacobian`, except of plain values.
        n_max: JAX's, of no use here.

    Returns:
        complex128.

    Example:
        >>> from functrace.scipy.special import sph_harm_y
        >>> sph_harm_y(1, 0, 0.0, 0.0).round(3)  # sqrt(3 / (4 * pi))
        np.complex128(0.489+0j)
    """
    inputs = [_operand(x) for x in (n, m, theta, phi)]
    if diff_n:
        return _scipy("sph_harm_y")(*inputs, diff_n=diff_n)
    return f.sph_harm_y(*inputs)


def comb(
    N: Any, k: Any, *, exact: bool = False, repetition: bool = False  # noqa: N803
) -> Any:  # fmt: skip
    """The number of ways to choose k of N things; of traced values not exact, as a float64.

    Example:
        >>> from functrace.scipy.special import comb
        >>> comb(4, 2)
        np.float64(6.0)
    """
    n, k = _operand(N), _operand(k)
    if exact or not (isinstance(n, Tracer) or isinstance(k, Tracer)):
        return _scipy("comb")(n, k, exact=exact, repetition=repetition)
    if repetition:
        none = np.equal(k, 0) & np.greater_equal(n, 0)
        return np.where(none, 1.0, f.binom(n + k - 1, k))[()]
    return np.where(_is_possible(n, k), f.binom(n, k), 0.0)[()]


def _is_possible(n: Any, k: Any) -> Any:
    return np.less_equal(k, n) & np.greater_equal(n, 0) & np.greater_equal(k, 0)


def perm(N: Any, k: Any, exact: bool = False) -> Any:  # noqa: N803
    """The number of ways to line up k of N things; of traced values not exact, as a float64.

    Example:
        >>> from functrace.scipy.special import perm
        >>> perm(4, 2)
        np.float64(12.0)
    """
    n, k = _operand(N), _operand(k)
    if exact or not (isinstance(n, Tracer) or isinstance(k, Tracer)):
        return _scipy("perm")(n, k, exact=exact)
    return np.where(_is_possible(n, k), f.poch(n - k + 1, k), 0.0)[()]


def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """The factorial; of traced values not exact, by the gamma function, and 0 of negative ones.

    Example:
        >>> from functrace.scipy.special import factorial
        >>> factorial(4)
        np.float64(24.0)
    """
    n = _operand(n)
    if exact or extend != "zero" or not isinstance(n, Tracer):
        return _scipy("factorial")(n, exact=exact, extend=extend)
    return np.where(np.less(n, 0), 0.0, f.gamma(n + 1.0))[()]


def sinc(x: Any) -> Any:
    """``sin(pi * x) / (pi * x)``, which is NumPy's.

    Example:
        >>> from functrace.scipy.special import sinc
        >>> sinc([0.0, 0.5, 1.5]).round(3)
        array([ 1.   ,  0.637, -0.212])
    """
    return np.sinc(_operand(x))


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Any:
    """Bessel functions of the first kind of all whole orders up to v, under JAX's name.

    Args:
        z: Real numbers.
        v: The highest order.
        n_iter: Of no use here: the values are SciPy's.

    Returns:
        An array of shape ``(v + 1, *z.shape)``.

    Example:
        >>> from functrace.scipy.special import bessel_jn
        >>> bessel_jn(1.0, v=2).round(3)
        array([0.765, 0.44 , 0.115])
    """
    z = _operand(z)
    return np.stack([f.jv(order, z) for order in range(v + 1)])


def _scipy(name: str) -> Any:
    module = scipy_module("special", f"functrace.scipy.special.{name}")
    try:
        return getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


_EXAMPLES = """
    agm(1.0, 2.0) = 1.457; airy(0.0) = [0.355, -0.259, 0.615, 0.448];
    airye(1.0) = [0.264, -0.31, 0.62, 0.479]; bdtr(1, 2, 0.5) = 0.75; bdtrc(1, 2, 0.5) = 0.25;
    bdtri(1, 2, 0.75) = 0.5; bdtrik(0.75, 2, 0.5) = 1.0; bdtrin(1, 0.75, 0.5) = 2.0;
    bei(1.0) = 0.25; beip(1.0) = 0.497; ber(1.0) = 0.984; berp(1.0) = -0.062;
    besselpoly(1.0, 1.0, 0.0) = 0.288; beta(2.0, 3.0) = 0.083; betainc(1.0, 2.0, 0.5) = 0.75;
    betaincc(1.0, 2.0, 0.5) = 0.25; betainccinv(1.0, 2.0, 0.25) = 0.5;
    betaincinv(1.0, 2.0, 0.75) = 0.5; betaln(1.0, 2.0) = -0.693; binom(4, 2) = 6.0;
    boxcox(3.0, 2.0) = 4.0; boxcox1p(2.0, 2.0) = 4.0; btdtria(0.75, 2.0, 0.5) = 1.0;
    btdtrib(1.0, 0.75, 0.5) = 2.0; cbrt(27.0) = 3.0; chdtr(2, 2.0) = 0.632; chdtrc(2, 2.0) = 0.368;
    chdtri(2, 0.5) = 1.386; chdtriv(0.5, 2.0) = 2.629; chndtr(2.0, 2, 1.0) = 0.47;
    chndtrinc(2.0, 2, 0.25) = 3.028; chndtrix(0.5, 2, 1.0) = 2.177; cosdg(60.0) = 0.5;
    cosm1(1.0) = -0.46; cotdg(45.0) = 1.0; dawsn(1.0) = 0.538; ellipe(1.0) = 1.0;
    ellipeinc(0.5, 0.0) = 0.5; ellipj(1.0, 0.0) = [0.841, 0.54, 1.0, 1.0]; ellipk(0.0) = 1.571;
    ellipkinc(0.5, 0.0) = 0.5; ellipkm1(1.0) = 1.571; elliprc(4.0, 4.0) = 0.5;
    elliprd(4.0, 4.0, 4.0) = 0.125; elliprf(4.0, 4.0, 4.0) = 0.5; elliprg(4.0, 4.0, 4.0) = 2.0;
    elliprj(4.0, 4.0, 4.0, 4.0) = 0.125; erfcinv(0.5) = 0.477; erfcx(1.0) = 0.428; erfi(1.0) = 1.65;
    eval_chebyc(2, 0.5) = -1.75; eval_chebys(2, 0.5) = -0.75; eval_chebyt(2, 0.5) = -0.5;
    eval_chebyu(2, 1.0) = 3.0; eval_gegenbauer(1, 2.0, 0.5) = 2.0;
    eval_genlaguerre(1, 2.0, 0.5) = 2.5; eval_hermite(2, 1.0) = 2.0; eval_hermitenorm(2, 2.0) = 3.0;
    eval_jacobi(1, 1.0, 1.0, 0.5) = 1.0; eval_laguerre(1, 0.25) = 0.75;
    eval_legendre(2, 0.5) = -0.125; eval_sh_chebyt(1, 0.75) = 0.5; eval_sh_chebyu(1, 0.75) = 1.0;
    eval_sh_jacobi(1, 1.0, 1.0, 0.75) = 0.25; eval_sh_legendre(1, 0.75) = 0.5; exp1(1.0) = 0.219;
    exp10(2.0) = 100.0; exp2(3.0) = 8.0; expi(1.0) = 1.895; expm1(1.0) = 1.718;
    expn(2, 1.0) = 0.148; exprel(1.0) = 1.718; fdtr(2, 2, 1.0) = 0.5; fdtrc(2, 2, 3.0) = 0.25;
    fdtri(2, 2, 0.75) = 3.0; fdtridfd(2, 0.5, 1.0) = 2.0; fresnel(1.0) = [0.438, 0.78];
    gamma(5.0) = 24.0; gammainc(1.0, 1.0) = 0.632; gammaincc(1.0, 1.0) = 0.368;
    gammainccinv(1.0, 0.5) = 0.693; gammaincinv(1.0, 0.5) = 0.693; gammasgn(-0.5) = -1.0;
    gdtr(1.0, 1.0, 1.0) = 0.632; gdtrc(1.0, 1.0, 1.0) = 0.368; gdtria(0.5, 1.0, 1.0) = 0.693;
    gdtrib(1.0, 0.5, 1.0) = 1.314; gdtrix(1.0, 1.0, 0.5) = 0.693; hankel1(0, 1.0) = 0.765+0.088j;
    hankel1e(0, 1.0) = 0.488-0.596j; hankel2(0, 1.0) = 0.765-0.088j;
    hankel2e(0, 1.0) = 0.488+0.596j; huber(1.0, 3.0) = 2.5; hyp0f1(1.0, 1.0) = 2.28;
    hyp1f1(1.0, 1.0, 1.0) = 2.718; hyp2f1(1.0, 2.0, 2.0, 0.5) = 2.0; hyperu(1.0, 2.0, 4.0) = 0.25;
    i0(1.0) = 1.266; i0e(1.0) = 0.466; i1(1.0) = 0.565; i1e(1.0) = 0.208;
    inv_boxcox(4.0, 2.0) = 3.0; inv_boxcox1p(4.0, 2.0) = 2.0; it2i0k0(1.0) = [0.129, 0.209];
    it2j0y0(1.0) = [0.121, 0.395]; it2struve0(1.0) = 0.957;
    itairy(1.0) = [0.236, 0.873, 0.466, 0.373]; iti0k0(1.0) = [1.087, 1.243];
    itj0y0(1.0) = [0.92, -0.637]; itmodstruve0(1.0) = 0.336; itstruve0(1.0) = 0.301;
    iv(0, 1.0) = 1.266; ive(0, 1.0) = 0.466; j0(1.0) = 0.765; j1(1.0) = 0.44; jn(0, 1.0) = 0.765;
    jv(0, 1.0) = 0.765; jve(0, 1.0) = 0.765; k0(1.0) = 0.421; k0e(1.0) = 1.144; k1(1.0) = 0.602;
    k1e(1.0) = 1.636; kei(1.0) = -0.495; keip(1.0) = 0.352;
    kelvin(1.0) = [(0.984+0.25j), (0.287-0.495j), (-0.062+0.497j), (-0.695+0.352j)];
    ker(1.0) = 0.287; kerp(1.0) = -0.695; kl_div(1.0, 2.0) = 0.307; kn(2, 1.0) = 1.625;
    kv(0, 1.0) = 0.421; kve(0, 1.0) = 1.144; log1p(1.0) = 0.693; log_ndtr(0.0) = -0.693;
    log_wright_bessel(1.0, 1.0, 1.0) = 0.824; loggamma(5.0) = 3.178; lpmv(0, 2, 0.5) = -0.125;
    modfresnelm(1.0) = [(-0.278-0.316j), (0.208-0.115j)];
    modfresnelp(1.0) = [(-0.278+0.316j), (0.208+0.115j)]; modstruve(0, 1.0) = 0.71;
    nbdtr(1, 1, 0.5) = 0.75; nbdtrc(1, 1, 0.5) = 0.25; nbdtri(1, 1, 0.75) = 0.5;
    nbdtrik(0.75, 1, 0.5) = 1.0; nbdtrin(1, 0.75, 0.5) = 1.0; ndtri(0.975) = 1.96;
    ndtri_exp(-1.0) = -0.337; nrdtrimn(0.5, 1.0, 2.0) = 2.0; nrdtrisd(1.0, 0.975, 2.96) = 1.0;
    owens_t(0.0, 1.0) = 0.125; pbdv(0.0, 1.0) = [0.779, -0.389]; pbvv(0.0, 1.0) = [0.743, 0.653];
    pbwa(0.0, 1.0) = [0.519, -0.543]; pdtr(0, 1.0) = 0.368; pdtrc(0, 1.0) = 0.632;
    pdtri(0, 0.5) = 0.693; pdtrik(0.75, 1.0) = 1.053; poch(3.0, 2.0) = 12.0; powm1(3.0, 2.0) = 8.0;
    pseudo_huber(3.0, 4.0) = 6.0; radian(180.0, 0.0, 0.0) = 3.142; rgamma(3.0) = 0.5;
    round(2.6) = 3.0; shichi(1.0) = [1.057, 0.838]; sici(1.0) = [0.946, 0.337]; sindg(30.0) = 0.5;
    spence(0.0) = 1.645; spherical_in(0, 1.0) = 1.175; spherical_jn(0, 1.0) = 0.841;
    spherical_kn(0, 1.0) = 0.578; spherical_yn(0, 1.0) = -0.54; stdtr(1, 1.0) = 0.75;
    stdtridf(0.75, 1.0) = 1.0; stdtrit(1, 0.75) = 1.0; struve(0, 1.0) = 0.569; tandg(45.0) = 1.0;
    tklmbda(0.5, 1.0) = 0.75; voigt_profile(0.0, 1.0, 0.0) = 0.399; wofz(1j) = 0.428+0j;
    wright_bessel(1.0, 1.0, 1.0) = 2.28; wrightomega(1.0) = 1.0; y0(1.0) = 0.088; y1(1.0) = -0.781;
    yn(0, 1.0) = 0.088; yv(0, 1.0) = 0.088; yve(0, 1.0) = 0.088; zetac(2.0) = 0.645;
"""
"""A call of each function that is not written out, and what it returns, rounded."""


def _of_ufunc(name: str) -> Any:
    """SciPy's ufunc of a name, which takes lists of traced values too."""

    def function(*inputs: Any, **options: Any) -> Any:
        return _scipy(name)(*(_operand(x) for x in inputs), **options)

    return _named(function, name)


def _of_degree(name: str) -> Any:
    """A spherical Bessel function of a name, or its derivative."""

    def function(n: Any, z: Any, derivative: bool = False) -> Any:
        n, z = _operand(n), _operand(z)
        if not derivative:
            return getattr(f, name)(n, z)
        if isinstance(n, Tracer) or isinstance(z, Tracer):
            return spherical_slope(name, n, z)
        return _scipy(name)(n, z, True)

    return _named(function, name)


def _named(function: Any, name: str) -> Any:
    """A public function under its name, by which messages tell it: by its code."""
    function.__name__ = function.__qualname__ = name
    function.__code__ = function.__code__.replace(co_name=name, co_qualname=name)
    function.__doc__ = f"``scipy.special.{name}``, for traced values too.{_example(name)}"
    return entrance(function)


def _example(name: str) -> str:
    """What the docstring of a function shows: its line of `_EXAMPLES`; of others nothing."""
    start = _EXAMPLES.find(f" {name}(") + 1
    if not start:
        return ""
    call, result = _EXAMPLES[start : _EXAMPLES.index(";", start)].split(" = ")
    lines = [f">>> from functrace.scipy.special import {name}"]
    if result[0] == "[":  # of functions of several values
        lines = [">>> import numpy as np", *lines, f">>> np.round({call}, 3).tolist()", result]
    else:
        kind = "complex128" if result[-1] == "j" else "float64"
        lines += [f">>> {call}.round(3)", f"np.{kind}({result})"]
    return "\n        ".join(["\n\n    Example:", *lines]) + "\n    "


spherical_jn, spherical_yn = _of_degree("spherical_jn"), _of_degree("spherical_yn")
spherical_in, spherical_kn = _of_degree("spherical_in"), _of_degree("spherical_kn")
globals().update(entrances(globals()))


def __getattr__(name: str) -> Any:
    """What is not written out: SciPy's ufuncs on traced values; all else is SciPy's own."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    known = _scipy(name)
    is_traced = isinstance(known, np.ufunc) and known.__name__ in NAMED_UFUNCS
    value = _of_ufunc(name) if is_traced else known
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Without SciPy, those names that need none."""
    try:
        names = scipy_module("special", "functrace.scipy.special").__all__
    except MissingPackageError:
        names = ()
    return sorted({*names, *globals()})
