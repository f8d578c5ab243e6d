"""Compiled Programs that assume that all is finite, and start again where it is not."""

from __future__ import annotations

import gc
import warnings
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends import numpy_backend
from functrace.backends.assuming import NotAsAssumed, looked_at, row_looked_at
from functrace.backends.numpy_passes import simplify
from functrace.extend import PRIMITIVES

STRANGE = [0.0, -0.0, 1.5, -2.0, 800.0, 1e-320, 1e200, np.inf, -np.inf, np.nan]


def scan_of(f):
    return lambda x: ft.scan(lambda c, _: (f(c), None), x, None, length=2)[0]


def written(x):
    y = x.copy()
    y[1:] = np.where(x > 0, np.log(x) * x, 0.0)[:-1]
    return y * x


FUNCTIONS = {
    "products": lambda x: np.where(x > 1, x, np.exp(np.sin(x) * x) * x),
    "quotients": lambda x: np.where(x > 1, x / (x - 1), np.log(x) / x),
    "powers": lambda x: np.where(x > 1, x**-0.5, x**2.5),
    "softplus": lambda x: np.where(x > 20, x, np.log1p(np.exp(x))),
    "missing": lambda x: np.nansum((np.tanh(x) - x * 0.5) ** 2) * np.exp(x),
    "a comparison after": lambda x: np.where(ft.grad(lambda y: np.sum(sqrt_of(y)))(x) > 0, x, -x),
    "a sum after": lambda x: np.sort(ft.grad(lambda y: np.sum(sqrt_of(y)))(x)) * x,
    "the largest": lambda x: x * np.max(np.where(x > 0, np.log(x) * x, 0.0)),
    "a matrix": lambda x: np.where(x > 1, np.exp(np.outer(x, x)) @ x, np.outer(x, 1 / x) @ x),
    "a part": lambda x: np.concatenate([np.exp(x)[1:] * x[:-1], 1 / x[:1]])[1:2] * x,
    "written": written,
    "a loop": scan_of(lambda x: np.where(x > 1, x, np.exp(x) * x)),
    "steps left out": lambda x: ft.scan(
        lambda c, r: (np.where(r > 1, c, np.exp(c) * r + np.log(r) * c), c * r), x, x[:3, None]
    )[0],
    "stacks of a loop": lambda x: (
        ft.scan(lambda c, r: (c * 0.5, np.where(r > 1, r, 1 / r) * c), x, x[::2, None])[1][0] * x
    ),
    "a carry that is forgotten": lambda x: ft.scan(
        lambda c, r: ((x, np.where(c[0] > 1, c[0], np.log(c[0]) * c[0])), None),
        (x, x),
        None,
        length=3,
    )[0][1],
    "loops in a loop": lambda x: scan_of(scan_of(lambda c: np.where(c > 1, c, np.log(c) * c)))(x),
    "a loop without trips": lambda x: ft.fori_loop(
        0, 0, lambda i, c: np.where(c > 1, c, np.exp(c) * c), np.where(x > 1, x, np.log(x) * x)
    ),
    "a comparison in a loop": scan_of(lambda c: np.where(c * np.exp(c) > 1, c, np.log(c) * c)),
    "sorted in a loop": scan_of(lambda c: np.sort(np.where(c > 1, c, np.log(c) * c)) * c),
    "before a loop": lambda x: scan_of(np.sin)(np.where(x > 1, x, np.log(x) * x)),
    "a branch": lambda x: ft.cond(
        x[0] > 1, lambda y: np.where(y > 0, np.log(y), y), lambda y: y * y, np.exp(x) * x
    ),
    "whole numbers": lambda x: np.where(x > 1, x, np.exp(x) * x) * np.nan_to_num(x).astype(int),
}


def sqrt_of(x):
    return np.where(x > 0, np.sqrt(x) * np.log(x), x)


DERIVATIVES = {
    "value": lambda f: f,
    "grad": lambda f: ft.grad(lambda x: np.sum(f(x))),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (np.array([1.0, 0.0, -1.0, 2.0]),))[1],
    "jacfwd": ft.jacfwd,
    "jacrev": ft.jacrev,
    "hessian": lambda f: ft.hessian(lambda x: np.sum(f(x))),
    "vmap": lambda f: lambda x: ft.vmap(ft.grad(lambda x: np.sum(f(x))))(np.stack([x, x[::-1]])),
}
_known = {}


