"""Where NumPy gives a scalar so does every transformation, and where a 0-d array, such an array."""

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp

SCALAR, ARRAY, SINGLE = np.float64(0.7), np.array(0.7), np.array([0.7])
VECTOR, MATRIX = np.array([0.3, 0.7, 0.2]), np.array([[0.5, 0.2], [0.1, 0.9]])

OF_NUMBERS = {
    name: getattr(fnp, name)
    for name in (
        "sin", "negative", "absolute", "positive", "real", "conj", "angle", "round", "nan_to_num",
        "copy", "ravel", "squeeze", "transpose", "sum", "mean", "max", "prod", "any", "argmax",
        "std", "cumsum", "median", "ptp", "zeros_like", "ones_like", "asarray", "array",
        "asanyarray", "ascontiguousarray", "atleast_1d", "float64", "average", "nanmax",
        "isfinite", "floor",
    )
} | {
    "x[...]": lambda x: x[...],
    "x[()]": lambda x: x[()],
    "x.T": lambda x: x.T,
    "x.copy()": lambda x: x.copy(),
    "x.astype": lambda x: x.astype(np.float32),
    "x.reshape": lambda x: x.reshape(()),
    "x + x": lambda x: x + x,
    "x ** 2": lambda x: x**2,
    "where": lambda x: np.where(x > 0, x, 0.0),
    "select": lambda x: np.select([x > 0], [x], 0.0),
    "clip": lambda x: np.clip(x, 0, 1),
    "sum keepdims": lambda x: np.sum(x, keepdims=True),
    "sum axis=()": lambda x: np.sum(x, axis=()),
    "max keepdims": lambda x: np.max(x, keepdims=True),
    "einsum": lambda x: np.einsum("->", x),
    "einsum ellipsis": lambda x: np.einsum("...->...", x),
    "einsum optimized": lambda x: np.einsum("->", x, optimize=True),
    "einsum product": lambda x: np.einsum(",->", x, x),
    "tensordot": lambda x: np.tensordot(x, x, 0),
    "dot": lambda x: np.dot(x, x),
    "kron": lambda x: np.kron(x, x),
    "broadcast_to": lambda x: np.broadcast_to(x, ()),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, x)[0],
    "tile": lambda x: np.tile(x, ()),
    "full": lambda x: fnp.full((), x),
    "full_like": lambda x: np.full_like(x, 2.0),
    "asarray then sum": lambda x: fnp.asarray(np.sum(x)),
    "asarray then transpose": lambda x: np.transpose(fnp.asarray(x)),
    "asarray then number": lambda x: fnp.float64(fnp.asarray(x)),
    "interp": lambda x: np.interp(x, [0.0, 1.0], [2.0, 3.0]),
}  # fmt: skip

OF_ARRAYS = {
    "x[0]": (lambda x: x[0], VECTOR),
    "x[..., 0]": (lambda x: x[..., 0], VECTOR),
    "x[array]": (lambda x: x[np.array(0)], VECTOR),
    "x[..., array]": (lambda x: x[..., np.array(0)], VECTOR),
    "iteration": (lambda x: next(iter(x)), VECTOR),
    "unstack": (lambda x: np.unstack(x)[1], VECTOR),
    "take": (lambda x: np.take(x, 0), VECTOR),
    "squeeze": (lambda x: np.squeeze(x), SINGLE),
    "reshape": (lambda x: np.reshape(x, ()), SINGLE),
    "squeeze of a matrix": (lambda x: x[:1, :1].squeeze(), MATRIX),
    "reshape of a sum": (lambda x: np.reshape(np.sum(x), ()), VECTOR),
    "reshape of a kept sum": (lambda x: np.reshape(np.sum(x, keepdims=True), ()), VECTOR),
    "array of a sum": (lambda x: fnp.array(np.sum(x)), VECTOR),
    "array of an element": (lambda x: fnp.array(x[0]), VECTOR),
    "sum": (lambda x: x.sum(), VECTOR),
    "median": (lambda x: np.median(x), VECTOR),
    "quantile": (lambda x: np.quantile(x, 0.3), VECTOR),
    "average": (lambda x: np.average(x, weights=x, returned=True)[1], VECTOR),
    "average unweighted": (lambda x: np.average(x, returned=True)[1], VECTOR),
    "cov": (lambda x: np.cov(x), VECTOR),
    "dot": (lambda x: x @ x, VECTOR),
    "inner": (lambda x: np.inner(x, x), VECTOR),
    "tensordot": (lambda x: np.tensordot(x, x), MATRIX),
    "einsum sum": (lambda x: np.einsum("i->", x), VECTOR),
    "einsum of one": (lambda x: np.einsum("i->", x), SINGLE),
    "einsum of ones": (lambda x: np.einsum("i,i->", x, x), SINGLE),
    "einsum trace": (lambda x: np.einsum("ii", x), MATRIX),
    "einsum of two": (lambda x: np.einsum("ij,ij->", x, x), MATRIX),
    "einsum of three": (lambda x: np.einsum("i,ij,j", x[0], x, x[1]), MATRIX),
    "optimized sum": (lambda x: np.einsum("i->", x, optimize=True), VECTOR),
    "optimized two": (lambda x: np.einsum("ij,ij->", x, x, optimize="optimal"), MATRIX),
    "optimized three": (lambda x: np.einsum("i,ij,j", x[0], x, x[1], optimize=True), MATRIX),
    "optimized outer": (lambda x: np.einsum("i,j->", x, x, optimize=True), VECTOR),
    "norm": (lambda x: np.linalg.norm(x), MATRIX),
    "det": (lambda x: np.linalg.det(x), MATRIX),
    "trace": (lambda x: np.trace(x), MATRIX),
    "reduce": (lambda x: np.add.reduce(x), VECTOR),
    "written": (lambda x: _written(x[..., 0].copy()), VECTOR),
}  # fmt: skip


