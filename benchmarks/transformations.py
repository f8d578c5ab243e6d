"""Hessians and mapped gradients beside a peer and beside batching by hand, and what memory holds.

Claims: a Hessian by forward over reverse mode costs at most a tenth of the peer's; a gradient
mapped over 10,000 rows costs less than twice the gradient that was batched by hand; forward mode
keeps no tape; a scan that keeps few carries holds less than 3 % of the plain one's memory; a
checkpointed chain holds the values of one segment.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from tabulate import tabulate

import functrace as ft
from benchmarks.harness import Contestants, Suite

suite = Suite()


def rosenbrock(xp: Any) -> Callable[[Any], Any]:
    """The valley of Rosenbrock, in the given NumPy."""
    return lambda x: xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@suite.workload("Hessian of Rosenbrock 100", target=0.1)
def hessian() -> Contestants:
    """Forward over reverse mode against reverse over reverse."""
    x = np.random.default_rng(0).normal(size=100)
    ours, theirs = ft.hessian(rosenbrock(np)), autograd.hessian(rosenbrock(anp))
    return {"functrace": lambda: ours(x), "autograd": lambda: theirs(x)}


@suite.workload("Hessian-vector product, Rosenbrock 1000", target=1.0)
def hessian_vector_product() -> Contestants:
    """The same for one direction."""
    x, v = np.random.default_rng(0).normal(size=(2, 1000))
    ours = ft.hvp(rosenbrock(np))
    theirs = autograd.hessian_vector_product(rosenbrock(anp))
    return {"functrace": lambda: ours(x, v), "autograd": lambda: theirs(x, v)}


@suite.workload("gradients of 10,000 rows", target=2.0)
def mapped_gradient() -> Contestants:
    """A gradient for each row: mapped, or of the sum over a batch written by hand."""
    rng = np.random.default_rng(0)
    weights, rows = rng.normal(size=20), rng.normal(size=(10_000, 20))
    mapped = ft.vmap(ft.grad(lambda x: np.tanh(weights @ x) ** 2))
    batched = ft.grad(lambda x: np.sum(np.tanh(x @ weights) ** 2))
    return {"functrace": lambda: mapped(rows), "batched by hand": lambda: batched(rows)}


def peak_memory(call: Callable[[], Any]) -> tuple[float, float]:
    """The most mebibytes held at once during a call, and its seconds when that is not traced."""
    gc.collect()
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (peak - before) / 2**20, seconds


def additions(length: int) -> Callable[[Any], Any]:
    """A chain of additions."""

    def f(x: Any) -> Any:
        for _ in range(length):
            x = x + 1.0
        return x

    return f


def recurrence(checkpoint: Any) -> Callable[[Any], Any]:
    """10,000 steps of a recurrence with 200 units."""

    def f(x: Any) -> Any:
        def step(state: Any, _: None) -> tuple[Any, None]:
            return np.tanh(state * 1.01 + x), None

        return np.sum(ft.scan(step, np.zeros(200), None, 10_000, checkpoint=checkpoint)[0])

    return f


def layers(wrap: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """50 segments of 10 operations on 20,000 numbers."""

    def segment(x: Any) -> Any:
        for _ in range(5):
            x = np.sin(x) * 1.01
        return x

    block = wrap(segment)

    def f(x: Any) -> Any:
        for _ in range(50):
            x = block(x)
        return np.sum(x)

    return f


def memory() -> str:
    """Peak memory and time of what is said to need little of the one for some of the other."""
    x = np.linspace(0, 1, 20_000)
    calls: dict[str, Callable[[], Any]] = {
        "jvp of 10^4 additions": lambda: ft.jvp(additions(10**4), (0.0,), (1.0,)),
        "jvp of 10^6 additions": lambda: ft.jvp(additions(10**6), (0.0,), (1.0,)),
        "scan of 10,000 steps": lambda: ft.grad(recurrence(None))(0.1),
        "  checkpoint=1000": lambda: ft.grad(recurrence(1000))(0.1),
        '  checkpoint="sqrt"': lambda: ft.grad(recurrence("sqrt"))(0.1),
        "500 operations": lambda: ft.grad(layers(lambda f: f))(x),
        "  in checkpointed segments": lambda: ft.grad(layers(ft.checkpoint))(x),
    }
    rows = [[name, *peak_memory(call)] for name, call in calls.items()]
    return tabulate(rows, ["", "MiB", "seconds"], tablefmt="github", floatfmt=".3g")


if __name__ == "__main__":
    suite.main("Transformations of transformations", __doc__)
    print(f"\nPeak memory\n\n{memory()}")
