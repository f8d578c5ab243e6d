"""Methods and attributes of traced arrays are those of arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from tests.tracing.ways import MATRIX, THREE, every_way, on_tape, same

IN_PLACE = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv,
    "//=": operator.ifloordiv, "%=": operator.imod, "**=": operator.ipow,
}  # fmt: skip
METHODS: dict[str, Callable[[Any], Any]] = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "all": lambda x: x.all(),
    "any": lambda x: x.any(axis=0),
    "argmax": lambda x: x.argmax(axis=1),
    "argmin": lambda x: x.argmin(),
    "argsort": lambda x: x.argsort(axis=0),
    "astype": lambda x: x.astype(np.float32),
    "astype int": lambda x: x.astype(int),
    "clip": lambda x: x.clip(2, 4),
    "conj": lambda x: x.conj(),
    "conjugate": lambda x: x.conjugate(),
    "copy": lambda x: x.copy(),
    "cumsum": lambda x: x.cumsum(axis=1),
    "diagonal": lambda x: x.diagonal(1),
    "dot": lambda x: x.dot(THREE),
    "flatten": lambda x: x.flatten(),
    "max": lambda x: x.max(axis=1),
    "mean": lambda x: x.mean(axis=0, keepdims=True),
    "min": lambda x: x.min(),
    "prod": lambda x: x.prod(axis=1),
    "ravel": lambda x: x.ravel(),
    "repeat": lambda x: x.repeat(2, axis=1),
    "reshape": lambda x: x.reshape(3, 2),
    "reshape tuple": lambda x: x.reshape((3, -1)),
    "round": lambda x: x.round(1),
    "squeeze": lambda x: x[:1].squeeze(0),
    "std": lambda x: x.std(axis=1, ddof=1),
    "sum": lambda x: x.sum(axis=(0, 1)),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: x.take([2, 0], axis=1),
    "trace": lambda x: x.trace(),
    "transpose": lambda x: x.transpose(1, 0),
    "transpose tuple": lambda x: x.transpose((1, 0)),
    "transpose all": lambda x: x.transpose(),
    "var": lambda x: x.var(),
    "shape": lambda x: (x.shape, x.ndim, x.size, x.itemsize, x.nbytes),
    "dtype": lambda x: np.zeros(2, x.dtype),
    "len": len,
    "flat": lambda x: list(x.flat),
    "iteration": lambda x: [row * 2 for row in x],
    "unpacking": lambda x: operator.sub(*x),
    "rows": lambda x: [a + b for a, b, _ in x],
}


@every_way
@pytest.mark.parametrize("name", METHODS)
def test_methods_and_attributes(name, way):
    f = METHODS[name]
    result, expected = way(f, MATRIX), f(MATRIX)
    for x, y in zip(ft.tree.leaves(result), ft.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-15)
        assert np.asarray(x).dtype == np.asarray(y).dtype


def test_sorting_in_place():
    def f(x):
        y = x * 1.0
        assert y.sort() is None
        return y

    same(on_tape(f, np.array([3.0, 1.0, 2.0])), THREE)


def test_probing_for_attributes():
    def f(x):
        assert not hasattr(x, "byteswap")
        assert not hasattr(x, "nothing_of_the_kind")
        for protocol in ("__array_interface__", "__array_struct__", "__len_hint__"):
            assert not hasattr(x, protocol)
        assert hasattr(x, "shape")
        assert getattr(x, "tofile", None) is None
        return x

    ft.grad(f)(2.0)
    with pytest.raises(AttributeError, match="'byteswap', although a NumPy array has it") as caught:
        ft.grad(lambda x: x.byteswap())(THREE)
    assert "test_traced_array.py" in str(caught.value)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ft.grad(lambda x: x.nothing)(THREE)


def test_what_numpy_asks_of_any_array():
    def f(x):
        assert np.shape(x) == (2, 3)
        assert np.ndim(x) == 2
        assert np.size(x) == 6
        assert np.result_type(x, np.float32) == np.float64
        assert np.zeros_like(x).shape == (2, 3)
        assert np.iscomplexobj(x) is False
        return np.sum(x)

    ft.grad(f)(MATRIX)
    ft.make_ir(f)(MATRIX)


def test_assigning_an_attribute_is_refused():
    for name in ("ndim", "dtype", "T", "anything"):
        with pytest.raises(AttributeError):
            on_tape(lambda x: setattr(x, name, 1), THREE)


@every_way
@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("other", [2, 2.5, np.float32(2.0), np.array([2.0, 1.0, 4.0]), [1, 2, 3]])
def test_operators_in_place(name, other, way):
    def f(x):
        y = x * 1.5
        alias = y
        y = IN_PLACE[name](y, other)
        assert y is alias
        return y, alias

    same(way(f, THREE), f(THREE))


@every_way
def test_matrix_product_in_place(way):
    square = np.array([[1.0, 2.0], [3.0, 4.0]])

    def f(x):
        y = x * 1.0
        y @= square
        return y

    same(way(f, square), f(square))


@every_way
@pytest.mark.parametrize("name", IN_PLACE)
def test_operators_in_place_rebind_scalars(name, way):
    def f(x):
        alias = x
        x = IN_PLACE[name](x, 2)
        return x, alias

    for x in (2.5, np.float64(2.5)):
        same(way(f, x), f(x))


@every_way
def test_a_result_must_fit_into_what_is_changed(way):
    def grow(x):
        x += np.ones((2, 3))
        return x

    with pytest.raises(errors.ShapeMismatchError, match=r"\(2, 3\).*\(3,\).*changed in place"):
        way(grow, THREE)

    def become_complex(x):
        x *= 1j
        return x

    with pytest.raises(errors.OperandError, match="complex128 does not fit"):
        way(become_complex, THREE)


@every_way
def test_the_dtype_stays_in_place(way):
    def f(x):
        y = x * 1
        y += np.float64(0.1)
        return y

    x = THREE.astype(np.float32)
    same(way(f, x), f(x))


def test_methods_of_plain_arrays_name_what_to_write():
    plain = np.ones((2, 2))
    for call, advice in (
        (lambda t: plain.dot(t), "write plain @ t"),
        (lambda t: plain[0].dot(plain).dot(t), "write plain[0].dot(plain) @ t"),
        (lambda t: plain.take(t), "write functrace.numpy.take(plain, t)"),
    ):
        for transform in (ft.jit, lambda f: lambda x: ft.vjp(f, x)):
            with pytest.raises(TypeError) as caught:
                transform(call)(np.ones(2))
            assert advice in str(caught.value)


def test_stable_sorts_by_methods():
    def ranks(x):
        order = x.argsort(stable=True)
        x.sort(stable=True)
        return x, order

    for transform in (ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]):
        found, order = transform(ranks)(np.array([2.0, 1.0, 2.0]))
        assert (found.tolist(), order.tolist()) == ([1.0, 2.0, 2.0], [1, 0, 2])


@pytest.mark.parametrize("transform", [ft.grad, ft.jit])
def test_methods_that_a_traced_array_has_not_say_what_to_write(transform):
    for use in (lambda x: x.resize((2,)), lambda x: x.tobytes()):
        with pytest.raises(AttributeError, match=r"zeros|come[s] back"):
            transform(lambda x, use=use: (use(x), np.sum(x))[1])(np.ones(3))


@pytest.mark.parametrize("transform", [ft.grad, ft.jit, lambda f: lambda x: ft.vmap(f)(x[None])])
def test_flags_and_strides_are_those_of_numpys_arrays(transform):
    def told(x):
        found = []
        arrays = (x + 1, (x + 1).T, x.T + 1, x[0], x.sum(), x.copy("F"), (x * 2)[:, ::2])
        for array in arrays:
            flags = array.flags
            found.append((flags.c_contiguous, flags["F"], flags.owndata, flags.writeable))
            if flags.forc:
                found.append((array.strides, np.ndim(array) and np.isfortran(array)))
        return found

    seen = []
    transform(lambda x: (seen.append(told(x)), np.sum(x))[1])(np.arange(6.0).reshape(2, 3))
    assert seen[-1] == told(np.arange(6.0).reshape(2, 3))


def test_strides_of_what_has_gaps_are_refused():
    with pytest.raises(AttributeError, match="ascontiguousarray"):
        ft.grad(lambda x: x[::2].strides[0] * np.sum(x))(np.ones(4))


def test_memory_is_handed_over_where_values_are_known():
    def f(x):
        with pytest.raises(errors.LostDerivativeError, match="DLPack"):
            np.from_dlpack(x)
        assert x.__dlpack_device__() == (1, 0)
        return np.sum(x)

    ft.grad(f)(np.ones(3))
    with pytest.raises(errors.UnknownValueError, match="DLPack"):
        ft.jit(lambda x: np.from_dlpack(x))(np.ones(3))

    def with_a_buffer(x):
        buffer = ft.numpy.zeros(3)
        buffer[0] = 2.0
        return np.sum(x * np.from_dlpack(buffer))

    np.testing.assert_array_equal(ft.grad(with_a_buffer)(np.ones(3)), [2.0, 0.0, 0.0])


def test_methods_that_are_functions_of_numpys():
    x = np.arange(3.0)
    for f in (
        lambda x: x.searchsorted(1.5),
        lambda x: (x > 1).choose([x, x * 2]),
        lambda x: x.compress([True, False, True]),
        lambda x: x.compress([True, False, True], 0) * x.argpartition(1)[:2],
    ):
        np.testing.assert_array_equal(ft.jit(f)(x), f(x))


def test_a_real_array_has_no_imaginary_part_to_assign():
    def f(x):
        x.imag = 3.0
        return x

    for x in (np.ones(2), np.array(1.5)):
        with pytest.raises(TypeError, match="imaginary part"):
            f(x.copy())
        for mode in (ft.jit(f), lambda x: ft.vjp(f, x), lambda x: ft.vmap(f)(x[None])):
            with pytest.raises(
                ft.errors.OperandError, match=r"(?s)imaginary part.*astype\(complex"
            ):
                mode(x)
