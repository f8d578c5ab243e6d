"""Writing in place: arrays that share memory, and what each of them stands for after a write.

A recorded operation writes nothing. ``x[i] = v`` records a functional update, and then the tracer
stands for the updated array. What shares its memory has to follow. A view is a function of its
base, made by a primitive such as ``getitem`` or ``transpose``, so that

- a write into a view is a write into its base, by the primitive's `written_back`, and so on down to
  the array that is a view of nothing;
- every other view of that array is out of date then, and is made again when it is used next.

Whether ``reshape`` makes a view or a copy depends on how NumPy lays out the elements in memory.
Where values are known, or the array has one axis, this is asked of NumPy. Where it cannot be known,
no array is used again that would depend on the answer.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from typing import Any, TypeVar
from weakref import ref

import numpy as np

from functrace import tree
from functrace.errors import ScalarWriteError, ViewWriteError
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import Constant
from functrace.ir.types import UNKNOWN
from functrace.tracing.implementing import implements
from functrace.tracing.layouts import (
    WITHOUT_AXES,
    Flags,
    copied,
    layout_of,
    lie_alike,
    order_of,
    zeros_lying_as,
)
from functrace.tracing.places import Place, source_of, user_place
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.recording import Recording, require_usable, written_within
from functrace.tracing.sharing import Memory, new_memory
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer, bind, bind_over


class Stale(Recording):
    """Takes the place of a view's recording when its memory was written through another array.

    The view is made again when it is used. Every use comes to its recording, so that no operation
    on other arrays pays for the question.
    """

    def __init__(self) -> None:
        super().__init__()
        self.birth = sys.maxsize  # so that `bind` comes here first
        self.is_open = False

    def settle(self, tracer: Tracer) -> None:
        """Make the view again."""
        base = tracer.base
        assert base is not None
        require_usable(base)
        _stand_for(tracer, _viewed(base, tracer))

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Make the views among the inputs again, and hand the operation on."""
        self._settle_all(inputs)
        return bind(primitive, *inputs, **params)

    def record_over(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
    ) -> Any:
        """As `record`."""
        self._settle_all(inputs)
        return bind_over(primitive, *inputs, **params)

    def _settle_all(self, inputs: Sequence[Any]) -> None:
        for x in inputs:
            if type(x) is Tracer and x.recording is self:
                self.settle(x)


STALE = Stale()


class Doubtful(Stale):
    """Takes the place of a tracer's recording where it is not known what NumPy's array holds."""

    def __init__(self, place: Place | None) -> None:
        super().__init__()
        self.place = place

    def settle(self, tracer: Tracer) -> None:
        """Refuse the use."""
        raise ViewWriteError(
            f"A traced array of shape {tracer.shape} is used after another one was changed in "
            "place, of which NumPy's reshape makes a view or a copy, as the elements lie in "
            "memory. That was changed",
            source_of(self.place),
        )


class State:
    """What a traced array that is no view stands for at one time."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.recording, self.value = tracer.recording, tracer.value
        self.known_as, self.place, self.base = tracer.known_as, tracer.place, tracer.base
        self.memory = memory = tracer.memory
        self.home, self.layout = (memory.home, memory.layout) if memory else (None, None)
        self.is_buffer = self.recording.is_plain and type(self.value) is np.ndarray

    @property
    def is_out_of_date(self) -> bool:
        """Whether the array was written since."""
        x = self.tracer
        return (
            x.known_as is not self.known_as
            or x.value is not self.value
            or x.recording is not self.recording
            or x.base is not self.base
        )

    def restore(self) -> None:
        """Let the array, and its views, be what they were."""
        x, memory = self.tracer, self.memory
        x.recording, x.value, x.known_as = self.recording, self.value, self.known_as
        x.place, x.base, x.memory = self.place, self.base, memory
        if memory is not None:
            memory.home, memory.layout = self.home, self.layout
            outdate(x)


class Overwritten(Recording):
    """Takes the place of an array's recording where what was written into it is not known here.

    It was written by a function that was recorded, to be run any number of times. The array cannot
    be read, but it can be written anew as a whole.
    """

    def __init__(self, before: State) -> None:
        super().__init__()
        self.birth = sys.maxsize  # so that `bind` comes here first
        self.is_open = False
        self._before = before

    def settle(self, tracer: Tracer) -> None:
        """Refuse the use."""
        raise written_within(tracer)

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Refuse the use."""
        raise written_within(next(x for x in inputs if type(x) is Tracer and x.recording is self))

    def let_write(self) -> None:
        """Let the array be written as a whole."""
        self._before.restore()


