"""The structure that the design promises: small modules and functions, imports along the flow, tests beside modules."""

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
UNIT = ROOT / "tests/unit"
THEMES = {
    "test_arms.py": "every registered arm, also an installed one, against the one forward model",
    "test_background.py": "every arm, and every step from the file to the exposure, with counts that no probe brings",
    "test_benchmarks.py": "functions of benchmarks/",
    "test_docs.py": "pages of the documentation",
    "test_environment.py": "pyproject.toml, the lock, environment.yml and the Makefile",
    "test_fuzz.py": "every way in, with spoiled files and values",
    "test_installed.py": "the package without the rest of the repository",
    "test_masks.py": "every arm with pixels that cannot be trusted",
    "test_structure.py": "all modules",
}
"""Files below tests/unit without a module of their name, and what their tests concern instead."""


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


def test_files_of_tests_have_the_names_of_modules():
    """Whoever looks for the tests of studylib/io/npz.py finds them in tests/unit/io/test_npz.py."""
    files = {path.relative_to(UNIT) for path in UNIT.rglob("test_*.py")}
    modules = {path.relative_to(ROOT / "studylib") for path in MODULES}
    unnamed = {f.as_posix() for f in files if f.with_name(f.name.removeprefix("test_")) not in modules}
    assert unnamed == set(THEMES)
