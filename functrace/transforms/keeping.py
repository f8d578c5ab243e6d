"""What a tape keeps of arrays that belong to the user, until its walk back is over.

The walk back needs the elements that an operation has read, and NumPy tells nobody when an array
is written. So arrays are copied; those that are not small, into memory that is kept from one
gradient to the next, since new memory can take ten times as long as the copy.

Very large arrays, and those that are read once more, are not copied: that would take as long as
what is done with them. They are write-protected instead, together with the array whose memory they
share, until the walk is over: a write in between is an error. That holds for all writes through
this array and through what is made of it. Views that the user had before are not protected, and
`numpy.add.at` looks at no protection; what they write shows in sums over the elements when the walk
is over.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, cast

import numpy as np

from functrace.errors import KeptArrayError
from functrace.tracing.places import Place, source_of, user_place

COPIED_BYTES = 1 << 18
"""Up to this size a copy takes five microseconds at most: less than what is done with the array."""

BUFFERED_BYTES = 1 << 20
"""Up to this size a copy into memory that is at hand takes less than to protect and check."""

MOST_BUFFERED = 1 << 26
"""The bytes of all buffers, of all tapes. Beyond that arrays are protected."""

ROW = 1024
"""The words of a protected array are added up by so many, to be compared at the end.

To add them takes less than half of the time of a copy. An exchange of elements within a row shows
in the elements that stand at the beginning of the rows only; any other change shows.
"""


class _Protected:
    """An array that is write-protected for some tapes, with views of it that are, too."""

    __slots__ = ("owner", "tapes", "views")

    def __init__(self, owner: np.ndarray) -> None:
        self.owner = owner
        self.views: list[np.ndarray] = []
        self.tapes = 0


class _Buffers:
    """Memory for copies that is used again when nobody sees it any more."""

    def __init__(self) -> None:
        self._idle: dict[int, list[np.ndarray]] = {}
        self._bytes = 0

    def take(self, size: int) -> np.ndarray | None:
        """A buffer of so many bytes; None if there are too many already."""
        with _lock:
            if idle := self._idle.get(size):
                return idle.pop()
            if self._bytes + size > MOST_BUFFERED:
                self._bytes -= sum(size * len(idle) for size, idle in self._idle.items())
                self._idle.clear()
                if self._bytes + size > MOST_BUFFERED:
                    return None
            self._bytes += size
        return np.empty(size, np.uint8)

    def give_back(self, buffers: list[np.ndarray]) -> None:
        """Take back all buffers of a list; what still has a view of one keeps it for itself."""
        with _lock:
            while buffers:
                is_free = _references(buffers) == _NO_VIEWS
                buffer = buffers.pop()
                if is_free:
                    self._idle.setdefault(buffer.size, []).append(buffer)
                else:
                    self._bytes -= buffer.size


def _references(buffers: list[np.ndarray]) -> int:
    return sys.getrefcount(buffers[-1])


_NO_VIEWS = _references([np.empty(1)])
"""How many references there are to a buffer that only a list holds; views would hold more."""

_buffers = _Buffers()

_protected: dict[int, _Protected] = {}
"""By the identity of the array that owns the memory. Several tapes, of several threads, may need
the same one: it is released with the last of them."""

_lock = threading.Lock()


class KeptArrays:
    """The large arrays that one tape has read, copied or protected until they are released."""

    def __init__(self) -> None:
        self._copied: set[int] = set()  # their identities, which others may have by now
        self._copies: list[np.ndarray] = []
        self._owners: dict[int, _Protected] = {}
        self._reads: dict[int, tuple[np.ndarray, bytes, Place | None]] = {}

    def keep(self, array: np.ndarray) -> np.ndarray:
        """The elements of an array as they are now: itself where that can be promised."""
        if id(array) in self._reads:
            return array
        if array.nbytes <= BUFFERED_BYTES and id(array) not in self._copied and array.flags.forc:
            buffer = _buffers.take(array.nbytes)
            if buffer is not None:
                self._copies.append(buffer)
                self._copied.add(id(array))
                order = "C" if array.flags.c_contiguous else "F"
                copy = np.ndarray(array.shape, array.dtype, buffer, order=order)
                copy[...] = array
                return copy
        owner = owner_of(array)
        protected = self._owners.get(id(owner))
        if protected is None:
            if not _can_be_released(owner):
                return array.copy("K")
            protected = self._owners[id(owner)] = _protect(owner)
        if array is not owner and array.flags.writeable:
            with _lock:
                array.setflags(write=False)
                protected.views.append(array)
        self._reads[id(array)] = array, _sums(array), user_place(3)
        return array

    def holds(self, array: np.ndarray) -> bool:
        """Whether an array is memory for copies, which is used again afterwards."""
        return any(array is copy for copy in self._copies)

    def release(self) -> None:
        """Let the arrays be written again, and the memory of copies be used again."""
        for protected in self._owners.values():
            _release(protected)
        self._owners.clear()
        self._reads.clear()
        _buffers.give_back(self._copies)

    def require_unchanged(self) -> None:
        """Check that nobody wrote into the arrays.

        Raises:
            KeptArrayError: Somebody did, through another name for the memory.
        """
        for array, sums, place in self._reads.values():
            if _sums(array) != sums:
                raise KeptArrayError(
                    f"An array of shape {array.shape} was changed through a view of it, before "
                    "the derivative was complete that needs the elements from before. It was used",
                    source_of(place),
                )

    def explain(self, error: ValueError) -> None:
        """Say in NumPy's error why an array cannot be written, if it is one that is kept."""
        message = str(error)
        if "read-only" not in message and "writ" not in message:
            return
        for array, _, place in self._reads.values():
            error.add_note(
                f"The array of shape {array.shape} is needed for the derivative of an operation\n"
                f"  at {source_of(place)}\n"
                f"  and cannot be written before that is complete.\n  {KeptArrayError.advice}"
            )


def owner_of(array: np.ndarray) -> np.ndarray:
    """The array whose memory this one shares."""
    base: Any = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return base


def _can_be_released(owner: np.ndarray) -> bool:
    """Whether NumPy will let the array be written again after it was protected."""
    if owner.base is None or owner.flags.owndata or not owner.flags.writeable:
        return True
    try:
        return not memoryview(cast("Any", owner.base)).readonly
    except TypeError:
        return False


def _protect(owner: np.ndarray) -> _Protected:
    with _lock:
        protected = _protected.get(id(owner))
        if protected is None:
            protected = _Protected(owner)
            if owner.flags.writeable:
                _protected[id(owner)] = protected
                owner.setflags(write=False)
        protected.tapes += 1
        return protected


def _release(protected: _Protected) -> None:
    with _lock:
        protected.tapes -= 1
        if protected.tapes or _protected.pop(id(protected.owner), None) is None:
            return
        protected.owner.setflags(write=True)
        for array in protected.views:
            array.setflags(write=True)


def _sums(array: np.ndarray) -> bytes:
    """Sums over the bits of the elements, row by row, and some of the elements."""
    parts = array.ravel("K").view(np.uint8)
    words = parts[: parts.size // 8 * 8].view(np.uint64)
    rows = words[: words.size // ROW * ROW].reshape(-1, ROW)
    rest = parts[8 * rows.size :]
    return rows.sum(axis=1).tobytes() + rows[:, 0].tobytes() + rest.tobytes()
