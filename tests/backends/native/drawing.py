"""Functions drawn at random: whole programs of plain NumPy, with loops and choices.

A function is drawn statement by statement. Each one is run at once on an example, so that what is
drawn next knows the shapes, the dtypes and the sizes of all values; a statement that NumPy does not
take, or that makes what is too large, is drawn again. The result is text, so that a function which
shows a fault can be read, kept and run by anybody, and `shrunk` makes it shorter.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import functrace as ft
import functrace.numpy as fnp
import functrace.scipy.special

LARGEST = 1e4
"""Numbers stay smaller than this, so that few digits are lost."""

MOST = 400
"""So many elements a value has at most."""

NAMESPACE: dict[str, Any] = {"np": np, "ft": ft, "fnp": fnp}


class Statement(NamedTuple):
    """A line, or a function with its lines.

    Attributes:
        text: The line, or the first line of the function.
        body: The lines of the function.
        last: The last line of the function.
    """

    text: str
    body: tuple[Statement, ...] = ()
    last: str = ""

    def lines(self, indent: str = "    ") -> Iterator[str]:
        """Its text."""
        yield indent + self.text
        for statement in self.body:
            yield from statement.lines(indent + "    ")
        if self.last:
            yield f"{indent}    {self.last}"


class Drawn(NamedTuple):
    """A function.

    Attributes:
        seed: What it was drawn from.
        args: Its arguments.
        body: Its statements.
        outputs: The names of its outputs.
    """

    seed: int
    args: tuple[Any, ...]
    body: tuple[Statement, ...]
    outputs: tuple[str, ...]

    def text(self) -> str:
        """The function as text."""
        names = ", ".join(f"x{number}" for number in range(len(self.args)))
        lines = [line for statement in self.body for line in statement.lines()]
        outputs = f"    return ({', '.join(self.outputs)},)"
        return "\n".join([f"def drawn({names}):", *lines, outputs])

    def function(self) -> Callable[..., Any]:
        """The function."""
        names = dict(NAMESPACE)
        exec(compile(self.text(), f"<drawn {self.seed}>", "exec"), names)
        return names["drawn"]

    def __str__(self) -> str:
        given = ",\n    ".join(
            f"np.array({np.asarray(x).tolist()!r}, np.{np.asarray(x).dtype.name})"
            f".reshape({np.shape(x)})" + ("[()]" if isinstance(x, np.generic) else "")
            for x in self.args
        )
        return f"# seed {self.seed}\n{self.text()}\n\nargs = (\n    {given},\n)"


# What is drawn

# A value is written as its kinds: f for floating point, i for whole numbers, b for booleans,
# z for complex numbers, n for a number of any of the first two, v for anything. What follows is a
# distance, so that no result hangs on the last bit of a number.
ELEMENTWISE = """
np.sin({f})|np.cos({f})|np.tanh({f})|np.exp(-np.abs({f} + 0.37))|np.sqrt({f} * {f} + 1.0)
np.log1p({f} * {f})|np.arctan({f})|{f} ** 2|{f} ** 3|({f} * {f} + 0.3) ** 0.7|-{f}|+{f}
np.square({f})|np.expm1(np.tanh({f}))|np.abs({f} + 0.37)|1.0 / ({f} * {f} + 0.9)|{f} * 0.5
np.log(np.exp({f} * 0.1) + 1.0)|np.sinh(np.tanh({f}))|np.arcsinh({f})|np.cbrt({f} + 9.3)
np.floor({f} * 1.1 + 0.37)|np.rint({f} + 0.21)|np.sign({f} - 0.37)|np.ceil({f} - 0.11)
np.trunc({f} + 0.17)|np.clip({f}, -0.71, 0.83)|{f} - 1|2 * {f}|{f} / 3|np.exp2(np.sin({f}))
{f} + {f}|{f} - {f}|{f} * {f}|{f} + {f} * {f}|{f} / ({f} * {f} + 1.3)|{f} * {f} - {f} * {f}
np.maximum({f}, {f} + 0.137)|np.minimum({f}, 0.37)|np.hypot({f}, {f} + 3.1)
np.arctan2({f}, np.abs({f}) + 1.3)|np.logaddexp({f}, {f})|np.copysign({f}, {f} + 0.173)
np.where({b}, {f}, {f})|np.where({b}, {f}, 0.0)|np.where({f} > 0.37, {f}, -{f})
np.where({b}, {n}, {n})|np.fmax({f}, {f} + 0.11)|np.heaviside({f} - 0.371, 0.5)
np.power(np.abs({f}) + 0.7, np.tanh({f}))|np.mod({f} + 0.0137, 0.7)|np.fmin({f}, 0.77)
{i} + {i}|{i} - {i}|{i} * {i}|{i} // 3|{i} % 5|-{i}|np.abs({i})|np.maximum({i}, {i})
{i} * {f}|{i} & {i}|{i} ^ {i}|~{i}|{i} << 2|{i} >> 1|np.minimum({i}, 2)|{i} ** 2
np.sign({i})|{i} // ({i} * {i} + 1)|{i} % ({i} * {i} + 1)|np.square({i})|{i} + {b}|{i} / 4
{f} + {i}|{f} > 0.373|{f} < {f} - 0.0713|{i} > 1|{i} == {i}|{i} != 0|{b} & {b}|{b} ^ {b}
np.logical_and({b}, {i} > 0)|np.logical_not({b})|np.isfinite({f})|np.isnan({f})
{i} <= {f} + 0.371|{f}.astype(np.float32)|{f}.astype(np.float64)|{i}.astype(np.int32)
{b}.astype(np.int64)|{i}.astype(np.int8)|{i}.astype(np.uint8)|{i}.astype(np.float32)
{b} * {f}|{f} * {b}.astype(float)|np.floor({f} + 0.37).astype(np.int64)|{i}.astype(bool)
{i}.astype(np.int64)|ft.nn.relu({f} - 0.21)|{v}.copy()|fnp.array({v})|np.zeros_like({f})
np.ones_like({i})|np.full_like({f}, 0.7)
"""

SHAPES = """
{v}.T|{v}[::-1]|{v}[1:]|{v}[:-1]|{v}[..., 0]|{v}[0]|{v}[-1]|{v}[:, None]|{v}[None]|{v}[::2]
{v}[1:-1:2]|{v}[..., ::-1]|{v}[::-2]|{v}[:, 1:]|{v}[1]|{v}[2:, :1]|{v}[1:1]|{v}[..., None]
{v}.reshape(-1)|{v}.ravel()|{v}.T.reshape({v}.shape)|{v}.reshape(2, -1)|{v}.reshape(-1, 3)
np.swapaxes({v}, 0, 1)|np.swapaxes({v}, 0, -1)|np.moveaxis({v}, 0, -1)
np.expand_dims({v}, 0)|np.squeeze({v})|np.flip({v})|np.flip({v}, -1)|np.roll({v}, 1)
np.roll({v}, -2, 0)|np.roll({v}, 1, -1)|np.roll({v}, (1, -1), (0, 1))|np.pad({v}, 1)
np.pad({v}, ((0, 1), (2, 0)))|np.tile({v}, 2)|np.repeat({v}, 2, 0)|np.repeat({v}, 2)
np.diff({f})|np.diff({f}, axis=0)|np.diagonal({v})|np.broadcast_to({v}, (2, 3))
np.broadcast_to({v}, (3,))|np.broadcast_to({v}, (2, *{v}.shape))|np.concatenate([{v}, {v}])
np.concatenate([{v}, {v}], axis=-1)|np.concatenate([{v}.ravel(), {v}.ravel()])
np.stack([{f}, {f}])|np.stack([{v}, {v}], axis=-1)|np.stack([{f}, {f}, {f}], axis=1)
np.hstack([{v}, {v}])|np.split({v}, 2)[1]|np.split({v}, [1], axis=-1)[0]|np.diagonal({v}, 1)
np.tril({f})|np.triu({f}, 1)|{v}[{n1}]|{v}[{n1}, 1:]|{v}[..., {n1}]|{v}[{n1}, {n1}]
{v}[[0, -1]]|{v}[:, [1, 0, 0]]|{v}[np.abs({i}) % 2]|{v}[{i1}]|np.take({v}, {i1} % 2)
np.take({v}, {i1}, 0)|{v}[..., {i1}]|{v}[{i1}, {i1}]|{v}[{n1}:{n1} + 2]|np.atleast_2d({v})
{v}[({v}.shape[0] - 1) // 2]|np.diag({f})|np.rot90({v})
np.take_along_axis({v}, np.abs({i}) % 2, 0)|np.meshgrid({v}, {v})[0]|{v}[:, 0, ::-1]
"""

REDUCTIONS = """
np.sum({v}{axis})|np.mean({f}{axis})|np.max({v}{axis})|np.min({f}{axis})|np.prod({f}{axis})
np.sum({f}{axis})|np.sum({i}{axis})|np.var({f}{axis})|np.std({f}{axis})|np.any({b}{axis})
np.all({b}{axis})|np.sum({f} * {f}{axis})|np.linalg.norm({f})|np.trace({f})|np.cumsum({f})
np.cumsum({f}, 0)|np.log(np.sum(np.exp({f}){axis}))|np.argmax({f})|np.argmin({f}, axis=0)
np.max({f}{axis}) - {f}|np.sum({f}, where={b})|np.sum({f}, dtype=np.float64)
np.mean({i}{axis})|np.count_nonzero({b})|np.cumprod({f}, -1)|np.sort({f})|np.max({i}{axis})
np.sum({b}{axis})|np.ptp({f})|np.average({f})
"""

CONTRACTIONS = """
{f} @ {f}|{f} @ {f}.T|{f}.T @ {f}|np.dot({f}, {f})|np.outer({f}, {f})
np.tensordot({f}, {f}, 1)|np.einsum('ij,jk->ik', {f}, {f})|np.einsum('ij,kj->ki', {f}, {f})
np.einsum('i,j->ji', {f}, {f})|np.einsum('ij,j->i', {f}, {f})|np.einsum('ij,i->j', {f}, {f})
np.einsum('ij,ij->', {f}, {f})|np.einsum('bij,bjk->bik', {f}, {f})
np.einsum('ijk,ij->k', {f}, {f})|np.einsum('ii->i', {f})|np.einsum('ij,ij->j', {f}, {f})
np.einsum('i,i', {f}, {f})|np.vdot({f}, {f})|np.inner({f}, {f})
np.einsum('ijk,kl->lij', {f}, {f})|np.tensordot({f}, {f}, 2)|np.kron({f}, {f})
{f} @ {f}[::-1]|np.matmul({f}, {f})|np.einsum('ij->ji', {v})|np.einsum('ij->j', {f})
{i} @ {i}
"""

IN_PLACE = """
{w}[{n1}] = {m}|{w}[{n1}] += {m}|{w}[0] = {m}|{w}[-1] += {m}|{w}[1:] = {m}|{w}[1:] += {m}
{w}[1:-1] = {w}[2:] + {w}[:-2]|{w}[::2] *= 0.5|{w}[:, 0] = {m}|{w}[..., -1] += {m}
{w}[::-1] = {w} * 0.5|{w}[{i1} % 2] = 0.4|{w}[{i1}] = {m}|{w}[{i1} % 2] += {m}|{w}[{i1}] += {m}
{w}[:, {n1}] = 0.7|{w}[{n1}, 1:] = {m}|{w} += {m}|{w} *= {m}|{w}[{n1}, {n1}] += {m}
{w}[[0, 1]] = {m}|{w}[{b}] = 0.3|{w}[:] = {m}|np.add.at({w}, {i1} % 2, {m})|{w}[1:] += {w}[:-1]
{w}[{n1}] = {w}[{n1}] * 0.5 + {m}|{w}[...] = {w}[::-1]|{w}[1:1] = 2.0|{w}[{n1}] -= {f}[{n1}]
{w}[::-2] = {m}|{w}[:, ::-1] += {m}|{w}[:2] = {w}[-2:]
"""

AXES = (
    "", "", ", axis=0", ", axis=-1", ", axis=1", ", axis=(0, 1)", ", axis=0, keepdims=True",
    ", axis=-1, keepdims=True", ", keepdims=True", ", axis=(0, -1)", ", axis=(0, 2)",
)  # fmt: skip


def _templates(text: str) -> list[str]:
    return [part for line in text.split("\n") for part in line.split("|") if part]


LINEAR = """
np.linalg.solve({s} @ {s}.T + 2.0 * np.eye(len({s})), {f})
np.linalg.inv({s} + 9.0 * np.eye(len({s})))
np.linalg.cholesky({s} @ {s}.T + 2.0 * np.eye(len({s})))
np.linalg.det({s} @ {s}.T + np.eye(len({s})))
np.linalg.slogdet({s} @ {s}.T + 2.0 * np.eye(len({s})))[1]|np.linalg.eigvalsh({s} + {s}.T)
ft.nn.softmax({f})|ft.scipy.special.erf({f})|ft.scipy.special.erfc({f})
ft.scipy.special.log_softmax({f})|np.maximum.accumulate({f})|np.argsort({f})|np.median({f})
np.convolve({f}, {f})|np.log2({f} * {f} + 0.3)|np.add.accumulate({f}, -1)|np.cumsum({i})
np.sort({i})|np.sinc({f} + 0.13)|np.log10({f} * {f} + 0.3)
np.interp({f}, np.array([-1.0, 0.1, 1.2]), np.array([0.3, -0.2, 0.9]))|np.cross({f}, {f})
np.arcsin(np.tanh({f}) * 0.9)|np.arccosh(np.abs({f}) + 1.7)|np.arctanh(np.tanh({f}) * 0.8)
np.tan(np.tanh({f}))|np.cosh(np.sin({f}))|np.fmod({f} + 0.0137, 0.9)
np.float_power(2.0, np.sin({f}))|np.searchsorted(np.array([-1.0, 0.1, 1.2]), {f} + 0.0131)
ft.scipy.special.logsumexp({f})|np.linalg.norm({f}, axis=-1)
"""

OTHER_DTYPES = """
{f} + 1j * {f}|{z} * {z}|{z} + {f}|{z} - 0.5j|{z} * {f}|np.abs({z} + 0.37)|{z}.real|{z}.imag
np.conj({z})|np.exp({z} * 0.1j)|{z} / ({z} * np.conj({z}) + 1.3)|np.sum({z}{axis})|{z} @ {z}
np.real({z} * np.conj({z}))|np.where({b}, {z}, 0.0)|{z} ** 2|np.mean({z}{axis})|np.angle({z} + 9.3)
{f}.astype(np.float16)|{i}.astype(np.int16)|{i}.astype(np.uint16)|{i}.astype(np.uint32)
{i}.astype(np.uint64)|{i} + 40000|{i} * 250|{i} >> {i} % 3|{i} << {i} % 3|np.invert({i})
np.floor_divide({i}, 3)|np.divmod({i}, 3)[1]|np.gcd({i}, 6)|np.bitwise_count({i})|{i} @ {i}
np.minimum.accumulate({i})|np.cumprod({i} % 3)|np.bitwise_xor.reduce({i})|np.prod({i} % 3{axis})
np.maximum({i}, {f})|np.sum({i}, dtype=np.int16)|{i}.astype(np.float16)|{b} > {b}
np.isnan({f} / ({f} + 9.3))|{f} == {f}|{f} != {f}|np.equal({f}, {f})|np.signbit({f} - 0.137)
np.nan_to_num({f})|np.isinf({f})|np.argmin({i})|np.unwrap({f})|np.nansum({f}{axis})|np.nanmax({f})
"""

WITH_PIPES = ["{i} | {i}", "{b} | ~{b}"]

TEMPLATES = [
    (0.46, [*_templates(ELEMENTWISE), *WITH_PIPES]),
    (0.22, _templates(SHAPES)),
    (0.1, _templates(REDUCTIONS)),
    (0.07, _templates(CONTRACTIONS)),
    (0.07, _templates(LINEAR)),
    (0.06, _templates(OTHER_DTYPES)),
]
"""What a line computes, with how often it is drawn."""

ASSIGNMENTS = _templates(IN_PLACE)


class Size(NamedTuple):
    """How long functions are.

    Attributes:
        least: How many statements they have at least.
        most: How many they have at most.
        within: How many a function within a function has at most.
        structures: How often a statement is a loop, a choice or a call.
    """

    least: int
    most: int
    within: int
    structures: float


USUAL = Size(6, 15, 6, 0.12)
SHORT = Size(1, 5, 3, 0.2)


class _Scope:
    """A function as it is drawn: the values it has, on an example, and its lines."""

    def __init__(self, names: dict[str, Any], parent: _Scope | None = None) -> None:
        self.names = names
        self.statements: list[Statement] = []
        self.own: list[str] = []
        self.depth: int = 0 if parent is None else parent.depth + 1


def of_numpy(scope: _Scope) -> list[str]:
    """The names of a function's values that are none of Python's numbers."""
    return [n for n in scope.own if isinstance(scope.names[n], np.ndarray | np.generic)]


class _Drawing:
    """What draws one function."""

    def __init__(self, seed: int, size: Size) -> None:
        self.seed = seed
        self.size = size
        self.rng = np.random.default_rng(seed)
        self.count = 0
        self.scope = _Scope(dict(NAMESPACE))

    def new(self, letter: str = "v") -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def pick(self, of: Sequence[Any]) -> Any:
        """One of some things."""
        return of[int(self.rng.integers(len(of)))]

    # Arguments

    def argument(self, shape: tuple[int, ...], dtype: str) -> Any:
        if dtype.startswith(("f", "c")):
            value = np.round(self.rng.normal(size=shape), 3).astype(dtype)
        elif dtype == "bool":
            value = np.asarray(self.rng.integers(0, 2, shape), bool)
        else:
            value = np.asarray(self.rng.integers(0, 4, shape)).astype(dtype)
        value = np.asarray(value)
        return value[()] if not shape and self.rng.random() < 0.5 else value

    def arguments(self) -> tuple[Any, ...]:
        n, m = (int(x) for x in self.rng.choice([1, 2, 3, 4, 5, 9], 2))
        shapes = [(n,), (m,), (n, m), (m, n), (), (n, n), (2, n, m), (3,), (2, 3), (1, n), (n, 1)]
        if self.rng.random() < 0.1:
            shapes += [(0,), (0, n), (n, 0)]
        single = self.rng.random() < 0.2
        reals = "float32" if single else "float64"
        dtypes = [reals] * 6 + ["int64", "int64", "bool", "int32", "float32", "uint8", "int8"]
        if self.rng.random() < 0.2:
            dtypes += ["int16", "uint16", "uint32", "uint64", "float16", "complex128", "complex64"]
        kinds = [reals, reals, *(self.pick(dtypes) for _ in range(int(self.rng.integers(1, 4))))]
        return tuple(self.argument(self.pick(shapes), kind) for kind in kinds)

    # Values

    def value(self, kind: str) -> str | None:
        """The name of a value of a kind; rather a late one."""
        fits: list[str] = []
        for name in self.scope.own:
            x = np.asarray(self.scope.names[name])
            if kind == "w":
                fit = name.startswith("w") and x.ndim > 0
            elif kind == "n1":
                fit = x.dtype.kind == "i" and not x.ndim and x.dtype.itemsize == 8
            elif kind == "i1":
                fit = x.dtype.kind == "i" and x.ndim > 0 and x.dtype.itemsize == 8
            else:
                kinds = {
                    "f": "f",
                    "s": "f",
                    "i": "iu",
                    "b": "b",
                    "z": "c",
                    "n": "fiu",
                    "v": "fiubc",
                }
                fit = x.dtype.kind in kinds[kind]
            if fit:
                fits.append(name)
        if not fits:
            return None
        return fits[-1 - int(len(fits) * self.rng.random() ** 1.7)]

    def filled(self, template: str) -> str | None:
        """A template with values."""
        parts = template.split("{")
        text = parts[0]
        same: dict[str, str] = {}
        for part in parts[1:]:
            kind, rest = part.split("}", 1)
            if kind == "axis":
                text += str(self.pick(AXES)) + rest
                continue
            name = same.get(kind)
            if name is None:
                name = self.value("f" if kind == "m" else kind)
                if name is None:
                    if kind == "n1":
                        name = str(int(self.rng.integers(-1, 2)))
                    else:
                        return None
            if kind == "m" and self.rng.random() < 0.6:
                name = f"np.tanh(np.sum({name}))"
            if kind in "ws" or (kind == "v" and self.rng.random() < 0.7):
                same[kind] = name
            text += name + rest
        return text

    def try_out(self, text: str) -> bool:
        """Whether a statement can be run, and makes what is neither large nor wild."""
        names = dict(self.scope.names)
        target, equals, _ = text.partition(" = ")
        is_new = bool(equals) and "[" not in target
        made = re.findall(r"\w+", target) if is_new else []
        written = [name for name in re.findall(r"^w\d+", text) if name in names and not is_new]
        for name in written:
            names[name] = np.array(names[name])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                exec(text, names)
        except Exception:  # noqa: BLE001  (whatever NumPy says)
            return False
        for name in [*made, *written]:
            x = names[name]
            if not isinstance(x, np.ndarray | np.generic | float | int | complex):
                return False
            x = np.asarray(x)
            if x.size > MOST or x.ndim > 4 or x.dtype.kind not in "fiubc":
                return False
            if x.dtype.kind in "fc" and not np.all(np.abs(x) < LARGEST):
                return False
        for name in [*made, *written]:
            self.scope.names[name] = names[name]
            if name not in self.scope.own:
                self.scope.own.append(name)
        return True

    def add(self, text: str) -> bool:
        """Add a line if it can be run."""
        if not self.try_out(text):
            return False
        self.scope.statements.append(Statement(text))
        return True

    # Statements

    def statement(self) -> None:
        """Draw one that can be run."""
        for _ in range(30):
            chance = self.rng.random()
            if chance < self.size.structures and self.scope.depth < 3:
                if self.pick(STRUCTURES)(self):
                    return
                continue
            if chance < self.size.structures + 0.08 and self.value("w"):
                text = self.filled(self.pick(ASSIGNMENTS))
                if text is not None and self.add(text):
                    return
                continue
            if chance < self.size.structures + 0.12:
                text = self.filled("fnp.array({f})")
                if text is not None and self.add(f"{self.new('w')} = {text}"):
                    return
                continue
            weights = np.array([weight for weight, _ in TEMPLATES])
            number = self.rng.choice(len(weights), p=weights / weights.sum())
            text = self.filled(self.pick(TEMPLATES[number][1]))
            if text is not None and self.add(f"{self.new()} = {text}"):
                return

    def inner(self, parameters: Sequence[str], examples: Sequence[Any], most: int) -> _Scope:
        """Draw the lines of a function within this one."""
        outer = self.scope
        length = int(self.rng.integers(1, min(most, self.size.within) + 1))
        scope = _Scope({**outer.names, **dict(zip(parameters, examples, strict=True))}, outer)
        # What is assigned in place must be its own.
        around = [name for name in outer.own if not name.startswith("w")]
        scope.own = [*around[-6:], *parameters]
        self.scope = scope
        for _ in range(length):
            self.statement()
        self.scope = outer
        return scope

    def like(self, scope: _Scope, example: Any, name: str) -> str:
        """What has the type of an example, and stays moderate from trip to trip."""
        wanted = np.asarray(example)
        fits = [
            n
            for n in scope.own
            if np.shape(scope.names[n]) == wanted.shape
            and np.asarray(scope.names[n]).dtype == wanted.dtype
        ]
        chosen = fits[-1 - int(len(fits) * self.rng.random() ** 2)] if fits else name
        if wanted.dtype.kind != "f" or (chosen == name and self.rng.random() < 0.4):
            return chosen
        return f"np.tanh({chosen}) * {chosen}.dtype.type(0.9)"

    def free(self, count: int) -> list[str] | None:
        """Some values, of which no one is Python's number."""
        names = of_numpy(self.scope)
        return [self.pick(names) for _ in range(count)] if names else None

    def structure(self, head: str, inner: _Scope, last: str, call: str) -> bool:
        """Add a function, and the line that calls it by the name FUNCTION."""
        name = self.new("f")
        call = call.replace("FUNCTION", name)
        made = Statement(f"def {name}({head}):", tuple(inner.statements), last)
        text = "\n".join(made.lines(""))
        names = dict(self.scope.names)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                exec(text, names)
        except Exception:  # noqa: BLE001  (whatever NumPy says)
            return False
        self.scope.names[name] = names[name]
        # Functions find the values of the example in the scope where they are tried.
        names[name].__globals__.update(self.scope.names)
        if not self.try_out(call):
            return False
        self.scope.statements += [made, Statement(call)]
        return True

    def examples(self, names: Sequence[str]) -> list[Any]:
        return [self.scope.names[name] for name in names]


def _carry(d: _Drawing) -> tuple[list[str], list[str], list[Any]] | None:
    """Some values to begin with, names for them in a loop, and they themselves."""
    begin = d.free(int(d.rng.integers(1, 4)))
    return None if begin is None else (begin, [d.new("c") for _ in begin], d.examples(begin))


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)},)"


