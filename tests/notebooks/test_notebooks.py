"""The stage notebooks give what is stored in them, on the smoke profile (nbval)."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import ROOT


@pytest.mark.timeout(1200)
def test_the_stage_notebooks_give_what_is_stored_in_them():
    """As `make nbval` does, in reports/scratch; beside the other tests, since it computes with one thread."""
    done = subprocess.run(["make", "nbval"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
