"""What people and browsers get: nothing of it runs that we did not write."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from studylib.errors import StageError
from studylib.evidence import report


def executed(folder: Path, html: str) -> Path:
    """Write a notebook with an output of some HTML."""
    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "a.ipynb")
    return folder / "a.ipynb"


@pytest.mark.parametrize(
    "html",
    [
        '<a href="javascript:alert(1)">more</a>', "<a href=JavaScript:alert(1)>more</a>",
        '<img src="https://example.org/a.png">', "<img src=//example.org/a.png>",
        '<iframe src="data:text/html,<script>alert(1)</script>"></iframe>',
    ],
)  # fmt: skip
def test_a_page_that_would_load_or_run_something_is_not_written(tmp_path, html):
    with pytest.raises(StageError, match="would load"):
        report.render_page(executed(tmp_path, html), tmp_path / "a.html", "title")
    assert not (tmp_path / "a.html").exists()


def test_the_policy_names_our_scripts_and_no_other(tmp_path):
    """The hash is that of the example in the standard, Content Security Policy Level 3, section 8.4."""
    assert "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='" in report.policy(["alert('Hello, world.');"])
    assert "script-src 'none'" in report.policy([])
    mark = "<div class=here></div>"
    page = report.render_page(
        executed(tmp_path, f"{mark}<script>evil()</script>"), tmp_path / "a.html", "a < b",
        {mark: "<script>ours()</script>"},
    ).read_text()  # fmt: skip
    head = page.partition("</head>")[0]
    assert report.policy(["ours()"]) in head and report.policy(["evil()"]) not in head and "a &lt; b" in head


def test_a_page_of_several_sections_begins_with_links_to_them():
    body = '<h1 id="a">T</h1>' + "".join(
        f'<h2 id="s{n}">S &lt;{n}&gt;<a class="anchor-link" href="#s{n}">x</a></h2>' for n in (1, 2, 3)
    )
    page = report.with_contents(body)
    assert '</h1><nav aria-label="Sections"><ul><li><a href="#s1">S &lt;1&gt;</a></li>' in page
    assert page.count("<li>") == 3 and report.with_contents(body.partition('<h2 id="s3">')[0]).count("<li>") == 0
