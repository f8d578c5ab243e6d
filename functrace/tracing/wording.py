"""What is said of an operation's inputs: in the words of what the user wrote."""

from __future__ import annotations

import dis
import inspect
import re
import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from functrace import tree
from functrace.errors import (
    AxisRangeError,
    FunctraceError,
    IndexRangeError,
    MatrixShapeError,
    OperandError,
    ShapeMismatchError,
)
from functrace.ir.primitive import Primitive
from functrace.ir.program import Source
from functrace.ir.types import ArrayType, type_of
from functrace.tracing.entrances import ENTRANCE
from functrace.tracing.operands import as_operand
from functrace.tracing.places import (
    OWN_FOLDER,
    is_library,
    is_users_error,
    source_here,
    source_in,
    source_of,
)
from functrace.tracing.refusals import place_raised
from functrace.tracing.tables import UFUNCS
from functrace.tracing.traced_array import TracedArray


def raise_explained(
    error: Exception, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
) -> NoReturn:
    """Raise what NumPy said of a primitive's inputs in the words of functrace."""
    if isinstance(error, FunctraceError):
        raise error
    types = [type_of(x) for x in inputs]
    if not is_users_error(error):
        refusal = _refusal(primitive, types, params)
        if refusal is not None or isinstance(error, IndexError):
            raise explained(refusal or error, primitive, types) from error
    name, types = _written_here() or (primitive.name, types)
    error.add_note(f"in {name} of {shown(types)}\n  at {source_here(1)}")
    raise error


def _refusal(
    primitive: Primitive, types: Sequence[ArrayType], params: dict[str, Any]
) -> Exception | None:
    """What a primitive says of inputs of these types; None if they fit, so that values do not."""
    try:
        primitive.infer(*types, **params)
    except NotImplementedError:  # it does not say, so its error is left alone
        return None
    except (ValueError, TypeError, IndexError) as error:
        return error
    return None


def shown(types: Sequence[ArrayType]) -> str:
    """The types of an operation's inputs."""
    return ", ".join(map(str, types)) or "no inputs"


def explained(error: Exception, primitive: Primitive, types: Sequence[ArrayType]) -> FunctraceError:
    """The error of functrace for what NumPy, or a rule, said of an operation's inputs.

    It speaks of what the user wrote: of ``@``, or of a function of NumPy's and its arguments, where
    the primitive is but a part of that.
    """
    if isinstance(error, FunctraceError):
        return error.at(source_here(2))
    name, given = _written_here() or (primitive.name, types)
    return _in_words(error, name, given, source_here(2))


def _in_words(
    error: Exception, name: str, types: Sequence[ArrayType], where: Source | None
) -> FunctraceError:
    """The error of functrace's that is of the kind of one of NumPy's, and says what it says."""
    text = str(error).strip().rstrip(".")
    kind: type[FunctraceError] = ShapeMismatchError
    if isinstance(error, np.linalg.LinAlgError):
        kind = MatrixShapeError
    elif isinstance(error, np.exceptions.AxisError):
        kind = AxisRangeError
    elif isinstance(error, IndexError):
        kind = IndexRangeError
    elif isinstance(error, TypeError):
        kind = OperandError
    return kind(f"{name} does not take inputs of {shown(types)}: {text}.", where)


def said_of_a_call(error: BaseException) -> FunctraceError | None:
    """The error for what NumPy, or Python, said of the arguments that a call of the user's gave.

    Args:
        error: What came out of the user's function.

    Returns:
        None for what the user's own code raised, and for what is no mistake in shapes, axes, dtypes
        or in how the function is called.
    """
    if not isinstance(error, ValueError | TypeError | IndexError) or hasattr(error, "__notes__"):
        return None
    place, frame, step = place_raised(error.__traceback__)
    entry = None if step is None else step.tb_next
    if entry is None:
        return None
    if entry.tb_frame.f_code is ENTRANCE and entry.tb_next is not None:
        entry = entry.tb_next
    written = _written_as(entry.tb_frame, frame)
    if written is None:
        return None
    name, types = written
    text, where = str(error), source_of(place)
    function, _, said = text.partition("() ")
    if isinstance(error, TypeError) and _is_of_a_users_function(error, function):
        error.add_note(f"It is called so by {name}, at {where}: compare what it takes with that.")
        return None
    if isinstance(error, TypeError) and function.isidentifier() and "argument" in said:
        return OperandError(f"{name} {said.rstrip('.')}.", where, _parameters_of(name))
    if not isinstance(error, TypeError | IndexError) and not _OF_SHAPES.search(text):
        error.add_note(f"in {name} of {shown(types)}\n  at {where}")
        return None
    return _in_words(error, name, types, where)


def _is_of_a_users_function(error: BaseException, name: str) -> bool:
    """Whether the function whose arguments do not fit is one that functrace was given to call.

    The frame that called it holds it, or an object that does.
    """
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    held = [] if step is None else list(step.tb_frame.f_locals.values())
    parts = (vars(x).values() for x in held if hasattr(x, "__dict__"))
    for holds in (*held, *chain.from_iterable(parts)):
        x = holds.func if isinstance(holds, partial) else holds
        code = getattr(x, "__code__", getattr(vars(type(x)).get("__call__"), "__code__", None))
        if code is not None and code.co_qualname == name:
            return not is_library(code.co_filename)
    return False


