from __future__ import annotations

import ctypes

import pytest

pytest.importorskip("llvmlite")

from functrace.backends.native.machine import Module

TEXT = """
@x = external constant double
define double @f() {
  %x = load double, ptr @x
  %y = fadd double %x, 1.0
  ret double %y
}
"""


def test_functions_are_called_by_their_addresses_and_read_memory_outside():
    number = ctypes.c_double(2.5)
    module = Module(TEXT, {"x": ctypes.addressof(number)})
    f = ctypes.CFUNCTYPE(ctypes.c_double)(module.address("f"))
    assert f() == 3.5
    assert "fadd double" in module.llvm_text
    assert module.assembly


def test_memory_outside_that_nothing_reads_is_left_out():
    text = TEXT.replace("fadd double %x, 1.0", "fadd double 1.0, 1.0")
    module = Module(text, {"x": ctypes.addressof(ctypes.c_double(2.5))})
    assert ctypes.CFUNCTYPE(ctypes.c_double)(module.address("f"))() == 2.0


def test_a_text_that_is_none_is_an_error():
    with pytest.raises(RuntimeError):
        Module("define nothing")


def test_what_optimisation_leaves_out_needs_no_address():
    text = "@gone = external constant [4 x double]\ndefine i32 @f() {\n  ret i32 7\n}\n"
    module = Module(text, {"gone": 8, "missing": 8})
    assert ctypes.CFUNCTYPE(ctypes.c_int32)(module.address("f"))() == 7