# Views and their bases


def _viewed(base: Tracer, view: Tracer) -> Tracer:
    """A view, made again from its base."""
    primitive, params, part = view.made_by
    if not isinstance(primitive, Primitive):
        return primitive(base, **params)
    if primitive.multiple_outputs:
        primitive, params = _reading(primitive, params, part, base)
    return base.recording.record(primitive, (base,), params)


def _written_back(base: Tracer, view: Tracer, result: Any) -> Any:
    """What a base is after a result was written into a view of it."""
    primitive, params, part = view.made_by
    if not hasattr(primitive, "written_back"):
        raise ValueError("assignment destination is read-only")
    if primitive.multiple_outputs:
        primitive, params = _reading(primitive, params, part, base)
    return primitive.written_back(base, result, **params)


def _reading(
    primitive: Any, params: dict[str, Any], part: int, base: Tracer
) -> tuple[Primitive, dict[str, Any]]:
    """What reads one output of a primitive that takes its input apart."""
    index = primitive.indices(base.shape, **params)[part]
    return PRIMITIVES["getitem"], {"index": index if type(index) is tuple else (index,)}


def as_laid_out(tracer: Tracer) -> Any:
    """An array whose elements lie as those of a traced one in NumPy; None where nobody knows."""
    memory = tracer.memory
    if tracer.base is None and memory is not None and memory.layout is not None:
        return _layout_within(memory)
    if tracer.base is not None and tracer.made_by[2] is None:  # by ravel: it lies in one piece
        below = as_laid_out(tracer.base)
        return None if below is None else below.ravel()
    innermost, value = tracer.innermost, innermost_value(tracer)
    if type(value) is np.ndarray:
        return value
    within = innermost.memory
    if innermost.base is None and within is not None and within.layout is not None:
        return _layout_within(within)
    if tracer.base is not None:
        below = as_laid_out(tracer.base)
        if below is None:
            return None
        primitive, params, part = tracer.made_by
        found = primitive.run(below, **params)
        return found[part] if primitive.multiple_outputs else found
    order = _order_of_axes(innermost)
    if order is None:
        return None
    layout = np.empty([tracer.shape[axis] for axis in order], bool).transpose(np.argsort(order))
    if memory is not None:
        memory.layout = layout
    return layout


def _layout_within(memory: Memory) -> Any:
    """The layout in which an array was written, once it is asked for; None where nobody knows."""
    if isinstance(memory.layout, partial):
        found = memory.layout()
        memory.layout = UNKNOWN if found is None else found
    return None if memory.layout is UNKNOWN else memory.layout


def layouts_of(values: Iterable[Any]) -> list[Any]:
    """How arrays lie in memory, traced ones included.

    Returns:
        For each an array that lies so; None for row-major order and for scalars, `UNKNOWN` where
        nobody knows.
    """
    return [*map(_layout, values)]


def _layout(x: Any) -> Any:
    if type(x) is Tracer and x.shape:
        found = as_laid_out(x)
        return UNKNOWN if found is None else layout_of(found)
    if type(x) is Tracer:
        return WITHOUT_AXES if x.is_array else None
    return layout_of(x) if type(x) is np.ndarray else None


def _order_of_axes(tracer: Tracer) -> tuple[int, ...] | None:
    """The axes of a value of a Program in the order in which they lie in memory in NumPy.

    From that of the longest steps to that of the shortest; None where it is not known. The inputs
    of a Program are taken to be in row-major order where nothing else is known, and this is noted.
    """
    recording, variable = tracer.recording, tracer.known_as
    if not isinstance(recording, ProgramRecording):
        return None if tracer.ndim > 1 else tuple(range(tracer.ndim))
    made_by, orders = recording.equations_by_output(), recording.orders
    waiting: list[Any] = [variable]
    while waiting:
        atom = waiting[-1]
        rank = len(atom.type.shape)
        equation = made_by.get(atom)
        if isinstance(atom, Constant):
            is_known = type(atom.value) is np.ndarray and atom.value.flags.forc and rank > 1
            order = order_of(atom.value) if is_known else None
            orders[atom] = tuple(range(rank)) if rank < 2 else order
        elif atom in recording.layouts:
            given = recording.layouts[atom]
            if isinstance(given, partial):
                given = recording.layouts[atom] = given()
            orders[atom] = None if given is UNKNOWN else order_of(given)
        elif equation is None or rank < 2:
            orders[atom] = tuple(range(rank))
            if equation is None and rank:
                recording.row_major.add(atom)
        else:
            missing = [x for x in equation.inputs if x not in orders]
            if missing:
                waiting.extend(missing)
                continue
            given = [orders[x] for x in equation.inputs]
            types = [x.type for x in equation.inputs]
            orders[atom] = equation.primitive.order_of_axes(given, types, rank, equation.params)
        if atom in recording.recopied and orders[atom] != tuple(range(rank)):
            orders[atom] = None
        waiting.pop()
    return orders[variable]