def _targets(d: _Drawing, count: int) -> str:
    return _tuple([d.new() for _ in range(count)])[1:-1]


def _unpacked(names: Sequence[str]) -> Statement:
    return Statement(f"{_tuple(names)[1:-1]} = c")


def _fori(d: _Drawing) -> bool:
    if (carry := _carry(d)) is None:
        return False
    begin, names, examples = carry
    first = int(d.rng.integers(0, 2))
    stop = first + int(d.rng.integers(0, 4))
    inner = d.inner(["k", *names], [first, *examples], 6)
    inner.statements.insert(0, _unpacked(names))
    again = _tuple([d.like(inner, x, n) for n, x in zip(names, examples, strict=True)])
    call = f"ft.fori_loop({first}, {stop}, FUNCTION, {_tuple(begin)})"
    return d.structure("k, c", inner, f"return {again}", f"{_targets(d, len(begin))} = {call}")


def _while(d: _Drawing) -> bool:
    if (carry := _carry(d)) is None:
        return False
    begin, names, examples = carry
    inner = d.inner(["k", *names], [0, *examples], 6)
    inner.statements.insert(0, _unpacked(["k", *names]))
    again = _tuple(["k + 1", *(d.like(inner, x, n) for n, x in zip(names, examples, strict=True))])
    trips = int(d.rng.integers(0, 5))
    condition = f"lambda c: c[0] < {trips}"
    if examples[0].dtype.kind == "f" and examples[0].size and d.rng.random() < 0.5:
        condition = f"lambda c: (c[0] < {trips}) & (np.max(np.abs(c[1])) > 0.2137)"
    call = f"ft.while_loop({condition}, FUNCTION, {_tuple([d.pick(['0', 'np.int64(0)']), *begin])})"
    targets = f"{d.new()}, {_targets(d, len(begin))}"
    return d.structure("c", inner, f"return {again}", f"{targets} = {call}")


