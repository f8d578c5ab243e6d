"""Gradients without compilation: functrace, HIPS autograd, and NumPy written by hand.

Claim: where operations are small, functrace takes at most a third of autograd's time; on large
arrays, where NumPy does the work, it is never slower.

Each function is written once, as ordinary NumPy code over the module ``np`` that it is given.
functrace gets NumPy itself; autograd needs its own copy of NumPy's namespace. "by hand" is the
value and the gradient as someone would derive and write them with NumPy alone.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import autograd
import autograd.numpy
import numpy as np
from numpy.random import default_rng
from scipy.optimize import rosen, rosen_der

import functrace as ft
from benchmarks.harness import Contestants, Suite, Workload
from benchmarks.peers import Functrace
from benchmarks.workloads import Problem, filled_rows, rows_from_neighbours

SMALL = 1 / 3
LARGE = 1.0
IN_PLACE = 20.0  # beside NumPy's forward

Function = Callable[..., Any]
suite = Suite()


def peers(
    make: Callable[[types.ModuleType], Function], *args: Any, by_hand: Function | None = None
) -> Contestants:
    """The value and the gradient by the first argument, by functrace and by autograd."""
    ours = ft.value_and_grad(make(np))
    theirs = autograd.value_and_grad(make(autograd.numpy))
    contestants: Contestants = {
        "functrace": lambda: ours(*args),
        "autograd": lambda: theirs(*args),
    }
    if by_hand is not None:
        contestants["by hand"] = lambda: by_hand(*args)
    return contestants


# Small operations: what is measured is the cost of recording and of walking back


@suite.workload("scalar function of ten operations", SMALL)
def scalar_function() -> Contestants:
    """A function of one number."""

    def make(np: Any) -> Function:
        def f(x: Any) -> Any:
            y = np.sin(x) * x + np.exp(-x)
            return np.tanh(y / (1.0 + x * x)) - 0.5 * y

        return f

    def by_hand(x: Any) -> Any:
        sine, exponential, square = np.sin(x), np.exp(-x), 1.0 + x * x
        y = sine * x + exponential
        h = np.tanh(y / square)
        dy = np.cos(x) * x + sine - exponential
        slope = (1 - h * h) * (dy - y / square * 2 * x) / square
        return h - 0.5 * y, slope - 0.5 * dy

    return peers(make, np.float64(0.7), by_hand=by_hand)


def rosenbrock(np: Any) -> Function:
    """The test function of optimizers, over slices."""

    def f(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    return f


@suite.workload("Rosenbrock, n = 10", SMALL)
def rosenbrock_10() -> Contestants:
    """Ten variables."""
    x = default_rng(0).normal(size=10)
    return peers(rosenbrock, x, by_hand=lambda x: (rosen(x), rosen_der(x)))


@suite.workload("Rosenbrock, n = 1000", SMALL)
def rosenbrock_1000() -> Contestants:
    """A thousand variables."""
    x = default_rng(0).normal(size=1000)
    return peers(rosenbrock, x, by_hand=lambda x: (rosen(x), rosen_der(x)))


def network(np: Any) -> Function:
    """Mean squared error of a network with one hidden layer."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        h = np.tanh(x @ params["W1"] + params["b1"])
        return np.mean((h @ params["W2"] + params["b2"] - y) ** 2)

    return loss


@suite.workload("network 8-16-1, 32 rows", SMALL)
def small_network() -> Contestants:
    """A dict of parameters."""
    rng = default_rng(0)
    params = {
        "W1": rng.normal(size=(8, 16)),
        "b1": rng.normal(size=16),
        "W2": rng.normal(size=(16, 1)),
        "b2": rng.normal(size=1),
    }

    def by_hand(params: Any, x: Any, y: Any) -> Any:
        h = np.tanh(x @ params["W1"] + params["b1"])
        error = h @ params["W2"] + params["b2"] - y
        d_error = error * (2 / error.size)
        d_h = (d_error @ params["W2"].T) * (1 - h * h)
        gradient = {
            "W1": x.T @ d_h,
            "b1": d_h.sum(axis=0),
            "W2": h.T @ d_error,
            "b2": d_error.sum(axis=0),
        }
        return (error**2).mean(), gradient

    return peers(
        network, params, rng.normal(size=(32, 8)), rng.normal(size=(32, 1)), by_hand=by_hand
    )


