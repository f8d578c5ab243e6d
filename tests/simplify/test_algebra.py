"""Each law of algebra: what it makes of a Program, and that no bit of a value changes."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

import functrace as ft
from functrace.simplify import remove_dead_code, simplify_algebra
from tests.simplify.helpers import check_special_values, check_unchanged


def simplified(program):
    """One pass after the other until nothing changes, as in `simplify`."""
    while True:
        before = program
        program = remove_dead_code(simplify_algebra(program))
        if program is before:
            return program


def as_program(inputs: str, lines: str, result: str) -> str:
    body = indent(dedent(lines).strip(), "    ")
    return f"def program({inputs}):\n{body}\n    return {result}"


EXACT = {
    "times one": ("a: float64[3]", "b: float64[3] = multiply(a, 1)", "b", "a"),
    "one times": ("a: float32[3]", "b: float32[3] = multiply(float32(1.0), a)", "b", "a"),
    "times ones": (
        "a: float64[3]",
        "b: float64[3] = multiply(array((1.0, 1.0, 1.0), float64[3]), a)",
        "b",
        "a",
    ),
    "times one of integers": ("a: int32[3]", "b: int32[3] = multiply(a, 1)", "b", "a"),
    "over one": ("a: float64[3]", "b: float64[3] = divide(a, 1)", "b", "a"),
    "to the one": ("a: float64[3]", "b: float64[3] = power(a, 1)", "b", "a"),
    "minus zero": ("a: float64[3]", "b: float64[3] = subtract(a, 0.0)", "b", "a"),
    "minus zero of complex numbers": (
        "a: complex128[3]",
        "b: complex128[3] = subtract(a, 0.0)",
        "b",
        "a",
    ),
    "plus negative zero": ("a: float64[3]", "b: float64[3] = add(a, -0.0)", "b", "a"),
    "plus zero of integers": ("a: int64[3]", "b: int64[3] = add(0, a)", "b", "a"),
    "plus zero of booleans": ("a: bool[3]", "b: bool[3] = add(a, bool(False))", "b", "a"),
    "positive": ("a: float64[3]", "b: float64[3] = positive(a)", "b", "a"),
    "copy": ("a: float64[3]", "b: float64[3] = copy(a)", "b", "a"),
    "stop gradient": ("a: float64[3]", "b: float64[3] = stop_gradient(a)", "b", "a"),
    "double negative": (
        "a: float64[3]",
        "b: float64[3] = negative(a)\nc: float64[3] = negative(b)",
        "c",
        "a",
    ),
    "same cast": ("a: float64[3]", "b: float64[3] = cast(a, dtype=float64)", "b", "a"),
    "cast back": (
        "a: float32[3]",
        "b: float64[3] = cast(a, dtype=float64)\nc: float32[3] = cast(b, dtype=float32)",
        "c",
        "a",
    ),
    "same reshape": ("a: float64[3]", "b: float64[3] = reshape(a, shape=(3,))", "b", "a"),
    "reshape and back": (
        "a: float64[3]",
        "b: float64[1, 3] = reshape(a, shape=(1, 3))\nc: float64[3] = reshape(b, shape=(3,))",
        "c",
        "a",
    ),
    "same transpose": (
        "a: float64[2, 3]",
        "b: float64[2, 3] = transpose(a, permutation=(0, 1))",
        "b",
        "a",
    ),
    "transpose and back": (
        "a: float64[2, 3, 4]",
        (
            "b: float64[3, 4, 2] = transpose(a, permutation=(1, 2, 0))\n"
            "c: float64[2, 3, 4] = transpose(b, permutation=(2, 0, 1))"
        ),
        "c",
        "a",
    ),
    "same broadcast": ("a: float64[3]", "b: float64[3] = broadcast_to(a, shape=(3,))", "b", "a"),
    "whole range": (
        "a: float64[2, 3]",
        "b: float64[2, 3] = getitem(a, index=(slice(0, 2, None), slice(None, None, 1)))",
        "b",
        "a",
    ),
    "whole range after an ellipsis": (
        "a: float64[2, 3]",
        "b: float64[2, 3] = getitem(a, index=(..., slice(None, 3, None)))",
        "b",
        "a",
    ),
    "no choice": ("a: bool[3], b: float64[3]", "c: float64[3] = select(a, b, b)", "c", "b"),
    "known choice": (
        "a: float64[3], b: float64[3]",
        "c: float64[3] = select(array((True, True, True), bool[3]), a, b)",
        "c",
        "a",
    ),
    "other known choice": (
        "a: float64[3], b: float64[3]",
        "c: float64[3] = select(bool(False), a, b)",
        "c",
        "b",
    ),
}
"""Equations in place of which an input stands: inputs, equations, output, what stands for it."""


@pytest.mark.parametrize("name", EXACT)
def test_what_stands_in_place_of_an_equation(name):
    inputs, lines, result, instead = EXACT[name]
    text = as_program(inputs, lines, result)
    expected = f"def program({inputs}):\n    return {instead}"
    assert ft.to_text(simplified(ft.parse(text))) == expected
    check_special_values(simplified, text)


REWRITTEN = {
    "plus negative": (
        "a: float64[3], b: float64[3]",
        "c: float64[3] = negative(b)\nd: float64[3] = add(a, c)",
        "d",
        "c: float64[3] = subtract(a, b)",
        "c",
    ),
    "negative plus": (
        "a: float64[3], b: float64[3]",
        "c: float64[3] = negative(a)\nd: float64[3] = add(c, b)",
        "d",
        "c: float64[3] = subtract(b, a)",
        "c",
    ),
    "minus negative": (
        "a: int8[3], b: int8[3]",
        "c: int8[3] = negative(b)\nd: int8[3] = subtract(a, c)",
        "d",
        "c: int8[3] = add(a, b)",
        "c",
    ),
    "plus negated product": (
        "a: float64[3], b: float64[3], c: float64[3]",
        "d: float64[3] = negative(b)\ne: float64[3] = multiply(d, c)\nf: float64[3] = add(a, e)",
        "f",
        "d: float64[3] = multiply(b, c)\ne: float64[3] = subtract(a, d)",
        "e",
    ),
    "negative times constant": (
        "a: float64[3]",
        "b: float64[3] = negative(a)\nc: float64[3] = multiply(b, 2.0)",
        "c",
        "b: float64[3] = multiply(a, -2.0)",
        "b",
    ),
    "negative over constant": (
        "a: float64[3]",
        "b: float64[3] = negative(a)\nc: float64[3] = divide(b, 2.0)",
        "c",
        "b: float64[3] = divide(a, -2.0)",
        "b",
    ),
    "negative of a negated product": (
        "a: float64[3], b: float64[3]",
        (
            "c: float64[3] = negative(a)\nd: float64[3] = multiply(b, c)\n"
            "e: float64[3] = negative(d)"
        ),
        "e",
        "c: float64[3] = multiply(b, a)",
        "c",
    ),
    "quotient of negatives": (
        "a: float64[3], b: float64[3]",
        ("c: float64[3] = negative(a)\nd: float64[3] = negative(b)\ne: float64[3] = divide(c, d)"),
        "e",
        "c: float64[3] = divide(a, b)",
        "c",
    ),
    "negative of a product": (
        "a: float64[2]",
        "b: float64[2] = multiply(array((1.0, -0.0), float64[2]), a)\nc: float64[2] = negative(b)",
        "c",
        "b: float64[2] = multiply(array((-1.0, 0.0), float64[2]), a)",
        "b",
    ),
    "square": (
        "a: float64[3]",
        "b: float64[3] = power(a, 2)",
        "b",
        "b: float64[3] = multiply(a, a)",
        "b",
    ),
    "NumPy's square": (
        "a: float32[3]",
        "b: float32[3] = square(a)",
        "b",
        "b: float32[3] = multiply(a, a)",
        "b",
    ),
    "seventh power of integers": (
        "a: int8[3]",
        "b: int8[3] = power(a, 7)",
        "b",
        (
            "b: int8[3] = multiply(a, a)\nc: int8[3] = multiply(b, b)\n"
            "d: int8[3] = multiply(c, b)\ne: int8[3] = multiply(d, a)"
        ),
        "e",
    ),
    "weak square": (
        "a: weak_int64",
        "b: weak_int64 = power(a, 2)",
        "b",
        "b: weak_int64 = multiply(a, a)",
        "b",
    ),
    "uniform constant": (
        "a: float32[3]",
        "b: float64[3] = multiply(array((2.0, 2.0, 2.0), float64[3]), a)",
        "b",
        "b: float64[3] = multiply(float64(2.0), a)",
        "b",
    ),
    "broadcast": (
        "a: float64[3], b: float64[2, 3]",
        "c: float64[2, 3] = broadcast_to(a, shape=(2, 3))\nd: float64[2, 3] = add(c, b)",
        "d",
        "c: float64[2, 3] = add(a, b)",
        "c",
    ),
    "both broadcast": (
        "a: float64[1, 3], b: float64[2, 1]",
        (
            "c: float64[2, 3] = broadcast_to(a, shape=(2, 3))\n"
            "d: float64[2, 3] = broadcast_to(b, shape=(2, 3))\n"
            "e: float64[2, 3] = maximum(c, d)"
        ),
        "e",
        "c: float64[2, 3] = maximum(a, b)",
        "c",
    ),
    "function of a broadcast": (
        "a: float64[3]",
        (
            "b: float64[2, 3] = broadcast_to(a, shape=(2, 3))\n"
            "c: float64[2, 3] = multiply(b, 2.0)\nd: float64[2, 3] = sin(c)"
        ),
        "d",
        (
            "b: float64[3] = multiply(a, 2.0)\nc: float64[3] = sin(b)\n"
            "d: float64[2, 3] = broadcast_to(c, shape=(2, 3))"
        ),
        "d",
    ),
    "two broadcasts": (
        "a: float64[3]",
        (
            "b: float64[1, 3] = broadcast_to(a, shape=(1, 3))\n"
            "c: float64[2, 3] = broadcast_to(b, shape=(2, 3))"
        ),
        "c",
        "b: float64[2, 3] = broadcast_to(a, shape=(2, 3))",
        "b",
    ),
    "two reshapes": (
        "a: float64[6]",
        "b: float64[2, 3] = reshape(a, shape=(2, 3))\nc: float64[3, 2] = reshape(b, shape=(3, 2))",
        "c",
        "b: float64[3, 2] = reshape(a, shape=(3, 2))",
        "b",
    ),
    "two transposes": (
        "a: float64[2, 3, 4]",
        (
            "b: float64[3, 4, 2] = transpose(a, permutation=(1, 2, 0))\n"
            "c: float64[4, 3, 2] = transpose(b, permutation=(1, 0, 2))"
        ),
        "c",
        "b: float64[4, 3, 2] = transpose(a, permutation=(2, 1, 0))",
        "b",
    ),
    "same choice": (
        "a: bool[3], b: float64[3], c: float64[3], d: float64[3]",
        "e: float64[3] = select(a, b, c)\nf: float64[3] = select(a, e, d)",
        "f",
        "e: float64[3] = select(a, b, d)",
        "e",
    ),
    "same other choice": (
        "a: bool[3], b: float64[3], c: float64[3], d: float64[3]",
        "e: float64[3] = select(a, b, c)\nf: float64[3] = select(a, d, e)",
        "f",
        "e: float64[3] = select(a, d, c)",
        "e",
    ),
    "opposite choice": (
        "a: bool[3], b: float64[3], c: float64[3]",
        "d: bool[3] = logical_not(a)\ne: float64[3] = select(d, b, c)",
        "e",
        "d: float64[3] = select(a, c, b)",
        "d",
    ),
    "sum of a broadcast": (
        "a: float64[3]",
        (
            "b: float64[2, 3] = broadcast_to(a, shape=(2, 3))\n"
            "c: float64[3] = sum(b, axes=(0,), keepdims=False, dtype=None)"
        ),
        "c",
        "b: float64[3] = multiply(a, float64(2.0))\nc: float64[3] = add(b, float64(0.0))",
        "c",
    ),
    "sum over more than a broadcast": (
        "a: float64[1, 3]",
        (
            "b: float64[2, 4, 3] = broadcast_to(a, shape=(2, 4, 3))\n"
            "c: float64 = sum(b, axes=None, keepdims=False, dtype=None)"
        ),
        "c",
        (
            "b: float64[1, 1] = sum(a, axes=(1,), keepdims=True, dtype=None)\n"
            "c: float64 = reshape(b, shape=())\nd: float64 = multiply(c, float64(8.0))"
        ),
        "d",
    ),
    "times a finite constant": (
        "a: float64[2]",
        "b: float64[2] = product_or_zero(a, array((2.0, 0.5), float64[2]))",
        "b",
        "b: float64[2] = multiply(a, array((2.0, 0.5), float64[2]))",
        "b",
    ),
    "ones over something": (
        "a: float64[2]",
        "b: float64[2] = quotient_or_zero(array((1.0, 1.0), float64[2]), a)",
        "b",
        "b: float64[2] = divide(float64(1.0), a)",
        "b",
    ),
    "contraction of a transpose": (
        "a: float64[2, 3], b: float64[2, 4]",
        (
            "c: float64[3, 2] = transpose(a, permutation=(1, 0))\n"
            "d: float64[3, 4] = contract(c, b, subscripts='ij,jk->ik')"
        ),
        "d",
        "c: float64[3, 4] = contract(a, b, subscripts='ji,jk->ik')",
        "c",
    ),
    "transpose of a contraction": (
        "a: float64[2, 3], b: float64[3, 4]",
        (
            "c: float64[2, 4] = contract(a, b, subscripts='ij,jk->ik')\n"
            "d: float64[4, 2] = transpose(c, permutation=(1, 0))"
        ),
        "d",
        "c: float64[4, 2] = contract(a, b, subscripts='ij,jk->ki')",
        "c",
    ),
    "adding at an index": (
        "a: float64[4], b: float64[2]",
        (
            "c: float64[4] = scatter_add(b, index=(slice(1, 3, None),), shape=(4,))\n"
            "d: float64[4] = add(c, a)"
        ),
        "d",
        "c: float64[4] = index_add(a, b, index=(slice(1, 3, None),))",
        "c",
    ),
    "adding twice at one index": (
        "a: float64[2], b: float64[2]",
        (
            "c: float64[4] = scatter_add(a, index=(slice(1, 3, None),), shape=(4,))\n"
            "d: float64[4] = scatter_add(b, index=(slice(1, 3, None),), shape=(4,))\n"
            "e: float64[4] = add(c, d)"
        ),
        "e",
        (
            "c: float64[2] = add(a, b)\n"
            "d: float64[4] = scatter_add(c, index=(slice(1, 3, None),), shape=(4,))"
        ),
        "d",
    ),
}
"""Equations that others replace: inputs, equations, output, and what becomes of them."""

ROUNDED = {"sum of a broadcast", "sum over more than a broadcast", "times a finite constant"}
"""Where infinities, nans or the rounding of huge numbers may come out otherwise."""

UNSIGNED = {"adding at an index", "adding twice at one index"}
"""Where the sign of a zero may be another."""


@pytest.mark.parametrize("name", REWRITTEN)
def test_what_replaces_equations(name):
    inputs, lines, result, expected, expected_result = REWRITTEN[name]
    text = as_program(inputs, lines, result)
    found = simplified(ft.parse(text))
    assert ft.to_text(ft.check(found)) == as_program(inputs, expected, expected_result)
    if name not in ROUNDED | UNSIGNED:
        check_special_values(simplified, text)


UNCHANGED = {
    "zero is added to floats": ("a: float64[3]", "b: float64[3] = add(a, 0.0)"),
    "negative zero is subtracted": ("a: float64[3]", "b: float64[3] = subtract(a, -0.0)"),
    "complex times one": ("a: complex128[3]", "b: complex128[3] = multiply(a, 1)"),
    "complex plus negative zero": ("a: complex128[3]", "b: complex128[3] = add(a, -0.0)"),
    "one of another dtype": ("a: float32[3]", "b: float64[3] = multiply(a, float64(1.0))"),
    "one of a larger shape": (
        "a: float64",
        "b: float64[2] = multiply(a, array((1.0, 1.0), float64[2]))",
    ),
    "a weak value made strong": ("a: weak_float64", "b: float64 = multiply(a, float64(1.0))"),
    "integers over one": ("a: int64[3]", "b: float64[3] = divide(a, 1)"),
    "a negative exponent": ("a: float64[3]", "b: float64[3] = power(a, -2)"),
    "a fractional exponent": ("a: float64[3]", "b: float64[3] = power(a, 0.5)"),
    "a large exponent": ("a: float64[3]", "b: float64[3] = power(a, 9)"),
    "an infinite exponent": ("a: float64[3]", "b: float64[3] = power(a, inf)"),
    "a complex square": ("a: complex128[3]", "b: complex128[3] = power(a, 2)"),
    "a boolean squared": ("a: bool[3]", "b: int64[3] = power(a, 2)"),
    "the square in another dtype": ("a: float32[3]", "b: float64[3] = power(a, float64(2.0))"),
    "a product with zeros in it": (
        "a: float64[2], b: float64[2]",
        "c: float64[2] = product_or_zero(a, b)",
    ),
    "a quotient by zero": (
        "a: float64[2]",
        "b: float64[2] = quotient_or_zero(a, array((0.0, 1.0), float64[2]))",
    ),
    "a product with infinity": ("a: float64[2]", "b: float64[2] = product_or_zero(a, inf)"),
    "a sum with a promoted negative": (
        "a: int64[3], b: uint8[3]",
        "c: uint8[3] = negative(b)\nd: int64[3] = add(a, c)",
    ),
    "a cast that loses digits": (
        "a: float64[3]",
        "b: float32[3] = cast(a, dtype=float32)\nc: float64[3] = cast(b, dtype=float64)",
    ),
    "a sum of nothing": (
        "a: float64[3]",
        (
            "b: float64[0, 3] = broadcast_to(a, shape=(0, 3))\n"
            "c: float64[3] = sum(b, axes=(0,), keepdims=False, dtype=None)"
        ),
    ),
    "a comparison with a repeated Python scalar, which has a dtype": (
        "a: weak_float64, b: float32[3]",
        "c: float64[3] = broadcast_to(a, shape=(3,))\nd: bool[3] = less(c, b)",
    ),
    "a power of a single integer, of whose overflow products would warn": (
        "a: uint8",
        "b: uint8 = power(a, 2)",
    ),
    "a sum of one integer, as above": (
        "a: int64",
        (
            "b: int64[3] = broadcast_to(a, shape=(3,))\n"
            "c: int64 = sum(b, axes=None, keepdims=False, dtype=None)"
        ),
    ),
    "a part of a range": (
        "a: float64[3]",
        "b: float64[3] = getitem(a, index=(slice(None, None, -1),))",
    ),
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_stays(name):
    inputs, lines = UNCHANGED[name]
    result = lines.rsplit("\n", maxsplit=1)[-1].partition(":")[0]
    check_unchanged(simplified, as_program(inputs, lines, result))


def test_a_contraction_that_is_used_twice_is_not_done_twice():
    check_unchanged(
        simplified,
        """
        def program(a: float64[2, 3], b: float64[3, 4]):
            c: float64[2, 4] = contract(a, b, subscripts='ij,jk->ik')
            d: float64[4, 2] = transpose(c, permutation=(1, 0))
            return (c, d)
        """,
    )
