"""The entries of key paths, and how a path is written."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, TypeAlias, cast, final

KeyPath: TypeAlias = tuple[Any, ...]
"""The key entries that lead from the root of a tree to one of its nodes."""


class _Key:
    """What the key entries share: each has one attribute, named in ``__match_args__``."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def value(self) -> Any:
        """The key, index or name itself."""
        return getattr(self, self.__match_args__[0])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self.value() == cast("_Key", other).value())

    def __hash__(self) -> int:
        return hash((type(self), self.value()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__match_args__[0]}={self.value()!r})"


@final
class DictKey(_Key):
    """The entry of a key path that goes through a dict.

    >>> str(DictKey("W1"))
    "['W1']"
    """

    __slots__ = ("key",)
    __match_args__ = ("key",)

    def __init__(self, key: Hashable) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@final
class SequenceKey(_Key):
    """The entry of a key path that goes through a list or a tuple.

    >>> str(SequenceKey(0))
    '[0]'
    """

    __slots__ = ("idx",)
    __match_args__ = ("idx",)

    def __init__(self, idx: int) -> None:
        self.idx = idx

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@final
class GetAttrKey(_Key):
    """The entry of a key path that goes through an attribute of a named tuple or a dataclass.

    >>> str(GetAttrKey("weights"))
    '.weights'
    """

    __slots__ = ("name",)
    __match_args__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f".{self.name}"


@final
class FlattenedIndexKey(_Key):
    """The entry of a key path through an object of a class that was registered without keys.

    There is no way to write the child down in Python, so its place among the children is given.

    >>> str(FlattenedIndexKey(0))
    '[<flat index 0>]'
    """

    __slots__ = ("key",)
    __match_args__ = ("key",)

    def __init__(self, key: int) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


def keystr(path: Iterable[Any], *, simple: bool = False, separator: str = "") -> str:
    """Write a key path the way Python would index the tree.

    Args:
        path: The entries of the path.
        simple: Write only the key, index or name of each entry, without brackets, quotes and dots.
        separator: Written between the entries.

    >>> path = (DictKey("W1"), SequenceKey(0), GetAttrKey("field"))
    >>> keystr(path)
    "['W1'][0].field"
    >>> keystr(path, simple=True, separator="/")
    'W1/0/field'
    """
    if not simple:
        return separator.join([str(entry) for entry in path])
    return separator.join(
        [str(entry.value() if isinstance(entry, _Key) else entry) for entry in path]
    )
