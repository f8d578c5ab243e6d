"""Checks of derivatives and of primitives' rules, for users' own functions and for functrace.

`check_grads` compares the derivatives of a function with finite differences; `check_primitive`
holds all rules of a primitive against each other and against NumPy. Both raise an AssertionError
that says which number is wrong. Finite differences are taken in double precision, also where the
arguments are of a smaller one.

Complex numbers follow the convention of `functrace.grad`: a cotangent ``c`` belongs to a tangent
``t`` through the real part of ``sum(c * t)``, without conjugation.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NoReturn

import numpy as np

from functrace import tree
from functrace.backends.numpy_source import Written
from functrace.errors import ArgumentError, MissingRuleError, NonlinearRuleError
from functrace.ir.checking import check
from functrace.ir.parsing import parse
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import Program, to_text
from functrace.ir.types import ArrayType, type_of
from functrace.tracebacks import boundary
from functrace.tracing import bind
from functrace.transforms.evaluate import evaluate, make_ir
from functrace.transforms.reverse import vjp
from functrace.transforms.transformed import require_callable
from functrace.transforms.transpose import jvp_of, vjp_of

__all__ = [
    "CHECKS",
    "check_grads",
    "check_primitive",
    "check_rules",
    "complex_step",
    "numerical_gradient",
    "numerical_jvp",
]

# Numerical derivatives


def numerical_jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], eps: float | None = None
) -> Any:
    """The derivative of a function along a direction, by finite differences.

    Central differences with steps h and 2h, extrapolated (Richardson), so that the error is of
    the order of h**4. Each leaf has its own step: the fourth root of the machine precision, times
    the largest element of the leaf where that is above 1.

    Args:
        f: A function of trees of arrays. It is called on float64 and complex128 in place of
            smaller floating dtypes.
        primals: The arguments.
        tangents: One tree for each argument, like it; None, or anything, where the argument holds
            integers.
        eps: The step, in place of the one described.

    Returns:
        The tangent of the output: a tree like the output, of float64 or complex128, with None
        where the output holds integers.

    Example:
        >>> import numpy as np
        >>> t = numerical_jvp(lambda x, y: x * y["z"], (3.0, {"z": 2.0}), (1.0, {"z": 1.0}))
        >>> t.round(6)
        np.float64(5.0)
    """
    leaves, structure = tree.flatten(tuple(primals))
    directions = structure.flatten_up_to(tuple(tangents))
    leaves = [_widened(x) for x in leaves]
    center, out_structure = tree.flatten(f(*structure.unflatten(leaves)))
    is_inexact = [type_of(y).is_inexact for y in center]
    total = [
        np.zeros(type_of(y).shape, np.result_type(type_of(y).dtype, np.float64))[()] if on else None
        for y, on in zip(center, is_inexact, strict=True)
    ]
    precisions = [np.finfo(type_of(y).dtype).eps for y in center if type_of(y).is_inexact]
    precision = float(max(precisions, default=np.finfo(np.float64).eps))
    for number, (x, direction) in enumerate(zip(leaves, directions, strict=True)):
        if direction is None or not type_of(x).is_inexact or not np.any(direction):
            continue
        t = _widened(direction)
        step = _step(x, t, precision) if eps is None else eps / float(np.max(np.abs(t)))

        def moved(factor: float, number: int = number, x: Any = x, t: Any = t) -> list[Any]:
            arguments = [*leaves[:number], (x + factor * t)[()], *leaves[number + 1 :]]
            return tree.leaves(f(*structure.unflatten(arguments)))

        values = [moved(factor * step) for factor in (1, -1, 2, -2)]
        with np.errstate(all="ignore"):
            for place, (near, below, far, far_below) in enumerate(zip(*values, strict=True)):
                if is_inexact[place]:
                    inner = _widened(near) - _widened(below)
                    outer = _widened(far) - _widened(far_below)
                    total[place] = total[place] + (8 * inner - outer) / (12 * step)
    return out_structure.unflatten(total)


def _widened(x: Any) -> Any:
    """Floating and complex values in double precision, others as they are."""
    dtype = type_of(x).dtype
    return np.asarray(x, np.result_type(dtype, np.float64))[()] if dtype.kind in "fc" else x


def _step(x: Any, t: Any, precision: float) -> float:
    """A power of two, so that adding it to numbers around 1 is exact."""
    size = max(1.0, float(np.max(np.abs(x))))
    return 2.0 ** round(math.log2(precision**0.25 * size / float(np.max(np.abs(t)))))


def complex_step(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The derivative of a real analytic function along a direction, exact to rounding.

    It is the imaginary part of ``f(x + iht) / h`` for a tiny h (Squire and Trapp, SIAM Review 40,
    1998): nothing is subtracted, so nothing cancels. ``f`` must be made of functions that are
    analytic and take complex numbers: not of ``abs``, ``maximum``, ``where`` with conditions on
    the argument, or conjugation.

    Args:
        f: A function of trees of real arrays.
        primals: The arguments.
        tangents: One tree for each argument, like it.

    Returns:
        The tangent of the output.

    Raises:
        ArgumentError: An argument is complex, or the output stays real.

    Example:
        >>> import numpy as np
        >>> complex_step(np.exp, (1.0,), (1.0,)) == np.exp(1.0)
        np.True_
    """
    leaves, structure = tree.flatten(tuple(primals))
    directions = structure.flatten_up_to(tuple(tangents))
    step = 2.0**-80
    moved: list[Any] = []
    for x, t in zip(leaves, directions, strict=True):
        kind = type_of(x).dtype.kind
        if kind == "c":
            raise ArgumentError("complex_step takes derivatives by real arguments only.")
        moved.append(_widened(x) + 1j * step * _widened(t) if kind == "f" else x)

    def derivative(y: Any) -> Any:
        if type_of(y).dtype.kind != "c":
            raise ArgumentError(
                "The output of the function is real although its argument was complex: it is not "
                "made of analytic functions.",
                advice="Use numerical_jvp.",
            )
        return y.imag / step

    return tree.map(derivative, f(*structure.unflatten(moved)))


