from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.nests import Block


def steps(f, *args):
    return str(Block(decompose(ft.make_ir(f)(*args))))


def test_a_chain_is_one_nest_and_its_sum_with_it():
    x = np.ones((2, 3))
    assert (
        steps(lambda x: np.sum(np.sin(x) * x, 1), x)
        == """\
for each of 2x3
  b = sin a
  c = multiply b, a
  d! = sum c
return d"""
    )


def test_what_waits_for_a_sum_is_another_nest():
    assert (
        steps(lambda x: x / np.sum(x), np.ones(3))
        == """\
for each of 3
  b! = sum a
for each of 3
  c! = divide a, b
return c"""
    )


def test_views_move_nothing_and_end_a_nest_where_they_see_it():
    assert (
        steps(lambda x: np.sin(x)[1:] * x[1:], np.ones(3))
        == """\
view b = getitem a
for each of 3
  c! = sin a
view d = getitem c
for each of 2
  e! = multiply d, b
return e"""
    )


def test_operations_that_have_nothing_to_do_with_each_other_share_a_nest():
    text = steps(lambda x, y: (np.sin(x), np.max(y), np.cos(y)), np.ones(3), np.ones(3))
    assert text.count("for each") == 1
