"""What the user's code does at a place, and how it is written there: for messages."""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
import sys
import tokenize
from functools import lru_cache
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from functrace.ir.program import Source
from functrace.tracing.places import Place, source_of


def stores_an_item(place: Place | None) -> bool:
    """Whether the instruction at a place is an assignment such as ``array[index] = value``."""
    return _instruction(place).startswith("STORE_S")  # STORE_SUBSCR, STORE_SLICE


def reads_an_item(place: Place | None) -> bool:
    """Whether the instruction at a place is a subscript such as ``array[index]``."""
    if place is None or place[1] < 0:
        return False
    bytecode, instruction = place[0].co_code, place[1]
    name = _instruction(place)
    subscript = 26  # an operator among the others from Python 3.14 on
    return name in ("BINARY_SUBSCR", "BINARY_SLICE") or (
        name == "BINARY_OP" and bytecode[instruction + 1] == subscript
    )


def _instruction(place: Place | None) -> str:
    if place is None or place[1] < 0:
        return ""
    code, instruction = place[:2]
    return dis.opname[code.co_code[instruction]]


def line_at(place: Place | None) -> str:
    """The user's line itself, where its file can be read."""
    source = source_of(place)
    return "" if source is None else linecache.getline(source.file, source.line).strip()


def expression_at(place: Place | None) -> ast.AST | None:
    """The expression, or statement, that the instruction at a place is of; None if it is not known.

    Python keeps for each instruction where it stands in the file.
    """
    if place is None or place[1] < 0:
        return None
    code, instruction = place[:2]
    first, last, start, stop = next(
        islice(code.co_positions(), instruction // 2, None), (None, None, None, None)
    )
    if first is None or last is None or start is None or stop is None:
        return None
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(first, last + 1)]
    lines[-1] = lines[-1][:stop]
    lines[0] = lines[0][start:]
    text = b"".join(lines).decode()
    if not text.strip():  # the file cannot be read
        return None
    for attempt in (text, f"({text})"):  # an expression over several lines may lack its brackets
        try:
            (statement,) = ast.parse(attempt).body
        except (SyntaxError, ValueError):
            continue
        return statement.value if isinstance(statement, ast.Expr) else statement
    return None


_WRITING = ("at", "copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask")


def written_in(found: ast.AST | None) -> ast.expr | None:
    """The array written: ``a`` in ``a[0] = x``, ``a += x``, ``np.copyto(a, x)``, ``a.fill(x)``."""
    if isinstance(found, ast.Subscript):
        return found.value
    if isinstance(found, ast.Assign):
        target = found.targets[0]
        return target.value if isinstance(target, ast.Subscript) else None
    if isinstance(found, ast.AugAssign):
        return found.target.value if isinstance(found.target, ast.Subscript) else found.target
    if not isinstance(found, ast.Call):
        return None
    by_name = [word.value for word in found.keywords if word.arg == "out"]
    if by_name:
        return by_name[0]
    called = found.func.attr if isinstance(found.func, ast.Attribute) else ""
    is_method = called in ("fill", "setfield", "__setitem__") or (
        called == "put" and len(found.args) < 3
    )
    if is_method and isinstance(found.func, ast.Attribute):
        return found.func.value
    is_function = called in _WRITING or isinstance(found.func, ast.Name)
    return found.args[0] if is_function and found.args else None


@lru_cache(maxsize=4)
def _parsed(text: str) -> ast.Module | None:
    """A file's statements; None if it has none. Of one file many places are asked for."""
    try:
        found = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    return found if found.body else None


def _alone(lines: list[str], first: int) -> str:
    """A function that begins at a line, where it stands, with nothing around it."""
    try:
        block = inspect.getblock(lines[first - 1 :])
    except (SyntaxError, IndentationError, tokenize.TokenError):
        return ""
    is_indented = bool(block) and block[0][:1].isspace() and first > 1
    return "\n" * (first - 1 - is_indented) + "if True:\n" * is_indented + "".join(block)