def numerical_gradient(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    eps: float | None = None,
) -> Any:
    """The gradient of a function, element by element, by finite differences.

    Args:
        f: A function of trees of arrays whose output is one real number.
        args: Its arguments.
        argnums: The position, or positions, of the arguments to differentiate.
        eps: The step of the differences, in place of that of `numerical_jvp`.

    Returns:
        What ``functrace.grad(f, argnums)(*args)`` returns, in double precision.

    Example:
        >>> import numpy as np
        >>> numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, 2.0])).round(6)
        array([2., 4.])
    """
    if not isinstance(argnums, int):
        return tuple(numerical_gradient(f, *args, argnums=n, eps=eps) for n in argnums)
    position = range(len(args))[argnums]
    leaves, structure = tree.flatten(args[position])

    def of_leaves(*leaves: Any) -> Any:
        argument = structure.unflatten(leaves)
        return f(*args[:position], argument, *args[position + 1 :])

    gradient: list[Any] = []
    for number, leaf in enumerate(leaves):
        type = type_of(leaf)
        if not type.is_inexact:
            gradient.append(None)
            continue
        units = (1.0,) if type.dtype.kind == "f" else (1.0, 1j)
        result = np.zeros(type.shape, np.result_type(type.dtype, np.float64))
        for index in np.ndindex(type.shape):
            for unit in units:
                tangents: list[Any] = [None] * len(leaves)
                tangents[number] = np.zeros_like(result)
                tangents[number][index] = unit
                slope = numerical_jvp(of_leaves, leaves, tangents, eps)
                result[index] += slope / unit if unit == 1.0 else slope * -unit
        gradient.append(result[()])
    return structure.unflatten(gradient)


# Comparing

_TOLERANCES = {2: 3e-2, 4: 2e-3, 8: 1e-6}
"""By the bytes of a real number of the dtype."""


