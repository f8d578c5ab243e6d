"""The family of SciPy's elementwise functions: values are SciPy's, derivatives are stated by us.

SciPy is imported when one of them is first applied, and this file when one of them is first met
(`functrace.ir.primitive.all_primitives`). A derivative is stated with the functions of the same
family (`f`), which are applied as any others are; so both modes, maps and higher orders follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from functrace.errors import MissingRuleError, UnsupportedFunctionError
from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import PRIMITIVES, Types, Values
from functrace.ir.types import ArrayType, broadcast_shapes, type_of
from functrace.primitives.broadcasting import Elementwise, PartialMap, input_dtypes, resolved_dtypes
from functrace.primitives.linear import cast_to, conform, dtype_of, widen
from functrace.primitives.special import Loops, f
from functrace.tracing import numpy_warnings
from functrace.tracing.optional import scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tables import NAMED_UFUNCS


class ScipyUfunc:
    """An elementwise function of ``scipy.special``, imported when it is first needed.

    It stands where `Elementwise` and `Loops` have a ufunc: it tells dtypes, and computes.

    Args:
        name: Its public name.
        types: Of a function that is no ufunc, the dtypes with which it computes, as of a ufunc.
    """

    def __init__(self, name: str, types: str = "") -> None:
        self.__name__ = name
        self._loops = Loops(types) if types else None

    @cached_property
    def function(self) -> Any:
        """SciPy's own.

        Raises:
            MissingPackageError: SciPy is not installed.
            UnsupportedFunctionError: This version of SciPy has none of the name.
        """
        name = self.__name__
        special = scipy_module("special", f"functrace.scipy.special.{name}")
        try:
            return getattr(special, name)
        except AttributeError:
            raise UnsupportedFunctionError(
                f"The installed version of SciPy has no scipy.special.{name}.",
                source_of(user_place(2)),
                "Install a later one.",
            ) from None

    @property
    def _ufunc(self) -> Any:
        return self._loops or self.function

    @property
    def nin(self) -> int:
        """How many inputs it has."""
        return self._ufunc.nin

    @property
    def nout(self) -> int:
        """How many outputs it has."""
        return self._ufunc.nout

    def resolve_dtypes(self, operands: Sequence[Any]) -> Sequence[np.dtype[Any]]:
        """The dtypes of inputs and outputs, as `numpy.ufunc.resolve_dtypes` tells them."""
        return self._ufunc.resolve_dtypes(operands)

    def __call__(self, *inputs: Any) -> Any:
        """Compute."""
        if self._loops is None:
            return self.function(*inputs)
        return self._loops.adapted(self.function)(*inputs)


class NoDerivative(NamedTuple):
    """What stands in place of a partial derivative by an argument that has none.

    Attributes:
        argument: The argument, as SciPy's documentation calls it.
        why: Why there is none.
    """

    argument: str
    why: str = "no closed form is known"

    def of(self, name: str) -> PartialMap:
        """The map of a function that refuses to be differentiated by this argument."""

        def refuse(*_: Any) -> Any:
            raise MissingRuleError(
                f"scipy.special.{name} has no derivative by its argument {self.argument}: "
                f"{self.why}.",
                advice=f"Differentiate by the other arguments only, or hold {self.argument} fixed "
                "by functrace.stop_gradient; functrace.extend.wrap gives it a derivative of yours.",
            )

        return refuse


def holomorphic(x: Any, name: str) -> None:
    """Refuse complex numbers of which a function with an absolute value has no derivative."""
    if dtype_of(x).kind == "c":
        NoDerivative("z", "of complex numbers it is not holomorphic").of(name)()


class OfScipy(Elementwise):
    """A function with one output, and a partial derivative by each input.

    Attributes:
        held: The arguments by which it has no derivative, as SciPy calls them.
    """

    def __init__(
        self,
        name: str,
        *partials: PartialMap | NoDerivative,
        ufunc: Any = None,
        called: str | None = None,
        **traits: Any,
    ) -> None:
        """Name the primitive, and let SciPy's ufunc mean it on tracers.

        Args:
            name: SciPy's public name of it, which may be that of another primitive already.
            partials: One for each input; none at all for a locally constant function.
            ufunc: What tells its dtypes and computes it, if it is no ufunc of SciPy's.
            called: How SciPy's ufunc itself is called, where that is another name; empty where
                there is none.
            traits: The attributes of `Primitive` in which it differs from others.
        """
        ufunc = ufunc or ScipyUfunc(name)
        public = getattr(ufunc, "__name__", name)
        maps = [self._of_computed(public, each) for each in partials]
        traits = {"is_fresh": True, "takes_infinity": True, **traits}
        own = f"scipy_{name}" if name in PRIMITIVES else name
        super().__init__(own, ufunc, *maps, run=ufunc, **traits)
        self.held = tuple(x.argument for x in partials if isinstance(x, NoDerivative))
        if called is None:
            called = name
        if called:
            NAMED_UFUNCS[called] = self

    def _of_computed(self, name: str, rule: PartialMap | NoDerivative) -> PartialMap:
        if isinstance(rule, NoDerivative):
            return rule.of(name)
        return lambda t, out, *inputs: rule(t, out, *self.as_computed(inputs))

    def as_computed(self, inputs: Values) -> Values:
        """The inputs in the dtypes with which SciPy computes: rules know no small integers.

        Nor do they know numbers of Python's, which raise errors where they are divided by zero.
        """
        types = [type_of(x) for x in inputs]
        dtypes = input_dtypes(self.ufunc, self.operands(types))
        return [
            dtype.type(x)
            if isinstance(x, int | float | complex) and not isinstance(x, np.generic)
            else (x if type.weak or type.dtype == dtype else cast_to(x, dtype))
            for x, type, dtype in zip(inputs, types, dtypes, strict=True)
        ]

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """Functions of Python's keep no order."""
        if not isinstance(getattr(self.run, "function", None), np.ufunc):
            return None
        return super().order_of_axes(orders, types, rank, params)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The ufunc, on arrays with an array to write to."""
        (type,) = outputs
        function = getattr(self.run, "function", None)
        if not type.shape or not isinstance(function, np.ufunc):
            return None
        call = ", ".join(self.places(names, inputs))
        name = names.function(self.name, function)
        return Code(
            f"{name}({call})", f"{name}({call}, {{out}})", in_place=True, is_contiguous=None
        )


Slopes = Callable[..., Sequence[Any]]
"""``(outputs, *inputs) -> d(outputs)/d(input)``, one for each output."""


class SeveralOfScipy(OfScipy):
    """A function with several outputs.

    Attributes:
        held: As of `OfScipy`.
        slopes: For each input a function of the outputs and the inputs, which gives the derivative
            of each output by it.
    """

    multiple_outputs = True

    def __init__(self, name: str, *slopes: Slopes | NoDerivative, **traits: Any) -> None:
        """Name the primitive, and let SciPy's ufunc mean it on tracers."""
        super().__init__(name, *slopes, **traits)
        self.slopes = self.partials

    def _of_computed(self, name: str, rule: Slopes | NoDerivative) -> PartialMap:
        if isinstance(rule, NoDerivative):
            return rule.of(name)
        return lambda outputs, *inputs: rule(outputs, *self.as_computed(inputs))

    def infer(self, *types: ArrayType) -> Any:
        """The broadcast shape, and the dtypes that the ufunc chooses."""
        return self._inferred_outputs(types)

    @lru_cache(maxsize=4096)  # noqa: B019  (primitives live as long as functrace)
    def _inferred_outputs(self, types: tuple[ArrayType, ...]) -> tuple[ArrayType, ...]:
        shape = broadcast_shapes(*(type.shape for type in types))
        dtypes = resolved_dtypes(self.ufunc, self.operands(types))
        return tuple(ArrayType(shape, dtype) for dtype in dtypes[self.ufunc.nin :])

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """It is called by its `run`."""
        return None

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Of each output the sum over the inputs."""
        totals: list[Any] = [None] * len(output)
        begun = numpy_warnings.begin_silence()  # as for one output
        try:
            for t, slopes in zip(tangents, self.slopes, strict=True):
                if t is None:
                    continue
                for n, slope in enumerate(slopes(output, *inputs)):
                    term = widen(t * slope, output[n])
                    totals[n] = term if totals[n] is None else totals[n] + term
        finally:
            if begun is not None:
                numpy_warnings.end_of_rule(begun)
        return tuple(totals)

    def vjp(self, cotangent: Any, inputs: Values, output: Any, needed: Values) -> Values:
        """Of each input the sum over the outputs."""
        parts: list[Any] = []
        for need, slopes, x in zip(needed, self.slopes, inputs, strict=True):
            total = None
            if need is not None:
                for t, slope in zip(cotangent, slopes(output, *inputs), strict=True):
                    if t is not None:
                        total = t * slope if total is None else total + t * slope
            parts.append(None if total is None else conform(total, x))
        return parts

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Line up the batch axes in front; broadcasting does the rest."""
        output, axis = super().batch(size, inputs, axes, **params)
        return output, (axis,) * len(output)


def rule(name: str, *partials: PartialMap | NoDerivative, **options: Any) -> OfScipy:
    """Enter a function with one output: see `OfScipy`."""
    primitive = OfScipy(name, *partials, **options)
    f.enter(name, primitive)
    return primitive


def rules(name: str, *slopes: Slopes | NoDerivative, **options: Any) -> SeveralOfScipy:
    """Enter a function with several outputs: see `SeveralOfScipy`."""
    primitive = SeveralOfScipy(name, *slopes, **options)
    f.enter(name, primitive)
    return primitive
