"""Functions of ``scipy.optimize``: minimizers, least squares and roots, of trees, with derivatives.

SciPy finds the values. It is handed exact derivatives of what it solves, compiled, and the results
are themselves differentiable by whatever the function closes over and by ``args``, in both modes
and to every order, by the implicit function theorem. That takes the solution to be regular: the
Hessian (or Jacobian) there is not singular, limits on which it lies hold it there, and those on
which it does not lie do not matter. Derivatives do not depend on where the search begins, and are
as exact as the solution is.

Under ``jit`` and ``vmap`` SciPy is called when the values are known, under ``vmap`` for one example
after the other. Where the result is traced, what no array can say is left out of it, as is
``message`` under ``jit``, and a search that fails gives a `ConvergenceWarning`.

Names of ``scipy.optimize`` that are not defined here are SciPy's own, for plain values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError, MissingRuleError
from functrace.ir.types import ArrayType
from functrace.primitives.linear import cast_to, known_value, shape_of
from functrace.solvers.functions import DOUBLE, Function, Vector, is_traced, is_unknown, scalar
from functrace.solvers.optima import Limits, multipliers
from functrace.solvers.solutions import by_matrix, elementwise, solution, symmetric, warn_of_failure
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import names_of_scipy, scipy_module
from functrace.transforms.forward import jvp
from functrace.transforms.jacobian import hessian, hvp, jacobian
from functrace.transforms.reverse import grad, value_and_grad

NUMBER = ArrayType((), DOUBLE)
COUNT = ArrayType((), np.dtype(np.int64))
TRUTH = ArrayType((), np.dtype(bool))

WITHOUT_GRADIENT = {"nelder-mead", "powell", "cobyla", "cobyqa"}
WITH_HESSIAN = {"dogleg", "trust-exact"}
WITH_PRODUCT = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
"""Methods of `minimize` that use no gradient, the Hessian, and its products with vectors."""


def _scipy(name: str) -> Any:
    return scipy_module("optimize", f"functrace.scipy.optimize.{name}")


def _as_tuple(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,)


class Bounds:
    """Bounds of parameters that are a tree; as ``scipy.optimize.Bounds``.

    Attributes:
        lb: The least parameters: a tree like them, in which a number stands for a whole leaf; a
            number stands for all leaves.
        ub: The largest.
        keep_feasible: As SciPy has it.

    Example:
        >>> from functrace.scipy import optimize
        >>> optimize.minimize(lambda x: x**2, 3.0, bounds=optimize.Bounds(1.0, 4.0)).x.round(3)
        array([1.])
    """

    def __init__(self, lb: Any = -np.inf, ub: Any = np.inf, keep_feasible: Any = False) -> None:
        """Keep them."""
        self.lb, self.ub, self.keep_feasible = lb, ub, keep_feasible


_OPEN = (-np.inf, np.inf)


def _is_pair(x: Any) -> bool:
    """Whether it is the least and the largest of a parameter; None for neither."""
    if type(x) not in (tuple, list):
        return x is None
    return len(x) == 2 and not any(isinstance(end, tuple | list | dict) for end in x)


def _bounds(bounds: Any, vector: Vector, asked: str) -> tuple[Any, Any]:
    """Bounds as two vectors, in whatever way SciPy or a user says them."""
    if hasattr(bounds, "lb"):
        return vector.of(bounds.lb, f"{asked}.lb"), vector.of(bounds.ub, f"{asked}.ub")
    size = shape_of(vector.flat)[0]
    if vector.structure == tree.LEAF and not _is_pair(bounds):
        pairs, shapes = list(bounds), [()] * size
    else:
        like = vector.structure.unflatten(vector.leaves)
        try:
            pairs, shapes = tree.broadcast_prefix(bounds, like, is_leaf=_is_pair), vector.shapes
        except ValueError as error:
            raise ArgumentError(
                f"{asked} is no tree of pairs like the parameters. {error}",
                advice='Write a pair for each, as in {"a": (0, None), "b": (None, None)}; or '
                "functrace.scipy.optimize.Bounds(least, largest), with trees or numbers.",
            ) from None
    pairs = [_OPEN if pair is None else pair for pair in pairs]
    if len(pairs) != len(shapes) or not all(hasattr(x, "__len__") and len(x) == 2 for x in pairs):
        raise ArgumentError(
            f"{asked} must be one pair for each of {size} parameters.",
            advice="Write functrace.scipy.optimize.Bounds(least, largest), with trees or numbers.",
        )
    ends = [
        [missing if pair[end] is None else pair[end] for pair in pairs]
        for end, missing in enumerate(_OPEN)
    ]
    lower, upper = (
        vector.joined([np.broadcast_to(as_operand(x), s) for x, s in zip(end, shapes, strict=True)])
        for end in ends
    )
    return lower, upper


def _ends(bounds: Any, vector: Vector) -> tuple[Any, Any]:
    """Bounds of `least_squares` and `curve_fit`: a pair of trees, or what `minimize` takes."""
    bounds = _OPEN if bounds is None else bounds
    if type(bounds) in (tuple, list) and len(bounds) == 2:
        lower, upper = (vector.of(end, "bounds") for end in bounds)
        return lower, upper
    return _bounds(bounds, vector, "bounds")


def _raveled(x: Any) -> Any:
    """All leaves of a tree as one vector of float64."""
    return Vector(x, "The result").flat


# Minimizers


def _constraints(constraints: Any, vector: Vector) -> tuple[Function | None, tuple[Any, Any]]:
    """All constraints as one function of vectors, with the least and the largest values."""
    single = isinstance(constraints, dict) or hasattr(constraints, "lb")
    given = [constraints] if single else list(constraints)
    if not given:
        return None, (np.zeros(0), np.zeros(0))
    functions: list[Callable[[Any], Any]] = []
    limits: list[tuple[Any, Any]] = []
    for constraint in given:
        if isinstance(constraint, dict):
            kind, more = str(constraint["type"]).lower(), _as_tuple(constraint.get("args", ()))
            if kind not in ("eq", "ineq"):
                raise ValueError(f"Unknown constraint type '{constraint['type']}'.")
            user = constraint["fun"]
            functions.append(lambda flat, f=user, a=more: _raveled(f(vector.tree(flat), *a)))
            limits.append((0.0, 0.0 if kind == "eq" else np.inf))
            continue
        if hasattr(constraint, "A"):
            functions.append(lambda flat, a=constraint.A: np.atleast_1d(a @ flat))
        else:
            user = constraint.fun
            functions.append(lambda flat, f=user: _raveled(f(vector.tree(flat))))
        limits.append((constraint.lb, constraint.ub))
    parts = Function(lambda flat: [f(flat) for f in functions], vector.type)
    shapes = parts.shapes(vector.flat)
    lower, upper = (
        np.concatenate(
            [
                np.broadcast_to(cast_to(as_operand(limit[end]), DOUBLE), shape)
                for limit, shape in zip(limits, shapes, strict=True)
            ]
        )
        for end in range(2)
    )
    whole = Function(lambda flat: np.concatenate(parts(flat)), vector.type)
    return whole, (lower, upper)


def _nonlinear(
    optimize: Any, method: Any, rows: Any, limits: tuple[Any, Any], compiled: Sequence[Any]
) -> Any:
    """Some of the constraints, as SciPy takes them: equations apart from inequalities."""
    values, slopes, curvature = compiled
    more: dict[str, Any] = {}
    if method == "trust-constr":  # the other methods do without

        def combined(x: Any, v: Any) -> Any:
            full = np.zeros(len(rows))
            full[rows] = v
            return curvature(x, full)

        more["hess"] = combined
    return optimize.NonlinearConstraint(
        lambda x: values(x)[rows],
        *(end[rows] for end in limits),
        jac=lambda x: slopes(x)[rows],
        **more,
    )


def _given_derivatives(
    fun: Any, vector: Vector, args: tuple[Any, ...], jac: Any, hess: Any, hessp: Any
) -> dict[str, Function]:
    """The derivatives that the user gives, as functions of vectors."""
    found: dict[str, Function] = {}
    if jac is True:
        found["jac"] = Function(
            lambda flat: vector.of(fun(vector.tree(flat), *args)[1], "The gradient"), vector.type
        )
    elif callable(jac):
        found["jac"] = Function(
            lambda flat: vector.of(jac(vector.tree(flat), *args), "What jac returned"), vector.type
        )
    if callable(hessp):
        found["hessp"] = Function(
            lambda flat, v: vector.of(
                hessp(vector.tree(flat), vector.tree(v), *args), "What hessp returned"
            ),
            vector.type,
            vector.type,
        )
    if callable(hess):
        if vector.structure != tree.LEAF:
            raise ArgumentError(
                "hess is a function, but the parameters of minimize are no single array.",
                advice="Leave hess out: functrace has the Hessian of any tree.",
            )
        found["hess"] = Function(lambda flat: hess(vector.tree(flat), *args), vector.type)
    return found


def _derivatives(
    method: Any,
    objective: Function,
    others: dict[str, Function],
    captured: dict[str, Sequence[Any]],
    asked: dict[str, Any],
) -> dict[str, Any]:
    """What SciPy's minimize is told of a function: its values and derivatives, compiled."""
    name = method.lower() if isinstance(method, str) else ""
    inside = captured["value"]

    def compiled(kind: str, transform: Callable[..., Any]) -> Any:
        return objective.compiled(kind, transform, inside)

    told = {key: value for key, value in asked.items() if value is not None and value is not True}
    for key, function in others.items():
        told[key] = function.compiled("value", _as_it_is, captured[key])
    if name in WITHOUT_GRADIENT:
        return {**told, "fun": compiled("value", _as_it_is)}
    if "jac" in told:
        told["fun"] = compiled("value", _as_it_is)
    else:
        told.update(fun=compiled("value and gradient", value_and_grad), jac=True)
    if not told.keys() & {"hess", "hessp"}:
        if name in WITH_HESSIAN:
            told["hess"] = compiled("hessian", hessian)
        elif name in WITH_PRODUCT:
            told["hessp"] = compiled("product", _product)
    return told


