"""Users' primitives in simplification: what they say of themselves is what is made of it."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.extend import ArrayType, Elementwise, Primitive, bind

_numbers = count()
X, Y = np.array([0.5, 1.0, 2.0]), np.array([3.0, -1.0, 0.25])
ROWS = np.linspace(0.1, 2.0, 24).reshape(8, 3)


class Mixed(Primitive):
    """x * y + x + y, as an operation of which nothing is known."""

    def run(self, x, y):
        return x * y + x + y

    def infer(self, x, y):
        return ArrayType(np.broadcast_shapes(x.shape, y.shape), np.result_type(x.dtype, y.dtype))

    def batch(self, size, inputs, axes):
        moved = [
            x if axis is None else np.moveaxis(x, axis, 0)
            for x, axis in zip(inputs, axes, strict=True)
        ]
        return bind(self, *moved), 0


class Doubled(Primitive):
    """The sum of twice the elements: no function of each."""

    def run(self, x):
        return np.asarray(np.add.reduce(2 * x, axis=-1))[()]

    def infer(self, x):
        return ArrayType(x.shape[:-1], x.dtype)

    def batch(self, size, inputs, axes):
        return bind(self, np.moveaxis(inputs[0], axes[0], 0)), 0


def mixed(**traits):
    return Mixed(f"mixed_{next(_numbers)}", **traits)


def simplified(f, *inputs):
    """The simplified Program of a function, which computes the same."""
    program = ft.make_ir(f)(*inputs)
    better = ft.check(simplify(program))
    for x, y in zip(ft.evaluate(better, *inputs), ft.evaluate(program, *inputs), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13)
    return better


def uses(program, primitive):
    return sum(equation.primitive is primitive for equation in program.equations)


@pytest.mark.parametrize("commutes", [True, False])
def test_what_commutes_is_computed_once_for_both_orders(commutes):
    primitive = mixed(commutes=commutes)
    program = simplified(lambda x, y: bind(primitive, x, y) - 2 * bind(primitive, y, x), X, Y)
    assert uses(program, primitive) == (1 if commutes else 2)


@pytest.mark.parametrize("is_total", [True, False])
def test_what_cannot_fail_is_done_before_the_loop(is_total):
    primitive = mixed(is_total=is_total)

    def f(x, y):
        def step(carry, _):
            c, x, y = carry
            return (np.sin(c) * bind(primitive, x, y), x, y), None

        return ft.scan(step, (x, x, y), None, 5)[0][0]

    assert uses(simplified(f, X, Y), primitive) == is_total


@pytest.mark.parametrize("traits", [{"is_total": True, "is_elementwise": True}, {"is_total": True}])
def test_what_is_elementwise_is_done_for_all_trips_at_once(traits):
    primitive = mixed(**traits)

    def f(y, rows):
        return ft.scan(lambda c, row: (c, bind(primitive, row, np.cos(row) + y)), 0.0, rows)[1]

    program = simplified(f, Y, ROWS)
    assert uses(program, primitive) == ("is_elementwise" in traits)
    assert any(e.primitive.holds_programs for e in program.equations) != (
        "is_elementwise" in traits
    )


@pytest.mark.parametrize("traits", [{"is_total": True, "batches_at_once": True}, {}])
def test_what_batches_at_once_is_done_for_all_trips_at_once(traits):
    primitive = Doubled(f"doubled_{next(_numbers)}", **traits)

    def f(rows):
        return ft.scan(lambda c, row: (c, bind(primitive, row)), 0.0, rows)[1]

    program = simplified(f, ROWS)
    assert uses(program, primitive) == bool(traits)


@pytest.mark.parametrize("is_elementwise", [True, False])
def test_what_is_elementwise_is_computed_before_it_is_repeated(is_elementwise):
    primitive = mixed(is_elementwise=is_elementwise)

    def f(x):
        wide = np.broadcast_to(x, (50, 3))
        return bind(primitive, wide, wide)

    (equation,) = [e for e in simplified(f, X).equations if e.primitive is primitive]
    assert equation.outputs[0].type.shape == ((3,) if is_elementwise else (50, 3))


def test_what_keeps_values_is_left_out():
    class Same(Primitive):
        keeps_values = True

        def run(self, x):
            return x.copy()

        def infer(self, x):
            return x

    same = Same("same_of_traits")
    assert uses(simplified(lambda x: np.sin(bind(same, x)), X), same) == 0


def test_what_nothing_uses_is_left_out():
    primitive = mixed(is_total=True)

    def f(x, y):
        bind(primitive, x, y)
        return x + y

    assert uses(simplified(f, X, Y), primitive) == 0


def test_what_is_numpys_in_an_elementwise_primitive_is_known():
    of_numpy = Elementwise("of_numpy_of_traits", np.exp, lambda t, out, x: t * out, run=np.exp)
    of_its_own = Elementwise("own_of_traits", np.exp, lambda t, out, x: t * out, run=lambda x: x)
    assert of_numpy.is_total
    assert of_numpy.is_fresh
    assert of_numpy.keeps_nan
    assert not of_its_own.is_total
    assert not of_its_own.is_fresh
    assert not of_its_own.keeps_nan
