"""Generated NumPy source: what it computes, what it writes, what it keeps, and how it fails."""

from __future__ import annotations

import inspect
import re
import traceback
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.numpy_source import Written
from functrace.errors import ProgramCheckError
from functrace.extend import PRIMITIVES, Primitive, bind
from functrace.ir.types import ArrayType
from tests.strategies import programs
from tests.test_random_programs import WRAPPINGS, costly, thorough


def written(f, *args, donated=()):
    return Written(ft.make_ir(f)(*args), frozenset(donated), "program")


def body_of(source):
    """The statements between the generated function's first lines and its last ones."""
    lines = source.splitlines()[2:-3]
    return [line.partition("  #")[0].strip() for line in lines]


def require_same(program, inputs):
    """The generated function gives what evaluation does, and shares no memory."""
    expected = ft.evaluate(program, *inputs)
    before = [np.array(x) for x in inputs]
    outputs = Written(program, frozenset(), "program").run(*inputs)
    for x, y in zip(outputs, expected, strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        # Single numbers are Python's, whose functions round their last digit in their own way.
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)
    for x, y in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, y)
    arrays = [x for x in (*outputs, *inputs) if isinstance(x, np.ndarray)]
    for number, x in enumerate(arrays):
        assert not any(np.may_share_memory(x, y) for y in arrays[number + 1 :])


@thorough
@given(programs())
def test_random_programs(drawn):
    require_same(*drawn)


@thorough
@given(programs())
def test_gradients_of_random_programs(drawn):
    program, inputs = drawn

    def loss(*xs):
        return sum(np.sum(np.sin(y)) for y in ft.evaluate(program, *xs))

    gradient = ft.value_and_grad(loss, tuple(range(len(inputs))))
    require_same(ft.make_ir(gradient)(*inputs), inputs)


@pytest.mark.parametrize("outer", WRAPPINGS)
@settings(costly, max_examples=6)
@given(drawn=programs(max_steps=8), inner=st.sampled_from(sorted(WRAPPINGS)))
def test_programs_that_contain_programs(outer, drawn, inner):
    program, inputs = drawn
    plain = lambda *xs: list(ft.evaluate(program, *xs))
    wrapped = WRAPPINGS[outer](lambda *xs: list(WRAPPINGS[inner](plain)(*xs)))
    require_same(ft.make_ir(wrapped)(*inputs), inputs)

    def loss(*xs):
        return sum(np.sum(np.sin(y)) for y in wrapped(*xs))

    gradient = ft.make_ir(ft.grad(loss, tuple(range(len(inputs)))))(*inputs)
    require_same(gradient, inputs)


# What it writes to


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
        lambda x: x,
        lambda x: (x, x),
        lambda x: x.T,
        lambda x: (x * 2.0)[0],
        lambda x: np.broadcast_to(np.sum(x), (3, 3)),
        lambda x: np.broadcast_to(x[:, None], (3, 200, 3)) if x.ndim == 2 else x,
        lambda x: np.ones(2),
        lambda x: [y := x + 1.0, y[::-1], y],
        lambda x: np.reshape(x, (9,)),
        lambda x: np.diagonal(x),
        lambda x: (x[0, 0, ...], [y := x * 2.0, y[..., 0, 0], (y + 1.0) * 2.0][1:]),
        lambda x: [np.split(x, 3), np.split(x + 1.0, 3)],
    ],
)
def test_outputs_share_no_memory(f):
    x = np.arange(9.0).reshape(3, 3)
    require_same(ft.make_ir(f)(x), [x])
    for output in written(f, x).run(x):
        assert not isinstance(output, np.ndarray) or output.flags.writeable


@pytest.mark.parametrize("x", [np.array(2.0), np.float64(2.0), 2.0])
def test_scalars_of_each_kind(x):
    for f in (lambda x: x, lambda x: np.reshape(x, ()), lambda x: x * 2 + 1, lambda x: (x, x)):
        program = ft.make_ir(f)(x)
        outputs = Written(program, frozenset(), "program").run(x)
        for output, expected in zip(outputs, ft.evaluate(program, x), strict=True):
            assert type(output) is type(expected)
            assert output == expected
            assert output is not x or not isinstance(x, np.ndarray)


