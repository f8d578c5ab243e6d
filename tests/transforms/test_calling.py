"""Arguments are never modified, and results are in memory of their own."""

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace import errors

LARGE = 50_000

# Arguments that a function writes into


def doubles(a, c):
    c *= 2.0
    return np.sum(a * c)


def sets_an_element(a, c):
    c[0] = 5.0
    return np.sum(a * c)


def multiplies_by_traced(a, c):
    c *= a
    return np.sum(a * c)


def sets_a_traced_element(a, c):
    c[0] = a[1] * 2.0
    return np.sum(a * c)


def writes_both(a, c):
    a *= 3.0
    c[1:] += a[1:]
    return np.sum(a * c)


def out_of_a_function(a, c):
    np.multiply(c, 2.0, out=c)
    return np.sum(a * c)


def through_a_view(a, c):
    c[1:][:] = 4.0
    return np.sum(a * c)


def through_the_iterator(a, c):
    c.flat[2] = a[0]
    return np.sum(a * c)


def unseen(a, c):
    def inner(c):
        np.add.at(c, 1, 5.0)

    inner(c)
    return np.sum(a * c)


WRITERS = [
    doubles, sets_an_element, multiplies_by_traced, sets_a_traced_element, writes_both,
    out_of_a_function, through_a_view, through_the_iterator, unseen,
]  # fmt: skip

MODES = {
    "grad": lambda f, a, c: ft.grad(f)(a, c),
    "by keyword": lambda f, a, c: ft.grad(f)(a, c=c),
    "named": lambda f, a, c: ft.grad(ft.named_call(f))(a, c),
    "second argument": lambda f, a, c: ft.grad(lambda c, a: f(a, c), 1)(c, a),
    "value_and_grad": lambda f, a, c: ft.value_and_grad(f)(a, c)[1],
    "jacrev": lambda f, a, c: ft.jacrev(f)(a, c),
    "vmap": lambda f, a, c: ft.vmap(ft.grad(f), (0, None))(a[None], c)[0],
    "grad of vmap": lambda f, a, c: ft.grad(lambda a: ft.vmap(f, (0, None))(a[None], c)[0])(a),
    "jvp": lambda f, a, c: ft.jvp(f, (a, c), (np.ones(len(a)), None))[1],
    "linearize": lambda f, a, c: ft.linearize(f, a, c)[1](np.ones(len(a)), None),
    "vjp": lambda f, a, c: ft.vjp(f, a, c)[1](1.0)[0],
    "jit": lambda f, a, c: ft.jit(ft.grad(f))(a, c),
    "grad of jit": lambda f, a, c: ft.grad(ft.jit(f))(a, c),
    "grad of checkpoint": lambda f, a, c: ft.grad(ft.checkpoint(f))(a, c),
    "grad of grad": lambda f, a, c: ft.grad(lambda a, c: ft.value_and_grad(f)(a, c)[0])(a, c),
    "grad of cond": lambda f, a, c: ft.grad(lambda a: ft.cond(True, f, f, a, c))(a),
}


