"""What the tests of the passes share: text in, text out, and comparing bits."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent
from typing import Any

import numpy as np

import functrace as ft
from functrace.backends.numpy_passes import simplify, structures_for_numpy
from functrace.ir.program import Program
from functrace.ir.types import ArrayType, type_of
from functrace.simplify import remove_dead_code


def check_pass(apply: Callable[[Program], Program], before: str, after: str) -> None:
    """Check what a pass makes of the text of a Program, and that it makes nothing more of that."""
    program = ft.parse(dedent(before))
    found = ft.check(apply(program))
    assert ft.to_text(found, sources=False) == dedent(after).strip()
    again = apply(found)
    assert ft.to_text(again, sources=False) == ft.to_text(found, sources=False)


def check_unchanged(apply: Callable[[Program], Program], text: str) -> None:
    """Check that a pass leaves a Program as it is."""
    program = ft.parse(dedent(text))
    assert apply(program) is program


def assert_same_bits(found: Any, expected: Any) -> None:
    """Check that two lists of values have the same types and bits, but for the kind of nans."""
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert type_of(x) == type_of(y)
        np.testing.assert_array_equal(x, y)
        if type_of(x).dtype.kind in "fc":
            keep = ~np.isnan(np.asarray(y))
            for part in (np.real, np.imag):
                signs = np.signbit(part(np.asarray(x)[keep]))
                np.testing.assert_array_equal(signs, np.signbit(part(np.asarray(y)[keep])))


def assert_close(found: Any, expected: Any) -> None:
    """Check that two lists of values have the same types, and values but for rounding."""
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert type_of(x) == type_of(y)
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-11)


def special_values(type: ArrayType, seed: int = 0) -> Any:
    """Values of a type with zeros of both signs, infinities and nans among them."""
    rng = np.random.default_rng(seed)
    if type.dtype.kind == "f":
        values = rng.choice([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e200], type.shape)
    elif type.dtype.kind == "c":
        values = np.empty(type.shape, complex)
        values.real = rng.choice([0.0, -0.0, 1.5, np.inf, np.nan], type.shape)
        values.imag = rng.choice([0.0, -0.0, 1.5, np.inf, np.nan], type.shape)
    elif type.dtype.kind == "b":
        values = rng.random(type.shape) < 0.5
    else:
        values = rng.integers(0, 120, type.shape)
    with np.errstate(all="ignore"):
        value = np.asarray(values).astype(type.dtype)[()]
    return value.item() if type.weak else value


def check_special_values(apply: Callable[[Program], Program], text: str, seeds: int = 8) -> None:
    """Check that a pass changes no bit of what a Program makes of special values."""
    program = ft.parse(dedent(text))
    simplified = ft.check(apply(program))
    for seed in range(seeds):
        inputs = [special_values(v.type, 100 * seed + n) for n, v in enumerate(program.inputs)]
        with np.errstate(all="ignore"):
            expected = ft.evaluate(program, *inputs)
            assert_same_bits(ft.evaluate(simplified, *inputs), expected)


def improved(program: Program) -> Program:
    """A Program whose structures the passes for NumPy have improved as far as they can."""
    while True:
        before = program
        program = remove_dead_code(structures_for_numpy(remove_dead_code(program)))
        if program is before:
            return program


def check_values(f: Callable[..., Any], *args: Any) -> Program:
    """Check that what is simplified for NumPy has the same values; return it."""
    program = ft.make_ir(f)(*args)
    found = ft.check(simplify(program))
    leaves = ft.tree.leaves(args)
    assert_close(ft.evaluate(found, *leaves), ft.evaluate(program, *leaves))
    return found
