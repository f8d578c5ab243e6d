"""A traced array behaves as the array that it stands for."""

from __future__ import annotations

import copy
import enum
import math
import operator
from collections.abc import Callable
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
from functrace.transforms.evaluate import evaluate
from functrace.transforms.forward import jvp
from functrace.transforms.reverse import Tape

THREE = np.array([1.0, 2.0, 3.0])
MATRIX = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


# Running a function on tracers, in each kind of recording


def on_tape(f: Callable[..., Any], *args: Any) -> Any:
    """The result of a function of tracers whose values are known."""
    with Tape() as tape:
        result = f(*map(tape.lift, args))
        return ft.tree.map(tape.value_of, result)


def nested(f: Callable[..., Any], *args: Any) -> Any:
    """The same, with tracers of tracers."""
    with Tape() as outer:
        result = on_tape(f, *map(outer.lift, args))
        return ft.tree.map(outer.value_of, result)


def recorded(f: Callable[..., Any], *args: Any) -> Any:
    """The result of a function of tracers of which only the types are known."""
    structures = []

    def flat(*args: Any) -> Any:
        leaves, structure = ft.tree.flatten(f(*args))
        structures.append(structure)
        return leaves

    program = ft.make_ir(flat)(*args)
    return structures[0].unflatten(evaluate(program, *args))


def pushed_forward(f: Callable[..., Any], x: Any) -> Any:
    """The result of a function of a tracer with a tangent."""
    return jvp(f, (x,), (np.ones_like(x),))[0]


WAYS = [on_tape, nested, recorded]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def same(result: Any, expected: Any) -> None:
    """Equal in type, dtype, shape and value."""
    assert ft.tree.structure(result) == ft.tree.structure(expected)
    for x, y in zip(ft.tree.leaves(result), ft.tree.leaves(expected), strict=True):
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_array_equal(x, y, strict=True)
        assert isinstance(x, np.ndarray) == isinstance(y, np.ndarray)


# Operators

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
IN_PLACE = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv,
    "//=": operator.ifloordiv, "%=": operator.imod, "**=": operator.ipow,
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


@pytest.mark.parametrize("f", [operator.add, operator.mul, operator.matmul, operator.pow])
@pytest.mark.parametrize("other", [None, "text", {}, object()])
def test_operands_that_are_no_arrays(f, other):
    with pytest.raises(TypeError):
        on_tape(lambda t: f(t, other), THREE)
    with pytest.raises(TypeError):
        on_tape(lambda t: f(other, t), THREE)


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


# Weak Python scalars


@every_way
def test_python_scalars_take_the_dtype_that_they_meet(way):
    x = THREE.astype(np.float32)
    for f in (lambda a: a * x, lambda a: x * a, lambda a: (a + 1) * x, lambda a: (-a) ** 2 + x):
        same(way(f, 2.0), f(2.0))
    same(way(lambda a: np.sin(a) * x, 2.0), np.sin(2.0) * x)


# Ufuncs and methods


ONE_INPUT = sorted((u for u in UFUNCS if u.nin == 1), key=lambda u: u.__name__)
TWO_INPUTS = sorted((u for u in UFUNCS if u.nin == 2), key=lambda u: u.__name__)


def takes(ufunc: np.ufunc, *values: Any) -> Any:
    try:
        with np.errstate(all="ignore"):
            return ufunc(*values)
    except TypeError:
        return None


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


