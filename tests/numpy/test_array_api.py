"""The Array API standard on traced values, and libraries that are written for any arrays."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.tracing.tables import FUNCTIONS

X = np.array([[0.5, 1.5, 2.5], [1.0, -0.5, 0.25]])

_NAMES = """
abs acos acosh add arange argmax argmin argsort asarray asin asinh astype atan atan2 atanh all any
bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor bool
broadcast_arrays broadcast_shapes broadcast_to can_cast ceil clip complex128 complex64 concat conj
copysign cos cosh count_nonzero cumulative_prod cumulative_sum diff divide e empty empty_like
equal exp expand_dims expm1 eye finfo flip float32 float64 floor floor_divide from_dlpack full
full_like greater greater_equal hypot iinfo imag inf int16 int32 int64 int8 isdtype isfinite isin
isinf isnan less less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not
logical_or logical_xor matmul matrix_transpose max maximum mean meshgrid min minimum moveaxis
multiply nan negative newaxis nextafter nonzero not_equal ones ones_like permute_dims pi positive
pow prod real reciprocal remainder repeat reshape result_type roll round searchsorted sign signbit
sin sinh sort sqrt square squeeze stack std subtract sum take take_along_axis tan tanh tensordot
tile tril triu trunc uint16 uint32 uint64 uint8 unique_all unique_counts unique_inverse
unique_values unstack var vecdot where zeros zeros_like __array_api_version__
__array_namespace_info__ linalg.cholesky linalg.cross linalg.det linalg.diagonal linalg.eig
linalg.eigh linalg.eigvals linalg.eigvalsh linalg.inv linalg.matmul linalg.matrix_norm
linalg.matrix_power linalg.matrix_rank linalg.matrix_transpose linalg.outer linalg.pinv linalg.qr
linalg.slogdet linalg.solve linalg.svd linalg.svdvals linalg.tensordot linalg.trace linalg.vecdot
linalg.vector_norm fft.fft fft.fftfreq fft.fftn fft.fftshift fft.hfft fft.ifft fft.ifftn
fft.ifftshift fft.ihfft fft.irfft fft.irfftn fft.rfft fft.rfftfreq fft.rfftn
"""
STANDARD = _NAMES.split()
"""Every name of the standard 2025.12, with both extensions."""


def holds(f, x=X, compiled=True):
    """A function computes the same under each transformation, and has right derivatives."""
    expected = np.asarray(f(x))
    found = ft.vjp(f, x)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    ft.testing.check_grads(f, (x,), order=1, modes=("rev", "fwd"), rtol=1e-5)
    if compiled:
        np.testing.assert_allclose(ft.jit(f)(x), expected, rtol=1e-12)
        both = ft.vmap(f)(np.stack([x, 2 * x]))
        np.testing.assert_allclose(both, np.stack([expected, f(2 * x)]), rtol=1e-10)


def standard(f):
    """A function of an array and of the namespace that the array itself names."""
    return lambda x: f(x, x.__array_namespace__())


@pytest.mark.parametrize("name", STANDARD)
def test_the_namespace_has_every_name(name):
    try:
        attrgetter(name)(np)
    except AttributeError:
        pytest.skip("this NumPy has none")
    assert hasattr(attrgetter(name)(fnp), "__doc__")


def test_a_traced_array_names_its_namespace():
    def f(x):
        assert x.__array_namespace__() is fnp
        assert x.__array_namespace__(api_version="2022.12") is fnp
        with pytest.raises(ValueError, match=r"2099\.12"):
            x.__array_namespace__(api_version="2099.12")
        assert x.device == "cpu"
        assert x.to_device(x.device) is x
        with pytest.raises(ValueError, match="gpu"):
            x.to_device("gpu")
        return x.sum()

    ft.grad(f)(X)
    ft.jit(f)(X)
    if hasattr(np, "__array_namespace_info__"):  # from NumPy 2.1 on
        assert fnp.__array_namespace_info__().default_device() == "cpu"


def test_functions_by_the_names_of_the_standard():
    for f in (
        lambda x, xp: xp.concat([xp.permute_dims(x, (1, 0)), x.mT], axis=1),
        lambda x, xp: xp.astype(x, xp.float64) * xp.asarray(2.0, dtype=x.dtype),
        lambda x, xp: xp.pow(xp.abs(x), 1.5) + xp.atan2(x, xp.ones_like(x)),
        lambda x, xp: xp.linalg.vector_norm(x, axis=-1) + xp.var(x, axis=-1, correction=1),
        lambda x, xp: xp.linalg.matrix_transpose(x) @ xp.linalg.pinv(x).mT,
        lambda x, xp: xp.real(xp.fft.fft(x)) + xp.take(x, xp.asarray([2, 0, 1]), axis=1),
        lambda x, xp: xp.stack(xp.broadcast_arrays(x[0], x[1])) * xp.isdtype(x.dtype, "numeric"),
        lambda x, xp: xp.clip(x, -0.25, xp.max(x)) + xp.zeros(3, device=x.device, dtype=x.dtype),
        lambda x, xp: xp.sort(x, axis=-1) * xp.expand_dims(xp.argmax(x, axis=-1), axis=-1),
    ):
        holds(standard(f))
    if hasattr(np, "cumulative_sum"):  # from NumPy 2.1 on
        holds(standard(lambda x, xp: xp.cumulative_sum(x, axis=1, include_initial=True)))


@pytest.mark.skipif(np.unique_counts not in FUNCTIONS, reason="has no rule yet")
def test_sets_where_values_are_known():
    def f(x):
        xp = x.__array_namespace__()
        values, counts = xp.unique_counts(xp.reshape(x, (-1,)))
        return xp.sum(values**2 * counts)

    np.testing.assert_allclose(ft.grad(f)(X), 2 * X)


# Libraries


def test_array_api_compat():
    compat = pytest.importorskip("array_api_compat")

    def f(x):
        assert compat.is_array_api_obj(x)
        xp = compat.array_namespace(x, fnp.asarray(X))
        y = compat.to_device(x, compat.device(x))
        return xp.sum(xp.concat([xp.matrix_transpose(y), xp.matrix_transpose(x)]) ** 2) / (
            compat.size(x)
        )

    assert isinstance(f(X), float)
    holds(f)


def test_plain_arrays_join_traced_ones_by_functrace_numpy():
    compat = pytest.importorskip("array_api_compat")
    with pytest.raises(TypeError, match="Multiple namespaces"):
        ft.grad(lambda x: compat.array_namespace(x, X).sum(x))(X)
    ft.grad(lambda x: compat.array_namespace(x, fnp.asarray(X)).sum(x))(X)


def test_einops():
    einops = pytest.importorskip("einops.array_api")
    holds(lambda x: einops.rearrange(x, "a b -> (b a)"))
    holds(lambda x: einops.reduce(x, "a b -> a", "mean") * einops.reduce(x, "a b -> a", "max"))
    holds(lambda x: einops.repeat(x, "a b -> a b c", c=2))
    holds(lambda x: einops.pack([x, x**2], "a *")[0])


def test_xarray():
    xarray = pytest.importorskip("xarray")

    def labelled(x):
        return xarray.DataArray(x, dims=("a", "b"), coords={"b": [1, 2, 3]})

    holds(lambda x: labelled(x).sum("a").data)
    holds(lambda x: np.exp(labelled(x).sel(b=2)).data)
    holds(lambda x: xarray.dot(labelled(x), labelled(x), dim="b").data)
    holds(lambda x: xarray.concat([labelled(x), labelled(x**2)], "c").transpose("b", "a", "c").data)
    holds(lambda x: xarray.Dataset({"u": (("a", "b"), x)}).std()["u"].data)
    holds(lambda x: xarray.where(labelled(x) > 0, labelled(x), 0.5).data)
    holds(lambda x: labelled(x).rolling(b=2).mean().data[:, 1:])
    holds(lambda x: xarray.apply_ufunc(np.sin, labelled(x)).diff("b").data)
    # A traced value beside labelled numbers, where xarray looks for attributes of its own.
    holds(lambda x: (xarray.DataArray(np.arange(3.0), dims="b") * x[0]).data)
    holds(lambda x: (x[0] * xarray.DataArray(np.arange(3.0), dims="b") + x[1]).data)


_SCIPY = """
import numpy as np
import scipy.cluster.vq, scipy.integrate, scipy.signal, scipy.special, scipy.stats
from scipy.spatial.transform import Rotation
from tests.numpy.test_array_api import holds

