"""Zeros of a choice stay zero, in every mode, order and operation that holds Programs."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functrace as ft
from functrace.primitives.contracting import contract, contract_or_zero, zero_contract
from functrace.transforms.zeros import ZeroKeeping


@pytest.fixture(autouse=True)
def _quiet():
    """The forward pass may warn at singular points, as NumPy does."""
    with np.errstate(all="ignore"):
        yield


FUNCTIONS = {  # each with a point, and the value, the first and the second derivative there
    "x log x": (lambda x: np.where(x > 0, x * np.log(x), 0.0), 0.0, 0.0, 0.0),
    "softplus": (lambda x: np.where(x > 20, x, np.log1p(np.exp(x))), 1000.0, 1.0, 0.0),
    "sigmoid": (
        lambda x: np.where(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
        1000.0,
        0.0,
        0.0,
    ),
    "sigmoid from below": (
        lambda x: np.where(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
        -1000.0,
        0.0,
        0.0,
    ),
    "minimum": (lambda x: np.minimum(np.exp(x), 10.0) + x * x, 1000.0, 2000.0, 2.0),
    "clip": (lambda x: np.clip(np.sinh(x), -1, 1), 1000.0, 0.0, 0.0),
    "largest": (lambda x: np.max(np.log(np.stack([x, x + 2]))), 0.0, 0.5, -0.25),
    "smallest": (lambda x: np.min(np.abs(1 / np.stack([x, x + 2]))), 0.0, -0.25, 0.25),
    "exp of sqrt": (lambda x: np.where(x > 0, np.exp(np.sqrt(x)), 0.0), 0.0, 0.0, 0.0),
    "power": (lambda x: np.where(x > 1, x**3.0, x**0.5 * x**0.5), 2.0, 12.0, 12.0),
    "power at 0": (lambda x: np.where(x > 0, x**-0.5, x), 0.0, 1.0, 0.0),
    "index": (lambda x: np.exp(np.stack([x, x * 0.001]))[1], 1000.0, np.e / 1000, np.e / 1e6),
    "concatenate": (
        lambda x: np.exp(np.concatenate([x[None], [1000.0]]))[0] * np.ones(()),
        1.0,
        np.e,
        np.e,
    ),
    "product": (
        lambda x: np.where(x < 9, np.prod(np.stack([x, np.exp(x), x])), x),
        1000.0,
        1.0,
        0.0,
    ),
    "matrix product": (
        lambda x: np.where(x < 9, np.exp(np.stack([x, x])) @ np.stack([x, 1 / x]), x),
        1000.0,
        1.0,
        0.0,
    ),
    "outer product": (
        lambda x: np.where(x > 0, np.sum(np.outer(np.stack([1 / x, x]), np.log(x))), x),
        0.0,
        1.0,
        0.0,
    ),
    "cumsum": (
        lambda x: np.where(x < 9, np.cumsum(np.exp(np.stack([x, x])))[1], x),
        1000.0,
        1.0,
        0.0,
    ),
}
FIRST = {
    "grad": ft.grad,
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: ft.vjp(f, x)[1](np.float64(1.0))[0],
    "linearize": lambda f: lambda x: ft.linearize(f, x)[1](1.0),
    "jacrev": ft.jacrev,
    "jacfwd": ft.jacfwd,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "jit of jvp": lambda f: ft.jit(lambda x: ft.jvp(f, (x,), (1.0,))[1]),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "vmap of grad": lambda f: lambda x: ft.vmap(ft.grad(f))(np.array([x, x]))[1],
    "grad of vmap": lambda f: lambda x: ft.grad(lambda y: np.sum(ft.vmap(f)(y)))(np.array([x]))[0],
}
SECOND = {
    "reverse over reverse": lambda f: ft.jacrev(ft.jacrev(f)),
    "reverse over forward": lambda f: ft.jacrev(ft.jacfwd(f)),
    "forward over reverse": lambda f: ft.jacfwd(ft.jacrev(f)),
    "forward over forward": lambda f: ft.jacfwd(ft.jacfwd(f)),
    "grad of grad": lambda f: ft.grad(ft.grad(f)),
    "jit of hessian": lambda f: ft.jit(ft.hessian(f)),
    "jit of jacrev of jacfwd": lambda f: ft.jit(ft.jacrev(ft.jacfwd(f))),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", FUNCTIONS)
def test_zeros_stay_in_every_mode_and_order(name):
    f, at, first, second = FUNCTIONS[name]
    x = np.float64(at)
    for mode, transform in FIRST.items():
        np.testing.assert_allclose(transform(f)(x), first, rtol=1e-12, err_msg=mode)
    for mode, transform in SECOND.items():
        np.testing.assert_allclose(transform(f)(x), second, rtol=1e-12, err_msg=mode)
    assert np.isfinite(ft.grad(ft.grad(ft.grad(f)))(x))


def singular(x):
    return np.exp(x) * x


def choice(y, x):
    return np.where(x < 50, y, 0.0)


@ft.custom_vjp
def with_rule(x):
    return singular(x)


with_rule.defvjp(
    lambda x: (singular(x), x), lambda x, cotangent: (cotangent * ft.grad(singular)(x),)
)


@ft.custom_jvp
def with_forward_rule(x):
    return singular(x)


with_forward_rule.defjvp(
    lambda primals, tangents: (singular(*primals), ft.grad(singular)(*primals) * tangents[0])
)

HOLDING = {
    "jit before": lambda x: choice(ft.jit(singular)(x), x),
    "jit after": lambda x: ft.jit(choice)(singular(x), x),
    "checkpoint before": lambda x: choice(ft.checkpoint(singular)(x), x),
    "checkpoint after": lambda x: ft.checkpoint(choice)(singular(x), x),
    "scan before": lambda x: choice(
        ft.scan(lambda c, _: (singular(c), None), x, None, length=1)[0], x
    ),
    "scan after": lambda x: ft.scan(lambda c, _: (choice(c, x), None), singular(x), None, length=2)[
        0
    ],
    "stacks of a scan": lambda x: np.sum(
        choice(ft.scan(lambda c, _: (c, singular(c)), x, None, length=2)[1], x)
    ),
    "within a scan": lambda x: ft.scan(
        lambda c, _: (choice(singular(c), x), None), x, None, length=1
    )[0],
    "trip after trip": lambda x: ft.scan(
        lambda c, _: (choice(singular(c + x), x), None), x, None, length=3
    )[0],
    "fori_loop": lambda x: choice(ft.fori_loop(0, 1, lambda i, c: singular(c), x), x),
    "while_loop before": lambda x: choice(
        ft.while_loop(lambda c: c[0] < 1, lambda c: (c[0] + 1, singular(c[1])), (0, x))[1], x
    ),
    "while_loop after": lambda x: ft.while_loop(
        lambda c: c[0] < 1, lambda c: (c[0] + 1, choice(c[1], x)), (0, singular(x))
    )[1],
    "cond before": lambda x: choice(ft.cond(x < 1e9, singular, lambda x: x, x), x),
    "cond after": lambda x: ft.cond(x > -1e9, lambda y: choice(y, x), lambda y: y, singular(x)),
    "cond as the choice": lambda x: ft.cond(x < 50, lambda y: y, lambda y: 0.0 * x, singular(x)),
    "custom_vjp": lambda x: choice(with_rule(x), x),
    "custom_jvp": lambda x: choice(with_forward_rule(x), x),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", HOLDING)
def test_zeros_stay_through_operations_that_hold_programs(name):
    f = HOLDING[name]
    x = np.float64(1000.0)
    for mode, transform in (FIRST | SECOND).items():
        assert transform(f)(x) == 0, mode


@pytest.mark.parametrize("ways", [*itertools.product([ft.jacrev, ft.jacfwd], repeat=3)])
def test_third_derivatives_through_a_rule(ways):
    root = ft.custom_jvp(lambda x: x * np.sqrt(x))
    root.defjvp(lambda primals, tangents: (root(*primals), 1.5 * np.sqrt(primals[0]) * tangents[0]))
    f = lambda x: np.where(x > 0, root(x), x**3)
    for way in ways:
        f = way(f)
    assert f(np.float64(0)) == 6
    np.testing.assert_allclose(f(np.float64(4)), -0.375 / 8, rtol=1e-14)


def test_zeros_stay_for_missing_data():
    data = np.array([1.0, np.nan, 2.0])
    rows = np.arange(6.0).reshape(3, 2)

    def loss(x):
        return np.nansum((data - rows @ x) ** 2)

    kept = rows[[0, 2]]
    at = np.ones(2)
    gradient = -2 * kept.T @ (data[[0, 2]] - kept @ at)
    for f in (ft.grad(loss), ft.jacfwd(loss), ft.jit(ft.grad(loss))):
        np.testing.assert_allclose(f(at), gradient)
    for transform in SECOND.values():
        if transform is not SECOND["grad of grad"]:
            np.testing.assert_allclose(transform(loss)(at), 2 * kept.T @ kept)
    np.testing.assert_array_equal(ft.grad(lambda x: np.nanmean(x**2))(data), [1, 0, 2])
    np.testing.assert_array_equal(ft.jit(ft.grad(lambda x: np.nanmean(x**2)))(data), [1, 0, 2])


def test_zeros_that_are_given_stay():
    x = np.array([1000.0, 0.0])
    unit = np.array([0.0, 1.0])
    np.testing.assert_array_equal(ft.vjp(np.exp, x)[1](unit)[0], unit)
    np.testing.assert_array_equal(ft.jvp(np.exp, (x,), (unit,))[1], unit)
    np.testing.assert_array_equal(ft.jacrev(np.exp)(x), [[np.inf, 0], [0, 1]])
    np.testing.assert_array_equal(ft.jacfwd(np.exp)(x), [[np.inf, 0], [0, 1]])


def test_what_is_nan_stays_nan():
    assert np.isnan(ft.grad(lambda x: np.where(x >= 0, x**2 * np.log(x), 0.0))(0.0))
    assert ft.grad(lambda x: np.where(x >= 0, np.sqrt(x), 0.0))(0.0) == np.inf
    matrix = np.array([[np.nan, 1.0], [2.0, np.inf]])
    np.testing.assert_array_equal(ft.grad(lambda x: (matrix @ x)[0])(np.ones(2)), [np.nan, 1])
    np.testing.assert_array_equal(ft.grad(lambda x: (matrix @ x)[1])(np.ones(2)), [2, np.inf])


def test_a_rule_that_takes_arrays_only_keeps_its_nan():
    class Numbers(ft.extend.Primitive):
        def run(self, x):
            return np.exp(x)

        def infer(self, x):
            return x

        def vjp(self, cotangent, inputs, output, needed):
            return (np.asarray(cotangent, float).astype(float) * output,)

    numbers = Numbers("numbers_only")

    def f(x):
        return np.sum(np.where(x < 9, ft.extend.bind(numbers, x), x))

    np.testing.assert_array_equal(ft.grad(f)(np.array([1000.0, 0.0])), [np.nan, 1])


def test_a_sum_with_a_term_without_zeros_needs_no_care():
    with ZeroKeeping() as keeping:
        marked = keeping.mark(np.zeros(2))
        assert keeping.marks(marked * 2.0)
        assert keeping.marks(marked + marked)
        assert keeping.marks(0 + marked)
        assert not keeping.marks(marked + np.ones(2))
        assert not keeping.marks(marked > 0)


SPECIAL = st.sampled_from([0.0, -0.0, 1.0, -2.0, np.inf, -np.inf, np.nan])


@given(st.lists(SPECIAL, min_size=6, max_size=6), st.lists(SPECIAL, min_size=6, max_size=6))
def test_contractions_keep_zeros_as_sums_of_products_do(first, second):
    t, factor = np.reshape(first, (2, 3)), np.reshape(second, (3, 2))
    with np.errstate(all="ignore"):
        terms = np.where(t[:, :, None] == 0, 0, t[:, :, None] * factor)
        found = contract_or_zero.run(t, factor, subscripts="ij,jk->ik")
        of_both = zero_contract.run(t, factor, subscripts="ij,jk->ik")
        np.testing.assert_array_equal(found, np.sum(terms, axis=1))
        np.testing.assert_array_equal(of_both, np.sum(np.where(factor == 0, 0, terms), axis=1))
    finite = np.nan_to_num(t, posinf=1, neginf=1), np.nan_to_num(factor, posinf=1, neginf=1)
    np.testing.assert_array_equal(
        contract_or_zero.run(*finite, subscripts="ij,jk->ik"),
        contract.run(*finite, subscripts="ij,jk->ik"),
    )


def test_errors_of_the_careful_walk_are_not_hidden(monkeypatch):
    monkeypatch.setattr(ZeroKeeping, "record", None)
    with pytest.raises(TypeError, match="not callable"):
        ft.grad(lambda x: np.where(x > 0, x * np.log(x), 0.0))(0.0)


def test_rules_that_take_arrays_only_are_walked_without_care():
    @ft.custom_vjp
    def doubled(x):
        return 2.0 * x

    doubled.defvjp(lambda x: (2.0 * x, None), lambda _, g: (np.asarray(float(g)) * 2.0,))
    chosen = lambda x: np.where(x > 0, doubled(x) * np.log(x), 0.0)
    assert np.isnan(ft.grad(chosen)(0.0))
    assert ft.grad(chosen)(1.0) == 2.0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_transposes_keep_zeros_too(name):
    f, at, expected, _ = FUNCTIONS[name]
    x, one = np.float64(at), np.float64(1.0)
    linear = ft.linearize(f, x)[1]
    pushed = lambda v: ft.jvp(f, (x,), (v,))[1]
    for found in (
        ft.linear_transpose(linear, one)(one),
        ft.linear_transpose(ft.jit(pushed), one)(one),
        ft.jit(lambda x, v: ft.linear_transpose(ft.linearize(f, x)[1], v)(v))(x, one),
        ft.vmap(lambda v: ft.linear_transpose(pushed, v)(v)[0])(one[None]),
    ):
        np.testing.assert_allclose(found[0], expected, rtol=1e-12)


def test_what_is_transposed_keeps_zeros_by_itself():
    x = np.array([0.0, np.e])
    chosen = lambda v: np.where(x > 0, np.log(x) * v, 0.0)
    looped = lambda v: ft.scan(lambda c, _: (chosen(c), None), v, None, length=2)[0]
    for f in (chosen, looped, ft.jit(looped), ft.checkpoint(chosen)):
        np.testing.assert_allclose(ft.linear_transpose(f, x)(np.ones(2))[0], [0.0, 1.0])


def unused_outputs(wrap):
    """Functions of which an output that nobody reads has an infinite or undefined derivative."""
    pair = lambda a, b: (np.tanh(a) * 0.9, np.sqrt(b) * np.tanh(b))
    return {
        "call": lambda a, b, k: ft.jit(pair)(a, b)[0],
        "checkpoint": lambda a, b, k: ft.checkpoint(pair)(a, b)[0],
        "choice": lambda a, b, k: ft.switch(k, [lambda a, b: (a, b), pair], a, b)[0],
        "scan": lambda a, b, k: ft.scan(
            lambda c, _: (ft.switch(k, [lambda a, b: (a, b), pair], c, b)[0], None), a, None, 2
        )[0],
        "nested": lambda a, b, k: ft.jit(lambda a, b: ft.checkpoint(pair)(a, b)[0])(a, b),
    }[wrap]


@pytest.mark.parametrize("wrap", ["call", "checkpoint", "choice", "scan", "nested"])
@pytest.mark.parametrize("bad", [np.nan, 0.0, np.inf])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_outputs_that_nobody_reads_have_no_derivative(wrap, bad):
    f = unused_outputs(wrap)
    a, b, k = np.array([0.3, -1.2]), np.array([bad, 1.0]), np.array(1)
    loss = lambda a, b, k: np.sum(f(a, b, k))
    gradient = ft.grad(loss, argnums=(0, 1))
    expected = ft.jvp(lambda a: loss(a, b, k), (a,), (np.array([1.0, 0.0]),))[1]
    ways = [gradient, ft.jit(gradient, backend="numpy"), ft.jit(gradient, backend="native")]
    ways += [ft.vmap(gradient, in_axes=(None, None, None), axis_size=2)]
    for way in ways:
        by_a, by_b = (np.reshape(x, (-1, 2))[0] for x in way(a, b, k))
        np.testing.assert_allclose(by_a[0], expected, rtol=1e-12)
        np.testing.assert_array_equal(by_b, [0, 0])
    by_example = ft.vmap(gradient, in_axes=(None, None, 0))(a, b, np.array([0, 1]))
    np.testing.assert_allclose(by_example[0][1], gradient(a, b, k)[0], rtol=1e-12)
    np.testing.assert_array_equal(by_example[1], np.zeros((2, 2)))
