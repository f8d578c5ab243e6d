"""What a row of the battery for NumPy's functions says.

The rows stand in the files of this folder, by the topics of ``functrace/numpy``, and
``tests/numpy/test_all.py`` runs the checks of ``tests/functions/checks.py`` over all of them.

How to add a row, in the file of the function's topic:

- A function of each element takes one line: its name and the domain of each argument::

      elementwise("np.sin", REALS)

- Any other takes a `call` for each way of calling it that takes another path::

      row(
          "np.roll",
          call((2, 3), 1),
          call((2, 3), shift=(1, 2), axis=(0, 1)),
          call(Input((4,), DISTINCT), -2, axis=0),
      )

  Among the arguments a tuple by position is the shape of an array of reals, a `Domain` an array
  whose shape is drawn, and an `Input` an array as it says (``Input((3, 3), REGULAR)``,
  ``Input(value=np.array([2, 0]))``); lists may hold these, by keyword too: ``where=Input((3,),
  BOOLEANS)``. All of these are traced. Anything else is given as it is: numbers, strings, arrays,
  and tuples by keyword, or by position as ``given((2, 3))``.

- The names are ``np.f``, ``np.linalg.f``, ``np.add.reduce``, ``ndarray.clip`` (a method, whose
  first argument is the array) and ``ndarray.T`` (an attribute).

- Floating arguments are differentiated; ``argnums`` names those that are, counted among the arrays,
  where these are not all. Keep away from kinks and jumps by 0.05 at least, as in tests/cases.py.

- Which dtypes a function takes is NumPy's business: each call is made in those of `DTYPES`, and
  on arrays with no elements, one element, and no axes. What NumPy computes must come out, with its
  dtype and class; where NumPy raises, an error must be raised.

- ``constant(...)`` in place of ``row(...)`` enters a function that runs on traced values and has no
  derivative; ``known(...)`` one that needs values, as its output's shape depends on them: it
  runs under `grad`, and raises `UnknownValueError` under `jit` and `vmap`. ``writes=True`` says
  that it writes its first argument, which is then what is compared.

- ``own=True`` says that NumPy does not hand the function over, so that only the one in
  `functrace.numpy` takes traced values; NumPy's must be refused with a word of that.

- What is used in another way than by a call says how, by ``use``: ``row("np.r_", ...,
  use=lambda r_, *arrays: r_[arrays])``.

- ``since="2.2"`` says that NumPy's own function is as it is from that version on; with an older
  one the row is left out.

- What does not hold is said with its reason, which the tests print and the table shows:
  ``skip={"batch": "the lengths depend on the values"}``; the names are those of `checks.CHECKS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.cases import Domain, Input

DTYPES = ("float32", "complex128", "complex64", "int64", "uint8", "bool")
"""In which dtypes besides float64 arrays of floating domains are drawn."""


@dataclass(frozen=True)
class Given:
    """An argument that is given as it is, and is no array."""

    value: Any


@dataclass(frozen=True)
class Call:
    """One way of calling a function: its arguments, in which an `Input` stands for an array."""

    args: tuple[Any, ...]
    options: Mapping[str, Any]

    def __repr__(self) -> str:
        words = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.options.items())]
        return f"({', '.join(words)})"


@dataclass(frozen=True)
class Row:
    """What a function is checked with.

    Attributes:
        function: Its name.
        topic: The file in which the row stands.
        calls: The ways of calling it.
        kind: "differentiable", "constant" or "known".
        argnums: The differentiated arrays; None for all of floating domains.
        skip: The reason for each check that is left out.
        writes: Whether it writes its first argument.
        use: How it is called, where not as a function: it takes what the name stands for, and
            the arguments.
        own: Whether only the function in `functrace.numpy` takes traced values.
        dtypes: In which dtypes besides float64 arrays of floating domains are drawn.
        is_complex: Whether the derivative is checked at complex numbers, where NumPy takes them.
        rtol: The relative tolerance of derivatives, where it must be another.
        since: From which version on NumPy's own function is as the row says.
        why: The reason for whatever is exceptional.
    """

    function: str
    topic: str
    calls: tuple[Call, ...]
    kind: str = "differentiable"
    argnums: tuple[int, ...] | None = None
    skip: Mapping[str, str] = field(default_factory=dict)
    writes: bool = False
    use: Callable[..., Any] | None = None
    own: bool = False
    is_complex: bool = True
    dtypes: tuple[str, ...] = DTYPES
    rtol: float | None = None
    since: str = "2.0"
    why: str = ""

    def __repr__(self) -> str:
        return f"<row {self.function}>"


ROWS: dict[str, Row] = {}
"""The rows by the names of their functions."""

_OWN = ("rows", "checks", "decisions")
"""The files of this folder that hold no rows."""


def _topic() -> str:
    """The file that enters a row, whoever imported it."""
    frame = sys._getframe()
    while (stem := Path(frame.f_code.co_filename).stem) in _OWN and frame.f_back is not None:
        frame = frame.f_back
    return stem


def given(value: Any) -> Given:
    """An argument by position that is given as it is, although it is a tuple."""
    return Given(value)


def call(*args: Any, **options: Any) -> Call:
    """One way of calling a function: see the head of this file."""
    return Call(
        tuple(Input(x) if isinstance(x, tuple) else _spec(x) for x in args),
        {name: _spec(x) for name, x in options.items()},
    )


def _spec(x: Any) -> Any:
    if isinstance(x, Domain):
        return Input(None, x)
    if isinstance(x, list):
        return [Input(item) if isinstance(item, tuple) else _spec(item) for item in x]
    return x


def row(function: str, *calls: Call, **options: Any) -> None:
    """Enter the row of a function; the options are the other attributes of `Row`."""
    assert function not in ROWS, f"{function} has two rows"
    assert calls, f"{function} is never called"
    ROWS[function] = Row(function, _topic(), calls, **options)


def constant(function: str, *calls: Call, **options: Any) -> None:
    """Enter a function that runs on traced values and has no derivative."""
    row(function, *calls, kind="constant", **options)


def known(function: str, *calls: Call, **options: Any) -> None:
    """Enter a function that runs only where values are known."""
    row(function, *calls, kind="known", **options)


def elementwise(function: str, *domains: Domain, **options: Any) -> None:
    """Enter a function of each element, from the domain of each argument."""
    row(function, call(*domains), **options)


def load() -> dict[str, Row]:
    """All rows, of every file in this folder."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in _OWN:
            import_module(f"tests.functions.{path.stem}")
    return ROWS
