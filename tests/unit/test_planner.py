"""The planner: from a wish and the studies to a plan."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from studylib import planner
from studylib.errors import InputError
from studylib.judge import planning
from studylib.judge.target import Target
from tests.unit.planned import SAMPLE, whole_response


def test_an_object_of_many_turns_is_called_so(response, experiment):
    rows = np.arange(SAMPLE.object.shape[0])[:, None]
    thick = (SAMPLE.object * np.exp(0.08j * rows)).astype(np.complex64)
    told = whole_response(response)
    for image, turns in ((SAMPLE.object, 0), (thick, 1)):
        of = replace(experiment, source=replace(SAMPLE, object=image))
        made = planner.make_plan(of, Target("mae", 0.06), told, doses=(1_000.0,))
        assert sum("turns" in note for note in made.notes) == turns


def test_one_wish_is_needed_and_two_are_too_many():
    assert planner.wanted(0.1, 0.0) == Target("mae", 0.1) and planner.wanted(0, 3.0) == Target("resolution", 3.0)
    for both in ((0.0, 0.0), (0.1, 3.0)):
        with pytest.raises(InputError, match="one of the two"):
            planner.wanted(*both)


def test_of_two_studies_the_later_ones_rows_count_and_limits_are_shared(response, tmp_path):
    """A study without limits borrows those of the same scans."""
    first, second = whole_response(response), whole_response(response)
    first["limits"] = []
    second["rows"] = [row | {"phase_mae": 0.5 * row["phase_mae"]} for row in second["rows"] if row["arm"] == "MAP"]
    for name, content in (("first", first), ("second", second)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    told = planner.read_responses([tmp_path / "first.json", tmp_path / "second.json"])
    found = planning.reached(told, Target("mae", 0.1), ("leaves", "zone-plate"))
    assert found["MAP", "dense"].factors == pytest.approx([0.6] * 3)
    assert found["PtyChi", "dense"].factors == pytest.approx([3.0, 2.0, 1.5])
