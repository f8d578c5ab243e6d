"""Derivatives of elementwise functions where formulas go wrong: by size, and at special points."""

import itertools

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.scipy import special


@pytest.fixture(autouse=True)
def _quiet():
    """The functions themselves may overflow or divide by zero at what is tried."""
    with np.errstate(all="ignore"):
        yield


def _half(x, power):
    return mpmath.power(x, mpmath.mpf(power))


EXTREME = {  # the function, its first and second derivative
    "arcsinh": (
        np.arcsinh,
        lambda x: _half(1 + x * x, -0.5),
        lambda x: -x * _half(1 + x * x, -1.5),
    ),
    "arccosh": (
        np.arccosh,
        lambda x: _half(x * x - 1, -0.5),
        lambda x: -x * _half(x * x - 1, -1.5),
    ),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "arctanh": (np.arctanh, lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x) ** 2),
    "arcsin": (np.arcsin, lambda x: _half(1 - x * x, -0.5), lambda x: x * _half(1 - x * x, -1.5)),
    "arccos": (np.arccos, lambda x: -_half(1 - x * x, -0.5), lambda x: -x * _half(1 - x * x, -1.5)),
    "log": (np.log, lambda x: 1 / x, lambda x: -1 / x**2),
    "log2": (np.log2, lambda x: 1 / x / mpmath.log(2), lambda x: -1 / x**2 / mpmath.log(2)),
    "log10": (np.log10, lambda x: 1 / x / mpmath.log(10), lambda x: -1 / x**2 / mpmath.log(10)),
    "log1p": (np.log1p, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2),
    "sqrt": (np.sqrt, lambda x: _half(x, -0.5) / 2, lambda x: -_half(x, -1.5) / 4),
    "reciprocal": (np.reciprocal, lambda x: -1 / x**2, lambda x: 2 / x**3),
    "1 / x": (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3),
    "x**-1.5": (
        lambda x: x**-1.5,
        lambda x: -1.5 * _half(x, -2.5),
        lambda x: 3.75 * _half(x, -3.5),
    ),
    "hypot": (
        lambda x: np.hypot(x, x / 2),
        lambda x: mpmath.sign(x) * mpmath.sqrt(1.25),
        None,
    ),
    "abs": (lambda x: np.abs(x + 1j * x), lambda x: mpmath.sign(x) * mpmath.sqrt(2), None),
    "arctan2 by y": (
        lambda x: np.arctan2(x, 3.0),
        lambda x: 3 / (9 + x * x),
        lambda x: -6 * x / (9 + x * x) ** 2,
    ),
    "arctan2 by x": (
        lambda x: np.arctan2(3.0, x),
        lambda x: -3 / (9 + x * x),
        lambda x: 6 * x / (9 + x * x) ** 2,
    ),
    "logit": (
        special.logit,
        lambda x: 1 / (x * (1 - x)),
        lambda x: (2 * x - 1) / (x * (1 - x)) ** 2,
    ),
    "erf": (
        special.erf,
        lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),
        lambda x: -4 * x / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("name", EXTREME)
