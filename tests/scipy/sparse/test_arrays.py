"""Sparse matrices with traced elements."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import functrace as ft
from functrace.errors import OperandError
from functrace.scipy import sparse
from functrace.testing import check_grads

rng = np.random.default_rng(15)
DENSE = (rng.random((4, 3)) < 0.6) * rng.normal(size=(4, 3))
CSR, CSC = scipy.sparse.csr_array(DENSE), scipy.sparse.csc_array(DENSE)
COO = scipy.sparse.coo_array(DENSE)
X, Y = rng.normal(size=(3, 2)), rng.normal(size=(2, 4))
MADE = {
    "csr": (lambda d: sparse.csr_array((d, CSR.indices, CSR.indptr), CSR.shape), CSR.data),
    "csr, no shape": (lambda d: sparse.csr_matrix((d, CSR.indices, CSR.indptr)), CSR.data),
    "csc": (lambda d: sparse.csc_array((d, CSC.indices, CSC.indptr), CSC.shape), CSC.data),
    "coo": (lambda d: sparse.coo_array((d, (COO.row, COO.col)), shape=COO.shape), COO.data),
    "csr by places": (lambda d: sparse.csr_array((d, (COO.row, COO.col)), (4, 3)), COO.data),
    "csc by places": (lambda d: sparse.csc_array((d, (COO.row, COO.col)), (4, 3)), COO.data),
    "of scipy's": (lambda d: sparse.csr_array(CSC).with_data(d), CSC.data),
}


@pytest.mark.parametrize("name", MADE)
def test_products_and_their_derivatives(name):
    make, data = MADE[name]
    a = make(data)
    assert (a.shape, a.nnz, a.dtype) == (CSR.shape, CSR.nnz, CSR.dtype)
    np.testing.assert_allclose(a.toarray(), DENSE)
    np.testing.assert_allclose(a.T.toarray(), DENSE.T)
    np.testing.assert_allclose(Y @ a, Y @ DENSE)
    np.testing.assert_allclose((-2 * a / 4).todense(), -DENSE / 2)
    f = lambda d, x, y: [make(d) @ x, y @ make(d), make(d).dot(x[:, 0])]
    check_grads(f, (data, X, Y), order=2)
    np.testing.assert_allclose(ft.jit(f)(data, X, Y)[1], Y @ DENSE)
    many = ft.vmap(lambda d, x: make(d) @ x)(np.stack([data, 3 * data]), np.stack([X, X]))
    np.testing.assert_allclose(many[1], 3 * DENSE @ X)
    shared = ft.vmap(lambda d: make(d).T @ Y.T)(np.stack([data, 3 * data]))
    np.testing.assert_allclose(shared[1], 3 * DENSE.T @ Y.T)


def test_elements_at_the_same_place_are_added():
    make = lambda d: sparse.coo_array((d, ([1, 0, 1], [0, 1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(make(np.array([1.0, 2, 3])).toarray(), [[0, 2], [4, 0]])
    assert sparse.coo_array((np.ones(1), ([2], [1]))).shape == (3, 2)


def test_it_is_a_tree():
    a = sparse.csr_array(CSR)
    doubled = ft.jit(lambda a: a * 2)(a)
    np.testing.assert_allclose(doubled.toarray(), 2 * DENSE)
    assert "4, 3" in repr(a)
    np.testing.assert_allclose(sparse.csr_array(DENSE).toarray(), DENSE)
    assert sparse.csr_array(DENSE, dtype=np.float32).dtype == np.float32


def test_products_of_elements_are_refused():
    with pytest.raises(OperandError, match="toarray"):
        sparse.csr_array(CSR) * X[:, 0]
