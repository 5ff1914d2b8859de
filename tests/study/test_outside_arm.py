"""An arm from a package of its own: the example of docs/add_an_arm.md, installed as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT, studylib

PAGE = ROOT / "docs/add_an_arm.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a folder in which the example's package is installed."""
    blocks = dict(re.findall(r"```(python|toml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S))
    source, site = tmp_path_factory.mktemp("epie-arm"), tmp_path_factory.mktemp("site")
    (source / "epie_arm.py").write_text(blocks["python"])
    (source / "pyproject.toml").write_text(blocks["toml"])
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(site), str(source)], check=True, capture_output=True)
    return site


def test_the_example_is_about_forty_lines():
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S).group(1)
    assert len([line for line in code.splitlines() if line.strip()]) <= 45


def test_an_installed_arm_is_in_the_report_of_a_run(site, tmp_path):
    hub = tmp_path / "outside"
    given = ("--profile", "smoke", "--dose", "10000", "--splits", "test", "--arms", "map", "epie")
    done = studylib("dense", "--hub", str(hub), *given, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout + done.stderr
    row = r'<th scope="row">ePIE</th>\s*<td'
    assert re.search(row, (hub / "analysis/report.html").read_text())
    status = json.loads((hub / "analysis/dose_10000/dense/test/status.json").read_text())
    assert status["arms"]["ePIE"] == {"status": "ok", "reason": ""}


def test_an_installed_arm_is_held_to_the_forward_model(site):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    files = [f"tests/unit/test_{name}.py" for name in ("arms", "masks", "background")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", "epie]"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    told = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0 and told and int(told[1]) >= 6, done.stdout + done.stderr