def _scan(d: _Drawing) -> bool:
    if (carry := _carry(d)) is None:
        return False
    begin, names, examples = carry
    long = [n for n in d.scope.own if np.ndim(d.scope.names[n]) and len(d.scope.names[n])]
    rows = d.pick(long) if long and d.rng.random() < 0.8 else None
    row = [] if rows is None else [d.scope.names[rows][0]]
    inner = d.inner([*names, *(["r"] if row else [])], [*examples, *row], 6)
    inner.statements.insert(0, _unpacked(names))
    again = _tuple([d.like(inner, x, n) for n, x in zip(names, examples, strict=True)])
    stacked = of_numpy(inner)
    made = [d.pick(stacked) for _ in range(int(d.rng.integers(1, 3)))]
    given = f"None, {int(d.rng.integers(1, 4))}" if rows is None else rows
    reverse = ", reverse=True" if d.rng.random() < 0.4 else ""
    ends = f"{_targets(d, len(begin))}"
    call = f"({ends}), ({_targets(d, len(made))}) = "
    call += f"ft.scan(FUNCTION, {_tuple(begin)}, {given}{reverse})"
    return d.structure("c, r", inner, f"return {again}, {_tuple(made)}", call)


def _choice(d: _Drawing) -> bool:
    """A choice between this and what is much the same."""
    if (carry := _carry(d)) is None:
        return False
    begin, names, examples = carry
    inner = d.inner(names, examples, 5)
    made = _tuple([d.like(inner, x, n) for n, x in zip(names, examples, strict=True)])
    other = f"lambda *c: {_tuple([f'c[{n}]' for n in range(len(begin))])}"
    targets = f"{_targets(d, len(begin))}"
    operands = ", ".join(begin)
    truth = d.filled("{b}.any()") if d.rng.random() < 0.5 else d.filled("np.sum({f}) > 0.371")
    number = d.filled("{n1}")
    if d.rng.random() < 0.5 and number is not None:
        call = f"ft.switch({number}, [{other}, FUNCTION, {other}], {operands})"
    elif truth is None:
        return False
    elif d.rng.random() < 0.5:
        call = f"ft.cond({truth}, FUNCTION, {other}, {operands})"
    else:
        call = f"ft.cond({truth}, {other}, FUNCTION, {operands})"
    return d.structure(", ".join(names), inner, f"return {made}", f"{targets} = {call}")


