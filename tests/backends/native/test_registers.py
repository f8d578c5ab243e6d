"""Straight-line LLVM IR, written as expressions."""

from __future__ import annotations

import pytest

from functrace.backends.native.registers import (
    FORMATS,
    Body,
    Value,
    bits_of,
    fma,
    polynomial,
    real_of,
    select,
)


@pytest.mark.parametrize("type", ["double", "float"])
def test_constants_are_written_as_the_bits_of_a_double(type):
    x = Value(Body(), type, "%x")
    assert x.operand(1.5) == "0x3FF8000000000000"
    # The float32 next to it, which is a float64 of other bits.
    assert x.operand(0.1) == {"double": "0x3FB999999999999A", "float": "0x3FB99999A0000000"}[type]


def test_integers_are_those_of_the_width_of_their_real_numbers():
    for format in FORMATS.values():
        bits = bits_of(Value(Body(), format.name, "%x"))
        assert bits.type == format.integer
        assert bits.operand(format.sign) == str(-format.sign)
        assert real_of(bits).type == format.name
        assert format.bits(1.0) == format.bias << format.digits


def test_an_expression_becomes_one_instruction_for_each_operation():
    body = Body()
    x, y = Value(body, "float", "%x"), Value(body, "float", "%y")
    result = select(x < y, 1.0 - x, fma(x, y, -y))
    assert result.text == "%v4"
    assert body.lines == [
        "  %v0 = fcmp olt float %x, %y",
        "  %v1 = fsub float 0x3FF0000000000000, %x",
        "  %v2 = fneg float %y",
        "  %v3 = call float @llvm.fma.f32(float %x, float %y, float %v2)",
        "  %v4 = select i1 %v0, float %v1, float %v3",
    ]


@pytest.mark.parametrize("count", range(1, 12))
def test_polynomials_take_a_step_for_each_coefficient(count):
    body = Body()
    polynomial(Value(body, "double", "%x"), [1.0] * count)
    assert len(body.lines) == count - 1 + (count > 4)  # and a square, where there are two chains
