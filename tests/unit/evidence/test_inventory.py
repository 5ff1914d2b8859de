"""The list of the files of a hub."""

from __future__ import annotations

from studylib.evidence import checksums, inventory
from studylib.io.files import write_text
from studylib.run.hub import Hub


def test_it_lists_itself_and_every_other_file_but_the_list_of_hashes(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    for name in ("data/b.npz", "analysis/z.txt", "analysis/a.txt", checksums.NAME):
        write_text(hub / name, "x")
    told = inventory.write(hub).read_text().splitlines()
    assert told == ["analysis/a.txt", inventory.NAME, "analysis/z.txt", "data/b.npz", "plan/hub.json"]
