"""Hypothesis strategies: shapes, arrays, inputs of primitives, whole programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace  # noqa: F401  (registers the primitives)
from functrace.extend import PRIMITIVES
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from tests import cases
from tests.cases import CASES, REALS, WHOLE, Case, Domain, Input, Shape, Variant


def seeds() -> st.SearchStrategy[int]:
    """Seeds of NumPy's generators: values are drawn by these, which is fast and shrinks to 0."""
    return st.integers(0, 2**20)


def shapes(max_dims: int = 3, max_side: int = 3) -> st.SearchStrategy[Shape]:
    """Shapes, with 0-d and empty ones."""
    return hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=max_side)


def broadcastable_shapes(count: int) -> st.SearchStrategy[tuple[Shape, ...]]:
    """As many shapes as asked for, which broadcast with each other."""
    if count == 0:
        return st.just(())
    return hnp.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=0, max_dims=3, min_side=0, max_side=3
    ).map(lambda drawn: drawn.input_shapes)


@st.composite
def arrays(draw: Any, shape: Any = None, domain: Domain = REALS, dtype: str = "float64") -> Any:
    """An array with values of a domain."""
    shape = draw(shapes()) if shape is None else shape
    return domain.values(np.random.default_rng(draw(seeds())), shape, dtype)


@st.composite
def examples(draw: Any, case: Case, variant: Variant, count: int = 3) -> list[list[Any]]:
    """Several lists of inputs for a row's variant, alike in shapes and dtypes."""
    drawn = [spec for spec in variant.inputs if spec.shape is None and spec.value is None]
    free = iter(draw(broadcastable_shapes(len(drawn))))
    layout: list[tuple[Input, Shape, str]] = []
    for spec in variant.inputs:
        if spec.value is not None:
            layout.append((spec, (), ""))
            continue
        shape = next(free) if spec.shape is None else spec.shape
        choices = {"f": case.dtypes, "i": WHOLE, "b": ("bool",)}[spec.domain.kind]
        layout.append((spec, shape, spec.dtype or draw(st.sampled_from(choices))))
    rng = np.random.default_rng(draw(seeds()))
    scalars = draw(st.booleans())  # 0-d inputs as NumPy's scalars, or as 0-d arrays

    def one(spec: Input, shape: Shape, dtype: str) -> Any:
        if spec.value is not None:
            return spec.value
        value = spec.domain.values(rng, shape, dtype)
        return value[()] if scalars else value

    return [[one(*row) for row in layout] for _ in range(count)]


# Whole programs

Tamer = Callable[["_Builder", Atom, Shape], Atom]


