"""Computation graphs as data: boxes with forward and backward values, and arrows between them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, groupby, zip_longest
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.choices import names_choices
from functrace.drawing.words import said
from functrace.errors import NonScalarOutputError
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import Constant, Program, Variable, name_variables, programs_in
from functrace.ir.structure import Choice, Loop, Run, nearest
from functrace.ir.types import UNKNOWN, ArrayType, type_of
from functrace.primitives.contracting import CONTRACTIONS
from functrace.primitives.linear import cast
from functrace.tracing.expressions import assigned_at, expression_at, line_at
from functrace.tracing.operands import as_operand
from functrace.tracing.places import Place, named_scope, source_of
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import bind
from functrace.transforms.arguments import leaf_names
from functrace.transforms.backward import backward
from functrace.transforms.evaluate import make_ir, run_program
from functrace.transforms.following import (
    FollowingTape,
    all_cotangents,
    inexact_inputs,
    outputs_of,
)
from functrace.transforms.tape import Row, Tape
from functrace.transforms.transformed import require_callable

OPERATORS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "matmul": "@",
    "floor_divide": "//", "remainder": "%", "greater": ">", "greater_equal": ">=", "less": "<",
    "less_equal": "<=", "equal": "==", "not_equal": "!=",
}  # fmt: skip
MATRIX_PRODUCT = re.compile(r"(.?)(.),\2(.?)->\1\3|(.+)(.)(.),(?:\4)?\6(.)->\4\5\7")
"""The subscripts of what one writes with @: of vectors and matrices, or of stacks of matrices."""
PRODUCTS = {
    "ab,a->b": "{0}.T @ {1}", "ab,ac->bc": "{0}.T @ {1}", "ab,cb->ac": "{0} @ {1}.T",
    "a,ba->b": "{1} @ {0}", "a,b->ab": "outer({0}, {1})",
}  # fmt: skip
"""Other products that have a sign of their own, by their subscripts with labels in order."""
WRITTEN = {"select": "where"}
"""What users call primitives of another name."""
INDEXING = ("getitem", "element", "gather")
WRITING = {"index_update": "=", "index_add": "+="}
LONGEST_FORMULA = 44


@dataclass(eq=False, repr=False)
class Box:
    """A value, and how it was computed.

    Attributes:
        name: What formulas call it: the user's name where it was given one at once.
        kind: "input", "constant" or "operation".
        formula: How it is computed of the boxes before it; empty for an input.
        types: Of its value; several where it has several.
        code: The user's expression; empty where it is not known.
        line: The user's whole line.
        place: The user's file and line; empty where there is none.
        scope: The names of scopes around it, with / between.
        value: The forward value f; None where only its type is known.
        gradient: The backward value g, the derivative of the result by this value; None where it
            is not known.
        inside: Graphs of what it runs, each under a title.
        members: How many boxes it stands for, where it is folded.
    """

    name: str
    kind: str
    formula: str
    types: Sequence[ArrayType]
    code: str = ""
    line: str = ""
    place: str = ""
    scope: str = ""
    value: Any = None
    gradient: Any = None
    inside: list[tuple[str, Graph]] = field(default_factory=list)
    members: int = 0

    def __repr__(self) -> str:
        formula = f" = {self.formula}" if self.formula else ""
        place = f" at {self.place}" if self.place else ""
        return f"<{self.kind} {self.name}{formula}: {', '.join(map(str, self.types))}{place}>"


@dataclass(eq=False, repr=False)
class Arrow:
    """A box is computed of another one.

    Attributes:
        start: The other box.
        end: The box.
        number: Which of its inputs the other one is.
        partial: The partial derivative of a number by a number; None for others.
    """

    start: Box
    end: Box
    number: int = 0
    partial: float | None = None

    def __repr__(self) -> str:
        partial = "" if self.partial is None else f": {self.partial:.4g}"
        return f"<arrow from {self.start.name} to {self.end.name}{partial}>"


@dataclass(eq=False, repr=False)
class Graph:
    """Boxes, in the order in which they are computed; and arrows.

    Attributes:
        boxes: Of inputs, constants and operations.
        arrows: From the lower edge of a box to the upper edge of another.
        results: The boxes whose values are returned.
    """

    boxes: list[Box]
    arrows: list[Arrow]
    results: list[Box]

    def __repr__(self) -> str:
        return f"<graph of {len(self.boxes)} boxes and {len(self.arrows)} arrows>"


@dataclass(frozen=True)
class _Step:
    """An operation: what an equation of a Program and a row of a tape have in common.

    What it reads is a key of what made it, or None for a constant, whose value stands beside.
    """

    primitive: Primitive
    keys: Sequence[Any]
    values: Sequence[Any]
    params: Mapping[str, Any]
    outputs: Sequence[Any]
    place: Place | None
    results: Sequence[Any] | None
    types: Sequence[ArrayType]

    @property
    def input_types(self) -> list[ArrayType]:
        pairs = zip(self.keys, self.values, strict=True)
        return [k.type if isinstance(k, Variable) else type_of(value) for k, value in pairs]

    @property
    def only_promotes(self) -> bool:
        """Whether it makes NumPy's number of Python's, which no user would call an operation."""
        if self.primitive is not cast or self.keys[0] is None:
            return False
        return self.input_types[0] == ArrayType((), self.types[0].dtype, weak=True)


class _OpeningTape(Tape):
    """A tape of what jitted functions compute, and known branches, each in a scope of its own."""

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run what has no rules of its own equation by equation."""
        if not primitive.holds_programs or primitive.calls_python:
            return super().record(primitive, inputs, params)
        keys = [*map(Variable, map(type_of, inputs))]
        inner = primitive.structure(keys, params)
        values = dict(zip(keys, inputs, strict=True))
        if isinstance(inner, Run):
            name, program, given = primitive.name, inner.program, inner.inputs
        elif isinstance(inner, Choice) and inner.examples is None:
            taken = innermost_value(values[inner.index])
            if taken is UNKNOWN:
                return super().record(primitive, inputs, params)
            number = nearest(taken, len(inner.branches))
            name = said("branch {}", number)
            program, given = inner.branches[number], inner.operands
        else:
            return super().record(primitive, inputs, params)
        with named_scope(name):
            return tuple(run_program(program, [values[key] for key in given]))


