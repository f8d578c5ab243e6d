"""`numpy.polynomial` on traced values: NumPy's own code, with `functrace.numpy` for its ``np``.

NumPy's functions of series are written in Python. They ask whether their arguments are arrays, and
make arrays into which they write, so a traced value in NumPy's own namespace is an error. Here the
files of ``numpy/polynomial`` are loaded a second time, as modules of this one, in which ``np`` is
`functrace.numpy`: what they compute is NumPy's, in every version, for classes such as
``Polynomial`` too. Where nothing is traced NumPy's functions are called.

Where the values are not known, series are not trimmed: a last coefficient counts as not zero.

Example:
    >>> import functrace as ft
    >>> from functrace.numpy.polynomial import chebyshev
    >>> ft.grad(lambda t: chebyshev.chebval(0.5, [1.0, t, 2 * t]))(1.0)
    np.float64(-0.5)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.polynomial.polyutils import trimseq as _trimmed

from functrace.numpy.making import holds_tracer
from functrace.numpy.polynomials import require_points, scaled_least_squares, warn_of_rank
from functrace.primitives.linear import dtype_of, known_value
from functrace.tracing.tracer import Tracer

__path__ = list(np.polynomial.__path__)

_TOPICS = {
    "polynomial": "Polynomial",
    "chebyshev": "Chebyshev",
    "legendre": "Legendre",
    "hermite": "Hermite",
    "hermite_e": "HermiteE",
    "laguerre": "Laguerre",
}
"""The modules, and the class of each."""

_AT_TWO = {
    "Polynomial": 4.0,
    "Chebyshev": 7.0,
    "Legendre": 5.5,
    "Hermite": 14.0,
    "HermiteE": 3.0,
    "Laguerre": -1.0,
}
"""The value at 2 of each class's polynomial of degree 2, which its example shows."""

__all__ = [*_TOPICS, *_TOPICS.values(), "polyutils", "set_default_printstyle"]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def _trimseq(seq: Any) -> Any:
    """As ``polyutils.trimseq``: without zeros at the end, if that is known."""
    known = known_value(seq)
    return seq if isinstance(known, Tracer) else seq[: len(_trimmed(known))]


def _fit(
    vander_f: Callable[..., Any],
    x: Any,
    y: Any,
    deg: Any,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
) -> Any:
    """As ``polyutils._fit``, which warns where a rank is not full and so asks for its value."""
    namespace = _namespace()
    x, y = namespace.asarray(x) + 0.0, namespace.asarray(y) + 0.0
    degrees = np.asarray(known_value(deg))
    if degrees.ndim > 1 or degrees.dtype.kind not in "iu" or not degrees.size:
        raise TypeError("deg must be an int or non-empty 1-D array of int")
    if degrees.min() < 0:
        raise ValueError("expected deg >= 0")
    require_points(x, y)
    degrees = np.sort(degrees) if degrees.ndim else np.arange(int(degrees) + 1)
    rows = vander_f(x, int(degrees[-1]))[:, degrees]
    if rcond is None:
        rcond = len(x) * np.finfo(dtype_of(x)).eps
    w = None if w is None else namespace.asarray(w)
    scale, (found, residuals, rank, values) = scaled_least_squares(rows, y, w, rcond)
    found = (found.T / scale).T
    places = np.full(degrees[-1] + 1, len(found))
    places[degrees] = np.arange(len(found))
    found = np.concatenate([found, np.zeros_like(found[:1])])[places]
    warn_of_rank(rank, len(degrees), full, "The fit may be poorly conditioned")
    return (found, [residuals, rank, values, rcond]) if full else found


def _dividing(divide: Callable[..., Any], multiply: Any, as_series: Any) -> Callable[..., Any]:
    """A division of series that needs not know whether the divisor's last coefficient is zero."""

    @wraps(divide)
    def div(*args: Any) -> Any:
        c1, c2 = as_series(args[-2:])
        if not isinstance(known_value(c2[-1]), Tracer):
            return divide(*args[:-2], c1, c2)
        if len(c1) < len(c2):
            return c1[:1] * 0, c1
        if len(c2) == 1:
            return c1 / c2[-1], c1[:1] * 0
        quotient: list[Any] = []
        while len(c1) >= len(c2):
            power = [0] * (len(c1) - len(c2)) + [1]
            product = (multiply or args[0])(power, c2)
            quotient.insert(0, c1[-1] / product[-1])
            c1 = c1[:-1] - quotient[0] * product[:-1]
        return np.stack(quotient), c1

    return div


