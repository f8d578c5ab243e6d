"""What is said where Python or NumPy asks a traced value for what it has not.

``range(n)``, ``np.zeros(n)``, ``math.sin(t)`` and ``if t > 0`` all come to the traced value as a
request for a number, and each has another remedy. The user's own expression tells them apart. NumPy
hides some refusals behind errors of its own; the recording keeps the last one, and raises it in
their place.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, NamedTuple

from functrace.errors import FunctraceError, OperandError
from functrace.expressions import expression_at
from functrace.places import PLACES, Place, is_library, source_of

BRANCHES = (
    "In place of `if condition: a` and `else: b` write np.where(condition, a, b), or "
    "functrace.cond(condition, lambda: a, lambda: b) to compute one of them only; in place of "
    "`while` write functrace.while_loop. Without jit and vmap, values are known."
)
TRIPS = (
    "In place of `for i in range(n)` write functrace.fori_loop(0, n, lambda i, carry: ..., carry); "
    "or make n a static argument, whose value is known: functrace.jit(f, static_argnums=...)."
)
LENGTHS = (
    "Shapes and axes must be known while a function is recorded. Make the argument static, so that "
    "its value is known: functrace.jit(f, static_argnums=...) or static_argnames=...; or take the "
    "length from an array, as in x.shape[0]. In place of `for i in range(n)` write "
    "functrace.fori_loop."
)
ITEMS = (
    "A list or tuple does not take a traced index: make an array of it, "
    "functrace.numpy.asarray(values)[i], or choose with functrace.switch(i, branches)."
)
SLICES = (
    "The length of a slice must be known while a function is recorded. In place of x[i:i + 3] "
    "write functrace.lax.dynamic_slice(x, (i,), (3,)) or functrace.numpy.take(x, i + np.arange(3), "
    "axis=0); or make the bounds static arguments: functrace.jit(f, static_argnums=...)."
)
NUMBERS = (
    "Stay with arrays: np.sin(t) or functrace.math.sin(t) in place of math.sin(t), "
    "t.astype(dtype) in place of float(t) or int(t). Where Python must have the number, make the "
    "argument static: functrace.jit(f, static_argnums=...)."
)

_CONTAINERS: dict[type, str] = {list: "list", tuple: "tuple", dict: "dict"}


class Refusal(NamedTuple):
    """The last request that a recording's tracers refused.

    Attributes:
        error: What was said.
        place: The instruction of the user's that asked.
    """

    error: FunctraceError
    place: Place | None


def advice_on_index(place: Place | None) -> str:
    """What to write in place of an expression that needs a whole number."""
    expression = expression_at(place)
    if isinstance(expression, ast.Subscript):
        parts = ast.walk(expression.slice)
        return SLICES if any(isinstance(part, ast.Slice) for part in parts) else ITEMS
    if isinstance(expression, ast.Call):
        called = expression.func
        return TRIPS if isinstance(called, ast.Name) and called.id == "range" else LENGTHS
    return LENGTHS


def place_raised(
    traceback: TracebackType | None,
) -> tuple[Place | None, Any, TracebackType | None]:
    """The innermost place in the user's code that an exception passed, its frame and its step."""
    found: tuple[Place | None, Any, TracebackType | None] = (None, None, None)
    while traceback is not None:
        frame = traceback.tb_frame
        if not is_library(frame.f_code.co_filename) and PLACES not in frame.f_globals:
            found = (frame.f_code, traceback.tb_lasti), frame, traceback
        traceback = traceback.tb_next
    return found


def is_of_container(error: BaseException, tracer_type: type) -> OperandError | None:
    """The error for Python's operators on a list of traced values, where one was raised for that.

    Args:
        error: What came out of the user's function.
        tracer_type: The class of traced values.
    """
    if type(error) is not TypeError:
        return None
    place, frame, step = place_raised(error.__traceback__)
    if step is None or step.tb_next is not None:  # raised further in: not by an operator here
        return None
    expression = expression_at(place)
    operands: list[ast.expr] = []
    if isinstance(expression, ast.BinOp):
        operands = [expression.left, expression.right]
    elif isinstance(expression, ast.UnaryOp):
        operands = [expression.operand]
    for operand in operands:
        value = _looked_up(operand, frame.f_locals)
        kind = _CONTAINERS.get(type(value))
        if kind is None or not _holds(value, tracer_type):
            continue
        text = ast.unparse(operand)
        how = f"np.stack({text})" if kind != "dict" else f"its items, {text}[...],"
        return OperandError(
            f"`{text}` is a {kind} of traced values, with which Python's operators do not "
            f"compute: {error}.",
            source_of(place),
            f"Give the function an array, such as np.array([1.0, 2.0]), or use {how} here.",
        )
    return None


def _looked_up(expression: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of a name, or of an item of one; None for what would have to be computed."""
    if isinstance(expression, ast.Name):
        return names.get(expression.id)
    if isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant):
        held = _looked_up(expression.value, names)
        try:
            return held[expression.slice.value] if type(held) in _CONTAINERS else None
        except (LookupError, TypeError):
            return None
    return None


def _holds(value: Any, tracer_type: type) -> bool:
    """Whether a container holds a traced value, or a container that does."""
    if isinstance(value, tracer_type):
        return True
    if type(value) not in _CONTAINERS:
        return False
    items = value.values() if type(value) is dict else value
    return any(_holds(item, tracer_type) for item in items)


def remedy_for(package: str, name: str) -> str | None:
    """What to write for a function that makes plain arrays of traced values, where there is such.

    Args:
        package: Whose the function is; empty where that is not known.
        name: What it is called there.
    """
    if package in ("pandas", "xarray"):
        return "Take the numbers out of it first: column.to_numpy() * t in place of column * t."
    bare = name.rpartition(".")[2]
    place = "functrace.scipy.special"
    offered = getattr(import_module(place), bare, None)  # above this floor: for messages alone
    if getattr(offered, "__module__", None) == place:
        return f"Write {place}.{bare}, which takes traced values."
    return None