_OF_SHAPES = re.compile(
    "shape|dimension|ax[ei]s|broadcast|size|length|align|division|operand|-d|sections"
)
"""What NumPy's errors on shapes speak of."""


def _parameters_of(name: str) -> str:
    """How a function of NumPy's, or the method of that name, is called."""
    function: Any = np
    for part in name.removeprefix("the method ").removeprefix("np.").split("."):
        function = getattr(function, part, None)
    try:
        return f"It is called as {function.__name__}{inspect.signature(function)}."
    except (AttributeError, TypeError, ValueError):
        return "See NumPy's documentation for how it is called."


_OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "getitem": "[]", "setitem": "[] =",
}  # fmt: skip


_ASKED_BY_PYTHON = {"__len__": "len()", "__iter__": "a loop over an array"}


_UFUNC_OPERATORS = {
    "matmul": "@", "add": "+", "subtract": "-", "multiply": "*", "divide": "/",
    "floor_divide": "//", "remainder": "%", "power": "**", "bitwise_and": "&", "bitwise_or": "|",
    "bitwise_xor": "^", "left_shift": "<<", "right_shift": ">>",
}  # fmt: skip


def _written_here() -> tuple[str, list[ArrayType]] | None:
    """What the user called, and the types of its arguments; None while a Program is run.

    The outermost of functrace's frames tells: it is an operator or a method of a traced array, one
    of NumPy's protocols, or a function of functrace's.
    """
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    entry = frame
    while frame is not None and is_library(frame.f_code.co_filename):
        if source_in(frame) is not None:
            return None
        if frame.f_code is not ENTRANCE:
            entry = frame
        frame = frame.f_back
    return None if frame is None else _written_as(entry, frame)


def _written_as(entry: FrameType, frame: FrameType) -> tuple[str, list[ArrayType]] | None:
    """What a frame of the user's called, where functrace was entered by another frame."""
    if not entry.f_code.co_filename.startswith(OWN_FOLDER):
        return None
    code, values = entry.f_code, entry.f_locals
    is_of_array = isinstance(values.get("self"), TracedArray)
    if is_of_array and code.co_name == "__array_ufunc__":
        ufunc, method = values["ufunc"], values["method"]
        symbol = _UFUNC_OPERATORS.get(ufunc.__name__)
        if symbol is not None and _is_an_operator(frame):
            return f"`{symbol}`", _types_in(values["inputs"], with_numbers=True)
        name = f"np.{ufunc.__name__}" if ufunc in UFUNCS else ufunc.__name__
        name += "" if method == "__call__" else f".{method}"
        return name, _types_in(values["inputs"], with_numbers=True)
    if is_of_array and code.co_name == "__array_function__":
        function, arguments = values["function"], values["arguments"]
        name = f"{function.__module__}.{function.__name__}".replace("numpy.", "np.", 1)
        text = next((repr(x) for x in arguments if isinstance(x, str)), None)
        name += "" if text is None else f"({text})"  # the subscripts of einsum, say
        return name, _types_in((arguments, values["options"]))
    arguments = [values.get(name) for name in code.co_varnames[: code.co_argcount]]
    if is_of_array:
        symbol = _OPERATORS.get(code.co_name.strip("_"))
        if symbol is None:  # of the right operand, or in place
            symbol = _OPERATORS.get(code.co_name.strip("_")[1:])
        if code.co_name.startswith("__") and symbol is not None:
            is_reflected = code.co_name[2:3] == "r" and code.co_name != "__rshift__"
            symbol += "=" * (code.co_name[2:3] == "i")
            if is_reflected:
                arguments.reverse()
            return f"`{symbol}`", _types_in(arguments, with_numbers="[" not in symbol)
        name = _ASKED_BY_PYTHON.get(code.co_name, f"the method {code.co_name}")
        return name, _types_in(arguments)
    module: str = entry.f_globals["__name__"]
    wrapped = values.get("function", values.get("ufunc"))
    if module.startswith("functrace.numpy") and "args" in values and wrapped is not None:
        return f"functrace.numpy.{wrapped.__name__}", _types_in((values["args"], values["kwargs"]))
    for public in ("functrace.numpy", "functrace.lax"):
        if module.startswith(public):
            return f"{public}.{code.co_name}", _types_in(arguments)
    if module.startswith("functrace.scipy."):
        public = ".".join(module.split(".")[:3])
        of = getattr(values.get("self"), "name", None)  # a distribution's, say
        return f"{public}.{f'{of}.' if of else ''}{code.co_name}", _types_in(arguments)
    return None


def _is_an_operator(frame: FrameType) -> bool:
    """Whether what a frame does is a binary operator, not a call."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("BINARY_OP")


def _types_in(arguments: Any, with_numbers: bool = False) -> list[ArrayType]:
    """The types of the arrays among the arguments of a call; of an operator, those of all."""
    if with_numbers:
        return [type_of(as_operand(x)) for x in arguments]
    leaves = tree.leaves(arguments)
    return [type_of(x) for x in leaves if isinstance(x, TracedArray | np.ndarray | np.generic)]
