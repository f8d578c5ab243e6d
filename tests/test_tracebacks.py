"""Tracebacks: the user's frames and NumPy's stay, functrace's own are left out."""

from __future__ import annotations

import inspect
import io
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.extend import Primitive
from functrace.ir.types import ArrayType
from functrace.tracebacks import boundary

FOLDER = str(Path(ft.__file__).parent)
X = np.ones((2, 2))


def singular(x):
    return np.linalg.inv(x)


def of_the_user(x):
    return x / helper(x)


def helper(x):
    raise KeyError(str(x.shape))


def of_wrong_shapes(x):
    return np.sum(x @ np.ones(3))


FUNCTIONS = [(singular, "singular"), (of_the_user, "helper"), (of_wrong_shapes, "of_wrong_shapes")]

TRANSFORMATIONS: dict[str, Any] = {
    "grad": lambda f: ft.grad(lambda x: np.sum(f(x))),
    "value_and_grad": lambda f: ft.value_and_grad(lambda x: np.sum(f(x))),
    "vjp": lambda f: lambda x: ft.vjp(f, x),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (x,)),
    "jit": ft.jit,
    "jitted gradient": lambda f: ft.jit(ft.grad(lambda x: np.sum(f(x)))),
    "vmap": lambda f: lambda x: ft.vmap(f)(x[None]),
    "jacrev": lambda f: ft.jacrev(f),
    "jacfwd": lambda f: ft.jacfwd(f),
    "hessian": lambda f: ft.hessian(f),
    "linearize": lambda f: lambda x: ft.linearize(f, x),
    "checkpoint": lambda f: ft.checkpoint(f),
    "evaluate": lambda f: lambda x: ft.evaluate(ft.make_ir(f)(x), x),
    "scan": lambda f: lambda x: ft.scan(lambda c, _: (f(c), None), x, None, length=2),
    "fori_loop": lambda f: lambda x: ft.fori_loop(0, 2, lambda _, c: f(c), x),
    "while_loop": lambda f: lambda x: ft.while_loop(lambda c: np.sum(c) > 0, f, x),
    "cond": lambda f: lambda x: ft.cond(True, f, f, x),
    "map": lambda f: lambda x: ft.map(f, x[None]),
    "custom_vjp": lambda f: with_rules(f),
}


def with_rules(f):
    custom = ft.custom_vjp(f)
    custom.defvjp(lambda x: (f(x), None), lambda _, ct: (ct,))
    return custom


