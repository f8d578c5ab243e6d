"""Names, the order of arguments and keywords are JAX's: what JAX's signatures say, written down."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import functrace as ft
from functrace import lax, tree_util

SIGNATURES = {
    ft: """
        associative_scan(fn, elems, reverse, axis)
        checkpoint(fun, *, prevent_cse, policy, static_argnums, static_argnames)
        cond(pred, true_fun, false_fun)
        custom_jvp(fun, nondiff_argnums)
        custom_linear_solve(matvec, b, solve, transpose_solve, symmetric, has_aux)
        custom_root(f, initial_guess, solve, tangent_solve, has_aux)
        custom_vjp(fun, nondiff_argnums)
        eval_shape(fun)
        fori_loop(lower, upper, body_fun, init_val, *, unroll)
        grad(fun, argnums, has_aux, holomorphic, allow_int)
        hessian(fun, argnums, has_aux, holomorphic)
        jacfwd(fun, argnums, has_aux, holomorphic)
        jacrev(fun, argnums, has_aux, holomorphic, allow_int)
        jvp(fun, primals, tangents, has_aux)
        linear_transpose(fun)
        linearize(fun, *, has_aux)
        map(f, xs, *, batch_size)
        pure_callback(callback, result_shape_dtypes, *, vmap_method)
        scan(f, init, xs, length, reverse, unroll)
        switch(index, branches)
        value_and_grad(fun, argnums, has_aux, holomorphic, allow_int)
        vjp(fun, *, has_aux)
        vmap(fun, in_axes, out_axes, axis_name, axis_size)
        while_loop(cond_fun, body_fun, init_val)
    """,
    lax: """
        all_gather(x, axis_name, *, axis_index_groups, axis, tiled)
        argmax(operand, axis, index_dtype)
        batch_matmul(lhs, rhs, precision)
        broadcast_in_dim(operand, shape, broadcast_dimensions)
        clamp(min, x, max)
        concatenate(operands, dimension)
        cond(pred, true_fun, false_fun)
        convert_element_type(operand, new_dtype)
        cumsum(operand, axis, reverse)
        dot(lhs, rhs, *, dimension_numbers, precision, preferred_element_type)
        dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)
        dynamic_index_in_dim(operand, index, axis, keepdims)
        dynamic_slice(operand, start_indices, slice_sizes)
        dynamic_slice_in_dim(operand, start_index, slice_size, axis)
        dynamic_update_index_in_dim(operand, update, index, axis)
        dynamic_update_slice(operand, update, start_indices)
        dynamic_update_slice_in_dim(operand, update, start_index, axis)
        erf(x)
        erf_inv(x)
        erfc(x)
        expand_dims(array, dimensions)
        full_like(x, fill_value, dtype, shape)
        index_in_dim(operand, index, axis, keepdims)
        map(f, xs, *, batch_size)
        mulhi(x, y)
        optimization_barrier(operand)
        pad(operand, padding_value, padding_config)
        pmax(x, axis_name, *, axis_index_groups)
        ppermute(x, axis_name, perm)
        psum(x, axis_name, *, axis_index_groups)
        pswapaxes(x, axis_name, axis, *, axis_index_groups)
        reduce(operands, init_values, computation, dimensions)
        reduce_precision(operand, exponent_bits, mantissa_bits)
        reduce_sum(operand, axes)
        reduce_xor(operand, axes)
        reshape(operand, new_sizes, dimensions)
        scan(f, init, xs, length, reverse, unroll)
        select(pred, on_true, on_false)
        select_n(which)
        slice(operand, start_indices, limit_indices, strides)
        slice_in_dim(operand, start_index, limit_index, stride, axis)
        sort(operand, dimension, is_stable, num_keys)
        split(operand, sizes, axis)
        squeeze(array, dimensions)
        switch(index, branches)
        tile(operand, reps)
        stack(operands, axis)
        top_k(operand, k, *, axis)
        transpose(operand, permutation)
        unstack(x, axis)
        while_loop(cond_fun, body_fun, init_val)
    """,
    tree_util: """
        flatten_one_level(tree)
        flatten_one_level_with_keys(tree)
        is_tree_node(typ)
        tree_broadcast(prefix_tree, full_tree, is_leaf)
        tree_reduce_associative(operation, tree, *, identity, is_leaf)
        tree_map(f, tree, *, is_leaf)
        tree_reduce(function, tree, initializer, is_leaf)
        tree_transpose(outer_treedef, inner_treedef, pytree_to_transpose)
        tree_unflatten(treedef, leaves)
    """,
    ft.tree: """
        broadcast(prefix_tree, full_tree, is_leaf)
        reduce_associative(operation, tree, *, identity, is_leaf)
        reduce(function, tree, initializer, is_leaf)
        transpose(outer_treedef, inner_treedef, pytree_to_transpose)
        unflatten(treedef, leaves)
    """,
}

CASES = [
    pytest.param(module, line.strip(), id=f"{module.__name__}.{line.strip()}")
    for module, lines in SIGNATURES.items()
    for line in lines.split("\n")
    if line.strip()
]


@pytest.mark.parametrize(("module", "line"), CASES)
def test_signature(module, line):
    """Own arguments of functrace may stand behind these, or be keywords."""
    name, _, arguments = line.removesuffix(")").partition("(")
    before, _, after = arguments.partition("*, ")
    by_position = [word for word in before.replace(" ", "").split(",") if word]
    by_keyword = [word for word in after.replace(" ", "").split(",") if word]
    parameters = inspect.signature(getattr(module, name)).parameters
    named = [p.name for p in parameters.values() if p.kind in (0, 1)]
    assert named[: len(by_position)] == by_position
    for keyword in by_keyword:
        assert parameters[keyword].kind in (1, 3), keyword


def test_functions_are_given_by_keyword():
    x = np.array([1.0, 2.0])
    square = lambda x: np.sum(x * x)
    assert np.array_equal(ft.grad(fun=square)(x), 2 * x)
    assert np.array_equal(ft.vmap(fun=np.sin, in_axes=0)(x), np.sin(x))
    assert np.array_equal(ft.jacfwd(fun=np.sin)(x), np.diag(np.cos(x)))
    assert np.array_equal(ft.jacrev(fun=np.sin)(x), np.diag(np.cos(x)))
    assert np.array_equal(ft.hessian(fun=square)(x), 2 * np.eye(2))
    assert ft.jvp(fun=square, primals=(x,), tangents=(x,)) == (5.0, 10.0)
    assert ft.value_and_grad(fun=square)(x)[0] == 5.0


def test_keywords_that_programs_bring_along():
    product = lambda x, y: x * y**2
    assert ft.grad(product, argnum=1)(2.0, 3.0) == 12.0
    assert ft.value_and_grad(product, argnum=0)(2.0, 3.0) == (18.0, 9.0)
    assert ft.jacobian(product, argnum=(0, 1))(2.0, 3.0) == (9.0, 12.0)
    assert ft.jacfwd(product, argnum=1)(2.0, 3.0) == 12.0
    assert ft.hessian(product, argnum=1)(2.0, 3.0) == 4.0
    assert ft.jit(product, inline=True, keep_unused=True, device=None)(2.0, 3.0) == 18.0


@pytest.mark.parametrize(
    ("name", "args"),
    [("dot", ()), ("matmul", ()), ("inner", ()), ("tensordot", (1,)), ("vecdot", ()), ("vdot", ())],
)
def test_products_take_a_precision(name, args):
    x = np.arange(6, dtype=np.float32).reshape(2, 3) / 7
    y = x.T.copy() if name in ("dot", "matmul", "tensordot") else x
    f = getattr(ft.numpy, name)
    for call in (f, ft.jit(lambda *xs: f(*xs, *args, precision="highest"))):
        np.testing.assert_array_equal(call(x, y, *(args if call is f else ())), f(x, y, *args))
    wide = lambda *xs: f(*xs, *args, preferred_element_type=np.float64)
    expected = getattr(np, name)(x.astype(float), y.astype(float), *args)
    for call in (wide, ft.jit(wide), lambda *xs: ft.vjp(wide, *xs)[0]):
        assert call(x, y).dtype == np.float64
        np.testing.assert_array_equal(call(x, y), expected)


def test_a_sum_of_products_takes_a_precision():
    x = np.ones((2, 3), np.float32)
    f = lambda x: ft.numpy.einsum(
        "ij,kj->ik", x, x, precision=None, preferred_element_type=ft.numpy.float64
    )
    for call in (f, ft.jit(f)):
        assert call(x).dtype == np.float64
