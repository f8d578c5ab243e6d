"""Training networks: an epoch of each, in functrace, JAX and PyTorch.

Claim: an epoch takes at most 1.3 times that of the faster of JAX and PyTorch, with equal threads.

Each contestant starts from the same parameters and sees the same batches in the same order, in
single precision, with Adam; the losses of the epoch must agree. JAX's step is jitted, its arrays
on its device, and it is waited for at the end of the epoch; PyTorch is eager, with its own layers
and its own Adam. All loop over batches in Python.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import functrace as ft
from benchmarks.harness import (
    Claim,
    Contestants,
    Result,
    Workload,
    aligned,
    matching,
    measure,
    plot,
    progress,
    shown_failures,
    shown_ratio,
    shown_time,
)
from functrace import nn, optim

DIGITS = Path(__file__).parent.parent / "examples" / "data" / "digits.npz"
RATE = 1e-3
PEERS = ("JAX", "torch")

Batches = list[tuple[Any, ...]]
Drawn = Any


def digits(flat: bool) -> Batches:
    """The 1,797 digits in 28 batches of 64."""
    with np.load(DIGITS) as file:
        images = file["images"].astype(np.float32) / 16
        labels = file["labels"].astype(np.int64)
    images = images.reshape(-1, 64) if flat else images.reshape(-1, 8, 8, 1)
    starts = range(0, len(labels) - 63, 64)
    return [(images[i : i + 64], labels[i : i + 64]) for i in starts]


def numbers(shape: Sequence[int], below: int) -> Any:
    """Integers without an order, the same each time."""
    return np.random.default_rng(0).integers(0, below, tuple(shape))


class Network:
    """A network that is trained, in each library.

    Attributes:
        name: What the table calls it.
    """

    name: str

    def batches(self) -> Batches:
        """An epoch."""
        raise NotImplementedError

    def initialise(self, key: Any) -> Drawn:
        """The first parameters, in single precision."""
        raise NotImplementedError

    def loss(self, params: Drawn, *batch: Any) -> Any:
        """The loss, by functrace."""
        raise NotImplementedError

    def jax_loss(self, params: Drawn, *batch: Any) -> Any:
        """The loss, by JAX."""
        raise NotImplementedError

    def torch_loss(self, params: Drawn, *batch: Any) -> Any:
        """The loss, by PyTorch."""
        raise NotImplementedError


class Perceptron(Network):
    """Two hidden layers on the digits."""

    name = "digits, 64-128-64-10"

    def batches(self) -> Batches:
        """An epoch."""
        return digits(flat=True)

    def initialise(self, key: Any) -> Drawn:
        """The first parameters."""
        keys = ft.random.split(key, 3)
        sizes = (64, 128), (128, 64), (64, 10)
        return [
            nn.init_dense(own, *size, dtype=np.float32)
            for own, size in zip(keys, sizes, strict=True)
        ]

    def loss(self, params: Drawn, *batch: Any) -> Any:
        """By functrace."""
        x, labels = batch
        for layer in params[:-1]:
            x = nn.relu(nn.dense(layer, x))
        scores = nn.dense(params[-1], x)
        return np.mean(nn.softmax_cross_entropy_with_integer_labels(scores, labels))

    def jax_loss(self, params: Drawn, *batch: Any) -> Any:
        """By JAX."""
        import jax  # noqa: PLC0415  (a peer is imported when it takes part)

        x, labels = batch
        for layer in params[:-1]:
            x = jax.nn.relu(x @ layer["weight"] + layer["bias"])
        return jax_cross_entropy(x @ params[-1]["weight"] + params[-1]["bias"], labels)

    def torch_loss(self, params: Drawn, *batch: Any) -> Any:
        """By PyTorch."""
        import torch  # noqa: PLC0415

        x, labels = batch
        for layer in params[:-1]:
            x = torch.relu(torch.addmm(layer["bias"], x, layer["weight"]))
        scores = torch.addmm(params[-1]["bias"], x, params[-1]["weight"])
        return torch.nn.functional.cross_entropy(scores, labels)


class Convolutional(Network):
    """Two convolutions on the digits."""

    name = "digits, two convolutions"

    def batches(self) -> Batches:
        """An epoch."""
        return digits(flat=False)

    def initialise(self, key: Any) -> Drawn:
        """The first parameters."""
        keys = ft.random.split(key, 3)
        return {
            "first": nn.init_convolution(keys[0], (3, 3), 1, 16, dtype=np.float32),
            "second": nn.init_convolution(keys[1], (3, 3), 16, 32, dtype=np.float32),
            "scores": nn.init_dense(keys[2], 128, 10, dtype=np.float32),
        }

    def loss(self, params: Drawn, *batch: Any) -> Any:
        """By functrace."""
        x, labels = batch
        for name in ("first", "second"):
            x = nn.max_pool(nn.relu(nn.convolution(params[name], x)), 2)
        scores = nn.dense(params["scores"], x.reshape(len(x), -1))
        return np.mean(nn.softmax_cross_entropy_with_integer_labels(scores, labels))

    def jax_loss(self, params: Drawn, *batch: Any) -> Any:
        """By JAX."""
        import jax  # noqa: PLC0415

        x, labels = batch
        for name in ("first", "second"):
            x = jax.lax.conv_general_dilated(
                x, params[name]["weight"], (1, 1), "SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )  # fmt: skip
            x = jax.nn.relu(x + params[name]["bias"])
            window = (1, 2, 2, 1)
            x = jax.lax.reduce_window(x, -np.inf, jax.lax.max, window, window, "VALID")
        scores = x.reshape(len(x), -1) @ params["scores"]["weight"] + params["scores"]["bias"]
        return jax_cross_entropy(scores, labels)

    def torch_loss(self, params: Drawn, *batch: Any) -> Any:
        """By PyTorch, with channels first, as it is fastest there."""
        import torch  # noqa: PLC0415

        x, labels = batch
        x = x.permute(0, 3, 1, 2)
        for name in ("first", "second"):
            weight = params[name]["weight"].permute(3, 2, 0, 1)
            x = torch.nn.functional.conv2d(x, weight, params[name]["bias"], padding=1)
            x = torch.nn.functional.max_pool2d(torch.relu(x), 2)
        x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
        scores = torch.addmm(params["scores"]["bias"], x, params["scores"]["weight"])
        return torch.nn.functional.cross_entropy(scores, labels)


class Recurrent(Network):
    """A long short-term memory over letters."""

    name = "letters, LSTM of 64, 50 steps"

    def batches(self) -> Batches:
        """Ten batches of 16 texts of 51 letters."""
        return [(text,) for text in numbers((10, 51, 16), 30)]

    def initialise(self, key: Any) -> Drawn:
        """The first parameters."""
        keys = ft.random.split(key, 3)
        return {
            "letters": nn.init_embedding(keys[0], 30, 16, dtype=np.float32),
            "memory": nn.init_lstm(keys[1], 16, 64, dtype=np.float32),
            "scores": nn.init_dense(keys[2], 64, 30, dtype=np.float32),
        }

    def loss(self, params: Drawn, *batch: Any) -> Any:
        """By functrace."""
        (text,) = batch
        seen, _ = nn.lstm(params["memory"], nn.embedding(params["letters"], text[:-1]))
        scores = nn.dense(params["scores"], seen)
        return np.mean(nn.softmax_cross_entropy_with_integer_labels(scores, text[1:]))

    def jax_loss(self, params: Drawn, *batch: Any) -> Any:
        """By JAX."""
        import jax  # noqa: PLC0415
        import jax.numpy as jnp  # noqa: PLC0415

        (text,) = batch
        own = params["memory"]

        def step(state: Any, x: Any) -> Any:
            output, cell = state
            summed = x @ own["input"] + output @ own["state"] + own["bias"]
            enter, keep, new, leave = jnp.split(summed, 4, axis=-1)
            cell = jax.nn.sigmoid(keep) * cell + jax.nn.sigmoid(enter) * jnp.tanh(new)
            output = jax.nn.sigmoid(leave) * jnp.tanh(cell)
            return (output, cell), output

        zeros = jnp.zeros((text.shape[1], 64), np.float32)
        xs = params["letters"]["weight"][text[:-1]]
        _, seen = jax.lax.scan(step, (zeros, zeros), xs)
        scores = seen @ params["scores"]["weight"] + params["scores"]["bias"]
        return jax_cross_entropy(scores, text[1:])

    def torch_loss(self, params: Drawn, *batch: Any) -> Any:
        """By PyTorch's own LSTM, which is one operation."""
        import torch  # noqa: PLC0415

        (text,) = batch
        own = params["memory"]
        xs = torch.nn.functional.embedding(text[:-1], params["letters"]["weight"])
        zeros = torch.zeros(1, text.shape[1], 64)
        weights = [own["input"].T, own["state"].T, own["bias"], torch.zeros_like(own["bias"])]
        seen, _, _ = torch.lstm(
            xs, (zeros, zeros), weights, True, 1, 0.0, True, False, False
        )  # fmt: skip
        scores = seen @ params["scores"]["weight"] + params["scores"]["bias"]
        return torch.nn.functional.cross_entropy(scores.reshape(-1, 30), text[1:].reshape(-1))


