"""Programs of scientists in plain NumPy: stencils, solvers, linear algebra and small networks.

The kernels are those of PolyBench (Pouchet and Yuki) and of the suite of Ziogas et al., "NPBench: A
Benchmarking Suite for High-Performance NumPy" (ICS 2021), written anew from what they compute. Each
takes arrays and returns arrays. Nothing here knows of any library but NumPy; what is
written, is a new array, and no other name is a view of it.
"""

from __future__ import annotations

import itertools

import numpy as np

# Dense linear algebra


def gemm(A, B, C):
    """A product, added to a matrix."""
    return 1.5 * A @ B + 1.2 * C


def k2mm(A, B, C, D):
    """Two products in a row."""
    return 1.5 * A @ B @ C + 1.2 * D


def k3mm(A, B, C, D):
    """A product of two products."""
    return (A @ B) @ (C @ D)


def atax(A, x):
    """A matrix's transpose times its product with a vector."""
    return (A @ x) @ A


def bicg(A, p, r):
    """The two products of the biconjugate gradients."""
    return r @ A, A @ p


def mvt(A, x1, x2, y1, y2):
    """Products of a matrix and of its transpose, added to vectors."""
    return x1 + A @ y1, x2 + y2 @ A


def gesummv(A, B, x):
    """The sum of two products with one vector."""
    return 1.5 * A @ x + 1.2 * B @ x


def gemver(A, u1, v1, u2, v2, x, y, z):
    """A matrix plus two outer products, and products with it."""
    A = A + np.outer(u1, v1) + np.outer(u2, v2)
    x = x + 1.2 * y @ A + z
    return A, x, 1.5 * A @ x


def doitgen(A, C):
    """The last axis of a tensor, by a matrix."""
    return (A.reshape((-1, C.shape[0])) @ C).reshape(A.shape)


def covariance(data):
    """The covariances of columns."""
    centred = data - np.mean(data, axis=0)
    return centred.T @ centred / (data.shape[0] - 1.0)


def correlation(data):
    """The correlations of columns."""
    deviations = np.std(data, axis=0)
    deviations = np.where(deviations <= 0.1, 1.0, deviations)
    scaled = (data - np.mean(data, axis=0)) / (np.sqrt(data.shape[0]) * deviations)
    return scaled.T @ scaled


# Linear algebra in Python's loops


def syrk(A, C):
    """The lower triangle of a product of a matrix and its transpose."""
    C = np.copy(C)
    for i in range(A.shape[0]):
        C[i, : i + 1] *= 1.2
        for k in range(A.shape[1]):
            C[i, : i + 1] += 1.5 * A[i, k] * A[: i + 1, k]
    return C


def symm(A, B, C):
    """A product with a symmetric matrix of which the lower triangle is given."""
    C = 1.2 * C
    for i in range(C.shape[0]):
        for j in range(C.shape[1]):
            C[:i, j] += 1.5 * B[i, j] * A[i, :i]
            C[i, j] += 1.5 * (B[i, j] * A[i, i] + B[:i, j] @ A[i, :i])
    return C


def trmm(A, B):
    """A triangular product."""
    B = np.copy(B)
    for i in range(B.shape[0]):
        for j in range(B.shape[1]):
            B[i, j] += A[i + 1 :, i] @ B[i + 1 :, j]
    return 1.5 * B


def trisolv(L, b):
    """A triangular system."""
    x = np.zeros_like(b)
    for i in range(L.shape[0]):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]
    return x


def lu(A):
    """Both factors of a matrix, in its place."""
    A = np.copy(A)
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            A[i, j] -= A[i, :i] @ A[:i, j]
    return A


