"""Where a traced array would become an ordinary one: what to write works as it is printed."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors

THREE = np.array([0.5, 1.0, 2.0])


def refused(call):
    with pytest.raises(errors.FunctraceError) as caught:
        call()
    assert "test_conversions.py" in str(caught.value)
    return caught.value


TABLE = np.arange(12.0).reshape(3, 4)


ITEMS = {
    "a call": lambda x: TABLE[np.argmax(x)],
    "calls": lambda x: TABLE[np.argmax(x), abs(-1)],
    "a sum in brackets": lambda x: TABLE[(np.argmax(x) + 1) % (2 + 1)],
    "a slice": lambda x: TABLE[np.argmax(x), (1 + 0) : (2 + 1)],
    "joined": lambda x: np.c_[x, np.ones(3)],
    "joined rows": lambda x: np.r_[x, np.zeros(2)],
    "elements": lambda x: sum(i * y for (i,), y in np.ndenumerate(x)),
}


@pytest.mark.parametrize("name", ITEMS)
def test_remedies_work_as_they_are_printed(name):
    f = ITEMS[name]
    text = str(refused(lambda: ft.jit(f)(THREE)))
    if name == "elements":
        assert "Write functrace.numpy.ndenumerate" in text
        repaired = lambda x: sum(i * y for (i,), y in ft.numpy.ndenumerate(x))
    else:
        written = text.partition(" write ")[2].partition(", or")[0]
        written = written or text.partition("Write `")[2].partition("`")[0]
        names = {"functrace": ft, "np": np, "TABLE": TABLE}
        repaired = eval(f"lambda x: {written}", names)
    np.testing.assert_array_equal(ft.jit(repaired)(THREE), f(THREE))


def test_a_shift_of_a_plain_array():
    text = str(refused(lambda: ft.jit(lambda n: np.roll(THREE, n))(2)))
    assert "Write functrace.numpy.roll" in text
    shifted = ft.jit(lambda n: ft.numpy.roll(THREE, n))(2)
    np.testing.assert_array_equal(shifted, np.roll(THREE, 2))


def written(x):
    y = np.zeros(3)
    y[:] = x
    return y


CONVERTED = {
    "asarray": (lambda x: np.asarray(x), errors.ArrayConversionError),
    "a list": (lambda x: np.array([x, x]), errors.ArrayConversionError),
    "a method": (lambda x: THREE.dot(x), errors.ArrayConversionError),
    "written": (written, errors.ArrayWriteError),
    "out": (lambda x: np.add(x, x, out=np.zeros(3)), errors.ArrayWriteError),
    "a length": (lambda x: np.linspace(0.0, 1.0, x[0]), errors.UnknownValueError),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_no_traced_value_becomes_an_ordinary_array(name):
    f, kind = CONVERTED[name]
    assert isinstance(refused(lambda: ft.jit(f)(THREE)), kind)


def test_the_method_of_an_ordinary_array_is_written_otherwise():
    matrix = np.arange(6.0).reshape(2, 3)
    text = str(refused(lambda: ft.jit(lambda x: matrix.dot(x))(THREE)))
    for written in text.partition(" write ")[2].rstrip(".").split(", or "):
        repaired = eval(f"lambda x: {written}", {"functrace": ft, "matrix": matrix})
        np.testing.assert_allclose(ft.jit(repaired)(THREE), matrix.dot(THREE), rtol=1e-15)
