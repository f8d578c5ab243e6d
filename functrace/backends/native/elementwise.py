"""How each elementwise primitive is computed of numbers in registers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.backends.native.mathematics import FUNCTIONS
from functrace.backends.native.writing import REGISTERS, Writer, literal, register_type
from functrace.ir.program import Constant, Equation
from functrace.ir.types import ArrayType
from functrace.primitives.elementwise import Elementwise, Power, input_dtypes, select

DType = np.dtype[Any]

Numbers = Callable[[Writer, DType, Sequence[str]], str]
"""Writes what computes a primitive: of the dtype of its inputs, and these."""

BOOLEAN = np.dtype(bool)


def converted(write: Writer, value: str, source: DType, target: DType) -> str | None:
    """A number in another dtype, as NumPy converts it; None where that is not written here."""
    if source == target:
        return value
    old, new = register_type(source), register_type(target)
    kinds = source.kind + target.kind
    if kinds == "ff":
        word = "fpext" if target.itemsize > source.itemsize else "fptrunc"
        return write.let(f"{word} {old} {value} to {new}")
    if target.kind == "f" and source.kind in "biu":
        word = "sitofp" if source.kind == "i" else "uitofp"
        return write.let(f"{word} {old} {value} to {new}")
    if target.kind == "b":
        if source.kind == "f":
            return write.let(f"fcmp une {old} {value}, 0.0")
        return write.let(f"icmp ne {old} {value}, 0")
    if source.kind in "biu" and target.kind in "iu":
        if target.itemsize == source.itemsize and source.kind != "b":
            return value
        if target.itemsize < source.itemsize:
            return write.let(f"trunc {old} {value} to {new}")
        word = "sext" if source.kind == "i" else "zext"
        return write.let(f"{word} {old} {value} to {new}")
    return None  # of floating point to integers, where NumPy's result depends on the machine


def is_known(dtype: DType) -> bool:
    """Whether numbers of this dtype are held in registers, in the byte order of the machine."""
    return dtype.isnative and dtype.name in REGISTERS


def loop_dtypes(primitive: Elementwise, types: Sequence[ArrayType]) -> Sequence[DType]:
    """The dtypes to which the inputs are converted."""
    return input_dtypes(primitive.ufunc, primitive.operands(types))


def computes(equation: Equation) -> bool:
    """Whether an elementwise operation can be written here."""
    primitive = equation.primitive
    types = [atom.type for atom in equation.inputs]
    dtypes = [type.dtype for type in types] + [v.type.dtype for v in equation.outputs]
    if not all(map(is_known, dtypes)):
        return False
    if primitive is select:
        return all(_converts(type.dtype, equation.outputs[0].type.dtype) for type in types[1:])
    if primitive.name in ("cast", "cast_to_whole"):
        return _converts(types[0].dtype, equation.params["dtype"])
    if not isinstance(primitive, Elementwise):
        return False
    output = equation.outputs[0].type
    if output.weak and output.dtype.kind != "f":
        return False  # Python's integers have no end
    if isinstance(primitive, Power):
        return _computes_power(equation)
    wanted = loop_dtypes(primitive, types)
    if not all(is_known(dtype) for dtype in wanted):
        return False
    if not all(_converts(type.dtype, d) for type, d in zip(types, wanted, strict=True)):
        return False
    if any(
        t.weak and not _holds(x, d) for x, t, d in zip(equation.inputs, types, wanted, strict=True)
    ):
        return False
    kinds = {"b": BOOLEANS, "i": WHOLE, "u": WHOLE, "f": REAL}[wanted[0].kind]
    if len(set(wanted)) > 1 or primitive.name not in kinds:
        return False

    return equation.outputs[0].type.dtype in (wanted[0], BOOLEAN)


def _holds(atom: Any, dtype: DType) -> bool:
    """Whether Python's number is certain to fit into a dtype: NumPy refuses one that does not."""
    if dtype.kind == "f" and atom.type.dtype.kind == "f":
        return True
    if isinstance(atom, Constant):
        try:
            return bool(np.asarray(atom.value).astype(dtype) == atom.value)
        except (OverflowError, ValueError):
            return False
    return dtype.itemsize >= 8 or atom.type.dtype.kind == "b"


def _converts(source: DType, target: DType) -> bool:
    return source == target or target.kind in "fb" or source.kind in "biu"


def _computes_power(equation: Equation) -> bool:
    base, exponent = equation.inputs
    output = equation.outputs[0].type
    if output.dtype.kind != "f" or output.weak:
        return False
    return base.type.dtype.kind in "fbiu" and exponent.type.dtype.kind in "fbiu"