class _OpeningFollowingTape(_OpeningTape, FollowingTape):
    """The same, that follows all operations."""


def _recorded(
    f: Callable[..., Any], leaves: Sequence[Any], structure: tree.Structure
) -> tuple[Tape, Sequence[bool], list[tuple[Any, int | None]]]:
    """The tape of a call, which of the leaves are its inputs, and the outputs.

    Arrays of whole numbers are inputs as well; but where a function takes them, or what it has
    compared, for plain NumPy's, as one may where there is no derivative, they are constants.
    """
    is_inexact = [type_of(x).dtype.kind in "fc" for x in leaves]
    is_array = [type_of(x).dtype.kind in "biu" and np.ndim(x) > 0 for x in leaves]
    is_drawn = [is_on or is_one for is_on, is_one in zip(is_inexact, is_array, strict=True)]

    def on(tape: Tape, is_active: Sequence[bool]) -> Any:
        before = names_choices.set(True)
        try:
            with tape:
                args, options = structure.unflatten(tape.lifted(leaves, is_active))
                outputs = [tape.output(x) for x in tree.leaves(f(*args, **options))]
        finally:
            names_choices.reset(before)
        return tape, is_active, outputs

    if any(is_inexact):
        with suppress(Exception):
            return on(_OpeningFollowingTape(outlives=True), is_drawn)
    return on(_OpeningTape(outlives=True), is_inexact)


