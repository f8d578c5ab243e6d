"""What stands at a place of the user's code, beside what the source says."""

from __future__ import annotations

import ast
import sys

import numpy as np
import pytest

import functrace as ft
from functrace.tracing import expressions


class Where:
    """Remembers the place from which it was asked for anything."""

    def __init__(self):
        self.place = None
        self.frame = None

    def _remember(self):
        frame = sys._getframe(2)
        self.place, self.frame = (frame.f_code, frame.f_lasti), frame

    def __getitem__(self, index):
        self._remember()
        return self

    def __setitem__(self, index, value):
        self._remember()

    def __add__(self, other):
        self._remember()
        return self

    def __iadd__(self, other):
        self._remember()
        return self

    def fill(self, value, out=None):
        self._remember()


def read(a, i):
    a[i, 0]


def write(a, i):
    a[2 * i] = i


def write_a_slice(a, i):
    a[1:] = i


def add_to_item(a, i):
    a[i] += i


def add(a, i):
    a + i


def add_in_place(a, i):
    a += i


def fill(a, i):
    a.fill(i)


def fill_into(a, i):
    a.fill(i, out=a)


def over_lines(a, i):
    (a
     [i])  # fmt: skip


PLACES = {
    # the statement, whether an item is read, whether one is written, what is written
    read: ("a[i, 0]", True, False, "a"),
    write: ("a[2 * i] = i", False, True, "a"),
    write_a_slice: ("a[1:] = i", False, True, "a"),
    add_to_item: ("a[i] += i", False, True, "a"),
    add: ("a + i", False, False, None),
    add_in_place: ("a += i", False, False, "a"),
    fill: ("a.fill(i)", False, False, "a"),
    fill_into: ("a.fill(i, out=a)", False, False, "a"),
    over_lines: ("a[i]", True, False, "a"),
}


@pytest.mark.parametrize("f", PLACES, ids=lambda f: f.__name__)
def test_what_stands_there(f):
    where = Where()
    f(where, 1)
    statement, reads, writes, written = PLACES[f]
    around = expressions.expressions_around(where.place)
    assert ast.unparse(around[-1]) == statement
    assert isinstance(around[-1], ast.stmt)
    assert expressions.reads_an_item(where.place) == reads
    assert expressions.stores_an_item(where.place) == writes
    assert expressions.written_at(where.place) == written
    assert statement.split()[0][0] in expressions.line_at(where.place)


@pytest.mark.parametrize("place", [None, (read.__code__, -1)])
def test_nothing_is_known_of_no_place(place):
    assert not expressions.reads_an_item(place)
    assert not expressions.stores_an_item(place)
    assert expressions.expression_at(place) is None
    assert expressions.expressions_around(place) == []
    assert expressions.written_at(place) is None


def test_a_file_that_is_not_there():
    where, names = Where(), {}
    exec(compile("def f(a):\n    a[0] = 1", "<nowhere>", "exec"), names)
    names["f"](where)
    assert expressions.stores_an_item(where.place)
    assert expressions.expressions_around(where.place) == []
    assert expressions.written_at(where.place) is None
    assert expressions.line_at(where.place) == ""


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("np.copyto(a, x)", "a"),
        ("np.add.at(b[0], i, x)", "b[0]"),
        ("np.exp(x, out=c)", "c"),
        ("a.b.put(i, x)", "a.b"),
        ("np.put(a, i, x)", "a"),
        ("a[0][1] = x", "a[0]"),
        ("a = x", None),
        ("np.exp(x)", None),
        ("f()", None),
    ],
)
def test_what_is_written(code, written):
    (statement,) = ast.parse(code).body
    found = statement.value if isinstance(statement, ast.Expr) else statement
    target = expressions.written_in(found)
    assert (None if target is None else ast.unparse(target)) == written


@pytest.mark.parametrize("index", ["i", "i, j", "1:2", "f(x)[0]", "(i, j), k", "..., None"])
def test_an_index_as_it_was_written(index):
    item = ast.parse(f"x[{index}]", mode="eval").body
    assert expressions.index_written(item) == index


class Instance:
    def __init__(self):
        self.own = np.ones(2)

    @property
    def computed(self):
        raise AssertionError("it would run the user's code")


def test_names_stand_for_what_is_there():
    local, instance, zeros = np.zeros(2), Instance(), np.zeros
    frame = sys._getframe()

    def of(code):
        return ast.parse(code, mode="eval").body

    assert expressions.frame_of((frame.f_code, 0)) is frame
    assert expressions.frame_of((read.__code__, 0)) is None
    assert expressions.value_of(of("local"), frame) is local
    assert expressions.value_of(of("Instance"), frame) is Instance
    assert expressions.value_of(of("instance.own"), frame) is instance.own
    assert expressions.value_of(of("instance.computed"), frame) is None
    assert expressions.value_of(of("f(local)"), frame) is None
    assert expressions.numpy_name(of("np.linalg.norm"), frame) == "linalg.norm"
    assert expressions.numpy_name(of("zeros"), frame) == "zeros"
    assert zeros is np.zeros
    for code in ("instance.own", "local", "sys.path", "unknown", "read"):
        assert expressions.numpy_name(of(code), frame) is None


PAGE = """# A page that is no Python

    text with `code` in it

{indent}def f(x, y):
{indent}    q = x + y
{indent}    q += y
{indent}    r: object = q + 1
{indent}    return q + r
"""


@pytest.mark.parametrize("indent", ["", "        "])
@pytest.mark.parametrize("is_python", [True, False])
def test_names_that_values_are_given(indent, is_python, tmp_path, monkeypatch):
    if is_python and indent:
        return
    text = PAGE.format(indent=indent)
    text = text[text.index("def") :] if is_python else text
    path = tmp_path / "page"
    path.write_text(text, encoding="utf-8")
    lines = text[text.index(f"{indent}def") :].replace(f"\n{indent}", "\n").removeprefix(indent)
    above = text[: text.index(f"{indent}def")].count("\n")
    tree = ast.parse("\n" * above + lines)
    for node in ast.walk(tree):
        for name in ("col_offset", "end_col_offset"):
            if hasattr(node, name):
                setattr(node, name, getattr(node, name) + len(indent))
    namespace = {}
    exec(compile(tree, str(path), "exec"), namespace)
    found = []

    class Sum(Where):
        def __add__(self, other):
            self._remember()
            found.append(expressions.assigned_at(self.place))
            return self

        __iadd__ = __add__

    namespace["f"](Sum(), Sum())
    assert found == ["q", "q", "r", None]


def test_loops_around_a_line():
    def f(x):
        for _ in range(2):
            x = x * 2
            y = [x + k for k in range(3)]

        def inner(z):
            return z * 3

        return inner(x), y

    def g(x):
        value, parts = f(x)
        return value, *parts

    found = [
        (e.primitive.name, type(expressions.loop_around(e.source)))
        for e in ft.make_ir(g)(1.0).equations
    ]
    assert found == [
        *[("multiply", ast.For), *[("add", ast.ListComp)] * 3] * 2, ("multiply", type(None))
    ]  # fmt: skip
