"""A traced array behaves as the array that it stands for."""

from __future__ import annotations

import copy
import math
import operator
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace import errors
from functrace.tracing.tables import UFUNCS
from functrace.tracing.tracer import Tracer
from tests.tracing.ways import MATRIX, THREE, WAYS, every_way, nested, on_tape, same

ARITHMETIC = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow, "divmod": divmod,
}  # fmt: skip
COMPARISONS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
BITWISE = {
    "&": operator.and_, "|": operator.or_, "^": operator.xor,
    "<<": operator.lshift, ">>": operator.rshift,
}  # fmt: skip
OTHERS = {
    "int": 2,
    "float": 2.5,
    "bool": True,
    "float64": np.float64(2.5),
    "float32": np.float32(2.5),
    "int8": np.int8(3),
    "array": np.array([2.0, 1.0, 4.0]),
    "float32 array": np.array([2.0, 1.0, 4.0], np.float32),
    "int array": np.array([2, 1, 4]),
    "column": np.array([[2.0], [0.5]]),
    "0-d array": np.array(2.0),
    "list": [2.0, 1.0, 4.0],
    "tuple": (2, 1, 4),
    "nested list": [[2.0], [0.5]],
}
STRICT = {"list", "tuple", "nested list"}


@pytest.mark.thinned
@every_way
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("name", {**ARITHMETIC, **COMPARISONS})
def test_binary_operators_on_either_side(name, other, way):
    f, y = {**ARITHMETIC, **COMPARISONS}[name], OTHERS[other]
    for x in (THREE, THREE.astype(np.float32), np.float64(1.5)):
        if other in STRICT and x.shape == ():
            continue  # a list beside a scalar is a matter of NumPy's own scalar types
        same(way(lambda t: f(t, y), x), f(x, y))
        same(way(lambda t: f(y, t), x), f(y, x))


@every_way
@pytest.mark.parametrize("name", {**ARITHMETIC, **COMPARISONS})
def test_binary_operators_between_tracers(name, way):
    f = {**ARITHMETIC, **COMPARISONS}[name]
    same(way(f, THREE, MATRIX), f(THREE, MATRIX))
    same(way(f, MATRIX, THREE), f(MATRIX, THREE))


@every_way
@pytest.mark.parametrize("name", {**ARITHMETIC, **COMPARISONS})
@pytest.mark.parametrize("other", [2, 2.5, True, np.float32(2.0), np.array([2.0, 3.0])])
def test_binary_operators_of_python_numbers(name, other, way):
    f = {**ARITHMETIC, **COMPARISONS}[name]
    for x in (1.5, 2):
        same(way(lambda t: f(t, other), x), f(x, other))
        same(way(lambda t: f(other, t), x), f(other, x))


@every_way
@pytest.mark.parametrize("name", BITWISE)
def test_bitwise_operators(name, way):
    f = BITWISE[name]
    for x in (np.array([1, 6, 3]), np.array([1, 6, 3], np.uint8), 5):
        same(way(lambda t: f(t, 2), x), f(x, 2))
        same(way(lambda t: f(2, t), x), f(2, x))
        same(way(lambda t: f(np.array([1, 2, 3]), t), x), f(np.array([1, 2, 3]), x))
    if name not in ("<<", ">>"):
        b = np.array([True, False, True])
        same(way(lambda t: f(t, ~b), b), f(b, ~b))


@every_way
@pytest.mark.parametrize("f", [operator.matmul, np.matmul])
def test_matrix_products_on_either_side(f, way):
    y = np.arange(6.0).reshape(3, 2)
    same(way(lambda t: f(t, y), MATRIX), f(MATRIX, y))
    same(way(lambda t: f(y, t), MATRIX), f(y, MATRIX))
    same(way(lambda t: f(MATRIX, t), THREE), f(MATRIX, THREE))
    same(way(lambda t: f(t, t), THREE), f(THREE, THREE))
    same(way(lambda t: f([1, 2, 3], t), THREE), f([1, 2, 3], THREE))
    same(way(lambda t: f(t, [1, 2, 3]), THREE), f(THREE, [1, 2, 3]))


@every_way
def test_unary_operators(way):
    for x in (THREE - 2, np.float64(-1.5), np.array([-1, 2]), -1.5, -2, np.complex128(3 + 4j)):
        for f in (operator.neg, operator.pos, operator.abs):
            same(way(f, x), f(x))
    for x in (np.array([1, 6, 3]), np.array([True, False]), 5):
        same(way(operator.invert, x), operator.invert(x))


@every_way
def test_rounding(way):
    for x in (np.array([1.25, -2.75]), np.float64(2.675)):
        same(way(lambda t: round(t, 1), x), np.round(x, 1))
        same(way(lambda t: t.round(1), x), np.round(x, 1))
        same(way(lambda t: t.round(), x), np.round(x))


def test_rounding_to_a_whole_number_gives_an_int():
    assert on_tape(round, 2.6) == 3
    assert nested(round, np.float64(2.6)) == 3
    assert type(on_tape(round, np.float64(2.6))) is int