class Transformer(Network):
    """Two blocks of attention over words."""

    name = "words, transformer of 2 blocks"

    def batches(self) -> Batches:
        """Ten batches of 32 words of 25 letters."""
        return [(text,) for text in numbers((10, 32, 25), 30)]

    def initialise(self, key: Any) -> Drawn:
        """The first parameters."""
        keys = ft.random.split(key, 9)

        def block(keys: Any) -> Drawn:
            return {
                "first": nn.init_layer_norm(64, dtype=np.float32),
                "attention": nn.init_attention(keys[0], 64, 4, dtype=np.float32),
                "second": nn.init_layer_norm(64, dtype=np.float32),
                "wide": nn.init_dense(keys[1], 64, 256, dtype=np.float32),
                "narrow": nn.init_dense(keys[2], 256, 64, dtype=np.float32),
            }

        return {
            "letters": nn.init_embedding(keys[0], 30, 64, dtype=np.float32),
            "places": nn.init_embedding(keys[1], 24, 64, dtype=np.float32),
            "blocks": [block(keys[2:5]), block(keys[5:8])],
            "scores": nn.init_dense(keys[8], 64, 30, dtype=np.float32),
        }

    def loss(self, params: Drawn, *batch: Any) -> Any:
        """By functrace."""
        (text,) = batch
        x = nn.embedding(params["letters"], text[:, :-1]) + params["places"]["weight"]
        for own in params["blocks"]:
            read = nn.attention(own["attention"], nn.layer_norm(own["first"], x), is_causal=True)
            x = x + read
            wide = nn.relu(nn.dense(own["wide"], nn.layer_norm(own["second"], x)))
            x = x + nn.dense(own["narrow"], wide)
        scores = nn.dense(params["scores"], x)
        return np.mean(nn.softmax_cross_entropy_with_integer_labels(scores, text[:, 1:]))

    def jax_loss(self, params: Drawn, *batch: Any) -> Any:
        """By JAX."""
        import jax  # noqa: PLC0415
        import jax.numpy as jnp  # noqa: PLC0415

        (text,) = batch
        x = params["letters"]["weight"][text[:, :-1]] + params["places"]["weight"]

        def normal(own: Any, x: Any) -> Any:
            return jax.nn.standardize(x, epsilon=1e-5) * own["scale"] + own["bias"]

        for own in params["blocks"]:
            seen, layers = normal(own["first"], x), own["attention"]
            query, key, value = (
                jnp.einsum("btf,fhs->bths", seen, layers[name]["weight"]) + layers[name]["bias"]
                for name in ("query", "key", "value")
            )
            read = jax.nn.dot_product_attention(query, key, value, is_causal=True)
            output = layers["output"]
            x = x + jnp.einsum("bths,hsf->btf", read, output["weight"]) + output["bias"]
            wide = normal(own["second"], x) @ own["wide"]["weight"] + own["wide"]["bias"]
            x = x + jax.nn.relu(wide) @ own["narrow"]["weight"] + own["narrow"]["bias"]
        scores = x @ params["scores"]["weight"] + params["scores"]["bias"]
        return jax_cross_entropy(scores, text[:, 1:])

    def torch_loss(self, params: Drawn, *batch: Any) -> Any:
        """By PyTorch, with its own attention."""
        import torch  # noqa: PLC0415
        from torch.nn import functional  # noqa: PLC0415

        (text,) = batch
        x = functional.embedding(text[:, :-1], params["letters"]["weight"])
        x = x + params["places"]["weight"]
        for own in params["blocks"]:
            first, second, layers = own["first"], own["second"], own["attention"]
            seen = functional.layer_norm(x, (64,), first["scale"], first["bias"])
            query, key, value = (
                (
                    (seen @ layers[name]["weight"].reshape(64, 64)).unflatten(-1, (4, 16))
                    + layers[name]["bias"]
                ).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            read = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            read = read.transpose(1, 2).flatten(-2)
            x = x + read @ layers["output"]["weight"].reshape(64, 64) + layers["output"]["bias"]
            seen = functional.layer_norm(x, (64,), second["scale"], second["bias"])
            wide = torch.relu(seen @ own["wide"]["weight"] + own["wide"]["bias"])
            x = x + wide @ own["narrow"]["weight"] + own["narrow"]["bias"]
        scores = x @ params["scores"]["weight"] + params["scores"]["bias"]
        return functional.cross_entropy(scores.reshape(-1, 30), text[:, 1:].reshape(-1))


NETWORKS: list[Network] = [Perceptron(), Convolutional(), Recurrent(), Transformer()]


def jax_cross_entropy(scores: Any, labels: Any) -> Any:
    """The mean of minus the logarithm of the probability of the right class."""
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    own = jnp.take_along_axis(scores, labels[..., None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=-1) - own)


def by_functrace(network: Network, backend: str) -> Callable[[], Any]:
    """An epoch by functrace: the mean loss."""
    batches, first = network.batches(), network.initialise(ft.random.key(0))
    optimiser = optim.adam(RATE)

    def step(params: Any, state: Any, *batch: Any) -> Any:
        value, gradient = ft.value_and_grad(network.loss)(params, *batch)
        updates, state = optimiser.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, value

    fast = ft.jit(step, backend=backend)
    begun = optimiser.init(first)

    def epoch() -> Any:
        params, state, total = first, begun, 0.0
        for batch in batches:
            params, state, value = fast(params, state, *batch)
            total += value
        return np.float64(total / len(batches))

    return epoch


def by_jax(network: Network) -> Callable[[], Any]:
    """An epoch by JAX, with Adam written out."""
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    place = functools.partial(jax.tree.map, jnp.asarray)
    batches = place(network.batches())
    first = place(network.initialise(ft.random.key(0)))

    @jax.jit
    def step(params: Any, state: Any, *batch: Any) -> Any:
        value, gradient = jax.value_and_grad(network.jax_loss)(params, *batch)
        count, mean, square = state
        count = count + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradient)
        by_mean, by_square = 1 - 0.9**count, 1 - 0.999**count
        params = jax.tree.map(
            lambda p, m, s: p - RATE * (m / by_mean) / (jnp.sqrt(s / by_square) + 1e-8),
            params, mean, square,
        )  # fmt: skip
        return params, (count, mean, square), value

    zeros = jax.tree.map(jnp.zeros_like, first)
    begun = (jnp.zeros((), jnp.float32), zeros, zeros)

    def epoch() -> Any:
        params, state, values = first, begun, []
        for batch in batches:
            params, state, value = step(params, state, *batch)
            values.append(value)
        jax.block_until_ready((params, state))
        return np.mean([float(value) for value in values])

    return epoch


