"""The battery: what is checked of each function of NumPy's that works on traced values.

NumPy itself is the truth for values, dtypes, classes and errors; finite differences for
derivatives; a loop for batches; the eager gradient for the compiled one.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

import functrace as ft
import functrace.numpy
from functrace import tree
from functrace.errors import UnknownValueError
from functrace.ir.types import type_of
from functrace.testing import numerical_jvp
from functrace.testing.comparing import agree, pairing, random, shown, tolerances
from functrace.tracing.tracer import Tracer
from tests.cases import Input
from tests.functions.rows import Call, Given, Row

CHECKS = (
    "values", "spelling", "batch", "derivative", "second order", "compiled gradient", "dtypes",
    "shapes", "layout",
)  # fmt: skip
"""What is checked:

- values: value, dtype and class of what `vjp`, `jvp`, a recorded Program and `jit` compute;
- spelling: `functrace.numpy.f` computes the same, traced and not;
- batch: `vmap` over each axis of each array, and over all arrays at once, against a loop;
- derivative: forward mode against finite differences, reverse mode against forward mode; and that
  it is zero for a function without one;
- second order: the derivative of the pullback against finite differences;
- compiled gradient: `jit` of the pullback against the pullback, with dtypes;
- dtypes: values as above in other dtypes, and the dtypes of cotangents;
- shapes: values on arrays without elements, with one, and without axes;
- layout: values on arrays that are not contiguous.

Where NumPy raises, an error of the same kind must be raised.
"""

_DRAWN = {
    1: [((2, 3),), ((),), ((0,),), ((1,),)],
    2: [((2, 3), (3,)), ((), (2,)), ((2, 1), (1, 3)), ((0, 1), (2,)), ((), ())],
    3: [((2, 3), (3,), (2, 1)), ((), (2,), ()), ((0,), (1,), ()), ((), (), ())],
}
"""For so many arrays of drawn shapes, the shapes: those of the whole battery, and the others."""


class CheckError(AssertionError):
    """A check that did not hold."""


class AnyError(Exception):
    """Stands for an error whose kind does not matter."""


# Functions by name, and their arguments


def function_of(row: Row, namespace: Any = np) -> Callable[..., Any]:
    """The function that a row names, of NumPy's or in another namespace with its names."""
    first, _, rest = row.function.partition(".")
    if first != "ndarray":
        found = attrgetter(rest)(namespace)
        return found if row.use is None else partial(row.use, found)
    if callable(getattr(np.ndarray, rest)):
        return lambda x, *args, **options: getattr(x, rest)(*args, **options)
    return attrgetter(rest)


def inputs_of(call: Call) -> list[Input]:
    """The arrays among the arguments of a call, in their order."""
    return [x for x in tree.leaves((call.args, dict(call.options))) if isinstance(x, Input)]


def of_inputs(function: Callable[..., Any], call: Call, writes: bool) -> Callable[..., Any]:
    """The function of the arrays of a call alone, to the tuple of its outputs."""
    leaves, structure = tree.flatten((call.args, dict(call.options)))
    places = [n for n, leaf in enumerate(leaves) if isinstance(leaf, Input)]
    leaves = [leaf.value if isinstance(leaf, Given) else leaf for leaf in leaves]

    def applied(*arrays: Any) -> Any:
        filled = list(leaves)
        for place, array in zip(places, arrays, strict=True):
            filled[place] = array
        args, options = structure.unflatten(filled)
        if not writes:
            result = function(*args, **options)
            return _numbered(result) if isinstance(result, np.dtype | type | str) else result
        target = args[0].copy()
        result = function(target, *args[1:], **options)
        return target if result is None else (target, result)

    return applied


def _numbered(x: Any) -> int:
    """A number in place of what no transformation returns: a dtype, or a string."""
    return zlib.crc32(str(x).encode())


def drawn(call: Call, rng: np.random.Generator, dtype: str = "float64") -> list[Any]:
    """Values for the arrays of a call; those without axes are scalars."""
    return [_drawn(spec, rng, dtype) for spec in inputs_of(call)]


def _drawn(spec: Input, rng: np.random.Generator, dtype: str) -> Any:
    if spec.value is not None:
        return spec.value
    assert spec.shape is not None
    own = {"f": dtype, "i": "int64", "b": "bool"}[spec.domain.kind]
    own = np.dtype(spec.dtype or own)
    if own.kind in "iub" and spec.domain.kind == "f":
        return np.abs(np.round(4 * spec.domain.values(rng, spec.shape, "float64"))).astype(own)[()]
    return spec.domain.values(rng, spec.shape, own)[()]


