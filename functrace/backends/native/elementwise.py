"""How each elementwise primitive is computed of numbers in registers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.mathematics import FUNCTIONS, length
from functrace.backends.native.writing import REGISTERS, Writer, literal, register_type
from functrace.ir.program import DIVISION, Atom, Constant, Equation, Handling
from functrace.ir.types import ArrayType
from functrace.primitives.broadcasting import Elementwise, input_dtypes

DType = np.dtype[Any]

Numbers = Callable[[Writer, DType, Sequence[str]], str]
"""Writes what computes a primitive: of the dtype of its inputs, and these."""

BOOLEAN = np.dtype(bool)


def converted(write: Writer, value: str, source: DType, target: DType) -> str:
    """A number in another dtype, as NumPy converts it."""
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
    if source.kind == "f":
        return _whole(write, value, source, target)
    if target.itemsize == source.itemsize and source.kind != "b":
        return value
    if target.itemsize < source.itemsize:
        return write.let(f"trunc {old} {value} to {new}")
    word = "sext" if source.kind == "i" else "zext"
    return write.let(f"{word} {old} {value} to {new}")


def _whole(write: Writer, value: str, source: DType, target: DType) -> str:
    """The integer part; of numbers beyond all integers NumPy is asked, which warns."""
    kind, whole = register_type(source), register_type(target)
    bits = 8 * target.itemsize
    # What lies between is exact in both types, whatever the number of their digits.
    high = 2.0 ** (bits - (target.kind == "i"))
    low = -high if target.kind == "i" else 0.0
    fits = [
        write.let(f"fcmp {word} {kind} {value}, {literal(bound, source)}")
        for word, bound in (("oge", low), ("olt", high))
    ]
    inside = write.let(f"and i1 {fits[0]}, {fits[1]}")
    write.refuse(write.let(f"xor i1 {inside}, true"))
    safe = write.let(f"select i1 {inside}, {kind} {value}, {kind} {literal(0, source)}")
    word = "fptosi" if target.kind == "i" else "fptoui"
    return write.let(f"{word} {kind} {safe} to {whole}")


@cache
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
    (output, *others) = [variable.type for variable in equation.outputs]
    if others or not all(is_known(type.dtype) for type in (*types, output)):
        return False
    if not all(_fits(atom, output.dtype) for atom in equation.inputs):
        return False
    if primitive.name in APART:
        return APART[primitive.name].computes(equation)
    if not isinstance(primitive, Elementwise):
        return False
    if output.weak and output.dtype.kind == "i":
        return primitive.name in ENDLESS and all(type.weak for type in types)
    wanted = loop_dtypes(primitive, types)
    if not all(is_known(dtype) for dtype in wanted):
        return False
    if any(
        isinstance(x, Constant) and x.type.weak and not _holds(x.value, d)
        for x, d in zip(equation.inputs, wanted, strict=True)
    ):
        return False
    if len(set(wanted)) > 1 or primitive.name not in _table(wanted[0]):
        return False
    return output.dtype in (wanted[0], BOOLEAN)


def _table(dtype: DType) -> dict[str, Numbers]:
    return {"b": BOOLEANS, "f": REAL}.get(dtype.kind, WHOLE)


def _holds(value: Any, dtype: DType) -> bool:
    """Whether Python's number fits into a dtype: NumPy refuses one that does not."""
    if dtype.kind == "f" and isinstance(value, float):
        return True
    try:
        return bool(np.asarray(value).astype(dtype) == value)
    except (OverflowError, ValueError):
        return False


def _fits(atom: Atom, dtype: DType) -> bool:
    """Whether a number of Python's has a place among others; NumPy warns of one that has none."""
    if not isinstance(atom, Constant) or not atom.type.weak or dtype != np.float32:
        return True
    return not abs(atom.value) > np.finfo(dtype).max or math.isinf(atom.value)


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
    if primitive.name in APART:
        return APART[primitive.name].compute(write, equation, operands)
    assert isinstance(primitive, Elementwise)
    types = [atom.type for atom in equation.inputs]
    output = equation.outputs[0].type
    if output.weak and output.dtype.kind == "i":
        given = [
            converted(write, x, type.dtype, output.dtype)
            for x, type in zip(operands, types, strict=True)
        ]
        return ENDLESS[primitive.name](write, output.dtype, given)
    wanted = loop_dtypes(primitive, types)
    given = [
        _narrowed(write, x, type, dtype)
        for x, type, dtype in zip(operands, types, wanted, strict=True)
    ]
    table = _table(wanted[0])
    if output.weak and primitive.name in DIVISIONS:
        # Python refuses to divide nan by zero, too, of which the processor says nothing.
        write.refuse(write.let(f"fcmp oeq {register_type(wanted[1])} {given[1]}, 0.0"))
    if not output.shape and wanted[0].kind in "iu" and "over=ignore" not in equation.handling:
        table = {**table, **OF_SCALARS}
    ignored = equation.handling & DIVISION
    # Rules of derivatives ignore it everywhere, and hardly ever divide by zero.
    is_rule = equation.handling is DIVISION
    if ignored and not is_rule and primitive.name in QUIET and wanted[0].kind == "f":
        return QUIET[primitive.name](Expressions(write, wanted[0]), ignored, *given)
    return table[primitive.name](write, wanted[0], given)


