"""`cond` and `switch`: the choice between functions, as users write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial, update_wrapper
from typing import Any

from functrace import depth, tree
from functrace.backends.compiling import evaluating
from functrace.control.branching import switch_primitive
from functrace.errors import ArgumentError, BranchOutputError
from functrace.ir.program import output_types
from functrace.ir.structure import nearest
from functrace.ir.types import UNKNOWN, ArrayType, common_type, type_of
from functrace.primitives.linear import brought_to
from functrace.tracebacks import boundary
from functrace.tracing.entrances import is_recording
from functrace.tracing.operands import as_operand
from functrace.tracing.places import named_scope, source_of, user_place
from functrace.tracing.recording import running_recording
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms.calling import apart, call_apart, owned
from functrace.transforms.comparing import TYPE_ERRORS, Types, is_comparing, types_of_branches
from functrace.transforms.evaluate import Recorded, record_program, run_program
from functrace.transforms.programs import closed_together, with_output_types
from functrace.transforms.scratch import Written, end, recorded_without_writes
from functrace.transforms.transformed import require_callable

names_choices: ContextVar[bool] = ContextVar("names_choices", default=False)
"""Whether what is computed in the branch of a known choice is in a scope: drawings show it."""


@boundary
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Call one of several functions, chosen by a number.

    Args:
        index: The number of the branch, an integer scalar. Outside the range the nearest branch
            is taken.
        branches: Functions of the operands; their outputs have the same structure, shapes and
            dtypes.
        operands: Trees of arrays.

    Returns:
        The output of the chosen branch.

    Raises:
        BranchOutputError: The branches' outputs differ in structure, shape or dtype.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.switch(1, [np.sin, np.cos], 0.0)
        np.float64(1.0)
    """
    for branch in branches:
        require_callable(branch, "switch", "branches")
    if not branches:
        raise ArgumentError("switch was called without a branch.")
    index_type = type_of(as_operand(index))
    if index_type.shape != () or index_type.dtype.kind not in "biu":
        raise ArgumentError(
            f"The index of switch must be an integer, not of type {index_type}.",
            source_of(user_place(2)),
            "Give the number of a branch: i.astype(int), or int(i) of a number of Python's; for a "
            "condition write functrace.cond(condition, if_true, if_false).",
        )
    return _choose(index, list(branches), operands, "switch")


@boundary
def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """Call one of two functions, chosen by a condition.

    Args:
        pred: The condition, a scalar: a boolean, or a number that counts as true if not zero.
        true_fun: Called with the operands where the condition holds.
        false_fun: Called with the operands where it does not. Both outputs have the same
            structure, shapes and dtypes.
        operands: Trees of arrays.

    Returns:
        The output of the function that was called.

    Raises:
        BranchOutputError: The functions' outputs differ in structure, shape or dtype.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> safe_sqrt = lambda x: ft.cond(x > 0, np.sqrt, lambda x: 0.0 * x, x)
        >>> ft.vmap(safe_sqrt)(np.array([4.0, -4.0]))
        array([ 2., -0.])
    """
    require_callable(true_fun, "cond", "true_fun")
    require_callable(false_fun, "cond", "false_fun")
    pred = as_operand(pred)
    if type_of(pred).shape != ():
        raise ArgumentError(
            f"The condition of cond must be a scalar, not of type {type_of(pred)}.",
            source_of(user_place(2)),
            "For a choice element by element use np.where, or cond under functrace.vmap.",
        )
    index = pred if type_of(pred).dtype.kind == "b" else pred != 0
    return _choose(index, [false_fun, true_fun], operands, "cond")