def by_torch(network: Network) -> Callable[[], Any]:
    """An epoch by PyTorch, with its own Adam."""
    import torch  # noqa: PLC0415

    batches = [tuple(map(torch.from_numpy, batch)) for batch in network.batches()]
    drawn = network.initialise(ft.random.key(0))

    def epoch() -> Any:
        params = ft.tree.map(lambda p: torch.from_numpy(p.copy()).requires_grad_(), drawn)
        optimiser = torch.optim.Adam(ft.tree.leaves(params), lr=RATE)
        total = 0.0
        for batch in batches:
            optimiser.zero_grad()
            value = network.torch_loss(params, *batch)
            value.backward()
            optimiser.step()
            total += value.item()
        return np.float64(total / len(batches))

    return epoch


def contestants(network: Network, threads: int | None) -> Contestants:
    """An epoch in each library that is installed."""
    found: Contestants = {}
    for backend, name in (("numpy", "functrace"), ("native", "machine code")):
        try:
            found[name] = by_functrace(network, backend)
        except ft.errors.ArgumentError:  # machine code takes an optional package
            continue
    with suppress(ImportError):
        found["JAX"] = by_jax(network)
    with suppress(ImportError):
        import torch  # noqa: PLC0415

        if threads is not None:
            torch.set_num_threads(threads)
        found["torch"] = by_torch(network)
    return found


