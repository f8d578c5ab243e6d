"""What the tests of generated source ask: what the plan is, and that NumPy gives the same."""

from __future__ import annotations

import textwrap

import numpy as np

import functrace as ft
from functrace.backends.numpy_source import Written, plan_function


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def require_plan(program, expected, donated=()):
    """A Program, or its text, has the plan; what is expected is indented at will."""
    if isinstance(program, str):
        program = ft.parse(textwrap.dedent(program).strip() + "\n")
    found = lines(str(plan_function(program, frozenset(donated))))
    wanted = lines(expected)
    indent = min(len(line) - len(line.lstrip()) for line in wanted)
    assert found == [line[indent:] for line in wanted]


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