def graph_of_call(f: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]) -> Graph:
    """What a function computes for these arguments, forward and backward.

    Where its results have no derivatives, as those of integers and keys, it is forward alone.

    Raises:
        NonScalarOutputError: It returns nothing that is computed of its arguments.
    """
    require_callable(f, "draw")
    leaves, structure = tree.flatten((tuple(args), dict(options)))
    names = leaf_names(f, structure)
    leaves = [*map(as_operand, leaves)]
    tape, is_active, outputs = _recorded(f, leaves, structure)
    steps: list[_Step] = []
    for row in tape.rows:
        primitive, values, variables, params, output, number, place = row
        results, numbers = ((output,), (number,)) if type(number) is int else (output, number)
        types = [*map(type_of, results)]
        # A row may hold the way back of one application in place of the primitive.
        primitive = PRIMITIVES.get(primitive.name, primitive)
        steps.append(_Step(primitive, variables, values, params, numbers, place, results, types))
    numbers = iter(range(tape.inputs))
    inputs = [
        (next(numbers), name, leaf, type_of(leaf))
        for name, leaf, is_on in zip(names, leaves, is_active, strict=True)
        if is_on
    ]
    returned = [variable for _, variable in outputs if variable is not None]
    used = set(returned)
    for step in reversed(steps):  # what Python has compared on its way is no part of the result
        is_whole = not any(type.is_inexact for type in step.types)
        if (is_whole or step.primitive.locally_constant) and used.isdisjoint(step.outputs):
            steps.remove(step)
        else:
            used.update(step.keys)
    if not returned:
        program = make_ir(f)(*args, **options)
        if not any(isinstance(atom, Variable) for atom in program.outputs):
            raise NonScalarOutputError(
                "draw needs a function that returns something computed of its arguments.",
                advice="Return what is to be drawn.",
            )
        return graph_of_program(program, leaves, names)
    graph, boxes = _graph(inputs, steps, returned)
    value = outputs[0][0]
    if len(outputs) == 1 and np.shape(value) == () and type_of(value).dtype.kind == "f":
        _walk_back(tape, boxes, graph, returned[0], value)
    return graph


def graph_of_program(
    program: Program, inputs: Sequence[Any] | None = None, names: Sequence[str] | None = None
) -> Graph:
    """The graph of a Program: with its types alone, or with the values for these inputs.

    Args:
        program: The Program.
        inputs: Its inputs; None if they are not known.
        names: What the inputs are called; None for the names in its text.
    """
    if names is None:
        name_variables(program)
        names = [variable.name for variable in program.inputs]
    known: dict[Any, Any] = {}
    if inputs is not None:
        known = dict(zip(program.inputs, inputs, strict=True))
    steps: list[_Step] = []
    for equation in program.equations:
        keys = [a if isinstance(a, Variable) else None for a in equation.inputs]
        values = [a.value if isinstance(a, Constant) else known.get(a) for a in equation.inputs]
        results = None
        if inputs is not None:
            found = bind(equation.primitive, *values, **equation.params)
            results = found if equation.primitive.multiple_outputs else (found,)
            known.update(zip(equation.outputs, results, strict=True))
        types = [variable.type for variable in equation.outputs]
        steps.append(
            _Step(
                equation.primitive, keys, values, equation.params, equation.outputs,
                equation.source, results, types,
            )
        )  # fmt: skip
    given = [(v, name, known.get(v), v.type) for v, name in zip(program.inputs, names, strict=True)]
    returned = [atom for atom in program.outputs if isinstance(atom, Variable)]
    return _graph(given, steps, returned)[0]