for name in ("gmean", "zscore", "skew", "kurtosis", "moment", "sem", "gzscore"):
    holds(lambda x: getattr(scipy.stats, name)(x**2 + 1))
for name in ("logsumexp", "softmax", "log_softmax"):
    holds(getattr(scipy.special, name))
holds(scipy.integrate.trapezoid)
holds(scipy.integrate.cumulative_trapezoid)
holds(lambda x: np.real(scipy.signal.hilbert(x)))
holds(lambda x: scipy.signal.fftconvolve(x[0], x[1]))
holds(lambda x: scipy.cluster.vq.whiten(x))
holds(lambda x: Rotation.from_rotvec(x).as_matrix())
holds(lambda x: scipy.stats.hmean(x**2 + 1), compiled=False)  # looks whether numbers are negative
"""


_SCIKIT_LEARN = """
from sklearn import config_context, decomposition, linear_model, metrics, preprocessing
import pytest
import functrace as ft
from functrace.errors import LostDerivativeError
from tests.numpy.test_array_api import X, holds

with config_context(array_api_dispatch=True, assume_finite=True):
    holds(preprocessing.normalize)
    holds(metrics.pairwise.rbf_kernel)
    holds(metrics.pairwise.cosine_similarity)
    holds(lambda x: decomposition.PCA(1, svd_solver="full").fit_transform(x) ** 2)
    # These ask for values, which are known under grad only.
    holds(lambda x: preprocessing.StandardScaler().fit_transform(x**2), compiled=False)
    holds(lambda x: preprocessing.MinMaxScaler().fit_transform(x[:, :1]), compiled=False)
    holds(lambda x: linear_model.Ridge(solver="svd").fit(x, x[:, 0] ** 2).coef_, compiled=False)
    with pytest.raises(LostDerivativeError, match="float"):  # metrics are numbers of Python's
        ft.grad(lambda x: metrics.mean_squared_error(ft.numpy.asarray(X[0]), x[0]))(X)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("package", "program"), [("scipy", _SCIPY), ("sklearn", _SCIKIT_LEARN)])
def test_libraries_that_take_any_arrays_once_told_so(package, program):
    pytest.importorskip("array_api_compat")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not there")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},  # is read when SciPy is imported
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