def instructions_of(equation: Equation) -> int:
    """How many instructions an elementwise operation has, before vectors are made of them."""
    trial = Writer("")
    compute(trial, equation, [f"%x{number}" for number in range(len(equation.inputs))])
    return trial.length + sum(length(name, kind) for name, kind in trial.functions)


DIVISIONS = ("divide", "floor_divide", "remainder")


def _narrowed(write: Writer, value: str, type: ArrayType, dtype: DType) -> str:
    """A number in the dtype of a loop: NumPy refuses Python's integers that do not fit."""
    found = converted(write, value, type.dtype, dtype)
    if type.weak and type.dtype.kind == "i" and value.startswith("%"):
        if dtype.itemsize < 8:
            back = converted(write, found, dtype, type.dtype)
            write.refuse(write.let(f"icmp ne i64 {back}, {value}"))
        elif dtype.kind == "u":
            write.refuse(write.let(f"icmp slt i64 {value}, 0"))
    return found


# Operations whose inputs have several dtypes, or which have parameters


class Way(NamedTuple):
    """How an operation is written that no table of numbers has.

    Attributes:
        computes: Whether it can be, for these types.
        compute: Writes it.
    """

    computes: Callable[[Equation], bool]
    compute: Callable[[Writer, Equation, Sequence[str]], str]


def _select(write: Writer, equation: Equation, operands: Sequence[str]) -> str:
    output = equation.outputs[0].type.dtype
    dtypes = [atom.type.dtype for atom in equation.inputs]
    condition = converted(write, operands[0], dtypes[0], BOOLEAN)
    x, y = (converted(write, operands[n], dtypes[n], output) for n in (1, 2))
    kind = register_type(output)
    return write.let(f"select i1 {condition}, {kind} {x}, {kind} {y}")


def _cast(write: Writer, equation: Equation, operands: Sequence[str]) -> str:
    source, target = (x.type.dtype for x in (equation.inputs[0], equation.outputs[0]))
    return converted(write, operands[0], source, target)


def _round(write: Writer, equation: Equation, operands: Sequence[str]) -> str:
    dtype, decimals = equation.outputs[0].type.dtype, equation.params["decimals"]
    (x,) = operands
    if dtype.kind != "f":
        return x
    e = Expressions(write, dtype)
    if not decimals:
        return e.intrinsic("roundeven", x)
    power = e.number(10.0 ** abs(decimals))
    first, second = ("fmul", "fdiv") if decimals > 0 else ("fdiv", "fmul")
    return e(second, e.intrinsic("roundeven", e(first, x, power)), power)


def _can_round(equation: Equation) -> bool:
    source, output = equation.inputs[0].type.dtype, equation.outputs[0].type.dtype
    return source == output and (
        output.kind == "f" or (output.kind in "iu" and equation.params["decimals"] >= 0)
    )


def _can_raise(equation: Equation) -> bool:
    output = equation.outputs[0].type
    if output.dtype.kind == "f":
        return not output.weak
    exponent = equation.inputs[1]
    if output.dtype.kind not in "iu" or equation.inputs[0].type.dtype != output.dtype:
        return False
    if not isinstance(exponent, Constant) or exponent.type.shape:
        return False
    return 0 <= exponent.value <= MOST_PRODUCTS


MOST_PRODUCTS = 64
"""Powers of integers have such exponents at most."""


