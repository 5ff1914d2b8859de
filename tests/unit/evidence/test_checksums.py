"""The list of hashes of a finished hub."""

from __future__ import annotations

from studylib.evidence import checksums
from studylib.io.files import write_text
from studylib.run.hub import Hub


def test_a_file_that_changed_and_one_that_is_lost_are_named(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    for name in ("analysis/a.txt", "data/b.txt", "plan/.hidden"):
        write_text(hub / name, "as the run left it")
    checksums.sign(hub)
    assert checksums.names(hub) == ["analysis/a.txt", "data/b.txt", "plan/hub.json"]
    assert not any(checksums.damaged(hub))
    write_text(hub / "analysis/a.txt", "as somebody left it")
    (hub / "data/b.txt").unlink()
    assert [told for told in checksums.damaged(hub) if told] == [
        "analysis/a.txt is not what the run left",
        "data/b.txt is missing",
    ]
