"""Names of NumPy's that are still to be written."""

from __future__ import annotations

from tests.functions.decisions import missing

missing(
    "cumprod cumulative_prod frexp ldexp modf nancumprod nancumsum poly1d ",
)
missing(
    "eig eigvals lstsq matrix_transpose ",
    "np.linalg.",
)
missing(
    "cumprod ",
    "ndarray.",
)
missing(
    "absolute.at arccos.at arccosh.at arcsin.at arcsinh.at arctan.at arctan2.at arctanh.at "
    "bitwise_and.at bitwise_count.at bitwise_or.at bitwise_xor.at cbrt.at ceil.at "
    "conjugate.at copysign.at cos.at cosh.at deg2rad.at degrees.at divide.at equal.at exp.at "
    "exp2.at expm1.at fabs.at float_power.at floor.at floor_divide.at fmax.at fmin.at fmod.at "
    "gcd.at greater.at greater_equal.at heaviside.at hypot.at invert.at isfinite.at isinf.at "
    "isnan.at isnat.at lcm.at ldexp.at left_shift.at less.at less_equal.at log.at log10.at "
    "log1p.at log2.at logaddexp.at logaddexp2.at logical_and.at logical_not.at logical_or.at "
    "logical_xor.at maximum.at minimum.at multiply.at negative.at nextafter.at not_equal.at "
    "positive.at power.at rad2deg.at radians.at reciprocal.at remainder.at right_shift.at "
    "rint.at sign.at signbit.at sin.at sinh.at spacing.at sqrt.at square.at subtract.at "
    "tan.at tanh.at trunc.at ",
)
missing(
    "bitwise_and.outer bitwise_or.outer bitwise_xor.outer copysign.outer divmod.outer "
    "equal.outer float_power.outer floor_divide.outer fmax.outer fmin.outer fmod.outer "
    "gcd.outer greater.outer greater_equal.outer heaviside.outer lcm.outer ldexp.outer "
    "left_shift.outer less.outer less_equal.outer logaddexp2.outer logical_and.outer "
    "logical_or.outer logical_xor.outer maximum.outer minimum.outer nextafter.outer "
    "not_equal.outer remainder.outer right_shift.outer ",
)
missing(
    "arctan2.accumulate bitwise_and.accumulate bitwise_or.accumulate bitwise_xor.accumulate "
    "copysign.accumulate divide.accumulate equal.accumulate float_power.accumulate "
    "floor_divide.accumulate fmax.accumulate fmin.accumulate fmod.accumulate gcd.accumulate "
    "greater.accumulate greater_equal.accumulate heaviside.accumulate hypot.accumulate "
    "lcm.accumulate ldexp.accumulate left_shift.accumulate less.accumulate "
    "less_equal.accumulate logaddexp.accumulate logaddexp2.accumulate logical_and.accumulate "
    "logical_or.accumulate logical_xor.accumulate maximum.accumulate minimum.accumulate "
    "multiply.accumulate nextafter.accumulate not_equal.accumulate power.accumulate "
    "remainder.accumulate right_shift.accumulate subtract.accumulate ",
)
missing(
    "add.reduceat arctan2.reduceat bitwise_and.reduceat bitwise_or.reduceat "
    "bitwise_xor.reduceat copysign.reduceat divide.reduceat equal.reduceat "
    "float_power.reduceat floor_divide.reduceat fmax.reduceat fmin.reduceat fmod.reduceat "
    "gcd.reduceat greater.reduceat greater_equal.reduceat heaviside.reduceat hypot.reduceat "
    "lcm.reduceat ldexp.reduceat left_shift.reduceat less.reduceat less_equal.reduceat "
    "logaddexp.reduceat logaddexp2.reduceat logical_and.reduceat logical_or.reduceat "
    "logical_xor.reduceat maximum.reduceat minimum.reduceat multiply.reduceat "
    "nextafter.reduceat not_equal.reduceat power.reduceat remainder.reduceat "
    "right_shift.reduceat subtract.reduceat ",
)
missing(
    "arctan2.reduce bitwise_and.reduce bitwise_or.reduce bitwise_xor.reduce copysign.reduce "
    "divide.reduce equal.reduce float_power.reduce floor_divide.reduce fmax.reduce "
    "fmin.reduce fmod.reduce gcd.reduce greater.reduce greater_equal.reduce heaviside.reduce "
    "hypot.reduce lcm.reduce ldexp.reduce left_shift.reduce less.reduce less_equal.reduce "
    "logaddexp2.reduce logical_xor.reduce nextafter.reduce not_equal.reduce power.reduce "
    "remainder.reduce right_shift.reduce subtract.reduce ",
)
