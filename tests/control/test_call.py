"""A jitted function where its arguments are traced: one operation, with the same derivatives."""

from __future__ import annotations

import io

import numpy as np
import pytest

import functrace as ft

X = np.array([0.5, -1.25, 2.0])
W = np.array([1.5, 0.25, -0.5])


def plain(x, w):
    y = np.sin(x) * w
    return {"sum": np.sum(y * x), "all": y, "weights": w * 2.0}


TRANSFORMED = {
    "jvp": lambda f: ft.jvp(f, (X, W), (W, X)),
    "jvp of one": lambda f: ft.jvp(lambda x: f(x, W), (X,), (W,)),
    "vjp": lambda f: ft.vjp(f, X, W)[1]({"sum": 2.0, "all": W, "weights": X}),
    "linearize": lambda f: ft.linearize(f, X, W)[1](W, X),
    "vmap": lambda f: ft.vmap(f, (0, None))(np.stack([X, W, X * W]), W),
    "hessian": lambda f: ft.hessian(lambda x: f(x, W)["sum"])(X),
    "jvp of vjp": lambda f: ft.jvp(lambda x: ft.grad(lambda x: f(x, x)["sum"])(x), (X,), (W,)),
    "vmap of grad": lambda f: ft.vmap(ft.grad(lambda x: f(x, W)["sum"]))(np.stack([X, W])),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_it_is_transformed_as_the_function_itself(name):
    transformed = TRANSFORMED[name]
    expected = transformed(plain)
    for f in (ft.jit(plain), ft.jit(lambda x, w: ft.jit(plain)(x, w))):
        found = transformed(f)
        assert ft.tree.structure(found) == ft.tree.structure(expected)
        for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, strict=True)


def test_tangents_and_cotangents_have_one_product():
    f = ft.jit(lambda x: np.cumsum(np.sin(x)) * x[::-1])
    tangent, cotangent = W, np.array([0.5, 2.0, -1.0])
    _, pushed = ft.jvp(f, (X,), (tangent,))
    (pulled,) = ft.vjp(f, X)[1](cotangent)
    np.testing.assert_allclose(cotangent @ pushed, pulled @ tangent, rtol=1e-14)


def test_the_transpose_of_a_linear_call_is_that_of_its_matrix():
    matrix = np.arange(6.0).reshape(2, 3)
    f = ft.jit(lambda x, y: (matrix @ x, y))
    (back, other) = ft.linear_transpose(f, X, X)((np.array([1.0, -2.0]), W))
    np.testing.assert_array_equal(back, matrix.T @ [1.0, -2.0])
    np.testing.assert_array_equal(other, W)


def test_a_file_does_not_say_which_backend_ran_it():
    program = ft.make_ir(lambda x: ft.jit(np.sin, backend="numpy")(x) * 2.0)(X)
    file = io.BytesIO()
    program.save(file)
    file.seek(0)
    loaded = ft.Program.load(file)
    (called,) = (e for e in loaded.equations if e.primitive.name == "jit")
    assert set(called.params) == {"program"}
    np.testing.assert_array_equal(ft.evaluate(loaded, X)[0], np.sin(X) * 2.0)


def test_the_gradient_is_two_operations():
    program = ft.make_ir(ft.grad(ft.jit(lambda x: np.sin(x) ** 2)))(1.0)
    assert [equation.primitive.name for equation in program.equations] == ["jit", "jit"]
    assert str(ft.parse(str(program))) == str(program)


def chain(length):
    """Calls within calls."""
    if not length:
        return np.sin
    inner = chain(length - 1)
    return ft.jit(lambda x: np.cos(inner(x) * 1.5))


def test_calls_within_calls_are_derived_as_one():
    """What each keeps is not handed on by all that are around it."""

    def size(length):
        program = ft.make_ir(ft.grad(chain(length)))(0.5)
        return sum(len(e.inputs) + len(e.outputs) for p in program.nested() for e in p.equations)

    sizes = [size(length) for length in (10, 20, 40)]
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])
    for transformed in (ft.grad, ft.hessian, lambda f: ft.vmap(ft.grad(f))):
        x = 0.5 if transformed in (ft.grad, ft.hessian) else np.array([0.5, 2.0])
        with ft.disable_jit():
            expected = transformed(chain(12))(x)
        np.testing.assert_allclose(transformed(chain(12))(x), expected, rtol=1e-12)


def test_what_is_called_often_is_derived_once():
    taken = []

    @ft.custom_vjp
    def f(x):
        return np.sin(x)

    def backward(x, cotangent):
        taken.append(x)
        return (cotangent * np.cos(x),)

    f.defvjp(lambda x: (np.sin(x), x), backward)
    layer = ft.jit(lambda x: f(x) * 2.0)
    loss = ft.jit(lambda x: layer(layer(layer(x))))
    ft.grad(loss)(np.float64(0.5))
    assert len(taken) == 1
