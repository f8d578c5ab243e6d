"""What goes into a transformed function and what comes out of it, and whether that fits."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, cast

import numpy as np

from functrace import tree
from functrace.errors import (
    ArgumentError,
    ArrayConversionError,
    AuxiliaryError,
    CotangentError,
    NonFloatLeafError,
    NonScalarOutputError,
    OperandError,
    OutputTypeError,
    TangentError,
    TreeStructureError,
)
from functrace.ir.types import WEAK_DTYPES, ArrayType, type_of
from functrace.tracing.tracer import Tracer, as_operand, source_of, user_place
from functrace.transforms.calling import call_apart

Argnums = int | Sequence[int]
"""One position, or several."""


OF_PYTHON_NUMBERS = (
    "Write 3.0 in place of 3, float(n) in place of n, or leave the argument out of argnums; "
    "allow_int=True gives None as the gradient of integers."
)
"""What to write for whole numbers of Python's that are differentiated."""


def checked_argnums(argnums: Any) -> Argnums:
    """The position, or positions, once they are known to be integers of which none is twice.

    Raises:
        ArgumentError: They are not.
    """
    if isinstance(argnums, int) and not isinstance(argnums, bool):
        return argnums
    are_several = isinstance(argnums, Iterable) and not isinstance(argnums, str)
    given: list[Any] = list(cast("Iterable[Any]", argnums)) if are_several else [argnums]
    numbers: list[int] = []
    for number in given:
        try:
            if isinstance(number, bool):
                raise TypeError
            numbers.append(operator.index(number))
        except TypeError:
            raise ArgumentError(
                f"argnums must hold integers, not {number!r}.",
                source_of(user_place(2)),
                "Write argnums=0 or argnums=(0, 1): the positions of arguments.",
            ) from None
    if len(set(numbers)) < len(numbers):
        raise ArgumentError(
            f"argnums={tuple(numbers)} names an argument twice.",
            source_of(user_place(2)),
            "Name each argument once.",
        )
    return tuple(numbers) if are_several else numbers[0]


class SelectedArguments:
    """The arguments at some positions, taken out of a call so that they can be replaced.

    Attributes:
        selected: The argument at the position, or the tuple of those at the positions.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        argnums: Argnums,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        """Find the arguments by position; those that were passed by keyword by their names.

        Raises:
            ArgumentError: There is no such argument, or a position is named twice.
        """
        self._f = f
        self._args = args
        self._kwargs = kwargs
        self.is_single = True
        if type(argnums) is int and 0 <= argnums < len(args):  # the commonest call
            self._places: tuple[int | str, ...] = (argnums,)
            self.selected: Any = args[argnums]
        elif isinstance(argnums, int):
            self._places = (_place(f, argnums, args, kwargs),)
            self.selected = self._value(self._places[0])
        else:
            self.is_single = False
            self._places = tuple([_place(f, argnum, args, kwargs) for argnum in argnums])
            if len(set(self._places)) != len(self._places):
                raise ArgumentError(f"argnums={tuple(argnums)} names an argument twice.")
            self.selected = tuple(self._value(place) for place in self._places)

    def _value(self, place: int | str) -> Any:
        return self._args[place] if isinstance(place, int) else self._kwargs[place]

    def call(self, replacements: Any, tracers: Sequence[Any] | None = None) -> Any:
        """Call the function with these in place of the selected arguments, and its own others.

        ``tracers`` are the leaves of the replacements, where they are known.
        """
        kwargs = self._kwargs
        if self.is_single:
            if len(self._args) == 1 and not kwargs:
                return self._f(replacements)
            replacements = (replacements,)
        args = list(self._args)
        for place, replacement in zip(self._places, replacements, strict=True):
            if isinstance(place, int):
                args[place] = replacement
            else:
                kwargs = {**kwargs, place: replacement}
        return call_apart(self._f, args, kwargs, self._places, tracers)

    def require_inexact(
        self, leaves: Sequence[Any], structure: tree.Structure, holomorphic: bool, allow_int: bool
    ) -> list[bool]:
        """Which of the leaves carry derivatives, as `require_inexact`."""

        def name_of(index: int) -> str:
            return self.leaf_name(structure.paths()[index])

        return require_inexact(leaves, name_of, holomorphic=holomorphic, allow_int=allow_int)

    def leaf_name(self, path: Sequence[Any]) -> str:
        """How the user would write the leaf at this path of the selected arguments."""
        place = self._places[0 if self.is_single else path[0].idx]
        rest = path if self.is_single else path[1:]
        name = parameter_name(self._f, place) if isinstance(place, int) else place
        return f"{name}{tree.keystr(tuple(rest))}"


def _place(
    f: Callable[..., Any], argnum: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> int | str:
    if not isinstance(argnum, int) or isinstance(argnum, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"argnums must hold integers, not {argnum!r}.",
            advice="Write argnums=0 or argnums=(0, 1).",
        )
    if -len(args) <= argnum < len(args):
        return argnum % len(args)
    name = parameter_name(f, argnum)
    if argnum >= 0 and name in kwargs:
        return name
    raise ArgumentError(
        f"argnums={argnum} asks for the derivative with respect to an argument that "
        f"{getattr(f, '__name__', 'the function')} did not get: it was called with {len(args)} "
        f"positional arguments and the keywords {sorted(kwargs)}.",
        advice="Pass the argument, or change argnums (the first argument has number 0).",
    )


def parameter_name(f: Callable[..., Any], position: int) -> str:
    """The name of a function's parameter, or ``argument 2`` where it has none."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return f"argument {position}"
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if 0 <= position < len(named):
        return named[position]
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL and position >= 0:
            return f"{parameter.name}[{position - len(named)}]"
    return f"argument {position}"


