"""Where the user's code made an array that a traced value is written into: for messages.

NumPy's own array cannot hold a traced value, so another one must be made in its place, where it is
made: to bind a name anew just before the write would leave the array as it is for everybody else
who holds it, a caller or the base of a view, and silently give another result. The frames of the
running functions say who holds the array, and their sources what made it.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from types import CodeType, FrameType

import numpy as np

from functrace.tracing.expressions import (
    expression_at,
    frame_of,
    numpy_name,
    value_of,
    written_at,
    written_in,
)
from functrace.tracing.places import NUMPY_FOLDER, OWN_FOLDER, Place

_MAKERS = (
    "functrace.numpy.zeros, empty, full, arange, array and others make arrays, inside the "
    "function that is transformed, that traced values can be written into."
)
_VIEWING = frozenset({
    "asanyarray", "asarray", "ascontiguousarray", "asfortranarray", "require",
    "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_to", "diagonal",
    "expand_dims", "flip", "moveaxis", "permute_dims", "ravel", "real", "imag", "reshape",
    "rollaxis", "rot90", "squeeze", "swapaxes", "transpose",
})  # fmt: skip


def how_to_write(place: Place | None) -> tuple[str | None, str]:
    """What is written at a place, as the user calls it, and what to write instead."""
    name = written_at(place)
    frame = frame_of(place)
    target = _target(expression_at(place), frame)
    if isinstance(target, ast.Call):
        made = None if frame is None else _made_anew(target, frame)
        if made is not None:
            return name, f"Write `{made}` in place of `{ast.unparse(target)}`: {_MAKERS}"
        target = None
    value = None if target is None or frame is None else value_of(target, frame)
    if frame is None or not isinstance(value, np.ndarray):
        whose = "the array" if name is None else f"`{name}`"
        return (
            name,
            f"Make {whose} by functrace.numpy in place of numpy, where it is made: {_MAKERS}",
        )
    array = _base(value)
    within = list(_running(frame))
    held = _holders(array, within)
    written = ast.unparse(target) if target is not None else name
    for variable, holder in held:
        creation = _creation(variable, holder)
        if creation is not None:
            line, old, new = creation
            file = holder.f_code.co_filename
            view = "" if name == variable else f"; `{name}` is a part of it, or another name for it"
            return name, f"Write `{new}` in place of `{old}` ({file}:{line}){view}. {_MAKERS}"
    if isinstance(target, ast.Name) and not held and _is_outside(target.id, within):
        new = f"own_{target.id}"
        return name, (
            f"`{target.id}` is made outside of the function that is transformed, where arrays are "
            f"NumPy's own. Inside of it, write into a copy and use that from there on: "
            f"`{new} = functrace.numpy.array({target.id})`, and `{new}` in place of `{target.id}`."
        )
    known = [variable for variable, _ in held if variable != written]
    part = f"; `{written}` shares memory with `{known[-1]}`" if known else ""
    stands = "" if name is None else f" that `{name}` stands for"
    return name, (
        f"Make the array{stands} by functrace.numpy in place of numpy, where it is made{part}. "
        "To bind a name anew just before the write would leave the array as it is for all others "
        f"who hold it. {_MAKERS}"
    )


def writes_by_method(place: Place | None) -> bool:
    """Whether the user's code calls a method that writes into an ordinary array: ``a.fill(x)``."""
    call = expression_at(place)
    frame = frame_of(place)
    if frame is None or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr not in ("fill", "put", "setfield", "__setitem__"):
        return False
    return isinstance(value_of(_root(call.func.value), frame), np.ndarray)


def _running(frame: FrameType) -> Iterator[FrameType]:
    """The frames of the function that is transformed, from the inside out."""
    step: FrameType | None = frame
    while step is not None:
        file = step.f_code.co_filename
        if file.startswith((OWN_FOLDER, "<functrace ")):
            return
        if not file.startswith(NUMPY_FOLDER):
            yield step
        step = step.f_back


def _target(found: ast.AST | None, frame: FrameType | None) -> ast.expr | None:
    """The expression of the array that is written, without the indices that take parts of it."""
    has_out = isinstance(found, ast.Call) and any(word.arg == "out" for word in found.keywords)
    if isinstance(found, ast.Call) and frame and not has_out and _made_anew(found, frame):
        return found  # it makes the array that it writes into
    target = written_in(found)
    return None if target is None else _root(target)


def _root(expression: ast.expr) -> ast.expr:
    """``a`` of ``a[0][1]``, ``a.flat``, ``a.T[0]``, ``a.reshape(2, 3)``; ``b.a`` of ``b.a[0]``."""
    while True:
        if isinstance(expression, ast.Subscript) or (
            isinstance(expression, ast.Attribute) and expression.attr in _PARTS
        ):
            expression = expression.value
        elif (
            isinstance(expression, ast.Call)
            and isinstance(expression.func, ast.Attribute)
            and expression.func.attr in _VIEWS
        ):
            expression = expression.func.value
        else:
            return expression


