"""Graphs of functions: formulas, forward and backward values, partials, what is within boxes."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.drawing.graphs import folded, graph_of_call, graph_of_program


def found(f, *args, **options):
    graph = graph_of_call(f, args, options)
    return graph, {box.name: box for box in graph.boxes}


def test_the_chain_rule_of_the_course():
    def y(x):
        u = 3 * x + 2
        return u**2

    graph, boxes = found(y, 1.0)
    assert [box.formula for box in graph.boxes] == ["", "3 * x", "f1 + 2", "u ** 2"]
    assert [float(box.value) for box in graph.boxes] == [1, 3, 5, 25]
    assert [float(box.gradient) for box in graph.boxes] == [30, 10, 10, 1]
    assert [arrow.partial for arrow in graph.arrows] == [3, 1, 10]
    assert boxes["u"].code == "3 * x + 2"
    assert boxes["u"].line == "u = 3 * x + 2"
    assert boxes["u"].place.startswith("test_graphs.py:")
    assert graph.results == [graph.boxes[-1]]


def test_what_makes_numpys_number_of_pythons_is_no_box():
    def f(x):
        y = ft.cond(x > 0, lambda x: x * 2, lambda x: np.float64(1.0), x)
        return y * 3 + x

    graph, _ = found(f, 2.0)
    assert [box.formula for box in graph.boxes] == ["", "x * 2", "f1 * 3", "f2 + x"]
    assert [float(box.gradient) for box in graph.boxes] == [7, 3, 1, 1]
    assert [arrow.partial for arrow in graph.arrows] == [2, 3, 1, 1]

    graph, _ = found(lambda x: ft.cond(x > 0, lambda x: x, lambda x: 0, x), 2.0)
    assert graph.results == graph.boxes
    assert float(graph.boxes[0].gradient) == 1
    graph, _ = found(lambda x: x.astype(np.float32) * 2, np.float64(2.0))
    assert graph.boxes[1].formula == "cast(x)"


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4))]
)
def test_a_product_of_matrices_is_written_as_one(shapes):
    graph = graph_of_program(ft.make_ir(lambda a, b: a @ b)(*map(np.ones, shapes)))
    assert graph.boxes[-1].formula == "a @ b"


@pytest.mark.parametrize("f", [np.vecdot, lambda a, b: np.einsum("ij,kj->ki", a, b)])
def test_another_product_is_not(f):
    ones = np.ones((2, 3))
    graph = graph_of_program(ft.make_ir(f)(ones, ones))
    assert graph.boxes[-1].formula.startswith("contract(")


def test_all_kinds_of_boxes_against_grad():
    def loss(a, b, w):
        u = a + b
        v = a * b
        s = 1 / (1 + np.exp(-np.maximum(u, v) * w))
        return (s - 0.25) ** 2 + abs(a - b)

    args = (3.0, 0.5, 0.4)
    _, boxes = found(loss, *args)
    expected = ft.grad(loss, argnums=(0, 1, 2))(*args)
    for name, gradient in zip("abw", expected, strict=True):
        np.testing.assert_allclose(boxes[name].gradient, gradient)


def test_integers_and_keys_have_forward_values_alone():
    _, boxes = found(lambda n, m: (n + m) * n, 3, 4)
    assert [int(box.value) for box in boxes.values()] == [3, 4, 7, 21]
    assert all(box.gradient is None for box in boxes.values())
    key = ft.random.key(0)
    graph, boxes = found(lambda key: ft.random.normal(key, (3,)), key)
    np.testing.assert_array_equal(graph.boxes[-1].value, ft.random.normal(key, (3,)))
    _, boxes = found(lambda x: np.argmax(x), np.array([1.0, 3.0]))
    assert [box.value for box in boxes.values()][-1] == 1


def test_products_have_their_sign():
    x, m = np.ones(2), np.ones((2, 2))
    products = {
        lambda x, m: x @ x: "x @ x",
        lambda x, m: m @ x: "m @ x",
        lambda x, m: x @ m: "x @ m",
        lambda x, m: m @ m: "m @ m",
        lambda x, m: m.T @ x: "f1 @ x",
        lambda x, m: np.outer(x[:1], x): "outer(f2, f3)",
        lambda x, m: np.einsum("ij,kj->ik", m, m): "m @ m.T",
        lambda x, m: np.einsum("ij,ik->jk", m, m): "m.T @ m",
    }
    for f, formula in products.items():
        graph, _ = found(f, x, m)
        assert graph.boxes[-1].formula == formula
        np.testing.assert_array_equal(graph.boxes[-1].value, f(x, m))
    graph, boxes = found(lambda m: m.T * 2, m)
    assert boxes["f1"].formula == "m.T"


def test_what_is_zero_by_its_meaning_stays_zero():
    with np.errstate(all="ignore"):
        _, boxes = found(lambda x: np.where(x > 0, x * np.log(x), 0.0), 0.0)
    assert boxes["x"].gradient == 0


def test_a_value_that_is_used_twice_has_two_arrows():
    graph, boxes = found(lambda x: x - x * x, 3.0)
    assert [arrow.partial for arrow in graph.arrows] == [3, 3, 1, -1]
    assert boxes["x"].gradient == -5


def test_arrays_and_arguments_in_trees():
    def loss(params, x, *, rate):
        h = np.tanh(x @ params["W"]) * rate
        return np.sum(h)

    params = {"W": np.linspace(-1, 1, 6).reshape(2, 3)}
    _, boxes = found(loss, params, np.ones(2), rate=2.0)
    expected = ft.grad(lambda p: loss(p, np.ones(2), rate=2.0))(params)["W"]
    np.testing.assert_allclose(boxes["params['W']"].gradient, expected)
    assert "rate" in boxes
    assert boxes["h"].value.shape == (3,)


def test_constants_are_boxes_if_they_are_arrays_and_words_if_they_are_numbers():
    table = np.arange(3.0)
    graph, _ = found(lambda x: np.sum(x * table + 0.5), np.ones(3))
    assert [box.kind for box in graph.boxes] == ["input", "constant", *["operation"] * 3]
    assert graph.boxes[2].formula == "x * constant"
    assert graph.boxes[3].formula == "f1 + 0.5"


def test_choices_of_python_are_followed():
    graph, _ = found(lambda x: np.sin(x) if x > 0 else np.cos(x), 1.0)
    assert graph.boxes[-1].formula == "sin(x)"


def test_what_has_no_derivative_is_drawn_where_the_result_is_computed_of_it():
    def loss(x, labels):
        u = np.maximum(x, 0) * 3  # of no use
        if u[0] > 5 or np.argmax(x) == 7:  # Python asks for it
            return x[0]
        y = np.where(x > 0, np.round(x), x)
        return np.sum(ft.stop_gradient(y)[labels] * x[labels])

    x, labels = np.array([1.4, -2.0]), np.array([0, 0, 1])
    graph, boxes = found(loss, x, labels)
    assert [box.formula for box in graph.boxes] == [
        "", "", "maximum(x, 0)", "f1 * 3", "u[0]", "x > 0", "round(x)", "where(f4, f5, x)",
        "stop_gradient(y)", "f7[labels]", "x[labels]", "f8 * f9", "sum(f10)",
    ]  # fmt: skip
    assert boxes["labels"].gradient is None
    assert boxes["f4"].gradient is None
    np.testing.assert_allclose(boxes["x"].gradient, ft.grad(loss)(x, labels))
    np.testing.assert_array_equal(boxes["u"].gradient, [0, 0])
    np.testing.assert_array_equal(boxes["y"].gradient, [0, 0])
    np.testing.assert_allclose(boxes["f7"].gradient, [2.8, -2.0])

    graph, boxes = found(lambda x, y: np.floor(x) * y, 2.5, 3.0)
    assert [arrow.partial for arrow in graph.arrows] == [0, 3, 2]
    assert [float(box.gradient) for box in graph.boxes] == [0, 2, 3, 1]


def test_what_is_written_in_place():
    def f(x, labels):
        y = x * 2
        y[labels] = x[:1]
        y[1:] += x[0]
        return np.sum(y**2)

    graph, boxes = found(f, np.array([1.0, 2.0, 3.0]), np.array([2, 0]))
    formulas = [box.formula for box in graph.boxes]
    assert any(formula.startswith("y[labels] = f") for formula in formulas)
    np.testing.assert_allclose(
        boxes["x"].gradient, ft.grad(f)(np.array([1.0, 2.0, 3.0]), np.array([2, 0]))
    )


def test_a_function_that_takes_whole_numbers_for_plain_ones_is_drawn_all_the_same():
    table = {0: 2.0, 1: 3.0}

    def loss(x, labels):
        return sum(table[int(n)] * x[i] for i, n in enumerate(labels)) + {True: 1}[x[0] > 0] * x[0]

    _, boxes = found(loss, np.ones(2), np.array([1, 0]))
    np.testing.assert_array_equal(boxes["x"].gradient, [4, 2])


def test_what_a_function_does_in_several_steps_has_its_name_at_the_last():
    def f(x):
        y = ft.nn.softplus(x)
        for _ in range(2):
            y = np.sin(y)
        return np.polyval([1.0, 2.0, 3.0], y)

    graph, _ = found(f, 1.0)
    assert [box.name for box in graph.boxes][:6] == ["x", "f1", "f2", "y", "y#2", "y#3"]
    assert float(graph.boxes[3].value) == float(ft.nn.softplus(1.0))


def test_each_of_several_results_has_a_backward_value():
    def f(x):
        q, r = np.linalg.qr(x)
        return np.sum(q * 2) + r[0, 1]

    graph, _ = found(f, np.array([[2.0, 1.0], [0.0, 3.0]]))
    of_q, of_r = graph.boxes[1].gradient
    np.testing.assert_array_equal(of_q, np.full((2, 2), 2.0))
    np.testing.assert_array_equal(of_r, [[0, 1], [0, 0]])


def test_names_in_loops_are_told_apart():
    def f(x):
        for _ in range(3):
            x = np.sin(x)
        return x

    graph, _ = found(f, 1.0)
    assert [box.name for box in graph.boxes] == ["x", "x#2", "x#3", "x#4"]


def test_loops_are_within_boxes_and_functions_in_scopes():
    def f(x):
        y, _ = ft.scan(lambda c, a: (c * a, None), x, np.arange(1.0, 4))
        z = ft.jit(lambda y: np.sin(y) * 2)(y)
        return z + 1

    graph, boxes = found(f, 0.5)
    (loop,) = [box for box in graph.boxes if box.formula.startswith("scan")]
    ((title, body),) = loop.inside
    assert title == "3 trips"
    assert [box.name for box in body.boxes] == ["carry", "row", "f1"]
    assert body.boxes[-1].value is None
    inner = [box for box in graph.boxes if box.scope == "jit"]
    first = inner[0].name
    assert [box.formula for box in inner] == [f"sin({loop.name})", f"{first} * 2"]
    np.testing.assert_allclose(inner[-1].value, np.sin(3.0) * 2)
    assert [float(box.gradient) for box in inner] == [2, 1]
    np.testing.assert_allclose(boxes["x"].gradient, ft.grad(f)(0.5))


def test_the_branch_that_is_taken():
    def f(x):
        return ft.cond(x > 0, np.sin, np.cos, x)

    program = ft.make_ir(f)(1.0)
    (title, graph) = graph_of_program(program, [np.float64(1.0)]).boxes[-1].inside[0]
    assert title == "branch 1, which is taken"
    assert graph.boxes[-1].formula == "sin(a)"
    titles = [title for title, _ in graph_of_program(program).boxes[-1].inside]
    assert titles == ["branch 0", "branch 1"]


def test_programs_have_types_only():
    graph = graph_of_program(ft.make_ir(lambda x: np.sin(x) + 1)(np.ones(3)))
    assert [str(box.types[0]) for box in graph.boxes] == ["float64[3]"] * 3
    assert all(box.value is None and box.gradient is None for box in graph.boxes)


def test_what_is_not_a_number_has_no_gradient():
    graph, _ = found(lambda x: x * 2, np.ones(3))
    assert all(box.gradient is None for box in graph.boxes)
    with pytest.raises(ft.errors.NonScalarOutputError, match="computed of its arguments"):
        found(lambda x: 1.0, 2.0)


@pytest.mark.parametrize(
    ("f", "formula"),
    [
        (lambda x: x[1, 2], "x[1, 2]"),
        (lambda x: x[0], "x[0]"),
        (lambda x: x[..., ::-1], "x[..., ::-1]"),
        (lambda x: x[None, 1:, :2], "x[None, 1:, :2]"),
        (lambda x: x[:, np.array([0, 1])], "x[:, constant]"),
    ],
)
def test_indexing_is_written_as_indexing(f, formula):
    for graph in (found(f, np.ones((2, 3)))[0], ft.draw(ft.make_ir(f)(np.ones((2, 3)))).graph):
        assert graph.boxes[-1].formula == formula.replace("x", graph.boxes[0].name)


@pytest.mark.parametrize("most", [4, 10, 60])
def test_large_graphs_are_folded(most):
    def f(params, x):
        for layer, w in enumerate(params):
            with ft.named_scope(f"layer{layer}"):
                x = np.tanh(w * x) + 0.1
        return np.sum(x)

    params = [np.full(3, 0.5)] * 30
    graph, _ = found(f, params, np.ones(3))
    assert len(graph.boxes) == 31 + 91

    def count(graph):
        return sum(
            count(box.inside[0][1]) if box.members and box.inside else box.kind == "operation"
            for box in graph.boxes
        )

    def check(graph):
        shown = folded(graph, most)
        assert len(shown.boxes) <= most
        places = {id(box): i for i, box in enumerate(shown.boxes)}
        inputs = sum(box.kind != "operation" for box in shown.boxes)
        for arrow in shown.arrows:
            start, end = places[id(arrow.start)], places[id(arrow.end)]
            assert start < end or start < inputs
        assert shown.results
        for box in shown.boxes:
            if box.members and box.inside:
                assert box.members < sum(b.kind == "operation" for b in graph.boxes) + 1
                check(box.inside[0][1])

    check(graph)
    assert count(folded(graph, most)) == 91


def scopes_of(count):
    def f(params, x):
        for layer, w in enumerate(params):
            with ft.named_scope(f"layer{layer}"):
                x = np.tanh(w * x) + 0.1
        return np.sum(x)

    return folded(found(f, [np.full(3, 0.5)] * count, np.ones(3))[0], 60)


def test_folding_leaves_scopes_whole():
    names = [box.name for box in scopes_of(30).boxes if box.kind == "operation"]
    assert names == [*(f"layer{layer}" for layer in range(30)), "f91"]
    boxes = [box for box in scopes_of(100).boxes if box.members and box.inside]
    assert [boxes[0].name, boxes[1].name] == ["layer0 … layer3", "layer4 … layer7"]
    assert boxes[0].members == 12


def test_folding_leaves_scopes_within_a_scope_whole():
    def f(x, count):
        with ft.named_scope("model"):
            for layer in range(count):
                with ft.named_scope(f"layer{layer}"):
                    x = np.tanh(x) + 0.1
        return x

    for count, second in ((40, "layer1"), (100, "layer4 … layer7")):
        graph = folded(found(lambda x, n=count: f(x, n), 1.0)[0], 60)
        assert graph.boxes[2].name == second


def test_functions_within_have_backward_values_and_partial_derivatives():
    @ft.jit
    def within(x):
        return np.sin(x) * x

    @ft.jit
    def chooses(x):
        return ft.cond(x > 0, within, np.cos, x)

    for f, scope in (
        (within, "jit"),
        (ft.checkpoint(within), "checkpoint/jit"),
        (chooses, "jit/branch 1/jit"),
    ):
        graph = ft.draw(lambda x, f=f: f(x) * 2)(1.0).graph
        inner = [box for box in graph.boxes if box.scope == scope]
        assert [box.formula for box in inner] == ["sin(x)", f"{inner[0].name} * x"]
        assert [box.gradient for box in inner] == [2.0, 2.0]
        assert graph.boxes[0].gradient == pytest.approx(2 * (np.cos(1.0) + np.sin(1.0)))
        partials = {round(arrow.partial, 9) for arrow in graph.arrows if arrow.partial is not None}
        assert {1.0, 2.0, round(np.cos(1.0), 9), round(np.sin(1.0), 9)} <= partials


def test_functions_within_are_recorded_for_the_types_that_they_are_given():
    @ft.custom_jvp
    def first(x):
        return x[0] * np.ones(2)[1]

    first.defjvp(lambda primals, tangents: (first(*primals), tangents[0][0]))
    box = ft.draw(lambda x: first(x))(np.array([2.0, 3.0])).graph.boxes[-1]
    ((_, within),) = box.inside
    assert within.boxes[0].types[0].shape == (2,)
    assert box.value == 2.0


def test_reprs_say_what_a_thing_is():
    def loss(x):
        y = np.sin(x)
        return y * 2.0

    graph = ft.draw(loss)(0.5).graph
    assert repr(graph) == "<graph of 3 boxes and 2 arrows>"
    assert repr(graph.boxes[0]) == "<input x: weak_float64>"
    assert repr(graph.boxes[1]).startswith("<operation y = sin(x): float64 at test_graphs.py:")
    assert repr(graph.arrows[1]) == "<arrow from y to f2: 2>"
