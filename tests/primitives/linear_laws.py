"""What holds of every linear primitive, exactly where the numbers are whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType, type_of
from functrace.tracing.tracer import bind


def whole(shape: tuple[int, ...], seed: int) -> Any:
    """Whole numbers from -9 to 9 as doubles, whose sums and products are exact."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


def check_linear(primitive: Primitive, expected: Any, x: Any, *others: Any, **params: Any) -> None:
    """Check a primitive that is linear in its first input.

    Its value is NumPy's and has the inferred type; its transpose is the adjoint; and the map over
    examples is a loop, wherever the batch axis stands.
    """
    found = bind(primitive, x, *others, **params)
    outputs = found if primitive.multiple_outputs else (found,)
    wanted = expected if primitive.multiple_outputs else (expected,)
    types = primitive.infer(*map(type_of, (x, *others)), **params)
    types = types if primitive.multiple_outputs else (types,)
    assert tuple(map(type_of, outputs)) == tuple(types)
    for one, other in zip(outputs, wanted, strict=True):
        np.testing.assert_array_equal(one, other)

    cotangents = tuple(whole(np.shape(y), number) for number, y in enumerate(outputs))
    given = cotangents if primitive.multiple_outputs else cotangents[0]
    needed = [True, *[None] * len(others)]
    pulled = primitive.vjp(given, (x, *others), found, needed, **params)[0]
    assert type_of(pulled) == ArrayType(np.shape(x), np.dtype(float))
    assert sum(np.vdot(c, y) for c, y in zip(cotangents, outputs, strict=True)) == np.vdot(
        pulled, x
    )

    examples = [x, x[::-1] if np.ndim(x) else x + 1, x * 3]
    for axis in range(np.ndim(x) + 1):
        stacked = np.stack(examples, axis)
        axes = (axis, *[None] * len(others))
        mapped, axes_out = primitive.batch(3, (stacked, *others), axes, **params)
        if not primitive.multiple_outputs:
            mapped, axes_out = (mapped,), (axes_out,)
        each = [bind(primitive, example, *others, **params) for example in examples]
        rows = each if primitive.multiple_outputs else [(y,) for y in each]
        for part, place, loop in zip(mapped, axes_out, zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(np.moveaxis(part, place, 0), np.stack(loop))