METHODS: dict[str, Callable[[Any], Any]] = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "all": lambda x: x.all(),
    "any": lambda x: x.any(axis=0),
    "argmax": lambda x: x.argmax(axis=1),
    "argmin": lambda x: x.argmin(),
    "argsort": lambda x: x.argsort(axis=0),
    "astype": lambda x: x.astype(np.float32),
    "astype int": lambda x: x.astype(int),
    "clip": lambda x: x.clip(2, 4),
    "conj": lambda x: x.conj(),
    "conjugate": lambda x: x.conjugate(),
    "copy": lambda x: x.copy(),
    "cumsum": lambda x: x.cumsum(axis=1),
    "diagonal": lambda x: x.diagonal(1),
    "dot": lambda x: x.dot(THREE),
    "flatten": lambda x: x.flatten(),
    "max": lambda x: x.max(axis=1),
    "mean": lambda x: x.mean(axis=0, keepdims=True),
    "min": lambda x: x.min(),
    "prod": lambda x: x.prod(axis=1),
    "ravel": lambda x: x.ravel(),
    "repeat": lambda x: x.repeat(2, axis=1),
    "reshape": lambda x: x.reshape(3, 2),
    "reshape tuple": lambda x: x.reshape((3, -1)),
    "round": lambda x: x.round(1),
    "squeeze": lambda x: x[:1].squeeze(0),
    "std": lambda x: x.std(axis=1, ddof=1),
    "sum": lambda x: x.sum(axis=(0, 1)),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: x.take([2, 0], axis=1),
    "trace": lambda x: x.trace(),
    "transpose": lambda x: x.transpose(1, 0),
    "transpose tuple": lambda x: x.transpose((1, 0)),
    "transpose all": lambda x: x.transpose(),
    "var": lambda x: x.var(),
    "shape": lambda x: (x.shape, x.ndim, x.size, x.itemsize, x.nbytes),
    "dtype": lambda x: np.zeros(2, x.dtype),
    "len": len,
    "flat": lambda x: list(x.flat),
    "iteration": lambda x: [row * 2 for row in x],
    "unpacking": lambda x: operator.sub(*x),
    "rows": lambda x: [a + b for a, b, _ in x],
}


@every_way
@pytest.mark.parametrize("name", METHODS)
def test_methods_and_attributes(name, way):
    f = METHODS[name]
    result, expected = way(f, MATRIX), f(MATRIX)
    for x, y in zip(ft.tree.leaves(result), ft.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-15)
        assert np.asarray(x).dtype == np.asarray(y).dtype


def test_sorting_in_place():
    def f(x):
        y = x * 1.0
        assert y.sort() is None
        return y

    same(on_tape(f, np.array([3.0, 1.0, 2.0])), THREE)


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


# Python's protocols


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


def test_probing_for_attributes():
    def f(x):
        assert not hasattr(x, "byteswap")
        assert not hasattr(x, "nothing_of_the_kind")
        for protocol in ("__array_interface__", "__array_struct__", "__dlpack__", "__len_hint__"):
            assert not hasattr(x, protocol)
        assert hasattr(x, "shape")
        assert getattr(x, "tofile", None) is None
        return x

    ft.grad(f)(2.0)
    with pytest.raises(AttributeError, match="'byteswap', although a NumPy array has it") as caught:
        ft.grad(lambda x: x.byteswap())(THREE)
    assert "test_tracing.py" in str(caught.value)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ft.grad(lambda x: x.nothing)(THREE)


def test_what_numpy_asks_of_any_array():
    def f(x):
        assert np.shape(x) == (2, 3)
        assert np.ndim(x) == 2
        assert np.size(x) == 6
        assert np.result_type(x, np.float32) == np.float64
        assert np.zeros_like(x).shape == (2, 3)
        assert np.iscomplexobj(x) is False
        return np.sum(x)

    ft.grad(f)(MATRIX)
    ft.make_ir(f)(MATRIX)


def test_assigning_an_attribute_is_refused():
    for name in ("ndim", "dtype", "T", "anything"):
        with pytest.raises(AttributeError):
            on_tape(lambda x: setattr(x, name, 1), THREE)


def test_pickling_is_refused():
    import pickle

    for use in (pickle.dumps, lambda x: pickle.dumps({"a": [x]})):
        with pytest.raises(errors.LostDerivativeError, match="Pickling"):
            on_tape(use, THREE)
        with pytest.raises(errors.LostDerivativeError, match="Pickling"):
            ft.make_ir(use)(THREE)


# Recordings


def test_following_values_or_types_only():
    def f(x):
        return x * 2 if x > 0 else x

    assert ft.grad(f)(3.0) == 2.0
    with pytest.raises(errors.UnknownValueError):
        ft.make_ir(f)(3.0)


def test_comparisons_that_follow_values_are_plain():
    def f(x):
        assert type(x > 1.0) is bool
        assert type(np.sum(x) > 1.0) in (bool, np.bool_)
        assert type(np.floor(x)) is np.float64
        assert type(np.argmax(np.stack([x, x]))) is np.int64
        return x

    ft.grad(f)(2.0)
    ft.grad(ft.grad(f))(2.0)


