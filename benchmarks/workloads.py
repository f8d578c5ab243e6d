"""What the benchmarks of `jit` compute: functions for all libraries, and derivatives by hand.

A function is written over a `Peer` (see `peers.py`), so that every library gets the same
mathematics. The derivative by hand is NumPy alone, as one who knows the formula would write it
plainly: nothing is computed twice, and sums over rows are matrix products where they can be. It
does not use buffers of its own (`out=`).

Parameters are one array or a flat tuple of arrays, and come first.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import default_rng

from benchmarks.peers import Function, Peer


@dataclass(frozen=True)
class Problem:
    """One derivative to compute.

    Attributes:
        name: What the tables call it.
        inputs: Makes the arguments of the derivative. The first is differentiated.
        function: Makes the function over a library, a new function object at each call.
        by_hand: The derivative, of the same arguments; None where nobody wrote it.
        derivative: The name of the method of `Peer` that makes the derivative.
        precision: The inputs' dtype.
        in_place: Whether the function writes into arrays, as only functrace lets it.
        needs: A method of `Peer` that not every library has; None for all that are in use.
        machine: Makes of the arguments a call of the derivative that is written in C++.
        unrolled: Whether Python's loops record so much that XLA takes minutes for it.
    """

    name: str
    inputs: Callable[[], tuple[Any, ...]]
    function: Callable[[Peer], Function]
    by_hand: Function | None = None
    derivative: str = "gradient"
    precision: type[np.floating[Any]] = np.float64
    in_place: bool = False
    needs: str | None = None
    machine: Callable[..., Callable[[], Any]] | None = None
    unrolled: bool = False

    @property
    def tolerance(self) -> float:
        """How closely libraries must agree, relative to the largest number of each array."""
        return 1e-10 if self.precision is np.float64 else 1e-4

    @property
    def own_tolerance(self) -> float:
        """How closely functrace must agree with itself, with and without jit."""
        return 1e-12 if self.precision is np.float64 else 1e-5

    def derivative_with(self, peer: Peer) -> Function | None:
        """A new function object that computes the derivative; None where the library cannot."""
        if self.in_place and not peer.writes_in_place:
            return None
        if self.needs and getattr(type(peer), self.needs) is getattr(Peer, self.needs):
            return None
        return getattr(peer, self.derivative)(self.function(peer))


def contestants(problem: Problem, peers: Iterable[Peer]) -> dict[str, Callable[[], Any]]:
    """A workload's derivative by every library, compiled and not, and by hand."""
    inputs = problem.inputs()
    calls: dict[str, Callable[[], Any]] = {}
    for peer in peers:
        derivative = problem.derivative_with(peer)
        if derivative is None:
            continue
        arrays = peer.arrays(inputs)
        fast = peer.jit(derivative)
        if fast is not None:
            calls[f"{peer.name} jit"] = peer.call(fast, arrays)
            if arrays is not inputs:
                calls[f"{peer.name} jit of NumPy"] = peer.call(fast, inputs)
        calls[peer.name] = peer.call(derivative, arrays)
    if problem.by_hand is not None:
        calls["by hand"] = functools.partial(problem.by_hand, *inputs)
    return calls


def label(text: str, precision: Any) -> str:
    """A name with a precision."""
    return f"{text}, {np.dtype(precision).name}"


# Small operations


