"""Hypothesis strategies: shapes, arrays, inputs of primitives, whole programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.cases import REALS, WHOLE, Case, Domain, Input, Shape, Variant


def seeds() -> st.SearchStrategy[int]:
    """Seeds of NumPy's generators: values are drawn by these, which is fast and shrinks to 0."""
    return st.integers(0, 2**20)


def shapes(max_dims: int = 3, max_side: int = 3) -> st.SearchStrategy[Shape]:
    """Shapes, with 0-d and empty ones."""
    return hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=max_side)


def broadcastable_shapes(count: int) -> st.SearchStrategy[tuple[Shape, ...]]:
    """As many shapes as asked for, which broadcast with each other."""
    if count == 0:
        return st.just(())
    return hnp.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=0, max_dims=3, min_side=0, max_side=3
    ).map(lambda drawn: drawn.input_shapes)


@st.composite
def arrays(draw: Any, shape: Any = None, domain: Domain = REALS, dtype: str = "float64") -> Any:
    """An array with values of a domain."""
    shape = draw(shapes()) if shape is None else shape
    return domain.values(np.random.default_rng(draw(seeds())), shape, dtype)


@st.composite
def examples(draw: Any, case: Case, variant: Variant, count: int = 3) -> list[list[Any]]:
    """Several lists of inputs for a row's variant, alike in shapes and dtypes."""
    drawn = [spec for spec in variant.inputs if spec.shape is None and spec.value is None]
    free = iter(draw(broadcastable_shapes(len(drawn))))
    layout: list[tuple[Input, Shape, str]] = []
    for spec in variant.inputs:
        if spec.value is not None:
            layout.append((spec, (), ""))
            continue
        shape = next(free) if spec.shape is None else spec.shape
        choices = {"f": case.dtypes, "i": WHOLE, "b": ("bool",)}[spec.domain.kind]
        layout.append((spec, shape, spec.dtype or draw(st.sampled_from(choices))))
    rng = np.random.default_rng(draw(seeds()))
    scalars = draw(st.booleans())  # 0-d inputs as NumPy's scalars, or as 0-d arrays

    def one(spec: Input, shape: Shape, dtype: str) -> Any:
        if spec.value is not None:
            return spec.value
        value = spec.domain.values(rng, shape, dtype)
        return value[()] if scalars else value

    return [[one(*row) for row in layout] for _ in range(count)]
