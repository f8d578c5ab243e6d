"""Gradients of NumPy's larger functions, and what a traced call costs over NumPy's own.

Claim: compiled gradients of factorizations, transforms, sorting and convolution are never slower
than those of JAX, PyTorch and autograd at 100 and above, beyond what timings scatter by; at 10,
where calls themselves are what costs, never slower than autograd's. A call on traced values costs a
few microseconds beside NumPy's own, whichever function it is.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

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
from benchmarks.peers import Function, Peer, installed

SIZES = (10, 100, 500)
LENGTHS = (10, 100, 500, 1_000, 100_000)
RIVALS = ("functrace", "JAX jit", "torch", "autograd")


# What is differentiated: for each function a loss that depends on all that it returns


def solve(peer: Peer, n: int) -> tuple[Function, Any]:
    """The solution of linear equations, by the matrix and the right side."""
    rng = default_rng(0)

    def loss(inputs: Any) -> Any:
        matrix, right = inputs
        return (peer.np.linalg.solve(matrix, right) ** 2).sum()

    return loss, (rng.normal(size=(n, n)) + n * np.eye(n), rng.normal(size=(n, 1)))


def symmetric(n: int) -> Any:
    """A symmetric matrix with eigenvalues that are apart.

    Losses make it symmetric once more, since libraries differ in which half of it they read.
    """
    rng = default_rng(0)
    q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    matrix = (q * np.linspace(1, n, n)) @ q.T
    return (matrix + matrix.T) / 2


def cholesky(peer: Peer, n: int) -> tuple[Function, Any]:
    """The triangular factor of a positive definite matrix."""

    def loss(inputs: Any) -> Any:
        (matrix,) = inputs
        return (peer.np.linalg.cholesky((matrix + matrix.T) / 2) ** 3).sum()

    return loss, (symmetric(n),)


def eigh(peer: Peer, n: int) -> tuple[Function, Any]:
    """Eigenvalues and eigenvectors of a symmetric matrix."""
    weights = default_rng(1).normal(size=(n, n))

    def loss(inputs: Any, weights: Any) -> Any:
        (matrix,) = inputs
        values, vectors = peer.np.linalg.eigh((matrix + matrix.T) / 2)
        return (values**2).sum() + (vectors**2 * weights).sum()

    return loss, ((symmetric(n),), weights)


def svd(peer: Peer, n: int) -> tuple[Function, Any]:
    """Singular values and vectors of a square matrix."""
    weights = default_rng(1).normal(size=(n, n))

    def loss(inputs: Any, weights: Any) -> Any:
        (matrix,) = inputs
        u, s, vh = peer.np.linalg.svd(matrix, full_matrices=False)
        return (s**2).sum() + ((u @ vh) * weights).sum()

    return loss, ((default_rng(0).normal(size=(n, n)) + n * np.eye(n),), weights)


def fft(peer: Peer, n: int) -> tuple[Function, Any]:
    """The discrete Fourier transform of real numbers."""
    weights = default_rng(1).normal(size=n)

    def loss(inputs: Any, weights: Any) -> Any:
        (x,) = inputs
        spectrum = peer.np.fft.fft(x)
        return ((peer.np.real(spectrum) ** 2 + peer.np.imag(spectrum) ** 2) * weights).sum()

    return loss, ((default_rng(0).normal(size=n),), weights)


def weighted(function: Callable[[Peer], Function], n: int, peer: Peer) -> tuple[Function, Any]:
    """The sum of what a function of one array returns, each number with a weight of its own."""
    rng = default_rng(0)
    call = function(peer)

    def loss(inputs: Any, weights: Any) -> Any:
        (x,) = inputs
        return (call(x) * weights).sum()

    return loss, ((1 + rng.normal(size=n) / n,), rng.normal(size=n))


def cumprod(peer: Peer, n: int) -> tuple[Function, Any]:
    """Products so far."""
    axis = {} if peer.name == "functrace" else {"axis": 0}
    return weighted(lambda peer: lambda x: peer.np.cumprod(x, **axis), n, peer)


def sort(peer: Peer, n: int) -> tuple[Function, Any]:
    """The numbers in order."""
    if peer.name == "torch":
        return weighted(lambda peer: lambda x: peer.np.sort(x).values, n, peer)
    return weighted(lambda peer: peer.np.sort, n, peer)


def convolve(peer: Peer, n: int) -> tuple[Function, Any]:
    """The convolution of a signal with as long a kernel, of a hundred numbers at most."""
    rng = default_rng(0)
    length = min(n, 100)

    def convolved(x: Any, kernel: Any) -> Any:
        if peer.name == "torch":
            turned = kernel.flip(0)[None, None]
            return peer.np.nn.functional.conv1d(x[None, None], turned, padding=length - 1)[0, 0]
        if peer.name == "autograd":
            import autograd.scipy.signal  # noqa: PLC0415  (only who compares needs it)

            return autograd.scipy.signal.convolve(x, kernel)
        return peer.np.convolve(x, kernel)

    def loss(inputs: Any, weights: Any) -> Any:
        return (convolved(*inputs) * weights).sum()

    inputs = rng.normal(size=n), rng.normal(size=length)
    return loss, (inputs, rng.normal(size=n + length - 1))


FUNCTIONS: dict[Callable[[Peer, int], tuple[Function, Any]], Sequence[int]] = {
    solve: SIZES,
    cholesky: SIZES,
    eigh: SIZES,
    svd: SIZES,
    fft: LENGTHS,
    cumprod: LENGTHS,
    sort: LENGTHS,
    convolve: LENGTHS,
}


def contestants(
    make: Callable[[Peer, int], tuple[Function, Any]], n: int, peers: Sequence[Peer]
) -> Contestants:
    """The gradient by every library, compiled where it can be."""
    calls: Contestants = {}
    for peer in peers:
        loss, inputs = make(peer, n)
        inputs = inputs if isinstance(inputs[0], tuple) else (inputs,)
        derivative = peer.gradient(loss)
        arrays = peer.arrays(inputs)
        fast = peer.jit(derivative)
        if fast is not None:
            calls[f"{peer.name} jit"] = peer.call(fast, arrays)
        calls[peer.name] = peer.call(derivative, arrays)
    return calls


# What a traced call costs over NumPy's own

CALLS: dict[str, Callable[[Any], Any]] = {
    "np.add": lambda x: np.add(x, 1.0),
    "x * y": lambda x: x * x,
    "np.exp": np.exp,
    "np.sin": np.sin,
    "np.maximum": lambda x: np.maximum(x, 0.5),
    "np.where": lambda x: np.where(x > 0.5, x, 0.0),
    "np.clip": lambda x: np.clip(x, 0.2, 0.8),
    "np.sinc": np.sinc,
    "np.hypot": lambda x: np.hypot(x, 1.0),
    "np.logaddexp": lambda x: np.logaddexp(x, 1.0),
    "np.sum": np.sum,
    "np.mean": np.mean,
    "np.max": np.max,
    "np.prod": np.prod,
    "np.var": np.var,
    "np.std": np.std,
    "np.median": np.median,
    "np.quantile": lambda x: np.quantile(x, 0.3),
    "np.cumsum": np.cumsum,
    "np.cumprod": np.cumprod,
    "np.diff": np.diff,
    "np.gradient": np.gradient,
    "np.trapezoid": np.trapezoid,
    "np.interp": lambda x: np.interp(x, [0.0, 1.0], [1.0, 3.0]),
    "x[1:]": lambda x: x[1:],
    "x[i]": lambda x: x[3],
    "np.take": lambda x: np.take(x, [0, 2]),
    "np.concatenate": lambda x: np.concatenate([x, x]),
    "np.stack": lambda x: np.stack([x, x]),
    "np.reshape": lambda x: np.reshape(x, (2, -1)),
    "np.roll": lambda x: np.roll(x, 1),
    "np.pad": lambda x: np.pad(x, 1),
    "np.sort": np.sort,
    "np.dot": lambda x: np.dot(x, x),
    "np.outer": lambda x: np.outer(x, x),
    "np.einsum": lambda x: np.einsum("i,i->", x, x),
    "np.convolve": lambda x: np.convolve(x, [1.0, 2.0]),
    "np.fft.rfft": np.fft.rfft,
    "np.polyval": lambda x: np.polyval([1.0, 2.0, 3.0], x),
    "np.linalg.norm": np.linalg.norm,
}
REPEATED = 100


def repeated(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that makes a call so often that beginning and end do not count."""

    def many(x: Any) -> Any:
        for _ in range(REPEATED):
            found = call(x)
        return found

    return many


