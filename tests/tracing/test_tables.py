"""What NumPy's functions mean: as many operands, and the same parameters, as NumPy's own have."""

from __future__ import annotations

import inspect
from unittest.mock import Mock

import numpy as np
import pytest

import functrace as ft
from functrace.tracing.tables import (
    FUNCTIONS,
    NAMED_UFUNCS,
    UFUNCS,
    WITHOUT_OUT,
    named_ufunc,
    public_name,
)


def test_short_calls_find_every_function_that_others_do():
    assert WITHOUT_OUT.keys() <= FUNCTIONS.keys()


def test_ufuncs_are_found_as_ufuncs_only():
    assert all(isinstance(ufunc, np.ufunc) for ufunc in UFUNCS)
    assert not UFUNCS.keys() & FUNCTIONS.keys()


def test_named_ufuncs_are_those_of_scipy():
    special = pytest.importorskip("scipy.special")
    own = vars(special) | vars(special._ufuncs)
    for name in NAMED_UFUNCS.keys() - {"clip"}:  # which NumPy keeps to itself
        assert isinstance(own[name], np.ufunc), name
        assert named_ufunc(own[name]) is NAMED_UFUNCS[own[name].__name__]


def test_a_users_ufunc_of_a_known_name_is_not_taken_for_scipys():
    own = Mock(spec=np.ufunc, __name__="gammainc")
    assert named_ufunc(own) is None
    assert public_name(own) == "gammainc"


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda ufunc: ufunc.__name__)
def test_a_ufunc_takes_and_gives_as_many_values_as_numpys(ufunc):
    for dtype in (np.float64, np.int64):
        args = [np.ones((2, 2), dtype)] * ufunc.nin
        with np.errstate(all="ignore"):
            try:
                expected = ufunc(*args)
            except TypeError:
                continue
            found = ft.jit(lambda *args: ufunc(*args))(*args)
        assert isinstance(found, tuple) == (ufunc.nout > 1)
        for x, y in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-14, strict=True)
        return
    pytest.skip("it takes neither")


def test_functions_take_the_arguments_that_numpys_take_first():
    for function, implementation in FUNCTIONS.items():
        if not getattr(function, "__module__", "").startswith("numpy"):
            continue
        try:
            theirs = inspect.signature(function).parameters.values()
            ours = inspect.signature(implementation).parameters.values()
        except (TypeError, ValueError):
            continue
        by_position = inspect.Parameter.POSITIONAL_OR_KEYWORD
        if any(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in theirs):
            continue  # written in C, where the first ones have no names
        names = [p.name for p in ours if p.kind is by_position]
        expected = [p.name for p in theirs if p.kind is by_position]
        assert names[: len(expected)] == expected[: len(names)], function
