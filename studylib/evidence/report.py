"""analysis/report.html: the executed evidence notebook as one page that opens without a network."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape
from pathlib import Path

from studylib.errors import StageError
from studylib.evidence.explorer import MARK, explorer, plotly
from studylib.evidence.writer import DELTAS
from studylib.io.files import read_json, write_text
from studylib.run.hub import Hub

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{policy}
<title>{title}</title><style>
:root {{ color-scheme: light dark; background: Canvas; color: CanvasText; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: auto; padding: 1rem; }}
p, li, dd {{ max-width: 50rem; }}
a {{ color: light-dark(#0645ad, #8ab4f8); }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid #8886; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; }}
figure {{ margin: 1rem 0; }}
figcaption {{ max-width: 50rem; color: GrayText; color: color-mix(in srgb, CanvasText 75%, Canvas); }}
img {{ max-width: 100%; height: auto; background: white; border-radius: .4rem; }}
summary {{ cursor: pointer; margin: .5rem 0; }}
caption {{ text-align: left; padding: .3rem .7rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto;
  margin: 1rem 0; }}
th, td {{ border-bottom: 1px solid #8886; padding: .2rem .7rem; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
tbody th {{ font-weight: 400; }}
pre, code {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
fieldset {{ display: inline-block; border: 1px solid #8886; border-radius: .4rem; margin: .2rem .4rem .2rem 0; }}
fieldset label {{ margin-right: .8rem; white-space: nowrap; }}
#explorer-row {{ width: min(30rem, 100%); vertical-align: middle; }}
@media (prefers-color-scheme: dark) {{ img {{ filter: brightness(.88); }} }}
@media (max-width: 40rem) {{ dl {{ grid-template-columns: 1fr; }} dd {{ margin: 0 0 .5rem 1rem; }} }}
@media print {{
  #explorer, nav {{ display: none; }}
  figure, table {{ break-inside: avoid; }}
  h2 {{ break-after: avoid; }}
  body {{ font-size: 10pt; max-width: none; padding: 0; }}
}}
a.anchor-link, .jp-OutputPrompt, .jp-InputPrompt, .prompt {{ display: none; }}
</style></head><body>
{body}
</body></html>
"""


FOREIGN = re.compile(
    r"""(?:src|href)\s*=\s*["']?\s*(?:(?:https?:)?//|javascript:|data:text/html)[^"'>]*""", re.IGNORECASE
)
"""What a page would load from elsewhere, or would run."""


def policy(scripts: Iterable[str]) -> str:
    """Return the content security policy of a page.

    The page may show images that it contains and run the given scripts. It may load nothing from elsewhere.

    Parameters
    ----------
    scripts
        Text of each script that may run. Any other script in the page does not run.

    Returns
    -------
    str
        A `meta` element for the head of the page.
    """
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts]
    rules = (
        "default-src 'none'", "img-src data: blob:", "style-src 'unsafe-inline'", "font-src data:",
        "script-src " + (" ".join(hashes) or "'none'"), "base-uri 'none'", "form-action 'none'",
    )  # fmt: skip
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'


def scripts_of(page: str) -> list[str]:
    """Return the text of every script of a page that runs; a script element with attributes only holds data."""
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def render(hub: Hub) -> Path:
    """Render notebooks/06_evidence.ipynb of the hub with nbconvert, without its code.

    Parameters
    ----------
    hub
        Folder of the run.

    Returns
    -------
    Path
        analysis/report.html.

    Raises
    ------
    StageError
        The page would load something from elsewhere.
    """
    origin = read_json(hub / DELTAS, "run 06_evidence")["provenance"]
    parts = {MARK: explorer(hub, origin["dose"], origin["view"], origin["splits"])}
    title = f"Dose-overlap study: {hub.root.name}"
    scripts = [plotly().decode("utf-8")]  # the explorer unpacks it and runs it
    return render_page(hub / "notebooks/06_evidence.ipynb", hub / "analysis/report.html", title, parts, scripts)


def render_page(
    executed: Path, page: Path, title: str, parts: Mapping[str, str] | None = None, scripts: Iterable[str] = ()
) -> Path:
    """Render an executed notebook as one page that needs no network.

    Parameters
    ----------
    executed
        The notebook, with the outputs of its cells.
    page
        HTML file to write.
    title
        Title of the page.
    parts
        HTML by the placeholder in the notebook that it replaces. The scripts of these parts may run.
    scripts
        Text of other scripts that may run, because a script of a part creates them.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StageError
        The page would load something from elsewhere.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor

    notebook = nbformat.read(executed, as_version=4)
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    exporter.register_preprocessor(TagRemovePreprocessor(remove_cell_tags={"not-in-report"}), enabled=True)
    body, _ = exporter.from_notebook_node(notebook)
    # Only the notebook can hold foreign content; the parts below are the study's own.
    foreign = FOREIGN.findall(body)
    if foreign:
        raise StageError(f"{page.name} would load {foreign[0]}")
    ours = [script for part in (parts or {}).values() for script in scripts_of(part)]
    body = with_contents(body)
    for mark, part in (parts or {}).items():
        body = body.replace(mark, part)
    return write_text(page, PAGE.format(title=escape(title), body=body, policy=policy([*ours, *scripts])))


def with_contents(body: str) -> str:
    """Return a page with links to its sections below its title; a page with fewer than three sections stays as it is.

    Parameters
    ----------
    body
        HTML of a notebook by nbconvert, whose headings have an `id`.
    """
    sections = re.findall(r'<h2 id="([^"]+)">(.*?)(?:<a\b|</h2>)', body)
    if len(sections) < 3:
        return body
    links = "".join(f'<li><a href="#{place}">{words}</a></li>' for place, words in sections)
    return body.replace("</h1>", f'</h1><nav aria-label="Sections"><ul>{links}</ul></nav>', 1)
