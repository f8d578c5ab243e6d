"""One row for each primitive: what it is checked with.

``tests/primitives/test_all.py`` checks every row with `functrace.testing.check_rules`; the row
says what inputs to draw and which parameters to try. A registered primitive without a row fails
the tests, and so does a row without a primitive.

How to add a row, at the end of the section for the primitive's family (make one, in the order of
the files in ``functrace/primitives``):

- An elementwise primitive takes one line: its name and the domain of each input. Shapes that
  broadcast, 0-d and empty ones among them, are drawn. ``dtypes=COMPLEX`` where it takes complex
  numbers too::

      elementwise("log", POSITIVE, dtypes=COMPLEX)

- Any other primitive gets a `case` with one `variant` for each way of calling it that takes
  another path through its rules. A variant lists its inputs as shapes (of reals), or as `Input`
  where the domain is another, or the value must be a certain one; keywords are the parameters.
  Let one variant have an empty array, and one a length of 1::

      case(
          "reshape",
          variant((2, 3), shape=(6,)),
          variant((0, 3), shape=(3, 0)),
      )
      case("take", variant((4, 2), Input(value=np.array([3, 0, 3])), axis=0))
      case("cholesky", variant(Input((3, 3), POSITIVE_DEFINITE)))

- Choose domains that stay away from kinks, jumps and poles, by 0.05 at least: finite differences
  do not see them. The values *at* a kink get tests of their own, by name, beside the family's.

- Inputs of a floating domain are drawn in each dtype of ``dtypes`` (`REAL` by default; `COMPLEX`
  adds the complex ones). Booleans and integers are never differentiated. ``argnums`` names the
  differentiated inputs, where these are not all the floating ones.

- What cannot be checked is named together with its reason; whatever is left out so is printed by
  the tests: ``skip={"batch": "the shape of the result depends on the values"}``. The names are
  those of `functrace.testing.CHECKS`. ``order=1`` (with ``why``) gives up the second derivative.

- ``in_programs=False`` keeps a primitive out of randomly drawn whole programs: where its
  derivative is not continuous on the domain, or its inputs need more than a domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from functrace.primitives import scipy_rules  # noqa: F401  (which few programs need)

Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator, Shape, np.dtype[Any]], Any]

# Domains


@dataclass(frozen=True)
class Domain:
    """Where an input's values lie.

    Attributes:
        name: What it is called.
        draw: Draws an array of a shape; of the real part where the dtype is complex.
        kind: "f" for floating and complex values, "i" for integers, "b" for booleans.
        imaginary: Up to what size imaginary parts are drawn where the dtype is complex; zero
            where `draw` draws complex values itself.
    """

    name: str
    draw: Draw
    kind: str = "f"
    imaginary: float = 1.0

    def values(self, rng: np.random.Generator, shape: Shape, dtype: Any) -> Any:
        """An array of the dtype with values of the domain."""
        dtype = np.dtype(dtype)
        real = np.asarray(self.draw(rng, shape, dtype))
        if dtype.kind == "c" and self.imaginary:
            real = real + 1j * rng.uniform(-self.imaginary, self.imaginary, shape)
        return np.asarray(real).astype(dtype)

    def __repr__(self) -> str:
        return self.name


def _sign(rng: np.random.Generator, shape: Shape) -> Any:
    return rng.choice([-1.0, 1.0], shape)


def _positive_definite(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Any:
    a = rng.uniform(-1, 1, shape)
    if dtype.kind == "c":
        a = a + 1j * rng.uniform(-1, 1, shape)
    return a @ np.conj(np.swapaxes(a, -1, -2)) + np.eye(shape[-1])


def _regular(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Any:
    return rng.uniform(-1, 1, shape) + 3 * np.eye(*shape[-2:])


def _distinct(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Any:
    size = int(np.prod(shape))
    return (rng.permutation(size) * 0.25 + 0.1 - size / 8).reshape(shape)


REALS = Domain("REALS", lambda rng, s, d: _sign(rng, s) * rng.uniform(0.1, 2, s))
"""Real or complex numbers between 0.1 and 2 in size: kinks at 0 are avoided."""
POSITIVE = Domain("POSITIVE", lambda rng, s, d: rng.uniform(0.2, 3, s))
ABOVE_ONE = Domain("ABOVE_ONE", lambda rng, s, d: rng.uniform(1.2, 3, s))
OPEN_UNIT = Domain("OPEN_UNIT", lambda rng, s, d: rng.uniform(-0.8, 0.8, s), imaginary=0.3)
"""Between -1 and 1."""
BETWEEN_WHOLE = Domain(
    "BETWEEN_WHOLE",
    lambda rng, s, d: rng.integers(-3, 3, s) + _sign(rng, s) * rng.uniform(0.15, 0.35, s),
)
"""Away from whole numbers, and from the middles between them."""
MANTISSAS = Domain(
    "MANTISSAS",
    lambda rng, s, d: _sign(rng, s) * rng.uniform(0.55, 0.95, s) * 2.0 ** rng.integers(-3, 4, s),
)
"""Away from powers of two."""
WHOLE_NONZERO = Domain("WHOLE_NONZERO", lambda rng, s, d: _sign(rng, s) * rng.integers(1, 4, s))
"""Floating-point numbers with whole values, none of them 0."""
DISTINCT = Domain("DISTINCT", _distinct)
"""No two elements closer than 0.25: for ordering, maxima and medians."""
POSITIVE_DEFINITE = Domain("POSITIVE_DEFINITE", _positive_definite, imaginary=0.0)
"""Symmetric (Hermitian) positive definite matrices along the last two axes."""
REGULAR = Domain("REGULAR", _regular)
"""Well conditioned matrices along the last two axes."""
INTEGERS = Domain("INTEGERS", lambda rng, s, d: rng.integers(0 if d.kind == "u" else -9, 9, s), "i")
NATURALS = Domain("NATURALS", lambda rng, s, d: rng.integers(1, 5, s), "i")
"""1, 2, 3, 4."""
BOOLEANS = Domain("BOOLEANS", lambda rng, s, d: rng.random(s) < 0.5, "b")

REAL = ("float64", "float32")
COMPLEX = ("float64", "float32", "complex128", "complex64")
WHOLE = ("int64", "int32", "uint8")


def indices(length: int) -> Domain:
    """Valid indices into an axis of this length, negative ones among them."""
    return Domain(f"indices({length})", lambda rng, s, d: rng.integers(-length, length, s), "i")


# Rows


@dataclass(frozen=True)
class Input:
    """One input of a variant.

    Attributes:
        shape: Its shape; None to draw shapes that broadcast with each other.
        domain: Where its values lie.
        value: This value, in place of a drawn one.
        dtype: This dtype, in place of a drawn one.
    """

    shape: Shape | None = None
    domain: Domain = REALS
    value: Any = None
    dtype: str | None = None


@dataclass(frozen=True)
class Variant:
    """One way of calling a primitive."""

    inputs: tuple[Input, ...]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_drawn(self) -> bool:
        """Whether the shapes are drawn."""
        return any(spec.shape is None and spec.value is None for spec in self.inputs)


@dataclass(frozen=True)
class Case:
    """One primitive's row.

    Attributes:
        primitive: The primitive's name.
        variants: The ways of calling it.
        argnums: The differentiated inputs; None for all floating ones.
        dtypes: In which dtypes the inputs of floating domains are drawn.
        order: Up to which order derivatives are checked.
        skip: The reason for each check that is left out.
        in_programs: Whether whole programs are drawn with it.
        why: The reason for whatever is exceptional about the row.
        atol: The absolute tolerance where it must be another.
        rtol: The relative tolerance where it must be another.
        examples: How many lists of inputs are drawn at most.
        is_slow: Whether that takes long.
    """

    primitive: str
    variants: tuple[Variant, ...]
    argnums: tuple[int, ...] | None = None
    dtypes: tuple[str, ...] = REAL
    order: int = 2
    skip: Mapping[str, str] = field(default_factory=dict)
    in_programs: bool = True
    why: str = ""
    atol: float | None = None
    rtol: float | None = None
    examples: int = 8
    is_slow: bool = False

    def __repr__(self) -> str:
        return f"<case {self.primitive}>"


CASES: dict[str, Case] = {}
"""The rows by the names of their primitives."""


def variant(*inputs: Input | Domain | Shape, **params: Any) -> Variant:
    """A variant: its inputs (a plain shape is an array of reals), and its parameters."""
    specs: list[Input] = []
    for spec in inputs:
        if isinstance(spec, Domain):
            specs.append(Input(None, spec))
        else:
            specs.append(spec if isinstance(spec, Input) else Input(spec))
    return Variant(tuple(specs), params)


def case(primitive: str, *variants: Variant, **options: Any) -> None:
    """Enter the row of a primitive; the options are the other attributes of `Case`."""
    assert primitive not in CASES, f"{primitive} has two rows"
    CASES[primitive] = Case(primitive, variants, **options)


def elementwise(primitive: str, *domains: Domain, **options: Any) -> None:
    """Enter the row of an elementwise primitive from the domain of each of its inputs."""
    case(primitive, variant(*domains), **options)


def constant(primitive: str, *alternatives: tuple[Domain, ...], **options: Any) -> None:
    """Enter the row of a locally constant elementwise primitive, for each kind of inputs."""
    options = {"in_programs": False, "why": "locally constant"} | options
    case(primitive, *(variant(*domains) for domains in alternatives), **options)


# linear.py

elementwise("copy", REALS, dtypes=COMPLEX)
elementwise("row_major", REALS, dtypes=COMPLEX)
elementwise("as_array", REALS, dtypes=COMPLEX)
case(
    "cast",
    variant(REALS, dtype=np.dtype(np.float64)),
    variant(REALS, dtype=np.dtype(np.float32)),
    variant(REALS, dtype=np.dtype(np.complex128)),
    variant(REALS, dtype=np.dtype(np.complex64)),
    variant(INTEGERS, dtype=np.dtype(np.float64)),
    dtypes=COMPLEX,
    in_programs=False,
    why="single precision cannot be compared with finite differences in double",
)
case(
    "cast_to_whole",
    variant(BETWEEN_WHOLE, dtype=np.dtype(np.int64)),
    variant(REALS, dtype=np.dtype(np.bool_)),
    variant(INTEGERS, dtype=np.dtype(np.int8)),
    in_programs=False,
    why="locally constant",
)
elementwise(
    "stop_gradient",
    REALS,
    dtypes=COMPLEX,
    skip={
        "jvp": "the derivative is zero by intention",
        "vjp": "the derivative is zero by intention",
        "second order": "the derivative is zero by intention",
    },
    in_programs=False,
)

# requiring.py

case(
    "require",
    variant((2, 3), Input(value=np.ones((2, 1), bool)), error="ValueError", message="not so"),
    variant((), Input(value=np.array(True)), error="ValueError", message="not so"),
    variant((0, 2), Input(value=np.ones((0,), bool)), error="ZeroDivisionError", message="not so"),
    dtypes=COMPLEX,
    in_programs=False,
    why="the condition holds, or there is nothing to look at",
)

# elementwise.py: arithmetic

elementwise("product_or_zero", REALS, REALS, dtypes=COMPLEX)
elementwise("quotient_or_zero", REALS, REALS, dtypes=COMPLEX)
elementwise("kept_product", REALS, REALS, dtypes=COMPLEX)
elementwise("kept_quotient", REALS, REALS, dtypes=COMPLEX)
elementwise("zero_product", REALS, REALS, dtypes=COMPLEX)
elementwise("add", REALS, REALS, dtypes=COMPLEX)
elementwise("subtract", REALS, REALS, dtypes=COMPLEX)
elementwise("multiply", REALS, REALS, dtypes=COMPLEX)
elementwise("divide", REALS, REALS, dtypes=COMPLEX)
elementwise("remainder", BETWEEN_WHOLE, WHOLE_NONZERO, in_programs=False, why="jumps")
elementwise("fmod", BETWEEN_WHOLE, WHOLE_NONZERO, in_programs=False, why="jumps")
elementwise("ldexp", REALS, INTEGERS)
elementwise("negative", REALS, dtypes=COMPLEX)
elementwise("positive", REALS, dtypes=COMPLEX)
elementwise("power", POSITIVE, REALS, dtypes=COMPLEX)
elementwise("power_in_rule", POSITIVE, REALS, dtypes=COMPLEX)
elementwise("square", REALS, dtypes=COMPLEX)
elementwise("reciprocal", REALS, dtypes=COMPLEX)
elementwise("sqrt", POSITIVE, dtypes=COMPLEX)
elementwise("cbrt", REALS)
case(
    "direction",
    variant(Input((2, 3)), Input((3,), POSITIVE, dtype="float64")),
    variant(Input((2, 1)), Input((0,), POSITIVE, dtype="float64")),
    variant(Input(()), Input((), POSITIVE, dtype="float64")),
    dtypes=COMPLEX,
)
elementwise("absolute", REALS, dtypes=COMPLEX)
elementwise("fabs", REALS)
elementwise("hypot", REALS, REALS)
elementwise("copysign", REALS, REALS, in_programs=False, why="jumps")
elementwise("heaviside", REALS, REALS, in_programs=False, why="jumps")
elementwise("nextafter", REALS, REALS, in_programs=False, why="no digits are left to compare")

# elementwise.py: exponentials and logarithms

elementwise("exp", REALS, dtypes=COMPLEX)
elementwise("exp2", REALS, dtypes=COMPLEX)
elementwise("expm1", REALS, dtypes=COMPLEX)
elementwise("log", POSITIVE, dtypes=COMPLEX)
elementwise("log2", POSITIVE, dtypes=COMPLEX)
elementwise("log10", POSITIVE, dtypes=COMPLEX)
elementwise("log1p", OPEN_UNIT, dtypes=COMPLEX)
elementwise("logaddexp", REALS, REALS)
elementwise("logaddexp2", REALS, REALS)
elementwise("sigmoid", REALS)

# elementwise.py: trigonometric and hyperbolic functions

elementwise("sin", REALS, dtypes=COMPLEX)
elementwise("cos", REALS, dtypes=COMPLEX)
elementwise("tan", OPEN_UNIT, dtypes=COMPLEX)
elementwise("arcsin", OPEN_UNIT, dtypes=COMPLEX)
elementwise("arccos", OPEN_UNIT, dtypes=COMPLEX)
elementwise("arctan", OPEN_UNIT, dtypes=COMPLEX)
elementwise("arctan2", REALS, POSITIVE)
elementwise("sinh", REALS, dtypes=COMPLEX)
elementwise("cosh", REALS, dtypes=COMPLEX)
elementwise("tanh", OPEN_UNIT, dtypes=COMPLEX)
elementwise("arcsinh", OPEN_UNIT, dtypes=COMPLEX)
elementwise("arccosh", ABOVE_ONE, dtypes=COMPLEX)
elementwise("arctanh", OPEN_UNIT, dtypes=COMPLEX)
elementwise("deg2rad", REALS)
elementwise("rad2deg", REALS)

# elementwise.py: complex numbers

ONLY_COMPLEX = ("complex128", "complex64")
elementwise("conjugate", REALS, dtypes=COMPLEX)
elementwise("complex_of", REALS, REALS, in_programs=False, why="makes complex numbers")
elementwise("real", REALS, dtypes=ONLY_COMPLEX, in_programs=False, why="of complex numbers")
elementwise("imag", REALS, dtypes=ONLY_COMPLEX, in_programs=False, why="of complex numbers")
elementwise("angle", POSITIVE, dtypes=ONLY_COMPLEX, in_programs=False, why="of complex numbers")

# elementwise.py: choices

elementwise("maximum", REALS, REALS)
elementwise("minimum", REALS, REALS)
elementwise("fmax", REALS, REALS)
elementwise("fmin", REALS, REALS)
elementwise("select", BOOLEANS, REALS, REALS, dtypes=COMPLEX, in_programs=False, why="booleans")

# elementwise.py: locally constant functions

for _name in ("floor", "ceil", "trunc", "rint"):
    constant(_name, (BETWEEN_WHOLE,))
for _name in ("isfinite", "isinf", "isnan"):
    constant(_name, (REALS,), dtypes=COMPLEX)
for _name in ("sign", "signbit", "spacing"):
    constant(_name, (REALS,))
constant("isnat", why="takes dates only, which are never traced")
for _name in ("logical_and", "logical_or", "logical_xor"):
    constant(_name, (REALS, REALS), (BOOLEANS, INTEGERS))
constant("logical_not", (REALS,), (BOOLEANS,))
for _name in ("gcd", "lcm"):
    constant(_name, (INTEGERS, INTEGERS))
constant("floor_divide", (BETWEEN_WHOLE, WHOLE_NONZERO), (INTEGERS, NATURALS))
for _name in ("less", "less_equal", "greater", "greater_equal"):
    constant(_name, (REALS, REALS), (INTEGERS, REALS), (BOOLEANS, BOOLEANS))
for _name in ("equal", "not_equal"):
    constant(_name, (REALS, REALS), (INTEGERS, INTEGERS), dtypes=COMPLEX)
for _name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    constant(_name, (INTEGERS, INTEGERS), (BOOLEANS, BOOLEANS))
constant("invert", (INTEGERS,), (BOOLEANS,))
constant("bitwise_count", (INTEGERS,))
for _name in ("left_shift", "right_shift"):
    constant(_name, (INTEGERS, NATURALS))
case(
    "round",
    variant(BETWEEN_WHOLE, decimals=0),
    variant(BETWEEN_WHOLE, decimals=-1),
    in_programs=False,
    why="locally constant",
)

# parts.py

elementwise("divmod", BETWEEN_WHOLE, WHOLE_NONZERO, in_programs=False, why="jumps")
elementwise("modf", BETWEEN_WHOLE, in_programs=False, why="jumps")
elementwise("frexp", MANTISSAS, in_programs=False, why="jumps")

# shaping.py

case(
    "reshape",
    variant((2, 3), shape=(3, 1, 2)),
    variant((), shape=(1, 1)),
    variant((1,), shape=()),
    variant((0, 3), shape=(3, 0)),
    dtypes=COMPLEX,
)
case(
    "transpose",
    variant((2, 3, 4), permutation=(2, 0, 1)),
    variant((), permutation=()),
    variant((0, 1), permutation=(1, 0)),
    dtypes=COMPLEX,
)
case(
    "broadcast_to",
    variant((3, 1), shape=(2, 3, 4)),
    variant((), shape=(2,)),
    variant((2, 3), shape=(2, 3)),
    variant((1, 0), shape=(2, 0)),
    dtypes=COMPLEX,
)
case(
    "flip", variant((2, 3), reverse=(0,)), variant((2, 0), reverse=(0, 1)), variant((), reverse=())
)
case(
    "roll",
    variant((5,), shifts=(2,), along=(0,)),
    variant((2, 3), shifts=(1, -2), along=(1, 0)),
    variant((0, 1), shifts=(1,), along=(0,)),
)
case(
    "concatenate",
    variant((2, 3), (0, 3), (1, 3), axis=0),
    variant((2, 1), (2, 2), axis=1),
    variant((3,), Input((2,), INTEGERS), axis=0),
    dtypes=COMPLEX,
)
case(
    "stack",
    variant((2, 3), (2, 3), axis=1),
    variant((), (), (), axis=0),
    variant((0,), axis=1),
    variant((2,), Input((2,), INTEGERS), axis=0),
    dtypes=COMPLEX,
)
case(
    "split",
    variant((5, 2), boundaries=(1, 1, 4), axis=0),
    variant((2, 3), boundaries=(), axis=1),
    variant((0, 2), boundaries=(0,), axis=0),
)
case("unstack", variant((3,), axis=0), variant((2, 3), axis=1), variant((1, 0), axis=0))
case(
    "pad",
    variant((2, 3), padding=((1, 0), (0, 2))),
    variant((), padding=()),
    variant((0, 1), padding=((1, 1), (0, 0))),
    dtypes=COMPLEX,
)
case(
    "diagonal",
    variant((3, 4), offset=1),
    variant((2, 4, 3), offset=-2),
    variant((1, 1), offset=3),
    variant((0, 2), offset=0),
)
case(
    "from_diagonal",
    variant((3,), offset=1, rows=3, columns=4),
    variant((2, 2), offset=-2, rows=4, columns=3),
    variant((0,), offset=3, rows=1, columns=1),
)

# viewing.py

case(
    "view_as",
    variant((2, 4), dtype=np.dtype(np.complex128)),
    variant((0, 2), dtype=np.dtype(np.complex128)),
    variant(Input((2, 1), dtype="complex128"), dtype=np.dtype(np.float64)),
    dtypes=("float64",),
    in_programs=False,
    why="of one dtype each",
)
case(
    "view_as_bits",
    variant((2, 3), dtype=np.dtype(np.int64)),
    variant((), dtype=np.dtype(np.uint64)),
    variant((0, 1), dtype=np.dtype(np.int8)),
    variant(Input((3, 4), INTEGERS), dtype=np.dtype(np.uint8)),
    dtypes=("float64",),
    in_programs=False,
    why="bits have no derivative",
)

# windowing.py

case(
    "windows",
    variant((5,), along=(0,), lengths=(3,), steps=(1,), dilations=(1,)),
    variant((2, 6, 5), along=(1, 2), lengths=(2, 3), steps=(3, 1), dilations=(2, 1)),
    variant((3, 4), along=(1, 0), lengths=(4, 1), steps=(2, 2), dilations=(1, 3)),
    variant((2,), along=(0,), lengths=(3,), steps=(1,), dilations=(1,)),
    variant((0, 4), along=(1,), lengths=(2,), steps=(2,), dilations=(1,)),
    dtypes=COMPLEX,
)
case(
    "sum_of_windows",
    variant((3, 3), along=(0,), sizes=(5,), steps=(1,), dilations=(1,)),
    variant((2, 3, 2, 2, 3), along=(1, 2), sizes=(6, 5), steps=(3, 1), dilations=(2, 1)),
    variant((3, 0), along=(0,), sizes=(2,), steps=(1,), dilations=(1,)),
    variant((2, 0, 2), along=(1,), sizes=(4,), steps=(2,), dilations=(1,)),
    dtypes=COMPLEX,
)

# indexing.py

case("element", variant((3,), index=(-1,)), variant((2, 3), index=(1, 0)), variant((), index=()))
case(
    "getitem",
    variant((4,), index=(slice(1, None, 2),)),
    variant((2, 3), index=(1,)),
    variant((2, 3), index=(Ellipsis, None, slice(None, None, -1))),
    variant((2, 3), index=(slice(1, 1), 2)),
    variant((2, 3, 2), index=(slice(None), None, -1, Ellipsis)),
    dtypes=COMPLEX,
)
_REPEATED = Input(value=np.array([2, 0, -1, 2]))
_COLUMN = Input(value=np.array([[1], [0]]))
_GATHERED = (
    ((4,), (_REPEATED,), ("indices",)),
    ((2, 3), (_REPEATED,), (slice(None), "indices")),
    ((3, 2), (_REPEATED, Input(value=np.array([[0], [1]]))), ("indices", "indices")),
    ((2, 3, 4), (_COLUMN, _REPEATED), ("indices", slice(1, None), "indices")),
    ((2, 3, 4), (_REPEATED,), (1, slice(None, None, 2), "indices")),
    ((2, 3), (_REPEATED,), (Ellipsis, None, "indices")),
    ((2, 3), (Input(value=np.array(1)),), ("indices",)),
    ((2, 3), (Input(value=np.zeros((0, 2), int)),), (slice(None), "indices")),
)
_GATHERED_SHAPES = ((4,), (2, 4), (2, 4), (2, 4, 2), (4, 2), (2, 1, 4), (3,), (2, 0, 2))
case(
    "gather",
    *(variant(shape, *arrays, index=index) for shape, arrays, index in _GATHERED),
    variant((4,), Input(value=np.array([3, 1])), index=("indices",), unique=True),
    dtypes=COMPLEX,
)
case(
    "scatter_add",
    *(
        variant(values, *arrays, index=index, shape=shape)
        for (shape, arrays, index), values in zip(_GATHERED, _GATHERED_SHAPES, strict=True)
    ),
    variant((2,), index=(slice(1, 3),), shape=(4,)),
    variant((), index=(1, 1), shape=(2, 3)),
    variant((2,), Input(value=np.array([3, 1])), index=("indices",), shape=(4,), unique=True),
    dtypes=COMPLEX,
)
case(
    "index_add",
    *(
        variant(shape, values, *arrays, index=index)
        for (shape, arrays, index), values in zip(_GATHERED, _GATHERED_SHAPES, strict=True)
    ),
    variant((4,), (2,), index=(slice(1, 3),)),
    variant((2, 3), (), index=(1, 1)),
    variant((4,), (2,), Input(value=np.array([3, 1])), index=("indices",), unique=True),
    dtypes=COMPLEX,
)
case(
    "index_update",
    *(variant(shape, (), *arrays, index=index) for shape, arrays, index in _GATHERED),
    variant((2, 3, 4), (4, 1), _COLUMN, _REPEATED, index=("indices", slice(1, None), "indices")),
    variant((2, 3, 4), (2, 4, 2), _COLUMN, _REPEATED, index=("indices", slice(1, None), "indices")),
    variant((4,), (4,), _REPEATED, index=("indices",)),
    variant((2, 3), (4,), _REPEATED, index=(slice(None), "indices")),
    variant((2, 3, 4), (4, 1), _REPEATED, index=(1, slice(None, None, 2), "indices")),
    variant((2, 3), (1, 2), index=(slice(None), slice(1, None))),
    variant((2, 3), (), index=(1, 1)),
    variant((4,), (2,), Input(value=np.array([3, 1])), index=("indices",), unique=True),
    dtypes=COMPLEX,
)
case(
    "searchsorted",
    variant(Input(value=np.array([-1.0, 0.5, 0.5, 1.0])), (2, 3), side="left"),
    variant(Input(value=np.array([-1.0, 0.5, 0.5, 1.0])), Input(value=np.array(0.5)), side="right"),
    in_programs=False,
    why="locally constant",
)

# cumulating.py

case(
    "cumsum",
    variant((2, 3), axis=1, reverse=False),
    variant((3, 2), axis=0, reverse=True),
    variant((0, 1), axis=0, reverse=False),
    variant(Input((3,), BOOLEANS), axis=0, reverse=False),
    dtypes=COMPLEX,
)

case(
    "sum_at",
    variant((4, 2), Input(value=np.array([0, 2])), axis=0),
    variant((2, 4), Input(value=np.array([3, 1, 1])), axis=1),
    dtypes=COMPLEX,
    in_programs=False,
    why="the places are known",
    skip={"batch": "the places are known, and so the same for all examples"},
)
case(
    "recurrence",
    variant((3, 2), (3, 2), axis=0, reverse=False),
    variant((2, 4), (2, 4), axis=1, reverse=True),
    variant((1, 1), (1, 1), axis=0, reverse=False),
    variant((0, 2), (0, 2), axis=0, reverse=True),
    dtypes=COMPLEX,
)
case(
    "product_pullback",
    variant((3,), Input(value=np.array([0.5, 2, -1])), Input(value=np.array([0.5, 1, -1])), axis=0),
    variant((1, 2), Input(value=np.array([[2.0, 0]])), Input(value=np.array([[2.0, 0]])), axis=1),
    argnums=(0,),
    in_programs=False,
    why="the third input is a function of the second",
)  # fmt: skip
case(
    "extreme_pullback",
    variant((3,), Input(value=np.array([0.5, 2, -1])), Input(value=np.array([0.5, 2, 2])), axis=0),
    variant((1, 2), Input(value=np.array([[1.0, 1]])), Input(value=np.array([[1.0, 1]])), axis=1),
    argnums=(0,),
    in_programs=False,
    why="the third input is a function of the second",
)  # fmt: skip
for _ufunc in (
    "add", "subtract", "multiply", "divide", "logaddexp", "logaddexp2", "hypot", "arctan2",
    "copysign", "heaviside", "maximum", "minimum", "fmax", "fmin", "power", "remainder", "fmod",
    "nextafter",
):  # fmt: skip
    _domain = DISTINCT if _ufunc in ("maximum", "minimum", "fmax", "fmin") else ABOVE_ONE
    case(
        f"accumulate_{_ufunc}",
        variant(Input((3, 2), _domain), axis=0),
        variant(Input((1, 3), _domain), Input(value=np.array([True, False, True])), axis=1),
        in_programs=False,
        why="the domain is that of a run, and no mask is drawn",
    )
for _ufunc in (
    "bitwise_and", "bitwise_or", "bitwise_xor", "floor_divide", "gcd", "lcm", "left_shift",
    "right_shift",
):  # fmt: skip
    case(
        f"accumulate_{_ufunc}",
        variant(Input((3,), NATURALS), Input(value=np.array([True, False, True])), axis=0),
        in_programs=False,
        why="locally constant",
    )
for _ufunc in (
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and",
    "logical_or", "logical_xor",
):  # fmt: skip
    case(
        f"accumulate_{_ufunc}",
        variant(Input((3,), BOOLEANS), Input(value=np.array([True, False, True])), axis=0),
        in_programs=False,
        why="locally constant",
    )

# fourier.py

case(
    "fft",
    variant((3,), along=(0,), inverse=False, norm="backward"),
    variant((2, 4), along=(1,), inverse=True, norm="backward"),
    variant((2, 3), along=(0, 1), inverse=False, norm="ortho"),
    variant((2, 1, 3), along=(2, 0), inverse=True, norm="forward"),
    variant((2, 3), along=(1, 1), inverse=False, norm="backward"),
    variant((0, 3), along=(1,), inverse=False, norm="forward"),
    dtypes=COMPLEX,
)
case(
    "rfft",
    variant((4,), axis=0, norm="backward"),
    variant((5, 2), axis=0, norm="ortho"),
    variant((2, 1), axis=1, norm="forward"),
    variant((3, 2), axis=1, norm="forward"),
    variant((0, 3), axis=1, norm="backward"),
)
case(
    "irfft",
    variant((3,), axis=0, n=4, norm="backward"),
    variant((3, 2), axis=0, n=5, norm="ortho"),
    variant((2, 1), axis=1, n=1, norm="forward"),
    variant((3, 2), axis=1, n=2, norm="forward"),
    variant((0, 2), axis=1, n=3, norm="backward"),
    dtypes=COMPLEX,
)

# signals.py

elementwise("sinc", REALS, dtypes=COMPLEX)
case(
    "sinc_derivative",
    variant(Input(value=np.float64(1.0)), Input((3,))),
    variant(Input(value=np.array([2.0, 3.0])), Input((3, 1))),
    variant(Input(value=np.float64(3.0)), Input((0,))),
    argnums=(1,),
    dtypes=COMPLEX,
    in_programs=False,
    why="the order is a whole number",
)
elementwise("i0", REALS)
case(
    "bessel_i",
    variant(Input(value=np.float64(1.0)), Input((3,))),
    variant(Input(value=np.array([0.0, 3.0])), Input((3, 1))),
    variant(Input(value=np.float64(-2.0)), Input((0,))),
    argnums=(1,),
    in_programs=False,
    why="the order is a whole number",
)
case(
    "correlate",
    variant((4,), (3,), mode="valid"),
    variant((4,), (2,), mode="same"),
    variant((3,), (3,), mode="same"),
    variant((3,), (2,), mode="full"),
    variant((2,), (1,), mode="full"),
    dtypes=COMPLEX,
)

# ordering.py

case(
    "argsort",
    variant(Input((2, 3), DISTINCT), axis=1, kind=None),
    variant(Input((3, 1), DISTINCT), axis=0, kind="stable"),
    variant(Input((0,), DISTINCT), axis=0, kind=None),
    in_programs=False,
    why="locally constant",
)

case(
    "argpartition",
    variant(Input((2, 4), DISTINCT), kth=(1,), axis=1, kind="introselect"),
    variant(Input((3, 1), DISTINCT), kth=(0, 2), axis=0, kind="introselect"),
    variant(Input((3, 0), DISTINCT), kth=(-1,), axis=0, kind="introselect"),
    in_programs=False,
    why="locally constant",
)

# special.py

elementwise("logit", Domain("UNIT", lambda rng, s, d: rng.uniform(0.1, 0.9, s)))
elementwise("log_expit", REALS)
elementwise("xlogy", REALS, POSITIVE)
elementwise("xlog1py", REALS, OPEN_UNIT)
elementwise("entr", POSITIVE)
elementwise("rel_entr", POSITIVE, POSITIVE)
elementwise("erf", REALS)
elementwise("expit", REALS)
elementwise("gammaln", POSITIVE)
elementwise("digamma", POSITIVE)
case(
    "hurwitz_zeta",
    variant(Input(value=np.float64(2.0)), Input((3,), POSITIVE)),
    variant(Input(value=np.float64(3.0)), Input((0,), POSITIVE)),
    argnums=(1,),
    in_programs=False,
    why="the order is a whole number",
)
elementwise("erfc", REALS)
elementwise("erfinv", OPEN_UNIT)
elementwise("ndtr", REALS)

# scipy_rules.py, incomplete.py, carlson.py


def of_scipy(
    primitive: str, *domains: Domain, held: tuple[int, ...] = (), params: Any = None, **options: Any
) -> None:
    """Enter the row of a function of SciPy's, in some inputs of which it has no derivative."""
    shapes = ((2, 1), (3,), (), (), ())
    inputs = [Input(shapes[n], domain) for n, domain in enumerate(domains)]
    numbers = [n for n, x in enumerate(domains) if x.kind == "f" and n not in held]
    case(
        primitive,
        variant(*inputs, **(params or {})),
        argnums=tuple(numbers),
        in_programs=False,
        why="SciPy's functions of one family need no more than their derivatives checked",
        **({"examples": 1} | options),
    )


