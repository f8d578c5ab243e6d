"""`functrace.math`: Python's functions of plain numbers, the same functions of traced ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

import functrace as ft
from functrace import math as traced_math
from functrace.testing import check_grads

ARGUMENTS = {
    "acosh": (1.5,), "atan2": (0.3, -0.7), "comb": (5, 2), "copysign": (2.0, -0.0),
    "dist": ([1.0, 2.0], [3.0, -1.0]), "factorial": (5,), "fma": (2.0, 3.0, 0.5),
    "fmod": (-7.5, 2.0), "fsum": ([0.1, 0.2, 0.3],), "gcd": (12, 18), "hypot": (3.0, 4.0, 12.0),
    "isclose": (1.0, 1.0 + 1e-12), "isqrt": (17,), "lcm": (4, 6), "ldexp": (0.75, 3),
    "nextafter": (1.0, 2.0), "perm": (5, 2), "pow": (0.5, 1.5), "prod": ([2.0, 3.0],),
    "remainder": (7.6, 2.0), "sumprod": ([1.0, 2.0], [3.0, 4.0]), "sum_of_squares": (),
}  # fmt: skip
NAMES = [name for name in dir(math) if callable(getattr(math, name)) and name[0] != "_"]
OF_INTEGERS = ("comb", "factorial", "isqrt", "perm")
WITHOUT_DERIVATIVE = (
    "ceil", "floor", "trunc", "gcd", "lcm", "isclose", "isfinite", "isinf", "isnan", "nextafter",
    "ulp", "frexp", "ldexp", "copysign", *OF_INTEGERS,
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_plain_numbers_and_traced_ones(name):
    args = ARGUMENTS.get(name, (0.7,))
    ours, expected = getattr(traced_math, name), getattr(math, name)(*args)
    assert ours(*args) == expected
    assert type(ours(*args)) is type(expected)
    if name in ("nextafter", "ulp"):
        assert ft.vjp(ours, *args)[0] == expected
    elif name not in OF_INTEGERS:
        for transform in (ft.jit, lambda f: lambda *xs: ft.vjp(f, *xs)[0]):
            found = transform(ours)(*args)
            np.testing.assert_allclose(found, expected, rtol=1e-14)
    if name not in WITHOUT_DERIVATIVE:
        check_grads(ours, args, order=2, modes=("fwd", "rev"), rtol=1e-5, atol=1e-6)


def test_every_name_is_there():
    assert set(dir(math)) - {"__file__"} <= {*dir(traced_math), *vars(math)}
    for name in ("pi", "e", "inf", "tau"):
        assert getattr(traced_math, name) == getattr(math, name)
    with pytest.raises(AttributeError):
        _ = traced_math.no_such_function


def test_domains_and_whole_numbers():
    with pytest.raises(ValueError, match="domain"):
        traced_math.sqrt(-1.0)
    assert ft.grad(lambda x: x * traced_math.floor(x))(2.5) == 2.0
    with pytest.raises(TypeError):
        ft.jit(traced_math.factorial)(3)
    assert ft.jit(traced_math.floor)(-2.5) == -3
    assert ft.jit(lambda n: traced_math.sqrt(n))(4) == 2.0
    with pytest.raises(TypeError, match="numbers"):
        ft.grad(lambda x: traced_math.lgamma(x).sum())(np.ones(2))


@pytest.mark.parametrize("x", [0.1, 1.0, 1.5, 4.7, 30.0, -0.5, -3.3])
def test_the_gamma_function(x):
    np.testing.assert_allclose(ft.jit(traced_math.gamma)(x), math.gamma(x), rtol=1e-13)
    check_grads(traced_math.lgamma, (x,), order=3, modes=("fwd", "rev"), rtol=1e-4)
