"""What is said where a traced array would become an ordinary one."""

from __future__ import annotations

import ast
import operator
import os
from types import FrameType
from typing import Any, cast

import numpy as np

from functrace.errors import (
    ArrayConversionError,
    ArrayWriteError,
    FunctraceError,
    LostDerivativeError,
    UnknownValueError,
    UnsupportedFunctionError,
)
from functrace.ir.types import UNKNOWN, ArrayType
from functrace.tracing.creations import how_to_write
from functrace.tracing.expressions import (
    expression_at,
    frame_of,
    index_written,
    line_at,
    numpy_name,
    reads_an_item,
    value_of,
)
from functrace.tracing.places import (
    ARRAY_LIBRARIES,
    NUMPY_FOLDER,
    Place,
    source_of,
    user_place,
    watch,
)
from functrace.tracing.refusals import INTEGERS, LENGTHS, remedy_for
from functrace.tracing.tables import FUNCTIONS, LIKE_ONLY
from functrace.tracing.traced_array import TracedArray
from functrace.tracing.twins import refused_in_scipy

_CLASSES = ("vectorize", "ndenumerate")
"""Classes of NumPy's for which functrace.numpy has what takes traced values."""


_SIZED = frozenset(
    {"arange", "linspace", "logspace", "geomspace", "repeat", "tile", "pad", "resize"}
)
"""Functions of NumPy's whose numbers say how long the result is."""


def not_converted(tracer: Any, caller: Any, place: Place | None) -> FunctraceError:
    """The error where an ordinary array would be made, by what the user called for it."""
    in_scipy = refused_in_scipy(f"makes an ordinary array of a traced {tracer.type}", caller, place)
    if in_scipy is not None:
        return in_scipy
    where = source_of(place)
    expression = expression_at(place)
    offered = _offered(expression, place)
    everywhere = f"Write `{offered}`, which takes traced values everywhere, in lists too."
    library = _library_function(caller)
    if library is not None:
        module, name = library
        if name == "MultiUFunc.__call__" and isinstance(expression, ast.Call):  # of SciPy's
            name = ast.unparse(expression.func).rpartition(".")[2]
        if module.startswith(_SERIES):
            what = f"makes an ordinary array of a traced {tracer.type}"
            return _series_refused(module, name, what, place)
        package = module.partition(".")[0]
        who = package if "<locals>" in name else f"{package}'s {name}"
        if name in ("fill_diagonal", "place", "put_along_axis"):
            return written_into_an_array(tracer.type, place)
        what = f"{who} makes an ordinary array of a traced {tracer.type}, and "
        top = name.partition(".")[0]
        if package == "numpy" and _is_length_of(tracer, top):
            return _unknown_length(tracer, f"np.{top}", place)
        if package == "numpy" and (top in _CLASSES or getattr(np, top, None) in FUNCTIONS):
            return UnsupportedFunctionError(
                f"{what}NumPy does not hand this argument over to functrace.",
                where,
                f"Write functrace.numpy.{top}, which takes traced values everywhere.",
            )
        if offered is not None:
            what = f"{what}NumPy does not look for traced values there."
            return UnsupportedFunctionError(what, where, everywhere)
        what = f"{what}functrace has no rule for it."
        if "<locals>" in name and isinstance(expression, ast.Call):  # of a decorator
            name = ast.unparse(expression.func)
        return UnsupportedFunctionError(what, where, remedy_for(package, name))
    called = ast.unparse(expression.func) if isinstance(expression, ast.Call) else ""
    if _is_length_of(tracer, called.rpartition(".")[2]):
        return _unknown_length(tracer, called, place)
    if offered is not None:
        return ArrayConversionError(
            f"{offered.partition('(')[0].removeprefix('functrace.')} was given a traced "
            f"{tracer.type} where NumPy does not look for one, such as in a list.",
            where,
            everywhere,
        )
    if reads_an_item(place):
        found = expression_at(place)
        array, index = "array", "index"
        if isinstance(found, ast.Subscript):
            array, index = ast.unparse(found.value), index_written(found)
        if tracer.dtype.kind == "b" and tracer.shape:
            return ArrayConversionError(
                f"An ordinary NumPy array is indexed by a traced {tracer.type}, a mask.",
                where,
                f"In place of {array}[{index}] keep the shape and choose the values, as in "
                f"np.where({index}, {array}, 0): how many there are is not known.",
            )
        return ArrayConversionError(
            f"An ordinary NumPy array is indexed by a traced {tracer.type}.",
            where,
            f"In place of {array}[{index}] write functrace.numpy.asarray({array})[{index}], or "
            "give the array to the function as an argument, so that it is traced too.",
        )
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        method = expression.func.attr
        if hasattr(np.ndarray, method):
            return _given_to_a_method(tracer, method, expression, place)
    if (frame := frame_of(place)) and isinstance(expression, ast.Call):
        name = numpy_name(expression.func, frame)
        if name in _SIZED and tracer.dtype.kind in "fc" and tracer.value is not UNKNOWN:
            return LostDerivativeError(
                f"np.{name} would turn a traced {tracer.type} into plain numbers, and its "
                "derivative would be lost.",
                where,
                INTEGERS,
            )
        remedy = None if name is None else remedy_for("numpy", name)
        if remedy is not None:
            what = f"np.{name} takes no traced values: it was given a {tracer.type}."
            return UnsupportedFunctionError(what, where, remedy)
    return ArrayConversionError(
        f"np.array() or np.asarray() was given a traced {tracer.type}, or a list that holds one.",
        where,
    )