def both(name, derivative):
    """A derivative under jit, and its recorded Program, which keeps zeros with every product."""
    if (name, derivative) not in _known:
        f = DERIVATIVES[derivative](FUNCTIONS[name])
        _known[name, derivative] = f, ft.make_ir(f)(np.ones(4))
    return _known[name, derivative]


def require_the_same(name, derivative, numbers):
    f, program = both(name, derivative)
    fast = ft.jit(f)
    with np.errstate(all="ignore"):
        for x in (np.full(4, 1.5), np.array(numbers), np.full(4, 0.5)):
            expected = ft.evaluate(program, x)
            np.testing.assert_allclose(fast(x), expected[0], rtol=1e-9, atol=1e-300)


four_numbers = st.lists(st.sampled_from(STRANGE), min_size=4, max_size=4)


@pytest.mark.thinned
@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=5, deadline=None)
@given(st.sampled_from([*DERIVATIVES]), four_numbers)
def test_what_is_not_finite_changes_no_value(name, derivative, numbers):
    require_the_same(name, derivative, numbers)


@pytest.mark.slow
@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=20, deadline=None)
@given(four_numbers)
def test_what_is_not_finite_changes_no_value_at_length(name, derivative, numbers):
    require_the_same(name, derivative, numbers)


def keeps_by_masks(f, x):
    """Whether zeros are kept by masks in the gradient, which is that of the recorded Program."""
    program = ft.make_ir(ft.grad(f))(x)
    fast = ft.jit(ft.grad(f))
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(numpy_backend, "simplify", SimpleNamespace(first=simplify.first))
        try:
            found = fast(x)
        except TypeError:  # the careful Program would need all of it
            return False
        np.testing.assert_allclose(found, ft.evaluate(program, x)[0], rtol=1e-12)
        fast(x)
    return True


MISSING = np.array([0.5, np.nan, -1.5, np.nan, 2.0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.nanmean(np.sin(np.exp(-(x**2)) * x) ** 2),
        lambda x: np.nansum(np.tanh(np.sin(x) ** 2 + np.cos(x)) * np.log1p(x**2)),
        lambda x: np.sum(np.where(np.isnan(x), 0.0, -np.exp(np.sin(x) * 2.0) / x)),
        lambda x: np.nansum((np.sin(x * 3.0) - np.ones(5)) ** 2) ** 2,
        lambda x: np.nanvar(np.exp(x) * x),
    ],
)
def test_missing_data_before_a_chain_of_functions_needs_masks_only(f):
    assert keeps_by_masks(f, MISSING)


@pytest.mark.numpy_backend
def test_what_masks_do_not_keep_is_computed_with_care():
    f = lambda x: np.nansum(np.exp(np.outer(x, x)) @ np.sin(x))
    assert not keeps_by_masks(f, np.array([0.0, np.nan, np.inf, 2.0]))


@pytest.mark.numpy_backend
def test_the_source_says_what_is_assumed():
    fast = ft.jit(ft.grad(lambda x: np.sum(FUNCTIONS["products"](x))))
    source = fast.source(np.ones(3))
    assert "kept_product" not in source
    assert source.count("require_finite(") == 1
    program = fast.lower(np.ones(3)).compile().program
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            ft.evaluate(program, np.array([2.0, 0.0, np.inf]))[0],
            fast(np.array([2.0, 0.0, np.inf])),
        )


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sqrt(x),  # one quotient, of what has no zeros
        lambda x: np.where(x > 0, x * 2.0, x),
        lambda x: x[1:] * x[:-1],
    ],
)
def test_where_there_is_nothing_to_gain_nothing_is_looked_at(f):
    fast = ft.jit(ft.grad(lambda x: np.sum(f(x))))
    assert "require_finite" not in fast.source(np.ones(3))


def test_single_numbers_are_not_looked_at():
    fast = ft.jit(ft.grad(FUNCTIONS["products"]))
    assert "require_finite" not in fast.source(1.0)