def expressions_around(place: Place | None) -> list[ast.AST]:
    """What the instruction at a place belongs to, from the innermost expression to its statement.

    Nothing if the file cannot be read.
    """
    if place is None or place[1] < 0:
        return []
    code, instruction = place[:2]
    found = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    if None in found:
        return []
    first, last, start, stop = found
    lines = linecache.getlines(code.co_filename)
    node: ast.AST | None = _parsed("".join(lines))
    if node is None:  # a page with code in it, for example: the function may be read alone
        node = _parsed(_alone(lines, code.co_firstlineno))
    if node is None:
        return []
    around: list[ast.AST] = []
    while node is not None:
        around.append(node)
        inside = (n for n in ast.walk(node) if n is not node and hasattr(n, "end_col_offset"))
        node = next(
            (
                n
                for n in inside
                if (n.lineno, n.col_offset) <= (first, start)  # pyright: ignore[reportAttributeAccessIssue]
                and (n.end_lineno, n.end_col_offset) >= (last, stop)  # pyright: ignore[reportAttributeAccessIssue]
            ),
            None,
        )
    around.reverse()
    statement = next((n for n, x in enumerate(around) if isinstance(x, ast.stmt)), len(around) - 1)
    return around[: statement + 1]


_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.Pow: "power", ast.MatMult: "matmul", ast.Mod: "remainder", ast.FloorDiv: "floor_divide",
    ast.USub: "negative",
}  # fmt: skip


def operation_at(place: Place | None) -> str:
    """What the user's expression at a place does, in a word; empty where it is not known."""
    found = expression_at(place)
    if isinstance(found, ast.BinOp | ast.UnaryOp | ast.AugAssign):
        return _OPERATORS.get(type(found.op), "")
    if isinstance(found, ast.Call):
        called = found.func
        return getattr(called, "attr", getattr(called, "id", ""))
    return ""


LoopNode = ast.For | ast.While | ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def loop_around(source: Source) -> LoopNode | None:
    """The innermost loop of Python's, or comprehension, around a line, in the same function."""
    lines = linecache.getlines(source.file)
    module = _parsed("".join(lines)) or _parsed(_alone(lines, source.code.co_firstlineno))
    found: LoopNode | None = None
    for node in ast.walk(module) if module is not None else ():  # inner ones come later
        if isinstance(node, LoopNode | ast.FunctionDef | ast.Lambda):
            around = node.lineno <= source.line <= (node.end_lineno or 0)
            if around:
                found = node if isinstance(node, LoopNode) else None
    return found


def written_at(place: Place | None) -> str | None:
    """What is written at a place, as the user calls it; None for what is not called anything."""
    target = written_in(expression_at(place))
    # Of other expressions, such as calls, there is no name.
    if isinstance(target, ast.Name | ast.Attribute | ast.Subscript):
        return ast.unparse(target)
    return None


# What names stand for there


def frame_of(place: Place | None) -> FrameType | None:
    """The running function that a place belongs to, if it is called from there."""
    frame = None if place is None else sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and place is not None and frame.f_code is not place[0]:
        frame = frame.f_back
    return frame


def value_of(expression: ast.expr, frame: FrameType) -> Any:
    """The value of a name, or of an instance's own attribute; None for what must be computed."""
    if isinstance(expression, ast.Name):
        found = frame.f_locals.get(expression.id)
        return frame.f_globals.get(expression.id) if found is None else found
    if isinstance(expression, ast.Attribute):
        return getattr(value_of(expression.value, frame), "__dict__", {}).get(expression.attr)
    return None


def numpy_name(called: ast.expr, frame: FrameType) -> str | None:
    """The name within NumPy of what an expression stands for: ``linalg.norm``, ``zeros``."""
    if isinstance(called, ast.Attribute):
        value = value_of(called.value, frame)
        if isinstance(value, ModuleType):
            place = value.__name__.removeprefix("functrace.")  # whose names are NumPy's
            if place.partition(".")[0] == "numpy":
                return f"{place}.{called.attr}".partition(".")[2]
        return None
    value = value_of(called, frame)
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) and getattr(np, name, None) is value else None


def index_written(item: ast.Subscript) -> str:
    """What stands between the brackets of an expression such as ``x[i, f(j)]``."""
    written = ast.unparse(item.slice)
    return written[1:-1] if isinstance(item.slice, ast.Tuple) and item.slice.elts else written


def assigned_at(place: Place | None) -> str | None:
    """The name that a value computed at a place is given at once: ``q`` in ``q = x + y``."""
    around = expressions_around(place)
    if not around:
        return None
    *_, statement = around
    if isinstance(statement, ast.AugAssign):
        target, value = statement.target, statement
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign):
        target, value = statement.target, statement.value
    else:
        return None
    return target.id if isinstance(target, ast.Name) and value is around[0] else None
