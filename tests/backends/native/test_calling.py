from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import sys
import threading
import time
import tracemalloc
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import BuiltinFunctionType

import numpy as np
import pytest

import functrace as ft
from functrace.backends.memory import MOST_KEPT, MOST_KEPT_BY_ALL, Workspace
from functrace.backends.native.objects import DTYPES, is_supported
from functrace.jitting.recordings import Recordings
from tests.backends.native.compiled import (
    DIVIDE,
    HEAD,
    SPIN,
    Output,
    builtin,
    calling,
    copy_of,
    copying,
    function,
    never,
    of,
)

pytestmark = pytest.mark.skipif(not is_supported(), reason="no machine code here")

VALUES = np.arange(24).reshape(2, 3, 4)
NAMES = sorted(dtype.name for dtype in DTYPES)


def copier(*outputs: Output, fallback=never, **options):
    return builtin(copy_of(*outputs), [o.type for o in outputs], outputs, fallback, **options)


def same(x, y):
    assert type(x) is type(y)
    assert np.asarray(x).dtype == np.asarray(y).dtype
    np.testing.assert_array_equal(x, y, strict=True)


# What comes out


@pytest.mark.parametrize("name", NAMES)
def test_arrays_scalars_and_arrays_without_axes_of_every_dtype(name):
    x = np.asarray(VALUES % 3 != 0 if name == "bool" else VALUES * 5, name)
    copy = copier(Output(of(x.shape, name)), Output(of((), name)), Output(of((), name), True))
    array, scalar, zero_dim = copy(x, x[1, 1, 1], np.array(x[0, 1, 1]))
    same(array, x)
    same(scalar, x[1, 1, 1])
    same(zero_dim, np.array(x[0, 1, 1]))
    assert array.flags.owndata
    assert array.flags.writeable
    assert array.dtype is np.dtype(name)
    same(copy(x, np.array(x[1, 1, 1]), x[0, 1, 1])[2], np.array(x[0, 1, 1]))


@pytest.mark.parametrize(
    "values",
    [[1.5, -0.0, float("inf"), 5e-324], [0, -1, 2**63 - 1, -(2**63)], [True, False], [1.5 - 2j]],
)
def test_numbers_of_python_come_and_go(values):
    dtype = np.asarray(values).dtype
    weak = copier(Output(of((), dtype, weak=True)))
    strong = copier(Output(of((), dtype)))
    for value in values:
        (result,) = weak(value)
        assert type(result) is type(value)
        assert repr(result) == repr(value)
        same(strong(value)[0], dtype.type(value))
        assert repr(weak(dtype.type(value))[0]) == repr(value)


def test_nan_keeps_its_sign_and_payload():
    x = np.array([0x7FF8000000000001, 0xFFF8000000000002], np.uint64).view(np.float64)
    copy = copier(Output(of((2,))), Output(of()), Output(of(weak=True)))
    results = copy(x, x[1], float(x[0]))
    assert results[0].tobytes() == x.tobytes()
    assert results[1].tobytes() == x[1].tobytes()


def test_truth_is_the_one_object_for_it():
    assert copier(Output(of((), bool)))(np.True_)[0] is np.True_
    assert copier(Output(of((), bool)))(False)[0] is np.False_
    assert copier(Output(of((), bool, weak=True)))(True)[0] is True


def test_no_outputs_no_inputs():
    assert copier()() == ()


def test_many_inputs_and_outputs():
    outputs = [Output(of((n % 5,))) for n in range(400)]
    given = [np.arange(n % 5) + float(n) for n in range(400)]
    for x, result in zip(given, copier(*outputs)(*given), strict=True):
        same(result, x)


def test_results_share_no_memory():
    x = np.arange(6.0)
    (first,), (second,) = copier(Output(of((6,))))(x), copier(Output(of((6,))))(x)
    assert not np.shares_memory(first, x)
    assert not np.shares_memory(first, second)


# What goes in


