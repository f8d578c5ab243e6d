"""Where Python meets recording: tracers, Python's operators and NumPy's protocols.

A transformation calls the user's function on tracers. A `Tracer` is a variable of one `Recording`;
its value, if known, lives one recording further out. An operation on tracers comes to `bind`,
which hands it to the youngest recording among its inputs; without tracers the operation runs at
once on NumPy. Recordings are ordered by their birth: there is no global stack, so threads and
generators cannot confuse them. A tracer of an older recording that is met inside a younger one is
a constant there, which is what keeps the derivatives of nested transformations apart.

A recording either follows values (``functrace.transforms.tape.Tape``: each output is computed
by binding one recording further out, so ``if x > 0:`` works) or keeps types only
(`ProgramRecording`: what it records is a Program).
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, TypeVar, final

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from functrace import tree
from functrace.errors import (
    FunctraceError,
    LeakedTracerError,
    LostDerivativeError,
    OperandError,
    UnknownValueError,
)
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.types import UNKNOWN
from functrace.tracing.conversions import not_converted, quoted, written_into_an_array
from functrace.tracing.creations import writes_by_method
from functrace.tracing.entrances import at_entrance, enter_by_methods
from functrace.tracing.expressions import stores_an_item
from functrace.tracing.operands import (
    PLAIN_SCALARS,
    as_base,
    as_number,
    as_operand,
    is_operand,
    is_weak,
    not_ordinary,
    strong,
)
from functrace.tracing.places import NUMPY_FOLDER, Place, source_of, user_place
from functrace.tracing.recording import Recording, require_usable
from functrace.tracing.refusals import (
    INTEGERS,
    NUMBERS,
    Refusal,
    advice_on_branch,
    advice_on_index,
    advice_on_number,
    unsupported,
)
from functrace.tracing.sharing import Memory, new_memory
from functrace.tracing.tables import (
    FUNCTIONS,
    SPARSE,
    UFUNCS,
    WITHOUT_OUT,
    named_ufunc,
    public_name,
)
from functrace.tracing.traced_array import TracedArray
from functrace.tracing.twins import refused_in_scipy
from functrace.tracing.wording import raise_explained

E = TypeVar("E", bound=FunctraceError)

NO_PARAMS: dict[str, Any] = {}
"""The parameters of a primitive that has none; nobody changes them."""

# Spelt out, because asking np.ma for its file would import it, which takes milliseconds.
_MASKED_ARRAYS = f"{NUMPY_FOLDER}ma{os.sep}core.py"


def bind(primitive: Primitive, *inputs: Any, **params: Any) -> Any:
    """Apply a primitive: record it where an input is traced, run it on NumPy where none is.

    Args:
        primitive: The operation.
        inputs: Arrays, scalars or tracers.
        params: The primitive's static parameters.

    Returns:
        The output, or the tuple of outputs.

    Raises:
        ShapeMismatchError: The shapes do not fit together.
        OperandError: An input is of a dtype that the primitive does not take.
        IndexRangeError: An index lies outside its axis.
        Exception: Whatever NumPy raises for inputs whose types fit, but not their values: a
            singular matrix is a ``LinAlgError`` here too.

    Example:
        >>> from functrace.extend import PRIMITIVES, bind
        >>> bind(PRIMITIVES["sin"], 0.0)
        np.float64(0.0)
    """
    youngest: Recording | None = None
    for x in inputs:
        if type(x) is Tracer:
            recording = x.recording
            if recording is not youngest and (youngest is None or recording.birth > youngest.birth):
                youngest = recording
    if youngest is not None:
        return youngest.record(primitive, inputs, params)
    return run(primitive, inputs, params)


def is_alone_further_out(x: Any, references: int) -> bool:
    """Whether a value is a tracer that follows values, of which nobody makes use but the caller.

    Args:
        x: The value.
        references: What `sys.getrefcount` says here of one to which the caller alone refers.
    """
    return (
        type(x) is Tracer
        and sys.getrefcount(x) == references
        and x.base is None
        and x.value is not UNKNOWN
    )


def bind_over(primitive: Primitive, *inputs: Any, **params: Any) -> Any:
    """As `bind`, where the first input, which is traced, stands for the output from then on.

    What it stood for need not be kept, but where something else needs it.
    """
    youngest: Recording = inputs[0].recording
    for x in inputs:
        if type(x) is Tracer and x.recording.birth > youngest.birth:
            youngest = x.recording
    return youngest.record_over(primitive, inputs, params)


def run(primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Run a primitive on inputs of which none is traced. The errors are those of `bind`."""
    try:
        return primitive.run(*inputs, **params)
    except (ValueError, TypeError, IndexError) as error:
        raise_explained(error, primitive, inputs, params)


