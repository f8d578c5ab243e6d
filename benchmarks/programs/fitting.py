"""Derivatives that fitting asks for: of cameras and hands, clusters, mixtures and processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import default_rng

from benchmarks import machine, workloads
from benchmarks.peers import Function, Peer
from benchmarks.workloads import Problem

VALUE_AND_GRADIENT = "value_and_gradient"


# Geometry


def bundle_adjustment(cameras: int, points: int, observations: int) -> Problem:
    """The Jacobian of each observation's error, in its camera, its point and its weight.

    A camera is a rotation as an axis times an angle, a centre, a focal length, a principal point
    and two coefficients of distortion by the distance from it.
    """

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        rotations = 0.3 * rng.normal(size=(cameras, 3))
        centres = rng.normal(size=(cameras, 3)) + np.array([0.0, 0.0, -8.0])
        lenses = np.array([500.0, 320.0, 240.0, 0.1, 0.01]) * rng.uniform(0.9, 1.1, (cameras, 5))
        every_camera = np.concatenate((rotations, centres, lenses), axis=1)
        every_point = rng.normal(size=(points, 3))
        camera, point = (
            rng.integers(cameras, size=observations),
            rng.integers(points, size=observations),
        )
        weights = rng.uniform(0.5, 1.0, size=observations)
        seen = rng.uniform(0.0, 500.0, size=(observations, 2))
        return (every_camera[camera], every_point[point], weights), seen

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(params: Any, seen: Any) -> Any:
            camera, point, weight = params
            axis, centre, focal, principal = camera[:3], camera[3:6], camera[6], camera[7:9]
            angle = np.sqrt(np.sum(axis**2))
            axis = axis / angle
            cosine, sine = np.cos(angle), np.sin(angle)
            away = point - centre
            across = np.cross(axis, away)
            turned = cosine * away + sine * across + (1.0 - cosine) * np.dot(axis, away) * axis
            plane = turned[:2] / turned[2]
            square = np.sum(plane**2)
            bent = (1.0 + camera[9] * square + camera[10] * square**2) * plane
            return weight * (focal * bent + principal - seen)

        return f

    def on_machine(params: Any, seen: Any) -> Callable[[], Any]:
        count = len(seen)
        result = np.empty((count, 2, 11)), np.empty((count, 2, 3)), np.empty((count, 2))
        return machine.call("bundle_adjustment", *params, seen, count, *result, result=result)

    return Problem(
        f"bundle adjustment, {observations:,} observations",
        inputs,
        function,
        derivative="mapped_jacobian",
        machine=on_machine,
    )


PARENTS = (-1, 0, *(parent for k in range(2, 22, 4) for parent in (1, k, k + 1, k + 2)))
"""The bones of a hand: wrist, palm, and four of each finger, from the palm on."""


def hand_tracking(points: int, vertices: int) -> Problem:
    """The Jacobian of what lies between points and a hand's skin, in 26 parameters.

    Those are the hand's rotation and position, and four angles of each finger: two of its first
    bone and one of each of the next two. The skin follows the bones by weights (linear blending).
    """
    bones = len(PARENTS)
    positions = np.full((bones, 3), 20)  # which angle turns a bone about an axis; the last is none
    for finger in range(5):
        first = 2 + 4 * finger
        positions[first, :2] = 4 * finger, 4 * finger + 1
        positions[first + 1, 0], positions[first + 2, 0] = 4 * finger + 2, 4 * finger + 3

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        relatives = np.tile(np.eye(4), (bones, 1, 1))
        relatives[:, :3, :3] = np.linalg.qr(rng.normal(size=(bones, 3, 3)))[0]
        relatives[:, :3, 3] = rng.normal(size=(bones, 3))
        absolutes: list[Any] = []
        for parent, relative in zip(PARENTS, relatives, strict=True):
            absolutes.append(relative if parent < 0 else absolutes[parent] @ relative)
        skin = np.concatenate((rng.normal(size=(3, vertices)), np.ones((1, vertices))))
        weights = rng.uniform(size=(bones, vertices)) ** 4
        weights /= weights.sum(axis=0)
        seen = rng.normal(size=(3, points))
        nearest = rng.integers(vertices, size=points)
        params = 0.3 * rng.normal(size=26)
        return params, relatives, np.linalg.inv(np.stack(absolutes)), skin, weights, seen, nearest

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(
            params: Any,
            relatives: Any,
            inverses: Any,
            skin: Any,
            weights: Any,
            seen: Any,
            nearest: Any,
        ) -> Any:
            angles = np.concatenate((params[6:], np.zeros(1)))[positions]
            turned = relatives @ rotations(np, angles)
            absolutes: list[Any] = []
            for bone, parent in enumerate(PARENTS):
                own = turned[bone]
                absolutes.append(own if parent < 0 else absolutes[parent] @ own)
            moved = (np.stack(absolutes) @ inverses)[:, :3] @ skin
            blended = np.sum(moved * weights[:, None], axis=0)
            placed = rotation_about(np, params[:3]) @ blended + params[3:6, None]
            return (seen - placed[:, nearest]).ravel()

        return f

    def on_machine(*arguments: Any) -> Callable[[], Any]:
        jacobian = np.empty((3 * points, 26))
        sizes = (bones, vertices, points)
        parents = np.array(PARENTS)
        return machine.call(
            "hand_tracking", *arguments, parents, positions, *sizes, jacobian, result=jacobian
        )

    return Problem(
        f"hand tracking, 26 parameters, {points} points",
        inputs,
        function,
        derivative="jacobian",
        machine=on_machine,
    )


def rotations(np: Any, angles: Any) -> Any:
    """Rotations about x, then y, then z, as matrices of 4 x 4; angles are of shape (n, 3)."""
    cosines, sines = np.cos(angles).T, np.sin(angles).T
    a, b, c = cosines
    x, y, z = sines
    none, one = np.zeros_like(a), np.ones_like(a)
    rows = (
        (b * c, x * y * c - a * z, a * y * c + x * z, none),
        (b * z, x * y * z + a * c, a * y * z - x * c, none),
        (-y, x * b, a * b, none),
        (none, none, none, one),
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def rotation_about(np: Any, axis: Any) -> Any:
    """The rotation about an axis by its length, as a matrix of 3 x 3."""
    angle = np.sqrt(np.sum(axis**2))
    u = axis / angle
    cosine, sine = np.cos(angle), np.sin(angle)
    zero = np.zeros_like(angle)
    across = np.stack([zero, -u[2], u[1], u[2], zero, -u[0], -u[1], u[0], zero]).reshape((3, 3))
    return cosine * np.eye(3) + sine * across + (1.0 - cosine) * np.outer(u, u)


# Statistics


def gaussian_process(points: int, derivative: str) -> Problem:
    """The negative logarithm of the marginal likelihood.

    The parameters are the logarithms of the kernel's length and scale and of the noise.
    """

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        x = rng.uniform(-3.0, 3.0, size=(points, 2))
        y = np.sin(x[:, 0]) * np.cos(x[:, 1]) + 0.1 * rng.normal(size=points)
        return np.log(np.array([0.8, 1.2, 0.1])), x, y

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(logarithms: Any, x: Any, y: Any) -> Any:
            params = np.exp(logarithms)
            length, scale, noise = params[0], params[1], params[2]
            squares = np.sum((x[:, None] - x[None]) ** 2, axis=2)
            kernel = scale**2 * np.exp(-0.5 / length**2 * squares) + noise**2 * np.eye(points)
            factor = np.linalg.cholesky(kernel)
            white = peer.solve_lower(factor, y)
            volume = np.sum(np.log(np.diagonal(factor)))
            return 0.5 * np.sum(white**2) + volume + points / 2 * np.log(2 * np.pi)

        return f

    kind = "Hessian" if derivative == "hessian" else "gradient"
    name = f"Gaussian process, {points} points, {kind}"
    return Problem(name, inputs, function, derivative=derivative)


def log_sum_exp(n: int) -> Problem:
    """The logarithm of a sum of exponentials."""

    def function(peer: Peer) -> Function:
        return lambda x: peer.logsumexp(x, axis=0)

    def on_machine(x: Any) -> Callable[[], Any]:
        value, gradient = np.empty(()), np.empty(n)
        return machine.call("log_sum_exp", x, n, value, gradient, result=(value, gradient))

    return Problem(
        f"log-sum-exp, n = {n:,}",
        lambda: (default_rng(0).normal(size=n),),
        function,
        derivative=VALUE_AND_GRADIENT,
        machine=on_machine,
    )


def k_means(clusters: int, rows: int, d: int = 10) -> Problem:
    """A Newton step's quotient: the gradient over the Hessian's diagonal.

    The Hessian has nothing outside its diagonal, so its product with ones is its diagonal.
    """

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        points = rng.normal(size=(rows, d))
        return points[rng.permutation(rows)[:clusters]] + 0.1, points

    def function(peer: Peer) -> Function:
        np = peer.np

        def cost(centres: Any, points: Any) -> Any:
            products = points @ centres.T
            squares = np.sum(points**2, axis=1)[:, None] - 2.0 * products
            return np.sum(peer.smallest(squares + np.sum(centres**2, axis=1), axis=1))

        both = peer.gradient_and_product(cost)
        assert both is not None

        def quotient(centres: Any, points: Any) -> Any:
            gradient, diagonal = both(centres, np.ones_like(centres), points)
            return gradient / diagonal

        return quotient

    def on_machine(centres: Any, points: Any) -> Callable[[], Any]:
        result = np.empty_like(centres)
        return machine.call("k_means", centres, points, clusters, rows, d, result, result=result)

    return Problem(
        f"k-means, {clusters} clusters of {rows:,} points in {d}, gradient over Hessian",
        inputs,
        function,
        derivative="value",
        machine=on_machine,
    )


def gaussian_mixture(d: int, k: int, n: int) -> Problem:
    """The mixture of the other benchmarks."""

    def on_machine(params: Any, x: Any, triangle: Any) -> Callable[[], Any]:
        value = np.empty(())
        gradient = tuple(map(np.empty_like, params))
        result = (value, gradient)
        return machine.call(
            "gaussian_mixture", *params, x, d, k, n, value, *gradient, result=result
        )

    problem = workloads.gaussian_mixture(d, k, n)
    return dataclasses.replace(problem, derivative=VALUE_AND_GRADIENT, machine=on_machine)


def least_squares(rows: int, columns: int) -> Problem:
    """The mean square of what a linear model leaves."""

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        return rng.normal(size=columns), rng.normal(size=(rows, columns)), rng.normal(size=rows)

    def function(peer: Peer) -> Function:
        return lambda w, x, y: peer.np.mean((x @ w - y) ** 2)

    def on_machine(w: Any, x: Any, y: Any) -> Callable[[], Any]:
        value, gradient = np.empty(()), np.empty_like(w)
        arguments = (w, x, y, rows, columns, value, gradient)
        return machine.call("least_squares", *arguments, result=(value, gradient))

    return Problem(
        f"least squares, {rows:,} x {columns}",
        inputs,
        function,
        derivative=VALUE_AND_GRADIENT,
        machine=on_machine,
    )


FITTING = (
    bundle_adjustment(49, 7_776, 31_843),
    bundle_adjustment(10, 200, 1_000),
    hand_tracking(points=100, vertices=544),
    gaussian_process(200, VALUE_AND_GRADIENT),
    gaussian_process(200, "hessian"),
    log_sum_exp(1_280_000),
    k_means(100, 10_000),
    gaussian_mixture(d=10, k=25, n=1_000),
    least_squares(2_000, 200),
)

SMALL_FITTING = (
    bundle_adjustment(3, 5, 7),
    hand_tracking(points=4, vertices=6),
    gaussian_process(6, VALUE_AND_GRADIENT),
    gaussian_process(6, "hessian"),
    log_sum_exp(7),
    k_means(4, 30, d=3),
    gaussian_mixture(d=3, k=4, n=6),
    least_squares(7, 3),
)
"""The same families, in sizes for tests."""
