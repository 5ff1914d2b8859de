"""How commands end: their status, and their words when something outside goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from studylib import cli
from studylib.cli import main
from tests.conftest import ROOT

WORDS = [sys.executable, "-m", "studylib"]


def test_nobody_reads_on():
    """As `python -m studylib schema | head -1` ends, where the reader is gone before the text is there."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*WORDS, "schema"], stdout=write, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="wants /dev/full")
def test_there_is_no_room_for_what_is_printed():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([*WORDS, "schema"], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error: output") and "Traceback" not in done.stderr


def test_the_folder_one_is_in_was_removed(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os, shutil; os.chdir({str(gone)!r}); shutil.rmtree({str(gone)!r}); from studylib.cli import main; "
    done = subprocess.run(
        [sys.executable, "-c", code + "raise SystemExit(main(['verify', '--hub', 'x']))"],
        capture_output=True, text=True, cwd=ROOT, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.startswith("error: folder") and "Traceback" not in done.stderr


def test_a_fault_of_ours_has_a_traceback_and_what_to_do_with_it(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, "schema", lambda options: 1 // 0)
    assert main(["schema"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said and "report it with the lines above" in said.splitlines()[-1]
