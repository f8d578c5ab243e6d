"""Planning runs, choices and loops: what is several steps, with blocks in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from functrace.backends.loops import NUMBER, PlanBlock, plan_for, plan_while
from functrace.backends.memory import Value
from functrace.backends.plan import As, Assign, CloseBlock, Convert, OpenBranch, Read
from functrace.backends.planner import Planner
from functrace.ir.structure import Choice, Loop, Run, Structure, T
from functrace.ir.types import ArrayType

DEEPEST = 12
"""Loops and branches nested deeper than this are functions of their own: Python allows 20."""


def is_planned(planner: Planner, structure: Structure[T] | None) -> TypeGuard[Structure[T]]:
    """Whether what holds Programs is several steps here, and not called."""
    if structure is None or planner.depth >= DEEPEST:
        return False
    return not isinstance(structure, Choice) or structure.examples is None


def plan_structure(
    planner: Planner,
    structure: Structure[Value],
    outputs: Sequence[ArrayType],
    plan_block: PlanBlock,
) -> Sequence[Value]:
    """Plan the steps of what holds Programs.

    Args:
        planner: Makes the plan.
        structure: What is done, with what the inputs are.
        outputs: The types of the outputs.
        plan_block: Plans the steps of a Program.

    Returns:
        What the outputs are.
    """
    match structure:
        case Run(program, inputs):
            planner.preferred(inputs)
            results = plan_block(planner, program, inputs)
            planner.leave(results)  # it stands for itself, so they may be views
            return results
        case Choice():
            planner.preferred([structure.index, *structure.operands])
            return _plan_choice(planner, structure, outputs, plan_block)
        case Loop(condition=None):
            return plan_for(planner, structure, outputs, plan_block)
        case Loop():
            planner.preferred(structure.inputs)
            return plan_while(planner, structure, outputs, plan_block)


def _plan_choice(
    planner: Planner, choice: Choice[Value], outputs: Sequence[ArrayType], plan_block: PlanBlock
) -> list[Value]:
    """Plan a block for each of the branches."""
    index = Value(NUMBER)
    planner.add(Convert(index, Read(choice.index, (As.INT,))))
    values = [planner.new_value(type) for type in outputs]
    count = len(choice.branches)
    for number, branch in enumerate(choice.branches):
        with planner.block(OpenBranch(index, number, count, values)):
            results = plan_block(planner, branch, choice.operands)
            planner.add(Assign(values, planner.assigned(results)))
            planner.leave(results)
            planner.add(CloseBlock())
    return values
