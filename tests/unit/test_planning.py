"""The planner: by figures that can be worked out by hand, and by a scan without symmetry."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from studylib import figures, planner
from studylib.cli import main
from studylib.condition import simulate_halves, thin_to_view
from studylib.design import SampleSettings
from studylib.errors import InputError
from studylib.experiment import Experiment
from studylib.experiment import allowed as allowed_by
from studylib.judge import planning
from studylib.judge.limit import limit_of
from studylib.judge.planning import Geometry
from studylib.judge.target import Allowed, Target
from studylib.samples import Sample, probe_diameter
from tests.asymmetric import N, probe, specimen
from tests.conftest import ROOT

DOSES = (1_000, 10_000, 100_000)
CONDITION = {"sample": "leaves", "probe": "zone-plate", "view": "dense", "replicate": 0}


def row(arm: str, dose: int, error: float, **other):
    return {
        **CONDITION, "dose": dose, "arm": arm, "status": "ok", "note": "",
        "positions": 400, "phase_mae": error, "phase_frc50": 0.4, "seconds": 20.0, **other,
    }  # fmt: skip


def limit(dose: int, n: float, **other):
    """1 / sqrt(n) is what the best linear estimator has in these tests."""
    return {
        **CONDITION, "dose": dose, "photons_per_pixel": n, "phase_wiener": n**-0.5, "frc50": 0.5, "reason": "", **other,
    }  # fmt: skip


@pytest.fixture
def response():
    """MAP has 1.2 times the error of the best linear estimator, PtyChi 3 times at first and 1.5 times at last."""
    rows = [row("MAP", dose, 1.2 * (dose / 100) ** -0.5) for dose in DOSES]
    rows += [row("PtyChi", d, s * (d / 100) ** -0.5) for d, s in zip(DOSES, (3.0, 2.0, 1.5), strict=True)]
    rows += [row("constant", dose, 0.2, status="reference", seconds=None) for dose in DOSES]
    return {"rows": rows, "limits": [limit(dose, dose / 100) for dose in DOSES]}


def allowed(view: str = "dense", per_dose: float = 0.01):
    """Return what photons allow in an experiment: n = dose * per_dose photons per pixel, error 1 / sqrt(n)."""
    doses = (100, 1_000, 10_000, 100_000, 1_000_000)
    return {view: [Allowed(d, d * per_dose, (d * per_dose) ** -0.5, 0.5) for d in doses]}


GEOMETRY = {"dense": Geometry(step=6.0, positions=800, pixels=64**2, measured_pixels=64**2)}


def plan(response, target: Target, **experiment):
    found = planning.reached(response, target, ("leaves", "zone-plate"))
    return {o.arm: o for o in planning.options(allowed(), found, target, GEOMETRY, **experiment)}


def test_the_dose_is_that_at_which_the_expected_error_is_the_one_wanted(response):
    options = plan(response, Target("mae", 0.12))
    # 1.2 / sqrt(dose / 100) = 0.12 at dose 10,000
    assert options["MAP"].dose == pytest.approx(10_000, rel=0.01)
    assert options["MAP"].expected == pytest.approx(0.12, rel=0.01) and not options["MAP"].beyond
    ratio = 2.0 + (1.5 - 2.0) * math.log10(options["PtyChi"].dose / 10_000)
    assert ratio * (options["PtyChi"].dose / 100) ** -0.5 == pytest.approx(0.12, rel=0.01)
    assert "constant" not in options


def test_what_lies_outside_the_measured_doses_is_called_so(response):
    fine, coarse = plan(response, Target("mae", 0.02))["MAP"], plan(response, Target("mae", 0.5))["MAP"]
    assert fine.dose == pytest.approx(360_000, rel=0.02) and "10 to 1,000 photons per pixel" in fine.beyond
    assert coarse.dose == pytest.approx(576, rel=0.02) and "10 to 1,000 photons per pixel" in coarse.beyond


def test_an_error_that_no_dose_gives_is_not_guessed(response):
    option = plan(response, Target("mae", 0.001))["MAP"]
    assert option.dose is None and option.seconds is None and "1,000,000" in option.beyond


def test_an_error_that_the_least_dose_has_is_given_as_that_dose(response):
    option = plan(response, Target("mae", 2.0))["MAP"]
    assert option.dose == 100 and "less may do" in option.beyond


def test_a_resolution_is_reached_where_the_ring_correlation_is(response):
    """The arms have 0.8 of the unbiased image's frequency, 0.5 of Nyquist: 0.4, 2.5 px half a period."""
    options = plan(response, Target("resolution", 2.6))
    assert options["MAP"].dose == 100 and options["MAP"].expected == pytest.approx(2.5)
    assert plan(response, Target("resolution", 2.4))["MAP"].dose is None


