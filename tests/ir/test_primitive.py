"""What a primitive says of itself."""

from __future__ import annotations

import pytest

from functrace.errors import PrimitiveError
from functrace.extend import PRIMITIVES, Elementwise, Linear, Primitive, wrap


def test_primitives_of_the_house_are_its_own_and_those_of_users_are_not():
    """Whenever they were defined: `is_own` says it of the class."""
    assert all(PRIMITIVES[name].is_own for name in ("add", "sum", "scan", "custom_call", "psum"))
    assert not any(family.is_own for family in (Primitive, Linear, Elementwise))
    assert not wrap(abs, vjp=lambda ct, out, x: ct).primitive.is_own


@pytest.mark.parametrize("name", ["add", "scan", "custom_call"])
def test_names_of_the_house_cannot_be_taken(name):
    own = PRIMITIVES[name]
    with pytest.raises(PrimitiveError, match="belongs to a primitive of functrace"):
        Primitive(name)
    assert PRIMITIVES[name] is own


def test_users_may_define_theirs_once_more():
    first, second = Primitive("of_test_primitive"), Primitive("of_test_primitive")
    assert PRIMITIVES["of_test_primitive"] is second is not first


def test_rules_that_may_be_code_of_the_user_are_not_plain():
    assert PRIMITIVES["sin"].has_plain_rules
    for name in ("jit", "scan", "custom_call", "pure_callback"):
        assert not PRIMITIVES[name].has_plain_rules
    assert not Primitive("of_test_primitive").has_plain_rules


def test_traits_of_one_primitive():
    class Commuting(Primitive):
        commutes = True

    assert Commuting("commuting_of_test_primitive").commutes
    other = Commuting("other_of_test_primitive", commutes=False, is_total=True)
    assert not other.commutes
    assert other.is_total
    with pytest.raises(PrimitiveError, match="no attribute 'commute'"):
        Commuting("of_test_primitive", commute=True)


def test_little_is_taken_for_granted():
    """Of a user's operation nothing is known that its author does not say."""
    for family in (Primitive, Linear, Elementwise):
        assert not family.is_total
        assert not family.commutes
        assert not family.is_fresh
        assert not family.batches_at_once
    for trait in ("is_elementwise", "keeps_values", "linear_in", "is_bilinear", "keeps_nan"):
        assert not getattr(Primitive, trait)