def again(primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply a primitive to tracers of which one belongs to a recording that has ended.

    Raises:
        LeakedTracerError: That tracer stands for nothing any more.
    """
    for x in inputs:
        if type(x) is Tracer:
            require_usable(x)
    return bind(primitive, *inputs, **params)


def plain(x: Any) -> Any:
    """A value that stands for a plain array as that array; any other as it is."""
    if type(x) is not Tracer:
        return x
    require_usable(x)
    return x.value if x.recording.is_plain else x


def apply_ufunc(ufunc: np.ufunc, *inputs: Any) -> Any:
    """Apply a ufunc to operands of which at least one is traced."""
    implementation = UFUNCS.get(ufunc)
    if implementation is None:
        implementation = named_ufunc(ufunc)
        if implementation is None:
            raise unsupported(public_name(ufunc))
    if isinstance(implementation, Primitive):
        return bind(implementation, *inputs)
    return implementation(*inputs)


def _operator(ufunc: np.ufunc, x: Any, y: Any) -> Any:
    """A binary operator of Python; it leaves operands that are no arrays to the other side."""
    if not is_operand(y):
        if _is_sparse(y):
            return SPARSE[0](ufunc, x, y, True)
        # Some have operations of their own.
        if _has_operators(y) or _is_repeated(ufunc, x, y):
            return NotImplemented
        if _is_unlike_numbers(y) and ufunc in (np.equal, np.not_equal) and x.is_array:
            return np.full(x.shape, ufunc is np.not_equal)[()]
        try:
            y = as_operand(y)
        except OperandError:
            if isinstance(y, np.ndarray):
                raise
            return NotImplemented
    implementation = UFUNCS[ufunc]
    if isinstance(implementation, Primitive):
        return bind(implementation, x, y)
    return implementation(x, y)


def _has_operators(x: Any) -> bool:
    """Whether NumPy's arrays leave their operators to an object, even if it can be one of them."""
    if _holds_arrays(x):
        return True
    if hasattr(x, "__array_ufunc__"):
        return x.__array_ufunc__ is None
    return getattr(x, "__array_priority__", -1.0) > 0.0


def _is_sparse(x: Any) -> bool:
    """Whether an object is one of SciPy's sparse matrices or arrays."""
    return type(x).__module__.startswith("scipy.sparse.")


def leaves_to_others(caller: FrameType | None, x: Any) -> bool:
    """Whether SciPy asks for an array to find out if an operand of a sparse matrix can be one.

    What comes out as an object without axes it leaves to the operators of the other side. A method
    that a user calls, as ``A.multiply(t)``, has no other side.
    """
    if caller is None or caller.f_locals.get("other") is not x:
        return False
    name = ""
    while caller and caller.f_globals.get("__name__", "").startswith("scipy.sparse._"):
        name, caller = caller.f_code.co_name, caller.f_back
    return name.startswith("__") or name == "dot"


def _holds_arrays(x: Any) -> bool:
    """Whether an object computes with the array that it holds, which may be a traced one."""
    return isinstance(x, NDArrayOperatorsMixin) or type(x).__module__.startswith("xarray.")


def _is_unlike_numbers(x: Any) -> bool:
    """Whether an object, such as None, differs from every element of an array."""
    return isinstance(x, str | bytes) or type(x).__eq__ is object.__eq__


def _is_repeated(ufunc: np.ufunc, x: Any, y: Any) -> bool:
    """Whether a product is one of a whole number and a list: ``n * [0]`` is n zeros."""
    is_sequence = ufunc is np.multiply and type(y) in (list, tuple, str)
    return is_sequence and not x.shape and x.dtype.kind in "biu"


def _reflected(ufunc: np.ufunc, x: Any, y: Any) -> Any:
    """A binary operator whose left operand is no tracer."""
    if _is_sparse(y):
        return SPARSE[0](ufunc, x, y, False)
    if _is_repeated(ufunc, x, y):
        return NotImplemented
    try:
        y = as_operand(y)
    except OperandError:
        if isinstance(y, np.ndarray):
            raise
        return NotImplemented
    implementation = UFUNCS[ufunc]
    if isinstance(implementation, Primitive):
        return x.recording.record(implementation, (y, x), NO_PARAMS)
    return implementation(y, x)


def _operators(ufunc: np.ufunc, name: str) -> Any:
    """The methods for a binary operator: with the tracer on the left, on the right, and in place.

    Args:
        ufunc: What the operator means.
        name: The name of the methods, as ``add`` is of ``__add__``.
    """

    def left(self: Tracer, other: Any) -> Any:
        try:
            kind = type(other)
            if (
                other.recording is self.recording
                if kind is Tracer
                else kind in PLAIN_SCALARS or (kind is np.ndarray and other.dtype.kind in "biufc")
            ):  # what `_operator` would find, sooner
                implementation = UFUNCS[ufunc]
                if isinstance(implementation, Primitive):
                    return self.recording.record(implementation, (self, other), NO_PARAMS)
                return implementation(self, other)
            return _operator(ufunc, self, other)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def right(self: Tracer, other: Any) -> Any:
        try:
            if type(other) in PLAIN_SCALARS:  # as above
                primitive = UFUNCS[ufunc]
                if isinstance(primitive, Primitive):
                    return self.recording.record(primitive, (other, self), NO_PARAMS)
            return _reflected(ufunc, self, other)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def in_place(self: Tracer, other: Any) -> Any:
        try:
            result = _operator(ufunc, self, other)
            return self._changed(result)  # pyright: ignore[reportPrivateUsage]
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    return named(left, name), named(right, f"r{name}"), named(in_place, f"i{name}")


def _unary(ufunc: np.ufunc, name: str) -> Any:
    """The method for an operator of one operand, as `_operators` makes those of two."""

    def operator(self: Tracer) -> Any:
        try:
            primitive = UFUNCS[ufunc]
            if isinstance(primitive, Primitive):
                return self.recording.record(primitive, (self,), NO_PARAMS)
            return primitive(self)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    return named(operator, name)


def named(method: Any, name: str) -> Any:
    """A method of tracers under its name, by which messages and profiles tell it: by its code."""
    own, code = f"__{name}__", method.__code__
    method.__name__, method.__qualname__ = own, f"Tracer.{own}"
    method.__code__ = code.replace(
        co_name=own,
        co_qualname=f"Tracer.{own}",
        co_varnames=("self", *code.co_varnames[1:]),
    )
    return method


@final
class Tracer(TracedArray):
    """A traced array.

    It behaves as the array that it stands for, and records what is done to it.
    """

    __slots__ = ()

    recording: Recording
    memory: Memory | None
    base: Tracer | None

    # Python asks for the value

    def _refused(self, error: E, place: Place | None) -> E:
        """An error that a request gets, noted for where NumPy hides it behind its own."""
        self.recording.refusal = Refusal(error, place)
        return error

    def _refuse_in_scipy(self, place: Place | None) -> None:
        """Raise where it is a function of SciPy's that asks for a number."""
        here = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
        error = refused_in_scipy(f"asks for the value of a traced {self.type}", here, place)
        if error is not None:
            raise self._refused(error, place)

    def _known(self, request: str, advice: str | Callable[[Place | None], str] = NUMBERS) -> Any:
        require_usable(self)
        if self.value is UNKNOWN:
            place = user_place(2)
            self._refuse_in_scipy(place)
            names = " and ".join(f"`{name}`" for name in self.recording.names_behind(self))
            error = UnknownValueError(
                f"{request} needs the value of a traced {self.type}"
                f"{f' that depends on {names}' if names else ''}, of which only shape and dtype "
                f"are known{quoted(place)}. It was made at {source_of(self.place)}.",
                source_of(place),
                advice if isinstance(advice, str) else advice(place),
            )
            raise self._refused(error, place)
        return self.value

    def _number(
        self,
        request: str,
        advice: str | Callable[[Place | None], str] = NUMBERS,
        lost: str | None = None,
    ) -> Any:
        """The value, where making it a Python number loses no derivative."""
        place = user_place(2)
        require_usable(self)
        is_refused = self.value is UNKNOWN or self.type.is_inexact
        if not self.recording.is_plain and (
            stores_an_item(place) or (is_refused and writes_by_method(place))
        ):
            raise self._refused(written_into_an_array(self.type, place), place)
        value = self._known(request, advice)
        if self.type.is_inexact and not self.recording.is_plain:
            self._refuse_in_scipy(place)
            error = LostDerivativeError(
                f"{request} would turn a traced {self.type} into a plain number, and its "
                "derivative would be lost.",
                source_of(place),
                lost or advice_on_number(place, LostDerivativeError.advice),
            )
            raise self._refused(error, place)
        return value

    def __bool__(self) -> bool:
        return bool(self._known("bool()", advice_on_branch))

    def __float__(self) -> float:
        return float(self._number("float()", advice_on_number))

    def __complex__(self) -> complex:
        return complex(self._number("complex()"))

    def __int__(self) -> int:
        return int(self._whole("int()"))

    def __trunc__(self) -> int:
        return int(self._whole("trunc()"))

    def __floor__(self) -> int:
        return int(np.floor(self._whole("floor()")))

    def __ceil__(self) -> int:
        return int(np.ceil(self._whole("ceil()")))

    def _whole(self, request: str) -> Any:
        """The innermost known value: a whole number has no derivative that could be lost."""
        value = self._known(request)
        return value._whole(request) if isinstance(value, Tracer) else value

    def __index__(self) -> int:
        return operator.index(self._number("An index", advice_on_index, INTEGERS))

    @property
    def at(self) -> Any:
        """What JAX's arrays have: ``x.at[index].set(value)`` and others, which change nothing."""
        return FUNCTIONS[np.ufunc.at](self)

    def item(self, *index: Any) -> Any:
        """Refuse: a Python number cannot carry the derivative. Integers that are known pass."""
        value = self._number("item()")
        return value.item(*index) if isinstance(value, np.ndarray | np.generic) else value

    def __dlpack__(self, **options: Any) -> Any:
        """Hand the memory over, where it holds known numbers that have no derivative."""
        value = self._number("DLPack")
        return np.asarray(value).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The processor, by its number in the DLPack protocol."""
        return np.empty(0).__dlpack_device__()

    def tolist(self) -> Any:
        """The rows as nested lists of traced scalars."""
        if self.recording.is_plain:
            return self.value.tolist()
        return [row.tolist() if row.ndim else row for row in self] if self.ndim else self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        place = user_place(1)
        try:
            require_usable(self)
        except LeakedTracerError as error:
            at_entrance(error)
            raise
        if self.recording.is_plain:
            return self.recording.as_array(self, dtype, copy)
        if leaves_to_others(sys._getframe(1), self):  # pyright: ignore[reportPrivateUsage]
            held = np.empty(1, object)
            held[0] = self
            # That of coo_array goes on with what it was given if this has an axis.
            asked = sys._getframe(1).f_code.co_name  # pyright: ignore[reportPrivateUsage]
            return held if asked == "dot" else held.reshape(())
        if stores_an_item(place) or writes_by_method(place):
            raise self._refused(written_into_an_array(self.type, place), place)
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if caller.f_code.co_filename == _MASKED_ARRAYS:
            raise not_ordinary(np.ma.MaskedArray)
        # From None: NumPy's functions try again in another way, and would show it twice.
        raise self._refused(not_converted(self, caller, place), place) from None

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("len() of unsized object")
        return shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return self._rows() if len(self.shape) == 1 else map(self.__getitem__, range(len(self)))

    def _rows(self) -> Iterator[Any]:
        """The elements, taken at once: a derivative for each of them alone would cost a pass."""
        recording, variable, value = self.recording, self.known_as, self.value
        rows = bind(PRIMITIVES["unstack"], self, axis=0) if len(self) else ()
        for index, row in enumerate(rows):
            # An array that is written meanwhile gives the elements that it has then.
            is_written = (
                self.known_as is not variable
                or self.value is not value
                or self.recording is not recording
            )
            yield self[index] if is_written else row

    def __contains__(self, x: Any) -> bool:
        return bool(FUNCTIONS[np.any](self == x))

    def __repr__(self) -> str:
        if self.recording.is_plain:
            return repr(self.value)
        value = "" if self.value is UNKNOWN else f", value={self.value!r}"
        return f"Tracer({self.type}{value})"

    def __str__(self) -> str:
        return str(self.value) if self.recording.is_plain else repr(self)

    def __format__(self, specification: str) -> str:
        if not specification or self.value is UNKNOWN:
            return str(self)
        return format(self.value, specification)

    def __hash__(self) -> int:  # none, as arrays: == compares element by element
        raise OperandError(
            f"A traced {self.type} has no hash: it can be no key of a dict, no element of a set, "
            "and no argument of a function that keeps its results.",
            source_of(user_place(2)),
            "Use what is known while the function is recorded as a key: a name, a position, an "
            "argument named by static_argnums. For a table of numbers write "
            "functrace.numpy.asarray(table)[index].",
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        require_usable(self)
        if self.recording.is_plain:
            return self.value.__reduce_ex__(protocol)
        raise LostDerivativeError(
            f"Pickling would turn a traced {self.type} into plain data, and its derivative would "
            "be lost.",
            source_of(user_place(1)),
            "Pickle what the transformation returns, or functrace.stop_gradient(x). Another "
            "process cannot take part in a transformation.",
        )

    def __copy__(self) -> Tracer:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tracer:
        return self.copy()

    def copy(self, order: Any = "C") -> Tracer:
        """The same values in memory of their own."""
        require_usable(self)
        value = self.value
        if self.recording.is_plain:
            return new_tracer(self.recording, value.copy(order), None)
        shape = self.shape
        if shape and value is not UNKNOWN:
            value = _copied_in(value, order)
        result = new_tracer(self.recording, value, self.known_as, self.place)
        if not shape:
            if self.memory is not None:
                result.memory = new_memory()  # an array without axes, as this is
        elif (
            order in ("C", "F")
            and len(shape) > 1
            and min(shape) >= 0  # a stack whose length a loop has yet to tell is no user's array
            and type(value) is not np.ndarray
        ):
            result.memory = new_memory(np.empty(shape, bool, order))
            self.recording.note_copy(self.known_as)
        return result

    def twin(self) -> Tracer:
        """The same values in memory of their own, in which they lie as here."""
        if self.recording.is_plain:
            return self.copy("K")
        require_usable(self)
        result = new_tracer(self.recording, self.value, self.known_as, self.place)
        if self.memory is None:
            return result
        if not self.shape:
            result.memory = new_memory()  # an array without axes, as this is
        elif self.base is None and self.memory.layout is not None:
            result.memory = new_memory(self.memory.layout)
        return result

    # Operators. Changes in place: the tracer comes to stand for another variable.

    __add__, __radd__, __iadd__ = _operators(np.add, "add")
    __sub__, __rsub__, __isub__ = _operators(np.subtract, "sub")
    __mul__, __rmul__, __imul__ = _operators(np.multiply, "mul")
    __truediv__, __rtruediv__, __itruediv__ = _operators(np.true_divide, "truediv")
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operators(np.floor_divide, "floordiv")
    __mod__, __rmod__, __imod__ = _operators(np.remainder, "mod")
    __divmod__, __rdivmod__, _ = _operators(np.divmod, "divmod")
    _pow, _rpow, __ipow__ = _operators(np.power, "pow")
    __matmul__, __rmatmul__, __imatmul__ = _operators(np.matmul, "matmul")
    __and__, __rand__, __iand__ = _operators(np.bitwise_and, "and")
    __or__, __ror__, __ior__ = _operators(np.bitwise_or, "or")
    __xor__, __rxor__, __ixor__ = _operators(np.bitwise_xor, "xor")
    __lshift__, __rlshift__, __ilshift__ = _operators(np.left_shift, "lshift")
    __rshift__, __rrshift__, __irshift__ = _operators(np.right_shift, "rshift")
    __lt__ = _operators(np.less, "lt")[0]
    __le__ = _operators(np.less_equal, "le")[0]
    __gt__ = _operators(np.greater, "gt")[0]
    __ge__ = _operators(np.greater_equal, "ge")[0]
    __eq__ = _operators(np.equal, "eq")[0]
    __ne__ = _operators(np.not_equal, "ne")[0]

    def __pow__(self, other: Any) -> Any:
        try:
            if type(other) in PLAIN_SCALARS and self.value is not UNKNOWN:
                primitive = UFUNCS[np.power]
                if isinstance(primitive, Primitive):  # as for other operators
                    return self.recording.record(primitive, (self, other), NO_PARAMS)
            elif self.value is UNKNOWN:
                if self.known_as.type.dtype.kind == "b":
                    if type(other) is int and other == 2 and self.shape:
                        return apply_ufunc(np.square, self)  # as NumPy's operator does: an int8
                    return _operator(np.power, as_base(self, other), other)
                if type(other) is int and other < 0 and self.known_as.type.weak:
                    other = float(other)  # 2 ** -1 is a float in Python
            return self._pow(other)
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    def __rpow__(self, other: Any) -> Any:
        try:
            return self._rpow(as_base(other, self))
        except LeakedTracerError as error:
            at_entrance(error)
            raise

    __neg__ = _unary(np.negative, "neg")
    __pos__ = _unary(np.positive, "pos")
    __abs__ = _unary(np.absolute, "abs")
    __invert__ = _unary(np.invert, "invert")

    def conj(self) -> Any:
        """As `numpy.ndarray.conj`: of a real array the array itself."""
        return apply_ufunc(np.conjugate, self) if self.dtype.kind == "c" else self

    conjugate = conj

    def __round__(self, digits: int | None = None) -> Any:
        if digits is None:
            return round(self._whole("round()"))
        return FUNCTIONS[np.round](self, digits)

    def _changed(self, result: Any) -> Any:
        """What an operator such as ``+=`` leaves behind: scalars do not change in place."""
        return result if result is NotImplemented or not self.is_array else self.receive(result)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        recording = self.recording
        if recording.is_plain:
            result = recording.call(getattr(ufunc, method), inputs, options)
            if result is not NotImplemented:
                return result
        if method != "__call__" or options:
            try:
                return FUNCTIONS[np.ufunc](ufunc, method, inputs, options)
            except LeakedTracerError as error:
                at_entrance(error)
                raise
        primitive = UFUNCS.get(ufunc)
        kind = type(self.value)
        is_strong = kind is np.ndarray or kind is np.float64
        if is_strong and ufunc is not np.power and isinstance(primitive, Primitive):
            for x in inputs:
                kind = type(x)
                if not (
                    x is self
                    or (kind is Tracer and x.recording is recording)
                    or kind in PLAIN_SCALARS
                    or (kind is np.ndarray and x.dtype.kind in "biufc")
                ):
                    break
            else:  # what the rest of this function would find, sooner
                try:
                    return recording.record(primitive, inputs, NO_PARAMS)
                except LeakedTracerError as error:
                    at_entrance(error)
                    raise
        for x in inputs:
            if type(x) is not Tracer and not is_operand(x):
                if _holds_arrays(x):
                    return NotImplemented
                if x is None and ufunc in (np.equal, np.not_equal):
                    return np.full(self.shape, ufunc is np.not_equal)[()]
                inputs = tuple(map(as_operand, inputs))
        if not is_strong and getattr(primitive, "keeps_weak", False) and all(map(is_weak, inputs)):
            inputs = (as_number(inputs[0]), *inputs[1:])
        if ufunc is np.power:
            inputs = (as_base(*inputs), inputs[1])
        try:
            result = apply_ufunc(ufunc, *inputs)
        except LeakedTracerError as error:
            at_entrance(error)
            raise
        return strong(result) if type(result) is Tracer else result

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> Any:
        if self.recording.is_plain:
            result = self.recording.call(function, arguments, options)
            if result is not NotImplemented:
                return result
        table = FUNCTIONS if len(arguments) > 2 or "out" in options else WITHOUT_OUT
        implementation = table.get(function)
        if implementation is None:
            module = getattr(function, "__module__", "numpy")
            raise unsupported(f"{module}.{function.__name__}")
        try:
            return implementation(*arguments, **options)
        except LeakedTracerError as error:
            at_entrance(error)
            raise


def new_tracer(
    recording: Recording, value: Any, variable: Any, place: Place | None = None
) -> Tracer:
    """A tracer in memory of its own."""
    tracer = Tracer()
    tracer.recording = recording
    tracer.value = value
    tracer.known_as = variable
    tracer.place = place
    tracer.memory = tracer.base = None
    return tracer


def as_scalar_result(x: Any) -> Any:
    """A derivative without axes as a scalar, or noted as one in a Program; all else as it is."""
    if type(x) is np.ndarray and not x.shape:
        return x[()]
    if type(x) is Tracer and not x.shape and x.innermost.value is UNKNOWN:
        x.innermost.known_as.is_scalar = True
    return x


def _copied_in(value: Any, order: Any) -> Any:
    """A value that is known, as a copy in this order of memory; the same where it lies so."""
    if type(value) is Tracer:
        return value.copy(order)
    if type(value) is not np.ndarray:
        return value
    flags = value.flags
    lies = {"C": flags.c_contiguous, "F": flags.f_contiguous}.get(order, flags.forc)
    return value if lies else value.copy(order)


# Operators, indexing and NumPy's protocols, on which speed depends, say it for themselves.
_ASKED = (
    "bool", "ceil", "complex", "contains", "copy", "deepcopy", "float", "floor", "hash",
    "index", "int", "iter", "reduce_ex", "round", "trunc",
)  # fmt: skip


enter_by_methods(Tracer, _ASKED)

tree.assume_leaf(Tracer)
