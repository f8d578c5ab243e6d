"""What functrace does with every public name of NumPy's, derived from the rows where there are any.

``python -m tests.functions.decisions`` writes docs/numpy.md anew, and prints what is undecided.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from functrace.errors import UnsupportedFunctionError
from tests.functions.rows import ROWS, load

PAGE = Path(__file__).parents[2] / "docs" / "numpy.md"

POLYNOMIALS = ("polynomial", "chebyshev", "legendre", "laguerre", "hermite", "hermite_e")
UFUNC_METHODS = ("reduce", "accumulate", "reduceat", "outer", "at")
PROTOCOLS = (
    "__array__", "__array_function__", "__array_interface__", "__array_namespace__",
    "__array_struct__", "__array_ufunc__", "__array_wrap__", "__buffer__", "__dlpack__",
    "__dlpack_device__",
)  # fmt: skip
"""By which other libraries ask an array for what it is."""


@dataclass(frozen=True)
class Refused:
    """A function that no transformation takes.

    Attributes:
        call: A call that is refused, of a traced value ``t`` (or a number ``k``).
        error: The class of the error, under `grad`.
        words: What the error says to write instead.
        compiled: Class and words under `jit`.
    """

    call: str
    error: type[Exception]
    words: str
    compiled: tuple[type[Exception], str]


REFUSED: dict[str, Refused] = {}
PLAIN: dict[str, str] = {}
"""For each name that takes no arrays, what it is."""
ALIASES: dict[str, str] = {}
"""For each name that NumPy has for a function that has a row, the name that the row has."""
SOME_VERSIONS: set[str] = set()
"""Names that only some versions of NumPy have, from 2.0 on."""


def refused(
    call: str,
    words: str,
    error: type[Exception] = UnsupportedFunctionError,
    compiled: tuple[type[Exception], str] | None = None,
) -> None:
    """Enter a function that is refused, by a call, with the words that say what to write."""
    name = call.partition("(")[0]
    REFUSED[name] = Refused(call.replace("ndarray", "t"), error, words, compiled or (error, words))


def plain(what: str, names: str, prefix: str = "np.") -> None:
    """Enter names of what takes no traced arrays."""
    PLAIN.update({prefix + name: what for name in names.split()})


def alias(of: str, *names: str) -> None:
    """Enter other names of a function that has a row."""
    ALIASES.update(dict.fromkeys(names, of))


def some_versions(names: str) -> None:
    """Enter names that only some versions of NumPy have."""
    SOME_VERSIONS.update(names.split())


def value_named(name: str) -> Any:
    """What a name stands for in the installed NumPy; None where it has none of that name."""
    first, *rest = name.split(".")
    value: Any = np if first == "np" else np.ndarray
    for part in rest:
        if isinstance(value, types.ModuleType) and not hasattr(value, part):
            try:
                value = import_module(f"{value.__name__}.{part}")
            except ImportError:
                return None
        else:
            value = getattr(value, part, None)
    return value


def names() -> Iterator[str]:
    """Every public name of the installed NumPy that the table decides on."""
    yield from (f"np.{name}" for name in np.__all__ if name[0] != "_" or name[1] == "_")
    yield from (f"np.linalg.{name}" for name in np.linalg.__all__)
    yield from (f"np.fft.{name}" for name in np.fft.__all__)
    yield from (f"np.emath.{name}" for name in vars(np.emath) if name[0] != "_")
    yield from ("np.lib.stride_tricks.as_strided", "np.lib.stride_tricks.sliding_window_view")
    for family in POLYNOMIALS:
        module = import_module(f"numpy.polynomial.{family}")
        yield from (f"np.polynomial.{family}.{name}" for name in module.__all__)
    yield from (f"ndarray.{name}" for name in dir(np.ndarray) if name[0] != "_")
    yield from (f"ndarray.{name}" for name in PROTOCOLS if hasattr(np.ndarray, name))
    yield from ufunc_methods()


def ufunc_methods() -> Iterator[str]:
    """Every method of a ufunc that NumPy does not refuse for its number of operands."""
    for name in np.__all__:
        ufunc = getattr(np, name)
        if not isinstance(ufunc, np.ufunc) or ufunc.__name__ != name or ufunc.signature:
            continue
        if ufunc.nin == 2:
            yield f"np.{name}.outer"
            if ufunc.nout == 1:
                yield from (f"np.{name}.{m}" for m in ("reduce", "accumulate", "reduceat"))
        if ufunc.nout == 1:
            yield f"np.{name}.at"


def decided() -> dict[str, str]:
    """The kind of each decision: that of the row, "alias", "refused" or "plain"."""
    rows = load()
    kinds = dict.fromkeys(PLAIN, "plain") | dict.fromkeys(REFUSED, "refused")
    kinds |= dict.fromkeys(ALIASES, "alias")
    return kinds | {name: row.kind for name, row in rows.items()}


# The page

_SAID = {
    "differentiable": "differentiable",
    "constant": "runs traced; no derivative",
    "known": "where values are known",
    "refused": "refused",
    "plain": "takes no traced values",
}
"""What the page says for each kind."""

_SECTIONS = {
    "np.linalg": "numpy.linalg", "np.fft": "numpy.fft", "np.emath": "numpy.emath",
    "np.lib": "numpy.lib.stride_tricks", "np.polynomial": "numpy.polynomial",
    "ndarray": "Methods and attributes of arrays",
}  # fmt: skip


def _section(name: str) -> str:
    first, _, rest = name.partition(".")
    if first == "ndarray" or "." not in rest:
        return _SECTIONS.get(first, "numpy")
    if rest.rpartition(".")[2] in UFUNC_METHODS:
        return "Methods of ufuncs"
    return _SECTIONS[f"np.{rest.partition('.')[0]}"]


def _line(name: str, kind: str) -> str:
    if kind == "alias":
        return f"| `{name}` | as `{ALIASES[name]}` | |"
    where, note = "", ""
    if name in ROWS:
        row = ROWS[name]
        where = f"`{row.topic}`"
        notes = (
            ["`functrace.numpy` only"] * row.own
            + list(dict.fromkeys(row.skip.values()))
            + [row.why] * bool(row.why)
        )
        note = f": {'; '.join(notes)}" if notes else ""
    elif kind == "refused":
        note = f" with `{REFUSED[name].error.__name__}`; instead: {REFUSED[name].words}"
    elif kind == "plain":
        note = f": {PLAIN[name]}"
    return f"| `{name}` | {_SAID[kind]}{note} | {where} |"


def page() -> str:
    """The page docs/numpy.md."""
    kinds = decided()
    counts = {kind: sum(k == kind for k in kinds.values()) for kind in (*_SAID, "alias")}
    lines = [
        "# NumPy's functions under transformations",
        "",
        "What each public name of NumPy's does with traced values. *Differentiable* means in both",
        "modes, of every order, and under `vmap` and `jit`; what *runs traced* does so under each",
        "transformation, without a derivative; what needs known values runs under `grad`, and is",
        "refused with `UnknownValueError` where only types are known, under `jit` and `vmap`. The",
        "last column says in which file of `tests/functions` the row stands that tests this. This",
        "page is made by `python -m tests.functions.decisions`.",
        "",
        "| | Names |",
        "|---|---|",
        *(f"| {_SAID[kind]} | {counts[kind]} |" for kind in _SAID if counts[kind]),
        f"| other names of these | {counts['alias']} |",
    ]
    sections: dict[str, list[str]] = {"numpy": []} | {title: [] for title in _SECTIONS.values()}
    sections["Methods of ufuncs"] = []
    for name in sorted(kinds, key=lambda name: (name.lower(), name)):
        sections[_section(name)].append(_line(name, kinds[name]))
    for title, rows in sections.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| Name | On traced values | Row |",
            "|---|---|---|",
            *rows,
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from tests.functions.decisions import decided as _decided  # the module under its own name
    from tests.functions.decisions import page as _page

    PAGE.write_text(_page(), encoding="utf-8")
    print(*sorted(set(names()) - _decided().keys()), sep="\n")  # noqa: T201
