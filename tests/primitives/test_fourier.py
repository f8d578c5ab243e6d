"""Fourier transforms as primitives, beside their matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.ir.types import type_of
from functrace.primitives.fourier import fourier, fourier_of_real, fourier_to_real
from functrace.tracing.tracer import bind

NORMS = ("backward", "ortho", "forward")


def matrix(n, inverse, norm):
    """The definition of the transform, as a matrix."""
    numbers = np.arange(n)
    angles = 2 * np.pi * (np.outer(numbers, numbers) % n) / n
    power = {"backward": 0.0, "ortho": 0.5, "forward": 1.0}[norm]
    return np.exp((1j if inverse else -1j) * angles) * float(n) ** -(
        1 - power if inverse else power
    )


def drawn(shape, seed, is_complex):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if is_complex else x


sizes = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(sizes, st.booleans(), st.booleans(), st.sampled_from(NORMS))
def test_the_transform_is_a_symmetric_matrix(n, is_complex, inverse, norm):
    x, ct = drawn(n, 0, is_complex), drawn(n, 1, True)
    params = {"along": (0,), "inverse": inverse, "norm": norm}
    expected = matrix(n, inverse, norm)
    np.testing.assert_allclose(bind(fourier, x, **params), expected @ x, atol=1e-13)
    pulled = fourier.transpose(ct, type_of(x), **params)
    transposed = expected.T @ ct
    assert pulled.dtype == x.dtype
    np.testing.assert_allclose(pulled, transposed if is_complex else transposed.real, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(sizes, st.sampled_from(NORMS))
def test_the_transform_of_real_numbers(n, norm):
    x, ct = drawn(n, 0, False), drawn(n // 2 + 1, 1, True)
    expected = matrix(n, False, norm)[: n // 2 + 1]
    found = bind(fourier_of_real, x, axis=0, norm=norm)
    np.testing.assert_allclose(found, expected @ x, atol=1e-13)
    pulled = fourier_of_real.transpose(ct, type_of(x), axis=0, norm=norm)
    np.testing.assert_allclose(pulled, (expected.T @ ct).real, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(sizes, st.booleans(), st.sampled_from(NORMS))
def test_the_transform_to_real_numbers(n, is_complex, norm):
    half = n // 2 + 1
    x, ct = drawn(half, 0, is_complex), drawn(n, 1, False)
    # What the frequencies that are kept, and their conjugates, add to each of the real numbers.
    full = matrix(n, True, norm)
    params = {"axis": 0, "n": n, "norm": norm}
    is_twice = np.arange(half) != -np.arange(half) % n
    weighted = full[:, :half] * np.where(is_twice, 2, 1)
    by_real, by_imaginary = weighted.real, np.where(is_twice, -weighted.imag, 0)
    expected = by_real @ x.real + (by_imaginary @ x.imag if is_complex else 0)
    np.testing.assert_allclose(bind(fourier_to_real, x, **params), expected, atol=1e-13)
    pulled = fourier_to_real.transpose(ct, type_of(x), **params)
    assert pulled.dtype == x.dtype
    np.testing.assert_allclose(pulled.real, by_real.T @ ct, atol=1e-13)
    if is_complex:
        np.testing.assert_allclose(pulled.imag, -by_imaginary.T @ ct, atol=1e-13)


@pytest.mark.parametrize("letter", "?bHqefdgFDG")
def test_dtypes_are_numpys(letter):
    x = np.ones((2, 3), letter)
    params = {"along": (1,), "inverse": False, "norm": "backward"}
    assert fourier.infer(type_of(x), **params) == type_of(np.fft.fft(x))
    params = {"axis": 1, "n": 5, "norm": "backward"}
    assert fourier_to_real.infer(type_of(x), **params) == type_of(np.fft.irfft(x, 5))
    if x.dtype.kind != "c":
        params = {"axis": 1, "norm": "backward"}
        assert fourier_of_real.infer(type_of(x), **params) == type_of(np.fft.rfft(x))


def test_types_that_do_not_fit():
    empty, complex_numbers = type_of(np.ones((2, 0))), type_of(np.ones(3, complex))
    with pytest.raises(ValueError, match=r"Invalid number of FFT data points \(0\)"):
        fourier.infer(empty, along=(0, 1), inverse=False, norm="ortho")
    with pytest.raises(ValueError, match=r"Invalid number of FFT data points \(0\)"):
        fourier_of_real.infer(empty, axis=1, norm="ortho")
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        fourier.infer(empty, along=(2,), inverse=False, norm="ortho")
    with pytest.raises(TypeError, match="takes real numbers, and these are complex128"):
        fourier_of_real.infer(complex_numbers, axis=0, norm="ortho")
    with pytest.raises(ValueError, match="6 real numbers do not have 3 frequencies"):
        fourier_to_real.infer(complex_numbers, axis=0, n=6, norm="ortho")


def test_operations():
    x = type_of(np.ones((3, 8)))
    params = {"along": (1,), "inverse": False, "norm": "ortho"}
    output = fourier.infer(type_of(np.ones((3, 8), complex)), **params)
    assert fourier.operations([output], [output], **params) == 5 * 24 * 3
    half = fourier_of_real.infer(x, axis=1, norm="ortho")
    assert fourier_of_real.operations([x], [half], axis=1, norm="ortho") == 2.5 * 24 * 3
    assert fourier_to_real.operations([half], [x], axis=1, n=8, norm="ortho") == 2.5 * 24 * 3
