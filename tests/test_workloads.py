"""The workloads of the benchmarks: compiled, not compiled, by hand, and by JAX."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

import functrace as ft
from benchmarks.peers import Functrace, Jax
from benchmarks.workloads import SMALL_WORKLOADS, WORKLOADS, Problem
from functrace import tree

each_workload = pytest.mark.parametrize(
    "problem", SMALL_WORKLOADS, ids=[problem.name for problem in SMALL_WORKLOADS]
)


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    """Leaf by leaf, relative to the largest number of each."""
    for a, b in zip(tree.leaves(actual), tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        scale = float(np.max(np.abs(b)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def derivative(problem: Problem) -> Any:
    found = problem.derivative_with(Functrace())
    assert found is not None
    return found


@each_workload
def test_jit_gives_the_same_numbers(problem):
    inputs = problem.inputs()
    plain = derivative(problem)
    fast = ft.jit(plain)
    expected = plain(*inputs)
    assert_close(fast(*inputs), expected, problem.own_tolerance)
    # The second call runs from what the first one made.
    assert_close(fast(*inputs), expected, problem.own_tolerance)


@each_workload
def test_jit_leaves_the_inputs_alone(problem):
    inputs, untouched = problem.inputs(), problem.inputs()
    result = ft.jit(derivative(problem))(*inputs)
    for leaf in tree.leaves(result):
        if isinstance(leaf, np.ndarray):
            leaf[...] = 0
    assert_close(inputs, untouched, 0.0)


@each_workload
def test_by_hand(problem):
    inputs = problem.inputs()
    assert_close(derivative(problem)(*inputs), problem.by_hand(*inputs), problem.tolerance)


@each_workload
def test_function_under_jit(problem):
    if problem.derivative != "gradient":
        pytest.skip("the derivative has arguments that the function has not")
    inputs = problem.inputs()
    f = problem.function(Functrace())
    assert_close(ft.jit(f)(*inputs), f(*inputs), problem.own_tolerance)


@pytest.fixture(scope="module")
def jax():
    """JAX as the benchmarks use it, and its settings as they were after that."""
    module = pytest.importorskip("jax")
    kept = module.config.jax_enable_x64
    with contextlib.ExitStack() as stack:
        stack.callback(module.config.update, "jax_enable_x64", kept)
        yield Jax()


@each_workload
def test_jax(problem, jax):
    inputs = problem.inputs()
    theirs = problem.derivative_with(jax)
    assert (theirs is None) == problem.in_place
    if theirs is None:
        return  # JAX's arrays cannot be written
    expected = jax.call(theirs, jax.arrays(inputs))()
    assert_close(derivative(problem)(*inputs), expected, problem.tolerance)


def test_names_are_different():
    for problems in (WORKLOADS, SMALL_WORKLOADS):
        names = [problem.name for problem in problems]
        assert len(set(names)) == len(names)
