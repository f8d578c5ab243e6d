"""Reading back the text of a Program.

The text is Python syntax, so Python's ``ast`` does the reading; nothing of it is ever executed.
Types of variables written by an equation are inferred again and must agree with the text.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from functrace.errors import FunctraceError, ParseError, ProgramCheckError
from functrace.ir.primitive import Primitive, all_primitives
from functrace.ir.program import (
    SPECIAL_NUMBERS,
    Atom,
    Constant,
    ElidedValue,
    Equation,
    Program,
    Source,
    Variable,
    held_programs,
)
from functrace.ir.types import ANY_LENGTH, ArrayType, Shape
from functrace.tracebacks import boundary


@boundary
def parse(text: str) -> Program:
    """Read a Program from its text, so that ``str(parse(str(program))) == str(program)``.

    Large constants that the text leaves out (``array(..., float64[100, 3])``) stay left out: such
    a Program can be printed and checked but not evaluated. Nor can what calls Python, such as a
    function with rules of its own, of which the text has the name only.

    Raises:
        ParseError: The text is no Program; the message names the line.

    Example:
        >>> print(
        ...     parse('''
        ... def program(a: float64[3]):
        ...     b: float64[3] = sin(a)
        ...     return b
        ... ''')
        ... )
        def program(a: float64[3]):
            b: float64[3] = sin(a)
            return b
    """
    text = text.strip("\n")
    reader = Reader(all_primitives())
    program = reader.read(text)
    sources = _sources(text)
    for equation, line in zip(reader.equations, reader.ends, strict=True):
        equation.source = sources.get(line)
    return program


def _sources(text: str) -> dict[int, Source]:
    """What stands beside the equations of a text: by its line, the place in the user's code."""
    found: dict[int, Source] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            beside = re.fullmatch(r"# (.*?):([0-9]+)(?: in (.+))?", token.string)
            if beside is not None:
                file, line, scope = beside.groups("")
                found[token.start[0]] = Source.of_line(file, int(line), "program", scope)
    return found


