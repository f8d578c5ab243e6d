"""How operations are written that no nest of loops computes together with others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from functrace.backends.native import axes, blocked, halves, matrices
from functrace.backends.native.elements import (
    BLOCKS,
    Elements,
    Fold,
    combine,
    combined,
    copy,
    fill,
    neutral,
)
from functrace.backends.native.elementwise import PARTS, Expressions, converted, loop_dtypes
from functrace.backends.native.joining import parts_of
from functrace.backends.native.lowering import Alones, Emission, Limits, Value, sliced, windowed
from functrace.backends.native.machine import vector_bytes
from functrace.backends.native.memory import Cell, View, load, store
from functrace.backends.native.products import Product
from functrace.backends.native.writing import literal
from functrace.ir.program import Atom, Equation
from functrace.ir.types import Shape
from functrace.primitives.broadcasting import Elementwise
from functrace.primitives.contracting import Plan, plan_of
from functrace.primitives.indexing import layout

TOTALS = 1 << 22
"""So many bytes are taken for totals of tiles at most, which are combined in the end."""


LINES = 20
"""To find an element or to compute two numbers of one takes so many instructions, about."""


def _part(emission: Emission, view: View, starts: Sequence[int], shape: Shape) -> View:
    """A part of an array of the same strides."""
    offset = sum(s * stride for s, stride in zip(starts, view.strides, strict=True))
    return emission.shifted(view, str(offset))._replace(shape=shape)


def _joined(emission: Emission, equation: Equation) -> None:
    """An array made of others, some of which may be where they belong."""
    target = emission.whole(equation)
    parts = parts_of(equation)
    assert parts is not None
    for atom, part in zip(equation.inputs, parts, strict=True):
        if atom not in emission.placed:
            _put(emission, atom, part.view(emission.write, target))


def _put(emission: Emission, atom: Atom, part: View) -> None:
    """Write a value into a part of an array, in its dtype."""
    value, write = emission.value(atom), emission.write
    if isinstance(value, View) and value.pointer == part.pointer and value.dtype == part.dtype:
        return  # it was computed there
    cast = partial(converted, write, source=atom.type.dtype, target=part.dtype)
    if isinstance(value, str):
        number = cast(value)
        if part.shape:
            fill(write, part, number)
        else:
            store(write, part, number)
    else:
        given = [value.stretched(part.shape)]
        Elements(write, part.shape, given, [part], [], lambda x, _: ([cast(x[0])], ()))


def _pad(emission: Emission, equation: Equation) -> None:
    if parts_of(equation) is not None:
        _joined(emission, equation)
        return
    (output,) = equation.outputs
    target = emission.place(output)
    x = equation.inputs[0]
    fill(emission.write, target, literal(0, target.dtype))
    starts = [before for before, _ in equation.params["padding"]]
    _put(emission, x, _part(emission, target, starts, x.type.shape))


def _roll(emission: Emission, equation: Equation) -> None:
    (output,) = equation.outputs
    source, target = emission.view(equation.inputs[0]), emission.place(output)
    shape = target.shape
    shifts = [0] * len(shape)
    for shift, axis in zip(equation.params["shifts"], equation.params["along"], strict=True):
        shifts[axis % len(shape)] += shift
    pieces: list[list[tuple[int, int, int]]] = []  # from, to, length for each axis
    for n, shift in zip(shape, shifts, strict=True):
        moved = shift % n if n else 0
        both = [(0, moved, n - moved), (n - moved, 0, moved)]
        pieces.append([piece for piece in both if piece[2]] or [(0, 0, 0)])
    for number in np.ndindex(*map(len, pieces)):
        chosen = [pieces[axis][k] for axis, k in enumerate(number)]
        lengths = tuple(length for *_, length in chosen)
        taken = _part(emission, source, [start for start, _, _ in chosen], lengths)
        put = _part(emission, target, [start for _, start, _ in chosen], lengths)
        copy(emission.write, taken, put)


def _base(emission: Emission, equation: Equation) -> View:
    """The array that an operation writes into: the first input, or a copy where that is needed."""
    x, (output,) = equation.inputs[0], equation.outputs
    source = emission.taken(x, output, equation.inputs[1:])
    if source is not None:
        return source
    target = emission.place(output)
    _put(emission, x, target)
    return target


def _index_update(emission: Emission, equation: Equation) -> None:
    target = _base(emission, equation)
    _write_at(emission, target, equation, 1, None)


def _index_add(emission: Emission, equation: Equation) -> None:
    target = _base(emission, equation)
    _write_at(emission, target, equation, 1, "add")


def _scatter_add(emission: Emission, equation: Equation) -> None:
    if parts_of(equation) is not None:
        _joined(emission, equation)
        return
    (output,) = equation.outputs
    target = emission.place(output)
    fill(emission.write, target, literal(0, target.dtype))
    unique = len(equation.inputs) == 1
    _write_at(emission, target, equation, 0, None if unique else "add")


def _write_at(
    emission: Emission, target: View, equation: Equation, number: int, how: str | None
) -> None:
    """Write values into an array at an index, or add them to what is there."""
    values, arrays = equation.inputs[number], equation.inputs[number + 1 :]
    kernel = emission.kernel
    write = kernel.write
    index = equation.params["index"]

    def merged(new: str, old: str) -> str:
        e = Expressions(write, target.dtype)
        if target.dtype.kind == "b":
            return e("or", old, new)
        return e("fadd contract" if target.dtype.kind == "f" else "add", old, new)

    cast = partial(converted, write, source=values.type.dtype, target=target.dtype)
    value = emission.value(values)
    if all(not atom.type.shape for atom in arrays):
        part = emission.indexed(target, index, [emission.number(x) for x in arrays])
        reads = [] if isinstance(value, str) else [value.stretched(part.shape)]
        adds = how is not None

        def written(x: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
            new = cast(x[-1] if reads else str(value))
            return [merged(new, x[0]) if adds else new], ()

        Elements(write, part.shape, [part, *reads] if adds else reads, [part], [], written)
        return
    shape, at, indices = _gathered(emission, target, index, arrays)
    reads = [] if isinstance(value, str) else [value.stretched(shape)]

    def body(x: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        place = emission.picked(target, found, x[: len(indices)], places[0])
        new = cast(x[-1] if reads else str(value))
        if how is not None:
            new = merged(new, load(write, at, place))
        store(write, at, new, place)
        return (), ()

    found = layout(index, len(target.shape))
    Elements(kernel.write, shape, [*indices, *reads], [], [], body, [at])


def _gathered(
    emission: Emission, source: View, index: tuple[Any, ...], arrays: Sequence[Atom]
) -> tuple[Shape, View, list[View]]:
    """The elements at an index with arrays.

    Returns:
        Their shape; where they would lie if all indices were 0; and the arrays, lined up.
    """
    found = layout(index, len(source.shape))
    offset, shape, strides = sliced(source, found)
    views = [emission.view(atom) for atom in arrays]
    common = np.broadcast_shapes(*(view.shape for view in views))
    lengths = [*shape[: found.start], *common, *shape[found.start :]]
    steps = [*strides[: found.start], *([0] * len(common)), *strides[found.start :]]
    moved = emission.shifted(source, str(offset))
    at = moved._replace(shape=tuple(lengths), strides=tuple(steps))
    after = len(shape) - found.start
    lined = [
        view.stretched(common)._replace(
            shape=tuple(lengths),
            strides=(*([0] * found.start), *view.stretched(common).strides, *([0] * after)),
        )
        for view in views
    ]
    return tuple(lengths), at, lined


def _gather(emission: Emission, equation: Equation) -> None:
    (output,) = equation.outputs
    source = emission.view(equation.inputs[0])
    index = equation.params["index"]
    shape, at, indices = _gathered(emission, source, index, equation.inputs[1:])
    target = emission.place(output)
    found = layout(index, len(source.shape))
    kernel = emission.kernel

    def body(x: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        place = emission.picked(source, found, x, places[0])
        return [load(kernel.write, at, place)], ()

    Elements(
        kernel.write, shape, indices, [target], [], body, [at], cost=LINES, memory=emission.take
    )


def _contract(emission: Emission, equation: Equation) -> None:
    """A sum of products over labels of axes."""
    plan = plan_of(equation.params["subscripts"])
    x, y = (emission.view(atom) for atom in equation.inputs)
    (output,) = equation.outputs
    sizes = dict(zip(plan.first, x.shape, strict=True))
    for label, length in zip(plan.second, y.shape, strict=True):
        if length != 1 or label not in sizes:
            sizes[label] = length
    x = x.stretched(tuple(sizes[label] for label in plan.first))
    y = y.stretched(tuple(sizes[label] for label in plan.second))
    summed = [label for label in sizes if label not in plan.output]
    dtype = output.type.dtype

    def strides(view: View, labels: str, label: str) -> int:
        return view.strides[labels.index(label)] if label in labels else 0

    target = emission.place(output) if output.type.shape else emission.cell(output)
    if x.dtype == y.dtype == target.dtype and dtype.kind == "f":
        if _is_of_halves(emission, equation, (x, y, target), plan):
            return
        labels = plan.first, plan.second, plan.output
        product = Product(emission.write, emission.take, (x, y, target), labels, vector_bytes())
        if product.is_written():
            return
    # Innermost is what both operands have in a row, or the output and one of them.
    order = [*plan.output, *summed]
    both = [
        label for label in summed
        if strides(x, plan.first, label) == 1 and strides(y, plan.second, label) == 1
    ]  # fmt: skip
    if not both and plan.output and summed:
        last = plan.output[-1]
        order = [label for label in plan.output if label != last] + summed + [last]
    domain = tuple(sizes[label] for label in order)

    def along(view: View, labels: str) -> View:
        return view._replace(
            shape=domain, strides=tuple(strides(view, labels, label) for label in order)
        )

    write = emission.write
    kernel = emission.kernel

    def body(given: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        factors = [
            converted(write, value, atom.type.dtype, dtype)
            for value, atom in zip(given, equation.inputs, strict=True)
        ]
        e = Expressions(write, dtype)
        product = e.of("multiply", *factors)
        return ([], [product]) if summed else ([product], [])

    reads = [along(x, plan.first), along(y, plan.second)]
    result = along(target, plan.output)
    if summed:
        axes = frozenset(n for n, label in enumerate(order) if label in summed)
        Elements(kernel.write, domain, reads, [], [Fold("sum", dtype, result, axes)], body)
    else:
        Elements(kernel.write, domain, reads, [result], [], body)
    if not output.type.shape:
        emission.values[output] = load(kernel.write, target, "0")


def _is_of_halves(
    emission: Emission, equation: Equation, views: tuple[View, View, View], plan: Plan
) -> bool:
    """Write a product of large matrices of which halves are zero, or not read."""
    labels = halves.matrices(plan)
    if labels is None:
        return False
    known = emission.halves
    x, y = (halves.of(atom, known.zero) for atom in equation.inputs)
    (output,) = equation.outputs
    found = x, y, known.read.get(output, halves.BOTH)
    if not blocked.product(emission.write, views, labels, found):
        return False
    if equation.primitive.name == "contract":  # where zeros are multiplied with what is not finite
        emission.require_finite(output)
    return True


def _contract_or_zero(emission: Emission, equation: Equation) -> None:
    """As a contraction: where there are infinities and nan, NumPy takes care of zeros.

    They leave a trace in the result: so what is looked at is what is smaller. (What overflows is
    left to NumPy in any case.)
    """
    _contract(emission, equation)
    output = equation.outputs[0]
    inputs = [x for x in equation.inputs if not emission.is_finite(x)]
    if sum(x.type.size for x in inputs) >= output.type.size:
        inputs = [output]
    for x in inputs:
        emission.require_finite(x)


def _from_diagonal(emission: Emission, equation: Equation) -> None:
    (x,), (output,) = equation.inputs, equation.outputs
    target = emission.place(output)
    fill(emission.write, target, literal(0, target.dtype))
    part = emission.diagonal(target, equation.params["offset"])
    _put(emission, x, part._replace(shape=x.type.shape))


def _sum_of_windows(emission: Emission, equation: Equation) -> None:
    (x,), (output,) = equation.inputs, equation.outputs
    source, target = emission.view(x), emission.place(output)
    write, dtype = emission.write, target.dtype
    fill(write, target, literal(0, dtype))
    at = windowed(target, source.shape, equation.params)

    def body(numbers: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        e = Expressions(write, dtype)
        word = {"f": "fadd", "b": "or"}.get(dtype.kind, "add")
        store(write, at, e(word, load(write, at, places[0]), numbers[0]), places[0])
        return (), ()

    Elements(write, source.shape, [source], [], [], body, [at])


def _sum_at(emission: Emission, equation: Equation) -> None:
    """The sums from each of some places to the next one, along an axis."""
    (x, starts), (output,) = equation.inputs, equation.outputs
    source, places = emission.view(x), emission.view(starts)
    target, axis = emission.place(output), equation.params["axis"]
    write, dtype = emission.write, target.dtype
    e = Expressions(write, dtype)
    length, count = source.shape[axis], target.shape[axis]

    def lined(view: View, stride: int) -> View:
        strides = (*view.strides[:axis], stride, *view.strides[axis + 1 :])
        return view._replace(shape=target.shape, strides=strides)

    alone = [0] * len(target.shape)
    alone[axis] = 1
    counting = places._replace(shape=target.shape, strides=tuple(alone))

    def body(_: list[str], at: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        lane, number = at
        step = places.strides[0]
        first = emission.inside(load(write, places, write.times(number, step)), length)
        is_last = write.let(f"icmp eq i64 {number}, {count - 1}")
        following = write.let(f"select i1 {is_last}, i64 {number}, i64 {write.add(number, '1')}")
        end = load(write, places, write.times(following, step))
        end = write.let(f"select i1 {is_last}, i64 {length}, i64 {end}")

        def element(place: str) -> str:
            return load(write, source, write.add(lane, write.times(place, source.strides[axis])))

        total = Cell(write, e.kind, element(first))
        second = write.add(first, "1")
        with (
            write.when(write.let(f"icmp slt i64 {second}, {end}")),
            write.loop(end, second) as place,
        ):
            word = "fadd reassoc" if dtype.kind == "f" else "add"
            total.set(e(word, total.get(), element(place)))
        return [total.get()], ()

    Elements(write, target.shape, [], [target], [], body, [lined(source, 0), counting])


def _why_not_numbers(equation: Equation) -> str | None:
    dtypes = {atom.type.dtype for atom in (equation.inputs[0], *equation.outputs)}
    if len(dtypes) == 1 and next(iter(dtypes)).kind in "fiu":
        return None
    return f"{equation.primitive.name} of {equation.inputs[0].type}"


def _correlate(emission: Emission, equation: Equation) -> None:
    (x, kernel), (output,) = equation.inputs, equation.outputs
    target = emission.place(output)
    write, dtype = emission.write, target.dtype
    (width,), (length,) = kernel.type.shape, x.type.shape
    beyond = width - 1
    before, after = {
        "valid": (0, 0),
        "same": (beyond - beyond // 2, beyond // 2),
        "full": (beyond, beyond),
    }[equation.params["mode"]]
    if before + after and kernel.type.dtype.kind == "f":  # beyond the ends are no zeros for NumPy
        emission.require_finite(kernel)
    padded = emission.take.take((before + length + after,), dtype)
    fill(write, padded, literal(0, dtype))
    _put(emission, x, _part(emission, padded, [before], (length,)))
    domain = (*target.shape, width)
    windows = padded._replace(shape=domain, strides=(1, 1))
    weights = emission.view(kernel)
    weights = weights._replace(shape=domain, strides=(0, weights.strides[0]))
    e = Expressions(write, dtype)

    def body(numbers: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        factor = converted(write, numbers[1], weights.dtype, dtype)
        word = "fmul contract" if dtype.kind == "f" else "mul"
        return (), [e(word, numbers[0], factor)]

    result = target._replace(shape=(*target.shape, 1), strides=(target.strides[0], 0))
    Elements(
        write, domain, [windows, weights], [], [Fold("sum", dtype, result, frozenset({1}))], body
    )
    emission.take.give_back(padded.slot)


def _require(emission: Emission, equation: Equation) -> None:
    """A value as it is; where a condition does not hold NumPy is to raise the error."""
    x, condition = equation.inputs
    (output,) = equation.outputs
    write = emission.write
    value = emission.value(condition)
    if isinstance(value, str):
        emission.kernel.fail(write.let(f"xor i1 {value}, true"))
    else:

        def body(numbers: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
            emission.kernel.fail(write.let(f"xor i1 {numbers[0]}, true"))
            return (), ()

        Elements(write, value.shape, [value], [], [], body)
    if output.type.shape:
        _put(emission, x, emission.place(output))
    else:
        emission.values[output] = emission.number(x)


def _in_parts(emission: Emission, equation: Equation) -> None:
    """A function with two outputs."""
    primitive = equation.primitive
    assert isinstance(primitive, Elementwise)
    types = [atom.type for atom in equation.inputs]
    wanted = loop_dtypes(primitive, types)
    write = emission.write
    shape = equation.outputs[0].type.shape
    inputs = [emission.view(atom).stretched(shape) for atom in equation.inputs]
    outputs = [emission.place(v) if shape else emission.cell(v) for v in equation.outputs]

    def body(numbers: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        given = [
            converted(write, x, type.dtype, dtype)
            for x, type, dtype in zip(numbers, types, wanted, strict=True)
        ]
        return PARTS[primitive.name](Expressions(write, wanted[0]))(*given), ()

    Elements(write, shape, inputs, outputs, [], body, cost=LINES, memory=emission.take)
    if not shape:
        for variable, view in zip(equation.outputs, outputs, strict=True):
            emission.values[variable] = load(write, view)


def _why_not_parts(equation: Equation) -> str | None:
    primitive = equation.primitive
    assert isinstance(primitive, Elementwise)
    types = [atom.type for atom in equation.inputs]
    wanted = loop_dtypes(primitive, types)
    whole = primitive.name == "divmod" and not any(type.weak for type in types)
    if len(set(wanted)) == 1 and wanted[0].kind in ("iuf" if whole else "f"):
        return None
    return f"there is no machine code for {primitive.name} of {', '.join(map(str, types))}"


def _tiles(emission: Emission, equation: Equation) -> None:
    """A Program for one tile of rows after the other."""
    params, write, take = equation.params, emission.write, emission.take
    totals = params["totals"]
    work = _Tiles(emission, equation)
    targets = [emission.place(v) if v.type.shape else emission.cell(v) for v in equation.outputs]
    if not write.is_worth_threads(math.inf):
        work.clear(targets)
        work.run("0", str(work.count), targets)
    else:
        sizes = [
            math.prod(view.shape) * view.dtype.itemsize
            for view, total in zip(targets, totals, strict=True)
            if total is not None
        ]
        most = min(BLOCKS, max(TOTALS // sum(sizes), 1)) if sizes else work.count
        each = -(-work.count // most)
        count = -(-work.count // each)
        parts = {
            n: take.take((count, *targets[n].shape), targets[n].dtype)
            for n, total in enumerate(totals)
            if total is not None
        }
        with (
            write.task() as task,
            emission.kernel.memory(task.memory) as places,
            write.loop(task.last, task.first) as block,
        ):
            first = write.times(block, each)
            end = write.add(first, str(each))
            last = write.call("llvm.smin.i64", "i64", ("i64", end), ("i64", str(work.count)))
            aims = [
                emission.part(parts[n], block) if n in parts else target
                for n, target in enumerate(targets)
            ]
            work.clear(aims)
            work.run(first, last, aims)
        memory = take.take((places.size,), np.dtype(np.uint8))
        write.divide(task, count, memory.pointer, places.size)
        take.give_back(memory.slot)
        for n, part in parts.items():
            combine(write, totals[n], part, targets[n])
            take.give_back(part.slot)
    for variable, target in zip(equation.outputs, targets, strict=True):
        if not variable.type.shape:
            emission.values[variable] = load(write, target)


class _Tiles:
    """Tiles as they are written, one after the other.

    Attributes:
        count: How many there are. The last one may have rows that the one before has as well;
            both are counted as one.
    """

    def __init__(self, emission: Emission, equation: Equation) -> None:
        self._emission = emission
        self._params = equation.params
        self._given = [emission.value(atom) for atom in equation.inputs]
        self._length, self._size = equation.params["length"], equation.params["size"]
        self.count = self._length // self._size

    def clear(self, targets: Sequence[View]) -> None:
        """Set totals to what changes nothing."""
        for target, total in zip(targets, self._params["totals"], strict=True):
            if total is not None:
                number = literal(neutral(total, target.dtype), target.dtype)
                fill(self._emission.write, target, number)

    def run(self, first: str, last: str, targets: Sequence[View]) -> None:
        """Run the Program for tiles from a first one to that before a last one."""
        emission, params, count, size = self._emission, self._params, self.count, self._size
        write, places = emission.write, emission.kernel.places
        if self._length % size:
            is_last = write.let(f"icmp eq i64 {last}, {count}")
            last = write.let(f"select i1 {is_last}, i64 {count + 1}, i64 {last}")
        mask = places.take((size,), np.dtype(bool)) if params["is_masked"] else None
        if mask is not None:
            fill(write, mask, "true")
        with write.loop(last, first) as number:
            start = write.times(number, size)
            most = str(self._length - size)
            start = write.call("llvm.smin.i64", "i64", ("i64", start), ("i64", most))
            if mask is not None:
                with write.when(write.let(f"icmp eq i64 {number}, {count}")):
                    old = (count + 1) * size - self._length
                    fill(write, mask._replace(shape=(old,)), "false")
            inputs = [
                self._rows(value, start) if is_row and isinstance(value, View) else value
                for value, is_row in zip(self._given, params["rows"], strict=True)
            ]
            aims = [
                self._rows(target, start) if total is None else None
                for target, total in zip(targets, params["totals"], strict=True)
            ]
            if mask is not None:
                inputs.append(mask)
            found = emission.kernel.block(params["program"], inputs, aims)
            for value, target, total in zip(found, targets, params["totals"], strict=True):
                if total is not None:
                    _combine(emission, value, target, total)
        if mask is not None:
            places.give_back(mask.slot)

    def _rows(self, view: View, start: str) -> View:
        moved = self._emission.shifted(view, self._emission.write.times(start, view.strides[0]))
        return moved._replace(shape=(self._size, *view.shape[1:]))


def _combine(emission: Emission, value: Value, target: View, total: str) -> None:
    """Combine what tiles before have made with what one has made."""
    write = emission.write
    reads = [target, value] if isinstance(value, View) else [target]

    def body(x: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        return [combined(write, total, target.dtype, x[0], x[1] if reads[1:] else str(value))], ()

    Elements(write, target.shape, reads, [target], [], body)


ALONE: Alones = {
    "tiles": _tiles,
    "stack": _joined,
    "concatenate": _joined,
    "pad": _pad,
    "roll": _roll,
    "index_update": _index_update,
    "index_add": _index_add,
    "scatter_add": _scatter_add,
    "gather": _gather,
    "contract": _contract,
    "contract_or_zero": _contract_or_zero,
    "zero_contract": _contract_or_zero,
    "from_diagonal": _from_diagonal,
    "sum_of_windows": _sum_of_windows,
    "sum_at": _sum_at,
    "correlate": _correlate,
    "require": _require,
    **dict.fromkeys(PARTS, _in_parts),
    **axes.WRITTEN,
    **matrices.WRITTEN,
}

LIMITS: Limits = {
    **dict.fromkeys(("sum_at", "correlate"), _why_not_numbers),
    **dict.fromkeys(PARTS, _why_not_parts),
    **axes.LIMITS,
    **matrices.LIMITS,
}
"""Why some of them are not written."""