class _Builder:
    """Makes a Program, one equation after the other, of float64 values that stay moderate."""

    def __init__(self, shapes_of_inputs: list[Shape]) -> None:
        self.inputs = [Variable(ArrayType(s, np.dtype(np.float64))) for s in shapes_of_inputs]
        self.equations: list[Equation] = []
        self.pool: list[Variable] = list(self.inputs)
        self.rng = np.random.default_rng(0)

    def apply(self, name: str, *atoms: Atom, **params: Any) -> list[Variable]:
        """Append an equation and return its outputs."""
        primitive = PRIMITIVES[name]
        inferred = primitive.infer(*(atom.type for atom in atoms), **params)
        types = inferred if primitive.multiple_outputs else (inferred,)
        outputs = [Variable(type) for type in types]
        self.equations.append(Equation(primitive, atoms, params, outputs))
        return outputs

    def one(self, name: str, *atoms: Any, **params: Any) -> Variable:
        """Append an equation of constants or variables, and return its only output."""
        atoms = tuple(x if isinstance(x, Variable | Constant) else Constant(x) for x in atoms)
        return self.apply(name, *atoms, **params)[0]

    def scaled(self, atom: Atom, scale: float, shift: Any) -> Variable:
        """The atom squeezed between -scale and scale, and shifted."""
        squeezed = self.one(self.rng.choice(["tanh", "sin"]), atom)
        return self.one("add", self.one("multiply", squeezed, scale), shift)

    def choose(self, fits: Callable[[Shape], bool]) -> Variable | None:
        """One of the values so far, of a shape that fits; rather a late one."""
        fitting = [variable for variable in self.pool if fits(variable.type.shape)]
        if not fitting:
            return None
        return fitting[-1 - int(len(fitting) * self.rng.random() ** 2)]

    def of_shape(self, shape: Shape) -> Variable:
        """A value of this shape that depends on the inputs."""
        chosen = self.choose(lambda s: s == shape)
        if chosen is None:
            scalar = self.choose(lambda s: s == ())
            chosen = self.one("multiply", self.rng.uniform(0.5, 1.5, shape), scalar)
        return chosen

    def step(self, name: str, seed: int) -> None:
        """Append an application of a primitive to earlier values brought into its domain."""
        self.rng = np.random.default_rng(seed)
        variants = [v for v in CASES[name].variants if _depends_on_values(v)]
        variant = variants[self.rng.integers(len(variants))]
        shape: Shape = ()

        def fits(other: Shape) -> bool:
            try:
                return int(np.prod(np.broadcast_shapes(shape, other))) <= 64
            except ValueError:
                return False

        atoms: list[Atom] = []
        for number, spec in enumerate(variant.inputs):
            if spec.value is not None:
                atoms.append(Constant(spec.value))
            elif spec.domain.kind != "f":
                dtype = spec.dtype or {"i": "int64", "b": "bool"}[spec.domain.kind]
                atoms.append(Constant(spec.domain.values(self.rng, spec.shape or (), dtype)))
            elif number and spec.shape is None and self.rng.random() < 0.2:
                atoms.append(Constant(float(spec.domain.values(self.rng, (), "float64"))))
            else:
                if spec.shape is None:
                    atom = self.choose(fits)
                    assert atom is not None
                    shape = np.broadcast_shapes(shape, atom.type.shape)
                else:
                    atom = self.of_shape(spec.shape)
                atoms.append(TAMERS[spec.domain.name](self, atom, atom.type.shape))
        for output in self.apply(name, *atoms, **variant.params):
            if output.type.dtype == np.float64:
                self.pool.append(output)


TAMERS: dict[str, Tamer] = {
    "REALS": lambda b, x, s: b.scaled(x, 0.9, float(b.rng.choice([-1.2, 1.2]))),
    "POSITIVE": lambda b, x, s: b.scaled(x, 0.9, 1.2),
    "ABOVE_ONE": lambda b, x, s: b.scaled(x, 0.9, 2.2),
    "OPEN_UNIT": lambda b, x, s: b.scaled(x, 0.5, float(b.rng.choice([-0.2, 0.2]))),
    "UNIT": lambda b, x, s: b.scaled(x, 0.35, 0.5),
    "DISTINCT": lambda b, x, s: b.scaled(x, 0.1, cases.DISTINCT.values(b.rng, s, "float64")),
    "REGULAR": lambda b, x, s: b.scaled(x, 0.3, cases.REGULAR.values(b.rng, s, "float64")),
}
"""For each domain that programs are drawn with, what brings any value into it."""


def _depends_on_values(variant: Any) -> bool:
    """Whether a row leaves an input open, so that it is no equation of constants alone."""
    return any(spec.value is None and spec.domain.kind == "f" for spec in variant.inputs)


def program_primitives() -> list[str]:
    """The primitives that programs are drawn with."""
    return [
        name
        for name, case in CASES.items()
        if case.in_programs
        and name in PRIMITIVES
        and any(map(_depends_on_values, case.variants))
        and "float64" in case.dtypes
        and all(
            spec.domain.kind != "f" or spec.domain.name in TAMERS or spec.value is not None
            for variant in case.variants
            for spec in variant.inputs
        )
    ]


@st.composite
def programs(draw: Any, max_steps: int = 10) -> tuple[Program, list[Any]]:
    """A Program of about 10 to 40 equations, and inputs for it."""
    inputs = [
        (),
        *draw(st.lists(st.sampled_from([(3,), (2, 3), (2, 1), ()]), min_size=1, max_size=2)),
    ]
    builder = _Builder(inputs)
    step = st.tuples(st.sampled_from(program_primitives()), seeds())
    for name, seed in draw(st.lists(step, min_size=4, max_size=max_steps)):
        builder.step(name, seed)
    outputs = builder.pool[-draw(st.integers(1, 3)) :]
    rng = np.random.default_rng(draw(seeds()))
    values = [REALS.values(rng, shape, "float64")[()] for shape in inputs]
    return Program(builder.inputs, builder.equations, outputs), values
