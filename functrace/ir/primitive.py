"""A primitive: one operation that Programs are made of, together with all its rules.

A family of primitives is a subclass that states its rules once for all its members; a single
primitive is a subclass with one instance. ``docs/add_a_primitive.md`` shows how to write one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar

from functrace.errors import MissingRuleError, PrimitiveError
from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.types import ArrayType

Values = Sequence[Any]
"""What stands for inputs, outputs, tangents or cotangents of a rule, one for each."""

Types = Sequence[ArrayType]
"""The types of such, one for each."""

PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by its name: what parses a printed Program looks here."""


def all_primitives() -> dict[str, Primitive]:
    """Every primitive, those of SciPy's functions too, which few programs need, by its name."""
    import_module("functrace.primitives.scipy_rules")  # above this floor: they enter themselves
    return PRIMITIVES


AtRecord = tuple[Callable[..., Any], bool | tuple[bool, ...], bool, tuple[bool, bool, bool] | None]
"""Of a primitive, what it is named after: `run`, `reads_constants` and `is_simple`. Where somebody
has to know that it was applied also `makes_zeros`, `reads_part` and `makes_views`, else None."""

AtWalkBack = tuple[Callable[..., Any], bool, bool, bool, bool, bool]
"""The same: `vjp`, `accumulates`, `writes_over`, `may_write_over`, `makes_zeros` and
`has_plain_rules`."""

AtPush = tuple[Callable[..., Any], Callable[..., Any], bool, bool, bool, bool, bool]
"""The same: `run`, `jvp`, `is_simple`, `is_linear`, `makes_zero_tangents`, `makes_views` and
`has_plain_rules`."""


