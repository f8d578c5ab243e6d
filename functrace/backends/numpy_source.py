"""From a Program to straight-line Python source over NumPy.

Each equation becomes one statement, with the user's line beside it, in the order of the Program.
Three things make it as fast as code written by hand: results are written over arrays that nobody
needs any more, what is a view in NumPy stays one, and memory is let go as early as possible.
Primitives say themselves what they are in NumPy (`Primitive.numpy_code`); what runs, chooses
or repeats Programs is known by its `Structure`, and written by `structures.py`.
"""

from __future__ import annotations

import itertools
import linecache
import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from keyword import iskeyword
from types import CodeType, MappingProxyType
from typing import Any

import numpy as np

from functrace.backends.blocks import write_block
from functrace.backends.lines import line_of, placed
from functrace.backends.memory import Form, Storage, Value, Workspace, is_double, size_of
from functrace.backends.threads import team_for
from functrace.backends.writer import RESERVED, Writer, fresh_copy
from functrace.errors import FunctraceError
from functrace.ir.program import Atom, Constant, Program, Source
from functrace.tracing.numpy_warnings import namespace_of, warning_at_users_lines
from functrace.tracing.places import PLACES

SEVERAL = 4
"""From so many operations on single numbers on these are Python's floats: to convert them for the
first operation, and back after the last one, takes as long as two operations of NumPy's."""

_numbers = itertools.count(1)


class Written:
    """A function that was written from a Program.

    Attributes:
        source: Its text.
        run: The function.
    """

    def __init__(
        self,
        program: Program,
        donated: frozenset[int],
        name: str,
        classes: Mapping[int, bool] = MappingProxyType({}),
    ) -> None:
        """Write the function.

        Args:
            program: The Program.
            donated: The numbers of the inputs whose memory may be overwritten and returned.
            name: The name of the function, if it can be one.
            classes: Which outputs without axes are arrays nonetheless, and which are scalars.
        """
        if not name.isidentifier() or iskeyword(name) or name in RESERVED:
            name = "program"
        writer = Writer()
        self.source = write_function(writer, program, donated, name, classes)
        insight = writer.insight()
        if insight.kept or insight.inside:
            writer = Writer(insight)
            self.source = write_function(writer, program, donated, name, classes)
        self.run = _made(name, self.source, writer)


def _made(name: str, source: str, writer: Writer) -> Callable[..., tuple[Any, ...]]:
    """Compile the source, so that errors and warnings name the lines of the user."""
    file = f"<functrace {name} {next(_numbers)}>"
    module = compile(source, file, "exec", dont_inherit=True)
    places = writer.places
    namespace: dict[str, Any] = {
        "np": np,
        "math": math,
        **writer.globals,
        PLACES: places,
        "locate": partial(locate, module.co_consts[0], places),
    }
    made: dict[str, Any] = {}
    exec(module, namespace, made)  # noqa: S102 (the source was written here, from a checked Program)
    run = made[name]
    files = {place.file for place in places if place is not None}
    if len(files) == 1:
        run.__code__ = placed(run.__code__, places)
        known = namespace_of(files.pop())  # where Python counts the warnings of these lines
        namespace["__name__"] = known.get("__name__", "<string>")
        namespace["__warningregistry__"] = known.setdefault("__warningregistry__", {})
        return run
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    weakref.finalize(run, linecache.cache.pop, file, None)
    return warning_at_users_lines(run) if files else run


def locate(code: CodeType, places: Sequence[Source | None], error: Exception) -> None:
    """Say in an error that left generated source which line of the user's it belongs to."""
    step = error.__traceback__
    if step is None or (isinstance(error, FunctraceError) and error.where is not None):
        return
    line = line_of(code, step.tb_lasti)
    place = None if line is None else places[line - 1]
    if place is not None:
        error.add_note(f"recorded at {place}")


def write_function(
    writer: Writer,
    program: Program,
    donated: frozenset[int],
    name: str,
    classes: Mapping[int, bool],
) -> str:
    """The source of a function that runs a Program."""
    writer.prefers_python = count_of_numbers(program) >= SEVERAL
    inputs: list[Value] = []
    for number, variable in enumerate(program.inputs):
        storage = Storage(number in donated, size_of(variable.type))
        value = Value(writer.name(), variable.type, storage)
        if variable.type.weak and is_double(variable.type):
            value.form, value.storage = Form.PYTHON, None
        inputs.append(value)
    given: dict[Atom, str] = {
        variable: value.text for variable, value in zip(program.inputs, inputs, strict=True)
    }
    arrays = {
        variable
        for equation in program.equations
        if equation.primitive.makes_arrays
        or equation.primitive.keeps_arrays
        or equation.primitive.makes_views
        or equation.primitive.holds_programs
        for variable in equation.outputs
    }
    with writer.indented(f"def {name}({', '.join(value.text for value in inputs)}):"):
        start = len(writer.lines)
        with writer.indented("try:"):
            outputs = write_block(writer, program, inputs)
            texts = writer.separate(outputs)
            for number, atom in enumerate(program.outputs):
                if atom.type.shape or atom.type.weak:
                    continue
                is_array = classes.get(number)
                if is_array is False and atom in arrays and outputs[number].form is Form.NUMPY:
                    texts[number] = f"{texts[number]}[()]"
                elif is_array:
                    texts[number] = f"np.array({texts[number]})"
                elif atom in given or (
                    isinstance(atom, Constant) and outputs[number].form is Form.NUMPY
                ):  # what is left of x * 1, say
                    name = given.get(atom, outputs[number].text)
                    copy = writer.function("fresh_copy", fresh_copy)
                    texts[number] = f"{copy}({name})" if is_array is None else f"{name}[()]"
            returned = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
            kept = writer.workspace
            if kept:  # copies are made before another call may have the arrays
                writer.line(f"result = {returned}")
                writer.line(f"workspace.give({_names(kept)})")
                returned = "result"
            writer.line(f"return {returned}")
        with writer.indented("except Exception as error:"):
            writer.line("locate(error)")
            writer.line("raise")
        if kept:
            writer.globals["workspace"] = Workspace([type for _, type in kept])
            writer.insert(start, f"{_names(kept)} = workspace.take()")
        team = team_for(writer.products, program.operations) if writer.products else None
        if team is not None and takes_as_long_each_time(program):
            writer.globals["team"] = team
            writer.insert(start, "entered = team.enter()")
            with writer.indented("finally:"):
                writer.line("team.leave(entered)")
    return "\n".join(writer.lines) + "\n"


def _names(kept: Sequence[tuple[str, Any]]) -> str:
    return f"({', '.join(name for name, _ in kept)}{',' if len(kept) == 1 else ''})"


def takes_as_long_each_time(program: Program) -> bool:
    """Whether all calls do the same, as far as one can see: no loop ends by a condition."""
    return not program.has_effect and not any(
        equation.primitive.is_open_ended
        for part in (program, *program.nested())
        for equation in part.equations
    )


def count_of_numbers(program: Program) -> int:
    """How many operations make single numbers of numbers, those of nested Programs included."""
    return program.derive("count of numbers", lambda: _count_of_numbers(program))


def _count_of_numbers(program: Program) -> int:
    count = 0
    for equation in program.equations:
        if all(not atom.type.shape for atom in equation.inputs) and any(
            is_double(variable.type) for variable in equation.outputs
        ):
            count += 1
        count += sum(map(count_of_numbers, equation.programs))
    return count
