"""pure_callback and debug callbacks: ordinary Python functions, called when a Program runs.

Where values are not known while a function is recorded (``jit``, ``vmap``, loops), a call of
Python code must be an operation of its own, to be run on NumPy values later. `pure_callback` is for
functions with a result; the callbacks of `functrace.debug` are for what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError, MissingRuleError
from functrace.ir.primitive import Primitive, Values
from functrace.ir.types import ArrayType, type_of, with_axis
from functrace.rules.solving import HostFunction, one_by_one
from functrace.tracebacks import boundary
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.program_recording import recording_of_effects
from functrace.tracing.recording import ValueRecording, youngest_birth
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms.calling import owned
from functrace.transforms.shapes import has_shape_and_dtype
from functrace.transforms.transformed import require_callable

VMAP_METHODS = (None, "sequential", "sequential_unrolled", "expand_dims", "broadcast_all")
"""What `pure_callback` can do under `vmap`."""


class PureCallback(Primitive):
    """Call a function without side effects.

    Parameters: ``callback``, a `HostFunction`; ``vmap_method``, what to do with many examples.
    """

    multiple_outputs = True
    calls_python = True

    def run(self, *inputs: Any, callback: HostFunction, vmap_method: str | None) -> Any:
        """Call it, and look at what it returns."""
        found = callback(*inputs)
        return tuple(
            _as_said(x, type, callback.name) for x, type in zip(found, callback.types, strict=True)
        )

    def infer(self, *types: ArrayType, callback: HostFunction, vmap_method: str | None) -> Any:
        """What the user said."""
        return callback.types

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """There is none."""
        raise _no_derivative(params["callback"])

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """There is none."""
        raise _no_derivative(params["callback"])

    def batch(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        *,
        callback: HostFunction,
        vmap_method: str | None,
    ) -> tuple[Any, Any]:
        """Call it for each example, or once for arrays with an axis of examples in front."""
        if vmap_method is None:
            raise MissingRuleError(
                f"pure_callback of {callback.name} was given no vmap_method, so vmap cannot call "
                "it. Give 'sequential', or, where it takes arrays with a leading axis, "
                "'expand_dims' or 'broadcast_all'."
            )
        if vmap_method.startswith("sequential"):
            given, many = list(inputs), one_by_one(callback, size, axes)
        else:
            length = size if vmap_method == "broadcast_all" else 1
            given = [
                np.broadcast_to(x, (length, *np.shape(x)))
                if axis is None
                else np.moveaxis(x, axis, 0)
                for x, axis in zip(inputs, axes, strict=True)
            ]
            types = [with_axis(type, size, 0) for type in callback.types]
            many = HostFunction(callback.name, callback.function, types)
        outputs = bind(self, *given, callback=many, vmap_method=vmap_method)
        return outputs, (0,) * len(outputs)


def _no_derivative(callback: HostFunction) -> MissingRuleError:
    return MissingRuleError(
        f"pure_callback of {callback.name} has no derivative: functrace cannot see into it. Wrap "
        "the call in a function with functrace.custom_jvp or custom_vjp, or hand it "
        "functrace.stop_gradient(x)."
    )


class DebugCallback(Primitive):
    """Call a function for what it does. It has no outputs. Parameter: ``callback``."""

    multiple_outputs = True
    calls_python = True
    has_effect = True
    locally_constant = True  # so recordings that follow values call it at once, and once only

    def run(self, *inputs: Any, callback: HostFunction) -> Any:
        """Call it; where a function is being recorded, let its Program call it, each time."""
        recording = recording_of_effects()
        if recording is None:
            callback(*inputs)
        else:  # copies: arrays may be written before the Program runs
            recording.record(self, [np.copy(x)[()] for x in inputs], {"callback": callback})
        return ()

    def infer(self, *types: ArrayType, callback: HostFunction) -> Any:
        """Nothing."""
        return ()

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Nothing."""
        return ()

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """Nothing."""
        return (None,) * len(inputs)

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], *, callback: HostFunction
    ) -> tuple[Any, Any]:
        """Call it for one example after the other."""
        return bind(self, *inputs, callback=one_by_one(callback, size, axes)), ()


pure_callback_primitive = PureCallback("pure_callback")
debug_callback_primitive = DebugCallback("debug_callback")


def _as_said(x: Any, type: ArrayType, name: str) -> Any:
    """A result of a callback, once it is known to be what the user said it would be."""
    array = np.array(x)  # a copy: what the user's function returns stays the user's
    is_number = isinstance(x, bool | int | float | complex) and not isinstance(x, np.generic)
    if array.shape != type.shape or (array.dtype != type.dtype and not is_number):
        raise ArgumentError(
            f"The callback {name} returned a {type_of(array)}, but result_shape_dtypes says {type}."
        )
    return array.astype(type.dtype)[()] if is_number else array[()]


