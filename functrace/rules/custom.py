"""custom_jvp and custom_vjp: functions whose derivative the user gives.

A call of such a function is one operation. Where nothing asks for a derivative it runs the
function; forward and reverse mode call the user's rules in its place. One rule is enough: the
other mode transposes it. On values the function and the rules run as ordinary Python; where a
value is not known the function is recorded first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

import numpy as np

from functrace import depth, tree
from functrace.errors import ArgumentError, MissingRuleError, UnknownValueError
from functrace.ir.types import UNKNOWN
from functrace.rules.custom_rules import Call, UsesYoungerValue, name_of
from functrace.tracebacks import boundary
from functrace.tracing.entrances import is_recording
from functrace.tracing.recording import youngest_birth
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer
from functrace.transforms.arguments import operands
from functrace.transforms.batch import named_axes
from functrace.transforms.transformed import importable_name, require_callable

P = ParamSpec("P")
R = TypeVar("R")
Self_ = TypeVar("Self_")
Rest = ParamSpec("Rest")


class FunctionWithRules(Generic[P, R]):
    """A function that the user gives rules; a method in the body of a class, as functions are."""

    def __init__(self, f: Callable[P, R]) -> None:
        """Wrap the function, of trees of arrays."""
        wrapper: Any = self
        update_wrapper(wrapper, f)
        self._f = f

    def __reduce_ex__(self, protocol: Any) -> Any:
        # By name where it is found, which is that of the function.
        return importable_name(self) or super().__reduce_ex__(protocol)

    @overload
    def __get__(
        self: FunctionWithRules[Concatenate[Self_, Rest], R], instance: Self_, owner: type[Self_], /
    ) -> Callable[Rest, R]: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> Self: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # As functions do: accessed on an object, a method with the object as first argument.
        function: Any = self
        return function if instance is None else partial(function, instance)


class CustomFunction(FunctionWithRules[P, R]):
    """A function with derivative rules that the user gives."""

    def __init__(
        self,
        f: Callable[P, R],
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ) -> None:
        """Wrap the function.

        Args:
            f: The function, of trees of arrays.
            nondiff_argnums: The positions of arguments that are no arrays, or are never
                differentiated: functions, strings, options. Rules get them first.
            nondiff_argnames: The names of more such arguments.

        Raises:
            ArgumentError: The function has no parameter of such a name.
        """
        super().__init__(f)
        numbers = [nondiff_argnums] if isinstance(nondiff_argnums, int) else nondiff_argnums
        names = [nondiff_argnames] if isinstance(nondiff_argnames, str) else nondiff_argnames
        self._static = (*numbers, *(_position(f, name) for name in names))
        self._jvp: Callable[..., Any] | None = None
        self._forward: Callable[..., Any] | None = None
        self._backward: Callable[..., Any] | None = None
        self._symbolic_tangents = False
        self._symbolic_cotangents = False

    def __repr__(self) -> str:
        return f"<{name_of(self._f)}, a function with derivative rules of its own>"

    @boundary
    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Give the forward rule; usable as a decorator.

        Args:
            jvp: ``jvp(*nondiff, primals, tangents)`` returns the output and its tangent, a tree
                like the output. ``primals`` and ``tangents`` are tuples with one entry for each
                argument that is not in ``nondiff_argnums``.
            symbolic_zeros: Whether tangents that are zero come as None, not as arrays of zeros.

        Returns:
            The rule.
        """
        require_callable(jvp, "defjvp", "jvp")
        self._jvp = jvp
        self._symbolic_tangents = symbolic_zeros
        return jvp

    @boundary
    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Give one forward rule for each argument; the tangents are added.

        Args:
            jvps: ``jvp(tangent, output, *primals)`` returns the output's tangent for a tangent of
                that argument; None where the derivative is zero.

        Raises:
            ArgumentError: The function has arguments that are not differentiated, or it is called
                with another number of arguments than there are rules.
        """
        if self._static:
            raise ArgumentError(
                f"{name_of(self._f)} has arguments that are not differentiated, which defjvps "
                "cannot pass on.",
                advice="Give the rule with defjvp.",
            )

        def jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            function: Any = self
            if len(jvps) != len(primals):
                raise ArgumentError(
                    f"{name_of(self._f)} has {len(primals)} arguments, but defjvps was given "
                    f"{len(jvps)} rules."
                )
            output = function(*primals)
            total: Any = None
            for rule, tangent in zip(jvps, tangents, strict=True):
                if rule is not None and tangent is not None:
                    part = rule(tangent, output, *primals)
                    total = part if total is None else tree.map(np.add, total, part)
            return output, tree.map(np.zeros_like, output) if total is None else total

        self.defjvp(jvp)

    @boundary
    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Give the reverse rule.

        Args:
            fwd: Takes the arguments of the function; returns the output and the residuals, a tree
                of whatever ``bwd`` will need.
            bwd: ``bwd(*nondiff, residuals, cotangent)`` returns a tuple with one cotangent for
                each argument that is not in ``nondiff_argnums``, a tree like the argument; None
                stands for zero, for the argument or for any part of it.
            symbolic_zeros: Whether ``fwd`` takes a `CustomVJPPrimal` for each leaf of the
                arguments, which says whether it is differentiated, and ``bwd`` cotangents that
                are zero as None, not as arrays of zeros.
            optimize_remat: For programs written for JAX, where it lets ``checkpoint`` call the
                function in place of ``fwd`` if both give the same output. It changes nothing here.
        """
        require_callable(fwd, "defvjp", "fwd")
        require_callable(bwd, "defvjp", "bwd")
        self._forward, self._backward = fwd, bwd
        self._symbolic_cotangents = symbolic_zeros

    @boundary
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function.

        Raises:
            MissingRuleError: It has no derivative rule yet.
            CustomRuleError: A rule returned a wrong structure, shape or dtype.
        """
        name = name_of(self._f)
        if self._jvp is None and self._backward is None:
            raise MissingRuleError(
                f"{name} has no derivative rule yet.",
                advice="Give one with defjvp or defvjp before the function is called.",
            )
        positional = positional_arguments(self._f, args, kwargs)
        static = {n % len(positional) if n < 0 else n for n in self._static}
        fixed = [positional[n] for n in sorted(static)]
        dynamic = tuple(x for n, x in enumerate(positional) if n not in static)
        leaves, structure = tree.flatten(dynamic)
        moving = [n for n in range(len(positional)) if n not in static]
        leaves = operands(
            self._f,
            leaves,
            tree.structure((dynamic, {})),
            "custom derivative rules",
            "Name the argument by nondiff_argnums.",
            moving,
        )
        call = Call(self, name, len(positional), static, fixed, structure)
        depth.enter()
        try:
            return _called(call, leaves)
        finally:
            depth.leave()


def _called(call: Call, leaves: list[Any]) -> Any:
    """The output of a call, which is recorded first where values are not known."""
    if call.traced_fixed or any(innermost_value(x) is UNKNOWN for x in leaves):
        return call.record(leaves)
    if not is_recording():
        return call.apply(leaves)
    youngest = call.youngest = youngest_birth(leaves)
    is_around = any(x.recording.birth >= youngest for x in call.taken())
    if is_around or (any(isinstance(x, Tracer) for x in leaves) and named_axes()):
        # The function or a rule takes values from around it, or combines a map's examples.
        try:
            return call.record(leaves)
        except UnknownValueError:  # it needs the values, so it is called on them
            call.youngest = youngest
    try:
        return call.apply(leaves)
    except UsesYoungerValue:
        return call.record(leaves)


def _position(f: Callable[..., Any], name: str) -> int:
    """The position of the parameter of this name."""
    try:
        parameters = list(inspect.signature(f).parameters)
    except ValueError:
        raise ArgumentError(
            f"{name_of(f)} has no signature, and so no parameter {name!r}.",
            advice="Give the positions of such arguments by nondiff_argnums.",
        ) from None
    if name not in parameters:
        raise ArgumentError(f"{name_of(f)} has no parameter {name!r}.")
    return parameters.index(name)


def positional_arguments(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments as positional ones, with defaults filled in."""
    if isinstance(f, np.ufunc) and not kwargs:
        return args  # some versions of NumPy give it a signature, with ``out``, which is no input
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except ValueError:
        if kwargs:
            raise ArgumentError(
                "This function has no signature, so its arguments cannot be passed by keyword."
            ) from None
        return args
    if bound.kwargs:
        raise ArgumentError(
            f"The keyword-only arguments {sorted(bound.kwargs)} cannot be differentiated.",
            advice="Make them positional parameters, or bind them with functools.partial.",
        )
    bound.apply_defaults()  # those of keyword-only parameters are left to the function
    return bound.args


