"""Random programs; ``python -m tests.backends.native.fuzz N`` runs as many more as one likes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.backends.native import fuzz
from tests.backends.native.drawing import SHORT, Drawn, Statement, draw, shrunk


@pytest.mark.thinned
@pytest.mark.parametrize("seed", range(16))
def test_machine_code_is_numpys(seed):
    fuzz.check_drawn(draw(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16, 216))
def test_more_of_it(seed):
    fuzz.check_drawn(draw(seed))


@pytest.mark.parametrize("seed", range(40))
def test_short_programs_that_llvm_hardly_optimizes(seed):
    with fuzz.hardly_optimized():
        fuzz.check_drawn(draw(seed, SHORT), is_short=True)


def test_what_is_drawn_is_given_by_the_seed():
    assert str(draw(5)) == str(draw(5))
    assert str(draw(5)) != str(draw(6))


def test_programs_are_drawn_with_all_that_there_is():
    text = "\n".join(str(draw(seed)) for seed in range(60))
    words = "scan while_loop fori_loop cond switch grad vmap checkpoint jit sum @ [::-1] += float32"
    words += " float16 complex uint64 jvp nan"
    assert not [word for word in words.split() if word not in text]


def test_what_fails_is_made_shorter():
    lines = ["v1 = np.cos(x0)", "v2 = np.sin(x0)", "v3 = v1 * v2", "v4 = v2 + 1.0"]
    drawn = Drawn(0, (np.ones(3),), tuple(map(Statement, lines)), ("v3", "v4"))
    assert fuzz.fault(drawn) is None
    shorter = shrunk(drawn, lambda d: "sin" in d.text())
    assert len(shorter.body) <= 2
    assert len(shorter.outputs) == 1


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (np.ones(3), np.zeros(3)),
        (np.ones(3), np.ones(3, np.float32)),
        (np.ones(3), np.ones((1, 3))),
        (np.float64(1), np.array(1.0)),
        (np.array([1, 2]), np.array([1, 3])),
        (np.ones(3), ValueError()),
        (np.array([np.nan]), np.array([1.0])),
    ],
)
def test_what_counts_as_a_difference(found, expected):
    with pytest.raises(fuzz.DifferenceError):
        fuzz.compare((found,), expected if isinstance(expected, Exception) else (expected,), 0.0)
    fuzz.compare((found,), (found,), 0.0)
