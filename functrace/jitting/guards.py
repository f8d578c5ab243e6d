"""Guards: generated functions that recognise a call, and run what was made ready for it.

A call of a jitted function is mostly like the one before. The general way, to flatten the
arguments and look their types up, costs more than many a Program. So Python source is generated for
each kind of call that occurs: straight-line code that takes these arguments apart by direct access,
compares what must be the same, and puts the output together by a literal::

    def guard(args, kwargs):
        try:
            if no_shortcuts or kwargs:
                return MISS
            (
                n1,
                n2,
            ) = args  # or an exception
            if type(n1) is not dict:
                return MISS
            (
                n5,
                n6,
            ) = n1
            if type(n5) is not str or type(n6) is not str:
                return MISS
            n3 = n1["W"]
            n4 = n1["b"]
        except Exception:
            return MISS
        if type(n3) is not ndarray or n3.shape != (3, 2) or ...:
            return MISS
        ...
        (o1,) = run(n3, n4, n2)
        return {"loss": o1}

A guard says MISS wherever it is not sure, and then the general way decides.

Machine code looks at its arguments in any case. There a guard takes the arguments apart only; where
these are the leaves themselves, it is machine code as a whole.
"""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from keyword import iskeyword
from operator import length_hint
from types import CodeType
from typing import Any, Final

import numpy as np

from functrace import tree
from functrace.backends.backend import Checking
from functrace.ir.types import WEAK_DTYPES
from functrace.transforms.batch import no_shortcuts
from functrace.tree.kinds import (
    DEFAULTDICT,
    DICT,
    LEAF_NODE,
    LIST,
    NAMEDTUPLE,
    NONE,
    ORDERED_DICT,
    TUPLE,
    Kind,
    sorted_keys,
)
from functrace.tree.nodes import Node, child_nodes, number_of_leaves
from functrace.tree.sameness import are_strings, identity

Guard = Callable[[tuple[Any, ...], dict[str, Any]], Any]
"""Takes a call's arguments; returns the result, or `MISS`."""


class _Miss:
    def __repr__(self) -> str:
        return "MISS"


MISS: Final = _Miss()
"""What a guard returns for a call that is not of its kind."""

# What generated code takes as built in. Its file lies in functrace's folder, where no line is taken
# for one of the user's.
_FILE: Final = os.path.join(os.path.dirname(__file__), "<guard>")  # noqa: PTH118, PTH120
_GLOBALS: Final[dict[str, Any]] = {
    "MISS": MISS,
    "no_shortcuts": no_shortcuts,
    "ndarray": np.ndarray,
    "OrderedDict": OrderedDict,
    "defaultdict": defaultdict,
    "identity": identity,
    "sorted_keys": sorted_keys,
}

DEEPEST: Final = 40
"""Deeper trees have no guard: Python's parser takes no literals that are nested without end."""

MOST_LEAVES: Final = 5000
"""Larger trees have none either: to compile it would take longer than many calls save."""

_SCALARS: Final = frozenset({*WEAK_DTYPES, *np.sctypeDict.values()})


class Allowance:
    """How many calls guards may let pass before they let none pass any more.

    Attributes:
        given: The number, for each of them.
    """

    def __init__(self) -> None:
        self.given = 0
        self._renewals: list[Callable[[Iterator[None]], Iterator[None]]] = []

    def add(self, renew: Callable[[Iterator[None]], Iterator[None]]) -> None:
        """Take in another guard: what exchanges the iterator of its calls."""
        renew(repeat(None, self.given))
        self._renewals.append(renew)

    def renew(self, count: int) -> int:
        """Allow so many calls from now on; returns how many passed since this was done before."""
        before, self.given = self.given, count
        left = [renew(repeat(None, count)) for renew in self._renewals]
        return sum(before - length_hint(calls) for calls in left)


def can_be_guarded(leaves: Iterable[Any]) -> bool:
    """Whether the types of leaves, as they were given, are all that must be known of them."""
    return all(type(leaf) is np.ndarray or type(leaf) in _SCALARS for leaf in leaves)