def ludcmp(A, b):
    """A linear system, by both factors."""
    A = lu(A)
    n = A.shape[0]
    y, x = np.zeros_like(b), np.zeros_like(b)
    for i in range(n):
        y[i] = b[i] - A[i, :i] @ y[:i]
    for i in range(n - 1, -1, -1):
        x[i] = (y[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x


def cholesky(A):
    """The triangular factor of a positive matrix, in its place."""
    A = np.copy(A)
    A[0, 0] = np.sqrt(A[0, 0])
    for i in range(1, A.shape[0]):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[j, :j]
            A[i, j] /= A[j, j]
        A[i, i] -= A[i, :i] @ A[i, :i]
        A[i, i] = np.sqrt(A[i, i])
    return np.tril(A)


def durbin(r):
    """A Toeplitz system, by Durbin's recursion."""
    y = np.zeros_like(r)
    alpha, beta = -r[0], 1.0
    y[0] = -r[0]
    for k in range(1, r.shape[0]):
        beta = beta * (1.0 - alpha * alpha)
        alpha = -(r[k] + np.flip(r[:k]) @ y[:k]) / beta
        y[:k] += alpha * np.flip(y[:k])
        y[k] = alpha
    return y


def gramschmidt(A):
    """Orthogonal columns, and what makes the matrix of them."""
    A = np.copy(A)
    n = A.shape[1]
    Q, R = np.zeros_like(A), np.zeros_like(A[:n])
    for k in range(n):
        R[k, k] = np.sqrt(A[:, k] @ A[:, k])
        Q[:, k] = A[:, k] / R[k, k]
        for j in range(k + 1, n):
            R[k, j] = Q[:, k] @ A[:, j]
            A[:, j] -= Q[:, k] * R[k, j]
    return Q, R


def floyd_warshall(path):
    """The shortest paths between all nodes."""
    for k in range(path.shape[0]):
        path = np.minimum(path, path[:, k : k + 1] + path[k : k + 1])
    return path


# Stencils


def jacobi_1d(steps, A, B):
    """Means of three neighbours."""
    A, B = np.copy(A), np.copy(B)
    for _ in range(steps):
        B[1:-1] = (A[:-2] + A[1:-1] + A[2:]) / 3.0
        A[1:-1] = (B[:-2] + B[1:-1] + B[2:]) / 3.0
    return A, B


def jacobi_2d(steps, A, B):
    """Means of five neighbours."""
    A, B = np.copy(A), np.copy(B)
    for _ in range(steps):
        B[1:-1, 1:-1] = 0.2 * (
            A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1]
        )
        A[1:-1, 1:-1] = 0.2 * (
            B[1:-1, 1:-1] + B[1:-1, :-2] + B[1:-1, 2:] + B[2:, 1:-1] + B[:-2, 1:-1]
        )
    return A, B


def heated(u):
    """The inside of a cube after one step of the heat equation."""
    inside = u[1:-1, 1:-1, 1:-1]
    return (
        0.125 * (u[2:, 1:-1, 1:-1] - 2.0 * inside + u[:-2, 1:-1, 1:-1])
        + 0.125 * (u[1:-1, 2:, 1:-1] - 2.0 * inside + u[1:-1, :-2, 1:-1])
        + 0.125 * (u[1:-1, 1:-1, 2:] - 2.0 * inside + u[1:-1, 1:-1, :-2])
        + inside
    )


def heat_3d(steps, A, B):
    """The heat equation in a cube."""
    A, B = np.copy(A), np.copy(B)
    for _ in range(steps):
        B[1:-1, 1:-1, 1:-1] = heated(A)
        A[1:-1, 1:-1, 1:-1] = heated(B)
    return A, B


def fdtd_2d(ex, ey, hz, fict):
    """Maxwell's equations in a plane, by finite differences in time."""
    ex, ey, hz = np.copy(ex), np.copy(ey), np.copy(hz)
    for t in range(fict.shape[0]):
        ey[0, :] = fict[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])
    return ex, ey, hz


def adi(steps, u):
    """Diffusion in a square, one direction after the other, each by Thomas's algorithm."""
    u = np.copy(u)
    n = u.shape[0]
    a, b, d, f = -0.3, 1.6, -0.2, 1.4
    for _ in range(steps):
        v, p, q = np.ones_like(u), np.zeros_like(u), np.ones_like(u)
        for j in range(1, n - 1):
            p[1:-1, j] = -a / (a * p[1:-1, j - 1] + b)
            right = -d * u[j - 1, 1:-1] + (1.0 + 2.0 * d) * u[j, 1:-1] - d * u[j + 1, 1:-1]
            q[1:-1, j] = (right - a * q[1:-1, j - 1]) / (a * p[1:-1, j - 1] + b)
        for j in range(n - 2, 0, -1):
            v[j, 1:-1] = p[1:-1, j] * v[j + 1, 1:-1] + q[1:-1, j]
        p, q = np.zeros_like(u), np.ones_like(u)
        u[1:-1, 0] = 1.0
        u[1:-1, n - 1] = 1.0
        for j in range(1, n - 1):
            p[1:-1, j] = -d / (d * p[1:-1, j - 1] + f)
            right = -a * v[1:-1, j - 1] + (1.0 + 2.0 * a) * v[1:-1, j] - a * v[1:-1, j + 1]
            q[1:-1, j] = (right - d * q[1:-1, j - 1]) / (d * p[1:-1, j - 1] + f)
        for j in range(n - 2, 0, -1):
            u[1:-1, j] = p[1:-1, j] * u[1:-1, j + 1] + q[1:-1, j]
    return u


