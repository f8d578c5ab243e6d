"""The workloads of the benchmark of machine code: compiled, not compiled, and by C++."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tabulate")  # what benchmarks need beside the library
pytest.importorskip("threadpoolctl")

import functrace as ft
from benchmarks import machine
from benchmarks.native import ALL, SMALL, checked, difference
from benchmarks.peers import Functrace, Jax
from benchmarks.programs.recurrent import SMALL_RECURRENT
from functrace import tree
from tests.test_workloads import derivative

each_workload = pytest.mark.parametrize("problem", SMALL, ids=[problem.name for problem in SMALL])


@each_workload
def test_jit_gives_the_same_numbers(problem):
    inputs = problem.inputs()
    plain = derivative(problem)
    fast = ft.jit(plain)
    expected = plain(*inputs)
    assert difference(fast(*inputs), expected) <= problem.own_tolerance
    # The second call runs from what the first one made.
    assert difference(fast(*inputs), expected) <= problem.own_tolerance


QUICK = SMALL[: len(SMALL_RECURRENT)]
"""Those that LLVM compiles in no time."""


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(problem, id=problem.name, marks=[] if problem in QUICK else [pytest.mark.slow])
        for problem in SMALL
    ],
)
def test_native_backend_gives_the_same_numbers(problem):
    pytest.importorskip("llvmlite")
    inputs = problem.inputs()
    plain = derivative(problem)
    fast = ft.jit(plain, backend="native")
    expected = plain(*inputs)
    assert difference(fast(*inputs), expected) <= problem.own_tolerance
    assert difference(fast(*inputs), expected) <= problem.own_tolerance


@each_workload
def test_gradient_is_that_of_the_plain_function(problem):
    if problem.derivative != "value_and_gradient" or problem.precision is not np.float64:
        pytest.skip("no gradient that differences of float64 could tell")
    params, *rest = problem.inputs()
    f = problem.function(Functrace())
    value, gradient = derivative(problem)(params, *rest)
    np.testing.assert_allclose(value, f(params, *rest), rtol=1e-12)
    rng = np.random.default_rng(1)
    direction = tree.map(lambda x: rng.normal(size=np.shape(x)), params)
    step = 1e-6

    def along(h: float) -> Any:
        return f(tree.map(lambda x, d: x + h * d, params, direction), *rest)

    slope = (along(step) - along(-step)) / (2 * step)
    terms = tree.leaves(tree.map(lambda g, d: np.sum(g * d), gradient, direction))
    scale = sum(np.sum(np.abs(g)) for g in tree.leaves(gradient)) + abs(float(value))
    assert abs(sum(terms) - slope) <= 1e-7 * scale


@each_workload
def test_in_machine_code(problem):
    if problem.machine is None:
        pytest.skip("nobody wrote it in C++")
    if machine.compiler() is None:
        pytest.skip("there is no compiler")
    inputs = problem.inputs()
    call = problem.machine(*inputs)
    call()
    assert difference(call(), derivative(problem)(*inputs)) <= problem.tolerance


@pytest.fixture(scope="module")
def jax():
    """JAX as the benchmarks use it, and its settings as they were after that."""
    module = pytest.importorskip("jax")
    kept = module.config.jax_enable_x64
    with contextlib.ExitStack() as stack:
        stack.callback(module.config.update, "jax_enable_x64", kept)
        yield Jax()


@pytest.mark.slow
@each_workload
def test_jax(problem, jax):
    inputs = problem.inputs()
    theirs = problem.derivative_with(jax)
    expected = jax.call(jax.jit(theirs), jax.arrays(inputs))()
    assert difference(derivative(problem)(*inputs), expected) <= problem.tolerance


def test_wrong_results_are_told():
    class Wrong(Functrace):
        name = "wrong"

        def jit(self, f):
            return lambda *args: f(*args) + 1.0

    class Other(Functrace):
        name = "other"

    calls, failures, _ = checked(SMALL[0], [Wrong(), Functrace(), Other()])
    assert list(failures) == ["wrong"]
    assert "wrong" not in calls


def test_names_are_different():
    for problems in (ALL, SMALL):
        names = [problem.name for problem in problems]
        assert len(set(names)) == len(names)
