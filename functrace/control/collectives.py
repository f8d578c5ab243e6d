"""Operations across the examples of a named vmap: psum, all_gather, axis_index and others.

``vmap(f, axis_name="i")`` gives the axis of examples a name; in ``f``, and in whatever ``f`` maps,
loops over or differentiates, ``psum(x, "i")`` adds up the ``x`` of all examples.

Each of these primitives takes beside its operand the number of the example, which belongs to the
vmap that gave the name. Whichever recordings lie in between, the operation reaches that vmap, and
a batch rule knows by it whose examples are meant: of the named axis exactly where the number is
batched, of another where it is not. The derivative of a sum over examples is the derivative by the
operand of *one* of them of what *all* of them return: the adjoint of psum is psum.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError, AxisNameError
from functrace.ir.primitive import Primitive, Values
from functrace.ir.program import Program
from functrace.ir.types import ArrayType
from functrace.primitives.indexing import INDICES, gather
from functrace.primitives.linear import Linear, cast_to, dtype_of, in_front, shape_of
from functrace.primitives.reducing import sum_dtype
from functrace.tracing.entrances import entrance
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind
from functrace.transforms.batch import NamedAxis, named_axis

AxisName = Hashable
"""A name, or a tuple of names, of which the first counts slowest."""

Groups = Sequence[Sequence[int]] | None
"""The numbers of the examples that belong together, in lists of one length; None: all do."""


class Collective(Primitive):
    """Combines the values of all examples. Inputs: the operand, and the number of the example.

    Parameters: ``axis_name``; ``axis_size``, the number of examples.
    """

    needs_named_axis = True

    def run(self, x: Any, index: Any, *, axis_name: Hashable, axis_size: int, **params: Any) -> Any:
        """Refuse: the other examples are not here."""
        raise AxisNameError(
            f"{self.name} over the axis {axis_name!r} was run outside of the vmap that has it.",
            source_of(user_place(2)),
        )

    def infer(self, x: ArrayType, index: ArrayType, **params: Any) -> ArrayType:
        """The operand's type."""
        return x.strong

    def combine(self, x: Any, index: Any, **params: Any) -> tuple[Any, int | None]:
        """The operation on all operands, which lie along axis 0: output and batch axis."""
        raise NotImplementedError

    def of_equal(
        self, x: Any, index: Any, *, axis_size: int, **params: Any
    ) -> tuple[Any, int | None]:
        """The operation where all examples have the same operand."""
        return self.combine(
            np.broadcast_to(x, (axis_size, *shape_of(x))), index, axis_size=axis_size, **params
        )

    def beside(self, x: Any, index: Any, **params: Any) -> tuple[Any, int | None]:
        """The operation on operands that lie along axis 0 by the examples of *another* axis."""
        return bind(self, x, index, **params), 0

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Combine the examples of the named axis; those of another one stay apart."""
        x, index = inputs
        if axes[1] is None:
            return self.beside(in_front(x, axes[0]), index, **params)
        if axes[0] is None:
            return self.of_equal(x, index, **params)
        return self.combine(in_front(x, axes[0]), index, **params)


class LinearCollective(Collective, Linear):
    """A collective that is linear in its operand."""


class Psum(LinearCollective):
    """The sum over examples; its adjoint is itself."""

    def infer(self, x: ArrayType, index: ArrayType, **params: Any) -> ArrayType:
        """The operand's shape; small integers widen as in NumPy's sum."""
        return ArrayType(x.shape, sum_dtype(x.dtype))

    def combine(self, x: Any, index: Any, **params: Any) -> tuple[Any, int | None]:
        """Add up."""
        return np.sum(x, axis=0), None

    def of_equal(
        self, x: Any, index: Any, *, axis_size: int, **params: Any
    ) -> tuple[Any, int | None]:
        """Multiply."""
        return cast_to(x, sum_dtype(dtype_of(x))) * axis_size, None

    def transpose(
        self, cotangent: Any, input: ArrayType, index: Any, *, axis_name: Hashable, axis_size: int
    ) -> Any:
        """Every operand went into the sum that each example has."""
        return bind(self, cotangent, index, axis_name=axis_name, axis_size=axis_size)


class Pextreme(Collective):
    """The largest or smallest operand. Operands that are equal share the derivative."""

    def __init__(self, name: str, reduce: Callable[..., Any]) -> None:
        """Name the primitive and the reduction."""
        super().__init__(name)
        self.reduce = reduce

    def combine(self, x: Any, index: Any, **params: Any) -> tuple[Any, int | None]:
        """Reduce."""
        return self.reduce(x, axis=0), None

    def of_equal(self, x: Any, index: Any, **params: Any) -> tuple[Any, int | None]:
        """The operand."""
        return x, None

    def jvp(
        self, inputs: Values, tangents: Values, output: Any, *, axis_name: Hashable, axis_size: int
    ) -> Any:
        """The mean of the winners' tangents."""
        x, index = inputs
        wins = cast_to(np.equal(x, output), dtype_of(output))
        total = bind(
            psum_primitive, wins * tangents[0], index, axis_name=axis_name, axis_size=axis_size
        )
        return total / bind(psum_primitive, wins, index, axis_name=axis_name, axis_size=axis_size)


