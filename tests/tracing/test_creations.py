"""The advice on a write into NumPy's own array, followed to the letter, gives the right numbers."""

from __future__ import annotations

import linecache
import re
from typing import Any

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArrayWriteError

PROGRAMS = {
    "a local": "def f(t):\n    y = np.zeros(3)\n    y[0] = t\n    return np.sum(y * y)",
    "an argument": (
        "def rhs(t, du):\n    du[0] = t * t\n"
        "def f(t):\n    du = np.zeros(2)\n    rhs(t, du)\n    return np.sum(du)"
    ),
    "an argument of an argument": (
        "def inner(x, t):\n    x += t\n"
        "def outer(b, t):\n    inner(b, t)\n"
        "def f(t):\n    a = np.ones(2)\n    outer(a, t)\n    return np.sum(a * a)"
    ),
    "a view": (
        "def f(t):\n    out = np.zeros((2, 2))\n    row = out[1]\n    row[:] = t\n"
        "    return np.sum(out * out)"
    ),
    "an item of an item": (
        "def f(t):\n    y = np.zeros((2, 2))\n    y[0][1] = t\n    return np.sum(y * y)"
    ),
    "flat": ("def f(t):\n    y = np.zeros((2, 2))\n    y.flat[1] = t\n    return np.sum(y * y)"),
    "fill": "def f(t):\n    y = np.zeros(2)\n    y.fill(t)\n    return np.sum(y * y)",
    "put": "def f(t):\n    y = np.zeros(2)\n    y.put(0, t)\n    return np.sum(y * y)",
    "a loop": (
        "def f(t):\n    y = np.zeros(3)\n    for i in range(3):\n        y[i] = t * i\n"
        "    return np.sum(y * y)"
    ),
    "another name": (
        "def f(t):\n    y = np.ones(2)\n    z = y\n    z[0] = t\n    return np.sum(y * y)"
    ),
    "a nested function": (
        "def f(t):\n    y = np.ones(2)\n    def put(i):\n        y[i] = t\n    put(1)\n"
        "    return np.sum(y * y)"
    ),
    "a shaped array": (
        "def f(t):\n    y = np.arange(4.0).reshape(2, 2)\n    y[0] = t\n    return np.sum(y * y)"
    ),
    "a sum": "def f(t):\n    y = X3 * 2.0\n    y[0] = t\n    return np.sum(y * y)",
    "a copy": "def f(t):\n    y = X3.copy()\n    y[1:] = t\n    return np.sum(y * y)",
    "several": (
        "def f(t):\n    x, y = np.zeros(2), np.ones(3)\n    y[0] = t\n    return np.sum(y * y)"
    ),
    "an annotation": (
        "def f(t):\n    y: np.ndarray = np.ones(3)\n    y[0] = t\n    return np.sum(y * y)"
    ),
    "a call": ("def f(t):\n    y = np.ones(3)\n    y.__setitem__(0, t)\n    return np.sum(y * y)"),
    "rows": (
        "def f(t):\n    y = np.ones((2, 2))\n    for row in y:\n        row[0] = t\n"
        "    return np.sum(y * y)"
    ),
    "full_like": "def f(t):\n    return np.sum(np.full_like(X3, t) ** 2)",
    "an operator": "def f(t):\n    y = np.ones(3)\n    y *= t\n    return np.sum(y * y)",
    "out": "def f(t):\n    y = np.ones(3)\n    np.multiply(X3, t, out=y)\n    return np.sum(y * y)",
    "a name bound anew": (
        "def f(t):\n    y = np.zeros(2)\n    y = np.ones(3)\n    y[0] = t\n    return np.sum(y * y)"
    ),
    "a name bound anew after a loop": (
        "def f(t):\n    y = 0.0\n    for i in range(2):\n        y = np.zeros(2)\n"
        "    y = np.ones(3)\n    y[0] = t\n    return np.sum(y * y)"
    ),
    "a name bound anew before and after": (
        "def f(t):\n    y = np.zeros(2)\n    z = y * 2.0\n    y = np.ones(3)\n    y[1:] = t\n"
        "    s = np.sum(y * y)\n    y = np.arange(3.0)\n    return s + np.sum(y) + np.sum(z)"
    ),
    "copyto": "def f(t):\n    y = np.ones(3)\n    np.copyto(y, t)\n    return np.sum(y * y)",
}
X3 = np.array([1.0, 2.0, 4.0])


