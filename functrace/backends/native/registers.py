r"""Writing straight-line LLVM IR as Python expressions.

A `Value` is a register of a function that is being written. Its operators write the instruction
that computes the result, so that a formula reads as a formula:

>>> body = Body()
>>> x = Value(body, "double", "%x")
>>> y = fma(x, x, 1.0) * 0.5
>>> print("\n".join(body.lines), y.text)
  %v0 = call double @llvm.fma.f64(double %x, double %x, double 0x3FF0000000000000)
  %v1 = fmul double %v0, 0x3FE0000000000000 %v1

Numbers of Python's become constants of the type of the values beside them. No instruction carries
a fast-math flag: what is written is what is computed, rounding by rounding.
"""

from __future__ import annotations

import struct
from typing import NamedTuple


class Format(NamedTuple):
    """A floating point type.

    Attributes:
        name: LLVM's.
        suffix: In the names of intrinsics.
        integer: The integer type of its width.
        digits: Bits of the significand that are stored.
        bias: Of the exponent.
    """

    name: str
    suffix: str
    integer: str
    digits: int
    bias: int

    @property
    def width(self) -> int:
        """Bits of a number."""
        return int(self.integer[1:])

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << (self.width - 1)

    @property
    def infinity(self) -> int:
        """The bits of infinity, which are those of the exponent."""
        return self.sign - (1 << self.digits)

    @property
    def greatest(self) -> float:
        """The greatest number."""
        return (2.0 - 2.0**-self.digits) * 2.0**self.bias

    def rounded(self, x: float) -> float:
        """The nearest number of this type."""
        return struct.unpack("f", struct.pack("f", x))[0] if self.name == "float" else x

    def bits(self, x: float) -> int:
        """Of a number."""
        real, integer = ("f", "I") if self.name == "float" else ("d", "Q")
        return struct.unpack(integer, struct.pack(real, x))[0]


FORMATS = {
    "double": Format("double", "f64", "i64", 52, 1023),
    "float": Format("float", "f32", "i32", 23, 127),
}

_OF_INTEGER = {x.integer: x for x in FORMATS.values()}

Number = float | int
"""A constant: of a real type, or of an integer type."""


class Body:
    """The instructions of a function, so far.

    Attributes:
        lines: One for each.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def value(self, type: str, instruction: str) -> Value:
        """The register with the result of an instruction."""
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {instruction}")
        return Value(self, type, name)


class Value:
    """A register: a real number, an integer (its bits), or a truth value.

    Integers are compared as signed ones, and shifted as unsigned ones.

    Args:
        body: Of the function that it belongs to.
        type: LLVM's name: ``double``, ``float``, ``i64``, ``i32`` or ``i1``.
        text: Its name.
    """

    __slots__ = ("body", "text", "type")

    def __init__(self, body: Body, type: str, text: str) -> None:
        self.body = body
        self.type = type
        self.text = text

    @property
    def format(self) -> Format:
        """Of a real number, or of the one whose bits these are."""
        return FORMATS.get(self.type) or _OF_INTEGER[self.type]

    def operand(self, x: Value | Number) -> str:
        """As an operand beside this value."""
        if isinstance(x, Value):
            return x.text
        if self.type == "i1":
            return "true" if x else "false"
        if self.type not in FORMATS:
            width = self.format.width
            x = int(x) & ((1 << width) - 1)
            return str(x - (1 << width) if x >> (width - 1) else x)
        return f"0x{FORMATS['double'].bits(self.format.rounded(x)):016X}"

    def _binary(self, real: str, integer: str, other: Value | Number, *, swap: bool = False):
        operation = real if self.type in FORMATS else integer
        operands = [self.text, self.operand(other)]
        first, second = reversed(operands) if swap else operands
        return self.body.value(self.type, f"{operation} {self.type} {first}, {second}")

    def _compared(self, real: str, integer: str, other: Value | Number) -> Value:
        operation = f"fcmp {real}" if self.type in FORMATS else f"icmp {integer}"
        text = f"{operation} {self.type} {self.text}, {self.operand(other)}"
        return self.body.value("i1", text)

    def __add__(self, other: Value | Number) -> Value:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: Number) -> Value:
        return self._binary("fadd", "add", other, swap=True)

    def __sub__(self, other: Value | Number) -> Value:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: Number) -> Value:
        return self._binary("fsub", "sub", other, swap=True)

    def __mul__(self, other: Value | Number) -> Value:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: Number) -> Value:
        return self._binary("fmul", "mul", other, swap=True)

    def __truediv__(self, other: Value | Number) -> Value:
        return self._binary("fdiv", "", other)

    def __rtruediv__(self, other: Number) -> Value:
        return self._binary("fdiv", "", other, swap=True)

    def __neg__(self) -> Value:
        return self.body.value(self.type, f"fneg {self.type} {self.text}")

    def __and__(self, other: Value | Number) -> Value:
        return self._binary("", "and", other)

    def __or__(self, other: Value | Number) -> Value:
        return self._binary("", "or", other)

    def __xor__(self, other: Value | Number) -> Value:
        return self._binary("", "xor", other)

    def __lshift__(self, other: Value | Number) -> Value:
        return self._binary("", "shl", other)

    def __rshift__(self, other: Value | Number) -> Value:
        return self._binary("", "lshr", other)

    def __lt__(self, other: Value | Number) -> Value:
        return self._compared("olt", "slt", other)

    def __gt__(self, other: Value | Number) -> Value:
        return self._compared("ogt", "sgt", other)

    def equals(self, other: Value | Number) -> Value:
        """Whether they are equal."""
        return self._compared("oeq", "eq", other)

    def differs(self, other: Value | Number) -> Value:
        """Whether they are not equal, of numbers that are none as well."""
        if self.type == "i1":
            return self._binary("", "xor", other)
        return self._compared("une", "ne", other)

    def is_nan_beside(self, other: Value) -> Value:
        """Whether one of two real numbers is none."""
        return self._compared("uno", "", other)

    def and_not(self, other: Value) -> Value:
        """Whether this holds, and the other does not."""
        return self & (other ^ -1)

    def equals_or_nan(self, other: Value | Number) -> Value:
        """Whether they are equal, or one of them is no number."""
        return self._compared("ueq", "", other)


def _intrinsic(name: str, first: Value, *others: Value | Number) -> Value:
    type = first.type
    operands = ", ".join(f"{type} {first.operand(x)}" for x in (first, *others))
    suffix = first.format.suffix
    return first.body.value(type, f"call {type} @llvm.{name}.{suffix}({operands})")


def fma(a: Value, b: Value | Number, c: Value | Number) -> Value:
    """``a * b + c``, rounded once."""
    return _intrinsic("fma", a, b, c)


def absolute(x: Value) -> Value:
    """Without its sign."""
    return _intrinsic("fabs", x)


def copysign(x: Value, sign: Value) -> Value:
    """With another's sign."""
    return _intrinsic("copysign", x, sign)


