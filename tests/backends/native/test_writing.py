from __future__ import annotations

import numpy as np
import pytest

from functrace.backends.native.writing import Writer, literal, strides_of


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (1.0, "float64", "0x3FF0000000000000"),
        (-0.0, "float64", "0x8000000000000000"),
        (0.1, "float32", "0x3FB99999A0000000"),
        (True, "bool", "true"),
        (300, "int64", "300"),
        (255, "uint8", "255"),
    ],
)
def test_numbers_are_written_to_the_last_bit(value, dtype, text):
    assert literal(value, np.dtype(dtype)) == text


def test_a_loop_counts_to_its_end():
    write = Writer("define void @f(ptr %x)")
    with write.loop("3") as index:
        write.store(np.dtype(float), "1.0", write.address(np.dtype(float), "%x", index), 0)
    write.line("ret void")
    text = write.text()
    assert "phi i64 [ 0, %start ]" in text
    assert "icmp slt i64" in text


def test_places_that_are_known_need_no_instruction():
    write = Writer("define void @f()")
    assert write.add("0", "%i") == "%i"
    assert write.add("2", "3") == "5"
    assert write.times("4", 3) == "12"
    assert write.times("%i", 0) == "0"
    assert write.times("%i", 1) == "%i"


def test_strides_are_those_of_row_major_order():
    assert strides_of((2, 3, 4)) == (12, 4, 1)
    assert strides_of(()) == ()
