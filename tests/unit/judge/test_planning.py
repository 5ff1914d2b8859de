"""The planner, by figures that can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from studylib.errors import InputError
from studylib.judge import planning
from studylib.judge.planning import Geometry
from studylib.judge.target import Allowed, Target
from tests.unit.planned import DOSES, limit, row


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