def report(arguments: argparse.Namespace) -> str:
    """Time an epoch of each network."""
    threads = arguments.threads
    workloads = [
        Workload(network.name, functools.partial(contestants, network, threads), tolerance=1e-3)
        for network in NETWORKS
    ]
    results = [
        measure(workload, arguments.rounds, threads)
        for workload in progress(matching(workloads, arguments.only), "training")
    ]
    names = list(dict.fromkeys(name for result in results for name in result.seconds))
    rows = [
        [
            result.workload.name,
            *(shown_time(result, name, "-") for name in names),
            *(shown_ratio(result, name, "-") for name in names[1:]),
        ]
        for result in results
    ]
    headers = ["an epoch of", *names, *(f"functrace / {name}" for name in names[1:])]
    if arguments.plot:
        print(f"\nDrawn in {plot(results, 'Epochs of networks', arguments.plot, PEERS)}")
    lines = "\n".join(slower(results))
    return "\n\n".join([aligned(rows, headers, arguments.format), lines, *shown_failures(results)])


def slower(results: Sequence[Result]) -> list[str]:
    """What the claim forbids: more than 1.3 times the faster peer."""
    lines: list[str] = []
    for result in results:
        there = [name for name in PEERS if name in result.seconds]
        if there and result.seconds:
            best = min(there, key=result.median)
            ratio = result.median("functrace") / result.median(best)
            lines += [f"- {result.workload.name}: {ratio:.2f} of {best}"] * (ratio > 1.3)
    return lines or ["- Nowhere slower than the claim says."]


CLAIM = Claim("training", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
