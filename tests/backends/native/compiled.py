"""Machine code of texts that the tests write, and builtins of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from functrace.ir.types import ArrayType

llvm = pytest.importorskip("llvmlite.binding")
calling = pytest.importorskip("functrace.backends.native.calling")
machine = pytest.importorskip("functrace.backends.native.machine")
Output = calling.Output


def function(text: str, inputs, outputs, by_numpy, **options: Any) -> Any:
    """The machine function ``@kernel`` of a text."""
    code = machine.Module(text)
    return calling.MachineFunction(
        code.address("kernel"),
        "kernel",
        inputs,
        outputs,
        by_numpy,
        keep=(code,),
        **options,
    )


def builtin(text: str, inputs, outputs, by_numpy, **options: Any) -> Any:
    return function(text, inputs, outputs, by_numpy, **options).callable()


def of(shape=(), dtype: Any = np.float64, weak: bool = False) -> ArrayType:
    return ArrayType(shape, np.dtype(dtype), weak)


def never(*args: Any) -> Any:
    raise AssertionError(f"called with {args}")


# Machine functions

HEAD = "define i32 @kernel(ptr %inputs, ptr %outputs, ptr %memory) {"


def copying(*sizes: int, code: str = "0") -> str:
    """Copies so many bytes of each input to the output of the same number."""
    lines = ["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)", HEAD]
    for n, size in enumerate(sizes):
        lines += [
            f"  %i{n}.at = getelementptr ptr, ptr %inputs, i64 {n}",
            f"  %i{n} = load ptr, ptr %i{n}.at",
            f"  %o{n}.at = getelementptr ptr, ptr %outputs, i64 {n}",
            f"  %o{n} = load ptr, ptr %o{n}.at",
            f"  call void @llvm.memcpy.p0.p0.i64(ptr %o{n}, ptr %i{n}, i64 {size}, i1 false)",
        ]
    return "\n".join([*lines, f"  ret i32 {code}", "}"])


def copy_of(*outputs: Output) -> str:
    """Copies what is of these types."""
    return copying(*(output.type.size * output.type.dtype.itemsize for output in outputs))


DIVIDE = f"""{HEAD}
  %x = load ptr, ptr %inputs
  %x.value = load double, ptr %x
  %y.at = getelementptr ptr, ptr %inputs, i64 1
  %y = load ptr, ptr %y.at
  %y.value = load double, ptr %y
  %ratio = fdiv double %x.value, %y.value
  %out = load ptr, ptr %outputs
  store double %ratio, ptr %out
  ret i32 0
}}
"""
"""The ratio of two numbers."""

SPIN = f"""{HEAD}
start:
  br label %head
head:
  %n = phi i64 [ 0, %start ], [ %n.next, %head ]
  %n.next = add i64 %n, 1
  call void asm sideeffect "", ""()
  %is_done = icmp eq i64 %n, 300000000
  br i1 %is_done, label %done, label %head
done:
  %x = load ptr, ptr %inputs
  %value = load double, ptr %x
  %out = load ptr, ptr %outputs
  store double %value, ptr %out
  ret i32 0
}}
"""
"""Copies a number, after a tenth of a second or more."""
