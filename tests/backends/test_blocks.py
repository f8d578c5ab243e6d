"""What an operation is written over: what nobody needs any more, and nothing else."""

from __future__ import annotations

import re
import tracemalloc
import warnings

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_source import Written, plan_function
from functrace.errors import PrimitiveError
from functrace.extend import PRIMITIVES, Primitive, bind
from functrace.ir.types import ArrayType
from functrace.scipy import special
from tests.backends.sources import body_of, require_plan, require_same, written


def test_results_go_over_what_nobody_needs():
    text = """
    def program(a: float64[3]):
        b: float64[3] = multiply(a, 2.0)
        c: float64[3] = tanh(b)
        d: float64[3] = add(c, b)
        return d
    """
    require_plan(
        text,
        """
        given a: float64[3] in m0
        b = multiply a, 2.0: into m1
        c = tanh b: into m2
        d = add c, b: over m2
        return d
        """,
    )


def test_views_are_views_until_they_are_returned():
    text = """
    def program(a: float64[4]):
        b: float64[4] = sin(a)
        c: float64[2] = getitem(b, index=(slice(None, 2, None),))
        return b, c
    """
    require_plan(
        text,
        """
        given a: float64[4] in m0
        b = sin a: into m1
        c = getitem b: view of m1
        return b, a copy of c
        """,
    )


def test_a_donated_input_is_written_over():
    text = """
    def program(a: float64[4]):
        b: float64[4] = sin(a)
        return b
    """
    require_plan(text, "given a: float64[4] in m0\nb = sin a: over m0\nreturn b", donated=[0])


def test_what_is_still_read_of_an_array_is_moved_before_it_is_written():
    text = """
    def program(a: float64[4, 3], b: float64):
        c: float64[4, 3] = sin(a)
        d: float64[3] = getitem(c, index=(1,))
        e: float64[4, 3] = index_update(c, b, index=(0,))
        f: float64[3] = add(d, 1.0)
        return e, f
    """
    require_plan(
        text,
        """
        given a: float64[4, 3] in m0, b: float64 in m1
        c = sin a: into m2
        d = getitem c: view of m2
        move d into m3
        e = index_update c, b: over m2
        f = add d, 1.0: over m3
        return e, f
        """,
    )


def test_operations_with_several_outputs_go_over_what_nobody_needs():
    text = """
    def program(a: float64[3], b: float64[3]):
        c: float64[3] = multiply(a, 2.0)
        d: float64[3] = add(b, 1.0)
        e: float64[3]; f: float64[3]; (e, f) = divmod(c, d)
        g: float64[3]; h: int32[3]; (g, h) = frexp(f)
        i: float64[3] = ldexp(g, h)
        return e, i
    """
    require_plan(
        text,
        """
        given a: float64[3] in m0, b: float64[3] in m1
        c = multiply a, 2.0: into m2
        d = add b, 1.0: into m3
        e, f = divmod c, d: over m2, over m3
        g, h = frexp f: over m3, into m4
        i = ldexp g, h: over m3
        return e, i
        """,
    )


class Halves(Primitive):
    """Fractions and whole numbers, which NumPy writes into given arrays."""

    multiple_outputs = True
    is_fresh = True
    takes_out = True

    def run(self, x, out=(None, None)):
        return np.modf(x, out=out)

    def infer(self, x: ArrayType):
        return x, x


class Forgetful(Halves):
    """The same, but for what it returns."""

    def run(self, x, out=None):
        return np.modf(x)


def of_halves(primitive):
    def f(x):
        y = x * 1.5
        fraction, whole = bind(primitive, y * y)
        return np.sum(fraction * whole) + np.sum(whole) + np.sum(y)

    return f


@pytest.mark.parametrize("size", [3, 10_000])
def test_users_operations_with_several_outputs_write_into_given_memory(size):
    f = of_halves(Halves("halves"))
    program = ft.make_ir(f)(np.ones(size))
    kind = "m" if size < 1000 else "w"
    assert f"d, e = halves c: into {kind}3, into {kind}4" in str(plan_function(program))
    written = Written(program, frozenset(), "program")
    assert ("out=(" in written.source) == (size > 1000)
    x = np.linspace(-3.0, 7.0, size)
    for _ in range(2):
        (found,) = written.run(x)
        np.testing.assert_allclose(found, ft.evaluate(program, x)[0], rtol=1e-12)


def test_what_does_not_write_into_given_memory_is_refused():
    fast = ft.jit(of_halves(Forgetful("forgetful")))
    with pytest.raises(PrimitiveError, match="was given arrays to write to, but its run rule"):
        fast(np.ones(10_000))


def test_results_are_written_over_what_nobody_needs():
    def f(x):
        y = x * 2.0
        z = np.tanh(y)
        return z + y

    source = written(f, np.ones(3)).source
    assert body_of(source) == [
        "b = np.multiply(a, k0)",
        "c = np.tanh(b)",
        "np.add(c, b, c)",
        "return (c,)",
    ]