_PARTS = frozenset({"flat", "T", "mT", "real", "imag"})
_VIEWS = frozenset({"reshape", "ravel", "transpose", "squeeze", "swapaxes", "view", "diagonal"})


def _base(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _holders(array: np.ndarray, frames: list[FrameType]) -> list[tuple[str, FrameType]]:
    """The variables, of functions' own, that hold an array or a part of it, the array itself first.

    Arguments and variables of functions around are left out: they hold what others made.
    """
    whole: list[tuple[str, FrameType]] = []
    parts: list[tuple[str, FrameType]] = []
    for frame in frames:
        others = (*_arguments(frame.f_code), *frame.f_code.co_freevars)
        for variable, value in frame.f_locals.items():
            if variable in others or not isinstance(value, np.ndarray):
                continue
            if _base(value) is array:
                (whole if value is array else parts).append((variable, frame))
    return whole + parts


def _is_outside(name: str, frames: list[FrameType]) -> bool:
    """Whether a name stands for what the function that is transformed got, or found outside of it.

    An array that one of its own functions got as an argument may come from anywhere within it.
    """
    innermost, outermost = frames[0], frames[-1]
    code = innermost.f_code
    is_local = name in code.co_varnames or name in code.co_cellvars
    return not is_local or (innermost is outermost and name in _arguments(code))


def _arguments(code: CodeType) -> tuple[str, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    return code.co_varnames[: count + bool(code.co_flags & 4) + bool(code.co_flags & 8)]


def _creation(name: str, frame: FrameType) -> tuple[int, str, str] | None:
    """Where a function makes an array: the line, the assignment, and what to write for it."""
    function = _source_of(frame.f_code)
    if function is None:
        return None
    found = [
        node
        for node in _own_statements(function)
        if isinstance(node, _Binding) and _binds(node, name)
    ]
    node = _in_force(found, function, frame.f_lineno)
    if node is None:
        return None
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(node, ast.For) or node.value is None:
        return None
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
        values = zip(target.elts, node.value.elts, strict=False)
        value = next((v for t, v in values if isinstance(t, ast.Name) and t.id == name), None)
    else:
        value = node.value if isinstance(target, ast.Name) else None
    new = None if value is None else _made_anew(value, frame)
    if value is None or new is None:
        return None
    if isinstance(node, ast.Assign) and value is node.value and len(node.targets) == 1:
        return node.lineno, ast.unparse(node), f"{name} = {new}"
    return node.lineno, ast.unparse(value), new


_Binding = ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For


def _in_force(bindings: list[_Binding], function: ast.AST, line: int) -> _Binding | None:
    """Of the statements that bind a name, the one whose value it has at a line, where that is sure.

    Where there are several it is the last one before the line that is no part of another
    statement, as a branch's or a loop's are, if none of these comes after it.
    """
    if len(bindings) == 1:
        return bindings[0]
    body: list[ast.stmt] = getattr(function, "body", [])
    last = max(
        (b.lineno for b in bindings if b in body and (b.end_lineno or line) < line), default=0
    )
    is_repeated = any(
        isinstance(step, ast.For | ast.While) and step.lineno <= line <= (step.end_lineno or line)
        for step in body
    )
    for binding in bindings:
        is_later = binding.lineno > line and not is_repeated
        if binding.lineno > last and not is_later:
            return None
    return next((binding for binding in bindings if binding.lineno == last), None)


def _binds(node: ast.AST, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[attr-defined]
    return any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
        for target in targets
        for part in ast.walk(target)
    )


def _own_statements(function: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            yield from _own_statements(node)


_parsed = lru_cache(maxsize=8)(ast.parse)


def _source_of(code: CodeType) -> ast.AST | None:
    """The definition of a function, where its file can be read."""
    try:
        module = _parsed("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def _made_anew(expression: ast.expr, frame: FrameType) -> str | None:
    """An expression that makes an array, as it makes one to write into; None for another one."""
    text = ast.unparse(expression)
    if isinstance(expression, ast.BinOp):
        return f"functrace.numpy.array({text})"
    if not isinstance(expression, ast.Call):
        return None
    called = expression.func
    name = numpy_name(called, frame)
    if name is not None:
        making = import_module("functrace.numpy.making")  # above this floor: for messages alone
        if name in (*making.MAKING, "array", "full"):
            arguments = text[len(ast.unparse(called)) :]
            return f"functrace.numpy.{name}{arguments}"
        return None if name in _VIEWING or name in _WRITING else f"functrace.numpy.array({text})"
    if not isinstance(called, ast.Attribute):
        return None
    is_new = called.attr in ("copy", "astype") or (
        called.attr in _VIEWS and _made_anew(called.value, frame) is not None
    )
    return f"functrace.numpy.array({text})" if is_new else None


_WRITING = frozenset({"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"})