def compute(write: Writer, equation: Equation, operands: Sequence[str]) -> str:
    """Write an elementwise operation on numbers.

    Args:
        write: The function.
        equation: The operation, for which `computes` holds.
        operands: The numbers, of the dtypes of the inputs.

    Returns:
        The result.
    """
    primitive = equation.primitive
    types = [atom.type for atom in equation.inputs]
    output = equation.outputs[0].type.dtype
    if primitive is select:
        x, y = (_convert(write, operands[n], types[n].dtype, output) for n in (1, 2))
        condition = _convert(write, operands[0], types[0].dtype, BOOLEAN)
        kind = register_type(output)
        return write.let(f"select i1 {condition}, {kind} {x}, {kind} {y}")
    if primitive.name in ("cast", "cast_to_whole"):
        return _convert(write, operands[0], types[0].dtype, output)
    assert isinstance(primitive, Elementwise)
    if isinstance(primitive, Power):
        given = [
            _convert(write, x, type.dtype, output) for x, type in zip(operands, types, strict=True)
        ]
        return _power(write, output, given, equation.inputs[1])
    wanted = loop_dtypes(primitive, types)
    given = [
        _convert(write, x, type.dtype, dtype)
        for x, type, dtype in zip(operands, types, wanted, strict=True)
    ]
    dtype = wanted[0]
    table = {"b": BOOLEANS, "i": WHOLE, "u": WHOLE, "f": REAL}[dtype.kind]
    return table[primitive.name](write, dtype, given)


def _convert(write: Writer, value: str, source: DType, target: DType) -> str:
    if not value.startswith("%"):
        # A literal is written anew: it is the same number.
        pass
    found = converted(write, value, source, target)
    assert found is not None
    return found


def _power(write: Writer, dtype: DType, given: Sequence[str], exponent: Any) -> str:
    """``x ** y``; NumPy computes those of some exponents as products, and so on."""
    base, power = given
    kind = register_type(dtype)
    value = exponent.value if isinstance(exponent, Constant) else None
    known = None if value is None or np.shape(value) else float(value)
    if known == 2:
        return write.let(f"fmul contract {kind} {base}, {base}")
    if known == 1:
        return base
    if known == 0.5:
        return _intrinsic("sqrt")(write, dtype, [base])
    if known == -1:
        return write.let(f"fdiv {kind} {literal(1, dtype)}, {base}")
    if known == 3:
        squared = write.let(f"fmul contract {kind} {base}, {base}")
        return write.let(f"fmul contract {kind} {squared}, {base}")
    return _function("pow")(write, dtype, [base, power])


# Ways to write


def _binary(word: str) -> Numbers:
    """One of LLVM's instructions for two numbers."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        return write.let(f"{word} {register_type(dtype)} {given[0]}, {given[1]}")

    return numbers


def _comparison(ordered: str, signed: str, unsigned: str) -> Numbers:
    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        word = {"f": f"fcmp {ordered}", "i": f"icmp {signed}"}.get(dtype.kind, f"icmp {unsigned}")
        return write.let(f"{word} {register_type(dtype)} {given[0]}, {given[1]}")

    return numbers


def _intrinsic(name: str) -> Numbers:
    """One of LLVM's own functions of numbers of one type."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        kind = register_type(dtype)
        suffix = f"f{8 * dtype.itemsize}" if dtype.kind == "f" else kind
        return write.call(f"llvm.{name}.{suffix}", kind, *((kind, x) for x in given))

    return numbers


def _function(name: str) -> Numbers:
    """One of the functions of `mathematics`."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        kind = register_type(dtype)
        write.functions.add((name, kind))
        arguments = ", ".join(f"{kind} {x}" for x in given)
        return write.let(f"call {kind} @{name}.f{8 * dtype.itemsize}({arguments})")

    return numbers


def _composed(make: Callable[[Expressions], Callable[..., str]]) -> Numbers:
    """A function that is written with others."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        return make(Expressions(write, dtype))(*given)

    return numbers