def test_the_youngest_recording_records():
    with Tape() as outer:
        x = outer.lift(2.0)
        with Tape() as inner:
            y = inner.lift(3.0)
            for z in (x * y, y * x):
                assert z.recording is inner
                assert z.value.recording is outer
                assert z.value.value == 6.0
            assert (x * x).recording is outer
            assert (y * y).value == 9.0
        assert outer.birth < inner.birth


def test_a_program_under_a_tape_and_a_tape_under_a_program():
    gradient = ft.make_ir(ft.grad(lambda x: np.sin(x) * x))(2.0)
    assert evaluate(gradient, 2.0) == [np.sin(2.0) + np.cos(2.0) * 2.0]
    kept = []
    value = ft.grad(lambda x: kept.append(ft.make_ir(lambda y: x * y)(3.0)) or x)(2.0)
    assert value == 1.0
    assert "captured(weak_float64)" in str(kept[0])


def test_recordings_of_generators_that_take_turns():
    def steps(x):
        for _ in range(3):
            x = x * x
            yield x

    with Tape() as one, Tape() as two:
        for a, b in zip(steps(one.lift(2.0)), steps(two.lift(3.0)), strict=True):
            assert (a.recording, b.recording) == (one, two)
    assert (one.variables, two.variables) == (4, 4)


def test_arrays_captured_by_a_program_are_its_constants():
    y = np.array([1.0, 2.0, 3.0])
    program = ft.make_ir(lambda x: x * y + y)(THREE)
    assert len(list(program.constants())) == 1


# Writing in place


def grad_of_sum(f: Callable[[Any], Any], x: Any = THREE) -> Any:
    """The function's value and gradient after a sum with weights that tell elements apart."""

    def loss(t):
        y = f(t)
        weights = np.arange(1.0, np.size(y) + 1).reshape(np.shape(y))
        return np.sum(y * weights), y

    (_, value), gradient = ft.value_and_grad(loss, has_aux=True)(x)
    return value, gradient


@every_way
@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("other", [2, 2.5, np.float32(2.0), np.array([2.0, 1.0, 4.0]), [1, 2, 3]])
def test_operators_in_place(name, other, way):
    def f(x):
        y = x * 1.5
        alias = y
        y = IN_PLACE[name](y, other)
        assert y is alias
        return y, alias

    same(way(f, THREE), f(THREE))


@every_way
def test_matrix_product_in_place(way):
    square = np.array([[1.0, 2.0], [3.0, 4.0]])

    def f(x):
        y = x * 1.0
        y @= square
        return y

    same(way(f, square), f(square))


@every_way
@pytest.mark.parametrize("name", IN_PLACE)
def test_operators_in_place_rebind_scalars(name, way):
    def f(x):
        alias = x
        x = IN_PLACE[name](x, 2)
        return x, alias

    for x in (2.5, np.float64(2.5)):
        same(way(f, x), f(x))


@every_way
def test_the_elements_that_a_loop_takes_are_scalars(way):
    def f(x):
        total = 0.0
        for element in x:
            last = element
            last += 1.0
            total += last * element
        row = np.reshape(last, -1)
        row[0] = 7.0
        alias = last
        last *= x  # which is an array from here on
        return total, row, alias, last

    same(way(f, THREE), f(THREE))


@every_way
def test_the_callers_array_is_untouched(way):
    def f(x):
        x += 1
        x[0] = 7.0
        x *= 2
        return x

    x = THREE.copy()
    same(way(f, x), np.array([14.0, 6.0, 8.0]))
    same(x, THREE)


def test_the_gradient_through_writes():
    def f(x):
        y = x * 2
        y[0] = y[1] * x[2]
        y += x
        return y

    value, gradient = grad_of_sum(f)
    same(value, np.array([2 * 2 * 3 + 1.0, 6.0, 9.0]))
    # 1 * (2 x1 x2 + x0) + 2 * 3 x1 + 3 * 3 x2
    same(gradient, np.array([1.0, 2 * 3 + 6.0, 2 * 2 + 9.0]))


@every_way
def test_a_result_must_fit_into_what_is_changed(way):
    def grow(x):
        x += np.ones((2, 3))
        return x

    with pytest.raises(errors.ShapeMismatchError, match=r"\(2, 3\).*\(3,\).*changed in place"):
        way(grow, THREE)

    def become_complex(x):
        x *= 1j
        return x

    with pytest.raises(errors.OperandError, match="complex128 does not fit"):
        way(become_complex, THREE)