def _library_function(frame: Any) -> tuple[str, str] | None:
    """The module and the function that the user called, if a frame belongs to a library's."""
    found = None
    while frame is not None and frame.f_code.co_filename.startswith(ARRAY_LIBRARIES):
        found = frame.f_globals["__name__"], frame.f_code.co_qualname
        frame = frame.f_back
    return found


# Series: NumPy's functions of them are Python code, which asks whether its arguments are arrays.

_SERIES = "numpy.polynomial"


def _series_refused(module: str, name: str, what: str, place: Place | None) -> FunctraceError:
    """The error for a function, or a class, of `numpy.polynomial`."""
    path = _SERIES if "." in name else f"{module}.{name}"
    return UnsupportedFunctionError(
        f"{path.replace('numpy', 'np', 1)} {what}: NumPy does not hand over functions of series.",
        source_of(place),
        f"Write functrace.{path}, which takes traced values everywhere.",
    )


def _require_as_for_arrays(frame: FrameType) -> None:
    """Raise where NumPy's code, which takes a traced array for a number, would compute otherwise.

    The values of several series at an array are computed for each series at each element, but at a
    number that is no array by broadcasting.
    """
    module: str = frame.f_globals["__name__"]
    values = frame.f_locals
    x: Any
    series: Any
    x, series = values.get("x"), values.get("c", values.get("r"))
    if not (module.startswith(_SERIES) and values.get("tensor") and isinstance(x, TracedArray)):
        return
    if x.shape and np.ndim(series) > ("c" in values):
        what = f"takes a traced {x.type} for a number, and not for an array"
        raise _series_refused(module, frame.f_code.co_name, what, user_place(1))


watch(f"{NUMPY_FOLDER}polynomial{os.sep}", _require_as_for_arrays)


def _offered(expression: ast.AST | None, place: Place | None) -> str | None:
    """What to write for a call of NumPy's, or an index of its ``r_``, that was refused."""
    frame = frame_of(place)
    if frame is None:
        return None
    if isinstance(expression, ast.Call):
        name = numpy_name(expression.func, frame)
        function: Any = None if name is None else operator.attrgetter(name)(np)
        if name is None or not (isinstance(function, np.ufunc) or function in FUNCTIONS):
            return None
        if function in LIKE_ONLY:
            return None
        return (
            f"functrace.numpy.{name}{ast.unparse(expression)[len(ast.unparse(expression.func)) :]}"
        )
    if isinstance(expression, ast.Subscript) and isinstance(expression.value, ast.Attribute):
        name = numpy_name(expression.value, frame)
        if name in ("r_", "c_"):
            return f"functrace.numpy.{name}[{index_written(expression)}]"
    return None


def _is_length_of(tracer: Any, function: str) -> bool:
    return function in _SIZED and tracer.value is UNKNOWN and not tracer.shape


def _unknown_length(tracer: Any, called: str, place: Place | None) -> UnknownValueError:
    return UnknownValueError(
        f"{called} needs the value of a traced {tracer.type}, of which only shape and dtype are "
        f"known{quoted(place)}.",
        source_of(place),
        LENGTHS,
    )


def _given_to_a_method(
    tracer: Any, method: str, call: ast.Call, place: Place | None
) -> ArrayConversionError:
    """The error where a method of an ordinary array, such as ``A.dot(t)``, got a tracer."""
    array = ast.unparse(cast("ast.Attribute", call.func).value)
    operands = ", ".join(map(ast.unparse, call.args))
    instead = f"functrace.numpy.{method}({array}, {operands})"
    frame = frame_of(place)
    operand = value_of(call.args[0], frame) if frame is not None and call.args else None
    if method == "dot" and isinstance(operand, TracedArray):
        instead = f"{array} @ {operands}, or {instead}"
    return ArrayConversionError(
        f"The method {method} of an ordinary NumPy array was given a traced {tracer.type}.",
        source_of(place),
        f"In place of {array}.{method}({operands}) write {instead}.",
    )


def quoted(place: Place | None) -> str:
    """The user's line itself, where its file can be read."""
    text = line_at(place)
    if len(text) > 100:
        found = expression_at(place)
        text = "" if found is None else ast.unparse(found)
    return f", in `{text}`" if text else ""


def reject_out(out: Any) -> None:
    """Raise where a function was given an ``out`` array to write its traced result into."""
    if out is not None:
        place = user_place(2)
        if isinstance(out, TracedArray):
            raise ArrayWriteError(
                "The argument `out` names an array for a traced result.",
                source_of(place),
                "Leave out the argument and use the value that is returned.",
            )
        raise written_into_an_array(None, place)


def written_into_an_array(type: ArrayType | None, place: Place | None) -> ArrayWriteError:
    """The error for a traced value, or result, that is written into an array of NumPy's own."""
    what = "A traced result" if type is None else f"A traced {type}"
    found = expression_at(place)
    is_out = isinstance(found, ast.Call) and any(word.arg == "out" for word in found.keywords)
    alternative = " Or leave out the argument `out`, and use what is returned." if is_out else ""
    name, advice = how_to_write(place)
    into = "" if name is None else f"`{name}`, "
    return ArrayWriteError(
        f"{what} is written into {into}an ordinary NumPy array, which cannot hold it.",
        source_of(place),
        f"{advice}{alternative}",
    )