def _graph(
    inputs: Iterable[tuple[Any, str, Any, ArrayType]],
    steps: Sequence[_Step],
    returned: Sequence[Any],
) -> tuple[Graph, dict[Any, Box]]:
    """The graph, and the box of each key."""
    graph = Graph([], [], [])
    boxes: dict[Any, Box] = {}
    called: dict[Any, str] = {}
    names = _Names()
    constants: dict[int, Box] = {}

    def add(box: Box) -> Box:
        graph.boxes.append(box)
        return box

    whole: list[tuple[Any, Any]] = []
    for key, name, value, type in inputs:
        if type.dtype.kind in "iu" and type.shape and value is not None:
            whole.append((key, value))
        boxes[key] = add(Box(names.new(name), "input", "", [type], value=value))
        called[key] = boxes[key].name
    lasts = are_last((step.place, step.primitive) for step in steps)
    for step, is_last in zip(steps, lasts, strict=True):
        if step.only_promotes:
            of, key = step.keys[0], step.outputs[0]
            boxes[key], called[key] = boxes[of], called[of]
            continue
        words: list[str] = []
        starts: list[Box | None] = []
        keys = _with_indices(step, whole) if "index" in step.params else step.keys
        for key, value in zip(keys, step.values, strict=True):
            start = None
            if key is not None and key in boxes:
                start, word = boxes[key], called[key]
            elif np.ndim(value) == 0:
                word = _number(value)
            else:
                if id(value) not in constants:
                    name = names.new(said("constant"))
                    constants[id(value)] = add(
                        Box(name, "constant", "", [type_of(value)], value=value)
                    )
                start = constants[id(value)]
                word = start.name
            words.append(word)
            starts.append(start)
        source = source_of(step.place)
        place = None if source is None else (source.code, source.instruction)
        written = expression_at(place)
        code = "" if written is None else ast.unparse(written)
        box = Box(
            names.new(
                (assigned_at(place) if is_last else "") or f"f{names.operations + 1}", counted=True
            ),
            "operation",
            _formula(step, words),
            step.types,
            code if len(code) <= LONGEST_FORMULA else f"{code[: LONGEST_FORMULA - 1]}…",
            line_at(place),
            "" if source is None else source._replace(scope="").short,
            "" if source is None else source.scope,
            None if step.results is None else _single(step.results),
        )
        box.inside = list(_inside(step, words))
        add(box)
        several = len(step.outputs) > 1
        for number, key in enumerate(step.outputs):
            boxes[key] = box
            called[key] = f"{box.name}[{number}]" if several else box.name
        pairs = enumerate(starts)
        graph.arrows += [Arrow(start, box, i) for i, start in pairs if start is not None]
    graph.results = [boxes[key] for key in dict.fromkeys(returned)]
    used = {id(arrow.start) for arrow in graph.arrows} | {id(box) for box in graph.results}
    graph.boxes = [b for b in graph.boxes if b.kind != "constant" or id(b) in used]
    return graph, boxes


def _with_indices(step: _Step, whole: Sequence[tuple[Any, Any]]) -> list[Any]:
    """The keys of what is read; an index that has an argument's numbers, and no other, is that."""
    keys = [*step.keys]
    for argument, numbers in whole:
        is_same = [
            key is None and np.array_equal(x, numbers)
            for key, x in zip(step.keys, step.values, strict=True)
        ]
        if sum(is_same) == 1:
            keys[is_same.index(True)] = argument
    return keys


def are_last(operations: Iterable[tuple[Any, Primitive]]) -> list[bool]:
    """Of which operations the result is that of the user's expression, of which some are parts.

    An expression that Python goes over again and again is the same operation each time.

    Args:
        operations: The place of each, and its primitive.
    """
    found: list[bool] = []
    for _, run in groupby(operations, lambda one: one[0]):
        parts = [primitive for _, primitive in run]
        is_loop = len({*parts}) == 1
        found += [is_loop or number == len(parts) - 1 for number in range(len(parts))]
    return found


class _Names:
    """Names of boxes, each given once."""

    def __init__(self) -> None:
        self.given: dict[str, int] = {}
        self.operations = 0

    def new(self, name: str, *, counted: bool = False) -> str:
        """The name itself; with a number where it was given before."""
        self.operations += counted
        count = self.given[name] = self.given.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"