@every_way
def test_the_dtype_stays_in_place(way):
    def f(x):
        y = x * 1
        y += np.float64(0.1)
        return y

    x = THREE.astype(np.float32)
    same(way(f, x), f(x))


def test_a_name_in_the_function_that_was_called_sees_the_change():
    def double(y):
        y *= 2

    def f(x):
        y = x + 0.0
        double(y)
        return y

    value, gradient = grad_of_sum(f)
    same(value, THREE * 2)
    same(gradient, np.array([2.0, 4.0, 6.0]))


def test_an_input_of_an_outer_recording_is_changed_for_the_outer_one_too():
    def f(x):
        y = x * 1.0

        def inner(t):
            y[0] = 10.0
            return np.sum(t * y)

        return ft.grad(inner)(THREE) + y

    same(on_tape(f, THREE), np.array([20.0, 4.0, 6.0]))


def test_what_is_captured_is_the_value_at_the_time():
    def pulled_back(x):
        y = x * 1.0
        _, pullback = ft.vjp(lambda t: np.sin(t) * y, y)
        y += 1.0
        return np.sum(pullback(np.ones(3))[0])

    np.testing.assert_allclose(ft.grad(pulled_back)(THREE), np.cos(THREE) - THREE * np.sin(THREE))

    def pushed(x):
        y = x * 1.0
        tangent = jvp(lambda t: t * y, (y,), (y,))[1]
        y *= 2.0
        return np.sum(tangent)

    np.testing.assert_allclose(ft.grad(pushed)(THREE), 2 * THREE)

    def jitted(x):
        y = x * 1.0
        product = ft.jit(lambda t: t * y)
        first = product(1.0)
        y += 1.0
        return np.sum(first * product(1.0))

    np.testing.assert_allclose(ft.grad(jitted)(THREE), 2 * THREE + 1)

    def mapped(x):
        y = x * 1.0
        rows = ft.vmap(lambda row: row * y)(np.ones((2, 3)))
        y += 1.0
        return np.sum(rows * y)

    np.testing.assert_allclose(ft.grad(mapped)(THREE), 2 * (2 * THREE + 1))


# Views

VIEWS: dict[str, Callable[[Any], Any]] = {
    "x[1:]": lambda x: x[1:],
    "x[::-1]": lambda x: x[::-1],
    "x[:, 0]": lambda x: x[:, 0],
    "x[...]": lambda x: x[...],
    "x[None]": lambda x: x[None],
    "x[0]": lambda x: x[0],
    "x.T": lambda x: x.T,
    "x.reshape(3, 2)": lambda x: x.reshape(3, 2),
    "np.ravel(x)": np.ravel,
    "x.swapaxes(0, 1)": lambda x: x.swapaxes(0, 1),
    "np.squeeze(x[:1])": lambda x: np.squeeze(x[:1]),
    "np.flip(x)": np.flip,
    "np.expand_dims(x, 0)": lambda x: np.expand_dims(x, 0),
    "np.moveaxis(x, 0, 1)": lambda x: np.moveaxis(x, 0, 1),
    "np.split": lambda x: np.split(x, [1])[0],
    "x[1:][0]": lambda x: x[1:][0],
    "x.T[1:]": lambda x: x.T[1:],
    "iteration": lambda x: next(iter(x)),
    "np.rot90": np.rot90,
    "np.atleast_3d": np.atleast_3d,
    "x.conj()": lambda x: x.conj(),
    "x.real": lambda x: x.real,
    "np.real(x)": np.real,
    "np.asarray": ft.numpy.asarray,
    "np.atleast_2d": np.atleast_2d,
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "x.copy()": lambda x: x.copy(),
    "x + 0": lambda x: x + 0,
    "+x": lambda x: +x,
    "x[[0, 1]]": lambda x: x[[0, 1]],
    "x[mask]": lambda x: x[np.array([True, False])],
    "x.flatten()": lambda x: x.flatten(),
    "np.concatenate": lambda x: np.concatenate([x]),
    "np.stack": lambda x: np.stack([x]),
    "np.tile": lambda x: np.tile(x, 1),
    "np.where": lambda x: np.where(True, x, x),
    "x.astype": lambda x: x.astype(float),
    "x.repeat": lambda x: x.repeat(1),
    "np.roll": lambda x: np.roll(x, 0),
    "np.sort": np.sort,
    "np.conj(x)": np.conj,
    "np.take": lambda x: np.take(x, [0], 0),
}


