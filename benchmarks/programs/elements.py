"""Single numbers, elementwise work and networks: those of the other benchmarks, beside C++."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import machine, workloads
from benchmarks.workloads import Problem

DOUBLE, SINGLE = np.float64, np.float32


def scalar_function() -> Problem:
    """Ten operations on one number."""

    def on_machine(x: Any) -> Callable[[], Any]:
        gradient = np.empty(())
        return machine.call("scalar_function", float(x), gradient, result=gradient)

    return dataclasses.replace(workloads.scalar_function(), machine=on_machine)


def rosenbrock(n: int) -> Problem:
    """The test function of optimizers, in n variables."""

    def on_machine(x: Any) -> Callable[[], Any]:
        gradient = np.empty(n)
        return machine.call("rosenbrock", x, n, gradient, result=gradient)

    return dataclasses.replace(workloads.rosenbrock_gradient(n), machine=on_machine)


def elementwise_chain(n: int, precision: Any) -> Problem:
    """Functions of single elements, and a sum."""
    name = "elementwise_chain" if precision is DOUBLE else "elementwise_chain_single"

    def on_machine(x: Any) -> Callable[[], Any]:
        gradient = np.empty_like(x)
        return machine.call(name, x, n, gradient, result=gradient)

    return dataclasses.replace(workloads.elementwise_chain(n, precision), machine=on_machine)


ELEMENTS = (
    scalar_function(),
    rosenbrock(10),
    rosenbrock(1_000),
    rosenbrock(100_000),
    *(
        elementwise_chain(n, precision)
        for precision in (DOUBLE, SINGLE)
        for n in (1_000, 100_000, 1_000_000)
    ),
    workloads.regression_network((8, 16, 1), 32),
    workloads.classifying_network((64, 128, 64, 10), 128, DOUBLE),
    workloads.classifying_network((64, 128, 64, 10), 128, SINGLE),
    workloads.classifying_network((784, 512, 512, 10), 256, SINGLE),
)

SMALL_ELEMENTS = (
    scalar_function(),
    rosenbrock(5),
    elementwise_chain(7, DOUBLE),
    elementwise_chain(7, SINGLE),
)
"""The same families, in sizes for tests."""