def unaligned(x):
    room = np.empty(x.nbytes + 1, np.uint8)
    result = room[1:].view(x.dtype).reshape(x.shape)
    result[...] = x
    return result


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {
    "as it should": np.copy,
    "read-only": read_only,
    "column-major": lambda x: x.copy("F"),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "swapped and reversed": lambda x: x[::-1].astype(x.dtype.newbyteorder())[::-1],
    "unaligned": unaligned,
    "unaligned and swapped": lambda x: unaligned(x.astype(x.dtype.newbyteorder())),
    "field": lambda x: np.rec.fromarrays([np.zeros(x.shape, "i1"), x]).view(np.ndarray)["f1"],
    "pickled": lambda x: pickle.loads(pickle.dumps(x)),
    "own dtype": lambda x: x.astype(x.dtype.newbyteorder("=")),
    "with metadata": lambda x: x.astype(np.dtype(x.dtype, metadata={"unit": "m"})),
    "no owner": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.mark.thinned
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(24,), (2, 3, 4), (4, 1, 6), (), (0,), (3, 0, 2)], ids=str)
@pytest.mark.parametrize("name", ["float64", "int32", "bool"])
def test_arrays_that_lie_in_any_way(name, shape, layout):
    if not shape and layout in {"strided", "reversed", "swapped and reversed"}:
        pytest.skip("needs an axis")
    x = np.asarray(VALUES.ravel()[: int(np.prod(shape))] % 7, name).reshape(shape)
    given = LAYOUTS[layout](x)
    before = given.tobytes()
    (result,) = copier(Output(of(shape, name), is_array=True))(given)
    same(result, x)
    assert result.dtype is np.dtype(name)
    assert given.tobytes() == before


def test_broadcast_and_overlapping_arrays():
    row = np.arange(4.0)
    wide, whole = np.broadcast_to(row, (3, 4)), np.arange(7.0)
    copy = copier(Output(of((3, 4))), Output(of((6,))), Output(of((6,))), Output(of((6,))))
    results = copy(wide, whole[1:], whole[:-1], whole[1:])
    for result, expected in zip(results, (wide, whole[1:], whole[:-1], whole[1:]), strict=True):
        same(result, np.array(expected))


def test_integers_that_c_names_twice():
    copy = copier(Output(of((3,), np.int64)), Output(of((), np.int64)))
    array, scalar = copy(np.arange(3, dtype=np.longlong), np.longlong(7))
    same(array, np.arange(3, dtype=np.int64))
    same(scalar, np.int64(7))
    long_long = np.dtype(np.longlong)
    same(copier(Output(of((3,), long_long)))(np.arange(3))[0], np.arange(3, dtype=long_long))


def test_lengths_beyond_the_first_and_last_count():
    copy = copier(Output(of((2, 3, 4))), fallback=lambda x: "NumPy")
    for shape in [(2, 4, 3), (2, 3), (24,), (2, 3, 4, 1), (), (2, 3, 5), (0, 3, 4)]:
        assert copy(np.zeros(shape)) == "NumPy"


class Subclass(np.ndarray):
    pass


class OfFloat(float):
    pass


