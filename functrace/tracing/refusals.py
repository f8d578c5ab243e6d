"""What is said where Python or NumPy asks a traced value for what it has not.

``range(n)``, ``np.zeros(n)``, ``math.sin(t)`` and ``if t > 0`` all come to the traced value as a
request for a number, and each has another remedy. The user's own expression tells them apart. NumPy
hides some refusals behind errors of its own; the recording keeps the last one, and raises it in
their place.
"""

from __future__ import annotations

import ast
import builtins
import random
from collections.abc import Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from functrace.errors import FunctraceError, OperandError, UnsupportedFunctionError
from functrace.tracing.expressions import expression_at, expressions_around
from functrace.tracing.places import Place, is_users, source_of, user_place
from functrace.tracing.twins import remedy_in_scipy

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

INTEGERS = (
    "An index, a length and a number of trips are integers, which have no derivative: leave the "
    "argument out of what is differentiated, or write int(functrace.stop_gradient(n))."
)
DRAWS = (
    "Random numbers are drawn by what is known: draw outside of the transformed function, and hand "
    "the numbers in as an argument. In place of rng.normal(loc, scale) write loc + scale * z, with "
    "z = rng.normal(size=n) drawn outside, and in place of rng.permutation(x) or rng.choice(x, n) "
    "x[order], with order = rng.permutation(len(x)) or rng.choice(len(x), n). Make a size static: "
    "functrace.jit(f, static_argnums=...)."
)

POSITIONS = (
    "How many there are is not known, and so not the size of the result. Keep the mask in place of "
    "the positions: np.where(mask, x, 0) chooses values, np.count_nonzero(mask) counts them, and "
    "np.argmax(mask) is the first of them. Or give the size, as in functrace.numpy.nonzero(mask, "
    "size=n)."
)
DIFFERENT = (
    "How many different values there are is not known, and so not the size of the result. Write "
    "s = np.sort(x); where s[1:] != s[:-1], a new value begins. Or give the size, as in "
    "functrace.numpy.unique(x, size=n); or call np.unique outside of the compiled function, and "
    "hand in what it gives as an argument."
)
CLOSE = (
    "Whether it is real or complex depends on the values. Write np.real(z) for a real result; or "
    "call np.real_if_close outside of the compiled function."
)
COUNTS = (
    "The largest number says how long the result is. Where all numbers are less than n, write "
    "functrace.numpy.bincount(x, length=n)."
)
ESTIMATES = (
    "How many bins there are is not known, and so not the size of the result. Give their number or "
    "their edges, as in np.histogram(x, bins=20); or call np.histogram_bin_edges outside of the "
    "compiled function, and hand in the edges as an argument."
)
STATIC = (
    "Make the argument static, so that its value is known: functrace.jit(f, static_argnums=...)."
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


_OF_PYTHON = {"max": "maximum", "min": "minimum", "sorted": "sort", "any": "any", "all": "all"}
ASSERTIONS = (
    "In place of `assert` check the values outside of the transformed function, or inside it by "
    "functrace.debug.callback(check, x), which calls a function of yours on them."
)


def advice_on_branch(place: Place | None) -> str:
    """What to write in place of what asks whether a traced value is true."""
    advice: list[str] = []
    for node in expressions_around(place):
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.comprehension | ast.Match):
            advice.append(BRANCHES)
            break
        if isinstance(node, ast.Assert):
            advice.append(ASSERTIONS)
            break
        instead = _without_python(node)
        if instead is not None:
            advice.append(f"In place of `{ast.unparse(node)}` write {instead}.")
        if isinstance(node, ast.Call):  # what was called has asked
            name = ast.unparse(node.func).rpartition(".")[2]
            is_numpys = isinstance(node.func, ast.Attribute) and hasattr(np.ndarray, name)
            is_numpys = is_numpys or (hasattr(np, name) and name != "bool")
            return advice[-1] if instead else LENGTHS if is_numpys else BRANCHES
    return " ".join(advice) or BRANCHES


def _without_python(node: ast.AST) -> str | None:
    """NumPy's way to write an expression of Python's that needs to know what is true."""
    if isinstance(node, ast.BoolOp):
        name = "logical_and" if isinstance(node.op, ast.And) else "logical_or"
        return _nested(name, [ast.unparse(x) for x in node.values])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return f"np.logical_not({ast.unparse(node.operand)})"
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        if any(isinstance(x, ast.In | ast.NotIn) for x in node.ops):
            return f"np.any({ast.unparse(operands[1])} == {ast.unparse(operands[0])})"
        if len(operands) > 2:
            pairs = zip(operands, node.ops, operands[1:], strict=False)
            return _nested(
                "logical_and", [ast.unparse(ast.Compare(x, [o], [y])) for x, o, y in pairs]
            )
        return None
    if not isinstance(node, ast.Call):
        return None
    given = [ast.unparse(x) for x in node.args]
    if isinstance(node.func, ast.Name) and node.func.id in _OF_PYTHON and given:
        name = node.func.id
        if len(given) > 1 and name in ("max", "min"):
            return _nested(_OF_PYTHON[name], given)
        name = name if name in ("max", "min") else _OF_PYTHON[name]
        is_list = isinstance(node.args[0], ast.List | ast.Tuple)
        return f"np.{name}({f'np.stack({given[0]})' if is_list else given[0]})"
    return None