def defined(text: str, file: str) -> Any:
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"np": np, "X3": X3, "functrace": ft}
    exec(compile(text, file, "exec"), names)
    return names["f"]


@pytest.mark.parametrize("transformation", ["grad", "jit"])
@pytest.mark.parametrize("kind", PROGRAMS)
def test_the_advice_followed_to_the_letter_is_right(kind, transformation):
    text = PROGRAMS[kind]
    transform = ft.grad if transformation == "grad" else lambda f: ft.jit(ft.grad(f))
    f = defined(text, f"<advice on {kind}>")
    with pytest.raises(ArrayWriteError) as caught:
        transform(f)(3.0)
    found = re.search(r"Write `(.*)` in place of `(.*?)`", str(caught.value))
    assert found, caught.value
    new, old = found.groups()
    assert text.count(old) == 1
    mended = defined(text.replace(old, new), f"<advice on {kind} followed>")
    step = 1e-6
    expected = (f(3.0 + step) - f(3.0 - step)) / (2 * step)
    np.testing.assert_allclose(transform(mended)(3.0), expected, rtol=1e-6)


UNSURE = {
    "a branch": (
        "def f(t):\n    y = np.zeros(3)\n    if y.size:\n        y = np.ones(3)\n    y[0] = t\n"
        "    return np.sum(y * y)"
    ),
    "a loop": (
        "def f(t):\n    y = np.zeros(3)\n    for i in range(2):\n        y[i] = t\n"
        "        y = np.ones(3)\n    return np.sum(y * y)"
    ),
}


@pytest.mark.parametrize("kind", UNSURE)
def test_of_several_creations_none_is_named_where_it_may_be_another(kind):
    f = defined(UNSURE[kind], f"<unsure, {kind}>")
    with pytest.raises(ArrayWriteError, match="array that `y` stands for by functrace"):
        ft.grad(f)(3.0)


OUTSIDE = {
    "a global": (
        "Y = np.zeros(2)\n"
        "def f(t):\n    Y[0] = t\n    return np.sum(Y * Y)"
    ),
    "a variable of a function around": (
        "def make():\n    Y = np.zeros(2)\n"
        "    def f(t):\n        Y[0] = t\n        return np.sum(Y * Y)\n    return f\n"
        "f = make()"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", OUTSIDE)
def test_an_array_from_outside_is_copied_under_a_name_of_its_own(kind):
    text = OUTSIDE[kind]
    f = defined(text, f"<outside, {kind}>")
    with pytest.raises(ArrayWriteError, match="made outside of the function") as caught:
        ft.grad(f)(3.0)
    found = re.search(r"`(own_Y = .*?)`, and `(.*?)` in place of `Y`", str(caught.value))
    assert found
    copy, name = found.groups()
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if "Y[0]" in line)
    indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
    body = [line.replace("Y", name) for line in lines[at:]]
    mended = "\n".join([*lines[:at], indent + copy, *body])
    assert ft.grad(defined(mended, f"<outside, {kind}, followed>"))(3.0) == 6.0


@pytest.mark.parametrize(
    "body",
    [
        "d = {'a': np.zeros(2)}\n    for r in d.values():\n        r[:] = t",
        "np.zeros((2, 2))[0][1] = t",
        "y = [np.zeros(2)]\n    y[0][1] = t",
    ],
)
def test_no_advice_rebinds_what_others_hold(body):
    f = defined(f"def f(t):\n    {body}\n    return t", f"<held, {len(body)}>")
    with pytest.raises(ArrayWriteError, match="in place of") as caught:
        ft.grad(f)(3.0)
    assert not re.search(r"Write `(\w+) = functrace.numpy.array\(\1\)`", str(caught.value))
