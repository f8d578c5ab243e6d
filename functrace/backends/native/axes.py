"""What goes along an axis, step by step: sums so far, recurrences, extremes, orders.

All other axes count lanes. Where these lie next to each other, and there are several, the axis is
the outer loop, and what each lane hands on lies in memory; else each lane is a loop of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.backends.native.elements import Elements, Fold, copy
from functrace.backends.native.elementwise import (
    BOOLEAN,
    BOOLEANS,
    REAL,
    WHOLE,
    Expressions,
    converted,
)
from functrace.backends.native.lowering import Alones, Emission, Limits
from functrace.backends.native.memory import Cell, View, load, store
from functrace.backends.native.writing import Writer, register_type, strides_of
from functrace.ir.program import Equation

DType = np.dtype[Any]
Numbers = Sequence[str]

First = Callable[[Numbers, str], tuple[Numbers, Numbers]]
"""Writes the first step: from the numbers there and its place, to those to be written and those
that are handed on."""

Following = Callable[[Numbers, Numbers, str], tuple[Numbers, Numbers]]
"""The same for all later steps, from the numbers there and those that were handed on."""

WIDE = 8
"""So many lanes are computed side by side."""

LONGEST_SORT = 64
"""So many elements are sorted by putting each into its place."""

INDEX = np.dtype(np.int64)


class Sweep:
    """Steps along an axis, in all lanes.

    Args:
        emission: What is written.
        axis: The axis.
        reads: What each step reads, of one shape.
        writes: What each step writes, of this shape.
        carries: The dtypes of what a step hands on.
        reverse: Whether from the last element to the first.
    """

    def __init__(
        self,
        emission: Emission,
        axis: int,
        reads: Sequence[View],
        writes: Sequence[View],
        carries: Sequence[DType],
        first: First,
        following: Following,
        *,
        reverse: bool = False,
    ) -> None:
        self._emission = emission
        self._write = emission.write
        self._axis = axis
        self._reads = reads
        self._writes = writes
        self._carries = carries
        self._first, self._following = first, following
        shape = reads[0].shape
        self._length = shape[axis]
        self._reverse = reverse
        lanes = self._lanes = _without(shape, axis)
        if 0 in shape:
            return
        is_wide = axis < len(shape) - 1 and int(np.prod(lanes)) >= WIDE
        (self._side_by_side if is_wide else self._lane_by_lane)()

    def _steps(self, step: Callable[[str], None]) -> None:
        """The steps after the first one."""
        if self._length == 1:
            return
        with self._write.loop(str(self._length), "1") as number:
            step(self._place(number))

    def _place(self, number: str) -> str:
        if not self._reverse:
            return number
        last = self._length - 1
        if number == "0":
            return str(last)
        return self._write.let(f"sub nsw i64 {last}, {number}")

    def _lane_by_lane(self) -> None:
        write, axis = self._write, self._axis
        cells: list[Cell] = []
        both = [*self._reads, *self._writes]
        count = len(self._reads)

        def one(_: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
            def there(number: int, place: str) -> str:
                view = both[number]
                return write.add(places[number], write.times(place, view.strides[axis]))

            def step(place: str, made: Callable[[Numbers], tuple[Numbers, Numbers]]) -> Numbers:
                numbers = [load(write, v, there(n, place)) for n, v in enumerate(self._reads)]
                written, carried = made(numbers)
                for n, value in enumerate(written):
                    store(write, both[count + n], value, there(count + n, place))
                return carried

            begin = self._place("0")
            carried = step(begin, lambda numbers: self._first(numbers, begin))
            cells[:] = [
                Cell(write, register_type(dtype), value)
                for dtype, value in zip(self._carries, carried, strict=True)
            ]

            def later(place: str) -> None:
                last = [cell.get() for cell in cells]
                made = step(place, lambda numbers: self._following(numbers, last, place))
                for cell, value in zip(cells, made, strict=True):
                    cell.set(value)

            self._steps(later)
            return (), ()

        outer = [
            view._replace(shape=self._lanes, strides=_without(view.strides, axis)) for view in both
        ]
        Elements(write, self._lanes, [], [], [], one, outer)

    def _side_by_side(self) -> None:
        emission, write, axis = self._emission, self._write, self._axis
        held = [emission.take.take(self._lanes, dtype) for dtype in self._carries]
        count = len(self._reads)

        def rows(views: Sequence[View], place: str) -> list[View]:
            return [
                emission.shifted(view, write.times(place, view.strides[axis]))._replace(
                    shape=self._lanes, strides=_without(view.strides, axis)
                )
                for view in views
            ]

        def step(place: str, made: Callable[[Numbers], tuple[Numbers, Numbers]], known: int):
            def body(numbers: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
                written, carried = made(numbers)
                return [*written, *carried], ()

            reads = [*rows(self._reads, place), *held[:known]]
            writes = [*rows(self._writes, place), *held]
            Elements(write, self._lanes, reads, writes, [], body)

        begin = self._place("0")
        step(begin, lambda numbers: self._first(numbers, begin), 0)
        self._steps(
            lambda place: step(
                place,
                lambda numbers: self._following(numbers[:count], numbers[count:], place),
                len(held),
            )
        )
        for view in held:
            emission.take.give_back(view.slot)


def _without(items: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*items[:axis], *items[axis + 1 :])


# Sums, and what any function makes of all elements so far


def _cumulative_sum(emission: Emission, equation: Equation) -> None:
    (x,), (output,) = equation.inputs, equation.outputs
    source, target = emission.view(x), emission.place(output)
    write, dtype = emission.write, output.type.dtype
    e = Expressions(write, dtype)

    def first(numbers: Numbers, place: str) -> tuple[Numbers, Numbers]:
        value = converted(write, numbers[0], source.dtype, dtype)
        return [value], [value]

    def following(numbers: Numbers, last: Numbers, place: str) -> tuple[Numbers, Numbers]:
        value = converted(write, numbers[0], source.dtype, dtype)
        total = e("fadd" if dtype.kind == "f" else "add", last[0], value)
        return [total], [total]

    axis, reverse = equation.params["axis"], equation.params["reverse"]
    Sweep(emission, axis, [source], [target], [dtype], first, following, reverse=reverse)


def _accumulate(emission: Emission, equation: Equation) -> None:
    x, *starts = equation.inputs
    (output,) = equation.outputs
    source, target = emission.view(x), emission.place(output)
    write, dtype, axis = emission.write, output.type.dtype, equation.params["axis"]
    e = Expressions(write, dtype)
    name = _accumulated_name(equation)
    reads = [source]
    carries = [dtype]
    for atom in starts:
        mask = emission.view(atom)
        strides = [0] * len(source.shape)
        strides[axis] = mask.strides[0]
        reads.append(mask._replace(shape=source.shape, strides=tuple(strides)))
        carries.append(BOOLEAN)

    def first(numbers: Numbers, place: str) -> tuple[Numbers, Numbers]:
        return [numbers[0]], [numbers[0], *numbers[1:]]

    def following(numbers: Numbers, last: Numbers, place: str) -> tuple[Numbers, Numbers]:
        if not starts:
            total = e.of(name, last[0], numbers[0])
            return [total], [total]
        before, has_begun = last
        total = e.of(name, before, numbers[0])
        goes_on = write.let(f"xor i1 {numbers[1]}, true")
        total = e.either(e.both(goes_on, has_begun), total, numbers[0])
        return [total], [total, e.any(has_begun, numbers[1])]

    Sweep(emission, axis, reads, [target], carries, first, following)


def _accumulated_name(equation: Equation) -> str:
    return equation.primitive.name.removeprefix("accumulate_")


def _why_not_accumulated(equation: Equation) -> str | None:
    dtype = equation.inputs[0].type.dtype
    name = _accumulated_name(equation)
    table = {"b": BOOLEANS, "f": REAL}.get(dtype.kind, WHOLE)
    is_truth = name.startswith(("logical", "less", "greater", "equal", "not_equal"))
    if name in table and (dtype.kind == "b" or not is_truth):
        return None
    return f"there is no machine code for {equation.primitive.name} of {dtype}"


ACCUMULATED = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "fmax", "fmin", "logaddexp",
    "logaddexp2", "hypot", "arctan2", "copysign", "heaviside", "remainder", "fmod", "power",
    "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "logical_and",
    "logical_or", "logical_xor", "equal", "not_equal", "floor_divide", "gcd", "lcm",
)  # fmt: skip


# Recurrences


def _recurrence(emission: Emission, equation: Equation) -> None:
    factors, terms = equation.inputs
    (output,) = equation.outputs
    target = emission.place(output)
    write, dtype = emission.write, output.type.dtype
    e = Expressions(write, dtype)
    reverse = equation.params["reverse"]

    def given(numbers: Numbers) -> list[str]:
        return [
            converted(write, x, atom.type.dtype, dtype)
            for x, atom in zip(numbers, equation.inputs, strict=True)
        ]

    def first(numbers: Numbers, place: str) -> tuple[Numbers, Numbers]:
        factor, term = given(numbers)
        return [term], [term, factor]

    def following(numbers: Numbers, last: Numbers, place: str) -> tuple[Numbers, Numbers]:
        own, term = given(numbers)
        before, carried = last
        # Backwards the factor is the one that was met before.
        product = e.of("zero_product", carried if reverse else own, before)
        total = e("fadd", term, product)
        return [total], [total, own]

    reads = [emission.view(factors), emission.view(terms)]
    Sweep(
        emission,
        equation.params["axis"],
        reads,
        [target],
        [dtype, dtype],
        first,
        following,
        reverse=reverse,
    )


def _extreme_pullback(emission: Emission, equation: Equation) -> None:
    """The pullback of extremes so far; all elements that are the extreme share equally."""
    cotangent, x, extremes = map(emission.view, equation.inputs)
    (output,) = equation.outputs
    target = emission.place(output)
    write, dtype, axis = emission.write, output.type.dtype, equation.params["axis"]
    e = Expressions(write, dtype)
    shares = emission.take.take(x.shape, dtype)
    factors = emission.take.take(x.shape, dtype)
    zero, one = e.number(0), e.number(1)

    def same(a: str, b: str) -> str:
        equal = write.let(f"fcmp oeq {e.kind} {a}, {b}")
        a_nan, b_nan = (write.let(f"fcmp uno {e.kind} {v}, {zero}") for v in (a, b))
        return e.any(equal, e.both(a_nan, b_nan))

    def first(numbers: Numbers, place: str) -> tuple[Numbers, Numbers]:
        return [one, zero], [numbers[1], one]

    def following(numbers: Numbers, last: Numbers, place: str) -> tuple[Numbers, Numbers]:
        value, extreme = numbers
        before, count = last
        wins = same(value, extreme)
        is_old = same(before, extreme)
        more = e("fadd", count, e.either(wins, one, zero))
        count = e.either(is_old, more, one)
        share = e("fdiv", one, count)
        factor = e.either(wins, e("fsub", one, share), one)
        factor = e.either(is_old, factor, zero)
        return [e.either(wins, share, zero), factor], [extreme, count]

    Sweep(emission, axis, [x, extremes], [shares, factors], [dtype, dtype], first, following)

    def pulled(total: str, share: str) -> str:
        loses = write.let(f"fcmp oeq {e.kind} {share}, {zero}")
        return e.either(loses, zero, e("fmul", total, share))

    def last_first(numbers: Numbers, place: str) -> tuple[Numbers, Numbers]:
        total, share, factor = numbers
        return [pulled(total, share)], [total, factor]

    def before(numbers: Numbers, last: Numbers, place: str) -> tuple[Numbers, Numbers]:
        term, share, factor = numbers
        total = e("fadd", term, e.of("zero_product", last[1], last[0]))
        return [pulled(total, share)], [total, factor]

    reads = [cotangent, shares, factors]
    Sweep(emission, axis, reads, [target], [dtype, dtype], last_first, before, reverse=True)
    for view in (shares, factors):
        emission.take.give_back(view.slot)


def _why_not_alike(equation: Equation) -> str | None:
    dtypes = {atom.type.dtype for atom in (*equation.inputs, *equation.outputs)}
    if len(dtypes) == 1 and all(dtype.kind == "f" for dtype in dtypes):
        return None
    return f"{equation.primitive.name} of {', '.join(map(str, dtypes))}"


# Places of extremes


def _argument_of_extreme(emission: Emission, equation: Equation) -> None:
    (x,), (output,) = equation.inputs, equation.outputs
    write = emission.write
    axes = equation.params["axes"]
    source = emission.view(x)
    apart: View | None = None
    if axes is None:
        if not source.is_contiguous:
            apart = emission.take.take(source.shape, source.dtype)
            copy(write, source, apart)
            source = apart
        source = source._replace(shape=(x.type.size,), strides=(1,))
    axis = 0 if axes is None else axes[0] % len(source.shape)
    target = emission.place(output) if output.type.shape else emission.cell(output)
    name = "max" if equation.primitive.name == "argmax" else "min"
    shape, dtype = source.shape, source.dtype
    lanes = _without(shape, axis)
    extremes = emission.take.take(lanes, dtype)
    e = Expressions(write, dtype)
    along = [0] * len(shape)
    along[axis] = 1
    counting = source._replace(strides=tuple(along))

    def beside(view: View) -> View:
        """What there is for each lane, with the axis."""
        steps = strides_of(lanes)
        strides = (*steps[:axis], 0, *steps[axis:])
        return view._replace(shape=(*shape[:axis], 1, *shape[axis + 1 :]), strides=strides)

    def place(numbers: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        x, extreme = numbers
        if dtype.kind == "f":
            is_nan = write.let(f"fcmp uno {e.kind} {x}, {x}")
            wins = e.any(is_nan, write.let(f"fcmp oeq {e.kind} {x}, {extreme}"))
        else:
            wins = write.let(f"icmp eq {e.kind} {x}, {extreme}")
        return (), [write.let(f"select i1 {wins}, i64 {places[0]}, i64 {shape[axis]}")]

    reduced = frozenset({axis})
    fold = Fold(name, dtype, beside(extremes), reduced)
    Elements(write, shape, [source], [], [fold], lambda x, _: ((), x))
    fold = Fold("min", INDEX, beside(target), reduced)
    reads = [source, beside(extremes).stretched(shape)]
    Elements(write, shape, reads, [], [fold], place, [counting])
    emission.take.give_back(extremes.slot)
    if apart is not None:
        emission.take.give_back(apart.slot)
    if not output.type.shape:
        emission.values[output] = load(write, target)


# Orders


def _before(write: Writer, dtype: DType, x: str, y: str) -> str:
    """Whether a number comes before another one: nan is the largest of all."""
    e = Expressions(write, dtype)
    if dtype.kind != "f":
        return write.let(f"icmp {'s' if dtype.kind == 'i' else 'u'}lt {e.kind} {x}, {y}")
    less = write.let(f"fcmp olt {e.kind} {x}, {y}")
    is_number = write.let(f"fcmp ord {e.kind} {x}, {x}")
    is_nan = write.let(f"fcmp uno {e.kind} {y}, {y}")
    return e.any(less, e.both(is_number, is_nan))


def _argsort(emission: Emission, equation: Equation) -> None:
    (x,), (output,) = equation.inputs, equation.outputs
    source, target = emission.view(x), emission.place(output)
    write, axis = emission.write, equation.params["axis"]
    length = source.shape[axis]
    kind = equation.params["kind"]
    is_stable = isinstance(kind, str) and kind[:1].lower() in ("s", "m")
    lanes = _without(source.shape, axis)

    def lane(_: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        def element(number: str) -> str:
            return load(
                write, source, write.add(places[0], write.times(number, source.strides[axis]))
            )

        def spot(number: str) -> str:
            return write.add(places[1], write.times(number, target.strides[axis]))

        store(write, target, "0", spot("0"))
        if length == 1:
            return (), ()
        place = Cell(write, "i64", "0")
        with write.loop(str(length), "1") as number:
            own = element(number)
            place.set(number)
            head, test, inside, after = (write.label() for _ in range(4))
            write.jump(head)
            write.begin(head)
            here = place.get()
            write.line(
                f"br i1 {write.let(f'icmp sgt i64 {here}, 0')}, label %{test}, label %{after}"
            )
            write.begin(test)
            lower = write.let(f"sub nsw i64 {here}, 1")
            other = load(write, target, spot(lower))
            is_before = _before(write, source.dtype, own, element(other))
            write.line(f"br i1 {is_before}, label %{inside}, label %{after}")
            write.begin(inside)
            store(write, target, other, spot(here))
            place.set(lower)
            write.jump(head)
            write.begin(after)
            store(write, target, number, spot(place.get()))
        if not is_stable:
            # NumPy's own order of equal elements is anything.
            with write.loop(str(length), "1") as number:
                lower = write.let(f"sub nsw i64 {number}, 1")
                pair = [element(load(write, target, spot(n))) for n in (lower, number)]
                is_before = _before(write, source.dtype, *pair)
                emission.kernel.fail(write.let(f"xor i1 {is_before}, true"))
        return (), ()

    if 0 in source.shape:
        return
    outer = [
        view._replace(shape=lanes, strides=_without(view.strides, axis))
        for view in (source, target)
    ]
    Elements(write, lanes, [], [], [], lane, outer)


def _why_not_sorted(equation: Equation) -> str | None:
    length = equation.inputs[0].type.shape[equation.params["axis"]]
    return f"argsort of {length} elements is NumPy's" if length > LONGEST_SORT else None


def _search_sorted(emission: Emission, equation: Equation) -> None:
    (a, v), (output,) = equation.inputs, equation.outputs
    write = emission.write
    source, values = emission.view(a), emission.view(v)
    dtype = np.result_type(source.dtype, values.dtype)
    target = emission.place(output) if output.type.shape else emission.cell(output)
    (length,) = source.shape
    is_left = equation.params["side"] == "left"

    def body(numbers: list[str], _: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        value = converted(write, numbers[0], values.dtype, dtype)
        low, high = "0", str(length)
        for _step in range(length.bit_length()):
            middle = write.let(f"lshr i64 {write.let(f'add i64 {low}, {high}')}, 1")
            is_open = write.let(f"icmp ult i64 {low}, {high}")
            safe = write.let(f"select i1 {is_open}, i64 {middle}, i64 0")
            found = load(write, source, write.times(safe, source.strides[0]))
            found = converted(write, found, source.dtype, dtype)
            if is_left:
                is_below = _before(write, dtype, found, value)
            else:
                is_below = write.let(f"xor i1 {_before(write, dtype, value, found)}, true")
            goes_up = write.let(f"and i1 {is_open}, {is_below}")
            goes_down = write.let(f"xor i1 {goes_up}, true")
            goes_down = write.let(f"and i1 {is_open}, {goes_down}")
            after = write.let(f"add i64 {middle}, 1")
            low = write.let(f"select i1 {goes_up}, i64 {after}, i64 {low}")
            high = write.let(f"select i1 {goes_down}, i64 {middle}, i64 {high}")
        return [low], ()

    Elements(write, values.shape, [values], [target], [], body)
    if not output.type.shape:
        emission.values[output] = load(write, target)


def _why_not_searched(equation: Equation) -> str | None:
    a, v = (atom.type for atom in equation.inputs)
    dtype = np.result_type(a.dtype, v.dtype)
    if dtype in (a.dtype, v.dtype) and (dtype.kind != "b") and a.dtype.kind == v.dtype.kind:
        return None
    return f"searchsorted of {v} in {a}"


WRITTEN: Alones = {
    "cumsum": _cumulative_sum,
    "recurrence": _recurrence,
    "extreme_pullback": _extreme_pullback,
    "argmax": _argument_of_extreme,
    "argmin": _argument_of_extreme,
    "argsort": _argsort,
    "searchsorted": _search_sorted,
    **{f"accumulate_{name}": _accumulate for name in ACCUMULATED},
}
"""What writes each operation."""

LIMITS: Limits = {
    "recurrence": _why_not_alike,
    "extreme_pullback": _why_not_alike,
    "argsort": _why_not_sorted,
    "searchsorted": _why_not_searched,
    **{f"accumulate_{name}": _why_not_accumulated for name in ACCUMULATED},
}
"""Why some are not written."""
