"""Run the tests that stand for the claims of the study, on request, and keep their logs in the hub."""

from __future__ import annotations

import re
import subprocess
import sys

from studylib.evidence import checksums, inventory, summary_page
from studylib.evidence.verify import intact
from studylib.io.files import write_json, write_text
from studylib.run.cleaning import clean
from studylib.run.hub import Hub
from studylib.run.provenance import ROOT

MAPPED = (
    "tests/study/test_phase_g_dense_orchestrator.py::test_run_phase_g_dense_exec_runs_analyze_digest",
    "tests/study/test_phase_g_dense_orchestrator.py::test_run_phase_g_dense_collect_only_generates_commands",
    "tests/study/test_phase_g_dense_metrics_report.py::test_analyze_dense_metrics_success_digest",
)
"""Node ids of the mapped tests, relative to the repository."""


def run_mapped_tests(hub: Hub) -> int:
    """Collect and run the mapped tests. green/ or red/ gets the log, and summary/summary.md the counts.

    Parameters
    ----------
    hub
        Finished hub. If its files are not as the run left them, it stays unsigned.

    Returns
    -------
    Exit status: that of pytest, or 1 where the hub is damaged
    """
    # Ask before the logs change the hub: signing it again must not hide damage.
    fit = intact(hub).ok
    collected = _pytest("--collect-only", "-q")
    write_text(hub / "collect/pytest_collect_only.log", clean(hub, collected.stdout + collected.stderr))
    done = _pytest("-v")
    text = done.stdout + done.stderr
    print(text)
    for folder in ("green", "red"):
        (hub / f"{folder}/pytest_mapped.log").unlink(missing_ok=True)
    write_text(hub / f"{'red' if done.returncode else 'green'}/pytest_mapped.log", clean(hub, text))
    last = text.strip().splitlines()[-1]
    counts = {outcome: int(n) for n, outcome in re.findall(r"(\d+) (passed|failed|error|skipped)", last)}
    write_json(hub / "summary/mapped_tests.json", counts)
    summary_page.write(hub)
    # The new logs change the inventory, and the old list of hashes does not cover them.
    (hub / checksums.NAME).unlink(missing_ok=True)
    inventory.write(hub)
    if not fit:
        print("verify: the hub was not as its run left it before these tests", file=sys.stderr)
        return 1
    checksums.sign(hub)
    return done.returncode or (0 if intact(hub).ok else 1)


def _pytest(*options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on the mapped tests, in the repository, and keep what it prints."""
    command = [sys.executable, "-m", "pytest", *MAPPED, *options, "-p", "no:cacheprovider"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
