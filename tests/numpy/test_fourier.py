"""numpy.fft under every transformation, against NumPy and numerical derivatives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArrayWriteError
from functrace.testing import check_grads

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "rfftn", "irfft2", "irfftn")
OF_REAL = ("rfft", "ihfft", "rfft2", "rfftn")
NORMS = (None, "backward", "ortho", "forward")


def drawn(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = 3 * rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 3j * rng.normal(size=shape)
    return np.asarray(x).astype(dtype)


def assert_same(found, expected, rtol=0.0):
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol, 10 * rtol)


def assert_works(f, x, order=1, rtol=0.0):
    """NumPy's values where they are known and under jit, both modes, and all maps.

    To the bit along one axis; in which order NumPy takes several depends on its version.
    """
    expected = f(x)
    assert_same(ft.jit(f)(x), expected, rtol)
    examples = np.stack([x, 2 * x, x * x])
    rows = np.stack([f(example) for example in examples])
    for axis in range(x.ndim + 1):
        mapped = ft.vmap(f, in_axes=axis)(np.moveaxis(examples, 0, axis))
        assert mapped.dtype == rows.dtype
        np.testing.assert_allclose(mapped, rows, rtol=1e-12, atol=1e-12)
    if x.dtype.kind not in "fc":
        return
    value, pullback = ft.vjp(f, x)
    assert_same(value, expected, rtol)
    assert_same(ft.jvp(f, (x,), (x,))[1], expected, rtol)  # linear: the derivative along x is f(x)
    assert pullback(value)[0].dtype == x.dtype
    if x.dtype in (np.float64, np.complex128):
        check_grads(f, (x,), order=order)


@pytest.mark.thinned
@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize(
    ("shape", "axis", "n"),
    [
        ((1,), -1, None), ((2,), 0, None), ((3,), -1, None), ((4,), 0, 3), ((3,), -1, 6),
        ((2, 3), 0, None), ((2, 4), 1, 7), ((4, 2), 0, 2), ((0, 3), 1, 4), ((2, 0), 1, 3),
        ((3, 2, 3), 1, None), ((3, 1), 0, 1),
    ],
)  # fmt: skip
def test_along_one_axis(name, shape, axis, n):
    if name in ("irfft", "hfft") and (n is None and shape[axis] == 1):
        n = 1
    transform = getattr(np.fft, name)
    norm = NORMS[(sum(shape) + ONE.index(name)) % 4]
    for dtype in ("float64",) if name in OF_REAL else ("float64", "complex128"):
        x = drawn(shape, dtype)
        if shape[axis] == 0 and name in ("irfft", "hfft"):
            continue  # NumPy's are of what lies in memory
        assert_works(lambda x: transform(x, n, axis, norm), x, order=2 if len(shape) == 1 else 1)


@pytest.mark.thinned
@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 3), {}),
        ((3, 2, 4), {}),
        ((3, 2, 4), {"axes": (0, 2)}),
        ((3, 4), {"axes": (1, 0), "norm": "forward"}),
        ((2, 3, 3), {"s": (4, 2), "axes": (0, 2), "norm": "ortho"}),
        ((3, 3), {"s": (2, -1), "axes": (-1, 0)}),
        ((3, 4), {"axes": (1, 1)}),
        ((3, 4), {"s": (3, 5), "axes": (1, 1)}),
        ((4,), {"axes": (0,), "norm": "ortho"}),
    ],
)
def test_along_several_axes(name, shape, options):
    transform = getattr(np.fft, name)
    if name in OF_REAL and options.get("axes") == (1, 1) and "s" not in options:
        options = options | {"s": (3, 4)}
    for dtype in ("float64",) if name in OF_REAL else ("float64", "complex128"):
        assert_works(lambda x: transform(x, **options), drawn(shape, dtype), rtol=1e-13)


@pytest.mark.parametrize("name", [*ONE, "fftn", "rfftn", "irfftn", "fftshift", "ifftshift"])
@pytest.mark.parametrize("letter", "?bHqefgFG")
def test_dtypes(name, letter):
    x = np.abs(drawn((2, 4), letter)).astype(letter)
    if x.dtype.kind == "c" and name in OF_REAL:
        for run in (ft.jit, lambda f: lambda x: ft.vjp(f, x)):
            with pytest.raises(TypeError):
                run(getattr(np.fft, name))(x)
        return
    for norm in (None,) if "shift" in name else (None, "ortho"):
        options = {} if norm is None else {"norm": norm}
        f = lambda x, options=options: getattr(np.fft, name)(x, **options)
        expected = f(x)
        assert_same(ft.jit(f)(x), expected)
        if x.dtype.kind in "fc":
            value, pullback = ft.vjp(f, x)
            assert_same(value, expected)
            assert pullback(expected)[0].dtype == x.dtype


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
@pytest.mark.parametrize("axes", [None, 0, -1, (0, 1), (1, 1), ()])
def test_shifts(name, axes):
    for shape in ((2, 3), (5, 4), (0, 3), (1, 1, 2)):
        assert_works(lambda x: getattr(np.fft, name)(x, axes), drawn(shape, "float64"))
    assert_works(lambda x: getattr(np.fft, name)(x, axes), drawn((3, 2), "complex128"))


def test_the_spacing_of_frequencies_may_be_traced():
    for frequencies, n in itertools.product((np.fft.fftfreq, np.fft.rfftfreq), (1, 4, 5)):
        f = lambda d, frequencies=frequencies, n=n: frequencies(n, d)
        np.testing.assert_array_equal(ft.jit(f)(0.5), f(0.5))
        check_grads(f, (0.5,), order=2)


@pytest.mark.parametrize(
    ("f", "shape"),
    [
        (np.fft.fft, (0,)),
        (np.fft.fft, ()),
        (lambda x: np.fft.fft(x, 0), (3,)),
        (lambda x: np.fft.fft(x, -2), (3,)),
        (lambda x: np.fft.fft(x, 2.0), (3,)),
        (lambda x: np.fft.fft(x, 2, axis=1), (3,)),
        (lambda x: np.fft.ifft(x, axis=3), (3, 2)),
        (lambda x: np.fft.fft(x, norm="backwards"), (3,)),
        (lambda x: np.fft.irfft(x, norm="backwards"), (3,)),
        (lambda x: np.fft.hfft(x, norm=1), (3,)),
        (np.fft.irfft, (1,)),
        (np.fft.hfft, (1,)),
        (np.fft.rfft, (2, 0)),
        (np.fft.fftn, (2, 0)),
        (np.fft.fft2, (3,)),
        (np.fft.rfftn, ()),
        (lambda x: np.fft.fftn(x, (2,), (0, 1)), (3, 2)),
        (lambda x: np.fft.irfftn(x, (2, 0), (0, 1)), (3, 2)),
        (lambda x: np.fft.fftn(x, axes=0), (3, 2)),
    ],
)
def test_errors_are_numpys(f, shape):
    x = np.ones(shape)
    with pytest.raises((ValueError, TypeError, IndexError)) as expected:
        f(x)
    for run in (
        ft.jit,
        lambda f: lambda x: ft.vjp(f, x),
        lambda f: lambda x: ft.jvp(f, (x,), (x,)),
    ):
        with pytest.raises((ValueError, TypeError, IndexError)) as found:
            run(f)(x)
        kinds = (ValueError, TypeError, IndexError)
        assert [issubclass(found.type, kind) for kind in kinds] == [
            issubclass(expected.type, kind) for kind in kinds
        ]


def test_lengths_without_axes_are_deprecated_as_numpy_has_it():
    x = np.ones((3, 4))
    for f in (lambda x: np.fft.fftn(x, (2,)), lambda x: np.fft.rfftn(x, (2, None), (0, 1))):
        with pytest.warns(DeprecationWarning, match="NumPy 2.0"):
            expected = f(x)
        with pytest.warns(DeprecationWarning, match="NumPy 2.0"):
            found = ft.vjp(f, x)[0]
        assert_same(found, expected)


def test_memory_for_the_result():
    x = drawn((2, 4), "float64")

    def into(transform, dtype, length):
        def f(x):
            out = np.zeros_like(x, dtype, shape=(2, length))
            assert transform(x, out=out) is out
            return out

        return f

    for name, dtype, length in (
        ("fft", complex, 4), ("ifftn", complex, 4), ("rfft", complex, 3), ("irfft2", float, 6),
        ("ihfft", complex, 3),
    ):  # fmt: skip
        transform = getattr(np.fft, name)
        found, pullback = ft.vjp(into(transform, dtype, length), x)
        assert_same(found, transform(x))
        np.testing.assert_allclose(pullback(found)[0], ft.vjp(transform, x)[1](found)[0])
        assert_same(ft.jit(into(transform, dtype, length))(x), transform(x))
    with pytest.raises(ValueError, match="does not fit"):
        ft.vjp(into(np.fft.fft, complex, 3), x)
    with pytest.raises(ArrayWriteError):
        ft.vjp(lambda x: np.fft.fft(x, out=np.zeros((2, 4), complex)), x)


def test_lists_of_traced_values():
    f = lambda t: np.abs(ft.numpy.fft.fft([t, 2.0, t * t]))
    np.testing.assert_allclose(f(3.0), np.abs(np.fft.fft([3.0, 2.0, 9.0])))
    check_grads(f, (3.0,), order=2)
    g = lambda t: ft.numpy.fft.fftshift([t, 2.0, t * t])
    np.testing.assert_array_equal(ft.jit(g)(3.0), [9.0, 3.0, 2.0])


def test_frequencies_that_are_their_own_conjugates_have_no_imaginary_part():
    """Nor do their gradients; all others count twice."""
    for n in (4, 5):
        spectrum = np.fft.rfft(drawn(n, "float64")) + 1j
        gradient = ft.grad(lambda h, n=n: np.sum(np.fft.irfft(h, n) ** 2))(spectrum)
        own = [0, -1] if n % 2 == 0 else [0]
        np.testing.assert_array_equal(gradient[own].imag, 0)
        assert np.all(gradient[1:2].imag != 0)


def test_parsevals_theorem_has_parsevals_gradient():
    for n in (1, 2, 7, 8):
        x = drawn(n, "float64")
        power = lambda x: np.sum(np.abs(np.fft.fft(x, norm="ortho")) ** 2)
        np.testing.assert_allclose(ft.grad(power)(x), 2 * x, atol=1e-13)
        np.testing.assert_allclose(ft.hessian(power)(x), 2 * np.eye(n), atol=1e-12)


def test_a_map_transforms_all_examples_at_once():
    f = ft.vmap(lambda x: np.fft.irfft(np.fft.rfft(x, 6) * 2, 6))
    names = [equation.primitive.name for equation in ft.make_ir(f)(np.ones((50, 4))).equations]
    assert names.count("rfft") == names.count("irfft") == 1
    assert len(names) <= 5
