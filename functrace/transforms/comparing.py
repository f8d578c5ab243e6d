"""What the branches of a choice return, so that they can be compared where the choice is known.

Only recording a branch tells. That takes longer than many a branch, so it is done once for all
branches that cannot differ in it: those of the same code, whose closures, globals and defaults hold
the same, but for the elements of arrays of floating-point numbers and for such numbers themselves,
on which no shape and no dtype depends. Where they hold something that is not known to stay as it
is, such as an object with attributes, the branch is recorded each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType, NoneType
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import (
    AxisRangeError,
    BranchOutputError,
    CarryError,
    IndexRangeError,
    OperandError,
    ShapeMismatchError,
)
from functrace.ir.program import output_types
from functrace.ir.types import UNKNOWN, ArrayType, type_of
from functrace.tracing.draws import unheeded_draws
from functrace.tracing.operands import as_operand
from functrace.tracing.places import is_library
from functrace.tracing.reaching import names_in
from functrace.tracing.tracer import Tracer
from functrace.transforms.batch import no_shortcuts
from functrace.transforms.evaluate import record_program
from functrace.transforms.scratch import recorded_without_writes

TYPE_ERRORS = (
    BranchOutputError,
    CarryError,
    ShapeMismatchError,
    AxisRangeError,
    IndexRangeError,
    OperandError,
)
"""What is wrong with a branch whatever the values are."""

Types = tuple[tree.Structure, tuple[ArrayType, ...]]

is_comparing: ContextVar[bool] = ContextVar("is_comparing", default=False)
"""Whether a branch is being called for its types only. A function that calls itself in one branch
would go on calling itself if the choices in there compared their branches as well."""

_known: dict[Hashable, tuple[Types | None, list[CodeType]]] = {}
"""What was found, and the code whose identity is in the key; the oldest first."""

MOST_KNOWN = 512
MOST_ITEMS = 32
"""So many items a container in a closure may have, and so many elements an array of integers."""

DEEPEST = 8
"""So far an object in a closure may be from the function."""


def types_of_branches(
    branches: Sequence[Callable[..., Any]], operands: Sequence[Any], anew: bool = False
) -> list[Types]:
    """The structures and types of what branches return for such operands.

    Args:
        branches: The branches.
        operands: What they are called with.
        anew: Whether to record them also where it is known already.

    Raises:
        FunctraceError: A branch is wrong whatever the values are, by one of `TYPE_ERRORS`.
        Exception: One cannot be recorded: it asks for values, or fails for those that do not
            take it.
    """
    leaves, structure = tree.flatten(tuple(operands))
    types = [type_of(as_operand(x)) for x in leaves]
    found: list[Types] = []
    for branch in branches:
        codes: list[CodeType] = []
        key: Hashable = None
        if not no_shortcuts:  # named axes may be in scope, of which a branch may ask the lengths
            with suppress(_MayDifferError):
                key = structure.identity, tuple(types), _key_of(branch, codes, DEEPEST)
        one = None if anew or key is None else _known.get(key)
        if one is None:
            one = _recorded_types(branch, structure, types), codes
            if key is not None:
                _known[key] = one
                if len(_known) > MOST_KNOWN:
                    _known.pop(next(iter(_known)), None)
        if one[0] is None:
            raise _UnrecordableError
        found.append(one[0])
    return found


def _recorded_types(
    branch: Callable[..., Any], structure: tree.Structure, types: Sequence[ArrayType]
) -> Types | None:
    before = is_comparing.set(True)
    try:
        # What is known in it is computed, and dropped.
        with np.errstate(all="ignore"), unheeded_draws():
            recorded, _ = recorded_without_writes(
                branch, lambda: record_program(branch, structure, types)
            )
    except TYPE_ERRORS:
        raise
    except Exception:  # noqa: BLE001  (it may never be called)
        return None
    finally:
        is_comparing.reset(before)
    return recorded.structure, output_types(recorded.program)


# What functions have in common that return the same types


class _UnrecordableError(Exception):
    """A branch cannot be recorded."""


class _MayDifferError(Exception):
    """There is no telling."""


_THEMSELVES: frozenset[type] = frozenset(
    {NoneType, bool, int, str, bytes, type, ModuleType, BuiltinFunctionType, np.ufunc}
    | {type(np.sum), type(np.dtype(float))}
)
"""What is the same only if it is equal, and does not change."""


def _key_of(x: Any, codes: list[CodeType], steps: int) -> Hashable:
    """What stands for an object in a key.

    Args:
        x: The object.
        codes: The code objects whose identity stands in the key are added to these.
        steps: How far to go.

    Raises:
        _MayDifferError: It may change, or there is more of it than is looked at.
    """
    kind = type(x)
    if kind in _THEMSELVES or isinstance(x, type):
        return kind, x
    if kind is FunctionType:
        return _key_of_function(x, codes, steps)
    if kind is Tracer:
        is_number = x.type.is_inexact or x.value is UNKNOWN
        if is_number and x.recording.is_open:
            return Tracer, x.type
    elif kind in (float, complex):
        return kind
    elif isinstance(x, np.ndarray | np.generic):
        if x.dtype.kind in "fc":
            return kind, x.shape, x.dtype
        if x.dtype.kind in "biu" and x.size <= MOST_ITEMS:
            return kind, x.shape, x.dtype, x.tobytes()
    elif kind in (tuple, list) and steps and len(x) <= MOST_ITEMS:
        return kind, tuple([_key_of(item, codes, steps - 1) for item in x])
    elif kind is dict and steps and len(x) <= MOST_ITEMS:
        return kind, tuple(
            [(_key_of(k, codes, 0), _key_of(item, codes, steps - 1)) for k, item in x.items()]
        )
    elif isinstance(x, partial) and steps:
        wrapped = x.__dict__.get("__wrapped__")  # of a transformation
        if wrapped is not None:
            return x, _key_of(wrapped, codes, steps - 1)
        parts = [x.func, x.args, x.keywords]
        return kind, tuple([_key_of(part, codes, steps - 1) for part in parts])
    raise _MayDifferError


def _key_of_function(f: FunctionType, codes: list[CodeType], steps: int) -> Hashable:
    code = f.__code__
    if any(code is other for other in codes):  # it is looked at already, as one that calls itself
        if f.__closure__:
            raise _MayDifferError
        return id(code)
    if not steps:
        raise _MayDifferError
    codes.append(code)
    if is_library(code.co_filename):
        if f.__closure__:
            raise _MayDifferError
        return f
    namespace = f.__globals__
    held = [namespace.get(name) for name in names_in(code)]
    held += [_content(cell) for cell in f.__closure__ or ()]
    held += f.__defaults__ or ()
    held += (f.__kwdefaults__ or {}).values()
    return id(code), tuple([_key_of(x, codes, steps - 1) for x in held])


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty yet
        raise _MayDifferError from None