def _wrapped(d: _Drawing) -> bool:
    """A function that is called by way of a transformation."""
    if (carry := _carry(d)) is None:
        return False
    begin, names, examples = carry
    chance = d.rng.random()
    if chance < 0.3:  # by rows
        if not all(np.ndim(x) and len(x) == len(examples[0]) > 0 for x in examples):
            return False
        inner = d.inner(names, [x[0] for x in examples], 5)
        outputs = of_numpy(inner)[-2:]
        way = "ft.vmap(FUNCTION)"
    elif chance < 0.6 and np.asarray(examples[0]).dtype.kind == "f":
        inner = d.inner(names, examples, 5)
        reals = [n for n in inner.own if np.asarray(inner.names[n]).dtype.kind == "f"]
        last = f"return np.sum(np.sin({d.pick(reals)}))"
        given, first = ", ".join(begin), begin[0]
        along = f"ft.jvp(lambda x: FUNCTION({', '.join(['x', *begin[1:]])})"
        derivatives = [
            f"ft.grad(FUNCTION)({given})",
            f"ft.jacfwd(FUNCTION)({given})",
            f"{along}, ({first},), ({first} * 0 + 1,))[1]",
            f"ft.grad(lambda *a: np.sum(ft.grad(FUNCTION)(*a)))({given})",
        ]
        call = f"{d.new()} = {derivatives[max(0, int(d.rng.integers(-3, 4)))]}"
        return d.structure(", ".join(names), inner, last, call)
    else:
        inner = d.inner(names, examples, 5)
        outputs = of_numpy(inner)[-2:]
        way = d.pick(["ft.jit(FUNCTION)", "ft.checkpoint(FUNCTION)"])
    call = f"{_targets(d, len(outputs))} = {way}({', '.join(begin)})"
    return d.structure(", ".join(names), inner, f"return {_tuple(outputs)}", call)


