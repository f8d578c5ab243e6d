"""What an optimizer is."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError
from functrace.optim import base


def test_parameters_keep_their_dtypes():
    params = {"x": np.ones(2, np.float32), "y": 1.0, "z": np.ones((), np.float64)}
    updates = {"x": np.ones(2), "y": np.float64(0.5), "z": np.ones(())}
    found = optim.apply_updates(params, updates)
    assert found["x"].dtype == np.float32
    assert found == {"x": pytest.approx([2, 2]), "y": 1.5, "z": 2}


def test_part_of_the_way():
    found = optim.incremental_update([np.array(4.0)], [np.array(0.0)], 0.25)
    assert found == [1.0]
    for step, expected in ((3, 0.0), (4, 4.0)):
        assert optim.periodic_update([4.0], [0.0], step, 2) == [expected]


def test_counts_stop_at_their_largest():
    assert base.safe_increment(base.no_steps()) == 1
    largest = np.array(np.iinfo(np.int32).max, np.int32)
    found = base.safe_increment(largest)
    assert found == largest
    assert found.dtype == np.int32


def test_transformations_that_keep_nothing():
    tx = optim.stateless_with_tree_map(lambda g, p: g + p)
    updates, state = tx.update([1.0], tx.init([2.0]), [2.0])
    assert updates == [3.0]
    assert isinstance(state, optim.EmptyState)
    assert optim.identity().update([1.0], ())[0] == [1.0]
    assert optim.set_to_zero().update([np.ones(2)], ())[0][0].tolist() == [0, 0]


def test_keywords_are_left_out_where_they_are_not_taken():
    tx = optim.with_extra_args_support(optim.identity())
    assert tx.update([1.0], tx.init([1.0]), None, value=3.0)[0] == [1.0]
    assert optim.with_extra_args_support(tx) is tx


def test_missing_parameters_are_named():
    tx = optim.adamw(0.1)
    params = [np.ones(2)]
    with pytest.raises(ArgumentError, match="needs the parameters") as caught:
        tx.update(params, tx.init(params))
    assert "test_base.py" in str(caught.value)


def test_it_is_found_where_it_is_asked_for():
    assert ft.optim is optim
    assert optim.global_norm([np.array([3.0, 4.0])]) == 5
    assert optim.l2_loss is optim.losses.l2_loss is ft.nn.losses.l2_loss
    assert optim.schedules.linear_schedule is optim.linear_schedule
    assert all(hasattr(optim, name) for name in optim.__all__)


def test_reprs_say_what_made_it():
    rate = optim.linear_schedule(0.1, 0.0, transition_steps=10)
    assert repr(rate) == "<linear_schedule(0.1, 0.0, transition_steps=10)>"
    assert repr(optim.scale(2.0)) == "<gradient transformation scale(2.0)>"
    adam = "adam(linear_schedule(0.1, 0.0, transition_steps=10), b1=0.8)"
    assert repr(optim.chain(optim.clip(1.0), optim.adam(rate, b1=0.8))) == (
        f"<gradient transformation chain(clip(1.0), {adam})>"
    )
    assert repr(optim.sgd(0.1).update) == "<update of sgd(0.1)>"
    own = optim.GradientTransformation(lambda p: (), lambda g, s, p=None: (g, s))
    assert repr(own) == "<gradient transformation of two functions>"
