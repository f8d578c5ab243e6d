"""Every primitive, from its row in ``tests/cases.py``: all rules against NumPy and each other."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import functrace  # noqa: F401  (registers the primitives)
from functrace.testing import CHECKS, check_rules
from tests.cases import CASES
from tests.strategies import examples

VARIANTS = [
    pytest.param(name, number, marks=[pytest.mark.slow] * case.is_slow)
    for name, case in CASES.items()
    for number in range(len(case.variants))
]

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


@pytest.mark.parametrize(("name", "number"), VARIANTS)
def test_rules_agree(name: str, number: int):
    case = CASES[name]
    variant = case.variants[number]

    @settings(QUICK, max_examples=case.examples)
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

    agree()
