"""Figures: what they show."""

from __future__ import annotations

import numpy as np

from studylib import figures, planner
from studylib.judge.target import Target
from tests.unit.planned import whole_response


def test_the_picture_has_a_panel_a_view_and_a_dot_where_an_arm_gets_there(response, experiment):
    told = whole_response(response)
    made = planner.make_plan(experiment, Target("mae", 0.06), told, doses=(1_000.0, 100_000.0))
    (axes,) = figures.plan(made).axes
    assert axes.get_title() == "dense overlap" and {"MAP", "PtyChi"} <= {t.get_text() for t in axes.get_legend().texts}
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(dots) == sum(o.dose is not None for o in made.options) > 0


def test_the_magnified_part_is_where_the_arms_differ_and_not_where_all_are_wrong():
    truth = np.zeros((60, 90), np.float32)
    same = truth.copy()
    same[5:15, 5:15] = 3  # both are wrong here in the same way
    other = same.copy()
    other[31:41, 62:72] = 1
    assert figures.where_they_differ([same, other], truth, 10) == (31, 62)
    assert figures.where_they_differ([same], truth, 10) == (5, 5), "one arm is compared with the truth"
