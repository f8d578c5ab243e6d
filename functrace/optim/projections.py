"""The nearest point of a convex set, of all leaves of a tree together; names of ``optax``.

The formulas are those of Boyd and Vandenberghe, Convex Optimization, section 8.1, if nothing else
is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.nn.normalizing import sparsemax
from functrace.optim.tree import add_scale, mul, norm, number_for, scale, vdot, where
from functrace.optim.tree import clip as clip_leaves
from functrace.tree.mapping import map as map_leaves
from functrace.tree.traversing import leaves
from functrace.tree.vectors import ravel

# A parameter of each function has the name of the one in optax that scales sets.
_scaled = scale


def projection_non_negative(tree: Any) -> Any:
    """``maximum(x, 0)``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_non_negative({"w": np.array([-1.0, 2.0])})
        {'w': array([0., 2.])}
    """
    return clip_leaves(tree, 0)


def projection_box(tree: Any, lower: Any, upper: Any) -> Any:
    """The elements within bounds.

    Args:
        tree: A tree of arrays.
        lower: A tree of the least elements, or a number,
        upper: and of the greatest ones.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_box(
        ...     [np.array([-1.0, 2.0, 0.25])], 0.0, [np.array([1.0, 1.0, 0.2])]
        ... )
        [array([0. , 1. , 0.2])]
    """
    bounds = [_for_each(bound, tree) for bound in (lower, upper)]
    return map_leaves(np.clip, tree, *bounds)


def _for_each(bound: Any, tree: Any) -> Any:
    """A bound for each leaf, where there is one for all."""
    is_for_all = any(leaf is bound for leaf in leaves(bound))
    return map_leaves(lambda x: bound, tree) if is_for_all else bound


def projection_hypercube(tree: Any, scale: Any = 1) -> Any:
    """The elements between 0 and a number, or the elements of a tree.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_hypercube([np.array([-1.0, 2.0, 0.25])])
        [array([0.  , 1.  , 0.25])]
    """
    return projection_box(tree, 0, scale)


def projection_simplex(tree: Any, scale: Any = 1) -> Any:
    """The nearest elements that are not negative and sum to a number (Held et al., 1974).

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_simplex({"a": np.array([1.0, -3.0]), "b": 0.5})
        {'a': array([0.75, 0.  ]), 'b': np.float64(0.25)}
    """
    values, back = ravel(tree)
    return back(number_for(scale, values) * sparsemax(values / number_for(scale, values)))


def projection_l1_sphere(tree: Any, scale: Any = 1) -> Any:
    """The nearest elements whose absolute values sum to a number.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_l1_sphere([np.array([0.9, -0.5, 0.0])])
        [array([ 0.7, -0.3,  0. ])]
    """
    sizes = projection_simplex(map_leaves(np.abs, tree), scale)
    return mul(map_leaves(np.sign, tree), sizes)


def projection_l1_ball(tree: Any, scale: Any = 1) -> Any:
    """The nearest elements whose absolute values sum to a number or less.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_l1_ball([np.array([0.5, -0.25, 0.0])])
        [array([ 0.5 , -0.25,  0.  ])]
    """
    is_within = np.less_equal(norm(tree, 1), scale)
    return where(is_within, tree, projection_l1_sphere(tree, scale))


def projection_l2_sphere(tree: Any, scale: Any = 1) -> Any:
    """The elements, times what makes their Euclidean length a number.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_l2_sphere({"w": np.array([3.0, 0.0]), "b": np.array(4.0)})
        {'b': np.float64(0.8), 'w': array([0.6, 0. ])}
    """
    return _scaled(scale / norm(tree), tree)


def projection_l2_ball(tree: Any, scale: Any = 1) -> Any:
    """The elements, made shorter where their Euclidean length is more than a number.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_l2_ball([np.array([3.0, 4.0])], 10.0)
        [array([3., 4.])]
    """
    # Of the square, whose derivative at 0 is finite.
    square = np.maximum(norm(tree, squared=True), np.square(scale))
    return _scaled(scale / np.sqrt(square), tree)


def projection_linf_ball(tree: Any, scale: Any = 1) -> Any:
    """The elements between minus a number and this number.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_linf_ball([np.array([3.0, -0.5])])
        [array([ 1. , -0.5])]
    """
    return clip_leaves(tree, -scale, scale)


def projection_vector(x: Any, a: Any) -> Any:
    """The nearest multiple of another tree: ``(x @ a) / (a @ a) * a``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_vector([np.array([3.0, 1.0])], [np.array([1.0, 1.0])])
        [array([2., 2.])]
    """
    return scale(vdot(x, a) / vdot(a, a), a)


def projection_hyperplane(x: Any, a: Any, b: Any) -> Any:
    """The nearest tree with ``x @ a = b``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_hyperplane([np.array([3.0, 1.0])], [np.array([1.0, 1.0])], 2.0)
        [array([2., 0.])]
    """
    return add_scale(x, (b - vdot(x, a)) / vdot(a, a), a)


def projection_halfspace(x: Any, a: Any, b: Any) -> Any:
    """The nearest tree with ``x @ a <= b``.

    Example:
        >>> import numpy as np
        >>> from functrace.optim import projections
        >>> projections.projection_halfspace([np.array([3.0, 1.0])], [np.array([1.0, 1.0])], 9.0)
        [array([3., 1.])]
    """
    factor = (b - vdot(x, a)) / vdot(a, a)
    return add_scale(x, np.minimum(factor, 0), a)
