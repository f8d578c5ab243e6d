from __future__ import annotations

import itertools

import numpy as np
import pytest

from functrace.backends.native.sharing import Shared, type_of_value

pytest.importorskip("llvmlite")

import functrace as ft
import functrace.numpy as fnp
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.lowering import Kernel
from functrace.backends.native.operations import ALONE


@pytest.mark.parametrize(
    ("instruction", "type"),
    [
        ("getelementptr inbounds double, ptr %v1, i64 3", "ptr"),
        ("load double, ptr %v1, align 8", "double"),
        ("fadd reassoc contract float %v1, %v2", "float"),
        ("add nsw i64 %v1, 2", "i64"),
        ("fcmp olt double %v1, %v2", "i1"),
        ("select i1 %v1, float %v2, float %v3", "float"),
        ("sitofp i32 %v1 to double", "double"),
        ("zext i1 %v1 to i8", "i8"),
        ("call double @llvm.fabs.f64(double %v1)", "double"),
        ("phi i64", "i64"),
        ("fneg double %v1", "double"),
        ("fptrunc double %v1 to float", "float"),
        ("alloca", "ptr"),
    ],
)
def test_types_by_their_text(instruction, type):
    assert type_of_value(instruction) == type


def test_the_same_lines_are_one_function():
    loops = itertools.count()
    shared = Shared("f", lambda: next(loops))

    def lines(pointer, value):
        return [
            f"  {value} = load double, ptr {pointer}, !tbaa !{pointer[2:]}1",
            f"  store double {value}, ptr {pointer}",
        ]

    first = shared.call([], lines("%v1", "%v2"), lambda name: "ptr")
    second = shared.call([], lines("%v7", "%v9"), lambda name: "ptr")
    assert (first, second) == ("call void @f.0(ptr %v1)", "call void @f.0(ptr %v7)")
    assert len(shared.functions) == 1


def test_steps_of_a_python_loop_share_their_functions():
    def f(u):
        u = fnp.array(u)
        for _ in range(20):
            u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2.0 * u[1:-1] + u[:-2])
        return np.sum(u**2)

    u = np.random.default_rng(0).normal(size=100)
    text = Kernel(decompose(ft.make_ir(f)(u)), "kernel", ALONE).text
    assert 0 < text.count("define internal void") < 6
    np.testing.assert_allclose(ft.jit(f, backend="native")(u), f(u), rtol=1e-13)
