"""Lists of traced values, wherever NumPy takes lists, and errors that name what takes them."""

from __future__ import annotations

import linecache
import pickle
import re
from typing import Any

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import FunctraceError

CALLS: list[str] = [
    "sqrt([t, 4.0])", "add([t, 1.0], [2.0, t])", "maximum([t, 2.0], [1.5, t])", "exp((t, 1.0))",
    "power([t, 2.0], 2)", "arctan2([t, 1.0], [2.0, 3.0])", "multiply([[t, 1.0], [2.0, t]], t)",
    "einsum('i,i', [t, 1.0], [t, 2.0])", "einsum('ij,j->i', np.eye(2), [t, 2.0])",
    "matmul(np.eye(2), [t, 2.0])", "matmul([[t, 1.0], [0.0, t]], [t, 2.0])",
    "dot([t, t], [1.0, 2.0])", "vdot([t, 1.0], [t, 2.0])", "inner([t, 1.0], [t, 2.0])",
    "outer([t, 1.0], [t, 2.0])",
    "tensordot([t, 1.0], [t, 2.0], 1)", "linalg.norm([t, 2.0])",
    "linalg.det([[t, 1.0], [1.0, 3.0]])", "linalg.solve([[t, 1.0], [1.0, 3.0]], [1.0, t])",
    "linalg.inv([[t, 1.0], [1.0, 3.0]])",
    "linalg.slogdet([[t, 1.0], [1.0, 3.0]])[1]", "linalg.multi_dot([[[t, 1.0]], [[t], [2.0]]])",
    "linalg.eigvalsh([[t, 1.0], [1.0, 3.0]])", "linalg.matrix_power([[t, 1.0], [1.0, 3.0]], 2)",
    "concatenate([[t, 1.0], [t]])", "stack([[t, 1.0], [2.0, t]])", "hstack([t, 1.0])",
    "vstack([[t, 1.0], [2.0, t]])", "column_stack([[t, 1.0], [2.0, t]])", "ediff1d([t, 1.0, 5.0])",
    "interp([t, 1.0], [0.0, 3.0], [1.0, 9.0])", "polyval([t, 1.0, 2.0], 2.0)",
    "nan_to_num([t, 1.0])", "cov([t, 1.0, 2.0])", "convolve([t, 1.0], [2.0, t])",
    "atleast_2d([t, 1.0])", "full_like([1.0, 2.0], t)", "mean(a=[t, 1.0])",
    "where([True, False], [t, 1.0], [2.0, t])", "r_[t, 1.0]",
    "c_[[t, 1.0], [2.0, t]]", "array_split([t, 1.0], 2)[0]", "insert([t, 1.0], 1, t)",
]  # fmt: skip


def of(call: str, namespace: Any) -> Any:
    name = "np" if namespace is np else "fnp"
    text = f"def f(t):\n    return np.sum({name}.{call} * 1.5)\n"
    file = f"<{name}.{call}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"fnp": fnp, "np": np}
    exec(compile(text, file, "exec"), names)
    return names["f"]


@pytest.mark.parametrize("call", CALLS)
def test_lists_of_traced_values_are_arrays(call: str):
    f, plain = of(call, fnp), of(call, np)
    step = 1e-6
    expected = (plain(2.2 + step) - plain(2.2 - step)) / (2 * step)
    np.testing.assert_allclose(ft.grad(f)(2.2), expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ft.jit(f)(2.2), plain(2.2))
    assert f(2.2) == plain(2.2)


@pytest.mark.parametrize("call", CALLS)
def test_errors_of_numpys_own_name_what_takes_lists(call: str):
    f = of(call, np)
    try:
        ft.grad(f)(2.2)
    except FunctraceError as caught:
        error = str(caught)
    else:
        return  # NumPy hands the call over
    written = re.search(r"Write `functrace.numpy.(.*)`, which", error)
    if written is None:
        name = re.match(r"[\w.]+", call)
        assert name is not None
        assert f"functrace.numpy.{name[0]}" in error
    else:
        assert np.isfinite(ft.grad(of(written[1] + call[len(written[1]) :], fnp))(2.2))


def test_ufuncs_keep_what_numpys_have():
    assert fnp.add.reduce([1.0, 2.0]) == 3.0
    assert (fnp.add.nin, fnp.sqrt.__name__) == (2, "sqrt")
    assert pickle.loads(pickle.dumps(fnp.add)) is fnp.add
    out = np.empty(2)
    assert fnp.add([1.0, 2.0], 1.0, out=out) is out


def test_a_method_of_an_array_is_advised_by_what_it_is_given():
    for call, instead in (
        ("np.eye(2).dot([t, t])", "functrace.numpy.dot(np.eye(2), [t, t])"),
        ("np.eye(2).dot(t)", "np.eye(2) @ t, or functrace.numpy.dot(np.eye(2), t)"),
    ):
        text = f"def f(t):\n    return np.sum({call})\n"
        file = f"<{call}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        names: dict[str, Any] = {"np": np, "functrace": ft}
        exec(compile(text, file, "exec"), names)
        x = np.ones(2) if "[" not in call else 1.0
        with pytest.raises(FunctraceError, match=re.escape(f"write {instead}.")):
            ft.grad(names["f"])(x)
