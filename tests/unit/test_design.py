"""The design: names and numbers that it accepts."""

from __future__ import annotations

import pytest

from studylib import design, probes
from studylib.design import PROBES, SAMPLES
from studylib.errors import InputError
from studylib.objects import OBJECTS


def test_the_names_of_the_design_are_those_of_the_registries():
    assert tuple(OBJECTS) == SAMPLES and tuple(probes.PROBES) == PROBES


@pytest.mark.parametrize(
    "dose", ["\u0661\u0660\u0660\u0660", True, "1_000", " 1000", "nan", "-1", "1e99", 10**400, 0.5, None]
)
def test_a_dose_is_a_number_in_ascii_digits(dose):
    with pytest.raises(InputError, match="dose: got"):
        design.check_dose(dose)