def primal_name(f: Callable[..., Any], path: Sequence[Any]) -> str:
    """How the user would write the leaf at this path of the tuple of arguments."""
    return f"{parameter_name(f, path[0].idx)}{tree.keystr(tuple(path[1:]))}"


def leaf_names(
    f: Callable[..., Any], structure: tree.Structure, positions: Sequence[int] | None = None
) -> list[str]:
    """How the user would write each leaf of a call's arguments: ``params['w']``.

    Args:
        f: The function that is called.
        structure: Of the pair of positional and keyword arguments.
        positions: Where the positional ones stand in the call; by default one after the other.
    """
    names: list[str] = []
    for top, second, *rest in structure.paths():
        if top == tree.SequenceKey(1):
            name = second.key
        else:
            name = parameter_name(f, second.idx if positions is None else positions[second.idx])
        names.append(f"{name}{tree.keystr(tuple(rest))}")
    return names


def operands(
    f: Callable[..., Any],
    leaves: Sequence[Any],
    structure: tree.Structure,
    owner: str,
    advice: str,
    positions: Sequence[int] | None = None,
) -> list[Any]:
    """The leaves of a call's arguments as operands.

    Args:
        f: The function that is called.
        leaves: The leaves.
        structure: Of the pair of positional and keyword arguments.
        owner: The transformation, for a message.
        advice: What to write in place of an argument that is no array.
        positions: As for `leaf_names`.

    Raises:
        ArgumentError: One is no array and no number.
    """
    found: list[Any] = []
    for number, leaf in enumerate(leaves):
        try:
            found.append(as_operand(leaf))
        except (OperandError, ArrayConversionError):
            dtype = f" of dtype {leaf.dtype}" if isinstance(leaf, np.ndarray) else ""
            name = leaf_names(f, structure, positions)[number]
            raise ArgumentError(
                f"{getattr(f, '__name__', 'The function')} under {owner} was called with a "
                f"{type(leaf).__qualname__}{dtype} as the argument {name}, which is no array and "
                "no number.",
                source_of(user_place(2)),
                f"{_to_register(leaf)}{advice}",
            ) from None
    return found


def _to_register(x: Any) -> str:
    """What to do with an object that may be a container of arrays."""
    if is_dataclass(x):
        how = f"functrace.tree.register_dataclass({type(x).__qualname__})"
    elif getattr(x, "__dict__", None) and not callable(x):
        how = f"functrace.tree.register({type(x).__qualname__}, flatten, unflatten)"
    else:
        return ""
    return f"If it is a container of arrays, register its class, {how}. If it is not: "