class Primitive:
    """One operation, with its rules as methods.

    Inputs and outputs of rules are NumPy arrays, NumPy scalars, Python scalars, or tracers of an
    outer transformation: a rule written with NumPy functions and operators can itself be
    transformed. Parameters are static: numbers, strings, dtypes, tuples.

    Attributes:
        name: The name in printed Programs; unique.
        is_own: Whether it is one of functrace's own, whose name nobody may redefine. Those of
            users, who derive from the classes of `functrace.extend`, are not.
        multiple_outputs: Whether ``run`` returns a tuple of arrays rather than one array.
        holds_programs: Whether parameters hold Programs, which must be transformed together with
            their evaluation: by `push_forward` in place of `jvp`, `keep_residuals` in place of
            `vjp`.
        locally_constant: Whether the derivative is zero wherever it exists (comparisons,
            rounding, argmax). Recordings that follow values do not record such an operation.
        is_linear: Whether its derivative is the same for all values, so that tangents are
            multiplied with nothing that could be infinite or nan.
        makes_views: Whether NumPy's result shares the memory of the first input.
        may_copy: Whether that depends on how its elements lie: where no view can be made, as it may
            be that of a reshape, it is a copy.
        is_fresh: Whether what ``run`` returns shares memory with nothing else, neither with inputs
            nor with what anybody keeps, so that it may be written over. Where it is not declared,
            results are never written, nor are the inputs, which Python has seen.
        takes_out: Whether ``run``, whose results are fresh, takes the keyword ``out``: an array for
            the output (a tuple for several), no part of an input, that it fills and returns.
        makes_arrays: Whether NumPy's result is an array even where it has no axes.
        makes_scalars: Whether it is a scalar there, whatever the inputs are.
        keeps_arrays: Whether it is one without axes where the first input is, as views are.
        has_effect: Whether running it does something beside computing outputs, so that it must
            stay in a Program though nothing uses these.
        constant_outputs: The numbers of outputs that no derivative passes, of one application.
        makes_zeros: Whether its vjp gives cotangents that are zero at some places by their meaning,
            as that of a choice does for what was not chosen: these stay zero, however infinite
            what they are multiplied with.
        makes_zero_tangents: Whether its jvp gives such tangents.
        marks_unknown: Whether care is taken of them in Programs too, where nobody sees the numbers
            and it costs time at each call.
        reads_constants: Whether the `vjp` rule reads elements of inputs that have no cotangent (one
            answer for all, or one for each): a sum asks for their shapes only. A tape keeps copies
            of what is read.
        reads_part: Whether the output holds some elements of the first input, at an index, so that
            the `vjp` rule asks for the types of that and of the output only.
        writes_over: Whether it puts its second input into the first one at some places, so that
            `run_over` and `vjp_over` can do it in place: tangents are put into tangents so, and its
            other rules ask for types of these two only.
        may_write_over: Whether `vjp_over` can write over large cotangents that nobody else has, of
            a primitive without parameters.
        accumulates: Whether `accumulate` can add the first input's cotangent to a sum, in place.
        warns: Whether NumPy may warn of divisions by zero and invalid values where it runs,
            although all inputs are finite.
        takes_infinity: Whether infinite inputs are in its ordinary use and NumPy says nothing of
            them, as of the -inf that leaves a term out of a sum of exponentials: then what its
            derivative is multiplied with may be invalid.
        is_bounded: Whether real outputs are finite for infinite inputs too, of which NumPy says
            nothing.
        is_open_ended: Whether the values decide how long it takes: a loop that a condition ends.
        calls_python: Whether a parameter is a Python function, so that no file can hold it.
        needs_named_axis: Whether it is done by the map around it that has the axis of a name. No
            file can hold that map, so it cannot hold this.
        may_coincide: Whether it has several outputs of which one holds values that may be equal,
            so that derivatives become limits (``transforms/limits.py``).
        values_at: The number of that output.
        tells_apart: Whether it looks at such values where a Program is run.
        is_transparent: Whether recordings that take derivatives hand on its inputs.

    What simplification may do with an operation it asks of these traits. Where they are not stated,
    an application stays where it is, as it is.

        is_total: Whether it cannot fail, whatever the values of its inputs are, so that it may be
            done where it would not be: before a loop that might have no trip. `is_total_for` says
            for which types, where not for all.
        commutes: Whether its two inputs may change places: then the output is the same, to the bit
            where it is real.
        is_elementwise: Whether each element of its output is computed of those at its place, of
            inputs that NumPy's broadcasting has brought to one shape.
        differs_for_scalars: Whether of scalars it computes something else than of arrays, and not
            only another rounding: a power of -inf, say.
        batches_at_once: Whether `batch` takes a few operations for all examples, however many.
        keeps_values: Whether the output has the values of its only input.
        linear_in: The inputs in which it is linear, in all of them together, while the others stay.
            `linear_inputs` says it where their number is not fixed.
        is_bilinear: Whether it is linear in each of its two inputs while the other one stays.
        product: For what divides by its second input: the primitive that multiplies with it.
        plain: What computes the same where all numbers are finite, in less time.
        keeps_nan: Whether an element of the output is nan if one is that it is computed of, unless
            it is the same for any number there: one answer for all inputs, or one for each.

        recorded: What `at_record` has said, if it was asked.
        walked_back: What `at_walk_back` has said, if it was asked.
        pushed: What `at_push` has said, if it was asked.
    """

    name: str
    is_own: ClassVar[bool] = True
    multiple_outputs: ClassVar[bool] = False
    holds_programs: ClassVar[bool] = False
    locally_constant: bool = False
    is_linear: bool = False
    makes_views: bool = False
    may_copy: ClassVar[bool] = False
    is_fresh: bool = False
    takes_out: bool = False
    makes_arrays: bool = False
    makes_scalars: bool = False
    keeps_arrays: bool = False
    has_effect: bool = False
    constant_outputs: frozenset[int] = frozenset()
    makes_zeros: bool = False
    makes_zero_tangents: bool = False
    marks_unknown: ClassVar[bool] = True
    reads_constants: bool | tuple[bool, ...] = True
    reads_part: ClassVar[bool] = False
    writes_over: ClassVar[bool] = False
    may_write_over: bool = False
    accumulates: ClassVar[bool] = False
    warns: bool = True
    takes_infinity: bool = False
    is_bounded: bool = False
    is_open_ended: ClassVar[bool] = False
    calls_python: ClassVar[bool] = False
    needs_named_axis: ClassVar[bool] = False
    may_coincide: ClassVar[bool] = False
    values_at: ClassVar[int]
    tells_apart: ClassVar[bool] = False
    is_transparent: ClassVar[bool] = False
    is_total: bool = False
    commutes: bool = False
    is_elementwise: bool = False
    differs_for_scalars: bool = False
    batches_at_once: bool = False
    keeps_values: bool = False
    linear_in: tuple[int, ...] = ()
    is_bilinear: bool = False
    product: Primitive | None = None
    plain: Primitive | None = None
    keeps_nan: bool | tuple[bool, ...] = False
    recorded: AtRecord | None
    walked_back: AtWalkBack | None
    pushed: AtPush | None

    def __init__(self, name: str, **traits: Any) -> None:
        """Name the primitive and enter it among ``PRIMITIVES``.

        Args:
            name: The name.
            traits: The attributes in which it differs from what its class says.

        Raises:
            PrimitiveError: The name is no identifier, or belongs to a primitive of functrace; or
                there is no such attribute.
        """
        if not name.isidentifier():
            raise PrimitiveError(f"A primitive's name must be an identifier; {name!r} is not.")
        if name in PRIMITIVES and PRIMITIVES[name].is_own:
            raise PrimitiveError(f"The name {name!r} belongs to a primitive of functrace.")
        for trait, value in traits.items():
            if trait not in Primitive.__annotations__:
                raise PrimitiveError(f"A primitive has no attribute {trait!r}.")
            setattr(self, trait, value)
        self.name = name
        PRIMITIVES[name] = self

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        super().__setattr__("recorded", None)
        super().__setattr__("walked_back", None)
        super().__setattr__("pushed", None)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    @cached_property
    def is_simple(self) -> bool:
        """Whether it has one output, which is differentiable, and no Programs among parameters."""
        several = self.holds_programs or self.multiple_outputs
        return not (several or self.locally_constant or self.is_transparent)

    def at_record(self) -> AtRecord:
        """What a tape asks of it at each operation.

        It is kept as ``recorded``, until something else is assigned: to look up what an object has
        and its class too takes Python as long as all else that a tape does with it.
        """
        noted = self.makes_zeros, self.reads_part, self.makes_views
        is_noted = self.makes_zeros or self.makes_views
        found = self.run, self.reads_constants, self.is_simple, noted if is_noted else None
        super().__setattr__("recorded", found)
        return found

    def at_walk_back(self) -> AtWalkBack:
        """What `backward` asks of it at each row; kept as ``walked_back``, as the above is."""
        found = (
            self.vjp,
            self.accumulates,
            self.writes_over,
            self.may_write_over,
            self.makes_zeros,
            self.has_plain_rules,
        )
        super().__setattr__("walked_back", found)
        return found

    def at_push(self) -> AtPush:
        """What forward mode asks of it at each operation; kept as ``pushed``, as the above is."""
        found = (
            self.run,
            self.jvp,
            self.is_simple,
            self.is_linear,
            self.makes_zero_tangents,
            self.makes_views,
            self.has_plain_rules,
        )
        super().__setattr__("pushed", found)
        return found

    @cached_property
    def may_hold_programs(self) -> bool:
        """Whether Programs may be among its parameters: those of users need not say so."""
        return self.holds_programs or not self.is_own

    @cached_property
    def has_plain_rules(self) -> bool:
        """Whether its rules call NumPy alone, and no code of the user's."""
        return self.is_own and not (self.holds_programs or self.calls_python)

    def is_total_for(self, types: Types, params: dict[str, Any]) -> bool:
        """Whether it cannot fail for any values of inputs of these types.

        Args:
            types: The types of the inputs.
            params: The primitive's parameters.
        """
        return self.is_total

    def read_back(self, needed: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
        """Of which inputs `vjp` reads elements, and whether of the output: of others types only.

        A tape lets go of large arrays that are not read.

        Args:
            needed: For each input whether it has a cotangent.
        """
        return (True,) * len(needed), True

    def linear_inputs(self, count: int) -> Sequence[int]:
        """The numbers of the inputs in which it is linear together, of so many."""
        return self.linear_in

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Compute the output, or the tuple of outputs, with NumPy. Inputs are never written."""
        raise MissingRuleError.of(self.name, "run")

    @property
    def compiled_run(self) -> Callable[..., Any]:
        """As `run`, for compiled source."""
        return self.run

    def run_over(self, x: Any, *inputs: Any, **params: Any) -> Any:
        """As `run`, into the first input, which is an array that nobody else has: `writes_over`."""
        raise MissingRuleError.of(self.name, "run_over")

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The type of the output, or the tuple of types, from the types of the inputs.

        Raises:
            ValueError: The shapes do not fit together.
            TypeError: The dtypes do not fit the operation.
        """
        raise MissingRuleError.of(self.name, "infer")

    def count_of_outputs(self, types: Sequence[ArrayType], params: dict[str, Any]) -> int | None:
        """How many outputs it has, if lengths of its inputs decide that; None where they do not.

        It is asked before `infer`, which would make a type for each: a text may name any length.
        """
        return None

    def structure(self, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """What it does with the Programs that it holds, as data.

        Args:
            inputs: The inputs, or what stands for them.
            params: The primitive's parameters.

        Returns:
            A `functrace.ir.structure.Structure`; None where it is none of these.
        """
        return None

    def from_structure(
        self, structure: Any, params: dict[str, Any]
    ) -> tuple[Sequence[Any], dict[str, Any]] | None:
        """The application of this primitive that does something with Programs.

        Args:
            structure: What is to be done: a better form of what `structure` has said.
            params: The parameters of the former application.

        Returns:
            The inputs and the parameters; None where there is none.
        """
        return None

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """The axes of its output, from that of the longest steps in memory to that of the shortest.

        Args:
            orders: Those of the inputs; None where they are not known.
            types: The types of the inputs.
            rank: How many axes the output has.
            params: The primitive's parameters.

        Returns:
            The order; None where it is not known. Of inputs in row-major order it is that, unless a
            primitive says something else.
        """
        known = (order for order, type in zip(orders, types, strict=True) if type.ndim > 1)
        is_row_major = all(order == (*range(len(order or ())),) for order in known)
        return (*range(rank),) if is_row_major else None

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """How many operations on numbers it takes: one for each element of the outputs, or none.

        A view computes nothing, and what holds Programs takes what is in them. An axis whose length
        is not known counts as one of length 1.

        Args:
            inputs: The types of the inputs.
            outputs: The types of the outputs.
            params: The primitive's parameters.
        """
        structure = self.structure(inputs, params)
        if structure is not None:
            return structure.operations
        return 0 if self.makes_views else sum(abs(type.size) for type in outputs)

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The operation as Python source over NumPy; None where `run` is to be called.

        Args:
            names: Gives names to constants and functions.
            inputs: The types of the inputs, and the values of those that are constants.
            outputs: The types of the outputs.
            params: The primitive's parameters.
        """
        return None

    def portable(self, types: Types, params: dict[str, Any]) -> tuple[Primitive, dict[str, Any]]:
        """What is written to a file in place of an application: parameters without functions.

        Args:
            types: The types of the inputs.
            params: The primitive's parameters.

        Returns:
            A primitive with the same outputs, and parameters that are numbers, strings, dtypes,
            Programs, None, slices, and tuples of these.
        """
        return self, params

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Push tangents forward: the output's tangent (or tuple of them), None for zero.

        Args:
            inputs: The primal inputs.
            tangents: One for each input, of its shape; None where it is zero.
            output: The primal output or outputs, already computed.
            params: The primitive's parameters.
        """
        raise MissingRuleError.of(self.name, "jvp")

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """Pull the cotangent of the output back: one cotangent for each input, None for zero.

        Args:
            cotangent: Of the output's shape; a tuple with None for zero where the primitive
                has several outputs.
            inputs: The primal inputs.
            output: The primal output or outputs.
            needed: One entry for each input: None where nobody asks for its cotangent, so that
                the rule can save the work.
            params: The primitive's parameters.
        """
        raise MissingRuleError.of(self.name, "vjp")

    def vjp_over(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """As `vjp`, where the cotangent is an array that nobody else has: it may be written.

        The cotangent of the first input may be that array; no other shares memory with it.
        """
        raise MissingRuleError.of(self.name, "vjp_over")

    def accumulate(self, total: Any, cotangent: Any, inputs: Values, **params: Any) -> Any:
        """Add the cotangent of the first input to what it is already, in place.

        For primitives whose `vjp` makes an array that is zero nearly everywhere. It gives no
        other array than that one, and cotangents for the first input only.

        Args:
            total: The sum so far, an array that nobody else holds.
            cotangent: Of the output's shape.
            inputs: The primal inputs.
            params: The primitive's parameters.

        Returns:
            The sum; None where `vjp` is to be asked.
        """
        return None

    def written_back(self, input: Any, view: Any, **params: Any) -> Any:
        """The input as it is after its view, which this primitive makes, was written.

        Args:
            input: The input before.
            view: What the view holds now.
            params: The primitive's parameters.

        Raises:
            ValueError: NumPy makes a view that cannot be written.
        """
        raise ValueError("assignment destination is read-only")

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Apply the operation to tangents or cotangents so that their zeros stay zero.

        Args:
            inputs: The inputs.
            marked: Which of them are tangents or cotangents whose zeros are to stay.
            params: The primitive's parameters.

        Returns:
            The output, and whether there may be such zeros in it (for each, where there are
            several). None where the operation as it is multiplies none of them with an input.
        """
        return None

    def interpret(self, inputs: Values, params: dict[str, Any]) -> Any:
        """As `run`, for a primitive that holds Programs: equation by equation, on any tracers."""
        return self.run(*inputs, **params)

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Compute the output and its tangent together.

        Args:
            inputs: The primal inputs.
            tangents: One for each input; None where it is zero.
            params: The primitive's parameters.

        Returns:
            The output and its tangent, or the tuples of these.
        """
        raise MissingRuleError.of(self.name, "jvp")

    def push_later(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """As `push_forward`, for tangents of which nothing is known while the inputs are.

        So it is where the derivative is recorded as a linear function, which is to be applied
        often: what does not depend on tangents is to be computed outside of it.

        Returns:
            The output and its tangent; None where they are computed together, and the output
            besides.
        """
        return None

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Compute the output, and keep what the way back will need.

        Args:
            inputs: The primal inputs.
            needed: One entry for each input: None where nobody asks for its cotangent.
            params: The primitive's parameters.

        Returns:
            The output, and an object with this application's vjp rule.
        """
        raise MissingRuleError.of(self.name, "vjp")

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Apply the operation to each of ``size`` examples at once.

        Args:
            size: The number of examples.
            inputs: The inputs; those that are batched have one axis more.
            axes: Which axis of each input counts the examples; None where all share the input.
            params: The primitive's parameters, as for one example.

        Returns:
            The output and its batch axis (tuples of these for several outputs).
        """
        raise MissingRuleError.of(self.name, "batch")