STRUCTURES = (_fori, _while, _scan, _scan, _choice, _wrapped)
"""What draws a function within a function, and its call."""


def draw(seed: int, size: Size = USUAL) -> Drawn:
    """Draw a function."""
    drawing = _Drawing(seed, size)
    args = drawing.arguments()
    for number, x in enumerate(args):
        drawing.scope.names[f"x{number}"] = x
        drawing.scope.own.append(f"x{number}")
    for _ in range(int(drawing.rng.integers(size.least, size.most + 1))):
        drawing.statement()
    scope = drawing.scope
    candidates = of_numpy(scope)
    text = "\n".join(line for statement in scope.statements for line in statement.lines())
    unread = [name for name in candidates if len(re.findall(rf"\b{name}\b", text)) == 1]
    late = candidates[-8:]
    outputs = unread[-6:] + [drawing.pick(late) for _ in range(int(drawing.rng.integers(1, 3)))]
    if drawing.rng.random() < 0.1:
        outputs.append(f"{drawing.pick(late)}.T")
    if drawing.rng.random() < 0.1:
        args = tuple(_with_extremes(x, drawing.rng) for x in args)
    return Drawn(seed, args, tuple(scope.statements), tuple(outputs))


def _with_extremes(x: Any, rng: np.random.Generator) -> Any:
    """An argument in which some elements are nan, infinite, zeros of both signs, or the largest."""
    if x.dtype.kind in "fc":
        extremes = [np.nan, np.inf, -np.inf, 0.0, -0.0]
    elif x.dtype.kind in "iu":
        extremes = [np.iinfo(x.dtype).min, np.iinfo(x.dtype).max, 0]
    else:
        return x
    chosen = rng.random(np.shape(x)) < 0.2
    made = np.where(chosen, rng.choice(np.array(extremes, x.dtype), np.shape(x)), x)
    return made if isinstance(x, np.ndarray) else made[()]