def _line(line: Callable[..., Any]) -> Callable[..., Any]:
    """A straight line as a series, whose slope need not be known."""

    @wraps(line)
    def of_line(off: Any, scl: Any) -> Any:
        if not isinstance(known_value(scl), Tracer):
            return line(off, scl)
        slope = line(dtype_of(off).type(0), dtype_of(scl).type(1))  # of the dtype of the result
        return slope * scl + np.array([1, 0], slope.dtype) * off

    return of_line


def _of_longer(function: Callable[..., Any]) -> Callable[..., Any]:
    """A linear function of a series that asks whether one of a single coefficient is zero.

    It adds one coefficient, so the series may be given with a zero at its end.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        given = signature.bind(*args, **options).arguments
        c, axis = _namespace().array(given["c"], ndmin=1), given.get("axis", 0)
        if not (isinstance(known_value(c), Tracer) and c.shape[axis] == 1):
            return function(*args, **options)
        given["c"] = np.concatenate([c, np.zeros_like(c)], axis)
        return np.delete(function(**given), -1, axis)

    return call


def _where_traced(own: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function, or the one in its place where an argument is traced."""

    @wraps(original)
    def call(*args: Any, **options: Any) -> Any:
        is_traced = any(map(holds_tracer, (*args, *options.values())))
        return (own if is_traced else original)(*args, **options)

    return call


def _namespace() -> Any:
    return import_module(__name__.rpartition(".")[0])


def _loaded(name: str) -> ModuleType:
    """One of NumPy's files as a module of this one."""
    module = import_module(f"{__name__}.{name}")
    space = vars(module)
    space["np"] = _namespace()
    if "la" in space:
        space["la"] = _namespace().linalg
    for key, value in [*space.items()]:
        if hasattr(value, "__wrapped__"):  # NumPy hands these over
            space[key] = inspect.unwrap(value)
    return module


def _complete(name: str) -> ModuleType:
    """A module of series, whose functions ask for no value that may be unknown."""
    module, original = _loaded(name), import_module(f"numpy.polynomial.{name}")
    space = vars(module)
    prefix = original.__all__[0].removesuffix("zero")
    space[f"{prefix}line"] = _line(space[f"{prefix}line"])
    for short in ("mulx", "int"):
        space[prefix + short] = _of_longer(space[prefix + short])
    if f"{prefix}div" in ("polydiv", "chebdiv"):  # which divide on their own
        multiply = space[f"{prefix}mul"]
        space[f"{prefix}div"] = _dividing(space[f"{prefix}div"], multiply, polyutils.as_series)
    for key in original.__all__:
        own = space[key]
        if isinstance(own, FunctionType) and key != "chebinterpolate":  # which calls a function
            space[key] = _where_traced(own, getattr(original, key))
    return module


polyutils: Any = _loaded("polyutils")
vars(polyutils).update(
    trimseq=_trimseq, _fit=_fit, _div=_dividing(polyutils._div, None, polyutils.as_series)
)
_loaded("_polybase")
globals().update({name: _complete(name) for name in _TOPICS})
globals().update({kind: getattr(globals()[name], kind) for name, kind in _TOPICS.items()})
for _kind, _value in _AT_TWO.items():
    globals()[_kind].__doc__ = f"""{inspect.cleandoc(globals()[_kind].__doc__ or "")}

Examples
--------
>>> import functrace as ft
>>> from functrace.numpy.polynomial import {_kind}
>>> ft.grad(lambda t: {_kind}([0.0, 1.0, t])(2.0))(3.0)
np.float64({_value})
"""  # in NumPy's style, as what stands before it
polyutils.format_float.__doc__ = """A coefficient as text, as series are printed.

Example:
    >>> from functrace.numpy.polynomial.polyutils import format_float
    >>> format_float(0.5), format_float(1e-20, parens=True)
    ('0.5', '(1.0e-20)')
"""
set_default_printstyle = np.polynomial.set_default_printstyle