def make_guard(
    run: Callable[..., tuple[Any, ...]],
    leaves: Sequence[Any],
    arguments: tree.Structure,
    output: tree.Structure,
    static: Sequence[tuple[int | str, Any, Hashable]] = (),
    row_major: Sequence[int] = (),
    checking: Checking | None = None,
    allowance: Allowance | None = None,
) -> Guard | None:
    """Generate the guard for calls like this one.

    Args:
        run: Takes the leaves, returns the leaves of the output.
        leaves: The leaves of the call's arguments, as they were given.
        arguments: The structure of the pair of positional and keyword arguments that are not
            static.
        output: The structure of the output.
        static: Position or name, value and identity of each static argument.
        row_major: The numbers of the leaves that must lie in this order.
        checking: What makes functions as ``run`` that check their arguments, if there is such.
        allowance: How many calls it lets pass; all, if there is none.

    Returns:
        The guard; None if there can be none.
    """
    if (
        len(leaves) > MOST_LEAVES
        or output.num_leaves > MOST_LEAVES
        or _depth(arguments.node) > DEEPEST
        or _depth(output.node) > DEEPEST
        or not can_be_guarded(leaves)
    ):
        return None
    if row_major:  # which only the guard knows of
        checking = None
    classes = tuple(map(type, leaves))
    if checking is not None and not static and _are_leaves(arguments.node, output.node):
        is_single = output.node is LEAF_NODE
        return checking.guard(classes, MISS, no_shortcuts, is_single)
    if checking is not None:
        run = checking.checked(classes, MISS)
    writer = _Writer(checking is not None, allowance is not None)
    source = writer.guard(leaves, arguments.node, output.node, static, row_major)
    local: dict[str, Any] = {}
    exec(_compiled(source), _GLOBALS, local)  # noqa: S102  (written here, from types and keys)
    made = local["make"](run, *writer.constants)
    if allowance is None:
        return made
    guard, renew = made
    allowance.add(renew)
    return guard


@lru_cache(maxsize=512)
def _compiled(source: str) -> CodeType:
    return compile(source, _FILE, "exec")


def _are_leaves(arguments: Node, output: Node) -> bool:
    """Whether arguments are positional leaves, and the output is one or a tuple of some."""
    args, kwargs = child_nodes(arguments)
    if child_nodes(kwargs) or (output is not LEAF_NODE and output[0] is not TUPLE):
        return False
    outputs = () if output is LEAF_NODE else child_nodes(output)
    return all(node is LEAF_NODE for node in (*child_nodes(args), *outputs))


def _depth(node: Node) -> int:
    if node is LEAF_NODE:
        return 0
    return 1 + max(map(_depth, node[3:]), default=0)


