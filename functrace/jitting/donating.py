"""Donated arguments: arrays whose memory a compiled Program may reuse.

A Program that overwrites an input reads wrong numbers wherever else the same memory is an input or
a constant. So what is not alone in its memory is copied first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functrace.backends.compiling import arrays_in
from functrace.ir.program import Program


def fit_for_donation(
    run: Callable[..., tuple[Any, ...]], program: Program, donated: frozenset[int]
) -> Callable[..., tuple[Any, ...]]:
    """Make a function that copies donated arrays that must not be overwritten, and then runs.

    Args:
        run: Takes the Program's inputs, and overwrites the donated ones.
        program: The Program.
        donated: The numbers of the donated inputs.
    """
    numbers = sorted(donated)
    others = [number for number in range(len(program.inputs)) if number not in donated]
    constants = arrays_in(program)
    of_constants = {id(owner) for owner in map(_owner, constants)}

    def run_donated(*leaves: Any) -> tuple[Any, ...]:
        given = list(leaves)
        taken = {id(_owner(leaves[number])) for number in others} | of_constants
        for number in numbers:
            array = leaves[number]
            if array.base is not None or not array.flags.writeable or id(array) in taken:
                given[number] = array.copy()
            else:
                taken.add(id(array))
        # A donated array may be the owner of a view that is donated too: that was copied.
        return run(*given)

    return run_donated


def _owner(x: Any) -> Any:
    """The object that owns the memory of an array."""
    while True:
        base = x.obj if isinstance(x, memoryview) else getattr(x, "base", None)
        if base is None:
            return x
        x = base