def as_numpy(f: Callable[[Any], Any], x: Any) -> None:
    """A function gives what NumPy gives, in each way."""
    expected = f(x.copy())
    for way in (*WAYS, pushed_forward):
        same(way(f, x.copy()), expected)


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_through_a_view(name):
    view = VIEWS[name]

    def add_in_place(x):
        y = x * 1.0
        v = view(y)
        v += 1.0
        return y + 0.0

    def write(x):
        y = x * 1.0
        v = view(y)
        v[0] = 9.0
        return y + 0.0

    def write_the_base(x):
        y = x * 1.0
        v = view(y)
        y[0] = 9.0
        return v + 0.0

    def write_the_base_and_use_it(x):
        y = x * 1.0
        v = view(y)
        y += 1.0
        return (y * 2, v * 2)

    def multiply_the_base(x):
        y = x * 1.0
        v = view(y)
        np.multiply(y, 2.0, out=y)
        return v * 1.0

    for f in (add_in_place, write, write_the_base, write_the_base_and_use_it, multiply_the_base):
        as_numpy(f, MATRIX)


@pytest.mark.parametrize("name", COPIES)
def test_a_write_to_a_copy_changes_nothing_else(name):
    def f(x):
        y = x * 1.0
        c = COPIES[name](y)
        c += 1.0
        c[0] = 9.0
        y *= 3.0
        y[0] = 5.0
        return y + 0.0, c + 0.0

    as_numpy(f, MATRIX)


def test_a_slice_that_is_changed_in_place():
    def f(x):
        y = x * 1.0
        y[1:] += 1.0
        y[0] *= 2.0
        y[:, 1] -= y[:, 0]
        y[1][2] = 4.0
        return y + 0.0

    def only_slices(x):
        y = x * 1.0
        y[1:] += 1.0
        y[0] *= 2.0
        y[:, 1] -= y[:, 0]
        y[0, 0] /= 4.0
        return y + 0.0

    as_numpy(only_slices, MATRIX)
    as_numpy(f, MATRIX)


def test_a_view_that_is_gone_is_no_hindrance():
    def f(x):
        y = x * 1.0
        total = np.sum(y[1:]) + y[0].sum()
        y[0] = total
        v = y.T
        first = v[0] * 2.0
        del v
        y += 1.0
        return y, first

    as_numpy(f, MATRIX)


def test_a_view_of_what_was_overwritten_by_an_operation():
    def f(x):
        y = x * 1.0
        v = y[1:]
        y = y + 1.0  # another array
        y[1:] = 0.0
        return y, v + 0.0

    as_numpy(f, MATRIX)


def test_where_the_layout_in_memory_decides_and_is_not_known():
    def use_the_base(x):
        y = x.T + np.ones((3, 2))  # in the order of one or of the other
        v = y.reshape(6)
        v[0] = 1.0  # the write
        return np.sum(y)

    def use_the_view(x):
        y = x.T + np.ones((3, 2))  # in the order of one or of the other
        v = y.reshape(6)[1:]
        y[0] = 1.0  # the write

        return np.sum(v)

    for f in (use_the_base, use_the_view):
        np.testing.assert_allclose(ft.vjp(f, MATRIX)[0], f(MATRIX))
        with pytest.raises(errors.ViewWriteError) as caught:
            ft.make_ir(f)(MATRIX)
        line = f.__code__.co_firstlineno + 3
        assert f"test_tracing.py:{line} in {f.__name__}" in str(caught.value)
        assert "x.reshape(shape).copy()" in str(caught.value)


def test_a_view_that_a_helper_keeps():
    kept = []

    def f(x):
        y = x * 1.0
        kept.append(y[1:])
        y[1] = 5.0
        return y * kept.pop()[0]

    as_numpy(f, THREE)


