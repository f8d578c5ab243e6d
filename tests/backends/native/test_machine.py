from __future__ import annotations

import ctypes
import os

import pytest

pytest.importorskip("llvmlite")

from functrace.backends.native import machine
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


def test_the_memory_of_passes_is_freed():
    passes = machine.llvm.create_new_module_pass_manager()
    machine._free(passes)
    assert passes.closed

    class Freed(type(passes)):
        def _dispose(self):
            freed.append(self)
            super()._dispose()

    freed = []
    passes = Freed()
    machine._free(passes)
    assert not freed
    assert not passes.closed


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="where the memory is not to be read")
def test_compiling_keeps_no_memory():
    resource = pytest.importorskip("resource")
    text = "\n".join([TEXT.replace("@f", f"@f{n}").replace("@x", f"@x{n}") for n in range(40)])
    addresses = {f"x{n}": ctypes.addressof(ctypes.c_double(n)) for n in range(40)}

    def compile_some(count):
        for _ in range(count):
            Module(text, addresses)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    first = compile_some(10)
    assert compile_some(100) - first < 100 * 20  # kilobytes; without care it is 100 each
