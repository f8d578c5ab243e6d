"""What a jitted function keeps of its calls: recordings by kinds of calls, and guards for them.

A call goes one of three ways. The guard that passed the last call is asked first; then those that
passed calls before it. Where none passes the call, its arguments are flattened, and what was
recorded is looked up by their structure and types; that, too, may have to be recorded first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Any, NamedTuple
from weakref import WeakMethod, WeakSet

import numpy as np

from functrace import tree
from functrace.backends.backend import (
    AUTO,
    Executable,
    chosen,
    default,
    may_be_native,
    set_default,
    using,
)
from functrace.backends.compiling import compiled, evaluating
from functrace.collecting import collecting_less_often
from functrace.control.call import call
from functrace.control.looping import forget_bodies
from functrace.errors import ScalarWriteError
from functrace.factories import context
from functrace.ir.program import Program
from functrace.ir.types import ArrayType, type_of
from functrace.jitting.donating import fit_for_donation
from functrace.jitting.explaining import explain_capture, explain_miss, is_explaining, why_recorded
from functrace.jitting.guards import MISS, Guard, make_guard
from functrace.jitting.slow_compiles import report_if_long
from functrace.jitting.tiers import Tier
from functrace.tracing.draws import watching_draws
from functrace.tracing.places import Place, source_of, user_place
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import layouts_of
from functrace.transforms.arguments import operands
from functrace.transforms.batch import axes_in_scope, named_axis, names_of_indices, no_shortcuts
from functrace.transforms.calling import apart
from functrace.transforms.evaluate import record_program, run_program
from functrace.transforms.programs import closed
from functrace.transforms.static_arguments import (
    NamedParameters,
    dynamic_positions,
    require_hashable,
    separated,
    with_static,
)
from functrace.tree.sameness import identity

MOST_RECORDINGS = 256
"""How many recordings one function keeps; beyond these, the least recently used one goes."""

MOST_GUARDS_ASKED = 8
"""How many guards are asked before a call is looked up: they cost less than that."""

MOST_GUARDS = 8
"""How many guards there are for one recording: for arguments whose Python types differ, but not
their array types (an array of no axes, a NumPy scalar)."""


class Key(NamedTuple):
    """What a recording holds for.

    Attributes:
        structure: Of the pair of positional and keyword arguments that are not static.
        types: Of their leaves.
        static: Position or name, value and identity of each static argument.
        axes: The named axes in scope, and their lengths.
        backend: The name of what compiles it.
        strides: Of arrays that do not lie in row-major order, where that makes a difference.
    """

    structure: tree.Structure
    types: tuple[ArrayType, ...]
    static: tuple[tuple[int | str, Any, Hashable], ...]
    axes: tuple[tuple[Hashable, int], ...]
    backend: str
    strides: tuple[tuple[int, ...] | None, ...] = ()

    @property
    def identity(self) -> Hashable:
        """What it is looked up by.

        Raises:
            TypeError: A static argument cannot be hashed.
            TreeRegistrationError: A static field, or auxiliary data, cannot be hashed.
        """
        static = tuple((place, identity) for place, _, identity in self.static)
        axes = identity(self.axes) if self.axes else ()
        found = (self.structure.identity, self.types, static, axes, self.backend, self.strides)
        hash(self.structure)
        hash(found)
        return found


def no_method() -> None:
    """A reference to no method."""


class Entry:
    """What is kept for one kind of calls.

    Attributes:
        key: What kind.
        identity: What it is looked up by.
        program: The recorded function.
        structure: The structure of its output.
        captured: The names of the axes of which the Program takes the numbers of the examples.
        donated: The numbers of the leaves whose memory may be reused.
        name: The function's name.
        recording_seconds: How long it took to record it.
        row_major: The numbers of the leaves for which it holds in this order only.
        guards: By the leaves' Python types; None where these types can have none.
        tier: What watches the calls, where no backend was chosen.
    """

    def __init__(
        self,
        key: Key,
        identity: Hashable,
        program: Program,
        structure: tree.Structure,
        captured: tuple[Hashable, ...],
        donated: frozenset[int],
        name: str,
        recording_seconds: float = 0.0,
        row_major: tuple[int, ...] = (),
        forget: Callable[[], Callable[[Entry], None] | None] = no_method,
    ) -> None:
        self.key = key
        self.identity = identity
        self.name = name
        self.recording_seconds = recording_seconds
        self.program = program
        self.structure = structure
        self.captured = captured
        self.row_major = row_major
        self.donated = donated
        self.guards: dict[tuple[type, ...], Guard | None] = {}
        self.tier = Tier() if key.backend == AUTO and may_be_native() else None
        self._forget = forget
        self._is_reported = False
        self._executable: Executable | None = None
        self._run: Callable[..., tuple[Any, ...]] | None = None
        self._lock = threading.RLock()

    @property
    def executable(self) -> Executable:
        """What the Program is compiled to, when it is first needed."""
        with self._lock:
            if self._executable is None:
                backend = self.key.backend
                self._executable = self.compiled_by("numpy" if backend == AUTO else backend)
                self.recording_seconds = 0.0
            return self._executable

    @property
    def is_machine_code(self) -> bool:
        """Whether what runs is machine code as a whole, so that no frame tells of it."""
        return self._executable is not None and self._executable.checking is not None

    def compiled_by(self, backend: str) -> Executable:
        """What a backend makes of the Program."""
        start = perf_counter()
        made = compiled(self.program, self.donated, self.name, backend)
        seconds = self.recording_seconds + perf_counter() - start
        if not self._is_reported:
            place = source_of(user_place(2))
            self._is_reported = report_if_long(self.name, self.program, seconds, place)
        return made

    def use(self, executable: Executable) -> None:
        """Run this from now on."""
        with self._lock:
            self._executable, self._run, self.guards = executable, None, {}
        forget = self._forget()
        if forget is not None:
            forget(self)

    @property
    def run(self) -> Callable[..., tuple[Any, ...]]:
        """Takes plain leaves, returns the leaves of the output."""
        run = self._run
        if run is None:
            with self._lock:
                run = self.executable.run
                if self.donated:
                    run = fit_for_donation(run, self.program, self.donated)
                self._run = run
        return run

    def call(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """Run it, in a call that no guard let pass."""
        tier, run = self.tier, self.run
        if tier is None or tier.is_settled:
            return run(*leaves)
        start = perf_counter()
        outputs = run(*leaves)
        tier.ran(self, perf_counter() - start)
        return outputs

    def guard(self, leaves: Sequence[Any]) -> Guard | None:
        """The guard for calls with leaves like these, which may be made now."""
        kinds = tuple(map(type, leaves))
        with self._lock:
            if kinds not in self.guards and len(self.guards) < MOST_GUARDS:
                self.guards[kinds] = self.new_guard(leaves, self.key.static, self.row_major)
            return self.guards.get(kinds)

    def new_guard(
        self,
        leaves: Sequence[Any],
        static: Sequence[tuple[int | str, Any, Hashable]] = (),
        row_major: Sequence[int] = (),
    ) -> Guard | None:
        """A guard for calls with leaves like these; the arguments are those of `make_guard`."""
        key, tier = self.key, self.tier
        if key.axes or key.strides or (tier is not None and tier.is_on_trial):
            return None
        return make_guard(
            self.run,
            leaves,
            key.structure,
            self.structure,
            static,
            row_major,
            None if self.donated else self.executable.checking,
            None if tier is None or tier.is_settled else tier.allowance,
        )


class Reason(NamedTuple):
    """Why a jitted function was recorded.

    Attributes:
        why: What differs from the most similar call before.
        place: The user's line that called it.
    """

    why: str
    place: str


class CacheInfo(NamedTuple):
    """How a jitted function's recordings stand. Calls that need none are not counted.

    Attributes:
        misses: How often the function was recorded.
        maxsize: How many recordings are kept at most.
        currsize: How many there are.
    """

    misses: int
    maxsize: int
    currsize: int


def _none_yet(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return MISS


class _InTheMaking:
    """A recording that a thread is making, for which others wait."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.done = threading.Event()