class AllGather(LinearCollective):
    """The operands of all examples, along a new axis. Parameter: ``axis``."""

    def infer(
        self, x: ArrayType, index: ArrayType, *, axis_name: Hashable, axis_size: int, axis: int
    ) -> ArrayType:
        """The shape with one axis more."""
        return ArrayType((*x.shape[:axis], axis_size, *x.shape[axis:]), x.dtype)

    def combine(self, x: Any, index: Any, *, axis: int, **params: Any) -> tuple[Any, int | None]:
        """The batch axis becomes an axis of what every example has."""
        return np.moveaxis(x, 0, axis), None

    def beside(self, x: Any, index: Any, *, axis: int, **params: Any) -> tuple[Any, int | None]:
        """The axis counts from behind the batch axis."""
        return bind(self, x, index, axis=axis + 1, **params), 0

    def transpose(
        self,
        cotangent: Any,
        input: ArrayType,
        index: Any,
        *,
        axis_name: Hashable,
        axis_size: int,
        axis: int,
    ) -> Any:
        """The sum of what all examples have for this one."""
        total = bind(psum_primitive, cotangent, index, axis_name=axis_name, axis_size=axis_size)
        return np.take(total, index, axis)


class Ppermute(LinearCollective):
    """The operand of another example, or zeros. Parameter: ``sources``: whose, -1 for nobody's."""

    def combine(
        self, x: Any, index: Any, *, sources: tuple[int, ...], **params: Any
    ) -> tuple[Any, int | None]:
        """Take the operands in another order."""
        order = np.array(sources, dtype=np.intp)
        moved = np.take(x, np.maximum(order, 0), 0)
        if order.size and order.min() < 0:
            is_given = np.reshape(order >= 0, (-1, *(1,) * (len(shape_of(x)) - 1)))
            moved = np.where(is_given, moved, np.zeros((), dtype_of(x)))
        return moved, 0

    def transpose(
        self,
        cotangent: Any,
        input: ArrayType,
        index: Any,
        *,
        axis_name: Hashable,
        axis_size: int,
        sources: tuple[int, ...],
    ) -> Any:
        """Permute back."""
        back = [-1] * axis_size
        for destination, source in enumerate(sources):
            if source >= 0:
                back[source] = destination
        return bind(
            self, cotangent, index, axis_name=axis_name, axis_size=axis_size, sources=tuple(back)
        )


psum_primitive = Psum("psum")
pmax_primitive = Pextreme("pmax", np.max)
pmin_primitive = Pextreme("pmin", np.min)
all_gather_primitive = AllGather("all_gather")
ppermute_primitive = Ppermute("ppermute")


def combines_examples(program: Program) -> bool:
    """Whether a Program, or one within it, holds a collective: it must see all examples at once."""
    # Kept with each: choices within each other ask for all that is in them.
    return program.derive(
        "combines examples",
        lambda: any(
            equation.primitive.needs_named_axis or any(map(combines_examples, equation.programs))
            for equation in program.equations
        ),
    )


# Functions


