"""Hypothesis strategies: trees of containers of every kind."""

from __future__ import annotations

from collections import OrderedDict, defaultdict

import numpy as np
from hypothesis import strategies as st

from tests.tree.containers import Keyed, Layer, Plain, Point, Typed

keys = st.text("abc", max_size=2)
leaf_values = st.one_of(
    st.floats(allow_nan=False), st.integers(), st.text(max_size=2), st.booleans()
)


def containers(children):
    return st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(keys, children, max_size=3),
        st.dictionaries(keys, children, max_size=3).map(OrderedDict),
        st.dictionaries(keys, children, max_size=3).map(lambda d: defaultdict(list, d)),
        st.builds(Point, children, children),
        st.builds(Typed, children, st.none()),
        st.lists(children, max_size=2).map(Plain),
        st.builds(Keyed, children, children),
        st.builds(Layer, children, children, st.sampled_from(["tanh", "relu"])),
        st.none(),
    )


def trees(leaf=leaf_values):
    return st.recursive(leaf | st.none(), containers, max_leaves=8)


arrays = st.builds(
    lambda shape, dtype: np.arange(1, 1 + int(np.prod(shape))).reshape(shape).astype(dtype),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from([np.float32, np.float64, np.int16, np.complex64, np.bool_]),
)