def _as_it_is(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


def _product(f: Callable[..., Any]) -> Callable[..., Any]:
    """As `hvp`; SciPy has vectors of integers, too."""
    return lambda x, v: hvp(f)(x, cast_to(v, DOUBLE))


def _of_both(f: Callable[..., Any]) -> Callable[..., Any]:
    """The Hessian of a combination of a function's values."""
    return lambda x, v: hessian(lambda x: np.sum(f(x) * v))(x)


_OF_CONSTRAINTS: dict[str, Callable[..., Any]] = {
    "value": _as_it_is,
    "jacobian": jacobian,
    "hessian of both": _of_both,
}
"""What SciPy is told of constraints; what it does not ask for is not compiled."""


def _on_trees(callback: Any, vector: Vector) -> Any:
    """A callback of the user's, which takes trees, as SciPy calls one."""
    if callback is None:
        return None
    if "intermediate_result" in inspect.signature(callback).parameters:

        def told(intermediate_result: Any) -> Any:
            intermediate_result.x = vector.tree(np.copy(intermediate_result.x))
            return callback(intermediate_result)

        return told
    return lambda x, *state: callback(vector.tree(np.copy(x)), *state)


def _with_trees(result: Any, vector: Vector) -> Any:
    """A result with trees in place of vectors."""
    result["x"] = vector.tree(result["x"])
    slope = result.get("jac")
    if not isinstance(slope, list | None):  # which it is where SciPy means constraints
        result["jac"] = vector.tree(slope)
    return result


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: Any = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Minimize a function of a tree of parameters, as ``scipy.optimize.minimize``.

    Args:
        fun: ``fun(x, *args)`` returns one real number.
        x0: Where to begin: a tree of real arrays and numbers. A number, or a list of numbers, is
            an array, as for SciPy.
        args: More arguments, by which the result can be differentiated.
        method: One of SciPy's, by default BFGS, L-BFGS-B under bounds, SLSQP under constraints.
            It is given the gradient, and the Hessian or products with it where it uses them.
        jac: Another gradient: ``jac(x, *args)`` returns a tree like ``x``; True if ``fun`` returns
            it beside the value; or a name of SciPy's.
        hess: Another Hessian, of a single array ``x``, or what else SciPy takes.
        hessp: Another product, ``hessp(x, v, *args)``, of trees.
        bounds: Pairs ``(least, largest)``, one for each number of an array ``x0``, or a tree of
            them like ``x0``, in which a pair may stand for a whole part of it; None stands for
            no bound. Or a `Bounds` of trees.
        constraints: As SciPy's; their functions take trees, and their derivatives are ours.
        tol: As SciPy's.
        callback: Called with trees after each step.
        options: Of the method.

    Returns:
        An ``OptimizeResult``: ``x``, a tree like ``x0``; ``fun``; ``jac``, a tree; ``success``,
        ``status``, ``message`` and what else SciPy tells of. ``x`` and ``fun`` are differentiable;
        parameters on a bound stay on it.

    Raises:
        ArgumentError: ``fun`` returns no real number, or bounds do not fit the parameters.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import minimize
        >>> def loss(p, data):
        ...     return np.sum((data - p["mean"]) ** 2) + (p["scale"] - p["mean"]) ** 2
        >>> def mean(data):
        ...     return minimize(loss, {"mean": 0.0, "scale": 1.0}, args=data).x["mean"]
        >>> print(np.round(mean(np.array([1.0, 2.0, 6.0])), 4))
        3.0
        >>> print(np.round(ft.grad(mean)(np.array([1.0, 2.0, 6.0])), 4))
        [0.3333 0.3333 0.3333]
    """
    optimize = _scipy("minimize")
    args = _as_tuple(args)
    vector = Vector(x0, "x0 of minimize")

    def value(flat: Any, *args: Any) -> Any:
        result = fun(vector.tree(flat), *args)
        return scalar(result[0] if jac is True else result, "The function under minimize")

    objective = Function(value, vector.type, args=args)
    others = _given_derivatives(fun, vector, args, jac, hess, hessp)
    constrained, limits = _constraints(constraints, vector)
    ends = None if bounds is None else _bounds(bounds, vector, "bounds")
    functions = [objective, *others.values(), *([] if constrained is None else [constrained])]
    values, structure = tree.flatten(([f.captured for f in functions], ends, limits))
    asked = {"jac": jac, "hess": hess, "hessp": hessp}
    traced = is_traced(values, vector.flat)
    last: dict[str, Any] = {}

    def host(x: Any, *given: Any) -> list[Any]:
        captured, ends, limits = structure.unflatten(given)
        in_use = dict(zip(("value", *others), captured, strict=False))
        told = _derivatives(method, objective, others, in_use, asked)
        if ends is not None:
            told["bounds"] = optimize.Bounds(*ends, getattr(bounds, "keep_feasible", False))
        compiled: list[Any] = []
        if constrained is not None:
            compiled = [
                constrained.compiled(name, transform, captured[-1])
                for name, transform in _OF_CONSTRAINTS.items()
            ]
            told["constraints"] = [
                _nonlinear(optimize, method, rows, limits, compiled)
                for rows in (limits[0] == limits[1], limits[0] != limits[1])
                if np.any(rows)
            ]
        result = optimize.minimize(
            x0=x[: vector.type.shape[0]],
            method=method,
            tol=tol,
            callback=_on_trees(callback, vector),
            options=options,
            **told,
        )
        last.update(result)
        if not traced:
            return []
        if not result.success:
            warn_of_failure("minimize", result.message)
        slope = objective.compiled("gradient", grad, captured[0])(result.x)
        solved = result.x
        if compiled:
            at = compiled[0](solved), compiled[1](solved)
            solved = np.concatenate([solved, multipliers(solved, slope, ends, at, limits)])
        counts = [result.get(name, 0) for name in ("status", *_COUNTS)]
        return [solved, slope, result.success, *counts]

    if not traced:
        host(vector.flat, *values)
        return _with_trees(optimize.OptimizeResult(last), vector)
    flat, (slope, success, *counts) = solution(
        Limits(ends, constrained, limits).residual(grad(objective)),
        host,
        np.concatenate([vector.flat, np.zeros(shape_of(limits[0]))]),
        values,
        [vector.type, TRUTH, *[COUNT] * (1 + len(_COUNTS))],
        symmetric if ends is None and constrained is None else by_matrix,
    )
    flat = flat[: vector.type.shape[0]]
    told = {} if is_unknown(values, vector.flat) else last
    numbers = dict(zip(("status", *_COUNTS), counts, strict=True))
    said = {**told, **numbers, "success": success, "jac": slope}
    return _with_trees(
        optimize.OptimizeResult(**said | {"x": flat, "fun": objective(flat)}), vector
    )


_COUNTS = ("nit", "nfev", "njev", "nhev")


def minimize_scalar(
    fun: Callable[..., Any],
    bracket: Any = None,
    bounds: Any = None,
    args: Any = (),
    method: Any = None,
    tol: float | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Minimize a function of one number, as ``scipy.optimize.minimize_scalar``.

    Args:
        fun: ``fun(x, *args)`` returns one real number.
        bracket: Where to begin, as SciPy's.
        bounds: The least and the largest ``x``. A minimum on a bound stays on it.
        args: More arguments, by which the result can be differentiated.
        method: One of SciPy's.
        tol: As SciPy's.
        options: Of the method.

    Returns:
        An ``OptimizeResult``, whose ``x`` and ``fun`` are differentiable.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import minimize_scalar
        >>> slope = ft.grad(lambda a: minimize_scalar(lambda x: (x - a) ** 4 + (x - a) ** 2).x)(2.0)
        >>> print(slope.round(4))
        1.0
    """
    optimize = _scipy("minimize_scalar")
    args = _as_tuple(args)

    def value(x: Any) -> Any:
        return scalar(fun(x, *args), "The function under minimize_scalar")

    objective = Function(value, NUMBER)
    ends = None if bounds is None else tuple(cast_to(as_operand(x), DOUBLE) for x in bounds)
    values, structure = tree.flatten((objective.captured, ends))
    traced = is_traced(values)
    last: dict[str, Any] = {}

    def host(_: Any, *given: Any) -> list[Any]:
        captured, ends = structure.unflatten(given)
        on_plain = objective.compiled("value", _as_it_is, captured)
        result = optimize.minimize_scalar(
            on_plain, tree.map(known_value, bracket), ends, (), method, tol, options
        )
        last.update(result)
        if traced and not result.success:
            warn_of_failure("minimize_scalar", result.message)
        return [result.x, result.success, result.nit, result.nfev]

    if not traced:
        host(0.0, *values)
        return optimize.OptimizeResult(last)
    residual = Limits(ends).residual(grad(objective))
    x, said = solution(residual, host, np.float64(0), values, [TRUTH, COUNT, COUNT], elementwise)
    told = {} if is_unknown(values) else last
    said = dict(zip(("success", "nit", "nfev"), said, strict=True))
    return optimize.OptimizeResult(**{**told, **said, "x": x, "fun": objective(x)})


# Least squares


def _linear(z: Any) -> Any:
    return z


def _soft_l1(z: Any) -> Any:
    return 2 * (np.sqrt(1 + z) - 1)


def _huber(z: Any) -> Any:
    return np.where(z <= 1, z, 2 * np.sqrt(np.where(z <= 1, 1.0, z)) - 1)


LOSSES: dict[str, Callable[[Any], Any]] = {
    "linear": _linear,
    "soft_l1": _soft_l1,
    "huber": _huber,
    "cauchy": np.log1p,
    "arctan": np.arctan,
}
"""What SciPy's least_squares sums of the squares, by name."""


def least_squares(
    fun: Callable[..., Any],
    x0: Any,
    jac: Any = None,
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    *,
    loss: Any = "linear",
    f_scale: float = 1.0,
    args: Any = (),
    kwargs: Any = None,
    **options: Any,
) -> Any:
    """Minimize the sum of squares of residuals, as ``scipy.optimize.least_squares``.

    Args:
        fun: ``fun(x, *args, **kwargs)`` returns the residuals, a tree of arrays.
        x0: Where to begin: a tree of real arrays and numbers.
        jac: By default the exact Jacobian; or a function of a single array ``x``, or a name of
            SciPy's.
        bounds: The least and the largest parameters; or as in `minimize`.
        method: "trf", "dogbox" or "lm".
        loss: What is summed of the squares, by its name or as a function, as SciPy has it.
        f_scale: The size from which a residual is an outlier.
        args: More arguments, by which the result can be differentiated.
        kwargs: The same by name.
        options: More arguments of SciPy's.

    Returns:
        An ``OptimizeResult``: ``x``, a tree like ``x0``, ``cost`` and ``fun``, the residuals as a
        vector, are differentiable.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import least_squares
        >>> def mean(data):
        ...     return least_squares(lambda x: x["mean"] - data, {"mean": 0.0}).x["mean"]
        >>> ft.grad(mean)(np.array([1.0, 2.0, 6.0])).round(6)
        array([0.333333, 0.333333, 0.333333])
    """
    optimize = _scipy("least_squares")
    args, kwargs = _as_tuple(args), kwargs or {}
    vector = Vector(x0, "x0 of least_squares")
    residuals = Function(
        lambda flat: _raveled(fun(vector.tree(flat), *args, **kwargs)), vector.type
    )
    ends = _ends(bounds, vector)
    others = _given_derivatives(fun, vector, args, None, jac, None)
    functions = [residuals, *others.values()]
    values, structure = tree.flatten(([f.captured for f in functions], ends))
    traced = is_traced(values, vector.flat)
    last: dict[str, Any] = {}

    def host(x: Any, *given: Any) -> list[Any]:
        captured, ends = structure.unflatten(given)
        told: dict[str, Any] = {"jac": jac, "method": method, "loss": loss, "f_scale": f_scale}
        if jac is None:
            told["jac"] = residuals.compiled("jacobian", jacobian, captured[0])
        elif others:
            told["jac"] = others["hess"].compiled("value", _as_it_is, captured[1])
        on_plain = residuals.compiled("value", _as_it_is, captured[0])
        result = optimize.least_squares(on_plain, x, bounds=ends, **told, **options)
        last.update(result)
        if traced and not result.success:
            warn_of_failure("least_squares", result.message)
        return [result.x, result.success, result.status, result.nfev]

    if not traced:
        host(vector.flat, *values)
        return optimize.OptimizeResult({**last, "x": vector.tree(last["x"])})

    def cost(flat: Any) -> Any:
        return _robust_cost(residuals(flat), loss, f_scale)

    flat, said = solution(
        Limits(None if _is_unbounded(ends) else ends).residual(grad(cost)),
        host,
        vector.flat,
        values,
        [TRUTH, COUNT, COUNT],
        symmetric if _is_unbounded(ends) else by_matrix,
    )
    told = {} if is_unknown(values, vector.flat) else last
    said = dict(zip(("success", "status", "nfev"), said, strict=True))
    found = {"x": vector.tree(flat), "cost": cost(flat), "fun": residuals(flat)}
    return optimize.OptimizeResult(**{**told, **said, **found})


def _robust_cost(residuals: Any, loss: Any, scale: Any) -> Any:
    """Half the sum of what a loss makes of the squares."""
    z = (residuals / scale) ** 2
    rho = LOSSES[loss](z) if isinstance(loss, str) else loss(z)[0]
    return 0.5 * scale**2 * np.sum(rho)


def _is_unbounded(ends: tuple[Any, Any]) -> bool:
    """Whether bounds are known to be infinite."""
    if is_traced(ends):
        return False
    return bool(np.all(np.isneginf(ends[0])) and np.all(np.isposinf(ends[1])))


def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Any = None,
    *,
    full_output: bool = False,
    **options: Any,
) -> Any:
    """Fit a function to data, as ``scipy.optimize.curve_fit``.

    Args:
        f: ``f(xdata, *parameters)`` returns what ``ydata`` is fitted by.
        xdata: What ``f`` takes first.
        ydata: The data, a vector.
        p0: Where to begin; by default ones, as many as ``f`` has parameters.
        sigma: The standard deviations of the data, or their covariance matrix.
        absolute_sigma: Whether these are the data's own, and not relative to each other.
        check_finite: As SciPy's.
        bounds: The least and the largest parameters; or as in `minimize`.
        method: "lm", "trf" or "dogbox".
        jac: By default the exact Jacobian; or a name of SciPy's.
        full_output: Whether to return what else SciPy tells of; not of traced values.
        options: More arguments of SciPy's.

    Returns:
        The parameters, a vector, and their covariance matrix. Both are differentiable, by the
        data, their deviations, and what ``f`` closes over.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import curve_fit
        >>> x = np.linspace(0.0, 1.0, 5)
        >>> fit = lambda y: curve_fit(lambda x, a, b: a * np.exp(b * x), x, y)[0]
        >>> ft.jacobian(fit)(2 * np.exp(x)).round(3)
        array([[ 0.388,  0.353,  0.265,  0.1  , -0.181],
               [-0.227, -0.192, -0.117,  0.016,  0.233]])
    """
    optimize = _scipy("curve_fit")
    vector = Vector(np.ones(_count_of_parameters(f)) if p0 is None else p0, "p0 of curve_fit")
    count = vector.type.shape[0]
    xdata = tree.map(as_operand, np.asarray(xdata) if isinstance(xdata, list | tuple) else xdata)
    ydata = cast_to(as_operand(ydata), DOUBLE)
    model = Function(
        lambda flat: f(xdata, *(flat[n] for n in range(count))) + 0 * ydata, vector.type
    )
    ends = _ends(bounds, vector)
    start = _between(*ends) if p0 is None else vector.flat
    weights = None if sigma is None else cast_to(as_operand(sigma), DOUBLE)
    values, structure = tree.flatten((model.captured, ydata, weights, ends))
    traced = is_traced(values, start)
    if traced and full_output:
        raise ArgumentError(
            "curve_fit was given full_output=True, and traced values: messages are no arrays.",
            advice="Leave full_output out, or use least_squares.",
        )

    def host(x: Any, *given: Any) -> Any:
        captured, ydata, sigma, ends = structure.unflatten(given)
        on_plain = model.compiled("value", _as_it_is, captured)
        slopes = model.compiled("jacobian", jacobian, captured)
        found = optimize.curve_fit(
            lambda _, *p: on_plain(np.array(p, float)),
            np.zeros(1),
            ydata,
            x,
            sigma,
            absolute_sigma,
            check_finite,
            ends,
            method,
            (lambda _, *p: slopes(np.array(p, float))) if jac is None else jac,
            full_output=full_output,
            **options,
        )
        return found[:1] if traced else found

    if not traced:
        return host(start, *values)

    def residuals(flat: Any) -> Any:
        difference = model(flat) - ydata
        if weights is None:
            return difference
        if np.ndim(weights) < 2:
            return difference / weights
        return np.linalg.solve(np.linalg.cholesky(weights), difference)

    unbounded = _is_unbounded(ends)
    flat, _ = solution(
        Limits(None if unbounded else ends).residual(
            grad(lambda p: 0.5 * np.sum(residuals(p) ** 2))
        ),
        host,
        start,
        values,
        (),
        symmetric if unbounded else by_matrix,
    )
    slopes = jacobian(residuals)(flat)
    covariance = np.linalg.inv(slopes.T @ slopes)
    freedom = shape_of(ydata)[0] - count
    if not absolute_sigma:
        scale = np.sum(residuals(flat) ** 2) / freedom if freedom > 0 else np.inf
        covariance = covariance * scale
    return flat, covariance