def _raise(write: Writer, equation: Equation, operands: Sequence[str]) -> str:
    """``x ** y``; NumPy computes those of some exponents as products, and so on."""
    output = equation.outputs[0].type
    dtype, exponent = output.dtype, equation.inputs[1]
    if dtype.kind != "f":
        assert isinstance(exponent, Constant)
        times = (ENDLESS if output.weak else WHOLE)["multiply"]
        result, power, count = "1", operands[0], int(exponent.value)
        while count:
            if count % 2:
                result = power if result == "1" else times(write, dtype, [result, power])
            count //= 2
            power = times(write, dtype, [power, power]) if count else power
        return result
    base, power = (
        converted(write, x, atom.type.dtype, dtype)
        for x, atom in zip(operands, equation.inputs, strict=True)
    )
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


def _count_bits(write: Writer, equation: Equation, operands: Sequence[str]) -> str:
    source, output = (x.type.dtype for x in (equation.inputs[0], equation.outputs[0]))
    absolute = _whole_absolute(write, source, operands)
    count = _intrinsic("ctpop")(write, source, [absolute])
    return converted(write, count, source, output)


def _scale(write: Writer, equation: Equation, operands: Sequence[str]) -> str:
    """``x * 2**n``."""
    dtype = equation.outputs[0].type.dtype
    x = converted(write, operands[0], equation.inputs[0].type.dtype, dtype)
    kind = register_type(dtype)
    whole = np.dtype(np.int64)
    places = converted(write, operands[1], equation.inputs[1].type.dtype, whole)
    e = Expressions(write, whole)
    far = e.number(1 << 14)  # beyond all exponents
    places = e.of("maximum", e.of("minimum", places, far), e.number(-(1 << 14)))
    places = write.let(f"trunc i64 {places} to i32")
    return write.call(f"llvm.ldexp.f{8 * dtype.itemsize}.i32", kind, (kind, x), ("i32", places))


APART: dict[str, Way] = {
    "select": Way(lambda equation: True, _select),
    "cast": Way(lambda equation: True, _cast),
    "cast_to_whole": Way(lambda equation: True, _cast),
    "round": Way(_can_round, _round),
    "power": Way(_can_raise, _raise),
    "power_in_rule": Way(_can_raise, _raise),
    "ldexp": Way(lambda equation: equation.inputs[1].type.dtype.kind in "biu", _scale),
    "bitwise_count": Way(lambda equation: equation.inputs[0].type.dtype.kind in "iu", _count_bits),
}
"""What is written apart, by the names of the primitives."""


# Ways to write