def between(low: float, high: float) -> Domain:
    """Real numbers."""
    return Domain(f"{low} to {high}", lambda rng, s, d: rng.uniform(low, high, s), imaginary=0.3)


def whole(low: int, high: int) -> Domain:
    """Integers, the bounds among them."""
    return Domain(f"{low} to {high}", lambda rng, s, d: rng.integers(low, high + 1, s), "i")


UNIT = between(0.1, 0.9)
of_scipy("scipy_exp2", between(-2, 2))
of_scipy("exp10", between(-2, 2))
of_scipy("scipy_expm1", between(-2, 2))
of_scipy("scipy_log1p", POSITIVE)
of_scipy("scipy_cbrt", POSITIVE)
of_scipy("cosm1", between(-2, 2))
of_scipy("sindg", between(-200, 200))
of_scipy("cosdg", between(-200, 200))
of_scipy("tandg", between(10, 80))
of_scipy("cotdg", between(10, 80))
of_scipy("radian", between(-2, 2), between(-2, 2), between(-2, 2))
of_scipy("powm1", POSITIVE, between(-2, 2))
of_scipy("exprel", between(-5, 5))
of_scipy("kl_div", POSITIVE, POSITIVE)
of_scipy("huber", between(0.5, 1.0), between(-3, 3))
of_scipy("pseudo_huber", POSITIVE, between(-3, 3))
of_scipy("boxcox", POSITIVE, between(-2, 2))
of_scipy("boxcox1p", POSITIVE, between(-2, 2))
of_scipy("inv_boxcox", UNIT, POSITIVE)
of_scipy("inv_boxcox1p", UNIT, POSITIVE)
of_scipy("gamma", between(-2.9, -2.1))
of_scipy("loggamma", POSITIVE)
of_scipy("rgamma", between(-3, 3))
of_scipy("polygamma", whole(0, 4), POSITIVE)
of_scipy("beta", POSITIVE, POSITIVE)
of_scipy("betaln", POSITIVE, POSITIVE)
of_scipy("poch", POSITIVE, POSITIVE)
of_scipy("binom", between(3, 5), POSITIVE)
of_scipy("gammainc", POSITIVE, POSITIVE)
of_scipy("gammaincc", POSITIVE, POSITIVE)
of_scipy("gammaincinv", POSITIVE, UNIT)
of_scipy("gammainccinv", POSITIVE, UNIT, is_slow=True)
of_scipy("betainc", POSITIVE, POSITIVE, UNIT)
of_scipy("betaincc", POSITIVE, POSITIVE, UNIT, is_slow=True)
of_scipy("betaincinv", POSITIVE, POSITIVE, UNIT, is_slow=True)
of_scipy("betainccinv", POSITIVE, POSITIVE, UNIT, is_slow=True)
of_scipy("btdtria", UNIT, POSITIVE, UNIT, is_slow=True)
of_scipy("btdtrib", POSITIVE, UNIT, UNIT, is_slow=True)
of_scipy("chdtr", POSITIVE, POSITIVE)
of_scipy("chdtrc", POSITIVE, POSITIVE)
of_scipy("chdtri", POSITIVE, UNIT)
of_scipy("chdtriv", UNIT, POSITIVE, is_slow=True)
of_scipy("gdtr", POSITIVE, POSITIVE, POSITIVE)
of_scipy("gdtrc", POSITIVE, POSITIVE, POSITIVE, is_slow=True)
of_scipy("gdtria", UNIT, POSITIVE, POSITIVE, is_slow=True)
of_scipy("gdtrib", POSITIVE, UNIT, POSITIVE, is_slow=True)
of_scipy("gdtrix", POSITIVE, POSITIVE, UNIT)
of_scipy("pdtr", whole(0, 5), POSITIVE)
of_scipy("pdtrc", whole(0, 5), POSITIVE)
of_scipy("pdtri", whole(0, 5), UNIT)
of_scipy("pdtrik", between(0.6, 0.9), between(1, 2), is_slow=True)
of_scipy("chndtr", POSITIVE, POSITIVE, POSITIVE, held=(1,))
of_scipy("chndtrix", UNIT, POSITIVE, POSITIVE, held=(1,), is_slow=True)
of_scipy("chndtrinc", POSITIVE, between(0.5, 1), between(0.1, 0.3), held=(1,), is_slow=True)
of_scipy("bdtr", whole(0, 4), whole(5, 9), UNIT)
of_scipy("bdtrc", whole(0, 4), whole(5, 9), UNIT)
of_scipy("bdtri", whole(0, 4), whole(5, 9), UNIT)
of_scipy("bdtrik", between(0.4, 0.8), between(5, 9), UNIT, is_slow=True)
of_scipy("bdtrin", between(1, 3), between(0.2, 0.5), UNIT, is_slow=True)
of_scipy("nbdtr", whole(0, 4), whole(5, 9), UNIT)
of_scipy("nbdtrc", whole(0, 4), whole(5, 9), UNIT)
of_scipy("nbdtri", whole(0, 4), whole(5, 9), UNIT)
of_scipy("nbdtrik", between(0.7, 0.9), between(0.5, 1), between(0.3, 0.4), is_slow=True)
of_scipy("nbdtrin", POSITIVE, UNIT, UNIT, is_slow=True)
of_scipy("fdtr", POSITIVE, POSITIVE, POSITIVE, is_slow=True)
of_scipy("fdtrc", POSITIVE, POSITIVE, POSITIVE, is_slow=True)
of_scipy("fdtri", POSITIVE, POSITIVE, UNIT, is_slow=True)
of_scipy("fdtridfd", POSITIVE, UNIT, POSITIVE, is_slow=True)
of_scipy("stdtr", POSITIVE, between(-2, 2), is_slow=True)
of_scipy("stdtrit", POSITIVE, UNIT, is_slow=True)
of_scipy("stdtridf", between(0.8, 0.85), between(1.4, 2.0), is_slow=True)
of_scipy("tklmbda", between(-0.2, 0.2), POSITIVE)
of_scipy("nrdtrimn", UNIT, POSITIVE, between(-2, 2))
of_scipy("nrdtrisd", between(-2, 2), between(0.6, 0.9), between(2.5, 3))
of_scipy("erfi", between(-2, 2))
of_scipy("erfcx", between(-2, 9))
of_scipy("erfcinv", between(0.2, 1.8))
of_scipy("dawsn", between(-9, 9))
of_scipy("wofz", between(-2, 2))
of_scipy("log_ndtr", between(-9, 5))
of_scipy("ndtri", UNIT)
of_scipy("ndtri_exp", between(-9, -0.1))
of_scipy("voigt_profile", between(-2, 2), POSITIVE, POSITIVE)
of_scipy("owens_t", between(-2, 2), between(-2, 2))
of_scipy("fresnel", between(-2, 2))
# Of some numbers in single precision SciPy itself makes nan.
of_scipy("modfresnelp", POSITIVE, dtypes=("float64",))
of_scipy("modfresnelm", POSITIVE, dtypes=("float64",))
of_scipy("exp1", POSITIVE)
of_scipy("expi", POSITIVE)
of_scipy("expn", whole(0, 4), POSITIVE)
of_scipy("sici", POSITIVE)
of_scipy("shichi", POSITIVE)
of_scipy("spence", POSITIVE)
of_scipy("lambertw", POSITIVE, whole(0, 1))
of_scipy("wrightomega", between(-2, 2))
of_scipy("zeta", between(1.5, 4), POSITIVE)
of_scipy("j0", between(0.3, 5))
of_scipy("j1", between(0.3, 5))
of_scipy("y0", between(0.3, 5))
of_scipy("y1", between(0.3, 5))
of_scipy("scipy_i0", between(0.3, 5))
of_scipy("i1", between(0.3, 5))
of_scipy("k0", between(0.3, 5))
of_scipy("k1", between(0.3, 5))
of_scipy("k0e", between(0.3, 5))
of_scipy("k1e", between(0.3, 5))
of_scipy("i0e", between(-60, 60))
of_scipy("i1e", between(-60, 60))
of_scipy("jv", POSITIVE, POSITIVE, held=(0,))
of_scipy("yv", POSITIVE, POSITIVE, held=(0,))
of_scipy("hankel1", POSITIVE, POSITIVE, held=(0,))
of_scipy("hankel2", POSITIVE, POSITIVE, held=(0,))
of_scipy("iv", POSITIVE, POSITIVE)
of_scipy("kv", POSITIVE, POSITIVE)
of_scipy("jve", POSITIVE, POSITIVE, held=(0,))
of_scipy("yve", POSITIVE, POSITIVE, held=(0,))
of_scipy("hankel1e", POSITIVE, POSITIVE, held=(0,))
of_scipy("hankel2e", POSITIVE, POSITIVE, held=(0,))
of_scipy("ive", POSITIVE, POSITIVE)
of_scipy("kve", POSITIVE, POSITIVE)
of_scipy("struve", POSITIVE, POSITIVE, held=(0,))
of_scipy("modstruve", POSITIVE, POSITIVE, held=(0,))
of_scipy("kn", whole(0, 4), POSITIVE)
of_scipy("yn", whole(0, 4), POSITIVE)
of_scipy("spherical_jn", whole(0, 4), POSITIVE)
of_scipy("spherical_yn", whole(0, 4), POSITIVE)
of_scipy("spherical_in", whole(0, 4), POSITIVE)
of_scipy("spherical_kn", whole(0, 4), POSITIVE)
of_scipy("airy", between(-2, 2))
of_scipy("airye", POSITIVE)
of_scipy("itairy", between(-2, 2))
of_scipy("ber", POSITIVE)
of_scipy("bei", POSITIVE)
of_scipy("ker", POSITIVE)
of_scipy("kei", POSITIVE)
of_scipy("berp", POSITIVE)
of_scipy("beip", POSITIVE)
of_scipy("kerp", POSITIVE)
of_scipy("keip", POSITIVE)
of_scipy("kelvin", POSITIVE)
of_scipy("iti0k0", POSITIVE)
of_scipy("itj0y0", POSITIVE)
of_scipy("it2i0k0", POSITIVE)
of_scipy("it2j0y0", POSITIVE)
of_scipy("itstruve0", POSITIVE)
of_scipy("itmodstruve0", POSITIVE)
of_scipy("it2struve0", POSITIVE)
of_scipy("besselpoly", POSITIVE, POSITIVE, POSITIVE, held=(1, 2))
of_scipy("pbdv", POSITIVE, between(-2, 2), held=(0,))
of_scipy("pbvv", POSITIVE, between(-2, 2), held=(0,))
of_scipy("pbwa", POSITIVE, between(-2, 2), held=(0,))
of_scipy("hyp0f1", POSITIVE, between(-2, 2))
of_scipy("hyp1f1", POSITIVE, POSITIVE, between(-2, 2))
of_scipy(
    "hyp1f1_by_parameters",
    POSITIVE,
    POSITIVE,
    between(-2, 2),
    params={"orders": (1, 0, 0)},
    is_slow=True,
)
of_scipy(
    "hyp2f1_by_parameters",
    POSITIVE,
    POSITIVE,
    POSITIVE,
    between(-0.8, 0.8),
    params={"orders": (1, 0, 0)},
    is_slow=True,
)
of_scipy(
    "hyp0f1_by_parameter",
    POSITIVE,
    between(-2, 2),
    params={"orders": (1, 0)},
    is_slow=True,
)
of_scipy("kve_by_order", POSITIVE, POSITIVE, params={"orders": (1, 0)}, is_slow=True)
of_scipy("zeta_by_order", between(1.5, 4), POSITIVE, params={"orders": (1,)})
of_scipy("digamma_difference", POSITIVE, POSITIVE)
of_scipy("hyp2f1", POSITIVE, POSITIVE, POSITIVE, between(-0.8, 0.8))
of_scipy("hyperu", POSITIVE, POSITIVE, POSITIVE, held=(0, 1))
of_scipy("wright_bessel", POSITIVE, POSITIVE, POSITIVE, held=(0, 1), is_slow=True)
of_scipy("log_wright_bessel", POSITIVE, POSITIVE, POSITIVE, held=(0, 1), is_slow=True)
of_scipy("ellipk", between(-2, 0.9))
of_scipy("ellipe", between(-2, 0.9))
of_scipy("ellipkm1", POSITIVE)
of_scipy("ellipkinc", between(-5, 5), between(-2, 0.9))
of_scipy("ellipeinc", between(-5, 5), between(-2, 0.9), is_slow=True)
of_scipy("ellipj", between(-2, 2), between(0.1, 0.9))
of_scipy("agm", POSITIVE, POSITIVE)
of_scipy("elliprc", POSITIVE, POSITIVE)
of_scipy("elliprf", POSITIVE, POSITIVE, POSITIVE)
of_scipy("elliprd", POSITIVE, POSITIVE, POSITIVE)
of_scipy("elliprg", POSITIVE, POSITIVE, POSITIVE, is_slow=True)
of_scipy("elliprj", POSITIVE, POSITIVE, POSITIVE, POSITIVE, is_slow=True)
of_scipy("eval_legendre", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_sh_legendre", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_chebyt", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_chebyu", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_chebyc", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_chebys", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_sh_chebyt", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_sh_chebyu", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_laguerre", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_hermite", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_hermitenorm", whole(0, 5), between(-0.9, 0.9))
of_scipy("eval_gegenbauer", whole(0, 5), POSITIVE, between(-0.9, 0.9), held=(1,))
of_scipy("eval_genlaguerre", whole(0, 5), POSITIVE, between(-0.9, 0.9), held=(1,))
of_scipy(
    "eval_jacobi", whole(0, 5), POSITIVE, POSITIVE, between(-0.9, 0.9), held=(1, 2), is_slow=True
)
of_scipy(
    "eval_sh_jacobi", whole(0, 5), between(3, 4), between(1, 2), UNIT, held=(1, 2), is_slow=True
)
of_scipy("lpmv", whole(0, 2), POSITIVE, between(-0.9, 0.9), held=(0, 1), is_slow=True)
of_scipy("sph_harm_y", whole(3, 5), whole(-3, 3), POSITIVE, between(-2, 2))
of_scipy("gamma_density", POSITIVE, POSITIVE)
of_scipy("gammainc_by_a", POSITIVE, POSITIVE, params={"orders": (1,)})
of_scipy("beta_density", POSITIVE, POSITIVE, UNIT)
of_scipy("betainc_by_parameters", POSITIVE, POSITIVE, UNIT, params={"orders": (1, 0)})
of_scipy(
    "elliptic_integral", POSITIVE, POSITIVE, POSITIVE, POSITIVE, params={"orders": (0, 1, 3, 1, 2)}
)
for _name, _domains in {
    "scipy_round": (BETWEEN_WHOLE,), "gammasgn": (BETWEEN_WHOLE,),
}.items():  # fmt: skip
    constant(_name, _domains)