@pytest.mark.parametrize(
    "given",
    [
        np.zeros(3).view(Subclass),
        np.ma.zeros(3),
        np.zeros(3, object),
        np.zeros(3, np.float32),
        np.zeros(3, np.int64),
        np.zeros(3, "M8[s]"),
        np.zeros(3, "S8"),
        np.zeros(3, [("a", "f8")]),
        np.zeros(4),
        np.zeros((3, 1)),
        [0.0, 0.0, 0.0],
        0.0,
        None,
        "abc",
        np.float64(0.0),
        memoryview(np.zeros(3)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_is_no_such_array_goes_to_numpy_as_it_is(given):
    got = []
    called = copier(Output(of((3,))), fallback=lambda *args: got.append(args) or "NumPy")
    assert called(given) == "NumPy"
    assert got[0][0] is given


@pytest.mark.parametrize(
    ("type", "given"),
    [
        (of(), 1),
        (of(), True),
        (of(), np.float32(1)),
        (of(), OfFloat(1.0)),
        (of(), np.zeros(1)),
        (of(), np.array(1)),
        (of(), "1"),
        (of(), None),
        (of(weak=True), 1),
        (of((), np.float32), 1.0),
        (of((), np.int64), True),
        (of((), np.int64), 1.0),
        (of((), np.int64), np.uint64(1)),
        (of((), np.int64, weak=True), 2**63),
        (of((), np.int64, weak=True), -(2**63) - 1),
        (of((), np.int64, weak=True), 10**100),
        (of((), np.int32), 1),
        (of((), bool), 1),
        (of((), bool), np.array(1)),
        (of((), np.complex128), 1.0),
    ],
    ids=repr,
)
def test_what_is_no_such_scalar_goes_to_numpy_as_it_is(type, given):
    got = []
    called = copier(Output(type), fallback=lambda *args: got.append(args) or "NumPy")
    assert called(given) == "NumPy"
    assert got[0][0] is given


def test_other_arguments_stay_as_they_are_where_one_is_prepared():
    rows, numbers = np.arange(12.0).reshape(3, 4).T, np.arange(3.0)
    copy = copier(Output(of((4, 3))), Output(of((3,))), Output(of(weak=True)))
    results = copy(rows, numbers, 2.5)
    same(results[0], rows)
    same(results[1], numbers)
    assert results[2] == 2.5
    types = [of((4, 3)), of((3,)), of(weak=True)]
    made = calling.prepared(types, rows, numbers, 2.5)
    assert made[1] is numbers
    assert made[2] == 2.5
    assert calling.prepared(types, rows, None, 2.5) is None
    assert calling.prepared(types, np.ascontiguousarray(rows), numbers, 2.5) is None


# Errors


def test_another_number_of_arguments():
    called = copier(Output(of()), Output(of()))
    for given in [(), (1.0,), (1.0, 2.0, 3.0)]:
        message = f"kernel takes 2 arguments, and was given {len(given)}"
        with pytest.raises(TypeError, match=message):
            called(*given)
    with pytest.raises(TypeError, match="no keyword arguments"):
        called(1.0, y=2.0)


def test_where_the_machine_function_fails_numpy_is_asked():
    text = copying(24, code="7")
    x = np.arange(3.0)[::-1]
    assert builtin(text, [of((3,))], [Output(of((3,)))], lambda x: ("NumPy", x[0]))(x) == (
        "NumPy",
        2.0,
    )

    def fallback(x):
        raise IndexError("index 5 is out of bounds")

    with pytest.raises(IndexError, match="index 5"):
        builtin(text, [of((3,))], [Output(of((3,)))], fallback)(x)


def divider(by_numpy=np.divide, **options):
    divide = builtin(DIVIDE, [of()] * 2, [Output(of())], lambda x, y: (by_numpy(x, y),), **options)
    return lambda x, y: divide(x, y)[0]


@pytest.mark.parametrize("is_long", [False, True])
def test_where_numpy_warns_it_does(is_long):
    divide = divider(is_long=is_long)
    one, zero, large, small = map(np.float64, (1.0, 0.0, 1e300, 1e-300))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        same(divide(one, zero), np.float64(np.inf))
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(divide(zero, zero))
    with pytest.warns(RuntimeWarning, match="overflow"):
        same(divide(large, small), np.float64(np.inf))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        divide(one, zero)
    with np.errstate(all="ignore"):
        same(divide(-one, zero), np.float64(-np.inf))


def test_where_numpy_does_not_warn_machine_code_is_enough():
    divide = divider(never)
    same(divide(np.float64(1e-300), np.float64(1e300)), np.float64(0.0))  # it underflows
    same(divide(np.float64(np.inf), np.float64(2.0)), np.float64(np.inf))
    assert np.isnan(divide(np.float64(np.nan), np.float64(2.0)))
    same(divide(np.float64(1.0), np.float64(3.0)), np.float64(1 / 3))


def test_flags_of_others_and_for_others():
    divide, quiet = divider(lambda x, y: "NumPy"), divider(never)
    ten = float("10")
    assert 1e308 * ten == float("inf")  # it sets a flag
    same(quiet(np.float64(1.0), np.float64(2.0)), np.float64(0.5))
    assert divide(np.float64(1.0), np.float64(0.0)) == "NumPy"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.arange(3.0) + 1.0
        same(quiet(np.float64(1.0), np.float64(2.0)), np.float64(0.5))


@pytest.mark.parametrize("before", [0, 2])
def test_no_memory_for_an_output(before):
    outputs = [*[Output(of((3,)))] * before, Output(of((1 << 44,)))]
    called = builtin(f"{HEAD}\n  ret i32 0\n}}", [], outputs, never)
    for _ in range(3):
        with pytest.raises(MemoryError):
            called()


def test_no_working_memory():
    called = copier(Output(of((3,))), memory=1 << 60)
    with pytest.raises(MemoryError):
        called(np.zeros(3))


# Guards

MISS = object()


def guard(outputs, classes, by_numpy=never, is_single=False, unless=None):
    made = function(copy_of(*outputs), [o.type for o in outputs], outputs, by_numpy)
    return made.guard(classes, MISS, [] if unless is None else unless, is_single)


GIVEN = [
    (of((2, 3)), np.arange(6.0).reshape(2, 3)),
    (of((0,), np.int8), np.zeros(0, np.int8)),
    (of(), np.array(2.5)),
    (of(), np.float64(2.5)),
    (of(weak=True), 2.5),
    (of((), np.int64), np.int64(7)),
    (of((), np.int64, weak=True), 7),
    (of((), bool), np.True_),
    (of((), bool, weak=True), True),
    (of((), np.complex128, weak=True), 2j),
    (of((), np.float32), np.float32(2.5)),
]


@pytest.mark.parametrize(("type_", "x"), GIVEN, ids=repr)
def test_guards_pass_calls_of_their_kind_only(type_, x):
    output = Output(type_, is_array=isinstance(x, np.ndarray))
    alone, both = guard([output], [type(x)], is_single=True), guard([output] * 2, [type(x)] * 2)
    same(alone((x,), {}), x)
    results = both((x, x), {})
    assert type(results) is tuple
    for result in results:
        same(result, x)
    for _, other in GIVEN:
        if other is not x:
            assert alone((other,), {}) is MISS
            assert both((x, other), {}) is MISS
    for args, kwargs in [((), {}), ((x, x), {}), ((x,), {"y": x}), ((), {"x": x})]:
        assert alone(args, kwargs) is MISS
    if isinstance(x, np.ndarray):
        for other in (x.view(Subclass), x.astype(">f4"), x[None], x.tolist(), None):
            assert alone((other,), {}) is MISS


def test_guards_pass_arrays_of_their_type_that_lie_in_any_way():
    x = np.arange(6.0).reshape(2, 3)
    alone = guard([Output(of((2, 3)))], [np.ndarray], is_single=True)
    for given in (x.T.copy().T, np.repeat(x, 2, axis=1)[:, ::2], pickle.loads(pickle.dumps(x))):
        same(alone((given,), {}), x)
    assert alone((x.astype(">f8"),), {}) is MISS


def test_guards_pass_nothing_while_a_list_has_items():
    unless = []
    alone = guard([Output(of(weak=True))], [float], is_single=True, unless=unless)
    assert alone((2.5,), {}) == 2.5
    unless.append(None)
    assert alone((2.5,), {}) is MISS
    unless.pop()
    assert alone((2.5,), {}) == 2.5


def test_guards_ask_numpy_where_machine_code_fails():
    made = function(DIVIDE, [of(weak=True)] * 2, [Output(of())], lambda x, y: (np.divide(x, y),))
    divide = made.guard([float, float], MISS, [], True)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        same(divide((1.0, 0.0), {}), np.float64(np.inf))
    many = made.guard([float, float], MISS, [], False)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert many((1.0, 0.0), {}) == (np.inf,)
    integers = guard([Output(of((), np.int64, weak=True))], [int], lambda x: (x,), True)
    assert integers((2**70,), {}) == 2**70


def test_guards_keep_nothing():
    x, miss = np.arange(3.0), MISS
    alone = guard([Output(of((3,)))], [np.ndarray], is_single=True)
    before = counts([x, miss, None, np.dtype(float)])
    for _ in range(1000):
        alone((x,), {})
        alone((x[::-1],), {})
        alone((x, x), {})
        alone((2.5,), {})
    for first, last in zip(before, counts([x, miss, None, np.dtype(float)]), strict=True):
        assert abs(last - first) < 50


# Working memory

FILL = """
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define i32 @kernel(ptr %inputs, ptr %outputs, ptr %memory) {{
  call void @llvm.memset.p0.i64(ptr %memory, i8 7, i64 {size}, i1 false)
  %address = ptrtoint ptr %memory to i64
  %low = and i64 %address, 63
  %code = trunc i64 %low to i32
  %last.at = getelementptr i8, ptr %memory, i64 {last}
  %last = load i8, ptr %last.at
  %output = load ptr, ptr %outputs
  store i8 %last, ptr %output
  ret i32 %code
}}
"""


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("size", [1, 63, 4096, 4097, 3_000_001])
def test_working_memory_is_there_and_aligned(size, is_long):
    text = FILL.format(size=size, last=size - 1)
    output = Output(of((), np.int8))
    called = builtin(text, [], [output], never, memory=size, is_long=is_long)
    for _ in range(10):
        assert called() == (7,)


def filler(size, **options):
    text = FILL.format(size=size, last=size - 1)
    return builtin(text, [], [Output(of((), np.int8))], never, memory=size, **options)


def test_large_working_memory_is_kept_and_goes_with_the_function():
    before = Workspace.kept_by_all
    small, large = filler(4096), filler(1_000_000)
    assert Workspace.kept_by_all == before + 1_000_000
    assert small() == large() == large() == (7,)
    del small, large
    assert Workspace.kept_by_all == before


def test_no_more_is_kept_than_may_be(monkeypatch):
    monkeypatch.setattr(Workspace, "kept_by_all", 0)
    vast = copier(Output(of()), memory=MOST_KEPT + 1)
    assert Workspace.kept_by_all == 0
    assert vast(2.5) == (2.5,)
    monkeypatch.setattr(Workspace, "kept_by_all", MOST_KEPT_BY_ALL - 999_999)
    late = filler(1_000_000)
    assert Workspace.kept_by_all == MOST_KEPT_BY_ALL - 999_999
    assert late() == late() == (7,)


def test_calls_that_overlap_have_memory_of_their_own():
    called = filler(2_000_000, is_long=True)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: called() == (7,), range(50)))


# Lives


def counts(objects):
    return [sys.getrefcount(x) for x in objects]


def of_every_way():
    """Calls that end in each way, with what they are given."""
    x, y = np.arange(3.0), np.arange(3.0)[::-1]
    number, large, zero = np.float64(1.5), 2**70, np.float64(0.0)
    outputs = [
        Output(of((3,))),
        Output(of()),
        Output(of(weak=True)),
        Output(of((), np.int64, weak=True)),
        Output(of((), bool)),
        Output(of((), np.complex128, weak=True)),
        Output(of((), np.float32), is_array=True),
    ]
    given = (x, number, 2.5, 1000, True, 2j, np.float32(3.0))

    def failing(*args):
        raise KeyError(1)

    copy = copier(*outputs, fallback=lambda *args: None)
    fails = copier(*outputs, fallback=failing)
    refuses = builtin(copying(24, code="1"), [of((3,))], [Output(of((3,)))], lambda x: x)
    divide = divider(lambda x, y: 0.0)
    swollen = builtin(
        copying(24), [of((3,))], [Output(of((3,))), Output(of((1 << 44,)))], lambda x: None
    )
    ways = [
        lambda: copy(*given),
        lambda: copy(y, *given[1:]),  # prepared
        lambda: copy(None, *given[1:]),
        lambda: copy(y, number, 2.5, large, *given[4:]),  # prepared, and NumPy nonetheless
        lambda: fails(None, *given[1:]),
        lambda: refuses(x),
        lambda: refuses(y),
        lambda: divide(number, zero),
        lambda: copy(x),
        lambda: swollen(x),
        lambda: copier_of_memory(x),
    ]
    copier_of_memory = copier(Output(of((3,))), memory=1 << 60)
    objects = [x, y, number, large, zero, given, *map(np.dtype, "dfilD?"), np.float64, np.bool_]
    return ways, [*objects, None, True, np.True_, KeyError, TypeError]


def test_nothing_is_kept_and_nothing_is_given_away_twice():
    ways, objects = of_every_way()

    def run():
        for way in ways:
            with contextlib.suppress(KeyError, TypeError, MemoryError):
                way()

    run()
    gc.collect()  # what other tests have left refers to None
    before = counts(objects)
    for _ in range(200):
        run()
    for x, first, last in zip(objects, before, counts(objects), strict=True):
        assert abs(last - first) < 50, x


@pytest.mark.parametrize("calls", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_calls_leave_nothing_behind(calls):
    ways, _ = of_every_way()

    def run(count):
        for _ in range(count):
            for way in ways[:4]:
                way()

    gc.collect()
    tracemalloc.start()
    try:
        run(2000)  # Python keeps some tuples for the next ones
        before = tracemalloc.get_traced_memory()[0]
        run(calls // 4)
        assert tracemalloc.get_traced_memory()[0] - before < 10_000
    finally:
        tracemalloc.stop()


class Owner:
    pass


def test_what_it_needs_lives_as_long_as_it_and_no_longer():
    owner = Owner()
    gone = weakref.ref(owner)
    called = copier(Output(of()))
    held = builtin(copying(8), [of()], [Output(of())], lambda x, owner=owner: None)
    del owner
    gc.collect()
    assert gone() is not None
    assert held(2.5) == called(2.5)
    gc.disable()
    try:
        del held
        assert gone() is None
    finally:
        gc.enable()


def test_what_python_calls_lives_as_long_as_it_is_called():
    called = copier(Output(of()))
    calling.entries.cache_clear()
    gc.collect()
    again = copier(Output(of()))
    assert called(2.5) == again(2.5)


def test_it_may_go_while_it_runs():
    functions = []

    def fallback(x):
        functions.clear()
        gc.collect()
        return x

    functions.append(copier(Output(of((3,))), fallback=fallback))
    assert functions[0](None) is None


def test_numpy_may_call_it_again():
    called = copier(Output(of((3,))), fallback=lambda x: called(np.arange(3.0)))
    same(called(None)[0], np.arange(3.0))


def test_it_says_its_name():
    assert "kernel" in repr(copier(Output(of())))


# Threads and processes


def test_ten_threads_call_one_function():
    outputs = [Output(of((50,))), Output(of(weak=True))]
    called = copier(*outputs, memory=40_000)
    arrays = [np.full(50, float(n)) for n in range(10)]
    strided = [np.repeat(x, 2)[::2] for x in arrays]

    def work(n):
        for count in range(300):
            given = strided[n] if count % 3 == 0 else arrays[n]
            array, number = called(given, float(n))
            assert (array == n).all()
            assert number == n
        return True

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(work, range(10)))


def waiting_on(called, x):
    """Call a function in a thread, and count here until it is done."""
    results = []
    thread = threading.Thread(target=lambda: results.append(called(x)))
    count = 0
    thread.start()
    while thread.is_alive():
        count += 1
        thread.join(0.001)
    return results, count


def test_a_long_function_lets_others_run():
    x = np.arange(3.0)
    long = builtin(SPIN, [of((3,))], [Output(of())], never, is_long=True)
    results, count = waiting_on(long, x)
    assert results == [(0.0,)]
    assert count > 10
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        short = builtin(SPIN, [of((3,))], [Output(of())], never)
        assert waiting_on(short, x)[1] < count


def test_what_a_long_function_reads_cannot_go():
    kept = [np.arange(3.0)]
    long = builtin(SPIN, [of((3,))], [Output(of())], never, is_long=True)
    started, results = threading.Event(), []

    def work():
        given = kept[0]
        started.set()
        results.append(long(given))

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    with pytest.raises(ValueError, match="resize"):
        kept[0].resize(1_000_000)
    del kept[0]
    thread.join()
    assert results == [(0.0,)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_calls_it():
    called = copier(Output(of((3,))), memory=100_000)
    x = np.arange(3.0)
    called(x)
    child = os.fork()
    if child == 0:
        is_same = all((called(given)[0] == x).all() for given in (x, x[::-1].copy()[::-1]))
        os._exit(0 if is_same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Jitted functions


def jitted(f):
    """A function by machine code, and by NumPy."""
    return ft.jit(f, backend="native"), ft.jit(f, backend="numpy")


def first_guard(f):
    (found,) = [
        cell.cell_contents
        for cell in f.func.__closure__
        if isinstance(cell.cell_contents, Recordings)
    ]
    return found.first


def test_a_call_with_leaves_is_machine_code_as_a_whole():
    f, _ = jitted(lambda x, y: x * y + 1.0)
    for given in [(1.5, 2.5), (np.ones(3), 2.5), (np.ones(3), np.float64(2.5))]:
        f(*given)
        assert isinstance(first_guard(f), BuiltinFunctionType)
    inside, _ = jitted(lambda x: {"sum": x["a"] + x["b"]})
    given = {"a": np.ones(3), "b": np.ones(3)}
    inside(given)
    assert not isinstance(first_guard(inside), BuiltinFunctionType)
    assert inside({"a": np.ones(3), "b": np.full(3, 2.0)})["sum"].tolist() == [3.0] * 3
    assert inside({"a": np.ones(2), "b": np.ones(2)})["sum"].tolist() == [2.0] * 2
    assert inside({"a": 1.0, "b": np.float32(1.0)})["sum"] == 2.0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_jitted_functions_take_arrays_that_lie_in_any_way(layout):
    f, by_numpy = jitted(lambda x, y: (x * y, np.sum(x, axis=0) - y[0]))
    x = np.arange(24.0).reshape(4, 6)
    for given in [(LAYOUTS[layout](x), x), (x, LAYOUTS[layout](x)), (x, x), (x[1:], x[:-1])]:
        for _ in range(2):
            for result, expected in zip(f(*given), by_numpy(*given), strict=True):
                same(result, expected)


def test_jitted_functions_tell_kinds_of_numbers_apart():
    f, by_numpy = jitted(lambda x: x * 2 + x)
    kinds = [1.5, np.float64(1.5), np.float32(1.5), np.array(1.5), 2, np.int64(2), np.int8(9)]
    kinds += [True, np.True_, np.uint64(7), np.ones(2), np.ones(2, np.float32)]
    for x in kinds * 2:
        result, expected = f(x), by_numpy(x)
        assert type(result) is type(expected)
        same(np.asarray(result), np.asarray(expected))


def test_what_changes_its_kind_between_calls_is_no_surprise():
    f, by_numpy = jitted(lambda x: x + x)
    x = np.arange(6.0)
    for change in [
        lambda: setattr(x, "shape", (2, 3)),
        lambda: setattr(x, "shape", (6,)),
        lambda: x.resize(4, refcheck=False),
        lambda: x.resize(8, refcheck=False),
    ]:
        f(x)
        change()
        same(f(x), by_numpy(x))


def test_warnings_of_jitted_functions_name_the_users_line():
    f, _ = jitted(lambda x: 1.0 / x)
    for x in (np.float64(0.0), np.array([0.0]), np.array([0.0]), np.array([1.0, 0.0])):
        with pytest.warns(RuntimeWarning, match="divide by zero") as caught:
            assert np.ravel(f(x))[-1] == np.inf
        assert [warning.filename for warning in caught] == [__file__]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        f(np.zeros(2))
    same(f(np.array([1.0, 2.0])), np.array([1.0, 0.5]))


def test_jitted_functions_go_with_their_last_reference():
    constant = np.arange(50_000.0)
    gone = weakref.ref(constant)
    f = ft.jit(partial(lambda c, x: x * c, constant), backend="native")
    f(np.ones(50_000))
    f(np.ones(50_000))
    del constant
    assert gone() is not None
    gc.disable()
    try:
        del f
        assert gone() is None
    finally:
        gc.enable()


def test_ten_threads_compile_and_call():
    functions = [ft.jit(lambda x, n=n: np.sin(x) * n + x, backend="native") for n in range(6)]
    arrays = [np.linspace(0.0, 1.0, 5 + n % 3) for n in range(10)]

    def work(n):
        for count in range(60):
            x, k = arrays[(n + count) % 10], (n + count) % 6
            given = x if count % 2 else np.repeat(x, 2)[::2]
            np.testing.assert_allclose(functions[k](given), np.sin(x) * k + x, rtol=1e-14)
        return True

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(work, range(10)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_compiles_and_calls():
    f, g = (ft.jit(lambda x, n=n: x * n, backend="native") for n in (2.0, 3.0))
    x = np.arange(3.0)
    f(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if (f(x) == x * 2).all() and (g(x) == x * 3).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.slow
def test_a_million_calls_of_a_gradient_leave_nothing_behind():
    f = ft.jit(ft.grad(lambda x, y: np.sum(np.sin(x) * y)), backend="native")
    x = np.linspace(0.0, 1.0, 10)
    strided, tree = np.repeat(x, 2)[::2], ft.jit(lambda t: {"a": t["b"] * 2}, backend="native")

    def run(count):
        for _ in range(count):
            f(x, 2.0)
            f(strided, 3.0)
            tree({"b": x})

    gc.collect()
    tracemalloc.start()
    try:
        run(5000)  # Python keeps some tuples for the next ones
        before = tracemalloc.get_traced_memory()[0]
        run(333_333)
        assert tracemalloc.get_traced_memory()[0] - before < 10_000
    finally:
        tracemalloc.stop()


def test_booleans_may_be_any_byte():
    mask = np.array([2, 0, 1, 255], np.uint8).view(bool)
    f, by_numpy = jitted(lambda m, x: (np.where(m, x, -x), ~m, np.sum(m * x)))
    for result, expected in zip(f(mask, np.ones(4)), by_numpy(mask, np.ones(4)), strict=True):
        same(result, expected)


# Interrupts


class InterruptError(BaseException):
    pass


def endless(x):
    step = lambda c: (c[0] * 0.5 + 1.0, c[1] + 1.0)
    return ft.while_loop(lambda c: c[1] >= 0.0, step, (x, x * 0.0))


def long_scan(x):
    return ft.scan(lambda c, _: (c * 0.5 + 1.0, None), x, None, length=10**12)[0]


def scan_of_endless(x):
    return ft.scan(lambda c, _: (endless(c)[0], c), x, None, length=3)


@pytest.fixture
def alarm():
    def interrupt(*_):
        raise InterruptError

    before = signal.signal(signal.SIGALRM, interrupt)

    def interrupted(f, *args):
        signal.setitimer(signal.ITIMER_REAL, 0.05, 1.0)
        try:
            return f(*args)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)

    yield interrupted
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
@pytest.mark.parametrize("f", [endless, long_scan, scan_of_endless])
def test_loops_without_end_can_be_interrupted(f, alarm):
    fast, x = ft.jit(f, backend="native"), np.float64(0.0)
    ft.jit(np.sin, backend="native")(x)
    fast.llvm(x)  # compiled, so that the alarm finds it running
    number = np.dtype(float)
    before = sys.getrefcount(number)
    for _ in range(3):
        with pytest.raises(InterruptError):
            alarm(fast, x)
    assert abs(sys.getrefcount(number) - before) < 20


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_signals_are_handled_and_loops_go_on():
    seen = []
    f = ft.jit(
        lambda x: ft.scan(lambda c, _: (c * 0.5 + 1.0, None), x, None, length=30_000_000)[0],
        backend="native",
    )
    f(np.float64(0.0))
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(f))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        assert f(np.float64(0.0)) == 2.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert seen == [f]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_other_threads_run_beside_a_loop_without_end(alarm):
    counted, stopped = [0], []

    def count():
        while not stopped:
            counted[0] += 1
            time.sleep(0.0001)

    fast = ft.jit(endless, backend="native")
    thread = threading.Thread(target=count)
    thread.start()
    try:
        with pytest.raises(InterruptError):
            alarm(fast, np.float64(0.0))
    finally:
        stopped.append(True)
        thread.join()
    assert counted[0] > 1