def test_a_dose_at_which_photons_tell_of_nothing_is_not_called_enough(response):
    """At few photons an unbiased image's ring correlation is below 0.5 everywhere."""
    found = planning.reached(response, Target("resolution", 2.6), ("leaves", "zone-plate"))
    ((view, known),) = allowed().items()
    dark = {view: [replace(a, frc50=None if a.dose < 10_000 else a.frc50) for a in known]}
    for told, dose in ((dark, 10_000), ({view: [replace(a, frc50=None) for a in known]}, None)):
        made = planning.options(told, found, Target("resolution", 2.6), GEOMETRY)
        assert {o.dose for o in made} == {dose}
    assert planning.best(made) == ()


def test_times_follow_from_flux_positions_and_patterns(response):
    option = plan(response, Target("mae", 0.12), flux=1e6, overhead=0.5)["MAP"]
    assert option.exposure == pytest.approx(0.01, rel=0.01)
    assert option.measuring == pytest.approx(800 * 0.51, rel=0.01)
    assert option.seconds == pytest.approx(2 * 20.0)
    assert option.photons == pytest.approx(100, rel=0.01)
    assert plan(response, Target("mae", 0.12))["MAP"].exposure is None


def test_replicates_are_averaged_and_arms_that_did_not_learn_are_left_out(response):
    response["rows"] += [row("MAP", d, 2.4 * (d / 100) ** -0.5, replicate=1) for d in DOSES]
    response["rows"] += [row("Baseline", d, 1.0, status="did not learn") for d in DOSES]
    response["limits"] += [limit(d, d / 100, replicate=1) for d in DOSES]
    options = plan(response, Target("mae", 0.12))
    assert "Baseline" not in options
    assert options["MAP"].dose == pytest.approx(100 * (1.2 * 2**0.5 / 0.12) ** 2, rel=0.01)


def test_the_best_are_the_one_of_least_light_and_the_soonest(response):
    target = Target("mae", 0.12)
    found = planning.reached(response, target, ("leaves", "zone-plate"))
    response["rows"] = [r | {"view": "sparse", "phase_mae": 1.5 * r["phase_mae"]} for r in response["rows"]]
    response["limits"] = [r | {"view": "sparse"} for r in response["limits"]]
    found |= planning.reached(response, target, ("leaves", "zone-plate"))
    both = allowed() | allowed("sparse", per_dose=0.005)
    geometry = GEOMETRY | {"sparse": Geometry(12.0, 200, 64**2, 64**2)}
    options = planning.options(both, found, target, geometry, flux=1e9, overhead=1.0)
    least, soonest = planning.best(options)
    assert (least.view, least.arm) == ("dense", "MAP")
    assert (soonest.view, soonest.arm) == ("sparse", "MAP")


def test_a_response_without_limits_or_without_the_condition_is_refused(response):
    with pytest.raises(InputError, match="one of leaves under zone-plate"):
        planning.reached(response, Target("mae", 0.1), ("natural", "smooth"))
    response["limits"] = []
    with pytest.raises(InputError, match="limits"):
        planning.reached(response, Target("mae", 0.1), ("leaves", "zone-plate"))


@pytest.mark.parametrize(("quantity", "value"), [("mae", 0.0), ("mae", math.nan), ("resolution", 0.5), ("mae", 4.0)])
def test_a_wish_that_is_none_is_refused(quantity, value):
    with pytest.raises(InputError, match=quantity):
        Target(quantity, value)


SAMPLE = Sample(specimen((160, 176)), probe(), "asymmetric")
SETTINGS = SampleSettings(object_size=160, n_pixels=N, scan_step=5.0)


@pytest.fixture
def experiment():
    return Experiment(SAMPLE, (160, 176), SETTINGS, 7)


def test_what_photons_allow_is_that_of_a_scan_of_the_whole_object(experiment):
    """The piece that the limit is taken from stands for the whole, at the scan that the study simulates."""
    told = allowed_by(experiment, ("dense",), (1_000.0, 100_000.0))["dense"]
    fine = SETTINGS.model_copy(update={"scan_step": 2.3})
    half = thin_to_view(simulate_halves(SAMPLE, fine, 1_000, 7)["test"], "dense", 3)[0]
    whole = limit_of(SAMPLE.object, np.angle(SAMPLE.object), half, 7)
    assert told[0].phase_wiener == pytest.approx(whole.phase_wiener, rel=0.15)
    assert told[0].photons_per_pixel == pytest.approx(whole.photons_per_pixel, rel=0.15)
    assert told[1].photons_per_pixel == pytest.approx(100 * told[0].photons_per_pixel, rel=1e-3)
    assert told[1].phase_wiener < told[0].phase_wiener / 3


def test_a_field_twice_as_high_and_wide_takes_four_times_the_positions(experiment):
    larger = Experiment(SAMPLE, (1600, 1760), SETTINGS, 7).geometry("dense", 64**2)
    small = Experiment(SAMPLE, (800, 880), SETTINGS, 7).geometry("dense", 64**2)
    assert larger.positions / small.positions == pytest.approx(4, rel=0.05)
    assert small.step == pytest.approx(0.3 * probe_diameter(SAMPLE.probe))
    lit = np.abs(SAMPLE.object) ** 2
    assert lit.min() < small.share < lit.max()