of_scipy("zetac", between(2, 4))
of_scipy("riemann_zeta", between(-2, 0.5))

# reducing.py

for _name in ("sum", "mean"):
    case(
        _name,
        variant((2, 3), axes=None, keepdims=False, dtype=None),
        variant((2, 3, 4), axes=(0, 2), keepdims=False, dtype=None),
        variant((2, 3, 4), axes=(1,), keepdims=True, dtype=None),
        variant((2, 3, 2, 4), axes=(1, 2), keepdims=False, dtype=None),
        variant((3, 2, 2), axes=(0, 1), keepdims=True, dtype=None),
        variant((3, 2, 2), axes=(1, 2), keepdims=False, dtype=None),
        variant((1, 2), axes=(), keepdims=False, dtype=None),
        variant((0, 3), axes=(1,), keepdims=False, dtype=None),
        variant((), axes=None, keepdims=True, dtype=None),
        variant((2, 3), axes=None, keepdims=False, dtype=np.dtype(np.complex128)),
        dtypes=COMPLEX,
    )
case(
    "winners",
    variant(Input((2, 3), WHOLE_NONZERO), Input((2, 1), WHOLE_NONZERO), axes=(1,)),
    variant(Input((2, 3), WHOLE_NONZERO), Input((), WHOLE_NONZERO), axes=None),
    variant(Input((300, 2), WHOLE_NONZERO), Input((1, 2), WHOLE_NONZERO), axes=(0,)),
    variant(Input((0, 3), WHOLE_NONZERO), Input((0, 1), WHOLE_NONZERO), axes=(1,)),
    variant(Input((), WHOLE_NONZERO), Input((), WHOLE_NONZERO), axes=()),
    dtypes=COMPLEX,
    in_programs=False,
    why="locally constant",
)
for _name in ("max", "min"):
    case(
        _name,
        variant(Input((2, 3), DISTINCT), axes=None, keepdims=False),
        variant(Input((40, 3), DISTINCT), axes=(1,), keepdims=True),
        variant(Input((2, 3, 4), DISTINCT), axes=(0, 2), keepdims=True),
        variant(Input((0, 3), DISTINCT), axes=(1,), keepdims=False),
        variant(Input((), DISTINCT), axes=None, keepdims=False),
        variant(Input((2, 3), INTEGERS), axes=(1,), keepdims=False),
        in_programs=False,
        why="ties",
    )