def test_a_number_read_with_an_ellipsis_is_a_view():
    def f(x):
        y = x * 2.0
        return y[..., 0], (y + 1.0) * 2.0

    require_same(ft.make_ir(f)(np.ones(3)), [np.ones(3)])


def test_complex_numbers_are_true_where_only_their_imaginary_part_is_not_zero():
    f = lambda x: x.astype(bool)
    for x in (np.array([1j, 0.0, 1.0]), np.complex128(1j)):
        np.testing.assert_array_equal(f(x), ft.jit(f)(x))
        assert f(x).dtype == ft.jit(f)(x).dtype


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


def test_carries_that_change_places():
    def f(a, b):
        return ft.fori_loop(0, 5, lambda i, c: (c[1] * 2.0, c[0] + 1.0), (a, b))

    require_same(ft.make_ir(f)(np.ones(2), np.zeros(2)), [np.arange(2.0), np.ones(2)])

    def g(a, b):
        return ft.scan(lambda c, x: ((c[1], c[0]), (c[0], x)), (a, b), np.arange(6.0).reshape(3, 2))

    require_same(ft.make_ir(g)(np.ones(2), np.zeros(2)), [np.arange(2.0), np.ones(2)])


def test_a_carry_may_be_what_a_row_was():
    def f(rows):
        return ft.scan(lambda c, row: (row, c), np.zeros(2), rows)

    rows = np.arange(6.0).reshape(3, 2)
    require_same(ft.make_ir(f)(rows), [rows])


def test_branches_that_return_operands_and_constants():
    constant = np.arange(3.0)

    def f(i, x):
        y = x + 1.0
        z = ft.switch(i, [lambda y: y, lambda y: constant, lambda y: y * 2.0], y)
        return z * 2.0, y

    for i in (-1, 0, 1, 2, 7):
        require_same(ft.make_ir(f)(0, np.ones(3)), [i, np.arange(3.0)])


def test_loops_nested_deeper_than_python_allows():
    def nested(depth, x):
        if depth == 0:
            return np.sin(x) * 0.5
        return ft.fori_loop(0, 1, lambda i, c: nested(depth - 1, c), x)

    x = np.ones(2)
    require_same(ft.make_ir(lambda x: nested(25, x))(x), [x])


# What a person reads


def test_each_statement_has_the_users_line():
    def f(x):
        return np.sin(x) + 1.0

    line = f.__code__.co_firstlineno + 1
    source = written(f, np.ones(3)).source
    assert source.count(f"# test_numpy_source.py:{line}") == 2


def test_warnings_are_ignored_where_the_rules_of_derivatives_ignore_them():
    source = written(ft.value_and_grad(lambda x: np.sum(np.log(x))), np.ones(3)).source
    loud, silent = source.split("with np.errstate")
    assert "np.log" in loud
    assert "quotient_or_zero" in silent
    source = written(ft.grad(lambda x: np.sum(np.tanh(x))), np.ones(3)).source
    assert "errstate" not in source  # nothing there divides


# How it fails


def test_errors_point_at_the_users_line():
    def f(x):
        y = x + 1.0
        return np.linalg.inv(y * 0.0)

    run = written(f, np.eye(2)).run
    with pytest.raises(np.linalg.LinAlgError) as caught:
        run(np.eye(2))
    line = f.__code__.co_firstlineno + 2
    assert any(f"test_numpy_source.py:{line} in f" in note for note in caught.value.__notes__)
    text = "".join(traceback.format_exception(caught.value))
    assert f'test_numpy_source.py", line {line}, in ' in text
    assert inspect.getsource(f).splitlines()[2].strip() in text  # as if the user's file held it
    assert f"test_numpy_source.py:{line}" in text


def test_an_index_out_of_range_is_an_error():
    def f(x, i):
        return x[i]

    run = written(f, np.ones(3), np.array([0, 1])).run
    with pytest.raises(IndexError) as caught:
        run(np.ones(3), np.array([0, 3]))
    assert "test_numpy_source.py" in caught.value.__notes__[0]


def test_a_constant_that_the_text_left_out():
    program = ft.parse(str(ft.make_ir(lambda x: x * np.arange(20.0))(np.ones(20))))
    with pytest.raises(ProgramCheckError, match="is not in the text"):
        Written(program, frozenset(), "program")