def raised(run: Any, x: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (all kinds are raised here)
        run(x)
    return caught.value


def frames_of(error: BaseException) -> list[Any]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def is_own(frame: Any) -> bool:
    return frame.f_code.co_filename.startswith((FOLDER, "<functrace "))


@pytest.mark.parametrize(("f", "name"), FUNCTIONS)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_only_functraces_own_frames_are_left_out(transformation, f, name):
    run = TRANSFORMATIONS[transformation](f)
    x = X * 0.0 if f is singular else X
    if f is singular and transformation == "while_loop":
        x = X  # the condition holds, and the matrix is singular
    with ft.full_tracebacks():
        full = raised(run, x)
    with ft.full_tracebacks(False):
        error = raised(run, x)
    assert any(map(is_own, frames_of(full)))
    assert not any(map(is_own, frames_of(error)))
    kept = [frame.f_code for frame in frames_of(full) if not is_own(frame)]
    assert [frame.f_code.co_name for frame in frames_of(error)] == [c.co_name for c in kept]
    assert type(error) is type(full)
    assert error.args == full.args
    if f is singular and transformation in ("vmap", "checkpoint", "evaluate"):
        # What fails is the recorded operation, long after the function returned.
        assert any("in singular" in note for note in error.__notes__)
        return
    users = [frame for frame in frames_of(error) if frame.f_code.co_filename == __file__]
    code, line = users[-1].f_code, None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame is users[-1]:
            line = number
    function = globals()[name]
    lines, first = inspect.getsourcelines(function)
    assert code.co_name == name or transformation != "grad"
    assert line is not None
    assert first <= line < first + len(lines)


def test_what_an_error_comes_from_is_kept_without_own_frames():
    with ft.full_tracebacks(False):
        error = raised(ft.grad(of_wrong_shapes), X)
    cause = error.__cause__
    assert isinstance(cause, ValueError)
    assert not any(map(is_own, frames_of(cause)))

    def from_another(x):
        try:
            helper(x)
        except KeyError as first:
            raise ValueError("second") from first

    with ft.full_tracebacks(False):
        error = raised(ft.jit(from_another), X)
    assert isinstance(error.__cause__, KeyError)
    assert [f.f_code.co_name for f in frames_of(error.__cause__)] == ["from_another", "helper"]


def test_errors_that_come_from_each_other():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    @boundary
    def fail():
        raise first

    with ft.full_tracebacks(False):
        assert raised(lambda _: fail(), None) is first


def test_a_call_that_python_refuses_says_that_frames_are_left_out():
    with ft.full_tracebacks(False):
        error = raised(ft.grad(lambda x, y: x), 1.0)
    assert isinstance(error, TypeError)
    assert "missing 1 required positional argument" in str(error)
    assert [note for note in error.__notes__ if "FUNCTRACE_FULL_TRACEBACKS" in note]
    with ft.full_tracebacks(False):
        error = raised(ft.grad(of_the_user), X)
    assert not [n for n in getattr(error, "__notes__", ()) if "FULL_TRACEBACKS" in n]


def test_a_handler_inside_the_function_sees_the_same_error():
    def careful(x):
        try:
            return np.sum(ft.jit(of_the_user)(x))
        except KeyError:
            return np.sum(x)

    assert np.array_equal(ft.grad(careful)(X), X)


def test_a_generator_that_fails_in_between():
    def rows(x):
        yield x[0]
        helper(x)

    with ft.full_tracebacks(False):
        error = raised(ft.grad(lambda x: sum(np.sum(row) for row in rows(x))), X)
    assert [f.f_code.co_name for f in frames_of(error)][-2:] == ["rows", "helper"]
    assert not any(map(is_own, frames_of(error)))


@pytest.mark.parametrize(("value", "is_full"), [(None, False), ("0", False), ("1", True)])
def test_the_environment_tells_what_is_shown(value, is_full, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import functrace as ft\ndef loss(x):\n    return x / {}['w']\nft.grad(loss)(1.0)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "FUNCTRACE_FULL_TRACEBACKS"}
    if value is not None:
        environment["FUNCTRACE_FULL_TRACEBACKS"] = value
    environment["PYTHONPATH"] = str(Path(FOLDER).parent)
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "return x / {}['w']" in done.stderr
    assert (FOLDER in done.stderr) == is_full
    assert done.stderr.count("File ") == 2 or is_full


def test_a_boundary_keeps_the_signature_and_what_is_wrapped():
    def f(x: float, *, scale: float = 2.0) -> float:
        """Its text."""
        return x * scale

    wrapped = boundary(f)
    assert wrapped(3.0, scale=1.0) == 3.0
    assert inspect.signature(wrapped) == inspect.signature(f)
    assert (wrapped.__name__, wrapped.__doc__) == ("f", "Its text.")
    for transformation in (ft.grad, ft.vmap, ft.jit, ft.jacrev, ft.checkpoint):
        assert transformation(f).__wrapped__ is f


# Errors that are raised by what users call besides transformed functions


class Raising(Primitive):
    """Does not work."""

    def infer(self, x: ArrayType) -> ArrayType:
        return x

    def run(self, x: Any) -> Any:
        raise KeyError("no")


RAISING = Raising("raising_without_own_frames")


def of_callback() -> ft.Program:
    shape = ft.ShapeDtypeStruct((), float)
    return ft.make_ir(lambda x: ft.pure_callback(np.sin, shape, x))(1.0)


def double(x):
    return x * 2.0


def users(x):
    raise KeyError("the user's")


CALLS: dict[str, Any] = {
    "jit(3)": lambda: ft.jit(3),  # type: ignore[arg-type]
    "grad(3)": lambda: ft.grad(3),  # type: ignore[arg-type]
    "vmap(3)": lambda: ft.vmap(3),  # type: ignore[arg-type]
    "hessian(3)": lambda: ft.hessian(3),  # type: ignore[arg-type]
    "custom_vjp(3)": lambda: ft.custom_vjp(3),  # type: ignore[arg-type]
    "defvjp": lambda: ft.custom_vjp(double).defvjp(3, 3),  # type: ignore[arg-type]
    "argnums": lambda: ft.grad(double, argnums="x"),  # type: ignore[arg-type]
    "static_argnames": lambda: ft.jit(double, static_argnames="y"),
    "donate_argnums": lambda: ft.jit(double, donate_argnums=3),
    "lower": lambda: ft.jit(double).lower(),
    "source": lambda: ft.jit(double).source(),
    "wrap": lambda: ft.extend.wrap(np.sin),
    "implements": lambda: ft.extend.implements(3),  # type: ignore[arg-type]
    "bind": lambda: ft.extend.bind(RAISING, 1.0),
    "pullback": lambda: ft.vjp(double, X)[1](np.ones(3)),
    "pushforward": lambda: ft.linearize(double, X)[1](np.ones(3)),
    "transposed": lambda: ft.linear_transpose(double, X)(np.ones(3)),
    "tree.map": lambda: ft.tree.map(lambda a, b: a, {"a": 1}, {"b": 1}),
    "tree.transpose": lambda: ft.tree.transpose(
        ft.tree.structure([1]), ft.tree.structure([1]), [1, 2]
    ),
    "tree.unflatten": lambda: ft.tree.unflatten(ft.tree.structure([1, 2]), [1]),
    "load": lambda: ft.Program.load(io.BytesIO(b"no program")),
    "save": lambda: of_callback().save(io.BytesIO()),
    "pickle": lambda: pickle.dumps(of_callback()),
    "parse": lambda: ft.parse("no program"),
    "named_call(3)": lambda: ft.named_call(3),  # type: ignore[arg-type]
    "custom_vmap(3)": lambda: ft.custom_vmap(3),  # type: ignore[arg-type]
    "sequential_vmap(3)": lambda: ft.sequential_vmap(3),  # type: ignore[arg-type]
    "def_vmap": lambda: ft.custom_vmap(double).def_vmap(3),  # type: ignore[arg-type]
    "check_grads(3)": lambda: ft.testing.check_grads(3, (1.0,)),  # type: ignore[arg-type]
    "custom_vmap": lambda: ft.custom_vmap(double)(1.0),
    "sequential_vmap": lambda: ft.sequential_vmap(users)(1.0),
    "named_call": lambda: ft.named_call(users)(1.0),
    "pure_callback": lambda: ft.pure_callback(users, 1.0, 1.0),
    "pure_callback(3)": lambda: ft.pure_callback(3, 1.0, 1.0),  # type: ignore[arg-type]
    "debug.callback": lambda: ft.debug.callback(users, 1.0),
    "debug.print": lambda: ft.debug.print("no place", 1.0),
    "check_grads": lambda: ft.testing.check_grads(lambda x: ft.stop_gradient(x) * x, (1.0,)),
}


@pytest.mark.parametrize("name", CALLS)
def test_own_frames_are_left_out_of_errors_of_every_kind_of_call(name: str):
    with ft.full_tracebacks():
        full = raised(lambda _: CALLS[name](), None)
    with ft.full_tracebacks(False):
        error = raised(lambda _: CALLS[name](), None)
    assert any(map(is_own, frames_of(full)))
    assert not any(map(is_own, frames_of(error)))
    assert type(error) is type(full)


def write_into(a, t):
    a[0] = t


def writes(t):
    a = np.zeros(3)
    write_into(a, t)
    return np.sum(a)


@pytest.mark.parametrize("transform", [ft.grad, ft.jit, ft.make_ir])
def test_what_numpy_hid_is_raised_with_the_users_calls(transform: Any):
    with ft.full_tracebacks(False):
        error = raised(transform(writes), 1.0)
    assert isinstance(error, errors.ArrayWriteError)
    names = [frame.f_code.co_name for frame in frames_of(error)]
    assert names[-2:] == ["writes", "write_into"]


def test_uses_of_leaked_values_show_the_users_frames_only():
    kept = []
    ft.grad(lambda x: (kept.append(x), np.sum(x * x))[1])(np.ones(3))
    (leaked,) = kept
    uses = (
        lambda: leaked + 1.0,
        lambda: -leaked,
        lambda: abs(leaked),
        lambda: 1.0 - leaked,
        lambda: np.sin(leaked),
        lambda: np.sum(leaked),
        lambda: leaked[0],
    )
    for use in uses:
        with ft.full_tracebacks(False), pytest.raises(errors.LeakedTracerError) as raised:
            use()
        files = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
        assert set(files) == {__file__}


MISTAKES = {
    "an array to differentiate": lambda: ft.grad(lambda x: x * 2)(np.ones(3)),
    "nothing to differentiate": lambda: ft.grad(lambda x: None)(np.ones(3)),
    "a whole number": lambda: ft.grad(lambda n: n * 2.0)(3),
    "no such argument": lambda: ft.grad(lambda x: x, argnums=2)(1.0),
    "a complex output": lambda: ft.grad(lambda x: np.sum(x * 1j))(np.ones(3)),
    "a number to map over": lambda: ft.vmap(lambda x: x)(1.0),
    "lengths that differ": lambda: ft.vmap(lambda x, y: x + y)(np.ones(3), np.ones(4)),
    "in_axes": lambda: ft.vmap(lambda x, y: x + y, in_axes=(0,))(np.ones(3), np.ones(3)),
    "text returned": lambda: ft.jit(lambda x: "text")(np.ones(3)),
    "no length": lambda: ft.scan(lambda c, x: (c, x), 0.0),
    "no pair": lambda: ft.scan(lambda c, x: c + x, 0.0, np.ones(3)),
    "a tangent of an integer": lambda: ft.jvp(np.sin, (1,), (1,)),
    "a key": lambda: ft.jit(lambda x: {0: 1}[x])(0),
}


@pytest.mark.parametrize("call", MISTAKES.values(), ids=MISTAKES)
def test_errors_about_a_call_name_its_line(call):
    line = f"{__file__}:{call.__code__.co_firstlineno}"
    for full in (False, True):
        with ft.full_tracebacks(full), pytest.raises(errors.FunctraceError) as raised:
            call()
        assert f"at {line} in <lambda>" in str(raised.value)


def test_errors_of_pythons_about_a_call_name_its_line():
    for call in (
        lambda: ft.vjp(np.sin, 1.0)[1](),
        lambda: ft.fori_loop(0, 3, lambda c: c, 1.0),
        lambda: ft.grad(lambda x: np.sum(np.where(x > 0, x)))(np.ones(3)),
    ):
        with ft.full_tracebacks(False), pytest.raises((TypeError, ValueError)) as raised:
            call()
        assert f"called at {__file__}:{call.__code__.co_firstlineno}" in raised.value.__notes__[-1]


def test_errors_below_functions_written_in_c_are_shown():
    brentq = pytest.importorskip("scipy.optimize").brentq
    with pytest.raises(errors.UnsupportedFunctionError, match=r"optimize\.brentq.*\n.*test_tr"):
        ft.grad(lambda x: brentq(lambda t: t - x, 0.0, 3.0))(1.0)


@pytest.mark.parametrize("transformation", [ft.grad, ft.jit, ft.vmap])
def test_errors_within_a_transformed_function_name_the_line_in_it(transformation):
    def of_functrace(x):
        return ft.nn.dropout(ft.random.key(0), x, 2.0)

    def of_python(x):
        return ft.nn.dropout(x)

    with pytest.raises(errors.ArgumentError, match=r"at .*test_tracebacks.*in of_functrace"):
        transformation(of_functrace)(np.ones(3))
    with ft.full_tracebacks(False), pytest.raises(TypeError) as raised:
        transformation(of_python)(np.ones(3))
    assert raised.value.__notes__[-1].splitlines()[0].endswith("in of_python")