def expected_slope(f, a, c):
    """By central differences, of the same function on copies."""
    step = 1e-6
    return np.array(
        [
            (f(a + step * unit, c.copy()) - f(a - step * unit, c.copy())) / (2 * step)
            for unit in np.eye(len(a))
        ]
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", WRITERS, ids=lambda f: f.__name__)
def test_an_argument_may_be_written_and_stays_as_it_is(f, mode):
    a, c = np.linspace(1.0, 2.0, 4), np.linspace(3.0, 4.0, 4)
    expected = expected_slope(f, a, c)
    if mode in ("jvp", "linearize"):
        expected = np.sum(expected)
    for _ in range(2):
        np.testing.assert_allclose(MODES[mode](f, a, c), expected, rtol=1e-6)
        np.testing.assert_array_equal(a, np.linspace(1.0, 2.0, 4))
        np.testing.assert_array_equal(c, np.linspace(3.0, 4.0, 4))


@pytest.mark.parametrize("f", WRITERS, ids=lambda f: f.__name__)
def test_so_may_a_large_one(f):
    a, c = np.linspace(1.0, 2.0, LARGE), np.linspace(3.0, 4.0, LARGE)
    expected = ft.jit(ft.grad(f))(a, c)
    for _ in range(2):
        for found in (
            ft.grad(f)(a, c),
            ft.vmap(ft.grad(f), (0, None))(a[None], c)[0],
            ft.vjp(f, a, c)[1](1.0)[0],
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-12)
        along = ft.jvp(f, (a, c), (np.ones(LARGE), None))[1]
        np.testing.assert_allclose(along, np.sum(expected), rtol=1e-12)
    np.testing.assert_array_equal(c, np.linspace(3.0, 4.0, LARGE))
    assert c.flags.writeable
    assert a.flags.writeable


class Subclass(np.ndarray):
    """As `numpy.memmap` is one."""


@pytest.mark.parametrize("size", [4, LARGE])
@pytest.mark.parametrize("f", WRITERS, ids=lambda f: f.__name__)
def test_so_may_one_of_a_subclass(f, size):
    a, c = np.linspace(1.0, 2.0, size), np.linspace(3.0, 4.0, size).view(Subclass)
    expected = ft.grad(f)(a, c.view(np.ndarray))
    for gradient in (ft.grad(f), ft.jit(ft.grad(f)), ft.grad(ft.checkpoint(f))):
        np.testing.assert_array_equal(gradient(a, c), expected)
        np.testing.assert_array_equal(c, np.linspace(3.0, 4.0, size))
    along = ft.jvp(f, (a, c), (np.ones(size), None))[1]
    np.testing.assert_allclose(along, np.sum(expected), rtol=1e-12)


@pytest.mark.parametrize("size", [4, LARGE])
def test_arrays_in_containers_and_integers(size):
    def f(a, batch, scale):
        batch["labels"][0] = 3
        batch["parts"][0][:] = 2.0
        return np.sum(a * batch["parts"][0] * batch["labels"]) * scale

    def given():
        labels, part = np.arange(size), np.linspace(3.0, 4.0, size)
        return {"labels": labels, "parts": (part, "name", None)}

    a, batch = np.ones(size), given()
    expected = 2.0 * np.where(np.arange(size) == 0, 3, np.arange(size)) * 0.5
    for _ in range(2):
        np.testing.assert_allclose(ft.grad(f)(a, batch, 0.5), expected)
        np.testing.assert_array_equal(batch["labels"], given()["labels"])
        np.testing.assert_array_equal(batch["parts"][0], given()["parts"][0])


def test_undifferentiated_arguments_stay_ordinary_arrays():
    class Options:
        pass

    options, log = Options(), []

    def f(a, c, given, seen, name):
        assert type(c) is np.ndarray
        assert c.sum() > 0
        assert given is options
        seen.append(name)
        return np.sum(a * c)

    for c in (np.ones(3), np.asfortranarray(np.ones((LARGE // 100, 100))), np.ones((4, 6))[:, ::2]):
        gradient = ft.grad(f)(np.float64(1.0), c, options, log, "loss")
        assert gradient == np.sum(c)
    assert log == ["loss"] * 3


def test_inner_functions_do_not_change_what_is_traced_outside():
    def outer(a, c):
        inner = ft.grad(doubles)(a, c)
        return np.sum(inner * c)

    a, c = np.ones(3), np.arange(1.0, 4.0)
    assert ft.jit(outer)(a, c) == outer(a, c) == np.sum(2 * c * c)
    np.testing.assert_allclose(ft.grad(outer, 1)(a, c), 4 * c)


def test_functions_with_rules_and_branches_leave_their_arguments_alone():
    def double(x):
        x *= 2.0
        return np.sum(x)

    with_jvp, with_vjp = ft.custom_jvp(double), ft.custom_vjp(double)
    with_jvp.defjvp(lambda primals, tangents: (double(*primals), double(*tangents)))

    def backward(residual, cotangent):
        residual *= cotangent
        return (residual,)

    with_vjp.defvjp(lambda x: (double(x), x), backward)
    x = np.ones(3)
    for f in (
        with_jvp,
        with_vjp,
        ft.checkpoint(double),
        lambda x: ft.cond(True, double, double, x),
    ):
        assert f(x) == 6.0
        ft.grad(f)(x)
        np.testing.assert_array_equal(x, np.ones(3))
    output, pullback = ft.vjp(with_vjp, x)
    assert output == 6.0
    np.testing.assert_array_equal(pullback(2.0)[0], pullback(2.0)[0])


def test_loops_of_plain_arrays_leave_them_alone():
    def body(carry, row):
        carry += row
        row *= 0.0
        return carry, carry

    start, rows = np.zeros(2), np.ones((3, 2))
    for run in (lambda f: f, ft.jit):
        last, sums = run(lambda start, rows: ft.scan(body, start, rows))(start, rows)
        np.testing.assert_array_equal(last, [3.0, 3.0])
        np.testing.assert_array_equal(sums, [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
        np.testing.assert_array_equal(start, np.zeros(2))
        np.testing.assert_array_equal(rows, np.ones((3, 2)))

    def add_one(i, carry):
        carry += 1.0
        return carry

    np.testing.assert_array_equal(ft.fori_loop(0, 3, add_one, start), [3.0, 3.0])
    condition = lambda carry: np.sum(carry) < 5.0
    found = ft.while_loop(condition, lambda carry: add_one(0, carry), start)
    np.testing.assert_array_equal(found, [3.0, 3.0])
    np.testing.assert_array_equal(start, np.zeros(2))


calls = 0


class Counter:
    def __init__(self):
        self.total = 0.0


def test_what_the_first_call_did_is_undone_before_the_second():
    buffer, log, counter, local = np.zeros(3), [], Counter(), 0

    def f(a, c):
        global calls  # noqa: PLW0603
        nonlocal local
        calls += 1
        local += 1
        buffer[0] += 1.0
        counter.total += 1.0
        log.append(float(buffer[0]))
        c[0] = a[0] * 2.0
        return np.sum(a * c) * buffer[0] * counter.total * local * calls

    for trip in (1, 2, 3):
        slope = ft.grad(f)(np.ones(3), np.ones(3))
        np.testing.assert_allclose(slope, np.array([4.0, 1.0, 1.0]) * trip**4)
        assert (buffer[0], counter.total, local, calls, len(log)) == (trip,) * 5


def test_a_later_call_that_writes_other_values_does_nothing_twice():
    scale, counter, local = {"of all": 1.0}, Counter(), 0

    def changes_a_dict(a, c, writes):
        scale["of all"] *= 2.0
        if writes:
            c *= a
        return np.sum(a * c) * scale["of all"]

    def changes_an_object(a, c, writes):
        counter.total += 1.0
        if writes:
            c *= a
        return np.sum(a * c) * counter.total

    def rebinds_a_name(a, c, writes):
        nonlocal local
        local += 1
        if writes:
            c *= a
        return np.sum(a * c) * local

    for f, expected in ((changes_a_dict, 16.0), (changes_an_object, 6.0), (rebinds_a_name, 6.0)):
        np.testing.assert_array_equal(ft.grad(f)(np.ones(2), np.ones(2), False) > 0.0, True)
        with pytest.raises(errors.ArrayWriteError) as caught:
            ft.grad(f)(np.ones(2), np.ones(2), True)
        assert "The next call works" in "".join(caught.value.__notes__)
        np.testing.assert_array_equal(ft.grad(f)(np.ones(2), np.ones(2), True), expected)


def test_a_later_call_that_writes_other_values_works_where_nothing_else_can_change():
    factor = 3.0

    def f(a, c, writes):
        if writes:
            c *= a
        return np.sum(a * c) * factor

    for writes, expected in ((False, 3.0), (True, 6.0), (False, 3.0)):
        np.testing.assert_array_equal(ft.grad(f)(np.ones(2), np.ones(2), writes), expected)


def test_so_are_writes_into_traced_arrays():
    def outer(t):
        kept = fnp.zeros(2)
        moved = fnp.zeros(2)

        def f(a, c):
            kept[0] += 1.0
            moved[0] += t
            c[0] = a[0] * 2.0
            return np.sum(a * c) * kept[0] * moved[0]

        return ft.grad(f)(np.ones(3), np.ones(3)).sum()

    np.testing.assert_allclose(ft.value_and_grad(outer)(2.0), (12.0, 6.0))
    np.testing.assert_allclose(ft.jit(ft.value_and_grad(outer))(2.0), (12.0, 6.0))


def test_a_function_that_fails_is_not_called_again_without_need():
    calls = []

    def f(a, c):
        calls.append(None)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ft.grad(f)(np.ones(3), np.ones(LARGE))
    assert len(calls) == 1


# Results

CAPTURED = np.arange(1.0, 4.0)
SHAPE = ft.ShapeDtypeStruct((3,), np.float64)

IDENTITIES = {
    "itself": lambda x: x,
    "copy": lambda x: np.copy(x),
    "copy of the method": lambda x: x.copy(),
    "transposed": lambda x: x.T.T,
    "reshaped": lambda x: x.reshape(1, -1).reshape(x.shape),
    "plus zero": lambda x: x + 0.0,
    "times one": lambda x: x * 1.0,
    "asarray": lambda x: fnp.asarray(x),
    "real": lambda x: np.real(x),
    "atleast_1d": lambda x: np.atleast_1d(x),
    "broadcast": lambda x: np.broadcast_to(x, x.shape),
    "sliced": lambda x: x[:],
    "backwards": lambda x: x[::-1],
    "where": lambda x: np.where(True, x, x),
    "astype": lambda x: x.astype(x.dtype),
    "stop_gradient": lambda x: ft.stop_gradient(x),
    "twice": lambda x: (x, x, x[:]),
    "parts": lambda x: (x[:2], x[1:]),
    "captured": lambda x: (x, CAPTURED, CAPTURED[::-1]),
    "checkpoint": lambda x: ft.checkpoint(lambda y: y)(x),
    "jit": lambda x: ft.jit(lambda y: y)(x),
    "cond": lambda x: ft.cond(True, lambda y: y, lambda y: 2.0 * y, x),
    "switch": lambda x: ft.switch(0, [lambda y: y, lambda y: 2.0 * y], x),
    "scan": lambda x: ft.scan(lambda carry, _: (carry, carry), x, None, 2),
    "fori_loop": lambda x: ft.fori_loop(0, 2, lambda i, carry: carry, x),
    "no trip": lambda x: ft.fori_loop(0, 0, lambda i, carry: carry, x),
    "while_loop": lambda x: ft.while_loop(lambda y: np.sum(y) < -1.0, lambda y: y * 1.0, x),
    "callback": lambda x: (x, ft.pure_callback(lambda y: CAPTURED, SHAPE, ft.stop_gradient(x))),
}


def with_jvp(f):
    custom = ft.custom_jvp(lambda x: f(x))
    custom.defjvp(lambda primals, tangents: (f(*primals), f(*tangents)))
    return custom


class Given:
    """What belongs to the user in one call."""

    def __init__(self):
        self.x, self.tangent = np.arange(1.0, 4.0), np.ones(3)
        self.rows = np.arange(6.0).reshape(2, 3)
        self.cotangents = []

    def pulled(self, f):
        output, pullback = ft.vjp(f, self.x)
        return output, *(pullback(self.ones_like(output)) for _ in range(2))

    def ones_like(self, output):
        self.cotangents = [np.ones(np.shape(x)) for x in ft.tree.leaves(output)]
        return ft.tree.structure(output).unflatten(self.cotangents)

    def linearized(self, f):
        output, pushforward = ft.linearize(f, self.x)
        return output, pushforward(self.tangent), pushforward(self.tangent)

    def arrays(self):
        return [self.x, self.tangent, self.rows, CAPTURED, *self.cotangents]


def summed(f):
    return lambda x: (np.sum(np.sin(x)), f(x))


TRANSFORMATIONS = {
    "jit": lambda f, given: ft.jit(f)(given.x),
    "vjp": lambda f, given: given.pulled(f),
    "jvp": lambda f, given: ft.jvp(f, (given.x,), (given.tangent,)),
    "jvp of zero": lambda f, given: ft.jvp(f, (given.x,), (None,)),
    "linearize": lambda f, given: given.linearized(f),
    "jacfwd": lambda f, given: ft.jacfwd(f)(given.x),
    "jacrev": lambda f, given: ft.jacrev(f)(given.x),
    "vmap": lambda f, given: ft.vmap(f)(given.rows),
    "vmap of what is shared": lambda f, given: ft.vmap(lambda row, x: f(x), (0, None))(
        given.rows, given.x
    ),
    "vmap without an axis": lambda f, given: ft.vmap(lambda row, x: f(x), (0, None), None)(
        given.rows, given.x
    ),
    "evaluate": lambda f, given: ft.evaluate(ft.make_ir(f)(given.x), given.x),
    "aux of grad": lambda f, given: ft.grad(summed(f), has_aux=True)(given.x),
    "aux of vjp": lambda f, given: ft.vjp(summed(f), given.x, has_aux=True)[2],
    "aux of jvp": lambda f, given: ft.jvp(summed(f), (given.x,), (given.tangent,), has_aux=True),
    "aux of hessian": lambda f, given: ft.hessian(summed(f), has_aux=True)(given.x),
    "checkpoint": lambda f, given: ft.checkpoint(f)(given.x),
    "custom_jvp": lambda f, given: with_jvp(f)(given.x),
    "jvp of custom_jvp": lambda f, given: ft.jvp(with_jvp(f), (given.x,), (given.tangent,)),
    "scan": lambda f, given: ft.scan(lambda carry, x: (carry, f(x)), given.x, given.rows),
    "map": lambda f, given: ft.lax.map(f, given.rows),
    "cond": lambda f, given: ft.cond(True, f, f, given.x),
    "jvp of vmap": lambda f, given: ft.jvp(ft.vmap(f), (given.rows,), (given.rows * 2.0,)),
}


@pytest.mark.thinned
@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
@pytest.mark.parametrize("name", IDENTITIES)
def test_results_share_memory_with_nothing(name, transformation):
    if name == "callback" and "vmap" in transformation:
        return  # it says itself whether it takes many examples
    given = Given()
    result = TRANSFORMATIONS[transformation](IDENTITIES[name], given)
    found = [x for x in ft.tree.leaves(result) if isinstance(x, np.ndarray) and x.shape]
    assert found
    for number, array in enumerate(found):
        assert array.flags.writeable
        for other in (*given.arrays(), *found[:number]):
            assert not np.shares_memory(array, other)
    before = [x.copy() for x in found]
    again = TRANSFORMATIONS[transformation](IDENTITIES[name], Given())
    for array in found:
        array[...] = -7.0
    np.testing.assert_array_equal(CAPTURED, np.arange(1.0, 4.0))
    third = TRANSFORMATIONS[transformation](IDENTITIES[name], Given())
    for results in (again, third):
        arrays = [x for x in ft.tree.leaves(results) if isinstance(x, np.ndarray) and x.shape]
        for array, expected in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("name", ["itself", "copy", "times one", "backwards"])
def test_transposes_share_memory_with_nothing(name):
    given = Given()
    transposed = ft.linear_transpose(IDENTITIES[name], given.x)
    cotangent = np.ones(3)
    (first,), (second,) = transposed(cotangent), transposed(cotangent)
    assert not np.shares_memory(first, cotangent)
    assert not np.shares_memory(first, second)


def _with(y, linear, argument):
    return y, linear(argument)


ORDERS = {
    "transposed": lambda x: np.sin(x.T),
    "as it lies": lambda x: x * 2.0,
    "reshaped": lambda x: x.reshape((3, 2), order="F") * 1.0,
    "cumulated": lambda x: np.cumsum(x.T, axis=0),
    "stacked": lambda x: np.stack([x, x], axis=-1),
}
WAYS = {
    "jvp": lambda f, x: ft.jvp(f, (x,), (x,)),
    "vjp": lambda f, x: _with(*ft.vjp(f, x), f(x)),
    "linearize": lambda f, x: _with(*ft.linearize(f, x), x),
    "vmap": lambda f, x: ft.vmap(f, in_axes=-1, out_axes=-1)(np.stack([x, x], axis=-1)),
    "grad": lambda f, x: ft.grad(lambda x, y: np.sum(f(x) * f(x)), (0, 1))(x, x),
    "jacfwd": lambda f, x: ft.jacfwd(f)(x),
    "jacrev": lambda f, x: ft.jacrev(f)(x),
    "evaluate": lambda f, x: ft.evaluate(ft.make_ir(f)(x), x),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_results_lie_in_row_major_order(way, name, order):
    x = np.arange(1.0, 7.0).reshape(2, 3).copy(order)
    for result in ft.tree.leaves(WAYS[way](ORDERS[name], x)):
        assert result.flags.c_contiguous
