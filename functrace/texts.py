"""Tables as text and as HTML, without what a library for them would take to import.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

Row = Sequence[str]


def escaped(text: str) -> str:
    """Text as it stands in HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text_table(headers: Row, rows: Sequence[Row], left: Container[int] = (0,)) -> str:
    """A table in a font of even widths.

    Args:
        headers: Above the columns.
        rows: The cells.
        left: The numbers of the columns that begin at the left; all others end at the right.
    """
    table = [headers, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number in left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def html_text(text: str) -> str:
    """Text in a font of even widths, for a notebook; what stands behind ``  # `` is paler."""
    parts = [line.partition("  # ") for line in escaped(text).split("\n")]
    shown = [f"{a}<span style='opacity:.6'>{b}{c}</span>" if b else a for a, b, c in parts]
    return f"<pre>{chr(10).join(shown)}</pre>"


class Text(str):
    """Text that a notebook shows as text, line by line, and not as a string."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return html_text(self)


def html_table(headers: Row, rows: Sequence[Row]) -> str:
    """A table for a notebook, whose own style would join the lines of a cell."""

    def line(cells: Row, tag: str) -> str:
        start = f'<{tag} style="white-space:pre-wrap; text-align:left; vertical-align:top">'
        return f"<tr>{''.join(f'{start}{escaped(cell)}</{tag}>' for cell in cells)}</tr>"

    body = "".join(line(cells, "td") for cells in rows)
    return f"<table>{line(headers, 'th')}{body}</table>"