# Shorter ones


def shrunk(drawn: Drawn, fails: Callable[[Drawn], bool]) -> Drawn:
    """The shortest function that is found which still fails."""
    again = True
    while again:
        again = False
        for shorter in _shorter(drawn):
            if _is_valid(shorter) and fails(shorter):
                drawn, again = shorter, True
                break
    return drawn


def _is_valid(drawn: Drawn) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn.function()(*drawn.args)
    except Exception:  # noqa: BLE001  (whatever NumPy says)
        return False
    return True


def _shorter(drawn: Drawn) -> Iterator[Drawn]:
    if len(drawn.outputs) > 1:
        for n in range(len(drawn.outputs)):
            yield drawn._replace(outputs=drawn.outputs[:n] + drawn.outputs[n + 1 :])
    for body in _bodies(drawn.body):
        yield drawn._replace(body=body)


def _bodies(body: tuple[Statement, ...]) -> Iterator[tuple[Statement, ...]]:
    """These statements without one of them, or with a simpler one."""
    for n in reversed(range(len(body))):
        before, one, after = body[:n], body[n], body[n + 1 :]
        yield before + after
        name = one.text.split(" = ")[0]
        if " = " in one.text and name.isidentifier() and not one.text.endswith(" = x0"):
            yield (*before, Statement(f"{name} = x0"), *after)
        if one.body:
            for inner in _bodies(one.body):
                yield (*before, one._replace(body=inner), *after)