@suite.workload("recurrent network, 100 steps of 32 units", SMALL)
def recurrent_network() -> Contestants:
    """A Python loop over matrix-vector products."""
    rng = default_rng(0)
    params = {
        "W": rng.normal(size=(32, 32)) / 6,
        "U": rng.normal(size=(32, 8)) / 3,
        "b": rng.normal(size=32),
    }
    inputs = rng.normal(size=(100, 8))

    def make(np: Any) -> Function:
        def loss(params: Any, inputs: Any) -> Any:
            h = np.zeros(32)
            for x in inputs:
                h = np.tanh(params["W"] @ h + params["U"] @ x + params["b"])
            return np.sum(h**2)

        return loss

    def by_hand(params: Any, inputs: Any) -> Any:
        states = [np.zeros(32)]
        for x in inputs:
            states.append(np.tanh(params["W"] @ states[-1] + params["U"] @ x + params["b"]))
        gradient = {name: np.zeros_like(value) for name, value in params.items()}
        d_h = 2 * states[-1]
        for number in reversed(range(len(inputs))):
            d_sum = d_h * (1 - states[number + 1] ** 2)
            gradient["W"] += np.outer(d_sum, states[number])
            gradient["U"] += np.outer(d_sum, inputs[number])
            gradient["b"] += d_sum
            d_h = d_sum @ params["W"]
        return (states[-1] ** 2).sum(), gradient

    return peers(make, params, inputs, by_hand=by_hand)


STEPS = 1000
STEP_SIZE = 0.01


@suite.workload("Lotka-Volterra, 1000 RK4 steps, two scalars", SMALL)
def lotka_volterra_scalars() -> Contestants:
    """A Python loop over scalars: 48,000 operations."""

    def make(np: Any) -> Function:
        def slope(x: Any, y: Any, params: Any) -> Any:
            a, b, c, d = params
            return a * x - b * x * y, c * x * y - d * y

        def f(params: Any) -> Any:
            x, y = 1.0, 0.5
            h = STEP_SIZE
            for _ in range(STEPS):
                x1, y1 = slope(x, y, params)
                x2, y2 = slope(x + h / 2 * x1, y + h / 2 * y1, params)
                x3, y3 = slope(x + h / 2 * x2, y + h / 2 * y2, params)
                x4, y4 = slope(x + h * x3, y + h * y3, params)
                x = x + h / 6 * (x1 + 2 * x2 + 2 * x3 + x4)
                y = y + h / 6 * (y1 + 2 * y2 + 2 * y3 + y4)
            return x + y

        return f

    return peers(make, [1.5, 1.0, 0.75, 1.25])


@suite.workload("Lotka-Volterra, 1000 RK4 steps, stacked vector", SMALL)
def lotka_volterra_vector() -> Contestants:
    """The state as an array that is unpacked and stacked in each stage."""

    def make(np: Any) -> Function:
        # autograd has a fast path for array(), and none for stack().
        join = np.array if np is autograd.numpy else np.stack

        def slope(state: Any, params: Any) -> Any:
            x, y = state[0], state[1]
            a, b, c, d = params
            return join([a * x - b * x * y, c * x * y - d * y])

        def f(params: Any) -> Any:
            state = np.array([1.0, 0.5])
            h = STEP_SIZE
            for _ in range(STEPS):
                k1 = slope(state, params)
                k2 = slope(state + h / 2 * k1, params)
                k3 = slope(state + h / 2 * k2, params)
                k4 = slope(state + h * k3, params)
                state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            return np.sum(state)

        return f

    return peers(make, [1.5, 1.0, 0.75, 1.25])


@suite.workload("logistic regression, 100 rows of 5", SMALL)
def logistic_regression() -> Contestants:
    """The loss as log(1 + exp(-margin))."""
    rng = default_rng(0)
    x, signs = rng.normal(size=(100, 5)), rng.choice([-1.0, 1.0], size=100)

    def make(np: Any) -> Function:
        def loss(w: Any, x: Any, signs: Any) -> Any:
            return np.mean(np.logaddexp(0.0, -signs * (x @ w))) + 0.01 * np.sum(w * w)

        return loss

    def by_hand(w: Any, x: Any, signs: Any) -> Any:
        margins = -signs * (x @ w)
        losses = np.logaddexp(0.0, margins)
        d_margins = np.exp(margins - losses) / len(signs)
        return losses.mean() + 0.01 * (w @ w), (-signs * d_margins) @ x + 0.02 * w

    return peers(make, rng.normal(size=5), x, signs, by_hand=by_hand)