def _count_of_parameters(f: Callable[..., Any]) -> int:
    parameters = inspect.signature(f).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise ValueError("Unable to determine number of fit parameters.")
    return len(parameters) - 1


def _between(lower: Any, upper: Any) -> Any:
    """Where SciPy begins to fit within bounds."""
    is_below, is_above = np.isfinite(lower), np.isfinite(upper)
    low, high = np.where(is_below, lower, 0.0), np.where(is_above, upper, 2.0)
    low, high = np.where(is_below, low, high - 2.0), np.where(is_above, high, low + 2.0)
    return low + 0.5 * (high - low)


def leastsq(func: Callable[..., Any], x0: Any, args: Any = (), **options: Any) -> Any:
    """The parameters of the least sum of squares, as ``scipy.optimize.leastsq``, and a flag.

    Args:
        func: ``func(x, *args)`` returns the residuals.
        x0: Where to begin: a tree of real arrays and numbers.
        args: More arguments, by which the result can be differentiated.
        options: More arguments of `least_squares`, such as ``ftol``.

    Returns:
        The parameters, a tree like ``x0``, and a number from 1 to 4 where they were found.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import optimize
        >>> mean, flag = optimize.leastsq(lambda x: x - np.array([1.0, 2.0, 6.0]), 0.0)
        >>> mean.round(3)
        array([3.])
    """
    result = least_squares(func, x0, method="lm", args=args, **options)
    return result.x, result.status