class Reader:
    """Reads a text.

    Args:
        primitives: What the text may name.
        is_closed: Whether a Program within another may not use the variables around it.

    Attributes:
        equations: What was read, in the order of the text: those of a Program within an equation
            come before it.
        ends: On which line of the text each of them ends.
        lines: The lines, where they are read one after the other.
        position: How many of these were read.
    """

    def __init__(self, primitives: Mapping[str, Primitive], is_closed: bool = False) -> None:
        self.primitives = primitives
        self.is_closed = is_closed
        self.equations: list[Equation] = []
        self.ends: list[int] = []
        self.lines: list[str] = []
        self.position = 0

    def read(self, text: str) -> Program:
        """Read a Program from its text.

        Raises:
            ParseError: The text is no Program.
        """
        try:
            module = ast.parse(text.strip("\n"))
        except IndentationError as error:
            if error.msg != "too many levels of indentation":  # a hundred, for Python
                raise ParseError(f"This text is not a Program: {error}.") from error
            return self.read_lines(text.strip("\n"))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ParseError(f"This text is not a Program: {error}.") from error
        if len(module.body) != 1 or not isinstance(module.body[0], ast.FunctionDef):
            raise ParseError("A Program is written as one definition, `def program(...):`.")
        return self.definition(module.body[0], {})

    def read_lines(self, text: str) -> Program:
        """Read a Program from its text, a line at a time: definitions may be within each other."""
        self.lines, self.position = text.split("\n"), 0
        try:
            (node,) = self._statements(0)
            if not isinstance(node, ast.FunctionDef):
                raise parse_error(node, "a Program is written as one definition.")
            program = self.definition(node, {})
        except SyntaxError as error:
            what = f"This text is not a Program: {error.msg} (line {self.position})."
            raise ParseError(what) from error
        if self.position < len(self.lines):
            raise ParseError(f"Line {self.position + 1}: the text goes on after its end.")
        return program

    def body(self, node: ast.FunctionDef) -> Iterator[ast.stmt]:
        """The statements of a definition."""
        if not self.lines:
            yield from node.body
        while self.position < len(self.lines):
            line = self.lines[self.position]
            if len(line) - len(line.lstrip(" ")) <= node.col_offset:
                break
            yield from self._statements(node.col_offset + 4)

    def _statements(self, indent: int) -> list[ast.stmt]:
        """The next line; of a definition only its head."""
        line = self.lines[self.position]
        self.position += 1
        start = len(line) - len(line.lstrip(" "))
        is_head = line[start : start + 4] == "def "
        if start != indent or (is_head and line[-2:] != "):"):
            place = ast.Pass(lineno=self.position)
            raise parse_error(place, "this is not indented as a Program's text is.")
        statements = ast.parse(line[start:] + " pass" * is_head).body
        for statement in statements:
            ast.increment_lineno(statement, self.position - 1)
            statement.col_offset = start
        return statements

    def constant(self, node: ast.Call, kind: str, number: Any, type: ArrayType) -> Constant:
        """A constant that the text has by number; a text that stands alone has none."""
        raise parse_error(node, f"there is no {kind} {number!r}.")

    def before_inference(
        self,
        node: ast.Call,
        primitive: Primitive,
        inputs: Sequence[Atom],
        params: dict[str, Any],
        outputs: int,
    ) -> None:
        """Check an equation before the types of its outputs are inferred; here, nothing."""

    def definition(self, node: ast.FunctionDef, outer: dict[str, Variable]) -> Program:
        """Read a Program from its definition, which may use the variables around it."""
        scope = dict(outer)
        inputs: list[Variable] = []
        given = node.args
        others = given.posonlyargs, given.vararg, given.kwonlyargs, given.kwarg, given.defaults
        if any(others) or node.decorator_list or node.returns:
            raise parse_error(node, "the inputs of a Program are names with types.")
        for argument in node.args.args:
            if argument.annotation is None:
                raise parse_error(node, f"the input {argument.arg!r} has no type.")
            _require_new(node, argument.arg, scope)
            scope[argument.arg] = variable = Variable(_type(argument.annotation))
            variable.name = argument.arg
            inputs.append(variable)
        programs: dict[str, Program] = {}
        declared: dict[str, ArrayType] = {}
        equations: list[Equation] = []
        result: Program | None = None
        for statement in self.body(node):
            if result is not None:
                raise parse_error(statement, "`return` must be the last line.")
            match statement:
                case ast.FunctionDef():
                    programs[statement.name] = self.definition(
                        statement, {} if self.is_closed else scope
                    )
                case ast.AnnAssign(target=ast.Name(id=name), value=None):
                    declared[name] = _type(statement.annotation)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call):
                    declared[name] = _type(statement.annotation)
                    equations.append(self._equation(call, [name], declared, scope, programs))
                case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Call() as call):
                    names = [target.id for target in targets if isinstance(target, ast.Name)]
                    equations.append(self._equation(call, names, declared, scope, programs))
                case ast.Return(value=value):
                    atoms = value.elts if isinstance(value, ast.Tuple) else [value]
                    outputs = [self._atom(atom, scope) for atom in atoms if atom]
                    result = Program(inputs, equations, outputs)
                case _:
                    raise parse_error(statement, f"`{ast.unparse(statement)}` is no equation.")
        if result is None:
            raise parse_error(node, "the definition has no `return`.")
        return result

    def _equation(
        self,
        call: ast.Call,
        names: Sequence[str],
        declared: dict[str, ArrayType],
        scope: dict[str, Variable],
        programs: dict[str, Program],
    ) -> Equation:
        if not isinstance(call.func, ast.Name) or call.func.id not in self.primitives:
            raise self.unknown(call, ast.unparse(call.func))
        primitive = self.primitives[call.func.id]
        inputs = [self._atom(argument, scope) for argument in call.args]
        if len({keyword.arg for keyword in call.keywords} - {None}) != len(call.keywords):
            raise parse_error(call, "a parameter is given twice.")
        params = {
            keyword.arg or "": _parameter(keyword.value, programs) for keyword in call.keywords
        }
        if not self.is_closed and (primitive.calls_python or primitive.holds_programs):
            params = {name: _of_python(value) for name, value in params.items()}
        self.before_inference(call, primitive, inputs, params, len(names))
        try:
            inferred = primitive.infer(*(atom.type for atom in inputs), **params)
        except ProgramCheckError:  # it calls Python, of which the text has the name
            if not all(name in declared for name in names):
                raise parse_error(call, "a variable has no type.") from None
            said = [declared[name] for name in names]
            inferred: Any = said if primitive.multiple_outputs else said[0]
        except Exception as error:
            expected = isinstance(error, TypeError | ValueError | IndexError)
            if primitive.is_own and not expected:
                raise
            raise self.refused(call, primitive, error) from error
        types = tuple(inferred) if primitive.multiple_outputs else (inferred,)
        if len(types) != len(names):
            raise parse_error(call, f"{primitive.name} has {len(types)} outputs, not {len(names)}.")
        outputs: list[Variable] = []
        for name, type in zip(names, types, strict=True):
            if declared.get(name) != type:
                raise parse_error(
                    call, f"{name} has the type {type}, but the text says {declared.get(name)}."
                )
            _require_new(call, name, scope)
            scope[name] = variable = Variable(type)
            variable.name = name
            outputs.append(variable)
        equation = Equation(primitive, inputs, params, outputs)
        self.equations.append(equation)
        self.ends.append(call.end_lineno or call.lineno)
        return equation

    def unknown(self, node: ast.AST, name: str) -> FunctraceError:
        """The error for a primitive of which nothing is known."""
        return ParseError(
            f"Line {getattr(node, 'lineno', '?')}: there is no primitive {name!r}.",
            advice=f"{ParseError.advice} A primitive of yours must be defined before it is read.",
        )

    def refused(self, node: ast.AST, primitive: Primitive, error: Exception) -> FunctraceError:
        """The error for inputs that a primitive does not take."""
        return parse_error(node, f"{primitive.name} does not take these inputs: {error}")

    def _atom(self, node: ast.expr, scope: dict[str, Variable]) -> Atom:
        match node:
            case ast.Name(id=name) if name in scope:
                return scope[name]
            case ast.Call(func=ast.Name(id="array"), args=[values, type_node]):
                type = _type(type_node)
                value = _parameter(values)
                if value is Ellipsis:
                    return Constant(ElidedValue(type, False), type)
                return Constant(_converted(node, lambda: np.array(value, type.dtype), type.shape))
            case ast.Call(
                func=ast.Name(id="constant" | "scalar" | "number" as kind),
                args=[ast.Constant(value=number), type_node],
            ):
                return self.constant(node, kind, number, _type(type_node))
            case ast.Call(func=ast.Name(id="captured"), args=[type_node]):
                type = _type(type_node)
                return Constant(ElidedValue(type, True), type)
            case ast.Call(func=ast.Name(id=name), args=[value]):
                scalar = _dtype(node, name).type
                return Constant(_converted(node, lambda: scalar(_parameter(value)), ()))
            case ast.Name(id=name) if name not in SPECIAL_NUMBERS:
                raise parse_error(node, f"{name} is read before it is written.")
            case _:
                value = _parameter(node)
                if not isinstance(value, bool | int | float | complex):
                    raise parse_error(
                        node, f"`{ast.unparse(node)}` is neither a variable nor a constant."
                    )
                return Constant(value)


