"""`functrace.numpy.vectorize`, against `numpy.vectorize`."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.testing import check_grads

X, Y = np.array([[1.5], [-0.5]]), np.array([1.0, -2.0, 3.0])
product = lambda a, b: (a @ b, np.sum(a))
MATRICES = {"signature": "(i,j),(j,k)->(i,k)"}
CASES = {
    "elements": (lambda x, y: x * np.sin(y), (X, Y), {}, {}),
    "keywords": (lambda x, y=2.0: x * y, (X,), {"y": Y}, {}),
    "scalars": (lambda x, y: x + y, (1.5, 2.0), {}, {}),
    "excluded": (lambda p, x: p[0] * x + p[1], (Y, X), {}, {"excluded": [0]}),
    "excluded by name": (lambda x, p: np.polyval(p, x), (Y,), {"p": Y}, {"excluded": ["p"]}),
    "otypes": (lambda x: x * 2, (Y,), {}, {"otypes": "f"}),
    "several": (lambda x, y: (x + y, x * y), (X, Y), {}, {}),
    "signature": (product, (np.ones((2, 1, 3)), Y), {}, {"signature": "(n),(n)->(),()"}),
    "matrices": (np.matmul, (np.ones((4, 2, 3)), np.ones((3, 2))), {}, MATRICES),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_that_of_numpy(name):
    f, args, kwargs, options = CASES[name]
    expected = np.vectorize(f, **options)(*args, **kwargs)
    ours = fnp.vectorize(f, **options)
    call = lambda *xs: ours(*xs, **kwargs)
    for found in (call(*args), ft.jit(call)(*args), ft.vjp(call, *args)[0]):
        for part, other in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-6)
    if name != "otypes":
        check_grads(call, args, order=2, modes=("fwd", "rev"))


def test_branches_where_values_are_known():
    @fnp.vectorize(otypes=[np.float64])
    def ramp(x, slope):
        """A ramp."""
        return slope * x if x > 0 else 0.0

    assert ramp.__doc__ == "A ramp."
    assert ramp.__name__ == "ramp"
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(ramp(x, 3.0)))(Y), [3.0, 0.0, 3.0])
    np.testing.assert_array_equal(ft.jacfwd(lambda t: ramp(t * Y, 3.0))(1.0), [3.0, 0.0, 9.0])


def test_what_does_not_fit_is_refused():
    rows = fnp.vectorize(product, signature="(n),(n)->(),()")
    for x, y in ((Y, np.ones(2)), (1.0, Y)):
        with pytest.raises(ValueError, match="dimension"):
            ft.vjp(rows, x, y)
    with pytest.raises(ValueError, match="operands"):
        ft.jit(rows)(Y)