def test_derivatives_overflow_no_sooner_than_their_values(name, dtype):
    f, *derivatives = EXTREME[name]
    limits = np.finfo(dtype)
    largest = int(np.log10(float(limits.max)))
    exponents = [-largest + 1, -2 * largest // 3, -largest // 2, -largest // 4, -1]
    exponents += [largest // 4, largest // 2, 2 * largest // 3, largest - 1]
    sizes = [*(10.0**exponent for exponent in exponents), 0.5, 1.5, 3.0]
    for x in [dtype(sign * size) for size in sizes for sign in (1, -1)]:
        if not x or not np.isfinite(f(x)):
            continue
        first = ft.grad(f)
        found = [
            (first(x), ft.jvp(f, (x,), (dtype(1),))[1]),
            (ft.grad(first)(x), ft.jvp(first, (x,), (dtype(1),))[1]),
        ]
        for modes, derivative in zip(found, derivatives, strict=True):
            if derivative is None:
                continue
            with mpmath.workdps(60), np.errstate(over="ignore"):
                exact = derivative(mpmath.mpf(float(x)))
            if abs(exact) > float(limits.max) / 8:
                assert all(np.isinf(one) or abs(one) > float(limits.max) / 9 for one in modes), x
                continue
            np.testing.assert_allclose(
                np.array(modes, float),
                float(exact),
                rtol=400 * float(limits.eps),
                atol=8 * float(limits.tiny),
                err_msg=str(x),
            )


def _derivative(f, numbers, forward):
    """The partial derivative by these arguments, one after the other, in these modes."""
    for number, is_forward in zip(numbers, forward, strict=True):
        f = _pushed(f, number) if is_forward else ft.grad(f, number)
    return f


def _pushed(f, number):
    def derivative(*args):
        rest = args[number + 1 :]
        return ft.jvp(lambda x: f(*args[:number], x, *rest), (args[number],), (1.0,))[1]

    return derivative


MIXED = {  # the function, the truth, and points
    "power": (
        lambda x, y: x**y,
        mpmath.power,
        [(23.0, 0.0), (2.0, 1.0), (1.0, 0.0), (3.0, 2.0), (1.0, 1.0), (2.0, -1.0)],
    ),
    "hypot": (np.hypot, lambda x, y: mpmath.sqrt(x * x + y * y), [(3.0, 0.0), (-0.0, 2.0)]),
    "arctan2": (np.arctan2, mpmath.atan2, [(3.0, 0.0), (0.0, 2.0), (1.0, -0.0)]),
    "logaddexp": (
        np.logaddexp,
        lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
        [(1.0, 1.0), (0.0, -50.0)],
    ),
    "divide": (lambda x, y: x / y, lambda x, y: x / y, [(0.0, 1.0), (1.0, -1.0)]),
    "xlogy": (special.xlogy, lambda x, y: x * mpmath.log(y), [(0.0, 2.0), (1.0, 1.0)]),
    "xlog1py": (special.xlog1py, lambda x, y: x * mpmath.log(1 + y), [(0.0, 2.0), (0.0, 0.0)]),
    "rel_entr": (special.rel_entr, lambda x, y: x * mpmath.log(x / y), [(1.0, 2.0), (1.0, 1.0)]),
    "powers of an array": (
        lambda x: np.sum(x ** np.array([0.0, 1.0, 2.0, 3.0])),
        lambda x: 1 + x + x**2 + x**3,
        [(0.0,), (-1.0,)],
    ),
    "powers of integers": (
        lambda x: np.sum(x ** np.array([0, 1, 2, 3])),
        lambda x: 1 + x + x**2 + x**3,
        [(0.0,), (-1.0,)],
    ),
    "x**0": (lambda x: x**0, lambda x: x**0, [(0.0,), (2.0,)]),
    "x**1.0": (lambda x: x**1.0, lambda x: x, [(0.0,)]),
    "product": (
        lambda x: np.prod(np.stack([x, x * x, x + 1])),
        lambda x: x**3 * (x + 1),
        [(0.0,), (-1.0,)],
    ),
    "norm": (
        lambda x: np.linalg.norm(np.stack([x, 2 * x + 1])),
        lambda x: mpmath.sqrt(x * x + (2 * x + 1) ** 2),
        [(0.0,), (-0.5,)],
    ),
    "standard deviation": (
        lambda x: np.std(np.stack([x, -x, 1 + 0 * x])),
        lambda x: mpmath.sqrt((2 * x * x + 1) / 3 - mpmath.mpf(1) / 9),
        [(0.0,), (2.0,)],
    ),
    "logsumexp of one": (lambda x: special.logsumexp(np.stack([x * x])), lambda x: x**2, [(1.0,)]),
    "softmax": (
        lambda x: special.softmax(np.stack([x, 2 * x, 0 * x]))[0],
        lambda x: mpmath.exp(x) / (mpmath.exp(x) + mpmath.exp(2 * x) + 1),
        [(0.0,), (1.0,)],
    ),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", MIXED)
def test_guard_values_are_not_differentiated(name):
    f, truth, points = MIXED[name]
    for point in points:
        for order in (1, 2, 3):
            for numbers in itertools.product(range(len(point)), repeat=order):
                counts = tuple(map(numbers.count, range(len(point))))
                exact = float(mpmath.diff(truth, point, counts))
                for forward in itertools.product((False, True), repeat=order):
                    found = _derivative(f, numbers, forward)(*point)
                    message = f"{point} {numbers} {forward}"
                    np.testing.assert_allclose(found, exact, 1e-6, 1e-6, err_msg=message)


@pytest.mark.parametrize(
    ("y", "orders"),
    [
        (0.0, {(0,): 0, (1,): 0, (0, 0): 0}),
        (1.0, {(0,): 1, (1,): 0, (0, 0): 0, (0, 1): -np.inf, (1, 0): -np.inf, (1, 1): 0}),
        (2.0, {(0,): 0, (1,): 0, (0, 0): 2, (0, 1): 0, (1, 0): 0, (1, 1): 0}),
        (3.0, {(0,): 0, (1,): 0, (0, 0): 0, (0, 1): 0, (1, 0): 0, (1, 1): 0}),
    ],
)
def test_powers_of_zero(y, orders):
    for numbers, wanted in orders.items():
        for forward in itertools.product((False, True), repeat=len(numbers)):
            found = _derivative(lambda x, y: x**y, numbers, forward)(0.0, y)
            np.testing.assert_equal(float(found), float(wanted), err_msg=f"{numbers} {forward}")


def test_sizes_have_a_direction_at_infinity_and_none_at_zero():
    inf = np.inf
    for f in (ft.grad(np.abs), ft.jit(ft.grad(np.abs))):
        found = [f(z) for z in (complex(inf, 0), complex(1, inf), complex(-inf, 2), 0j)]
        assert found == [1, -1j, -1, 0]
    assert ft.grad(np.hypot, (0, 1))(inf, 1.0) == (1, 0)
    assert ft.grad(np.hypot, (0, 1))(0.0, 0.0) == (0, 0)
    assert ft.grad(ft.grad(np.hypot))(0.0, 0.0) == 0
    assert ft.grad(np.arctan2, (0, 1))(inf, 1.0) == (0, 0)
    assert ft.grad(np.arctan2, (0, 1))(0.0, 0.0) == (0, 0)
    for f in (ft.grad(np.angle), ft.jit(ft.grad(np.angle))):
        assert [f(z) for z in (0j, complex(inf, 1), complex(0, -inf), 2j)] == [0, 0, 0, -0.5]


@pytest.mark.parametrize("name", ["arcsinh", "arctan", "arcsin", "arccos", "arctanh", "arccosh"])
def test_complex_inverses_keep_their_branch_and_do_not_overflow(name):
    f = getattr(np, name)
    derivative = ft.grad(f, holomorphic=True)
    for z in (2 + 3j, -2 + 0.5j, 0.3 - 0.2j, -0.1 - 4j):
        step = 1e-6
        slope = (f(z + step) - f(z - step)) / (2 * step)
        np.testing.assert_allclose(derivative(z), slope, rtol=1e-8)
    large = derivative(1e200 + 1e200j)
    power = 2 if name in ("arctan", "arctanh") else 1
    np.testing.assert_allclose(abs(large), 2.0**-0.5 / 1e200 if power == 1 else 0, rtol=1e-12)