def seidel_2d(steps, A):
    """Means of nine neighbours, in their own place."""
    A = np.copy(A)
    n = A.shape[0]
    for _ in range(steps):
        for i in range(1, n - 1):
            A[i, 1:-1] += (
                A[i - 1, :-2]
                + A[i - 1, 1:-1]
                + A[i - 1, 2:]
                + A[i, 2:]
                + A[i + 1, :-2]
                + A[i + 1, 1:-1]
                + A[i + 1, 2:]
            )
            for j in range(1, n - 1):
                A[i, j] += A[i, j - 1]
                A[i, j] /= 9.0
    return A


def horizontal_diffusion(field, coefficients):
    """A limited flux of the Laplacian, of weather models (hdiff)."""
    inside = field[1:-1, 1:-1]
    laplacian = 4.0 * inside - (
        field[2:, 1:-1] + field[:-2, 1:-1] + field[1:-1, 2:] + field[1:-1, :-2]
    )
    flux = laplacian[1:, 1:-1] - laplacian[:-1, 1:-1]
    against = flux * (field[2:-1, 2:-2] - field[1:-2, 2:-2]) > 0
    along_x = np.where(against, 0.0, flux)
    flux = laplacian[1:-1, 1:] - laplacian[1:-1, :-1]
    against = flux * (field[2:-2, 2:-1] - field[2:-2, 1:-2]) > 0
    along_y = np.where(against, 0.0, flux)
    divergence = along_x[1:] - along_x[:-1] + along_y[:, 1:] - along_y[:, :-1]
    return field[2:-2, 2:-2] - coefficients * divergence


def vertical_advection(wind, stage, position, tendency):
    """Implicit advection in columns, of weather models (vadv)."""
    rate = 3.0
    levels = stage.shape[2]
    upper, right = np.zeros_like(stage), np.zeros_like(stage)
    for k in range(levels):
        below = above = 0.0
        correction = np.zeros_like(stage[:, :, 0])
        if k > 0:
            below = -0.125 * (wind[1:, :, k] + wind[:-1, :, k])
            correction = correction - below * (stage[:, :, k - 1] - stage[:, :, k])
        if k < levels - 1:
            above = 0.125 * (wind[1:, :, k + 1] + wind[:-1, :, k + 1])
            correction = correction - above * (stage[:, :, k + 1] - stage[:, :, k])
        diagonal = rate - below - above
        side = rate * position[:, :, k] + tendency[:, :, k] + correction
        if k > 0:
            diagonal = diagonal - upper[:, :, k - 1] * below
            side = side - right[:, :, k - 1] * below
        upper[:, :, k] = above / diagonal
        right[:, :, k] = side / diagonal
    result = np.zeros_like(stage)
    result[:, :, levels - 1] = right[:, :, levels - 1]
    for k in range(levels - 2, -1, -1):
        result[:, :, k] = right[:, :, k] - upper[:, :, k] * result[:, :, k + 1]
    return rate * (result - position)


def pressure_source(u, v):
    """What drives the pressure, of both velocities."""
    du_dx = (u[1:-1, 2:] - u[1:-1, :-2]) * 10.0
    dv_dy = (v[2:, 1:-1] - v[:-2, 1:-1]) * 10.0
    du_dy = (u[2:, 1:-1] - u[:-2, 1:-1]) * 10.0
    dv_dx = (v[1:-1, 2:] - v[1:-1, :-2]) * 10.0
    return 1000.0 * (du_dx + dv_dy) - du_dx**2 - 2.0 * du_dy * dv_dx - dv_dy**2


