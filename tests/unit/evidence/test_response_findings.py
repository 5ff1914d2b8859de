"""Which arm wins where, in words, numbers and one picture."""

from __future__ import annotations

from matplotlib.colors import to_rgb

from studylib import figures
from studylib.evidence import response_findings
from studylib.evidence.response_schema import Point, Response, Winner
from studylib.run.study import Study

SCORES = {
    ("leaves", 1_000): {"MAP": 0.94, "PtychoPINN": 0.90, "constant": 0.07},
    ("leaves", 100_000): {"MAP": 0.99, "PtychoPINN": 0.995, "constant": 0.07},
    ("natural", 1_000): {"MAP": 0.66, "PtychoPINN": 0.50},
}


def response(**changes) -> Response:
    points, winners = [], []
    for (sample, dose), scores in SCORES.items():
        where = {"sample": sample, "probe": "smooth", "view": "sparse", "dose": dose}
        points += [
            Point(
                **where, arm=arm, metric="phase_ms_ssim", fluence=1.0, mean=mean, interval_low=None, interval_high=None,
                least=mean, most=mean, replicates=1, unfit=0,
            )
            for arm, mean in scores.items()
        ]  # fmt: skip
        best = max(scores, key=scores.__getitem__)
        winners.append(Winner(**where, best=best, ties=["PtychoPINN"] if dose == 1_000 and sample == "leaves" else []))
    study = Study(
        samples=("leaves", "natural"), probes=("smooth",), doses=(1_000, 100_000), views=("sparse",), **changes
    )
    return Response(
        generated_at="2026-01-01T00:00:00Z", study=study.model_dump(mode="json"), split="test", rows=[], points=points,
        deltas=[], needed=[], equal_fluence=[], winners=winners, tables={}, failed=[],
    )  # fmt: skip


def test_the_standings_count_wins_and_ties_and_name_the_condition_where_an_arm_is_farthest_behind():
    rows = {row["arm"]: row for row in response_findings.standings(response())}
    assert rows["MAP"] == {
        "arm": "MAP", "best in": "2", "ties in": "0", "mean distance": "0.002", "largest distance": "0.005",
        "where": "leaves, smooth, 100,000 photons, sparse",
    }  # fmt: skip
    pinn = rows["PtychoPINN"]
    assert (pinn["best in"], pinn["ties in"], pinn["mean distance"]) == ("1", "1", "0.067")
    assert (pinn["largest distance"], pinn["where"]) == ("0.160", "natural, smooth, 1,000 photons, sparse")
    assert rows["constant"]["best in"] == "0"


def test_the_map_has_a_cell_for_each_condition_in_the_colour_of_its_winner():
    axes = response_findings.winner_map(response()).axes[0]
    words = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert words == {(0, 0): "MAP\n0.940, 1 tie", (1, 0): "PtychoPINN\n0.995", (0, 1): "MAP\n0.660"}
    picture = axes.images[0].get_array()
    assert picture.shape == (2, 2, 3) and len(set(map(float, picture[1, 1]))) == 1, "nothing was measured there: grey"
    hue = to_rgb(figures.colour("PtychoPINN"))
    assert list(picture[0, 1]).index(max(picture[0, 1])) == hue.index(max(hue))
    assert [t.get_text() for t in axes.get_yticklabels()] == ["leaves, smooth", "natural, smooth"]


def test_the_question_and_the_ends_follow_the_study():
    words = response_findings.asked(response()).data
    assert "which of 2 methods" in words and "leaves, natural" in words and "sparse (20%)" in words
    alone, three = (response_findings.ends(response(replicates=n)).data for n in (1, 3))
    assert "One replicate" in alone and "3 replicates" in three and "One kind of object" not in alone
    assert "Simulated: probe and positions are known exactly" in alone
    assert "Simulated: probe" not in response_findings.ends(response(disturbed=("background",))).data
