"""Plain NumPy programs and their data: each is differentiated as the sum of its results' squares.

JAX, whose arrays cannot be written, is given the same text with ``a = a.at[i].set(x)`` for
``a[i] = x`` (see `Peer.plain`), with Python's loops as they are. Their turns are therefore few; the
loops of fifty rows, which it would compile for minutes, are measured without it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import default_rng

from benchmarks import machine
from benchmarks.peers import Function, Peer
from benchmarks.programs import plain
from benchmarks.workloads import Problem


def of_program(
    program: Callable[..., Any],
    inputs: Callable[[Any], tuple[tuple[Any, ...], tuple[Any, ...]]],
    *fixed: Any,
    size: str = "",
    unrolled: bool = False,
    in_machine_code: bool = False,
) -> Problem:
    """The value and gradient of a program's sum of squares.

    Args:
        program: A function of `plain`.
        inputs: Makes, of a generator, what is differentiated and what is not.
        fixed: What is no array to be traced, and comes first.
        size: What the tables add to its name.
        unrolled: Whether JAX would take minutes.
        in_machine_code: Whether a function in C++ has the program's name, and takes its arrays, the
            length of their rows, what is fixed, and what it fills.
    """

    def made() -> tuple[Any, ...]:
        params, rest = inputs(default_rng(0))
        return params, *rest

    def function(peer: Peer) -> Function:
        np, run = peer.np, functools.partial(peer.plain(program), *fixed)

        def f(params: Any, *rest: Any) -> Any:
            results = run(*params, *rest)
            results = results if isinstance(results, tuple) else (results,)
            first, *others = [np.sum(result * result) for result in results]
            return sum(others, first)

        return f

    def on_machine(params: Any) -> Callable[[], Any]:
        value, gradient = np.empty(()), tuple(map(np.empty_like, params))
        arguments = (*params, params[0].shape[-1], *fixed, value, *gradient)
        return machine.call(program.__name__, *arguments, result=(value, gradient))

    return Problem(
        f"{program.__name__}{size}",
        made,
        function,
        derivative="value_and_gradient",
        unrolled=unrolled,
        machine=on_machine if in_machine_code else None,
    )


def arrays(*shapes: Any) -> Callable[[Any], Any]:
    """Normal numbers of these shapes, all of which are differentiated."""
    return lambda rng: (tuple(rng.normal(size=shape) for shape in shapes), ())


def shares(*shapes: Any) -> Callable[[Any], Any]:
    """Numbers between zero and one of these shapes, all of which are differentiated."""
    return lambda rng: (tuple(rng.uniform(size=shape) for shape in shapes), ())


def weights(*shapes: Any, data: Any) -> Callable[[Any], Any]:
    """Weights of a network, and data."""

    def made(rng: Any) -> Any:
        params = [rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1])) for shape in shapes]
        return tuple(params), (rng.normal(size=data),)

    return made


def dominated(n: int, *others: Any) -> Callable[[Any], Any]:
    """A matrix whose diagonal is large, and other arrays."""

    def made(rng: Any) -> Any:
        matrix = rng.normal(size=(n, n)) + 2.0 * n * np.eye(n)
        return (matrix, *(rng.normal(size=shape) for shape in others)), ()

    return made


def positive(n: int) -> Callable[[Any], Any]:
    """A symmetric positive matrix."""

    def made(rng: Any) -> Any:
        matrix = rng.normal(size=(n, n))
        return (matrix @ matrix.T + n * np.eye(n),), ()

    return made


def loops(n: int, unrolled: bool = False) -> tuple[Problem, ...]:
    """Loops over rows and elements that the peers in machine code do best."""
    size = f" in loops, n = {n}"
    kind = {"size": size, "unrolled": unrolled, "in_machine_code": True}
    return (
        of_program(plain.lu, dominated(n), **kind),
        of_program(plain.cholesky, positive(n), **kind),
        of_program(plain.trmm, arrays((n, n), (n, n)), **kind),
        of_program(plain.seidel_2d, shares((n, n)), 2, **kind),
    )


def programs(n: int, loop: int, steps: int) -> tuple[Problem, ...]:
    """All programs.

    Args:
        n: The size of arrays.
        loop: That of arrays over which Python loops.
        steps: Of time.
    """
    m = max(n // 8, 4)

    def sparse(rng: Any) -> Any:
        return (rng.normal(size=5 * loop), rng.normal(size=n)), ()

    rng = default_rng(1)
    starts = tuple(range(0, 5 * loop + 1, 5))
    columns = rng.integers(n, size=5 * loop)
    neighbours = rng.integers(2, size=(2, 2))

    def rings(rng: Any) -> Any:
        return (rng.uniform(size=40 * n),), (rng.uniform(size=40 * n),)

    def stars(rng: Any) -> Any:
        return tuple(rng.normal(size=(m, 3)) for _ in range(2)), ()

    return (
        of_program(plain.gemm, arrays((n, n), (n, n), (n, n))),
        of_program(plain.k2mm, arrays(*[(n, n)] * 4)),
        of_program(plain.k3mm, arrays(*[(n, n)] * 4)),
        of_program(plain.atax, arrays((n, n), n)),
        of_program(plain.bicg, arrays((n, n), n, n)),
        of_program(plain.mvt, arrays((n, n), n, n, n, n)),
        of_program(plain.gesummv, arrays((n, n), (n, n), n)),
        of_program(plain.gemver, arrays((n, n), *[n] * 7)),
        of_program(plain.doitgen, arrays((m, m, n), (n, n))),
        of_program(plain.covariance, arrays((2 * n, n))),
        of_program(plain.correlation, arrays((2 * n, n))),
        of_program(plain.syrk, arrays((loop, loop), (loop, loop))),
        of_program(plain.symm, arrays((loop, loop), (loop, loop), (loop, loop))),
        of_program(plain.trmm, arrays((loop, loop), (loop, loop))),
        of_program(plain.trisolv, dominated(2 * loop, 2 * loop)),
        of_program(plain.lu, dominated(loop)),
        of_program(plain.ludcmp, dominated(loop, loop)),
        of_program(plain.cholesky, positive(loop)),
        of_program(plain.durbin, lambda rng: ((rng.normal(size=2 * loop) / 10 / loop,), ())),
        of_program(plain.gramschmidt, arrays((n, loop))),
        of_program(plain.floyd_warshall, shares((2 * loop, 2 * loop))),
        of_program(plain.jacobi_1d, shares(20 * n, 20 * n), steps),
        of_program(plain.jacobi_2d, shares((n, n), (n, n)), steps),
        of_program(plain.heat_3d, shares((m, m, m), (m, m, m)), steps),
        of_program(plain.fdtd_2d, shares((n, n), (n, n), (n, n), steps)),
        of_program(plain.adi, shares((loop, loop)), 2),
        of_program(plain.seidel_2d, shares((loop, loop)), 2),
        of_program(
            plain.horizontal_diffusion,
            lambda rng: ((rng.normal(size=(n + 4, n + 4, 8)),), (rng.uniform(size=(n, n, 8)),)),
        ),
        of_program(
            plain.vertical_advection, shares((m + 1, m, 10), (m, m, 10), (m, m, 10), (m, m, 10))
        ),
        of_program(plain.cavity_flow, shares((m, m), (m, m), (m, m)), 3, 4),
        of_program(plain.channel_flow, shares((m, m), (m, m)), max(steps // 3, 1)),
        of_program(plain.deriche, shares((n, 2 * loop))),
        of_program(plain.softmax, arrays((4, 4, n // 2, n // 2))),
        of_program(plain.mlp, weights((20, n), (n,), (n, n), (n,), (n, 10), (10,), data=(64, 20))),
        of_program(plain.conv2d_bias, weights((3, 3, 3, 8), (8,), data=(4, 16, 16, 3))),
        of_program(
            plain.lenet,
            weights(
                *((5, 5, 1, 6), (6,), (5, 5, 6, 16), (16,), (256, 84), (84,), (84, 10), (10,)),
                data=(8, 28, 28, 1),
            ),
        ),
        of_program(plain.azimint, rings, loop),
        of_program(plain.arc_distance, shares(*[40 * n] * 4)),
        of_program(plain.nbody, stars, steps // 2, np.ones((m, 1)) / m),
        of_program(plain.spmv, sparse, starts, columns),
        of_program(plain.go_fast, arrays((loop, loop))),
        of_program(
            plain.compute,
            lambda rng: (tuple(rng.normal(size=3)), tuple(rng.uniform(size=(3, n, n)))),
        ),
        of_program(
            plain.scattering,
            arrays((2, 2, 2, 3, 3), (2, 2, 2, 3, 3), (1, 2, 2, 2, 2)),
            neighbours,
        ),
        of_program(
            plain.resnet,
            weights((1, 1, 16, 4), (3, 3, 4, 4), (1, 1, 4, 16), data=(8, 14, 14, 16)),
        ),
    )


PROGRAMS = programs(n=120, loop=6, steps=10)
LOOPS = loops(50, unrolled=True)
SMALL_PROGRAMS = (*programs(n=8, loop=4, steps=2), *loops(5))
"""The same families, in sizes for tests."""