def scalar_function() -> Problem:
    """Ten operations on one number."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(x: Any) -> Any:
            y = np.sin(x) * x + np.exp(-x)
            return np.tanh(y / (1.0 + x * x)) - 0.5 * y

        return f

    def by_hand(x: Any) -> Any:
        sine, exponential, square = np.sin(x), np.exp(-x), 1.0 + x * x
        dy = np.cos(x) * x + sine - exponential
        ratio = (sine * x + exponential) / square
        h = np.tanh(ratio)
        return (1.0 - h * h) * (dy - 2.0 * ratio * x) / square - 0.5 * dy

    return Problem("scalar function", lambda: (np.float64(0.7),), function, by_hand)


def sum_of_squares(count: int) -> Problem:
    """Next to nothing to compute, on so many parameters of one number each."""

    def inputs() -> tuple[Any, ...]:
        return (tuple(default_rng(0).normal(size=count)),)

    def function(peer: Peer) -> Function:
        def f(params: Any) -> Any:
            total, *others = [x * x for x in params]
            for other in others:
                total = total + other
            return total

        return f

    def by_hand(params: Any) -> Any:
        return tuple(2.0 * x for x in params)

    plural = "" if count == 1 else "s"
    return Problem(f"sum of squares, {count} parameter{plural}", inputs, function, by_hand)


def unrolled(turns: int) -> Problem:
    """The scalar function in a Python loop."""

    def function(peer: Peer) -> Function:
        f = scalar_function().function(peer)

        def repeated(x: Any) -> Any:
            for _ in range(turns):
                x = x + 0.001 * f(x)
            return x

        return repeated

    def by_hand(x: Any) -> Any:
        derivative, product = scalar_function().by_hand, 1.0
        for _ in range(turns):
            product = product * (1.0 + 0.001 * derivative(x))
            y = np.sin(x) * x + np.exp(-x)
            x = x + 0.001 * (np.tanh(y / (1.0 + x * x)) - 0.5 * y)
        return product

    return Problem(f"unrolled, {turns:,}", lambda: (np.float64(0.7),), function, by_hand)


def rosenbrock(peer: Peer) -> Function:
    """The valley of Rosenbrock, over slices."""
    np = peer.np

    def f(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return f


def rosenbrock_gradient(n: int) -> Problem:
    """The test function of optimizers, in n variables."""

    def by_hand(x: Any) -> Any:
        head = x[:-1]
        difference = 200.0 * (x[1:] - head * head)
        gradient = np.empty_like(x)
        gradient[:-1] = 2.0 * (head - 1.0) - 2.0 * difference * head
        gradient[-1] = 0.0
        gradient[1:] += difference
        return gradient

    name = f"Rosenbrock, n = {n:,}"
    return Problem(name, lambda: (default_rng(0).normal(size=n),), rosenbrock, by_hand)


def rosenbrock_hessian(n: int) -> Problem:
    """A full matrix of which three diagonals are not zero."""

    def by_hand(x: Any) -> Any:
        head = x[:-1]
        matrix = np.zeros((n, n))
        rows = np.arange(n)
        matrix[rows[:-1], rows[:-1]] = 1200.0 * head * head - 400.0 * x[1:] + 2.0
        matrix[rows[1:], rows[1:]] += 200.0
        matrix[rows[:-1], rows[1:]] = matrix[rows[1:], rows[:-1]] = -400.0 * head
        return matrix

    return Problem(
        f"Hessian of Rosenbrock, n = {n}",
        lambda: (default_rng(0).normal(size=n),),
        rosenbrock,
        by_hand,
        "hessian",
    )


def elementwise_chain(n: int, precision: Any) -> Problem:
    """Functions of single elements, and a sum."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(x: Any) -> Any:
            square = x**2
            return np.sum(np.tanh(x) * np.exp(-square) + np.log(1.0 + square) * np.sin(x))

        return f

    def by_hand(x: Any) -> Any:
        square = x * x
        h, bell, above = np.tanh(x), np.exp(-square), 1.0 + square
        twice = 2.0 * x
        first = bell * (1.0 - h * h - twice * h)
        return first + np.sin(x) * twice / above + np.log(above) * np.cos(x)

    return Problem(
        label(f"elementwise chain, {n:,}", precision),
        lambda: (default_rng(0).normal(size=n).astype(precision),),
        function,
        by_hand,
        precision=precision,
    )


# Networks


def layers(sizes: tuple[int, ...], precision: Any, rng: Any) -> tuple[Any, ...]:
    """Weights and biases in turn: W1, b1, W2, b2 ..."""
    pairs = [
        (
            (rng.normal(size=(before, after)) / before**0.5).astype(precision),
            (rng.normal(size=after) / 10).astype(precision),
        )
        for before, after in itertools.pairwise(sizes)
    ]
    return tuple(array for pair in pairs for array in pair)