_waiting: dict[int, _InTheMaking] = {}
"""For which recording a thread waits. Functions that call each other must not wait in a circle."""

_waiting_lock = threading.Lock()


class Recordings:
    """The recordings of one function, and its calls.

    Attributes:
        first: The guard that passed the last call.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        static: NamedParameters,
        donated: NamedParameters,
        backend: str | None,
    ) -> None:
        self.function = f
        self.backend = backend
        self.static = static
        self.donated = donated
        self.first: Guard = _none_yet
        self._recent: tuple[tuple[Guard, Entry], ...] = ()
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._making: dict[Hashable, _InTheMaking] = {}
        self._misses = 0
        self._history: deque[tuple[Key, Place | None]] = deque(maxlen=MOST_RECORDINGS)
        # Static arguments are compared while it is held, and their class may call anything.
        self._lock = threading.RLock()
        _all.add(self)

    # Calls

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function; the first guard was asked already."""
        if no_shortcuts and _is_disabled_here.get():
            return self.function(*args, **kwargs)
        for pair in self._recent[1:]:
            result = pair[0](args, kwargs)
            if result is not MISS:
                self._recent = (pair, *[other for other in self._recent if other is not pair])
                self.first = pair[0]
                return result
        static, dynamic_args, dynamic_kwargs = separated(self.static, args, kwargs)
        given, structure = tree.flatten((dynamic_args, dynamic_kwargs))
        leaves = self._operands(given, structure, static)
        types = tuple(map(type_of, leaves))
        key = Key(structure, types, static, axes_in_scope(), self.backend or chosen())
        entry, captured = self._entry_of(key, leaves)
        if captured or any(type(leaf) is Tracer for leaf in leaves):
            named = {} if self.backend is None else {"backend": self.backend}
            outputs = bind(call, *leaves, *captured, program=entry.program, **named)
        elif evaluating.get():
            outputs = apart(run_program(entry.program, leaves), leaves)
        else:
            outputs = entry.call(leaves)
            guard = entry.guard(given)
            if guard is not None:
                self._put_first(guard, entry)
        return entry.structure.unflatten(list(outputs))

    def _entry_of(self, key: Key, leaves: Sequence[Any]) -> tuple[Entry, list[Any]]:
        """The recording for these leaves, which depends on how they lie where that matters."""
        try:
            found = self.entry(key)
            matters: Sequence[int] = found[0].row_major
        except ScalarWriteError:  # but what is an array may be written
            found, matters = None, range(len(leaves))
        layouts = layouts_of(leaves) if matters or found is None else []
        if any(layouts[number] is not None for number in matters):
            strides = tuple([getattr(x, "strides", x) for x in layouts])
            return self.entry(key._replace(strides=strides), layouts)
        return self.entry(key) if found is None else found

    def key(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        described: Callable[[Any], ArrayType | None],
    ) -> Key:
        """What kind of call one is whose leaves may be described in place of given."""
        static, dynamic_args, dynamic_kwargs = separated(self.static, args, kwargs)
        leaves, structure = tree.flatten((dynamic_args, dynamic_kwargs))
        types = [described(leaf) for leaf in leaves]
        stand_in = np.zeros(())
        given = [
            leaf if type is None else stand_in for leaf, type in zip(leaves, types, strict=True)
        ]
        found = map(type_of, self._operands(given, structure, static))
        known = tuple(type or own for type, own in zip(types, found, strict=True))
        return Key(structure, known, static, axes_in_scope(), self.backend or chosen())

    def _operands(
        self,
        leaves: Sequence[Any],
        structure: tree.Structure,
        static: Sequence[tuple[int | str, Any, Hashable]],
    ) -> list[Any]:
        return operands(
            self.function,
            leaves,
            structure,
            "jit",
            "Name the argument by static_argnums or static_argnames.",
            dynamic_positions(static, structure.children()[0].num_children),
        )

    def _put_first(self, guard: Guard, entry: Entry) -> None:
        """Let a guard be asked first; those that are asked count as used more recently.

        Guards do not look at settings: they are those of the backend that is asked by default.
        """
        with self._lock:
            if entry.key.backend != (self.backend or default()):
                return
            others = [pair for pair in self._recent if pair[0] is not guard]
            for _, other in reversed(others[MOST_GUARDS_ASKED - 1 :]):
                if other.identity in self._entries:
                    self._entries.move_to_end(other.identity)
            self._recent = ((guard, entry), *others[: MOST_GUARDS_ASKED - 1])
            self.first = guard

    @property
    def last(self) -> Entry | None:
        """The recording of the guard that is asked first."""
        recent = self._recent
        return recent[0][1] if recent else None

    # Recordings

    def entry(self, key: Key, layouts: Sequence[Any] | None = None) -> tuple[Entry, list[Any]]:
        """The recording for a kind of calls, and the tracers that it captured.

        Where another thread is making it, this one waits.
        """
        try:
            identity = key.identity
        except TypeError:
            require_hashable(self.function, key.static)
            raise
        while True:
            with self._lock:
                entry = self._entries.get(identity)
                if entry is not None:
                    self._entries.move_to_end(identity)
                    return entry, [named_axis(name).index for name in entry.captured]
                making = self._making.get(identity)
                if making is None:
                    making = self._making[identity] = _InTheMaking()
                    break
            if not _wait_for(making):
                # It waits for this thread, or is this thread: both record.
                return self._recorded(key, identity, layouts)
        try:
            return self._recorded(key, identity, layouts)
        finally:
            with self._lock:
                self._making.pop(identity, None)
            making.done.set()

    def _recorded(
        self, key: Key, identity: Hashable, layouts: Sequence[Any] | None
    ) -> tuple[Entry, list[Any]]:
        place = user_place(2)
        if is_explaining():
            with self._lock:
                earlier = [entry.key for entry in self._entries.values()]
            explain_miss(self.function, key, earlier, place)
        start = perf_counter()
        called = with_static(self.function, key.static)
        with watching_draws(self.function, is_kept=True), collecting_less_often:
            recorded = record_program(called, key.structure, key.types, layouts)
        structure, row_major = recorded.structure, recorded.row_major
        program, captured = closed(recorded.program)
        # Captured values belong to this call alone, but for the numbers of examples: another call
        # finds its own under the same names.
        names = names_of_indices(captured)
        donated = frozenset() if captured else self._donated_leaves(key)
        name = getattr(self.function, "__name__", "program")
        seconds = perf_counter() - start
        forget = WeakMethod(self.forget_guards_of)  # else this would hold itself
        entry = Entry(
            key,
            identity,
            program,
            structure,
            names or (),
            donated,
            name,
            seconds,
            row_major,
            forget,
        )
        with self._lock:
            self._misses += 1
            self._history.append((key, place))
            if names is not None:
                self._entries[identity] = entry
                asked = [entry for _, entry in self._recent]
                if len(self._entries) > MOST_RECORDINGS:
                    del self._entries[next(k for k, e in self._entries.items() if e not in asked)]
        if names is None and is_explaining():
            explain_capture(self.function, captured, place)
        return entry, captured

    def _donated_leaves(self, key: Key) -> frozenset[int]:
        """The numbers of the leaves of the donated arguments; a scalar has no memory to reuse."""
        if not self.donated.positions and not self.donated.names:
            return frozenset()
        args, kwargs = key.structure.children()
        positions = dynamic_positions(key.static, args.num_children)
        in_all = args.num_children + sum(isinstance(place, int) for place, _, _ in key.static)
        donated_positions = self.donated.positions_of(in_all)
        is_donated: list[bool] = []
        for position, part in zip(positions, args.children(), strict=True):
            is_donated += [position in donated_positions] * part.num_leaves
        for name, part in zip(kwargs.node[1], kwargs.children(), strict=True):
            is_donated += [name in self.donated.names] * part.num_leaves
        return frozenset(
            number
            for number, (donated, type) in enumerate(zip(is_donated, key.types, strict=True))
            if donated and type.shape
        )

    # Inspection

    def info(self) -> CacheInfo:
        """How the recordings stand."""
        return CacheInfo(self._misses, MOST_RECORDINGS, len(self._entries))

    def reasons(self) -> list[Reason]:
        """Why the function was recorded, each time; of the last ones, if there were many."""
        with self._lock:
            history = list(self._history)
        return [
            Reason(
                why_recorded(self.function, key, [earlier for earlier, _ in history[:number]]),
                str(source_of(place) or ""),
            )
            for number, (key, place) in enumerate(history)
        ]

    def clear(self) -> None:
        """Forget all recordings."""
        with self._lock:
            self._entries.clear()
            self._history.clear()
            self._misses = 0
            self.forget_guards()

    def forget_guards_of(self, entry: Entry) -> None:
        """As `forget_guards`, of one recording."""
        with self._lock:
            self._recent = tuple([pair for pair in self._recent if pair[1] is not entry])
            self.first = self._recent[0][0] if self._recent else _none_yet

    def forget_guards(self) -> None:
        """Ask none of the guards that passed calls before, until they have passed one again."""
        with self._lock:
            self._recent = ()
            self.first = _none_yet