def _single(results: Sequence[Any]) -> Any:
    return results[0] if len(results) == 1 else tuple(results)


def _number(value: Any) -> str:
    """A constant number, as one writes it: a whole one without a point."""
    number = np.asarray(value)[()]
    is_whole = number.dtype.kind == "f" and number == np.round(number) and abs(number) < 1e6
    return f"{number:.0f}" if is_whole else shown_number(number)


def _formula(step: _Step, words: Sequence[str]) -> str:
    name = WRITTEN.get(step.primitive.name, step.primitive.name)
    if name in OPERATORS and len(words) == 2:
        return f"{words[0]} {OPERATORS[name]} {words[1]}"
    if name == "negative":
        return f"-{words[0]}"
    if name == "transpose" and step.params["permutation"] == (1, 0):
        return f"{words[0]}.T"
    if name in CONTRACTIONS:
        subscripts = step.params["subscripts"]
        if MATRIX_PRODUCT.fullmatch(subscripts):
            return f"{words[0]} @ {words[1]}"
        if (product := PRODUCTS.get(_relabelled(subscripts))) is not None:
            return product.format(*words)
    if name in INDEXING or name in WRITING:
        arrays = iter(words[2 if name in WRITING else 1 :])
        parts = [next(arrays) if x == "indices" else _index(x) for x in step.params["index"]]
        text = f"{words[0]}[{', '.join(parts)}]"
        end = f" {WRITING[name]} {words[1]}" if name in WRITING else ""
        most = LONGEST_FORMULA - len(end)
        return (text if len(text) <= most else f"{text[: most - 2]}…]") + end
    options = [
        f"{key}={value}"
        for key, value in step.params.items()
        if isinstance(value, bool | int | str | tuple) and value not in ((), False)
        and not (isinstance(value, tuple) and value and isinstance(value[0], Program))
        and key not in ("constants", "carries")
    ]  # fmt: skip
    text = f"{name}({', '.join([*words, *options])})"
    return text if len(text) <= LONGEST_FORMULA else f"{text[: LONGEST_FORMULA - 2]}…)"


def _index(part: Any) -> str:
    """A part of an index, as one writes it."""
    if isinstance(part, slice):
        bounds = [part.start, part.stop] + [part.step] * (part.step is not None)
        return ":".join("" if bound is None else str(bound) for bound in bounds)
    return "..." if part is Ellipsis else str(part)


def _relabelled(subscripts: str) -> str:
    """Subscripts with the labels a, b, c in the order in which they come."""
    labels = dict.fromkeys(filter(str.isalpha, subscripts))
    return subscripts.translate({ord(x): chr(97 + n) for n, x in enumerate(labels)})


def _inside(step: _Step, words: Sequence[str]) -> Iterator[tuple[str, Graph]]:
    """What an operation runs: a loop's body, the branch that is taken, a function."""
    if not step.primitive.holds_programs:
        return
    is_known = step.results is not None
    inputs = [Variable(type) for type in step.input_types]
    structure = step.primitive.structure(inputs, dict(step.params))
    number_of = {variable: number for number, variable in enumerate(inputs)}
    if isinstance(structure, Loop):
        count = structure.length
        trips = said("as long as it goes on") if count is None else said("{} trips", count)
        names = [said("constant")] * len(structure.constants)
        names += [said("carry")] * len(structure.carries)
        names += [said("row")] * (len(structure.body.inputs) - len(names))
        yield trips, graph_of_program(structure.body, names=names)
    elif isinstance(structure, Run):
        yield "", _run_on(structure.program, [number_of[v] for v in structure.inputs], step, words)
    elif isinstance(structure, Choice):
        branches = enumerate(structure.branches)
        if is_known and structure.examples is None:
            taken = nearest(step.values[number_of[structure.index]], len(structure.branches))
            branches = [(taken, structure.branches[taken])]
        operands = [number_of[v] for v in structure.operands]
        for number, branch in branches:
            graph = _run_on(branch, operands, step, words)
            yield said("branch {}" + ", which is taken" * is_known, number), graph
    else:
        for program in programs_in(dict(step.params)):
            yield "", graph_of_program(program)


