"""Derivatives at equal eigenvalues and singular values, and at singular values that are zero."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft

rng = np.random.default_rng(0)
WEIGHTS = rng.normal(size=(3, 3))
DIRECTION = rng.normal(size=(3, 3))
TURN = np.linalg.qr(rng.normal(size=(3, 3))).Q
UNIT = np.zeros((3, 3))
UNIT[0, 1] = 1.0
MATRICES = {
    "identity": np.eye(3),
    "two equal": TURN @ np.diag([1.0, 1.0, 2.0]) @ TURN.T,
    "complex": (1 + 0j) * np.eye(3),
    "distinct": np.diag([1.0, 2.0, 3.0]),
}


def hermitian(x):
    return (x + np.conj(x.T)) / 2


def spectral(f):
    def function(x):
        values, vectors = np.linalg.eigh(hermitian(x))
        return (vectors * f(values)) @ np.conj(vectors.T)

    return function


def numerical(f, x):
    """The gradient of a real function by central differences."""
    steps = [1.0, 1j] if np.iscomplexobj(x) else [1.0]
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        for step in steps:
            h = np.zeros_like(x)
            h[index] = 1e-5 * step
            gradient[index] += (f(x + h) - f(x - h)) / 2e-5 * np.conj(step)
    return gradient


def pairing(gradient, tangent):
    return np.sum(np.real(gradient * tangent))


def check_first_order(loss, x, atol=1e-7):
    expected = numerical(loss, x)
    gradients = [ft.grad(loss)(x), ft.grad(ft.jit(loss))(x), ft.vmap(ft.grad(loss))(x[None])[0]]
    for gradient in gradients:
        np.testing.assert_allclose(gradient, expected, atol=atol)
    tangent = DIRECTION[: x.shape[0], : x.shape[1]].astype(x.dtype)
    pushed = [ft.jvp(loss, (x,), (tangent,))[1]]
    pushed.append(ft.vmap(lambda t: ft.jvp(loss, (x,), (t,))[1])(tangent[None])[0])
    np.testing.assert_allclose(pushed, [pairing(expected, tangent)] * 2, atol=atol)


@pytest.mark.thinned
@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("weights", [WEIGHTS, np.ones((3, 3)), UNIT], ids=["drawn", "ones", "unit"])
@pytest.mark.parametrize(
    "f", [np.sqrt, np.log, np.exp, lambda w: 1 / w, lambda w: (w - 1) ** 2],
    ids=["sqrt", "log", "exp", "inverse", "square"],
)  # fmt: skip
def test_functions_of_matrices(f, weights, name):
    check_first_order(lambda x: np.sum(weights * np.real(spectral(f)(x))), MATRICES[name])


def test_sums_of_functions_of_one_factorization():
    def loss(x):
        values, vectors = np.linalg.eigh(hermitian(x))
        root, logarithm = (vectors * np.sqrt(values)) @ vectors.T, np.sum(np.log(values))
        return np.sum(root) + 3 * logarithm + np.sum(UNIT * ((vectors / values) @ vectors.T))

    check_first_order(loss, np.eye(3))


@pytest.mark.parametrize("product", [np.matmul, np.multiply])
def test_products_of_functions_of_two_factorizations(product):
    def loss(x):
        return np.sum(WEIGHTS * product(spectral(np.exp)(x), spectral(np.sqrt)(x)))

    check_first_order(loss, np.eye(3))


def test_jacobians():
    expected = np.einsum("ik,jl->ijkl", np.eye(3), np.eye(3))
    expected = (expected + expected.transpose(0, 1, 3, 2)) / 4
    for jacobian in (ft.jacrev, ft.jacfwd):
        found = jacobian(spectral(np.sqrt))(np.eye(3))
        np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("name", ["identity", "two equal", "distinct"])
def test_projectors_on_whole_eigenspaces(name):
    def loss(x):
        vectors = np.linalg.eigh(hermitian(x)).eigenvectors[:, :2]
        return np.sum(WEIGHTS * (vectors @ vectors.T))

    def truth(x):  # Newton's iteration for the sign of a matrix
        x = hermitian(x) - (2.5 if name == "distinct" else 1.5) * np.eye(3)
        for _ in range(20):
            x = (x + np.linalg.inv(x)) / 2
        return np.sum(WEIGHTS * (np.eye(3) - x)) / 2

    x = MATRICES[name]
    if name == "identity":  # the projector is not on a whole eigenspace
        assert np.isnan(ft.grad(loss)(x)).any()
        return
    check_first_order(loss, x)
    for hessian in (ft.hessian(loss), ft.jacrev(ft.jacrev(loss)), ft.jit(ft.hessian(loss))):
        np.testing.assert_allclose(hessian(x), ft.hessian(truth)(x), atol=1e-12)


HESSIANS = {
    "forward over reverse": ft.hessian,
    "reverse over reverse": lambda f: ft.jacrev(ft.jacrev(f)),
    "forward over forward": lambda f: ft.jacfwd(ft.jacfwd(f)),
    "reverse over forward": lambda f: ft.jacrev(ft.jacfwd(f)),
}


@pytest.mark.thinned
@pytest.mark.parametrize("way", HESSIANS)
@pytest.mark.parametrize("name", ["identity", "two equal", "distinct"])
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_second_derivatives_of_the_logarithm_of_the_determinant(way, name, wrap):
    expected = ft.hessian(lambda x: np.linalg.slogdet(hermitian(x))[1])(MATRICES[name])
    for values in (np.linalg.eigvalsh, lambda x: np.linalg.eigh(x).eigenvalues):
        loss = lambda x, values=values: np.sum(np.log(values(hermitian(x))))
        found = wrap(HESSIANS[way](loss))(MATRICES[name])
        np.testing.assert_allclose(found, expected, atol=1e-12)


def newton_root(x):
    y, z = x, np.eye(3)
    for _ in range(12):
        y, z = (y + np.linalg.inv(z)) / 2, (z + np.linalg.inv(y)) / 2
    return y


def cube_by_svd(x):
    u, s, vh = thin(x)
    return (u * s**3) @ vh


def gram_by_svd(x):
    _, s, vh = thin(x)
    return (vh.T * s**2) @ vh


FUNCTIONS = {
    "root": (spectral(np.sqrt), newton_root),
    "cube": (spectral(lambda w: w**3), lambda x: x @ x @ x),
    "inverse": (spectral(lambda w: 1 / w), np.linalg.inv),
    "singular values": (cube_by_svd, lambda x: x @ x.T @ x),
    "gram": (gram_by_svd, lambda x: x.T @ x),
}  # fmt: skip


@pytest.mark.thinned
@pytest.mark.parametrize(
    ("f", "way"),
    [(f, "forward over reverse") for f in FUNCTIONS] + [("root", way) for way in HESSIANS],
)
def test_second_derivatives_of_functions_of_matrices(f, way):
    found, truth = (
        lambda x, g=g: np.sum(WEIGHTS * g(hermitian(x))) + np.sum(UNIT * g(hermitian(x)) ** 2) / 2
        for g in FUNCTIONS[f]
    )
    for name in ("identity", "two equal", "distinct"):
        x = MATRICES[name]
        expected = ft.jacfwd(ft.jacfwd(truth))(x)
        np.testing.assert_allclose(HESSIANS[way](found)(x), expected, atol=1e-10)


def test_compiled_second_derivatives_of_functions_of_matrices():
    found, truth = (lambda x, g=g: np.sum(WEIGHTS * g(hermitian(x))) for g in FUNCTIONS["root"])
    x = MATRICES["two equal"]
    np.testing.assert_allclose(ft.jit(ft.hessian(found))(x), ft.hessian(truth)(x), atol=1e-12)


@pytest.mark.parametrize("name", ["identity", "two equal", "distinct"])
def test_factorizations_of_functions_of_factorizations(name):
    def loss(x):
        return np.sum(WEIGHTS * spectral(np.sqrt)(spectral(lambda w: w**2 + w)(x)))

    def truth(x):
        return np.sum(WEIGHTS * newton_root(hermitian(x) @ hermitian(x) + hermitian(x)))

    x = MATRICES[name]
    np.testing.assert_allclose(ft.grad(loss)(x), ft.grad(truth)(x), atol=1e-10)
    pushed = ft.jvp(loss, (x,), (DIRECTION,))[1]
    np.testing.assert_allclose(pushed, np.sum(DIRECTION * ft.grad(truth)(x)), atol=1e-10)
    found, expected = (
        ft.grad(lambda x, f=f: np.sum(DIRECTION * ft.grad(f)(x)))(x) for f in (loss, truth)
    )
    np.testing.assert_allclose(found, expected, atol=1e-9)
    for gradient in (ft.jit(ft.grad(loss)), ft.grad(ft.jit(loss))):
        np.testing.assert_allclose(gradient(x), ft.grad(truth)(x), atol=1e-10)


def test_second_derivatives_at_the_zero_matrix():
    for name in ("cube", "singular values", "gram"):
        found, truth = (lambda x, g=g: np.sum(WEIGHTS * g(hermitian(x))) for g in FUNCTIONS[name])
        expected = ft.hessian(truth)(np.zeros((3, 3)))
        np.testing.assert_allclose(ft.hessian(found)(np.zeros((3, 3))), expected, atol=1e-12)


COMPOSITIONS = {
    "jit within": lambda f: ft.hessian(ft.jit(f)),
    "jit on both sides": lambda f: ft.jit(ft.hessian(ft.jit(f))),
    "jit between": lambda f: ft.jacfwd(ft.jit(ft.jacrev(f))),
    "map": lambda f: lambda x: ft.vmap(ft.hessian(f))(np.stack([x + np.diag([3.0, 5, 7]), x]))[1],
    "checkpoint": lambda f: ft.hessian(ft.checkpoint(f)),
    "scan": lambda f: ft.hessian(
        lambda x: ft.scan(lambda y, _: (y + f(x) / 2, None), 0.0, length=2)[0]
    ),
    "while": lambda f: ft.hessian(
        lambda x: ft.while_loop(
            lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] + f(x) / 2), (0, 0.0)
        )[1]
    ),
    "choice": lambda f: ft.hessian(lambda x: ft.cond(x[0, 0] > -9, f, lambda x: 0.0 * f(x), x)),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", ["identity", "distinct"])
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_second_derivatives_through_what_is_recorded(composition, name):
    loss = lambda x: np.sum(WEIGHTS * spectral(np.sqrt)(x))
    x = MATRICES[name]
    expected = ft.hessian(lambda x: np.sum(WEIGHTS * newton_root(hermitian(x))))(x)
    np.testing.assert_allclose(COMPOSITIONS[composition](loss)(x), expected, atol=1e-12)


DEPENDENT = {
    "a vector": lambda x: WEIGHTS[0] @ np.linalg.eigh(x).eigenvectors[:, 1],
    "an element": lambda x: np.linalg.eigh(x).eigenvectors[1, 0],
    "a stationary element": lambda x: np.linalg.eigh(x).eigenvectors[0, 0],
    "an eigenvalue": lambda x: np.linalg.eigvalsh(x)[0],
    "a weighted sum": lambda x: np.linalg.eigvalsh(x) @ WEIGHTS[0],
    "a distance": lambda x: np.diff(np.sort(np.linalg.eigvalsh(x)))[0],
    "a projector": lambda x: WEIGHTS[0] @ np.linalg.eigh(x).eigenvectors[:, :1] @ np.ones(1),
    "an eigenvalue and a function of the matrix": lambda x: (
        np.linalg.eigvalsh(x)[0] + np.sum(WEIGHTS * spectral(np.exp)(x))
    ),
    "a left vector": lambda x: WEIGHTS[0] @ np.linalg.svd(x).U[:, 1],
    "a right vector": lambda x: WEIGHTS[0] @ np.linalg.svd(x).Vh[1],
    "a singular value": lambda x: np.linalg.svd(x).S[0],
}
BOTH_MODES = {
    "grad": ft.grad,
    "jacfwd": ft.jacfwd,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "jit of jacfwd": lambda f: ft.jit(ft.jacfwd(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "jacfwd of jit": lambda f: ft.jacfwd(ft.jit(f)),
    "map": lambda f: lambda x: ft.vmap(ft.grad(f))(np.stack([np.diag([1.0, 2, 4]), x]))[1],
    "hessian": ft.hessian,
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", DEPENDENT)
@pytest.mark.parametrize("way", BOTH_MODES)
def test_what_depends_on_the_choice_is_nan_in_both_modes(name, way):
    derivative = BOTH_MODES[way](DEPENDENT[name])
    assert np.isnan(derivative(np.eye(3))).any()
    assert np.isfinite(derivative(np.diag([1.0, 2.0, 4.0]))).all()


def test_values_are_those_of_the_function_also_where_its_derivative_is_nan():
    x = MATRICES["two equal"]
    for f in (np.linalg.eigvalsh, lambda x: np.linalg.eigh(x).eigenvectors):
        value, tangent = ft.jvp(f, (x,), (DIRECTION,))
        np.testing.assert_allclose(value, f(x), atol=1e-15)
        np.testing.assert_allclose(ft.vjp(f, x)[0], f(x), atol=1e-15)
        assert np.isnan(tangent).any()


def test_the_largest_of_equal_eigenvalues_shares():
    lowest, highest = (ft.grad(lambda x, f=f: f(np.linalg.eigvalsh(x))) for f in (np.min, np.max))
    np.testing.assert_allclose(lowest(np.eye(3)), np.eye(3) / 3)
    np.testing.assert_allclose(highest(np.eye(3)), np.eye(3) / 3)
    forward = ft.jacfwd(lambda x: np.max(np.linalg.eigvalsh(x)))
    np.testing.assert_allclose(forward(np.eye(3)), np.eye(3) / 3)
    assert ft.jvp(lambda x: np.linalg.norm(x, 2), (np.eye(3),), (DIRECTION,))[1] == pytest.approx(
        np.trace(DIRECTION) / 3
    )


@pytest.mark.parametrize("distance", [1e-7, 1e-9, 1e-11, 1e-13, 1e-15])
def test_nearly_equal_eigenvalues(distance):
    x = TURN @ np.diag([1.0, 1 + distance, 2.0]) @ TURN.T
    found, truth = (lambda x, g=g: np.sum(WEIGHTS * g(hermitian(x))) for g in FUNCTIONS["root"])
    for way in (ft.grad, ft.jacfwd, lambda f: ft.jit(ft.grad(f))):
        np.testing.assert_allclose(way(found)(x), ft.grad(truth)(x), atol=3e-8)


def thin(x):
    return np.linalg.svd(x, full_matrices=False)


def odd(x):
    u, s, vh = thin(x)
    return np.sum(WEIGHTS[: x.shape[0], : x.shape[1]] * ((u * np.arctan(s)) @ vh))


def even(x):
    _, s, vh = thin(x)
    return np.sum(np.exp((vh.T * s**2) @ vh / 9))


def polar(x):
    u, _, vh = thin(x)
    return np.sum(WEIGHTS[: x.shape[0], : x.shape[1]] * (u @ vh))


REGULAR = [np.eye(3), TURN, TURN[:, :2], np.eye(3)[:2], MATRICES["two equal"]]
RANK_ONE = np.outer(WEIGHTS[0], WEIGHTS[1])
SINGULAR = [np.diag([1.0, 1.0, 0.0]), np.zeros((3, 3)), RANK_ONE, RANK_ONE[:, :2], RANK_ONE[:2]]


@pytest.mark.thinned
@pytest.mark.parametrize("x", REGULAR)
def test_equal_singular_values(x):
    for loss in (odd, even, polar, lambda x: np.sum(np.sqrt(np.linalg.svdvals(x)))):
        check_first_order(loss, x)


@pytest.mark.thinned
@pytest.mark.parametrize("x", SINGULAR)
def test_singular_values_of_zero(x):
    for loss in (odd, even, lambda x: np.sum(np.linalg.svdvals(x) ** 2)):
        check_first_order(loss, x)
    assert np.isnan(ft.grad(polar)(x)).any()
    square = lambda x: np.sum(np.linalg.svdvals(x) ** 2)
    expected = 2 * np.eye(x.size).reshape(x.shape * 2)
    for way in HESSIANS.values():
        np.testing.assert_allclose(way(square)(x), expected, atol=1e-13)


def test_forward_mode_at_zero_behind_what_is_read_and_written():
    norm = lambda x: np.linalg.norm(np.diag(x), "nuc")
    for jacobian in (ft.jacfwd, ft.jacrev):
        np.testing.assert_array_equal(jacobian(norm)(np.zeros(3)), np.zeros(3))
        np.testing.assert_array_equal(ft.jit(jacobian(norm))(np.zeros(3)), np.zeros(3))


def test_norms_and_conditions_share_among_equal_values():
    third = np.eye(3) / 3
    np.testing.assert_allclose(ft.grad(lambda x: np.linalg.norm(x, 2))(np.eye(3)), third)
    np.testing.assert_allclose(ft.grad(lambda x: np.linalg.norm(x, -2))(TURN), TURN / 3)
    for p in (None, 2, -2):
        gradient = ft.grad(lambda x, p=p: np.linalg.cond(x, p))(TURN)
        np.testing.assert_allclose(gradient, np.zeros((3, 3)), atol=1e-15)
    nuclear = lambda x: np.linalg.norm(x, "nuc")
    for x in (np.diag([1.0, 0.0, 0.0]), np.zeros((3, 3))):
        np.testing.assert_array_equal(ft.grad(nuclear)(x), np.sign(x))
        assert ft.jvp(nuclear, (x,), (np.ones((3, 3)),))[1] == np.sum(np.sign(x))
    for order in (2, -2, "nuc"):
        x = WEIGHTS[:, :2]
        value, _ = ft.vjp(lambda x, order=order: np.linalg.norm(x, order), x)
        np.testing.assert_allclose(value, np.linalg.norm(x, order), rtol=1e-14)


def test_only_the_matrix_of_a_stack_with_equal_values_is_nan():
    stack = np.stack([np.diag([1.0, 2.0, 3.0]), np.eye(3)])
    gradient = ft.grad(lambda x: np.sum(np.linalg.eigh(x).eigenvectors[:, :, 0] @ WEIGHTS[0]))
    assert np.isfinite(gradient(stack)[0]).all()
    assert np.isnan(gradient(stack)[1]).any()


def test_both_triangles():
    for letter, triangle in (("L", np.tril), ("U", np.triu)):

        def loss(x, letter=letter):
            values, vectors = np.linalg.eigh(x, letter)
            return np.sum(WEIGHTS * ((vectors * np.exp(values)) @ vectors.T))

        gradient = ft.grad(loss)(np.eye(3))
        np.testing.assert_allclose(gradient, numerical(loss, np.eye(3)), atol=1e-8)
        np.testing.assert_array_equal(gradient, triangle(gradient))
