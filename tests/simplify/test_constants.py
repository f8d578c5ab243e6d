"""What rules ask of constants."""

import math

import numpy as np
import pytest

from functrace.ir.program import Constant, Program, Variable
from functrace.ir.types import ArrayType
from functrace.simplify import constants
from functrace.simplify.rewriting import Scope

X = Variable(ArrayType((3,), np.dtype(float)))
SCOPE = Scope(Program([X], [], [X]))


@pytest.mark.parametrize(
    ("value", "number"),
    [(np.full(3, 2.5), 2.5), (np.float32(1.0), 1.0), (3, 3), (np.array([1.0, 2.0]), None)],
)
def test_the_number_that_a_constant_is_everywhere(value, number):
    assert constants.number_of(Constant(value), SCOPE) == number
    assert constants.number_of(X, SCOPE) is None
    assert constants.is_one(Constant(value), SCOPE) is (number == 1)


@pytest.mark.parametrize("shape", [(), (2, 2)])
def test_zeros_have_a_sign(shape):
    for zero, negative in ((0.0, False), (-0.0, True)):
        constant = Constant(np.full(shape, zero)[()])
        assert constants.is_zero(constant, SCOPE, negative=negative)
        assert not constants.is_zero(constant, SCOPE, negative=not negative)
    assert constants.is_zero(Constant(0), SCOPE, negative=True)
    assert not constants.is_zero(Constant(0j), SCOPE, negative=False)


def test_what_may_be_moved():
    for value in (1.0, -3.0, constants.MODERATE):
        assert constants.is_moderate(Constant(np.float64(value)), SCOPE)
    for value in (0.5, 2 * constants.MODERATE, math.inf, math.nan):
        assert not constants.is_moderate(Constant(np.float64(value)), SCOPE)


def test_signs_and_zeros_of_elements():
    numbers = np.array([1.0, -2.0])
    assert constants.is_finite_nonzero(Constant(numbers))
    assert not constants.is_finite_nonzero(Constant(np.array([1.0, math.inf])))
    assert constants.has_no_zeros(Constant(numbers))
    assert not constants.has_no_zeros(Constant(np.array([1.0, 0.0])))
    negated = constants.negative_of(Constant(numbers))
    np.testing.assert_array_equal(negated.value, -numbers)
    assert constants.negative_of(Constant(np.array([1, 2]))) is None
    assert constants.negative_of(X) is None
