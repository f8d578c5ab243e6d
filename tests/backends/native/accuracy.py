"""How exact the native backend's mathematical functions are.

``python -m tests.backends.native.accuracy [names]`` prints the greatest error of each function at
ten million points, in units in the last place, beside extended precision (on x86; elsewhere there
may be none).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

from functrace.backends.native.mathematics import FUNCTIONS
from tests.backends.native.loops import extended, run

BOUND = {np.float64: 2.0, np.float32: 4.0}
"""Units in the last place."""


class Domain(NamedTuple):
    """Where a function of one argument is sampled.

    Attributes:
        float64: The range of finite results, without a flag.
        float32: The same, if it is another.
        usual: A range of which more points are drawn.
    """

    float64: tuple[float, float]
    float32: tuple[float, float]
    usual: tuple[float, float]


_WHOLE = (-1.7e308, 1.7e308), (-3.4e38, 3.4e38)
_POSITIVE = (0.0, 1.7e308), (0.0, 3.4e38)
_TURNS = (-(2.0**30), 2.0**30), (-(2.0**16), 2.0**16)

DOMAINS = {
    "exp": Domain((-745.0, 709.7), (-103.0, 88.7), (-5, 5)),
    "exp2": Domain((-1074.0, 1023.9), (-149.0, 127.9), (-5, 5)),
    "expm1": Domain((-800.0, 709.7), (-110.0, 88.7), (-2, 2)),
    "sinh": Domain((-710.1, 710.1), (-88.9, 88.9), (-2, 2)),
    "cosh": Domain((-710.1, 710.1), (-88.9, 88.9), (-2, 2)),
    "tanh": Domain(*_WHOLE, (-2, 2)),
    "expit": Domain((-745.0, 1e308), (-103.0, 1e38), (-5, 5)),
    "log": Domain(*_POSITIVE, (0.3, 4)),
    "log2": Domain(*_POSITIVE, (0.3, 4)),
    "log10": Domain(*_POSITIVE, (0.3, 4)),
    "log1p": Domain((-1.0, 1.7e308), (-1.0, 3.4e38), (-0.9, 2)),
    "sin": Domain(*_TURNS, (-10, 10)),
    "cos": Domain(*_TURNS, (-10, 10)),
    "tan": Domain(*_TURNS, (-10, 10)),
    "arcsin": Domain((-1, 1), (-1, 1), (-1, 1)),
    "arccos": Domain((-1, 1), (-1, 1), (-1, 1)),
    "arctan": Domain((-7e307, 7e307), (-1.4e38, 1.4e38), (-4, 4)),
    "arctan2": Domain((-7e307, 7e307), (-1.4e38, 1.4e38), (-4, 4)),
    "arcsinh": Domain((-1e308, 1e308), (-2e38, 2e38), (-3, 3)),
    "arccosh": Domain((1.0, 1e308), (1.0, 2e38), (1, 3)),
    "arctanh": Domain((-1, 1), (-1, 1), (-1, 1)),
    "hypot": Domain((-1e308, 1e308), (-2e38, 2e38), (-4, 4)),
    "cbrt": Domain(*_WHOLE, (-4, 4)),
    "erf": Domain(*_WHOLE, (-3, 3)),
    "erfc": Domain((-1e308, 27.2), (-1e38, 10.05), (-3, 6)),
    "gammaln": Domain((0.0, 2.5e305), (0.0, 4e36), (0.5, 12)),
    "logaddexp": Domain((0, 1.7e308), (0, 3.4e38), (0, 6)),
    "logaddexp2": Domain((0, 1.7e308), (0, 3.4e38), (0, 6)),
    "fmod": Domain(*_WHOLE, (-9, 9)),
    "remainder": Domain(*_WHOLE, (-9, 9)),
    "floor_divide": Domain(*_WHOLE, (-9, 9)),
    "pow": Domain(*_POSITIVE, (0, 10)),
}

MPMATH: dict[str, Callable[..., Any]] = {
    "exp2": lambda x: mp.power(2, x),
    "expit": lambda x: 1 / (1 + mp.exp(-x)),
    "log2": lambda x: mp.log(x, 2),
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "cbrt": lambda x: mp.cbrt(abs(x)) * mp.sign(x),
    "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
    "logaddexp2": lambda x, y: max(x, y) + mp.log(1 + mp.power(2, -abs(x - y)), 2),
    "gammaln": mp.loggamma,
    "fmod": lambda x, y: abs(x) % abs(y) * mp.sign(x),
    "remainder": lambda x, y: x % y,
    "floor_divide": lambda x, y: mp.floor(x / y),
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "arctan2": mp.atan2,
    "pow": mp.power,
}
"""Where its name is not ours."""

NAMES = {"pow": "power"}
"""NumPy's, where they are not ours."""

