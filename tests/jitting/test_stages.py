"""lower, compile, source and cost."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors

Struct = ft.ShapeDtypeStruct


def model(p, x, n=1):
    return {"y": np.tanh(x @ p["W"]) * n}


P = {"W": np.ones((3, 2))}
X = np.ones((5, 3))


def test_lowering_runs_nothing_and_is_shared_with_calls():
    calls = []
    f = ft.jit(lambda p, x: (calls.append(1), model(p, x))[1])
    lowered = f.lower({"W": Struct((3, 2), np.float64)}, Struct((5, 3), "float64"))
    assert lowered.program is f.lower(P, X).program
    assert lowered.as_text() == str(lowered.program)
    f(P, X)
    assert len(calls) == 1
    assert lowered.in_tree == ft.tree.structure(((P, X), {}))
    assert lowered.out_tree == ft.tree.structure({"y": 0})
    assert "lowered" in repr(lowered)


def test_a_compiled_function():
    f = ft.jit(model, static_argnames="n")
    compiled = f.lower(P, X, n=3).compile()
    expected = model(P, X, 3)["y"]
    for _ in range(3):
        np.testing.assert_allclose(compiled(P, X)["y"], expected, rtol=1e-14)
        np.testing.assert_allclose(compiled(P, X.copy())["y"], expected, rtol=1e-14)
    assert compiled.source == f.source(P, X, n=3)
    assert str(compiled.program) == str(f.lower(P, X, n=3).compile().program)
    assert "compiled" in repr(compiled)


def test_a_compiled_function_refuses_other_arguments():
    compiled = ft.jit(model).lower(P, X).compile()
    for _ in range(2):
        with pytest.raises(errors.ArgumentError, match=r"x of type float64\[5, 3\].*int64"):
            compiled(P, X.astype(int))
        with pytest.raises(errors.ArgumentError, match=r"called with str"):
            compiled(P, "text")
        with pytest.raises(errors.ArgumentError, match="another structure"):
            compiled(P, [X])
        with pytest.raises(errors.ArgumentError, match="another structure"):
            compiled(P, X, n=1)
        with pytest.raises(errors.ArgumentError, match="no transformation can look into it"):
            ft.grad(lambda p: np.sum(compiled(p, X)["y"]))(P)
        compiled(P, X)
    strong = ft.jit(lambda x: x).lower(np.float64(1)).compile()
    assert strong(np.array(2.0)) == strong(np.float64(2.0)) == 2.0
    with pytest.raises(errors.ArgumentError, match=r"of type float64, and .* weak_float64"):
        strong(2.0)


def test_what_is_no_array_is_named():
    f = ft.jit(model)
    with pytest.raises(errors.ArgumentError, match="str as the argument x"):
        f.lower({"W": Struct((3, 2), float)}, "text")


def test_a_captured_value():
    def outer(a):
        ft.jit(lambda x: x * a).lower(1.0)

    with pytest.raises(errors.ArgumentError, match="captures a traced value"):
        ft.grad(outer)(1.0)


def test_the_cost_is_that_of_each_equation():
    cost = ft.jit(model).lower(P, X).cost()
    assert [row.operations for row in cost.equations] == [2 * 5 * 3 * 2, 10, 10]
    assert [row.bytes for row in cost.equations] == [8 * (15 + 6 + 10), 8 * 20, 8 * 20 + 8]
    assert cost.operations == 80
    assert cost.bytes == 248 + 160 + 168
    assert cost.equations[0].text.startswith("c: float64[5, 2] = contract(b, a, ")
    line = model.__code__.co_firstlineno + 1
    assert all(row.source.line == line for row in cost.equations)
    table = str(cost).split("\n")
    assert table[0].split() == ["operations", "bytes", "equation"]
    assert table[1].endswith(f"  # test_stages.py:{line}")
    assert table[-1].split() == ["80", "576", "in", "total"]
    assert repr(cost) == "<cost: 80 operations, 576 bytes>"


def test_views_and_loops_in_the_cost():
    def f(x):
        return ft.scan(lambda c, row: (c + row @ row, None), 0.0, x.T)[0]

    cost = ft.jit(f).lower(np.ones((3, 4))).cost()
    assert [row.operations for row in cost.equations] == [0, 4 * (6 + 1)]
    assert cost.equations[0].bytes == 0
    assert "def body" not in cost.equations[1].text
    (body,) = cost.equations[1].inside
    assert body.operations == 7
    lines = str(cost).split("\n")
    assert len(lines) == 2 + 2 + 2
    assert all(
        "    " + row.text in line for row, line in zip(body.equations, lines[3:5], strict=True)
    )
    assert ft.jit(f).cost(np.ones((3, 4))).operations > 0


def test_what_notebooks_show():
    lowered = ft.jit(lambda x: np.sum(np.sin(x))).lower(np.ones(3))
    compiled = lowered.compile()
    assert "sin(a)" in lowered._repr_html_()
    assert "np.sin(a" in compiled._repr_html_()
    assert compiled.cost()._repr_html_().count("<tr>") == 4
    assert repr(lowered) == "<lowered <lambda>: 2 equations>"
    assert repr(compiled.cost().equations[0]).startswith("<cost of b: float64[3] = sin(a): ")
    assert repr(lowered.program.equations[0].source).startswith("<source test_stages.py:")
