"""Errors leave functrace by its entrances, and without its frames."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import traceback
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.tracing.entrances import ENTRANCE, entrance, entrances

FOLDER = str(Path(ft.__file__).parent)


USES_OF_LEAKED = [
    *[
        "t.sum()",
        "t.T",
        "t.mT",
        "t.reshape(9)",
        "t.item()",
        "t.astype(int)",
        "t.mean()",
        "t.dot(t)",
    ],
    *["t.copy()", "t.ravel()", "t.clip(0, 1)", "t.max()", "t.tolist()", "t.fill(1)", "t.sort()"],
    *["t.flat[0]", "t.flat[0] = 1.0", "t.put(0, 1.0)", "t.std()", "t.take([0])", "t.shape = (9,)"],
    *["float(t)", "int(t)", "complex(t)", "bool(t)", "round(t)", "math.floor(t)", "math.sin(t)"],
    *["list(t)", "for row in t: pass", "a, b, c = t", "1.0 in t", "range(t)", "[1, 2][t]"],
    *["t[0]", "t[0] = 1.0", "t += 1.0", "plain += t", "plain[t]", "plain[0] = t", "copy.copy(t)"],
    *["t ** 2", "2 ** t", "divmod(t, 2)", "divmod(2, t)", "-t", "t @ t", "t < 1"],
    *["np.asarray(t)", "np.add.reduce(t)", "np.add(t, t, out=plain)", "pickle.dumps(t)"],
    *["fnp.sum(t)", "fnp.sin(t)", "fnp.array([t])", "fnp.stack([t, t])", "fnp.matmul(t, t)"],
    *["fnp.zeros_like(t) + t", "fnp.r_[t, t]", "ft.lax.add(t, t)", "ft.lax.sin(t)"],
    *[
        "ft.scipy.special.erf(t)",
        "ft.math.sin(t[0, 0])",
        "ft.stop_gradient(t)",
        "ft.jit(np.sin)(t)",
    ],
]


@pytest.mark.parametrize("transform", [ft.grad, ft.jit])
def test_every_use_of_a_leaked_value_shows_the_users_frames_only(transform):
    kept = []
    transform(lambda x: (kept.append(x * 2.0), np.sum(x))[1])(np.ones((3, 3)))
    names = {"np": np, "fnp": ft.numpy, "ft": ft, "math": math, "copy": copy, "pickle": pickle}
    for use in USES_OF_LEAKED:
        given = {**names, "t": kept[0], "plain": np.ones((3, 3))}
        with ft.full_tracebacks(False), pytest.raises(errors.LeakedTracerError) as raised:
            exec(compile(use, "<users>", "exec"), given)
        files = {frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)}
        assert not any(file.startswith((FOLDER, "<functrace")) for file in files), use


OUTSIDE = [
    *["ft.lax.add(np.ones(2), np.ones(3))", "ft.lax.dynamic_slice(np.ones(3), (0, 0), (2,))"],
    *["ft.lax.sin('a')", "ft.lax.reshape(np.ones(3), (2,))", "ft.lax.top_k(np.ones(3), 7)"],
    *["ft.lax.psum(np.ones(3), 'i')", "ft.lax.axis_index('i')", "ft.math.sin('a')"],
    *["ft.math.sqrt(-1.0)", "ft.math.factorial(1.5)", "ft.math.sin(np.ones(3))"],
    *["ft.scipy.special.expit('a')", "ft.scipy.special.xlogy(np.ones(2), np.ones(3))"],
    *["ft.scipy.special.logsumexp(np.ones(3), axis=4)", "fnp.sum('a')", "fnp.sin('a')"],
    *["fnp.reshape(np.ones(3), 2)", "fnp.array([1, [2]])", "fnp.zeros(-1)", "fnp.r_['a', 1]"],
    *["fnp.linalg.inv(np.ones((2, 3)))", "fnp.full((2,), np.ones(3))", "fnp.matmul(1, 2)"],
    *["ft.named_scope(1)", "ft.ShapeDtypeStruct((2,), None)"],
]


@pytest.mark.parametrize("call", OUTSIDE)
def test_mistakes_outside_of_transformations_show_the_users_frames_only(call):
    with ft.full_tracebacks(False), pytest.raises(Exception) as raised:  # noqa: PT011
        exec(compile(call, "<users>", "exec"), {"np": np, "fnp": ft.numpy, "ft": ft})
    files = {frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)}
    assert not any(file.startswith((FOLDER, "<functrace")) for file in files)
    if isinstance(raised.value, errors.FunctraceError):
        assert "at <users>:1" in str(raised.value)


@pytest.mark.parametrize("transform", [ft.grad, ft.jit])
def test_methods_and_functions_within_entrances_are_named_as_they_were_written(transform):
    for use, name in (
        (lambda x: x.reshape(7), "the method reshape"),
        (lambda x: x.dot(np.ones(4)), "the method dot"),
        (lambda x: ft.lax.reshape(x, (7,)), "functrace.lax.reshape"),
        (lambda x: ft.scipy.special.xlogy(x, np.ones(4)), "functrace.scipy.special.xlogy"),
        (lambda x: ft.numpy.concatenate([x, np.ones((4, 4))]), "functrace.numpy.concatenate"),
    ):
        with pytest.raises(errors.FunctraceError, match=name):
            transform(lambda x, use=use: np.sum(use(x)))(np.ones(3))


def fails(value: float, *, by: str = "default") -> float:
    """Fail."""
    raise ValueError(value, by)


def test_an_entrance_is_called_as_the_function_and_shares_its_code():
    entered = entrance(fails)
    assert entered.__code__ is ENTRANCE
    assert inspect.signature(entered) == inspect.signature(fails)
    assert (entered.__name__, entered.__doc__) == (fails.__name__, fails.__doc__)
    with pytest.raises(ValueError, match=r"2.0, 'it'"):
        entered(2.0, by="it")


def test_the_entrances_of_a_module_are_its_own_public_functions():
    namespace = {"__name__": __name__, "fails": fails, "_hidden": fails, "sin": np.sin}
    namespace["entrance"] = entrance
    made = entrances(namespace)
    assert list(made) == ["fails"]
    assert made["fails"].__wrapped__ is fails
