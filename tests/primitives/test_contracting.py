"""Plans of contractions."""

from __future__ import annotations

import numpy as np
import pytest

from functrace.primitives.contracting import plan_of
from tests.agreement import real


@pytest.mark.parametrize("text", ["ij,jk->i", "ij->i", "ii,i->i", "ij,ij->ijk", "i j,j->i", "i,j"])
def test_what_is_no_contraction(text):
    with pytest.raises(ValueError, match="no contraction"):
        plan_of(text)


def test_adjoints_are_contractions_again():
    for text in ("ij,jk->ik", "bij,bjk->bik", "i,j->ji", "i,i->", "ij,ij->ij"):
        plan = plan_of(text)
        back = plan_of(plan.pull_first)
        assert back.output == plan.first
        assert plan_of(plan.pull_second).output == plan.second


def test_a_contraction_reads_transposed_memory_in_place():
    x, y = np.asfortranarray(real(3, 4)), real(4, 5)
    for text, a, b in (("ij,jk->ki", x, y), ("ji,kj->ik", x.T, y.T), ("ij,jk->ik", x, y)):
        result = plan_of(text).run(a, b)
        assert result.flags.owndata
        assert result.flags.c_contiguous
        np.testing.assert_allclose(result, np.einsum(text, a, b))