def test_an_operand_of_another_kind_may_answer():
    class Answers:
        __array_ufunc__ = None

        def __radd__(self, other: Any) -> str:
            return "right"

        def __rmatmul__(self, other: Any) -> str:
            return "right"

    assert on_tape(lambda t: t + Answers(), THREE) == "right"
    assert on_tape(lambda t: t @ Answers(), THREE) == "right"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_operator_on_any_operands(data):
    dtypes = st.sampled_from(["f8", "f4", "i8", "i2", "u1", "?", "c16"])
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    elements = {"min_value": 1, "max_value": 4}
    arrays = [
        data.draw(dtypes.flatmap(lambda dtype, shape=shape: operands(dtype, shape, elements)))
        for shape in shapes.input_shapes
    ]
    f = data.draw(st.sampled_from([operator.add, operator.mul, operator.truediv, operator.eq]))
    x, y = arrays
    way = data.draw(st.sampled_from(WAYS))
    with np.errstate(all="ignore"):
        same(way(f, x, y), f(x, y))
        same(way(lambda t: f(t, y), x), f(x, y))
        same(way(lambda t: f(x, t), y), f(x, y))


def operands(dtype: str, shape: tuple[int, ...], limits: dict[str, int]) -> Any:
    if dtype in ("?", "c16"):
        return hnp.arrays(dtype, shape, elements={"allow_nan": False} if dtype == "c16" else None)
    return hnp.arrays(dtype, shape, elements=limits)


ONE_INPUT = sorted((u for u in UFUNCS if u.nin == 1), key=lambda u: u.__name__)
TWO_INPUTS = sorted((u for u in UFUNCS if u.nin == 2), key=lambda u: u.__name__)


def takes(ufunc: np.ufunc, *values: Any) -> Any:
    try:
        with np.errstate(all="ignore"):
            return ufunc(*values)
    except TypeError:
        return None


@pytest.mark.thinned
@every_way
@pytest.mark.parametrize("ufunc", ONE_INPUT, ids=lambda u: u.__name__)
def test_ufuncs_of_one_input(ufunc, way):
    tried = 0
    for x in (
        np.array([0.3, 0.7]), np.float32(0.5), 0.5, np.array([1, 2]), 2, True,
        np.array([True, False]), np.array([0.2 + 0.5j, -1j]), np.array([[1.5]]), np.zeros((0, 2)),
    ):  # fmt: skip
        if x is True and ufunc in (np.absolute, np.invert):
            continue  # Python's own operators make integers of Python's booleans
        expected = takes(ufunc, x)
        if expected is None:
            continue
        tried += 1
        with np.errstate(all="ignore"):
            result = way(ufunc, x)
        same(result, expected)
    assert tried or ufunc is np.isnat


@pytest.mark.thinned
@every_way
@pytest.mark.parametrize("ufunc", TWO_INPUTS, ids=lambda u: u.__name__)
def test_ufuncs_of_two_inputs(ufunc, way):
    values = [
        np.array([1.5, 2.5]), np.float32(0.5), 0.5, 3, np.array([1, 2]), np.array([[2], [3]]),
        np.array([True, False]), np.array([0.2 + 0.5j, -1j]), np.zeros((0, 2)), np.eye(2),
    ]  # fmt: skip
    for x in values:
        for y in values:
            try:
                expected = takes(ufunc, x, y)
            except ValueError:  # matrix products of shapes that do not fit
                continue
            if expected is None:
                continue
            with np.errstate(all="ignore"):
                results = [
                    way(ufunc, x, y),
                    way(lambda t: ufunc(t, y), x),
                    way(lambda t: ufunc(x, t), y),
                ]
            for result in results:
                if ufunc in (np.power, np.float_power):  # x ** 0.5 is sqrt(x), to the last bit
                    np.testing.assert_allclose(result, expected, rtol=1e-6)
                    assert np.asarray(result).dtype == np.asarray(expected).dtype
                else:
                    same(result, expected)


@every_way
def test_ufuncs_of_scipy(way):
    for x in (THREE, np.float32(0.5), 0.5):
        expected = scipy.special.expit(x)
        result = way(scipy.special.expit, x)
        np.testing.assert_allclose(result, expected, rtol=1e-6)
        assert np.asarray(result).dtype == expected.dtype


def test_nested_lists():
    rows = on_tape(lambda x: [list(map(np.sin, row)) for row in x.tolist()], MATRIX)
    np.testing.assert_array_equal(rows, np.sin(MATRIX))
    assert on_tape(lambda x: x.tolist(), 2.0) == 2.0


def test_containment():
    assert on_tape(lambda x: (2.0 in x, 7.0 in x), THREE) == (True, False)
    with pytest.raises(errors.UnknownValueError):
        ft.make_ir(lambda x: 2.0 in x)(THREE)


@every_way
def test_no_length_and_no_iteration_of_scalars(way):
    with pytest.raises(TypeError, match="unsized"):
        way(len, 2.0)
    with pytest.raises(TypeError, match="0-d"):
        way(list, np.float64(2.0))