def cavity_flow(steps, sweeps, u, v, p):
    """Navier and Stokes's equations in a box whose lid moves."""
    h, dt, viscosity = 0.05, 0.001, 0.1
    u, v, p = np.copy(u), np.copy(v), np.copy(p)
    for _ in range(steps):
        source = 0.25 * h**2 * pressure_source(u, v)
        for _ in range(sweeps):
            neighbours = p[1:-1, 2:] + p[1:-1, :-2] + p[2:, 1:-1] + p[:-2, 1:-1]
            p[1:-1, 1:-1] = 0.25 * neighbours - source
            p[:, -1] = p[:, -2]
            p[0, :] = p[1, :]
            p[:, 0] = p[:, 1]
            p[-1, :] = 0.0
        u_in, v_in = u[1:-1, 1:-1], v[1:-1, 1:-1]
        u_moved = (
            u_in
            - u_in * dt / h * (u_in - u[1:-1, :-2])
            - v_in * dt / h * (u_in - u[:-2, 1:-1])
            - dt / (2.0 * h) * (p[1:-1, 2:] - p[1:-1, :-2])
            + viscosity * dt / h**2 * (u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u_in)
            + viscosity * dt / h**2 * (u[2:, 1:-1] + u[:-2, 1:-1])
        )
        v_moved = (
            v_in
            - u_in * dt / h * (v_in - v[1:-1, :-2])
            - v_in * dt / h * (v_in - v[:-2, 1:-1])
            - dt / (2.0 * h) * (p[2:, 1:-1] - p[:-2, 1:-1])
            + viscosity * dt / h**2 * (v[1:-1, 2:] + v[1:-1, :-2] - 4.0 * v_in)
            + viscosity * dt / h**2 * (v[2:, 1:-1] + v[:-2, 1:-1])
        )
        u = np.pad(u_moved, 1)
        v = np.pad(v_moved, 1)
        u[-1, :] = 1.0
    return u, v, p


def channel_flow(steps, u, v):
    """A flow that is pushed along a channel that closes upon itself."""
    h, dt, viscosity, push = 0.05, 0.001, 0.1, 1.0
    for _ in range(steps):
        left_u, left_v = np.roll(u, 1, axis=1), np.roll(v, 1, axis=1)
        round_u = left_u + np.roll(u, -1, axis=1) - 2.0 * u
        round_v = left_v + np.roll(v, -1, axis=1) - 2.0 * v
        across_u = np.pad(u[2:] + u[:-2] - 2.0 * u[1:-1], ((1, 1), (0, 0)))
        across_v = np.pad(v[2:] + v[:-2] - 2.0 * v[1:-1], ((1, 1), (0, 0)))
        slope_u = np.pad(u[1:-1] - u[:-2], ((1, 1), (0, 0)))
        slope_v = np.pad(v[1:-1] - v[:-2], ((1, 1), (0, 0)))
        u, v = (
            u
            - dt / h * (u * (u - left_u) + v * slope_u)
            + viscosity * dt / h**2 * (round_u + across_u)
            + push * dt,
            v
            - dt / h * (u * (v - left_v) + v * slope_v)
            + viscosity * dt / h**2 * (round_v + across_v),
        )
    return u, v


def deriche(image):
    """A recursive filter along rows, from both sides (an edge detector's smoothing)."""
    decay = np.exp(-0.25)
    square = decay * decay
    gain = (1.0 - decay) ** 2 / (1.0 + 0.5 * decay - square)
    forward, backward = np.zeros_like(image), np.zeros_like(image)
    width = image.shape[1]
    forward[:, 0] = gain * image[:, 0]
    forward[:, 1] = gain * image[:, 1] - 0.75 * gain * decay * image[:, 0]
    forward[:, 1] += 2.0 * decay * forward[:, 0]
    for j in range(2, width):
        seen = gain * (image[:, j] - 0.75 * decay * image[:, j - 1])
        forward[:, j] = seen + 2.0 * decay * forward[:, j - 1] - square * forward[:, j - 2]
    for j in range(width - 3, -1, -1):
        seen = gain * (1.25 * decay * image[:, j + 1] - square * image[:, j + 2])
        backward[:, j] = seen + 2.0 * decay * backward[:, j + 1] - square * backward[:, j + 2]
    return forward + backward


# Networks


def softmax(x):
    """The softmax along the last axis."""
    exponentials = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return exponentials / np.sum(exponentials, axis=-1, keepdims=True)


def mlp(w1, b1, w2, b2, w3, b3, x):
    """Two hidden layers of rectified units, and a softmax."""
    x = np.maximum(x @ w1 + b1, 0.0)
    x = np.maximum(x @ w2 + b2, 0.0)
    return softmax(x @ w3 + b3)


def conv2d(weights, images):
    """What filters see: images are (count, height, width, channels)."""
    size = weights.shape[0]
    height, width = images.shape[1] - size + 1, images.shape[2] - size + 1
    result = 0.0
    for i in range(size):
        for j in range(size):
            result = result + images[:, i : i + height, j : j + width] @ weights[i, j]
    return result


