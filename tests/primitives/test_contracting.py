"""Contractions: every product as NumPy's, random subscripts, derivatives, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.errors import ArrayWriteError, ShapeMismatchError
from functrace.primitives.contracting import plan_of
from functrace.testing import check_grads


def real(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).uniform(-1.5, 1.5, shape)[()]


def assert_like_numpy(f: Any, *args: Any) -> None:
    expected = f(*args)
    program = ft.make_ir(f)(*args)
    (type,) = [atom.type for atom in program.outputs]
    (value,) = ft.evaluate(program, *args)
    assert type.shape == np.shape(expected) == np.shape(value)
    assert type.dtype == expected.dtype == value.dtype
    rtol = 1e-5 if type.dtype in (np.float32, np.complex64) else 1e-12
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=1e-12)


def check(f: Any, *args: Any) -> None:
    assert_like_numpy(f, *args)
    check_grads(f, args, order=2)


SHAPES = [(), (3,), (1,), (0,), (2, 3), (3, 2), (3, 3), (1, 3), (4, 2, 3), (4, 3, 2), (1, 3, 5)]


@pytest.mark.parametrize("f", [np.matmul, np.dot, np.inner, np.outer, np.vdot, np.kron])
def test_every_pair_of_shapes_that_numpy_takes(f):
    taken = 0
    for first in SHAPES:
        for second in SHAPES:
            x, y = real(*first), real(*second)
            try:
                f(x, y)
            except ValueError:
                if f is np.matmul or np.ndim(x) > 0 < np.ndim(y):
                    with pytest.raises(ValueError, match=r"."):
                        ft.make_ir(f)(x, y)
                    with pytest.raises(ValueError, match=r"."):
                        ft.vjp(f, x, y)
                continue
            taken += 1
            assert_like_numpy(f, x, y)
            check_grads(f, (x, y), order=1)
    assert taken > 10


@pytest.mark.parametrize("first", ["?", "b", "l", "f", "d", "D"])
@pytest.mark.parametrize("second", ["?", "l", "f", "d", "F", "D"])
def test_dtypes_as_numpy(first, second):
    x = np.array([[1, 0, 2], [3, 1, 1]]).astype(first)
    y = np.array([[1, 0], [2, 1], [1, 1]]).astype(second)
    for f in (np.matmul, np.dot, np.kron, lambda x, y: np.einsum("ij,jk->ki", x, y)):
        assert_like_numpy(f, x, y)
    assert_like_numpy(lambda x: np.dot(x, 2.0), x)
    assert_like_numpy(lambda x: np.einsum("ij->j", x), x)


def test_gradients_have_the_dtype_of_their_inputs():
    x, y = real(2, 3).astype(np.float32), real(3, 2) + 1j
    gradients = ft.grad(lambda x, y: np.sum(np.abs(x @ y)), (0, 1))(x, y)
    assert [g.dtype for g in gradients] == [np.float32, np.complex128]


def test_products_of_stacks():
    for first, second in (
        ((4, 2, 3), (3, 5)), ((3,), (4, 3, 5)), ((1, 2, 3), (4, 3, 5)), ((6, 1, 2, 3), (4, 3, 1)),
    ):  # fmt: skip
        check(np.matmul, real(*first), real(*second))


def test_transposed_operands():
    check(lambda x, y: x.T @ y, real(3, 2), real(3, 4))
    check(lambda x, y: x @ y.T, real(2, 3), real(4, 3))
    check(lambda x: x.T @ x, real(3, 2))


# einsum


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
    for optimize in (False, True, "optimal"):
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


# Other products


@pytest.mark.parametrize("axes", [0, 1, ((1,), (0,)), ([0, 1], [1, 0]), (-1, 0)])
def test_tensordot(axes):
    check(lambda x, y: np.tensordot(x, y, axes), real(3, 4), real(4, 3))


def test_tensordot_errors_name_axes_and_shapes():
    with pytest.raises(ValueError, match=r"\[1\] and \[0\].*\(2, 3\) and \(2, 3\)"):
        ft.vjp(lambda x: np.tensordot(x, x, 1), real(2, 3))


def test_products_of_several_matrices():
    for shapes in [((2, 3), (3, 4), (4, 5)), ((3,), (3, 4), (4,)), ((3, 4), (4,)), ((3,), (3, 2))]:
        check(lambda *xs: np.linalg.multi_dot(xs), *(real(*shape) for shape in shapes))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6])
def test_matrix_power(n):
    check(lambda x: np.linalg.matrix_power(x, n) + 0 * x, real(3, 3))
    check(lambda x: np.linalg.matrix_power(x, n) + 0 * x, real(2, 2, 2))
    with pytest.raises(ShapeMismatchError, match="square"):
        ft.vjp(lambda x: np.linalg.matrix_power(x, n), real(2, 3))


def test_cross():
    check(np.cross, real(3), real(3))
    check(np.cross, real(4, 3), real(3))
    check(lambda x, y: np.cross(x, y, axis=0), real(3, 4), real(3, 4))
    check(np.linalg.cross, real(3), real(3))
    with pytest.raises(ValueError, match="length 2 or 3"):
        ft.vjp(np.cross, real(4), real(4))


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("vecdot", (4, 3), (3,)),
        ("matvec", (5, 2, 3), (3,)),
        ("vecmat", (2,), (5, 2, 3)),
    ],
)
def test_newer_products_of_vectors(name, first, second):
    f = getattr(np, name, None)
    if f is None:
        pytest.skip(f"this NumPy has no {name}")
    check(f, real(*first), real(*second))
    check(f, real(*first) + 0.5j, real(*second) * 1j + 1)
    with pytest.raises(ValueError, match="axes or more"):
        ft.vjp(f, 1.0, 2.0)


def test_products_in_linalg():
    check(np.linalg.matmul, real(2, 3), real(3, 2))
    check(np.linalg.outer, real(2), real(3))
    check(np.linalg.tensordot, real(2, 3, 4), real(3, 4, 2))
    check(lambda x, y: np.linalg.vecdot(x, y, axis=0), real(3, 2), real(3, 2))


# Errors, plans


def test_mismatching_shapes_are_named():
    for record in (ft.vjp, lambda f, *xs: ft.make_ir(f)(*xs)):
        with pytest.raises(ShapeMismatchError, match=r"float64\[2, 3\], float64\[4, 5\]"):
            record(lambda x, y: x @ y, real(2, 3), real(4, 5))
        with pytest.raises(ValueError, match="does not take a scalar"):
            record(lambda x, y: x @ y, real(2, 3), 2.0)
    with pytest.raises(ArrayWriteError):
        ft.vjp(lambda x: np.dot(x, x, out=np.zeros(())), real(3))


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
