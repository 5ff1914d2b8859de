"""Tables, pictures and folded parts as HTML that needs no other file. All text is escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

Row = Mapping[str, Any]
"""Text of a cell by the name of its column."""


def table(rows: Sequence[Row], caption: str = "", best: Collection[tuple[int, str]] = ()) -> str:
    """Return a table as HTML, with the first cell of each row as the head of that row.

    Parameters
    ----------
    rows
        Rows with the same columns.
    caption
        Text above the table.
    best
        Number of the row and name of the column of each cell that is printed bold.

    Returns
    -------
    str
        Empty if there are no rows.

    Examples
    --------
    >>> table([{"arm": "MAP", "MAE": "0.1"}], best={(0, "MAE")}).partition("<tbody>")[2]
    '<tr><th scope="row">MAP</th><td><strong>0.1</strong></td></tr></tbody></table>'
    """
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows[0])
    body = []
    for number, row in enumerate(rows):
        first, *others = ((name, escape(str(cell))) for name, cell in row.items())
        cells = [f'<th scope="row">{first[1]}</th>']
        cells += [f"<td><strong>{c}</strong></td>" if (number, n) in best else f"<td>{c}</td>" for n, c in others]
        body.append(f"<tr>{''.join(cells)}</tr>")
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def listed(lines: Sequence[str]) -> str:
    """Return lines of text as an HTML list, each once; empty for no lines."""
    items = "".join(f"<li>{escape(line)}</li>" for line in dict.fromkeys(lines))
    return f"<ul>{items}</ul>" if items else ""


def folded(words: str, content: str) -> str:
    """Return HTML that is folded away below some words; empty for no content."""
    return f"<details><summary>{escape(words)}</summary>{content}</details>" if content else ""


def embedded(source: Path | Figure, text: str) -> str:
    """Return a picture with its caption as HTML that needs no other file.

    The picture is stored as WebP: a fifth of the bytes, so that the page stays under 8 MB.

    Parameters
    ----------
    source
        A figure, or the file of a picture.
    text
        Caption, which also is the text for readers who do not see the picture.
    """
    drawn, small = BytesIO(), BytesIO()
    if isinstance(source, Figure):
        source.savefig(drawn, format="png", dpi=100)
    else:
        drawn.write(source.read_bytes())
    with Image.open(drawn) as picture:
        picture.convert("RGB").save(small, "WEBP", quality=90)
    data = b64encode(small.getvalue()).decode()
    return (
        f'<figure><img alt="{escape(text)}" src="data:image/webp;base64,{data}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def number(value: float | None, digits: int) -> str:
    """Return a number with a fixed number of decimals, or "-" when it is None."""
    return "-" if value is None else f"{value:.{digits}f}"


def enumerated(words: Sequence[str]) -> str:
    """Return words joined by commas and a last "and".

    Examples
    --------
    >>> enumerated(["a", "b", "c"]), enumerated(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), *words[-1:]])
