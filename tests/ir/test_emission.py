"""What primitives say of themselves in NumPy's words, run as it is written, beside their `run`."""

from __future__ import annotations

import math

import numpy as np
import pytest

from functrace.ir.emission import Operand, array_constant
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.types import ArrayType, type_of
from tests.cases import CASES


class Names:
    """Gives names to values, and knows what they stand for."""

    def __init__(self):
        self.known = {"np": np, "math": math}

    def constant(self, value):
        name = f"c{len(self.known)}"
        self.known[name] = value
        return name

    def function(self, name, value):
        return self.constant(value)

    parameter = constant


class Written:
    """The code of a primitive for some inputs, to be run."""

    def __init__(self, primitive, inputs, params):
        self.names = Names()
        types = primitive.infer(*map(type_of, inputs), **params)
        self.types = types if primitive.multiple_outputs else (types,)
        operands = [Operand(type_of(x)) for x in inputs]
        self.code = primitive.numpy_code(self.names, operands, self.types, **params)

    def run(self, template, inputs, out=None):
        """The value of an expression, or ``out`` once a statement has run; and what follows."""
        known = {f"x{number}": x for number, x in enumerate(inputs)}
        names = [*known]
        known |= self.names.known | {"out": out}
        with np.errstate(all="ignore"):
            if out is None:
                known["out"] = eval(template.format(*names, out="out"), known)
            else:
                exec(template.format(*names, out="out"), known)
            for statement in self.code.then:
                exec(statement.format(*names, out="out"), known)
        return known["out"]


def inputs_of(variant):
    """Inputs for a row's variant, none of them without an axis if the shapes are drawn."""
    rng = np.random.default_rng(0)
    found = []
    for spec in variant.inputs:
        dtype = spec.dtype or {"f": "float64", "i": "int64", "b": "bool"}[spec.domain.kind]
        shape = (2, 3) if spec.shape is None else spec.shape
        x = spec.domain.values(rng, shape, dtype) if spec.value is None else spec.value
        found.append(x[()] if isinstance(x, np.ndarray) else x)
    return found


def variants():
    for name in sorted(CASES):
        primitive = PRIMITIVES[name]
        for variant in CASES[name].variants:
            inputs = inputs_of(variant)
            written = Written(primitive, inputs, variant.params)
            if written.code is not None:
                yield name, primitive, inputs, variant.params, written


def test_what_is_written_is_what_is_run():
    """Also where the result is written to memory, which may be that of an input."""
    seen = set()
    for name, primitive, inputs, params, written in variants():
        code, seen = written.code, seen | {name}
        copies = [np.copy(x) if isinstance(x, np.ndarray) else x for x in inputs]
        with np.errstate(all="ignore"):
            expected = primitive.run(*copies, **params)
        if primitive.multiple_outputs:
            for x, y in zip(written.run(code.expression, inputs), expected, strict=True):
                np.testing.assert_array_equal(x, y, name)
            continue
        found = written.run(code.expression, inputs)
        np.testing.assert_allclose(found, expected, 1e-12, 1e-12, err_msg=name)
        assert type_of(found).shape == written.types[0].shape
        if code.is_view and isinstance(inputs[0], np.ndarray):
            assert np.size(found) == 0 or np.shares_memory(found, inputs[0]), name
        for x, y in zip(inputs, copies, strict=True):
            np.testing.assert_array_equal(x, y, name)
        if code.into is not None and written.types[0].shape:
            out = np.full(written.types[0].shape, 77, written.types[0].dtype)
            written.run(code.into, inputs, out)
            np.testing.assert_allclose(out, expected, 1e-12, 1e-12, err_msg=name)
            for number, x in enumerate(inputs):
                if not code.in_place or type_of(x) != type_of(out):
                    continue
                given = [np.copy(x) for x in inputs]
                written.run(code.into, given, given[number])
                np.testing.assert_allclose(given[number], expected, 1e-12, 1e-12, err_msg=name)
        if code.takes_over:
            over = [np.copy(inputs[0]), *inputs[1:]]
            np.testing.assert_array_equal(written.run("{0}", over), expected, name)
    assert len(seen) > 80, "most primitives have NumPy's words"


def test_what_is_said_of_pythons_numbers_gives_numpys():
    count = 0
    for name in sorted(CASES):
        primitive = PRIMITIVES[name]
        for variant in CASES[name].variants:
            if any(spec.shape is not None or spec.value is not None for spec in variant.inputs):
                continue
            inputs = [np.asarray(x).reshape(-1)[0] for x in inputs_of(variant)]
            code = (written := Written(primitive, inputs, variant.params)).code
            if code is None or code.python is None:
                continue
            count += 1
            names = written.names.known
            for template in filter(None, (code.python, code.silent)):
                text = template.format(*(f"x{number}" for number in range(len(inputs))))
                numbers = {f"x{number}": x.item() for number, x in enumerate(inputs)}
                found = eval(text, {**names, **numbers})
                expected = primitive.run(*inputs, **variant.params)
                np.testing.assert_allclose(found, expected, 1e-15, err_msg=name)
    assert count > 15


@pytest.mark.parametrize(
    ("value", "dtype", "holds"),
    [(3, "b", True), (300, "b", False), (-1, "B", False), (2.5, "f", True), (True, "d", True)],
)
def test_numbers_as_arrays_without_axes(value, dtype, holds):
    names = Names()
    found = array_constant(names, value, np.dtype(dtype))
    assert (found is not None) == holds
    if holds:
        assert names.known[found] == value
        assert type_of(names.known[found]) == ArrayType((), np.dtype(dtype))


def test_what_is_known_of_operands():
    scalar, vector = ArrayType((), np.dtype(float)), ArrayType((2,), np.dtype(float))
    assert Operand(scalar, 2.0).is_scalar_constant
    assert not Operand(scalar).is_scalar_constant
    assert not Operand(vector, np.ones(2)).is_scalar_constant
