"""Rows of methods of ufuncs."""

from __future__ import annotations

import numpy as np

from tests.cases import (
    ABOVE_ONE,
    BETWEEN_WHOLE,
    BOOLEANS,
    DISTINCT,
    INTEGERS,
    NATURALS,
    OPEN_UNIT,
    POSITIVE,
    REALS,
    WHOLE_NONZERO,
    Input,
)
from tests.functions.decisions import plain
from tests.functions.rows import ROWS, call, constant, given, row

row(
    "np.add.reduce",
    call((2, 3)),
    call((2, 3), axis=1, keepdims=True),
    call((2, 3), axis=None, initial=1.5),
)
row("np.multiply.reduce", call((2, 3)), call((2, 3), axis=1, keepdims=True))
row("np.maximum.reduce", call(Input((2, 3), DISTINCT)), call(Input((2, 3), DISTINCT), axis=1))
row("np.minimum.reduce", call(Input((2, 3), DISTINCT)), call(Input((2, 3), DISTINCT), axis=1))
row("np.logaddexp.reduce", call((2, 3)), call((2, 3), axis=1))
constant("np.logical_and.reduce", call((2, 3)), call(Input((2, 3), BOOLEANS), axis=1))
constant("np.logical_or.reduce", call((2, 3)), call(Input((2, 3), BOOLEANS), axis=1))
row("np.add.accumulate", call((2, 3)), call((2, 3), axis=1))
row(
    "np.add.at",
    call((4,), Input(value=np.array([2, 0, 2])), (3,)),
    call((2, 3), given((slice(None), np.array([0, 0]))), (2, 2)),
    writes=True,
)

# Every other method that NumPy does not refuse

_FEW = {"dtypes": ("float32", "int64")}
_INDEX = Input(value=np.array([2, 0, 2]))
_ONCE = Input(value=np.array([2, 0]))
_DIFFERENTIABLE = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "arctan2", "hypot"), (REALS, REALS)),
    **dict.fromkeys(("logaddexp", "logaddexp2", "copysign"), (REALS, REALS)),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin"), (DISTINCT, DISTINCT)),
    **dict.fromkeys(("power", "float_power"), (POSITIVE, POSITIVE)),
    **dict.fromkeys(("remainder", "fmod"), (BETWEEN_WHOLE, WHOLE_NONZERO)),
    "nextafter": (REALS, REALS),
}
_CONSTANT = {
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), (BOOLEANS, BOOLEANS)),
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal"), (BOOLEANS, BOOLEANS)),
    **dict.fromkeys(("greater", "greater_equal"), (BOOLEANS, BOOLEANS)),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), (INTEGERS, INTEGERS)),
    **dict.fromkeys(("gcd", "lcm"), (INTEGERS, INTEGERS)),
    **dict.fromkeys(("left_shift", "right_shift"), (NATURALS, NATURALS)),
    "floor_divide": (BETWEEN_WHOLE, WHOLE_NONZERO),
    "heaviside": (REALS, REALS),
}
_ENDS = ("accumulate", "reduceat", "at")
"""Methods that leave the first elements, or the other ones, as they are."""
_UNORDERED = dict.fromkeys(
    ("batch", "dtypes", "shapes", "layout"),
    "NumPy's vectorized loops of power and arctan2 combine in an order of their own",
)
for _enter, _ufuncs in ((row, _DIFFERENTIABLE), (constant, _CONSTANT)):
    for _name, (_first, _second) in _ufuncs.items():
        _few = _FEW | {"skip": _UNORDERED} if _name in ("power", "arctan2") else _FEW
        for _method, _calls in (
            ("reduce", [call(Input((3, 2), _first)), call(Input((2, 3), _first), axis=1)]),
            ("accumulate", [call(Input((3, 2), _first)), call(Input((2, 3), _first), axis=1)]),
            ("reduceat", [call(Input((4, 2), _first), [0, 2] if "skip" in _few else [0, 2, 1])]),
            ("outer", [call(Input((2,), _first), Input((3,), _second))]),
            ("at", [call(Input((4,), _first), _INDEX, Input((3,), _second))]),
        ):
            _own = row if _method in _ENDS and _first.kind == "f" else _enter
            _calls = _calls[:1] if "skip" in _few else _calls
            if f"np.{_name}.{_method}" not in ROWS:
                _own(f"np.{_name}.{_method}", *_calls, writes=_method == "at", **_few)

_UNARY = {
    **dict.fromkeys(("sqrt", "log", "log2", "log10", "sign"), POSITIVE),
    **dict.fromkeys(("arcsin", "arccos", "arctanh", "log1p", "tan"), OPEN_UNIT),
    **dict.fromkeys(("floor", "ceil", "trunc", "rint"), BETWEEN_WHOLE),
    "arccosh": ABOVE_ONE,
    "bitwise_count": INTEGERS,
    "invert": INTEGERS,
    "logical_not": BOOLEANS,
    **dict.fromkeys(("isfinite", "isinf", "isnan", "signbit"), REALS),
}
for _name in (
    "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "bitwise_count",
    "cbrt", "ceil", "conjugate", "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1",
    "fabs", "floor", "invert", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2",
    "logical_not", "negative", "positive", "rad2deg", "radians", "reciprocal", "rint", "sign",
    "signbit", "sin", "sinh", "spacing", "sqrt", "square", "tan", "tanh", "trunc",
):  # fmt: skip
    _domain = _UNARY.get(_name, REALS)
    _enter = row if _domain.kind == "f" else constant
    _enter(f"np.{_name}.at", call(Input((4,), _domain), _ONCE), writes=True, **_FEW)
row("np.divmod.outer", call(Input((2,), BETWEEN_WHOLE), Input((3,), WHOLE_NONZERO)), **_FEW)
row("np.ldexp.outer", call(Input((2,), REALS), Input((3,), NATURALS)), dtypes=("float32",))
row("np.ldexp.at", call(Input((4,), REALS), _INDEX, Input((3,), NATURALS)), writes=True, dtypes=())
plain(
    "NumPy's own is an error: its operands are of two kinds",
    "ldexp.reduce ldexp.accumulate ldexp.reduceat",
)
plain("of dates, which are never traced", "isnat.at")
