"""Transformed functions as objects: pickled, copied, bound, shown."""

from __future__ import annotations

import copy
import functools
import inspect
import multiprocessing
import pickle

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.ir.primitive import PRIMITIVES
from functrace.transforms.transformed import importable_name


def loss(x):
    """The loss."""
    return np.sum(np.sin(x) ** 2)


@ft.jit
def decorated(x):
    return np.sum(x) * 2


@ft.custom_jvp
def custom(x):
    return np.sum(x**2)


@custom.defjvp
def custom_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return custom(x), np.sum(2 * x * t)


@ft.custom_vmap
def mapped(x):
    return np.sum(x)


mapped.def_vmap(lambda size, in_batched, x: (np.sum(x, axis=1), True))


def forward(x):
    return np.sum(x), x


def backward(x, ct):
    return (ct * np.ones_like(x),)


class Model:
    def __init__(self, scale):
        self.scale = scale
        self.step = ft.jit(self.loss)

    def loss(self, x):
        return np.sum(x) * self.scale

    @ft.jit(static_argnums=0)
    def method(self, x):
        """Twice."""
        return x * 2 * self.scale


X = np.array([0.5, -1.0])

MADE = {
    "grad": ft.grad(loss),
    "value_and_grad": ft.value_and_grad(loss, argnums=(0,)),
    "jit": ft.jit(loss),
    "jit with options": ft.jit(loss, donate_argnums=0),
    "jit of grad": ft.jit(ft.grad(loss)),
    "vmap": ft.vmap(ft.grad(ft.jit(loss)), in_axes=None, axis_size=2),
    "hessian": ft.hessian(loss),
    "jacfwd": ft.jacfwd(loss),
    "jacrev": ft.jit(ft.jacrev(loss)),
    "checkpoint": ft.grad(
        ft.checkpoint(loss, policy=ft.checkpoint_policies.save_only_these_names("a"))
    ),
    "partial": ft.grad(functools.partial(loss)),
    "decorated": decorated,
    "grad of decorated": ft.grad(decorated),
    "custom": ft.grad(custom),
    "mapped": ft.vmap(mapped, in_axes=None, axis_size=2),
    "method": ft.jit(ft.grad(Model(3.0).loss)),
    "NumPy's": ft.vmap(np.sin),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_it_is_pickled_as_what_it_was_made_by(name, protocol):
    again = pickle.loads(pickle.dumps(MADE[name], protocol))
    found, expected = again(X.copy()), MADE[name](X.copy())
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("function", [decorated, custom, mapped, Model.method])
def test_what_was_decorated_is_found_by_its_name(function):
    assert importable_name(function)
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function


def test_custom_functions_that_no_name_finds():
    function = ft.custom_vjp(loss)
    function.defvjp(forward, backward)
    again = pickle.loads(pickle.dumps(function))
    np.testing.assert_array_equal(ft.grad(again)(X), ft.grad(function)(X))


def test_what_cannot_be_imported_is_not_pickled():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(ft.grad(lambda x: x))


def test_other_processes():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map(ft.jit(ft.grad(loss)), [X, X + 1])
    np.testing.assert_allclose(found, [ft.grad(loss)(X), ft.grad(loss)(X + 1)])


def test_copies_are_the_function_but_of_an_object_that_is_copied():
    gradient = ft.grad(loss)
    assert copy.copy(gradient) is gradient
    assert copy.deepcopy(gradient) is gradient
    model = Model(2.0)
    copied = copy.deepcopy(model)
    copied.scale = 5.0
    assert model.step(np.ones(2)) == 4.0
    assert copied.step(np.ones(2)) == 10.0


def test_it_looks_like_the_function_that_it_was_made_of():
    for make in (ft.grad, ft.jit, ft.vmap, ft.jacfwd, ft.checkpoint, ft.value_and_grad):
        made = make(loss)
        assert made.__name__ == "loss"
        assert made.__doc__ == "The loss."
        assert made.__wrapped__ is loss
        assert inspect.signature(made) == inspect.signature(loss)
    assert repr(ft.grad(loss)).startswith("<grad of loss at 0x")


def test_methods():
    model = Model(2.0)
    assert model.method(3.0) == 12.0
    assert Model.method(model, 3.0) == 12.0
    assert Model.method.__doc__ == "Twice."
    assert model.method.lower(model, 3.0) is not None


# Programs


def test_programs_are_pickled_in_their_own_format():
    program = ft.make_ir(ft.grad(loss))(X)
    content = pickle.dumps(program)
    assert b"program.txt" in content
    again = pickle.loads(content)
    assert ft.to_text(again, sources=False) == ft.to_text(program, sources=False)
    np.testing.assert_array_equal(ft.evaluate(again, X)[0], ft.evaluate(program, X)[0])
    assert copy.deepcopy(program) is program is copy.copy(program)


def test_a_program_that_calls_python_is_not_pickled():
    program = ft.make_ir(
        lambda x: ft.pure_callback(np.sin, ft.ShapeDtypeStruct((2,), np.float64), x)
    )(X)
    with pytest.raises(errors.SaveError, match="pure_callback"):
        pickle.dumps(program)


def test_primitives_of_users_must_be_there_when_a_program_is_unpickled(monkeypatch):
    class Double(ft.extend.Primitive):
        def run(self, x):
            return 2 * x

        def infer(self, x):
            return x

    double = Double("pickled_double")
    program = ft.make_ir(lambda x: ft.extend.bind(double, np.sin(x)))(X)
    content = pickle.dumps(program)
    np.testing.assert_array_equal(
        ft.evaluate(pickle.loads(content), X)[0],
        2 * np.sin(X),
    )
    monkeypatch.delitem(PRIMITIVES, "pickled_double")
    with pytest.raises(errors.LoadError, match="pickled_double, which are not there"):
        pickle.loads(content)


def test_reprs_name_all_transformations():
    assert repr(ft.jit(ft.grad(loss))).startswith("<jit of grad of loss at 0x")
    assert repr(ft.draw(loss)).startswith("<draw of loss at 0x")
