"""What ufuncs' keywords mean on tracers: ``out=``, ``where=``, ``dtype=``, ``axes=`` and others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from functrace.errors import OperandError
from functrace.numpy.ufunc_methods import METHODS, at
from functrace.primitives.linear import cast_to, dtype_of
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements, received
from functrace.tracing.operands import as_operand, strong, strong_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tables import FUNCTIONS, public_name
from functrace.tracing.tracer import Tracer, apply_ufunc


@implements(np.ufunc)
def call_ufunc(
    ufunc: np.ufunc, method: str, inputs: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Apply a ufunc with keywords, or one of its methods, to operands that hold a tracer."""
    if method == "__call__":
        return _call_with_options(ufunc, *map(as_operand, inputs), **options)
    if method == "outer":
        return _outer(ufunc, *map(strong_operand, inputs), **options)
    if method == "at":
        return at(ufunc, *inputs)
    if ufunc.nin != 2 or ufunc.nout != 1 or ufunc.signature is not None:
        getattr(ufunc, method)(np.ones(1))  # NumPy's own error
    implementation = METHODS[method]
    (target,) = options.get("out") or (None,)
    if not isinstance(target, Tracer):
        return implementation(ufunc, *inputs, **options)
    rest = {name: option for name, option in options.items() if name != "out"}
    return received(target, implementation(ufunc, *inputs, **rest))


def _call_with_options(
    ufunc: np.ufunc,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: Any = "same_kind",
    order: str = "K",
    subok: bool = True,
    signature: Any = None,
    sig: Any = None,
    **layout: Any,
) -> Any:
    chosen = signature if sig is None else sig
    if order not in _ORDERS:
        raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")
    if dtype is not None or chosen is not None:
        inputs = _cast_for(ufunc, inputs, _loop(ufunc, dtype, chosen), casting)
    elif casting in ("no", "equiv"):  # all else lets promotion be
        _require_uncast(ufunc, inputs, casting)
    if layout or ufunc.signature is not None:
        if where is not True:
            layout["where"] = where  # for NumPy to refuse
        result = _along_axes(ufunc, inputs, **layout)
    else:
        result = apply_ufunc(ufunc, *inputs)
    targets: list[Any] = list(out) if isinstance(out, tuple) else [out]
    if len(targets) > 1:
        parts = zip(result, targets, strict=True)
        return tuple([_written(ufunc, part, target, where, casting) for part, target in parts])
    return _written(ufunc, result, targets[0], where, casting)


_ORDERS = ("K", "A", "C", "F")


def _written(ufunc: np.ufunc, result: Any, out: Any, where: Any, casting: Any) -> Any:
    """A result of a ufunc, written into the argument ``out`` where there is one."""
    if out is not None:
        if not isinstance(out, Tracer):
            reject_out(out)
        _require_castable(ufunc, result, out, casting)
        if casting == "unsafe":
            result = cast_to(result, out.dtype)
    if where is not True:
        if out is None:
            raise OperandError(
                f"{public_name(ufunc)} was called with where= but without out=: the elements "
                "that where= leaves out would have no value.",
                source_of(user_place(2)),
                "Write np.where(condition, new, old) around the call.",
            )
        result = np.where(where, result, out)
    if out is None:
        return strong(result) if isinstance(result, Tracer) else result
    out[...] = result
    return out


def _require_castable(ufunc: np.ufunc, result: Any, out: Tracer, casting: Any) -> None:
    if not np.can_cast(dtype_of(result), out.dtype, casting):
        raise OperandError(
            f"Cannot cast the result of {public_name(ufunc)}, of dtype {dtype_of(result)}, to "
            f"the dtype {out.dtype} of the array that is written by the rule {casting!r}.",
            source_of(user_place(3)),
        )


def _loop(ufunc: np.ufunc, dtype: Any, signature: Any) -> tuple[Any, ...]:
    """The dtypes of inputs and outputs that were asked for, None where none was."""
    if dtype is not None:
        if signature is not None:
            raise TypeError("cannot specify both 'signature' and 'dtype'")
        return (*(None,) * ufunc.nin, *(_of_numbers(dtype),) * ufunc.nout)
    if isinstance(signature, str):
        signature = signature.replace("->", "")
    return tuple(x if x is None else _of_numbers(x) for x in signature)


def _of_numbers(dtype: Any) -> np.dtype[Any]:
    dtype = np.dtype(dtype)
    if dtype.kind not in "biufc":
        raise TypeError(f"a traced array is one of numbers, and cannot have the dtype {dtype}")
    return dtype


