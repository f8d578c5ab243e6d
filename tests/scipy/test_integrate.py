"""Differential equations and integrals: SciPy's values, and derivatives by what is solved."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate

import functrace as ft
from functrace.scipy import integrate

TIMES = np.array([0.0, 0.4, 1.0, 2.5])
P = np.array([0.3, 2.0])
FINE = {"rtol": 1e-9, "atol": 1e-9}


def numerical(f, x, step=1e-5):
    """The Jacobian by central differences."""
    columns = []
    for n in range(x.size):
        move = np.zeros(x.size)
        move[n] = step
        columns.append((f(x + move.reshape(x.shape)) - f(x - move.reshape(x.shape))) / (2 * step))
    return np.stack(columns, -1)


def agree(f, x, *, rtol=1e-4, atol=1e-5, close=1e-6, second=True):
    """Values and derivatives of a solution in every mode, in one direction or of one sum."""
    value = f(x)
    weights = np.cos(np.arange(np.size(value))).reshape(np.shape(value))
    direction = np.cos(1 + np.arange(x.size)).reshape(x.shape)
    total = lambda x: np.sum(f(x) * weights)
    gradient = ft.grad(total)
    again = {"rtol": close, "atol": close}
    slope = gradient(x)
    np.testing.assert_allclose(slope, numerical(total, x), rtol=rtol, atol=atol)
    pushed = ft.jvp(f, (x,), (direction,))[1]
    np.testing.assert_allclose(np.sum(pushed * weights), np.sum(slope * direction), **again)
    np.testing.assert_allclose(ft.jit(f)(x), value, **again)
    np.testing.assert_allclose(ft.jit(gradient)(x), slope, **again)
    many = np.stack([x, 1.02 * x])
    np.testing.assert_allclose(ft.vmap(f)(many)[1], f(1.02 * x), **again)
    np.testing.assert_allclose(ft.vmap(gradient)(many)[1], gradient(1.02 * x), **again)
    if second:
        bent = (gradient(x + 1e-4 * direction) - gradient(x - 1e-4 * direction)) / 2e-4
        found = ft.jvp(gradient, (x,), (direction,))[1]
        np.testing.assert_allclose(found, bent, rtol=1e-3, atol=1e-3)
        back = ft.grad(lambda x: np.sum(gradient(x) * direction))(x)
        np.testing.assert_allclose(back, found, rtol=100 * close, atol=100 * close)


def pendulum(t, y, damping, pull):
    angle, speed = y
    return np.stack([speed, -damping * speed - pull * np.sin(angle)])


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("RK23", "Radau", "BDF")]


@pytest.mark.parametrize("method", ["RK45", "DOP853", "LSODA", *SLOW])
def test_solve_ivp_by_every_method(method):
    fine = {"rtol": 1e-6, "atol": 1e-6} if method == "RK23" else {"rtol": 1e-9, "atol": 1e-9}

    def solve(p):
        return integrate.solve_ivp(
            pendulum, (0.0, 2.5), np.array([1.0, 0.0]), method, TIMES, args=(p[0], p[1]), **fine
        ).y

    theirs = scipy.integrate.solve_ivp(
        pendulum, (0.0, 2.5), [1.0, 0.0], method, TIMES, args=tuple(P), **fine
    )
    np.testing.assert_allclose(solve(P), theirs.y, rtol=1e-12)
    np.testing.assert_allclose(ft.jit(solve)(P), theirs.y, rtol=1e-9)
    total = lambda p: np.sum(solve(p))
    expected = numerical(total, P, 1e-4)
    loose = {"atol": 1e-3 if method == "RK23" else 1e-5}
    for gradient in (ft.grad(total), ft.jit(ft.grad(total))):
        np.testing.assert_allclose(gradient(P), expected, **loose)
    for n, direction in enumerate(np.eye(2)):
        slope = ft.jvp(total, (P,), (direction,))[1]
        np.testing.assert_allclose(slope, expected[n], **loose)


@pytest.mark.slow
def test_solve_ivp_by_all_that_it_depends_on():
    def solve(v):
        begin, end, y0, p = v[0], v[1], v[2:4], v[4:6]
        times = np.concatenate([begin[None], v[6:8], end[None]])
        result = integrate.solve_ivp(
            lambda t, y: pendulum(t, y, p[0] * np.cos(t), p[1]), (begin, end), y0, t_eval=times,
            **FINE,
        )  # fmt: skip
        return result.y

    agree(solve, np.array([0.1, 2.0, 1.0, -0.2, 0.3, 2.0, 0.7, 1.5]))


def test_solve_ivp_backwards_and_at_its_own_steps():
    def solve(v):
        result = integrate.solve_ivp(
            pendulum, (v[0], v[1]), v[2:4], args=(0.3, 2.0), rtol=1e-8, atol=1e-8
        )
        assert result.success
        return np.stack([result.t[-1], *result.y[:, -1], *result.y[:, 0]])

    weights = np.array([0.3, -1.0, 0.5, 0.7, 2.0])
    total = lambda v: np.sum(solve(v) * weights)
    for v in (np.array([0.0, 1.5, 1.0, 0.0]), np.array([1.5, -0.5, 1.0, 0.5])):
        expected = numerical(total, v)
        np.testing.assert_allclose(ft.grad(total)(v), expected, atol=1e-5)
        slope = ft.jvp(total, (v,), (weights[:4],))[1]
        np.testing.assert_allclose(slope, np.sum(expected * weights[:4]), atol=1e-5)
    with pytest.raises(ft.errors.UnknownValueError, match="Give the times to return as t_eval"):
        ft.jit(solve)(v)


def test_solve_ivp_of_trees():
    def f(t, y, k):
        return {"x": y["v"], "v": -k * y["x"]}

    def solve(k):
        y0 = {"x": np.ones((2, 2)), "v": np.zeros((2, 2))}
        return integrate.solve_ivp(f, (0.0, 1.0), y0, t_eval=[0.5, 1.0], args=(k,), **FINE).y

    y = solve(4.0)
    assert y["x"].shape == (2, 2, 2)
    np.testing.assert_allclose(y["x"][1, 1], np.cos([1.0, 2.0]), rtol=1e-8)
    slope = ft.grad(lambda k: solve(k)["x"][0, 1, 1])(4.0)
    assert slope == pytest.approx(-np.sin(2.0) / 4)
    np.testing.assert_allclose(ft.jit(solve)(4.0)["v"], y["v"], rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_solve_ivp_of_complex_states():
    def solve(p):
        y0 = np.array([1.0 + 0.5j])
        y = integrate.solve_ivp(
            lambda t, y: (-p[0] + 1j * p[1]) * y, (0.0, 1.0), y0, t_eval=[1.0], **FINE
        ).y[0]
        return np.stack([np.real(y[0]), np.imag(y[0])])

    exact = np.exp(-P[0] + 1j * P[1]) * (1.0 + 0.5j)
    np.testing.assert_allclose(solve(P), [exact.real, exact.imag], rtol=1e-8)
    agree(solve, P, second=False)


def ball(t, y, g):
    return np.stack([y[1], -g + 0 * t])


def ground(t, y, *_):
    return y[0]


@pytest.mark.slow
def test_events_are_differentiated_as_zeros():
    def times(v, **more):
        event = lambda t, y: y[0] - v[2]
        event.terminal = more.get("terminal", False)
        event.direction = -1
        result = integrate.solve_ivp(
            lambda t, y: ball(t, y, v[1]), (0.0, 4.0), np.stack([v[0], np.float64(1.0)]),
            events=event, **FINE,
        )  # fmt: skip
        if event.terminal:
            assert result.status == 1
            return np.concatenate([result.t_events[0], result.t[-1:], result.y[:, -1]])
        return np.concatenate([result.t_events[0], result.y_events[0][0]])

    v = np.array([3.0, 9.81, 0.5])
    exact = lambda v: (1 + np.sqrt(1 + 2 * v[1] * (v[0] - v[2]))) / v[1]
    np.testing.assert_allclose(times(v)[0], exact(v), rtol=1e-8)
    for more in ({}, {"terminal": True}):
        f = lambda v: times(v, **more)
        first = ft.grad(lambda v: f(v)[0])
        np.testing.assert_allclose(first(v), ft.grad(exact)(v), rtol=1e-6)
        total = lambda v: np.sum(f(v) * np.arange(1, 1 + np.size(f(v))))
        slope = ft.grad(total)(v)
        np.testing.assert_allclose(slope, numerical(total, v), atol=1e-4)
        pushed = ft.jvp(total, (v,), (np.ones(3),))[1]
        np.testing.assert_allclose(pushed, np.sum(slope), rtol=1e-6)
    bent = ft.jvp(ft.grad(lambda v: times(v)[0]), (v,), (np.ones(3),))[1]
    np.testing.assert_allclose(bent, ft.hessian(exact)(v) @ np.ones(3), rtol=1e-5)
    with pytest.raises(ft.errors.UnknownValueError, match="Leave events out"):
        ft.jit(times)(v)


def test_events_as_scipy_has_them():
    other = lambda t, y, g: y[1]
    events = [ground, other]
    ours = integrate.solve_ivp(ball, (0.0, 4.0), [1.0, 3.0], events=events, args=(9.81,))
    theirs = scipy.integrate.solve_ivp(ball, (0.0, 4.0), [1.0, 3.0], events=events, args=(9.81,))
    assert dict(ours).keys() == dict(theirs).keys()
    for name in ("t_events", "y_events"):
        for a, b in zip(ours[name], theirs[name], strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(ours.y, theirs.y)
    assert ours.message == theirs.message


@pytest.mark.slow
def test_dense_output_at_traced_times():
    def at(v):
        sol = integrate.solve_ivp(
            pendulum, (0.0, 2.0), np.array([1.0, 0.0]), dense_output=True, args=(v[0], v[1]), **FINE
        ).sol
        return np.stack([*sol(v[2:4])[0], *sol(v[4])])

    v = np.array([0.3, 2.0, 1.7, 0.4, 1.1])
    theirs = scipy.integrate.solve_ivp(
        pendulum, (0.0, 2.0), [1.0, 0.0], dense_output=True, args=(0.3, 2.0), **FINE
    ).sol
    np.testing.assert_allclose(at(v), [*theirs([1.7, 0.4])[0], *theirs(1.1)], rtol=1e-12)
    total = lambda v: np.sum(at(v) * np.array([1.0, 0.5, -2.0, 0.7]))
    slope = ft.grad(total)(v)
    np.testing.assert_allclose(slope, numerical(total, v), atol=1e-5)
    np.testing.assert_allclose(ft.jvp(total, (v,), (v,))[1], np.sum(slope * v), atol=1e-6)
    sol = integrate.solve_ivp(
        pendulum, (0.0, 2.0), [1.0, 0.0], dense_output=True, args=(0.3, 2.0), **FINE
    ).sol
    speed = ft.jacfwd(sol)(1.1)
    np.testing.assert_allclose(speed, pendulum(1.1, sol(1.1), 0.3, 2.0), rtol=1e-7)
    assert (sol.t_min, sol.t_max) == (0.0, 2.0)
    assert np.all(np.isnan(ft.jit(sol)(-1.0)))


def test_odeint_as_scipy_has_it():
    f = lambda y, t, a, b: pendulum(t, y, a, b)
    ours = integrate.odeint(f, [1.0, 0.0], TIMES, tuple(P))
    theirs = scipy.integrate.odeint(f, [1.0, 0.0], TIMES, tuple(P))
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    first = integrate.odeint(pendulum, [1.0, 0.0], TIMES, tuple(P), tfirst=True)
    np.testing.assert_allclose(first, theirs, rtol=1e-13)
    y, info = integrate.odeint(f, [1.0, 0.0], TIMES, tuple(P), full_output=True)
    assert "nfe" in info
    with pytest.raises(ft.errors.ArgumentError, match="full_output"):
        ft.jacrev(lambda p: integrate.odeint(f, y[0], TIMES, (p, p), full_output=True)[0])(1.0)


def test_odeint_in_every_mode():
    def solve(v):
        y0, times, p = v[:2], v[2:5], v[5:]
        return integrate.odeint(
            lambda y, t: pendulum(t, y, p[0], p[1]) + np.sin(t), y0, times, **FINE
        )

    agree(solve, np.array([1.0, -0.2, 0.1, 0.7, 1.5, 0.3, 2.0]))


def test_lists_of_numbers_are_vectors():
    f = lambda t, y: [y[1], -y[0]]
    at_end = lambda a: integrate.solve_ivp(f, (0.0, 1.0), [a, 0.0], t_eval=[1.0], **FINE).y[0, 0]
    assert at_end(1.0) == pytest.approx(np.cos(1.0))
    assert ft.grad(at_end)(1.0) == pytest.approx(np.cos(1.0))
    last = lambda a: integrate.odeint(f, [a, 0.0], [0.0, 1.0], tfirst=True)[1, 0]
    assert ft.grad(last)(1.0) == pytest.approx(np.cos(1.0), rel=1e-6)


def test_odeint_of_trees_and_stiff_equations():
    def solve(k):
        y0 = {"a": 1.0, "b": np.zeros(2)}
        f = lambda y, t, k: {"a": -k * y["a"], "b": np.ones(2) * y["a"]}
        return integrate.odeint(f, y0, np.array([0.0, 1.0]), (k,))

    y = solve(2.0)
    assert y["a"].shape == (2,)
    np.testing.assert_allclose(y["b"][1], np.full(2, (1 - np.exp(-2.0)) / 2), rtol=1e-6)
    slope = ft.grad(lambda k: solve(k)["a"][1])(2.0)
    assert slope == pytest.approx(-np.exp(-2.0), rel=1e-5)
    stiff = lambda k: integrate.odeint(lambda y, t: -k * (y - np.cos(t)), [0.0], [0.0, 1.0])[1, 0]
    exact = ft.grad(lambda k: (k * np.cos(1.0) + np.sin(1.0)) * k / (1 + k * k))(1000.0)
    assert ft.grad(stiff)(1000.0) == pytest.approx(exact, abs=1e-6)


def test_an_equation_with_python_branches_is_solved_but_not_differentiated():
    f = lambda t, y: -y if t < 1.0 else y
    assert integrate.solve_ivp(f, (0.0, 1.5), [1.0]).success
    with pytest.raises(ft.errors.UnknownValueError, match=r"test_integrate\.py"):
        ft.jacrev(lambda y: integrate.solve_ivp(f, (0.0, 1.5), y).y)(np.ones(1))


class UsersError(Exception):
    pass


def test_errors_teach_and_those_of_users_pass():
    def fails(*_):
        raise UsersError("as it is")

    for call in (
        lambda: integrate.solve_ivp(fails, (0.0, 1.0), [1.0]),
        lambda: integrate.odeint(fails, [1.0], TIMES),
        lambda: integrate.quad(fails, 0.0, 1.0),
    ):
        with pytest.raises(UsersError, match="as it is"):
            call()
    with pytest.raises(ft.errors.ArgumentError, match=r"returned \(3,\) numbers for a state of 2"):
        integrate.solve_ivp(lambda t, y: np.ones(3), (0.0, 1.0), [1.0, 2.0])
    with pytest.raises(ft.errors.ArgumentError, match="no tree like the parameters"):
        integrate.odeint(lambda y, t: {"b": y["a"]}, {"a": 1.0}, TIMES)


# Integrals of functions


def test_quad_by_limits_and_parameters():
    def area(v):
        return integrate.quad(
            lambda x, s: np.exp(-s * x**2) * np.cos(v[3] * x), v[0], v[1], args=(v[2],)
        )[0]

    v = np.array([-0.3, 1.2, 2.0, 1.5])
    theirs = scipy.integrate.quad(lambda x: np.exp(-2 * x**2) * np.cos(1.5 * x), -0.3, 1.2)
    assert integrate.quad(lambda x: np.exp(-2 * x**2) * np.cos(1.5 * x), -0.3, 1.2) == theirs
    assert area(v) == pytest.approx(theirs[0], rel=1e-14)
    agree(area, v, close=1e-8)


def test_quad_over_infinite_intervals():
    def area(v):
        ends = integrate.quad(lambda x: np.exp(-v[0] * x**2), -np.inf, np.inf)[0]
        return np.stack([ends, integrate.quad(lambda x: np.exp(-v[0] * x), v[1], np.inf)[0]])

    v = np.array([2.0, 0.4])
    expected = [
        [-np.sqrt(np.pi) / 2 * 2**-1.5, 0],
        [-np.exp(-0.8) * (0.4 / 2 + 1 / 4), -np.exp(-0.8)],
    ]
    np.testing.assert_allclose(ft.jacrev(area)(v), expected, rtol=1e-8)
    agree(area, v)


def test_a_limit_that_stays_where_the_function_is_infinite():
    area = lambda a, end: integrate.quad(lambda x: a * x**a * np.log(x), 0.0, end)[0]
    expected = lambda a, end: a * (end / (a + 1)) ** 1 * end**a * (np.log(end) - 1 / (a + 1))
    for transform in (ft.grad, ft.jacfwd, lambda f, n: ft.jit(ft.grad(f, n))):
        for n in (0, 1):
            slope = transform(area, n)(0.5, 2.0)
            np.testing.assert_allclose(slope, transform(expected, n)(0.5, 2.0), rtol=1e-7)
    np.testing.assert_allclose(ft.grad(lambda a: area(a, 2.0))(0.5), ft.grad(expected)(0.5, 2.0))


def test_quad_as_scipy_has_it():
    f = lambda x: np.abs(x - 0.3)
    assert integrate.quad(f, 0, 1, points=[0.3]) == scipy.integrate.quad(f, 0, 1, points=[0.3])
    weighted = integrate.quad(np.exp, 0, 1, weight="cos", wvar=2.0)
    assert weighted == scipy.integrate.quad(np.exp, 0, 1, weight="cos", wvar=2.0)
    assert len(integrate.quad(f, 0, 1, full_output=1)) == 3
    slope = ft.grad(lambda a: integrate.quad(lambda x: a * f(x), 0, 1, points=[0.3])[0])(2.0)
    assert slope == pytest.approx(0.29)
    with pytest.raises(ft.errors.MissingRuleError, match="weight as a part of the function"):
        ft.grad(lambda a: integrate.quad(np.exp, 0, a, weight="cos", wvar=2.0)[0])(1.0)
    with pytest.raises(ft.errors.MissingRuleError, match="from point to point"):
        ft.grad(lambda a: integrate.quad(f, 0, 1, points=[a])[0])(0.5)
    whole, error = integrate.quad(lambda x: np.exp(1j * x), 0, np.pi, complex_func=True)
    assert whole == pytest.approx(2j)
    assert error.real < 1e-10
    value, error = ft.jit(lambda b: integrate.quad(np.exp, 0.0, b))(1.0)
    assert (value, error) == scipy.integrate.quad(np.exp, 0, 1)


def test_fixed_quad():
    f = lambda a, b: integrate.fixed_quad(lambda x: np.sin(x) * x, a, b, n=6)[0]
    assert f(0.2, 1.0) == pytest.approx(
        scipy.integrate.fixed_quad(lambda x: np.sin(x) * x, 0.2, 1.0, n=6)[0], rel=1e-14
    )
    slopes = ft.jit(ft.grad(f, argnums=(0, 1)))(0.2, 1.0)
    np.testing.assert_allclose(slopes, [-0.2 * np.sin(0.2), np.sin(1.0)], rtol=1e-8)
    with pytest.raises(ValueError, match="finite limits"):
        f(0.0, np.inf)


# Integrals of samples

RNG = np.random.default_rng(0)


@pytest.mark.thinned
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("given", ["dx", "vector", "array"])
@pytest.mark.parametrize(
    "name", ["trapezoid", "cumulative_trapezoid", "simpson", "cumulative_simpson"]
)
def test_integrals_of_samples(name, given, axis, count):
    y = np.moveaxis(RNG.normal(size=(3, count)), -1, axis)
    x = np.cumsum(RNG.uniform(0.5, 1.5, count))
    more = {"dx": {"dx": 0.3}, "vector": {"x": x}}.get(given)
    if more is None:
        more = {"x": np.moveaxis(np.broadcast_to(x, (3, count)), -1, axis)}
    ours, theirs = getattr(integrate, name), getattr(scipy.integrate, name)
    expected = theirs(y, axis=axis, **more)
    np.testing.assert_allclose(ours(y, axis=axis, **more), expected, rtol=1e-12, atol=1e-13)
    if axis == 0 or count in (8, 9):
        f = lambda y: ours(y, axis=axis, **more)
        np.testing.assert_allclose(ft.jit(f)(y), expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(
            ft.jacrev(f)(y), numerical(f, y, 1.0).reshape(*expected.shape, *y.shape), atol=1e-9
        )
        if given == "vector":
            by_x = lambda x: ours(y, x=x, axis=axis)
            np.testing.assert_allclose(ft.jacfwd(by_x)(x), numerical(by_x, x), atol=1e-6)


def test_more_of_samples():
    rows = RNG.normal(size=(2, 9))
    for axis, y in ((-1, rows), (0, rows.T)):
        np.testing.assert_allclose(
            integrate.romb(y, 0.25, axis), scipy.integrate.romb(y, 0.25, axis), rtol=1e-13
        )
        for name, more in (
            ("cumulative_trapezoid", {"initial": 0}),
            ("cumulative_simpson", {"initial": 2.0}),
        ):
            ours = getattr(integrate, name)(y, axis=axis, **more)
            theirs = getattr(scipy.integrate, name)(y, axis=axis, **more)
            np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    slope = ft.grad(lambda dx: integrate.romb(np.ones(5), dx))(0.1)
    assert slope == pytest.approx(4.0)
    with pytest.raises(ValueError, match="one plus a"):
        integrate.romb(np.ones(4))
    with pytest.raises(ValueError, match="length of x along axis"):
        integrate.simpson(np.ones(4), np.ones(3))
    with pytest.raises(ValueError, match="must be `None` or `0`"):
        integrate.cumulative_trapezoid(np.ones(3), initial=1.0)
    with pytest.raises(ValueError, match="strictly increasing"):
        integrate.cumulative_simpson(np.ones(3), x=np.zeros(3))
    assert integrate.dblquad is scipy.integrate.dblquad
    with pytest.raises(AttributeError, match="has no attribute 'sovle_ivp'"):
        integrate.sovle_ivp  # noqa: B018


def test_integrals_of_integrals_in_every_mode():
    def volume(s):
        inner = lambda x: integrate.quad(lambda y: np.sin(x * y * s), 0.0, 1.0)[0]
        return integrate.quad(inner, 0.0, 1.0)[0]

    slope = (volume(2.001) - volume(1.999)) / 0.002
    for f in (volume, ft.jit(volume)):
        np.testing.assert_allclose(ft.jvp(f, (2.0,), (1.0,))[1], slope, rtol=1e-6)
        np.testing.assert_allclose(ft.grad(f)(2.0), slope, rtol=1e-6)
        np.testing.assert_allclose(ft.grad(ft.grad(f))(2.0), ft.jacfwd(ft.grad(f))(2.0), rtol=1e-8)
    np.testing.assert_allclose(ft.jacfwd(ft.vmap(volume))(np.array([2.0])), [[slope]], rtol=1e-6)


def test_dtypes_of_rules_for_samples():
    y = np.linspace(0, 1, 9, dtype=np.float32)
    for name, count in (("simpson", 9), ("simpson", 8), ("romb", 9), ("trapezoid", 9)):
        found, expected = (getattr(m, name)(y[:count]) for m in (integrate, scipy.integrate))
        assert found.dtype == expected.dtype
        assert ft.jit(getattr(integrate, name))(y[:count]).dtype == expected.dtype
