"""Fourier transforms by jax.lax's name."""

from __future__ import annotations

import numpy as np
import pytest

from functrace import errors, lax
from tests.lax.works import X, assert_same, assert_works


def test_all_types():
    spectrum = np.fft.rfft2(X)
    assert_works(lambda x: lax.fft(x, "RFFT", (3, 4)), spectrum, X)
    assert_works(lambda x: lax.fft(x, lax.FftType.FFT, [4]), np.fft.fft(X), X)
    assert_works(lambda x: np.real(lax.fft(x, "ifft", (3, 4))), np.fft.ifft2(X).real, X)
    assert_works(lambda x: lax.fft(x, "IRFFT", (3, 7)), np.fft.irfft2(X, (3, 7)), X)
    assert_same(lax.fft(spectrum, lax.FftType.IRFFT, (3, 4)), X)
    assert lax.fft(X.astype(np.float32), 2, (4,)).dtype == np.complex64
    assert lax.fft(X, "FFT", ()) is X


def test_what_does_not_fit():
    with pytest.raises(errors.ArgumentError, match="no transform 'dct': FFT, IFFT, RFFT, IRFFT"):
        lax.fft(X, "dct", [4])
    with pytest.raises(errors.ArgumentError, match=r"its last lengths are \(3,\)"):
        lax.fft(X, "IRFFT", (5,))
    with pytest.raises(errors.ArgumentError, match="fft_lengths=\\(2, 3, 4\\)"):
        lax.fft(X, "FFT", (2, 3, 4))
    with pytest.raises(errors.ArgumentError, match="takes real numbers, and was given complex128"):
        lax.fft(X + 0j, "RFFT", (4,))
