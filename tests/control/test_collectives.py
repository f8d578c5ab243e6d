"""Operations across the examples of a named vmap, against the same thing with whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.control import collectives as co
from functrace.testing import check_grads

X = np.array([0.5, -1.5, 2.0, 0.25])
M = np.cos(np.arange(24.0)).reshape(4, 2, 3)
named = lambda f, **options: ft.vmap(f, axis_name="i", **options)


def assert_same(found, expected):
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def every(x, n=4):
    return np.stack([x] * n)


# Each takes one example; beside it the same for all examples, along axis 0.
FUNCTIONS = {
    "psum": (lambda x: co.psum(x, "i"), lambda m: every(m.sum(0))),
    "pmean": (lambda x: co.pmean(x, "i"), lambda m: every(m.mean(0))),
    "pmax": (lambda x: co.pmax(x, "i"), lambda m: every(np.max(m, 0))),
    "pmin": (lambda x: co.pmin(x, "i"), lambda m: every(np.min(m, 0))),
    "all_gather": (lambda x: co.all_gather(x, "i"), every),
    "all_gather_1": (
        lambda x: co.all_gather(x, "i", axis=1),
        lambda m: every(np.moveaxis(m, 0, 1)),
    ),
    "all_gather_tiled": (
        lambda x: co.all_gather(x, "i", axis=1, tiled=True),
        lambda m: every(np.concatenate(list(m), axis=1)),
    ),
    "ppermute": (
        lambda x: co.ppermute(x, "i", [(0, 1), (1, 2), (3, 0)]),
        lambda m: np.stack([m[3], m[0], m[1], 0 * m[0]]),
    ),
    "pshuffle": (lambda x: co.pshuffle(x, "i", [2, 0, 3, 1]), lambda m: m[np.array([2, 0, 3, 1])]),
    "index": (lambda x: x * co.axis_index("i"), lambda m: m * np.arange(4)[:, None, None]),
    "psum_scatter": (
        lambda x: co.psum_scatter(np.concatenate([x, 2 * x]), "i"),
        lambda m: np.concatenate([m, 2 * m], 1).sum(0),
    ),
    "psum_scatter_tiled": (
        lambda x: co.psum_scatter(np.concatenate([x, x, x * x, x]), "i", tiled=True),
        lambda m: np.concatenate([m, m, m * m, m], 1).sum(0).reshape(4, 2, 3),
    ),
    "all_to_all": (
        lambda x: co.all_to_all(np.concatenate([x, 2 * x]), "i", 0, 1),
        lambda m: np.transpose(np.concatenate([m, 2 * m], 1), (1, 2, 0)),
    ),
    "softmax": (
        lambda x: np.exp(x - co.pmax(x, "i")) / co.psum(np.exp(x - co.pmax(x, "i")), "i"),
        lambda m: np.exp(m) / np.sum(np.exp(m), 0),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_collective_under_every_transformation(name):
    f, whole = FUNCTIONS[name]
    mapped = named(f)
    assert_same(mapped(M), whole(M))
    assert_same(ft.jit(mapped)(M), whole(M))
    assert_same(named(ft.jit(f))(M), whole(M))
    check_grads(mapped, (M,), modes=("fwd", "rev"))
    # The derivative by one example's value of what all of them return.
    weights = np.sin(np.arange(whole(M).size)).reshape(whole(M).shape)
    by_all = ft.grad(lambda m: np.sum(np.sin(whole(m)) * weights))(M)
    loss = lambda x, w: np.sum(np.sin(f(x)) * w)
    for by_each in (
        named(ft.grad(loss)),
        named(ft.grad(ft.jit(loss))),
        ft.jit(named(ft.jit(ft.grad(loss)))),
        lambda m, w: ft.grad(lambda m: np.sum(named(loss)(m, w)))(m),
    ):
        assert_same(by_each(M, weights), by_all)
    direction = np.cos(M * 3)
    expected = ft.jvp(whole, (M,), (direction,))[1]
    assert_same(named(lambda x, t: ft.jvp(f, (x,), (t,))[1])(M, direction), expected)
    assert_same(named(lambda x, t: ft.jvp(ft.jit(f), (x,), (t,))[1])(M, direction), expected)
    # Beside another axis, inside of which or outside of which it lies.
    both = np.stack([M, 2 * M, -M], 1)
    expected = np.stack([whole(both[:, k]) for k in range(3)], 1)
    assert_same(named(ft.vmap(f))(both), expected)
    assert_same(ft.vmap(named(f), 1, 1)(both), expected)
    assert_same(named(ft.vmap(f, 2))(np.moveaxis(both, 1, 3)), expected)
    # Inside loops and branches.
    repeated = whole(whole(M)) if whole(M).shape == M.shape else None
    if repeated is not None:
        for g in (
            lambda x: ft.scan(lambda c, _: (f(c), None), x, length=2)[0],
            lambda x: ft.fori_loop(0, 2, lambda i, c: f(c), x),
            lambda x: ft.fori_loop(
                0, co.psum(1 + 0 * co.axis_index("i"), "i") // 2, lambda i, c: f(c), x
            ),
            lambda x: ft.cond(np.sum(co.psum(x, "i")) < 1e9, lambda x: f(f(x)), lambda x: x, x),
        ):
            assert_same(named(g)(M), repeated)
            by_all = ft.grad(lambda m: np.sum(np.sin(whole(whole(m)))))(M)
            assert_same(named(ft.grad(lambda x: np.sum(np.sin(g(x)))))(M), by_all)


def test_what_does_not_depend_on_the_example():
    w = np.array([1.0, 2.0])
    f = lambda x: (
        co.psum(w, "i"),
        co.pmean(w, "i"),
        co.pmax(w, "i"),
        co.all_gather(w, "i"),
        co.ppermute(w, "i", [(0, 1)]),
        co.psum(1, "i"),
        co.axis_size("i"),
    )
    total, mean, largest, gathered, moved, count, size = named(
        f, out_axes=(None, None, None, None, 0, None, None)
    )(X)
    assert_same(total, 4 * w)
    assert_same(mean, w)
    assert_same(largest, w)
    assert_same(gathered, every(w))
    assert_same(moved, np.stack([0 * w, w, 0 * w, 0 * w]))
    assert (count, size) == (4, 4)
    assert (type(count), type(size)) == (int, int)


def test_values_traced_outside_and_inside():
    # Every value here is of another recording than the vmap's: older, or younger.
    f = lambda w: np.sum(named(lambda x: co.psum(w, "i") * x)(X))
    assert ft.grad(f)(2.0) == pytest.approx(4 * np.sum(X))
    assert ft.grad(ft.jit(f))(2.0) == pytest.approx(4 * np.sum(X))
    assert ft.jvp(f, (2.0,), (1.0,))[1] == pytest.approx(4 * np.sum(X))
    g = named(lambda x: ft.grad(lambda w: co.psum(w * w, "i"))(3.0) * x)
    assert_same(g(X), X * 24)
    h = named(lambda x: ft.jvp(lambda w: co.psum(w * x, "i"), (3.0,), (1.0,))[1])
    assert_same(h(X), every(np.sum(X)))
    k = ft.vmap(lambda w: named(lambda x: co.psum(w, "i") * x)(X))
    assert_same(k(np.array([1.0, 2.0])), np.stack([4 * X, 8 * X]))


def test_two_names():
    m = np.cos(np.arange(12.0)).reshape(3, 4)
    both = lambda f: ft.vmap(ft.vmap(f, axis_name="j"), axis_name="i")
    assert_same(both(lambda x: co.psum(x, "j"))(m), np.repeat(m.sum(1, keepdims=True), 4, 1))
    assert_same(both(lambda x: co.psum(x, "i"))(m), np.repeat(m.sum(0, keepdims=True), 3, 0))
    for names in (("i", "j"), ("j", "i")):
        assert_same(both(lambda x: co.psum(x, names))(m), np.full((3, 4), m.sum()))
        assert_same(both(lambda x: co.pmax(x, names))(m), np.full((3, 4), m.max()))
        assert_same(both(lambda x: co.pmean(x, names))(m), np.full((3, 4), m.mean()))
    gathered = both(lambda x: co.all_gather(x, ("i", "j")))(m)
    assert_same(gathered[1, 2], m.ravel())
    gathered = both(lambda x: co.all_gather(x, ("j", "i")))(m)
    assert_same(gathered[1, 2], m.T.ravel())
    assert_same(both(lambda x: co.axis_index(("i", "j")))(m), np.arange(12).reshape(3, 4))
    assert_same(both(lambda x: co.axis_size(("i", "j")) * x)(m), 12 * m)
    assert_same(
        both(lambda x: co.psum(co.axis_index("i"), "j"))(m),
        4 * np.arange(3)[:, None] + 0 * m.astype(int),
    )
    grads = both(ft.grad(lambda x: co.psum(np.sin(x), ("i", "j")) * co.axis_index("j")))(m)
    assert_same(grads, np.cos(m) * 18)


def test_the_inner_of_two_axes_of_one_name():
    m = np.ones((3, 4))
    f = ft.vmap(lambda r: (named(lambda x: co.psum(x, "i"))(r), co.psum(r, "i")), axis_name="i")
    inner, outer = f(m)
    assert_same(inner, 4 * m)
    assert_same(outer, 3 * m)


def test_a_batched_choice_still_combines_all_examples():
    f = lambda x: ft.cond(x > 0, lambda x: co.psum(x, "i"), lambda x: -x, x)
    expected = np.where(X > 0, np.sum(X), -X)
    for run in (named(f), ft.jit(named(f)), named(ft.jit(f))):
        assert_same(run(X), expected)
    by_all = ft.grad(lambda x: np.sum(np.where(x > 0, np.sum(x), -x)))(X)
    assert_same(ft.grad(lambda x: np.sum(named(f)(x)))(X), by_all)
    assert_same(ft.grad(ft.jit(lambda x: np.sum(named(f)(x))))(X), by_all)
    g = lambda x: ft.switch(
        co.axis_index("i"), [lambda x: x, lambda x: co.psum(x, "i"), lambda x: co.pmax(x, "i")], x
    )
    assert_same(named(g)(X), np.array([X[0], X.sum(), X.max(), X.max()]))


def test_a_loop_that_examples_leave_at_different_trips():
    # All take part in the sum until the last one has ended, with the values that they ended with.
    f = lambda x: ft.while_loop(lambda c: c < 5, lambda c: c + 1 + 0.1 * co.psum(c, "i"), x)
    c = X + 1
    while np.any(c < 5):
        c = np.where(c < 5, c + 1 + 0.1 * np.sum(c), c)
    assert_same(named(f)(X + 1), c)
    assert_same(ft.jit(named(ft.jit(f)))(X + 1), c)
    mean_below = lambda x: ft.while_loop(lambda c: co.pmean(c, "i") < 9, lambda c: c * 2, x)
    assert_same(named(mean_below)(X + 1), (X + 1) * 8)


def test_trees_and_dtypes():
    f = lambda x: co.psum({"a": x, "b": (x > 0, np.float32(1) * x.astype(np.float32))}, "i")
    found = named(f, out_axes=None)(X)
    assert found["a"] == np.sum(X)
    assert_same(found["b"][0], np.int64(3))
    assert found["b"][1].dtype == np.float32
    whole = lambda x: co.psum(x.astype(np.int8), "i")
    assert_same(named(whole, out_axes=None)(X), np.sum(X.astype(np.int8)))
    assert ft.make_ir(named(whole))(X)
    assert_same(named(lambda x: co.psum(x + 1j, "i"), out_axes=None)(X), np.sum(X + 1j))
    ties = np.array([1.0, 3.0, 3.0])
    assert_same(
        ft.grad(lambda x: named(lambda x: co.pmax(x, "i"), out_axes=None)(x))(ties),
        np.array([0, 0.5, 0.5]),
    )
    assert_same(named(lambda x: co.psum(x, "i"))(np.zeros((0, 2))), np.zeros((0, 2)))


def test_batch_normalisation():
    def normalised(x, scale):
        mean = co.pmean(x, "batch")
        variance = co.pmean((x - mean) ** 2, "batch")
        return scale * (x - mean) / np.sqrt(variance + 1e-5)

    x, scale = np.cos(np.arange(12.0)).reshape(4, 3), np.array([1.0, 2.0, 3.0])
    f = ft.vmap(normalised, (0, None), axis_name="batch")
    whole = lambda x, s: s * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
    assert_same(f(x, scale), whole(x, scale))
    loss = lambda f: lambda x, s: np.sum(np.sin(f(x, s)))
    assert_same(ft.grad(loss(f), (0, 1))(x, scale), ft.grad(loss(whole), (0, 1))(x, scale))


def test_a_mapped_size_without_arguments():
    f = ft.vmap(lambda: co.axis_index("i") + co.psum(1.0, "i"), axis_name="i", axis_size=3)
    assert_same(f(), np.array([3.0, 4.0, 5.0]))


def test_names_end_with_their_vmap():
    with pytest.raises(errors.AxisNameError, match="'i'; the names in scope: there are none"):
        co.psum(1.0, "i")

    def fails(x):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        named(fails)(X)
    for f in (co.axis_index, co.axis_size, lambda name: co.ppermute(1.0, name, [])):
        with pytest.raises(errors.AxisNameError):
            f("i")
    with pytest.raises(errors.AxisNameError, match="scope: 'i'"):
        named(lambda x: co.psum(x, ("i", "j")))(X)


def test_what_does_not_fit():
    with pytest.raises(errors.ArgumentError, match="each source at most once"):
        named(lambda x: co.ppermute(x, "i", [(0, 1), (0, 2)]))(X)
    with pytest.raises(errors.ArgumentError, match="each destination at most once"):
        named(lambda x: co.ppermute(x, "i", [(0, 4)]))(X)
    with pytest.raises(errors.ArgumentError, match="each of 4 examples once"):
        named(lambda x: co.pshuffle(x, "i", [0, 0, 1, 2]))(X)
    with pytest.raises(errors.ArgumentError, match="axis 2 of 1 axes"):
        named(lambda x: co.all_gather(x, "i", axis=2))(X)
    with pytest.raises(errors.ArgumentError, match="among 4 examples"):
        named(lambda x: co.psum_scatter(x, "i"))(np.ones((4, 3)))
    with pytest.raises(errors.ArgumentError, match="all_to_all was asked for axis"):
        named(lambda x: co.all_to_all(x, "i", 3, 0))(np.ones((4, 3)))


def test_functions_with_rules_of_their_own():
    @ft.custom_vjp
    def f(x):
        return co.psum(x * x, "i")

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (2 * x * co.psum(ct, "i"),))
    assert_same(named(f)(X), every(np.sum(X * X)))
    assert_same(named(ft.grad(f))(X), 8 * X)
    assert_same(named(ft.grad(ft.checkpoint(lambda x: co.psum(x * x, "i"))))(X), 8 * X)


def test_jit_within_a_named_map_records_once():
    counts = []

    @ft.jit
    def centred(x):
        counts.append(co.axis_size("i"))
        return x - co.pmean(x, "i") + co.axis_index("i")

    expected = X - np.mean(X) + np.arange(X.size)
    for _ in range(2):
        assert_same(named(centred)(X), expected)
        assert_same(named(ft.jit(lambda x: centred(x)))(X), expected)
        by_all = 2 * (expected - np.mean(expected))
        assert_same(named(ft.grad(lambda x: centred(x) ** 2))(X), by_all)
    assert counts == [X.size]
    # Another length, another order of names, or an axis within one of the same name: other records.
    assert_same(named(centred)(X[:2]), X[:2] - np.mean(X[:2]) + np.arange(2))
    assert counts == [X.size, 2]
    m = np.cos(np.arange(12.0)).reshape(3, 4)
    for _ in range(2):
        both = named(named(centred))(m)
        assert_same(both, m - m.mean(1, keepdims=True) + np.arange(4))


def test_jit_does_not_keep_a_number_that_its_name_does_not_find():
    m = np.cos(np.arange(12.0)).reshape(3, 4)
    record = {}

    @ft.jit
    def added(x):
        return x + record["row"] * 10 + co.axis_index("i")

    def by_row(row):
        record["row"] = co.axis_index("i")
        return named(added)(row)

    expected = m + np.arange(3)[:, None] * 10 + np.arange(4)
    for _ in range(2):
        assert_same(named(by_row)(m), expected)


def test_jit_captures_a_tangent_within_a_named_map():
    def f(x):
        return ft.jit(lambda y: y * x + co.psum(x, "i"))(2.0)

    found = named(lambda x: ft.jvp(f, (x,), (x,))[1])(X)
    assert_same(found, 2 * X + np.sum(X))


GROUPS = [[0, 2], [3, 1]]
"""Of four examples; the second group counts backwards."""

GROUPED = {
    # Of the values of one group, in its order: what each member gets.
    "psum": (lambda x, g: co.psum(x, "i", axis_index_groups=g), lambda m: [m.sum(0)] * 2),
    "pmean": (lambda x, g: co.pmean(x, "i", axis_index_groups=g), lambda m: [m.mean(0)] * 2),
    "pmax": (lambda x, g: co.pmax(x, "i", axis_index_groups=g), lambda m: [m.max(0)] * 2),
    "pmin": (lambda x, g: co.pmin(x, "i", axis_index_groups=g), lambda m: [m.min(0)] * 2),
    "all_gather": (
        lambda x, g: co.all_gather(x, "i", axis_index_groups=g, axis=1),
        lambda m: [m.T] * 2,
    ),
    "all_gather tiled": (
        lambda x, g: co.all_gather(x, "i", axis_index_groups=g, tiled=True),
        lambda m: [np.ravel(m)] * 2,
    ),
    "psum_scatter": (
        lambda x, g: co.psum_scatter(x, "i", axis_index_groups=g),
        lambda m: list(m.sum(0)),
    ),
    "all_to_all": (
        lambda x, g: co.all_to_all(x, "i", 0, 0, axis_index_groups=g),
        lambda m: list(m.T),
    ),
}


@pytest.mark.parametrize("name", GROUPED)
def test_groups_of_examples(name):
    f, of_group = GROUPED[name]
    m = np.cos(np.arange(8.0)).reshape(4, 2)

    def whole(m):
        found = [None] * 4
        for group in GROUPS:
            for number, x in zip(group, of_group(np.stack([m[k] for k in group])), strict=True):
                found[number] = x
        return np.stack(found)

    mapped = named(lambda x: f(x, GROUPS))
    for run in (mapped, ft.jit(mapped), named(ft.jit(lambda x: f(x, GROUPS)))):
        assert_same(run(m), whole(m))
    check_grads(mapped, (m,), modes=("fwd", "rev"))
    loss = lambda x: np.sum(np.sin(f(x, GROUPS)))
    assert_same(named(ft.grad(loss))(m), ft.grad(lambda m: np.sum(np.sin(whole(m))))(m))
    both = np.stack([m, 2 * m, -m], 1)
    expected = np.stack([whole(both[:, k]) for k in range(3)], 1)
    assert_same(named(ft.vmap(lambda x: f(x, GROUPS)))(both), expected)


def test_groups_that_do_not_divide_the_examples():
    for groups in ([[0, 1], [2]], [[0, 1]], [[0, 1], [1, 2]], [[0, 1, 2], [3]]):
        with pytest.raises(errors.ArgumentError, match="each of 4 examples once"):
            named(lambda x, groups=groups: co.psum(x, "i", axis_index_groups=groups))(np.ones(4))
    doubled = lambda x: x * co.psum(1, "i", axis_index_groups=GROUPS)
    assert_same(named(doubled)(np.ones(4)), np.full(4, 2.0))


BRANCHES = {
    "the sum": lambda x: co.psum(x, "i"),
    "the sum of squares": lambda x: co.psum(x * x, "i"),
    "a share": lambda x: x / co.psum(np.exp(x), "i"),
    "the mean's sine": lambda x: np.sin(co.pmean(x, "i") * x) + 1.0,
    "the maximum": lambda x: co.pmax(x, "i"),
    "all": lambda x: np.dot(co.all_gather(x, "i"), np.array([1.0, 10.0, 100.0])) * x,
    "another": lambda x: co.ppermute(np.sin(x), "i", [(0, 1), (1, 2), (2, 0)]),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_the_gradient_of_each_through_a_batched_choice_is_that_of_all(name):
    f = lambda x: ft.cond(x > 0, BRANCHES[name], lambda x: 2 * x * x, x)
    x = np.array([1.0, -2.0, 3.0])
    by_all = ft.grad(lambda x: np.sum(named(f)(x)))(x)
    for g in (
        ft.grad(f),
        ft.grad(ft.jit(f)),
        ft.jit(ft.grad(f)),
        lambda x: ft.vjp(f, x)[1](1.0)[0],
    ):
        assert_same(named(g)(x), by_all)
    assert_same(ft.jit(named(ft.grad(f)))(x), by_all)
    check_grads(named(f), (x,), modes=("fwd", "rev"))
    # Of the derivative again, within and outside of the map.
    weighted = lambda g: lambda x: np.sum(np.sin(named(g)(x)))
    expected = ft.grad(lambda x: np.sum(np.sin(ft.grad(lambda x: np.sum(named(f)(x)))(x))))(x)
    assert_same(ft.grad(weighted(ft.grad(f)))(x), expected)
    within = named(ft.grad(lambda x: np.sin(ft.grad(f)(x))))
    assert_same(within(x), expected)
    along = np.array([0.5, -1.0, 2.0])
    tangents = named(lambda x, t: ft.jvp(ft.grad(f), (x,), (t,))[1])(x, along)
    assert_same(tangents, ft.jvp(named(ft.grad(f)), (x,), (along,))[1])
    both = np.stack([x, -x], 1)
    expected = np.stack([named(ft.grad(f))(x), named(ft.grad(f))(-x)], 1)
    assert_same(named(ft.vmap(ft.grad(f)))(both), expected)
