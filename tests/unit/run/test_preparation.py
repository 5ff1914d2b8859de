"""What is made and refused before the first stage."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple

from studylib.cli import main
from studylib.run.hub import Hub
from studylib.run.preparation import prepare
from studylib.run.provenance import sha256
from studylib.run.study import Study
from tests.unit.run.conftest import GIVEN


def test_every_condition_of_a_base_holds_it(tmp_path):
    """Its verification wants every file that a stage read, the base of the shared simulation too."""
    base = tmp_path / "mine.npz"
    base.write_bytes(b"a base")
    given = GIVEN | {"samples": ["leaves"], "base_name": "mine.npz", "base_sha256": sha256(base)}
    study = Study.checked(**given)
    for _ in range(2):  # the second time, it is there
        prepare(Hub(tmp_path / "study"), study, base, clobber=False)
    for folder in study.conditions():
        kept = tmp_path / "study" / folder / "data/base/base.npz"
        assert kept.is_symlink() and kept.read_bytes() == b"a base" and not os.path.isabs(os.readlink(kept))


def test_a_study_that_does_not_fit_is_refused_before_anything_is_made(tmp_path, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**30, 2**30 - 5_000_000, 5_000_000))
    assert main(["response", "--hub", str(tmp_path / "study"), "--doses", "1000", "100000", "--prepare-only"]) == 2
    said = capsys.readouterr().err
    assert "4 conditions; 5 MiB are free" in said and "Traceback" not in said and list(tmp_path.iterdir()) == []