class _Named:
    """What stands for a Python object of which a text has the name only: it cannot be used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._unknown()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._unknown()

    def _unknown(self) -> ProgramCheckError:
        return ProgramCheckError(
            f"What {self} does is not in the text from which the Program was parsed.",
            advice="Record the function again, or keep the Program by program.save(path).",
        )


class _NamedByText(_Named, str):
    __slots__ = ()


class _NamedByTuple(_Named, tuple[Any, ...]):
    __slots__ = ()


def _of_python(value: Any) -> Any:
    """A parameter of a primitive that calls Python: it may stand for an object of Python's."""
    if isinstance(value, str):
        return _NamedByText(value)
    is_plain = isinstance(value, tuple) and not held_programs(value)
    return _NamedByTuple(value) if is_plain else value


def parse_error(node: ast.AST, message: str) -> ParseError:
    """The error for a part of the text."""
    return ParseError(f"Line {getattr(node, 'lineno', '?')}: {message}")


def _require_new(node: ast.AST, name: str, scope: dict[str, Variable]) -> None:
    if name in scope:
        raise parse_error(node, f"{name} is written twice.")


def _type(node: ast.expr) -> ArrayType:
    shape: tuple[int, ...] = ()
    name = node
    if isinstance(node, ast.Subscript):
        name = node.value
        lengths = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        values = [
            length.value if isinstance(length, ast.Constant) else ANY_LENGTH
            for length in lengths
            if isinstance(length, ast.Constant) or ast.unparse(length) == "any"
        ]
        shape = tuple(value for value in values if isinstance(value, int))
        if len(shape) != len(lengths):
            raise parse_error(node, f"`{ast.unparse(node)}` is no type.")
    if not isinstance(name, ast.Name):
        raise parse_error(node, f"`{ast.unparse(node)}` is no type.")
    return ArrayType(shape, _dtype(node, name.id.removeprefix("weak_")), name.id[:5] == "weak_")