def hidden_layers(params: Any, x: Any) -> list[Any]:
    """By hand: the inputs of each layer."""
    values = [x]
    for weights, bias in zip(params[:-2:2], params[1:-2:2], strict=True):
        values.append(np.tanh(values[-1] @ weights + bias))
    return values


def walk_back(params: Any, values: list[Any], d_output: Any) -> tuple[Any, ...]:
    """By hand: from the cotangent of the last layer's output to the gradient of all parameters."""
    gradient: list[Any] = []
    for number in range(len(values) - 1, -1, -1):
        gradient[:0] = (values[number].T @ d_output, d_output.sum(axis=0))
        if number:
            h = values[number]
            d_output = (d_output @ params[2 * number].T) * (1.0 - h * h)
    return tuple(gradient)


def network(peer: Peer) -> Function:
    """The output of a network with tanh in its hidden layers."""
    np = peer.np

    def output(params: Any, x: Any) -> Any:
        h = x
        for weights, bias in zip(params[:-2:2], params[1:-2:2], strict=True):
            h = np.tanh(h @ weights + bias)
        return h @ params[-2] + params[-1]

    return output


def regression_network(sizes: tuple[int, ...], rows: int, precision: Any = np.float64) -> Problem:
    """Mean squared error."""

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        x, y = rng.normal(size=(rows, sizes[0])), rng.normal(size=(rows, sizes[-1]))
        return layers(sizes, precision, rng), x.astype(precision), y.astype(precision)

    def function(peer: Peer) -> Function:
        output = network(peer)
        return lambda params, x, y: peer.np.mean((output(params, x) - y) ** 2)

    def by_hand(params: Any, x: Any, y: Any) -> Any:
        values = hidden_layers(params, x)
        error = values[-1] @ params[-2] + params[-1] - y
        return walk_back(params, values, error * (2.0 / error.size))

    name = label(f"network {'-'.join(map(str, sizes))}, {rows} rows", precision)
    return Problem(name, inputs, function, by_hand, precision=precision)


def classifying_network(sizes: tuple[int, ...], rows: int, precision: Any) -> Problem:
    """Softmax cross-entropy."""

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        x = rng.normal(size=(rows, sizes[0])).astype(precision)
        targets = np.eye(sizes[-1], dtype=precision)[rng.integers(sizes[-1], size=rows)]
        return layers(sizes, precision, rng), x, targets

    def function(peer: Peer) -> Function:
        output, np = network(peer), peer.np

        def loss(params: Any, x: Any, targets: Any) -> Any:
            logits = output(params, x)
            return np.mean(peer.logsumexp(logits, axis=1) - np.sum(logits * targets, axis=1))

        return loss

    def by_hand(params: Any, x: Any, targets: Any) -> Any:
        values = hidden_layers(params, x)
        logits = values[-1] @ params[-2] + params[-1]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = exponentials / exponentials.sum(axis=1, keepdims=True)
        return walk_back(params, values, (shares - targets) / len(x))

    name = label(f"network {'-'.join(map(str, sizes))}, {rows} rows", precision)
    return Problem(name, inputs, function, by_hand, precision=precision)