class Expressions:
    """Numbers of one dtype, computed step by step."""

    def __init__(self, write: Writer, dtype: DType) -> None:
        self.write = write
        self.dtype = dtype
        self.kind = register_type(dtype)

    def number(self, value: Any) -> str:
        """A literal."""
        return literal(value, self.dtype)

    def __call__(self, word: str, *given: str) -> str:
        """An instruction."""
        return self.write.let(f"{word} {self.kind} {', '.join(given)}")

    def either(self, condition: str, x: str, y: str) -> str:
        """One of two numbers."""
        kind = self.kind
        return self.write.let(f"select i1 {condition}, {kind} {x}, {kind} {y}")

    def both(self, x: str, y: str) -> str:
        """Whether both are true."""
        return self.write.let(f"and i1 {x}, {y}")

    def any(self, x: str, y: str) -> str:
        """Whether one of them is true."""
        return self.write.let(f"or i1 {x}, {y}")

    def of(self, name: str, *given: str) -> str:
        """Another function of this module."""
        table = {"b": BOOLEANS, "f": REAL}.get(self.dtype.kind, WHOLE)
        return table[name](self.write, self.dtype, given)

    def intrinsic(self, name: str, *given: str) -> str:
        """One of LLVM's own functions."""
        return _intrinsic(name)(self.write, self.dtype, given)


def _or_zero(word: str) -> Callable[[Expressions], Callable[..., str]]:
    """A product or a quotient that is zero wherever the first number is."""

    def make(e: Expressions) -> Callable[..., str]:
        def numbers(x: str, y: str) -> str:
            zero, one = e.number(0), e.number(1)
            is_zero = e.write.let(f"fcmp oeq {e.kind} {x}, {zero}")
            wild = e.write.let(f"fcmp uno {e.kind} {y}, {zero}")
            wild = e.any(
                wild,
                e.of("isinf", y)
                if word == "fmul"
                else e.write.let(f"fcmp oeq {e.kind} {y}, {zero}"),
            )
            # What would be nan is not computed, so that the machine notes nothing.
            return e(word, x, e.either(e.both(is_zero, wild), one, y))

        return numbers

    return make


def _zero_product(e: Expressions) -> Callable[..., str]:
    def numbers(x: str, y: str) -> str:
        zero, one = e.number(0), e.number(1)
        first = e.write.let(f"fcmp oeq {e.kind} {x}, {zero}")
        second = e.write.let(f"fcmp oeq {e.kind} {y}, {zero}")
        product = e("fmul contract", e.either(second, one, x), e.either(first, one, y))
        return e.either(e.any(first, second), zero, product)

    return numbers


def _extreme(word: str) -> Callable[[Expressions], Callable[..., str]]:
    """The larger or the smaller number; nan if one of them is."""

    def make(e: Expressions) -> Callable[..., str]:
        def numbers(x: str, y: str) -> str:
            ahead = e.write.let(f"fcmp {word} {e.kind} {x}, {y}")
            isnan = e.write.let(f"fcmp uno {e.kind} {x}, {e.number(0)}")
            return e.either(e.any(ahead, isnan), x, y)

        return numbers

    return make


def _extreme_but_nan(word: str) -> Callable[[Expressions], Callable[..., str]]:
    """The larger or the smaller number; of a number and nan the number."""

    def make(e: Expressions) -> Callable[..., str]:
        def numbers(x: str, y: str) -> str:
            ahead = e.write.let(f"fcmp {word} {e.kind} {x}, {y}")
            isnan = e.write.let(f"fcmp uno {e.kind} {y}, {e.number(0)}")
            return e.either(e.any(ahead, isnan), x, y)

        return numbers

    return make


def _whole_extreme(name: str) -> Numbers:
    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        sign = "u" if dtype.kind == "u" else "s"
        return _intrinsic(f"{sign}{name}")(write, dtype, given)

    return numbers


def _sign(e: Expressions) -> Callable[..., str]:
    def numbers(x: str) -> str:
        zero, one = e.number(0), e.number(1)
        above = e.either(e.write.let(f"fcmp ogt {e.kind} {x}, {zero}"), one, x)
        below = e.write.let(f"fcmp olt {e.kind} {x}, {zero}")
        result = e.either(below, e.number(-1), above)
        flat = e.write.let(f"fcmp oeq {e.kind} {x}, {zero}")
        return e.either(flat, zero, result)

    return numbers


