"""The structure that the design promises: small modules and functions, imports along the flow of the data."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "studylib").rglob("*.py"))
AGAINST = {
    "physics": ("arms", "judge", "learn", "run", "evidence"),
    "judge": ("arms.map", "arms.networks", "arms.ptychi", "learn", "run", "evidence"),
    "learn": ("arms", "judge", "run", "evidence"),
    "arms": ("judge", "run", "evidence"),
    "io": ("arms", "judge", "learn", "run", "evidence"),
    "evidence": ("learn",),
}
"""What a package must not import: physics, judge, learn, arms know arrays and no hub; evidence knows no network."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_of_code(text: str, tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that are neither empty, a comment, nor in a docstring."""
    strings = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]  # fmt: skip
    told = {line for node in strings for line in range(node.lineno, node.end_lineno + 1)}
    return {
        number for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#") and number not in told
    }  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    code = lines_of_code(text, tree)
    assert text.count("\n") <= 480 and len(code) <= 230
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [f.name for f in functions if sum(f.lineno <= line <= f.end_lineno for line in code) > 48]


@pytest.mark.parametrize("package", AGAINST)
def test_imports_follow_the_flow(package):
    refused = tuple(f"studylib.{other}" for other in AGAINST[package])
    found = []
    for path in (ROOT / "studylib" / package).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            found += [f"{name(path)}: {n}" for n in names if any(n == r or n.startswith(f"{r}.") for r in refused)]
    assert not found
