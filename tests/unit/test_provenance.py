from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest

from studylib.errors import InputError, StageError
from studylib.evidence import response_schema, schema
from studylib.io.files import write_json, writing
from studylib.run import provenance
from studylib.run.hub import Hub

ROOT = Path(__file__).resolve().parents[2]


def test_time_is_utc_whatever_the_zone(monkeypatch):
    import calendar
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        now = provenance.utc_now()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now)
        assert abs(calendar.timegm(time.strptime(now, "%Y-%m-%dT%H:%M:%SZ")) - time.time()) < 5
    finally:
        monkeypatch.undo()
        time.tzset()


def test_commands_document_is_recorded_or_refused(monkeypatch):
    monkeypatch.delenv("AUTHORITATIVE_CMDS_DOC", raising=False)
    assert provenance.commands_document() == "docs/TESTING_GUIDE.md"
    for value in ("docs/none.md", "/etc/hosts", "../elsewhere.md"):
        monkeypatch.setenv("AUTHORITATIVE_CMDS_DOC", value)
        with pytest.raises(InputError, match="AUTHORITATIVE_CMDS_DOC"):
            provenance.commands_document()


def test_a_stamp_holds_relative_names_and_hashes(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    made = write_json(hub / "analysis/thing.json", {"a": 1})
    path = provenance.stamp(hub, "stage", inputs=[], outputs=[made], seconds=1.0, parameters={"dose": 1000})
    content = json.loads(path.read_text())
    assert content["outputs"] == {"analysis/thing.json": provenance.sha256(made)}
    assert str(tmp_path) not in path.read_text()
    assert content["packages"]["torch"] and content["finished_at"].endswith("Z")


def test_a_file_outside_the_hub_is_not_recorded(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    with pytest.raises(StageError, match="below the hub"):
        hub.relative(tmp_path / "other.json")


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


@pytest.mark.parametrize(
    ("name", "model"), [("metrics_delta_summary", schema.DeltaSummary), ("response", response_schema.Response)]
)
def test_the_published_schema_is_the_one_in_force(name, model):
    published = json.loads((ROOT / f"docs/schemas/{name}.schema.json").read_text())
    assert published == model.model_json_schema(), (
        f"python -m studylib schema --of {name} > docs/schemas/{name}.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(published)