def _binary(word: str) -> Numbers:
    """One of LLVM's instructions for two numbers."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        return write.let(f"{word} {register_type(dtype)} {given[0]}, {given[1]}")

    return numbers


def _comparison(ordered: str, signed: str, unsigned: str) -> Numbers:
    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        word = {"f": f"fcmp {ordered}", "i": f"icmp {signed}"}.get(dtype.kind, f"icmp {unsigned}")
        if word in ("fcmp oeq", "fcmp une"):
            # Else LLVM puts the constant for the number, wherever they are equal.
            kind = register_type(dtype)
            given = [x if x.startswith("%") else write.hidden(kind, x) for x in given]
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

    def hidden(self, x: str) -> str:
        """A number of which LLVM does not know that it is chosen.

        It would compute with both, where one would raise a flag, and choose then.
        """
        return self.write.hidden(self.kind, x)

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
            safe = e.either(e.both(is_zero, wild), one, y)
            return e(word, x, e.hidden(safe) if word == "fdiv" else safe)

        return numbers

    return make


# What raises no flag where the user told NumPy to ignore that


def _quiet_quotient(e: Expressions, ignored: Handling, x: str, y: str) -> str:
    zero = e.number(0)
    bad = e("fcmp oeq", y, zero)
    if ignored != DIVISION:  # zero by zero is invalid, all else is divided by zero
        bad = e.both(bad, e("fcmp une" if "divide=ignore" in ignored else "fcmp ueq", x, zero))
    one = e.intrinsic("copysign", e.number(1), y)
    quotient = e("fdiv", x, e.hidden(e.either(bad, one, y)))
    infinite = e.intrinsic("copysign", e.number(np.inf), quotient)
    wild = e.either(e("fcmp ueq", quotient, zero), e.number(np.nan), infinite)
    return e.either(bad, wild, quotient)


def _quiet_reciprocal(e: Expressions, ignored: Handling, x: str) -> str:
    return _quiet_quotient(e, ignored, e.number(1), x)


def _quiet_below(name: str, edge: float) -> Callable[..., str]:
    """A function that is infinite at an edge, if it is a logarithm, and undefined below."""

    def numbers(e: Expressions, ignored: Handling, x: str) -> str:
        least, outside = e.number(edge), e.number(np.nan)
        word = "fcmp ult"
        if name != "sqrt" and "divide=ignore" in ignored:
            word = "fcmp ule" if ignored == DIVISION else "fcmp oeq"
            is_edge = e("fcmp oeq", x, least)
            outside = e.either(is_edge, e.number(-np.inf), outside)
        elif "invalid=ignore" not in ignored:
            return e.of(name, x)
        bad = e(word, x, least)
        return e.either(bad, outside, e.of(name, e.hidden(e.either(bad, e.number(edge + 1), x))))

    return numbers


QUIET: dict[str, Callable[..., str]] = {
    "divide": _quiet_quotient,
    "reciprocal": _quiet_reciprocal,
    "sqrt": _quiet_below("sqrt", 0.0),
    "root": _quiet_below("sqrt", 0.0),
    "log": _quiet_below("log", 0.0),
    "log2": _quiet_below("log2", 0.0),
    "log10": _quiet_below("log10", 0.0),
    "log1p": _quiet_below("log1p", -1.0),
}
"""Functions without the flags of what is ignored: they are not computed where these would rise."""


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
    x = converted(write, given[0], dtype, e.dtype)
    value = e.of("erfc", e("fmul contract", x, e.number(-math.sqrt(0.5))))
    return converted(write, e("fmul contract", value, e.number(0.5)), e.dtype, dtype)


def _logit(e: Expressions) -> Callable[..., str]:
    def numbers(x: str) -> str:
        half, rest = e.number(0.5), e("fsub", e.number(1), x)
        far = e.of("log", e("fdiv", x, rest))
        # Near 1/2 this is the logarithm of a number near 1, which loses digits.
        middle = e("fsub", x, half)
        near = e.of("log1p", e("fdiv", middle, e("fmul", half, rest)))
        is_near = e("fcmp olt", e.intrinsic("fabs", middle), e.number(0.2))
        return e.either(is_near, near, far)

    return numbers


def _entr(e: Expressions) -> Callable[..., str]:
    def numbers(x: str) -> str:
        zero = e.number(0)
        logarithm = e.of("log", e.either(e("fcmp ogt", x, zero), x, e.number(1)))
        inside = e("fneg", e("fmul", x, logarithm))
        inside = e.either(e("fcmp oeq", x, zero), zero, inside)
        return e.either(e("fcmp olt", x, zero), e.number(-math.inf), inside)

    return numbers


def _sinc(e: Expressions) -> Callable[..., str]:
    def numbers(x: str) -> str:
        small = e.either(e("fcmp oeq", x, e.number(0)), e.number(1e-20), x)
        angle = e("fmul", e.number(math.pi), small)
        return e("fdiv", e.of("sin", angle), angle)

    return numbers


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
    "logit": _composed(_logit),
    "entr": _composed(_entr),
    "sinc": _composed(_sinc),
    "imag": lambda write, dtype, given: literal(0, dtype),
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
    "real": lambda write, dtype, given: given[0],
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


def _floored(result: str) -> Numbers:
    """A quotient of integers, rounded down, or its remainder; NumPy warns of zero divisors."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        e = Expressions(write, dtype)
        x, y = given
        bad = e("icmp eq", y, "0")
        write.refuse(bad)
        if dtype.kind == "u":
            return e("udiv" if result == "quotient" else "urem", x, e.either(bad, "1", y))
        is_least = e("icmp eq", x, e.number(np.iinfo(dtype).min))
        is_beyond = e.both(is_least, e("icmp eq", y, "-1"))
        if result == "quotient":
            write.refuse(is_beyond)
        y = e.either(e.any(bad, is_beyond), "1", y)
        rest = e("srem", x, y)
        turned = write.let(f"icmp slt {e.kind} {e('xor', rest, y)}, 0")
        turned = e.both(turned, e("icmp ne", rest, "0"))
        if result == "rest":
            return e.either(turned, e("add", rest, y), rest)
        quotient = e("sdiv", x, y)
        return e.either(turned, e("sub", quotient, "1"), quotient)

    return numbers


