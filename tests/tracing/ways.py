"""Running a function on tracers, in each kind of recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functrace as ft
from functrace.transforms.evaluate import evaluate
from functrace.transforms.tape import Tape

THREE = np.array([1.0, 2.0, 3.0])
MATRIX = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def on_tape(f: Callable[..., Any], *args: Any) -> Any:
    """The result of a function of tracers whose values are known."""
    with Tape() as tape:
        result = f(*map(tape.lift, args))
        return ft.tree.map(tape.value_of, result)


def nested(f: Callable[..., Any], *args: Any) -> Any:
    """The same, with tracers of tracers."""
    with Tape() as outer:
        result = on_tape(f, *map(outer.lift, args))
        return ft.tree.map(outer.value_of, result)


def recorded(f: Callable[..., Any], *args: Any) -> Any:
    """The result of a function of tracers of which only the types are known."""
    structures = []

    def flat(*args: Any) -> Any:
        leaves, structure = ft.tree.flatten(f(*args))
        structures.append(structure)
        return leaves

    program = ft.make_ir(flat)(*args)
    return structures[0].unflatten(evaluate(program, *args))


WAYS = [on_tape, nested, recorded]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def same(result: Any, expected: Any) -> None:
    """Equal in type, dtype, shape and value."""
    assert ft.tree.structure(result) == ft.tree.structure(expected)
    for x, y in zip(ft.tree.leaves(result), ft.tree.leaves(expected), strict=True):
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_array_equal(x, y, strict=True)
        assert isinstance(x, np.ndarray) == isinstance(y, np.ndarray)
