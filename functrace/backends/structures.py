"""Runs, choices and loops in generated source: what is several statements, with blocks in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from functrace.backends.loops import WriteBlock, write_scan, write_while
from functrace.backends.memory import Value
from functrace.backends.writer import Writer
from functrace.ir.structure import Choice, Loop, Run, Structure, T
from functrace.ir.types import ArrayType

DEEPEST = 12
"""Loops and branches nested deeper than this are functions of their own: Python allows 20."""


def is_written(writer: Writer, structure: Structure[T] | None) -> TypeGuard[Structure[T]]:
    """Whether what holds Programs is written as statements here, and not called."""
    if structure is None or writer.depth >= DEEPEST:
        return False
    return not isinstance(structure, Choice) or structure.examples is None


def write_structure(
    writer: Writer,
    structure: Structure[Value],
    outputs: Sequence[ArrayType],
    write_block: WriteBlock,
) -> Sequence[Value]:
    """Write the statements of what holds Programs.

    Args:
        writer: Writes the source.
        structure: What is done, with what the inputs are in the source.
        outputs: The types of the outputs.
        write_block: Writes the statements of a Program.

    Returns:
        What the outputs are in the source.
    """
    match structure:
        case Run(program, inputs):
            writer.preferred(inputs)
            results = write_block(writer, program, inputs)
            writer.leave(results)  # it stands for itself, so they may be views
            return results
        case Choice():
            writer.preferred([structure.index, *structure.operands])
            return _write_choice(writer, structure, outputs, write_block)
        case Loop(condition=None):
            return write_scan(writer, structure, outputs, write_block)
        case Loop():
            writer.preferred(structure.inputs)
            return write_while(writer, structure, outputs, write_block)


def _write_choice(
    writer: Writer, choice: Choice[Value], outputs: Sequence[ArrayType], write_block: WriteBlock
) -> list[Value]:
    """An if statement, with a branch written under each of its conditions."""
    index = writer.name()
    writer.line(f"{index} = int({choice.index.text})")
    names = [writer.name() for _ in outputs]
    last = len(choice.branches) - 1
    for number, branch in enumerate(choice.branches):
        if number == last:
            opening = "else:" if number else "if True:"
        else:
            opening = f"{'elif' if number else 'if'} {index} <= {number}:"
        with writer.indented(opening):
            writer.assign(names, write_block(writer, branch, choice.operands))
    return [writer.made(name, type) for name, type in zip(names, outputs, strict=True)]
