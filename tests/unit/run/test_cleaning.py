"""Paths of this machine are taken out of what people get."""

from __future__ import annotations

import json
from pathlib import Path

from studylib.run import cleaning
from studylib.run.hub import Hub


def test_a_home_at_the_root_of_the_disk_eats_no_notebook(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub").create()
    content = {"cells": ["a/b", f"{tmp_path}/hub/data", "1/2"]}
    (hub / "notebooks/a.ipynb").write_text(json.dumps(content))
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    cleaning.scrub(hub)
    assert json.loads((hub / "notebooks/a.ipynb").read_text()) == {"cells": ["a/b", "<hub>/data", "1/2"]}
