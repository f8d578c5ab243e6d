"""Each operation goes to the youngest recording."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.transforms.tape import Tape
from tests.tracing.ways import THREE


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


def test_recordings_of_generators_that_take_turns():
    def steps(x):
        for _ in range(3):
            x = x * x
            yield x

    with Tape() as one, Tape() as two:
        for a, b in zip(steps(one.lift(2.0)), steps(two.lift(3.0)), strict=True):
            assert (a.recording, b.recording) == (one, two)
    assert (one.variables, two.variables) == (4, 4)


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
