"""Random programs through machine code, NumPy's source and plain evaluation, which must agree.

``python -m tests.backends.native.fuzz N`` runs N of them; `--seed` says where to begin. What fails
is made shorter and printed, so that it can be run by itself. With `--short` programs have few
lines, and LLVM optimizes one of 128: that takes a tenth of the time.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import llvmlite.binding as llvm
import numpy as np

import functrace as ft
from functrace.backends.native import elements, lowering, machine, memory, tables, tiles
from functrace.backends.settings import settings
from tests.backends.native.drawing import SHORT, USUAL, Drawn, draw, shrunk


class DifferenceError(AssertionError):
    """What machine code makes is not what NumPy makes."""


SMALL_TILES = {"LARGE": 1, "LEAST": 2, "MOST": 3, "ALIGNED": 1, "HELD": 1}
"""With these, what is done with the rows of large arrays is done with those of any."""


@contextmanager
def small_limits(seed: int) -> Generator[None]:
    """For every other seed, what is done with large arrays is done with small ones as well.

    For every third one what is done in long Programs is done in short ones as well, and for every
    fourth one rows are done in tiles.
    """
    longest = tables.LONGEST if seed % 3 else -1
    memory_limits = _small_memory() if seed % 2 else nullcontext()
    tile_limits = nullcontext() if seed % 4 else mock.patch.multiple(tiles, **SMALL_TILES)
    with mock.patch.object(tables, "LONGEST", longest), memory_limits, tile_limits:
        yield


@contextmanager
def _small_memory() -> Generator[None]:
    with (
        mock.patch.object(memory, "ON_STACK", 16),
        mock.patch.object(lowering, "EMBEDDED", 16),
        mock.patch.object(elements, "MANY", 4),
    ):
        yield


@contextmanager
def hardly_optimized() -> Generator[None]:
    """LLVM does not optimize, and nothing is kept on disk."""

    def as_written(text: str, target: Any) -> Any:
        return machine._parsed(text, target, llvm.create_context())

    kept = settings.cache
    settings.cache = False
    try:
        with mock.patch.multiple(machine, SPEED=0, _optimized=as_written):
            yield
    finally:
        settings.cache = kept


def result(f: Callable[..., Any], args: Sequence[Any]) -> Any:
    """What a function returns or raises; warnings are not of interest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return f(*args)
        except Exception as error:  # noqa: BLE001  (it is the result)
            return error


LAYOUTS = 9
"""In so many ways arguments lie in memory."""


def copies(args: Sequence[Any], layout: int = 0) -> tuple[Any, ...]:
    """Arguments of their own, which lie in memory in one of some ways.

    By the last one, those of one type are the same memory, forwards and backwards, so that they
    are other numbers as well.
    """
    made: list[Any] = []
    for n, x in enumerate(args):
        own = (layout + n) % (LAYOUTS - 1) if layout else 0
        laid = _laid(x, own) if isinstance(x, np.ndarray) else x
        for other in made if layout == LAYOUTS - 1 and isinstance(x, np.ndarray) else ():
            if type(other) is np.ndarray and other.ndim and other.shape == x.shape:
                laid = other[::-1] if other.dtype == x.dtype else laid
        made.append(laid)
    return tuple(made)


def _laid(x: np.ndarray, layout: int) -> np.ndarray:
    """A copy of an array, in some order.

    In rows, columns, with gaps, backwards, unaligned, read-only, with its bytes swapped, and with
    all rows in the place of the first one.
    """
    if layout == 1:
        return np.array(x, order="F")
    if layout == 2:
        return np.repeat(x[..., None], 2, -1)[..., 1]
    if layout == 3 and x.ndim:
        return np.array(x[::-1])[::-1]
    if layout == 4:
        place = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
        place[...] = x
        return place
    if layout == 6:
        return x.astype(x.dtype.newbyteorder())
    if layout == 7 and x.ndim and len(x):
        return np.broadcast_to(np.array(x[:1]), x.shape)
    made = np.array(x)
    made.flags.writeable = layout != 5
    return made


def loss(f: Callable[..., Any], real: Sequence[int]) -> Callable[..., Any]:
    """A number that depends on all real outputs, beside them, and its gradient."""

    def total(*args: Any) -> Any:
        outputs = [np.asarray(y) if not hasattr(y, "dtype") else y for y in f(*args)]
        parts = [y for y in outputs if y.dtype.kind == "f"]
        parts += [part for y in outputs if y.dtype.kind == "c" for part in (y.real, y.imag)]
        found = [np.sum(np.sin(y * 0.7)) for y in parts]
        return sum(found) + sum(0.01 * np.sum(args[n]) for n in real), outputs

    return ft.value_and_grad(total, argnums=tuple(real), has_aux=True)


