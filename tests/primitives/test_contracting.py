"""Plans of contractions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace.primitives.contracting import plan_of
from functrace.testing import check_grads
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


LENGTHS = [0, 1, 2, 4]


@pytest.mark.thinned
@pytest.mark.parametrize(
    "subscripts",
    [
        ",ij->ij", "ij,->ij", ",i->i", "i,->i", ",->", "ij,ij->", "ij,ji->", "i,i->", "i,j->ij",
        "i,j->ji", "ij,i->ij", "ij,j->ij", "ij,k->ijk", "k,ij->kij", "ij,j->i", "ij,i->j",
        "ij,jk->ik", "ij,jk->ki", "ji,jk->ik", "ij,kj->ik", "bij,bjk->bik", "bij,bj->bi",
        "bi,bi->b",
        "ij,ij->ij", "ij,ij->i", "ij,ij->j", "ij,ji->i", "ijk,jk->i", "ijk,ijk->k", "ijk,kl->ijl",
        "ij,kl->ijkl", "ij,kl->ikjl", "ijk,->ijk", "i,ij->", "ij,jk->",
    ],
)  # fmt: skip
def test_each_contraction_of_each_size(subscripts):
    """Values and gradients with and without jit, for one example and for several."""
    first, second = subscripts.partition("->")[0].split(",")
    rng = np.random.default_rng(len(subscripts))
    f = lambda x, y: np.einsum(subscripts, x, y)
    loss = lambda x, y: np.sum(np.sin(f(x, y) ** 2))
    same = lambda x, y: np.sum(np.sin(f(x, x if first == second else y)) ** 2)
    labels = sorted({*first, *second})
    for lengths in rng.permutation(list(itertools.product(LENGTHS, repeat=len(labels))))[:8]:
        sizes = dict(zip(labels, map(int, lengths), strict=True))
        shapes = [tuple(sizes[label] for label in part) for part in (first, second)]
        args = [rng.normal(size=shape)[()] for shape in shapes]
        expected = f(*args)
        found = ft.jit(f)(*args)
        assert type(found) is type(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        for g in (loss, same):
            gradients = ft.grad(g, (0, 1))(*args)
            for x, y in zip(ft.jit(ft.grad(g, (0, 1)))(*args), gradients, strict=True):
                assert type(x) is type(y)
                np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-13)
            check_grads(g, args, order=1, modes=("rev",))
        batches = [np.stack([x, x + 1.0, x * 2.0]) for x in args]
        rows = [f(*row) for row in zip(*batches, strict=True)]
        for g in (ft.vmap(f), ft.jit(ft.vmap(f))):
            np.testing.assert_allclose(g(*batches), np.stack(rows), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.complex128, np.float16])
@pytest.mark.parametrize("shape", [(3, 2), (5000, 3), (5000, 1), (2000, 256), (40, 300), (0, 3)])
def test_outer_products_of_all_sizes_are_numpys(shape, dtype):
    x, y = (np.arange(n).astype(dtype) - 2 for n in shape)
    if dtype != np.int64 and min(shape) > 1:
        x[1], y[1] = np.inf, np.nan
    with np.errstate(all="ignore"):
        expected = np.outer(x, y)
        found = plan_of("i,j->ij").run(x, y)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
