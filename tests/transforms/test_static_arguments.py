"""Parameters that are named by position or by name, and calls that are separated by them."""

from __future__ import annotations

import numpy as np
import pytest

from functrace import errors
from functrace.transforms.static_arguments import (
    dynamic_positions,
    named_parameters,
    separated,
    with_static,
)
from functrace.tree.sameness import identity


def f(a, b, c=3, *, d=4):
    return a, b, c, d


def star(a, *rest, **options):
    return a, rest, options


def test_parameters_are_found_by_position_and_by_name():
    assert named_parameters(f, 1, None, "argnums") == (frozenset([1]), frozenset(["b"]))
    assert named_parameters(f, -1, None, "argnums") == (frozenset([2]), frozenset(["c"]))
    assert named_parameters(f, None, ("a", "d"), "argnums") == (frozenset([0]), frozenset("ad"))
    assert named_parameters(star, (0, 2), "x", "argnums") == (frozenset([0, 2]), frozenset("ax"))
    assert named_parameters(star, -1, None, "argnums") == (frozenset([-1]), frozenset())
    assert named_parameters(np.sin, 0, None, "argnums")[0] == frozenset([0])
    assert named_parameters(f, None, None, "argnums") == (frozenset(), frozenset())
    with pytest.raises(errors.ArgumentError, match="argnums names argument 3, but f has 3"):
        named_parameters(f, 3, None, "argnums")


@pytest.mark.parametrize(
    ("function", "argnums", "argnames", "args", "kwargs"),
    [
        (f, (0, 2), "d", (1, 2, 3), {"d": 5}),
        (f, (0, 2), "d", (1, 2), {}),
        (f, 1, None, (1,), {"b": 2}),
        (f, None, None, (1, 2), {"c": 7}),
        (star, -1, None, (1, 2, 3), {"x": 4}),
        (star, (1, 3), "x", (1, 2, 3), {"x": 4, "y": 5}),
        (star, 5, None, (1, 2), {}),
    ],
)
def test_a_separated_call_is_the_same_call(function, argnums, argnames, args, kwargs):
    parameters = named_parameters(function, argnums, argnames, "argnums")
    static, dynamic_args, dynamic_kwargs = separated(parameters, args, kwargs)
    assert with_static(function, static)(dynamic_args, dynamic_kwargs) == function(*args, **kwargs)
    assert len(static) + len(dynamic_args) + len(dynamic_kwargs) == len(args) + len(kwargs)
    positions = dynamic_positions(static, len(dynamic_args))
    assert tuple(args[position] for position in positions) == dynamic_args
    assert all(identity(value) == known_as for _, value, known_as in static)
