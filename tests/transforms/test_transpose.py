"""Transposes of linear Programs, beside their matrices; and one derivative rule from the other."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.errors import MissingRuleError, NonlinearRuleError
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.types import ArrayType, type_of
from functrace.transforms.transpose import (
    LinearValue,
    jvp_from_vjp,
    record_linear,
    transpose_program,
    vjp_from_jvp,
)
from tests.cases import CASES
from tests.primitives.linear_laws import whole
from tests.strategies import seeds

STEPS = {
    "multiply": lambda x, c: c * x,
    "add twice": lambda x, c: x + (x - 3 * x),
    "stack": lambda x, c: np.stack([x, c * x]),
    "part": lambda x, c: x[..., 1:],
    "repeat": lambda x, c: np.concatenate([x, x], -1),
    "matrix": lambda x, c: (c * np.ones((2, x.shape[-1]))) @ x[..., None],
    "where": lambda x, c: np.where(np.arange(x.shape[-1]) % 2 == 0, x, 0),
    "jit": lambda x, c: ft.jit(lambda y: y * c)(x),
    "scan": lambda x, c: ft.scan(lambda s, _: (s * c, s), x, None, length=2)[1],
}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=4), seeds())
def test_the_transpose_of_a_linear_program_is_that_of_its_matrix(names, seed):
    def f(x, y, c):
        for name in names:
            x = STEPS[name](x, c)
        return x.sum(axis=0), np.sum(x) * 2 - y * c, c

    x, y, c = whole((3,), seed), whole((), seed)[()], 2.0
    program = ft.make_ir(f)(x, y, c)
    shapes = [atom.type.shape for atom in program.outputs]
    cotangents = [whole(shape, seed + n) for n, shape in enumerate(shapes)]
    cotangents[2] = None
    found = transpose_program(program, cotangents, {program.inputs[2]: c})
    matrix = []
    for unit in np.eye(4):
        first, second, _ = ft.evaluate(program, unit[:3], unit[3], c)
        matrix.append(np.vdot(first, cotangents[0]) + second * cotangents[1])
    flat = np.concatenate([np.zeros(3) if found[0] is None else found[0], [found[1]]])
    np.testing.assert_array_equal(flat, matrix)
    assert transpose_program(program, [None] * 3, {program.inputs[2]: c}) == [None, None]


NONLINEAR = {
    "square": lambda x: x * x,
    "sin": np.sin,
    "sign": np.sign,
    "quotient": lambda x: 1 / x,
    "condition": lambda x: np.where(x > 0, x, 2 * x),
    "index": lambda x: x[np.argmax(x)],
}


@pytest.mark.parametrize("name", NONLINEAR)
def test_what_is_not_linear_is_refused_at_its_line(name):
    program = ft.make_ir(NONLINEAR[name])(np.ones(3))
    shape = program.outputs[0].type.shape
    with pytest.raises(NonlinearRuleError, match="must be linear") as caught:
        transpose_program(program, [np.ones(shape)])
    assert "test_transpose.py" in str(caught.value)


USES = [
    *[lambda x, op=op: op(x, 1.0) for op in (operator.add, operator.mul, operator.truediv)],
    *[lambda x, op=op: op(1.0, x) for op in (operator.sub, operator.matmul, operator.pow)],
    *[operator.neg, abs, bool, float, int, complex, len, list, math.sqrt, np.asarray, np.sin],
    *[lambda x: x[0], lambda x: np.sum(x), lambda x: np.ones(2) * x, lambda x: np.ones(2) + x],
]


@pytest.mark.parametrize("use", USES)
def test_of_a_linear_value_the_type_is_known_and_nothing_else(use):
    x = LinearValue(ArrayType((2, 3), np.dtype(np.float32)))
    assert (x.shape, x.dtype, x.ndim, x.size) == ((2, 3), np.float32, 2, 6)
    with pytest.raises(NonlinearRuleError, match="depends on its input's value"):
        use(x)


def both_rules(name):
    primitive = PRIMITIVES[name]
    own = type(primitive)
    return own.jvp is not Primitive.jvp and own.vjp is not Primitive.vjp


def assert_same(found, expected):
    """Two lists of derivatives, None for zero."""
    for x, y in zip(found, expected, strict=True):
        if x is not y:
            np.testing.assert_allclose(0 if x is None else x, 0 if y is None else y, 1e-9, 1e-9)


def test_one_rule_is_the_transpose_of_the_other():
    """Of all primitives that have both, whose rules do not know of it."""
    checked = set()
    for name, case in sorted(CASES.items()):
        primitive = PRIMITIVES[name]
        if not both_rules(name) or primitive.holds_programs or "transpose" in case.skip:
            continue
        for variant in case.variants[:2]:
            rng = np.random.default_rng(0)
            inputs = [
                spec.value
                if spec.value is not None
                else spec.domain.values(
                    rng,
                    (2,) if spec.shape is None else spec.shape,
                    spec.dtype or {"f": "float64", "i": "int64", "b": "bool"}[spec.domain.kind],
                )
                for spec in variant.inputs
            ]
            is_active = [type_of(x).is_inexact for x in inputs]
            if case.argnums is not None:
                is_active = [n in case.argnums for n in range(len(inputs))]
            output = primitive.run(*inputs, **variant.params)
            outputs = output if primitive.multiple_outputs else (output,)
            if not any(is_active) or not all(type_of(y).is_inexact for y in outputs):
                continue
            seeds_ = [rng.normal(size=np.shape(y)) for y in outputs]
            cotangent = tuple(seeds_) if primitive.multiple_outputs else seeds_[0]
            needed = [True if on else None for on in is_active]
            tangents = [
                rng.normal(size=np.shape(x)) if on else None
                for x, on in zip(inputs, is_active, strict=True)
            ]
            args = (inputs, output)
            try:
                pulled = vjp_from_jvp(primitive, cotangent, *args, needed, variant.params)
                pushed = jvp_from_vjp(primitive, inputs, tangents, output, variant.params)
            except (NonlinearRuleError, MissingRuleError):
                continue
            expected = primitive.vjp(cotangent, *args, needed, **variant.params)
            assert_same(
                [x for x, on in zip(pulled, is_active, strict=True) if on],
                [x for x, on in zip(expected, is_active, strict=True) if on],
            )
            expected = primitive.jvp(inputs, tangents, output, **variant.params)
            if primitive.multiple_outputs:
                assert_same(pushed, expected)
            else:
                assert_same([pushed], [expected])
            checked.add(name)
    assert len(checked) > 40, sorted(checked)


def test_rules_are_recorded_for_types_and_print_nothing(capsys):
    def rule(t):
        ft.debug.print("{}", t)
        return [3 * t]

    program = record_linear(rule, [ArrayType((2,), np.dtype(float))])
    np.testing.assert_array_equal(transpose_program(program, [np.ones(2)])[0], [3, 3])
    assert capsys.readouterr().out == ""
