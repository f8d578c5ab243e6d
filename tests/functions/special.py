"""What each name of ``scipy.special`` does with traced values: the table of docs/special.md.

``python -m tests.functions.special`` writes the table anew from the rules themselves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.special

from functrace.scipy import special
from functrace.tracing.tables import NAMED_UFUNCS

PAGE = Path(__file__).parents[2] / "docs" / "special.md"

PLAIN = frozenset(
    {"geterr", "seterr", "errstate", "SpecialFunctionWarning", "SpecialFunctionError"}
)


COMPOSED = frozenset({"assoc_laguerre", "h1vp", "h2vp", "ivp", "jvp", "kvp", "yvp"})
"""Functions that SciPy computes by ufuncs, so that they take traced values too."""


def kind(name: str) -> str:
    """What a name does with traced values."""
    theirs = getattr(scipy.special, name)
    if isinstance(theirs, np.ufunc):
        primitive = NAMED_UFUNCS.get(theirs.__name__)
        if primitive is None:
            return "plain values only"
        if not getattr(primitive, "partials", True):
            return "locally constant"
        held = getattr(primitive, "held", ())
        return f"all but in {', '.join(held)}" if held else "yes"
    if name in COMPOSED:
        return "yes"
    ours = getattr(special, name)
    own = getattr(ours, "__module__", "") == "functrace.scipy.special"
    return "`functrace.scipy.special` only" if own else "plain values only"


def rows() -> list[str]:
    """The rows of the table: names that do the same stand together."""
    kinds: dict[str, list[str]] = {}
    for name in sorted(set(scipy.special.__all__) - PLAIN):
        kinds.setdefault(kind(name), []).append(name)
    order = sorted(kinds, key=lambda text: (text.startswith("plain"), text != "yes", text))
    return [f"| {text} | {', '.join(f'`{n}`' for n in kinds[text])} |" for text in order]


BEGIN, END = "<!-- made by python -m tests.functions.special -->", "<!-- end -->"


def page() -> str:
    """The page with the table as it is."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    table = ["| Derivatives | Functions |", "|---|---|", *rows()]
    return before + "\n".join([BEGIN, *table, END]) + after


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
