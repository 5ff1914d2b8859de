"""The published schemas."""

from __future__ import annotations

import json

import jsonschema
import pytest

from studylib.evidence import response_schema, schema
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("name", "model"), [("metrics_delta_summary", schema.DeltaSummary), ("response", response_schema.Response)]
)
def test_the_published_schema_is_the_one_in_force(name, model):
    published = json.loads((ROOT / f"docs/schemas/{name}.schema.json").read_text())
    assert published == model.model_json_schema(), (
        f"python -m studylib schema --of {name} > docs/schemas/{name}.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(published)
