"""The backend that writes Programs as Python source over NumPy: it is always there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functrace.backends.assuming import (
    NotAsAssumed,
    assuming_finite,
    begin_assuming,
    keeping_by_masks,
)
from functrace.backends.backend import AUTO, Backend, Executable
from functrace.backends.classes import Classes, origins_of_outputs
from functrace.backends.numpy_passes import simplify
from functrace.backends.numpy_source import Written
from functrace.ir.program import Program
from functrace.tracing.numpy_warnings import end_of_rule


class NumPyBackend(Backend):
    """Straight-line source, in which each primitive says itself what it is in NumPy."""

    name = "numpy"
    passes = simplify
    separates = True

    def compile(self, program: Program, donated: frozenset[int], name: str) -> Executable:
        """Write the source; where that is faster, for the case that all is finite."""
        classes = origins_of_outputs(program)
        assuming = None if donated else assuming_finite(program)
        if assuming is not None:
            return _assuming(program, assuming, name, classes)
        # It does not hold the Program, which may be the given one: that must not hold itself.
        written = Written(simplify(program), donated, name, classes)
        return Executable(written.run, written.source, texts=_TEXTS)


class AutoBackend(NumPyBackend):
    """The same, under the name by which `jit` may go over to machine code later."""

    name = AUTO


_TEXTS = {"explanation": lambda: "NumPy runs all of it, one operation after the other.\n"}


def _assuming(program: Program, assuming: Program, name: str, classes: Classes) -> Executable:
    """A function that assumes that all is finite, until it finds that something is not.

    Args:
        program: What is to be run.
        assuming: The same, made by `assuming_finite`.
        name: The name of the function.
        classes: As for `Written`.

    Returns:
        The function, and the text of what runs as long as the assumption holds.
    """
    hopeful = Written(simplify.first(assuming), frozenset(), name, classes)
    # One of its own, for the same reason.
    program = Program(program.inputs, program.equations, program.outputs)
    assumed: Callable[..., tuple[Any, ...]] | None = hopeful.run
    makers: list[Callable[[Program], Program | None]] = [keeping_by_masks]
    careful: Callable[..., tuple[Any, ...]] | None = None

    def run(*inputs: Any) -> tuple[Any, ...]:
        nonlocal assumed, careful
        while assumed is not None:
            begun = begin_assuming()
            try:
                return assumed(*inputs)
            except NotAsAssumed:
                pass
            finally:
                end_of_rule(begun)
            found = makers.pop()(program) if makers else None
            assumed = None
            if found is not None:
                assumed = Written(simplify.first(found), frozenset(), name, classes).run
        if careful is None:
            careful = Written(simplify(program), frozenset(), name, classes).run
        return careful(*inputs)

    return Executable(run, hopeful.source, texts=_TEXTS)