def _axes(axis_name: AxisName) -> list[tuple[Hashable, NamedAxis]]:
    """The axes of these names, in their order."""
    names: tuple[Hashable, ...] = axis_name if isinstance(axis_name, tuple) else (axis_name,)
    return [(name, named_axis(name)) for name in names]


def _over_each(primitive: Primitive, x: Any, axis_name: AxisName) -> Any:
    """Apply a primitive to the leaves of a tree, over one axis after the other."""
    axes = _axes(axis_name)

    def apply(leaf: Any) -> Any:
        leaf = as_operand(leaf)
        for name, (index, size) in axes:
            leaf = bind(primitive, leaf, index, axis_name=name, axis_size=size)
        return leaf

    return tree.map(apply, x)


class Group(NamedTuple):
    """The examples that are combined with this one.

    Attributes:
        size: How many they are.
        position: The number of this one among them, traced.
        members: Their numbers along the axis, traced; None where they are all that there are.
    """

    size: int
    position: Any
    members: Any


def _own_group(axis_name: AxisName, groups: Groups) -> Group:
    """The group of the example."""
    size = axis_size(axis_name)
    if groups is None:
        return Group(size, axis_index(axis_name), None)
    table = [[int(number) for number in group] for group in groups]
    lengths = {len(group) for group in table}
    if (
        sorted(number for group in table for number in group) != list(range(size))
        or len(lengths) > 1
    ):
        raise ArgumentError(
            f"axis_index_groups must hold each of {size} examples once, in groups of one length, "
            f"unlike {table}."
        )
    members = np.array(table, dtype=np.int64)
    order = np.argsort(np.ravel(members))
    index = axis_index(axis_name)
    number, position = (
        bind(gather, column, index, index=(INDICES,)) for column in divmod(order, members.shape[1])
    )
    return Group(members.shape[1], position, bind(gather, members, number, index=(INDICES,)))


def _of_group(x: Any, axis_name: AxisName, group: Group) -> Any:
    """The values of the group, along a new axis in front."""
    everybody = all_gather(as_operand(x), axis_name)
    return everybody if group.members is None else np.take(everybody, group.members, axis=0)


@entrance
def axis_size(axis_name: AxisName) -> int:
    """The number of examples of a named axis.

    Args:
        axis_name: The name that `vmap` was given; for a tuple of names the product.

    Raises:
        AxisNameError: No vmap around this has the name.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.vmap(lambda x: x / axis_size("i"), axis_name="i")(np.array([2.0, 4.0]))
        array([1., 2.])
    """
    return prod(axis.size for _, axis in _axes(axis_name))


@entrance
def axis_index(axis_name: AxisName) -> Any:
    """The number of the example along a named axis, from 0.

    Args:
        axis_name: The name that `vmap` was given; for a tuple of names examples are counted as
            in an array with these axes.

    Raises:
        AxisNameError: No vmap around this has the name.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.vmap(lambda x: x + axis_index("i"), axis_name="i")(np.zeros(3))
        array([0., 1., 2.])
    """
    (_, (result, _)), *rest = _axes(axis_name)
    for _, (index, size) in rest:
        result = result * size + index
    return result


@entrance
def psum(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None) -> Any:
    """The sum over all examples.

    Args:
        x: A tree of arrays. Python numbers are multiplied by the number of examples, and stay
            Python numbers.
        axis_name: The name that `vmap` was given, or a tuple of such names.
        axis_index_groups: Lists of the numbers of examples, of which only those in the same list
            are combined. The lists have one length, and hold each number once.

    Raises:
        AxisNameError: No vmap around this has the name.
        ArgumentError: The groups do not divide the examples.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.vmap(lambda x: x / psum(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
        array([0.25, 0.75])
        >>> pairs = lambda x: psum(x, "i", axis_index_groups=[[0, 1], [2, 3]])
        >>> ft.vmap(pairs, axis_name="i")(np.array([1.0, 2.0, 3.0, 4.0]))
        array([3., 3., 7., 7.])
    """
    group = _own_group(axis_name, axis_index_groups)

    def total(leaf: Any) -> Any:
        if isinstance(leaf, bool | int | float | complex) and not isinstance(leaf, np.generic):
            return leaf * group.size
        if group.members is None:
            return _over_each(psum_primitive, leaf, axis_name)
        return np.sum(_of_group(leaf, axis_name, group), axis=0)

    return tree.map(total, x)