@suite.workload("softmax cross-entropy, 64 rows of 10", SMALL)
def cross_entropy() -> Contestants:
    """Reductions, and integer arrays as indices."""
    rng = default_rng(0)
    labels = rng.integers(10, size=64)

    def make(np: Any) -> Function:
        def loss(logits: Any, labels: Any) -> Any:
            shifted = logits - np.max(logits, axis=1, keepdims=True)
            log_sum = np.log(np.sum(np.exp(shifted), axis=1))
            return np.mean(log_sum - shifted[np.arange(len(labels)), labels])

        return loss

    def by_hand(logits: Any, labels: Any) -> Any:
        rows = np.arange(len(labels))
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        sums = exponentials.sum(axis=1)
        gradient = exponentials / sums[:, None]
        gradient[rows, labels] -= 1
        return (np.log(sums) - shifted[rows, labels]).mean(), gradient / len(labels)

    return peers(make, rng.normal(size=(64, 10)), labels, by_hand=by_hand)


# Shapes of code that could be lost


@suite.workload("x[i] in a loop, n = 300", SMALL)
def indexing_loop() -> Contestants:
    """Each x[i] is a cotangent of its own, which must not cost an array as long as x."""

    def make(np: Any) -> Function:
        def f(x: Any) -> Any:
            total = 0.0
            for i in range(len(x) - 1):
                total = total + (x[i + 1] - x[i]) ** 2
            return total

        return f

    def by_hand(x: Any) -> Any:
        difference = np.diff(x)
        zero = np.zeros(1)
        gradient = 2 * (np.append(zero, difference) - np.append(difference, zero))
        return np.sum(difference**2), gradient

    return peers(make, default_rng(0).normal(size=300), by_hand=by_hand)


@suite.workload("x[i] in a loop, n = 3000", SMALL)
def long_indexing_loop() -> Contestants:
    """As before; ten times longer should cost ten times as much, not a hundred times."""

    def make(np: Any) -> Function:
        def f(x: Any) -> Any:
            total = 0.0
            for i in range(len(x)):
                total = total + x[i] ** 2
            return total

        return f

    return peers(make, default_rng(0).normal(size=3000), by_hand=lambda x: (np.sum(x**2), 2 * x))


def beside_numpy(problem: Problem) -> Contestants:
    """The gradient of what writes into arrays, which autograd has not, and what NumPy takes."""
    inputs = problem.inputs()
    function = problem.function(Functrace())
    ours = ft.grad(function)
    return {
        "functrace": lambda: ours(*inputs),
        "NumPy's forward": lambda: function(*inputs),
        "by hand": lambda: problem.by_hand(*inputs),
    }


for problem in (filled_rows(400, 400), filled_rows(1_600, 200), rows_from_neighbours(1_600, 200)):
    suite.workloads.append(
        Workload(problem.name, partial(beside_numpy, problem), IN_PLACE, compares=False)
    )


@suite.workload("100 small concatenates", SMALL)
def concatenates() -> Contestants:
    """A window that moves by one element at each step."""

    def make(np: Any) -> Function:
        def f(x: Any) -> Any:
            for _ in range(100):
                x = np.concatenate((x[1:], x[:1] * 0.9))
            return np.sum(x**2)

        return f

    return peers(make, default_rng(0).normal(size=8))


@suite.workload("chain of 50 where()", SMALL)
def where_chain() -> Contestants:
    """Two branches at each step."""

    def make(np: Any) -> Function:
        def f(x: Any) -> Any:
            for _ in range(50):
                x = np.where(x > 0, x * 0.9, x * 1.1)
            return np.sum(x)

        return f

    return peers(make, default_rng(0).normal(size=100))


@suite.workload("sort, max and min of 1000", LARGE)
def ordering() -> Contestants:
    """What chooses elements."""

    def make(np: Any) -> Function:
        def f(x: Any) -> Any:
            return np.sum(np.sort(x)[-100:]) + np.max(x) - np.min(x)

        return f

    return peers(make, default_rng(0).normal(size=1000))