case(
    "prod",
    variant((2, 3), axes=None, keepdims=False),
    variant((5, 2), axes=(0,), keepdims=True),
    variant((2, 3, 4), axes=(0, 2), keepdims=False),
    variant(
        Input((2, 3), value=np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.5]])), axes=(1,), keepdims=False
    ),
    variant((1,), axes=None, keepdims=False),
    variant((0, 3), axes=(0,), keepdims=False),
    variant((), axes=None, keepdims=False),
    dtypes=COMPLEX,
)
case(
    "logsumexp",
    variant((2, 3), axes=None, keepdims=False),
    variant((2, 3, 4), axes=(0, 2), keepdims=True),
    variant((1, 2), axes=(0,), keepdims=False),
    variant((0, 3), axes=(1,), keepdims=False),
    variant((), axes=None, keepdims=False),
)
for _name in ("any", "all"):
    case(
        _name,
        variant((2, 3), axes=None, keepdims=False),
        variant(Input((2, 3, 2), BOOLEANS), axes=(0, 2), keepdims=True),
        variant(Input((0, 3), INTEGERS), axes=(0,), keepdims=False),
        in_programs=False,
        why="locally constant",
    )
for _name in ("argmax", "argmin"):
    case(
        _name,
        variant((2, 3), axes=None, keepdims=False),
        variant((2, 3), axes=None, keepdims=True),
        variant((2, 3, 4), axes=(1,), keepdims=True),
        variant(Input((0, 3), INTEGERS), axes=(1,), keepdims=False),
        in_programs=False,
        why="locally constant",
    )