def _truncated(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    """The remainder that has the sign of the first number."""
    e = Expressions(write, dtype)
    x, y = given
    bad = e("icmp eq", y, "0")
    write.refuse(bad)
    if dtype.kind == "i":
        bad = e.any(bad, e("icmp eq", y, "-1"))
    return e("urem" if dtype.kind == "u" else "srem", x, e.either(bad, "1", y))


WHOLE.update(floor_divide=_floored("quotient"), remainder=_floored("rest"), fmod=_truncated)


def _within(word: str) -> Numbers:
    """An operation on integers: what does not fit into a register is Python's, or NumPy's."""

    def numbers(write: Writer, dtype: DType, given: Sequence[str]) -> str:
        kind, sign = register_type(dtype), "u" if dtype.kind == "u" else "s"
        both = f"{{ {kind}, i1 }}"
        name = f"llvm.{sign}{word}.with.overflow.{kind}"
        pair = write.call(name, both, *((kind, x) for x in given))
        write.refuse(write.let(f"extractvalue {both} {pair}, 1"))
        return write.let(f"extractvalue {both} {pair}, 0")

    return numbers


def _less_than_zero(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    return _within("sub")(write, dtype, ["0", given[0]])


def _size(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    e = Expressions(write, dtype)
    if dtype.kind == "i":
        write.refuse(e("icmp eq", given[0], e.number(np.iinfo(dtype).min)))
    return _whole_absolute(write, dtype, given)


def _shifted_up(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    e = Expressions(write, dtype)
    x, places = given
    fits = e("icmp ult", places, "63")
    safe = e.either(fits, places, "0")
    result = e("shl", x, safe)
    is_same = e("icmp eq", e("ashr", result, safe), x)
    write.refuse(write.let(f"xor i1 {e.both(fits, is_same)}, true"))
    return result


def _shifted_down(write: Writer, dtype: DType, given: Sequence[str]) -> str:
    e = Expressions(write, dtype)
    write.refuse(e("icmp slt", given[1], "0"))
    return _shift("shr")(write, dtype, given)


ENDLESS: dict[str, Numbers] = {
    **{
        name: WHOLE[name]
        for name in (
            "positive", "conjugate", "real", "sign", "maximum", "minimum", "fmax", "fmin",
            "bitwise_and", "bitwise_or", "bitwise_xor", "invert", "floor_divide", "remainder",
        )
    },
    "add": _within("add"),
    "subtract": _within("sub"),
    "multiply": _within("mul"),
    "square": lambda write, dtype, given: _within("mul")(write, dtype, [given[0], given[0]]),
    "negative": _less_than_zero,
    "absolute": _size,
    "left_shift": _shifted_up,
    "right_shift": _shifted_down,
}  # fmt: skip
"""What is computed of Python's integers, which have no end."""


OF_SCALARS: dict[str, Numbers] = {
    name: ENDLESS[name] for name in ("add", "subtract", "multiply", "negative", "absolute")
}
"""What NumPy warns of where scalars do not fit; of arrays it does not."""


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

# Two results


def _quotient_and_rest(e: Expressions) -> Callable[..., Sequence[str]]:
    return lambda x, y: [e.of("floor_divide", x, y), e.of("remainder", x, y)]


def _fraction_and_whole(e: Expressions) -> Callable[..., Sequence[str]]:
    def numbers(x: str) -> Sequence[str]:
        whole = e.intrinsic("trunc", x)
        rest = e("fsub", x, e.either(e.of("isinf", x), e.number(0), whole))
        rest = e.either(e.of("isinf", x), e.number(0), rest)
        return [e.intrinsic("copysign", rest, x), whole]

    return numbers


def _mantissa_and_exponent(e: Expressions) -> Callable[..., Sequence[str]]:
    def numbers(x: str) -> Sequence[str]:
        pair = f"{{ {e.kind}, i32 }}"
        both = e.write.call(f"llvm.frexp.f{8 * e.dtype.itemsize}.i32", pair, (e.kind, x))
        mantissa, exponent = (e.write.let(f"extractvalue {pair} {both}, {n}") for n in (0, 1))
        is_finite = e.of("isfinite", x)
        exponent = e.write.let(f"select i1 {is_finite}, i32 {exponent}, i32 0")
        return [e.either(is_finite, mantissa, x), exponent]

    return numbers


PARTS: dict[str, Callable[[Expressions], Callable[..., Sequence[str]]]] = {
    "divmod": _quotient_and_rest,
    "modf": _fraction_and_whole,
    "frexp": _mantissa_and_exponent,
}
"""Functions with two results."""
