"""The stage notebooks by hand, on the smoke profile: what is stored in them (nbval), and what a run gives."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import ROOT, scores


@pytest.mark.timeout(1200)
def test_the_stage_notebooks_give_what_is_stored_in_them_and_what_a_run_gives(smoke):
    """As `make nbval` does, in reports/scratch; beside the other tests, since it computes with one thread.

    The same seeds give the same numbers twice: in the run of the smoke fixture, and trained anew here.
    """
    done = subprocess.run(["make", "nbval"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    again = scores(ROOT / "reports/scratch")
    assert len(again) == 6 * 7 and again == scores(smoke[0])
