"""Minimizers, least squares and roots: SciPy's values, and derivatives by what is solved."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

import functrace as ft
from functrace.scipy import optimize

A = np.array([1.5, -0.5, 0.7])


def numerical(f, x, step=1e-4):
    """The Jacobian by central differences."""
    columns = []
    for n in range(x.size):
        move = np.zeros(x.size)
        move[n] = step
        columns.append((f(x + move.reshape(x.shape)) - f(x - move.reshape(x.shape))) / (2 * step))
    return np.stack(columns, -1)


def agree(f, x, *, rtol=1e-4, atol=1e-5, orders=2, close=1e-9):
    """Values and derivatives of a solution in every mode."""
    value = f(x)
    jacobian = ft.jacrev(f)(x)
    np.testing.assert_allclose(jacobian, numerical(f, x), rtol=rtol, atol=atol)
    again = {"rtol": 100 * close, "atol": close}  # a solver may stop a step sooner
    np.testing.assert_allclose(ft.jacfwd(f)(x), jacobian, **again)
    np.testing.assert_allclose(ft.jit(f)(x), value, rtol=close, atol=close)
    np.testing.assert_allclose(ft.jit(ft.jacrev(f))(x), jacobian, **again)
    many = np.stack([x, x + 0.05])
    each = np.stack([f(row) for row in many])
    np.testing.assert_allclose(ft.vmap(f)(many), each, rtol=close, atol=close)
    each = np.stack([ft.jacrev(f)(row) for row in many])
    np.testing.assert_allclose(ft.vmap(ft.jacrev(f))(many), each, **again)
    if orders > 1:
        second = ft.jacfwd(ft.jacrev(f))(x)
        np.testing.assert_allclose(second, numerical(ft.jacrev(f), x), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(ft.jacrev(ft.jacrev(f))(x), second, rtol=1e-6, atol=1e-7)


def valley(p, a):
    x, y = p["x"], p["y"]
    return 10 * (y - x**2) ** 2 + (a[0] - x) ** 2 + np.sum(a[1:] * p["z"] + np.cosh(p["z"]))


START = {"x": -1.0, "y": np.float64(1.0), "z": np.zeros(2)}

TIGHT = {
    "BFGS": {"gtol": 1e-10},
    "CG": {"gtol": 1e-10},
    "L-BFGS-B": {"ftol": 1e-15, "gtol": 1e-10},
    "TNC": {"gtol": 1e-10, "xtol": 1e-12, "ftol": 1e-15},
    "SLSQP": {"ftol": 1e-15},
    "Newton-CG": {"xtol": 1e-10},
    "trust-ncg": {"gtol": 1e-10},
    "trust-krylov": {"gtol": 1e-10},
    "trust-exact": {"gtol": 1e-10},
    "dogleg": {"gtol": 1e-10},
    "trust-constr": {"gtol": 1e-10, "xtol": 1e-12},
    "Nelder-Mead": {"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000, "maxfev": 4000},
    "Powell": {"xtol": 1e-10, "ftol": 1e-14},
}


@pytest.mark.thinned
@pytest.mark.filterwarnings("ignore::functrace.errors.ConvergenceWarning")  # for "precision loss"
@pytest.mark.parametrize("method", TIGHT)
def test_every_method_finds_the_minimum_and_its_derivative(method):
    start = START
    if method == "dogleg":  # it needs a positive definite Hessian all along
        start = {"x": 1.4, "y": 2.0, "z": np.zeros(2)}

    def minimum(a):
        result = optimize.minimize(valley, start, (a,), method, options=TIGHT[method])
        assert set(result.x) == {"x", "y", "z"}
        return ft.tree.ravel(result.x)[0]

    expected = np.array([A[0], A[0] ** 2, *np.arcsinh(-A[1:])])
    np.testing.assert_allclose(minimum(A), expected, atol=1e-5)
    slopes = np.zeros((4, 3))
    slopes[0, 0], slopes[1, 0] = 1, 2 * A[0]
    slopes[[2, 3], [1, 2]] = -1 / np.sqrt(1 + A[1:] ** 2)
    np.testing.assert_allclose(ft.jacrev(minimum)(A), slopes, atol=1e-4)
    np.testing.assert_allclose(ft.jit(ft.jacfwd(minimum))(A), slopes, atol=1e-4)


@pytest.mark.slow
def test_derivatives_of_a_minimum_in_every_mode():
    def minimum(a):
        result = optimize.minimize(valley, START, a, "Newton-CG", options={"xtol": 1e-11})
        return ft.tree.ravel((result.x["x"] * result.x["y"], result.x["z"], result.fun))[0]

    agree(minimum, A, atol=1e-4)


def quadratic(x, a):
    return np.sum((x - a) ** 2) + 0.1 * np.sum(x**4) + x[0] * x[1]


@pytest.mark.parametrize("method", ["L-BFGS-B", "SLSQP", "trust-constr", "TNC"])
def test_parameters_on_a_bound_stay_there(method):
    options = {"trust-constr": {"gtol": 1e-9, "xtol": 1e-10}, "L-BFGS-B": {"gtol": 1e-10}}

    def minimum(v):
        a, end = v[:3], v[3]
        bounds = optimize.Bounds(-1.0, np.stack([end, np.float64(5.0), np.float64(np.inf)]))
        return optimize.minimize(
            quadratic, np.zeros(3), a, method, bounds=bounds, options=options.get(method)
        ).x

    at = np.array([2.0, -0.5, 0.3, 0.6])
    assert minimum(at)[0] == pytest.approx(0.6, abs=1e-4)
    jacobian = ft.jacrev(minimum)(at)
    np.testing.assert_allclose(jacobian[0], [0, 0, 0, 1], atol=1e-9)
    if method != "trust-constr":
        np.testing.assert_allclose(jacobian, numerical(minimum, at, 1e-3), atol=3e-3)
    np.testing.assert_allclose(ft.jit(ft.jacfwd(minimum))(at), jacobian, atol=1e-9)


@pytest.mark.parametrize(
    "bounds",
    [
        {"a": (0, 0.5), "b": (None, None)},
        {"a": [None, 0.5], "b": None},
        {"a": (0, np.float64(0.5)), "b": (np.full(2, -5.0), np.array([4.0, np.inf]))},
        {"a": (-1, 0.5), "b": (-9, 9)},
    ],
)
def test_bounds_as_a_tree_of_pairs(bounds):
    start = {"a": 0.1, "b": np.array([0.2, 0.3])}
    loss = lambda p: (p["a"] - 2.0) ** 2 + np.sum((p["b"] - np.array([1.0, -1.0])) ** 2)
    residuals = lambda p: [p["a"] - 2.0, p["b"] - [1.0, -1.0]]
    for found in (
        optimize.minimize(loss, start, bounds=bounds).x,
        ft.jit(lambda x: optimize.minimize(loss, x, bounds=bounds).x)(start),
        optimize.least_squares(residuals, start, bounds=bounds).x,
    ):
        np.testing.assert_allclose(found["a"], 0.5, atol=1e-6)
        np.testing.assert_allclose(found["b"], [1.0, -1.0], atol=1e-4)


def test_a_pair_of_bounds_stands_for_a_whole_part():
    loss = lambda p: np.sum((p[0]["a"] - 2.0) ** 2) + (p[0]["b"] + 3.0) ** 2 + (p[1] - 1.0) ** 2
    start = [{"a": np.zeros(2), "b": 0.0}, 0.0]
    found = optimize.minimize(loss, start, bounds=[(-1, 1), None]).x
    np.testing.assert_allclose(found[0]["a"], [1.0, 1.0])
    np.testing.assert_allclose([found[0]["b"], found[1]], [-1.0, 1.0], atol=1e-6)
    assert optimize.minimize(lambda x: np.sum((x - 3.0) ** 2), 1.0, bounds=(0, 2)).x == 2.0
    end = lambda top: optimize.minimize(loss, start, bounds=[(-1, top), None]).x[0]["a"][0]
    np.testing.assert_allclose(ft.grad(end)(1.5), 1.0)


@pytest.mark.parametrize(
    "bounds", [{"p": (0, 1)}, {"p": (0, 1), "r": (0, 1)}, {"p": (0, 1, 2), "q": None}, [(0, 1)] * 2]
)
def test_bounds_that_are_no_tree_like_the_parameters(bounds):
    with pytest.raises(
        ft.errors.ArgumentError, match=r"bounds (is no tree of|must be one) pair"
    ) as caught:
        optimize.minimize(lambda t: t["p"] + t["q"], {"p": 1.0, "q": 1.0}, bounds=bounds)
    assert "Bounds(least, largest)" in str(caught.value)


def test_bounds_as_pairs_and_as_trees():
    pairs = [(None, 0.5), (-1.0, None), (None, None)]
    ours = optimize.minimize(quadratic, [0.0, 0.0, 0.0], (A,), bounds=pairs)
    theirs = scipy.optimize.minimize(quadratic, [0.0, 0.0, 0.0], (A,), bounds=pairs)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)
    tree_bounds = optimize.Bounds({"p": -np.inf, "q": 0.0}, {"p": np.inf, "q": np.ones(2)})
    found = optimize.minimize(
        lambda t: np.sum((t["p"] - 3) ** 2) + np.sum((t["q"] - np.array([-1.0, 2.0])) ** 2),
        {"p": np.zeros((2, 2)), "q": np.full(2, 0.5)},
        bounds=tree_bounds,
    )
    np.testing.assert_allclose(found.x["p"], np.full((2, 2), 3.0), atol=1e-6)
    np.testing.assert_allclose(found.x["q"], [0.0, 1.0])
    assert found.jac["p"].shape == (2, 2)
    with pytest.raises(ft.errors.ArgumentError, match=r"Bounds\(least, largest\)"):
        optimize.minimize(lambda t: t["p"] ** 2, {"p": 1.0}, bounds=[(0, 1)])


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_minima_under_constraints(method):
    options = {"SLSQP": {"ftol": 1e-11}, "trust-constr": {"gtol": 1e-10, "xtol": 1e-12}}[method]

    def minimum(a):
        constraints = [
            {"type": "eq", "fun": lambda p: np.sum(p["x"]) - a[0]},
            {"type": "ineq", "fun": lambda p, r: r - np.sum(p["x"] ** 2), "args": (2.0 + a[1],)},
            optimize.NonlinearConstraint(lambda p: p["x"][2], -np.inf, 10.0),
        ]
        return optimize.minimize(
            lambda p: np.sum(p["x"] * np.array([1.0, 2.0, 4.0])) + a[2] * p["x"][0] ** 2,
            {"x": np.ones(3)},
            method=method,
            constraints=constraints,
            options=options,
        ).x["x"]

    a = np.array([0.5, 0.3, 0.2])
    found = minimum(a)
    assert np.sum(found) == pytest.approx(0.5, abs=1e-6)
    assert np.sum(found**2) == pytest.approx(2.3, abs=1e-4)
    jacobian = ft.jacrev(minimum)(a)
    np.testing.assert_allclose(jacobian, numerical(minimum, a, 1e-3), atol=2e-3)
    np.testing.assert_allclose(np.sum(jacobian, 0), [1, 0, 0], atol=1e-7)
    np.testing.assert_allclose(ft.jit(ft.jacfwd(minimum))(a), jacobian, atol=1e-8)


def test_constraints_of_arrays_and_limits_that_are_traced():
    def minimum(end):
        constraint = optimize.LinearConstraint(np.array([[1.0, 1.0]]), -np.inf, np.inf)
        constraint.ub = end
        return optimize.minimize(
            lambda x: np.sum((x - 3) ** 2), np.zeros(2), constraints=constraint
        ).x

    np.testing.assert_allclose(minimum(2.0), [1.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(ft.jacfwd(minimum)(2.0), [0.5, 0.5], atol=1e-9)


def test_derivatives_that_the_user_gives_are_handed_on():
    calls = []

    def gradient(x, a):
        calls.append("jac")
        return 2 * (x - a) + 0.4 * x**3 + x[::-1]

    def loss(x, a):
        return np.sum((x - a) ** 2) + 0.1 * np.sum(x**4) + x[0] * x[1]

    a = A[:2]
    expected = scipy.optimize.minimize(loss, np.zeros(2), (a,), jac=gradient)
    calls.clear()
    found = optimize.minimize(loss, np.zeros(2), (a,), jac=gradient)
    assert calls
    np.testing.assert_array_equal(found.x, expected.x)
    pair = optimize.minimize(lambda x, a: (loss(x, a), gradient(x, a)), np.zeros(2), (a,), jac=True)
    np.testing.assert_array_equal(pair.x, expected.x)
    for more in ({"hess": lambda x, a: ft.hessian(loss)(x, a)}, {"hessp": lambda x, v, a: 2 * v}):
        found = optimize.minimize(loss, np.zeros(2), (a,), "trust-ncg", **more)
        np.testing.assert_allclose(found.x, expected.x, atol=1e-4)
    approximate = optimize.minimize(loss, np.zeros(2), (a,), jac="2-point")
    np.testing.assert_allclose(approximate.x, expected.x, atol=1e-5)


def test_what_the_result_holds():
    result = optimize.minimize(quadratic, np.zeros(3), A)
    theirs = scipy.optimize.minimize(quadratic, np.zeros(3), (A,), jac=ft.grad(quadratic))
    assert dict(result).keys() == dict(theirs).keys()
    np.testing.assert_allclose(result.hess_inv, theirs.hess_inv)
    assert result.message == theirs.message

    def fields(a):
        traced = optimize.minimize(quadratic, np.zeros(3), a)
        assert traced.message == theirs.message
        return traced.fun, traced.nit, traced.success

    fun, pullback = ft.vjp(lambda a: fields(a)[0], A)
    assert fun == pytest.approx(result.fun)
    np.testing.assert_allclose(pullback(1.0)[0], -2 * (result.x - A), rtol=1e-4)

    def unknown(a):
        traced = optimize.minimize(quadratic, np.zeros(3), a)
        assert "message" not in traced
        return traced.fun, traced.nit, traced.success

    assert ft.jit(unknown)(A) == (pytest.approx(result.fun), result.nit, True)


def test_steps_are_shown_as_trees():
    seen = []
    optimize.minimize(valley, START, A, callback=lambda p: seen.append(p["z"]))
    assert len(seen) > 3
    shown = []

    def callback(intermediate_result):
        shown.append(intermediate_result.x["x"])

    optimize.minimize(valley, START, A, callback=callback)
    assert len(shown) == len(seen)


def test_a_function_is_compiled_once_for_a_call():
    calls = []

    def loss(x):
        calls.append(1)
        return np.sum((x - A) ** 2)

    optimize.minimize(loss, np.zeros(3))
    assert len(calls) == 1


def test_a_loss_with_python_branches_is_minimized_but_not_differentiated_through():
    def loss(x, a):
        return np.sum((x - a) ** 2) if x[0] > -10 else np.sum(x)

    np.testing.assert_allclose(optimize.minimize(loss, np.zeros(3), A).x, A, atol=1e-6)
    with pytest.raises(ft.errors.UnknownValueError, match=r"test_optimize\.py"):
        ft.jacrev(lambda a: optimize.minimize(loss, np.zeros(3), a).x)(A)


def test_a_loss_of_another_library_is_minimized_without_derivatives():
    for more in ({"method": "Nelder-Mead"}, {"jac": "2-point"}, {"jac": scipy.optimize.rosen_der}):
        found = optimize.minimize(scipy.optimize.rosen, np.zeros(2), **more).x
        np.testing.assert_allclose(found, [1.0, 1.0], atol=1e-4)
    with pytest.raises(ft.errors.UnsupportedFunctionError, match="rosen"):
        optimize.minimize(scipy.optimize.rosen, np.zeros(2))


def test_dtypes_of_parameters_are_kept():
    start = {"a": np.zeros(2, np.float32), "b": 0, "c": np.zeros((2, 1))}
    x = optimize.minimize(lambda p: sum(np.sum((v - 1) ** 2) for v in p.values()), start).x
    assert (x["a"].dtype, x["b"].dtype, x["c"].dtype) == (np.float32, np.float64, np.float64)
    assert (np.shape(x["b"]), x["c"].shape) == ((), (2, 1))
    scalar = optimize.minimize(lambda x: (x[0] - 2.0) ** 2, 0.0).x
    np.testing.assert_allclose(scalar, [2.0], atol=1e-6)
    with pytest.raises(ft.errors.ArgumentError, match=r"x0 of minimize\['a'\] is a complex128"):
        optimize.minimize(lambda p: 1.0, {"a": 1j})


def test_a_failure_is_a_warning_where_it_is_traced():
    def minimum(a):
        return optimize.minimize(valley, START, a, options={"maxiter": 1}).x["x"]

    assert optimize.minimize(valley, START, A, options={"maxiter": 1}).success is False
    with pytest.warns(ft.errors.ConvergenceWarning, match="minimize did not converge: Maximum"):
        ft.grad(minimum)(A)
    with pytest.warns(ft.errors.ConvergenceWarning):
        ft.jit(minimum)(A)


class UsersError(Exception):
    pass


def test_errors_of_the_users_pass_through():
    def fails(x, *_):
        raise UsersError("as it is")

    for call in (
        lambda: optimize.minimize(fails, np.zeros(2)),
        lambda: optimize.root(fails, np.zeros(2)),
        lambda: optimize.least_squares(fails, np.zeros(2)),
        lambda: optimize.brentq(fails, 0.0, 1.0),
    ):
        with pytest.raises(UsersError, match="as it is"):
            call()
    with pytest.raises(ft.errors.ArgumentError, match="must return one real number"):
        optimize.minimize(lambda x: x, np.zeros(2))
    with pytest.raises(ft.errors.ArgumentError, match="returned 3 numbers, for 2 unknowns"):
        optimize.root(lambda x: np.zeros(3), np.zeros(2))


def test_many_parameters_are_solved_for_without_a_matrix():
    count = 1500

    def minimum(a):
        def loss(x):
            return np.sum(np.cosh(x - a)) + 0.1 * np.sum(np.diff(x) ** 2)

        return optimize.minimize(loss, np.zeros(count), method="L-BFGS-B").x

    # The sum of the equations: sum(sinh(x - a)) = 0; for a constant a, x is a.
    slope = ft.grad(lambda a: np.sum(minimum(a)))(np.full(count, 0.3))
    np.testing.assert_allclose(slope, np.ones(count), rtol=1e-6)


def test_minimize_scalar():
    def minimum(a):
        return optimize.minimize_scalar(lambda x: (x - a[0]) ** 2 + np.exp(x * a[1]), tol=1e-11).x

    agree(minimum, np.array([0.5, 0.3]), atol=1e-4)
    bounded = lambda a: (
        optimize.minimize_scalar(lambda x: (x - 5.0) ** 2, bounds=(0.0, a), method="bounded").x
    )
    assert ft.grad(bounded)(2.0) == pytest.approx(1.0)
    theirs = scipy.optimize.minimize_scalar(lambda x: (x - 1) ** 2)
    ours = optimize.minimize_scalar(lambda x: (x - 1) ** 2)
    assert ours.x == theirs.x
    assert dict(ours).keys() == dict(theirs).keys()


T = np.linspace(0.0, 1.0, 9)
Y = 1.3 * np.exp(-1.7 * T) + 0.1 * np.cos(20 * T)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("huber", "cauchy", "arctan")]


@pytest.mark.parametrize("loss", ["linear", "soft_l1", *SLOW])
def test_least_squares(loss):
    def model(p, y):
        return {"r": p["a"] * np.exp(-p["b"] * T) - y}

    def fit(y):
        result = optimize.least_squares(
            model, {"a": 1.0, "b": 1.0}, loss=loss, f_scale=0.08, args=(y,),
            ftol=1e-15, xtol=1e-15, gtol=1e-13, max_nfev=1000,
        )  # fmt: skip
        return np.stack([result.x["a"], result.x["b"], result.cost])

    theirs = scipy.optimize.least_squares(
        lambda p: p[0] * np.exp(-p[1] * T) - Y, np.ones(2), loss=loss, f_scale=0.08
    )
    np.testing.assert_allclose(fit(Y), [*theirs.x, theirs.cost], rtol=1e-4)
    agree(fit, Y, rtol=2e-3, atol=1e-4, close=1e-7, orders=2 if loss == "linear" else 1)


def test_least_squares_within_bounds_and_by_lm():
    def residuals(p, y):
        return p[0] * np.exp(-p[1] * T) - y

    def fit(v):
        ends = (np.zeros(2), np.stack([np.float64(9.0), v[-1]]))
        return optimize.least_squares(residuals, [1.0, 1.0], bounds=ends, args=(v[:-1],)).x

    v = np.append(Y, 1.5)
    np.testing.assert_allclose(ft.jacrev(fit)(v)[1], [0] * 9 + [1], atol=1e-12)
    np.testing.assert_allclose(ft.jacrev(fit)(v), numerical(fit, v), atol=1e-4)
    by_lm = optimize.least_squares(residuals, np.ones(2), method="lm", args=(Y,))
    theirs = scipy.optimize.least_squares(residuals, np.ones(2), method="lm", args=(Y,))
    np.testing.assert_allclose(by_lm.x, theirs.x, rtol=1e-6)
    assert dict(by_lm).keys() == dict(theirs).keys()
    np.testing.assert_allclose(optimize.leastsq(residuals, np.ones(2), (Y,))[0], by_lm.x)


@pytest.mark.thinned
@pytest.mark.parametrize(
    "sigma", ["none", "vector", pytest.param("matrix", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("absolute", [False, True])
def test_curve_fit(sigma, absolute):
    deviations = 0.05 + 0.1 * T
    given = {
        "none": None,
        "vector": deviations,
        "matrix": np.diag(deviations**2) + 1e-3 * np.exp(-np.abs(T[:, None] - T)),
    }[sigma]

    def f(t, a, b):
        return a * np.exp(-b * t)

    popt, pcov = optimize.curve_fit(f, T, Y, sigma=given, absolute_sigma=absolute)
    theirs = scipy.optimize.curve_fit(f, T, Y, sigma=given, absolute_sigma=absolute)
    np.testing.assert_allclose(popt, theirs[0], rtol=1e-5)
    np.testing.assert_allclose(pcov, theirs[1], rtol=1e-4)

    if absolute != (sigma == "none"):
        return  # each kind in every mode once

    def fit(y):
        popt, pcov = optimize.curve_fit(
            f, T, y, sigma=given, absolute_sigma=absolute, ftol=1e-14, xtol=1e-14, gtol=1e-14
        )
        return np.concatenate([popt, np.ravel(pcov)])

    agree(fit, Y, rtol=2e-3, atol=1e-4, orders=1, close=1e-6)


def test_curve_fit_by_points_and_deviations():
    def fit(v):
        x, sigma = v[:9], v[9:]
        return optimize.curve_fit(
            lambda t, a, b: a * np.exp(-b * t), x, Y, p0=[1.0, 1.0], sigma=sigma, ftol=1e-14,
            xtol=1e-14, gtol=1e-14,
        )[0]  # fmt: skip

    v = np.concatenate([T, 0.05 + 0.1 * T])
    np.testing.assert_allclose(ft.jacrev(fit)(v), numerical(fit, v, 1e-5), rtol=1e-3, atol=1e-5)
    full = optimize.curve_fit(lambda t, a: a * t, T, Y, full_output=True)
    assert len(full) == 5
    with pytest.raises(ft.errors.ArgumentError, match="full_output"):
        ft.jacrev(lambda y: optimize.curve_fit(lambda t, a: a * t, T, y, full_output=True)[0])(Y)
    bounded = lambda y: optimize.curve_fit(lambda t, a: a * t, T, y, bounds=(0.0, 0.1))[0]
    np.testing.assert_allclose(ft.jacrev(bounded)(Y), np.zeros((1, 9)))


@pytest.mark.parametrize("method", ["hybr", "lm", "krylov", "broyden1"])
def test_root(method):
    def found(a):
        result = optimize.root(
            lambda p: {"p": a[0] * p["x"] + p["y"] - 3, "q": p["x"] * p["y"] - a[1]},
            {"x": 1.5, "y": 0.5},
            method=method,
            tol=1e-11,
        )
        return np.stack([result.x["x"], result.x["y"]])

    a = np.array([1.2, 0.8])
    agree(found, a, atol=1e-4, orders=2 if method == "hybr" else 1)


def test_root_as_scipy_has_it():
    def f(x):
        return np.array([1.0, 2.0]) * np.cos(x) - x[::-1]

    for method in ("hybr", "lm"):
        ours = optimize.root(f, [0.0, 0.0], method=method)
        theirs = scipy.optimize.root(f, [0.0, 0.0], method=method, jac=ft.jacrev(f))
        np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-12)
        assert dict(ours).keys() == dict(theirs).keys()
    theirs = scipy.optimize.root(f, [0.0, 0.0])
    for jac in (False, ft.jacrev(f)):
        np.testing.assert_allclose(optimize.root(f, [0.0, 0.0], jac=jac).x, theirs.x)
    both = optimize.root(lambda x: (f(x), ft.jacrev(f)(x)), [0.0, 0.0], jac=True)
    np.testing.assert_allclose(both.x, theirs.x)
    np.testing.assert_allclose(optimize.fsolve(f, [0.0, 0.0]), theirs.x)
    slope = ft.grad(lambda a: optimize.fsolve(lambda x: x**3 - a, 1.0)[0])(8.0)
    assert slope == pytest.approx(1 / 12)


@pytest.mark.parametrize("name", ["brentq", "brenth", "bisect", "ridder", "toms748"])
def test_roots_between_two_numbers(name):
    solve = getattr(optimize, name)

    def found(a):
        return solve(lambda x, b: np.cos(a[0] * x) - b * x, 0.0, 2.0, args=(a[1],))

    a = np.array([1.1, 0.7])
    expected = getattr(scipy.optimize, name)(lambda x: np.cos(1.1 * x) - 0.7 * x, 0.0, 2.0)
    assert found(a) == pytest.approx(expected, abs=1e-11)
    agree(found, a, close=1e-10)
    value, result = solve(lambda x: x - 1, 0.0, 3.0, full_output=True)
    assert (value, result.converged) == (pytest.approx(1.0), True)
    with pytest.raises(ValueError, match="different signs"):
        solve(lambda x: x + 1, 0.0, 3.0)


def test_newton():
    def found(a):
        return optimize.newton(lambda x: x**3 - a[0] * x - a[1], 2.0)

    agree(found, np.array([1.0, 2.0]))
    many = lambda a: optimize.newton(lambda x: x**3 - a, np.full(3, 1.5))
    a = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(many(a), np.cbrt(a))
    agree(many, a)
    for more in ({"x1": 2.5}, {"fprime2": True}, {"fprime": lambda x: 3 * x**2}):
        assert optimize.newton(lambda x: x**3 - 8, 1.5, **more) == pytest.approx(2.0)
    root, result = optimize.newton(lambda x: x**3 - 8, 1.5, full_output=True)
    assert result.converged
    assert root == pytest.approx(2.0)
    with pytest.raises(RuntimeError, match="converge"):
        ft.grad(lambda a: optimize.newton(lambda x: x**2 + a, 1.0, maxiter=5))(1.0)


@pytest.mark.parametrize("method", [None, "newton", "halley", "secant", "brentq"])
def test_root_scalar(method):
    given = {"bracket": [0.5, 4.0]} if method == "brentq" else {"x0": 1.5}
    if method == "secant":
        given["x1"] = 2.5

    def found(a):
        return optimize.root_scalar(lambda x: x**3 - a[0], method=method, **given).root

    agree(found, np.array([7.0]))
    result = optimize.root_scalar(lambda x: x**3 - 8, method=method, **given)
    assert result.converged
    assert result.root == pytest.approx(2.0)


def test_fixed_point():
    found = lambda a: optimize.fixed_point(lambda x: np.cos(a * x), np.zeros(2), xtol=1e-13)
    a = np.array([1.0, 0.8])
    agree(found, a)
    theirs = scipy.optimize.fixed_point(lambda x: np.cos(x), 0.5)
    assert optimize.fixed_point(lambda x: np.cos(x), 0.5) == theirs


@pytest.mark.slow
def test_an_optimum_within_an_optimum():
    def outer(a):
        def loss(x):
            inner = optimize.minimize(lambda y: np.sum((y - x) ** 2) + np.sum(y**4), np.zeros(2)).x
            return np.sum((x - a) ** 2) + np.sum(inner)

        return optimize.minimize(loss, np.zeros(2), method="BFGS").x

    a = np.array([0.5, 1.0])
    np.testing.assert_allclose(ft.jacrev(outer)(a), numerical(outer, a, 1e-2), atol=1e-2)


def test_programs_are_plain_only():
    c, a, b = np.array([-1.0, -2.0]), np.array([[1.0, 1.0]]), np.array([1.0])
    np.testing.assert_allclose(optimize.linprog(c, a, b).x, [0.0, 1.0])
    with pytest.raises(ft.errors.MissingRuleError, match=r"linprog has no derivative.*corner"):
        ft.grad(lambda c: optimize.linprog(c, a, b).fun)(c)
    cost = np.array([[4.0, 1.0], [2.0, 3.0]])
    rows, columns = optimize.linear_sum_assignment(cost)
    assert cost[rows, columns].sum() == 3.0
    with pytest.raises(ft.errors.MissingRuleError, match="stop_gradient"):
        ft.grad(lambda c: optimize.linear_sum_assignment(c)[0])(cost)

    def assigned(cost):
        pairs = optimize.linear_sum_assignment(ft.stop_gradient(cost))
        return np.sum(cost[pairs])

    np.testing.assert_array_equal(ft.grad(assigned)(cost), [[0, 1], [1, 0]])


def test_other_names_are_scipys():
    assert optimize.OptimizeResult is scipy.optimize.OptimizeResult
    with pytest.raises(AttributeError, match="has no attribute 'minimise'"):
        optimize.minimise  # noqa: B018
