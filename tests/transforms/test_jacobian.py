"""Jacobians against closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def test_jacrev_over_trees():
    def f(p, x):
        return {"a": p["w"] @ x, "b": p["s"] * x[0]}

    p = {"w": np.arange(6.0).reshape(2, 3), "s": 2.0}
    x = np.array([1.0, 2.0, 3.0])
    jacobian = ft.jacrev(f)(p, x)
    assert jacobian["a"]["w"].shape == (2, 2, 3)
    np.testing.assert_array_equal(jacobian["a"]["w"][1, 1], x)
    np.testing.assert_array_equal(jacobian["a"]["s"], np.zeros(2))
    assert jacobian["b"]["s"] == 1.0
    by_x = ft.jacrev(f, argnums=1)(p, x)
    np.testing.assert_array_equal(by_x["a"], p["w"])


def test_jacrev_of_an_empty_output():
    assert ft.jacrev(lambda x: x[:0])(np.ones(3)).shape == (0, 3)


def test_hessian_by_nesting():
    def rosenbrock(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    hessian = ft.jacrev(ft.grad(rosenbrock))(np.array([1.0, 1.0]))
    np.testing.assert_allclose(hessian, [[802.0, -400.0], [-400.0, 200.0]], rtol=1e-12)


def test_jacrev_has_aux_and_argnums():
    jacobian, aux = ft.jacrev(lambda x, y: (x * y, y), argnums=(0, 1), has_aux=True)(2.0, 3.0)
    assert (jacobian, aux) == ((3.0, 2.0), 3.0)


# Forward mode, and both


def quadratic(p, x):
    return {"a": p["w"] @ x, "b": p["s"] * x[0] ** 2}


def test_forward_and_reverse_agree():
    p = {"w": np.arange(6.0).reshape(2, 3), "s": 2.0}
    x = np.array([1.0, 2.0, 3.0])
    for argnums in (0, 1, (0, 1)):
        by_reverse = ft.jacrev(quadratic, argnums)(p, x)
        by_forward = ft.jacfwd(quadratic, argnums)(p, x)
        assert ft.tree.structure(by_reverse) == ft.tree.structure(by_forward)
        for a, b in zip(ft.tree.leaves(by_reverse), ft.tree.leaves(by_forward), strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.shape(a) == np.shape(b)


def test_forward_has_aux_and_empty_arrays():
    jacobian, aux = ft.jacfwd(lambda x: (x**2, {"x": x}), has_aux=True)(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(jacobian, np.diag([2.0, 4.0]))
    np.testing.assert_array_equal(aux["x"], [1.0, 2.0])
    assert ft.jacfwd(lambda x: x[:0])(np.ones(3)).shape == (0, 3)
    assert ft.jacfwd(lambda x: np.sum(x))(np.ones((0, 2))).shape == (0, 2)
    assert ft.jacrev(lambda x: np.sum(x))(np.ones((0, 2))).shape == (0, 2)


def test_complex_jacobians():
    z = np.array([1.0 + 2.0j, 0.5j])
    for jacobian in (ft.jacrev, ft.jacfwd):
        result = jacobian(lambda z: z**2, holomorphic=True)(z)
        np.testing.assert_allclose(result, np.diag(2 * z))


def partials(f, z, step=1e-6):
    """Derivatives by the real and by the imaginary part of each element, by differences."""
    units = np.eye(z.size).reshape(z.size, *z.shape)
    by = lambda u: (f(z + step * u) - f(z - step * u)) / (2 * step)
    join = lambda unit: np.moveaxis([by(unit * u) for u in units], 0, -1)
    return join(1), join(1j) if z.dtype.kind == "c" else None


def test_jacobians_of_real_functions_of_complex_numbers():
    z = np.array([1.0 + 2.0j, 0.5j - 1])
    f = lambda z: np.stack([np.abs(z[0] * z[1]), np.real(z[0] ** 2), np.imag(z[1]) * 3])
    by_x, by_y = partials(f, z)
    for jacobian in (ft.jacrev, ft.jacfwd):
        for run in (jacobian(f), ft.jit(jacobian(f))):
            np.testing.assert_allclose(run(z), by_x - 1j * by_y, rtol=1e-7, atol=1e-8)
    mixed = lambda d: np.abs(d["z"]) * d["x"]
    given = {"z": z.astype(np.complex64), "x": np.array([2.0, 3.0], np.float32)}
    found, expected = ft.jacfwd(mixed)(given), ft.jacrev(mixed)(given)
    for name, dtype in (("z", np.complex64), ("x", np.float32)):
        assert found[name].dtype == expected[name].dtype == dtype
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_jacobians_of_complex_functions_of_real_numbers():
    x = np.array([1.0, 2.0, 0.5])
    f = lambda x: np.fft.fft(x**2)
    by_x, _ = partials(f, x)
    dft = np.fft.fft(np.eye(3), axis=0)
    for jacobian in (ft.jacrev, ft.jacfwd):
        for run in (jacobian(f), ft.jit(jacobian(f))):
            np.testing.assert_allclose(run(x), by_x, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(jacobian(np.fft.fft)(x), dft, atol=1e-14)
        assert jacobian(lambda x: x * 1j)(2.0) == 1j
        pair = jacobian(lambda x: (np.sum(x), np.sum(x) * 2j))(x)
        assert [part.dtype for part in pair] == [np.float64, np.complex128]
        np.testing.assert_array_equal(pair[1], [2j, 2j, 2j])
    hessian = ft.hessian(lambda x: np.sum(np.exp(1j * x)))(x)
    np.testing.assert_allclose(hessian, np.diag(-np.exp(1j * x)), atol=1e-14)


def test_a_jacobian_that_is_no_complex_number_is_refused():
    for jacobian in (ft.jacrev, ft.jacfwd, ft.hessian):
        with pytest.raises(errors.OutputTypeError, match="holomorphic=True where the function is"):
            jacobian(lambda z: z * np.conj(z))(1.0 + 2.0j)
    with pytest.raises(errors.OutputTypeError, match="needs a real output"):
        ft.hessian(lambda z: np.abs(z) ** 2)(1.0 + 2.0j)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_hessian_and_its_products():
    x = np.random.default_rng(0).normal(size=5)
    hessian = ft.hessian(rosenbrock)(x)
    np.testing.assert_allclose(hessian, ft.jacrev(ft.grad(rosenbrock))(x), rtol=1e-10)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    v = np.arange(5.0)
    np.testing.assert_allclose(ft.hvp(rosenbrock)(x, v), hessian @ v, rtol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.hessian(rosenbrock))(x), hessian, rtol=1e-10)
    np.testing.assert_allclose(ft.vmap(ft.hessian(rosenbrock))(x[None])[0], hessian, rtol=1e-10)


def test_hessian_over_a_tree():
    hessian = ft.hessian(lambda p: p["a"] ** 2 * np.sum(p["b"]))({"a": 3.0, "b": np.ones(2)})
    assert hessian["a"]["a"] == 4.0
    np.testing.assert_array_equal(hessian["a"]["b"], [6.0, 6.0])
    np.testing.assert_array_equal(hessian["b"]["a"], [6.0, 6.0])
    np.testing.assert_array_equal(hessian["b"]["b"], np.zeros((2, 2)))


@pytest.mark.parametrize("derivative", [ft.jacfwd, ft.jacrev, ft.hessian])
@pytest.mark.parametrize("x", [1.0, np.float64(1.0), np.array(1.0)], ids=["float", "scalar", "0-d"])
@pytest.mark.parametrize("f", [np.sin, lambda x: np.sum(x * np.arange(3.0))])
def test_a_derivative_of_a_number_by_a_number_is_a_scalar_as_the_gradient_is(derivative, x, f):
    nested = ft.jacfwd(ft.jacfwd(f))
    for transformed in (derivative(f), ft.jit(derivative(f)), nested, ft.jit(nested)):
        assert type(transformed(x)) is type(ft.grad(f)(x)) is np.float64


@pytest.mark.thinned
@pytest.mark.parametrize(
    "f",
    [
        np.exp,
        lambda x: np.exp(x) * np.exp(x / 2),
        lambda x: ft.scan(lambda c, _: (np.exp(c), None), x, None, length=1)[0],
        ft.jit(np.exp),
        ft.checkpoint(np.exp),
        lambda x: ft.cond(x[0] > 0, np.exp, np.sin, x),
        lambda x: ft.jacfwd(lambda y: np.exp(y * x))(np.ones(2)),
    ],
)
@pytest.mark.parametrize("order", list(itertools.product([ft.jacfwd, ft.jacrev], repeat=2)))
def test_infinite_derivatives_leave_the_zeros_of_others_in_every_mode(f, order):
    first, second = order
    x = np.array([800.0, 1.0])
    with np.errstate(all="ignore"):
        for derivative in (first(f), first(second(f))):
            expected = derivative(x)
            assert not np.isnan(expected).any()
            mapped = ft.vmap(derivative)
            for found in (ft.jit(derivative)(x), mapped(x[None])[0], ft.jit(mapped)(x[None])[0]):
                np.testing.assert_allclose(found, expected, rtol=1e-14)  # and zeros are zeros
