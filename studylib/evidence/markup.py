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
        Rows; a cell that a row lacks is "n/a".
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
    # Rows may have different columns; the first occurrence of a name sets its place.
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in names)
    body = []
    for place, row in enumerate(rows):
        first, *others = ((name, escape(str(row.get(name, "n/a")))) for name in names)
        cells = [f'<th scope="row">{first[1]}</th>']
        cells += [f"<td><strong>{c}</strong></td>" if (place, n) in best else f"<td>{c}</td>" for n, c in others]
        body.append(f"<tr>{''.join(cells)}</tr>")
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def listed(lines: Sequence[str]) -> str:
    """Return lines of text as an HTML list, each once; empty for no lines."""
    items = "".join(f"<li>{escape(line)}</li>" for line in dict.fromkeys(lines))
    return f"<ul>{items}</ul>" if items else ""


def explained(facts: Mapping[str, str]) -> str:
    """Return words with what they stand for as an HTML list of definitions."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in facts.items())
    return f"<dl>{lines}</dl>"


def others_folded(parts: Mapping[str, str], shown: str, words: str) -> str:
    """Return the HTML of one split, with that of the other splits folded away below it.

    Parameters
    ----------
    parts
        HTML by split.
    shown
        The split that is not folded.
    words
        What stands before the other parts, with a place for the name of the split.
    """
    rest = (folded(words.format(split), part) for split, part in parts.items() if split != shown)
    return parts[shown] + "".join(rest)


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
