"""Fourier, cosine and sine transforms under SciPy's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

import functrace as ft
from functrace.scipy import fft
from functrace.testing import check_grads
from tests.scipy.rows import check

rng = np.random.default_rng(4)
X, A, Z = rng.normal(size=6), rng.normal(size=(3, 4)), rng.normal(size=5) + 1j * rng.normal(size=5)
FAMILIES = ("dct", "idct", "dst", "idst")
FOURIER = (
    "fft",
    "ifft",
    "rfft",
    "irfft",
    "hfft",
    "ihfft",
    "fft2",
    "rfft2",
    "fftn",
    "ifftn",
    "rfftn",
)


@pytest.mark.parametrize("type", [1, 2, 3, 4])
@pytest.mark.parametrize("name", FAMILIES)
def test_transforms_of_each_type_are_scipys(name, type):
    ours, theirs = getattr(fft, name), getattr(scipy.fft, name)
    for norm in (None, "backward", "ortho", "forward"):
        for orthogonalize in (None, False, True):
            for n in (None, 3, 9):
                given = {"n": n, "norm": norm, "orthogonalize": orthogonalize}
                np.testing.assert_allclose(
                    ours(X, type, **given), theirs(X, type, **given), atol=1e-13
                )
                parts = theirs(Z.real, type, **given), theirs(Z.imag, type, **given)
                expected = parts[0] + 1j * parts[1]  # SciPy's leaves orthogonalize out
                np.testing.assert_allclose(ours(Z, type, **given), expected, atol=1e-13)
        np.testing.assert_allclose(ours(A, type, axis=0), theirs(A, type, axis=0), atol=1e-13)


@pytest.mark.parametrize("name", FAMILIES)
def test_transforms_along_several_axes_are_scipys(name):
    ours, theirs = getattr(fft, f"{name}n"), getattr(scipy.fft, f"{name}n")
    for given in (
        {}, {"norm": "ortho"}, {"s": (2, 5)}, {"s": 3}, {"axes": 1}, {"s": [2], "axes": [0]},
        {"axes": (1, 0), "type": 3},
    ):  # fmt: skip
        np.testing.assert_allclose(ours(A, **given), theirs(A, **given), atol=1e-13)
    with pytest.raises(ValueError, match="of the same length"):
        ours(A, s=(2, 3), axes=(0,))


@pytest.mark.parametrize("name", FAMILIES)
def test_rules_of_transforms(name):
    for kind in (1, 2, 3, 4):
        row = lambda m, x, kind=kind: getattr(m, name)(x, kind, norm="forward")
        check(row, fft, scipy.fft, (X,))
    check(lambda m, x: getattr(m, f"{name}n")(x), fft, scipy.fft, (A,), order=1)


@pytest.mark.parametrize("name", FOURIER)
def test_fourier_transforms_take_scipys_arguments(name):
    x = Z if name in ("irfft", "hfft") else A
    ours, theirs = getattr(fft, name), getattr(scipy.fft, name)
    found = ours(x, None, norm="ortho", workers=1, overwrite_x=False)
    np.testing.assert_allclose(found, theirs(x, norm="ortho"), atol=1e-14)
    check_grads(lambda x: ours(x), (x,), order=1)


def test_errors_and_other_names():
    for call in (
        lambda m: m.dct(X, 5), lambda m: m.dct(X, norm="no"),
    ):  # fmt: skip
        for module in (fft, scipy.fft):
            with pytest.raises(ValueError, match=r"type|norm|size|points"):
                call(module)
    assert fft.next_fast_len is scipy.fft.next_fast_len
    assert fft.dct(np.arange(4)).dtype == np.float64
    assert fft.dct(np.ones(4, np.float32)).dtype == np.float32
    np.testing.assert_array_equal(fft.fftshift(X), scipy.fft.fftshift(X))
    assert ft.grad(lambda x: np.sum(fft.ifftshift(x)[:2]))(X).sum() == 2
