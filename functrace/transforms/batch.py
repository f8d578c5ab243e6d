"""vmap: a function of one example becomes a function of many.

The function is recorded once, for one example, by types alone; arguments that are not mapped stay
what they are. Then a loop over the Program's equations asks each primitive's batch rule to do its
operation for all examples at once. An operation that depends on no mapped argument is done once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, ParamSpec

import numpy as np

from functrace import depth, tree
from functrace.errors import AxisNameError, BatchAxisError, FunctraceError, TreeStructureError
from functrace.ir.program import NOTHING, Atom, Constant, Program, Variable
from functrace.ir.types import ArrayType, type_of
from functrace.primitives.linear import cast_to, dtype_of, known_value
from functrace.tracebacks import boundary
from functrace.tracing import numpy_warnings
from functrace.tracing.draws import watching_draws
from functrace.tracing.layouts import layout_of
from functrace.tracing.operands import as_operand
from functrace.tracing.places import runs_equations, source_of, user_place
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms.arguments import leaf_names, operands
from functrace.transforms.calling import apart, call_apart
from functrace.transforms.transformed import require_callable, transformed

P = ParamSpec("P")

Axes = Any
"""An axis, None for what is not mapped, or a tree prefix of these."""


class NamedAxis(NamedTuple):
    """The axis of examples of a vmap that gave it a name.

    Attributes:
        index: The number of the example, traced: it belongs to the vmap's recording.
        size: The number of examples.
    """

    index: Tracer
    size: int


_NUMBER = ArrayType((), np.dtype(np.int64))
_no_names: Mapping[Hashable, NamedAxis] = {}
_named_axes: ContextVar[Mapping[Hashable, NamedAxis]] = ContextVar("named_axes", default=_no_names)


def named_axis(name: Hashable) -> NamedAxis:
    """The axis of this name, of the innermost vmap that is calling its function and has it.

    Raises:
        AxisNameError: There is none.
    """
    axes = _named_axes.get()
    if name not in axes:
        known = ", ".join(map(repr, axes)) or "there are none"
        raise AxisNameError(
            f"No vmap that runs here has an axis named {name!r}; the names in scope: {known}.",
            source_of(user_place(2)),
        )
    return axes[name]


named_axes: Callable[[], Mapping[Hashable, NamedAxis]] = _named_axes.get
"""The axes of all maps with a name that are calling their functions, outermost first."""


no_shortcuts: Final[list[None]] = []
"""Not empty while calls of jitted functions must go the general way: somewhere, in any thread,
named axes are in scope, or `disable_jit` is in force. One look at a list is all that it costs."""


@contextmanager
def with_named_axes(axes: Mapping[Hashable, NamedAxis]) -> Generator[None]:
    """Let these axes be in scope, and no others: where a rule is called after its map has ended."""
    before = _named_axes.set(axes)
    if axes:
        no_shortcuts.append(None)
    try:
        yield
    finally:
        if axes:
            no_shortcuts.pop()
        _named_axes.reset(before)


def names_of_indices(tracers: Sequence[Tracer]) -> tuple[Hashable, ...] | None:
    """The names by which these numbers of examples are found here; None if one is not found so.

    What was recorded with such a number may be used again in another call of the vmap, whose own
    number has the same name.
    """
    found = {axis.index.known_as: name for name, axis in _named_axes.get().items()}
    variables = [tracer.known_as for tracer in tracers]
    if not all(isinstance(variable, Variable) and variable in found for variable in variables):
        return None
    return tuple(found[variable] for variable in variables)


def axes_in_scope() -> tuple[tuple[Hashable, int], ...]:
    """The names of the axes that the running maps have, with their lengths.

    A function may ask for these lengths, so what was recorded of it holds for them alone.
    """
    return tuple((name, axis.size) for name, axis in _named_axes.get().items())


@runs_equations("equation")
def batch_program(
    program: Program, size: int, inputs: Sequence[Any], axes: Sequence[int | None]
) -> tuple[list[Any], list[int | None]]:
    """Run a Program for many examples at once.

    Args:
        program: The Program for one example.
        size: The number of examples.
        inputs: One for each input of the Program; those that are batched have one axis more.
        axes: The batch axis of each input; None where all examples share it.

    Returns:
        The outputs, and the batch axis of each; None where all examples have the same output.
    """
    values: dict[Variable, Any] = dict(zip(program.inputs, inputs, strict=True))
    axis_of: dict[Variable, int | None] = dict(zip(program.inputs, axes, strict=True))

    def read(atom: Atom) -> Any:
        return atom.value if isinstance(atom, Constant) else values[atom]

    def read_axis(atom: Atom) -> int | None:
        return None if isinstance(atom, Constant) else axis_of[atom]

    handling = NOTHING
    begun = numpy_warnings.begin()
    depth.enter()
    try:
        for equation, ending in zip(program.equations, program.last_uses(), strict=True):
            primitive = equation.primitive
            operands = [read(atom) for atom in equation.inputs]
            operand_axes = [read_axis(atom) for atom in equation.inputs]
            if equation.handling is not handling and equation.handling != handling:
                numpy_warnings.end(begun)
                handling = equation.handling
                begun = numpy_warnings.begin_handling(handling)
            try:
                if all(axis is None for axis in operand_axes):
                    output = bind(primitive, *operands, **equation.params)
                    axis: Any = None
                    if primitive.multiple_outputs:
                        axis = (None,) * len(equation.outputs)
                else:
                    output, axis = primitive.batch(size, operands, operand_axes, **equation.params)
            except FunctraceError as error:
                if error.at(equation.source).where != str(equation.source):
                    error.add_note(
                        f"while batching {primitive.name}, recorded at {equation.source}"
                    )
                raise
            if primitive.multiple_outputs:
                values.update(zip(equation.outputs, output, strict=True))
                axis_of.update(zip(equation.outputs, axis, strict=True))
            else:
                (variable,) = equation.outputs
                dtype = variable.type.dtype
                # It may differ where an example has a Python number: those of all are an array.
                if axis is not None and dtype_of(output) != dtype:
                    output = cast_to(output, dtype)
                values[variable], axis_of[variable] = output, axis
            for variable in ending:
                del values[variable]
    finally:
        depth.leave()
        numpy_warnings.end(begun)
    outputs = [read(atom) for atom in program.outputs]
    return outputs, [read_axis(atom) for atom in program.outputs]


@boundary
def vmap(
    fun: Callable[P, Any],
    in_axes: Axes = 0,
    out_axes: Axes = 0,
    axis_name: Hashable = None,
    axis_size: int | None = None,
) -> Callable[P, Any]:
    """Map a function over an axis of its arguments, as one array operation after another.

    Args:
        fun: A function of one example: of trees of arrays, with a tree of arrays as output.
        in_axes: Which axis of the arguments counts the examples: an integer for all positional
            arguments, or a tuple or list with an entry for each argument, which is an integer,
            None for an argument that all examples share, or a tree prefix of such. Negative axes
            count from the end. Arguments passed by keyword are mapped over axis 0.
        out_axes: Where the examples are counted in the output: an integer, or a tree prefix of
            the output. None gives an output that does not depend on the example just once.
        axis_name: A name for the axis of examples. Inside ``fun`` the functions of
            ``functrace.lax`` that combine examples, such as ``psum``, take it.
        axis_size: The number of examples, needed where no argument is mapped.

    Returns:
        A function with the arguments of ``fun``, each with its axis of examples.

    Raises:
        BatchAxisError: The axes do not fit the arguments or each other, or an output under
            ``out_axes=None`` depends on the example.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.vmap(np.dot, in_axes=(0, None))(np.arange(6.0).reshape(3, 2), np.ones(2))
        array([1., 5., 9.])
    """
    require_callable(fun, "vmap")
    example: Callable[..., Any] = fun  # it is called on traced arguments, not on its own

    @transformed(
        fun,
        vmap,
        in_axes=in_axes,
        out_axes=out_axes,
        axis_name=axis_name,
        axis_size=axis_size,
    )
    @boundary
    def mapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        leaves, structure = tree.flatten((args, kwargs))
        axes = _input_axes(fun, in_axes, args, kwargs)
        # What is not mapped may be anything, a function for instance.
        mapped_leaves = [
            0 if axis is None else leaf for leaf, axis in zip(leaves, axes, strict=True)
        ]
        advice = "Leave the argument out of the map: in_axes=None."
        found = operands(fun, mapped_leaves, structure, "vmap", advice)
        leaves = [
            leaf if axis is None else x for leaf, x, axis in zip(leaves, found, axes, strict=True)
        ]

        def name_of(index: int) -> str:
            return leaf_names(fun, structure)[index]

        axes = [
            None if axis is None else _checked_axis(axis, type_of(leaf), name_of, index)
            for index, (axis, leaf) in enumerate(zip(axes, leaves, strict=True))
        ]
        size = _batch_size(leaves, axes, axis_size, name_of)
        with ProgramRecording() as recording:
            inputs = [
                leaf
                if axis is None
                else recording.input(_without_axis(type_of(leaf), axis), _layout(leaf, axis))
                for leaf, axis in zip(leaves, axes, strict=True)
            ]
            traced_args, traced_kwargs = structure.unflatten(inputs)
            names = _named_axes.get()
            if axis_name is not None:
                names = {**names, axis_name: NamedAxis(recording.input(_NUMBER), size)}
            with with_named_axes(names), watching_draws(fun):
                outputs, out_structure = tree.flatten(
                    call_apart(example, traced_args, traced_kwargs)
                )
            program = recording.program([as_operand(x) for x in outputs])
        batched = [
            (leaf, axis) for leaf, axis in zip(leaves, axes, strict=True) if axis is not None
        ]
        if axis_name is not None:
            batched.append((np.arange(size), 0))
        values, value_axes = batch_program(
            program, size, [leaf for leaf, _ in batched], [axis for _, axis in batched]
        )
        placed = [
            _placed(value, axis, wanted, size, number)
            for number, (value, axis, wanted) in enumerate(
                zip(values, value_axes, _output_axes(out_axes, out_structure), strict=True)
            )
        ]
        return out_structure.unflatten(apart(placed, leaves))

    return mapped


def _layout(leaf: Any, axis: int) -> np.ndarray | None:
    """How an example lies in memory; None for row-major order."""
    value = known_value(leaf)
    is_array = type(value) is np.ndarray and value.ndim > 1 and value.size > 0
    return layout_of(np.moveaxis(value, axis, 0)[0]) if is_array else None


def _is_none(x: Any) -> bool:
    return x is None


def _input_axes(
    f: Callable[..., Any], in_axes: Axes, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[int | None]:
    """The axis of each leaf of the arguments."""
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise BatchAxisError(
            f"in_axes has {len(in_axes)} entries, but {getattr(f, '__name__', 'the function')} "
            f"was called with {len(args)} positional arguments.",
            advice="Give one entry for each positional argument, or one integer for all.",
        )
    try:
        positional = tree.broadcast_prefix(in_axes, args, is_leaf=_is_none)
    except TreeStructureError as error:
        raise BatchAxisError(
            f"in_axes={in_axes!r} is no tree prefix of the arguments: {error.what}",
            advice="Give an integer, None, or a container with the argument's structure.",
        ) from None
    return [*positional, *(0 for _ in tree.leaves(kwargs))]


def _checked_axis(axis: Any, type: ArrayType, name_of: Callable[[int], str], index: int) -> int:
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise BatchAxisError(f"in_axes must hold integers and None, not {axis!r}.")
    if not -type.ndim <= axis < type.ndim:
        raise BatchAxisError(
            f"The argument {name_of(index)} is mapped over axis {axis}, but has shape {type.shape}."
        )
    return axis % type.ndim


def _batch_size(
    leaves: Sequence[Any],
    axes: Sequence[int | None],
    axis_size: int | None,
    name_of: Callable[[int], str],
) -> int:
    sizes = {
        index: type_of(leaf).shape[axis]
        for index, (leaf, axis) in enumerate(zip(leaves, axes, strict=True))
        if axis is not None
    }
    if axis_size is not None:
        distinct = {*sizes.values(), axis_size}
    elif sizes:
        distinct = set(sizes.values())
    else:
        raise BatchAxisError(
            "No argument is mapped, so the number of examples is not known.",
            advice="Map an argument by in_axes, or give axis_size.",
        )
    if len(distinct) > 1:
        found = ", ".join(
            f"{name_of(index)} has {size} along axis {axes[index]}" for index, size in sizes.items()
        )
        given = "" if axis_size is None else f"; axis_size is {axis_size}"
        raise BatchAxisError(f"The mapped axes have different lengths: {found}{given}.")
    return distinct.pop()


def _without_axis(type: ArrayType, axis: int) -> ArrayType:
    return ArrayType(type.shape[:axis] + type.shape[axis + 1 :], type.dtype)


def _output_axes(out_axes: Axes, structure: tree.Structure) -> list[Any]:
    full = structure.unflatten(range(structure.num_leaves))
    if isinstance(out_axes, list) and not isinstance(full, list):
        out_axes = tuple(out_axes)
    try:
        return tree.broadcast_prefix(out_axes, full, is_leaf=_is_none)
    except TreeStructureError as error:
        raise BatchAxisError(
            f"out_axes={out_axes!r} is no tree prefix of the output: {error.what}",
            advice="Give an integer, None, or a container with the output's structure.",
        ) from None


def _placed(value: Any, axis: int | None, wanted: Any, size: int, number: int) -> Any:
    """An output with its batch axis where it is wanted."""
    if wanted is None:
        if axis is not None:
            raise BatchAxisError(
                f"Output {number} depends on the example, but out_axes asks for it just once."
            )
        return value
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        raise BatchAxisError(f"out_axes must hold integers and None, not {wanted!r}.")
    rank = np.ndim(value) + (axis is None)
    if not -rank <= wanted < rank:
        raise BatchAxisError(
            f"out_axes={wanted} is no axis of output {number}, which has {rank} axes with that "
            "of the examples."
        )
    if axis is None:
        value = np.broadcast_to(value, (size, *np.shape(value)))
        axis = 0
    return value if axis == wanted % rank else np.moveaxis(value, axis, wanted)