def _dtype(node: ast.expr, name: str) -> np.dtype[Any]:
    try:
        dtype = np.dtype(name)
    except TypeError:
        raise parse_error(node, f"there is no dtype {name!r}.") from None
    if dtype.kind not in "biufc":
        raise parse_error(node, f"the dtype {name!r} is not numeric.")
    return dtype


def _converted(node: ast.expr, convert: Callable[[], Any], shape: Shape) -> Any:
    try:
        value = convert()
        return value.reshape(shape) if isinstance(value, np.ndarray) else value
    except (TypeError, ValueError, OverflowError) as error:
        raise parse_error(node, f"`{ast.unparse(node)}` is no constant: {error}.") from error


def _parameter(node: ast.expr, programs: Mapping[str, Program] = MappingProxyType({})) -> Any:
    match node:
        case ast.Name(id=name) if name in programs:
            return programs[name]
        case ast.Tuple(elts=[ast.Name(id=name), *_] as items) if name in programs:
            if not all(isinstance(item, ast.Name) and item.id in programs for item in items):
                raise parse_error(node, f"`{ast.unparse(node)}` are not all Programs.")
            return tuple(programs[item.id] for item in items if isinstance(item, ast.Name))
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items):
            return tuple(_parameter(item) for item in items)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _number(operand)
            # Of a complex number only the imaginary part has been printed: -1j is 0-1j.
            return complex(0.0, -value.imag) if isinstance(value, complex) else -value
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
            # Only complex numbers print so; built from their parts, to keep signed zeros.
            sign = -1.0 if isinstance(left, ast.UnaryOp) else 1.0
            real = _number(left.operand if isinstance(left, ast.UnaryOp) else left).real
            imaginary = _number(right).imag
            imaginary = imaginary if isinstance(operator, ast.Add) else -imaginary
            return complex(sign * real, imaginary)
        case ast.Call(func=ast.Name(id="slice"), args=[start, stop, step]):
            return slice(_parameter(start), _parameter(stop), _parameter(step))
        case ast.Name(id=name):
            return SPECIAL_NUMBERS[name] if name in SPECIAL_NUMBERS else _dtype(node, name)
        case _:
            raise parse_error(node, f"`{ast.unparse(node)}` is not a parameter's value.")


def _number(node: ast.expr) -> Any:
    value = _parameter(node)
    if not isinstance(value, int | float | complex):
        raise parse_error(node, f"`{ast.unparse(node)}` is no number.")
    return value