def convolutional_network(filters: tuple[int, int], rows: int, precision: Any) -> Problem:
    """Two convolutions of images of 8 by 8 pixels, and softmax cross-entropy."""
    first, second = filters

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        shapes = [(3, 3, 1, first), (3, 3, first, second), (4 * second, 10)]
        params = []
        for shape in shapes:
            params.append(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
            params.append(rng.normal(0, 0.1, shape[-1]))
        images = rng.normal(size=(rows, 8, 8, 1)).astype(precision)
        targets = np.eye(10, dtype=precision)[rng.integers(10, size=rows)]
        return tuple(param.astype(precision) for param in params), images, targets

    def function(peer: Peer) -> Function:
        np = peer.np

        def loss(params: Any, images: Any, targets: Any) -> Any:
            seen = peer.features(images, *params[:2])
            seen = peer.features(seen, *params[2:4])
            scores = seen.reshape((rows, 4 * second)) @ params[4] + params[5]
            return np.mean(peer.logsumexp(scores, axis=1) - np.sum(scores * targets, axis=1))

        return loss

    def by_hand(params: Any, images: Any, targets: Any) -> Any:
        seen, back = images, []
        for layer in (0, 2):
            seen, pull_back = features_by_hand(seen, params[layer], params[layer + 1])
            back.append(pull_back)
        flat = seen.reshape(rows, -1)
        scores = flat @ params[4] + params[5]
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares = exponentials / exponentials.sum(axis=1, keepdims=True)
        d_scores = (shares - targets) / rows
        gradient = [flat.T @ d_scores, d_scores.sum(axis=0)]
        d_seen = (d_scores @ params[4].T).reshape(seen.shape)
        for pull_back in reversed(back):
            *d_params, d_seen = pull_back(d_seen)
            gradient = d_params + gradient
        return tuple(gradient)

    name = label(f"convolutions {first}-{second}, {rows} images", precision)
    return Problem(name, inputs, function, by_hand, precision=precision, needs="features")


def features_by_hand(x: Any, filters: Any, bias: Any) -> tuple[Any, Function]:
    """`Peer.features`, and its way back to filters, bias and images."""
    count, height, width, channels = x.shape
    size = 9 * channels
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size)
    convolved = (rows @ filters.reshape(size, -1)).reshape(count, height, width, -1) + bias
    rectified = np.maximum(convolved, 0)
    squares = rectified.reshape(count, height // 2, 2, width // 2, 2, -1)
    seen = squares.max(axis=(2, 4))

    def pull_back(d_seen: Any) -> tuple[Any, Any, Any]:
        # No two pixels of a square are equal here but where all are zero, which changes nothing.
        is_largest = squares == seen[:, :, None, :, None]
        d_squares = is_largest * d_seen[:, :, None, :, None]
        d_rows = (d_squares.reshape(convolved.shape) * (convolved > 0)).reshape(len(rows), -1)
        d_windows = d_rows @ filters.reshape(size, -1).T
        d_windows = d_windows.reshape(count, height, width, 3, 3, channels)
        d_padded = np.zeros_like(padded)
        for i, j in itertools.product(range(3), range(3)):
            d_padded[:, i : i + height, j : j + width] += d_windows[:, :, :, i, j]
        d_filters = (rows.T @ d_rows).reshape(filters.shape)
        return d_filters, d_rows.sum(axis=0), d_padded[:, 1:-1, 1:-1]

    return seen, pull_back


# Loops


def recurrent_network(steps: int, units: int, batch: int, features: int = 16) -> Problem:
    """The state's mean square after all steps."""

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        params = (
            rng.normal(size=(units, units)) / units**0.5,
            rng.normal(size=(features, units)) / features**0.5,
            rng.normal(size=units) / 10,
        )
        return params, np.zeros((batch, units)), rng.normal(size=(steps, batch, features))

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(params: Any, start: Any, xs: Any) -> Any:
            W, U, b = params

            def step(h: Any, x: Any) -> Any:
                return np.tanh(h @ W + x @ U + b)

            return np.mean(peer.scan(step, start, xs, steps) ** 2)

        return f

    def by_hand(params: Any, start: Any, xs: Any) -> Any:
        # The inputs' share, and the weights' gradients, need no loop.
        W, U, b = params
        from_inputs = xs @ U + b
        states = np.empty((steps + 1, batch, units))
        states[0] = start
        for number in range(steps):
            states[number + 1] = np.tanh(states[number] @ W + from_inputs[number])
        slopes = 1.0 - states[1:] ** 2
        d_sums = np.empty_like(slopes)
        d_h = states[-1] * (2.0 / states[-1].size)
        for number in range(steps - 1, -1, -1):
            d_sums[number] = d_h * slopes[number]
            d_h = d_sums[number] @ W.T
        flat = d_sums.reshape(-1, units)
        before = states[:-1].reshape(-1, units)
        return before.T @ flat, xs.reshape(-1, features).T @ flat, flat.sum(axis=0)

    return Problem(
        f"recurrent network, {steps} steps of {units} units, {batch} rows",
        inputs,
        function,
        by_hand,
    )


def lotka_volterra(steps: int, h: float = 0.01) -> Problem:
    """Hunters and hunted by the method of Runge and Kutta, in two scalars."""

    def inputs() -> tuple[Any, ...]:
        return ((np.array([1.5, 1.0, 0.75, 1.25]), np.array([1.0, 0.5])),)

    def function(peer: Peer) -> Function:
        def f(params: Any) -> Any:
            rates, start = params
            a, b, c, d = rates[0], rates[1], rates[2], rates[3]

            def slope(x: Any, y: Any) -> Any:
                return a * x - b * x * y, c * x * y - d * y

            def step(state: Any, _: Any) -> Any:
                x, y = state
                x1, y1 = slope(x, y)
                x2, y2 = slope(x + h / 2 * x1, y + h / 2 * y1)
                x3, y3 = slope(x + h / 2 * x2, y + h / 2 * y2)
                x4, y4 = slope(x + h * x3, y + h * y3)
                return (
                    x + h / 6 * (x1 + 2.0 * x2 + 2.0 * x3 + x4),
                    y + h / 6 * (y1 + 2.0 * y2 + 2.0 * y3 + y4),
                )

            x, y = peer.scan(step, (start[0], start[1]), None, steps)
            return x + y

        return f

    def by_hand(params: Any) -> Any:
        # Two numbers at a time: Python's own are faster than NumPy's.
        rates, start = params
        a, b, c, d = rates.tolist()
        x, y = start.tolist()
        half, sixth = h / 2, h / 6
        stages = []
        for _ in range(steps):
            x1, y1 = (a - b * y) * x, (c * x - d) * y
            p2, q2 = x + half * x1, y + half * y1
            x2, y2 = (a - b * q2) * p2, (c * p2 - d) * q2
            p3, q3 = x + half * x2, y + half * y2
            x3, y3 = (a - b * q3) * p3, (c * p3 - d) * q3
            p4, q4 = x + h * x3, y + h * y3
            x4, y4 = (a - b * q4) * p4, (c * p4 - d) * q4
            stages.append((x, y, p2, q2, p3, q3, p4, q4))
            x += sixth * (x1 + 2.0 * x2 + 2.0 * x3 + x4)
            y += sixth * (y1 + 2.0 * y2 + 2.0 * y3 + y4)
        da = db = dc = dd = 0.0
        dx = dy = 1.0
        for p1, q1, p2, q2, p3, q3, p4, q4 in reversed(stages):
            next_dx, next_dy = dx, dy
            u, v = sixth * dx, sixth * dy  # of each stage's slopes, before the later stages' share
            carried_u = carried_v = 0.0
            for p, q, weight, reach in (
                (p4, q4, 1.0, h),
                (p3, q3, 2.0, half),
                (p2, q2, 2.0, half),
                (p1, q1, 1.0, 0.0),
            ):
                du, dv = weight * u + carried_u, weight * v + carried_v
                product = p * q
                da += du * p
                db -= du * product
                dc += dv * product
                dd -= dv * q
                dp = du * (a - b * q) + dv * c * q
                dq = dv * (c * p - d) - du * b * p
                next_dx += dp
                next_dy += dq
                carried_u, carried_v = reach * dp, reach * dq
            dx, dy = next_dx, next_dy
        return np.array([da, db, dc, dd]), np.array([dx, dy])

    return Problem(f"Lotka-Volterra, {steps:,} RK4 steps", inputs, function, by_hand)


# Statistics


def gaussian_mixture(d: int, k: int, n: int) -> Problem:
    """The log-likelihood of a mixture with full covariances, as in ADBench.

    A covariance's inverse is `L.T @ L` with L lower triangular: its diagonal is given by logarithms
    (the first d of `factors`), what is below by the others. The prior of the factors is Wishart's.
    """
    gamma, m = 1.0, 0
    below = np.tril_indices(d, -1)
    positions = np.zeros((d, d), int)  # where L's elements stand among the factors
    positions[np.arange(d), np.arange(d)] = np.arange(d)
    positions[below] = np.arange(d, d + len(below[0]))
    constant = -n * d * 0.5 * np.log(2 * np.pi)

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        params = (
            rng.normal(size=k),
            rng.uniform(size=(k, d)),
            rng.normal(size=(k, d * (d + 1) // 2)) / 3,
        )
        return params, rng.normal(size=(n, d)), np.tri(d)

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(params: Any, x: Any, triangle: Any) -> Any:
            alphas, means, factors = params
            logarithms, others = factors[:, :d], factors[:, d:]
            diagonals = np.exp(logarithms)
            L = np.concatenate((diagonals, others), axis=1)[:, positions] * triangle
            sums = np.sum(logarithms, axis=1)
            scaled = (x[None] - means[:, None]) @ np.swapaxes(L, 1, 2)
            squares = np.sum(scaled**2, axis=2)
            terms = (alphas + sums)[:, None] - 0.5 * squares
            likelihood = np.sum(peer.logsumexp(terms, axis=0)) - n * peer.logsumexp(alphas, axis=0)
            prior = 0.5 * gamma**2 * (np.sum(diagonals**2) + np.sum(others**2)) - m * np.sum(sums)
            return likelihood + constant - prior

        return f

    def by_hand(params: Any, x: Any, triangle: Any) -> Any:
        alphas, means, factors = params
        logarithms, others = factors[:, :d], factors[:, d:]
        diagonals = np.exp(logarithms)
        L = np.concatenate((diagonals, others), axis=1)[:, positions] * triangle
        centred = x[None] - means[:, None]
        scaled = centred @ L.swapaxes(1, 2)
        terms = (alphas + logarithms.sum(axis=1))[:, None] - 0.5 * (scaled**2).sum(axis=2)
        exponentials = np.exp(terms - terms.max(axis=0))
        shares = exponentials / exponentials.sum(axis=0)
        weights = np.exp(alphas - alphas.max())
        totals = shares.sum(axis=1)
        d_alphas = totals - n * weights / weights.sum()
        d_scaled = shares[:, :, None] * scaled  # with the sign turned
        d_means = (d_scaled.sum(axis=1)[:, None] @ L)[:, 0]
        d_L = d_scaled.swapaxes(1, 2) @ centred
        diagonal = np.arange(d)
        d_factors = np.empty_like(factors)
        on_diagonal = d_L[:, diagonal, diagonal] + gamma**2 * diagonals
        d_factors[:, :d] = totals[:, None] + m - diagonals * on_diagonal
        d_factors[:, d:] = -d_L[:, below[0], below[1]] - gamma**2 * others
        return d_alphas, d_means, d_factors

    return Problem(f"Gaussian mixture, d = {d}, k = {k}, n = {n:,}", inputs, function, by_hand)


def logistic_product(rows: int, features: int) -> Problem:
    """A Hessian times a vector."""

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        w, v = rng.normal(size=(2, features)) / features**0.5
        return w, v, rng.normal(size=(rows, features)), rng.choice([-1.0, 1.0], size=rows)

    def function(peer: Peer) -> Function:
        np = peer.np

        def loss(w: Any, x: Any, signs: Any) -> Any:
            return np.mean(np.log1p(np.exp(-signs * (x @ w)))) + 0.005 * np.sum(w * w)

        return loss

    def by_hand(w: Any, v: Any, x: Any, signs: Any) -> Any:
        # The signs are in the squares, so they are gone.
        chances = 1.0 / (1.0 + np.exp(x @ w))
        return (chances * (1.0 - chances) * (x @ v) / len(x)) @ x + 0.01 * v

    name = f"Hessian-vector product, logistic, {rows:,} rows of {features}"
    return Problem(name, inputs, function, by_hand, "hessian_vector_product")


def rows_of_gradients(rows: int, features: int) -> Problem:
    """The gradient of a function of one row, for each of many."""

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        return rng.normal(size=(rows, features)), rng.normal(size=features)

    def function(peer: Peer) -> Function:
        np = peer.np
        return lambda row, weights: np.tanh(row @ weights) ** 2

    def by_hand(x: Any, weights: Any) -> Any:
        h = np.tanh(x @ weights)
        return (2.0 * h * (1.0 - h * h))[:, None] * weights

    name = f"vmap of a gradient, {rows:,} rows of {features}"
    return Problem(name, inputs, function, by_hand, "mapped_gradient")


def k_means(clusters: int, rows: int, d: int) -> Problem:
    """What a Newton step of k-means needs: the gradient, and the Hessian's diagonal.

    The Hessian has nothing outside its diagonal, so its product with ones is its diagonal.
    """

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        centres, points = rng.normal(size=(clusters, d)), rng.normal(size=(rows, d))
        return centres, np.ones((clusters, d)), points

    def function(peer: Peer) -> Function:
        np = peer.np

        def cost(centres: Any, points: Any) -> Any:
            squares = np.sum((points[:, None] - centres[None]) ** 2, axis=2)
            return np.sum(peer.smallest(squares, axis=1))

        return cost

    def by_hand(centres: Any, ones: Any, points: Any) -> Any:
        # What is the same for all centres does not change which is nearest.
        nearest = ((centres**2).sum(axis=1) - 2.0 * (points @ centres.T)).argmin(axis=1)
        members = (nearest[:, None] == np.arange(clusters)).astype(points.dtype)
        counts = members.sum(axis=0)[:, None]
        return 2.0 * (counts * centres - members.T @ points), 2.0 * counts * ones

    name = f"k-means, {clusters} clusters of {rows:,} points in {d}"
    return Problem(name, inputs, function, by_hand, "gradient_and_product")


# Writing in place


def filled_rows(rows: int, width: int) -> Problem:
    """An array that a loop fills row by row."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(x: Any) -> Any:
            table = np.zeros((rows, width)) + 0.0 * x
            for i in range(rows):
                table[i] = np.sin((i + 1.0) * x)
            return np.sum(table**2)

        return f

    def by_hand(x: Any) -> Any:
        arguments, table = np.empty((2, rows, width))
        for i in range(rows):
            arguments[i] = (i + 1.0) * x
            table[i] = np.sin(arguments[i])
        d_table = 2.0 * table
        d_x = np.zeros(width)
        for i in reversed(range(rows)):
            d_x += (i + 1.0) * (d_table[i] * np.cos(arguments[i]))
        return d_x

    def inputs() -> tuple[Any, ...]:
        return (default_rng(0).normal(size=width),)

    name = f"an array filled by rows, {rows:,} of {width}"
    return Problem(name, inputs, function, by_hand, in_place=True)


def rows_from_neighbours(rows: int, width: int) -> Problem:
    """Rows of an array that are updated in place, each from the one before."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(x: Any) -> Any:
            y = np.copy(x)
            for i in range(rows - 1):
                y[i + 1] = np.sin(y[i]) + y[i + 1]
            return np.sum(y * y)

        return f

    def by_hand(x: Any) -> Any:
        y = x.copy()
        for i in range(rows - 1):
            y[i + 1] += np.sin(y[i])
        d_y = 2.0 * y
        for i in reversed(range(rows - 1)):
            d_y[i] += d_y[i + 1] * np.cos(y[i])
        return d_y

    def inputs() -> tuple[Any, ...]:
        return (default_rng(0).normal(size=(rows, width)),)

    name = f"rows from their neighbours, {rows:,} of {width}"
    return Problem(name, inputs, function, by_hand, in_place=True)


def cholesky_loop(n: int) -> Problem:
    """Half a log-determinant by Cholesky's factorization, in two loops over its elements."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(x: Any) -> Any:
            a = x @ x.T + n * np.eye(n)
            factor = np.zeros_like(a)
            for i in range(n):
                for j in range(i):
                    rest = a[i, j] - factor[i, :j] @ factor[j, :j]
                    factor[i, j] = rest / factor[j, j]
                factor[i, i] = np.sqrt(a[i, i] - factor[i, :i] @ factor[i, :i])
            return np.sum(np.log(np.diag(factor)))

        return f

    def by_hand(x: Any) -> Any:
        return np.linalg.solve(x @ x.T + n * np.eye(n), x)

    def inputs() -> tuple[Any, ...]:
        return (default_rng(0).normal(size=(n, n)),)

    return Problem(f"Cholesky in loops, n = {n}", inputs, function, by_hand, in_place=True)


def elimination_loop(n: int) -> Problem:
    """A log-determinant by Gauss's elimination (LU), in two loops over rows."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(x: Any) -> Any:
            a = np.copy(x)
            for k in range(n):
                for i in range(k + 1, n):
                    a[i, k] /= a[k, k]
                    a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
            return np.sum(np.log(np.diag(a)))

        return f

    def inputs() -> tuple[Any, ...]:
        return (default_rng(0).normal(size=(n, n)) + 2.0 * n * np.eye(n),)

    def by_hand(x: Any) -> Any:
        return np.linalg.inv(x).T

    return Problem(f"LU in loops, n = {n}", inputs, function, by_hand, in_place=True)


def triangular_loop(n: int) -> Problem:
    """A triangular system that is solved in a loop over the unknowns."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(b: Any, lower: Any) -> Any:
            y = np.zeros_like(b)
            for i in range(n):
                y[i] = (b[i] - lower[i, :i] @ y[:i]) / lower[i, i]
            return np.sum(y * y)

        return f

    def by_hand(b: Any, lower: Any) -> Any:
        return np.linalg.solve(lower.T, 2.0 * np.linalg.solve(lower, b))

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        return rng.normal(size=n), np.tril(rng.normal(size=(n, n))) + n * np.eye(n)

    name = f"triangular solution in a loop, n = {n}"
    return Problem(name, inputs, function, by_hand, in_place=True)


DOUBLE, SINGLE = np.float64, np.float32

WORKLOADS = (
    scalar_function(),
    rosenbrock_gradient(10),
    rosenbrock_gradient(1_000),
    rosenbrock_gradient(100_000),
    regression_network((8, 16, 1), 32),
    classifying_network((64, 128, 64, 10), 128, DOUBLE),
    classifying_network((64, 128, 64, 10), 128, SINGLE),
    classifying_network((784, 512, 512, 10), 256, SINGLE),
    convolutional_network((8, 16), 32, SINGLE),
    convolutional_network((16, 32), 64, SINGLE),
    convolutional_network((16, 32), 128, DOUBLE),
    *(
        elementwise_chain(n, precision)
        for precision in (DOUBLE, SINGLE)
        for n in (1_000, 100_000, 1_000_000)
    ),
    recurrent_network(steps=100, units=32, batch=8),
    lotka_volterra(steps=1_000),
    gaussian_mixture(d=10, k=25, n=1_000),
    rosenbrock_hessian(100),
    logistic_product(rows=1_000, features=50),
    rows_of_gradients(rows=10_000, features=20),
    k_means(clusters=10, rows=1_000, d=10),
    filled_rows(400, 400),
    filled_rows(1_600, 200),
    rows_from_neighbours(400, 400),
    rows_from_neighbours(1_600, 200),
    cholesky_loop(50),
    elimination_loop(50),
    triangular_loop(50),
)

SMALL_WORKLOADS = (
    scalar_function(),
    sum_of_squares(1),
    sum_of_squares(6),
    unrolled(10),
    rosenbrock_gradient(10),
    rosenbrock_gradient(1_000),
    regression_network((8, 16, 1), 32),
    classifying_network((6, 8, 7, 4), 12, DOUBLE),
    classifying_network((6, 8, 7, 4), 12, SINGLE),
    convolutional_network((2, 3), 2, DOUBLE),
    classifying_network((64, 128, 64, 10), 128, SINGLE),
    elementwise_chain(1_000, DOUBLE),
    elementwise_chain(1_000, SINGLE),
    recurrent_network(steps=7, units=5, batch=3, features=4),
    lotka_volterra(steps=20),
    gaussian_mixture(d=3, k=4, n=20),
    rosenbrock_hessian(7),
    logistic_product(rows=30, features=5),
    rows_of_gradients(rows=50, features=4),
    k_means(clusters=4, rows=40, d=3),
    filled_rows(4, 5),
    rows_from_neighbours(4, 5),
    cholesky_loop(4),
    elimination_loop(4),
    triangular_loop(4),
)
"""The same families, in sizes for tests."""
