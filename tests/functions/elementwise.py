"""Rows of functions of each element: ufuncs, and what is made of them."""

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
from tests.functions.rows import call, constant, elementwise, known, row

# Arithmetic

elementwise("np.add", REALS, REALS)
elementwise("np.subtract", REALS, REALS)
elementwise("np.multiply", REALS, REALS)
elementwise("np.divide", REALS, REALS)
elementwise("np.remainder", BETWEEN_WHOLE, WHOLE_NONZERO)
elementwise("np.fmod", BETWEEN_WHOLE, WHOLE_NONZERO)
elementwise("np.negative", REALS)
elementwise("np.positive", REALS)
elementwise("np.power", POSITIVE, REALS)
elementwise("np.square", REALS)
elementwise("np.reciprocal", REALS)
elementwise("np.sqrt", POSITIVE)
elementwise("np.cbrt", REALS)
elementwise("np.absolute", REALS)
elementwise("np.fabs", REALS)
elementwise("np.hypot", REALS, REALS)
elementwise("np.copysign", REALS, REALS)
row(
    "np.heaviside",
    call(REALS, REALS),
    call(Input(value=np.array([0.0, 1.0, -1.0])), REALS),
    argnums=(1,),
    why="jumps",
)

# Exponentials and logarithms

elementwise("np.exp", REALS)
elementwise("np.exp2", REALS)
elementwise("np.expm1", REALS)
elementwise("np.log", POSITIVE)
elementwise("np.log2", POSITIVE)
elementwise("np.log10", POSITIVE)
elementwise("np.log1p", OPEN_UNIT)
elementwise("np.logaddexp", REALS, REALS)
elementwise("np.logaddexp2", REALS, REALS)

# Trigonometric and hyperbolic functions

elementwise("np.sin", REALS)
elementwise("np.cos", REALS)
elementwise("np.tan", OPEN_UNIT)
elementwise("np.arcsin", OPEN_UNIT)
elementwise("np.arccos", OPEN_UNIT)
elementwise("np.arctan", OPEN_UNIT)
elementwise("np.arctan2", REALS, POSITIVE)
elementwise("np.sinh", REALS)
elementwise("np.cosh", REALS)
elementwise("np.tanh", OPEN_UNIT)
elementwise("np.arcsinh", OPEN_UNIT)
elementwise("np.arccosh", ABOVE_ONE)
elementwise("np.arctanh", OPEN_UNIT)
elementwise("np.deg2rad", REALS)
elementwise("np.rad2deg", REALS)

# Choices

_INFINITE = Input(value=np.array([np.inf, -np.inf, np.nan, 0.5]))
elementwise("np.conjugate", REALS)
elementwise("np.maximum", REALS, REALS)
elementwise("np.minimum", REALS, REALS)
elementwise("np.fmax", REALS, REALS)
elementwise("np.fmin", REALS, REALS)

elementwise("np.nextafter", REALS, REALS)

# Locally constant functions

constant("np.fix", call(BETWEEN_WHOLE))
constant("np.spacing", call(REALS))
constant("np.bitwise_count", call(INTEGERS))
constant("np.isposinf", call(REALS), call(_INFINITE))
constant("np.isneginf", call(REALS), call(_INFINITE))
constant("np.floor", call(BETWEEN_WHOLE))
constant("np.ceil", call(BETWEEN_WHOLE))
constant("np.trunc", call(BETWEEN_WHOLE))
constant("np.rint", call(BETWEEN_WHOLE))
constant("np.isfinite", call(REALS))
constant("np.isinf", call(REALS))
constant("np.isnan", call(REALS))
elementwise("np.sign", REALS)  # of complex numbers it is differentiable
constant("np.signbit", call(REALS))
constant("np.logical_and", call(REALS, REALS), call(BOOLEANS, INTEGERS))
constant("np.logical_or", call(REALS, REALS), call(BOOLEANS, INTEGERS))
constant("np.logical_xor", call(REALS, REALS), call(BOOLEANS, INTEGERS))
constant("np.logical_not", call(REALS), call(BOOLEANS))
constant("np.gcd", call(INTEGERS, INTEGERS))
constant("np.lcm", call(INTEGERS, INTEGERS))
constant("np.floor_divide", call(BETWEEN_WHOLE, WHOLE_NONZERO), call(INTEGERS, NATURALS))
constant("np.less", call(REALS, REALS), call(INTEGERS, REALS), call(BOOLEANS, BOOLEANS))
constant("np.less_equal", call(REALS, REALS), call(INTEGERS, REALS), call(BOOLEANS, BOOLEANS))
constant("np.greater", call(REALS, REALS), call(INTEGERS, REALS), call(BOOLEANS, BOOLEANS))
constant("np.greater_equal", call(REALS, REALS), call(INTEGERS, REALS), call(BOOLEANS, BOOLEANS))
constant("np.equal", call(REALS, REALS), call(INTEGERS, INTEGERS))
constant("np.not_equal", call(REALS, REALS), call(INTEGERS, INTEGERS))
constant("np.bitwise_and", call(INTEGERS, INTEGERS), call(BOOLEANS, BOOLEANS))
constant("np.bitwise_or", call(INTEGERS, INTEGERS), call(BOOLEANS, BOOLEANS))
constant("np.bitwise_xor", call(INTEGERS, INTEGERS), call(BOOLEANS, BOOLEANS))
constant("np.invert", call(INTEGERS), call(BOOLEANS))
constant("np.left_shift", call(INTEGERS, NATURALS))
constant("np.right_shift", call(INTEGERS, NATURALS))
elementwise("np.float_power", POSITIVE, REALS)
elementwise("np.radians", REALS)
elementwise("np.degrees", REALS)
row("np.divmod", call(BETWEEN_WHOLE, WHOLE_NONZERO), call(INTEGERS, NATURALS))

# Not ufuncs

known("np.real_if_close", call(Input((2, 3), REALS, dtype="complex128")))

row("np.real", call(REALS), call(Input((2, 3), REALS, dtype="complex128")))
row("np.imag", call(REALS), call(Input((2, 3), REALS, dtype="complex128")))
row("np.angle", call(POSITIVE), call(Input((2, 3), POSITIVE, dtype="complex128"), deg=True))
row(
    "np.clip",
    call(DISTINCT, -0.33, 0.4),
    call((2, 3), (3,), 1.5),
    call((2, 3), max=0.45),
    since="2.1",
)
row("np.nan_to_num", call(REALS), call(Input(value=np.array([np.nan, np.inf, 2.0])), nan=1.5))
row("np.where", call(BOOLEANS, REALS, REALS), call(Input((2, 3), BOOLEANS), (3,), 0.0))
constant("np.round", call(BETWEEN_WHOLE), call(BETWEEN_WHOLE, decimals=-1))
constant("np.around", call(BETWEEN_WHOLE), call(BETWEEN_WHOLE, decimals=-1))
row(
    "np.astype",
    call(REALS, np.float64),
    call((2, 3), np.complex128),
    call((2, 3), "int32"),
    since="2.1",
)
row("np.modf", call(BETWEEN_WHOLE))
row("np.frexp", call(REALS))
row("np.ldexp", call(REALS, NATURALS))