def _nested(name: str, operands: list[str]) -> str:
    """A function of two arrays, applied to more of them."""
    *before, last = operands
    return f"np.{name}({_nested(name, before) if len(before) > 1 else before[0]}, {last})"


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


def advice_on_number(place: Place | None, otherwise: str = NUMBERS) -> str:
    """What to write in place of a function of Python's that takes a number.

    Args:
        place: Where it was called.
        otherwise: What is said where no function of the module `math` was.
    """
    expression = expression_at(place)
    if not isinstance(expression, ast.Call):
        return otherwise
    name = ast.unparse(expression.func).removeprefix("math.")
    if name in vars(builtins) or not hasattr(import_module("functrace.math"), name):
        return otherwise
    instead = ast.Call(ast.Name(f"functrace.math.{name}"), expression.args, expression.keywords)
    return f"In place of {ast.unparse(expression)} write {ast.unparse(instead)}. {otherwise}"


def is_of_draw(traceback: TracebackType | None) -> bool:
    """Whether an exception was raised in a function of the user's that draws random numbers."""
    _, _, step = place_raised(traceback)
    while step is not None:
        if step.tb_frame.f_code.co_filename.startswith(_DRAWING):
            return True
        step = step.tb_next
    return False


_DRAWING = ("numpy/random/", random.__file__)  # compiled code is named so


PANDAS = "Take the numbers out of it first: column.to_numpy() * t in place of column * t."


def is_of_table(traceback: TracebackType | None, tracer_type: type) -> bool:
    """Whether an exception was raised in a library of tables that was given a traced value."""
    _, _, step = place_raised(traceback)
    while step is not None:
        frame = step.tb_frame
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in ("pandas", "xarray") and any(
            isinstance(value, tracer_type) for value in frame.f_locals.values()
        ):
            return True
        step = step.tb_next
    return False


def place_raised(
    traceback: TracebackType | None,
) -> tuple[Place | None, Any, TracebackType | None]:
    """The innermost place in the user's code that an exception passed, its frame and its step."""
    found: tuple[Place | None, Any, TracebackType | None] = (None, None, None)
    while traceback is not None:
        frame = traceback.tb_frame
        if is_users(frame):
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


_BROUGHT_OUT = "Return it from the transformed function, and write what comes back."
_TEXT = (
    "Write str(x) or f'{x}', which show that it is traced; functrace.debug.print shows the values, "
    "in compiled functions too."
)
_STEPS = "In place of an iterator write `for index in np.ndindex(x.shape): x[index]`."
_POLYNOMIALS = (
    "Keep the coefficients in an array: np.polynomial.polynomial.polyval(x, c), or np.polyval with "
    "the highest degree first, and polyadd, polymul, polyder and the others of these modules."
)
_INSTEAD = {
    "array2string": _TEXT, "array_repr": _TEXT, "array_str": _TEXT,
    "format_float_positional": _TEXT, "format_float_scientific": _TEXT,
    "save": _BROUGHT_OUT, "savetxt": _BROUGHT_OUT, "savez": _BROUGHT_OUT,
    "savez_compressed": _BROUGHT_OUT,
    "may_share_memory": "x.copy() is in memory of its own; what is computed shares none.",
    "shares_memory": "x.copy() is in memory of its own; what is computed shares none.",
    "min_scalar_type": "The dtype of a traced value is x.dtype.",
    "AxisConcatenator": "Write functrace.numpy.r_ or functrace.numpy.c_.",
    "poly1d": _POLYNOMIALS, "ABCPolyBase": _POLYNOMIALS,
    "as_strided": "Windows are np.lib.stride_tricks.sliding_window_view(x, shape); other elements "
    "are taken by an index, x[indices].",
    "nditer": _STEPS, "nested_iters": _STEPS, "broadcast": _STEPS,
}  # fmt: skip
"""What to write in place of functions of NumPy's that take no traced values."""


def remedy_for(package: str, name: str) -> str | None:
    """What to write for a function that makes plain arrays of traced values, where there is such.

    Args:
        package: Whose the function is; empty where that is not known.
        name: What it is called there.
    """
    if package in ("pandas", "xarray"):
        return PANDAS
    if name.endswith("(vectorized)"):
        return "Write functrace.numpy.frompyfunc or functrace.numpy.vectorize in place of NumPy's."
    if name.startswith("numpy.polynomial."):
        return f"Write functrace.{name}, which takes traced values everywhere."
    bare = name.rpartition(".")[2]
    if package == "numpy" and (instead := _INSTEAD.get(bare, _INSTEAD.get(name.partition(".")[0]))):
        return instead
    return remedy_in_scipy(f"scipy.special.{bare}")


def unsupported(name: str) -> UnsupportedFunctionError:
    """The error for a function that has no implementation on tracers."""
    return UnsupportedFunctionError(
        f"{name} was called on a traced value, and functrace has no rule for it.",
        source_of(user_place(2)),
        remedy_for("numpy" if name.startswith("numpy.") else "", name),
    )