def sqrt(x: Value) -> Value:
    """The square root."""
    return _intrinsic("sqrt", x)


def trunc(x: Value) -> Value:
    """Without its fraction."""
    return _intrinsic("trunc", x)


def select(condition: Value, yes: Value | Number, no: Value | Number) -> Value:
    """One of two values, both of which are computed; at least one is no constant."""
    typed = yes if isinstance(yes, Value) else no
    assert isinstance(typed, Value)
    type = typed.type
    operands = f"{type} {typed.operand(yes)}, {type} {typed.operand(no)}"
    return condition.body.value(type, f"select i1 {condition.text}, {operands}")


def constant(like: Value, x: Number) -> Value:
    """A constant of the type of another value."""
    return Value(like.body, like.type, like.operand(x))


def choice(condition: Value, type: str, yes: Number, no: Number) -> Value:
    """One of two constants."""
    return select(condition, constant(Value(condition.body, type, ""), yes), no)


def minimum(x: Value, bound: Value | Number) -> Value:
    """The lesser; ``x`` where one is no number."""
    return select(x > bound, bound, x)


def maximum(x: Value, bound: Value | Number) -> Value:
    """The greater; ``x`` where one is no number."""
    return select(x < bound, bound, x)


def bits_of(x: Value) -> Value:
    """A real number's bits."""
    integer = x.format.integer
    return x.body.value(integer, f"bitcast {x.type} {x.text} to {integer}")


def real_of(x: Value) -> Value:
    """The real number with these bits."""
    real = x.format.name
    return x.body.value(real, f"bitcast {x.type} {x.text} to {real}")


def extended(x: Value) -> Value:
    """In float64."""
    return x.body.value("double", f"fpext float {x.text} to double")


def truncated(x: Value) -> Value:
    """In float32, to the nearest."""
    return x.body.value("float", f"fptrunc double {x.text} to float")


def horner(x: Value, coefficients: list[float]) -> Value:
    """The polynomial with these coefficients, ascending."""
    result = constant(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = fma(result, x, coefficient)
    return result


def polynomial(x: Value, coefficients: list[float]) -> Value:
    """The same, in two chains that are computed side by side if it is long.

    A single number waits for each operation in turn, so half the length is nearly half the time.
    The first coefficient is added last, as otherwise, for there the rounding counts.
    """
    first, *rest = coefficients
    if len(rest) < 4:
        return horner(x, coefficients)
    square = x * x
    inner = fma(horner(square, rest[1::2]), x, horner(square, rest[::2]))
    return fma(inner, x, first)
