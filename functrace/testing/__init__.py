"""Checks of derivatives and of primitives' rules, for users' own functions and for functrace.

`gradient_check` prints how far a gradient is from central differences, and which of its numbers are
wrong. `check_grads` compares the derivatives of a function, of any order, with finite differences;
`check_primitive` holds all rules of a primitive against each other and against NumPy. Both raise an
AssertionError that says which number is wrong, and by which rule.
"""

from functrace.testing.derivatives import check_grads as check_grads
from functrace.testing.gradients import GradientCheck as GradientCheck
from functrace.testing.gradients import gradient_check as gradient_check
from functrace.testing.numerical import complex_step as complex_step
from functrace.testing.numerical import numerical_gradient as numerical_gradient
from functrace.testing.numerical import numerical_jvp as numerical_jvp
from functrace.testing.rules import CHECKS as CHECKS
from functrace.testing.rules import check_primitive as check_primitive
from functrace.testing.rules import check_rules as check_rules

__all__ = [
    "CHECKS",
    "GradientCheck",
    "check_grads",
    "check_primitive",
    "check_rules",
    "complex_step",
    "gradient_check",
    "numerical_gradient",
    "numerical_jvp",
]


def __dir__() -> list[str]:
    return sorted(__all__)
