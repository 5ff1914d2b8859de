"""pyproject.toml, the lock, environment.yml and the Makefile say the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = {}
for line in (ROOT / "requirements.lock").read_text().splitlines():
    name, _, version = line.partition("==")
    LOCK[name.lower().replace("_", "-").replace(".", "-")] = version


def test_lock_has_exact_public_versions_only():
    assert len(LOCK) > 100
    for name, version in LOCK.items():
        assert re.fullmatch(r"[\w.]+", version), f"{name}=={version}"


@pytest.mark.parametrize(
    "text", PROJECT["dependencies"] + [r for group in PROJECT["optional-dependencies"].values() for r in group]
)
def test_lock_meets_every_requirement(text):
    requirement = Requirement(text)
    assert requirement.specifier.contains(LOCK[requirement.name.lower()])


def test_environment_yml_says_the_same():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python {PROJECT['requires-python']}" in content
    assert {"pip": ["-r requirements.lock"]} in content


def test_required_packages_are_there():
    needed = "jupyter papermill nbconvert numpy tensorflow torch scikit-image matplotlib pytest nbval"
    assert set(needed.split()) <= set(LOCK)


@pytest.mark.parametrize(
    ("words", "named"),
    [("ARM=map", "ARM"), ("dose=10", "dose"), ("BASE=mine.npz PROBE=smooth", "PROBE")],
)
def test_make_refuses_a_variable_that_it_would_ignore(words, named):
    done = subprocess.run(
        ["make", "-n", "evidence", *words.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and named in done.stderr and "fix:" in done.stderr and "studylib" not in done.stdout
    fine = ["make", "-n", "evidence", "ARMS=map", "BASE=mine.npz", "SET=map.tv=1"]
    assert subprocess.run(fine, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_help_lists_every_target():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in [
        "dense-evidence",
        "sparse-evidence",
        "evidence",
        "collect",
        "test",
        "nbval",
        "lab",
        "bench",
        "index",
        "clean-hub",
    ]:
        assert re.search(rf"^{target}\s+\S", shown, re.MULTILINE), target


def test_makefile_exports_the_commands_document():
    assert "export AUTHORITATIVE_CMDS_DOC ?= docs/TESTING_GUIDE.md" in (ROOT / "Makefile").read_text()


def test_clean_hub_deletes_hubs_only(tmp_path):
    (tmp_path / "precious.txt").write_text("x")
    done = subprocess.run(
        ["make", "clean-hub", f"HUB={tmp_path}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and "a hub, and not" in done.stderr and (tmp_path / "precious.txt").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_store_no_state_of_widgets(path):
    """Progress bars: identifiers drawn anew and speeds, of outputs that are not stored themselves."""
    assert not json.loads(path.read_text(encoding="utf-8"))["metadata"].get("widgets")


def test_whoever_imports_the_study_computes_with_reproducible_rounding():
    code = "import os, studylib; print(os.environ['MKL_CBWR'])"
    clean = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    for given, told in ((clean, "AVX2"), (clean | {"MKL_CBWR": "COMPATIBLE"}, "COMPATIBLE")):
        done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == told
