"""The register of the arms: names, settings, and what identifies their code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studylib.arms import registry
from studylib.arms.registry import arm
from studylib.design import StudyDesign
from studylib.errors import InputError
from tests.asymmetric import scan_of

ARMS = list(registry.arms().values())


def test_names_keys_and_colours_are_told_apart():
    for field in ("name", "key", "colour"):
        values = [getattr(arm, field) for arm in ARMS]
        assert len(set(values)) == len(values), field
    assert {a.name for a in ARMS} >= set(registry.CONTRACT)


def test_the_arms_that_one_starts_from_are_run_too():
    assert registry.check_arms("pinn_map") == ("pinn", "pinn_map")
    assert registry.check_arms(["map"]) == ("map",)
    with pytest.raises(InputError, match="one of pinn"):
        registry.check_arms("ePIE")


def test_an_arm_that_refines_takes_over_the_options_of_what_it_refines_with():
    scan = scan_of(1000)
    own, told = registry.settings_of("map", StudyDesign.for_profile("laptop"), scan)
    refined, again = registry.settings_of("pinn_map", StudyDesign.for_profile("laptop"), scan)
    assert (refined.tv, refined.amplitude_tv) == (own.tv, own.amplitude_tv) and refined.iterations < own.iterations
    assert told == again and "split counts" in told


@pytest.mark.parametrize(("key", "module"), [("map", "coarse"), ("ptychi_prior", "ptychi"), ("unrolled", "poisson")])
def test_what_identifies_the_code_of_an_arm_covers_the_modules_that_it_uses(key, module, monkeypatch):
    """By import, not only by inheritance: one line there may change an image."""
    algorithm, read = registry.algorithm.__wrapped__, Path.read_bytes
    before = algorithm(key)
    edited = lambda path: read(path) + (b"# changed" if path.stem == module else b"")  # noqa: E731
    monkeypatch.setattr(Path, "read_bytes", edited)
    assert algorithm(key) != before


def test_every_arm_that_may_choose_has_candidates():
    assert len(arm("map").candidates(None)) >= 3 and len(arm("ptychi").candidates(None)) >= 3


def test_its_starts_are_what_the_arm_before_it_makes_with_its_own_settings():
    design = StudyDesign.for_profile("smoke")
    scan = scan_of(1_000)
    image = registry.images_for("unrolled", design)(scan)["map"]
    chosen, _ = registry.settings_of("map", design, scan)
    np.testing.assert_array_equal(image, registry.arm("map").reconstruct(scan, chosen, design.seeds).object)
    own = {"map": {"settings": {"tv": 5.0}, "of": "this scan", "tried": []}}
    assert not np.array_equal(image, registry.images_for("unrolled", design, own)(scan)["map"])
    with pytest.raises(InputError, match="arms without a training"):
        registry.images_for("pinn_map", design)


class Entry:
    """An entry point of a package whose import fails."""

    name, value = "bad", "bad_arm:Bad"

    def load(self):
        raise ModuleNotFoundError("No module named 'nothing'")


def test_a_package_that_cannot_be_imported_is_named(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry()])
    with pytest.raises(InputError, match=r"bad_arm:Bad.*No module named 'nothing'.*uninstall the package"):
        registry.arms.__wrapped__()


@pytest.mark.parametrize(("typed", "meant"), [("unroled", "unrolled"), ("MAP", "map"), ("PtychoPINN", "pinn")])
def test_a_misspelled_arm_is_recognised(typed, meant):
    with pytest.raises(InputError, match=f"did you mean {meant}"):
        registry.check_arms(typed)


def test_an_arm_without_candidates_cannot_choose_and_is_told_why():
    with pytest.raises(InputError, match="whose options it takes over"):
        registry.check_select(["map_refining"], ("map", "map_refining"))
    with pytest.raises(InputError, match="make selection"):
        registry.check_select(["unrolled"], ("map", "unrolled"))
