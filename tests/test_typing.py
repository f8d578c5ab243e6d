"""What a type checker knows of transformed functions, which ``py.typed`` promises to tell.

The type checker checks this file together with the library, and the tests run it: what a function
is said to return is what it returns. What must be an error is marked so, and the checker says where
a mark is no longer needed.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, assert_type

import numpy as np
import numpy.typing as npt
import pytest

import functrace as ft
from functrace.jitting.stages import Compiled, Cost, Lowered

Array = npt.NDArray[np.float64]
X = np.array([1.0, 2.0])


def loss(x: Array, scale: float = 1.0, *, power: int = 2) -> np.float64:
    return np.sum(scale * x**power)


def with_aux(x: Array) -> tuple[np.float64, str]:
    return np.sum(x**2), "aux"


def double(x: Array) -> Array:
    return 2.0 * x


class Model(NamedTuple):
    """A tree, so that its methods may be transformed."""

    factor: float

    @ft.checkpoint
    def layer(self, x: Array, shift: float = 0.0) -> Array:
        return self.factor * x + shift

    @ft.custom_jvp
    def scaled(self, x: Array, shift: float = 0.0) -> Array:
        return self.factor * x + shift

    @ft.custom_vmap
    def mapped(self, x: Array) -> Array:
        return self.factor * x

    @ft.jit
    def fast(self, x: Array, shift: float = 0.0) -> Array:
        return self.factor * x + shift


def test_gradients_keep_the_arguments_and_say_the_value():
    gradient = ft.grad(loss)
    assert_type(gradient(X), Any)
    assert gradient(X, 2.0, power=3).tolist() == [6.0, 24.0]
    value, slope = ft.value_and_grad(loss)(X, scale=3.0)
    assert_type(value, np.float64)
    assert_type(slope, Any)
    assert type(value) is np.float64
    (value, aux), _ = ft.value_and_grad(with_aux, has_aux=True)(X)
    assert_type(value, np.float64)
    assert_type(aux, str)
    assert type(value) is np.float64
    assert aux == "aux"


def test_matrices_of_derivatives_keep_the_arguments():
    for derivative in (ft.jacfwd(double), ft.jacrev(double), ft.jacobian(double)):
        assert_type(derivative(x=X), Any)
        assert derivative(x=X).shape == (2, 2)
    assert ft.hessian(loss)(X, scale=2.0, power=2).shape == (2, 2)
    assert ft.hvp(loss)(X, X).shape == (2,)


def test_pullbacks_and_pushforwards_come_with_the_output():
    output, pullback = ft.vjp(double, X)
    assert_type(output, Array)
    assert_type(pullback, Callable[[Any], tuple[Any, ...]])
    assert len(pullback(X)) == 1
    output, pullback, aux = ft.vjp(with_aux, X, has_aux=True)
    assert_type(output, np.float64)
    assert_type(aux, str)
    assert (output, aux) == (5.0, "aux")

    output, tangent = ft.jvp(double, (X,), (X,))
    assert_type(output, Array)
    assert_type(tangent, Any)
    output, tangent, aux = ft.jvp(with_aux, (X,), (X,), has_aux=True)
    assert_type(output, np.float64)
    assert_type(aux, str)
    assert (output, tangent, aux) == (5.0, 10.0, "aux")

    output, pushforward = ft.linearize(double, X)
    assert_type(output, Array)
    assert pushforward(X).tolist() == [2.0, 4.0]
    output, pushforward, aux = ft.linearize(with_aux, X, has_aux=True)
    assert_type(output, np.float64)
    assert_type(aux, str)
    assert (output, pushforward(X), aux) == (5.0, 10.0, "aux")


@pytest.mark.parametrize("has_aux", [False, True])
def test_whether_there_is_auxiliary_data_may_be_known_late(has_aux: bool):
    f = with_aux if has_aux else loss
    assert_type(ft.vjp(f, X, has_aux=has_aux), Any)
    assert_type(ft.jvp(f, (X,), (X,), has_aux), Any)
    assert_type(ft.linearize(f, X, has_aux=has_aux), Any)
    assert len(ft.vjp(f, X, has_aux=has_aux)) == 2 + has_aux


def test_jit_keeps_the_signature():
    fast = ft.jit(loss)
    assert_type(fast(X), np.float64)
    assert_type(fast(X, 2.0, power=3), np.float64)
    assert_type(fast.source(X), str)
    assert_type(fast.cost(X), Cost)
    assert_type(fast.lower(X), Lowered[np.float64])
    assert_type(fast.lower(X).compile(), Compiled[np.float64])
    assert_type(ft.jit(static_argnames="power")(loss)(X, power=3), np.float64)
    value, slope = ft.jit(ft.value_and_grad(loss))(X, 2.0)
    assert_type(value, np.float64)
    assert_type(slope, Any)
    assert type(value) is np.float64
    assert slope.tolist() == [4.0, 8.0]


def test_maps_keep_the_arguments():
    total = ft.vmap(double)
    assert_type(total(x=np.ones((3, 2))), Any)
    assert total(x=np.ones((3, 2))).shape == (3, 2)


def test_checkpointed_and_named_functions_keep_the_signature():
    for same in (ft.checkpoint(loss), ft.named_call(loss, name="loss")):
        assert_type(same(X, scale=2.0, power=1), np.float64)
        assert same(X, scale=2.0, power=1) == 6.0


def test_functions_with_rules_keep_the_signature():
    by_jvp = ft.custom_jvp(double)
    by_jvp.defjvp(lambda primals, tangents: (double(*primals), double(*tangents)))
    assert_type(by_jvp(x=X), Array)
    assert by_jvp(x=X).tolist() == [2.0, 4.0]

    by_vjp = ft.custom_vjp(double)
    by_vjp.defvjp(lambda x: (double(x), None), lambda _, ct: (2.0 * ct,))
    assert_type(by_vjp(X), Array)
    assert by_vjp(X).tolist() == [2.0, 4.0]

    @ft.custom_gradient
    def by_pullback(x: Array) -> tuple[np.float64, Callable[[Any], Any]]:
        return np.sum(x), lambda cotangent: (np.full(2, cotangent),)

    assert_type(by_pullback(X), np.float64)
    assert by_pullback(X) == 3.0

    by_rule = ft.custom_vmap(double)
    by_rule.def_vmap(lambda size, in_batched, x: (2.0 * x, in_batched[0]))
    assert_type(by_rule(x=X), Array)
    assert_type(ft.sequential_vmap(double)(X), Array)
    assert by_rule(x=X).tolist() == [2.0, 4.0]


def test_methods_lose_their_first_argument():
    model = Model(3.0)
    Model.scaled.defjvp(lambda primals, tangents: (Model.scaled(*primals), 3.0 * tangents[1]))
    Model.mapped.def_vmap(lambda size, in_batched, model, x: (model.factor * x, in_batched[1]))
    outputs = [
        model.layer(X, shift=0.0),
        model.scaled(X, 0.0),
        model.mapped(x=X),
        model.fast(X, shift=0.0),
        Model.layer(model, X),
        Model.scaled(model, X),
        Model.mapped(model, X),
        Model.fast(model, X),
    ]
    assert_type(outputs, list[Array])
    assert all(output.tolist() == [3.0, 6.0] for output in outputs)


def test_programs_are_programs():
    program = ft.make_ir(loss)(X, 1.0)
    assert_type(program, ft.Program)
    assert_type(ft.parse(str(program)), ft.Program)
    assert_type(ft.to_text(program), str)
    assert_type(ft.evaluate(program, X, 2.0), list[Any])
    assert ft.evaluate(program, X, 2.0) == [10.0]


def refused() -> None:
    """What the type checker refuses. It is not run: much of it fails only when it is called."""
    ft.grad(loss)("a")  # pyright: ignore[reportArgumentType]
    ft.grad(loss)(X, scales=2.0)  # pyright: ignore[reportCallIssue]
    ft.grad(loss)()  # pyright: ignore[reportCallIssue]
    ft.grad(loss(X))  # pyright: ignore[reportArgumentType]
    ft.grad(loss, argnums="x")  # pyright: ignore[reportArgumentType]
    ft.value_and_grad(loss)(X, 1.0, 2)  # pyright: ignore[reportCallIssue]
    ft.value_and_grad(loss)(X)[2]  # pyright: ignore[reportGeneralTypeIssues]
    ft.hessian(loss)(X, power="2")  # pyright: ignore[reportArgumentType]
    ft.vmap(double)(y=X)  # pyright: ignore[reportCallIssue]
    ft.vmap(double, in_axis=0)  # pyright: ignore[reportCallIssue]
    ft.jvp(double, 1.0, 2.0)  # pyright: ignore[reportArgumentType]
    ft.vjp(double, X)[1](X, X)  # pyright: ignore[reportCallIssue]
    ft.vjp(double, X, aux=True)  # pyright: ignore[reportCallIssue]
    ft.jit(3)  # pyright: ignore[reportCallIssue, reportArgumentType]
    ft.jit(loss, static_argname="power")  # pyright: ignore[reportCallIssue]
    ft.jit(loss)(X, power=2.5)  # pyright: ignore[reportArgumentType]
    _ = ft.jit(loss).sources  # pyright: ignore[reportAttributeAccessIssue]
    ft.checkpoint(loss)(X, scale="1")  # pyright: ignore[reportArgumentType]
    ft.custom_vjp(double)(X, X)  # pyright: ignore[reportCallIssue]
    ft.custom_vjp(double).defvjps(double)  # pyright: ignore[reportAttributeAccessIssue]
    ft.custom_gradient(double)  # pyright: ignore[reportArgumentType]
    Model(1.0).scaled(X, shifts=1.0)  # pyright: ignore[reportCallIssue]
    Model(1.0).scaled("x")  # pyright: ignore[reportArgumentType]
    Model(1.0).mapped()  # pyright: ignore[reportCallIssue]
    Model(1.0).fast(X, shift="1")  # pyright: ignore[reportArgumentType]
    ft.make_ir(loss)()  # pyright: ignore[reportCallIssue]
    Model(1.0).layer(X, shifts=1.0)  # pyright: ignore[reportCallIssue]
    _ = ft.make_ir(loss)(X).equation  # pyright: ignore[reportAttributeAccessIssue]