elementwise("root", POSITIVE)

# contracting.py

for _name in ("contract_or_zero", "zero_contract"):
    case(
        _name,
        variant((2, 3), (3, 4), subscripts="ij,jk->ik"),
        variant((3,), (3,), subscripts="i,i->"),
        variant((1, 3), (2, 3), subscripts="ij,ij->i"),
        variant((2, 3, 4), (2, 4, 5), subscripts="bij,bjk->bik"),
        dtypes=COMPLEX,
    )
case(
    "contract",
    variant((2, 3), (3, 4), subscripts="ij,jk->ik"),
    variant((2, 3), (4, 3), subscripts="ij,kj->ki"),
    variant((3, 2), (3, 4), subscripts="ji,jk->ik"),
    variant((3,), (3,), subscripts="i,i->"),
    variant((3,), (2,), subscripts="i,j->ji"),
    variant((3,), (2,), subscripts="i,j->ij"),
    variant((3,), (3, 2), subscripts="j,jk->k"),
    variant((2, 3), (2, 3), subscripts="ij,ij->ij"),
    variant((1, 3), (2, 3), subscripts="ij,ij->i"),
    variant((2, 3), (3, 2), subscripts="ij,ji->"),
    variant((2, 3, 4), (2, 4, 5), subscripts="bij,bjk->bik"),
    variant((1, 3, 4), (2, 4, 5), subscripts="bij,bjk->bik"),
    variant((2, 3, 4, 1), (3, 1, 2), subscripts="abcd,bde->cae"),
    variant((2, 3, 4), (2, 3, 5), subscripts="tbi,tbj->ij"),
    variant((2, 3, 4), (2, 3, 5), subscripts="tbi,tbj->ji"),
    variant((2, 3, 4), (5, 2, 3), subscripts="tbi,jtb->ij"),
    variant((4, 2, 3), (2, 3), subscripts="itb,tb->i"),
    variant((2, 3, 4, 5), (2, 3), subscripts="tbij,tb->ij"),
    variant((2, 3), (3, 0), subscripts="ij,jk->ik"),
    variant((2, 0), (0, 3), subscripts="ij,jk->ik"),
    variant((), (3,), subscripts=",i->i"),
    variant((), (), subscripts=",->"),
    variant(Input((2, 3), INTEGERS), (3, 2), subscripts="ij,jk->ik"),
    variant(Input((2, 3), BOOLEANS), Input((3, 2), BOOLEANS), subscripts="ij,jk->ik"),
    dtypes=COMPLEX,
)