def _wait_for(making: _InTheMaking) -> bool:
    """Wait until a recording is made, or could not be; False if that would never be."""
    me = threading.get_ident()
    with _waiting_lock:
        waited_for: _InTheMaking | None = making
        while waited_for is not None:
            if waited_for.thread == me:
                return False
            waited_for = _waiting.get(waited_for.thread)
        _waiting[me] = making
    try:
        making.done.wait()
    finally:
        with _waiting_lock:
            del _waiting[me]
    return True


# For all functions together

_all: WeakSet[Recordings] = WeakSet()
_is_disabled_here: ContextVar[bool] = ContextVar("is_disabled", default=False)


def clear_caches() -> None:
    """Forget the recordings of all jitted functions, and of loops.

    Example:
        >>> import functrace as ft
        >>> ft.clear_caches()
    """
    for recordings in list(_all):
        recordings.clear()
    forget_bodies()


def choose_backend(name: str) -> None:
    """Choose the backend of jitted functions for which none was named.

    Raises:
        ArgumentError: There is none of this name.
    """
    set_default(name)
    for recordings in list(_all):
        if recordings.backend is None:
            recordings.forget_guards()


@context
def use_backend(name: str) -> Generator[None]:
    """As `choose_backend`, within this context and in this thread.

    Raises:
        ArgumentError: There is none of this name.
    """
    with using(name), without_guards():
        yield


@contextmanager
def without_guards() -> Generator[None]:
    """Within this context guards let no call pass; those of other threads are then looked up."""
    no_shortcuts.append(None)
    try:
        yield
    finally:
        no_shortcuts.pop()


@context
def disable_jit(disable: bool = True) -> Generator[None, None, None]:
    """Within this context, and in this thread, jitted functions run as plain Python.

    Printing and debuggers then show values, not tracers.

    Args:
        disable: False restores `jit` inside such a context.

    Example:
        >>> import functrace as ft
        >>> shown = ft.jit(print)
        >>> with ft.disable_jit():
        ...     shown(1.0)
        1.0
    """
    before = _is_disabled_here.set(disable)
    try:
        with without_guards():
            yield
    finally:
        _is_disabled_here.reset(before)
