"""What programs for JAX name and NumPy has no need of."""

from __future__ import annotations

import numpy as np

import functrace as ft


def test_devices_are_the_host():
    x = {"a": 1.0, "b": np.zeros(2)}
    assert ft.block_until_ready(x) is ft.device_get(x) is x
    put = ft.device_put(x)
    assert type(put["a"]) is np.float64
    assert put["b"] is not x["b"]
    assert ft.jit(ft.grad(lambda x: ft.block_until_ready(ft.device_put(x)) ** 2))(3.0) == 6.0


def test_a_class_of_all_arrays():
    kept = lambda x: x if isinstance(x, ft.Array) else 2.0 * x
    for transform in (lambda f: f, ft.jit, ft.vmap, lambda f: ft.jit(ft.vmap(f))):
        assert transform(kept)(np.ones(2)).tolist() == [1.0, 1.0]
    assert ft.jit(kept)(1.0) == ft.grad(kept)(1.0) == kept(np.float64(1.0)) == 1.0
    assert kept(1.0) == 2.0


def test_what_is_put_on_a_device_is_a_copy():
    x = np.ones((2, 0, 3))
    y = [np.arange(3.0), {"n": 2, "z": 1j}]
    put = ft.device_put(y, device="cpu:0")
    y[0][:] = 7
    assert put[0].tolist() == [0, 1, 2]
    assert [leaf.dtype.kind for leaf in ft.tree.leaves(put)] == ["f", "i", "c"]
    assert ft.device_put(x).shape == x.shape
    kept = ft.make_ir(lambda x: ft.device_get(ft.device_put(x)))(1.0)
    assert not kept.equations


def test_only_arrays_are_arrays():
    for x in (np.ones(2), np.float32(1), np.bool_(True), np.ma.ones(2)):
        assert isinstance(x, ft.Array)
    for x in (1, 1.0, True, None, [1.0], "a", np.ndarray, np.dtype(float)):
        assert not isinstance(x, ft.Array)