@every_way
def test_copies_are_arrays_of_their_own(way):
    def f(x):
        parts = [copy.copy(x), copy.deepcopy(x), x.copy(), copy.deepcopy({"a": x})["a"]]
        for part in parts:
            part += 1
        return [x, *parts]

    original, *copies = way(f, THREE)
    same(original, THREE)
    for part in copies:
        same(part, THREE + 1)


def test_a_tracer_is_no_key():
    with pytest.raises(TypeError, match="has no hash"):
        on_tape(hash, 2.0)
    with pytest.raises(TypeError, match="has no hash"):
        on_tape(lambda x: {x: 1}, 2.0)


def test_what_a_tracer_shows():
    assert on_tape(repr, THREE) == "Tracer(float64[3], value=array([1., 2., 3.]))"
    assert on_tape(str, 2.5) == "Tracer(weak_float64, value=2.5)"
    assert on_tape("{:.3f}".format, 2.5) == "2.500"
    assert nested("{:.3f}".format, 2.5) == "2.500"
    shown = []
    ft.make_ir(lambda x: shown.extend([repr(x), f"{x:.2f}"]) or x)(THREE)
    assert shown == ["Tracer(float64[3])"] * 2


def test_pickling_is_refused():
    import pickle

    for use in (pickle.dumps, lambda x: pickle.dumps({"a": [x]})):
        with pytest.raises(errors.LostDerivativeError, match="Pickling"):
            on_tape(use, THREE)
        with pytest.raises(errors.LostDerivativeError, match="Pickling"):
            ft.make_ir(use)(THREE)


def test_python_functions_of_sequences():
    def f(x):
        assert isinstance(sum(x), Tracer)
        assert max(x).value == 3.0
        assert [float(ft.stop_gradient(t)) for t in sorted(x, key=lambda t: -t)] == [3.0, 2.0, 1.0]
        assert [a.value for a in reversed(x)] == [3.0, 2.0, 1.0]
        return math.prod(x)

    np.testing.assert_allclose(ft.grad(f)(THREE), [6.0, 3.0, 2.0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.divide(1.0, x),
        lambda x: np.power(x, -0.5),
        lambda x: np.floor_divide(x, 0),
        lambda x: np.power(x + 1e200, 2),
    ],
    ids=["divide", "power", "floor_divide", "overflow"],
)
def test_functions_of_python_numbers_are_those_of_numpy(f):
    with np.errstate(all="ignore"):
        expected = f(0.0)
        for found in (ft.jit(f)(0.0), ft.jvp(f, (0.0,), (1.0,))[0], ft.value_and_grad(f)(0.0)[0]):
            np.testing.assert_equal(found, expected)
            assert type(found) is type(expected)
        gradient = ft.grad(f)
        np.testing.assert_equal(ft.jit(gradient)(0.0), gradient(0.0))


class Distribution:
    """An object with operators of its own, which can be an array as well."""

    def __init__(self, name):
        self.name = name

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)

    def __radd__(self, other):
        return f"{self.name} plus an array"

    def __add__(self, other):
        return f"an array plus {self.name}"

    def __gt__(self, other):
        return f"{self.name} is more"


class Opaque(Distribution):
    __array_ufunc__ = None


class Prior(Distribution):
    __array_priority__ = 10.0


@pytest.mark.parametrize("kind", [Opaque, Prior, Distribution])
@pytest.mark.parametrize(
    "f", [lambda x, d: x + d, lambda x, d: d + x, lambda x, d: x < d, lambda x, d: d > x]
)
def test_operators_are_left_to_whom_numpy_leaves_them(kind, f):
    given = kind("it")
    expected = f(np.zeros(3), given)
    found = []
    for mode in (ft.jit, lambda g: lambda x: ft.vjp(g, x)[0]):
        result = mode(lambda x: found.append(f(x, given)) or x)(np.zeros(3))
        if isinstance(expected, str):
            assert found.pop() == expected
        else:
            assert isinstance(found.pop(), Tracer | np.ndarray)
        assert result is not None


NO_NUMBERS = {
    "None": None, "text": "a", "an object": object(), "a class": int,
}  # fmt: skip


@pytest.mark.parametrize("other", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("x", [np.array([1.0, 2.0]), np.zeros((0, 2)), np.array([1, 0])], ids=str)
def test_comparisons_with_what_is_no_number(other, x):
    for compare in (operator.eq, operator.ne, lambda x, y: y == x, np.equal, np.not_equal):
        f = lambda x, compare=compare: compare(x, other)
        if compare in (np.equal, np.not_equal) and other is not None:
            continue  # NumPy refuses text, and its result for others is of dtype object
        expected = f(x)
        for found in (ft.jit(f)(x), ft.vjp(lambda x: (x * 1, f(x)), x, has_aux=True)[2]):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype == np.bool_


@pytest.mark.parametrize("x", [np.float64(1.0), 1.0, np.int64(2)])
def test_comparisons_of_scalars_with_what_is_no_number(x):
    for compare in (operator.eq, operator.ne):
        assert ft.jit(lambda x, compare=compare: compare(x, None))(x) == compare(x, None)