def test_an_object_of_many_turns_is_called_so(response, experiment):
    rows = np.arange(SAMPLE.object.shape[0])[:, None]
    thick = (SAMPLE.object * np.exp(0.08j * rows)).astype(np.complex64)
    told = whole_response(response)
    for image, turns in ((SAMPLE.object, 0), (thick, 1)):
        of = replace(experiment, source=replace(SAMPLE, object=image))
        made = planner.make_plan(of, Target("mae", 0.06), told, doses=(1_000.0,))
        assert sum("turns" in note for note in made.notes) == turns


def whole_response(response):
    """Return the rows of these tests as a response.json has them."""
    study = {"profile": "laptop"}
    rest = ("points", "deltas", "needed", "equal_fluence", "winners", "failed")
    none = dict.fromkeys(
        (
            "phase_ms_ssim",
            "amplitude_ms_ssim",
            "phase_ms_ssim_raw",
            "amplitude_ms_ssim_raw",
            "amplitude_mae",
            "amplitude_frc50",
        )
    )
    rows = [none | {"fluence": 1.0} | r for r in response["rows"]]
    more = dict.fromkeys(("phase_bound", "amplitude_bound", "amplitude_wiener")) | {
        "fluence": 1.0,
        "phase_diagonal": 1.0,
    }
    limits = [more | r for r in response["limits"]]
    return {"generated_at": "2026-11-28T00:00:00Z", "study": study, "split": "test", "rows": rows, "limits": limits,
            **{name: [] for name in rest}, "tables": {}}  # fmt: skip


@pytest.fixture
def told(response, tmp_path):
    path = tmp_path / "response.json"
    path.write_text(json.dumps(whole_response(response)), encoding="utf-8")
    return path


@pytest.fixture
def base(tmp_path):
    np.savez(tmp_path / "mine.npz", probeGuess=SAMPLE.probe, objectGuess=SAMPLE.object)
    return tmp_path / "mine.npz"


def test_the_command_plans_a_base_and_says_what_it_extrapolates(told, base, tmp_path, capsys):
    out = tmp_path / "plan.json"
    asked = ["plan", "--base", base, "--mae", "0.06", "--response", told, "--flux", "1e6", "--field", "500", "600"]
    assert main([*map(str, asked), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "mean absolute error of the phase of 0.06 rad" in said and "of measuring" in said
    assert "measured with leaves under zone-plate, not here" in said and "4,096 px and are scaled" in said
    plan = json.loads(out.read_text(encoding="utf-8"))
    (first, *_) = plan["options"]
    assert first["arm"] == "MAP" and first["expected"] == pytest.approx(0.06, rel=0.01) and first["dose"] > 0
    assert plan["like"] == ["leaves", "zone-plate"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--mae", "0.05", "--response", "none.json"], "none.json"),
        (["--mae", "-1"], "mae: got -1"),
        (["--mae", "0.05", "--flux", "0"], "flux: got 0"),
        (["--mae", "0.05", "--overhead", "-1"], "overhead: got -1"),
        (["--mae", "0.05", "--field", "0", "9"], "field: got"),
        (["--mae", "0.05", "--out", "plan.txt"], "out: got 'plan.txt'"),
        (["--mae", "0.05", "--base", "none.npz"], "none.npz"),
        (["--mae", "0.05", "--like", "natural", "smooth"], "one of leaves under zone-plate"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(told, tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    asked = more if "--response" in more else [*more, "--response", str(told)]
    assert main(["plan", *asked]) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1] and "Traceback" not in error
    assert [p.name for p in tmp_path.iterdir()] == ["response.json"]


def test_one_wish_is_needed_and_two_are_too_many():
    assert planner.wanted(0.1, 0.0) == Target("mae", 0.1) and planner.wanted(0, 3.0) == Target("resolution", 3.0)
    for both in ((0.0, 0.0), (0.1, 3.0)):
        with pytest.raises(InputError, match="one of the two"):
            planner.wanted(*both)


def test_the_picture_has_a_panel_a_view_and_a_dot_where_an_arm_gets_there(response, experiment):
    told = whole_response(response)
    made = planner.make_plan(experiment, Target("mae", 0.06), told, doses=(1_000.0, 100_000.0))
    (axes,) = figures.plan(made).axes
    assert axes.get_title() == "dense overlap" and {"MAP", "PtyChi"} <= {t.get_text() for t in axes.get_legend().texts}
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(dots) == sum(o.dose is not None for o in made.options) > 0


def test_the_notebook_plans_a_base_and_writes_the_plan(told, base, tmp_path):
    import papermill

    out = tmp_path / "plan.json"
    given = {"base": str(base), "mae": 0.06, "response": [str(told)], "out": str(out)}
    papermill.execute_notebook(
        str(ROOT / "notebooks/08_plan.ipynb"), str(tmp_path / "out.ipynb"), given, kernel_name="python3",
        progress_bar=False, cwd=str(tmp_path),
    )  # fmt: skip
    assert json.loads(out.read_text(encoding="utf-8"))["options"][0]["arm"] == "MAP"


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