def _written(x):
    x += 1.0
    return x


def _aux(f):
    def with_aux(x):
        return 0.0 * np.sum(x), f(x)

    return with_aux


MODES = {
    "grad": lambda f, x: ft.grad(_aux(f), has_aux=True)(x)[1],
    "jvp": lambda f, x: ft.jvp(f, (x,), (np.ones_like(x)[()],))[0],
    "vjp": lambda f, x: ft.vjp(f, x)[0],
    "jit": lambda f, x: ft.jit(f)(x),
    "make_ir": lambda f, x: ft.evaluate(ft.make_ir(f)(x), x)[0],
    "jit of grad": lambda f, x: ft.jit(ft.grad(_aux(f), has_aux=True))(x)[1],
    "grad of jit": lambda f, x: ft.grad(ft.jit(_aux(f)), has_aux=True)(x)[1],
    "jit of jit": lambda f, x: ft.jit(lambda t: ft.jit(f)(t))(x),
    "jit of checkpoint": lambda f, x: ft.jit(ft.checkpoint(f))(x),
    "cond": lambda f, x: ft.cond(True, f, f, x),
}


def _class_of(x):
    return type(x) if isinstance(x, np.ndarray) else np.asarray(x).dtype.type


@pytest.mark.thinned
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("f", OF_NUMBERS.values(), ids=OF_NUMBERS)
def test_results_of_numbers_are_of_numpys_class(f, mode):
    for x in (SCALAR, ARRAY):
        assert _class_of(mode(f, x)) is _class_of(f(x)), type(x)


@pytest.mark.thinned
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize(("f", "x"), OF_ARRAYS.values(), ids=OF_ARRAYS)
def test_results_of_arrays_are_of_numpys_class(f, x, mode):
    assert _class_of(mode(f, x)) is _class_of(f(x))


@pytest.mark.parametrize("mode", [ft.jit, lambda f: lambda x: ft.cond(x > 0, f, f, x)])
def test_branches_that_make_arrays_give_one(mode):
    result = ft.jit(mode(fnp.asarray))(SCALAR)
    assert type(result) is np.ndarray
    assert result == SCALAR


@pytest.mark.parametrize("function", [np.real, np.imag], ids=["real", "imag"])
@pytest.mark.parametrize("x", [True, 2, 2.5, 1 + 2j, np.True_, np.float32(2.0), np.array(1 + 2j)])
def test_parts_of_numbers_of_python_are_such_numbers(function, x):
    expected = function(x)
    for found in (
        ft.jit(function)(x),
        ft.vjp(function, x)[0],
        ft.evaluate(ft.make_ir(function)(x), x)[0],
    ):
        assert type(found) is type(expected)
        assert found == expected

    def scaled(x):
        return function(x) * np.ones(2, np.float32)

    for found in (ft.jit(scaled)(x), ft.vjp(scaled, x)[0]):
        assert found.dtype == scaled(x).dtype
