"""Which elements indices name: the same, some of them, or others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from functrace.ir.program import Atom, Constant, Equation
from functrace.primitives import elementwise
from functrace.simplify.rewriting import Scope, is_known
from functrace.simplify.subexpressions import constant_key


def full_index(shape: Sequence[int], index: Sequence[Any]) -> list[Any] | None:
    """An index by slices and numbers with one item for each axis; None for any other index."""
    if any(item is None or not isinstance(item, slice | int | type(...)) for item in index):
        return None
    if any(isinstance(item, bool) for item in index) or min(shape, default=0) < 0:
        return None
    found = list(index)
    missing = [slice(None)] * (len(shape) - sum(item is not Ellipsis for item in found))
    place = found.index(Ellipsis) if Ellipsis in found else len(found)
    return [*found[:place], *missing, *found[place + 1 :]]


def merged_index(
    shape: Sequence[int], first: Sequence[Any], second: Sequence[Any]
) -> tuple[Any, ...] | None:
    """The index that does what one does, and then another; None where it cannot be written.

    Of an element it has an ellipsis where the other one has, which reads an array without axes.
    """
    outer = full_index(shape, first)
    if outer is None:
        return None
    left = [range(n)[item] for n, item in zip(shape, outer, strict=True)]
    inner = full_index([len(x) for x in left if isinstance(x, range)], second)
    if inner is None:
        return None
    items = iter(inner)
    merged: list[Any] = []
    for length, taken in zip(shape, left, strict=True):
        both = taken[next(items)] if isinstance(taken, range) else taken
        if isinstance(both, int):
            merged.append(both)
        elif not both or both.step < 0:
            return None
        elif both == range(length):
            merged.append(slice(None))
        else:
            merged.append(slice(both.start, both.stop, None if both.step == 1 else both.step))
    return (*merged, ...) if _is_array(merged, second) else tuple(merged)


def relative_index(
    shape: Sequence[int], outer: Sequence[Any], inner: Sequence[Any]
) -> tuple[Any, ...] | None:
    """The index into ``x[outer]`` that gives ``x[inner]``; None where there is none."""
    first, second = full_index(shape, outer), full_index(shape, inner)
    if first is None or second is None:
        return None
    index: list[Any] = []
    for length, own, taken in zip(shape, first, second, strict=True):
        there, wanted = range(length)[own], range(length)[taken]
        if isinstance(there, int):
            if there != wanted:
                return None
        elif isinstance(wanted, int):
            if wanted not in there:
                return None
            index.append(there.index(wanted))
        elif wanted == there:
            index.append(slice(None))
        elif wanted and there and wanted[0] in there and wanted[-1] in there:
            if wanted.step % there.step or wanted.step * there.step < 0:
                return None
            start, stop = there.index(wanted[0]), there.index(wanted[-1]) + 1
            index.append(slice(start, stop, wanted.step // there.step))
        else:
            return None
    return (*index, ...) if _is_array(index, inner) else tuple(index)


def _is_array(index: Sequence[Any], written: Sequence[Any]) -> bool:
    """Whether an element is read as an array without axes, as an index with an ellipsis does."""
    return Ellipsis in written and all(isinstance(item, int) for item in index)


def has_same_index(written: Equation, read: Equation) -> bool:
    """Whether an application reads, or adds to, just what another has written, in its order."""
    if written.params["index"] != read.params["index"]:
        return False
    arrays = written.inputs[2:]
    others = read.inputs[len(read.inputs) - len(arrays) :]
    if len(read.inputs) - len(arrays) not in (1, 2) or not are_alike(arrays, others):
        return False
    return not arrays or bool(written.params.get("unique"))


def are_alike(first: Sequence[Atom], second: Sequence[Atom]) -> bool:
    """Whether atoms are the same variables, or constants with the same bits."""
    return len(first) == len(second) and all(
        x is y
        or (
            isinstance(x, Constant)
            and isinstance(y, Constant)
            and constant_key(x) == constant_key(y)
        )
        for x, y in zip(first, second, strict=True)
    )


def is_elsewhere(written: Equation, read: Equation, scope: Scope) -> bool:
    """Whether an application is known to read nothing of what another has written.

    Along one axis they must have no element in common: numbers that differ, slices that do not
    meet, or an array of indices without axes and the same with a number added.
    """
    shape = written.inputs[0].type.shape
    arrays, others = iter(written.inputs[2:]), iter(read.inputs[1:])
    items = zip(written.params["index"], read.params["index"], strict=False)
    for place, (own, other) in enumerate(items):
        if type(own) is int and type(other) is int:
            if own != other and (own - other) % shape[place]:
                return True
            continue
        if own is None or other is None or own is Ellipsis or other is Ellipsis:
            return False  # what follows may belong to different axes
        first: Any = next(arrays) if isinstance(own, str) else own
        second: Any = next(others) if isinstance(other, str) else other
        length = shape[place]
        if isinstance(own, str) or isinstance(other, str):
            if own == other and _differ(first, second, length, scope):
                return True
            continue
        there, wanted = range(length)[first], range(length)[second]
        if isinstance(there, int):
            there = range(there, there + 1)
        if isinstance(wanted, int):
            wanted = range(wanted, wanted + 1)
        if _do_not_meet(there, wanted):
            return True
    return False


def _do_not_meet(first: range, second: range) -> bool:
    """Whether two ranges are known to have nothing in common."""
    if not first or not second:
        return True
    lows, highs = zip(*((min(x[0], x[-1]), max(x[0], x[-1])) for x in (first, second)), strict=True)
    if max(lows) > min(highs):
        return True
    steps = {abs(x.step) for x in (first, second) if len(x) > 1}
    return len(steps) == 1 and (first[0] - second[0]) % steps.pop() != 0


def _differ(first: Any, second: Any, length: int, scope: Scope) -> bool:
    """Whether two numbers, as indices into so many elements, are known to name different ones."""
    if first.type.shape or second.type.shape or length < 1:
        return False
    (base, offset), (other, moved) = (_as_sum(x, scope) for x in (first, second))
    return base is other and (offset - moved) % length != 0


def _as_sum(atom: Any, scope: Scope) -> tuple[Atom | None, int]:
    """A whole number as another one, None for zero, and what is added to it."""
    offset = 0
    for _ in range(4):
        if is_known(atom):
            return None, offset + int(atom.value)
        made = scope.definitions.get(atom)
        if made is None or atom.type.dtype.kind != "i" or atom.type.dtype.itemsize < 4:
            break
        x: Any
        y: Any
        x, y = made.inputs if len(made.inputs) == 2 else (atom, atom)
        if made.primitive is elementwise.add and is_known(x):
            x, y = y, x
        if not is_known(y) or y.type.shape:
            break
        if made.primitive is elementwise.add:
            offset += int(y.value)
        elif made.primitive is elementwise.subtract:
            offset -= int(y.value)
        else:
            break
        atom = x
    return atom, offset