@suite.workload("einsum, attention 4 x 32 x 16", LARGE)
def einsum() -> Contestants:
    """Contractions by einsum, whose adjoints are einsums too."""
    rng = default_rng(0)
    arrays = [rng.normal(size=(4, 32, 16)) for _ in range(3)]

    def make(np: Any) -> Function:
        def f(arrays: Any) -> Any:
            q, k, v = arrays
            scores = np.einsum("hqd,hkd->hqk", q, k)
            weights = np.exp(scores / 4.0)
            weights = weights / np.sum(weights, axis=-1, keepdims=True)
            return np.sum(np.einsum("hqk,hkd->hqd", weights, v) ** 2)

        return f

    return peers(make, arrays)


@suite.workload("linear solve, n = 50", LARGE)
def solve() -> Contestants:
    """The time is LAPACK's."""
    rng = default_rng(0)
    matrix = rng.normal(size=(50, 50)) + 50 * np.eye(50)

    def make(np: Any) -> Function:
        return lambda a, b: np.sum(np.linalg.solve(a, b) ** 2)

    return peers(make, matrix, rng.normal(size=50))


@suite.workload("second derivative of the scalar function", SMALL)
def second_derivative() -> Contestants:
    """The gradient of a gradient."""

    def make(np: Any) -> Function:
        inner = autograd.grad if np is autograd.numpy else ft.grad
        return inner(lambda x: np.tanh(np.sin(x) * x + np.exp(-x)))

    return peers(make, np.float64(0.7))


# Large arrays: the time should be NumPy's


def large(dtype: Any) -> None:
    """The workloads on large arrays, in one precision."""
    name = np.dtype(dtype).name
    tolerance = 1e-9 if dtype is np.float64 else 2e-3

    @suite.workload(f"elementwise chain on 10^6, {name}", LARGE, tolerance)
    def chain() -> Contestants:
        x = default_rng(0).normal(size=10**6).astype(dtype)

        def make(np: Any) -> Function:
            return lambda x: np.sum(np.tanh(np.sin(x) * x + np.exp(-x * x)))

        def by_hand(x: Any) -> Any:
            sine, bell = np.sin(x), np.exp(-x * x)
            h = np.tanh(sine * x + bell)
            return h.sum(), (1 - h * h) * (np.cos(x) * x + sine - 2 * x * bell)

        return peers(make, x, by_hand=by_hand)

    @suite.workload(f"network 784-512-512-10, 256 rows, {name}", LARGE, tolerance)
    def large_network() -> Contestants:
        rng = default_rng(0)
        sizes = (784, 512, 512, 10)
        params = [
            (
                (rng.normal(size=(before, after)) / before**0.5).astype(dtype),
                np.zeros(after, dtype),
            )
            for before, after in itertools.pairwise(sizes)
        ]
        images = rng.uniform(size=(256, 784)).astype(dtype)
        targets = np.eye(10, dtype=dtype)[rng.integers(10, size=256)]

        def make(np: Any) -> Function:
            def loss(params: Any, images: Any, targets: Any) -> Any:
                h = images
                for weights, bias in params[:-1]:
                    h = np.maximum(h @ weights + bias, 0.0)
                weights, bias = params[-1]
                logits = h @ weights + bias
                shifted = logits - np.max(logits, axis=1, keepdims=True)
                log_sum = np.log(np.sum(np.exp(shifted), axis=1))
                return np.mean(log_sum - np.sum(shifted * targets, axis=1))

            return loss

        def by_hand(params: Any, images: Any, targets: Any) -> Any:
            layers = [images]
            for weights, bias in params[:-1]:
                layers.append(np.maximum(layers[-1] @ weights + bias, 0.0))
            logits = layers[-1] @ params[-1][0] + params[-1][1]
            shifted = logits - logits.max(axis=1, keepdims=True)
            exponentials = np.exp(shifted)
            sums = exponentials.sum(axis=1, keepdims=True)
            value = (np.log(sums[:, 0]) - (shifted * targets).sum(axis=1)).mean()
            d_out = (exponentials / sums - targets) / len(images)
            gradient: list[Any] = []
            for (weights, _), layer in zip(params[::-1], layers[::-1], strict=True):
                gradient.insert(0, (layer.T @ d_out, d_out.sum(axis=0)))
                d_out = (d_out @ weights.T) * (layer > 0)
            return value, gradient

        return peers(make, params, images, targets, by_hand=by_hand)


large(np.float64)
large(np.float32)

if __name__ == "__main__":
    suite.main("Gradients without compilation", __doc__)
