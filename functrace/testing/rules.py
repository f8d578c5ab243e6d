"""Checks of all rules of a primitive against each other and against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NoReturn

import numpy as np

from functrace.backends.numpy_source import Written
from functrace.errors import MissingRuleError, NonlinearRuleError
from functrace.ir.checking import check
from functrace.ir.parsing import parse
from functrace.ir.primitive import Primitive, all_primitives
from functrace.ir.program import Program, to_text
from functrace.ir.types import type_of
from functrace.testing.comparing import (
    agree,
    fail,
    identical,
    nearly_identical,
    pairing,
    random,
    shown,
    tolerances,
)
from functrace.testing.derivatives import check_grads
from functrace.testing.numerical import numerical_jvp
from functrace.testing.traits import check_traits
from functrace.tracebacks import boundary
from functrace.tracing.tracer import bind
from functrace.transforms.evaluate import evaluate, make_ir
from functrace.transforms.transpose import jvp_of, vjp_of

CHECKS = (
    "run", "traits", "infer", "record", "text", "source", "jvp", "vjp", "transpose",
    "second order", "batch",
)  # fmt: skip
"""What `check_rules` checks:

- run: the inputs are not written, and the output is no view of them (but for ``makes_views``);
- traits: what the primitive says of itself, such as ``commutes``, at these inputs and others;
- infer: shape, dtype and weakness of the output;
- record: the recorded Program passes the checker and evaluates to the same;
- text: that Program, printed and parsed, prints the same and evaluates to the same;
- source: what it is compiled to gives the same, writes no input but those that it may, and
  returns memory of its own;
