"""Einsum: random subscripts, every form of its arguments, derivatives, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check, real


@st.composite
def einsums(draw):
    lengths = {label: draw(st.integers(1, 3)) for label in "abcd"}
    count = draw(st.integers(1, 3))
    terms = ["".join(draw(st.lists(st.sampled_from("abcd"), max_size=3))) for _ in range(count)]
    shapes = []
    for term in terms:
        shape = [lengths[label] for label in term]
        for label in set(term):
            if term.count(label) == 1 and draw(st.integers(0, 4)) == 0:
                shape[term.index(label)] = 1  # broadcast
        shapes.append(shape)
    present = sorted(set("".join(terms)))
    output = "".join(draw(st.permutations(present))[: draw(st.integers(0, len(present)))])
    text = ",".join(terms) + ("->" + output if draw(st.booleans()) else "")
    return text, [real(*shape) for shape in shapes]


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(drawn=einsums())
def test_random_einsums(drawn):
    text, operands = drawn
    assert_like_numpy(lambda *xs: np.einsum(text, *xs), *operands)


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(drawn=einsums())
def test_derivatives_of_random_einsums(drawn):
    text, operands = drawn
    check_grads(lambda *xs: np.einsum(text, *xs), tuple(operands), order=2)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("...ij,...jk->...ik", [(4, 2, 3), (3, 5)]),
        ("...ij,...jk", [(2, 3), (4, 3, 5)]),
        ("...i,...i->...", [(1, 5, 3), (4, 1, 3)]),
        ("i...->...i", [(2, 3, 4)]),
        ("...", [(2, 3)]),
        ("iijj->ij", [(2, 2, 3, 3)]),
        ("iiii->", [(2, 2, 2, 2)]),
        ("a,ab,bc,cd,d->", [(2,), (2, 3), (3, 4), (4, 2), (2,)]),
        ("ij,ij,ij->ij", [(2, 3), (2, 3), (2, 3)]),
        ("zA,Ay", [(2, 3), (3, 4)]),
    ],
)
def test_forms_of_einsum(text, shapes):
    operands = [real(*shape) for shape in shapes]
    for optimize in (False,) if text == "a,ab,bc,cd,d->" else (False, True, "optimal"):
        check(lambda *xs, o=optimize: np.einsum(text, *xs, optimize=o), *operands)


def test_einsum_with_lists_of_axes_and_with_a_path():
    x, y, z = real(2, 3), real(3, 4), real(4, 2)
    check(lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), x, y)
    check(lambda x, y: np.einsum(x, [3, 1], y, [1, 0]), x, y)
    check(lambda x, y: np.einsum(x, [..., 1], y, [1, 2], [..., 2]), x, y)
    path = ["einsum_path", (1, 2), (0, 1)]
    check(lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z, optimize=path), x, y, z)


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)], "lengths 3 and 4"),
        ("ij,jk->ik", [(2, 3)], "for 2 operands, but there are 1"),
        ("ijk->i", [(2, 3)], "has 2 axes"),
        ("ij->iz", [(2, 3)], "output label 'z'"),
        ("ij->ii", [(2, 3)], "output label 'i'"),
        ("ii->i", [(1, 3)], "lengths 1 and 3"),
        ("i1->i", [(2, 3)], "letters"),
    ],
)
def test_errors_of_einsum(text, shapes, message):
    operands = [real(*shape) for shape in shapes]
    with pytest.raises(ValueError, match=r"."):
        np.einsum(text, *operands)
    with pytest.raises(ValueError, match=message):
        ft.vjp(lambda *xs: np.einsum(text, *xs), *operands)


def test_products_of_several_matrices():
    for shapes in [((2, 3), (3, 4), (4, 5)), ((3,), (3, 4), (4,)), ((3, 4), (4,)), ((3,), (3, 2))]:
        check(lambda *xs: np.linalg.multi_dot(xs), *(real(*shape) for shape in shapes))


@pytest.mark.parametrize(
    ("text", "dtypes", "shapes"),
    [
        ("ij,k->ik", (bool, float), [(2, 3), (2,)]),
        ("ij,k", (np.int8, float), [(2, 3), (2,)]),
        ("ij,jk->ik", (bool, float), [(1, 4), (1, 2)]),
        ("ij,jk,kl->il", (bool, bool, float), [(2, 3), (3, 2), (2, 2)]),
        ("i,j->", (np.float16, np.float32), [(3,), (2,)]),
    ],
)
def test_operands_of_different_dtypes_are_converted_before_they_are_summed(text, dtypes, shapes):
    operands = [
        np.full(shape, 100).astype(dtype) for dtype, shape in zip(dtypes, shapes, strict=True)
    ]
    assert_like_numpy(lambda *xs: np.einsum(text, *xs), *operands)
