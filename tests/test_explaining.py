"""`explain`: each line with what it became, and the reason for each decision on the way."""

from __future__ import annotations

import linecache

import numpy as np
import pytest

import functrace as ft

COUNT = 3
X = np.linspace(0.1, 0.9, 6).reshape(2, 3)
WEIGHTS = [np.eye(3)] * 4


def network(weights, x, n=2):
    for w in weights:
        x = np.tanh(x @ w)
    for _ in range(n):
        x = x * 2
    return np.sum(np.stack([np.sin(x + k) for k in range(COUNT)]))  # over three


def line_of(words):
    text = linecache.getlines(__file__)
    return next(number for number, line in enumerate(text, 1) if words in line)


def test_each_line_is_told():
    explained = ft.explain(network)(WEIGHTS, X)
    lines = {story.text: story for story in explained.lines}
    product = lines["x = np.tanh(x @ w)"]
    assert product.file == __file__
    assert product.line == line_of("x = np.tanh(x @ w)")
    assert sum("contract(" in text for text in product.recorded) == 4
    assert any(".dot(" in text for text in product.source)
    doubled = lines["x = x * 2"]
    assert len(doubled.recorded) == 2
    assert len(doubled.simplified) == 1  # by four
    for story in explained.lines:
        program = str(ft.make_ir(network)(WEIGHTS, X))
        assert all(text in program for text in story.recorded)


def test_statements_are_all_of_the_source():
    fast = ft.jit(ft.grad(network))
    explained = ft.explain(fast)(WEIGHTS, X)
    statements = [s.strip() for s in fast.source(WEIGHTS, X).split("\n") if "  # test_exp" in s]
    found = [s for story in explained.lines for s in story.source]
    assert sorted(found) == sorted(s.rpartition("  # ")[0] for s in statements)


@pytest.mark.parametrize("transform", [lambda f: f, ft.grad, ft.jit], ids=["plain", "grad", "jit"])
def test_loops_of_python_are_told_with_what_decided(transform):
    loops = ft.explain(transform(network))(WEIGHTS, X).loops
    assert [loop.trips for loop in loops] == [4, 2, 3]
    assert "`weights`, where weights has 4 elements" in loops[0].why
    assert "`range(n)`, where n = 2" in loops[1].why
    assert "`range(COUNT)`, where COUNT = 3" in loops[2].why
    assert loops[0].place == f"test_explaining.py:{line_of('for w in weights:')}"
    assert loops[1].text == "for _ in range(n):"


def test_loops_that_are_loops_again():
    def long(x):
        for _ in range(500):
            x = np.sin(x) * x + 1
        return x

    (loop,) = ft.explain(long)(X).loops
    assert loop.trips == 500
    assert loop.why.endswith("compiled, it is a loop again")
    rolled = ft.explain(lambda x: ft.fori_loop(0, 50, lambda _, x: np.sin(x), x))(X)
    assert not rolled.loops


def test_loops_that_ask_for_values():
    def halving(x):
        def trip(carry, row):
            if carry > 1:
                carry = carry * 0.5
            return carry * row, None

        return ft.scan(trip, x, np.ones(3))[0]  # trip by trip

    explained = ft.explain(ft.grad(halving))(2.0)
    assert not explained.lines
    assert "if carry > 1" in explained.failure
    (loop,) = explained.loops
    assert loop.trips is None
    assert loop.place == f"test_explaining.py:{line_of('# trip by trip')}"
    assert "if carry > 1" in loop.why
    assert repr(explained) == "<explanation of halving: not recorded>"


def test_recordings_are_told_with_what_differs():
    fast = ft.jit(network, static_argnames="n")
    for args, options in (
        ((WEIGHTS, X), {}), ((WEIGHTS, X), {"n": 5}), ((WEIGHTS, X[:1]), {}),
        ((WEIGHTS, X.astype(np.float32)), {}), ((WEIGHTS[:1], X), {}), ((WEIGHTS, X), {"n": 6}),
    ):  # fmt: skip
        fast(*args, **options)
        fast(*args, **options)
    whys = [reason.why for reason in fast.why_recorded()]
    assert whys[0] == "is recorded: first call"
    assert "the static argument n is given as 5" in whys[1]
    assert "x has the type float64[1, 3]; before, it had float64[2, 3]" in whys[2]
    assert "x has the type float32[2, 3]; before, it had float64[" in whys[3]
    assert "weights has another structure: a list of length 4" in whys[4]
    assert "the static argument n is 6; before, 5" in whys[5]
    assert len(whys) == 6
    assert all("test_explaining.py:" in reason.place for reason in fast.why_recorded())
    explained = ft.explain(fast)(WEIGHTS, X)
    assert explained.recordings == fast.why_recorded()
    assert "5. is recorded again, because weights has another structure" in str(explained)
    fast.clear_cache()
    assert fast.why_recorded() == []


def test_recordings_that_are_not_kept():
    def outer(x):
        inner = ft.jit(lambda y: y * x)
        inner(1.0)
        inner(1.0)
        found.append(inner)
        return inner(2.0)

    found = []
    ft.grad(outer)(3.0)
    whys = [reason.why for reason in found[0].why_recorded()]
    assert len(whys) == 3
    assert all("captured a traced value" in why for why in whys[1:])


def test_what_machine_code_does_not_do():
    pytest.importorskip("llvmlite")
    f = lambda x: np.sum(np.tanh(np.median(x) * x))
    shown = "\n".join(ft.explain(ft.jit(f))(X).machine_code)
    assert "compiled to machine code it would be:" in shown
    assert "NumPy: argpartition, as there is no machine code for argpartition" in shown
    native = ft.explain(ft.jit(f, backend="native"))(X).machine_code
    assert native[0].startswith("machine code, ")
    assert any("NumPy: argpartition" in line for line in native)


def test_what_is_shown():
    explained = ft.explain(ft.grad(network))(WEIGHTS, X)
    shown = str(explained)
    assert shown.startswith("what became of network\n")
    assert "  recorded    " in shown
    assert "... and " in shown
    assert "loops that were unrolled:" in shown
    html = explained._repr_html_()
    assert html.count("<tr>") > 4
    assert repr(explained) == f"<explanation of network: {len(explained.lines)} lines>"
    with pytest.raises(TypeError, match="explain"):
        ft.explain(3)
