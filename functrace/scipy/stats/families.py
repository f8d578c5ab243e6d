"""What all families of distributions share: parameters, location and scale, support, frozen ones.

A family states formulas for its standard form. This file brings what users give to that form:

- ``x`` is standardized, ``(x - loc) / scale``, and all is computed in double precision.
- Where ``x`` is outside of the support, the formula gets a number from within it, and what comes of
  that is not chosen. So nothing overflows there, warns, or makes a derivative that is not zero.
- Where a parameter is not allowed, the result is nan.

At the ends of the support the derivative is that from within; outside it is zero. Where a density
goes as a power of the distance from an end, the logarithm of it is infinite there and tells no
slope, and so is that of a probability that begins there: at an end itself both are computed by the
power. A quantile without any density around it has an infinite slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.checkpoint import checkpoint
from functrace.control.choices import cond
from functrace.errors import (
    ArgumentError,
    OperandError,
    UnknownValueError,
    UnsupportedFunctionError,
)
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of, stop_gradient
from functrace.primitives.zero_products import quotient_or_zero
from functrace.scipy import special
from functrace.scipy.integrate import quad
from functrace.scipy.stats.tails import log_of_tail
from functrace.tracing.entrances import enter_by_methods
from functrace.tracing.operands import as_operand, is_weak
from functrace.tracing.optional import scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.traced_array import TracedArray
from functrace.tracing.tracer import Tracer

INFINITY = math.inf


def real(x: Any, what: str) -> Any:
    """An operand in double precision.

    Raises:
        OperandError: It is complex.
    """
    x = as_operand(x)
    dtype = dtype_of(x)
    if dtype.kind == "c":
        raise OperandError(
            f"{what} takes real numbers, and was given a {dtype}.", source_of(user_place(1))
        )
    is_double = dtype == np.float64 and not is_weak(x)
    return x if is_double or dtype.char == "g" else cast_to(x, np.dtype(np.float64))


def holds(condition: Any) -> bool:
    """Whether it is known that a condition holds everywhere."""
    return condition is True or (not isinstance(condition, Tracer) and bool(np.all(condition)))


def never_holds(condition: Any) -> bool:
    """Whether it is known that a condition holds nowhere."""
    return not isinstance(condition, Tracer) and not bool(np.any(condition))


def choose(condition: Any, x: Any, otherwise: Any) -> Any:
    """``np.where``, spared where it is known that the condition holds everywhere."""
    return x if holds(condition) else np.where(condition, x, otherwise)


def piecewise(condition: Any, f: Callable[..., Any], otherwise: Any, *inputs: Any) -> Any:
    """``f(*inputs)`` where a condition holds; elsewhere ``f`` gets ones, and is not chosen."""
    return choose(condition, f(*(choose(condition, x, 1.0) for x in inputs)), otherwise)


def fitted(x: Any, *others: Any) -> Any:
    """A result in the shape to which what it was computed of is broadcast; a scalar as such."""
    shape = np.broadcast_shapes(shape_of(x), *map(shape_of, others))
    if type(x) is float:
        x = np.float64(x)
    return (x if shape_of(x) == shape else np.broadcast_to(x, shape))[()]


def _is_number(x: Any, value: float) -> bool:
    return not isinstance(x, Tracer) and not shape_of(x) and bool(x == value)


def _moved(x: Any, loc: Any, scale: Any) -> Any:
    """A number of the standard form for another location and scale."""
    x = x if _is_number(scale, 1) else x * scale
    return x if _is_number(loc, 0) else x + loc


def _stretched(variance: Any, loc: Any, scale: Any) -> Any:
    return variance * (scale * scale)


def _spread(entropy: Any, loc: Any, scale: Any) -> Any:
    return entropy if _is_number(scale, 1) else entropy + np.log(scale)


class Family:
    """A family of distributions of one number, in its standard form.

    A family defines ``_logpdf`` (or ``_logpmf``), ``_cdf`` and others of the standardized ``x`` and
    the shapes, ``_ppf`` and ``_isf`` of a probability, ``_entropy``, ``_mean`` and ``_var`` of the
    shapes alone.

    Attributes:
        name: What SciPy calls it.
        shapes: The names of its parameters beside location and scale.
        low: The lower end of the support.
        high: The upper end.
    """

    shapes: tuple[str, ...] = ()
    others: Mapping[str, float] = {"loc": 0.0, "scale": 1.0}
    low: float = -INFINITY
    high: float = INFINITY

    def __init__(self, name: str) -> None:
        """Name the family."""
        self.name = name

    def __call__(self, *args: Any, **kwds: Any) -> Frozen:
        """The distribution with these parameters, whose methods take the rest."""
        self._parameters(args, kwds)
        return Frozen(self, args, kwds)

    def __repr__(self) -> str:
        return f"<functrace.scipy.stats.{self.name}>"

    def __getattr__(self, name: str) -> Any:
        raise missing(self.name, name.lstrip("_"))

    def rvs(self, *args: Any, **kwds: Any) -> Any:
        """Random numbers, drawn by SciPy; parameters must not be traced."""
        return drawn(self.name, "rvs", args, kwds)

    def _valid(self, *shapes: Any) -> Any:
        """Whether the shapes are allowed: in most families these are positive numbers."""
        return all_of(np.greater(x, 0) for x in shapes)

    def _support(self, *shapes: Any) -> tuple[Any, Any]:
        """The ends of the support."""
        return self.low, self.high

    def _parameters(self, args: Sequence[Any], kwds: Mapping[str, Any]) -> list[Any]:
        """The parameters in their order: shapes, location, scale."""
        names = (*self.shapes, *self.others)
        given = {**self.others, **dict(zip(names, args, strict=False)), **kwds}
        wrong = [f"misses {name}" for name in names if name not in given]
        wrong += [f"has no parameter {name}" for name in kwds if name not in names]
        wrong += [f"got {name} twice" for name in names[: len(args)] if name in kwds]
        if len(args) > len(names):
            wrong.append(f"got {len(args)} parameters")
        if wrong:
            options = [f"{name}={value:g}" for name, value in self.others.items()]
            raise ArgumentError(
                f"{self.name} {', '.join(wrong)}. Its parameters are "
                f"{', '.join([*self.shapes, *options])}.",
                source_of(user_place(2)),
            )
        return [real(given[name], self.name) for name in names]

    def _allowed(self, shapes: Sequence[Any], scale: Any) -> Any:
        positive = True if _is_number(scale, 1) else np.greater(scale, 0)
        return all_of((self._valid(*shapes), positive))

    def _of_parameters(self, formula: Any, args: Any, kwds: Any, put: Callable[..., Any]) -> Any:
        """What depends on the parameters alone: a formula of the shapes, put to its place."""
        *shapes, loc, scale = self._standard(args, kwds)
        with np.errstate(all="ignore"):
            valid = all_of((self._allowed(shapes, scale), np.equal(loc, loc)))
            shapes = [choose(valid, x, 1.0) for x in shapes]
            result = choose(valid, put(formula(*shapes), loc, scale), np.nan)
        return fitted(result, *shapes, loc, scale)

    def _standard(self, args: Any, kwds: Any) -> list[Any]:
        return self._parameters(args, kwds)

    def _of_probability(self, name: str, q: Any, args: Any, kwds: Any) -> Any:
        """A quantile: a formula of a probability and the shapes, put to its place."""
        *shapes, loc, scale = self._standard(args, kwds)
        q = real(q, self.name)
        with np.errstate(all="ignore"):
            valid = self._allowed(shapes, scale)
            shapes = [choose(valid, x, 1.0) for x in shapes]
            valid = all_of((valid, np.greater_equal(q, 0), np.less_equal(q, 1)))
            y = self._standard_quantile(name, choose(valid, q, 0.5), shapes)
            result = choose(valid, _moved(y, loc, scale), np.nan)
        return fitted(result, q, *shapes, loc, scale)

    def _standard_quantile(self, name: str, q: Any, shapes: Sequence[Any]) -> Any:
        """The quantile of the standard form."""
        return getattr(self, f"_{name}")(q, *shapes)

    def ppf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The quantile: the number that a variable exceeds with probability ``1 - q``."""
        return self._of_probability("ppf", q, args, kwds)

    def isf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The number that a variable exceeds with probability ``q``, the inverse of `sf`."""
        return self._of_probability("isf", q, args, kwds)

    def mean(self, *args: Any, **kwds: Any) -> Any:
        """The mean; infinite or nan where there is none, as in SciPy."""
        return self._of_parameters(self._mean, args, kwds, _moved)

    def var(self, *args: Any, **kwds: Any) -> Any:
        """The variance; infinite or nan where there is none, as in SciPy."""
        return self._of_parameters(self._var, args, kwds, _stretched)

    def std(self, *args: Any, **kwds: Any) -> Any:
        """The standard deviation."""
        return np.sqrt(self.var(*args, **kwds))

    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """The entropy in nats, the mean of the negative logarithm of the density."""
        return self._of_parameters(self._entropy, args, kwds, _spread)

    def stats(self, *args: Any, moments: str = "mv", **kwds: Any) -> Any:
        """Moments: those that ``moments`` names, in this order.

        They are the mean (``m``), the variance (``v``), the skewness (``s``) and the kurtosis
        beyond that of the normal distribution (``k``); infinite or nan where there is none, as in
        SciPy.

        Raises:
            ArgumentError: ``moments`` holds another letter.
        """
        if not set(moments) <= set("mvsk"):
            raise ArgumentError(
                f"{self.name}.stats was asked for moments={moments!r}.",
                source_of(user_place(1)),
                'Write some of the letters of "mvsk".',
            )
        found: list[Any] = []
        for letter in sorted(set(moments), key="mvsk".index):
            if letter in "mv":
                found.append((self.mean if letter == "m" else self.var)(*args, **kwds))
            else:
                formula = self._skew if letter == "s" else self._kurtosis
                found.append(self._of_parameters(formula, args, kwds, lambda y, *_: y))
        return found[0] if len(found) == 1 else tuple(found)

    def expect(
        self,
        func: Callable[[Any], Any] | None = None,
        args: Any = (),
        loc: Any = 0.0,
        scale: Any = 1.0,
        lb: Any = None,
        ub: Any = None,
        conditional: bool = False,
        **options: Any,
    ) -> Any:
        """The mean of a function of a variable, differentiable as it is by all that it depends on.

        Args:
            func: A function of one number (of whole numbers: of an array); by default the number.
            args: The shapes.
            loc: The location.
            scale: The scale, of continuous ones.
            lb: Where to begin, in place of the lower end of the support.
            ub: Where to end.
            conditional: Whether to divide by the probability of being there.
            options: What `functrace.scipy.integrate.quad` takes, of continuous ones.

        Example:
            >>> import functrace as ft
            >>> from functrace.scipy.stats import norm
            >>> mean = lambda loc: norm.expect(lambda x: x**3, loc=loc)
            >>> print(ft.grad(mean)(2.0).round(6))
            15.0
        """
        args = tuple(args) if isinstance(args, tuple | list) else (args,)
        places = {"loc": loc, "scale": scale}
        given = [*args, *(places[name] for name in self.others)]
        *shapes, loc, scale = self._standard(given, {})
        low, high = (_moved(end, loc, scale) for end in self._support(*shapes))
        low, high = low if lb is None else lb, high if ub is None else ub
        total = self._total((lambda x: x) if func is None else func, low, high, given, options)
        return total / self._chance(low, high, given) if conditional else total

    def median(self, *args: Any, **kwds: Any) -> Any:
        """The median, ``ppf(0.5)``."""
        return self.ppf(0.5, *args, **kwds)

    def interval(self, confidence: Any, *args: Any, **kwds: Any) -> tuple[Any, Any]:
        """The ends of the interval around the median with this probability."""
        outside = (1.0 - real(confidence, self.name)) / 2
        return self.ppf(outside, *args, **kwds), self.ppf(1.0 - outside, *args, **kwds)

    def support(self, *args: Any, **kwds: Any) -> tuple[Any, Any]:
        """The ends of the support."""
        lower = self._of_parameters(lambda *x: self._support(*x)[0], args, kwds, _moved)
        return lower, self._of_parameters(lambda *x: self._support(*x)[1], args, kwds, _moved)


def skewness(first: Any, second: Any, third: Any) -> Any:
    """The skewness, by the means of the first three powers."""
    variance = second - first * first
    return (third - first * (3.0 * second - 2.0 * first * first)) / variance**1.5


def kurtosis(first: Any, second: Any, third: Any, fourth: Any) -> Any:
    """The excess kurtosis, by the means of the first four powers."""
    square = first * first
    central = fourth - 4.0 * first * third + 3.0 * square * (2.0 * second - square)
    return central / (second - square) ** 2 - 3.0


def all_of(conditions: Iterable[Any]) -> Any:
    """Whether all conditions hold, element by element."""
    result: Any = True
    for condition in conditions:
        if result is True or condition is True:
            result = condition if result is True else result
        else:
            result = np.logical_and(result, condition)
    return result


def log_of_smaller(p: Any, rest: Any) -> Any:
    """The logarithm of a probability, by its complement where that is the smaller one."""
    is_small = np.less(p, 0.5)
    small = np.log(np.where(is_small, p, 0.5))
    return np.where(is_small, small, np.log1p(-np.where(is_small, 0.5, rest)))


_OUTSIDE = {
    "pdf": (0.0, 0.0),
    "logpdf": (-INFINITY, -INFINITY),
    "cdf": (0.0, 1.0),
    "logcdf": (-INFINITY, 0.0),
    "sf": (1.0, 0.0),
    "logsf": (0.0, -INFINITY),
}
"""What functions of ``x`` are below the support, and above it."""


class Continuous(Family):
    """A family of distributions with a density.

    Attributes:
        inner: A number for which the formulas hold, which they get in place of what is outside of
            the support; None if they hold everywhere, and for infinite numbers.
        has_ends: Whether the ends of the support, where they are finite, are part of it.
        far_below: The probability below which its digits are lost, and its logarithm is computed
            by an integral of the density; zero where there is a formula, or none so small.
    """

    inner: float | None = None
    has_ends = True
    far_below: float = 0.0

    def _inside(self, y: Any, *shapes: Any) -> tuple[Any, Any]:
        """Whether the formulas are asked, and whether ``y`` is below the support where not."""
        low, high = self._support(*shapes)
        if self.has_ends:
            inside = all_of((np.greater_equal(y, low), np.less_equal(y, high), np.isfinite(y)))
        else:
            inside = np.logical_and(np.greater(y, low), np.less(y, high))
        return inside, np.less_equal(y, low)

    def _within(self, *shapes: Any) -> Any:
        """A number for which the formulas hold."""
        return self.inner

    def _end_powers(self, *shapes: Any) -> tuple[Any, Any] | None:
        """As which powers of the distances from its ends the density goes; None if it does not.

        A family with such powers has a support from 0 to 1 or to infinity, and states ``_rest``,
        the logarithm of the density without them.
        """
        return None

    def _of_x(self, name: str, x: Any, args: Any, kwds: Any) -> Any:
        """The function of this name at ``x``."""
        *shapes, loc, scale = self._parameters(args, kwds)
        formula = getattr(self, f"_{name}")
        x = real(x, self.name)
        with np.errstate(all="ignore"):
            valid = self._allowed(shapes, scale)
            shapes = [choose(valid, s, 1.0) for s in shapes]
            distance = x if _is_number(loc, 0) else x - loc
            y = self._standardized(name, distance, scale, shapes)
            inside, is_below = (True, True) if self.inner is None else self._inside(y, *shapes)
            begins = self._begins(name, y, shapes)
            asked = inside if begins is False else all_of((inside, np.logical_not(begins)))
            result = formula(choose(asked, y, self._within(*shapes)), *shapes)
            if not _is_number(scale, 1):
                if name == "pdf":
                    result = result / scale
                elif name == "logpdf":
                    result = result - np.log(scale)
            if not holds(inside):
                below, above = _OUTSIDE[name]
                outside = np.where(is_below, below, above)
                result = np.where(inside, result, np.where(np.isnan(y), np.nan, outside))
            if not never_holds(begins):
                result = np.where(begins, self._log_of_begun(name, y, begins, shapes), result)
            result = choose(valid, result, np.nan)
        return fitted(result, y, *shapes)

    def _standardized(self, name: str, distance: Any, scale: Any, shapes: Sequence[Any]) -> Any:
        """A number of the standard form; what is at zero is there for any scale."""
        if _is_number(scale, 1):
            return distance
        powers = self._end_powers(*shapes)
        if powers is not None and name in ("pdf", "logpdf"):
            return quotient_or_zero(distance, scale)
        y, at_zero = distance / scale, np.equal(distance, 0)
        is_steep = powers is not None or self._begins(name, y, shapes) is not False
        if not is_steep or never_holds(at_zero):
            return y
        return np.where(at_zero, distance / stop_gradient(scale), y)

    def _begins(self, name: str, y: Any, shapes: Sequence[Any]) -> Any:
        """Where the logarithm of a probability is asked for at the end at which that begins."""
        if name not in ("logcdf", "logsf") or self.inner is None or not self.has_ends:
            return False
        end = self._support(*shapes)[name == "logsf"]
        if _is_number(np.abs(end), INFINITY):
            return False
        return np.logical_and(np.equal(y, end), np.isfinite(end))

    def _log_of_begun(self, name: str, y: Any, at_end: Any, shapes: Sequence[Any]) -> Any:
        """That logarithm, minus infinity, by the power as which the probability grows."""
        number = int(name == "logsf")
        ends = self._support(*shapes)
        y, end = (choose(at_end, x, self._within(*shapes)) for x in (y, ends[number]))
        powers = self._end_powers(*shapes)
        grown = 1.0 if powers is None else powers[number] + 1.0
        density = self._logpdf(end, *shapes) if powers is None else self._rest(end, *shapes)
        apart = choose(at_end, end - y if number else y - end, 1.0)
        return grown * np.log(apart) + density - np.log(grown)

    def logpdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of the density; minus infinity outside of the support."""
        return self._of_x("logpdf", x, args, kwds)

    def pdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The density; zero outside of the support."""
        return self._of_x("pdf", x, args, kwds)

    def cdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The probability that a variable is at most ``x``."""
        return self._of_x("cdf", x, args, kwds)

    def logcdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of `cdf`."""
        return self._of_x("logcdf", x, args, kwds)

    def sf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The probability that a variable exceeds ``x``, exact where it is small."""
        return self._of_x("sf", x, args, kwds)

    def logsf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of `sf`."""
        return self._of_x("logsf", x, args, kwds)

    def _total(self, f: Any, low: Any, high: Any, given: Any, options: Any) -> Any:
        """The integral of a function times the density: its body apart from both tails."""
        inside = 0.05 * self._chance(low, high, given)
        body = stop_gradient(self.ppf(self.cdf(low, *given) + inside, *given))
        tail = stop_gradient(self.isf(self.sf(high, *given) + inside, *given))
        ends = (low, body, tail, high)

        def weighted(x: Any) -> Any:
            return f(x) * self.pdf(x, *given)

        return sum(quad(weighted, *part, **options)[0] for part in pairwise(ends))

    def _chance(self, low: Any, high: Any, given: Any) -> Any:
        return 1.0 - self.cdf(low, *given) - self.sf(high, *given)

    def _standard_quantile(self, name: str, q: Any, shapes: Sequence[Any]) -> Any:
        """The quantile of the standard form; where it has no density around it, by a logarithm."""
        inner, values = q, []
        for is_high, end in enumerate(self._support(*shapes)):
            number = is_high if name == "ppf" else 1 - is_high
            at_end = np.equal(q, number)
            if self.has_ends:
                at_end = np.logical_and(at_end, np.isinf(end))
            if never_holds(at_end):
                continue
            chance = choose(at_end, 1.0 - q if number else q, 1.0)
            inner = choose(np.logical_not(at_end), inner, 0.5)
            log = -np.log(chance) if is_high else np.log(chance)
            values.append((at_end, np.where(np.isinf(end), log, np.sqrt(chance))))
        found = super()._standard_quantile(name, inner, shapes)
        for at_end, value in values:
            found = np.where(at_end, value, found)
        return found

    # What follows from a family's other formulas

    def _pdf(self, x: Any, *shapes: Any) -> Any:
        powers = self._end_powers(*shapes)
        if powers is None:
            return np.exp(self._logpdf(x, *shapes))
        log, begun = self._rest(x, *shapes), []
        for number, power in enumerate(powers):
            if power is None:
                continue
            at_end = np.equal(x, number)
            is_apart = never_holds(at_end)
            inner = x if is_apart else np.where(at_end, 0.5, x)
            logs = special.xlog1py(power, -inner) if number else special.xlogy(power, inner)
            log = log + (logs if is_apart else np.where(at_end, 0.0, logs))
            if not is_apart:
                apart = np.where(at_end, 1.0 - x if number else x, 1.0)
                begun.append((apart**power, np.logical_and(at_end, np.less(power, 0))))
        density = np.exp(log)
        for value, is_infinite in begun:
            # What is infinite stays so whatever it is multiplied with, and has no slope by that.
            density = value * np.where(is_infinite, 1.0, density)
        return density

    def _logcdf(self, x: Any, *shapes: Any) -> Any:
        return self.log_of(self._cdf(x, *shapes), self._sf(x, *shapes), x, shapes, False)

    def _logsf(self, x: Any, *shapes: Any) -> Any:
        return self.log_of(self._sf(x, *shapes), self._cdf(x, *shapes), x, shapes, True)

    def log_of(self, p: Any, rest: Any, x: Any, shapes: Sequence[Any], above: bool) -> Any:
        """The logarithm of the probability below or above ``x``, by it or by its complement."""
        if not self.far_below:
            return log_of_smaller(p, rest)
        is_far = all_of((np.less(p, self.far_below), np.isfinite(x), np.not_equal(x, 0)))
        if never_holds(is_far):
            return log_of_smaller(p, rest)
        near = log_of_smaller(np.where(is_far, 0.5, p), rest)
        inward = not above and self.low == 0
        outside = -1.0 if not above and self.low < 0 else self.inner or 1.0

        def far(x: Any, *shapes: Any) -> Any:
            return log_of_tail(lambda x: self._logpdf(x, *shapes), x, inward)

        # Few ask for it, and the integral takes a hundred times as long, and as much memory.
        given = np.where(is_far, x, outside), *shapes
        log = cond(np.any(is_far), checkpoint(far), lambda x, *shapes: near, *given)
        return np.where(is_far, log, near)


class Discrete(Family):
    """A family of distributions of whole numbers, which have a location and no scale.

    What its functions are has no derivative by ``k``, which is a whole number or of no probability.
    """

    others = {"loc": 0.0}  # noqa: RUF012  (never written)

    def _standard(self, args: Any, kwds: Any) -> list[Any]:
        return [*self._parameters(args, kwds), np.float64(1.0)]

    def _of_k(self, name: str, k: Any, args: Any, kwds: Any) -> Any:
        """The function of this name at ``k``: a mass, or a sum of masses."""
        *shapes, loc, scale = self._standard(args, kwds)
        formula = getattr(self, f"_{name}")
        k = stop_gradient(real(k, self.name) - loc)
        whole, is_nan = np.floor(k), np.isnan(k)
        with np.errstate(all="ignore"):
            valid = self._allowed(shapes, scale)
            shapes = [choose(valid, s, 1.0) for s in shapes]
            low, high = self._support(*shapes)
            if name in ("pmf", "logpmf"):
                inside = all_of(
                    (
                        np.less_equal(low, k),
                        np.less_equal(k, high),
                        np.equal(k, whole),
                        np.isfinite(k),
                    )
                )
                below = above = 0.0 if name == "pmf" else -INFINITY
            else:
                inside = np.logical_and(np.less_equal(low, whole), np.less(whole, high))
                below, above = _OUTSIDE[name]
            result = formula(choose(inside, whole, low), *shapes)
            if not holds(inside):
                outside = np.where(np.less(k, low), below, above)
                result = np.where(inside, result, np.where(is_nan, np.nan, outside))
            result = choose(valid, result, np.nan)
        return fitted(result, k, *shapes)

    def logpmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of `pmf`; minus infinity where that is zero."""
        return self._of_k("logpmf", k, args, kwds)

    def pmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The probability of ``k``; zero where that is no whole number, or not in the support."""
        return self._of_k("pmf", k, args, kwds)

    def cdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The probability that a variable is at most ``k``."""
        return self._of_k("cdf", k, args, kwds)

    def logcdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of `cdf`."""
        return self._of_k("logcdf", k, args, kwds)

    def sf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The probability that a variable exceeds ``k``, exact where it is small."""
        return self._of_k("sf", k, args, kwds)

    def logsf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of `sf`."""
        return self._of_k("logsf", k, args, kwds)

    def _total(self, f: Any, low: Any, high: Any, given: Any, options: Any) -> Any:
        """The sum of a function times the mass; without an end, twice as far as double reaches."""
        if _is_number(high, INFINITY):
            high = 2.0 * self.ppf(1.0 - 1e-15, *given) - low + 10.0
        low, high = known_value(np.ceil(low)), known_value(np.floor(high))
        if isinstance(low, Tracer) or isinstance(high, Tracer):
            raise UnknownValueError(
                f"{self.name}.expect adds up as many numbers as its parameters say, which are "
                "unknown, as under jit.",
                source_of(user_place(2)),
                "Give it the first and the last number, as lb and ub.",
            )
        k = np.arange(low, high + 1.0)
        return np.sum(f(k) * self.pmf(k, *given))

    def _chance(self, low: Any, high: Any, given: Any) -> Any:
        return 1.0 - self.cdf(np.ceil(low) - 1.0, *given) - self.sf(high, *given)

    def _pmf(self, k: Any, *shapes: Any) -> Any:
        return np.exp(self._logpmf(k, *shapes))

    def _logcdf(self, k: Any, *shapes: Any) -> Any:
        return log_of_smaller(self._cdf(k, *shapes), self._sf(k, *shapes))

    def _logsf(self, k: Any, *shapes: Any) -> Any:
        return log_of_smaller(self._sf(k, *shapes), self._cdf(k, *shapes))


class Symmetric(Continuous):
    """A family whose standard form has the density of its negative: the other tail is the same."""

    def _sf(self, x: Any, *shapes: Any) -> Any:
        return self._cdf(-x, *shapes)

    def _logsf(self, x: Any, *shapes: Any) -> Any:
        return self._logcdf(-x, *shapes)

    def _isf(self, q: Any, *shapes: Any) -> Any:
        return -self._ppf(q, *shapes)

    def _mean(self, *shapes: Any) -> Any:
        return 0.0

    def _skew(self, *shapes: Any) -> Any:
        return 0.0


class Frozen:
    """A distribution: a family with its parameters.

    It has the methods of its family, which take no parameters here.
    """

    def __init__(self, dist: Any, args: Sequence[Any], kwds: Mapping[str, Any]) -> None:
        """Keep the family and the parameters."""
        self.dist = dist
        self.args = tuple(args)
        self.kwds = dict(kwds)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        method = getattr(self.dist, name)

        def of_this(*args: Any, **options: Any) -> Any:
            return method(*args, *self.args, **options, **self.kwds)

        return of_this

    def expect(
        self,
        func: Callable[[Any], Any] | None = None,
        lb: Any = None,
        ub: Any = None,
        conditional: bool = False,
        **options: Any,
    ) -> Any:
        """The mean of a function, as of the family."""
        expect = self.dist.expect
        parameters = self.dist._parameters(self.args, self.kwds)
        count = len(self.dist.shapes)
        given = (*parameters[count:], *(() if "scale" in self.dist.others else (1.0,)))
        return expect(func, parameters[:count], *given, lb, ub, conditional, **options)

    def __repr__(self) -> str:
        given = [*map(repr, self.args), *(f"{name}={x!r}" for name, x in self.kwds.items())]
        return f"{self.dist!r}({', '.join(given)})"


def _flattened(frozen: Frozen) -> tuple[Any, Any]:
    """The parameters; options, such as whether a matrix may be singular, are no parameters."""
    options = {name: x for name, x in frozen.kwds.items() if type(x) is bool}
    named = {name: x for name, x in frozen.kwds.items() if name not in options}
    aux = type(frozen), frozen.dist, tuple(named), tuple(options.items())
    return (*frozen.args, *named.values()), aux


def _unflattened(aux: Any, children: Any) -> Frozen:
    kind, dist, names, options = aux
    count = len(children) - len(names)
    named = zip(names, children[count:], strict=True)
    return kind(dist, children[:count], {**dict(named), **dict(options)})


def register_frozen(kind: type[Frozen]) -> None:
    """Let distributions be arguments and results of transformed functions."""
    tree.register(kind, _flattened, _unflattened)


register_frozen(Frozen)


def missing(family: str, name: str) -> AttributeError:
    """The error for a method of SciPy's distributions that these have not."""
    advice = f"of values that are not traced write scipy.stats.{family}.{name}."
    if name.startswith("fit"):
        advice = "minimize the negative sum of logpdf, by functrace.scipy.optimize.minimize."
    return AttributeError(f"functrace.scipy.stats.{family} has no {name}: {advice}")


def not_offered(function: str, option: str) -> UnsupportedFunctionError:
    """The error for an option of a function of SciPy's."""
    return UnsupportedFunctionError(
        f"functrace.scipy.stats.{function} has no option {option}.",
        source_of(user_place(2)),
        f"Of values that are not traced write scipy.stats.{function}.",
    )


def drawn(name: str, method: str, args: Any, kwds: Any) -> Any:
    """Random numbers from SciPy, for parameters that are not traced.

    Raises:
        UnsupportedFunctionError: A parameter is traced.
    """
    if any(isinstance(x, TracedArray) for x in tree.leaves((args, kwds))):
        raise UnsupportedFunctionError(
            f"{name}.{method} was given traced parameters.",
            source_of(user_place(2)),
            "Draw with functrace.random, whose functions take keys and traced parameters.",
        )
    stats = scipy_module("stats", f"functrace.scipy.stats.{name}.{method}")
    return getattr(getattr(stats, name), method)(*args, **kwds)


for _family in (Family, Continuous, Discrete):
    enter_by_methods(_family, asked=("call",))
