"""Numbers that LLVM may know, and operations that it must not compute in advance.

LLVM takes it for granted that nobody looks at the processor's flags: what it computes while it
compiles raises none, and NumPy's warning would be lost. That needs no number that is the same in
all calls. Of ``1 / select(c, 1.0, 0.0)`` it makes ``select(c, 1.0, inf)``, of a truth value that
becomes a number a choice of two, and where ``k == 3`` was asked, ``k`` is 3 in what is done then.

So each register has a set of the constants that it may be, beside whatever comes from outside.
Where an operation on such constants would raise a flag, one of its operands is hidden
(`Writer.hidden`). All else is left as it is, and costs nothing.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Constants = frozenset[float]
"""What a number may be, if LLVM knows it. With nan among them it may be many others as well."""

NOTHING: Constants = frozenset()

NAN: Constants = frozenset({math.nan})

WHOLE: Constants = frozenset({0.0, 1.0, -1.0, 2.0**63, math.nan})
"""What an integer may be."""

ANYTHING: Constants = frozenset({0.0, 1.0, -1.0, math.inf, -math.inf, math.nan})
"""What stands for many constants."""

MANY = 16
"""More constants are not told apart."""

_DTYPES: Mapping[str, Any] = {"double": np.float64, "float": np.float32}

_BINARY: Mapping[str, Callable[..., Any]] = {
    "fadd": np.add, "fsub": np.subtract, "fmul": np.multiply, "fdiv": np.divide,
}  # fmt: skip

_QUIET: Mapping[str, Callable[..., Any]] = {
    "fabs": np.fabs, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "roundeven": np.rint,
    "copysign": np.copysign, "maximum": np.maximum, "minimum": np.minimum,
}  # fmt: skip
"""LLVM's own functions that raise no flag."""

_CALL = re.compile(r"call (double|float) @([\w.]+)\((.*)\)")


class Folding:
    """What LLVM may know of the registers of one function."""

    def __init__(self, hide: Callable[[str, str], str]) -> None:
        """Begin.

        Args:
            hide: Writes a number of a type of which LLVM knows nothing.
        """
        self._hide = hide
        self._known: dict[str | int, Constants] = {}

    def of(self, value: str) -> Constants:
        """What a number may be, if LLVM knows it."""
        if value.startswith("0x"):
            (number,) = struct.unpack("<d", struct.pack("<Q", int(value, 16)))
            return NAN if math.isnan(number) else frozenset({number})
        return self._known.get(value, NOTHING)

    def put(self, value: str, where: str | int) -> None:
        """Note that a number is put into memory, which is known by its name or its tag."""
        found = self.of(value)
        if found:
            self._known[where] = _few(found | self._known.get(where, NOTHING))

    def fill(self, array: np.ndarray, where: int) -> None:
        """Note what a constant array has in it."""
        if array.dtype.kind == "f":
            self._known[where] = _few(frozenset(array.ravel()[: 64 * MANY].tolist()))

    def forget(self, where: int) -> None:
        """Note that memory is used for something else."""
        self._known.pop(where, None)

    def get(self, value: str, where: str | int) -> None:
        """Note that a number is what was put into memory."""
        found = self._known.get(where)
        if found:
            self._known[value] = found

    def safe(self, text: str) -> tuple[str, Constants]:
        """An instruction that LLVM may compute in advance without losing a flag.

        Args:
            text: An instruction.

        Returns:
            The instruction, with an operand that is hidden, if need be; and what its result may be.
        """
        word, _, rest = text.partition(" ")
        if word in _BINARY:
            head, _, y = rest.rpartition(", ")
            *_, kind, x = head.split(" ")
            return self._computed(text, _BINARY[word], kind, [x, y])
        if word == "select":
            _, x, y = rest.split(", ")
            kind, x = x.split(" ")
            if kind in _DTYPES:
                return text, _few(self.of(x) | self.of(y.split(" ")[1]))
        elif word in ("sitofp", "uitofp"):
            return text, frozenset({0.0, 1.0}) if rest.startswith("i1 ") else WHOLE
        elif word == "fneg":
            return text, frozenset(-x for x in self.of(rest.rpartition(" ")[2]))
        elif word in ("fptrunc", "fpext"):
            _, x, _, kind = rest.split(" ")
            return self._computed(text, _DTYPES[kind], "double", [x])
        elif word == "call":
            return self._called(text)
        return text, NOTHING

    def _called(self, text: str) -> tuple[str, Constants]:
        """A call of a function of numbers: what raises flags is given what LLVM does not know."""
        match = _CALL.fullmatch(text)
        if match is None:
            return text, NOTHING
        kind, name, arguments = match.groups()
        given = [x.partition(" ")[2] for x in arguments.split(", ") if x.startswith(kind)]
        own = name.split(".")[1] if name.startswith("llvm.") else ""
        if own in _QUIET:
            return self._computed(text, _QUIET[own], kind, given)
        if given and all(map(self.of, given)):
            return self._without(text, kind, _hideable(given)), NOTHING
        return text, NOTHING

    def _computed(
        self, text: str, function: Callable[..., Any], kind: str, given: Sequence[str]
    ) -> tuple[str, Constants]:
        known = [self.of(x) for x in given]
        if not all(known):
            # Whatever is combined with nan is not computed at all.
            unknown = next((x for x in given if x.startswith("0x") and self.of(x) == NAN), "")
            return self._without(text, kind, unknown) if unknown else text, NOTHING
        results = _results(function, kind, *known)
        if results is None:
            return self._without(text, kind, _hideable(given)), NOTHING
        return text, results

    def _without(self, text: str, kind: str, operand: str) -> str:
        """An instruction with an operand hidden."""
        hidden = self._hide(kind, operand)
        return re.sub(rf"{re.escape(operand)}(?=[,)\s]|$)", hidden, text, count=1)

    def note(self, value: str, found: Constants) -> None:
        """Note what a register may be."""
        if found:
            self._known[value] = found


@lru_cache(maxsize=4096)
def _results(function: Callable[..., Any], kind: str, *known: Constants) -> Constants | None:
    """What a function of constants may be; None where it raises a flag."""
    operands = [np.fromiter(x, np.float64).astype(_DTYPES[kind]) for x in known]
    shapes = [(-1, *(1,) * n) for n in reversed(range(len(operands)))]
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
            results = function(*map(np.ndarray.reshape, operands, shapes))
    except FloatingPointError:
        return None
    return _few(frozenset(results.ravel().tolist()))


def _hideable(given: Sequence[str]) -> str:
    """The operand to be hidden: one that changes, since of constants alone nothing else is kept."""
    return next((x for x in given if x.startswith("%")), given[0])


def _few(constants: Constants) -> Constants:
    """The same constants, or what stands for many."""
    if len(constants) > MANY:
        return ANYTHING
    return (
        constants | {0.0} if len(constants) > 1 and any(map(math.isnan, constants)) else constants
    )
