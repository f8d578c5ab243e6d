"""In which form values are read, and that outputs have memory of their own."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_source import Written
from functrace.errors import ProgramCheckError
from tests.backends.sources import require_plan, require_same, written


def test_numbers_are_pythons():
    text = """
    def program(a: float64, b: float64):
        c: float64 = multiply(a, b)
        d: float64 = add(c, a)
        e: float64 = divide(d, b)
        f: float64 = exp(e)
        return f
    """
    require_plan(
        text,
        """
        given a: float64, b: float64
        a becomes a float of Python's of a
        b becomes a float of Python's of b
        c = multiply a, b: number
        d = add c, a: number
        e = divide d, b: number
        f = exp e: number
        return a float64 of NumPy's of f
        """,
    )


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x,
        lambda x: (x, x),
        lambda x: x.T,
        lambda x: (x * 2.0)[0],
        lambda x: np.broadcast_to(np.sum(x), (3, 3)),
        lambda x: np.broadcast_to(x[:, None], (3, 200, 3)) if x.ndim == 2 else x,
        lambda x: np.ones(2),
        lambda x: [y := x + 1.0, y[::-1], y],
        lambda x: np.reshape(x, (9,)),
        lambda x: np.diagonal(x),
        lambda x: (x[0, 0, ...], [y := x * 2.0, y[..., 0, 0], (y + 1.0) * 2.0][1:]),
        lambda x: [np.split(x, 3), np.split(x + 1.0, 3)],
    ],
)
def test_outputs_share_no_memory(f):
    x = np.arange(9.0).reshape(3, 3)
    require_same(ft.make_ir(f)(x), [x])
    for output in written(f, x).run(x):
        assert not isinstance(output, np.ndarray) or output.flags.writeable


@pytest.mark.parametrize("x", [np.array(2.0), np.float64(2.0), 2.0])
def test_scalars_of_each_kind(x):
    for f in (lambda x: x, lambda x: np.reshape(x, ()), lambda x: x * 2 + 1, lambda x: (x, x)):
        program = ft.make_ir(f)(x)
        outputs = Written(program, frozenset(), "program").run(x)
        for output, expected in zip(outputs, ft.evaluate(program, x), strict=True):
            assert type(output) is type(expected)
            assert output == expected
            assert output is not x or not isinstance(x, np.ndarray)


def test_a_number_read_with_an_ellipsis_is_a_view():
    def f(x):
        y = x * 2.0
        return y[..., 0], (y + 1.0) * 2.0

    require_same(ft.make_ir(f)(np.ones(3)), [np.ones(3)])


def test_a_constant_that_the_text_left_out():
    program = ft.parse(str(ft.make_ir(lambda x: x * np.arange(20.0))(np.ones(20))))
    with pytest.raises(ProgramCheckError, match="is not in the text"):
        Written(program, frozenset(), "program")


def test_pythons_numbers_do_not_change_dtypes():
    def f(x, y):
        for _ in range(5):
            x = x * 1.5
        return y * x, np.stack([x, x]), np.where(x > 1, x, 0.0), x > 1, y[0] * x

    program = ft.make_ir(f)(np.float64(1.0), np.ones(2, np.float32))
    require_same(program, [np.float64(1.0), np.arange(2, dtype=np.float32)])
    require_same(program, [np.array(1.0), np.arange(2, dtype=np.float32)])