def test_an_array_that_cannot_be_written():
    for view in (np.diagonal, lambda x: np.broadcast_to(x, (2, 2, 2)), np.diag):
        for way in WAYS:
            with pytest.raises(ValueError, match="read-only"):
                way(lambda x, view=view: view(x * 1.0).__setitem__(0, 1.0), np.eye(2))


def test_recordings_of_programs_and_their_writes():
    def f(x):
        y = np.zeros_like(x)
        for i in range(3):
            y[i] = x[i] ** 2
        y[1:] += 1.0
        return y

    same(recorded(f, THREE), f(THREE))


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["view", "copy", "add", "set", "iadd", "use", "drop", "slice add"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(OPERATIONS)
def test_any_sequence_of_views_and_writes(operations):

    def f(x):
        arrays = {0: x * 1.0}
        used = []
        for number, (kind, source, target) in enumerate(operations):
            if source not in arrays:
                continue
            y = arrays[source]
            if kind == "view":
                arrays[target] = (y[1:], y[::-1], y.T, y[...])[number % 4]
            elif kind == "copy":
                arrays[target] = y.copy()
            elif kind == "add":
                arrays[target] = y + 1.0
            elif kind == "set":
                y[...] = number * 1.0
            elif kind == "iadd":
                y += number * 1.0
            elif kind == "slice add":
                y[:1] += number * 1.0
            elif kind == "use":
                used.append(np.sum(y))
            elif source:
                del arrays[source]
            del y
        return [*used, *(a + 0.0 for a in arrays.values())]

    as_numpy(f, np.arange(1.0, 9.0))


# Many operations


def test_a_long_chain_needs_no_stack():
    def f(x):
        for _ in range(20_000):
            x = x * 1.0
        return x

    assert ft.grad(f)(2.0) == 1.0


def test_the_memory_of_a_tape_is_let_go():
    import gc
    import weakref

    class Array(np.ndarray):
        pass

    kept = []

    def f(x):
        kept.append(weakref.ref(x.recording))
        return np.sum(np.sin(x) * x[1:].sum())

    ft.grad(f)(THREE)
    gc.collect()
    assert kept[0]() is None


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


def test_methods_of_plain_arrays_name_what_to_write():
    plain = np.ones((2, 2))
    for call, advice in (
        (lambda t: plain.dot(t), "write plain @ t"),
        (lambda t: plain[0].dot(plain).dot(t), "write plain[0].dot(plain) @ t"),
        (lambda t: plain.take(t), "write functrace.numpy.take(plain, t)"),
    ):
        for transform in (ft.jit, lambda f: lambda x: ft.vjp(f, x)):
            with pytest.raises(TypeError) as caught:
                transform(call)(np.ones(2))
            assert advice in str(caught.value)


def test_stable_sorts_by_methods():
    def ranks(x):
        order = x.argsort(stable=True)
        x.sort(stable=True)
        return x, order

    for transform in (ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]):
        found, order = transform(ranks)(np.array([2.0, 1.0, 2.0]))
        assert (found.tolist(), order.tolist()) == ([1.0, 2.0, 2.0], [1, 0, 2])


class Level(enum.IntEnum):
    HIGH = 3


class Metres(float):
    """A subclass of Python's floats."""


class Impedance(complex):
    """A subclass of Python's complex numbers."""


@pytest.mark.parametrize("number", [Level.HIGH, Metres(2.5), Impedance(1 + 2j)])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float16, np.float32, np.float64, np.complex64])
def test_numbers_of_subclasses_are_not_weak_as_in_numpy(number, dtype):
    for x in (np.ones(2, dtype) * dtype(100), np.ones((), dtype)[()] * dtype(100)):
        for f in (
            lambda x, y: x * y,
            lambda x, y: y * x,
            lambda x, y: np.add(x, y),
            lambda x, y: np.where(x, x, y),
        ):
            expected = f(x, number)
            for found in (ft.jit(f)(x, number), ft.jit(lambda x, f=f: f(x, number))(x)):
                np.testing.assert_array_equal(found, expected)
                assert found.dtype == np.asarray(expected).dtype


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


def untouched(x):
    return x


def filled(x):
    x.fill(2.0)
    return x


def set_by_flat(x):
    x.flat[0] = 2.0
    return x


def set_by_flat_as_a_whole(x):
    x.flat = 2.0
    return x


def put(x):
    x.put(0, 2.0)
    return x


