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


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [f.name for f in functions if f.end_lineno - f.lineno >= 60]


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
