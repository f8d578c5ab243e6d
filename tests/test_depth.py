"""Functions within functions, as deep as programs that are written by programs make them."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def in_cond(h):
    return lambda x: ft.cond(x > -9, lambda y: h(y * 1.001), lambda y: np.cos(y), x)


def in_closed_cond(h):
    return lambda x: ft.cond(x > -9, lambda: h(x * 1.001), lambda: np.cos(x))


def in_scan(h):
    return lambda x: ft.scan(lambda c, _: (h(c * 1.001), None), x, None, length=1)[0]


def in_fori_loop(h):
    return lambda x: ft.fori_loop(0, 1, lambda i, c: h(c * 1.001), x)


def in_while_loop(h):
    return lambda x: ft.while_loop(
        lambda p: p[0] < 1, lambda p: (p[0] + 1, h(p[1] * 1.001)), (0, x)
    )[1]


def in_checkpoint(h):
    return ft.checkpoint(lambda x: h(x * 1.001))


def in_jit(h):
    return ft.jit(lambda x: h(x * 1.001))


def in_custom_jvp(h):
    wrapped = ft.custom_jvp(lambda x: h(x * 1.001))
    wrapped.defjvp(lambda primals, tangents: ft.jvp(lambda x: h(x * 1.001), primals, tangents))
    return wrapped


def in_custom_vjp(h):
    wrapped = ft.custom_vjp(lambda x: h(x * 1.001))
    wrapped.defvjp(lambda x: ft.vjp(lambda x: h(x * 1.001), x), lambda pullback, ct: pullback(ct))
    return wrapped


def in_custom_vmap(h):
    wrapped = ft.custom_vmap(lambda x: h(x * 1.001))
    wrapped.def_vmap(lambda size, is_batched, x: (ft.vmap(lambda x: h(x * 1.001))(x), True))
    return wrapped


def in_callback(h):
    return lambda x: ft.pure_callback(
        lambda x: h(x * 1.001), ft.ShapeDtypeStruct((), float), x, vmap_method="sequential"
    )


def in_vjp(h):
    return lambda x: ft.vjp(lambda x: h(x * 1.001), x)[0]


DEEP = {
    "value": lambda f: f,
    "jit": ft.jit,
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1],
    "vmap": lambda f: lambda x: ft.vmap(f)(np.full(2, x))[0],
    "make_ir": lambda f: lambda x: ft.evaluate(ft.make_ir(f)(x), x)[0],
}


def nested(wrap, levels):
    f = np.sin
    for _ in range(levels):
        f = wrap(f)
    return f


@pytest.mark.parametrize(
    ("wrap", "levels"),
    [
        *[(in_closed_cond, 300), (in_checkpoint, 80), (in_cond, 60), (in_jit, 40)],
        *[(in_scan, 20), (in_fori_loop, 20), (in_while_loop, 20)],
        *[(in_custom_jvp, 30), (in_custom_vjp, 30), (in_custom_vmap, 60), (in_vjp, 70)],
        pytest.param(in_checkpoint, 200, marks=pytest.mark.slow),
        pytest.param(in_vjp, 170, marks=pytest.mark.slow),
        pytest.param(in_cond, 300, marks=pytest.mark.slow),
        pytest.param(in_jit, 300, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.usefixtures("unchecked")
def test_functions_nested_deeply(wrap, levels, mode):
    limit, factor = sys.getrecursionlimit(), 1.001**levels
    derives = mode in ("grad", "jit of grad", "grad of jit", "jvp")
    expected = np.cos(0.5 * factor) * factor if derives else np.sin(0.5 * factor)
    np.testing.assert_allclose(DEEP[mode](nested(wrap, levels))(0.5), expected, rtol=1e-12)
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize(
    ("wrap", "mode"),
    [
        *itertools.product([in_custom_jvp, in_custom_vjp, in_custom_vmap], ["value", "grad"]),
        *itertools.product([in_callback], ["value", "jit", "vmap", "make_ir"]),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_functions_of_the_user_nested_deeply_where_values_are_known(wrap, mode):
    limit, factor = sys.getrecursionlimit(), 1.001**160
    expected = np.cos(0.5 * factor) * factor if mode == "grad" else np.sin(0.5 * factor)
    np.testing.assert_allclose(DEEP[mode](nested(wrap, 160))(0.5), expected, rtol=1e-12)
    assert sys.getrecursionlimit() == limit


@pytest.mark.usefixtures("unchecked")
def test_a_function_that_calls_itself_in_a_branch_without_an_end():
    def factorial(n):
        return ft.cond(n <= 1, lambda n: n, lambda n: n * factorial(n - 1), n)

    limit = sys.getrecursionlimit()
    assert factorial(5.0) == ft.grad(lambda x: x * factorial(5.0))(1.0) == 120
    for transform in (ft.jit, ft.vmap):
        with pytest.raises(errors.NestingError, match="calls itself in a branch"):
            transform(factorial)(np.ones(2) if transform is ft.vmap else 5.0)
    assert sys.getrecursionlimit() == limit


def endless(wrap):
    """A function that calls itself in one that is made of it."""

    def f(x):
        return wrap(f)(x)

    return f


@pytest.mark.parametrize(
    "wrap", [ft.grad, in_vjp, in_jit, in_custom_jvp, lambda f: lambda x: ft.cond(x > 0, f, f, x)]
)
@pytest.mark.usefixtures("unchecked")
def test_a_function_that_calls_itself_without_an_end(wrap):
    limit = sys.getrecursionlimit()
    with pytest.raises(errors.NestingError, match=r"test_depth\.py:") as raised:
        endless(wrap)(1.0)
    assert "end" in str(raised.value)
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("wrap", [in_scan, in_while_loop])
@pytest.mark.usefixtures("unchecked")
def test_more_loops_within_loops_than_arrays_have_axes(wrap):
    f = nested(wrap, 66)
    np.testing.assert_allclose(f(0.5), np.sin(0.5 * 1.001**66))
    with pytest.raises(errors.NestingError, match="have 64 at most"):
        ft.grad(f)(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [in_scan, in_while_loop])
@pytest.mark.usefixtures("unchecked")
def test_more_loops_than_that_whose_body_is_computed_again(wrap):
    inner = ft.checkpoint(nested(wrap, 33))
    for _ in range(33):
        inner = wrap(inner)
    np.testing.assert_allclose(ft.grad(inner)(0.5), np.cos(0.5 * 1.001**66) * 1.001**66)