# Roots


def root(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str = "hybr",
    jac: Any = None,
    tol: float | None = None,
    callback: Any = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Find where a function of a tree is zero, as ``scipy.optimize.root``.

    Args:
        fun: ``fun(x, *args)`` returns a tree with as many numbers as ``x`` has.
        x0: Where to begin: a tree of real arrays and numbers.
        args: More arguments, by which the root can be differentiated.
        method: One of SciPy's; "hybr" and "lm" are given the exact Jacobian.
        jac: Another Jacobian: a function of a single array ``x``, True if ``fun`` returns it beside
            its value, or False for SciPy's approximation.
        tol: As SciPy's.
        callback: Called with a tree and the vector of ``fun`` after each step.
        options: Of the method.

    Returns:
        An ``OptimizeResult``, whose ``x``, a tree like ``x0``, is differentiable.

    Raises:
        ArgumentError: ``fun`` returns more or fewer numbers than ``x`` has.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import root
        >>> circle = lambda a: lambda p: [p["x"] ** 2 + p["y"] ** 2 - a, p["x"] - p["y"]]
        >>> corner = lambda a: root(circle(a), {"x": 1.0, "y": 1.0}).x["x"]
        >>> print(corner(8.0).round(6), ft.grad(corner)(8.0).round(6))
        2.0 0.125
    """
    optimize = _scipy("root")
    args = _as_tuple(args)
    vector = Vector(x0, "x0 of root")

    def value(flat: Any) -> Any:
        result = fun(vector.tree(flat), *args)
        result = _raveled(result[0] if jac is True else result)
        if shape_of(result) != vector.type.shape:
            raise ArgumentError(
                f"The function under root returned {shape_of(result)[0]} numbers, for "
                f"{vector.type.shape[0]} unknowns.",
                advice="Give as many equations as there are unknowns, or use least_squares.",
            )
        return result

    function = Function(value, vector.type)
    given_slopes = jac
    if jac is True:
        given_slopes = lambda x, *args: fun(x, *args)[1]  # noqa: E731
    others = _given_derivatives(fun, vector, args, None, given_slopes, None)
    functions = [function, *others.values()]
    values, structure = tree.flatten([f.captured for f in functions])
    traced = is_traced(values, vector.flat)
    last: dict[str, Any] = {}
    on_trees = callback and (lambda x, f: callback(vector.tree(np.copy(x)), f))

    def host(x: Any, *given: Any) -> list[Any]:
        captured = structure.unflatten(given)
        slopes: Any = jac
        if others:
            slopes = others["hess"].compiled("value", _as_it_is, captured[1])
        elif jac is None and method in ("hybr", "lm"):
            slopes = function.compiled("jacobian", jacobian, captured[0])
        on_plain = function.compiled("value", _as_it_is, captured[0])
        result = optimize.root(on_plain, x, (), method, slopes, tol, on_trees, options)
        last.update(result)
        if traced and not result.success:
            warn_of_failure("root", result.message)
        return [result.x, result.success, result.get("status", 0), result.get("nfev", 0)]

    if not traced:
        host(vector.flat, *values)
        return optimize.OptimizeResult({**last, "x": vector.tree(last["x"])})
    flat, said = solution(function, host, vector.flat, values, [TRUTH, COUNT, COUNT])
    told = {} if is_unknown(values, vector.flat) else last
    said = dict(zip(("success", "status", "nfev"), said, strict=True))
    found = {"x": vector.tree(flat), "fun": function(flat)}
    return optimize.OptimizeResult(**{**told, **said, **found})


def fsolve(
    func: Callable[..., Any],
    x0: Any,
    args: Any = (),
    fprime: Any = None,
    *,
    xtol: float = 1.49012e-8,
    **options: Any,
) -> Any:
    """The root of a function of a tree, as ``scipy.optimize.fsolve``.

    Args:
        func: ``func(x, *args)`` returns a tree with as many numbers as ``x`` has.
        x0: Where to begin: a tree of real arrays and numbers.
        args: More arguments, by which the root can be differentiated.
        fprime: Another Jacobian, a function of a single array.
        xtol: As SciPy's.
        options: Of the method "hybr" of `root`.

    Returns:
        The root, a tree like ``x0``.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import optimize
        >>> optimize.fsolve(lambda x: x**2 - np.array([4.0, 9.0]), np.ones(2)).round(3)
        array([2., 3.])
    """
    return root(func, x0, args, "hybr", fprime, xtol, options=options or None).x


def _of_one_number(
    asked: str, f: Callable[..., Any], args: Any, solve: Callable[..., Any], start: Any = 0.0
) -> Any:
    """The root of a function of one number, or of each of an array's on its own.

    Args:
        asked: The name of SciPy's function.
        f: The user's function.
        args: Its other arguments.
        solve: ``solve(fast)`` returns the root and more of a function of plain values, given it
            and its first two derivatives.
        start: A number, or an array of them.

    Returns:
        The root, and what else ``solve`` returned, None where it is unknown.
    """
    args = _as_tuple(args)
    start = cast_to(as_operand(start), DOUBLE)
    shape = shape_of(start)

    def value(x: Any) -> Any:
        result = f(x, *args)
        if not shape:
            return scalar(result, f"The function under {asked}")
        return np.broadcast_to(cast_to(as_operand(result), DOUBLE), shape)

    function = Function(value, ArrayType(shape, DOUBLE))
    last: list[Any] = []

    def host(_: Any, *captured: Any) -> list[Any]:
        fast = [
            function.compiled("value", _as_it_is, captured),
            function.compiled("slope", _slope, captured),
            function.compiled("second slope", lambda f: _slope(_slope(f)), captured),
        ]
        last[:] = solve(*fast)
        return last[:1]

    if not is_traced(function.captured):
        host(start, *function.captured)
        return last
    found, _ = solution(function, host, np.zeros(shape)[()], function.captured, (), elementwise)
    return [found, None if is_unknown(function.captured) else last[1]]


def _slope(f: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative of a function that takes each element on its own."""
    return lambda x: jvp(f, (x,), (np.ones(np.shape(x))[()],))[1]


def root_scalar(
    f: Callable[..., Any],
    args: Any = (),
    method: str | None = None,
    bracket: Any = None,
    fprime: Any = None,
    fprime2: Any = None,
    x0: Any = None,
    x1: Any = None,
    xtol: float | None = None,
    rtol: float | None = None,
    maxiter: int | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Find where a function of one number is zero, as ``scipy.optimize.root_scalar``.

    Args:
        f: ``f(x, *args)`` returns a number.
        args: More arguments, by which the root can be differentiated.
        method: One of SciPy's; by default one that suits what is given, Newton's for ``x0`` alone.
        bracket: Two numbers between which the sign changes.
        fprime: Left out, or True, for the exact derivative where the method uses it.
        fprime2: The same for the second derivative, which "halley" uses.
        x0: Where to begin.
        x1: Where to begin, too.
        xtol: As SciPy's, as are ``rtol``, ``maxiter`` and ``options``.
        rtol: The relative tolerance.
        maxiter: The largest number of steps.
        options: More of the method.

    Returns:
        A ``RootResults``, whose ``root`` is differentiable.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import root_scalar
        >>> cube_root = lambda a: root_scalar(lambda x: x**3 - a, bracket=[0.0, 10.0]).root
        >>> print(ft.grad(cube_root)(8.0).round(6))
        0.083333
    """
    optimize = _scipy("root_scalar")
    bracket, x0, x1 = tree.map(known_value, (bracket, x0, x1))
    if method is None and bracket is None and x0 is not None and x1 is None:
        method = "newton"

    def solve(fast: Any, slope: Any, second: Any) -> list[Any]:
        told: dict[str, Any] = {}
        if method in ("newton", "halley"):
            told = {"fprime": slope if fprime in (None, True) else fprime}
        if method == "halley":
            told["fprime2"] = second if fprime2 in (None, True) else fprime2
        more = {"xtol": xtol, "rtol": rtol, "maxiter": maxiter, "options": options}
        result = optimize.root_scalar(fast, (), method, bracket, x0=x0, x1=x1, **told, **more)
        return [result.root, result]

    found, result = _of_one_number("root_scalar", f, args, solve)
    if result is None:
        return optimize.RootResults(found, None, None, 0, method)
    result.root = found
    return result


def _bracketing(name: str, f: Any, a: Any, b: Any, args: Any, options: dict[str, Any]) -> Any:
    """One of SciPy's methods that need two numbers between which the sign changes."""
    method = getattr(_scipy(name), name)
    a, b = known_value(a), known_value(b)
    full = options.pop("full_output", False)

    def solve(fast: Any, *_: Any) -> Any:
        return method(fast, a, b, full_output=True, **options)

    found, result = _of_one_number(name, f, args, solve)
    if result is not None:
        result.root = found
    return (found, result) if full else found


def brentq(f: Callable[..., Any], a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """A root between two numbers by Brent's method, as ``scipy.optimize.brentq``.

    Args:
        f: ``f(x, *args)`` returns a number, of different signs at ``a`` and ``b``.
        a: The one end. The root does not depend on it.
        b: The other.
        args: More arguments, by which the root can be differentiated.
        options: ``xtol``, ``rtol``, ``maxiter``, ``full_output`` and ``disp``, as SciPy's.

    Returns:
        The root; under ``full_output`` also SciPy's ``RootResults`` (None under ``jit``).

    Raises:
        ValueError: The signs are the same.
        RuntimeError: It does not converge.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import brentq
        >>> angle = lambda a: brentq(lambda x: np.cos(x) - a * x, 0.0, 2.0)
        >>> print(ft.grad(angle)(1.0).round(6))
        -0.441611
    """
    return _bracketing("brentq", f, a, b, args, options)


def brenth(f: Callable[..., Any], a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """A root between two numbers, as ``scipy.optimize.brenth``; as `brentq` here.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy import optimize
        >>> root = lambda a: optimize.brenth(lambda x: x**2 - a, 0.0, 5.0)
        >>> print(round(root(4.0), 3), round(ft.grad(root)(4.0), 3))
        2.0 0.25
    """
    return _bracketing("brenth", f, a, b, args, options)


def bisect(f: Callable[..., Any], a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """A root between two numbers by bisection, as ``scipy.optimize.bisect``; as `brentq` here.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy import optimize
        >>> root = lambda a: optimize.bisect(lambda x: x**2 - a, 0.0, 5.0)
        >>> print(round(root(4.0), 3), round(ft.grad(root)(4.0), 3))
        2.0 0.25
    """
    return _bracketing("bisect", f, a, b, args, options)


def ridder(f: Callable[..., Any], a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """A root between two numbers, as ``scipy.optimize.ridder``; as `brentq` here.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy import optimize
        >>> root = lambda a: optimize.ridder(lambda x: x**2 - a, 0.0, 5.0)
        >>> print(round(root(4.0), 3), round(ft.grad(root)(4.0), 3))
        2.0 0.25
    """
    return _bracketing("ridder", f, a, b, args, options)


def toms748(f: Callable[..., Any], a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    """A root between two numbers, as ``scipy.optimize.toms748``; as `brentq` here.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy import optimize
        >>> root = lambda a: optimize.toms748(lambda x: x**2 - a, 0.0, 5.0)
        >>> print(round(root(4.0), 3), round(ft.grad(root)(4.0), 3))
        2.0 0.25
    """
    return _bracketing("toms748", f, a, b, args, options)


def newton(
    func: Callable[..., Any],
    x0: Any,
    fprime: Any = None,
    args: Any = (),
    tol: float = 1.48e-8,
    maxiter: int = 50,
    fprime2: Any = None,
    x1: Any = None,
    rtol: float = 0.0,
    full_output: bool = False,
    disp: bool = True,
) -> Any:
    """A root by Newton's method, as ``scipy.optimize.newton``, or roots of many equations.

    Args:
        func: ``func(x, *args)``; of an array ``x0`` it takes each element on its own.
        x0: Where to begin, a number or an array.
        fprime: By default the exact derivative; another one, or None with ``x1`` for the secant
            method.
        args: More arguments, by which the root can be differentiated.
        tol: As SciPy's, as is all that follows.
        maxiter: The largest number of steps.
        fprime2: True for the exact second derivative, for Halley's method; or another one.
        x1: Where the secant method begins, too.
        rtol: The relative tolerance.
        full_output: Whether to return what SciPy tells of the search, too.
        disp: Whether to raise where it does not converge.

    Returns:
        The root, like ``x0``; under ``full_output`` more, None under ``jit``.

    Raises:
        RuntimeError: It does not converge.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import newton
        >>> print(ft.grad(lambda a: newton(lambda x: x**3 - a, 1.0))(8.0).round(6))
        0.083333
    """
    optimize = _scipy("newton")
    start, x1 = known_value(x0), known_value(x1)

    def solve(fast: Any, slope: Any, second: Any) -> list[Any]:
        told: dict[str, Any] = {}
        if callable(fprime):
            told["fprime"] = lambda x: fprime(x, *_as_tuple(args))
        elif x1 is None:
            told["fprime"] = slope
        if fprime2 is not None:
            told["fprime2"] = second if fprime2 is True else lambda x: fprime2(x, *_as_tuple(args))
        found, *more = optimize.newton(
            fast, start, tol=tol, maxiter=maxiter, x1=x1, rtol=rtol, full_output=True, disp=disp,
            **told,
        )  # fmt: skip
        return [found, more]

    found, more = _of_one_number("newton", func, args, solve, start)
    return (found, *(more or [None])) if full_output else found


def fixed_point(
    func: Callable[..., Any],
    x0: Any,
    args: Any = (),
    xtol: float = 1e-8,
    maxiter: int = 500,
    method: str = "del2",
) -> Any:
    """A point that a function maps to itself, as ``scipy.optimize.fixed_point``.

    Args:
        func: ``func(x, *args)`` returns an array like ``x``.
        x0: Where to begin: a number or an array.
        args: More arguments, by which the point can be differentiated.
        xtol: As SciPy's, as is all that follows.
        maxiter: The largest number of steps.
        method: "del2" or "iteration".

    Returns:
        The point, an array like ``x0``.

    Raises:
        RuntimeError: It does not converge.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.optimize import fixed_point
        >>> print(ft.grad(lambda a: fixed_point(lambda x: np.cos(a * x), 1.0))(1.0).round(6))
        -0.297474
    """
    optimize = _scipy("fixed_point")
    args = _as_tuple(args)
    start = cast_to(as_operand(x0), DOUBLE)
    shape = shape_of(start)

    def value(flat: Any) -> Any:
        result = func(np.reshape(flat, shape)[()], *args)
        return np.reshape(np.broadcast_to(cast_to(as_operand(result), DOUBLE), shape), (-1,))

    guess = np.reshape(start, (-1,))
    function = Function(value, ArrayType(shape_of(guess), DOUBLE))

    def host(x: Any, *captured: Any) -> list[Any]:
        on_plain = function.compiled("value", _as_it_is, captured)
        return [optimize.fixed_point(on_plain, x, (), xtol, maxiter, method)]

    if not is_traced(function.captured, guess):
        return np.reshape(host(guess, *function.captured)[0], shape)[()]
    found, _ = solution(lambda x: function(x) - x, host, guess, function.captured)
    return np.reshape(found, shape)[()]


# What works on plain values only


def _refused(name: str, why: str, instead: str, call: str, shown: str) -> Callable[..., Any]:
    """A function of SciPy's that has no derivative: it takes plain values only.

    Args:
        name: Its name.
        why: Why it has none.
        instead: What to do.
        call: The example of its docstring,
        shown: and what that prints.
    """

    def called(*args: Any, **kwargs: Any) -> Any:
        if is_traced(args, kwargs):
            raise MissingRuleError(f"{name} has no derivative: {why}", advice=instead)
        return getattr(_scipy(name), name)(*args, **kwargs)

    called.__name__ = called.__qualname__ = name
    called.__doc__ = (
        f"As ``scipy.optimize.{name}``, of plain values only.\n\n    Raises:\n"
        f"        MissingRuleError: A value is traced: {why}\n\n    Example:\n"
        "        >>> from functrace.scipy import optimize\n"
        f"        >>> {call}\n        {shown}\n    "
    )
    return called


_LINEAR = "the solution of a linear program is a corner, which jumps as the data move."
_STOP = "Hand it functrace.stop_gradient(x) where the solution is to count as constant."

linprog = _refused(
    "linprog",
    _LINEAR,
    f"{_STOP} With a smooth objective, use minimize.",
    "print(optimize.linprog([-1.0], A_ub=[[1.0]], b_ub=[3.0]).x)",
    "[3.]",
)
milp = _refused(
    "milp",
    _LINEAR,
    _STOP,
    "print(optimize.milp([-1.0], integrality=1, bounds=(0.0, 2.5)).x)",
    "[2.]",
)
linear_sum_assignment = _refused(
    "linear_sum_assignment",
    "its result are indices.",
    "Hand it functrace.stop_gradient(cost), and index the cost with the result: "
    "cost[rows, columns].sum() is differentiable.",
    "print(*optimize.linear_sum_assignment([[4, 1], [2, 8]]))",
    "[0 1] [1 0]",
)
quadratic_assignment = _refused(
    "quadratic_assignment",
    "its result are indices.",
    _STOP,
    "import numpy as np\n"
    '        >>> options = {"rng": np.random.default_rng(0)}\n'
    "        >>> flow = distance = [[0, 3], [1, 0]]\n"
    "        >>> print(optimize.quadratic_assignment(flow, distance, options=options).col_ind)",
    "[1 0]",
)


globals().update(entrances(globals()))
__getattr__ = names_of_scipy("optimize")