# Primitives that say nothing about their source


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


@pytest.mark.parametrize("name", ["a", "b", "zz", "team", "error", "np", "k0", "range"])
def test_a_users_primitive_may_have_any_name(name):
    class Twice(Primitive):
        def run(self, x):
            return x * 2.0

        def infer(self, x):
            return ArrayType(x.shape, x.dtype)

    twice = Twice(name)
    try:
        f = lambda x: np.sin(bind(twice, x + 1.0)) @ np.ones((100, 100)) + bind(twice, x)
        require_same(ft.make_ir(f)(np.ones(100)), [np.linspace(0, 1, 100)])
    finally:
        del PRIMITIVES[name]


def test_long_programs():
    def f(x):
        for _ in range(5_000):
            x = np.sin(x) * 2.0
        return x

    require_same(ft.make_ir(f)(np.ones(2)), [np.ones(2)])


# Numbers of Python's


@pytest.mark.parametrize("x", [np.float32(0.0), np.float64(0.0), 0.0])
def test_derivatives_at_singular_points_warn_no_more_than_without_jit(x):
    for f in (np.cbrt, np.sqrt, lambda x: np.where(x > 0, np.log(x + 1.0) / (x - 1.0), x)):
        gradient = ft.grad(f)
        found, expected = ft.jit(gradient)(x), gradient(x)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_pythons_numbers_do_not_change_dtypes():
    def f(x, y):
        for _ in range(5):
            x = x * 1.5
        return y * x, np.stack([x, x]), np.where(x > 1, x, 0.0), x > 1, y[0] * x

    program = ft.make_ir(f)(np.float64(1.0), np.ones(2, np.float32))
    require_same(program, [np.float64(1.0), np.arange(2, dtype=np.float32)])
    require_same(program, [np.array(1.0), np.arange(2, dtype=np.float32)])


def test_loops_over_numbers_hold_them_in_memory_of_their_own():
    def f(x, ys):
        def step(c, y):
            c = np.sin(c) * y + c
            return c, c * 2.0

        last, stacked = ft.scan(step, x, ys)
        first = stacked[0] if len(ys) else x
        return last, stacked, np.cumsum(stacked), ft.scan(step, last, stacked)[1], first

    ys = np.arange(4.0)
    program = ft.make_ir(f)(0.5, ys)
    assert "new_doubles(4)" in Written(program, frozenset(), "program").source
    require_same(program, [0.5, ys])
    require_same(ft.make_ir(f)(np.float64(0.5), ys[:0]), [np.float64(0.5), ys[:0]])
    require_same(ft.make_ir(f)(np.float64(0.5), ys[::-1]), [np.float64(0.5), ys[::-1]])
    gradient = ft.grad(lambda x, ys: np.sum(f(x, ys)[3]), (0, 1))
    program = ft.make_ir(gradient)(0.5, ys)
    # What only the loop back reads need be no array.
    assert "[None] * 4" in Written(program, frozenset(), "program").source
    require_same(program, [0.5, ys])
    require_same(ft.make_ir(gradient)(0.5, ys[:0]), [0.5, ys[:0]])


def test_choices_between_numbers_of_both_kinds():
    def f(x, y):
        for _ in range(4):
            x = x * 1.1

        def norm(x, y):
            return np.sqrt(np.sum(y * y)) * x, y

        return ft.cond(x > 1, norm, lambda x, y: (x + 1.0, y * 2.0), x, y)

    program = ft.make_ir(f)(np.float64(1.0), np.ones(3))
    for x in (0.1, 3.0):
        require_same(program, [np.float64(x), np.arange(3.0)])


def test_adding_at_an_index_in_place_keeps_columns_that_lie_one_after_another():
    def loss(x, w):
        return np.sum(np.sin(x) * w) + np.sum(x[0, np.array([0, 1, 1])] ** 2)

    x, w = (np.asfortranarray(np.arange(12.0).reshape(3, 4) + start) for start in (0, 1))
    gradient = ft.jit(ft.grad(loss))
    assert "add_at" in gradient.source(x, w)
    np.testing.assert_allclose(gradient(x, w), ft.grad(loss)(x, w), rtol=1e-15)


# Large arrays that are kept from call to call

N = 20_000


