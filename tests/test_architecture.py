"""The floors: imports only point down. And what else holds of the source as a whole."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import functrace
from functrace import errors
from tests.cases import CASES
from tests.floors import DOCS, FLOORS, lines_of, page, picture

ROOT = Path(functrace.__file__).parent

LATE = {"scipy", "llvmlite", "dataclasses", "resvg_py", "graphviz", "zipfile"}
"""What may be imported inside a function, each at one place: optional packages, and what takes
longer to import than functrace itself."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def parsed(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """All statements of a file, or of a part; no expression holds any."""
    for blocks in (getattr(tree, name, ()) for name in ("body", "orelse", "finalbody")):
        for node in blocks:
            yield node
            yield from statements(node)
    for part in (*getattr(tree, "handlers", ()), *getattr(tree, "cases", ())):
        yield from statements(part)


class Import(NamedTuple):
    """What one statement imports: its full name, as far as it is a module."""

    line: int
    target: str


class File(NamedTuple):
    """What is asked of a file; its tree would fill the memory."""

    docstring: str | None
    imports: list[Import]
    late: list[Import]
    """Those inside functions."""


@cache
def read(name: str) -> File:
    tree = parsed(name)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    inside = [node for node in statements(tree) if isinstance(node, functions)]
    late = [found for function in inside for found in imports(function)]
    return File(ast.get_docstring(tree), imports(tree), late)


STANDS = {
    module: (floor, room.name, position)
    for floor, rooms in enumerate(FLOORS)
    for room in rooms
    for position, module in enumerate(room.modules())
}
"""Of each file its floor, its room, and its position in the room."""

SURFACE = {room.name for rooms in FLOORS for room in rooms if room.is_folder}
"""Modules that are folders; what their ``__init__`` holds stands above their files."""

FLOORS_OF = {room.name: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports(tree: ast.AST) -> list[Import]:
    found: list[Import] = []
    for node in statements(tree):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = full.removeprefix("functrace.") in FILES
                found.append(Import(node.lineno, full if is_module else node.module))
    return found


@pytest.mark.parametrize("name", sorted(STANDS))
def test_imports_point_down(name):
    floor, room, position = STANDS[name]
    for line, target in read(name).imports:
        if target != "functrace" and not target.startswith("functrace."):
            continue
        where = f"{name}, line {line}, imports {target}"
        assert target != "functrace", f"{where}: the package itself, which imports everything"
        module = target.removeprefix("functrace.")
        if module in SURFACE:  # what its __init__ hands on
            assert FLOORS_OF[module] < floor, f"{where}: a room that does not stand below"
            continue
        target_floor, target_room, target_position = STANDS[module]
        if target_room == room:
            assert target_position < position, f"{where}: it is not listed above {name}"
        else:
            assert target_floor < floor, f"{where}: floor {floor} imports floor {target_floor}"


def test_imports_stand_at_the_top_of_their_file():
    late: Counter[str] = Counter()
    for name in FILES:
        for line, target in read(name).late:
            package = target.split(".")[0]
            assert package in LATE, f"{name}, line {line}: inside a function"
            late[package] += 1
    assert all(count == 1 for count in late.values()), late


def test_the_package_re_exports_explicitly():
    for node in parsed("").body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("functrace"):
            assert all(alias.name in functrace.__all__ for alias in node.names), ast.unparse(node)


def test_every_file_stands_on_a_floor():
    folders = {name for name in FILES if FILES[name].name == "__init__.py"}
    assert set(FILES) - folders == set(STANDS), "list it in tests/floors.py"
    assert folders == {"", *SURFACE}


TESTS = Path(__file__).parent

OF_SEVERAL = {
    "backends/native/test_fuzz": "random programs through machine code, NumPy and evaluation",
    "backends/test_freshness": "memory in other hands, which no file of the backend writes",
    "backends/test_single_numbers": "the numbers that generated source holds as Python's",
    "numpy/test_array_api": "traced values in libraries that are written for any arrays",
    "numpy/test_all": "what holds of every function of NumPy's",
    "numpy/test_table": "what is decided on every name of NumPy's",
    "numpy/test_result_classes": "scalar or 0-d array, of every function and transformation",
    "primitives/test_all": "what holds of every primitive",
    "primitives/test_derivatives": "derivatives of many primitives where formulas go wrong",
    "primitives/test_operations": "how many operations each primitive counts",
    "simplify/test_choices": "what several passes make of choices and checkpoints",
    "simplify/test_exactness": "what holds of all passes that are exact",
    "simplify/test_properties": "what holds of every pass, and of all together",
    "simplify/test_simplify": "all passes together, which the room itself runs",
    "simplify/test_traits": "how passes use what primitives say of themselves",
    "test_architecture": "the source as a whole",
    "test_contributing": "what is written for contributors",
    "test_docs": "the documentation",
    "test_examples": "the examples",
    "test_lessons": "the lessons of the documentation",
    "test_jax_names": "signatures of several modules, beside JAX's",
    "test_namespace": "the package's own names",
    "test_native_workloads": "the workloads of the benchmark of machine code",
    "test_nesting": "every transformation of every other",
    "test_ported_programs": "programs for JAX, by everything that they need",
    "test_random_programs": "drawn Programs, through everything that takes one",
    "test_typing": "what a type checker sees of the whole package",
    "test_workloads": "the workloads of the benchmarks",
    "transforms/test_writing_in_place": "arrays that are written, in reverse mode and under jit",
    "numpy/test_warnings": "what NumPy's functions warn of in Python, whatever their file",
    "tree/test_properties": "what holds of all trees, by any function",
}
"""Files of tests that stand beside no file of the source, and of what they are."""


def test_the_tests_mirror_the_source():
    def test_of(name):
        *rooms, file = name.split(".")
        return "/".join([*rooms, f"test_{file}"])

    there = {
        path.relative_to(TESTS).with_suffix("").as_posix() for path in TESTS.rglob("test_*.py")
    }
    mirrored = {test_of(name): name for name in STANDS}
    untested = {name for test, name in mirrored.items() if test not in there}
    assert not untested, "write the tests of a/b.py in tests/a/test_b.py"
    homeless = there - mirrored.keys() - OF_SEVERAL.keys()
    assert not homeless, "name it as the file that it tests, or say in OF_SEVERAL what it tests"


def test_what_users_may_not_import_says_so():
    outermost = {name for name in FILES if name and "." not in name}
    for name in outermost:
        internal = "\nInternal: users find" in (read(name).docstring or "")
        assert internal == (name not in functrace.__all__), name


GROWING = {"numpy", "scipy"}
"""Rooms that have a file for each part of another library."""


def test_no_room_is_too_large():
    lines = {room.name: lines_of(room) for rooms in FLOORS for room in rooms}
    whole = sum(lines.values())
    too_large = {name: n for name, n in lines.items() if n > 0.15 * whole and name not in GROWING}
    assert not too_large, f"of {whole} lines: {too_large}"


def test_the_architecture_shows_the_floors_as_they_are():
    listed = (DOCS / "floors.md").read_text(encoding="utf-8")
    assert listed == page(), "run python -m tests.floors"
    assert (DOCS / "floors.svg").read_text(encoding="utf-8") == picture(), (
        "run python -m tests.floors"
    )


@cache
def fresh_import() -> dict:
    """What a new Python finds after importing functrace."""
    script = """