def _choose(
    index: Any, branches: Sequence[Callable[..., Any]], operands: Sequence[Any], name: str
) -> Any:
    if len(branches) == 1:
        return tree.map(owned, call_in_sight(branches[0], operands))
    known = innermost_value(index)
    if known is not UNKNOWN:
        chosen = nearest(known, len(branches))
        if not names_choices.get():
            return _call_chosen(chosen, branches, operands, name)
        with named_scope(f"{name}: {bool(chosen) if name == 'cond' else chosen}"):
            return _call_chosen(chosen, branches, operands, name)
    leaves, structure = tree.flatten(tuple(operands))
    leaves = [as_operand(leaf) for leaf in leaves]
    types = [type_of(leaf) for leaf in leaves]
    recorded: list[Recorded] = []
    written: Written = []
    for branch in branches:  # no comprehension, which is one more frame for choices in choices
        record = partial(record_program, _within(branch), structure, types, like=leaves)
        found, writes = recorded_without_writes(branch, record)
        recorded.append(found)
        written += writes
    end(written)
    outputs = [(r.structure, output_types(r.program)) for r in recorded]
    common = _common_types(outputs, name)
    programs, captured = closed_together([with_output_types(r.program, common) for r in recorded])
    results = bind(switch_primitive, index, *leaves, *captured, branches=tuple(programs))
    return recorded[0].structure.unflatten(list(results))


def _within(branch: Callable[..., Any]) -> Callable[..., Any]:
    """A branch that does nothing outside of its recording: it may not be taken."""

    def within(*operands: Any) -> Any:
        recording = running_recording()
        assert recording is not None
        return recording.call_within(branch, operands)

    return update_wrapper(within, branch)


def call_in_sight(f: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Call a function; as a Program where somebody looks at each operation.

    What NumPy computes of plain numbers would be seen by nobody.
    """
    if not evaluating.get() or is_recording():
        return call_apart(f, args)
    leaves, structure = tree.flatten(tuple(args))
    leaves = [as_operand(leaf) for leaf in leaves]
    if any(type(leaf) is Tracer for leaf in leaves):
        return call_apart(f, args)
    try:
        found = record_program(f, structure, [*map(type_of, leaves)], like=leaves)
    except Exception:  # noqa: BLE001  (it asks for values; if it does not, it fails again)
        return call_apart(f, args)
    return found.structure.unflatten(apart(run_program(found.program, leaves), leaves))


def _call_chosen(
    chosen: int, branches: Sequence[Callable[..., Any]], operands: Sequence[Any], name: str
) -> Any:
    """Call one branch, and give its output the type that all branches have together."""
    depth.enter()
    try:
        result = tree.map(owned, call_in_sight(branches[chosen], operands))
    finally:
        depth.leave()
    if is_comparing.get():
        return result
    leaves, structure = tree.flatten(result)
    others = [branch for number, branch in enumerate(branches) if number != chosen]
    try:
        outputs = types_of_branches(others, operands)
        leaves = [as_operand(x) for x in leaves]
        own = structure, tuple(map(type_of, leaves))
        if all(_gives_way(other, own) for other in outputs):
            return result
        outputs = types_of_branches(others, operands, anew=True)
    except TYPE_ERRORS:
        raise
    except Exception:  # noqa: BLE001  (it asks for values, or fails for those that do not take it)
        return result
    outputs.insert(chosen, own)
    common = _common_types(outputs, name)
    if own[1] == common:
        return result
    return structure.unflatten(brought_to(common, leaves))


def _gives_way(other: Types, own: Types) -> bool:
    """Whether the types of one branch leave those of the other as they are."""
    if not other[0].is_same(own[0]):
        return False
    return other[1] == own[1] or all(
        common_type((b, a)) == b for a, b in zip(other[1], own[1], strict=True)
    )


def _common_types(
    outputs: Sequence[tuple[tree.Structure, Sequence[ArrayType]]], name: str
) -> tuple[ArrayType, ...]:
    """The types that the outputs of all branches have together."""
    first = outputs[0][0]
    for number, (structure, _) in enumerate(outputs):
        if not structure.is_same(first):
            raise BranchOutputError(
                f"The outputs of {name} differ in structure: branch {number} returns "
                f"{structure}, branch 0 returns {first}.",
                source_of(user_place(3)),
            )
    columns = zip(*(types for _, types in outputs), strict=True)
    return tuple(
        _common_type(position, types, first, name) for position, types in enumerate(columns)
    )


def _common_type(
    position: int, types: Sequence[ArrayType], structure: tree.Structure, name: str
) -> ArrayType:
    """The type of one output of all branches."""
    common = common_type(types)
    if common is not None:
        return common
    path = tree.keystr(structure.paths()[position])
    found = ", ".join(f"branch {number} {type}" for number, type in enumerate(types))
    raise BranchOutputError(
        f"The outputs{path} of {name} differ in type: {found}.", source_of(user_place(4))
    )
