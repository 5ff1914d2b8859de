"""Files are written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from studylib.io.files import write_json, writing
from tests.conftest import ROOT


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), writing(path, "w") as file:
        file.write("half of the n")
        raise RuntimeError("disk full")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"ms_ssim": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_what_was_there(tmp_path):
    """A limit on the size of files is what a test may set; a full disk raises the same way."""
    code = (
        "import resource, sys; from studylib.errors import StageError; from studylib.io.files import write_with;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: write_with(sys.argv[1], lambda file: file.write(bytes(100_000)))\n"
        "except StageError as error: print(error)"
    )
    path = tmp_path / "a.npz"
    path.write_bytes(b"earlier")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "a.npz: the disk is full" in done.stdout and " are free " in done.stdout and str(tmp_path) in done.stdout
    assert path.read_bytes() == b"earlier" and [p.name for p in tmp_path.iterdir()] == ["a.npz"]
