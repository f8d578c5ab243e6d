"""All leaves of a tree in one vector."""

# A zip on the path of every gradient does not pay for a keyword.
# ruff: noqa: B905

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.errors import TreeStructureError
from functrace.tracebacks import boundary
from functrace.tree.differences import place_of
from functrace.tree.traversing import flatten


@boundary
def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Join all leaves of a tree into one vector.

    Args:
        tree: A tree of arrays and numbers. A Python number counts as an array of the dtype that
            NumPy gives it.

    Returns:
        The vector, whose dtype is that to which NumPy promotes the dtypes of the leaves, and a
        function ``unravel`` that turns such a vector into a tree again, with the shapes and dtypes
        of the original leaves. Numbers come back as NumPy scalars. Arrays that need no change of
        dtype are views of the vector, as those of ``np.reshape``. An empty tree has a vector of
        shape (0,) and dtype float64.

    Raises:
        TreeStructureError: A leaf is neither an array nor a number, or the dtypes cannot be
            promoted to a common one; in ``unravel``, the vector has another shape or dtype.

    >>> flat, unravel = ravel({"W": np.ones((2, 2)), "b": 3.0})
    >>> flat
    array([1., 1., 1., 1., 3.])
    >>> unravel(2 * flat)["W"]
    array([[2., 2.],
           [2., 2.]])
    """
    # Tracers come through here, so there is nothing but NumPy's functions and attributes.
    found, structure = flatten(tree)
    arrays: list[Any] = []
    # Of each leaf: its first place in the vector, that after its last, shape, dtype, is a scalar.
    places: list[tuple[int, int, tuple[int, ...], np.dtype[Any], bool]] = []
    size = 0
    for index, leaf in enumerate(found):
        array = leaf
        if not isinstance(getattr(leaf, "dtype", None), np.dtype):
            if not isinstance(leaf, (bool, int, float, complex)):
                raise TreeStructureError(
                    f"The leaf at {place_of(structure.paths()[index])} cannot be part of a vector: "
                    f"it is neither an array nor a number, but of type {type(leaf).__name__}.",
                    advice="Ravel a tree of arrays and numbers only.",
                )
            array = np.asarray(leaf)
        shape = tuple(array.shape)
        after = size + math.prod(shape)
        is_scalar = shape == () and not isinstance(leaf, np.ndarray)
        places.append((size, after, shape, array.dtype, is_scalar))
        arrays.append(array)
        size = after
    dtype: np.dtype[Any] = np.dtype(np.float64)
    if places:
        try:
            dtype = np.result_type(*[place[3] for place in places])
        except TypeError as error:
            names = ", ".join(sorted({str(place[3]) for place in places}))
            raise TreeStructureError(
                f"The leaves cannot be joined into one vector, because there is no common dtype "
                f"for theirs: {names}.",
                advice="Ravel a tree of numbers only.",
            ) from error
    flat: Any = np.zeros(0, dtype)
    if places:
        vectors = [np.ravel(array) for array in arrays]
        flat = np.concatenate(
            [
                vector if place[3] == dtype else vector.astype(dtype)
                for vector, place in zip(vectors, places)
            ]
        )

    def unravel(flat: Any) -> Any:
        """Turn a vector into a tree of the structure, shapes and dtypes of the ravelled one."""
        found_shape = getattr(flat, "shape", None)
        if found_shape != (size,):
            found = (
                f"an object of type {type(flat).__name__}"
                if found_shape is None
                else f"an array of shape {found_shape}"
            )
            raise TreeStructureError(
                f"A vector of shape ({size},) is needed to make the tree, but {found} was given.",
                advice="Give a vector like the one that ravel returned.",
            )
        if flat.dtype != dtype:
            raise TreeStructureError(
                f"A vector of dtype {dtype} is needed to make the tree, but one of dtype "
                f"{flat.dtype} was given.",
                advice=f"Change its dtype first: flat.astype(np.{dtype.name}).",
            )
        leaves: list[Any] = []
        for start, after, shape, leaf_dtype, is_scalar in places:
            leaf = flat[start] if is_scalar else np.reshape(flat[start:after], shape)
            if leaf_dtype != dtype:
                if dtype.kind == "c" and leaf_dtype.kind != "c":
                    # The imaginary part is dropped on purpose, so there must be no warning of it.
                    leaf = np.real(leaf)
                leaf = leaf.astype(leaf_dtype)
            leaves.append(leaf)
        return structure.unflatten(leaves)

    return flat, unravel
