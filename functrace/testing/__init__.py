"""Checks of derivatives and of primitives' rules, for users' own functions and for functrace.

`check_grads` compares the derivatives of a function with finite differences; `check_primitive`
holds all rules of a primitive against each other and against NumPy. Both raise an AssertionError
that says which number is wrong.
"""

from functrace.testing.derivatives import check_grads as check_grads
from functrace.testing.derivatives import complex_step as complex_step
from functrace.testing.derivatives import numerical_gradient as numerical_gradient
from functrace.testing.derivatives import numerical_jvp as numerical_jvp
from functrace.testing.rules import CHECKS as CHECKS
from functrace.testing.rules import check_primitive as check_primitive
from functrace.testing.rules import check_rules as check_rules

__all__ = [
    "CHECKS",
    "check_grads",
    "check_primitive",
    "check_rules",
    "complex_step",
    "numerical_gradient",
    "numerical_jvp",
]