import json, pkgutil, sys, time
import numpy, typing_extensions
before = set(sys.modules)
start = time.process_time()
import functrace
seconds = time.process_time() - start
modules = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
put_off = [name for name in ("numpy.testing", "numpy.f2py", "unittest") if name in sys.modules]
import functrace.primitives, functrace.matrices
families = (functrace.primitives, functrace.matrices)
found = [m for f in families for m in pkgutil.iter_modules(f.__path__, f"{f.__name__}.")]
for module in found:
    __import__(module.name)
from functrace.ir.primitive import PRIMITIVES
first_order = [
    name for name, primitive in PRIMITIVES.items()
    if type(primitive).__module__.startswith(tuple(f.__name__ for f in families))
]
print(json.dumps({
    "seconds": seconds, "modules": modules, "put_off": put_off, "primitives": first_order,
}))
"""
    output = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT.parent, capture_output=True, text=True, check=True
    )
    return json.loads(output.stdout)


def test_importing_functrace_needs_numpy_only():
    allowed = {*sys.stdlib_module_names, "numpy", "typing_extensions", "functrace"}
    assert set(fresh_import()["modules"]) <= allowed


def test_importing_functrace_does_not_import_what_numpy_puts_off():
    assert fresh_import()["put_off"] == []


def test_the_numpy_namespace_is_whole():
    for name in np.__all__:
        assert hasattr(functrace.numpy, name), name
    assert functrace.numpy.sinh is functrace.numpy.sinh
    assert set(np.__all__) <= set(dir(functrace.numpy))
    with pytest.raises(AttributeError, match=r"'functrace.numpy' has no attribute 'sine'"):
        functrace.numpy.sine  # noqa: B018


def test_importing_functrace_is_quick():
    seconds = fresh_import()["seconds"]
    sys.stdout.write(f"import functrace: {1000 * seconds:.0f} ms beside NumPy\n")
    assert seconds < 5


def test_every_primitive_has_its_row():
    without = set(fresh_import()["primitives"]) - set(CASES)
    assert not without, "add rows to tests/cases.py; it says how"


def test_every_row_has_its_primitive():
    assert set(CASES) - set(fresh_import()["primitives"]) == set()


ERRORS = [value for value in vars(errors).values() if isinstance(value, type)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_errors_have_one_base_and_a_docstring(error):
    assert issubclass(error, errors.FunctraceError | errors.FunctraceWarning)
    assert error.__doc__
    assert "__doc__" in vars(error)
    if error is not errors.FunctraceError:
        built_in = [base for base in error.__mro__[1:] if base.__module__ == "builtins"]
        assert built_in[0] is not Exception, "derive from what NumPy or Python would raise too"


def test_public_names_have_docstrings():
    for name, value in vars(functrace).items():
        if not name.startswith("_") and (callable(value) or isinstance(value, types.ModuleType)):
            assert inspect.getdoc(value), name


def test_every_file_has_a_docstring():
    for name in FILES:
        assert read(name).docstring, name