def _said_type(x: Any) -> ArrayType:
    """The type that the user said a result has: by an array, a number or a `ShapeDtypeStruct`."""
    if has_shape_and_dtype(x):
        return ArrayType(tuple(x.shape), np.dtype(x.dtype))
    try:
        return type_of(x).strong
    except TypeError:
        raise ArgumentError(
            f"result_shape_dtypes holds a {type(x).__qualname__}, which has no shape and dtype.",
            source_of(user_place(2)),
            "Write functrace.ShapeDtypeStruct(shape, dtype) for each result.",
        ) from None


@boundary
def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """Call a Python function that functrace cannot record, such as one of another library.

    As ``jax.pure_callback``. The function gets NumPy arrays and scalars under every
    transformation. It must not have side effects: how often it is called is not promised. It has
    no derivative; give it one with `custom_jvp` or `custom_vjp`.

    Args:
        callback: Takes ``args`` and ``kwargs``; returns a tree like ``result_shape_dtypes``.
        result_shape_dtypes: A tree of objects with a shape and a dtype: arrays, numbers, or
            `ShapeDtypeStruct`.
        args: Trees of arrays.
        vmap_method: What `vmap` does. "sequential": call it for one example after the other; so
            does "sequential_unrolled".
            "expand_dims": call it once, with an axis of examples in front of each argument, which
            has length 1 where the argument is not mapped. "broadcast_all": the same, with the
            number of examples as the length of each. None: raise.
        kwargs: More trees of arrays.

    Returns:
        The result.

    Raises:
        ArgumentError: The result does not have the structure, a shape or a dtype that was said, or
            nothing of that kind was said.
        MissingRuleError: It is differentiated, or mapped without ``vmap_method``.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def middle(x):
        ...     return np.float64(sorted(x.tolist())[x.size // 2])
        >>> result = ft.ShapeDtypeStruct((), np.float64)
        >>> f = ft.jit(lambda x: 2 * ft.pure_callback(middle, result, x))
        >>> f(np.array([3.0, 1.0, 2.0]))
        np.float64(4.0)
    """
    require_callable(callback, "pure_callback", "callback")
    if vmap_method not in VMAP_METHODS:
        raise ArgumentError(
            f"vmap_method must be one of {VMAP_METHODS}, not {vmap_method!r}.",
            source_of(user_place(2)),
        )
    said, result_structure = tree.flatten(result_shape_dtypes, is_leaf=has_shape_and_dtype)
    types = [_said_type(x) for x in said]
    leaves, structure = tree.flatten((args, kwargs))
    name = getattr(callback, "__name__", "callback")

    def called(*values: Any) -> list[Any]:
        given_args, given_kwargs = structure.unflatten([owned(value) for value in values])
        result = callback(*given_args, **given_kwargs)
        found, found_structure = tree.flatten(result)
        if found_structure != result_structure:
            example = result_structure.unflatten([0] * len(types))
            raise ArgumentError(
                f"The callback {name} returned another structure than result_shape_dtypes has. "
                f"{tree.first_difference(example, result)}"
            )
        return found

    host = HostFunction(name, called, types)
    outputs = bind(
        pure_callback_primitive,
        *(as_operand(x) for x in leaves),
        callback=host,
        vmap_method=vmap_method,
    )
    return result_structure.unflatten(outputs)


def debug_callback(callback: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """Call a function on values, now or whenever the traced ones among its arguments are known."""
    leaves, structure = tree.flatten((args, kwargs))
    traced = [number for number, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]
    # Arrays may be written after this: their copies stay what they are now.
    plain = [None if isinstance(leaf, Tracer) else owned(leaf) for leaf in leaves]

    def called(*values: Any) -> list[Any]:
        full = list(plain)
        for number, value in zip(traced, values, strict=True):
            full[number] = value
        given_args, given_kwargs = structure.unflatten([owned(value) for value in full])
        callback(*given_args, **given_kwargs)
        return []

    host = HostFunction(getattr(callback, "__name__", "callback"), called, ())
    inputs = [_unfollowed(leaves[number]) for number in traced]
    recording = recording_of_effects()
    if recording is not None and 0 < youngest_birth(inputs) < recording.birth:
        # What is captured from further out is shown here too each time that this runs.
        recording.record(debug_callback_primitive, inputs, {"callback": host})
    else:
        bind(debug_callback_primitive, *inputs, callback=host)


def _unfollowed(x: Any) -> Any:
    """What a traced value is in the innermost recording that does not follow values."""
    while isinstance(x, Tracer) and isinstance(x.recording, ValueRecording):
        x = x.recording.value_of(x)
    return x