def with_shapes(call: Call, shapes: Sequence[Any]) -> Call:
    """The call with other shapes of its arrays, in their order; None leaves one as it is."""
    leaves, structure = tree.flatten((call.args, dict(call.options)))
    left = iter(shapes)
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, Input):
            shape = next(left)
            leaves[place] = leaf if shape is None else replace(leaf, shape=shape)
    return Call(*structure.unflatten(leaves))


def calls_of(row: Row) -> Iterator[tuple[Call, list[Call]]]:
    """Each call with the shapes of the whole battery, and the same call with other shapes."""
    for call in row.calls:
        inputs = inputs_of(call)
        free = [n for n, spec in enumerate(inputs) if spec.shape is None and spec.value is None]
        if free:
            first, *rest = (_placed(free, shapes, len(inputs)) for shapes in _DRAWN[len(free)])
            yield with_shapes(call, first), [with_shapes(call, shapes) for shapes in rest]
            continue
        arrays = [n for n, spec in enumerate(inputs) if spec.value is None]
        others: list[Call] = []
        for n in arrays[:2]:
            shape = inputs[n].shape
            assert shape is not None
            smaller = dict.fromkeys([(), (0,), (1,), (0, *shape[1:]), (1, *shape[1:])])
            others += [
                with_shapes(call, _placed([n], [other], len(inputs)))
                for other in smaller
                if other != shape and (other or n or not row.writes)  # scalars are not written
            ]
        yield call, others


def _placed(places: Sequence[int], shapes: Sequence[Any], count: int) -> list[Any]:
    placed: list[Any] = [None] * count
    for place, shape in zip(places, shapes, strict=True):
        placed[place] = shape
    return placed


# Outcomes


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    """What a function returns, or the exception that it raises."""
    try:
        return f(*args)
    except Exception as error:  # noqa: BLE001  (whichever it is, it is compared)
        return error


def kind_of_error(error: Exception) -> type:
    """The class of Python's own that an error belongs to."""
    return next(base for base in type(error).__mro__ if base.__module__ == "builtins")


def compare(found: Any, expected: Any, what: str, rtol: float | None = None) -> None:
    """Require the same value, dtype, class and structure; or the same kind of error."""
    if isinstance(expected, AnyError):
        if not isinstance(found, ValueError | TypeError | IndexError | RuntimeError):
            raise CheckError(f"{what}: NumPy raises an error; found {found!r}")
        return
    if isinstance(expected, Exception):
        if not isinstance(found, kind_of_error(expected)):
            raise CheckError(f"{what}: NumPy raises {expected!r}; found {found!r}")
        return
    if isinstance(found, Exception):
        raise CheckError(f"{what}: found {found!r}; NumPy gives {expected!r}") from found
    if isinstance(expected, tuple | list):
        if type(found) is not type(expected) or len(found) != len(expected):
            raise CheckError(f"{what}: found {found!r}; NumPy gives {expected!r}")
        for number, pair in enumerate(zip(found, expected, strict=True)):
            compare(*pair, f"{what}, output {number}", rtol)
        return
    if isinstance(expected, bool) and isinstance(found, np.bool_):
        found = bool(found)  # what comes out of a Program is NumPy's
    if not isinstance(expected, np.ndarray | np.generic):
        if isinstance(found, np.ndarray | np.generic) or found != expected:
            raise CheckError(f"{what}: found {found!r}; NumPy gives {expected!r}")
        return
    if isinstance(found, Tracer):
        raise CheckError(f"{what}: a tracer came out")
    if rtol is None:
        rtol = {"f": 1e-4, "F": 1e-4, "e": 1e-2}.get(expected.dtype.char, 1e-9)
    same = (
        np.shape(found) == expected.shape
        and getattr(found, "dtype", None) == expected.dtype
        and isinstance(found, np.ndarray) == isinstance(expected, np.ndarray)
    )
    if same and expected.dtype.kind in "fc":
        finite = np.abs(expected[np.isfinite(expected)])
        atol = rtol * float(np.max(finite, initial=1.0))
        same = np.allclose(found, expected, rtol, atol, equal_nan=True)
    elif same:
        same = np.array_equal(found, expected)
    if not same:
        raise CheckError(f"{what}: found {_told(found)}\nNumPy gives {_told(expected)}")


def _told(x: Any) -> str:
    return f"a {type(x).__name__} of {getattr(x, 'dtype', '?')}{np.shape(x)}: {shown(x)}"


