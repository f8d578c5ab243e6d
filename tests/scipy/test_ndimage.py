"""Filters of images and interpolation under SciPy's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

import functrace as ft
from functrace.errors import ArgumentError
from functrace.scipy import ndimage
from functrace.testing import check_grads
from tests.scipy.rows import check

rng = np.random.default_rng(22)
IMAGE, WEIGHTS, KERNEL = rng.normal(size=(5, 6)), rng.normal(size=3), rng.normal(size=(2, 3))
MODES = ("reflect", "mirror", "nearest", "constant", "wrap", "grid-mirror", "grid-wrap")
ROWS = {
    **{
        f"correlate1d, {mode}": (
            lambda m, x, w, mode=mode: m.correlate1d(x, w, 0, mode=mode, cval=0.5),
            (IMAGE, WEIGHTS),
        )
        for mode in MODES
    },
    "convolve1d": (lambda m, x, w: m.convolve1d(x, w, origin=1), (IMAGE, WEIGHTS)),
    "convolve1d, even": (lambda m, x, w: m.convolve1d(x, w), (IMAGE, WEIGHTS[:2])),
    "convolve1d, complex": (lambda m, x, w: m.convolve1d(x, w), (IMAGE, WEIGHTS * (1 + 2j))),
    "correlate": (lambda m, x, w: m.correlate(x, w, mode="nearest"), (IMAGE, KERNEL)),
    "correlate, origin": (lambda m, x, w: m.correlate(x, w, origin=(-1, 1)), (IMAGE, KERNEL)),
    "convolve": (lambda m, x, w: m.convolve(x, w, mode="wrap"), (IMAGE, KERNEL)),
    "convolve, origin": (lambda m, x, w: m.convolve(x, w, origin=(0, 1)), (IMAGE, KERNEL)),
    "gaussian_filter": (lambda m, x: m.gaussian_filter(x, 1.5), (IMAGE,)),
    "gaussian_filter, slopes": (
        lambda m, x: m.gaussian_filter(x, (0.8, 1.2), (1, 2), mode=("wrap", "constant")),
        (IMAGE,),
    ),
    "gaussian_filter1d": (lambda m, x: m.gaussian_filter1d(x, 0.9, 0, 3, radius=4), (IMAGE,)),
    "uniform_filter": (lambda m, x: m.uniform_filter(x, (3, 4), mode="mirror"), (IMAGE,)),
    "uniform_filter1d": (lambda m, x: m.uniform_filter1d(x, 4, origin=1), (IMAGE,)),
}


@pytest.mark.parametrize("name", ROWS)
def test_as_scipy(name):
    row, args = ROWS[name]
    check(row, ndimage, scipy.ndimage, args, order=2 if name == "convolve" else 1)


@pytest.mark.parametrize("mode", [*MODES, "grid-constant"])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_coordinates(mode, order):
    places = np.stack([rng.uniform(-8, 12, 40), rng.uniform(-8, 12, 40)])
    places = np.where(np.abs(places * 2 - np.round(places * 2)) < 0.1, places + 0.11, places)
    row = lambda m, x, p: m.map_coordinates(x, p, order=order, mode=mode, cval=0.7)
    check(row, ndimage, scipy.ndimage, (IMAGE, places), order=1, static=("vmap", "dtype"))
    many = ft.vmap(lambda p: row(ndimage, IMAGE, p))(np.stack([places, places + 0.5]))
    np.testing.assert_allclose(many[1], row(scipy.ndimage, IMAGE, places + 0.5))


@pytest.mark.parametrize("mode", [*MODES, "grid-constant"])
def test_images_moved_and_enlarged(mode):
    for order in (0, 1, 3):
        given = {"order": order, "mode": mode, "cval": 0.7}
        for far in (0.3, (1.2, -2.6)):
            row = lambda m, x, far=far, given=given: m.shift(x, far, **given)
            check(row, ndimage, scipy.ndimage, (IMAGE,), order=1, static=("dtype",))
        for factor, grid_mode in ((1.7, False), ((0.6, 2.0), False), (2.0, True)):
            if grid_mode and mode in ("constant", "wrap"):
                continue  # SciPy warns
            found = ndimage.zoom(IMAGE, factor, **given, grid_mode=grid_mode)
            expected = scipy.ndimage.zoom(IMAGE, factor, **given, grid_mode=grid_mode)
            np.testing.assert_allclose(found, expected, atol=1e-12)
    check_grads(lambda far: ndimage.shift(IMAGE, far, mode=mode), (np.array([0.3, -1.4]),), order=2)


@pytest.mark.parametrize("order", [2, 4, 5])
def test_splines_of_other_orders(order):
    places = rng.uniform(-8, 12, (2, 60))
    for mode in (*MODES, "grid-constant"):
        given = {"order": order, "mode": mode, "cval": 0.7}
        found = ndimage.map_coordinates(IMAGE, places, **given)
        expected = scipy.ndimage.map_coordinates(IMAGE, places, **given)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    ends = np.array([-6.0, -3.0, 0.0, 3.0, 6.0])
    found = ndimage.map_coordinates(IMAGE[:, 0], ends[None], order=1, mode="wrap")
    expected = scipy.ndimage.map_coordinates(IMAGE[:, 0], ends[None], order=1, mode="wrap")
    np.testing.assert_allclose(found, expected)


def test_the_order_where_a_peer_has_it():
    places = rng.uniform(0, 3, (2, 7))
    found = ndimage.map_coordinates(IMAGE, places, 1)
    np.testing.assert_array_equal(found, ndimage.map_coordinates(IMAGE, places, order=1))


def test_splines_without_a_filter_and_of_one_element():
    places = rng.uniform(0, 3, (2, 7))
    for x in (IMAGE, IMAGE[:1]):
        for given in ({"prefilter": False}, {"order": 2, "mode": "mirror"}):
            found = ndimage.map_coordinates(x, places, **given)
            np.testing.assert_allclose(found, scipy.ndimage.map_coordinates(x, places, **given))
    assert ndimage.zoom(np.arange(4), 2).dtype == np.arange(4).dtype


def test_the_width_of_a_gaussian_is_differentiated():
    f = lambda s: ndimage.gaussian_filter1d(IMAGE, s, radius=5)
    check_grads(f, (0.9,), order=2)
    np.testing.assert_allclose(
        ft.jit(f)(0.9), scipy.ndimage.gaussian_filter1d(IMAGE, 0.9, radius=5)
    )
    check_grads(lambda s: ndimage.gaussian_filter(IMAGE, s), (0.9,), order=1)


def test_dtypes():
    for dtype in ("float32", "float64", "int16", "uint8"):
        x = (10 * np.abs(IMAGE)).astype(dtype)
        for call in (
            lambda m, x: m.correlate1d(x, [1, 2, 1]),
            lambda m, x: m.convolve(x, [[1, 2], [0, 1]]),
            lambda m, x: m.gaussian_filter(x, 1.0, output=np.float64),
        ):
            found, expected = call(ndimage, x), call(scipy.ndimage, x)
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_errors():
    for call in (
        lambda m: m.correlate1d(IMAGE, []),
        lambda m: m.correlate1d(IMAGE, WEIGHTS, mode="no"),
        lambda m: m.correlate(IMAGE, WEIGHTS),
        lambda m: m.uniform_filter1d(IMAGE, 0),
        lambda m: m.gaussian_filter(IMAGE, (1, 2, 3)),
        lambda m: m.map_coordinates(IMAGE, np.ones((3, 2)), order=1),
        lambda m: m.map_coordinates(IMAGE, np.ones((2, 2)), order=6),
        lambda m: m.shift(IMAGE, (1.0, 2.0, 3.0)),
        lambda m: m.zoom(IMAGE, (1.0, 2.0, 3.0)),
    ):
        for module in (scipy.ndimage, ndimage):
            with pytest.raises(RuntimeError):
                call(module)
    for module in (scipy.ndimage, ndimage):
        with pytest.raises(ValueError, match="rigin"):
            module.correlate1d(IMAGE, WEIGHTS, origin=2)
    with pytest.raises(ArgumentError, match="output"):
        ndimage.correlate1d(IMAGE, WEIGHTS, output=np.empty_like(IMAGE))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_means_of_whole_numbers_are_cut_off_as_scipys(dtype):
    image = np.random.default_rng(1).integers(0, 200, (9, 8)).astype(dtype)
    for size in (2, 3, 5):
        found = ndimage.uniform_filter(image, size)
        np.testing.assert_array_equal(found, scipy.ndimage.uniform_filter(image, size))
        assert found.dtype == dtype