def _whole_sign(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    e = Expressions(write, dtype)
    (x,) = given
    above = write.let(f"icmp ne {e.kind} {x}, 0")
    positive = write.let(f"zext i1 {above} to {e.kind}")
    if dtype.kind == "u":
        return positive
    below = write.let(f"icmp slt {e.kind} {x}, 0")
    return e.either(below, e.number(-1), positive)


def _whole_absolute(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    if dtype.kind == "u":
        return given[0]
    kind = register_type(dtype)
    return write.call(f"llvm.abs.{kind}", kind, (kind, given[0]), ("i1", "false"))


def _shift(word: str) -> Numbers:
    """A shift; by as many places as there are, or more, NumPy leaves nothing but the sign."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        e = Expressions(write, dtype)
        x, places = given
        bits = 8 * dtype.itemsize
        small = write.let(f"icmp ult {e.kind} {places}, {bits}")
        safe = e.either(small, places, "0")
        if word == "shl":
            return e.either(small, e("shl", x, safe), "0")
        if dtype.kind == "u":
            return e.either(small, e("lshr", x, safe), "0")
        return e.either(small, e("ashr", x, safe), e("ashr", x, str(bits - 1)))

    return numbers


def _is(word: str, bound: float) -> Callable[[Expressions], Callable[..., str]]:
    """Whether the size of a number compares so with a bound."""

    def make(e: Expressions) -> Callable[..., str]:
        def numbers(x: str) -> str:
            size = e.intrinsic("fabs", x)
            return e.write.let(f"fcmp {word} {e.kind} {size}, {e.number(bound)}")

        return numbers

    return make


def _signbit(e: Expressions) -> Callable[..., str]:
    def numbers(x: str) -> str:
        whole = f"i{8 * e.dtype.itemsize}"
        bits = e.write.let(f"bitcast {e.kind} {x} to {whole}")
        return e.write.let(f"icmp slt {whole} {bits}, 0")

    return numbers


def _heaviside(e: Expressions) -> Callable[..., str]:
    def numbers(x: str, y: str) -> str:
        zero = e.number(0)
        above = e.either(e.write.let(f"fcmp ogt {e.kind} {x}, {zero}"), e.number(1), zero)
        flat = e.either(e.write.let(f"fcmp oeq {e.kind} {x}, {zero}"), y, above)
        return e.either(e.write.let(f"fcmp uno {e.kind} {x}, {zero}"), x, flat)

    return numbers


def _log_expit(e: Expressions) -> Callable[..., str]:
    def numbers(x: str) -> str:
        below = e.of("minimum", x, e.number(0))
        return e("fsub", below, e.of("log1p", e.of("exp", e("fneg", e.intrinsic("fabs", x)))))

    return numbers


def _times_log(name: str) -> Callable[[Expressions], Callable[..., str]]:
    """A product with a logarithm, which is zero wherever the first number is."""

    def make(e: Expressions) -> Callable[..., str]:
        def numbers(x: str, y: str) -> str:
            zero = e.number(0)
            is_zero = e.write.let(f"fcmp oeq {e.kind} {x}, {zero}")
            is_number = e.write.let(f"fcmp ord {e.kind} {y}, {zero}")
            # What is not finite is not computed there, so that the machine notes nothing.
            logarithm = e.of(name, e.either(e.both(is_zero, is_number), e.number(1), y))
            product = e("fmul contract", x, logarithm)
            return e.either(e.both(is_zero, is_number), zero, product)

        return numbers

    return make


def _ndtr(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    e = Expressions(write, np.dtype(np.float64))
    x = _convert(write, given[0], dtype, e.dtype)
    value = e.of("erfc", e("fmul contract", x, e.number(-math.sqrt(0.5))))
    return _convert(write, e("fmul contract", value, e.number(0.5)), e.dtype, dtype)


def _scaled(factor: float) -> Callable[[Expressions], Callable[..., str]]:
    def make(e: Expressions) -> Callable[..., str]:
        return lambda x: e("fmul contract", x, e.number(factor))

    return make


def _direction(e: Expressions) -> Callable[..., str]:
    def numbers(x: str, size: str) -> str:
        zero = e.number(0)
        flat = e.write.let(f"fcmp oeq {e.kind} {size}, {zero}")
        ratio = e("fdiv", x, e.either(flat, e.number(math.inf), size))
        whole = e.of("isinf", size)
        sign = e.either(e.of("isinf", x), e.intrinsic("copysign", e.number(1), x), zero)
        return e.either(whole, sign, ratio)

    return numbers


REAL: dict[str, Numbers] = {
    "add": _binary("fadd contract"),
    "subtract": _binary("fsub contract"),
    "multiply": _binary("fmul contract"),
    "divide": _binary("fdiv"),
    "negative": _composed(lambda e: lambda x: e("fneg", x)),
    "positive": lambda write, dtype, given: given[0],
    "square": _composed(lambda e: lambda x: e("fmul contract", x, x)),
    "reciprocal": _composed(lambda e: lambda x: e("fdiv", e.number(1), x)),
    "conjugate": lambda write, dtype, given: given[0],
    "real": lambda write, dtype, given: given[0],
    "absolute": _intrinsic("fabs"),
    "fabs": _intrinsic("fabs"),
    "sqrt": _intrinsic("sqrt"),
    "root": _intrinsic("sqrt"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "trunc": _intrinsic("trunc"),
    "rint": _intrinsic("roundeven"),
    "copysign": _intrinsic("copysign"),
    "sign": _composed(_sign),
    "signbit": _composed(_signbit),
    "heaviside": _composed(_heaviside),
    "maximum": _composed(_extreme("oge")),
    "minimum": _composed(_extreme("ole")),
    "fmax": _composed(_extreme_but_nan("oge")),
    "fmin": _composed(_extreme_but_nan("ole")),
    "less": _comparison("olt", "slt", "ult"),
    "less_equal": _comparison("ole", "sle", "ule"),
    "greater": _comparison("ogt", "sgt", "ugt"),
    "greater_equal": _comparison("oge", "sge", "uge"),
    "equal": _comparison("oeq", "eq", "eq"),
    "not_equal": _comparison("une", "ne", "ne"),
    "isnan": _composed(lambda e: lambda x: e("fcmp uno", x, e.number(0))),
    "isfinite": _composed(_is("olt", math.inf)),
    "isinf": _composed(_is("oeq", math.inf)),
    "product_or_zero": _composed(_or_zero("fmul")),
    "kept_product": _composed(_or_zero("fmul")),
    "quotient_or_zero": _composed(_or_zero("fdiv")),
    "kept_quotient": _composed(_or_zero("fdiv")),
    "zero_product": _composed(_zero_product),
    "direction": _composed(_direction),
    "sigmoid": _function("expit"),
    "log_expit": _composed(_log_expit),
    "xlogy": _composed(_times_log("log")),
    "xlog1py": _composed(_times_log("log1p")),
    "ndtr": _ndtr,
    "deg2rad": _composed(_scaled(math.pi / 180)),
    "rad2deg": _composed(_scaled(180 / math.pi)),
    **{name: _function(name) for name in FUNCTIONS if name != "pow"},
}
"""What is computed of floating point numbers."""

WHOLE: dict[str, Numbers] = {
    "add": _binary("add"),
    "subtract": _binary("sub"),
    "multiply": _binary("mul"),
    "negative": _composed(lambda e: lambda x: e("sub", "0", x)),
    "positive": lambda write, dtype, given: given[0],
    "square": _composed(lambda e: lambda x: e("mul", x, x)),
    "conjugate": lambda write, dtype, given: given[0],
    "absolute": _whole_absolute,
    "sign": _whole_sign,
    "maximum": _whole_extreme("max"),
    "minimum": _whole_extreme("min"),
    "fmax": _whole_extreme("max"),
    "fmin": _whole_extreme("min"),
    "bitwise_and": _binary("and"),
    "bitwise_or": _binary("or"),
    "bitwise_xor": _binary("xor"),
    "invert": _composed(lambda e: lambda x: e("xor", x, "-1")),
    "left_shift": _shift("shl"),
    "right_shift": _shift("shr"),
    "less": REAL["less"],
    "less_equal": REAL["less_equal"],
    "greater": REAL["greater"],
    "greater_equal": REAL["greater_equal"],
    "equal": REAL["equal"],
    "not_equal": REAL["not_equal"],
}
"""What is computed of integers, which wrap around."""


def _truth(word: str) -> Numbers:
    return lambda write, dtype, given: write.let(f"{word} i1 {given[0]}, {given[1]}")


def _not(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    return write.let(f"xor i1 {given[0]}, true")


BOOLEANS: dict[str, Numbers] = {
    "logical_and": _truth("and"),
    "logical_or": _truth("or"),
    "logical_xor": _truth("xor"),
    "logical_not": _not,
    "bitwise_and": _truth("and"),
    "bitwise_or": _truth("or"),
    "bitwise_xor": _truth("xor"),
    "invert": _not,
    "equal": _truth("icmp eq"),
    "not_equal": _truth("icmp ne"),
    "add": _truth("or"),
    "multiply": _truth("and"),
    "maximum": _truth("or"),
    "minimum": _truth("and"),
    "positive": lambda write, dtype, given: given[0],
    "absolute": lambda write, dtype, given: given[0],
}
"""What is computed of booleans."""

REAL.update(
    {
        name: _composed(
            lambda e, name=name: (
                lambda *given: BOOLEANS[name](
                    e.write, BOOLEAN, [e("fcmp une", x, e.number(0)) for x in given]
                )
            )
        )
        for name in ("logical_and", "logical_or", "logical_xor", "logical_not")
    }
)
WHOLE.update(
    {
        name: _composed(
            lambda e, name=name: (
                lambda *given: BOOLEANS[name](
                    e.write, BOOLEAN, [e("icmp ne", x, "0") for x in given]
                )
            )
        )
        for name in ("logical_and", "logical_or", "logical_xor", "logical_not")
    }
)
