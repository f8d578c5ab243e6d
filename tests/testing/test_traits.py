"""What a primitive says of itself is checked: each trait is refused where it does not hold."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from functrace.extend import PRIMITIVES, ArrayType, Primitive, bind
from functrace.testing import check_primitive
from functrace.testing.traits import check_traits

_numbers = count()
X, Y = np.array([0.5, 1.0, 2.0]), np.array([3.0, -1.0, 0.25])


class Function(Primitive):
    """A function of arrays of one shape, of which anything may be said."""

    def __init__(self, run, **traits):
        super().__init__(f"of_test_traits_{next(_numbers)}", **traits)
        self.function = run

    def run(self, *inputs, **out):
        return self.function(*inputs, **out)

    def infer(self, *types):
        return ArrayType(np.broadcast_shapes(*(x.shape for x in types)), types[0].dtype)

    def batch(self, size, inputs, axes):
        return np.stack([bind(self, *(x[n] for x in inputs)) for n in range(size)]), 0


def raising(x):
    if np.any(np.isnan(x)):
        raise ValueError("nan")
    return x * 1


_kept = np.ones(3)
square = lambda x: x * x
product = PRIMITIVES["multiply"]

WRONG = {
    "commutes": ({"commutes": True}, np.subtract, (X, Y)),
    "elementwise": ({"is_elementwise": True}, np.cumsum, (X,)),
    "scalars": ({"is_elementwise": True}, lambda x: x + 1.0 * np.ndim(x), (X,)),
    "keeps values": ({"keeps_values": True}, np.negative, (X,)),
    "plain": ({"plain": product}, lambda x, y: x * y + 1, (X, Y)),
    "product": ({"product": product}, np.multiply, (X, Y)),
    "linear": ({"linear_in": (0,)}, square, (X,)),
    "linear together": ({"linear_in": (0, 1)}, np.multiply, (X, Y)),
    "bilinear": ({"is_bilinear": True}, np.divide, (X, Y)),
    "nan": ({"keeps_nan": True}, np.fmax, (X, Y)),
    "total": ({"is_total": True}, raising, (X,)),
    "fresh, but an input": ({"is_fresh": True}, lambda x: x[::-1], (X,)),
    "fresh, but kept": ({"is_fresh": True}, lambda x: _kept, (X,)),
    "out is not returned": (
        {"takes_out": True},
        lambda x, out=None: np.positive(np.sin(x, out=out)),
        (X,),
    ),
    "out is not written": (
        {"takes_out": True},
        lambda x, out=None: np.sin(x) if out is None else out,
        (X,),
    ),
    "views": ({"makes_views": True}, np.negative, (X,)),
    "arrays": ({"makes_arrays": True}, np.sin, (np.float64(1.0),)),
    "scalars of arrays": ({"makes_scalars": True}, np.array, (np.float64(1.0),)),
    "warns": ({"warns": False}, np.log, (np.abs(X),)),
    "bounded": ({"is_bounded": True}, np.sinh, (X,)),
    "at once": ({"batches_at_once": True}, np.sin, (X,)),
}

RIGHT = {
    "commutes": (
        {"commutes": True, "is_bilinear": True, "is_elementwise": True},
        np.multiply,
        (X, Y),
    ),
    "linear in one": ({"linear_in": (0,), "product": product}, np.divide, (X, Y)),
    "one answer for each": ({"keeps_nan": (False, True)}, lambda x, y: (x > 1) * 0 + y, (X, Y)),
    "total": ({"is_total": True, "warns": False}, np.cumsum, (X,)),
    "bounded": ({"is_bounded": True, "warns": False}, np.tanh, (X,)),
    "out": ({"takes_out": True, "is_fresh": True}, np.sin, (X,)),
}


@pytest.mark.parametrize(("traits", "run", "inputs"), WRONG.values(), ids=WRONG)
def test_what_does_not_hold_is_found(traits, run, inputs):
    with pytest.raises(AssertionError, match=f"says {next(iter(traits))!r}, but"):
        check_traits(Function(run, **traits), inputs, {})


@pytest.mark.parametrize(("traits", "run", "inputs"), RIGHT.values(), ids=RIGHT)
def test_what_holds_passes(traits, run, inputs):
    check_traits(Function(run, **traits), inputs, {})


def test_how_the_output_lies_in_memory_is_checked():
    columns = Function(lambda x: np.array(x, order="F"))
    with pytest.raises(AssertionError, match="says 'order_of_axes', but in memory the axes lie"):
        check_traits(columns, (np.ones((2, 3)),), {})


def test_they_are_among_the_checks_of_a_primitive():
    assert check_primitive("multiply", X, Y)["traits"] == "passed"
    with pytest.raises(AssertionError, match="says 'commutes', but"):
        check_primitive(Function(np.subtract, commutes=True), X, Y)


class OfSquares(Function):
    """Three times a square, with rules that do what they say, or something else."""

    def __init__(self, reads, writes):
        super().__init__(lambda x: 3 * x**2, may_write_over=True)
        self.reads, self.writes = reads, writes

    def read_back(self, needed):
        return (self.reads,), False

    def vjp(self, cotangent, inputs, output, needed):
        return (6 * cotangent * inputs[0],)

    def vjp_over(self, cotangent, inputs, output, needed):
        return (self.writes * cotangent * inputs[0],)


def test_what_the_walk_back_reads_and_writes_over_is_checked():
    check_traits(OfSquares(reads=True, writes=6), (X,), {})
    with pytest.raises(AssertionError, match="says 'read_back', but the vjp rule for inputs"):
        check_traits(OfSquares(reads=False, writes=6), (X,), {})
    with pytest.raises(AssertionError, match="says 'may_write_over', but for inputs"):
        check_traits(OfSquares(reads=True, writes=5), (X,), {})