def chain(x):
    y = np.sin(x) * x
    z = np.cos(y) + x * 2.0
    w = np.exp(-z * z)
    return z, w[::2], np.sum(y), np.cumsum(w) * y


def test_what_was_returned_is_not_written_by_later_calls():
    function = written(chain, np.ones(N))
    assert "workspace.take()" in function.source
    first, second = np.linspace(0, 1, N), np.linspace(1, 2, N)
    outputs = function.run(first)
    copies = [np.array(x) for x in outputs]
    others = function.run(second)
    for x, copy, y, expected in zip(outputs, copies, others, chain(second), strict=True):
        np.testing.assert_array_equal(x, copy)
        np.testing.assert_allclose(y, expected, rtol=1e-12)
        assert not np.may_share_memory(x, y) or not np.ndim(x)


def test_calls_that_overlap_have_arrays_of_their_own():
    x = np.linspace(0, 1, N)
    seen = []

    def look(y):
        if len(seen) < 3:
            seen.append(1)
            inner.extend(function.run(y))
        return y

    def f(x):
        y = np.sin(x) * x
        z = ft.pure_callback(look, ft.ShapeDtypeStruct((N,), np.float64), np.cos(x))
        return y * z + np.exp(y)

    inner = []
    function = written(f, x)
    (result,) = function.run(x)
    np.testing.assert_allclose(result, np.sin(x) * x * np.cos(x) + np.exp(np.sin(x) * x))


def test_threads_have_arrays_of_their_own():
    function = written(chain, np.ones(N))
    inputs = [np.linspace(k, k + 1, N) for k in range(4)]

    def work(x):
        expected = chain(x)
        for _ in range(25):
            for found, y in zip(function.run(x), expected, strict=True):
                np.testing.assert_allclose(found, y, rtol=1e-12)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, inputs))


def test_an_error_leaves_the_next_call_as_it_was():
    def f(x, i):
        y = np.sin(x) * 2.0
        return np.sum(y[i]) + y[0]

    x = np.ones(N)
    function = written(f, x, np.array([0]))
    (expected,) = function.run(x, np.array([1]))
    with pytest.raises(IndexError):
        function.run(x, np.array([N]))
    assert function.run(x, np.array([1])) == (expected,)


def test_residuals_of_loops_are_kept_and_carries_are_not():
    def f(w, xs):
        def step(h, x):
            h = np.tanh(h * w + x)
            return h, np.sin(h) * x

        h, ys = ft.scan(step, xs[0], xs)
        return np.sum(ys * ys) + np.sum(h)

    w, xs = np.linspace(0, 1, N), np.linspace(0, 1, 4 * N).reshape(4, N)
    program = ft.make_ir(ft.grad(f, (0, 1)))(w, xs)
    assert "workspace.take()" in Written(program, frozenset(), "program").source
    require_same(program, [w, xs])
    function = Written(program, frozenset(), "program")
    first = function.run(w, xs)
    copies = [x.copy() for x in first]
    function.run(w * 2, xs - 1)
    for x, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


def test_no_more_is_kept_than_there_may_be(monkeypatch):
    monkeypatch.setattr("functrace.backends.plan.MOST_KEPT", 8 * N - 1)
    assert "workspace" not in written(chain, np.ones(N)).source


@pytest.mark.parametrize("x", [0.0, np.float64(0.0), np.array(0.0), np.float32(0.0)])
def test_a_chosen_zero_over_zero_is_zero(x):
    gradient = ft.jit(ft.grad(lambda x: np.where(x > 0, np.sqrt(x), 0) * 2))
    assert gradient(x) == 0
    assert gradient(x).dtype == ft.grad(np.sin)(x).dtype


@pytest.mark.parametrize(
    "name", ["f", "add_at", "program", "k0", "math", "np", "for", "<lambda>", "é"]
)
def test_the_function_has_the_users_name_if_it_can(name):
    f = lambda x: np.sin(x) * 2.0 + 100.0
    f.__name__ = name
    fast = ft.jit(f)
    x = np.ones(3)
    np.testing.assert_array_equal(fast(x), f(x))
    expected = name if name in ("f", "add_at", "program", "k0", "é") else "program"
    assert fast.source(x).startswith(f"def {expected}(")
