"""What is printed and called while functions are transformed."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError


def test_values_without_a_place_in_the_text_are_refused(capsys):
    for text, args, kwargs in (
        ("x", (1.0,), {}),
        ("{}", (1.0, 2.0), {}),
        ("x = {x}", (), {"x": 1.0, "y": 2.0}),
    ):
        with pytest.raises(ArgumentError, match="has no place for"):
            ft.debug.print(text, *args, **kwargs)
    with pytest.raises(ArgumentError, match="no f before the text"):
        ft.jit(lambda x: ft.debug.print(f"x = {x}", x=x))(1.0)
    assert capsys.readouterr().out == ""
    ft.jit(lambda x: ft.debug.print("{0[0]:.1f} {x.shape} {x!r}", x, x=x))(np.ones(2))
    assert capsys.readouterr().out == "1.0 (2,) array([1., 1.])\n"


TEXTS = {
    "{:>6} {{}}": np.int64(3),
    "{0:.3e} {0:+}": np.float64(-0.125),
    "{0[1][0]:.1f} {0.shape} {0}": np.arange(4.0).reshape(2, 2),
}


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f,
        ft.jit,
        lambda f: lambda x: ft.scan(lambda c, _: (f(c), None), x, None, length=1),
        lambda f: lambda x: ft.vmap(f)(np.stack([x])),
    ],
    ids=["value", "jit", "scan", "vmap"],
)
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_what_format_makes_of_the_value(capsys, text, transform):
    value = TEXTS[text]

    def f(x):
        ft.debug.print(text, x)
        return x

    transform(f)(value)
    assert capsys.readouterr().out == text.format(value) + "\n"


def test_what_is_printed_and_called_comes_in_the_order_of_the_code(capsys):
    seen = []

    def f(x):
        ft.debug.print("{}", x)
        ft.debug.callback(lambda y, twice: seen.append((float(y), float(twice))), x, twice=2 * x)
        ft.debug.print("again {x}", x=x, ordered=False)
        return np.sum(x)

    slopes = ft.vmap(ft.grad(f))(np.array([1.0, 2.0]))
    assert slopes.tolist() == [1, 1]
    assert sorted(capsys.readouterr().out.split("\n")) == [
        "",
        "1.0",
        "2.0",
        "again 1.0",
        "again 2.0",
    ]
    assert seen == [(1.0, 2.0), (2.0, 4.0)]


def test_what_is_no_text_and_no_function():
    with pytest.raises(ArgumentError, match=r"first argument of debug\.print is a float"):
        ft.debug.print(1.0, 2.0)
    with pytest.raises(ArgumentError, match=r"debug\.callback"):
        ft.debug.callback("{}", 2.0)
