"""Spoiled input of every kind: nothing but an error of the study comes out. `make fuzz` does the same at length."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studylib.errors import StudyError
from tests.fuzz.entries import ENTRIES, run


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_only_errors_of_the_study_come_out(name, tmp_path):
    entry, out = ENTRIES[name], Counter[str]()
    made = entry.made(tmp_path)

    @settings(max_examples=120, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def spoiled(data):
        try:
            run(entry, tmp_path, data.draw(made))
            out["read"] += 1
        except StudyError as error:
            assert "\n" not in str(error)
            out["refused"] += 1

    spoiled()
    assert out["read"], "input that is always refused tries little"