def set_by_an_index(x):
    x[...] = 2.0
    return x


def set_by_no_index(x):
    x[()] = 2.0
    return x


def set_by_its_real_part(x):
    x.real = 2.0
    return x


def copied_to(x):
    np.copyto(x, 2.0)
    return x


def given_as_out(x):
    return np.add(1.0, 1.0, out=x)


WRITES_OF_SCALARS = [
    *[filled, set_by_flat, set_by_flat_as_a_whole, put, set_by_an_index, set_by_no_index],
    *[set_by_its_real_part, copied_to, given_as_out],
]
WRITTEN_UNDER = {
    "grad": lambda f, x: ft.value_and_grad(f)(x),
    "jvp": lambda f, x: ft.jvp(f, (x,), (np.ones_like(x),)),
    "jit": lambda f, x: (ft.jit(f)(x), ft.jit(ft.grad(f))(x)),
    "grad of jit": lambda f, x: ft.value_and_grad(ft.jit(f))(x),
    "Program": lambda f, x: (ft.evaluate(ft.make_ir(f)(x), x)[0], 0.0),
    "cond": lambda f, x: ft.jit(ft.value_and_grad(lambda x: ft.cond(x > 0, f, untouched, x)))(x),
    "checkpoint": lambda f, x: ft.value_and_grad(ft.checkpoint(f))(x),
}


@pytest.mark.parametrize("write", WRITES_OF_SCALARS)
@pytest.mark.parametrize("name", WRITTEN_UNDER)
def test_scalars_are_not_written_like_arrays(name, write):
    f = lambda x: write(x) * 3.0
    expected = f(np.array(4.0))
    value, derivative = WRITTEN_UNDER[name](f, np.array(4.0))
    assert (value, derivative) == (expected, 0.0) == (6.0, 0.0)
    with pytest.raises(errors.ScalarWriteError, match=r"x = functrace\.numpy\.array\(x\)"):
        WRITTEN_UNDER[name](f, np.float64(4.0))
    with pytest.raises(errors.ScalarWriteError):
        WRITTEN_UNDER[name](lambda x: f(x * 1.0), np.array(4.0))
    value, derivative = WRITTEN_UNDER[name](lambda x: f(ft.numpy.array(x)), np.float64(4.0))
    assert (value, derivative) == (expected, 0.0)


def test_a_jitted_function_that_writes_into_an_array_without_axes_refuses_scalars():
    fast = ft.jit(filled)
    for _ in range(3):
        assert fast(np.array(4.0)) == 2.0
        with pytest.raises(errors.ScalarWriteError):
            fast(np.float64(4.0))


def test_the_shape_of_a_scalar_is_not_set():
    def f(x):
        x.shape = (1,)
        return np.sum(x)

    for transform in (ft.grad, lambda f: ft.jit(ft.grad(f))):
        with pytest.raises(errors.ScalarWriteError):
            transform(f)(np.float64(1.0))
    assert ft.grad(f)(np.array(1.0)) == ft.jit(ft.grad(f))(np.array(1.0)) == 1.0


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


def test_whole_numbers_of_more_than_64_bits_as_bases():
    for f in (lambda x: (10**30) ** x, lambda x: np.power(10.0**30, x)):
        expected = 10.0**30 * np.log(10.0**30)
        for found in (ft.grad(f)(1.0), ft.jvp(f, (1.0,), (1.0,))[1], ft.jit(ft.grad(f))(1.0)):
            np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("transform", [ft.grad, ft.jit])
def test_methods_that_a_traced_array_has_not_say_what_to_write(transform):
    for use in (lambda x: x.resize((2,)), lambda x: x.tobytes(), lambda x: x.flags):
        with pytest.raises(AttributeError, match=r"zeros|come[s] back|row-major"):
            transform(lambda x, use=use: (use(x), np.sum(x))[1])(np.ones(3))


def test_methods_that_are_functions_of_numpys():
    x = np.arange(3.0)
    for f in (
        lambda x: x.searchsorted(1.5),
        lambda x: (x > 1).choose([x, x * 2]),
        lambda x: x.compress([True, False, True]),
        lambda x: x.compress([True, False, True], 0) * x.argpartition(1)[:2],
    ):
        np.testing.assert_array_equal(ft.jit(f)(x), f(x))