# systems.py, determinants.py, factoring.py

_REGULAR = Input((3, 3), REGULAR)
_STACK = Input((2, 3, 3), REGULAR)
_ONE = Input((1, 1), REGULAR)
_NONE = Input((0, 0), REGULAR)
_WHOLE_PROGRAMS = {"in_programs": False, "why": "not every matrix has one"}
_IN_FACTORING = "the other mode is the transpose of this one: see test_factoring.py"
_BY_JVP = dict.fromkeys(("vjp", "transpose", "second order"), _IN_FACTORING)
_BY_VJP = dict.fromkeys(("jvp", "transpose", "second order"), _IN_FACTORING)
case(
    "solve",
    variant(_REGULAR, (3, 2)),
    variant(_STACK, (3, 1)),
    variant(_REGULAR, (2, 3, 2)),
    variant(_ONE, (1, 0)),
    variant(_NONE, (0, 2)),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
case(
    "solve_triangular",
    variant(_REGULAR, (3, 2), lower=True, unit_diagonal=False),
    variant(_STACK, (3, 2), lower=False, unit_diagonal=False),
    variant(_REGULAR, (2, 3, 1), lower=True, unit_diagonal=True),
    variant(_ONE, (1, 2), lower=False, unit_diagonal=True),
    variant(_NONE, (0, 2), lower=True, unit_diagonal=False),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
case(
    "inverse_of_triangle",
    variant(_REGULAR, lower=True),
    variant(_STACK, lower=False),
    variant(_ONE, lower=True),
    variant(_NONE, lower=True),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
for _name in ("inverse", "inverse_or_infinite", "det", "adjugate", "slogdet"):
    case(
        _name,
        variant(_REGULAR),
        variant(_STACK),
        variant(_ONE),
        variant(_NONE),
        dtypes=COMPLEX,
        skip={"det": {}, "slogdet": {}, "adjugate": _BY_JVP}.get(_name, _BY_VJP),
        **_WHOLE_PROGRAMS,
    )
case(
    "cholesky",
    variant(Input((3, 3), POSITIVE_DEFINITE)),
    variant(Input((2, 2, 2), POSITIVE_DEFINITE)),
    variant(Input((1, 1), POSITIVE_DEFINITE)),
    variant(Input((0, 0), POSITIVE_DEFINITE)),
    dtypes=COMPLEX,
    **_WHOLE_PROGRAMS,
)
case(
    "qr",
    variant(_REGULAR, full=True),
    variant(Input((4, 2), REGULAR), full=False),
    variant(Input((2, 4), REGULAR), full=False),
    variant(Input((2, 3, 2), REGULAR), full=False),
    variant(_ONE, full=False),
    variant(Input((2, 0), REGULAR), full=False),
    dtypes=COMPLEX,
    **_WHOLE_PROGRAMS,
)
case(
    "pinv",
    variant(_REGULAR, tolerance=None, hermitian=False),
    variant(Input((4, 2), REGULAR), tolerance=None, hermitian=False),
    variant(Input((2, 2, 3), REGULAR), tolerance=1e-6, hermitian=False),
    variant(_ONE, tolerance=None, hermitian=False),
    variant(_REGULAR, tolerance=None, hermitian=True),
    variant(Input((0, 2), REGULAR), tolerance=None, hermitian=False),
    dtypes=COMPLEX,
    skip=_BY_JVP,
    **_WHOLE_PROGRAMS,
)
case(
    "singular_triangle",
    variant(_REGULAR),
    variant(Input((2, 1, 1), REGULAR)),
    variant(_NONE),
    dtypes=COMPLEX,
    in_programs=False,
    why="locally constant",
)
case(
    "matrix_rank",
    variant(_REGULAR, tolerance=None, relative=False, hermitian=False),
    variant(Input((2, 2, 3), REGULAR), tolerance=0.1, relative=True, hermitian=False),
    variant(_ONE, tolerance=0.1, relative=False, hermitian=True),
    dtypes=COMPLEX,
    in_programs=False,
    why="locally constant",
)

# spectral.py

_SPREAD = Domain(
    "SPREAD",
    lambda rng, s, d: rng.uniform(-0.3, 0.3, s) + np.eye(*s[-2:]) * np.arange(1, s[-1] + 1),
)
"""Matrices with distinct eigenvalues, and distinct singular values."""
case(
    "eigh",
    variant(Input((3, 3), _SPREAD), lower=True),
    variant(Input((2, 2, 2), _SPREAD), lower=False),
    variant(Input((1, 1), _SPREAD), lower=True),
    variant(Input((0, 0), _SPREAD), lower=True),
    skip=_BY_JVP,
    **_WHOLE_PROGRAMS,
)
case(
    "svd",
    variant(Input((3, 3), _SPREAD), full=True),
    variant(Input((4, 2), _SPREAD), full=False),
    variant(Input((2, 3), _SPREAD), full=False),
    variant(Input((2, 2, 2), _SPREAD), full=False),
    variant(Input((1, 1), _SPREAD), full=False),
    variant(Input((0, 2), _SPREAD), full=False),
    skip=_BY_JVP,
    **_WHOLE_PROGRAMS,
)
_SORTED = Domain("SORTED", lambda rng, s, d: np.sort(rng.integers(0, 3, s), -1))
_CONSTANT = {"in_programs": False, "why": "locally constant"}
case("equal_values", variant(Input((4,), _SORTED)), variant(Input((2, 0), _SORTED)), **_CONSTANT)
case("vanishing", variant(Input((4,), _SORTED)), variant(Input((2, 1), _SORTED)), **_CONSTANT)
case("inverse_of_gap", variant(Input((3, 3), POSITIVE)), variant(Input((2, 0), POSITIVE)))
case("limit", variant((3, 2)), variant((0,)), variant(()))
case("as_found", variant((3, 2)), variant((0,)), variant(()))

# eigen.py

case(
    "eig",
    variant(Input((3, 3), _SPREAD)),
    variant(Input((2, 2, 2), _SPREAD)),
    variant(Input((1, 1), _SPREAD)),
    variant(Input((0, 0), _SPREAD)),
    dtypes=COMPLEX,
    **_WHOLE_PROGRAMS,
)

# least_squares.py

case(
    "lstsq",
    variant(Input((4, 2), REGULAR), (4, 3), tolerance=None),
    variant(Input((2, 4), REGULAR), (2, 1), tolerance=1e-9),
    variant(_REGULAR, (3, 0), tolerance=None),
    variant(_STACK, (2, 3, 2), tolerance=None),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)

# roots.py

_COEFFICIENTS = Domain(
    "COEFFICIENTS",
    lambda rng, s, d: np.array([1.0, -3.0, -1.0, 3.0][: s[-1]]) + rng.uniform(-0.1, 0.1, s),
    imaginary=0.1,
)
"""Of polynomials with distinct roots."""
case(
    "roots",
    variant(Input((4,), _COEFFICIENTS), leading=0),
    variant(Input((2, 3), _COEFFICIENTS), leading=0),
    variant(Input((1,), _COEFFICIENTS), leading=0),
    dtypes=COMPLEX,
    skip=_BY_JVP,
    **_WHOLE_PROGRAMS,
)

# pivoting.py, tridiagonal.py

for _name in ("lu", "lu_by_lapack"):
    case(
        _name,
        variant(_REGULAR),
        variant(_STACK),
        variant(Input((4, 2), REGULAR)),
        variant(Input((2, 4), REGULAR)),
        variant(_ONE),
        variant(_NONE),
        dtypes=COMPLEX,
        skip=_BY_JVP,
        **_WHOLE_PROGRAMS,
    )
case(
    "permutation_of_pivots",
    variant(Input(value=np.array([2, 2, 2])), count=3),
    variant(Input(value=np.array([[1, 1], [0, 3]])), count=4),
    **_CONSTANT,
)
case(
    "column_order",
    variant(Input((3, 3), REGULAR)),
    variant(Input((2, 2, 3), REGULAR)),
    variant(Input((0, 2), REGULAR)),
    **_CONSTANT,
)
_DIAGONAL = Domain("DIAGONAL", lambda rng, s, d: rng.uniform(3, 4, s))
case(
    "tridiagonal_solve",
    variant((4,), Input((4,), _DIAGONAL), (4,), (4, 2)),
    variant((2, 3), Input((2, 3), _DIAGONAL), (2, 3), (2, 3, 1)),
    variant((1,), Input((1,), _DIAGONAL), (1,), (1, 2)),
    variant((0,), (0,), (0,), (0, 2)),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)

# equations.py, functions.py, banded.py, toeplitz.py, schurs.py: what SciPy computes

_STABLE = Domain(
    "STABLE",
    lambda rng, s, d: rng.uniform(-0.2, 0.2, s) + np.eye(*s[-2:]) * np.linspace(0.3, 0.8, s[-1]),
    imaginary=0.1,
)
"""Matrices with distinct eigenvalues between 0 and 1."""
_THREE, _PAIR = Input((3, 3), _STABLE), Input((2, 2, 2), _STABLE)
_EMPTY, _SINGLE = Input((0, 0), _STABLE), Input((1, 1), _STABLE)
case(
    "sylvester",
    variant(_THREE, Input((2, 2), _STABLE), (3, 2)),
    variant(_PAIR, Input((2, 1, 1), _STABLE), (2, 2, 1)),
    variant(_SINGLE, _EMPTY, (1, 0)),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
_BY_SCIPY = {"in_programs": False, "order": 1, "why": "the second ones are in tests/scipy"}
_SYMMETRIC = {
    "why": "SciPy takes Hermitian matrices alone, which a direction is not",
    "argnums": (0, 1, 4),
    "in_programs": False,
}
for _name in ("continuous_riccati", "discrete_riccati"):
    case(
        _name,
        variant(
            _THREE,
            (3, 2),
            Input((3, 3), POSITIVE_DEFINITE),
            Input((2, 2), POSITIVE_DEFINITE),
            Input((3, 2), OPEN_UNIT),
        ),
        skip={**_BY_JVP, "batch": "so many axes of so many inputs: see test_equations.py"},
        dtypes=("float64",),
        order=1,
        is_slow=True,
        **_SYMMETRIC,
    )
_SLOW = dict.fromkeys(
    ("batch", "vjp", "transpose", "second order", "traits"), "SciPy takes milliseconds for each"
)
case("expm", variant(_PAIR), variant(_EMPTY), dtypes=("float64",), **_BY_SCIPY)
case("sqrtm", variant(_PAIR), variant(_EMPTY), dtypes=("float64",), **_BY_SCIPY, skip=_BY_JVP)
case("logm", variant(_SINGLE), dtypes=("float64",), skip=_SLOW, **_BY_SCIPY)
case(
    "fractional_matrix_power",
    variant(_SINGLE, t=-1.3),
    dtypes=("float64",),
    skip=_SLOW,
    **_BY_SCIPY,
)
case(
    "frechet",
    variant(Input((2, 2), _STABLE), (2, 2), function="expm"),
    variant(_EMPTY, (0, 0), function="expm"),
    dtypes=("float64",),
    is_slow=True,
    **_BY_SCIPY,
)
_NEARLY_DIAGONAL = Domain(
    "NEARLY_DIAGONAL",
    lambda rng, s, d: rng.uniform(-0.1, 0.1, s) + np.eye(*s[-2:]) * np.arange(1, s[-1] + 1),
)
_BANDS = Domain(
    "BANDS",
    lambda rng, s, d: rng.uniform(-0.5, 0.5, s) + 3 * (np.arange(s[-2]) == 0)[:, None],
)
case(
    "banded_solve",
    variant(Input((3, 4), _BANDS), (4, 2), lower=2, upper=0),
    variant(Input((2, 2, 3), _BANDS), (2, 3, 1), lower=1, upper=0),
    variant((2, 1), (1, 2), lower=0, upper=1),
    variant((1, 0), (0, 2), lower=0, upper=0),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
case(
    "hermitian_banded_solve",
    variant(Input((3, 4), _BANDS), (4, 2), lower=2, upper=0),
    variant(Input((2, 2, 3), _BANDS), (2, 3, 1), lower=1, upper=0),
    variant(Input((1, 1), _BANDS), (1, 2), lower=0, upper=0),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
_TOEPLITZ = Domain(
    "TOEPLITZ",
    lambda rng, s, d: rng.uniform(-0.5, 0.5, s) + 3 * (np.arange(s[-1]) == 0),
)
case(
    "toeplitz_solve",
    variant(Input((2, 4), _TOEPLITZ), (4, 2)),
    variant(Input((2, 2, 3), _TOEPLITZ), (2, 3, 1)),
    variant(Input((2, 1), _TOEPLITZ), (1, 2)),
    variant((2, 0), (0, 2)),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
case(
    "commutator",
    variant(Input((3, 3), _STABLE), (3, 3), transposed=False),
    variant(Input((2, 2, 2), _STABLE), (2, 2, 2), transposed=True),
    variant(_SINGLE, (1, 1), transposed=False),
    variant(_EMPTY, (0, 0), transposed=False),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
case(
    "trigonometric_transform",
    variant((4,), function="dct", type=2),
    variant((2, 3), function="dst", type=3),
    variant((2, 2), function="dct", type=1),
    variant((3, 1), function="dst", type=4),
    dtypes=COMPLEX,
    **_WHOLE_PROGRAMS,
)
_FILTER = Domain("FILTER", lambda rng, s, d: rng.uniform(-0.2, 0.2, s) + (np.arange(s[-1]) == 0))
"""Coefficients of filters that forget."""
case(
    "recursion",
    variant(Input((3,), _FILTER), (6,)),
    variant(Input((2,), _FILTER), (2, 4)),
    variant(Input((2, 2), _FILTER), (2, 3)),
    variant(Input((3,), _FILTER), (1,)),
    variant(Input((2,), _FILTER), (2, 0)),
    dtypes=COMPLEX,
    **_WHOLE_PROGRAMS,
)
_INDICES, _INDPTR = Input(value=np.array([0, 2, 1])), Input(value=np.array([0, 2, 2, 3]))
case(
    "sparse_product",
    variant((3,), _INDICES, _INDPTR, (4, 2), shape=(3, 4), transposed=False),
    variant((3,), _INDICES, _INDPTR, (3, 1), shape=(3, 4), transposed=True),
    dtypes=COMPLEX,
    **_WHOLE_PROGRAMS,
)
_ON = {"domain": POSITIVE, "shape": (4,)}
_AT, _FROM = Input(value=np.array([0, 2, 1, 2])), Input(value=np.array([0, 2, 3, 4]))
case(
    "sparse_solve",
    variant(Input(**_ON), _AT, _FROM, (3, 2), shape=(3, 3), transposed=False),
    variant(Input(**_ON), _AT, _FROM, (3, 1), shape=(3, 3), transposed=True),
    dtypes=COMPLEX,
    skip=_BY_VJP,
    **_WHOLE_PROGRAMS,
)
case(
    "schur",
    variant(Input((3, 3), _NEARLY_DIAGONAL)),
    variant(_SINGLE),
    variant(_EMPTY),
    dtypes=("float64",),
    skip=_BY_JVP,
    **_WHOLE_PROGRAMS,
)
case(
    "hessenberg",
    variant(Input((4, 4), REALS)),
    variant(_SINGLE),
    variant(_EMPTY),
    dtypes=("float64",),
    skip=_BY_JVP,
    **_WHOLE_PROGRAMS,
)
