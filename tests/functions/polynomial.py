"""Rows of `numpy.polynomial`: the functions of its six modules, and their classes."""

from __future__ import annotations

import numpy as np

from tests.cases import DISTINCT, OPEN_UNIT, Input
from tests.functions.decisions import plain
from tests.functions.rows import call, constant, known, row

_POINTS = Input(value=np.linspace(-0.9, 1.0, 6))
_ROOTS = dict.fromkeys(
    ("values", "spelling", "batch", "compiled gradient", "layout", "shapes"),
    "compiled roots are complex, and in LAPACK's order: see test_polynomials.py",
)
_SERIES = {
    "own": True,
    "skip": {"shapes": "where values are not known, zeros are not trimmed"},
    "dtypes": ("float32", "complex128", "complex64"),
    "why": "booleans are no coefficients, and whole numbers may be zeros, which are trimmed",
}

for _module, _name, _class in (
    ("polynomial", "poly", "Polynomial"),
    ("chebyshev", "cheb", "Chebyshev"),
    ("legendre", "leg", "Legendre"),
    ("laguerre", "lag", "Laguerre"),
    ("hermite", "herm", "Hermite"),
    ("hermite_e", "herme", "HermiteE"),
):
    _start = f"np.polynomial.{_module}.{_name}"
    for _end in ("add", "sub", "mul"):
        row(f"{_start}{_end}", call((3,), (2,)), **_SERIES)
    row(f"{_start}mulx", call((3,)), **_SERIES)
    row(f"{_start}div", call((4,), (2,)), **(_SERIES | {"dtypes": ("complex128",)}))
    row(f"{_start}pow", call((3,), 2), **_SERIES)
    row(f"{_start}der", call((4,)), call((4, 2), 2), own=True)
    row(f"{_start}int", call((3,)), call((3, 2), 1, [0.5]), own=True)
    row(f"{_start}fromroots", call((3,)), **_SERIES)
    row(f"{_start}val", call((2, 3), (3,)), call(0.5, (3,)), own=True)
    row(f"{_start}val2d", call((2,), (2,), (2, 3)), own=True)
    row(f"{_start}val3d", call((2,), (2,), (2,), (2, 2, 2)), own=True)
    row(f"{_start}grid2d", call((2,), (3,), (2, 3)), own=True)
    row(f"{_start}grid3d", call((2,), (1,), (2,), (2, 2, 2)), own=True)
    row(f"{_start}vander", call((3,), 2), own=True)
    row(f"{_start}vander2d", call((3,), (3,), [1, 2]), own=True)
    row(f"{_start}vander3d", call((2,), (2,), (2,), [1, 2, 1]), own=True)
    row(f"{_start}fit", call(_POINTS, (6,), 2), own=True, argnums=(1,))
    row(f"{_start}companion", call(Input((4,), DISTINCT)), **_SERIES)
    known(f"{_start}trim", call((3,)), own=True)
    row(f"{_start}line", call((), ()), **_SERIES)
    row(
        f"{_start}roots",
        call(Input((4,), DISTINCT)),
        own=True,
        skip=_ROOTS,
        dtypes=(),
        is_complex=False,
    )
    row(
        f"np.polynomial.{_module}.{_class}",
        call((3,), (2,)),
        **_SERIES,
        use=lambda series, c, x: (series(c) * series([1.0, 2.0])).deriv()(x),
    )
    if _name != "poly":
        _kind = constant if _name == "leg" else row  # of which the weight is 1
        _kind(f"{_start}weight", call(Input((3,), OPEN_UNIT)), own=True)
        row(f"{_start}2poly", call((4,)), **_SERIES)
        row(f"np.polynomial.{_module}.poly2{_name}", call((4,)), **_SERIES)
        plain("points and weights of a known number", f"{_name}gauss", f"np.polynomial.{_module}.")
row("np.polynomial.polynomial.polyvalfromroots", call((2,), (3,)), own=True)
row(
    "np.polynomial.chebyshev.chebinterpolate",
    call(Input(())),
    own=True,
    use=lambda chebinterpolate, t: chebinterpolate(lambda x: x * t + t**2, 3),
)
plain("points of a known number", "chebpts1 chebpts2", "np.polynomial.chebyshev.")
