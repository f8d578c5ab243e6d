"""Convolutions, filters and spectra under SciPy's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

import functrace as ft
from functrace.errors import ArgumentError
from functrace.scipy import signal
from functrace.testing import check_grads
from tests.scipy.rows import check

rng = np.random.default_rng(21)
X, Y, LONG = rng.normal(size=12), rng.normal(size=5), rng.normal(size=(2, 40))
A, B = rng.normal(size=(4, 5)), rng.normal(size=(3, 2))
C = A + 1j * rng.normal(size=(4, 5))
NUMERATOR, DENOMINATOR = np.array([0.5, 0.3, -0.2]), np.array([2.0, -0.6, 0.3, 0.1])
HELD = rng.normal(size=3)
SOS = np.array([[0.5, 0.2, 0.1, 1, -0.3, 0.1], [1.0, -0.4, 0.2, 1, 0.2, -0.3]])
SECTIONS = np.ascontiguousarray(SOS[:, [0, 1, 2, 4, 5]])


def sos_of(x):
    """With the coefficient that must be 1."""
    return np.concatenate([x[:, :3], np.ones_like(x[:, :1]), x[:, 3:]], axis=1)


ROWS = {
    **{
        f"convolve, {mode}, {method}": (
            lambda m, x, y, mode=mode, method=method: m.convolve(x, y, mode, method),
            (X, Y),
        )
        for mode in ("full", "same", "valid")
        for method in ("direct", "fft")
    },
    "convolve, matrices": (lambda m, x, y: m.convolve(x, y, "same", "direct"), (A, B)),
    "convolve, complex": (lambda m, x, y: m.convolve(x, y), (C, B)),
    "convolve, a larger kernel": (lambda m, x, y: m.convolve(x, y, "same"), (Y, X)),
    "convolve, valid and larger": (lambda m, x, y: m.convolve(x, y, "valid"), (B, A)),
    "correlate": (lambda m, x, y: m.correlate(x, y), (X, Y)),
    "correlate, complex": (lambda m, x, y: m.correlate(x, y, "same"), (C, C[:2, :2])),
    "correlate, valid": (lambda m, x, y: m.correlate(x, y, "valid", "fft"), (Y, X)),
    "fftconvolve": (lambda m, x, y: m.fftconvolve(x, y, "same"), (A, B)),
    "fftconvolve, axes": (lambda m, x, y: m.fftconvolve(x, y, axes=1), (A, A[:1, :3])),
    "oaconvolve": (lambda m, x, y: m.oaconvolve(x, y), (LONG[0], Y)),
    "convolve2d": (lambda m, x, y: m.convolve2d(x, y), (A, B)),
    "convolve2d, wrap": (lambda m, x, y: m.convolve2d(x, y, "same", "wrap"), (A, B)),
    "convolve2d, symm": (lambda m, x, y: m.convolve2d(x, y, "full", "symm"), (A, B)),
    "convolve2d, fill": (lambda m, x, y: m.convolve2d(x, y, "same", "fill", 2.0), (A, B)),
    "convolve2d, valid": (lambda m, x, y: m.convolve2d(x, y, "valid"), (B, A)),
    "correlate2d": (lambda m, x, y: m.correlate2d(x, y, "same", "symm"), (C, B)),
    "lfilter": (lambda m, b, a, x: m.lfilter(b, a, x), (NUMERATOR, DENOMINATOR, X)),
    "lfilter, axis": (lambda m, b, a, x: m.lfilter(b, a, x, axis=0), (NUMERATOR, DENOMINATOR, A)),
    "lfilter, no recursion": (lambda m, b, a, x: m.lfilter(b, a, x), (Y, DENOMINATOR[:1], LONG)),
    "lfilter, held": (
        lambda m, b, a, x, zi: m.lfilter(b, a, x, zi=zi),
        (NUMERATOR, DENOMINATOR, X, HELD),
    ),
    "lfilter, held and short": (
        lambda m, b, a, x, zi: m.lfilter(b, a, x, zi=zi),
        (NUMERATOR, DENOMINATOR, X[:2], HELD),
    ),
    "lfilter_zi": (lambda m, b, a: m.lfilter_zi(b, a), (NUMERATOR, DENOMINATOR)),
    "sosfilt": (lambda m, s, x: m.sosfilt(sos_of(s), x), (SECTIONS, X)),
    "sosfilt, held": (
        lambda m, s, x, zi: m.sosfilt(sos_of(s), x, axis=0, zi=zi),
        (SECTIONS, A, rng.normal(size=(2, 2, 5))),
    ),
    "filtfilt": (lambda m, b, a, x: m.filtfilt(b, a, x), (NUMERATOR, DENOMINATOR, LONG)),
    "filtfilt, even": (
        lambda m, b, a, x: m.filtfilt(b, a, x, padtype="even", padlen=4),
        (NUMERATOR, DENOMINATOR, X),
    ),
    "hilbert": (lambda m, x: m.hilbert(x), (X,)),
    "hilbert, odd": (lambda m, x: m.hilbert(x, 7, axis=0), (A,)),
    "detrend": (lambda m, x: m.detrend(x), (X,)),
    "detrend, constant": (lambda m, x: m.detrend(x, type="constant", axis=0), (A,)),
    "detrend, broken": (lambda m, x: m.detrend(x, bp=[5, 8]), (X,)),
    "stft": (lambda m, x: m.stft(x, nperseg=8), (LONG,)),
    "stft, density": (
        lambda m, x: m.stft(x, 2.0, nperseg=8, noverlap=6, nfft=11, scaling="psd", boundary="even"),
        (LONG,),
    ),
    "istft": (
        lambda m, x: m.istft(m.stft(x, nperseg=8)[2], nperseg=8),
        (LONG,),
    ),
    "welch": (lambda m, x: m.welch(x, nperseg=8), (LONG,)),
    "welch, median": (lambda m, x: m.welch(x, nperseg=9, average="median"), (LONG[0],)),
    "welch, a window": (
        lambda m, x: m.welch(x, 3.0, ("gaussian", 2.0), 8, scaling="spectrum", axis=1),
        (LONG,),
    ),
    "periodogram": (lambda m, x: m.periodogram(x), (LONG,)),
    "periodogram, long": (lambda m, x: m.periodogram(x, 2.0, "hann", 50, "linear"), (LONG,)),
    "periodogram, short": (lambda m, x: m.periodogram(x, nfft=20), (LONG,)),
    "csd": (lambda m, x, y: m.csd(x, y, nperseg=8), (LONG[0], LONG[1])),
    "coherence": (lambda m, x, y: m.coherence(x, y, nperseg=8), (LONG[0], LONG[1])),
    "spectrogram": (lambda m, x: m.spectrogram(x, nperseg=8), (LONG,)),
    "spectrogram, magnitude": (
        lambda m, x: m.spectrogram(x, nperseg=8, mode="magnitude"),
        (LONG[0],),
    ),
}
BY_FFT = {name for name in ROWS if "fft" in name or "oa" in name or "hilbert" in name}
SECOND = ("convolve, full, fft", "convolve2d", "lfilter", "sosfilt", "welch", "lfilter, held")


@pytest.mark.thinned
@pytest.mark.parametrize("name", ROWS)
def test_as_scipy(name):
    row, args = ROWS[name]
    static = ("dtype",) if args[0].size > 12 or "filt" in name else ()
    order = 2 if name in SECOND else 1
    check(row, signal, scipy.signal, args, order=order, rtol=1e-8, static=static)


def test_whole_numbers():
    for call in (
        lambda m: m.convolve([1, 2, 3], [0, 1, 2], "same"),
        lambda m: m.correlate(np.arange(5), np.arange(3)),
        lambda m: m.convolve(np.arange(6).reshape(2, 3), np.ones((2, 2), int)),
        lambda m: m.convolve(3, 4),
    ):
        found, expected = call(signal), call(scipy.signal)
        np.testing.assert_array_equal(found, expected)
        assert np.asarray(found).dtype == np.asarray(expected).dtype


def test_the_gradient_of_a_filter_is_a_filter_over_the_reversed_cotangent():
    pull = ft.vjp(lambda x: signal.lfilter(NUMERATOR, DENOMINATOR, x), X)[1]
    cotangent = rng.normal(size=12)
    expected = scipy.signal.lfilter(NUMERATOR, DENOMINATOR, cotangent[::-1])[::-1]
    np.testing.assert_allclose(pull(cotangent)[0], expected, atol=1e-12)


def test_each_signal_its_own_filter():
    many = np.stack([DENOMINATOR, 1.1 * DENOMINATOR])
    found = ft.vmap(lambda a: signal.lfilter(NUMERATOR, a, A))(many)
    np.testing.assert_allclose(found[1], scipy.signal.lfilter(NUMERATOR, many[1], A))
    f = lambda a: np.sum(ft.vmap(lambda a: signal.lfilter(NUMERATOR, a, A))(a) ** 2)
    check_grads(f, (many,), order=1)


def test_errors_are_scipys():
    for call in (
        lambda m: m.convolve(A, X),
        lambda m: m.convolve(A, B, "no"),
        lambda m: m.convolve(X, Y, method="no"),
        lambda m: m.fftconvolve(A, np.ones((5, 2)), "valid"),
        lambda m: m.convolve2d(X, Y),
        lambda m: m.convolve2d(A, B, boundary="no"),
        lambda m: m.lfilter(A, DENOMINATOR, X),
        lambda m: m.lfilter(NUMERATOR, DENOMINATOR, X, zi=np.ones(7)),
        lambda m: m.sosfilt(A, X),
        lambda m: m.filtfilt(NUMERATOR, DENOMINATOR, X[:3]),
        lambda m: m.hilbert(C),
        lambda m: m.hilbert(X, 0),
        lambda m: m.detrend(X, type="no"),
        lambda m: m.detrend(X, bp=20),
        lambda m: m.stft(X, nperseg=8, noverlap=8),
        lambda m: m.stft(X, nperseg=8, scaling="no"),
        lambda m: m.istft(X),
        lambda m: m.welch(X, nperseg=8, average="no"),
        lambda m: m.spectrogram(X, mode="no"),
        lambda m: m.stft(X, window=np.ones(20)),
    ):
        for module in (scipy.signal, signal):
            with pytest.raises(ValueError):  # noqa: PT011  (each has its own words)
                call(module)
    with pytest.raises(NotImplementedError):
        signal.lfilter([1], [1, 2], [1, 2])
    with pytest.raises(ArgumentError, match="pad"):
        signal.filtfilt(NUMERATOR, DENOMINATOR, X, method="gust")


def test_coefficients_in_lists_may_be_traced():
    x = np.array([1.0, 2.0, -1.0])
    of_list = lambda q: np.sum(signal.lfilter([q, 0.2], [1, q], x) ** 2)
    of_array = lambda q: np.sum(signal.lfilter(np.stack([q, 0.2]), np.stack([1.0, q]), x) ** 2)
    np.testing.assert_allclose(ft.grad(of_list)(0.5), ft.grad(of_array)(0.5))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_a_convolution_along_some_axes(mode):
    x, y = rng.normal(size=(3, 5, 4, 2)), rng.normal(size=(2, 3, 7, 3))
    convolve = lambda x, y: signal.convolve(x, y, mode, axes=([1, 2], [1, 3]), dot_axes=([3], [0]))
    parts = lambda i, j: [scipy.signal.convolve(x[i, ..., n], y[n, :, j], mode) for n in (0, 1)]
    expected = np.array([[sum(parts(i, j)) for j in range(7)] for i in range(3)])
    np.testing.assert_allclose(convolve(x, y), expected, rtol=1e-12, atol=1e-14)
    check_grads(convolve, (x, y), order=2, modes=("fwd", "rev"))
    swapped = signal.convolve(y, x, mode, axes=([1, 3], [1, 2]), dot_axes=([0], [3]))
    if mode != "same":
        np.testing.assert_allclose(np.moveaxis(swapped, 0, 1), expected, rtol=1e-12, atol=1e-14)
    product = signal.convolve(x, y, mode, axes=([], []), dot_axes=([3], [0]))
    np.testing.assert_allclose(product, np.tensordot(x, y, 1), rtol=1e-12)


def test_the_precision_of_a_peer_has_no_effect():
    for name in ("convolve", "correlate", "convolve2d", "correlate2d"):
        f = getattr(signal, name)
        np.testing.assert_array_equal(f(A, B, precision="highest"), f(A, B))


def test_sizes_along_some_axes_must_fit():
    with pytest.raises(ValueError, match="at least as large as the other in every dimension"):
        signal.convolve(np.ones((3, 2)), np.ones((2, 3)), "valid", axes=([0, 1], [0, 1]))