def test_an_array_that_is_still_needed_is_not_written():
    def f(x):
        y = x + 1.0
        return np.exp(y), np.sin(y), y

    program = ft.make_ir(f)(np.ones(3))
    require_same(program, [np.arange(3.0)])


def test_views_stay_views_and_are_not_written_while_their_base_is_needed():
    def f(x):
        y = x * 1.5
        head = y[:2]
        z = head * 2.0
        return z, y, np.exp(head)

    program = ft.make_ir(f)(np.ones(3))
    assert "c = b[:2]" in body_of(Written(program, frozenset(), "program").source)
    require_same(program, [np.arange(3.0)])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.diagonal(x * 2.0)[::-1] + 1.0,
        lambda x: np.broadcast_to(x * 2.0, (5000, 3, 3))[::-1] + 1.0,
        lambda x: np.transpose(np.broadcast_to(x * 2.0, (5000, 3, 3))) * 2.0,
        lambda x: np.reshape(np.diagonal(x[:1, :1] * 2.0), ()),
        lambda x: [part * 2.0 for part in np.split(np.broadcast_to(x * 1.0, (5000, 3, 3)), 2)],
    ],
)
def test_views_of_what_cannot_be_written_are_not_written(f):
    x = np.arange(9.0).reshape(3, 3)
    require_same(ft.make_ir(f)(x), [x])
    for output in written(f, x).run(x):
        assert not isinstance(output, np.ndarray) or output.flags.writeable


def test_index_updates_of_one_array_are_made_in_place():
    def f(x):
        y = x * 0.0
        for i in range(5):
            y[i] = x[i] + i
        return y

    x = np.arange(5.0)
    body = body_of(written(f, x).source)
    assert sum(".copy()" in line for line in body) == 0
    require_same(ft.make_ir(f)(x), [x])


def copies_that_are_written(source):
    """The copies of arrays that are then written at an index: whether they are made in a loop."""
    written = set(re.findall(r"^ *(\w+)\[.*\] \+?= ", source, re.MULTILINE))
    found = []
    loops = []
    for line in source.splitlines():
        indent = len(line) - len(line.lstrip())
        loops = [depth for depth in loops if depth < indent]
        if line.lstrip().startswith("for "):
            loops.append(indent)
        copy = re.match(r" *(?:(\w+) = \w+\.copy\(\)|np\.copyto\((\w+), \w+\))", line)
        if copy and written.intersection(copy.groups()):
            found.append(bool(loops))
    return found


def rows_from_the_last_on(x):
    y = np.exp(x)
    for i in range(-1, -5, -1):
        y[i] = np.sin(y[i - 1] * y[i])
    return np.sum(y**2)


def rows_from_their_neighbours(x):
    y = 2.0 * x
    for i in range(5):
        y[i + 1] = np.sin(y[i]) + y[i + 1] * y[i]
    return np.sum(y**2)


def columns_added_to(x):
    y = np.exp(x)
    for i in range(5):
        y[:, i] += np.tanh(y[:, i + 1])
        y[i % 3, ::2] *= y[4, 1::2]
    return np.sum(y * y)


def blocks(x):
    y = np.exp(x)
    for i in range(0, 4, 2):
        y[i : i + 2, 1:3] = y[i : i + 2, 2:4] * y[4, 3]
        y[i] = y[i + 1]
    return np.sum(np.cos(y))


def places_and_masks(x):
    y = np.exp(x)
    mask = np.arange(6) > 3
    for i in range(3):
        y[[i, i + 1], [1, 4]] = np.sin(y[[i + 1, i], [2, 3]])
        y[i, mask] = y[i + 2, mask] ** 2
        y[[1, 1, i]] = y[[0, 3, 2]] * 0.5
    return np.sum(y**2)


def elements(x):
    y = np.exp(x[0])
    for i in range(5):
        y[i + 1] = np.sin(y[i]) * y[i + 1]
    return np.sum(y**2)


def trips(x):
    def body(i, y):
        y[i + 1] = np.sin(y[i]) * y[i + 1]
        y[:, i] += y[:, i + 1] ** 2
        return y

    return np.sum(ft.fori_loop(0, 5, body, 2.0 * x) ** 2)


def scanned(x):
    def body(y, i):
        y[i, 2:] = np.exp(-y[i - 1, 1:-1])
        return y, y[i, 0] * y[i, 3]

    y, products = ft.scan(body, 2.0 * x, np.arange(6))
    return np.sum(y**2) + np.sum(products)