def _is_view(tracer: Tracer) -> bool | None:
    """Whether what a primitive made shares the memory of its base; None where nobody knows."""
    primitive, params, part = tracer.made_by
    if not isinstance(primitive, Primitive) or not primitive.may_copy:
        return True
    base, shape = tracer.base, params["shape"]
    assert base is not None
    if part is None:
        array = as_laid_out(base)
        return None if array is None else array.flags.c_contiguous
    if base.ndim < 2 or 0 in shape:
        return True
    if [n for n in base.shape if n != 1] == [n for n in shape if n != 1]:
        return True
    array = as_laid_out(base)
    return None if array is None else np.may_share_memory(array, array.reshape(shape))


def _chain(tracer: Tracer) -> tuple[list[Tracer], Tracer | None]:
    """A traced array, what it is a view of, what that is a view of, and so on.

    Beside these: what the last may be a view of, or may not.
    """
    chain = [tracer]
    while (base := tracer.base) is not None:
        is_view = _is_view(tracer)
        if is_view is None:
            return chain, base
        if not is_view:
            tracer.base = None
            tracer.memory = _memory_of_copy(tracer)
            break
        chain.append(base)
        tracer = base
    return chain, None


def _memory_of_copy(tracer: Tracer) -> Memory:
    """The memory of what reshape has copied into rows, with the views that it may have."""
    shared = tracer.memory
    assert shared is not None
    memory = new_memory(np.empty(tracer.shape, bool) if min(tracer.shape, default=0) >= 0 else None)
    memory.views, memory.most, memory.home = shared.views, shared.most, shared.home
    return memory


def root_of(tracer: Tracer) -> Tracer:
    """The array that a traced one is a view of, as far as that is certain; which may be itself."""
    return _chain(tracer)[0][-1]


def outdate(root: Tracer) -> None:
    """Let all views of an array be made again when they are used."""
    for entry in () if root.memory is None else root.memory.views:
        view = entry()
        if view is not None and view is not root and root_of(view) is root:
            view.recording = STALE


def as_raveled(view: Tracer) -> Tracer:
    """A reshaped array as `numpy.ravel` makes it: a view of what lies in one piece only."""
    base = view.base
    if base is None:
        return view
    if type(base.value) is np.ndarray:
        array = as_laid_out(base)
        if array is not None and not array.flags.c_contiguous:
            return view.copy()
    view.made_by = (*view.made_by[:2], None)
    return view


def laid_out_as(result: Any, array: Any) -> Any:
    """A result of NumPy's that lies in memory as an array does, where that is known."""
    array = innermost_value(array)
    if type(result) is Tracer and type(array) is np.ndarray and array.ndim > 1:
        result.memory = new_memory()
        result.memory.layout = np.empty_like(array, bool)
    return result


F = TypeVar("F", bound=Callable[..., Any])


def lies_as(
    function: Callable[..., Any] | None, *, keeps_rows: bool = True, of_types: bool = False
) -> Callable[[F], F]:
    """Let what an implementation makes lie in memory as what NumPy's function makes.

    It need not, where it is composed in another way than NumPy's. NumPy is asked: its function is
    called on zeros that lie as the arrays that were given.

    Args:
        function: NumPy's function; None for one whose results are in row-major order always.
        keeps_rows: Whether its results are in row-major order where all arrays are.
        of_types: Whether values lie as NumPy's, so that only types leave the question open.
    """

    def mark(implementation: F) -> F:
        @wraps(implementation)
        def call(*args: Any, **options: Any) -> Any:
            result = implementation(*args, **options)
            if type(result) is Tracer:
                _lay(result, (function, keeps_rows), args, options, None, of_types)
            elif type(result) is list or type(result) is tuple:
                for number, part in enumerate(result):
                    if type(part) is Tracer:
                        _lay(part, (function, keeps_rows), args, options, number, of_types)
            return result

        return call  # pyright: ignore[reportReturnType]

    return mark


