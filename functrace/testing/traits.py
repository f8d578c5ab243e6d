"""Checks of what a primitive says of itself: its traits, against what it does."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from functrace.errors import MissingRuleError
from functrace.ir.primitive import Primitive
from functrace.ir.types import type_of
from functrace.testing.comparing import fail, nearly_identical, shown, tolerances
from functrace.tracing.layouts import order_of
from functrace.tracing.program_recording import ProgramRecording

HOSTILE = {
    "f": (0.0, -0.0, -1.0, 2.5, 1e30, np.inf, -np.inf, np.nan),
    "i": (0, 1, -1, 63, -128),
    "u": (0, 1, 255),
    "b": (True, False),
}
"""By kinds of dtypes, what is put into inputs to see whether anything fails."""

FINITE = (0.0, -0.0, 1.0, -1.0, 2.5)
"""As much to see whether NumPy warns."""


def check_traits(primitive: Primitive, inputs: Sequence[Any], params: Mapping[str, Any]) -> None:
    """Check each trait that a primitive states, as far as it shows at these inputs.

    Args:
        primitive: The primitive.
        inputs: Arrays or scalars.
        params: The primitive's parameters.

    Raises:
        AssertionError: It does something else; the message says of which trait.
    """
    checker = _TraitChecker(primitive, inputs, params)
    for trait, check in _CHECKS.items():
        if getattr(primitive, trait):
            checker.trait = trait
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(checker)
    if not primitive.warns:
        checker.trait = "warns"
        checker.check_no_warnings()
    if not primitive.multiple_outputs:
        checker.trait = "order_of_axes"
        checker.check_order()
    if primitive.is_simple:
        checker.trait = "read_back"
        checker.check_read_back()


class _TraitChecker:
    """One primitive at certain inputs; each method is the check of one trait."""

    def __init__(
        self, primitive: Primitive, inputs: Sequence[Any], params: Mapping[str, Any]
    ) -> None:
        self.primitive = primitive
        self.inputs = list(inputs)
        self.params = dict(params)
        self.types = [type_of(x) for x in inputs]
        self.outputs = self.run(*inputs)
        self.trait = ""

    def run(self, *inputs: Any) -> list[Any]:
        """The outputs."""
        output = self.primitive.run(*inputs, **self.params)
        return list(output) if self.primitive.multiple_outputs else [output]

    def require(self, holds: bool, what: str, **details: Any) -> None:
        """Fail unless what a trait says holds."""
        if not holds:
            given = {f"input {number}": shown(x) for number, x in enumerate(self.inputs)}
            fail(
                f"{self.primitive.name} says {self.trait!r}, but {what}.",
                **given, **{name: shown(x) for name, x in details.items()},
            )  # fmt: skip

    def require_near(self, found: Sequence[Any], expected: Sequence[Any], what: str) -> None:
        for x, y in zip(found, expected, strict=True):
            self.require(nearly_identical(x, y), what, found=x, expected=y)

    # What it computes

    def check_commutes(self) -> None:
        x, y = self.inputs
        (found,), (expected,) = self.run(y, x), self.outputs
        is_complex = type_of(expected).dtype.kind == "c"
        same = nearly_identical if is_complex else _same_bits
        self.require(same(found, expected), "f(y, x) is not f(x, y)", found=found)

    def check_elementwise(self) -> None:
        shape = np.shape(self.outputs[0])
        inputs = [np.broadcast_to(x, shape) if shape else x for x in self.inputs]
        if not shape:
            return
        part = tuple(slice(number % 2, None, 2) for number in range(len(shape)))
        found = self.run(*(np.array(x[part]) for x in inputs))
        expected = [output[part] for output in self.outputs]
        self.require_near(found, expected, "a part of the output is no function of that part")
        if 0 not in shape and not self.primitive.differs_for_scalars:
            first = (0,) * len(shape)
            found = self.run(*(x[first] for x in inputs))
            expected = [output[first] for output in self.outputs]
            self.require_near(found, expected, "of scalars it computes something else")

    def check_keeps_values(self) -> None:
        self.require(
            bool(np.array_equal(self.outputs[0], self.inputs[0], equal_nan=True)),
            "the output has other values",
        )

    def check_plain(self) -> None:
        plain = self.primitive.plain
        assert plain is not None
        if all(np.isfinite(x).all() for x in (*self.inputs, *self.outputs)):
            found = plain.run(*self.inputs, **self.params)
            self.require_near([found], self.outputs, f"{plain.name} computes something else")

    def check_product(self) -> None:
        product = self.primitive.product
        assert product is not None
        x, y = self.inputs
        if type_of(y).is_inexact:
            found = product.run(x, 1 / y, **self.params)
            rtol, atol = tolerances(self.types, None, None)
            is_same = np.allclose(found, self.outputs[0], rtol, atol, equal_nan=True)
            self.require(is_same, f"{product.name} by 1 / y is something else", found=found)

    def check_linear(self) -> None:
        self.require_linear(self.primitive.linear_inputs(len(self.inputs)))

    def check_bilinear(self) -> None:
        self.require_linear([0])
        self.require_linear([1])

    def require_linear(self, numbers: Sequence[int]) -> None:
        """Require that f(2 x - x') is 2 f(x) - f(x'), for other values of some inputs."""
        if not all(self.types[number].is_inexact for number in numbers):
            return
        second, both = list(self.inputs), list(self.inputs)
        for number in numbers:
            x = self.inputs[number]
            second[number] = np.asarray(np.roll(x, 1) * 0.5, type_of(x).dtype)[()]
            both[number] = np.asarray(2 * x - second[number], type_of(x).dtype)[()]
        rtol, atol = tolerances([*self.types, *map(type_of, self.outputs)], None, None)
        for whole, x, y in zip(self.run(*both), self.outputs, self.run(*second), strict=True):
            is_linear = np.allclose(whole, 2 * x - y, rtol, atol)
            if type_of(whole).is_inexact:
                self.require(is_linear, f"it is not linear in inputs {[*numbers]}", found=whole)

    def check_keeps_nan(self) -> None:
        """Put nan, and then other numbers, in place of one element."""
        keeps = self.primitive.keeps_nan
        for number, x in enumerate(self.inputs):
            is_kept = keeps if isinstance(keeps, bool) else keeps[number]
            if not is_kept or not self.types[number].is_inexact or not np.size(x):
                continue
            nan, *others = [
                self.run(*self.inputs[:number], given, *self.inputs[number + 1 :])
                for given in _with_one_element(x, (np.nan, 0.0, -1.5, 3.0, 1e30, -np.inf, np.inf))
            ]
            for other in others:
                for y, z in zip(nan, other, strict=True):
                    for part in (np.real, np.imag):
                        is_nan = np.isnan(part(y))
                        same = np.equal(part(y), part(z)) | is_nan
                        self.require(bool(np.all(same)), f"nan in input {number} is lost", nan=y)

    # When it fails, and what it says

    def check_total(self) -> None:
        if not self.primitive.is_total_for(self.types, self.params):
            return
        for given in self.hostile(HOSTILE):
            try:
                self.run(*given)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is a failure)
                self.require(False, f"it raises {type(error).__name__}: {error}", given=given)

    def check_no_warnings(self) -> None:
        finite = {"f": FINITE, "i": (0, 1, -1), "u": (0, 1), "b": (True, False)}
        for given in self.hostile(finite):
            with np.errstate(all="ignore", divide="raise", invalid="raise"):
                try:
                    self.run(*given)
                except FloatingPointError as error:
                    self.require(False, f"NumPy warns: {error}", given=given)
                except Exception:  # noqa: BLE001, S110  (that is another trait)
                    pass

    def hostile(self, numbers: Mapping[str, Sequence[Any]]) -> Iterator[list[Any]]:
        """Inputs with such numbers among their elements; Python's stay what they are."""
        rng = np.random.default_rng(0)
        for _ in range(4):
            given: list[Any] = []
            for x, type in zip(self.inputs, self.types, strict=True):
                if type.weak:
                    given.append(x)
                    continue
                kind = "f" if type.dtype.kind == "c" else type.dtype.kind
                chosen = rng.choice(np.array(numbers[kind]), type.shape)
                if type.dtype.kind == "c":
                    chosen = chosen + 1j * rng.choice(np.array(numbers[kind]), type.shape)
                given.append(np.asarray(chosen).astype(type.dtype)[()])
            yield given

    # Memory

    def arrays(self, values: Sequence[Any]) -> list[np.ndarray]:
        """The arrays among values."""
        return [x for x in values if isinstance(x, np.ndarray)]

    def check_fresh(self) -> None:
        again = self.run(*self.inputs)
        for output in self.arrays(self.outputs):
            others = (*self.arrays(self.inputs), *self.arrays(again))
            shares = any(np.shares_memory(output, other) for other in others)
            self.require(not shares, "an output is an input, or is kept")
            self.require(output.flags.writeable, "an output cannot be written")

    def check_bounded(self) -> None:
        for number in (np.inf, -np.inf):
            given = [np.full(type.shape, number, type.dtype) for type in self.types]
            if any(type.dtype.kind != "f" for type in self.types):
                return
            for output in self.run(*given):
                is_finite = bool(np.isfinite(output).all())
                self.require(is_finite, f"of {number} it is infinite or nan", found=output)

    def check_out(self) -> None:
        """Compute into arrays that hold something else."""
        if not all(np.shape(output) for output in self.outputs):
            return
        given = [np.ones_like(output) for output in self.outputs]
        primitive = self.primitive
        out = tuple(given) if primitive.multiple_outputs else given[0]
        found = primitive.run(*self.inputs, **self.params, out=out)
        found = list(found) if primitive.multiple_outputs else [found]
        is_same = len(found) == len(given) and all(map(operator.is_, found, given))
        self.require(is_same, "it returns other arrays than it is given")
        self.require_near(found, self.outputs, "into given arrays it computes something else")

    def check_views(self) -> None:
        base = self.inputs[0]
        for output in self.arrays(self.outputs):
            if isinstance(base, np.ndarray) and base.dtype == output.dtype and output.size:
                self.require(
                    np.shares_memory(output, base), "an output has memory of its own", output=output
                )

    def check_order(self) -> None:
        """In row-major order, and in the reverse."""
        for lying in (np.ascontiguousarray, np.asfortranarray):
            given = [lying(x) if np.ndim(x) > 1 else x for x in self.inputs]
            orders = [order_of(np.asarray(x)) for x in given]
            with np.errstate(all="ignore"):
                (output,) = self.run(*given)
            if not isinstance(output, np.ndarray) or not output.size or 1 in output.shape:
                continue  # steps along an axis of one element say nothing
            params = self.params
            order = self.primitive.order_of_axes(orders, self.types, output.ndim, params)
            is_so = order is None or order == order_of(output)
            self.require(is_so, "in memory the axes lie otherwise", order=order)

    def check_arrays(self) -> None:
        for output in self.outputs:
            self.require(isinstance(output, np.ndarray), "it is a scalar")

    def check_scalars(self) -> None:
        for output in self.run(*map(np.asarray, self.inputs)):
            is_array = isinstance(output, np.ndarray) and not output.shape
            self.require(not is_array, "an array without axes is made")

    # On the way back

    def pulled_back(
        self, numbers: Sequence[int], inputs: Sequence[Any], output: Any, *, over: bool = False
    ) -> list[Any]:
        """The cotangents of inputs of these numbers; none where the rule is made of another one."""
        needed = [n if n in numbers else None for n in range(len(inputs))]
        given = np.full(np.shape(output), 1.5, type_of(output).dtype)
        apply = self.primitive.vjp_over if over else self.primitive.vjp
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                parts = apply(given if given.shape else given[()], inputs, output, needed,
                              **self.params)  # fmt: skip
            except (MissingRuleError, AttributeError):  # an order, say, has no derivative
                return []
        return [parts[number] for number in numbers if parts[number] is not None]

    def needed_together(self) -> Iterator[list[int]]:
        """The inputs that have derivatives: each alone, and all."""
        active = [number for number, type in enumerate(self.types) if type.is_inexact]
        yield from ([number] for number in active)
        if len(active) > 1:
            yield active

    def check_read_back(self) -> None:
        """Put nan in place of what is said not to be read."""
        (output,) = self.outputs
        if not type_of(output).is_inexact:
            return
        for numbers in self.needed_together():
            needed = tuple(number in numbers for number in range(len(self.inputs)))
            reads, reads_output = self.primitive.read_back(needed)
            expected = self.pulled_back(numbers, self.inputs, output)
            inputs = [x if on else _unread(x) for x, on in zip(self.inputs, reads, strict=True)]
            found = self.pulled_back(numbers, inputs, output if reads_output else _unread(output))
            what = f"the vjp rule for inputs {numbers} reads more than {(reads, reads_output)}"
            self.require(len(found) == len(expected), what)
            self.require_near(found, expected, what)

    def check_over(self) -> None:
        (output,) = self.outputs
        if self.params or not isinstance(output, np.ndarray) or not type_of(output).is_inexact:
            return
        for numbers in self.needed_together():
            expected = self.pulled_back(numbers, self.inputs, output)
            found = self.pulled_back(numbers, self.inputs, output, over=True)
            self.require_near(found, expected, f"for inputs {numbers} it gives something else")

    # Batches

    def check_at_once(self) -> None:
        if not self.inputs or any(type.weak for type in self.types):
            return
        few, more = (len(self.batched(size).equations) for size in (3, 7))
        self.require(few == more, f"its batch rule takes {few} operations for 3, and {more} for 7")

    def batched(self, size: int) -> Any:
        """The Program of the batch rule for so many examples."""
        with ProgramRecording() as recording:
            given = [
                recording.input(type._replace(shape=(size, *type.shape))) for type in self.types
            ]
            output, _ = self.primitive.batch(size, given, [0] * len(given), **self.params)
            return recording.program(output if self.primitive.multiple_outputs else [output])