def traced_contestants(call: Callable[[Any], Any]) -> Contestants:
    """The calls on values that reverse mode traces, and on an array."""
    x = default_rng(0).random(10)
    many = repeated(call)
    return {
        "functrace": lambda: ft.vjp(many, x)[0],
        "NumPy": functools.partial(many, x),
    }


def report(arguments: argparse.Namespace) -> str:
    """Time gradients and calls."""
    peers = list(installed(arguments.threads or 1))
    workloads = [
        Workload(
            f"{make.__name__}, n = {n:,}",
            functools.partial(contestants, make, n, peers),
            tolerance=1e-7,
        )
        for make, sizes in FUNCTIONS.items()
        for n in sizes
    ]
    calls = [
        Workload(name, functools.partial(traced_contestants, call)) for name, call in CALLS.items()
    ]
    chosen = matching([*workloads, *calls], arguments.only)
    results = [
        measure(workload, arguments.rounds, arguments.threads or 1)
        for workload in progress(chosen, "surface")
    ]
    gradients = [result for result in results if result.workload in workloads]
    traced = [result for result in results if result.workload in calls]
    parts: list[str] = []
    if gradients:
        names = [name for name in ("functrace jit", *RIVALS) if name in gradients[0].seconds]
        rows = [
            [
                result.workload.name,
                *(shown_time(result, name, "-") for name in names),
                *(shown_ratio(result, name, "-") for name in names[1:]),
            ]
            for result in gradients
        ]
        headers = ["gradient of", *names, *(f"functrace jit / {name}" for name in names[1:])]
        parts.append(aligned(rows, headers, arguments.format))
        parts.append("\n".join(line for line in slower(gradients)))
        parts += shown_failures(gradients)
    if traced:
        headers = ["call, ten numbers", "traced", "NumPy", "microseconds beside NumPy's"]
        parts.append(aligned([shown_call(result) for result in traced], headers, arguments.format))
    if arguments.plot and gradients:
        print(f"\nDrawn in {plot(gradients, 'Gradients of functions', arguments.plot, RIVALS)}")
    return "\n\n".join(part for part in parts if part)


def slower(results: Sequence[Result]) -> list[str]:
    """What the claim forbids: where another library's median is smaller by more than a tenth."""
    lines: list[str] = []
    for result in results:
        is_small = result.workload.name.endswith("n = 10")
        for name in ("autograd",) if is_small else RIVALS[1:]:
            if name in result.seconds:
                ratio = result.median("functrace jit") / result.median(name)
                lines += [f"- {result.workload.name}: {ratio:.2f} of {name}"] * (ratio > 1.1)
    return lines or ["- Nowhere slower than the claim says."]


def shown_call(result: Result) -> list[str]:
    """A traced call's time, NumPy's, and the difference."""
    own, theirs = (result.median(name) / REPEATED * 1e6 for name in ("functrace", "NumPy"))
    return [result.workload.name, f"{own:.2f} us", f"{theirs:.2f} us", f"{own - theirs:.2f}"]


CLAIM = Claim("surface", __doc__, report)

if __name__ == "__main__":
    CLAIM.main()