def _run_on(program: Program, inputs: Sequence[int], step: _Step, words: Sequence[str]) -> Graph:
    """The graph of a Program that is given some of an operation's inputs."""
    values = None if step.results is None else [step.values[i] for i in inputs]
    return graph_of_program(program, values, [words[i] for i in inputs])


def _walk_back(tape: Tape, boxes: Mapping[Any, Box], graph: Graph, last: int, value: Any) -> None:
    """Give each box its backward value, and each arrow between numbers its partial derivative."""
    found = all_cotangents(tape, {last: np.ones((), type_of(value).dtype)[()]})
    arrows = {(id(arrow.end), arrow.number): arrow for arrow in graph.arrows}

    def gradient_by(numbers: Sequence[int], types: Sequence[ArrayType]) -> Any:
        """Zero where the result does not depend on it."""
        pairs = zip(numbers, types, strict=True)
        return _single(
            [
                np.zeros(t.shape, t.dtype)[()] if found[n] is None and t.is_inexact else found[n]
                for n, t in pairs
            ]
        )

    for variable in range(tape.inputs):
        boxes[variable].gradient = gradient_by([variable], boxes[variable].types)
    for row in tape.rows:
        numbers = outputs_of(row)
        box = boxes.get(numbers[0])
        if box is None or box in [boxes.get(n) for n in row[2]]:
            continue
        box.gradient = gradient_by(numbers, box.types)
        if len(numbers) == 1:
            for i, partial in _partials(row):
                arrows[id(box), i].partial = partial


def _partials(row: Row) -> Iterator[tuple[int, float]]:
    """The partial derivatives of a real number by the real numbers among its inputs."""
    primitive, values, _, params, output, number, place = row
    is_single = isinstance(number, int)
    type = type_of(output if is_single else output[0])
    if type.shape or type.dtype.kind != "f":
        return
    count = len(values)
    own = tuple(None if variable is None else i for i, variable in enumerate(inexact_inputs(row)))
    cotangents: list[Any] = [None] * count + [np.ones((), type.dtype)[()]]
    alone: Row = (primitive, values, own, params, output, count if is_single else (count,), place)
    if not primitive.locally_constant:
        backward([alone], cotangents, is_recorded=False)
    for i, partial in enumerate(cotangents[:count]):
        if own[i] is not None and not np.ndim(values[i]) and not np.iscomplexobj(values[i]):
            yield i, 0.0 if partial is None else float(partial)


