"""The package without the rest of the repository, as `pip install` lays it out."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with the package alone."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "studylib", folder / "studylib", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an empty folder, where only the installed package can be found."""
    place = site / "elsewhere"
    place.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(site), "KERAS_BACKEND": "torch"}
    return subprocess.run(
        [sys.executable, *words], cwd=place, env=environment, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.mark.parametrize("command", ["dense", "response", "mapped-tests", "record"])
def test_a_command_that_needs_the_notebooks_says_so(site, command):
    done = run(site, "-m", "studylib", command, "--hub", "mine")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "notebooks" in done.stderr and "clone" in done.stderr, done.stderr
    assert not (site / "elsewhere/mine").exists()


def test_the_plan_needs_a_response_and_says_which(site):
    done = run(site, "-m", "studylib", "plan", "--mae", "0.1")
    assert done.returncode == 2 and "--response" in done.stderr, done.stderr


def test_the_example_of_the_page_runs_and_its_image_is_better_than_a_constant(site):
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs/without_checkout.md").read_text(), re.DOTALL))
    done = run(site, "-c", code)
    assert done.returncode == 0, done.stderr
    scores = dict(re.findall(r"^(\w+) (\d\.\d+)$", done.stdout, re.MULTILINE))
    assert float(scores["MAP"]) > float(scores["constant"]) + 0.3, done.stdout


def test_every_file_that_the_package_reads_is_installed_with_it():
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    others = [p for p in (ROOT / "studylib").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
    assert others
    for path in others:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in given.get(package, [])), path.name
