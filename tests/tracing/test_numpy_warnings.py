"""NumPy's warnings under transformations: at the user's lines, counted as those of plain code."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import functrace as ft

X = np.ones(3)


def f(x):
    a = np.log(x - 1.0)
    b = np.sum(1.0 / (x - x))
    c = np.exp(x * 1000.0)
    d = np.multiply(x * 1e200, x * 1e200).sum()
    return np.sum(np.where(x > 2.0, a + c, 0.0)) + np.where(x[0] > 2.0, b + d, np.sum(np.sqrt(-x)))


def grad(f):
    return ft.grad(f)


def value_and_grad(f):
    return ft.value_and_grad(f)


def vjp(f):
    return lambda x: ft.vjp(f, x)[1](1.0)


def jvp(f):
    return lambda x: ft.jvp(f, (x,), (x,))


def mapped(f):
    return lambda x: ft.vmap(f)(x[None])


def evaluated(f):
    return lambda x: ft.evaluate(ft.make_ir(f)(x), x)


def linearized(f):
    return lambda x: ft.linearize(f, x)


def in_a_loop(f):
    return lambda x: ft.scan(lambda carry, _: (carry, f(carry)), x, None, length=1)


def in_a_branch(f):
    return lambda x: ft.cond(x[0] > 0.0, f, np.sum, x)


def in_a_jitted_loop(f):
    return ft.jit(in_a_loop(f))


def jitted_gradient(f):
    return ft.jit(ft.grad(f))


TRANSFORMATIONS = [
    grad, value_and_grad, vjp, jvp, mapped, evaluated, linearized, in_a_loop, in_a_branch, ft.jit,
    in_a_jitted_loop, jitted_gradient, ft.jacrev, ft.hessian, ft.checkpoint,
]  # fmt: skip


VALUED = [transformation for transformation in TRANSFORMATIONS if transformation != jitted_gradient]


def warned(run: Callable[[], Any], action: Any = "always") -> list[tuple[str, int, str]]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter(action)
        run()
    return [(w.filename, w.lineno, str(w.message)) for w in found]


def lines_of(found: list[tuple[str, int, str]]) -> set[tuple[str, int]]:
    return {(file, line) for file, line, _ in found}


@pytest.mark.parametrize("transformation", TRANSFORMATIONS, ids=lambda t: t.__name__)
def test_warnings_name_the_lines_of_the_user(transformation):
    plain = warned(lambda: f(X))
    assert len(plain) >= 5
    found = warned(lambda: transformation(f)(X))
    if transformation not in (jitted_gradient, ft.hessian):  # which compute less, and more
        assert lines_of(found) == lines_of(plain)
    assert {file for file, _ in lines_of(found)} == {__file__}


@pytest.mark.parametrize(
    "transformation", [grad, jvp, vjp, ft.checkpoint], ids=lambda t: t.__name__
)
def test_warnings_are_those_of_plain_code_in_its_order(transformation):
    def g(x):
        return np.sum(np.log(x - 1.0)) + np.mean(np.arccos(x + 1.0))

    plain = warned(lambda: g(X))
    assert len(plain) == 2
    assert warned(lambda: transformation(g)(X))[:2] == plain


@pytest.mark.parametrize("transformation", VALUED, ids=lambda t: t.__name__)
def test_each_line_is_counted_by_itself(transformation):
    def g(x):
        y = np.log(x - 1.0)
        z = np.log(x - x)
        return np.sum(y) + np.sum(z)

    def twice():
        for _ in range(2):
            transformation(g)(X)

    found = warned(twice, "default")
    lines = [line for _, line, message in found if "divide" in message]
    first = g.__code__.co_firstlineno
    assert sorted(lines) == [first + 1, first + 2]


def test_a_line_is_counted_together_with_plain_code():
    def g(x):
        return np.sum(np.log(x - 1.0))

    def all_ways():
        for way in (lambda f: f, ft.grad, ft.jit, mapped):
            way(g)(X)

    assert len(warned(all_ways, "default")) == 1


@pytest.mark.parametrize("transformation", TRANSFORMATIONS, ids=lambda t: t.__name__)
def test_a_warning_that_is_an_error_is_raised(transformation):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            transformation(f)(X)


EAGER = [grad, vjp, jvp, mapped, evaluated, in_a_branch]


@pytest.mark.parametrize("transformation", EAGER, ids=lambda t: t.__name__)
def test_what_numpy_was_told_to_do_is_done(transformation):
    calls: list[Any] = []
    log = io.StringIO()
    g = transformation(
        lambda x: np.where(x[0] > 2.0, np.sum(np.log(x - 1.0)), np.sum(np.exp(x * 1000.0)))
    )
    with np.errstate(all="ignore"):
        assert warned(lambda: g(X)) == []
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="in log"):
        g(X)
    with np.errstate(divide="call", call=lambda *given: calls.append(given)):
        found = warned(lambda: g(X))
    assert calls
    assert all(name == "divide by zero" for name, _ in calls)
    assert {message for *_, message in found} == {"overflow encountered in exp"}
    with np.errstate(divide="log", call=log):
        found = warned(lambda: g(X))
    assert "divide by zero encountered in log" in log.getvalue()
    assert {message for *_, message in found} == {"overflow encountered in exp"}


@pytest.mark.parametrize("transformation", [grad, vjp, jvp], ids=lambda t: t.__name__)
def test_what_the_function_tells_numpy_is_done(transformation):
    calls: list[Any] = []

    def quiet(x):
        with np.errstate(divide="ignore"):
            return np.sum(np.log(x - 1.0))

    def strict(x):
        with np.errstate(divide="raise"):
            return np.sum(np.log(x - 1.0))

    def calling(x):
        with np.errstate(all="call", call=lambda *given: calls.append(given)):
            return np.sum(np.log(x - 1.0))

    assert warned(lambda: transformation(quiet)(X)) == []
    with pytest.raises(FloatingPointError):
        transformation(strict)(X)
    assert warned(lambda: transformation(calling)(X)) == []
    assert calls


@pytest.mark.parametrize("transformation", [grad, vjp, jvp], ids=lambda t: t.__name__)
def test_what_the_function_tells_numpy_for_good_stays(transformation):
    def g(x):
        np.seterr(over="ignore")
        return np.sum(x)

    with np.errstate():
        before = np.geterr()
        transformation(g)(X)
        assert np.geterr() == {**before, "over": "ignore"}
        assert np.geterrcall() is None
    with np.errstate():
        transformation(np.sum)(X)
        assert np.geterr() == before


def test_what_numpy_is_told_is_restored_after_an_error():
    before = np.geterr(), np.geterrcall()
    for way in (ft.grad, vjp, jvp, mapped, evaluated):
        with pytest.raises(ZeroDivisionError):
            way(lambda x: x + 1 // 0)(X)
    assert (np.geterr(), np.geterrcall()) == before


def test_many_settings_of_the_users_are_forgotten_again():
    for _ in range(200):
        with np.errstate(under="warn"):
            assert len(warned(lambda: ft.grad(lambda x: np.sum(np.log(x - 1.0)))(X))) == 1


def test_plain_code_in_a_transformed_function_warns_where_numpy_says():
    def g(x):
        return np.sum(x) * np.log(np.zeros(2))[0]

    def plain():
        np.log(np.zeros(2))

    (found,) = warned(lambda: ft.grad(g)(X))
    assert found[:2] == (__file__, g.__code__.co_firstlineno + 1)
    assert len(warned(lambda: ft.grad(lambda x: (np.sum(x), plain())[0])(X))) == 1


OTHER_FILE = compile(
    "import numpy as np\ndef helper(x):\n    return np.log(x - 1.0)\n", "/models/helper.py", "exec"
)


@pytest.mark.parametrize("transformation", [ft.jit, grad, mapped, in_a_jitted_loop])
def test_lines_of_several_files(transformation):
    module: dict[str, Any] = {}
    exec(OTHER_FILE, module)

    def g(x):
        return np.where(x[0] > 2.0, np.sum(module["helper"](x)), np.sum(np.exp(x * 1000.0)))

    found = warned(lambda: transformation(g)(X))
    assert ("/models/helper.py", 3, "divide by zero encountered in log") in found
    assert (__file__, g.__code__.co_firstlineno + 1, "overflow encountered in exp") in found
    assert len(lines_of(found)) == 2


def test_a_function_that_is_compiled_again_does_not_warn_again():
    def g(x):
        return np.sum(np.log(x - 1.0))

    def several():
        fast = ft.jit(g)
        for n in (1, 2, 3):
            fast(np.ones(n))

    assert len(warned(several, "default")) == 1


@pytest.mark.parametrize("mode", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_the_walk_back_warns_where_the_operation_stands(mode):
    def g(x):
        y = np.exp(x)
        return np.sum(y * 1e200)

    gradient = mode(ft.grad(g))
    first = g.__code__.co_firstlineno
    found = warned(lambda: gradient(np.full(2, 400.0)))
    assert {line for _, line in lines_of(found)} <= {first + 1, first + 2}
    assert (__file__, first + 1, "overflow encountered in multiply") in found


def test_what_the_walk_back_records_stands_where_the_operation_does():
    def g(x):
        y = np.sin(x)
        return y * y

    first = g.__code__.co_firstlineno
    program = ft.make_ir(ft.vmap(ft.grad(g)))(np.ones(3))
    lines = {equation.primitive.name: equation.source.line for equation in program.equations}
    assert lines["sin"] == lines["cos"] == first + 1
    assert set(lines.values()) == {first + 1, first + 2}


@pytest.mark.parametrize("transformation", [grad, jvp, vjp], ids=lambda t: t.__name__)
def test_many_settings_within_a_function_leave_the_users_alone(transformation):
    def inner(y):
        return np.sum(y * y)

    def g(x):
        for _ in range(100):
            with np.errstate(under="warn"):
                transformation(inner)(np.ones(2))
        return np.sum(np.exp(x))

    before = np.geterr(), np.geterrcall()
    transformation(g)(X)
    ft.jvp(ft.grad(g), (X,), (X,))
    assert (np.geterr(), np.geterrcall()) == before


def two_lines(x):
    y = np.log(x - 1.0)
    return np.sum(y + np.sqrt(x - 2.0))


@pytest.mark.parametrize("inner", [two_lines, ft.value_and_grad(two_lines)])
def test_a_map_that_jit_recorded_warns_at_the_lines_of_the_mapped_function(inner: Any):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        ft.jit(ft.vmap(inner))(np.ones((2, 3)))
    first = two_lines.__code__.co_firstlineno
    places = {(warning.filename, warning.lineno - first) for warning in caught}
    assert places == {(__file__, 1), (__file__, 2)}


KINDS = ("divide", "over", "under", "invalid")


@pytest.mark.thinned
@pytest.mark.parametrize("size", [3, None], ids=["arrays", "numbers"])
@pytest.mark.parametrize("number", range(16))
def test_what_a_block_ignores_is_ignored_in_what_is_recorded(number, size):
    ignored = {kind: "ignore" for bit, kind in enumerate(KINDS) if number >> bit & 1}

    def g(x):
        before = 1.0 / x
        with np.errstate(**ignored):
            within = np.log(x) + np.exp(x + 1000.0) + np.sqrt(x - 1.0) + np.exp(x - 740.0)
        return before + within + np.exp(x + 1001.0)

    def given(run):
        return {(line, message.split(" encountered")[0]) for _, line, message in warned(run)}

    x = np.float64(0.0) if size is None else np.zeros(size)
    expected = given(lambda: g(x))

    def scanned(x):
        return ft.scan(lambda carry, _: (g(carry), None), x, None, length=1)[0]

    transformed = {
        "vjp": lambda: ft.vjp(g, x),
        "jit": lambda: ft.jit(g)(x),
        "vmap": lambda: ft.vmap(g)(np.stack([x, x])),
        "jit of vmap": lambda: ft.jit(ft.vmap(g))(np.stack([x, x])),
        "jit within vjp": lambda: ft.vjp(ft.jit(g), x),
        "Program": lambda: ft.evaluate(ft.make_ir(g)(x), x),
        "scan": lambda: ft.jit(scanned)(x),
        "checkpoint": lambda: ft.vjp(ft.checkpoint(g), x),
    }
    before = np.geterr(), np.geterrcall()
    for name, run in transformed.items():
        assert given(run) <= expected, name
        assert given(run) == expected or size is None, name  # sums of single numbers are silent
    assert (np.geterr(), np.geterrcall()) == before


# What a function itself tells NumPy. The first line of each that errs is its third.


def errs_in_division(x):
    with np.errstate(divide=MODE.get()):
        return np.sum(1.0 / (x - x))


def errs_in_exp(x):
    with np.errstate(over=MODE.get()):
        return np.sum(np.exp(x + 1e4))


def errs_in_sqrt_by_seterr(x):
    before = np.seterr(invalid=MODE.get())
    y = np.sum(np.sqrt(x - 1e4))
    np.seterr(**before)
    return y


def errs_in_a_block_around_a_compiled_function(x):
    with np.errstate(divide=MODE.get()):
        return np.sum(ft.jit(lambda y: 1.0 / (y - y))(x))


def errs_on_single_numbers(x):
    with np.errstate(over=MODE.get()):
        return np.exp(np.sum(x) + 1e4) * np.sin(np.sum(x)) + np.cos(np.sum(x))


MODE = ContextVar("mode", default="warn")
ERRING = [
    errs_in_division,
    errs_in_exp,
    errs_in_sqrt_by_seterr,
    errs_in_a_block_around_a_compiled_function,
    errs_on_single_numbers,
]
TRANSFORMED = {
    "vjp": lambda f, x: ft.vjp(f, x),
    "jvp": lambda f, x: ft.jvp(f, (x,), (x,)),
    "jit": lambda f, x: ft.jit(f)(x),
    "jit of grad": lambda f, x: ft.jit(ft.value_and_grad(f))(x),
    "grad of jit": lambda f, x: ft.value_and_grad(ft.jit(f))(x),
    "grad of grad": lambda f, x: ft.grad(lambda x: np.sum(ft.value_and_grad(f)(x)[1]))(x),
    "vmap": lambda f, x: ft.vmap(f)(np.stack([x, x])),
    "jit of vmap": lambda f, x: ft.jit(ft.vmap(f))(np.stack([x, x])),
    "Program": lambda f, x: ft.evaluate(ft.make_ir(f)(x), x),
    "file": lambda f, x: ft.evaluate(
        ft.Program.load(io.BytesIO(saved(ft.make_ir(f)(x)))), x
    ),
    "scan": lambda f, x: ft.jit(
        lambda x: ft.scan(lambda carry, _: (carry * 0.0 + f(x), None), 0.0, None, length=2)[0]
    )(x),
    "cond": lambda f, x: ft.jit(lambda x: ft.cond(x[0] > 0, f, lambda x: x[0], x))(x),
    "checkpoint": lambda f, x: ft.vjp(ft.checkpoint(f), x),
}  # fmt: skip


def saved(program):
    file = io.BytesIO()
    program.save(file)
    return file.getvalue()


@pytest.mark.parametrize("f", ERRING)
@pytest.mark.parametrize("name", TRANSFORMED)
def test_what_a_function_tells_numpy_to_raise_is_raised(name, f):
    token = MODE.set("raise")
    before = np.geterr(), np.geterrcall()
    try:
        with pytest.raises(FloatingPointError) as plain:
            f(np.ones(3))
        message = str(plain.value)
        with pytest.raises(FloatingPointError, match=message), np.errstate(all="ignore"):
            TRANSFORMED[name](f, np.ones(3))
    finally:
        MODE.reset(token)
        if f is errs_in_sqrt_by_seterr:  # it does not restore what was there
            np.seterr(**before[0])
    assert (np.geterr(), np.geterrcall()) == before


@pytest.mark.parametrize("f", ERRING[:4])
@pytest.mark.parametrize("name", TRANSFORMED)
def test_what_a_function_tells_numpy_to_warn_of_is_warned_of_at_its_line(name, f):
    def given(run):
        with np.errstate(all="ignore"):
            return {(file, line) for file, line, _ in warned(run)}

    if f is errs_in_a_block_around_a_compiled_function and name == "jvp":
        pytest.skip("the tangent is divided as well")
    expected = given(lambda: f(np.ones(3)))
    assert expected == {(__file__, f.__code__.co_firstlineno + 2)}
    found = given(lambda: TRANSFORMED[name](f, np.ones(3)))
    file = {(Path(file).name, line) for file, line in found}
    assert file == {(Path(file).name, line) for file, line in expected}


def test_a_block_that_ignores_less_than_what_is_around_it():
    def g(x):
        with np.errstate(all="ignore"):
            a = 1.0 / x
            with np.errstate(divide="warn"):
                b = np.log10(x)
            return a + b + np.log(x)

    x = np.zeros(3)
    expected = warned(lambda: g(x))
    assert len(expected) == 1
    for run in (ft.jit(g), ft.vmap(g), ft.jit(ft.vmap(g))):
        assert warned(lambda run=run: run(x)) == expected


def test_rules_that_overflow_on_single_numbers_warn_at_the_users_line():
    def g(x):
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.exp(x) + np.sqrt(x) * np.log(x)
        return y - np.sin(x) * np.cos(x)

    found = warned(lambda: ft.jit(g)(np.float64(1000.0)))
    assert lines_of(found) == {(__file__, g.__code__.co_firstlineno + 2)}
