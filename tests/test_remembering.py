"""`tape_memory`: it tells what is really allocated, and what `checkpoint` really saves."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import functrace as ft

SIZE = 8000, 8
BYTES = 8 * 64_000
WEIGHTS = [np.eye(8) / 2 + n / 100 for n in range(4)]
X = np.cos(np.arange(64_000.0)).reshape(SIZE)
seen = []


@ft.custom_vjp
def marked(x):
    return x


def looked(_, cotangent):
    seen.append(tracemalloc.get_traced_memory()[0])
    return (cotangent,)


marked.defvjp(lambda x: (x, None), looked)


def layer(w, x):
    h = np.sin(x) @ w  # the product
    return np.tanh(h)


def in_turn(weights, x):
    for w in weights:
        x = layer(w, x)
    return np.sum(x)


def in_a_scan(weights, x):
    def body(x, w):
        with ft.named_scope("block"):
            return layer(w, x), None

    return np.sum(ft.scan(body, x, np.stack(weights))[0])


def in_a_while_loop(weights, x):
    def trip(state):
        return state[0] + 1, layer(weights[0], state[1])

    return np.sum(ft.while_loop(lambda s: s[0] < 4, trip, (0, x))[1])


def in_a_branch(weights, x):
    return ft.cond(np.sum(x) > 1e9, lambda x: np.sum(x), lambda x: in_turn(weights, x), x)


def with_views(weights, x):
    h = layer(weights[0], x)
    return np.sum((h.T + 1)[3:] * h[:, ::-1].T[3:]) + np.sum(h.reshape(-1) ** 3)


FUNCTIONS = [in_turn, in_a_scan, in_a_while_loop, in_a_branch, with_views]
WAYS = {"eager": lambda f: f, "jit": ft.jit, "checkpoint": ft.checkpoint}
CASES = [(f, way) for f in FUNCTIONS for way in WAYS]
# A Program with a choice in it holds zeros for the other branch, which take no memory before they
# are written; what counts the bytes does not know.
CASES.remove((in_a_branch, "checkpoint"))


def allocated(f, *args):
    """The bytes that are allocated when the way back of a gradient begins."""
    gradient = ft.grad(lambda *args: marked(f(*args)))
    for _ in range(3):  # what is recorded and compiled stays
        gradient(*args)
    seen.clear()
    tracemalloc.start()
    try:
        gradient(*args)
    finally:
        tracemalloc.stop()
    return seen[0]


@pytest.mark.parametrize(("f", "way"), CASES)
def test_it_is_what_is_allocated(f, way):
    f = WAYS[way](f)
    x = X.copy()  # by whose copies the tape is not the only one
    expected = allocated(f, WEIGHTS, x)
    memory = ft.tape_memory(f)(WEIGHTS, x)
    np.testing.assert_allclose(memory.nbytes, expected, rtol=0.02, atol=120_000)
    assert memory.nbytes == sum(array.nbytes for line in memory.lines for array in line.arrays)


def test_large_arguments_are_not_the_tapes():
    x = np.ones(400_000)
    memory = ft.tape_memory(lambda x: np.sum(x * x * x))(x)
    assert [(line.nbytes, len(line.arrays)) for line in memory.lines] == [
        (x.nbytes, 1)
    ]  # and not of what is summed
    assert ft.tape_memory(lambda x: 1.0)(x).nbytes == 0


def test_lines_say_what_is_kept_and_what_for():
    memory = ft.tape_memory(in_turn)(WEIGHTS, X)
    line = next(line for line in memory.lines if line.text.endswith("# the product"))
    assert line.place.startswith("test_remembering.py:")
    kinds = {array.operation: array for array in line.arrays}
    assert "contract" not in kinds  # tanh is differentiated by its result
    assert kinds["sin"].needed == ("contract",)
    assert kinds["sin"].type == "float64[8000, 8]"
    assert kinds["sin"].count == 3  # the first is computed by NumPy: nothing is asked by x
    assert kinds["sin"].nbytes == 3 * BYTES
    other = next(line for line in memory.lines if line.text == "return np.tanh(h)")
    assert {array.needed for array in other.arrays} == {("sin", "tanh"), ("tanh",)}


@pytest.mark.parametrize("way", ["eager", "jit"])
@pytest.mark.parametrize("f", FUNCTIONS[:3], ids=lambda f: f.__name__)
def test_checkpoint_saves_what_is_foretold(f, way, monkeypatch):
    before = ft.tape_memory(WAYS[way](f))(WEIGHTS, X)
    named = {one.name: one for one in before.candidates if one.kind == "function"}
    foretold = named["layer"]
    assert foretold.calls == 4
    assert foretold.again <= 3 * BYTES
    monkeypatch.setattr("tests.test_remembering.layer", ft.checkpoint(layer))
    changed = lambda weights, x: f(weights, x)
    after = ft.tape_memory(WAYS[way](changed))(WEIGHTS, X)
    np.testing.assert_allclose(before.nbytes - after.nbytes, foretold.saves, rtol=0.1)


def test_scopes_and_lines_are_candidates():
    memory = ft.tape_memory(in_a_scan)(WEIGHTS, X)
    found = {(one.kind, one.name): one for one in memory.candidates}
    assert found["scope", "block"].saves == found["function", "layer"].saves
    product = found["line", "h = np.sin(x) @ w  # the product"]
    assert product.place.startswith("test_remembering.py:")
    assert product.saves < found["scope", "block"].saves
    saves = [one.saves for one in memory.candidates]
    assert saves == sorted(saves, reverse=True)
    assert all(0 < one.again <= one.saves <= memory.nbytes for one in memory.candidates)

    def scoped(weights, x):
        for n, w in enumerate(weights):
            with ft.named_scope(f"layer{n}"):
                x = np.tanh(np.sin(x) @ w)
        return np.sum(x)

    scopes = [x for x in ft.tape_memory(scoped)(WEIGHTS, X).candidates if x.kind == "scope"]
    # Of the first one only what it returns depends on the weights.
    assert {one.name for one in scopes} == {"layer1", "layer2", "layer3"}


def test_what_is_shown():
    memory = ft.tape_memory(in_turn)(WEIGHTS, X)
    assert repr(memory) == f"<tape memory of in_turn: {memory.nbytes:,} bytes>"
    shown = str(memory)
    assert shown.startswith(f"in_turn keeps {memory.nbytes:,} bytes for the way back\n")
    assert "what functrace.checkpoint would save:" in shown
    assert "function layer, test_remembering.py:" in shown
    html = memory._repr_html_()
    assert html.count("<table>") == 2
    assert "3 of float64[8000, 8]" in html


def test_arguments_are_those_of_grad():
    f = lambda x, p: np.sum(np.exp(p["a"] * x))
    memory = ft.tape_memory(f, argnums=1)(X, {"a": X, "n": 3})
    assert memory.nbytes >= 2 * BYTES
    assert ft.tape_memory(f, argnums=(0, 1))(X, p={"a": X, "n": 3}).nbytes >= 2 * BYTES
    with pytest.raises(TypeError, match="tape_memory"):
        ft.tape_memory(3)


def test_a_notebook_shows_names_as_they_are():
    memory = ft.tape_memory(lambda x: np.sum(np.sin(x)))(np.ones(9))
    assert "<p>&lt;lambda&gt; keeps " in memory._repr_html_()