def _along_axes(
    ufunc: np.ufunc, inputs: Sequence[Any], *, axes: Any = None, axis: Any = None,
    keepdims: Any = False, **others: Any,
) -> Any:  # fmt: skip
    """Apply a generalised ufunc, whose operands have their core axes at other places than last."""
    given = {"axes": axes, "axis": axis}
    given = {name: value for name, value in given.items() if value is not None} | others
    if keepdims is not False:
        given["keepdims"] = keepdims
    if not given:
        return apply_ufunc(ufunc, *inputs)
    # What NumPy says of the keywords depends on the ranks alone.
    ufunc(*(np.ones((1,) * np.ndim(x)) for x in inputs), **given)
    *of_inputs, of_output = _core_ranks(ufunc, [np.ndim(x) for x in inputs])
    if axis is not None:
        places: list[tuple[int, ...]] = [(axis,)] * (len(inputs) + bool(keepdims))
    elif axes is not None:
        places = [tuple(np.atleast_1d(place).tolist()) for place in axes]
    else:
        places = [tuple(range(-count, 0)) for count in of_inputs]
    moved = [
        np.moveaxis(x, place, range(-count, 0))
        for x, place, count in zip(inputs, places, of_inputs, strict=False)
    ]
    result = apply_ufunc(ufunc, *moved)
    if keepdims:
        of_output = of_inputs[0]
        result = np.reshape(result, np.shape(result) + (1,) * of_output)
    last = tuple(range(-of_output, 0))
    return np.moveaxis(result, last, places[-1] if len(places) > len(inputs) else last)


def _core_ranks(ufunc: np.ufunc, ranks: Sequence[int]) -> list[int]:
    """How many core axes the inputs and the output have; vectors leave out those marked by ?."""
    signature = str(ufunc.signature)
    cores = [re.findall(r"[\w?]+", core) for core in re.findall(r"\(.*?\)", signature)]
    absent = {
        name
        for core, rank in zip(cores, ranks, strict=False)
        if rank < len(core)
        for name in core
        if name.endswith("?")
    }
    return [sum(name not in absent for name in core) for core in cores]


def _cast_for(
    ufunc: np.ufunc, inputs: Sequence[Any], loop: tuple[Any, ...], casting: Any
) -> tuple[Any, ...]:
    """The inputs in the dtypes from which a ufunc computes by the loop that was asked for.

    Raises:
        TypeError: It computes none from these inputs, or the rule of casting forbids it.
    """
    if len(inputs) != ufunc.nin:
        return tuple(inputs)  # for the call to refuse
    operands = [dtype_of(strong_operand(x)) for x in inputs]
    wanted = ufunc.resolve_dtypes(
        (*operands, *(None,) * ufunc.nout), signature=loop, casting=casting
    )
    return tuple(
        x if dtype_of(x) == own and not _is_number(x) else FUNCTIONS[np.astype](x, own)
        for x, own in zip(inputs, wanted, strict=False)
    )


def _require_uncast(ufunc: np.ufunc, inputs: Sequence[Any], casting: Any) -> None:
    """Check that a ufunc computes from inputs as they are; Python's numbers fit to the others."""
    if len(inputs) != ufunc.nin:
        return  # for the call to refuse
    given = [_PYTHON[dtype_of(x).kind] if _is_number(x) else dtype_of(x) for x in inputs]
    wanted = ufunc.resolve_dtypes((*given, *(None,) * ufunc.nout))
    for number, (x, own, loop) in enumerate(zip(inputs, given, wanted, strict=False)):
        # Of Python's numbers NumPy asks by the rule "equiv" for the dtype that they have alone.
        fits = _is_number(x) and casting == "no" and isinstance(own, type)
        if not fits and not np.can_cast(np.dtype(own), loop, casting):
            raise OperandError(
                f"{public_name(ufunc)} casts its input {number} from {own} to {loop}, which the "
                f"rule of casting {casting!r} forbids.",
                source_of(user_place(3)),
            )


_PYTHON: dict[str, Any] = {"b": np.dtype(bool), "i": int, "f": float, "c": complex}
"""What stands for Python's numbers where NumPy resolves dtypes, by their kind."""


def _is_number(x: Any) -> bool:
    return x.type.weak if isinstance(x, Tracer) else not hasattr(x, "dtype")


def _outer(ufunc: np.ufunc, x: Any, y: Any, **options: Any) -> Any:
    x = np.reshape(x, np.shape(x) + (1,) * np.ndim(y))
    return _call_with_options(ufunc, x, y, **options)