@entrance
def pmean(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None) -> Any:
    """The mean over all examples; as `psum`.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.vmap(lambda x: x - pmean(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
        array([-1.,  1.])
    """
    size = _own_group(axis_name, axis_index_groups).size
    totals = psum(x, axis_name, axis_index_groups=axis_index_groups)
    return tree.map(lambda total: total / size, totals)


@entrance
def pmax(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None) -> Any:
    """The maximum over all examples; as `psum`. Examples that are equal share the derivative.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.vmap(lambda x: pmax(x, "i"), axis_name="i", out_axes=None)(np.array([1.0, 3.0]))
        np.float64(3.0)
    """
    return _extreme(pmax_primitive, x, axis_name, axis_index_groups)


@entrance
def pmin(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None) -> Any:
    """The minimum over all examples; as `pmax`."""
    return _extreme(pmin_primitive, x, axis_name, axis_index_groups)


def _extreme(primitive: Pextreme, x: Any, axis_name: AxisName, groups: Groups) -> Any:
    if groups is None:
        return _over_each(primitive, x, axis_name)
    group = _own_group(axis_name, groups)
    return tree.map(lambda leaf: primitive.reduce(_of_group(leaf, axis_name, group), axis=0), x)


@entrance
def all_gather(
    x: Any,
    axis_name: AxisName,
    *,
    axis_index_groups: Groups = None,
    axis: int = 0,
    tiled: bool = False,
) -> Any:
    """The values of all examples, in every one of them.

    Args:
        x: A tree of arrays.
        axis_name: The name that `vmap` was given, or a tuple of such names.
        axis_index_groups: As for `psum`: who gets whose values.
        axis: Where the examples are counted.
        tiled: Whether to join along this axis, which is there already, in place of a new one.

    Raises:
        AxisNameError: No vmap around this has the name.
        ArgumentError: There is no such axis, or the groups do not divide the examples.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.vmap(lambda x: all_gather(x, "i") * x, axis_name="i")(np.array([1.0, 3.0]))
        array([[1., 3.],
               [3., 9.]])
    """
    axes = _axes(axis_name)
    group = None if axis_index_groups is None else _own_group(axis_name, axis_index_groups)
    count = group.size if group else prod(axis.size for _, axis in axes)

    def gathered(leaf: Any) -> Any:
        leaf = as_operand(leaf)
        shape = shape_of(leaf)
        rank = len(shape) + (not tiled)
        if not -rank <= axis < rank:
            raise ArgumentError(f"all_gather was asked for axis {axis} of {rank} axes.")
        place = axis % rank
        if group:
            leaf = np.moveaxis(_of_group(leaf, axis_name, group), 0, place)
        else:
            for name, (index, size) in reversed(axes):
                leaf = bind(
                    all_gather_primitive, leaf, index, axis_name=name, axis_size=size, axis=place
                )
        if tiled:
            joined = count * shape[place]
            return np.reshape(leaf, (*shape[:place], joined, *shape[place + 1 :]))
        if group or len(axes) == 1:
            return leaf
        return np.reshape(leaf, (*shape[:place], count, *shape[place:]))

    return tree.map(gathered, x)


@entrance
def psum_scatter(
    x: Any,
    axis_name: AxisName,
    *,
    scatter_dimension: int = 0,
    axis_index_groups: Groups = None,
    tiled: bool = False,
) -> Any:
    """The sum over all examples, of which each keeps its own part.

    Args:
        x: A tree of arrays.
        axis_name: The name that `vmap` was given, or a tuple of such names.
        scatter_dimension: The axis along which the parts lie.
        axis_index_groups: As for `psum`: who shares a sum.
        tiled: Whether the axis stays, with the length of one part; else its length is the number
            of examples, and it goes.

    Raises:
        AxisNameError: No vmap around this has the name.
        ArgumentError: The axis, or the examples, cannot be divided so.
    """
    group = _own_group(axis_name, axis_index_groups)
    return tree.map(
        lambda total: _own_part(total, group, scatter_dimension, tiled, "psum_scatter"),
        psum(tree.map(as_operand, x), axis_name, axis_index_groups=axis_index_groups),
    )


