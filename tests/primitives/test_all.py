"""Every primitive, from its row in ``tests/cases.py``: all rules against NumPy and each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import functrace  # noqa: F401  (registers the primitives)
from functrace.testing import CHECKS, check_rules
from tests.cases import CASES
from tests.strategies import examples

VARIANTS = [(name, number) for name in CASES for number in range(len(CASES[name].variants))]

QUICK = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],  # others may use the machine too
)


def test_exceptions_are_known_and_have_reasons():
    for case in CASES.values():
        assert set(case.skip) <= set(CHECKS)
        assert all(case.skip.values())
        exceptional = not case.variants or case.order < 2 or not case.in_programs
        assert not exceptional or case.why or case.skip, case


FEW = 3


@pytest.mark.parametrize(("name", "number"), [row for row in VARIANTS if not CASES[row[0]].is_slow])
def test_rules_agree(name: str, number: int):
    agreeing(name, number, min(FEW, CASES[name].examples))()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), VARIANTS)
def test_rules_agree_for_more_examples(name: str, number: int):
    agreeing(name, number, CASES[name].examples)()


def agreeing(name: str, number: int, count: int) -> Callable[[], None]:
    """The test of one variant of a primitive's row, for so many examples."""
    case = CASES[name]
    variant = case.variants[number]

    @settings(QUICK, max_examples=count)
    @given(data=st.data())
    def agree(data):
        drawn = data.draw(examples(case, variant))
        report = check_rules(
            case.primitive,
            drawn[0],
            variant.params,
            argnums=case.argnums,
            order=case.order,
            examples=drawn,
            skip=case.skip,
            atol=case.atol,
            rtol=case.rtol,
        )
        missing = {check: result for check, result in report.items() if "has no" in result}
        assert not missing, "give it the rule, or say in its row why it has none (skip=...)"

    return agree