# How values are compared


def compare(
    found: Any,
    expected: Any,
    unit: float,
    spread: Sequence[Any] = (),
    *,
    classes: bool = True,
) -> None:
    """Compare two results.

    Args:
        found: One result.
        expected: What it should be, but for rounding.
        unit: The largest relative error of one rounding.
        spread: What else it would be if the arguments were others by a few roundings.
        classes: Whether they must be of the same class, too.

    Raises:
        DifferenceError: They differ in structure, class, dtype, shape or value.
    """
    if isinstance(expected, Exception) or isinstance(found, Exception):
        if type(found) is not type(expected):
            raise DifferenceError(f"{found!r} is not {expected!r}")
        return
    one, other = ft.tree.leaves(found), ft.tree.leaves(expected)
    if len(one) != len(other):
        raise DifferenceError(f"{len(one)} outputs and not {len(other)}")
    around = [ft.tree.leaves(x) for x in spread if not isinstance(x, Exception)]
    for number, (x, y) in enumerate(zip(one, other, strict=True)):
        if classes and type(x) is not type(y):
            raise DifferenceError(f"output {number} is of {type(x)} and not {type(y)}")
        a, b = np.asarray(x), np.asarray(y)
        if a.dtype != b.dtype or a.shape != b.shape:
            raise DifferenceError(
                f"output {number} is {a.dtype}{a.shape} and not {b.dtype}{b.shape}"
            )
        if not agree(a, b, unit, [np.asarray(z[number]) for z in around if len(z) == len(other)]):
            raise DifferenceError(f"output {number} {difference(a, b)}")


def difference(a: np.ndarray, b: np.ndarray) -> str:
    """What differs most, in words."""
    wide = complex if a.dtype.kind == "c" else float
    apart = np.abs(a.astype(wide) - b.astype(wide))
    where = np.unravel_index(int(np.argmax(np.nan_to_num(apart, nan=np.inf))), apart.shape)
    at = tuple(map(int, where))
    return f"of {a.dtype}{a.shape} is {a[at]!r} and not {b[at]!r} at {at}, by {apart[at]:.3g}"


def agree(a: np.ndarray, b: np.ndarray, unit: float, around: Sequence[np.ndarray]) -> bool:
    """Whether two arrays are equal, but for rounding."""
    if a.dtype.kind == "c" == b.dtype.kind:
        return agree(a.real, b.real, unit, [z.real for z in around]) and agree(
            a.imag, b.imag, unit, [z.imag for z in around]
        )
    if a.dtype.kind != "f":
        same = a == b
        for z in around:
            same |= b != z
        return bool(np.all(same))
    unit = max(unit, float(np.finfo(a.dtype).eps))
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(b), initial=1.0, where=np.isfinite(b))
        bound = 1000 * unit * max(1.0, float(scale)) + np.zeros(b.shape)
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= bound)
        for z in around:
            if z.shape == b.shape:
                moved = np.abs(z.astype(float) - b)
                same |= np.abs(a.astype(float) - b) <= 300 * moved
                same |= np.isnan(moved) | np.isinf(moved)
    return bool(np.all(same))


def nearby(args: Sequence[Any], unit: float) -> list[tuple[Any, ...]]:
    """The arguments, moved by a few roundings."""
    rng = np.random.default_rng(1)

    def moved(x: Any) -> Any:
        if np.asarray(x).dtype.kind not in "fc":
            return x
        noise = 4 * max(unit, np.finfo(x.dtype).eps) * (rng.random(np.shape(x)) - 0.5)
        near = x * (1 + noise.astype(x.dtype))
        return near if isinstance(x, np.ndarray) and np.shape(x) else type_as(near, x)

    return [tuple(moved(x) for x in args) for _ in range(4)]


def type_as(x: Any, example: Any) -> Any:
    """A value without axes as an array or a scalar, as another one."""
    return np.asarray(x) if isinstance(example, np.ndarray) else np.asarray(x)[()]


