"""Code that says of itself that it stands where the user wrote it."""

from __future__ import annotations

import inspect
from types import CodeType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.backends.lines import line_of, placed
from functrace.ir.program import Source


def user(a, b):
    c = a + b
    d = [
        c,
        a - b,
    ]
    return [x * c for x in d] + [y / a for y in d]


CODE = user.__code__
PLACES = [Source(CODE, 2 * n) for n, (line, *_) in enumerate(CODE.co_positions()) if line]


def generated(lines: list[str]) -> CodeType:
    source = "def run(a, b):\n" + "".join(f"    {line}\n" for line in lines) + "    return a\n"
    namespace: dict[str, object] = {}
    exec(source, namespace)
    function = namespace["run"]
    assert inspect.isfunction(function)
    return function.__code__


statements = st.sampled_from(
    ["a = a + b", "b = [a * x for x in (1, 2)][0] + (lambda y: y)(a)", "a = max(a, b, a, b, a, b)",
     "a = (a, " + "b, " * 40 + ")[0]", "if a: pass"]
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(statements, st.sampled_from([None, *PLACES])), min_size=1, max_size=12))
def test_each_instruction_stands_where_its_line_was_written(drawn):
    code = generated([statement for statement, _ in drawn])
    places = [None, *(place for _, place in drawn), None]
    if not any(places):
        return
    filled = []
    last = next(place for place in places if place is not None)
    for place in places:
        last = place or last
        filled.append(last)
    result = placed(code, places)
    assert result.co_code == code.co_code
    assert result.co_filename == __file__
    expected = []
    for offset in range(0, len(code.co_code), 2):
        number = line_of(code, offset)
        position = (None,) * 4
        if number is not None:
            place = filled[number - 1]
            position = list(CODE.co_positions())[place.instruction // 2]
        expected.append(position)
    assert list(result.co_positions()) == expected
    for before, after in zip(code.co_consts, result.co_consts, strict=True):
        if isinstance(before, CodeType):
            assert after.co_filename == __file__
            assert {line for *_, line in after.co_lines() if line} <= {p.line for p in filled}


@pytest.mark.parametrize("line", [1, 63, 64, 5000, 10**6])
def test_lines_far_apart(line):
    far = compile("\n" * (line - 1) + "x = 1", "far.py", "exec")
    (first, *_, last) = [Source(far, 2 * n) for n, _ in enumerate(far.co_positions())]
    near = Source(far.replace(co_firstlineno=7), -1)
    code = generated(["a = a + b", "b = a"])
    found = placed(code, [near, last, near, near])
    assert {number for *_, number in found.co_lines() if number} == {7, line}
    assert first.file == found.co_filename
