"""Files of libraries that may crash: read in a process of its own first."""

from __future__ import annotations

import pytest

from studylib.io import apart
from studylib.io.readers import open_scan
from tests.unit.archives import SCAN, archive, refused
from tests.unit.foreign import FORMATS


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed .SIGSEGV"),
        ("raise MemoryError('no room')", "gave up: MemoryError: no room"),
        ("import time; time.sleep(60)", "not read within 0.5 s"),
    ],
)
def test_a_library_that_crashes_is_told_in_words(tmp_path, code, message):
    refused(
        lambda path: apart.survives(["-c", code], path, seconds=0.5 if "sleep" in code else 60),
        tmp_path / "a.h5",
        message,
    )


def test_hdf5_is_read_in_a_process_of_its_own_first(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(apart, "survives", lambda arguments, path: seen.append(path))
    open_scan(FORMATS / "cdtools.cxi")
    open_scan(archive(tmp_path / "a.npz", SCAN))
    assert seen == [FORMATS / "cdtools.cxi"]
