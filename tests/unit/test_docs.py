"""Pages of the documentation: links and named tests are there, and every page is in the contents of the site."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BUILT = ("_build", "api", "tutorial", "_templates")
PAGES = [
    path for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))
    if path.parent == ROOT or path.relative_to(DOCS).parts[0] not in BUILT
]  # fmt: skip
LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST = re.compile(r"([\w/]*\btest_\w+\.py)?(?:::(test_\w+))?")
CONTENTS = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and MyST make them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        if "://" in name or name.startswith("mailto:"):
            continue
        if name.startswith("tutorial/"):  # the site's copies of the notebooks
            assert (ROOT / "notebooks" / Path(name).name).is_file(), link
            continue
        target = (page.parent / name) if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_contents_of_the_site():
    listed = {"index"}
    for page in DOCS.rglob("*.md"):
        for block in CONTENTS.findall(page.read_text(encoding="utf-8")):
            listed |= {line for line in block.split() if not line.startswith(":")}
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES if page.parent != ROOT}
    assert pages - listed == set()
    notebooks = {f"tutorial/{path.stem}" for path in (ROOT / "notebooks").glob("0*.ipynb")}
    assert notebooks - listed == set()


def test_every_test_that_a_page_names_exists():
    """By its path from the repository; `::test_name` alone is of the file that the line names before it."""
    named = set()
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            file = ""
            for path, function in TEST.findall(line):
                file = path or file
                named |= {(file, function)} if path or function else set()
    functions = {}
    for file in {file for file, _ in named}:
        assert (ROOT / file).is_file(), file
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions[file] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} | {""}
    assert not [f"{file}::{function}" for file, function in named if function not in functions[file]]
    assert sum(bool(function) for _, function in named) > 20