def check(f: Callable[..., Any], args: Sequence[Any], unit: float = 0.0, layout: int = 0) -> None:
    """Compare machine code, NumPy's source and plain evaluation, where that raises nothing.

    Args:
        f: The function.
        args: Its arguments.
        unit: The largest relative error of a rounding within it.
        layout: How arguments lie in memory.

    Raises:
        DifferenceError: They differ, or outputs share memory.
    """
    plain = result(f, copies(args, layout))
    if isinstance(plain, Exception):
        return
    by_numpy = result(ft.jit(f, backend="numpy"), copies(args, layout))
    native = ft.jit(f, backend="native")
    given = copies(args, layout)
    found = result(native, given)
    if isinstance(by_numpy, Exception) and not isinstance(found, Exception):
        raise DifferenceError(f"{found!r} though NumPy raises {by_numpy!r}")
    if by_numpy_fails := isinstance(by_numpy, Exception):
        compare(found, by_numpy, unit)
    args = copies(args, layout)  # as numbers they are others where they overlap
    for before, after in zip(args, given, strict=True):
        if not np.array_equal(before, after, equal_nan=np.asarray(before).dtype.kind in "fc"):
            raise DifferenceError("an input was written")
    if by_numpy_fails:
        return
    try:
        compare(found, by_numpy, unit)
        compare(found, plain, unit, classes=False)
    except DifferenceError:
        spread = [result(f, near) for near in nearby(args, unit)]
        compare(found, by_numpy, unit, spread)
        compare(found, plain, unit, spread, classes=False)
    outputs = [x for x in ft.tree.leaves(found) if isinstance(x, np.ndarray)]
    for number, x in enumerate(outputs):
        if any(np.shares_memory(x, y) for y in [*outputs[:number], *given]):
            raise DifferenceError(f"output {number} shares its memory")
    before = [np.array(x) for x in ft.tree.leaves(found)]
    for x in outputs:
        x[...] = 1
    again = [np.asarray(x) for x in ft.tree.leaves(result(native, given))]
    if all(x.tobytes() == y.tobytes() for x, y in zip(before, again, strict=True)):
        return
    is_machine_code = "inputs):" in native.source(*given).split("\n")[0]
    for x, y in zip(before, again, strict=True):
        # The bits of nan tell nothing, and those of BLAS hang on where its arrays lie.
        same = np.array_equal(x, y, equal_nan=x.dtype.kind in "fc")
        if not (same or (not is_machine_code and agree(x, y, unit, ()))):
            raise DifferenceError("the second call gives something else")


def check_drawn(drawn: Drawn, *, is_short: bool = False) -> None:
    """Compare a function, and its gradient.

    Args:
        drawn: The function.
        is_short: Whether to compare but one of the two.

    Raises:
        DifferenceError: What was compiled differs.
    """
    f = drawn.function()
    text = str(drawn)
    narrow = [x for x in (np.float16, np.float32) if x.__name__ in text]
    narrow += [np.float32] if "complex64" in text else []
    unit = float(np.finfo(narrow[0]).eps) if narrow else 0.0
    layout = drawn.seed % LAYOUTS if is_short else 0
    with small_limits(drawn.seed):
        if not is_short or drawn.seed // 12 % 2:
            check(f, drawn.args, unit, layout)
        if not is_short or not drawn.seed // 12 % 2:
            real = [n for n, x in enumerate(drawn.args) if np.asarray(x).dtype.kind == "f"]
            check(loss(f, real), drawn.args, unit, layout)


def fault(drawn: Drawn, *, is_short: bool = False) -> Exception | None:
    """What is wrong with machine code of a function, if anything."""
    try:
        check_drawn(drawn, is_short=is_short)
    except Exception as error:  # noqa: BLE001  (it is the result)
        return error
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run programs, and print those that fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--short", action="store_true", help="short ones, hardly optimized")
    parser.add_argument("--as-drawn", action="store_true", help="do not make it shorter")
    options = parser.parse_args(arguments)
    failed, begin = 0, time.perf_counter()
    for seed in range(options.seed, options.seed + options.count):
        sys.stderr.write(f"{seed} ")
        with hardly_optimized() if options.short and seed % 128 else nullcontext():
            drawn = draw(seed, SHORT if options.short else USUAL)
            error = fault(drawn, is_short=options.short)
            if error is None:
                continue
            failed += 1
            if not options.as_drawn:
                kind = type(error)

                def fails(shorter: Drawn, kind: type = kind) -> bool:
                    return type(fault(shorter, is_short=options.short)) is kind

                drawn = shrunk(drawn, fails)
                error = fault(drawn, is_short=options.short) or error
        sys.stdout.write(f"\n{drawn}\n{type(error).__name__}: {error}\n")
        sys.stdout.flush()
    seconds = time.perf_counter() - begin
    sys.stdout.write(f"\n{options.count} programs in {seconds:.0f} s, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
