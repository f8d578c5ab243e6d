"""How Programs are simplified that NumPy will run, one operation at a time.

To call NumPy costs a microsecond, whatever it does, and each result is an array in memory. So a
loop does at once, for all trips, what can be done so (`functrace.simplify.trips`), and a sum of
products is a contraction, which makes no array of the products. What fuses operations has no use
for either.
"""

from __future__ import annotations

from functools import partial

from functrace.primitives import reducing
from functrace.simplify import improve_structures, pipeline, simplify_algebra
from functrace.simplify.algebra import RULES, Laws
from functrace.simplify.sums import sum_of_products

_SUMS = (reducing.sum_primitive, reducing.mean_primitive)

WITH_CONTRACTIONS = Laws(RULES | {sum: (*RULES[sum], sum_of_products) for sum in _SUMS})
"""The laws of arithmetic, and what BLAS does in one call."""

structures_for_numpy = partial(improve_structures, in_all_trips=True)
algebra_for_numpy = partial(simplify_algebra, laws=WITH_CONTRACTIONS)

simplify = pipeline(structures_for_numpy, algebra_for_numpy)
"""The passes of the NumPy backend."""
