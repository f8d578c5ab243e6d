"""What is done once before a loop."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from tests.simplify.helpers import check_pass, check_values, improved

RNG = np.random.default_rng(0)


def test_what_depends_on_rows_only_is_computed_before_the_loop():
    check_pass(
        improved,
        """
        def program(a: float64[2, 3], b: float64[4, 5, 2], c: float64[5, 3], g: float64[3]):
            def body(d: float64[2, 3], k: float64[3], e: float64[5, 3], f: float64[5, 2]):
                h: float64[5, 3] = contract(f, d, subscripts='ab,bc->ac')
                i: float64[5, 3] = add(h, k)
                j: float64[5, 3] = multiply(e, i)
                return j
            d: float64[5, 3]; (d,) = scan(a, g, c, b, body=body, constants=2, carries=1, \
length=4, reverse=True)
            return d
        """,
        """
        def program(a: float64[2, 3], b: float64[4, 5, 2], c: float64[5, 3], d: float64[3]):
            e: float64[4, 5, 3] = contract(b, a, subscripts='dab,bc->dac')
            f: float64[4, 5, 3] = add(e, d)
            def body(g: float64[5, 3], h: float64[5, 3]):
                i: float64[5, 3] = multiply(g, h)
                return i
            j: float64[5, 3]; (j,) = scan(c, f, body=body, constants=0, carries=1, length=4, \
reverse=True)
            return j
        """,
    )


def test_operations_on_shapes_and_sums_are_computed_for_all_rows():
    check_pass(
        improved,
        """
        def program(a: float64[3, 2], b: float64[4, 3], c: float64[4], z: float64[3]):
            def body(k: float64[3, 2], e: float64[3], f: float64[3], x: float64):
                h: float64[3] = multiply(f, x)
                i: float64[2, 3] = transpose(k, permutation=(1, 0))
                j: float64[2, 3] = multiply(i, h)
                l: float64[2] = mean(j, axes=(1,), keepdims=False, dtype=None)
                m: float64[2, 1] = reshape(l, shape=(2, 1))
                n: float64[2, 3] = broadcast_to(m, shape=(2, 3))
                o: float64[3] = getitem(n, index=(0,))
                p: float64[3] = multiply(o, e)
                return p
            d: float64[3]; (d,) = scan(a, z, b, c, body=body, constants=1, carries=1, length=4, \
reverse=False)
            return d
        """,
        """
        def program(a: float64[3, 2], b: float64[4, 3], c: float64[4], d: float64[3]):
            e: float64[2, 3] = transpose(a, permutation=(1, 0))
            f: float64[4, 1] = reshape(c, shape=(4, 1))
            g: float64[4, 3] = multiply(b, f)
            h: float64[4, 1, 3] = reshape(g, shape=(4, 1, 3))
            i: float64[4, 2, 3] = multiply(e, h)
            j: float64[4, 2] = mean(i, axes=(2,), keepdims=False, dtype=None)
            k: float64[4, 2, 1] = reshape(j, shape=(4, 2, 1))
            l: float64[4, 2, 3] = broadcast_to(k, shape=(4, 2, 3))
            m: float64[4, 3] = getitem(l, index=(slice(None, None, None), 0))
            def body(n: float64[3], o: float64[3]):
                p: float64[3] = multiply(o, n)
                return p
            q: float64[3]; (q,) = scan(d, m, body=body, constants=0, carries=1, length=4, \
reverse=False)
            return q
        """,
    )


def test_what_is_repeated_in_each_trip_is_repeated_once_before_the_loop():
    check_pass(
        improved,
        """
        def program(a: float64[3], b: float64[4, 3], c: float64[3]):
            def body(d: float64[3], e: float64[4, 3]):
                f: float64[4, 3] = add(d, e)
                g: float64[4, 3] = multiply(f, array((1.0, 2.0, 3.0), float64[3]))
                h: float64[4, 3] = tanh(g)
                return (h,)
            d: float64[4, 3] = scan(a, b, body=body, constants=1, carries=1, length=6, \
reverse=False)
            return (d,)
        """,
        """
        def program(a: float64[3], b: float64[4, 3], c: float64[3]):
            d: float64[4, 3] = broadcast_to(a, shape=(4, 3))
            def body(e: float64[4, 3], f: float64[4, 3]):
                g: float64[4, 3] = add(e, f)
                h: float64[4, 3] = multiply(g, array(((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), \
(1.0, 2.0, 3.0), (1.0, 2.0, 3.0)), float64[4, 3]))
                i: float64[4, 3] = tanh(h)
                return i
            j: float64[4, 3]; (j,) = scan(d, b, body=body, constants=1, carries=1, length=6, \
reverse=False)
            return j
        """,
    )


@pytest.mark.parametrize(
    ("shape", "operand"),
    [((3, 8), (8,)), ((3, 8), (1, 8)), ((), ()), ((8,), ()), ((70, 70), (70,)), ((8, 3), (8, 3))],
    ids=str,
)
def test_a_few_rows_and_large_ones_are_added_to_as_they_are(shape, operand):
    b = RNG.normal(size=operand)
    f = lambda x, b: ft.fori_loop(0, 9, lambda _, c: np.sin(c + b), x)
    program = check_values(f, RNG.normal(size=shape), b)
    assert "broadcast_to" not in str(program)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_matrices_that_stay_are_read_along_their_rows(dtype):
    def f(w, x):
        return ft.scan(lambda h, _: (np.tanh(h @ w.T), None), x, None, length=50)[0]

    w, x = (RNG.normal(size=shape).astype(dtype) for shape in ((5, 5), (3, 5)))
    program = check_values(f, w, x)
    text = str(program)
    assert "row_major" in text
    assert "'ij,jk->ik'" in text
    fast = ft.jit(f, backend="numpy")
    np.testing.assert_allclose(fast(w, x), f(w, x), rtol=1e-4 if dtype == np.float32 else 1e-12)
    # Too large for so few trips.
    large, x = RNG.normal(size=(90, 90)), RNG.normal(size=(3, 90))
    program = check_values(
        lambda w, x: ft.scan(lambda h, _: (h @ w.T / 9, None), x, None, length=5)[0], large, x
    )
    assert "row_major" not in str(program)


def test_the_left_matrix_of_a_product_is_laid_anew_too():
    def f(w, x):
        return ft.scan(lambda h, _: (np.tanh(w.T @ h), None), x, None, length=50)[0]

    text = str(check_values(f, RNG.normal(size=(5, 5)), RNG.normal(size=(5, 3))))
    assert "row_major" in text


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
def test_second_derivatives_of_laid_operands(rows):
    def loss(w, b, x):
        step = lambda h, _: (np.tanh(h @ w + b), None)
        return np.sum(ft.scan(step, x, None, length=6)[0] ** 2)

    w, b, x = RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=(rows, 3))
    ft.testing.check_grads(ft.jit(loss, backend="numpy"), (w, b, x), order=2)
    eager = ft.hessian(loss, argnums=1)(w, b, x)
    fast = ft.jit(ft.hessian(loss, argnums=1), backend="numpy")(w, b, x)
    np.testing.assert_allclose(fast, eager, rtol=1e-10)