- jvp: forward mode against finite differences, one input at a time and all together;
- vjp: reverse mode against finite differences, and the types of the cotangents;
- transpose: the two modes against each other;
- second order: the derivative of the derivative against finite differences;
- batch: against a loop, for every choice of batch axes.
"""


@boundary
def check_primitive(primitive: Primitive | str, *inputs: Any, **params: Any) -> dict[str, str]:
    """Check every rule that a primitive has: against NumPy, finite differences, and each other.

    Args:
        primitive: The primitive, or its name.
        inputs: Arrays or scalars, away from kinks and jumps of the function.
        params: The primitive's parameters.

    Of a primitive with one derivative rule the other one, which is its transpose, is checked too.

    Returns:
        For each of `CHECKS` the word "passed", or why there was nothing to check: a primitive may
        have no derivative rule, or one that cannot be transposed.

    Raises:
        AssertionError: Rules disagree; the message says which, where and by how much.

    Example:
        >>> import numpy as np
        >>> report = check_primitive("sin", np.array([0.1, 0.7]))
        >>> report["batch"]
        'passed'
    """
    return check_rules(primitive, inputs, params)


def check_rules(
    primitive: Primitive | str,
    inputs: Sequence[Any],
    params: Mapping[str, Any] | None = None,
    *,
    argnums: Sequence[int] | None = None,
    order: int = 2,
    examples: Sequence[Sequence[Any]] | None = None,
    skip: Mapping[str, str] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
) -> dict[str, str]:
    """Do what `check_primitive` does, with options.

    Args:
        primitive: The primitive, or its name.
        inputs: Arrays or scalars.
        params: The primitive's parameters.
        argnums: The inputs to differentiate; by default all floating and complex ones.
        order: Up to which order derivatives are checked.
        examples: Lists of inputs like ``inputs`` to make a batch of; by default variations.
        skip: The reason for each of `CHECKS` that is to be left out.
        atol: The absolute tolerance of derivatives.
        rtol: The relative tolerance of derivatives.

    Returns:
        For each of `CHECKS` "passed", or the reason why not.

    Raises:
        AssertionError: Rules disagree.

    Example:
        >>> import numpy as np
        >>> report = check_rules("sin", [np.array([0.1, 0.7])], order=1, skip={"batch": "no need"})
        >>> report["batch"], report["jvp"]
        ('skipped: no need', 'passed')
    """
    primitive = all_primitives()[primitive] if isinstance(primitive, str) else primitive
    checker = _RuleChecker(primitive, inputs, params or {}, argnums, order, examples, atol, rtol)
    report: dict[str, str] = {}
    for name in CHECKS:
        if skip and name in skip:
            report[name] = f"skipped: {skip[name]}"
            continue
        try:
            report[name] = getattr(checker, f"check_{name.replace(' ', '_')}")() or "passed"
        except (MissingRuleError, NonlinearRuleError) as error:
            report[name] = error.what
        except Exception as error:
            error.add_note(f"while checking {checker.title(name)}")
            raise
        checker.require_unchanged_inputs(name)
    return report


class _RuleChecker:
    """One primitive at certain inputs; each method is one of `CHECKS`."""

    def __init__(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        params: Mapping[str, Any],
        argnums: Sequence[int] | None,
        order: int,
        examples: Sequence[Sequence[Any]] | None,
        atol: float | None,
        rtol: float | None,
    ) -> None:
        self.primitive = primitive
        self.inputs = list(inputs)
        self.params = dict(params)
        self.order = order
        self.types = [type_of(x) for x in inputs]
        self.argnums = [
            number
            for number, type in enumerate(self.types)
            if type.is_inexact and (argnums is None or number in argnums)
        ]
        self.examples = [list(example) for example in examples or _variations(self.inputs)]
        self.originals = [np.array(x) for x in inputs]
        self.output = primitive.run(*self.inputs, **self.params)
        self.outputs = self.as_tuple(self.output)
        self.output_types = [type_of(y) for y in self.outputs]
        self.rtol, self.atol = tolerances([*self.types, *self.output_types], rtol, atol)
        rng = np.random.default_rng(0)
        self.tangents = [
            random(rng, type) if number in self.argnums else None
            for number, type in enumerate(self.types)
        ]
        self.cotangents = [random(rng, t) if t.is_inexact else None for t in self.output_types]
        self._slopes: list[Any] | None = None

    # Helpers

    def title(self, check: str) -> str:
        types = ", ".join(map(str, self.types))
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"{check!r} of {self.primitive.name}({types}{params})"

    def fail(self, check: str, what: str, **details: str) -> NoReturn:
        details = {f"input {n}": shown(x) for n, x in enumerate(self.inputs)} | details
        fail(f"{self.title(check)}: {what}", **details)

    def as_tuple(self, output: Any) -> tuple[Any, ...]:
        return tuple(output) if self.primitive.multiple_outputs else (output,)

    def as_output(self, outputs: Sequence[Any]) -> Any:
        return tuple(outputs) if self.primitive.multiple_outputs else outputs[0]

    def require_unchanged_inputs(self, check: str) -> None:
        for number, (x, original) in enumerate(zip(self.inputs, self.originals, strict=True)):
            if not identical(np.asarray(x), original):
                self.fail(check, f"input {number} was written.", before=shown(original))

    def require_same(
        self, check: str, what: str, found: Sequence[Any], same: Callable[[Any, Any], bool]
    ) -> None:
        """Require values that are the same as the outputs of ``run``."""
        for number, (y, expected) in enumerate(zip(found, self.outputs, strict=True)):
            if type_of(y)[:2] != type_of(expected)[:2] or not same(y, expected):
                self.fail(
                    check,
                    f"output {number} {what} differs from run.",
                    found=f"{type_of(y)} {shown(y)}",
                    run=f"{type_of(expected)} {shown(expected)}",
                )

    def derivative_is_checked(self) -> bool:
        return bool(self.argnums) and any(type.is_inexact for type in self.output_types)

    def slopes(self) -> list[Any]:
        """For each input the numerical tangents of the outputs along the input's tangent."""
        if self._slopes is None:
            self._slopes = []
            for number, tangent in enumerate(self.tangents):
                alone: list[Any] = [None] * len(self.inputs)
                alone[number] = tangent
                result = None
                if tangent is not None:
                    result = numerical_jvp(
                        lambda *xs: self.as_tuple(self.primitive.run(*xs, **self.params)),
                        self.inputs,
                        alone,
                    )
                self._slopes.append(result)
        return self._slopes

    # The checks

    def check_run(self) -> None:
        for number, y in enumerate(self.outputs):
            for position, x in enumerate(self.inputs):
                shares = isinstance(y, np.ndarray) and np.shares_memory(y, x)
                if shares and not (self.primitive.makes_views and position == 0):
                    self.fail("run", f"output {number} is a view of input {position}.")

    def check_traits(self) -> None:
        check_traits(self.primitive, self.inputs, self.params)

    def check_infer(self) -> None:
        inferred = self.as_tuple(self.primitive.infer(*self.types, **self.params))
        if list(inferred) != self.output_types:
            self.fail(
                "infer",
                "the types differ from those of run.",
                inferred=", ".join(map(str, inferred)),
                run=", ".join(map(str, self.output_types)),
            )

    def apply(self, *inputs: Any) -> list[Any]:
        return list(self.as_tuple(bind(self.primitive, *inputs, **self.params)))

    def check_record(self) -> None:
        program = check(make_ir(self.apply)(*self.inputs))
        if [atom.type for atom in program.outputs] != self.output_types:
            self.fail("record", "the recorded Program has outputs of other types.")
        self.require_same(
            "record", "evaluated from the Program", evaluate(program, *self.inputs), identical
        )

    def check_text(self) -> None:
        self.read_back(make_ir(self.apply)(*self.inputs), self.inputs)
        if len(self.inputs) > 1:  # the others as constants, printed in full
            first, *rest = self.inputs
            self.read_back(make_ir(lambda x: self.apply(x, *rest))(first), [first])

    def read_back(self, program: Program, inputs: Sequence[Any]) -> None:
        text = to_text(program, sources=False, elide=False)
        parsed = check(parse(text))
        if (again := to_text(parsed, sources=False, elide=False)) != text:
            self.fail("text", "the parsed Program prints differently.", first=text, again=again)
        self.require_same("text", "evaluated from the text", evaluate(parsed, *inputs), identical)

    def check_source(self) -> None:
        program = make_ir(self.apply)(*self.inputs)
        written = Written(program, frozenset(), "program")
        outputs = written.run(*self.inputs)
        self.require_same("source", f"of\n{written.source}", outputs, nearly_identical)
        self.require_separate(outputs)
        donated = frozenset(range(len(self.inputs)))
        written = Written(program, donated, "program")
        given = [x.copy() if isinstance(x, np.ndarray) else x for x in self.inputs]
        outputs = written.run(*given)
        self.require_same("source", f"of\n{written.source}", outputs, nearly_identical)

    def require_separate(self, outputs: Sequence[Any]) -> None:
        """Require arrays that share no memory with an input or another output."""
        arrays = [y for y in outputs if isinstance(y, np.ndarray)]
        others = [x for x in self.inputs if isinstance(x, np.ndarray)]
        for number, y in enumerate(arrays):
            for other in [*others, *arrays[number + 1 :]]:
                if np.may_share_memory(y, other):
                    self.fail("source", "an output shares memory with an input or an output.")
            if not y.flags.writeable:
                self.fail("source", "an output cannot be written.")

    def pushed(self, tangents: Sequence[Any]) -> list[Any]:
        """The jvp rule's tangents, once their types are known to fit; zeros for None."""
        with np.errstate(divide="ignore", invalid="ignore"):
            result = jvp_of(self.primitive, self.inputs, tangents, self.output, self.params)
        parts = [None] * len(self.outputs) if result is None else self.as_tuple(result)
        if len(parts) != len(self.outputs):
            self.fail("jvp", f"the rule returned {len(parts)} tangents.")
        full: list[Any] = []
        for number, (part, type) in enumerate(zip(parts, self.output_types, strict=True)):
            if part is None or not type.is_inexact:
                full.append(np.zeros(type.shape, type.dtype)[()] if type.is_inexact else None)
                continue
            if type_of(part)[:2] != type[:2]:
                self.fail("jvp", f"the tangent of output {number}, a {type}, is a {type_of(part)}.")
            full.append(part)
        return full

    def check_jvp(self) -> str | None:
        if not self.derivative_is_checked():
            return "nothing to differentiate"
        sums = [np.zeros(t.shape, t.dtype) if t.is_inexact else None for t in self.output_types]
        for number in self.argnums:
            alone: list[Any] = [None] * len(self.inputs)
            alone[number] = self.tangents[number]
            found = self.pushed(alone)
            for place, (y, slope) in enumerate(zip(found, self.slopes()[number], strict=True)):
                self.compare_tangents(y, slope, f"by input {number}, of output {place},")
                if y is not None:
                    sums[place] = sums[place] + y
        for place, (y, total) in enumerate(zip(self.pushed(self.tangents), sums, strict=True)):
            self.compare_tangents(y, total, f"by all inputs together, of output {place},")
        return None

    def compare_tangents(self, found: Any, expected: Any, what: str) -> None:
        if found is None or not np.size(found):
            return
        with np.errstate(all="ignore"):
            scale = float(np.max(np.abs(expected), initial=0, where=np.isfinite(expected)))
            if not np.allclose(found, expected, self.rtol, self.atol + self.rtol * scale):
                self.fail(
                    "jvp",
                    f"the tangent {what} is wrong.",
                    tangents=shown(self.tangents),
                    jvp=shown(found),
                    expected=shown(expected),
                )

    def pulled(self, cotangents: Sequence[Any], needed: Sequence[Any]) -> list[Any]:
        """The vjp rule's cotangents of the needed inputs, with types that fit; zeros for None."""
        with np.errstate(divide="ignore", invalid="ignore"):
            given = self.as_output(cotangents)
            parts = vjp_of(self.primitive, given, self.inputs, self.output, needed, self.params)
        if len(parts) != len(self.inputs):
            self.fail("vjp", f"the rule returned {len(parts)} cotangents.")
        full: list[Any] = []
        for number, (part, type) in enumerate(zip(parts, self.types, strict=True)):
            if needed[number] is None:
                full.append(None)
            elif part is None:
                full.append(np.zeros(type.shape, type.dtype)[()])
            else:
                if type_of(part)[:2] != type[:2]:
                    self.fail(
                        "vjp", f"the cotangent of input {number}, a {type}, is a {type_of(part)}."
                    )
                full.append(part)
        return full

    def check_vjp(self) -> str | None:
        if not self.derivative_is_checked():
            return "nothing to differentiate"
        choices = [self.cotangents]
        if sum(c is not None for c in self.cotangents) > 1:  # each output alone, too
            choices += [
                [c if place == only else None for place, c in enumerate(self.cotangents)]
                for only, cotangent in enumerate(self.cotangents)
                if cotangent is not None
            ]
        everything = [
            number if number in self.argnums else None for number in range(len(self.inputs))
        ]
        for cotangents in choices:
            together = self.pulled(cotangents, everything)
            for number in self.argnums:
                only: list[Any] = [None] * len(self.inputs)
                only[number] = everything[number]
                alone = self.pulled(cotangents, only)[number]
                for gradient in (together[number], alone):
                    found, scale = pairing([gradient], [self.tangents[number]])
                    expected, other = pairing(cotangents, self.slopes()[number])
                    self.compare_pairings(
                        "vjp", found, expected, max(scale, other), number, gradient
                    )
        return None

    def compare_pairings(
        self, check: str, found: float, expected: float, scale: float, number: int, gradient: Any
    ) -> None:
        if not agree(found, expected, self.atol + self.rtol * scale):
            self.fail(
                check,
                f"the cotangent of input {number} is wrong.",
                tangent=shown(self.tangents[number]),
                cotangents=shown(self.cotangents),
                result=shown(gradient),
                along_the_tangent=repr(found),
                expected=repr(expected),
            )

    def check_transpose(self) -> str | None:
        if not self.derivative_is_checked():
            return "nothing to differentiate"
        everything = [
            number if number in self.argnums else None for number in range(len(self.inputs))
        ]
        gradients = self.pulled(self.cotangents, everything)
        for number in self.argnums:
            alone: list[Any] = [None] * len(self.inputs)
            alone[number] = self.tangents[number]
            expected, other = pairing(self.cotangents, self.pushed(alone))
            found, scale = pairing([gradients[number]], [self.tangents[number]])
            self.compare_pairings(
                "transpose", found, expected, max(scale, other), number, gradients[number]
            )
        return None

    def check_second_order(self) -> str | None:
        if not self.derivative_is_checked():
            return "nothing to differentiate"
        if self.order < 2:
            return f"skipped: order={self.order}"
        self.pulled(self.cotangents, self.tangents)  # raises where there is no rule, first of all

        def of_active(*active: Any) -> list[Any]:
            inputs = list(self.inputs)
            for number, x in zip(self.argnums, active, strict=True):
                inputs[number] = x
            return self.apply(*inputs)

        active = [self.inputs[number] for number in self.argnums]
        check_grads(of_active, active, self.order, "rev", self.atol, self.rtol)
        return None

    def check_batch(self) -> str | None:
        if all(isinstance(x, bool | int | float | complex) for x in self.inputs):
            arrays = [np.asarray(x)[()] for x in self.inputs]
            self.inputs, self.types = arrays, [type_of(x) for x in arrays]
            self.examples = [[np.asarray(x)[()] for x in example] for example in self.examples]
        if not self.inputs:
            return "nothing to batch"
        for axes in self.choices_of_axes():
            self.compare_batch(axes)
        return None

    def choices_of_axes(self) -> list[tuple[int | None, ...]]:
        """Every choice of no axis, the first or the last; for many inputs only some."""
        choices = [
            (None,) if type.weak else tuple(dict.fromkeys((0, type.ndim, None)))
            for type in self.types
        ]
        every = [axes for axes in product(*choices) if any(axis is not None for axis in axes)]
        if len(every) <= 26:
            return every
        some = [every[0]]
        for number, options in enumerate(choices):
            for axis in options:
                alone = [None] * len(choices)
                some.append((*alone[:number], axis, *alone[number + 1 :]))
                some.append((*every[0][:number], axis, *every[0][number + 1 :]))
        return [axes for axes in dict.fromkeys(some) if any(axis is not None for axis in axes)]

    def compare_batch(self, axes: tuple[int | None, ...]) -> None:
        size = len(self.examples)
        first = self.examples[0]
        inputs = [
            first[number]
            if axis is None
            else np.stack([example[number] for example in self.examples], axis)
            for number, axis in enumerate(axes)
        ]
        result, result_axes = self.primitive.batch(size, inputs, axes, **self.params)
        expected = zip(
            *(
                self.as_tuple(
                    self.primitive.run(
                        *(
                            first[number] if axis is None else example[number]
                            for number, axis in enumerate(axes)
                        ),
                        **self.params,
                    )
                )
                for example in self.examples
            ),
            strict=True,
        )
        for number, (y, axis, parts) in enumerate(
            zip(self.as_tuple(result), self.as_tuple(result_axes), expected, strict=True)
        ):
            stacked = np.stack(parts)
            found = np.stack([y] * size) if axis is None else np.moveaxis(np.asarray(y), axis, 0)
            rtol, atol = tolerances([type_of(stacked)], None, None)
            fits = found.shape == stacked.shape and found.dtype == stacked.dtype
            if not fits or not np.allclose(found, stacked, rtol / 10, atol / 10, equal_nan=True):
                self.fail(
                    "batch",
                    f"output {number} is wrong for the batch axes {axes}.",
                    batch=f"{type_of(y)} {shown(y)}, axis {axis}",
                    loop=f"{type_of(stacked)} {shown(stacked)}",
                )


def _variations(inputs: Sequence[Any]) -> list[list[Any]]:
    """Three examples for a batch: floating inputs scaled a little, others in another order."""

    def varied(x: Any, number: int) -> Any:
        type = type_of(x)
        if type.is_inexact:
            return np.asarray(np.asarray(x) * (1 - 0.01 * number), type.dtype)[()]
        return x if type.weak else np.roll(x, number)[()]

    return [[varied(x, number) for x in inputs] for number in range(3)]