NUMPY: dict[str, Callable[..., Any]] = {
    "erf": extended("erfl"),
    "erfc": extended("erfcl"),
    "gammaln": extended("lgammal"),
    "expit": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-abs(x))),
}
"""In extended precision, where NumPy has no function of this name."""


def samples(name: str, dtype: Any, count: int, rng: np.random.Generator) -> list[Any]:
    """Arguments: half of them of the usual range, half of any size, small ones included."""
    domain = DOMAINS[name]
    low, high = domain.float64 if dtype == np.float64 else domain.float32
    info = np.finfo(dtype)
    least = np.log2(float(info.smallest_subnormal))

    def drawn() -> Any:
        usual = rng.uniform(*domain.usual, count // 2)
        greatest = np.log2(max(abs(low), abs(high)))
        sizes = np.exp2(rng.uniform(least, greatest, count - count // 2))
        signed = np.where(rng.random(sizes.size) < 0.5, sizes, -sizes)
        if low >= 0:
            signed = np.abs(signed)
        # What is too far on the shorter side is as good on the other one.
        signed = np.where((signed < low) | (signed > high), -signed, signed)
        values = np.concatenate([usual, signed]).astype(dtype)
        return values[(values >= low) & (values <= high) & (np.isfinite(values))]

    arguments = [drawn() for _ in range(FUNCTIONS[name].__code__.co_argcount)]
    if len(arguments) == 2:
        rng.shuffle(arguments[1])
    if name in {"fmod", "remainder", "floor_divide"}:
        ratios = np.exp2(rng.uniform(-9, info.nmant - 1, arguments[0].size)).astype(dtype)
        with np.errstate(all="ignore"):
            arguments[1] = arguments[0] / np.where(rng.random(ratios.size) < 0.5, ratios, -ratios)
            exact = abs(arguments[0] / arguments[1]) < 2.0**info.nmant
        arguments[1][~exact] = np.inf  # which is left out below
    if name == "pow":  # exponents of which the power is neither zero nor infinite
        log = np.log2(arguments[0].astype(np.float64))
        greatest = -np.log2(float(info.tiny)) * 1.02
        with np.errstate(divide="ignore"):
            arguments[1] = (rng.uniform(-greatest, greatest, log.size) / log).astype(dtype)
    keep = np.isfinite(arguments[-1]) & (arguments[-1] != 0)
    return [x[keep] for x in arguments]


def errors(result: Any, true: Any) -> Any:
    """In units in the last place of the true values, which are more exact than the results."""
    near = np.abs(true.astype(result.dtype))
    ulp = np.spacing(np.minimum(near, np.finfo(result.dtype).max))
    with np.errstate(invalid="ignore"):
        return np.abs(result.astype(true.dtype) - true) / ulp.astype(true.dtype)


def greatest_error(name: str, dtype: Any, count: int, rng: np.random.Generator) -> float:
    """Of so many points, beside extended precision."""
    arguments = samples(name, dtype, count, rng)
    result, _ = run(name, *arguments)
    f = NUMPY.get(name) or getattr(np, NAMES.get(name, name))
    with np.errstate(all="ignore"):
        true = f(*[x.astype(np.longdouble) for x in arguments])
        finite = np.isfinite(true.astype(dtype))
    return float(errors(result[finite], true[finite]).max())


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    sys.stdout.write("| | float64 | float32 |\n|---|---|---|\n")
    for name in sys.argv[1:] or sorted(FUNCTIONS):
        worst = []
        for dtype in (np.float64, np.float32):
            parts = [greatest_error(name, dtype, 500_000, rng) for _ in range(20)]
            worst.append(f"{max(parts):.2f}")
        sys.stdout.write(f"| `{name}` | {' | '.join(worst)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