def _lay(
    result: Tracer,
    functions: tuple[Callable[..., Any] | None, bool],
    args: Sequence[Any],
    options: dict[str, Any],
    part: int | None,
    of_types: bool,
) -> None:
    """Let a result lie as NumPy's function lets it lie that is given such arrays."""
    if result.ndim < 2 or result.recording.is_plain or not result.recording.is_open:
        return
    innermost = result.innermost
    recording, value = innermost.recording, innermost.value
    if type(value) is np.ndarray and result.memory is None:
        function, keeps_rows = functions
        in_rows = function is None or (keeps_rows and _in_rows(args))
        if of_types or (value.flags.c_contiguous and in_rows):
            return
    for x in tree.leaves((args, options)):
        if type(x) is Tracer and (
            x.known_as is result.known_as or (x.memory is result.memory is not None)
        ):
            return  # it is an argument, or a view of one, as NumPy's is
    result.memory = result.base = None
    lying = partial(_layout_by, *functions, args, options, part, result.shape)
    if isinstance(recording, ProgramRecording):
        recording.layouts[innermost.known_as] = lying
        recording.recopied.discard(innermost.known_as)
        recording.orders.pop(innermost.known_as, None)
    elif type(value) is np.ndarray and not of_types:
        layout = lying()
        if layout is not UNKNOWN and not lie_alike(layout_of(layout), layout_of(value)):
            innermost.value = np.empty_like(layout, value.dtype)
            innermost.value[...] = value


def _in_rows(args: Iterable[Any]) -> bool:
    """Whether all traced arrays among arguments are known to lie in row-major order."""
    for x in args:
        if type(x) is Tracer:
            if x.memory is not None:
                return False
            value = innermost_value(x)
            if type(value) is np.ndarray and not value.flags.c_contiguous:
                return False
        elif type(x) in (list, tuple) and not _in_rows(x):
            return False
    return True


def _layout_by(
    function: Callable[..., Any] | None,
    keeps_rows: bool,
    args: Sequence[Any],
    options: dict[str, Any],
    part: int | None,
    shape: tuple[int, ...],
) -> Any:
    """An array that lies as a result of NumPy's function; `UNKNOWN` where nobody knows."""
    leaves, structure = tree.flatten((args, options))
    if function is None or (keeps_rows and all(lies is None for lies in layouts_of(leaves))):
        return np.empty(shape, bool)
    for number, x in enumerate(leaves):
        if type(x) is Tracer:
            layout = as_laid_out(x) if x.ndim > 1 else np.empty(x.shape, bool)
            if layout is None:
                return UNKNOWN
            leaves[number] = zeros_lying_as(layout, x.dtype)
    args, options = structure.unflatten(leaves)
    with np.errstate(all="ignore"):
        result = function(*args, **options)
    return result if part is None else result[part]


# Writing


def write(tracer: Tracer, result: Any) -> None:
    """Let a traced array, and all that share its memory, stand for what they are after a write.

    Args:
        tracer: The array that is written in place.
        result: What it is then, of its shape and dtype.

    Raises:
        ValueError: NumPy does not let the array be written.
    """
    require_usable(tracer)
    if not isinstance(result, Tracer):  # of a locally constant operation, as x //= 2
        result = tracer.recording.lift(result)
    memory = tracer.memory
    if memory is None:
        _replace(tracer, result)
        if not tracer.shape:
            tracer.memory = (
                new_memory()
            )  # an array without axes it stays, though its value is a scalar
        return
    chain, doubtful = _chain(tracer)
    results = [result]
    for view, base in itertools.pairwise(chain):
        results.append(_written_back(base, view, results[-1]))
    for member, new in zip(chain, results, strict=True):
        _replace(member, new)
    written = {id(member) for member in chain}
    if doubtful is not None:  # whether these were written too, nobody knows
        doubt = Doubtful(user_place(1))
        chain[-1].base = None
        while doubtful is not None:
            above, doubtful = _chain(doubtful)
            for member in above:
                member.recording = doubt
                written.add(id(member))
    for entry in memory.views:
        view = entry()
        if view is not None and id(view) not in written:
            _follow(view, written)