# The battery


def check(row: Row, of_others: Collection[str] = CHECKS) -> dict[str, str]:
    """Run the battery over a row.

    Args:
        row: The row.
        of_others: Those of `CHECKS` that are done for the calls behind the first one, too.

    Returns:
        For each of `CHECKS` "passed", or the reason why it was left out.

    Raises:
        CheckError: Something does not hold.
    """
    report: dict[str, str] = {}
    has_slope = False
    for number, (call, others) in enumerate(calls_of(row)):
        checker = _Checker(row, call, others)
        for name in CHECKS:
            if number and name not in of_others:
                continue
            if name in row.skip:
                report[name] = row.skip[name]
                continue
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    getattr(checker, f"check_{name.replace(' ', '_')}")()
            except Exception as error:
                error.add_note(f"while checking {name!r} of {row.function}{call!r}")
                raise
            report.setdefault(name, "passed")
        has_slope = has_slope or checker.has_slope
    if row.kind == "differentiable" and "derivative" not in row.skip and not has_slope:
        raise CheckError(f"{row.function} has no derivative anywhere: enter it by constant()")
    return report


class _Checker:
    """One call of a row's function; each method is one of `CHECKS`."""

    def __init__(self, row: Row, call: Call, others: list[Call]) -> None:
        self.row, self.call, self.others = row, call, others
        self.rng = np.random.default_rng(zlib.crc32(row.function.encode()))
        self.function = function_of(row, ft.numpy if row.own else np)
        self.f = of_inputs(self.function, call, row.writes)
        self.numpys = of_inputs(function_of(row), call, row.writes)
        self.inputs = drawn(call, self.rng)
        self.expected = self.numpys(*self.inputs)
        self.argnums = [
            number
            for number, spec in enumerate(inputs_of(call))
            if np.asarray(self.inputs[number]).dtype.kind in "fc"
            and spec.domain.kind == "f"
            and (row.argnums is None or number in row.argnums)
        ]
        self.has_slope = False

    # Helpers

    def f_of_active(
        self, f: Callable[..., Any], inputs: Sequence[Any]
    ) -> tuple[Callable[..., Any], list[Any]]:
        """The function of the differentiated arrays, to its outputs that have derivatives."""

        def g(*active: Any) -> Any:
            filled = list(inputs)
            for number, x in zip(self.argnums, active, strict=True):
                filled[number] = x
            return f(*filled)

        return g, [inputs[number] for number in self.argnums]

    def floating(self, g: Callable[..., Any]) -> Callable[..., Any]:
        """The floating outputs of a function alone, as a list."""
        return lambda *xs: [y for y in tree.leaves(g(*xs)) if np.result_type(y).kind in "fc"]

    def everywhere(self, f: Callable[..., Any], inputs: Sequence[Any], expected: Any) -> None:
        """Compare what a function computes in every mode of tracing."""
        g, active = self.f_of_active(f, inputs)
        if active or self.row.kind == "known":
            compare(outcome(lambda: ft.vjp(g, *active)[0]), expected, "vjp")
        if self.row.kind == "known":
            return
        compare(outcome(partial(_recorded, f), *inputs), expected, "make_ir and evaluate")

    # The checks

    def check_values(self) -> None:
        g, active = self.f_of_active(self.f, self.inputs)
        self.everywhere(self.f, self.inputs, self.expected)
        if active:
            tangents = [np.ones_like(x)[()] for x in active]
            compare(ft.jvp(g, active, tangents)[0], self.expected, "jvp")
        if self.row.kind == "known":
            for way in (ft.jit, ft.make_ir, ft.vmap):
                inputs = [x[np.newaxis] for x in self.inputs] if way is ft.vmap else self.inputs
                error = outcome(way(self.f), *inputs)
                if not isinstance(error, UnknownValueError):
                    raise CheckError(
                        f"{way.__name__}: found {error!r} in place of UnknownValueError"
                    )
            return
        jitted = ft.jit(self.f)
        for time in ("first", "second"):
            compare(outcome(jitted, *self.inputs), self.expected, f"jit, the {time} time")

    def check_spelling(self) -> None:
        if self.row.function.startswith("ndarray."):
            return
        if self.row.own:
            self.require_that_numpys_is_refused()
        own = function_of(self.row, ft.numpy)
        f = of_inputs(own, self.call, self.row.writes)
        compare(outcome(f, *self.inputs), self.expected, "functrace.numpy, not traced")
        self.everywhere(f, self.inputs, self.expected)

    def require_that_numpys_is_refused(self) -> None:
        """NumPy's spelling computes the same, or says which one does."""
        g, active = self.f_of_active(self.numpys, self.inputs)
        found = outcome(lambda: ft.vjp(g, *active)[0])
        if not isinstance(found, Exception):
            compare(found, self.expected, "NumPy's spelling")
        elif "functrace.numpy." not in str(found):
            raise CheckError(f"the refusal does not name functrace.numpy: {found!r}")

    def check_batch(self) -> None:
        if self.row.kind == "known":
            return
        examples = [self.inputs, drawn(self.call, self.rng)]
        is_method = self.row.function.startswith("ndarray.")
        own = self.function if is_method else function_of(self.row, ft.numpy)
        functraces = of_inputs(own, self.call, self.row.writes)
        count = len(self.inputs)
        choices: list[list[int | None]] = []
        for n, x in enumerate(self.inputs):
            choices += [
                [axis if n == m else None for m in range(count)] for axis in range(np.ndim(x) + 1)
            ]
        if count > 1:
            choices.append([0] * count)
            choices.append([np.ndim(x) for x in self.inputs])
        for axes in choices:
            each = [
                [example[n] if axis is not None else self.inputs[n] for n, axis in enumerate(axes)]
                for example in examples
            ]
            if axes[0] is None and (self.row.writes or self.row.function.startswith("ndarray.")):
                continue  # what is written into must be traced, and what has the methods
            rows = [self.numpys(*inputs) for inputs in each]
            expected = tree.map(lambda *ys: np.stack(ys), *rows)
            inputs = [
                x if axis is None else np.stack([example[n] for example in examples], axis)
                for n, (x, axis) in enumerate(zip(self.inputs, axes, strict=True))
            ]
            # NumPy's own does not look for traced values in all places.
            f = functraces if None in axes else self.f
            found = outcome(ft.vmap(f, in_axes=tuple(axes)), *inputs)
            compare(found, expected, f"vmap over {axes}")

    def check_derivative(self) -> None:
        self.compare_derivatives(self.inputs)

    def compare_derivatives(self, inputs: list[Any]) -> None:
        g, active = self.f_of_active(self.f, inputs)
        f = self.floating(g)
        if not active or not f(*active):
            return
        tangents = [random(self.rng, type_of(x)) for x in active]
        outputs, pushed = ft.jvp(f, active, tangents)
        slopes = numerical_jvp(f, active, tangents)
        types = [type_of(x) for x in (*active, *outputs)]
        rtol, atol = tolerances(types, self.row.rtol, None)
        for number, (t, slope) in enumerate(zip(pushed, slopes, strict=True)):
            scale = float(np.max(np.abs(slope), initial=1.0))
            if not np.allclose(t, slope, rtol, atol * scale):
                raise CheckError(
                    f"the tangent of output {number} is wrong: {shown(t)}\n"
                    f"finite differences: {shown(slope)}\ninputs: {shown(active)}"
                )
            self.has_slope = self.has_slope or bool(np.any(t))
        if self.row.kind == "constant":
            if self.has_slope:
                raise CheckError("it has a derivative: enter it by row()")
            return
        cotangents = [random(self.rng, type_of(y)) for y in outputs]
        pulled = ft.vjp(f, *active)[1](cotangents)
        for x, c in zip(active, pulled, strict=True):
            if type_of(c)[:2] != type_of(x)[:2]:
                raise CheckError(f"a {type_of(x)} has a cotangent of type {type_of(c)}")
        forward, scale = pairing(cotangents, pushed)
        backward, other = pairing(pulled, tangents)
        if not agree(forward, backward, atol + rtol * max(scale, other)):
            raise CheckError(f"the modes differ: {forward} by jvp, {backward} by vjp")

    def pullback(self) -> tuple[Callable[..., Any], list[Any]] | None:
        """The function from the differentiated arrays to their cotangents."""
        g, active = self.f_of_active(self.f, self.inputs)
        f = self.floating(g)
        if self.row.kind == "constant" or not active or not f(*active):
            return None
        cotangents = [random(self.rng, type_of(y)) for y in f(*active)]
        return lambda *xs: ft.vjp(f, *xs)[1](cotangents), active

    def check_second_order(self) -> None:
        found = self.pullback()
        if found is None:
            return
        pulled, active = found
        tangents = [random(self.rng, type_of(x)) for x in active]
        slopes = numerical_jvp(pulled, active, tangents)
        rtol, atol = tolerances([type_of(x) for x in active], self.row.rtol, None)
        for t, slope in zip(ft.jvp(pulled, active, tangents)[1], slopes, strict=True):
            scale = float(np.max(np.abs(slope), initial=1.0))
            if not np.allclose(t, slope, rtol, 10 * atol * scale):
                raise CheckError(
                    f"the derivative of the pullback is wrong: {shown(t)}\n"
                    f"finite differences: {shown(slope)}"
                )

    def check_compiled_gradient(self) -> None:
        found = self.pullback()
        if found is None or self.row.kind == "known":
            return
        pulled, active = found
        compare(outcome(ft.jit(pulled), *active), pulled(*active), "jit of the pullback")

    def check_dtypes(self) -> None:
        if not any(s.domain.kind == "f" and s.value is None for s in inputs_of(self.call)):
            return
        for dtype in self.row.dtypes:
            inputs = drawn(self.call, self.rng, dtype)
            expected = outcome(self.numpys, *inputs)
            try:
                if np.dtype(dtype).kind in "fc":
                    self.everywhere(self.f, inputs, expected)
                elif self.row.kind != "known":
                    found = outcome(partial(_recorded, self.f), *inputs)
                    compare(found, expected, "make_ir and evaluate")
                if dtype == "float32" and self.row.kind != "constant":
                    self.require_dtypes_of_cotangents(inputs)
                if (
                    dtype == "complex128"
                    and self.row.is_complex
                    and "derivative" not in self.row.skip
                    and not isinstance(expected, Exception)
                ):
                    self.compare_derivatives(inputs)
            except Exception as error:
                error.add_note(f"in {dtype}")
                raise

    def require_dtypes_of_cotangents(self, inputs: list[Any]) -> None:
        g, active = self.f_of_active(self.f, inputs)
        f = self.floating(g)
        if isinstance(outcome(f, *active), Exception) or not active:
            return
        ys, pull = ft.vjp(f, *active)
        for x, c in zip(active, pull([np.ones_like(y)[()] for y in ys]), strict=True):
            if c is not None and np.asarray(c).dtype != x.dtype:
                raise CheckError(f"a {x.dtype} array has a cotangent of {np.asarray(c).dtype}")

    def check_shapes(self) -> None:
        for call in self.others:
            inputs = outcome(drawn, call, self.rng)
            if isinstance(inputs, Exception):
                continue  # the domain has no such values
            numpys = of_inputs(function_of(self.row), call, self.row.writes)
            f = of_inputs(self.function, call, self.row.writes)
            try:
                expected = outcome(numpys, *inputs)
                if isinstance(expected, Exception):
                    expected = AnyError()  # which of several faults is found first is left open
                self.everywhere(f, inputs, expected)
            except Exception as error:
                error.add_note(f"with shapes {list(map(np.shape, inputs))}")
                raise

    def check_layout(self) -> None:
        seen = [_strides(self.inputs)]
        for other in (_transposed, _spaced, _reversed):
            inputs = [other(x) for x in self.inputs]
            if _strides(inputs) in seen:  # without axes, or with one
                continue
            seen.append(_strides(inputs))
            try:
                expected = self.numpys(*inputs)
            except ValueError:  # NumPy takes no array that lies so, as a view of another dtype
                continue
            self.everywhere(self.f, inputs, expected)
            if self.row.kind != "known":
                compare(outcome(ft.jit(self.f), *inputs), expected, "jit")


def _recorded(f: Callable[..., Any], *inputs: Any) -> Any:
    """What a function computes as a recorded Program, in the structure of its output."""
    structure: list[Any] = []

    def flat(*xs: Any) -> Any:
        leaves, found = tree.flatten(f(*xs))
        structure[:] = [found]
        return leaves

    program = ft.make_ir(flat)(*inputs)
    return structure[0].unflatten(ft.evaluate(program, *inputs))


# Arrays that are not contiguous


def _strides(inputs: Sequence[Any]) -> list[Any]:
    return [getattr(x, "strides", None) for x in inputs]


def _transposed(x: Any) -> Any:
    return np.asfortranarray(x) if np.ndim(x) > 1 else _spaced(x)


def _spaced(x: Any) -> Any:
    if not np.ndim(x):
        return x
    wide = np.repeat(x, 2, axis=-1)
    return wide[..., ::2]


def _reversed(x: Any) -> Any:
    return np.ascontiguousarray(x[::-1])[::-1] if np.ndim(x) else x