def require_inexact(
    leaves: Sequence[Any],
    name_of: Callable[[int], str],
    *,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> list[bool]:
    """Check that leaves can carry derivatives; tell of each whether it does.

    Raises:
        NonFloatLeafError: A leaf is no array, or holds integers without ``allow_int``.
    """
    return [
        _is_inexact(leaf, index, name_of, holomorphic=holomorphic, allow_int=allow_int)
        for index, leaf in enumerate(leaves)
    ]


def _is_inexact(
    leaf: Any, index: int, name_of: Callable[[int], str], *, holomorphic: bool, allow_int: bool
) -> bool:
    weak = WEAK_DTYPES.get(type(leaf))
    if weak is not None:
        kind = weak.kind
    elif type(leaf) is np.ndarray or isinstance(leaf, np.generic):
        kind = leaf.dtype.kind
    elif isinstance(leaf, np.ndarray) and isinstance(leaf, np.ma.MaskedArray | np.matrix):
        raise NonFloatLeafError(
            f"The argument {name_of(index)} is differentiated, but is a "
            f"{type(leaf).__qualname__}, which is not an ordinary array.",
            advice="Convert it first: np.asarray(x), or x.filled(0) where masked elements count "
            "as zeros.",
        )
    else:
        try:
            kind = type_of(leaf).dtype.kind
        except TypeError:
            raise NonFloatLeafError(
                f"The argument {name_of(index)} is differentiated, but is a "
                f"{type(leaf).__qualname__}, which is no array and no number.",
                advice="Leave it out of argnums, or, if it is a container of arrays, register "
                "its class with functrace.tree.register or register_dataclass.",
            ) from None
    if holomorphic and kind == "f":
        raise NonFloatLeafError(
            f"The argument {name_of(index)} is real, but holomorphic=True asks for the complex "
            "derivative.",
            advice="Pass complex arguments, or leave out holomorphic.",
        )
    if kind in "fc":
        return True
    if kind in "biu" and allow_int:
        return False
    raise NonFloatLeafError(
        f"The argument {name_of(index)} is differentiated, but has the type {type_of(leaf)}."
        if kind in "biu"
        else f"The argument {name_of(index)} is differentiated, but has the dtype "
        f"{type_of(leaf).dtype}, which is not numeric.",
        advice=OF_PYTHON_NUMBERS if weak is not None else None,
    )


def differentiated_arguments(
    f: Callable[..., Any],
    argnums: Argnums,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    holomorphic: bool,
    allow_int: bool,
) -> tuple[SelectedArguments, list[Any], tree.Structure, list[bool]]:
    """The selected arguments and their leaves, once they are known to carry derivatives."""
    arguments = SelectedArguments(f, argnums, args, kwargs)
    leaves, structure = tree.flatten(arguments.selected)
    for leaf in leaves:
        kind = type(leaf)
        # Of most leaves the first looks tell.
        if holomorphic or not (
            kind is np.float64 or kind is float or (kind is np.ndarray and leaf.dtype.kind == "f")
        ):
            is_active = arguments.require_inexact(leaves, structure, holomorphic, allow_int)
            return arguments, [*map(as_operand, leaves)], structure, is_active
    return arguments, leaves, structure, [True] * len(leaves)


# Outputs and cotangents


def split_aux(output: Any, has_aux: bool) -> tuple[Any, Any]:
    """A function's result as output and auxiliary data.

    Raises:
        AuxiliaryError: Under ``has_aux`` the result is no pair.
    """
    if not has_aux:
        return output, None
    if not isinstance(output, tuple) or len(output) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise AuxiliaryError(
            f"Under has_aux=True the function returned a {type(output).__qualname__}, not a pair."  # pyright: ignore[reportUnknownArgumentType]
        )
    return output  # pyright: ignore[reportUnknownVariableType]


def seed_of(value: Any, f: Callable[..., Any], holomorphic: bool) -> Any:
    """The cotangent 1 of a scalar output, where the gradient begins.

    Raises:
        NonScalarOutputError: The output is not one number.
        OutputTypeError: It is not a real floating-point number (a complex one, if holomorphic).
    """
    if type(value) is np.float64 and not holomorphic:
        return _ONE
    name = getattr(f, "__name__", "the function")
    try:
        type_ = type_of(value)
    except TypeError:
        raise NonScalarOutputError(
            f"The gradient of {name} was asked for, but its output is a "
            f"{type(value).__qualname__}, not one number."
        ) from None
    if type_.shape != ():
        raise NonScalarOutputError(
            f"The gradient of {name} was asked for, but its output has shape {type_.shape}."
        )
    require_differentiable_output(type_, f, holomorphic)
    return type_.dtype.type(1)


_ONE = np.float64(1.0)


def require_differentiable_output(
    type_: ArrayType, f: Callable[..., Any], holomorphic: bool
) -> None:
    """Check that an output's dtype can be differentiated.

    Raises:
        OutputTypeError: It cannot, or not in the way that ``holomorphic`` asks for.
    """
    name = getattr(f, "__name__", "the function")
    kind = type_.dtype.kind
    if holomorphic and kind != "c":
        raise OutputTypeError(
            f"holomorphic=True was given, but the output of {name} has the type {type_}.",
            advice="Leave out holomorphic, or return a complex number.",
        )
    if kind == "c" and not holomorphic:
        raise OutputTypeError(
            f"The output of {name} has the type {type_}; a gradient needs a real output.",
            advice="Return a real number, such as np.abs(z) or np.real(z), or give "
            "holomorphic=True where the function is complex differentiable.",
        )
    if kind not in "fc":
        raise OutputTypeError(
            f"The output of {name} has the type {type_}; a gradient needs a floating-point one.",
            advice="Return a floating-point number: integers have no derivative.",
        )


def fits(given: ArrayType, expected: ArrayType) -> bool:
    """Whether a tangent or cotangent can stand where one of the expected type must.

    Python numbers take on its dtype, but that complex ones do not become real.
    """
    if given.shape != expected.shape:
        return False
    if given.weak:
        return given.dtype.kind != "c" or expected.dtype.kind == "c"
    return given.dtype == expected.dtype


def checked_cotangents(
    cotangent: Any, structure: tree.Structure, types: Sequence[ArrayType]
) -> list[Any]:
    """The leaves of a cotangent given to a pullback, once they are known to fit.

    A leaf that is None is a zero cotangent, and the only one that integers have.

    Raises:
        CotangentError: The structure, a shape or a dtype differs from the output's.
    """
    leaves, given = tree.flatten(cotangent)
    if given != structure:
        leaves = _leaves_or_none(cotangent, structure)
    if leaves is None:
        difference = tree.first_difference(structure, cotangent)
        raise CotangentError(
            f"The pullback got a cotangent whose structure is not the output's. {difference}",
            source_of(user_place(2)),
        )
    checked: list[Any] = []
    for number, (leaf, expected) in enumerate(zip(leaves, types, strict=True)):
        if leaf is None:
            checked.append(None)
            continue
        try:
            actual = type_of(leaf)
        except TypeError:
            actual = None
        if actual is None or not fits(actual, expected):
            raise CotangentError(
                f"The pullback got a cotangent of type {actual or type(leaf).__qualname__} for "
                f"the output{tree.keystr(structure.paths()[number])} of type {expected}.",
                source_of(user_place(2)),
            )
        weak = actual.weak and not isinstance(leaf, Tracer)
        is_number = weak and expected.is_inexact
        checked.append(expected.dtype.type(leaf) if is_number else as_operand(leaf))
    return checked


def _leaves_or_none(cotangent: Any, structure: tree.Structure) -> list[Any] | None:
    """The leaves of a tree in which None may stand for a leaf; None if it has another structure."""
    try:
        parts = structure.flatten_up_to(cotangent)
    except TreeStructureError:
        return None
    are_leaves = all(part is None or tree.structure(part) is tree.LEAF for part in parts)
    return parts if are_leaves else None


def checked_tangents(
    tangents: Any,
    structure: tree.Structure,
    types: Sequence[ArrayType],
    f: Callable[..., Any] | None = None,
) -> list[Any]:
    """The tangent of each leaf of the primals, None for zero, once they are known to fit.

    Raises:
        TangentError: The structure, a shape or a dtype differs from the primals'.
    """
    try:
        leaves = structure.flatten_up_to(tangents)  # None among the primals is an empty tree
    except TreeStructureError:
        difference = tree.first_difference(structure, tangents)
        raise TangentError(
            f"The tangents do not have the structure of the primals. {difference}",
            source_of(user_place(2)),
        ) from None
    checked: list[Any] = []
    for number, (tangent, expected_type) in enumerate(zip(leaves, types, strict=True)):
        if tangent is None:
            checked.append(None)
            continue
        try:
            actual = type_of(tangent)
        except TypeError:
            actual = None
        takes_one = expected_type.is_inexact
        if actual is None or not takes_one or not fits(actual, expected_type):
            path = structure.paths()[number]
            name = f"leaf tangents{tree.keystr(path)}"
            if f is not None:
                name = f"tangent of the argument {primal_name(f, path)}"
            if not takes_one:
                raise TangentError(
                    f"A {name} is given, but what it belongs to has the type {expected_type}, "
                    "and takes none.",
                    source_of(user_place(2)),
                    "Give None as its tangent, or make it a floating-point number: 1.0 in place of "
                    "1, x.astype(float) for an array.",
                )
            raise TangentError(
                f"The {name} has the type "
                f"{actual or type(tangent).__qualname__}, the argument itself {expected_type}.",
                source_of(user_place(2)),
            )
        weak = actual.weak and not isinstance(tangent, Tracer)
        checked.append(expected_type.dtype.type(tangent) if weak else as_operand(tangent))
    return checked