def test_warnings_are_given_once_and_at_the_users_line():
    def f(x):
        return np.sum(np.where(x > 20, x, np.log1p(np.exp(x))))

    def seen(call):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            call()
        return [(str(w.message), w.filename, w.lineno) for w in found]

    x = np.array([1000.0, 1.0])
    fast = ft.jit(ft.grad(f))
    line = f.__code__.co_firstlineno + 1
    first = seen(lambda: fast(x))
    assert first == [("overflow encountered in exp", __file__, line)]
    assert seen(lambda: fast(x)) == first
    fast = ft.jit(ft.grad(f))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError) as caught:
        fast(x)
    assert caught.traceback[-1].lineno + 1 == line
    said = []
    fast = ft.jit(ft.grad(f))
    with np.errstate(over="call", call=lambda kind, flag: said.append(kind)):
        fast(x)
    assert said == ["overflow"]


@pytest.mark.parametrize("outside", ["warn", "ignore"])
def test_warnings_that_a_function_asks_for_are_given_once(outside):
    @ft.jit
    @ft.grad
    def f(x):
        with np.errstate(over="warn"):
            y = np.exp(x)
        return np.sum(np.where(x > 20, x, np.log1p(y)))

    with warnings.catch_warnings(record=True) as found, np.errstate(all=outside):
        warnings.simplefilter("always")
        for _ in range(2):
            np.testing.assert_array_equal(f(np.array([1000.0, 0.0])), [1.0, 0.5])
    assert [str(w.message) for w in found] == ["overflow encountered in exp"] * 2


def test_what_the_user_is_told_by_is_not_repeated(capsys):
    calls = []

    def called(x):
        calls.append(1)
        return x

    def f(x):
        x = x + ft.pure_callback(called, ft.ShapeDtypeStruct((2,), np.float64), ft.stop_gradient(x))
        return np.sum(FUNCTIONS["softplus"](x) * np.exp(np.cos(x)))

    def g(x):
        ft.debug.print("here {}", x[1])
        return np.sum(FUNCTIONS["softplus"](x) * np.exp(np.cos(x)))

    with np.errstate(all="ignore"):
        assert np.isfinite(ft.jit(ft.grad(f))(np.array([1000.0, 1.0]))).all()
        assert len(calls) == 1
        assert np.isfinite(ft.jit(ft.grad(g))(np.array([1000.0, 1.0]))).all()
    assert capsys.readouterr().out.count("here") == 1


def test_donated_arguments_are_not_read_twice():
    f = ft.grad(lambda x: np.sum(FUNCTIONS["softplus"](x) * np.exp(np.cos(x))))
    x = np.array([1000.0, 1.0])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(ft.jit(f, donate_argnums=0)(x.copy()), ft.jit(f)(x))


def test_it_goes_with_its_last_reference():
    fast = ft.jit(ft.grad(lambda x: np.sum(FUNCTIONS["softplus"](x) * np.exp(np.cos(x)))))
    with np.errstate(all="ignore"):
        fast(np.array([1.0, 1.0]))
        gc.collect()
        gc.disable()
        try:
            watched = weakref.ref(fast.lower(np.ones(2)).compile()._entry.run)
            fast(np.array([1000.0, 1.0]))
            del fast
            assert watched() is None
        finally:
            gc.enable()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("look", [looked_at, row_looked_at])
def test_looks_find_what_is_not_finite(look, dtype):
    if dtype == "f2" and look is row_looked_at:
        return  # of which the squares overflow
    x = np.full(9000, 200, dtype)
    assert look(x) is x
    assert look(x[::-2]).shape == (4500,)
    for strange in (np.nan, np.inf, -np.inf):
        y = x.copy()
        y[8999] = strange
        with np.errstate(all="ignore"), pytest.raises(NotAsAssumed):
            look(y)
    assert look(x[:0]).size == 0


def test_looks_at_many_axes_and_elements():
    x = np.ones((300, 2, 101)).transpose(2, 0, 1)
    assert looked_at(x) is x
    x[100, 299, 1] = np.nan
    with pytest.raises(NotAsAssumed):
        looked_at(x)
    assert looked_at(np.float64(1.0)) == 1.0
    for strange in (np.float64(np.inf), np.nan, np.array(np.nan), np.complex128(np.nan)):
        with pytest.raises(NotAsAssumed):
            looked_at(strange)


def test_no_program_can_name_a_look():
    assert "require_finite" not in PRIMITIVES