def _tolerances(types: Sequence[ArrayType], rtol: float | None, atol: float | None) -> Any:
    """The relative and the absolute tolerance for results of the least precise of these types."""
    sizes = [t.dtype.itemsize // (2 if t.dtype.kind == "c" else 1) for t in types if t.is_inexact]
    relative = max((_TOLERANCES.get(size, 1e-6) for size in sizes), default=1e-6)
    rtol = relative if rtol is None else rtol
    return rtol, rtol / 10 if atol is None else atol


def _pairing(cotangents: Sequence[Any], tangents: Sequence[Any]) -> tuple[float, float]:
    """What cotangents give for tangents; and the sum of the terms' sizes, as a scale of errors."""
    value = scale = 0.0
    for c, t in zip(cotangents, tangents, strict=True):
        if c is not None and t is not None:
            with np.errstate(all="ignore"):
                terms = np.real(np.asarray(_widened(c) * _widened(t)))
                value += float(np.sum(terms))
                scale += float(np.sum(np.abs(terms)))
    return value, scale


def _agree(x: float, y: float, tolerance: float) -> bool:
    return x == y or abs(x - y) <= tolerance or (math.isnan(x) and math.isnan(y))


def _shown(x: Any) -> str:
    if isinstance(x, tuple | list):
        return f"({', '.join(map(_shown, x))})"
    return np.array2string(np.asarray(x), precision=6, threshold=20) if x is not None else "None"


def _random(rng: np.random.Generator, type: ArrayType) -> Any:
    """A random tangent or cotangent of this type."""
    values = rng.normal(size=type.shape)
    if type.dtype.kind == "c":
        values = values + 1j * rng.normal(size=type.shape)
    return np.asarray(values, type.dtype)[()]


# Checking the derivatives of functions


@boundary
def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: str | Sequence[str] = ("rev",),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Check the derivatives of a function against finite differences.

    As ``jax.test_util.check_grads``. Along random directions, always the same ones, the
    derivative by each floating or complex leaf of the arguments is compared with
    `numerical_jvp`; for the second order the same is done for the pullback, and so on.

    Args:
        f: A function of trees of arrays, to a tree of arrays. Keep the arguments away from kinks
            and jumps.
        args: Its arguments, as a tuple.
        order: Up to which order.
        modes: "rev" for reverse mode, "fwd" for forward mode, or both.
        atol: The absolute tolerance; by default a tenth of the relative one.
        rtol: The tolerance relative to the sum of the sizes of the terms; by default 1e-6 in
            double, 2e-3 in single and 3e-2 in half precision.
        eps: The step of the differences.

    Raises:
        AssertionError: A derivative is wrong. The message names the leaf of the arguments, the
            two numbers and the direction.
        ArgumentError: A mode has another name, or this version of functrace does not have it.

    Example:
        >>> import numpy as np
        >>> check_grads(lambda x, y: {"z": np.sin(x) * y}, (np.ones(3), 2.0), order=2)
        >>> check_grads(np.floor, (0.5,))
    """
    require_callable(f, "check_grads", "f")
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    forward: Callable[..., Any] | None = None
    for mode in modes:
        if mode not in ("fwd", "rev"):
            raise ArgumentError(f"modes holds {mode!r}.", advice='Its names are "fwd" and "rev".')
        if mode == "fwd":
            # By name: what the package offers decides, and nothing here imports upward.
            forward = getattr(sys.modules["functrace"], "jvp", None)
            if forward is None:
                raise ArgumentError(
                    "This version of functrace has no forward mode to check.",
                    advice='Write modes=("rev",).',
                )
    leaves, structure = tree.flatten(tuple(args))
    names = [f"args{tree.keystr(path)}" for path in structure.paths()]
    active = [number for number, leaf in enumerate(leaves) if type_of(leaf).is_inexact]

    def flat(*values: Any) -> list[Any]:
        """The function from the leaves that can be differentiated to those that can."""
        arguments = list(leaves)
        for number, value in zip(active, values, strict=True):
            arguments[number] = value
        outputs = tree.leaves(f(*structure.unflatten(arguments)))
        return [y for y in outputs if type_of(y).is_inexact]

    checker = _GradientChecker(modes, forward, [names[n] for n in active], atol, rtol, eps)
    checker.check(flat, [leaves[n] for n in active], order, "")


class _GradientChecker:
    """The recursion of `check_grads`, over a function from leaves to a list of leaves."""

    def __init__(
        self,
        modes: Sequence[str],
        forward: Callable[..., Any] | None,
        names: Sequence[str],
        atol: float | None,
        rtol: float | None,
        eps: float | None,
    ) -> None:
        self.modes = modes
        self.forward = forward
        self.names = names
        self.atol = atol
        self.rtol = rtol
        self.eps = eps

    def check(self, f: Callable[..., Any], leaves: Sequence[Any], order: int, of: str) -> None:
        if order < 1:
            return
        rng = np.random.default_rng(0)
        tangents = [_random(rng, type_of(x)) for x in leaves]
        expected = f(*leaves)
        cotangents = [_random(rng, type_of(y)) for y in expected]
        slopes: list[Any] = []
        for number, tangent in enumerate(tangents):
            alone: list[Any] = [None] * len(leaves)
            alone[number] = tangent
            slopes.append(numerical_jvp(f, leaves, alone, self.eps))
        if "rev" in self.modes:
            self.reverse(f, leaves, tangents, cotangents, expected, slopes, of)
            self.check(_pullback_of(f, cotangents), leaves, order - 1, f"{of} of the pullback")
        if "fwd" in self.modes:
            push = self.push(f, leaves)
            for number, tangent in enumerate(tangents):
                alone = [np.zeros_like(x) for x in leaves]
                alone[number] = tangent
                found, scale = _pairing(cotangents, push(alone))
                self.compare(
                    found, cotangents, slopes[number], scale, f"jvp{of}", number, tangent, leaves
                )

            def pushed(*leaves: Any) -> list[Any]:
                return self.push(f, leaves)(tangents)

            self.check(pushed, leaves, order - 1, f"{of} of the jvp")

    def push(self, f: Callable[..., Any], leaves: Sequence[Any]) -> Callable[..., Any]:
        assert self.forward is not None
        forward = self.forward
        return lambda tangents: forward(f, tuple(leaves), tuple(tangents))[1]

    def reverse(
        self,
        f: Callable[..., Any],
        leaves: Sequence[Any],
        tangents: Sequence[Any],
        cotangents: Sequence[Any],
        expected: Sequence[Any],
        slopes: Sequence[Any],
        of: str,
    ) -> None:
        output, pullback = vjp(f, *leaves)
        for y, traced in zip(expected, output, strict=True):
            rtol, atol = _tolerances([type_of(y)], None, None)
            if not np.allclose(y, traced, rtol, atol, equal_nan=True):
                _fail(
                    f"The function has another value{of} when it is traced:",
                    traced=_shown(traced),
                    untraced=_shown(y),
                )
        gradients = pullback(list(cotangents))
        for number, (gradient, tangent) in enumerate(zip(gradients, tangents, strict=True)):
            x, given = type_of(leaves[number]), type_of(gradient)
            if (given.shape, given.dtype) != (x.shape, x.dtype):
                _fail(f"The vjp{of} by {self.names[number]}, a {x}, is a {given}.")
            found, scale = _pairing([gradient], [tangent])
            self.compare(
                found, cotangents, slopes[number], scale, f"vjp{of}", number, tangent, leaves
            )

    def compare(
        self,
        found: float,
        cotangents: Sequence[Any],
        slope: Sequence[Any],
        scale: float,
        what: str,
        number: int,
        tangent: Any,
        leaves: Sequence[Any],
    ) -> None:
        numerical, numerical_scale = _pairing(cotangents, slope)
        types = [type_of(x) for x in (*leaves, *cotangents)]
        rtol, atol = _tolerances(types, self.rtol, self.atol)
        tolerance = atol + rtol * min(scale, numerical_scale)
        if _agree(found, numerical, tolerance):
            return
        _fail(
            f"The {what} by {self.names[number]}, a {type_of(leaves[number])}, is wrong:",
            functrace=f"{found!r}",
            numerical=f"{numerical!r}",
            tolerance=f"{tolerance:.3g}",
            tangent=_shown(tangent),
            cotangents=_shown(list(cotangents)),
        )


def _pullback_of(f: Callable[..., Any], shift: Sequence[Any]) -> Callable[..., Any]:
    """The pullback as a function, with a cotangent that depends on the arguments too."""

    def pulled(*leaves: Any) -> list[Any]:
        outputs, pullback = vjp(f, *leaves)
        return list(pullback([y + _in_dtype_of(s, y) for y, s in zip(outputs, shift, strict=True)]))

    return pulled


def _in_dtype_of(x: Any, y: Any) -> Any:
    return np.asarray(x, type_of(y).dtype)[()]


def _fail(what: str, **details: str) -> NoReturn:
    width = max(map(len, details), default=0)
    lines = [what, *(f"  {name:<{width}}  {text}" for name, text in details.items())]
    raise AssertionError("\n".join(lines))


# Checking the rules of primitives

CHECKS = (
    "run", "infer", "record", "text", "source", "jvp", "vjp", "transpose", "second order", "batch",
)  # fmt: skip
"""What `check_rules` checks:

- run: the inputs are not written, and the output is no view of them (but for ``makes_views``);
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
    """
    primitive = PRIMITIVES[primitive] if isinstance(primitive, str) else primitive
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
        self.rtol, self.atol = _tolerances([*self.types, *self.output_types], rtol, atol)
        rng = np.random.default_rng(0)
        self.tangents = [
            _random(rng, type) if number in self.argnums else None
            for number, type in enumerate(self.types)
        ]
        self.cotangents = [_random(rng, t) if t.is_inexact else None for t in self.output_types]
        self._slopes: list[Any] | None = None

    # Helpers

    def title(self, check: str) -> str:
        types = ", ".join(map(str, self.types))
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"{check!r} of {self.primitive.name}({types}{params})"

    def fail(self, check: str, what: str, **details: str) -> NoReturn:
        details = {f"input {n}": _shown(x) for n, x in enumerate(self.inputs)} | details
        _fail(f"{self.title(check)}: {what}", **details)

    def as_tuple(self, output: Any) -> tuple[Any, ...]:
        return tuple(output) if self.primitive.multiple_outputs else (output,)

    def as_output(self, outputs: Sequence[Any]) -> Any:
        return tuple(outputs) if self.primitive.multiple_outputs else outputs[0]

    def require_unchanged_inputs(self, check: str) -> None:
        for number, (x, original) in enumerate(zip(self.inputs, self.originals, strict=True)):
            if not _identical(np.asarray(x), original):
                self.fail(check, f"input {number} was written.", before=_shown(original))

    def require_same(
        self, check: str, what: str, found: Sequence[Any], same: Callable[[Any, Any], bool]
    ) -> None:
        """Require values that are the same as the outputs of ``run``."""
        for number, (y, expected) in enumerate(zip(found, self.outputs, strict=True)):
            if type_of(y)[:2] != type_of(expected)[:2] or not same(y, expected):
                self.fail(
                    check,
                    f"output {number} {what} differs from run.",
                    found=f"{type_of(y)} {_shown(y)}",
                    run=f"{type_of(expected)} {_shown(expected)}",
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
            "record", "evaluated from the Program", evaluate(program, *self.inputs), _identical
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
        self.require_same("text", "evaluated from the text", evaluate(parsed, *inputs), _identical)

    def check_source(self) -> None:
        program = make_ir(self.apply)(*self.inputs)
        written = Written(program, frozenset(), "program")
        outputs = written.run(*self.inputs)
        self.require_same("source", f"of\n{written.source}", outputs, _nearly_identical)
        self.require_separate(outputs)
        donated = frozenset(range(len(self.inputs)))
        written = Written(program, donated, "program")
        given = [x.copy() if isinstance(x, np.ndarray) else x for x in self.inputs]
        outputs = written.run(*given)
        self.require_same("source", f"of\n{written.source}", outputs, _nearly_identical)

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
                    tangents=_shown(self.tangents),
                    jvp=_shown(found),
                    expected=_shown(expected),
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
                    found, scale = _pairing([gradient], [self.tangents[number]])
                    expected, other = _pairing(cotangents, self.slopes()[number])
                    self.compare_pairings(
                        "vjp", found, expected, max(scale, other), number, gradient
                    )
        return None

    def compare_pairings(
        self, check: str, found: float, expected: float, scale: float, number: int, gradient: Any
    ) -> None:
        if not _agree(found, expected, self.atol + self.rtol * scale):
            self.fail(
                check,
                f"the cotangent of input {number} is wrong.",
                tangent=_shown(self.tangents[number]),
                cotangents=_shown(self.cotangents),
                result=_shown(gradient),
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
            expected, other = _pairing(self.cotangents, self.pushed(alone))
            found, scale = _pairing([gradients[number]], [self.tangents[number]])
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
            rtol, atol = _tolerances([type_of(stacked)], None, None)
            fits = found.shape == stacked.shape and found.dtype == stacked.dtype
            if not fits or not np.allclose(found, stacked, rtol / 10, atol / 10, equal_nan=True):
                self.fail(
                    "batch",
                    f"output {number} is wrong for the batch axes {axes}.",
                    batch=f"{type_of(y)} {_shown(y)}, axis {axis}",
                    loop=f"{type_of(stacked)} {_shown(stacked)}",
                )


def _nearly_identical(x: Any, y: Any) -> bool:
    """Whether values differ by rounding only, relative to the largest of them."""
    x, y = np.asarray(x), np.asarray(y)
    if _identical(x, y) or y.dtype.kind not in "fc":
        return _identical(x, y)
    finite = np.abs(y[np.isfinite(y)])
    tolerance = 16 * float(np.finfo(y.dtype).eps) * max(finite.max(initial=0), 1)
    return bool(np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True))


def _identical(x: Any, y: Any) -> bool:
    """Whether two arrays have the same shape and values; nan is like nan."""
    x, y = np.asarray(x), np.asarray(y)
    return np.array_equal(x, y, equal_nan=x.dtype.kind in "fc")


def _variations(inputs: Sequence[Any]) -> list[list[Any]]:
    """Three examples for a batch: floating inputs scaled a little, others in another order."""

    def varied(x: Any, number: int) -> Any:
        type = type_of(x)
        if type.is_inexact:
            return np.asarray(np.asarray(x) * (1 - 0.01 * number), type.dtype)[()]
        return x if type.weak else np.roll(x, number)[()]

    return [[varied(x, number) for x in inputs] for number in range(3)]
