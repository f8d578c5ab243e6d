"""Windows hold the elements that slices name, and their sum is the way back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.primitives.windowing import positions, sum_of_windows, windows
from functrace.tracing.tracer import bind


@st.composite
def calls(draw):
    """An array, and the parameters of its windows."""
    rank = draw(st.integers(1, 3))
    shape = tuple(draw(st.lists(st.integers(0, 6), min_size=rank, max_size=rank)))
    along = tuple(draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True)))
    some = st.lists(st.integers(1, 3), min_size=len(along), max_size=len(along)).map(tuple)
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    if draw(st.booleans()):
        x = x.T.copy().T
    return x, {"along": along, "lengths": draw(some), "steps": draw(some), "dilations": draw(some)}


def elements(x, along, lengths, steps, dilations):
    """For each place in a window the elements of all windows there."""
    counts = {
        axis: positions(x.shape[axis], *each)
        for axis, *each in zip(along, lengths, steps, dilations, strict=True)
    }
    for place in itertools.product(*map(range, lengths)):
        index = [slice(None)] * x.ndim
        for axis, number, step, dilation in zip(along, place, steps, dilations, strict=True):
            index[axis] = np.arange(counts[axis]) * step + number * dilation
        yield place, np.ix_(*(np.arange(n)[i] for n, i in zip(x.shape, index, strict=True)))


@settings(deadline=None)
@given(calls())
def test_windows_are_slices(call):
    x, params = call
    found = bind(windows, x, **params)
    for place, index in elements(x, **params):
        np.testing.assert_array_equal(found[place], x[index])
    np.testing.assert_array_equal(ft.jit(lambda x: bind(windows, x, **params))(x), found)
    assert found.size == 0 or np.shares_memory(found, x)
    assert not found.flags.writeable


@settings(deadline=None)
@given(calls())
def test_the_sum_of_windows_counts_how_often_each_element_is_taken(call):
    x, params = call
    expected = np.zeros(x.shape)
    for _, index in elements(x, **params):
        expected[index] += 1.0
    gradient = ft.grad(lambda x: np.sum(bind(windows, x, **params)))
    np.testing.assert_array_equal(gradient(x), expected)
    np.testing.assert_array_equal(ft.jit(gradient)(x), expected)
    batch = np.stack([x, 2.0 * x], axis=-1)
    back = ft.vmap(
        lambda x: ft.vjp(lambda x: bind(windows, x, **params), x)[1](bind(windows, x, **params))[0],
        in_axes=-1,
    )(batch)
    np.testing.assert_array_equal(back, np.stack([x * expected, 2.0 * x * expected]))


@pytest.mark.parametrize(
    "params",
    [
        {"along": (), "lengths": (), "steps": (), "dilations": ()},
        {"along": (0, 0), "lengths": (1, 1), "steps": (1, 1), "dilations": (1, 1)},
        {"along": (2,), "lengths": (1,), "steps": (1,), "dilations": (1,)},
        {"along": (0,), "lengths": (0,), "steps": (1,), "dilations": (1,)},
        {"along": (0,), "lengths": (1,), "steps": (1, 1), "dilations": (1,)},
    ],
)
def test_what_makes_no_windows_is_refused(params):
    with pytest.raises(ValueError, match=r"axis|axes|windows"):
        ft.make_ir(lambda x: bind(windows, x, **params))(np.ones((2, 3)))


def test_sums_of_as_many_windows_as_there_are():
    def add(x, size):
        return bind(sum_of_windows, x, along=(0,), sizes=(size,), steps=(1,), dilations=(1,))

    with pytest.raises(ValueError, match="4 windows where a length of 5 has 3"):
        ft.make_ir(lambda x: add(x, 5))(np.ones((3, 4)))