_CHECKS: dict[str, Callable[[_TraitChecker], None]] = {
    "commutes": _TraitChecker.check_commutes,
    "is_elementwise": _TraitChecker.check_elementwise,
    "keeps_values": _TraitChecker.check_keeps_values,
    "plain": _TraitChecker.check_plain,
    "product": _TraitChecker.check_product,
    "linear_in": _TraitChecker.check_linear,
    "is_bilinear": _TraitChecker.check_bilinear,
    "keeps_nan": _TraitChecker.check_keeps_nan,
    "is_total": _TraitChecker.check_total,
    "is_fresh": _TraitChecker.check_fresh,
    "is_bounded": _TraitChecker.check_bounded,
    "takes_out": _TraitChecker.check_out,
    "makes_views": _TraitChecker.check_views,
    "makes_arrays": _TraitChecker.check_arrays,
    "makes_scalars": _TraitChecker.check_scalars,
    "may_write_over": _TraitChecker.check_over,
    "batches_at_once": _TraitChecker.check_at_once,
}


def _unread(x: Any) -> Any:
    """An array of the same type whose elements are nan; numbers and integers as they are."""
    is_array = isinstance(x, np.ndarray) and x.dtype.kind in "fc"
    return np.full_like(x, np.nan) if is_array else x


def _same_bits(x: Any, y: Any) -> bool:
    """Whether arrays are the same to the bit, but for the sign and the payload of a nan."""
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    if x.dtype.kind not in "fc":
        return bool(np.array_equal(x, y))
    if x.dtype.kind == "c":
        return _same_bits(x.real, y.real) and _same_bits(x.imag, y.imag)
    same = (x == y) & (np.signbit(x) == np.signbit(y))
    return bool(np.all(same | (np.isnan(x) & np.isnan(y))))


def _with_one_element(x: Any, numbers: Sequence[float]) -> Iterator[Any]:
    """Copies of an input, with one of these numbers in the middle."""
    for number in numbers:
        given = np.array(x)
        given[np.unravel_index(given.size // 2, given.shape)] = number
        yield given if isinstance(x, np.ndarray) else given[()]
