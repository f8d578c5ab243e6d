"""Tables as text and as HTML."""

from __future__ import annotations

import re

from functrace import texts

ROWS = [("a", "1", "x"), ("long", "200", "")]


def test_columns_are_even():
    expected = "name    n  more\na       1  x\nlong  200"
    assert texts.text_table(("name", "n", "more"), ROWS, left=(0, 2)) == expected
    assert texts.text_table(("name", "n"), []) == "name  n"


def test_cells_are_escaped():
    found = texts.html_table(("<b>",), [("a & b",)])
    plain = re.sub(r' style="[^"]*"', "", found)
    assert plain == "<table><tr><th>&lt;b&gt;</th></tr><tr><td>a &amp; b</td></tr></table>"


def test_lines_of_a_cell_stay_lines():
    """Whatever the page around says of white space in cells, as notebooks do."""
    found = texts.html_table("a", [("one\ntwo",)])
    assert re.search(r'<td style="white-space:pre-wrap[^>]*>one\ntwo<', found)


def test_text_for_notebooks():
    text = texts.Text("a < b  # model.py:3\nc")
    assert isinstance(text, str)
    assert text._repr_html_() == texts.html_text(text)
    assert texts.html_text(text) == (
        "<pre>a &lt; b<span style='opacity:.6'>  # model.py:3</span>\nc</pre>"
    )
