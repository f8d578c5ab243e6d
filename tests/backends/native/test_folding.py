"""What LLVM may compute in advance, and what NumPy then still warns of."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.native.folding import ANYTHING, NAN, WHOLE, Folding
from functrace.backends.native.writing import literal

pytest.importorskip("llvmlite")

ZERO, ONE, HUGE, INFINITE = (literal(x, np.dtype(np.float64)) for x in (0.0, 1.0, 1e300, math.inf))


def folding(**known):
    """What is known of registers; what is hidden of one gets a prime."""
    found = Folding(lambda kind, value: f"{value}'")
    for name, constants in known.items():
        found.note(f"%{name}", frozenset(constants))
    return found


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("fdiv double %unknown, %zero", set()),
        ("fadd double %one, %one", {0.0, 1.0, 2.0}),
        (f"fsub contract double {ONE}, %one", {0.0, 1.0}),
        (f"select i1 %c, double {ONE}, double %unknown", {1.0}),
        ("select i1 %c, i64 1, i64 0", set()),
        ("uitofp i1 %c to double", {0.0, 1.0}),
        ("sitofp i64 %k to double", WHOLE),
        ("fneg double %one", {-0.0, -1.0}),
        ("fptrunc double %one to float", {0.0, 1.0}),
        ("call double @llvm.fabs.f64(double %one)", {0.0, 1.0}),
        ("call double @exp.f64(double %unknown)", set()),
        ("load double, ptr %p", set()),
    ],
)
def test_what_raises_no_flag_is_left_as_it_is(text, result):
    assert folding(zero={0.0}, one={0.0, 1.0}).safe(text) == (text, result)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"fdiv double {ONE}, %zero", f"fdiv double {ONE}, %zero'"),
        (f"fdiv double {ONE}, {ZERO}", f"fdiv double {ONE}', {ZERO}"),
        ("fdiv double %zero, %zero", "fdiv double %zero', %zero"),
        (f"fmul contract double {HUGE}, {HUGE}", f"fmul contract double {HUGE}', {HUGE}"),
        (f"fsub double %infinite, {INFINITE}", f"fsub double %infinite', {INFINITE}"),
        ("fptrunc double %huge to float", "fptrunc double %huge' to float"),
        ("call double @log.f64(double %zero)", "call double @log.f64(double %zero')"),
        ("call float @llvm.sqrt.f32(float %zero)", "call float @llvm.sqrt.f32(float %zero')"),
    ],
)
def test_of_what_raises_a_flag_an_operand_is_hidden(text, hidden):
    known = folding(zero={0.0, 1.0}, infinite={math.inf}, huge={1e300})
    assert known.safe(text) == (hidden, frozenset())


def test_what_is_combined_with_nan_is_computed():
    nan = literal(math.nan, np.dtype(np.float64))
    assert folding().safe(f"fadd double %x, {nan}")[0] == f"fadd double %x, {nan}'"
    assert folding().of(nan) == NAN


def test_integers_may_be_any_after_a_sum_as_well():
    _, less = folding(k=WHOLE).safe(f"fadd double %k, {ONE}")
    assert 0.0 in less


def test_many_constants_are_not_told_apart():
    known = folding(many=range(10))
    _, found = known.safe("fmul double %many, %many")
    assert found == ANYTHING


def test_memory_holds_what_was_put_there_until_it_is_used_for_something_else():
    known = folding(x={0.0}, y={1.0})
    known.put("%x", 3)
    known.put("%y", 3)
    known.get("%z", 3)
    assert known.of("%z") == {0.0, 1.0}
    known.forget(3)
    known.get("%last", 3)
    assert known.of("%last") == frozenset()
    known.fill(np.array([2.0, 2.0]), 4)
    known.get("%constant", 4)
    assert known.of("%constant") == {2.0}


def said(f, *args):
    """The errors, or the kinds of warnings, of the second call."""
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                f(*args)
            except ArithmeticError as error:
                return {type(error).__name__}
    return {str(warning.message) for warning in caught}


def assert_warns_as_numpy(f, *args):
    found, expected = (said(ft.jit(f, backend=name), *args) for name in ("native", "numpy"))
    assert found == expected
    return found


X = np.array([3.0, -1.0, 0.5, 2.0, 1.0, 1.0, -2.0, 4.0, 3.0])

WARN = {
    "a choice that divides": lambda x, k, b: 1 / np.where(x > 0, 1.0, 0.0),
    "a choice that is infinite": lambda x, k, b: np.where(x > 0, np.inf, x) - np.inf,
    "a choice that overflows": lambda x, k, b: np.where(x > 0, 1e200, 1.0) ** 2,
    "a choice in single precision": lambda x, k, b: np.where(x > 0, 1e300, 1.0).astype(np.float32),
    "a truth value": lambda x, k, b: 1.0 / (1.0 - b),
    "what is equal to a constant": lambda x, k, b: np.where(x == 3.0, 1 / (x - 3.0), 0.0),
    "a number equal to a constant": lambda x, k, b: np.where(k == 3, 1 / (k - 3.0), 0.0),
    "what is not taken": lambda x, k, b: np.where(b, 1.0, 1 / (x[0] - 3.0)),
    "what is not taken of arrays": lambda x, k, b: np.where(b, np.arange(9.0), 1 / (x - 3.0)),
    "what is not taken in a loop": lambda x, k, b: ft.scan(
        lambda c, y: (np.where(b, c, c + 1 / (y - 3.0)), None), x[0], x
    )[0],
    "the first number of a loop": lambda x, k, b: ft.fori_loop(
        0, 1, lambda i, c: c + np.float64(1.0) / i, x[0]
    ),
    "a carry": lambda x, k, b: ft.fori_loop(
        0, 1, lambda i, c: (c[0] + np.float64(1.0) / c[1], c[1] + 1.0), (x[0], 0.0)
    ),
    "a constant array": lambda x, k, b: (np.where(x > 0, 0.0, 0.0) + np.arange(9.0)) ** -1,
    "rows that are constant": lambda x, k, b: ft.scan(
        lambda c, i: (c + 1 / i, None), x[0], np.arange(1)
    )[0],
    "a product": lambda x, k, b: np.where(x > 0, np.inf, 0.0) @ np.where(x > 0, 0.0, 1.0),
    "what nan is added to": lambda x, k, b: np.nan + 1 / (x - 3.0),
    "a constant beyond the precision": lambda x, k, b: x[0].astype(np.float32) + 1e300,
}


@pytest.mark.parametrize("f", WARN.values(), ids=WARN)
def test_no_warning_is_lost(f):
    assert assert_warns_as_numpy(f, X, np.int64(3), np.bool_(True))


def test_python_refuses_to_divide_by_zero():
    found = [
        assert_warns_as_numpy(f, flag)
        for f in (lambda k: 1 / k, lambda k: 1.0 / k, lambda k: math.nan / (k * 1.0))
        for flag in (False, True)
    ]
    assert found == [{"ZeroDivisionError"}, set()] * 3


NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 3.0, 0.5, 1e300, math.inf, -math.inf])
GIVEN = st.sampled_from("xskb")
UNARY = st.sampled_from([np.log, np.sqrt, np.exp, np.sign, np.floor, np.abs, np.reciprocal])
BINARY = st.sampled_from([np.add, np.subtract, np.multiply, np.divide, np.maximum])


def _extended(inner):
    test = st.tuples(st.sampled_from([np.greater, np.equal, np.less_equal]), GIVEN, NUMBERS)
    return (
        st.tuples(UNARY, inner)
        | st.tuples(BINARY, inner, inner)
        | st.tuples(st.just("where"), test, NUMBERS, inner)
    )


DRAWN = st.recursive(GIVEN | NUMBERS, _extended, max_leaves=5)


def value(drawn, inputs):
    """What a drawn expression is, of the inputs by name."""
    match drawn:
        case str():
            return inputs[drawn]
        case float():
            return np.float64(drawn)
        case ("where", (compare, name, number), x, y):
            return np.where(compare(inputs[name], number), x, value(y, inputs))
        case (ufunc, *others):
            return ufunc(*(value(x, inputs) * 1.0 for x in others))


@given(
    drawn=DRAWN,
    length=st.sampled_from([1, 3, 20]),
    s=st.sampled_from([1.0, -2.0, 3.0]),
    k=st.sampled_from([0, 3]),
    b=st.booleans(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_drawn_warns_as_numpy(drawn, length, s, k, b):
    args = np.resize(X, length), np.float64(s), np.int64(k), np.bool_(b)
    assert_warns_as_numpy(
        lambda *inputs: value(drawn, dict(zip("xskb", inputs, strict=True))), *args
    )
