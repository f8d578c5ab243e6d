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
from collections.abc import Callable, Sequence
from functools import partial
from keyword import iskeyword
from types import CodeType, MappingProxyType
from typing import Any

import numpy as np

from functrace.backends.blocks import plan_block
from functrace.backends.classes import Classes, Given
from functrace.backends.lines import line_of, placed
from functrace.backends.memory import Form, Storage, Value, Workspace, is_double, size_of
from functrace.backends.names import RESERVED
from functrace.backends.plan import As, Plan, Read, Return
from functrace.backends.planner import Planner
from functrace.backends.threads import team_for
from functrace.backends.writer import Writer
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
        classes: Classes = MappingProxyType({}),
    ) -> None:
        """Write the function.

        Args:
            program: The Program.
            donated: The numbers of the inputs whose memory may be overwritten and returned.
            name: The name of the function, if it can be one.
            classes: Which outputs without axes are arrays nonetheless, which are scalars, and which
                are of the class of an input.
        """
        if not name.isidentifier() or iskeyword(name) or name in RESERVED:
            name = "program"
        writer = Writer(plan_function(program, donated, classes))
        write_function(writer, program, name)
        self.source = "\n".join(writer.lines) + "\n"
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


def plan_function(
    program: Program,
    donated: frozenset[int] = frozenset(),
    classes: Classes = MappingProxyType({}),
) -> Plan:
    """The plan of a function that runs a Program; the arguments are those of `Written`."""
    planner = Planner(prefers_python=count_of_numbers(program) >= SEVERAL)
    planner.depth = 2
    inputs: list[Value] = []
    for number, variable in enumerate(program.inputs):
        value = Value(variable.type, Storage(number in donated, size_of(variable.type)))
        if variable.type.weak and is_double(variable.type):
            value.form, value.storage = Form.PYTHON, None
        inputs.append(value)
    given = [Value(value.type, form=value.form) for value in inputs]
    outputs = plan_block(planner, program, inputs)
    planner.add(Return(_returned(planner, program, outputs, given, classes)))
    return planner.plan(inputs, given)


def _returned(
    planner: Planner,
    program: Program,
    outputs: Sequence[Value],
    given: Sequence[Value],
    classes: Classes,
) -> list[Read]:
    """How the outputs are read; those without axes as scalars or as arrays, as the classes say."""
    reads = planner.separate(outputs)
    arrays = {
        variable
        for equation in program.equations
        if equation.primitive.makes_arrays
        or equation.primitive.keeps_arrays
        or equation.primitive.makes_views
        or equation.primitive.holds_programs
        for variable in equation.outputs
    }
    inputs: dict[Atom, Value] = dict(zip(program.inputs, given, strict=True))
    for number, (atom, output) in enumerate(zip(program.outputs, outputs, strict=True)):
        if atom.type.shape or atom.type.weak:
            continue
        is_array = classes.get(number)
        value, ways, _ = reads[number]
        is_constant = isinstance(atom, Constant) and output.form is Form.NUMPY
        if is_array is False and atom in arrays and output.form is Form.NUMPY:
            reads[number] = Read(value, (*ways, As.SCALAR))
        elif is_array is True:
            reads[number] = Read(value, (*ways, As.ARRAY))
        elif atom in inputs or is_constant:  # what is left of x * 1, say
            way = As.SCALAR if is_array is False else As.FRESH
            reads[number] = Read(inputs.get(atom, output), (way,))
        elif isinstance(is_array, Given):
            reads[number] = Read(value, ways, given[is_array.number])
    return reads


def write_function(writer: Writer, program: Program, name: str) -> None:
    """Write the function that a plan for a Program is of."""
    with writer.indented(f"def {name}({', '.join(writer.inputs)}):"):
        start = len(writer.lines)
        with writer.indented("try:"):
            writer.write()
        with writer.indented("except Exception as error:"):
            writer.line("locate(error)")
            writer.line("raise")
        if writer.workspace:
            writer.globals["workspace"] = Workspace([type for _, type in writer.workspace])
            writer.insert(start, f"{writer.kept} = workspace.take()")
        products = writer.products
        team = team_for(products, program.operations) if products else None
        if team is not None and takes_as_long_each_time(program):
            writer.globals["team"] = team
            writer.insert(start, "entered = team.enter()")
            with writer.indented("finally:"):
                writer.line("team.leave(entered)")


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
