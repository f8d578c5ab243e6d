"""Loops, branches, maps and collectives with the arguments of ``jax.lax``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.choices import cond as _cond
from functrace.control.choices import switch as _switch
from functrace.control.collectives import (
    all_to_all,
)
from functrace.control.mapping import map_rows
from functrace.errors import ArgumentError
from functrace.primitives.linear import shape_of
from functrace.tracebacks import boundary
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.transforms.batch import vmap

_NOT_GIVEN: Any = object()


@boundary
def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    operand: Any = _NOT_GIVEN,
) -> Any:
    """As `functrace.cond`; a single operand may also be given by keyword.

    JAX's older form ``cond(pred, true_operand, true_fun, false_operand, false_fun)``, where each
    function has an operand of its own, is understood as well.

    Example:
        >>> from functrace import lax
        >>> lax.cond(True, lambda x: x + 1, lambda x: x - 1, operand=3)
        4
        >>> lax.cond(False, 3, lambda x: x + 1, 5, lambda x: x - 1)
        4
    """
    if len(operands) == 2 and not (callable(true_fun) and callable(false_fun)):
        first: Any = true_fun
        true_operand, true_fun, false_operand, false_fun = first, false_fun, *operands
        return _cond(
            pred,
            lambda own, _: true_fun(own),
            lambda _, own: false_fun(own),
            true_operand,
            false_operand,
        )
    return _cond(pred, true_fun, false_fun, *_with_keyword(operands, operand))


@boundary
def switch(
    index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, operand: Any = _NOT_GIVEN
) -> Any:
    """As `functrace.switch`; a single operand may also be given by keyword.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace import lax
        >>> ft.jit(lambda i, x: lax.switch(i, [np.negative, np.square], x))(1, 3.0)
        np.float64(9.0)
    """
    return _switch(index, branches, *_with_keyword(operands, operand))


@boundary
def platform_dependent(
    *args: Any, default: Callable[..., Any] | None = None, **per_platform: Callable[..., Any]
) -> Any:
    """Call the function that is meant for processors, ``cpu=``, or else the default.

    Args:
        args: The arguments of the function.
        default: What is called if there is no function for processors.
        per_platform: A function for each platform, by its name.

    Raises:
        ArgumentError: There is neither.

    Example:
        >>> from functrace import lax
        >>> lax.platform_dependent(3.0, cpu=lambda x: x + 1.0, cuda=lambda x: x - 1.0)
        4.0
    """
    chosen = per_platform.get("cpu", default)
    if chosen is None:
        raise ArgumentError(
            "platform_dependent was given neither a function for the platform cpu nor a default, "
            f"but functions for {', '.join(sorted(per_platform)) or 'none'}."
        )
    return chosen(*args)


def _with_keyword(operands: tuple[Any, ...], operand: Any) -> tuple[Any, ...]:
    if operand is _NOT_GIVEN:
        return operands
    if operands:
        raise ArgumentError("Operands were given both by position and by the keyword operand.")
    return (operand,)


@boundary
def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply a function to one row after another, or to ``batch_size`` rows at once.

    Args:
        f: A function of one row.
        xs: A tree of arrays of which the first axes have the same length.
        batch_size: How many rows are mapped at once by `functrace.vmap`.

    Returns:
        The stacked results.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.map(lambda x: x * x, np.arange(5.0), batch_size=2)
        array([ 0.,  1.,  4.,  9., 16.])
    """
    if batch_size is None:
        return map_rows(f, xs)
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"batch_size={batch_size!r} is no number of rows.")
    leaves = [as_operand(x) for x in tree.leaves(xs)]
    if not leaves:
        raise ArgumentError("map was given no arrays.")
    count = shape_of(leaves[0])[0]
    whole = count // batch_size * batch_size
    mapped = vmap(f)

    def in_batches(x: Any) -> Any:
        return np.reshape(x[:whole], (-1, batch_size, *shape_of(x)[1:]))

    parts: list[Any] = []
    if whole or not count:
        found = map_rows(mapped, tree.map(in_batches, xs))
        parts.append(tree.map(lambda y: np.reshape(y, (whole, *shape_of(y)[2:])), found))
    if whole < count:
        parts.append(mapped(tree.map(lambda x: x[whole:], xs)))
    return tree.map(lambda *rows: np.concatenate(rows), *parts)


def optimization_barrier(operand: Any) -> Any:
    """The same values. In JAX the compiler does not look beyond them; here nothing does.

    Example:
        >>> from functrace import lax
        >>> lax.optimization_barrier((1.0, 2.0))
        (1.0, 2.0)
    """
    return operand


def pswapaxes(x: Any, axis_name: Any, axis: int, *, axis_index_groups: Any = None) -> Any:
    """Exchange an axis with that of the examples, which has the same length.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> f = lambda x: ft.lax.pswapaxes(x, "i", 0)
        >>> ft.vmap(f, axis_name="i")(np.arange(4.0).reshape(2, 2))
        array([[0., 2.],
               [1., 3.]])
    """
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)


globals().update(entrances(globals()))
