"""The part of explore.ipynb that shows a study."""

from __future__ import annotations

import pytest

from studylib import explore_response
from studylib.io.files import write_json, write_text
from tests.unit.evidence.test_response_findings import response


@pytest.fixture
def reports(tmp_path):
    """A folder with a study of two samples."""
    write_json(tmp_path / "mine/plan/study.json", response().study)
    write_text(tmp_path / "mine/analysis/response.json", response().model_dump_json())
    return tmp_path


def test_without_a_study_the_widget_says_how_to_make_one(tmp_path):
    assert "make response" in explore_response.curves(str(tmp_path)).value


def test_the_menus_offer_what_the_study_has(reports):
    study, sample, probe, metric = explore_response.curves(str(reports)).children[0].children
    assert [name for name, _ in study._options_full] == ["mine"]
    assert sample.options == ("all", "leaves", "natural") and probe.options == ("all", "smooth")
    assert next(name for name, _ in metric._options_full) == "phase MS-SSIM"


def test_a_sample_can_be_shown_alone():
    told = response()
    part = explore_response.only(told, "natural", "all")
    assert {p.sample for p in part.points} == {"natural"} and [w.sample for w in part.winners] == ["natural"]
    assert explore_response.only(told, "all", "smooth").points == told.points
    assert not explore_response.only(told, "natural", "diffuser").points