class _Writer:
    """Writes one guard; what has no literal in the source is a constant with a name.

    Attributes:
        is_checked: Whether what runs checks the leaves.
        is_counted: Whether the calls that pass are counted.
    """

    def __init__(self, is_checked: bool, is_counted: bool) -> None:
        self.is_checked = is_checked
        self.is_counted = is_counted
        self.lines: list[str] = []
        self.constants: list[Any] = []
        self.leaves: list[str] = []
        self._names = 0
        self._known: dict[int, str] = {}

    def guard(
        self,
        leaves: Sequence[Any],
        arguments: Node,
        output: Node,
        static: Sequence[tuple[int | str, Any, Hashable]],
        row_major: Sequence[int],
    ) -> str:
        """The source of a function that makes the guard from ``run`` and the constants."""
        args, kwargs = child_nodes(arguments)
        self._take_call(args, kwargs, static)
        opening, self.lines = self.lines, []
        for name, leaf in zip(self.leaves, leaves, strict=True):
            if not self.is_checked:
                self._check_leaf(name, leaf)
        for number in row_major:
            if not np.shape(leaves[number]):  # their class was looked at
                continue
            self._require_not(f"not {self.leaves[number]}.flags.c_contiguous")
        if self.is_counted:  # which takes less than to subtract one from a number
            self.lines += ["for _ in left: break", "else: return MISS"]
        call = f"run({', '.join(self.leaves)})"
        if self.is_checked:
            self.lines.append(f"outputs = {call}")
            self._require_not("outputs is MISS")
            call = "outputs"
        outputs = iter([f"o{number}" for number in range(1, _count(output) + 1)])
        names = [f"o{number}, " for number in range(1, _count(output) + 1)]
        result = self._literal(output, outputs)
        body = [
            "try:",
            *(f"    {line}" for line in opening),
            # Whatever went wrong, the general way will say it.
            "except Exception: return MISS",
            *self.lines,
            f"{''.join(names)}= {call}" if names else call,
            f"return {result}",
        ]
        constants = "".join(f", c{number}" for number in range(len(self.constants)))
        return "\n".join(
            [
                f"def make(run{constants}):",
                "    def guard(args, kwargs):",
                *(f"        {line}" for line in body),
                *(_RENEWED if self.is_counted else ["    return guard"]),
            ]
        )

    def _take_call(
        self, args: Node, kwargs: Node, static: Sequence[tuple[int | str, Any, Hashable]]
    ) -> None:
        fixed = {place: value for place, value, _ in static}
        count = args[2] + sum(isinstance(place, int) for place in fixed)
        keywords = kwargs[2] + len(fixed) - (count - args[2])
        has_keywords = f"len(kwargs) != {keywords}" if keywords else "kwargs"
        self._require_not(f"no_shortcuts or {has_keywords}")
        names = [self._fresh() for _ in range(count)]
        self._unpack(names, "args")
        for place, value in fixed.items():
            if isinstance(place, int):
                name = names[place]
            else:
                name = self._fresh()
                self.lines.append(f"{name} = kwargs[{place!r}]")
            self._require_same(name, value)
        dynamic = [name for position, name in enumerate(names) if position not in fixed]
        for name, node in zip(dynamic, child_nodes(args), strict=True):
            self._take(name, node)
        for key, node in zip(kwargs[1], child_nodes(kwargs), strict=True):
            name = self._fresh()
            self.lines.append(f"{name} = kwargs[{key!r}]")
            self._take(name, node)

    def _take(self, name: str, node: Node) -> None:
        """Take apart what stands under a name."""
        if node is LEAF_NODE:
            self.leaves.append(name)
            return
        kind, aux, count = node[:3]
        children = [self._fresh() for _ in range(count)]
        if kind is NONE:
            self._require_not(f"{name} is not None")
        elif kind is TUPLE or kind is LIST or kind is NAMEDTUPLE:
            cls = self._constant(aux) if kind is NAMEDTUPLE else kind.cls.__name__
            self._require_not(f"type({name}) is not {cls}")
            self._unpack(children, name)
        elif kind is DICT or kind is ORDERED_DICT or kind is DEFAULTDICT:
            self._take_dict(name, node, children)
        elif kind.data_names is not None and _are_identifiers(kind.data_names + kind.meta_names):
            self._require_not(f"type({name}) is not {self._constant(kind.cls)}")
            for field, value in zip(kind.meta_names, aux, strict=True):
                given = self._fresh()
                self.lines.append(f"{given} = {name}.{field}")
                self._require_same(given, value)
            for child, field in zip(children, kind.data_names, strict=True):
                self.lines.append(f"{child} = {name}.{field}")
        else:
            self._require_not(f"type({name}) is not {self._constant(kind.cls)}")
            opened, given = self._fresh(), self._fresh()
            self.lines.append(f"{opened}, {given} = {self._constant(kind.flatten)}({name})")
            self._require_same(given, aux)
            self.lines.append(f"{opened} = tuple({opened})")
            self._unpack(children, opened)
        for child, child_node in zip(children, child_nodes(node), strict=True):
            self._take(child, child_node)

    def _take_dict(self, name: str, node: Node, children: Sequence[str]) -> None:
        kind, aux, count = node[:3]
        cls: str = kind.cls.__name__
        self._require_not(f"type({name}) is not {cls}")
        keys = aux
        if kind is DEFAULTDICT:
            factory, keys = aux
            made_by = self._fresh()
            self.lines.append(f"{made_by} = {name}.default_factory")
            self._require_same(made_by, factory)
            for key in keys:  # before they are read: it would make those that are missing
                self._require_not(f"{self._constant(key)} not in {name}")
        if kind is ORDERED_DICT:  # its order is part of its structure
            self._require_not(f"(*{name},) != {self._constant(keys)}")
        if are_strings(map(type, keys)):  # and these are found below: they are the same
            found = [self._fresh() for _ in keys]
            self._unpack(found, name)
            if found:
                self._require_not(" or ".join([f"type({key}) is not str" for key in found]))
        else:
            self._require_not(f"len({name}) != {count}")
            found = self._fresh()
            in_order = f"(*{name},)" if kind is ORDERED_DICT else f"sorted_keys({name})"
            self.lines.append(f"{found} = {in_order}")
            self._require_same(found, keys)
        for child, key in zip(children, keys, strict=True):
            self.lines.append(f"{child} = {name}[{self._constant(key)}]")

    def _check_leaf(self, name: str, leaf: Any) -> None:
        if type(leaf) is not np.ndarray:
            self._require_not(f"type({name}) is not {self._constant(type(leaf))}")
            return
        dtype = self._constant(leaf.dtype)
        # The same dtype is nearly always the same object; what is equal must pass all the same.
        self._require_not(
            f"type({name}) is not ndarray or {name}.shape != {leaf.shape!r} or "
            f"({name}.dtype is not {dtype} and {name}.dtype != {dtype})"
        )

    def _literal(self, node: Node, leaves: Iterable[str]) -> str:
        """The expression that makes a tree of the next leaves."""
        if node is LEAF_NODE:
            return next(iter(leaves))
        kind: Kind = node[0]
        aux = node[1]
        parts = [self._literal(child, leaves) for child in child_nodes(node)]
        if kind is NONE:
            return "None"
        if kind is LIST:
            return f"[{', '.join(parts)}]"
        children = f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if kind is TUPLE:
            return children
        if kind is DICT:
            keys = map(self._constant, aux)
            return f"{{{', '.join([f'{key}: {part}' for key, part in zip(keys, parts)])}}}"  # noqa: B905
        if kind is NAMEDTUPLE:
            return f"{self._constant(aux)}._make({children})"
        return f"{self._constant(kind.unflatten)}({self._constant(aux)}, {children})"

    def _unpack(self, items: Sequence[str], name: str) -> None:
        """Take as many items out of a sequence as it must have; else Python raises."""
        if items:
            self.lines.append(f"{', '.join(items)}, = {name}")
        else:
            self._require_not(name)

    def _require_not(self, condition: str) -> None:
        self.lines.append(f"if {condition}: return MISS")

    def _require_same(self, given: str, value: Any) -> None:
        """What stands under a name is the same for the function; see `identity`."""
        cls = type(value)
        known = self._constant(value)
        if value is None:
            self._require_not(f"{given} is not None")
        elif cls is str or cls is int or cls is bool:
            self._require_not(f"type({given}) is not {cls.__name__} or {given} != {known}")
        elif cls is tuple and value:
            self._require_not(f"type({given}) is not tuple")
            items = [self._fresh() for _ in value]
            self._unpack(items, given)
            for item, part in zip(items, value, strict=True):
                self._require_same(item, part)
        else:
            same = f"identity({given}) == {self._constant(identity(value))}"
            self._require_not(f"not ({given} is {known} or {same})")

    def _fresh(self) -> str:
        self._names += 1
        return f"n{self._names}"

    def _constant(self, value: Any) -> str:
        """How a value is written."""
        if _has_literal(value):
            return repr(value)
        name = self._known.get(id(value))  # the values live as long as the list of constants
        if name is None:
            name = self._known[id(value)] = f"c{len(self.constants)}"
            self.constants.append(value)
        return name


_RENEWED: Final = (
    "    left = iter(())",
    "    def renew(calls):",
    "        nonlocal left",
    "        before, left = left, calls",
    "        return before",
    "    return guard, renew",
)


def _has_literal(value: Any) -> bool:
    return value is None or type(value) in (str, int, bool)


def _count(node: Node) -> int:
    return number_of_leaves(node)


def _are_identifiers(names: Iterable[str]) -> bool:
    return all(name.isidentifier() and not iskeyword(name) for name in names)