def conv2d_bias(weights, bias, images):
    """What filters see, and a bias."""
    return conv2d(weights, images) + bias


def maxpool2d(x):
    """The largest of squares of two by two pixels."""
    count, height, width, channels = x.shape
    squares = x.reshape((count, height // 2, 2, width // 2, 2, channels))
    return np.max(squares, axis=(2, 4))


def lenet(w1, b1, w2, b2, w3, b3, w4, b4, images):
    """Two convolutions and two layers (LeNet)."""
    x = maxpool2d(np.maximum(conv2d_bias(w1, b1, images), 0.0))
    x = maxpool2d(np.maximum(conv2d_bias(w2, b2, x), 0.0))
    x = x.reshape((x.shape[0], -1))
    return np.maximum(x @ w3 + b3, 0.0) @ w4 + b4


def batchnorm(x):
    """What all images have in common, taken out."""
    mean = np.mean(x, axis=0, keepdims=True)
    deviation = np.std(x, axis=0, keepdims=True)
    return (x - mean) / np.sqrt(deviation + 1e-5)


def resnet(w1, w2, w3, images):
    """A block that adds to what it is given."""
    x = np.maximum(batchnorm(conv2d(w1, images)), 0.0)
    x = np.maximum(batchnorm(conv2d(w2, np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))), 0.0)
    x = batchnorm(conv2d(w3, x))
    return np.maximum(x + images, 0.0)


# Others


def azimint(bins, data, radius):
    """The means of data in rings."""
    largest = np.max(radius)
    means = []
    for i in range(bins):
        inside = (largest * i / bins <= radius) & (radius < largest * (i + 1) / bins)
        means.append(np.sum(np.where(inside, data, 0.0)) / np.sum(inside))
    return np.stack(means)


def go_fast(a):
    """A matrix, and the sum of its diagonal's hyperbolic tangents."""
    trace = 0.0
    for i in range(a.shape[0]):
        trace += np.tanh(a[i, i])
    return a + trace


def arc_distance(theta_1, phi_1, theta_2, phi_2):
    """The distance of points on a sphere."""
    square = np.sin((theta_2 - theta_1) / 2) ** 2
    square = square + np.cos(theta_1) * np.cos(theta_2) * np.sin((phi_2 - phi_1) / 2) ** 2
    return 2 * np.arctan2(np.sqrt(square), np.sqrt(1 - square))


def compute(a, b, c, first, second, third):
    """Elementwise work with a limit."""
    return np.clip(a, 0.2, 0.8) * first + b * second + c * third


def accelerations(places, masses):
    """The pull of all others, softened."""
    x, y, z = places[:, 0:1], places[:, 1:2], places[:, 2:3]
    dx, dy, dz = x.T - x, y.T - y, z.T - z
    inverse = (dx**2 + dy**2 + dz**2 + 0.01) ** (-1.5)
    return np.hstack(((dx * inverse) @ masses, (dy * inverse) @ masses, (dz * inverse) @ masses))


def nbody(steps, masses, places, velocities):
    """Stars under their own gravity, by leapfrog, with the energy of each step."""
    dt = 0.01
    pull = accelerations(places, masses)
    kinetic = []
    for _ in range(steps):
        velocities = velocities + pull * dt / 2.0
        places = places + velocities * dt
        pull = accelerations(places, masses)
        velocities = velocities + pull * dt / 2.0
        kinetic.append(0.5 * np.sum(masses * velocities**2))
    return places, np.stack(kinetic)


def scattering(neighbours, dH, G, D):
    """Self-energies of electrons that phonons scatter."""
    sigma = np.zeros_like(G)
    for k in range(G.shape[0]):
        for E in range(G.shape[1]):
            for q in range(D.shape[0]):
                for w in range(D.shape[1]):
                    for i in range(D.shape[4]):
                        for a in range(neighbours.shape[0]):
                            for b in range(neighbours.shape[1]):
                                if w <= E:
                                    left = G[k, E - w, neighbours[a, b]] @ dH[a, b, i]
                                    sigma[k, E, a] += left @ (dH[a, b, i] * D[q, w, a, b, i])
    return sigma


def spmv(starts, columns, values, x):
    """A sparse matrix, row by row, times a vector."""
    rows = [slice(*pair) for pair in itertools.pairwise(starts)]
    return np.stack([values[row] @ x[columns[row]] for row in rows])
