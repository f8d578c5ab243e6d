"""Loops over the native backend's mathematical functions, as machine code of this computer."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from functrace.backends.native.mathematics import ARGUMENTS, FUNCTIONS, definitions
from functrace.backends.native.registers import FORMATS

TYPES = {np.dtype(np.float64): "double", np.dtype(np.float32): "float"}

HAS_EXTENDED = np.finfo(np.longdouble).nmant == 63
"""Whether NumPy's long doubles are the extended precision of x86."""

_LIBM = ctypes.CDLL(None)
_WARNED_OF = 1 | 4 | 8 if platform.machine().lower() in {"x86_64", "amd64"} else 1 | 2 | 4
"""Invalid operation, division by zero and overflow, as the C library numbers them."""


def loop(type: str, function: str, arguments: Sequence[str]) -> str:
    """LLVM IR of a function that is given addresses of arguments and result, and a length."""
    pointers = ", ".join(f"ptr noalias %{x}s" for x in arguments)
    operands = ", ".join(f"{type} %{x}" for x in arguments)
    loads = "".join(
        f"  %{x}p = getelementptr {type}, ptr %{x}s, i64 %i\n  %{x} = load {type}, ptr %{x}p\n"
        for x in arguments
    )
    return f"""
define void @loop({pointers}, ptr noalias %results, i64 %length) {{
entry:
  br label %body
body:
  %i = phi i64 [0, %entry], [%next, %body]
{loads}  %result = call {type} @{function}({operands})
  %place = getelementptr {type}, ptr %results, i64 %i
  store {type} %result, ptr %place
  %next = add nuw i64 %i, 1
  %more = icmp ult i64 %next, %length
  br i1 %more, label %body, label %end
end:
  ret void
}}
"""


def compiled(text: str) -> tuple[Any, str]:
    """The engine, which holds the function ``loop``, and its assembly."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True
    )
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    assembly = target.emit_assembly(module)
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    return engine, assembly


def arguments_of(name: str) -> tuple[str, ...]:
    """The names of its arguments."""
    return ARGUMENTS[: FUNCTIONS[name].__code__.co_argcount]


@cache
def code_of(name: str, type: str) -> tuple[Any, str]:
    """The loop over a function of ours."""
    function = f"{name}.{FORMATS[type].suffix}"
    text = definitions([(name, type)]) + loop(type, function, arguments_of(name))
    return compiled(text)


def assembly(name: str, type: str) -> str:
    """What the loop became."""
    return code_of(name, type)[1]


def called(engine: Any, arguments: Sequence[Any]) -> Any:
    """What a loop makes of arrays."""
    arrays = [np.ascontiguousarray(x) for x in arguments]
    result = np.empty_like(arrays[0])
    types = [ctypes.c_void_p] * (len(arrays) + 1) + [ctypes.c_int64]
    function = ctypes.CFUNCTYPE(None, *types)(engine.get_function_address("loop"))
    addresses = [x.ctypes.data for x in (*arrays, result)]
    _LIBM.feclearexcept(_WARNED_OF)
    function(*addresses, result.size)
    return result


def run(name: str, *arguments: Any) -> tuple[Any, bool]:
    """The function of arrays, and whether it raised a flag that NumPy warns of."""
    engine, _ = code_of(name, TYPES[arguments[0].dtype])
    result = called(engine, arguments)
    return result, bool(_LIBM.fetestexcept(_WARNED_OF))


def extended(function: str) -> Callable[[Any], Any]:
    """The C library's function of this name, of arrays in the extended precision of x86."""

    @cache
    def engine() -> Any:
        declared = f"declare x86_fp80 @{function}(x86_fp80)"
        return compiled(declared + loop("x86_fp80", function, ["x"]))[0]

    return lambda x: called(engine(), [x])