def _follow(view: Tracer, written: set[int]) -> None:
    """Mark an array as out of date if it shares the memory of those that were written."""
    chain, doubtful = _chain(view)
    root = chain[-1]
    if id(root) in written or (view is not root and isinstance(root.recording, Doubtful)):
        view.recording = STALE
        return
    while doubtful is not None:
        above, doubtful = _chain(doubtful)
        if id(above[-1]) in written:
            root.base = None
            root.recording = Doubtful(user_place(1))
            if view is not root:
                view.recording = STALE
            return


def _replace(tracer: Tracer, result: Tracer) -> None:
    """Let a tracer stand for a result, laid out in memory as it was."""
    home = tracer.recording
    if tracer.base is None and home is not result.recording and home is not STALE:
        memory = tracer.memory = tracer.memory or new_memory()
        if memory.home is None:
            memory.home = home
    lying, changed = tracer.innermost, result.innermost
    before, after = lying.value, changed.value
    if before is UNKNOWN and tracer.shape and tracer.base is lying.base is None:
        memory = tracer.memory = tracer.memory or new_memory()
        if memory.layout is None:  # its variable will be another one, which may lie otherwise
            memory.layout = partial(as_laid_out, lying.twin())
    moved = type(before) is type(after) is np.ndarray and before.strides != after.strides
    if moved and tracer.base is not None:
        tracer.recording = STALE
        return
    if moved:
        changed.value = copied(before)
        changed.value[...] = after
    _stand_for(tracer, result)


def as_held(value: Tracer) -> Tracer:
    """A value that another array is to hold, in whose memory it is laid out."""
    result = value.copy("K")
    if result.ndim > 1:
        innermost = result.innermost
        innermost.recording.note_copy(innermost.known_as)
    return result


@implements(getattr)
def lying(tracer: Tracer, name: str) -> Any:
    """``x.flags`` and ``x.strides``: how NumPy's array would lie in memory.

    Raises:
        AttributeError: Nobody knows how it lies; or how far apart its elements are.
    """
    if tracer.recording.is_plain:
        return getattr(tracer.value, name)
    layout = as_laid_out(tracer) if tracer.shape else np.empty((), bool)
    if layout is not None and (name == "flags" or layout.flags.forc):
        if name == "flags":
            return Flags(layout.flags, tracer.base is None, tracer.is_array)
        return np.empty_like(layout, tracer.dtype).strides
    raise AttributeError(
        f"How a traced array lies in memory is not known here, and so not its {name!r}.\n"
        f"  at {source_of(user_place(2))}\n"
        "  np.ascontiguousarray(x) lies in row-major order. Its axes have the lengths x.shape."
    )


@implements(setattr)
def set_shape(tracer: Tracer, shape: Any) -> None:
    """``x.shape = shape``: the array is a view of what it was, as all are that were its views."""
    if not tracer.shape and not tracer.is_array:
        raise ScalarWriteError(
            "The attribute shape of a scalar is set, as only arrays have it.",
            source_of(user_place(2)),
        )
    is_alone = tracer.memory is None
    reshaped = np.reshape(tracer, shape)  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert isinstance(reshaped, Tracer)
    if reshaped.base is not None and _is_view(reshaped) is False:
        raise AttributeError(
            "Incompatible shape for in-place modification. Use `.reshape()` to make a copy with "
            "the desired shape."
        )
    before = tracer.copy()
    before.memory, before.base = tracer.memory, tracer.base
    if before.base is not None:
        before.made_by = tracer.made_by
    _stand_for(tracer, reshaped)
    if is_alone:
        tracer.memory = None
        return
    memory = tracer.memory
    assert memory is not None
    for entry in memory.views:
        view = entry()
        if view is not None and view.base is tracer:
            view.base = before
    tracer.base, tracer.made_by = before, reshaped.made_by
    memory.views.extend([ref(before), ref(tracer)])


def _stand_for(tracer: Tracer, other: Tracer) -> None:
    tracer.recording = other.recording
    tracer.value = other.value
    tracer.known_as = other.known_as
    tracer.place = other.place
