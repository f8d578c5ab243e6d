"""Where in the user's code recorded operations stand."""

import linecache

import numpy as np
import pytest

import functrace as ft
from functrace import extend


def lines_of(program):
    """The text at which each equation stands."""
    return [linecache.getline(e.source.file, e.source.line) for e in program.equations]


def loss(x):
    y = np.tanh(x)  # the first line
    return np.sum(y * y)  # the second line


DERIVATIVES = {
    "grad": ft.grad(loss),
    "hvp": lambda x: ft.hvp(loss)(x, x),
    "grad of grad": ft.grad(lambda x: np.sum(ft.grad(loss)(x))),
    "grad of jvp": ft.grad(lambda x: ft.jvp(loss, (x,), (np.ones(3),))[1]),
    "pullback": lambda x: ft.vjp(loss, np.ones(3))[1](x[0])[0],
    "mapped": ft.vmap(lambda t: ft.jvp(loss, (np.ones(3) * t,), (np.ones(3),))[1]),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_what_rules_record_stands_where_the_operation_stands(name):
    found = lines_of(ft.make_ir(DERIVATIVES[name])(np.ones(3)))
    first = sum("first line" in line for line in found)
    second = sum("second line" in line for line in found)
    assert first >= 1
    assert second >= 1


class OfTheUser(extend.Elementwise):
    pass


def partial(t, output, x):
    return t * np.cos(x)  # in the rule


sine = OfTheUser("sine_of_places", np.sin, partial, run=np.sin)


@pytest.mark.parametrize(
    "derivative",
    [
        ft.grad(lambda x: extend.bind(sine, x)),
        lambda x: ft.jvp(lambda x: extend.bind(sine, x), (x,), (1.0,))[1],
        lambda x: ft.jvp(ft.grad(lambda x: extend.bind(sine, x)), (x,), (1.0,))[1],
        ft.grad(ft.grad(lambda x: extend.bind(sine, x))),
    ],
    ids=["grad", "jvp", "jvp of grad", "grad of grad"],
)
def test_what_a_rule_of_the_users_records_stands_in_the_rule(derivative):
    assert any("in the rule" in line for line in lines_of(ft.make_ir(derivative)(0.5)))
