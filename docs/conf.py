"""Settings of Sphinx: `make docs` writes docs/_build/html."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Annotated, Any, get_origin

from studylib import __version__

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

project, author = "Ptychography dose-overlap study", "The authors of the ptychography dose-overlap study"
copyright, version, release = author, __version__, __version__

extensions = [
    "myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode", "sphinx_copybutton",
    "sphinx_design",
]  # fmt: skip
templates_path = ["_templates"]
exclude_patterns = ["_build", "response/samples"]

# Notebooks are shown as they are stored: `make notebooks` runs them, and a test compares their outputs.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_use_legacy_class_based = True  # the new one of Sphinx 9.0 fails on imported classes and type aliases
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {
    "logo": {"text": "Dose-overlap study"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}
html_show_sourcelink = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True


ARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?(?:\w+\.)*(\w+)\]\]"
)


def escape_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make |P|^2 in a docstring mean what it says: reStructuredText takes bars for a substitution."""
    for number, line in enumerate(lines):
        parts = line.split("`")  # what stands between back quotes stays
        lines[number] = "`".join(part if k % 2 else part.replace("|", r"\|") for k, part in enumerate(parts))


def skip(app: Any, what: str, name: str, obj: Any, left_out: bool, options: Any) -> bool | None:
    """Leave out types made with Annotated: Sphinx writes their patterns as text, and trips over the bars in them."""
    return True if get_origin(obj) is Annotated else None


def shorten(app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returned: str) -> tuple[str, str]:
    """Write NDArray[complex64] where autodoc writes the array's type out."""
    short = [
        ARRAY.sub(r"NDArray[\1]", words).replace("[_ScalarT]", "") if words else words
        for words in (signature, returned)
    ]
    return short[0], short[1]


def setup(app: Any) -> None:
    """Escape before numpydoc reads; shorten what comes last."""
    app.connect("autodoc-process-docstring", escape_bars, priority=100)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", shorten, priority=900)


def copy_notebooks() -> None:
    """Put the stage notebooks beside the pages, where Sphinx looks for what it reads."""
    folder = HERE / "tutorial"
    folder.mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        shutil.copy2(path, folder / path.name)  # with its time, so that only what changed is read again


copy_notebooks()
