"""Values and Programs as data; and the page's evaluator, in JavaScript, against NumPy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import functrace as ft
from functrace.exploring.recording import is_call
from functrace.exploring.values import array_data, number_data, program_data
from functrace.extend import PRIMITIVES
from functrace.ir.program import Program
from tests.cases import CASES
from tests.exploring.running import evaluated
from tests.strategies import programs

SPECIAL = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}

RUN = """
  const word = (x) => (Number.isFinite(x) ? x : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf");
  return given.map(({ program, inputs }) => {
    try {
      const found = evaluator.run(evaluator.revived(program), evaluator.revived(inputs));
      return found.map((x) => ({ ...x, data: x.data.map(word) }));
    } catch (error) {
      return String(error.message);
    }
  });
"""


def by_javascript(runs):
    """The outputs of Programs for inputs, or why there are none."""
    told = [
        {
            "program": program_data(program, is_call),
            "inputs": [array_data(x, 4096) for x in inputs],
        }
        for program, inputs in runs
    ]

    def array(x):
        numbers = [SPECIAL.get(number, number) for number in x["data"]]
        return np.array(numbers, x["dtype"]).reshape(x["shape"])

    return [
        found if isinstance(found, str) else [*map(array, found)] for found in evaluated(RUN, told)
    ]


def drawn(strategy, count):
    """So many values of a strategy."""
    found = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(strategy)
    def collect(value):
        found.append(value)

    collect()
    return found


def assert_agrees(found, program, inputs):
    assert not isinstance(found, str), found
    with np.errstate(all="ignore"):
        expected = ft.evaluate(program, *inputs)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        y = np.asarray(y)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        digits = 2e-6 if y.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(x, y, rtol=digits, atol=digits, err_msg=str(program))


def known_primitives():
    names = [{"name": name} for name in PRIMITIVES]
    missing = evaluated("return evaluator.missing({ equations: given });", names)
    return {*PRIMITIVES} - {*missing}


def recorded(name, variant, inputs):
    primitive = PRIMITIVES[name]

    def f(*xs):
        return ft.extend.bind(primitive, *xs, **variant.params)

    return ft.make_ir(f)(*inputs)


def drawn_inputs(case, variant, rng, dtype):
    """Inputs for a variant of a row of tests/cases.py, none where it is of complex numbers."""
    for spec in variant.inputs:
        if spec.value is not None:
            yield np.asarray(spec.value)
        else:
            own = spec.dtype or {"f": dtype, "i": "int64", "b": "bool"}[spec.domain.kind]
            yield spec.domain.values(rng, (2, 3) if spec.shape is None else spec.shape, own)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_primitive_that_the_page_knows_computes_as_numpy_does(dtype):
    known = known_primitives()
    assert {"add", "contract", "sum", "reshape", "gather", "select", "windows"} <= known
    rng = np.random.default_rng(0)
    runs = []
    # Of several orders that are partitions NumPy's own is another one than the page's.
    for name in sorted((known & CASES.keys()) - {"argpartition"}):
        for variant in CASES[name].variants:
            inputs = [*drawn_inputs(CASES[name], variant, rng, dtype)]
            program = recorded(name, variant, inputs)
            types = [atom.type for atom in (*program.inputs, *program.outputs)]
            if all(type.dtype.kind in "bif" and type.size < 500 for type in types):
                runs.append((program, inputs))
    assert len(runs) > 200
    for found, (program, inputs) in zip(by_javascript(runs), runs, strict=True):
        assert_agrees(found, program, inputs)


def test_random_programs_and_their_gradients():
    runs = []
    for program, inputs in drawn(programs(max_steps=6), 25):
        runs.append((program, inputs))
        outputs = [n for n, x in enumerate(program.outputs) if x.type.dtype == np.float64]
        if outputs:
            runs.append((gradient_of(program, outputs[0])(*inputs), inputs))
    found = by_javascript(runs)
    unknown = [x for x in found if isinstance(x, str)]
    assert all(x.startswith("the primitive ") for x in unknown), unknown
    assert len(unknown) < 0.7 * len(runs)
    for output, (program, inputs) in zip(found, runs, strict=True):
        if not isinstance(output, str):
            assert_agrees(output, program, inputs)


def gradient_of(program, number):
    def f(*xs):
        return np.sum(ft.evaluate(program, *xs)[number])

    return ft.make_ir(ft.value_and_grad(f, argnums=tuple(range(len(program.inputs)))))


def test_numbers_at_the_edges_of_functions():
    edges = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 3.0, np.inf, -np.inf, np.nan])
    x, y = edges[:, None], edges
    functions = (
        np.power, np.remainder, np.floor_divide, np.fmod, np.logaddexp, np.arctan2, np.hypot,
        np.maximum, np.minimum, np.fmax, np.fmin, np.heaviside, np.copysign, np.logical_and,
        np.logical_xor,
    )  # fmt: skip
    runs = [(ft.make_ir(f)(x, y), [x, y]) for f in functions]
    of_one = (
        np.rint, np.sign, np.signbit, np.isfinite, np.floor, np.trunc, np.log1p, np.expm1, np.sqrt,
        np.argmax, np.max, np.min, lambda x: np.round(x, 1), np.logical_not, ft.nn.sigmoid,
    )  # fmt: skip
    runs += [(ft.make_ir(f)(edges), [edges]) for f in of_one]
    whole = np.array([-7, -3, 0, 3, 7], np.int32)
    more = np.array([-2, 2, 3], np.int32)[:, None]
    for f in (np.floor_divide, np.remainder, np.multiply, np.bitwise_and, np.bitwise_xor, np.gcd):
        runs.append((ft.make_ir(f)(whole * 3**15, more), [whole * 3**15, more]))
    for found, (program, inputs) in zip(by_javascript(runs), runs, strict=True):
        assert_agrees(found, program, inputs)


def test_statistics_convolution_and_interpolation():
    x, y = np.array([0.5, -1.0, 2.5, 0.25]), np.array([1.0, -2.0, 0.5])
    functions = (
        np.median, np.std, lambda x: np.quantile(x, 0.3), lambda x: np.partition(x, 2)[2],
        lambda x: np.linalg.norm(x - 1), lambda x: np.interp(x, np.arange(-1.0, 3), x**2),
        *(lambda x, mode=mode: np.convolve(x, y, mode) for mode in ("full", "same", "valid")),
        lambda x: np.convolve(x, y[:2], "same"), lambda x: np.convolve(y, x, "same"),
        lambda x: np.searchsorted(np.sort(x), y, "right") * x[:3],
    )  # fmt: skip
    runs = [(ft.make_ir(f)(x), [x]) for f in functions]
    runs += [(ft.make_ir(ft.grad(lambda x, f=f: np.sum(f(x) ** 2)))(x), [x]) for f in functions]
    for found, (program, inputs) in zip(by_javascript(runs), runs, strict=True):
        assert_agrees(found, program, inputs)


def test_indices_slices_and_writing():
    x = np.arange(24.0).reshape(2, 3, 4)
    at, more = np.array([1, 0, 1]), np.array([[0], [2]])
    functions = [
        lambda x: x[1], lambda x: x[..., -1], lambda x: x[:, ::-2], lambda x: x[:, None, 2, 1:3],
        lambda x: x[-1, 5:0:-1, ::3], lambda x: x[at], lambda x: x[:, at], lambda x: x[at, :, 0],
        lambda x: x[at, 1], lambda x: x[0, :, at], lambda x: x[:, more, at], lambda x: x[..., None],
        lambda x: x[3:], lambda x: np.take_along_axis(x, np.argsort(-x, 1), 1),
    ]  # fmt: skip
    runs = [(ft.make_ir(f)(x), [x]) for f in functions]
    runs += [(ft.make_ir(ft.grad(lambda x, f=f: np.sum(f(x) ** 2)))(x), [x]) for f in functions]

    def written(x):
        y = ft.numpy.zeros((2, 3))
        y[1] = x[0, :, 0]
        y[:, at] += x[1, :2, 1:]
        y[0, 0] *= 3
        return y

    runs.append((ft.make_ir(written)(x), [x]))
    for found, (program, inputs) in zip(by_javascript(runs), runs, strict=True):
        assert_agrees(found, program, inputs)


def test_loops_choices_and_calls():
    @ft.custom_vjp
    def twice(x):
        return 2 * x

    twice.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))

    def scanned(x):
        carry, rows = ft.scan(lambda c, r: (np.sin(c * r), c + r), x, np.arange(1.0, 4.0))
        return carry + np.sum(rows) + ft.scan(lambda c, r: (c, c * r), x, np.arange(0.0))[0]

    def counted(x):
        return ft.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (0, 1.0))[1]

    functions = [
        scanned,
        lambda x: ft.scan(lambda c, r: (c * r, c), x, np.arange(1.0, 4.0), reverse=True)[0],
        lambda x: ft.fori_loop(0, 3, lambda i, c: c * x + i, x),
        lambda x: ft.cond(x > 0.5, np.sin, lambda x: -x, x),
        lambda x: ft.switch(2, [np.sin, np.cos, np.exp], x),
        lambda x: ft.jit(lambda y: ft.checkpoint(np.sin)(y) ** 2)(twice(x)),
    ]
    mapped = ft.vmap(
        lambda x: ft.cond(
            x > 0.5, lambda x: np.sin(x) * np.arange(2.0), lambda x: x * np.ones(2), x
        )
    )
    each = np.array([0.3, 0.8, 0.1])
    runs = [(ft.make_ir(mapped)(x), [x]) for x in (each, each[:0])]
    runs.append((ft.make_ir(ft.grad(lambda x: np.sum(mapped(x) ** 2)))(each), [each]))
    runs += [(ft.make_ir(f)(x), [x]) for f in [*functions, counted] for x in (0.3, 0.8)]
    runs += [(ft.make_ir(ft.grad(f))(x), [x]) for f in functions for x in (0.3, 0.8)]
    for found, (program, inputs) in zip(by_javascript(runs), runs, strict=True):
        assert_agrees(found, program, inputs)


def test_what_cannot_be_computed_is_named():
    def f(x):
        return np.linalg.slogdet(np.outer(x, x))[1]

    runs = [
        (ft.make_ir(f)(np.ones(2)), [np.ones(2)]),
        (ft.make_ir(lambda n: n * 2**40)(2**20), [2**20]),
        (ft.make_ir(np.sin)(1j), [1j]),
        (ft.make_ir(lambda n: n[5])(np.ones(9)), [np.ones(2)]),
    ]
    found = by_javascript(runs)
    assert found[0] == "the primitive slogdet"
    assert found[1] == "whole numbers beyond 2**53"
    assert found[2] == "numbers such as 1j"
    assert found[3] == "index 5 is out of bounds"


def test_numbers_that_json_cannot_write():
    assert number_data(np.nan) == "nan"
    assert number_data(np.float32(-np.inf)) == "-inf"
    assert number_data(2**60) == str(2**60)
    assert number_data(True) == 1
    assert number_data(1 + 2j) == "(1+2j)"
    data = array_data(np.array([[np.nan, 1.0], [np.inf, -0.5]]))
    assert json.loads(json.dumps(data, allow_nan=False))["data"] == ["nan", 1.0, "inf", -0.5]


def test_large_arrays_are_told_about():
    data = array_data(np.arange(1000.0).reshape(20, 50))
    assert "data" not in data
    assert data["about"] == ["norm 1.824e+04", "0 … 999"]
    assert np.shape(data["heat"]) == (20, 20)
    assert json.dumps(array_data(np.full(100, np.nan)), allow_nan=False)


def test_programs_are_data():
    program = ft.make_ir(lambda x: x[..., 1:] * np.ones(2))(np.ones(3))
    data = program_data(program, is_call)
    assert isinstance(program, Program)
    assert data["inputs"] == [0]
    assert data["outputs"] == [2]
    assert data["equations"][0]["params"]["index"] == ["...", {"slice": [1, None, None]}]
    assert data["equations"][1]["inputs"] == [1, array_data(np.ones(2))]
