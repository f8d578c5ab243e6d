"""The collector looks less often while Programs are made, and as often as before afterwards."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import functrace as ft
from functrace.collecting import OBJECTS, collecting_less_often


@pytest.fixture(autouse=True)
def _thresholds():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_within_itself():
    gc.set_threshold(700, 11, 12)
    with collecting_less_often:
        with collecting_less_often:
            assert gc.get_threshold() == (OBJECTS, 11, 12)
        assert gc.get_threshold() == (OBJECTS, 11, 12)
    assert gc.get_threshold() == (700, 11, 12)


@pytest.mark.parametrize("first", [0, 2 * OBJECTS])
def test_a_collector_that_looks_even_less_often_is_left_alone(first):
    gc.set_threshold(first, 10, 10)
    with collecting_less_often:
        assert gc.get_threshold()[0] == first
    assert gc.get_threshold()[0] == first


def test_what_the_user_sets_meanwhile_stays():
    gc.set_threshold(700, 10, 10)
    with collecting_less_often:
        gc.set_threshold(900, 10, 10)
    assert gc.get_threshold() == (900, 10, 10)


def test_recordings_and_errors_in_them_put_it_back():
    gc.set_threshold(700, 10, 10)
    seen = []

    def f(x):
        seen.append(gc.get_threshold()[0])
        if x.shape == (3,):
            raise ZeroDivisionError
        return np.sum(x)

    fast = ft.jit(f)
    fast(np.ones(2))
    with pytest.raises(ZeroDivisionError):
        fast(np.ones(3))
    assert seen == [OBJECTS, OBJECTS]
    assert gc.get_threshold() == (700, 10, 10)


def test_threads_put_it_back_together():
    gc.set_threshold(700, 10, 10)

    def record(n):
        return ft.jit(lambda x: np.sum(np.sin(x)) * n)(np.ones(n))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(1, 40)))
    assert gc.get_threshold() == (700, 10, 10)