def folded(graph: Graph, most: int) -> Graph:
    """The graph with at most so many boxes: runs of operations become one box, to be opened.

    Operations of one scope are folded together, or else of one line, or else neighbours. Whole
    scopes stay together as long as there are several.
    """
    operations = [box for box in graph.boxes if box.kind == "operation"]
    if len(graph.boxes) <= most:
        return graph
    room = max(most // 2, 2)
    widest = max(most - 1, room)  # rather fewer inputs than scopes in pieces
    runs: list[list[Box]] = []
    for key, limit in (
        (lambda box: (_outer(box), box.place), room),
        (lambda box: box.scope, widest),
        (_outer, widest),
    ):
        runs = [list(run) for _, run in groupby(operations, key)]
        if 1 < len(runs) <= limit:
            break
    else:
        pieces = [list(run) for _, run in groupby(operations, lambda box: box.scope)]
        if len(pieces) == 1:
            pieces = [[box] for box in operations]
        size = -(-len(pieces) // room)
        starts = range(0, len(pieces), size)
        runs = [[*chain.from_iterable(pieces[i : i + size])] for i in starts]
    boxes: dict[int, Box] = {}
    made: list[Box] = []
    results = {id(box) for box in graph.results}
    for run in runs:
        if len(run) == 1:
            box = run[0]
        else:
            last = run[-1]
            title, formula = _title(run), said("{} operations", len(run))
            box = Box(
                title, "operation", formula, last.types, last.code, last.line,
                last.place, last.scope, last.value, last.gradient, members=len(run),
            )  # fmt: skip
            box.inside = [("", _part(graph, run))]
        made.append(box)
        boxes.update((id(old), box) for old in run)
    others = [box for box in graph.boxes if box.kind != "operation"]
    if len(others) > most - len(made):
        kept = others[: max(most - len(made) - 1, 0)]
        rest = others[len(kept) :]
        box = Box(said("others"), "input", said("{} arrays", len(rest)), [], members=len(rest))
        boxes.update((id(old), box) for old in rest)
        others = [*kept, box]
    arrows: dict[tuple[int, int], Arrow] = {}
    for arrow in graph.arrows:
        start, end = boxes.get(id(arrow.start), arrow.start), boxes[id(arrow.end)]
        if start is not end:
            is_plain = start is arrow.start and end is arrow.end
            partial = arrow.partial if is_plain else None
            arrows.setdefault((id(start), id(end)), Arrow(start, end, arrow.number, partial))
    new = [boxes[id(box)] for box in operations if id(box) in results]
    new += [boxes.get(id(b), b) for b in graph.results if b.kind != "operation"]
    return Graph([*others, *made], [*arrows.values()], list(dict.fromkeys(new)))


def _outer(box: Box) -> str:
    return box.scope.partition("/")[0]


def _title(run: Sequence[Box]) -> str:
    """What operations that are folded together are called: by their scope, or their scopes."""
    last = run[-1]
    if run[0].scope == last.scope:
        return last.scope.rpartition("/")[2] or last.name
    pairs = zip_longest(run[0].scope.split("/"), last.scope.split("/"), fillvalue="")
    ends = next(pair for pair in pairs if pair[0] != pair[1])
    return " … ".join(filter(None, ends))


def _part(graph: Graph, run: Sequence[Box]) -> Graph:
    """Some operations, with what they read from elsewhere as inputs."""
    inside = {id(box) for box in run}
    given: dict[int, Box] = {}
    arrows: list[Arrow] = []
    for arrow in graph.arrows:
        if id(arrow.end) not in inside:
            continue
        start = arrow.start
        if id(start) not in inside:
            start = given.setdefault(
                id(start),
                Box(
                    start.name, "input", "", start.types, value=start.value, gradient=start.gradient
                ),
            )
        arrows.append(Arrow(start, arrow.end, arrow.number, arrow.partial))
    used = {id(a.start) for a in graph.arrows if id(a.end) not in inside}
    used |= {id(box) for box in graph.results}
    return Graph([*given.values(), *run], arrows, [box for box in run if id(box) in used])


def summary(value: Any) -> list[str]:
    """An array in words: its norm and its range."""
    array = np.asarray(value)
    if not array.size:
        return [said("empty")]
    if array.dtype.kind == "b":
        return [said("{} of {} true", int(array.sum()), array.size)]
    if array.dtype.kind == "c":
        return [said("norm {}", f"{np.linalg.norm(array):.4g}")]
    numbers = array.astype(float)
    if not np.isfinite(numbers).all():
        bad = int(np.size(numbers) - np.isfinite(numbers).sum())
        return [said("{} of {} not finite", bad, numbers.size)]
    size = said("norm {}", f"{np.linalg.norm(numbers):.4g}")
    return [size, f"{numbers.min() + 0:.3g} … {numbers.max() + 0:.3g}"]  # no negative zero


def shown_number(value: Any) -> str:
    """A number; with four digits if it may have a fraction."""
    number = np.asarray(value)[()]
    return str(number) if number.dtype.kind in "bui" else f"{number + 0:.4g}"  # no negative zero