def _own_part(x: Any, group: Group, axis: int, tiled: bool, name: str) -> Any:
    """The part of an array that belongs to the example."""
    size, shape = group.size, shape_of(x)
    if not -len(shape) <= axis < len(shape):
        raise ArgumentError(f"{name} was asked for axis {axis} of an array of shape {shape}.")
    axis %= len(shape)
    if shape[axis] % size or not (tiled or shape[axis] == size):
        raise ArgumentError(
            f"{name} cannot divide axis {axis} of an array of shape {shape} among {size} examples."
        )
    if not tiled:
        return np.take(x, group.position, axis)
    split = np.reshape(x, (*shape[:axis], size, shape[axis] // size, *shape[axis + 1 :]))
    return np.take(split, group.position, axis)


@entrance
def ppermute(x: Any, axis_name: Hashable, perm: Sequence[tuple[int, int]]) -> Any:
    """Hand values from example to example.

    Args:
        x: A tree of arrays.
        axis_name: The name that `vmap` was given.
        perm: Pairs (source, destination). Each example is at most once a source and at most once
            a destination; who is no destination gets zeros.

    Raises:
        AxisNameError: No vmap around this has the name.
        ArgumentError: An example is named twice, or is not there.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> shift = lambda x: ppermute(x, "i", [(0, 1), (1, 2)])
        >>> ft.vmap(shift, axis_name="i")(np.array([1.0, 2.0, 3.0]))
        array([0., 1., 2.])
    """
    index, size = named_axis(axis_name)
    pairs = [(int(source), int(destination)) for source, destination in perm]
    for which, column in (("source", 0), ("destination", 1)):
        numbers = [pair[column] for pair in pairs]
        if len(set(numbers)) < len(numbers) or any(not 0 <= n < size for n in numbers):
            raise ArgumentError(
                f"ppermute over {size} examples needs each {which} at most once, not {numbers}."
            )
    sources = [-1] * size
    for source, destination in pairs:
        sources[destination] = source
    return tree.map(
        lambda leaf: bind(
            ppermute_primitive,
            as_operand(leaf),
            index,
            axis_name=axis_name,
            axis_size=size,
            sources=tuple(sources),
        ),
        x,
    )


@entrance
def pshuffle(x: Any, axis_name: Hashable, perm: Sequence[int]) -> Any:
    """As `ppermute`, by the number of the source for each example."""
    size = axis_size(axis_name)
    if sorted(perm) != list(range(size)):
        raise ArgumentError(f"pshuffle needs each of {size} examples once, not {list(perm)}.")
    return ppermute(x, axis_name, list(zip(perm, range(size), strict=True)))


@entrance
def all_to_all(
    x: Any,
    axis_name: AxisName,
    split_axis: int,
    concat_axis: int,
    *,
    axis_index_groups: Groups = None,
    tiled: bool = False,
) -> Any:
    """Every example divides its value among all, and joins what it gets from them.

    Args:
        x: A tree of arrays.
        axis_name: The name that `vmap` was given, or a tuple of such names.
        split_axis: The axis that is divided.
        concat_axis: The axis along which parts are joined: a new one, or one that is there
            already if ``tiled``.
        axis_index_groups: As for `psum`: who hands parts to whom.
        tiled: Whether parts keep the divided axis; else its length must be the number of examples,
            and it goes.

    Raises:
        AxisNameError: No vmap around this has the name.
        ArgumentError: The axis, or the examples, cannot be divided so.
    """
    group = _own_group(axis_name, axis_index_groups)

    def exchange(leaf: Any) -> Any:
        gathered = _of_group(leaf, axis_name, group)
        rank = len(shape_of(gathered)) - 1
        place = split_axis % rank if -rank <= split_axis < rank else rank
        part = _own_part(gathered, group, place + 1, tiled, "all_to_all")
        if not tiled:
            return np.moveaxis(part, 0, concat_axis)
        axis = concat_axis % rank
        moved = np.moveaxis(part, 0, axis)
        shape = shape_of(moved)
        return np.reshape(moved, (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]))

    return tree.map(exchange, x)