@boundary
def custom_jvp(
    fun: Callable[P, R],
    nondiff_argnums: int | Sequence[int] = (),
    nondiff_argnames: str | Sequence[str] = (),
) -> CustomFunction[P, R]:
    """Make a function whose forward rule is given by ``defjvp``; reverse mode transposes it.

    Args:
        fun: The function, of trees of arrays.
        nondiff_argnums: The positions of arguments that are not differentiated.
        nondiff_argnames: The names of more such arguments.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> @ft.custom_jvp
        ... def log1pexp(x):
        ...     return np.log(1 + np.exp(x))
        >>> @log1pexp.defjvp
        ... def log1pexp_jvp(primals, tangents):
        ...     (x,), (t,) = primals, tangents
        ...     return log1pexp(x), t * (1 - 1 / (1 + np.exp(x)))
        >>> ft.grad(log1pexp)(0.0)
        np.float64(0.5)
    """
    require_callable(fun, "custom_jvp")
    return CustomFunction(fun, nondiff_argnums, nondiff_argnames)


@boundary
def custom_vjp(
    fun: Callable[P, R],
    nondiff_argnums: int | Sequence[int] = (),
    nondiff_argnames: str | Sequence[str] = (),
) -> CustomFunction[P, R]:
    """Make a function whose reverse rule is given by ``defvjp``; forward mode transposes it.

    Args:
        fun: The function, of trees of arrays.
        nondiff_argnums: The positions of arguments that are not differentiated.
        nondiff_argnames: The names of more such arguments.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> @ft.custom_vjp
        ... def clip_gradient(low, high, x):
        ...     return x
        >>> clip_gradient.defvjp(
        ...     lambda low, high, x: (x, (low, high)),
        ...     lambda bounds, ct: (None, None, np.clip(ct, *bounds)),
        ... )
        >>> ft.grad(lambda x: clip_gradient(-1.0, 1.0, x) * 5)(2.0)
        np.float64(1.0)
    """
    require_callable(fun, "custom_vjp")
    return CustomFunction(fun, nondiff_argnums, nondiff_argnames)