@pytest.mark.parametrize(
    "f",
    [
        rows_from_the_last_on,
        rows_from_their_neighbours,
        columns_added_to,
        blocks,
        places_and_masks,
        elements,
        trips,
        scanned,
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_writing_in_place_copies_no_more_than_is_written(f, dtype):
    x = np.random.default_rng(0).uniform(0.1, 1.0, (6, 6)).astype(dtype)
    both = ft.jit(ft.value_and_grad(f))
    value, gradient = both(x)
    exact, expected = ft.value_and_grad(f)(x)
    tolerance = 1e-12 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(value, exact, tolerance)
    np.testing.assert_allclose(gradient, expected, tolerance, tolerance)
    if dtype == np.float64:
        ft.testing.check_grads(f, (x,), order=1)
    for source in (ft.jit(f).source(x), both.source(x)):
        copies = copies_that_are_written(source)
        assert len(copies) <= 2
        assert not any(copies)


def test_what_is_read_of_an_array_later_is_read_before_it_is_written():
    def f(x):
        before = np.exp(x)
        after = before.copy()
        after[0] = 1.0
        after[1] = 2.0
        return np.sum(after * x), before[0] @ before[3], before[2, 2]

    x = np.random.default_rng(0).normal(size=(6, 6))
    for got, expected in zip(ft.jit(f)(x), f(x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert not copies_that_are_written(ft.jit(f).source(x))


def test_donated_inputs_may_be_written():
    def step(w, g):
        return w - 0.1 * g

    w, g = np.ones(5), np.ones(5)
    run = written(step, w, g, donated=[0]).run
    (new,) = run(w, g)
    assert np.shares_memory(new, w)
    np.testing.assert_array_equal(new, np.full(5, 0.9))
    np.testing.assert_array_equal(g, np.ones(5))


def test_memory_is_let_go_as_early_as_by_hand():
    n = 100_000

    def f(x):
        for _ in range(30):
            x = np.sin(x) * np.cos(x)
        return np.sum(x)

    x = np.ones(n)
    run = written(f, x).run
    tracemalloc.start()
    run(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.2 * x.nbytes  # the sine and the cosine


def test_a_users_primitive_may_return_its_input():
    class Same(Primitive):
        def run(self, x):
            return x

        def infer(self, x):
            return ArrayType(x.shape, x.dtype)

    same = Same("returns_its_input")
    try:

        def f(x):
            y = x + 1.0
            z = bind(same, y)
            return z * 2.0, z, y

        require_same(ft.make_ir(f)(np.ones(3)), [np.arange(3.0)])
        require_same(ft.make_ir(lambda x: bind(same, x))(np.ones(3)), [np.arange(3.0)])
    finally:
        del PRIMITIVES["returns_its_input"]


@pytest.mark.numpy_backend
def test_adding_at_an_index_in_place_keeps_columns_that_lie_one_after_another():
    def loss(x, w):
        return np.sum(np.sin(x) * w) + np.sum(x[0, np.array([0, 1, 1])] ** 2)

    x, w = (np.asfortranarray(np.arange(12.0).reshape(3, 4) + start) for start in (0, 1))
    gradient = ft.jit(ft.grad(loss))
    assert "add_at" in gradient.source(x, w)
    np.testing.assert_allclose(gradient(x, w), ft.grad(loss)(x, w), rtol=1e-15)


BOUNDED = {
    "tanh": np.tanh,
    "arctan": np.arctan,
    "arctan2": lambda x: np.arctan2(x, 2.0),
    "hypot": lambda x: np.hypot(x, 1.0),
    "arcsinh": np.arcsinh,
    "expit": special.expit,
    "erf": special.erf,
    "exp": lambda x: np.exp(-x),
    "root": np.sqrt,
    "minimum": lambda x: np.minimum(x, 1.0),
    "masked": lambda x: np.where(np.abs(x) < 5, x, 1.0),
}
AROUND = {
    "times x": lambda f: lambda x: x * f(x),
    "where finite": lambda f: lambda x: np.where(np.isfinite(x), f(x) * x, 0.0),
}
DERIVED = {
    "gradient": lambda f: ft.grad(lambda x: np.sum(f(x))),
    "tangent": lambda f: lambda x: ft.jvp(f, (x,), (np.ones(2),))[1],
    "along": lambda f: lambda x: ft.jvp(ft.grad(lambda x: np.sum(f(x))), (x,), (np.ones(2),))[1],
}


def warned(f, x):
    """What NumPy says, and the value."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = f(x)
    return {str(w.message).partition(" encountered")[0] for w in caught}, found


@pytest.mark.thinned
@pytest.mark.parametrize("derived", DERIVED.values(), ids=DERIVED)
@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("f", BOUNDED.values(), ids=BOUNDED)
def test_compiled_derivatives_warn_no_more_than_others(f, around, derived):
    function = derived(around(f))
    fast = ft.jit(function)
    for number in (np.inf, -np.inf, np.nan, 0.0, 1e200, -1e200, 1e-200):
        x = np.array([number, 1.5])
        said, expected = warned(function, x)
        also, found = warned(fast, x)
        assert also <= said
        np.testing.assert_allclose(found, expected, rtol=1e-12)
