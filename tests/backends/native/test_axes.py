from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace import lax
from functrace.backends.native.axes import LONGEST_SORT
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.kernels import why_not
from functrace.ir.primitive import PRIMITIVES
from functrace.tracing.tracer import bind
from tests.backends.native.comparing import as_numpy

SPECIAL = np.array([
    [1.0, 3.0, np.nan, 2.0, np.nan], [2.0, 2.0, -1.0, 2.0, 0.0], [0.0, -0.0, 1.0, 0.0, -np.inf],
])  # fmt: skip


def assert_as_numpy(f, *args, whole=True):
    for x, y in as_numpy(f, *args, whole=whole):
        np.testing.assert_allclose(x, y, rtol=1e-6 if y.dtype == np.float32 else 1e-12)


def reduce_at(x):
    return np.add.reduceat(x, [0, 2, 1, 3], 1)


OPERATIONS = {
    "cumsum": lambda x: (np.cumsum(x, 0), np.cumsum(x, 1), np.cumsum(x)),
    "cumprod": lambda x: (np.cumprod(x, 0), np.cumprod(x, 1)),
    "extremes": lambda x: (np.maximum.accumulate(x, 0), np.minimum.accumulate(x, 1)),
    "argmax": lambda x: (np.argmax(x), np.argmax(x, 0), np.argmax(x, 1, keepdims=True)),
    "argmin": lambda x: (np.argmin(x.T), np.argmin(x, 0, keepdims=True), np.argmin(x, 1)),
    "stable sort": lambda x: (np.sort(x, 0, kind="stable"), np.argsort(x, 1, kind="stable")),
    "sort": lambda x: (np.sort(x, 0), np.argsort(x, 1)),
    "search": lambda x: (np.searchsorted(np.sort(x[0]), x), np.searchsorted(x[:, 0], x[0, 1])),
    "search from the right": lambda x: np.searchsorted(np.sort(x[0]), x, "right"),
    "sums of runs": reduce_at,
    "all functions": lambda x: (np.logaddexp.accumulate(x, 1), np.hypot.accumulate(x, 0)),
}
SHAPES = [(1, 5), (3, 5), (4, 11), (12, 17)]


@pytest.mark.thinned
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_gradients(name, shape):
    x = np.random.default_rng(0).normal(size=shape)
    f = OPERATIONS[name]
    assert_as_numpy(f, x)
    assert_as_numpy(f, np.round(x).astype(np.float32), whole=False)  # many are equal

    def loss(x):
        return sum(np.sum(y * y) for y in ft.tree.leaves(f(x)) if y.dtype.kind == "f")

    if "arg" not in name and "search" not in name:
        assert_as_numpy(ft.value_and_grad(loss), x)


@pytest.mark.thinned
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"all functions"}))
def test_what_is_no_number_and_what_is_equal(name):
    assert_as_numpy(OPERATIONS[name], SPECIAL)
    assert_as_numpy(OPERATIONS[name], SPECIAL[:, ::-1])


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "bool"])
@pytest.mark.parametrize("name", ["cumsum", "argmax", "argmin", "stable sort", "extremes"])
def test_integers(name, dtype):
    x = np.random.default_rng(0).integers(0, 120, (3, 9)).astype(dtype)
    assert_as_numpy(OPERATIONS[name], x)


@pytest.mark.parametrize("name", ["cumsum", "extremes", "stable sort"])
def test_nothing(name):
    assert_as_numpy(OPERATIONS[name], np.ones((0, 3)))


@pytest.mark.parametrize("name", ["recurrence", "extreme_pullback", "product_pullback"])
def test_pullbacks_of_what_is_special(name):
    primitive = PRIMITIVES[name]
    x = np.array([1.0, 0.0, 3.0, 3.0, -2.0, 3.0, 0.0, 5.0, np.nan, 1.0])
    out = np.maximum.accumulate(x) if name == "extreme_pullback" else np.multiply.accumulate(x)
    cotangent = np.arange(1.0, 11.0)
    inputs = (x, cotangent) if name == "recurrence" else (cotangent, x, out)
    for reverse in (False, True):
        params = {"reverse": reverse} if name == "recurrence" else {}
        assert_as_numpy(lambda *args: bind(primitive, *args, axis=0, **params), *inputs)


def test_runs_that_start_anew():
    x = np.random.default_rng(0).normal(size=(9, 2))
    primitive = PRIMITIVES["accumulate_multiply"]
    for starts in ([1, 0, 0, 1, 0, 1, 1, 0, 0], [0, 0, 1, 0, 0, 0, 1, 0, 0]):
        mask = np.array(starts, bool)
        assert_as_numpy(lambda x, mask: bind(primitive, x, mask, axis=0), x, mask)


def test_many_elements_are_sorted_by_numpy():
    program = decompose(ft.make_ir(np.argsort)(np.ones(LONGEST_SORT + 1)))
    assert why_not(program) == f"argsort of {LONGEST_SORT + 1} elements is NumPy's"


# What lies beside each other


def windows(x, kernel):
    views = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (0, 1))
    return np.max(views, (-1, -2)) + np.sum(views * kernel, (-1, -2))


def correlations(x, kernel):
    modes = ("valid", "same", "full")
    return [
        np.correlate(x[0], kernel[0], mode) * np.convolve(x[0], kernel[1], mode) for mode in modes
    ]


BESIDE = {
    "windows": windows,
    "correlations": correlations,
    "diagonals": lambda x, kernel: (np.diag(x[0], 2), np.diag(x[1], -1), np.diagflat(kernel)),
    "pooling": lambda x, kernel: lax.reduce_window(x, -np.inf, lax.max, (2, 2), (2, 1), "SAME"),
}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("mode", ["valid", "same", "full"])
def test_what_lies_beyond_the_ends_of_a_correlation_is_no_zero(mode, bad):
    x, kernel = np.arange(1.0, 6.0), np.array([0.5, bad, -1.0])
    for f in (np.correlate, np.convolve):
        fast = ft.jit(lambda x, y, f=f: f(x, y, mode), backend="native")
        for pair in ((x, kernel), (kernel, x), (kernel, kernel)):
            np.testing.assert_array_equal(fast(*pair), f(*pair, mode))


@pytest.mark.parametrize("name", BESIDE)
def test_what_lies_beside_each_other(name):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(4, 7)), rng.normal(size=(2, 3))
    f = BESIDE[name]
    assert_as_numpy(f, x, kernel)

    def loss(x, kernel):
        return sum(np.sum(y * y) for y in ft.tree.leaves(f(x, kernel)))

    assert_as_numpy(ft.value_and_grad(loss, (0, 1)), x, kernel)


def test_zeros_that_stay_in_products():
    f = ft.jacfwd(lambda x, y: (x * y) @ np.outer(y, x))
    x, y = np.array([1.0, 2.0, 0.5]), np.array([3.0, 0.0, 1.0])
    assert_as_numpy(f, x, y)
    assert_as_numpy(f, x, np.array([3.0, np.nan, np.inf]))


def test_what_a_value_must_be():
    primitive = PRIMITIVES["require"]
    f = lambda x: bind(primitive, x, x > 0, error="ValueError", message="not positive") * 2.0
    compiled = ft.jit(f, backend="native")
    assert compiled(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert compiled(3.0) == 6.0
    for bad in (np.array([1.0, -2.0]), -1.0):
        with pytest.raises(ValueError, match="not positive"):
            compiled(bad)
